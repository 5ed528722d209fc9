"""Stack Exchange dumps: written here, and the real ones counted a second way."""

import html
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.schema import Document, Rejected, batched
from corpus.sources import stackexchange
from corpus.sources.raw import RawFile, list_files
from corpus.sources.stackexchange import StackExchange, html_text

HEAD = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
SITE = "beer.stackexchange.com"


def row(**attributes: Any) -> bytes:
    written = " ".join(f'{name}="{html.escape(str(value))}"' for name, value in attributes.items())
    return f"  <row {written} />\r\n".encode()


def question(number: int, **attributes: Any) -> bytes:
    default = {"Id": number, "PostTypeId": 1, "Score": 0, "Title": f"title {number}", "Body": f"<p>body {number}</p>"}
    return row(**(default | attributes))


def answer(number: int, parent: int, score: Any = 0, **attributes: Any) -> bytes:
    default = {"Id": number, "PostTypeId": 2, "ParentId": parent, "Score": score, "Body": f"<p>answer {number}</p>"}
    return row(**(default | attributes))


def read(folder: Path, *rows: bytes, end: bytes = b"</posts>") -> list[Document | Rejected]:
    path = folder / SITE / "Posts.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HEAD + b"".join(rows) + end)
    return list(read_all(folder))


def read_all(folder: Path, source: StackExchange | None = None) -> Iterator[Document | Rejected]:
    source = source or StackExchange()
    for split in source.splits(list_files(str(folder))):
        yield from source.read(str(folder), split)


def summary(found: list[Document | Rejected]) -> list[str]:
    return [r.reason if isinstance(r, Rejected) else r.id.rpartition(":")[2] for r in found]


def test_a_question_with_its_answers(tmp_path: Path) -> None:
    (document,) = read(
        tmp_path,
        question(
            1,
            Score=13,
            Title="What is <b> in A&B?",
            Body="<p>I was offered a <em>beer</em> &amp; crisps.</p>\n",
            Tags="<hops><a-b>",
            AcceptedAnswerId=4,
            CreationDate="2014-01-21T20:26:05.383",
        ),
        answer(4, 1, 3, CreationDate="2018-05-02T00:00:00.000"),
    )
    assert isinstance(document, Document)
    assert document.text == "Q: What is <b> in A&B?\n\nI was offered a beer & crisps.\n\nA: answer 4"
    assert document.id == f"stackexchange:{SITE}:1"
    assert document.url == f"https://{SITE}/q/1"
    assert document.timestamp == datetime(2014, 1, 21, 20, 26, 5, 383000, tzinfo=UTC)
    assert document.license == "cc-by-sa-3.0"
    assert document.metadata == {
        "answers": 1,
        "score": 13,
        "tags": ["hops", "a-b"],
        "accepted_answer": 4,
        "licenses": ["cc-by-sa-3.0", "cc-by-sa-4.0"],
    }
    assert document.records == 2


def test_answers_are_sorted_by_score_as_numbers_then_by_id(tmp_path: Path) -> None:
    """RedPajama sorts the scores as strings: 9, 100, 10, -2."""
    scores = {2: 9, 3: 100, 4: 10, 5: -2, 6: -10, 12: 10, 7: 10}
    (document,) = read(tmp_path, question(1), *(answer(number, 1, score) for number, score in scores.items()))
    assert isinstance(document, Document)
    assert re.findall(r"answer (\d+)", document.text) == ["3", "4", "7", "12", "2", "5", "6"]
    assert document.records == 8


def test_answers_before_their_question_and_questions_without_answers(tmp_path: Path) -> None:
    found = read(tmp_path, answer(5, 9), question(1), question(9), answer(6, 9, 4))
    assert summary(found) == ["1", "9"]
    assert [r.records for r in found] == [1, 3]
    assert isinstance(found[0], Document)
    assert found[0].text == "Q: title 1\n\nbody 1"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (answer(2, 77), "orphan_answer"),
        (row(Id=2, PostTypeId=2, Score=1), "orphan_answer"),
        (row(Id=2, PostTypeId=5, Body="x"), "other_post_type"),
        (row(Id=2, Body="x"), "no_post_type"),
        (row(PostTypeId=1), "bad_row"),
        (question("x"), "bad_row"),  # type: ignore[arg-type]
        (question(2, Score="many"), "bad_row"),
        (question(2, Id="9" * 30), "bad_row"),
        (b'<row Id="2" PostTypeId="1" Body="cut', "bad_row"),
        (b'<row Id="2" PostTypeId="1" Id="3" />', "bad_row"),
        (b'<row Id="2" PostTypeId="1" Body="&bomb;" />', "bad_row"),
        (b'<row Id="2" PostTypeId="1" Body="a" b" />', "bad_row"),
        (question(1), "duplicate_question"),
        (question(2, Title=" ", Body="<p> </p>"), "no_text"),
    ],
)
def test_a_row_that_is_no_question_costs_itself(tmp_path: Path, bad: bytes, reason: str) -> None:
    found = read(tmp_path, question(1), bad, question(3), answer(4, 3))
    assert summary(found) == ["1", reason, "3"]
    assert found[2].records == 2


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    path = tmp_path / SITE / "Posts.xml"
    path.parent.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path.write_bytes(
        b'<?xml version="1.0"?><!DOCTYPE posts [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">'
        + f'<!ENTITY c SYSTEM "{secret.as_uri()}">]><posts>'.encode()
        + b'<row Id="1" PostTypeId="1" Title="&b;"/><row Id="2" PostTypeId="1" Title="&c;"/>'
        + question(3)
        + b"</posts>"
    )
    found = [r for r in read_all(tmp_path) if r.origin.file.endswith("Posts.xml")]
    assert summary(found) == ["bad_row", "bad_row", "3"]


def test_characters_that_xml_forbids_are_replaced_and_counted(tmp_path: Path) -> None:
    rows = [b'<row Id="1" PostTypeId="1" Title="a&#x1F;b\xffc\x01&#xD800;&#9;d"/>', question(2), answer(3, 2)]
    rows[2] = rows[2].replace(b"answer 3", b"\xfe")
    found = read(tmp_path, *rows)
    assert summary(found) == ["1", "2"]
    first, second = (r for r in found if isinstance(r, Document))
    assert first.text.startswith("Q: a\ufffdb\ufffdc\ufffd\ufffd\td")
    assert second.text.endswith("A: \ufffd")
    assert first.metadata["replaced"]
    assert second.metadata["replaced"]
    assert batched([first, second], "stackexchange")


def test_rows_need_not_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    on_one_line = b"".join(question(n).strip() for n in (1, 2))
    closed = question(3).replace(b" />", b"></row>")
    broken = question(4).replace(b" Score", b"\n\tScore").replace(b"<row ", b"<row\n")
    quoted = b"<row Id='5' PostTypeId='1' Title='a > b' />"
    assert summary(read(tmp_path, on_one_line, closed, broken, quoted)) == ["1", "2", "3", "4", "5"]


@given(st.lists(st.text("ab<>&\"' é\n", max_size=30), max_size=6), st.integers(1, 60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_found_wherever_the_blocks_of_the_file_end(tmp_path: Path, titles: list[str], chunk: int) -> None:
    rows = [question(n, Title=title, Body="x") for n, title in enumerate(titles)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stackexchange, "_CHUNK", chunk)
        found = read(tmp_path, *rows)
    assert [r.origin.record for r in found] == list(range(len(titles)))
    for r, title, written in zip(found, titles, rows, strict=True):
        assert isinstance(r, Document)
        assert StackExchange().raw(str(tmp_path), r.origin) == written.strip()
        shown = title.replace("\n", " ").strip()  # to XML the line ends of an attribute are spaces
        assert r.text == (f"Q: {shown}\n\nx" if shown else "Q: x")


def test_a_long_row_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in (50, 1 << 20):
        monkeypatch.setattr(stackexchange, "_CHUNK", chunk)
        monkeypatch.setattr(stackexchange, "MAX_ROW_BYTES", 1000)
        found = read(tmp_path, question(1), question(2, Body="x" * 2000), question(3), answer(4, 3, Body="x" * 2000))
        assert summary(found) == ["1", "row_too_long", "3", "row_too_long"]
        assert found[2].records == 1


@pytest.mark.parametrize(
    ("end", "expected"),
    [(b"", ["1", "truncated"]), (b"</posts>\n", ["1"]), (b'  <row Id="2" Bo', ["1", "bad_row"])],
)
def test_a_cut_file_says_so(tmp_path: Path, end: bytes, expected: list[str]) -> None:
    assert summary(read(tmp_path, question(1), end=end)) == expected


def test_tags_of_both_forms(tmp_path: Path) -> None:
    found = read(tmp_path, question(1, Tags="<a-b><c#>"), question(2, Tags="|a-b|c#|"), question(3))
    assert [r.metadata["tags"] for r in found if isinstance(r, Document)] == [["a-b", "c#"], ["a-b", "c#"], []]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ContentLicense": "CC BY-SA 4.0", "CreationDate": "2010-01-01T00:00:00"}, "cc-by-sa-4.0"),
        ({"CreationDate": "2011-04-07T23:59:59"}, "cc-by-sa-2.5"),
        ({"CreationDate": "2011-04-08T00:00:00"}, "cc-by-sa-3.0"),
        ({"CreationDate": "2018-05-01T00:00:00"}, "cc-by-sa-3.0"),
        ({"CreationDate": "2018-05-02T00:00:00"}, "cc-by-sa-4.0"),
        ({}, None),
    ],
)
def test_licenses(tmp_path: Path, attributes: dict[str, str], expected: str | None) -> None:
    (document,) = read(tmp_path, question(1, **attributes))
    assert isinstance(document, Document)
    assert document.license == expected


def test_html_becomes_text_with_code_and_lists() -> None:
    body = (
        "<p>Why is <code>a  &lt; b</code> &amp;amp; not\n<a href='x'>this</a>?</p>\n\n"
        "<pre><code>if a &lt; b:\n    return\n\n\tx\n</code></pre>\n"
        "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<ol><li>first</li></ol><blockquote><p>said</p></blockquote>"
    )
    assert html_text(body) == (
        "Why is a < b &amp; not this?\n\nif a < b:\n    return\n\n\tx\n  • one\n  • two\n  1. first\n\nsaid"
    )


def test_plan_gives_a_split_a_site_and_keeps_every_file() -> None:
    names = ["a.com/Comments.xml", "a.com/Posts.xml", "b.com.7z", "old/a.com/posts.xml", "z.com/Users.xml"]
    splits = StackExchange().splits([RawFile(name, 1, "") for name in names])
    assert [[piece.path for piece in split.pieces] for split in splits] == [
        ["a.com/Comments.xml", "a.com/Posts.xml"],
        ["old/a.com/posts.xml"],
        ["b.com.7z", "z.com/Users.xml"],
    ]


def test_sites(tmp_path: Path) -> None:
    for site in ("a.com", "b.com"):
        (tmp_path / site).mkdir()
        (tmp_path / site / "Posts.xml").write_bytes(HEAD + question(1) + b"</posts>")
    (tmp_path / "c.com.7z").write_bytes(b"7z")
    (tmp_path / "a.com" / "Users.xml").write_bytes(b"<users/>")
    assert summary(list(read_all(tmp_path))) == ["1", "not_posts", "1", "unsupported_file"]
    chosen = list(read_all(tmp_path, StackExchange(sites=("b.com",))))
    assert summary(chosen) == ["1", "other_site", "not_posts", "unsupported_file"]
    assert isinstance(chosen[0], Document)
    assert chosen[0].id == "stackexchange:b.com:1"
    with pytest.raises(UserError, match=r"c\.com, d\.com.*c\.com/Posts\.xml: unpack"):
        list(read_all(tmp_path, StackExchange(sites=("b.com", "c.com", "d.com"))))
    with pytest.raises(UserError, match="directly in `input`"):
        list(read_all(tmp_path / "a.com"))


def test_utf16_is_rejected_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.com").mkdir()
    (tmp_path / "a.com" / "Posts.xml").write_bytes("<posts></posts>".encode("utf-16"))
    assert summary(list(read_all(tmp_path))) == ["unsupported_file"]


# questions, answers, other rows: the manifest of the data
REAL = {
    "StackERedes/quantumcomputing.stackexchange.com": (612, 1060, 314),
    "StackExchangeImporter/beer.stackexchange.com": (244, 448, 36),
    "StackExchangeImporter/meta.beer.stackexchange.com": (24, 49, 0),
    "StackExchangePatternandPrediction/datascience.meta.stackexchange.com-late": (257, 341, 26),
    "Windy-City-DB-Dataset/windycity": (0, 0, 179),  # rows without PostTypeId
    "big-data-pw-project/alcohol.meta.stackexchange.com": (94, 141, 16),
    "python-avr2017/datascience.meta.stackexchange.com-2017": (95, 152, 0),
}


def test_real_files_give_every_row_once(shared_data: Path) -> None:
    root = shared_data / "stackexchange"
    source = StackExchange()
    documents: dict[str, list[Document]] = {folder: [] for folder in REAL}
    rejected: dict[str, Counter[str]] = {folder: Counter() for folder in REAL}
    others = 0
    for split in source.splits(list_files(str(root))):
        for found in source.read(str(root), split):
            folder, _, name = found.origin.file.rpartition("/")
            if name.lower() != "posts.xml":
                assert isinstance(found, Rejected)
                assert found.reason == "not_posts"
                others += 1
            elif isinstance(found, Document):
                documents[folder].append(found)
            else:
                rejected[folder][found.reason] += found.records
    assert others == sum(path.is_file() and path.name.lower() != "posts.xml" for path in root.rglob("*"))
    for folder, (questions, answers, rest) in REAL.items():
        (path,) = (root / folder).glob("[Pp]osts.xml")
        data = path.read_bytes()
        assert len(documents[folder]) == questions
        assert sum(document.records for document in documents[folder]) == questions + answers
        assert sum(rejected[folder].values()) == rest
        assert data.count(b"<row ") == questions + answers + rest
        reason = "no_post_type" if "windycity" in folder else "other_post_type"
        assert rejected[folder] == ({reason: rest} if rest else {})
        for document in documents[folder]:
            raw = source.raw(str(root), document.origin)
            assert raw.startswith(f'<row Id="{document.id.rpartition(":")[2]}" PostTypeId="1"'.encode())
            assert raw.endswith(b"/>")
            assert raw in data
            assert document.metadata["answers"] == document.records - 1
    every = [one for some in documents.values() for one in some]
    assert sum(batch.num_rows for batch in batched(every, "stackexchange")) == 1326
