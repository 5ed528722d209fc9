"""From Parquet parts to shards, an index, an order and batches."""

import os
import re
import shutil
import struct
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
import xxhash

from corpus.dataset import Part
from corpus.errors import DamagedFile, UserError
from corpus.parts import write_part
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.storage import exists, names, open_read
from tests.tokenizer.folders import HELD, STEP, run, texts, write_parts
from tokenizer import concatenation as concatenation_module
from tokenizer.index import is_whole, read_index, write_index
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.model import read_model
from tokenizer.reader import TokenReader
from tokenizer.shards import Shard
from tokenizer.tokenize import TokenizeTask, TokenPart, group_parts, tokenize_parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[TokenPart]:
    return write_parts(tmp_path_factory.mktemp("parts"), [60, 0, 45, 1, 30])


@pytest.fixture(scope="module")
def tokens(parts: list[TokenPart], model_path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = str(tmp_path_factory.mktemp("run") / "tokens" / "books-12345678")
    run(parts, output, model_path, [[0, 1], [2, 3], [4]])
    return output


def test_every_document_is_in_one_shard_with_its_ids(tokens: str, parts: list[TokenPart], model_path: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    expected: dict[str, list[tuple[int, int, list[int]]]] = {}
    for part, size in enumerate([60, 0, 45, 1, 30]):
        shard = [0, 0, 1, 1, 2][part]
        for row, text in enumerate(texts(part, size) if size else []):
            held = xxhash.xxh64_intdigest(f"books:test:{part}/{row}".encode(), seed=0) % HELD == 0
            name = f"{'heldout/' if held else ''}shard-{shard:05d}.tok"
            expected.setdefault(name, []).append((part, row, [1, *processor.encode(text), 2]))
    index = read_index(tokens)
    assert index.header.dataset == STEP
    assert [entry.name for entry in index.shards] == [f"shard-{n:05d}.tok" for n in range(3)]
    for entry in index.shards + index.heldout:
        shard = Shard(f"{tokens}/{entry.name}", index.header.tokenizer)
        shard.verify()
        found = [(*shard.locate(int(a))[1:3], shard.tokens[a:b].tolist()) for a, b in pairwise(shard.document_offsets)]
        assert found == expected.get(entry.name, [])
        assert (entry.tokens, entry.documents) == (shard.counts.tokens, shard.counts.documents)
    assert index.documents + sum(entry.documents for entry in index.heldout) == 136


def test_counts_add_up_and_a_finished_shard_is_left(parts: list[TokenPart], model_path: str, tmp_path: Path) -> None:
    task = TokenizeTask(0, tuple(parts), str(tmp_path), model_path, STEP, heldout=HELD)
    first = tokenize_parts(task)
    assert first.documents_in == 136 == first.documents_out > first.heldout_documents > 0
    assert first.heldout_documents > 0
    assert first.bytes_in == sum(
        len(t.encode()) for n, size in enumerate([60, 0, 45, 1, 30]) if size for t in texts(n, size)
    )
    written = (tmp_path / "shard-00000.tok").stat().st_mtime_ns
    again = tokenize_parts(task)
    assert again.reused
    assert (again.tokens, again.documents_out, again.bytes_in) == (first.tokens, first.documents_out, first.bytes_in)
    assert (tmp_path / "shard-00000.tok").stat().st_mtime_ns == written
    other = tokenize_parts(TokenizeTask(0, tuple(parts), str(tmp_path), model_path, STEP, bos=False, heldout=HELD))
    assert not other.reused
    assert other.tokens == first.tokens - (first.documents_out - first.heldout_documents)


def test_the_same_parts_give_the_same_bytes_on_any_file_system(
    tokens: str, parts: list[TokenPart], model_path: str
) -> None:
    run(parts, "memory://tokens-test", model_path, [[0, 1], [2, 3], [4]])
    for name in ["index.json", *(f"{where}shard-{n:05d}.tok" for n in range(3) for where in ("", "heldout/"))]:
        with open_read(f"memory://tokens-test/{name}") as file:
            assert file.read() == Path(tokens, name).read_bytes()
    assert names("memory://tokens-test/meta") == [f"shard-{n:05d}.json" for n in range(3)]


def test_a_folder_that_lost_a_shard_is_not_whole(tokens: str, tmp_path: Path) -> None:
    assert is_whole(tokens)
    assert not is_whole(str(tmp_path))
    for name in ("shard-00001.tok", "heldout/shard-00002.tok", "index.json"):
        folder = tmp_path / name.replace("/", "-")
        shutil.copytree(tokens, folder)
        (folder / name).unlink()
        assert not is_whole(str(folder))


def test_what_stops_it(tokens: str, parts: list[TokenPart], model_path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"shard-00003.tok is not finished"):
        write_index(tokens, 4)
    with pytest.raises(UserError, match="would have no shard"):
        write_index(tokens, 0)
    damaged = tmp_path / "part.parquet"
    damaged.write_bytes(Path(parts[0].path).read_bytes()[:-100])
    task = TokenizeTask(0, (TokenPart(0, str(damaged), "", 60),), str(tmp_path / "out"), model_path, STEP)
    with pytest.raises(DamagedFile, match=r"part\.parquet cannot be read"):
        tokenize_parts(task)
    assert not exists(str(tmp_path / "out" / "shard-00000.tok"))
    assert names(str(tmp_path / "out")) in ([], ["heldout"])
    run(parts, str(tmp_path / "mixed"), model_path, [[0], [1]])
    tokenize_parts(TokenizeTask(1, (parts[1],), str(tmp_path / "mixed"), model_path, "ef" * 32, heldout=HELD))
    with pytest.raises(UserError, match=r"shard-00001\.tok was made with another tokenizer or other settings"):
        write_index(str(tmp_path / "mixed"), 2)


def part_of(path: Path, columns: dict[str, pa.Array], documents: int) -> TokenPart:
    pq.write_table(pa.table(columns), path)
    return TokenPart(0, str(path), "", documents)


def test_parts_that_hold_what_they_should_not(model_path: str, tmp_path: Path) -> None:
    """Each is named with the row it is wrong from, and leaves no shard."""
    ids, text = pa.array(["a", "b"]), pa.array(["x", "y"], pa.large_string())
    broken = pa.LargeStringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 3])), pa.py_buffer(b"x\xf7\xff"))
    for columns, documents, message in [
        ({"id": ids, "text": broken}, 2, "from row 0 on: .*Invalid UTF8"),
        ({"id": broken, "text": text}, 2, "from row 0 on: .*Invalid UTF8"),
        ({"id": ids, "text": pa.array(["x", None], pa.large_string())}, 2, "an id or a text is null"),
        ({"id": pa.array([None, "b"]), "text": text}, 2, "an id or a text is null"),
        ({"id": ids, "body": text}, 2, "text"),
        ({"id": ids, "text": pa.array([1, 2])}, 2, "expected a string array, got int64"),
        ({"id": ids, "text": text}, 3, "has 2 documents and its manifest says 3"),
    ]:
        part = part_of(tmp_path / "part.parquet", columns, documents)
        with pytest.raises(DamagedFile, match=rf"part\.parquet .*{message}.*: run the step that wrote it again"):
            tokenize_parts(TokenizeTask(0, (part,), str(tmp_path / "out"), model_path, STEP))
        assert not [name for name in names(str(tmp_path / "out")) if name != "heldout"]
        assert names(str(tmp_path / "out" / "heldout")) == []


def test_a_source_whose_documents_are_all_gone(model_path: str, tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [0, 0])
    run(parts, str(tmp_path / "tokens"), model_path, [[0, 1]])
    index = read_index(str(tmp_path / "tokens"))
    assert (index.documents, index.tokens, len(index.shards), len(index.heldout)) == (0, 0, 1, 1)
    for entry in index.shards + index.heldout:
        Shard(str(tmp_path / "tokens" / entry.name)).verify()


@pytest.mark.parametrize("until", ["shard-00000.tok", "heldout/shard-00000.tok", "meta/shard-00000.json"])
def test_killed_before_any_of_its_files_is_there(
    tokens: str, parts: list[TokenPart], model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    """What was committed before the kill is written again, to the same bytes."""

    class Killed(BaseException):
        pass

    def replace(source: str, target: str) -> None:
        if target.endswith(f"/{until}"):
            raise Killed
        rename(source, target)

    rename = os.replace
    output = tmp_path / "tokens"
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Killed):
        run(parts[:2], str(output), model_path, [[0, 1]])
    monkeypatch.undo()
    assert not (output / until).exists()
    run(parts[:2], str(output), model_path, [[0, 1]])
    for name in ("shard-00000.tok", "heldout/shard-00000.tok"):
        assert (output / name).read_bytes() == Path(tokens, name).read_bytes()


def test_a_damaged_shard_is_mended_as_its_message_says(
    tokens: str, parts: list[TokenPart], model_path: str, tmp_path: Path
) -> None:
    output = tmp_path / "tokens"
    groups = [[0, 1], [2, 3], [4]]
    run(parts, str(output), model_path, groups)
    for name in ("shard-00001.tok", "heldout/shard-00002.tok"):
        (output / name).write_bytes(b"")
        with pytest.raises(DamagedFile, match="is empty: remove it and run "):
            Shard(str(output / name))
        (output / name).unlink()
        run(parts, str(output), model_path, groups)
        assert (output / name).read_bytes() == Path(tokens, name).read_bytes()


def test_a_vocabulary_that_needs_four_bytes(model_path: str, tmp_path: Path) -> None:
    """The small model, with pieces of four letters added until ids need 17 bits."""
    letters = [a + b for a in ascii_lowercase for b in ascii_lowercase]
    known = set(read_model(model_path).pieces)
    more = [piece for piece in [*letters, *(a + b for a in letters for b in letters)] if piece not in known]
    data = Path(model_path).read_bytes()
    for rank, piece in enumerate(more[:64_000]):
        field = b"\x0a" + bytes([len(piece)]) + piece.encode() + b"\x15" + struct.pack("<f", -10_000.0 - rank)
        data += b"\x0a" + bytes([len(field)]) + field
    model = tmp_path / "wide.model"
    model.write_bytes(data)
    added = "".join(more[63_990:64_000])
    document = Document("books:test:0/0", f"the thing {added}", Origin("f"))
    path = str(tmp_path / "part.parquet")
    part = TokenPart(0, path, write_part(path, SCHEMA, iter([document_batch([document], "books")])), 1)
    tokenize_parts(TokenizeTask(0, (part,), str(tmp_path), str(model), STEP, heldout=1 << 60))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    shard = Shard(str(tmp_path / "shard-00000.tok"))
    shard.verify()
    assert (shard.header.vocab_size, shard.tokens.dtype) == (66_000, np.uint32)
    assert shard.tokens.tolist() == [1, *processor.encode(document.text), 2]
    assert shard.tokens.max() > 0xFFFF


def test_shards_are_groups_of_consecutive_parts() -> None:
    sizes = [3, 3, 3, 20, 0, 1]
    planned = group_parts([Part(n, "", 1, size) for n, size in enumerate(sizes)], 7)
    assert [[part.number for part in group] for group in planned] == [[0, 1], [2], [3], [4, 5]]


@pytest.fixture(scope="module")
def manifest(tokens: str, model_path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    more = write_parts(tmp_path_factory.mktemp("more"), [20])
    run_folder = str(Path(tokens).parents[1])
    run(more, f"{run_folder}/tokens/wiki-1", model_path, [[0]])
    mixture = make_mixture(
        {"books": 0.8, "wiki": 0.2}, {"books": tokens, "wiki": f"{run_folder}/tokens/wiki-1"}, None, 16, seed=3
    )
    return write_manifest(mixture, run_folder)


def concatenation(folder: str, heldout: bool = False) -> list[int]:
    index = read_index(folder)
    entries = index.heldout if heldout else index.shards
    return [token for entry in entries for token in Shard(f"{folder}/{entry.name}").tokens.tolist()]


def test_a_batch_is_the_windows_that_the_order_names(manifest: str) -> None:
    reader = TokenReader(manifest)
    assert (reader.sources, reader.seq_len, reader.vocab_size) == (("books", "wiki"), 16, 2000)
    whole = [concatenation(source.folder) for source in reader.mixture.sources]
    got = reader.batch(0, reader.sequences)
    assert got.dtype == np.int64
    assert got.shape == (reader.sequences, 17)
    source, _, sequence = reader.mixture.locate(np.arange(reader.sequences))
    for row, s, i in zip(got, source, sequence, strict=True):
        assert row.tolist() == whole[s][i * 16 : i * 16 + 17]
    # Windows that cross from one shard into the next are among them.
    edges = np.cumsum([entry.tokens for entry in reader.mixture.sources[0].index.shards])[:-1]
    assert all(
        any(s == 0 and i * 16 < edge < i * 16 + 17 for s, i in zip(source, sequence, strict=True)) for edge in edges
    )
    with pytest.raises(IndexError):
        reader.batch(reader.sequences - 1, 2)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 6, 12])
def test_the_global_batch_is_the_same_at_every_world_size(manifest: str, world: int) -> None:
    expected = TokenReader(manifest).batch(24, 12)
    share = 12 // world
    ranks = [TokenReader(manifest).batch(24 + rank * share, share) for rank in range(world)]
    assert np.array_equal(np.concatenate(ranks), expected)


def test_a_sequence_leads_back_to_its_documents(manifest: str, parts: list[TokenPart], model_path: str) -> None:
    reader = TokenReader(manifest)
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    sizes = {"books": [60, 0, 45, 1, 30], "wiki": [20]}
    for k in range(0, reader.sequences, 7):
        trace = reader.trace(k)
        assert trace.dataset == STEP
        sequence = reader.batch(k, 1)[0].tolist()
        assert (trace.spans[0].start, trace.spans[-1].stop) == (0, 17)
        for span, following in zip(trace.spans, [*trace.spans[1:], None], strict=True):
            assert following is None or following.start == span.stop
            text = texts(span.part, sizes[trace.source][span.part])[span.row]
            ids = [1, *processor.encode(text), 2]
            length = span.stop - span.start
            assert sequence[span.start : span.stop] == ids[span.offset : span.offset + length]
            assert (
                Shard(span.shard).tokens[span.position : span.position + length].tolist()
                == sequence[span.start : span.stop]
            )


def test_held_out_sequences(manifest: str) -> None:
    reader = TokenReader(manifest)
    whole = concatenation(reader.mixture.sources[0].folder, heldout=True)
    got = reader.heldout("books")
    assert len(got) == (len(whole) - 1) // 16 > 3
    assert all(row.tolist() == whole[i * 16 : i * 16 + 17] for i, row in enumerate(got))
    assert np.array_equal(reader.heldout("books", 2), got[:2])
    with pytest.raises(UserError, match="no source c4: it has books, wiki"):
        reader.heldout("c4")


def test_training_order_is_not_read_ahead_of(manifest: str, tokens: str) -> None:
    """The kernel would fetch megabytes around each sequence: mappings of a reader have the flag of MADV_RANDOM."""
    smaps = Path("/proc/self/smaps")
    if not smaps.exists():
        pytest.skip("only Linux tells how a file is mapped")

    def flags() -> list[bool]:
        mappings = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", smaps.read_text(), flags=re.MULTILINE)
        of_shards = [each for each in mappings if f"{tokens}/shard-" in each]
        return ["rr" in each.rpartition("VmFlags:")[2].split() for each in of_shards]

    reader = TokenReader(manifest)
    reader.batch(0, 40)
    found = flags()
    assert len(found) >= 2
    assert all(found)
    del reader
    whole = Shard(f"{tokens}/{read_index(tokens).shards[0].name}")  # as one that is read from front to back
    assert flags() == [False]
    del whole


def test_few_shards_are_open_at_once(manifest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = TokenReader(manifest).batch(0, 40)
    monkeypatch.setattr(concatenation_module, "MAX_OPEN", 1)
    reader = TokenReader(manifest)
    assert np.array_equal(reader.batch(0, 40), expected)
    assert len(reader._opened) == 1


def test_shards_that_are_not_those_of_the_order(manifest: str, tokens: str) -> None:
    path = Path(tokens, "shard-00001.tok")
    data = path.read_bytes()
    try:
        path.unlink()
        with pytest.raises(UserError, match=r"cannot open .*shard-00001.tok"):
            TokenReader(manifest).batch(0, 60)
        path.write_bytes(Path(tokens, "shard-00000.tok").read_bytes())
        with pytest.raises(DamagedFile, match="the order was made for"):
            TokenReader(manifest).batch(0, 60)
    finally:
        path.write_bytes(data)
