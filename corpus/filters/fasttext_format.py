"""Where the pieces of a fastText classifier stand in its file; and whether it is whole, before fastText opens it.

fastText believes what it reads: of a cut file it goes on reading words behind the end, for minutes, or asks for more
memory than there is. The layout is that of `FastText::saveModel` (facebookresearch/fastText, src/fasttext.cc, args.cc,
dictionary.cc, densematrix.cc, quantmatrix.cc, productquantizer.cc), little-endian: the header, the dictionary, the
input matrix and the output matrix, each matrix behind one byte that says whether it is quantised.
"""

import mmap
import os
from struct import Struct
from typing import NamedTuple

from corpus.errors import UserError

_MAGIC = 793712314  # FASTTEXT_FILEFORMAT_MAGIC_INT32
_VERSIONS = (11, 12)
_WITHOUT_NGRAMS = 11  # its classifiers have no n-grams of characters, whatever their settings say (fasttext.cc)
_SUPERVISED = 3  # model_name::sup
CENTROIDS = 256  # of a product quantiser, which has one byte a code

_START = Struct("<ii")  # magic, version
_ARGS = Struct("<12id")  # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
_DICTIONARY = Struct("<iiiqq")  # words and labels, words, labels, tokens, pruned n-grams (-1: not pruned)
_PRUNED = Struct("<ii")  # n-gram, its row
_FLAG = Struct("<b")
_DENSE = Struct("<qq")  # rows, columns, before as many float32
_QUANTISED = Struct("<bqqi")  # whether norms follow, rows, columns, bytes of codes
_QUANTISER = Struct("<4i")  # columns, parts they are cut into, columns of a part, columns of the last one
ENTRY_BYTES = 9  # behind a word and its NUL: how often it came (int64), and 0 for a word or 1 for a label
_FLOAT_BYTES = 4


class _Damaged(Exception):
    """What is wrong, as the end of a sentence."""


class Dense(NamedTuple):
    """A matrix of float32, little-endian, row by row.

    Attributes:
        values: byte of the file that it begins at.
    """

    rows: int
    columns: int
    values: int


class Quantised(NamedTuple):
    """A matrix whose rows are made of centroids: one code for each part of a row.

    Attributes:
        parts, width: a row has so many parts of `width` columns, the last one of what is left.
        codes: byte of the file that the codes begin at: uint8, shape (rows, parts).
        centroids: byte that the centroids begin at: float32, of each part 256 times its columns.
        norms: byte that the codes of the norms begin at, uint8, one for each row; -1 where rows have none.
        norm_centroids: byte that the 256 norms begin at, float32; -1 likewise.
    """

    rows: int
    columns: int
    parts: int
    width: int
    codes: int
    centroids: int
    norms: int
    norm_centroids: int


class Layout(NamedTuple):
    """A whole classifier.

    Attributes:
        dim: columns of both matrices.
        word_ngrams: words in the longest n-gram of words.
        loss: 1 = hierarchical softmax, 2 = negative sampling, 3 = softmax, 4 = one against all.
        bucket: hashes of n-grams are taken modulo this.
        minn, maxn: characters of the n-grams of a word; maxn 0 = none.
        words, labels: entries of the dictionary, which has the words first.
        entries: byte of the file that the dictionary begins at.
        pruned: n-grams that were kept, or -1 where all were.
        kept: byte that these begin at: pairs of int32, the n-gram and its row behind those of the words.
        input, output: the matrices.
    """

    dim: int
    word_ngrams: int
    loss: int
    bucket: int
    minn: int
    maxn: int
    words: int
    labels: int
    entries: int
    pruned: int
    kept: int
    input: Dense | Quantised
    output: Dense | Quantised


def read_layout(path: str) -> Layout:
    """Reads every count in the file and compares it with the others and with the length of the file.

    Raises:
        UserError: it is not a fastText model, is one of word vectors, or is not whole.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < _START.size:  # also because no empty file can be mapped
            raise UserError(_foreign(path))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            magic, version = _START.unpack_from(data)
            if magic != _MAGIC:
                raise UserError(_foreign(path))
            if version not in _VERSIONS:
                raise UserError(f"{path} is a fastText model of format {version}: known are {_VERSIONS}")
            try:
                layout = _walk(_Cursor(data, _START.size), version)
            except _Damaged as damage:
                raise UserError(f"{path} is not a whole fastText model, {damage}: fetch it or train it again") from None
    if layout is None:
        raise UserError(f"{path} is a fastText model of word vectors: give a classifier")
    return layout


def _foreign(path: str) -> str:
    return f"{path} is not a fastText model: give a .bin or .ftz file that fastText has written"


class _Cursor:
    """A place in the file that goes forward and never behind the end."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data = data
        self.at = at

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return len(self._data) - self.at

    def take(self, layout: Struct) -> tuple[int, ...]:
        start = self.at
        self.skip(layout.size)
        return layout.unpack_from(self._data, start)

    def skip(self, size: int) -> None:
        if not 0 <= size <= self.left:
            raise _Damaged(_short(self._data))
        self.at += size

    def skip_entries(self, count: int, kind: int) -> None:
        """Words or labels, each a text, a NUL, a count and its kind; there may be millions."""
        data, at = self._data, self.at
        for _ in range(count):
            end = data.find(b"\0", at)
            at = end + 1 + ENTRY_BYTES
            if end < 0 or at > len(data):
                raise _Damaged(_short(data))
            _expect(data[at - 1] == kind, "its dictionary is damaged")
        self.at = at


def _short(data: mmap.mmap) -> str:
    return f"it ends at byte {len(data):,} and should be longer"


def _walk(cursor: _Cursor, version: int) -> Layout | None:
    """Goes over everything behind the magic and version of a classifier; None for a model of word vectors."""
    dim, _, _, _, _, word_ngrams, loss, model, bucket, minn, maxn, *_ = cursor.take(_ARGS)
    if model != _SUPERVISED:
        return None
    entries, words, labels, _, pruned = cursor.take(_DICTIONARY)
    _expect(dim > 0 and words >= 0 and labels > 0 and bucket >= 0 and entries == words + labels, "its counts are wrong")
    maxn = 0 if version == _WITHOUT_NGRAMS else maxn
    _expect(bucket > 0 or (maxn <= 0 and word_ngrams <= 1), "its n-grams have no buckets")  # it would divide by zero
    first_entry = cursor.at
    cursor.skip_entries(words, 0)
    cursor.skip_entries(labels, 1)
    kept = cursor.at
    cursor.skip(max(pruned, 0) * _PRUNED.size)
    (quantised,) = cursor.take(_FLAG)
    _expect(bool(quantised) or pruned < 0, "n-grams are missing from a matrix that is not quantised")  # nor is it read
    input = _matrix(cursor, bool(quantised), words + (bucket if pruned < 0 else pruned), dim)
    (output_quantised,) = cursor.take(_FLAG)
    output = _matrix(cursor, bool(quantised and output_quantised), labels, dim)
    _expect(cursor.left == 0, f"{cursor.left:,} bytes follow its end")
    return Layout(
        dim, word_ngrams, loss, bucket, minn, maxn, words, labels, first_entry, max(pruned, -1), kept, input, output
    )


def _matrix(cursor: _Cursor, quantised: bool, used: int, columns: int) -> Dense | Quantised:
    """`used`: rows that words, n-grams or labels lead to."""
    if not quantised:
        rows, found = cursor.take(_DENSE)
        _expect(rows >= used and found == columns, "a matrix is damaged")
        values = cursor.at
        cursor.skip(rows * columns * _FLOAT_BYTES)
        return Dense(rows, columns, values)
    has_norms, rows, found, size = cursor.take(_QUANTISED)
    _expect(rows >= used and found == columns, "a matrix is damaged")
    codes = cursor.at
    cursor.skip(size)
    parts, width, centroids = _quantiser(cursor, columns)
    _expect(size == rows * parts, "a matrix is damaged")
    norms = norm_centroids = -1
    if has_norms:
        norms = cursor.at
        cursor.skip(rows)
        _, _, norm_centroids = _quantiser(cursor, 1)
    return Quantised(rows, columns, parts, width, codes, centroids, norms, norm_centroids)


def _quantiser(cursor: _Cursor, columns: int) -> tuple[int, int, int]:
    """Into how many parts the columns are cut, the columns of each but the last, and where the centroids begin."""
    found, parts, width, last = cursor.take(_QUANTISER)
    whole = found == columns and min(parts, width) > 0 and 0 < last <= width and (parts - 1) * width + last == columns
    _expect(whole, "a matrix is damaged")
    centroids = cursor.at
    cursor.skip(CENTROIDS * columns * _FLOAT_BYTES)
    return parts, width, centroids


def _expect(holds: bool, else_: str) -> None:
    if not holds:
        raise _Damaged(else_)
