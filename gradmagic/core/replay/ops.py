"""One recorded op, run again and differentiated alone: by TensorFlow, through ``tf.raw_ops``."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import find_definition, name_function

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDER = {
    tf.float16: tf.float64,
    tf.bfloat16: tf.float64,
    tf.float32: tf.float64,
    tf.complex64: tf.complex128,
}

BRANCHING = ("If", "StatelessIf", "Case", "StatelessCase")  # as they are in an opened tf.function
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
_HARMLESS = frozenset({"CheckNumerics"})  # TensorFlow calls it stateful only to keep it in a graph
_RANDOM = ("Random", "Stateless")
_CALLS = ("__", "PartitionedCall", "StatefulPartitionedCall")
_RENAMED = {"squeeze_dims": "axis"}  # the only attribute that tf.raw_ops calls otherwise


class ReplayError(UserError):
    """Why a graph, or one op of it, cannot be run again."""


@dataclass(frozen=True)
class _Signature:
    """How ``tf.raw_ops`` calls an op; with each input that is a list, what says how long it is."""

    call: Any
    inputs: tuple[tuple[str, str | None], ...]
    attributes: tuple[str, ...]
    dtypes: frozenset[str]
    is_stateful: bool


@functools.cache
def _find_signature(op: str) -> _Signature:
    if op.startswith(_CALLS):
        raise ReplayError(
            _("{name} is a tf.function, whose ops were not recorded one by one.").format(
                name=name_function(op)[0]
            )
        )
    definition, call = find_definition(op), getattr(tf.raw_ops, op, None)
    if definition is None or call is None:
        raise ReplayError(_("{op} is none of TensorFlow's own ops.").format(op=op))
    if any(one.type in {"func", "list(func)"} for one in definition.attr):
        raise ReplayError(_("{op} runs functions that TensorFlow has traced.").format(op=op))
    parameters = [name for name in inspect.signature(call).parameters if name != "name"]
    lengths = [one.number_attr or one.type_list_attr or None for one in definition.input_arg]
    return _Signature(
        call,
        tuple(zip(parameters, lengths, strict=False)),  # the inputs come first
        tuple(parameters[len(lengths) :]),
        frozenset(one.name for one in definition.attr if one.type == "type"),
        definition.is_stateful,
    )


def is_given(op: str) -> bool:
    """Whether a replay takes what the op gave: it draws random numbers or depends on a state.

    Raises
    ------
    ReplayError
        The op cannot be run alone.
    """
    is_stateful = _find_signature(op).is_stateful and op not in _HARMLESS
    return is_stateful or op.startswith(_RANDOM)


def is_read(op: str | None) -> bool:
    """Whether the op reads a Variable, all of it or some of its rows."""
    return op in _READS


def find_taken(outputs: int, inputs: int, chooser: Any) -> range:
    """Of an op that chooses a branch, and is fed what all of them give: the slots of the taken one.

    ``outputs`` and ``inputs`` count its own; ``chooser`` is its first input.
    """
    branches = (inputs - 1) // max(outputs, 1)
    chosen = chooser.numpy()
    if chooser.dtype == tf.bool:
        taken = 0 if chosen else 1
    else:
        taken = int(chosen) if 0 <= chosen < branches else branches - 1
    return range(1 + taken * outputs, 1 + (taken + 1) * outputs)


def run_op(
    op: str, attributes: Sequence[Any], inputs: Sequence[Any], dtype: tf.DType | None = None
) -> list[Any]:
    """Run one op.

    Parameters
    ----------
    op
        TensorFlow's name of it.
    attributes
        Names and values in turn, as recorded.
    inputs
        Its input tensors, in the order of their slots.
    dtype
        ``tf.float64``: where an attribute asks for a narrower float type, ask for this one.

    Returns
    -------
    list
        Its output tensors.

    Raises
    ------
    ReplayError
        The op cannot be run alone; the message says why.
    """
    signature = _find_signature(op)
    recorded = {
        _RENAMED.get(name, name): value
        for name, value in zip(attributes[::2], attributes[1::2], strict=True)
    }
    if op == "Const":  # inside a tf.function; tf.raw_ops does not take its value
        return [tf.constant(tf.make_ndarray(recorded["value"]))]
    arguments = {name: recorded[name] for name in signature.attributes if name in recorded}
    if dtype is not None:
        for name in signature.dtypes & arguments.keys():
            arguments[name] = WIDER.get(tf.as_dtype(arguments[name]), arguments[name])
    start = 0
    for position, (name, length) in enumerate(signature.inputs):
        if length is None:
            arguments[name] = inputs[start]
            start += 1
            continue
        size = recorded.get(length)
        if (
            not isinstance(size, int) or len(signature.inputs) == 1
        ):  # it takes what the others leave
            size = len(inputs) - start - (len(signature.inputs) - position - 1)
        arguments[name] = list(inputs[start : start + size])
        start += size
    return [one for one in tf.nest.flatten(signature.call(**arguments)) if tf.is_tensor(one)]


def read_variable(op: str, attributes: Sequence[Any], inputs: Sequence[Any]) -> Any:
    """What an op that reads a Variable gives where ``inputs[0]`` is the Variable's value."""
    if op == "ReadVariableOp":
        return inputs[0]
    if op == "ResourceGatherNd":
        return tf.raw_ops.GatherNd(params=inputs[0], indices=inputs[1])
    batch_dims = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("batch_dims", 0)
    return tf.raw_ops.GatherV2(
        params=inputs[0], indices=inputs[1], axis=batch_dims, batch_dims=batch_dims
    )


def differentiate_op(
    op: str,
    attributes: Sequence[Any],
    inputs: Sequence[Any],
    upstream: Sequence[Any],
    slots: Sequence[int],
) -> list[Any]:
    """The vector-Jacobian products of one op.

    Parameters
    ----------
    op, attributes
        As of :func:`run_op`.
    inputs
        Its input tensors; the value in place of a Variable that it reads.
    upstream
        A gradient for each of its outputs, or None.
    slots
        The positions among the inputs whose gradient is asked.

    Returns
    -------
    list
        For each slot a tensor, IndexedSlices, or None where the op passes nothing on.

    Raises
    ------
    ReplayError
        The op cannot be run alone, or gives something else each time; the message says why.
    """
    if is_given(op) and not is_read(op):
        raise ReplayError(
            _(
                "What {op} passes on is known only from the run itself: "
                "it draws random numbers, runs Python code or keeps a state."
            ).format(op=op)
        )
    tensors = list(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for slot in slots:
            if any(tensors[slot] is other for other in tensors[:slot]):
                with tape.stop_recording():  # x · x: each factor for itself
                    tensors[slot] = tf.identity(tensors[slot])
            tape.watch(tensors[slot])
        if is_read(op):
            outputs = [read_variable(op, attributes, tensors)]
        else:
            outputs = run_op(op, attributes, tensors)
    pairs = [(o, u) for o, u in zip(outputs, upstream, strict=True) if u is not None]
    return tape.gradient(
        [output for output, _gradient in pairs],
        [tensors[slot] for slot in slots],
        output_gradients=[gradient for _output, gradient in pairs],
    )
