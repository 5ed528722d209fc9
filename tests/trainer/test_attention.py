"""Every backend computes the same attention.

PyTorch refuses a backward pass of flex_attention on a CPU because it has no kernel for it there; the formula that its
GPU kernels are compared with is there all the same, and is what `flex_on_a_cpu` lets these tests run. flash-attn is
not installed where there is no GPU: a stand-in takes its arguments as the package documents them.
"""

import functools
import itertools
import shutil
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from harness import MemoryTokens, records, small
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch.nn.attention import flex_attention as pytorch_flex
from torch.nn.attention.flex_attention import create_block_mask
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from corpus.errors import UserError
from trainer import attention
from trainer.attention import Backend, Flash, Flex, Sdpa, block_mask, choose, documents
from trainer.model import Llama
from trainer.parallel import build_mesh, parallelise, processes
from trainer.train import train

VOCAB, WINDOW, START = 64, 200, 7
"""The window is no multiple of a block of 128 tokens; a document begins at every 64th token."""

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def flex_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch_flex, "_validate_device", lambda *tensors: None)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Of one sequence (t, h, k), aligned at the last key."""
    seen = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q))
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)[0].transpose(0, 1)


def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """As the package says: (batch, sequence, heads, head_dim)."""
    assert causal
    return torch.stack([attend(*of) for of in zip(q, k, v, strict=True)])


def flash_attn_varlen_func(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor, max_seqlen_q: int, max_seqlen_k: int,
    *, causal: bool,
) -> Tensor:  # fmt: skip
    """As the package says: (total, heads, head_dim), and int32 offsets from 0 to the total."""
    assert causal
    assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    assert cu_seqlens_q.equal(cu_seqlens_k)
    ends = cu_seqlens_q.tolist()
    assert (ends[0], ends[-1]) == (0, len(q))
    assert 0 < max(b - a for a, b in itertools.pairwise(ends)) <= max_seqlen_q == max_seqlen_k
    pieces = [slice(a, b) for a, b in itertools.pairwise(ends)]
    return torch.cat([attend(q[piece], k[piece], v[piece]) for piece in pieces])


@pytest.fixture
def flash_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = SimpleNamespace(flash_attn_func=flash_attn_func, flash_attn_varlen_func=flash_attn_varlen_func)
    monkeypatch.setitem(sys.modules, "flash_attn", package)
    library = torch.library.Library("flash_attn", "DEF")
    library.define("_flash_attn_forward(Tensor q) -> Tensor")
    library.define("_flash_attn_varlen_forward(Tensor q) -> Tensor")
    yield
    library._destroy()


def windows(seed: int = 1) -> Tensor:
    return torch.randint(0, VOCAB, (2, WINDOW + 1), generator=torch.Generator().manual_seed(seed))


def built(backend: Backend, start: int | None, **changes: Any) -> Llama:
    """A laid out model of three layers, with weights that are not tiny."""
    settings = small(model__layers=3, **changes)
    with torch.device("meta"):
        model = Llama(settings.model, VOCAB, WINDOW, start, backend)
    parallelise(model, build_mesh(CPU, settings.parallel.tensor), settings.parallel)
    model.materialise("cpu", seed=0, init_std=0.2)
    return model


def logits_and_gradients(backend: Backend, start: int | None, **changes: Any) -> list[Tensor]:
    model = built(backend, start, **changes)
    inputs, labels = windows()[:, :-1], windows()[:, 1:]
    (model(inputs, labels) / labels.numel()).backward()
    gradients = [p.grad.full_tensor() for p in model.parameters()]  # type: ignore[union-attr]
    return [model(inputs).detach(), *gradients]


def same(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


# Masks


def test_documents_by_hand() -> None:
    tokens = torch.tensor([[5, 1, 6, 1]])
    assert documents(tokens, 1).tolist() == [[0, 1, 1, 2]]
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    mask = Sdpa().mask(tokens, 1)
    assert mask is not None
    assert mask.int().tolist() == [[expected]]
    assert Sdpa().mask(tokens, None) is None


@given(st.integers(1, 600), st.lists(st.sets(st.integers(0, 599), max_size=12), min_size=1, max_size=3), st.booleans())
def test_the_blocks_are_those_pytorch_finds_in_the_dense_mask(tokens: int, starts: list[set[int]], alone: bool) -> None:
    """`alone`: every token is a document."""
    begins = torch.zeros((len(starts), tokens), dtype=torch.int64)
    for row, of in zip(begins, starts, strict=True):
        row[sorted(start for start in of if start < tokens)] = 1
        row |= alone
    document = documents(begins, 1)

    def allowed(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (document[b, query] == document[b, key])

    found = block_mask(document)
    expected = create_block_mask(allowed, len(starts), None, tokens, tokens, device="cpu")
    assert found.shape == expected.shape
    for one, other in zip(found.as_tuple(flatten=True)[:-1], expected.as_tuple(flatten=True)[:-1], strict=True):
        if isinstance(one, Tensor):
            assert one.dtype == other.dtype
            assert one.equal(other)
        elif not callable(one):
            assert one == other


class Largest(TorchDispatchMode):
    """The most numbers that a tensor made within has."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, Tensor):
                self.numbers = max(self.numbers, each.numel())
        return result


@pytest.mark.parametrize("start", [None, START])
def test_only_sdpa_makes_a_mask_of_all_pairs(start: int | None, flash_stand_in: None) -> None:
    tokens = torch.randint(0, VOCAB, (2, 2048))
    largest = {}
    for backend in (Sdpa(), Flex(compiled=False), Flash()):
        with Largest() as made:
            backend.mask(tokens, start)
        largest[backend.name] = made.numbers
    assert largest["flex"] <= tokens.numel()
    assert largest["flash"] <= tokens.numel()
    assert largest["sdpa"] == (2 * 2048 * 2048 if start else 0)


def test_the_mask_is_made_once_for_all_layers() -> None:
    calls = []

    class Counting(Sdpa):
        def mask(self, tokens: Tensor, document_start: int | None) -> Tensor | None:
            calls.append(tokens.shape)
            return super().mask(tokens, document_start)

    with processes("cpu"):
        built(Counting(), START)(windows()[:, :-1])
    assert calls == [(2, WINDOW)]


# Equal results


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.usefixtures("flex_on_a_cpu", "flash_stand_in")
@pytest.mark.parametrize("start", [None, START])
@pytest.mark.parametrize("name", ["flex", "flash"])
def test_every_backend_gives_the_same_logits_and_gradients(name: str, start: int | None) -> None:
    backend = Flex(compiled=False) if name == "flex" else Flash()
    with processes("cpu"):
        expected = logits_and_gradients(Sdpa(), start)
        same(logits_and_gradients(backend, start), expected)
        whole = logits_and_gradients(Sdpa(), None)
    assert start is None or (whole[0] - expected[0]).abs().max() > 1e-2


@pytest.mark.usefixtures("flex_on_a_cpu")
@pytest.mark.parametrize("start", [None, START])
def test_compiled_flex_gives_the_same_from_one_graph_for_all_layers_and_batches(
    start: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aot_eager: what torch.compile makes of it, without kernels."""
    with processes("cpu"):
        expected = logits_and_gradients(Sdpa(), start)
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
        torch._dynamo.reset()
        same(logits_and_gradients(Flex(), start, parallel__compile=True), expected)
        model = built(Flex(), start, parallel__compile=True)
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        for seed in range(3):
            model(windows(seed)[:, :-1], windows(seed)[:, 1:]).backward()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert not torch._dynamo.utils.counters["graph_break"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch compiles its kernels for a CPU with g++")
@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="PyTorch has no kernel for this CPU")
@pytest.mark.parametrize("start", [None, START])
def test_the_kernel_that_pytorch_has_for_a_cpu_gives_the_same(start: int | None) -> None:
    """Forward only: there is none for the backward pass."""
    q, k, v = torch.randn((3, 2, WINDOW, 4, 16), generator=torch.Generator().manual_seed(0))
    tokens = windows()[:, :-1]
    torch._dynamo.reset()
    found = Flex()(q, k, v, Flex().mask(tokens, start))
    torch.testing.assert_close(found, Sdpa()(q, k, v, Sdpa().mask(tokens, start)), atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("flex_on_a_cpu")
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_selective_checkpointing_keeps_what_flex_gave(
    recompute: str, compile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a compiled block; where flex alone is compiled (`compile` is off), its kernel runs again."""
    graphs: list[set[str]] = []

    def keep(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        names = ("flex_attention", "flex_attention_backward")
        graphs.append({str(node.target) for node in graph.graph.nodes} & set(names))
        return graph

    backend = aot_autograd(fw_compiler=keep, bw_compiler=keep, partition_fn=min_cut_rematerialization_partition)
    with processes("cpu"):
        expected = logits_and_gradients(Sdpa(), START)
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
        torch._dynamo.reset()
        same(logits_and_gradients(Flex(), START, parallel__compile=compile, parallel__recompute=recompute), expected)
    again = compile and recompute == "full"
    assert graphs[0] == {"flex_attention"}
    assert graphs[1] == {"flex_attention_backward"} | ({"flex_attention"} if again else set())


@pytest.mark.usefixtures("flex_on_a_cpu", "flash_stand_in")
@pytest.mark.parametrize("name", ["sdpa", "flex", "flash"])
def test_under_tensor_parallelism_a_backend_sees_this_process_s_heads(name: str) -> None:
    seen = set()

    def recording(of: type[Backend]) -> type[Backend]:
        class Recording(of):  # type: ignore[misc,valid-type]
            def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
                seen.update((type(x), tuple(x.shape)) for x in (q, k, v))
                return super().__call__(q, k, v, mask)

        return Recording

    backend = {"sdpa": recording(Sdpa), "flex": recording(Flex), "flash": recording(Flash)}[name]
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        model = built(backend(compiled=False) if name == "flex" else backend(), START, parallel__tensor=2)
        model(windows()[:, :-1], windows()[:, 1:]).backward()
    finally:
        dist.destroy_process_group()
    assert seen == {(Tensor, (2, WINDOW, 2, 16))}  # of 4 heads


# The choice


@pytest.mark.parametrize(
    ("name", "document_mask", "device", "expected"),
    [
        ("auto", False, CPU, "sdpa"),
        ("auto", True, CPU, "sdpa"),
        ("sdpa", True, CPU, "sdpa"),
        ("auto", False, GPU, "sdpa"),
        ("auto", True, GPU, "flex"),
        ("sdpa", True, GPU, "sdpa"),
        ("flex", False, GPU, "flex"),
        ("flash", False, GPU, "flash"),
    ],
)
def test_the_choice(
    name: Any, document_mask: bool, device: torch.device, expected: str, flash_stand_in: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(attention.importlib.util, "find_spec", lambda name: object())
    assert choose(name, device, "bfloat16", 128, document_mask=document_mask).name == expected


@pytest.mark.parametrize(
    ("name", "device", "precision", "head_dim", "message"),
    [
        ("flex", CPU, "float32", 16, r"flex needs a GPU \(PyTorch has no backward pass of it on a CPU\); take sdpa"),
        ("flex", GPU, "bfloat16", 8, r"flex needs heads of 16 numbers or more \(these have 8\); take sdpa"),
        ("flash", GPU, "bfloat16", 128, r"flash needs a GPU of compute capability 8.0 or higher \(this one has 7.5\)"),
        ("flash", CPU, "float32", 128, "flash needs a GPU, parallel.precision=bfloat16; take sdpa"),
        ("flash", CPU, "bfloat16", 512, r"flash needs a GPU, heads of 256 numbers or fewer \(these have 512\)"),
    ],
)
def test_what_cannot_run_is_refused_with_what_it_needs(
    name: Any, device: torch.device, precision: str, head_dim: int, message: str, flash_stand_in: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(UserError, match=f"^parallel.attention: {message}"):
        choose(name, device, precision, head_dim, document_mask=False)


def test_packages_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    with pytest.raises(UserError, match=r"flash needs the package flash-attn 2\.7 or newer, built for this PyTorch \("):
        choose("flash", GPU, "bfloat16", 128, document_mask=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(UserError, match="flex needs the package triton; take sdpa"):
        choose("flex", GPU, "bfloat16", 128, document_mask=True)
    assert choose("auto", GPU, "bfloat16", 128, document_mask=True).name == "sdpa"


def test_pytorch_still_has_no_backward_pass_of_flex_on_a_cpu() -> None:
    """When this fails, `_flex_needs` may say less."""
    x = torch.zeros((1, 4, 1, 16), requires_grad=True)
    with pytest.raises(NotImplementedError, match="backward on CPU"):
        Flex(compiled=False)(x, x, x, None)


def test_a_run_is_refused_before_it_begins_and_says_what_it_took(tmp_path: Any) -> None:
    with processes("cpu") as device:
        with pytest.raises(UserError, match=r"parallel\.attention: flex needs a GPU"):
            train(small(parallel__attention="flex"), MemoryTokens(), tmp_path / "refused", device)
        train(small(run__document_mask=True, run__steps=5), MemoryTokens(), tmp_path / "run", device)
    assert not (tmp_path / "refused").exists()
    (begun,) = records(tmp_path / "run", "start")
    assert begun["attention"] == "sdpa"
