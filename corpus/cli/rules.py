"""`corpus rules`: what rules and sources there are, and what each says of itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import WIDE

if TYPE_CHECKING:
    from rich.console import Console

    from corpus.rules import Rule
    from corpus.sources.source import Source

LONGEST = 40
"""Characters of a default that the table of settings shows."""


def rules(
    name: Annotated[
        str | None, typer.Argument(help="one of them, or package.module:Class: its settings, numbers and origins")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="all as the tables of docs/recipes.md")] = False,
) -> None:
    """List every rule and source that a recipe can name, those of installed packages too; or describe one.

    Example: `corpus rules gopher_quality`
    """
    from corpus import describe

    if name is not None:
        _print_one(name)
    elif markdown:
        print(describe.markdown(), end="")
    else:
        _print_all()


def _print_all() -> None:
    from rich.text import Text

    from corpus import describe, registry
    from corpus.report.tables import new_table
    from corpus.steps.rule import kind_of

    table = new_table("Sources and rules", ["kind", "name"], [], "what it is")
    for named in registry.sources():
        table.add_row("source", named.name, Text(describe.summary_of(named.type)))
    for named in registry.rules():
        table.add_row(kind_of(named.type), named.name, Text(describe.summary_of(named.type)))
    console = _console()
    console.print(table)
    console.print(Text("corpus rules NAME describes one; other packages' are named package.module:Class"))


def _print_one(name: str) -> None:
    from rich.markdown import Markdown
    from rich.text import Text

    from corpus import describe
    from corpus.report.tables import new_table

    kind, found = _find(name)
    console = _console()
    console.print(Text(f"{name}: a {kind}, {found.__module__}:{found.__qualname__}", style="bold"))
    console.print(Markdown(describe.prose_of(found)))
    table = new_table("", ["setting", "default", "compares"], [], "what it is")
    for setting in describe.settings_of(found):
        default = "(required)" if setting.default is None else setting.default
        short = default if len(default) <= LONGEST else f"{default[: LONGEST - 3]}..."
        table.add_row(setting.name, Text(short), "\n".join(setting.compares), Text(setting.text))
    if table.row_count:
        console.print(table)
    for what, value in describe.facts_of(found):
        console.print(Text(f"{what}: {value}"))


def _find(name: str) -> tuple[str, "type[Rule] | type[Source]"]:
    """The kind and the class of a rule or source."""
    from corpus import registry
    from corpus.errors import UserError, known
    from corpus.steps.rule import kind_of

    if ":" in name:
        try:
            return "source", registry.find_source(name)
        except UserError:
            rule = registry.find_rule(name)
            return kind_of(rule), rule
    rules = {named.name: named.type for named in registry.rules()}
    sources = {named.name: named.type for named in registry.sources()}
    if name in rules:
        return kind_of(rules[name]), rules[name]
    if name in sources:
        return "source", sources[name]
    raise UserError(f"there is no rule or source {name}; {known(name, [*rules, *sources])}, or package.module:Class")


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
