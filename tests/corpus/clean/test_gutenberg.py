"""What is around a book goes, the book stays."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.gutenberg import Gutenberg, book_text
from corpus.schema import Document, Origin, document_batch

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
    assert book_text(f"{NEW_HEADER.format(start=start)}{BOOK}\n\n{end}\n{LICENCE}") == BOOK


def test_small_print_of_the_nineties() -> None:
    assert book_text(f"{OLD_HEADER}{BOOK}\n\nEnd of the Project Gutenberg Etext of A Tale\n") == BOOK
    assert book_text(OLD_HEADER + BOOK) == BOOK


def test_small_print_behind_the_book() -> None:
    footer = "***START**THE SMALL PRINT!**FOR EBOOKS**START***\nlawyers\n*END THE SMALL PRINT! FOR*Ver.1*END*\n"
    assert book_text(f"{BOOK}\n{footer}") == BOOK
    short = "A short tale.\n"
    assert book_text(f"{OLD_HEADER}{short}\n{footer}") == short


def test_a_mark_within_a_collection_is_not_its_end() -> None:
    parts = f"{BOOK}\n\nEnd of the Project Gutenberg Etext of Part One\n\n{BOOK * 3}"
    kept = book_text(f"{OLD_HEADER}{parts}\nEnd of the Project Gutenberg Etext of Part Two\n")
    assert kept == parts
    later = "*** START OF THE PROJECT GUTENBERG EBOOK PART TWO ***"
    assert book_text(f"{BOOK * 2}\n{later}\n{BOOK}") == f"{BOOK * 2}\n{later}\n{BOOK}"


def test_the_notice_between_the_plays_of_shakespeare() -> None:
    """c-w/gutenberg issue 25: a stripper that takes the notice for an end leaves 5 KB of 5.6 MB."""
    notice = (
        "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS IS COPYRIGHT AND IS\nPROVIDED BY PROJECT GUTENBERG ETEXT.\n"
        "PROHIBITED DISTRIBUTION INCLUDES BY ANY\nSERVICE THAT CHARGES FOR DOWNLOAD TIME OR FOR MEMBERSHIP.>>\n"
    )
    plays = [f"PLAY {n}\n\n{BOOK}\n" for n in range(5)]
    kept = book_text(OLD_HEADER + notice.join(plays))
    assert kept == "".join(plays).strip("\n") + "\n"


def test_never_empty() -> None:
    for text in (
        "",
        "\n\n",
        "Just a text.",
        "*** START OF THIS PROJECT GUTENBERG EBOOK A ***\n*** END OF THIS PROJECT GUTENBERG EBOOK A ***\n",
        LICENCE,
    ):
        assert book_text(text) == text


def test_title_pages_and_prose_are_no_credits() -> None:
    text = "A TALE\n\nPRODUCED BY THE AUTHOR\n\nThe effect produced by the tale was small.\n"
    header = NEW_HEADER.format(start="*** START OF THIS PROJECT GUTENBERG EBOOK A TALE ***")
    assert book_text(header + text) == text


@given(
    st.lists(
        st.sampled_from([*NEW_HEADER.split("\n"), *OLD_HEADER.split("\n"), "prose", "", "End of Project Gutenberg"])
    )
)
def test_any_mixture(lines: list[str]) -> None:
    text = "\n".join(lines)
    kept = book_text(text)
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
    """Line for line, but for blank lines at the edges, what c-w/gutenberg expects of its own."""
    folder = shared_data / "gutenberg" / "gutenberg"
    expected = decode(folder / "clean-texts" / str(number))
    assert book_text(decode(folder / "raw-texts" / str(number))).strip("\n") == expected.strip("\n")


def test_nothing_of_project_gutenberg_remains(shared_data: Path) -> None:
    """But for the transcribers' notes of Little Women, which name it twice."""
    left: dict[str, int] = {}
    for path in sorted(path for path in (shared_data / "gutenberg").rglob("*") if path.is_file()):
        text = decode(path)
        kept = book_text(text)
        assert set(kept.split("\n")) <= set(text.split("\n"))
        assert len(kept) > 0.65 * len(text)
        if named := len(re.findall(r"Project\s+Gutenberg", kept, re.IGNORECASE)):
            left[path.name] = named
    assert left == {"pg37106.txt": 2}
