import os
import zipfile
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipelines.engine.engine_checks import engine_findings
from tests.pipelines.engine.fake_java import fake_java


@pytest.fixture
def job_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options of a Java and a jar of this Beam, with Spark 3.5.0."""
    jar = write_jar(tmp_path, beam.__version__, "3.5.0")
    java = fake_java(tmp_path, "17.0.15")
    return (f"--job_server_java_launcher={java}", f"--spark_job_server_jar={jar}", f"--flink_job_server_jar={jar}")


def write_jar(folder: Path, beam: str | None, spark: str) -> Path:
    jar = folder / "server.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        if beam:
            archive.writestr("org/apache/beam/sdk/sdk.properties", f"# SDK\nversion={beam}\n")
        archive.writestr("spark-version-info.properties", f"version={spark}\n")
    return jar


PROCESS = ("--environment_type=PROCESS", '--environment_config={"command":"/opt/worker"}')


def lines(engine: Any, *options: str) -> list[str]:
    return [f"{state} {line}" for state, line in engine_findings(engine, options)]


def failed(engine: Any, *options: str) -> list[str]:
    return [line for state, line in engine_findings(engine, options) if state == "failed"]


def here(port: str = "") -> str:
    """A master where something listens: its own page."""
    return f"--spark_master_url=spark://localhost:{port or os.environ['SPARK_MASTER_WEBUI_PORT']}"


def test_a_cluster_that_is_well(job_server: tuple[str, ...], spark_master: dict[str, Any]) -> None:
    found = lines("spark", *job_server, here(), *PROCESS)
    assert [line.partition(" ")[0] for line in found] == ["ok"] * 5
    assert "1 workers, 3 of 4 cores and 1024 of 2048 MiB free" in found[2]
    assert found[3:] == ["ok Spark 3.5.0 on both sides", "ok workers start /opt/worker"]


def test_the_embedded_engines_need_java_and_a_jar(job_server: tuple[str, ...], tmp_path: Path) -> None:
    for engine in ("spark", "flink"):
        assert [line[:8] for line in lines(engine, *job_server)] == ["ok Java ", "ok job s"]
    old, none = fake_java(tmp_path, "1.8.0"), "--spark_job_server_jar=/no/such.jar"
    found = failed("spark", f"--job_server_java_launcher={old}", none)
    assert [line.partition(",")[0] for line in found] == [
        f"{old} is Java 8",
        "spark job server /no/such.jar does not exist: mend --spark_job_server_jar or the variable "
        "CORPUS_SPARK_JOB_SERVER_JAR",
    ]


def test_a_jar_without_beam_or_of_another_one_is_told(job_server: tuple[str, ...], tmp_path: Path) -> None:
    for version, state in ((None, "failed job server"), ("2.62.0", "note job server")):
        write_jar(tmp_path, version, "3.5.0")
        assert lines("spark", *job_server)[1].startswith(state)


def test_what_is_wrong_with_a_spark_master(job_server: tuple[str, ...], spark_master: dict[str, Any]) -> None:
    def told() -> list[str]:
        return failed("spark", *job_server, here(), *PROCESS)

    assert failed("spark", *job_server, here("1"), *PROCESS) == [
        "no Spark master answers at spark://localhost:1: start it, or mend --spark_master_url"
    ]
    (alive, dead) = spark_master["workers"]
    spark_master["workers"] = [{**alive, "coresfree": 0}]
    assert told()[0].startswith("all 4 cores of http://localhost:")
    spark_master["workers"] = [dead]
    assert "has no worker alive: start some with `sbin/start-worker.sh spark://localhost" in told()[0]


def test_the_cluster_must_have_the_spark_of_the_jar(
    job_server: tuple[str, ...], spark_master: dict[str, Any], tmp_path: Path
) -> None:
    write_jar(tmp_path, beam.__version__, "3.5.9")
    assert failed("spark", *job_server, here(), *PROCESS) == [
        "the cluster is Spark 3.5.0 and the job server's jar has 3.5.9: run exactly 3.5.9 there, or another job server"
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "workers would be Beam's own image, which has no corpus"),
        (
            ("EXTERNAL", "localhost:50000"),
            "the pool localhost:50000 is asked for on every node under the name",
        ),
        (("EXTERNAL", "127.0.0.1:50000"), "the pool 127.0.0.1:50000 is asked for on every node"),
        (("EXTERNAL", "pool.invalid:1"), "2 workers would share the pool pool.invalid:1"),
        (("PROCESS", "/opt/worker"), 'PROCESS needs --environment_config={"command":"PROGRAM"}'),
        (("DOCKER", "image"), None),
    ],
)
def test_environments_that_hang_or_kill(
    options: tuple[str, ...], line: str | None, job_server: tuple[str, ...], spark_master: dict[str, Any]
) -> None:
    alive = spark_master["workers"][0]
    spark_master["workers"] = [alive, alive]
    names = ("--environment_type", "--environment_config")
    given = [f"{name}={value}" for name, value in zip(names, options, strict=False)]
    found = failed("spark", *job_server, here(), *given)
    assert found == [] if line is None else found[0].startswith(line)


def test_one_worker_may_have_a_pool_that_is_there(job_server: tuple[str, ...], spark_master: dict[str, Any]) -> None:
    pool = ("--environment_type=EXTERNAL", "--environment_config=pool.invalid:1")
    assert failed("spark", *job_server, here(), *pool) == [
        "pool of workers pool.invalid:1 is not there: start it, or mend --environment_config"
    ]


def test_a_job_server_that_is_named_must_be_there(job_server: tuple[str, ...]) -> None:
    assert failed("flink", "--job_endpoint=localhost:1", *PROCESS) == [
        "job server localhost:1 is not there: start it, or mend --job_endpoint"
    ]


def test_flink_is_asked_for_slots_version_and_restarts(
    job_server: tuple[str, ...], flink: tuple[str, dict[str, Any]]
) -> None:
    address, says = flink
    options = (*job_server, f"--flink_master={address}", *PROCESS)
    well = lines("flink", *options, "--flink_version=1.19")
    assert [line.partition(" ")[0] for line in well] == ["ok"] * 4
    assert well[2] == f"ok Flink http://{address}: 2 task managers, 3 free slots"
    assert failed("flink", *options, "--flink_version=1.20") == [
        "the cluster is Flink 1.19.1: give --flink_version=1.19"
    ]
    says["/overview"]["slots-available"] = 0
    says["/jobmanager/config"] = []
    found = lines("flink", *options, "--flink_version=1.19")
    assert found[2].startswith(f"failed http://{address} has no free slot on 2 task managers")
    assert found[3].startswith("note Flink gives a job up at its first failure: set `restart-strategy.type`")
    (said,) = failed("flink", *job_server, "--flink_master=localhost:1", *PROCESS)
    assert said.startswith("Flink's REST interface http://localhost:1 does not answer (")
