"""Where the host of a URL stands, and its lower case. URLs are bytes; only ASCII letters have two cases."""

from typing import Any

from corpus.kernel import kernel

_AT, _COLON, _SLASH, _DOT, _OPEN, _CLOSE = ord("@"), ord(":"), ord("/"), ord("."), ord("["), ord("]")


@kernel
def lower_byte(byte: Any) -> Any:
    return byte | 0x20 if 0x41 <= byte <= 0x5A else byte


@kernel
def is_alphanumeric(byte: Any) -> Any:
    """Of ASCII."""
    return 0x30 <= byte <= 0x39 or 0x61 <= byte | 0x20 <= 0x7A


@kernel
def find_host(data: Any, start: Any, end: Any) -> Any:
    """(first byte of the host, the byte behind it, first byte of path, query or fragment) of the URL data[start:end].

    `scheme://user@host:port/path`, everything but the host may be missing. The host is without its port, and without
    the dot that may end it.
    """
    i = start
    while i < end and (is_alphanumeric(data[i]) or data[i] in (0x2B, 0x2D, 0x2E)):
        i += 1
    begin = start
    if i + 2 < end and data[i] == _COLON and data[i + 1] == _SLASH and data[i + 2] == _SLASH:
        begin = i + 3
    elif start + 1 < end and data[start] == _SLASH and data[start + 1] == _SLASH:
        begin = start + 2
    rest = begin
    port = -1
    while rest < end and not starts_rest(data[rest]):
        if data[rest] == _AT:
            begin, port = rest + 1, -1
        elif data[rest] == _COLON:
            port = rest
        elif data[rest] == _CLOSE:  # what stands in brackets is an IPv6 address
            port = -1
        rest += 1
    stop = rest
    if port >= 0 and (data[begin] != _OPEN or data[port - 1] == _CLOSE):
        stop = port
    if stop > begin and data[stop - 1] == _DOT:
        stop -= 1
    return begin, stop, rest


@kernel
def starts_rest(byte: Any) -> Any:
    """One of `/?#`, which a host ends before."""
    return byte == 0x2F or byte == 0x3F or byte == 0x23
