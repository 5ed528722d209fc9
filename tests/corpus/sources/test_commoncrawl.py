"""Common Crawl's WET and WARC files: written here, and the real ones counted a second way."""

import gzip
import re
import sys
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.schema import Document, Rejected, batched
from corpus.sources import commoncrawl
from corpus.sources.commoncrawl import CommonCrawl
from corpus.sources.raw import RawFile, list_files

HTML = "<html><head><title>T</title></head><body><p>First paragraph.</p><p>Second\none.</p></body></html>"
OK = "HTTP/1.1 200 OK\r\nContent-Type: text/html"


def record(kind: str, content: bytes, *headers: str, record_id: str = "<urn:uuid:11-22>") -> bytes:
    lines = ["WARC/1.0", f"WARC-Type: {kind}", "WARC-Date: 2019-07-16T01:02:03Z", f"WARC-Record-ID: {record_id}"]
    lines += ["WARC-Target-URI: http://example.org/ü", *headers, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n\r\n"


def response(http: str, body: bytes, *headers: str) -> bytes:
    content_type = "Content-Type: application/http; msgtype=response"
    return record("response", http.encode() + b"\r\n\r\n" + body, content_type, *headers)


def read(
    folder: Path, data: bytes, name: str = "x.warc", source: CommonCrawl | None = None
) -> list[Document | Rejected]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    source = source or CommonCrawl()
    return [r for split in source.splits(list_files(str(folder), [name])) for r in source.read(str(folder), split)]


def only(found: list[Document | Rejected]) -> Document:
    (document,) = found
    assert isinstance(document, Document), document
    return document


@pytest.mark.parametrize("language", [(), ("WARC-Identified-Content-Language: spa,eng",)])
def test_wet_text_is_kept_as_it_is_wherever_its_headers_stand(tmp_path: Path, language: tuple[str, ...]) -> None:
    """Dumps from CC-MAIN-2020-24 on have one header more (cc_net issue 16)."""
    text = "First line\n  WARC-Type: no header\nContent-Length: 3\n\nlast \n"
    wet = gzip.compress(record("conversion", text.encode(), *language, "Content-Type: text/plain"))
    document = only(read(tmp_path, wet, "CC-MAIN-2019-30/segments/1.2/wet/CC-MAIN-20190716-00000.warc.wet.gz"))
    assert document.text == text
    assert document.id == "commoncrawl:CC-MAIN-2019-30:11-22"
    assert document.url == "http://example.org/ü"
    assert document.timestamp == datetime(2019, 7, 16, 1, 2, 3, tzinfo=UTC)
    assert document.metadata == ({"languages": "spa,eng"} if language else {})
    assert document.origin.offset == 0


def test_broken_bytes_of_wet_become_replacement_characters_and_are_counted(tmp_path: Path) -> None:
    document = only(read(tmp_path, record("conversion", b"a\xffb\xfe")))
    assert document.text == "a\ufffdb\ufffd"
    assert document.metadata == {"replaced": 2}


def test_html_gives_its_main_text_line_by_line(tmp_path: Path) -> None:
    document = only(read(tmp_path, response(OK, HTML.encode())))
    assert document.text == "First paragraph.\n\nSecond one."
    assert document.metadata == {"charset": "utf-8", "content_type": "text/html"}


def test_what_a_page_says_to_robots_is_kept(tmp_path: Path) -> None:
    html = HTML.replace("<title>", '<meta name="robots" content="noindex"><title>')
    document = only(read(tmp_path, response(f"{OK}\r\nX-Robots-Tag: noai", html.encode())))
    assert document.metadata["robots"] == ["noai", "noindex"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (record("warcinfo", b"x"), "type_warcinfo"),
        (record("request", b"GET / HTTP/1.1\r\n\r\n"), "type_request"),
        (record("metadata", b"x"), "type_metadata"),
        (record("revisit", b"x"), "type_revisit"),
        (record("resource", b"<p>x</p>"), "type_resource"),
        (record("invented", b"x"), "type_unknown"),
        (record("conversion", b"x", record_id=""), "no_record_id"),
        (record("conversion", b" \n"), "no_text"),
        (record("response", b"<p>no header</p>", "Content-Type: text/html"), "not_http"),
        (response("HTTP/1.1 404 Not Found\r\nContent-Type: text/html", HTML.encode()), "http_status"),
        (response("HTTP/1.1 301 Moved\r\nContent-Type: text/html", HTML.encode()), "http_status"),
        (response("HTTP/1.1 200 OK\r\nContent-Type: application/pdf", b"%PDF"), "not_html"),
        (response("HTTP/1.1 200 OK", b"plain text"), "not_html"),
        (response(OK, b"<script>1</script>"), "no_text"),
    ],
)
def test_other_records_are_rejected_with_a_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    good = record("conversion", b"good")
    found = read(tmp_path, data + good)
    assert [r.reason if isinstance(r, Rejected) else r.text for r in found] == [reason, "good"]


def test_a_missing_content_type_is_taken_from_the_warc_header(tmp_path: Path) -> None:
    data = response("HTTP/1.1 200 OK", HTML.encode(), "WARC-Identified-Payload-Type: application/xhtml+xml")
    assert only(read(tmp_path, data)).metadata["content_type"] == "application/xhtml+xml"


def test_deep_nesting_is_read(tmp_path: Path) -> None:
    page = b"<div>" * 20000 + b"<p>x" + b"</div>" * 20000 + b"<div></div>" * 2000
    assert only(read(tmp_path, response(OK, page))).text == "x"


def test_text_is_plain_or_markdown(tmp_path: Path) -> None:
    page = b"<h2>High water</h2>" + b"<p>The harbour master wrote the tide table again, and nailed it up.</p>" * 3
    for form, first in (("plain", "High water"), ("markdown", "## High water")):
        source = CommonCrawl.model_validate({"text": form})
        assert only(read(tmp_path, response(OK, page), source=source)).text.split("\n")[0] == first


def test_a_missing_extractor_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(UserError, match="pip install"):
        CommonCrawl(extractor="trafilatura").check(str(tmp_path))
    CommonCrawl().check(str(tmp_path))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("Content-Encoding: gzip", gzip.compress(HTML.encode(), mtime=0)),
        ("Content-Encoding: deflate", zlib.compress(HTML.encode())),
        ("Transfer-Encoding: chunked", b"5\r\n" + HTML.encode()[:5] + b"\r\n%x\r\n" % (len(HTML) - 5)
         + HTML.encode()[5:] + b"\r\n0\r\n\r\n"),
        # Stored decoded, with the header of the transfer: a crawler's common habit.
        ("Content-Encoding: gzip", HTML.encode()),
        ("Content-Encoding: br", HTML.encode()),
        ("Transfer-Encoding: chunked", HTML.encode()),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", HTML.encode()),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", gzip.compress(HTML.encode(), mtime=0)),
    ],
)  # fmt: skip
def test_encodings_are_undone_where_the_payload_has_them(tmp_path: Path, encoding: str, body: bytes) -> None:
    assert only(read(tmp_path, response(f"{OK}\r\n{encoding}", body))).text == "First paragraph.\n\nSecond one."


def test_a_packed_page_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commoncrawl, "MAX_BYTES", 1 << 16)
    (found,) = read(tmp_path, response(f"{OK}\r\nContent-Encoding: gzip", gzip.compress(b" " * (1 << 22))))
    assert isinstance(found, Rejected)
    assert found.reason == "too_long"


def test_files_of_other_kinds_are_one_rejected_record(tmp_path: Path) -> None:
    for name in ("a.warc.wat", "a.warc.wat.gz"):
        (found,) = read(tmp_path, record("metadata", b"{}"), name)
        assert isinstance(found, Rejected)
        assert found.reason == "unsupported_file"


def test_snapshots_are_groups_and_share_no_split() -> None:
    names = ["CC-MAIN-2020-05/b.warc.wet.gz", "CC-MAIN-2019-30/a.warc.wet.gz", "CC-MAIN-20190716-1.warc.gz"]
    splits = CommonCrawl(snapshot="mine").splits([RawFile(name, 10, "") for name in sorted(names)])
    assert [(split.group, [piece.path for piece in split.pieces]) for split in splits] == [
        ("CC-MAIN-2019-30", [names[1]]),
        ("CC-MAIN-2020-05", [names[0]]),
        ("mine", [names[2]]),
    ]


def test_the_setting_names_a_snapshot_that_no_path_names(tmp_path: Path) -> None:
    document = only(read(tmp_path, record("conversion", b"x"), source=CommonCrawl(snapshot="mine")))
    assert document.id == "commoncrawl:mine:11-22"


def test_raw_gives_headers_and_content(tmp_path: Path) -> None:
    data = [record("conversion", text, record_id=f"<urn:uuid:{text.decode()}>") for text in (b"one", b"two")]
    for name, file in {"a.warc": b"".join(data), "b.warc.gz": b"".join(map(gzip.compress, data))}.items():
        found = read(tmp_path, file, name)
        raws = [CommonCrawl().raw(str(tmp_path), r.origin) + b"\r\n\r\n" for r in found]
        assert raws == data


def count_naively(path: Path) -> int:
    """Lines that begin a record, in what zlib can unpack."""
    data = path.read_bytes()
    members = [data]
    if data.startswith(b"\x1f\x8b"):
        members = []
        while data.startswith(b"\x1f\x8b"):
            inflater = zlib.decompressobj(wbits=31)
            members.append(inflater.decompress(data))
            data = inflater.unused_data
    if b"".join(members).startswith(b"WARC/"):
        return len(re.findall(rb"^WARC/\d\.\d+\r?$", b"".join(members), re.MULTILINE))
    # ARC, whose records may end without a line end at the end of a member
    header = rb"^[a-z]+:\S.* (?:[\d.]+|None) \d{8,17} (?:\S.* )?\d+\r?$"
    return len(re.findall(header, b"\n".join(members), re.MULTILINE))


def test_real_files_give_every_record_once(shared_data: Path) -> None:
    root = shared_data / "commoncrawl"
    source = CommonCrawl()
    records: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    documents: list[Document] = []
    for split in source.splits(list_files(str(root))):
        for found in source.read(str(root), split):
            records[found.origin.file] += found.records
            reason = found.reason if isinstance(found, Rejected) else "document"
            reasons.setdefault(found.origin.file, Counter())[reason] += 1
            if isinstance(found, Document):
                documents.append(found)
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    assert records.keys() == files.keys()
    for name, path in files.items():
        if reasons[name]["unsupported_file"]:
            # lz4, WAT, and a gzip whose magic is wrong
            assert records[name] == 1
            assert re.search(r"\.lz4|\.wat|invalid-magic", name), name
        elif name != "warcio/bad.arc":
            assert records[name] == count_naively(path) + reasons[name]["garbage"], name
    assert reasons["warcio/bad.arc"] == {"bad_header": 2, "not_http": 1}  # lengths of -1 and "abc", a date of 18 digits
    assert reasons["chatnoir-resiliparse/clipped.warc.gz"] == {"truncated": 1}
    assert reasons["warcio/example-trunc.warc"] == {
        "document": 1,
        "type_request": 1,
        "type_warcinfo": 2,
    }  # few bytes short
    assert reasons["jwat/invalid-warcfile-record-then-garbage.warc"]["garbage"] == 1
    # From the manifest of the data: real Common Crawl WET pieces.
    assert reasons["CommonCrawlScalaTools/filter_test_1.wet.gz"] == {"document": 25, "type_warcinfo": 1}
    assert reasons["chatnoir-resiliparse/clueweb-quirk.warc.gz"] == {"document": 29, "type_warcinfo": 1}

    assert sum(batch.num_rows for batch in batched(documents, "commoncrawl")) == len(documents) > 200
    for document in documents:
        raw = source.raw(str(root), document.origin)
        assert len(raw) == document.origin.length
        identifier = document.id.rsplit(":", 1)[1]
        assert identifier.encode() in raw or identifier.encode("latin-1") in raw


def test_one_page_as_warc_and_as_wet(shared_data: Path) -> None:
    """The same page of CC-MAIN-2024-22 in Common Crawl's three forms: nearly all words of the main text are in the
    WET text, which also holds what is around it."""
    root = str(shared_data / "commoncrawl" / "whirlwind-python")
    source = CommonCrawl()
    texts = {}
    for name in ("whirlwind.warc", "whirlwind.warc.gz", "whirlwind.warc.wet", "whirlwind.warc.wet.gz"):
        (split,) = source.splits(list_files(root, [name]))
        (texts[name],) = [r.text for r in source.read(root, split) if isinstance(r, Document)]
    assert texts["whirlwind.warc"] == texts["whirlwind.warc.gz"]
    assert texts["whirlwind.warc.wet"] == texts["whirlwind.warc.wet.gz"]
    words = set(texts["whirlwind.warc"].split())
    assert len(words & set(texts["whirlwind.warc.wet"].split())) > 0.9 * len(words) > 100
