"""Recorded ops -> Graph: who feeds whom, and what lies between sources and target."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.graph.expansion import expand
from gradmagic.core.graph.flowing import follow_inside
from gradmagic.core.graph.notation import (
    Expression,
    find_data_slots,
    shorten,
    take_output,
    write_op,
)
from gradmagic.core.i18n import _n
from gradmagic.core.recorded import WRITERS
from gradmagic.core.recorder import ASSIGNING, HELD_TENSOR_BYTES, identify, passes_gradient
from gradmagic.core.records import Edge, Fold, Graph, Node, Output
from gradmagic.core.sources import find_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gradmagic.core.graph.expansion import Expansion, Step
    from gradmagic.core.recorded import Op, Seen
    from gradmagic.core.recorder import Recorder

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


@dataclass(frozen=True)
class Cut:
    """The way from tensor ``start`` breaks off before what made, or is, tensor ``end``.

    ``name`` is what ``end`` is called where it is no tensor's name, but a number's or an array's.
    """

    start: int
    end: int
    name: str | None = None


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
    cuts: Collection[Cut] = (),
) -> Graph:
    """The graph of a recording; calls of traced functions are opened.

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
    cuts
        Where the ways from sources to the target break off.
    """
    expansion = expand(recorder)
    reached, carrying = follow_inside(expansion, paths.reached, gradients)
    builder = _Builder(
        recorder, expansion, names, sources, variables, gradients, reached, carrying, cuts
    )
    graph = builder.build(target, target_name)
    return replace(graph, taken=builder.find_places(_list_taken(recorder, target, paths)))


def _list_taken(recorder: Recorder, target: Any, paths: Paths) -> list[int]:
    """The tensors whose values Python took before the last of what the target depends on."""
    made = [number for position in paths.leading for number in recorder.ops[position].outputs]
    last = max([identify(target), *made])
    return [d.number for d in recorder.departures if d.mark < last and d.caller not in WRITERS]


@dataclass(eq=False)
class _Builder:
    recorder: Recorder
    expansion: Expansion
    names: Mapping[int, str]
    sources: Mapping[int, str]
    variables: Mapping[int, Any]
    gradients: Mapping[int, Any]
    reached: Collection[int]
    carrying: Collection[int]
    cuts: Collection[Cut]
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    # by the number of a tensor: the node and output that made it, and how operands are written
    made: dict[int, tuple[int, int]] = field(default_factory=dict)
    written: dict[int, Expression | None] = field(default_factory=dict)
    # tensors that only say shapes, and unnamed small tensors that no op made
    shapes: set[int] = field(default_factory=set)
    constants: set[int] = field(default_factory=set)
    # by the number of a Variable: the node and output that assigned it last
    assigned: dict[int, tuple[int, int]] = field(default_factory=dict)

    def build(self, target: Any, target_name: str) -> Graph:
        steps, seen = self.expansion.steps, self.expansion.seen
        starts = [cut.start for cut in self.cuts]
        number = self._identify(target)
        leading, data = self._lead([number, *starts])
        results = {n for step in steps for n in step.op.outputs}
        for start in dict.fromkeys(starts):  # a source that no op of the cell met
            if start not in results and start in seen:
                self._add_input(start, seen[start])
        for place, step in enumerate(steps):
            self._add_op(step, leads=place in leading, is_data=place in data)
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
        for cut in self.cuts:
            self._cut(cut)
        return Graph(tuple(self.nodes), tuple(self.edges), len(steps), self.recorder.missing)

    def find_places(self, numbers: Iterable[int]) -> frozenset[tuple[int, int]]:
        """The nodes and outputs that tensors are."""
        known = {self.expansion.same.get(number, number) for number in numbers}
        return frozenset(self.made[number] for number in known if number in self.made)

    def _identify(self, tensor: Any) -> int:
        number = identify(tensor)
        return self.expansion.same.get(number, number)

    def _cut(self, cut: Cut) -> None:
        """Mark the edge between the ends of a cut; add one where there is none."""
        if cut.start not in self.made or cut.end not in self.made:
            return
        (producer, output), (consumer, _output) = self.made[cut.start], self.made[cut.end]
        direct = [
            i for i, e in enumerate(self.edges) if (e.producer, e.consumer) == (producer, consumer)
        ]
        for i in direct:
            self.edges[i] = replace(self.edges[i], gradient=False, cut=True)
        if not direct and producer != consumer:
            self.edges.append(Edge(producer, consumer, output, cut=True))

    def _lead(self, ends: Collection[int]) -> tuple[set[int], set[int]]:
        """Places of the steps that lead to some tensors: all, and those by data.

        The others lead there by axes and shapes alone. What assigns a Variable leads to what reads
        it later.
        """
        needed, wanted = set(ends), set(ends)
        leading, data = set(), set()
        for place in range(len(self.expansion.steps) - 1, -1, -1):
            op = self.expansion.steps[place].op
            results = (*op.outputs, *self._list_assigned(op))
            if not needed.isdisjoint(results):
                leading.add(place)
                needed.update(self._list_needed(op, needed))
            if not wanted.isdisjoint(results):
                data.add(place)
                if op.type not in _ASK_SHAPE:
                    slots = find_data_slots(op.type, len(op.inputs))
                    given = {op.inputs[slot] for slot in slots}
                    wanted.update(given.intersection(self._list_needed(op, wanted)))
        return leading, data

    def _list_needed(self, op: Op, needed: Collection[int]) -> Sequence[int]:
        """The inputs that the needed ones of an op's outputs depend on.

        Where branches and loops join, that is what each branch gives for them. The lists in which
        a loop collects what the backward pass will want are needed by nothing else.
        """
        count = len(op.outputs)
        if not op.type.endswith(("If", "Case", "While")):
            return op.inputs
        kept = [
            number in needed
            or ("While" in op.type and self.expansion.seen[number].dtype != tf.variant)
            for number in op.outputs
        ]
        return [n for i, n in enumerate(op.inputs) if i == 0 or kept[(i - 1) % count]]

    def _list_assigned(self, op: Op) -> list[int]:
        """The Variables that an op assigns; what gives one its first value is part of making it."""
        if not op.type.startswith(ASSIGNING):
            return []
        handles = [n for n in op.inputs if self.expansion.seen[n].dtype == tf.resource]
        return [number for number in handles if self._starts.get(number) is not op]

    @functools.cached_property
    def _starts(self) -> dict[int, Op]:
        """The first assignment of each Variable that was made in the cell."""
        made: set[int] = set()
        starts: dict[int, Op] = {}
        for op in self.recorder.ops:
            if op.type == "VarHandleOp":
                made.add(op.outputs[0])
            elif op.type == "AssignVariableOp" and op.inputs[0] in made:
                starts.setdefault(op.inputs[0], op)
        return starts

    def _add_op(self, step: Step, *, leads: bool, is_data: bool) -> None:
        op = step.op
        if op.type == "VarHandleOp":  # a Variable made in the cell: drawn as what it is
            self._add_input(op.outputs[0], self.expansion.seen[op.outputs[0]])
            return
        for number in op.inputs:
            if number not in self.made:
                self._add_input(number, self.expansion.seen[number])
        own = len(self.nodes)
        assigned = self._list_assigned(op)
        outputs = tuple(self._make_output(number) for number in op.outputs)
        given = tuple(self._make_assigned(op, number) for number in assigned)
        slots = find_data_slots(op.type, len(op.inputs))
        operands = [self.written.get(op.inputs[slot]) for slot in slots]
        label = write_op(op.type, operands, op.attributes)
        fold = self._find_fold(op, outputs, leads=leads, is_data=is_data)
        literal = _write_literal(self.expansion.seen[op.outputs[0]]) if op.type == "Const" else None
        if literal is not None:
            label, fold = Expression(literal), "constant"
            self.constants.add(op.outputs[0])
        source = next((self.sources[n] for n in op.outputs if n in self.sources), None)
        text = f"{source} = {label.text}" if source else label.text
        self.nodes.append(
            Node(
                own,
                "op",
                op.type,
                f"{text} {_say_closed(step.closed)}" if step.closed else text,
                op.line,
                (*outputs, *given),
                source=source,
                fold=fold,
                position=step.position,
                attributes=op.attributes,
                seconds=op.seconds,
                scopes=op.scopes,
                traced=step.inner and any(o.value is None and o.summary is None for o in outputs),
            )
        )
        self._connect(own, op)
        for output, handle in enumerate(assigned, len(outputs)):
            self.assigned[handle] = (own, output)
        for output, number in enumerate(op.outputs):
            self.made[number] = (own, output)
            named = self.names.get(number)
            if named is not None:
                self.written[number] = Expression(named)
            elif fold == "same" and op.inputs:
                self.written[number] = self.written.get(op.inputs[slots[0]])
            else:
                self.written[number] = shorten(take_output(op.type, label, output))

    def _connect(self, own: int, op: Op) -> None:
        """Add the edges into an op's node."""
        passes = passes_gradient(op.type) and any(n in self.carrying for n in op.outputs)
        ruled = next((one.call for one in op.scopes if one.kind == "custom_gradient"), None)
        for slot, number in enumerate(op.inputs):
            producer, output = self.made[number]
            flows = number in self.carrying and self._flows(number, producer)
            if ruled is None:
                flows = flows and passes
            else:  # a rule of its own passes the gradient by all that is inside
                outside = all(scope.call != ruled for scope in self.nodes[producer].scopes)
                flows = flows and outside and ruled in self._ruled
            self.edges.append(Edge(producer, own, output, slot, flows))
        for slot, number in enumerate(op.inputs):
            if number in self.assigned:  # beside the Variable itself: what it was assigned before
                before, output = self.assigned[number]
                self.edges.append(Edge(before, own, output, slot))
                if op.type == "ReadVariableOp":
                    self._note_read(before, output, self.expansion.seen[op.outputs[0]])

    def _make_assigned(self, op: Op, handle: int) -> Output:
        """What a Variable holds once an op has assigned it; its value may be read later."""
        name = self.names.get(handle)
        if op.type == "AssignVariableOp":
            seen = self.expansion.seen[op.inputs[1]]
            return Output(seen.shape, seen.dtype.name, seen.tensor, None, name, seen.summary)
        variable = self.variables.get(handle)
        if variable is None:
            return Output((), tf.resource.name, name=name)
        return Output(tuple(variable.shape), variable.dtype.name, name=name)

    def _note_read(self, node: int, output: int, seen: Seen) -> None:
        """Note what was read from a Variable as what the op before gave it."""
        outputs = list(self.nodes[node].outputs)
        if outputs[output].value is None:
            outputs[output] = replace(
                outputs[output],
                shape=seen.shape,
                dtype=seen.dtype.name,
                value=seen.tensor,
                summary=seen.summary,
            )
            self.nodes[node] = replace(self.nodes[node], outputs=tuple(outputs))

    @functools.cached_property
    def _ruled(self) -> set[int]:
        """Calls of functions with gradient rules of their own through which a gradient flows."""
        return {
            scope.call
            for step in self.expansion.steps
            for scope in step.op.scopes
            if scope.kind == "custom_gradient"
            and any(number in self.carrying for number in step.op.outputs)
        }

    def _flows(self, number: int, producer: int) -> bool:
        return self.nodes[producer].kind == "source" or number in self.reached

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
        before = self.expansion.seen[op.inputs[0]]
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
        seen = self.expansion.seen[number]
        gradient = self.gradients.get(number)
        name = self.names.get(number)
        variable = self.variables.get(number)
        if variable is None:
            held = seen.shape, seen.dtype.name, seen.tensor
            return Output(*held, gradient, name, seen.summary)
        # what flows on from a Variable is what is read from it, not its handle
        read = self._first_reads.get(number)
        value = read.tensor if read else None
        if value is None and self._is_as_it_was(variable):  # only some of its rows were read
            value = variable.value()
        summary = read.summary if read else None
        return Output(tuple(variable.shape), variable.dtype.name, value, gradient, name, summary)

    @functools.cached_property
    def _first_reads(self) -> dict[int, Seen]:
        """What was first read from each Variable."""
        reads = [s.op for s in reversed(self.expansion.steps) if s.op.type == "ReadVariableOp"]
        return {op.inputs[0]: self.expansion.seen[op.outputs[0]] for op in reads}

    def _is_as_it_was(self, variable: Any) -> bool:
        """Whether a Variable still holds what the cell met, and no more than is worth holding."""
        size = variable.dtype.size * (variable.shape.num_elements() or 0)
        return identify(variable) not in self._ever_assigned and size <= HELD_TENSOR_BYTES

    @functools.cached_property
    def _ever_assigned(self) -> set[int]:
        return {number for step in self.expansion.steps for number in self._list_assigned(step.op)}


def _say_closed(count: int) -> str:
    """That a traced function was not opened."""
    said = _n("({count} op inside)", "({count} ops inside)", count)
    return said.format(count=f"{count:,}")


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
