"""FineWeb-2's recipe for each of its languages."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from corpus.errors import UserError
from corpus.recipe import fineweb2
from corpus.recipe.fineweb2 import BUNDLED, WITHOUT_SPACES, languages, recipe_for
from corpus.recipe.load import bundled, load

ODD = ("nob_Latn", "gil_Latn", "cmn_Hani", "tha_Thai", "aai_Latn")
"""Stop words that look like other things in YAML, scripts without spaces, thresholds that are off."""


def test_that_of_the_bundled_language_is_the_bundled_file() -> None:
    assert recipe_for(BUNDLED) == Path(bundled("fineweb2")).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", [*sorted(languages())[::150], *ODD])
def test_the_numbers_are_those_of_the_language(tmp_path: Path, language: str) -> None:
    row = languages()[language]
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_for(language), encoding="utf-8")
    recipe = load(str(path), variables={"DATA": "d", "LISTS": "l"}, needs_models=False)
    settings = {named.key: named.rule.model_dump() for named in recipe.sources[0].steps}
    assert settings["language"]["keep"] == (language,)
    assert abs(settings["language"]["threshold"] - float(row["language_score"])) <= 0.00501
    repetition, quality = settings["gopher_repetition"], settings["gopher_quality"]
    assert [float(text) for text in row["top_n_grams"].split()] == list(repetition["top_ngrams"])
    assert [float(text) for text in row["dup_n_grams"].split()] == list(repetition["duplicate_ngrams"])
    assert repetition["duplicate_lines"] == float(row["dup_line_frac"])
    assert quality["min_mean_word_length"] == float(row["min_avg_word_length"])
    assert quality["max_mean_word_length"] == float(row["max_avg_word_length"])
    assert quality["min_alpha_words"] == float(row["max_non_alpha_words_ratio"])
    assert list(quality["stop_words"]) == row["stopwords"].split("|")
    assert settings["fineweb_quality"]["min_punctuated_lines"] == max(0, float(row["line_punct_thr"]))
    assert settings["fineweb_quality"]["max_feeds_per_word"] == float(row["new_line_ratio"])


def test_stop_words_of_every_language_survive_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = languages()
    words = sorted({word for row in rows.values() for word in row["stopwords"].split("|")})
    assert {"no", "on", "y"} <= set(words)
    monkeypatch.setattr(fineweb2, "languages", lambda: {BUNDLED: {**rows[BUNDLED], "stopwords": "|".join(words)}})
    steps = YAML(typ="safe").load(recipe_for(BUNDLED))["sources"]["commoncrawl"]["steps"]
    (quality,) = (step["gopher_quality"] for step in steps if "gopher_quality" in step)
    assert quality["stop_words"] == words


def test_every_language_of_the_original_is_there() -> None:
    assert len(languages()) == 1929
    assert {name.partition("_")[2] for name in languages()} >= set(WITHOUT_SPACES)


def test_a_language_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="--language fr: FineWeb-2 has no numbers for it; known are fra_Latn, ") as told:
        recipe_for("fr")
    assert "\n" not in str(told.value)
