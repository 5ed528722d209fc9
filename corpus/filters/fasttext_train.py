"""Trains fastText classifiers: the reference classifier, and small language models for demos and tests."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import xxhash

from corpus.errors import UserError
from corpus.filters.fasttext_model import LABEL, classifier
from corpus.lifeline import end_with, lifeline
from corpus.storage import commit

_HOLDOUT_STEPS = 10_000


def train_classifier(
    lines: Iterable[tuple[str, str]],
    output: str,
    *,
    dim: int = 100,
    word_ngrams: int = 1,
    minn: int = 0,
    maxn: int = 0,
    epoch: int = 5,
    lr: float = 0.1,
    bucket: int = 2_000_000,
    holdout: float = 0.1,
) -> float:
    """Trains on (label, text) pairs and writes the model to `output`; the defaults are fastText's.

    The same set of pairs gives the same bytes, whatever their order: they are sorted by the hash of the text, which
    also shuffles them and picks those held out, and training runs in one thread. All pairs are held in memory.

    Args:
        lines: labels without "__label__" and without whitespace. Line feeds in a text count as spaces.
        minn, maxn: length of character n-grams; 0 = none.
        holdout: share of the pairs that is not trained on, more than 0 and less than 1.

    Returns:
        The share of held-out pairs whose label the model finds.

    Raises:
        UserError: fewer than two labels, nothing held out, training failed, or the model is no better on the
            held-out pairs than always saying their most frequent label.
    """
    pairs = sorted((xxhash.xxh3_64_intdigest(text.encode()), label, _line(text)) for label, text in lines)
    held = [pair for pair in pairs if pair[0] % _HOLDOUT_STEPS < holdout * _HOLDOUT_STEPS]
    trained = [pair for pair in pairs if pair[0] % _HOLDOUT_STEPS >= holdout * _HOLDOUT_STEPS]
    if len({label for _, label, _ in trained}) < 2 or not held:
        raise UserError(
            f"cannot train {output} on {len(trained)} texts with {len(held)} held out: give more, of at least 2 labels"
        )
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "train.txt"
        with open(corpus, "w", encoding="utf-8") as file:
            file.writelines(f"{LABEL}{label} {text}\n" for _, label, text in trained)
        model = Path(folder) / "model.bin"
        options: dict[str, str | int | float] = {
            "input": str(corpus),
            "dim": dim,
            "wordNgrams": word_ngrams,
            "minn": minn,
            "maxn": maxn,
            "epoch": epoch,
            "lr": lr,
            "bucket": bucket,
            "thread": 1,
            "verbose": 0,
        }
        _train_apart(options, str(model), output)
        trained_model = classifier(str(model))
        found, _ = trained_model.best(pa.array([text for _, _, text in held], pa.large_string()), digits=2)
        right = sum(
            trained_model.labels[number] == label for number, (_, label, _) in zip(found[:, 0], held, strict=True)
        )
        accuracy = right / len(held)
        constant = max(Counter(label for _, label, _ in held).values()) / len(held)
        if accuracy <= constant < 1:
            raise UserError(
                f"{output} finds {accuracy:.3f} of the held-out labels, no more than one constant answer: "
                "give more texts, or other settings"
            )
        _publish(model, output)
    return accuracy


def _line(text: str) -> str:
    """One line in which fastText sees no label: a word that starts with "__label__" would be read as one."""
    return text.replace("\n", " ").replace(LABEL, "")


def _train_apart(options: dict[str, str | int | float], model: str, output: str) -> None:
    """With one thread fastText 0.9.2 and later (and the numpy 2 forks) fills only the first tenth of the input matrix
    and trains on whatever the rest of the memory holds: NaN, or a model no better than chance. Zeros work, and glibc
    gives them: it fills allocated memory with the complement of `perturb`, unless the per-thread cache serves it."""
    with lifeline() as pipe:
        finished = subprocess.run(
            [sys.executable, "-m", "corpus.filters.fasttext_train", json.dumps(options), model],
            env={**os.environ, "GLIBC_TUNABLES": "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0"},
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if finished.returncode:
        last = (finished.stderr.strip() or f"exit status {finished.returncode}").splitlines()[-1]
        raise UserError(f"training {output} failed: {last}")


def _publish(model: Path, output: str) -> None:
    try:
        commit(output, lambda sink: sink.write(model.read_bytes()))
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None


def _main() -> None:
    end_with(sys.stdin.fileno())
    import fasttext

    options, model = sys.argv[1:]
    fasttext.train_supervised(**json.loads(options)).save_model(model)


if __name__ == "__main__":
    _main()
