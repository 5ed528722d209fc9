"""Common Crawl's WET: gzip members of one record each, two snapshots."""

import gzip
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from corpus.demo.languages import LANGUAGES, articles
from corpus.demo.prose import Module

SNAPSHOTS = ("CC-MAIN-2019-30", "CC-MAIN-2020-05")
_PAGE_CHARACTERS = 6000
_CRAWLED_TWICE = 20
"""One page in so many is in both snapshots, at another address."""
_SITES = {
    "docs-a.example": ("Home", "Library", "Index", "Was this page helpful?", "Terms of use · Privacy · Contact"),
    "docs-b.example": ("Start", "All pages", "Search in all pages", "Sign in to edit", "Powered by a small machine"),
    "docs-c.example": ("Overview", "Tutorials", "Reference", "Report an error on this page", "Back to top"),
}
_MENUS = {
    "de": ("Startseite", "Aktuelles", "Impressum", "Zum Seitenanfang"),
    "en": ("Home", "Stories", "About us", "Back to top"),
    "es": ("Inicio", "Noticias", "Aviso legal", "Volver arriba"),
    "fr": ("Accueil", "Actualités", "Mentions légales", "Haut de page"),
    "it": ("Pagina iniziale", "Notizie", "Note legali", "Torna su"),
    "nl": ("Startpagina", "Nieuws", "Contact", "Naar boven"),
}


class Page(NamedTuple):
    url: str
    text: str


def write(folder: Path, modules: Sequence[Module]) -> None:
    """Two snapshots of pages made of docstrings and of the texts of six languages, with menus that pages share, some
    pages in both snapshots, one page with broken bytes, one without text, and a last file that is cut short."""
    pages = list(_module_pages(modules))
    stories = list(_stories())
    again = [
        Page(page.url.replace("https://", "https://mirror.example/"), f"{page.text}\nMirrored for you by a neighbour.")
        for page in pages[::_CRAWLED_TWICE]
    ]
    first = [*pages[: len(pages) // 2], *stories[::2]]
    second = [*pages[len(pages) // 2 :], *stories[1::2], *again]
    for snapshot, some in zip(SNAPSHOTS, (first, second), strict=True):
        home = folder / snapshot / "segments" / "1" / "wet"
        home.mkdir(parents=True)
        for number in range(2):
            records = [_warcinfo(snapshot), *(_record(snapshot, page) for page in some[number::2])]
            if snapshot == SNAPSHOTS[0] and number == 0:
                records.append(_conversion(snapshot, "https://broken.example/bytes", b"caf\xe9 \xff\xfe " * 60))
                records.append(_conversion(snapshot, "https://broken.example/empty", b"\n"))
            packed = b"".join(gzip.compress(record, mtime=0) for record in records)
            if snapshot == SNAPSHOTS[1] and number == 1:
                packed = packed[:-200]
            (home / f"{snapshot}-0000{number}.warc.wet.gz").write_bytes(packed)


def _module_pages(modules: Sequence[Module]) -> Iterator[Page]:
    sites = tuple(_SITES)
    for place, module in enumerate(modules):
        site = sites[place % len(sites)]
        for number, body in enumerate(_bodies(module)):
            yield _page(f"https://{site}/{module.name}/{number}.html", module.name, body, _SITES[site])


def _bodies(module: Module) -> Iterator[list[str]]:
    lines: list[str] = []
    for entry in module.entries:
        lines.append(entry.name.removeprefix(f"{module.name}."))
        lines.extend(block.text for block in entry.blocks())
        if sum(map(len, lines)) > _PAGE_CHARACTERS:
            yield lines
            lines = []
    if lines:
        yield lines


def _stories() -> Iterator[Page]:
    """Of English, half: the others are Wikipedia's."""
    for language in LANGUAGES:
        some = articles(language)
        for number, article in enumerate(some[: len(some) // 2] if language == "en" else some):
            url = f"https://stories.example/{language}/{number}"
            yield _page(url, article.title, article.sentences, _MENUS[language])


def _page(url: str, title: str, body: Sequence[str], menu: Sequence[str]) -> Page:
    return Page(url, "\n".join([*menu[:-2], f"{title} | {menu[0]}", title, *body, *menu[-2:]]))


def _record(snapshot: str, page: Page) -> bytes:
    return _conversion(snapshot, page.url, page.text.encode())


def _conversion(snapshot: str, url: str, content: bytes) -> bytes:
    fields = {"WARC-Type": "conversion", "WARC-Target-URI": url}
    return _warc(snapshot, url, fields, "text/plain", content)


def _warcinfo(snapshot: str) -> bytes:
    content = f"isPartOf: {snapshot}\r\ndescription: made by corpus demo\r\n".encode()
    return _warc(snapshot, "warcinfo", {"WARC-Type": "warcinfo"}, "application/warc-fields", content)


def _warc(snapshot: str, name: str, fields: dict[str, str], kind: str, content: bytes) -> bytes:
    header = {
        **fields,
        "WARC-Date": f"{snapshot[8:12]}-07-15T18:38:15Z",
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{snapshot} {name}')}>",
        "Content-Type": kind,
        "Content-Length": str(len(content)),
    }
    lines = "".join(f"{key}: {value}\r\n" for key, value in header.items())
    return f"WARC/1.0\r\n{lines}\r\n".encode() + content + b"\r\n\r\n"
