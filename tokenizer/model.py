"""A SentencePiece model file, read field by field: what it says about its pieces and its normaliser.

The file is one protobuf message, `ModelProto` of google/sentencepiece, src/sentencepiece_model.proto; field numbers
and defaults below are from there.
"""

import hashlib
import posixpath
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import sentencepiece

from corpus import protobuf
from corpus.errors import DamagedFile, UserError
from corpus.storage import exists, join, open_read, parent, read_json

SPACE = "\u2581"
"""What SentencePiece writes for a space; the same character in a text means the same."""

MODEL = "tokenizer.model"
REPORT = "report.json"
"""Beside a model trained here, written after it: its SHA-256 and what it was trained on."""

_BPE = 2


class PieceType(IntEnum):
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A parsed model. Equal to itself only, which makes it a fast key: see `read_model`.

    Attributes:
        data: the bytes of the file, for SentencePiece itself.
        sha256: of the file, hexadecimal.
        pieces, scores, types: by id.
        bpe: the model is a BPE model (else unigram, word or char).
        identity: the normaliser changes no character (no compiled rules).
        bos_id, eos_id: of the control pieces that the model names for these, -1 where it has none.
        unk_id: of the unknown piece.
    """

    data: bytes
    sha256: str
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[PieceType, ...]
    bpe: bool
    byte_fallback: bool
    whitespace_as_suffix: bool
    identity: bool
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool
    escape_whitespaces: bool
    bos_id: int
    eos_id: int
    unk_id: int


def read_model(path: str) -> ModelFile:
    """Reads a SentencePiece model from any fsspec path. The same bytes twice in a row give the same object.

    Raises:
        UserError: there is no such file.
        DamagedFile: it is not a whole SentencePiece model.
    """
    data = _read(path)
    try:
        return _parse(data)
    except (ValueError, struct.error, RuntimeError) as error:
        raise DamagedFile(f"{path} is not a whole SentencePiece model ({error}): fetch or train it again") from None


def model_sha256(path: str) -> str:
    """SHA-256 of a model file, hexadecimal; the file is not parsed.

    Raises:
        UserError: there is no such file.
        DamagedFile: it is no longer the file that the report beside it names.
    """
    found = hashlib.sha256(_read(path)).hexdigest()
    report = join(parent(path), REPORT)
    if posixpath.basename(path) == MODEL and exists(report):
        trained = read_json(report)["sha256"]
        if found != trained:
            raise DamagedFile(
                f"{path} is no longer the model that was trained: its SHA-256 is {found[:8]}, and {report} says "
                f"{trained[:8]}: bring it back, or remove {parent(path)} and train again"
            )
    return found


def check_special(path: str, bos: bool, eos: bool) -> None:
    """Refuses a model without the pieces that each document is to begin and end with.

    Raises:
        UserError: what `read_model` raises, or a piece is missing.
    """
    model = read_model(path)
    for name, wanted, piece in (("bos", bos, model.bos_id), ("eos", eos, model.eos_id)):
        if wanted and piece < 0:
            raise UserError(f"the tokenizer {path} has no {name.upper()} piece: set `{name}: false`, or --no-{name}")


def irregular_reason(model: ModelFile) -> str | None:
    """Why joining characters by the scores of pieces, and nothing else, would not give SentencePiece's ids; or None.

    Holds for models with and without byte fallback.
    """
    normal = [i for i, kind in enumerate(model.types) if kind is PieceType.NORMAL]
    kinds = set(model.types)
    known = {model.pieces[i] for i in normal}
    long_scores = [model.scores[i] for i in normal if len(model.pieces[i]) > 1]
    byte_pieces = sum(kind is PieceType.BYTE for kind in model.types)
    checks = [
        (model.bpe, "it is not a BPE model"),
        (model.identity, "its normaliser rewrites characters"),
        (not model.remove_extra_whitespaces, "it removes extra whitespace"),
        (model.escape_whitespaces, "it does not escape spaces"),
        (not model.whitespace_as_suffix, "it treats whitespace as a suffix"),
        (byte_pieces == 256 * model.byte_fallback, f"it has {byte_pieces} byte pieces"),
        (PieceType.USER_DEFINED not in kinds, "it has user-defined pieces"),
        (PieceType.UNUSED not in kinds, "it has unused pieces"),
        (SPACE in known, "U+2581 is not a piece"),
        (all(c in known for piece in known for c in piece), "a character of a piece is not a piece itself"),
        (len(set(long_scores)) == len(long_scores), "two pieces have the same score"),
        (
            all(
                len(model.pieces[i]) > 1
                for i, kind in enumerate(model.types)
                if kind in (PieceType.CONTROL, PieceType.UNKNOWN)
            ),
            "a control piece is a single character",
        ),
    ]
    return next((reason for holds, reason in checks if not holds), None)


def _read(path: str) -> bytes:
    try:
        with open_read(path) as file:
            return file.read()
    except OSError as error:
        reason = error.strerror or "there is no such file"
        raise UserError(f"cannot read the tokenizer {path} ({reason}): check the path, or train one") from None


@lru_cache(maxsize=1)
def _parse(data: bytes) -> ModelFile:
    pieces: list[str] = []
    scores: list[float] = []
    types: list[PieceType] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    whole = False
    for number, value in protobuf.fields(data):
        if number == 1 and isinstance(value, bytes):
            piece = dict(protobuf.fields(value))
            text, score = piece.get(1, b""), piece.get(2, b"\0\0\0\0")
            if not isinstance(text, bytes) or not isinstance(score, bytes):
                raise ValueError("a piece without text or score")
            pieces.append(text.decode("utf-8"))
            scores.append(struct.unpack("<f", score)[0])
            types.append(PieceType(_integer(piece, 3, PieceType.NORMAL)))
        elif number == 2 and isinstance(value, bytes):
            trainer.update(protobuf.fields(value))
        elif number == 3 and isinstance(value, bytes):
            normalizer.update(protobuf.fields(value))
            whole = True
    if not pieces:
        raise ValueError("no pieces")
    # Cut between two pieces the file is a message all the same, and SentencePiece takes it for a smaller model.
    if not whole:
        raise ValueError("it ends before the normaliser")
    sentencepiece.SentencePieceProcessor(model_proto=data)
    control = {piece: i for i, piece in enumerate(pieces) if types[i] is PieceType.CONTROL}
    return ModelFile(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        pieces=tuple(pieces),
        scores=tuple(scores),
        types=tuple(types),
        bpe=_integer(trainer, 3, 1) == _BPE,
        byte_fallback=bool(_integer(trainer, 35, 0)),
        whitespace_as_suffix=bool(_integer(trainer, 24, 0)),
        identity=not normalizer.get(2),
        add_dummy_prefix=bool(_integer(normalizer, 3, 1)),
        remove_extra_whitespaces=bool(_integer(normalizer, 4, 1)),
        escape_whitespaces=bool(_integer(normalizer, 5, 1)),
        bos_id=control.get(_text(trainer, 46, "<s>"), -1),
        eos_id=control.get(_text(trainer, 47, "</s>"), -1),
        unk_id=types.index(PieceType.UNKNOWN),
    )


def _text(fields: dict[int, int | bytes], number: int, default: str) -> str:
    value = fields.get(number, default.encode())
    if not isinstance(value, bytes):
        raise ValueError(f"field {number} is not text")
    return value.decode("utf-8")


def _integer(fields: dict[int, int | bytes], number: int, default: int) -> int:
    value = fields.get(number, default)
    if not isinstance(value, int):
        raise ValueError(f"field {number} is not an integer")
    return value
