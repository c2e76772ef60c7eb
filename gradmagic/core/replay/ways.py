"""Where gradients flow back through a recorded graph."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import tensorflow as tf

from gradmagic.core.i18n import _
from gradmagic.core.recorder import passes_gradient
from gradmagic.core.replay.wiring import Place, find_inputs, say_op

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.records import Edge, Graph, Node, Output, Scope

_SWISH = "swish_impl"  # what TensorFlow calls the function that tf.nn.silu runs


@dataclass(frozen=True)
class Ways:
    """Where gradients flow back.

    Attributes
    ----------
    inputs
        Of each node the edges into it, from :func:`gradmagic.core.replay.wiring.find_inputs`.
    carrying
        The edges along which a gradient flows back, as positions in ``graph.edges``: those along
        which the tape gave one; and those where the tape could not be asked, because the value
        was not held or lies inside a tf.function.
    ends
        By node, why it is not known what it passes on: here ends a function with a gradient rule
        of its own.
    hidden
        By output, why the edges do not tell all that flows back to it: it goes into such a
        function.
    """

    inputs: tuple[tuple[int, ...], ...]
    carrying: frozenset[int]
    ends: Mapping[int, str]
    hidden: Mapping[Place, str]


_known: WeakKeyDictionary[Graph, Ways] = WeakKeyDictionary()  # of each graph found once


def find_ways(graph: Graph) -> Ways:
    """Where gradients flow back through a graph."""
    if graph not in _known:
        finder = _Finder(graph)
        for node in graph.nodes:
            finder.add(node)
        finder.close_rules()
        carrying = frozenset(finder.carrying)
        _known[graph] = Ways(tuple(finder.inputs), carrying, finder.ends, finder.hidden)
    return _known[graph]


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inputs = find_inputs(graph)
        self.reached: set[Place] = set()
        self.carrying: set[int] = set()
        self.ends: dict[int, str] = {}
        self.hidden: dict[Place, str] = {}
        # of each call of a function with its own rule: its nodes
        self._ruled: dict[Scope, list[Node]] = defaultdict(list)

    def add(self, node: Node) -> None:
        """Find the edges into a node that carry, its producers being known."""
        rule = find_rule(node)
        if rule is not None:
            self._ruled[rule].append(node)
        passes = rule is None and (node.op is None or passes_gradient(node.op))
        into = self.inputs[node.id]
        carrying = {position for position in into if passes and self._carries(position)}
        self.carrying |= carrying
        if "_gradient_op_type" in node.attributes[::2] and carrying:
            self._end_traced_rule(node, carrying)
        for output, made in enumerate(node.outputs):
            if is_float(made) and (carrying or made.gradient is not None or node.source):
                self.reached.add((node.id, output))

    def _carries(self, position: int) -> bool:
        edge = self.graph.edges[position]
        if not is_float(self.graph.nodes[edge.producer].outputs[edge.output]):
            return False
        unasked = (edge.producer, edge.output) in self.reached and self._is_unasked(edge)
        return edge.gradient or unasked

    def _is_unasked(self, edge: Edge) -> bool:
        """Whether the tape could not be asked for the gradient at an end of an edge."""
        ends = self.graph.nodes[edge.producer], self.graph.nodes[edge.consumer]
        inside = any(scope.kind == "function" for node in ends for scope in node.scopes)
        return not edge.cut and (
            inside or any(one.value is None for node in ends for one in node.outputs)
        )

    def _end_traced_rule(self, node: Node, carrying: set[int]) -> None:
        """Inside a tf.function, IdentityN takes what the function gives and what went into it."""
        into = self.inputs[node.id]
        if self._is_swish(self.graph.nodes[self.graph.edges[into[0]].producer]):
            self.carrying -= carrying - {into[0]}
        else:
            starts = [self._find_place(position) for position in carrying]
            self._hide([node], starts, say_op(node))

    def _is_swish(self, node: Node) -> bool:
        """Whether a node is x · sigmoid(beta · x)."""
        ops: list[str | None] = []
        while self.inputs[node.id] and len(ops) < 3:
            ops.append(node.op)
            node = self.graph.nodes[self.graph.edges[self.inputs[node.id][-1]].producer]
        return ops == ["Mul", "Sigmoid", "Mul"]

    def close_rules(self) -> None:
        """Find what goes into functions with their own rules, and where these end."""
        for rule, nodes in self._ruled.items():
            entering = [
                position
                for node in nodes
                for position in self.inputs[node.id]
                if self.graph.edges[position].gradient
            ]
            if rule.name == _SWISH and rule.detail == "library":  # it says what its ops say
                self.carrying.update(entering, self._list_inside(nodes))
            elif entering:
                ends = [n for n in nodes if any(one.gradient is not None for one in n.outputs)]
                self._hide(ends, [self._find_place(position) for position in entering], rule.name)

    def _list_inside(self, nodes: Sequence[Node]) -> list[int]:
        """The edges between nodes."""
        inside = {node.id for node in nodes}
        return [
            position
            for node in nodes
            for position in self.inputs[node.id]
            if self.graph.edges[position].producer in inside
        ]

    def _hide(self, ends: Sequence[Node], starts: Sequence[Place], name: str) -> None:
        reason = _(
            "{name} has a gradient rule of its own (tf.custom_gradient), "
            "which its recorded ops do not tell."
        ).format(name=name)
        self.ends |= {node.id: reason for node in ends}
        self.hidden |= dict.fromkeys(starts, reason)

    def _find_place(self, position: int) -> Place:
        edge = self.graph.edges[position]
        return edge.producer, edge.output


def find_rule(node: Node) -> Scope | None:
    """The outermost call of a function with its own gradient rule in which a node ran."""
    return next((scope for scope in node.scopes if scope.kind == "custom_gradient"), None)


def is_float(made: Output) -> bool:
    """Whether an output can have a gradient."""
    dtype = tf.as_dtype(made.dtype)
    return dtype.is_floating or dtype.is_complex
