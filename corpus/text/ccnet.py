"""CCNet's normalisation of a document before its language model reads it: `normalize` of cc_net/text_normalizer.py.

In this order: strip white space; lower case; decompose (NFD) and drop nonspacing marks (Mn), so that accents go; every
decimal digit becomes "0"; typographic punctuation becomes ASCII; control characters 0-31 and 127-159 are deleted. Line
feeds are among them: words on both sides of one are glued together, and the model sees the document as one sentence.
"""

import unicodedata

PUNCTUATION = {
    **dict.fromkeys("„”“«»」「《》", '"'),
    **dict.fromkeys("´’", "'"),
    **dict.fromkeys("，、", ","),
    **dict.fromkeys("∶：", ":"),
    **dict.fromkeys("–━►", "-"),
    "。": ".",
    "．": ". ",
    "…": "...",
    "？": "?",
    "！": "!",
    "；": ";",
    "—": " - ",
    "～": "~",
    "％": "%",
    "（": "(",
    "）": ")",
    "〈": "<",
    "〉": ">",
    "【": "[",
    "】": "]",
}
"""UNICODE_PUNCT of cc_net/text_normalizer.py without its slip `"１": '"'`, which has no effect: by then every decimal
digit, the full-width ones too, is "0"."""


def normalize_for_lm(text: str) -> str:
    """`text` as CCNet's SentencePiece and KenLM models expect it."""
    text = text.strip().lower()
    if not text.isascii():
        text = unicodedata.normalize("NFD", text)
    return text.translate(_REPLACEMENTS)


class _Replacements(dict[int, str]):
    """What `str.translate` puts for a code point; found once, then kept."""

    def __missing__(self, point: int) -> str:
        character = chr(point)
        category = unicodedata.category(character)
        if category in ("Mn", "Cc"):  # Cc is exactly 0-31 and 127-159
            replacement = ""
        elif category == "Nd":
            replacement = "0"
        else:
            replacement = PUNCTUATION.get(character, character)
        self[point] = replacement
        return replacement


_REPLACEMENTS = _Replacements()
