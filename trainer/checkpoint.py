"""Sharded checkpoints, written while training goes on, that load at another number of processes.

    OUTPUT/checkpoints/step-00001000/
      shard-00000.safetensors   what rank 0 wrote of the weights and of AdamW's two moments, float32
      checkpoint.json           written last: step, position in the data, settings, digests of the files

A checkpoint is whole or not there: every rank writes one file into one temporary folder, which rank 0 renames when all
is on disk. The tensors are safetensors, so reading a checkpoint runs nobody's code. All ranks must see the same folder.
"""

import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import torch
import torch.distributed as dist
import xxhash
from pydantic import Field, ValidationError
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import Metadata, MetadataIndex
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save
from torch.distributed.checkpoint.storage import StorageWriter, WriteResult
from torch.distributed.tensor import DTensor

from corpus.errors import DamagedFile, UserError
from corpus.settings import Settings
from trainer.config import ModelSettings
from trainer.guard import Recent
from trainer.loader import Tokens
from trainer.model import Llama
from trainer.optim import set_updates

MARKER = "checkpoint.json"
AT_ONCE = 1 << 24
"""Bytes hashed, and written, in one go."""


class Digest(Settings):
    """Size in bytes and XXH3-64 (hex) of one file."""

    size: int
    xxh3: str


class SavedSettings(Settings, extra="allow"):
    """The settings of the run. Only the model's are read again: those of other sections are a record, and may bear the
    names of another version."""

    model: ModelSettings


class Position(Settings):
    """Where a run stands: everything that is not a tensor. Written as `checkpoint.json`."""

    format: Literal[1] = 1
    step: int
    """Batches trained on."""
    updates: int
    """Updates made: fewer than steps where spikes were left out."""
    sequence: int
    """The next window of the mixture."""
    fingerprint: str | None
    """Of the mixture; None for imported weights, which no mixture of ours made."""
    tokenizer: str | None
    """SHA-256 of the SentencePiece model; None for imported weights that came without one."""
    vocab_size: int
    seq_len: int
    """Tokens of a window."""
    settings: SavedSettings
    recent: Recent | None = None
    """What `trainer.guard.Guard` has seen, where spikes are left out."""
    files: dict[str, Digest] = Field(default_factory=dict)


def _tensors(model: Llama, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.detach()
        tensors[f"exp_avg.{name}"] = optimiser.state[parameter]["exp_avg"]
        tensors[f"exp_avg_sq.{name}"] = optimiser.state[parameter]["exp_avg_sq"]
    return tensors


def _digest(path: Path) -> Digest:
    hasher, size = xxhash.xxh3_64(), 0
    with path.open("rb") as file:
        while block := file.read(AT_ONCE):
            hasher.update(block)
            size += len(block)
    return Digest(size=size, xxh3=hasher.hexdigest())


def _share(names: list[str]) -> list[str]:
    """This rank's share of the files to hash; all of them without a process group."""
    if not dist.is_initialized():
        return names
    return names[dist.get_rank() :: dist.get_world_size()]


def _smallest(value: int) -> int:
    """The smallest of all ranks' values."""
    tensor = torch.tensor(value)
    dist.all_reduce(tensor, dist.ReduceOp.MIN)
    return int(tensor)


def sync(path: Path) -> None:
    """Returns when a file, or the list of files in a folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_of(output: Path, step: int) -> Path:
    return output / "checkpoints" / f"step-{step:08d}"


def complete(output: Path) -> list[Path]:
    """Checkpoint folders that carry their marker, newest first."""
    return sorted((marker.parent for marker in (output / "checkpoints").glob(f"step-*/{MARKER}")), reverse=True)


def mark(folder: Path, position: Position, files: dict[str, Digest] | None = None) -> None:
    """Marks a folder whose files are on disk as a whole checkpoint; without digests it takes them."""
    if files is None:
        files = {path.name: _digest(path) for path in folder.iterdir()}
    whole = position.model_copy(update={"files": dict(sorted(files.items()))})
    (folder / MARKER).write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sync(folder / MARKER)
    sync(folder)


def _discard(folder: Path) -> None:
    """Removes a checkpoint. A kill on the way leaves a temporary folder, never one that looks whole."""
    doomed = folder.with_name(f".tmp-old-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)  # what another process still reads, NFS keeps


def _write_safetensors(path: Path, tensors: Mapping[str, tuple[torch.Size, Tensor]]) -> Digest:
    """Writes pieces of float32 tensors in host memory, each with its offsets in the whole tensor; on disk on return.

    The keys are those of torch's HuggingFaceStorageReader. Its writer is not used: it builds the file in memory (2.5
    times its size) and holds Python's lock meanwhile, so that training would stand still (3 s a GB).
    """
    offsets = {name: {"saved_offsets": list(offset)} for name, (offset, _) in tensors.items()}
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "DCP_SHARDING_INFO": json.dumps(offsets)}}
    end = 0
    for name, (_, tensor) in tensors.items():
        begin, end = end, end + tensor.nbytes
        dtype = {torch.float32: "F32"}[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    hasher = xxhash.xxh3_64()
    with path.open("wb") as file:
        for block in [struct.pack("<Q", len(encoded)), encoded]:
            hasher.update(block)
            file.write(block)
        for _, tensor in tensors.values():
            for piece in torch.split(tensor.contiguous().view(-1), AT_ONCE // tensor.itemsize):
                data: Any = piece.numpy()
                hasher.update(data)
                file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Digest(size=8 + len(encoded) + end, xxh3=hasher.hexdigest())


class _Writer(StorageWriter):
    """How one checkpoint comes to disk. torch's `save` calls the methods from top to bottom, and tells every rank of
    an error on any (CheckpointException)."""

    def __init__(self, output: Path, position: Position, before: int, keep: int) -> None:
        self._output, self._position, self._before, self._keep = output, position, before, keep
        self._final = folder_of(output, position.step)
        self._temporary = self._final.with_name(f".tmp-{self._final.name}")

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        return False  # never found by a path: it is always passed

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None: ...

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        if is_coordinator:
            self._temporary.mkdir(parents=True)

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        return [replace(plan, storage_data=f"shard-{rank:05d}.safetensors") for rank, plan in enumerate(plans)]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> torch.futures.Future[list[WriteResult]]:
        written: torch.futures.Future[list[WriteResult]] = torch.futures.Future()
        results = []
        if plan.items:
            tensors = {}
            for item in plan.items:
                assert item.tensor_data
                value = cast(Tensor, planner.resolve_data(item))
                tensors[item.index.fqn] = (item.tensor_data.chunk.offsets, value)
            digest = _write_safetensors(self._temporary / plan.storage_data, tensors)
            results.append(WriteResult(plan.items[0].index, digest.size, (plan.storage_data, digest)))
        written.set_result(results)
        return written

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        files = dict(result.storage_data for of_rank in results for result in of_rank)
        mark(self._temporary, self._position, files)
        if self._final.exists():  # one that was found damaged, and trained past again
            _discard(self._final)
        self._temporary.rename(self._final)
        sync(self._final.parent)
        # Those after `before` were found damaged when this run began: they do not count among the kept, and go when a
        # newer one is whole.
        reached = [folder for folder in complete(self._output) if folder <= self._final]
        damaged = [folder for folder in reached[1:] if folder > folder_of(self._output, self._before)]
        whole = [folder for folder in reached if folder not in damaged]
        for old in damaged + whole[self._keep :]:
            _discard(old)


class _FromHost(DefaultSavePlanner):
    """Plans by the layout of the tensors that train, and takes the values from their copies in host memory."""

    def __init__(self, copies: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._copies = copies

    def lookup_object(self, index: MetadataIndex) -> Tensor:
        return self._copies[index.fqn]


class SaveFailed(UserError):
    """A checkpoint could not be written. Raised on every process, so that one of them need tell it."""


@dataclass(frozen=True)
class Saved:
    """A finished checkpoint.

    Attributes:
        bytes: that this rank has copied.
        write_seconds: from the copy's end to the rename; training went on.
        stall_seconds: training stood still, for the copy to host memory and for the save before to end.
    """

    folder: Path
    step: int
    bytes: int
    write_seconds: float
    stall_seconds: float


class Saver:
    """Writes the checkpoints of a run while it trains, one at a time; a context manager that every rank enters.

    `save` copies this rank's share of weights and moments to host memory (pinned, where there is a GPU; 12 bytes a
    parameter over all ranks, kept for the next save) and a thread writes the copy. Its agreements with other ranks
    travel in a gloo group of its own, never between those of the training. Leaving the context waits for the last save.

    Entering removes what a killed run left half written. `told` is called for each finished checkpoint, from within
    `save`, `poll` or the end of the context.
    """

    def __init__(self, output: Path, step: int, keep: int, device: torch.device, told: Callable[[Saved], None]) -> None:
        """`step`: of the checkpoint that this run goes on from, 0 where there is none."""
        self._output, self._before, self._keep, self._told = output, step, keep, told
        self._cuda = device.type == "cuda"
        self._saving: Future[Saved] | None = None

    def __enter__(self) -> Self:
        options = {"use_pinned_memory": self._cuda, "use_non_blocking_copy": self._cuda}
        self._stager = DefaultStager(StagingOptions(**options, use_shared_memory=False, use_async_staging=False))
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._group = dist.new_group(backend="gloo")
        if dist.get_rank() == 0:
            for left in (self._output / "checkpoints").glob(".tmp-*"):
                shutil.rmtree(left, ignore_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._wait()
        except Exception:
            if error is None:  # else the first error is the one to tell
                raise
        finally:
            self._thread.shutdown()
            self._stager.close()
            dist.destroy_process_group(self._group)

    def save(self, model: Llama, optimiser: torch.optim.AdamW, position: Position) -> None:
        """Takes a copy that is written in the background, when the save before has ended; every rank calls it.

        The oldest checkpoints are removed afterwards, all but `keep`. Raises SaveFailed when the save before failed.
        """
        begun = time.perf_counter()
        self._wait()
        tensors = _tensors(model, optimiser)
        local = {name: t.to_local() if isinstance(t, DTensor) else t for name, t in tensors.items()}
        copies = cast(dict[str, Tensor], self._stager.stage(local))  # waits for the copy, without async staging
        stalled = time.perf_counter() - begun
        self._saving = self._thread.submit(self._write, tensors, copies, position, stalled)

    @property
    def failed(self) -> bool:
        """Whether the save under way has failed on this rank. Then it has on all, but they may not yet know."""
        return self._saving is not None and self._saving.done() and self._saving.exception() is not None

    def poll(self) -> None:
        """Tells of a checkpoint that has become whole. Never waits."""
        if self._saving is not None and self._saving.done() and not self.failed:
            self._wait()

    def _wait(self) -> None:
        if self._saving is not None:
            saving, self._saving = self._saving, None
            self._told(saving.result())

    def _write(
        self, tensors: dict[str, Tensor], copies: dict[str, Tensor], position: Position, stalled: float
    ) -> Saved:
        begun = time.perf_counter()
        folder = folder_of(self._output, position.step)
        try:
            dcp_save(
                tensors,  # type: ignore[arg-type]
                storage_writer=_Writer(self._output, position, self._before, self._keep),
                planner=_FromHost(copies),
                process_group=self._group,
            )
        except CheckpointException as failure:
            rank, (error, _) = min(failure.failures.items())
            if not isinstance(error, OSError):
                raise
            raise SaveFailed(
                f"{folder}: cannot write the checkpoint: {error.strerror or error} (process {rank});"
                " mend that and start again, the checkpoints before it are whole"
            ) from None
        self._before = position.step
        size = sum(copy.nbytes for copy in copies.values())
        return Saved(folder, position.step, size, time.perf_counter() - begun, stalled)


def read_position(folder: Path) -> Position:
    """What `checkpoint.json` says. Raises DamagedFile. Needs no process group."""
    try:
        data = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Position.model_validate(data)
    except (OSError, ValueError, ValidationError) as error:
        raise DamagedFile(f"{folder / MARKER}: {' '.join(str(error).split())}") from None


def _check_sizes(folder: Path) -> None:
    """Raises DamagedFile for the marker, or the first of this rank's share of the files with another size."""
    files = read_position(folder).files
    for name in _share(sorted(files)):
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise DamagedFile(f"{folder / name}: {error.strerror}") from None
        if size != files[name].size:
            raise DamagedFile(f"{folder / name}: {size} bytes, but {files[name].size} were written")


def check_files(folder: Path, position: Position) -> None:
    """Raises DamagedFile for the first of this rank's share of the files that differs from its digest.

    Every byte is read once over all ranks (a 65B's 780 GB: 3 GB on each of 256 hosts), which takes as long as the disk
    does. At the same number of processes a rank checks the file that it loads next, then from the page cache. Without
    a process group it reads all of them.
    """
    for name in _share(sorted(position.files)):
        try:
            found = _digest(folder / name)
        except OSError as error:
            raise DamagedFile(f"{folder / name}: {error.strerror}") from None
        if found != position.files[name]:
            raise DamagedFile(
                f"{folder / name}: {found.size} bytes, XXH3 {found.xxh3}, but {position.files[name].size} bytes,"
                f" XXH3 {position.files[name].xxh3} were written"
            )


def _check_digests(folder: Path) -> None:
    check_files(folder, read_position(folder))


def _damage(check: Callable[[Path], None], folder: Path) -> str | None:
    """What the first rank on which `check` finds damage says; None when none does. Every rank calls it."""
    line = None
    try:
        check(folder)
    except DamagedFile as error:
        line = str(error)
    lines: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(lines, line)
    return next((line for line in lines if line is not None), None)


def newest(output: Path) -> tuple[Path, Position, list[str]] | None:
    """The newest checkpoint that is whole on every rank, and one line for each newer one that is not.

    Sizes are looked at before digests: a file that is missing or cut short costs no time. None when there is no
    checkpoint at all. Raises DamagedFile when there are only damaged ones, and UserError when the ranks do not see the
    same folders. Every rank calls it.
    """
    folders = complete(output)
    latest = int(folders[0].name.removeprefix("step-")) if folders else -1
    if _smallest(latest) != -_smallest(-latest):
        raise UserError(f"{output}: the processes see different checkpoints; put it on a file system they share")
    damaged: list[str] = []
    for folder in folders:
        line = _damage(_check_sizes, folder) or _damage(_check_digests, folder)
        if line is None:
            return folder, read_position(folder), damaged
        damaged.append(line)
    if damaged:
        raise DamagedFile(f"{output}: no checkpoint is whole ({damaged[0]}); remove the folder to start anew")
    return None


def load(folder: Path, position: Position, model: Llama, optimiser: torch.optim.AdamW) -> None:
    """Reads weights and moments into `model` and `optimiser`, however these are laid out. Every rank calls it.

    Before the first update AdamW's moments are zero: a checkpoint of step 0 (imported weights) has none of them.
    Raises UserError when the checkpoint is of a model of another shape.
    """
    check_model(folder, position.settings.model, model.settings)
    tensors = _tensors(model, optimiser)
    if position.step == 0:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    dcp_load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)))
    set_updates(optimiser, position.updates)


def check_model(folder: Path, saved: ModelSettings, wanted: ModelSettings) -> None:
    """Raises UserError that shows both shapes when they differ."""
    old, new = saved.model_dump(exclude={"size"}), wanted.model_dump(exclude={"size"})
    if old != new:
        raise UserError(f"{folder}: holds a model with {old}, the settings ask for {new}; use another output folder")


def check_tokens(folder: Path, saved: Position, tokens: Tokens) -> None:
    """Raises UserError when a checkpoint does not fit the mixture.

    One that was trained fits only the tokens it was trained on, in their order; imported weights fit every mixture of
    their vocabulary.
    """
    if saved.vocab_size != tokens.vocab_size:
        raise UserError(
            f"{folder}: holds a model of {saved.vocab_size} pieces, the mixture's tokenizer has {tokens.vocab_size};"
            " give a mixture of the same tokenizer, or another output folder"
        )
    if saved.fingerprint is not None and saved.fingerprint != tokens.fingerprint:
        raise UserError(
            f"the checkpoint was trained on mixture {saved.fingerprint}, this is mixture {tokens.fingerprint};"
            " give the mixture it was trained on, or another output folder"
        )
    if saved.tokenizer is not None and saved.tokenizer != tokens.tokenizer:
        raise UserError(
            f"{folder}: its weights know the tokenizer {saved.tokenizer[:8]}, the mixture was made with"
            f" {tokens.tokenizer[:8]}; give a mixture of the same tokenizer, or another output folder"
        )
