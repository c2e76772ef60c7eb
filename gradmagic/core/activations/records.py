"""What is known of activations once TensorFlow has computed them: nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

DEPTH = 10  # layers that are stacked at most
# the activations of the lesson, and what TensorFlow calls them
KNOWN = {
    "sigmoid": "tf.nn.sigmoid",
    "tanh": "tf.nn.tanh",
    "relu": "tf.nn.relu",
    "leaky_relu": "tf.nn.leaky_relu",
    "elu": "tf.nn.elu",
    "softplus": "tf.nn.softplus",
    "gelu": "tf.nn.gelu",
    "swish": "tf.nn.silu",
    "silu": "tf.nn.silu",
    "softmax": "tf.nn.softmax",
}


@dataclass(frozen=True, eq=False)
class Function:
    """A function to look at.

    Attributes
    ----------
    name
        As it was asked for.
    call
        The function itself: a tensor in, a tensor of the same shape out.
    code
        Python that names it: ``tf.nn.sigmoid``.
    known
        Its name in the lesson where it is one of TensorFlow's own, else empty.
    """

    name: str
    call: Callable[..., object]
    code: str
    known: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """An elementwise function on a grid.

    Attributes
    ----------
    function
        Which.
    dtype
        What it was computed in: ``float64`` where the function takes it.
    value, slope
        float64 [points]: f(x), and df/dx by the tape.
    chain
        float64 [DEPTH, points]: row k is the derivative of f(f(...f(x))), k + 1 times f, by the
        tape.
    steepest
        The largest abs(df/dx) on the grid.
    best
        float64 [DEPTH]: ``steepest``, and k times the largest abs(df/dx) on the grid and wherever
        deeper layers stand; no chain from the grid is more.
    at_zero
        The tape's derivative at 0, where the slopes from left and right differ; else None.
    shares
        float64 [bounds]: the share of the tensor's finite entries at which abs(df/dx) is less than
        each bound; empty without a tensor.
    """

    function: Function
    dtype: str
    value: np.ndarray
    slope: np.ndarray
    chain: np.ndarray
    steepest: float
    best: np.ndarray
    at_zero: float | None
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Spread:
    """The tensor under the curves: its entries as a histogram over the range.

    ``finite`` of its ``size`` entries are finite, and ``outside`` of these lie beyond the range.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    finite: int
    outside: int
    counts: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True, eq=False)
class SoftmaxTable:
    """Softmax of three logits and its Jacobian, for all differences between them.

    Softmax only depends on how far apart its logits are, so the logits stand as [a, b, 0].

    Attributes
    ----------
    function
        Which softmax.
    logits
        float64 [positions]: where the slider of a logit can stand, ``step`` apart.
    start
        Positions of the three sliders at first.
    step
        Between two positions, and between two differences.
    probabilities
        float32 [differences, differences, 3], from ``-reach`` to ``reach``.
    jacobian
        float32 [differences, differences, 3, 3]: d probability (row) / d logit (column), by the
        tape.
    """

    function: Function
    logits: np.ndarray
    start: tuple[int, int, int]
    step: float
    probabilities: np.ndarray
    jacobian: np.ndarray

    def look_up(self, positions: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities [3] and Jacobian [3, 3] where the sliders stand at these positions."""
        middle = len(self.logits) - 1
        row, column = (middle + positions[i] - positions[2] for i in range(2))
        return self.probabilities[row, column], self.jacobian[row, column]


@dataclass(frozen=True, eq=False)
class ActivationLab:
    """Some activations side by side.

    Attributes
    ----------
    x
        float64 [points], ascending: the grid. Empty where there is softmax alone.
    start
        The point that is shown at first, as its place in ``x``.
    curves
        The elementwise ones.
    bounds
        abs(df/dx) below which a function counts as saturated: those that can be chosen, ascending.
    bound
        The one that was asked for, as its place in ``bounds``.
    spread
        The tensor under the curves, if there is one.
    softmax
        The table of softmax, if it was asked for.
    """

    x: np.ndarray
    start: int
    curves: tuple[Curve, ...]
    bounds: tuple[float, ...]
    bound: int
    spread: Spread | None = None
    softmax: SoftmaxTable | None = None


def find_saturated(x: np.ndarray, slope: np.ndarray, bound: float) -> list[tuple[float, float]]:
    """Stretches (from, to) of the grid where |slope| < bound, half-way to where it is not."""
    flags = abs(slope) < bound  # (NaN is not saturated)
    stretches: list[tuple[float, float]] = []
    start: float | None = None
    for i, flat in enumerate(flags):
        if flat and start is None:
            start = float(x[i] if i == 0 else (x[i - 1] + x[i]) / 2)
        if start is not None and not flat:
            stretches.append((start, float((x[i - 1] + x[i]) / 2)))
            start = None
    if start is not None:
        stretches.append((start, float(x[-1])))
    return stretches
