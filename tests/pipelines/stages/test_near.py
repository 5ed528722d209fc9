"""The near dedup as a stage: equal bytes on every runner and after a break, the same documents in other parts."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.clusters import largest_clusters, names_partners
from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe.load import parse_rules, source_entry
from corpus.steps.identity import Step
from corpus.steps.rule import NamedRule
from corpus.trace import document_at
from pipelines.engine.partmap import PartsFailed
from pipelines.engine.runner import Runner
from tests.pipelines.stages.alone import extracted, processed
from tests.pipelines.stages.breaking import Near as BreakingNear

NEAR = "near: {ngram: 1, threshold: 0.9}"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Edits of edits of ten texts, and a crowded bucket: texts with much in common and something of their own."""
    folder = tmp_path_factory.mktemp("raw")
    rng = random.Random(4)
    words = [f"word{n}" for n in range(3000)]
    texts = [rng.choices(words, k=60) for _ in range(10)]
    for _ in range(150):
        text = list(rng.choice(texts))
        for place in rng.sample(range(60), rng.choice([1, 3, 6])):
            text[place] = rng.choice(words)
        texts.append(text)
    shared = rng.choices(words, k=50)
    texts += [[*shared, *(f"own{n}x{m}" for m in range(10))] for n in range(60)]
    rng.shuffle(texts)
    for number in range(6):
        rows = [{"text": " ".join(text), "url": f"https://example.org/{' '.join(text)}"} for text in texts[number::6]]
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def documents(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> StepFolder:
    return extracted(
        source_entry("c4", str(raw), "{split_bytes: 40000}"), tmp_path_factory.mktemp("documents") / "extracted"
    )


def bytes_of(step: StepFolder) -> dict[str, bytes]:
    """What was decided, and what came of it, by part."""
    kinds = [(kind, Path(step.path) / "meta" / kind) for kind in ("dedup", "decisions")]
    found = {f"{kind}/{path.name}": path.read_bytes() for kind, folder in kinds for path in folder.glob("*.parquet")}
    return found | {path.name: path.read_bytes() for path in (Path(step.path) / "data").iterdir()}


@pytest.fixture(scope="module")
def alone(documents: StepFolder, tmp_path_factory: pytest.TempPathFactory) -> StepFolder:
    """By one worker."""
    step = processed(Step(0, parse_rules([NEAR])[0], ()), documents, tmp_path_factory.mktemp("alone") / "near")
    counts = step.manifest()["documents"]
    assert counts["in"] == 220
    assert 40 < counts["in"] - counts["out"] < 150
    assert len(bytes_of(step)) == 18
    return step


@pytest.mark.parametrize("workers", [2, 0], ids=["two workers", "the cluster's graph"])
def test_equal_bytes_by_any_number_of_workers(
    documents: StepFolder, alone: StepFolder, tmp_path: Path, workers: int
) -> None:
    runner = Runner("local", workers, quiet=True)
    step = processed(Step(0, parse_rules([NEAR])[0], ()), documents, tmp_path / "near", runner)
    assert bytes_of(step) == bytes_of(alone)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_equal_bytes_on_spark(documents: StepFolder, alone: StepFolder, tmp_path: Path, spark: Runner) -> None:
    step = processed(Step(0, parse_rules([NEAR])[0], ()), documents, tmp_path / "near", spark)
    assert bytes_of(step) == bytes_of(alone)


def test_equal_bytes_when_turns_of_every_kind_broke(documents: StepFolder, alone: StepFolder, tmp_path: Path) -> None:
    """Of the nine: the round of buckets, a reread that sends sets, one that compares, and the last round."""
    broken = (0, 2, 6, 7)
    (tmp_path / "marks").mkdir()
    for number in set(range(9)) - set(broken):
        (tmp_path / "marks" / str(number)).touch()
    step = Step(0, NamedRule("near", BreakingNear(ngram=1, threshold=0.9, marks=str(tmp_path / "marks"))), ())
    for number in broken:
        with pytest.raises(PartsFailed, match="broken"):
            processed(step, documents, tmp_path / "near")
        assert (tmp_path / "marks" / str(number)).exists()
    assert bytes_of(processed(step, documents, tmp_path / "near")) == bytes_of(alone)


def test_other_parts_keep_the_same_documents(
    raw: Path, documents: StepFolder, alone: StepFolder, tmp_path: Path
) -> None:
    one = tmp_path / "raw"
    one.mkdir()
    lines = [line for path in sorted(raw.iterdir()) for line in path.read_text("utf-8").splitlines(keepends=True)]
    (one / "all.jsonl").write_text("".join(sorted(lines)), encoding="utf-8")
    few = extracted(source_entry("c4", str(one), "{}"), tmp_path / "few")
    assert (len(documents.parts()), len(few.parts())) == (6, 1)
    step = processed(Step(0, parse_rules([NEAR])[0], ()), few, tmp_path / "near")
    assert step.manifest()["dataset_digest"] == alone.manifest()["dataset_digest"]


def test_who_went_and_for_whom_stands_in_the_decisions(alone: StepFolder) -> None:
    kept = {id for part in alone.parts() for b in read_part(alone.data(part.number)) for id in b["id"].to_pylist()}
    rows = [row for n in range(6) for batch in read_part(alone.meta("dedup", n)) for row in batch.to_pylist()]
    assert len(rows) == 220 - len(kept)
    assert {row["partner"] for row in rows} <= kept
    assert all(0.9 <= row["score"] <= 1 for row in rows)


def words_of(documents: StepFolder) -> dict[str, list[str]]:
    rows = [row for part in documents.parts() for b in read_part(documents.data(part.number)) for row in b.to_pylist()]
    return {row["id"]: row["text"].split() for row in rows}


def test_show_prints_both_texts_as_one(alone: StepFolder, documents: StepFolder) -> None:
    words = words_of(documents)
    shown = CliRunner().invoke(app, ["show", alone.path, "--dropped", "near_duplicate", "--limit", "5"]).output
    samples = shown.split("\n=== ")[1:]
    assert len(samples) == 5
    for sample in samples:
        id, second, text = re.fullmatch(r"(\S+) \(.*?\)\n(.*?)\n(.*?)\n?", sample, re.DOTALL).groups()  # type: ignore[union-attr]
        partner, similarity = re.fullmatch(r"near_duplicate of (\S+), similarity (\S+)", second).groups()  # type: ignore[union-attr]
        both = [set(words[id]), set(words[partner])]
        assert float(similarity) == pytest.approx(len(both[0] & both[1]) / len(both[0] | both[1]), abs=1e-3)
        only = [re.findall(pattern, text) for pattern in (r"\[-(.*?)-\]", r"\{\+(.*?)\+\}")]
        found = [[word for passage in some for word in passage.split()] for some in only]
        assert [len(some) for some in found] == [len(found[0])] * 2  # words were replaced
        assert set(found[0]) <= both[0] and set(found[1]) <= both[1]  # noqa: PT018


def test_clusters_are_those_of_the_decisions(alone: StepFolder, documents: StepFolder) -> None:
    rows = [
        {**row, "place": (n, row["row"])}
        for n in range(6)
        for batch in read_part(alone.meta("dedup", n))
        for row in batch.to_pylist()
    ]
    sizes = Counter(row["partner"] for row in rows)
    found = largest_clusters([alone], 1000)
    assert [cluster.documents for cluster in found] == sorted((n + 1 for n in sizes.values()), reverse=True)
    assert {cluster.id: cluster.documents - 1 for cluster in found} == sizes
    for cluster in found:
        scores = [row["score"] for row in rows if row["partner"] == cluster.id]
        assert (cluster.least, cluster.most) == (min(scores), max(scores))
        (gone,) = (row for row in rows if row["place"] == cluster.gone)
        assert (gone["partner"], gone["score"]) == (cluster.id, cluster.least)
        stayed = document_at(alone, *cluster.stayed)
        assert stayed is not None
        assert stayed["id"] == cluster.id
    printed = CliRunner().invoke(app, ["near", "clusters", alone.path, "--limit", "2"]).output.splitlines()
    assert [line.split()[::4] for line in printed[1:]] == [[str(c.documents), c.id] for c in found[:2]]
    with pytest.raises(UserError, match="has no dedup: name a step of near or overlap"):
        largest_clusters([documents], 1)
    assert (names_partners([alone]), names_partners([documents])) == (True, False)


def test_a_source_of_which_most_would_go_is_said(
    raw: Path, documents: StepFolder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for threshold, loud in ((0.9, False), (0.6, True)):
        step = Step(0, parse_rules([f"near: {{ngram: 1, threshold: {threshold}}}"])[0], ())
        made = processed(step, documents, tmp_path / str(threshold), Runner("local", 0, quiet=True))
        counts = made.manifest()["documents"]
        gone = counts["in"] - counts["out"]
        line = f"WARNING: {made.path}: {gone} of 220 documents ({gone / 220:.0%}) are going to be dropped"
        assert (line in capfd.readouterr().err) == loud == (gone > 110)
