"""The ops that a source goes into, and the numbers that each adds up."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.errors import UserError
from gradmagic.core.replay.wiring import find_source
from gradmagic.core.rules import find_terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gradmagic.core.records import Edge, Graph, Node


def find_uses(graph: Graph, source: str) -> Iterator[tuple[Edge, Node]]:
    """Each op that passes a gradient back to a source, and the edge along which it does.

    An op whose output is its input, such as the read of a Variable, is looked through.
    """
    out: dict[int, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        out[edge.producer].append(edge)
    try:
        waiting = [find_source(graph, source).id]
    except UserError:
        return
    while waiting:
        for edge in out[waiting.pop()]:
            node = graph.nodes[edge.consumer]
            if not edge.gradient or node.op is None:
                continue
            if node.fold == "same":
                waiting.append(node.id)
            else:
                yield edge, node


def measure_terms(graph: Graph, source: str, index: tuple[int, ...]) -> float:
    """The sum of the magnitudes of all terms of one entry of a source's gradient.

    Terms of opposite signs may leave 1e-9 where mathematics has 0. Where the terms are not known
    this is 0: nothing then counts as rounding.

    Parameters
    ----------
    graph
        All recorded ops.
    source
        The source's name.
    index
        The entry.
    """
    into: dict[int, dict[int, Edge]] = defaultdict(dict)
    for edge in graph.edges:
        into[edge.consumer].setdefault(edge.slot, edge)
    total = 0.0
    for edge, node in find_uses(graph, source):
        given = [into[node.id][slot] for slot in sorted(into[node.id])]
        inputs = [_read(graph.nodes[one.producer].outputs[one.output].value) for one in given]
        outputs = [_read(one.value) for one in node.outputs]
        upstream = [_read(one.gradient) for one in node.outputs]
        terms = find_terms(
            str(node.op), node.attributes, inputs, outputs, upstream, edge.slot, index
        )
        if terms is not None:
            total += float(np.abs(terms.values).sum())
    return total


def _read(tensor: Any) -> np.ndarray | None:
    return np.asarray(tensor.numpy()) if hasattr(tensor, "numpy") else None
