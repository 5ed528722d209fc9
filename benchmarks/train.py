"""Training steps of this project: beside transformers' LlamaForCausalLM on a CPU, and what one GPU reaches.

    python -m benchmarks.train                  # ours / transformers on a CPU, eager and compiled
    python -m benchmarks.train --gpu OUT        # MFU on one GPU by attention backend, at most 8 minutes
    python -m benchmarks.train --smoke OUT      # the code of --gpu on a CPU, tiny, no kernel generated

transformers gets the same weights and the same windows of random tokens in the same precision, and nobody recomputes;
loss and norm of the gradient are compared before anything is printed. On a CPU: float32, one core, CPU time, contenders
take turns; ours runs under FSDP as it trains, whose copies weigh much with so few tokens, transformers' without. On a
GPU: float32 weights computed with in bfloat16, ours by FSDP, transformers' by autocast. Where it is not installed it is
named and left out. torchtitan 0.3 is no peer here: its Llama takes FlexAttention and variable-length attention only.

--gpu takes the 7B's layers, as many of the 32 as the GPU holds (all on an H200, by `corpus plan train`), and writes
OUT/train.json and train.md after every row, so that a run that is cut off leaves what it had. Every backend is measured
with and without torch.compile, and with attention cut between documents; then, with the fastest, what is kept for the
backward pass, transformers, and the kernels that sdpa chooses from. A backend that cannot run here has its reason as a
row. The last line says how the best MFU stands to the floor of 45% and the goal of 60%.

MFU = tokens/s x FLOPs a token / the GPU's peak, by `trainer.flops` and `trainer.gpus`: 6 N + 12 layers·dim·seq_len as
in PaLM's appendix B, which `corpus plan` and metrics.jsonl use too. Attention counts over the whole window, also where
a mask leaves most of it out; what is computed twice counts once.

How a step is composed: a step of 4,194,304 tokens is 2048 / m micro-batches of m windows of 2048, and one update (clip,
AdamW, gradients freed). A row times 4 micro-batches and an update, three times, after two to warm up; its tokens/s is
that of 2048 / m x (median micro-batch) + (median update), without the loader, which reads ahead in a thread.

It takes nothing from a network, and needs torch and pydantic, for transformers' Llama also zstandard. Where one is
missing, bring it along:

    pip install --target packages --only-binary=:all: --python-version 3.12 pydantic zstandard
    PYTHONPATH=.:packages python -m benchmarks.train --gpu OUT
"""

import argparse
import functools
import gc
import json
import math
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

# Its key does not hold which attention was allowed when a graph was traced.
os.environ.setdefault("TORCHINDUCTOR_AUTOGRAD_CACHE", "0")

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from corpus.errors import UserError
from trainer import optim
from trainer.attention import choose
from trainer.config import SIZES, TrainingSettings, parse
from trainer.flops import flops_per_token, parameter_count
from trainer.gpus import find, peak_flops
from trainer.model import Llama
from trainer.parallel import build_mesh, parallelise, processes
from trainer.plan.memory import training_memory, usable

FLOOR, GOAL = 0.45, 0.60
"""MFU of a 7B on one GPU: what has to be reached, and what is aimed at."""
PUBLISHED = "KempnerForge publishes 54.5% on one H200 (Llama-3 8B at 4,096 tokens, April 2026, by this formula)"

SECONDS = 450
"""From the first row to the last; the half minute up to eight is for imports and the end."""
MICRO_BATCHES = 4
"""In a timed round."""
ROUNDS = 3

DOCUMENT_START = 1
DOCUMENT = 1000
"""Tokens of a document, on average."""


class Shape(NamedTuple):
    """A model, and how many windows a step has."""

    model: dict[str, int | float]
    vocab_size: int = 32_000
    seq_len: int = 2048
    step: int = 2048


SHAPES = {
    "7B": Shape(SIZES["7B"]),
    "60M": Shape({"dim": 512, "layers": 8, "heads": 8, "ffn_hidden": 1536, "norm_eps": 1e-6}, seq_len=512),
    "smoke": Shape(SIZES["tiny"], vocab_size=256, seq_len=64, step=16),
}

Recompute = Literal["none", "selective", "full"]


class Variant(NamedTuple):
    """How a step is done. `kernel`: the one that sdpa must take."""

    attention: Literal["sdpa", "flex", "flash"] = "sdpa"
    compile: bool = True
    document_mask: bool = False
    recompute: Recompute = "selective"
    micro_batch: int = 4
    kernel: str = "any"
    precision: Literal["bfloat16", "float32"] = "bfloat16"


class Contender(NamedTuple):
    """`loss` gives the sum of cross entropies of windows (b, t + 1); `update` the gradient's norm."""

    name: str
    model: nn.Module
    loss: Callable[[Tensor], Tensor]
    update: Callable[[], Tensor]


Builder = Callable[[Shape, Variant, torch.device], Contender]


class Round(NamedTuple):
    """Seconds of a micro-batch and of the update, the loss in nats a token, the gradient's norm."""

    micro_batch: float
    update: float
    loss: float
    norm: float


def settings_of(shape: Shape, variant: Variant) -> TrainingSettings:
    parallel = {
        "attention": variant.attention, "compile": variant.compile, "precision": variant.precision,
        "recompute": variant.recompute,
    }  # fmt: skip
    run = {"micro_batch": variant.micro_batch, "document_mask": variant.document_mask}
    return parse({"model": shape.model, "parallel": parallel, "run": run})


def draw(shape: Shape, batches: int, micro_batch: int, device: torch.device) -> list[Tensor]:
    """Micro-batches (b, t + 1) of random tokens in documents of random length, the same for everybody."""
    generator = torch.Generator().manual_seed(1)
    size = (batches, micro_batch, shape.seq_len + 1)
    tokens = torch.randint(shape.vocab_size, size, generator=generator)
    tokens[torch.rand(size, generator=generator) < 1 / DOCUMENT] = DOCUMENT_START
    return list(tokens.to(device))


def updater(model: nn.Module, settings: TrainingSettings) -> Callable[[], Tensor]:
    """The trainer's clip and AdamW, also for the peers."""
    optimiser = optim.build_optimiser(model, settings.optimiser)

    def update() -> Tensor:
        norm = optim.clip_gradients(model, settings.optimiser.clip)
        optim.update(optimiser, torch.zeros_like(norm))
        return norm

    return update


def ours(shape: Shape, variant: Variant, device: torch.device) -> Contender:
    """The model as `trainer.train` lays it out. Raises UserError where the backend cannot run."""
    settings = settings_of(shape, variant)
    backend = choose(
        variant.attention, device, variant.precision, settings.model.dim // settings.model.heads,
        document_mask=variant.document_mask,
    )  # fmt: skip
    start = DOCUMENT_START if variant.document_mask else None
    with torch.device("meta"):
        model = Llama(settings.model, shape.vocab_size, shape.seq_len, start, backend)
    parallelise(model, build_mesh(device, 1), settings.parallel)
    model.materialise(device, seed=0)
    return Contender("ours", model, lambda windows: model(windows[:, :-1], windows[:, 1:]), updater(model, settings))


def transformers_llama(shape: Shape, variant: Variant, device: torch.device) -> Contender:
    """The same weights in LlamaForCausalLM; compiled as a whole, as its documentation says."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from trainer.convert.huggingface import ROTATED, rename, to_halves
    from trainer.model import ROPE_THETA

    settings = settings_of(shape, variant)
    s = settings.model
    config = LlamaConfig(
        vocab_size=shape.vocab_size, hidden_size=s.dim, intermediate_size=s.ffn_hidden, num_hidden_layers=s.layers,
        num_attention_heads=s.heads, num_key_value_heads=s.heads, max_position_embeddings=shape.seq_len,
        rms_norm_eps=s.norm_eps, rope_theta=ROPE_THETA, tie_word_embeddings=False, use_cache=False,
        attn_implementation="sdpa",
    )  # fmt: skip
    with torch.device("meta"):
        source = Llama(s, shape.vocab_size, shape.seq_len)
    source.materialise(device, seed=0)
    with torch.device(device):
        peer = LlamaForCausalLM(config)
    with torch.no_grad():
        theirs = dict(peer.named_parameters())
        for name, weight in source.named_parameters():
            theirs[rename(name)].copy_(to_halves(weight, s.heads) if name.endswith(ROTATED) else weight)
    del source
    called = torch.compile(peer) if variant.compile else peer
    narrow = variant.precision == "bfloat16"

    def loss(windows: Tensor) -> Tensor:
        inputs, labels = windows[:, :-1], windows[:, 1:].contiguous()
        with torch.autocast(device.type, torch.bfloat16) if narrow else nullcontext():
            # Divided by one item: the sum, in transformers' own loss.
            given = called(input_ids=inputs, labels=labels, shift_labels=labels, num_items_in_batch=1)
        total: Tensor = given.loss
        return total

    return Contender("transformers", peer, loss, updater(peer, settings))


def now(device: torch.device) -> float:
    """Seconds: of the clock once the GPU is done, or of this process's CPU time."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def step(contender: Contender, batches: Sequence[Tensor], labels: int, device: torch.device) -> Round:
    """Gradients of all micro-batches, and one update."""
    begun = now(device)
    total = torch.zeros((), device=device)
    for windows in batches:
        loss = contender.loss(windows) / labels
        loss.backward()
        total += loss.detach()
    between = now(device)
    norm = contender.update()
    end = now(device)
    return Round((between - begun) / len(batches), end - between, float(total), float(norm))


def rounds(contender: Contender, shape: Shape, variant: Variant, device: torch.device) -> Iterator[Round]:
    """Round after round over the same micro-batches; the first two warm up."""
    batches = draw(shape, MICRO_BATCHES, variant.micro_batch, device)
    labels = MICRO_BATCHES * variant.micro_batch * shape.seq_len
    while True:
        yield step(contender, batches, labels, device)


def median(timed: Sequence[Round]) -> Round:
    return Round(*(statistics.median(values) for values in zip(*timed, strict=True)))


def compare(shape: Shape, variant: Variant, device: torch.device, compiled: Sequence[bool]) -> list[dict[str, Any]]:
    """Ours and the peers, taking turns. Raises RuntimeError where loss or gradient differ."""
    contenders: dict[str, Iterator[Round]] = {}
    left_out = []
    for compile in compiled:
        chosen = variant._replace(compile=compile)
        for build in (ours, transformers_llama):
            try:
                contender = build(shape, chosen, device)
            except ImportError as error:
                left_out.append(f"{build.__name__} left out: {error}")
                continue
            name = f"{contender.name}, {'compiled' if compile else 'eager'}"
            contenders[name] = rounds(contender, shape, chosen, device)
    for line in dict.fromkeys(left_out):
        print(line)
    firsts = {name: next(steps) for name, steps in contenders.items()}
    expected = next(iter(firsts.values()))
    near = 0.01 if variant.precision == "bfloat16" else 1e-4
    for name, first in firsts.items():
        print(f"{name:28} first loss {first.loss:.6f}, norm of the gradient {first.norm:.6f}", flush=True)
        if not all(math.isclose(a, b, rel_tol=near) for a, b in zip(first[2:], expected[2:], strict=True)):
            raise RuntimeError(f"{name} computes something else: nothing is timed")
    timed: dict[str, list[Round]] = {name: [] for name in contenders}
    for number in range(1 + ROUNDS):
        for name, steps in contenders.items():
            one = next(steps)
            if number:  # the one before is the second warm-up: gradients come and go
                timed[name].append(one)
    tokens = variant.micro_batch * shape.seq_len
    rows = [{"contender": name, "tokens_per_s": tokens / median(steps).micro_batch} for name, steps in timed.items()]
    for row in rows:
        mode = str(row["contender"]).partition(", ")[2]
        our = next(other["tokens_per_s"] for other in rows if other["contender"] == f"ours, {mode}")
        row["ours / it"] = our / row["tokens_per_s"]
        print(f"{row['contender']:28}{row['tokens_per_s']:12,.0f} tokens/s     ours / it {row['ours / it']:6.2f}")
    return rows


def planned(shape: Shape, variant: Variant) -> int:
    """Bytes by `trainer.plan.memory`, as `corpus plan train` prints them."""
    return sum(part.bytes for part in training_memory(settings_of(shape, variant), shape.vocab_size, shape.seq_len, 1))


def fitted(shape: Shape, memory: int) -> Shape:
    """The same with as many of its layers as the plan says fit into `memory` bytes (at least one)."""
    for layers in range(int(shape.model["layers"]), 1, -1):
        fewer = shape._replace(model=shape.model | {"layers": layers})
        if planned(fewer, Variant()) <= memory:
            return fewer
    return shape._replace(model=shape.model | {"layers": 1})


def largest(shape: Shape, recompute: Recompute, memory: int) -> int:
    """The largest power of two of windows that the plan says fits (1 if none does), up to 16 and a timed round's."""
    fits = [
        m
        for m in (2, 4, 8, 16)
        if m * MICRO_BATCHES <= shape.step and planned(shape, Variant(recompute=recompute, micro_batch=m)) <= memory
    ]
    return max(fits, default=1)


@contextmanager
def sdpa_takes(kernel: str) -> Iterator[None]:
    with nullcontext() if kernel == "any" else sdpa_kernel(getattr(SDPBackend, kernel)):
        yield


def release(device: torch.device) -> None:
    gc.collect()
    torch._dynamo.reset()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def measure(build: Builder, shape: Shape, variant: Variant, device: torch.device, peak: float | None) -> dict[str, Any]:
    """What there is to say of a row; `failed` says why where there is no more of it."""
    row: dict[str, Any] = {}
    begun = time.perf_counter()
    try:
        with sdpa_takes(variant.kernel):
            steps = rounds(build(shape, variant, device), shape, variant, device)
            first = next(steps)
            next(steps)
            row["warm_up_s"] = time.perf_counter() - begun
            timed = median([next(steps) for _ in range(ROUNDS)])
    except (UserError, ImportError) as error:
        return {"failed": str(error)}
    except RuntimeError as error:
        out = isinstance(error, torch.OutOfMemoryError)
        return {"failed": "out of memory" if out else str(error).splitlines()[0]}
    if not abs(first.loss - math.log(shape.vocab_size)) < 1:
        return {"failed": f"the first loss is {first.loss}, not near ln(vocabulary)"}
    seconds = shape.step / variant.micro_batch * timed.micro_batch + timed.update
    speed = shape.step * shape.seq_len / seconds
    flops = flops_per_token(parse({"model": shape.model}).model, shape.vocab_size, shape.seq_len)
    cuda = device.type == "cuda"
    return row | {
        "first_loss": first.loss, "first_norm": first.norm, "micro_batch_s": timed.micro_batch,
        "update_s": timed.update, "step_s": seconds, "tokens_per_s": speed,
        "mfu": speed * flops / peak if peak else None,
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
        "reserved_bytes": torch.cuda.max_memory_reserved() if cuda else None,
    }  # fmt: skip


class OutOfTime(BaseException):
    """Of no kind that PyTorch's compiler would catch."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """OutOfTime is raised in the block when they are over."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Table:
    """The rows of a run, written to OUT after each."""

    def __init__(self, shape: Shape, device: torch.device, output: Path) -> None:
        self.shape, self.device, self.output = shape, device, output
        model = parse({"model": shape.model}).model
        device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        self.peak = peak_flops(device_name)
        flops = flops_per_token(model, shape.vocab_size, shape.seq_len)
        peak = f"{self.peak / 1e12:.0f} TFLOP/s, dense bfloat16" if self.peak else "unknown"
        self.rows: list[dict[str, Any]] = []
        self.about: dict[str, Any] = {
            "layers": model.layers, "parameters": parameter_count(model, shape.vocab_size), "seq_len": shape.seq_len,
            "step_windows": shape.step, "device": device_name, "torch": torch.__version__, "cuda": torch.version.cuda,
            "formula": f"MFU = tokens/s x {flops:,} FLOPs a token (6 N + 12 layers·dim·seq_len) / peak ({peak})",
        }  # fmt: skip
        self._begun = time.perf_counter()
        print(self.head(), flush=True)

    def head(self) -> str:
        about = self.about
        return (
            f"{about['layers']} layers of {self.shape.model['dim']}, {about['parameters']:,} parameters, windows of"
            f" {about['seq_len']:,}, on {about['device']}, torch {about['torch']}\n\n{about['formula']}"
        )

    def add(self, variant: Variant, build: Builder = ours) -> dict[str, Any]:
        """Measures a row. When time is over the row says so, and OutOfTime goes on."""
        name = "transformers" if build is transformers_llama else "ours"
        row: dict[str, Any] = {"contender": name, **variant._asdict(), "plan_bytes": planned(self.shape, variant)}
        self.rows.append(row)
        try:
            row |= measure(build, self.shape, variant, self.device, self.peak)
            release(self.device)
        except OutOfTime:
            row["failed"] = "not measured: time was over"
            raise
        finally:
            self.write()
            said = f"{row['tokens_per_s']:,.0f} tokens/s{mfu(row)}" if "tokens_per_s" in row else row.get("failed")
            print(f"{time.perf_counter() - self._begun:5.0f} s  {describe(row)}: {said}", flush=True)
        return row

    def best(self) -> dict[str, Any] | None:
        """Our fastest row over the whole window."""
        done = [r for r in self.rows if "tokens_per_s" in r and r["contender"] == "ours" and not r["document_mask"]]
        return max(done, key=lambda row: row["tokens_per_s"], default=None)

    def verdict(self) -> str:
        best = self.best()
        if best is None or best["mfu"] is None:
            return f"No MFU: {'nothing was measured' if best is None else 'the peak of this device is not known'}."
        floor, goal = ("reached" if best["mfu"] >= mark else "not reached" for mark in (FLOOR, GOAL))
        whole = "" if self.about["layers"] == SIZES["7B"]["layers"] else f" with {self.about['layers']} of its layers"
        return (
            f"Best of the 7B{whole}: {describe(best)},{mfu(best)}. The floor of {FLOOR:.0%} is {floor}, the goal of"
            f" {GOAL:.0%} is {goal}. {PUBLISHED}."
        )

    def write(self) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        result = {**self.about, "rows": self.rows, "verdict": self.verdict()}
        (self.output / "train.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (self.output / "train.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """The same numbers to read."""

        def cell(row: dict[str, Any], name: str, format: str, scale: float = 1) -> str:
            return "" if row.get(name) is None else f"{row[name] * scale:{format}}"

        names = (
            "",
            "tokens/s",
            "MFU",
            "micro-batch s",
            "update s",
            "warm-up s",
            "peak GB",
            "reserved GB",
            "plan GB",
            "",
        )
        lines = [self.head(), "", f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        for row in self.rows:
            cells = [
                describe(row), cell(row, "tokens_per_s", ",.0f"), cell(row, "mfu", ".1%"),
                cell(row, "micro_batch_s", ".4f"), cell(row, "update_s", ".4f"), cell(row, "warm_up_s", ".0f"),
                cell(row, "peak_bytes", ".1f", 1e-9), cell(row, "reserved_bytes", ".1f", 1e-9),
                cell(row, "plan_bytes", ".1f", 1e-9), row.get("failed", row.get("note", "")),
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", self.verdict()]) + "\n"


def mfu(row: dict[str, Any]) -> str:
    return "" if row["mfu"] is None else f" MFU {row['mfu']:.1%}"


def describe(row: dict[str, Any]) -> str:
    kernel = "" if row["kernel"] == "any" else f" ({row['kernel'].removesuffix('_ATTENTION').lower()})"
    return (
        f"{row['contender']}, {row['attention']}{kernel}, {'compiled' if row['compile'] else 'eager'},"
        f" {'documents masked, ' if row['document_mask'] else ''}recompute {row['recompute']},"
        f" {row['micro_batch']} windows"
    )


def on_a_gpu(name: str, output: Path, device: torch.device, kernels: Sequence[str], seconds: int = SECONDS) -> Table:
    """Rows, most wanted first, until all are measured or the time is over."""
    cuda = device.type == "cuda"
    total = torch.cuda.get_device_properties(device).total_memory if cuda else find("H200").memory
    memory = usable(find("H200")._replace(memory=total))
    table = Table(fitted(SHAPES[name], memory), device, output)
    windows = largest(table.shape, "selective", memory)
    try:
        with at_most(seconds):
            for compile in (True, False):
                for backend in ("sdpa", "flex", "flash"):
                    table.add(Variant(backend, compile, micro_batch=windows))
            for backend in ("sdpa", "flex", "flash"):
                table.add(Variant(backend, document_mask=True, micro_batch=windows))
            if best := table.best():
                fastest = Variant(best["attention"])
                for way in ("none", "full"):
                    table.add(fastest._replace(recompute=way, micro_batch=largest(table.shape, way, memory)))
                # A peer keeps all its logits, and its gradients beside bfloat16 copies.
                half = max(1, largest(table.shape, "none", memory) // 2)
                beside_transformers(table, fastest._replace(recompute="none", micro_batch=half))
            for kernel in kernels:
                table.add(Variant(micro_batch=windows, kernel=kernel))
    except OutOfTime:
        print("time is over: the other rows are not measured", flush=True)
    print(f"\n{table.markdown()}")
    return table


def beside_transformers(table: Table, variant: Variant) -> None:
    """The same step by both; the ratio is a note, where they compute the same."""
    our, peer = table.add(variant), table.add(variant._replace(attention="sdpa"), transformers_llama)
    if "tokens_per_s" not in our or "tokens_per_s" not in peer:
        return
    if all(math.isclose(our[key], peer[key], rel_tol=0.01) for key in ("first_loss", "first_norm")):
        peer["note"] = f"ours / it {our['tokens_per_s'] / peer['tokens_per_s']:.2f}"
    else:
        peer["failed"] = "computes something else"
    table.write()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", type=Path, metavar="OUT", help="one GPU; results are written to this folder")
    parser.add_argument("--smoke", type=Path, metavar="OUT", help="the code of --gpu on a CPU")
    options = parser.parse_args(arguments)
    if options.gpu:
        with processes("cuda") as device:
            on_a_gpu("7B", options.gpu, device, ("CUDNN_ATTENTION", "FLASH_ATTENTION", "EFFICIENT_ATTENTION"))
        return
    torch.set_num_threads(1)
    with processes("cpu") as device:
        if options.smoke:
            with patch.object(torch, "compile", functools.partial(torch.compile, backend="aot_eager")):
                on_a_gpu("smoke", options.smoke, device, ("FLASH_ATTENTION", "MATH"))
        else:
            alike = Variant(recompute="none", micro_batch=2, precision="float32")
            compare(SHAPES["60M"], alike, device, (False, True))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
