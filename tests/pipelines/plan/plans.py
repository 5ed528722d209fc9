"""Plans of a small recipe and of the bundled one."""

from pathlib import Path

from corpus.recipe.load import load
from pipelines.plan.estimate import DataPlan, data_plan
from pipelines.plan.rates import Rates

RATES = Rates("a machine", "2026-01-01", {"extract books": 10e6, "gutenberg": 20e6})
REFERENCE = Rates("the reference", "2026-01-02", {"gutenberg": 1.0, "tokenize": 50e6})

RECIPE = """
format: 1
output: {home}/run
sources:
  books:
    input: {home}/raw
    steps: [gutenberg, length, {{overlap: {{threshold: 0.9}}}}]
tokenizer: {{vocab_size: 1000}}
mixture:
  shares: {{books: 1.0}}
  sequence_length: 128
"""


def llama(tokens: float | None = None) -> DataPlan:
    return data_plan(load("llama", needs_models=False), RATES, REFERENCE, tokens)


def planned(home: Path, recipe: str = RECIPE) -> DataPlan:
    path = home / "recipe.yaml"
    path.write_text(recipe.format(home=home), encoding="utf-8")
    return data_plan(load(str(path)), RATES, REFERENCE)


def write_book(home: Path, size: int) -> None:
    (home / "raw").mkdir()
    (home / "raw" / "a.txt").write_bytes(b"x" * size)
