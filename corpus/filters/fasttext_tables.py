"""A fastText classifier's file as the kernels of `fasttext_vectors` and `fasttext_labels` read it."""

import mmap

import numpy as np
import numpy.typing as npt

from corpus.errors import UserError
from corpus.filters.fasttext_format import CENTROIDS, ENTRY_BYTES, Dense, Layout, Quantised, read_layout
from corpus.filters.fasttext_labels import HIERARCHICAL, SIGMOID_CELLS, SIGMOID_END, Output
from corpus.filters.fasttext_vectors import Input, find_entry, read_dictionary, word_hash
from corpus.text.buffers import Bytes

MOST_NGRAM_CHARACTERS = 1000
"""For `maxn`; the longest in use are of six."""


def read_tables(path: str) -> tuple[Input, Output] | str:
    """Of a classifier; or, in words, why the kernels do not know it.

    A full model stays in its file, which is mapped, so that processes share it; of a quantised one the input matrix
    is unpacked, 4 bytes a number.

    Raises:
        UserError: it is no whole classifier.
        OSError: it cannot be read.
    """
    layout = read_layout(path)
    with open(path, "rb") as file:
        data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    ngrams, rows = _kept(data, layout)
    used = layout.input.rows - layout.words
    if len(ngrams) and (min(ngrams[0], rows.min()) < 0 or ngrams[-1] >= layout.bucket or rows.max() >= used):
        raise UserError(f"{path} is not a whole fastText model, its n-grams are damaged: fetch it or train it again")
    if not 0 <= layout.maxn <= MOST_NGRAM_CHARACTERS:
        return f"its n-grams have up to {layout.maxn} characters"
    counts = np.empty(layout.words + layout.labels, np.int64)
    return _input(data, layout, counts), _output(data, layout, counts[layout.words :])


def _kept(data: Bytes, layout: Layout) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Of a model in which only some n-grams have a row: these, ascending, and their rows behind those of the words."""
    pairs = data[layout.kept : layout.kept + 8 * max(layout.pruned, 0)].tobytes()
    ngrams, rows = np.frombuffer(pairs, "<i4").reshape(-1, 2).T
    order = np.argsort(ngrams, kind="stable")
    return ngrams[order], rows[order]


def _input(data: Bytes, layout: Layout, counts: npt.NDArray[np.int64]) -> Input:
    """Fills `counts`, too: how often each word and label came in training."""
    entries = layout.words + layout.labels
    dictionary = data[layout.entries : layout.kept]
    places, hashes = np.empty(entries, np.int64), np.empty(entries, np.uint32)
    slots = np.full(1 << (2 * entries).bit_length(), -1, np.int32)
    read_dictionary(dictionary, ENTRY_BYTES, places, counts, hashes, slots)
    end = np.frombuffer(b"</s>", np.uint8)
    kept, matrix, first_row = np.empty((0, 2), np.uint64), data, 0
    if isinstance(layout.input, Dense):
        first_row = layout.input.values
    else:
        rows, norms = centroids(data, layout.input)
        rows *= norms[:, None]
        if layout.pruned >= 0:
            ngrams, order = _kept(data, layout)
            kept = _bits(ngrams, layout.bucket)
            rows = np.concatenate([rows[: layout.words], rows[layout.words :][order]])
        matrix = rows.reshape(-1).view(np.uint8)
        matrix.flags.writeable = False  # as the mapped file is: the kernel is compiled for one kind of array
    return Input(
        dictionary,
        places,
        hashes,
        slots,
        layout.words,
        int(find_entry(end, 0, len(end), word_hash(end, 0, len(end)), dictionary, places, hashes, slots)),
        layout.word_ngrams if layout.pruned else 1,
        layout.bucket,
        layout.minn,
        layout.maxn if layout.pruned else 0,
        kept,
        matrix,
        first_row,
        layout.dim,
    )


def _bits(ngrams: npt.NDArray[np.int32], bucket: int) -> npt.NDArray[np.uint64]:
    """`Input.kept` of these n-grams."""
    present = np.zeros(-(-bucket // 64) * 64, np.bool_)
    present[ngrams] = True
    bits = np.packbits(present, bitorder="little").view("<u8")
    return np.stack([bits, np.cumsum(np.bitwise_count(bits), dtype=np.uint64) - np.bitwise_count(bits)], axis=1)


def _output(data: Bytes, layout: Layout, counts: npt.NDArray[np.int64]) -> Output:
    output = layout.output
    if isinstance(output, Dense):
        weights = floats(data, output.values, output.rows * output.columns).reshape(output.rows, -1).astype(np.float64)
    else:
        rows, norms = centroids(data, output)
        weights = rows.astype(np.float64) * norms[:, None]
    left, right, depth = np.empty(0, np.int32), np.empty(0, np.int32), 0
    if layout.loss == HIERARCHICAL:
        left, right, depth = tree(counts.tolist())
        weights = weights[: layout.labels - 1]
    else:
        weights = np.ascontiguousarray(weights[: layout.labels].T)
    x = np.arange(SIGMOID_CELLS + 1, dtype=np.float32) * 2 * SIGMOID_END / SIGMOID_CELLS - SIGMOID_END
    sigmoid = (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32).astype(np.float64)
    return Output(weights, layout.labels, left, right, depth, sigmoid, layout.loss)


def tree(counts: list[int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], int]:
    """The Huffman tree over labels that came so often, most frequent first: the left and the right child of each inner
    node, and its depth. `HierarchicalSoftmaxLoss::buildTree` of loss.cc."""
    labels = len(counts)
    counts = [*counts, *[10**15] * (labels - 1)]
    depths = [0] * len(counts)
    left, right = np.empty(labels - 1, np.int32), np.empty(labels - 1, np.int32)
    leaf, node = labels - 1, labels
    for inner in range(labels, 2 * labels - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and counts[leaf] < counts[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        left[inner - labels], right[inner - labels] = children
        counts[inner] = sum(counts[child] for child in children)
        depths[inner] = 1 + max(depths[child] for child in children)
    return left, right, depths[-1]


def centroids(data: Bytes, matrix: Quantised) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(the rows of a quantised matrix without their norms, shape (rows, columns); the norms, shape (rows,))."""
    codes = data[matrix.codes : matrix.codes + matrix.rows * matrix.parts].reshape(matrix.rows, matrix.parts)
    rows = np.empty((matrix.rows, matrix.columns), np.float32)
    at = matrix.centroids
    for part, first in enumerate(range(0, matrix.columns, matrix.width)):
        width = min(matrix.width, matrix.columns - first)
        rows[:, first : first + width] = floats(data, at, CENTROIDS * width).reshape(-1, width)[codes[:, part]]
        at += 4 * CENTROIDS * width
    if matrix.norms < 0:
        return rows, np.ones(matrix.rows, np.float32)
    norms = data[matrix.norms : matrix.norms + matrix.rows]
    return rows, floats(data, matrix.norm_centroids, CENTROIDS)[norms]


def floats(data: Bytes, at: int, count: int) -> npt.NDArray[np.float32]:
    return np.frombuffer(data[at : at + 4 * count].tobytes(), "<f4")
