from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.filters.robots import Robots
from corpus.robots_index import build
from corpus.schema import Document, Origin, document_batch
from corpus.steps.rule import model_digests
from tests.corpus.test_robots_index import record

MARKS = [["nofollow"], ["noindex"], ["noai", "noimageai"], ["none"], None]


def decide(rule: Robots) -> list[str | None]:
    documents = [
        Document(str(n), "text", Origin("f"), url=f"https://{'a' if n % 2 else 'b'}.org/{n}", metadata=metadata)
        for n, metadata in enumerate({"robots": marks} if marks else {} for marks in MARKS)
    ]
    documents.append(Document("without a URL", "text", Origin("f")))
    batch = document_batch(documents, "s")
    return rule.decide(rule.score(batch)).to_pylist()


def test_marks_of_the_page() -> None:
    out = "robots_mark"
    assert decide(Robots()) == [None, out, out, out, None, None]
    assert decide(Robots(marks=("noai",))) == [None, None, out, None, None, None]
    assert decide(Robots(marks=())) == [None] * 6


def test_robots_txt_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(record("https://b.org/robots.txt", "User-agent: CCBot\nDisallow: /\n"))
    build(str(tmp_path), index := str(tmp_path / "index"))
    assert decide(Robots(index=index, marks=("noai",))) == [
        "robots_txt", None, "robots_mark", None, "robots_txt", None
    ]  # fmt: skip
    assert decide(Robots(index=index, marks=(), agents=("GPTBot",))) == [None] * 6


def test_an_index_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"ARROW")
    with pytest.raises(UserError, match=r"is no index of robots.txt files: make one with `corpus models robots`"):
        decide(Robots(index=str(tmp_path / "index")))


def test_the_index_is_part_of_the_steps_identity(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"x")
    assert [name for name, _ in model_digests(Robots(index=str(tmp_path / "index")))] == ["index"]
    with pytest.raises(UserError, match=r"there is no index of robots.txt files \S+nosuch: give the path of a file"):
        list(model_digests(Robots(index=str(tmp_path / "nosuch"))))
