"""The errors a user can cause, and a damaged file."""

from collections.abc import Iterable
from difflib import SequenceMatcher


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
    """The end of a message about a word that is not one of `names`: all of these, the most similar first."""
    listed = sorted(names, key=lambda name: -SequenceMatcher(None, word.lower(), name.lower()).ratio())
    return f"known are {', '.join(listed)}" if listed else "there is none"
