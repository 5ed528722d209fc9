"""Rows of Posts.xml: found, told apart, parsed together as one by one."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.posts import NoPost, Post, Row, Rows, encoding_of, id_of, parse, question_of, to_utf8


def rows_of(data: bytes, chunk: int = 1 << 20) -> list[Row]:
    return list(Rows(data[start : start + chunk] for start in range(0, len(data), chunk)))


def one(data: bytes) -> Post | NoPost:
    (found,) = parse([Row(0, len(data), data)])
    return found


QUESTION = b'<row Id="1" PostTypeId="1" Title="a &lt; b" Body="&lt;p&gt;&#xA;x&lt;/p&gt;" Score="-3"/>'
PIECES = [
    QUESTION,
    b'<row Id="2" PostTypeId="2" ParentId="1" Body="x"/>',
    b"<row Id='3' PostTypeId = '2' ParentId='1' Body='ParentId=\"7\"' />",
    b'<row PostTypeId="2" ParentId="1" Body="x"/>',
    b'<row Id="4" PostTypeId="1" Body="cut',
    b'<row Id="5" PostTypeId="1" Id="6"/>',
    b'<row Id="5" PostTypeId="1"/> text',
    b'<row Id="5" PostTypeId="1"> text >',
    b'<row Id="5" PostTypeId="1" Body="&bomb;"/>',
    b'<row Id="5" PostTypeId="1" Body="&#x1;\xff"/>',
    b'<row Id="5" PostTypeId="1" Body="]]>"/>',
    b'<row Id="5" PostTypeId="5"/>',
    b'<row Id="1000000001" PostTypeId="1"/>',
    b"</posts>",
    b"<posts>",
    b"<!-- -->",
    b"\r\n",
    b"\0",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 50))
@settings(deadline=None)
def test_rows_parsed_together_are_as_one_by_one(pieces: list[bytes], chunk: int) -> None:
    rows = rows_of(b"".join(pieces), chunk)
    assert rows == rows_of(b"".join(pieces))
    assert len(rows) == sum(piece.startswith(b"<row") for piece in pieces)
    found = parse(rows)
    assert found == [one(row.data) for row in rows]
    for row, post in zip(rows, found, strict=True):
        if isinstance(post, Post):
            assert question_of(row) == post.question
            assert id_of(row) in (post.id, None)


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.integers(0, 600), max_size=4))
@settings(deadline=None)
def test_every_row_is_in_one_range(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    bounds = [0, *sorted(cuts), None]
    found: list[Row] = []
    for start, end in pairwise(bounds):
        found.extend(Rows(iter([data[start:]]), start or 0, end))
    assert found == rows_of(data)


def test_a_post() -> None:
    assert one(QUESTION) == Post(1, 1, False, -3, "a < b", "<p>\nx</p>", "", None, "", None, False)
    answer = one(
        b'<row Id="2" PostTypeId="2" ParentId="1" CreationDate="2015-01-01T00:00:00" AcceptedAnswerId="x"'
        b' ContentLicense="CC BY-SA 3.0"/>'
    )
    assert answer == Post(2, 1, True, 0, "", "", "", None, "2015-01-01T00:00:00", "cc-by-sa-3.0", False)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"a &#x0E;b", "a \ufffdb"),
        (b"a \x02 b &amp;&#xB;", "a \ufffd b &\ufffd"),
        (b"&#xD83D;&#xDE00; &#55357;&#56832;", "\U0001f600 \U0001f600"),
        (b"&#xD83D; &#xDE00;&#xD83D;", "\ufffd \ufffd\ufffd"),
        (b"&#xDE00;&#xD83D;", "\ufffd\ufffd"),
        (b"&#x110000;&#99999999;&#0;&#xFFFF;", "\ufffd" * 4),
        (b"\xff\xc3", "\ufffd\ufffd"),
    ],
)
def test_characters_that_xml_forbids_cost_themselves(written: bytes, read: str) -> None:
    post = one(b'<row Id="1" PostTypeId="1" Body="%s"/>' % written)
    assert isinstance(post, Post)
    assert (post.body, post.replaced) == (read, True)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"<?xml version='1.0' encoding='utf-8'?>", "utf-8"),
        (b"\xef\xbb\xbf<posts>", "utf-8"),
        (b"<posts>", "utf-8"),
        (b"", "utf-8"),
        (b"<\0p\0", "utf-16-le"),
        (b"\xff\xfe<\0", "utf-16-le"),
        (b"\0<\0p", "utf-16-be"),
        (b"\xfe\xff\0<", "utf-16-be"),
        (b"\xff\xfe\0\0<\0\0\0", "utf-32-le"),
        (b"\0\0\0<", "utf-32-be"),
        (b'<?xml version="1.0" encoding="UTF-16"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="windows-1251"?>', "cp1251"),
        (b'<?xml version="1.0" encoding="nonsense"?>', "utf-8"),
        (b'<?xml version="1.0"?><posts encoding="latin-1">', "utf-8"),
    ],
)
def test_encodings_are_told_by_the_first_bytes(head: bytes, encoding: str) -> None:
    assert encoding_of(head) == encoding


@given(st.text(max_size=30), st.integers(1, 7), st.sampled_from(["utf-16", "utf-32", "utf-16-le", "utf-16-be"]))
def test_decoding_does_not_depend_on_the_chunks(text: str, chunk: int, encoding: str) -> None:
    data = ("<posts>" + text).encode(encoding)

    def chunks() -> Iterator[bytes]:
        yield data[:8]
        yield from (data[start : start + chunk] for start in range(8, len(data), chunk))

    assert b"".join(to_utf8(chunks())).decode().removeprefix("\ufeff") == "<posts>" + text
