"""The paths along which gradients come from the target to a source: counted, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.replay.ways import find_ways
from gradmagic.core.replay.wiring import Place, find_source, find_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.records import Graph, Node


def count_paths(graph: Graph, source: str) -> int:
    """The number of paths along which a gradient comes from the target to a source."""
    return Paths(graph, source).count


def write_count(count: int) -> str:
    """A number of paths in words: it may have hundreds of digits."""
    if count < 1_000_000:
        return f"{count:,}"
    digits = str(count)
    return _("about {number}").format(number=f"{digits[0]}.{digits[1]}e{len(digits) - 1}")


class Paths:
    """The paths between the target and one source, from output to output.

    An op whose output is its input (Identity, the read of a Variable) is no step: both ends are
    one output here, the first.

    Parameters
    ----------
    graph
        All recorded ops.
    source
        The source's name.

    Attributes
    ----------
    start, end
        The outputs that the source and the target are.
    arcs
        From each output those that are computed from it by one op and lead to the target, with
        the edges (positions in ``graph.edges``) through which they are: two for ``x · x``.
    count
        The number of paths.
    """

    def __init__(self, graph: Graph, source: str) -> None:
        self.graph = graph
        self.ways = find_ways(graph)
        self.start = find_source(graph, source).id, 0
        self._first: dict[Place, Place] = {}
        self._leaving: dict[Place, list[int]] = {}
        for node in graph.nodes:
            self._enter(node)
        self.end = self.find_first((find_target(graph), 0))
        self.arcs: dict[Place, dict[Place, list[int]]] = {}
        counts: dict[Place, int] = {self.end: 1}
        for place in sorted(self._leaving, reverse=True):
            arcs = self._find_arcs(place, counts)
            if arcs:
                self.arcs[place] = arcs
                counts[place] = counts.get(place, 0) + sum(counts[after] for after in arcs)
        self.count = counts.get(self.start, 0)

    def _enter(self, node: Node) -> None:
        """Note which edges lead into a node; or that it is the same as what leads into it."""
        into = [p for p in self.ways.inputs[node.id] if p in self.ways.carrying]
        is_same = node.fold == "same" and node.source is None and len(node.outputs) == 1
        if len(into) == 1 and (is_same or node.kind == "target"):
            edge = self.graph.edges[into[0]]
            self._first[node.id, 0] = self.find_first((edge.producer, edge.output))
            return
        for position in into:
            edge = self.graph.edges[position]
            place = self.find_first((edge.producer, edge.output))
            self._leaving.setdefault(place, []).append(position)

    def find_first(self, place: Place) -> Place:
        """The first of the outputs that are the same as one."""
        return self._first.get(place, place)

    def _find_arcs(self, place: Place, counts: dict[Place, int]) -> dict[Place, list[int]]:
        arcs: dict[Place, list[int]] = {}
        for position in self._leaving[place]:
            for after in self._list_outputs(position):
                if counts.get(after):
                    arcs.setdefault(after, []).append(position)
        return arcs

    def _list_outputs(self, position: int) -> Iterator[Place]:
        consumer = self.graph.nodes[self.graph.edges[position].consumer]
        for output in range(len(consumer.outputs)):
            yield consumer.id, output

    def find_hidden(self) -> str | None:
        """Why not all paths from the source are known; None where they are."""
        hidden = {self.find_first(place): why for place, why in self.ways.hidden.items()}
        seen: set[Place] = set()
        waiting = [self.start]
        while waiting:
            place = waiting.pop()
            if place in hidden:
                return hidden[place]
            if place not in seen:
                seen.add(place)
                for position in self._leaving.get(place, ()):
                    waiting += self._list_outputs(position)
        return None

    def list_routes(self) -> list[list[Place]]:
        """The outputs on each path, from the source to the target; for few paths."""
        return list(self._list_routes(self.start))

    def _list_routes(self, start: Place) -> Iterator[list[Place]]:
        if start == self.end:
            yield [start]
        for after in self.arcs.get(start, ()):
            for rest in self._list_routes(after):
                yield [start, *rest]
