"""Groups: which ops are drawn as one node until it is opened.

An op lies in the groups of its scopes, of layers that form a block, of a loop; what still is too
much side by side is cut into parts. All groups are stretches of time: drawn as one node each, they
never form a cycle.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gradmagic.core.graph.blocks import MOST, find_blocks
from gradmagic.core.graph.boxes import Box, list_lines, list_ops, nest_scopes
from gradmagic.core.graph.folding import find_breaking, trim
from gradmagic.core.graph.parts import Splitter
from gradmagic.core.graph.repeats import Signs, fold_repeats
from gradmagic.core.records import Graph, Group, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradmagic.core.graph.boxes import Item

_OPENED = ("layer", "name", "function")  # kinds of groups that may be all there is to see


def group_nodes(graph: Graph) -> Graph:
    """The graph with its groups; only ops that are drawn belong to any.

    ResNet50 becomes its blocks side by side, a loop of fifty steps one node; no group, and neither
    the whole, has more than some fifty ops and groups directly in it.
    """
    trimmed = trim(graph)
    ops = [node for node in trimmed.nodes if node.kind == "op"]
    slots = {(edge.consumer, edge.slot) for edge in graph.edges}
    signs = Signs(Counter(consumer for consumer, _slot in slots))
    consumers: dict[int, list[int]] = defaultdict(list)
    for edge in trimmed.edges:
        consumers[edge.producer].append(edge.consumer)
    items = _open_largest(_arrange(nest_scopes(ops), signs))
    items = _open_largest(Splitter(consumers, find_breaking(trimmed)).split(items))
    numbering = _Numbering()
    numbering.add(items, None)
    return replace(
        graph,
        nodes=tuple(
            node
            if node.group == numbering.homes.get(node.id)
            else replace(node, group=numbering.homes.get(node.id))
            for node in graph.nodes
        ),
        groups=tuple(numbering.groups),
    )


def _arrange(items: list[Item], signs: Signs) -> list[Item]:
    """The items with blocks and repeats, and without boxes that say nothing; inner ones first."""
    items = find_blocks(items)
    arranged: list[Item] = []
    for item in items:
        if isinstance(item, Box):
            arranged.append(_arrange_box(item, signs))
        else:
            arranged.append(item)
    return fold_repeats(arranged, signs)


def _arrange_box(box: Box, signs: Signs) -> Item:
    """The box, or what stands for it: its only op, or of two boxes around the same the better."""
    if box.kind == "block":  # its layers form no further blocks, its blocks are arranged
        inside: list[Item] = [
            _arrange_box(item, signs) if isinstance(item, Box) else item for item in box.items
        ]
        box.rounds = [fold_repeats(inside, signs)]
    else:
        box.rounds = [_arrange(box.items, signs)]
    only = box.items[0]
    if len(box.items) > 1:
        return box
    if isinstance(only, Node):
        return only
    if only.kind == "repeat":
        return box
    return only if box.kind == "name" or only.kind == "gradient" else _take_over(box, only)


def _take_over(box: Box, only: Box) -> Box:
    """The box with what its only box holds."""
    box.rounds = only.rounds
    return box


def _open_largest(items: list[Item]) -> list[Item]:
    """The items, with what a model or function that is most of the graph holds in its place."""
    while True:
        total = sum(1 for _op in list_ops(items))
        for place, item in enumerate(items):
            if not isinstance(item, Box) or item.kind not in _OPENED:
                continue
            holds = len(items) == 1 or (
                any(isinstance(one, Box) for one in item.items)
                and 2 * sum(1 for _op in list_ops([item])) > total
            )
            if holds and len(items) - 1 + len(item.items) <= MOST:
                items = [*items[:place], *item.items, *items[place + 1 :]]
                break
        else:
            return items


@dataclass(eq=False)
class _Numbering:
    """Boxes -> groups, each after the one that it lies in; ``homes`` are the ops' groups."""

    groups: list[Group] = field(default_factory=list)
    homes: dict[int, int] = field(default_factory=dict)

    def add(self, items: Iterable[Item], parent: int | None) -> None:
        """Number the boxes among some items, and those inside."""
        for item in items:
            if isinstance(item, Node):
                if parent is not None:
                    self.homes[item.id] = parent
                continue
            number = len(self.groups)
            lines = list_lines([item])
            self.groups.append(
                Group(
                    number,
                    parent,
                    item.kind,
                    item.name,
                    item.detail,
                    lines[0] if len(lines) == 1 else None,
                    tuple(map(_list_ids, item.rounds)) if item.kind == "repeat" else (),
                )
            )
            for one in item.rounds:
                self.add(one, number)


def _list_ids(items: Iterable[Item]) -> tuple[int, ...]:
    """The ids of all ops; what some iterations have more than the others stands at the end."""
    own: list[int] = []
    more: list[int] = []
    for item in items:
        if isinstance(item, Node):
            own.append(item.id)
        elif item.kind != "repeat":
            own += _list_ids(item.items)
        else:
            for one in item.rounds:
                own += _list_ids(one[: item.core])
                more += _list_ids(one[item.core :])
    return (*own, *more)
