import logging
from pathlib import Path

import apache_beam as beam
import pytest

from corpus.errors import UserError
from pipelines.engine.partmap import PartMap, PartsFailed
from pipelines.engine.runner import Runner
from tests.pipelines.engine.functions import Counted, Job, counted, failing, killed_once

POOL = Runner(workers=2, quiet=True)
GRAPH = Runner(workers=0, quiet=True)
BOTH = pytest.mark.parametrize("runner", [POOL, GRAPH], ids=["pool", "graph"])

FOUND: list[Counted] = []


def find(result: Counted) -> None:
    FOUND.append(result)


@BOTH
def test_each_task_gives_its_result(runner: Runner, tmp_path: Path) -> None:
    FOUND.clear()
    runner.run(
        lambda pipeline: (
            pipeline | beam.Create([Job(n) for n in (4, 2, 0)]) | PartMap(counted, runner, "count") | beam.Map(find)
        ),
        str(tmp_path),
    )
    assert sorted(FOUND, key=lambda result: result.part) == [Counted(0, 0), Counted(2, 2), Counted(4, 4)]


def test_the_pool_works_in_order_of_parts_however_beam_gathers_them(tmp_path: Path) -> None:
    FOUND.clear()
    POOL.run(
        lambda pipeline: (
            pipeline | beam.Create([Job(n) for n in (7, 3, 5, 1)]) | PartMap(counted, POOL, "count") | beam.Map(find)
        ),
        str(tmp_path),
    )
    assert [result.part for result in FOUND] == [1, 3, 5, 7]


def test_a_killed_worker_does_not_stop_a_pipeline(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    POOL.run(
        lambda pipeline: (
            pipeline | beam.Create([Job(n, str(tmp_path)) for n in range(6)]) | PartMap(killed_once, POOL, "step")
        ),
        str(tmp_path),
    )
    assert "ended by SIGKILL (out of memory?) while it held part-00003" in capfd.readouterr().err


def test_failed_parts_are_listed_once_without_beams_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PartsFailed) as caught:
        POOL.run(
            lambda pipeline: (
                pipeline | beam.Create([Job(n, str(tmp_path)) for n in range(4)]) | PartMap(failing, POOL, "step")
            ),
            str(tmp_path),
        )
    assert str(caught.value) == (
        "step: 2 of 4 parts failed, the others are finished; mend the cause and run again to do only what is missing: "
        "part-00001: config.yaml has no key `x`: add it; part-00002: Unpicklable: two lines"
    )
    assert "Traceback" not in caplog.text
    assert "apache_beam" not in capfd.readouterr().err


def test_a_cluster_logs_each_part_and_names_the_failed_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines.engine.partmap")
    with pytest.raises(PartsFailed, match=r"^step: part-00001 failed: config.yaml has no key `x`: add it$"):
        GRAPH.run(
            lambda pipeline: (
                pipeline | beam.Create([Job(n, str(tmp_path)) for n in (0, 1)]) | PartMap(failing, GRAPH, "step")
            ),
            str(tmp_path),
        )
    assert "step: part-00001 started" in caplog.text
    assert "Traceback" not in caplog.text
    with pytest.raises(PartsFailed, match=r"^step: part-00002 failed: Unpicklable: two lines$"):
        GRAPH.run(
            lambda pipeline: pipeline | beam.Create([Job(2, str(tmp_path))]) | PartMap(failing, GRAPH, "step"),
            str(tmp_path),
        )
    assert 'raise Unpicklable("two", "lines")' in caplog.text  # a bug keeps its traceback
    GRAPH.run(
        lambda pipeline: pipeline | beam.Create([Job(3, str(tmp_path))]) | PartMap(failing, GRAPH, "step"),
        str(tmp_path),
    )
    assert "step: part-00003 done in" in caplog.text


def test_parts_failed_is_a_user_error() -> None:
    assert issubclass(PartsFailed, UserError)
