"""What may stand around a licence without changing it: titles, holders, contributors, links, credits.

A text adds nothing when each of its words is known to (`license_words.txt`): what is not known may be a condition, and
a sentence that takes the permission back has no fixed place.
"""

import html
import re
from functools import cache
from importlib.resources import files

MAX_WORDS = 600
"""A longer text is not looked at: the longest list of holders in 1,950 packages has 240 words."""

NICKNAMES = 2
"""So many words of a line that names holders may be unknown in lower case: "sindresorhus", "the gRPC authors"."""

SHOUTED = 3
"""So many words in capitals may be unknown in a line: more are a sentence, not the name of an institution."""

_INLINE = r"a|abbr|b|code|em|font|i|kbd|small|span|strong|sub|sup|tt|u"
_BLOCK = (
    r"article|blockquote|body|br|center|div|footer|h[1-6]|head|header|hr|html|img|li|link|main|meta|nav|ol|p|pre|section"
    r"|style|table|tbody|td|th|thead|title|tr|ul|!doctype"
)
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*)?>", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK})(?:\s[^<>]*)?/?>|<!--|-->", re.IGNORECASE)

_ADDRESS = re.compile(
    r"""(?:https?://|git://|www\.) [^\s<>"')\]}]+
    | (?<!\w) @[\w-]+
    | (?<![\w.+-]) [\w.+-]++ \s? (?:@|\(at\)|\[at\]|\bat\b) \s? [\w-]+
      (?: (?:\.|\s?(?:\(dot\)|\[dot\]|\bdot\b)\s?) [\w-]+ )+
    | (?<![\w.-]) [\w-]+ (?:\.[\w-]+)* \.(?:com|org|net|io|dev|me|edu)\b (?:/[^\s<>"')\]}]*)?""",
    re.IGNORECASE | re.VERBOSE,
)
_KNOWN_ADDRESS = re.compile(
    r"""(?:https?://)?(?:www\.)?(?:
        (?:opensource\.org|choosealicense\.com|spdx\.org)/licen[cs]es?/(?:mit|apache-2\.0|bsd-[23]-clause)(?:-license)?
        | apache\.org/licenses(?:/(?:LICENSE-2\.0)?)? | (?:[\w.]+\.)?mit-license\.org
        | \w+\.wikipedia\.org/wiki/(?:MIT|BSD|Apache)_Licen[cs]e
    )(?:\.(?:php|html?|txt))?/?[.,;]?""",
    re.IGNORECASE | re.VERBOSE,
)
"""Pages of the four licences themselves. Any other page of a licence may be that of another one."""

# How the four licences are called, and sentences that do no more than call them.
_CLAUSE = r"(?:(?:2|3|two|three)[\s-]clauses?)"
_CALLED = rf"""\b(?:
    (?:MIT|Expat)\b (?: [\s/(-]+ (?:X11|Expat|MIT)\b )? (?: \s+open[\s-]source )?
  | (?: {_CLAUSE} [\s-]+ | (?:new|modified|revised|simplified|standard|berkeley)\s+ )*
    BSD\b (?: [\s-]+ {_CLAUSE} )? (?: \s* \(?[23]-?clause\)? )?
  | (?: Apache (?:\s+software)? (?:\s+foundation)? (?:\s+open[\s-]source)? | ASL\b )
    (?: [\s,-]* licen[cs]e )? [\s,(-]* (?:version|ver\.?|v)? [\s.-]* 2 (?:\.0)? \)? (?: ,?\s+ January\s+2004 )?
  | Apache (?=\s+licen[cs]e\b (?!\W*(?:version|ver|v)?\W*1))
  )"""
_CHANGED = r"(?:\+|(?:like|style|type|derived|clear|protection|plus|with|views?|modified|variant)\b)"
_NAME = rf"""(?<!original\s)(?<!old\s)(?<!custom\s)(?<!extended\s)(?<!enhanced\s) (?:(?:the|a|an)\s+)? ["'`*_(\[]*
    {_CALLED} (?![\s-]*{_CHANGED}) ["'`*_)\]]* (?: [\s-]+ licen[cs]es?\b )?
    (?: \s* \( (?:MIT|Expat|BSD|{_CLAUSE}) \) )? ["'`*_)\]]*"""
_NAMES = rf"""["'`*_(\[]* {_NAME} (?: [\s,;/&|-]* (?:(?:and|or|and/or|as\s+well\s+as)\b)? [\s"'`*_(\[]* {_NAME} )*"""
_UNDER = r"""(?: (?:is|are|be)\s+ )? (?: (?:also|hereby)\s+ )? (?:free\s+(?:and\s+open[\s-]source\s+)?software,?\s+)?
    (?: (?:(?:dual|triple|multi)[\s-]?)? (?:licen[cs]ed|released|distributed|published|provided|available|offered)
        (?: \s+(?:and|,) )? (?: \s+for\s+use )? \s+ | made\s+available\s+ | covered\s+ )+
    (?:under|with|by|as|according\s+to)"""
_TERMS_OF = r"""(?: \s+ (?:the|following|terms?|and|conditions?|of|either|both|any|one|these|two|licen[cs]es?|your
    |choice|found|contained|described|given|in|files?) )* \s+"""
_REMARK = rf"""
      {_UNDER} {_TERMS_OF} {_NAMES} (?: \s+(?:terms|(?:software\s+)?licen[cs]es?) )?
    | {_UNDER} \s* (?:the\s+)? (?:following\s+(?:terms|licen[cs]es?|conditions)|as\s+follows) \b
    | {_NAMES} (?: \s+ (?:text|terms|licen[cs]ed)\b )?
    | \b SPDX-License-Identifier:
    | \b licen[cs]e [ ]? [:(\[-] [ ]? {_NAMES}
    | \b all\s+rights?\s+reserved\b
    | \b can\s+be\s+found\b
    | \b at\s+your\s+(?:option|choice|choosing|discretion)\b
    | (?: \b(?:as\s+)?follows | \b(?:reproduced\s+)?below | \babove ) (?=\W*$)
    | \b for\s+ (?: (?:the|a|an)\s+ )? (?: (?:more|further|full|exact|complete|detailed|additional)\s+ )*
      (?:information|info|details|list|contribution\s+history|history|credits)\b
    | \b for\s+ (?:Go|Python|JavaScript|TypeScript|Node(?:\.js)?|Java|Rust|Ruby|PHP|React|Vue|C(?:\+\+)?|\.NET) (?!\w)
    | \b modified\s+(?:work|by)\b
    | ^ [^\w\n]* (?:(?:software|project|the)\s+)? licen[cs](?:e|es|ing) (?:\s+(?:text|information|notice))? [^\w\n]* $
"""
_NAMED = r"""
    (?<![\w-]) [\w.+-]{1,40} \s (?=(?:contributors|authors|developers|maintainers|team|community)\b)
    | "[\w.@/+-]{1,40}" | '[\w.@/+-]{1,40}' | `[\w.@/+-]{1,40}`
"""
_TERM_PHRASES = rf"""
    \bas\s+long\s+as\b | \bprovided\s+that\b | \blimited?\s+to\b | \be-?mail\s+me\b | \bsource[\s-]available\b
    | (?-i:\b(?:may|MAY)\b) | \b(?:business|fair|functional|shared)\s+source\b | creative\s*commons | public\s+domai?n?
    | gnu\s+general | mozilla\s+public | do-?no-?harm | anti-?996 | non-?profit | \bcc[- ]?by
    | \b(?:mit|bsd|apache|x11)[\s-]*{_CHANGED}
    | \b(?:original|old|custom|extended|enhanced)[\s-]+(?:mit|bsd|apache)\b
"""
_HOLDERS = re.compile(r"\bcop[yi]+r?i?g?h?t?s?\b|©|\(c\)|\bcopr\.", re.IGNORECASE)
_OF_A_PART = re.compile(
    r"""^ (?!\W*(?:(?:portions?|parts?)\s+of\s+)?(?:this|these|the|all)\s+(?:[\w.-]+\s+){0,3}?
          (?:software|code|work|program|package|project|library|module|source|distribution|file)s?\b(?!\s+in\b))
        [^\n]* \b(?:is|are|remains?|belongs?)\s [^\n:]{0,20}\n? [^\n:]{0,20} (?:\bcopyright|©|\(c\)|\bcopr\.)
      | (?:^|\s)[\w.*-]*/[\w./*-]*/?\*?(?<=[/*])(?![\w/]) [^\n]* (?:\bcopyright|©|\(c\)|\bcopr\.)""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
"""A sentence or a folder in front of the copyright sign: not the holders of the whole, but of a part."""
_LIST_HEADING = re.compile(
    r"\W*(?:list\s+of\s+)?(?:the\s+)?(?:contributors|authors|maintainers|developers|copyright\s+holders|credits"
    r"|contributors\s+and\s+authors|authors\s+and\s+contributors)\W*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_](?:[\w'’.@/#+:-]*\w)?")
_OPAQUE = re.compile(r"\d|.*[\d@/_#]|.*\w\.\w")  # numbers, years, handles, paths, file names
_BRACKETED = re.compile(r"[(<\[{][^()<>\[\]{}\n]{0,80}[)>\]}]")
_DECORATION = re.compile(
    r"^ ?(?:(?:[#*/>;|%\"'~=_+!.\\:-]|\[\d+\]) ?)+|(?<![\"'*/|#=~_\\-])[\"'*/|#=~_\\-]+ ?$", re.MULTILINE
)
_EMPTY_LINES = re.compile(r"\n(?:[^\w\n]*\n)+")
_END = "\n\0\n"  # no sentence goes on behind it

_USES = r"(?:use[ds]?|using|usage|cop(?:y|ied|ying)|modif(?:y|ied|ication)|(?:re)?distribut\w*|reproduc\w*|sell|sold)"
_FORBIDDEN = r"(?:prohibited|forbidden|disallowed|not\s(?:allowed|permitted|authori[sz]ed|licensed|granted))"
_NO_MATTER = (
    r"\b(?:names?\b|logos?\b|\w*marks?\b|endors|promot|advertis|publicity\b|construe\b|other\sthan\b|but\schanging\b"
    r"|licen[cs]e\sfees\b|except|unless\b|under\sany\sother\b)"
)
_LIMITED_TO = r"(?:research|evaluation|education\w*|personal|academic|internal|private|testing|trial|non-?production)"
_PAID = r"(?:paid|commercial|proprietary|enterprise|separate)"
_TAKES_BACK = re.compile(
    rf"""commons\sclause | \bcc[-\s]by[-\s](?:nc|nd)\b
    | (?<!commercial\sand\s)(?<!commercial\sor\s) non[-\s]?commercial(?!ly\sdeveloped)
      (?!\s(?:use\s|purposes?\s)?(?:and|or)\scommercial)
    | \bbusiness\ssource\slicen[cs]e | \bbusl\b | \bbsl[-\s]1\.1\b | \bserver\sside\spublic\slicen[cs]e | \bsspl\b
    | \belastic\slicen[cs]e | \bpolyform\b | \b(?:functional|fair)\ssource\b
    | \b(?:proprietary\sand\sconfidential|confidential\sand\sproprietary)\b
    | \b(?:not(?!\slimited) | no(?!\spatent) | never | without(?!\s(?:limitation|restriction|fee|charge|modification))
        | cannot | can't | prohibit\w* | forbid\w* | only\sfor) \b [^.]{{0,80}}
      \b(?:commercial(?!\sdamages|[^.]{{0,40}}marks)|militar|nuclear|weapon|sell\b|(?<!promote\sthe\s)sale\b)
    | (?<!licen[cs]e\s) \b(?:(?:may|must|can|shall|should)\snot | cannot | can't
        | not\s(?:allowed|permitted|authori[sz]ed|licensed)\sto)
      \s (?:be\s)? {_USES}\b (?![^.]{{0,200}}{_NO_MATTER})
    | \b{_USES}\b (?![^.]{{0,200}}{_NO_MATTER}) [^.]{{0,100}} \b(?:is|are)\s(?:\w+ly\s)?{_FORBIDDEN}
    | \bcommercial\s(?:use|usage|purposes?)\s
      (?: (?:is|are)\b(?!\s(?:also\s)?(?:allowed|permitted|granted|fine|free|ok|okay|encouraged|welcome)\b)
        | (?:requires?|needs?|must)\b )
    | \b{_LIMITED_TO}\s(?:use|purposes?)\sonly\b
    | \bfor\s(?:\w+\s){{0,2}}{_LIMITED_TO}\sonly\b | \bonly\s(?:\w+\s)?for\s(?:\w+\s){{0,2}}{_LIMITED_TO}\b
    | (?<!n't\s)(?<!not\s)\b(?:must|needs?|requires?|required|have|has|obliged)\s(?:to\s)?(?:buy|purchase|pay)\b
      (?!\s\w+\sdamages)
    | \b(?:under|requires?|needs?|buy|purchase|obtain|acquire|without)\s(?:a|an|our|the)\s{_PAID}\s(?:\w+\s)?licen[cs]e
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What forbids a use, of a text in one line. What it says of names and marks is no matter of the licence, and what
begins with "You may not use this except" has its licence behind it."""


def plain_text(text: str) -> str:
    """`text` without HTML tags and character references; what a comment says stays."""
    if "<" in text:
        text = _BLOCK_TAG.sub("\n", _INLINE_TAG.sub(" ", text))
    return html.unescape(text) if "&" in text else text


def takes_back(text: str) -> bool:
    """Whether a text that need not be a licence forbids a use that each of the four permits."""
    words = re.sub(r"[\s*_`>#|]+", " ", plain_text(text).replace("’", "'"))
    return _TAKES_BACK.search(words) is not None


def is_name(text: str) -> bool:
    """Whether `text`, from a place where a licence has its holders' names, may be names."""
    names = _words()["names"]
    terms = _terms().findall(text)
    unknown = sum(not _is_known(word, names=True) for word in _WORD.findall(text))
    return (
        unknown <= NICKNAMES
        and not _OF_A_PART.search(text)
        and all(term.lower() == "nor" or (not term.islower() and term.title() in names) for term in terms)
    )


def adds_nothing(text: str) -> bool:
    """Whether `text`, what stands around a licence, is no more than its title, names, links and credits."""
    if len(text) > 40 * MAX_WORDS or len(_WORD.findall(text)) > MAX_WORDS:
        return False
    text = re.sub(r"[^\S\n]+", " ", "\n".join(text.splitlines()))
    text = _ADDRESS.sub(_address, text)
    text = _EMPTY_LINES.sub(_END, _DECORATION.sub("", text))
    text = _remark().sub("\n", text)
    if _OF_A_PART.search(text):
        return False
    text = _named().sub(_unless_terms, text)
    in_list = False
    title = True
    for line in text.split("\n"):
        if not line.strip("\0 "):
            continue
        if _LIST_HEADING.fullmatch(line):
            in_list = True
            continue
        names = in_list or _HOLDERS.search(line) is not None
        if not _line_adds_nothing(line, names=names, unknown=NICKNAMES if names else int(title)):
            return False
        title = False
    return True


def _line_adds_nothing(line: str, *, names: bool, unknown: int) -> bool:
    """`names`: the line may name holders. `unknown`: so many of its words may be unknown, being names."""
    terms = _terms().findall(line)
    if terms and not (names and all(word in _words()["names"] for word in terms)):
        return False
    words = _WORD.findall(_BRACKETED.sub(" ", line) if names else line)
    shouted = [word for word in words if word.isupper() and len(word) > 1 and word.lower() not in _words()["harmless"]]
    if len(shouted) > SHOUTED:
        return False
    return sum(not _is_known(word, names=names) for word in words) <= unknown


def _is_known(word: str, *, names: bool) -> bool:
    """Whether a word that is no term is harmless or a name."""
    if word[0].isupper() or word.lower().strip(".'’") in _words()["harmless"] or _OPAQUE.match(word):
        return True
    return names and not word[0].isascii()


def _address(match: re.Match[str]) -> str:
    """A blank for an address, unless it may be that of other terms."""
    address = match[0]
    if "@" in address or _KNOWN_ADDRESS.fullmatch(address):
        return " "
    return " terms " if _terms().search(re.sub(r"[\W_]+", " ", address)) else " "


def _unless_terms(match: re.Match[str]) -> str:
    return match[0] if _terms().search(match[0]) else "\n"


@cache
def _remark() -> re.Pattern[str]:
    return re.compile(_REMARK, re.VERBOSE | re.IGNORECASE | re.MULTILINE)


@cache
def _named() -> re.Pattern[str]:
    return re.compile(_NAMED, re.VERBOSE | re.IGNORECASE)


@cache
def _terms() -> re.Pattern[str]:
    words = _words()
    stems = "|".join(sorted(words["stems"]))
    terms = "|".join(sorted(map(re.escape, words["terms"])))
    return re.compile(rf"(?:{stems}|\b(?:{terms})\b|{_TERM_PHRASES})", re.IGNORECASE | re.VERBOSE)


@cache
def _words() -> dict[str, frozenset[str]]:
    """The lists of license_words.txt by their headings."""
    lists: dict[str, set[str]] = {}
    for line in (files(__package__) / "license_words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            words = lists.setdefault(line.strip("[]"), set())
        elif not line.startswith("#") and line:
            words.update(line.split())
    return {heading: frozenset(words) for heading, words in lists.items()}
