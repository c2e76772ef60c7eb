"""What is to say about a descent: each note is true by what it measures."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.descent.moving import MOMENTUM, OPTIMIZERS, densify
from gradmagic.core.descent.records import Note
from gradmagic.core.i18n import _, _n, join_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.history import Kept
    from gradmagic.core.descent.records import Descent, Moment
    from gradmagic.core.descent.rerun import Rerun

RISING = 8  # steps in a row that make a divergence, all there are where a descent is shorter
LEAST_RISING = 3
TURNING = 6  # steps in a row whose gradient points back
BACK = -0.5  # cosine of an angle that does: above 120 degrees
LEAST_STABLE = 0.01  # of the rate; less is a curve that grew along the path
FLAT = 1e-3  # of the whole fall, and of the last loss: what a plateau may still change
LEAST_FLAT = 10
NO_SLOPE = 1e-7  # a gradient that no sensible learning rate makes a step of
RAISED = 10  # times the rate: what a plateau may be advised
BOUNDS = {  # of the rate on a quadratic, over its curvature
    "sgd": 2.0,
    "momentum": 2 * (1 + MOMENTUM),
    "nesterov": 2 * (1 + MOMENTUM) / (1 + 2 * MOMENTUM),
}
SPANNING = 1e-3  # a direction of the path shorter than this, of its longest, is rounding


def take_notes(descent: Descent, recent: Sequence[Kept], rerun: Rerun) -> tuple[Note, ...]:
    """The notes: NaN first, then divergence, or else oscillation; a plateau at last.

    Where each step has a batch of its own, its data too can raise the loss or turn the gradient:
    nothing is said of the rate.

    Parameters
    ----------
    descent
        The record so far.
    recent
        The last steps in order; their values are those of the plain tensors.
    rerun
        Runs the cell at a kept step.
    """
    try:
        with np.errstate(all="ignore"):
            return tuple(_find_notes(descent, recent, rerun))
    except Exception:  # the descent itself stands, and has raised nothing
        return ()


def _find_notes(descent: Descent, recent: Sequence[Kept], rerun: Rerun) -> list[Note]:
    notes = []
    if descent.ended == "nan":
        notes.append(_explain_nan(descent, rerun))
    if not rerun.batched:
        found = _find_divergence(descent, recent) or _find_oscillation(descent, recent)
        notes += [found] if found else []
    plateau = None if notes else _find_plateau(descent, batched=rerun.batched)
    return [plateau] if plateau else notes


def _explain_nan(descent: Descent, rerun: Rerun) -> Note:
    moment = descent.moments[-1]
    what = _("the loss is {loss}").format(loss=moment.loss)
    if np.isfinite(moment.loss):
        pairs = zip(descent.names, moment.norms, strict=True)
        bad = [name for name, norm in pairs if not np.isfinite(norm)]
        what = _("the gradient of {name} is not finite").format(name=bad[0])
    message = _("At step {step} {what}; the sources stay as that step found them.").format(
        step=moment.step, what=what
    )
    fix = ""
    try:
        diagnoses = rerun.run_at(moment).diagnoses
    except Exception:  # the note itself stands
        diagnoses = ()
    if diagnoses:
        message = join_sentences([message, diagnoses[0].message])
        fix = diagnoses[0].fix
    return Note("nan", moment.step, message, fix)


def _find_divergence(descent: Descent, recent: Sequence[Kept]) -> Note | None:
    """The loss and the gradient rose in each of the last steps, above where they were before.

    Plain descent along the gradient rises where its rate is too large. Momentum can rise and fall
    again: there the rate has to be above the bound of the fit.
    """
    losses, sizes = descent.losses, np.linalg.norm(descent.norms, axis=1)
    sizes = np.where(np.isfinite(sizes), sizes, np.inf)
    losses = np.where(np.isfinite(losses), losses, np.inf)
    rising = (np.diff(losses) > 0) & (np.diff(sizes) > 0)
    if descent.ended == "nan" and len(rising):  # where it left the numbers, it cannot be compared
        rising[-1] = rising[-1] or not np.isfinite(losses[-1])
    run = _count_last(rising)
    if run < min(RISING, max(LEAST_RISING, len(rising))) or losses[-1] <= losses[:-1].max():
        return None
    step, rate = descent.done - 1 - run, descent.rates[-1]
    stable = _find_stable_rate(descent, recent)
    too_large = descent.optimizer == "sgd" if stable is None else stable < rate
    if not too_large:
        return None
    message = _n(
        "The loss has risen at the last step: the learning rate {rate} is too large.",
        "The loss has risen at each of the last {count} steps: the learning rate {rate} is too "
        "large.",
        run,
    ).format(count=run, rate=f"{rate:g}")
    advised = rate / 10
    if stable is not None and stable > LEAST_STABLE * rate:
        words = _("By a quadratic fit of the last steps, the largest stable one is about {stable}.")
        message = join_sentences([message, words.format(stable=f"{stable:.3g}")])
        advised = stable / 2
    return Note("diverging", step, message, _write_rate(descent, advised))


def _find_oscillation(descent: Descent, recent: Sequence[Kept]) -> Note | None:
    """The gradient pointed back in each of the last steps, and has not died away."""
    gradients = _join_gradients(recent)
    turning = np.array([_measure_cosine(a, b) < BACK for a, b in pairwise(gradients)], bool)
    run = _count_last(turning)
    sizes = np.linalg.norm(descent.norms, axis=1)
    if run < TURNING or not sizes[-1] > FLAT * sizes[0]:
        return None
    message = _(
        "Each step goes too far: the gradient has turned round at each of the last {count} steps."
    ).format(count=run)
    rate = descent.rates[-1]
    stable = _find_stable_rate(descent, recent) or rate
    fix = _write_rate(descent, (stable if stable < 2 * rate else rate) / 2)
    return Note("oscillation", descent.done - 1 - run, message, fix)


def _find_plateau(descent: Descent, *, batched: bool) -> Note | None:
    """The loss has stayed where it ends: it no longer falls by a share of itself either."""
    losses = descent.losses
    if not len(losses):
        return None
    whole = losses.max() - losses.min()
    change = FLAT * min(whole, abs(losses[-1]))
    outside = np.flatnonzero(np.abs(losses - losses[-1]) > change)
    step = int(outside[-1]) + 1 if len(outside) else 0
    count = descent.done - step
    if count < max(LEAST_FLAT, descent.done / 5):
        return None
    sizes = np.linalg.norm(descent.norms, axis=1)
    fix = ""
    if sizes[-1] <= max(FLAT * sizes.max(), NO_SLOPE):
        reason = _("the gradient is {size}, so there is little slope left")
    else:
        reason = _("but the gradient is still {size}")
        larger = None if batched else _find_larger_rate(descent)
        if larger is not None:
            reason = _("but the gradient is still {size}: a larger learning rate would show more")
            fix = _write_rate(descent, larger)
    message = _(
        "From step {step} on the loss hardly changes (it ends at {loss}); {reason}."
    ).format(step=step, loss=f"{losses[-1]:.4g}", reason=reason.format(size=f"{sizes[-1]:.2g}"))
    return Note("plateau", step, message, fix)


def _find_larger_rate(descent: Descent) -> float | None:
    """A rate at least twice as large, and half the largest stable one of the whole path at most."""
    points = [one for one in descent.moments if one.values]
    values = [_flatten(one.values) for one in points]
    steps = [after - one for one, after in pairwise(values)]
    curvature = _find_curvature(steps, _join_gradients(points), steepest=True)
    rate = descent.rates[-1]
    if descent.optimizer not in BOUNDS or curvature is None:
        return None
    safe = BOUNDS[descent.optimizer] / curvature / 2 if curvature > 0 else math.inf
    return min(RAISED * rate, safe) if safe >= 2 * rate else None


def _write_rate(descent: Descent, rate: float) -> str:
    """What to type for it; nothing where the optimizer is the user's, with a rate of its own."""
    return f"--lr {rate:.2g}" if descent.optimizer in OPTIMIZERS else ""


def _find_stable_rate(descent: Descent, recent: Sequence[Kept]) -> float | None:
    """The largest rate at which plain descent is stable on the quadratic through the last steps.

    The gradients of a quadratic change by its matrix times the step: on the space of the steps that
    gives the matrix, and 2 over its largest eigenvalue is the rate (with momentum m, 2 (1 + m);
    Nesterov's 2 (1 + m) / (1 + 2 m)). Infinity where nothing curves; None where the optimizer has
    no such bound, or the steps are not known.
    """
    if descent.optimizer not in BOUNDS:
        return None
    gradients = _join_gradients(recent)
    if descent.optimizer == "sgd":
        pairs = zip(recent, gradients, strict=True)
        steps = [-descent.rates[one.step] * gradient for one, gradient in pairs][:-1]
    elif any(value is None for one in recent for value in one.values):
        return None
    else:
        steps = [after - one for one, after in pairwise(_flatten(one.values) for one in recent)]
    curvature = _find_curvature(steps, gradients)
    if curvature is None:
        return None
    return BOUNDS[descent.optimizer] / curvature if curvature > 0 else math.inf


def _find_curvature(
    steps: Sequence[np.ndarray], gradients: Sequence[np.ndarray], *, steepest: bool = False
) -> float | None:
    """The largest eigenvalue of the matrix that takes each step to the change of the gradient.

    With ``steepest`` also the largest change of any one step. None where nothing moved.
    """
    moves, changes = [], []
    for step, (one, after) in zip(steps, pairwise(gradients), strict=True):
        length = np.linalg.norm(step)
        if 0 < length < np.inf and np.isfinite(after - one).all():
            moves.append(step / length)
            changes.append((after - one) / length)
    if not moves:
        return None
    left, lengths, right = np.linalg.svd(np.array(moves), full_matrices=False)
    used = lengths > SPANNING * lengths[0]
    images = (left[:, used].T @ np.array(changes)) / lengths[used, None]  # of orthonormal ones
    matrix = images @ right[used].T
    largest = float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    if steepest:
        largest = max(largest, float(np.linalg.norm(changes, axis=1).max()))
    return largest


def _join_gradients(steps: Sequence[Kept | Moment]) -> list[np.ndarray]:
    """Each step's gradients as one vector; zeros for a tensor that has none in that step."""
    columns = []
    for position in range(len(steps[0].gradients) if steps else 0):
        column = [one.gradients[position] for one in steps]
        given = [one for one in (*column, steps[0].values[position]) if one is not None]
        if given:
            zeros = np.zeros_like(_flatten(given[:1]))
            columns.append([zeros if one is None else _flatten([one]) for one in column])
    return [np.concatenate([np.zeros(0), *row]) for row in zip(*columns, strict=True)]


def _flatten(tensors: Sequence[Any]) -> np.ndarray:
    parts = [np.ravel(np.asarray(densify(one))).real.astype(np.float64) for one in tensors]
    return np.concatenate([np.zeros(0), *parts])


def _measure_cosine(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return 0.0
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if 0 < lengths < np.inf else 0.0


def _count_last(flags: np.ndarray) -> int:
    """How many at the end are true, in a row."""
    false = np.flatnonzero(~flags)
    return len(flags) - (int(false[-1]) + 1 if len(false) else 0)
