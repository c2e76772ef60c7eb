"""Timing two pieces of work against each other, and the table of what came out."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_SECONDS = 25  # for one comparison; slow work gets fewer repetitions, but LEAST
LEAST = 7


@dataclass(frozen=True)
class Row:
    """A line of the table.

    ``value`` and ``target`` are numbers in ``unit``; ``target`` is None where a figure informs
    only. ``against`` says what the value is measured against, with the absolute size of that.
    """

    name: str
    value: float | str
    unit: str = "x"
    target: float | None = None
    against: str = ""
    runs: int = 1

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISSED``; empty where nothing was promised."""
        if self.target is None or isinstance(self.value, str):
            return ""
        return "ok" if self.value <= self.target else "MISSED"

    def write(self) -> tuple[str, ...]:
        """The cells of the line."""
        value = self.value if isinstance(self.value, str) else f"{self.value:.3g} {self.unit}"
        reach = "" if self.target is None else f"<= {self.target:g} {self.unit}"
        return (self.name, value.strip(), reach.strip(), self.verdict, str(self.runs), self.against)


HEADINGS = ("", "figure", "reach", "", "runs", "against")


def alternate(works: Sequence[Callable[[], object]], repetitions: int) -> list[list[float]]:
    """Seconds that each piece of work takes in each round: after a warm-up, in turn.

    All that a round leaves behind is collected between the rounds, outside the timing, and each
    round begins with another work: A B C, B C A, ... The first work runs untimed before each timed
    one: what comes right after heavy work takes up to several times as long, and would else always
    be the same one.
    """
    start = time.perf_counter()
    for work in [*works, *works]:
        works[0]()
        work()
    spent = (time.perf_counter() - start) / 2
    rounds = max(LEAST, min(repetitions, int(MOST_SECONDS / spent)))
    seconds: list[list[float]] = [[] for _ in works]
    for first in range(rounds):
        gc.collect()
        for position in range(len(works)):
            at = (first + position) % len(works)
            works[0]()
            start = time.perf_counter()
            works[at]()
            seconds[at].append(time.perf_counter() - start)
    return seconds


def compare(base: Sequence[float], other: Sequence[float]) -> float:
    """How many times as long ``other`` takes: the median over the rounds, whose two runs met the
    same load."""
    return statistics.median(b / a for a, b in zip(base, other, strict=True))


def write_milliseconds(seconds: Sequence[float]) -> str:
    """The median, in milliseconds."""
    return f"{statistics.median(seconds) * 1000:.3g} ms"


def print_rows(title: str, rows: Sequence[Row], widths: Sequence[int]) -> None:
    """A part of the table, as soon as it is there."""
    print(f"\n{title}")
    for row in rows:
        print(align(row.write(), widths), flush=True)


def align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells of a line in columns: words to the left, numbers to the right."""
    right = (1, 2, 4)
    placed = [
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  " + "  ".join(placed).rstrip()
