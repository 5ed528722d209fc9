"""Raised and lowered text in a plain line: it has to mean the same there, so 10 to the power of 5 is never 105."""

import re

_ORDINAL = frozenset(
    {
        *("st", "nd", "rd", "th", "er", "re", "e", "è", "ème", "eme", "ère", "ier", "ieme", "ième", "nd", "nde"),
        *("o", "os", "a", "as", "º", "ª", "me", "lle", "le", "rs", "ers", "res", "es", "te", "de", "do", "ra"),
        *("ro", "va", "vo", "to", "ta", "go", "ga", "ter", "bis", "n", "no", "da"),
    }
)
_MARK = frozenset(["®", "™", "©", "℠", "TM", "SM", "R"])
_POWER = re.compile(r"[-−–+]?[\d.,]+|\d*[-−–+]|\w|[-−–+]\w")
_ELEMENT = re.compile(r"(?:[A-Z][a-z]?|[)\]])\Z")


def superscript(before: str, raised: str) -> str:
    """What to write for raised text behind `before` (its last characters suffice): `10` and `5` give "^5".

    Endings of ordinals (1st, XIXe, No) and marks (®) are joined, longer expressions are put in parentheses.
    """
    raised = raised.strip()
    if not raised or before.endswith("^") or raised[0] in "^[":
        return raised
    if raised in _MARK:
        return raised
    if (len(raised) > 1 or raised in "eoaºª") and raised.lower() in _ORDINAL and before[-1:].isalnum():
        return "^" + raised if len(raised) == 1 and before[-1:].islower() else raised  # x to the power of a
    if not before[-1:].strip():
        return raised if raised.isalpha() else "^" + raised
    return "^" + raised if _POWER.fullmatch(raised) else f"^({raised})"


def subscript(before: str, lowered: str) -> str:
    """What to write for lowered text behind `before`: "2" behind `H` is joined, behind `log` or `x` it is "_2"."""
    lowered = lowered.strip()
    if not lowered or before.endswith("_") or not before[-1:].strip():
        return lowered
    if lowered[0].isdigit() and _ELEMENT.search(before[-3:]):
        return lowered
    if not before[-1:].isalnum() and before[-1:] not in ")]}'’":
        return lowered
    return "_" + lowered if re.fullmatch(r"[\w+−-]+", lowered) else f"_({lowered})"
