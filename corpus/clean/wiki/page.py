"""One page of wikitext while its tokens are read: one pass with a stack of open constructs."""

import html
import re
from collections.abc import Mapping

from corpus.clean.wiki.kinds import BAR, EQUALS
from corpus.clean.wiki.repair import GONE, HOLE
from corpus.clean.wiki.templates import COMPUTED, Template, find, template
from corpus.text.mediawiki import hidden_namespaces
from corpus.text.scripts import subscript, superscript

MAX_DEPTH = 100
"""Open constructs within each other. MediaWiki's own limits: 40 for templates, 100 for its preprocessor's tree."""

MARK = "\ue000"
"""Encloses the number of a verbatim piece while the text around it is worked on."""

_OURS = re.compile(f"[{MARK}-{HOLE}]")  # private use, all of them

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
    *("b", "i", "u", "s", "em", "strong", "small", "big", "span", "font", "tt", "code", "kbd", "samp"),
    *("var", "cite", "abbr", "q", "del", "ins", "strike", "dfn", "mark", "bdi", "bdo", "rp", "rt", "rb", "ruby", "wbr"),
    *("a", "img", "time", "data", "noinclude", "onlyinclude", "nobr", "nop", "langconvert", "link", "meta"),
)
_TAGS = {
    **dict.fromkeys(_INLINE_TAGS, "inline"),
    **dict.fromkeys(_BLOCK_TAGS, "block"),
    **dict.fromkeys(_VERBATIM_TAGS, "verbatim"),
    **dict.fromkeys(_DROPPED_TAGS, "dropped"),
    **dict.fromkeys(("sub", "sup"), "script"),
}

# What has nothing within it is read in one step: links, references, templates. Then the marks of everything else.
_TOKEN = re.compile(
    r"""\[\[(?P<target>[^\[\]{}|<>\n]+)(?:\|(?P<label>[^\[\]{}|<>\n]*))?\]\]
    | <[rR][eE][fF](?:\s[^<>]*?)?(?:/>|>[^<]*</[rR][eE][fF]\s*>)
    | \{\{(?P<body>[^{}\[\]<>]*)\}\}
    | < | \{[{|] | \}\} | \[\[? | \] | \|\}""",
    re.VERBOSE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*?)?([/\\]?)\s?>")
_TAG_END = {tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in _VERBATIM_TAGS}
_QUOTED_TAG = re.compile(
    r"<[a-zA-Z][a-zA-Z0-9]*(?:\s+[\w:-]+(?:\s*=\s*(?:\"[^\"<\n]*\"|'[^'<\n]*'|[^\s\"'<>=]+))?)+\s*/?>"
)
_ADDRESS = r"(?:(?:https?|ftps?|irc|news|gopher|git|svn)://|mailto:)"
_LINKED_ADDRESS = re.compile(rf"(?:{_ADDRESS}|//)[^\s\[\]<>\"]*[ \t]*", re.IGNORECASE)
_MAX_INDENT = 100  # a table mark further into its line is not looked at, so that no line is read over and over

_SPOILT = re.compile(r"^[ \t]*[|!].*\n?", re.MULTILINE)
_OTHER_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z-]+)?")
_TEMPLATE_NAME = re.compile(r"[^{}|\[\]<>]*")
_LINK_PREFIX = re.compile(r"\s*([^\[\]{}|<>:\n]{1,40}):")
_LINE_MARKS = f" \t*#:;{GONE}{HOLE}"
_REST_OF_LINE = re.compile(r"[ \t]*(?:\n|\Z|\{\{|\{\||<!--)")
_LINE_END = re.compile(r"[ \t]*(?:\n|\Z)")
_AFTER_A_WORD = re.compile(r"[\w.,;:!?)\]»”\"'’](?<![\u2e80-\U0003ffff])\Z")  # Chinese and Japanese have no spaces
_AFTER_A_SENTENCE = re.compile(r"[.!?。…:][\"”»)\]']*\s*\Z")
_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}")
_AFTER_A_MARK = re.compile(r"[ \t]*(?:\[\[|\{\{|[.,;:!?)]|\n|\Z)")
_FILE_NAME = re.compile(r".+\.(?:og[gav]|jpe?g|png|svg|gif|webm|mid|wav|mp3)", re.IGNORECASE)
_TAIL = 300  # characters before a template that are looked at, and
_TAIL_PARTS = 30  # pieces of text that they are in


class _Frame:
    """An open construct and the text in it so far. `silent`: no text of it is wanted."""

    __slots__ = ("kind", "parts", "silent")

    def __init__(self, kind: str, silent: bool = False) -> None:
        self.kind = kind
        self.parts: list[str] = []
        self.silent = silent


class Page:
    """One page while its tokens are read.

    Attributes:
        text: without nested markup; headings, lists, quotes, character references and the marks of
            `corpus.clean.wiki.repair` are still there.
        too_deep: the text is not complete.
    """

    def __init__(
        self, text: str, language: str, title: str, hidden: frozenset[str], redirects: Mapping[str, str]
    ) -> None:
        self.too_deep = False
        self._language = language
        self._title = title
        self._redirects = redirects
        self._hidden = hidden_namespaces(language) | hidden if hidden else hidden_namespaces(language)
        self._source = _OURS.sub("", text) if _OURS.search(text) else text
        self._verbatim: list[str] = []
        self._stack = [_Frame("page")]
        self._silent = 0  # open frames that are
        self._absent: set[str] = set()  # what is known not to come any more, so that no search is repeated
        self._read()
        while len(self._stack) > 1:
            self._give_up()
        self.text = "".join(self._stack[0].parts).replace(BAR, "|").replace(EQUALS, "=")

    def verbatim_back(self, text: str) -> str:
        return re.sub(f"{MARK}(\\d+){MARK}", lambda found: self._verbatim[int(found[1])], text)

    def _read(self) -> None:
        source, position, search, stack = self._source, 0, _TOKEN.search, self._stack
        while token := search(source, position):
            start = token.start()
            if start > position:
                stack[-1].parts.append(source[position:start])
            kind = token.lastgroup
            if kind is None:
                mark = token[0]
                if len(mark) > 2:  # a whole reference
                    self._gone(start)
                    position = token.end()
                    continue
                if len(stack) > MAX_DEPTH:
                    self.too_deep = True
                    return
                position = self._mark(mark, start)
                continue
            position = token.end()
            if kind == "body":
                body = token["body"]
                if body == "!" and source.startswith("}", position) and self._begins_line(start):
                    self._close("{|")  # {{!}}} is |}
                    position += 1
                elif not self._silent:
                    self._template(body, start, position)
            else:
                target, label = token["target"], token["label"]
                if ":" in target:
                    self._link(target, label, start)
                else:
                    stack[-1].parts.append(target.strip() if label is None else label)
        stack[-1].parts.append(source[position:])

    def _mark(self, mark: str, start: int) -> int:
        """Does what the mark at `start` means; gives where to read on."""
        after = start + len(mark)
        if mark == "<":
            return self._tag(start)
        if mark == "{{":
            name = _TEMPLATE_NAME.match(self._source, after)
            entry = find(self._language, name[0][:255].strip())[1] if name else None
            self._open("{{", entry is not None and entry.kind == "drop")
        elif mark == "[[":
            prefix = _LINK_PREFIX.match(self._source, after)
            self._open("[[", prefix is not None and self._is_hidden(prefix[1]))
        elif mark == "}}":
            return self._close_template(start, after)
        elif mark == "]":
            return self._close_link(after)
        elif mark == "[":
            if address := _LINKED_ADDRESS.match(self._source, after):
                end, line = self._find("]", after), self._find("\n", after)
                if end >= 0 and (line < 0 or end < line):
                    self._open("[")
                return address.end()
            self._add("[")
        elif mark == "{|" and self._begins_line(start):
            self._open("{|", True)
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
        source = self._source
        if source.startswith("<!--", start):
            return self._comment(start)
        tag = _TAG.match(source, start)
        name = tag[2].lower() if tag else ""
        kind = _TAGS.get(name)
        if tag is None or kind is None:
            self._add("<")
            return start + 1
        end = tag.end()
        closing, alone = bool(tag[1]), bool(tag[3])
        if kind == "dropped" and ('"' in tag[0] or "'" in tag[0]) and (quoted := _QUOTED_TAG.match(source, start)):
            end, alone = quoted.end(), source[quoted.end() - 2] == "/"  # <ref name="a>b">
        if kind == "block":
            self._add("\n")
        elif kind == "script" and not alone:
            if closing:
                self._close_script(name)
            else:
                self._open(name)
        elif kind == "dropped" and not alone:
            if closing:
                self._close(name)
            else:
                self._open(name, True)
        elif kind == "verbatim" and not alone and not closing and name not in self._absent:
            if end_tag := _TAG_END[name].search(source, end):
                content = source[end : end_tag.start()]
                mark = f"{MARK}{len(self._verbatim)}{MARK}"
                self._add(mark if name in ("nowiki", "math", "chem") else f"\n{mark}\n")
                self._verbatim.append(_verbatim_text(name, content))
                return end_tag.end()
            self._absent.add(name)
        return end

    def _comment(self, start: int) -> int:
        """One that has a line to itself goes with the line, as in MediaWiki."""
        source = self._source
        end = self._find("-->", start + 4)
        if end < 0:
            return len(source)
        after = end + 3
        if start and source[start - 1] == "\n" and source.startswith("\n", after):
            return after + 1
        return after

    def _close_template(self, start: int, after: int) -> int:
        for depth in range(len(self._stack) - 1, 0, -1):
            kind = self._stack[depth].kind
            if kind == "{{":
                content = self._pop(depth)
                if content.startswith("{") and self._source.startswith("}", after):  # {{{parameter|default}}}
                    self._add(content[1:].partition("|")[2])
                    return after + 1
                self._template(content, start, after)
                break
            if kind not in ("[[", "[", "sub", "sup"):
                break  # a brace within a table or reference does not end what is around it
        return after

    def _close_link(self, after: int) -> int:
        while self._stack[-1].kind in ("sub", "sup"):
            self._give_up()
        kind = self._stack[-1].kind
        double = self._source.startswith("]", after)
        if kind == "[":
            self._add(self._pop(len(self._stack) - 1))
            return after
        if kind == "[[" and double:
            target, bar, label = self._pop(len(self._stack) - 1).partition("|")
            self._link(target, label if bar else None, after)
        elif not double:
            self._add("]")
        return after + double

    def _close_script(self, kind: str) -> None:
        if self._stack[-1].kind == kind:
            text = self._pop(len(self._stack) - 1)
            write = superscript if kind == "sup" else subscript
            self._add(write(self._tail()[-4:], text))

    def _close(self, kind: str) -> None:
        """Forgets what is within the innermost construct of this kind; nothing where none is open."""
        for depth in range(len(self._stack) - 1, 0, -1):
            if self._stack[depth].kind == kind:
                self._pop(depth)
                if kind == "ref":
                    self._add(GONE)
                return

    def _open(self, kind: str, silent: bool = False) -> None:
        self._stack.append(_Frame(kind, silent))
        self._silent += silent

    def _pop(self, depth: int) -> str:
        while len(self._stack) > depth + 1:
            self._give_up()
        frame = self._stack.pop()
        self._silent -= frame.silent
        return "".join(frame.parts)

    def _give_up(self) -> None:
        """The innermost construct is not closed: its text belongs to what is around it."""
        frame = self._stack.pop()
        self._silent -= frame.silent
        text = "".join(frame.parts)
        if frame.kind == "{|":
            text = text.partition("\n")[2]  # its first line holds the attributes of the table
        self._add(_SPOILT.sub("", text) if frame.kind in ("{{", "{|") else text)

    def _add(self, text: str) -> None:
        if text:
            self._stack[-1].parts.append(text)

    def _gone(self, start: int) -> None:
        """Leaves a mark where a reference was, if what is before it may have to be repaired."""
        if start and self._source[start - 1] in " \t\n(":
            self._stack[-1].parts.append(GONE)

    def _find(self, what: str, start: int) -> int:
        if what in self._absent:
            return -1
        found = self._source.find(what, start)
        if found < 0:
            self._absent.add(what)
        return found

    def _tail(self) -> str:
        """The end of the text so far in the innermost construct, on its last line."""
        tail = ""
        for part in self._stack[-1].parts[: -_TAIL_PARTS - 1 : -1]:
            tail = part[-_TAIL:] + tail
            if "\n" in part or len(tail) > _TAIL:
                break
        return tail.rpartition("\n")[2]

    def _is_hidden(self, prefix: str) -> bool:
        return prefix.strip().lower().replace("_", " ") in self._hidden

    def _link(self, target: str, label: str | None, start: int) -> None:
        prefix, colon, _ = target.strip().partition(":")
        if colon and prefix and (self._is_hidden(prefix) or (label is None and _OTHER_LANGUAGE.fullmatch(prefix))):
            self._add(GONE)
            return
        self._add(target.strip().removeprefix(":") if label is None else label)

    def _template(self, body: str, start: int, after: int) -> None:
        if self._silent:
            return
        used = template(body, self._language, self._title, self._redirects)
        entry = used.entry
        if entry is None:
            text = self._unknown(used, after, "\n" in body)
        elif entry.kind != "drop":
            value = used.value()
            text = (
                self._hole(after)
                if value is None
                else value.strip("\n")
                if value.strip()
                else _blank(value, entry.kind)
            )
            if entry.kind == "quote" and "\n" in text:
                text = f"\n{text}\n"
        else:
            text = self._hole(after) if entry.rule == COMPUTED else GONE
        if text.startswith("&#91;") and text.endswith("&#93;") and self._tail().endswith("["):
            text = text[5:-5]  # [{{IPA|...}}]
        self._add(text)

    def _hole(self, after: int) -> str:
        """Readers see something here that is not on the page: a hole, unless it stands for itself."""
        return GONE if self._is_alone(self._tail(), after) else HOLE

    def _is_alone(self, before: str, after: int) -> bool:
        return not before.strip(_LINE_MARKS) and _REST_OF_LINE.match(self._source, after) is not None

    def _unknown(self, used: Template, after: int, is_long: bool) -> str:
        """A name that is not in the table. By its place it is a box, a note at a word or between sentences, or a part
        of a sentence: of that its only argument is the best guess, and without one there is a hole. `is_long`: over
        more than one line, which only boxes are."""
        source = self._source
        before = self._tail()
        if is_long or self._is_alone(before, after):
            return used.quotation() if self._follows_colon() else GONE
        text = before.strip(_LINE_MARKS)
        follows = source[after : after + 1]
        if text and _AFTER_A_WORD.search(before) and not follows.isalnum():
            return GONE
        if _AFTER_A_SENTENCE.search(before) and (
            _LINE_END.match(source, after) or source[after : after + 2].lstrip().isupper()
        ):
            return used.quotation() or GONE
        guess = used.guess()
        if guess is not None:
            return GONE if not guess or _FILE_NAME.fullmatch(guess) else guess
        if not any(used.call.parts) and (
            not text or _LANGUAGE_CODE.fullmatch(used.call.name) or _AFTER_A_MARK.match(source, after)
        ):
            return GONE  # a sign in front of a link, or a mark
        return HOLE

    def _follows_colon(self) -> bool:
        """Whether the text before this line ends with a colon."""
        for part in self._stack[-1].parts[: -_TAIL_PARTS - 1 : -1]:
            if text := part.rstrip(_LINE_MARKS + "\n"):
                return text.endswith(":") or part.rstrip(" \n").endswith(":")
        return False


def _blank(value: str, kind: str) -> str:
    """A template that is a space, such as {{spaces}}, or one whose arguments are empty."""
    return " " if value and kind == "text" else GONE


def _verbatim_text(tag: str, content: str) -> str:
    if tag in ("math", "chem"):
        return content.strip()
    return html.unescape(content if tag == "nowiki" else content.strip("\n"))
