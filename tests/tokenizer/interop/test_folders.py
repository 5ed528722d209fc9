"""Whole folders out and back in, and what can be done with them then."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import DamagedFile, UserError
from corpus.storage import exists, names
from tokenizer.index import read_index
from tokenizer.interop import importing
from tokenizer.interop.exporting import WRITERS, export_folder
from tokenizer.interop.importing import import_files
from tokenizer.interop.packed import document_blocks
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.reader import TokenReader
from tokenizer.shards import Shard
from tokenizer.trace import trace_sequences


def export(folder: Path, output: Path | str, format: str) -> list[str]:
    lines: list[str] = []
    export_folder(str(folder), str(output), format, lines.append)
    return lines


def shard_files(output: Path, format: str) -> list[str]:
    return sorted(map(str, output.glob("train/*" + {"megatron": ".idx", "datatrove": ".ds"}[format])))


@pytest.mark.parametrize("format", ["megatron", "datatrove"])
def test_out_and_in_again(
    folder: Path, tmp_path: Path, model_path: str, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(folder, tmp_path / "out", format)
    files = shard_files(tmp_path / "out", format)
    monkeypatch.setattr(importing, "document_blocks", lambda offsets: document_blocks(offsets, 100))
    index = import_files(files, str(tmp_path / "tokens"), format, model_path)
    before = read_index(str(folder))
    header = index.header
    assert (header.tokenizer, header.vocab_size, header.bos, header.eos) == (
        before.header.tokenizer, before.header.vocab_size, 1, 2
    )  # fmt: skip
    assert (header.dataset, index.heldout, index.heldout_one_in) == ("00" * 32, (), 0)
    with_documents = [entry for entry in before.shards if entry.documents]
    assert len(index.shards) == len(with_documents) == 2
    for old, new in zip(with_documents, index.shards, strict=True):
        # The text is that of the documents, though only their ids were known.
        assert (new.tokens, new.documents, new.text_bytes) == (old.tokens, old.documents, old.text_bytes)
        shards = Shard(f"{folder}/{old.name}"), Shard(f"{tmp_path}/tokens/{new.name}")
        assert shards[0].tokens.tobytes() == shards[1].tokens.tobytes()
        assert shards[0].document_offsets.tobytes() == shards[1].document_offsets.tobytes()
    result = CliRunner().invoke(app, ["shards", "verify", str(tmp_path / "tokens")])
    assert result.stdout.startswith("2 of 2 shards are whole")


def test_an_imported_folder_is_mixed_read_and_traced(folder: Path, tmp_path: Path, model_path: str) -> None:
    export(folder, tmp_path / "out", "megatron")
    files = shard_files(tmp_path / "out", "megatron")
    tokens = str(tmp_path / "tokens")
    command = ["shards", "import", *files, tokens, "--format", "megatron", "--model", model_path]
    assert "2 shards, " in CliRunner().invoke(app, command).stdout
    manifest = write_manifest(make_mixture({"old": 1}, {"old": tokens}, None, 16), str(tmp_path))
    reader = TokenReader(manifest)
    assert reader.heldout("old").shape == (0, 17)
    (traced,) = trace_sequences(manifest, reader.fingerprint, 5, 1)
    span = traced.trace.spans[0]
    assert traced.documents[0] == f"{files[span.part].replace('.idx', '.bin')} document {span.row}"
    result = CliRunner().invoke(app, ["trace", span.shard, str(span.position)])
    assert f"was imported, so only this is known: document {span.row} of {tmp_path}/out/" in str(result.exception)
    shown = CliRunner().invoke(app, ["shards", "cat", span.shard, "--document", "3"]).stdout
    assert shown.startswith(f"=== document 3: {files[span.part].replace('.idx', '.bin')} document 3 ")
    assert f"file       {tmp_path}/out/train/" in CliRunner().invoke(app, ["shards", "info", tokens]).stdout


def test_a_restart_does_what_is_missing(folder: Path, tmp_path: Path, model_path: str) -> None:
    output = tmp_path / "out"
    first = export(folder, output, "megatron")
    assert [line.split()[1] for line in first] == ["done:"] * 4  # two shards of training, two held out
    (output / ".finished" / "train" / "shard-00001.json").unlink()
    again = export(folder, output, "megatron")
    assert ["was done" in line for line in again] == [True, False, True, True]
    with pytest.raises(UserError, match="holds the export of something else"):
        export(folder, output, "datatrove")

    lines: list[str] = []
    files = shard_files(output, "megatron")
    tokens = tmp_path / "tokens"
    import_files(files, str(tokens), "megatron", model_path, lines.append)
    whole = {path.name: path.read_bytes() for path in tokens.glob("*.*")}
    for left in ("shard-00001.tok", "index.json", "meta/shard-00001.json"):
        (tokens / left).unlink()
    (tokens / "meta" / ".shard-00001.json.12.tmp").write_text("{")
    lines.clear()
    import_files(files, str(tokens), "megatron", model_path, lines.append)
    assert ["was done" in line for line in lines] == [True, False]
    assert {path.name: path.read_bytes() for path in tokens.glob("*.*")} == whole
    (tokens / "shard-00000.tok").unlink()  # as the message about a damaged shard says
    lines.clear()
    import_files(files, str(tokens), "megatron", model_path, lines.append)
    assert ["was done" in line for line in lines] == [False, True]
    assert {path.name: path.read_bytes() for path in tokens.glob("*.*")} == whole
    with pytest.raises(UserError, match=r"holds other shards \(shard-00001\.json\)"):
        import_files(files[:1], str(tokens), "megatron", model_path)
    index = Path(files[0]).read_bytes()
    (entries,) = struct.unpack_from("<Q", index, 26)
    at = len(index) - 8 * entries
    # The first two documents in one; the ids are the same.
    Path(files[0]).write_bytes(index[:26] + struct.pack("<Q", entries - 1) + index[34 : at + 8] + index[at + 16 :])
    with pytest.raises(UserError, match=r"holds other shards \(shard-00000\.json\)"):
        import_files(files, str(tokens), "megatron", model_path)
    Path(files[0]).write_bytes(index)
    Path(files[0].replace(".idx", ".bin")).touch()
    with pytest.raises(UserError, match=r"holds other shards \(shard-00000\.json\)"):
        import_files(files, str(tokens), "megatron", model_path)


def test_into_an_object_store(folder: Path, tmp_path: Path, model_path: str) -> None:
    export(folder, "memory://interop/out", "datatrove")
    assert names("memory://interop/out/train")[:3] == [
        f"shard-00000.ds{ending}" for ending in ("", ".index", ".metadata")
    ]
    export(folder, tmp_path / "out", "datatrove")
    stores = {"here": str(tmp_path / "tokens"), "there": "memory://interop/tokens"}
    for tokens in stores.values():
        import_files(shard_files(tmp_path / "out", "datatrove"), tokens, "datatrove", model_path)
    for format in WRITERS:
        files = []
        for name, tokens in stores.items():
            export_folder(tokens, str(tmp_path / name), format, lambda line: None)
            files.append({path.name: path.read_bytes() for path in (tmp_path / name / "train").iterdir()})
            shutil.rmtree(tmp_path / name)
        assert files[0] == files[1]
        assert len(files[0]) >= 2
    verified = CliRunner().invoke(app, ["shards", "verify", "memory://interop/tokens"])
    assert verified.stdout.startswith("2 of 2 shards are whole"), verified.stderr


@pytest.mark.parametrize("format", WRITERS)
def test_a_damaged_shard_is_not_exported(folder: Path, tmp_path: Path, format: str) -> None:
    shutil.copytree(folder, tmp_path / "tokens")
    path = tmp_path / "tokens" / "shard-00001.tok"
    path.write_bytes(path.read_bytes()[:4100] + b"\xff" + path.read_bytes()[4101:])
    with pytest.raises(DamagedFile, match=r"shard-00001\.tok is altered in bytes 4096 to"):
        export(tmp_path / "tokens", tmp_path / "out", format)
    assert [name for name in names(str(tmp_path / "out" / "train")) if name.startswith("shard-00001")] == []


def test_bos_and_eos_are_what_every_document_has(tmp_path: Path, model_path: str) -> None:
    def bos_eos(*documents: list[int]) -> tuple[int, int]:
        shutil.rmtree(tmp_path / "tokens", ignore_errors=True)
        ends = np.cumsum([len(tokens) for tokens in documents], dtype="<u8")
        np.array([t for tokens in documents for t in tokens], "<u2").tofile(tmp_path / "a.ds")
        ends.tofile(tmp_path / "a.ds.index")
        header = import_files([str(tmp_path / "a.ds")], str(tmp_path / "tokens"), "datatrove", model_path).header
        return header.bos, header.eos

    assert bos_eos([1, 5, 2], [1, 2]) == (1, 2)
    assert bos_eos([1, 5, 2], [1, 6]) == (1, -1)
    assert bos_eos([5, 2], [6, 2], [2]) == (-1, 2)
    assert bos_eos([1, 5, 2], [], [1, 2]) == (-1, -1)


def test_mistakes(folder: Path, tmp_path: Path, model_path: str) -> None:
    with pytest.raises(UserError, match="--format mds is unknown: known are megatron, datatrove, datasets"):
        export(folder, tmp_path / "out", "mds")
    with pytest.raises(UserError, match="--format datasets is unknown: known are megatron, datatrove"):
        import_files([], str(tmp_path / "in"), "datasets", model_path)
    for wrong in (2000, 65535):
        np.array([1, wrong, 2], "<u2").tofile(tmp_path / "a.ds")
        np.array([3], "<u8").tofile(tmp_path / "a.ds.index")
        with pytest.raises(UserError, match=rf"a\.ds has the id {wrong}, and the tokenizer 2000 pieces"):
            import_files([str(tmp_path / "a.ds")], str(tmp_path / "in"), "datatrove", model_path)
        assert not exists(str(tmp_path / "in" / "shard-00000.tok"))
    with pytest.raises(UserError, match="there is nothing"):
        import_files([], str(tmp_path / "in"), "datatrove", model_path)


def test_notes_of_an_import_are_relative(folder: Path, tmp_path: Path, model_path: str) -> None:
    export(folder, tmp_path / "out", "megatron")
    files = shard_files(tmp_path / "out", "megatron")
    import_files(files, str(tmp_path / "tokens"), "megatron", model_path)
    notes = json.loads((tmp_path / "tokens" / "documents.json").read_text())
    assert notes["files"] == ["../out/train/shard-00000.bin", "../out/train/shard-00001.bin"]
