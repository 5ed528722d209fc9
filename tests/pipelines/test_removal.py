"""Documents taken out of a run: found, recorded, and kept out whatever is run again."""

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe.load import load
from corpus.removal import listed, read_values, requests
from corpus.report.summary import summarise
from corpus.steps.find import Wanted
from corpus.storage import read_json
from pipelines.export import export_documents
from pipelines.gc import stale_folders
from pipelines.removal import Removal, take_out
from pipelines.run import RunResult, run
from tests.pipelines.stages.alone import RUNNER
from tokenizer.reader import TokenReader
from tokenizer.trace import trace_sequences

RECIPE = """\
format: 1
output: {output}
sources:
  stories:
    type: c4
    input: {raw}/stories
    split_bytes: 2000
    steps: [length: {{min_chars: {least}}}]
  poems:
    type: c4
    input: {raw}/poems
    split_bytes: 2000
    steps: [length: {{min_chars: {least}}}]
across: [near]
tokenizer: {{vocab_size: 320, held_out: 5}}
mixture:
  shares: {{stories: 0.6, poems: 0.4}}
  sequence_length: 32
"""
BATCH = 4


@dataclass
class Home:
    """A run of `RECIPE` in `run` below a folder, and its raw files."""

    path: Path
    raw: Path
    result: RunResult

    @property
    def run(self) -> str:
        return str(self.path / "run")

    def again(self, least: int = 20) -> RunResult:
        return run_recipe(self.path, self.raw, least)

    def remove(self, ids: Sequence[str] = (), urls: Sequence[str] = ()) -> Removal:
        wanted = Wanted(tuple(sorted(ids)), tuple(sorted(urls)))
        return take_out(self.run, wanted, RUNNER, steps_of, lambda line: None)


def steps_of(fingerprint: str, sequences: Sequence[int]) -> Mapping[str, list[int]]:
    return {"model": sorted({k // BATCH + 1 for k in sequences})}


def run_recipe(home: Path, raw: Path, least: int = 20) -> RunResult:
    recipe = home / "recipe.yaml"
    recipe.write_text(RECIPE.format(output=home / "run", raw=raw, least=least), encoding="utf-8")
    return run(load(str(recipe)), RUNNER, say=lambda line: None)


def text(words: random.Random, lines: int = 3) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "\n".join(" ".join("".join(words.choices(letters, k=6)) for _ in range(12)) for _ in range(lines))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 stories and 25 poems; story 24 and a poem are too short, poem 23 is a copy of story 0."""
    home = tmp_path_factory.mktemp("removal")
    words = random.Random(0)
    stories = [text(words) for _ in range(24)] + ["too brief"]
    poems = [text(words) for _ in range(23)] + [f"{stories[0]} end", "tiny"]
    for name, texts in (("stories", stories), ("poems", poems)):
        folder = home / "raw" / name
        folder.mkdir(parents=True)
        for number in range(3):
            rows = [{"text": one, "url": f"https://{name}/{n}"} for n, one in enumerate(texts) if n % 3 == number]
            body = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{number}.jsonl").write_text(body, encoding="utf-8")
    run_recipe(home, home / "raw")
    return home


@pytest.fixture
def home(first: Path, tmp_path: Path) -> Home:
    shutil.copytree(first / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "recipes")  # they name the other folder
    result = run_recipe(tmp_path, first / "raw")
    assert result.ran == 0
    return Home(tmp_path, first / "raw", result)


def documents(step: StepFolder) -> list[dict[str, str]]:
    return [row for part in step.parts() for batch in read_part(step.data(part.number)) for row in batch.to_pylist()]


def last(result: RunResult, source: str) -> StepFolder:
    return result.graph.finished_documents()[source][-1]


def test_a_document_does_not_come_back(home: Home) -> None:
    story, other = documents(last(home.result, "stories"))[3:5]
    done = home.remove([story["id"]], [other["url"]])
    assert [(one.id, one.dropped) for one in done.taken] == [(story["id"], False), (other["id"], False)]
    assert done.missing == []
    before = {name: stage.folder for name, stage in home.result.graph.tokens.items()}
    assert home.result.graph.tokenizer is not None
    again = home.again()
    ids = {row["id"] for row in documents(last(again, "stories"))}
    assert ids == {row["id"] for row in documents(last(home.result, "stories"))} - {story["id"], other["id"]}
    assert again.graph.tokenizer is not None
    assert again.graph.tokenizer.model == home.result.graph.tokenizer.model
    assert again.graph.tokens["poems"].folder == before["poems"]  # it has none of them: nothing is done again
    assert again.graph.tokens["stories"].folder != before["stories"]
    assert again.mixture not in (None, home.result.mixture)
    assert names_in(str(again.mixture)) & {story["id"], other["id"]} == set()
    assert home.again().ran == 0
    # What still holds them is no recipe's any more.
    stale = stale_folders(home.run)
    assert before["stories"] in stale
    assert str(Path(str(home.result.mixture)).parent) in stale
    assert last(again, "stories").path not in stale
    summary = summarise("stories", again.graph.finished_documents()["stories"])
    assert summary.adds_up
    assert summary.dropped["remove", "on_request"] == 2


def names_in(manifest: str) -> set[str]:
    reader = TokenReader(manifest)
    return {
        name
        for traced in trace_sequences(manifest, reader.fingerprint, 0, reader.sequences)
        for name in traced.documents
    }


def test_every_sequence_that_held_it_is_named(home: Home) -> None:
    """By the way back, from each sequence to its documents (`tokenizer.trace`)."""
    manifest = str(home.result.mixture)
    reader = TokenReader(manifest)
    held: dict[str, list[int]] = {}
    for traced in trace_sequences(manifest, reader.fingerprint, 0, reader.sequences):
        for name in set(traced.documents):
            held.setdefault(name, []).append(traced.number)
    rows = [row for source in ("stories", "poems") for row in documents(last(home.result, source))[1:]]
    done = home.remove([row["id"] for row in rows])
    held_out = 0
    assert len(done.taken) == len(rows)
    for one in done.taken:
        (tokens,) = one.tokens
        if tokens.held_out:
            held_out += 1
            assert one.id not in held
            assert tokens.trained == []
        else:
            (training,) = tokens.trained
            assert training.sequences == held[one.id]
            assert training.steps == {"model": sorted({k // BATCH + 1 for k in held[one.id]})}
            assert str(Path(home.run) / training.manifest) == manifest
    assert held_out


def test_the_record(home: Home) -> None:
    row = documents(last(home.result, "poems"))[0]
    done = home.remove([row["id"], "c4:nobody"])
    assert done.missing == ["c4:nobody"]
    record = read_json(done.record)
    assert record["ids"] == sorted([row["id"], "c4:nobody"])
    (found,) = record["found"]
    assert (found["source"], found["id"], found["url"]) == ("poems", row["id"], row["url"])
    assert found["file"] in {"0.jsonl", "1.jsonl", "2.jsonl"}
    step = StepFolder(str(Path(home.run) / found["step"]))
    assert next(read_part(step.data(found["part"])))["id"][found["row"]].as_py() == row["id"]
    home.remove(urls=[documents(last(home.result, "stories"))[0]["url"]])
    assert len(requests(home.run)) == 2
    assert listed(home.run).ids == tuple(sorted([row["id"], "c4:nobody"]))
    assert home.again().ran > 0
    assert read_json(done.record) == record


def test_what_a_rule_had_dropped_stays_out_under_another_threshold(home: Home) -> None:
    done = home.remove(urls=["https://stories/24", "https://poems/23"])
    assert sorted((one.url, one.dropped, one.tokens) for one in done.taken) == [
        ("https://poems/23", True, []),  # by `near`, across sources
        ("https://stories/24", True, []),  # by `length`
    ]
    assert home.again().ran == 0  # no document of the run's last steps is touched
    urls = {row["url"] for source in ("stories", "poems") for row in documents(last(home.again(2), source))}
    assert "https://poems/24" in urls  # came in by the new threshold
    assert "https://stories/24" not in urls


def test_what_was_never_there_changes_nothing(home: Home) -> None:
    with pytest.raises(UserError, match=r"none of the 2 ids and URLs is in a finished step of .*nothing is changed"):
        home.remove(["nobody"], ["https://nobody"])
    assert requests(home.run) == []
    assert home.again().ran == 0
    with pytest.raises(UserError, match=r"has no recipe\.yaml: give the folder of a run"):
        take_out(str(home.raw), Wanted(("x",)), RUNNER, steps_of, print)


def rows_of(step: Path, kind: str) -> list[dict[str, str]]:
    paths = sorted((step / "meta" / kind).iterdir())
    return [row for path in paths for batch in read_part(str(path)) for row in batch.to_pylist()]


def test_no_sample_shows_it_and_no_export_has_it(home: Home) -> None:
    row = documents(last(home.result, "stories"))[0]
    home.remove([row["id"]])
    (step,) = (Path(home.run) / "stories").glob("99-remove-*")
    for path in step.rglob("*"):
        if path.is_file():
            assert row["text"][:50].encode() not in path.read_bytes()
    samples = [
        one for path in step.glob("meta/samples/*") for batch in read_part(str(path)) for one in batch.to_pylist()
    ]
    assert {one["reason"] for one in samples} == {"kept"}
    decisions = [one for path in step.glob("meta/decisions/*") for b in read_part(str(path)) for one in b.to_pylist()]
    assert [(one["step"], one["reason"]) for one in decisions] == [("remove", "on_request")]
    out = home.path / "exported"
    export_documents([home.run], str(out), "jsonl.zst", ("id", "text"), 1 << 20, RUNNER)
    assert (out / "stories").exists()
    # A request that was recorded, and whose step was not made: killed in between.
    other = documents(StepFolder(str(step)))[0]
    record = {"ids": [other["id"]], "urls": [], "format": 1}
    (Path(home.run) / "removed" / "request-0002.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UserError, match=r"still has documents of .* to remove: run its recipe first"):
        export_documents([home.run], str(home.path / "more"), "jsonl.zst", ("id", "text"), 1 << 20, RUNNER)
    again = home.again()
    assert other["id"] not in {one["id"] for one in documents(last(again, "stories"))}


def test_the_command(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    row = documents(last(home.result, "stories"))[0]
    reader = TokenReader(str(home.result.mixture))
    model = home.path / "run" / "model"
    model.mkdir()
    start = {"event": "start", "mixture": "x", "fingerprint": reader.fingerprint, "sequence": 0, "batch": BATCH}
    lines = [{**start, "step": 0, "steps": 1000}, {"event": "step", "step": 1000}]
    (model / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    file = home.path / "takedown.txt"
    file.write_text(f"\ufeff{row['url']}\r\n\r\nhttps://nobody\n{row['url']}\n", encoding="utf-8")
    assert read_values(str(file)) == tuple(sorted([row["url"], "https://nobody"]))
    monkeypatch.chdir(home.path)
    done = CliRunner().invoke(app, ["remove", "run", "--urls", "takedown.txt", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert f"{row['id']}: source stories, part " in done.output
    assert "not found: https://nobody" in done.output
    assert "documents out: 1; ids and URLs not found: 1; record: run/removed/request-0001.json" in done.output
    record = read_json(str(home.path / "run" / "removed" / "request-0001.json"))
    (training,) = record["found"][0]["tokens"][0]["trained"]
    assert training["steps"] == {"run/model": sorted({k // BATCH + 1 for k in training["sequences"]})}
    assert f"    run/model: step{'s' if len(training['steps']['run/model']) > 1 else ''} " in done.output
    for wrong in (["remove", "run"], ["remove", "run", "--ids", "none.txt"]):
        failed = CliRunner().invoke(app, wrong)
        assert isinstance(failed.exception, UserError)
