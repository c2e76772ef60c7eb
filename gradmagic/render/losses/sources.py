"""The sources in the sidebar: what each loss of one sample asks of w and b."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.core.summary import format_index
from gradmagic.render.losses.bars import draw_slope
from gradmagic.render.markup import Html, join, shorten, tag
from gradmagic.render.numbers import format_entry, say_times

if TYPE_CHECKING:
    from gradmagic.core.losses.comparison import LossSource
    from gradmagic.core.losses.panel import LossPanel

MOST_ENTRIES = 12  # of one source that are drawn
MOST_SOURCES = 12


def render_sources(panel: LossPanel) -> Html:
    """Both gradients of each source, side by side on one scale, with their norms."""
    tables = panel.hand.tables
    words = _("Sample {sample} as the data have it: the gradients of its own two losses.")
    left = len(panel.hand.sources) - MOST_SOURCES
    more = _("{count} more sources are not drawn.").format(count=left) if left > 0 else None
    return join(
        tag("p", words.format(sample=tables.setting.sample), class_="gm-cap"),
        *(_render_source(source) for source in panel.hand.sources[:MOST_SOURCES]),
        tag("p", more, class_="gm-s") if more else None,
    )


def _render_source(source: LossSource) -> Html:
    ce, mse = (
        np.asarray(g.numpy(), np.float64)
        for g in (source.crossentropy_gradient, source.mse_gradient)
    )
    norms = float(np.linalg.norm(ce)), float(np.linalg.norm(mse))
    times = say_times(norms[0] / norms[1]) if norms[1] else ""
    order = np.argsort(-np.abs(ce).reshape(-1), kind="stable")[:MOST_ENTRIES]
    order = np.sort(order)
    scale = max(float(np.abs(ce).max(initial=0)), float(np.abs(mse).max(initial=0))) or 1.0
    rows = [
        tag(
            "div",
            tag(
                "span",
                format_index(tuple(map(int, np.unravel_index(i, ce.shape)))) or "·",
                class_="gm-k",
            ),
            *_draw_pair("ce", float(ce.reshape(-1)[i]), scale),
            *_draw_pair("mse", float(mse.reshape(-1)[i]), scale),
            class_="gm-entry",
        )
        for i in (int(j) for j in order)
    ]
    left = ce.size - len(rows)
    note = _("the {shown} largest of {count} entries").format(shown=len(rows), count=f"{ce.size:,}")
    shape = "×".join(map(str, ce.shape)) or _("scalar")
    return tag(
        "div",
        tag(
            "p",
            tag(
                "span",
                tag("code", shorten(source.name, 40)),
                " ",
                tag("span", shape, class_="gm-s"),
                class_="gm-source-name",
            ),
            tag("span", format_entry(norms[0]), class_="gm-v gm-ce"),
            tag("span", _("{times} times").format(times=times) if times else "", class_="gm-s"),
            tag("span", format_entry(norms[1]), class_="gm-v gm-mse"),
            class_="gm-source-head",
        ),
        *rows,
        tag("p", note, class_="gm-s") if left else None,
        class_="gm-source",
    )


def _draw_pair(loss: str, value: float, scale: float) -> tuple[Html, Html]:
    return (
        tag("div", draw_slope(loss, value / scale), class_="gm-gb"),
        tag("span", format_entry(value), class_=f"gm-v gm-{loss}"),
    )
