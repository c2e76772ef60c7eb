"""A recorded graph as a networkx graph, for everything that can be asked of one there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.summary import SMALL

if TYPE_CHECKING:
    from gradmagic.core.records import Graph, Node, Output

_HANDLES = ("resource", "variant")  # dtypes without entries to read
_ASKED = ("compute_v", "compute_uv")  # attributes of ops that give vectors only where asked


def make_network(graph: Graph) -> Any:
    """The graph as a networkx.MultiDiGraph, as :meth:`Graph.to_networkx` says."""
    import networkx as nx  # 0.2 s

    network = nx.MultiDiGraph(ops=graph.ops, missing=graph.missing, groups=graph.groups)
    network.add_nodes_from((node.id, _describe_node(node)) for node in graph.nodes)
    network.add_edges_from(
        (
            edge.producer,
            edge.consumer,
            {
                "slot": edge.slot,
                "output": edge.output,
                "gradient": edge.gradient,
                "cut": edge.cut,
            },
        )
        for edge in graph.edges
    )
    return network


def find_name(node: Node) -> str | None:
    """The Python name of what a node gives first; None where the code gave it none."""
    return (node.outputs[0].name if node.outputs else None) or node.source


def read_value(output: Output) -> np.ndarray | None:
    """The value as an array of its own, where it is known and has at most ``SMALL`` entries."""
    value = output.value
    if value is None and output.summary is not None and output.summary.layout == "dense":
        value = output.summary.values
    return _read_array(value, output)


def read_gradient(output: Output) -> np.ndarray | None:
    """The gradient likewise; that of looked-up rows (tf.IndexedSlices) with all rows."""
    return _read_array(output.gradient, output)


def is_computed(node: Node, output: int) -> bool:
    """Whether the op computed an output; else it holds whatever lay in the memory before.

    Ops of eigenvalues and singular values give vectors as well, but compute them where asked.
    """
    asked = dict(zip(node.attributes[::2], node.attributes[1::2], strict=True))
    return output == 0 or all(asked.get(name, True) for name in _ASKED)


def _describe_node(node: Node) -> dict[str, Any]:
    outputs = [
        {
            "name": output.name,
            "shape": output.shape,
            "dtype": output.dtype,
            "value": read_value(output) if is_computed(node, place) else None,
            "gradient": read_gradient(output),
        }
        for place, output in enumerate(node.outputs)
    ]
    first = outputs[0] if outputs else dict.fromkeys(("shape", "dtype", "value", "gradient"))
    return {
        "kind": node.kind,
        "op": node.op,
        "label": node.label,
        "line": node.line,
        **first,
        "name": find_name(node),
        "outputs": tuple(outputs),
        "source": node.source,
        "fold": node.fold,
        "group": node.group,
        "traced": node.traced,
    }


def _read_array(tensor: Any, output: Output) -> np.ndarray | None:
    known = [side for side in output.shape if side is not None]
    if len(known) < len(output.shape) or math.prod(known) > SMALL or output.dtype in _HANDLES:
        return None
    if hasattr(tensor, "flat_values"):  # ragged: no array
        return None
    if hasattr(tensor, "indices"):
        return _add_rows(tensor, known) if len(tensor.indices.shape) == 1 else None
    # a copy: TensorFlow's own memory is not handed out
    return None if tensor is None else np.array(_as_array(tensor))


def _add_rows(slices: Any, shape: list[int]) -> np.ndarray:
    """IndexedSlices with all their rows; rows of one index are added up, as TensorFlow does."""
    values = _as_array(slices.values)
    dense = np.zeros(shape, values.dtype)
    np.add.at(dense, _as_array(slices.indices), values)
    return dense


def _as_array(tensor: Any) -> np.ndarray:
    # (TensorFlow knows how: NumPy by itself cannot read bfloat16)
    return tensor.numpy() if hasattr(tensor, "numpy") else np.asarray(tensor)
