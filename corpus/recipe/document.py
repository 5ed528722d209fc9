"""The YAML of a recipe, which knows the line of everything in it, and collects every mistake before it tells of any."""

from collections.abc import Iterable, Mapping
from string import Template
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from corpus.errors import UserError, UserErrors, known
from corpus.storage import open_read

S = TypeVar("S", bound=BaseModel)
Where = tuple[Any, ...]
"""Keys and numbers that lead from the top of a document to a place in it."""


class RecipeDocument:
    """A YAML map with the name that messages know it by.

    Attributes:
        path: of the file, or the option of the command line that it was given with.
    """

    def __init__(self, path: str, body: CommentedMap) -> None:
        self.path = path
        self.body = body
        self._mistakes: list[tuple[int, str]] = []

    def value(self, where: Where) -> Any:
        """What stands there, or None."""
        node: Any = self.body
        for key in where:
            if node is None or (isinstance(node, Mapping) and key not in node):
                return None
            node = node[key]
        return node

    def typed(self, where: Where, model: type[S], value: Any = None, other_keys: Iterable[str] = ()) -> S | None:
        """`value`, or what stands at `where`, as `model`. None when it does not fit: every mistake in it is noted.

        `other_keys` are known too, and read by others.
        """
        plain = _plain(self.value(where) if value is None else value)
        try:
            return model.model_validate(plain)
        except ValidationError as error:
            noted = set()
            for details in error.errors():
                location = details["loc"]
                field = model.model_fields.get(str(location[0])) if location else None
                if field is not None and location[0] in noted and not _is_model(field.annotation):
                    continue  # the same value as another type of a union
                noted.add(location[0] if location else "")
                keys = [*_keys(model, location[:-1]), *(other_keys if len(location) == 1 else ())]
                self.mistake((*where, *location), _message(details, where, keys))
            return None

    def mistake(self, where: Where, message: str) -> None:
        """Notes a mistake at the deepest node of `where` that the document has."""
        self._mistakes.append((self._line(where), message))

    def raise_mistakes(self) -> None:
        """Raises UserErrors with a line for each mistake noted, in the order of the document; or nothing."""
        if self._mistakes:
            lines = dict.fromkeys(f"{self.path}:{line}: {message}" for line, message in sorted(self._mistakes))
            raise UserErrors(lines)

    def expand(self, variables: Mapping[str, str]) -> None:
        """Puts variables (`$HOME`, `${DATA}`) into every string; those that are not known stay."""
        _expand(self.body, variables)

    def _line(self, where: Where) -> int:
        line = 0
        node: Any = self.body
        for key in where:
            if isinstance(node, CommentedMap) and key in node:
                line = node.lc.key(key)[0] if node.lc.data and key in node.lc.data else line
            elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
                line = node.lc.item(key)[0] if node.lc.data else line
            else:
                break
            node = node[key]
        return line + 1


def read_document(path: str, keys: Iterable[str]) -> RecipeDocument:
    """The document in a file; `keys` are those a recipe may have.

    Raises:
        UserError: no such file, not UTF-8, not YAML, or not a map.
    """
    try:
        with open_read(path) as file:
            body = YAML(typ="rt").load(file.read().decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: give the path of a recipe file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    except YAMLError as error:
        line = error.problem_mark.line + 1 if isinstance(error, MarkedYAMLError) and error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {_problem(error)}") from None
    if not isinstance(body, CommentedMap):
        raise UserError(f"{path}:1: a recipe is a map with the keys {', '.join(keys)}")
    return RecipeDocument(path, body)


def parse_yaml(option: str, text: str) -> Any:
    """The YAML that an option of the command line was given.

    Raises:
        UserError: it is none.
    """
    try:
        return YAML(typ="rt").load(text)
    except YAMLError as error:
        raise UserError(f"{option} {text!r} is not valid YAML: {_problem(error)}") from None


def _problem(error: YAMLError) -> str:
    """What is wrong, in one line."""
    return str(error.problem if isinstance(error, MarkedYAMLError) else error).partition("\n")[0]


def _keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys that a map inside a section may have."""
    for key in location:
        field = model.model_fields.get(key)
        nested = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)] if field else []
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _message(details: Any, where: Where, keys: list[str]) -> str:
    """One of pydantic's errors in our words."""
    location = details["loc"]
    name = ".".join(str(part) for part in location) or (str(where[-1]) if where else "the recipe")
    if details["type"] == "extra_forbidden":
        return f"unknown key {name}; {known(name, keys)}"
    if details["type"] == "missing":
        return f"the key {name} is missing"
    found = "" if details["type"].startswith("value_error") else f", found {details['input']!r}"
    message = details["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
    message = message[:1].lower() + message[1:]
    return f"{name}: {message}{found}"


def _expand(node: Any, variables: Mapping[str, str]) -> None:
    items = (
        node.items() if isinstance(node, CommentedMap) else enumerate(node) if isinstance(node, CommentedSeq) else ()
    )
    for key, value in list(items):
        if isinstance(value, str) and "$" in value:
            node[key] = Template(value).safe_substitute(variables)
        else:
            _expand(value, variables)


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return node
