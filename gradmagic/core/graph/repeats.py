"""Repetition: the same ops again and again, as a Python loop leaves them behind."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.graph.boxes import Box, list_lines, list_ops
from gradmagic.core.records import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gradmagic.core.graph.boxes import Item

LEAST = 3  # iterations
LEAST_OPS = 6  # in all iterations together: what is smaller is drawn as it is
MOST_EXTRA = 64  # items that one iteration may have more than the others
_NEAR = 4  # occurrences of an item after one of its like at which the next iteration is looked for
# Attributes in which the iterations of one loop may differ.
_UNEQUAL = frozenset({"seed", "seed2", "shared_name", "container"})

_Found = tuple[int, int, int, "list[list[Item]]"]  # start, end, period and iterations


class Signs:
    """A number for each item: equal for items that could be one op in two iterations of a loop.

    Parameters
    ----------
    inputs
        How many inputs each op has, by its id.
    """

    def __init__(self, inputs: Mapping[int, int]) -> None:
        self.inputs = inputs
        self.numbers: dict[Any, int] = {}

    def number(self, item: Item) -> int:
        """The item's number."""
        return self.intern(self._describe(item))

    def intern(self, described: Any) -> int:
        """The number of what was described, a new one for what is new."""
        return self.numbers.setdefault(described, len(self.numbers))

    def _describe(self, item: Item) -> Any:
        if isinstance(item, Node):
            return (
                item.op,
                item.line,
                tuple(output.dtype for output in item.outputs),
                self.inputs.get(item.id, 0),
                tuple((scope.kind, scope.name) for scope in item.scopes),
                _describe_attributes(item.attributes),
            )
        usual = min(item.rounds[:2], key=len)  # the first iteration may have done more
        inside = tuple(map(self.number, usual))
        return item.kind, len(item.rounds), inside


def _describe_attributes(attributes: tuple[Any, ...]) -> Any:
    """The attributes that tell two ops of one type apart, as something that has a hash."""
    if not attributes:
        return None
    pairs = sorted(zip(attributes[::2], attributes[1::2], strict=False), key=itemgetter(0))
    kept = tuple((name, value) for name, value in pairs if name not in _UNEQUAL)
    try:
        hash(kept)
    except TypeError:
        return repr(kept)
    return kept


def fold_repeats(items: list[Item], signs: Signs) -> list[Item]:
    """The items with each loop as one box; of nested loops the inner one first."""
    numbers = [signs.number(item) for item in items]
    while True:
        found = _find_repeats(items, numbers)
        if not found:
            return items
        items, numbers = _put_in_boxes(items, numbers, found, signs)


def _put_in_boxes(
    items: list[Item], numbers: list[int], found: list[_Found], signs: Signs
) -> tuple[list[Item], list[int]]:
    kept: list[Item] = []
    marks: list[int] = []
    last = 0
    for start, end, period, rounds in found:
        box = Box("repeat", _name_repeat(rounds), rounds, core=period)
        kept += [*items[last:start], box]
        marks += [*numbers[last:start], signs.number(box)]
        last = end
    return kept + items[last:], marks + numbers[last:]


def _name_repeat(rounds: list[list[Item]]) -> str:
    times = f"\N{MULTIPLICATION SIGN} {len(rounds)}"
    first = rounds[0][0]
    if isinstance(first, Box) and all(len(one) == 1 for one in rounds):
        return f"{first.name} {times}"
    return times


def _find_repeats(items: Sequence[Item], numbers: Sequence[int]) -> list[_Found]:
    """The repeats of the shortest period that has any, in order."""
    marks = np.array(numbers)
    for period in _list_periods(marks):
        found: list[_Found] = []
        for start, end in _find_runs(marks, period):
            if found and start < found[-1][1]:
                continue
            repeat = _Repeat(items, numbers, period, start, end)
            if repeat.is_worth_folding():
                rounds = repeat.list_rounds(found[-1][1] if found else 0)
                found.append((repeat.start, repeat.end, period, rounds))
        if found:
            return found
    return []


def _list_periods(marks: np.ndarray) -> list[int]:
    """The distances at which equal items lie often enough for a repeat, ascending."""
    order = np.argsort(marks, kind="stable")
    counts = np.zeros(len(marks) + 1, np.int64)
    for ahead in range(1, _NEAR + 1):
        alike = marks[order[ahead:]] == marks[order[:-ahead]]
        distances = (order[ahead:] - order[:-ahead])[alike]
        counts += np.bincount(distances, minlength=len(counts))
    periods = np.flatnonzero(counts >= LEAST - 1)
    return [int(period) for period in periods if LEAST * period <= len(marks)]


def _find_runs(marks: np.ndarray, period: int) -> Iterator[tuple[int, int]]:
    """The stretches in which each item is like the one a period later, for LEAST periods."""
    alike = np.concatenate([[False], marks[:-period] == marks[period:], [False]])
    changes = np.flatnonzero(alike[1:] != alike[:-1])
    for start, end in zip(changes[::2], changes[1::2], strict=True):
        if end - start >= (LEAST - 1) * period:
            yield int(start), int(end) + period


class _Repeat:
    """A stretch of items with a period, and how it falls into iterations."""

    def __init__(
        self, items: Sequence[Item], numbers: Sequence[int], period: int, start: int, end: int
    ) -> None:
        self.items, self.numbers, self.period = items, numbers, period
        self.start = self._find_first(start, end)
        self.times = (end - self.start) // period
        self.end = self.start + self.times * period
        self.body = numbers[self.start : self.start + period]

    def _find_first(self, start: int, end: int) -> int:
        """Where the first whole iteration starts.

        Where the stretch is no whole number of periods long, an iteration at its start or end was
        another than the rest. A loop's last line is followed by its first: that is where the lines
        go back furthest.
        """
        spare = (end - start) % self.period
        starts = range(start, start + spare + 1)
        return max(starts, key=self._measure_return) if spare else start

    def _measure_return(self, start: int) -> int:
        first = list_lines([self.items[start]])
        last = list_lines([self.items[start + self.period - 1]])
        return last[-1] - first[0] if first and last else 0

    def is_worth_folding(self) -> bool:
        """Whether it holds more than a few ops."""
        body = self.items[self.start : self.start + self.period]
        return self.times * sum(1 for _op in list_ops(body)) >= LEAST_OPS

    def list_rounds(self, floor: int) -> list[list[Item]]:
        """The items of each iteration; afterwards ``start`` and ``end`` enclose them all.

        Neighbouring iterations that did more than the others belong to the loop too: what they have
        more stands at their end. So do last ones of which only the beginning is drawn.
        """
        self.lines = set(list_lines(self.items[self.start : self.start + self.period]))
        starts = range(self.start, self.end, self.period)
        rounds = [list(self.items[at : at + self.period]) for at in starts]
        while (found := self._match(range(self.start - 1, floor - 1, -1))) is not None:
            self.start = found[0]
            rounds.insert(0, found[1])
        while (found := self._match(range(self.end, len(self.items)))) is not None:
            self.end = found[0] + 1
            rounds.append(found[1])
        while (length := self._measure_beginning()) > 0:
            rounds.append(list(self.items[self.end : self.end + length]))
            self.end += length
        return rounds

    def _measure_beginning(self) -> int:
        """How many items after the end are those with which an iteration begins."""
        after = self.numbers[self.end : self.end + self.period]
        pairs = zip(self.body, after, strict=False)
        return next((place for place, (a, b) in enumerate(pairs) if a != b), len(after))

    def _match(self, places: range) -> tuple[int, list[Item]] | None:
        """The next iteration in a direction: where it ends, its items and then what it has more."""
        body = self.body if places.step > 0 else self.body[::-1]
        known = set(body)
        own: list[Item] = []
        more: list[Item] = []
        for place in places:
            item = self.items[place]
            if self.numbers[place] == body[len(own)]:
                own.append(item)
                if len(own) == self.period:
                    own, more = (own, more) if places.step > 0 else (own[::-1], more[::-1])
                    return place, own + more
            else:
                strange = self.numbers[place] not in known and self._is_inside(item)
                if not strange or len(more) == MOST_EXTRA:
                    return None
                more.append(item)
        return None

    def _is_inside(self, item: Item) -> bool:
        """Whether an item ran on lines of the loop; in a loop of one line nobody can tell."""
        return len(self.lines) > 1 and self.lines.issuperset(list_lines([item]))
