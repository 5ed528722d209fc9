from pathlib import Path

import pytest

from corpus.recipe.load import load
from pipelines.plan import calibrate
from pipelines.plan.estimate import data_plan
from pipelines.plan.rates import Rates

RECIPE = """
format: 1
output: {home}/run
sources:
  books:
    input: {home}/not-there
    steps: [gutenberg, {{perplexity: {{models: {{en: {{lm: no-such-file, sentencepiece: no-such-file}}}}}}}}, overlap]
  c4:
    input: {home}/not-there
    steps: [lines, length]
across: [near, exact]
tokenizer: {{vocab_size: 32000}}
"""


@pytest.mark.slow
def test_every_work_of_a_recipe_is_measured_but_what_lacks_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "LEAST_SECONDS", 0.001)
    monkeypatch.setattr(calibrate, "PART_BYTES", 1)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(home=tmp_path), encoding="utf-8")
    recipe = load(str(path), needs_models=False)
    said: list[str] = []
    rates = calibrate.calibrate(recipe, said.append)
    assert all(rate > 0 for rate in rates.bytes_per_s.values())
    wanted = {rated.work.name for rated in data_plan(recipe, rates, Rates("", "", {})).work}
    assert wanted - set(rates.bytes_per_s) == {"perplexity"}
    assert any(line.startswith("perplexity: not measured: no model file no-such-file") for line in said)
