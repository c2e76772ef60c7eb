"""What a descent remembers of its steps: every loss, and the tensors of a few."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from gradmagic.core.descent.moving import densify
from gradmagic.core.descent.records import Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_MOMENTS = 200  # steps whose tensors are kept
MOST_BYTES = 32 * 2**20  # of all these tensors together
RECENT = 12  # last steps whose gradients are held for the notes, in MOST_BYTES too


class Kept(NamedTuple):
    """A step whose tensors are kept, as TensorFlow holds them."""

    step: int
    values: Sequence[Any]
    gradients: Sequence[Any]
    batch: Any


class History:
    """Collects the steps: 16 bytes and 8 a tensor for each, and the tensors of a bounded few.

    Kept are every n-th step, the last one, and those of the lowest and the highest loss; n doubles
    whenever there are more than ``MOST_MOMENTS``, or more than ``MOST_BYTES`` bytes of them. Where
    a single step has more than an eighth of these bytes, its numbers are kept without its tensors.

    Attributes
    ----------
    holds
        Whether tensors are kept.
    """

    def __init__(self, tensors: Sequence[Any], batch: Any) -> None:
        self.losses = array("d")
        self.rates = array("d")
        self.norms = array("d")
        self.recent: list[Kept] = []
        self._kept: dict[int, Kept] = {}
        self._every = 1
        self._low: Kept | None = None
        self._high: Kept | None = None
        self._last: Kept | None = None
        self._lowest, self._highest = math.inf, -math.inf
        self._size = max(1, 2 * _count_bytes(tensors) + _count_bytes(batch))
        self.holds = self._size <= MOST_BYTES / 8
        self._most = max(4, min(MOST_MOMENTS, int(MOST_BYTES / self._size)))
        self._most_recent = min(RECENT, int(MOST_BYTES / self._size))

    @property
    def done(self) -> int:
        """Steps so far."""
        return len(self.rates)

    def wants(self, loss: float) -> bool:
        """Whether the next step's tensors are to be kept: every n-th, and a new extreme."""
        return self.done % self._every == 0 or not self._lowest <= loss <= self._highest

    def add(self, loss: float, rate: float, norms: Sequence[float]) -> None:
        """Note a step's numbers."""
        self.losses.append(loss)
        self.norms.extend(norms)
        self.rates.append(rate)

    def keep(
        self, loss: float, values: Sequence[Any], gradients: Sequence[Any], batch: Any
    ) -> None:
        """Keep the tensors of the step that was added last."""
        step = self.done - 1
        held = self.holds
        kept = Kept(step, values, gradients, batch) if held else Kept(step, (), (), None)
        if loss < self._lowest or self._low is None:
            self._lowest, self._low = loss, kept
        if loss > self._highest or self._high is None:
            self._highest, self._high = loss, kept
        if step % self._every:
            return
        self._kept[step] = kept
        while len(self._kept) > self._most - 3:
            self._every *= 2
            self._kept = {s: one for s, one in self._kept.items() if s % self._every == 0}

    def end(self, values: Sequence[Any], gradients: Sequence[Any], batch: Any) -> None:
        """Keep the step that was added last, whatever its number, until the next."""
        step, held = self.done - 1, self.holds
        kept = Kept(step, values, gradients, batch) if held else Kept(step, (), (), None)
        self._last = kept

    def hold(self, values: Sequence[Any], gradients: Sequence[Any]) -> None:
        """Hold the last few steps' tensors (values may be missing) for the notes."""
        if self._most_recent:
            self.recent.append(Kept(self.done - 1, values, gradients, None))
            if len(self.recent) > self._most_recent:
                del self.recent[0]

    def list_kept(self) -> list[Kept]:
        """The kept steps in order."""
        found = dict(self._kept)
        for one in (self._low, self._high, self._last):
            if one is not None:
                found.setdefault(one.step, one)
        return [found[step] for step in sorted(found)]

    def make_moments(self, width: int) -> tuple[Moment, ...]:
        """The kept steps' records; ``width`` is the number of tensors."""
        norms = np.asarray(self.norms).reshape(-1, width)
        return tuple(
            Moment(
                one.step,
                self.losses[one.step],
                self.rates[one.step],
                tuple(norms[one.step].tolist()),
                tuple(np.array(value) for value in one.values),
                tuple(None if g is None else np.array(densify(g)) for g in one.gradients),
            )
            for one in self.list_kept()
        )


def _count_bytes(tensors: Any) -> int:
    """Of a structure of tensors and arrays; what is neither counts nothing."""
    found = [one for one in tf.nest.flatten(tensors) if hasattr(one, "shape")]
    return sum(math.prod(one.shape) * tf.as_dtype(one.dtype).size for one in found)


def read_loss(target: Any) -> float:
    """The target's value; the sum of its entries, which is what was differentiated."""
    entries = target.numpy()
    if entries.ndim:
        entries = tf.reduce_sum(target).numpy()
    return float(entries.real)


def read_norm(gradient: Any) -> float:
    """The 2-norm of a gradient; 0 of None."""
    if gradient is None:
        return 0.0
    entries = densify(gradient).numpy().ravel()
    square = float(np.vdot(entries, entries).real)
    if not 1e-30 < square < 1e30:  # it may have left float32
        square = float(np.sum(np.abs(entries.astype(np.complex128)) ** 2))
    return math.sqrt(square) if square == square else math.nan  # noqa: PLR0124  (NaN)
