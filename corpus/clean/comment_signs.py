"""By which signs the languages of source files begin and end their comments."""

import posixpath
import re
from functools import cache
from typing import NamedTuple

# What begins a comment of one line, as a regular expression; documentation and what only looks like a comment excluded.
_SLASHES = r"//(?!go:|[ \t]*\+build)"
_HASH = r"\#(?![!'])"  # neither an interpreter's line nor R's documentation
_HASH_BUT_DIRECTIVES = r"\#(?!!|(?:include|define|undef|if|ifn?def|pragma|import)\b)"
_DASHES = r"--(?!\[=*\[|[ \t]*\|)"  # neither Lua's --[[ nor Haskell's documentation
_PERCENT = r"%(?!\{)"

_PAIRS = {
    "/*": "*/",
    "<!--": "-->",
    "(*": "*)",
    "{-": "-}",
    "{": "}",
    "#=": "=#",
    "#|": "|#",
    "#[": "]#",
    "<#": "#>",
    "###": "###",
    "%{": "%}",
    "/+": "+/",
    "=begin": "\n=end",
    '"""': '"""',
    "'''": "'''",
}
_OPENINGS = {  # where more than the sign itself must be right
    "{-": r"\{-(?![\#|])",
    "{": r"\{(?!\$)",
    "#=": r"\#=",
    "#|": r"\#\|",
    "#[": r"\#\[(?!\[|=*\[)",
    "<#": r"<\#",
    "###": r"\#\#\#(?!\#)",
    '"""': r"[RrUu]?\"{3}",
    "'''": r"[RrUu]?'{3}",
    "long bracket": r"(?:--|\#)\[=*\[",
    "plain /*": r"/\*(?![*!])",
    # C#: one that is called so and has nothing but comments in it
    "region": r"\#region\b[^\n]*(?i:licen[cs]e|copyright|header)[^\n]*"
    r"(?=\n(?:[ \t]*+(?://[^\n]*)?\n)*+[ \t]*\#endregion[ \t\r]*(?:\n|\Z))",
}


class Signs(NamedTuple):
    """The comments of a language.

    Attributes:
        lines: matches a block of comment lines, None where the language has none.
        block: matches what opens a comment of many lines; the group that took part is the sign.
    """

    lines: re.Pattern[str] | None
    block: re.Pattern[str]

    @staticmethod
    def closing(sign: str) -> str:
        """What ends the comment that `sign` begins."""
        bracket = re.fullmatch(r"(?:--|#)\[(=*)\[", sign)
        if bracket:
            return f"]{bracket[1]}]"
        if sign.startswith("#region"):
            return "#endregion"
        return _PAIRS[sign.lstrip("RrUu")]


_C_BLOCKS = ("/*",)
_LANGUAGES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # endings and names; signs of lines; signs of blocks
    (
        ".c .h .cc .hh .cpp .hpp .cxx .hxx .c++ .h++ .cu .cuh .mm .java .kt .kts .scala .groovy .gradle",
        (_SLASHES,),
        _C_BLOCKS,
    ),
    (".go .js .mjs .cjs .jsx .ts .tsx .scss .less .proto .glsl .sv Jenkinsfile", (_SLASHES,), _C_BLOCKS),
    (".cs", (r"//(?!/)",), ("/*", "region")),
    (".swift .dart", (r"//(?!/)",), _C_BLOCKS),
    (".rs", (r"//(?![/!])",), ("plain /*",)),
    (".zig", (r"//(?![/!])",), ()),
    (".d", (r"//(?!/)",), ("/*", "/+")),
    (".fs", (r"//(?!/)",), ("(*",)),
    (".m", (_SLASHES, _PERCENT), ("/*", "%{")),
    (".v", (_SLASHES,), ("/*", "(*")),
    (".css", (), _C_BLOCKS),
    (".vue .html .xml .md .markdown", (), ("<!--",)),
    (".php .phpt", (_SLASHES, _HASH), _C_BLOCKS),
    (".tf", (_SLASHES, _HASH), _C_BLOCKS),
    (".nix", (_HASH,), _C_BLOCKS),
    (".sh .bash .zsh .fish .awk .tcl .pl .pm .pod .r .ex .exs .mk .am .graphql .smali", (_HASH,), ()),
    ("Makefile Dockerfile Rakefile Gemfile", (_HASH,), ()),
    (".py .pyi .pyx .bzl BUILD SConstruct", (_HASH,), ('"""', "'''")),
    (".rb", (_HASH,), ("=begin",)),
    (".jl", (_HASH + "(?!=)",), ("#=", '"""')),
    (".nim", (_HASH + r"(?!\[)",), ("#[",)),
    (".coffee", (_HASH + r"(?!\#\#)",), ("###",)),
    (".cmake CMakeLists.txt", (_HASH + r"(?!\[=*\[)",), ("long bracket",)),
    (".ps1 .psd1 .psm1", (_HASH,), ("<#",)),
    (".sql", (_DASHES, _HASH), _C_BLOCKS),
    (".lua", (_DASHES,), ("long bracket",)),
    (".hs .lhs", (_DASHES,), ("{-",)),
    (".ada .adb .ads .vhd .vhdl", (_DASHES,), ()),
    (".ml .mli", (), ("(*",)),
    (".pas", (r"//",), ("{", "(*")),
    (".el .clj .ll", (";",), ()),
    (".lisp .scm .rkt", (";",), ("#|",)),
    (".asm .s", (";", r"//", r"@", _HASH_BUT_DIRECTIVES), _C_BLOCKS),
    (".tex .erl .hrl", (_PERCENT,), ()),
    (".vim", ('"',), ()),
    (".vb", (r"'(?!'')", r"(?i:rem)\b"), ()),
    (".bat .cmd", (r"@?(?i:rem)\b", "::"), ()),
    (".f90 .f95 .f03 .f08", ("!",), ()),
    (".f .for .f77", ("!", r"(?<![ \t])[cC*](?=[ \t*\-=]|[ \t\r]*$)"), ()),
    (".cob", (r"\*>", r"(?<=^)[^\n]{6}\*"), ()),
    (".rst", (r"\.\.(?=[ \t])(?![ \t]*(?:[\w:+-]+::|\[|_|\|))[^\n]*(?:\n[ \t]+\S[^\n]*)*",), ()),
    (".txt", (), ()),
)
_ANY: tuple[tuple[str, ...], tuple[str, ...]] = (
    (_SLASHES, _HASH_BUT_DIRECTIVES, _DASHES, ";", _PERCENT),
    ("/*", "<!--", '"""', "'''"),
)
"""Of a file whose language is not known."""


@cache
def signs_of(name: str) -> Signs:
    """Those of the language of a file with this name, or ending."""
    lines, blocks = _table().get(_key(name), _ANY)
    line = "|".join(lines)
    openings = "|".join(f"({_OPENINGS.get(sign, re.escape(sign))})" for sign in blocks)
    return Signs(
        re.compile(rf"(?:[ \t]*(?:{line})[^\n]*(?:\n|\Z))++", re.MULTILINE) if lines else None,
        re.compile(rf"[ \t]*(?:{openings or '(?!)'})"),
    )


_TOOL = r"(?:(?:es|ts|js|style)lint\b|jshint\b|globals?\b|prettier-|istanbul\b|@flow\b|@ts-|@jsx\b|@format\b)"
"""What a comment begins with that is meant for a tool of JavaScript."""
_HEADER = r"[^\n]*(?:copyright|licen[cs]|\(c\)|©)"
_PREAMBLE = re.compile(
    rf"""(?:
        \#![^\n]*(?:\n|\Z)                                                     # interpreter
        | [ \t]*(?:\#|//|--|;|%|"|!|'|/\*|<!--)[^\n]{{0,200}}?
          (?:-\*-|coding[:=]|frozen_string_literal:|\bvim?:)[^\n]*(?:\n|\Z)
        | (?:<\?php|<\?xml[^\n]{{0,200}}?\?>|<!doctype[^\n>]{{0,200}}>)[ \t\r]*(?:\n|\Z)
        | (?://go:build|//[ \t]*\+build)[^\n]*(?:\n|\Z)
        | @echo[ \t]+off[^\n]*(?:\n|\Z)
        | ['"]use[ ]strict['"];?[ \t\r]*(?:\n|\Z)
        | @charset[ ][^\n;]{{1,40}};[ \t\r]*(?:\n|\Z)
        | \#pragma[ \t]+once[ \t\r]*(?:\n|\Z)
        | \#ifndef[ \t]+(\w+)[ \t\r]*\n[ \t]*\#define[ \t]+\1[ \t\r]*(?:\n|\Z)       # include guard
        | \{{-\#[^\n]{{0,400}}?\#-\}}[ \t\r]*(?:\n|\Z)                              # Haskell's pragmas
        | package[ \t]+[\w.]+[ \t]*;[ \t\r]*(?:\n|\Z)
        | [ \t]*//[ \t]*{_TOOL}[^\n]*(?:\n|\Z)
        | [ \t]*/\*[ \t]*(?:{_TOOL}|(?!{_HEADER})[\w+./-]{{1,80}}\.[a-z]{{1,5}}\b)           # its file's name
          (?:(?!\*/)[^\n]){{0,400}}\*/[ \t\r]*(?:\n|\Z)
        | [ \t\r]*\n
    )*+""",
    re.VERBOSE | re.IGNORECASE,
)
"""What stays above a header: interpreter, encoding, editor, linter and build lines, include guards, Java's package, a
comment of one line that names its file, what opens PHP, XML and HTML, empty lines."""


def preamble_end(text: str) -> int:
    """Where what stays above a header ends."""
    preamble = _PREAMBLE.match(text)
    return 0 if preamble is None else preamble.end()


def _key(name: str) -> str:
    """Under which a file is found in the table: its whole name, or the ending of it in lower case."""
    return name if name in _table() else posixpath.splitext(f"x{name}" if name.startswith(".") else name)[1].lower()


@cache
def _table() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {key: (lines, blocks) for keys, lines, blocks in _LANGUAGES for key in keys.split()}
