"""What the master of a standalone Spark cluster says of itself, on its page for people and machines."""

import json
import os
import re
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

SCHEME = "spark://"
SECONDS = 10
TASKS_OF_A_CORE = 3
"""`spark.default.parallelism` by core: "we recommend 2-3 tasks per CPU core in your cluster" (Spark 3.5, Tuning)."""


@dataclass(frozen=True)
class Master:
    """A master that answers.

    Attributes:
        page: URL of its page.
        status: ALIVE, STANDBY or RECOVERING.
        workers: those alive.
        cores, free_cores: of these.
        memory, free_memory: of these, MiB.
        version: of Spark, as its page prints it; None where it does not.
    """

    page: str
    status: str
    workers: int
    cores: int
    free_cores: int
    memory: int
    free_memory: int
    version: str | None


def pages(url: str) -> list[str]:
    """Pages of the masters that `spark://HOST:PORT,HOST:PORT` names, on Spark's own port, 8080, or
    $SPARK_MASTER_WEBUI_PORT, by which Spark is told another one."""
    port = os.environ.get("SPARK_MASTER_WEBUI_PORT") or "8080"
    hosts = [address.rpartition(":")[0] or address for address in url.removeprefix(SCHEME).split(",")]
    return [f"http://{host}:{port}" for host in hosts]


def master(url: str) -> Master | None:
    """The master of a cluster that is in charge, or else one that answers; None where no page can be read."""
    found = [read for page in pages(url) if (read := _read(page)) is not None]
    return next((one for one in found if one.status == "ALIVE"), found[0] if found else None)


def _read(page: str) -> Master | None:
    try:
        with urlopen(f"{page}/json/", timeout=SECONDS) as answer:
            body = json.load(answer)
        alive = [worker for worker in body["workers"] if worker["state"] == "ALIVE"]
        with urlopen(page, timeout=SECONDS) as answer:
            version = re.search(r'class="version"[^>]*>\s*([\d.]+[^\s<]*)', answer.read().decode(errors="replace"))
        keys = ("cores", "coresfree", "memory", "memoryfree")
        cores, free_cores, memory, free_memory = (sum(int(worker[key]) for worker in alive) for key in keys)
        return Master(
            page,
            body["status"],
            len(alive),
            cores,
            free_cores,
            memory,
            free_memory,
            version[1] if version else None,
        )
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return None
