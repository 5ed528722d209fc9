from types import SimpleNamespace
from typing import Any

import pytest

from corpus.errors import UserError
from pipelines.engine.beam_options import WITHOUT_RUNNING, parse, refuse_unknown


@pytest.mark.parametrize("name", WITHOUT_RUNNING)
def test_an_option_by_which_nothing_runs_is_refused(name: str) -> None:
    flag = f"--{name}" if name == "no_wait_until_finish" else f"--{name}=True"
    with pytest.raises(UserError, match=f"^--{name} returns before a job has run"):
        parse([flag])
    with pytest.raises(UserError, match=f"^--{name} returns before a job has run"):
        parse(["--region=europe-west1", flag])


def test_a_word_that_is_no_option_or_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(UserError, match=r"^--beam-option=region=x is no option: write --beam-option=--NAME=VALUE$"):
        parse(["region=x"])
    with pytest.raises(UserError, match=r"^--beam-option: argument --parallelism: invalid int value: 'many': mend"):
        parse(["--parallelism=many"])


class JobService:
    """Of an engine that knows an option which Beam's Python side does not."""

    def DescribePipelineOptions(self, request: Any) -> Any:
        return SimpleNamespace(options=[SimpleNamespace(name="checkpointing_interval")])


def test_unknown_options_are_refused_and_known_ones_told() -> None:
    refuse_unknown(parse(["--region=europe-west1", "--experiments=a"]))
    with pytest.raises(UserError, match=r"^--beam-option=--spark_masterurl is no option .* mean --spark_master_url"):
        refuse_unknown(parse(["--spark_masterurl=spark://head:7077"]))
    options = parse(["--checkpointing_interval=1000"])
    with pytest.raises(UserError, match=r"--checkpointing_interval is no option"):
        refuse_unknown(options)
    refuse_unknown(options, JobService())
    with pytest.raises(UserError, match=r"--checkpointing_intervals is no option .* mean --checkpointing_interval\?"):
        refuse_unknown(parse(["--checkpointing_intervals=1000"]), JobService())
