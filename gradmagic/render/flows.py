"""The tensors that flow through a graph: what is written beside their lines, and the lines."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.summary import summarize, summarize_briefly
from gradmagic.render import lanes, strips
from gradmagic.render.lettering import escape_text, measure_code, measure_small, shorten_text
from gradmagic.render.numbers import format_column, format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from gradmagic.core.layout.rows import Layout
    from gradmagic.core.records import Edge, Graph, Node, Output, Summary

MOST = 24  # entries of an array that is drawn as cells
MOST_CELLS = 1200  # in a whole graph, so that the picture stays small
USUAL = 1.25  # px, a value's lane
WIDEST = 4.0  # px, the lane of the greatest norm
NAME = 24  # characters of a tensor's name
_BESIDE = 8  # px between a lane and what is written beside it
_HANDLES = ("resource", "variant")  # dtypes without entries to show
_WORDS = 4  # entries of a vector of whole numbers that is written out


@dataclass(frozen=True, eq=False)
class Flow:
    """A tensor that edges carry, and what is shown of it.

    ``edges`` are indices into the graph's edges, ``back`` those along which a gradient flows, and
    ``cut`` those where a path from a source breaks off.
    ``value`` and ``gradient`` are cells on one scale up to ``largest``; ``text`` stands in the
    place of the value's cells. ``norm`` is that of the gradient, summed over all consumers, and
    ``width`` that of its lane in px.
    """

    edges: tuple[int, ...]
    back: tuple[int, ...]
    cut: tuple[int, ...]
    name: str
    text: str
    value: np.ndarray | None
    gradient: np.ndarray | None
    largest: float
    norm: str
    width: float


def collect_flows(graph: Graph) -> list[Flow]:
    """The tensors in the order of their first edges, each with what there is room to show."""
    edges = defaultdict(list)
    for index, edge in enumerate(graph.edges):
        edges[edge.producer, edge.output].append(index)
    nodes = {node.id: node for node in graph.nodes}
    outputs = [_find_output(nodes[producer], place) for producer, place in edges]
    gradients = [_summarize_gradient(output) for output in outputs]
    values = [_summarize_value(output) for output in outputs]
    most = _limit_cells([*values, *gradients])
    norms = _write_norms(gradients)
    peak = max([_known_norm(gradient) for gradient in gradients], default=0.0)
    flows = []
    for i, ((producer, _place), indices) in enumerate(edges.items()):
        targets = [nodes[graph.edges[index].consumer] for index in indices]
        back = tuple(index for index in indices if graph.edges[index].gradient)
        into_target = all(node.kind == "target" for node in targets)
        text = "" if into_target else _write_value(values[i])
        value = None if text else strips.pick_cells(values[i], most)
        gradient = strips.pick_cells(gradients[i], most) if back else None
        flows.append(
            Flow(
                edges=tuple(indices),
                back=back,
                cut=tuple(i for i in indices if graph.edges[i].cut and i not in back),
                name=_choose_name(outputs[i], nodes[producer], targets),
                text=text,
                value=value,
                gradient=gradient,
                largest=strips.find_largest([value, gradient]),
                norm=("\N{GREEK CAPITAL LETTER SIGMA} " if norms[i] and len(back) > 1 else "")
                + norms[i]
                if back
                else "",
                width=max(1.0, WIDEST * _known_norm(gradients[i]) / peak) if peak else 1.0,
            )
        )
    return flows


def measure_label(flow: Flow) -> tuple[float, float, float]:
    """Room in px that a flow's label needs to the left and right of its route, and its height."""
    left = right = 0.0
    if flow.value is not None:
        left += strips.measure_strip(flow.value)[0] + _BESIDE
    elif flow.text:
        left += measure_small(flow.text) + _BESIDE
    if flow.name:
        left += measure_code(shorten_text(flow.name, NAME)) + _BESIDE
    if flow.gradient is not None:
        right += strips.measure_strip(flow.gradient)[0] + _BESIDE
    if flow.norm:
        right += measure_small(flow.norm) + _BESIDE
    aside = lanes.ASIDE if flow.back else 0
    cells = [cells for cells in (flow.value, flow.gradient) if cells is not None]
    height = max([12, *(strips.measure_strip(array)[1] for array in cells)])
    return aside + left, aside + right, height


def draw_label(flow: Flow, x: float, y: float) -> str:
    """The name, the value and the gradient beside the point (x, y) of the route."""
    aside = lanes.ASIDE if flow.back else 0
    left, right = x - aside - _BESIDE, x + aside + _BESIDE
    parts = []
    if flow.value is not None:
        left -= strips.measure_strip(flow.value)[0]
        parts.append(strips.draw_strip(flow.value, left, y, flow.largest))
        left -= _BESIDE
    elif flow.text:
        parts.append(
            f'<text class="gm-q" x="{left:g}" y="{y + 4:g}" text-anchor="end">'
            f"{escape_text(flow.text)}</text>"
        )
        left -= measure_small(flow.text) + _BESIDE
    if flow.name:
        short = shorten_text(flow.name, NAME)
        title = f"<title>{escape_text(flow.name)}</title>" if short != flow.name else ""
        parts.append(
            f'<text class="gm-code" x="{left:.0f}" y="{y + 4:g}" text-anchor="end">'
            f"{title}{escape_text(short)}</text>"
        )
    if flow.gradient is not None:
        parts.append(strips.draw_strip(flow.gradient, right, y, flow.largest))
        right += strips.measure_strip(flow.gradient)[0] + _BESIDE
    if flow.norm:
        parts.append(
            f'<text class="gm-gt" x="{right:g}" y="{y + 4:g}">{escape_text(flow.norm)}</text>'
        )
    return "".join(parts)


def draw_flow(
    flow: Flow,
    layout: Layout,
    label: tuple[float, float] | None,
    anchor: tuple[int, Sequence[Edge]] | None = None,
) -> str:
    """The lanes of all edges of a tensor: values down on the left, gradients up on the right.

    Where several edges bring gradients back, they meet at the label, and from there to the
    producer the lane has the width of their sum. With an ``anchor``, the number of the
    flow and the graph's edges, each says which flow it is of, between which nodes it runs, and at
    which places it runs downwards.
    """
    aside = lanes.ASIDE if flow.back else 0
    meeting = label if len(flow.back) > 1 else None
    parts: list[str] = []
    values: list[list[lanes.Point]] = []
    gradients: list[list[lanes.Point]] = []
    # the longest first: the others then branch off from it
    for index in sorted(flow.edges, key=lambda index: -_measure_depth(layout.routes[index])):
        route = layout.routes[index]
        anchored = "" if anchor is None else _anchor_edge(anchor[0], anchor[1][index], route)
        parts.append(f'<g data-edge="{index}"{anchored}>')
        value = lanes.shift_route(route, aside)
        draw = _draw_broken if index in flow.cut else _draw_arrow
        parts.append(
            draw("v", lanes.leave_shared(value, values), USUAL, 0 if values else lanes.GAP)
        )
        values.append(value)
        if index in flow.back:
            # from producer to consumer as the value's, so that both branch in the same way
            gradient = lanes.shift_route(route, -aside)
            passes = label is not None and lanes.split_route(route, label)[1]
            if meeting and passes:
                parts.append(_draw_branch(gradient, gradients, flow.width, meeting))
                gradients.append(gradient)
            else:
                width = flow.width if len(flow.back) == 1 else 1.0
                parts.append(_draw_arrow("d", gradient[::-1], width))
        parts.append("</g>")
    return "".join(parts)


def _anchor_edge(flow: int, edge: Edge, route: Sequence[lanes.Point]) -> str:
    ends = f'data-from="{edge.producer}" data-to="{edge.consumer}"'
    places = " ".join(f"{x:g}" for x in dict.fromkeys(x for x, _y in route))
    return f' data-flow="{flow}" {ends} data-xs="{places}"'


def _measure_depth(route: Sequence[lanes.Point]) -> float:
    return route[-1][1] * 1e4 + lanes.measure_route(route)


def _draw_branch(
    lane: Sequence[lanes.Point],
    drawn: Sequence[Sequence[lanes.Point]],
    width: float,
    meeting: tuple[float, float],
) -> str:
    """The part of a gradient's lane that ``drawn`` do not cover; the first has the trunk too."""
    branch, trunk = lanes.leave_shared(lane, drawn), ""
    if not drawn:
        upper, branch = lanes.split_route(lane, (meeting[0] + lanes.ASIDE, meeting[1]))
        trunk = _draw_arrow("d", upper[::-1], width, gap=0)
    start = lanes.cut_start(branch[::-1], lanes.GAP)
    return f'{trunk}<path class="gm-d" stroke-width="1" d="{lanes.draw_line(start)}"/>'


def _draw_arrow(
    kind: str, points: Sequence[lanes.Point], width: float, gap: float = lanes.GAP
) -> str:
    """A lane from a gap after the first point to a head just before the last point."""
    ahead = lanes.cut_start(points, gap)
    ahead = lanes.cut_start(ahead[::-1], lanes.GAP)
    tip, before = ahead[0], ahead[1]
    shaft = lanes.cut_start(ahead, lanes.HEAD)[::-1]
    wide = "" if width == USUAL else f' stroke-width="{width:.3g}"'
    return (
        f'<path class="gm-{kind}"{wide} d="{lanes.draw_line(shaft)}"/>'
        f'<path class="gm-{kind}h" d="{lanes.draw_head(tip, before, width)}"/>'
    )


def _draw_broken(kind: str, points: Sequence[lanes.Point], width: float, gap: float) -> str:
    """A lane that breaks off before its head."""
    way = lanes.cut_start(points, gap)[::-1]
    end = lanes.GAP + lanes.HEAD + 3
    here, ahead = (lanes.cut_start(way, end + part * lanes.BREAK)[0] for part in (0.5, 0))
    before = lanes.cut_start(way, end + lanes.BREAK)[::-1]
    after = lanes.cut_start(way[::-1], max(lanes.measure_route(way) - end, 0))
    return (
        f'<path class="gm-{kind}" d="{lanes.draw_line(before)}"/>'
        f"{_draw_arrow(kind, after, width, 0)}{draw_break(here, ahead)}"
    )


def draw_break(here: lanes.Point, ahead: lanes.Point) -> str:
    """The sign for a path that breaks off, across a lane that runs towards ``ahead``."""
    strokes = lanes.draw_strokes(here, ahead)
    return f'<path class="gm-edge" d="{strokes}"/><path class="gm-cut" d="{strokes}"/>'


def _find_output(node: Node, place: int) -> Output | None:
    return node.outputs[place] if place < len(node.outputs) else None


def _summarize_gradient(output: Output | None) -> Summary | None:
    return None if output is None or output.gradient is None else summarize_briefly(output.gradient)


def _summarize_value(output: Output | None) -> Summary | None:
    """A summary of the value where it may be shown, which large ones are not."""
    if output is None or output.value is None or output.dtype in _HANDLES:
        return None
    size = 1
    for side in output.shape:
        size *= MOST + 1 if side is None else side
    return summarize(output.value) if size <= MOST else None


def _limit_cells(summaries: Sequence[Summary | None]) -> int:
    """How many cells one array may have, so that the whole picture keeps to MOST_CELLS."""
    sizes = [summary.size for summary in summaries if summary is not None]
    for most in (MOST, MOST // 2, MOST // 4, 3):
        if sum(size for size in sizes if size <= most) <= MOST_CELLS:
            return most
    return 0


def _known_norm(summary: Summary | None) -> float:
    return 0.0 if summary is None or summary.norm is None else summary.norm


def _write_norms(gradients: Sequence[Summary | None]) -> list[str]:
    """The norms, with equally many decimals where that can be; NaN and inf as such."""
    finite = iter(
        format_column([g.norm for g in gradients if g is not None and _is_finite(g) and g.norm])
    )
    written = []
    for gradient in gradients:
        if gradient is None:
            written.append("")
        elif not _is_finite(gradient):
            written.append("NaN" if gradient.nans else "inf")
        else:
            written.append(next(finite) if gradient.norm else "0")
    return written


def _is_finite(summary: Summary) -> bool:
    return not summary.nans and not summary.infs


def _write_value(summary: Summary | None) -> str:
    """A scalar, or a short vector of whole numbers, in words; else nothing."""
    if summary is None or summary.layout != "dense" or summary.values is None:
        return ""
    values = summary.values
    kind = values.dtype.kind
    if values.ndim == 0 and kind in "biufc":
        entry = values.item()
        return str(entry) if kind in "biu" else format_number(entry)
    if values.ndim == 1 and 0 < values.size <= _WORDS and kind in "iu":
        return f"[{', '.join(map(str, values.tolist()))}]"
    return ""


def _choose_name(output: Output | None, producer: Node, consumers: Sequence[Node]) -> str:
    """The tensor's Python name, unless a label next to it says the same."""
    if output is None or not output.name:
        return ""
    told = {producer.label, producer.source}
    told |= {node.label.split(" = ")[0] for node in consumers if node.kind in ("target", "port")}
    return "" if output.name in told else output.name
