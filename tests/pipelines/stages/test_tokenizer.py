"""The tokenizer of finished documents: the same bytes whatever the work was split into, and never another's folder."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import sentencepiece
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.errors import DamagedFile, UserError
from corpus.recipe.load import load, source_entry
from corpus.recipe.sections import TokenizerSection
from corpus.steps.identity import token_digest, tokenizer_digest
from corpus.storage import read_json
from pipelines.engine.runner import Runner
from pipelines.gc import stale_folders
from pipelines.run import run
from pipelines.stages.tokenizer import recipe_shares, training_lines
from tests.pipelines.stages.alone import RUNNER, done, extracted, tokenizer_of, tokens_of
from tests.tokenizer.conftest import trained
from tokenizer.index import read_index
from tokenizer.model import model_sha256
from tokenizer.shards import Shard

SECTION = TokenizerSection(vocab_size=400, sample_bytes=40_000, held_out=10)
SHARES = {"c4": 0.75, "books": 0.25}

SHA256 = "8e322454ec0c31531fc399a02f13a66cbcee7decb507a634e51d3574443788c5"
"""Of the model of `raw` with `SECTION` and `SHARES`, by sentencepiece 0.2."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    rng = random.Random(4)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyzéк中 ", k=rng.randint(1, 8))) for _ in range(500)]
    for number in range(4):
        rows = [
            {"text": "\n".join(" ".join(rng.choices(words, k=9)) for _ in range(5)), "url": f"https://a/{number}/{n}"}
            for n in range(40)
        ]
        for source in ("c4", "books"):
            (folder / source).mkdir(exist_ok=True)
        (folder / "c4" / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        (folder / "books" / f"{number}.txt").write_text(rows[0]["text"] * 20, "utf-8")
    return folder


def extract_both(raw: Path, folder: Path, split_bytes: int, runner: Runner = RUNNER) -> dict[str, StepFolder]:
    entries = [replace(source_entry(name, str(raw / name), "{}"), split_bytes=split_bytes) for name in ("c4", "books")]
    return {entry.name: extracted(entry, folder / entry.name, runner) for entry in entries}


@pytest.fixture(scope="module")
def documents(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, StepFolder]:
    return extract_both(raw, tmp_path_factory.mktemp("documents"), 1 << 30)


@pytest.fixture(scope="module")
def model(documents: dict[str, StepFolder], tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tmp_path_factory.mktemp("run")
    stage = tokenizer_of(SECTION, SHARES, documents, home)
    assert done(stage, home / ".work")
    return stage.model


def test_the_model_is_pinned(model: str) -> None:
    report = read_json(str(Path(model).with_name("report.json")))
    assert report["sha256"] == model_sha256(model) == SHA256


def test_splitting_and_workers_change_nothing(raw: Path, documents: dict[str, StepFolder], tmp_path: Path) -> None:
    two = Runner("local", 2, quiet=True)
    other = extract_both(raw, tmp_path, 5000, two)
    assert [len(other[name].parts()) > len(documents[name].parts()) for name in SHARES] == [True, True]
    backwards = dict(reversed(SHARES.items()))
    stage = tokenizer_of(SECTION, backwards, other, tmp_path)
    assert done(stage, tmp_path / ".work", two)
    assert model_sha256(stage.model) == SHA256


def test_the_sample_keeps_the_shares_and_is_counted(model: str, documents: dict[str, StepFolder]) -> None:
    report = read_json(str(Path(model).with_name("report.json")))
    whole = sum(report["text_bytes"].values())
    assert whole == report["bytes"] + report["skipped_bytes"] <= SECTION.sample_bytes
    assert report["text_bytes"]["c4"] / whole == pytest.approx(0.75, abs=0.1)
    assert report["skipped_lines"] == 0
    printed = "\n".join(training_lines(model))
    assert report["sha256"] in printed
    assert f"{report['lines']:,} lines, {report['bytes']:,} bytes" in printed
    assert not (Path(model).parents[1] / ".work" / report["digest"][:8]).exists()


def test_what_decides_the_model_and_what_the_tokens(documents: dict[str, StepFolder]) -> None:
    def digests(section: TokenizerSection) -> tuple[str, str]:
        return tokenizer_digest(section, SHARES, documents), token_digest(documents["c4"], "ab" * 32, section)

    of_model, of_tokens = digests(SECTION)
    for change in ({"bos": False}, {"eos": False}):
        changed = digests(SECTION.model_copy(update=change))
        assert (changed[0] == of_model, changed[1] == of_tokens) == (True, False)
    changed = digests(SECTION.model_copy(update={"vocab_size": 401}))
    assert (changed[0] == of_model, changed[1] == of_tokens) == (False, True)
    assert digests(SECTION.model_copy(update={"max_skipped": 0.5})) == (of_model, of_tokens)


def test_lines_that_are_too_long_stop_it_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    rng = random.Random(5)
    line = " ".join("".join(rng.choices("abcdefgh", k=4)) for _ in range(300))
    rows = [{"text": f"{line}\n" * 9 + "x" * 5000, "url": f"https://a/{n}"} for n in range(4)]
    (tmp_path / "raw" / "c4.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    folder = extracted(source_entry("c4", str(tmp_path / "raw"), "{}"), tmp_path / "c4")
    command = ["tokenizer", "train", str(tmp_path / "t"), "--input", f"c4={folder.path}", "--vocab-size", "300"]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, UserError)
    assert "4 lines with 27.0% of the bytes are longer than 4,192 bytes" in str(done.exception)
    assert not (tmp_path / "t" / "tokenizer.model").exists()
    done = CliRunner().invoke(app, [*command, "--max-skipped", "0.3"])
    assert done.exit_code == 0
    assert "left out 4 lines, 20,000 bytes (27.04%): too long" in done.output


def test_the_command(documents: dict[str, StepFolder], model: str, tmp_path: Path) -> None:
    command = ["tokenizer", "train", str(tmp_path / "t"), "--vocab-size", "400", "--sample-bytes", "40000"]
    command += ["--held-out", "10", "--workers", "1"]
    for name in SHARES:
        command += ["--input", f"{name}={documents[name].path}"]
    shares = ["--share", "c4=0.75", "--share", "books=0.25"]
    done = CliRunner().invoke(app, command + shares)
    assert done.exit_code == 0, done.output
    assert SHA256 in done.output
    assert Path(model).read_bytes() == (tmp_path / "t" / "tokenizer.model").read_bytes()
    assert CliRunner().invoke(app, command + shares).output == f"tokenizer: {tmp_path}/t/tokenizer.model was there\n"
    for wrong, message in [
        ([], "holds the tokenizer"),
        (["--share", "c4=1"], "one above 0 for each of c4, books"),
        (["--share", "c4=0.5", "--share", "books=0.6"], "add up to 1"),
        (["--share", "c4=half", "--share", "books=0.5"], "write a number"),
        (["--share", "c4"], "write KEY=VALUE"),
        (["--share", "c4=0.5", "--share", "c4=0.75", "--share", "books=0.25"], "--share names a source twice"),
        (["--input", f"c4={documents['books'].path}"], "--input names a source twice"),
    ]:
        assert message in str(CliRunner().invoke(app, command + wrong).exception)


def test_killed_before_the_report(
    documents: dict[str, StepFolder], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train() -> bool:
        return done(tokenizer_of(SECTION, SHARES, documents, tmp_path, target=tmp_path), tmp_path / ".work")

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.stages.tokenizer.write_json", lambda path, body: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train()
    assert (tmp_path / "tokenizer.model").exists()
    assert train()
    assert (tmp_path / "report.json").read_bytes() == Path(model).with_name("report.json").read_bytes()
    assert not train()


def test_a_model_of_someone_else_is_left_alone(documents: dict[str, StepFolder], tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"mine")
    with pytest.raises(UserError, match="was not trained by this command"):
        done(tokenizer_of(SECTION, SHARES, documents, tmp_path, target=tmp_path), tmp_path / ".work")
    assert (tmp_path / "tokenizer.model").read_bytes() == b"mine"


def test_a_model_that_changed_is_refused(documents: dict[str, StepFolder], model: str, tmp_path: Path) -> None:
    for name in ("tokenizer.model", "report.json"):
        (tmp_path / name).write_bytes(Path(model).with_name(name).read_bytes())
    path = tmp_path / "tokenizer.model"
    path.write_bytes(trained())
    with pytest.raises(DamagedFile, match="is no longer the model that was trained"):
        done(tokens_of(documents["c4"], "c4", str(path), SECTION, tmp_path / "tokens"), tmp_path / ".work")
    assert not (tmp_path / "tokens").exists()


@pytest.mark.parametrize(("bos", "eos"), [(True, True), (False, True), (True, False), (False, False)])
def test_bos_and_eos(documents: dict[str, StepFolder], model: str, tmp_path: Path, bos: bool, eos: bool) -> None:
    section = SECTION.model_copy(update={"bos": bos, "eos": eos})
    stage = tokens_of(documents["books"], "books", model, section, tmp_path)
    assert done(stage, tmp_path / ".work")
    shard = Shard(f"{stage.folder}/shard-00000.tok")
    header = read_index(stage.folder).header
    assert (header.bos, header.eos) == (1 if bos else -1, 2 if eos else -1)
    first = shard.tokens[: int(shard.document_offsets[1])].tolist()
    assert (first[0] == 1, first[-1] == 2) == (bos, eos)
    ids = first[int(bos) : len(first) - int(eos)]
    assert not {1, 2} & set(ids)
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    assert processor.encode(processor.decode(ids)) == ids


def test_a_model_without_the_piece_is_refused_before_the_work(raw: Path, tmp_path: Path) -> None:
    model, recipe = tmp_path / "m.model", tmp_path / "recipe.yaml"
    model.write_bytes(trained(bos_id=-1))
    for setting, message in (("", r"has no BOS piece: set `bos: false`, or --no-bos"), (", bos: false", "")):
        recipe.write_text(
            f"format: 1\noutput: {tmp_path}/run\nsources:\n  c4: {{input: {raw}/c4}}\n"
            f"tokenizer: {{model: {model}, held_out: 10{setting}}}\n",
            "utf-8",
        )
        if message:
            with pytest.raises(UserError, match=message):
                run(load(str(recipe)), RUNNER, say=lambda line: None)
            assert not (tmp_path / "run").exists()
    result = run(load(str(recipe)), RUNNER, say=lambda line: None)
    assert read_index(result.graph.tokens["c4"].folder).header.bos == -1
    assert stale_folders(str(tmp_path / "run")) == []


def test_shares_of_a_recipe_whose_mixture_has_token_folders_too(raw: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    sources = "".join(f"  {name}: {{input: {raw}/{name}}}\n" for name in SHARES)
    head = f"format: 1\noutput: {tmp_path}/run\nsources:\n{sources}tokenizer: {{}}\n"
    for mixture, shares in [
        ("", {"c4": 0.5, "books": 0.5}),
        ("mixture: {shares: {c4: 3/10, books: 1/10, web: 0.6}, folders: {web: elsewhere}}\n", SHARES),
        ("mixture: {shares: {web: 1}, folders: {web: elsewhere}}\n", {"c4": 0.5, "books": 0.5}),
    ]:
        recipe.write_text(head + mixture, "utf-8")
        assert recipe_shares(load(str(recipe))) == shares
