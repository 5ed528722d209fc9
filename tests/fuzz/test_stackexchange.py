"""A short run of the fuzzer; the script takes more inputs, and real posts."""

import random
from pathlib import Path

from tests.fuzz.stackexchange import bodies_of, check, mutated

BODIES = [
    "<p>Run</p>\n\n<ol start='2'>\n<li><p>this:</p>\n\n<pre><code>if x:\n    y\n</code></pre></li>\n</ol>\n",
    "<blockquote>\n<p>10<sup>5</sup> &lt; H<sub>2</sub>O</p>\n</blockquote><table><tr><td>a</td><td>b</table>",
]


def test_some_inputs(tmp_path: Path) -> None:
    bodies_of([])  # compiles the kernels, which takes longer than a record may
    generator = random.Random(1)
    for _ in range(100):
        check(tmp_path, *mutated(BODIES, generator.randrange))
