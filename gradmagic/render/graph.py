"""A graph as an SVG picture, its key, and its text form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gradmagic.core.i18n import _, _n
from gradmagic.core.layout import lay_out
from gradmagic.render.flows import collect_flows, draw_flow, draw_label, measure_label
from gradmagic.render.lettering import (
    clean_text,
    escape_text,
    measure_code,
    measure_small,
    shorten_text,
)
from gradmagic.render.listing import (
    describe_graph,
    drop_loose_edges,
    write_label,
    write_shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.records import Graph, Node
    from gradmagic.render.flows import Flow

__all__ = ["describe_graph", "draw_graph", "draw_key"]

HEIGHT = 44  # px of a node
_OPS: Final = ("op", "group")
STEP = 24  # widths are multiples of it, so that the nodes of a chain end alike
WIDEST_FAN = 480  # px of a node with several outputs at most, but for its text
NAMED = 8  # names in the picture's description

_CLASSES: Final = {
    "input": "gm-input",
    "source": "gm-source",
    "op": "gm-op",
    "group": "gm-op gm-group",
    "target": "gm-target",
}
_KEY_SHAPES: Final = {
    "input": '<rect x=".5" y=".5" width="23" height="13"/>',
    "source": '<rect x="1" y="1" width="22" height="12"/>',
    "op": '<rect x=".5" y=".5" width="23" height="13" rx="6.5"/>',
    "group": '<rect x=".5" y=".5" width="23" height="13" rx="6.5"/>'
    '<rect x="3" y="3" width="18" height="8" rx="4"/>',
    "target": '<rect width="24" height="14"/>',
}


def draw_graph(
    graph: Graph, *, title: str | None = None, marks: Mapping[int, str] | None = None
) -> str:
    """Draw a graph as one inline ``<svg>``: values flow down, gradients up.

    Parameters
    ----------
    graph
        What to draw: every node of it. Its CSS is ``graph.css``.
    title
        What the picture shows, said first to who can't see it.
    marks
        A number or letter for some nodes' ids, written at their upper right corners, to which a
        text beside the picture can point.

    Raises
    ------
    LayoutError
        If pygraphviz is missing or fails.
    """
    marks = marks or {}
    graph = drop_loose_edges(graph)
    flows = collect_flows(graph)
    labels = {place: measure_label(flow) for place, flow in enumerate(flows)}
    sizes = {node.id: (_measure_node(node), HEIGHT) for node in graph.nodes}
    for producer, room in _measure_fans(graph, flows, labels).items():
        sizes[producer] = (max(sizes[producer][0], room), HEIGHT)
    layout = lay_out(
        sizes,
        [(edge.producer, edge.consumer) for edge in graph.edges],
        trunks=_number_trunks(graph),
        labels=labels,
    )
    lines = [draw_flow(flow, layout, layout.labels.get(i)) for i, flow in enumerate(flows)]
    written = [draw_label(flows[i], *place) for i, place in layout.labels.items()]
    nodes = [
        _draw_node(node, layout.places[node.id], sizes[node.id][0], marks.get(node.id, ""))
        for node in graph.nodes
    ]
    return (
        f'<svg class="gm-graph" role="img" aria-label="{escape_text(_describe(graph, title))}"'
        f' width="{layout.width:g}" height="{layout.height:g}">'
        f'<g class="gm-lanes">{"".join(lines)}</g>{"".join(written)}{"".join(nodes)}</svg>'
    )


def draw_key(graph: Graph) -> str:
    """The line above a graph that names the shapes and lines which occur in it, as HTML."""
    roles = {node.kind for node in graph.nodes}
    words = {
        "input": _("input"),
        "source": _("source"),
        "op": _("op"),
        "group": _("ops of one line"),
        "target": _("target"),
    }
    parts = [
        f'<span><svg width="24" height="14" aria-hidden="true"><g class="{_CLASSES[role]}">'
        f"{_KEY_SHAPES[role]}</g></svg>{escape_text(word)}</span>"
        for role, word in words.items()
        if role in roles
    ]
    if graph.edges:
        parts.append(
            '<span><svg width="8" height="18" aria-hidden="true"><path class="gm-v"'
            ' stroke-width="1.25" d="M4 0v12"/><path class="gm-vh" d="M4 18l-3.2-6h6.4z"/></svg>'
            f"{escape_text(_('values flow down'))}</span>"
        )
    if any(edge.gradient for edge in graph.edges):
        parts.append(
            '<span class="gm-g"><svg width="10" height="18" aria-hidden="true">'
            '<path class="gm-d" stroke-width="2.4" d="M5 18v-12"/>'
            '<path class="gm-dh" d="M5 0l-3.5 6h7z"/></svg>'
            f"{escape_text(_('gradients flow up; label and line width give the norm'))}</span>"
        )
    return f'<div class="gm-key">{"".join(parts)}</div>'


def _number_trunks(graph: Graph) -> list[int]:
    """For each edge the number of its tensor, in the order of :func:`collect_flows`."""
    numbers: dict[tuple[int, int], int] = {}
    return [numbers.setdefault((edge.producer, edge.output), len(numbers)) for edge in graph.edges]


def _measure_fans(
    graph: Graph, flows: Sequence[Flow], labels: Mapping[int, tuple[float, float, float]]
) -> dict[int, float]:
    """Width of each node with several outputs at which their lines run straight down."""
    rooms: dict[int, list[float]] = {}
    for place, flow in enumerate(flows):
        left, right, _height = labels[place]
        rooms.setdefault(graph.edges[flow.edges[0]].producer, []).append(2 * max(left, right))
    return {
        node: STEP * round(min(sum(room) + STEP * len(room), WIDEST_FAN) / STEP)
        for node, room in rooms.items()
        if len(room) > 1
    }


def _measure_node(node: Node) -> float:
    """Width in px of a node with its two lines of text."""
    round_ends = 44 if node.kind in _OPS else 24
    text = max(measure_code(write_label(node)), measure_small(_write_role(node)))
    width = STEP * -(-(text + round_ends) // STEP)
    return max(width, 96.0)


def _draw_node(node: Node, place: tuple[float, float], width: float, mark: str) -> str:
    x, y = place
    left, top = x - width / 2, y - HEIGHT / 2
    label, role = write_label(node), _write_role(node)
    whole = clean_text(node.label)
    title = f"<title>{escape_text(whole)}</title>" if whole not in label else ""
    kind = _CLASSES[node.kind]
    if node.kind in _OPS and node.source is not None:
        kind += " gm-source"
    # borders lie inside the node's box, on whole pixels
    border = 1.0 if "gm-source" in kind else 0.0 if node.kind == "target" else 0.5
    box = _draw_box(left, top, width, border, round_ends=node.kind in _OPS)
    if node.kind == "group":
        box += _draw_box(left, top, width, border + 3, round_ends=True)
    number = (
        f'<text class="gm-gt gm-b" x="{x + width / 2 + 4:g}" y="{top + 9:g}">'
        f"{escape_text(mark)}</text>"
        if mark
        else ""
    )
    return (
        f'<g class="{kind}" data-node="{node.id}">{title}{box}'
        f'<text class="gm-code gm-b" x="{x:g}" y="{top + 20:g}">{escape_text(label)}</text>'
        f'<text x="{x:g}" y="{top + 36:g}">{escape_text(role)}</text>{number}</g>'
    )


def _draw_box(left: float, top: float, width: float, inset: float, *, round_ends: bool) -> str:
    height = HEIGHT - 2 * inset
    corners = f' rx="{height / 2:g}"' if round_ends else ""
    return (
        f'<rect x="{left + inset:g}" y="{top + inset:g}" width="{width - 2 * inset:g}"'
        f' height="{height:g}"{corners}/>'
    )


def _write_role(node: Node) -> str:
    """The second line: what it is, its first output's shape, its line."""
    role = {
        "input": _("input"),
        "source": _("source"),
        "target": _("target"),
        "group": _n("{count} op", "{count} ops", node.count).format(count=node.count),
        "op": shorten_text(node.op or ""),
    }[node.kind]
    if node.kind in _OPS and node.source is not None:
        role = _("source, {op}").format(op=role)
    shape = write_shape(node.outputs[0]) if node.outputs else ""
    if node.line is None or node.kind not in _OPS:
        return _("{role}, {shape}").format(role=role, shape=shape) if shape else role
    if not shape:
        return _("{role}, line {line}").format(role=role, line=node.line)
    return _("{role}, {shape}, line {line}").format(role=role, shape=shape, line=node.line)


def _describe(graph: Graph, title: str | None) -> str:
    """The picture in a few sentences, for who can't see it."""
    count = sum(node.count for node in graph.nodes if node.kind in _OPS)
    sentence = _n("Computation graph of {count} op.", "Computation graph of {count} ops.", count)
    sentences = [sentence.format(count=count)]
    sources = [node.source or node.label for node in graph.nodes if node.source is not None
               or node.kind == "source"]  # fmt: skip
    inputs = [node.label for node in graph.nodes if node.kind == "input"]
    targets = [write_label(node) for node in graph.nodes if node.kind == "target"]
    for names, sentence in (
        (sources, _("Sources: {names}.")),
        (inputs, _("Inputs: {names}.")),
        (targets, _("Target: {names}.")),
    ):
        if names:
            shown = [shorten_text(name) for name in names[:NAMED]]
            more = ["\N{HORIZONTAL ELLIPSIS}"] if len(names) > NAMED else []
            sentences.append(sentence.format(names=", ".join(shown + more)))
    described = " ".join(sentences)
    return _("{title}: {text}").format(title=title, text=described) if title else described
