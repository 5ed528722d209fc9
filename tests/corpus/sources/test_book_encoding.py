"""The encoding of books whose headers are wrong."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.book_encoding import codec, count_wrong, decode_book

FRENCH = (
    "Il y avait en Westphalie, dans le château de monsieur le baron, un jeune garçon à qui la nature avait donné les "
    "mœurs les plus douces. Où étiez-vous? demanda-t-elle; l’âme éprouvée, il répondit: « Là-bas, près du café ». "
).replace("œ", "oe")
GERMAN = (
    "Vor dem Gesetz steht ein Türhüter. Zu diesem Türhüter kommt ein Mann vom Lande und bittet, daß er größer wäre. "
)
SPANISH = (
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, vivió un señor. ¿Quién? El corazón del niño, sí. "
)
POLISH = (
    "Litwo! Ojczyzno moja! ty jesteś jak zdrowie; ile cię trzeba cenić, ten tylko się dowie, kto cię stracił. Łódź. "
)
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Šel jsem dál, než bylo třeba, a našel ještě něco. "
HUNGARIAN = "Árvíztűrő tükörfúrógép. Az öreg ember a hegyről jött, és őszinte volt, mint a gyűlölet. "
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. "
GREEK = "Στην αρχή δεν ήταν τίποτε, και ο κόσμος ήταν σκοτεινός. Ύστερα ήρθε το φως. "
CHINESE = "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？"


def plain(text: str) -> str:
    return text.replace("’", "'").replace("«", '"').replace("»", '"')


@pytest.mark.parametrize("declared", ["UTF-8", "ISO-8859-1", "ASCII", "ISO-646-US (US-ASCII)", "nonsense", None])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("text", "language", "encodings"),
    [
        (FRENCH, "fr", "cp1252 utf-8 utf-8-sig utf-16 utf-32"),
        (plain(FRENCH), "fr", "cp850 mac-roman latin-1"),
        (GERMAN, "de", "cp1252 cp437 cp850 mac-roman"),
        (SPANISH, "es", "cp1252 cp437 cp850 mac-roman"),
        (POLISH, "pl", "cp1250 iso8859-2"),
        (CZECH, "cs", "cp1250 iso8859-2"),
        (RUSSIAN, "ru", "cp1251 koi8-r cp866"),
        (GREEK, "el", "cp1253 iso8859-7"),
        (CHINESE, "zh", "big5 gb18030"),
    ],
)
def test_bytes_show_it(text: str, language: str, encodings: str, known: bool, declared: str | None) -> None:
    """Whatever the header says. Read again with the same result: names of one encoding differ."""
    whole = text * 20
    for encoding in encodings.split():
        if not known and (encoding.startswith("iso8859-2") or encoding == "cp866"):
            continue  # cannot be told from Windows-1250; needs its language
        assert decode_book(whole.encode(encoding), declared, language if known else None).text == whole, encoding


def test_the_stated_one_is_believed_where_it_fits() -> None:
    hungarian = (HUNGARIAN * 3).encode("cp1250")
    assert decode_book(hungarian, "windows-1250").text == HUNGARIAN * 3
    assert decode_book(hungarian, None, "hu").text == HUNGARIAN * 3
    assert decode_book("“Ça va”, dit-il.".encode("cp1252"), "Codepage 1252").encoding == "cp1252"
    assert decode_book("Ça alors".encode("mac-roman"), "MacRoman").text == "Ça alors"


def test_a_header_that_says_utf8_loses_no_accent() -> None:
    """Declared UTF-8 is what cost 88 accents of a book: each was one U+FFFD."""
    book = decode_book((FRENCH * 5).encode("cp1252"), "UTF-8")
    assert (book.text, book.encoding, book.replaced) == (FRENCH * 5, "cp1252", 0)


def test_broken_bytes_of_utf8() -> None:
    data = (FRENCH * 3).encode()
    book = decode_book(data[:50] + b"\xff" + data[50:] + b"\xc3")
    assert (book.encoding, book.replaced) == ("utf-8", 2)
    assert book.text.replace("\ufffd", "") == FRENCH * 3


def test_control_characters_are_of_windows() -> None:
    """As in Project Gutenberg's UTF-8 file of number 4658, made of Windows-1252 that was taken for ISO-8859-1."""
    assert decode_book("\x93Our notions\x94 \x96 étude".encode()).text == "“Our notions” – étude"
    assert decode_book(b"caf\xe9 \x81").text == "café \x81"


def test_marks() -> None:
    assert decode_book(codecs.BOM_UTF8 + b"caf\xc3\xa9 \xff \xef\xbf\xbd")[1:] == ("utf-8", 1)
    assert decode_book("a\ud83d".encode("utf-16", "surrogatepass")).replaced == 1
    assert decode_book(b"").text == ""


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("ISO-8859-1", "cp1252"),
        ("ISO-646-US (US-ASCII)", "ascii"),
        ("Unicode UTF-8", "utf-8"),
        ("Codepage 1252", "cp1252"),
        ("windows-1251", "cp1251"),
        ("MacRoman", "mac-roman"),
        ("Big5", "big5hkscs"),
        *((name, None) for name in ("rot13", "base64", "unicode_escape", "idna", "utf-7", "", "\0", "x" * 999)),
    ],
)
def test_names(declared: str, name: str | None) -> None:
    assert codec(declared) == name


def test_what_looks_wrong() -> None:
    for good in (
        "café",
        "Ça",
        "É",
        "“Oui”",
        "l’œil…",
        "20°C",
        "word™",
        "¿Qué?",
        "Ελλάς",
        "Привет",
        "東京タワー",
        "naïve—or",
    ):
        assert count_wrong(good) == 0, good
    for bad in ("cafÈ", "caf‚", "don¬t", "Ïðèâåò", "garÃ§on", "d‚j…", "cafй", "mot\x8f", "se¤or", "h”her"):
        assert count_wrong(bad) > 0, bad


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "iso-8859-2", "shift_jis", "utf-7", "hz", "\x00"]))
def test_any_bytes(data: bytes, declared: str | None) -> None:
    book = decode_book(data, declared)
    assert len(book.text) <= len(data)
    if data.isascii():
        assert book.text == data.decode()
