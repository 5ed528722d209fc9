"""Where the tests find real raw data."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings


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
