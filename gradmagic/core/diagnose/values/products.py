"""Products: a factor of zeros lets no gradient through to the other. Where the zeros are from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradmagic.core.diagnose.values.backward import Cause
from gradmagic.core.diagnose.values.units import is_positive_part
from gradmagic.core.diagnose.values.wording import name_op, name_tensor
from gradmagic.core.i18n import _, _n

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.values.backward import Edge

MOST_MULTIPLIED = 100_000_000  # products of numbers that are computed to explain a zero
TINY = 1e-37  # float32 holds hardly anything smaller

PRODUCTS = frozenset(
    {"Mul", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv1D", "Conv2D", "Conv3D"}
)
_PASSED = frozenset(  # of zeros they make zeros
    {"Identity", "Reshape", "Transpose", "Squeeze", "ExpandDims", "Cast", "MaxPool", "AvgPool",
     "Mean", "Sum", "Max", "Neg", "ReadVariableOp"}
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where zeros come from: a relu or another op by its position, else a tensor by its number."""

    kind: Literal["relu", "op", "tensor"]
    place: int


def explain_product(edge: Edge) -> Cause | None:
    """The other factor is zero, or zero wherever the target depends on the product."""
    if len(edge.op.inputs) != 2:
        return None
    evidence = edge.evidence
    if len(edge.slots) == 2:  # x times x
        zero = edge.value is not None and not edge.value.any()
        return _say_zeros(edge, Origin("tensor", edge.number)) if zero else None
    factor = evidence.value(edge.other)
    if factor is None:
        return None
    if not factor.any():
        return _say_zeros(edge, find_origin(evidence, edge.other))
    if edge.upstream is None or not np.isfinite(factor).all():
        return None
    passed = _multiply(edge, np.abs(edge.upstream), np.abs(factor))
    if passed is None or passed > TINY:
        return None
    if passed:
        reason = _("{op} makes the gradient smaller than {dtype} can hold").format(
            op=name_op(evidence, edge.position),
            dtype=evidence.recorder.seen[edge.number].dtype.name,
        )
    else:
        reason = _("{factor} is zero in every entry that counts for {op}").format(
            factor=name_tensor(evidence, edge.other), op=name_op(evidence, edge.position)
        )
    return Cause("zero-gradient", edge.position, reason)


def find_origin(evidence: Evidence, number: int) -> Origin:
    """Why a tensor of zeros is one: the first relu, op or tensor before it that explains them."""
    position = evidence.makers.get(number)
    if position is None:
        return Origin("tensor", number)
    op = evidence.ops[position]
    zeros = [n for n in op.inputs[:2] if _is_zero(evidence, n)]
    if op.type == "ReadVariableOp":
        return Origin("tensor", op.inputs[0])
    if op.type in _PASSED and op.inputs[0] in zeros:
        return find_origin(evidence, op.inputs[0])
    if op.type in PRODUCTS and zeros:
        return find_origin(evidence, zeros[0])
    if op.type in ("Relu", "Relu6"):
        return find_origin(evidence, zeros[0]) if zeros else Origin("relu", position)
    if is_positive_part(evidence, position) and len(zeros) == 1:
        return Origin("relu", position)
    if op.type in ("BiasAdd", "AddV2") and len(zeros) == 2:
        return find_origin(evidence, zeros[0])
    return Origin("op", position)


def name_origin(evidence: Evidence, origin: Origin) -> str:
    """How the message calls it."""
    if origin.kind == "tensor":
        return name_tensor(evidence, origin.place)
    return name_op(evidence, origin.place)


def say_zeros(evidence: Evidence, origin: Origin) -> str:
    """That it is zero, as a clause."""
    name = name_origin(evidence, origin)
    if origin.kind != "relu":
        return _("{name} is zero in every entry").format(name=name)
    size = math.prod(evidence.shape(evidence.ops[origin.place].outputs[0]))  # type: ignore[arg-type]
    text = _n("{relu} gives 0 in its {size} entry", "{relu} gives 0 in all {size} entries", size)
    return text.format(relu=name, size=size)


def _is_zero(evidence: Evidence, number: int) -> bool:
    value = evidence.value(number) if evidence.is_float(number) else None
    return value is not None and not value.any()


def _say_zeros(edge: Edge, origin: Origin) -> Cause:
    zeros, line = say_zeros(edge.evidence, origin), edge.op.line
    if origin.kind == "tensor" and name_origin(edge.evidence, origin) == "0":  # an unnamed scalar
        text = _("The gradient is multiplied by 0 in {op}")
        return make_cause(edge, origin, text.format(op=name_op(edge.evidence, edge.position)))
    if line is None:
        reason = _("{zeros}, and the gradient is multiplied by it")
    else:
        reason = _("{zeros}, and on line {line} the gradient is multiplied by it")
    return make_cause(edge, origin, reason.format(zeros=zeros, line=line))


def make_cause(edge: Edge, origin: Origin, reason: str) -> Cause:
    """The cause where zeros stop the gradient in an op: the dead relu they come from, or the op."""
    if origin.kind == "relu":
        return Cause("dead-relu", origin.place, reason)
    return Cause("zero-gradient", edge.position, reason)


def _multiply(edge: Edge, upstream: np.ndarray, factor: np.ndarray) -> float | None:
    """The greatest entry of what magnitudes of the gradient and the factor make; None: unknown."""
    if edge.op.type == "Mul":
        return float((upstream * factor).max(initial=0.0))
    if edge.op.type not in PRODUCTS or upstream.ndim < 2 or factor.ndim < 2:
        return None
    if upstream.size * factor.shape[-1] > MOST_MULTIPLIED:
        return None
    attributes = _read_attributes(edge.op.attributes)
    flipped = [
        bool(attributes.get("transpose_a", attributes.get("adj_x", False))),
        bool(attributes.get("transpose_b", attributes.get("adj_y", False))),
    ]
    if edge.op.type.startswith("Conv"):
        return None
    if edge.slots == [0]:  # d(a b): upstream times b transposed
        passed = upstream @ (factor if flipped[1] else np.swapaxes(factor, -1, -2))
    else:
        passed = (factor if flipped[0] else np.swapaxes(factor, -1, -2)) @ upstream
    return float(passed.max(initial=0.0))


def _read_attributes(attributes: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(attributes[::2], attributes[1::2], strict=False))
