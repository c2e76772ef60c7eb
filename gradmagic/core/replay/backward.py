"""Walk a graph backwards: what each op passes on to its inputs, and what meets where paths join.

Each op is differentiated alone, by TensorFlow: its vector-Jacobian product with the gradient that
comes to its outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.i18n import _
from gradmagic.core.replay.forward import Run
from gradmagic.core.replay.ops import BRANCHING, ReplayError, differentiate_op, find_taken, is_read
from gradmagic.core.replay.ways import find_ways
from gradmagic.core.replay.wiring import Place, say_op

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gradmagic.core.records import Graph, Node

DENSE_LIMIT = 1_000_000  # entries of IndexedSlices that are made dense
QUICK_OPS = 300  # a graph of that many gradients, which have that many entries, is walked at once
QUICK_ENTRIES = 3_000_000


@dataclass(frozen=True, eq=False)
class Backward:
    """One walk from the target back to the sources.

    Attributes
    ----------
    upstream
        The gradient of the target with respect to each output, by node and output.
    passed
        What flows back along each edge, by its position in ``graph.edges``: where several leave
        one output, their sum is the gradient that comes to it.
    joins
        The edges whose ``passed`` meet at an output, in the order in which they arrive, where
        there are several.
    unknown
        By node, in a sentence, why it is not known what comes to it, or what it passes on.
    """

    upstream: Mapping[Place, Any]
    passed: Mapping[int, Any]
    joins: Mapping[Place, tuple[int, ...]]
    unknown: Mapping[int, str]


def is_quick(graph: Graph) -> bool:
    """Whether a whole graph can be walked in the time that nobody waits for."""
    made = [one for node in graph.nodes for one in node.outputs if one.gradient is not None]
    if len(made) > QUICK_OPS:
        return False
    return sum(tf.TensorShape(one.shape).num_elements() or 0 for one in made) <= QUICK_ENTRIES


def walk_back(
    graph: Graph, nodes: Collection[int] | None = None, *, recorded: bool = True
) -> Backward:
    """What flows back through a graph.

    Parameters
    ----------
    graph
        All recorded ops.
    nodes
        The nodes that are asked for: what they pass on, and what comes to them along each edge.
        None: all.
    recorded
        Take the gradients that the graph holds, which the tape gave, where it holds them. False:
        compute all anew from the values, as the values of a replay need.
    """
    walk = _Walk(graph, recorded=recorded)
    walk.limit(nodes)
    for node in reversed(graph.nodes):
        walk.gather(node)
        walk.pass_on(node)
    return Backward(walk.upstream, walk.passed, walk.joins, walk.unknown)


def differentiate_node(
    run: Run, node: Node, upstream: Sequence[Any], slots: Sequence[int]
) -> Sequence[Any]:
    """What a node passes on to some of its inputs; None where it passes nothing.

    Parameters
    ----------
    run
        Gives the values of its inputs.
    node
        The node.
    upstream
        A gradient for each of its outputs, or None.
    slots
        The positions of the inputs.

    Raises
    ------
    ReplayError
        It cannot be differentiated alone; the message says why.
    """
    if node.kind == "target" or node.op == "ReadVariableOp":
        return upstream[:1]
    into = run.inputs[node.id]
    if node.op in BRANCHING:
        taken = find_taken(len(node.outputs), len(into), run.fetch(into[0]))
        return [upstream[taken.index(slot)] if slot in taken else None for slot in slots]
    inputs = [
        _fetch_shape(run, into[0]) if i == 0 and is_read(node.op) else run.fetch(position)
        for i, position in enumerate(into)
    ]
    dense = [None if one is None else make_dense(one) for one in upstream]
    try:
        return differentiate_op(str(node.op), node.attributes, inputs, dense, slots)
    except (tf.errors.OpError, LookupError, TypeError) as error:
        raise ReplayError(
            _("{op} cannot be differentiated alone: {reason}").format(
                op=say_op(node), reason=str(getattr(error, "message", error)).split("\n")[0]
            )
        ) from error


def _fetch_shape(run: Run, position: int) -> Any:
    """A Variable of which rows were read: what is passed on to it depends on its shape only."""
    try:
        return run.fetch(position)
    except ReplayError:
        edge = run.graph.edges[position]
        made = run.graph.nodes[edge.producer].outputs[edge.output]
        if (tf.TensorShape(made.shape).num_elements() or DENSE_LIMIT) >= DENSE_LIMIT:
            raise
        return tf.zeros(made.shape, made.dtype)


def add_up(parts: Sequence[Any]) -> Any:
    """The sum of what meets at an output; None where there is nothing."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return tf.add_n([make_dense(part) for part in parts])


def make_dense(gradient: Any) -> Any:
    """IndexedSlices as the tensor that they stand for."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    shape = gradient.dense_shape
    entries = 1 if shape is None else int(tf.reduce_prod(tf.cast(shape, tf.int64)))
    if shape is None or entries > DENSE_LIMIT:
        raise ReplayError(
            _("A gradient of {entries} entries is too large to be made dense.").format(
                entries=f"{entries:,}"
            )
        )
    # (tf.convert_to_tensor does the same, and warns of the memory)
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, shape[0])


class _Walk:
    """One walk: what is known so far."""

    def __init__(self, graph: Graph, *, recorded: bool) -> None:
        self.graph = graph
        self.recorded = recorded
        self.upstream: dict[Place, Any] = {}
        self.passed: dict[int, Any] = {}
        self.joins: dict[Place, tuple[int, ...]] = {}
        self.unknown: dict[int, str] = {}
        self.ways = find_ways(graph)
        self.run = Run(graph, {})
        self.leaving: dict[Place, list[int]] = {}  # the edges that carry, the last consumer first
        for position in sorted(self.ways.carrying, key=lambda p: -graph.edges[p].consumer):
            edge = graph.edges[position]
            self.leaving.setdefault((edge.producer, edge.output), []).append(position)
        self.wanted: set[int] | None = None

    def limit(self, nodes: Collection[int] | None) -> None:
        """Differentiate no more than some nodes and what is needed to know about them."""
        if nodes is None:
            return
        self.wanted = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in self.wanted:
                continue
            self.wanted.add(node)
            for output, made in enumerate(self.graph.nodes[node].outputs):
                leaving = self.leaving.get((node, output), [])
                has_own = self.recorded and made.gradient is not None
                if not has_own or (node in nodes and len(leaving) > 1):
                    waiting += [self.graph.edges[position].consumer for position in leaving]

    def gather(self, node: Node) -> None:
        """Note what comes to a node's outputs."""
        for output, made in enumerate(node.outputs):
            place = node.id, output
            leaving = self.leaving.get(place, [])
            arrived = [position for position in leaving if position in self.passed]
            if len(arrived) > 1:
                self.joins[place] = tuple(arrived)
            if self.recorded and made.gradient is not None:
                self.upstream[place] = made.gradient
            elif node.kind == "target":
                if self.ways.carrying.intersection(self.ways.inputs[node.id]):
                    self.upstream[place] = tf.ones_like(made.value)
            elif self.wanted is None or node.id in self.wanted:
                self._sum(place, leaving, arrived)

    def _sum(self, place: Place, leaving: Sequence[int], arrived: Sequence[int]) -> None:
        consumers = [self.graph.edges[position].consumer for position in leaving]
        reasons = [self.unknown[consumer] for consumer in consumers if consumer in self.unknown]
        if place in self.ways.hidden:
            reasons.append(self.ways.hidden[place])
        try:
            total = add_up([self.passed[position] for position in arrived])
        except ReplayError as error:
            reasons.append(str(error))
        if reasons:
            self.unknown[place[0]] = reasons[0]
        elif total is not None:
            self.upstream[place] = total

    def pass_on(self, node: Node) -> None:
        """Differentiate a node."""
        upstream = [self.upstream.get((node.id, output)) for output in range(len(node.outputs))]
        if all(one is None for one in upstream):
            return
        if node.id in self.ways.ends:
            self.unknown[node.id] = self.ways.ends[node.id]
            return
        into = self.ways.inputs[node.id]
        slots = [slot for slot, position in enumerate(into) if position in self.ways.carrying]
        if not slots or (self.wanted is not None and node.id not in self.wanted):
            return
        try:
            gradients = differentiate_node(self.run, node, upstream, slots)
        except ReplayError as error:
            self.unknown[node.id] = str(error)
            return
        for slot, gradient in zip(slots, gradients, strict=True):
            if gradient is not None:
                self.passed[into[slot]] = gradient
