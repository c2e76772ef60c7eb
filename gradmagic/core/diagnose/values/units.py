"""Layers among the recorded ops: what is a weight, and which axis counts a layer's units."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence

_LAYERS = ("MatMul", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2dNative")
_AFTER_LAYER = ("BiasAdd", "AddV2", "Add", "Sub", "FusedBatchNormV3")
_SAME = ("ReadVariableOp", "Identity", "Cast")


def find_unit_axis(evidence: Evidence, number: int) -> int | None:
    """The axis of a layer's units: -1 for x @ w, 0 for w @ x; None where it is no layer."""
    op = evidence.maker(number)
    while op is not None and op.type in _AFTER_LAYER:
        makers = [evidence.maker(n) for n in op.inputs[:2]]
        op = next((m for m in makers if m and m.type in (*_LAYERS, *_AFTER_LAYER)), None)
    if op is None or op.type not in _LAYERS:
        return None
    if op.type != "MatMul":
        return -1
    weights = [is_weight(evidence, n) for n in op.inputs]
    return {(False, True): -1, (True, False): 0}.get((weights[0], weights[1]))


def is_weight(evidence: Evidence, number: int) -> bool:
    """Whether a tensor is a source or a Variable's value."""
    own = {n for subject in evidence.subjects for n in subject.numbers}
    while number not in own:
        op = evidence.maker(number)
        if op is None or op.type not in _SAME:
            return False
        if op.type == "ReadVariableOp":
            return True
        number = op.inputs[0]
    return True


def is_positive_part(evidence: Evidence, position: int) -> bool:
    """Whether an op is max(x, 0) with a layer's result as x: a relu written by hand."""
    op = evidence.ops[position]
    if op.type != "Maximum":
        return False
    return any(
        find_unit_axis(evidence, number) is not None and _is_zero(evidence, other)
        for number, other in (op.inputs, op.inputs[::-1])
    )


def _is_zero(evidence: Evidence, number: int) -> bool:
    value = evidence.value(number) if number not in evidence.makers else None
    return value is not None and value.size == 1 and not value.any()
