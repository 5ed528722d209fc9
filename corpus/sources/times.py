"""Times as raw data write them."""

from datetime import UTC, datetime


def utc_time(value: str | None) -> datetime | None:
    """An ISO 8601 time; UTC where it names no zone, None where it is no time."""
    try:
        time = datetime.fromisoformat((value or "").strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the second: in UTC it would be before the year 1 or after 9999
        return None
