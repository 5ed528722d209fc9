"""Groups of processes that train on the mixture in memory; argv[1]: a list of (number of processes, jobs).

The processes of a group are forks of this one, so that torch is imported once. Each sets what torchrun would have set.
"""

import json
import multiprocessing
import os
import socket
import sys
from pathlib import Path
from typing import Any

from harness import MemoryTokens, small

from trainer.parallel import processes
from trainer.train import train


def member(rank: int, world: int, port: int, jobs: list[dict[str, Any]]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with processes("cpu") as device:
        for job in jobs:
            train(small(**job["changes"]), MemoryTokens(), Path(job["output"]), device)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


fork = multiprocessing.get_context("fork")
for world, jobs in json.loads(sys.argv[1]):
    port = free_port()
    members = [fork.Process(target=member, args=(rank, world, port, jobs)) for rank in range(world)]
    for process in members:
        process.start()
    for process in members:
        process.join(200)
    codes = [process.exitcode for process in members]
    if codes != [0] * world:
        for process in members:
            process.kill()
        sys.exit(f"exit codes of the {world} processes: {codes}")
