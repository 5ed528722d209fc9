from pathlib import Path

import pytest

from corpus.registry import rules
from corpus.rules import Dedup
from tests.corpus.filters_page import PAGE, RULES, page

ELSEWHERE = {"perplexity", "reference", "remove", "robots", "gutenberg", "latex", "license_header", "wikitext"}
"""Rules that need models, ids, an index, or one kind of source."""


def test_the_page_is_what_the_rules_do(shared_data: Path) -> None:
    pytest.importorskip("datatrove")
    assert PAGE.read_text(encoding="utf-8") == page(shared_data), "run `python -m tests.corpus.filters_page`"


def test_every_rule_for_text_is_on_the_page() -> None:
    ours = {named.name for named in rules() if named.type.__module__.startswith("corpus.")}
    assert set(RULES) == ours - ELSEWHERE - {named.name for named in rules() if issubclass(named.type, Dedup)}
