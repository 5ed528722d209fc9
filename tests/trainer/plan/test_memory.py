"""The formulas against what PyTorch allocates on the CPU, in layouts of processes that a fake group stands for."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.distributed as dist
from harness import small
from torch.profiler import ProfilerActivity, profile
from torch.testing._internal.distributed.fake_pg import FakeStore

from trainer import loss
from trainer.config import TrainingSettings, parse
from trainer.model import Llama
from trainer.optim import build_optimiser
from trainer.parallel import build_mesh, parallelise
from trainer.plan import memory
from trainer.plan.memory import block_activations, training_memory

VOCAB, SEQ_LEN = 512, 256
RNG_STATE = 5056
"""Bytes that a recomputed block keeps of the CPU's random numbers; a GPU's state is 16."""


@contextmanager
def fake_processes(world: int) -> Iterator[None]:
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=world)
    try:
        yield
    finally:
        dist.destroy_process_group()


def allocated(record: profile) -> tuple[int, int]:
    """(bytes more at the end than at the beginning, most bytes more) of what was profiled."""
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    level = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        level += event.nbytes()
        peak = max(peak, level)
    return level, peak


def measure(settings: TrainingSettings) -> tuple[int, int, int]:
    """(bytes of weights, gradients and moments; bytes kept after a forward pass; peak of forward and backward)."""
    with torch.device("meta"):
        model = Llama(settings.model, VOCAB, SEQ_LEN)
    parallelise(model, build_mesh(torch.device("cpu"), settings.parallel.tensor), settings.parallel)
    model.materialise("cpu", 0)
    optimiser = build_optimiser(model, settings.optimiser)
    tokens = torch.zeros((settings.run.micro_batch, SEQ_LEN + 1), dtype=torch.int64)
    model(tokens[:, :-1], tokens[:, 1:]).backward()  # what is profiled finds gradients to add to
    held = [tensor for p in model.parameters() for tensor in (p, p.grad, *optimiser.state[p].values())]
    states = sum(t.to_local().nbytes for t in held if hasattr(t, "to_local"))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as forward:
        total = model(tokens[:, :-1], tokens[:, 1:])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as backward:
        total.backward()
    kept, highest = allocated(forward)
    return states, kept, max(highest, kept + allocated(backward)[1])


def settings_of(recompute: str, tensor: int, precision: str, **changes: int) -> TrainingSettings:
    shape = {"model__dim": 128, "model__ffn_hidden": 384, "model__layers": 2, "run__micro_batch": 2} | changes
    parallel = {"parallel__recompute": recompute, "parallel__tensor": tensor, "parallel__precision": precision}
    return small(**shape, **parallel)


LAYOUTS = pytest.mark.parametrize(("world", "tensor"), [(1, 1), (8, 1), (8, 2)])


@pytest.mark.filterwarnings("ignore")
@LAYOUTS
@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_formulas_are_what_pytorch_allocates(recompute: str, precision: str, world: int, tensor: int) -> None:
    settings = settings_of(recompute, tensor, precision)
    with fake_processes(world):
        states, kept, peak = measure(settings)
        _, more, _ = measure(settings_of(recompute, tensor, precision, model__layers=3))
    block = block_activations(settings, SEQ_LEN, recompute)
    assert more - kept == block + (0 if recompute == "none" else RNG_STATE)  # to the byte
    weights, gradients, moments, blocks, *rest = [of.bytes for of in training_memory(settings, VOCAB, SEQ_LEN, world)]
    assert weights + gradients + moments == pytest.approx(states, rel=0.01)  # rounding of norms' shards
    assert blocks == settings.model.layers * block
    assert blocks + sum(rest) == pytest.approx(peak, rel=0.08)


@pytest.mark.filterwarnings("ignore")
@LAYOUTS
def test_the_peak_where_weights_outweigh_activations(world: int, tensor: int) -> None:
    """As in the paper's sizes at one window in a micro-batch."""
    settings = settings_of(
        "selective", tensor, "bfloat16", model__dim=512, model__ffn_hidden=1536, run__micro_batch=1, model__layers=3
    )
    with fake_processes(world):
        states, _, peak = measure(settings)
    planned = sum(part.bytes for part in training_memory(settings, VOCAB, SEQ_LEN, world))
    assert planned == pytest.approx(states + peak, rel=0.09)


@pytest.mark.parametrize(("size", "gib"), [("7B", 100.4), ("13B", 194.0), ("33B", 484.7), ("65B", 972.8)])
def test_states_of_the_papers_sizes(size: str, gib: float) -> None:
    """16 bytes a parameter: float32 weights, gradients and two moments."""
    parts = training_memory(parse({"model": {"size": size}}), 32_000, 2048, 1)
    assert sum(part.bytes for part in parts[:3]) / 2**30 == pytest.approx(gib, abs=0.05)


def test_the_chunk_of_the_loss_is_the_trainers() -> None:
    assert memory.CHUNK == loss.CHUNK
