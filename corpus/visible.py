"""Text that came from outside, made safe to look at: what would be invisible, or would act, is shown as its number."""

import unicodedata

_JOINERS = "\u200c\u200d"
"""Letters of several scripts, and emoji, are written with them."""
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: controls, format characters (bidirectional overrides among them), surrogates, separators of
lines and paragraphs."""


class _Shown(dict[int, str]):
    """For `str.translate`: looks at each character once."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        hidden = unicodedata.category(sign) in _HIDDEN and sign not in f"\n\t{_JOINERS}"
        self[code] = f"⟨U+{code:04X}⟩" if hidden else sign
        return self[code]


_SHOWN = _Shown()


def visible(text: str) -> str:
    """The text with `⟨U+202E⟩` in the place of each character that a reader would not see, or that would turn the text
    around, move a terminal's cursor, or end a page: all but tabs, line feeds and joiners. It can be written as UTF-8.
    """
    return text.translate(_SHOWN)
