"""Ask the tape: gradients of sources and intermediates, Jacobians, Hessians."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import lacks_gradient, pass_none_through
from gradmagic.core.records import Hessian
from gradmagic.core.sources import COMPOSITES, is_differentiable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gradmagic.core.recorded import Op
    from gradmagic.core.recorder import CellTape, Recorder
    from gradmagic.core.sources import Entry

DENSE_LIMIT = 1_000_000  # entries of a Jacobian or Hessian; larger ones are refused


def take_gradients(
    tape: CellTape, recorder: Recorder, target: Any, tensors: Sequence[Any]
) -> tuple[list[Any], frozenset[str]]:
    """Gradients of ``target`` as TensorFlow returns them, without using the tape up.

    Where an op has no registered gradient, whatever lies behind it gets None, since a part of its
    gradient would be missing; all others get theirs.

    Returns
    -------
    gradients
        One a tensor: a tensor, IndexedSlices or None.
    blocked
        The names of the ops that let no gradient through.
    """
    reader = tape.reader()
    asked = [tensor for tensor in tensors if is_differentiable(tensor)]
    blocked: frozenset[str] = frozenset()
    try:
        taken = reader.gradient(target, asked)
    except LookupError:
        bad = [op for op in recorder.ops if lacks_gradient(op.type)]
        if not bad:
            raise
        blocked = frozenset(op.type for op in bad)
        with pass_none_through(sorted(blocked)):
            taken = reader.gradient(target, asked)
            behind = _find_behind(recorder, reader, target, bad, asked)
        taken = [None if i in behind else one for i, one in enumerate(taken)]
    results = iter(taken)
    return [next(results) if is_differentiable(tensor) else None for tensor in tensors], blocked


def take_zeros(tape: CellTape, target: Any, tensor: Any) -> Any:
    """What ``unconnected_gradients="zero"`` gives a tensor that the target does not depend on."""
    return tape.reader().gradient(target, tensor, unconnected_gradients="zero")


def _find_behind(
    recorder: Recorder, reader: Any, target: Any, bad: Sequence[Op], asked: Sequence[Any]
) -> set[int]:
    """Positions in ``asked`` of the tensors that the target also reaches through a bad op."""
    outputs = _find_floats(recorder, [number for op in bad for number in op.outputs])
    if all(one is None for one in reader.gradient(target, outputs)):
        return set()
    inputs = _find_floats(recorder, [number for op in bad for number in op.inputs])
    paths = reader.gradient(inputs, asked)
    own = {id(tensor) for tensor in inputs}
    return {i for i, path in enumerate(paths) if path is not None or id(asked[i]) in own}


def _find_floats(recorder: Recorder, numbers: Sequence[int]) -> list[Any]:
    held = [recorder.seen[number].tensor for number in numbers]
    return [tensor for tensor in held if tensor is not None and is_differentiable(tensor)]


def take_jacobian(
    tape: CellTape, target: Any, entry: Entry, tensor: Any, unconnected_gradients: str
) -> Any:
    """d target / d tensor, of shape target + tensor; None where there is no path.

    Raises
    ------
    UserError
        It would have more than ``DENSE_LIMIT`` entries, or the source is no dense tensor.
    """
    if isinstance(tensor, COMPOSITES):
        raise UserError(
            _("'{name}' is no dense tensor; TensorFlow computes Jacobians of dense ones").format(
                name=entry.name
            )
        )
    _refuse_size("--jacobian", math.prod(target.shape) * math.prod(tensor.shape), entry.name)
    if not is_differentiable(tensor):
        return None
    reader = tape.reader()
    compute = functools.partial(
        reader.jacobian, target, tensor, unconnected_gradients=unconnected_gradients
    )
    return _vectorized_if_possible(compute)


def start_hessian(tape: CellTape, target: Any, entries: Sequence[Entry]) -> list[Any]:
    """The gradients, taken while the tape still records, so that it can differentiate them.

    Raises
    ------
    UserError
        The Hessian would have more than ``DENSE_LIMIT`` entries, or a source is no dense tensor.
    """
    for entry in entries:
        if isinstance(entry.tensor, COMPOSITES) or not is_differentiable(entry.tensor):
            raise UserError(
                _("'{name}' is no dense float tensor, so it has no Hessian").format(name=entry.name)
            )
    size = sum(math.prod(entry.tensor.shape) for entry in entries)
    _refuse_size("--hessian", size * size, ", ".join(entry.name for entry in entries))
    return list(tape.reader().gradient(target, [entry.tensor for entry in entries]))


def finish_hessian(tape: CellTape, gradients: Sequence[Any], entries: Sequence[Entry]) -> Hessian:
    """The Hessian over all entries, from what :func:`start_hessian` took."""
    sizes = [math.prod(entry.tensor.shape) for entry in entries]
    tensors = [entry.tensor for entry in entries]
    reader = tape.reader()
    rows = []
    for gradient, height in zip(gradients, sizes, strict=True):
        if gradient is None:
            rows.append(np.zeros((height, sum(sizes))))
            continue
        dense = tf.convert_to_tensor(gradient)
        compute = functools.partial(reader.jacobian, dense, tensors, unconnected_gradients="zero")
        blocks = _vectorized_if_possible(compute)
        rows.append(
            np.concatenate(
                [b.numpy().reshape(height, width) for b, width in zip(blocks, sizes, strict=True)],
                1,
            )
        )
    matrix = np.concatenate(rows) if rows else np.zeros((0, 0))
    return Hessian(matrix, tuple(entry.name for entry in entries), tuple(sizes))


def _vectorized_if_possible(compute: Callable[..., Any]) -> Any:
    try:
        return compute(experimental_use_pfor=True)
    except ValueError:  # an op that TensorFlow cannot vectorize; its loop is slower
        return compute(experimental_use_pfor=False)


def _refuse_size(option: str, size: int, name: str) -> None:
    if size > DENSE_LIMIT:
        raise UserError(
            _(
                "{option} of '{name}' would have {size} entries, more than {limit}; "
                "name fewer or smaller sources"
            ).format(option=option, name=name, size=f"{size:,}", limit=f"{DENSE_LIMIT:,}")
        )
