"""What is shown of one step."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.filters.length import Length
from corpus.filters.perplexity import LanguageModel, Perplexity
from corpus.filters.stats import Stats
from corpus.report.step import SAMPLES, SHOWN_CHARACTERS, lengths, perplexities, shown_step
from corpus.steps.rule import NamedRule
from tests.corpus.tuning.small_step import extracted, processed

RULES = (NamedRule("length", Length(min_chars=5, max_chars=3000)), NamedRule("stats", Stats()))


def test_what_was_dropped_and_the_threshold_that_did_it(tmp_path: Path) -> None:
    texts = [["a" * length for length in range(12)], ["b" * (SHOWN_CHARACTERS + 1)], ["c" * 2, "d" * 5]]
    step = processed(extracted(tmp_path / "10", texts), tmp_path / "20", RULES)
    shown = shown_step(step)
    (removed,) = shown.removed
    assert (removed.rule, removed.reason, removed.documents) == ("length", "too_short", 6)
    assert len(removed.samples) == SAMPLES
    assert all(len(sample.text) < 5 and not sample.cut for sample in removed.samples)
    assert (shown.dropped, shown.manifest["documents"]) == (6, {"in": 15, "out": 9})
    (threshold,) = shown.thresholds  # too_long dropped none
    assert (threshold.name, threshold.condition) == ("length.min_chars", "characters >= 5")
    assert (threshold.dropped, threshold.scores.documents) == (6, 15)
    assert sum(count for _, _, count in threshold.scores.rows) == 15
    assert [one.name for one in threshold.kept_side] == ["0-5", "2-1", "0-6"]
    assert [one.name for one in threshold.dropped_side] == ["0-4", "0-3", "0-2"]
    assert [one.documents for one in lengths(step)] == [15, 9]


def test_documents_that_someone_asked_to_take_out_are_not_shown(tmp_path: Path) -> None:
    step = processed(extracted(tmp_path / "10", [["a" * n for n in range(4, 12)]]), tmp_path / "20", RULES)
    names = [
        {one.name for one in [*shown.removed[0].samples, *shown.thresholds[0].kept_side]}
        for shown in (shown_step(step), shown_step(step, {"0-0", "0-2"}))
    ]
    assert names == [{"0-0", "0-1", "0-2", "0-3"}, {"0-1", "0-3", "0-4"}]


def test_perplexity_by_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text the length, and its first two letters are its language."""

    def score(self: Perplexity, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("text").to_pylist()
        found = [float(len(text)) if text[:2] == "en" else np.nan for text in texts]
        languages = pa.array([text[:2] for text in texts])
        perplexity = pa.array(found, from_pandas=True)
        return pa.RecordBatch.from_pydict({"perplexity": perplexity, "perplexity_language": languages})

    monkeypatch.setattr(Perplexity, "score", score)
    (tmp_path / "model").write_bytes(b"")
    model = LanguageModel(lm=str(tmp_path / "model"), sentencepiece=str(tmp_path / "model"))
    rule = Perplexity(models={"en": model}, cutoffs={"en": (5, 8)})
    texts = [[f"en{'a' * n}" for n in range(9)], ["de"], ["en"]]
    step = processed(extracted(tmp_path / "10", texts), tmp_path / "20", [NamedRule("perplexity", rule)])
    (shown,) = perplexities(step)
    assert shown.buckets == [("en", "head", 4, True), ("en", "middle", 3, True), ("en", "tail", 3, False),
                             ("de", "all", 1, False)]  # fmt: skip
    (plot,) = shown.languages
    assert plot.documents == 10
    assert plot.plot.count("var(--limit)") == 2
    dropped = {one.reason: one.documents for one in shown_step(step).removed}
    assert dropped == {"perplexity_all": 1, "perplexity_tail": 3}
