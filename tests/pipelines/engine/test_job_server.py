import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from apache_beam.options.pipeline_options import JobServerOptions, PipelineOptions

from corpus.errors import UserError
from pipelines.engine.engine_log import EngineLog
from pipelines.engine.job_server import JavaJobServer, answers, java_version, property_in_jar, widen
from pipelines.engine.runner import Runner
from pipelines.engine.spark_master import Master, master
from tests.pipelines.engine.fake_java import fake_java
from tests.processes import await_end

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("said", "version"), [("17.0.15", 17), ("1.8.0_402", 8), ("21", 21), ("11.0.2-ea", 11), ("nothing", None)]
)
def test_the_version_of_java_is_read(said: str, version: int | None, tmp_path: Path) -> None:
    assert java_version(str(fake_java(tmp_path, said))) == version


def test_a_java_that_is_too_old_is_refused(tmp_path: Path) -> None:
    java = fake_java(tmp_path, "1.8.0_402")
    with pytest.raises(UserError, match=r"java is Java 8, spark runs on 11 or 17; install Java 17"):
        Runner("spark", options=(f"--job_server_java_launcher={java}",)).run(lambda pipeline: None, str(tmp_path))


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_a_jar_that_is_no_job_server_is_refused_with_what_java_says(tmp_path: Path) -> None:
    (tmp_path / "text.jar").write_text("not a jar")
    with zipfile.ZipFile(tmp_path / "other.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    for name, said in (("text.jar", "Invalid or corrupt jarfile"), ("other.jar", "no main manifest attribute")):
        options = PipelineOptions([f"--spark_job_server_jar={tmp_path / name}"])
        log = EngineLog("test")
        with pytest.raises(UserError, match=rf"{name} ended with exit code 1 \(.*{said}.* output is in {log.path}"):
            JavaJobServer("spark", options, log).start()
        assert said in Path(log.path).read_text()
        os.unlink(log.path)


def test_properties_are_read_in_a_jar_and_in_those_of_its_class_path(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    with zipfile.ZipFile(tmp_path / "server.jar", "w") as jar:
        # A line of a manifest has at most 72 bytes; the next begins with a space.
        jar.writestr("META-INF/MANIFEST.MF", "Class-Path: lib/no-such.jar lib/spa\r\n rk.jar\r\nMain-Class: Main\r\n")
        jar.writestr("beam.properties", "# of the SDK\nversion=2.77.0\nsdk_version=other\n")
    with zipfile.ZipFile(tmp_path / "lib/spark.jar", "w") as jar:
        jar.writestr("spark.properties", "version=3.5.0\n")
    server = str(tmp_path / "server.jar")
    assert property_in_jar(server, "beam.properties", "version") == "2.77.0"
    assert property_in_jar(server, "spark.properties", "version") == "3.5.0"
    assert property_in_jar(server, "none.properties", "version") is None


def properties(url: str, *more: str) -> list[str]:
    options = PipelineOptions([f"--spark_master_url={url}", *more])
    widen(options)
    return options.view_as(JobServerOptions).job_server_jvm_properties


def test_a_stage_of_spark_is_as_wide_as_the_cluster(
    spark_master: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = master("spark://localhost:7077")
    assert found == Master(found.page if found else "", "ALIVE", 1, 4, 3, 2048, 1024, "3.5.0")
    assert properties("spark://localhost:7077") == ["-Dspark.default.parallelism=12"]
    said = "spark: 4 cores on 1 workers: 12 tasks a stage (spark.default.parallelism)\n"
    assert capsys.readouterr().err == said
    given = "--job_server_jvm_properties=-Dspark.default.parallelism=5"
    assert properties("spark://localhost:7077", given) == ["-Dspark.default.parallelism=5"]
    assert properties("local[*]") == []
    assert properties("yarn") == []
    assert capsys.readouterr().err == ""


def test_a_cluster_without_workers_is_refused(spark_master: dict[str, Any]) -> None:
    spark_master["workers"] = []
    with pytest.raises(UserError, match=r"master spark://localhost:7077 has no worker that is alive .*start-worker.sh"):
        properties("spark://localhost:7077")


def test_a_master_without_a_page_is_taken_as_it_is(
    spark_master: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    port = os.environ["SPARK_MASTER_WEBUI_PORT"]
    spark_master.clear()
    assert answers(f"localhost:{port}")
    assert properties(f"spark://localhost:{port}") == []
    assert "cannot be read, so every stage has 2 tasks" in capsys.readouterr().err
    with pytest.raises(UserError, match="no Spark master answers at spark://localhost:1: start it"):
        properties("spark://localhost:1")


DRIVER = """
import sys
import apache_beam as beam
from pipelines.engine.partmap import PartMap
from pipelines.engine.runner import Runner
from tests.pipelines.engine.functions import Job, long
if __name__ == "__main__":
    folder, *options = sys.argv[1:]
    runner = Runner("spark", options=tuple(options))
    runner.run(lambda pipeline: pipeline | beam.Create([Job(0, folder)]) | PartMap(long, runner, "long"), folder)
"""


@pytest.mark.spark
@pytest.mark.slow
def test_nothing_outlives_a_submitter(spark: Runner, tmp_path: Path) -> None:
    """Of a job under way: it is cancelled where that can be, and its job server ends. All at once, for the time it
    takes to start Spark."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    drivers = {}
    try:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            marks = tmp_path / how.name
            marks.mkdir()
            drivers[how] = subprocess.Popen(
                [sys.executable, str(script), str(marks), *spark.options],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )
        for how, driver in drivers.items():
            deadline = time.monotonic() + 180
            while not list((tmp_path / how.name).glob("[0-9]*")):
                assert driver.poll() is None, driver.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            children = psutil.Process(driver.pid).children(recursive=True)
            assert any("java" in child.name() for child in children)
            driver.send_signal(how)
            _, said = driver.communicate(timeout=60)
            await_end(*(child.pid for child in children))
            assert ("spark: cancels the job" in said) == (how != signal.SIGKILL)
            ends = {
                signal.SIGINT: -signal.SIGINT,
                signal.SIGTERM: 128 + signal.SIGTERM,
                signal.SIGKILL: -signal.SIGKILL,
            }
            assert driver.returncode == ends[how]
    finally:
        for driver in drivers.values():
            driver.kill()
            driver.wait()


def _heed_ctrl_c() -> None:
    """A test run in the background of a shell, or under nohup, ignores it, and so would the driver."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
