import html
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest

from corpus.sources.licenses import is_license_file, is_notice_file, license_of, repository_licenses
from tests.corpus.sources.test_license_surroundings import MORE, NOTHING_MORE

MIT = """The MIT License (MIT)

Copyright (c) 2011 Ada Lovelace <ada@example.org>
Copyright © 2012 and others

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NON-INFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
BSD = """Copyright (c) 2011, Ada Lovelace
All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

 * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.
 * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
   following disclaimer in the documentation and/or other materials provided with the distribution.
%s
THIS SOFTWARE IS PROVIDED BY ADA LOVELACE ''AS IS'' AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL
ADA LOVELACE BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING,
BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.
"""
NAMES = """ * Neither the name of Ada Lovelace nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.
"""
ADVERTISING = """ * All advertising materials mentioning features or use of this software must display the following
   acknowledgement: This product includes software developed by Ada Lovelace.
"""
BSD2, BSD3 = BSD.replace("%s", ""), BSD.replace("%s", NAMES)


SOURCES = {"MIT": MIT, "BSD-2-Clause": BSD2, "BSD-3-Clause": BSD3}
NOTICE = """Copyright 2011 Ada Lovelace

Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance with the
License. You may obtain a copy of the License at

    https://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
language governing permissions and limitations under the License.
"""


@pytest.fixture
def apache() -> str:
    return (files("corpus.sources") / "apache-2.0.txt").read_text("utf-8")


def test_the_published_text_is_the_one_of_real_repositories(apache: str, shared_data: Path) -> None:
    with tarfile.open(shared_data / "github" / "google__gson.tar.gz") as archive:
        file = archive.extractfile("gson/LICENSE")
        assert file is not None
        assert file.read().decode().split() == apache.split()


def test_licences() -> None:
    assert license_of(MIT) == "MIT"
    assert license_of(BSD2) == "BSD-2-Clause"
    assert license_of(BSD3) == "BSD-3-Clause"


def test_layout_and_holders_do_not_matter() -> None:
    commented = "\n".join(f"# {line}" for line in MIT.splitlines())
    assert license_of(commented) == "MIT"
    assert license_of(MIT.replace("The MIT License (MIT)\n\n", "").upper()) == "MIT"
    assert license_of(
        "BSD 3-Clause License\n\n" + BSD3.replace("ADA LOVELACE", "THE COPYRIGHT HOLDERS AND CONTRIBUTORS")
    ) == ("BSD-3-Clause")


def test_wordings_that_are_the_same_licence() -> None:
    assert license_of(BSD3.replace("nor the names of its", "nor those of its")) == "BSD-3-Clause"
    named = BSD.replace("%s", " * The name of Ada may not be used to endorse or promote products derived from this "
                              "software without specific prior written permission.\n")  # fmt: skip
    assert license_of(named) == "BSD-3-Clause"
    assert license_of(MIT.replace('"', "''").replace("NON-INFRINGEMENT", "NONINFRINGEMENT")) == "MIT"
    assert license_of(MIT.replace("sublicense", "sub-\nlicense").replace("\n", "\r")) == "MIT"
    assert license_of(MIT.replace("permission notice", "permission notice (including the next paragraph)")) == "MIT"
    page = f"<html><body><h1>MIT</h1><p>{html.escape(MIT)}</p></body></html>"
    assert license_of(page) == "MIT"
    assert license_of(MIT + "\n----\n\nPart of it is by another:\n\n" + MIT) == "MIT"


@pytest.mark.parametrize("words", NOTHING_MORE)
@pytest.mark.parametrize("spdx", SOURCES)
def test_what_may_stand_around(spdx: str, words: str) -> None:
    assert license_of(f"{words}\n\n{SOURCES[spdx]}") == spdx
    assert license_of(f"{SOURCES[spdx]}\n{words}") == spdx


@pytest.mark.parametrize("words", MORE)
def test_terms_above_below_beside_and_inside(words: str, apache: str) -> None:
    for text in (*SOURCES.values(), apache):
        assert license_of(f"{words}\n\n{text}") is None
        assert license_of(f"{text}\n{words}") is None
        assert license_of(f"<!-- {words} -->{text}") is None
        for place in range(200, len(text), 800):  # between two lines of it
            line = text.find("\n", place)
            if line > 0 and 0 < text.count("\n", 0, line) < text.count("\n") - 2:
                inside = f"{text[:line]}\n{words}\n{text[line:]}"
                assert license_of(inside) is None, inside[:line][-80:]
    assert license_of(MIT.replace("Ada Lovelace", f"Ada Lovelace. {words}", 1)) is None
    assert license_of(MIT.replace("AUTHORS OR\n", f"AUTHORS. {words} OR\n")) is None


def test_further_or_other_terms() -> None:
    good_not_evil = "The Software shall be used for Good, not Evil.\n\nTHE SOFTWARE IS"
    assert license_of(MIT.replace("THE SOFTWARE IS", good_not_evil, 1)) is None
    assert license_of("You may not sell it. " * 12 + MIT) is None
    assert license_of(MIT + "You may not sell it. " * 12) is None
    assert license_of(BSD.replace("%s", ADVERTISING)) is None
    assert license_of(BSD.replace("%s", ADVERTISING + NAMES)) is None
    assert license_of(MIT + BSD3) is None
    assert license_of(MIT[: len(MIT) // 2]) is None
    assert license_of("MIT") is None
    assert license_of("") is None


def test_apache(apache: str) -> None:
    assert license_of(apache) == "Apache-2.0"
    without_appendix = apache[: apache.index("APPENDIX")]
    assert license_of(without_appendix) == "Apache-2.0"
    notice = apache[apache.index("   Copyright [yyyy]") :]
    assert license_of(without_appendix + notice.replace("[yyyy] [name of copyright owner]", "2011 Ada")) == "Apache-2.0"
    assert license_of(notice) is None
    assert license_of(apache.replace("8. Limitation of Liability", "8. Limits")) is None
    assert license_of(apache.replace("reasonable and", "reasonable or")) is None
    assert license_of(apache.replace("(d) If", "(e) It is not for sale; and\n\n (d) If")) is None
    assert license_of(apache.replace("Apache License\n", "Modified Apache License\n", 1)) is None
    assert license_of(without_appendix.replace("END OF TERMS AND CONDITIONS", "")) == "Apache-2.0"
    assert license_of(apache.replace("[", "{").replace("http:", "https:")) == "Apache-2.0"
    assert license_of(NOTICE + apache) == "Apache-2.0"
    assert license_of(NOTICE) is None
    assert license_of(apache.replace("9. Accepting", "You may not sell it. " * 5 + "9. Accepting")) is None
    assert license_of(apache + "You may not sell it. " * 12) is None
    assert license_of(without_appendix + "You may not sell it. " * 12) is None
    assert license_of("You may not sell it. " * 12 + apache) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("LICENSE", "License.txt", "LICENCE.md", "COPYING", "COPYING.LESSER", "UNLICENSE")),
        *(
            (name, True)
            for name in ("LICENSE-MIT", "LICENSE-APACHE", "LICENSE_1_0.txt", "MIT-LICENSE.txt", "LICENSE.GPL")
        ),
        *((name, True) for name in ("GPL-LICENSE.txt", "LICENSE MIT.txt", "EULA.md", "COMMONS-CLAUSE", "license.html")),
        *(
            (name, False)
            for name in ("license.go", "LicenseTest.java", "NOTICE", "README.md", "licenses.json", "LICENSES")
        ),
        *(
            (name, False)
            for name in (
                "LICENSE.meta",
                "LICENSE.md.meta",
                "LICENSE.spdx",
                "THIRD-PARTY-LICENSE",
                "license.py",
                "license-checker.js",
                "a" * 5000 + "-licens",
            )
        ),
    ],
)
def test_names_of_licence_files(name: str, expected: bool) -> None:
    assert is_license_file(name) is expected


def test_repositories() -> None:
    assert repository_licenses({"LICENSE": MIT.encode()}) == (["MIT"], "")
    assert repository_licenses({"LICENSE-MIT": MIT.encode(), "COPYING": BSD3.encode()}) == (["BSD-3-Clause", "MIT"], "")
    assert repository_licenses({}) == ([], "no licence file")
    for other in (b"GNU GENERAL PUBLIC LICENSE", None):
        licenses, why = repository_licenses({"LICENSE": MIT.encode(), "LICENSE-GPL": other})
        assert licenses == []
        assert why.startswith("LICENSE-GPL is none of")


def test_names_of_notice_files() -> None:
    names = ["COPYRIGHT", "NOTICE.txt", "Terms.md", "COMMERCIAL.md", "TERMS-OF-USE.txt", "notice.py", "LICENSE"]
    assert list(filter(is_notice_file, names)) == names[:5]


def test_encodings_of_licence_files() -> None:
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        assert repository_licenses({"LICENSE": MIT.encode(encoding)}) == (["MIT"], "")


@pytest.mark.parametrize(
    "pointer",
    [
        "This software is made available under the terms of *either* of the licenses\nfound in LICENSE.A or LICENSE.B.",
        "Licensed under either of MIT license (LICENSE.A) or BSD license ([LICENSE.B](LICENSE.B)) at your option.",
        "See LICENSE.A and LICENSE.B.",
        "MIT OR BSD-3-Clause",
        "This project is dual-licensed under the MIT and BSD licenses.",
    ],
)
def test_a_file_that_points_to_others(pointer: str) -> None:
    others = {"LICENSE.A": MIT.encode(), "LICENSE.B": BSD3.encode()}
    assert repository_licenses({"LICENSE": pointer.encode(), **others}) == (["BSD-3-Clause", "MIT"], "")
    assert repository_licenses({"LICENSE": pointer.encode()})[0] == []
    assert repository_licenses({"LICENSE": f"{pointer}\nNot for commercial use.".encode(), **others})[0] == []
    assert repository_licenses({"LICENSE": b"See LICENSE.A or LICENSE.GPL.", **others})[0] == []
    assert repository_licenses({"LICENSE": b"Licensed under Apache 2.0 or MIT.", **others})[0] == []


def test_apaches_notice_counts_beside_its_text(apache: str) -> None:
    assert repository_licenses({"LICENSE": NOTICE.encode()})[0] == []
    assert repository_licenses({"LICENSE": NOTICE.encode(), "LICENSE-2.0.txt": apache.encode()}) == (["Apache-2.0"], "")
    assert repository_licenses({"LICENSE": NOTICE.encode(), "LICENSE-MIT": MIT.encode()})[0] == []
    more = f"{NOTICE}\nNot for sale.".encode()
    assert repository_licenses({"LICENSE": more, "LICENSE-2.0.txt": apache.encode()})[0] == []


def test_a_notice_file_may_take_back() -> None:
    kept = b"Copyrights are kept by the contributors. Licensed under Apache 2.0 or MIT."
    assert repository_licenses({"LICENSE": MIT.encode(), "COPYRIGHT": kept}) == (["MIT"], "")
    for back in (b"Non-commercial use only.", None):
        licenses, why = repository_licenses({"LICENSE": MIT.encode(), "COPYRIGHT": back})
        assert (licenses, why) == ([], "COPYRIGHT restricts what is licensed")
    assert repository_licenses({"NOTICE": kept}) == ([], "no licence file")
    for name, words in {
        "TERMS.md": b"You may not use it for profit.",
        "COMMERCIAL.md": b"Commercial use needs a paid license.",
        "NOTICE": b"The folder ee/ is under a commercial license.",
    }.items():
        assert repository_licenses({"LICENSE": MIT.encode(), name: words})[0] == []


def test_a_notice_file_may_hold_a_licence(apache: str) -> None:
    for text in (apache, NOTICE, *SOURCES.values()):
        assert repository_licenses({"LICENSE": MIT.encode(), "NOTICE": text.encode()}) == (["MIT"], "")
