"""Bytes of a text file whose encoding nobody states."""

import codecs

_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1a\x1b") | {0x7F})
"""Bytes that text does not hold; \\x1a ends DOS files, \\x1b begins terminal colours."""


def is_opaque(data: bytes) -> bool:
    """Whether the first 4096 bytes are no text of any single-byte encoding or UTF-8.

    More than one byte in 64 is a control character: of random or packed bytes one in ten is, of text hardly one.
    """
    head = data[:4096]
    return len(head) - len(head.translate(None, _CONTROLS)) > len(head) // 64


def decode_text(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """(text, encoding): UTF-8 (a byte order mark is removed), else `declared`, else Windows-1252, else Latin-1.

    Latin-1 takes any bytes, so that nothing is lost. `declared` is a codec's name.
    """
    for encoding in ("utf-8", declared, "cp1252"):
        if encoding is not None:
            try:
                return data.removeprefix(codecs.BOM_UTF8).decode(encoding), encoding
            except UnicodeDecodeError:
                continue
    return data.decode("latin-1"), "latin-1"


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
