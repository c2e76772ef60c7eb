"""Which nodes a document names: all where they are few, else some that stand for the others."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmagic.render.explorer.reading import Reading

MOST = 3000  # nodes that are named


def find_known(reading: Reading) -> dict[int, int]:
    """For each node the one that stands for it in the document: itself, where there is room.

    Else what runs again and again is named once, and of the fullest groups only the first node.
    """
    known = {node.id: node.id for node in reading.graph.nodes}
    if len(known) <= MOST:
        return known
    for group in reading.whole.groups:  # outer ones first
        first = group.iterations[0] if group.iterations else ()
        for again in group.iterations[1:]:
            for own, other in zip(again, first, strict=False):
                if own in known and other in known:
                    known[own] = known[other]
    left = len(set(known.values()))
    members: dict[int | None, list[int]] = defaultdict(list)
    for number in dict.fromkeys(known.values()):
        node = reading.nodes[number]
        if node.kind == "op":
            members[node.group].append(number)
    for together in sorted(members.values(), key=len, reverse=True):
        if left <= MOST:
            break
        left -= len(together) - 1
        known.update(dict.fromkeys(together, together[0]))
    return {number: _follow(known, number) for number in known}


def _follow(known: dict[int, int], number: int) -> int:
    while known[number] != number:
        number = known[number]
    return number
