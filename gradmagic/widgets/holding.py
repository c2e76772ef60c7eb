"""Which explored graphs keep their tensors: the newest, within a number of bytes."""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gradmagic.core.records import Graph, Output

HELD = 1 << 29  # bytes of the graphs that are explored at a time; the newest is held in any case


class Holder(Protocol):
    """What holds a graph's tensors and can let them go."""

    def let_go(self) -> None: ...  # noqa: D102


_holders: list[tuple[weakref.ref[Holder], int]] = []  # the oldest first


def hold(holder: Holder, graph: Graph) -> None:
    """Note that ``holder`` holds a graph; the oldest ones let theirs go where it gets too much."""
    _holders[:] = [(held, size) for held, size in _holders if held() is not None]
    _holders.append((weakref.ref(holder), measure(graph)))
    while len(_holders) > 1 and sum(size for _held, size in _holders) > HELD:
        oldest = _holders.pop(0)[0]()
        if oldest is not None:
            oldest.let_go()


def measure(graph: Graph) -> int:
    """Bytes of the values and gradients of a graph; what several nodes share counts once."""
    tensors = {
        id(tensor): _measure_one(output)
        for node in graph.nodes
        for output in node.outputs
        for tensor in (output.value, output.gradient)
        if tensor is not None
    }
    return sum(tensors.values())


def _measure_one(output: Output) -> int:
    tensor = output.value if output.value is not None else output.gradient
    dtype = getattr(tensor, "dtype", None)
    width: Any = getattr(dtype, "size", None) or getattr(dtype, "itemsize", 8)
    return math.prod(side or 1 for side in output.shape) * int(width)
