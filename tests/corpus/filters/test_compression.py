import gzip
import random
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.errors import UserError
from corpus.filters.compression import Compression
from corpus.recipe.load import parse_rules
from tests.corpus.real_pages import judged_pages


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def test_as_gzip_without_its_header(shared_data: Path) -> None:
    """gzip writes 18 bytes around the same stream, zlib 6."""
    texts = ["é", "\0" * 1000, *judged_pages(shared_data)[:50]]
    found = Compression().score(batch("x", *texts).slice(1)).column("compression").to_pylist()
    sizes = [len(text.encode()) for text in texts]
    packed = [len(gzip.compress(text.encode(), 6)) - 12 for text in texts]
    assert found == [round(small / size, 4) for small, size in zip(packed, sizes, strict=True)]


def test_reasons() -> None:
    rng = random.Random(0)
    noise = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(1000))
    texts = ["the same words " * 100, noise, "Prose that says a thing and another, once, and is done.", ""]
    rule = Compression(min_ratio=0.2, max_ratio=0.85)
    found = rule.decide(rule.score(batch(*texts))).to_pylist()
    assert found == ["compresses_well", None, "compresses_badly", None]
    assert Compression().decide(Compression().score(batch(*texts))).to_pylist() == [None] * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{min_ratio: 5, max_ratio: 2}", "min_ratio 5.0 is over max_ratio 2.0, so no document could be kept: lower"),
        ("{min_ratio: -1}", "min_ratio: input should be greater than or equal to 0"),
        ("{max_ratio: -1}", "max_ratio: input should be greater than or equal to 0"),
    ],
)
def test_ratios_without_sense(settings: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_rules([f"compression: {settings}"])
