"""Who feeds whom in a graph of recorded ops: inputs by slot, and what each Variable held when."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.recorder import ASSIGNING
from gradmagic.core.replay.ops import ReplayError, is_read

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradmagic.core.records import Graph, Node

Place = tuple[int, int]  # a node's id, and which of its outputs


def find_inputs(graph: Graph) -> list[tuple[int, ...]]:
    """Of each node the edges into it, as positions in ``graph.edges``, in the order of the slots.

    (An edge that only marks where a way breaks off comes after those of the op that it leads to.)
    """
    slots: list[dict[int, int]] = [{} for _node in graph.nodes]
    for position, edge in enumerate(graph.edges):
        slots[edge.consumer].setdefault(edge.slot, position)
    return [tuple(own[slot] for slot in sorted(own)) for own in slots]


def find_target(graph: Graph) -> int:
    """The id of the target's node."""
    return next(node.id for node in reversed(graph.nodes) if node.kind == "target")


def find_source(graph: Graph, name: str) -> Node:
    """The node of a source: of several bindings the last that has a gradient, else the last.

    Raises
    ------
    ReplayError
        No op uses a source of this name.
    """
    nodes = [node for node in graph.nodes if node.source == name]
    if not nodes:
        raise ReplayError(_("No op of the cell uses a source {name}.").format(name=repr(name)))
    used = [node for node in nodes if node.outputs[0].gradient is not None]
    return (used or nodes)[-1]


def say_op(node: Node) -> str:
    """An op as a sentence names it: with the cell's line where it is known."""
    if node.line is None:
        return str(node.op)
    return _("{op} on line {line}").format(op=node.op, line=node.line)


def say_missing(node: Node) -> str:
    """Why nothing follows from a node whose value the graph does not hold."""
    name = say_op(node) if node.kind == "op" else node.label
    if not name:
        return _("The value of an input was not kept, so that nothing can follow from it.")
    if node.traced:
        return _("What {name} gave is not known: it ran inside a tf.function.").format(name=name)
    return _("The value of {name} was not kept, so that nothing can follow from it.").format(
        name=name
    )


def is_assign(node: Node) -> bool:
    """Whether a node is an op that assigns a Variable, all of it or a part."""
    return node.op is not None and node.op.startswith(ASSIGNING)


class Variables:
    """The Variables of a graph: what assigned them, and what read them.

    Parameters
    ----------
    graph
        All recorded ops.
    inputs
        From :func:`find_inputs`.
    """

    def __init__(self, graph: Graph, inputs: list[tuple[int, ...]]) -> None:
        self.graph = graph
        self.inputs = inputs

    def find(self, node: Node) -> int:
        """The node of the Variable that an op reads or assigns."""
        return self.graph.edges[self.inputs[node.id][0]].producer

    @functools.cached_property
    def assigns(self) -> list[tuple[int, int]]:
        """Each op that assigned a Variable, after the Variable's node."""
        return [(self.find(node), node.id) for node in self.graph.nodes if is_assign(node)]

    @functools.cached_property
    def assigned(self) -> frozenset[int]:
        """The nodes of the Variables that the cell assigned."""
        return frozenset(variable for variable, _assign in self.assigns)

    @functools.cached_property
    def first_reads(self) -> dict[int, int]:
        """After each Variable's node the op that read all of it first."""
        reads = (node for node in reversed(self.graph.nodes) if node.op == "ReadVariableOp")
        return {self.find(node): node.id for node in reads}

    @functools.cached_property
    def assigned_first(self) -> frozenset[int]:
        """The nodes of the Variables that the cell assigned before it read them.

        What their nodes show is what was assigned. (What makes a Variable assigns it as well.)
        """
        return frozenset(
            variable
            for variable, assign in self.assigns
            if self.graph.nodes[assign].outputs
            and assign < self.first_reads.get(variable, len(self.graph.nodes))
        )

    @functools.cached_property
    def last_reads(self) -> dict[int, int]:
        """After each Variable's node the last read on which the target depends."""
        leading: set[int] = set()
        waiting = [find_target(self.graph)]
        while waiting:
            node = waiting.pop()
            if node not in leading:
                leading.add(node)
                waiting += [self.graph.edges[position].producer for position in self.inputs[node]]
        reads = (node for node in self.graph.nodes if node.id in leading and is_read(node.op))
        return {self.find(node): node.id for node in reads}

    def list_assigned_before_use(self) -> list[tuple[int, int]]:
        """Of ``assigns`` those before a read on which the target depends."""
        return [pair for pair in self.assigns if pair[1] < self.last_reads.get(pair[0], -1)]

    def follow_assigns(self, kept: Collection[int]) -> list[tuple[int, ...]]:
        """The inputs of all nodes, where what reads a Variable gets what was last assigned to it.

        ``kept`` are nodes of Variables whose first value does not come from the cell.
        """
        inputs = [list(own) for own in self.inputs]
        starts = {
            variable: self.inputs[assign][1]
            for variable, assign in reversed(self.assigns)
            if not self.graph.nodes[assign].outputs and variable not in kept
        }
        for node in self.graph.nodes:
            if is_read(node.op) or is_assign(node):
                inputs[node.id][0] = starts.get(self.find(node), inputs[node.id][0])
        for position, edge in enumerate(self.graph.edges):
            if edge.slot == 0 and position not in self.inputs[edge.consumer] and not edge.cut:
                inputs[edge.consumer][0] = position
        return [tuple(own) for own in inputs]
