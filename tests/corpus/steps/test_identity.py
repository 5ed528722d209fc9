"""Digests: equal ones for equal results, others for whatever changes a result."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest

from corpus.dataset import StepFolder
from corpus.filters.language import Language
from corpus.filters.length import Length
from corpus.filters.perplexity import LanguageModel, Perplexity
from corpus.recipe.load import parse_rules
from corpus.recipe.sections import TokenizerSection
from corpus.rules import Filter, Rule
from corpus.sources.books import Books
from corpus.sources.raw import Piece, RawFile, Split
from corpus.steps.identity import (
    Step,
    extract_digest,
    folder_name,
    named_source,
    score_keys,
    step_digest,
    steps_of,
    token_digest,
    tokenizer_digest,
)
from corpus.steps.rule import NamedRule
from corpus.storage import write_json
from corpus.thresholds import AtLeast


class ReadsAll(Filter):
    """Does not say what it reads."""

    model: str = "a"
    least: Annotated[int, AtLeast("score")] = 0

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        raise NotImplementedError


class Licence(ReadsAll):
    """Reads the language, and writes the licence."""

    reads: ClassVar[tuple[str, ...]] = ("text", "language")
    other_scores: ClassVar[tuple[str, ...]] = ("license",)


class ReadsLicence(ReadsAll):
    reads: ClassVar[tuple[str, ...]] = ("license",)


class ReadsText(ReadsAll):
    reads: ClassVar[tuple[str, ...]] = ("text",)


def named(*rules: Rule) -> tuple[NamedRule, ...]:
    return tuple(NamedRule(type(rule).__name__.lower(), rule) for rule in rules)


def folder(path: Path, **body: Any) -> StepFolder:
    made = StepFolder(str(path))
    write_json(made.manifest_path, {"digest": "d", "input": "raw", "versions": {}, **body})
    return made


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    paths = [tmp_path / name for name in ("one.bin", "two.bin")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return [str(path) for path in paths]


# Steps


def test_a_dedup_begins_a_step_and_what_follows_it_is_fused() -> None:
    steps = steps_of(parse_rules(["length", "gutenberg", "exact", "near", "code", "length"]))
    assert [(step.number, step.name) for step in steps] == [
        (20, "length+gutenberg"),
        (30, "exact"),
        (40, "near+code+length-2"),
    ]
    assert [step.dedup.key if step.dedup else None for step in steps] == [None, "exact", "near"]
    assert [rule.key for rule in steps[2].chain] == ["near", "code", "length-2"]
    assert steps_of([]) == []
    across = steps_of(parse_rules(["length", "near", "gutenberg", "exact"]), 90, between=1)
    assert [(step.number, step.name) for step in across] == [(90, "length"), (91, "near+gutenberg"), (92, "exact")]


def test_a_step_is_cut_behind_a_rule() -> None:
    (step,) = steps_of(parse_rules(["near", "code", "length"]))
    assert step.until("code") == Step(20, step.dedup, step.rules[:1])
    assert step.until("near") == Step(20, step.dedup, ())
    assert step.until("length") == step
    assert folder_name(20, step.name, "0123456789") == "20-near+code+length-01234567"


def test_a_step_has_the_digest_of_its_rules_and_inputs(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two", digest="e")
    step = Step(20, None, parse_rules(["length", "gutenberg"]))
    digest = step_digest(step, [one])
    assert step_digest(Step(30, None, parse_rules(["length: {min_chars: 300}", "gutenberg"])), [one]) == digest
    assert step_digest(step, [folder(tmp_path / "moved", input="elsewhere", versions={"corpus": "9"})]) == digest
    others = [
        (["length: {min_chars: 301}", "gutenberg"], [one]),
        (["gutenberg", "length"], [one]),
        (["length"], [one]),
        (["length", "gutenberg"], [two]),
        (["length", "gutenberg"], [one, two]),
        (["length", "gutenberg"], [two, one]),
    ]
    digests = {step_digest(Step(20, None, parse_rules(rules)), inputs) for rules, inputs in others}
    assert len(digests - {digest}) == len(others)


# Scores


def keys(source: StepFolder, *rules: Rule, dedup: str | None = None) -> dict[str, str]:
    return score_keys(Step(20, parse_rules([dedup])[0] if dedup else None, named(*rules)), source)


def test_thresholds_change_no_scores(tmp_path: Path) -> None:
    source = folder(tmp_path / "in")
    before = keys(source, Length(min_chars=1), ReadsAll(model="a", least=1))
    assert keys(source, Length(min_chars=2, max_chars=9), ReadsAll(model="a", least=2)) == before
    assert keys(source, Length(min_chars=1), ReadsAll(model="b", least=1)) == before | {
        "readsall": keys(source, ReadsAll(model="b"))["readsall"]
    }


def test_what_the_documents_were_before_changes_scores(tmp_path: Path) -> None:
    source = folder(tmp_path / "in")
    (alone,) = keys(source, Length()).values()
    others = [
        keys(folder(tmp_path / "other", digest="e"), Length()),
        keys(source, Length(), dedup="exact"),
        keys(source, Length(), dedup="near"),
        keys(source, parse_rules(["gutenberg"])[0].rule, Length()),
        keys(source, parse_rules(["c4_lines"])[0].rule, Length()),
        keys(source, parse_rules(["c4_lines: {min_words: 4}"])[0].rule, Length()),
    ]
    assert len({alone, *(some["length"] for some in others)}) == len(others) + 1
    # What stands behind it does not.
    assert keys(source, Length(), parse_rules(["gutenberg"])[0].rule)["length"] == alone


def test_another_language_model_scores_again_what_reads_the_language_and_nothing_else(
    tmp_path: Path, models: list[str]
) -> None:
    source = folder(tmp_path / "in")
    english = {"en": LanguageModel(lm=models[0], sentencepiece=models[0])}

    def of(model: str, **language: Any) -> dict[str, str]:
        rules = [Language(model=model, **language), Perplexity(models=english), ReadsAll(), Length(), ReadsText()]
        return keys(source, *rules)

    before, after = of(models[0]), of(models[1])
    assert {key for key in before if before[key] != after[key]} == {"language", "perplexity", "readsall"}
    # Another threshold of it drops other documents, and changes the score of none.
    assert of(models[0], keep=("de",), threshold=0.9) == before
    assert of(models[0], max_chars=10)["perplexity"] != before["perplexity"]
    # Text alone needs no filter before it.
    assert keys(source, Length(), ReadsText()).items() <= before.items()


def test_what_reads_the_work_of_a_filter_that_reads_the_language_is_scored_again_too(
    tmp_path: Path, models: list[str]
) -> None:
    source = folder(tmp_path / "in")
    before, after = (keys(source, Language(model=model), Licence(), ReadsLicence()) for model in models)
    assert {key for key in before if before[key] != after[key]} == {"language", "licence", "readslicence"}


def test_the_file_under_a_models_name_is_what_counts(tmp_path: Path, models: list[str]) -> None:
    source = folder(tmp_path / "in")
    before = keys(source, Language(model=models[0]))
    Path(models[0]).write_bytes(b"another")
    assert keys(source, Language(model=models[0])) != before


# Extract


FILES = [RawFile("a.txt", 10, "one"), RawFile("b.txt", 20, "two")]
SPLITS = [Split((Piece("a.txt"), Piece("b.txt")))]


def test_what_decides_an_extract_step() -> None:
    def digest(name: str = "books", type: str = "books", **changes: Any) -> str:
        given = {"source": Books(), "files": FILES, "splits": SPLITS, **changes}
        return extract_digest(name, type, given["source"], given["files"], given["splits"])

    class Mine(Books):
        """Not one of ours."""

    others = [
        digest("novels"),
        digest("novels", "novels"),
        digest(source=Books(collection="mine")),
        digest(source=Mine()),
        digest(files=[RawFile("a.txt", 10, "one"), RawFile("b.txt", 20, "three")]),
        digest(files=FILES[:1]),
        digest(splits=[Split((Piece("a.txt"),)), Split((Piece("b.txt"),))]),
    ]
    assert len({digest(), *others}) == len(others) + 1
    assert digest() == digest(source=Books(collection="gutenberg"))


def test_a_source_says_its_type_where_its_name_is_another() -> None:
    assert named_source("books", "books") == {"source": "books"}
    assert named_source("novels", "books") == {"source": "novels", "type": "books"}


# Tokens


def test_what_decides_a_tokenizer_and_tokens(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two", digest="e")
    section, shares = TokenizerSection(), {"c4": 0.75, "books": 0.25}

    def of_model(section: TokenizerSection = section, shares: dict[str, float] = shares, c4: StepFolder = one) -> str:
        return tokenizer_digest(section, shares, {"c4": c4, "books": two, "more": two})

    def of_tokens(section: TokenizerSection = section, documents: StepFolder = one, sha256: str = "ab" * 32) -> str:
        return token_digest(documents, sha256, section)

    def changed(**changes: Any) -> TokenizerSection:
        return section.model_copy(update=changes)

    assert of_model(shares=dict(reversed(shares.items()))) == of_model()
    same_model = [changed(bos=False), changed(eos=False), changed(max_skipped=0.5)]
    other_model = [changed(vocab_size=400), changed(sample_bytes=9), changed(held_out=9)]
    assert {of_model(some) for some in same_model} == {of_model()}
    assert of_model() not in {*map(of_model, other_model), of_model(shares={"c4": 1.0}), of_model(c4=two)}
    assert {of_tokens(changed(vocab_size=400)), of_tokens(changed(max_skipped=0.5))} == {of_tokens()}
    other_tokens = [changed(bos=False), changed(eos=False), changed(held_out=9)]
    assert len({of_tokens(), *map(of_tokens, other_tokens), of_tokens(documents=two), of_tokens(sha256="")}) == 6
