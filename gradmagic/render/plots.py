"""Pictures that matplotlib draws, as small SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from gradmagic.render.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Histogram

WIDTH, HEIGHT, GAP = 196, 64, 48  # pixels: of a panel, and between two panels
INKS = {"#111111": "var(--gm-ink2)", "#222222": "var(--gm-grad)"}  # drawn: shown


def draw_histograms(panels: Sequence[Histogram], words: str) -> str:
    """Value and gradient of one source as two histograms side by side, in one SVG.

    Parameters
    ----------
    panels
        One or two histograms; the first is drawn in neutral ink, the second in that of gradients.
    words
        What the picture shows, for those who do not see it.

    Returns
    -------
    str
        An ``<svg>`` of ``WIDTH`` pixels a panel: no script, ids or fonts; colours as CSS variables.
    """
    import matplotlib as mpl  # 0.7 s the first time
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    width = len(panels) * (WIDTH + GAP) - GAP
    drawn = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gradmagic"}):
        figure = Figure(figsize=(width / 72, HEIGHT / 72), dpi=72, frameon=False)
        canvas = FigureCanvasSVG(figure)
        # One plot, measured in pixels, holds all panels: making a second takes longer than drawing.
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(0, 1)
        for place, (histogram, ink) in enumerate(zip(panels, INKS, strict=False)):
            low, high = histogram.edges[0], histogram.edges[-1]
            edges = place * (WIDTH + GAP) + WIDTH * ((histogram.edges - low) / (high - low))
            heights = histogram.counts / histogram.counts.max()
            axes.stairs(heights, edges, fill=True, color=ink, linewidth=0, clip_on=False)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.print_svg(drawn, metadata=nothing)
    return _strip_svg(drawn.getvalue(), width, words)


def _strip_svg(drawn: str, width: int, words: str) -> str:
    """Keep the shapes of matplotlib's SVG: a tenth of a pixel, and the page's colours."""
    shapes = []
    for data, style in re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', drawn):
        ink = next((shown for drawn_in, shown in INKS.items() if drawn_in in style), None)
        if ink:
            shapes.append(f'<path style="fill:{ink}" d="{_shorten_path(data)}"/>')
    return (
        f'<svg width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="{escape(words)}">{"".join(shapes)}</svg>'
    )


def _shorten_path(data: str) -> str:
    """Steps need only horizontal and vertical lines: ``M0 64V20.9H4.1V29.3``."""
    short, before = "", ("", "")
    for command, *place in re.findall(r"([MLz])\s*(?:([-\d.e]+) ([-\d.e]+))?", data):
        if command == "z":
            short += "z"
            continue
        x, y = (f"{float(number):.1f}".removesuffix(".0") for number in place)
        if command == "M":
            short += f"M{x} {y}"
        elif (x, y) != before:
            short += f"V{y}" if x == before[0] else f"H{x}" if y == before[1] else f"L{x} {y}"
        before = (x, y)
    return short
