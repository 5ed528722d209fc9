"""Text to ids, equal to SentencePiece id for id."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sentencepiece

from corpus.text.buffers import Offsets, text_buffers
from tokenizer.bpe import WINDOW_BYTES, build_tables, encode_rows, inexact_reason, new_cache, new_scratch
from tokenizer.model import read_model

Tokens = npt.NDArray[np.uint16 | np.uint32]


def token_dtype(vocab_size: int) -> type[np.uint16 | np.uint32]:
    """The type that tokens of a vocabulary are stored as: uint16 up to 65,536 pieces, else uint32."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


class Encoder:
    """Encodes text columns with a SentencePiece model.

    The ids are those of `SentencePieceProcessor.encode`. Where the conditions hold under which our kernel is equal
    to it (`tokenizer.bpe`), it is used; for any other model SentencePiece itself is.

    Not for several threads at once: each needs its own, since the word cache is written while it is read.

    Attributes:
        vocab_size: pieces in the model.
        sha256: of the model file, hexadecimal.
        bos_id, eos_id, unk_id: ids, -1 where the model has none.
        exact_kernel: whether our kernel is in use.
        reason: why it is not, or "".
        words, missed: words that the kernel met so far, and how many of them were not in its cache.

    Raises:
        UserError: the model cannot be read.
        DamagedFile: it is not a whole SentencePiece model.
    """

    def __init__(self, model_path: str) -> None:
        model = read_model(model_path)
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model.data)
        self.vocab_size: int = len(model.pieces)
        self.sha256 = model.sha256
        self.bos_id = model.bos_id
        self.eos_id = model.eos_id
        self.unk_id = model.unk_id
        self.reason = inexact_reason(model) or ""
        self.exact_kernel = not self.reason
        self.words = 0
        self.missed = 0
        self._dtype: type[np.uint16 | np.uint32] = token_dtype(self.vocab_size)
        if self.exact_kernel:
            self._dummy_prefix = model.add_dummy_prefix
            self._tables = build_tables(model)
            self._lines = new_cache()
            self._values = self._lines.view(np.uint32)
            self._scratch = new_scratch(WINDOW_BYTES)

    def encode_batch(self, texts: pa.Array, bos: bool, eos: bool) -> tuple[Tokens, Offsets]:
        """The ids of every text, one after the other.

        A document with `bos` and `eos` is `[bos_id] + ids + [eos_id]`, and an empty one `[bos_id, eos_id]`. Special
        pieces are never read from the text: "<s>" there is three characters.

        Args:
            texts: string or large_string, no nulls.

        Returns:
            ids, uint16 or uint32 (`token_dtype`), and offsets, int64, shape (len(texts) + 1,): text i is
            `ids[offsets[i]:offsets[i + 1]]`.

        Raises:
            ValueError: a null, invalid UTF-8, or `bos` or `eos` of a model that has no such piece.
        """
        if texts.null_count:
            raise ValueError("a text is null")
        # The kernel trusts UTF-8, and Arrow does not check it when it reads a file.
        texts.validate(full=True)
        before, after = self._special(bos, "bos"), self._special(eos, "eos")
        if not self.exact_kernel:
            return self._encode_with_sentencepiece(texts, before, after)
        data, offsets = text_buffers(texts)
        tokens = np.empty(int(offsets[-1] - offsets[0]) + 3 * len(texts) + 2, self._dtype)
        token_offsets = np.empty(len(texts) + 1, np.int64)
        words, missed = encode_rows(
            data,
            offsets,
            before,
            after,
            self._dummy_prefix,
            self._tables,
            self._lines,
            self._values,
            self._scratch,
            tokens,
            token_offsets,
        )
        self.words += words
        self.missed += missed
        tokens.resize(int(token_offsets[-1]), refcheck=False)
        return tokens, token_offsets

    def _special(self, wanted: bool, name: str) -> int:
        if not wanted:
            return -1
        piece: int = getattr(self, f"{name}_id")
        if piece < 0:
            raise ValueError(f"the tokenizer has no {name} piece")
        return piece

    def _encode_with_sentencepiece(self, texts: pa.Array, before: int, after: int) -> tuple[Tokens, Offsets]:
        rows: list[Any] = self._processor.encode(texts.to_pylist(), num_threads=1)
        head, tail = [before][: before >= 0], [after][: after >= 0]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(head) + len(row) + len(tail) for row in rows], out=offsets[1:])
        tokens: Tokens = np.fromiter(
            (token for row in rows for ids in (head, row, tail) for token in ids), self._dtype, int(offsets[-1])
        )
        return tokens, offsets
