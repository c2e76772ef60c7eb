"""What the target is a mean or sum of: per-sample losses, and whether they count in nats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf

from gradmagic.core.recorder import identify
from gradmagic.core.records import PerSample

if TYPE_CHECKING:
    from gradmagic.core.recorded import Op
    from gradmagic.core.recorder import Recorder

MOST_SAMPLES = 64  # per-sample losses that are kept

CROSSENTROPIES = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
_FOLLOWED = frozenset(  # a mean or sum passes through these on its way to the target
    {"Identity", "Reshape", "Squeeze", "Cast", "DivNoNan", "RealDiv", "Mul", "Sum", "Mean"}
)
_LINEAR = _FOLLOWED | {"Neg", "GatherV2", "GatherNd", "StridedSlice", "SelectV2", "ExpandDims"}
_DEPTH = 24


def find_unit(recorder: Recorder, target: Any) -> str | None:
    """``"nats"`` where the target is linear in logarithms of probabilities, else None."""
    return "nats" if _counts_nats(recorder, _index(recorder), identify(target), _DEPTH) else None


def find_per_sample(recorder: Recorder, target: Any) -> PerSample | None:
    """The vector of losses whose mean or sum the target is, or None where there is none."""
    if target.shape.rank != 0 or not target.dtype.is_floating:
        return None
    makers = _index(recorder)
    found = _find_vector(recorder, makers, identify(target), _DEPTH)
    if found is None:
        return None
    vector, weight = found
    losses = recorder.seen[vector].tensor
    mean, total = float(tf.reduce_mean(losses)), float(tf.reduce_sum(losses))
    whole, count = float(target), int(losses.shape[0])
    reduction: Literal["mean", "sum"]
    if math.isclose(weight * count, 1, rel_tol=1e-3):
        reduction, expected = "mean", mean
    elif math.isclose(weight, 1, rel_tol=1e-3):
        reduction, expected = "sum", total
    else:
        return None
    if math.isfinite(expected) and not math.isclose(expected, whole, rel_tol=1e-3):
        return None
    classes, probabilities, guessing = _find_classes(recorder, makers, vector)
    return PerSample(
        losses=losses.numpy()[:MOST_SAMPLES].astype(np.float64),
        count=count,
        reduction=reduction,
        mean=mean,
        classes=classes,
        probabilities=probabilities,
        guessing=guessing,
    )


def _index(recorder: Recorder) -> dict[int, Op]:
    return {number: op for op in recorder.ops for number in op.outputs}


def _find_vector(
    recorder: Recorder, makers: dict[int, Op], number: int, depth: int
) -> tuple[int, float] | None:
    """The vector that a scalar is a sum of, and what each of its entries is multiplied by."""
    op = makers.get(number)
    if op is None or op.type not in _FOLLOWED or not depth:
        return None
    for slot in op.inputs[: 2 if op.type == "Mul" else 1]:
        seen = recorder.seen[slot]
        reduces = op.type in ("Sum", "Mean") and recorder.seen[number].shape == ()
        if reduces and len(seen.shape) == 1 and slot in makers and seen.tensor is not None:
            count = seen.shape[0]
            return (slot, 1 / count if op.type == "Mean" else 1.0) if count else None
        if seen.shape == ():
            found = _find_vector(recorder, makers, slot, depth - 1)
            weight = None if found is None else _read_weight(recorder, op, slot)
            if found is not None and weight is not None:
                return found[0], found[1] * weight
    return None


def _read_weight(recorder: Recorder, op: Op, slot: int) -> float | None:
    """What an op multiplies a scalar by; None where that is not known."""
    if op.type not in ("Mul", "RealDiv", "DivNoNan"):
        return 1.0
    other = next((number for number in op.inputs if number != slot), slot)
    held = recorder.seen[other].tensor
    value = None if held is None else float(held)
    if op.type == "Mul" or not value:
        return value
    return 1 / value


def _find_classes(
    recorder: Recorder, makers: dict[int, Op], number: int
) -> tuple[np.ndarray | None, np.ndarray | None, float | None]:
    op = makers.get(number)
    while op is not None and op.type in ("Identity", "Reshape"):
        op = makers.get(op.inputs[0])
    if op is None or op.type not in CROSSENTROPIES:
        return None, None, None
    logits, labels = (recorder.seen[n].tensor for n in op.inputs[:2])
    if logits is None or labels is None or len(logits.shape) != 2:
        return None, None, None
    rows, wanted = logits.numpy()[:MOST_SAMPLES], labels.numpy()[:MOST_SAMPLES]
    if wanted.ndim == 2:
        if not (np.all((wanted == 0) | (wanted == 1)) and np.all(wanted.sum(1) == 1)):
            return None, None, None
        wanted = wanted.argmax(1)
    given = tf.gather(tf.nn.softmax(rows), wanted.astype(np.int64), batch_dims=1)
    return wanted.astype(np.int64), given.numpy().astype(np.float64), math.log(logits.shape[1])


def _counts_nats(recorder: Recorder, makers: dict[int, Op], number: int, depth: int) -> bool:
    op = makers.get(number)
    if op is None or not depth:
        return False

    def follow(slot: int) -> bool:
        return _counts_nats(recorder, makers, op.inputs[slot], depth - 1)

    if op.type in (*CROSSENTROPIES, "LogSoftmax"):
        return True
    if op.type == "Log":
        value = recorder.seen[op.inputs[0]].tensor
        return value is not None and bool(tf.reduce_all((value >= 0) & (value <= 1)))
    if op.type == "Log1p":  # the stable form of the binary crossentropy: log(1 + exp(-|x|))
        inner = makers.get(op.inputs[0])
        return inner is not None and inner.type == "Exp"
    if op.type == "Mul":
        return follow(0) or follow(1)
    if op.type == "AddV2":
        stable = [makers.get(n) for n in op.inputs]
        return (follow(0) and follow(1)) or any(o and o.type == "Log1p" for o in stable)
    return op.type in _LINEAR and follow(0)
