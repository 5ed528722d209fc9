"""FineWeb-2's recipe for a language: the bundled one with the numbers of another language and script."""

import csv
import io
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from corpus.errors import UserError, known
from corpus.recipe.load import bundled
from corpus.storage import open_read

BUNDLED = "deu_Latn"
"""The language of the bundled recipe."""
WITHOUT_SPACES = ("Hani", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt")
"""Scripts that put no spaces between words: the numbers are of the words of a tokenizer."""


def languages() -> dict[str, dict[str, str]]:
    """The rows of `corpus/recipes/fineweb2.tsv` by language and script, `fra_Latn`."""
    table = resources.files("corpus") / "recipes" / "fineweb2.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    return {row["language"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


def recipe_for(language: str) -> str:
    """The YAML of the recipe, comments included.

    Raises:
        UserError: FineWeb-2 has no numbers for it.
    """
    rows = languages()
    if language not in rows:
        near = [name for name in rows if name[:2] == language[:2]] or ["deu_Latn", "fra_Latn"]
        raise UserError(
            f"--language {language}: FineWeb-2 has no numbers for it; {known(language, near)} and "
            f"{len(rows) - len(near):,} others, a language of ISO 639-3 and its script"
        )
    row = rows[language]
    yaml = YAML(typ="rt")
    yaml.width, yaml.preserve_quotes = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    with open_read(bundled("fineweb2")) as file:
        body = yaml.load(file.read().decode("utf-8"))
    rules: dict[str, Any] = {}
    for step in body["sources"]["commoncrawl"]["steps"]:
        rules |= step if isinstance(step, dict) else {}
    rules["language"]["keep"][0] = language
    rules["language"]["threshold"] = round(float(row["language_score"]), 2)
    repetition, fineweb, gopher = (rules[name] for name in ("gopher_repetition", "fineweb_quality", "gopher_quality"))
    repetition["duplicate_lines"] = _number(row["dup_line_frac"])
    for field, column in (("top_ngrams", "top_n_grams"), ("duplicate_ngrams", "dup_n_grams")):
        repetition[field][:] = [_number(text) for text in row[column].split(" ")]
    fineweb["min_punctuated_lines"] = max(0, _number(row["line_punct_thr"]))  # -1 there: off
    fineweb["max_feeds_per_word"] = _number(row["new_line_ratio"])
    gopher["min_mean_word_length"] = _number(row["min_avg_word_length"])
    gopher["max_mean_word_length"] = _number(row["max_avg_word_length"])
    gopher["min_alpha_words"] = _number(row["max_non_alpha_words_ratio"])
    gopher["stop_words"][:] = row["stopwords"].split("|")
    out = io.StringIO()
    yaml.dump(body, out)
    return out.getvalue().replace(BUNDLED, language)


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() else value
