"""From a shard, and from the sequences of a run, to documents."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import sentencepiece
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import DamagedFile, UserError
from corpus.steps.spill import GroupedPartition, encode_block, gather
from tests.tokenizer.folders import STEP, run, texts, write_parts
from tests.tokenizer.token_folders import flip
from tokenizer.index import write_index
from tokenizer.materialize import Place, Stretches, WriteShard, layout_of
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.reader import TokenReader
from tokenizer.trace import documents_of, locate, trace_sequences, write_documents

SIZES = [30, 20]


@pytest.fixture
def home(tmp_path: Path, model_path: str) -> Path:
    """A run's folder with one source: documents, tokens and a mixture."""
    data = tmp_path / "run" / "books" / "10-step" / "data"
    data.mkdir(parents=True)
    model = str(shutil.copy(model_path, tmp_path / "run" / "tokenizer.model"))
    tokens = str(tmp_path / "run" / "tokens" / "books-1")
    run(write_parts(data, SIZES), tokens, model, [[0], [1]])
    write_documents(tokens, str(data.parent), model)
    return tmp_path / "run"


def test_a_token_leads_to_its_document(home: Path, model_path: str) -> None:
    shard = str(home / "tokens" / "books-1" / "shard-00001.tok")
    found = locate(shard, 0)
    assert (found.piece, found.part, found.offset) == ("<s>", 1, 0)
    assert found.id == f"books:test:1/{found.row}"
    assert Path(found.step) == home / "books" / "10-step"
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    document = [1, *processor.encode(texts(1, SIZES[1])[found.row]), 2]
    assert found.around == processor.decode(document[:17])
    end = locate(shard, len(document) - 1)
    assert (end.piece, end.row, end.around) == ("</s>", found.row, processor.decode(document[-17:]))
    held_out = locate(str(home / "tokens" / "books-1" / "heldout" / "shard-00000.tok"), 1)
    assert (held_out.part, held_out.offset) == (0, 1)
    with pytest.raises(UserError, match="give a smaller position"):
        locate(shard, 10**6)
    flip(Path(shard), 4096)
    with pytest.raises(DamagedFile, match="altered in bytes 4096 to"):
        locate(shard, 0)


def test_a_moved_run_is_traced(home: Path, tmp_path: Path) -> None:
    home.rename(tmp_path / "moved")
    shard = str(tmp_path / "moved" / "tokens" / "books-1" / "shard-00000.tok")
    assert locate(shard, 0).step == str(tmp_path / "moved" / "books" / "10-step")


def test_the_sequences_of_a_step_lead_to_their_documents(home: Path, model_path: str) -> None:
    manifest = write_manifest(
        make_mixture({"books": 1}, {"books": str(home / "tokens" / "books-1")}, None, 16), str(home)
    )
    reader = TokenReader(manifest)
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    traced = list(trace_sequences(manifest, reader.fingerprint, 24, 6))
    assert [each.number for each in traced] == list(range(24, 30))
    for each in traced:
        sequence = reader.batch(each.number, 1)[0].tolist()
        assert each.trace.dataset == STEP
        for span, name in zip(each.trace.spans, each.documents, strict=True):
            part, row = map(int, name.removeprefix("books:test:").split("/"))
            ids = [1, *processor.encode(texts(part, SIZES[part])[row]), 2]
            assert sequence[span.start : span.stop] == ids[span.offset :][: span.stop - span.start]

    with pytest.raises(UserError, match=f"is mixture {reader.fingerprint}, not 12"):
        list(trace_sequences(manifest, "12", 0, 1))
    with pytest.raises(UserError, match="give an earlier step"):
        list(trace_sequences(manifest, reader.fingerprint, reader.sequences - 1, 2))
    shutil.rmtree(home / "books")
    (without,) = trace_sequences(manifest, reader.fingerprint, 24, 1)
    span = without.trace.spans[0]
    assert without.documents[0] == f"part {span.part} row {span.row}"


def test_what_is_gone_is_named(home: Path) -> None:
    shard = str(home / "tokens" / "books-1" / "shard-00000.tok")
    (home / "books").rename(home / "elsewhere")
    with pytest.raises(UserError, match=r"10-step, whose documents .*books-1 holds, is gone: run the recipe again"):
        locate(shard, 0)
    (home / "tokenizer.model").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.model, which .* was made with, is gone"):
        locate(shard, 0)
    (home / "tokens" / "books-1" / "documents.json").unlink()
    with pytest.raises(UserError, match=r"documents\.json does not exist"):
        documents_of(shard)


def test_a_token_of_a_materialised_shard_leads_to_its_document(home: Path) -> None:
    tokens = str(home / "tokens" / "books-1")
    manifest = write_manifest(make_mixture({"books": 1}, {"books": tokens}, None, 16), str(home))
    reader = TokenReader(manifest)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(home / "tokenizer.model"))
    plan = layout_of(manifest, 3000)
    blocks: dict[int, list[pa.RecordBatch]] = {}
    for stretch in Stretches()(manifest):
        for number, block in gather(Place(plan)(stretch), plan.shards):
            blocks.setdefault(number, []).append(block)
    for number, some in blocks.items():
        WriteShard(plan)(GroupedPartition(number, tuple(encode_block(block) for block in some)))
    write_index(plan.folder, plan.shards)
    assert plan.shards > 2
    for row, offset in ((0, 0), (7, 5), (9, 16)):
        k = 2 * plan.per_shard + row
        (span,) = [span for span in reader.trace(k).spans if span.start <= offset < span.stop]
        expected = locate(span.shard, span.position + offset - span.start)
        assert locate(f"{plan.folder}/shard-00002.tok", row * 17 + offset) == expected
    command = ["shards", "cat", f"{plan.folder}/shard-00000.tok", "--document", "1"]
    title, text = CliRunner().invoke(app, command).stdout.split("\n", 1)
    assert title == "=== document 1: part 0 row 1, 17 tokens from 17 on"
    assert text == processor.decode(reader.batch(1, 1)[0].tolist()) + "\n"
    with pytest.raises(UserError, match=r"is a token folder: give one of its shards"):
        CliRunner().invoke(app, ["trace", plan.folder, "0"], catch_exceptions=False)
