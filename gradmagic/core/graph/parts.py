"""Parts: what still is too much to be drawn side by side, in stretches that hang together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.graph.boxes import Box, list_lines, list_ops
from gradmagic.core.i18n import _
from gradmagic.core.records import Node

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gradmagic.core.graph.boxes import Item

MOST_ITEMS = 50  # side by side


@dataclass(frozen=True, eq=False)
class Splitter:
    """Puts rows of more than MOST_ITEMS items into boxes, those inside boxes too.

    Attributes
    ----------
    consumers
        The ops that take something of an op, by id.
    alone
        Ids of the few ops that are to be seen where they stand.
    """

    consumers: Mapping[int, Sequence[int]]
    alone: Collection[int]

    def split(self, items: list[Item]) -> list[Item]:
        """The items in no more than MOST_ITEMS."""
        for item in items:
            if isinstance(item, Box):
                self._split_rounds(item)
        if len(items) <= MOST_ITEMS:
            return items
        joined = self._join_lines(items)
        if 1 < len(joined) <= MOST_ITEMS:
            return self._split_boxes(joined, items)
        if MOST_ITEMS < len(joined) < len(items) / 2:
            return self._split_boxes(self._cut(joined), items)
        return self._split_boxes(self._cut(items), items)

    def _split_boxes(self, made: list[Item], items: list[Item]) -> list[Item]:
        """The items, among them new boxes, which may hold too much in their turn."""
        known = set(map(id, items))
        for item in made:
            if isinstance(item, Box) and id(item) not in known:
                item.rounds[0] = self.split(item.items)
        return made

    def _split_rounds(self, box: Box) -> None:
        """Split what is inside a box; all iterations of a repeat in the same way."""
        if len(box.rounds) == 1:
            box.rounds[0] = self.split(box.items)
            return
        for one in box.rounds:
            for item in one:
                if isinstance(item, Box):
                    self._split_rounds(item)
        most = max(map(len, box.rounds))
        if most <= MOST_ITEMS:
            return
        cuts = self._choose_cuts(box.items)
        box.rounds = [self._make_parts(one, cuts) for one in box.rounds]
        box.core = len(cuts) - 1
        for one in box.rounds:
            for item in one:
                if isinstance(item, Box) and len(item.items) > MOST_ITEMS:
                    item.rounds[0] = self.split(item.items)

    def _join_lines(self, items: list[Item]) -> list[Item]:
        """Neighbouring ops of one line in one box."""

        def place(item: Item) -> object:
            if isinstance(item, Box) or item.id in self.alone or item.line is None:
                return item
            return item.line

        joined: list[Item] = []
        for _line, run in groupby(items, key=place):
            row = list(run)
            joined.append(Box("line", name_part(row), [row]) if len(row) > 1 else row[0])
        return joined

    def _cut(self, items: list[Item]) -> list[Item]:
        """Stretches of the items between which few tensors pass."""
        alone = [
            i for i, item in enumerate(items) if isinstance(item, Node) and item.id in self.alone
        ]
        cuts = {*self._choose_cuts(items), *alone, *(i + 1 for i in alone)}
        return self._make_parts(items, sorted(cuts))

    def _make_parts(self, items: list[Item], cuts: Sequence[int]) -> list[Item]:
        parts: list[Item] = []
        for start, end in pairwise([*cuts[:-1], max(cuts[-1], len(items))]):
            row = items[start:end]
            if row:
                parts.append(Box("line", name_part(row), [row]) if len(row) > 1 else row[0])
        return _number_parts(parts)

    def _choose_cuts(self, items: Sequence[Item]) -> list[int]:
        """Where to cut, from 0 to the number of items, into about as many parts as each holds."""
        count = len(items)
        parts = min(math.ceil(math.sqrt(count)), MOST_ITEMS // 2)
        costs = self._count_crossing(items)
        slack = count / parts / 3
        cuts = [0]
        for part in range(1, parts):
            ideal = part * count / parts
            near = range(math.ceil(ideal - slack), math.floor(ideal + slack) + 1)
            cuts.append(min(near, key=lambda at: (costs[at], abs(at - ideal))))
        return [*sorted(set(cuts)), count]

    def _count_crossing(self, items: Sequence[Item]) -> np.ndarray:
        """How many ops before a place are needed by those after it."""
        places = {op.id: place for place, item in enumerate(items) for op in list_ops([item])}
        changes = np.zeros(len(items) + 1)
        for number, start in places.items():
            end = max(
                (places.get(other, start) for other in self.consumers.get(number, ())),
                default=start,
            )
            if end > start:
                changes[start + 1] += 1
                changes[end + 1] -= 1
        return np.cumsum(changes)


def name_part(items: Sequence[Item]) -> str:
    """What a stretch of items is called: its lines, or its first and last layer."""
    boxes = [item.name for item in items if isinstance(item, Box) and item.kind != "line"]
    if len(boxes) > 1:
        return f"{boxes[0]} \N{HORIZONTAL ELLIPSIS} {boxes[-1]}"
    lines = list_lines(items)
    if not lines:
        return _("ops")
    if len(lines) == 1:
        return _("line {line}").format(line=lines[0])
    return _("lines {first}\N{EN DASH}{last}").format(first=lines[0], last=lines[-1])


def _number_parts(parts: list[Item]) -> list[Item]:
    """The parts, those with one name numbered."""
    names = [part.name for part in parts if isinstance(part, Box) and part.kind == "line"]
    numbers: dict[str, int] = {}
    for part in parts:
        if isinstance(part, Box) and part.kind == "line" and names.count(part.name) > 1:
            name = part.name
            numbers[name] = numbers.get(name, 0) + 1
            part.name = _("{name}, part {number} of {count}").format(
                name=name, number=numbers[name], count=names.count(name)
            )
    return parts
