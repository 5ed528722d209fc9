import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import DamagedFile, UserError
from corpus.parts import dataset_digest, read_part, read_row, row_hashes, write_part
from corpus.schema import BATCH_ROWS, SCHEMA, Document, Origin, batched, document_batch, well_formed
from tests.corpus.watched import Watched

DOCUMENTS = st.lists(
    st.builds(
        Document,
        id=st.text(max_size=8),
        text=st.text(st.characters(codec=None), max_size=40),
        origin=st.builds(Origin, file=st.text(max_size=5), record=st.integers(0, 9)),
        language=st.none() | st.sampled_from(["en", "de"]),
        timestamp=st.none() | st.just(datetime(2020, 1, 1, tzinfo=UTC)),
        metadata=st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=2),
    ),
    max_size=12,
)


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert well_formed("a\ud800b") == "a\ufffdb"
    assert well_formed("\ud83d\ude00") == "\U0001f600"  # two halves of one character belong together


@given(DOCUMENTS)
def test_a_part_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Document]
) -> None:
    path = str(tmp_path_factory.mktemp("parts") / "part.parquet")
    batches = list(batched(documents, "books"))
    write_part(path, SCHEMA, iter(batches))
    assert pa.Table.from_batches(list(read_part(path)), SCHEMA) == pa.Table.from_batches(batches, SCHEMA)


@given(DOCUMENTS, st.integers(1, 5))
def test_the_dataset_digest_ignores_order_and_grouping(documents: list[Document], size: int) -> None:
    whole = dataset_digest(document_batch(documents, "books")) if documents else 0
    turned = documents[::-1]
    groups = [turned[i : i + size] for i in range(0, len(turned), size)]
    assert sum(dataset_digest(document_batch(group, "books")) for group in groups) % 2**64 == whole


def test_the_dataset_digest_sees_every_column_but_origin() -> None:
    base = {"id": "a", "text": "t", "origin": Origin("f")}
    seen = {int(row_hashes(document_batch([Document(**base)], source))[0]) for source in ("s", "r")}
    changes = [
        {"id": "b"},
        {"text": "u"},
        {"language": "en"},
        {"license": "mit"},
        {"url": "u"},
        {"timestamp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"metadata": {"a": 1}},
    ]
    for change in changes:
        seen.add(int(row_hashes(document_batch([Document(**{**base, **change})], "s"))[0]))
    assert len(seen) == len(changes) + 2
    batch = document_batch([Document(**base)], "s")
    kept = batch.set_column(8, SCHEMA.field(8), pa.array([[0, 2]], pa.list_(pa.uint32())))
    assert int(row_hashes(kept)[0]) not in seen
    moved = Document(**{**base, "origin": Origin("elsewhere")})
    assert row_hashes(document_batch([moved], "s"))[0] == row_hashes(batch)[0]


def test_the_same_rows_give_the_same_bytes_however_they_are_sliced(tmp_path: Path) -> None:
    documents = [Document(str(n), "x" * (n % 50), Origin("f")) for n in range(2 * BATCH_ROWS + 10)]
    one = pa.Table.from_batches(list(batched(documents, "s")))
    digests = {
        write_part(str(tmp_path / "a"), SCHEMA, iter(one.to_batches(max_chunksize=BATCH_ROWS))),
        write_part(str(tmp_path / "b"), SCHEMA, iter(batched(documents, "s"))),
    }
    assert len(digests) == 1


def test_one_row_is_found_in_its_row_group(tmp_path: Path) -> None:
    path = str(tmp_path / "part.parquet")
    documents = [Document(str(n), "x", Origin("f")) for n in range(BATCH_ROWS + 10)]
    write_part(path, SCHEMA, iter(batched(documents, "s")))
    for row in (0, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 9):
        assert read_row(path, row)["id"].to_pylist() == [str(row)]
        assert read_row(path, row, ["id"]).schema.names == ["id"]
    with pytest.raises(UserError, match=rf"has {BATCH_ROWS + 10} rows, not row {BATCH_ROWS + 10}"):
        read_row(path, BATCH_ROWS + 10)


def test_a_cut_part_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write_part(str(path), SCHEMA, iter([document_batch([Document("a", "t" * 1000, Origin("f"))], "s")]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFile, match=r"part\.parquet"):
        list(read_part(str(path)))


def test_a_missing_part_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match="is gone: remove its step's folder"):
        list(read_part(str(tmp_path / "part-00000.parquet")))


def test_no_thread_of_arrow_touches_a_python_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Watched()

    def commit(path: str, write: Any) -> str:
        write(file)
        return ""

    @contextmanager
    def open_read(path: str) -> Iterator[Watched]:
        yield file

    monkeypatch.setattr("corpus.parts.commit", commit)
    monkeypatch.setattr("corpus.parts.open_read", open_read)
    monkeypatch.setattr("corpus.parts.exists", lambda path: True)
    documents = [Document(str(n), "text" * 100, Origin("f")) for n in range(2 * BATCH_ROWS)]
    write_part("part.parquet", SCHEMA, batched(documents, "s"))
    assert sum(batch.num_rows for batch in read_part("part.parquet")) == len(documents)
    assert sum(batch.num_rows for batch in read_part("part.parquet", ["id", "text"])) == len(documents)
    assert read_row("part.parquet", BATCH_ROWS)["id"].to_pylist() == [str(BATCH_ROWS)]
    assert file.threads == {threading.get_ident()}
