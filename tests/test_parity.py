"""The same recipe gives the same bytes with any number of workers, on the cluster's graph, and on Spark."""

from pathlib import Path

import fsspec
import pytest

from corpus.dataset import StepFolder
from corpus.parts import read_part
from corpus.recipe.load import load
from pipelines.engine.runner import Runner
from pipelines.run import run
from tests.small_run import PARTS, files_of, is_result, make_raw, write_recipe


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / "raw"
    make_raw(folder)
    return folder


@pytest.fixture(scope="module")
def two_workers(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return run_with(raw, tmp_path_factory.mktemp("two"), Runner("local", 2, quiet=True))


def run_with(raw: Path, folder: Path, runner: Runner) -> dict[str, bytes]:
    result = run(load(str(write_recipe(raw, folder))), runner, say=lambda line: None)
    assert result.mixture is not None
    return files_of(folder / "run")


def test_duplicates_across_parts_are_found(raw: Path, tmp_path: Path) -> None:
    result = run(load(str(write_recipe(raw, tmp_path))), Runner("local", 2, quiet=True), say=lambda line: None)
    steps = result.graph.finished_documents()
    manifests = {name: [step.manifest() for step in some] for name, some in steps.items()}
    assert all(len(of[0]["parts"]) == PARTS for of in manifests.values())
    # Of the first documents of files 0, 1 and 2 there are 8, 7 and 6 copies beside them.
    assert manifests["c4"][2]["dropped"] == {"exact": {"duplicate": 8 + 7 + 6}}
    assert manifests["commoncrawl"][1]["seen"]["lines"] == PARTS * 40 + 1
    # The boilerplate line is gone everywhere, and the web page wins over its near copy in C4.
    deduped = steps["commoncrawl"][1]
    texts = [text for part in deduped.parts() for text in texts_of(deduped, part.number)]
    assert len({line for text in texts for line in text.split("\n")}) == sum(text.count("\n") + 1 for text in texts)
    assert manifests["c4"][3]["dropped"] == {"near": {"near_duplicate": 1}}
    assert manifests["commoncrawl"][2]["dropped"] == {}


def texts_of(step: StepFolder, part: int) -> list[str]:
    return [text for batch in read_part(step.data(part)) for text in batch.column("text").to_pylist()]


def test_one_worker_gives_the_bytes_of_two(raw: Path, two_workers: dict[str, bytes], tmp_path: Path) -> None:
    assert run_with(raw, tmp_path, Runner("local", 1, quiet=True)) == two_workers


def test_the_graph_of_a_cluster_gives_the_same_bytes(raw: Path, two_workers: dict[str, bytes], tmp_path: Path) -> None:
    assert run_with(raw, tmp_path, Runner("local", 0, quiet=True)) == two_workers


def test_an_object_store_holds_the_same_bytes(raw: Path, two_workers: dict[str, bytes], tmp_path: Path) -> None:
    """As far as models allow, which are local files: up to the documents."""
    recipe = load(str(write_recipe(raw, tmp_path)), {"output": "memory://parity/run"})
    run(recipe, Runner("local", 0, quiet=True), until="across", say=lambda line: None)
    store = fsspec.filesystem("memory")
    found = {path.removeprefix("/parity/run/"): store.cat(path) for path in store.find("/parity/run")}
    found = {path: data for path, data in found.items() if is_result(Path(path))}
    assert found == {name: two_workers[name] for name in two_workers if name.startswith(("commoncrawl/", "c4/"))}


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_spark_gives_the_same_bytes(raw: Path, two_workers: dict[str, bytes], spark: Runner, tmp_path: Path) -> None:
    assert run_with(raw, tmp_path, spark) == two_workers
