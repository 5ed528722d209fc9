"""Wikipedia dumps: MediaWiki's XML export, one document for each article, its text still wikitext."""

import codecs
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain, pairwise
from typing import IO, Any, ClassVar, NamedTuple
from urllib.parse import quote

from lxml import etree

from corpus.clean.wiki.templates import find
from corpus.schema import Document, Origin, Rejected
from corpus.sources.bz2_streams import opened, streams
from corpus.sources.compressed import decompressed, read_range
from corpus.sources.raw import SPLIT_BYTES, Piece, RawFile, Split, open_raw
from corpus.sources.source import Source
from corpus.sources.times import utc_time
from corpus.text.languages import ISO_639_1
from corpus.text.mediawiki import CANONICAL_NAMESPACES, LANGUAGES, hidden_namespaces, names

_HEAD_BYTES = 1 << 16
"""The XML declaration, <mediawiki> and <siteinfo> take about 5 kB."""

_HELD_BYTES = 8 << 20
"""A page longer than this loses its earlier revisions while it is read, so that memory stays bounded."""

_PAGE_BYTES = 64 << 20
"""A page whose last revision alone is longer is not read. MediaWiki saves at most 2 MiB ($wgMaxArticleSize)."""

_WIKI = r"([a-z]{2,3}|simple|[a-z]+(?:_[a-z]+)+)wiki"  # database names: dewiki, simplewiki, zh_min_nanwiki
_FILE_OF_WIKI = re.compile(_WIKI + r"[-_.]")
_FOLDER_OF_WIKI = re.compile(_WIKI)
_OTHER_PROJECT = re.compile(
    r"(?:[a-z]+(?:_[a-z]+)*(?:wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity|wikivoyage|wikimedia)"
    r"|(?:commons|foundation|incubator|mediawiki|meta|outreach|sources|species|test2?|wikidata|wikifunctions|wikimania)"
    r"(?:\d{4})?wiki)(?=[-_.]|\Z)"
)
_OTHER_SITE = re.compile(
    r"//(?:[\w-]+\.)*(?:wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity|wikivoyage|wikimedia|wikidata"
    r"|mediawiki)\.org/"
)

_MULTISTREAM = re.compile(r"multistream[^/]*\.bz2\Z")
_INDEX = re.compile(r"multistream-index[^/]*\.txt[^/]*\Z")  # its name ends in -p1p41242.bz2 where the dump's does
_STREAM = re.compile(r"bz2 stream at (\d+)")

_WHOLE_BYTES = 64 << 20
"""A dump of up to so much XML is looked through for redirects of templates before its pages are given."""

_TEMPLATE_USE = re.compile(r"\{\{\s*([^{}|<>\[\]\n]{1,255})")

_CC_BY_SA_4 = datetime(2023, 6, 7, tzinfo=UTC)
"""Edits since then are under CC BY-SA 4.0 (Wikimedia's terms of use of that day), older ones under 3.0."""


class Wikipedia(Source):
    """A raw record is one `<page>` of a file; of several revisions the last is used.

    A multistream dump (`...-multistream.xml.bz2`) is cut into many parts; its index is not needed, and left out.

    Reads pages-articles and full-history exports 0.3 to 0.11, plain, gzip or bzip2 (also multistream), in any encoding
    the XML declaration names, with or without the `<mediawiki>` root. Files are told apart by content, not by name.

    The language is what the file name (`dewiki-...`) or else the nearest folder (`de/`, `dewiki/`) says, else
    `xml:lang`. Names come first because `xml:lang` does not tell Simple English from English, and because cut-down
    dumps are seen with the header of another wiki.

    Each `<page>` is cut out by its tags and parsed alone, without the document's DTD, so no entity can be defined, and
    broken XML costs the pages it touches. `Origin.offset` and `length` count bytes of the decompressed file in its own
    encoding, and `raw` gives those bytes; in a multistream dump they count in the stream that `member` names by the
    byte it begins at.

    Metadata beside the title, for the cleaner: `hidden_namespaces`, where <siteinfo> names some that its tables lack,
    and `template_redirects`, of those that the page uses and its table lacks, in dumps of up to 64 MiB of XML in one
    stream: larger ones would have to be read twice.

    Reasons: language, unknown_language (neither path nor header names one), other_project (a dump of Wiktionary, say,
    by the name of the file or in the header), namespace (not an article), redirect, content_model (not wikitext),
    empty, damaged_xml (also a place where compressed data are damaged), page_too_long, unsupported_file.

    Attributes:
        languages: Wikipedias to keep; default: LLaMA-1, section 2.1.
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = "MediaWiki XML, plain, .gz, .bz2 or .zst"
    text_per_raw: ClassVar[float] = 3.4  # pages-articles in bzip2, measured on a few MB of real files
    document_bytes: ClassVar[int] = 3500  # of the order that RedPajama-v1's counts give

    languages: tuple[str, ...] = LANGUAGES

    def files(self, root: str, include: Sequence[str]) -> list[RawFile]:
        return [file for file in super().files(root, include) if not _INDEX.search(file.path)]

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """Multistream dumps in ranges of bytes, other files whole; small ones together."""
        splits: list[list[Piece]] = []
        size = split_bytes
        for file in files:
            step = max(1, int(split_bytes / self.text_per_raw)) if _MULTISTREAM.search(file.path) else 0
            cuts = [*range(0, file.size, step), file.size] if 0 < step < file.size else [0, file.size]
            whole = len(cuts) == 2
            for start, end in pairwise(cuts):
                piece = Piece(file.path) if whole else Piece(file.path, start, end)
                if size + (end - start) > split_bytes or not whole:
                    splits.append([])
                    size = 0
                splits[-1].append(piece)
                size = size + (end - start) if whole else split_bytes
        return [Split(tuple(pieces)) for pieces in splits]

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            with open_raw(root, piece.path) as file:
                yield from self._read_piece(file, piece)

    def raw(self, root: str, origin: Origin) -> bytes:
        with open_raw(root, origin.file) as file:
            if origin.offset is None or origin.length is None:
                return file.read()
            if (member := _STREAM.fullmatch(origin.member or "")) is None:
                return read_range(file, origin.offset, origin.length)
            stream = next(streams(file, int(member[1])))
            return read_range(opened(file, stream), origin.offset, origin.length)

    def _read_piece(self, file: IO[bytes], piece: Piece) -> Iterator[Document | Rejected]:
        chunks = decompressed(file)
        first, head = _head(chunks)
        encoding = _encoding(head)
        if encoding is None:
            if piece.start == 0:
                yield Rejected(Origin(piece.path, record=0), "unsupported_file", _remedy(head))
            return
        dump = _Dump.of(piece.path, head.decode(encoding, "replace"))
        if not _MULTISTREAM.search(piece.path):
            whole = _whole(first, chunks)
            if whole is not None:
                first, chunks = whole, iter(())
                dump = dump._replace(redirects=_template_redirects(whole, encoding, dump))
            yield from self._pages(dump, piece.path, None, chain(first, chunks), encoding)
            return
        for stream in streams(file, piece.start, piece.end):
            member = f"bz2 stream at {stream.start}"
            yield from self._pages(dump, piece.path, member, decompressed(opened(file, stream)), encoding)

    def _pages(
        self, dump: "_Dump", path: str, member: str | None, chunks: Iterator[bytes | None], encoding: str
    ) -> Iterator[Document | Rejected]:
        for record, span in enumerate(_spans(chunks, encoding)):
            origin = Origin(path, member, span.offset, span.length, record)
            if span.reason:
                yield Rejected(origin, span.reason, span.detail)
            else:
                yield self._page(dump, origin, span.page, encoding)

    def _page(self, dump: "_Dump", origin: Origin, page: bytes, encoding: str) -> Document | Rejected:
        language = dump.language
        if dump.other_project:
            return Rejected(origin, "other_project", dump.other_project)
        if language is None:
            return Rejected(
                origin, "unknown_language", "name the file like dewiki-20220801-pages-articles.xml, or its folder de/"
            )
        if language not in self.languages:
            return Rejected(origin, "language", language)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            element = etree.fromstring(page if encoding == "utf-8" else page.decode(encoding).encode(), parser)
        except (etree.XMLSyntaxError, UnicodeDecodeError) as error:
            return Rejected(origin, "damaged_xml", str(error))
        title = element.findtext("title", "")
        page_id = element.findtext("id", "").strip()
        revision = element.find("revision[last()]")
        revision_id = "" if revision is None else revision.findtext("id", "").strip()
        if revision is None or not (title and page_id and revision_id):
            return Rejected(origin, "damaged_xml", "no title, page id or revision id")
        namespace = element.findtext("ns") or dump.namespace(title)
        text = revision.findtext("text") or ""
        if namespace.strip() != "0":
            return Rejected(origin, "namespace", title)
        if element.find("redirect") is not None or _redirect(language).match(text):
            return Rejected(origin, "redirect", title)
        if (model := revision.findtext("model", "wikitext").strip()) != "wikitext":
            return Rejected(origin, "content_model", f"{title}: {model}")
        if not text.strip():
            return Rejected(origin, "empty", title)
        timestamp = utc_time(revision.findtext("timestamp", ""))
        return Document(
            id=f"wikipedia:{language}:{page_id}@{revision_id}",
            text=text,
            origin=origin,
            language=language,
            license=f"cc-by-sa-{'4.0' if timestamp and timestamp >= _CC_BY_SA_4 else '3.0'}",
            url=f"https://{language}.wikipedia.org/wiki/{quote(title.replace(' ', '_'), safe=';@$!*(),/~:')}",
            timestamp=timestamp,
            metadata={"title": title, **dump.known_of(text)},
        )


class _Dump(NamedTuple):
    """What holds for all pages of a file."""

    language: str | None
    namespaces: Mapping[str, str]
    hidden: tuple[str, ...]
    """Lower-case names of its namespaces of media, files and categories that `corpus.text.mediawiki` does not know."""
    other_project: str
    """What says that it is no Wikipedia, or ""."""
    redirects: Mapping[str, str] = {}
    """From the lower-case name of a template that the table of `wikitext` lacks to the one that it redirects to."""

    @classmethod
    def of(cls, path: str, head: str) -> "_Dump":
        root = re.search(r"<mediawiki\b[^>]*", head)
        declared = re.search(r"""\bxml:lang=["']([\w-]+)""", root[0]) if root else None
        listed = re.findall(r'<namespace key="(-?\d+)"[^<>]*>([^<]+)</namespace>', head)
        named = {name: str(key) for name, key in CANONICAL_NAMESPACES.items()}
        language = _language_of_path(path) or (declared[1].lower() if declared else None)
        hidden = {html.unescape(name).lower() for key, name in listed if key in ("-2", "6", "14")}
        return cls(
            language,
            named | {html.unescape(name): key for key, name in listed},
            tuple(sorted(hidden - hidden_namespaces(language or ""))),
            _other_project(path, head),
        )

    def known_of(self, text: str) -> dict[str, Any]:
        """What the cleaner cannot know of a page without the dump."""
        known: dict[str, Any] = {"hidden_namespaces": list(self.hidden)} if self.hidden else {}
        if self.redirects:
            used = {" ".join(name.replace("_", " ").split()).lower() for name in _TEMPLATE_USE.findall(text)}
            if found := {name: self.redirects[name] for name in sorted(used & self.redirects.keys())}:
                known["template_redirects"] = found
        return known

    def namespace(self, title: str) -> str:
        """For exports before 0.6, which do not number it."""
        prefix, colon, _ = title.partition(":")
        return self.namespaces.get(prefix, "0") if colon else "0"


class _Span(NamedTuple):
    """The bytes of one page, or of what is left of one: then `reason` says why. `page` may lack old revisions."""

    offset: int
    length: int
    page: bytes
    reason: str = ""
    detail: str = ""


def _spans(chunks: Iterator[bytes | None], encoding: str) -> Iterator[_Span]:
    """Cuts a stream into pages. Correct XML has no "<page>" but the tag: in text "<" is always escaped."""
    begin, end, revision = (tag.encode(encoding) for tag in ("<page>", "</page>", "<revision>"))
    tags = re.compile(re.escape(begin) + b"|" + re.escape(end))
    buffer = bytearray()
    base = 0  # where the buffer begins in the stream
    dropped = 0  # bytes of the current page that are no longer in the buffer
    inside = False  # the buffer begins with the tag of a page
    too_long = False

    def span(length: int, damage: str = "") -> _Span:
        if damage:
            return _Span(base, dropped + length, b"", "damaged_xml", damage)
        if too_long:
            return _Span(base, dropped + length, b"", "page_too_long", f"its last revision is over {_PAGE_BYTES} bytes")
        return _Span(base, dropped + length, bytes(buffer[:length]))

    for chunk in chain(chunks, (b"",)):
        if not chunk:
            if chunk is None:
                yield span(len(buffer), "compressed data are damaged here, pages may be lost")
            elif inside:
                yield span(len(buffer), "the file ends within this page")
            base += dropped + len(buffer)
            dropped, inside, too_long = 0, False, False
            buffer.clear()
            continue
        search = max(0, len(buffer) - len(end) + 1)
        buffer += chunk
        while tag := tags.search(buffer, search):
            opens = tag[0] == begin
            cut = tag.start() if opens else tag.end()
            if inside:
                yield span(cut, "another page begins within this one" if opens else "")
            elif not opens:
                yield span(cut, "the beginning of this page is missing")
            del buffer[:cut]
            base += dropped + cut
            dropped, inside, too_long = 0, opens, False
            search = len(begin) if opens else 0
        if inside and not too_long and len(buffer) > _HELD_BYTES:
            first, latest = buffer.find(revision), buffer.rfind(revision)
            dropped += latest - first
            del buffer[first:latest]
            too_long = len(buffer) > _PAGE_BYTES
        if too_long or not inside:
            surplus = max(0, len(buffer) - len(end))
            del buffer[:surplus]
            base, dropped = (base, dropped + surplus) if inside else (base + surplus, 0)


@cache
def _redirect(language: str) -> re.Pattern[str]:
    words = "|".join(map(re.escape, sorted({"redirect", *names(language, "redirect")})))
    return re.compile(rf"\s*[#＃]\s*(?:{words})\s*[:：]?\s*\[\[", re.IGNORECASE)


def _head(chunks: Iterator[bytes | None]) -> tuple[list[bytes | None], bytes]:
    """The first chunks, and the first `_HEAD_BYTES` bytes in them (fewer where data are damaged before)."""
    first: list[bytes | None] = []
    size = 0
    for chunk in chunks:
        first.append(chunk)
        size += len(chunk or b"")
        if size >= _HEAD_BYTES:
            break
    return first, b"".join(chunk or b"" for chunk in first)[:_HEAD_BYTES]


def _whole(first: list[bytes | None], chunks: Iterator[bytes | None]) -> list[bytes | None] | None:
    """All chunks of a small dump. Of a large one None: then `first` has what was read of `chunks`."""
    size = sum(len(chunk or b"") for chunk in first)
    while size <= _WHOLE_BYTES:
        chunk = next(chunks, b"")
        if chunk == b"":
            return first
        first.append(chunk)
        size += len(chunk or b"")
    return None


def _template_redirects(chunks: list[bytes | None], encoding: str, dump: "_Dump") -> dict[str, str]:
    """From the pages of templates that are redirects, where the cleaner's table has the target and not the name."""
    if encoding != "utf-8":
        return {}
    language = dump.language or ""
    prefixes = "|".join(map(re.escape, sorted({"template", *names(language, "template")})))
    tag = rf"<redirect title=\"(?:{prefixes}):([^\"]+)\""
    word = rf"<text[^>]*>{_redirect(language).pattern}(?:{prefixes}):([^\]|#]+)"
    title = rf"<title>(?:{prefixes}):([^<]+)</title>"
    page = re.compile(rf"{title}(?:(?!<text|</page>).)*?(?:{tag}|{word})", re.IGNORECASE | re.DOTALL)
    found: dict[str, str] = {}
    for span in _spans(iter(chunks), encoding):
        if b"<redirect" in span.page or b"[[" in span.page[:2000]:
            redirect = page.search(span.page[:4000].decode("utf-8", "replace"))
            if redirect is not None:
                name, target = (html.unescape(part).strip() for part in (redirect[1], redirect[2] or redirect[3]))
                if find(language, name)[1] is None and find(language, target)[1] is not None:
                    found[" ".join(name.replace("_", " ").split()).lower()] = target
    return found


def _encoding(head: bytes) -> str | None:
    """Of a MediaWiki export; None where `head` does not begin one."""
    guess = next(
        (
            name
            for name, start in (("utf-16-le", b"<\0"), ("utf-16-be", b"\0<"))
            if head.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE).startswith(start)
        ),
        "utf-8",
    )
    text = head.decode(guess, "replace")
    if not re.search(r"<mediawiki\b|<page>", text):
        return None
    declared = re.search(r"""<\?xml[^>]*\bencoding=["']([\w.-]+)""", text)
    if guess != "utf-8" or declared is None:
        return guess
    try:
        return codecs.lookup(declared[1]).name
    except LookupError:
        return None


def _remedy(head: bytes) -> str:
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return "7-Zip: give the .bz2 of the same dump, or unpack it (7z x)"
    return f"no <mediawiki> or <page> in the first {_HEAD_BYTES} bytes: give an XML export, plain, .gz, .bz2 or .zst"


def _other_project(path: str, head: str) -> str:
    """What says that a dump is none of a Wikipedia; "" for one, and where nothing says anything."""
    *folders, file = path.split("/")
    if _FILE_OF_WIKI.match(file):
        return ""
    for name in (file, *reversed(folders)):
        if found := _OTHER_PROJECT.match(name):
            return found[0]
        if _FOLDER_OF_WIKI.fullmatch(name):
            return ""
    database = re.search(r"<dbname>([^<]*)</dbname>", head)
    if database and _OTHER_PROJECT.fullmatch(database[1]):
        return database[1]
    base = re.search(r"<base>([^<]*)</base>", head)
    return base[1] if base and _OTHER_SITE.search(base[1]) else ""


def _language_of_path(path: str) -> str | None:
    *folders, file = path.split("/")
    if match := _FILE_OF_WIKI.match(file):
        return match[1].replace("_", "-")
    for folder in reversed(folders):
        if match := _FOLDER_OF_WIKI.fullmatch(folder):
            return match[1].replace("_", "-")
        if folder in ISO_639_1.values():
            return folder
    return None
