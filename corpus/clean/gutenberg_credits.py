"""What credits those who made a Project Gutenberg file, and what speaks of the file and not of the book.

Such a paragraph is told by its whole wording. That it begins as a credit does is not enough, since a story may begin
"Transcribed by lamplight, the pages grew thin": what follows has to be names and the words that credits are made of.
"""

import re

_LONGEST = 20
"""Lines of a paragraph; a longer one is none of these."""

_UNKNOWN_SHARE = 0.34
"""Of the words of a credit that names the makers (an address, Distributed Proofreaders, "e-text"): so many may be
others, as in "a project of his school"."""

_MADE = (
    r"(?:re-?)?(?:produced|transcribed|scanned|digiti[sz]ed|typed|keyed|proof(?:ed|ing|-?read)|OCR(?:'?ed)?|"
    r"formatted|converted|marked[ ]up)"
)
"""What is done to a file. A title page says "edited by" and "compiled by" too."""
_DONE = (
    rf"(?:{_MADE}|(?:re-?)?(?:prepared|entered|compiled|edited|corrected|updated|submitted|contributed|provided|donated|"
    r"posted|created|released|read|made[ ]available))"
)
_FILE = r"(?:e-?text|e-?book|electronic[ ](?:text|edition|version)|file|HTML[ ](?:version|edition|file)|text[ ]file)"
_DOERS = "|".join(
    (
        r"(?:produit|numérisé|transcrit|scanné)(?:[ ]et[ ]\w+)?[ ]par",  # French
        r"(?:produziert|digitalisiert|gescannt|transkribiert)(?:[ ]und[ ]\w+)?[ ]von",
        r"(?:producido|digitalizado|transcrito|escaneado)(?:[ ]y[ ]\w+)?[ ]por",  # Spanish
        r"(?:produzido|digitalizado|transcrito)(?:[ ]e[ ]\w+)?[ ]por",  # Portuguese
        r"(?:prodotto|digitalizzato|trascritto)(?:[ ]e[ ]\w+)?[ ]da",  # Italian
        r"(?:geproduceerd|gescand|getranscribeerd)(?:[ ]en[ ]\w+)?[ ]door",  # Dutch
        r"(?:producerad|inscannad|inskannad|skannad)(?:[ ]och[ ]\w+)?[ ]av",  # Swedish
        r"(?:produceret|skannet)(?:[ ]og[ ]\w+)?[ ]af|(?:produsert|skannet)(?:[ ]og[ ]\w+)?[ ]av",  # Danish, Norwegian
        r"produktita[ ]de",  # Esperanto
    )
)

# With a capital, for a sentence of a story that goes on here does not begin with one; not all in capitals, for a title
# page has "PRODUCED BY".
_BARE, _BEGINS = (
    re.compile(
        rf"""[\W_]*(?=[A-Z])(?!.*\bTheat)(?:   # what is produced at a theatre is a play
            (?i:{done}(?:(?:,|[ ]and|,[ ]and|[ ]&)[ ]{done}){{0,3}})\s+(?:by|from|for)
            | (?:(?:HTML|PDF|UTF-8)[ ](?:version|edition|file|conversion)
                |(?i:(?:additional|further|first|second|last|final)[ ])?
                (?i:editing|proofing|proof-?reading|formatting|corrections|scans|scanning|transcription))[ ]by
            | (?i:{_DOERS})
        )\b(?P<rest>.*)""",
        re.VERBOSE | re.DOTALL,
    )
    for done in (_MADE, _DONE)
)
_OF_FILE = re.compile(
    rf"""[\W_]*(?:
        (?:(?:this|the)\s+)?(?:(?:PG|Project\s+Gutenberg)\s+)?{_FILE}
            (?:\s+(?:was|is|has\s+been))?(?:\s+\w+ly|\s+first)?\s+{_DONE}(?:,?\s+(?:and\s+)?{_DONE}){{0,3}}\s+(?:by|from|for|through|with)
        | credits?(?:\s+for\s+{_FILE})?(?=\s*:)
        | (?:special|many)\s+thanks\s+(?:are\s+due\s+)?to
        | (?:this|the)\s+(?:book|text|work|edition)\s+(?:was|is|has\s+been)\s+(?:\w+ly\s+)?{_DONE}\s+(?:by|from|for)
        | die(?:ses|se|ser)\s+\S+\s+wurde\b[^.]{{0,60}}\b(?:vom|von|durch)
        | (?:ce|cet|cette)\s+\S+(?:\s+électronique)?\s+(?:a|fut|est)\b[^.]{{0,60}}\bpar
        | quest[oa]\s+\S+\s+(?:è|e'|proviene)\b[^.]{{0,60}}\b(?:da|dal|di)
    )\b(?P<rest>.*)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_MAKERS = re.compile(
    r"Project\s+Gutenberg|Gutenberg\s+Proje[ck]t|gutenberg\.|ibiblio\.org|pgdp|Distributed\s+Proof|archive\.org|"
    r"\bInternet\s+Archive\b|\blivres?\s+électroniques?\b|\be-?(?:text|book)s?\b|\bthis\s+file\b|\bHTML\b|\S@\S|https?://|www\.",
    re.IGNORECASE,
)
_ENGLISH = (
    "a also an and anonymous another are as assistance at available based be been book books booksmiths by can "
    "collection contact copies copy corrected correction courtesy digital digitized domain done e-mail e-text ebook "
    "ebooks edited edition editions email etext etexts facsimile file files first for found from generous generously "
    "group help her his html http image images in internet is it its kindly libraries library made mail many material "
    "materials of on online or original originally other others our page pages pdf permission plus posted prepared "
    "print printed proof proofed proofing proofread proofreader proofreaders proofreading provided public put quality "
    "reproduced resolution scan scanned scanner scanning scans second set short site sites software source sources "
    "special submitted supplied support team text texts thank thanks that the their them these third this those "
    "through to transcribed transcription transcriptions two txt typed unknown updated used using various version "
    "versions very volunteer volunteers was we web website were which who wife with within work works you your zip "
)
_OTHERS = (
    "d'après de der des di die do dos du e el en et fournies gratuitement la las le les los mises o och og par por u "
    "und une van vom von y zur "
)
_WORDS = frozenset((_ENGLISH + _OTHERS).split())
"""What credits are made of beside names, as real ones are worded."""

_NOTICE = re.compile(
    r"""[\W_]*(?:
        Note:\s+(?:Project\s+Gutenberg\s+(?:also\s+)?ha[sd]\b|Images\s+of\s+the\s+original
            |Please\s+see\s+Project\s+Gutenberg['’]s)
        | Project\s+Gutenberg\s+Editor['’]s\s+Note:\s+There\s+(?:is|are)\s+(?:also\s+)?(?:another|other|several)\b
        | (?:The\s+|This\s+is\s+(?:a|the)\s+)?(?:COPYRIGHTED\s+)?
            Proje[ck]t\s+Gutenberg(?:['’]s|-tm)?\s+e-?(?:text|book)\b
        | (?:We\s+thank|Nous\s+remercions)\s+(?:the|la)\s+Biblioth[eè]que\s+Nationale\s+de\s+France
        | Dieses\s+\w+\s+wurde\s+uns\s+freundlicherweise\s+vom\s+"?Gutenberg
        | More\s+information\s+about\s+this\s+book\s+is\s+at\s+the\s+top\s+of\s+this\s+file
        | We\s+need\s+your\s+donations\s+more\s+than\s+ever
        | Project\s+Runeberg\s+publishes
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_TITLE_LINES = 4
_FILE_SENTENCE = re.compile(
    r"Proje[ck]t\s+Gutenberg\s+Editor['’]s|Biblioth[eè]que\s+Nationale|Gutenberg\s+Projek|Runeberg|donations|this\s+file|"
    r"Details\s+(?:Above|Below)",
    re.IGNORECASE,
)
_DONE_BY = re.compile(rf"\b{_DONE}\b[^\n]{{0,40}}\bby\b", re.IGNORECASE)
_ASIDE = re.compile(r"\[(?:Illustration|Frontispiece|Cover|Image|Transcriber)[^\]]*\]|[\W_]+", re.IGNORECASE)
_NOTE = re.compile(r"[\W_]*(?:(?:Transcriber|Producer|Editor)['’]?s?['’]?\s+)?Notes?\b", re.IGNORECASE)


def is_credit(paragraph: str) -> bool:
    """Whether a paragraph credits makers in words that no book has, or speaks of the file: wherever it stands near the
    mark of an end."""
    if paragraph.count("\n") > _LONGEST:
        return False
    if _NOTICE.match(paragraph):
        return _names_file_only(paragraph)
    if "@" in paragraph and len(_DONE_BY.findall(paragraph)) > 1:
        return True  # chapter by chapter: who scanned it, who proofread it, and their addresses
    found = _OF_FILE.match(paragraph) or _BEGINS.match(paragraph)
    if found is None or not _MAKERS.search(paragraph):
        return False
    words = found["rest"].split()
    return sum(map(_is_foreign, words)) <= _UNKNOWN_SHARE * len(words)


def is_bare_credit(paragraph: str) -> bool:
    """Whether it says no more than "Produced by A Volunteer": a credit where it stands beside a mark, a sentence of the
    book elsewhere."""
    if paragraph.count("\n") > _LONGEST:
        return False
    found = _BARE.match(paragraph)
    return found is not None and bool(found["rest"].strip()) and not any(map(_is_foreign, found["rest"].split()))


def is_aside(paragraph: str) -> bool:
    """Whether credits may go on behind it: a place for a picture, a rule, a note of the transcriber."""
    return _ASIDE.fullmatch(paragraph.strip()) is not None or _NOTE.match(paragraph) is not None


def _names_file_only(paragraph: str) -> bool:
    """A line that repeats the title of the file is short and no sentence; a note is both."""
    whole = paragraph.strip()
    is_title = whole.count("\n") < _TITLE_LINES and not whole.endswith((".", "!", "?", '"', "”"))
    return is_title or _NOTE.match(paragraph) is not None or _FILE_SENTENCE.search(paragraph) is not None


def _is_foreign(word: str) -> bool:
    """Whether a word has no place in a credit: in small letters, no address, and not among `_WORDS`."""
    bare = word.strip(".,;:!?()[]{}<>*_\"'“”‘’«»|/+-–—=~")
    if not bare or not bare[0].islower() or re.search(r"@|://|\w\.\w|\d", bare):
        return False
    return any(part and part not in _WORDS for part in re.split(r"[-/’']", bare.lower())) and bare.lower() not in _WORDS
