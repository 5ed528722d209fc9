import pytest
from pydantic import ValidationError

from corpus.errors import UserError
from trainer.config import TrainingSettings, override, parse


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
        ({"run.bacth": 1}, "training.run.bacth: no such setting"),
        ({"batch": 1}, "batch: no such setting; keys are SECTION.NAME"),
        ({"runs.batch": 1}, "runs.batch: no such setting"),
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


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        parse({}).run.batch = 3  # type: ignore[misc]
