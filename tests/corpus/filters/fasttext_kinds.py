"""Small fastText classifiers of every kind, and texts for them."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import fasttext.FastText
from hypothesis import strategies as st

from corpus.filters.fasttext_train import _train_apart

TRAINED: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax", "dim": 5, "bucket": 0},
    "softmax, 2-grams": {"loss": "softmax", "dim": 20, "wordNgrams": 2, "bucket": 1000},
    "softmax, 3-grams, subwords": {
        "loss": "softmax", "dim": 16, "wordNgrams": 3, "minn": 1, "maxn": 3, "bucket": 2000
    },
    "tree": {"loss": "hs", "dim": 33, "bucket": 0, "minCount": 3},
    "tree, subwords": {"loss": "hs", "dim": 16, "minn": 2, "maxn": 4, "bucket": 3000},
    "negative": {"loss": "ns", "dim": 9, "minn": 3, "maxn": 6, "bucket": 500, "wordNgrams": 2},
    "one against all": {"loss": "ova", "dim": 7, "bucket": 0},
    "many labels": {"loss": "hs", "dim": 16, "minn": 2, "maxn": 3, "bucket": 1000},
    "many labels, softmax": {"loss": "softmax", "dim": 4, "bucket": 0},
}  # fmt: skip
QUANTISED: dict[str, tuple[str, dict[str, int | bool]]] = {
    "tree, quantised": ("tree, subwords", {}),
    "tree, norms": ("tree, subwords", {"qnorm": True, "dsub": 3}),
    "tree, pruned": ("tree, subwords", {"qnorm": True, "cutoff": 400}),
    "softmax, pruned 3-grams": ("softmax, 3-grams, subwords", {"cutoff": 500}),
    "softmax, pruned to words": ("softmax, 2-grams", {"cutoff": 300, "qnorm": True}),
    "many labels, quantised output": ("many labels", {"qout": True, "qnorm": True}),
    "many labels, softmax, quantised output": ("many labels, softmax", {"qout": True}),
}
KINDS = [*TRAINED, *QUANTISED]

WORDS = [
    *(f"word{n}" for n in range(400)),
    *["naïve", "Grüße", "слово", "слова", "漢字", "日本語", "ไทย", "ﬁn", "🙂", "a", "b", "é", "ß"],
]
SPACES = [" ", "  ", "\t", "\r", "\v", "\f", "\0", "\u00a0", "\u2003"]
ODD = ["</s>", "__label__1", "__label__unknown", "__label__", "<", ">", "\n", "\n\n", "x" * 24, "é" * 12, "\ufffd", ""]
LONG = ["ab" * 3000, "漢" * 2500, "aé漢🙂" * 700]

texts = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from(SPACES),
        st.sampled_from(ODD),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    ),
    max_size=40,
).map("".join)
"""Random texts; words run into each other where no space is drawn."""


def random_texts(seed: int, count: int) -> list[str]:
    """As many, of words, odd words and characters of the whole of Unicode; without line feeds."""
    chance = random.Random(seed)

    def word() -> str:
        kind = chance.random()
        if kind < 0.7:
            return chance.choice(WORDS)
        if kind < 0.75:
            return chance.choice(ODD)
        if kind < 0.9:
            return "".join(chr(chance.choice((97, 0xE0, 0x430, 0x4E00)) + chance.randrange(25)) for _ in range(5))
        return chr(chance.choice((chance.randrange(0xD800), chance.randrange(0xE000, 0x110000))))

    return [
        "".join(word() + chance.choice(SPACES) for _ in range(chance.randrange(20))).replace("\n", "")
        for _ in range(count)
    ]


@cache
def path_of(kind: str, folder: Path) -> str:
    """The model of a kind, trained when it is first asked for; the same folder has the others that it is made of."""
    path = folder / kind.replace(" ", "-")
    if kind in QUANTISED:
        source, options = QUANTISED[kind]
        model = fasttext.FastText._FastText(model_path=path_of(source, folder))
        model.quantize(**options)
        model.save_model(str(path))
        return str(path)
    chance = random.Random(kind)
    labels = 300 if kind.startswith("many") else 4
    lines = [
        f"__label__{label} {' '.join(chance.choice(WORDS[label::labels] + WORDS[-12:]) for _ in range(6))}\n"
        for label in range(labels)
        for _ in range(8 if labels == 300 else 200)
    ]
    chance.shuffle(lines)
    (folder / f"{path.name}.txt").write_text("".join(lines), encoding="utf-8")
    given = {"input": str(folder / f"{path.name}.txt"), "thread": 1, "verbose": 0, "lr": 0.5, "epoch": 20}
    _train_apart(given | TRAINED[kind], str(path), str(path))
    return str(path)
