"""The two pictures, value and derivative: matplotlib's curves, in the page's own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.activations.records import find_saturated
from gradmagic.core.i18n import _, join_items
from gradmagic.render.axes import Frame
from gradmagic.render.markup import Html, picture, tag
from gradmagic.render.plots import draw_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.activations.records import ActivationLab, Curve

BARS = 0.45  # of the height that the histogram takes


def list_frames(lab: ActivationLab) -> dict[str, Frame]:
    """What the places in the two pictures mean."""
    ends = (float(lab.x[0]), float(lab.x[-1]))
    return {
        "value": _make_frame(ends, [curve.value for curve in lab.curves]),
        "slope": _make_frame(ends, [take_slope(curve) for curve in lab.curves]),
    }


def take_slope(curve: Curve) -> np.ndarray:
    """The derivative, NaN where there is no value: the tape has one for log(-1) all the same."""
    return np.where(np.isfinite(curve.value), curve.slope, np.nan)


def _make_frame(ends: tuple[float, float], curves: Sequence[np.ndarray]) -> Frame:
    """From the least to the largest finite value and 0, with a little room."""
    values = np.concatenate([*(curve[np.isfinite(curve)] for curve in curves), np.zeros(1)])
    room = max(0.06 * float(np.ptp(values)), 0.05)
    limits = (float(values.min()) - room, float(values.max()) + room)
    return Frame(ends, limits, left=44, width=316, right=12, height=170)


def render_charts(lab: ActivationLab) -> Html:
    """Both pictures beside each other, or one above the other where there is no room."""
    frames = list_frames(lab)
    names = join_items(curve.function.name for curve in lab.curves)
    value = _("Values of {names} over x").format(names=names)
    slope = _("Derivatives of {names} over x").format(names=names)
    return tag(
        "div",
        _render_chart(lab, frames["value"], "value", _("value f(x)"), value),
        _render_chart(lab, frames["slope"], "slope", _("derivative df/dx, by the tape"), slope),
        class_="gm-charts",
    )


def render_values(lab: ActivationLab) -> Html:
    """The values alone, without a sign of where they are saturated: before a question."""
    names = join_items(curve.function.name for curve in lab.curves)
    words = _("Values of {names} over x").format(names=names)
    frame = list_frames(lab)["value"]
    return _render_chart(lab, frame, "value", _("value f(x)"), words, shaded=False)


def _render_chart(
    lab: ActivationLab, frame: Frame, key: str, title: str, words: str, *, shaded: bool = True
) -> Html:
    curves = [curve.value if key == "value" else take_slope(curve) for curve in lab.curves]
    flat = find_saturated(lab.x, take_slope(lab.curves[0]), lab.bounds[lab.bound])

    def draw(axes: Any) -> None:
        for low, high in flat if shaded else ():
            axes.axvspan(low, high, gid="gm-flat", linewidth=0)
        if lab.spread is not None and key == "value" and lab.spread.counts.any():
            bottom, top = frame.y
            heights = lab.spread.counts / lab.spread.counts.max() * (top - bottom) * BARS
            axes.stairs(
                bottom + heights, lab.spread.edges, baseline=bottom, fill=True, gid="gm-bars"
            )
        axes.axhline(0, gid="gm-zero")
        for i, curve in enumerate(curves):
            axes.plot(lab.x, np.where(np.isfinite(curve), curve, np.nan), gid=f"gm-f gm-f{i}")

    kind = "gm-g" if key == "slope" else None
    return tag(
        "figure",
        tag("figcaption", title, class_=kind),
        picture(draw_axes(frame, draw, words, labels=("x", "")), words),
        class_=f"gm-chart gm-chart-{key}",
        data_k=f"chart-{key}",
    )
