"""A server on loopback for the tests of origins."""

from collections.abc import Iterator

import pytest

from tests.corpus.download.server import Site, serving


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("corpus.download.fetch.sleep", lambda seconds: None)
    with serving() as site:
        yield site
