"""Where the tests find real raw data."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch is imported: small models on shared cores are several times as fast with one thread a process.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What Beam needs imports the distutils of Python 3.11 itself; PyTorch's compiler comes later with those of setuptools,
# and would end in an AssertionError.
if sys.version_info < (3, 12):
    os.environ.setdefault("SETUPTOOLS_USE_DISTUTILS", "stdlib")

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample data: `CORPUS_TEST_DATA`, or `../shared/data` beside the checkout.

    Without it the test skips, unless `CORPUS_TEST_REQUIRE_DATA` is set (as CI does), when it fails.
    """
    folder = Path(os.environ.get("CORPUS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if folder.is_dir():
        return folder
    message = f"real sample data not found at {folder}; set CORPUS_TEST_DATA to run this test"
    if os.environ.get("CORPUS_TEST_REQUIRE_DATA"):
        pytest.fail(message)
    pytest.skip(message)


# The first example compiles numba kernels, so no deadline; derandomised, so that CI fails only for a reason.
settings.register_profile("corpus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("corpus")


# Small jobs spend their time in the JVM's compiler: these flags make them five times as fast.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@pytest.fixture(scope="session")
def spark() -> "Runner":
    """Spark's embedded master, by one job server for all tests: it stays while its options are the same."""
    import apache_beam as beam

    from pipelines.engine.runner import Runner

    jar = f"beam-runners-spark-3-job-server-{beam.__version__}.jar"
    cached = Path.home() / ".apache_beam/cache/jars" / jar
    missing = []
    if shutil.which("java") is None:
        missing.append("Java")
    if not os.environ.get("CORPUS_SPARK_JOB_SERVER_JAR") and not cached.exists():
        missing.append(f"{jar} (set CORPUS_SPARK_JOB_SERVER_JAR, or put it into {cached.parent})")
    if missing:
        message = f"Spark is not tested without {' and '.join(missing)}"
        if os.environ.get("CORPUS_TEST_REQUIRE_SPARK"):
            pytest.fail(message)
        pytest.skip(message)
    return Runner("spark", options=tuple(f"--job_server_jvm_properties={flag}" for flag in _JVM), quiet=True)
