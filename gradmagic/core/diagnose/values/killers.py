"""The ops in which a gradient becomes zero, and why it does there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Cause
from gradmagic.core.diagnose.values.clipping import explain_clip
from gradmagic.core.diagnose.values.products import (
    explain_product,
    find_origin,
    make_cause,
    name_origin,
    say_zeros,
)
from gradmagic.core.diagnose.values.relus import explain_relu
from gradmagic.core.diagnose.values.saturation import explain_exponential, explain_saturation
from gradmagic.core.diagnose.values.wording import name_op, name_target, name_tensor, say_counting
from gradmagic.core.i18n import _, _n

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.diagnose.values.backward import Edge

# Ops that hand the gradient back as it is: it is zero only where it adds up to zero.
_SPREADING = ("AddV2", "Add", "Sub", "BiasAdd", "BroadcastTo", "Tile")


def find_cause(edge: Edge) -> Cause | None:
    """Why the op passes nothing on, where its values show that it cannot; else None."""
    rule = _RULES.get(edge.op.type)
    seen = edge.evidence.recorder.seen
    if 0 in seen[edge.number].shape:
        reason = _("{name} has no entries").format(name=name_tensor(edge.evidence, edge.number))
        return Cause("zero-gradient", edge.position, reason)
    if rule is None or edge.hidden or seen[edge.number].dtype.is_complex:
        return None
    return rule(edge)


def _explain_square(edge: Edge) -> Cause | None:
    """x squared, or the magnitude of x: its slope at 0 is 0."""
    if edge.value is None or edge.upstream is None:
        return None
    live = np.broadcast_to(edge.upstream != 0, edge.value.shape)
    if edge.value[live].any():
        return None
    maker = edge.evidence.maker(edge.number)
    if maker is not None and maker.type == "Sub":
        return _say_equal(edge, maker.inputs, int(live.sum()))
    return _say_flat_at_zero(edge, live)


def _explain_difference(edge: Edge) -> Cause | None:
    values = [edge.evidence.value(n) for n in edge.op.inputs]
    if values[0] is None or values[1] is None or edge.upstream is None:
        return None
    live = edge.upstream != 0
    if (live & (values[0] != values[1])).any():
        return None
    return _say_equal(edge, edge.op.inputs, int(live.sum()))


def _say_equal(edge: Edge, numbers: tuple[int, ...], count: int) -> Cause:
    one, other = (name_tensor(edge.evidence, n) for n in numbers[:2])
    reason = _n(
        "In {op}, {one} and {other} are equal in {count} entry",
        "In {op}, {one} and {other} are equal in all {count} entries",
        count,
    )
    op = name_op(edge.evidence, edge.position)
    return Cause(
        "zero-gradient",
        edge.position,
        reason.format(op=op, one=one, other=other, count=count),
        _("Nothing is left to learn there."),
    )


def _say_flat_at_zero(edge: Edge, live: np.ndarray) -> Cause:
    evidence, op = edge.evidence, name_op(edge.evidence, edge.position)
    name = name_tensor(evidence, edge.number)
    if edge.value is not None and not edge.value.any():
        origin = find_origin(evidence, edge.number)
        zeros = say_zeros(evidence, origin)
        if name_origin(evidence, origin) != name:
            reason = _("{zeros}, so that {name} is 0, and {op} is flat at 0")
            return make_cause(edge, origin, reason.format(zeros=zeros, name=name, op=op))
    reason = _("{name} is 0 in {share}, and {op} is flat at 0")
    reason = reason.format(name=name, share=say_counting(live), op=op)
    return Cause("zero-gradient", edge.position, reason)


def _explain_power(edge: Edge) -> Cause | None:
    """x to a power above 1 is flat at 0; what any power of 0 or 1 does not depend on, too."""
    if edge.slots != [0] or edge.value is None or edge.upstream is None:
        return None
    power = edge.evidence.value(edge.op.inputs[1])
    if power is None or power.size != 1 or float(power.reshape(-1)[0]) <= 1:
        return None
    live = edge.upstream != 0
    if live.shape != edge.value.shape or edge.value[live].any():
        return None
    return _explain_square(edge)


def _explain_division(edge: Edge) -> Cause | None:
    """The denominator of zeros; DivNoNan by zeros."""
    if edge.upstream is None or len(edge.slots) != 1:
        return None
    values = [edge.evidence.value(n) for n in edge.op.inputs]
    if values[0] is None or values[1] is None:
        return None
    live = edge.upstream != 0
    if edge.op.type == "DivNoNan" and not (live & (values[1] != 0)).any():
        named = edge.op.inputs[1]
    elif edge.slots == [1] and not (live & (values[0] != 0)).any():
        named = edge.op.inputs[0]
    else:
        return None
    reason = _("{name} is 0 in {share} of {op}").format(
        name=name_tensor(edge.evidence, named),
        share=say_counting(live),
        op=name_op(edge.evidence, edge.position),
    )
    return Cause("zero-gradient", edge.position, reason)


def _explain_choice(edge: Edge) -> Cause | None:
    """tf.where that took the other branch."""
    condition = edge.evidence.value(edge.op.inputs[0])
    if condition is None or edge.upstream is None or len(edge.slots) != 1 or edge.slots == [0]:
        return None
    if edge.op.type == "Select" and condition.ndim < edge.upstream.ndim:
        condition = condition.reshape(
            condition.shape + (1,) * (edge.upstream.ndim - condition.ndim)
        )
    taken = condition if edge.slots == [1] else ~condition
    live = edge.upstream != 0
    if (live & taken).any():
        return None
    reason = _("{op} takes the other value in {share}").format(
        op=name_op(edge.evidence, edge.position), share=say_counting(live)
    )
    return Cause("zero-gradient", edge.position, reason)


def _explain_sign(edge: Edge) -> Cause:
    reason = _("{op} is constant on both sides of 0").format(
        op=name_op(edge.evidence, edge.position)
    )
    return Cause("constant-region", edge.position, reason)


def _explain_crossentropy(edge: Edge) -> Cause | None:
    """softmax(logits) is what the labels say: each class has exactly its share."""
    if edge.slots != [0] or edge.value is None or edge.value.ndim != 2:
        return None
    labels = edge.evidence.value(edge.op.inputs[1])
    if labels is None:
        return None
    if edge.op.type.startswith("Sparse"):
        labels = np.eye(edge.value.shape[1])[labels.astype(int)]
    raised = np.exp(edge.value - edge.value.max(1, keepdims=True))
    if np.abs(raised / raised.sum(1, keepdims=True) - labels).max() > 1e-6:
        return None
    reason = _("In {op}, the probabilities are exactly those of the labels")
    return Cause(
        "zero-gradient",
        edge.position,
        reason.format(op=name_op(edge.evidence, edge.position)),
        _("Nothing is left to learn there."),
    )


def _explain_log_softmax(edge: Edge) -> Cause | None:
    """The probabilities have the proportions in which the target lowers their logarithms."""
    if edge.upstream is None or edge.result is None or (edge.upstream > 0).any():
        return None
    wanted = np.exp(edge.result) * edge.upstream.sum(-1, keepdims=True)
    if not np.allclose(wanted, edge.upstream, rtol=1e-5, atol=0):
        return None
    reason = _("In {op}, the probabilities are exactly those that {target} asks for").format(
        op=name_op(edge.evidence, edge.position), target=name_target(edge.evidence)
    )
    return Cause("zero-gradient", edge.position, reason, _("Nothing is left to learn there."))


def _explain_factors(edge: Edge) -> Cause | None:
    """A product of all entries with two zeros: each other factor is multiplied by one."""
    if edge.value is None or edge.evidence.shape(edge.op.outputs[0]) != ():
        return None
    count = int((edge.value == 0).sum())
    if count < 2:
        return None
    reason = _("{count} factors of {op} are 0").format(
        count=count, op=name_op(edge.evidence, edge.position)
    )
    return Cause("zero-gradient", edge.position, reason)


def _explain_sum(edge: Edge) -> Cause | None:
    """One entry went into several of the result: what comes back to it is a sum."""
    if edge.op.type == "Sub" and len(edge.slots) == 2:
        reason = _("{op} is 0 whatever {name} is")
        return Cause(
            "zero-gradient",
            edge.position,
            reason.format(
                op=name_op(edge.evidence, edge.position),
                name=name_tensor(edge.evidence, edge.number),
            ),
        )
    before, after = edge.evidence.shape(edge.number), edge.evidence.shape(edge.op.outputs[0])
    if None in (*before, *after) or math.prod(before) >= math.prod(after):  # type: ignore[arg-type]
        return None
    reason = _("{op} uses each entry of {name} several times, and what comes back adds up to 0")
    return Cause(
        "zero-gradient",
        edge.position,
        reason.format(
            op=name_op(edge.evidence, edge.position), name=name_tensor(edge.evidence, edge.number)
        ),
    )


def _explain_part(edge: Edge) -> Cause | None:
    """One of several tensors that were joined: the target uses other parts of the result."""
    if len(edge.slots) != 1:
        return None
    reason = _("{target} does not use the part of {op} that comes from {name}").format(
        target=name_target(edge.evidence),
        op=name_op(edge.evidence, edge.position),
        name=name_tensor(edge.evidence, edge.number),
    )
    return Cause("zero-gradient", edge.position, reason)


_PRODUCTS = (
    "Mul", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "MulNoNan",
    "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput",
)  # fmt: skip
_RULES: dict[str, Callable[[Edge], Cause | None]] = {
    **dict.fromkeys(_PRODUCTS, explain_product),
    **dict.fromkeys(("Relu", "Relu6"), explain_relu),
    **dict.fromkeys(("Minimum", "Maximum", "ClipByValue"), explain_clip),
    **dict.fromkeys(("Sigmoid", "Tanh", "Softmax", "Softplus", "Elu", "Selu"), explain_saturation),
    **dict.fromkeys(("Exp", "Expm1"), explain_exponential),
    **dict.fromkeys(("Square", "Abs", "L2Loss"), _explain_square),
    "SquaredDifference": _explain_difference,
    "Pow": _explain_power,
    **dict.fromkeys(("RealDiv", "Div", "DivNoNan"), _explain_division),
    **dict.fromkeys(("SelectV2", "Select"), _explain_choice),
    "Sign": _explain_sign,
    "LogSoftmax": _explain_log_softmax,
    "Prod": _explain_factors,
    "SoftmaxCrossEntropyWithLogits": _explain_crossentropy,
    "SparseSoftmaxCrossEntropyWithLogits": _explain_crossentropy,
    **dict.fromkeys(_SPREADING, _explain_sum),
    **dict.fromkeys(("Pack", "ConcatV2", "Pad", "PadV2"), _explain_part),
}
