"""The bundled recipes: each loads, and what each does to 25 real pages of Common Crawl."""

import re
from collections import Counter
from pathlib import Path

import pytest

from corpus.recipe.load import Recipe, bundled, bundled_names, load
from corpus.schema import document_batch
from corpus.steps.chain import apply_chain
from tests.corpus.real_pages import wet_pages

WEB = ["c4", "dclm", "dolma", "dolma3", "fineweb", "fineweb2", "gopher", "refinedweb"]
FINEWEB = ("domains", "urls", "banned_words", "banned_subwords", "soft_banned_words")
GUESSED = "refinedweb_banned_words_{}_reverse_engineered.txt"
LISTS = {
    "alamocommunitycollege.org": ["domains", "domains_curated.txt", "refinedweb_banned_domains_curated.txt"],
    "www.biopix.com/naso-lituratus_photo-67116.aspx": ["urls"],
    "enzymes": ["hard", "banned_words.txt", "words_hard_reverse_engineered.txt", GUESSED.format("hard")],
    "healthpro": ["strict", "banned_subwords.txt", "words_strict_reverse_engineered.txt", GUESSED.format("strict")],
    "asthma\nevening": ["soft", "soft_banned_words.txt", "words_soft_reverse_engineered.txt", GUESSED.format("soft")],
    "nothing.example": [f"fineweb_url_filters/{name}.txt" for name in FINEWEB],
    "hell": ["en"],
}
"""Entries of lists, and the files that recipes name."""


@pytest.fixture
def recipes(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Recipe]:
    """Those of web pages, with short lists and the small model of languages."""
    lists = tmp_path / "lists"
    (lists / "fineweb_url_filters").mkdir(parents=True)
    for entries, names in LISTS.items():
        for name in names:
            (lists / name).write_text(entries + "\n")
    model = str(next(shared_data.glob("models-wordlists/**/lid.176.ftz")))
    monkeypatch.setattr("corpus.models.locate", lambda name: model)
    variables = {"DATA": str(tmp_path / "data"), "LISTS": str(lists)}
    return {name: load(bundled(name), variables=variables) for name in WEB}


@pytest.mark.parametrize("name", bundled_names())
def test_every_recipe_is_whole(name: str) -> None:
    variables = {"DATA": "data", "LISTS": "lists", "DEMO": "demo"}
    recipe = load(bundled(name), variables=variables, needs_models=False)
    assert recipe.output == ("demo/run" if name == "demo" else f"runs/{name}")
    text = Path(bundled(name)).read_text(encoding="utf-8")
    assert "$" not in "".join(entry.input for entry in recipe.sources)
    for variable in ("DATA", "LISTS"):
        assert (f"${variable}" in text) == (f"Set {variable}" in text), f"say what {variable} is"


def test_the_docs_name_every_recipe() -> None:
    page = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+)`\]\(\.\./corpus/recipes/\1\.yaml\)", page, re.MULTILINE)
    assert sorted([*listed, "demo"]) == bundled_names()


def dropped(recipe: Recipe, shared_data: Path) -> Counter[str]:
    """Why the rules of the web pages, but for dedups, drop what of them; and how many stay."""
    (entry, *_) = [entry for entry in recipe.sources if entry.name == "commoncrawl"]
    rules = [rule for rule in entry.steps if not rule.is_dedup]
    batch = document_batch(wet_pages(shared_data), "commoncrawl")
    reasons: Counter[str] = Counter()
    for applied in apply_chain(batch, None, rules):
        reasons.update(f"{applied.named.key}.{reason}" for reason in applied.reasons.drop_null().to_pylist())
    return reasons + Counter(kept=len(batch) - reasons.total())


EXPECTED: dict[str, dict[str, int]] = {
    "c4": {
        "c4_lines.too_few_sentences": 9,
        "kept": 16,
    },
    "dclm": {
        "gopher_repetition.duplicate_5gram": 1,
        "gopher_repetition.duplicate_line_chars": 1,
        "kept": 10,
        "language.language_unwanted": 1,
        "refinedweb_lines.lines_removed": 8,
        "url_blocklist.listed_domain": 1,
        "url_blocklist.listed_subword": 1,
        "url_blocklist.listed_word": 1,
        "url_blocklist.soft_words": 1,
    },
    "dolma": {
        "gopher_repetition.duplicate_5gram": 2,
        "kept": 20,
        "language.language_uncertain": 1,
        "language.language_unwanted": 1,
        "regex_lines.empty": 1,
    },
    "dolma3": {
        "gopher_quality.few_stop_words": 1,
        "gopher_repetition.duplicate_5gram": 1,
        "gopher_repetition.duplicate_line_chars": 1,
        "kept": 10,
        "refinedweb_lines.lines_removed": 8,
        "url_blocklist.listed_domain": 1,
        "url_blocklist.listed_subword": 1,
        "url_blocklist.listed_word": 1,
        "url_blocklist.soft_words": 1,
    },
    "fineweb": {
        "c4_lines.curly_brace": 1,
        "fineweb_quality.duplicate_chars": 5,
        "fineweb_quality.punctuated_lines": 6,
        "gopher_repetition.duplicate_5gram": 1,
        "gopher_repetition.duplicate_line_chars": 1,
        "kept": 5,
        "language.language_unwanted": 1,
        "url_blocklist.listed_domain": 1,
        "url_blocklist.listed_page": 1,
        "url_blocklist.listed_subword": 1,
        "url_blocklist.listed_word": 1,
        "url_blocklist.soft_words": 1,
    },
    "fineweb2": {
        "language.language_uncertain": 4,
        "language.language_unwanted": 16,
        "url_blocklist.listed_domain": 1,
        "url_blocklist.listed_page": 1,
        "url_blocklist.listed_subword": 1,
        "url_blocklist.listed_word": 1,
        "url_blocklist.soft_words": 1,
    },
    "gopher": {
        "gopher_quality.few_stop_words": 1,
        "gopher_repetition.duplicate_5gram": 1,
        "gopher_repetition.duplicate_line_chars": 1,
        "kept": 22,
    },
    "refinedweb": {
        "gopher_repetition.duplicate_5gram": 1,
        "gopher_repetition.duplicate_line_chars": 1,
        "kept": 10,
        "language.language_unwanted": 1,
        "refinedweb_lines.lines_removed": 7,
        "url_blocklist.listed_domain": 1,
        "url_blocklist.listed_page": 1,
        "url_blocklist.listed_subword": 1,
        "url_blocklist.listed_word": 1,
        "url_blocklist.soft_words": 1,
    },
}


def test_what_each_recipe_does_to_real_pages(recipes: dict[str, Recipe], shared_data: Path) -> None:
    assert {name: dict(dropped(recipe, shared_data)) for name, recipe in recipes.items()} == EXPECTED
