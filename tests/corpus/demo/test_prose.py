"""Docstrings, and how they are dealt out."""

from corpus.demo.prose import Block, Entry, Module, deal, modules

DOCSTRING = """\
Adds two numbers, and says so
in two lines.

Parameters
----------
a : int
    The first.

>>> add(1, 2)
3

See also `subtract`, which takes one from the other.
"""


def test_prose_is_joined_and_everything_else_keeps_its_lines() -> None:
    assert Entry("add", DOCSTRING).blocks() == [
        Block("Adds two numbers, and says so in two lines.", True),
        Block("Parameters\n----------\na : int\n    The first.", False),
        Block(">>> add(1, 2)\n3", False),
        Block("See also `subtract`, which takes one from the other.", True),
    ]


def test_modules_come_in_a_fixed_order_and_not_by_name() -> None:
    first = [module.name for module, _ in zip(modules(), range(20), strict=False)]
    again = [module.name for module, _ in zip(modules(), range(20), strict=False)]
    assert first == again
    assert len(set(first)) == 20
    assert first != sorted(first)


def test_takers_fill_up_at_the_same_pace_and_then_it_ends() -> None:
    many = [Module(f"m{number}", (Entry("m", "x" * 10),)) for number in range(1000)]
    left = iter(many)
    dealt = deal(left, {"large": 900, "small": 100})
    sizes = {taker: sum(module.size for module in some) for taker, some in dealt.items()}
    assert sizes == {"large": 900, "small": 100}
    assert len(list(left)) == 1000 - 101  # the one that nobody wanted any more was looked at
    few = deal(iter(many[:50]), {"large": 900, "small": 100})
    assert [len(few["large"]), len(few["small"])] == [45, 5]
