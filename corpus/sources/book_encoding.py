"""The encoding of a book, which its header may state wrongly.

Project Gutenberg's files of the 1990s were made under DOS, on Macintoshes and on Unix, and many headers state what the
template had, not what the file has. Bytes show it: in the wrong encoding, words have capitals behind small letters
(`cafÈ`), signs between letters, or letters of two alphabets.
"""

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 1 << 16
"""Of lines with bytes beyond ASCII: enough to tell, and a second for all candidates together is not exceeded."""

_FEW = 50
"""Bytes beyond ASCII: with fewer, detection does not tell the encodings of Latin letters apart."""

_ODD = 200
"""One in so many characters beyond ASCII may look wrong, in an abbreviation or a foreign word."""

_WIDER = {  # what is called by the first name is written with the characters of the second
    **{"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"},
    **{"iso8859-1": "cp1252", "iso8859-9": "cp1254"},
}
_TEXT_CODEC = re.compile(
    r"ascii|utf-(?:8|16|32)(?:-[lb]e)?|gb\w+|hz|big5\w*|johab|cp\d{3,4}|euc_\w+|shift_jis\w*|iso2022_\w+|iso8859-\d+"
    r"|koi8-[rtu]|mac-\w+"
)
_OF_LANGUAGE = {
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr", "bs", "ro", "sq"), ("iso8859-2", "cp1250")),
    **dict.fromkeys(("ru", "uk", "bg", "sr", "mk", "be"), ("cp1251", "koi8-u", "iso8859-5", "cp866")),
    **dict.fromkeys(("lt", "lv", "et"), ("cp1257", "iso8859-4")),
    **{"el": ("cp1253", "iso8859-7"), "grc": ("cp1253", "iso8859-7"), "tr": ("cp1254",), "he": ("cp1255",)},
    **{"eo": ("iso8859-3",), "cy": ("iso8859-14",), "zh": ("big5hkscs", "gb18030")},
    **{"ja": ("cp932", "euc_jp"), "ko": ("cp949",)},
}
"""By ISO 639-1 code. Languages of Western Europe need none."""
_OTHERS = ("cp850", "cp437", "mac-roman", "cp1251", "koi8-u")
_WINDOWS = "cp1252"

_ALPHABETS = {"LATIN": "l", "CYRILLIC": "c", "GREEK": "g"}
_NEVER_BEHIND_LETTERS = frozenset("‚„ˆ‡†‹¡¿")
_CLOSING = frozenset("”“")
_IN_WORDS = frozenset("’‘'·×–—­…`´ªº°")
_WRONG = re.compile(
    r"!|[aAlLcCgGx][qs](?=[aAlLcCgG])|[alcg]q|[aAlLcCgG]b|b[aAlLcCgG]|[alcg][LCG]|[aAlL][cCgGx]|[cC][aAlLgG]|[gG][aAlLcC]"
    r"|[alcg]”(?=[alcg])"
)
_ACCENTED_WORD = re.compile(r"(?<![aAlL])[lL]{3,}(?![aAlL])")
_C1_IN_UTF8 = re.compile(rb"\xc2[\x80-\x9f]")
_C1_IN_WINDOWS = {
    byte: character for byte in range(0x80, 0xA0) if (character := bytes([byte]).decode("cp1252", "ignore"))
}


class Decoded(NamedTuple):
    """`text`; Python's name of the encoding; how many broken bytes became U+FFFD."""

    text: str
    encoding: str
    replaced: int = 0


def decode_book(data: bytes, declared: str | None = None, language: str | None = None) -> Decoded:
    """The text of a book's bytes.

    A byte order mark decides; then UTF-8, where all of it is valid or more of its characters are than are not. Else,
    of these the first that reads hardly more characters wrongly than the best one: `declared` (as the book states it;
    UTF-8 and ASCII it has been shown not to be, and ISO-8859-1 is what the template says), those of its `language` (ISO
    639-1), Windows-1252, what resiliparse detects (before Windows-1252, in a text of some length whose language is not
    known), DOS 850 and 437, Mac Roman, Windows-1251 and KOI8-U. Control characters U+0080 to U+009F, which no book has,
    are read as Windows-1252.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark) and len(data) % 2 == 0:
            text = data.decode(encoding, "replace")
            return Decoded(text.removeprefix("\ufeff"), encoding, text.count("\ufffd"))
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
        return Decoded(_without_c1(text) if _C1_IN_UTF8.search(data) else text, "utf-8")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    good = len(text) - len(data.translate(None, bytes(range(0x80, 0x100)))) - bad
    if good > bad:
        return Decoded(_without_c1(text), "utf-8", bad)
    encoding = _recognised(data, codec(declared or ""), language)
    text = _read(data, encoding)
    return Decoded(_without_c1(text), encoding, text.count("\ufffd"))


def codec(declared: str) -> str | None:
    """Python's name, of "ISO-8859-1", "ISO-646-US (US-ASCII)", "Unicode UTF-8", "Codepage 1252", ...; None where it is
    unknown or no encoding of text."""
    for word in re.findall(r"[\w-]+", declared.lower()):
        for name in (word, f"cp{word}", word.replace("windows-", "cp")):
            try:
                found = codecs.lookup(name)
            except (LookupError, ValueError):  # ValueError: a NUL in the name
                continue
            if _TEXT_CODEC.fullmatch(found.name):
                return _WIDER.get(found.name, found.name)
    return None


def _recognised(data: bytes, declared: str | None, language: str | None) -> str:
    sample = b"\n".join([line for line in re.split(rb"[\r\n]+", data) if not line.isascii()])[:_SAMPLE_BYTES]
    detected = codec(detect_encoding(sample, max_len=len(sample), html5_compatible=False) or "")
    beyond = sample.translate(None, bytes(range(0x80)))
    stated = None if declared == _WINDOWS else declared  # which headers say of any file
    likely = [*_OF_LANGUAGE.get(language or "", ()), _WINDOWS, detected]
    if language is None and len(beyond) >= _FEW:
        likely.reverse()
    found = [stated, *likely, *_OTHERS]
    candidates = [name for name in dict.fromkeys(found) if name and not name.startswith(("ascii", "utf"))]
    wrong = {name: count_wrong(_read(sample, name)) for name in candidates}
    allowed = 2 * min(wrong.values()) + len(beyond) // _ODD
    return next(name for name in candidates if wrong[name] <= allowed)


def _read(data: bytes, encoding: str) -> str:
    """U+FFFD for what the encoding does not have; Windows-1252 has all bytes, as in HTML."""
    return (
        data.decode("latin-1").translate(_C1_IN_WINDOWS) if encoding == _WINDOWS else data.decode(encoding, "replace")
    )


def _without_c1(text: str) -> str:
    return text.translate(_C1_IN_WINDOWS)


def count_wrong(text: str) -> int:
    """How many characters beyond ASCII stand as they do only in the wrong encoding."""
    count = 0
    for word in text.split():
        if not word.isascii():
            kinds = "".join(map(_kind, word))
            count += len(_WRONG.findall(kinds))
            count += len("".join(_ACCENTED_WORD.findall(kinds)))  # it is of another alphabet
    return count


@lru_cache(maxsize=1 << 14)
def _kind(character: str) -> str:
    """a: a letter of ASCII; l, c, g: one beyond of the Latin, Cyrillic, Greek alphabet; x: of another; in capitals for
    a capital. s: a sign; q: one that stands in front of words only; b: a piece of a frame; ”: a closing quotation mark;
    !: what no text holds; . : the rest."""
    if character < "\x80":
        return ("a" if character.islower() else "A") if character.isalpha() else "."
    if character in _IN_WORDS:
        return "."
    if character in _NEVER_BEHIND_LETTERS:
        return "q"
    if character in _CLOSING:
        return "”"
    category = unicodedata.category(character)
    if category in ("Cc", "Co", "Cn", "Cs") or character == "\ufffd":
        return "!"
    if "\u2500" <= character <= "\u259f":
        return "b"
    if category[0] == "L":
        kind = _ALPHABETS.get(unicodedata.name(character, "").partition(" ")[0], "x")
        return kind.upper() if category == "Lu" and kind != "x" else kind
    return "s" if category[0] == "S" or category == "No" else "."
