"""A short run of the fuzzer; the script takes more inputs, and real pages."""

import random
from pathlib import Path

from tests.fuzz.wikipedia import check, mutated

PAGES = [
    "'''A''' ({{lang|fr|b}}, {{cn}}) is {{convert|5|km}} [[c|d]].<ref>{{cite|x=[[y]]}}</ref>\n== See also ==\n* [[e]]",
    "{{Infobox\n| a = b\n}}\n{| class=x\n! y\n|-\n| z || {{formatnum:12}}\n|}\n f(x)\n10<sup>5</sup> <math>a<b</math>",
]


def test_some_inputs(tmp_path: Path) -> None:
    generator = random.Random(1)
    for _ in range(50):
        check(tmp_path, mutated(PAGES, generator.randrange))
