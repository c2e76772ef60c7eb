"""A run's graph as the explorer reads it: who feeds whom, what each tensor is, what flows back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.grouping import group_nodes
from gradmagic.core.graph.levels import Levels
from gradmagic.core.summary import summarize
from gradmagic.render.diagnoses import find_places
from gradmagic.render.explorer.backflow import Backflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import (
        Diagnosis,
        Edge,
        Graph,
        Group,
        Node,
        Output,
        Summary,
        TapeRun,
    )

_HANDLES = ("resource", "variant")  # dtypes without entries to show
Part = Literal["value", "gradient"]


@dataclass(frozen=True)
class Measured:
    """What colours a tensor: quicker to find than a summary.

    ``norm`` is infinite where an entry is not finite; ``zeros`` is a share.
    """

    norm: float
    low: float
    high: float
    zeros: float


def read_run(run: TapeRun) -> Reading | None:
    """The reading of a run; None where it has no graph."""
    if run.graph is None or not run.graph.nodes:
        return None
    whole = run.graph if run.graph.groups else group_nodes(run.graph)
    return Reading(run, whole, trim(whole))


@dataclass(eq=False)
class Reading:
    """What is asked of a graph again and again, each thing found once.

    Attributes
    ----------
    run
        The run.
    whole
        Its graph with all recorded ops and their groups.
    graph
        The graph without what is folded away; ids are those of ``whole``.
    """

    run: TapeRun
    whole: Graph
    graph: Graph
    _summaries: dict[tuple[int, int, Part], Summary | None] = field(default_factory=dict)
    _measures: dict[tuple[int, int, Part], Measured | None] = field(default_factory=dict)

    def imagine(self, whole: Graph) -> Reading:
        """The reading of a graph that only differs in values: what was found no longer holds."""
        return Reading(replace(self.run, diagnoses=()), whole, trim(whole))

    @cached_property
    def levels(self) -> Levels:
        """What is drawn inside of its groups."""
        return Levels(self.graph)

    @cached_property
    def nodes(self) -> dict[int, Node]:
        """The nodes that are drawn, by id."""
        return {node.id: node for node in self.graph.nodes}

    @cached_property
    def inputs(self) -> dict[int, list[Edge]]:
        """The edges into each node, by slot."""
        found = defaultdict(list)
        for edge in sorted(self.graph.edges, key=lambda edge: edge.slot):
            found[edge.consumer].append(edge)
        return found

    def find_slots(self, node: int) -> list[Edge]:
        """One edge for each input of an op, the folded ones too, by slot."""
        return [self._slots[node][slot] for slot in sorted(self._slots[node])]

    @cached_property
    def _slots(self) -> dict[int, dict[int, Edge]]:
        found: dict[int, dict[int, Edge]] = defaultdict(dict)
        for edge in self.whole.edges:  # one that only marks a break comes after the op's own
            found[edge.consumer].setdefault(edge.slot, edge)
        return found

    @cached_property
    def uses(self) -> dict[int, list[Edge]]:
        """The edges out of each node."""
        found = defaultdict(list)
        for edge in self.graph.edges:
            found[edge.producer].append(edge)
        return found

    @cached_property
    def target(self) -> Node | None:
        """The node of the target."""
        return next((node for node in self.graph.nodes if node.kind == "target"), None)

    @cached_property
    def sources(self) -> dict[str, int]:
        """The node of each source that is drawn, by the source's name."""
        return {n.source: n.id for n in self.graph.nodes if n.source is not None}

    @cached_property
    def names(self) -> frozenset[str]:
        """What the student calls tensors."""
        named = {made.name for node in self.whole.nodes for made in node.outputs}
        given = {n.source or n.label for n in self.whole.nodes if n.kind in ("source", "input")}
        return frozenset(name for name in named | given if name)

    def list_back(self, node: int, output: int) -> list[Edge]:
        """The edges along which gradients come back to an output."""
        return self._back.get((node, output), [])

    @cached_property
    def _back(self) -> dict[tuple[int, int], list[Edge]]:
        found: dict[tuple[int, int], list[Edge]] = defaultdict(list)
        for edge in self.graph.edges:
            if edge.gradient:
                found[edge.producer, edge.output].append(edge)
        return found

    def read(self, node: int, part: Part, output: int = 0) -> Summary | None:
        """A summary of an output's value or gradient; None where nobody knows it."""
        key = node, output, part
        if key not in self._summaries:
            self._summaries[key] = _summarize(self.nodes[node].outputs, output, part)
        known = self._summaries[key]
        if known is None and part == "gradient" and self.list_back(node, output):
            return self.backflow.read_upstream(node, output)
        return known

    def measure(self, node: int, part: Part, output: int = 0) -> Measured | None:
        """The measures of a float tensor; None where nobody knows them."""
        key = node, output, part
        if key not in self._measures:
            self._measures[key] = self._measure(*key)
        return self._measures[key]

    def _measure(self, node: int, output: int, part: Part) -> Measured | None:
        made = self.nodes[node].outputs[output]
        if "float" not in made.dtype:
            return None
        tensor = made.value if part == "value" else made.gradient
        try:
            # (float16 cannot hold the squares of its own numbers)
            array = np.asarray(memoryview(tensor)).reshape(-1).astype(np.float64, copy=False)
        except (TypeError, ValueError, BufferError):  # IndexedSlices, bfloat16, what was not held
            return _take_measures(self.read(node, part, output))
        if not array.size:
            return None
        with np.errstate(over="ignore"):
            norm = float(np.linalg.norm(array))
        if not np.isfinite(norm):  # or only its square was too large
            return _take_measures(self.read(node, part, output))
        zeros = 1 - np.count_nonzero(array) / array.size
        return Measured(norm, float(array.min()), float(array.max()), zeros)

    def read_passed(self, edge: Edge) -> Summary | None:
        """What the consumer passes back along an edge; None where nobody knows it."""
        if len(self.list_back(edge.producer, edge.output)) == 1:  # all comes back along it
            return self.read(edge.producer, "gradient", edge.output)
        return self.backflow.read_passed(edge)

    @cached_property
    def backflow(self) -> Backflow:
        """What flows back and is not written in the graph."""
        return Backflow(self.whole)

    @cached_property
    def diagnoses(self) -> dict[int, list[Diagnosis]]:
        """What is known of some nodes."""
        return find_places(self.graph, self.run.diagnoses)

    def find_own(self, group: Group) -> list[int]:
        """The ids of the nodes in a group itself."""
        return self._own.get(group.id, [])

    @cached_property
    def _own(self) -> dict[int | None, list[int]]:
        found: dict[int | None, list[int]] = defaultdict(list)
        for node in self.graph.nodes:
            found[node.group].append(node.id)
        return found

    def find_inside(self, group: Group) -> list[Node]:
        """The nodes in a group and in the groups that lie in it."""
        inside = self._inside.get(group.id, ())
        return [self.nodes[number] for number in inside]

    @cached_property
    def _inside(self) -> dict[int, list[int]]:
        parents = {group.id: group.parent for group in self.whole.groups}
        found: dict[int, list[int]] = defaultdict(list)
        for node in self.graph.nodes:
            group = node.group
            while group is not None:
                found[group].append(node.id)
                group = parents[group]
        return found


def _summarize(outputs: Sequence[Output], place: int, part: Part) -> Summary | None:
    output = outputs[place] if place < len(outputs) else None
    if output is None or output.dtype in _HANDLES:
        return None
    tensor = output.value if part == "value" else output.gradient
    if tensor is not None:
        return summarize(tensor)
    return output.summary if part == "value" else None


def _take_measures(summary: Summary | None) -> Measured | None:
    if summary is None or not summary.size:
        return None
    zeros = summary.zeros / summary.size
    if summary.nans or summary.infs or summary.norm is None:
        return Measured(np.inf, -np.inf, np.inf, zeros)
    return Measured(summary.norm, summary.low or 0.0, summary.high or 0.0, zeros)
