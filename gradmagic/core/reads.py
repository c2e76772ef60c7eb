"""Reads of Variables that TensorFlow did in C++, which no callback tells of: found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.recorded import Op, Seen
from gradmagic.core.recorder import find_address, identify
from gradmagic.core.sources import is_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.recorder import CellTape, Recorder

Owners = dict[int, tf.Variable]  # by their handles


def add_hidden_reads(recorder: Recorder, variables: Sequence[tf.Variable], tape: CellTape) -> None:
    """Add to a recording the reads of Variables that it was not told of.

    ``v * v`` hands the Variable itself to the op, which then reads it. What it read shares the
    Variable's memory: that is how it is found again. Where several Variables share it (both made
    of one constant), or where it lies elsewhere (the cell assigned the Variable later, or rows of
    it were looked up, after which each read is a copy), the tape tells which of them the tensor
    comes from. Tensors of which it stays unclear are counted in ``recorder.unclear``.
    """
    ops = recorder.ops
    made = {number for op in ops for number in op.outputs}
    strangers = [(at, number) for at, number in recorder.strangers if number not in made]
    if not strangers:
        return
    by_address = _find_owners(recorder, variables)
    elsewhere = _Elsewhere(recorder, variables)
    # what a Variable was assigned lies where the Variable does, and is no read of it
    given = {op.inputs[:2] for op in ops if op.type == "AssignVariableOp"}
    for position, number in reversed(strangers):
        tensor = recorder.seen[number].tensor
        address = None if tensor is None else find_address(tensor)
        found = {} if address is None else by_address.get(address, {})
        found = {handle: v for handle, v in found.items() if (handle, number) not in given}
        if len(found) > 1:
            found = _if_alone(_list_read(tape, tensor, found) or _list_unwatched(tape, found))
            recorder.unclear += not found
        if not found and tensor is not None:
            possible = elsewhere.find(tensor)
            missed = _list_missed(tape, number, tensor, possible)
            found = _if_alone(_list_read(tape, tensor, possible)) or _if_alone(
                _list_copied(tensor, missed)
            )
            recorder.unclear += len(found) < bool(possible)
        recorder.unclear += address is None
        for handle in found:
            ops.insert(position, Op("ReadVariableOp", (handle,), (number,), ops[position].line, ()))
            recorder.seen.setdefault(handle, Seen((), tf.resource, None))


def _find_owners(recorder: Recorder, variables: Sequence[tf.Variable]) -> dict[int | None, Owners]:
    """The Variables by where their values lie in memory, and those that were read before."""
    by_address: dict[int | None, Owners] = {}
    by_handle = {identify(variable): variable for variable in variables}
    for handle, variable in by_handle.items():
        by_address.setdefault(find_address(variable.value()), {})[handle] = variable
    for op in recorder.ops:  # what a Variable held before it was assigned
        value = recorder.seen[op.outputs[0]].tensor if op.type == "ReadVariableOp" else None
        if value is not None and op.inputs[0] in by_handle:
            handle = op.inputs[0]
            by_address.setdefault(find_address(value), {})[handle] = by_handle[handle]
    return by_address


class _Elsewhere:
    """The Variables of which a read may lie elsewhere than the Variable itself."""

    def __init__(self, recorder: Recorder, variables: Sequence[tf.Variable]) -> None:
        self._assigned = recorder.assigned
        self._variables = variables
        self._found: dict[tuple[tf.DType, tuple[int, ...]], Owners] = {}

    def find(self, tensor: Any) -> Owners:
        """Those that a tensor could be read from, by its dtype and shape."""
        kind = tensor.dtype, tuple(tensor.shape)
        if kind not in self._found:
            alike = [one for one in self._variables if (one.dtype, tuple(one.shape)) == kind]
            by_handle = {identify(one): one for one in alike}
            self._found[kind] = {
                handle: one
                for handle, one in by_handle.items()
                if handle in self._assigned or _is_copied(one)
            }
        return self._found[kind]


def _is_copied(variable: tf.Variable) -> bool:
    """Whether each read of a Variable is a copy, as it is once rows of it were looked up."""
    first, second = variable.value(), variable.value()
    address = find_address(first)
    return address is None or address != find_address(second)


def _list_read(tape: CellTape, tensor: Any, variables: Owners) -> Owners:
    """The Variables that the tape saw a tensor read from."""
    if not variables or not is_differentiable(tensor):
        return {}
    slopes = tape.reader().gradient(tensor, list(variables.values()))
    pairs = zip(variables.items(), slopes, strict=True)
    return dict(pair for pair, slope in pairs if slope is not None)


def _list_unwatched(tape: CellTape, variables: Owners) -> Owners:
    watched = {identify(variable) for variable in tape.watched_variables()}
    return {handle: v for handle, v in variables.items() if handle not in watched}


def _list_missed(tape: CellTape, number: int, tensor: Any, variables: Owners) -> Owners:
    """The Variables that a tensor may be read from though the tape does not say so."""
    is_in_gap = any(gap.start < number <= gap.end for gap in tape.gaps)
    all_missed = is_in_gap or not is_differentiable(tensor)
    return variables if all_missed else _list_unwatched(tape, variables)


def _list_copied(tensor: Any, variables: Owners) -> Owners:
    """The Variables that a tensor is a copy of."""
    values = tensor.numpy() if variables else None
    if values is None or not (values != values.ravel()[:1]).any():
        return {}  # entries that are all alike may well be a constant's
    return {
        handle: variable
        for handle, variable in variables.items()
        if np.array_equal(variable.numpy(), values, equal_nan=tensor.dtype.is_floating)
        and _is_copied(variable)
    }


def _if_alone(found: Owners) -> Owners:
    """What was found, where it is one; of several it is unclear which."""
    return found if len(found) == 1 else {}
