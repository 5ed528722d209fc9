"""Mistakes on the command line."""

import sys
from pathlib import Path

import pytest

from corpus.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "books", "{raw}", "{out}", "--runner", "ray"], "--runner ray is unknown: known are local, spark"),
        (["extract", "books", "{out}", "{out}"], "does not exist"),
        (["extract", "magazines", "{raw}", "{out}"], "unknown source magazines"),
        (["filter", "{raw}", "{out}", "--rule", "length"], "has no meta/manifest.json"),
        (["filter", "{raw}", "{out}", "--rule", "exact"], "--rule exact is a dedup, not a filter"),
        (["filter", "{raw}"], "give a folder for the step and at least one --rule"),
        (["filter", "{raw}", "{out}", "--rule", "length", "--sweep", "a.b"], "--set and --sweep come with --dry-run"),
        (["filter", "--dry-run", "{raw}"], "--dry-run: give thresholds to try"),
        (
            ["filter", "--dry-run", "{raw}", "{out}", "--set", "a.b=1"],
            "--dry-run takes one folder, of a finished step or a run",
        ),
        (["filter", "--dry-run", "{raw}", "--sweep", "a.b"], "raw holds no finished step"),
        (["show", "{raw}", "--border", "length", "--dropped", "too_short"], "give --dropped or --border, not both"),
        (["recipe", "llama", "{raw}/no-mixture.yaml"], "no-mixture.yaml is there: give another name, or remove it"),
        (["recipe", "llama", "{out}", "--language", "fra_Latn"], "--language comes with fineweb2"),
        (["recipe", "nothing", "{out}"], "no recipe file nothing, and no bundled recipe of that name"),
        (["overlap", "{raw}"], "has no meta/manifest.json"),
        (["show", "nothing://x"], "nothing://x/meta/manifest.json cannot be reached: Protocol not known: nothing"),
        (["tokenize", "{raw}", "{out}", "--model", "m", "--name", "a/b"], "--name 'a/b' begins the name of a folder"),
        (["shards", "cat", "{raw}"], "raw is not a shard: give one of the .tok files"),
        (["gc", "{raw}"], "has no recipe.yaml"),
        (["mix", "{raw}/no-mixture.yaml"], "no-mixture.yaml has no section `mixture`: add one"),
        (["plan", "nothing"], "no recipe file nothing, and no bundled recipe of that name"),
        (["plan", "train", "--calibrate"], "--calibrate measures the steps of a recipe"),
        (["plan", "llama", "--compare"], "write `corpus plan train --compare`"),
        (["plan", "train", "--gpu", "TPU"], "--gpu TPU is unknown: known are B200, H200"),
        (["plan", "train", "--gpus", "3"], "run.batch: 2048 is not a multiple of data-parallel GPUs (3)"),
        (["plan", "train", "--model", "tiny"], "the paper has no number of tokens for the size tiny: give --tokens"),
        (["plan", "train", "--set", "parallel.tensor"], "write SECTION.NAME=VALUE"),
        (["plan", "train", "--mfu", "0.5", "--tokens-per-second", "9"], "two ways to give one speed"),
        (["trace", "{raw}"], "give PLACE and POSITION, or --run and --step"),
        (["trace", "{raw}", "0", "--step", "3"], "give PLACE and POSITION, or --run and --step"),
        (["trace", "--run", "{raw}", "--step", "3"], "raw/metrics.jsonl does not exist: give the output folder"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "no-mixture.yaml").write_text("format: 1\noutput: o\nsources: {books: {input: raw}}\n")
    places = {"raw": str(tmp_path / "raw"), "out": str(tmp_path / "out")}
    monkeypatch.setattr("sys.argv", ["corpus", *(argument.format(**places) for argument in arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("corpus: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("corpus.models.get", interrupted)
    monkeypatch.setattr("sys.argv", ["corpus", "models", "get", "lid"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "corpus: interrupted: run the same command again to do what is missing\n"


@pytest.mark.parametrize(("code", "line"), [(143, "told to end"), (129, "hung up")])
def test_a_signal_is_one_line(
    code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("corpus.models.get", lambda name: sys.exit(code))
    monkeypatch.setattr("sys.argv", ["corpus", "models", "get", "lid"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr().err == f"corpus: {line}: run the same command again to do what is missing\n"


@pytest.mark.parametrize("module", ["botocore.exceptions", "google.auth.exceptions", "google.protobuf.message"])
def test_what_an_object_store_refuses_is_one_line(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As s3fs and gcsfs let it pass; errors of other libraries of Google are not of a store."""
    error = type("NoCredentialsError", (Exception,), {"__module__": module})

    def refused(name: str) -> None:
        raise error("Unable to locate\ncredentials")

    monkeypatch.setattr("corpus.models.get", refused)
    monkeypatch.setattr("sys.argv", ["corpus", "models", "get", "lid"])
    with pytest.raises(error if "protobuf" in module else SystemExit):
        main()
    told = (
        "corpus: the object store cannot be used (NoCredentialsError: Unable to locate credentials): check its address"
    )
    assert capsys.readouterr().err.startswith(told) == ("protobuf" not in module)
