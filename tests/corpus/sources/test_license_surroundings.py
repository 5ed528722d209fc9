import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.license_surroundings import MAX_WORDS, adds_nothing, is_name, plain_text, takes_back

NOTHING_MORE = [
    "",
    "The MIT License (MIT)",
    "# BSD 3-Clause License",
    "New BSD license",
    "License\n=======",
    "Apache License, Version 2.0",
    "Copyright (c) 2011-2020, Ada Lovelace <ada@example.org>\nAll rights reserved.",
    "Copyright 2014-2019 Grant Jenks",
    "Copyright (c) 2004 Idiap Research Institute, the Free Software Foundation, Inc. and contributors",
    "Copyright (c) 2018 sindresorhus",
    "Copyrigh (c) 2022 the gRPC authors",
    "Copyright (c) 2012 Ada\nContributors:\n- Charles Babbage <c@example.org>\n- jdoe (John Doe)\n* María José Ñandú",
    "(c) 2020 张三",
    "For more information, please see: https://example.org/about",
    "See https://example.org for details.",
    "https://opensource.org/licenses/MIT",
    "SPDX-License-Identifier: MIT",
    'The Package is licensed under the MIT "Expat" License:',
    "This project is released under the MIT License.",
    "Mypyc is licensed under the terms of the MIT license, reproduced below.",
    "Icons made by A Maker from www.example.org",
    "Logo designed by @jdoe (https://example.org)",
    "Based on the work of Jane Doe. Inspired by foo.js by John Doe.",
    "This software consists of voluntary contributions made by many individuals.",
    "The full list of contributors can be found at https://example.org/people",
    "This software is copyright (c) 2011 by Ada Lovelace.",
    "Portions of this software are Copyright (c) 2011 Ada Lovelace",
    "Copyright (c) 2020 Ada/Charles and/or others",
]
MORE = [
    "Free for personal use.",
    "Commercial use requires a separate license.",
    "This software is for research only, not commercially.",
    "You acknowledge that this software is not for use in nuclear plants.",
    "Commons Clause: the right to sell the software is withheld.",
    "Licensor: Acme",
    "The Software shall be used for Good, not Evil.",
    "Companies with more than 50 employees need a paid licence.",
    "Except for the files in /enterprise, which are proprietary.",
    "All files in the folder pro are Copyright Acme, all rights reserved.",
    "Portions are licensed under the GPL.",
    "Licensed under the Elastic License 2.0.",
    "BSD-style license",
    "MIT License with Commons Clause",
    "Modified Apache 2.0 License",
    "Apache License 1.1",
    "Please credit the author in your product.",
    "Derivative works must be published in the same way.",
    "See https://example.org/license.html",
    "Evaluation copy",
    "Contact us before you deploy it.",
    "Void where prohibited.",
    "If you make money with it, send me some.",
    "Nur für den privaten Gebrauch.",
    "Kommerzielle Nutzung verboten.",
    "Usage commercial interdit.",
    "Uso comercial prohibido.",
    "È vietato l'uso commerciale.",
    "Только для некоммерческого использования.",
    "禁止商用",
    "商用利用を禁じます。",
    "상업적 이용 금지",
    "Zakaz użytku komercyjnego.",
    "The images in assets/ are (c) ACME, all rights reserved.",
    "The icons are\n(c) ACME, all rights reserved.",
    "Icons remain copyright of ACME",
    "assets/* (c) ACME, all rights reserved",
    "Everything in /img/ copyright ACME",
]


@pytest.mark.parametrize("text", NOTHING_MORE)
def test_titles_holders_links_and_credits_add_nothing(text: str) -> None:
    assert adds_nothing(text)
    assert adds_nothing(text + "\n\n" + text)


@pytest.mark.parametrize("text", MORE)
def test_terms_do_in_every_case_of_letters_and_beside_anything(text: str) -> None:
    for words in (text, text.upper(), text.title(), text.lower()):
        assert not adds_nothing(words)
        assert not adds_nothing(f"Copyright (c) 2020 Ada Lovelace. {words}")
        assert not adds_nothing(f"Copyright (c) 2020 Ada Lovelace\nContributors:\n- {words}\n")
        assert not adds_nothing(f"The MIT License (MIT)\n\n{words}\n\nCopyright (c) 2020 Ada Lovelace")
        assert not adds_nothing(f"> {words}\n> ===\n")


def test_words_that_are_not_known_may_be_terms() -> None:
    unknown = "any words of one's own, whatever they say"
    for words in (
        unknown,
        unknown.upper(),
        f"Copyright (c) 2020 Ada. {unknown}",
        f"Copyright 2020 Ada. {unknown.upper()}",
    ):
        assert not adds_nothing(words)


@given(st.lists(st.sampled_from(NOTHING_MORE), max_size=4), st.sampled_from(MORE), st.integers(0, 4))
def test_terms_are_found_wherever_they_stand(pieces: list[str], term: str, place: int) -> None:
    assert adds_nothing("\n\n".join(pieces))
    assert not adds_nothing("\n\n".join([*pieces[:place], term, *pieces[place:]]))


def test_a_long_text_is_not_looked_at() -> None:
    assert adds_nothing("Ada " * MAX_WORDS)
    assert not adds_nothing("Ada " * (MAX_WORDS + 1))
    assert not adds_nothing("a" * 10_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("THE AUTHORS OR COPYRIGHT HOLDERS", True),
        ("GRANT JENKS", True),
        ("Facebook, nor Meta", True),
        ("Microsoft Research", True),
        ("THE AUTHORS. COMMERCIAL USE IS FORBIDDEN. THE AUTHORS", False),
        ("anyone but students", False),
        ("Ada, who asks for a cup of tea", False),
    ],
)
def test_names(text: str, expected: bool) -> None:
    assert is_name(text) is expected


def test_plain_text_is_what_a_page_shows() -> None:
    assert plain_text("<h1>A</h1><p>b &quot;c&quot; <a href='x'>d</a></p>").split() == ["A", "b", '"c"', "d"]
    assert (
        plain_text("Ada <ada@example.org> & <https://example.org>") == "Ada <ada@example.org> & <https://example.org>"
    )
    assert "not for sale" in plain_text("<!-- not for sale -->")


@pytest.mark.parametrize(
    "text",
    [
        "Commons Clause",
        "This may not be used for commercial purposes.",
        "Internal use only",
        "You may not use it for profit.",
        "You may **not** redistribute\n// this file.",
        "Commercial use needs a paid license.",
        "The folder ee/ is under a commercial license.",
        "This software can't be used commercially",
        "This software can’t be used commercially",
        "Use in production is prohibited",
        "Redistribution is not allowed",
        "Licensed for evaluation only",
        "Licensed only for academic research",
        "Unauthorized copying of this file, via any\nmedium, is strictly prohibited",
        "Companies with revenue above $1M must buy a license",
        "Business Source License 1.1",
        "CC-BY-NC-4.0",
        "Proprietary and confidential",
    ],
)
def test_what_takes_back(text: str) -> None:
    assert takes_back(text)


@pytest.mark.parametrize(
    "text",
    [
        "Copyrights are kept by the contributors. Licensed under Apache 2.0 or MIT.",
        "No copyright assignment is required to contribute to the project.",
        "You may not use this file except in compliance with the License. Names must not be used to endorse it.",
        "The name of the X Consortium shall not be used in advertising or otherwise to promote the sale, use or other "
        "dealings in this Software.",
        "Permission to use, copy, modify and distribute it for non-commercial or commercial purposes is granted.",
        "This library is free for commercial and non-commercial use. Commercial use is permitted.",
        "You can copy and use it in any context without fee, including a commercial application.",
        "Everyone is permitted to copy this license document, but changing it is not allowed.",
        "You don't have to pay us. No patent license is granted to make, use, or sell modifications.",
        "to deal in it without restriction, including without limitation the rights to use, copy, and/or sell copies",
        "The Font Software must not be distributed under any other license.",
        "Copyright (c) A not-for-profit foundation. Part of it is under the Boost licence, BSL-1.0.",
    ],
)
def test_what_ordinary_notices_say(text: str) -> None:
    assert not takes_back(text)
    assert not takes_back(text.replace(" ", "\n"))
