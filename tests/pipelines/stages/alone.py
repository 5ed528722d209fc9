"""One stage by itself, on finished folders, as the commands of single stages do it."""

from collections.abc import Mapping
from pathlib import Path

from corpus.dataset import StepFolder
from corpus.recipe.load import SourceEntry
from corpus.recipe.sections import TokenizerSection
from corpus.steps.identity import Step
from corpus.storage import parent
from pipelines.engine.runner import Runner
from pipelines.stages.extract import Extract
from pipelines.stages.given import Given
from pipelines.stages.process import Process
from pipelines.stages.stage import Stage
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import Tokenizer

RUNNER = Runner("local", 1, quiet=True)


def done(stage: Stage, work: Path | str, runner: Runner = RUNNER) -> bool:
    """Does what is missing of a stage. Returns whether anything was."""
    stage.check()
    if stage.finished():
        return False
    stage.run(runner, str(work))
    assert stage.finished()
    return True


def extracted(entry: SourceEntry, folder: Path, runner: Runner = RUNNER) -> StepFolder:
    """The documents of a source, in the folder named."""
    stage = Extract(entry, "", target=str(folder))
    done(stage, folder / ".work", runner)
    return stage.documents()


def processed(step: Step, before: StepFolder, folder: Path | str, runner: Runner = RUNNER) -> StepFolder:
    """What a step makes of documents, in the folder named."""
    given = Given(before)
    stage = Process(step, given.sources, (given,), (parent(str(folder)),), target=str(folder))
    done(stage, Path(folder) / ".work", runner)
    return StepFolder(str(folder))


def tokenizer_of(
    section: TokenizerSection,
    shares: Mapping[str, float],
    documents: Mapping[str, StepFolder],
    home: Path,
    target: Path | None = None,
) -> Tokenizer:
    before = {name: Given(folder) for name, folder in documents.items()}
    return Tokenizer(section, shares, before, str(home), target=None if target is None else str(target))


def tokens_of(documents: StepFolder, name: str, model: str, section: TokenizerSection, home: Path) -> Tokenize:
    """The stage that packs shards with a model that exists."""
    tokenizer = Tokenizer(section.model_copy(update={"model": model}), {}, {}, str(home))
    return Tokenize(name, Given(documents), tokenizer, tokenizer.section, str(home))
