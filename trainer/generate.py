"""Text from a model, token by token, on one device.

The keys and values of the tokens so far are kept, so each new token costs one pass over the weights. Only this module
knows of them: the model that is trained has no cache.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from corpus.errors import UserError
from trainer.convert.open import open_weights
from trainer.convert.weights import find_tokenizer, load_model
from trainer.model import Attention, Llama, TransformerBlock, rotate
from trainer.parallel import choose_device


class Cache:
    """Keys and values of one sequence, allocated once: per layer (2, tokens, heads, head_dim)."""

    def __init__(self, model: Llama, tokens: int) -> None:
        s, weight = model.settings, model.output.weight
        shape = (s.layers, 2, tokens, s.heads, s.dim // s.heads)
        self._kept = torch.empty(shape, dtype=weight.dtype, device=weight.device)
        self._model = model
        self._length = 0

    def feed(self, tokens: Tensor) -> Tensor:
        """The next tokens (t,) int64 -> logits (vocabulary,) in float32 after the last of them.

        The first call takes any number of them, each later one a single one.
        """
        assert self._length == 0 or len(tokens) == 1
        model, now = self._model, slice(self._length, self._length + len(tokens))
        self._length = now.stop
        mask = model.backend.mask(tokens[None], None) if len(tokens) > 1 else None
        x = model.tok_embeddings(tokens)[None]
        for block, kept in zip(model.layers, self._kept, strict=True):
            assert isinstance(block, TransformerBlock)
            x = x + self._attend(block.attention, block.attention_norm(x), kept, now, mask)
            x = x + block.feed_forward(block.ffn_norm(x))
        return model.output(model.norm(x[:, -1:]), None)[0, 0]

    def _attend(self, attention: Attention, x: Tensor, kept: Tensor, now: slice, mask: Any) -> Tensor:
        """Attention of the tokens `now` to all up to them; x (1, t, d) -> (1, t, d)."""
        rope = self._model.rope[now]
        q, k, v = (w(x).unflatten(-1, (-1, attention.head_dim)) for w in (attention.wq, attention.wk, attention.wv))
        kept[0, now], kept[1, now] = rotate(k, rope)[0], v[0]
        keys, values = kept[:, None, : now.stop]
        return attention.wo(attention.backend(rotate(q, rope), keys, values, mask).flatten(-2))


def sample(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """A token drawn from the softmax of logits (vocabulary,) / temperature; the likeliest for temperature 0.

    As in the released code, a token is left out where the likelier ones have more than `top_p` of the probability.
    """
    if temperature == 0:
        return int(logits.argmax())
    shares, tokens = torch.softmax(logits.float().cpu() / temperature, dim=-1).sort(descending=True, stable=True)
    shares[shares.cumsum(-1) - shares > top_p] = 0
    return int(tokens[torch.multinomial(shares, 1, generator=generator)])


@torch.inference_mode()
def generate(
    model: Llama, prompt: Sequence[int], *, max_tokens: int, temperature: float = 0.8, top_p: float = 0.95,
    seed: int = 0, eos: int = -1,
) -> Iterator[int]:  # fmt: skip
    """Tokens that follow the prompt: at most `max_tokens`, none from `eos` on, and none past the model's window.

    Temperature and top-p default to those of the released code (example.py). Raises UserError when the prompt is
    empty or fills the window.
    """
    if not 0 < len(prompt) < model.seq_len:
        raise UserError(
            f"the prompt has {len(prompt):,} tokens; the model's window is {model.seq_len:,}, and at least one token"
            " must be there and one be free"
        )
    generator = torch.Generator().manual_seed(seed)
    end = min(model.seq_len, len(prompt) + max_tokens)
    cache = Cache(model, end)
    new = list(prompt)
    for _ in range(len(prompt), end):
        token = sample(cache.feed(torch.tensor(new, device=model.rope.device)), temperature, top_p, generator)
        if token == eos:
            return
        yield token
        new = [token]


def encode(processor: SentencePieceProcessor, text: str) -> list[int]:
    """Tokens of a prompt: a document's begin, if the tokenizer has one, and the text."""
    bos = processor.bos_id()
    return [bos][: bos >= 0] + processor.encode(text)


def decode(processor: SentencePieceProcessor, prompt: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """The text that each token adds to the prompt's; "" while the bytes of a character are not all there."""
    ids = list(prompt)
    done = len(processor.decode(ids))
    text = ""
    for token in tokens:
        ids.append(token)
        text = processor.decode(ids)
        whole = len(text.rstrip("\ufffd"))  # what unfinished bytes are shown as
        yield text[done:whole]
        done = max(done, whole)
    yield text[done:]


def continue_text(
    folder: str, prompt: str, *, tokenizer: str | None, max_tokens: int, temperature: float, top_p: float, seed: int,
    device: str,
) -> Iterator[str]:  # fmt: skip
    """The prompt and the text that the model in a folder (`open_weights`) goes on with, piece by piece.

    Weights are bfloat16 on a GPU, float32 on a CPU. Raises UserError, DamagedFile.
    """
    weights = open_weights(folder)
    processor = SentencePieceProcessor(model_file=find_tokenizer(weights, tokenizer))
    chosen = choose_device(device)
    model = load_model(weights, chosen, torch.float32 if chosen.type == "cpu" else torch.bfloat16)
    ids = encode(processor, prompt)
    tokens = generate(
        model, ids, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed, eos=processor.eos_id()
    )
    pieces = decode(processor, ids, tokens)
    yield prompt + next(pieces)
    yield from pieces
