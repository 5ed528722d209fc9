"""Which size is cheapest to train and then to serve: the argument of the paper's introduction, in numbers.

The loss is Hoffmann et al. 2022 ("Chinchilla"), approach 3: L(N, D) = E + A / N^alpha + B / D^beta, N parameters and D
tokens, as published. It is an estimate for other data and another tokenizer than ours; Besiroglu et al. 2024 found its
fit poor and give E 1.8172, A 482.01, B 2085.43, alpha 0.3478, beta 0.3658. Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from corpus.report.tables import new_table
from trainer.config import TrainingSettings, override
from trainer.flops import parameter_count
from trainer.plan.cost import TOKENS, Hardware, speed

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28

COUNTS = (0.5e12, 1.0e12, 1.4e12, 2.0e12)

SERVING_UTILISATION = 0.25
"""Share of a GPU's peak in serving. An assumption: large batches; one answer at a time is far below it."""


def loss(parameters: float, tokens: float) -> float:
    """Estimated cross entropy, nats a token."""
    return E + A / parameters**ALPHA + B / tokens**BETA


def tokens_for(parameters: float, wanted: float) -> float | None:
    """How many tokens a model of this size is trained on to come to a loss; None when it never does."""
    left = wanted - E - A / parameters**ALPHA
    return (B / left) ** (1 / BETA) if left > 0 else None


@dataclass(frozen=True)
class Choice:
    """One size trained on one number of tokens; hours are of a GPU.

    Attributes:
        serving: for the tokens served.
    """

    size: str
    parameters: int
    tokens: float
    training: float
    serving: float

    @property
    def total(self) -> float:
        return self.training + self.serving

    @property
    def loss(self) -> float:
        return loss(self.parameters, self.tokens)


@dataclass(frozen=True)
class Costs:
    """GPU-hours of training and of serving `served` tokens."""

    settings: TrainingSettings
    vocab_size: int
    seq_len: int
    hardware: Hardware
    served: float

    def choice(self, size: str, tokens: float) -> Choice:
        settings = override(self.settings, {"model.size": size})
        parameters = parameter_count(settings.model, self.vocab_size)
        rate = speed(settings, self.vocab_size, self.seq_len, self.hardware)
        serving = 2 * parameters * self.served / (SERVING_UTILISATION * self.hardware.gpu.peak_flops)
        return Choice(size, parameters, tokens, tokens / rate / 3600, serving / 3600)

    def smaller(self, than: Choice) -> Choice | None:
        """The next smaller size, trained until it is as good; None when it never is, or there is none."""
        sizes = list(TOKENS)
        place = sizes.index(than.size)
        if not place:
            return None
        found = self.choice(sizes[place - 1], 0)
        tokens = tokens_for(found.parameters, than.loss)
        return None if tokens is None else self.choice(found.size, tokens)

    def break_even(self, large: Choice, small: Choice) -> float:
        """Tokens served from which on `small` is cheaper in all."""
        a_token = (large.serving - small.serving) / self.served
        return max(0.0, (small.training - large.training) / a_token)


def table(costs: Costs, counts: Sequence[float] = COUNTS) -> Group:
    """Every size at every number of tokens, beside the next smaller size trained to the same loss."""
    gpu = costs.hardware.gpu
    result = new_table(
        f"GPU-hours on {gpu.name} (MFU {costs.hardware.mfu:.0%}), and to serve {costs.served / 1e12:g}T tokens at "
        f"2 N FLOPs each and {SERVING_UTILISATION:.0%} of the peak",
        ["size"],
        ["tokens", "loss (est.)", "training", "serving", "both", "smaller", "needs", "both ", "cheaper from"],
    )
    cheaper = compared = 0
    for size in TOKENS:
        for tokens in counts:
            this = costs.choice(size, tokens)
            cells = [f"{tokens / 1e12:g}T", f"{this.loss:.3f}", *map(_hours, (this.training, this.serving, this.total))]
            small = costs.smaller(this)
            if small is not None:
                better = small.total < this.total
                compared, cheaper = compared + 1, cheaper + better
                cells += [small.size, f"{small.tokens / 1e12:.2f}T"]
                cells += [f"[green]{_hours(small.total)}[/]" if better else _hours(small.total)]
                served = costs.break_even(this, small)
                cells += [f"{served / 1e12:.2f}T" if served else "at once"]
            elif size != next(iter(TOKENS)):
                cells += ["", "never", "", ""]
            result.add_row(size, *cells)
    sentence = (
        f"At {costs.served / 1e12:g}T tokens served the next smaller size, trained longer to the same loss, is cheaper "
        f"in all in {cheaper} of {compared} cases; `cheaper from` says from how many served tokens on. "
        "The loss is the fit of Hoffmann et al. 2022, an estimate (docs/plan.md)."
    )
    return Group(result, Text(), Text(sentence))


def _hours(hours: float) -> str:
    return f"{hours:,.0f}"
