import pytest
import torch
import torch.nn.functional as F
from harness import small
from torch.utils.flop_counter import FlopCounterMode

from corpus.errors import UserError
from trainer.config import SIZES, ModelSettings, ffn_hidden
from trainer.flops import flops_per_token, parameter_count
from trainer.model import Llama, rope_table, rotate
from trainer.parallel import build_mesh, parallelise, processes

PAPER = {
    # Parameters computed from Table 2 with 32,000 pieces; the first equals Hugging Face's LlamaForCausalLM.
    "7B": (6_738_415_616, 202_383_360),
    "13B": (13_015_864_320, 317_204_480),
    "33B": (32_528_943_616, 535_049_216),
    "65B": (65_285_660_672, 809_517_056),
}


@pytest.mark.parametrize("size", PAPER)
def test_parameter_counts_of_the_paper(size: str) -> None:
    total, block = PAPER[size]
    settings = ModelSettings.model_validate({"size": size})
    with torch.device("meta"):
        model = Llama(settings, 32_000, 2048)
    assert sum(p.numel() for p in model.parameters()) == total == parameter_count(settings, 32_000)
    assert sum(p.numel() for p in model.layers[0].parameters()) == block
    assert settings.dim // settings.heads == 128
    assert ffn_hidden(settings.dim) == settings.ffn_hidden


def test_parameter_names_of_the_release() -> None:
    with torch.device("meta"):
        names = set(Llama(small().model, 64, 32).state_dict())
    block = {f"attention.w{x}.weight" for x in "qkvo"} | {f"feed_forward.w{x}.weight" for x in "123"}
    block |= {"attention_norm.weight", "ffn_norm.weight"}
    layers = {f"layers.{n}.{name}" for n in range(SIZES["tiny"]["layers"]) for name in block}
    assert names == layers | {"tok_embeddings.weight", "norm.weight", "output.weight"}


def materialised(settings: ModelSettings, vocab_size: int = 64, std: float | None = None) -> Llama:
    with torch.device("meta"):
        model = Llama(settings, vocab_size, 32)
    model.materialise("cpu", seed=0)
    if std is not None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=std)
    return model


def test_rotation_is_complex_multiplication() -> None:
    x = torch.randn(2, 5, 3, 8, generator=torch.Generator().manual_seed(0))
    angle = torch.outer(torch.arange(5.0), 10000.0 ** (-torch.arange(0, 8, 2) / 8))
    pairs = torch.view_as_complex(x.reshape(2, 5, 3, 4, 2)) * torch.polar(torch.ones_like(angle), angle)[:, None]
    torch.testing.assert_close(rotate(x, rope_table(5, 8, "cpu")), torch.view_as_real(pairs).flatten(-2))


def test_a_token_does_not_see_later_ones() -> None:
    model = materialised(small().model, std=0.1)
    tokens = torch.randint(0, 64, (1, 32), generator=torch.Generator().manual_seed(3))
    changed = tokens.clone()
    changed[0, 20] = (changed[0, 20] + 1) % 64
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :20], after[:, :20])
    assert (before[:, 20:] - after[:, 20:]).abs().max() > 1e-3


def test_a_masked_document_is_read_as_if_it_stood_alone() -> None:
    """Also where it begins late in the window: rotary attention sees only differences of positions."""
    model = materialised(small().model, std=0.1)
    tokens = torch.randint(2, 64, (1, 32), generator=torch.Generator().manual_seed(4))
    tokens[0, [9, 20]] = 1
    with torch.no_grad():
        alone = torch.cat([model(tokens[:, a:b]) for a, b in [(0, 9), (9, 20), (20, 32)]], dim=1)
        whole = model(tokens)
        model.document_start = 1
        masked = model(tokens)
    torch.testing.assert_close(masked, alone, atol=1e-5, rtol=1e-5)
    assert (whole - masked)[:, 20:].abs().max() > 1e-2


def test_async_tensor_parallelism_says_what_it_lacks() -> None:
    settings = small(parallel__async_tensor=True)
    with torch.device("meta"):
        model = Llama(settings.model, 64, 32)
    with (
        processes("cpu"),
        pytest.raises(UserError, match=r"needs parallel\.tensor of 2 or more, .*GPUs: leave"),
    ):
        parallelise(model, build_mesh(torch.device("cpu"), 1), settings.parallel)


def test_initialisation() -> None:
    settings = ModelSettings.model_validate({"size": "tiny", "dim": 256, "ffn_hidden": 512})
    weights = materialised(settings, 512).state_dict()
    assert weights["layers.0.attention.wq.weight"].std() == pytest.approx(0.02, rel=0.03)
    assert weights["layers.1.feed_forward.w2.weight"].std() == pytest.approx(0.02 / 2, rel=0.03)  # sqrt(2 x 2 layers)
    assert weights["norm.weight"].eq(1).all()
    with torch.device("meta"):
        other = Llama(settings, 512, 32)
    other.materialise("cpu", seed=0, init_std=0.05, init_scaled=False)
    assert other.state_dict()["layers.1.feed_forward.w2.weight"].std() == pytest.approx(0.05, rel=0.03)
    assert not weights["layers.0.attention.wq.weight"].equal(weights["layers.1.attention.wq.weight"])


@pytest.mark.parametrize(("size", "gigaflops"), [("7B", 42.864), ("13B", 82.143), ("33B", 203.706), ("65B", 406.239)])
def test_flops_per_token(size: str, gigaflops: float) -> None:
    """By hand from Table 2."""
    settings = ModelSettings.model_validate({"size": size})
    assert flops_per_token(settings, 32_000, 2048) / 1e9 == pytest.approx(gigaflops, abs=0.0005)


def test_flops_per_token_are_what_the_model_computes() -> None:
    settings = small().model
    model = materialised(settings)
    tokens = torch.zeros((2, 32), dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten(), reduction="sum").backward()
    assert counter.get_total_flops() == 64 * flops_per_token(settings, 64, 32)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_recomputation_changes_the_work_and_not_the_gradient(recompute: str) -> None:
    def gradients(how: str) -> tuple[list[torch.Tensor], int]:
        settings = small(parallel__recompute=how)
        with torch.device("meta"):
            model = Llama(settings.model, 64, 32)
        parallelise(model, build_mesh(torch.device("cpu"), 1), settings.parallel)
        model.materialise("cpu", seed=0)
        tokens = torch.arange(64).view(2, 32)
        with FlopCounterMode(display=False) as counter:
            model(tokens, tokens).backward()
        return [p.grad.full_tensor() for p in model.parameters()], counter.get_total_flops()

    with processes("cpu"):
        expected, flops = gradients("none")
        found, more_flops = gradients(recompute)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    # "selective" keeps what matrix products and attention gave, so it computes none of them again.
    assert (more_flops > flops) == (recompute == "full")
