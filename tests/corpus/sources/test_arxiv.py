import gzip
import io
import random
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from corpus.clean.latex import clean_latex
from corpus.schema import Document, Origin, Rejected, document_batch
from corpus.sources.arxiv import Arxiv, paper_id
from corpus.sources.raw import list_files

PAPER = b"\\documentclass{article}\\begin{document}Text\\end{document}"


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def read(root: Path, source: Arxiv | None = None) -> list[Document | Rejected]:
    source = source or Arxiv()
    return [record for split in source.splits(list_files(str(root))) for record in source.read(str(root), split)]


def one(tmp_path: Path, name: str, data: bytes, source: Arxiv | None = None) -> Document | Rejected:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(data)
    (record,) = read(folder, source)
    (folder / name).unlink()
    folder.rmdir()
    return record


def reason(tmp_path: Path, name: str, data: bytes, source: Arxiv | None = None) -> str:
    record = one(tmp_path, name, data, source)
    assert isinstance(record, Rejected)
    return record.reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("0303/math0303001.gz", ("math/0303001", 1)),
        ("9901/hep-th9901001.gz", ("hep-th/9901001", 1)),
        ("hep-th9901001v3.tar.gz", ("hep-th/9901001", 3)),
        ("1801/1801.03879.gz", ("1801.03879", 1)),
        ("1801.03879v12.tar.gz", ("1801.03879", 12)),
        ("1801.03879-1.tar.gz", ("1801.03879", 1)),
        ("0704.0001.gz", ("0704.0001", 1)),
        ("2223445.tar.gz", (None, 1)),
        ("1801.03879/main.tex", (None, 1)),
        ("1801.038791.gz", (None, 1)),
        ("1801.03879b.gz", (None, 1)),
    ],
)
def test_ids(path: str, expected: tuple[str | None, int]) -> None:
    assert paper_id(path) == expected


def test_a_bulk_tar(tmp_path: Path) -> None:
    members = {
        "0303/math0303001.gz": gzip.compress(PAPER),
        "0303/math0303002.gz": gzip.compress(tar({"main.tex": PAPER.replace(b"Text", b"\\input{a}"), "a.tex": b"A"})),
        "0303/math0303003.pdf": b"%PDF-1.4",
        "0303/math0303004.gz": gzip.compress(PAPER)[:-9],
        "0303/../../hostile.gz": gzip.compress(PAPER),
    }
    (tmp_path / "arXiv_src_0303_001.tar").write_bytes(tar(members))
    records = read(tmp_path)
    assert [r.id if isinstance(r, Document) else r.reason for r in records] == [
        "arxiv:math/0303001v1",
        "arxiv:math/0303002v1",
        "pdf_only",
        "damaged",
        "arxiv:0303/../../hostilev1",
    ]
    assert [r.origin for r in records] == [
        Origin("arXiv_src_0303_001.tar", name, record=i) for i, name in enumerate(members)
    ]
    first, second, *_ = records
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.text == PAPER.decode()
    assert first.url == "https://arxiv.org/abs/math/0303001"
    assert first.license is None
    assert second.text == "\\documentclass{article}\\begin{document}A\\end{document}"
    assert second.metadata == {"main": "main.tex"}
    raw = [Arxiv().raw(str(tmp_path), record.origin) for record in records]
    assert raw[0] == raw[4] == PAPER
    assert raw[1] == gzip.decompress(members["0303/math0303002.gz"])
    assert raw[2:4] == [b"%PDF-1.4", members["0303/math0303004.gz"]]


def test_a_cut_bulk_tar_costs_the_paper_it_cuts(tmp_path: Path) -> None:
    members = {f"0303/math030300{i}.gz": gzip.compress(PAPER) for i in range(3)}
    data = tar(members)
    (tmp_path / "a.tar").write_bytes(data[: data.rindex(b"0303/math0303002.gz") + 520])
    assert [type(r) for r in read(tmp_path)] == [Document, Document, Rejected]


def test_packed_papers(tmp_path: Path) -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("paper.tex", PAPER)
    data = tar({"paper.tex": PAPER})
    for name, packed in {
        "0704.0001v2.tar.gz": gzip.compress(data),
        "0704.0001v2.gz": gzip.compress(PAPER),
        "0704.0001v2.tar": data,
        "0704.0001v2.zip": zipped.getvalue(),
        "0704.0001v2.tex": PAPER,
    }.items():
        record = one(tmp_path, name, packed)
        assert isinstance(record, Document)
        assert (record.id, record.text, record.origin) == ("arxiv:0704.0001v2", PAPER.decode(), Origin(name))


def test_what_is_no_paper(tmp_path: Path) -> None:
    random_bytes = random.Random(0).randbytes(5000)
    assert reason(tmp_path, "a.gz", gzip.compress(b"%PDF-1.4")) == "pdf_only"
    assert reason(tmp_path, "a.pdf", b"%PDF-1.4") == "pdf_only"
    assert reason(tmp_path, "a.tar", tar({"a.pdf": b"%PDF-1.4", "a.png": b""})) == "pdf_only"
    assert reason(tmp_path, "a.gz", gzip.compress(random_bytes)) == "encrypted"
    assert reason(tmp_path, "a.tar", tar({"a.tex.cry": random_bytes, "b.pdf": b""})) == "encrypted"
    assert reason(tmp_path, "a.gz", gzip.compress(b"<html>\\begin{}")) == "no_tex"
    assert reason(tmp_path, "a.gz", gzip.compress(b"%!PS-Adobe \\def")) == "no_tex"
    assert reason(tmp_path, "a.tar", tar({"a.bib": b"@book{}", "a.bbl": PAPER, "._a.tex": b"\0"})) == "no_tex"
    assert reason(tmp_path, "a.tar", tar({"c:\\x\\a.txt": b"hello"})) == "no_tex"
    assert reason(tmp_path, "a.gz", gzip.compress(b"%auto-ignore\nThis paper has been withdrawn")) == "withdrawn"
    assert reason(tmp_path, "a.gz", gzip.compress(b"")) == "empty"
    assert reason(tmp_path, "a.tar", bytes(10240)) == "empty"
    assert reason(tmp_path, "a.tex", b" \n") == "empty"
    assert reason(tmp_path, "a.bib", b"@book{}") == "not_tex"
    assert reason(tmp_path, "a.jsonl", b"{}") == "not_tex"
    assert reason(tmp_path, "a.zip", b"PK\x03\x04 and no more") == "damaged"
    assert reason(tmp_path, "a.tar.gz", gzip.compress(tar({"a.tex": PAPER}))[:-20]) == "damaged"


def test_limits(tmp_path: Path) -> None:
    tex = Arxiv(max_tex_bytes=1000)
    assert reason(tmp_path, "a.tex", PAPER + b" " * 1000, tex) == "too_large"
    assert reason(tmp_path, "a.gz", gzip.compress(PAPER + b" " * 1000), tex) == "too_large"
    assert reason(tmp_path, "a.tar", tar({"a.tex": PAPER, "b.tex": b"x" * 1000}), tex) == "too_large"
    assert reason(tmp_path, "a.tar", tar({"a.tex": PAPER + b"\\input{b}" * 9, "b.tex": b"x" * 500}), tex) == "too_large"
    assert isinstance(one(tmp_path, "a.tar", tar({"a.tex": PAPER, "b.png": bytes(5000)}), tex), Document)
    unpacked = Arxiv(max_unpacked_bytes=100_000)
    bomb = tar({"a.tex": PAPER, "b.png": bytes(100_000)})
    assert reason(tmp_path, "a.tar.gz", gzip.compress(bomb), unpacked) == "too_large"
    assert isinstance(one(tmp_path, "a.gz", gzip.compress(PAPER), unpacked), Document)


def test_real_submissions(shared_data: Path) -> None:
    root = shared_data / "arxiv"
    records = read(root)
    rejected = {(r.origin.file.split("/")[-1], r.origin.member): r.reason for r in records if isinstance(r, Rejected)}
    assert rejected == {
        ("10240_null_chars.tar", None): "empty",
        ("UploadTestWindowCDrive.tar.gz", None): "no_tex",
        ("mutau2-sub_first10kB.tar", None): "damaged",
        ("sampleB_html.tar.gz", None): "no_tex",
        ("minitest.tar", "0303/math0303004.gz"): "encrypted",
        ("minitest.tar", "0303/math0303006.gz"): "encrypted",
        ("minitest.tar", "0303/math0303008.gz"): "encrypted",
        ("minitest.tar", "0303/math0303009.pdf"): "pdf_only",
        ("main.bbl", None): "not_tex",
        ("good-enough-practices-for-scientific-computing.bib", None): "not_tex",
        ("unarXive_data_sample.tar.gz", None): "no_tex",
    }
    documents = {r.id: r for r in records if isinstance(r, Document)}
    assert len(documents) == len(records) - len(rejected) == 26
    assert sum(map(len, (d.text for d in documents.values()))) > 1_000_000
    mains = {
        name: documents[f"arxiv:{name}"].metadata["main"] for name in ("math/0303002v1", "1801.03879v1", "1911.02782v1")
    }
    assert mains == {"math/0303002v1": "JCMI.Final.ii", "1801.03879v1": "defective-fpt.tex", "1911.02782v1": "main.tex"}
    zipped = documents["arxiv:arxiv-latex-cleaner/texv1"]
    assert "missing_inputs" not in zipped.metadata
    assert "\n\\input{figures/figure_included.t" not in zipped.text
    assert document_batch(list(documents.values()), "arxiv").num_rows == 26
    assert Counter(bool(clean_latex(d.text)) for d in documents.values()) == {True: 26}


def test_raw_leads_back(shared_data: Path) -> None:
    root = shared_data / "arxiv"
    (record,) = [r for r in read(root) if r.origin.member == "0303/math0303005.gz"]
    assert isinstance(record, Document)
    assert Arxiv().raw(str(root), record.origin).decode().replace("\r\n", "\n") == record.text
