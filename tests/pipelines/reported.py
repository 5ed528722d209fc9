"""A small run of made-up documents for tests of its page: two sources, one with hostile documents, to the mixture."""

import json
import random
from pathlib import Path

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=//evil.example/x onerror=\"document.title='owned'\">"
    "\u202egnp.exe\u2066 \x1b]0;owned\x07\x1b[31m \x00 'quoted\" &lt; {{ 7 * 7 }} "
)
LONG = "w" * 3000
URL = "https://evil.example/<script>alert(1)</script>?q=\u202e"

RECIPE = """\
format: 1
output: {home}/run
sources:
  web:
    type: documents
    input: {home}/raw/web
    split_bytes: 20000
    steps:
      - length: {{min_chars: {least}}}
      - tests.corpus.report.tongue:Tongue: {{keep: [en, de, <b]}}
      - exact
  notes:
    type: documents
    input: {home}/raw/notes
    steps: [stats]
across: [near]
tokenizer: {{vocab_size: 350, held_out: 5}}
mixture:
  shares: {{web: 0.5, notes: 0.5}}
  sequence_length: 64
"""


def make(home: Path) -> None:
    """Raw files: pages of the web, some short, some twice, some nearly, some hostile; and fewer notes."""
    words = random.Random(0)
    vocabulary = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randint(2, 9))) for _ in range(500)]

    def text(count: int) -> str:
        return " ".join(words.choices(vocabulary, k=count))

    pages = [
        {"text": f"{words.choice(['en', 'de', '<b>'])} {text(60)}", "id": f"page-{n}", "language": "en",
         "url": f"https://www.{'ab'[n % 2]}.example/{n}", "license": "MIT"}
        for n in range(120)
    ]  # fmt: skip
    pages += [{**page, "text": "short", "id": f"{page['id']}-short"} for page in pages[:30]]
    pages += [{**page, "id": f"{page['id']}-again"} for page in pages[:10]]
    pages += [{**page, "text": f"{page['text']} end", "id": f"{page['id']}-near"} for page in pages[10:25]]
    hostile = {"text": HOSTILE, "id": f"hostile {HOSTILE}", "language": HOSTILE, "license": HOSTILE, "url": URL}
    pages += [hostile, {**hostile, "text": f"{HOSTILE} {LONG} {text(60)}", "id": f"long {HOSTILE}"}]
    pages += [{**hostile, "text": f"{HOSTILE} {LONG} {text(1)} {text(60)}", "id": f"{LONG} {n}"} for n in range(2)]
    pages += [{**pages[-1], "id": f"twice {HOSTILE}"}, {**pages[-1], "text": pages[-1]["text"] + " x", "id": "near"}]
    pages.append({**pages[0], "text": f"en {text(60)}"})
    pages.append({**hostile, "text": f"en {HOSTILE} {text(60)}", "id": f"kept {HOSTILE}"})
    for folder, rows in (("web", pages), ("notes", [{"text": text(80), "id": f"note-{n}"} for n in range(40)])):
        (home / "raw" / folder).mkdir(parents=True)
        path = home / "raw" / folder / f"<b>{folder}\u202e.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{bad \u202e</script>\n", encoding="utf-8")


def write_recipe(home: Path, name: str = "recipe.yaml", least: int = 300) -> Path:
    path = home / name
    path.write_text(RECIPE.format(home=home, least=least), encoding="utf-8")
    return path
