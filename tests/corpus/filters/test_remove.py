from corpus.filters.remove import Remove
from corpus.schema import Document, Origin, document_batch

BATCH = document_batch(
    [Document(str(n), "text", Origin("f"), url=None if n == 0 else f"https://{n}") for n in range(4)], "s"
)


def decide(rule: Remove) -> list[str | None]:
    return rule.decide(rule.score(BATCH)).to_pylist()


def test_ids_and_urls() -> None:
    out = "on_request"
    assert decide(Remove(ids=("0", "2"), urls=("https://3", "https://9"))) == [out, None, out, out]
    assert decide(Remove(urls=("", "1"))) == [None] * 4
    assert decide(Remove()) == [None] * 4
