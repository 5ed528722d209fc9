"""A runner that runs nothing."""

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineRunner


class Idle(PipelineRunner):
    """Says that it is done, as a dry run of Dataflow does, and has run nothing."""

    def __init__(self, state: str) -> None:
        self.state = state

    def run_pipeline(self, pipeline: beam.Pipeline, options: PipelineOptions) -> PipelineResult:
        result = PipelineResult(self.state)
        result.wait_until_finish = lambda duration=None: self.state
        return result
