"""Language identification as CCNet does it. Golden values: fastText itself, and CCNet's own output."""

import json
import pickle
from pathlib import Path

import fasttext.FastText
import numpy as np
import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.language import Language


@pytest.fixture(scope="session")
def lid(shared_data: Path) -> str:
    return str(next(shared_data.glob("models-wordlists/**/lid.176.ftz")))


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def scores_of(*pairs: tuple[str | None, float]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "language": pa.array([label for label, _ in pairs], pa.string()),
            "language_score": pa.array([score for _, score in pairs], pa.float64()),
        }
    )


def test_each_language_of_a_parallel_corpus_is_found(lid: str, shared_data: Path) -> None:
    expected = {"bul": "bg", "deu": "de", "fra": "fr", "hun": "hu", "pol": "pl", "swe": "sv", "ukr": "uk"}
    folder = shared_data / "labelled" / "LASER" / "langid-tatoeba"
    texts = [
        (folder / f"tatoeba.{code}-eng.{code}").read_text(encoding="utf-8").replace("\n", " ") for code in expected
    ]
    scores = Language(model=lid).score(batch(*texts))
    assert scores.column("language").to_pylist() == list(expected.values())
    assert min(scores.column("language_score").to_pylist()) > 0.5
    kept = Language(model=lid, keep=("de", "fr")).decide(scores).to_pylist()
    assert kept == [None if label in ("de", "fr") else "language_unwanted" for label in expected.values()]


def test_line_feeds_are_removed_not_replaced(lid: str) -> None:
    model = fasttext.FastText._FastText(model_path=lid)
    text = "Der Hund\nist im Haus\nund schl\u00e4ft"
    [(probability, label)] = model.f.predict("Der Hundist im Hausund schl\u00e4ft\n", 1, 0.0, "strict")
    [(replaced, _)] = model.f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
    assert round(replaced, 2) != round(probability, 2)
    scores = Language(model=lid).score(batch(text)).to_pylist()
    assert scores == [{"language": label.removeprefix("__label__"), "language_score": round(probability, 2)}]


def test_agrees_with_what_ccnet_wrote(lid: str, shared_data: Path) -> None:
    """CCNet's output, published by dolma; CCNet used the full model, ours here is the quantised one."""
    path = shared_data / "c4" / "dolma" / "cc_en_head-0091.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    scores = Language(model=lid).score(batch(*(row["text"] for row in rows)))
    assert scores.column("language").to_pylist() == [row["metadata"]["language"] for row in rows]
    published = np.array([row["metadata"]["language_score"] for row in rows])
    assert np.abs(scores.column("language_score").to_numpy() - published).mean() < 0.03


def test_scores_are_rounded_before_the_threshold(lid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy's rounding, as in cc_net/split_by_lang.py: 0.495 becomes 0.5 (Python's round gives 0.49)."""
    rule = Language(model=lid)
    given = [0.494, 0.495, 0.5, 1.00001]
    monkeypatch.setattr("corpus.filters.language.predictions", lambda model, lines: ([("en", p)] for p in given))
    scores = rule.score(batch("a", "b", "c", "d"))
    assert scores.column("language_score").to_pylist() == [0.49, 0.5, 0.5, 1.0]
    assert rule.decide(scores).to_pylist() == ["language_uncertain", None, None, None]


def test_max_chars_looks_at_the_start(lid: str) -> None:
    text = "The quick brown fox\n jumps over the dog. " + "Der Hund ist im Haus und schl\u00e4ft. " * 20
    whole, start = Language(model=lid), Language(model=lid, max_chars=38)
    assert whole.score(batch(text)).column("language").to_pylist() == ["de"]
    assert start.score(batch(text)) == whole.score(batch(text.replace("\n", "")[:38]))
    assert start.score(batch(text)).column("language").to_pylist() == ["en"]


def test_decide() -> None:
    scores = scores_of(("en", 0.9), ("de", 0.9), ("de", 0.1), (None, 0.0))
    assert Language().decide(scores).to_pylist() == [
        None,
        "language_unwanted",
        "language_uncertain",
        "language_uncertain",
    ]
    assert Language(keep=None, threshold=0).decide(scores).to_pylist() == [None] * 4


def test_odd_texts(lid: str) -> None:
    odd = ["", "\n\n", " ", "\x00", "a\x00b", "</s> </s>", "__label__en", "\ufffd", "x" * 100_000]
    scores = Language(model=lid).score(batch(*odd))
    assert scores.column("language").is_valid().to_pylist() == [False, False] + [True] * 7
    assert scores.schema.types == [pa.string(), pa.float64()]


def test_no_documents(lid: str) -> None:
    rule = Language(model=lid)
    assert rule.decide(rule.score(batch())).to_pylist() == []


def test_the_rule_is_picklable_and_holds_no_model(lid: str) -> None:
    rule = Language(model=lid)
    rule.score(batch("warm"))
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert len(pickle.dumps(rule)) < 1000


def test_a_wrong_model_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model file"):
        Language(model=str(tmp_path / "none.ftz")).score(batch("text"))
    (tmp_path / "text.ftz").write_text("this is not a model")
    with pytest.raises(UserError, match="not a fastText model"):
        Language(model=str(tmp_path / "text.ftz")).score(batch("text"))
