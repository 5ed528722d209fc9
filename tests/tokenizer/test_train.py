import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece

from corpus.errors import UserError
from corpus.protobuf import fields
from tokenizer.model import read_model
from tokenizer.train import MAX_LINE_BYTES, train

LINES = [f"the quick brown fox number {n} jumps over a lazy dog" for n in range(200)]


def test_the_same_lines_give_the_same_bytes(tmp_path: Path) -> None:
    reports = [train(LINES, str(tmp_path / str(n)), 320) for n in range(2)]
    assert reports[0] == reports[1]
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
    assert train([line.encode() for line in LINES], str(tmp_path / "2"), 320) == reports[0]
    assert train(["\n".join(LINES), ""], str(tmp_path / "3"), 320) == reports[0]
    assert (reports[0].lines, reports[0].bytes) == (200, sum(len(line) for line in LINES))
    # sentencepiece 0.2.0, 0.2.1, 0.2.2 and 0.2.3 all give these bytes.
    assert reports[0].sha256 == "71c7afad40bc46f7a06166049f152a9b426939cf85648f905dcde6edb2e6a9e2"
    assert read_model(str(tmp_path / "0")).sha256 == reports[0].sha256


def test_the_settings_of_the_released_model(model_path: str) -> None:
    """Field numbers: google/sentencepiece, src/sentencepiece_model.proto. Values: the released tokenizer.model."""
    model = read_model(model_path)
    assert model.pieces[:4] == ("<unk>", "<s>", "</s>", "<0x00>")
    assert model.pieces[13] == "<0x0A>"
    assert (model.bpe, model.identity, model.add_dummy_prefix, model.byte_fallback) == (True, True, True, True)
    assert not model.remove_extra_whitespaces
    trainer = dict(next(fields(value) for number, value in fields(model.data) if number == 2))  # type: ignore[arg-type]
    assert trainer[18] == 4192  # max_sentence_length
    assert trainer[20] == 16  # max_sentencepiece_length
    assert trainer[25] == 1  # split_digits
    assert trainer[26] == 1  # allow_whitespace_only_pieces


@pytest.mark.parametrize(
    "text",
    ["two  spaces", " lead", "trail ", "\t\ttabs\n\nlines\r\n", "0123456789", "😀 中文 é ß", "a\0b", "    def f():\n"],
)
def test_text_comes_back(model_path: str, text: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    assert processor.decode(processor.encode(text)) == text


def test_lines_left_out_are_counted(tmp_path: Path) -> None:
    long = "é" * (MAX_LINE_BYTES // 2) + "x"
    fits = "y" * MAX_LINE_BYTES
    report = train([*LINES, long, fits, "a \u2585 mark"], str(tmp_path / "m"), 320, max_skipped=0.5)
    assert (report.lines, report.skipped_lines) == (201, 2)
    assert report.skipped_bytes == len(long.encode()) + len("a \u2585 mark".encode())
    with pytest.raises(UserError, match="longer than 4,192 bytes"):
        train([*LINES, long], str(tmp_path / "none"), 320)
    with pytest.raises(UserError, match=r"100\.0% of the bytes"):
        train([long], str(tmp_path / "none"), 320)
    assert not (tmp_path / "none").exists()


def test_a_vocabulary_that_does_not_fit_the_text(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"too little text for a vocabulary of 32000 pieces.* vocab_size of at most \d+"
    ):
        train(LINES, str(tmp_path / "m"))
    with pytest.raises(UserError, match=r"too small for the characters .* more than \d+"):
        train(LINES, str(tmp_path / "m"), 260)
    with pytest.raises(UserError, match="no text to train"):
        train(["", ""], str(tmp_path / "m"), 300)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_caller_is_raised_as_it_is(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield LINES[0]
        raise UserError("the disk is gone")

    with pytest.raises(UserError, match="the disk is gone"):
        train(lines(), str(tmp_path / "m"), 320)


def test_other_threads_go_on_while_sentencepiece_trains(tmp_path: Path) -> None:
    """Such as the beat of `corpus.lock`: training takes hours on much text, and held the GIL up to 0.2.1."""
    ended, looks, looks_before = threading.Event(), 0, 0

    def look() -> None:
        nonlocal looks
        while not ended.wait(0.001):
            looks += 1

    def lines() -> Iterator[str]:
        nonlocal looks_before
        letters = random.Random(0)
        yield from (" ".join("".join(letters.choices("abcdefgh", k=6)) for _ in range(12)) for _ in range(20_000))
        looks_before = looks

    thread = threading.Thread(target=look)
    thread.start()
    train(lines(), str(tmp_path / "model"), 2000)
    looks_after = looks
    ended.set()
    thread.join()
    assert looks_after - looks_before >= 10
