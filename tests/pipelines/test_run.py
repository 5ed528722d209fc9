"""What a run says before its first stage, and that a recipe in any order runs."""

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe.load import load
from corpus.report.summary import summarise
from corpus.trace import trace
from pipelines.engine.runner import Runner
from pipelines.gc import stale_folders
from pipelines.run import RunResult, run
from pipelines.summary import summary_table
from tests.pipelines.stages.alone import RUNNER
from tests.small_run import files_of
from tokenizer.reader import TokenReader
from tokenizer.trace import locate


def test_what_would_stop_the_last_source_is_said_before_the_first(six_texts: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    head = f"format: 1\noutput: {tmp_path}/run\nsources:\n  c4: {{input: {six_texts}}}\n"
    for rest, message in [
        ("  books: {input: /nowhere}\n", "input /nowhere does not exist: set `input` to the folder"),
        ("tokenizer: {model: /nowhere/t.model}\n", "tokenizer model /nowhere/t.model does not exist"),
    ]:
        path.write_text(head + rest, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            run(load(str(path)), RUNNER, say=lambda line: None)
        assert not (tmp_path / "run").exists()
    run(load(str(path)), RUNNER, only=["c4"], say=lambda line: None)


# Every order


RECIPE = """\
format: 1
output: {home}/{run}
sources:
  stories:
    type: c4
    input: {home}/raw/stories
    split_bytes: 2000
    steps:
      - exact
      - length: {{min_chars: 20}}
      - lines: {{min_chars: 25}}
  poems:
    type: c4
    input: {home}/raw/poems
    split_bytes: 2000
    steps:
      - length: {{min_chars: 20}}
      - gutenberg
      - length: {{min_chars: 20}}
across:
  - length: {{min_chars: 60}}
  - near
  - gutenberg
tokenizer: {{vocab_size: 320, held_out: 10}}
mixture:
  shares: {{stories: 0.5, poems: 0.5}}
  sequence_length: 32
"""
MENU = "home about contact imprint"
BOOK = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n{}\n*** END OF THE PROJECT GUTENBERG EBOOK X ***"


def write_texts(folder: Path, texts: list[str]) -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        rows = [{"text": text, "url": f"https://{folder.name}/{n}"} for n, text in enumerate(texts) if n % 3 == number]
        body = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{number}.jsonl").write_text(body, encoding="utf-8")


def text(words: random.Random) -> str:
    """Three lines of words of no text but this."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "\n".join(" ".join("".join(words.choices(letters, k=6)) for _ in range(12)) for _ in range(3))


@dataclass(frozen=True)
class EveryOrder:
    """The run of `RECIPE`, and what should be left of its texts.

    Attributes:
        texts: of each source.
    """

    home: Path
    recipe: Path
    result: RunResult
    texts: dict[str, list[str]]
    said: list[str]

    def steps(self, source: str) -> list[StepFolder]:
        return self.result.graph.finished_documents()[source]


@pytest.fixture(scope="module")
def every_order(tmp_path_factory: pytest.TempPathFactory) -> EveryOrder:
    home = tmp_path_factory.mktemp("orders")
    words = random.Random(0)
    stories, poems = [text(words) for _ in range(40)], [text(words) for _ in range(40)]
    short, book, one_line = text(words)[:30], text(words), text(words).replace("\n", " ")
    write_texts(
        home / "raw" / "stories",
        [
            *stories[:5],
            *(f"{MENU}\n{story}" for story in stories[5:]),
            stories[0],  # equal: `exact` drops one
            "brief",  # `length`, behind `exact`
            "of twenty-three letters",  # `lines`, behind `length`
            short,  # the `length` across sources
            f"{MENU}\nlong enough until then",  # the same, when `lines` has removed the menu
            BOOK.format(book),  # the `gutenberg` across sources, behind `near`, takes its marks
        ],
    )
    write_texts(
        home / "raw" / "poems",
        [
            *(BOOK.format(poem) for poem in poems),
            BOOK.format("too short"),  # long enough until `gutenberg` has taken the marks: the second `length` drops it
            "short",  # the first
            f"{stories[1]} end",  # `near`, behind the `length` across sources: the first source keeps its own
            one_line,
        ],
    )
    recipe = home / "recipe.yaml"
    recipe.write_text(RECIPE.format(home=home, run="run"), encoding="utf-8")
    said: list[str] = []
    result = run(load(str(recipe)), RUNNER, say=said.append)
    texts = {"stories": [*stories, book], "poems": [*poems, one_line]}
    return EveryOrder(home, recipe, result, texts, said)


def documents(step: StepFolder) -> list[dict[str, object]]:
    return [row for part in step.parts() for batch in read_part(step.data(part.number)) for row in batch.to_pylist()]


def test_steps_are_cut_before_each_dedup(every_order: EveryOrder) -> None:
    names = {source: [step.manifest()["step"] for step in every_order.steps(source)] for source in every_order.texts}
    assert names == {
        "stories": ["extract", "exact+length", "lines", "length", "near+gutenberg"],
        "poems": ["extract", "length+gutenberg+length-2", "length", "near+gutenberg"],
    }


def test_each_rule_works_on_what_the_one_before_it_left(every_order: EveryOrder) -> None:
    dropped = {
        source: [step.manifest()["dropped"] for step in every_order.steps(source)] for source in every_order.texts
    }
    assert dropped == {
        "stories": [
            {"extract": {}},
            {"exact": {"duplicate": 1}, "length": {"too_short": 1}},
            {"lines": {"too_short": 1}},
            {"length": {"too_short": 2}},
            {},
        ],
        "poems": [
            {"extract": {}},
            {"length": {"too_short": 1}, "length-2": {"too_short": 1}},
            {},
            {"near": {"near_duplicate": 1}},
        ],
    }
    for source, expected in every_order.texts.items():
        rows = documents(every_order.steps(source)[-1])
        assert sorted(str(row["text"]).strip() for row in rows) == sorted(expected)
        assert {row["source"] for row in rows} == {source}
        summary = summarise(source, every_order.steps(source))
        assert summary.adds_up
        assert summary.documents == len(expected)


def test_lines_lead_back_to_the_text_before_them_until_it_is_another(every_order: EveryOrder) -> None:
    """`near` and `gutenberg` behind `lines`: the numbers stay where no line went, and go with the marks of a book."""
    before = {row["id"]: str(row["text"]).split("\n") for row in documents(every_order.steps("stories")[1])}
    unknown = 0
    for row in documents(every_order.steps("stories")[-1]):
        kept = row["kept_lines"]
        if kept is None:
            unknown += 1
            continue
        assert isinstance(kept, list)
        assert [before[row["id"]][line] for line in kept] == str(row["text"]).split("\n")
    assert unknown == 1
    assert {row["kept_lines"] for row in documents(every_order.steps("poems")[-1])} == {None}


def test_sources_of_one_type_go_by_their_own_names(every_order: EveryOrder) -> None:
    for source in every_order.texts:
        first = every_order.steps(source)[0]
        assert first.path.startswith(f"{every_order.home}/run/{source}/10-extract-")
        assert (first.manifest()["source"], first.manifest()["type"]) == (source, "c4")
        assert all(step.manifest()["source"] == source for step in every_order.steps(source)[1:])
    assert every_order.result.mixture is not None
    reader = TokenReader(every_order.result.mixture)
    assert reader.sources == ("poems", "stories")
    assert reader.batch(0, 4).shape == (4, 33)
    console = Console(width=160, record=True)
    with console.capture() as printed:
        console.print(summary_table(every_order.result.graph))
    rows = [line.split()[:3] for line in printed.get().splitlines()]
    assert ["stories", "46", "41"] in rows
    assert ["poems", "44", "41"] in rows


def test_documents_and_tokens_are_traced_through_any_order(every_order: EveryOrder) -> None:
    for source in every_order.texts:
        step = every_order.steps(source)[-1]
        for part in step.parts():
            rows = [row for batch in read_part(step.data(part.number)) for row in batch.to_pylist()]
            for number, row in enumerate(rows):
                stages = list(trace(step, part.number, number))
                assert json.loads(stages[0].text)["url"] == row["url"]
                assert stages[-1].text == row["text"]
        shard = Path(every_order.result.graph.tokens[source].folder) / "shard-00000.tok"
        found = locate(str(shard), 100)
        assert found.step == step.path
        names = [stage.name for stage in trace(step, found.part, found.row)]
        assert names == ["raw", *"+".join(s.manifest()["step"] for s in every_order.steps(source)).split("+")]


def test_the_costs_of_the_order_are_said_once_before_the_work(every_order: EveryOrder) -> None:
    is_cost = ["may drop that one" in line or "may score otherwise" in line for line in every_order.said]
    costs = every_order.said[: is_cost.index(False)]
    assert list(dict.fromkeys(cost.partition(":")[0] for cost in costs)) == ["stories", "poems", "across"]
    assert sum(is_cost) == len(costs)


def test_nothing_is_left_to_do_and_nothing_is_stale(every_order: EveryOrder) -> None:
    said: list[str] = []
    again = run(load(str(every_order.recipe)), RUNNER, say=said.append)
    assert (again.ran, again.mixture) == (0, every_order.result.mixture)
    assert stale_folders(str(every_order.home / "run")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "runner", [Runner("local", 2, quiet=True), Runner("local", 0, quiet=True)], ids=["two", "graph"]
)
def test_every_runner_gives_the_same_bytes(every_order: EveryOrder, runner: Runner) -> None:
    name = f"run-{runner.workers}"
    recipe = every_order.home / f"{name}.yaml"
    recipe.write_text(RECIPE.format(home=every_order.home, run=name), encoding="utf-8")
    run(load(str(recipe)), runner, say=lambda line: None)
    assert files_of(every_order.home / name) == files_of(every_order.home / "run")


def test_a_changed_threshold_scores_nothing_again_in_any_order(
    every_order: EveryOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first `length` of poems, whose stored scores serve; and the second, though a cleaner stands before it."""
    shutil.copytree(every_order.home / "run", tmp_path / "run")
    text = every_order.recipe.read_text(encoding="utf-8").replace(str(every_order.home / "run"), str(tmp_path / "run"))
    changed = text.replace("min_chars: 20}\n      - gutenberg", "min_chars: 19}\n      - gutenberg")
    assert changed != text
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(changed, encoding="utf-8")
    monkeypatch.setattr("corpus.filters.length.Length.score", lambda *arguments: 1 / 0)
    result = run(load(str(recipe)), Runner("local", 0, quiet=True), only=["poems"], say=lambda line: None)
    assert result.ran == 1


# Of another package


MODULE = '''\
from typing import Annotated

import pyarrow as pa

from corpus.rules import Cleaned, Cleaner, Filter
from corpus.schema import Document, Origin, Rejected
from corpus.sources.source import Source
from corpus.thresholds import AtLeast


class Diary(Source):
    """A line of a file is a day."""

    shout: bool = False

    def read(self, root, split):
        for piece in split.pieces:
            for number, line in enumerate(open(f"{root}/{piece.path}").read().splitlines()):
                origin = Origin(piece.path, record=number)
                text = line.upper() if self.shout else line
                yield Document(f"{piece.path}:{number}", text, origin) if line else Rejected(origin, "no_day")

    def raw(self, root, origin):
        return open(f"{root}/{origin.file}").read().splitlines()[origin.record].encode()


class Dots(Cleaner):
    """Ends with a dot."""

    def clean(self, batch):
        texts = [f"{text}." for text in batch.column("text").to_pylist()]
        return Cleaned(pa.array(texts, pa.large_string()), pa.nulls(batch.num_rows, pa.string()))


class Words(Filter):
    """Number of words."""

    least: Annotated[int, AtLeast("words", "few_words")] = 2

    def score(self, batch):
        words = [len(text.split()) for text in batch.column("text").to_pylist()]
        return pa.RecordBatch.from_pydict({"words": pa.array(words, pa.int64())})
'''


@pytest.mark.slow
def test_sources_and_rules_of_another_package_run(tmp_path: Path) -> None:
    """In worker processes, which import them by name; what was made says where they are from, and is traced by it."""
    (tmp_path / "path" / "mine").mkdir(parents=True)
    (tmp_path / "path" / "mine" / "__init__.py").touch()
    (tmp_path / "path" / "mine" / "parts.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "may.txt").write_text("rain all day\n\nsun\nwind from the north\n", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"format: 1\noutput: {tmp_path}/run\nsources:\n  days:\n    type: mine.parts:Diary\n    input: {tmp_path}/raw\n"
        "    shout: true\n    steps: [mine.parts:Words, mine.parts:Dots, exact]\n",
        encoding="utf-8",
    )

    def corpus(*arguments: str) -> str:
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", "from corpus.cli import main; main()", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "path"), str(root)])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = corpus("run", str(recipe), "--workers", "2").splitlines()
    assert [line.rpartition(": ")[2] for line in said[1:4]] == ["4 in, 3 out", "3 in, 2 out", "2 in, 2 out"]
    extract, words, exact = (StepFolder(str(path)) for path in sorted((tmp_path / "run" / "days").iterdir()))
    assert [str(row["text"]) for row in documents(exact)] == ["RAIN ALL DAY.", "WIND FROM THE NORTH."]
    manifest = extract.manifest()
    assert (manifest["source"], manifest["type"]) == ("days", "mine.parts:Diary")
    assert (manifest["class"], manifest["packages"]) == ("mine.parts:Diary", {})
    assert manifest["dropped"] == {"extract": {"no_day": 1}}
    assert [(rule["rule"], rule["class"]) for rule in words.manifest()["rules"]] == [
        ("words", "mine.parts:Words"),
        ("dots", "mine.parts:Dots"),
    ]
    assert words.manifest()["dropped"] == {"words": {"few_words": 1}}
    traced = corpus("trace", exact.path, "1", "--part", "0")
    for stage in ("=== raw", "wind from the north", "=== extract", "WIND FROM THE NORTH", "=== words", "=== dots"):
        assert stage in traced
    assert "nothing to do" in corpus("run", str(recipe), "--workers", "2")
    assert corpus("gc", str(tmp_path / "run")).startswith(f"every folder in {tmp_path}/run is named by ")
