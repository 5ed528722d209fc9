"""tokenizer.json against SentencePiece: ids and text."""

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers
from tokenizers import Tokenizer
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from tests.tokenizer.conftest import trained
from tokenizer.fuzz import fuzz_texts
from tokenizer.huggingface import different_texts, write_tokenizer
from tokenizer.model import read_model

FILES = ["special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"]
TRAPS = [
    "",
    " ",
    "  two",
    "\u2581",
    "\n",
    "a<s>b</s><unk>",
    "<0x0A>",
    "a\0b",
    "\t\ttabs",
    "0123",
    "😀 中文 é",
    "trail  ",
]


@pytest.fixture(scope="module")
def folder(model_path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("huggingface"))
    write_tokenizer(model_path, path)
    return path


def test_the_files(folder: str, model_path: str) -> None:
    assert sorted(path.name for path in Path(folder).iterdir()) == FILES
    assert Path(folder, "tokenizer.model").read_bytes() == Path(model_path).read_bytes()


def test_twenty_thousand_texts(folder: str, model_path: str) -> None:
    texts = TRAPS + fuzz_texts(read_model(model_path), 20_000, seed=5)
    assert different_texts(folder, texts) == []


def test_real_text(folder: str, shared_data: Path) -> None:
    paths = [*sorted((shared_data / "gutenberg").rglob("*.txt")), *sorted((shared_data / "arxiv").rglob("*.tex"))]
    lines = [line for path in paths for line in path.read_text("utf-8", errors="replace").splitlines(keepends=True)]
    assert len(lines) > 20_000
    assert different_texts(folder, lines[::4]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"add_dummy_prefix": False},
        {"byte_fallback": False, "vocab_size": 60},
        {"bos_id": -1},
        {"bos_piece": "<bos>", "eos_piece": "<eos>"},
        {"split_by_whitespace": False},
    ],
)
def test_other_models(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "m.model").write_bytes(trained(**changes))
    write_tokenizer(str(tmp_path / "m.model"), str(tmp_path / "out"))
    texts = TRAPS + fuzz_texts(read_model(str(tmp_path / "m.model")), 2000, seed=6)
    assert different_texts(str(tmp_path / "out"), texts) == []
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    assert tokenizer("the thing")["input_ids"] == processor.encode("the thing", add_bos=processor.bos_id() >= 0)


def test_a_difference_is_seen(folder: str, tmp_path: Path) -> None:
    body = json.loads(Path(folder, "tokenizer.json").read_text("utf-8"))
    body["normalizer"] = body["normalizer"]["normalizers"][1]
    (tmp_path / "tokenizer.json").write_text(json.dumps(body), "utf-8")
    (tmp_path / "tokenizer.model").write_bytes(Path(folder, "tokenizer.model").read_bytes())
    assert different_texts(str(tmp_path), ["", "two"]) == ["two"]


@pytest.mark.parametrize("beside_a_model", [False, True])
def test_auto_tokenizer(folder: str, tmp_path: Path, beside_a_model: bool) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(Path(folder, name).read_bytes())
    if beside_a_model:  # transformers has a tokenizer of its own for this kind
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}), "utf-8")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
    texts = TRAPS + fuzz_texts(read_model(f"{folder}/tokenizer.model"), 1000, seed=7)
    encoded = tokenizer(texts)
    assert list(encoded) == ["input_ids", "attention_mask"]
    assert encoded["input_ids"] == processor.encode(texts, add_bos=True)
    assert tokenizer.batch_decode(encoded["input_ids"], skip_special_tokens=True) == processor.decode(
        processor.encode(texts)
    )
    assert len(tokenizer) == processor.vocab_size()
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (1, 2, 0)
    padded = tokenizer(["a", "a longer text"], padding=True)
    assert padded["input_ids"][0][0] == tokenizer.pad_token_id == 0
    assert padded["attention_mask"][0][0] == 0


def test_bos_comes_from_the_post_processor_alone(folder: str) -> None:
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    assert tokenizer.encode("<s>").tokens[:2] == ["<s>", "▁<"]
    assert tokenizer.encode("a", "b").ids.count(1) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "unigram"}, "it is not a BPE model"),
        ({"normalization_rule_name": "nmt_nfkc"}, "its normaliser rewrites characters"),
        ({"user_defined_symbols": ["<mask>"]}, "it has user-defined pieces"),
    ],
)
def test_models_without_an_exact_form(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    (tmp_path / "m.model").write_bytes(trained(**changes))
    with pytest.raises(UserError, match=f"no exact form as tokenizer.json: {reason}"):
        write_tokenizer(str(tmp_path / "m.model"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_command(model_path: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["tokenizer", "export", model_path, str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "0 of 20,000 made-up texts differ from SentencePiece" in done.output
