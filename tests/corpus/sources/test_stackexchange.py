"""Stack Exchange dumps: written here, and the real ones counted a second way."""

import html
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.schema import Document, Rejected, batched
from corpus.sources import posts, stackexchange
from corpus.sources.raw import Piece, RawFile, Split, list_files
from corpus.sources.stackexchange import StackExchange
from tests.corpus.sources.test_sevenzip import packed

HEAD = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
SITE = "beer.stackexchange.com"


def row(**attributes: Any) -> bytes:
    written = " ".join(f'{name}="{html.escape(str(value))}"' for name, value in attributes.items())
    written = written.replace("\n", "&#xA;").replace("\t", "&#x9;")  # as in dumps: as they are, they would be spaces
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


def summary(found: Iterable[Document | Rejected]) -> list[str]:
    """Reasons, and then the numbers of the questions: what is rejected at sight comes first."""
    return [r.reason if isinstance(r, Rejected) else r.id.rpartition(":")[2] for r in found]


def texts(found: Iterable[Document | Rejected]) -> list[str]:
    return [r.text for r in found if isinstance(r, Document)]


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
        (answer(4, 3), "duplicate_answer"),
        (question(2, DeletionDate="2017-01-01T00:00:00.000"), "deleted"),
        (answer(2, 3, 900, DeletionDate="2017-01-01"), "deleted"),
        (question(1_000_000_001), "invented"),
        (answer(1_000_000_010, 3, 900), "invented"),
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
    found = read(tmp_path, question(1), bad, question(3), answer(4, 3, 7))
    assert sorted(summary(found)) == sorted(["1", reason, "3"])
    assert sum(r.records for r in found) == 4
    (kept,) = [r for r in found if summary([r]) == ["3"]]
    assert isinstance(kept, Document)
    assert kept.text == "Q: title 3\n\nbody 3\n\nA: answer 4"


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
    assert summary(found) == [str(number) for number in range(len(titles))]
    for r, title, written in zip(found, titles, rows, strict=True):
        assert isinstance(r, Document)
        assert StackExchange().raw(str(tmp_path), r.origin) == written.strip()
        shown = title.strip()
        assert r.text == (f"Q: {shown}\n\nx" if shown else "Q: x")


def test_a_long_row_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in (50, 1 << 20):
        monkeypatch.setattr(stackexchange, "_CHUNK", chunk)
        monkeypatch.setattr(posts, "MAX_ROW_BYTES", 1000)
        found = read(tmp_path, question(1), question(2, Body="x" * 2000), question(3), answer(4, 3, Body="x" * 2000))
        assert summary(found) == ["row_too_long", "row_too_long", "1", "3"]
        assert found[3].records == 1


@pytest.mark.parametrize(
    ("end", "expected"),
    [(b"", ["truncated", "1"]), (b"</posts>\n", ["1"]), (b'  <row Id="2" Bo', ["bad_row", "1"])],
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


def test_html_becomes_text_with_code_and_lists(tmp_path: Path) -> None:
    body = (
        "<p>Why is <code>a  &lt; b</code> &amp;amp; not\n<a href='x'>this</a>?</p>\n\n"
        "<pre><code>if a &lt; b:\n    return\n\n\tx\n</code></pre>\n"
        "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<ol><li>first</li></ol><blockquote><p>said</p></blockquote>"
    )
    assert texts(read(tmp_path, question(1, Title="T", Body=body))) == [
        "Q: T\n\nWhy is a < b &amp; not this?\n\nif a < b:\n    return\n\n\tx\n\n- one\n- two\n\n1. first\n\n> said"
    ]


def test_code_in_a_list_stays_valid(tmp_path: Path) -> None:
    """What came out before: the list's indentation in front of the first line only."""
    code = "for x in y:\n    if x:\n        print(x)"
    body = f"<ol start=2><li><p>Run</p><pre><code>{code}\n</code></pre></li></ol><p>in 10<sup>5</sup> steps.</p>"
    (text,) = texts(read(tmp_path, question(1, Title="T", Body=body)))
    assert text == f"Q: T\n\n2. Run\n\n{code}\n\nin 10^5 steps."


def test_a_post_that_begins_with_a_block_has_lines_of_its_own(tmp_path: Path) -> None:
    rows = [
        question(1, Title="", Body="<pre>  a\n    b</pre>"),
        answer(2, 1, 3, Body="\n<pre><code>  c\n    d</code></pre>"),
        answer(3, 1, 2, Body="<UL><li>e</li></UL>"),
        answer(4, 1, 1, Body="<p>f</p>"),
        answer(5, 1, 0, Body=" "),
        question(6, Title="", Body=""),
        answer(7, 6, Body="g"),
    ]
    assert texts(read(tmp_path, *rows)) == [
        "Q:\n\n  a\n    b\n\nA:\n\n  c\n    d\n\nA:\n\n- e\n\nA: f",
        "Q:\n\nA: g",
    ]


def test_more_answers_than_a_document_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackexchange, "MAX_TEXT_BYTES", 20)
    found = read(tmp_path, question(1), *(answer(n, 1, 10 - n) for n in range(2, 7)))
    assert summary(found) == ["too_many_answers"] * 3 + ["1"]
    assert found[-1].records == 3


def test_every_file_is_in_a_split_and_a_large_one_in_several() -> None:
    sizes = {
        "a.com/Comments.xml": 9,
        "a.com/Posts.xml": 99,
        "b.com.7z": 500,
        "old/a.com/posts.xml": 1,
        "z/Users.xml": 1,
    }
    splits = StackExchange().splits([RawFile(name, size, "") for name, size in sizes.items()], 160)
    assert [split.pieces for split in splits] == [
        (Piece("a.com/Comments.xml"), Piece("a.com/Posts.xml", 0, 33)),
        (Piece("a.com/Posts.xml", 33, 66),),
        (Piece("a.com/Posts.xml", 66, None),),
        (Piece("old/a.com/posts.xml"),),
        (Piece("b.com.7z"),),
        (Piece("z/Users.xml"),),
    ]


def test_sites(tmp_path: Path) -> None:
    for site in ("a.com", "b.com"):
        (tmp_path / site).mkdir()
        (tmp_path / site / "Posts.xml").write_bytes(HEAD + question(1) + b"</posts>")
    (tmp_path / "c.com.7z").write_bytes(packed({"Posts.xml": HEAD + question(1) + b"</posts>"}))
    (tmp_path / "a.com" / "Users.xml").write_bytes(b"<users/>")
    assert summary(read_all(tmp_path)) == ["not_posts", "1", "1", "1"]
    chosen = list(read_all(tmp_path, StackExchange(sites=("b.com", "c.com"))))
    assert summary(chosen) == ["1", "1", "other_site", "not_posts"]
    assert [r.id for r in chosen if isinstance(r, Document)] == ["stackexchange:b.com:1", "stackexchange:c.com:1"]
    with pytest.raises(UserError, match=r"names d\.com, e\.com.*neither d\.com/Posts\.xml nor d\.com\.7z: put"):
        list(read_all(tmp_path, StackExchange(sites=("b.com", "c.com", "d.com", "e.com"))))
    with pytest.raises(UserError, match="directly in `input`"):
        list(read_all(tmp_path / "a.com"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp1251"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """With and without a byte order mark; others as the file declares them."""
    (tmp_path / SITE).mkdir()
    rows = question(1, Title="Пиво &<") + answer(2, 1, Body="<p>да</p>")
    head = f'<?xml version="1.0" encoding="{encoding}"?><posts>'
    (tmp_path / SITE / "Posts.xml").write_bytes((head + rows.decode() + "</posts>").encode(encoding))
    found = list(read_all(tmp_path))
    assert texts(found) == ["Q: Пиво &<\n\nbody 1\n\nA: да"]
    assert found[0].origin.offset == (0 if encoding not in ("utf-16", "utf-32") else 3) + len(head) + 2
    assert StackExchange().raw(str(tmp_path), found[0].origin) == rows.split(b"\r\n")[0].strip()
    # Cut into pieces, the first is the whole file.
    source = StackExchange()
    splits = source.splits(list_files(str(tmp_path)), 4 * 200)
    assert len(splits) > 1
    assert texts(joined(source, tmp_path, splits)) == texts(found)


def test_a_wrong_declaration_of_utf16_does_not_matter(tmp_path: Path) -> None:
    """.NET writes it into files in UTF-8."""
    (tmp_path / SITE).mkdir()
    head = b'<?xml version="1.0" encoding="utf-16"?><posts>'
    (tmp_path / SITE / "Posts.xml").write_bytes(head + question(1, Title="é") + b"</posts>")
    assert texts(read_all(tmp_path)) == ["Q: é\n\nbody 1"]


SITE_XML = HEAD + question(1) + answer(2, 1) + question(3, Title="é") + b"</posts>"


@pytest.mark.parametrize(
    ("name", "member", "site"),
    [
        ("a.com.7z", "Posts.xml", "a.com"),
        ("stackoverflow.com-Posts.7z", "Posts.xml", "stackoverflow.com"),
        ("download/b.com.7z", "posts.xml", "b.com"),
        ("dump.7z", "c.com/Posts.xml", "c.com"),
        ("A.COM.7Z", "Posts.xml", "A.COM"),
    ],
)
def test_an_archive_is_read_as_published(tmp_path: Path, name: str, member: str, site: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(packed({"Badges.xml": b"<badges/>", member: SITE_XML, "Users.xml": b"<users/>"}))
    found = list(read_all(tmp_path))
    assert [r.id for r in found if isinstance(r, Document)] == [f"stackexchange:{site}:1", f"stackexchange:{site}:3"]
    assert texts(found)[0] == "Q: title 1\n\nbody 1\n\nA: answer 2"
    for r in found:
        assert (r.origin.file, r.origin.member) == (name, member)
        raw = StackExchange().raw(str(tmp_path), r.origin)
        assert re.fullmatch(rb"<row [^<]* />", raw)
        assert raw in SITE_XML


def test_an_archive_of_several_sites(tmp_path: Path) -> None:
    rows = {f"{site}/Posts.xml": HEAD + question(n) + b"</posts>" for n, site in enumerate(("a.com", "b.com"))}
    (tmp_path / "sites.7z").write_bytes(packed(rows))
    assert summary(read_all(tmp_path)) == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "data", "reason", "detail"),
    [
        ("a.com.7z", b"7z\xbc\xaf'\x1c\0\4" + bytes(200), "damaged", "invalid header"),
        (
            "a.com.7z",
            b"7z\xbc\xaf'\x1c\0\4" + bytes(200),
            "damaged",
            ": fetch it again, or unpack it yourself: 7z x -oa.com a.com.7z",
        ),
        ("a.com.7z", b"<posts>", "damaged", "not a 7z archive"),
        ("a.com.7z", packed({"Users.xml": b"<users/>"}), "not_posts", "no Posts.xml in it"),
        (
            "download/a b-Posts.7z",
            packed({"Posts.xml": SITE_XML}, password="secret"),
            "damaged",
            "it needs a password: unpack it yourself: 7z x -o'a b' 'a b-Posts.7z'",
        ),
        ("a.com.7z.001", packed({"Posts.xml": SITE_XML})[:100], "unsupported_file", "put the volumes together"),
    ],
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_an_archive_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, data: bytes, reason: str, detail: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(data)
    (found,) = read_all(tmp_path)
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert detail in found.detail
    assert "\n" not in found.detail


def test_damage_in_an_archive_costs_what_is_behind_it(tmp_path: Path) -> None:
    rows = [question(n, Body=f"<p>{'long ' * 2000}</p>") for n in range(1, 500)]
    data = bytearray(packed({"Posts.xml": HEAD + b"".join(rows) + b"</posts>"}, "copy"))
    data[len(data) // 2] = 0x3C  # a "<" in the middle of a row
    (tmp_path / "a.com.7z").write_bytes(bytes(data))
    found = list(read_all(tmp_path))
    assert [r.reason for r in found if isinstance(r, Rejected)] == ["bad_row", "damaged"]
    assert len(texts(found)) == 498


def test_a_bomb_ends_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackexchange, "UNPACKED_AT_LEAST", 4 << 20)
    monkeypatch.setattr(stackexchange, "UNPACKED_RATIO", 1)
    noise = random.Random(0).randbytes(1 << 20).hex().encode()
    bomb = HEAD + question(1) + b"<!-- " + noise + bytes(30 << 20) + b" -->" + question(2) + b"</posts>"
    (tmp_path / "a.com.7z").write_bytes(packed({"Posts.xml": bomb}, "lzma2"))
    assert summary(read_all(tmp_path)) == ["too_large", "1"]
    monkeypatch.setattr(stackexchange, "UNPACKED_RATIO", 1_000_000)
    assert summary(read_all(tmp_path)) == ["1", "2"]


def joined(source: StackExchange, folder: Path, splits: list[Split]) -> list[Document | Rejected]:
    """What the splits give when each gets what the others hand over, last first."""
    handed: dict[int, list[Any]] = {number: [] for number in range(len(splits))}
    for number in reversed(range(len(splits))):
        for owner, block in source.hand_over(str(folder), splits, number):
            handed[owner].append(block)
    assert all(handed.values())
    return [
        r for number, split in enumerate(splits) for r in source.read_handed(str(folder), split, iter(handed[number]))
    ]


def keyed(found: Iterable[Document | Rejected]) -> list[Any]:
    return sorted((r.origin.file, r.origin.offset or -1, repr(r)) for r in found)


POST = st.tuples(st.sampled_from(["question", "answer", "other", "broken"]), st.integers(1, 12), st.integers(1, 14))


@given(st.lists(POST, max_size=25), st.integers(1, 40), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_site_in_pieces_gives_what_it_gives_whole(
    tmp_path: Path, rows: list[tuple[str, int, int]], pieces: int, ordered: bool
) -> None:
    """In whatever order its posts are, and with ids that come twice."""
    makes = {
        "question": lambda number, other: question(number),
        "answer": lambda number, other: answer(number, other, number % 3),
        "other": lambda number, other: row(Id=number, PostTypeId=4),
        "broken": lambda number, other: f'<row Id="{number}" PostTypeId="2" ParentId="{other}" Body="&no;" />'.encode(),
    }
    if ordered:
        rows = sorted(rows, key=lambda one: one[1])
    whole = read(tmp_path, *(makes[kind](number, other) for kind, number, other in rows))
    source = StackExchange()
    files = list_files(str(tmp_path), [f"{SITE}/*"])
    splits = source.splits(files, 4 * max(1, files[0].size // pieces))
    assert keyed(joined(source, tmp_path, splits)) == keyed(whole)


def test_memory_does_not_hold_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With runs of 10 kB, answers before and far behind their questions."""
    sorting = stackexchange.ExternalSort
    monkeypatch.setattr(stackexchange, "ExternalSort", lambda: sorting(10_000))
    numbers = range(1, 300)
    rows = [
        *(answer(1000 + n, n, n) for n in reversed(numbers)),
        *map(question, numbers),
        *(answer(n + 2000, n) for n in numbers),
    ]
    found = read(tmp_path, *rows)
    assert summary(found) == list(map(str, numbers))
    assert texts(found)[1] == "Q: title 2\n\nbody 2\n\nA: answer 1002\n\nA: answer 2002"


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
