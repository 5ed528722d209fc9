"""Units of `{{convert}}`: `units.tsv` has the codes, symbols and English names that its documentation lists."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

RANGES = {
    **{"-": "–", "–": "–", "&ndash;": "–", "to": "to", "and": "and", "or": "or", "by": "by", "x": "×", "×": "×"},
    **{"*": "×", "xx": "×", "+/-": "±", "±": "±", "+": "+", "to(-)": "–", "and(-)": "and", "to about": "to about"},
    **{"e": "–", "a": "–", "à": "–", "и": "–"},
}
"""What stands between two numbers of one measure, and how it is shown."""


class _Unit(NamedTuple):
    symbol: str
    one: str
    many: str


@cache
def _units() -> dict[str, _Unit]:
    rows = files("corpus.clean.wiki").joinpath("units.tsv").read_text("utf-8").splitlines()[1:]
    return {code: _Unit(*names) for code, *names in (row.split("\t") for row in rows)}


def is_unit(code: str) -> bool:
    """Whether it is one of the codes."""
    return code in _units()


def unit_symbol(code: str) -> str:
    """As a reader sees it; of a code that is not known, the code."""
    return _units()[code].symbol if code in _units() else code


def unit_name(code: str, value: str, singular: bool = False) -> str:
    """The English name behind a value, which decides between one and many; of a code that is not known, the code."""
    if code not in _units():
        return code
    unit = _units()[code]
    return unit.one if singular or value.strip() == "1" else unit.many
