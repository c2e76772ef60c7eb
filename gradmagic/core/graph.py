"""Recorded ops -> Graph: who feeds whom, and what lies between sources and target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gradmagic.core.notation import Expression, find_data_slots, shorten, write_op
from gradmagic.core.recorder import identify, passes_gradient
from gradmagic.core.records import Edge, Fold, Graph, Node, Output
from gradmagic.core.sources import find_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gradmagic.core.recorder import Op, Recorder, Seen

MOST_WRITTEN = 4  # entries of an unnamed vector that its consumers write out

_ASK_SHAPE = frozenset({"Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs"})
_SAME = frozenset({"Identity", "IdentityN", "ReadVariableOp", "EnsureShape", "Snapshot"})
_SAME_IF_SHAPE_KEPT = frozenset({"Reshape", "BroadcastTo", "Squeeze", "Cast", "Sum", "Mean"})


@dataclass(frozen=True)
class Paths:
    """Ways through the recorded ops.

    ``leading`` are the positions of the ops on which the target depends; ``reached`` the tensors
    to which a source's value flows differentiably; ``between`` the held ones of these that the
    target depends on, in order: the tensors that have a gradient.
    """

    leading: frozenset[int]
    reached: frozenset[int]
    between: tuple[int, ...]


def find_paths(recorder: Recorder, target: Any, sources: Iterable[Any]) -> Paths:
    """The ops and tensors between ``sources`` and ``target``."""
    reached = {identify(part) for source in sources for part in find_parts(source)}
    for op in recorder.ops:
        if any(number in reached for number in op.inputs) and passes_gradient(op.type):
            reached.update(n for n in op.outputs if _is_float(recorder.seen[n]))
    needed, leading = {identify(target)}, set()
    for position in range(len(recorder.ops) - 1, -1, -1):
        op = recorder.ops[position]
        if any(number in needed for number in op.outputs):
            leading.add(position)
            needed.update(op.inputs)
    between = tuple(
        number
        for position in sorted(leading)
        for number in recorder.ops[position].outputs
        if number in reached and recorder.seen[number].tensor is not None
    )
    return Paths(frozenset(leading), frozenset(reached), between)


def _is_float(seen: Seen) -> bool:
    return seen.dtype.is_floating or seen.dtype.is_complex


def build(
    recorder: Recorder,
    *,
    target: Any,
    target_name: str,
    names: Mapping[int, str],
    sources: Mapping[int, str],
    variables: Mapping[int, Any],
    gradients: Mapping[int, Any],
    paths: Paths,
) -> Graph:
    """The graph of a recording.

    Parameters
    ----------
    recorder
        The ops that ran.
    target, target_name
        What was differentiated.
    names
        Python names of tensors and variables, by TensorFlow's number.
    sources
        Names of the sources, likewise.
    variables
        The tf.Variables that ops may read, likewise.
    gradients
        Gradients of the target with respect to tensors and variables, likewise.
    paths
        From :func:`find_paths`.
    """
    builder = _Builder(recorder, names, sources, variables, gradients, paths)
    return builder.build(target, target_name)


@dataclass(eq=False)
class _Builder:
    recorder: Recorder
    names: Mapping[int, str]
    sources: Mapping[int, str]
    variables: Mapping[int, Any]
    gradients: Mapping[int, Any]
    paths: Paths
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    # by the number of a tensor: the node and output that made it, and how operands are written
    made: dict[int, tuple[int, int]] = field(default_factory=dict)
    written: dict[int, Expression | None] = field(default_factory=dict)
    # tensors that only say shapes, and unnamed small tensors that no op made
    shapes: set[int] = field(default_factory=set)
    constants: set[int] = field(default_factory=set)

    def build(self, target: Any, target_name: str) -> Graph:
        data = self._find_data(identify(target))
        for position, op in enumerate(self.recorder.ops):
            self._add_op(op, leads=position in self.paths.leading, is_data=position in data)
        number = identify(target)
        if number not in self.made:  # the target is a source or an input itself
            self._add_input(number, self.recorder.see(target))
        node, output = self.made[number]
        last = len(self.nodes)
        gradient = self.gradients.get(number)
        made = self.nodes[node].outputs[output]
        self.nodes.append(
            Node(
                last,
                "target",
                None,
                target_name,
                self.nodes[node].line,
                (replace(made, gradient=gradient),),
                count=0,
            )
        )
        self.edges.append(Edge(node, last, output, 0, gradient is not None))
        return Graph(
            tuple(self.nodes), tuple(self.edges), len(self.recorder.ops), self.recorder.missing
        )

    def _find_data(self, target: int) -> set[int]:
        """Positions of the ops that lead to the target by data, not by axes and shapes alone."""
        needed, data = {target}, set()
        for position in range(len(self.recorder.ops) - 1, -1, -1):
            op = self.recorder.ops[position]
            if any(number in needed for number in op.outputs):
                data.add(position)
                if op.type not in _ASK_SHAPE:
                    slots = find_data_slots(op.type, len(op.inputs))
                    needed.update(op.inputs[slot] for slot in slots)
        return data

    def _add_op(self, op: Op, *, leads: bool, is_data: bool) -> None:
        if op.type == "VarHandleOp":  # a Variable made in the cell: drawn as what it is
            self._add_input(op.outputs[0], self.recorder.seen[op.outputs[0]])
            return
        for number in op.inputs:
            if number not in self.made:
                self._add_input(number, self.recorder.seen[number])
        own = len(self.nodes)
        outputs = tuple(self._make_output(number) for number in op.outputs)
        slots = find_data_slots(op.type, len(op.inputs))
        label = write_op(op.type, [self.written.get(op.inputs[slot]) for slot in slots])
        fold = self._find_fold(op, outputs, leads=leads, is_data=is_data)
        source = next((self.sources[n] for n in op.outputs if n in self.sources), None)
        self.nodes.append(
            Node(
                own,
                "op",
                op.type,
                f"{source} = {label.text}" if source else label.text,
                op.line,
                outputs,
                source=source,
                fold=fold,
            )
        )
        passes = passes_gradient(op.type) and any(o.gradient is not None for o in outputs)
        for slot, number in enumerate(op.inputs):
            producer, output = self.made[number]
            flows = passes and number in self.gradients and self._flows(number, producer)
            self.edges.append(Edge(producer, own, output, slot, flows))
        for position, number in enumerate(op.outputs):
            self.made[number] = (own, position)
            named = self.names.get(number)
            if named is not None:
                self.written[number] = Expression(named)
            elif fold == "same" and op.inputs:
                self.written[number] = self.written.get(op.inputs[slots[0]])
            else:
                self.written[number] = shorten(label)

    def _flows(self, number: int, producer: int) -> bool:
        return self.nodes[producer].kind == "source" or number in self.paths.reached

    def _find_fold(
        self, op: Op, outputs: tuple[Output, ...], *, leads: bool, is_data: bool
    ) -> Fold | None:
        asked = op.type in _ASK_SHAPE
        if asked or (
            op.inputs
            and any(n in self.shapes for n in op.inputs)
            and all(n in self.shapes or n in self.constants for n in op.inputs)
        ):
            self.shapes.update(op.outputs)
        if not leads:
            return "side"
        if any(number in self.sources for number in op.outputs):
            return None
        if not is_data or (op.outputs and op.outputs[0] in self.shapes):
            return "shape"
        if not op.inputs or not outputs:
            return None
        before = self.recorder.seen[op.inputs[0]]
        kept = before.shape == outputs[0].shape and before.dtype.name == outputs[0].dtype
        same = op.type in _SAME or (op.type in _SAME_IF_SHAPE_KEPT and kept)
        if same and outputs[0].name is None:  # what the student named stays
            return "same"
        return None

    def _add_input(self, number: int, seen: Seen) -> None:
        name = self.sources.get(number) or self.names.get(number)
        is_source = number in self.sources
        output = self._make_output(number)
        literal = None if name else _write_literal(seen)
        if literal is not None:
            self.constants.add(number)
        self.made[number] = (len(self.nodes), 0)
        self.written[number] = Expression(name or literal or "") if name or literal else None
        self.nodes.append(
            Node(
                len(self.nodes),
                "source" if is_source else "input",
                None,
                name or literal or "",
                None,
                (output,),
                source=self.sources.get(number),
                fold="constant" if literal is not None else None,
                count=0,
            )
        )

    def _make_output(self, number: int) -> Output:
        seen = self.recorder.seen[number]
        gradient = self.gradients.get(number)
        name = self.names.get(number)
        variable = self.variables.get(number)
        if variable is None:
            return Output(seen.shape, seen.dtype.name, seen.tensor, gradient, name)
        # what flows on from a Variable is what is read from it, not its handle
        value = self.recorder.find_first_read(variable)
        return Output(tuple(variable.shape), variable.dtype.name, value, gradient, name)


def _write_literal(seen: Seen) -> str | None:
    """A small constant as it would be typed; None for what is larger or unknown."""
    small = len(seen.shape) <= 1 and all((side or 0) <= MOST_WRITTEN for side in seen.shape)
    numeric = seen.dtype.is_floating or seen.dtype.is_integer or seen.dtype.is_bool
    if seen.tensor is None or not small or not numeric:
        return None
    written = [
        f"{float(v):g}" if seen.dtype.is_floating else str(v)
        for v in seen.tensor.numpy().reshape(-1)
    ]
    return f"[{', '.join(written)}]" if seen.shape else written[0]
