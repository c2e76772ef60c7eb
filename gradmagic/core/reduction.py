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
    vector = _find_vector(recorder, makers, identify(target), _DEPTH)
    if vector is None:
        return None
    losses = recorder.seen[vector].tensor
    mean, total = float(tf.reduce_mean(losses)), float(tf.reduce_sum(losses))
    whole = float(target)
    reduction: Literal["mean", "sum"]
    if math.isclose(mean, whole, rel_tol=1e-3) or (math.isnan(mean) and math.isnan(whole)):
        reduction = "mean"
    elif math.isclose(total, whole, rel_tol=1e-3):
        reduction = "sum"
    else:
        return None
    classes, probabilities, guessing = _find_classes(recorder, makers, vector)
    return PerSample(
        losses=losses.numpy()[:MOST_SAMPLES].astype(np.float64),
        count=int(losses.shape[0]),
        reduction=reduction,
        mean=mean,
        classes=classes,
        probabilities=probabilities,
        guessing=guessing,
    )


def _index(recorder: Recorder) -> dict[int, Op]:
    return {number: op for op in recorder.ops for number in op.outputs}


def _find_vector(recorder: Recorder, makers: dict[int, Op], number: int, depth: int) -> int | None:
    op = makers.get(number)
    if op is None or op.type not in _FOLLOWED or not depth:
        return None
    for slot in op.inputs[: 2 if op.type == "Mul" else 1]:
        seen = recorder.seen[slot]
        reduces = op.type in ("Sum", "Mean") and recorder.seen[number].shape == ()
        if reduces and len(seen.shape) == 1 and slot in makers and seen.tensor is not None:
            return slot if seen.shape[0] else None
        if seen.shape == ():
            found = _find_vector(recorder, makers, slot, depth - 1)
            if found is not None:
                return found
    return None


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
