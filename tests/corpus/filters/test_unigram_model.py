"""SentencePiece's model files: what is read of them, and which are left to the library."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from corpus.filters.unigram_model import Unigram, read_unigram
from corpus.protobuf import fields
from corpus.text.double_array import ENDS, reached, value_of, values
from tests.corpus.filters.language_models import SETTINGS, rescored, trained

REASONS = {
    "nfkc": "its normaliser leaves white space",
    "bpe": "it is no unigram model",
    "bytes": "it has pieces of other kinds than text, or spaces behind words",
    "user-defined": "it has pieces of other kinds than text, or spaces behind words",
    "spaces behind": "it has pieces of other kinds than text, or spaces behind words",
    "spaces kept": "its spaces are not SentencePiece's usual ones",
    "spaces inside": "it has pieces with a space inside, or none for a space alone",
    "rule for a space": "its normaliser has rules for spaces",
    "rule that writes a space": "its normaliser writes white space",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def test_what_is_read(folder: Path) -> None:
    path = trained("unigram", folder)
    library = sentencepiece.SentencePieceProcessor(model_file=path)
    model = read_unigram(Path(path).read_bytes())
    assert isinstance(model, Unigram)
    count = library.get_piece_size()
    names = [model.names[start:end].tobytes().decode() for start, end in zip(model.ends, model.ends[1:], strict=False)]
    assert names == [library.id_to_piece(number) for number in range(count)]
    scores = [library.get_score(number) for number in range(count)]
    assert model.scores.tolist() == [*scores, 0.0]
    assert model.unknown == np.float32(min(scores[3:])) - np.float32(10)
    for number in range(3, count):  # behind <unk>, <s> and </s>
        assert value_of(model.pieces, names[number].replace("\u2581", " ").encode()) == number
    assert len(values(model.pieces, reached(model.pieces, list(range(1, 256))))) == count - 3
    assert model.plain


@pytest.mark.parametrize("kind", sorted(SETTINGS.keys() - {"unigram"}))
def test_models_that_are_left_to_the_library(kind: str, folder: Path) -> None:
    assert read_unigram(Path(trained(kind, folder)).read_bytes()) == REASONS[kind]


def test_scores_above_0_are_left_to_the_library(folder: Path) -> None:
    data = Path(trained("unigram", folder)).read_bytes()
    assert read_unigram(rescored(data, lambda name: 2.0 - len(name))) == "it has scores above 0"
    assert read_unigram(rescored(data, lambda name: float("nan"))) == "it has scores above 0"


def test_a_damaged_normaliser_is_seen(folder: Path) -> None:
    """One whose rules lead out of its texts."""
    data = Path(trained("unigram", folder)).read_bytes()
    normalizer = next(value for number, value in fields(data) if number == 3)
    assert isinstance(normalizer, bytes)
    rules = dict(fields(normalizer))[2]
    assert isinstance(rules, bytes)
    (size,) = struct.unpack_from("<I", rules)
    units = np.frombuffer(rules[4 : 4 + size], "<u4")
    at = next(int(at) for at in reached(units, list(range(1, 256))) if units[at] & ENDS)
    unit = int(units[at])
    place = data.index(rules) + 4 + 4 * (at ^ (unit >> 10 << ((unit & 0x200) >> 6)))
    damaged = bytearray(data)
    struct.pack_into("<I", damaged, place, 0x80000000 | len(rules))
    with pytest.raises(ValueError, match="normaliser is damaged"):
        read_unigram(bytes(damaged))
