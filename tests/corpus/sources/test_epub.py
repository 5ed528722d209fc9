"""Pages of an EPUB in its order; what is lost is counted; nothing expands."""

import io
import zipfile

import pytest

from corpus.sources.archive import Damaged, TooLarge, Zip
from corpus.sources.epub import Encrypted, EpubText, is_epub, read_epub
from tests.corpus.sources.epubs import CONTAINER, epub, package

PAGES = {"text/b.xhtml": "<h1>One</h1><p>First.</p>", "text/a.xhtml": "<p>Second.</p>", "c.xhtml": "<p>Third.</p>"}


def read(data: bytes, limit: int = 1 << 20) -> EpubText:
    archive = Zip(io.BytesIO(data))
    assert is_epub(archive)
    return read_epub(archive, limit)


def test_the_order_of_reading() -> None:
    book = read(epub(PAGES, title="A &amp; B", creator="X", language="en"))
    assert book.pages.text == "One\n\nFirst.\n\nSecond.\n\nThird.\n"
    assert (book.lost, book.in_order) == (0, True)
    assert book.fields == {"title": "A & B", "creator": "X", "language": "en"}
    assert read(epub(PAGES, spine=["c.xhtml", "text/a.xhtml", "c.xhtml"])).pages.text == "Third.\n\nSecond.\n"


def test_several_values_and_names_with_escapes() -> None:
    data = epub(
        {"a%20b.xhtml": "<p>x</p>"}, others={"OEBPS/a b.xhtml": "<p>Found.</p>"}, creator="X</dc:creator><dc:creator>Y"
    )
    book = read(data)
    assert (book.pages.text, book.fields["creator"]) == ("Found.\n", "X, Y")


def test_menus_and_pictures_are_no_pages() -> None:
    opf = package({**PAGES, "nav.xhtml": "", "cover.svg": ""})
    opf = opf.replace('href="nav.xhtml"', 'href="nav.xhtml" properties="nav scripted"')
    opf = opf.replace('"cover.svg" media-type="application/xhtml+xml"', '"cover.svg" media-type="image/svg+xml"')
    others = {"OEBPS/content.opf": opf, "OEBPS/nav.xhtml": "<li>One</li>", "OEBPS/cover.svg": "<svg>no</svg>"}
    assert read(epub(PAGES, others=others)).pages.text == "One\n\nFirst.\n\nSecond.\n\nThird.\n"


def test_xhtml_that_html_would_read_otherwise() -> None:
    """Elements closed in their own tag, and numbers of pages."""
    body = (
        '<p>one</p><script src="x"/><p>two<span epub:type="pagebreak" id="p4" title="4"/> three</p><blockquote/>'
        '<p>four <span class="pagenum"><a id="p5"></a>[Pg 5]</span>five<br/>six</p>'
        "<script>no</script><style/><p>seven</p>"
    )
    book = read(epub({"a.xhtml": body}))
    assert book.pages.text == "one\n\ntwo three\n\nfour five\nsix\n\nseven\n"
    assert book.pages.page_numbers == 1


def test_what_is_lost_is_counted() -> None:
    data = epub(PAGES, spine=["text/b.xhtml", "text/a.xhtml", "c.xhtml"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.getinfo("OEBPS/text/a.xhtml").header_offset + 60
    broken = read(data[:start] + bytes(byte ^ 0xFF for byte in data[start : start + 20]) + data[start + 20 :])
    assert broken.pages.text == "One\n\nFirst.\n\nThird.\n"
    assert (broken.lost, broken.in_order) == (1, True)
    missing = package({**PAGES, "d.xhtml": ""})
    assert read(epub(PAGES, others={"OEBPS/content.opf": missing})).lost == 1


@pytest.mark.parametrize(
    "others",
    [
        {"META-INF/container.xml": "<container", "OEBPS/content.opf": "not XML"},
        {"OEBPS/content.opf": package({}, [])},
        {"OEBPS/content.opf": package({"gone.xhtml": ""})},
        {"META-INF/container.xml": CONTAINER.replace("content", "other"), "OEBPS/content.opf": ""},
    ],
)
def test_without_an_order_the_archives(others: dict[str, str]) -> None:
    book = read(epub(PAGES, others=others))
    assert book.pages.text == "One\n\nFirst.\n\nSecond.\n\nThird.\n"
    assert not book.in_order


def test_without_a_container_the_package_is_found() -> None:
    book = read(epub(PAGES, spine=["c.xhtml", "text/b.xhtml"], others={"META-INF/container.xml": "<none/>"}))
    assert (book.pages.text, book.in_order) == ("Third.\n\nOne\n\nFirst.\n", True)


def test_nothing_to_read() -> None:
    with pytest.raises(Damaged):
        read(epub({}))
    with pytest.raises(TooLarge):
        read(epub({"a.xhtml": "word " * 1000}), 4000)
    assert not is_epub(Zip(io.BytesIO(zipped({"a.txt": "text"}))))


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_encrypted_pages() -> None:
    def encryption(*paths: str) -> dict[str, str]:
        names = "".join(f'<d><CipherData><CipherReference URI="{path}"/></CipherData></d>' for path in paths)
        return {"META-INF/encryption.xml": f"<encryption>{names}</encryption>"}

    every = [f"OEBPS/{path}" for path in PAGES]
    with pytest.raises(Encrypted):
        read(epub(PAGES, others=encryption(*every, "OEBPS/font.otf")))
    assert read(epub(PAGES, others=encryption("OEBPS/font.otf"))).lost == 0
    assert read(epub(PAGES, others=encryption(every[0]))).lost == 1


def test_entities_do_not_expand() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE package [<!ENTITY e0 "ha"><!ENTITY f SYSTEM "file:///etc/passwd">{entities}]>'
    opf = package(PAGES, title="&e9;&f;T", creator="&e9;").replace("<package", f"{bomb}<package", 1)
    opf = opf.replace('href="c.xhtml"', 'href="c.xhtml" fallback="&e9;"')
    book = read(epub(PAGES, others={"OEBPS/content.opf": opf}))
    assert "First." in book.pages.text
    assert sum(map(len, book.fields.values())) < 100
    assert "root" not in str(book.fields)
