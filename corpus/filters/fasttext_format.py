"""Whether a file is a whole fastText classifier, before fastText opens it.

fastText believes what it reads: of a cut file it goes on reading words behind the end, for minutes, or asks for more
memory than there is. The layout is that of `FastText::saveModel` (facebookresearch/fastText, src/fasttext.cc, args.cc,
dictionary.cc, densematrix.cc, quantmatrix.cc, productquantizer.cc), little-endian: the header, the dictionary, the
input matrix and the output matrix, each matrix behind one byte that says whether it is quantised.
"""

import mmap
import os
from struct import Struct

from corpus.errors import UserError

_MAGIC = 793712314  # FASTTEXT_FILEFORMAT_MAGIC_INT32
_VERSIONS = (11, 12)
_SUPERVISED = 3  # model_name::sup
_CENTROIDS = 256  # of a product quantiser, which has one byte a code

_START = Struct("<ii")  # magic, version
_ARGS = Struct("<12id")  # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
_DICTIONARY = Struct("<iiiqq")  # words and labels, words, labels, tokens, pruned n-grams (-1: not pruned)
_PRUNED = Struct("<ii")  # n-gram, its row
_FLAG = Struct("<b")
_DENSE = Struct("<qq")  # rows, columns, before as many float32
_QUANTISED = Struct("<bqqi")  # whether norms follow, rows, columns, bytes of codes
_QUANTISER = Struct("<4i")  # columns, parts they are cut into, columns of a part, columns of the last one
_ENTRY_BYTES = 9  # behind a word and its NUL: how often it came (int64), and 0 for a word or 1 for a label
_FLOAT_BYTES = 4


class _Damaged(Exception):
    """What is wrong, as the end of a sentence."""


def check_classifier(path: str) -> None:
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
                supervised = _walk(_Cursor(data, _START.size))
            except _Damaged as damage:
                raise UserError(f"{path} is not a whole fastText model, {damage}: fetch it or train it again") from None
    if not supervised:
        raise UserError(f"{path} is a fastText model of word vectors: give a classifier")


def _foreign(path: str) -> str:
    return f"{path} is not a fastText model: give a .bin or .ftz file that fastText has written"


class _Cursor:
    """A place in the file that goes forward and never behind the end."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data = data
        self._at = at

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return len(self._data) - self._at

    def take(self, layout: Struct) -> tuple[int, ...]:
        start = self._at
        self.skip(layout.size)
        return layout.unpack_from(self._data, start)

    def skip(self, size: int) -> None:
        if not 0 <= size <= self.left:
            raise _Damaged(_short(self._data))
        self._at += size

    def skip_entries(self, count: int, kind: int) -> None:
        """Words or labels, each a text, a NUL, a count and its kind; there may be millions."""
        data, at = self._data, self._at
        for _ in range(count):
            end = data.find(b"\0", at)
            at = end + 1 + _ENTRY_BYTES
            if end < 0 or at > len(data):
                raise _Damaged(_short(data))
            _expect(data[at - 1] == kind, "its dictionary is damaged")
        self._at = at


def _short(data: mmap.mmap) -> str:
    return f"it ends at byte {len(data):,} and should be longer"


def _walk(cursor: _Cursor) -> bool:
    """Goes over everything behind the magic and version of a classifier; False for a model of word vectors."""
    dim, _, _, _, _, _, _, model, bucket, *_ = cursor.take(_ARGS)
    if model != _SUPERVISED:
        return False
    entries, words, labels, _, pruned = cursor.take(_DICTIONARY)
    _expect(dim > 0 and words >= 0 and labels > 0 and bucket >= 0 and entries == words + labels, "its counts are wrong")
    cursor.skip_entries(words, 0)
    cursor.skip_entries(labels, 1)
    cursor.skip(max(pruned, 0) * _PRUNED.size)
    (quantised,) = cursor.take(_FLAG)
    _skip_matrix(cursor, bool(quantised), words + (bucket if pruned < 0 else pruned), dim)
    (output_quantised,) = cursor.take(_FLAG)
    _skip_matrix(cursor, bool(quantised and output_quantised), labels, dim)
    _expect(cursor.left == 0, f"{cursor.left:,} bytes follow its end")
    return True


def _skip_matrix(cursor: _Cursor, quantised: bool, used: int, columns: int) -> None:
    """`used`: rows that words, n-grams or labels lead to."""
    if not quantised:
        rows, found = cursor.take(_DENSE)
        _expect(rows >= used and found == columns, "a matrix is damaged")
        cursor.skip(rows * columns * _FLOAT_BYTES)
        return
    norms, rows, found, codes = cursor.take(_QUANTISED)
    _expect(rows >= used and found == columns, "a matrix is damaged")
    cursor.skip(codes)
    parts = _skip_quantiser(cursor, columns)
    _expect(codes == rows * parts, "a matrix is damaged")
    if norms:
        cursor.skip(rows)
        _skip_quantiser(cursor, 1)


def _skip_quantiser(cursor: _Cursor, columns: int) -> int:
    """Returns the number of parts that the columns are cut into."""
    found, parts, width, last = cursor.take(_QUANTISER)
    whole = found == columns and min(parts, width) > 0 and 0 < last <= width and (parts - 1) * width + last == columns
    _expect(whole, "a matrix is damaged")
    cursor.skip(_CENTROIDS * columns * _FLOAT_BYTES)
    return parts


def _expect(holds: bool, else_: str) -> None:
    if not holds:
        raise _Damaged(else_)
