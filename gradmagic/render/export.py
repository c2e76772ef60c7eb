"""A recorded graph as a file for other programs: a picture, Graphviz text, JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.grouping import group_nodes
from gradmagic.core.graph.levels import make_level
from gradmagic.core.graph.networks import find_name, read_gradient, read_value
from gradmagic.render.dot import write_dot
from gradmagic.render.graph import draw_graph
from gradmagic.render.standalone import make_standalone

if TYPE_CHECKING:
    import numpy as np

    from gradmagic.core.records import Graph, Node, Output

SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".json")
FORMAT, VERSION = "gradmagic graph", 1  # VERSION grows when a key changes its meaning or goes


def render_graph_file(graph: Graph, suffix: str) -> bytes:
    """A graph as the bytes of a file.

    Parameters
    ----------
    graph
        As in :attr:`gradmagic.core.records.TapeRun.graph`.
    suffix
        ``".svg"``, ``".png"``, ``".pdf"``: what the report draws, with groups closed. ``".dot"``:
        the ops worth drawing, for Graphviz, groups as clusters. ``".json"``: every recorded op, see
        :func:`write_json`.

    Raises
    ------
    gradmagic.core.layout.rows.LayoutError
        For a picture: if pygraphviz is missing or fails.
    """
    whole = graph if graph.groups else group_nodes(graph)
    if suffix == ".json":
        return write_json(whole).encode()
    trimmed = trim(whole)
    if suffix == ".dot":
        return write_dot(trimmed).encode()
    drawing = make_standalone(draw_graph(make_level(trimmed)))
    if suffix == ".svg":
        return drawing.encode()
    from gradmagic.render.plots import print_drawing

    return print_drawing(drawing, suffix)  # type: ignore[arg-type]  # the two that are left


def write_json(graph: Graph) -> str:
    """Every recorded op, tensor and group as JSON, one node, edge or group a line.

    ``format`` is ``"gradmagic graph"`` and ``version`` 1; ``ops`` and ``missing`` are those of
    :class:`gradmagic.core.records.Graph`. ``nodes`` have ``id``, ``kind``, ``op``, ``label``,
    ``name`` (the Python name, or null), ``line``, ``source``, ``fold``, ``group``, ``traced``,
    ``seconds``, ``scopes``, ``attributes`` and ``outputs``; an output has ``name``, ``shape``,
    ``dtype``, ``value`` and ``gradient``. ``edges`` have ``producer``, ``consumer``, ``output``,
    ``slot``, ``gradient`` and ``cut``; ``groups`` have ``id``, ``parent``, ``kind``, ``name``,
    ``detail``, ``line`` and ``iterations``.

    Arrays are nested lists where they are dense and have at most 1024 entries, else null. NaN and
    infinities, for which JSON has no numbers, are ``"nan"``, ``"inf"`` and ``"-inf"``; complex
    numbers are strings such as ``"(1+2j)"``.
    """
    head = {"format": FORMAT, "version": VERSION, "ops": graph.ops, "missing": graph.missing}
    parts: dict[str, list[Any]] = {
        "nodes": [_describe_node(node) for node in graph.nodes],
        "edges": [vars(edge) for edge in graph.edges],
        "groups": [vars(group) for group in graph.groups],
    }
    written = [f"{_dump(key)}: {_dump(value)}" for key, value in head.items()]
    for key, rows in parts.items():
        lines = ",\n".join(map(_dump, rows))
        written.append(f"{_dump(key)}: [\n{lines}\n]" if rows else f"{_dump(key)}: []")
    return "{\n" + ",\n".join(written) + "\n}\n"


def _dump(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False, allow_nan=False)


def _describe_node(node: Node) -> dict[str, Any]:
    names, values = node.attributes[::2], node.attributes[1::2]
    return {
        "id": node.id,
        "kind": node.kind,
        "op": node.op,
        "label": _clean(node.label),
        "name": _clean(find_name(node)),
        "line": node.line,
        "source": _clean(node.source),
        "fold": node.fold,
        "group": node.group,
        "traced": node.traced,
        "seconds": node.seconds,
        "scopes": [
            {"kind": one.kind, "name": one.name, "detail": one.detail, "call": one.call}
            for one in node.scopes
        ],
        "attributes": {str(name): _plain(value) for name, value in zip(names, values, strict=True)},
        "outputs": [_describe_output(output) for output in node.outputs],
    }


def _describe_output(output: Output) -> dict[str, Any]:
    return {
        "name": _clean(output.name),
        "shape": output.shape,
        "dtype": output.dtype,
        "value": _list(read_value(output)),
        "gradient": _list(read_gradient(output)),
    }


def _list(array: np.ndarray | None) -> Any:
    return None if array is None else _plain(array.tolist())


def _plain(value: Any) -> Any:
    """A value in the terms of JSON; what has none there, in words."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return _clean(text)


def _clean(text: str | None) -> str | None:
    """Text without lone surrogates, which are in no UTF-8 file."""
    return None if text is None else text.encode("utf-8", "replace").decode()
