"""`corpus shards verify`, `info` and `cat` on a folder that is whole, and on what can become of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from tests.tokenizer.folders import HELD, STEP, run, texts, write_parts
from tests.tokenizer.token_folders import flip
from tokenizer.index import read_index
from tokenizer.shards import Shard
from tokenizer.trace import write_documents

SIZES = [30, 0, 20]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_path: str) -> Path:
    home = tmp_path_factory.mktemp("run")
    data = home / "books" / "10-step" / "data"
    data.mkdir(parents=True)
    model = str(shutil.copy(model_path, home / "tokenizer.model"))
    run(write_parts(data, SIZES), str(home / "tokens"), model, [[0], [1], [2]])
    write_documents(str(home / "tokens"), str(data.parent), model)
    return home


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run")) / "tokens"


def invoke(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["shards", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_a_whole_folder(folder: Path) -> None:
    index = read_index(str(folder))
    tokens = index.tokens + sum(entry.tokens for entry in index.heldout)
    assert invoke("verify", folder) == (0, f"6 of 6 shards are whole, with {tokens:,} tokens\n", "")
    shard = folder / "shard-00001.tok"
    assert invoke("verify", shard) == (0, "1 of 1 shards are whole, with 0 tokens\n", "")


def altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4100] ^= 1
    path.write_bytes(data)


def relist(folder: Path, **changes: object) -> None:
    body = json.loads((folder / "index.json").read_text())
    body["heldout"][2] |= changes
    (folder / "index.json").write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("damage", "messages"),
    [
        (lambda at: altered(at / "heldout" / "shard-00002.tok"), ["heldout/shard-00002.tok is altered in bytes 4096 "]),
        (lambda at: (at / "shard-00001.tok").unlink(), ["cannot open {at}/shard-00001.tok"]),
        (lambda at: shutil.copy(at / "shard-00000.tok", at / "shard-00003.tok"), ["shard-00003.tok is not in index."]),
        (lambda at: shutil.copy(at / "shard-00000.tok", at / "shard-00002.tok"), ["shard-00002.tok is whole, but has"]),
        (lambda at: relist(at, documents=99), ["heldout/shard-00002.tok has ", " documents and index.json lists 99"]),
        (lambda at: (at / "index.json").unlink(), ["index.json does not exist"]),
        (
            lambda at: (altered(at / "shard-00000.tok"), altered(at / "shard-00002.tok")),
            ["shard-00000.tok is altered", "shard-00002.tok is altered"],
        ),
    ],
)  # fmt: skip
def test_all_that_is_damaged_is_named(folder: Path, damage: Callable[[Path], None], messages: list[str]) -> None:
    damage(folder)
    code, _, errors = invoke("verify", folder)
    assert code == 2
    for message in messages:
        assert message.format(at=folder) in errors
    assert all(line.startswith("corpus: ") for line in errors.splitlines())


def test_a_shard_of_another_step_is_seen(folder: Path) -> None:
    body = json.loads((folder / "index.json").read_text())
    body["header"]["dataset"] = "12" * 32
    (folder / "index.json").write_text(json.dumps(body))
    code, printed, errors = invoke("verify", folder)
    assert (code, printed[:6], errors.count("differ in dataset")) == (2, "0 of 6", 6)


def test_info(folder: Path) -> None:
    index = read_index(str(folder))
    code, printed, _ = invoke("info", folder)
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines()[1:])
    assert code == 0
    held = sum(entry.documents for entry in index.heldout)
    assert lines["documents"] == f"{index.documents}, and {held} held out, one in {HELD}"
    assert (lines["dataset"], lines["tokenizer"]) == (STEP, index.header.tokenizer)
    assert lines["model"] == str(folder.parent / "tokenizer.model")
    assert lines["step"] == str(folder.parent / "books" / "10-step")
    text = sum(entry.text_bytes for entry in index.shards)
    assert lines["text"] == f"{text:,} bytes, {text / index.tokens:.2f} a token"
    printed = invoke("info", folder, folder / "shard-00002.tok")[1]
    assert printed.count("tokenizer  ") == 2
    assert f"{index.shards[2].documents}, of 1 parts" in printed
    assert "uint16, vocabulary of 2,000" in printed


def test_cat(folder: Path) -> None:
    shard = Shard(str(folder / "shard-00002.tok"))
    code, printed, _ = invoke("cat", shard.path, "--limit", 2)
    assert (code, printed.count("=== document")) == (0, 2)
    part, row = shard.origin(5)
    assert part == 2
    code, printed, _ = invoke("cat", shard.path, "--document", 5)
    title, text = printed.split("\n", 1)
    start, stop = map(int, shard.document_offsets[5:7])
    assert title == f"=== document 5: books:test:2/{row} (part 2 row {row}), {stop - start} tokens from {start} on"
    assert text.removesuffix("\n") == texts(2, SIZES[2])[row]
    (folder / "documents.json").unlink()
    printed = invoke("cat", shard.path, "--document", 5, "--ids")[1]
    assert [int(piece) for piece in printed.splitlines()[1].split()] == shard.tokens[start:stop].tolist()
    assert "documents.json does not exist" in str(CliRunner().invoke(app, ["shards", "cat", shard.path]).exception)
    result = CliRunner().invoke(app, ["shards", "cat", shard.path, "--document", "999", "--ids"])
    assert "give a number from 0 to" in str(result.exception)
    flip(Path(shard.path), 4096)
    result = CliRunner().invoke(app, ["shards", "cat", shard.path, "--ids"])
    assert "is altered in bytes 4096 to" in str(result.exception)
