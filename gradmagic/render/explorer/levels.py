"""The levels of a graph as drawings: the outermost, and what is inside each group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from gradmagic.render.flows import collect_flows
from gradmagic.render.graph import Plan, draw_labels, draw_nodes, draw_plan, plan_graph
from gradmagic.render.nodes import measure_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.records import Graph, Group, Node
    from gradmagic.render.explorer.reading import Reading
    from gradmagic.render.flows import Flow

LABELLED = 250_000  # bytes of a repeat's iterations that are written ahead
NUMBERED = 5_000  # nodes of its other iterations that are listed
DRAWN = 4  # drawings of iterations that later ones may look like


class Drawing(TypedDict):
    """A level as SVG, and its size in px."""

    svg: str
    width: float
    height: float


class Turn(TypedDict, total=False):
    """One iteration of a repeat.

    In the drawing of the first one, or of the one that ``like`` numbers: ``labels`` are what stands
    beside the lines, by flow; ``nodes`` the nodes' ids; ``changed`` the nodes in which something
    else is written, by their place among them. One that looks otherwise has a ``level`` of its own.
    """

    like: int
    labels: dict[str, str]
    nodes: list[int]
    changed: dict[str, str]
    level: Drawing


class Iterations(TypedDict):
    """How often a repeat runs; of the first times all that is drawn, of others the nodes inside."""

    count: int
    turns: list[Turn]


def draw_level(reading: Reading, group: int | None) -> Drawing:
    """Draw the inside of a group, or the outermost level for None.

    Raises
    ------
    LayoutError
        If pygraphviz is missing or fails.
    """
    return _draw(reading, _plan(reading, reading.levels.make(group)))


def draw_iterations(reading: Reading, group: int, room: int | None = None) -> Iterations:
    """The iterations of a repeat, as many in full as fit into ``room`` bytes."""
    iterations = reading.whole.groups[group].iterations
    drawn = {0: _plan(reading, reading.levels.make(group))}  # where the first ones look otherwise
    turns: list[Turn] = []
    left = LABELLED if room is None else room
    while left > 0 and len(turns) < len(iterations):
        level = reading.levels.make(group, len(turns))
        turn = _draw_turn(reading, level, drawn)
        if "level" in turn and len(drawn) < DRAWN:
            drawn[len(turns)] = _plan(reading, level)
        left -= _measure(turn)
        turns.append(turn)
    listed = 0
    for iteration in iterations[len(turns) :]:
        nodes = [node for node in iteration if node in reading.nodes]
        listed += len(nodes)
        if listed > NUMBERED:
            break
        turns.append(Turn(nodes=nodes))
    return Iterations(count=len(iterations), turns=turns)


def draw_iteration(reading: Reading, group: int, at: int) -> Turn:
    """One iteration of a repeat, counted from 0."""
    first = _plan(reading, reading.levels.make(group))
    return _draw_turn(reading, reading.levels.make(group, at), {0: first})


def _draw(reading: Reading, plan: Plan) -> Drawing:
    svg = draw_plan(plan, diagnoses=reading.run.diagnoses, live=True)
    return Drawing(svg=svg, width=plan.layout.width, height=plan.layout.height)


def _plan(reading: Reading, level: Graph) -> Plan:
    return plan_graph(level, _find_groups(reading, level))


def _find_groups(reading: Reading, level: Graph) -> dict[int, Group]:
    first = reading.levels.first_group
    return {
        node.id: reading.whole.groups[node.id - first]
        for node in level.nodes
        if node.kind == "group"
    }


def _draw_turn(reading: Reading, level: Graph, drawn: Mapping[int, Plan]) -> Turn:
    """An iteration in the first of the drawings, by their iterations, that it looks like."""
    for number, like in drawn.items():
        plan = _fit(reading, level, like)
        if plan is not None:
            turn = _write_turn(reading, plan, like)
            return Turn(like=number, **turn) if number else turn
    return Turn(level=_draw(reading, _plan(reading, level)))


def _write_turn(reading: Reading, plan: Plan, like: Plan) -> Turn:
    nodes = plan.graph.nodes
    drawn = draw_nodes(plan, diagnoses=reading.run.diagnoses, live=True)
    changed = {
        str(place): drawn[place]
        for place, (node, old) in enumerate(zip(nodes, like.graph.nodes, strict=True))
        if _list_written(node) != _list_written(old)
    }
    labels = {str(flow): label for flow, label in draw_labels(plan).items()}
    return Turn(labels=labels, nodes=[node.id for node in nodes], changed=changed)


def _fit(reading: Reading, level: Graph, first: Plan) -> Plan | None:
    """A level laid out as another iteration is; None where it would not look right."""
    flows = collect_flows(level)
    if _list_lines(level, flows) != _list_lines(first.graph, first.flows):
        return None
    olds = [node.id for node in first.graph.nodes]
    news = [node.id for node in level.nodes]
    groups = _find_groups(reading, level)
    sizes = {new: first.sizes[old] for new, old in zip(news, olds, strict=True)}
    if any(measure_node(n, groups.get(n.id))[0] > sizes[n.id][0] for n in level.nodes):
        return None
    places = {new: first.layout.places[old] for new, old in zip(news, olds, strict=True)}
    return Plan(level, flows, sizes, groups, replace(first.layout, places=places))


def _list_lines(level: Graph, flows: Sequence[Flow]) -> tuple[object, ...]:
    """What makes two levels' drawings have the same nodes and lines."""
    nodes = [(node.kind, node.op) for node in level.nodes]
    place = {node.id: number for number, node in enumerate(level.nodes)}
    edges = [(place[edge.producer], place[edge.consumer], edge.output) for edge in level.edges]
    return nodes, edges, [(flow.edges, flow.back, flow.cut) for flow in flows]


def _list_written(node: Node) -> tuple[object, ...]:
    shapes = [(output.shape, output.dtype) for output in node.outputs]
    return node.label, node.detail, node.line, node.count, node.traced, node.source, shapes


def _measure(turn: Turn) -> int:
    """How long it is, roughly."""
    pieces = [*turn.get("labels", {}).values(), *turn.get("changed", {}).values()]
    if "level" in turn:
        pieces.append(turn["level"]["svg"])
    return sum(map(len, pieces))
