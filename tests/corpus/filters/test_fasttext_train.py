import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.fasttext_model import classifier
from corpus.filters.fasttext_train import train_classifier
from tests.processes import await_end


@pytest.fixture(scope="module")
def sentences(shared_data: Path) -> list[tuple[str, str]]:
    folder = shared_data / "labelled" / "LASER" / "langid-tatoeba"
    codes = {"de": "deu", "en": "eng", "fr": "fra", "pl": "pol"}
    return [
        (label, line)
        for label, code in codes.items()
        for line in next(folder.glob(f"tatoeba.*.{code}")).read_text(encoding="utf-8").splitlines()
    ]


def train(lines: list[tuple[str, str]], output: Path) -> float:
    return train_classifier(lines, str(output), dim=16, minn=2, maxn=4, bucket=20_000, lr=0.5)


def test_a_small_language_model(sentences: list[tuple[str, str]], tmp_path: Path) -> None:
    assert train(sentences, tmp_path / "a.bin") > 0.95
    model = classifier(str(tmp_path / "a.bin"))
    assert sorted(model.labels) == ["de", "en", "fr", "pl"]
    texts = ["Ich habe keine Zeit f\u00fcr dich.", "Je ne sais pas quoi faire.", "Nie wiem, co robi\u0107."]
    numbers, _ = model.best(pa.array(texts), digits=2)
    assert [model.labels[number] for number in numbers[:, 0]] == ["de", "fr", "pl"]
    assert train(sentences[::-1], tmp_path / "b.bin") > 0.95
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]


def test_labels_inside_a_text_are_not_labels(tmp_path: Path) -> None:
    lines = [
        (label, f"{word} __label__{other}\n__label__third {number}")
        for number in range(200)
        for label, word, other in (("yes", "good", "no"), ("no", "bad", "yes"))
    ]
    assert train_classifier(lines, str(tmp_path / "model"), dim=4, epoch=20, lr=0.5, bucket=0) == 1.0
    assert sorted(classifier(str(tmp_path / "model")).labels) == ["no", "yes"]


def test_a_model_that_learned_nothing_is_refused(tmp_path: Path) -> None:
    lines = [(label, f"word{number}") for number in range(200) for label in ("yes", "no")]
    with pytest.raises(UserError, match="no more than one constant answer"):
        train_classifier(lines, str(tmp_path / "model"), dim=2, bucket=0)
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 2 labels"):
        train_classifier([("yes", f"text {n}") for n in range(100)], str(tmp_path / "model"))
    lines = [(label, f"{label} {number}") for number in range(100) for label in ("yes", "no")]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        train_classifier(lines, str(tmp_path / "file" / "model"), dim=2, epoch=20, bucket=0)
    with pytest.raises(UserError, match="failed"):
        train_classifier(lines, str(tmp_path / "model"), dim=-1, bucket=0)


DRIVER = """
import sys
from corpus.filters.fasttext_train import train_classifier
from tests.processes import await_end
lines = [(label, f"{label} {number}") for number in range(100) for label in ("yes", "no")]
train_classifier(lines, sys.argv[1], epoch=10_000_000)
"""


def test_training_does_not_outlive_the_one_who_asked_for_it(tmp_path: Path) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "model")],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        while not (found := psutil.Process(driver.pid).children()):
            time.sleep(0.05)
        (training,) = found
        while not any("fasttext_pybind" in mapped.path for mapped in training.memory_maps()):
            time.sleep(0.05)
    finally:
        driver.kill()
        driver.wait()
    await_end(training.pid)
