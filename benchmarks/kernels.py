"""First-run compile time of every kernel, and of those that `corpus demo` needs.

    python -m benchmarks.kernels

With nothing compiled before, in one process on one core: seconds of processor time, of each kernel without the kernels
that it calls, but with what it takes of numba's own (`np.empty`, `max`). A kernel has one row for all the types of
arguments that it is compiled for.
"""

import os
import tempfile
import time
from collections import defaultdict
from typing import Any

import numba
from numba.core import event

from corpus.cli.warm_up import use_kernels
from corpus.recipe.load import bundled, load
from corpus.registry import rules as registered


class Compiled(event.Listener):
    """Attributes:
    seconds: by kernel, one for each compilation.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._open: list[list[float]] = []  # of each compilation under way: its begin, and what is not its own

    def on_start(self, started: Any) -> None:
        self._open.append([time.process_time(), 0.0])

    def on_end(self, ended: Any) -> None:
        begun, inner = self._open.pop()
        whole = time.process_time() - begun
        function = ended.data["dispatcher"].py_func
        numbas = function.__module__.startswith("numba.")
        if self._open:
            self._open[-1][1] += inner if numbas else whole
        if not numbas:
            self.seconds[f"{function.__module__}.{function.__qualname__}"].append(whole - inner)

    def total(self) -> float:
        return sum(map(sum, self.seconds.values()))


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    recipe = load(bundled("demo"), variables={"DEMO": "demo"}, needs_models=False)
    rules = {named.name for plan in recipe.sources for named in plan.steps} | {named.name for named in recipe.across}
    compiled = Compiled()
    event.register("numba:compile", compiled)
    with tempfile.TemporaryDirectory() as folder:
        numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]
        use_kernels(sorted(rules))
        of_demo, demo_seconds = set(compiled.seconds), compiled.total()
        use_kernels(named.name for named in registered())

    print(f"{'kernel':52}{'types':>6}{'seconds':>9}")
    for name, seconds in sorted(compiled.seconds.items(), key=lambda entry: -sum(entry[1])):
        mark = "  demo" if name in of_demo else ""
        print(f"{name:52}{len(seconds):6}{sum(seconds):9.2f}{mark}")
    everything = sum(map(len, compiled.seconds.values()))
    print(f"{'all of ' + str(len(compiled.seconds)) + ' kernels':52}{everything:6}{compiled.total():9.2f}")
    print(f"{'those of `corpus demo`, ' + str(len(of_demo)):58}{demo_seconds:9.2f}")


if __name__ == "__main__":
    main()
