"""`corpus run` of a bundled recipe on a WET file of Common Crawl, as it was downloaded."""

import shutil
from pathlib import Path

from corpus.recipe.load import load
from pipelines.run import run
from tests.corpus.real_pages import WET
from tests.pipelines.stages.alone import RUNNER

TOO_OFTEN = {"duplicate_5gram": 1, "duplicate_line_chars": 1}


def test_gopher_runs_on_a_real_file(tmp_path: Path, shared_data: Path) -> None:
    """Three of the pages that its filters keep are one page under three URLs: `exact` leaves one."""
    folder = tmp_path / "data" / "commoncrawl" / "CC-MAIN-2016-50" / "wet"
    folder.mkdir(parents=True)
    shutil.copy(shared_data / "commoncrawl" / WET, folder / "pages.warc.wet.gz")
    recipe = load("gopher", {"output": str(tmp_path / "run")}, {"DATA": str(tmp_path / "data")})
    result = run(recipe, RUNNER, say=lambda line: None)
    steps = result.graph.finished_documents()["commoncrawl"]
    assert [(step.manifest()["documents"]["out"], step.manifest()["dropped"]) for step in steps] == [
        (25, {"extract": {"type_warcinfo": 1}}),
        (22, {"gopher_quality": {"few_stop_words": 1}, "gopher_repetition": TOO_OFTEN}),
        (20, {"exact": {"duplicate": 2}}),
        (20, {}),
    ]
