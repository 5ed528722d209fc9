"""Pages that stand alone: one HTML file, without a script, that loads nothing.

What a page shows comes from documents that anyone may have written. Every value goes through `visible` and is escaped,
wherever a template puts it; plots alone are markup. A Content-Security-Policy forbids what would still get through.
"""

from functools import cache
from importlib import resources
from typing import Any

from corpus.errors import UserError
from corpus.storage import commit, exists, open_read
from corpus.visible import visible

LONGEST_NAME = 200
"""Characters of an id, a host or a licence: documents say them, and a page has room for so much."""


@cache
def _environment() -> Any:
    """
    Raises:
        UserError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError:
        raise UserError("jinja2 is not installed: pip install '.[pipelines]' in the project's folder") from None

    def shown(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("corpus.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = lambda text: text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
    environment.filters["number"] = lambda value: "" if value is None else f"{value:,}"
    environment.filters["change"] = lambda value: "" if value is None else f"{value:+,}" if value else "0"
    environment.filters["share"] = lambda part, whole: f"{part / whole:.1%}" if whole else ""
    environment.filters["plot"] = Markup
    environment.globals["style"] = Markup(resources.files("corpus.report").joinpath("style.css").read_text("utf-8"))
    return environment


def write_page(path: str, template: str, **values: Any) -> None:
    """Renders a template of this package into a file, which appears whole or not at all. A file that says the same is
    left as it is.

    Raises:
        UserError: Jinja or matplotlib is not installed.
    """
    page = _environment().get_template(template).render(**values).encode("utf-8", "replace")
    if exists(path):
        with open_read(path) as file:
            if file.read() == page:
                return
    commit(path, lambda sink: sink.write(page))
