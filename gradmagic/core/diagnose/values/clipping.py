"""Minimum, maximum and clip: flat beyond their limits; and Keras' clip of probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Backward, Cause, Edge
from gradmagic.core.diagnose.values.relus import explain_zeros_of_relu, is_margin
from gradmagic.core.diagnose.values.remedies import write_from_logits
from gradmagic.core.diagnose.values.units import is_positive_part
from gradmagic.core.diagnose.values.wording import (
    find_first,
    name_entry,
    name_op,
    name_target,
    name_tensor,
    say_counting,
    write_number,
)
from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gradmagic.core.diagnose.evidence import Evidence

CLIPS = ("Minimum", "Maximum", "ClipByValue")
NEAR = 1e-3  # a limit of probabilities is at most so far from 0 and 1
_TO_LOG = frozenset({"Identity", "Reshape", "Squeeze", "Cast", "Sub", "Neg", "AddV2"})
_STEPS = 4  # ops between a clip and the logarithm that it protects


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip, made of a minimum and a maximum with constants, or of one of them.

    Attributes
    ----------
    positions
        Its ops, in order.
    number
        The tensor that is clipped.
    value, upstream
        Its value, and the gradient of what comes out.
    low, high
        The limits; infinite where there is none.
    below, above
        The entries that are beyond the limits, where it is flat.
    """

    positions: tuple[int, ...]
    number: int
    value: np.ndarray
    upstream: np.ndarray
    low: float
    high: float
    below: np.ndarray
    above: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """Where it is flat."""
        return self.below | self.above

    @property
    def stuck(self) -> np.ndarray:
        """Where it is flat, and descent would move the entry back between the limits."""
        return (self.below & (self.upstream < 0)) | (self.above & (self.upstream > 0))


def explain_clip(edge: Edge) -> Cause | None:
    """A clip that is flat, or a maximum that takes the other operand."""
    clip = read_clip(edge.backward, edge.position, edge.number)
    if clip is None:
        return _explain_other_operand(edge)
    live = clip.upstream != 0
    if (live & ~clip.flat).any():
        return None
    if protects_log(edge.backward, clip):
        return _explain_probability(edge, clip)
    if _is_relu(edge, clip):
        return explain_zeros_of_relu(edge, live)
    limits = [clip.low] * bool((live & clip.below).any())
    limits += [clip.high] * bool((live & clip.above).any())
    reason = _("{op} is at its limit {limits} in {share}, and flat there").format(
        op=name_op(edge.evidence, edge.position),
        limits=_(" or ").join(write_number(one) for one in limits),
        share=say_counting(live),
    )
    return Cause("constant-region", edge.position, reason)


def _is_relu(edge: Edge, clip: Clip) -> bool:
    """Whether max(x, 0) is the activation of a layer, or the positive part of a margin."""
    if clip.low != 0 or not math.isinf(clip.high) or edge.op.type != "Maximum":
        return False
    return is_positive_part(edge.evidence, edge.position) or is_margin(edge.evidence, clip.number)


def _explain_other_operand(edge: Edge) -> Cause | None:
    """A maximum or minimum of two tensors that takes the other one."""
    if edge.op.type == "ClipByValue" or len(edge.slots) != 1 or edge.upstream is None:
        return None
    values = [edge.evidence.value(n) for n in edge.op.inputs]
    if values[0] is None or values[1] is None:
        return None
    first_wins = values[0] >= values[1] if edge.op.type == "Maximum" else values[0] <= values[1]
    taken = first_wins if edge.slots == [0] else ~first_wins
    live = edge.upstream != 0
    if (live & taken).any():
        return None
    reason = _("{op} takes {other} in {share}").format(
        op=name_op(edge.evidence, edge.position),
        other=name_tensor(edge.evidence, edge.other),
        share=say_counting(live),
    )
    return Cause("constant-region", edge.position, reason)


def read_clip(backward: Backward, position: int, number: int) -> Clip | None:
    """The clip of a tensor that an op is a part of, where its limits are constants; else None."""
    evidence = backward.evidence
    first = _read_part(backward, position, number)
    if first is None:
        return None
    before = evidence.makers.get(number)
    if before is not None and _find_following(backward, before) == position:
        for own in evidence.ops[before].inputs:
            whole = read_clip(backward, before, own)
            if whole is not None:
                return whole
    positions, parts = [position], [first]
    while (following := _find_following(backward, positions[-1])) is not None:
        part = _read_part(backward, following, evidence.ops[positions[-1]].outputs[0])
        if part is None:
            break
        positions.append(following)
        parts.append(part)
    value = evidence.value(number)
    upstream = evidence.gradient(evidence.ops[positions[-1]].outputs[0])
    if value is None or upstream is None or value.shape != upstream.shape:
        return None
    below, above = np.zeros(value.shape, bool), np.zeros(value.shape, bool)
    for low, high, is_first in parts:  # (where both are equal, the first operand counts as taken)
        below |= value < low if is_first else value <= low
        above |= value > high if is_first else value >= high
    lowest, highest = max(p[0] for p in parts), min(p[1] for p in parts)
    return Clip(tuple(positions), number, value, upstream, lowest, highest, below, above & ~below)


def _read_part(backward: Backward, position: int, number: int) -> tuple[float, float, bool] | None:
    """The limits of one op, and whether what it clips is its first operand."""
    evidence, op = backward.evidence, backward.evidence.ops[position]
    if op.type not in CLIPS or list(op.inputs).count(number) != 1:
        return None
    limits = [n for n in op.inputs if n != number]
    values = [evidence.value(n) for n in limits]
    if any(
        v is None or v.size != 1 or backward.depends(n) for v, n in zip(values, limits, strict=True)
    ):
        return None
    scalars = [float(np.reshape(v, -1)[0]) for v in values if v is not None]
    if op.type == "ClipByValue":
        return (scalars[0], scalars[1], True) if op.inputs[0] == number else None
    is_first = op.inputs[0] == number
    if op.type == "Maximum":
        return scalars[0], math.inf, is_first
    return -math.inf, scalars[0], is_first


def _find_following(backward: Backward, position: int) -> int | None:
    """The clip's other half, where the output goes nowhere else."""
    uses = backward.uses.get(backward.evidence.ops[position].outputs[0], [])
    alone = len(uses) == 1 and backward.evidence.ops[uses[0]].type in CLIPS
    return uses[0] if alone else None


def protects_log(backward: Backward, clip: Clip) -> bool:
    """Whether limits near 0 or 1 keep probabilities from a logarithm."""
    if not _is_near(clip.low, clip.high):
        return False
    todo = [(backward.evidence.ops[clip.positions[-1]].outputs[0], _STEPS)]
    while todo:
        number, steps = todo.pop()
        for position in backward.uses.get(number, ()):
            op = backward.evidence.ops[position]
            if op.type in ("Log", "Log1p", "Xlogy", "Xlog1py"):
                return True
            if op.type in _TO_LOG and steps:
                todo.append((op.outputs[0], steps - 1))
    return False


def _is_near(low: float, high: float) -> bool:
    """Whether limits are those of probabilities that must not be 0, or 1."""
    return 0 < low <= NEAR or (1 - NEAR <= high <= 1 and low <= 0)


def _explain_probability(edge: Edge, clip: Clip) -> Cause:
    evidence = edge.evidence
    if is_always_one(evidence, clip.number):
        reason = _("{name} is always 1, because there is one class only").format(
            name=name_tensor(evidence, clip.number)
        )
        return Cause("zero-gradient", edge.position, reason)
    stuck = clip.stuck
    if not stuck.any() and _is_no_probability(clip):
        stuck = clip.flat & (clip.upstream != 0)
    if not stuck.any():
        reason = _(
            "Every probability that {target} depends on is as right as the limits {low} and "
            "{high} on line {line} let it be"
        ).format(
            target=name_target(evidence),
            low=write_number(max(clip.low, 0.0)),
            high=_write_high(min(clip.high, 1.0)),
            line=edge.op.line,
        )
        return Cause("zero-gradient", edge.position, reason, _("Nothing is left to learn there."))
    return Cause(
        "clipped-probability",
        edge.position,
        _say_clipped(evidence, clip, stuck),
        _say_stuck_loss(evidence, clip),
        write_from_logits(evidence, edge.op.line, clip.number),
    )


def find_clipped(backward: Backward, named: Collection[int | None]) -> Iterator[Diagnosis]:
    """Clips that hide some wrong predictions from the gradient, beside those already named."""
    evidence, done = backward.evidence, set(named)
    for position in evidence.leading:
        op = evidence.ops[position]
        if op.type not in CLIPS:
            continue
        parts = [(n, _read_part(backward, position, n)) for n in op.inputs]
        near = [n for n, part in parts if part is not None and _is_near(part[0], part[1])]
        clip = read_clip(backward, position, near[0]) if near else None
        if clip is None or not done.isdisjoint(clip.positions):
            continue
        done.update(clip.positions)
        passed = evidence.gradient(clip.number)
        if passed is None or _is_no_probability(clip) or not protects_log(backward, clip):
            continue
        stuck = clip.stuck & (passed == 0)
        if _shares_rows(evidence, clip.number):  # a row learns as long as one of its entries does
            stuck &= (passed == 0).all(-1, keepdims=True)
        if stuck.any() and not is_always_one(evidence, clip.number):
            message = _("{reason}: {target} asks for another one, but no gradient comes from it.")
            yield Diagnosis(
                "clipped-probability",
                evidence.target.name,
                op.line,
                op.type,
                message.format(
                    reason=_say_clipped(evidence, clip, stuck), target=name_target(evidence)
                ),
                write_from_logits(evidence, op.line, clip.number),
                position,
            )


def _shares_rows(evidence: Evidence, number: int) -> bool:
    """Whether the entries of a row are shares of 1: out of a softmax, or divided by their sum."""
    maker = evidence.maker(number)
    while maker is not None and maker.type in ("Identity", "Reshape"):
        maker = evidence.maker(maker.inputs[0])
    return maker is not None and maker.type in ("Softmax", "RealDiv")


def _is_no_probability(clip: Clip) -> bool:
    return not bool(((clip.value >= 0) & (clip.value <= 1 + NEAR)).all())


def is_always_one(evidence: Evidence, number: int) -> bool:
    """Whether it is the share of a single class: x divided by its own sum over one entry."""
    maker = evidence.maker(number)
    if maker is None or evidence.shape(number)[-1:] != (1,):
        return False
    if maker.type == "Softmax":
        return True
    divisor = evidence.maker(maker.inputs[1]) if maker.type == "RealDiv" else None
    return divisor is not None and divisor.type == "Sum" and divisor.inputs[0] == maker.inputs[0]


def _say_clipped(evidence: Evidence, clip: Clip, stuck: np.ndarray) -> str:
    index = find_first(stuck & clip.below if (stuck & clip.below).any() else stuck)
    count, value = int(stuck.sum()), float(clip.value[index])
    limit = clip.low if clip.below[index] else clip.high
    reason = _n(
        "{place}{entry}, which is {value}, is clipped to {limit}",
        "{place}{entry}, which is {value}, is clipped to {limit}, one of {count} such entries",
        count,
    )
    line = evidence.ops[clip.positions[0]].line
    return reason.format(
        place="" if line is None else _("On line {line}, ").format(line=line),
        entry=name_entry(evidence, _find_named(evidence, clip.number), index),
        value=write_number(value),
        limit=_write_high(limit),
        count=count,
    )


def _find_named(evidence: Evidence, number: int) -> int:
    """The probabilities before they were divided by their sum of 1, where that changed nothing."""
    maker = evidence.maker(number)
    if number in evidence.names or maker is None or maker.type != "RealDiv":
        return number
    shares, given = (evidence.value(n) for n in (number, maker.inputs[0]))
    same = shares is not None and given is not None and np.allclose(shares, given, rtol=1e-4)
    return maker.inputs[0] if same else number


def _say_stuck_loss(evidence: Evidence, clip: Clip) -> str:
    """The number at which the loss sticks, where it is all there is to the target."""
    target = evidence.value(evidence.target_number)
    if target is None or target.size != 1 or not clip.low > 0:
        return ""
    stuck = -math.log(clip.low)
    if not math.isclose(float(target.reshape(-1)[0]), stuck, rel_tol=1e-4):
        return ""
    return _(
        "{target} stays at {stuck}, which is -ln({limit}), however wrong the prediction is."
    ).format(target=name_target(evidence), stuck=f"{stuck:.4f}", limit=write_number(clip.low))


def _write_high(limit: float) -> str:
    """A limit; one next to 1 as ``1 - 1e-07``."""
    if 1 - NEAR <= limit < 1:
        return f"1 - {1 - limit:.0e}"
    return write_number(limit)
