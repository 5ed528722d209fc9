"""Files that fastText wrote are whole; cut anywhere, or altered where they count, they are refused in one line."""

import os
import random
import shutil
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import fasttext.FastText
import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.fasttext_format import read_layout
from corpus.filters.fasttext_model import classifier
from corpus.filters.fasttext_train import train_classifier

QUANTISED: dict[str, dict[str, int | bool]] = {
    "quantised": {},
    "norms apart": {"qnorm": True},
    "three columns a part": {"dsub": 3},
    "pruned": {"cutoff": 300},
    "pruned to words": {"cutoff": 300, "qnorm": True, "dsub": 1},
}
KINDS = ["bin", "bin of words", *QUANTISED]
MANY = "quantised output"
LABELS = dict.fromkeys(KINDS, 2) | {MANY: 300}  # a product quantiser needs 256 rows, also of the labels' matrix
MODEL, DICTIONARY = 8 + 7 * 4, 8 + 12 * 4 + 8  # bytes before the kind of model, and before the dictionary


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a small model by kind; not to be written to."""
    folder = tmp_path_factory.mktemp("models")

    def train(name: str, labels: int, texts: int, **options: int) -> None:
        lines = [(str(n), f"label{n:03d} naïve word{k % 7} {k}") for n in range(labels) for k in range(texts)]
        train_classifier(lines, str(folder / name), lr=1, epoch=100, **options)

    def quantise(source: str, name: str, **options: int | bool) -> None:
        quantised = fasttext.FastText._FastText(model_path=str(folder / source))
        quantised.quantize(**options)
        quantised.save_model(str(folder / name))

    train("bin", 2, 50, dim=4, minn=2, maxn=3, bucket=300)
    train("bin of words", 2, 50, dim=3)
    for name, options in QUANTISED.items():
        quantise("bin", name, **options)
    train("many", 300, 5, dim=4)
    quantise("many", MANY, qout=True, qnorm=True)
    return lambda kind: folder / kind


@pytest.fixture
def copy(model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copy(model(kind), tmp_path))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_layout(str(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", LABELS)
def test_a_whole_model_is_accepted_and_works(model: Callable[[str], Path], kind: str) -> None:
    read_layout(str(model(kind)))
    loaded = classifier(str(model(kind)))
    assert len(loaded.labels) == LABELS[kind]
    assert (loaded.best(pa.array(["label007 naïve", "word3"]), digits=2)[0] >= 0).all()


@pytest.mark.parametrize("kind", LABELS)
def test_a_model_cut_anywhere_is_refused(copy: Callable[[str], Path], kind: str) -> None:
    path = copy(kind)
    sizes: Sequence[int] = range(path.stat().st_size)
    if kind == MANY:
        sizes = sorted(random.Random(0).sample(sizes, 500))
    for size in reversed(sizes):
        os.truncate(path, size)
        assert ("not a whole fastText model" if size >= 8 else "not a fastText model") in refusal(path)


def test_a_cut_model_is_refused_before_fasttext_opens_it(copy: Callable[[str], Path]) -> None:
    path = copy("bin")
    os.truncate(path, DICTIONARY + 28 + 5)  # in the first word: fastText would read on behind the end, for good
    with pytest.raises(UserError, match="not a whole fastText model, it ends at byte 97"):
        classifier(str(path))


def test_bytes_behind_the_end_are_refused(copy: Callable[[str], Path]) -> None:
    path = copy("pruned")
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert "2 bytes follow its end" in refusal(path)


@pytest.mark.parametrize("place", [8, *range(DICTIONARY, DICTIONARY + 12, 4)])
@pytest.mark.parametrize("value", [-1, 0, 7, 2**31 - 1])
def test_wrong_counts_are_refused(copy: Callable[[str], Path], place: int, value: int) -> None:
    """Of columns, of entries, of words, of labels."""
    path = copy("bin")
    data = bytearray(path.read_bytes())
    struct.pack_into("<i", data, place, value)
    path.write_bytes(data)
    assert "not a whole fastText model" in refusal(path)


def test_a_damaged_byte_raises_nothing_but_a_user_error(copy: Callable[[str], Path]) -> None:
    path = copy("bin")
    whole = path.read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(8, 6000)] = chance.randrange(256)
        path.write_bytes(data)
        with suppress(UserError):
            read_layout(str(path))


def test_other_files_are_refused(copy: Callable[[str], Path], tmp_path: Path) -> None:
    path = copy("bin")
    data = bytearray(path.read_bytes())
    struct.pack_into("<i", data, MODEL, 2)
    path.write_bytes(data)
    assert refusal(path).endswith("is a fastText model of word vectors: give a classifier")
    struct.pack_into("<i", data, 4, 13)
    path.write_bytes(data)
    assert "format 13" in refusal(path)
    for content in (b"", b"PK\3\4", b"\n\\data\\\nngram 1=3\n" * 20, bytes(1000)):
        path.write_bytes(content)
        assert "not a fastText model: give a .bin or .ftz" in refusal(path)


def test_published_models(shared_data: Path, tmp_path: Path) -> None:
    (published,) = shared_data.glob("models-wordlists/**/lid.176.ftz")
    read_layout(str(published))
    path = tmp_path / "cut.ftz"
    path.write_bytes(published.read_bytes())
    chance = random.Random(1)
    for size in sorted(chance.sample(range(path.stat().st_size), 100), reverse=True):
        os.truncate(path, size)
        refusal(path)
    for vectors in shared_data.glob("models-wordlists/gensim/*.bin"):
        assert "word vectors" in refusal(vectors)
