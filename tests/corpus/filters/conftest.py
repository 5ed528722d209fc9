"""Small fastText models that several tests look at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus.filters.fasttext_kinds import path_of


@pytest.fixture(scope="session")
def fasttext_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The path of a model by its kind in `fasttext_kinds`; not to be written to."""
    folder: Path = tmp_path_factory.mktemp("fasttext")
    return lambda kind: path_of(kind, folder)
