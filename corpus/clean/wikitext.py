"""Removes MediaWiki markup."""

import html
import re
from typing import ClassVar

import pyarrow as pa

from corpus.rules import Cleaned, Cleaner
from corpus.text.mediawiki import END_SECTIONS, HIDDEN_NAMESPACES

_MAX_BYTES = 2 << 20
"""The longest page MediaWiki saves by default ($wgMaxArticleSize, 2,048 kB)."""

_MAX_DEPTH = 100
"""Open constructs within each other. MediaWiki's own limits: 40 for templates, 100 for its preprocessor's tree."""


class Wikitext(Cleaner):
    """Wikitext to plain text, in one pass over its tokens with a stack, so that no input is slower than linear.

    Parsers that try constructs out and go back, as mwparserfromhell does, take minutes for 80 kB of unclosed "{{a|".

    Gone: comments, templates, tables, references, files, media, categories, links to other languages, magic words,
    bare addresses, and the sections that hold references, notes and links (`corpus.text.mediawiki.END_SECTIONS`, by
    the document's language; none where the table lacks it). Kept: the text of links, of formatting tags, of {{lang}}
    and {{nowrap}}; what <nowiki>, <pre> and <syntaxhighlight> hold, untouched; the LaTeX of <math>; headings as plain
    lines, unless nothing follows below them. An opening without its end loses only its mark; within a table or
    template that is not closed, lines of cells and parameters ("|", "!") go too.

    Reasons: too_long (over 2 MiB), markup_too_deep (over 100 constructs within each other), empty.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.47  # measured on a few MB of real files
    reasons: ClassVar[tuple[str, ...]] = ("too_long", "markup_too_deep", "empty")

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        texts: list[str] = []
        reasons: list[str | None] = []
        for text, language in zip(batch["text"].to_pylist(), batch["language"].to_pylist(), strict=True):
            plain, reason = plain_text(text, END_SECTIONS.get(language, frozenset()))
            texts.append(plain)
            reasons.append(reason)
        return Cleaned(pa.array(texts, pa.large_string()), pa.array(reasons, pa.string()))


def plain_text(text: str, end_sections: frozenset[str] = frozenset()) -> tuple[str, str | None]:
    """The text without markup and without the sections so titled (lower case); or "" and the reason to drop it."""
    if len(text) > _MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        return "", "too_long"
    page = _Page(text)
    if page.too_deep:
        return "", "markup_too_deep"
    plain = page.verbatim_back(_sections(_lines(page.text), end_sections))
    return (plain, None) if plain else ("", "empty")


_DROPPED_TAGS = (
    *("ref", "references", "gallery", "timeline", "imagemap", "score", "hiero", "templatedata", "templatestyles"),
    *("graph", "mapframe", "maplink", "inputbox", "categorytree", "indicator", "style", "script", "table"),
    *("includeonly", "section", "ce", "dynamicpagelist"),
)
_VERBATIM_TAGS = ("nowiki", "pre", "syntaxhighlight", "source", "math", "chem")
_BLOCK_TAGS = (
    *("br", "hr", "p", "div", "center", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "poem", "tr", "td", "th"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "caption", "tbody", "thead", "article"),
)
_INLINE_TAGS = (
    *("b", "i", "u", "s", "em", "strong", "small", "big", "sub", "sup", "span", "font", "tt", "code", "kbd", "samp"),
    *("var", "cite", "abbr", "q", "del", "ins", "strike", "dfn", "mark", "bdi", "bdo", "rp", "rt", "rb", "ruby", "wbr"),
    *("a", "img", "time", "data", "noinclude", "onlyinclude", "nobr", "nop", "langconvert", "link", "meta"),
)
_TAGS = {
    **dict.fromkeys(_INLINE_TAGS, "inline"),
    **dict.fromkeys(_BLOCK_TAGS, "block"),
    **dict.fromkeys(_VERBATIM_TAGS, "verbatim"),
    **dict.fromkeys(_DROPPED_TAGS, "dropped"),
}

_TOKEN = re.compile(r"<|\{[{|]|\}\}|\[\[?|\]|\|\}")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*?)?(/?)>")
_TAG_END = {tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in _VERBATIM_TAGS}
_ADDRESS = r"(?:(?:https?|ftps?|irc|news|gopher|git|svn)://|mailto:)"
_LINKED_ADDRESS = re.compile(rf"(?:{_ADDRESS}|//)[^\s\[\]<>\"]*[ \t]*", re.IGNORECASE)
_BARE_ADDRESS = re.compile(rf"\b{_ADDRESS}[^\s<>\[\]{{}}|\"]+(?<![.,;:!?)'])", re.IGNORECASE)
_MAX_INDENT = 100  # a table mark further into its line is not looked at, so that no line is read over and over

_MARK = "\ue000"  # private use; encloses the number of a verbatim piece while the text around it is worked on
_SPOILT = re.compile(r"^[ \t]*[|!].*\n?", re.MULTILINE)
_PARAMETER_NAME = re.compile(r"\s*[\w-]+\s*=")
_OTHER_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z-]+)?")


class _Frame:
    """An open construct and the text in it so far."""

    __slots__ = ("kind", "parts")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parts: list[str] = []


class _Page:
    """One page while its tokens are read.

    Attributes:
        text: without nested markup; headings, lists, quotes and character references are still there.
        too_deep: the text is not complete.
    """

    def __init__(self, text: str) -> None:
        self.too_deep = False
        self._source = text.replace(_MARK, "")
        self._verbatim: list[str] = []
        self._stack = [_Frame("page")]
        self._absent: set[str] = set()  # what is known not to come any more, so that no search is repeated
        self._read()
        while len(self._stack) > 1:
            self._give_up()
        self.text = "".join(self._stack[0].parts)

    def verbatim_back(self, text: str) -> str:
        return re.sub(f"{_MARK}(\\d+){_MARK}", lambda found: self._verbatim[int(found[1])], text)

    def _read(self) -> None:
        source, position = self._source, 0
        while token := _TOKEN.search(source, position):
            if len(self._stack) > _MAX_DEPTH:
                self.too_deep = True
                return
            self._add(source[position : token.start()])
            position = self._token(token[0], token.start())
        self._add(source[position:])

    def _token(self, mark: str, start: int) -> int:
        """Does what the mark at `start` means; gives where to read on."""
        after = start + len(mark)
        if mark == "<":
            return self._tag(start)
        if mark in ("{{", "[["):
            self._stack.append(_Frame(mark))
        elif mark == "}}":
            return self._close_template(after)
        elif mark == "]":
            return self._close_link(after)
        elif mark == "[":
            if address := _LINKED_ADDRESS.match(self._source, after):
                end, line = self._find("]", after), self._find("\n", after)
                if end >= 0 and (line < 0 or end < line):
                    self._stack.append(_Frame("["))
                return address.end()
            self._add("[")
        elif mark == "{|" and self._begins_line(start):
            self._stack.append(_Frame("{|"))
        elif mark == "|}" and self._begins_line(start) and not self._ends_template(after - 1):
            self._close("{|")
        else:
            self._add(mark[0])
            return start + 1
        return after

    def _ends_template(self, brace: int) -> bool:
        """Whether two braces follow; of three the first ends a table."""
        return self._source.startswith("}}", brace) and not self._source.startswith("}}}", brace)

    def _begins_line(self, position: int) -> bool:
        window = self._source[max(0, position - _MAX_INDENT) : position]
        indent = window.rpartition("\n")[2]
        return not indent.strip(" \t:*#") and (len(indent) < len(window) or len(window) == position)

    def _tag(self, start: int) -> int:
        if self._source.startswith("<!--", start):
            end = self._find("-->", start + 4)
            return len(self._source) if end < 0 else end + 3
        tag = _TAG.match(self._source, start)
        name = tag[2].lower() if tag else ""
        kind = _TAGS.get(name)
        if tag is None or kind is None:
            self._add("<")
            return start + 1
        closing, alone = bool(tag[1]), bool(tag[3])
        if kind == "block":
            self._add("\n")
        elif kind == "dropped" and not alone:
            if closing:
                self._close(name)
            else:
                self._stack.append(_Frame(name))
        elif kind == "verbatim" and not alone and not closing and name not in self._absent:
            if end_tag := _TAG_END[name].search(self._source, tag.end()):
                content = self._source[tag.end() : end_tag.start()]
                mark = f"{_MARK}{len(self._verbatim)}{_MARK}"
                self._add(mark if name in ("nowiki", "math", "chem") else f"\n{mark}\n")
                self._verbatim.append(_verbatim_text(name, content))
                return end_tag.end()
            self._absent.add(name)
        return tag.end()

    def _close_template(self, after: int) -> int:
        for depth in range(len(self._stack) - 1, 0, -1):
            kind = self._stack[depth].kind
            if kind == "{{":
                content = self._pop(depth)
                if content.startswith("{") and self._source.startswith("}", after):  # {{{parameter}}}
                    return after + 1
                self._add(_template_text(content))
                break
            if kind not in ("[[", "["):
                break  # a brace within a table or reference does not end what is around it
        return after

    def _close_link(self, after: int) -> int:
        kind = self._stack[-1].kind
        double = self._source.startswith("]", after)
        if kind == "[":
            self._add(self._pop(len(self._stack) - 1))
            return after
        if kind == "[[" and double:
            self._add(_link_text(self._pop(len(self._stack) - 1)))
        elif not double:
            self._add("]")
        return after + double

    def _close(self, kind: str) -> None:
        """Forgets what is within the innermost construct of this kind; nothing where none is open."""
        for depth in range(len(self._stack) - 1, 0, -1):
            if self._stack[depth].kind == kind:
                self._pop(depth)
                return

    def _pop(self, depth: int) -> str:
        while len(self._stack) > depth + 1:
            self._give_up()
        return "".join(self._stack.pop().parts)

    def _give_up(self) -> None:
        """The innermost construct is not closed: its text belongs to what is around it."""
        frame = self._stack.pop()
        text = "".join(frame.parts)
        if frame.kind == "{|":
            text = text.partition("\n")[2]  # its first line holds the attributes of the table
        self._add(_SPOILT.sub("", text) if frame.kind in ("{{", "{|") else text)

    def _add(self, text: str) -> None:
        if text:
            self._stack[-1].parts.append(text)

    def _find(self, what: str, start: int) -> int:
        if what in self._absent:
            return -1
        found = self._source.find(what, start)
        if found < 0:
            self._absent.add(what)
        return found


def _verbatim_text(tag: str, content: str) -> str:
    if tag in ("math", "chem"):
        return content.strip()
    return html.unescape(content if tag == "nowiki" else content.strip("\n"))


def _link_text(content: str) -> str:
    target, pipe, label = content.partition("|")
    prefix, colon, _ = target.strip().partition(":")
    if colon and prefix:
        if prefix.strip().lower().replace("_", " ") in HIDDEN_NAMESPACES:
            return ""
        if not pipe and _OTHER_LANGUAGE.fullmatch(prefix):
            return ""
    return label if pipe else target.strip().removeprefix(":")


def _template_text(content: str) -> str:
    """Text of the few templates that only mark it: {{lang|fr|...}}, {{lang-fr|...}}, {{nowrap|...}}."""
    name, *parameters = content.split("|")
    name = name.strip().lower()
    plain = [parameter.strip() for parameter in parameters if not _PARAMETER_NAME.match(parameter)]
    if name in ("lang", "langx"):
        return plain[1] if len(plain) > 1 else ""
    if name in ("nowrap", "nobr") or re.fullmatch(r"lang-[a-z-]+", name):
        return plain[0] if plain else ""
    return ""


_QUOTES = re.compile(r"'{2,}")
_MARK_QUOTES = {2: 2, 3: 3, 4: 3}  # run -> quotes of it that are a mark; of longer runs 5
_MAGIC_WORD = re.compile(r"__[^\W\d_]+__")
_VARIANT = re.compile(r"-\{(?:[A-Za-z-]*\|)?([^{}]*)\}-")
_EMPTY_BRACKETS = re.compile(r"[ \t]*(?:\[\s*\]|\([\s,;:/–-]*(?:\[\s*\][\s,;:/–-]*)*\))")
_BRACKET_START = re.compile(r"\((?:[ \t]*[,;:])+[ \t]*")
_SPACE_BEFORE_STOP = re.compile(r" (?=[,.](?: |$))")  # what a template leaves behind
_WORD = re.compile(r"\w")
_HEADING = re.compile(r"(={1,6})(.+?)\1[ \t]*")
_LIST = re.compile(r"[*#:;]+[ \t]*|-{4,}[ \t]*")


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines as plain text, each with the level of the heading it is, or 0."""
    if "__" in text:
        text = _MAGIC_WORD.sub(lambda word: "" if word[0].isupper() else word[0], text)
    if "-{" in text:
        text = _VARIANT.sub(lambda variant: _first_variant(variant[1]), text)
    lines: list[tuple[int, str]] = []
    for line in text.split("\n"):
        level = 0
        if line.startswith("=") and (heading := _HEADING.fullmatch(line)):
            level, line = len(heading[1]), heading[2]
        elif marks := _LIST.match(line):
            line = line[marks.end() :]
        if "''" in line:
            line = _without_quotes(line)
        if "://" in line or "mailto:" in line:
            line = _BARE_ADDRESS.sub("", line)
        if "&" in line:
            line = html.unescape(line)
        if "(" in line or "[" in line:
            line = _BRACKET_START.sub("(", _EMPTY_BRACKETS.sub("", line))
        line = _SPACE_BEFORE_STOP.sub("", " ".join(line.split()))
        lines.append((level, line if _WORD.search(line) else ""))
    return lines


def _sections(lines: list[tuple[int, str]], end_sections: frozenset[str]) -> str:
    """Joins the lines, without end sections, headings with nothing below them, and second blank lines."""
    kept: list[str] = []
    headings: list[tuple[int, str]] = []  # those above the current line that are not written yet
    skipped = 0  # level of the end section the current line is in
    for level, line in lines:
        if level:
            if skipped and level > skipped:
                continue
            headings = [heading for heading in headings if heading[0] < level]
            title = line.lower().rstrip(":").replace("ş", "ș").replace("ţ", "ț")
            skipped = level if title in end_sections else 0
            if not skipped:
                headings.append((level, line))
        elif skipped:
            continue
        elif line:
            for _, heading in headings:
                kept += ["", heading] if kept and kept[-1] else [heading]
            headings = []
            kept.append(line)
        elif kept and kept[-1]:
            kept.append("")
    return "\n".join(kept).strip()


def _without_quotes(line: str) -> str:
    """Runs of 2, 3 and 5 quotes are italic, bold and both; what is over is text (as in MediaWiki's Parser::doQuotes).

    Where neither italic nor bold would be closed, one bold mark is an apostrophe before italic: l'''Iliade''.
    """
    runs = list(_QUOTES.finditer(line))
    lengths = [_MARK_QUOTES.get(len(run[0]), 5) for run in runs]
    elided = None
    if sum(n != 3 for n in lengths) % 2 and sum(n != 2 for n in lengths) % 2:
        bold = [run.end() - 3 for run, n in zip(runs, lengths, strict=True) if n == 3]
        letter = [start for start in bold if line[start - 1 : start] != " " and line[max(0, start - 2)] == " "]
        word = [start for start in bold if line[start - 1 : start] != " "]
        elided = next(iter(letter or word or bold), None)
    pieces: list[str] = []
    position = 0
    for run, length in zip(runs, lengths, strict=True):
        literal = run.end() - length
        pieces += [line[position:literal], "'" if literal == elided else ""]
        position = run.end()
    return "".join([*pieces, line[position:]])


def _first_variant(content: str) -> str:
    """Of -{sr-ec: ...; sr-el: ...}- the first; of -{...}- the whole."""
    first = re.match(r"\s*[a-z]{2}(?:-[a-z]+)?\s*:([^;]*)", content)
    return first[1].strip() if first else content
