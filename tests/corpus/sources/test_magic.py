"""Binary files by their first bytes."""

import gzip
import zipfile
from io import BytesIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.magic import binary_kind


def zipped() -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a", "b")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\1\0\1\0", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "audio or video"),
        (zipped(), "application/zip"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (bytes(pa.Codec("zstd").compress(b"x")), "application/zstd"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"MZ\x90\0\3\0", "a program"),
        (b"wOFF" + b"\xe9\xfa" * 100, "font/woff"),
        (b"wOF2OTTO" + b"\xe9\xfa" * 100, "font/woff2"),
        (b"\x1f\x9d\x90" + b"ab" * 100, "application/x-compress"),
        (b"{\\rtf1\\ansi", "application/rtf"),
    ],
)
def test_binary_files_are_told(data: bytes, kind: str) -> None:
    assert binary_kind(data) == kind


@pytest.mark.parametrize(
    "text", [b"", b"BMW builds cars.", b"MZ is a code", b"RIFF raff", b"OTTO", b"<html>", b"ID3 tags"]
)
def test_text_that_begins_as_a_mark_is_text(text: bytes) -> None:
    assert binary_kind(text) is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF)))
def test_pages_are_text(text: str) -> None:
    assert binary_kind(b"<p>" + text.encode()) is None
