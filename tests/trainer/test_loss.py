import pytest
import torch
import torch.nn.functional as F

from trainer import loss
from trainer.loss import IGNORE, linear_cross_entropy


@pytest.mark.parametrize("chunk", [1, 7, 20, 1000])
def test_equals_the_plain_loss_and_its_gradients(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(loss, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 10, 16, generator=generator, requires_grad=True)
    weight = torch.randn(50, 16, generator=generator, requires_grad=True)
    labels = torch.randint(0, 50, (2, 10), generator=generator)
    labels[0, 3] = labels[1, 9] = IGNORE

    plain = F.cross_entropy((hidden @ weight.T).flatten(0, 1), labels.flatten(), reduction="sum", ignore_index=IGNORE)
    expected = torch.autograd.grad(plain / 18, [hidden, weight])
    ours = linear_cross_entropy(hidden, weight, labels)
    found = torch.autograd.grad(ours / 18, [hidden, weight])

    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(found, expected)


def test_huge_logits_do_not_overflow() -> None:
    hidden, weight = torch.full((1, 2, 4), 100.0), torch.tensor([[100.0] * 4, [-100.0] * 4])
    assert linear_cross_entropy(hidden, weight, torch.tensor([[0, 1]])).item() == 80_000.0


def test_bfloat16_is_close() -> None:
    generator = torch.Generator().manual_seed(1)
    hidden, weight = torch.randn(1, 64, 32, generator=generator), torch.randn(100, 32, generator=generator) / 6
    labels = torch.randint(0, 100, (1, 64), generator=generator)
    exact = linear_cross_entropy(hidden, weight, labels)
    rounded = linear_cross_entropy(hidden.bfloat16(), weight.bfloat16(), labels)
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=2e-2)


def test_without_gradient_nothing_is_kept() -> None:
    hidden, weight = torch.randn(1, 4, 8, requires_grad=True), torch.randn(16, 8, requires_grad=True)
    with torch.no_grad():
        assert not linear_cross_entropy(hidden, weight, torch.zeros((1, 4), dtype=torch.int64)).requires_grad
