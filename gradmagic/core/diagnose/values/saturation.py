"""Activations that are saturated: where they are flat, so that little or nothing flows back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Cause, Edge, read
from gradmagic.core.diagnose.values.wording import (
    find_first,
    name_op,
    name_target,
    say_counting,
    say_share,
    write_number,
)
from gradmagic.core.i18n import _
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Subject
    from gradmagic.core.diagnose.values.backward import Backward

FLAT = 1e-4  # a slope below this is flat
SHARE = 0.9  # of the entries must be flat
SHRINKS = 1e-3  # what an op that nearly stops the gradient leaves of its norm
LEAST_UPSTREAM = 0.01  # summed magnitudes; below, the loss is small because the prediction is right
AGAINST = 0.1  # share of the gradient's norm that must point away from where the op is stuck
SAMPLED = 4096  # entries that are looked at first

_SELU_SCALE, _SELU_SLOPE = 1.0507009873554805, 1.7580993408473766


@dataclass(frozen=True)
class Flatness:
    """Where an activation is flat: ``slopes``, and ``ends``, -1 at its low end and 1 at its high.

    Of a softmax both are of its rows; ``slopes`` is what the greatest probability leaves.
    """

    slopes: np.ndarray
    ends: np.ndarray


def _measure_sigmoid(x: np.ndarray, y: np.ndarray) -> Flatness:  # noqa: ARG001  (all take both)
    return Flatness(y * (1 - y), np.where(y > 0.5, 1, -1))


def _measure_tanh(x: np.ndarray, y: np.ndarray) -> Flatness:  # noqa: ARG001
    return Flatness(1 - y * y, np.sign(y))


def _measure_softplus(x: np.ndarray, y: np.ndarray) -> Flatness:  # noqa: ARG001
    return Flatness(-np.expm1(-y), -np.ones_like(y))


def _measure_elu(x: np.ndarray, y: np.ndarray) -> Flatness:
    return Flatness(np.where(x < 0, y + 1, 1), -np.ones_like(y))


def _measure_selu(x: np.ndarray, y: np.ndarray) -> Flatness:
    return Flatness(np.where(x < 0, y + _SELU_SLOPE, _SELU_SCALE), -np.ones_like(y))


def _measure_softmax(x: np.ndarray, y: np.ndarray) -> Flatness:  # noqa: ARG001
    return Flatness(1 - y.max(-1), np.ones(y.shape[:-1]))


_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], Flatness]] = {
    "Sigmoid": _measure_sigmoid,
    "Tanh": _measure_tanh,
    "Softplus": _measure_softplus,
    "Elu": _measure_elu,
    "Selu": _measure_selu,
    "Softmax": _measure_softmax,
}


def explain_saturation(edge: Edge) -> Cause | None:
    """An activation whose slope is 0 wherever the target depends on it."""
    measured = _measure(edge)
    if measured is None or edge.upstream is None or edge.result is None:
        return None
    upstream, result = edge.upstream, edge.result
    softmax = edge.op.type == "Softmax"
    if softmax and result.shape[-1] == 1:
        reason = _("{op} is taken over one class only and is always 1")
        return _make(edge, "zero-gradient", reason)
    live = upstream != 0
    if softmax:
        live = upstream.max(-1) != upstream.min(-1)
        if not live.any():
            reason = _("The entries of {op} always add up to 1, and only their sum is used")
            return _make(edge, "zero-gradient", reason)
    if (live & (measured.slopes > FLAT)).any():
        return None
    against = _find_against(edge, measured, upstream, result)
    if not (live & (against > 0)).any() and not edge.backward.is_bare(edge.op.outputs[0]):
        reason = _("{op} is already as far as it can go in the direction that lowers {target}")
        return _make(edge, "zero-gradient", reason, _("Nothing is left to learn there."))
    reason = _("{op} is saturated in {share} ({example}), and flat there").format(
        op=name_op(edge.evidence, edge.position),
        share=_say_counting(edge, live),
        example=_write_example(edge, find_first(live)),
    )
    return Cause("saturated", edge.position, reason)


def explain_exponential(edge: Edge) -> Cause | None:
    """An exp whose result is too small for its dtype, and so its slope."""
    if edge.upstream is None or edge.result is None or edge.value is None:
        return None
    live = edge.upstream != 0
    if (edge.value[live] > -80).any():
        return None
    reason = _("{op} is 0 in {share} ({example})").format(
        op=name_op(edge.evidence, edge.position),
        share=say_counting(live),
        example=_write_example(edge, find_first(live)),
    )
    return Cause("zero-gradient", edge.position, reason)


def find_saturated(backward: Backward, subjects: Sequence[Subject]) -> Iterator[Diagnosis]:
    """The activations that let next to nothing through to a source that has no other way."""
    if not subjects:
        return
    for position in backward.evidence.leading:
        op = backward.evidence.ops[position]
        if op.type in _MEASURES and _may_be_flat(backward, position):
            edge = Edge(backward, position, op.inputs[0])
            if _stops_gradient(edge):
                nearest = _find_nearest(edge, subjects)
                if nearest is not None:
                    yield _say_shrunk(edge, nearest)


def _may_be_flat(backward: Backward, position: int) -> bool:
    """A quick look at some of the values."""
    op = backward.evidence.ops[position]
    tensors = [backward.evidence.recorder.seen[n].tensor for n in (op.inputs[0], op.outputs[0])]
    if any(one is None for one in tensors) or op.inputs[0] not in backward.evidence.gradients:
        return False
    inputs, outputs = (read(one) for one in tensors)
    if not outputs.size or outputs.dtype.kind == "c":
        return False
    width = outputs.shape[-1] if op.type == "Softmax" else 1
    step = max(1, outputs.size // (SAMPLED * width))
    some = [a.reshape(-1, width)[::step].astype(np.float64) for a in (inputs, outputs)]
    measured = _MEASURES[op.type](*some)
    return bool((measured.slopes < FLAT).mean() > SHARE - 0.1)


def _stops_gradient(edge: Edge) -> bool:
    """Whether the op is flat, shrinks the gradient, and stands where it should not."""
    measured = _measure(edge)
    passed = edge.evidence.gradient(edge.number)
    if measured is None or edge.upstream is None or edge.result is None or passed is None:
        return False
    upstream = edge.upstream
    if not np.isfinite(upstream).all() or not np.isfinite(passed).all() or not passed.any():
        return False
    if (measured.slopes < FLAT).mean() < SHARE or np.abs(upstream).sum() < LEAST_UPSTREAM:
        return False
    if np.linalg.norm(passed) >= SHRINKS * _find_least_norm(edge):
        return False
    against = _find_against(edge, measured, upstream, edge.result)
    flat = against[measured.slopes < FLAT]
    return edge.backward.is_bare(edge.op.outputs[0]) or bool(
        np.linalg.norm(np.maximum(flat, 0)) >= AGAINST * np.linalg.norm(upstream)
    )


def _find_least_norm(edge: Edge) -> float:
    """The least norm of the gradient between the op and the target.

    log(sigmoid(x)) has steep and flat ops in a row, and nothing is lost: what counts is the norm
    before the steep one.
    """
    evidence, backward = edge.evidence, edge.backward
    after = [n for p in backward.list_after(edge.op.outputs[0]) for n in evidence.ops[p].outputs]
    known = [evidence.gradient(n) for n in (edge.op.outputs[0], *after) if backward.depends(n)]
    norms = [float(np.linalg.norm(one)) for one in known if one is not None and one.any()]
    return min(norms, default=0.0)


def _find_nearest(edge: Edge, subjects: Sequence[Subject]) -> Subject | None:
    """Of the sources whose whole gradient passes the op, and is small, the first next to it."""
    backward, target = edge.backward, edge.evidence.target_number
    activations = {
        p
        for p in edge.evidence.leading
        if edge.evidence.ops[p].type in (*_MEASURES, "Relu", "Relu6", "LeakyRelu")
    }
    reached = _find_least_norm(edge)
    behind = [
        s
        for s in subjects
        if backward.reaches(s.numbers, edge.number)
        and not backward.reaches(s.numbers, target, {edge.position})
        and _is_small(s, reached)
    ]
    near = [s for s in behind if backward.reaches(s.numbers, edge.number, activations)]
    return next(iter(near or behind), None)


def _is_small(subject: Subject, reached: float) -> bool:
    gradient = subject.gradient.gradient
    return gradient is not None and (gradient.norm or 0.0) < 10 * SHRINKS * reached


def _say_shrunk(edge: Edge, subject: Subject) -> Diagnosis:
    measured, passed = _measure(edge), edge.evidence.gradient(edge.number)
    assert measured is not None
    assert edge.upstream is not None
    flat = measured.slopes < FLAT
    message = _(
        "{op} is saturated in {share} ({example}): there the norm of the gradient falls from "
        "{before} to {after}, and little of it reaches {name}."
    ).format(
        op=name_op(edge.evidence, edge.position),
        share=_say_share(edge, int(flat.sum()), flat.size),
        example=_write_example(edge, find_first(flat)),
        before=f"{np.linalg.norm(edge.upstream):.3g}",
        after=f"{np.linalg.norm(passed):.3g}",  # type: ignore[arg-type]
        name=subject.name,
    )
    op = edge.op
    return Diagnosis("saturated", subject.name, op.line, op.type, message, position=edge.position)


def _measure(edge: Edge) -> Flatness | None:
    if (
        edge.value is None
        or edge.result is None
        or not edge.result.ndim >= (edge.op.type == "Softmax")
    ):
        return None
    return _MEASURES[edge.op.type](edge.value, edge.result)


def _find_against(
    edge: Edge, measured: Flatness, upstream: np.ndarray, result: np.ndarray
) -> np.ndarray:
    """How much descent would move each flat entry (row) away from the end where it is stuck.

    A softmax's winner should lose where another class has a smaller gradient.
    """
    if edge.op.type == "Softmax":
        winner = np.take_along_axis(upstream, result.argmax(-1)[..., None], -1)[..., 0]
        return winner - upstream.min(-1)
    return upstream * measured.ends


def _say_share(edge: Edge, count: int, size: int) -> str:
    if edge.op.type != "Softmax":
        return say_share(count, size)
    if count == size:
        return _("its only row") if size == 1 else _("all {count} rows").format(count=count)
    return _("{count} of {size} rows").format(count=count, size=size)


def _say_counting(edge: Edge, live: np.ndarray) -> str:
    if edge.op.type != "Softmax":
        return say_counting(live)
    return _say_share(edge, int(live.sum()), live.size)


def _write_example(edge: Edge, index: tuple[int, ...]) -> str:
    """An entry with its value before and after: ``sigmoid(25) = 1``."""
    assert edge.value is not None
    assert edge.result is not None
    before, after = edge.value[index], edge.result[index]
    if np.ndim(after):
        place = int(np.argmax(after))
        share = write_number(float(after[place]))
        return _("class {place} has probability {share}").format(place=place, share=share)
    function = edge.op.type.lower()
    return f"{function}({write_number(float(before))}) = {write_number(float(after))}"


def _make(edge: Edge, kind: str, reason: str, more: str = "") -> Cause:
    text = reason.format(
        op=name_op(edge.evidence, edge.position), target=name_target(edge.evidence)
    )
    return Cause(kind, edge.position, text, more)
