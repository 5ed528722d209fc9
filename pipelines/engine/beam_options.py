"""The options that a person hands to Beam, checked before Beam takes them."""

import contextlib
import io
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2

from corpus.errors import UserError

WITHOUT_RUNNING = ("dry_run", "template_location", "output_executable_path", "no_wait_until_finish")
"""Options of Beam by which a runner returns before the pipeline has run, or without running it."""


def refuse_unknown(options: PipelineOptions, job_service: Any = None) -> None:
    """Refuses options that neither Beam's Python side knows nor, where a job is submitted to one, the job server.

    Beam itself leaves them out with a warning.

    Raises:
        UserError: naming them, and options of similar names.
    """
    ours = PipelineOptions([]).get_all_options()
    unknown = options.get_all_options(retain_unknown_options=True).keys() - ours.keys()
    names = set(ours)
    if unknown and job_service is not None:
        theirs = job_service.DescribePipelineOptions(beam_job_api_pb2.DescribePipelineOptionsRequest()).options
        names |= {option.name for option in theirs}
    for name in sorted(unknown - names):
        similar = get_close_matches(name, sorted(names), n=3)
        meant = f"do you mean --{' or --'.join(similar)}?" if similar else "leave it out"
        raise UserError(f"--beam-option=--{name} is no option that Beam or the runner knows: {meant}")


def parse(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options as on a command line.

    Raises:
        UserError: one is not written as an option is, has a value of another type, or would have the pipeline built and
            not run.
    """
    for flag in flags:
        if not flag.startswith("--"):
            raise UserError(f"--beam-option={flag} is no option: write --beam-option=--NAME=VALUE")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse says in two lines what is wrong
            options = PipelineOptions(list(flags))
            given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    except SystemExit:
        wrong = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise UserError(f"--beam-option: {wrong}: mend its value") from None
    for name in WITHOUT_RUNNING:
        if name in given:
            raise UserError(
                f"--{name} returns before a job has run, and every step needs the result of its job: leave it out; "
                "`corpus doctor` tries a runner without touching a run"
            )
    return options
