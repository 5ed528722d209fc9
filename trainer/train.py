"""Trains a model on a mixture of tokens.

    torchrun --nproc-per-node 8 -m trainer.train recipe.yaml mixture=RUN/mixture-1f3a9c2e/manifest.json \\
        output=RUN/model model.size=7B parallel.tensor=2

Without torchrun it is a run of one process. It goes on from the newest whole checkpoint in `output`, whatever number of
processes wrote it. SIGTERM or SIGUSR1 saves a checkpoint after the step under way and exits with 75 ("try again").
"""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from corpus.errors import UserError
from corpus.lock import Refused, lock
from corpus.storage import relative

try:
    import safetensors  # noqa: F401  torch's safetensors storage imports it only when it writes
    import torch
    import torch.distributed as dist

    from trainer import attention, checkpoint
    from trainer.config import RunSettings, TrainingSettings, defaults, override, read_recipe
    from trainer.guard import Guard
    from trainer.heldout import describe, heldout, read_heldout
    from trainer.loader import Loader, Tokens
    from trainer.metrics import Metrics
    from trainer.model import Llama
    from trainer.optim import build_optimiser, clip_gradients, learning_rate, update, updates_made
    from trainer.parallel import build_mesh, check_fits, parallelise, processes
except ModuleNotFoundError as error:
    if error.name not in ("torch", "safetensors"):
        raise
    message = f"training needs {error.name}, which is not installed: pip install '.[train]' in the project's folder"
    if __name__ == "__main__":
        sys.exit(f"error: {message}")
    raise UserError(message) from None

USAGE = "usage: python -m trainer.train RECIPE mixture=PATH output=PATH [SECTION.NAME=VALUE ...]"

EXIT_STOPPED = 75
"""EX_TEMPFAIL of sysexits.h: saved on a signal; start the same command again to go on."""


def run(
    settings: TrainingSettings, manifest: str, output: str, *, vocab_size: int | None = None, **overrides: Any
) -> dict[str, Any]:
    """Trains on the mixture of a manifest.json, in this process or as one of torchrun's, and returns `train`'s result.

    A mixture whose tokenizer has not `vocab_size` pieces is refused. `overrides` are dotted keys: `run(settings,
    manifest, output, **{"run.steps": 100})`. Raises UserError; Refused, on every process, while another run trains
    into `output`.
    """
    from tokenizer.reader import TokenReader

    settings = override(settings, overrides)
    tokens = TokenReader(manifest)
    if vocab_size not in (None, tokens.vocab_size):
        raise UserError(
            f"{manifest}: the tokenizer has {tokens.vocab_size} pieces, the recipe's tokenizer.vocab_size is"
            f" {vocab_size}; give the mixture of this recipe"
        )
    with processes(settings.run.device) as device, _only_run(output):
        return train(settings, tokens, Path(output), device)


def train(settings: TrainingSettings, tokens: Tokens, output: Path, device: torch.device) -> dict[str, Any]:
    """Trains until the last step or a signal. Every process of the group calls it.

    Returns `steps` (updates done), `stopped` (by a signal), `train_loss` (nats a token, mean over the last log
    interval; None when nothing was left to train), `tokens_per_s`, and `heldout` (`trainer.heldout.heldout`).
    """
    run = settings.run
    mesh = build_mesh(device, settings.parallel.tensor)
    dp, rank = mesh["dp"], dist.get_rank()
    check_fits(settings, tokens.vocab_size, tokens.seq_len, dp.size())
    backend = attention.choose(
        settings.parallel.attention, device, settings.parallel.precision, settings.model.dim // settings.model.heads,
        document_mask=run.document_mask,
    )  # fmt: skip

    loader = Loader(tokens, run.batch, rank=dp.get_local_rank(), ranks=dp.size(), device=device)
    step, recent = 0, None
    found = checkpoint.newest(output)
    if found:
        folder, position, damaged = found
        checkpoint.check_tokens(folder, position, tokens)
        # Imported weights have no fingerprint, and begin with any mixture.
        loader.load_state_dict({"sequence": position.sequence, "fingerprint": tokens.fingerprint})
        step, recent = position.step, position.recent
    sequence = loader.position
    steps = run.steps or step + (tokens.sequences - sequence) // run.batch
    if steps == 0:
        raise UserError(f"run.batch: {run.batch} is more than the mixture's {tokens.sequences} sequences")
    if (end := sequence + (steps - step) * run.batch) > tokens.sequences:
        raise UserError(
            f"run.steps: {steps - step} steps of {run.batch} sequences from sequence {sequence} on need {end}, the"
            f" mixture holds {tokens.sequences}; fewer steps or a longer mixture"
        )
    if settings.optimiser.warmup_steps >= steps:
        raise UserError(f"optimiser.warmup_steps: {settings.optimiser.warmup_steps} is not below the {steps} steps")

    with torch.device("meta"):
        model = Llama(settings.model, tokens.vocab_size, tokens.seq_len, document_start(run, tokens), backend)
    parallelise(model, mesh, settings.parallel)
    model.materialise(device, run.seed, run.init_std, run.init_scaled)
    optimiser = build_optimiser(model, settings.optimiser)
    if found:
        checkpoint.load(folder, position, model, optimiser)

    data = {
        "mixture": relative(tokens.manifest, str(output)), "fingerprint": tokens.fingerprint,
        "batch": run.batch, "step": step, "sequence": sequence, "attention": backend.name,
    }  # fmt: skip
    metrics = Metrics(
        output, settings, tokens.vocab_size, tokens.seq_len, device, mesh.size(), steps, data, quiet=rank != 0
    )
    metrics.say(f"attention: {backend.name}")
    if found:
        for line in damaged:
            metrics.say(f"damaged checkpoint passed over: {line}")
        metrics.say(f"going on from {folder}: step {step:,}, sequence {sequence:,}")
        metrics.event("resume", step=step, sequence=sequence, damaged=damaged)
    if step >= steps:
        metrics.say(f"nothing left to train: {step:,} steps are done, {steps:,} are asked for")

    heldout_windows = read_heldout(tokens, run.eval_sequences)  # before the loader's thread reads `tokens`
    if without := [source for source in tokens.sources if source not in heldout_windows]:
        metrics.say(f"no held-out loss of {', '.join(without)}: their held-out documents do not fill a window")

    def evaluate() -> dict[str, dict[str, float]]:
        begun = time.perf_counter()
        results = heldout(model, heldout_windows, run.micro_batch, mesh)
        metrics.event("heldout", step=step, sources=results)
        for line in describe(results):
            metrics.say(line)
        metrics.pause(time.perf_counter() - begun)
        return results

    def saved(done: checkpoint.Saved) -> None:
        metrics.event(
            "checkpoint", step=done.step, bytes=done.bytes, write_seconds=done.write_seconds,
            stall_seconds=done.stall_seconds,
        )  # fmt: skip
        metrics.say(
            f"saved {done.folder}: written in {done.write_seconds:.1f} s, training stood still for"
            f" {done.stall_seconds:.1f} s"
        )

    def save() -> None:
        begun = time.perf_counter()
        where = checkpoint.Position(
            step=step, updates=updates_made(optimiser), **loader.state_dict(), tokenizer=tokens.tokenizer,
            vocab_size=tokens.vocab_size, seq_len=tokens.seq_len,
            settings=checkpoint.SavedSettings(**settings.model_dump()), recent=guard.recent(),
        )  # fmt: skip
        saver.save(model, optimiser, where)
        metrics.pause(time.perf_counter() - begun)

    train_loss, stopped = None, False
    interval_loss, interval_steps = torch.zeros((), device=device), 0
    guard = Guard(device, settings.optimiser.skip_spikes, recent)
    metrics.start(step)
    saver = checkpoint.Saver(output, step, settings.checkpoint.keep, device, saved)
    # In this order: after the last step the saver waits for the last checkpoint, still deaf to signals.
    with _stop_signals() as stop, saver, closing(loader):
        for windows in islice(loader, max(0, steps - step)):
            lr = learning_rate(step, steps, settings.optimiser)
            for group in optimiser.param_groups:
                group["lr"] = lr
            # Each window gives seq_len labels, so the global number of labels is known; the loss is a sum divided
            # by it, and does not depend on how the batch is cut.
            labels = run.batch * tokens.seq_len
            step_loss = torch.zeros((), device=device)
            for micro in torch.split(windows, run.micro_batch):
                loss = model(micro[:, :-1], micro[:, 1:]) / labels
                loss.backward()
                step_loss += loss.detach()
            dist.all_reduce(step_loss, group=dp.get_group())
            norm = clip_gradients(model, settings.optimiser.clip)
            step += 1
            update(optimiser, guard.judge(step, step_loss, norm))
            interval_loss += step_loss
            interval_steps += 1
            stopped = _any_rank(stop.is_set() or saver.failed)
            last = stopped or step == steps
            save_now = last or step % settings.checkpoint.every == 0

            if save_now or step % run.log_every == 0:
                train_loss = float(interval_loss) / interval_steps
                metrics.log(
                    step, loader.position * tokens.seq_len, train_loss, float(norm), lr, waited=loader.waited,
                    spikes=guard.spikes,
                )  # fmt: skip
                interval_loss.zero_()
                interval_steps = 0
                if broken := guard.first_broken:
                    raise UserError(
                        f"step {broken}: the loss or the gradient is not finite; no update was made with it. See its"
                        f" documents (corpus trace --run {output} --step {broken}); the same command goes on from the"
                        " last checkpoint"
                    )
            saver.poll()
            if save_now:
                save()  # raises what has failed
            if stopped:
                break
            if run.eval_every and step % run.eval_every == 0 and not last:
                evaluate()
        results = {} if stopped else evaluate()
    metrics.close()
    return {
        "steps": step,
        "stopped": stopped,
        "train_loss": train_loss,
        "tokens_per_s": metrics.tokens_per_s,
        "heldout": results,
    }


def document_start(run: RunSettings, tokens: Tokens) -> int | None:
    """The id that begins each document where attention is cut between documents, else None.

    Raises UserError when it should be, and the documents were tokenised without a BOS.
    """
    if run.document_mask and tokens.bos is None:
        raise UserError(
            "run.document_mask: not all documents of this mixture begin with a BOS, so where they begin is not known;"
            " tokenise them with bos: true, or leave the mask out"
        )
    return tokens.bos if run.document_mask else None


@contextmanager
def _only_run(output: str) -> Iterator[None]:
    """Rank 0 locks the folder for the whole group; where it cannot, every process raises Refused."""
    with ExitStack() as held:
        refusal: list[str | None] = [None]
        if dist.get_rank() == 0:
            try:
                held.enter_context(lock(output, "training run"))
            except UserError as error:
                refusal = [str(error)]
        dist.broadcast_object_list(refusal)
        if refusal[0] is not None:
            raise Refused(refusal[0])
        yield


def _any_rank(flag: bool) -> bool:
    """Whether the flag is set on any process. Travels between hosts; the GPU is not waited for."""
    tensor = torch.tensor(int(flag))
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return bool(tensor)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGUSR1 set, instead of what they did before. Only the main thread can catch them."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str]) -> int:
    """The command line of the module.

    Returns the exit code: 0 done, 75 stopped by a signal, 2 a user's mistake, 1 another process has ended, 130 Ctrl-C.
    """
    try:
        if {"-h", "--help"} & set(arguments):
            print(f"{USAGE}\n\n{__doc__}\nSettings of the recipe's `training:`, and their defaults:\n")
            print("\n".join(f"    {name}={default}" for name, default in defaults().items()))
            return 0
        if not arguments:
            raise UserError(f"{USAGE}; --help says more")
        settings, paths, vocab_size = read_recipe(arguments[0], arguments[1:])
        missing = {"mixture", "output"} - paths.keys()
        unknown = paths.keys() - {"mixture", "output"}
        if missing or unknown:
            wrong = [
                *(f"{key}= is missing" for key in sorted(missing)),
                *(f"{key}: unknown" for key in sorted(unknown)),
            ]
            raise UserError(f"{'; '.join(wrong)}; give mixture=PATH and output=PATH, settings as SECTION.NAME=VALUE")
        result = run(settings, paths["mixture"], paths["output"], vocab_size=vocab_size)
    except UserError as error:
        rank = os.environ.get("RANK", "0")
        if rank == "0" or not isinstance(error, checkpoint.SaveFailed | Refused):  # those come on all ranks
            print(f"error: {error}" if rank == "0" else f"error on rank {rank}: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if not re.search("(closed|reset) by peer", str(error)):
            raise
        print(
            f"error on rank {os.environ.get('RANK', '0')}: another process has ended, and this run with it; the same"
            " command goes on from the last checkpoint",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return EXIT_STOPPED if result["stopped"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
