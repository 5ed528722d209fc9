"""Public sets of web pages whose main text is known: what main text is learned from, and measured on.

    python -m benchmarks.web_text.pages FOLDER

(From the root of the checkout, and with -m.) Fetches them, at the commits below, into FOLDER: 1.2 GB.

| set | what is known | pages | licence | used |
|---|---|---|---|---|
| `wcxb-dev` | the main text, of seven types of page | 1,476 | CC-BY-4.0 | to learn |
| `wcxb-test` | the same | 505 | CC-BY-4.0 | to measure |
| `fundus` | the body of news articles, by a parser for each publisher; in 40 languages | 258 | MIT | to learn |
| `fundus-eval` | the body of news articles by hand, of 16 of the same publishers | 80 | MIT | to measure |
| `articles` | the body of news articles | 181 | MIT | to measure |
| `readability` | what Readability should give | 130 | Apache-2.0 | a third to measure |
| `trafilatura` | a few strings to keep and to drop | 990 | Apache-2.0 | a third to measure |
"""

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lxml.html

from corpus.text.web.charset import decode_html

REPOSITORIES = {
    "Murrough-Foley/web-content-extraction-benchmark": "c039d5ee9f5a3a984a0e167e63aacd04e76e78a9",
    "scrapinghub/article-extraction-benchmark": "4a3bc979f76c0df73cb95fe272e2fc1b96f9f010",
    "mozilla/readability": "ab4027a8b37669745016869a37a504727992b2ba",
    "adbar/trafilatura": "e90b0ef51ab026fdb905fb6c5b3c84dd3d784fd5",
    "flairNLP/fundus": "18da6e53592f99cf0ac5770dc63d6ba99ba63ae8",
    "dobbersc/fundus-evaluation": "d43db54b2b393ae10a5114a2bddc512b11bf3227",
}
"""On GitHub, each at a commit."""

_WCXB, _ARTICLES, _READABILITY, _TRAFILATURA, _FUNDUS, _FUNDUS_EVALUATION = REPOSITORIES
_BREAKS = (
    "br",
    "p",
    "div",
    "li",
    "td",
    "th",
    "tr",
    "pre",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "figcaption",
    "dt",
    "dd",
)


@dataclass(frozen=True)
class KnownPage:
    """
    Attributes:
        set: of the table above.
        site: pages of one site are learned from together, or not at all.
        html: UTF-8.
        text: the main text; None where only strings are known.
        keep, drop: strings that are in the main text, and that are not.
    """

    set: str
    name: str
    site: str
    html: bytes
    text: str | None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @property
    def is_held_out(self) -> bool:
        """Whether nothing is learned from it."""
        if self.set in ("readability", "trafilatura"):
            return int(hashlib.md5(f"{self.set}/{self.name}".encode()).hexdigest(), 16) % 3 == 0
        return self.set not in ("wcxb-dev", "fundus")


def fetch(folder: Path) -> None:
    for name, commit in REPOSITORIES.items():
        target = folder / name
        if target.exists():
            continue
        subprocess.run(["git", "init", "--quiet", str(target)], check=True)
        url = f"https://github.com/{name}"
        subprocess.run(["git", "-C", str(target), "fetch", "--quiet", "--depth", "1", url, commit], check=True)
        subprocess.run(["git", "-C", str(target), "checkout", "--quiet", "FETCH_HEAD"], check=True)


def read_pages(folder: Path) -> Iterator[KnownPage]:
    """All sets, in a fixed order; pages without any known text are left out."""
    for part in ("dev", "test"):
        yield from _wcxb(folder / _WCXB, part)
    yield from _fundus(folder / _FUNDUS / "tests" / "resources" / "parser" / "test_data")
    yield from _fundus_evaluation(folder / _FUNDUS_EVALUATION / "dataset")
    yield from _articles(folder / _ARTICLES)
    yield from _readability(folder / _READABILITY / "test" / "test-pages")
    yield from _trafilatura(folder / _TRAFILATURA / "tests")


def _wcxb(root: Path, part: str) -> Iterator[KnownPage]:
    files = json.loads((root / "metadata.json").read_text(encoding="utf-8"))["files"]
    for path in sorted((root / part / "ground-truth").glob("*.json")):
        html = root / part / "html" / f"{path.stem}.html.gz"
        text = json.loads(path.read_text(encoding="utf-8"))["ground_truth"].get("main_content") or ""
        if html.exists() and text.strip():
            site = files[path.stem]["domain"]
            yield KnownPage(f"wcxb-{part}", path.stem, site, _utf8(gzip.decompress(html.read_bytes())), text)


def _fundus(root: Path) -> Iterator[KnownPage]:
    """What tests of a publisher's parsers expect. Of several versions of a parser each has a page of its time: that
    which most of the paragraphs are in."""
    for path in sorted(root.glob("*/*.json")):
        bodies = [_paragraphs(known["body"]) for known in json.loads(path.read_text(encoding="utf-8")).values()]
        for page in sorted(path.parent.glob(f"{path.stem}_*.html.gz")):
            html = _utf8(gzip.decompress(page.read_bytes()))
            text = " ".join(lxml.html.document_fromstring(html.decode()).text_content().split())
            found = [sum(" ".join(one.split()) in text for one in body) / len(body) for body in bodies]
            if max(found) > 0.5:
                body = bodies[found.index(max(found))]
                yield KnownPage("fundus", page.name, path.stem, html, "\n".join(body))


def _fundus_evaluation(root: Path) -> Iterator[KnownPage]:
    """A paragraph is a string, or the lines of one."""
    known = json.loads((root / "ground_truth.json").read_text(encoding="utf-8"))
    for name in sorted(known):
        paragraphs = [one if isinstance(one, str) else " ".join(one) for one in known[name]["body"]]
        html = _utf8(gzip.decompress((root / "html" / name).read_bytes()))
        yield KnownPage("fundus-eval", name, name.partition("_")[0], html, "\n".join(paragraphs))


def _paragraphs(body: dict[str, Any]) -> list[str]:
    parts = [body["summary"], *(section[part] for section in body["sections"] for part in ("headline", "paragraphs"))]
    return [paragraph for part in parts for paragraph in part]


def _articles(root: Path) -> Iterator[KnownPage]:
    known = json.loads((root / "ground-truth.json").read_text(encoding="utf-8"))
    for name in sorted(known):
        html = gzip.decompress((root / "html" / f"{name}.html.gz").read_bytes())
        yield KnownPage("articles", name, name, _utf8(html), known[name]["articleBody"])


def _readability(root: Path) -> Iterator[KnownPage]:
    for folder in sorted(root.iterdir()):
        if not (folder / "expected.html").exists():
            continue
        tree = lxml.html.document_fromstring((folder / "expected.html").read_text(encoding="utf-8"))
        for element in tree.iter(*_BREAKS):
            element.text = "\n" + (element.text or "")
            element.tail = "\n" + (element.tail or "")
        html = _utf8((folder / "source.html").read_bytes())
        yield KnownPage("readability", folder.name, folder.name, html, tree.text_content())


def _trafilatura(root: Path) -> Iterator[KnownPage]:
    known = json.loads((root / "evaldata.json").read_text(encoding="utf-8"))
    for url in sorted(known):
        name = known[url]["file"]
        path = next(path for path in (root / "cache" / name, root / "eval" / name) if path.exists())
        strings = tuple(known[url]["with"]), tuple(known[url]["without"])
        yield KnownPage("trafilatura", name, name, _utf8(path.read_bytes()), None, *strings)


def _utf8(html: bytes) -> bytes:
    return decode_html(html, None)[0].encode()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.web_text.pages FOLDER")
    fetch(Path(sys.argv[1]))
