import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest

from corpus.errors import UserError
from pipelines.engine import software as installed
from pipelines.engine.partmap import PartMap
from pipelines.engine.runner import Runner
from pipelines.engine.software import LIBRARIES, OnWorkers, Software, checked, software
from tests.pipelines.engine.functions import Job, double

ROOT = Path(__file__).parents[3]
OTHER = Software("0.0.9", "aaaaaaaaaaaa", "3.12 (Unicode 15.0.0)", (("numpy", "2.1.0"), ("mine", "1")), "elsewhere")


def test_every_difference_is_told_with_both_versions() -> None:
    here = Software("0.1.0", "bbbbbbbbbbbb", "3.11 (Unicode 14.0.0)", (("numpy", "2.4.6"), ("numba", "0.68")), "here")
    assert here.difference(replace(here, host="there")) == ""
    assert here.difference(OTHER) == (
        "corpus 0.1.0 (code bbbbbbbbbbbb) != 0.0.9 (code aaaaaaaaaaaa); Python 3.11 (Unicode 14.0.0) != 3.12 (Unicode "
        "15.0.0); numpy 2.4.6 != 2.1.0; numba 0.68 != none; mine none != 1"
    )
    assert here.difference(replace(here, libraries=(("numpy", "2.4.6"), ("numba", "0.67")))) == "numba 0.68 != 0.67"


def test_this_process_is_what_it_is() -> None:
    checked(software())
    libraries = dict(software().libraries)
    assert set(LIBRARIES) <= set(libraries)
    assert libraries["pyarrow"] != "none"


def test_a_function_of_another_version_is_not_even_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pickle.loads(pickle.dumps(OnWorkers(double)))(Job(4)) == 8
    monkeypatch.setattr(installed, "software", lambda: OTHER)
    sent = pickle.dumps(OnWorkers(double)).replace(b"double", b"dibble")  # a name that this version does not have
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"elsewhere, which submits, has \(corpus 0.0.9 .* install the same in the"):
        pickle.loads(sent)


def test_the_digest_sees_code_and_tables_and_not_what_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_package_of_ours"
    (package / "__pycache__").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for name, text in (
        ("__init__.py", "a = 1"),
        ("__init__.py", "a = 2"),
        ("table.tsv", "a"),
        ("other.tsv", "a"),
        ("__pycache__/module.kernel", "compiled"),
    ):
        (package / name).write_text(text)
        digests.append(installed._code(("some_package_of_ours",)))
    assert len(set(digests)) == 4
    assert digests[3] == digests[4]


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("localhost", port)) == 0


@contextmanager
def worker_pool(path: Path) -> Iterator[str]:
    """Workers of Beam in processes of their own, which find their packages in `path` first; their address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # It starts `python` from PATH.
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)]), "PATH": paths}
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    # Python looks into the working folder first.
    pool = subprocess.Popen(command, env=environment, cwd=path, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"localhost:{port}"
    finally:
        os.killpg(pool.pid, 9)
        pool.wait()


def test_a_worker_with_other_code_ends_the_job_in_one_line(tmp_path: Path) -> None:
    """A threshold of a filter that somebody changed in the checkout that submits, and not in the workers."""
    for package in installed.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / "workers" / package, ignore=shutil.ignore_patterns("__pycache__"))
    with worker_pool(tmp_path / "workers") as address:
        options = ("--job_endpoint=embed", "--environment_type=EXTERNAL", f"--environment_config={address}")
        runner = Runner("spark", options=options)

        def doubled() -> None:
            runner.run(
                lambda pipeline: pipeline | beam.Create([Job(n) for n in range(3)]) | PartMap(double, runner, "double"),
                str(tmp_path),
            )

        doubled()
        with (tmp_path / "workers/corpus/filters/gopher_quality.py").open("a") as file:
            file.write("\nCHANGED = 1\n")
        with pytest.raises(UserError) as caught:
            doubled()
    assert str(caught.value).startswith("the worker on ")
    assert f"(code {software().code}) != " in str(caught.value)
    assert "\n" not in str(caught.value)
