"""Run recorded ops again through ``tf.raw_ops``: TensorFlow's own kernels, never the user's code.

A replay starts from other values of a graph's sources and follows them to the target. What drew
random numbers, read a file or kept a state gives again what it gave when the cell ran.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.i18n import _, _n
from gradmagic.core.replay.ops import (
    BRANCHING,
    WIDER,
    ReplayError,
    find_taken,
    is_given,
    is_read,
    read_variable,
    run_op,
)
from gradmagic.core.replay.wiring import (
    Place,
    Variables,
    find_inputs,
    find_target,
    say_missing,
    say_op,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gradmagic.core.records import Graph, Node

MOST_OPS = 5_000  # that one replay runs

_ASSIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "AssignAddVariableOp": lambda before, value: before + value,
    "AssignSubVariableOp": lambda before, value: before - value,
}


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay gave.

    Attributes
    ----------
    values
        The new tensor of each output that was computed again, by node and output. All others keep
        the values that the graph holds.
    moved
        The nodes that depend on a change; what is not in ``values`` of them is not known.
    narrow
        The ops that TensorFlow runs only in the dtype of the cell, where a wider one was asked.
    held
        Names of the Variables that the cell assigned from what was changed, and that the target
        read afterwards: they gave what they gave.
    """

    values: Mapping[Place, Any]
    moved: frozenset[int]
    narrow: frozenset[str]
    held: tuple[str, ...]


def replay(
    graph: Graph,
    changes: Mapping[int, Any],
    dtype: tf.DType | None = None,
    *,
    follow: bool = False,
) -> Replay:
    """Run again what depends on the changed nodes and leads to the target.

    Parameters
    ----------
    graph
        All recorded ops.
    changes
        The new value of the first output of some nodes, by id.
    dtype
        ``tf.float64``: compute in it where the ops allow; None: as the cell did.
    follow
        Follow the changes everywhere, as if the cell had run with them: through what it assigns to
        Variables, and to what does not lead to the target (of that, what cannot be run is left
        out). Otherwise each read of a Variable stands for itself, as for ``tape.gradient``: it
        gives what it gave; those of a changed Variable move by as much as its first value does.

    Raises
    ------
    ReplayError
        Something on the way to the target cannot be run again; the message says what and why.
    """
    run = Run(graph, changes, dtype, follow=follow)
    needed = run.compute_for((find_target(graph), 0))
    more = sorted(run.moved - needed - changes.keys()) if follow else []
    for node in more[: MOST_OPS - len(needed)]:
        with contextlib.suppress(ReplayError):
            run.compute(graph.nodes[node])
    used = run.variables.list_assigned_before_use()
    held = dict.fromkeys(v for v, assign in used if assign in run.moved and v not in changes)
    return Replay(
        run.values,
        frozenset(run.moved),
        frozenset(run.narrow),
        () if follow else tuple(graph.nodes[variable].label for variable in held),
    )


class Run:
    """One replay: the values so far. The parameters are those of :func:`replay`."""

    def __init__(
        self,
        graph: Graph,
        changes: Mapping[int, Any],
        dtype: tf.DType | None = None,
        *,
        follow: bool = False,
    ) -> None:
        self.graph = graph
        self.changes = changes
        self.dtype = dtype
        self.follow = follow
        inputs = find_inputs(graph)
        self.variables = Variables(graph, inputs)
        for node in self.variables.assigned_first.intersection(changes) if follow else ():
            raise ReplayError(_say_assigned_first(graph.nodes[node]))
        self.inputs = self.variables.follow_assigns(changes) if follow else inputs
        self.values: dict[Place, Any] = {}
        self.narrow: set[str] = set()
        self.moved = self._find_moved()
        for node, value in changes.items():
            self.values[node, 0] = self._widen(value)

    def _find_moved(self) -> set[int]:
        """The nodes that depend on a change."""
        moved = set(self.changes)
        for node in self.graph.nodes:
            edges = (self.graph.edges[position] for position in self.inputs[node.id])
            if any(edge.producer in moved for edge in edges):
                moved.add(node.id)
        return moved

    def compute_for(self, end: Place) -> set[int]:
        """Compute an output: what moved of all that leads to it, and what was not held."""
        needed = self._find_needed(end)
        if len(needed) > MOST_OPS:
            count = len(needed)
            raise ReplayError(
                _n(
                    "{count} op would run again, which takes too long.",
                    "{count} ops would run again, which takes too long.",
                    count,
                ).format(count=f"{count:,}")
            )
        for node in sorted(needed):
            taken = not any(s.detail.endswith("(not taken)") for s in self.graph.nodes[node].scopes)
            with contextlib.nullcontext() if taken else contextlib.suppress(ReplayError):
                self.compute(self.graph.nodes[node])
        return needed

    def _find_needed(self, end: Place) -> set[int]:
        needed: set[int] = set()
        waiting = [end]
        while waiting:
            node, output = waiting.pop()
            if node in needed or node in self.changes or (node, output) in self.values:
                continue
            if node not in self.moved and self._find_held(node, output) is not None:
                continue
            needed.add(node)
            edges = (self.graph.edges[position] for position in self.inputs[node])
            waiting += [(edge.producer, edge.output) for edge in edges]
        return needed

    def fetch(self, position: int) -> Any:
        """What flows along an edge: what the graph holds, or what follows from it."""
        edge = self.graph.edges[position]
        place = edge.producer, edge.output
        moved = edge.producer in self.moved and edge.producer not in self.changes
        if place not in self.values and (moved or self._find_held(*place) is None):
            self.compute_for(place)
        if place in self.values:
            return self.values[place]
        value = None if moved else self._find_held(*place)
        if value is None:
            raise ReplayError(say_missing(self.graph.nodes[edge.producer]))
        return self._widen(value)

    def compute(self, node: Node) -> None:
        """Compute the outputs of a node."""
        for output, value in enumerate(self.compute_alone(node)):
            self.values[node.id, output] = value

    def compute_alone(self, node: Node) -> list[Any]:
        """The outputs of a node, from what flows into it."""
        if node.kind not in {"op", "target"}:
            raise ReplayError(say_missing(node))
        into = self.inputs[node.id]
        if node.op in BRANCHING:
            taken = find_taken(len(node.outputs), len(into), self.fetch(into[0]))
            return [self.fetch(into[slot]) for slot in taken]
        if node.op == "AssignVariableOp" and self.follow:
            return [self.fetch(into[1])]
        given = node.kind == "op" and is_given(str(node.op))  # raises for what cannot run alone
        inputs = [self.fetch(position) for position in into]
        return inputs if node.kind == "target" else self._run(node, inputs, given=given)

    def _find_held(self, node: int, output: int) -> Any:
        """A value that the graph holds; of a Variable that it knows by its handle what was read."""
        value = self.graph.nodes[node].outputs[output].value
        if value is None or value.dtype != tf.resource:
            return value
        read = self.variables.first_reads.get(node)
        return None if read is None else self.graph.nodes[read].outputs[0].value

    def _widen(self, value: Any) -> Any:
        if self.dtype is None or value.dtype not in WIDER:
            return value
        return tf.cast(value, WIDER[value.dtype])

    def _run(self, node: Node, inputs: list[Any], *, given: bool) -> list[Any]:
        op = str(node.op)
        if is_read(op):
            return [self._read(node, inputs)]
        if op in _ASSIGNS and self.follow:
            before = self.graph.edges[self.inputs[node.id][0]].producer
            if before in self.variables.assigned_first:
                raise ReplayError(_say_assigned_first(self.graph.nodes[before]))
            return [_ASSIGNS[op](*inputs)]
        if given:
            return self._give(node, inputs)
        try:
            try:
                return run_op(op, node.attributes, inputs, self.dtype)
            except (tf.errors.OpError, TypeError):
                if self.dtype is None:
                    raise
            recorded = [
                tf.cast(one, dtype)
                for one, dtype in zip(inputs, self._list_dtypes(node), strict=True)
            ]
            outputs = run_op(op, node.attributes, recorded)
        except (tf.errors.OpError, TypeError) as error:
            raise ReplayError(
                _("{op} cannot be run again: {reason}").format(
                    op=say_op(node), reason=str(getattr(error, "message", error)).split("\n")[0]
                )
            ) from error
        self.narrow.add(op)
        return [self._widen(one) for one in outputs]

    def _list_dtypes(self, node: Node) -> list[str]:
        edges = (self.graph.edges[position] for position in self.inputs[node.id])
        return [self.graph.nodes[edge.producer].outputs[edge.output].dtype for edge in edges]

    def _read(self, node: Node, inputs: list[Any]) -> Any:
        new = read_variable(str(node.op), node.attributes, inputs)
        variable = self.variables.find(node)
        if self.follow or variable not in self.variables.assigned:
            return new
        # it held several values: each read moves by as much as the first
        first, then = self._find_held(variable, 0), node.outputs[0].value
        if first is None or then is None:
            raise ReplayError(say_missing(node))
        before = [self._widen(first), *inputs[1:]]
        old = read_variable(str(node.op), node.attributes, before)
        return self._widen(then) + (new - old)

    def _give(self, node: Node, inputs: list[Any]) -> list[Any]:
        for position, value in zip(self.inputs[node.id], inputs, strict=True):
            edge = self.graph.edges[position]
            before = self.graph.nodes[edge.producer].outputs[edge.output].value
            if edge.producer in self.moved and not _is_equal(value, self._widen(before)):
                raise ReplayError(
                    _(
                        "{op} depends on what changes, and what it would give is not known: "
                        "it draws random numbers, runs Python code or keeps a state."
                    ).format(op=say_op(node))
                )
        if any(output.value is None for output in node.outputs):
            raise ReplayError(say_missing(node))
        return [self._widen(output.value) for output in node.outputs]


def _say_assigned_first(variable: Node) -> str:
    if not variable.label:
        return _("The cell assigns a Variable before it reads it: what it held is not known.")
    return _(
        "The cell assigns {name} before it reads it: what it held before is not known."
    ).format(name=variable.label)


def _is_equal(one: Any, other: Any) -> bool:
    if other is None or one.dtype in (tf.resource, tf.variant):
        return False
    return np.array_equal(one.numpy(), other.numpy(), equal_nan=one.dtype.is_floating)
