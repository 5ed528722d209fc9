"""Every raw file of the demo, read by its own source."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pytest

from corpus.clean.gutenberg import strip_book
from corpus.clean.latex import clean_paper
from corpus.clean.wikitext import plain_text
from corpus.demo import github
from corpus.demo.commoncrawl import SNAPSHOTS
from corpus.demo.languages import LANGUAGES
from corpus.demo.raw import installed, make
from corpus.registry import find_source
from corpus.schema import Document, Rejected
from corpus.sources.raw import list_files

REASONS = {
    "commoncrawl": {"no_text": 1, "truncated": 1, "type_warcinfo": 4},
    "c4": {"bad_json": 1, "damaged": 1, "empty": 1},
    "wikipedia": {"damaged_xml": 6, "empty": 5, "namespace": 5, "redirect": 5},
    "books": {"empty": 1, "unsupported_file": 1},
    "arxiv": {"damaged": 1, "pdf_only": 1, "withdrawn": 1},
    "stackexchange": {"bad_row": 2, "orphan_answer": 2, "other_post_type": 2},
}
"""Of all sources but GitHub, whose files depend on the packages installed."""

DOCUMENTS = {
    "commoncrawl": 400,
    "c4": 60,
    "github": 20,
    "wikipedia": 100,
    "books": 10,
    "arxiv": 15,
    "stackexchange": 200,
}
"""At least so many, whatever the installation."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "raw"
    assert make(folder)
    return folder


def read(folder: Path, name: str) -> tuple[list[Document], Counter[str]]:
    source = find_source(name)()
    documents, reasons = [], Counter[str]()
    for split in source.splits(list_files(str(folder))):
        for record in source.read(str(folder), split):
            if isinstance(record, Rejected):
                reasons[record.reason] += record.records
            else:
                documents.append(record)
    return documents, reasons


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_and_reasons_of_each_source(raw: Path, name: str) -> None:
    documents, reasons = read(raw / name, name)
    assert len(documents) >= DOCUMENTS[name]
    assert len({document.id for document in documents}) == len(documents)
    if name == "github":
        assert reasons["damaged"] == 1
        expected = {"damaged", "license", "extension", "empty", "binary", "too_large", "minified", "vendored"}
        assert set(reasons) <= expected
    else:
        assert reasons == REASONS[name]


def test_common_crawl_has_two_snapshots_and_six_languages(raw: Path) -> None:
    documents, _ = read(raw / "commoncrawl", "commoncrawl")
    assert {document.id.split(":")[1] for document in documents} == set(SNAPSHOTS)
    stories = {(document.url or "").split("/")[3] for document in documents if "stories.example" in str(document.url)}
    assert stories == set(LANGUAGES)
    assert sum("replaced" in document.metadata for document in documents) == 1
    lines = Counter(line for document in documents for line in set(document.text.split("\n")))
    assert lines["Mentions légales"] > 5  # a menu, for line dedup to find
    assert lines["Mirrored for you by a neighbour."] > 5


def test_wikipedia_has_six_languages_and_markup_that_goes(raw: Path) -> None:
    documents, _ = read(raw / "wikipedia", "wikipedia")
    assert {document.language for document in documents} == set(LANGUAGES)
    for document in documents:
        text, reason, _ = plain_text(document.text, document.language or "")
        assert reason is None
        assert not any(mark in text for mark in ("{{Infobox", "[[File", "<ref", "wikitable", "still to be"))
        assert len(text) > 100


def test_books_lose_what_stands_around_them(raw: Path) -> None:
    documents, _ = read(raw / "books", "books")
    for document in documents:
        assert document.language == "en"
        text = strip_book(document.text).text
        assert text.startswith("CHAPTER 1.")
        assert "GUTENBERG" not in text
        assert "imitates an ebook" not in text
    assert [document.metadata["encoding"] for document in documents].count("cp1252") == 1


def test_papers_are_of_both_kinds_and_come_out_clean(raw: Path) -> None:
    documents, _ = read(raw / "arxiv", "arxiv")
    assert {document.metadata["main"] == "main.tex" for document in documents} == {True, False}
    for document in documents:
        assert "missing_inputs" not in document.metadata
        text = clean_paper(document.text).text
        assert text.startswith(r"\section{The case of \texttt{")
        assert not any(part in text for part in (r"\code", r"\eg", "% was longer", "thebibliography"))


def test_answers_stand_by_score(raw: Path) -> None:
    documents, _ = read(raw / "stackexchange", "stackexchange")
    assert max(document.records for document in documents) > 3
    assert all(document.text.startswith("Q: What does ") for document in documents)


def test_a_second_process_makes_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    program = (
        f"from pathlib import Path; from corpus.demo.raw import make; assert make(Path({str(tmp_path / 'raw')!r}))"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": "1"}, check=True)
    assert digests(tmp_path / "raw") == digests(raw)


def test_packages_that_setuptools_carries_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    carried = tmp_path / "setuptools" / "_vendor" / "carried-1.0.dist-info"
    carried.mkdir(parents=True)
    (carried / "METADATA").write_text("Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n")
    before = [package.name for package in installed()]
    monkeypatch.syspath_prepend(str(carried.parent))
    assert "carried" in {package.name for package in distributions()}
    assert [package.name for package in installed()] == before


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    assert not make(tmp_path / "raw")
    assert list((tmp_path / "raw").iterdir()) == []


def test_packages_are_chosen_by_metadata_and_licence_file(tmp_path: Path) -> None:
    mit = (Path(__file__).parent / "mit.txt").read_text(encoding="utf-8")
    install(tmp_path, "good", "License-Expression: MIT\nProject-URL: Source, https://github.com/someone/Good.git", mit)
    install(tmp_path, "copyleft", "License: GPL-3.0", "GNU GENERAL PUBLIC LICENSE")
    install(tmp_path, "false", "License: BSD", "You may not do anything with this.")
    install(tmp_path, "silent", "Summary: says nothing", mit)
    install(tmp_path, "stub", "License: MIT", mit, size=100)
    github.write(tmp_path / "raw", distributions(path=[str(tmp_path)]))
    names = {path.name for path in (tmp_path / "raw").iterdir()}
    assert names == {"someone__Good.tar.gz", "pypi__copyleft.tar.gz", "unknown__cut-short.tar.gz"}
    documents, reasons = read(tmp_path / "raw", "github")
    assert {document.license for document in documents} == {"MIT"}
    assert {document.metadata["path"] for document in documents} >= {"good/a.py", "good/b.py", "tools/words.py"}
    assert reasons["license"] > 0


def install(site: Path, name: str, metadata: str, license: str, size: int = 12_000) -> None:
    info = site / f"{name}-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (site / name).mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}\n", encoding="utf-8")
    (info / "licenses" / "LICENSE").write_text(license, encoding="utf-8")
    for module in "ab":
        (site / name / f"{module}.py").write_text(f"{module} = 1\n" * (size // 6), encoding="utf-8")
    files = [f"{name}/a.py", f"{name}/b.py", f"{info.name}/METADATA", f"{info.name}/licenses/LICENSE"]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files), encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
