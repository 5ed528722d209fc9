"""Training steps of this project and of transformers' LlamaForCausalLM on the same windows; and what one GPU does.

    python -m benchmarks.train                          # ours / peers on a CPU, eager and compiled
    python -m benchmarks.train --gpu OUT                # one GPU, 7B: variants of a step, under 10 minutes
    python -m benchmarks.train --gpu OUT --model 1B     # the same, and the peers that are installed
    python -m benchmarks.train --gpu OUT --step         # 7B: one whole step of 4M tokens, under 10 minutes
    python -m benchmarks.train --smoke OUT              # the code of --gpu on a CPU, tiny, no code generated

Peers get the same weights and the same windows of random tokens in the same precision, and nobody recomputes; loss and
norm of the gradient are compared before anything is timed, contenders take turns, and medians are printed. On a CPU:
float32, one core, CPU time; ours runs under FSDP as it trains, whose copies weigh much with so few tokens,
transformers' without. On a GPU: float32 weights computed with in bfloat16, ours by FSDP, transformers' by autocast. A
peer that is not installed is named and left out. torchtitan 0.3 is not among them: its Llama refuses plain
scaled-dot-product attention, and takes FlexAttention or variable-length attention only.

--gpu writes OUT/train-MODEL.json and train-MODEL.md after every variant. It takes nothing from a network, and needs
torch and pydantic, for transformers' Llama also zstandard. Where one is missing, bring it along:

    pip install --target packages --only-binary=:all: --python-version 3.12 pydantic zstandard
    PYTHONPATH=.:packages python -m benchmarks.train --gpu OUT

How a step is composed: a step of 4,194,304 tokens is 2048 / m micro-batches of m windows of 2048, and one update (clip,
AdamW, gradients freed). Variants time 4 micro-batches and an update, three times; their tokens/s is that of
2048 / m x (median micro-batch) + (median update), without the loader, which reads ahead in a thread. --step runs all of
the 2048 / m micro-batches and the update once, after a warm-up, and compares.

What is expected on one H200 (139 GiB), from the source of FSDP2 in torch 2.15 and `trainer.plan.memory`; nothing of
it is measured:

- FSDP sends nothing in a group of one, but copies all the same. Every forward and every backward pass of a micro-batch
  casts each weight to bfloat16 and copies that once more (4 bytes read, 2 written, 2 read, 2 written: 10 a parameter),
  on the stream that computes. Every backward pass widens the gradients (6 bytes), copies them (8) and adds them (12),
  on a stream of its own. 46 bytes x 6.7 billion at 4.3 TB/s are 72 ms a micro-batch, whatever its size; the arithmetic
  of one window at half the peak is 178 ms. So micro-batches have to be large: 4 windows bring the 40 % to 10 %.
- Weights, gradients and averages are 107.8 GB: the gradients are float32 (.grad holds what was reduced), the bfloat16
  ones live for one block. 41 GB are left, 12 of them kept for CUDA and fragmentation: 4 windows fit at "selective" (6.7 GB
  a window), 2 at "none" (12.2 GB), 16 at "full" (0.5 GB, and the work of one block). "full" does every forward pass
  twice, a third more arithmetic than is counted. Hence the default here: "selective", 4 windows, compiled.
- Keeping the bfloat16 weights for all micro-batches of a step (`keep weights`) saves 20 of the 46 bytes and takes
  13.5 GB: as much as 2 of the 4 windows. Reducing once a step (`reduce once`) adds bfloat16 gradients to float32 ones
  (10 bytes instead of 26) and takes no more memory on one GPU, but all of the gradients on many, and moves the addition
  to the stream that computes. Neither is a clear gain; both are variants below, and the trainer has neither.
"""

import argparse
import functools
import gc
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

# Its key does not hold which attention was allowed when a graph was traced.
os.environ.setdefault("TORCHINDUCTOR_AUTOGRAD_CACHE", "0")

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.attention import SDPBackend, sdpa_kernel

from trainer import optim
from trainer.config import SIZES, TrainingSettings, parse
from trainer.flops import flops_per_token, parameter_count
from trainer.gpus import find, peak_flops
from trainer.model import Llama
from trainer.parallel import build_mesh, parallelise, processes
from trainer.plan.memory import training_memory, usable

MICRO_BATCHES = 4
"""In a timed round."""
ROUNDS = 3
SECONDS = 540
"""No variant is begun that would end later, should it take as long as the longest before it."""


class Shape(NamedTuple):
    """A model, and how many windows a step has."""

    model: dict[str, int | float]
    vocab_size: int = 32_000
    seq_len: int = 2048
    step: int = 2048


SHAPES = {
    "7B": Shape(SIZES["7B"]),
    "1B": Shape({"dim": 2048, "layers": 16, "heads": 16, "ffn_hidden": 5632, "norm_eps": 1e-6}),
    "60M": Shape({"dim": 512, "layers": 8, "heads": 8, "ffn_hidden": 1536, "norm_eps": 1e-6}, seq_len=512),
    "smoke": Shape(SIZES["tiny"], vocab_size=256, seq_len=64, step=4),
}


class Variant(NamedTuple):
    """How a step is done. `fsdp`: "as trained", "keep weights" or "reduce once" (above)."""

    recompute: Literal["selective", "full", "none"]
    micro_batch: int
    compile: bool = True
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    attention: str = "any"
    fsdp: str = "as trained"


class Contender(NamedTuple):
    """`loss` gives the sum of cross entropies of windows (b, t + 1); `update` the gradient's norm."""

    name: str
    model: nn.Module
    loss: Callable[[Tensor], Tensor]
    update: Callable[[], Tensor]


class Round(NamedTuple):
    """Seconds of a micro-batch and of the update, the loss in nats a token, the gradient's norm."""

    micro_batch: float
    update: float
    loss: float
    norm: float


def settings_of(shape: Shape, variant: Variant) -> TrainingSettings:
    parallel = {"recompute": variant.recompute, "compile": variant.compile, "precision": variant.precision}
    return parse({"model": shape.model, "parallel": parallel, "run": {"micro_batch": variant.micro_batch}})


def draw(shape: Shape, batches: int, micro_batch: int, device: torch.device) -> list[Tensor]:
    """Micro-batches (b, t + 1) of random tokens, the same for everybody."""
    generator = torch.Generator().manual_seed(1)
    size = (batches, micro_batch, shape.seq_len + 1)
    return list(torch.randint(shape.vocab_size, size, generator=generator).to(device))


def updater(model: nn.Module, settings: TrainingSettings) -> Callable[[], Tensor]:
    """The trainer's clip and AdamW, also for the peers."""
    optimiser = optim.build_optimiser(model, settings.optimiser)

    def update() -> Tensor:
        norm = optim.clip_gradients(model, settings.optimiser.clip)
        optim.update(optimiser, torch.zeros_like(norm))
        return norm

    return update


def ours(shape: Shape, variant: Variant, device: torch.device) -> Contender:
    """The model as `trainer.train` lays it out."""
    settings = settings_of(shape, variant)
    with torch.device("meta"):
        model = Llama(settings.model, shape.vocab_size, shape.seq_len)
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


def step(contender: Contender, batches: Sequence[Tensor], labels: int, device: torch.device, fsdp: str) -> Round:
    """Gradients of all micro-batches, and one update."""
    begun = now(device)
    total = torch.zeros((), device=device)
    for i, windows in enumerate(batches):
        if isinstance(contender.model, FSDPModule) and fsdp != "as trained":
            last = i == len(batches) - 1
            if fsdp == "keep weights":
                contender.model.set_reshard_after_backward(last)
            else:
                contender.model.set_requires_gradient_sync(last)
        loss = contender.loss(windows) / labels
        loss.backward()
        total += loss.detach()
    between = now(device)
    norm = contender.update()
    end = now(device)
    return Round((between - begun) / len(batches), end - between, float(total), float(norm))


def rounds(contender: Contender, shape: Shape, variant: Variant, device: torch.device) -> Iterator[Round]:
    """Round after round over the same micro-batches; the first two warm up."""
    if isinstance(contender.model, FSDPModule) and variant.fsdp == "keep weights":
        contender.model.set_reshard_after_forward(False)
    batches = draw(shape, MICRO_BATCHES, variant.micro_batch, device)
    labels = MICRO_BATCHES * variant.micro_batch * shape.seq_len
    while True:
        yield step(contender, batches, labels, device, variant.fsdp)


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
    firsts = {name: next(of) for name, of in contenders.items()}
    expected = next(iter(firsts.values()))
    near = 0.01 if variant.precision == "bfloat16" else 1e-4
    for name, first in firsts.items():
        print(f"{name:28} first loss {first.loss:.6f}, norm of the gradient {first.norm:.6f}", flush=True)
        if not all(math.isclose(a, b, rel_tol=near) for a, b in zip(first[2:], expected[2:], strict=True)):
            raise RuntimeError(f"{name} computes something else: nothing is timed")
    timed: dict[str, list[Round]] = {name: [] for name in contenders}
    for number in range(1 + ROUNDS):
        for name, of in contenders.items():
            one = next(of)
            if number:  # the one before is the second warm-up: gradients come and go
                timed[name].append(one)
    tokens = variant.micro_batch * shape.seq_len
    rows = [{"contender": name, "tokens_per_s": tokens / median(of).micro_batch} for name, of in timed.items()]
    for row in rows:
        mode = str(row["contender"]).partition(", ")[2]
        our = next(other["tokens_per_s"] for other in rows if other["contender"] == f"ours, {mode}")
        row["ours / it"] = our / row["tokens_per_s"]
        print(f"{row['contender']:28}{row['tokens_per_s']:12,.0f} tokens/s     ours / it {row['ours / it']:6.2f}")
    return rows


def planned(shape: Shape, variant: Variant) -> int:
    """Bytes by `trainer.plan.memory`, as `corpus plan train` prints them. It knows nothing of `fsdp`."""
    return sum(part.bytes for part in training_memory(settings_of(shape, variant), shape.vocab_size, shape.seq_len, 1))


def largest(shape: Shape, recompute: Literal["selective", "full", "none"], memory: int) -> int:
    """The largest power of two of windows that the plan says fits (1 if none does), up to 32 and a timed round's."""
    fits = [
        m
        for m in (2, 4, 8, 16, 32)
        if m * MICRO_BATCHES <= shape.step and planned(shape, Variant(recompute, m)) <= memory
    ]
    return max(fits, default=1)


def variants(shape: Shape, memory: int, backends: Sequence[str]) -> list[Variant]:
    """Of `memory` usable bytes, most wanted first."""
    most = {name: largest(shape, name, memory) for name in ("selective", "none", "full")}
    default = Variant("selective", most["selective"])
    compiled = [Variant(name, m) for name, top in most.items() for m in (top, max(1, top // 2))]
    half = default._replace(micro_batch=max(1, default.micro_batch // 2))
    wanted = [
        *compiled,
        Variant("selective", 1),
        *(default._replace(attention=backend) for backend in backends),
        *(one._replace(compile=False) for one in compiled),
        *(half._replace(fsdp=way) for way in ("keep weights", "reduce once")),
        default._replace(fsdp="reduce once"),
        # A compiled block holds less than the plan says: perhaps these fit.
        *(Variant(name, 2 * most[name]) for name in ("selective", "none")),
    ]
    return list(dict.fromkeys(wanted))


@contextmanager
def attention(name: str) -> Iterator[None]:
    with nullcontext() if name == "any" else sdpa_kernel(getattr(SDPBackend, name)):
        yield


def release(device: torch.device) -> None:
    gc.collect()
    torch._dynamo.reset()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def measure(shape: Shape, variant: Variant, device: torch.device, peak: float | None) -> dict[str, Any]:
    """One row of the table; `failed` says why where there is no more of it."""
    row: dict[str, Any] = {**variant._asdict(), "plan_bytes": planned(shape, variant)}
    begun = time.perf_counter()
    try:
        with attention(variant.attention):
            of = rounds(ours(shape, variant, device), shape, variant, device)
            first = next(of)
            next(of)
            row["warm_up_s"] = time.perf_counter() - begun
            timed = median([next(of) for _ in range(ROUNDS)])
    except (torch.OutOfMemoryError, RuntimeError) as error:
        out = isinstance(error, torch.OutOfMemoryError)
        return row | {"failed": "out of memory" if out else str(error).splitlines()[0]}
    if not abs(first.loss - math.log(shape.vocab_size)) < 1:
        return row | {"failed": f"the first loss is {first.loss}, not near ln(vocabulary)"}
    seconds = shape.step / variant.micro_batch * timed.micro_batch + timed.update
    row |= {"micro_batch_s": timed.micro_batch, "update_s": timed.update, "first_loss": first.loss}
    return row | rates(shape, seconds, device, peak)


def rates(shape: Shape, seconds: float, device: torch.device, peak: float | None) -> dict[str, Any]:
    """Of a step that takes `seconds`."""
    speed = shape.step * shape.seq_len / seconds
    flops = flops_per_token(parse({"model": shape.model}).model, shape.vocab_size, shape.seq_len)
    cuda = device.type == "cuda"
    return {
        "step_s": seconds,
        "tokens_per_s": speed,
        "mfu": speed * flops / peak if peak else None,
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
        "reserved_bytes": torch.cuda.max_memory_reserved() if cuda else None,
    }


def whole_step(
    shape: Shape, variant: Variant, device: torch.device, peak: float | None, seconds: float
) -> dict[str, Any]:
    """All micro-batches of a step, once, beside what a short round says it takes; not if that is over `seconds`."""
    begun = time.perf_counter()
    contender = ours(shape, variant, device)
    of = rounds(contender, shape, variant, device)
    next(of)
    warm = next(of)
    micro_batches = shape.step // variant.micro_batch
    composed = micro_batches * warm.micro_batch + warm.update
    row: dict[str, Any] = {**variant._asdict(), "plan_bytes": planned(shape, variant), "composed_step_s": composed}
    if time.perf_counter() - begun + composed > seconds:
        return row | {"failed": f"not run: a step would take {composed:.0f} s"}
    batches = draw(shape, micro_batches, variant.micro_batch, device)
    done = step(contender, batches, shape.step * shape.seq_len, device, variant.fsdp)
    row |= {"micro_batch_s": done.micro_batch, "update_s": done.update, "first_loss": done.loss}
    return row | rates(shape, micro_batches * done.micro_batch + done.update, device, peak)


def markdown(result: dict[str, Any]) -> str:
    """The same numbers to read."""

    def cell(row: dict[str, Any], name: str, format: str, scale: float = 1) -> str:
        return "" if row.get(name) is None else f"{row[name] * scale:{format}}"

    lines = [f"# {result['model']} on {result['device']}, torch {result['torch']}", "", result["formula"], ""]
    lines += [f"{row['contender']}: {row['tokens_per_s']:,.0f} tokens/s, ours / it {row['ours / it']:.2f}\n"
              for row in result["peers"]]  # fmt: skip
    lines += [
        "| recompute | windows | compiled | attention | FSDP | tokens/s | MFU | micro-batch s | update s | step s |"
        " peak GB | reserved GB | plan GB | |",
        "|" + "---|" * 14,
    ]
    for row in result["variants"]:
        cells = [
            row["recompute"], str(row["micro_batch"]), "yes" if row["compile"] else "no", row["attention"], row["fsdp"],
            cell(row, "tokens_per_s", ",.0f"), cell(row, "mfu", ".1%"), cell(row, "micro_batch_s", ".4f"),
            cell(row, "update_s", ".4f"), cell(row, "step_s", ",.1f"), cell(row, "peak_bytes", ".1f", 1e-9),
            cell(row, "reserved_bytes", ".1f", 1e-9), cell(row, "plan_bytes", ".1f", 1e-9), row.get("failed", ""),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(result: dict[str, Any], output: Path, name: str) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (output / f"{name}.md").write_text(markdown(result))


def on_a_gpu(name: str, output: Path, device: torch.device, whole: bool, backends: Sequence[str]) -> dict[str, Any]:
    """The table of variants, or one whole step of the default."""
    begun = time.perf_counter()
    shape = SHAPES[name]
    cuda = device.type == "cuda"
    device_name = torch.cuda.get_device_name(device) if cuda else "CPU"
    peak = peak_flops(device_name)
    total = torch.cuda.get_device_properties(device).total_memory if cuda else find("H200").memory
    flops = flops_per_token(parse({"model": shape.model}).model, shape.vocab_size, shape.seq_len)
    parameters = parameter_count(parse({"model": shape.model}).model, shape.vocab_size)
    result: dict[str, Any] = {
        "model": name, "device": device_name, "torch": torch.__version__, "cuda": torch.version.cuda,
        "parameters": parameters, "seq_len": shape.seq_len, "step_windows": shape.step,
        "formula": f"MFU = tokens/s x {flops:,} FLOPs a token (6 N + 12 layers·dim·seq_len) / peak"
        f" ({f'{peak / 1e12:.0f} TFLOP/s, dense bfloat16' if peak else 'unknown'})",
        "peers": [], "variants": [],
    }  # fmt: skip
    print(f"{name}: {parameters:,} parameters on {device_name}\n{result['formula']}", flush=True)
    wanted = variants(shape, usable(find("H200")._replace(memory=total)), backends)
    if whole:
        row = whole_step(shape, wanted[0], device, peak, SECONDS)
        result["variants"].append(row)
        write(result, output, f"train-{name}-step")
        print(markdown(result))
        return result
    if name != "7B":  # a peer keeps all its logits, and its gradients beside bfloat16 copies
        result["peers"] = compare(shape, Variant("none", 2), device, (True,))
        release(device)
    longest = 0.0
    for variant in wanted:
        at = time.perf_counter()
        if at - begun + longest > SECONDS:
            row = {**variant._asdict(), "plan_bytes": planned(shape, variant), "failed": "not run: out of time"}
        else:
            row = measure(shape, variant, device, peak)
            release(device)
        longest = max(longest, time.perf_counter() - at)
        result["variants"].append(row)
        write(result, output, f"train-{name}")
        speed = f"{row['tokens_per_s']:,.0f} tokens/s" if "tokens_per_s" in row else row["failed"]
        print(f"{time.perf_counter() - begun:5.0f} s  {' '.join(map(str, variant))}: {speed}", flush=True)
    print(markdown(result))
    return result


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", type=Path, metavar="OUT", help="one GPU; results are written to this folder")
    parser.add_argument("--smoke", type=Path, metavar="OUT", help="the code of --gpu on a CPU")
    parser.add_argument("--model", choices=["7B", "1B"], default="7B")
    parser.add_argument("--step", action="store_true", help="one whole step of 4M tokens")
    options = parser.parse_args(arguments)
    if options.gpu:
        with processes("cuda") as device:
            backends = ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION")
            on_a_gpu(options.model, options.gpu, device, options.step, backends)
        return
    torch.set_num_threads(1)
    with processes("cpu") as device:
        if options.smoke:
            with patch.object(torch, "compile", functools.partial(torch.compile, backend="aot_eager")):
                on_a_gpu("smoke", options.smoke, device, options.step, ("FLASH_ATTENTION", "MATH"))
        else:
            compare(SHAPES["60M"], Variant("none", 2, precision="float32"), device, (False, True))


if __name__ == "__main__":
    main(sys.argv[1:])
