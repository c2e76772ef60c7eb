"""A graph as lines of text, for terminals and for who has it read out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n, join_phrases
from gradmagic.core.summary import summarize
from gradmagic.render.diagnoses import find_places, list_names, name_cause, name_kind
from gradmagic.render.lettering import clean_text, count_columns, shorten_text
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Diagnosis, Edge, Graph, Node, Output

LINES = 60
_INDENT = "  "
_LONGEST = 24  # characters of an argument


def describe_graph(graph: Graph, diagnoses: Sequence[Diagnosis] = ()) -> str:
    """List the graph: one line for each source, input and op in order, and the target.

    An op's line is like ``line 2  MatMul(x, w) -> logits [2, 3], gradient norm 0.4982``. After
    LINES ops the rest is only counted. Where a path from a source breaks off, and in which op
    something of ``diagnoses`` happens, is said at the end of its line.
    """
    graph = drop_loose_edges(graph)
    places = find_places(graph, diagnoses)
    arguments: dict[int, list[Edge]] = {node.id: [] for node in graph.nodes}
    for edge in sorted(graph.edges, key=lambda edge: edge.slot):
        arguments[edge.consumer].append(edge)
    nodes = {node.id: node for node in graph.nodes}
    leaves = [node for node in graph.nodes if node.kind in {"source", "input", "port"}]
    ops = [node for node in graph.nodes if node.kind in {"op", "group"}]

    def say_more(node: Node) -> str:
        cut = [edge for edge in arguments[node.id] if edge.cut and not edge.gradient]
        before = [_name_output(nodes[edge.producer], edge.output) for edge in cut]
        return _list_break(node, before, places.get(node.id, []))

    rows = [(_name_role(node), _list_leaf(node) + say_more(node)) for node in leaves[:LINES]]
    rest = len(leaves) - LINES
    if rest > 0:
        more = _n("... and {count} more tensor", "... and {count} more tensors", rest)
        rows.append(("", more.format(count=rest)))
    for node in ops[:LINES]:
        names = [_name_output(nodes[edge.producer], edge.output) for edge in arguments[node.id]]
        rows.append((_name_role(node), _list_op(node, names) + say_more(node)))
    rest = sum(node.count for node in ops[LINES:])
    if rest:
        more = _n("... and {count} more op", "... and {count} more ops", rest)
        rows.append(("", more.format(count=rest)))
    rows += [(_name_role(node), write_label(node)) for node in graph.nodes if node.kind == "target"]
    wide = max([count_columns(role) for role, _text in rows], default=0)
    lines = [f"{_INDENT}{role}{' ' * (wide - count_columns(role))}  {text}" for role, text in rows]
    return "\n".join([_("from sources and inputs to the target:"), *lines])


def drop_loose_edges(graph: Graph) -> Graph:
    """``graph`` without edges from or to nodes that it does not hold."""
    held = {node.id for node in graph.nodes}
    edges = tuple(e for e in graph.edges if e.producer in held and e.consumer in held)
    return graph if len(edges) == len(graph.edges) else replace(graph, edges=edges)


def write_label(node: Node) -> str:
    """A node's label, short enough to draw; a scalar target's says its value."""
    label = shorten_text(node.label)
    output = node.outputs[0] if node.outputs else None
    if node.kind != "target" or "=" in label or output is None or output.value is None:
        return label
    value = None if output.shape else summarize(output.value).values
    return label if value is None else f"{label} = {format_number(value.item())}"


def write_shape(output: Output) -> str:
    """``[2, 3] int32``; the dtype only where it is not the usual one."""
    sides = ", ".join("?" if side is None else str(side) for side in output.shape)
    shape = f"[{sides}]" if output.shape else _("scalar")
    return shape if output.dtype == "float32" else f"{shape} {output.dtype}"


def _name_role(node: Node) -> str:
    if node.kind in {"op", "group"}:
        return "" if node.line is None else _("line {line}").format(line=node.line)
    return {
        "source": _("source"),
        "input": _("input"),
        "port": _("input"),
        "target": _("target"),
    }[node.kind]


def _list_leaf(node: Node) -> str:
    if not node.outputs:
        return clean_text(node.label)
    output = node.outputs[0]
    return f"{clean_text(node.label)} {write_shape(output)}{_list_gradient(output)}"


def _list_op(node: Node, arguments: list[str]) -> str:
    op = node.op
    if op is None:
        op = _n("{count} op", "{count} ops", node.count).format(count=node.count)
        op = f"{shorten_text(node.label)}, {op}" if node.label else op
    call = f"{clean_text(op)}({', '.join(arguments)})"
    results = [
        f"{clean_text(output.name)} {write_shape(output)}" if output.name else write_shape(output)
        for output in node.outputs
    ]
    gradients = "".join(map(_list_gradient, node.outputs[:1]))
    return f"{call} -> {', '.join(results)}{gradients}" if results else call


def _list_break(node: Node, before: list[str], diagnoses: Sequence[Diagnosis]) -> str:
    """That a path breaks off at a node, and what else is to say about it."""
    kinds = dict.fromkeys(one.kind for one in diagnoses)
    if not before:
        return "".join(_("; {what}").format(what=name_kind(kind)) for kind in kinds)
    if kinds:
        why = join_phrases(map(name_cause, kinds))
        return _("; breaks off here: {why}").format(why=why)
    if node.kind == "input":
        return _("; breaks off here, after {names}").format(names=list_names(before))
    return _("; breaks off here")


def _name_output(node: Node, place: int) -> str:
    """The tensor's Python name, or what was computed."""
    name = node.outputs[place].name if place < len(node.outputs) else None
    return shorten_text(name or node.label, _LONGEST)


def _list_gradient(output: Output) -> str:
    if output.gradient is None:
        return ""
    summary = summarize(output.gradient)
    norm = "NaN" if summary.nans else "inf" if summary.infs else format_number(summary.norm or 0)
    return _(", gradient norm {norm}").format(norm=norm)
