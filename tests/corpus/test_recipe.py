"""Every mistake in a recipe is one line with its place and what to do."""

from pathlib import Path

import fsspec
import pytest

from corpus.errors import UserError
from corpus.recipe import SOURCES, bundled, load, parse_rules

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
    assert [plan.name for plan in recipe.sources] == ["commoncrawl", "books"]
    assert [rule.key for rule in recipe.sources[0].steps] == ["lines", "length", "exact"]
    assert recipe.sources[0].steps[1].rule.min_chars == 20  # type: ignore[attr-defined]
    assert recipe.mixture is not None
    assert recipe.mixture.shares == {"commoncrawl": 0.9, "books": 0.1}


MISTAKES = {
    "unknown top key": ("output: run", "output: run\nextra: 1", 3, "unknown key extra; known are"),
    "unknown source": ("  books:", "  bookz:", 10, "unknown source bookz; known are commoncrawl"),
    "unknown key of a rule": ("{min_chars: 20}", "{min_charz: 20}", 8, "unknown key min_charz; known are"),
    "unknown key of a source": ("    steps: []", "    stepz: []", 12, "unknown key stepz"),
    "wrong type": ("{min_chars: 20}", "{min_chars: many}", 8, "min_chars: input should be a valid integer"),
    "unknown rule": ("- exact", "- exakt", 9, "unknown rule exakt; known are"),
    "missing input": ("    input: raw\n    steps: []", "    steps: []", 10, "the key input is missing"),
    "two keys in a step": ("- exact", "- {exact: {}, near: {}}", 9, "a step is a map with one key"),
    "lines after a filter": (
        "- lines: {min_chars: 10}\n      - length: {min_chars: 20}",
        "- length: {min_chars: 20}\n      - lines: {min_chars: 10}",
        8,
        "lines stands after length",
    ),
    "cleaner after a filter": ("- exact", "- gutenberg", 9, "gutenberg rewrites text that length has scored"),
    "filter after document dedup": (
        "- length: {min_chars: 20}\n      - exact",
        "- exact\n      - length: {min_chars: 20}",
        9,
        "length may drop the document that exact kept",
    ),
    "lines across sources": ("  - near", "  - lines", 14, "lines does not work across sources"),
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


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_its_line_number(tmp_path: Path, name: str) -> None:
    old, new, line, message = MISTAKES[name]
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


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
    assert [plan.name for plan in recipe.sources] == list(SOURCES)
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
    with pytest.raises(UserError, match="bundled are demo and llama"):
        load("nothing")
