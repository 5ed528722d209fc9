"""The encoding of a web page, which its header, its markup and its bytes say differently.

A browser obeys the HTTP header. What a page says is wrong more often than what its bytes show: valid UTF-8 that is not
ASCII is hardly ever anything else, and many servers put `charset=utf-8` or `ISO-8859-1` on whatever they send.
"""

import codecs
import re

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

HEAD_BYTES = 4096
"""Where a meta element is looked for. The standard says 1,024, and browsers look further."""

_ZERO_BYTES = 1024
_SAMPLE_BYTES = 1 << 20  # that detection sees
_FEW = 4  # letters beyond ASCII: with fewer, detection tells scripts apart but not the encodings of Latin ones
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_ASCII = bytes(range(0x80))
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"']+)")
_TAG = re.compile(rb"<[^<>]*>")
_SEVEN_BITS = {"iso2022_jp": b"\x1b", "iso2022_kr": b"\x1b", "hz": b"~{"}
"""Encodings that look like ASCII, and what they cannot do without."""
_JAPANESE = re.compile(rb"\x1b\$[@B](?:[!-~]{2})+\x1b\([BJ]")
# Names that the WHATWG standard gives to the larger set, and names that it leaves out and that pages have.
_CODECS = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-11": "cp874", "tis-620": "cp874", "koi8-r": "koi8-u",
    "shift_jis": "cp932", "cp932": "cp932", "gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs",
    "euc-kr": "cp949", "euc_kr": "cp949", "uhc": "cp949", "cp949": "cp949", "ms949": "cp949",
    "iso-2022-jp": "iso2022_jp", "iso-2022-kr": "iso2022_kr", "hz-gb-2312": "hz", "hz": "hz",
    "x-mac-cyrillic": "mac-cyrillic", "mac-cyrillic": "mac-cyrillic", "x-mac-ukrainian": "mac-cyrillic",
}  # fmt: skip
_LATIN = (
    "cp1250 cp1252 cp1254 cp1257 cp1258 cp850 cp852 cp437 mac-roman mac-centraleurope iso8859-2 iso8859-3 iso8859-4 "
    "iso8859-9 iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16"
)


def decode_html(body: bytes, declared: str | None) -> tuple[str, str]:
    """(text, Python's name of its encoding). Bytes that the encoding does not have become U+FFFD.

    In this order, right where a browser's is not (docs/sources/commoncrawl.md):

    1. a byte order mark;
    2. UTF-16 where every second byte of the beginning is 0, or where `declared` says so and there are zeros;
    3. UTF-8 where all is valid (ASCII with escapes under the name of a 7-bit encoding is that encoding);
    4. UTF-8 where nearly all is: one bad sequence among good ones, or more than 20 good ones for each bad;
    5. `declared`, the HTTP header's label, unless it is UTF-8;
    6. the label of the meta element or XML declaration in the first 4,096 bytes, unless it is UTF-8;
    7. UTF-8 with one bad sequence and no good one, where one of these labels says UTF-8;
    8. what the bytes look like; Windows-1252 where that is not clear.

    A label of 5 or 6 that does not fit, where another does, is passed over: Shift_JIS on bytes that are EUC-JP.
    """
    for mark, encoding in _BOMS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace"), encoding
    header = _codec(declared or "")
    if utf16 := _utf16(body[:_ZERO_BYTES], said=(header or "").startswith("utf-16")):
        return body.decode(utf16, "replace"), utf16
    meta = _codec(_meta_label(body[:HEAD_BYTES]))
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if text.isascii() and (seven_bits := _seven_bits(body, (header, meta))):
            return body.decode(seven_bits, "replace"), seven_bits
        return text, "utf-8"
    text = body.decode("utf-8", "replace")
    beyond_ascii = len(body.translate(None, _ASCII))
    bad = text.count("\ufffd") - body.count(b"\xef\xbf\xbd")
    good = len(text) - (len(body) - beyond_ascii) - bad
    if good > 20 * bad or (bad == 1 and good > 1):
        return text, "utf-8"
    labels = [label for label in (header, meta) if label and not label.startswith("utf-16")]
    says_utf8 = "utf-8" in labels
    labels = [label for label in labels if label != "utf-8"]
    if not labels and says_utf8 and bad == 1:
        return text, "utf-8"
    return _best(body, [*labels, _detected(body, beyond_ascii)])


def _best(body: bytes, encodings: list[str]) -> tuple[str, str]:
    """The first encoding in which hardly a character is bad, else that with the fewest bad ones."""
    found: list[tuple[int, str, str]] = []
    for encoding in dict.fromkeys(encodings):
        text = body.decode(encoding, "replace")
        bad = text.count("\ufffd")
        if bad <= 1 + len(text) // 1000:
            return text, encoding
        found.append((bad, text, encoding))
    _, text, encoding = min(found, key=lambda one: one[0])
    return text, encoding


def _codec(label: str) -> str | None:
    """Python's name of the encoding that a label means on the web; None for what is no encoding."""
    label = label.strip("\"' \t").lower()
    if not label:
        return None
    if label in _CODECS:
        return _CODECS[label]
    found = map_encoding_to_html5(label, fallback_utf8=False)
    if found is None and (number := re.fullmatch(r"(?:x-)?(?:cp|win(?:dows)?)[-_ ]?(125[0-8]|874)", label)):
        found = "cp" + number[1]
    return _CODECS.get(found, found) if found else None


def _meta_label(head: bytes) -> str:
    head = _COMMENT.sub(b"", head)
    found = _XML.match(head) or _META.search(head)
    return found[1].decode("latin-1") if found else ""


def _seven_bits(body: bytes, labels: tuple[str | None, ...]) -> str | None:
    """What looks like ASCII and is not: by its label, or Japanese by its escapes alone."""
    for label in labels:
        if (needed := _SEVEN_BITS.get(label or "")) and needed in body:
            return label
    return "iso2022_jp" if _JAPANESE.search(body) else None


def _utf16(head: bytes, said: bool) -> str | None:
    """Which UTF-16 the zeros of the first bytes show: every second byte of markup is one."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    begins_a_tag = head.startswith((b"<\0", b"\0<"))
    enough = 1 if said or begins_a_tag else len(head) // 5
    if max(even, odd) < max(1, enough) or min(even, odd) * 4 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _detected(body: bytes, beyond_ascii: int) -> str:
    """What uchardet says of the text between the tags."""
    sample = _TAG.sub(b" ", body[:_SAMPLE_BYTES])
    if beyond_ascii and sample.isascii():  # all of it is in attributes, or behind the sample
        sample = body
    name = (detect_encoding(sample, max_len=_SAMPLE_BYTES, html5_compatible=False) or "").lower()
    encoding = _codec(name)
    if encoding is None or encoding.startswith("utf-") or (beyond_ascii < _FEW and encoding in _LATIN.split()):
        return "cp1252"
    return encoding
