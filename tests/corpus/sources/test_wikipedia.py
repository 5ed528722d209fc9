"""Wikipedia dumps: every page is given once, and damage costs the pages it touches."""

import bz2
import gzip
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.wikitext import Wikitext
from corpus.schema import Document, Origin, Rejected, document_batch
from corpus.sources import wikipedia
from corpus.sources.raw import Piece, Split, list_files
from corpus.sources.wikipedia import Wikipedia

HEADER = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.{version}/" xml:lang="{language}">
  <siteinfo><namespaces>
    <namespace key="0" case="first-letter" /><namespace key="10" case="first-letter">Vorlage</namespace>
  </namespaces></siteinfo>
"""


def revision(number: int, text: str, extra: str = "") -> str:
    return (
        f"<revision><id>{number}</id><timestamp>2020-01-0{number % 9 + 1}T00:00:00Z</timestamp>{extra}"
        f'<text xml:space="preserve">{text}</text></revision>'
    )


def page(number: int, text: str = "Text.", title: str = "", ns: str = "<ns>0</ns>", extra: str = "") -> str:
    title = title or f"Title {number}"
    return f"  <page>\n<title>{title}</title>{ns}<id>{number}</id>{extra}{revision(number * 10, text)}\n  </page>\n"


def dump(*pages: str, language: str = "en", version: int = 10) -> bytes:
    return (HEADER.format(version=version, language=language) + "".join(pages) + "</mediawiki>\n").encode()


def read(folder: Path, data: bytes, name: str = "dump.xml", **settings: object) -> list[Document | Rejected]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return list(Wikipedia(**settings).read(str(folder), Split((Piece(name),))))


def outcome(records: list[Document | Rejected]) -> list[str]:
    return [r.id if isinstance(r, Document) else r.reason for r in records]


def test_a_document(tmp_path: Path) -> None:
    text = "Caf&amp;eacute; &lt;ref&gt;x&lt;/ref&gt; ünï"
    (found,) = read(tmp_path, dump(page(7, text, "Ä/b c?", extra="<restrictions>x</restrictions>"), language="de"))
    assert isinstance(found, Document)
    assert found.id == "wikipedia:de:7@70"
    assert found.text == "Caf&eacute; <ref>x</ref> ünï"
    assert found.url == "https://de.wikipedia.org/wiki/%C3%84/b_c%3F"
    assert found.timestamp == datetime(2020, 1, 8, tzinfo=UTC)
    assert found.license == "cc-by-sa-3.0"
    assert found.metadata == {"title": "Ä/b c?"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_raw_gives_the_bytes_of_the_page(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    pages = [page(n, f"é {n} " * n) for n in range(1, 40)]
    records = read(tmp_path, pack(dump(*pages)))
    assert outcome(records) == [f"wikipedia:en:{n}@{n * 10}" for n in range(1, 40)]
    for number, (record, xml) in enumerate(zip(records, pages, strict=True)):
        assert record.origin.record == number
        assert Wikipedia().raw(str(tmp_path), record.origin) == xml.strip().encode()


def test_a_multistream_file_loses_only_its_damaged_stream(tmp_path: Path) -> None:
    streams = [bz2.compress(p.encode()) for p in (HEADER.format(version=11, language="en"), *map(page, range(1, 5)))]
    streams[2] = streams[2][:-30] + bytes(30)
    records = read(tmp_path, b"".join(streams))
    assert outcome(records) == ["wikipedia:en:1@10", "damaged_xml", "wikipedia:en:3@30", "wikipedia:en:4@40"]
    assert Wikipedia().raw(str(tmp_path), records[2].origin).startswith(b"<page>\n<title>Title 3<")


def multistream(*groups: list[int]) -> bytes:
    """As Wikimedia makes them: the header, pages and the end tag are streams of their own."""
    bodies = ["".join(page(n, f"é {n} " * 50 * n) for n in group) for group in groups]
    pieces = (HEADER.format(version=11, language="en"), *bodies, "</mediawiki>\n")
    return b"".join(bz2.compress(piece.encode()) for piece in pieces)


@pytest.mark.parametrize("split_bytes", [1, 700, 2000, 1 << 30])
def test_a_multistream_dump_is_split_anywhere(tmp_path: Path, split_bytes: int) -> None:
    """Every page once and the same records, in whatever ranges of bytes; the index beside the dump is no dump."""
    name = "enwiki-20220801-pages-articles-multistream.xml.bz2"
    data = multistream([1, 2], [3], [4, 5, 6], [7])
    (tmp_path / name).write_bytes(data)
    (tmp_path / "enwiki-20220801-pages-articles-multistream-index.txt.bz2").write_bytes(
        bz2.compress(b"600:1:Title 1\n")
    )
    source = Wikipedia()
    splits = source.splits(source.files(str(tmp_path), ("**",)), split_bytes)
    assert len(splits) == max(1, -(-len(data) // max(1, int(split_bytes / Wikipedia.text_per_raw))))
    records = [record for split in splits for record in source.read(str(tmp_path), split)]
    assert records == list(source.read(str(tmp_path), Split((Piece(name),))))
    assert outcome(records) == [f"wikipedia:en:{n}@{n * 10}" for n in range(1, 8)]
    for number, record in enumerate(records, 1):
        assert source.raw(str(tmp_path), record.origin) == page(number, f"é {number} " * 50 * number).strip().encode()


def test_a_damaged_stream_of_a_multistream_dump_costs_its_pages(tmp_path: Path) -> None:
    name = "enwiki-20220801-pages-articles-multistream1.xml-p1p41242.bz2"
    header, *streams = (
        bz2.compress(p.encode()) for p in (HEADER.format(version=11, language="en"), page(1), page(2), page(3))
    )
    streams[1] = streams[1][:-30] + bytes(30)
    records = read(tmp_path, header + b"".join(streams), name)
    assert outcome(records) == ["wikipedia:en:1@10", "damaged_xml", "wikipedia:en:3@30"]
    assert Wikipedia().raw(str(tmp_path), records[2].origin).startswith(b"<page>\n<title>Title 3<")


def test_the_last_of_several_revisions(tmp_path: Path) -> None:
    history = page(1).replace("</page>", revision(11, "Second.") + revision(12, "Last.") + "</page>")
    (found,) = read(tmp_path, dump(history))
    assert isinstance(found, Document)
    assert (found.id, found.text) == ("wikipedia:en:1@12", "Last.")


def test_long_histories_take_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikipedia, "_HELD_BYTES", 10_000)
    monkeypatch.setattr(wikipedia, "_PAGE_BYTES", 2_000_000)
    long = "".join(revision(n, "x" * 900_000) for n in (3, 4))
    history = page(1).replace("</page>", f"{long}{revision(5, 'Last.')}</page>")
    too_long = page(2, "y" * 3_000_000)
    records = read(tmp_path, dump(history, too_long, page(3)))
    assert outcome(records) == ["wikipedia:en:1@5", "page_too_long", "wikipedia:en:3@30"]
    for record, xml in zip(records, (history, too_long, page(3)), strict=True):
        assert Wikipedia().raw(str(tmp_path), record.origin) == xml.strip().encode()


def test_what_is_no_article(tmp_path: Path) -> None:
    no_ns = page(9, title="Vorlage:Infobox", ns="")
    records = read(
        tmp_path,
        dump(
            page(1, extra='<redirect title="X" />'),
            page(2, "#REDIRECT [[X]]"),
            page(3, "\n#weiterleitung: [[X]]"),
            page(4, "# WEITERLEITUNG [[X]]"),
            page(5, "# [[X]] is the first item"),
            page(6, ns="<ns>14</ns>"),
            page(7, " \n "),
            page(8).replace("<timestamp>", "<model>Scribunto</model><timestamp>"),
            no_ns,
            page(10, title="Alien: Covenant", ns=""),
            page(11).replace("<id>110</id>", ""),
            language="de",
        ),
    )
    assert outcome(records) == [
        *["redirect"] * 4,
        "wikipedia:de:5@50",
        *("namespace", "empty", "content_model", "namespace", "wikipedia:de:10@100", "damaged_xml"),
    ]


def test_redirects_of_old_exports_are_told_by_the_words_of_their_wiki(tmp_path: Path) -> None:
    pages = [
        page(1, "#転送 [[X]]"),
        page(2, "＃REDIRECT [[X]]"),
        page(3, "#weiterleitung [[X]]"),
        page(4, "#転送先とは"),
    ]
    records = read(tmp_path, dump(*pages, language="ja"), "jawiki-x.xml", languages=("ja",))
    assert outcome(records) == ["redirect", "redirect", "wikipedia:ja:3@30", "wikipedia:ja:4@40"]


def test_namespaces_that_only_the_dump_names(tmp_path: Path) -> None:
    """They go with the page, so that the cleaner knows them; those of the table are not repeated."""
    named = HEADER.format(version=11, language="xx").replace(
        ">Vorlage<", '>Vorlage</namespace><namespace key="6" case="first-letter">Bylda</namespace>'
        '<namespace key="14" case="first-letter">Category<'
    )  # fmt: skip
    (found,) = read(tmp_path, (named + page(1) + "</mediawiki>").encode(), languages=("xx",))
    assert isinstance(found, Document)
    assert found.metadata == {"title": "Title 1", "hidden_namespaces": ["bylda"]}


@pytest.mark.parametrize(
    ("name", "header", "other"),
    [
        ("enwiktionary-20220801-pages-articles.xml", "", True),
        ("dewikisource/20220801/dump.xml", "", True),
        ("commonswiki-20220801-pages-articles.xml", "", True),
        ("wikidatawiki-latest.xml", "", True),
        ("dump.xml", "<dbname>frwiktionary</dbname>", True),
        ("dump.xml", "<base>https://en.wikiquote.org/wiki/Main_Page</base>", True),
        ("dump.xml", "<sitename>Commons</sitename><base>https://commons.wikimedia.org/wiki/Main_Page</base>", True),
        ("enwiki-x.xml", "<dbname>frwiktionary</dbname>", False),  # a name says more than a header that was left
        ("dump.xml", "<dbname>enwiki</dbname><base>https://en.wikipedia.org/wiki/Main_Page</base>", False),
        ("dump.xml", "<base>https://my.wiki.example/</base>", False),
    ],
)
def test_other_projects_are_no_wikipedia(tmp_path: Path, name: str, header: str, other: bool) -> None:
    data = dump(page(1), page(2)).replace(b"<siteinfo>", f"<siteinfo>{header}".encode())
    expected = ["other_project"] * 2 if other else ["wikipedia:en:1@10", "wikipedia:en:2@20"]
    assert outcome(read(tmp_path, data, name)) == expected


@pytest.mark.parametrize(
    ("name", "declared", "language"),
    [
        ("dump.xml", "ro", "ro"),
        ("dewiki-20220801-pages-articles.xml", "en", "de"),
        ("simplewiki-latest.xml", "en", "simple"),
        ("zh_min_nanwiki-x.xml", "nan", "zh-min-nan"),
        ("mediawiki-dump.xml", "fr", "fr"),
        ("bg/wiki.xml", "en", "bg"),
        ("bgwiki/20220801/x.xml", "en", "bg"),
        ("is/plwiki-x.xml", "en", "pl"),
        ("data/x.xml", "sv", "sv"),
    ],
)
def test_language(tmp_path: Path, name: str, declared: str, language: str) -> None:
    (found,) = read(tmp_path, dump(page(1), language=declared), name, languages=(language,))
    assert isinstance(found, Document)
    assert found.language == language
    assert found.id == f"wikipedia:{language}:1@10"
    assert outcome(read(tmp_path, dump(page(1), language=declared), name, languages=("xx",))) == ["language"]


def test_a_bare_page_needs_a_name_that_tells_the_language(tmp_path: Path) -> None:
    assert outcome(read(tmp_path, page(1).encode(), "cawiki-test.xml")) == ["wikipedia:ca:1@10"]
    assert outcome(read(tmp_path, page(1).encode(), "test.xml")) == ["unknown_language"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "iso-8859-2"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-be").removesuffix("-le").upper()}"?>\n'
    pages = page(1, "ł"), page(2, "ö")
    data = (declaration + dump(*pages).decode()).encode(encoding)
    records = read(tmp_path, data)
    assert [record.text for record in records if isinstance(record, Document)] == ["ł", "ö"]
    part = encoding if encoding != "utf-16" else "utf-16-le"
    assert Wikipedia().raw(str(tmp_path), records[1].origin).decode(part) == pages[1].strip()


def test_broken_xml_costs_the_pages_it_touches(tmp_path: Path) -> None:
    broken = [
        page(1),
        page(2).replace("</title>", ""),
        page(3, "a < b"),
        page(4, "&unknown;"),
        page(5).replace("</page>", ""),
        page(6),
        page(7).replace("<page>", ""),
        page(8, "\x01"),
        page(9),
        page(10)[:60],
    ]
    records = read(tmp_path, dump(*broken).removesuffix(b"</mediawiki>\n"))
    assert Counter(outcome(records)) == {
        **{f"wikipedia:en:{n}@{n}0": 1 for n in (1, 6, 9)},
        "damaged_xml": 7,
    }
    assert [record.origin.record for record in records] == list(range(10))


def test_entities_are_never_defined(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE mediawiki [<!ENTITY a0 "ha">{laughs}<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    records = read(tmp_path, doctype.encode() + dump(page(1, "&a9;"), page(2, "&f;"), page(3)))
    assert outcome(records) == ["damaged_xml", "damaged_xml", "wikipedia:en:3@30"]


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\0", "7z x"),
        (b"'''Anarchism''' is", "XML export"),
        (b"", "XML export"),
        (bz2.compress(b"600:10:Anarchism\n"), "XML export"),
    ],
)
def test_other_files_are_named_with_a_remedy(tmp_path: Path, data: bytes, remedy: str) -> None:
    (record,) = read(tmp_path, data, "enwiki-x")
    assert isinstance(record, Rejected)
    assert record.reason == "unsupported_file"
    assert remedy in record.detail
    assert record.origin == Origin("enwiki-x", record=0)
    assert Wikipedia().raw(str(tmp_path), record.origin) == data


@given(
    st.lists(st.sampled_from(["<page>", "</page>", "<revision>", "x" * 30, "<", "<pa", "ge>", "\n"]), max_size=30),
    st.integers(1, 7),
)
def test_spans_are_those_of_a_plain_search(pieces: list[str], width: int) -> None:
    data = "".join(pieces).encode()
    chunks = [data[at : at + width] for at in range(0, len(data), width)]
    found = [(s.offset, s.length) for s in wikipedia._spans(iter(chunks), "utf-8") if not s.reason]
    whole = re.finditer(rb"<page>(?:(?!<page>)[\s\S])*?</page>", data)
    assert found == [(match.start(), len(match[0])) for match in whole]


def test_real_dumps(shared_data: Path) -> None:
    """Pages counted independently, by their tags; language as in the folders' and files' names."""
    root = shared_data / "wikipedia"
    source = Wikipedia(languages=("ar", "fi", "ja", "ltg", "zh", *Wikipedia().languages))
    splits = source.splits(list_files(str(root)))
    records = [record for split in splits for record in source.read(str(root), split)]
    for file in sorted(path for path in root.rglob("*") if path.suffix in (".xml", ".bz2")):
        path = file.relative_to(root).as_posix()
        data = bz2.decompress(file.read_bytes()) if file.suffix == ".bz2" else file.read_bytes()
        marks = data.count(b"<page>") or data.count("<page>".encode("utf-16-be"))
        assert sum(record.records for record in records if record.origin.file == path) == marks, path
        for record in records:
            if record.origin.file == path and record.origin.offset is not None:
                assert record.origin.length is not None
                raw = data[record.origin.offset : record.origin.offset + record.origin.length]
                assert raw.startswith(b"<page>") or raw.startswith("<page>".encode("utf-16-be"))
    reasons = Counter(r.reason for r in records if isinstance(r, Rejected))
    assert reasons == {"redirect": 106, "namespace": 6, "unsupported_file": 4, "empty": 1, "damaged_xml": 1}
    by_folder = {r.origin.file.split("/")[1]: r.language for r in records if isinstance(r, Document)}
    assert all(by_folder[code] == code for code in ("ar", "bg", "cs", "da", "fi", "hu", "ja", "nl", "sl", "sv", "zh"))


def test_redirects_of_templates_that_are_in_the_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cleaner's table knows only the target; in a dump that is small enough to be looked through first."""
    pages = dump(
        page(1, "It is {{ Kmtr_two|5|km}} {{kmtr two|6|km}}, {{unheard of|7}} and {{Convert|8|km}}."),
        page(2, "{{other}} text"),
        page(
            3,
            "#REDIRECT [[Template:Convert]]",
            "Template:Kmtr two",
            "<ns>10</ns>",
            '<redirect title="Template:Convert" />',
        ),
        page(
            4,
            "#REDIRECT [[Template:Nowhere]]",
            "Template:Unheard of",
            "<ns>10</ns>",
            '<redirect title="Template:Nowhere" />',
        ),
        page(5, "#redirect [[Template:Nowrap]]", "Template:Other", "<ns>10</ns>"),
    )
    first, second, *_ = read(tmp_path, pages)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.metadata == {"title": "Title 1", "template_redirects": {"kmtr two": "Convert"}}
    assert second.metadata == {"title": "Title 2", "template_redirects": {"other": "Nowrap"}}
    cleaned = Wikitext().clean(document_batch([first], "wikipedia"))
    assert cleaned.text.to_pylist() == ["It is 5 kilometres 6 kilometres, 7 and 8 kilometres."]
    monkeypatch.setattr(wikipedia, "_WHOLE_BYTES", 100)
    again = read(tmp_path, pages)
    assert outcome(again) == outcome([first, second]) + ["namespace"] * 3
    assert isinstance(again[0], Document)
    assert again[0].metadata == {"title": "Title 1"}
