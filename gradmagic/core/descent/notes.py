"""What is to say about a descent: each note is true by what it measures."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.descent.moving import MOMENTUM, densify
from gradmagic.core.descent.records import Note
from gradmagic.core.i18n import _, _n, join_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.history import Kept
    from gradmagic.core.descent.records import Descent
    from gradmagic.core.descent.rerun import Rerun

RISING = 8  # steps in a row that make a divergence, all there are where a descent is shorter
LEAST_RISING = 3
TURNING = 6  # steps in a row whose gradient points back
BACK = -0.5  # cosine of an angle that does: above 120 degrees
LEAST_STABLE, MOST_STABLE = 0.01, 1.05  # of the rate; less is a curve that grew along the path
FLAT = 1e-3  # of the whole fall: what a plateau may still change
LEAST_FLAT = 10
NO_SLOPE = 1e-7  # a gradient that no sensible learning rate makes a step of
SPANNING = 1e-3  # a direction of the path shorter than this, of its longest, is rounding


def take_notes(descent: Descent, recent: Sequence[Kept], rerun: Rerun) -> tuple[Note, ...]:
    """The notes: NaN first, then divergence, or else oscillation; a plateau at last.

    Parameters
    ----------
    descent
        The record so far.
    recent
        The last steps in order; their values are those of the plain tensors.
    rerun
        Runs the cell at a kept step.
    """
    notes = []
    if descent.ended == "nan":
        notes.append(_explain_nan(descent, rerun))
    diverging = _find_divergence(descent, recent)
    oscillation = None if diverging else _find_oscillation(descent, recent)
    notes += [one for one in (diverging, oscillation) if one is not None]
    plateau = None if diverging or oscillation or notes else _find_plateau(descent)
    return (*notes, plateau) if plateau else tuple(notes)


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
    """The loss and the gradient rose in each of the last steps, above where they were before."""
    losses, sizes = descent.losses, np.linalg.norm(descent.norms, axis=1)
    with np.errstate(invalid="ignore"):
        sizes = np.where(np.isfinite(sizes), sizes, np.inf)
        losses = np.where(np.isfinite(losses), losses, np.inf)
        rising = (np.diff(losses) > 0) & (np.diff(sizes) > 0)
    if descent.ended == "nan" and len(rising):  # where it left the numbers, it cannot be compared
        rising[-1] = rising[-1] or not np.isfinite(losses[-1])
    run = _count_last(rising)
    if run < min(RISING, max(LEAST_RISING, len(rising))):
        return None
    step = descent.done - 1 - run
    stable = _find_stable_rate(descent, recent)
    rate = f"{descent.rates[-1]:g}"
    message = _n(
        "The loss has risen at the last step: the learning rate {rate} is too large.",
        "The loss has risen at each of the last {count} steps: the learning rate {rate} is too "
        "large.",
        run,
    ).format(count=run, rate=rate)
    advised = descent.rates[-1] / 10
    if stable is not None and LEAST_STABLE < stable / descent.rates[-1] < MOST_STABLE:
        words = _("By a quadratic fit of the last steps, the largest stable one is about {stable}.")
        message = join_sentences([message, words.format(stable=f"{stable:.3g}")])
        advised = stable / 2
    return Note("diverging", step, message, f"--lr {advised:.2g}")


def _find_oscillation(descent: Descent, recent: Sequence[Kept]) -> Note | None:
    """The gradient pointed back in each of the last steps, and has not died away."""
    gradients = [_flatten(one.gradients) for one in recent]
    turning = np.array([_measure_cosine(a, b) < BACK for a, b in pairwise(gradients)], bool)
    run = _count_last(turning)
    sizes = np.linalg.norm(descent.norms, axis=1)
    if run < TURNING or not sizes[-1] > FLAT * sizes[0]:
        return None
    message = _(
        "Each step goes too far: the gradient has turned round at each of the last {count} steps. "
        "A smaller learning rate than {rate} gets there without."
    ).format(count=run, rate=f"{descent.rates[-1]:g}")
    curved = _find_stable_rate(descent, recent)
    fix = f"--lr {(curved / 2 if curved else descent.rates[-1] / 2):.2g}"
    return Note("oscillation", descent.done - 1 - run, message, fix)


def _find_plateau(descent: Descent) -> Note | None:
    losses = descent.losses
    if not len(losses):
        return None
    whole = losses.max() - losses.min()
    outside = np.flatnonzero(np.abs(losses - losses[-1]) > FLAT * whole)
    step = int(outside[-1]) + 1 if len(outside) else 0
    count = descent.done - step
    if count < max(LEAST_FLAT, descent.done / 5):
        return None
    sizes = np.linalg.norm(descent.norms, axis=1)
    if sizes[-1] <= max(FLAT * sizes.max(), NO_SLOPE):
        reason = _("the gradient is {size}, so there is little slope left")
        fix = ""
    else:
        reason = _("but the gradient is still {size}: a larger learning rate would show more")
        fix = f"--lr {descent.rates[-1] * 10:.2g}"
    message = _(
        "From step {step} on the loss hardly changes (it ends at {loss}); {reason}."
    ).format(step=step, loss=f"{losses[-1]:.4g}", reason=reason.format(size=f"{sizes[-1]:.2g}"))
    return Note("plateau", step, message, fix)


def _find_stable_rate(descent: Descent, recent: Sequence[Kept]) -> float | None:
    """The largest rate at which plain descent is stable on the quadratic through the last steps.

    The gradients of a quadratic change by its matrix times the step: on the space of the steps that
    gives the matrix, and 2 over its largest eigenvalue is the rate (with momentum m, 2 (1 + m);
    Nesterov's 2 (1 + m) / (1 + 2 m)). None where the optimizer has no such bound, or the steps are
    not known, or nothing curves.
    """
    bounds = {
        "sgd": 2.0,
        "momentum": 2 * (1 + MOMENTUM),
        "nesterov": 2 * (1 + MOMENTUM) / (1 + 2 * MOMENTUM),
    }
    if descent.optimizer not in bounds:
        return None
    steps, changes = [], []
    for one, after in pairwise(recent):
        if descent.optimizer == "sgd":
            step = -descent.rates[one.step] * _flatten(one.gradients)
        elif any(value is None for value in one.values):
            return None
        else:
            step = _flatten(after.values) - _flatten(one.values)
        change = _flatten(after.gradients) - _flatten(one.gradients)
        length = np.linalg.norm(step)
        if np.isfinite(length) and length > 0 and np.isfinite(change).all():
            steps.append(step / length)
            changes.append(change / length)
    curvature = _find_curvature(np.array(steps), np.array(changes)) if steps else 0.0
    return bounds[descent.optimizer] / curvature if curvature > 0 else None


def _find_curvature(steps: np.ndarray, changes: np.ndarray) -> float:
    """The largest eigenvalue of the matrix that takes each row of steps to one of changes."""
    left, lengths, right = np.linalg.svd(steps, full_matrices=False)
    used = lengths > SPANNING * lengths[0]
    images = (left[:, used].T @ changes) / lengths[used, None]  # of the orthonormal directions
    matrix = images @ right[used].T
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])


def _flatten(tensors: Sequence[Any]) -> np.ndarray:
    parts = [np.ravel(densify(one).numpy()) for one in tensors if one is not None]
    joined = np.concatenate(parts)
    return joined.real.astype(np.float64)


def _measure_cosine(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return 0.0
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if 0 < lengths < np.inf else 0.0


def _count_last(flags: np.ndarray) -> int:
    """How many at the end are true, in a row."""
    false = np.flatnonzero(~flags)
    return len(flags) - (int(false[-1]) + 1 if len(false) else 0)
