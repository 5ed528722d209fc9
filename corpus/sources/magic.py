"""What bytes that claim to be a page are instead, by what they begin with."""

import re

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"RIFF", "audio or video"),
    (b"OggS", "audio or video"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"FLV\1", "video/x-flv"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"PK\3\4", "application/zip"),
    (b"Rar!", "application/x-rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z"),
    (b"BZh", "application/x-bzip2"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\xfd7zXZ", "application/x-xz"),
    (b"\xd0\xcf\x11\xe0", "application/msword or the like"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OTTO", "font"),
    (b"\0\1\0\0\0", "font"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "application/java"),
)
_FTYP = slice(4, 8)  # of an MP4, MOV or HEIC file
_PRINTABLE = frozenset({b"BM", b"MZ", b"ID3", b"CWS", b"FWS", b"OTTO", b"RIFF", b"BZh", b"GIF8", b"OggS", b"MM\0*"})
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def binary_kind(data: bytes) -> str | None:
    """A media type where the first bytes are those of a binary format, None where they may be text.

    Where a format's mark could begin a text ("BMW ..."), there must be a control character near it.
    """
    for mark, kind in _MAGIC:
        if data.startswith(mark) and (mark not in _PRINTABLE or _CONTROLS.search(data[:256])):
            return kind
    if data[_FTYP] == b"ftyp":
        return "video/mp4"
    return None
