"""From a row of some data set to a document: which of its columns is what."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator

from corpus.schema import Document, Origin, Rejected
from corpus.settings import Settings
from corpus.sources.times import utc_time

Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""A column, or several of which the first is taken that a row has. A dot leads into a column that is a map."""

_LIFTED = "metadata"
"""A column of this name that is a map is where Dolma and datatrove put all that has no column of its own."""


MadeId = Callable[[Origin, str | None, str], str]
"""Makes the id of a row that has none, of its place, its URL and its text."""


def place_id(origin: Origin, url: str | None = None, text: str = "") -> str:
    """The file, and the row's number or place there: an id for whatever has none."""
    return f"{origin.file}#{origin.record if origin.record is not None else origin.offset}"


class Columns(Settings):
    """Which column of a row is what. All others go into the document's metadata.

    The defaults fit rows of Dolma (`id`, `text`, `source`, `created`, `metadata`), of datatrove (`text`, `id`,
    `metadata`), and of `corpus export documents`.

    Attributes:
        text: the text.
        id: where a row has none, the source makes one: of its file and its number or place there, if nothing else.
        timestamp: ISO 8601, or seconds since 1970.
    """

    text: Names = ("text",)
    id: Names = ("id",)
    url: Names = ("url", "metadata.url")
    language: Names = ("language", "lang", "metadata.language")
    license: Names = ("license", "metadata.license")
    timestamp: Names = ("timestamp", "created", "date", "metadata.timestamp", "metadata.date")

    def document(self, origin: Origin, row: Mapping[str, Any], made_id: MadeId = place_id) -> Document | Rejected:
        """The document of a row. Reasons: `no_text` (no such column, or no string in it), `empty` (white space)."""
        used: set[str] = set()
        text = self._first(row, self.text, used)
        if not isinstance(text, str):
            what = "no column" if text is None else f"{type(text).__name__}, no string,"
            return Rejected(origin, "no_text", f"{what} {' or '.join(self.text)}; the row has {', '.join(row)}")
        if not text.strip():
            return Rejected(origin, "empty")
        identity = self._first(row, self.id, used)
        url = _string(self._first(row, self.url, used))
        return Document(
            id=made_id(origin, url, text) if identity is None or identity == "" else str(identity),
            text=text,
            origin=origin,
            url=url,
            language=_string(self._first(row, self.language, used)),
            license=_string(self._first(row, self.license, used)),
            timestamp=_timestamp(self._first(row, self.timestamp, used)),
            metadata=dict(_metadata(row, used)),
        )

    @staticmethod
    def _first(row: Mapping[str, Any], names: tuple[str, ...], used: set[str]) -> Any:
        """The first value that is not null, and notes its column."""
        for name in names:
            value: Any = row.get(name)
            if value is None and "." in name:
                top, _, rest = name.partition(".")
                inner = row.get(top)
                value = inner.get(rest) if isinstance(inner, Mapping) else None
            if value is not None:
                used.add(name)
                return value
        return None


def _metadata(row: Mapping[str, Any], used: set[str]) -> Iterator[tuple[str, Any]]:
    """What no column of a document takes; the map `metadata` is lifted into it."""
    for name, value in row.items():
        if name in used or value is None:
            continue
        if name == _LIFTED and isinstance(value, Mapping):
            for inner, some in value.items():
                if f"{name}.{inner}" not in used and inner not in row and some is not None:
                    yield str(inner), plain(some)
        else:
            yield name, plain(value)


def plain(value: Any) -> Any:
    """A value of Arrow or Python as JSON has it: what JSON does not know becomes a string, and NaN null."""
    if isinstance(value, Mapping):
        return {str(key): plain(some) for key, some in value.items()}
    if isinstance(value, list | tuple):
        return [plain(some) for some in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _timestamp(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        return utc_time(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return None
