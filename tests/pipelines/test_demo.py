"""`corpus demo` as a user runs it, without a network."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from corpus import compiling
from corpus.llama import TABLE_1
from corpus.recipe.load import load
from corpus.report.summary import summarise
from pipelines.engine.runner import Runner
from pipelines.run import run
from tokenizer.mixture import read_manifest

NO_NETWORK = '''\
"""Python imports this first in every process that the test starts: what is not this machine is not there."""
import os, socket

def _refuse(what):
    with open(os.environ["ASKED"], "a") as file:
        file.write(f"{what}\\n")
    raise OSError(f"no network: {what}")

_connect, _getaddrinfo = socket.socket.connect, socket.getaddrinfo

def connect(self, address):
    if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
        _refuse(address)
    return _connect(self, address)

def getaddrinfo(host, *rest, **more):
    if host not in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname()):
        _refuse(host)
    return _getaddrinfo(host, *rest, **more)

socket.socket.connect, socket.getaddrinfo = connect, getaddrinfo
'''

DROPPED = {
    "commoncrawl": {
        ("extract", "truncated"),
        ("extract", "type_warcinfo"),
        ("lines", "too_short"),
        ("language", "language_unwanted"),
        ("near", "near_duplicate"),
    },
    "c4": {("extract", "bad_json"), ("extract", "damaged"), ("extract", "empty")},
    "github": {
        *(("extract", reason) for reason in ("damaged", "extension", "minified", "vendored")),
        ("code", "max_line_length"),
        ("exact", "duplicate"),
    },
    "wikipedia": {("extract", "damaged_xml"), ("extract", "redirect"), ("extract", "namespace")},
    "books": {("extract", "empty"), ("extract", "unsupported_file"), ("overlap", "overlap")},
    "arxiv": {("extract", "damaged"), ("extract", "pdf_only"), ("extract", "withdrawn")},
    "stackexchange": {("extract", "bad_row"), ("extract", "merged_into_document"), ("extract", "orphan_answer")},
}
"""What the raw files were made to show."""


class Demo:
    """A folder, and commands run beside it where only this machine can be reached."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = home / "out"
        self.asked = home / "asked"
        (home / "path").mkdir()
        (home / "path" / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")

    def python(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.home / "path"), str(Path(__file__).parents[2])])
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={
                **os.environ,
                "PYTHONPATH": path,
                "ASKED": str(self.asked),
                "COLUMNS": "160",
                "NUMBA_CACHE_DIR": str(self.home / "kernels"),
            },
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )

    def corpus(self, *arguments: str) -> str:
        done = self.python("from corpus.cli import main; main()", *arguments)
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
        assert compiling.LINE not in done.stderr
        return done.stdout

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of every file of the demo but the copies of the recipe, which every run writes, and the report,
        which names them."""
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.output.rglob("*")
            if path.is_file() and path.name not in ("recipe.yaml", "report.html") and path.parent.name != "recipes"
        }


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    refused = demo.python("import socket; socket.create_connection(('data.commoncrawl.org', 443))")
    assert "no network" in refused.stderr
    demo.asked.unlink()

    demo.corpus("warm-up")  # then nothing is left to be compiled
    printed = demo.corpus("demo", str(demo.output), "--workers", "2")
    assert not demo.asked.exists()
    for heading in ("From raw records to tokens", "wanted", "got", "paper"):
        assert heading in printed

    recipe = load(str(demo.output / "run" / "recipe.yaml"))
    result = run(recipe, Runner(workers=1), say=lambda line: None)
    assert result.ran == 0
    assert result.mixture is not None
    for name, steps in result.graph.finished_documents().items():
        summary = summarise(name, steps)
        assert summary.adds_up, name
        assert {rule for rule, count in summary.dropped.items() if count} >= DROPPED[name], name
    mixture = read_manifest(result.mixture)
    for name, share in mixture.shares_got().items():
        assert abs(share - float(TABLE_1[name].share.rstrip("%")) / 100) <= 1 / mixture.sequences, name

    (report,) = [*demo.output.glob("run/model-*/heldout.json")] or [None]
    assert (report is None) == (find_spec("torch") is None)
    if report is not None:
        losses = json.loads(report.read_text(encoding="utf-8"))
        assert losses["all"]["loss"] < losses["all"]["unigram_entropy"]
        assert set(losses["sources"]) <= set(TABLE_1)

    before = demo.files()
    again = demo.corpus("demo", str(demo.output))
    assert "nothing to do" in again
    assert demo.files() == before

    commands = [line.split()[1:] for line in again.splitlines() if line.startswith("  corpus ")]
    assert len(commands) == 4
    shown = [demo.corpus(*command) for command in commands]
    assert "\n=== commoncrawl:" in shown[0]
    assert "\n=== books:demo:" in shown[1]
    assert r"\begin{thebibliography}" in shown[2]
    assert "of document wikipedia:" in shown[3]
    assert not demo.asked.exists()
