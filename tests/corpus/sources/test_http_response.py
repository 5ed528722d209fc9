"""HTTP responses as archives keep them: what the header says of a body is often not so."""

import gzip
import random
import zlib

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.http_response import Response, TooLong, header_fields, parse_response

LIMIT = 1 << 20
PAGE = ("<!doctype html><title>T</title>" + "".join(f"<p>Line {n}: grüße, 日本.</p>\n" for n in range(300))).encode()


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def chunked(data: bytes, size: int = 100, end: bytes = b"0\r\n\r\n", line: bytes = b"\r\n") -> bytes:
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x" % len(chunk) + line + chunk + line for chunk in chunks) + end


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data))


def response(body: bytes, *fields: str, status: str = "HTTP/1.1 200 OK") -> Response:
    found = parse_response("\r\n".join([status, *fields, "", ""]).encode() + body, LIMIT)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("Content-Encoding: gzip", gzip.compress(PAGE)),
        ("content-encoding:  X-GZIP ", gzip.compress(PAGE)),
        ("Content-Encoding: deflate", zlib.compress(PAGE)),
        ("Content-Encoding: deflate", bare(PAGE)),
        ("Content-Encoding: br", brotli.compress(PAGE)),
        ("Content-Encoding: zstd", zstd(PAGE)),
        ("Content-Encoding: gzip, gzip", gzip.compress(gzip.compress(PAGE))),
        ("Content-Encoding: deflate, br", brotli.compress(zlib.compress(PAGE))),
        ("Content-Encoding: gzip\r\nContent-Encoding: deflate", zlib.compress(gzip.compress(PAGE))),
        ("Content-Encoding: gzip", gzip.compress(PAGE[:1000]) + gzip.compress(PAGE[1000:])),  # two members
        ("Content-Encoding: gzip", gzip.compress(PAGE) + b"trailing"),
        # The header says nothing, or something else, of what the bytes show.
        ("Server: x", gzip.compress(PAGE)),
        ("Server: x", zstd(PAGE)),
        ("Content-Encoding: br", gzip.compress(PAGE)),
        ("Content-Encoding: utf-8", gzip.compress(PAGE)),
        ("Content-Encoding: gzip", zlib.compress(PAGE)),
        ("Content-Encoding: gzip", brotli.compress(PAGE)),
        ("Content-Encoding: deflate", brotli.compress(PAGE)),
        ("Content-Encoding: br", zlib.compress(PAGE)),
        ("Content-Encoding: chunked", chunked(PAGE)),
        ("Content-Encoding: gzip, chunked", chunked(gzip.compress(PAGE))),
        ("Content-Encoding: chunked", PAGE),
        # Stored decoded.
        *((f"Content-Encoding: {coding}", PAGE) for coding in ("gzip", "deflate", "br", "zstd", "utf-8", "gzip, br")),
        ("Transfer-Encoding: chunked", PAGE),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", PAGE),
        ("Transfer-Encoding: chunked", chunked(PAGE)),
        ("Transfer-Encoding: Chunked", chunked(PAGE, line=b"\n", end=b"0\n\n")),
        ("Transfer-Encoding: chunked", chunked(PAGE, end=b"0;last=yes\r\nTrailer: x\r\n\r\n")),
        ("Transfer-Encoding: gzip, chunked", chunked(gzip.compress(PAGE))),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(gzip.compress(PAGE))),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", gzip.compress(PAGE)),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(PAGE)),
        # The length of another form, or of nothing.
        *((f"Content-Length: {length}", PAGE) for length in (len(PAGE) - 7, len(PAGE) + 7, 0, -1, "many")),
    ],
)
def test_the_body_is_what_the_server_meant(field: str, body: bytes) -> None:
    found = response(body, field)
    assert found.body == PAGE
    assert not found.cut


@pytest.mark.parametrize("cut", [1, 4, 30, 300])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "chunked"])
def test_a_body_cut_short_gives_what_is_there(coding: str, cut: int) -> None:
    noisy = PAGE + "".join(random.Random(0).choices("abcdef ", k=4000)).encode()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "chunked": chunked}[coding](noisy)
    name = "Transfer-Encoding" if coding == "chunked" else "Content-Encoding"
    found = response(packed[:-cut], f"{name}: {coding}")
    assert noisy.startswith(found.body)
    assert len(found.body) > len(noisy) * (1 - (cut + 20) / len(packed)) - 200
    assert found.cut or (coding == "chunked" and cut <= 2)  # the last line end of the last chunk


@pytest.mark.parametrize("size", [40, 7000, 200_000])
@pytest.mark.parametrize("place", [-1, -8])
def test_a_wrong_trailer_loses_nothing(size: int, place: int) -> None:
    """The last eight bytes of gzip are a checksum and the size, the last four of zlib a checksum."""
    noisy = random.Random(0).randbytes(size).hex().encode()
    for pack, field in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
        packed = bytearray(pack(noisy))
        packed[max(place, -4) if field == "deflate" else place] ^= 0xFF
        found = response(bytes(packed), f"Content-Encoding: {field}")
        assert (found.body, found.cut) == (noisy, True)


@pytest.mark.parametrize("coding", ["compress", "lzma", "identity", "gzip"])
def test_an_encoding_nobody_knows_is_told_where_the_body_is_no_text(coding: str) -> None:
    noise = random.Random(0).randbytes(2000)
    unknown = coding if coding in ("compress", "lzma") else ""
    assert response(noise, f"Content-Encoding: {coding}").packed == unknown
    for text in (PAGE, "\ufeffgrüße".encode("utf-16")):
        found = response(text, f"Content-Encoding: {coding}")
        assert (found.body, found.packed) == (text, "")


def test_damage_in_the_middle_keeps_what_stands_before() -> None:
    packed = bytearray(gzip.compress(random.Random(0).randbytes(2000).hex().encode() + PAGE))
    packed[800:820] = b"\xff" * 20
    found = response(bytes(packed), "Content-Encoding: gzip")
    assert found.cut
    assert 0 < len(found.body) < 2000


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare, brotli.compress, zstd])
def test_a_bomb_ends_at_the_limit(pack: object) -> None:
    names = {gzip.compress: "gzip", brotli.compress: "br", zstd: "zstd"}
    body = pack(bytes(1 << 26))  # type: ignore[operator]
    with pytest.raises(TooLong):
        response(body, f"Content-Encoding: {names.get(pack, 'deflate')}")  # type: ignore[call-overload]


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, deflate, br, zstd, gzip"]))
def test_no_bytes_raise(body: bytes, coding: str) -> None:
    for message in (body, b"HTTP/1.1 200\r\n" + body):
        parse_response(message, LIMIT)
    response(body, f"Content-Encoding: {coding}", "Transfer-Encoding: chunked")


@given(st.binary(max_size=2000))
def test_chunks_are_joined(body: bytes) -> None:
    assert response(chunked(body, 7), "Transfer-Encoding: chunked", "Content-Encoding: identity").body in (
        body,
        # What happens to be a packed stream is unpacked.
        *((zlib.decompress(body, wbits=31),) if body.startswith(b"\x1f\x8b\x08") else ()),
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.0 404 Not Found", 404),
        (b"HTTP/2 200", 200),
        (b"http/1.1 301", 301),
        (b"ICY 200 OK", 200),
        (b"\r\nHTTP/1.1 200 OK", 200),
        (b"HTTP/1.1 2000 OK", 2000),
    ],
)
def test_status_lines(line: bytes, status: int) -> None:
    found = parse_response(line + b"\r\nA: b\r\n\r\nx", LIMIT)
    assert found is not None
    assert (found.status, found.body) == (status, b"x")


@pytest.mark.parametrize("message", [b"", b"<html>", b"HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n"])
def test_what_is_no_response(message: bytes) -> None:
    assert parse_response(message, LIMIT) is None


def test_an_interim_response_stands_before_the_one_that_counts() -> None:
    message = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nx"
    )
    found = parse_response(message, LIMIT)
    assert found == Response(200, {"a": ["b"]}, b"x", False)


def test_a_header_without_an_end_has_no_body() -> None:
    found = parse_response(b"HTTP/1.1 200 OK\r\nA: b", LIMIT)
    assert found == Response(200, {"a": ["b"]}, b"", False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Content-Type: text/html"], ("text/html", None)),
        (["Content-Type: TEXT/HTML;Charset=Windows-1251"], ("text/html", "Windows-1251")),
        (['Content-Type: text/html; charset="UTF-8"'], ("text/html", "UTF-8")),
        (["Content-Type: text/html;charset = 'koi8-r' ;"], ("text/html", "koi8-r")),
        (["Content-Type: text/html charset=gbk"], ("text/html", "gbk")),
        (["Content-Type: text/html,text/html"], ("text/html", None)),
        (["Content-Type: text/html; charset=utf-8, text/html"], ("text/html", "utf-8")),
        (["Content-Type: text/html", "Content-Type: text/html; charset=utf-8"], ("text/html", "utf-8")),
        (["Content-Type: text/html; charset=utf-8", "Content-Type: text/html"], ("text/html", "utf-8")),
        (["Content-Type: text/plain; charset=utf-8", "Content-Type: text/html"], ("text/html", None)),
        (["Content-Type: text/html", "Content-Type: */*"], ("text/html", None)),
        (["Content-Type: "], ("", None)),
        (["Content-Type: html"], ("", None)),
        (["Content-Type: ; charset=utf-8"], ("", "utf-8")),
        ([], ("", None)),
        (["Content-Type:", " text/html"], ("text/html", None)),  # a folded line
        (["content-type : text/html"], ("text/html", None)),
    ],
)
def test_content_types(fields: list[str], expected: tuple[str, str | None]) -> None:
    assert response(b"", *fields).content_type() == expected


def test_header_fields_of_any_bytes() -> None:
    block = b"A: 1\r\nno colon\r\n: no name\r\nB: \xe9\r\n more\r\nA:2\r\n"
    assert header_fields(block) == {"a": ["1", "2"], "": ["no name"], "b": ["é more"]}
    assert header_fields("Ü: ß\n".encode()) == {"ü": ["ß"]}


@given(st.binary(max_size=200))
def test_no_header_raises(block: bytes) -> None:
    header_fields(block)
