"""The encoding of a source file: stated, recognised, or refused. Never text of another encoding."""

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UNICODE_MARKS = tuple(mark for mark, _ in _BOMS)
"""Byte order marks: a file that begins with one may hold NUL bytes and be text."""

_DECLARED_ABOVE = re.compile(  # in the first two lines: PEP 263, after the ways of Emacs and Vim
    rb"^(?:[^\n]*\n)?[ \t\f]*(?:#|//|/\*|--|;|%|<!--|\"|\(\*|\{-|!|')[^\n]*?(?:coding|fenc)[:=][ \t]*([-\w.]+)"
)
_DECLARED_IN_MARKUP = re.compile(
    rb"""<\?xml[^>\n]{0,100}?\sencoding=["']([-\w.]+) | ^\s*@charset\s+"([-\w.]+)"
    | <meta[^>]{0,200}?charset=["']?([-\w.]+)
    | \\usepackage\[([-\w.]+)\]\{inputenc\}""",
    re.VERBOSE | re.IGNORECASE,
)
_DECLARED_BELOW = re.compile(  # Emacs' local variables, Vim's modeline
    rb"Local Variables:(?:[^\n]*\n){1,20}?[^\n]*?\bcoding:\s*([-\w.]+)"
    rb"|\bvim?:[^\n]*?\b(?:fileencoding|fenc)=([-\w.]+)"
)
_HEAD, _TAIL = 1024, 3000  # bytes; 3000 is where Emacs looks for local variables
_LINE_ENDS = re.compile(r"-(?:unix|dos|mac)$")  # which Emacs appends

_WIDER = {  # what is called by the first name is written with the characters of the second
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
    "iso8859-1": "cp1252",
    "tis-620": "cp874",
}
_TEXT_CODEC = re.compile(
    r"utf-(?:8|16|32)(?:-[lb]e)?|gb18030|hz|big5hkscs|johab|cp\d{3,4}|euc_(?:jp|jis_2004|jisx0213)|shift_jis\w+"
    r"|iso2022_\w+|iso8859-\d+|koi8-[rtu]|mac-\w+|ptcp154|kz1048"
)
_WINDOWS, _CENTRAL, _DOS = "cp1252", ("cp1250", "iso8859-2"), ("cp437", "cp850", "cp852")
_LATIN = frozenset([_WINDOWS, "iso8859-15", "iso8859-9", "cp1254", "mac-roman", *_CENTRAL, *_DOS])
"""Encodings of letters with accents, which a few bytes do not tell apart."""

_WESTERN = tuple(map(frozenset, ("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü", "àáâãçéêíóôõúü", "àèéìíòóùú", "åäöé", "æøåé")))
"""Letters beyond ASCII of French, German, Spanish, Portuguese, Italian, Swedish and Finnish, Danish and Norwegian."""
_EASTERN = tuple(map(frozenset, ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")))
"""Of Polish, Czech, Slovak, Hungarian, Romanian, Croatian and Slovene; not ĺ and ŕ, which hardly a word
of Slovak has."""

_FEW = 1000
"""Bytes that cannot be read may be one in so many: they become U+FFFD, and the file stays."""
_LETTERS_OF_SCRIPT = 5
"""Different letters of another alphabet than Latin that must be there before a guess is believed."""
_IDEOGRAPHS = 3
"""The same for the encodings of many bytes, which other text seldom fits."""
_TELLING_WORDS = 3
"""Different words that one encoding of accented letters reads otherwise than another, before a guess is believed."""


_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")
_ASCII_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_WRONG = re.compile(
    r"!|[lL][s~][lL]|[cCgG][s~][cCgG]|[lL]~|q[lLcCgG]|[lLcCgGx]b|b[lLcCgGx]|[lcg][LCG][lcg]*[LCG]|[lL]?(?<=[cg])[CG]"
)
_SIGN_AT_LETTER = re.compile(
    r"[A-Za-z][^\x00-\x7f“”‘’–—…©®™°×·•«»§²³\xa0]|[^\x00-\x7f“”‘’–—…©®™°×·•«»§²³\xa0µ£€±][A-Za-z]"
)
_ALPHABETIC = re.compile(r"[lLcCgG]+")
_ALPHABETS = {"LATIN": "l", "CYRILLIC": "c", "GREEK": "g"}
_IN_WORDS = frozenset("’‘'·×–—­…")  # marks that stand between letters in text
_NEVER_IN_WORDS = frozenset("\xa0‚„†‹¡¢£¤¥¦¨¬¯´¸¹»¼½¾¿ÿ")  # what letters of DOS and Mac are in Windows-1252


class Decoded(NamedTuple):
    """`text`; the codec's name; how many bad bytes became U+FFFD."""

    text: str
    encoding: str
    replaced: int = 0


def decode_source(data: bytes) -> Decoded | None:
    """The text of a source file, or None where its encoding cannot be told.

    The first of these that holds: a byte order mark; UTF-8, also with some bad bytes; what the file itself declares
    (PEP 263, Emacs, Vim, XML, HTML, CSS, LaTeX); what resiliparse recognises. The last two only when the text looks
    like text (`is_plausible`). A mark at the beginning is not part of the text. Where nothing holds, single bad bytes
    in a long ASCII file become U+FFFD.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _with_mark(data, encoding)
    if _ISO_2022_JP.search(data):
        text = _read(data, "iso2022_jp_2")
        return None if text is None else Decoded(text, "iso2022_jp_2")
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    bad = text.count("�") - data.count(b"\xef\xbf\xbd")
    good = len(_not_ascii(text)) - bad
    if good >= bad:
        return Decoded(text, "utf-8", bad)
    lines = b"\n".join([line for line in data.split(b"\n") if not line.isascii()])
    declared = declared_encoding(data)
    if declared is not None and declared != "utf-8" and _is_plausible_in(lines, declared):
        recognised: str | None = declared
    else:
        recognised = _recognised(lines)
    if recognised is not None and (read := _read(data, recognised)) is not None:
        return Decoded(read, recognised)
    return Decoded(text, "utf-8", bad) if good == 0 and bad * _FEW <= max(len(data), _FEW) else None


def declared_encoding(data: bytes) -> str | None:
    """The codec that a file says it is written in; None where it says none, or one that is no encoding of text."""
    tail = data[-_TAIL:]
    for match in (
        _DECLARED_ABOVE.match(data[:_HEAD]),
        _DECLARED_IN_MARKUP.search(data[:_HEAD]),
        _DECLARED_BELOW.search(tail) if b":" in tail else None,
    ):
        if match is not None:
            return _codec(next(group for group in match.groups() if group is not None).decode("ascii", "replace"))
    return None


def is_plausible(text: str) -> bool:
    """Whether no word of `text` has the marks of a wrong encoding: control or unassigned characters, a symbol between
    letters, a frame beside one, two alphabets, a capital behind small letters, or, of Latin words, letters with accents
    alone or for the most part."""
    plain = accented = 0
    for word in _ASCII_SPACE.split(text):
        if word.isascii():
            continue
        kinds = "".join([_kind(character) for character in word])
        if _WRONG.search(kinds):
            return False
        for run in _ALPHABETIC.findall(kinds):
            if len(set(run.lower())) > 1:
                return False
        letters = sum(kind in "lL" for kind in kinds)
        beyond = sum(kind in "lL" and character > "\x7f" for kind, character in zip(kinds, word, strict=True))
        if beyond == letters > 1:
            return False
        plain += letters - beyond if beyond else 0
        accented += beyond
    return accented <= max(plain, 2)


@lru_cache(maxsize=1 << 12)
def _kind(character: str) -> str:
    """What a character is in a word.

    l, c, g: a small letter of the Latin, Cyrillic, Greek alphabet, in capitals for a capital; x: any other letter;
    s: a symbol; ~: one that follows no letter; q: a closing quotation mark; b: a piece of a frame; !: what no text
    holds; . : the rest.
    """
    category = unicodedata.category(character)
    if category[0] == "L" and character not in _NEVER_IN_WORDS:
        alphabet = _ALPHABETS.get(unicodedata.name(character, "").partition(" ")[0], "x")
        return alphabet.upper() if category == "Lu" and alphabet != "x" else alphabet
    if character in _NEVER_IN_WORDS:
        return "~"
    if "\u2500" <= character <= "\u259f":
        return "b"
    if category in ("Cc", "Co", "Cn", "Cs") or character in "�ˆƒ‰‡":
        return "!"
    if character == "”":
        return "q"
    return "s" if category[0] in "SN" and character > "\x7f" and character not in _IN_WORDS else "."


def _recognised(lines: bytes) -> str | None:
    """The encoding of some lines, each with bytes beyond ASCII; None where it cannot be told."""
    guess = detect_encoding(lines, max_len=len(lines), html5_compatible=False)
    encoding = _codec(guess) if guess else None
    if encoding is None or encoding in _LATIN or encoding in ("utf-8", "ascii"):
        return _recognised_latin(lines, encoding)
    for candidate in (encoding, "koi8-u") if encoding == "koi8-r" else (encoding,):
        if _is_plausible_in(lines, candidate):
            letters = set(filter(str.isalpha, _not_ascii(lines.decode(candidate))))
            wide = len(_not_ascii(lines.decode(candidate))) < len(_not_ascii(lines.decode("latin-1")))
            return candidate if len(letters) >= (_IDEOGRAPHS if wide else _LETTERS_OF_SCRIPT) else None
    return None


def _recognised_latin(lines: bytes, guess: str | None) -> str | None:
    """That of Latin letters: the one in which they are all letters of one language. Where several are, the guess when
    it is borne out by enough words; where none is, Windows-1252 for signs alone."""
    readings = {
        encoding: lines.decode(encoding)
        for encoding in (_WINDOWS, *_CENTRAL, *_DOS)
        if _is_plausible_in(lines, encoding)
    }
    windows = readings.get(_WINDOWS)
    if windows is None and not readings.keys() & set(_CENTRAL):
        dos = set(readings.values())  # they differ in capitals and signs
        return (
            _DOS[0]
            if guess in _DOS
            and len(dos) == 1
            and len(readings) == len(_DOS)
            and _of_one_language(next(iter(dos)), _WESTERN)
            else None
        )
    if windows is not None and not _letters(windows):
        return _WINDOWS if not _SIGN_AT_LETTER.search(windows) else None
    of_one_language = {
        encoding: text
        for encoding, text in readings.items()
        if encoding not in _DOS and _of_one_language(text, _WESTERN if encoding == _WINDOWS else _EASTERN)
    }
    if len(set(of_one_language.values())) == 1 and (_WINDOWS in of_one_language or guess in of_one_language):
        return next(iter(of_one_language))
    if guess in _LATIN - {*_CENTRAL, *_DOS, "mac-roman"}:
        guess = _WINDOWS
    choices = of_one_language or readings
    if guess not in choices:
        return None
    others = [text for encoding, text in choices.items() if encoding != guess]
    return guess if all(_differs(choices[guess], text) for text in others) else None


def _letters(text: str) -> set[str]:
    return set(filter(str.isalpha, _not_ascii(text.lower())))


def _of_one_language(text: str, alphabets: tuple[frozenset[str], ...]) -> bool:
    letters = _letters(text)
    return any(letters <= alphabet for alphabet in alphabets)


def _differs(text: str, other: str) -> bool:
    """Whether enough different words of `text` stand otherwise in `other`, another reading of the same bytes."""
    words = {word for word, its in zip(text.split(" "), other.split(" "), strict=False) if word != its}
    return len(words) >= _TELLING_WORDS


def _with_mark(data: bytes, encoding: str) -> Decoded | None:
    """What stands behind a byte order mark. A bad byte of UTF-8 costs itself; of the others a file has none."""
    if encoding == "utf-8-sig":
        text = data.decode(encoding, "replace")
        return Decoded(text, "utf-8", text.count("�") - data.count(b"\xef\xbf\xbd"))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding) if "\0" not in text else None


def _is_plausible_in(lines: bytes, encoding: str) -> bool:
    text = _read(lines, encoding)
    return text is not None and is_plausible(text)


def _read(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _codec(name: str) -> str | None:
    """Python's name of the encoding that is called `name`, or of a wider one that holds it."""
    name = _LINE_ENDS.sub("", name.lower())
    for spelling in (name, name.removeprefix("iso-"), name.removeprefix("x-"), name.replace("windows-", "cp")):
        try:
            codec = codecs.lookup(spelling).name
        except LookupError:
            continue
        codec = _WIDER.get(codec, codec)
        return codec if _TEXT_CODEC.fullmatch(codec) else None
    return None


def _not_ascii(text: str) -> str:
    return "".join(re.findall(r"[^\x00-\x7f]+", text))
