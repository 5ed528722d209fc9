"""EPUB files: a zip of XHTML pages, and of a package file that says which, in which order
(https://www.w3.org/TR/epub-33/)."""

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from corpus.sources.archive import Damaged, Member, TooLarge, Zip
from corpus.sources.book_html import Pages, html_book

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_XML_BYTES = 8 << 20
"""Of a package file; one of a thousand pages has a tenth of it."""

_PAGE_TYPES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")
_PAGE_NAME = re.compile(r"\.(?:xhtml|html|htm)$", re.IGNORECASE)
_FIELDS = {"title": None, "creator": ", ", "language": ", ", "date": None, "identifier": " ", "rights": " "}
"""Of the package's metadata (Dublin Core), and what stands between several; None where the first is taken."""


class EpubText(NamedTuple):
    """A book.

    Attributes:
        fields: of `title`, `creator`, `language`, `date`, `identifier` and `rights`, those that there are.
        lost: pages that are named and cannot be read.
        in_order: False where there is no order that can be read, and the pages come as they lie in the archive.
    """

    pages: Pages
    fields: dict[str, str]
    lost: int
    in_order: bool


class Encrypted(Exception):
    """The pages are encrypted (digital rights management)."""


def is_epub(archive: Zip) -> bool:
    """Whether a zip has the file that every EPUB has, or a package file."""
    return any(member.name == _CONTAINER or member.name.endswith(".opf") for member in archive)


def read_epub(archive: Zip, limit: int) -> EpubText:
    """The book in an archive. Nothing is written to disk, and of XML no entity is expanded.

    Raises:
        Damaged: no page can be read.
        Encrypted: no page can be read because all are encrypted.
        TooLarge: the pages hold more than `limit` bytes, as the archive says; nothing of them is unpacked then.
    """
    files = _Files(archive, limit)
    package, root = _package(files)
    paths = list(_page_paths(package, root)) if package is not None else []
    in_order = any(path in files.members for path in paths)
    if not in_order:
        paths = [name for name in files.members if _PAGE_NAME.search(name)]
    encrypted = _encrypted(files)
    fields = _fields(package)
    files.check(paths)
    pages = [page for path in paths if path not in encrypted and (page := files.read(path)) is not None]
    if not pages:
        if encrypted.issuperset(paths) and paths:
            raise Encrypted
        raise Damaged("no page of the book can be read")
    return EpubText(
        html_book(pages, fields.get("language", "")[:2].lower() or None), fields, len(paths) - len(pages), in_order
    )


class _Files:
    """The members of an archive by name; of those with one name the last."""

    def __init__(self, archive: Zip, limit: int) -> None:
        self.members: dict[str, Member] = {posixpath.normpath(member.name): member for member in archive}
        self._left = limit

    def check(self, paths: list[str]) -> None:
        """Raises TooLarge."""
        if sum(self.members[path].size for path in paths if path in self.members) > self._left:
            raise TooLarge

    def read(self, path: str) -> bytes | None:
        """The content; None where there is none, or it is damaged. Raises TooLarge."""
        member = self.members.get(path)
        if member is None:
            return None
        if member.size > self._left:
            raise TooLarge
        self._left -= member.size
        try:
            return member.read(member.size)
        except Damaged:
            return None

    def xml(self, path: str) -> etree._Element | None:
        member = self.members.get(path)
        data = self.read(path) if member is not None and member.size <= _XML_BYTES else None
        if not data:
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        try:
            return etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError):
            return None


def _package(files: _Files) -> tuple[etree._Element | None, str]:
    """The package file and its folder."""
    container = files.xml(_CONTAINER)
    named = (
        [] if container is None else [str(path) for path in container.xpath("//*[local-name()='rootfile']/@full-path")]
    )
    for path in [*named, *(name for name in files.members if name.endswith(".opf"))]:
        if (package := files.xml(posixpath.normpath(path))) is not None:
            return package, posixpath.dirname(path)
    return None, ""


def _page_paths(package: etree._Element, root: str) -> Iterator[str]:
    """Of the pages in the order of reading, each once, without the table of contents that EPUB 3 makes for readers'
    menus."""
    items = {item.get("id"): item for item in package.xpath("//*[local-name()='manifest']/*[local-name()='item']")}
    found: set[str] = set()
    for reference in package.xpath("//*[local-name()='spine']/*[local-name()='itemref']/@idref"):
        item = items.get(str(reference))
        if item is None or "nav" in (item.get("properties") or "").split():
            continue
        href = unquote((item.get("href") or "").partition("#")[0])
        path = posixpath.normpath(posixpath.join(root, href))
        is_page = item.get("media-type") in _PAGE_TYPES or _PAGE_NAME.search(href)
        if href and is_page and path not in found:
            found.add(path)
            yield path


def _encrypted(files: _Files) -> set[str]:
    """Paths of the files that are encrypted; fonts are in most EPUBs that have any."""
    encryption = files.xml(_ENCRYPTION)
    references = [] if encryption is None else encryption.xpath("//*[local-name()='CipherReference']/@URI")
    return {posixpath.normpath(unquote(str(reference))) for reference in references}


def _fields(package: etree._Element | None) -> dict[str, str]:
    if package is None:
        return {}
    fields = {}
    for name, between in _FIELDS.items():
        values = package.xpath(f"//*[local-name()='metadata']//*[local-name()='{name}']")
        texts = [" ".join("".join(value.itertext()).split()) for value in values]
        if found := [text for text in texts if text]:
            fields[name] = found[0] if between is None else between.join(found)
    return fields
