"""Looking at documents: samples of a step, and the way of one document."""

from typing import Annotated

import typer

from corpus.cli.tuning import print_borders
from corpus.errors import UserError
from corpus.storage import exists, join


def show(
    folder: Annotated[str, typer.Argument(help="a finished step's folder")],
    dropped: Annotated[str | None, typer.Option(help="documents dropped for this reason, instead of kept ones")] = None,
    border: Annotated[
        str | None, typer.Option(help="RULE or RULE.FIELD: documents on both sides of its thresholds, nearest first")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many documents")] = 3,
) -> None:
    """Print documents of a step, and what was dropped and why. Of a near duplicate: for which document, and both texts
    as one, with `[-what only it has-]` and `{+what only the other has+}`.

    Example: `corpus show runs/llama/books/20-gutenberg-1f3a9c2e --dropped too_short`

    Example: `corpus show runs/llama/books/20-gutenberg-1f3a9c2e --border length.min_chars`
    """
    from corpus import show as view
    from corpus.dataset import StepFolder
    from corpus.steps.samples import SAMPLE_CHARACTERS
    from corpus.visible import visible

    if border is not None:
        if dropped is not None:
            raise UserError("give --dropped or --border, not both")
        print_borders(folder, border, limit, SAMPLE_CHARACTERS)
        return
    step = StepFolder(folder)
    manifest = step.manifest()
    print(f"{folder}: {manifest['documents']['in']:,} in, {manifest['documents']['out']:,} out")
    for rule, reason, count in view.counts(step):
        print(f"  {rule}.{reason}: {count:,}")
    for row in view.samples(step, dropped, limit):
        place = ", ".join(str(row[name]) for name in ("file", "member", "record") if row[name] is not None)
        print(visible(f"\n=== {row['id'] or place}" + (f" ({place})" if row["id"] else "")))
        partner = view.partner_of(step, row) if dropped is not None else None
        text = str(row["text"] if row["text"] is not None else row["detail"])
        if partner is not None:
            where = "" if partner.text is not None else ", whose text is not in this run"
            print(visible(f"{row['reason']} of {partner.id}, similarity {partner.score:.3f}{where}"))
            text = text if partner.text is None else view.differences(text, partner.text[:SAMPLE_CHARACTERS])
        print(visible(text))


def trace(
    place: Annotated[str | None, typer.Argument(help="a finished step's folder, or a packed shard")] = None,
    position: Annotated[
        int | None, typer.Argument(min=0, help="row of the part, or position of a token in the shard")
    ] = None,
    part: Annotated[int, typer.Option(min=0, help="number of the part, for a step's folder")] = 0,
    run: Annotated[str | None, typer.Option(help="output folder of a training run, in place of PLACE POSITION")] = None,
    step: Annotated[int | None, typer.Option(min=1, help="of the run, as metrics.jsonl counts")] = None,
    sequence: Annotated[
        int | None, typer.Option(min=0, help="of the step's batch, from 0: its text, and its documents")
    ] = None,
    chars: Annotated[int, typer.Option(min=0, help="characters of each stage to print; 0 = all")] = 2000,
) -> None:
    """Follow a document, a token, or a training step back to its raw bytes: the text after every step.

    Example: `corpus trace runs/llama/tokens/books-1f3a9c2e/shard-00000.tok 1000`

    Example: `corpus trace --run runs/llama/model --step 1200 --sequence 7`
    """
    if place is not None and position is not None and (run, step, sequence) == (None, None, None):
        if place.endswith(".tok"):
            _print_token(place, position, chars)
        elif exists(join(place, "index.json")):
            raise UserError(
                f"{place} is a token folder: give one of its shards, as in {join(place, 'shard-00000.tok')}"
            )
        else:
            _print_way(place, part, position, chars)
    elif run is not None and step is not None and place is None:
        _print_step(run, step, sequence, chars)
    else:
        raise UserError("give PLACE and POSITION, or --run and --step: see corpus trace --help")


def _print_token(shard: str, position: int, chars: int) -> None:
    from tokenizer.trace import locate

    found = locate(shard, position)
    print(f"token {position} of {shard}: {found.piece!r}, token {found.offset} of document {found.id}")
    print(f"  in {found.around!r}")
    _print_way(found.step, found.part, found.row, chars)


def _print_way(folder: str, part: int, row: int, chars: int) -> None:
    from corpus.dataset import StepFolder
    from corpus.trace import trace as way

    for stage in way(StepFolder(folder), part, row):
        print(f"\n=== {stage.name}" + (f" ({stage.detail})" if stage.detail else ""))
        _print_text(stage.text, chars)


def _print_text(text: str, chars: int) -> None:
    from corpus.visible import visible

    print(visible(text[: chars or None]))
    if chars and len(text) > chars:
        print(f"... and {len(text) - chars:,} characters more (--chars 0 prints all)")


def _print_step(run: str, step: int, sequence: int | None, chars: int) -> None:
    from tokenizer.trace import text_of, trace_sequences
    from trainer.records import step_data

    data = step_data(run, step)
    print(f"step {step} of {run}: sequences {data.first} to {data.first + data.count - 1} of {data.manifest}")
    if sequence is not None and sequence >= data.count:
        raise UserError(f"--sequence {sequence}: a step of this run has {data.count} sequences, from 0")
    chosen = range(data.count) if sequence is None else range(sequence, sequence + 1)
    for traced in trace_sequences(data.manifest, data.fingerprint, data.first + chosen[0], len(chosen)):
        found = traced.trace
        print(f"{traced.number - data.first}: {found.source}, epoch {found.epoch}, its sequence {found.sequence}")
        for span, name in zip(found.spans, traced.documents, strict=True):
            print(f"  {span.start:>6} to {span.stop - 1:<6} {name}, from its token {span.offset} on")
        for span in found.spans if sequence is not None else ():
            print(f"\n=== tokens {span.start} to {span.stop - 1}")
            _print_text(text_of(span), chars)
            print()
            _print_token(span.shard, span.position, chars)
