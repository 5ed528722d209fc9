import gzip
import io
import json
import tarfile
import threading
import zipfile
from collections import Counter
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.schema import Document, Origin, Rejected, document_batch
from corpus.sources import github
from corpus.sources.github import EXTENSIONS, Github
from corpus.sources.raw import list_files
from tests.corpus.watched import Watched

MIT = (
    b"Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    b"documentation files (the Software), to deal in the Software without restriction, including without limitation "
    b"the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and "
    b"to permit persons to whom the Software is furnished to do so, subject to the following conditions: The above "
    b"copyright notice and this permission notice shall be included in all copies or substantial portions of the "
    b"Software. THE SOFTWARE IS PROVIDED AS IS, WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT "
    b"LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT "
    b"SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR "
    b"OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tar(files: dict[str, bytes], comment: str | None = COMMIT) -> bytes:
    out = io.BytesIO()
    headers = {} if comment is None else {"comment": comment}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("repo/link.py")
        link.type = tarfile.SYMTYPE
        archive.addfile(link)
    return out.getvalue()


def read(root: Path, source: Github | None = None) -> list[Document | Rejected]:
    source = source or Github()
    return [record for split in source.splits(list_files(str(root))) for record in source.read(str(root), split)]


def outcome(records: list[Document | Rejected]) -> list[str]:
    return [record.id if isinstance(record, Document) else record.reason for record in records]


def test_a_repository(tmp_path: Path) -> None:
    files = {
        "repo/LICENSE": MIT,
        "repo/src/a.py": b"print(1)\r\n",
        "repo/Dockerfile": b"FROM x",
        "repo/B.C": "// Größe".encode("latin-1"),
        "repo/data.csv": b"1,2",
        "repo/big.py": b"x" * 2000,
        "repo/nul.py": b"a\0b",
        "repo/utf16.py": "print(1)".encode("utf-16"),
        "repo/random.py": bytes(range(1, 256)) * 3,
        "repo/__init__.py": b"",
    }
    (tmp_path / "ada__repo.tar.gz").write_bytes(gzip.compress(tar(files)))
    records = read(tmp_path, Github(max_file_bytes=1500))
    assert outcome(records) == [
        "extension",
        f"github:ada/repo@{COMMIT}:src/a.py",
        f"github:ada/repo@{COMMIT}:Dockerfile",
        f"github:ada/repo@{COMMIT}:B.C",
        *("extension", "too_large", "binary", f"github:ada/repo@{COMMIT}:utf16.py", "binary", "empty"),
    ]
    assert [r.origin for r in records] == [Origin("ada__repo.tar.gz", name, record=i) for i, name in enumerate(files)]
    _, a, _, b, *_ = records
    assert isinstance(a, Document)
    assert isinstance(b, Document)
    assert (a.text, a.license, a.language) == ("print(1)\r\n", "MIT", None)
    assert a.url == f"https://github.com/ada/repo/blob/{COMMIT}/src/a.py"
    assert a.metadata == {"repo": "ada/repo", "path": "src/a.py", "extension": ".py"}
    assert b.text == "// Größe"
    assert b.metadata["encoding"] == "cp1252"
    assert [Github().raw(str(tmp_path), r.origin) for r in records] == list(files.values())
    with pytest.raises(UserError, match="no member 99"):
        Github().raw(str(tmp_path), Origin("ada__repo.tar.gz", "x", record=99))


def test_archives_as_github_makes_them(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    with zipfile.ZipFile(tmp_path / "ada" / "main.zip", "w") as archive:
        archive.writestr("my-repo-main/LICENSE", MIT)
        archive.writestr("my-repo-main/a.go", "package a")
        archive.comment = COMMIT.encode()
    (tmp_path / "other-v1.tar").write_bytes(tar({"other-v1/LICENSE": MIT, "other-v1/b.go": b"package b"}, None))
    documents = [record for record in read(tmp_path) if isinstance(record, Document)]
    assert [d.id for d in documents] == [f"github:ada/my-repo@{COMMIT}:a.go", "github:unknown/other@unknown:b.go"]
    assert documents[1].url is None
    assert Github().raw(str(tmp_path), documents[0].origin) == b"package a"


def test_without_a_common_folder_nothing_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a__b.tar").write_bytes(tar({"LICENSE": MIT, "x/a.py": b"1", "y/LICENSE": b"?"}))
    assert outcome(read(tmp_path))[1] == f"github:a/b@{COMMIT}:x/a.py"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"repo/LICENSE": b"GNU GENERAL PUBLIC LICENSE"},
        {"repo/LICENSE": MIT, "repo/COPYING": b"GNU GENERAL PUBLIC LICENSE"},
        {"repo/sub/LICENSE": MIT},
        {"repo/package.json": b'{"license": "MIT"}'},
        {"repo/LICENSE": MIT + b" " * (1 << 18)},
    ],
)
def test_repositories_without_a_licence(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "a__b.tar").write_bytes(tar({**files, "repo/a.py": b"1"}))
    assert set(outcome(read(tmp_path))) == {"license"}


def licenses_of(records: list[Document | Rejected]) -> dict[str, str | None]:
    """What became of each Python file: its licence, or why not."""
    return {
        str(r.origin.member): r.license if isinstance(r, Document) else r.detail
        for r in records
        if str(r.origin.member).endswith(".py")
    }


def test_licences_of_folders(tmp_path: Path) -> None:
    files = {
        "repo/LICENSE": MIT,
        "repo/a.py": b"1",
        "repo/copied/COPYING": b"GNU GENERAL PUBLIC LICENSE",
        "repo/copied/deep/b.py": b"1",
        "repo/other/LICENSE": b"Copyright 2020 Ada\n\n" + MIT,
        "repo/other/c.py": b"1",
        "repo/docs/license.md": b"# How this is licensed\n\nIn a page of its own.",
        "repo/docs/d.py": b"1",
    }
    (tmp_path / "a__b.tar").write_bytes(tar(files))
    none = "none of Apache-2.0, BSD-2-Clause, BSD-3-Clause, MIT"
    assert licenses_of(read(tmp_path)) == {
        "repo/a.py": "MIT",
        "repo/copied/deep/b.py": f"copied/COPYING is {none}",
        "repo/other/c.py": "MIT",
        "repo/docs/d.py": "MIT",
    }
    (tmp_path / "a__b.tar").write_bytes(tar(files | {"repo/LICENSE": b"You may look at it."}))
    assert set(licenses_of(read(tmp_path)).values()) == {f"LICENSE is {none}", f"copied/COPYING is {none}"}


def test_licences_as_reuse_has_them(tmp_path: Path) -> None:
    files = {"repo/LICENSES/MIT.txt": MIT, "repo/a.py": b"1"}
    (tmp_path / "a__b.tar").write_bytes(tar(files))
    assert licenses_of(read(tmp_path)) == {"repo/a.py": "MIT"}
    (tmp_path / "a__b.tar").write_bytes(tar(files | {"repo/LICENSES/GPL-3.0.txt": b"GNU GENERAL PUBLIC LICENSE"}))
    assert "GPL-3.0.txt" in str(licenses_of(read(tmp_path))["repo/a.py"])


def test_files_that_are_not_code(tmp_path: Path) -> None:
    files = {
        "repo/LICENSE": MIT,
        "repo/vendor/a.py": b"1",
        "repo/x_pb2.py": b"1",
        "repo/b.go": b"// Code generated by x. DO NOT EDIT.\npackage b\n",
        "repo/c.min.js": b"1",
        "repo/d.js": b"a();" * 200,
        "repo/e.h": b"int T[] = {" + b"1234, " * 500 + b"};",
    }
    (tmp_path / "a__b.tar").write_bytes(tar(files))
    assert outcome(read(tmp_path))[1:] == ["vendored", "generated", "generated", "minified", "minified", "data"]


def test_encodings(tmp_path: Path) -> None:
    files = {
        "repo/LICENSE": MIT,
        "repo/a.py": "# -*- coding: koi8-r -*-\nprint('ы')\n".encode("koi8-r"),
        "repo/b.py": ("# " + "größer " * 9).encode() + b"\xff\n",
        "repo/c.py": "# là où\n".encode("mac-roman"),
        "repo/d.py": b"\xef\xbb\xbfprint(1)\n",
    }
    (tmp_path / "a__b.tar").write_bytes(tar(files))
    _, a, b, c, d = read(tmp_path)
    assert isinstance(a, Document)
    assert (a.text.splitlines()[1], a.metadata["encoding"]) == ("print('ы')", "koi8-r")
    assert isinstance(b, Document)
    assert (b.text[-2:], b.metadata["bad_bytes"]) == ("\ufffd\n", 1)
    assert isinstance(c, Rejected)
    assert c.reason == "encoding"
    assert isinstance(d, Document)
    assert d.text == "print(1)\n"


@pytest.mark.parametrize("limit", ["_HELD", "_MAX_LICENSES"])
def test_an_archive_too_large_for_memory_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    files = {"repo/LICENSE": MIT, "repo/a.py": b"1" * 100, "repo/b.csv": b"2", "repo/c.py": b"3"}
    (tmp_path / "a__b.tar.gz").write_bytes(gzip.compress(tar(files)))
    expected = read(tmp_path)
    monkeypatch.setattr(github, limit, 10)
    assert read(tmp_path) == expected if limit == "_HELD" else outcome(read(tmp_path)) == ["too_large"]


@settings(deadline=None, max_examples=60)
@given(
    changes=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=12),
    cut=st.integers(0, 6000),
    kind=st.sampled_from(["tar", "tar.gz", "zip", "jsonl", "parquet"]),
)
def test_altered_files_cost_records_and_raise_nothing(
    changes: list[tuple[int, int]], cut: int, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(_whole(kind))
    for place, byte in changes:
        data[place % len(data)] = byte
    folder = tmp_path_factory.mktemp("altered")
    (folder / f"a__b.{kind}").write_bytes(bytes(data[: len(data) - cut % len(data) // 4]))
    source = Github(max_archive_bytes=1 << 20)
    for record in read(folder, source):
        document_batch([record], "github") if isinstance(record, Document) else None
        assert isinstance(source.raw(str(folder), record.origin), bytes) or kind == "parquet"


@cache
def _whole(kind: str) -> bytes:
    files = {
        "repo/LICENSE": MIT,
        "repo/a.py": "# größer\n".encode() * 9,
        "repo/b.c": b"// caf\xe9\n",
        "repo/c/x.py": b"1",
    }
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), out)
    elif kind == "jsonl":
        return b"\n".join(json.dumps(row).encode() for row in ROWS)
    else:
        return tar(files) if kind == "tar" else gzip.compress(tar(files))
    return out.getvalue()


def test_licences_to_keep(tmp_path: Path) -> None:
    (tmp_path / "a__b.tar").write_bytes(tar({"repo/LICENSE": MIT, "repo/a.py": b"1"}))
    assert outcome(read(tmp_path, Github(licenses=("Apache-2.0",)))) == ["license", "license"]


def test_damage(tmp_path: Path) -> None:
    data = tar({"repo/LICENSE": MIT, "repo/a.py": b"1", "repo/b.py": b"2" * 600})
    (tmp_path / "a__b.tar").write_bytes(data[: data.index(b"222") + 100])
    (tmp_path / "b__b.tar.gz").write_bytes(gzip.compress(data)[:20])
    (tmp_path / "c__b.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "d.txt").write_bytes(b"text")
    (tmp_path / "e.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "f__b.tar").write_bytes(tar({"repo/LICENSE": MIT, "repo/a.py": b"1" * 20_000}))
    assert outcome(read(tmp_path, Github(max_archive_bytes=15_000))) == [
        *("extension", f"github:a/b@{COMMIT}:a.py", "damaged"),
        *("damaged", "damaged", "unsupported_file", "damaged", "too_large"),
    ]


ROWS: list[dict[str, Any]] = [
    {"repo_name": "a/b", "path": "x.py", "content": "1", "license": "mit", "ref": "refs/heads/main"},
    {"repo_name": "a/b", "path": "y.c", "content": "é", "license": "apache-2.0", "ref": None},
    {"repo_name": "a/b", "path": "z.py", "content": "1", "license": "gpl-2.0", "ref": None},
    {"repo_name": "a/b", "path": "z.py", "content": "1", "license": None, "ref": None},
    {"repo_name": "a/b", "path": "z.py", "content": None, "license": "mit", "ref": None},
    {"repo_name": "a/b", "path": "z.py", "content": "x" * 2000, "license": "mit", "ref": None},
    {"repo_name": None, "path": "z.py", "content": "1", "license": "mit", "ref": None},
]
EXPECTED = [
    "github:a/b@refs/heads/main:x.py",
    "github:a/b@unknown:y.c",
    *("license", "license", "binary", "too_large", "bad_row"),
]


def test_parquet_rows(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS * 30), tmp_path / "a.parquet", row_group_size=10)
    source = Github(max_file_bytes=1500)
    records = read(tmp_path, source)
    assert outcome(records) == EXPECTED * 30
    assert [r.origin.record for r in records] == list(range(len(ROWS) * 30))
    second = records[1]
    assert isinstance(second, Document)
    assert (second.text, second.license) == ("é", "Apache-2.0")
    assert source.raw(str(tmp_path), records[7 * 20 + 1].origin) == "é".encode()
    assert source.raw(str(tmp_path), records[4].origin) == b""


def test_no_thread_of_arrow_touches_a_parquet_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS * 30), tmp_path / "a.parquet", row_group_size=10)
    file = Watched((tmp_path / "a.parquet").read_bytes())
    monkeypatch.setattr("corpus.sources.github.open_raw", lambda root, path: nullcontext(file))
    source = Github(max_file_bytes=1500)
    records = read(tmp_path, source)
    assert outcome(records) == EXPECTED * 30
    file.seek(0)
    assert source.raw(str(tmp_path), records[1].origin) == "é".encode()
    assert file.threads == {threading.get_ident()}


def test_parquet_content_that_is_not_utf_8(tmp_path: Path) -> None:
    raw = pa.array([b"\xe9", b"a\0"], pa.binary())
    text = pa.StringArray.from_buffers(2, *raw.buffers()[1:])
    names = pa.array(["a/b"] * 2), pa.array(["x.py"] * 2), pa.array(["mit"] * 2)
    pq.write_table(pa.table([*names, text], names=["repo_name", "path", "license", "content"]), tmp_path / "a.parquet")
    first, second = read(tmp_path)
    assert isinstance(first, Document)
    assert first.text == "é"
    assert isinstance(second, Rejected)
    assert second.reason == "binary"


def test_parquet_of_something_else(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    assert outcome(read(tmp_path)) == ["bad_row", "bad_row"]


@pytest.mark.parametrize("packed", [False, True])
def test_json_lines(tmp_path: Path, packed: bool) -> None:
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in ROWS]
    lines[2:2] = [b"", b"no json", b"[1]", b'"' + b"x" * 2_000_000 + b'"', b"[" * 100_000]
    data = b"\n".join(lines)
    (tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")).write_bytes(gzip.compress(data) if packed else data)
    source = Github(max_file_bytes=1500)
    records = read(tmp_path, source)
    assert outcome(records) == [*EXPECTED[:2], "bad_row", "bad_row", "too_large", "bad_row", *EXPECTED[2:]]
    raw = [source.raw(str(tmp_path), record.origin).rstrip(b"\n") for record in records]
    assert raw == [line for line in lines if line]


def test_cut_json_lines(tmp_path: Path) -> None:
    data = b"\n".join(json.dumps(row).encode() for row in ROWS)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data)[:-12])
    assert outcome(read(tmp_path))[-1] == "damaged"


def test_real_repositories(shared_data: Path) -> None:
    """Which repositories are kept is what data/MANIFEST.md says of each."""
    records = read(shared_data / "github")
    table = Counter((r.origin.file, "document" if isinstance(r, Document) else r.reason) for r in records)
    assert table == {
        ("ahartel__basic-common-crawl-pipeline.tar.gz", "license"): 28,
        ("google__gson.tar.gz", "document"): 284,
        ("google__gson.tar.gz", "extension"): 29,
        ("htop-dev__htop.tar.gz", "license"): 354,
        ("mooz__percol.tar.gz", "license"): 32,
        ("pallets__click.tar.gz", "document"): 119,
        ("pallets__click.tar.gz", "empty"): 3,
        ("pallets__click.tar.gz", "extension"): 44,
        ("sharkdp__hexyl.tar.gz", "document"): 12,
        ("sharkdp__hexyl.tar.gz", "extension"): 13,
        ("tj__commander.js.tar.gz", "document"): 186,
        ("tj__commander.js.tar.gz", "extension"): 30,
    }
    documents = [record for record in records if isinstance(record, Document)]
    licenses = {d.origin.file: d.license for d in documents}
    assert sorted(licenses.values()) == ["Apache-2.0", "Apache-2.0 OR MIT", "BSD-3-Clause", "MIT"]
    assert document_batch(documents, "github").num_rows == len({d.id for d in documents}) == 601
    assert any(
        d.id == "github:pallets/click@2c8cd3ac958a7eb316d67f2d316c27086c4c0369:src/click/core.py" for d in documents
    )
    for document in documents[:5]:
        assert Github().raw(str(shared_data / "github"), document.origin).decode() == document.text


def test_endings_are_lower_case() -> None:
    assert [ending for ending in EXTENSIONS if ending.startswith(".") and ending != ending.lower()] == []
    assert len(set(EXTENSIONS)) == len(EXTENSIONS)
