import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.parts import read_part
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
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(home=tmp_path), encoding="utf-8")
    recipe = load(str(path), needs_models=False)
    said: list[str] = []
    rates = calibrate.calibrate(recipe, said.append)
    assert all(rate > 0 for rate in rates.bytes_per_s.values())
    wanted = {rated.work.name for rated in data_plan(recipe, rates, Rates("", "", {})).work}
    assert wanted - set(rates.bytes_per_s) == {"perplexity"}
    assert any(line.startswith("perplexity: not measured: no model file no-such-file") for line in said)


OWN = """
format: 1
output: {home}/run
sources:
  rows: {{type: documents, input: {home}/own, steps: [length]}}
  c4: {{input: {home}/own, include: ["*.json.gz"]}}
"""


@pytest.mark.parametrize("head", [1 << 20, 20_000])
def test_a_source_is_measured_on_the_heads_of_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: int
) -> None:
    (tmp_path / "own").mkdir()
    chance = random.Random(0)
    rows = [{"text": f"{chance.random()} {chance.random()}", "url": f"https://example.org/{n}"} for n in range(1000)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "own" / "a.json.gz").write_bytes(gzip.compress(lines, mtime=0))
    (tmp_path / "recipe.yaml").write_text(OWN.format(home=tmp_path), encoding="utf-8")
    monkeypatch.setattr(calibrate, "HEAD_BYTES", head)
    entry = load(str(tmp_path / "recipe.yaml")).sources[1]
    heads = calibrate._heads(entry, str(tmp_path / "heads"))
    assert heads is not None
    assert (tmp_path / "heads" / "a.json.gz").stat().st_size <= head
    measure = calibrate._Measure(str(tmp_path), lambda line: None)
    found = measure.extract(heads, 1)
    assert found is not None
    texts = [text for batch in read_part(found.path) for text in batch.column("text").to_pylist()]
    assert texts == [str(row["text"]) for row in rows][: len(texts)]
    assert (len(texts) == 1000) == (head > 100_000)
    assert measure.bytes_per_s["extract c4"] > 0
    assert measure.extract(heads, 1 << 30) is None


def test_no_more_is_copied_than_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "deep").mkdir(parents=True)
    for name in ("a.jsonl", "deep/b.jsonl", "deep/c.jsonl", "z.jsonl"):
        (tmp_path / "own" / name).write_bytes(b"x" * 100)
    (tmp_path / "recipe.yaml").write_text(OWN.format(home=tmp_path), encoding="utf-8")
    monkeypatch.setattr(calibrate, "SAMPLE_BYTES", 150)
    monkeypatch.setattr(calibrate, "HEAD_BYTES", 80)
    entry = load(str(tmp_path / "recipe.yaml"), needs_models=False).sources[0]
    assert calibrate._heads(entry, str(tmp_path / "heads")) is not None
    copied = {path.name: path.stat().st_size for path in (tmp_path / "heads").rglob("*") if path.is_file()}
    assert copied == {"a.jsonl": 80, "b.jsonl": 70}
    assert calibrate._heads(replace(entry, input=str(tmp_path / "none")), str(tmp_path / "heads")) is None
