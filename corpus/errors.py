"""The errors a user can cause, and a damaged file."""


class UserError(Exception):
    """A mistake the user can mend. The message is one line: what, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """


class DamagedFile(UserError):
    """A file of ours that is cut short, altered, or of a format number this version does not know."""
