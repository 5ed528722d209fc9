"""From a name to a class: by file, by entry point, by `package.module:Class`, and a line for all that goes wrong."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus import registry
from corpus.dedup.near import Near
from corpus.errors import UserError
from corpus.filters.gopher_quality import GopherQuality
from corpus.recipe.load import parse_rules
from corpus.registry import find_rule, find_source, origin, rules, short_name, sources
from corpus.rules import Cleaner, Dedup, Filter
from corpus.sources.stackexchange import StackExchange
from corpus.steps.rule import NamedRule, kind_of, rule_of

ROOT = Path(__file__).parents[2]

MODULE = '''\
import pyarrow.compute as pc
from corpus.rules import Cleaned, Cleaner
from corpus.sources.source import Source
import pyarrow as pa

class Shouting(Cleaner):
    """Capitals."""
    marks: int = 0

    def clean(self, batch):
        return Cleaned(pc.utf8_upper(batch.column("text")), pa.nulls(batch.num_rows, pa.string()))

class Poems(Source):
    """A file is a poem."""
    def read(self, root, split):
        yield from ()

    def raw(self, root, origin):
        return b""

class Unfinished(Cleaner):
    """Has no `clean`."""

class NoRule:
    pass

def function():
    pass
'''

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Installs a package with `MODULE` in it: a folder on the path, with metadata as pip writes it. Gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def install(name: str = "a_package", version: str = "1.0", module: str = MODULE, **entry_points: str) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "rules.py").write_text(module, encoding="utf-8")
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{name}/rules.py,,\n", encoding="utf-8")
        lines = [f"[corpus.{group}]\n{entries}\n" for group, entries in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        made.append(name)
        registry._packages.cache_clear()
        return name

    yield install
    for module in [module for module in sys.modules if module.partition(".")[0] in made]:
        del sys.modules[module]
    registry._packages.cache_clear()


# By file


def test_a_plain_name_is_the_class_in_the_file_of_that_name() -> None:
    assert find_rule("gopher_quality") is GopherQuality
    assert find_rule("near") is Near
    assert find_source("stackexchange") is StackExchange


def test_every_file_with_a_rule_or_a_source_is_listed() -> None:
    """By the classes in the files, as text."""
    for found, folders, bases in [
        (rules(), ("clean", "filters", "dedup"), ("Cleaner", "Filter", "Dedup")),
        (sources(), ("sources",), ("Source", "Documents")),
    ]:
        files = [
            path.stem
            for folder in folders
            for path in sorted((ROOT / "corpus" / folder).glob("*.py"))
            if any(f"({base}):\n" in path.read_text(encoding="utf-8") for base in bases)
        ]
        assert [named.name for named in found] == files
    kinds = {kind_of(named.type) for named in rules()}
    assert kinds == {"cleaner", "filter", "dedup"}


def test_what_is_ours_says_what_documents_it_drops_for_and_has_no_origin() -> None:
    for named in [*rules(), *sources()]:
        assert named.type.__doc__
        assert origin(named.type) == {}
        assert not set(named.type.model_fields) & {"type", "input", "include", "split_bytes", "steps", "optional"}
    for named in sources():
        assert named.type.formats
    for named in rules():
        assert 0 < named.type.keeps <= 1
        if issubclass(named.type, Filter):
            assert named.type.threshold_fields() <= named.type.model_fields.keys()
            assert named.type.score_names()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenght", r"^unknown rule lenght; known are length, .*, or package\.module:Class$"),
        ("fasttext_model", r"^unknown rule fasttext_model; known are "),  # a module of ours that holds no rule
        ("Length", r"^unknown rule Length; known are length, "),
        ("../clean/latex", r"^unknown rule \.\./clean/latex; known are "),
        ("books", r"^unknown rule books; known are "),
        ("", r"^unknown rule ; known are "),
    ],
)
def test_an_unknown_rule(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_rule(name)


@pytest.mark.parametrize("name", ["boks", "arc", "raw", "length"])
def test_an_unknown_source(name: str) -> None:
    known = {"boks": "books", "arc": "arxiv", "raw": "arxiv, books, c4, ", "length": ""}[name]
    with pytest.raises(UserError, match=rf"^unknown source {name}; known are {known}"):
        find_source(name)


# By package.module:Class


def test_a_class_of_a_package(package: Package) -> None:
    name = package()
    rule = find_rule(f"{name}.rules:Shouting")
    assert issubclass(rule, Cleaner)
    assert (rule.__name__, rule.version, rule.keeps) == ("Shouting", 1, 1.0)
    assert find_source(f"{name}.rules:Poems").__name__ == "Poems"
    assert find_rule("corpus.filters.gopher_quality:GopherQuality") is GopherQuality


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere:Loud", "nowhere:Loud: there is no module nowhere: install its package where corpus is, or put its f"),
        ("{name}.more:Loud", "{name}.more:Loud: there is no module {name}.more: install its package"),
        ("nowhere.rules:Loud", "nowhere.rules:Loud: there is no module nowhere: install its package"),
        ("{name}.rules:Shoutin", "{name}.rules:Shoutin: {name}.rules has no Shoutin; known are Shouting, "),
        ("{name}.rules:", "{name}.rules:: {name}.rules has no ; known are "),
        ("{name}.rules:Shouting.Inner", "{name}.rules:Shouting.Inner: {name}.rules has no Inner; "),
        (
            "{name}.rules:NoRule",
            "{name}.rules:NoRule is no rule: derive its class from Cleaner, Filter or Dedup of cor",
        ),
        ("{name}.rules:function", "{name}.rules:function is no rule: "),
        ("{name}.rules:Poems", "{name}.rules:Poems is no rule: "),
        ("{name}.rules:Unfinished", "{name}.rules:Unfinished has no clean: write it as its base class says"),
        (":Loud", ":Loud:  cannot be imported (ValueError: Empty module name)"),
    ],
)
def test_a_class_that_is_not_to_be_had(package: Package, place: str, message: str) -> None:
    name = package()
    with pytest.raises(UserError) as caught:
        find_rule(place.format(name=name))
    assert str(caught.value).startswith(message.format(name=name))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("import no_such_module", "broken.rules needs the module no_such_module: install it where corpus is"),
        ("1 / 0", r"broken.rules cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("class Loud(", r"broken.rules cannot be imported \(SyntaxError: "),
    ],
)
def test_a_module_that_cannot_be_imported(package: Package, module: str, message: str) -> None:
    package("broken", module=module)
    with pytest.raises(UserError, match=f"^broken.rules:Loud: {message}"):
        find_rule("broken.rules:Loud")


def test_a_class_that_is_no_source(package: Package) -> None:
    name = package()
    for place in (f"{name}.rules:Shouting", f"{name}.rules:NoRule"):
        with pytest.raises(UserError, match=rf"^{place} is no source: derive its class from "):
            find_source(place)
    with pytest.raises(
        UserError, match=r"^corpus\.sources\.source:Source has no raw and no read: write it as its base"
    ):
        find_source("corpus.sources.source:Source")


# By entry point


def test_a_name_that_a_package_registers(package: Package) -> None:
    with pytest.raises(UserError, match="unknown rule loud"):
        find_rule("loud")
    package(rules="loud = a_package.rules:Shouting", sources="poems = a_package.rules:Poems")
    assert find_rule("loud") is find_rule("a_package.rules:Shouting")
    assert find_source("poems") is find_source("a_package.rules:Poems")
    assert [named for named in rules() if named.name == "loud"] == [("loud", find_rule("loud"))]
    assert rules()[-1].name == "loud"
    assert sources()[-1].name == "poems"
    with pytest.raises(UserError, match=r"^unknown rule lound; known are loud, "):
        find_rule("lound")


def test_a_registered_name_does_not_take_the_place_of_ours(package: Package) -> None:
    package(rules="near = a_package.rules:Shouting")
    assert find_rule("near") is Near
    assert [named.name for named in rules()].count("near") == 1


def test_a_name_that_two_packages_register(package: Package) -> None:
    package("one", rules="loud = one.rules:Shouting")
    package("two", rules="loud = two.rules:Shouting")
    with pytest.raises(
        UserError,
        match=r"^the rule loud is registered twice, as one\.rules:Shouting and two\.rules:Shouting: write the",
    ):
        find_rule("loud")


def test_a_registered_class_that_is_not_there(package: Package) -> None:
    package(rules="loud = a_package.rules:Screaming\nquiet = a_package.rules:NoRule")
    with pytest.raises(UserError, match=r"^a_package\.rules:Screaming: a_package\.rules has no Screaming; known are "):
        find_rule("loud")
    with pytest.raises(UserError, match=r"^quiet is no rule: derive"):
        find_rule("quiet")


# What of it enters digests, and leads back


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("length", "length"),
        ("gopher_quality", "gopher_quality"),
        ("my.rules:Shouting", "shouting"),
        ("my.rules:GopherQuality", "gopher_quality"),
        ("my.rules:PDFPages", "pdf_pages"),
        ("my.rules:Outer.Inner", "inner"),
        ("my:C4Lines", "c4_lines"),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert short_name(name) == short


def test_the_digest_of_a_rule_holds_its_class_and_the_version_of_its_package(package: Package) -> None:
    package(version="1.2.3", rules="loud = a_package.rules:Shouting")
    (by_name,) = parse_rules(["loud: {marks: 2}"])
    (by_place,) = parse_rules(["a_package.rules:Shouting: {marks: 2}"])
    assert by_name.identity() == {
        "rule": "loud",
        "version": 1,
        "settings": {"marks": 2},
        "models": {},
        "class": "a_package.rules:Shouting",
        "packages": {"a_package": "1.2.3"},
    }
    assert by_place.identity() == {**by_name.identity(), "rule": "shouting"}
    (ours,) = parse_rules(["near"])
    assert ours.identity().keys() == {"rule", "version", "settings", "models"}


def test_a_class_in_a_plain_folder_has_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package
) -> None:
    (tmp_path / "plain_rules.py").write_text(MODULE, encoding="utf-8")
    assert origin(find_rule("plain_rules:Shouting")) == {"class": "plain_rules:Shouting", "packages": {}}
    monkeypatch.delitem(sys.modules, "plain_rules")


def test_a_rule_is_found_again_by_what_a_manifest_says_of_it(package: Package) -> None:
    package(rules="loud = a_package.rules:Shouting")
    texts = ["loud: {marks: 1}", "near: {threshold: 0.7}", "a_package.rules:Shouting", "near"]
    for named in parse_rules(texts):
        again = rule_of(named.identity())
        assert (again.key, again.rule) == (named.key, named.rule)
    assert [named.key for named in parse_rules(texts)] == ["loud", "near", "shouting", "near-2"]


def test_kinds() -> None:
    for kind, name in ((Cleaner, "wikitext"), (Filter, "length"), (Dedup, "lines")):
        named = NamedRule(name, find_rule(name)())
        assert (named.kind, named.is_cleaner, named.is_filter, named.is_dedup) == (
            kind.__name__.lower(),
            *(kind is each for each in (Cleaner, Filter, Dedup)),
        )
    assert NamedRule("near", find_rule("near")()).keeps_one_copy
    assert not NamedRule("lines", find_rule("lines")()).keeps_one_copy
