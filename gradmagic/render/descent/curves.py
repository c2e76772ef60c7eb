"""The curves of a descent: losses, the gradients' norms, and the learning rate where it changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import _, join_phrases
from gradmagic.render.axes import Frame
from gradmagic.render.numbers import format_number
from gradmagic.render.plots import draw_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.records import Descent

POINTS = 400  # of a curve that are drawn
SOURCES = 6  # whose norms are drawn, the first ones
LOWEST = 1e-20  # of the greatest: what is smaller is not drawn on a logarithmic axis
STEEP = 30.0  # times between the greatest and smallest loss: then the axis is logarithmic
NORM_HEIGHT, RATE_HEIGHT = 90.0, 60.0


def thin(values: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Places of the entries to draw: both ends, and the extremes of each stretch between.

    Parameters
    ----------
    values
        [steps].
    points
        How many places at most.
    """
    count = len(values)
    if count <= points:
        return np.arange(count)
    chosen = {0, count - 1}
    for stretch in np.array_split(np.arange(1, count - 1), (points - 2) // 2):
        own = values[stretch]
        if np.isfinite(own).any():
            chosen |= {int(stretch[np.nanargmin(own)]), int(stretch[np.nanargmax(own)])}
        else:
            chosen.add(int(stretch[0]))
    return np.array(sorted(chosen))


def choose_frame(
    curves: Sequence[np.ndarray], steps: int, *, logarithmic: bool, height: float = 180.0
) -> Frame | None:
    """Axes with room for all curves; None where there is nothing to draw in such ones."""
    everything = np.concatenate([np.asarray(curve, np.float64).reshape(-1) for curve in curves])
    finite = everything[np.isfinite(everything)]
    if logarithmic:
        finite = finite[finite > 0]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    if logarithmic:
        low = max(low, high * LOWEST)
        y = (low / 1.3, high * 1.3)
    else:
        low = min(low, 0.0) if low >= 0 and low < high / 2 else low
        edge = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
        y = (low if low == 0 else low - edge, high + edge)
    return Frame((0.0, float(max(1, steps - 1))), y, logarithmic=logarithmic, height=height)


def is_steep(runs: Sequence[Descent]) -> bool:
    """Whether the losses are seen better on a logarithmic axis."""
    losses = np.concatenate([run.losses for run in runs])
    finite = losses[np.isfinite(losses)]
    return bool(finite.size and finite.min() > 0 and finite.max() > STEEP * finite.min())


def draw_losses(runs: Sequence[Descent], frame: Frame) -> str:
    """The losses of all runs, step by step; each run's line has a class of its own."""
    curves = [(f"gm-curve gm-run-{i}", run.losses) for i, run in enumerate(runs)]
    return _draw(curves, frame, describe_losses(runs))


def describe_losses(runs: Sequence[Descent]) -> str:
    """The losses of all runs in words."""
    return _("Loss of each step: {curves}.").format(
        curves=join_phrases(describe_curve(run.losses) for run in runs)
    )


def draw_norms(run: Descent, frame: Frame) -> str:
    """The norm of each source's gradient, step by step, each with a dash of its own."""
    words = join_phrases(
        _("Norm of the gradient of {name}: {curve}").format(name=name, curve=describe_curve(norms))
        for name, norms in zip(run.names[:SOURCES], run.norms.T, strict=False)
    )
    curves = [(f"gm-norm gm-dash-{i}", run.norms[:, i]) for i in range(count_norms(run))]
    return _draw(curves, frame, words)


def draw_rates(run: Descent, frame: Frame) -> str:
    """The learning rate, step by step."""
    words = _("Learning rate of each step: {curve}.").format(curve=describe_curve(run.rates))
    return _draw([("gm-curve gm-run-0", run.rates)], frame, words)


def count_norms(run: Descent) -> int:
    """Sources whose norms are drawn."""
    return min(SOURCES, len(run.names))


def describe_curve(values: np.ndarray) -> str:
    """A curve in words, for those who do not see it: its start, end, and lowest."""
    if not len(values):
        return _("no step")
    first, last = (format_number(float(values[i])) for i in (0, -1))
    said = _("from {first} to {last} in {steps} steps").format(
        first=first, last=last, steps=len(values)
    )
    finite = np.isfinite(values)
    at = int(np.argmin(np.where(finite, values, np.inf)))
    if not finite.any() or values[at] in (values[0], values[-1]):
        return said
    return said + _("; lowest {lowest} at step {step}").format(
        lowest=format_number(float(values[at])), step=at
    )


def _draw(curves: Sequence[tuple[str, np.ndarray]], frame: Frame, words: str) -> str:
    def draw(axes: Any) -> None:
        for kind, values in curves:
            shown = thin(values)
            heights = _limit(values[shown], frame)
            (line,) = axes.plot(shown, heights, clip_on=False)
            line.set_gid(kind)
            if np.isfinite(heights).sum() == 1:  # a line through one point is not seen
                axes.plot(shown, heights, "o", markersize=4).pop().set_gid(kind)

    return draw_axes(frame, draw, words, labels=(_("step"), ""), whole=True)


def _limit(values: np.ndarray, frame: Frame) -> np.ndarray:
    """NaN where there is nothing to draw; what is below a logarithmic axis lies on its edge."""
    heights = np.array(values, np.float64)
    heights[~np.isfinite(heights)] = math.nan
    if frame.logarithmic:
        heights[heights <= 0] = math.nan
    return np.clip(heights, *frame.y)
