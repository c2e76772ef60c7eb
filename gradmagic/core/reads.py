"""Reads of Variables that TensorFlow did in C++, which no callback tells of: found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.recorded import Op, Seen
from gradmagic.core.recorder import find_address, identify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.recorder import CellTape, Recorder

Owners = dict[int, tf.Variable]  # by their handles


def add_hidden_reads(recorder: Recorder, variables: Sequence[tf.Variable], tape: CellTape) -> None:
    """Add to a recording the reads of Variables that it was not told of.

    ``v * v`` hands the Variable itself to the op, which then reads it. What it read shares the
    Variable's memory: that is how it is found again. Where several Variables share it (both made
    of one constant), the tape tells which of them the tensor comes from. Tensors of which it stays
    unclear are counted in ``recorder.unclear``.
    """
    ops = recorder.ops
    made = {number for op in ops for number in op.outputs}
    strangers = [(at, number) for at, number in recorder.strangers if number not in made]
    if not strangers:
        return
    by_address = _find_owners(recorder, variables)
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
            alike = _list_assigned_alike(recorder, tensor, variables)
            found = _if_alone(_list_read(tape, tensor, alike)) or _if_alone(
                _list_copied(recorder, tensor, alike)
            )
            recorder.unclear += len(found) < bool(alike)
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


def _list_read(tape: CellTape, tensor: Any, variables: Owners) -> Owners:
    """The Variables that the tape saw a tensor read from."""
    if not variables:
        return {}
    slopes = tape.reader().gradient(tensor, list(variables.values()))
    pairs = zip(variables.items(), slopes, strict=True)
    return dict(pair for pair, slope in pairs if slope is not None)


def _list_unwatched(tape: CellTape, variables: Owners) -> Owners:
    watched = {identify(variable) for variable in tape.watched_variables()}
    return {handle: v for handle, v in variables.items() if handle not in watched}


def _list_assigned_alike(
    recorder: Recorder, tensor: Any, variables: Sequence[tf.Variable]
) -> Owners:
    """The Variables that the cell assigned, and that a tensor could be an earlier value of."""
    return {
        identify(one): one
        for one in variables
        if identify(one) in recorder.assigned
        and (one.dtype, one.shape) == (tensor.dtype, tensor.shape)
    }


def _list_copied(recorder: Recorder, tensor: Any, variables: Owners) -> Owners:
    """The Variables that a tensor is a copy of: one whose parts were assigned is read so."""
    return {
        handle: variable
        for handle, variable in variables.items()
        if handle in recorder.partly_assigned
        and np.array_equal(variable.numpy(), tensor.numpy(), equal_nan=True)
    }


def _if_alone(found: Owners) -> Owners:
    """What was found, where it is one; of several it is unclear which."""
    return found if len(found) == 1 else {}
