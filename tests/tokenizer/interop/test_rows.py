"""Rows that Hugging Face datasets opens."""

from pathlib import Path

import datasets
import pytest

from corpus.parts import read_part
from tests.tokenizer.interop.test_megatron import DOCUMENTS, shard_of
from tokenizer.interop import rows
from tokenizer.interop.exporting import export_folder
from tokenizer.interop.packed import document_blocks
from tokenizer.shards import Shard


@pytest.mark.parametrize("vocab_size", [32000, 65537])
def test_every_document_is_a_row(tmp_path: Path, vocab_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "document_blocks", lambda offsets: document_blocks(offsets, 4))
    rows.write(shard_of(tmp_path / "shard.tok", DOCUMENTS, vocab_size), str(tmp_path / "a"))
    found = [row for batch in read_part(str(tmp_path / "a.parquet")) for row in batch.to_pylist()]
    assert [(row["part"], row["row"], row["input_ids"]) for row in found] == DOCUMENTS


def test_load_dataset_opens_an_export(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    output = str(tmp_path / "export")
    export_folder(str(folder), output, "datasets", lambda line: None)
    loaded = datasets.load_dataset(output, cache_dir=str(tmp_path / "cache"))
    streamed = datasets.load_dataset(output, streaming=True)
    for split, where in (("train", folder), ("validation", folder / "heldout")):
        expected = []
        for path in sorted(where.glob("*.tok")):
            shard = Shard(str(path))
            for document in range(shard.counts.documents):
                start, stop = shard.document_offsets[document : document + 2]
                expected.append((*shard.origin(document), shard.tokens[start:stop].tolist()))
        for dataset in (loaded[split], streamed[split]):
            assert [(row["part"], row["row"], row["input_ids"]) for row in dataset] == expected
    torch = pytest.importorskip("torch")
    assert loaded["train"].with_format("torch")[0]["input_ids"].dtype == torch.int64
