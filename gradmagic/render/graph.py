"""A graph as an SVG picture, its key, and its text form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gradmagic.core.i18n import _, _n, join_sentences
from gradmagic.core.layout.rows import lay_out
from gradmagic.render.diagnoses import SEVERITIES, find_places, find_severity
from gradmagic.render.flows import (
    collect_flows,
    draw_break,
    draw_flow,
    draw_label,
    measure_label,
)
from gradmagic.render.lettering import escape_text, shorten_text
from gradmagic.render.listing import describe_graph, drop_loose_edges, write_label
from gradmagic.render.marks import render_mark
from gradmagic.render.nodes import CLASSES, OPS, STEP, draw_node, measure_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.layout.rows import Layout
    from gradmagic.core.records import Diagnosis, Graph, Group
    from gradmagic.render.flows import Flow

__all__ = ["describe_graph", "draw_graph", "draw_key"]

WIDEST_FAN = 480  # px of a node with several outputs at most, but for its text
NAMED = 8  # names in the picture's description

_KEY_SHAPES: Final = {
    "input": '<rect x=".5" y=".5" width="23" height="13"/>',
    "source": '<rect x="1" y="1" width="22" height="12"/>',
    "op": '<rect x=".5" y=".5" width="23" height="13" rx="6.5"/>',
    "group": '<rect x=".5" y=".5" width="23" height="13" rx="6.5"/>'
    '<rect x="3" y="3" width="18" height="8" rx="4"/>',
    "target": '<rect width="24" height="14"/>',
    "port": '<rect x=".5" y="1.5" width="23" height="11" rx="5.5"/>',
}


@dataclass(frozen=True, eq=False)
class Plan:
    """A graph and where all of it will be drawn.

    ``flows`` are its tensors; ``sizes`` width and height of each node by its id; ``groups`` those
    to which nodes can be opened, likewise.
    """

    graph: Graph
    flows: Sequence[Flow]
    sizes: Mapping[int, tuple[float, float]]
    groups: Mapping[int, Group]
    layout: Layout


def plan_graph(graph: Graph, groups: Mapping[int, Group] | None = None) -> Plan:
    """Find a place for each node, label and line of a graph.

    Parameters
    ----------
    graph
        What to draw: every node of it.
    groups
        Those to which nodes can be opened, by the nodes' ids.

    Raises
    ------
    LayoutError
        If pygraphviz is missing or fails.
    """
    graph = drop_loose_edges(graph)
    flows = collect_flows(graph)
    labels = {place: measure_label(flow) for place, flow in enumerate(flows)}
    groups = groups or {}
    sizes = {node.id: measure_node(node, groups.get(node.id)) for node in graph.nodes}
    for producer, room in _measure_fans(graph, flows, labels).items():
        width, height = sizes[producer]
        sizes[producer] = (max(width, room), height)
    layout = lay_out(
        sizes,
        [(edge.producer, edge.consumer) for edge in graph.edges],
        trunks=_number_trunks(graph),
        labels=labels,
    )
    return Plan(graph, flows, sizes, groups, layout)


def draw_graph(
    graph: Graph,
    *,
    title: str | None = None,
    marks: Mapping[int, str] | None = None,
    diagnoses: Sequence[Diagnosis] = (),
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
    diagnoses
        What is known of some ops: these get its sign, and its title as their tooltip.

    Raises
    ------
    LayoutError
        If pygraphviz is missing or fails.
    """
    return draw_plan(plan_graph(graph), title=title, marks=marks, diagnoses=diagnoses)


def draw_plan(
    plan: Plan,
    *,
    title: str | None = None,
    marks: Mapping[int, str] | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    live: bool = False,
) -> str:
    """Draw what :func:`plan_graph` placed; parameters as for :func:`draw_graph`.

    ``live``: nodes, lines and labels carry what a script needs to move them, and groups the sign
    that opens them.
    """
    graph, layout = plan.graph, plan.layout
    lines = [
        draw_flow(flow, layout, layout.labels.get(i), (i, graph.edges) if live else None)
        for i, flow in enumerate(plan.flows)
    ]
    written = [
        _anchor(label, i, layout.labels[i], measure_label(plan.flows[i])) if live else label
        for i, label in draw_labels(plan).items()
    ]
    nodes = draw_nodes(plan, marks=marks, diagnoses=diagnoses, live=live)
    return (
        f'<svg class="gm-graph" role="img" aria-label="{escape_text(_describe(graph, title))}"'
        f' width="{layout.width:g}" height="{layout.height:g}">'
        f'<g class="gm-lanes">{"".join(lines)}</g>{"".join(written)}{"".join(nodes)}</svg>'
    )


def draw_nodes(
    plan: Plan,
    *,
    marks: Mapping[int, str] | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    live: bool = False,
) -> list[str]:
    """SVG of each node in turn; parameters as for :func:`draw_plan`."""
    marks, places = marks or {}, find_places(plan.graph, diagnoses)
    return [
        draw_node(
            node,
            plan.layout.places[node.id],
            plan.sizes[node.id],
            mark=marks.get(node.id, ""),
            diagnoses=places.get(node.id, []),
            group=plan.groups.get(node.id),
            live=live,
        )
        for node in plan.graph.nodes
    ]


def draw_labels(plan: Plan) -> dict[int, str]:
    """SVG of what stands beside each line, by the place of its flow."""
    return {i: draw_label(plan.flows[i], *place) for i, place in plan.layout.labels.items()}


def _anchor(
    label: str, flow: int, place: tuple[float, float], room: tuple[float, float, float]
) -> str:
    """A label with the place on its line, and the px that it takes to both sides of it."""
    at = f"{place[0]:g} {place[1]:g} {room[0]:.0f} {room[1]:.0f}"
    return f'<g class="gm-label" data-flow="{flow}" data-at="{at}">{label}</g>'


def draw_key(graph: Graph, diagnoses: Sequence[Diagnosis] = ()) -> str:
    """The line above a graph that names the shapes and lines which occur in it, as HTML."""
    roles = {node.kind for node in graph.nodes}
    words = {
        "input": _("input"),
        "source": _("source"),
        "op": _("op"),
        "group": _("several ops"),
        "target": _("target"),
        "port": _("enters or leaves here"),
    }
    parts = [
        f'<span><svg width="24" height="14" aria-hidden="true"><g class="{CLASSES[role]}">'
        f"{_KEY_SHAPES[role]}</g></svg>{escape_text(word)}</span>"
        for role, word in words.items()
        if role in roles
    ]
    if any(node.traced for node in graph.nodes):
        traced = escape_text(_("traced: values not known"))
        parts.append(
            '<span><svg width="24" height="14" aria-hidden="true"><g class="gm-op gm-traced">'
            f"{_KEY_SHAPES['op']}</g></svg>{traced}</span>"
        )
    if graph.edges:
        down = escape_text(_("values flow down"))
        parts.append(
            '<span><svg width="8" height="18" aria-hidden="true"><path class="gm-v"'
            ' stroke-width="1.25" d="M4 0v12"/><path class="gm-vh" d="M4 18l-3.2-6h6.4z"/></svg>'
            f"{down}</span>"
        )
    if any(edge.gradient for edge in graph.edges):
        up = escape_text(_("gradients flow up; label and line width give the norm"))
        parts.append(
            '<span class="gm-g"><svg width="10" height="18" aria-hidden="true">'
            '<path class="gm-d" stroke-width="2.4" d="M5 18v-12"/>'
            '<path class="gm-dh" d="M5 0l-3.5 6h7z"/></svg>'
            f"{up}</span>"
        )
    if any(edge.cut and not edge.gradient for edge in graph.edges):
        broken = escape_text(_("the path to a source breaks off: no gradient"))
        parts.append(
            '<span><svg width="16" height="18" aria-hidden="true"><path class="gm-v"'
            ' stroke-width="1.25" d="M8 0v4.5M8 13.5v4.5"/>'
            f"{draw_break((8, 9), (8, 18))}</svg>"
            f"{broken}</span>"
        )
    severities = {
        find_severity(one.kind) for found in find_places(graph, diagnoses).values() for one in found
    }
    if severities:
        explained = escape_text(_("explained at the top"))
        signs = "".join(render_mark(one) for one in SEVERITIES if one in severities)
        parts.append(f"<span>{signs}{explained}</span>")
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


def _describe(graph: Graph, title: str | None) -> str:
    """The picture in a few sentences, for who can't see it."""
    count = sum(node.count for node in graph.nodes if node.kind in OPS)
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
    labels = {node.id: shorten_text(node.label) for node in graph.nodes}
    for edge in [edge for edge in graph.edges if edge.cut and not edge.gradient][:NAMED]:
        ends = {"start": labels[edge.producer], "end": labels[edge.consumer]}
        sentences.append(_("No gradient comes back from {end} to {start}.").format(**ends))
    described = join_sentences(sentences)
    return _("{title}: {text}").format(title=title, text=described) if title else described
