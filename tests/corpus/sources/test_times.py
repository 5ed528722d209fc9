from datetime import UTC, datetime

import pytest

from corpus.sources.times import utc_time


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2019-04-25T12:57:54Z", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        (" 2019-04-25T12:57:54+02:00\n", datetime(2019, 4, 25, 10, 57, 54, tzinfo=UTC)),
        ("2014-01-21T20:26:05.383", datetime(2014, 1, 21, 20, 26, 5, 383000, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_utc_or_none(value: str | None, time: datetime | None) -> None:
    assert utc_time(value) == time
