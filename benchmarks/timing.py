"""Processor time of what is compared: the sides take turns, so that a change of the machine meets all of them."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

RUNS = 3


def in_turn(*sides: Callable[[], T], runs: int = RUNS) -> list[tuple[list[float], T]]:
    """(seconds of each run, what the last one returned) of each side."""
    times: list[list[float]] = [[] for _ in sides]
    results: dict[int, T] = {}
    for _ in range(runs):
        for number, side in enumerate(sides):
            start = time.process_time()
            results[number] = side()
            times[number].append(time.process_time() - start)
    return [(measured, results[number]) for number, measured in enumerate(times)]


def best(*sides: Callable[[], T]) -> list[tuple[float, T]]:
    """(seconds of the best of `RUNS` runs, what the last one returned) of each side."""
    return [(min(measured), result) for measured, result in in_turn(*sides)]


def first(texts: list[str], size: int) -> list[str]:
    """The first texts, so many that they have about `size` bytes: for a side that is slower."""
    some = []
    for text in texts:
        if size <= 0:
            break
        some.append(text)
        size -= len(text.encode())
    return some
