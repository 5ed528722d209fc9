"""How fast one core does each piece of work, as measured by `corpus plan --calibrate`. Imports no Beam."""

from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import platformdirs

from corpus.storage import exists, read_json, write_json


@dataclass(frozen=True)
class Rates:
    """A calibration.

    Attributes:
        machine: where it was measured.
        date: ISO.
        bytes_per_s: of one core, by the name of the work (`pipelines.stages.stage.Work`). Bytes are those of text, in
            `decide` those of signatures.
    """

    machine: str
    date: str
    bytes_per_s: dict[str, float]


def reference() -> Rates:
    """The rates that come with the package."""
    return _read(str(resources.files("pipelines.plan") / "reference_rates.json"))


def newest() -> Rates | None:
    """The user's last calibration, or None."""
    path = str(_path())
    return _read(path) if exists(path) else None


def save(rates: Rates) -> str:
    """Keeps a calibration in the user's cache folder, in the place of the one before; returns the path."""
    path = str(_path())
    write_json(path, asdict(rates))
    return path


def _path() -> Path:
    return platformdirs.user_cache_path("corpus") / "rates.json"


def _read(path: str) -> Rates:
    body = read_json(path)
    return Rates(body["machine"], body["date"], body["bytes_per_s"])
