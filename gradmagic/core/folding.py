"""The graph to draw: without what is not worth drawing, and with few enough nodes to be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from gradmagic.core.i18n import _n
from gradmagic.core.records import Edge, Graph, Node

# Beyond this many nodes a picture helps nobody, and layout takes seconds: one node a line instead.
MOST_NODES = 120


def view(graph: Graph, *, unfolded: bool = False) -> Graph:
    """The graph to draw: what is folded is left out and the paths through it are joined.

    Where more than ``MOST_NODES`` nodes remain, the ops of each line are drawn as one group.

    Parameters
    ----------
    unfolded
        Draw every recorded op instead.
    """
    if unfolded:
        kept = {node.id for node in graph.nodes if node.fold != "constant"}
        kept -= _find_isolated(graph, kept)
        return _select(graph, kept)
    kept = {node.id for node in graph.nodes if node.fold is None}
    drawn = _select(graph, kept)
    used = {end for edge in drawn.edges for end in (edge.producer, edge.consumer)}
    lonely = {n.id for n in drawn.nodes if n.kind == "input" and n.id not in used}
    drawn = _select(drawn, {node.id for node in drawn.nodes} - lonely)
    return drawn if len(drawn.nodes) <= MOST_NODES else _group_lines(drawn)


def describe_folding(graph: Graph) -> str:
    """How many ops are drawn and why the others are not, in a sentence; empty where all are."""
    folded = Counter(node.fold for node in graph.nodes if node.kind == "op" and node.fold)
    if not folded:
        return ""
    drawn = sum(node.kind == "op" and node.fold is None for node in graph.nodes)
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
    return _n(
        "{drawn} of the {ops} recorded ops is drawn. Folded away: {reasons}.",
        "{drawn} of the {ops} recorded ops are drawn. Folded away: {reasons}.",
        drawn,
    ).format(drawn=drawn, ops=graph.ops, reasons=", ".join(filter(None, reasons)))


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
    feeding: dict[int, Edge] = {}
    for edge in graph.edges:  # the first input of a dropped node stands for it
        if edge.consumer not in kept and edge.consumer not in feeding:
            feeding[edge.consumer] = edge
    edges = []
    for edge in graph.edges:
        if edge.consumer not in kept:
            continue
        start, flows = edge, edge.gradient
        while start.producer not in kept and graph.nodes[start.producer].fold == "same":
            if start.producer not in feeding:
                break
            start = feeding[start.producer]
            flows = flows and start.gradient
        if start.producer in kept:
            edges.append(
                replace(edge, producer=start.producer, output=start.output, gradient=flows)
            )
    numbers = {old: new for new, old in enumerate(sorted(kept))}
    by_id = {node.id: node for node in graph.nodes}
    return replace(
        graph,
        nodes=tuple(replace(by_id[old], id=new) for old, new in numbers.items()),
        edges=tuple(
            replace(e, producer=numbers[e.producer], consumer=numbers[e.consumer]) for e in edges
        ),
    )


def _group_lines(graph: Graph) -> Graph:
    """One group a line of the cell, in place of the ops that the line ran."""
    lines = Counter(node.line for node in graph.nodes if node.kind == "op")
    nodes: list[Node] = []
    place: dict[int, int] = {}
    groups: dict[int | None, int] = {}
    for node in graph.nodes:
        if node.kind == "op" and lines[node.line] > 1:
            if node.line not in groups:
                groups[node.line] = len(nodes)
                nodes.append(node)
            at = groups[node.line]
            place[node.id] = at
            # the group gives what its last op gives, and is called after the last name it made
            label = next((o.name for o in node.outputs if o.name), None)
            nodes[at] = replace(
                node,
                id=at,
                kind="group",
                count=lines[node.line],
                label=label or (nodes[at].label if nodes[at].kind == "group" else ""),
            )
        else:
            place[node.id] = len(nodes)
            nodes.append(replace(node, id=len(nodes)))
    merged: dict[tuple[int, int], Edge] = {}
    for edge in graph.edges:
        ends = place[edge.producer], place[edge.consumer]
        if ends[0] == ends[1]:
            continue
        flows = edge.gradient or (ends in merged and merged[ends].gradient)
        output = min(edge.output, len(nodes[ends[0]].outputs) - 1)
        merged[ends] = Edge(*ends, output=output, slot=edge.slot, gradient=flows)
    return replace(graph, nodes=tuple(nodes), edges=tuple(merged.values()))
