"""Language identification as CCNet does it. Golden values: fastText itself, and CCNet's own output."""

import json
import pickle
from pathlib import Path

import fasttext.FastText
import numpy as np
import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.fasttext_train import train_classifier
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


def test_scores_are_rounded_before_the_threshold(lid: str) -> None:
    """numpy's rounding, as in cc_net/split_by_lang.py: 0.495 becomes 0.5 (Python's round gives 0.49)."""
    rule = Language(model=lid, keep=None)
    fasttext_model = fasttext.FastText._FastText(model_path=lid).f
    words = ["the", "of", "und", "der", "la", "que", "il", "quick", "brown", "Hund", "casa", "maison"]
    texts = [f"{a} {b} {c}" for a in words for b in words for c in words]
    probabilities = [fasttext_model.predict(text + "\n", 1, 0.0, "strict")[0][0] for text in texts]
    near = [n for n, p in enumerate(probabilities) if 0.494 < p < 0.504]
    assert {probabilities[n] < 0.495 for n in near} == {True, False}
    scores = rule.score(batch(*(texts[n] for n in near)))
    assert scores.column("language_score").to_pylist() == [0.49 if probabilities[n] < 0.495 else 0.5 for n in near]
    dropped = rule.decide(scores).is_valid().to_pylist()
    assert dropped == [probabilities[n] < 0.495 for n in near]


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


CAPITALS = "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG, AND NOBODY KNOWS WHY IT DID SO THIS MORNING."


def test_normalize_reads_capitals_and_other_spaces(lid: str) -> None:
    """The texts of ftlangdetect's and EasyNMT's reports: English in capitals, words parted by no-break spaces."""
    parted = CAPITALS.lower().replace(" ", "\u00a0")
    plain, normalized = Language(model=lid), Language(model=lid, normalize=True)
    found = plain.score(batch(CAPITALS, parted, CAPITALS.lower())).to_pylist()
    assert [row["language"] == "en" and row["language_score"] > 0.5 for row in found] == [False, False, True]
    texts = [CAPITALS, parted, CAPITALS.lower(), CAPITALS.replace(" ", "\n\u2003\x1f")]
    assert normalized.score(batch(*texts)).to_pylist() == [found[2]] * 4


@pytest.mark.parametrize("point", [c for c in range(0x3000 + 1) if chr(c).isspace()])
def test_normalize_knows_all_white_space(lid: str, point: int) -> None:
    rule = Language(model=lid, normalize=True)
    assert rule.score(batch(f"le{chr(point)}chat{chr(point)}dort")) == rule.score(batch("le chat dort"))


def test_top(lid: str) -> None:
    text = "The quick brown fox jumps. Der Hund ist im Haus und schl\u00e4ft."
    scores = Language(model=lid, top=3).score(batch(text, "")).to_pylist()
    [plain] = Language(model=lid).score(batch(text)).to_pylist()
    answers = fasttext.FastText._FastText(model_path=lid).f.predict(text + "\n", 3, 0.0, "strict")
    named = " ".join(f"{label.removeprefix('__label__')}:{probability:.2f}" for probability, label in answers)
    assert scores == [{**plain, "languages": named}, {"language": None, "language_score": 0.0, "languages": None}]
    assert named.startswith(f"{plain['language']}:{plain['language_score']:.2f} ")


def test_more_asked_for_than_there_are(tmp_path: Path) -> None:
    """Labels as those of GlotLID and OpenLID, a language and a script."""
    lines = [(label, f"{word} {n}") for n in range(100) for label, word in (("eng_Latn", "good"), ("rus_Cyrl", "bad"))]
    train_classifier(lines, str(tmp_path / "model.bin"), dim=4, epoch=20, lr=1, bucket=0)
    rule = Language(model=str(tmp_path / "model.bin"), top=9, keep=("rus_Cyrl",))
    scores = rule.score(batch("bad 7", "good 7"))
    assert [[each.partition(":")[0] for each in row.split(" ")] for row in scores.column("languages").to_pylist()] == [
        ["rus_Cyrl", "eng_Latn"],
        ["eng_Latn", "rus_Cyrl"],
    ]
    assert rule.decide(scores).to_pylist() == [None, "language_unwanted"]


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
