"""The slope of a target along one entry of a source, measured by replays."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf

from gradmagic.core.replay.forward import Replay, replay
from gradmagic.core.replay.wiring import find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gradmagic.core.records import Graph, Node
    from gradmagic.core.replay.wiring import Place

Index = tuple[int, ...]
Curve = Literal["smooth", "kink", "jump"]

CLOSER = 8  # by how much the second step is smaller than the first
WIDE_STEP = {"float64": 1e-5, "float32": 1e-2}  # the first step, of an entry of size 1
SMALLEST = 16  # eps of the entry: of that size the first step is at least
SHRINK = CLOSER**2  # by how much a step is made smaller where the target is not finite
MOST_SHRINKS = 4


@dataclass(frozen=True)
class Sides:
    """The target around an entry: the slopes to both sides, at one step."""

    step: float
    left: float
    right: float
    slope: float
    noise: float  # what rounding may add to a slope
    flow: float  # what of the slope goes through one op, where no entry takes from another

    @property
    def is_finite(self) -> bool:
        """Whether the target is finite on both sides."""
        return bool(np.isfinite([self.left, self.right]).all())

    @property
    def bend(self) -> float:
        """By how much the slopes to both sides differ."""
        return abs(self.right - self.left)

    @property
    def doubt(self) -> float:
        """By how much the slope may be wrong."""
        doubt = self.bend + self.noise
        return doubt if np.isfinite(doubt) else np.inf


class Measure:
    """The target as a function of one entry."""

    def __init__(
        self,
        graph: Graph,
        node: Node,
        index: Index,
        dtype: tf.DType,
        held: Mapping[int, Any] = MappingProxyType({}),
    ) -> None:
        self.held = held  # nodes that do not follow, with their values
        self.graph = graph
        self.node = node
        self.index = index
        self.dtype = dtype
        self.target = find_target(graph)
        value = node.outputs[0].value
        self.start = np.array(value.numpy(), dtype.as_numpy_dtype)
        self.entry = float(self.start[index])
        self.eps = find_eps(dtype)
        self.base, self.middle = self._run(self.entry)
        # rounding of any value on the way changes the target by as much as depends on that value
        self.reach = max(abs(self.middle), self._find_most(self.base.values, np.linalg.norm))

    def _run(self, entry: float) -> tuple[Replay, float]:
        changed = np.array(self.start)
        changed[self.index] = entry
        wider = self.dtype if self.dtype == tf.float64 else None
        changes = {**self.held, self.node.id: tf.constant(changed, self.dtype)}
        run = replay(self.graph, changes, wider)
        target = run.values.get((self.target, 0))
        if target is None:  # it does not depend on the source
            target = self.graph.nodes[self.target].outputs[0].value
        return run, float(np.sum(np.real(target.numpy()), dtype=np.float64))

    def _find_most(self, values: Mapping[Place, Any], measure: Callable[[Any], Any]) -> float:
        """The most, over all ops, of what hangs on an output: its entries times their gradients."""
        most = 0.0
        for (node, output), value in values.items():
            gradient = self.graph.nodes[node].outputs[output].gradient
            if isinstance(gradient, tf.Tensor) and gradient.shape == value.shape:
                most = max(most, float(measure(_take_size(value) * _take_size(gradient))))
        return most

    def take_both(self) -> tuple[Sides, Sides]:
        """The slopes with a step, and with a smaller one.

        Where the target is finite only close to the entry, both are as small as that needs.
        """
        pairs: list[tuple[Sides, Sides]] = []
        for step in self._list_steps():
            pairs.append((self.take(step), self.take(step / CLOSER)))
            finite = sum(pair[0].is_finite for pair in pairs)
            # (the largest step that is finite may reach to the very edge: take a smaller one too)
            if pairs[0][0].is_finite or finite == 2:
                break
        return min(pairs, key=lambda pair: min(one.doubt for one in pair))

    def _list_steps(self) -> Iterator[float]:
        wide = max(WIDE_STEP.get(self.dtype.name, WIDE_STEP["float32"]), SMALLEST * self.eps)
        size = abs(self.entry)
        step = wide * max(1.0, size)
        yield step
        for _shrink in range(MOST_SHRINKS if np.isfinite(self.middle) else 0):
            step = min(step / SHRINK, wide * size or step)
            if step > SMALLEST * self.eps * size:
                yield step

    def take(self, step: float) -> Sides:
        """The slopes with one step; as far as the dtype can take it."""
        make = self.dtype.as_numpy_dtype
        low, high = float(make(self.entry - step)), float(make(self.entry + step))
        (run_below, below), (run_above, above) = self._run(low), self._run(high)
        reach = max(abs(below), abs(above), self.reach)
        changes = {
            place: value - run_below.values[place]
            for place, value in run_above.values.items()
            if place in run_below.values and (value.dtype.is_floating or value.dtype.is_complex)
        }
        return Sides(
            step,
            (self.middle - below) / (self.entry - low),
            (above - self.middle) / (high - self.entry),
            (above - below) / (high - low),
            16 * self.eps * reach / step,
            self._find_most(changes, np.sum) / (high - low),
        )


def find_eps(dtype: tf.DType) -> float:
    """The relative distance between a float dtype's numbers."""
    return float(np.spacing(dtype.as_numpy_dtype(1)))  # (np.finfo does not know bfloat16)


def _take_size(tensor: Any) -> np.ndarray:
    """The entries without their signs; 0 for those that are not finite."""
    size = np.abs(tensor.numpy()).astype(np.float64)
    return np.where(np.isfinite(size), size, 0.0)


def find_curve(wide: Sides, close: Sides) -> Literal["smooth", "kink", "jump"]:
    """What the slopes to both sides say: their difference shrinks with the step, stays or grows."""
    if not close.bend > close.noise:
        return "smooth"
    ratio = wide.bend / close.bend
    if ratio > CLOSER / 2:
        return "smooth"
    if ratio > 0.5:  # at a kink each side has a slope of its own, whatever the step
        changed = max(abs(wide.left - close.left), abs(wide.right - close.right))
        return "kink" if changed < close.bend / 2 else "smooth"
    # the height of a jump is the same at both steps; else rounding made the difference
    heights = [abs(one.slope) * one.step for one in (wide, close)]
    return "jump" if max(heights) < 2 * min(heights) else "smooth"
