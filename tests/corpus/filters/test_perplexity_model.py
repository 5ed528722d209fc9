"""Perplexities are those of KenLM and SentencePiece, whoever answers."""

import math
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings

from corpus.errors import UserError
from corpus.filters import perplexity_model
from corpus.filters.perplexity_model import LanguageModel, language_model
from corpus.text.ccnet import normalize_for_lm
from tests.corpus.filters.fasttext_kinds import LONG, random_texts, texts
from tests.corpus.filters.language_models import SETTINGS, kenlm_model, prose, random_ngrams, trained, write_probing
from tests.corpus.filters.test_unigram_model import REASONS

LmOf = Callable[[str], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def lm_of(folder: Path) -> LmOf:
    """The path of a language model over the pieces of a SentencePiece model, and two unknown words."""

    def write(model: str) -> str:
        path = folder / f"{Path(model).name}.lm"
        if not path.exists():
            encoder = sentencepiece.SentencePieceProcessor(model_file=model)
            pieces = [encoder.id_to_piece(number) for number in range(3, encoder.get_piece_size())]
            some = random.Random(0).sample([piece for piece in pieces if piece.split() == [piece]], 300)
            write_probing(path, random_ngrams(dict.fromkeys((*some, "字", "€")), 4, 1))
        return str(path)

    return write


@pytest.fixture(scope="module")
def pieces(folder: Path) -> str:
    return trained("unigram", folder)


@pytest.fixture(scope="module")
def model(pieces: str, lm_of: LmOf) -> LanguageModel:
    return LanguageModel(lm_of(pieces), pieces)


class Libraries:
    """What the rule computed before there were kernels: cc_net/perplexity.py."""

    def __init__(self, lm: str, pieces: str) -> None:
        self.lm = kenlm_model(lm)
        self.encoder = sentencepiece.SentencePieceProcessor(model_file=pieces)

    def perplexities(self, values: list[str | None]) -> list[float | None]:
        found: list[float | None] = []
        for text in normalize_for_lm(column(values)).to_pylist():
            line = " ".join(self.encoder.encode(text, out_type=str))
            found.append(round(10.0 ** (-self.lm.score(line) / (len(line.split()) + 1)), 1) if line else None)
        return found


def column(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.large_string()).fill_null("")


def own(model: LanguageModel, values: list[Any]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in model.perplexities(column(values))]


def real_texts(folder: Path) -> Iterator[str]:
    """Every file there is, as UTF-8 with U+FFFD for what is none, in pieces of growing length; 200 kB of a file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_bytes()[:200_000].decode("utf-8", errors="replace")
            start, length = 0, 50
            while start < len(text):
                yield text[start : start + length]
                start, length = start + length, min(length + 50, 8000)


def test_equal_to_the_libraries(model: LanguageModel, pieces: str, lm_of: LmOf) -> None:
    assert model.reason == ""
    lines = prose()
    values = [*random_texts(3, 300), *lines[:300], " ".join(lines), *LONG, "", "\n", "\0", "\ufffd", "字€字 €", None]
    assert own(model, values) == Libraries(lm_of(pieces), pieces).perplexities(values)


def test_equal_on_whatever_hypothesis_finds(model: LanguageModel, pieces: str, lm_of: LmOf) -> None:
    libraries = Libraries(lm_of(pieces), pieces)

    @given(texts)
    @settings(max_examples=200)
    def check(text: str) -> None:
        assert own(model, [text]) == libraries.perplexities([text])

    check()


def test_equal_on_real_text(model: LanguageModel, pieces: str, lm_of: LmOf, shared_data: Path) -> None:
    values = list(real_texts(shared_data))[::40]
    assert len(values) > 300
    assert own(model, values) == Libraries(lm_of(pieces), pieces).perplexities(values)


@pytest.mark.slow
def test_equal_on_all_real_text(model: LanguageModel, pieces: str, lm_of: LmOf, shared_data: Path) -> None:
    values = list(real_texts(shared_data))
    assert len(values) > 10_000
    assert own(model, values) == Libraries(lm_of(pieces), pieces).perplexities(values)


@pytest.mark.slow
def test_equal_on_random_strings(model: LanguageModel, pieces: str, lm_of: LmOf) -> None:
    values = random_texts(4, 50_000)
    assert own(model, values) == Libraries(lm_of(pieces), pieces).perplexities(values)


@pytest.mark.parametrize("kind", sorted(SETTINGS.keys() - {"unigram"}))
def test_the_libraries_answer_for_other_models(kind: str, folder: Path, lm_of: LmOf) -> None:
    path = trained(kind, folder)
    libraries = Libraries(lm_of(path), path)
    model = LanguageModel(lm_of(path), path)
    assert model.reason == f"{path}: {REASONS[kind]}"
    values = [*prose()[:50], *random_texts(5, 50), "a b ä \u3000 \u2581 x", ""]
    assert own(model, values) == libraries.perplexities(values)


def test_a_library_that_cuts_otherwise_answers_itself(
    pieces: str, lm_of: LmOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of another version may."""
    libraries = Libraries(lm_of(pieces), pieces)

    def cut_texts(*arguments: Any) -> Any:
        found = original(*arguments)
        found.numbers[len(found.numbers) // 2] ^= 1
        return found

    original = perplexity_model.cut_texts
    monkeypatch.setattr(perplexity_model, "cut_texts", cut_texts)
    model = LanguageModel(lm_of(pieces), pieces)
    assert model.reason == f"{pieces}: the library gives other pieces"
    assert own(model, prose()[:20]) == libraries.perplexities([*prose()[:20]])


def test_kenlm_answers_for_its_other_kinds(pieces: str, tmp_path: Path) -> None:
    arpa = tmp_path / "model.arpa"
    arpa.write_text("\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-1\t<unk>\n-9\t<s>\t-0.5\n-1\t</s>\n-2\t▁the\t0\n\n")
    with arpa.open("a") as file:
        file.write("\\2-grams:\n-0.5\t<s> ▁the\n\n\\end\\\n")
    libraries = Libraries(str(arpa), pieces)
    model = LanguageModel(str(arpa), pieces)
    assert model.reason == f"{arpa}: it is no binary model of KenLM"
    assert own(model, ["the the", "the", "other"]) == libraries.perplexities(["the the", "the", "other"])


def test_kenlm_is_needed_for_its_other_kinds_alone(
    pieces: str, lm_of: LmOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    assert own(LanguageModel(lm_of(pieces), pieces), ["the"]) != [None]
    other = tmp_path / "model.arpa"
    other.write_text("\\data\\\n" * 20)
    with pytest.raises(UserError, match=rf"needs KenLM for {other}: pip install"):
        LanguageModel(str(other), pieces)


def test_threads_have_caches_of_their_own(model: LanguageModel) -> None:
    values = random_texts(6, 1000)
    expected = own(model, values)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: own(model, values), range(8))) == [expected] * 8


def test_a_model_is_loaded_once(pieces: str, lm_of: LmOf) -> None:
    assert language_model(lm_of(pieces), pieces) is language_model(lm_of(pieces), pieces)
