"""Puts made-up e-mail addresses, IP addresses and phone numbers in the place of real ones."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.kernel import kernel
from corpus.rules import Cleaned, Cleaner
from corpus.text.buffers import text_buffers
from corpus.thresholds import first_reason

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
PLAIN = re.compile(r"[A-Za-z0-9._+-]+\Z")
LOCAL_PART = re.compile(rf"\b{_LOCAL}(?:\.{_LOCAL})*\Z")
DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[0-9-]*[A-Za-z]){_LABEL}")
VERSION = re.compile(
    r"(?:\b(?:v|ver|vers|versions?|rel|release|build|rev|revision|firmware|driver|patch|update|kernel|python"
    r"|sec|sect|sections?|chapter|clause|article|paragraph|para|rule|fig|figure|table|annex|appendix|item|part|no)"
    r"|§)[.:#=]?\s*\Z"
    r"|(?:(?<![\w./])(?=\w+/)|\b(?=\w+-))(?!(?:ips?|hosts?|addr|address|server|dns|node|from|to)[/-])"
    r"\w*[^\W\d]\w*[/-]\Z",
    re.IGNORECASE,
)
"""What stands before four numbers that are no address: the word for a version or a section, or a program's name. Behind
a dot or a slash ("ipinfo.io/8.8.8.8") no name of a program is looked for, and no number is one ("8.8.4.4-8.8.8.8")."""
PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|(?:1[ .-])?(?:\([2-9]\d{2}\)|[2-9]\d{2})[ .-]?[2-9]\d{2}[ .-]\d{4})(?![\w-]|[.]\d)"
)

_LONGEST_LOCAL, _LONGEST_DOMAIN, _LONGEST_V6, _LONGEST_PHONE = 64, 255, 45, 64
"""Characters: RFC 5321, section 4.5.3.1; RFC 4291; and of what phone numbers are looked for in."""
_BEFORE = 24
"""Bytes before an IPv4 address that are looked at."""
_EMAIL, _V4, _V6, _PHONE = range(4)
_COUNTED = ("emails", "ips", "ips", "phones")

# Kinds of bytes.
_LOCAL_BYTE, _DIGIT, _HEX, _WORD, _PHONE_BYTE = 1, 2, 4, 8, 16
_BYTES = np.zeros(256, np.uint8)
_BYTES[[*b"0123456789"]] |= _DIGIT | _PHONE_BYTE
_BYTES[[*b"0123456789abcdefABCDEF"]] |= _HEX
_BYTES[[*b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"]] |= _WORD | _LOCAL_BYTE
_BYTES[[*b".!#$%&'*+/=?^`{|}~-"]] |= _LOCAL_BYTE
_BYTES[[*b" ()+.-"]] |= _PHONE_BYTE
_AT, _DOT, _COLON = ord("@"), ord("."), ord(":")


class Pii(Cleaner):
    """E-mail and public IP addresses as FineWeb replaces them (Penedo et al. 2024, arXiv 2406.17557; datatrove's
    `PIIFormatter`): the n-th address of a document becomes the n-th of a list, over again from its start. So a document
    is always rewritten the same way, and what is rewritten already stays.

    An e-mail address is what FineWeb's expression takes for one, with at most 64 characters before the "@" and a last
    label that is no number: mathjax@3.2.0 is none, and [10.0.0.1] is no domain. An IP address is one that is reachable
    from everywhere (`ipaddress`, `is_global`); FineWeb knows those of version 4. It also takes version and section
    numbers of four parts for addresses, or of five the first four; here an address stands alone, not behind "version",
    "section", "Chrome/" and the like.

    Counts: `emails`, `ips`, `phones`, replaced in a document. Reason: `much_pii`.

    Attributes:
        emails, ips: what to replace.
        phones: international numbers that begin with "+", and those of North America as in Dolma (555-234-5678, with a
            sign before the last four digits); not FineWeb's, and with false alarms: part numbers, some dates.
        max_replaced: a document in which more would be replaced is dropped (Dolma: 5); None keeps all.
        email_replacements, ip_replacements: FineWeb's. The addresses did not answer when FineWeb chose them.
        ipv6_replacements, phone_replacements: of the blocks for examples (RFC 3849; 555-0100 in North America).
    """

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("much_pii",)

    emails: bool = True
    ips: bool = True
    phones: bool = False
    max_replaced: int | None = Field(default=None, ge=0)
    email_replacements: tuple[str, ...] = Field(
        default=("email@example.com", "firstname.lastname@example.org"), min_length=1
    )
    ip_replacements: tuple[str, ...] = Field(
        default=(
            "22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168",
        ),
        min_length=1,
    )  # fmt: skip
    ipv6_replacements: tuple[str, ...] = Field(default=("2001:db8::1",), min_length=1)
    phone_replacements: tuple[str, ...] = Field(default=("+1-202-555-0100",), min_length=1)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        texts = batch.column("text")
        data, offsets = text_buffers(texts)
        wanted = np.array([self.emails, self.ips, self.ips, self.phones])
        found = _candidates(data, offsets, _BYTES, wanted)
        counts = {name: np.zeros(batch.num_rows, np.int64) for name in dict.fromkeys(_COUNTED)}
        rewritten: dict[int, str] = {}
        bounds = np.searchsorted(found[:, 0], np.arange(batch.num_rows + 1))
        for row in np.unique(found[:, 0]).tolist():
            place = int(offsets[row])
            text = data[place : offsets[row + 1]].tobytes()
            spans = list(_spans(text, found[bounds[row] : bounds[row + 1], 1:] - [place, place, 0]))
            if spans:
                rewritten[row] = self._replaced(text, spans)
                for span in spans:
                    counts[_COUNTED[span.kind]][row] += 1
        if rewritten:
            mask = np.zeros(batch.num_rows, np.bool_)
            mask[list(rewritten)] = True
            new = pa.array(list(rewritten.values()), pa.large_string())
            texts = pc.replace_with_mask(texts.cast(pa.large_string()), pa.array(mask), new)
        limit = np.inf if self.max_replaced is None else self.max_replaced
        much = pa.array(np.sum([*counts.values()], axis=0) > limit)
        reason = first_reason(batch.num_rows, [("much_pii", much)])
        return Cleaned(texts, reason, counts=pa.RecordBatch.from_pydict(counts))

    def _replaced(self, text: bytes, spans: list["_Span"]) -> str:
        replacements = (self.email_replacements, self.ip_replacements, self.ipv6_replacements, self.phone_replacements)
        numbers = [0] * len(replacements)
        pieces: list[bytes] = []
        behind = 0
        for start, end, kind in spans:
            choice = replacements[kind]
            pieces += [text[behind:start], choice[numbers[kind] % len(choice)].encode()]
            numbers[kind] += 1
            behind = end
        return b"".join([*pieces, text[behind:]]).decode()


class _Span(NamedTuple):
    """Bytes of a text to be replaced."""

    start: int
    end: int
    kind: int


def _spans(text: bytes, candidates: Any) -> Iterator[_Span]:
    """Those of a text in order, none over another, e-mail addresses before all else. `candidates`: rows of start, end,
    kind."""
    emails: list[_Span] = []
    for at in candidates[candidates[:, 2] == _EMAIL, 0].tolist():
        emails += _email(text, emails[-1].end if emails else 0, at)
    behind = done = 0
    for start, end, kind in candidates[candidates[:, 2] != _EMAIL].tolist():
        while done < len(emails) and emails[done].start <= start:
            yield emails[done]
            behind = emails[done].end
            done += 1
        limit = emails[done].start if done < len(emails) else len(text)
        for span in _CHECKS[kind](text, behind, start, end, limit):
            yield span
            behind = span.end
    yield from emails[done:]


def _email(text: bytes, behind: int, at: int) -> Iterator[_Span]:
    first = at
    while first > max(behind, at - _LONGEST_LOCAL - 1) and _BYTES[text[first - 1]] & _LOCAL_BYTE:
        first -= 1
    if at - first > _LONGEST_LOCAL:  # what is before it, as in "https://...?email=", is none of it
        plain = PLAIN.search(text[first:at].decode("ascii"))
        if plain is None or len(plain[0]) > _LONGEST_LOCAL:
            return
        first = at - len(plain[0])
    context = _character_before(text, first)
    local = LOCAL_PART.search(context + text[first:at].decode("ascii"), len(context))
    domain = DOMAIN.match(text[at + 1 : at + 1 + _LONGEST_DOMAIN].decode("ascii", "replace"))
    if local and domain:
        yield _Span(at - len(local[0]), at + 1 + domain.end(), _EMAIL)


def _v4(text: bytes, behind: int, start: int, end: int, limit: int) -> Iterator[_Span]:
    before = text[max(behind, start - _BEFORE) : start].decode("utf-8", "replace")
    if behind <= start and end <= limit and _is_public(text[start:end].decode("ascii")) and not VERSION.search(before):
        yield _Span(start, end, _V4)


def _v6(text: bytes, behind: int, start: int, end: int, limit: int) -> Iterator[_Span]:
    if behind <= start and end <= limit and _is_public(text[start:end].decode("ascii")):
        yield _Span(start, end, _V6)


def _phones(text: bytes, behind: int, start: int, end: int, limit: int) -> Iterator[_Span]:
    first = max(behind, start)
    context = _character_before(text, first)
    ahead = text[first : end + 4].decode("utf-8", "ignore")
    for match in PHONE.finditer(context + ahead, len(context)):
        digits = sum(character.isdecimal() for character in match[0])
        shift = first - len(context)
        if shift + match.end() > limit:
            return
        if match[0][0] != "+" or 8 <= digits <= 15:  # ITU-T E.164 has at most 15
            yield _Span(shift + match.start(), shift + match.end(), _PHONE)


_CHECKS = {_V4: _v4, _V6: _v6, _PHONE: _phones}


def _character_before(text: bytes, place: int) -> str:
    """The character that ends before a byte, or "": an expression has to see whether it is a letter."""
    return text[max(0, place - 4) : place].decode("utf-8", "ignore")[-1:]


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # Of version 6, 2000::/3 is all that was ever given out; "a::b" of a program is none.
    return found.is_global and (found.version == 4 or int(found) >> 125 == 1)


@kernel
def _candidates(data: Any, offsets: Any, kinds: Any, wanted: Any) -> Any:
    """Rows (row, start, end, kind) in order of what may be one; of an e-mail address the place of its "@"."""
    found = np.empty((64, 4), np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        v6_to = v4_to = phones_to = start  # runs before here were looked at
        for i in range(start, end):
            byte = data[i]
            if count + 3 > len(found):
                found = _longer(found)
            if byte == _AT:
                inside = i > start and i + 1 < end and wanted[_EMAIL]
                if inside and kinds[data[i - 1]] & _LOCAL_BYTE and kinds[data[i + 1]] & _WORD:
                    found[count] = row, i, i + 1, _EMAIL
                    count += 1
            elif wanted[_V6] and byte == _COLON and i >= v6_to:
                is_one, first, behind, v6_to = _v6_around(data, start, i, end, kinds)
                if is_one:
                    found[count] = row, first, behind, _V6
                    count += 1
            elif wanted[_V4] and byte == _DOT and i >= v4_to and i > start and kinds[data[i - 1]] & _DIGIT:
                is_one, first, behind, v4_to = _v4_around(data, start, i, end, kinds)
                if is_one:
                    found[count] = row, first, behind, _V4
                    count += 1
            if wanted[_PHONE] and i >= phones_to and kinds[byte] & _PHONE_BYTE:
                phones_to = i
                digits = 0
                while phones_to < end and kinds[data[phones_to]] & _PHONE_BYTE:
                    digits += kinds[data[phones_to]] & _DIGIT != 0
                    phones_to += 1
                if digits >= 8 and phones_to - i <= _LONGEST_PHONE:
                    found[count] = row, i, phones_to, _PHONE
                    count += 1
    return found[:count]


@kernel
def _longer(found: Any) -> Any:
    longer = np.empty((2 * len(found), 4), np.int64)
    longer[: len(found)] = found
    return longer


@kernel
def _v4_around(data: Any, start: Any, i: Any, end: Any, kinds: Any) -> Any:
    """(whether it may be an address, first byte, the byte behind, end) of the run of digits and dots around byte i."""
    first = i
    while first > start and (kinds[data[first - 1]] & _DIGIT or data[first - 1] == _DOT):
        first -= 1
    run = i
    dots = 0
    while run < end and (kinds[data[run]] & _DIGIT or data[run] == _DOT):
        run += 1
    behind = run
    while behind > first and data[behind - 1] == _DOT:
        behind -= 1
    for k in range(first, behind):
        dots += data[k] == _DOT
    is_one = dots == 3 and 7 <= behind - first <= 15 and _stands_alone(data, start, first, behind, end, kinds)
    return is_one, first, behind, run


@kernel
def _v6_around(data: Any, start: Any, i: Any, end: Any, kinds: Any) -> Any:
    """As `_v4_around`, of the run of hexadecimal digits, dots and colons; without the "6:" of "IPv6:"."""
    first = i
    while first > start and _is_v6_byte(data[first - 1], kinds):
        first -= 1
    run = i
    while run < end and _is_v6_byte(data[run], kinds):
        run += 1
    behind = run
    if first > start and kinds[data[first - 1]] & _WORD:
        while data[first] != _COLON:
            first += 1
        first += 1
    if first + 1 < behind and data[first] == _COLON and data[first + 1] != _COLON:
        first += 1
    while behind > first and data[behind - 1] == _DOT:
        behind -= 1
    if behind - 1 > first and data[behind - 1] == _COLON and data[behind - 2] != _COLON:
        behind -= 1  # of "address:"
    colons = 0
    for k in range(first, behind):
        colons += data[k] == _COLON
    is_one = colons >= 2 and behind - first <= _LONGEST_V6 and _stands_alone(data, start, first, behind, end, kinds)
    return is_one, first, behind, run


@kernel
def _is_v6_byte(byte: Any, kinds: Any) -> Any:
    return kinds[byte] & _HEX != 0 or byte in (_DOT, _COLON)


@kernel
def _stands_alone(data: Any, start: Any, first: Any, behind: Any, end: Any, kinds: Any) -> Any:
    """Whether no word touches it, nor one behind a hyphen: "1.2.3.4-beta"."""
    if first > start and kinds[data[first - 1]] & _WORD:
        return False
    if behind < end and kinds[data[behind]] & _WORD:
        return False
    hyphen = behind + 1 < end and data[behind] == ord("-")
    return not (hyphen and kinds[data[behind + 1]] & _WORD and not kinds[data[behind + 1]] & _DIGIT)
