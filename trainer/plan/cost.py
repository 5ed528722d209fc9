"""What a training run needs and costs before it is run: memory, time, energy. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from corpus.errors import UserError
from corpus.report.tables import new_table
from trainer.config import TrainingSettings, override
from trainer.flops import flops_per_token, parameter_count
from trainer.gpus import GPU
from trainer.plan.memory import Part, staged, training_memory, usable

TOKENS = {"7B": 1.0e12, "13B": 1.0e12, "33B": 1.4e12, "65B": 1.4e12}
"""Tokens that the paper trains each size on (Table 2)."""

MFU = 0.45
"""Assumed where no speed is given. Published for dense models in bfloat16: 38 to 46% on H100 (llm-foundry, 7B to 70B at
2,048 tokens), 53 to 64% on A100 (there); the paper's own, out of Table 15: 46 to 54% on A100."""

PUE = 1.1
"""Energy of a data centre over that of its GPUs (the paper, section 6)."""
KG_CO2_PER_KWH = 0.385
"""The average of the US grid, which the paper uses for every model of Table 15."""

POLICIES = ("none", "selective", "full")
TENSOR = (1, 2, 4, 8)
"""Ways of tensor parallelism that are tried: it stays on a node, which has eight GPUs."""
MOST_GPUS = 1 << 14


@dataclass(frozen=True)
class Hardware:
    """GPUs and how fast they train.

    Attributes:
        gpus: how many; None = as few as hold the model.
        mfu: model FLOPs utilisation, for the speed.
        tokens_per_s: of one GPU; goes before `mfu`.
    """

    gpu: GPU
    gpus: int | None = None
    mfu: float = MFU
    tokens_per_s: float | None = None


@dataclass(frozen=True)
class Energy:
    """Of a run on GPUs at their thermal design power."""

    gpu_hours: float
    watts: int

    @property
    def mwh(self) -> float:
        return self.gpu_hours * self.watts * PUE / 1e6

    @property
    def tonnes_co2(self) -> float:
        return self.mwh * KG_CO2_PER_KWH


@dataclass(frozen=True)
class TrainingPlan:
    """A run of `tokens` tokens with these settings.

    Attributes:
        gpus: as given, or the fewest that hold the model, or one where none do.
        tokens_per_s: of one GPU.
        parts: of a GPU's memory at its peak.
    """

    settings: TrainingSettings
    vocab_size: int
    seq_len: int
    tokens: float
    hardware: Hardware
    gpus: int
    tokens_per_s: float
    parts: list[Part]

    @property
    def peak(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def fits(self) -> bool:
        return self.peak <= usable(self.hardware.gpu)

    @property
    def steps(self) -> int:
        return int(self.tokens // (self.settings.run.batch * self.seq_len))

    @property
    def days(self) -> float:
        return self.tokens / (self.tokens_per_s * self.gpus) / 86400

    @property
    def energy(self) -> Energy:
        return Energy(self.tokens / self.tokens_per_s / 3600, self.hardware.gpu.watts)


def speed(settings: TrainingSettings, vocab_size: int, seq_len: int, hardware: Hardware) -> float:
    """Tokens a second of one GPU: as given, or MFU x peak / FLOPs a token."""
    if hardware.tokens_per_s is not None:
        return hardware.tokens_per_s
    return hardware.mfu * hardware.gpu.peak_flops / flops_per_token(settings.model, vocab_size, seq_len)


def plan(
    settings: TrainingSettings, vocab_size: int, seq_len: int, tokens: float | None, hardware: Hardware
) -> TrainingPlan:
    """The plan of a run; without `tokens`, of the number that the paper trains this size on.

    Raises:
        UserError: a size without such a number, or GPUs that the layout cannot be cut over.
    """
    if tokens is None:
        if settings.model.size not in TOKENS:
            raise UserError(f"the paper has no number of tokens for the size {settings.model.size}: give --tokens")
        tokens = TOKENS[settings.model.size]
    gpus = hardware.gpus
    if gpus is None:
        gpus = fewest(settings, vocab_size, seq_len, hardware.gpu) or settings.parallel.tensor
    problem = _cannot_be_cut(settings, vocab_size, seq_len, gpus)
    if problem:
        raise UserError(problem)
    parts = training_memory(settings, vocab_size, seq_len, gpus)
    rate = speed(settings, vocab_size, seq_len, hardware)
    return TrainingPlan(settings, vocab_size, seq_len, tokens, hardware, gpus, rate, parts)


def fewest(settings: TrainingSettings, vocab_size: int, seq_len: int, gpu: GPU) -> int | None:
    """The fewest GPUs, a power of two, that hold the model with these settings; None when no number does."""
    for gpus in _powers(settings.parallel.tensor):
        if _cannot_be_cut(settings, vocab_size, seq_len, gpus):
            return None
        if sum(part.bytes for part in training_memory(settings, vocab_size, seq_len, gpus)) <= usable(gpu):
            return gpus
    return None


def _powers(first: int) -> Iterator[int]:
    while first <= MOST_GPUS:
        yield first
        first *= 2


def _cannot_be_cut(settings: TrainingSettings, vocab_size: int, seq_len: int, gpus: int) -> str:
    """Why not, or "": the conditions of `trainer.parallel.build_mesh` and `check_fits`."""
    tensor, run = settings.parallel.tensor, settings.run
    if gpus % tensor:
        return f"parallel.tensor: {tensor} does not divide {gpus} GPUs: change one of them"
    for name, value in (
        ("model.heads", settings.model.heads),
        ("model.ffn_hidden", settings.model.ffn_hidden),
        ("the vocabulary", vocab_size),
        ("the window", seq_len),
    ):
        if value % tensor:
            return f"parallel.tensor: {tensor} does not divide {name} ({value}): take a divisor"
    if run.batch % (gpus // tensor * run.micro_batch):
        return (
            f"run.batch: {run.batch} is not a multiple of data-parallel GPUs ({gpus // tensor}) x run.micro_batch"
            f" ({run.micro_batch}): change the number of GPUs or the batch"
        )
    return ""


def tables(plan: TrainingPlan) -> Group:
    """Memory of a GPU, whether it fits and what would, then time and energy."""
    return Group(_memory_table(plan), _verdict(plan), Text(), _needs_table(plan), Text(), _cost_table(plan))


def gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _memory_table(plan: TrainingPlan) -> Table:
    layout, run = plan.settings.parallel, plan.settings.run
    result = new_table(
        f"Memory of each of {plan.gpus:,} x {plan.hardware.gpu.name}: {plan.settings.model.size}, "
        f"{plan.gpus // layout.tensor:,} FSDP x {layout.tensor} tensor, "
        f"micro-batch {run.micro_batch} x {plan.seq_len:,}, "
        f'recompute "{layout.recompute}", {layout.precision}',
        ["part"], ["size"], "how",
    )  # fmt: skip
    for part in plan.parts:
        result.add_row(part.name, gib(part.bytes), part.formula)
    result.add_row("peak", gib(plan.peak), "the sum; within 9% of what PyTorch allocates, in tests on small models")
    host = staged(plan.settings, plan.vocab_size, plan.gpus)
    result.add_row("host memory", gib(host.bytes), f"{host.formula}: copy of a checkpoint while it is written")
    return result


def _verdict(plan: TrainingPlan) -> Text:
    gpu = plan.hardware.gpu
    room = f"{gib(plan.peak)} of {gib(usable(gpu))} (92% of the {gib(gpu.memory)} that PyTorch sees)"
    if plan.fits:
        return Text(f"It fits: {room}.", style="green")
    least = fewest(plan.settings, plan.vocab_size, plan.seq_len, gpu)
    remedy = (
        f"with these settings take {least:,} GPUs or more"
        if least and least > plan.gpus
        else "take other settings: see the next table, or a smaller run.micro_batch"
    )
    return Text(f"It does not fit: {room}; {remedy}.", style="bold red")


def _needs_table(plan: TrainingPlan) -> Table:
    result = new_table(
        f"What do I need? The fewest {plan.hardware.gpu.name} (a power of two) that hold it at micro-batch "
        f"{plan.settings.run.micro_batch}",
        ["parallel.tensor"], [f"recompute {policy}" for policy in POLICIES],
    )  # fmt: skip
    for tensor in TENSOR:
        cells = []
        for policy in POLICIES:
            changes: dict[str, Any] = {"parallel.tensor": tensor, "parallel.recompute": policy}
            least = fewest(override(plan.settings, changes), plan.vocab_size, plan.seq_len, plan.hardware.gpu)
            cells.append(f"{least:,}" if least else "-")
        result.add_row(str(tensor), *cells)
    return result


def _cost_table(plan: TrainingPlan) -> Table:
    gpu, batch = plan.hardware.gpu, plan.settings.run.batch * plan.seq_len
    flops = flops_per_token(plan.settings.model, plan.vocab_size, plan.seq_len)
    mfu = plan.tokens_per_s * flops / gpu.peak_flops
    energy = plan.energy
    if plan.hardware.tokens_per_s is None:
        rate = f"MFU {mfu:.1%} (assumed) x {gpu.peak_flops / 1e12:,.0f} TFLOP/s / {flops / 1e9:,.2f} GFLOP a token"
    else:
        rate = f"as given: MFU {mfu:.1%} of {gpu.peak_flops / 1e12:,.0f} TFLOP/s at {flops / 1e9:,.2f} GFLOP a token"
    result = new_table("Time and energy", [""], ["plan"], "how")
    parameters = parameter_count(plan.settings.model, plan.vocab_size)
    for name, value, how in (
        ("parameters", f"{parameters:,}", f"{plan.settings.model.size}, {plan.vocab_size:,} pieces"),
        ("tokens", f"{plan.tokens:,.0f}", ""),
        ("steps", f"{plan.steps:,}", f"of {batch:,} tokens: {plan.settings.run.batch:,} windows of {plan.seq_len:,}"),
        ("tokens/s per GPU", f"{plan.tokens_per_s:,.0f}", rate),
        ("seconds a step", f"{batch / (plan.tokens_per_s * plan.gpus):,.2f}", "tokens a step / (tokens/s x GPUs)"),
        ("days", f"{plan.days:,.1f}", "tokens / (tokens/s x GPUs): without checkpoints, evaluation and failures"),
        ("GPU-hours", f"{energy.gpu_hours:,.0f}", "tokens / tokens/s per GPU"),
        ("MWh", f"{energy.mwh:,.1f}", f"GPU-hours x {gpu.watts} W x PUE {PUE}"),
        ("tCO2eq", f"{energy.tonnes_co2:,.1f}", f"MWh x {KG_CO2_PER_KWH} kg/kWh, the paper's (Table 15)"),
    ):
        result.add_row(name, value, how)
    return result
