"""Which of LLaMA's four licences a licence file holds."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from corpus.sources.decode import decode_text

Spdx = Literal["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT"]
"""SPDX identifiers. LLaMA section 2.1, GitHub: "the Apache, BSD and MIT licenses"."""

SPDX: tuple[Spdx, ...] = get_args(Spdx)

_FILE_NAME = re.compile(
    r"(?:(?:apache|bsd|mit)[-_])?(?:un)?(?:licen[cs]e|copying)(?:[-_.][\w.+-]*?)?(?:\.(?:txt|md|markdown|rst|html?))?",
    re.IGNORECASE,
)
_CODE = re.compile(r"\.(?:c|cc|cpp|go|h|hpp|java|js|json|php|pl|ps1|py|rb|rs|sh|ts|xml|ya?ml)$", re.IGNORECASE)

# Lines that name the holder: anything may stand there. In Apache's text lines begin with "copyright license" as well.
_HOLDER = re.compile(
    r"""^[^\w\n]*(?:portions\ )?
        (?:copyright\b(?!\s+(?:licen[cs]es?|notices?|owners?|holders?|statements?|and)\b)|\(c\)\s*\d|©).*$
    | \ball\ rights\ reserved\b""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_WORD = re.compile(r"\w+")

# Words that may stand before a licence (its name, the holders') and behind it. More would be other terms.
_BEFORE = r"(?:\w+ ){0,40}?"
_BEHIND = r"(?: \w+){0,20}"
_WHO = r"(?:\w+ ){1,20}?"
_ITEM = r"(?:\w{1,3} )?"

_MIT = (
    "permission is hereby granted free of charge to any person obtaining a copy of this software and associated "
    "documentation files the software to deal in the software without restriction including without limitation the "
    "rights to use copy modify merge publish distribute sublicense and or sell copies of the software and to permit "
    "persons to whom the software is furnished to do so subject to the following conditions the above copyright notice "
    "and this permission notice (?:including the next paragraph )?shall be included in all copies or substantial "
    "portions of the software the software is provided as is without warranty of any kind express or implied including "
    "but not limited to the warranties of merchantability fitness for a particular purpose and non ?infringement in no "
    f"event shall {_WHO}be liable for any claim damages or other liability whether in an action of contract tort or "
    "otherwise arising from out of or in connection with the software or the use or other dealings in the software"
)
_BSD_TERMS = (
    "redistribution and use in source and binary forms with or without modification are permitted provided that the "
    f"following conditions are met {_ITEM}redistributions of source code must retain the above copyright notice this "
    f"list of conditions and the following disclaimer {_ITEM}redistributions in binary form must reproduce the above "
    "copyright notice this list of conditions and the following disclaimer in the documentation and or other materials "
    "provided with the distribution "
)
_BSD_NAMES = (
    f"{_ITEM}(?:neither the names? {_WHO}nor the names? of {_WHO}may|the names? {_WHO}may not) be used to endorse or "
    "promote products derived from this software without (?:specific )?prior written permission "
)
_BSD_DISCLAIMER = (
    f"this software is provided by {_WHO}as is and any express or implied warranties including but not limited to the "
    "implied warranties of merchantability and fitness for a particular purpose are disclaimed in no event shall "
    f"{_WHO}be liable for any direct indirect incidental special exemplary or consequential damages including but not "
    "limited to procurement of substitute goods or services loss of use data or profits or business interruption "
    "however caused and on any theory of liability whether in contract strict liability or tort including negligence "
    "or otherwise arising in any way out of the use of this software even if advised of the possibility of such damage"
)
_REGEX: tuple[tuple[Spdx, re.Pattern[str]], ...] = (
    ("MIT", re.compile(_BEFORE + _MIT + _BEHIND)),
    ("BSD-2-Clause", re.compile(_BEFORE + _BSD_TERMS + _BSD_DISCLAIMER + _BEHIND)),
    ("BSD-3-Clause", re.compile(_BEFORE + _BSD_TERMS + _BSD_NAMES + _BSD_DISCLAIMER + _BEHIND)),
)

_APACHE = (
    "apache license version 2 0 january 2004",
    "terms and conditions for use reproduction and distribution 1 definitions",
    "2 grant of copyright license",
    "3 grant of patent license",
    "4 redistribution",
    "5 submission of contributions",
    "6 trademarks",
    "7 disclaimer of warranty",
    "8 limitation of liability",
    "9 accepting warranty or additional liability",
    "of your accepting any such warranty or additional liability",
)
_APACHE_WORDS = range(1416, 1437)  # from the first of these to the last: 1,426 in the published text
_APACHE_NOTICE = re.compile(  # the appendix, or the notice that it wants in its place
    rf"(?: \w+){{0,120}}? licensed under the apache license version 2 0(?: \w+){{40,80}} under the license{_BEHIND}"
)


def license_of(text: str) -> Spdx | None:
    """The licence whose whole text this is, in any layout, with any holder and a heading; None for any other text, and
    for one with further terms."""
    text = " ".join(_WORD.findall(_HOLDER.sub("", text).lower()))
    for spdx, pattern in _REGEX:
        if pattern.fullmatch(text):
            return spdx
    return "Apache-2.0" if _is_apache(text) else None


def _is_apache(text: str) -> bool:
    begin = at = text.find(_APACHE[0])
    if not 0 <= text[:begin].count(" ") <= 40:
        return False
    for phrase in _APACHE:
        at = text.find(phrase, at)
        if at < 0:
            return False
        at += len(phrase)
    behind = re.fullmatch(_BEHIND, text[at:]) or _APACHE_NOTICE.fullmatch(text[at:])
    return begin >= 0 and behind is not None and len(text[begin:at].split()) in _APACHE_WORDS


def is_license_file(name: str) -> bool:
    """Whether a file in the root of a repository is there to state its licence: LICENSE, COPYING, LICENSE-MIT,
    UNLICENSE.txt and the like."""
    return _FILE_NAME.fullmatch(name) is not None and _CODE.search(name) is None


def repository_licenses(files: Mapping[str, bytes | None]) -> tuple[list[Spdx], str]:
    """The licences of a repository by the licence files in its root, sorted; or none, and why.

    Every one of the files must be a licence known here: then they are alternatives (LICENSE-MIT beside
    LICENSE-APACHE, as Rust projects have them). One that is not known decides against the repository, for it may be a
    condition. Package metadata (package.json, Cargo.toml, setup.py) and source headers are no licence file: a name
    is not a grant, and they are often left over from a template.

    Args:
        files: content by name; None where it could not be read.
    """
    found: set[Spdx] = set()
    for name, data in sorted(files.items()):
        license = None if data is None else license_of(decode_text(data)[0])
        if license is None:
            return [], f"{name} is none of {', '.join(SPDX)}"
        found.add(license)
    return sorted(found), "" if found else "no licence file"
