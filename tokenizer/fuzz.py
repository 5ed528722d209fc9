"""Made-up texts on which encoders that should be equal tend to differ."""

import random

from tokenizer.model import SPACE, ModelFile, PieceType

HOSTILE = (
    *" \t\n\r\0\u2581abcdefgthe1290.,()_-=#<>/é\u0301ß\u00a0\u3000中国かなкоراع😀\U0010ffff\ufffd\ufeff\u200b\ud7ff",
    "  ",
    "    ",
    "<s>",
    "</s>",
    "<unk>",
    "<0x0A>",
    "\u2581\u2581",
    "\r\n",
    "def ",
    "self.",
    "return",
    " the",
    "aaa",
    "====",
)
"""Spaces of all kinds, scripts, what looks like a special or byte piece, U+2581 itself, runs of one character."""


def fuzz_texts(model: ModelFile, count: int, seed: int) -> list[str]:
    """Texts of up to 40 strings each: in turn from `HOSTILE`, from the model's pieces, and from both.

    The same arguments give the same texts. Some are empty, and many begin with spaces.
    """
    rng = random.Random(seed)
    pieces = [
        piece.replace(SPACE, " ")
        for piece, kind in zip(model.pieces, model.types, strict=True)
        if kind in (PieceType.NORMAL, PieceType.USER_DEFINED)
    ]
    kinds = (HOSTILE, pieces, [*pieces, *HOSTILE * max(1, len(pieces) // len(HOSTILE))])
    return ["".join(rng.choices(kinds[n % 3], k=rng.randint(0, 40))) for n in range(count)]
