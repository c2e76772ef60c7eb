"""The forward op in which finite numbers became NaN or infinite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.flow import NEW_VALUE
from gradmagic.core.diagnose.values.backward import read
from gradmagic.core.diagnose.values.data import TESTS, name_bad, say_data
from gradmagic.core.diagnose.values.wording import (
    find_first,
    name_entry,
    name_op,
    name_tensor,
    write_number,
)
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.values.data import Bad

_READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd")  # of Variables
BAD: tuple[Bad, ...] = ("nan", "inf")


@dataclass(frozen=True)
class Birth:
    """Where NaN or infinity comes from.

    Attributes
    ----------
    bad
        Which of the two.
    position
        The op whose inputs had none; or None.
    number
        The tensor that held it already, a source or other data; or None.
    """

    bad: Bad
    position: int | None = None
    number: int | None = None


def has(evidence: Evidence, number: int, bad: Bad) -> bool | None:
    """Whether a tensor holds NaN, or infinity; None where it was not held."""
    seen = evidence.recorder.seen.get(number)
    if seen is not None and not evidence.is_float(number):
        return False
    if seen is None or seen.tensor is None:
        return None
    return bool(TESTS[bad](read(seen.tensor)).any())


def find_birth(evidence: Evidence, numbers: Iterable[int], bad: Bad) -> Birth | None:
    """Go back from tensors that hold it to where it began; None where that is not certain.

    Of several beginnings it is data before ops, and the op that ran first.
    """
    if not evidence.ops:
        return None
    todo, met = list(numbers), set(numbers)
    births, data = set(), []
    while todo:
        number = todo.pop()
        position = evidence.makers.get(number)
        if position is None:
            data.append(number)
            continue
        op = evidence.ops[position]
        if op.type in _READS:
            assigned = _find_assigned(evidence, op.inputs[0], position)
            if assigned is not None and has(evidence, assigned, bad):
                todo.append(assigned)
            else:
                data.append(op.inputs[0])
            continue
        found = {n: has(evidence, n, bad) for n in op.inputs}
        holding = [n for n, holds in found.items() if holds]
        if not holding and None in found.values():
            return None
        if not holding:
            births.add(position)
        todo += [n for n in holding if n not in met]
        met.update(holding)
    if data:
        return Birth(bad, number=min(data))
    return Birth(bad, position=min(births)) if births else None


def _find_assigned(evidence: Evidence, handle: int, position: int) -> int | None:
    """What a Variable was assigned last before an op."""
    slots = NEW_VALUE
    for op in reversed(evidence.ops[:position]):
        if op.type in slots and op.inputs[0] == handle:
            return op.inputs[slots[op.type]]
    return None


def list_infinite(evidence: Evidence, position: int) -> list[int]:
    """The inputs of an op that hold infinity."""
    return [n for n in evidence.ops[position].inputs if has(evidence, n, "inf")]


def say_birth(evidence: Evidence, birth: Birth) -> str:
    """What happened, as a sentence without its end."""
    if birth.position is None:
        assert birth.number is not None
        return say_data(evidence, birth.number, birth.bad)
    op = evidence.ops[birth.position]
    value, output = None, op.outputs[0]
    for output in op.outputs:
        if has(evidence, output, birth.bad):
            value = evidence.value(output)
            break
    if value is None:
        return _("{op} gives {bad}").format(
            op=name_op(evidence, birth.position), bad=name_bad(birth.bad)
        )
    index = find_first(TESTS[birth.bad](value))
    result = write_number(float(value[index])) if value.dtype.kind == "f" else name_bad(birth.bad)
    place = name_op(evidence, birth.position)
    reason = _find_reason(evidence, birth.position, index, float(value[index].real))
    if reason is not None:
        return _("{op} gives {result}: {reason}").format(op=place, result=result, reason=reason)
    at = name_entry(evidence, output, index) if index else name_tensor(evidence, output)
    return _("Finite numbers went into {op}, and {result} came out at {entry}").format(
        op=place, result=result, entry=at
    )


def _find_reason(
    evidence: Evidence, position: int, index: tuple[int, ...], result: float
) -> str | None:
    """Which operand is to blame, and why."""
    op = evidence.ops[position]
    nothing = [n for n in op.inputs[:1] if evidence.is_float(n) and 0 in evidence.shape(n)]
    if nothing and op.type in ("Mean", "Max", "Min", "Prod", "Sum"):
        return _("{name} has no entries").format(name=name_tensor(evidence, nothing[0]))
    rule = _RULES.get(op.type)
    operands = _pick_entries(evidence, position, index)
    found = None if rule is None or operands is None else rule([v for v, _at in operands], result)
    if found is not None:
        assert operands is not None
        slot, why = found
        why = why.format(dtype=evidence.recorder.seen[op.outputs[0]].dtype.name)
        value, at = operands[slot]
        entry = name_entry(evidence, op.inputs[slot], at)
        return _("{entry} is {value}, and {why}").format(
            entry=entry, value=write_number(value), why=why
        )
    if np.isinf(result) and op.type in _GROWING and not list_infinite(evidence, position):
        return _("the result is too large for {dtype}").format(
            dtype=evidence.recorder.seen[op.outputs[0]].dtype.name
        )
    infinite = list_infinite(evidence, position)
    if np.isnan(result) and infinite:
        return _("{name} holds {bad}").format(
            name=name_tensor(evidence, infinite[0]),
            bad=name_bad("inf", evidence.value(infinite[0])),
        )
    return None


def _pick_entries(
    evidence: Evidence, position: int, index: tuple[int, ...]
) -> list[tuple[float, tuple[int, ...]]] | None:
    """Of an elementwise op: each operand's value at an entry of the result, and its index."""
    picked = []
    for number in evidence.ops[position].inputs:
        value = evidence.value(number) if evidence.is_float(number) else None
        if value is None or value.ndim > len(index) or value.dtype.kind != "f":
            return None
        own = index[len(index) - value.ndim :]
        if any(side != 1 and place >= side for side, place in zip(value.shape, own, strict=True)):
            return None
        at = tuple(0 if side == 1 else place for side, place in zip(value.shape, own, strict=True))
        picked.append((float(value[at]), at))
    return picked


Found = tuple[int, str] | None


def _judge_log(values: list[float], result: float) -> Found:  # noqa: ARG001  (all take both)
    if values[0] == 0:
        return 0, _("the logarithm of 0 is -inf")
    return (0, _("a negative number has no logarithm")) if values[0] < 0 else None


def _judge_log1p(values: list[float], result: float) -> Found:  # noqa: ARG001
    if values[0] == -1:
        return 0, _("log1p of it is the logarithm of 0, -inf")
    return (0, _("log1p of it is the logarithm of a negative number")) if values[0] < -1 else None


def _judge_root(values: list[float], result: float) -> Found:  # noqa: ARG001
    if values[0] == 0:
        return 0, _("1 divided by its root is inf")
    return (0, _("a negative number has no square root")) if values[0] < 0 else None


def _judge_division(values: list[float], result: float) -> Found:
    above, below = values[-2:]
    if below == 0:
        if above == 0:
            return len(values) - 1, _("0 divided by 0 is not defined")
        return len(values) - 1, _say_division(result)
    if np.isinf(above) and np.isinf(below):
        return 0, _("inf divided by inf is not defined")
    return (0, _("the quotient is too large for {dtype}")) if np.isinf(result) else None


def _judge_reciprocal(values: list[float], result: float) -> Found:
    return (0, _say_division(result)) if values[0] == 0 else None


def _say_division(result: float) -> str:
    return _("a division by 0 gives {result}").format(result=write_number(result))


def _judge_growth(values: list[float], result: float) -> Found:
    if np.isinf(result) and np.isfinite(values[0]):
        return 0, _("the result is too large for {dtype}")
    return None


def _judge_power(values: list[float], result: float) -> Found:
    base, power = values
    if base < 0 and power != int(power):
        return 0, _("a negative number has no power of {power}").format(power=write_number(power))
    if base == 0 and power < 0:
        return 0, _("0 to the power of {power} is a division by 0").format(
            power=write_number(power)
        )
    return (0, _("its power is too large for {dtype}")) if np.isinf(result) else None


def _judge_sum(values: list[float], result: float) -> Found:
    if np.isnan(result) and np.isinf(values).all():
        return 0, _("inf minus inf is not defined")
    return None


def _judge_product(values: list[float], result: float) -> Found:
    if np.isnan(result) and 0 in values and np.isinf(values).any():
        other = values[1 - values.index(0)]
        reason = _("0 times {value} is not defined").format(value=write_number(other))
        return values.index(0), reason
    return None


def _judge_arc(values: list[float], result: float) -> Found:  # noqa: ARG001
    return (0, _("this function is defined from -1 to 1 only")) if abs(values[0]) > 1 else None


def _judge_infinite(values: list[float], result: float) -> Found:
    if np.isnan(result) and np.isinf(values[0]):
        reason = _("the function of {value} is not defined")
        return 0, reason.format(value=write_number(values[0]))
    return None


_RULES: dict[str, Callable[[list[float], float], Found]] = {
    "Log": _judge_log,
    "Log1p": _judge_log1p,
    **dict.fromkeys(("Sqrt", "Rsqrt"), _judge_root),
    **dict.fromkeys(("RealDiv", "Div"), _judge_division),
    **dict.fromkeys(("Reciprocal", "Inv"), _judge_reciprocal),
    **dict.fromkeys(("Exp", "Expm1", "Cosh", "Sinh", "Square"), _judge_growth),
    "Pow": _judge_power,
    **dict.fromkeys(("Sub", "AddV2", "Add"), _judge_sum),
    "Mul": _judge_product,
    **dict.fromkeys(("Acos", "Asin", "Atanh"), _judge_arc),
    **dict.fromkeys(("Sin", "Cos", "Tan"), _judge_infinite),
}
# Ops that make finite numbers infinite in one way only: the result is too large.
_GROWING = frozenset(
    {"Mul", "AddV2", "Sub", "Sum", "Mean", "MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum",
     "Prod", "Cumsum", "Cumprod", "L2Loss", "Cast", "Conv2D", "SquaredDifference", "AddN",
     "BiasAdd"}
)  # fmt: skip
