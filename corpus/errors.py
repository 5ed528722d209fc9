"""The errors a user can cause, and a damaged file."""

from collections.abc import Iterable
from difflib import SequenceMatcher

_SIMILAR = 0.5
"""Least `SequenceMatcher.ratio` of names that are told first: "gopher" and "gopher_repetition" have 0.52."""


class UserError(Exception):
    """A mistake the user can mend. The message is one line: what, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """


class DamagedFile(UserError):
    """A file of ours that is cut short, altered, or of a format number this version does not know."""


class UserErrors(UserError):
    """Several mistakes that were found together, a line each."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__("\n".join(lines))


def known(word: str, names: Iterable[str]) -> str:
    """The end of a message about a word that is not one of `names`: all of these, first the similar ones by likeness,
    then the rest in order of the alphabet."""
    likeness = {name: SequenceMatcher(None, word.lower(), name.lower()).ratio() for name in names}
    listed = sorted(likeness, key=lambda name: (-likeness[name] if likeness[name] >= _SIMILAR else 0, name))
    return f"known are {', '.join(listed)}" if listed else "there is none"
