"""From the name of a rule or a source, as a recipe gives it, to its class.

- `length`: ours. A rule NAME is the class of that name in `corpus/clean/NAME.py`, `corpus/filters/NAME.py` or
  `corpus/dedup/NAME.py`, a source the one in `corpus/sources/NAME.py`: `gopher_quality.py` holds `GopherQuality`.
  There is no list of them.
- `shouting`: of a package that is installed beside this one and registers the name, by an entry point of the group
  `corpus.rules` or `corpus.sources`.
- `my_package.rules:Shouting`: any class that can be imported.
"""

import inspect
import pkgutil
import re
from functools import cache
from importlib import import_module, metadata
from typing import Any, NamedTuple

from corpus.errors import UserError, known
from corpus.rules import Cleaner, Dedup, Filter, Rule
from corpus.sources.source import Source

RULE_FOLDERS = ("corpus.clean", "corpus.filters", "corpus.dedup")
SOURCE_FOLDERS = ("corpus.sources",)
RULES, SOURCES = "corpus.rules", "corpus.sources"
"""Groups of entry points."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Named(NamedTuple):
    """A class under the name that recipes and commands know it by."""

    name: str
    type: type[Any]


def find_rule(name: str) -> type[Rule]:
    """The class of a rule.

    Raises:
        UserError: there is none of that name, it cannot be imported, it is no rule, or it lacks a method.
    """
    found = _find(name, "rule", RULE_FOLDERS, RULES)
    if not (inspect.isclass(found) and issubclass(found, Cleaner | Filter | Dedup)):
        raise UserError(
            f"{name} is no rule: derive its class from Cleaner, Filter or Dedup of corpus.rules, or make one of a "
            "function with corpus.per_document"
        )
    _check_whole(name, found)
    return found


def find_source(name: str) -> type[Source]:
    """The class of a source.

    Raises:
        UserError: there is none of that name, it cannot be imported, it is no source, or it lacks a method.
    """
    found = _find(name, "source", SOURCE_FOLDERS, SOURCES)
    if not (inspect.isclass(found) and issubclass(found, Source)):
        raise UserError(f"{name} is no source: derive its class from corpus.sources.source.Source")
    _check_whole(name, found)
    return found


def _check_whole(name: str, found: type[Any]) -> None:
    if missing := sorted(found.__abstractmethods__):
        raise UserError(f"{name} has no {' and no '.join(missing)}: write it as its base class says")


def rules() -> list[Named]:
    """Every rule that a plain name stands for: ours by kind and name, then those that packages register."""
    return [Named(name, find_rule(name)) for name in _names(RULE_FOLDERS, RULES)]


def sources() -> list[Named]:
    """Every source that a plain name stands for: ours, then those that packages register."""
    return [Named(name, find_source(name)) for name in _names(SOURCE_FOLDERS, SOURCES)]


def short_name(name: str) -> str:
    """What stands in folders, counts and score columns: the name, or the class of `package.module:Class` in
    snake_case."""
    _, colon, qualified = name.partition(":")
    return _WORD_START.sub("_", qualified.rpartition(".")[2]).lower() if colon else name


def origin(described: type[Any]) -> dict[str, Any]:
    """What identifies a class that is not ours, for digests and to find it again: where it is, and the names and
    versions of the packages that its module may come from. Empty for ours."""
    top = described.__module__.partition(".")[0]
    if top == "corpus":
        return {}
    return {"class": f"{described.__module__}:{described.__qualname__}", "packages": _packages(top)}


def _find(name: str, what: str, folders: tuple[str, ...], group: str) -> Any:
    if ":" in name:
        return _import(name)
    for folder in folders:
        found = _of_ours(folder, name)
        if found is not None:
            return found
    entries = list(metadata.entry_points(group=group, name=name))
    if len({entry.value for entry in entries}) > 1:
        places = " and ".join(sorted(entry.value for entry in entries))
        raise UserError(f"the {what} {name} is registered twice, as {places}: write the one you mean in its place")
    if entries:
        return _import(entries[0].value)
    raise UserError(f"unknown {what} {name}; {known(name, _names(folders, group))}, or package.module:Class")


@cache
def _of_ours(folder: str, name: str) -> Any:
    """The class in the module NAME of a package of ours whose name is the module's, but for case and underscores."""
    if not _NAME.fullmatch(name) or name not in _modules(folder):
        return None
    module = import_module(f"{folder}.{name}")
    for class_name, found in vars(module).items():
        whole = inspect.isclass(found) and found.__module__ == module.__name__ and not inspect.isabstract(found)
        if whole and class_name.lower() == name.replace("_", ""):
            return found
    return None


def _names(folders: tuple[str, ...], group: str) -> list[str]:
    ours = [name for folder in folders for name in _modules(folder) if _of_ours(folder, name) is not None]
    registered = sorted({entry.name for entry in metadata.entry_points(group=group)} - set(ours))
    return [*ours, *(name for name in registered if _NAME.fullmatch(name))]


@cache
def _modules(folder: str) -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(import_module(folder).__path__)))


def _import(place: str) -> Any:
    """What "package.module:Class" names."""
    module_name, _, qualified = place.partition(":")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise UserError(
                f"{place}: there is no module {missing}: install its package where corpus is, or put its folder on "
                "PYTHONPATH"
            ) from None
        raise UserError(f"{place}: {module_name} needs the module {missing}: install it where corpus is") from None
    except Exception as error:  # whatever the module does when it is imported
        raise UserError(f"{place}: {module_name} cannot be imported ({type(error).__name__}: {error})") from error
    for part in qualified.split("."):
        if not hasattr(found, part):
            own = [value for value in vars(found).values() if getattr(value, "__module__", "") == module_name]
            public = [value.__name__ for value in own if inspect.isclass(value) and value.__name__[0] != "_"]
            raise UserError(f"{place}: {module_name} has no {part}; {known(part, public)}")
        found = getattr(found, part)
    return found


@cache
def _packages(top: str) -> dict[str, str]:
    """Version by name of each installed package that has the top-level module; empty for a module in a plain folder."""
    names = metadata.packages_distributions().get(top, ())
    return {name: metadata.version(name) for name in sorted(set(names))}
