import functools
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from harness import SEQ_LEN, VOCAB, MemoryTokens, losses, records, small

from corpus.errors import UserError
from corpus.lock import Refused
from trainer import guard
from trainer import train as train_module
from trainer.checkpoint import SaveFailed, read_position
from trainer.model import Llama
from trainer.parallel import build_mesh, check_fits, parallelise, processes
from trainer.train import EXIT_STOPPED, main, train


def test_learns_what_can_be_memorised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with processes("cpu") as device:
        result = train(small(run__steps=50, run__log_every=10), MemoryTokens(), tmp_path, device)
    assert losses(tmp_path)[0] < math.log(64) + 0.1
    assert result["steps"] == 50
    assert result["train_loss"] == losses(tmp_path)[-1]
    assert "no held-out loss of empty: " in capsys.readouterr().err
    for values in result["heldout"].values():
        assert values["loss"] < values["unigram_entropy"] - 0.5


@pytest.mark.parametrize("changes", [{"run__micro_batch": 1}, {"run__micro_batch": 8}])
def test_the_micro_batch_changes_nothing(tmp_path: Path, changes: dict[str, int]) -> None:
    with processes("cpu") as device:
        train(small(run__steps=5), MemoryTokens(), tmp_path / "a", device)
        train(small(run__steps=5, **changes), MemoryTokens(), tmp_path / "b", device)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), abs=1e-5)


def test_gradients_add_up_over_micro_batches() -> None:
    settings = small()
    windows = torch.as_tensor(MemoryTokens().batch(0, 8).astype(np.int64))
    gradients = []
    with processes("cpu") as device:
        with torch.device("meta"):
            model = Llama(settings.model, VOCAB, SEQ_LEN)
        parallelise(model, build_mesh(device, 1), settings.parallel)
        model.materialise(device, 0)
        for micro_batch in (8, 4, 1):
            for micro in torch.split(windows, micro_batch):
                (model(micro[:, :-1], micro[:, 1:]) / windows[:, 1:].numel()).backward()
            gradients.append({name: p.grad.full_tensor() for name, p in model.named_parameters()})
            model.zero_grad()
    whole, *cut = gradients
    assert all(gradient.norm() > 0 for gradient in whole.values())
    for accumulated in cut:
        torch.testing.assert_close(accumulated, whole, rtol=1e-4, atol=1e-6)


def test_documents_without_a_start_cannot_be_masked(tmp_path: Path) -> None:
    tokens = MemoryTokens()
    tokens.bos = None
    with (
        processes("cpu") as device,
        pytest.raises(UserError, match="not all documents of this mixture begin with a BOS"),
    ):
        train(small(run__document_mask=True), tokens, tmp_path, device)


def test_bfloat16_and_compiled_blocks_train_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """aot_eager: the graphs of a compiled run without a C++ compiler's time."""
    compiled = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compiled)
    changes = {"parallel__compile": True, "parallel__precision": "bfloat16"}
    with processes("cpu") as device:
        train(small(run__steps=6), MemoryTokens(), tmp_path / "a", device)
        torch._dynamo.utils.counters.clear()
        train(small(run__steps=6, **changes), MemoryTokens(), tmp_path / "b", device)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), abs=0.02)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert 1 <= graphs <= 4  # training and evaluation, not one a layer
    assert not torch._dynamo.utils.counters["graph_break"]


class Signalling(MemoryTokens):
    """Sends this process a signal when a certain window is read."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def batch(self, first: int, count: int) -> npt.NDArray[np.integer]:
        if first == 64:
            os.kill(os.getpid(), self.number)
        return super().batch(first, count)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_stops(tmp_path: Path, number: int) -> None:
    handler = signal.getsignal(number)
    with processes("cpu") as device:
        train(small(), MemoryTokens(), tmp_path / "whole", device)
        result = train(small(), Signalling(number), tmp_path / "stopped", device)
        assert result["stopped"]
        assert 0 < result["steps"] < 10
        assert signal.getsignal(number) == handler
        assert losses(tmp_path / "stopped") != losses(tmp_path / "whole")
        result = train(small(), MemoryTokens(), tmp_path / "stopped", device)
    assert (result["stopped"], result["steps"]) == (False, 20)
    assert losses(tmp_path / "stopped") == pytest.approx(losses(tmp_path / "whole"), abs=1e-6)


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    settings = small(optimiser__lr=1e30, run__steps=6)  # the first update throws the weights out of float32
    with processes("cpu") as device, pytest.raises(UserError, match="step 2: the loss or the gradient is not finite"):
        train(settings, MemoryTokens(), tmp_path, device)
    assert not (tmp_path / "checkpoints").exists()


def watch_weights(monkeypatch: pytest.MonkeyPatch, plant: int | None = None) -> list[torch.Tensor]:
    """The output matrix before each update; before update number `plant` one of its gradients becomes no number."""
    before: list[torch.Tensor] = []
    clip = train_module.clip_gradients

    def watched(model: torch.nn.Module, limit: float) -> torch.Tensor:
        weight = model.output.weight
        before.append(weight.detach().full_tensor().clone())
        if len(before) == plant:
            weight.grad.to_local()[3, 5] = math.nan
        return clip(model, limit)

    monkeypatch.setattr(train_module, "clip_gradients", watched)
    return before


def test_a_gradient_that_is_no_number_never_reaches_the_weights_and_its_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = watch_weights(monkeypatch, plant=6)
    message = r"step 6: .* not finite.*corpus trace --run \S+ --step 6\)"
    with processes("cpu") as device, pytest.raises(UserError, match=message):
        train(small(run__log_every=4, checkpoint__every=4), MemoryTokens(), tmp_path, device)
    assert len(weights) == 8  # noticed at the next step that is logged
    assert not weights[5].equal(weights[4])
    assert weights[6].equal(weights[5])
    assert not weights[7].equal(weights[6])
    assert [folder.name for folder in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]


def test_a_spike_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = MemoryTokens()
    tokens.windows[25 * 8 : 26 * 8] = np.random.default_rng(5).integers(0, 64, tokens.windows[:8].shape)
    monkeypatch.setattr(guard, "WINDOW", 8)
    weights = watch_weights(monkeypatch)
    with processes("cpu") as device:
        train(small(run__steps=30, optimiser__skip_spikes=6.0, checkpoint__every=9), tokens, tmp_path / "a", device)
        left_out = [n for n in range(1, 30) if weights[n].equal(weights[n - 1])]
        assert left_out == [26]
        assert [record["skipped_spikes"] for record in records(tmp_path / "a", "step")] == [0] * 25 + [1] * 5
        # A run that goes on from before the spike finds it too; one from after it knows of one update fewer.
        for step in (18, 27):
            folder = f"step-{step:08d}"
            shutil.copytree(tmp_path / "a/checkpoints" / folder, tmp_path / f"{step}/checkpoints" / folder)
            train(small(run__steps=30, optimiser__skip_spikes=6.0), tokens, tmp_path / str(step), device)
            assert losses(tmp_path / str(step)) == pytest.approx(losses(tmp_path / "a")[step:], abs=1e-6)
    assert records(tmp_path / "18", "step")[-1]["skipped_spikes"] == 1
    made = [read_position(tmp_path / f"a/checkpoints/step-{step:08d}").updates for step in (18, 27, 30)]
    assert made == [18, 26, 29]


def test_every_step_is_in_the_metrics(tmp_path: Path) -> None:
    with processes("cpu") as device:
        train(small(run__steps=6, run__log_every=3, run__eval_every=2), MemoryTokens(), tmp_path, device)
    (start,) = records(tmp_path, "start")
    assert start["device"] == "CPU"
    assert start["peak_flops"] is None
    steps = records(tmp_path, "step")
    assert [record["step"] for record in steps] == [3, 6]
    assert all(record["mfu"] is None and record["tokens_per_s"] > 0 for record in steps)
    assert steps[-1]["tokens"] == 6 * 8 * 32
    assert [record["step"] for record in records(tmp_path, "heldout")] == [2, 4, 6]


def test_without_steps_the_mixture_is_read_to_its_end(tmp_path: Path) -> None:
    with processes("cpu") as device:
        result = train(small(run__steps=None), MemoryTokens(60), tmp_path, device)
    assert result["steps"] == 7  # 60 sequences, 8 a step


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run__batch": 6}, "run.batch: 6 is not a multiple"),
        ({"parallel__tensor": 2}, "parallel.tensor: 2 does not divide the 1 processes"),
        ({"optimiser__warmup_steps": 20}, "warmup_steps: 20 is not below the 20 steps"),
        ({"run__steps": 51}, "need 408, the mixture holds 400"),
        ({"run__steps": None, "run__batch": 800}, "run.batch: 800 is more than the mixture's 400"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    with processes("cpu") as device, pytest.raises(UserError, match=message):
        train(small(**changes), MemoryTokens(), tmp_path, device)


RECIPE = """
format: 1
sources: {books: {input: never-looked-at}}
training:
  model: {size: tiny}
  run: {device: cpu, steps: 4}
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: python -m trainer.train .*; --help says more"),
        (["missing.yaml"], "missing.yaml: cannot read the recipe"),
        (["recipe.yaml", "run.batch"], "'run.batch': not of the form key=value"),
        (["recipe.yaml", "run.wandb=["], "run.wandb=.: the value is not YAML"),
        (["recipe.yaml", "output=model", "mixture=."], ". is a folder: give the manifest.json"),
        (["recipe.yaml", "run.bach=3"], r"training.run.bach: no such setting; did you mean run.batch\?"),
        (["recipe.yaml", "run.batch=many"], "training.run.batch: .*found 'many'"),
        (["recipe.yaml", "output=model"], "mixture= is missing"),
        (["recipe.yaml", "output=model", "mixture=m", "steps=3"], "steps: unknown"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(f"^error: .*{message}", line)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["recipe.yaml", "run.batch=8", "--help"]])
def test_help_is_no_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: python -m trainer.train RECIPE mixture=PATH output=PATH [SECTION.NAME=VALUE ...]\n")
    assert "\n    parallel.recompute=selective\n" in out
    assert not err


def test_tokens_are_those_that_were_read_also_when_the_batch_changes(tmp_path: Path) -> None:
    with processes("cpu") as device:
        train(small(optimiser__warmup_steps=0, run__steps=2), MemoryTokens(), tmp_path, device)
        train(small(optimiser__warmup_steps=0, run__steps=3, run__batch=16), MemoryTokens(), tmp_path, device)
    assert [record["tokens"] for record in records(tmp_path, "step")] == [8 * 32, 16 * 32, 32 * 32]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            RuntimeError("[gloo/pair.cc:561] Connection closed by peer [127.0.0.1]:31440."),
            1,
            "error on rank 0: another",
        ),
        (KeyboardInterrupt(), 130, "interrupted: the same command"),
    ],
)
def test_an_end_from_outside_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    error: BaseException, code: int, line: str,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "recipe.yaml").write_text(RECIPE)
    monkeypatch.setattr(train_module, "run", fail)
    assert main([str(tmp_path / "recipe.yaml"), "mixture=m", "output=o"]) == code
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(line)


def test_exit_code_of_a_stopped_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    monkeypatch.setattr(train_module, "run", lambda settings, *_, **__: {"stopped": settings.run.steps == 5})
    arguments = [str(tmp_path / "recipe.yaml"), "mixture=m", f"output={tmp_path}"]
    assert main([*arguments, "run.steps=5"]) == EXIT_STOPPED == 75
    assert main(arguments) == 0


@pytest.mark.parametrize(
    ("error", "rank", "line"),
    [
        (SaveFailed("the disk is full"), "0", "error: the disk is full\n"),
        (SaveFailed("the disk is full"), "1", ""),
        (Refused("another run is there"), "0", "error: another run is there\n"),
        (Refused("another run is there"), "1", ""),
        (UserError("a shard is gone"), "1", "error on rank 1: a shard is gone\n"),
    ],
)
def test_what_every_process_finds_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    error: UserError, rank: str, line: str,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "recipe.yaml").write_text(RECIPE)
    monkeypatch.setattr(train_module, "run", fail)
    monkeypatch.setenv("RANK", rank)
    assert main([str(tmp_path / "recipe.yaml"), "mixture=m", "output=o"]) == 2
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("changes", "vocab_size", "seq_len", "message"),
    [
        ({"parallel__tensor": 3}, 63, 33, r"3 does not divide model.heads \(4\)"),
        ({"parallel__tensor": 4, "model__ffn_hidden": 130}, 64, 32, r"4 does not divide model.ffn_hidden \(130\)"),
        ({"parallel__tensor": 4}, 66, 32, r"4 does not divide the vocabulary \(66\)"),
        ({"parallel__tensor": 4}, 64, 34, r"4 does not divide the window \(34\)"),
        ({"run__batch": 8, "run__micro_batch": 4}, 64, 32, r"run.batch: 8 is not a multiple of .* \(3\) x .* \(4\)"),
    ],
)
def test_layouts_that_do_not_fit(changes: dict[str, int], vocab_size: int, seq_len: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_fits(small(**changes), vocab_size, seq_len, dp=3)


def test_without_torch_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['torch'] = None; import trainer.config, trainer.train"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "corpus.errors.UserError: training needs torch, which is not installed: "
        "pip install '.[train]' in the project's folder"
    )
