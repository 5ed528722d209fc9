"""What `near` finds and what it ships: real documents, and edits of them whose true similarity is computed.

    python -m benchmarks.near FILE... [--picture SVG]

The files are UTF-8 text, cut into documents of 350 words; of equal ones the first counts. A copy of each is edited:
words replaced, left out, put in or moved, boilerplate put around it, case and punctuation changed. Printed are

- of the pairs (document, copy) the share that shares a band, by similarity, beside the theory, for some bandings; with
  entries of 12 bytes a band, and how many pairs of documents share a band that are not alike;
- of the whole rule: recall, precision (dropped documents whose partner stays and is alike, by 64-bit hashes), bytes a
  document through all regroupings and processor time (but for reading files): for the documents as they are, and for
  those that are like no other (similarity below 0.5) with edited copies.
"""

import argparse
import random
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.in_memory import decided
from corpus.dedup.components import Keep
from corpus.dedup.minhash import band_keys, chance, signatures
from corpus.dedup.near import Near
from corpus.rules import Dedup
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows

WORDS, DOCUMENTS = 350, 8000
BANDINGS = [(9, 13), (26, 11), (14, 8), (16, 7), (20, 8), (20, 6), (32, 5)]
NAMES = {(9, 13): "datasketch", (26, 11): "Dolma 3", (14, 8): "datatrove", (16, 7): "corpus"}
EDGES = [0.7, 0.75, 0.79, 0.81, 0.85, 0.9, 0.95, 1.0]
PARTS = 4
BOILERPLATE = ["Subscribe", "to", "our", "newsletter", "|", "All", "rights", "reserved", "|", "Share", "this", "page"]


def pieces(paths: Sequence[str]) -> list[str]:
    texts: dict[str, None] = {}
    for path in paths:
        words = Path(path).read_text("utf-8", "replace").split(" ")
        texts |= dict.fromkeys(" ".join(words[i : i + WORDS]) for i in range(0, len(words) - WORDS, WORDS))
    chosen = list(texts)
    random.Random(1).shuffle(chosen)
    return chosen[:DOCUMENTS]


def edited(text: str, rng: random.Random) -> str:
    """A copy with edits of one kind, from few to many."""
    words = text.split(" ")
    times = rng.randint(1, 25)
    kind = rng.choice(["replace", "leave out", "put in", "move", "boilerplate", "case"])
    for _ in range(times):
        at = rng.randrange(len(words))
        if kind == "replace":
            words[at] = f"other{rng.randrange(10_000)}"
        elif kind == "leave out" and len(words) > WORDS // 2:
            del words[at]
        elif kind == "put in":
            words.insert(at, f"other{rng.randrange(10_000)}")
        elif kind == "move":
            words.insert(rng.randrange(len(words)), words.pop(at))
        elif kind == "case":
            words[at] = words[at].upper() + " ..."
    if kind == "boilerplate":
        some = [*BOILERPLATE, *(f"menu{n}" for n in range(4 * times))]
        words = [*some[: 2 * times], *words, *some[2 * times :]]
    return " ".join(words)


def column(texts: Sequence[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def sets_of(texts: Sequence[str]) -> list[npt.NDArray[np.uint64]]:
    hashes, ends = shingle_rows(*text_buffers(column(texts)), Near().ngram)
    return [np.unique(hashes[a:b]) for a, b in pairwise(ends)]


def similarity(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / max(1, len(a) + len(b) - common)


def print_curve(texts: list[str], copies: list[str], true: npt.NDArray[np.float64], picture: str | None) -> None:
    print("pairs of a document and its copy that share a band, measured (theory)")
    heads = [f"{low:.2f}-{high:.2f}" for low, high in pairwise(EDGES)]
    counts, _ = np.histogram(true, EDGES)
    print(f"{'bands x rows':22}" + "".join(f"{head:>15}" for head in heads) + "   >= 0.8  us/doc  B/doc")
    print(f"{'pairs':22}" + "".join(f"{count:>15,}" for count in counts) + f"{(true >= 0.8).sum():>9,}")
    curves = {}
    for bands, rows in BANDINGS:
        begun = time.process_time()
        ours = signatures(*text_buffers(column(texts)), Near().ngram, bands * rows)[0]
        taken = (time.process_time() - begun) / len(texts) * 1e6
        theirs = signatures(*text_buffers(column(copies)), Near().ngram, bands * rows)[0]
        met = (band_keys(ours, bands, rows) == band_keys(theirs, bands, rows)).any(axis=1)
        curves[bands, rows] = met
        cells = []
        for low, high in pairwise(EDGES):
            here = (true >= low) & (true < high)
            theory = np.mean([chance(s, bands, rows) for s in true[here]]) if here.any() else np.nan
            cells.append(f"{met[here].mean() if here.any() else np.nan:>7.3f} ({theory:.3f})")
        name = f"{bands} x {rows} {NAMES.get((bands, rows), '')}"
        print(f"{name:22}" + "".join(f"{c:>15}" for c in cells) + f"{met[true >= 0.8].mean():>9.3f}", end="")
        print(f"{taken:>8.1f}{12 * bands:>7}")
    if picture:
        draw(picture, true, curves)


def draw(path: str, true: npt.NDArray[np.float64], curves: dict[tuple[int, int], npt.NDArray[np.bool_]]) -> None:
    """Theory as lines, measurement as points, for the bandings that have a name."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "near", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    grid = np.linspace(0.4, 1, 121)
    edges = np.linspace(0.4, 1, 25)
    for (bands, rows), name in NAMES.items():
        (line,) = axes.plot(grid, [chance(s, bands, rows) for s in grid], label=f"{bands} x {rows} ({name})")
        place = np.digitize(true, edges) - 1
        points = [
            (true[place == n].mean(), curves[bands, rows][place == n].mean())
            for n in range(24)
            if (place == n).sum() > 20
        ]
        axes.plot(*zip(*points, strict=True), ".", color=line.get_color())
    axes.axvline(0.8, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("Jaccard similarity of word 5-grams")
    axes.set_ylabel("share of pairs that are compared")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def dropped(rule: Dedup, texts: Sequence[str]) -> tuple[dict[int, tuple[int, float]], int, float]:
    """(number of each dropped document -> that of its partner and their similarity, bytes shipped, seconds)."""
    docs = [Document(str(n), text, Origin("f")) for n, text in enumerate(texts)]
    blocks, shipped, taken = decided(rule, [[document_batch(docs[n::PARTS], "s")] for n in range(PARTS)])
    gone = {
        row["row"] * PARTS + part: (row["partner_row"] * PARTS + row["partner_part"], row["score"])
        for part, block in blocks
        for row in block.to_pylist()
    }
    return gone, shipped, taken


def print_rule(rule: Near, name: str, texts: list[str], copies: list[str]) -> None:
    given = [*texts, *copies]
    sets = sets_of(given)
    gone, shipped, taken = dropped(rule, given)
    alike = [n for n in range(len(copies)) if similarity(sets[n], sets[len(texts) + n]) >= rule.threshold]
    found = sum(n in gone or len(texts) + n in gone for n in alike)
    right = sum(
        similarity(sets[n], sets[other]) >= rule.threshold and (other not in gone or rule.keep == "component")
        for n, (other, _) in gone.items()
    )
    size = sum(len(text.encode()) for text in given)
    print(
        f"  {name:22} dropped {len(gone) / len(given):5.1%}, recall {found:,} of {len(alike):,}, "
        f"precision {right:,} of {len(gone):,}, {shipped / len(given):,.0f} B a document, "
        f"{taken / len(given) * 1e6:.0f} us a document, {size / taken / 1e6:.0f} MB/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--picture")
    arguments = parser.parse_args()
    texts = pieces(arguments.files)
    rng = random.Random(2)
    copies = [edited(text, rng) for text in texts]
    true = np.array([similarity(a, b) for a, b in zip(sets_of(texts), sets_of(copies), strict=True)])
    print(f"{len(texts):,} documents of {sum(map(len, texts)) / len(texts):,.0f} characters")
    print_curve(texts, copies, true, arguments.picture)
    like, _, _ = dropped(Near(threshold=0.5, keep="component"), texts)
    apart = [n for n in range(len(texts)) if n not in like]
    alone, edits = [texts[n] for n in apart], [copies[n] for n in apart]
    for keep in get_args(Keep):
        print(f"the whole rule, keep: {keep}")
        rule = Near(keep=keep)
        print_rule(rule, "as they are", texts, [])
        for share in (0.0, 0.05, 0.3):
            print_rule(rule, f"{share:.0%} edited copies", alone, edits[: round(len(alone) * share / (1 - share))])


if __name__ == "__main__":
    main()
