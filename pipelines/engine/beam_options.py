"""The options that a person hands to Beam, checked before Beam takes them."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from corpus.errors import UserError

WITHOUT_RUNNING = ("dry_run", "template_location", "output_executable_path", "no_wait_until_finish")
"""Options of Beam by which a runner returns before the pipeline has run, or without running it."""


def parse(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options as on a command line.

    Raises:
        UserError: one of them would have the pipeline built and not run.
    """
    options = PipelineOptions(list(flags))
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    for name in WITHOUT_RUNNING:
        if name in given:
            raise UserError(
                f"--{name} returns before a job has run, and every step needs the result of its job: leave it out; "
                "`corpus doctor` tries a runner without touching a run"
            )
    return options
