"""Lines against cc_net's dedup.py, restated: HashesCollector, then DuplicatesRemover."""

import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup.hashed_lines import _place
from corpus.dedup.lines import Lines
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.normalize import normalize_lines
from tests.corpus.dedup.driver import SHAPES, decide, documents, run


def reference(texts: list[str], min_chars: int) -> list[tuple]:
    """(reason, text, kept lines) of each document of one snapshot."""

    def keys(text: str) -> list[str]:
        return normalize_lines(pa.array(text.split("\n"))).to_pylist()

    collected: dict[str, bool] = {}  # FlatHashSet: has another document had the line before?
    for text in texts:
        if text and len(text) >= min_chars:
            collected.update({key: key in collected for key in keys(text)})
    result = []
    for text in texts:
        if not text or len(text) < min_chars:
            result.append(("too_short", None, None))
            continue
        seen: set[str] = set()
        kept = []
        for number, key in enumerate(keys(text)):
            if key not in seen and not collected[key]:
                kept.append(number)
            seen.add(key)
        lines = text.split("\n")
        result.append((None, "\n".join(lines[i] for i in kept), kept) if kept else ("no_lines_left", None, None))
    return result


words = st.lists(st.sampled_from(["", "A", "a", " a ", "b", "1", "2", "é", "Long line", "l\u00e0\u2026"]), max_size=6)


@given(st.lists(words, max_size=12), st.sampled_from([0, 1, 6]))
def test_as_cc_net_whatever_the_spread(docs: list[list[str]], min_chars: int) -> None:
    texts = ["\n".join(lines) for lines in docs]
    made = documents(texts)
    expected = {d.id: r for d, r in zip(made, reference(texts, min_chars), strict=True)}
    for shape in SHAPES:
        assert run(Lines(min_chars=min_chars), made, shape) == expected


def first_reference(docs: list[Document], min_chars: int) -> dict[str, tuple]:
    """The same with `keep: first`: document after document in the order of winners, each against those before it."""
    seen: set[str] = set()
    result: dict[str, tuple] = {}
    for document in sorted(docs, key=lambda d: xxhash.xxh64_intdigest(d.id.encode())):
        text = document.text
        if not text or len(text) < min_chars:
            result[document.id] = ("too_short", None, None)
            continue
        lines, kept = text.split("\n"), []
        for number, key in enumerate(normalize_lines(pa.array(lines)).to_pylist()):
            if key not in seen:
                kept.append(number)
            seen.add(key)
        found = "\n".join(lines[i] for i in kept)
        result[document.id] = (None, found, kept) if kept else ("no_lines_left", None, None)
    return dict(sorted(result.items()))


@given(st.lists(words, max_size=12), st.sampled_from([0, 1, 6]))
def test_the_first_copy_stays_whatever_the_spread(docs: list[list[str]], min_chars: int) -> None:
    made = documents("\n".join(lines) for lines in docs)
    for shape in SHAPES:
        found = run(Lines(keep="first", min_chars=min_chars), made, shape, group="2020")
        assert found == first_reference(made, min_chars)


def as_c4(pages: dict[str, str]) -> dict[str, str]:
    """remove_duplicate_text of c4_utils.py in TensorFlow Datasets, restated, without its count of sentences: of all
    URLs that have a line, the one of the lowest MD5 keeps it."""

    def hashed(line: str) -> str:
        return hashlib.md5(line.strip().lower().encode()).hexdigest()

    urls: dict[str, set[str]] = {}
    for url, text in pages.items():
        for line in text.split("\n"):
            urls.setdefault(hashed(line), set()).add(url)
    keeper = {line: min(some, key=lambda url: hashlib.md5(url.encode()).hexdigest()) for line, some in urls.items()}
    result = {}
    for url, text in pages.items():
        kept: dict[str, str] = {}
        for line in text.split("\n"):
            if keeper[hashed(line)] == url:
                kept.setdefault(hashed(line), line)
        if kept:
            result[url] = "\n".join(kept.values())
    return result


@given(
    st.lists(st.lists(st.sampled_from(["A b.", "a b. ", "A b", "x 1.", "x 2.", "\u2026x"]), min_size=1), max_size=12)
)
def test_as_c4_whatever_the_spread(drawn: list[list[str]]) -> None:
    pages = {f"https://example.org/{i}": "\n".join(lines) for i, lines in enumerate(drawn)}
    made = [Document(f"s:{i}", text, Origin("f"), url=url) for i, (url, text) in enumerate(pages.items())]
    rule = Lines(keep="first", normalize="c4", order="url", min_chars=0)
    for shape in SHAPES:
        found = run(rule, made, shape)
        assert {d.url: found[d.id][1] for d in made if found[d.id][0] is None} == as_c4(pages)


def test_documents_without_url_come_last() -> None:
    made = [Document(f"s:{i}", "the line", Origin("f"), url=f"u{i}" if i == 20 else None) for i in range(40)]
    for shape in SHAPES:
        found = run(Lines(keep="first", order="url", min_chars=0), made, shape)
        assert [i for i, (reason, _, _) in found.items() if reason is None] == ["s:20"]
        found = run(Lines(keep="first", order="url", min_chars=0), made[:20], shape)
        assert [i for i, (reason, _, _) in found.items() if reason is None] == [
            min((d.id for d in made[:20]), key=lambda i: xxhash.xxh64_intdigest(i.encode()))
        ]


def test_lines_as_they_are() -> None:
    texts = ["A b\nx 1", "a b\nx 2", " A b", "A b\n\u2026", "A b"]
    found = run(Lines(keep="first", normalize="none", min_chars=0), documents(texts), SHAPES[1])
    kept = sorted(line for _, text, _ in found.values() if text is not None for line in text.split("\n"))
    assert kept == sorted({line for text in texts for line in text.split("\n")})


def test_the_first_copy_is_that_of_the_earlier_source_whatever_the_snapshot() -> None:
    parts = [[document_batch(documents([f"the line\nown {'abc'[i]}"]), "s")] for i in range(3)]
    refs = [PartRef(0, priority=1, group="a"), PartRef(1, priority=0, group="b"), PartRef(2, priority=2, group="c")]
    found = decide(Lines(keep="first", min_chars=0), refs, parts, SHAPES[1])
    assert {part: table["row"].to_pylist() for part, table in found.items()} == {0: [2**32 - 1], 2: [2**32 - 1]}


def test_a_line_that_one_document_repeats_keeps_its_first_copy() -> None:
    assert run(Lines(min_chars=0), documents(["x\ny\nX", "z\ny"])) == {
        "s:0": (None, "x", [0]),
        "s:1": (None, "z", [0]),
    }


def test_default_is_300_characters_not_bytes() -> None:
    result = run(Lines(), documents(["é" * 299, "ü" * 300]))
    assert [reason for reason, _, _ in result.values()] == ["too_short", None]


def dropped(rule: Lines, refs: list[PartRef]) -> set[int]:
    """Parts that lose the one line that every part has."""
    parts = [[document_batch(documents([f"the line\nown {i}"]), "s")] for i in range(len(refs))]
    return set(decide(rule, refs, parts, SHAPES[1]))


def test_snapshots_are_apart() -> None:
    refs = [PartRef(i, group=group) for i, group in enumerate(["2019", "2020", "2020", "2018"])]
    assert dropped(Lines(min_chars=0), refs) == {1, 2}


def test_window_compares_consecutive_parts_only() -> None:
    refs = [PartRef(i) for i in range(5)]
    assert dropped(Lines(min_chars=0, window=2), refs) == {0, 1, 2, 3}
    assert dropped(Lines(min_chars=0, window=1), refs) == set()
    with pytest.raises(ValidationError, match="window"):
        Lines(window=0)
    with pytest.raises(ValidationError, match="`order` says which copy of a line stays: set `keep: first`"):
        Lines(order="url")
    with pytest.raises(ValidationError, match="`keep: first` compares all parts: leave out `window`"):
        Lines(keep="first", window=2)


def test_decisions_are_hashes_and_may_come_unsorted() -> None:
    docs = [document_batch(documents(["a\nb\nc", "a\nb\nd"]), "s")]
    rule = Lines(min_chars=0)
    table = decide(rule, [PartRef(0)], [docs], SHAPES[0])[0]
    assert table.schema == pa.schema([("hash", pa.uint64())])
    for order in ([0, 1], [1, 0]):
        cleaned = rule.apply(docs[0], 0, table.take(order))
        assert cleaned.text.to_pylist() == ["c", "d"]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=300), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_place(values: set[int], others: list[int]) -> None:
    ordered = np.array(sorted(values), np.uint64)
    for value in [*values, *others, *(min(v + 1, 2**64 - 1) for v in values)]:
        place = _place(ordered, np.uint64(value))
        assert place == (sorted(values).index(value) if value in values else -1)


def wet_texts(folder: Path) -> list[str]:
    """Bodies of the conversion records of all sample WET files, decoded loosely."""
    texts = []
    for path in sorted(folder.rglob("*.wet*")):
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        records = re.split(rb"(?m)^WARC/1\.\d\r?\n", raw)
        texts += [r.split(b"\r\n\r\n", 1)[-1].decode("utf-8", "replace") for r in records if b"conversion" in r[:300]]
    return texts


def test_real_wet(shared_data: Path) -> None:
    texts = wet_texts(shared_data / "commoncrawl")
    assert len(texts) > 20
    made = documents(texts)
    expected = {d.id: r for d, r in zip(made, reference(texts, 300), strict=True)}
    assert run(Lines(), made, SHAPES[1]) == expected
    assert {reason for reason, _, _ in expected.values()} >= {None, "no_lines_left"}


def test_the_first_copy_in_real_wet(shared_data: Path) -> None:
    made = documents(wet_texts(shared_data / "commoncrawl"))
    found = run(Lines(keep="first"), made, SHAPES[1])
    assert found == first_reference(made, 300)
    assert {reason for reason, _, _ in found.values()} >= {None, "no_lines_left"}


@pytest.mark.parametrize("rule", [Lines(), Lines(keep="first")], ids=["none", "first"])
def test_estimate_is_honest(shared_data: Path, rule: Lines) -> None:
    batch = document_batch(documents(wet_texts(shared_data / "commoncrawl")), "s")
    given = sum(block.nbytes for _, block in rule.sign(PartRef(0), iter([batch]), 4))
    assert given / 2 <= rule.estimate(batch.num_rows, batch["text"].nbytes) <= given * 2
