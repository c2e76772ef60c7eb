"""What left TensorFlow on the way from a source: no replay follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.graph.folding import ASK_SHAPE
from gradmagic.core.i18n import _, join_items
from gradmagic.core.replay.wiring import find_source

if TYPE_CHECKING:
    from gradmagic.core.records import Graph, Node

MOST_NAMED = 3
_SAME = ("ReadVariableOp", "Identity")


def say_taken(graph: Graph, source: str) -> str | None:
    """That Python took values which depend on a source; None where it took none."""
    moved = _find_moved(graph, find_source(graph, source))
    taken = sorted(place for place in graph.taken if place[0] in moved)
    names = dict.fromkeys(_name(graph, node, output) for node, output in taken)
    if not names:
        return None
    return _(
        "Python took the value of {names} out of TensorFlow: what it computed or chose with it, "
        "if anything, stays as it was."
    ).format(names=join_items(list(names)[:MOST_NAMED]))


def _find_moved(graph: Graph, source: Node) -> set[int]:
    """The nodes whose values depend on those of a source."""
    moved = {source.id}
    for edge in sorted(graph.edges, key=lambda edge: edge.consumer):
        if edge.producer in moved and graph.nodes[edge.consumer].op not in ASK_SHAPE:
            moved.add(edge.consumer)
    return moved


def _name(graph: Graph, number: int, output: int) -> str:
    node = graph.nodes[number]
    if node.op in _SAME and not node.outputs[output].name:
        before = next(edge for edge in graph.edges if edge.consumer == number)
        return _name(graph, before.producer, before.output)
    return node.outputs[output].name or node.source or node.label
