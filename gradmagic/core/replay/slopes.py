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
    from collections.abc import Mapping

    from gradmagic.core.records import Graph, Node

Index = tuple[int, ...]
Curve = Literal["smooth", "kink", "jump"]

CLOSER = 8  # by how much the second step is smaller than the first
WIDE_STEP = {"float64": 1e-5, "float32": 1e-2}  # the first step, of an entry of size 1


@dataclass(frozen=True)
class Sides:
    """The target around an entry: the slopes to both sides, at one step."""

    step: float
    left: float
    right: float
    slope: float
    noise: float  # what rounding may add to a slope

    @property
    def bend(self) -> float:
        """By how much the slopes to both sides differ."""
        return abs(self.right - self.left)


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
        self.base, self.middle = self._run(self.entry)

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

    def take_both(self) -> tuple[Sides, Sides]:
        """The slopes with a step, and with a smaller one."""
        wide = WIDE_STEP.get(self.dtype.name, WIDE_STEP["float32"]) * max(1.0, abs(self.entry))
        return self.take(wide), self.take(wide / CLOSER)

    def take(self, step: float) -> Sides:
        """The slopes with one step; as far as the dtype can take it."""
        make = self.dtype.as_numpy_dtype
        low, high = float(make(self.entry - step)), float(make(self.entry + step))
        below, above = self._run(low)[1], self._run(high)[1]
        reach = max(abs(below), abs(self.middle), abs(above))
        noise = 16 * float(np.finfo(make).eps) * reach / step
        return Sides(
            step,
            (self.middle - below) / (self.entry - low),
            (above - self.middle) / (high - self.entry),
            (above - below) / (high - low),
            noise,
        )


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
