"""Groups of processes that train on the mixture in memory; argv[1]: a list of (number of processes, jobs).

The processes of a group are forks of this one, so that torch is imported once. Each sets what torchrun would have set,
and when one dies the others are killed, as torchrun does. A group whose last job has a `trouble` must end so.
"""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch.distributed as dist
from harness import MemoryTokens, copy, small

from corpus.errors import UserError
from corpus.lifeline import end_with
from trainer import checkpoint
from trainer.parallel import processes
from trainer.train import train

SAVED = 6
"""The step whose checkpoint meets trouble; those of 2 and 4 are whole."""


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(module: Any, name: str, when: Callable[[Path], bool]) -> None:
    """Kills this process where `module.name` is called with a path of which `when` is true."""
    original = getattr(module, name)

    def call(path: Path, *arguments: Any, **named: Any) -> Any:
        return die() if when(Path(path)) else original(path, *arguments, **named)

    setattr(module, name, call)


def trouble(name: str, rank: int, output: Path) -> None:
    """Prepares what goes wrong while step 6 is saved, or before."""
    temporary, final = f".tmp-step-{SAVED:08d}", f"step-{SAVED:08d}"
    if name == "full disk on rank 1" and rank == 1:
        write = checkpoint._write_safetensors

        def fill(path: Path, tensors: Any) -> checkpoint.Digest:
            if path.parent.name == temporary:  # Python ignores SIGXFSZ, so the write fails as on a full disk
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
            return write(path, tensors)

        checkpoint._write_safetensors = fill
    elif name == "kill rank 1 before its file" and rank == 1:
        die_at(checkpoint, "_write_safetensors", lambda path: path.parent.name == temporary)
    elif name == "kill rank 1 in a step" and rank == 1:
        batch = MemoryTokens.batch

        def die_after_step_4(tokens: MemoryTokens, first: int, count: int) -> Any:
            while first > 8 * 5:
                if (output / "checkpoints" / "step-00000004").exists():
                    die()
                time.sleep(0.01)
            return batch(tokens, first, count)

        MemoryTokens.batch = die_after_step_4
    elif rank:
        return
    elif name == "kill before the marker":
        die_at(checkpoint, "mark", lambda path: path.name == temporary)
    elif name == "kill before the rename":
        die_at(checkpoint, "sync", lambda path: path.name == temporary)
    elif name == "kill after the rename":
        die_at(checkpoint, "sync", lambda path: path.name == "checkpoints" and (path / final).exists())
    elif name == "kill while the oldest is removed":
        die_at(shutil, "rmtree", lambda path: path.name.startswith(".tmp-old-") and path.exists())


def member(rank: int, world: int, port: int, jobs: list[dict[str, Any]]) -> None:
    leader = multiprocessing.parent_process()
    assert leader is not None
    end_with(leader.sentinel)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with processes("cpu") as device:
        for job in jobs:
            output = Path(job["output"])
            if rank == 0 and "resume" in job:
                copy(Path(job["resume"][0]), job["resume"][1], output)
            dist.barrier()
            trouble(job.get("trouble", ""), rank, output)
            try:
                train(small(**job["changes"]), MemoryTokens(), output, device)
            except UserError as error:
                (output / f"error-{rank}").write_text(f"{type(error).__name__}: {error}")
                dist.barrier()
                sys.exit(2)


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
    alive = list(members)
    while alive and all(process.exitcode in (None, 0, 2) for process in members):
        if not wait([process.sentinel for process in alive], 200):
            break
        alive = [process for process in alive if process.exitcode is None]
    codes = [process.exitcode for process in members]
    for process in alive:
        process.kill()
        process.join()
    if (codes == [0] * world) == ("trouble" in jobs[-1]):
        sys.exit(f"exit codes of the {world} processes: {codes}")
