import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.urls import find_host


def lower(text: str) -> str:
    """Of ASCII letters alone."""
    return re.sub("[A-Z]+", lambda capitals: capitals[0].lower(), text)


def parts(url: str) -> tuple[str, str]:
    """(host, the rest)"""
    behind = re.sub(r"\A(?:[A-Za-z0-9+.-]*://|//)", "", url)
    place, rest = re.fullmatch(r"([^/?#]*)(.*)", behind, re.DOTALL).groups()  # type: ignore[union-attr]
    host = place.rpartition("@")[2]
    port = re.search(r":[^:\]]*\Z", host) if not host.startswith("[") else re.search(r"(?<=\]):[^:\]]*\Z", host)
    host = host[: port.start()] if port else host
    return lower(host[:-1] if host.endswith(".") else host), lower(rest)


def found(url: str) -> tuple[str, str]:
    """(host, the rest) by the kernel."""
    data = np.frombuffer(b"xx" + url.encode(), np.uint8)
    begin, stop, rest = find_host(data, 2, len(data))
    return lower(data[begin:stop].tobytes().decode()), lower(data[rest:].tobytes().decode())


PIECES = ["http://", "//", "/", ":", "@", ".", "?", "#", "[", "]", "a", "Host.example", "80", "1:2", "é", " ", "+"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=12))
def test_as_the_reference(url: str) -> None:
    url = url.encode("utf-8", "replace").decode()
    assert found(url) == parts(url)


@pytest.mark.parametrize(
    ("url", "host", "rest"),
    [
        ("https://User@Example.org:8080/Path?q#f", "example.org", "/path?q#f"),
        ("example.org", "example.org", ""),
        ("//example.org./x", "example.org", "/x"),
        ("http://[2001:DB8::1]:80?x", "[2001:db8::1]", "?x"),
        ("http://a:b@c:d@e.example/", "e.example", "/"),
        ("http:///x", "", "/x"),
        ("", "", ""),
    ],
)
def test_examples(url: str, host: str, rest: str) -> None:
    assert found(url) == (host, rest)
