"""Against the real datatrove, both ways."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.tokens.merger import DocumentTokenizerMerger
from datatrove.pipeline.tokens.tokenizer import DocumentTokenizer, TokenizedFile

from corpus.errors import DamagedFile, UserError
from tests.tokenizer.folders import texts
from tests.tokenizer.interop.test_megatron import DOCUMENTS, shard_of
from tokenizer.encode import Encoder
from tokenizer.huggingface import write_tokenizer
from tokenizer.interop.datatrove import read, write
from tokenizer.shards import Shard


@pytest.mark.parametrize("vocab_size", [32000, 65537])
def test_round_trip(tmp_path: Path, vocab_size: int) -> None:
    shard = shard_of(tmp_path / "shard.tok", DOCUMENTS, vocab_size)
    write(shard, str(tmp_path / "out"))
    for name in ("out.ds", "out.ds.index"):
        packed = read(str(tmp_path / name))
        assert packed.tokens.tobytes() == shard.tokens.tobytes()
        assert packed.offsets.tolist() == shard.document_offsets.tolist()
    write(shard_of(tmp_path / "none.tok", []), str(tmp_path / "none"))
    assert read(str(tmp_path / "none.ds")).offsets.tolist() == [0]


@pytest.mark.parametrize("vocab_size", [32000, 65537])
def test_datatrove_reads_what_we_write(tmp_path: Path, vocab_size: int) -> None:
    pytest.importorskip("torch", reason="datatrove's datasets need torch")
    from datatrove.utils.dataset import DatatroveFolderDataset

    width = 2 if vocab_size == 32000 else 4
    documents = [(0, n, [1, *range(3, 5 + 3 * n), 2]) for n in range(40)]
    shards = [shard_of(tmp_path / "a.tok", documents, vocab_size), shard_of(tmp_path / "b.tok", DOCUMENTS, vocab_size)]
    for number, shard in enumerate(shards):
        write(shard, str(tmp_path / "train" / f"shard-0000{number}"))
    dataset = DatatroveFolderDataset(str(tmp_path / "train"), 15, token_size=width, return_positions=True)
    windows = [shard.tokens[: shard.counts.tokens // 16 * 16].reshape(-1, 16) for shard in shards]
    assert len(dataset) == sum(map(len, windows))
    assert [item["input_ids"].tolist() for item in dataset] == np.concatenate(windows).tolist()
    merger = DocumentTokenizerMerger(str(tmp_path / "train"), str(tmp_path / "merged"), "merged", shuffle=False)
    merger.run()
    (merged,) = (tmp_path / "merged").glob("*.ds")
    whole = [shard.tokens.tolist() for shard in shards]
    assert read(str(merged)).tokens.tolist() == whole[0] + whole[1]
    first = (tmp_path / "merged" / f"{merged.name}.metadata").read_text().splitlines()[0]
    assert first == f"{shards[0].header.tokenizer}|{width}"


@pytest.mark.parametrize("width", [2, 4])
def test_we_read_what_datatrove_writes(tmp_path: Path, width: int) -> None:
    file = TokenizedFile(str(tmp_path), "a.ds", token_size=width, save_final_metadata=True)
    for _, _, tokens in DOCUMENTS:
        file.write(tokens, None)
    file.close()
    packed = read(str(tmp_path / "a.ds"))
    assert [packed.tokens[a:b].tolist() for a, b in zip(packed.offsets[:-1], packed.offsets[1:], strict=True)] == [
        tokens for _, _, tokens in DOCUMENTS
    ]


def test_texts_tokenised_by_datatrove(tmp_path: Path, model_path: str, encoder: Encoder) -> None:
    """With the same model, as `corpus tokenizer export` writes it, its ids are ours."""
    write_tokenizer(model_path, str(tmp_path))
    some = texts(3, 30)
    step = DocumentTokenizer(
        str(tmp_path / "out"), str(tmp_path / "tokenizer.json"), eos_token="</s>", shuffle_documents=False
    )
    step.run(Document(text, str(n)) for n, text in enumerate(some))
    (path,) = (tmp_path / "out").glob("*.ds")
    packed = read(str(path))
    tokens, offsets = encoder.encode_batch(pa.array(some), False, True)
    assert packed.tokens.tolist() == tokens.tolist()
    assert packed.offsets.tolist() == offsets.tolist()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    write(shard_of(tmp_path / "shard.tok", DOCUMENTS), str(tmp_path / "a"))
    path, index = tmp_path / "a.ds", tmp_path / "a.ds.index"
    ids, ends = path.read_bytes(), index.read_bytes()
    for new_ids, new_ends in [
        (ids[:-2], ends), (ids[:-1], ends), (ids + ids + ids[:2], ends), (ids, ends[:-1]), (b"", ends), (ids, b""),
        (ids, ends[8:16] + b"\0" * 8 + ends[16:]), (2 * ids + ids, ends),
    ]:  # fmt: skip
        path.write_bytes(new_ids)
        index.write_bytes(new_ends)
        with pytest.raises(DamagedFile, match="and its index lists"):
            read(str(path))
    index.unlink()
    with pytest.raises(UserError, match=r"cannot open .*a\.ds\.index"):
        read(str(path))


def test_a_real_shard(folder: Path, tmp_path: Path) -> None:
    shard = Shard(str(folder / "shard-00000.tok"))
    write(shard, str(tmp_path / "a"))
    assert read(str(tmp_path / "a.ds")).tokens.tobytes() == shard.tokens.tobytes()
