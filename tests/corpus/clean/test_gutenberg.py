"""What is around a book goes, the book stays."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.gutenberg import Gutenberg, strip_book
from corpus.schema import Document, Origin, document_batch


def strip(text: str) -> str:
    return strip_book(text).text


BOOK = "A TALE\n\nBy Nobody\n\n\n" + "\n\n".join(f"  Paragraph {n} of the tale." for n in range(300)) + "\n\nTHE END\n"

NEW_HEADER = """The Project Gutenberg eBook of A Tale, by Nobody

Title: A Tale
Release Date: June 17, 2008 [eBook #84]

{start}



Produced by Jane Doe and the Online
Distributed Proofreading Team at http://www.pgdp.net



"""

OLD_HEADER = """**Welcome To The World of Free Plain Vanilla Electronic Texts**

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
Project Gutenberg Etext, Project Gutenberg-tm etext.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*


This etext was prepared by Jane Doe, jane@example.org


"""

LICENCE = "\n*** START: FULL LICENSE ***\n" + "The Project Gutenberg-tm licence, paragraph.\n\n" * 150


@pytest.mark.parametrize(
    "start",
    [
        "*** START OF THIS PROJECT GUTENBERG EBOOK A TALE ***",
        "***START OF THE PROJECT GUTENBERG EBOOK A TALE***",
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK A TALE ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK A TALE",
        "***START OF THE PROJECT GUTENBERG EBOOK A TALE, OR WHAT ONE CAN\nMAKE OF A TITLE THAT IS LONG AND\nWRAPS***",
    ],
)
@pytest.mark.parametrize(
    "end",
    [
        "*** END OF THIS PROJECT GUTENBERG EBOOK A TALE ***",
        "End of the Project Gutenberg EBook of A Tale, by Nobody\n\n*** END OF THIS PROJECT GUTENBERG EBOOK A TALE ***",
        "End of Project Gutenberg's A Tale, by Nobody",
        "Fin de Project Gutenberg's A Tale",
        "Ende dieses Projekt Gutenberg Etextes",
    ],
)
def test_headers_and_footers(start: str, end: str) -> None:
    assert strip(f"{NEW_HEADER.format(start=start)}{BOOK}\n\n{end}\n{LICENCE}") == BOOK


def test_small_print_of_the_nineties() -> None:
    assert strip(f"{OLD_HEADER}{BOOK}\n\nEnd of the Project Gutenberg Etext of A Tale\n") == BOOK
    assert strip(OLD_HEADER + BOOK) == BOOK


def test_small_print_behind_the_book() -> None:
    footer = "***START**THE SMALL PRINT!**FOR EBOOKS**START***\nlawyers\n*END THE SMALL PRINT! FOR*Ver.1*END*\n"
    assert strip(f"{BOOK}\n{footer}") == BOOK
    short = "A short tale.\n"
    assert strip(f"{OLD_HEADER}{short}\n{footer}") == short


def test_a_mark_within_a_collection_is_not_its_end() -> None:
    parts = f"{BOOK}\n\nEnd of the Project Gutenberg Etext of Part One\n\n{BOOK * 3}"
    kept = strip(f"{OLD_HEADER}{parts}\nEnd of the Project Gutenberg Etext of Part Two\n")
    assert kept == parts
    later = "*** START OF THE PROJECT GUTENBERG EBOOK PART TWO ***"
    assert strip(f"{BOOK * 2}\n{later}\n{BOOK}") == f"{BOOK * 2}\n{later}\n{BOOK}"


def test_the_notice_between_the_plays_of_shakespeare() -> None:
    """c-w/gutenberg issue 25: a stripper that takes the notice for an end leaves 5 KB of 5.6 MB."""
    notice = (
        "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS IS COPYRIGHT AND IS\nPROVIDED BY PROJECT GUTENBERG ETEXT.\n"
        "PROHIBITED DISTRIBUTION INCLUDES BY ANY\nSERVICE THAT CHARGES FOR DOWNLOAD TIME OR FOR MEMBERSHIP.>>\n"
    )
    plays = [f"PLAY {n}\n\n{BOOK}\n" for n in range(5)]
    kept = strip(OLD_HEADER + notice.join(plays))
    assert kept == "".join(plays).strip("\n") + "\n"


def test_never_empty() -> None:
    for text in (
        "",
        "\n\n",
        "Just a text.",
        "*** START OF THIS PROJECT GUTENBERG EBOOK A ***\n*** END OF THIS PROJECT GUTENBERG EBOOK A ***\n",
        LICENCE,
    ):
        assert strip(text) == text


def test_title_pages_and_prose_are_no_credits() -> None:
    text = "A TALE\n\nPRODUCED BY THE AUTHOR\n\nThe effect produced by the tale was small.\n"
    header = NEW_HEADER.format(start="*** START OF THIS PROJECT GUTENBERG EBOOK A TALE ***")
    assert strip(header + text) == text


@given(
    st.lists(
        st.sampled_from([*NEW_HEADER.split("\n"), *OLD_HEADER.split("\n"), "prose", "", "End of Project Gutenberg"])
    )
)
def test_any_mixture(lines: list[str]) -> None:
    text = "\n".join(lines)
    kept = strip(text)
    assert bool(kept.strip()) == bool(text.strip())
    assert kept == text or kept.strip("\n") in text or "Project" not in kept
    assert set(kept.split("\n")) <= {*lines, ""}


def test_batches() -> None:
    texts = [OLD_HEADER + BOOK, "plain"]
    documents = [Document(str(n), text, Origin("f")) for n, text in enumerate(texts)]
    cleaned = Gutenberg().clean(document_batch(documents, "books"))
    assert cleaned.text.to_pylist() == [BOOK, "plain"]
    assert cleaned.reason.null_count == 2


def decode(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize("number", [10026, 10028, 10089, 1013, 33956, 35190])
def test_equal_to_another_stripper(shared_data: Path, number: int) -> None:
    """Line for line, but for blank lines at the edges, what c-w/gutenberg expects of its own; one book has a note on
    its text, which we keep, as all such notes."""
    folder = shared_data / "gutenberg" / "gutenberg"
    expected = decode(folder / "clean-texts" / str(number)).strip("\n")
    kept = strip(decode(folder / "raw-texts" / str(number))).strip("\n")
    if number == 10089:
        note, kept = kept.split("\n\n", 1)
        assert note.startswith("Editorial note: Many paragraphs in the original text ended without")
        kept = kept.strip("\n")
    assert kept == expected


def test_nothing_of_project_gutenberg_remains(shared_data: Path) -> None:
    """But for the notes on the texts of Little Women, which name it three times, and of Elves and Heroes."""
    left: dict[str, int] = {}
    for path in sorted(path for path in (shared_data / "gutenberg").rglob("*") if path.is_file()):
        text = decode(path)
        kept = strip(text)
        assert set(kept.split("\n")) <= set(text.split("\n"))
        assert len(kept) > 0.65 * len(text)
        if named := len(re.findall(r"Project\s+Gutenberg", kept, re.IGNORECASE)):
            left[path.name] = named
    assert left == {"pg37106.txt": 3, "10089": 1}


PROSE = [
    "Old Marten scanned the horizon, point by point, before he let go of the rope.",
    "The letter was typed on blue paper by a clerk who had never seen the sea.",
    "She stood by the stove, editing the verses her brother had left by the lamp.",
    "He proofread the contract line by line and signed it.",
    "So the sacred texts were carried down, and with each etext of the old law a lantern.",
    "Transcribed by lamplight, the pages grew thin. He wrote until the oil was gone.",
    "Produced by the same hand, a second copy lay under the floor.",
    "Digitised by no one, remembered by few, the book was burnt.",
    "Scanned by the guards at the gate, the travellers went through one by one.",
    "Prepared by his wife, the meal stood on the table until it was cold.",
    "Updated daily by a monk, the list of the dead grew.",
    "Credits: he had none in that town, and no friends.",
    "The Project Gutenberg ebook of Dracula lay open on her desk.",
    "Note: Project work was not paid that winter.",
    "Special thanks to the miller, who had lent them his cart.",
    "E-text was the word that nobody in the village could read.",
    "This book was made by my father from the skin of a calf, and is all that I have of him.",
    "Fin de siècle, they said, and nobody knew of what.",
    "End of the world or not, the harbour needed a new crane.",
    "http://www.example.org was painted on the side of the boat.",
]


@pytest.mark.parametrize("sentence", PROSE)
def test_prose_stays_wherever_it_stands(sentence: str) -> None:
    """Beside either mark, and a few paragraphs off."""
    start = NEW_HEADER.format(start="*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***")
    end = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\n" + LICENCE
    for book in (
        f"{sentence}\n\n{BOOK}",
        f"{BOOK}\n{sentence}\n",
        f"A TALE\n\n{sentence}\n\n{BOOK}\n{sentence}\n\nTHE END\n",
        f"A TALE\n\nCHAPTER I\n\n{sentence} It rained.\n\n{BOOK}",
    ):
        assert strip(start + book + end) == book


@pytest.mark.parametrize(
    "credit",
    [
        "Produced by Al Haines",
        "Produced by An anonymous group of volunteers",
        "Produced by Sue Asscher and David Widger. HTML version by Al Haines.",
        "E-text prepared by Juliet Sutherland, Project Gutenberg Beginners Projects, and the\n"
        "Project Gutenberg Online Distributed Proofreading Team (https://www.pgdp.net)",
        "This etext was produced by Les Bowler, St. Ives, Dorset.",
        "Transcribed from the 1903 John Lane edition by David Price, email ccx074@pglaf.org",
        "Scanned and proofed by Jane Doe, jane@example.org",
        "Special thanks are due to Jane Doe for extensive\nproofreading and correction of this etext.",
        "Note: Project Gutenberg also has an HTML version of this file\n      which includes the illustrations.\n"
        "      See 90002-h.htm or 90002-h.zip:\n      (https://www.gutenberg.org/files/90002/90002-h.zip)",
        "Note: Images of the original pages are available through\n      Internet Archive. See\n"
        "      https://archive.org/details/tale",
        "[Project Gutenberg Editor's Note: There is also another version of\nthis work etext98/tale10.txt]",
        "Produit par Jean Dupont et le Distributed Proofreading Team",
        "Ce livre électronique fut produit par Jean Dupont",
        "Produziert von Hans Muster",
        "Produced by Tapio Riikonen",
        "Credits: Jane Doe and the Online Distributed Proofreading Team at https://www.pgdp.net",
    ],
)
def test_credits_beside_the_mark_go(credit: str) -> None:
    header = NEW_HEADER.format(start="*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***")
    header = header[: header.index("Produced by")]
    end = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\n" + LICENCE
    assert strip(f"{header}{credit}\n\n\n{BOOK}{end}") == BOOK
    assert strip(f"{header}{BOOK}\n\n{credit}\n{end}") == BOOK


@pytest.mark.parametrize(
    "end",  # as files of these languages have them; the first list is that of c-w/gutenberg
    [
        "***END OF THE PROJECT GUTENBERG EBOOK A TALE***",
        "End of The Project Gutenberg Etext of A Tale",
        "End of this Project Gutenberg Etext of A Tale",
        "Ende dieses Project Gutenberg Etextes A Tale",
        "Ende diese Project Gutenberg Etextes A Tale",
        "Ende dieses Etextes A Tale",
        "*** END OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK A TALE ***",
        "End of this is COPYRIGHTED Project Gutenberg Etext of A Tale",
        "**This is a COPYRIGHTED Project Gutenberg Etext, Details Above**",
        "Ce document fut présenté en lecture",
        "More information about this book is at the top of this file.",
        "We need your donations more than ever!",
        "END OF PROJECT GUTENBERG",
        "Fin du Projet Gutenberg, A Tale",
        "Fine del Progetto Gutenberg, A Tale",
        "Fin del Proyecto Gutenberg, A Tale",
        "Fim do Projecto Gutenberg, A Tale",
        "Einde van het Project Gutenberg EBoek A Tale",
        "Slutt på Prosjekt Gutenberg, A Tale",
        "Slut på Projekt Gutenberg, A Tale",
        "Project Gutenbergin e-kirjan A Tale loppu",
        "Koniec Projektu Gutenberg, A Tale",
        "The Project Gutenberg Etext of A Tale",
    ],
)
def test_end_marks_of_all_languages(end: str) -> None:
    header = NEW_HEADER.format(start="*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***")
    assert strip(f"{header}{BOOK}\n\n{end}\n") == BOOK
    assert strip(f"{header}{BOOK}\n\n{end}\n{LICENCE}") == BOOK


def test_headers_without_a_mark() -> None:
    header = """Project Gutenberg's A Tale, by Nobody

Copyright laws are changing all over the world, be sure to check the
copyright laws for your country before posting these files!!

Please take a look at the important information in this header.
We encourage you to keep this file on your own disk, keeping an
electronic path open for the next readers.

**Welcome To The World of Free Plain Vanilla Electronic Texts**

**Etexts Readable By Both Humans and By Computers, Since 1971**

*These Etexts Prepared By Hundreds of Volunteers and Donations*

A Tale, by Nobody

January, 1994  [Etext #84]

"""
    assert strip(f"{header}{BOOK}").endswith(BOOK)
    assert "Etexts Readable" not in strip(f"{header}{BOOK}")
    unmarked = "The Project Gutenberg EBook of A Tale, by Nobody\n\nTitle: A Tale\n\nLanguage: English\n\n\n"
    assert strip(unmarked + BOOK) == BOOK
    assert strip("Title: A Tale\n\n" + BOOK) == "Title: A Tale\n\n" + BOOK


def test_small_print_twice() -> None:
    """A header with a mark, and the small print of the header again behind the book, before the mark of the end."""
    small_print = (
        "***START**THE SMALL PRINT!**FOR EBOOKS**START***\nlawyers\n*END THE SMALL PRINT! FOR EBOOKS*Ver.1*END*\n"
    )
    start = NEW_HEADER.format(start="*** START OF THE PROJECT GUTENBERG ETEXT OF A TALE ***")
    title = "The Project Gutenberg Etext of A Tale\n******This file should be named tale10.txt or tale10.zip******\n"
    assert strip(f"{start}{BOOK}\n{title}\n{small_print}\nEnd of The Project Gutenberg Etext of A Tale\n") == BOOK


def test_what_was_removed_is_counted() -> None:
    start = NEW_HEADER.format(start="*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***")
    texts = [f"{start}{BOOK}\n\n*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\n{LICENCE}", BOOK]
    documents = [Document(str(n), text, Origin("f")) for n, text in enumerate(texts)]
    counts = Gutenberg().clean(document_batch(documents, "books")).counts
    assert counts is not None
    row, nothing = counts.to_pylist()
    assert row["header"] == start.index("***\n") + 3
    assert row["credits"] == len(
        "Produced by Jane Doe and the Online\nDistributed Proofreading Team at http://www.pgdp.net\n"
    )
    assert row["footer"] == len("*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\n" + LICENCE)
    assert row["share"] == pytest.approx(1 - len(BOOK) / len(texts[0]), abs=0.01)
    assert nothing == {"header": 0, "credits": 0, "notices": 0, "footer": 0, "share": 0.0}


@pytest.mark.parametrize(
    "piece",
    [
        *(
            " ",
            "*",
            " *",
            "\n",
            " \n",
            "_",
            "[",
            "Project Gutenberg ",
            "End of ",
            "*** START OF THE PROJECT GUTENBERG\n",
            "@ by ",
        ),
        *(
            "Produced by A\n\n",
            "<<THIS ELECTRONIC VERSION OF",
            "*** END OF THE PROJECT GUTENBERG EBOOK\n",
            "Title: a\n",
            "a, 1 ",
        ),
    ],
)
def test_the_longest_book_of_anything(piece: str) -> None:
    text = "The Project Gutenberg EBook of A\n\n" + piece * (1_000_000 // len(piece)) + "\nx"
    start = time.process_time()
    strip(text)
    assert time.process_time() - start < 10
