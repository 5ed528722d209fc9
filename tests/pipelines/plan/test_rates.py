from pathlib import Path

import pytest

from pipelines.plan import rates
from tests.pipelines.plan.plans import RATES, REFERENCE


def test_a_calibration_is_kept_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_path", lambda: tmp_path / "cache" / "rates.json")
    assert rates.newest() is None
    rates.save(REFERENCE)
    rates.save(RATES)
    assert rates.newest() == RATES
