"""Which of LLaMA's four licences a repository is under, by the licence files in it."""

import codecs
import re
from collections.abc import Mapping
from functools import lru_cache

from corpus.sources.decode import decode_text
from corpus.sources.license_surroundings import adds_nothing, is_name, plain_text, takes_back
from corpus.sources.license_texts import SPDX, Found, Spdx, find_licenses

_FILE_NAME = re.compile(
    r"""(?!(?:third|3rd)[-_\ ]?party) (?:[a-z0-9+.]{1,40}[-_\ ]){0,4}?
        (?:un)?(?:licen[cs](?:e|ing)|copying|eula|commons[-_\ ]?clause)
        (?:[-_.\ (][\w+.\ ()-]*)?""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_TEXT = re.compile(
    r"\.(?:c|cc|cfg|conf|cpp|cs|css|csv|el|go|gradle|h|hpp|ini|java|js|json|jsx|kt|lua|m|meta|php|pl|pm|png|properties|ps1"
    r"|py|rb|rs|scala|sh|spdx|sql|svg|swift|tex|toml|ts|tsx|vim|vue|xml|ya?ml)",
    re.IGNORECASE,
)
_NOTICE_NAME = re.compile(
    r"""(?: copyrights? | (?:legal[-_\ ])?notices? | legal | additional[-_\ ]terms | restrictions?
          | (?:non[-_\ ]?)?commercial(?:[-_\ ]us(?:e|age))?
          | terms(?:[-_\ ]of[-_\ ](?:use|service)|[-_\ ]and[-_\ ]conditions)?
        ) (?:\.(?:txt|md|rst))?""",
    re.IGNORECASE | re.VERBOSE,
)
_FAMILY: dict[Spdx, str] = {"Apache-2.0": "Apache 2.0", "BSD-2-Clause": "BSD", "BSD-3-Clause": "BSD", "MIT": "MIT"}
_FAMILY_OF = {"mit": "MIT", "expat": "MIT", "apache": "Apache 2.0", "asl": "Apache 2.0", "bsd": "BSD"}
_FAMILY_NAME = re.compile(rf"\b(?:{'|'.join(_FAMILY_OF)})\b", re.IGNORECASE)
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_license_file(name: str) -> bool:
    """Whether a file is there to state the licence of the folder it lies in: LICENSE, COPYING, LICENSE-MIT,
    GPL-LICENSE.txt, UNLICENSE, EULA.md and the like."""
    stem, dot, ending = name.rpartition(".")
    return _FILE_NAME.fullmatch(name) is not None and not (stem and _NO_TEXT.fullmatch(dot + ending))


def is_notice_file(name: str) -> bool:
    """Whether a file beside the licence may take back what the licence gives: COPYRIGHT, NOTICE and the like."""
    return _NOTICE_NAME.fullmatch(name) is not None


@lru_cache(maxsize=64)  # many repositories have the same file
def license_of(text: str) -> Spdx | None:
    """The licence whose whole text this is, in any layout, with any holders and a heading; None for any other text, and
    for one with further terms, wherever they stand.

    Several copies of one licence, each with its holders, are that licence. HTML is read as what it shows.
    """
    text = plain_text(text)
    found = list(find_licenses(text))
    whole = {each.spdx for each in found if each.whole}
    if len(whole) != 1 or {each.spdx for each in found} != whole:
        return None
    names = all(is_name(text[start:end]) for each in found for start, end in each.names)
    return whole.pop() if names and adds_nothing(_outside(text, found)) else None


def repository_licenses(files: Mapping[str, bytes | None]) -> tuple[list[Spdx], str]:
    """The licences of a folder by the licence and notice files in it, sorted; or none, and why.

    Every licence file must hold one of the four, alone: several are alternatives (LICENSE-MIT beside LICENSE-APACHE,
    as Rust projects have them). Or it may point to such files beside it: by their names ("either of the licenses found
    in LICENSE.APACHE or LICENSE.BSD"), by the licences' names, or as Apache's short notice. One that is neither decides
    against the folder, for it may be a condition; and so does a notice file that forbids a use. Package metadata
    (package.json, Cargo.toml, setup.py) and source headers are no licence file: a name is not a grant, and they are
    often left over from a template.

    Args:
        files: content by name; None where it could not be read.
    """
    texts = {name: None if data is None else _text(data) for name, data in sorted(files.items())}
    licenses: dict[str, Spdx] = {}
    others: dict[str, str] = {}
    for name, text in texts.items():
        if is_notice_file(name):
            if text is None or takes_back(_outside(text, list(find_licenses(text)))):
                return [], f"{name} restricts what is licensed"
        elif text is None or (license := license_of(text)) is None:
            others[name] = text or ""
        else:
            licenses[name] = license
    for name, text in others.items():
        if not _points_to(text, licenses):
            return [], f"{name} is none of {', '.join(SPDX)}"
    return sorted(set(licenses.values())), "" if licenses else "no licence file"


def _points_to(text: str, licenses: Mapping[str, Spdx]) -> bool:
    """Whether `text` says no more than that the licences in other files are meant, and all of those are there."""
    text = plain_text(text)
    notices = list(find_licenses(text))
    if any(each.whole for each in notices):
        return False
    meant = {each.spdx for each in notices}
    text = _outside(text, notices).replace("*", "").replace("`", "")
    for name, license in sorted(licenses.items(), key=lambda item: -len(item[0])):
        text, mentions = re.subn(rf"(?<![\w.-])(?:\./)?{re.escape(name)}(?![\w-])", _FAMILY[license], text)
        if mentions:
            meant.add(license)
    for family in _FAMILY_NAME.findall(text):
        of_family = {license for license in licenses.values() if _FAMILY[license] == _FAMILY_OF[family.lower()]}
        if not of_family:
            return False
        meant |= of_family
    return bool(meant) and meant <= set(licenses.values()) and adds_nothing(text)


def _outside(text: str, found: list[Found]) -> str:
    """What `text` has around and between the wordings found in it."""
    pieces = []
    at = 0
    for each in found:
        pieces.append(text[at : each.start])
        at = max(at, each.end)
    return "\n".join([*pieces, text[at:]])


def _text(data: bytes) -> str:
    return data.decode("utf-16", "replace") if data.startswith(_BOMS) else decode_text(data)[0]
