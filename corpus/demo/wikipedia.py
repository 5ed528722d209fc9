"""Wikipedia dumps: bzip2 files of MediaWiki's XML export."""

import bz2
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from corpus.demo.languages import LANGUAGES, articles

_DAY = "20220801"
_PAGE_CHARACTERS = 2500
_PAGES = 2  # of one topic at most
_HEADING = re.compile(r"^(\S[^\n]*)\n[*=\-~^]{4,}$", re.MULTILINE)
_CODE_WORD = re.compile(r'"([^"\n]{1,40})"')
_EMPHASIS = re.compile(r"\*([\w -]{2,40})\*")
_WORD = re.compile(r"[^\W\d_]{6,}")
_CATEGORY = {
    "de": "Kategorie",
    "en": "Category",
    "es": "Categoría",
    "fr": "Catégorie",
    "it": "Categoria",
    "nl": "Categorie",
}


class Page(NamedTuple):
    title: str
    text: str
    namespace: int = 0
    redirect: str | None = None


def write(folder: Path) -> None:
    """English from the topics of Python's own manual, which an installation carries, and half of the English texts;
    five more languages from the texts. Redirects, a page that is no article, one that is broken, and in the last
    dump a page that is cut short."""
    folder.mkdir(parents=True)
    for language in LANGUAGES:
        pages = [*(_topics() if language == "en" else ()), *_stories(language)]
        title = pages[0].title
        pages += [
            Page(f"{title} (old name)", f"#REDIRECT [[{title}]]", redirect=title),
            Page("Talk:Main page", "Does anybody read this?", namespace=1),
            Page("An empty page", " "),
        ]
        body = "".join(_xml(number, page) for number, page in enumerate(pages, 1))
        body += "<page><title>Broken</title><ns>0</ns><id>9999</id><revision><id>1</id></page>\n"
        dump = f"{_header(language)}{body}</mediawiki>\n".encode()
        if language == LANGUAGES[-1]:
            dump = dump[: -len(dump) // 40]
        (folder / f"{language}wiki-{_DAY}-pages-articles.xml.bz2").write_bytes(bz2.compress(dump))


def _topics() -> Iterator[Page]:
    from pydoc_data.topics import topics

    titles = {}
    for name, text in sorted(topics.items()):
        if heading := _HEADING.search(text):
            titles[name] = heading[1].replace('"', "")
    linked = {title.lower(): title for title in titles.values()}
    # "numbers" and "Boolean operations" as they stand in the text of other topics.
    links = re.compile(rf"\b({'|'.join(re.escape(title) for title in sorted(linked, key=len, reverse=True))})\b", re.I)
    seen = set()
    for name, title in titles.items():
        if title in seen:  # some topics are there under several names
            continue
        seen.add(title)
        text = topics[name].partition("\n")[2].partition("\n")[2]
        text = "\n\n".join(_paragraph(some) for some in re.split(r"\n\s*\n", text.strip("\n")) if some.strip())
        text = links.sub(lambda match: f"[[{linked[match[0].lower()]}|{match[0]}]]", text)
        for number, part in enumerate(islice(_parts(text), _PAGES)):
            yield Page(title if number == 0 else f"{title} ({number + 1})", _article("en", title, part))


def _paragraph(text: str) -> str:
    if heading := _HEADING.fullmatch(text.strip("\n")):
        return f"== {heading[1]} =="
    if text.startswith(" "):
        return f'<syntaxhighlight lang="python">\n{text}\n</syntaxhighlight>'
    text = _CODE_WORD.sub(r"<code><nowiki>\1</nowiki></code>", " ".join(text.split("\n")))
    return _EMPHASIS.sub(r"''\1''", text)


def _parts(text: str) -> Iterator[str]:
    """Long topics in several pages, cut between paragraphs."""
    held: list[str] = []
    for paragraph in text.split("\n\n"):
        held.append(paragraph)
        if sum(map(len, held)) > _PAGE_CHARACTERS:
            yield "\n\n".join(held)
            held = []
    if held:
        yield "\n\n".join(held)


def _stories(language: str) -> Iterator[Page]:
    some = articles(language)
    for article in some[len(some) // 2 :] if language == "en" else some:
        sentences = [_WORD.sub(r"[[\g<0>]]", sentence, count=1) for sentence in article.sentences]
        yield Page(article.title, _article(language, article.title, " ".join(sentences)))


def _article(language: str, title: str, body: str) -> str:
    category = _CATEGORY[language]
    return (
        f"{{{{Infobox text|name={title}|image=Example.jpg|note={{{{nowrap|made up}}}}}}}}\n"
        f"[[File:Example.jpg|thumb|A picture of ''{title}'']]\n"
        f"'''{title}'''<ref name=\"one\">{{{{cite web|url=https://stories.example/|title={title}}}}}</ref>\n\n"
        f"{body}<!-- still to be checked -->\n\n"
        '{| class="wikitable"\n! Year !! Readers\n|-\n| 2021 || 12\n|}\n\n'
        f"<references />\n[[{category}:{title}]]\n"
    )


def _header(language: str) -> str:
    return (
        f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="{language}">\n'
        f"<siteinfo><sitename>Demo</sitename><dbname>{language}wiki</dbname><generator>corpus demo</generator>"
        '<namespaces><namespace key="0" case="first-letter" />'
        '<namespace key="1" case="first-letter">Talk</namespace></namespaces></siteinfo>\n'
    )


def _xml(number: int, page: Page) -> str:
    redirect = "" if page.redirect is None else f"<redirect title={quoteattr(page.redirect)} />"
    size = len(page.text.encode())
    return (
        f"<page><title>{escape(page.title)}</title><ns>{page.namespace}</ns><id>{number}</id>{redirect}"
        f"<revision><id>{100_000 + number}</id><timestamp>2022-07-{1 + number % 28:02d}T10:00:00Z</timestamp>"
        f"<model>wikitext</model><format>text/x-wiki</format>"
        f'<text bytes="{size}" xml:space="preserve">{escape(page.text)}</text></revision></page>\n'
    )
