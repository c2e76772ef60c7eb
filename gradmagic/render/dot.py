"""A graph as Graphviz text: groups as clusters, what is known of a node as its attributes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gradmagic.core.graph.networks import find_name
from gradmagic.core.i18n import _
from gradmagic.render.lettering import clean_text
from gradmagic.render.listing import write_shape

if TYPE_CHECKING:
    from gradmagic.core.records import Edge, Graph, Node

_GRADIENT = "#a3185c"  # as in the drawing
_LOOKS = {
    "input": "style=dashed",
    "source": f'color="{_GRADIENT}", penwidth=2',
    "op": "style=rounded",
    "group": "style=rounded, peripheries=2",
    "target": 'style=filled, fillcolor="#212121", fontcolor="#ffffff"',
}
_FONT = 'fontname="Helvetica,Arial,sans-serif"'


def write_dot(graph: Graph) -> str:
    """The graph in Graphviz' language, values down and gradients back up.

    Beside what Graphviz draws, a node has ``op``, ``name`` and ``line``, and an edge ``slot`` and
    ``output``, for programs that read the file.
    """
    inside: dict[int | None, list[str]] = defaultdict(list)
    for node in graph.nodes:
        inside[node.group].append(_write_node(node))
    for group in reversed(graph.groups):  # each comes after the one that it lies in
        lines = inside[group.id]
        if lines:
            label = f"label={_quote_label(' '.join(filter(None, (group.name, group.detail))))}"
            inside[group.parent] += [
                f"subgraph cluster_{group.id} {{",
                *(f"  {line}" for line in [label, *lines]),
                "}",
            ]
    nodes = {node.id: node for node in graph.nodes}
    edges = [_write_edge(edge, nodes[edge.producer]) for edge in graph.edges]
    body = [f"graph [{_FONT}]", f"node [{_FONT}, shape=box]", *inside[None], *edges]
    return "\n".join(["digraph {", *(f"  {line}" for line in body), "}"]) + "\n"


def _write_node(node: Node) -> str:
    shape = write_shape(node.outputs[0]) if node.outputs else ""
    line = _("line {line}").format(line=node.line) if node.line is not None else ""
    below = ", ".join(filter(None, (node.op, shape, line)))
    name = find_name(node)
    attributes = [
        f"label={_quote_label(node.label or name or node.kind, below)}",
        _LOOKS.get(node.kind, ""),
        *(f"{key}={_quote(value)}" for key, value in (("op", node.op), ("name", name)) if value),
        "" if node.line is None else f"line={node.line}",
    ]
    return f"{_number(node.id)} [{', '.join(filter(None, attributes))}]"


def _write_edge(edge: Edge, producer: Node) -> str:
    outputs = producer.outputs[edge.output :]
    name = outputs[0].name if outputs else None
    attributes = [
        f"label={_quote_label(name)}" if name and name != producer.label else "",
        f"slot={edge.slot}",
        f"output={edge.output}",
        f'color="#666666:{_GRADIENT}", dir=both' if edge.gradient else "",
        "style=dashed" if edge.cut and not edge.gradient else "",
    ]
    ends = f"{_number(edge.producer)} -> {_number(edge.consumer)}"
    return f"{ends} [{', '.join(filter(None, attributes))}]"


def _number(node: int) -> str:
    return f"n{node}" if node >= 0 else f"p{-node}"


def _quote_label(*lines: str) -> str:
    """Lines as a label that shows exactly them: an ``&lt;`` in it would stand for a character."""
    written = [_escape(line).replace("&", "&amp;") for line in lines if line]
    return '"' + "\\n".join(written) + '"'


def _quote(text: str) -> str:
    return f'"{_escape(text)}"'


def _escape(text: str) -> str:
    return clean_text(text).replace("\\", "\\\\").replace('"', '\\"')
