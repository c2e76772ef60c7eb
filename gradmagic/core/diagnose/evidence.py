"""What one run left for its explanation: the recorded ops by what they made, values, names."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.diagnose.code import list_heads
from gradmagic.core.diagnose.flow import NEW_VALUE, look_ahead
from gradmagic.core.graph.notation import Expression, write_op
from gradmagic.core.recorder import identify
from gradmagic.core.sources import COMPOSITES, identify_parts, is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gradmagic.core.diagnose.code import CellCode
    from gradmagic.core.diagnose.flow import Ways
    from gradmagic.core.diagnose.history import History
    from gradmagic.core.recorded import Op
    from gradmagic.core.recorder import CellTape, Recorder
    from gradmagic.core.records import Gradient, Graph
    from gradmagic.core.sources import Version
    from gradmagic.core.target import FoundTarget


@dataclass(frozen=True, eq=False)
class Subject:
    """A source tensor, as the run left it.

    Attributes
    ----------
    gradient
        Its gradient's record.
    tensor
        The tensor or tf.Variable that is shown.
    connected
        Whether TensorFlow has a gradient for it. (With ``unconnected_gradients="zero"`` the record
        holds zeros where it has none.)
    versions
        All that its name was bound to, in order.
    of_keras
        Whether it belongs to a Keras layer or model.
    """

    gradient: Gradient
    tensor: Any
    connected: bool
    versions: Sequence[Version] = ()
    of_keras: bool = False

    @property
    def name(self) -> str:
        """Its Python name."""
        return self.gradient.name

    @functools.cached_property
    def numbers(self) -> frozenset[int]:
        """TensorFlow's numbers of the tensors it is made of (of a Variable, its handle's)."""
        return frozenset(identify_parts(self.tensor))


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the diagnosers read. Tensors are named by TensorFlow's numbers of them.

    Attributes
    ----------
    recorder, tape
        What ran, and what the tape saw of it.
    target
        What was differentiated.
    subjects
        The source tensors, in order.
    gradients
        Gradients of the target with respect to sources and to the tensors between, by number;
        None or missing where there is none.
    names
        The first Python names of tensors and Variables, by number.
    code, history
        The cell's own code, and the code of earlier cells.
    graph
        The graph of the run; None with ``--no-graph``, and then nothing is recorded either.
    namespace
        The user's namespace after the cell.
    bound
        The line that bound each of the cell's names last.
    magic
        The magic's line.
    """

    recorder: Recorder
    tape: CellTape
    target: FoundTarget
    subjects: Sequence[Subject]
    gradients: Mapping[int, Any]
    names: Mapping[int, str]
    code: CellCode
    history: History
    graph: Graph | None
    namespace: Mapping[str, Any]
    bound: Mapping[str, int]
    magic: str
    _followed: dict[frozenset[int], frozenset[int]] = field(default_factory=dict, repr=False)

    @property
    def ops(self) -> list[Op]:
        """The recorded ops in the order in which they ran."""
        return self.recorder.ops

    @functools.cached_property
    def tape_name(self) -> str:
        """The name that the tape is bound to."""
        named = (name for name, value in self.namespace.items() if value is self.tape)
        return next(named, "tape")

    @functools.cached_property
    def target_number(self) -> int:
        """The target's own number."""
        return identify(self.target.tensor)

    @functools.cached_property
    def makers(self) -> dict[int, int]:
        """The position of the op that made each tensor."""
        return {n: position for position, op in enumerate(self.ops) for n in op.outputs}

    @functools.cached_property
    def consumers(self) -> dict[int, list[int]]:
        """The positions of the ops that each tensor went into, in order."""
        found: dict[int, list[int]] = {}
        for position, op in enumerate(self.ops):
            for number in dict.fromkeys(op.inputs):
                found.setdefault(number, []).append(position)
        return found

    @functools.cached_property
    def leading(self) -> list[int]:
        """The positions of the ops that the target was computed by, in order."""
        needed, leading = {self.target_number}, []
        for position in range(len(self.ops) - 1, -1, -1):
            op = self.ops[position]
            if any(number in needed for number in op.outputs):
                leading.append(position)
                needed.update(op.inputs)
        return leading[::-1]

    @functools.cached_property
    def dependent(self) -> frozenset[int]:
        """The tensors computed from sources, whether a gradient flows through or not."""
        return self.follow(frozenset(n for subject in self.subjects for n in subject.numbers))

    def follow(self, numbers: frozenset[int]) -> frozenset[int]:
        """All tensors computed from some, with these; through assigned Variables too."""
        if numbers not in self._followed:
            reached = set(numbers)
            for op in self.ops:
                if not reached.isdisjoint(op.inputs):
                    reached.update(op.outputs)
                    if op.type in NEW_VALUE:
                        reached.add(op.inputs[0])
            self._followed[numbers] = frozenset(reached)
        return self._followed[numbers]

    @functools.cached_property
    def asked(self) -> dict[int, Ways]:
        """The ways to the target, where the tape itself is asked at each op."""
        return look_ahead(self, ask=True)

    def list_inputs(self) -> Iterator[tuple[int, str]]:
        """The named tensors from before the cell that the target was computed from."""
        own = {number for subject in self.subjects for number in subject.numbers}
        numbers = dict.fromkeys(
            [n for p in self.leading for n in self.ops[p].inputs] + [self.target_number]
        )
        for number in numbers:
            used = next(iter(self.consumers.get(number, ())), None)
            known = self.find_name(number, None if used is None else self.ops[used].line)
            early = number <= self.recorder.first and number not in self.makers
            if known is not None and early and number not in own:
                yield number, known

    def maker(self, number: int) -> Op | None:
        """The op that made a tensor; None where none did."""
        position = self.makers.get(number)
        return None if position is None else self.ops[position]

    def shape(self, number: int) -> tuple[int | None, ...]:
        """A tensor's shape."""
        return self.recorder.seen[number].shape

    def is_float(self, number: int) -> bool:
        """Whether a tensor's dtype is one that gradients exist for."""
        seen = self.recorder.seen.get(number)
        return seen is not None and bool(seen.dtype.is_floating or seen.dtype.is_complex)

    def is_discrete(self, number: int) -> bool:
        """Whether a tensor holds integers, booleans or strings."""
        seen = self.recorder.seen.get(number)
        kinds = () if seen is None else (seen.dtype.is_integer, seen.dtype.is_bool)
        return any(kinds) or (seen is not None and seen.dtype == tf.string)

    def value(self, number: int) -> np.ndarray | None:
        """A tensor's value, as float64 where it is floating; None where none is at hand."""
        seen = self.recorder.seen.get(number)
        if seen is None or seen.tensor is None or seen.dtype in (tf.resource, tf.variant):
            return None
        return _read(seen.tensor)

    def gradient(self, number: int) -> np.ndarray | None:
        """The target's gradient with respect to a tensor, dense; None where there is none."""
        found = self.gradients.get(number)
        return None if found is None else _read(tf.convert_to_tensor(found))

    @functools.cached_property
    def held(self) -> dict[int, list[str]]:
        """The names that each tensor and Variable still has when the cell is done."""
        found: dict[int, list[str]] = {}
        for name, value in self.namespace.items():
            tensor = unwrap(value)
            single = is_tensor(tensor) and not isinstance(tensor, COMPOSITES)
            if single and not name.startswith("_"):
                found.setdefault(identify(tensor), []).append(name)
        return found

    def find_name(self, number: int, line: int | None = None) -> str | None:
        """A tensor's Python name: the one that a line has it by, where that is known.

        A name may have been given to another tensor since.
        """
        own, held = self.names.get(number), self.held.get(number, [])
        step = self.code.find_step(line)
        heads = [] if step is None else list_heads(step.node)
        written = {n.id for head in heads for n in ast.walk(head) if isinstance(n, ast.Name)}
        on_line = next((name for name in held if name in written), None)
        if on_line is not None or not held:
            return on_line or own
        later = own is not None and line is not None and self.bound.get(own, 0) >= line
        return own if own in held or later else held[0]

    def write(self, number: int, line: int | None = None) -> str:
        """How a tensor is called: its Python name, else the op that made it, as in the graph.

        Of several names it is the one on ``line``.
        """
        name = self.find_name(number, line)
        if name is not None:
            return name
        position = self.makers.get(number)
        if position is not None:
            return self.labels.get(position) or self.ops[position].type
        value = self.value(number)
        return f"{value:g}" if value is not None and value.ndim == 0 else ""

    @functools.cached_property
    def labels(self) -> dict[int, str]:
        """What each op computes in mathematical notation, by position."""
        nodes = self.graph.nodes if self.graph else ()
        labels = {}
        for node in nodes:
            if node.position is not None:
                inside = any(scope.kind == "function" for scope in node.scopes)
                call = self._write_call(self.ops[node.position]) if inside else ""
                labels[node.position] = call or node.label
        return labels

    def _write_call(self, op: Op) -> str:
        """A call of a traced function, of which the graph has the inside."""
        names = [self.names.get(number) for number in op.inputs]
        return write_op(op.type, [Expression(name) if name else None for name in names]).text


def _read(tensor: Any) -> np.ndarray:
    array = np.asarray(tensor.numpy())
    if tensor.dtype.is_floating:  # bfloat16 and float16 compute badly
        return array.astype(np.float64)
    return array
