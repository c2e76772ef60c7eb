"""Traced functions opened: for the one op that a call of a tf.function is, the ops inside it.

Tensors inside get numbers of their own, which are negative. Those that TensorFlow handed out, as
results or for the backward pass, keep theirs, and with it their values.
"""

from __future__ import annotations

import itertools
import re
from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from gradmagic.core.recorded import Op, Seen
from gradmagic.core.recorder import name_function
from gradmagic.core.records import Scope
from gradmagic.core.scopes import layer_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gradmagic.core.recorded import FunctionBody
    from gradmagic.core.recorder import Recorder

MOST_INNER = 5_000  # ops inside a call that is opened
MOST_INNER_OF_ALL = 20_000  # ops inside all of them

_IFS = {"If": "cond", "StatelessIf": "cond", "Case": "switch_case", "StatelessCase": "switch_case"}
_LOOPS = ("While", "StatelessWhile")
_WRAPPER = "cflow_gradient_wrapper"  # what TensorFlow puts around If and While for the gradient
# names under which TensorFlow writes what has scopes of its own, and each op's gradient
_NO_SCOPE = re.compile(r"(cond|while|switch_case)(_\d+)?|gradients|.*_grad")
_LARGEST_CONSTANT = 1024  # entries: of larger ones inside a function the value is left out


class Step(NamedTuple):
    """An op of the graph: a recorded one, or one inside a recorded call of a traced function.

    ``position`` is the place of the recorded one; ``inner`` whether it lies inside; ``closed`` the
    number of ops in it, where it is a call that is too large to be opened.
    """

    op: Op
    position: int
    inner: bool = False
    closed: int = 0


@dataclass(frozen=True)
class Expansion:
    """All ops in an order in which each comes after those that feed it.

    ``seen`` tells of their tensors; ``same`` says by which other number a tensor is known that a
    function gave back twice, or as it got it.
    """

    steps: Sequence[Step]
    seen: Mapping[int, Seen]
    same: Mapping[int, int] = field(default_factory=dict)


def expand(recorder: Recorder) -> Expansion:
    """The recorded ops, with what is inside of calls of traced functions in their place."""
    expander = _Expander(recorder)
    for position, op in enumerate(recorder.ops):
        expander.add(op, position)
    seen = ChainMap(expander.seen, recorder.seen)
    return Expansion(expander.steps, seen, expander.same)


class _Place(NamedTuple):
    """Where something runs: the recorded op, the cell's line, and the calls around it."""

    position: int
    line: int | None
    scopes: tuple[Scope, ...]

    def enter(self, scope: Scope) -> _Place:
        return self._replace(scopes=(*self.scopes, scope))


class _Expander:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.functions = recorder.functions
        self.steps: list[Step] = []
        self.seen: dict[int, Seen] = {}
        self.same: dict[int, int] = {}
        self.room = MOST_INNER_OF_ALL
        self._numbers = itertools.count(-1, -1)

    def add(self, op: Op, position: int) -> None:
        """Add a recorded op; of a call of a traced function what is inside."""
        if self.same:
            op = op._replace(inputs=tuple([self.same.get(n, n) for n in op.inputs]))
        called = self.functions.find_called(op.type, op.attributes)
        if called is None:
            self.steps.append(Step(op, position))
            return
        count = self.functions.count_ops(called)
        if count > min(MOST_INNER, self.room):
            self.steps.append(Step(op, position, closed=count))
            return
        self.room -= count
        before = len(self.steps)
        try:
            self._call(called, op.inputs, op.outputs, _Place(position, op.line, op.scopes))
        except Exception:  # a definition that can't be read again: the call stays one node
            del self.steps[before:]
            self.steps.append(Step(op, position, closed=count))

    def _call(
        self, function: str, inputs: Sequence[int], outputs: Sequence[int], place: _Place
    ) -> None:
        name, backward = name_function(function)
        if name != _WRAPPER:
            compiled = self.functions.is_compiled(function)
            detail = backward or ("jit_compile" if compiled else "")
            place = place.enter(Scope("function", name, detail, self._number_call()))
        self._run(function, inputs, outputs, place)

    def _run(
        self, function: str, inputs: Sequence[int], outputs: Sequence[int], place: _Place
    ) -> list[int]:
        """Add what is inside a function; the numbers of its results.

        ``outputs`` are the numbers that the results have outside already, if they do.
        """
        body = self.functions.open(function, [self._find(number) for number in inputs])
        numbers = dict(zip(body.inputs, inputs, strict=True))
        outside: dict[str, int] = {}
        for name, number in zip(body.outputs, outputs, strict=False):
            outside.setdefault(name, number)
        scopes = _NameScopes(place.scopes, body, self._number_call)
        for operation in body.operations:
            for tensor in operation.outputs:
                known = outside.get(tensor.name)
                numbers[tensor.name] = self._number(tensor) if known is None else known
            line = body.lines.get(operation.name, place.line)
            self._add_operation(
                operation,
                tuple([numbers[tensor.name] for tensor in operation.inputs]),
                tuple([numbers[tensor.name] for tensor in operation.outputs]),
                _Place(place.position, line, scopes.find(operation.name)),
            )
        results = [numbers[name] for name in body.outputs]
        self.same.update((n, own) for n, own in zip(outputs, results, strict=False) if n != own)
        return results

    def _add_operation(
        self,
        operation: tf.Operation,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        place: _Place,
    ) -> None:
        attributes = _read_attributes(operation)
        called = self.functions.find_called(operation.type, attributes)
        if called is not None:
            self._call(called, inputs, outputs, place)
            return
        if operation.type in _IFS:
            inputs = self._enter_branches(operation, inputs, place)
        elif operation.type in _LOOPS:
            inputs = self._enter_loop(operation, inputs, place)
        op = Op(operation.type, inputs, outputs, place.line, attributes, None, place.scopes)
        self.steps.append(Step(op, place.position, inner=True))

    def _enter_branches(
        self, operation: tf.Operation, inputs: tuple[int, ...], place: _Place
    ) -> tuple[int, ...]:
        """Add all branches, each of which gets the inputs; what chooses, and all their results."""
        if "branches" in operation.node_def.attr:
            branches = {f"branch {i}": f for i, f in enumerate(operation.get_attr("branches"))}
        else:
            branches = {one: operation.get_attr(f"{one}_branch") for one in ("then", "else")}
        taken = self._find_taken(inputs[0], list(branches))
        results = [inputs[0]]
        for which, function in branches.items():
            said = "" if taken is None else " (taken)" if which == taken else " (not taken)"
            name = _IFS[operation.type]
            scope = Scope("branch", name, which + said, self._number_call())
            results += self._run(function.name, inputs[1:], (), place.enter(scope))
        return tuple(results)

    def _find_taken(self, chooser: int, branches: Sequence[str]) -> str | None:
        """Which branch ran; None where that is not known."""
        tensor = self._find(chooser).tensor
        if tensor is None:
            return None
        value = tensor.numpy()
        if branches[0] == "then":
            return "then" if value else "else"
        return branches[value if 0 <= value < len(branches) else -1]

    def _enter_loop(
        self, operation: tf.Operation, inputs: tuple[int, ...], place: _Place
    ) -> tuple[int, ...]:
        """Add condition and body as they run first; the results of both."""
        results = []
        for which in ("cond", "body"):
            scope = Scope("loop", "while", which, self._number_call())
            function = operation.get_attr(which).name
            results += self._run(function, inputs, (), place.enter(scope))
        return tuple(results)

    def _find(self, number: int) -> Seen:
        return self.seen[number] if number in self.seen else self.recorder.seen[number]

    def _number(self, tensor: tf.Tensor) -> int:
        """A new number for a tensor inside."""
        number = next(self._numbers)
        shape = (None,) if tensor.shape.rank is None else tuple(tensor.shape)
        self.seen[number] = Seen(shape, tensor.dtype, _read_constant(tensor))
        return number

    def _number_call(self) -> int:
        return self.recorder.scopes.number_call()


class _NameScopes:
    """The scopes that an operation's name tells of: ``model/dense/MatMul`` ran in two.

    Names that are also an operation's are none: TensorFlow writes ``MatMul/ReadVariableOp``.
    """

    def __init__(
        self, around: tuple[Scope, ...], body: FunctionBody, number_call: Callable[[], int]
    ) -> None:
        self._known = {"": around}
        self._operations = {operation.name for operation in body.operations}
        parts = {part for name in self._operations for part in name.split("/")[:-1]}
        # Keras opens some scopes more than once, and TensorFlow numbers those of one name
        numbered = sum(_drop_number(part) in layer_classes for part in parts)
        self._numbered = numbered > sum(part in layer_classes for part in parts)
        self._number_call = number_call

    def find(self, name: str) -> tuple[Scope, ...]:
        """The scopes of an operation, the outermost first."""
        return self._open(name.rpartition("/")[0])

    def _open(self, path: str) -> tuple[Scope, ...]:
        if path not in self._known:
            before, _slash, last = path.rpartition("/")
            scopes = self._open(before)
            if path not in self._operations and not _NO_SCOPE.fullmatch(last):
                scopes = (*scopes, self._name(last))
            self._known[path] = scopes
        return self._known[path]

    def _name(self, name: str) -> Scope:
        if name == "gradient_tape":
            return Scope("gradient", "gradient", "", self._number_call())
        layer = _drop_number(name) if self._numbered else name
        if layer in layer_classes:
            return Scope("layer", layer, layer_classes[layer], self._number_call())
        return Scope("name", name, "", self._number_call())


def _drop_number(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _read_attributes(operation: tf.Operation) -> tuple[Any, ...]:
    """Attributes as they come with eager ops: names and values in turn, types as numbers."""
    attributes: list[Any] = []
    for name in operation.node_def.attr:
        if not name.startswith("_") or name == "_gradient_op_type":
            value = operation.get_attr(name)
            number = value.as_datatype_enum if isinstance(value, tf.DType) else value
            attributes += (name, number)
    return tuple(attributes)


def _read_constant(tensor: tf.Tensor) -> Any:
    """The value of a small constant; None of anything else."""
    if tensor.op.type != "Const" or (tensor.shape.num_elements() or 0) > _LARGEST_CONSTANT:
        return None
    return tf.constant(tf.make_ndarray(tensor.op.get_attr("value")), tensor.dtype)
