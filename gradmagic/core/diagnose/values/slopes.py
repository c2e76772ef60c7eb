"""The backward op that turned a finite gradient into NaN or infinity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.data import name_bad
from gradmagic.core.diagnose.values.wording import (
    find_first,
    name_entry,
    name_op,
    write_number,
)
from gradmagic.core.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.values.backward import Edge

_STEPS = 6  # ops between one that is not finite and the tf.where that does not take it
# Ops whose slope is a product with an operand or their result.
_MULTIPLYING = ("Mul", "Square", "RealDiv", "Div", "Pow", "Sqrt", "Rsqrt", "Log", "Sin", "Cos")


@dataclass(frozen=True)
class Slope:
    """Why an op's slope is not finite at an entry.

    ``index`` is the entry of the edge's tensor, ``slot`` the operand to blame, ``reason`` a clause;
    ``norm`` says that the op is the root of a sum of squares.
    """

    index: tuple[int, ...]
    slot: int
    reason: str
    norm: bool = False


@dataclass(frozen=True)
class Choice:
    """A tf.where that did not take an entry: its op, and the input that leads to the entry."""

    position: int
    branch: int


def explain_slope(edge: Edge) -> Slope | None:
    """Why the gradient is not finite after this op though it is before; None: not known."""
    gradient = edge.evidence.gradient(edge.number)
    rule = _RULES.get(edge.op.type)
    if gradient is None or edge.hidden or gradient.dtype.kind != "f":
        return None
    index = find_first(~np.isfinite(gradient))
    if rule is not None:
        found = rule(edge, index)
        if found is not None:
            return found
    return _explain_operand(edge, index) or _explain_overflow(edge, index, gradient)


def find_choice(edge: Edge, index: tuple[int, ...]) -> Choice | None:
    """The tf.where after the op that takes another value at the entry, as far as it can be told."""
    evidence, number = edge.evidence, edge.op.outputs[0]
    shape = evidence.shape(number)
    if len(index) != len(shape) or None in shape:
        return None
    for _step in range(_STEPS):
        uses = edge.backward.uses.get(number, [])
        if len(uses) != 1:
            return None
        op = evidence.ops[uses[0]]
        if evidence.shape(op.outputs[0]) != shape:
            return None
        if op.type in ("SelectV2", "Select"):
            taken = evidence.value(op.inputs[0])
            branch = 1 if op.inputs[1] == number else 2
            if taken is None or taken.ndim > len(shape):
                return None
            chosen = bool(np.broadcast_to(taken, shape)[index])  # type: ignore[arg-type]
            return None if chosen == (branch == 1) else Choice(uses[0], branch)
        number = op.outputs[0]
    return None


def say_slope(edge: Edge, slope: Slope) -> str:
    """What happened at the op, as a clause."""
    evidence, op = edge.evidence, edge.op
    place = name_op(evidence, edge.position)
    if slope.norm:
        return _("{op} is a norm that is 0, and there its slope is not defined").format(op=place)
    number = op.inputs[slope.slot]
    value = evidence.value(number)
    index = _clip_index(slope.index, evidence.shape(number))
    if value is None or index is None:
        return _("at {op}, {reason}").format(op=place, reason=slope.reason)
    return _("at {op}, {entry} is {value}, and {reason}").format(
        op=place,
        entry=name_entry(evidence, number, index),
        value=write_number(float(value[index])),
        reason=slope.reason,
    )


def say_unexplained(edge: Edge) -> str:
    """What is known where no rule explains it."""
    if edge.hidden:
        text = _("{op} ends a function with a gradient of its own, which gives {bad}")
    else:
        text = _("{op} gets a finite gradient and passes on {bad}")
    gradient = edge.evidence.gradient(edge.number if edge.outer is None else edge.outer)
    nan = gradient is not None and np.isnan(gradient).any()
    bad = name_bad("nan" if nan else "inf", gradient)
    return text.format(op=name_op(edge.evidence, edge.position), bad=bad)


def _clip_index(index: tuple[int, ...], shape: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """The entry of a smaller operand that was broadcast to the one with this index."""
    if len(shape) > len(index):
        return None
    own = index[len(index) - len(shape) :]
    if any(side != 1 and place >= (side or 0) for side, place in zip(shape, own, strict=True)):
        return None
    return tuple(0 if side == 1 else place for side, place in zip(shape, own, strict=True))


def _get(edge: Edge, slot: int, index: tuple[int, ...]) -> float | None:
    number = edge.op.inputs[slot]
    value, own = edge.evidence.value(number), _clip_index(index, edge.evidence.shape(number))
    return None if value is None or own is None else float(value[own])


def _at(
    test: Callable[[float], bool], reason: str
) -> Callable[[Edge, tuple[int, ...]], Slope | None]:
    """The rule of an op of one operand whose slope is not finite where ``test`` holds."""

    def judge(edge: Edge, index: tuple[int, ...]) -> Slope | None:
        value = _get(edge, 0, index)
        return Slope(index, 0, _(reason)) if value is not None and test(value) else None

    return judge


def _judge_root(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    value = _get(edge, 0, index)
    if value is None or value > 0:
        return None
    if value < 0:
        return Slope(index, 0, _("a negative number has no square root"))
    if _is_norm(edge.evidence, edge.number):
        return Slope(index, 0, "", norm=True)
    return Slope(index, 0, _("the slope of the square root of 0 is infinite"))


def _is_norm(evidence: Evidence, number: int) -> bool:
    """Whether a tensor is a sum of squares."""
    total = evidence.maker(number)
    squares = None if total is None or total.type != "Sum" else evidence.maker(total.inputs[0])
    if squares is None:
        return False
    return squares.type == "Square" or (
        squares.type == "Mul" and squares.inputs[0] == squares.inputs[1]
    )


def _judge_division(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    place = _find_output_index(edge, index)
    if place is None:
        return None
    below = _get(edge, 1, place)
    if below == 0:
        return Slope(place, 1, _("a division by 0 has no finite slope"))
    if below is not None and np.isinf(below):
        reason = _("0 times {value} is not defined").format(value=write_number(below))
        return Slope(place, 1, reason)
    return None


def _find_output_index(edge: Edge, index: tuple[int, ...]) -> tuple[int, ...] | None:
    """An entry of the result that a broadcast operand's entry went into, where it went wrong."""
    shape = edge.evidence.shape(edge.op.outputs[0])
    if edge.evidence.shape(edge.number) == shape:
        return index
    below = edge.evidence.value(edge.op.inputs[1])
    if below is None or None in shape:
        return None
    wrong = np.broadcast_to((below == 0) | np.isinf(below), shape)  # type: ignore[arg-type]
    return find_first(wrong) if wrong.any() else None


def _judge_power(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    base, power = _get(edge, 0, index), _get(edge, 1, index)
    if base is None or power is None or edge.slots[0] != 0:
        return None
    if base == 0 and power == 0:
        return Slope(index, 0, _("the slope of 0 to the power of 0 is not defined"))
    if base == 0 and power < 1:
        reason = _("the slope of its power of {power} is infinite at 0")
        return Slope(index, 0, reason.format(power=write_number(power)))
    if base < 0 and power != int(power):
        reason = _("a negative number has no power of {power}")
        return Slope(index, 0, reason.format(power=write_number(power)))
    return None


def _judge_exponential(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    if edge.result is None or not np.isinf(edge.result[index]):
        return None
    return Slope(index, 0, _("exp of it is too large for its dtype, so that its slope is inf"))


def _judge_norm(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    if edge.result is None or (edge.result != 0).all():
        return None
    return Slope(index, 0, "", norm=True)


def _explain_operand(edge: Edge, index: tuple[int, ...]) -> Slope | None:
    """An operand that is not finite itself, at the entry: 0 times inf is NaN."""
    same = edge.evidence.shape(edge.op.outputs[0]) == edge.evidence.shape(edge.number)
    if not same or edge.op.type not in _MULTIPLYING:
        return None
    for slot in range(len(edge.op.inputs)):
        if not edge.evidence.recorder.seen[edge.op.inputs[slot]].dtype.is_floating:
            continue
        value = _get(edge, slot, index)
        if value is not None and not np.isfinite(value):
            reason = _("0 times {value} is not defined").format(value=write_number(value))
            return Slope(index, slot, reason)
    return None


def _explain_overflow(edge: Edge, index: tuple[int, ...], gradient: np.ndarray) -> Slope | None:
    """Finite numbers whose product the dtype cannot hold."""
    if np.isnan(gradient).any() or edge.op.type not in ("Mul", "MatMul", "Square", "Sum", "Mean"):
        return None
    values = [edge.evidence.value(n) for n in edge.op.inputs]
    if any(v is None or not np.isfinite(v).all() for v in values):
        return None
    dtype = edge.evidence.recorder.seen[edge.number].dtype.name
    reason = _("the gradient becomes too large for {dtype} there").format(dtype=dtype)
    slot = edge.slots[0]
    return Slope(index, slot, reason) if edge.op.type != "MatMul" else Slope((), slot, reason)


_RULES: dict[str, Callable[[Edge, tuple[int, ...]], Slope | None]] = {
    "Sqrt": _judge_root,
    "Rsqrt": _at(lambda x: x <= 0, N_("1 divided by its root has no finite slope")),
    "Log": _at(lambda x: x == 0, N_("the slope of the logarithm of 0 is infinite")),
    "Log1p": _at(lambda x: x == -1, N_("the slope of log1p is infinite there")),
    **dict.fromkeys(
        ("Reciprocal", "Inv"), _at(lambda x: x == 0, N_("a division by 0 has no finite slope"))
    ),
    **dict.fromkeys(
        ("Acos", "Asin", "Atanh"), _at(lambda x: abs(x) >= 1, N_("its slope is not finite there"))
    ),
    "Acosh": _at(lambda x: x <= 1, N_("its slope is not finite there")),
    **dict.fromkeys(("RealDiv", "Div"), _judge_division),
    "Pow": _judge_power,
    **dict.fromkeys(("Exp", "Expm1", "Cosh", "Sinh"), _judge_exponential),
    "EuclideanNorm": _judge_norm,
}
