"""An elementwise function on a grid: value, derivative and chains of it, all by TensorFlow."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.activations.records import DEPTH, Curve, Spread
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from gradmagic.core.activations.records import Function

PROBES = (0.31, 0.87, 0.05, 0.62, 0.95, 0.48)  # shares of the range, out of order
CHUNK = 1_000_000  # entries of a tensor that are looked at together
BINS = 60  # of its histogram
# how far from 0 the slopes at its two sides are compared, at first and then
NEAR = {"float64": (1e-6, 1e-7), "float32": (1e-3, 1e-4)}
STEADY = 0.1  # share by which the difference of a kink's slopes may change from one to the other
ROUNDING = 16  # units in the last place of the values there


def measure_curve(
    function: Function, x: np.ndarray, tensor: Any, bounds: tuple[float, ...]
) -> Curve:
    """Everything that is known of one function.

    Parameters
    ----------
    function
        Which.
    x
        float64 [points]: the grid.
    tensor
        Finite entries [count] of a tensor whose saturated share is counted, or None.
    bounds
        abs(df/dx) below which a function counts as saturated.

    Raises
    ------
    UserError
        The function fails, is not elementwise, returns no floats, or has no derivative.
    """
    dtype = choose_dtype(function, x)
    grid = tf.constant(x, dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(grid)
        layers = [_call(function, grid)]
        while len(layers) < DEPTH:
            layers.append(_call(function, layers[-1]))
    chain = [_differentiate(tape, function, layer, grid) for layer in layers]
    inputs = pairwise((grid, *layers))
    own = [_differentiate(tape, function, layer, before) for before, layer in inputs]
    steepest, widest = _find_largest(own[0]), _find_largest(np.stack(own))
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float64 it is infinite
        best = np.cumprod([steepest, *[widest] * (DEPTH - 1)])
    return Curve(
        function=function,
        dtype=dtype,
        value=_read(layers[0]),
        slope=chain[0],
        chain=np.stack(chain),
        steepest=steepest,
        best=best,
        at_zero=_find_kink(function, dtype) if x[0] < 0 < x[-1] else None,
        shares=count_saturated(function, dtype, tensor, bounds),
    )


def _find_largest(slopes: np.ndarray) -> float:
    """The largest absolute value; 0 where all are NaN."""
    return float(np.max(np.abs(slopes), where=~np.isnan(slopes), initial=0.0))


def choose_dtype(function: Function, x: np.ndarray) -> str:
    """``float64`` where the function takes and keeps it, else ``float32``.

    Raises
    ------
    UserError
        It takes neither, or is not elementwise.
    """
    probe = x[0] + (x[-1] - x[0]) * np.array(PROBES)
    try:
        kept = function.call(tf.constant(probe)).dtype == tf.float64  # type: ignore[attr-defined]
    except Exception:  # what is wrong is told of float32, which all of Keras takes
        kept = False
    dtype = "float64" if kept else "float32"
    _check_elementwise(function, tf.constant(probe, dtype))
    return dtype


def _check_elementwise(function: Function, probe: Any) -> None:
    together = _call(function, probe)
    if not np.allclose(_read(together), _read(_call(function, probe)), rtol=1e-4, equal_nan=True):
        raise UserError(
            _("{name} gives another result at each call; name a function without chance").format(
                name=function.name
            )
        )
    alone = np.concatenate([_read(_call(function, probe[i : i + 1])) for i in range(len(probe))])
    if not np.allclose(_read(together), alone, rtol=1e-4, atol=1e-6, equal_nan=True):
        raise UserError(
            _(
                "{name} mixes the entries of its input: an entry's result depends on the others; "
                "name an elementwise function, or softmax"
            ).format(name=function.name)
        )


def _call(function: Function, x: Any) -> Any:
    """f(x); UserError, in one line, where that is no float tensor of the same shape."""
    name = function.name
    try:
        result: Any = function.call(x)
    except Exception as error:
        said = _write_error(error)
        if hasattr(function.call, "activation"):
            said += _("; its activation alone is {name}.activation").format(name=name)
        raise UserError(
            _("{name} fails on a {dtype} tensor of shape {shape}: {error}").format(
                name=name, dtype=x.dtype.name, shape=x.shape.as_list(), error=said
            )
        ) from None
    if not isinstance(result, tf.Tensor):
        raise UserError(
            _("{name} returns {kind}, no tensor, so no tape sees it; write it with tf ops").format(
                name=name, kind=type(result).__name__
            )
        )
    if not result.dtype.is_floating:
        raise UserError(
            _("{name} returns {dtype}, and only floats have derivatives").format(
                name=name, dtype=result.dtype.name
            )
        )
    if result.shape != x.shape:
        raise UserError(
            _(
                "{name} turns shape {before} into {after}; name an elementwise function, "
                "such as a layer's .activation"
            ).format(name=name, before=x.shape.as_list(), after=result.shape.as_list())
        )
    return result


def _write_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


def _differentiate(tape: Any, function: Function, target: Any, source: Any) -> np.ndarray:
    """The derivative by the tape; UserError, in one line, where there is none."""
    try:
        gradient = tape.gradient(target, source)
        slope = None if gradient is None else _read(tf.convert_to_tensor(gradient))
    except Exception as error:
        raise UserError(
            _("the gradient of {name} fails: {error}").format(
                name=function.name, error=_write_error(error)
            )
        ) from None
    if slope is None:
        raise UserError(
            _(
                "{name} has no derivative: tape.gradient gives None; its result does not depend "
                "on its input through ops that TensorFlow can differentiate"
            ).format(name=function.name)
        )
    if slope.shape != source.shape:
        raise UserError(
            _("the gradient of {name} has shape {after}, and its input {before}").format(
                name=function.name, after=[*slope.shape], before=source.shape.as_list()
            )
        )
    return slope


def _read(tensor: Any) -> np.ndarray:
    return tf.cast(tensor, tf.float64).numpy()


def _take_slope(function: Function, x: Any) -> np.ndarray:
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = _call(function, x)
    return _differentiate(tape, function, result, x)


def _find_kink(function: Function, dtype: str) -> float | None:
    """The tape's derivative at 0, where the function has none: its left and right slope differ.

    Nearer to 0 a kink's slopes differ as much as before, those of a smooth function by less.
    """
    jumps, blur = [], 0.0
    for step in NEAR[dtype]:
        values = _read(_call(function, tf.constant([-step, 0.0, step], dtype)))
        jumps.append(np.diff(values, n=2)[0] / step)
        blur = ROUNDING * np.finfo(dtype).eps * np.abs(values).max() / step
    before, jump = jumps
    if not (abs(jump) > blur and abs(jump - before) <= STEADY * abs(jump)):
        return None
    return float(_take_slope(function, tf.constant([0.0], dtype))[0])


def count_saturated(
    function: Function, dtype: str, tensor: Any, bounds: tuple[float, ...]
) -> np.ndarray:
    """Of a tensor's entries [count], the share at which abs(df/dx) is below each bound [bounds]."""
    if tensor is None or not len(tensor):
        return np.zeros(0)
    counts = np.zeros(len(bounds), np.int64)
    for i in range(0, len(tensor), CHUNK):
        slopes = np.abs(_take_slope(function, tf.cast(tensor[i : i + CHUNK], dtype)))
        counts += np.array([np.count_nonzero(slopes < bound) for bound in bounds])
    return counts / len(tensor)


def measure_spread(name: str, tensor: Any, entries: np.ndarray, low: float, high: float) -> Spread:
    """The histogram of a tensor's finite ``entries`` [finite] over a range."""
    counts, edges = np.histogram(entries, BINS, (low, high))
    return Spread(
        name=name,
        shape=tuple(tensor.shape),
        dtype=tensor.dtype.name,
        size=int(tf.size(tensor)),
        finite=entries.size,
        outside=entries.size - int(counts.sum()),
        counts=counts,
        edges=edges,
    )
