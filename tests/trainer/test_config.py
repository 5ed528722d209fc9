import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from corpus.errors import UserError
from trainer.config import TrainingSettings, check, defaults, override, parse


def test_the_size_brings_its_shape_and_peak() -> None:
    settings = parse({"model": {"size": "33B"}})
    assert (settings.model.dim, settings.model.layers, settings.model.heads) == (6656, 60, 52)
    assert settings.optimiser.lr == 1.5e-4
    assert parse({"model": {"size": "65B"}}).model.norm_eps == 1e-5


def test_defaults_are_the_papers() -> None:
    settings = parse({})
    assert settings.model.size == "7B"
    optimiser = settings.optimiser
    assert (optimiser.lr, optimiser.betas, optimiser.weight_decay, optimiser.clip) == (3e-4, (0.9, 0.95), 0.1, 1.0)
    assert (optimiser.warmup_steps, optimiser.final_fraction) == (2000, 0.1)
    assert settings.run.batch * 2048 == 4_194_304


def test_what_is_given_wins() -> None:
    settings = parse({"model": {"size": "tiny", "layers": 5, "dim": 128}, "optimiser": {"lr": 0.5}})
    assert (settings.model.layers, settings.model.dim, settings.model.ffn_hidden) == (5, 128, 512)
    assert settings.optimiser.lr == 0.5


def test_settings_survive_a_round_trip() -> None:
    settings = parse({"model": {"size": "13B", "layers": 3}, "run": {"steps": 7}})
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings


def test_overrides() -> None:
    settings = override(parse({"run": {"seed": 3}}), {"run.batch": 64, "model.size": "65B"})
    assert (settings.run.batch, settings.run.seed) == (64, 3)
    assert (settings.model.dim, settings.optimiser.lr) == (8192, 1.5e-4)
    assert override(settings, {"optimiser.lr": 1e-3, "model.size": "7B"}).optimiser.lr == 1e-3
    assert override(settings, {"model.dim": 128, "model.heads": 4}).model.ffn_hidden == 512
    assert override(settings, {"model.dim": 128, "model.heads": 4, "model.ffn_hidden": 9}).model.ffn_hidden == 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.size": "8B"}, "training.model: unknown size '8B'; one of 7B"),
        ({"model.heads": 30}, "training.model: dim 4096 must be a multiple of 2 x heads"),
        ({"run.bacth": 1}, "training.run.bacth: no such setting; did you mean run.batch?"),
        ({"batch": 1}, "batch: no such setting; did you mean run.batch?"),
        ({"runs.batch": 1}, "runs.batch: no such setting; did you mean run.batch?"),
        ({"xyz": 1}, "xyz: no such setting; keys are SECTION.NAME, with SECTION one of model, optimiser, parallel"),
        ({"parallel.recompute": "half"}, "training.parallel.recompute: input should be 'none', 'selective' or 'full'"),
        ({"run.batch": 0}, "training.run.batch: input should be greater than or equal to 1, found 0"),
        ({"optimiser.betas": [0.9, 1.5]}, "training.optimiser.betas.1: input should be less than 1, found 1.5"),
        ({"optimiser.eps": -1}, "training.optimiser.eps: input should be greater than or equal to 0"),
        ({"optimiser.weight_decay": -1}, "training.optimiser.weight_decay: input should be greater than or equal"),
        ({"run.seed": -1}, "training.run.seed: must be between 0"),
    ],
)
def test_a_wrong_setting_is_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        override(parse({}), changes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "mistakes"),
    [
        ({}, []),
        ({"model": None, "optimiser": None}, []),
        (None, ["r.yaml: training: not a map of model, optimiser, parallel, checkpoint, run, found None"]),
        ({"model": 3}, ["r.yaml: training.model: not a map of settings, found 3"]),
        ({"optimiser": [1]}, ["r.yaml: training.optimiser: not a map of settings, found [1]"]),
        (
            {"model": {"size": ["7B"]}},
            ["r.yaml: training.model: unknown size ['7B']; one of 7B, 13B, 33B, 65B, demo, tiny"],
        ),
        ({"recompute": "full"}, ["r.yaml: training.recompute: no such setting; did you mean parallel.recompute?"]),
        (
            {"model": {"dim": "wide"}, "run": {"bacth": 8}, "paralel": {"tensor": 2}},
            [
                "r.yaml: training.model.dim: input should be a valid integer, unable to parse string as an integer,"
                " found 'wide'",
                "r.yaml: training.run.bacth: no such setting; did you mean run.batch?",
                "r.yaml: training.paralel: no such setting; did you mean parallel?",
            ],
        ),
    ],
)
def test_every_mistake_of_a_section_has_its_line(section: Any, mistakes: list[str]) -> None:
    assert check(section, "r.yaml: training") == mistakes
    if mistakes:
        with pytest.raises(UserError) as caught:
            parse(section, "r.yaml: training")
        assert str(caught.value) == "; ".join(mistakes)
    else:
        parse(section)


def test_a_section_is_checked_without_torch() -> None:
    script = "import sys; sys.modules['torch'] = None; from trainer.config import check; print(check({'run': 3}))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "['training.run: not a map of settings, found 3']\n"


def test_defaults_are_what_an_empty_section_gives() -> None:
    settings = parse({})
    yaml = YAML(typ="safe")
    for key, default in defaults().items():
        section, name = key.split(".")
        value = getattr(getattr(settings, section), name)
        value = list(value) if isinstance(value, tuple) else value
        assert default == "by model.size" or yaml.load(default) == value, key
    assert list(defaults()) == [f"{section}.{name}" for section, of in settings.model_dump().items() for name in of]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        parse({}).run.batch = 3  # type: ignore[misc]
