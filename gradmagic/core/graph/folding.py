"""The graph to draw: without what is not worth drawing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _n, join_phrases

if TYPE_CHECKING:
    from gradmagic.core.records import Edge, Graph, Node

MOST_BREAKS = 8  # whose ops then stand alone
_SAME = frozenset({"Identity", "ReadVariableOp"})
ASK_SHAPE = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def trim(graph: Graph) -> Graph:
    """The graph without what is folded away; the paths through that are joined.

    Where the path from a source breaks off, all that leads there stays. Nodes keep their ids.
    """
    drawn = _select(graph, _choose_nodes(graph))
    used = {end for edge in drawn.edges for end in (edge.producer, edge.consumer)}
    nodes = tuple(node for node in drawn.nodes if node.kind != "input" or node.id in used)
    return replace(drawn, nodes=nodes)


def unfold(graph: Graph) -> Graph:
    """The graph of every recorded op, without the constants that ops write out.

    Nodes keep their ids.
    """
    kept = {node.id for node in graph.nodes if node.fold != "constant"}
    kept |= {end for edge in _list_breaks(graph) for end in (edge.producer, edge.consumer)}
    kept -= _find_isolated(graph, kept)
    return _select(graph, kept)


def describe_folding(graph: Graph) -> str:
    """How many ops are drawn and why the others are not, in a sentence; empty where all are."""
    kept = _choose_nodes(graph)
    ops = [node for node in graph.nodes if node.kind == "op"]
    folded = Counter(node.fold for node in ops if node.id not in kept)
    if not folded:
        return ""
    drawn = sum(node.id in kept for node in ops)
    reasons = [
        _n(
            "{count} that only computes shapes", "{count} that only compute shapes", folded["shape"]
        ).format(count=folded["shape"])
        if folded["shape"]
        else "",
        _n("{count} that changes nothing", "{count} that change nothing", folded["same"]).format(
            count=folded["same"]
        )
        if folded["same"]
        else "",
        _n(
            "{count} that the target does not depend on",
            "{count} that the target does not depend on",
            folded["side"],
        ).format(count=folded["side"])
        if folded["side"]
        else "",
    ]
    if graph.groups:  # some may be closed
        template = _n(
            "{drawn} of the {ops} recorded ops is drawn, here or inside groups."
            " Folded away: {reasons}.",
            "{drawn} of the {ops} recorded ops are drawn, here or inside groups."
            " Folded away: {reasons}.",
            drawn,
        )
    else:
        template = _n(
            "{drawn} of the {ops} recorded ops is drawn. Folded away: {reasons}.",
            "{drawn} of the {ops} recorded ops are drawn. Folded away: {reasons}.",
            drawn,
        )
    return template.format(drawn=drawn, ops=graph.ops, reasons=join_phrases(filter(None, reasons)))


def _choose_nodes(graph: Graph) -> set[int]:
    """The nodes worth drawing: those that are not folded, and what leads to a break in a path."""
    kept = {node.id for node in graph.nodes if node.fold is None}
    breaks = _list_breaks(graph)
    if not breaks:
        return kept
    edges = _sort_edges(graph)
    reached = {node.id for node in graph.nodes if node.source is not None}
    for edge in edges:
        if edge.producer in reached and graph.nodes[edge.consumer].op not in ASK_SHAPE:
            reached.add(edge.consumer)
    leading = {edge.producer for edge in breaks}
    for edge in reversed(edges):
        if edge.consumer in leading:
            leading.add(edge.producer)
    ends = {end for edge in breaks for end in (edge.producer, edge.consumer)}
    found = ends | (leading & reached)
    return kept | {number for number in found if not _is_same(graph.nodes[number])}


def _list_breaks(graph: Graph) -> list[Edge]:
    return [edge for edge in graph.edges if _is_break(edge)]


def _is_break(edge: Edge) -> bool:
    return edge.cut and not edge.gradient


def _sort_edges(graph: Graph) -> list[Edge]:
    """The edges so that all into a node come before those out of it: ids grow along them."""
    return sorted(graph.edges, key=lambda edge: edge.consumer)


def _is_same(node: Node) -> bool:
    """Whether it gives what it takes."""
    if node.fold == "side":  # which hides what else it is
        return node.op in _SAME and not any(output.name for output in node.outputs)
    return node.fold == "same"


def _find_isolated(graph: Graph, kept: set[int]) -> set[int]:
    used = {
        end
        for edge in graph.edges
        for end in (edge.producer, edge.consumer)
        if edge.producer in kept and edge.consumer in kept
    }
    return {node.id for node in graph.nodes if node.kind in ("input", "op")} - used


def _select(graph: Graph, kept: set[int]) -> Graph:
    """The graph of some of its nodes; an edge through a dropped node starts at what feeds it."""
    ways = _find_ways(graph, kept)
    edges = []
    for edge in graph.edges:
        if edge.consumer in kept:
            edges += [edge] if edge.producer in kept else _lead_on(ways[edge.producer], edge)
    nodes = tuple(node for node in graph.nodes if node.id in kept)
    return replace(graph, nodes=nodes, edges=tuple(edges))


def _find_ways(graph: Graph, kept: set[int]) -> dict[int, list[Edge]]:
    """For each dropped node, the edges from what is kept on which a path comes to it.

    Through what gives what it takes, that is the one of its first input (two, where a Variable is
    read that was assigned: from the Variable and from what it was assigned); through what lies
    behind a break, the one that comes from there.
    """
    ways: dict[int, list[Edge]] = defaultdict(list)
    slots: dict[int, int] = {}
    behind: set[int] = set()
    for edge in _sort_edges(graph):
        end = edge.consumer
        first = slots.setdefault(end, edge.slot) == edge.slot
        broken = edge.producer in behind or _is_break(edge)
        if broken:
            behind.add(end)
        if end in kept or not (broken or (first and _is_same(graph.nodes[end]))):
            continue
        found = [edge] if edge.producer in kept else _lead_on(ways[edge.producer], edge)
        known = {(one.producer, one.output) for one in ways[end]}
        ways[end] += [one for one in found if (one.producer, one.output) not in known]
    return ways


def _lead_on(ways: list[Edge], edge: Edge) -> list[Edge]:
    """The edges that lead to a dropped node, led on along an edge that leaves it."""
    led = []
    for way in ways:
        flows = way.gradient and edge.gradient
        ends = {"producer": way.producer, "output": way.output}
        led.append(replace(edge, gradient=flows, cut=(way.cut or edge.cut) and not flows, **ends))
    return led


def find_breaking(graph: Graph) -> set[int]:
    """The first ops at which a path breaks off; of those of one kind in one line, the first."""
    nodes = {node.id: node for node in graph.nodes}
    firsts: dict[tuple[str | None, int | None], int] = {}
    for edge in _list_breaks(graph):
        node = nodes[edge.consumer]
        firsts.setdefault((node.op, node.line), node.id)
    return set(list(firsts.values())[:MOST_BREAKS])
