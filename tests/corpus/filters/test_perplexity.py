"""Perplexity against a language model read and scored by hand, and CCNet's buckets."""

import csv
import math
import pickle
import random
import sys
from collections import Counter
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa
import pytest
import sentencepiece

from corpus.errors import UserError
from corpus.filters.perplexity import CUTOFFS, LanguageModel, Perplexity
from corpus.filters.perplexity_model import language_model
from corpus.protobuf import fields
from corpus.text.ccnet import normalize_for_lm
from tests.corpus.filters.language_models import require_kenlm, trained, write_probing

LLAMA_WIKIPEDIA = "bg ca cs da de en es fr hr hu it nl pl pt ro ru sl sr sv uk"
BACKOFF, UNKNOWN = -0.4, -4.0


class Bigrams:
    """A bigram model over pieces, written as ARPA for KenLM and scored here with Katz's rule."""

    def __init__(self, lines: list[list[str]]) -> None:
        sentences = [["<s>", *line, "</s>"] for line in lines]
        words = Counter(word for sentence in sentences for word in sentence)
        pairs = Counter(pair for sentence in sentences for pair in pairwise(sentence))
        total = sum(words.values())
        self.one = {word: round(math.log10(count / total), 6) for word, count in words.items()}
        self.one["<s>"] = -99.0
        self.one["<unk>"] = UNKNOWN
        self.two = {pair: round(math.log10(0.6 * count / words[pair[0]]), 6) for pair, count in pairs.items()}

    def write(self, path: Path) -> str:
        body = [f"\\data\\\nngram 1={len(self.one)}\nngram 2={len(self.two)}\n\n\\1-grams:"]
        body += [
            f"{value}\t{word}" + ("" if word in ("</s>", "<unk>") else f"\t{BACKOFF}")
            for word, value in sorted(self.one.items())
        ]
        body.append("\n\\2-grams:")
        body += [f"{value}\t{' '.join(pair)}" for pair, value in sorted(self.two.items())]
        path.write_text("\n".join(body) + "\n\n\\end\\\n", encoding="utf-8")
        return str(path)

    def perplexity(self, pieces: list[str]) -> float:
        score = 0.0
        for before, word in pairwise(["<s>", *pieces, "</s>"]):
            if (before, word) in self.two:
                score += self.two[before, word]
            else:
                score += (BACKOFF if before in self.one else 0) + self.one.get(word, UNKNOWN)
        return float(10 ** (-score / (len(pieces) + 1)))


@pytest.fixture(scope="module")
def pieces_model(shared_data: Path) -> str:
    return str(next(shared_data.glob("models-wordlists/sentencepiece/test_model.model")))


@pytest.fixture(scope="module")
def novel(shared_data: Path) -> list[str]:
    text = next(shared_data.glob("models-wordlists/sentencepiece/botchan.txt")).read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    return ["\n".join(lines[start : start + 20]) for start in range(0, 2000, 20)]


@pytest.fixture(scope="module")
def bigrams(pieces_model: str, novel: list[str]) -> Bigrams:
    encoder = sentencepiece.SentencePieceProcessor(model_file=pieces_model)
    return Bigrams(encoder.encode(normalize_for_lm(pa.array(novel[:50])).to_pylist(), out_type=str))


@pytest.fixture(scope="module")
def rule(pieces_model: str, bigrams: Bigrams, tmp_path_factory: pytest.TempPathFactory) -> Perplexity:
    require_kenlm()
    lm = bigrams.write(tmp_path_factory.mktemp("lm") / "en.arpa")
    return Perplexity(models={"en": LanguageModel(lm=lm, sentencepiece=pieces_model)})


def batch(*pairs: tuple[str, str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "text": pa.array([text for text, _ in pairs], pa.large_string()),
            "language": pa.array([language for _, language in pairs], pa.string()),
        }
    )


def scores_of(*pairs: tuple[float | None, str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "perplexity": pa.array([value for value, _ in pairs], pa.float64()),
            "perplexity_language": pa.array([language for _, language in pairs], pa.string()),
        }
    )


def test_equals_a_model_scored_by_hand(rule: Perplexity, bigrams: Bigrams, pieces_model: str, novel: list[str]) -> None:
    encoder = sentencepiece.SentencePieceProcessor(model_file=pieces_model)
    found = rule.score(batch(*((text, "en") for text in novel))).column("perplexity").to_pylist()
    for text, value in zip(normalize_for_lm(pa.array(novel)).to_pylist(), found, strict=True):
        expected = bigrams.perplexity(encoder.encode(text, out_type=str))
        assert value == pytest.approx(expected, abs=0.06, rel=1e-4)  # KenLM adds in float32
        assert value == round(value, 1)
    assert max(found[:50]) < min(found[50:])  # seen in training, unseen


def test_a_binary_model_scores_as_its_arpa(rule: Perplexity, novel: list[str], tmp_path: Path) -> None:
    """The one is read by our kernels, the other by KenLM."""
    pieces = trained("unigram", tmp_path)
    encoder = sentencepiece.SentencePieceProcessor(model_file=pieces)
    bigrams = Bigrams(encoder.encode(normalize_for_lm(pa.array(novel[:50])).to_pylist(), out_type=str))
    ngrams = {(word,): (value, 0 if word in ("</s>", "<unk>") else BACKOFF) for word, value in bigrams.one.items()}
    ngrams = {("<unk>",): ngrams["<unk>",], **ngrams, **{pair: (value, 0) for pair, value in bigrams.two.items()}}
    binary = write_probing(tmp_path / "en.arpa.bin", ngrams)
    arpa = bigrams.write(tmp_path / "en.arpa")
    assert language_model(binary, pieces).reason == ""
    found, expected = (
        rule.model_copy(update={"models": {"en": LanguageModel(lm=lm, sentencepiece=pieces)}})
        .score(batch(*((text, "en") for text in novel)))
        .column("perplexity")
        .to_pylist()
        for lm in (binary, arpa)
    )
    assert found == expected
    assert None not in found


def test_only_documents_of_a_known_language_are_scored(rule: Perplexity, novel: list[str]) -> None:
    texts = [(novel[0], "en"), (novel[0], "de"), (novel[0], None), ("", "en"), (" \n", "en"), (novel[1], "en")]
    scores = rule.score(batch(*texts))
    assert scores.column("perplexity").is_valid().to_pylist() == [True, False, False, False, False, True]
    assert scores.column("perplexity_language").to_pylist() == ["en", "de", "", "en", "en", "en"]
    alone = rule.score(batch(texts[-1])).column("perplexity")
    assert alone[0] == scores.column("perplexity")[5]


def test_a_document_is_one_sentence_without_line_feeds(rule: Perplexity) -> None:
    scores = rule.score(batch(("one two\nthree", "en"), ("one twothree", "en"), ("one two three", "en")))
    found = scores.column("perplexity").to_pylist()
    assert found[0] == found[1] != found[2]


def test_buckets() -> None:
    rule = Perplexity(models={"en": LanguageModel(lm="m", sentencepiece="s")})
    scores = scores_of((339.9, "en"), (340.0, "en"), (519.9, "en"), (520.0, "en"), (1.0, "sv"), (None, "en"))
    assert rule.decide(scores).to_pylist() == [
        None,
        None,
        None,
        "perplexity_tail",
        "perplexity_all",
        "perplexity_all",
    ]
    other = rule.model_copy(update={"keep": ("tail", "all")})
    assert other.decide(scores).to_pylist() == ["perplexity_head"] + ["perplexity_middle"] * 2 + [None] * 3
    assert rule.decide(scores.slice(0, 0)).to_pylist() == []


def test_cutoffs_are_those_of_ccnet(shared_data: Path) -> None:
    with next(shared_data.glob("models-wordlists/cc_net/cutoff.csv")).open(encoding="utf-8") as file:
        rows = {row[""]: row for row in csv.DictReader(file)}
    published = {
        language: (float(rows["30"][language]), float(rows["60"][language]))
        for language in rows["30"]
        if language and language in LLAMA_WIKIPEDIA
    }
    assert published == CUTOFFS


def test_the_rule_is_picklable(rule: Perplexity) -> None:
    rule.score(batch(("warm", "en")))
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert len(pickle.dumps(rule)) < 5000


def refused(models: LanguageModel, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        Perplexity(models={"en": models}).score(batch(("text", "en")))
    assert "\n" not in str(error.value)


def test_a_cut_sentencepiece_model_is_refused(pieces_model: str, tmp_path: Path) -> None:
    whole = Path(pieces_model).read_bytes()
    between = list(accumulate(len(value) + 2 for number, value in fields(whole) if number == 1))  # pieces are short
    list(fields(whole[: between[-1]]))  # as a message it is whole
    chance = random.Random(0)
    for number, size in enumerate([0, 1, *chance.sample(range(len(whole)), 30), *chance.sample(between, 30)]):
        path = tmp_path / str(number)
        path.write_bytes(whole[:size])
        refused(
            LanguageModel(lm="none", sentencepiece=str(path)),
            rf"^{path} is not a whole SentencePiece model \(.+\): fetch or train it again$",
        )


def test_a_cut_language_model_is_refused(rule: Perplexity, tmp_path: Path) -> None:
    good = rule.models["en"]
    whole = Path(good.lm).read_bytes()
    end = len("\n\\end\\\n")
    for number, size in enumerate([0, 1, *random.Random(0).sample(range(len(whole) - end), 60)]):
        path = tmp_path / str(number)
        path.write_bytes(whole[:size])
        refused(
            good.model_copy(update={"lm": str(path)}),
            rf"^{path} is not a whole KenLM model \(.+\): fetch or build it again$",
        )


def test_mistakes_are_user_errors(rule: Perplexity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "damaged.bin"
    damaged.write_bytes(b"not a model" * 100)
    good = rule.models["en"]
    for model, message in [
        (LanguageModel(lm=str(damaged), sentencepiece=good.sentencepiece), "not a whole KenLM model"),
        (LanguageModel(lm=good.lm, sentencepiece=str(damaged)), "not a whole SentencePiece model"),
        (LanguageModel(lm=str(tmp_path / "none"), sentencepiece=good.sentencepiece), "no model file"),
    ]:
        refused(model, message)
    monkeypatch.setitem(sys.modules, "kenlm", None)
    copy = tmp_path / "copy.arpa"
    copy.write_bytes(Path(good.lm).read_bytes())
    with pytest.raises(UserError, match="pip install"):
        Perplexity(models={"en": LanguageModel(lm=str(copy), sentencepiece=good.sentencepiece)}).score(
            batch(("text", "en"))
        )
