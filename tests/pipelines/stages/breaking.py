"""Dedups whose rounds and rereads each fail once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus.dedup.near import Near as OurNear
from corpus.dedup.substring import Substring as OurSubstring
from corpus.rules import Reread, Round


@dataclass(frozen=True)
class Once:
    """A function that fails the first time it is called, in whatever process, and leaves a mark."""

    function: Callable[..., Any]
    mark: str

    def __call__(self, *given: Any) -> Any:
        if not Path(self.mark).exists():
            Path(self.mark).touch()
            raise RuntimeError("broken")
        return self.function(*given)


def each_once(rounds: Sequence[Round | Reread], marks: str) -> list[Round | Reread]:
    """The same, of which each leaves its mark in a folder, by its number, when it fails."""
    found: list[Round | Reread] = []
    for number, given in enumerate(rounds):
        mark = f"{marks}/{number}"
        if isinstance(given, Reread):
            found.append(replace(given, answer=Once(given.answer, mark)))
        else:
            found.append(replace(given, decide=Once(given.decide, mark)))
    return found


class Near(OurNear):
    """Near, with a folder for the marks."""

    marks: str

    def rounds(self) -> Sequence[Round | Reread]:
        return each_once(super().rounds(), self.marks)


class Substring(OurSubstring):
    """Substring, with a folder for the marks."""

    marks: str

    def rounds(self) -> Sequence[Round | Reread]:
        return each_once(super().rounds(), self.marks)
