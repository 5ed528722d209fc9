"""Every mistake in a recipe is one line with its place and what to do, and all are told at once."""

from pathlib import Path

import fsspec
import pytest
from pydantic import BaseModel

from corpus.errors import UserError, UserErrors
from corpus.llama import TABLE_1
from corpus.recipe.load import bundled, load, parse_rules, source_entry
from corpus.sources.books import Books
from corpus.sources.wikipedia import Wikipedia

GOOD = """\
format: 1
output: run
sources:
  commoncrawl:
    input: raw
    steps:
      - lines: {min_chars: 10}
      - length: {min_chars: 20}
      - exact
  books:
    input: raw
    steps: []
across:
  - near
tokenizer: {vocab_size: 500}
mixture:
  shares: {commoncrawl: 0.9, books: 0.1}
  sequence_length: 64
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_recipe_is_typed(tmp_path: Path) -> None:
    recipe = load(write(tmp_path, GOOD))
    assert [entry.name for entry in recipe.sources] == ["commoncrawl", "books"]
    assert [rule.key for rule in recipe.sources[0].steps] == ["lines", "length", "exact"]
    assert recipe.sources[0].steps[1].rule.min_chars == 20  # type: ignore[attr-defined]
    assert recipe.mixture is not None
    assert recipe.mixture.shares == {"commoncrawl": 0.9, "books": 0.1}


MISTAKES = {
    "unknown top key": ("output: run", "output: run\nextra: 1", 3, "unknown key extra; known are"),
    "unknown source": ("  books:", "  bookz:", 10, "unknown source bookz; known are books, "),
    "unknown key of a rule": ("{min_chars: 20}", "{min_charz: 20}", 8, "unknown key min_charz; known are"),
    "unknown key of a source": ("    steps: []", "    stepz: []", 12, "unknown key stepz"),
    "wrong type": ("{min_chars: 20}", "{min_chars: many}", 8, "min_chars: input should be a valid integer"),
    "unknown rule": ("- exact", "- exakt", 9, "unknown rule exakt; known are exact, "),
    "missing input": ("    input: raw\n    steps: []", "    steps: []", 10, "the key input is missing"),
    "two keys in a step": ("- exact", "- {exact: {}, near: {}}", 9, "a step is a map with one key"),
    "unknown type": ("    steps: []", "    type: bookz", 12, "unknown source bookz; known are books, "),
    "a type that is no text": ("    steps: []", "    type: [books]", 12, "unknown source ['books']; known are"),
    "the name of a folder": ("  books:", "  tokens:", 10, "a source cannot be named tokens: its name is that of a fol"),
    "a name with a slash": ("  books:", "  my/books:", 10, "a source cannot be named my/books"),
    "a module that is not there": ("- exact", "- nowhere.rules:Loud", 9, "there is no module nowhere: install its"),
    "a class that is no rule": ("- exact", "- fractions:Fraction", 9, "fractions:Fraction is no rule: derive its"),
    "a class that is no source": ("    steps: []", "    type: fractions:Fraction", 12, "Fraction is no source: derive"),
    "a source that is no map": (
        "    input: raw\n    steps: []",
        "    [raw]",
        10,
        "a source is a map with at least the",
    ),
    "mixture without the source": ("books: 0.1}", "wikipedia: 0.1}", 17, "the mixture names the source wikipedia"),
    "shares that are not one": ("books: 0.1}", "books: 0.2}", 17, "the shares add up to 1.1 and must add up to 1"),
    "a negative share": ("books: 0.1}", "books: -0.1}", 17, "the share of books is -0.1"),
    "a share that is no number": ("books: 0.1}", "books: most}", 17, "a share is no number"),
    "epochs without end": ("books: 0.1}", "books: 0.1}\n  max_epochs: .inf", 18, "should be a finite number"),
    "a map for a list": ("    steps: []", "    include: x", 12, "include: input should be a valid list, found 'x'"),
    "a validator's words": ("  - near", "  - near: {bands: 3}", 14, "near: set both of `bands` and `rows`"),
    "an unset variable": ("output: run", "output: ${NO_SUCH}/run", 2, "output: $NO_SUCH is not set"),
    "a folder without a share": ("books: 0.1}", "books: 0.1}\n  folders: {old: x}", 18, "old has no share"),
    "a folder for a source": ("books: 0.1}", "books: 0.1}\n  folders: {books: x}", 18, "books is in `sources` too"),
    "another format": ("format: 1", "format: 2", 1, "format: input should be 1, found 2"),
    "not YAML": ("across:", "across: [", 14, "not valid YAML"),
    "a control character": ("output: run", "output: r\x01n", 1, "not valid YAML: unacceptable character #x0001"),
    "a number for settings": ("{min_chars: 20}", "20", 8, "the settings of length are a map, found 20"),
    "a list for settings": ("{min_chars: 20}", "[a]", 8, "the settings of length are a map"),
    "missing model file": ("- exact", "- language: {model: /nowhere/lid.ftz}", 9, "/nowhere/lid.ftz"),
    "optional": ("- exact", "- exact: {optional: maybe}", 9, "optional is true or false"),
}


FOLLOWING = {
    "unknown source": "17: the mixture names the source books, which `sources` does not have",
    "the name of a folder": "17: the mixture names the source books, which `sources` does not have",
    "a name with a slash": "17: the mixture names the source books, which `sources` does not have",
    "a negative share": "17: the shares add up to 0.8 and must add up to 1: correct them",
}
"""What else is wrong with the recipe then."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_its_line_number(tmp_path: Path, name: str) -> None:
    old, new, line, message = MISTAKES[name]
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        load(path)
    first, *following = str(caught.value).split("\n")
    assert first.startswith(f"{path}:{line}: "), caught.value
    assert message in first
    assert following == ([f"{path}:{FOLLOWING[name]}"] if name in FOLLOWING else [])


def test_all_mistakes_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    broken = GOOD
    for name in ("unknown key of a rule", "unknown rule", "unknown key of a source", "a share that is no number"):
        old, new, _, _ = MISTAKES[name]
        broken = broken.replace(old, new)
    path = write(tmp_path, broken)
    with pytest.raises(UserErrors) as caught:
        load(path)
    found = [line.removeprefix(f"{path}:").partition(";")[0] for line in str(caught.value).split("\n")]
    assert [line.partition("(")[0] for line in found] == [
        "8: unknown key min_charz",
        "9: unknown rule exakt",
        "12: unknown key stepz",
        "17: a share is no number ",
    ]


def test_every_missing_file_of_a_rule_is_told(tmp_path: Path) -> None:
    lists = "- url_blocklist: {domains: [/nowhere/a, /nowhere/b], words: [$NO_SUCH/c]}"
    path = write(tmp_path, GOOD.replace("- exact", lists))
    with pytest.raises(UserErrors) as caught:
        load(path)
    assert str(caught.value).split("\n") == [
        f"{path}:9: there is no word list $NO_SUCH/c: $NO_SUCH is not set in the environment",
        f"{path}:9: there is no word list /nowhere/a: give the path of a file",
        f"{path}:9: there is no word list /nowhere/b: give the path of a file",
    ]


ORDERS = {
    "lines after a filter": "[length, lines]",
    "a cleaner after a filter": "[length, gutenberg]",
    "a filter after a dedup": "[exact, length, near]",
    "twice": "[length, gutenberg, length]",
}


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
def test_rules_may_stand_in_any_order(tmp_path: Path, steps: str) -> None:
    across = steps.replace("length", "code")
    text = GOOD.replace("    steps: []", f"    steps: {steps}").replace("across:\n  - near", f"across: {across}")
    recipe = load(write(tmp_path, text))
    for found, given in ((recipe.sources[1].steps, steps), (recipe.across, across)):
        assert [rule.name for rule in found] == given.strip("[]").split(", ")
        assert len({rule.key for rule in found}) == len(found)


def test_a_source_has_a_name_of_its_own_and_a_type(tmp_path: Path) -> None:
    more = "  german:\n    type: wikipedia\n    input: raw\n    languages: [de]\n"
    more += "  mine:\n    type: corpus.sources.books:Books\n    input: raw\n"
    recipe = load(write(tmp_path, GOOD.replace("across:", f"{more}across:")))
    entries = {entry.name: entry for entry in recipe.sources}
    assert list(entries) == ["commoncrawl", "books", "german", "mine"]
    assert [entry.type for entry in entries.values()] == [
        "commoncrawl",
        "books",
        "wikipedia",
        "corpus.sources.books:Books",
    ]
    assert entries["german"].source == Wikipedia(languages=("de",))
    assert entries["mine"].source == entries["books"].source == Books()
    with pytest.raises(
        UserError, match=r":9: unknown source poems; .*; a source with a name of its own has a `type`\n"
    ):
        load(write(tmp_path, GOOD.replace("  books:", "  poems:").replace("      - exact\n", "")))


def test_sections_of_other_packages_are_checked_with_the_rest(tmp_path: Path) -> None:
    class Training(BaseModel):
        steps: int

    path = write(tmp_path, GOOD.replace("- exact", "- exakt") + "training: {steps: many}\n")
    with pytest.raises(UserErrors) as caught:
        load(path, sections={"training": Training})
    first, second = str(caught.value).split("\n")
    assert "unknown rule exakt" in first
    assert (
        second
        == f"{path}:19: steps: input should be a valid integer, unable to parse string as an integer, found 'many'"
    )
    recipe = load(write(tmp_path, GOOD + "training: {steps: 3}\n"))
    assert recipe.section("training", Training) == Training(steps=3)
    assert load(write(tmp_path, GOOD)).section("training", Training) is None


def test_a_source_from_the_command_line() -> None:
    entry = source_entry("wikipedia", "raw/dumps", "{languages: [de], split_bytes: 5000}")
    assert (entry.name, entry.type, entry.input, entry.split_bytes) == ("wikipedia", "wikipedia", "raw/dumps", 5000)
    assert entry.source == Wikipedia(languages=("de",))
    entry = source_entry("corpus.sources.stackexchange:StackExchange", "raw", "{}")
    assert (entry.name, entry.type) == ("stack_exchange", "corpus.sources.stackexchange:StackExchange")
    for name, settings, message in [
        ("poems", "{}", r"--setting:1: unknown source poems; known are"),
        ("books", "{colection: a}", r"--setting:1: unknown key colection; known are collection, "),
        ("books", "[a]", r"--setting '\[a\]' is not a map: write it as '\{key: value\}'"),
        ("books", "{a", r"--setting '\{a' is not valid YAML: "),
    ]:
        with pytest.raises(UserError, match=message):
            source_entry(name, "raw", settings)


FOLDERS = """\
format: 1
output: run
mixture:
  shares: {old: 1}
  folders: {old: $DATA/tokens}
"""


def test_a_recipe_of_token_folders_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "/data")
    recipe = load(write(tmp_path, FOLDERS))
    assert recipe.mixture is not None
    assert (recipe.sources, recipe.mixture.folders) == ((), {"old": "/data/tokens"})
    for text, message in [
        (
            FOLDERS.replace("  folders: {old: $DATA/tokens}\n", ""),
            r"yaml:1: sources: name at least one, or token folde",
        ),
        ("format: 1\noutput: run\nsources: {}\n", r"yaml:3: sources: name at least one, or token folders"),
        (FOLDERS + "across: [near]\n", r"yaml:6: across: there are no sources that it is for: leave it out"),
        (FOLDERS + "tokenizer: {vocab_size: 400}\n", r"yaml:6: tokenizer: there are no sources"),
    ]:
        with pytest.raises(UserError, match=message):
            load(write(tmp_path, text))


def test_overrides_replace_output_and_inputs(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe = load(path, {"output": "elsewhere", "input.books": "/data/books"})
    assert recipe.output == "elsewhere"
    assert recipe.sources[1].input == "/data/books"
    with pytest.raises(UserError, match=r"cannot set input\.wikipedia"):
        load(path, {"input.wikipedia": "x"})
    for sources in ("{books: raw}", "[books]", ""):
        broken = write(tmp_path, f"format: 1\noutput: run\nsources: {sources}\n")
        with pytest.raises(UserError, match=r"cannot set input\.books"):
            load(broken, {"input.books": "x"})


def test_environment_variables_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "/data")
    assert load(write(tmp_path, GOOD.replace("input: raw", "input: $DATA/raw"))).sources[0].input == "/data/raw"


def test_a_folder_does_not_hide_a_bundled_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "models" / "lid.bin"
    model.parent.mkdir()
    model.write_bytes(b"")
    recipe = load("demo", variables={"DEMO": str(tmp_path)})
    assert recipe.sources[0].input == f"{tmp_path}/raw/commoncrawl"
    assert recipe.output == f"{tmp_path}/run"


def test_rules_from_the_command_line() -> None:
    (first, second) = parse_rules(["exact", "length: {min_chars: 3}"])
    assert first.is_dedup
    assert second.is_filter
    with pytest.raises(UserError, match="--rule:1: unknown rule nothing"):
        parse_rules(["nothing"])
    with pytest.raises(UserError, match="--rule:1: the settings of length are a map, found 5"):
        parse_rules(["length: 5"])
    with pytest.raises(UserError, match="is not valid YAML: unacceptable character"):
        parse_rules(["\x01"])
    with pytest.raises(UserError, match="--rule:1: unknown key mni_chars"):
        parse_rules(["length: {mni_chars: 3}"])


def test_the_llama_recipe_names_all_seven_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled recipe loads when its model files are there; shares are Table 1's and add up to one."""
    monkeypatch.setenv("DATA", str(tmp_path))
    (tmp_path / "models").mkdir()
    for name in ("en.arpa.bin", "en.sp.model", "reference.bin"):
        (tmp_path / "models" / name).write_bytes(b"model")
    lid = tmp_path / "lid.ftz"
    lid.write_bytes(b"model")
    monkeypatch.setattr("corpus.models.locate", lambda name: str(lid) if name == "lid" else name)
    recipe = load(bundled("llama"))
    assert [entry.name for entry in recipe.sources] == list(TABLE_1)
    assert recipe.mixture is not None
    assert sum(float(share) for share in recipe.mixture.shares.values()) == pytest.approx(1)


def test_a_recipe_can_be_read_before_its_models_are_there(tmp_path: Path) -> None:
    variables = {"DATA": str(tmp_path)}
    with pytest.raises(UserError, match="model"):
        load("llama", variables=variables)
    (first, *_) = load("llama", variables=variables, needs_models=False).sources
    assert [rule.key for rule in first.steps] == ["lines", "language", "perplexity", "reference"]


def test_a_recipe_is_read_where_runs_are(tmp_path: Path) -> None:
    with fsspec.open("memory://runs/recipe.yaml", "w") as file:
        file.write(GOOD)
    assert load("memory://runs/recipe.yaml").output == "run"


def test_a_recipe_that_is_not_there() -> None:
    with pytest.raises(
        UserError, match="bundled are c4, dclm, demo, dolma, dolma3, fineweb, fineweb2, gopher, llama, redpajama, "
    ):
        load("nothing")


def test_two_dedups_do_not_write_one_index(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    steps = "[exact: {index: i}]"
    sources = "".join(f"  {name}: {{type: documents, input: raw, steps: {steps}}}\n" for name in ("one", "other"))
    path.write_text(f"format: 1\noutput: run\nsources:\n{sources}", encoding="utf-8")
    with pytest.raises(UserError, match="2 dedups write the index i: give each a folder of its own"):
        load(str(path))


def test_a_setting_does_not_come_twice() -> None:
    assert parse_rules(["near"], {"index": "i"})[0].dedup.index == "i"
    with pytest.raises(UserError, match="--rule near has index already: leave out --index, or that setting"):
        parse_rules(["near: {index: a}"], {"index": "b"})
