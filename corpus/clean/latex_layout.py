"""Figure and layout commands: the list of what goes from a paper's text, and how.

The list is ours. It holds what says how a page looks and not what it says: LaTeX's and TeX's own commands (Lamport,
LaTeX, appendix C; Knuth, The TeXbook, chapters 24 to 26), those of common packages, and figures, which are not text.
Emphasis, headings, captions, formulas, tables with their rules, references to labels and footnotes stay.
"""

import re
from typing import NamedTuple

from corpus.text.tex import Cursor, Frame, word_set
from corpus.text.tex_macros import PUBLIC_INPUTS

_SIGNATURES: dict[str, str] = {
    # space, lines, pages, sizes
    "": """
        noindent indent smallskip medskip bigskip smallbreak medbreak bigbreak hfil hfill hfilneg hss vfil vfill vfilneg
        vss null strut dotfill hrulefill newpage clearpage cleardoublepage eject supereject break goodbreak filbreak
        nobreak allowbreak nolinebreak sloppy fussy raggedbottom flushbottom raggedright raggedleft centering
        justifying frenchspacing nonfrenchspacing onecolumn twocolumn balance flushend FloatBarrier singlespacing
        onehalfspacing doublespacing nopagenumbers offinterlineskip nointerlineskip normalbaselines linenumbers
        nolinenumbers leavevmode relax protect obeylines obeyspaces nonumber notag maketitle tableofcontents
        listoffigures listoftables phantomsection makeatletter makeatother makeindex printindex newblock immediate
        tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge selectfont frontmatter mainmatter
        backmatter begingroup endgroup flushleft flushright NoBlackBoxes TagsOnRight TagsOnLeft nologo
        IEEEpeerreviewmaketitle tikzexternalize
        """,
    "*m": "vspace hspace addvspace enlargethispage",
    "o": "pagebreak nopagebreak linebreak displaybreak allowdisplaybreaks addlinespace",
    "m": """
        label pagestyle thispagestyle pagenumbering linespread hyphenation index glossary graphicspath noalign
        DeclareGraphicsExtensions hypersetup lstset sisetup tikzset pgfplotsset geometry theoremstyle floatstyle
        special message typeout includeonly newlength newsavebox usebox usetikzlibrary setstretch
        modulolinenumbers markright tikzsetnextfilename refstepcounter stepcounter
        """,
    "mm": """
        setlength addtolength setcounter addtocounter settowidth settoheight markboth numberwithin addtocontents
        counterwithin fontsize floatname restylefloat psfrag
        """,
    "mmm": "addcontentsline colorlet newfloat",
    "om": "captionsetup color pagecolor rowcolor cellcolor arrayrulecolor columncolor tikz",
    "omm": "rule",
    "mo": "newcounter",
    "ommm": "definecolor",
    "*momo": "newtheorem",
    "omo": "usepackage RequirePackage documentclass documentstyle",
    "*moomm": "newenvironment renewenvironment",
    # figures, and pages of a PDF
    "*oom": """
        includegraphics includepdf includepdfmerge includesvg includestandalone
        epsfbox epsffile epsfig psfig plotone figurenum
        """,
    "*omm": "plottwo",
    # a box or a colour, of which the content stays
    "k": "centerline leftline rightline fbox Hy@raisedlink",
    "mk": "hyperlink hypertarget",
    "ook": "makebox framebox",
    "omk": "textcolor colorbox rotatebox",
    "mok": "scalebox",
    "mook": "raisebox",
    "*mmk": "resizebox",
    "ommk": "fcolorbox",
    "ooomk": "parbox",
    # parameters and registers of TeX
    "=": """
        hsize vsize hoffset voffset baselineskip lineskip lineskiplimit parskip parindent topskip splittopskip maxdepth
        leftskip rightskip parfillskip spaceskip xspaceskip tabskip abovedisplayskip belowdisplayskip
        abovedisplayshortskip belowdisplayshortskip hangindent hangafter overfullrule hfuzz vfuzz hbadness vbadness
        tolerance pretolerance emergencystretch clubpenalty widowpenalty displaywidowpenalty brokenpenalty
        interlinepenalty binoppenalty relpenalty hyphenpenalty exhyphenpenalty predisplaypenalty postdisplaypenalty
        pageno magnification mathsurround nulldelimiterspace scriptspace delimitershortfall delimiterfactor textwidth
        textheight topmargin oddsidemargin evensidemargin headheight headsep footskip columnsep columnseprule
        marginparwidth marginparsep tabcolsep arraycolsep arrayrulewidth jot itemsep parsep topsep partopsep labelsep
        labelwidth leftmargin rightmargin itemindent listparindent abovecaptionskip belowcaptionskip textfloatsep
        floatsep intextsep fboxsep fboxrule footnotesep normalbaselineskip everypar everymath everydisplay headline
        footline output pdfoutput pdfminorversion pdfpagewidth pdfpageheight pdfcompresslevel looseness epsfxsize
        epsfysize endlinechar smallskipamount medskipamount bigskipamount unitlength
        """,
    "g": "hskip vskip hglue vglue kern mskip mkern penalty",
    "r": "vrule hrule",
    "n": "newdimen newskip newcount newtoks newbox newfam newmuskip newread newwrite newif newinsert",
    "d": "mathchardef chardef skewchar hyphenchar",
    "f": "textfont scriptfont scriptscriptfont",
    "c": "catcode mathcode lccode uccode delcode sfcode",
    "a": "advance multiply divide",
    "w": "write",
    "i": "input",
}
"""Names of commands by what goes with them: `*` perhaps a star, `o` perhaps an argument in brackets, `m` an argument,
`k` an argument that stays, `=` a value that is given to it, `g` a length or number, `r` the measures of a rule, and
what the rest of `_PATTERNS` says. A command stays where that does not follow it."""

_TITLE_PAGE = dict.fromkeys(
    word_set(
        """
    title author date thanks address email affiliation affil institute institution altaffiliation altaddress subtitle
    keywords pacs preprint received accepted shorttitle shortauthors titlerunning authorrunning subjclass dedicatory
    urladdr curraddr homepage collaboration offprints orcid
        """
    ),
    "*om",
)
"""The same of a title page."""

_LAYOUT_TAGS = {
    **dict.fromkeys(("center", "flushleft", "flushright", "sloppypar", "titlepage", "samepage", "landscape"), ""),
    **dict.fromkeys(("refsection", "refsegment"), "o"),
    **dict.fromkeys(("small", "footnotesize", "scriptsize", "tiny", "normalsize", "large", "frontmatter"), ""),
    **dict.fromkeys(("singlespace", "doublespace", "onehalfspace", "raggedright", "raggedleft", "linenumbers"), ""),
    **dict.fromkeys(("spacing", "multicols", "adjustbox"), "m"),
    "minipage": "ooom",
    "adjustwidth": "mm",
}
"""Environments that are nothing but layout, with what follows their names: what they enclose stays."""

_PLACED_FLOAT = re.compile(r"(\s*\{(?:sideways)?(?:figure|table|algorithm)\*?\})\s*\[[^\[\]]{0,20}\]")
"""Environments that stay, without the places on a page that are allowed for them."""

_DRAWINGS = frozenset({"picture", "tikzpicture", "pspicture", "pspicture*", "pgfpicture", "fmffile", "overpic"})
"""Environments whose content draws; they go as a whole."""

_PUBLIC = "|".join(sorted(PUBLIC_INPUTS, key=len, reverse=True))
_LENGTH = r"""
    (?:[-+]\s*)*+(?:
        (?:\d++(?:[.,]\d*+)?|[.,]\d++)\s*+(?:(?:true\s*)?(?:pt|pc|in|bp|cm|mm|dd|cc|sp|ex|em|mu|fil{1,3})(?![A-Za-z]))?
        | \\magstep\s*\d
        | (?:\d+\.?\d*|\.\d+)?\\[A-Za-z@]+
        | ['"`][\dA-Fa-f]+)
"""
_GLUE = rf"{_LENGTH}(?:\s*plus\s*{_LENGTH})?(?:\s*minus\s*{_LENGTH})?[ ]?"
_NAME = r"\s*\\[A-Za-z@]+"
_CHARACTER = r"\s*(?:`\\?.|['\"]?[\dA-Fa-f]+|\\active)"
_PATTERNS = {
    "g": rf"\s*{_GLUE}",
    "=": rf"\s*=?\s*{_GLUE}",
    "r": rf"(?:\s*(?:height|width|depth)\s*{_LENGTH})*",
    "n": _NAME,
    "d": rf"{_NAME}\s*=?{_CHARACTER}",
    "f": rf"(?:\s*\d+|{_NAME})\s*=?{_NAME}",
    "c": rf"{_CHARACTER}\s*=?{_CHARACTER}",
    "a": rf"{_NAME}\s*(?:by)?\s*{_LENGTH}",
    "w": r"\s*-?\d+\s*(?=\{)",
    "i": rf"(?:\s+(?:{_PUBLIC})|\s*\{{(?:{_PUBLIC}))(?:\.tex|\.def|\.sty)?(?:\}}|(?![\w.]))",
}
_COMPILED = {letter: re.compile(pattern, re.VERBOSE) for letter, pattern in _PATTERNS.items()}
_BEFORE_TOKENS = re.compile(r"\s*=?\s*(?=\{)")

_COMMANDS = {name: signature for signature, names in _SIGNATURES.items() for name in names.split()}
_WITH_TITLE_PAGE = {**_COMMANDS, **_TITLE_PAGE}

_CONTROL = re.compile(r"\\(?:([A-Za-z@]+)|(.))", re.DOTALL)
_ENVIRONMENT = re.compile(r"\s*\{([A-Za-z]+\*?)\}")
_SIMPLE_GROUP = re.compile(r"[ \t]*\{[^{}\\%\n]*\}")
_PLAIN_GROUP = re.compile(r"\{([^{}\\]*)\}")
_REST_OF_LINE = re.compile(r"[ \t]*\n?")
_SPACES = re.compile(r"[ \t]*")
_EMPTY_GROUP_LINE = re.compile(r"\n[ \t]*\{[ \t]*\}[ \t]*(?=\n|\Z)")


class Tidied(NamedTuple):
    """A text without figures and layout.

    Attributes:
        title_page: characters of its commands that went.
        pages: whether pages of a PDF were included.
    """

    text: str
    title_page: int
    pages: bool


def without_layout(text: str, title_page: bool = False) -> Tidied:
    """`text` without the commands of this module's list, with their arguments; `title_page`: and without those that
    make one. A line that held nothing else disappears; where two words would meet, a space stays between them."""
    return _Tidying(text, title_page).run()


class _Tidying:
    def __init__(self, text: str, title_page: bool) -> None:
        self.text = text
        self.frame = Frame(text)
        self.signatures = _WITH_TITLE_PAGE if title_page else _COMMANDS
        self.title_page = title_page
        self.out: list[str] = []
        self.unended: set[str] = set()

    def run(self) -> Tidied:
        text, signatures = self.text, self.signatures
        at = title_page = 0
        pages = False
        for match in _CONTROL.finditer(text):
            name = match[1]
            start = match.start()
            if start < at:
                continue
            if name is None:
                if match[2] in "-/":  # a place to hyphenate, an italic correction
                    self.write(text[at:start])
                    at = match.end()
                continue
            signature = signatures.get(name)
            if signature is not None:
                end = self.end_of(signature, match.end())
            elif name == "begin" or name == "end":
                if name == "begin" and (placed := _PLACED_FLOAT.match(text, match.end())):
                    self.write(text[at : placed.end(1)])
                    at = placed.end()
                    continue
                end = self.end_of_tag(name, match.end())
            else:
                continue
            if end is None:
                continue
            self.write(text[at:start])
            if signature and signature[-1] == "k" and (plain := _PLAIN_GROUP.match(text, end)):
                self.write(plain[1])
                at = plain.end()
                continue
            at = self.leave(end)
            pages = pages or name.startswith("includepdf")
            if self.title_page and name in _TITLE_PAGE:
                title_page += at - start
        self.write(text[at:])
        return Tidied(_EMPTY_GROUP_LINE.sub("", "".join(self.out)), title_page, pages)

    def write(self, piece: str) -> None:
        if piece:
            self.out.append(piece)

    def end_of(self, signature: str, at: int) -> int | None:
        """Where a command ends whose name ends at `at`; None where its arguments are not there."""
        if signature == "m" and (simple := _SIMPLE_GROUP.match(self.text, at)):
            return simple.end()
        self.frame.at = at
        frames = [self.frame]
        cursor = Cursor(frames)
        for letter in signature:
            if letter == "*":
                cursor.literal("*")
            elif letter == "o":
                cursor.optional()
            elif letter == "k":
                if not cursor.skip_space() or cursor.peek() != "{":
                    return None
            elif letter == "m":
                if not cursor.skip_space() or cursor.group() is None:
                    return None
            elif letter == "=" and cursor.match(_BEFORE_TOKENS):
                if cursor.group() is None:
                    return None
            elif not cursor.match(_COMPILED[letter]) or (letter == "w" and cursor.group() is None):
                return None
        cursor.accept()
        return self.frame.at

    def end_of_tag(self, which: str, at: int) -> int | None:
        """Where \\begin or \\end of an environment ends that goes, or of which the options go."""
        match = _ENVIRONMENT.match(self.text, at)
        if match is None:
            return None
        name = match[1]
        if name in _LAYOUT_TAGS:
            return self.end_of(_LAYOUT_TAGS[name], match.end()) if which == "begin" else match.end()
        if which == "begin" and name in _DRAWINGS and name not in self.unended:
            return self.end_of_drawing(name, match.end())
        return None

    def end_of_drawing(self, name: str, at: int) -> int | None:
        depth = 1
        for tag in re.compile(rf"\\(begin|end)\s*\{{{re.escape(name)}\}}").finditer(self.text, at):
            depth += 1 if tag[1] == "begin" else -1
            if depth == 0:
                return tag.end()
        self.unended.add(name)
        return None

    def leave(self, end: int) -> int:
        """Where the text goes on behind something left out: past the space that would be too much."""
        text = self.text
        rest = _REST_OF_LINE.match(text, end)
        if rest is not None and (rest[0].endswith("\n") or rest.end() == len(text)) and self.begins_line():
            return rest.end()
        spaces = _SPACES.match(text, end)
        behind = end if spaces is None else spaces.end()
        before = self.out[-1][-1] if self.out else "\n"
        if before.isspace() or text[end - 1].isalpha():
            end = behind
        if end == behind and before.isalnum() and text[end : end + 1].isalnum():
            self.out.append(" ")
        return end

    def begins_line(self) -> bool:
        """Whether the line so far is blank; its space is taken back then."""
        kept = len(self.out)
        while kept and not self.out[kept - 1].strip(" \t"):
            kept -= 1
        if kept and not self.out[kept - 1].rstrip(" \t").endswith("\n"):
            return False
        del self.out[kept:]
        if kept:
            self.out[-1] = self.out[-1].rstrip(" \t")
        return True
