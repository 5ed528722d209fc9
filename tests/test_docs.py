"""What README.md, CONTRIBUTING.md and docs/ say is so: commands work, tables are the code's, links lead somewhere."""

import importlib.util
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import apache_beam as beam
import pytest
import torch
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import BaseModel
from ruamel.yaml import YAML
from torch.distributed.run import get_args_parser
from typer.main import get_command

from corpus import models
from corpus.cli import app
from corpus.demo import arxiv, books, c4, commoncrawl, prose, stackexchange, wikipedia
from corpus.describe import LONGEST, WIDEST
from corpus.download.listing import read_listing
from corpus.recipe.load import bundled, load
from corpus.recipe.sections import MixtureSection, SourceSection, TokenizerSection, Top
from corpus.registry import find_rule, rules, sources
from corpus.rules import Dedup, Filter
from corpus.sources.raw import list_files
from corpus.steps.rule import kind_of
from pipelines.engine.runner import RunnerName
from pipelines.graph import compile_graph
from tests.corpus.test_robots_index import record
from trainer import train
from trainer.config import TrainingSettings, read_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

ONLY_PARSED = re.compile(
    r"corpus (?:demo|download|models get|run llama|eval (?!--list))\b"  # minutes, the network, terabytes, benchmarks
    r"|corpus plan \S+ --calibrate"  # a minute or two, and it is kept in the user's cache
    r"|corpus .* --runner (?:spark|flink|dataflow)\b"  # a JVM or a cluster (tests/pipelines/engine/test_spark.py)
    r"|torchrun "  # several processes (tests/trainer/test_torchrun.py)
    r"|python -m (?:benchmarks|tests\.fuzz)\."  # minutes
)
RUN = re.compile(r"corpus |python -m trainer\.train |python \w+\.py$")
SHELL = re.compile(r"export |ls |mkdir |sed |echo |printf ")
INSTALL = re.compile(r"python3 -m venv |\.venv/bin/")
FOREIGN = re.compile(r"7z ")
"""A program that is not ours and may not be here: its syntax is the shell's, and no more is known."""

# The README's own folders, and a page that has nothing but a template, for `--dropped empty`.
EMPTY_PAGE = """<mediawiki xml:lang="en"><page><title>Nothing</title><ns>0</ns><id>1</id>
<revision><id>2</id><text>{{delete}}</text></revision></page></mediawiki>
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line it begins at."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in found]


def commands(block: Block) -> list[str]:
    return [line for line in block.text.replace("\\\n", "").splitlines() if line.strip()]


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    made = {"arxiv": arxiv, "books": books, "c4": c4, "commoncrawl": commoncrawl, "stackexchange": stackexchange}
    dealt = prose.deal(prose.modules(), dict.fromkeys(made, 100_000))
    for name, source in made.items():
        source.write(folder / name, dealt[name])
    (folder / "robotstxt").mkdir()
    (folder / "robotstxt" / "x.warc.gz").write_bytes(record("https://a.org/robots.txt", "User-agent: *\nDisallow: /\n"))
    wikipedia.write(folder / "wikipedia")
    for dump in folder.glob("wikipedia/[!de]*"):
        dump.unlink()  # German and English are enough
    (folder / "wikipedia" / "enwiki-20220801-pages-articles-extra.xml").write_text(EMPTY_PAGE, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all pages, emptied before each: worker processes stay for as long as the folder is the same."""
    return tmp_path_factory.mktemp("workspace")


class Session:
    """A person at a shell in a folder with raw files, who types a page's commands from the top to the bottom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(os.environ)

    def type(self, command: str) -> None:
        if INSTALL.match(command):
            check_install(command)
        elif FOREIGN.match(command):
            self.bash(command, "-n")
        elif SHELL.match(command):
            after = self.bash(f"{command}\nenv -0").split("\0")
            if command.startswith("export "):
                self.environment |= dict(entry.split("=", 1) for entry in after if "=" in entry)
        elif ONLY_PARSED.match(command):
            self.parse(self.words(command))
        elif RUN.match(command):
            self.run(self.words(command))
        else:
            pytest.fail("neither run nor checked: put this kind of command into one of the classes above")

    def bash(self, command: str, *options: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", *options, "-c", command],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def words(self, command: str) -> list[str]:
        """The words as the shell expands them: globs, variables, comments."""
        return self.bash(f"printf '%s\\0' {command}").split("\0")[:-1]

    def run(self, words: Sequence[str]) -> None:
        if words[0] == "python":
            torch.set_num_threads(1)  # the matrices are tiny
            if words[1] == "-m":
                assert train.main(words[3:]) == 0
            else:
                with patch.dict(os.environ, self.environment):
                    runpy.run_path(words[1], run_name="__main__")
            return
        arguments = list(words[1:])
        if any(option.name == "workers" for option in parsed(arguments).command.params) and "--workers" not in words:
            arguments += ["--workers", "2"]  # not one for each core of a large machine
        if self.environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):
            app(arguments, standalone_mode=False)
            return
        # The page has modules of its own: Python looks for them when it starts, and so do worker processes.
        environment = {**self.environment, "PYTHONPATH": f"{self.environment['PYTHONPATH']}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-c", "from corpus.cli import main; main()", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def parse(self, words: Sequence[str]) -> None:
        if words[0] == "torchrun":
            given = get_args_parser().parse_args(words[1:])
            if not given.module:
                assert os.path.exists(given.training_script)
                return
            assert (given.module, given.training_script) == (True, "trainer.train")
            _, paths, _ = read_recipe(given.training_script_args[0], given.training_script_args[1:])
            assert set(paths) == {"mixture", "output"}
            return
        if words[0] == "python":
            modules = [words[2], "tests.fuzz.driver"] if words[2].startswith("tests.fuzz.") else [words[2]]
            found = [Path(importlib.util.find_spec(module).origin or "") for module in modules]  # type: ignore[union-attr]
            source = "".join(path.read_text(encoding="utf-8") for path in found)
            options = [word.partition("=")[0] for word in words[3:] if word.startswith("-")]
            assert [option for option in options if not re.search(rf"""(["']){option}\1""", source)] == []
            return
        context = parsed(words[1:])
        given = context.params
        if "runner" in given:
            assert given["runner"] in get_args(RunnerName)
            known = PipelineOptions([]).get_all_options()
            assert [o for o in given["beam_option"] or () if o[2:].partition("=")[0] not in known] == []
        match context.info_name:
            case "run" if given["recipe"] == "llama":
                assert os.path.exists(bundled("llama"))
            case "run":
                compile_graph(load(given["recipe"]), given["source"] or (), given["until"])
            case "listing":
                assert read_listing(given["listing"], given["base"])
            case "get":
                assert given["name"] in models.MODELS


def parsed(words: Sequence[str]) -> Any:
    """The context of the command that `words` call, its arguments parsed and nothing executed."""
    command: Any = get_command(app)
    name = "corpus"
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    return command.make_context(name, list(words))


def check_install(command: str) -> None:
    """Extras that are declared, and tools that the extra `test` brings."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    tools = {re.split(r"[<>=\[]", package)[0] for package in extras["test"]} | {"corpus", "pip"}
    for part in command.split(" && "):
        program, *words = part.split()
        if program == "python3":
            assert words == ["-m", "venv", ".venv"]
            continue
        tool = program.removeprefix(".venv/bin/")
        assert tool in tools
        if tool == "corpus":
            parsed(words)
        elif tool == "pip":
            assert words[0] == "install"
            wanted = re.fullmatch(r"'\.\[([\w,]+)\]'", words[-1])
            assert wanted
            assert set(wanted[1].split(",")) <= set(extras)


@pytest.mark.parametrize("name", [name for name, page in zip(NAMES, PAGES, strict=True) if blocks(page)])
def test_the_blocks_of_a_page_work_from_top_to_bottom(
    name: str, raw: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    for path in workspace.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(raw, "raw")
    shutil.copytree("raw/wikipedia", "dumps")
    save_files(blocks(ROOT / "docs" / "recipes.md"))
    session = Session(workspace)
    for block in blocks(ROOT / name):
        save_files([block])
        if block.language == "python":
            compile(block.text, name, "exec")
        elif block.language == "bash":
            for command in commands(block):
                try:
                    session.type(command)
                except (Exception, pytest.fail.Exception) as error:
                    raise AssertionError(f"{name}, block at line {block.line}: {command}\n{error}") from error
        else:
            assert block.language in ("", "yaml", "sql", "dockerfile", "toml"), f"{name}:{block.line}"


def save_files(some: Sequence[Block]) -> None:
    """Blocks into the file that their first line names, which that of a YAML block does."""
    for block in some:
        named = re.match(r"# (\w+\.(?:py|yaml))\n", block.text)
        if named or block.language == "yaml":
            assert named, f"line {block.line}: name the file"
            Path(named[1]).write_text(block.text, encoding="utf-8")


def test_a_wrong_command_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_files(blocks(ROOT / "docs" / "recipes.md"))
    for wrong in (
        "corpus run recipe.yaml --runner spark --wokers 2",
        "corpus run recipe.yaml --runner spark --beam-option=--spark_masterurl=spark://head:7077",
        "corpus run recipe.yaml --runner flink --until wikitxt",
        "corpus extrakt books raw out",
        "corpus models get lidd",
        "corpus download wikipedia raw --langauge en",
        "corpus download listing no-such-file raw",
        "corpus show raw/*/nothing",
        "torchrun -m trainer.train recipe.yaml mixture=a",
        "torchrun -m trainer.train recipe.yaml mixture=a output=b run.stepps=3",
        ".venv/bin/pip install '.[pipeline]'",
        "sed s/a/b/ no-such-file",
        "7z 'x",
        "wget https://host",
        "python -m benchmarks.sauces",
        "python -m tests.fuzz.stackexchange --input 10000",
    ):
        with pytest.raises((Exception, pytest.fail.Exception)):
            Session(tmp_path).type(wrong)


# Tables


def rows(page: str, mark: str) -> Iterator[list[str]]:
    """The cells of the table that the comment `<!-- MARK -->` stands before."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    _, found, after = text.partition(f"<!-- {mark} -->\n")
    assert found, f"{page} has no table {mark}"
    lines = after.partition("\n\n")[0].splitlines()
    for line in lines[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def stated(text: str, default: Any, required: bool) -> None:
    """Checks what a table says of a default: its YAML, or words where it has none, or one too long for a table."""
    code = re.fullmatch(r"`(.*)`", text)
    if code is None:
        many = isinstance(default, tuple | list | dict) and (len(default) > LONGEST or len(str(default)) >= WIDEST)
        long = isinstance(default, BaseModel) or many
        assert required or long, (text, default)
    else:
        assert not required
        assert YAML(typ="safe").load(code[1]) == as_yaml(default), text


def as_yaml(value: Any) -> Any:
    return [as_yaml(each) for each in value] if isinstance(value, tuple | list) else value


@pytest.mark.parametrize("section", [Top, TokenizerSection, MixtureSection, SourceSection])
def test_tables_of_keys_are_the_recipes(section: type[BaseModel]) -> None:
    fields = section.model_fields
    mark = f"fields: {section.__module__}:{section.__name__}"
    table = {key.strip("`"): default for key, default, _ in rows("recipes.md", mark)}
    assert list(table) == list(fields)
    for key, field in fields.items():
        stated(table[key], field.default, field.is_required())


def test_the_table_of_training_is_the_trainers() -> None:
    fields = {
        f"{section}.{name}": field
        for section, of in TrainingSettings.model_fields.items()
        for name, field in of.annotation.model_fields.items()  # type: ignore[union-attr]
    }
    table = {key.strip("`"): default for key, default, _ in rows("training.md", "training")}
    assert list(table) == list(fields)
    for key, field in fields.items():
        stated(table[key], field.default, field.is_required())


def check_settings(cell: str, of: type[BaseModel]) -> set[str]:
    """Checks a cell of settings against a class; returns those in italics."""
    found = re.findall(r"(\*?)`(\w+)(?:: ([^`]*))?`\1", cell)
    assert sorted(name for _, name, _ in found) == sorted(of.model_fields), of.__name__
    for _, name, default in found:
        field = of.model_fields[name]
        stated(f"`{default}`" if default else "", field.default, field.is_required())
    return {name for italic, name, _ in found if italic}


def linked(cell: str) -> tuple[str, Path]:
    """The name and the file of "[`name`](../file)"."""
    match = re.fullmatch(r"\[`(\w+)`\]\((.+)\)", cell)
    assert match, cell
    return match[1], (ROOT / "docs" / match[2]).resolve()


def test_the_table_of_sources_is_the_code() -> None:
    table = list(rows("recipes.md", "sources"))
    of = {named.name: named.type for named in sources()}
    assert sorted(linked(source)[0] for source, *_ in table) == sorted(of)
    for source, settings, _ in table:
        name, file = linked(source)
        assert file == Path(inspect.getfile(of[name]))
        check_settings(settings, of[name])


def test_the_tables_of_rules_are_the_code() -> None:
    names = []
    for kind in ("cleaner", "filter", "dedup"):
        for rule, settings, reasons, *_ in rows("recipes.md", f"rules: {kind}"):
            name, file = linked(rule)
            names.append(name)
            of = find_rule(name)
            assert kind_of(of) == kind, name
            assert file == Path(inspect.getfile(of))
            again = check_settings(settings, of)
            assert again == (set(of.model_fields) - of.threshold_fields() if issubclass(of, Filter) else set()), name
            source = inspect.getsource(import_module(of.__module__))
            assert [reason for reason in re.findall(r"`(\w+)`", reasons) if reason not in source] == [], name
    assert sorted(names) == sorted(named.name for named in rules())


# Names


@pytest.mark.parametrize("name", NAMES)
def test_links_and_files_exist(name: str) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    named = re.findall(r"`((?:corpus|pipelines|tokenizer|trainer|tests|docs|benchmarks)/[\w./]*\w/?)`", text)
    missing = [path for path in linked if not (page.parent / path).exists()]
    missing += [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_environment_variables_are_the_codes() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("[cptt]*/**/*.py"))
    code = code.replace(
        'f"CORPUS_{engine.upper()}_JOB_SERVER_JAR"', "CORPUS_SPARK_JOB_SERVER_JAR CORPUS_FLINK_JOB_SERVER_JAR"
    )
    for page in PAGES:
        for name in set(re.findall(r"\bCORPUS_\w+", page.read_text(encoding="utf-8"))):
            assert name in code, f"{page.name}: {name}"


def test_versions_of_beam_are_the_installed_one() -> None:
    text = (ROOT / "docs" / "runners.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b2\.\d\d\.\d+\b", text)) == {beam.__version__}


def test_disk_needs_are_the_estimates() -> None:
    """docs/runners.md, "Disk"."""
    documents, text = 1000, 50_000_000
    dedups = [find_rule(name)() for name in ("near", "exact", "lines", "overlap")]
    near, exact, lines, overlap = (rule.shipped(documents, text) for rule in dedups if isinstance(rule, Dedup))
    assert near == pytest.approx(220 * documents + 0.11 * text, rel=0.05)
    assert exact / documents == 36
    assert lines == text // 8
    assert overlap == pytest.approx(52 * documents + 0.04 * text, rel=0.1)
    assert find_rule("substring")().shipped(documents, text) == pytest.approx(0.19 * text, rel=0.05)  # type: ignore[attr-defined]
    assert find_rule("overlap")().shipped(documents, 1000 * documents) == pytest.approx(1.4 * 1000 * documents, rel=0.1)  # type: ignore[attr-defined]


def test_the_bundled_recipe_fits_the_downloads_and_the_trainer(tmp_path: Path) -> None:
    """Paths as docs/download.md leaves them below $DATA."""
    downloaded = {
        "commoncrawl": "crawl-data/CC-MAIN-2019-30/segments/1563195523840.34/wet/CC-MAIN-20190715175205.warc.wet.gz",
        "c4": "en/c4-train.00000-of-01024.json.gz",
        "github": "pallets__click.tar.gz",
        "wikipedia": "enwiki/20260901/enwiki-20260901-pages-articles-multistream.xml.bz2",
        "books": "cache/epub/100/pg100.txt",
        "arxiv": "src/arXiv_src_2207_001.tar",
        "stackexchange": "unix.stackexchange.com.7z",
    }
    body = YAML(typ="safe").load(Path(bundled("llama")).read_text(encoding="utf-8"))
    assert list(body["sources"]) == list(downloaded)
    for name, path in downloaded.items():
        file = tmp_path / name / path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        section = body["sources"][name]
        root = section["input"].replace("$DATA", str(tmp_path))
        assert [found.path for found in list_files(root, section.get("include", ["**"]))] == [path]
    settings, _, _ = read_recipe(bundled("llama"), [])
    assert settings.model.size == "65B"


@pytest.mark.parametrize("name", NAMES)
def test_tests_that_are_named_exist(name: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert {one for one in named if f"def {one}(" not in code and one not in files} == set()
