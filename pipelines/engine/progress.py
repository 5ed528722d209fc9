"""What a person sees while parts are worked on: a live bar on a terminal, a line now and then elsewhere."""

import sys
from time import monotonic
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

FIRST_LINE_SECONDS = 10.0
"""Without a terminal: seconds before the first line, and the least time between two."""
LINE_SHARE = 0.05
"""Without a terminal: the next line comes when this share of the time so far has passed, so that a run of five days
writes about two hundred lines."""


class Progress:
    """Parts done of all, MB/s, documents kept and time left, on standard error.

    Results may carry `bytes_in`, `documents_in`, `documents_out` and `reused`; a result without them counts as its
    parts and nothing else. `reused` says whether, or of several parts how many. Parts reused from an earlier run do not
    enter the speed nor the time left.

    Args:
        label: what is being done.
        total: number of parts.
        quiet: shows nothing but what `say` is given.
    """

    def __init__(self, label: str, total: int, quiet: bool = False) -> None:
        self._label = label
        self._total = total
        self._quiet = quiet
        self._done = 0
        self._reused = 0
        self._failed = 0
        self._bytes = 0
        self._documents_in = 0
        self._documents_out = 0
        self._started = monotonic()
        self._next_line = self._started + FIRST_LINE_SECONDS
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._bar = Bar(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[summary]}"),
                console=self._console,
            )
            self._bar.add_task(escape(self._label), total=self._total, summary=self.summary())
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self.tick()
            self._bar.stop()
        elif not self._quiet:
            self._line()

    def add(self, result: Any, parts: int = 1) -> None:
        """A part is finished, or several with one result."""
        self._done += parts
        reused = int(getattr(result, "reused", False))
        self._reused += reused
        if not reused:
            self._bytes += getattr(result, "bytes_in", 0)
        self._documents_in += getattr(result, "documents_in", 0)
        self._documents_out += getattr(result, "documents_out", 0)
        self.tick()

    def fail(self, parts: int = 1) -> None:
        """A part has failed for good, or several together."""
        self._failed += parts
        self.tick()

    def tick(self) -> None:
        """Brings what is shown up to date; to be called about once a second."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, summary=self.summary())
        elif not self._quiet and monotonic() >= self._next_line:
            self._line()

    def say(self, line: str) -> None:
        """Prints one line above the bar, also in quiet mode."""
        self._console.print(line, markup=False)

    def summary(self) -> str:
        """For example `12/40 parts (3 reused), 85.1 MB/s, 1,234 of 2,000 documents kept, 0:03:12 left`."""
        elapsed = monotonic() - self._started
        parts = f"{self._done}/{self._total} parts"
        if self._reused:
            parts += f" ({self._reused} reused)"
        texts = [parts]
        if self._failed:
            texts.append(f"{self._failed} failed")
        if self._bytes and elapsed > 0:
            texts.append(f"{self._bytes / elapsed / 1e6:.1f} MB/s")
        if self._documents_in:
            texts.append(f"{self._documents_out:,} of {self._documents_in:,} documents kept")
        worked = self._done - self._reused + self._failed
        left = self._total - self._done - self._failed
        if left and worked:
            texts.append(f"{_clock(elapsed / worked * left)} left")
        else:
            texts.append(_clock(elapsed))
        return ", ".join(texts)

    def _line(self) -> None:
        self.say(f"{self._label}: {self.summary()}")
        now = monotonic()
        self._next_line = now + max(FIRST_LINE_SECONDS, LINE_SHARE * (now - self._started))


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
