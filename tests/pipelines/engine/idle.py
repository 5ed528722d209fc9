"""Runners that run nothing."""

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState


class Idle(PipelineRunner):
    """Says that it is done, as a dry run of Dataflow does, and has run nothing."""

    def __init__(self, state: str) -> None:
        self.state = state

    def run_pipeline(self, pipeline: beam.Pipeline, options: PipelineOptions) -> PipelineResult:
        result = PipelineResult(self.state)
        result.wait_until_finish = lambda duration=None: self.state
        return result


class Interrupted(PipelineRunner):
    """A job that Ctrl-C comes to; `cancelled` says how often it was cancelled."""

    cancelled = 0

    def run_pipeline(self, pipeline: beam.Pipeline, options: PipelineOptions) -> PipelineResult:
        def wait(duration: int | None = None) -> None:
            raise KeyboardInterrupt

        def cancel() -> None:
            self.cancelled += 1
            result._state = PipelineState.CANCELLED

        result = PipelineResult(PipelineState.RUNNING)
        result.wait_until_finish, result.cancel = wait, cancel
        return result
