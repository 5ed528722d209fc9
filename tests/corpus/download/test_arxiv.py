"""`arXiv_src_manifest.xml` as info.arxiv.org/help/bulk_data_s3.html describes it, in a store of fsspec."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from corpus.download.arxiv import files, listing, of_months, price
from corpus.download.fetch import DownloadTask, RemoteFile, download_files
from corpus.errors import UserError

TARS = {"0001_001": b"a" * 10, "2207_001": b"b" * 20, "2207_002": b"c" * 30, "2208_001": b"d" * 40}


def entry(name: str, data: bytes) -> str:
    """Its first two sums differ: `content_md5sum` is that of the papers, not of the tar."""
    month, number = name.split("_")
    return f"""  <file>
    <content_md5sum>cacbfede21d5dfef26f367ec99384546</content_md5sum>
    <filename>src/arXiv_src_{name}.tar</filename>
    <first_item>{month}.00001</first_item>
    <last_item>{month}.00402</last_item>
    <md5sum>{hashlib.md5(data).hexdigest()}</md5sum>
    <num_items>402</num_items>
    <seq_num>{int(number)}</seq_num>
    <size>{len(data)}</size>
    <timestamp>2022-08-03 00:13:59</timestamp>
    <yymm>{month}</yymm>
  </file>
"""


@pytest.fixture
def bucket() -> Iterator[str]:
    memory = fsspec.filesystem("memory")
    rows = "".join(entry(name, data) for name, data in TARS.items())
    manifest = f"<?xml version='1.0' standalone='yes'?>\n<arXivSRC>\n{rows}</arXivSRC>\n"
    memory.pipe("/arxiv/src/arXiv_src_manifest.xml", manifest.encode())
    for name, data in TARS.items():
        memory.pipe(f"/arxiv/src/arXiv_src_{name}.tar", data)
    yield "memory://arxiv"
    memory.rm("/arxiv", recursive=True)


def test_the_manifest(bucket: str) -> None:
    assert files(bucket) == [
        RemoteFile(f"{bucket}/src/arXiv_src_{name}.tar", hashlib.md5(data).hexdigest(), len(data), path)
        for name, data in TARS.items()
        for path in [f"src/arXiv_src_{name}.tar"]
    ]
    assert listing(bucket).name == "arxiv"


def test_the_tars_of_months(bucket: str, tmp_path: Path) -> None:
    wanted = of_months(files(bucket), ["2207", "2207"])
    assert [file.name for file in wanted] == ["src/arXiv_src_2207_001.tar", "src/arXiv_src_2207_002.tar"]
    download_files(DownloadTask(0, tuple(wanted), str(tmp_path)))
    assert (tmp_path / "src" / "arXiv_src_2207_002.tar").read_bytes() == TARS["2207_002"]
    with pytest.raises(UserError, match="--month 220 is not in the manifest: write YYMM"):
        of_months(files(bucket), ["0001", "220"])


def test_a_tar_that_is_not_that_of_the_manifest(bucket: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/arxiv/src/arXiv_src_2208_001.tar", b"e" * 40)
    wanted = of_months(listing(bucket).files(str(tmp_path)), ["2208"])
    with pytest.raises(UserError, match=r"has the md5 .* says .*: if it stays so, remove .*/arxiv\.listing and run"):
        download_files(DownloadTask(0, tuple(wanted), str(tmp_path)))


def test_the_price_is_said() -> None:
    """12 GB at the $0.09 of aws.amazon.com/s3/pricing."""
    assert "about $1.08 at $0.09 a GB" in price([RemoteFile("s3://arxiv/a", size=6_000_000_000)] * 2)


def test_no_manifest(bucket: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/arxiv/src/arXiv_src_manifest.xml", b"<arXivSRC><file/></arXivSRC>")
    with pytest.raises(UserError, match="what came is no listing of sources from memory://arxiv"):
        listing(bucket).files(str(tmp_path))
