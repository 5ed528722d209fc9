"""The wording of LLaMA's four licences, and where it stands in a text.

Letters and digits alone are compared, in lower case: layout, bullets, quotation marks, comment signs, hyphenation and
the difference between "sub license" and "sublicense" are no part of the wording.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, get_args

Spdx = Literal["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT"]
"""SPDX identifiers. LLaMA section 2.1, GitHub: "the Apache, BSD and MIT licenses"."""

SPDX: tuple[Spdx, ...] = get_args(Spdx)

_LETTERS = re.compile(r"[^\W_]+")
_WHO = "(.{0,240}?)"  # letters of the holders' names; whether they are names is checked by who asks
_ITEM = r"(?:\d{1,2}|[a-o]|i{1,3})?"

# SPDX's templates with the alternatives they allow. Blanks go before a pattern is compiled.
_MIT = f"""
permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation
files the software to deal in the software without restriction including without limitation the rights to use copy
modify merge publish distribute sublicense and or sell copies of the software and to permit persons to whom the software
is furnished to do so subject to the following conditions the above copyright notices? and this permission notice
(?:including the next paragraph)? shall be included in all copies or substantial portions of the software the software
is provided as is without warranty of any kind express or implied including but not limited to the warranties of
merchantability fitness for a particular purpose and non infringement in no event shall {_WHO} be liable for any claim
damages or other liability whether in an action of contract tort or otherwise arising from out of or in connection with
the software or the use or other dealings in the software
"""
_BSD_TERMS = f"""
redistributions? and use (?:of this software)? in source and binary forms with or without modifications? are permitted
provided that the following conditions are met
{_ITEM} redistributions? of source code must retain the (?:above)? copyright notices? this list of conditions and the
following disclaimers?
{_ITEM} redistributions? in binary form must reproduce the (?:above)? copyright notices? this list of conditions and the
following disclaimers? in the documentation and or other materials provided with the distribution
"""
_BSD_NAMES = f"""
(?:and)? {_ITEM}
(?: neither the names? (?:of)? {_WHO} nor (?:the names?|those) (?:of)? {_WHO} may be
  | neither {_WHO} nor the names? of {_WHO} may be
  | (?:the)? names? (?:of)? {_WHO} may not be
) used to endorse or promote products derived from this software without (?:specific)? prior (?:written)? permission
"""
_BSD_DISCLAIMER = f"""
this software is provided (?:by {_WHO})? as is and any express (?:ed)? or implied warranties including but not limited
to (?:the)? implied warranties of merchantability (?:and|or) fitness for a particular purpose are disclaimed in no event
shall {_WHO} be liable for any direct indirect incidental special exemplary or consequential damages including but not
limited to procurement of substitute goods or services loss of use data or profits or business interruption however
caused and on any theory of liability whether in contract strict liability or tort including negligence or otherwise
arising in any way out of the use of this software even if advised of the possibility of such damage
"""
_APACHE_TITLE = "(?: apache license version 2 0 january 2004 (?: https? www apache org licenses )? )?"
_APACHE_END = "end of terms and conditions"
_APACHE_ITEMS = ("conditionsa", "licenseandb", "filesandc", "worksandd")  # Markdown and HTML have (a) to (d) as signs
_APACHE_NOTICE = """
licensed under the apache license version 2 0 the license you may not use this (?:file|software|project|work|library)
except in compliance with the license you may obtain a copy of the license at https? www apache org licenses license 2 0
(?:txt|html)? unless required by applicable law or agreed to in writing software distributed under the license is
distributed on an as is basis without warranties or conditions of any kind either express or implied see the license for
the specific language governing permissions and limitations under the license
"""


class Found(NamedTuple):
    """A licence, or Apache's notice, in a text.

    Attributes:
        whole: the licence's own wording, not the notice that names it.
        start, end: of the wording.
        names: the places in it where holders' names belong.
    """

    spdx: Spdx
    whole: bool
    start: int
    end: int
    names: tuple[tuple[int, int], ...]


def find_licenses(text: str) -> Iterator[Found]:
    """The wordings of the four licences in `text`, each whole, and Apache's notices, by where they stand."""
    words = list(_LETTERS.finditer(text))
    places = [place for word in words for place in range(word.start(), word.end())]
    letters = "".join([word[0] for word in words]).lower()
    if len(letters) != len(places):  # a letter whose lower case is several, such as İ
        letters = "".join([text[place].lower()[:1] for place in places])
    matches = [
        (match.start(), spdx, whole, match)
        for spdx, whole, pattern in _patterns()
        for match in pattern.finditer(letters)
    ]
    for start, spdx, whole, match in sorted(matches, key=lambda found: found[0]):
        names = tuple((places[a], places[b - 1] + 1) for a, b in match.regs[1:] if 0 <= a < b)
        yield Found(spdx, whole, places[start], places[match.end() - 1] + 1, names)


@cache
def _patterns() -> tuple[tuple[Spdx, bool, re.Pattern[str]], ...]:
    """(licence, whether the pattern is its whole wording, the pattern over letters)."""
    return (
        ("MIT", True, _compiled(_MIT)),
        ("BSD-2-Clause", True, _compiled(_BSD_TERMS + _BSD_DISCLAIMER)),
        ("BSD-3-Clause", True, _compiled(_BSD_TERMS + _BSD_NAMES + _BSD_DISCLAIMER)),
        ("Apache-2.0", True, _compiled(_APACHE_TITLE + _apache_terms())),
        ("Apache-2.0", False, _compiled(_APACHE_NOTICE)),
    )


def _apache_terms() -> str:
    """The published text from the end of its title on: the terms, then perhaps their end line and the appendix."""
    text = (files(__package__) / "apache-2.0.txt").read_text("utf-8")
    text = "".join(filter(str.isalnum, text.lower()))
    end = _APACHE_END.replace(" ", "")
    terms, _, appendix = text[text.index("termsandconditions") :].partition(end)
    appendix = appendix.partition("copyrightyyyy")[0]
    for item in _APACHE_ITEMS:
        terms = terms.replace(item, f"{item}?")
    return f"{terms} (?:{end})? (?:{appendix})?"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(pattern.split()), re.DOTALL)
