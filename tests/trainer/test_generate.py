import pytest
import sentencepiece
import torch
from harness import small

from corpus.errors import UserError
from trainer.attention import Backend, Flex, Sdpa
from trainer.generate import Cache, decode, encode, generate, sample
from trainer.model import Llama


@pytest.fixture(scope="module")
def model() -> Llama:
    """Random weights that are not tiny."""
    with torch.device("meta"):
        model = Llama(small().model, 64, 48)
    model.materialise("cpu", seed=0)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.requires_grad_(False).parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.15)
    return model


def with_backend(model: Llama, backend: Backend) -> Llama:
    """The same weights under another backend."""
    with torch.device("meta"):
        other = Llama(model.settings, model.vocab_size, model.seq_len, None, backend)
    other.load_state_dict(model.state_dict(), assign=True)
    other.rope = model.rope
    return other.requires_grad_(False)


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize(
    ("length", "backend"), [(1, Sdpa()), (2, Sdpa()), (17, Sdpa()), (47, Sdpa()), (17, Flex(compiled=False))]
)
def test_the_cache_changes_nothing(model: Llama, length: int, backend: Backend) -> None:
    """Nor does it matter which backend the model computes attention with."""
    prompt = torch.randint(0, 64, (length,), generator=torch.Generator().manual_seed(length)).tolist()
    expected = list(prompt)
    cache = Cache(with_backend(model, backend), 48)
    new = torch.tensor(prompt)
    while len(expected) < 48:
        logits = model(torch.tensor([expected]))[0, -1]
        torch.testing.assert_close(cache.feed(new), logits, rtol=0, atol=1e-5)
        expected.append(int(logits.argmax()))
        new = torch.tensor(expected[-1:])
    assert prompt + list(generate(model, prompt, max_tokens=100, temperature=0)) == expected


def test_it_ends(model: Llama) -> None:
    whole = list(generate(model, [1, 2, 3], max_tokens=30, temperature=0))
    assert len(whole) == 30
    end = whole[10]
    assert list(generate(model, [1, 2, 3], max_tokens=30, temperature=0, eos=end)) == whole[: whole.index(end)]
    assert len(list(generate(model, list(range(40)), max_tokens=30))) == 8


@pytest.mark.parametrize("length", [0, 48, 100])
def test_a_prompt_that_does_not_fit(model: Llama, length: int) -> None:
    with pytest.raises(UserError, match=f"the prompt has {length} tokens; the model's window is 48"):
        next(generate(model, [1] * length, max_tokens=3))


def test_the_seed_decides(model: Llama) -> None:
    texts = [list(generate(model, [1, 2], max_tokens=20, temperature=2.0, seed=seed)) for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
    generator = torch.Generator().manual_seed(0)

    def shares(temperature: float, top_p: float) -> list[float]:
        drawn = [sample(logits, temperature, top_p, generator) for _ in range(4000)]
        return [drawn.count(token) / 4000 for token in range(4)]

    assert shares(1.0, 1.0) == pytest.approx([0.1, 0.5, 0.15, 0.25], abs=0.03)
    assert shares(1.0, 0.7) == pytest.approx([0, 2 / 3, 0, 1 / 3], abs=0.03)
    assert shares(1.0, 0.8) == pytest.approx([0, 5 / 9, 1.5 / 9, 2.5 / 9], abs=0.03)
    assert shares(1.0, 0.0) == [0, 1, 0, 0]
    assert shares(0.0, 1.0) == [0, 1, 0, 0]
    squares = torch.tensor([0.01, 0.25, 0.0225, 0.0625])
    assert shares(0.5, 1.0) == pytest.approx((squares / squares.sum()).tolist(), abs=0.03)


def test_text_appears_as_soon_as_its_bytes_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a few plain words", "few words"] * 9), model_prefix=str(path), vocab_size=290,
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{path}.model")
    for prompt, text in [
        ("a few", " words"),
        ("", "plain 語 🙂\n\n  words"),
        ("語", "é"),
        ("few \ufffd", "a\ufffdb 語"),
    ]:
        ids = encode(processor, prompt)
        assert ids[0] == 1
        more = encode(processor, prompt + text)[len(ids) :]
        if encode(processor, prompt + text)[: len(ids)] != ids:
            continue
        pieces = list(decode(processor, ids, more))
        assert "".join(pieces) == text
        assert len(pieces) == len(more) + 1
    broken = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in "語".encode()[:2]]
    assert (
        "".join(decode(processor, encode(processor, "a"), [*broken, *encode(processor, "b")[1:]])) == "\ufffd\ufffd b"
    )
    assert list(decode(processor, encode(processor, "a"), broken)) == ["", "", "\ufffd\ufffd"]
