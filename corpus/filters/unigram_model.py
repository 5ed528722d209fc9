"""A SentencePiece unigram model as the kernels of `unigram_pieces` read it."""

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus import protobuf
from corpus.text import double_array
from corpus.text.buffers import Bytes
from corpus.text.double_array import Units

SPACE = "\u2581"
"""In the place of a space in pieces; here it is a space."""

_UNIGRAM = 1  # TrainerSpec.ModelType
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # ModelProto.SentencePiece.Type
_PENALTY = np.float32(10)  # kUnkPenalty of unigram_model.cc: by how much an unknown character is below the least piece
_NO_RULES = np.zeros(256, np.uint32)
_SPACES = [SPACE, *(c for c in map(chr, range(0x80, 0x3001)) if c.isspace() and not 0x80 <= ord(c) < 0xA0)]
"""What must become spaces: all other white space, but for what CCNet's normalisation deletes, and the sign for one."""


class Unigram(NamedTuple):
    """What cuts words into pieces.

    Attributes:
        pieces: double array (`corpus.text.double_array`) of the pieces and their numbers.
        scores: of each piece, and a 0 behind them; float32, shape (pieces + 1,).
        unknown: the score of a character that is no piece, float32.
        rules: double array of what the model's own normaliser replaces, and the byte of `replacements` by what.
        replacements: texts, a NUL behind each.
        plain: whether they leave words of ASCII as they are.
        names: the pieces one behind the other, as the library writes them.
        ends: where each ends, and 0 before; int64, shape (pieces + 1,).
    """

    pieces: Units
    scores: npt.NDArray[np.float32]
    unknown: np.float32
    rules: Units
    replacements: Bytes
    plain: bool
    names: Bytes
    ends: npt.NDArray[np.int64]


def read_unigram(data: bytes) -> Unigram | str:
    """Of a SentencePiece model's bytes; or, in words, why cutting word by word would not give its pieces.

    The fields are those of src/sentencepiece_model.proto.

    Raises:
        ValueError, struct.error, KeyError, UnicodeDecodeError: it is no such model.
    """
    names, scores, kinds = list[bytes](), list[float](), list[int]()
    trainer, normalizer = dict[int, Any](), dict[int, Any]()
    for number, value in protobuf.fields(data):
        if number == 1:
            piece: dict[int, Any] = dict(protobuf.fields(_bytes(value)))
            names.append(piece[1])
            scores.append(struct.unpack("<f", piece.get(2, bytes(4)))[0])
            kinds.append(piece.get(3, _NORMAL))
        elif number == 2:
            trainer.update(protobuf.fields(_bytes(value)))
        elif number == 3:
            normalizer.update(protobuf.fields(_bytes(value)))
    normal = [number for number, kind in enumerate(kinds) if kind == _NORMAL]
    space = SPACE.encode()
    if trainer.get(3, _UNIGRAM) != _UNIGRAM:
        return "it is no unigram model"
    if set(kinds) - {_NORMAL, _UNKNOWN, _CONTROL} or trainer.get(24, 0):  # treat_whitespace_as_suffix
        return "it has pieces of other kinds than text, or spaces behind words"
    if not all(normalizer.get(field, 1) for field in (3, 4, 5)):  # dummy prefix, extra spaces removed, spaces escaped
        return "its spaces are not SentencePiece's usual ones"
    if space not in (names[number] for number in normal) or any(
        space in names[number][1:] or b" " in names[number] for number in normal
    ):
        return "it has pieces with a space inside, or none for a space alone"
    if not all(scores[number] <= 0 for number in normal):
        return "it has scores above 0"
    rules, replacements = _NO_RULES, b"\0"
    if normalizer.get(2):
        (size,) = struct.unpack_from("<I", normalizer[2])
        rules = np.frombuffer(normalizer[2][4 : 4 + size], "<u4")
        replacements = normalizer[2][4 + size :] + b"\0"
    reached = double_array.reached(rules, list(range(1, 256)))
    if any(double_array.values(rules, reached) >= len(replacements)):
        raise ValueError("its normaliser is damaged")
    if any(rules[reached] & 0xFF == ord(" ")):
        return "its normaliser has rules for spaces"
    if any(c == SPACE or (c.isspace() and c != " ") for c in set(replacements.decode())):
        return "its normaliser writes white space"
    for c in _SPACES:
        place = double_array.value_of(rules, c.encode())
        if place is None or replacements[place : replacements.index(b"\0", place)].strip(b" "):
            return "its normaliser leaves white space"
    return Unigram(
        double_array.build([names[number].replace(space, b" ") for number in normal], normal),
        np.array([*scores, 0], np.float32),
        np.float32(min(np.float32(scores[number]) for number in normal) - _PENALTY),
        rules,
        np.frombuffer(replacements, np.uint8),
        not any(rules[double_array.reached(rules, list(range(0x21, 0x7F)))] & double_array.ENDS),
        np.frombuffer(b"".join(names), np.uint8),
        np.cumsum([0, *map(len, names)]),
    )


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value
