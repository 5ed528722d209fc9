"""Ids against SentencePiece itself."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile, UserError
from corpus.storage import commit
from tests.tokenizer.conftest import trained
from tokenizer.bpe import new_cache, new_scratch
from tokenizer.encode import Encoder
from tokenizer.fuzz import HOSTILE
from tokenizer.model import model_sha256


def column(texts: list[str], kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(texts, kind or pa.large_string())


def rows(encoder: Encoder, texts: list[str], bos: bool = False, eos: bool = False) -> list[list[int]]:
    tokens, offsets = encoder.encode_batch(column(texts), bos, eos)
    assert len(tokens) == offsets[-1]
    return [tokens[a:b].tolist() for a, b in pairwise(offsets)]


def fuzz(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(HOSTILE, k=rng.randint(0, 40))) for _ in range(count)]


@pytest.fixture(scope="module")
def processor(model_path: str) -> Any:
    return sentencepiece.SentencePieceProcessor(model_file=model_path)


def test_twenty_thousand_strings_are_encoded_as_sentencepiece_does(encoder: Encoder, processor: Any) -> None:
    texts = fuzz(7, 20_000)
    assert encoder.exact_kernel
    expected = processor.encode(texts)
    # Twice: the second time most words come from the cache.
    for _ in range(2):
        different = [t for t, a, b in zip(texts, rows(encoder, texts), expected, strict=True) if a != b]
        assert different == []


@settings(deadline=None, max_examples=300)
@given(texts=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=80), max_size=6))
def test_any_text_is_encoded_as_sentencepiece_does(encoder: Encoder, processor: Any, texts: list[str]) -> None:
    assert rows(encoder, texts) == processor.encode(texts)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_texts_made_of_pieces(encoder: Encoder, processor: Any, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(259, encoder.vocab_size - 1), max_size=60))
    texts = ["".join(processor.id_to_piece(i) for i in ids)] * 2
    assert rows(encoder, texts) == processor.encode(texts)


@pytest.mark.parametrize("length", [62, 63, 64, 65, 66, 500, 20_000])
def test_long_words(encoder: Encoder, processor: Any, length: int) -> None:
    rng = random.Random(length)
    texts = [
        "a" * length,
        " " * length,
        "\u2581" * length + "x",
        "中" * length,
        "".join(rng.choices("abcdefthingselfreturn_", k=length)),
        "\U0001f9ff" * length,
    ]
    assert rows(encoder, texts) == processor.encode(texts)


def test_a_long_word_is_not_quadratic(encoder: Encoder, processor: Any) -> None:
    # 2 MB without a cut would take hours in quadratic time.
    text = "".join(random.Random(3).choices("abcdefthingselfreturn_", k=2_000_000))
    assert rows(encoder, [text]) == [processor.encode(text)]


@pytest.mark.parametrize("window", [4, 5, 8, 64, 1000])
def test_windows_of_a_long_word_change_nothing(model_path: str, processor: Any, window: int) -> None:
    # Windows this short often begin with another symbol than they should, so the way back is taken, too.
    encoder = Encoder(model_path)
    encoder._scratch = new_scratch(window)
    rng = random.Random(window)
    texts = [
        unit * 700 for unit in ("a", " ", "=", "ab", "-=-", "中", "\u2581x", "\U0001f9ff", "é\u0301", "e\U0010ffff")
    ]
    texts += ["".join(rng.choices(rng.sample(HOSTILE, 4), k=300)) for _ in range(100)]
    texts += ["".join(rng.choices("etaoinshr", k=500)) for _ in range(100)]
    assert rows(encoder, texts) == processor.encode(texts)


def test_words_up_to_the_length_of_a_cache_line(encoder: Encoder, processor: Any) -> None:
    texts = [" " + "e" * n + " " + "z" * n for n in range(30)] * 2 + ["the end of the buffer is not near"] * 2
    assert rows(encoder, texts) == processor.encode(texts)


def test_a_cache_that_forgets_changes_nothing(model_path: str, processor: Any) -> None:
    encoder = Encoder(model_path)
    encoder._lines = new_cache(1)
    encoder._values = encoder._lines.view(np.uint32)
    texts = fuzz(8, 2000)
    assert rows(encoder, texts) == processor.encode(texts)
    assert encoder.missed < encoder.words


def test_grouping_into_batches_changes_nothing(model_path: str) -> None:
    texts = fuzz(9, 500)
    alone = Encoder(model_path)
    assert [row for text in texts for row in rows(alone, [text])] == rows(Encoder(model_path), texts)


def test_slices_and_string_columns(encoder: Encoder, processor: Any) -> None:
    texts = fuzz(10, 50)
    for kind in (pa.string(), pa.large_string()):
        tokens, offsets = encoder.encode_batch(column(texts, kind)[13:37], False, False)
        assert [tokens[a:b].tolist() for a, b in pairwise(offsets)] == processor.encode(texts[13:37])


def test_bos_and_eos_as_metas_tokenizer_puts_them(encoder: Encoder, processor: Any) -> None:
    texts = ["", "the <s> end", " ", "\n"]
    ids = processor.encode(texts)
    assert rows(encoder, texts, bos=True, eos=True) == [[1, *x, 2] for x in ids]
    assert rows(encoder, texts, bos=True) == [[1, *x] for x in ids]
    assert rows(encoder, texts, eos=True) == [[*x, 2] for x in ids]
    assert rows(encoder, []) == []


def test_a_model_on_any_file_system(model_path: str) -> None:
    commit("memory://models/m.model", lambda sink: sink.write(Path(model_path).read_bytes()))
    assert Encoder("memory://models/m.model").sha256 == model_sha256("memory://models/m.model")
    with pytest.raises(UserError, match="cannot read the tokenizer memory://none"):
        Encoder("memory://none")


def test_attributes(encoder: Encoder, processor: Any) -> None:
    assert (encoder.vocab_size, encoder.bos_id, encoder.eos_id, encoder.unk_id) == (2000, 1, 2, 0)
    assert encoder.encode_batch(column(["x"]), False, False)[0].dtype == np.uint16
    assert encoder.reason == ""


def test_encoders_of_one_model_share_its_tables_and_nothing_else(model_path: str, tmp_path: Path) -> None:
    first, second = Encoder(model_path), Encoder(model_path)
    assert first._tables is second._tables
    assert first._lines is not second._lines
    path = tmp_path / "m.model"
    path.write_bytes(Path(model_path).read_bytes())
    assert Encoder(str(path))._tables is first._tables
    path.write_bytes(trained())
    assert Encoder(str(path)).vocab_size == 310
    assert rows(second, ["the thing"]) == rows(Encoder(model_path), ["the thing"])


def test_real_books(encoder: Encoder, processor: Any, shared_data: Path) -> None:
    books = [path.read_text("utf-8", errors="replace") for path in sorted((shared_data / "gutenberg").rglob("*.txt"))]
    assert len(books) > 5
    assert rows(encoder, books) == processor.encode(books)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "unigram"}, "it is not a BPE model"),
        ({"normalization_rule_name": "nmt_nfkc"}, "its normaliser rewrites characters"),
        ({"remove_extra_whitespaces": True}, "it removes extra whitespace"),
        ({"treat_whitespace_as_suffix": True}, "it treats whitespace as a suffix"),
        ({"byte_fallback": False, "vocab_size": 60}, "it has no byte fallback"),
        ({"user_defined_symbols": ["<mask>"]}, "it has user-defined pieces"),
    ],
)
def test_other_models_are_left_to_sentencepiece(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    model = trained(**changes)
    (tmp_path / "m.model").write_bytes(model)
    encoder = Encoder(str(tmp_path / "m.model"))
    assert (encoder.exact_kernel, encoder.reason) == (False, reason)
    texts = ["", *fuzz(11, 300)]
    expected = sentencepiece.SentencePieceProcessor(model_proto=model).encode(texts)
    assert rows(encoder, texts, bos=True, eos=True) == [[1, *x, 2] for x in expected]


def test_a_model_edited_not_to_escape_spaces(tmp_path: Path) -> None:
    # normalizer_spec { escape_whitespaces: false }: a message that comes twice is merged.
    model = trained() + b"\x1a\x02\x28\x00"
    (tmp_path / "m.model").write_bytes(model)
    encoder = Encoder(str(tmp_path / "m.model"))
    assert encoder.reason == "it does not escape spaces"
    assert rows(encoder, ["the thing"]) == sentencepiece.SentencePieceProcessor(model_proto=model).encode(["the thing"])


@pytest.mark.parametrize(
    "changes", [{"add_dummy_prefix": False}, {"split_by_whitespace": False}, {"split_digits": False}]
)
def test_other_models_that_the_kernel_is_exact_for(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = trained(**changes)
    (tmp_path / "m.model").write_bytes(model)
    encoder = Encoder(str(tmp_path / "m.model"))
    assert encoder.exact_kernel
    texts = fuzz(12, 2000) + ["the thing in the north return self.thing 12"] * 3
    assert rows(encoder, texts) == sentencepiece.SentencePieceProcessor(model_proto=model).encode(texts)


def test_a_real_unigram_model(shared_data: Path) -> None:
    path = str(shared_data / "models-wordlists" / "sentencepiece" / "test_model.model")
    encoder = Encoder(path)
    assert not encoder.exact_kernel
    texts = ["I saw a girl with a telescope.", ""]
    assert rows(encoder, texts) == sentencepiece.SentencePieceProcessor(model_file=path).encode(texts)


def test_mistakes(encoder: Encoder, tmp_path: Path, model_path: str) -> None:
    with pytest.raises(ValueError, match="null"):
        encoder.encode_batch(pa.array(["a", None], pa.large_string()), False, False)
    broken = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, 2])), pa.py_buffer(b"\xf7\xff"))
    with pytest.raises(ValueError, match="UTF8"):
        encoder.encode_batch(broken, False, False)
    with pytest.raises(UserError, match="check the path"):
        Encoder(str(tmp_path / "absent.model"))
    data = Path(model_path).read_bytes()
    between = data.index(b"\n\x0f\n\x06<0x02>"), data.rindex(b"\x1a", 0, data.index(b"identity"))
    for wrong in (b"", b"not a model", data[: len(data) // 2 + 1], *(data[:size] for size in between)):
        (tmp_path / "wrong.model").write_bytes(wrong)
        with pytest.raises(DamagedFile, match="not a whole SentencePiece model"):
            Encoder(str(tmp_path / "wrong.model"))
    without = trained(bos_id=-1)
    (tmp_path / "without.model").write_bytes(without)
    with pytest.raises(ValueError, match="no bos piece"):
        Encoder(str(tmp_path / "without.model")).encode_batch(column(["a"]), True, False)
