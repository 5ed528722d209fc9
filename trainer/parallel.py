"""How the model is laid over the processes: tensor parallel -> activation checkpointing -> compile -> FSDP, in order.

The mesh is (dp, tp): neighbouring ranks share a model's matrices (tensor parallel, with the parts between them cut
along the tokens), and each dp rank sees its own sequences and holds its share of every parameter (FSDP2).
"""

import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from corpus.errors import UserError
from trainer.config import ParallelSettings, TrainingSettings
from trainer.model import Llama


def choose_device(device: str) -> torch.device:
    """The device of this process for "auto", "cpu" or "cuda"; under torchrun each has a GPU of its own."""
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"the device {device} is unknown: known are auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("the device cuda is asked for, but PyTorch sees no GPU; ask for cpu")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def processes(device: str) -> Iterator[torch.device]:
    """The process group of this run and this process's device.

    Under torchrun all its processes; without it, a group of one. A group that exists already is used and left open.
    """
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if dist.is_initialized():
        yield chosen
        return
    # gloo beside nccl: flags and small agreements travel between hosts without waiting for the GPU.
    backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    try:
        yield chosen
    finally:
        dist.destroy_process_group()


def build_mesh(device: torch.device, tensor: int) -> DeviceMesh:
    """The (dp, tp) mesh over all processes."""
    world = dist.get_world_size()
    if world % tensor:
        raise UserError(f"parallel.tensor: {tensor} does not divide the {world} processes of this run")
    return init_device_mesh(device.type, (world // tensor, tensor), mesh_dim_names=("dp", "tp"))


def check_fits(settings: TrainingSettings, vocab_size: int, seq_len: int, dp: int) -> None:
    """Raises UserError where the batch or the tensors cannot be cut evenly."""
    tensor, run = settings.parallel.tensor, settings.run
    for name, value in {
        "model.heads": settings.model.heads,
        "model.ffn_hidden": settings.model.ffn_hidden,
        "the vocabulary": vocab_size,
        "the window": seq_len,
    }.items():
        if value % tensor:
            raise UserError(f"parallel.tensor: {tensor} does not divide {name} ({value})")
    if run.batch % (dp * run.micro_batch):
        raise UserError(
            f"run.batch: {run.batch} is not a multiple of data-parallel processes ({dp}) x run.micro_batch"
            f" ({run.micro_batch})"
        )


def _tensor_parallel(model: Llama, mesh: DeviceMesh) -> None:
    """Megatron's cut (heads and feed-forward by columns, then by rows) with sequence parallel norms between."""
    parallelize_module(
        model,
        mesh,
        {
            "tok_embeddings": RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1)),
            "norm": SequenceParallel(),
        },
    )
    block_plan: dict[str, ParallelStyle] = {
        "attention_norm": SequenceParallel(),
        "attention": PrepareModuleInput(
            input_layouts=(Shard(1), None, None), desired_input_layouts=(Replicate(), None, None)
        ),
        "attention.wq": ColwiseParallel(),
        "attention.wk": ColwiseParallel(),
        "attention.wv": ColwiseParallel(),
        "attention.wo": RowwiseParallel(output_layouts=Shard(1)),
        "ffn_norm": SequenceParallel(),
        "feed_forward": PrepareModuleInput(input_layouts=(Shard(1),), desired_input_layouts=(Replicate(),)),
        "feed_forward.w1": ColwiseParallel(),
        "feed_forward.w3": ColwiseParallel(),
        "feed_forward.w2": RowwiseParallel(output_layouts=Shard(1)),
    }
    for layer in model.layers:
        parallelize_module(layer, mesh, block_plan)
    # The loss module cuts its own input (trainer.loss), so only the weight is laid out here.
    weight = distribute_tensor(model.output.weight, mesh, [Shard(0)], src_data_rank=None)
    model.output.weight = nn.Parameter(weight)


def _overlap_tensor_parallel(mesh: DeviceMesh, settings: ParallelSettings) -> None:
    """Lets torch.compile cut the products beside tensor parallel's transfers, so that both run at the same time.

    Raises UserError where this build or this run cannot.
    """
    import torch._inductor.config as inductor
    from torch.distributed import _symmetric_memory

    missing = [
        what
        for what, there in {
            "parallel.tensor of 2 or more": mesh.size() > 1,
            "parallel.compile": settings.compile,
            "GPUs": mesh.device_type == "cuda",
            "a PyTorch with micro-pipelined tensor parallelism": hasattr(inductor, "_micro_pipeline_tp"),
        }.items()
        if not there
    ]
    if missing:
        raise UserError(f"parallel.async_tensor needs {', '.join(missing)}: leave it out")
    inductor._micro_pipeline_tp = True
    _symmetric_memory.enable_symm_mem_for_group(mesh.get_group().group_name)


def _checkpoint_and_compile(model: Llama, settings: ParallelSettings) -> None:
    """Replaces each block's `forward`; hooks (FSDP's) stay outside, and parameters keep their names."""
    # What the paper keeps (section 2.4): outputs of the linear layers and of attention.
    saved = {torch.ops.aten.mm.default, *model.backend.saved}

    def policy(ctx: object, op: object, *args: object, **kwargs: object) -> CheckpointPolicy:
        return CheckpointPolicy.MUST_SAVE if op in saved else CheckpointPolicy.PREFER_RECOMPUTE

    for layer in model.layers:
        forward = layer.forward
        if settings.recompute == "full":
            forward = functools.partial(checkpoint, forward, use_reentrant=False)
        elif settings.recompute == "selective":
            contexts = functools.partial(create_selective_checkpoint_contexts, policy)
            forward = functools.partial(checkpoint, forward, use_reentrant=False, context_fn=contexts)
        if settings.compile:
            forward = torch.compile(forward)
        layer.forward = forward


def _fsdp(model: Llama, mesh: DeviceMesh, settings: ParallelSettings) -> None:
    policy = MixedPrecisionPolicy(cast_forward_inputs=False)  # the rotary table stays float32
    if settings.precision == "bfloat16":
        policy = MixedPrecisionPolicy(torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False)
    fully_shard(model.tok_embeddings, mesh=mesh, mp_policy=policy)
    for layer in model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    # By default a block's parameters are gathered while the one before computes, once its kernels are queued; asked for
    # ahead, they are on their way even when queueing is what takes long. Backward does so by itself.
    sharded = [layer for layer in model.layers if isinstance(layer, FSDPModule)]
    for layer, following in itertools.pairwise(sharded):
        layer.set_modules_to_forward_prefetch([following])
    # Needed again at the very start of the backward pass: not worth freeing in between.
    fully_shard([model.norm, model.output], mesh=mesh, mp_policy=policy, reshard_after_forward=False)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # Gradients are summed: the loss is already divided by the batch's global token count.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no pre-multiplied sum


def parallelise(model: Llama, mesh: DeviceMesh, settings: ParallelSettings) -> None:
    """Lays `model` (on the meta device) over `mesh`, in place.

    Raises UserError where `settings` ask for what this build or machine cannot do.
    """
    if settings.async_tensor:
        _overlap_tensor_parallel(mesh["tp"], settings)
    if mesh["tp"].size() > 1:
        _tensor_parallel(model, mesh["tp"])
    _checkpoint_and_compile(model, settings)
    _fsdp(model, mesh["dp"], settings)
