"""The command that compiles every kernel ahead of its first use."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from corpus import compiling

if TYPE_CHECKING:
    import pyarrow as pa

    from corpus.rules import Dedup


def warm_up() -> None:
    """Compile every kernel for this kind of processor, so that no later command waits for it.

    They are kept beside the installed package, where all users find them, or in $NUMBA_CACHE_DIR: run it once while an
    image is built.

    Example: `corpus warm-up`
    """
    from numba.core import event

    from corpus.registry import rules

    begun = time.monotonic()
    compiling.ask(lambda: None)  # whoever warms up knows
    with event.install_recorder("numba:compile") as recorder:
        use_kernels(named.name for named in rules())
    compiled = [started.data["dispatcher"] for _, started in recorder.buffer if started.is_start]
    ours = [kernel for kernel in compiled if not kernel.__module__.startswith("numba.")]
    if ours:
        print(f"{len(ours)} kernels compiled in {time.monotonic() - begun:.0f} s")
    else:
        print("nothing to do: every kernel is compiled")


def use_kernels(rules: Iterable[str]) -> None:
    """Calls every kernel of the tokenizer, and of the rules of these names, on a few documents.

    Rules that need a setting or a model are left out: their kernels are called below (a test would see one missing).
    """
    from corpus.dedup.lines import Lines
    from corpus.dedup.winnowing import Units
    from corpus.errors import UserError
    from corpus.recipe.load import parse_rules
    from corpus.schema import Document, Origin, document_batch
    from corpus.text.buffers import text_buffers
    from corpus.text.html_blocks import html_text
    from corpus.text.normalize import normalize_lines

    # A text, its copy, and one with other lines: enough words for `overlap`, and something to find for every dedup.
    lines = [f"Line {n} of {n * n} says: word{n} follows word{n - 1}." for n in range(500)]
    text, edited = "\n".join(lines), "\n".join(lines[:470] + lines[:1])
    texts = enumerate((text, text, edited))
    batch = document_batch([Document(f"warm-up:{n}", each, Origin("file")) for n, each in texts], "warm-up")
    for name in rules:
        try:
            (named,) = parse_rules([name])
        except UserError:
            continue
        if named.is_cleaner:
            named.cleaner.clean(batch)
        elif named.is_filter:
            named.filter.score(batch)
        else:
            _dedup(named.dedup, batch)
    _dedup(Lines(keep="first", normalize="none"), batch)
    # No rule with its own settings, or without a model, calls these.
    normalize_lines(batch.column("text"))
    html_text(text)
    Units.of(*text_buffers(batch.column("text")), "characters")
    _classify(batch)
    _score(batch.column("text"))
    _read_pages()
    _look_up(batch)
    _tokenize(batch.column("text"))


def _dedup(rule: "Dedup", batch: "pa.RecordBatch") -> None:
    import pyarrow as pa

    from corpus.rules import Memory, PartRef, Reread

    blocks = list(rule.sign(PartRef(0), iter([batch]), 1))
    for step in rule.rounds():
        given = [block for _, block in blocks]
        if isinstance(step, Reread):
            blocks = list(step.answer(PartRef(0), iter([batch]), given, 1))
        else:
            blocks = list(step.decide(given, 1))
    decisions = pa.Table.from_batches([block for _, block in blocks])
    rule.apply(batch, 0, decisions)
    if isinstance(memory := rule.memory(), Memory):
        list(memory.sign(PartRef(0, kept=True), memory.keep(PartRef(0), iter([batch]), decisions), 1))


def _classify(batch: "pa.RecordBatch") -> None:
    """With a model trained on a few words."""
    import tempfile

    from corpus.filters.fasttext_train import train_classifier
    from corpus.filters.language import Language
    from corpus.filters.reference import Reference

    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model.bin"
        train_classifier(
            [(label, f"{label} {n}") for n in range(100) for label in ("yes", "no")],
            model,
            dim=4,
            epoch=20,
            lr=1,
            bucket=0,
        )
        Language(model=model).score(batch)
        Reference(model=model, label="yes").score(batch)


def _score(texts: "pa.Array") -> None:
    """With pieces trained on the texts, and a KenLM model that knows no word."""
    import struct
    import tempfile
    from pathlib import Path

    import sentencepiece

    from corpus.filters.kenlm_probing import HEADER, SANITY
    from corpus.filters.perplexity_model import LanguageModel

    with tempfile.TemporaryDirectory() as folder:
        lm, pieces = Path(folder, "lm"), f"{folder}/pieces"
        lm.write_bytes(HEADER.pack(*SANITY, 2, 1.5, 0, False, 0) + struct.pack("<QQ", 1, 0) + bytes(64))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts[0].as_py().split("\n")),
            model_prefix=pieces,
            vocab_size=100,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        list(LanguageModel(str(lm), f"{pieces}.model").perplexities(texts))


def _read_pages() -> None:
    """Of Common Crawl: a page, and a record of WET."""
    import numpy as np

    from corpus.sources import wet
    from corpus.text.web.extractors import main_text

    main_text("<title>Page</title><ul class=menu><li>a<li>b</ul><p>A text &amp; more.</p>")
    record = (
        b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: 2019-07-16T01:02:03Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        b"WARC-Target-URI: http://example.org/\r\nContent-Length: 4\r\n\r\ntext\r\n\r\n"
    )
    room, place = np.frombuffer(record, np.uint8), np.zeros(1, np.int64)
    wet.plain_batch(room, wet.scan(room, np.array([0, len(record)])), place, place, place, "file", "snapshot", "web")


def _look_up(batch: "pa.RecordBatch") -> None:
    """URLs and test items, in files of one."""
    import tempfile

    from corpus.filters.decontaminate import Decontaminate
    from corpus.filters.url_blocklist import UrlBlocklist

    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write('{"text": "example.org"}')
        file.flush()
        UrlBlocklist(domains=(file.name,)).score(batch)
        Decontaminate(items=(file.name,), min_words=1).score(batch)


def _tokenize(texts: "pa.Array") -> None:
    """Encodes with a model trained on the texts, and orders sequences.

    A vocabulary of more than 65,536 pieces, whose tokens have four bytes, is left out: rare, and another 3 seconds.
    """
    import tempfile
    from fractions import Fraction

    import numpy as np

    from tokenizer.encode import Encoder
    from tokenizer.mixture import Schedule
    from tokenizer.order import invert, permute, round_keys
    from tokenizer.train import train

    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/tokenizer.model"
        train((line for text in texts.to_pylist() for line in text.split("\n")), model, vocab_size=300)
        Encoder(model).encode_batch(texts, bos=True, eos=True)
    keys = round_keys(0, "warm-up", 0)
    invert(permute(np.arange(10), 10, keys), 10, keys)
    Schedule((Fraction(1, 3), Fraction(2, 3)))
