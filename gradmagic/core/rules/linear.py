"""Numbers of ops that are linear in an input: TensorFlow says what an entry adds to each output.

The op runs once more, on an input that is 1 at the entry and 0 elsewhere. What comes out is the
entry's weight in each output: 1 where a Transpose moved it, a kernel's weights for a Conv2D.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.rules.rule import Call, Index, SlotRule, Terms

if TYPE_CHECKING:
    from collections.abc import Callable


_SINGLE = ("AvgPool3D",)  # has no kernel for float64


def make_linear(symbol: str, words: str, formula: str, zeroed: tuple[int, ...] = ()) -> SlotRule:
    """An input in which the op is linear; ``zeroed`` are other inputs that add to the outputs."""
    return SlotRule(symbol, words, formula, find_terms=_find_with(zeroed))


def _find_with(zeroed: tuple[int, ...]) -> Callable[[Call, Index], Terms | None]:
    def find_terms(call: Call, index: Index) -> Terms | None:
        inputs = [call.take_raw(slot) for slot in range(len(call.inputs))]
        for slot in zeroed:
            inputs[slot] = np.zeros(inputs[slot].shape)
        inputs[call.slot] = np.zeros(inputs[call.slot].shape)
        inputs[call.slot][index] = 1
        return weigh_outputs(call, run_op(call.op, call, inputs))

    return find_terms


def run_op(op: str, call: Call, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The op on other inputs, floats as float64, on the CPU, where nearly all ops take that."""
    import tensorflow as tf

    floats = np.float32 if op in _SINGLE else np.float64
    inputs = [array.astype(floats) if array.dtype.kind in "fV" else array for array in inputs]
    run = getattr(tf.raw_ops, op)
    names = list(inspect.signature(run).parameters)
    attributes = {
        name: value for name in names[len(inputs) :] if (value := call.read(name)) is not None
    }
    with tf.device("CPU:0"):
        outputs = run(**dict(zip(names, inputs, strict=False)), **attributes)
    return [np.asarray(output) for output in tf.nest.flatten(outputs)]


def weigh_outputs(call: Call, weights: list[np.ndarray]) -> Terms | None:
    """The upstream gradients of the outputs in which the entry has a weight, times the weight."""
    gradients, factors = [], []
    for weight, upstream in zip(weights, call.upstream, strict=False):
        if upstream is not None:
            chosen = weight != 0
            gradients.append(np.asarray(upstream, np.float64)[chosen])
            factors.append(weight[chosen])
    if not gradients:
        return None
    g, s = np.concatenate(gradients), np.concatenate(factors)
    if np.all(s == 1):
        return Terms("{g}", {"g": g}, g)
    if not all(np.isfinite(up).all() for up in call.upstream if up is not None):
        return None  # 0 · NaN is NaN, and which zeros TensorFlow multiplies is not seen here
    return Terms("{g} · {s}", {"g": g, "s": s}, g * s)
