"""What engines, Beam and the libraries of stores print where something goes wrong, and what a person is told."""

from pathlib import Path

import apache_beam as beam
import pytest

from corpus.errors import DamagedFile, UserError
from pipelines.engine.engine_log import EngineLog
from pipelines.engine.failures import KINDS, LONGEST, in_one_line, told
from pipelines.engine.partmap import PartMap
from pipelines.engine.runner import Runner
from tests.pipelines.engine.functions import Job, double

FAILED = "Pipeline BeamApp-x_1 failed in state FAILED: "
REPORTS = {
    # Beam 2.77, FnApiRunner and --environment_config of a port where nothing listens
    "no pool": (
        '  File "/x/fn_api_runner/worker_handlers.py", line 634, in start_worker\n    response = stub.StartWorker(\n'
        "grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:\n"
        '\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "failed to connect to all addresses"\n',
        "no pool of workers answers at the address that --environment_config names",
    ),
    # Spark 3.5.0, a master that is not there; the exception and, below, its log
    "no master": (
        f"RuntimeError: {FAILED}org.apache.spark.SparkException: Master removed our application: KILLED\n",
        "the Spark master does not answer, or has given the job up",
    ),
    # Spark 3.5.0 and a cluster of 3.5.9
    "another Spark": (
        f"RuntimeError: {FAILED}java.io.InvalidClassException: org.apache.spark.deploy.ApplicationDescription; "
        "local class incompatible: stream classdesc serialVersionUID = 1574364215946805297\n\tat java.io.X.java:1)\n",
        "the cluster's Spark is not the one in the job server's jar",
    ),
    "no program": (
        'java.io.IOException: Cannot run program "/opt/apache/beam/boot": error=2, No such file or directory\n',
        "a worker cannot start /opt/apache/beam/boot, which --environment_config names",
    ),
    "no corpus": (
        "  return unpickler.load()\nModuleNotFoundError: No module named 'pipelines'\n",
        "the workers' Python does not have pipelines, which this machine has",
    ),
    "old corpus": (
        "AttributeError: Can't get attribute 'OnWorkers' on <module 'pipelines.engine' from '/x'>\n",
        "the workers' Python does not have OnWorkers, which this machine has",
    ),
    # s3fs 2026.9, google-auth 2
    "no S3 credentials": (
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials\n",
        "there are no credentials for the object store or the cloud",
    ),
    "no Google credentials": (
        "google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found.\n",
        "there are no credentials for the object store or the cloud",
    ),
    "no permission": (
        "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the PutObject operation\n",
        "a bucket or a service refuses these credentials (403)",
    ),
    # Beam 2.77's PipelineOptionsValidator
    "Dataflow without its options": (
        "ValueError: Pipeline has validations errors: \nMissing required option: project.\n"
        "Missing required option: region.\n",
        "Beam refuses the options (Missing required option: project.; Missing required option: region.): give each",
    ),
    "memory": (
        "org.apache.spark.SparkException: Job aborted: ExecutorLostFailure (executor 1 exited with exit code 137)\n",
        "a process of the engine ran out of memory",
    ),
    "lost executor": (
        f"RuntimeError: {FAILED}org.apache.spark.SparkException: Job aborted due to stage failure: ExecutorLostFailure "
        "(executor 0 exited caused by one of the running tasks) Reason: worker lost\n",
        "a worker of the cluster was lost",
    ),
    "Flink": (
        "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n",
        "Flink gave the job up at its first failure",
    ),
    "job server gone": (
        'grpc.RpcError: status = StatusCode.UNAVAILABLE details = "Socket closed"\n',
        "the connection to the job server was lost",
    ),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_each_kind_of_failure_is_told_in_one_line_with_the_remedy(kind: str) -> None:
    report, line = REPORTS[kind]
    report = f"Traceback (most recent call last):\n{report}\tat java.lang.Thread.run(Thread.java:840)\n" * 2
    said = told(report.splitlines()[0], report)
    assert said.startswith(line)
    assert "\n" not in said
    assert "{" not in said


def test_every_kind_of_the_table_is_tried() -> None:
    assert {kind.told.partition("{")[0][:40] for kind in KINDS} == {
        next(kind.told.partition("{")[0][:40] for kind in KINDS if kind.sign.search(report))
        for report, _ in REPORTS.values()
    }


def test_what_is_not_known_keeps_its_first_line_and_the_engines_own_output_is_looked_at() -> None:
    stopped = f"{FAILED}java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext.\nThis stopped"
    trace = f"Traceback\nRuntimeError: {stopped}\norg.apache.spark.X.java:1)\n"
    assert told(stopped, trace) == "java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext."
    output = (
        "ERROR StandaloneSchedulerBackend: Application has been killed. Reason: All masters are unresponsive! Giving up"
    )
    assert told(stopped, trace, output).startswith("the Spark master does not answer")
    assert len(told("x" * 1000, "x")) == LONGEST
    assert told("", "") == "no reason given"


def test_a_report_goes_into_the_log_and_a_users_mistake_stays_as_it_is(tmp_path: Path) -> None:
    log = EngineLog("test")
    with (
        pytest.raises(UserError, match=rf"^spark: out of order \(whole report: {log.path}\)$"),
        in_one_line("spark", log),
    ):
        raise RuntimeError("out of order\nsecond line")
    assert "second line" in Path(log.path).read_text()
    report = "RuntimeError: x\ncorpus.errors.DamagedFile: y is damaged: remove it [while running 'Step']\n\tat java"
    with pytest.raises(DamagedFile, match=r"^y is damaged: remove it$"), in_one_line("spark", log):
        raise RuntimeError(report)
    with pytest.raises(UserError, match=r"^mine$"), in_one_line("spark", log):
        raise UserError("mine")
    log.end()
    assert Path(log.path).exists()
    Path(log.path).unlink()


def test_a_log_of_no_failure_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))  # where no folder can be
    log = EngineLog("test")
    assert Path(log.path).exists()
    log.end()
    assert not Path(log.path).exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--job_endpoint=localhost:1",), "no job server answers at --job_endpoint localhost:1: start it"),
        (("--job_endpoint=embed", "--no_such=1"), "--beam-option=--no_such is no option that Beam or the runner knows"),
        (
            ("--job_endpoint=embed", "--environment_type=EXTERNAL", "--environment_config=localhost:1"),
            "spark: no pool of workers answers at the address that --environment_config names",
        ),
    ],
    ids=["no job server", "no such option", "no pool"],
)
def test_nothing_but_one_line_reaches_a_person(
    options: tuple[str, ...], line: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = Runner("spark", options=options)
    with pytest.raises(UserError) as caught:
        runner.run(lambda pipeline: pipeline | beam.Create([Job(1)]) | PartMap(double, runner, "double"), str(tmp_path))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
