"""The order of winners against Python's sort."""

from datetime import UTC, datetime

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.near import Near
from corpus.dedup.overlap import Overlap
from corpus.dedup.winners import Prefer, competitors, reads
from corpus.rules import Dedup, PartRef
from corpus.schema import Document, Origin, document_batch
from tests.corpus.dedup.driver import SHAPES, run

numbers = (
    st.floats(-1e6, 1e6, width=32) | st.integers(-1000, 1000) | st.sampled_from([0.0, -0.0, None, "x", float("nan")])
)
times = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
    lambda t: t.replace(tzinfo=UTC, microsecond=0)
)


def preferred(document: Document, prefer: Prefer | None) -> tuple[float, ...]:
    """The lowest wins."""
    if prefer is None:
        return ()
    if prefer == "longest":
        return (-len(document.text.encode()),)
    if prefer == "newest":
        return (-document.timestamp.timestamp(),) if document.timestamp else (np.inf,)
    score = document.metadata.get("score")
    return (-np.float32(score),) if isinstance(score, int | float) and score == score else (np.inf,)


@given(
    st.lists(st.tuples(st.text("aé", max_size=3), times, numbers), min_size=1, max_size=12),
    st.sampled_from([None, "longest", "newest", "metadata.score"]),
    st.integers(0, 1000),
)
def test_by_source_then_preference_then_id(rows: list[tuple], prefer: Prefer | None, priority: int) -> None:
    docs = [
        Document(f"s:{n}", text, Origin("f"), timestamp=time, metadata={} if score is None else {"score": score})
        for n, (text, time, score) in enumerate(rows)
    ]
    batch = document_batch(docs, "s").select(["id", *reads(prefer)[1:]])
    found = competitors(PartRef(3, priority), batch, 7, prefer)
    order = np.lexsort((found["id_hash"], found["priority"]))
    rank = {d.id: (*preferred(d, prefer), xxhash.xxh64_intdigest(d.id.encode())) for d in docs}
    assert [docs[place].id for place in order] == sorted(rank, key=rank.__getitem__)
    assert (np.diff(found["short"][order].astype(np.int64)) >= 0).all()
    assert (found["priority"] >> 32 == priority).all()
    later = competitors(PartRef(0, priority + 1), batch, 0, prefer)
    assert later["priority"].min() > found["priority"].max()
    assert later["short"].min() >= min(found["short"].max(), 255 << 24)


@pytest.mark.parametrize("rule", [Near(), Overlap(sample=1)])
@pytest.mark.parametrize(("prefer", "winner"), [("longest", "long"), ("newest", "new"), ("metadata.stars", "starred")])
def test_the_preferred_one_of_equals_stays(rule: Dedup, prefer: Prefer, winner: str) -> None:
    text = " ".join(f"word{n}" for n in range(60))
    docs = [
        Document("long", text + "  \n\n!", Origin("f")),
        Document("new", text, Origin("f"), timestamp=datetime(2020, 1, 2, tzinfo=UTC), metadata={"stars": 1}),
        Document("starred", text, Origin("f"), timestamp=datetime(2020, 1, 1, tzinfo=UTC), metadata={"stars": 1.5}),
        *(Document(f"plain{n}", text, Origin("f")) for n in range(20)),
    ]
    for shape in SHAPES:
        result = run(rule.model_copy(update={"prefer": prefer}), docs, shape)
        assert [id for id, (reason, _, _) in result.items() if reason is None] == [winner]
