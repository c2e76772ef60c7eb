"""The loss around the path: a curve, or a contour with the path on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import _, join_sentences
from gradmagic.render.axes import Frame
from gradmagic.render.descent.curves import describe_losses
from gradmagic.render.plots import draw_axes

if TYPE_CHECKING:
    from gradmagic.core.descent.records import Descent, Surface

TONES = 12  # of a contour
POWER = 0.4  # of the step from tone to tone: the bottom of the valley has most of them
EDGE = 0.05  # of a curve's height, left free


def choose_frame(surface: Surface, losses: np.ndarray) -> Frame | None:
    """The axes' room; None where there is no finite loss to draw."""
    finite = surface.z[np.isfinite(surface.z)]
    if not finite.size or len(surface.x) < 2:
        return None
    x = (float(surface.x[0]), float(surface.x[-1]))
    if surface.kind == "contour":
        return Frame(x, (float(surface.y[0]), float(surface.y[-1])), height=260, left=64, width=364)
    low = min(float(finite.min()), float(losses.min(where=np.isfinite(losses), initial=np.inf)))
    high = float(finite.max())
    edge = EDGE * (high - low) or 1.0
    return Frame(x, (low - edge, high + edge), height=260)


def draw_surface(run: Descent, surface: Surface, frame: Frame) -> str:
    """The picture: tones that grow stronger with the loss, and the path over them."""
    losses = np.array([moment.loss for moment in run.moments])
    path = np.clip(place_path(surface, losses), (frame.x[0], frame.y[0]), (frame.x[1], frame.y[1]))

    def draw(axes: Any) -> None:
        if surface.kind == "contour":
            _draw_contour(axes, surface)
        else:
            axes.plot(surface.x, surface.z).pop().set_gid("gm-curve")
        axes.plot(path[:, 0], path[:, 1]).pop().set_gid("gm-path")
        dots = axes.plot(path[:, 0], path[:, 1], "o", markersize=3).pop()
        dots.set_gid("gm-dots")

    if surface.kind == "contour":
        words = _("Contour of the loss, and the path of {steps} steps on it. Axes: {axes}")
        labels = (surface.labels[0], surface.labels[-1])
    else:
        words = _("Curve of the loss, and the path of {steps} steps on it. Axis: {axes}")
        labels = (surface.labels[0], _("loss"))
    said = join_sentences(
        [
            _("{sentence}.").format(sentence=words.format(steps=run.done, axes=surface.axes)),
            describe_losses([run]),
        ]
    )
    return draw_axes(frame, draw, said, labels=labels)


def place_path(surface: Surface, losses: np.ndarray) -> np.ndarray:
    """Where each kept step lies in the picture's axes, [moments, 2]."""
    if surface.kind == "contour":
        return np.asarray(surface.path, np.float64)[:, :2]
    along = np.asarray(surface.path, np.float64).reshape(len(losses), -1)[:, 0]
    return np.column_stack([along, losses])


def _draw_contour(axes: Any, surface: Surface) -> None:
    finite = surface.z[np.isfinite(surface.z)]
    low, high = float(finite.min()), float(finite.max())
    if not high > low:
        return
    levels = low + (high - low) * np.linspace(0, 1, TONES + 1) ** (1 / POWER)
    levels[-1] = np.nextafter(high, np.inf)
    z = np.ma.masked_invalid(surface.z)
    tones = [f"#0000{tone:02x}" for tone in range(1, TONES + 1)]
    axes.contourf(surface.x, surface.y, z, levels=levels, colors=tones).set_gid("gm-tones")
    axes.contour(surface.x, surface.y, z, levels=levels[1:-1], colors="k").set_gid("gm-level")
