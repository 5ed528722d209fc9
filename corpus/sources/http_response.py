"""An HTTP response as archives keep it: header fields, and a body with its encodings undone.

What the header says of the body need not be so: archives keep `Content-Encoding` and `Transfer-Encoding` of bodies that
they store decoded, servers send packed bodies without a word, or with a wrong one, and crawlers cut a body wherever
their limit is. So the bytes decide, and the header is asked where they do not show it. `Content-Length` is not read:
the body is what the record holds.
"""

import re
import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pyarrow as pa

from corpus.sources.decode import is_opaque

CHUNK = 1 << 16
_MAX_CODINGS = 5
_STATUS = re.compile(rb"\s*(?:HTTP/\d+(?:\.\d+)?|ICY)[ \t]+(\d{1,5})(?!\d)[^\n]*\n?", re.IGNORECASE)
_EMPTY_LINE = re.compile(rb"\n\r?\n|\A\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]{0,200})?\r?\n")
_ESSENCE = re.compile(r"\s*([\w!#$&^.+-]+/[\w!#$&^.+-]+)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s;,\"']+)", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16


class TooLong(Exception):
    """A body is over the limit once it is unpacked."""


class Response(NamedTuple):
    """
    Attributes:
        fields: values by lower-case name, in the order of the header; bytes that are not UTF-8 are read as Latin-1.
        body: decoded.
        cut: the body's encoding ends too early or is damaged; what stands before is there.
        packed: an encoding that the header names and nobody here can undo, where the body is no text; else "".
    """

    status: int
    fields: dict[str, list[str]]
    body: bytes
    cut: bool
    packed: str = ""

    def content_type(self) -> tuple[str, str | None]:
        """(type in lower case, charset as it is written): of several the last, with the charset that any of it says
        (https://fetch.spec.whatwg.org/#concept-header-extract-mime-type). "" where there is no type."""
        essence, charset = "", None
        for value in ",".join(self.fields.get("content-type", ())).split(","):
            found = _ESSENCE.match(value)
            if found and found[1] != "*/*":
                charset = charset if found[1].lower() == essence else None
                essence = found[1].lower()
            if label := _CHARSET.search(value):
                charset = label[1]
        return essence, charset


def parse_response(message: bytes, limit: int) -> Response | None:
    """The last response of a message (an interim `100 Continue` may stand before it); None where it is no HTTP.

    Raises:
        TooLong: the decoded body has more than `limit` bytes.
    """
    while True:
        status = _STATUS.match(message)
        if status is None:
            return None
        found = _EMPTY_LINE.search(message, status.end() - 1)
        end = found.end() if found else len(message)
        if not (status[1].startswith(b"1") and _STATUS.match(message, end)):
            break
        message = message[end:]
    fields = header_fields(message[status.end() : end])
    body, cut, packed = _decoded(message[end:], fields, limit)
    return Response(int(status[1]), fields, body, cut, packed)


def header_text(block: bytes) -> str:
    """Bytes of a header: UTF-8, or Latin-1 where they are not that."""
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("latin-1")


def header_fields(block: bytes) -> dict[str, list[str]]:
    """Values by lower-case name of `Name: value` lines; a line that begins with a space continues the one before."""
    fields: dict[str, list[str]] = {}
    values: list[str] = []
    for line in header_text(block).split("\n"):
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t"):
            if values and (more := line.strip()):
                values[-1] = f"{values[-1]} {more}".strip()
        elif colon:
            values = fields.setdefault(name.strip().lower(), [])
            values.append(value.strip())
    return fields


def _decoded(body: bytes, fields: dict[str, list[str]], limit: int) -> tuple[bytes, bool, str]:
    cut = False
    said = [*_tokens(fields.get("content-encoding", ())), *_tokens(fields.get("transfer-encoding", ()))]
    if "chunked" in said and (joined := _unchunked(body)):
        body, cut = joined
    said = [coding for coding in said if coding != "chunked"]
    for _ in range(_MAX_CODINGS):
        found = _unpacked(body, said, limit)
        if found is None:
            break
        coding, body, damaged = found
        cut |= damaged
        if coding in said:
            said.remove(coding)
    if len(body) > limit:
        raise TooLong(f"over {limit} bytes unpacked")
    unknown = next((coding for coding in said if coding not in _UNPACK and coding != "identity"), "")
    packed = unknown if not body.startswith(_BYTE_ORDER_MARKS) and is_opaque(body) else ""
    return body, cut, packed


def _tokens(values: Iterable[str]) -> list[str]:
    tokens = [token.strip().lower() for value in values for token in value.split(",")]
    return [_SAME.get(token, token) for token in tokens]


def _unpacked(body: bytes, said: list[str], limit: int) -> tuple[str, bytes, bool] | None:
    """(coding, bytes, whether some is missing), one coding undone: which shows in the first bytes; where these do not
    show it and are no text, it is what the header says, or else, since it says a wrong one, what unpacks them."""
    if body.startswith(_GZIP):
        codings = ["gzip"]
    elif body.startswith(_ZSTD):
        codings = ["zstd"]
    elif body.lstrip()[:1] == b"<" and not is_opaque(body):
        return None
    else:
        codings = [coding for coding in reversed(said) if coding in ("deflate", "br")][:1]
    for coding in codings:
        if unpacked := _UNPACK[coding](body, limit):
            return coding, *unpacked
    if said and is_opaque(body):
        if _is_zlib(body) and (unpacked := _inflated(body, limit, zlib.MAX_WBITS)):
            return "deflate", *unpacked
        if (unpacked := _UNPACK["br"](body, limit)) and not unpacked[1]:
            return "br", *unpacked
    return None


def _is_zlib(body: bytes) -> bool:
    """By the two bytes of its header (RFC 1950, 2.2)."""
    return body[0] & 15 == 8 and body[0] >> 4 <= 7 and int.from_bytes(body[:2], "big") % 31 == 0


def _unchunked(body: bytes) -> tuple[bytes, bool] | None:
    """(the chunks joined, whether some is missing); None where the body does not begin with a chunk."""
    chunks: list[bytes] = []
    at = 0
    while size := _CHUNK_SIZE.match(body, at):
        length = int(size[1], 16)
        if length == 0:
            return b"".join(chunks), False
        chunk = body[size.end() : size.end() + length]
        behind = body[size.end() + length : size.end() + length + 2]
        if behind and not behind.startswith((b"\r", b"\n")):
            break
        chunks.append(chunk)
        at = size.end() + length + (2 if behind == b"\r\n" else 1)
    return (b"".join(chunks), True) if chunks else None


def _inflated(body: bytes, limit: int, wbits: int) -> tuple[bytes, bool] | None:
    """(what could be unpacked, whether some is missing); None for bytes in another form.

    Of damaged bytes zlib gives nothing of what a call was to unpack: these are fed again in ever smaller steps, at last
    byte by byte, which also gives all that stands before a wrong checksum.
    """
    out = bytearray()
    decoder, at, step = zlib.decompressobj(wbits), 0, CHUNK
    while at < len(body):
        before = decoder.copy()
        try:
            out += decoder.decompress(body[at : at + step], limit + 1 - len(out))
        except zlib.error:
            if step == 1:
                return (bytes(out), True) if out else None
            decoder, step = before, step // 256
            continue
        if len(out) > limit or decoder.unconsumed_tail:
            raise TooLong(f"over {limit} bytes unpacked")
        at += step
        if decoder.eof:  # a gzip body may have several members
            at = min(at, len(body)) - len(decoder.unused_data)
            if wbits < 31 or not body.startswith(_GZIP, at):
                break
            decoder = zlib.decompressobj(wbits)
    return (bytes(out), not decoder.eof) if out else None


def _inflate(body: bytes, limit: int) -> tuple[bytes, bool] | None:
    """`deflate` means a zlib stream, and some servers send a bare one (RFC 9110, 8.4.1.2)."""
    if found := _inflated(body, limit, zlib.MAX_WBITS):
        return found
    bare = _inflated(body, limit, -zlib.MAX_WBITS)
    return None if bare and bare[1] and is_opaque(bare[0]) else bare


def _streamed(name: str) -> Callable[[bytes, int], tuple[bytes, bool] | None]:
    """For a codec of Arrow's, which at the end of a cut stream gives nothing of what a read asked for: the last bytes
    are read in ever smaller steps."""

    def unpack(body: bytes, limit: int) -> tuple[bytes, bool] | None:
        out, step = bytearray(), CHUNK
        while step:
            stream = pa.CompressedInputStream(pa.BufferReader(body), name)
            try:
                stream.read(len(out))
                while part := stream.read(step):
                    out += part
                    if len(out) > limit:
                        raise TooLong(f"over {limit} bytes unpacked")
                break
            except OSError:  # Arrow's name for damaged data; nothing is read from storage here
                step //= 16
        return (bytes(out), not step) if out else None

    return unpack


_SAME = {"x-gzip": "gzip", "x-deflate": "deflate", "brotli": "br", "x-br": "br"}
_UNPACK: dict[str, Callable[[bytes, int], tuple[bytes, bool] | None]] = {
    "gzip": lambda body, limit: _inflated(body, limit, 31),
    "deflate": _inflate,
    "br": _streamed("brotli"),
    "zstd": _streamed("zstd"),
}
