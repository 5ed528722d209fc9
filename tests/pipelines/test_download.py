"""Many files at once: as many requests as were allowed, the failures of one after all others."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep

import pytest

from corpus.download.fetch import RemoteFile
from corpus.errors import UserError
from corpus.lock import lock
from pipelines.download import download, make_tasks
from pipelines.engine.runner import Runner, RunnerName
from tests.corpus.download.server import Answer, Request, Site, serving


@dataclass
class Counting(Site):
    """Counts the requests that it answers at the same time."""

    now: int = 0
    most: int = 0
    door: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Answer:
        with self.door:
            self.now += 1
            self.most = max(self.most, self.now)
        sleep(0.05)
        with self.door:
            self.now -= 1
        return super().answer(request)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def files(site: Site, count: int) -> list[RemoteFile]:
    site.bodies = {f"/{number}": b"%d" % number for number in range(count)}
    return [RemoteFile(f"{site.url}/{number}") for number in range(count)]


@pytest.mark.parametrize("runner", [Runner("local", 7, quiet=True), Runner("local", 0, quiet=True)])
def test_all_files_come(site: Site, tmp_path: Path, runner: Runner) -> None:
    download(files(site, 9), str(tmp_path), 2, runner)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == {
        f"{number}": b"%d" % number for number in range(9)
    }
    assert sorted(site.asked) == sorted(site.bodies)


def test_never_more_requests_at_a_time_than_allowed(tmp_path: Path) -> None:
    with serving(Counting) as site:
        download(files(site, 12), str(tmp_path), 3, Runner("local", 8, quiet=True))
    assert isinstance(site, Counting)
    assert site.most == 3
    assert len(site.requests) == 12


@pytest.mark.parametrize(("name", "tasks"), [("local", 100), ("spark", 2)])
def test_a_cluster_has_no_more_tasks_than_connections(name: RunnerName, tasks: int) -> None:
    files = [RemoteFile(f"https://host/{number}") for number in range(250)]
    made = make_tasks(files, "out", 2, Runner(name), False)
    assert len(made) == tasks
    assert [task.part for task in made] == list(range(tasks))
    assert sorted(file.url for task in made for file in task.files) == sorted(file.url for file in files)
    assert len(make_tasks(files[:1], "out", 2, Runner(name), False)) == 1


def test_a_failure_is_told_when_all_others_are_there(site: Site, tmp_path: Path) -> None:
    listed = [RemoteFile(f"{site.url}/gone", remedy="ask again"), *files(site, 3)]
    with pytest.raises(UserError, match=r"/gone answered 404 Not Found: ask again"):
        download(listed, str(tmp_path), 2, Runner("local", 2, quiet=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    download(listed, str(tmp_path), 2, Runner("local", 2, quiet=True), may_lack=True)


def test_one_download_into_a_folder_at_a_time(site: Site, tmp_path: Path) -> None:
    with lock(str(tmp_path), "another"), pytest.raises(UserError, match="another"):
        download(files(site, 1), str(tmp_path), 1, Runner("local", 1, quiet=True))
