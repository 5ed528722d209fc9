"""What every source can do that says nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.schema import Document, Origin, Rejected
from corpus.sources.raw import Piece, Split
from corpus.sources.source import Source


class Notes(Source):
    """A file is a document."""

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            yield Document(piece.path, Path(root, piece.path).read_text(), Origin(piece.path))

    def raw(self, root: str, origin: Origin) -> bytes:
        return Path(root, origin.file).read_bytes()


@pytest.fixture
def root(tmp_path: Path) -> str:
    for name, size in (("b.txt", 600), ("a.txt", 600), ("c.md", 100)):
        (tmp_path / name).write_text("x" * size)
    return str(tmp_path)


def test_files_are_listed_and_kept_whole(root: str) -> None:
    notes = Notes()
    notes.check(root)
    files = notes.files(root, ["*.txt"])
    assert [file.path for file in files] == ["a.txt", "b.txt"]
    every = notes.files(root, ["**"])
    assert [split.pieces for split in notes.splits(every, 700)] == [
        (Piece("a.txt"),),
        (Piece("b.txt"), Piece("c.md")),
    ]
    assert len(notes.splits(every)) == 1
    with pytest.raises(UserError, match="holds no file that matches"):
        notes.files(root, ["*.pdf"])


def test_an_input_that_is_not_there(root: str) -> None:
    with pytest.raises(UserError, match="input /nowhere does not exist: set `input` to the folder"):
        Notes().check("/nowhere")
    assert Notes().raw_bytes("/nowhere", ["**"]) is None
    assert Notes().raw_bytes(root, ["*.txt"]) == 1200


def test_what_a_source_says_of_itself_has_defaults() -> None:
    assert (Notes.version, Notes.text_per_raw, Notes.ids_from_rows, Notes.formats) == (1, 1.0, False, "")
    assert Notes.document_bytes > 0
    assert Notes() == Notes()
