"""Export, import and generation, against transformers and against the release's own layout."""

import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from harness import MemoryTokens, records, small
from typer.testing import CliRunner
from wide import TEXT, VOCAB, WINDOW, wide_model

from corpus.cli import app
from corpus.errors import DamagedFile, UserError
from tokenizer.model import read_model
from trainer import generate
from trainer.convert import export, huggingface, meta, weights
from trainer.convert.export import import_weights
from trainer.convert.open import open_weights
from trainer.convert.weights import load_model
from trainer.parallel import processes
from trainer.train import train


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def exported(run: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory, request: Any) -> Path:
    output = tmp_path_factory.mktemp("exported") / "hf"
    export.export(str(run), str(output), "huggingface", request.param, tokenizer)
    return output


def prompts() -> torch.Tensor:
    return torch.randint(3, VOCAB, (4, 20), generator=torch.Generator().manual_seed(2))


# Hugging Face


def test_transformers_has_the_same_logits(exported: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    dtype = open_weights(exported).read("norm.weight").dtype
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype="auto")
    assert theirs.dtype == dtype
    ours = load_model(open_weights(exported), "cpu", torch.float32)
    tokens = torch.randint(0, VOCAB, (3, WINDOW), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected, found = ours(tokens), theirs.float()(tokens).logits
    assert expected.std() > 0.5
    assert (expected - found).abs().max() < 1e-5


def test_transformers_generates_the_same_tokens(exported: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported).float()
    ours = load_model(open_weights(exported), "cpu", torch.float32)
    for prompt in prompts():
        with torch.no_grad():
            whole = theirs.generate(prompt[None], max_new_tokens=40, do_sample=False, eos_token_id=None)[0]
        assert list(generate.generate(ours, prompt.tolist(), max_tokens=40, temperature=0)) == whole[20:].tolist()


def test_transformers_takes_the_same_tokens_in_bfloat16(exported: Path) -> None:
    """Wherever the choice is clear: both round, in other places (transformers rotates in bfloat16, we in float32)."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype=torch.bfloat16)
    ours = load_model(open_weights(exported), "cpu", torch.bfloat16)
    tokens = torch.randint(3, VOCAB, (8, WINDOW), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        exact = load_model(open_weights(exported), "cpu", torch.float32)(tokens)
        one, other = ours(tokens), theirs(tokens).logits
    best = exact.topk(2).values
    clear = best[..., 0] - best[..., 1] > 0.2
    assert clear.float().mean() > 0.5
    assert one.argmax(-1)[clear].equal(exact.argmax(-1)[clear])
    assert other.argmax(-1)[clear].equal(exact.argmax(-1)[clear])


def test_the_exported_tokenizer(exported: Path, tokenizer: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    processor = sentencepiece.SentencePieceProcessor(model_file=tokenizer)
    found = transformers.AutoTokenizer.from_pretrained(exported)(f"  {TEXT}").input_ids
    assert found == generate.encode(processor, f"  {TEXT}")


def test_the_configuration(exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text())
    assert (config["rope_theta"], config["max_position_embeddings"], config["vocab_size"]) == (10000.0, WINDOW, VOCAB)
    assert (config["bos_token_id"], config["eos_token_id"], config["tie_word_embeddings"]) == (1, 2, False)
    assert json.loads((exported / "generation_config.json").read_text())["eos_token_id"] == 2
    assert not list(exported.parent.glob(".tmp-*"))


def test_rows_of_a_head() -> None:
    weight = torch.arange(16)[:, None].expand(16, 16)
    halves = huggingface.to_halves(weight, heads=2)
    assert halves[:, 0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]
    assert huggingface.to_pairs(halves, heads=2).equal(weight)


def test_many_files(run: Path, tokenizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    monkeypatch.setattr(weights, "SHARD_BYTES", 100_000)
    output = tmp_path / "hf"
    export.export(str(run), str(output), "huggingface", "float32", tokenizer)
    index = json.loads((output / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in output.glob("*.safetensors"))
    assert len(files) > 4
    assert set(index["weight_map"].values()) == set(files)
    assert index["metadata"]["total_size"] == 4 * open_weights(run).parameters
    theirs = transformers.AutoModelForCausalLM.from_pretrained(output)
    tokens = prompts()
    with torch.no_grad():
        assert (wide_model()(tokens) - theirs(tokens).logits).abs().max() < 1e-5


# Meta's layout

ROWS = {"wq", "wk", "wv", "w1", "w3", "output"}
COLUMNS = {"wo", "w2", "tok_embeddings"}


def release(folder: Path, files: int) -> dict[str, torch.Tensor]:
    """`wide_model` as the release would cut it for so many model-parallel processes."""
    folder.mkdir(parents=True)
    whole = dict(wide_model().named_parameters())
    for rank in range(files):
        cut = {}
        for name, tensor in whole.items():
            kind = name.split(".")[-2]
            dim = 0 if kind in ROWS else 1 if kind in COLUMNS else None
            share = tensor if dim is None else tensor.chunk(files, dim)[rank]
            cut[name] = share.detach().half().clone()
        torch.save(cut | {"rope.freqs": torch.ones(8)}, folder / f"consolidated.{rank:02}.pth")
    shape = {"dim": 64, "multiple_of": 192, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-6, "vocab_size": -1}
    (folder / "params.json").write_text(json.dumps(shape))
    return whole


@pytest.mark.parametrize("files", [1, 2, 4])
def test_the_release_is_read_however_it_is_cut(tmp_path: Path, tokenizer: str, files: int) -> None:
    expected = release(tmp_path / "7B", files)
    shutil.copy(tokenizer, tmp_path / "tokenizer.model")
    found = open_weights(tmp_path / "7B")
    assert (found.settings.size, found.vocab_size, found.seq_len) == ("tiny", VOCAB, 2048)
    assert found.tokenizer == read_model(tokenizer).sha256
    for name, tensor in expected.items():
        assert found.read(name).equal(tensor.half()), name


def test_meta_and_back(run: Path, tokenizer: str, tmp_path: Path) -> None:
    export.export(str(run), str(tmp_path / "meta"), "meta", "float32", tokenizer)
    assert sorted(path.name for path in (tmp_path / "meta").iterdir()) == [
        "consolidated.00.pth", "params.json", "tokenizer.model",
    ]  # fmt: skip
    tensors = torch.load(tmp_path / "meta" / "consolidated.00.pth", weights_only=True)
    for name, tensor in wide_model().named_parameters():
        assert tensors[name].equal(tensor), name
    params = json.loads((tmp_path / "meta" / "params.json").read_text())
    assert params == {
        "dim": 64, "multiple_of": 256, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-6, "vocab_size": VOCAB,
    } | {"multiple_of": 192}  # fmt: skip
    again = import_weights(str(tmp_path / "meta"), str(tmp_path / "run"))
    export.compare(open_weights(run), again, torch.float32)


@pytest.mark.parametrize("size", ["7B", "13B", "33B", "65B"])
def test_params_of_the_release(run: Path, size: str) -> None:
    settings = small(model__size=size).model
    params = meta.params(weights.Weights(run, settings, 32000, 2048, None, None, lambda name: torch.empty(0)))
    assert params["multiple_of"] == 256
    assert weights.shapes(settings, 32000)["layers.0.feed_forward.w2.weight"] == (settings.dim, settings.ffn_hidden)


def test_a_width_that_params_cannot_say(run: Path) -> None:
    settings = small(model__ffn_hidden=128).model
    with pytest.raises(UserError, match=r"ffn_hidden is 128.*at least 170"):
        meta.params(weights.Weights(run, settings, VOCAB, WINDOW, None, None, lambda name: torch.empty(0)))


# Import


class Tokens(MemoryTokens):
    vocab_size = VOCAB


@pytest.mark.parametrize("layout", ["huggingface", "meta"])
def test_a_run_goes_on_from_imported_weights(run: Path, tokenizer: str, tmp_path: Path, layout: str) -> None:
    export.export(str(run), str(tmp_path / "out"), layout, "float32", tokenizer)
    output = tmp_path / "run"
    import_weights(str(tmp_path / "out"), str(output))
    tokens = Tokens()
    with processes("cpu") as device, pytest.raises(UserError, match="its weights know the tokenizer"):
        train(small(), tokens, output, device)
    tokens.tokenizer = read_model(tokenizer).sha256
    with processes("cpu") as device:
        train(small(run__steps=6), tokens, output, device)
    windows = torch.from_numpy(tokens.batch(0, 8).astype("int64"))
    with torch.no_grad():
        expected = wide_model()(windows[:, :-1], windows[:, 1:]) / 256
    assert records(output, "step")[0]["loss"] == pytest.approx(float(expected), abs=1e-5)
    assert records(output, "step")[0]["lr"] == pytest.approx(3e-3 / 4)  # the first step of the warm-up
    with pytest.raises(UserError, match="step-00000006 exists"):
        import_weights(str(tmp_path / "out"), str(output))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_key_value_heads": 2}, "num_key_value_heads is 2"),
        ({"rope_theta": 500000.0}, "rope_theta is 500000.0"),
        ({"rope_theta": None, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}, "rope_theta is 500000"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rope_scaling is 'llama3'"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings is True"),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"head_dim": 99}, "head_dim is 99"),
    ],
)
def test_another_architecture_is_refused(exported: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    shutil.copytree(exported, tmp_path / "hf")
    config = json.loads((tmp_path / "hf" / "config.json").read_text()) | change
    (tmp_path / "hf" / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(UserError, match=message):
        open_weights(tmp_path / "hf")


def test_the_configuration_that_transformers_writes(exported: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    transformers.AutoModelForCausalLM.from_pretrained(exported, dtype="auto").save_pretrained(tmp_path / "again")
    one, other = open_weights(exported), open_weights(tmp_path / "again")
    assert other.tokenizer is None
    export.compare(one, other, one.read("norm.weight").dtype)


# Mistakes


def another_tokenizer(path: Path) -> str:
    words = (f"{a}{b}{c}" for a in "bdfglmnp" for b in "aeiou" for c in "rstvwxz")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words)] * 3), model_prefix=str(path), vocab_size=VOCAB - 100,
        model_type="bpe", byte_fallback=True, minloglevel=2,
    )  # fmt: skip
    return f"{path}.model"


def test_another_tokenizer_is_refused(run: Path, exported: Path, tmp_path: Path) -> None:
    other = another_tokenizer(tmp_path / "other")
    with pytest.raises(UserError, match=r"other.model: the tokenizer \w{8}, but .* was trained with \w{8}"):
        export.export(str(run), str(tmp_path / "out"), "huggingface", "float32", other)
    with pytest.raises(UserError, match=r"no tokenizer\.model beside the weights"):
        export.export(str(run), str(tmp_path / "out"), "huggingface", "float32", None)
    shutil.copytree(exported, tmp_path / "hf")
    (tmp_path / "hf" / "tokenizer.model").unlink()
    with pytest.raises(UserError, match=r"412 pieces, but the model in .* has 512"):
        export.export(str(tmp_path / "hf"), str(tmp_path / "out"), "meta", "float32", other)
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_left_alone(run: Path, tokenizer: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UserError, match="exists and is not empty"):
        export.export(str(run), str(tmp_path / "out"), "huggingface", "float32", tokenizer)


@pytest.mark.parametrize("layout", ["huggingface", "meta"])
def test_a_full_disk_leaves_nothing(run: Path, tokenizer: str, tmp_path: Path, layout: str) -> None:
    """No file may be longer than any of the tensors, which Meta's layout writes one by one at first."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot be written"):
            export.export(str(run), str(tmp_path / "out"), layout, "float32", tokenizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


def test_no_code_of_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    release(tmp_path / "7B", 1)
    torch.save({"output.weight": Code()}, tmp_path / "7B" / "consolidated.00.pth")
    with pytest.raises(DamagedFile, match=r"consolidated\.00\.pth: not a file of tensors"):
        open_weights(tmp_path / "7B")
    assert not Path("ran").exists()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_damaged_checkpoint_is_not_exported(
    run: Path, tokenizer: str, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(run, tmp_path / "run")
    (shard,) = tmp_path.glob("run/checkpoints/*/*.safetensors")
    damage(shard)
    with pytest.raises(DamagedFile, match="step-00000007"):
        export.export(str(tmp_path / "run"), str(tmp_path / "out"), "huggingface", "float32", tokenizer)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_with_a_file_missing(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (shard,) = tmp_path.glob("run/checkpoints/*/*.safetensors")
    shard.unlink()
    with pytest.raises(DamagedFile, match="0 of its 32768 numbers"):
        open_weights(tmp_path / "run").read("output.weight")


def test_a_tensor_that_was_not_written_right(run: Path, exported: Path) -> None:
    one = open_weights(exported)
    name = "layers.1.attention.wk.weight"
    turned = weights.Weights(
        one.folder, one.settings, VOCAB, WINDOW, None, None,
        lambda n: huggingface.to_halves(one.fetch(n), 4) if n == name else one.fetch(n),
    )  # fmt: skip
    with pytest.raises(DamagedFile, match=name):
        export.compare(open_weights(run), turned, one.read("norm.weight").dtype)


# The commands


def test_the_commands(run: Path, tokenizer: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    shell = CliRunner()
    done = shell.invoke(app, ["export", "model", str(run), str(tmp_path / "hf"), "--tokenizer", tokenizer])
    assert done.exit_code == 0, done.output
    assert "parameters of" in done.output
    assert "largest difference" in done.output
    done = shell.invoke(app, ["import", str(tmp_path / "hf"), str(tmp_path / "again")])
    assert "model.size=tiny" in done.output
    text = []
    for place, options in ((tmp_path / "hf", []), (tmp_path / "again", ["--tokenizer", tokenizer])):
        words = ["generate", str(place), "the quick", "--max-tokens", "20", "--seed", "3", "--device", "cpu"]
        done = shell.invoke(app, words + options)
        assert done.exit_code == 0, done.output
        text.append(done.output)
    assert text[0].startswith("the quick")
    assert text[0] == text[1]
