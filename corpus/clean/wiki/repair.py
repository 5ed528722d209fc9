"""What a template leaves behind in a line when nothing, or nothing that is known, stands in its place.

Only what is next to the mark of something that went is touched: `malloc()`, `int a[]` and `( )` of the author stay.
"""

import re

GONE = "\ue003"
"""Stands where markup without a text was."""
HOLE = "\ue004"
"""Stands where readers see something that is not on the page."""

_STOPS = " ,;:/–-"
_RUN = re.compile(rf"[{GONE}{HOLE}](?: ?[{GONE}{HOLE}])+")
_HOLE_BETWEEN_STOPS = re.compile(rf"(?<=[(\[,;:/]) ?{HOLE}(?= ?[)\],;:/])")
_BRACKETS = re.compile(r" ?\([^()]*+\)")
_EMPTY = re.compile(rf" ?(?:\([{_STOPS}]*+{GONE}[{_STOPS}{GONE}]*+\)|\[ ?{GONE} ?\]|[“„«\"'] ?{GONE} ?[”“»\"'])")
_AT_START = re.compile(rf"(?<=\()[{_STOPS}]*+{GONE}[{_STOPS}{GONE}]*+")
_AT_END = re.compile(rf"(?<![ ,;:{GONE}])([ ,;:{GONE}]++)\)")
_BETWEEN = re.compile(rf"[,;:] ?{GONE} ?(?=[,;:])")
_BEFORE_STOP = re.compile(rf" {GONE}(?=[ .,;:!?)]|\Z)")
_AT_LINE_START = re.compile(rf"\A{GONE}[ ,;]*")

_SENTENCE_END = re.compile(r"([.!?…]|[。！？])[\"”»’)\]]*(?: +|(?<=[。！？])|\Z)")
_LAST_WORD = re.compile(r"\w*\Z")
_LONGEST_WORD = 20
_ABBREVIATIONS = frozenset(
    {
        *("st", "dr", "mr", "mrs", "ms", "prof", "sr", "jr", "no", "nos", "nr", "vol", "ed", "eds", "pp", "fig"),
        *("gen", "col", "lt", "sgt", "rev", "hon", "capt", "ft", "mt", "vs", "viz", "cf", "ca", "approx", "etc"),
        *("bzw", "vgl", "sog", "usw", "bspw", "evtl", "ggf", "inkl", "hl", "geb", "gest", "bl", "fl", "kl", "ul"),
        *("tzv", "tzn", "tj", "np", "npr", "itd", "itp", "tys", "mln", "mld", "im", "św", "inż", "mgr", "art"),
        *("rok", "sv", "dvs", "bla", "ev", "resp", "mfl", "pga", "osv", "ok", "cca", "mj", "str", "čl", "am"),
        *("kr", "oz", "ipd", "tov", "itn", "др", "им", "св", "тыс", "млн", "млрд", "гг", "вв", "см", "ср", "обл"),
        *("рр", "напр", "ул", "проф", "акад", "гр", "т.д", "т.п", "sig", "sigg", "dott", "pag", "pagg", "sec"),
        *("ecc", "es", "av", "apr", "adm", "cie", "mme", "mlle", "dra", "sra", "d.c", "aprox", "pág", "págs"),
        *("nt", "kb", "dl", "ún", "ill", "stb", "pl", "dr", "blz", "ong", "mevr", "dhr", "ir", "drs"),
    }
)


def repaired(line: str) -> tuple[str, int]:
    """The line without marks, and how many sentences and bracketed remarks were dropped for a value that is not known.

    Spaces of `line` are single ones.
    """
    if HOLE not in line and GONE not in (inner := line.strip(f"{GONE} ")):
        return (inner.lstrip(",; ") if line.startswith(GONE) else inner), 0
    dropped = 0
    line = _RUN.sub(lambda run: HOLE if HOLE in run[0] else GONE, line)
    if HOLE in line:
        line = _HOLE_BETWEEN_STOPS.sub(GONE, line)
        if HOLE in line and "(" in line:
            remarks = [found[0] for found in _BRACKETS.finditer(line) if HOLE in found[0]]
            dropped = len(remarks)
            line = _BRACKETS.sub(lambda found: "" if HOLE in found[0] else found[0], line) if remarks else line
        if HOLE in line:
            line, sentences = _without_sentences(line)
            dropped += sentences
    if GONE in line:
        line = _EMPTY.sub(GONE, line)
        line = _AT_START.sub("", line)
        line = _AT_END.sub(lambda end: ")" if GONE in end[1] else end[0], line)
        line = _BETWEEN.sub("", line)
        line = _AT_LINE_START.sub("", line)
        line = _BEFORE_STOP.sub("", line).replace(GONE, "")
    return " ".join(line.split()), dropped


def _without_sentences(line: str) -> tuple[str, int]:
    kept: list[str] = []
    dropped = 0
    for sentence in _sentences(line):
        if HOLE in sentence:
            dropped += 1
        else:
            kept.append(sentence)
    return "".join(kept), dropped


def _sentences(line: str) -> list[str]:
    """Cut where a sentence surely ends: rather two are dropped than a part of one is left."""
    cuts = [0]
    for end in _SENTENCE_END.finditer(line):
        word = _LAST_WORD.search(line[max(0, end.start() - _LONGEST_WORD) : end.start()])[0]  # type: ignore[index]
        stop, after = end[1], line[end.end() : end.end() + 2].lstrip("\"“«„(['‘")[:1]
        if stop == "." and (len(word) == 1 or word.lower() in _ABBREVIATIONS or (word.isdecimal() and len(word) < 3)):
            continue  # an initial, an abbreviation, or the number of a day
        if after and not (after.isupper() or after.isdigit() or ord(after) > 0x2E80 or after == HOLE):
            continue
        cuts.append(end.end())
    return [line[start:end] for start, end in zip(cuts, [*cuts[1:], len(line)], strict=True) if start < end]
