"""The same stage on Spark's embedded master and on this machine's pool: equal bytes."""

from pathlib import Path

import apache_beam as beam
import pytest

from corpus.errors import UserError
from corpus.steps import grouping
from pipelines.engine.exchange import Exchange
from pipelines.engine.partmap import PartMap, PartsFailed
from pipelines.engine.runner import Runner
from pipelines.stages.materialize import materialize
from tests.pipelines.engine.functions import Again, Job, Numbers, SumUp, failing
from tests.tokenizer.token_folders import write_run

pytestmark = [
    pytest.mark.spark,
    # Beam's reading thread ends with an error when the job server hangs up at the end of a job.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


def test_spark_and_the_pool_write_equal_bytes(spark: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts gathered in groups of two or three, and cut in two passes."""
    monkeypatch.setattr(grouping, "LEAST_GROUPS", 2)
    monkeypatch.setattr(grouping, "FEW_SLICES", 0)
    written = {}
    for runner in (spark, Runner(workers=2, quiet=True)):
        out = tmp_path / runner.name
        out.mkdir()

        def build(pipeline: beam.Pipeline, runner: Runner = runner, out: Path = out) -> None:
            work = str(tmp_path / "work" / runner.name)
            (
                pipeline
                | beam.Create([Job(n) for n in range(5)])
                | "Sign" >> Exchange(Numbers(1000, 7), 7, f"{work}/sign", runner, "sign", tasks=5)
                | "Decide" >> Exchange(Again(), 5, f"{work}/decide", runner, "decide", tasks=7)
                | "Write" >> PartMap(SumUp(str(out)), runner, "write")
            )

        runner.run(build, str(tmp_path))
        written[runner.name] = {path.name: path.read_bytes() for path in out.iterdir()}
    assert written["spark"] == written["local"]
    assert sorted(written["spark"]) == [f"{n}.npy" for n in range(5)]
    assert not (tmp_path / "work/spark").exists()  # Spark shuffles; it spills nothing of ours


def test_spark_materialises_the_same_bytes(spark: Runner, tmp_path: Path) -> None:
    written = []
    for runner in (spark, Runner(workers=2, quiet=True)):
        manifest = write_run(str(tmp_path / runner.name))
        folder, _ = materialize(manifest, runner, 5000, 3000, say=lambda line: None)
        written.append({path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()})
    assert written[0] == written[1]
    assert len(written[0]) > 8


def test_a_failing_part_on_spark_is_named(spark: Runner, tmp_path: Path) -> None:
    with pytest.raises(PartsFailed, match=r"^step: part-00001 failed: config.yaml has no key `x`: add it$") as caught:
        spark.run(
            lambda pipeline: pipeline | beam.Create([Job(1, str(tmp_path))]) | PartMap(failing, spark, "step"),
            str(tmp_path),
        )
    assert isinstance(caught.value, UserError)
