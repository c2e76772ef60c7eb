"""Pictures that matplotlib draws, as small SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET

from gradmagic.core.i18n import _
from gradmagic.render.axes import keep_shapes, write_tick
from gradmagic.render.markup import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gradmagic.core.records import Histogram
    from gradmagic.render.axes import Frame

DECADES = 30.0  # times from end to end, for powers of ten at a logarithmic axis
WIDTH, HEIGHT, GAP = 196, 64, 48  # pixels: of a panel, and between two panels
POINT = 0.75  # points in a CSS pixel
SHARP = 2.0  # pixels of a PNG in a CSS pixel, at most
MOST_PIXELS = 40_000_000  # of a PNG, which are 160 MB while it is drawn
LONGEST_SIDE = 32_000  # pixels of a PNG
# Those who come with matplotlib, as wide as the drawing assumes; then those who have Chinese.
CODE_FONT, TEXT_FONT = "DejaVu Sans Mono", "DejaVu Sans"
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC",
    "PingFang HK", "Hiragino Sans GB", "Heiti TC", "Microsoft YaHei", "SimHei",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
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


def draw_axes(
    frame: Frame,
    draw: Callable[[Any], None],
    words: str,
    *,
    labels: tuple[str, str] = ("", ""),
    whole: bool = False,
) -> str:
    """A plot with axes as small SVG; what ``draw`` adds takes its colour from the style sheet.

    Parameters
    ----------
    frame
        The axes' room and range.
    draw
        Adds artists to matplotlib's axes. Those with a gid are kept: it becomes their class. A
        filled contour keeps its colours as classes too: ``#000003`` becomes ``gm-tone-3``.
    words
        What the picture shows, for those who do not see it.
    labels
        What is written at the axes.
    whole
        Whether the numbers along the horizontal axis are whole ones.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    width, height = frame.size
    drawn = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gradmagic"}):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, frameon=False)
        canvas = FigureCanvasSVG(figure)
        place = (
            frame.left / width,
            frame.below / height,
            frame.width / width,
            frame.height / height,
        )
        axes = figure.add_axes(place)
        axes.set_facecolor("none")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0, labelsize=11, pad=6)
        if frame.logarithmic:
            axes.set_yscale("log")
            wide = frame.y[1] > DECADES * frame.y[0]
            axes.yaxis.set_major_locator(LogLocator(numticks=5) if wide else MaxNLocator(4))
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
        written = FuncFormatter(lambda value, _place: write_tick(value))
        axes.xaxis.set_major_formatter(written)
        axes.yaxis.set_major_formatter(written)
        axes.set_xlim(*frame.x)
        axes.set_ylim(*frame.y)
        axes.yaxis.grid(visible=True)
        for line in axes.get_ygridlines():
            line.set_gid("gm-grid")
        draw(axes)
        axes.set_xlim(*frame.x)
        axes.set_ylim(*frame.y)
        axes.set_xlabel(labels[0], fontsize=11, labelpad=4, parse_math=False)
        axes.set_ylabel(labels[1], fontsize=11, labelpad=4, parse_math=False)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            # the browser draws the letters, with a font that has them
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            canvas.print_svg(drawn, metadata=nothing)
    return keep_shapes(drawn.getvalue(), frame, words)


def print_drawing(svg: str, suffix: Literal[".png", ".pdf"]) -> bytes:
    """A drawing as the bytes of a PNG or PDF file, light.

    Parameters
    ----------
    svg
        What :func:`gradmagic.render.standalone.make_standalone` made: rectangles, paths, texts and
        groups whose style stands in their attributes. A PNG has two pixels for each of its own,
        fewer where it would become too large; a PDF has its size and real text.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    root = ET.fromstring(svg)  # noqa: S314  (our own)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    sharp = min(
        SHARP, (MOST_PIXELS / width / height) ** 0.5, LONGEST_SIDE / width, LONGEST_SIDE / height
    )
    with mpl.rc_context({"lines.scale_dashes": False, "pdf.fonttype": 3}):
        size = (width * POINT / 72, height * POINT / 72)
        figure = Figure(figsize=size, dpi=72 * sharp / POINT, frameon=False)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)  # y points down
        for order, (shape, style, corner) in enumerate(_walk(root, {}, (0.0, 0.0))):
            artist = _make_artist(shape, style, corner, (width, height))
            if artist is not None:
                artist.set(zorder=order, clip_on=False)
                axes.add_artist(artist)
        drawn = io.BytesIO()
        if suffix == ".png":
            FigureCanvasAgg(figure).print_png(drawn, metadata={"Software": None})
        else:
            title = root.get("aria-label") or _("Computation graph")
            known = {"Title": title, "Creator": None, "Producer": None, "CreationDate": None}
            FigureCanvasPdf(figure).print_pdf(drawn, metadata=known)
    return drawn.getvalue()


def _walk(
    element: ET.Element, above: Mapping[str, str], corner: tuple[float, float]
) -> Iterator[tuple[ET.Element, dict[str, str], tuple[float, float]]]:
    """The shapes in the order in which they are painted, with all their style, and their origin."""
    for one in element:
        style = {**above, **one.attrib}
        moved = re.match(r"translate\(([-\d.]+)[ ,]([-\d.]+)\)", one.get("transform", ""))
        x, y = map(float, moved.groups()) if moved else (0.0, 0.0)
        here = (corner[0] + x, corner[1] + y)
        if one.tag.endswith("}g"):
            yield from _walk(one, style, here)
        else:
            yield one, style, here


def _make_artist(
    shape: ET.Element,
    style: Mapping[str, str],
    corner: tuple[float, float],
    room: tuple[float, float],
) -> Any:
    """The shape as matplotlib's; None where it is no shape."""
    from matplotlib.patches import PathPatch

    kind = shape.tag.rpartition("}")[2]
    if kind == "text":
        return _make_text(shape, style, corner)
    if kind == "rect":
        return PathPatch(_read_path(_outline_box(style, room), corner), **_read_pen(style))
    return PathPatch(_read_path(style["d"], corner), **_read_pen(style)) if kind == "path" else None


def _outline_box(style: Mapping[str, str], room: tuple[float, float]) -> str:
    """A rectangle as path data."""
    sides = [style.get(side, "0") for side in ("width", "height")]
    width, height = (
        float(side.rstrip("%")) * (whole / 100 if side.endswith("%") else 1)
        for side, whole in zip(sides, room, strict=True)
    )
    x, y = float(style.get("x", 0)), float(style.get("y", 0))
    r = min(float(style.get("rx", 0)), width / 2, height / 2)
    if not r:
        return f"M{x} {y}h{width}v{height}h{-width}z"
    corners = [f"a{r} {r} 0 0 1 {across} {down}" for across, down in ((r, r), (-r, r), (-r, -r))]
    straight = [f"v{height - 2 * r}", f"h{2 * r - width}", f"v{2 * r - height}"]
    around = "".join(map("".join, zip(corners, straight, strict=True)))
    return f"M{x + r} {y}h{width - 2 * r}{around}a{r} {r} 0 0 1 {r} {-r}z"


def _make_text(shape: ET.Element, style: Mapping[str, str], corner: tuple[float, float]) -> Any:
    from matplotlib.text import Text

    own = "".join(part for part in [shape.text, *(child.tail for child in shape)] if part)
    mono = "mono" in style.get("font-family", "")
    return Text(
        float(style["x"]) + corner[0],
        float(style["y"]) + corner[1],
        own,
        color=style["fill"],
        family=[CODE_FONT if mono else TEXT_FONT, *_find_chinese_fonts()],
        size=float(style["font-size"].removesuffix("px")) * POINT,
        weight="bold" if style.get("font-weight") == "600" else "normal",
        ha={"middle": "center", "end": "right"}.get(style.get("text-anchor", ""), "left"),
        va="baseline",
        parse_math=False,  # a dollar is a dollar
    )


def _read_pen(style: Mapping[str, str]) -> dict[str, Any]:
    """How a shape is filled and outlined."""
    pen = {
        "facecolor": style.get("fill", "#000"),
        "edgecolor": style.get("stroke", "none"),
        "linewidth": float(style.get("stroke-width", "1").removesuffix("px")) * POINT,
        "capstyle": style.get("stroke-linecap", "butt"),
        "joinstyle": style.get("stroke-linejoin", "miter"),
    }
    dashes = re.findall(r"[\d.]+", style.get("stroke-dasharray", ""))
    if dashes:
        pen["linestyle"] = (0, [float(dash) * POINT for dash in dashes])
    return pen


def _read_path(data: str, corner: tuple[float, float]) -> Any:
    """Path data as matplotlib's path."""
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path
    from matplotlib.path import Path

    steps = {
        "moveTo": [Path.MOVETO],
        "lineTo": [Path.LINETO],
        "qCurveTo": [Path.CURVE3] * 2,
        "curveTo": [Path.CURVE4] * 3,
    }
    pen = RecordingPen()
    parse_path(data, pen)
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for step, given in pen.value:
        if step == "closePath":
            points.append((0.0, 0.0))
            codes.append(Path.CLOSEPOLY)
        elif step in steps:
            points += [(x + corner[0], y + corner[1]) for x, y in given]
            codes += steps[step]
    return Path(points, codes)


@cache
def _find_chinese_fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in CHINESE_FONTS if name in installed]
