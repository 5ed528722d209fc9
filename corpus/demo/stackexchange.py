"""Stack Exchange dumps: a Posts.xml for each site."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from xml.sax.saxutils import quoteattr

from corpus.demo.prose import Block, Entry, Module

SITES = ("questions.example", "answers.example")
_ANSWER_CHARACTERS = 500
_MOST_CHARACTERS = 6000  # of one entry; a question has no more room
_SCORES = (9, 100, -1, 27, 4)
"""By number 100 comes before 27 and 9; as text it does not."""


def write(folder: Path, modules: Sequence[Module]) -> None:
    """Docstrings as questions with answers. A tag's description, an answer whose question is gone, and a broken row."""
    entries = [entry for module in modules for entry in module.entries if entry.blocks()[0].is_prose]
    for number, site in enumerate(SITES):
        rows = [*_rows(entries[number :: len(SITES)]), *_others()]
        (folder / site).mkdir(parents=True)
        (folder / site / "Posts.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n<posts>\n' + "".join(rows) + "</posts>\n", encoding="utf-8"
        )


def _rows(entries: Sequence[Entry]) -> Iterator[str]:
    post = 0
    for entry in entries:
        first, *rest = entry.blocks()
        post += 1
        question = post
        name = escape(entry.name.rpartition(".")[2])
        yield _row(
            Id=question,
            PostTypeId=1,
            CreationDate="2021-03-01T12:00:00.000",
            Score=question % 7,
            Title=f"What does {entry.name} do?",
            Body=f"<p>I came across <code>{name}</code> and read this:</p><blockquote>{_html(first)}</blockquote>"
            "<p>Can somebody explain it?</p>",
            Tags=f"<{entry.name.partition('.')[0].strip('_')}>",
        )
        for number, answer in enumerate(_answers(rest)):
            post += 1
            yield _row(
                Id=post,
                PostTypeId=2,
                ParentId=question,
                CreationDate="2021-03-02T12:00:00.000",
                Score=_SCORES[number % len(_SCORES)],
                Body="".join(map(_html, answer)),
            )


def _answers(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    held: list[Block] = []
    total = 0
    for block in blocks:
        total += len(block.text)
        if total > _MOST_CHARACTERS:
            break
        held.append(block)
        if sum(len(some.text) for some in held) > _ANSWER_CHARACTERS:
            yield held
            held = []
    if held:
        yield held


def _html(block: Block) -> str:
    text = escape(block.text)
    return f"<p>{text}</p>" if block.is_prose else f"<pre><code>{text}</code></pre>"


def _others() -> Iterator[str]:
    yield _row(Id=900_001, PostTypeId=5, Body="<p>What this tag is about.</p>")
    yield _row(Id=900_002, PostTypeId=2, ParentId=999_999, Body="<p>Nobody knows what this answers.</p>")
    yield '  <row Id="900003" PostTypeId="1" Body="&lt;p&gt;never ends />\n'


def _row(**fields: int | str) -> str:
    return "  <row " + " ".join(f"{key}={quoteattr(str(value))}" for key, value in fields.items()) + " />\n"
