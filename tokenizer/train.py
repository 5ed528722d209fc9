"""Training the tokenizer: SentencePiece BPE with the settings of the released LLaMA model."""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sentencepiece

from corpus.errors import UserError
from corpus.storage import commit

MAX_LINE_BYTES = 4192
"""Longer lines are not used; `max_sentence_length` of the released model."""

MAX_SKIPPED = 0.1
"""More than this share of the bytes in skipped lines is an error: the text was not cut into lines."""

SETTINGS: dict[str, Any] = {
    "model_type": "bpe",
    "character_coverage": 0.99995,
    "input_sentence_size": 200_000_000,
    "max_sentence_length": MAX_LINE_BYTES,
    "max_sentencepiece_length": 16,
    "split_by_unicode_script": True,
    "split_by_number": True,
    "split_by_whitespace": True,
    "split_digits": True,
    "treat_whitespace_as_suffix": False,
    "allow_whitespace_only_pieces": True,
    "byte_fallback": True,
    "hard_vocab_limit": True,
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": -1,
    "unk_surface": " \u2047 ",
    "normalization_rule_name": "identity",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": False,
    # Not as released (shuffled, 80 threads): the same lines must give the same bytes on every machine, and the number
    # of threads is stored in the model.
    "shuffle_input_sentence": False,
    "num_threads": 4,
}
"""The trainer_spec and normalizer_spec of LLaMA's tokenizer.model, the vocabulary size aside."""

_RESERVED = "\u2585".encode()
"""SentencePiece's own mark for unknown characters; it leaves out lines that hold it (src/trainer_interface.cc)."""


@dataclass(frozen=True)
class TrainReport:
    """What a model was trained on.

    Attributes:
        sha256: of the model file, hexadecimal.
        lines, bytes: given to SentencePiece; newlines are not counted.
        skipped_lines, skipped_bytes: left out, since longer than `MAX_LINE_BYTES` or with the reserved U+2585. Empty
            lines are not counted anywhere.
    """

    sha256: str
    lines: int
    bytes: int
    skipped_lines: int
    skipped_bytes: int


def train(
    lines: Iterable[str | bytes], output: str, vocab_size: int = 32_000, max_skipped: float = MAX_SKIPPED
) -> TrainReport:
    """Trains a BPE model and commits it to `output`. The same lines in the same order give the same bytes.

    All lines are held in memory, at several times their size; sample them first.

    Args:
        lines: text without regard to documents; what holds newlines is cut there. Bytes are UTF-8.
        max_skipped: share of bytes in skipped lines from which on it is an error.

    Raises:
        UserError: no text, too many skipped bytes, or a vocabulary that the text is too small for or that is too small
            for its characters.
    """
    feed = _Feed(lines, max_skipped)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(feed), model_writer=model, vocab_size=vocab_size, minloglevel=2, **SETTINGS
        )
    except RuntimeError as error:
        if feed.error is not None:
            raise feed.error from None
        raise _explained(error, vocab_size, feed) from error
    feed.check()  # of more lines than `input_sentence_size` the rest is not asked for
    data = model.getvalue()
    commit(output, lambda sink: sink.write(data))
    return TrainReport(hashlib.sha256(data).hexdigest(), feed.lines, feed.bytes, feed.skipped_lines, feed.skipped_bytes)


class _Feed:
    """Lines that SentencePiece will use, counted as they pass; too many others end it before the training begins."""

    def __init__(self, lines: Iterable[str | bytes], max_skipped: float) -> None:
        self._lines = lines
        self._max_skipped = max_skipped
        self.lines = self.skipped_lines = self.skipped_bytes = self.bytes = 0
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for text in self._lines:
                for line in (text.encode() if isinstance(text, str) else text).split(b"\n"):
                    if not line:
                        continue
                    if len(line) > MAX_LINE_BYTES or _RESERVED in line:
                        self.skipped_lines += 1
                        self.skipped_bytes += len(line)
                    else:
                        self.lines += 1
                        self.bytes += len(line)
                        yield line
            self.check()
        except Exception as error:
            # SentencePiece would turn it into a RuntimeError with only its text.
            self.error = error
            raise

    def check(self) -> None:
        if not self.bytes and not self.skipped_bytes:
            raise UserError("no text to train a tokenizer on: check the documents, or raise sample_bytes")
        share = self.skipped_bytes / (self.bytes + self.skipped_bytes)
        if share > self._max_skipped:
            raise UserError(
                f"{self.skipped_lines:,} lines with {share:.1%} of the bytes are longer than {MAX_LINE_BYTES:,} bytes "
                f"or hold U+2585, and at most {self._max_skipped:.1%} may be left out: cut the text into lines, or "
                "raise max_skipped"
            )


def _explained(error: RuntimeError, vocab_size: int, feed: _Feed) -> UserError:
    message = str(error)
    if found := re.search(r"Vocabulary size too high .* <= (\d+)", message):
        return UserError(
            f"{feed.lines} lines ({feed.bytes} bytes) are too little text for a vocabulary of {vocab_size} pieces: "
            f"give more text, or a vocab_size of at most {found[1]}"
        )
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return UserError(
            f"a vocabulary of {vocab_size} pieces is too small for the characters of this text: "
            f"give a vocab_size of more than {found[1]}"
        )
    return UserError(f"SentencePiece could not train on {feed.lines} lines: {message.strip()}")
