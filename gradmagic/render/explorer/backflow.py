"""What flows back through a graph and is not written in it, found when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from gradmagic.core.replay.backward import is_quick, walk_back
from gradmagic.core.summary import summarize

if TYPE_CHECKING:
    from gradmagic.core.records import Edge, Graph, Summary


@dataclass(eq=False)
class Backflow:
    """Gradients along edges, and those that the tape could not be asked for.

    Attributes
    ----------
    graph
        All recorded ops.
    patient
        Whether what takes TensorFlow a moment is worth it. If not, nothing is found in a large
        graph.
    """

    graph: Graph
    patient: bool = False
    _passed: dict[int, Summary] = field(default_factory=dict)
    _upstream: dict[tuple[int, int], Summary] = field(default_factory=dict)
    _unknown: dict[int, str] = field(default_factory=dict)
    _walked: set[int | None] = field(default_factory=set)

    @cached_property
    def is_quick(self) -> bool:
        """Whether the whole graph can be walked back in the time that nobody waits for."""
        return is_quick(self.graph)

    def read_passed(self, edge: Edge) -> Summary | None:
        """What the consumer passes back along an edge."""
        position = self._positions.get((edge.consumer, edge.slot))
        if position is None:
            return None
        if position not in self._passed:
            self._walk(edge.producer)
        return self._passed.get(position)

    def read_upstream(self, node: int, output: int) -> Summary | None:
        """The gradient of the target with respect to an output."""
        if (node, output) not in self._upstream:
            self._walk(node)
        return self._upstream.get((node, output))

    def explain(self, node: int) -> str | None:
        """Why it is not known what comes to a node, or what it passes on."""
        return self._unknown.get(node)

    @cached_property
    def _positions(self) -> dict[tuple[int, int], int]:
        """Where the edge into a slot of a node stands."""
        edges = enumerate(self.graph.edges)
        return {(edge.consumer, edge.slot): position for position, edge in edges}

    def _walk(self, node: int) -> None:
        """Walk back through all of a small graph, or from one node of a large one, once."""
        wanted = None if self.is_quick else node
        if wanted in self._walked or not (self.patient or self.is_quick):
            return
        self._walked.add(wanted)
        walked = walk_back(self.graph, None if wanted is None else [wanted])
        for position, passed in walked.passed.items():
            if passed is not None:
                self._passed[position] = summarize(passed)
        for place, upstream in walked.upstream.items():
            if (
                upstream is not None
                and self.graph.nodes[place[0]].outputs[place[1]].gradient is None
            ):
                self._upstream[place] = summarize(upstream)
        self._unknown |= walked.unknown
