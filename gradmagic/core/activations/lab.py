"""Activations side by side, on a grid and over a tensor of the notebook."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.activations.curves import measure_curve, measure_spread
from gradmagic.core.activations.finding import evaluate, find_function
from gradmagic.core.activations.records import ActivationLab
from gradmagic.core.activations.softmax import measure_softmax
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT = ("sigmoid", "tanh", "relu")
POINTS = 241  # of the grid: every 0.05 from -6 to 6
LIMIT = 6.0  # of the range, where none is asked for and the tensor needs no wider one
REACH = 0.1, 99.9  # percentiles of a tensor that the range covers
MOST = 8  # functions in one picture: as many line styles can be told apart
BOUND = 0.05
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25)
START = 2.0


def make_lab(
    asked: Sequence[Any] = (),
    names: Mapping[str, Any] | None = None,
    *,
    range_: Sequence[float] | None = None,
    of: Any = None,
    bound: float = BOUND,
) -> ActivationLab:
    """Compute some activations and their derivatives.

    Parameters
    ----------
    asked
        Names, expressions or functions; none: sigmoid, tanh and relu.
    names
        The notebook's namespace.
    range_
        The grid's ends; None: -6 and 6, further where the tensor reaches further.
    of
        A float tensor, or an expression that gives one: its entries are laid under the curves.
    bound
        abs(df/dx) below which a function counts as saturated.

    Raises
    ------
    UserError
        Something that was asked for cannot be drawn.
    """
    names = names or {}
    bound = _read_bound(bound)
    functions = [find_function(one, names) for one in (_list_asked(asked) or DEFAULT)]
    softmax = next((one for one in functions if one.known == "softmax"), None)
    elementwise = [one for one in functions if one.known != "softmax"]
    if len(elementwise) > MOST:
        raise UserError(
            _("{count} functions are too many for one picture; name at most {most}").format(
                count=len(elementwise), most=MOST
            )
        )
    bounds = tuple(sorted({*BOUNDS, bound}))
    table = None if softmax is None else measure_softmax(softmax)
    if not elementwise:
        if of is not None:
            raise UserError(
                _("softmax has no curve to lay a tensor under; name an elementwise one too")
            )
        return ActivationLab(np.zeros(0), 0, (), bounds, bounds.index(bound), softmax=table)
    tensor, name = _find_tensor(of, names)
    finite = None
    if tensor is not None:
        flat = tf.reshape(tensor, [-1])
        finite = tf.boolean_mask(flat, tf.math.is_finite(flat))
        if not len(finite):
            raise UserError(_("{name} has no finite entry").format(name=name))
    entries = None if finite is None else finite.numpy().astype(np.float64)
    low, high = _choose_range(entries, name) if range_ is None else _read_range(range_)
    x = make_grid(low, high)
    return ActivationLab(
        x=x,
        start=int(np.argmin(np.abs(x - START))) if low < START < high else POINTS // 2,
        curves=tuple(measure_curve(one, x, finite, bounds) for one in elementwise),
        bounds=bounds,
        bound=bounds.index(bound),
        spread=None if entries is None else measure_spread(name, tensor, entries, low, high),
        softmax=table,
    )


def make_grid(low: float, high: float) -> np.ndarray:
    """The points, evenly; 0 is 0 where it is one of them."""
    x = np.linspace(low, high, POINTS)
    x[np.abs(x) < (high - low) * 1e-9] = 0.0
    return x


def _list_asked(asked: Sequence[Any]) -> list[Any]:
    """What was asked for, one by one, where commas stand between: ``relu, tanh``."""
    found: list[Any] = []
    for one in asked:
        found += _split_commas(one) if isinstance(one, str) else [one]
    return found


def _split_commas(text: str) -> list[str]:
    if text.strip() == ",":
        return []
    text = text.strip(", ")
    try:
        parsed = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):  # it is told where it is evaluated
        return [text]
    if not isinstance(parsed, ast.Tuple):
        return [text]
    return [ast.get_source_segment(text, part) or text for part in parsed.elts]


def _read_bound(bound: Any) -> float:
    try:
        number = float(bound)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not 0 < number < np.inf:
        raise UserError(
            _("--bound must be a number above 0, not {bound}").format(bound=_shorten(bound))
        )
    return number


def _read_range(range_: Any) -> tuple[float, float]:
    try:
        low, high = map(float, range_)
        given = f"{low:g} {high:g}"
    except (TypeError, ValueError, OverflowError):
        low, high, given = np.nan, np.nan, _shorten(range_)
    if not (np.isfinite([low, high]).all() and low < high):
        raise UserError(
            _("--range needs two numbers, the smaller one first, not {given}").format(given=given)
        )
    if not np.isfinite(high - low):
        raise UserError(_("--range {given} is too wide to be drawn").format(given=given))
    return low, high


def _shorten(given: Any) -> str:
    """What was given, in one short line."""
    return " ".join(str(given).split())[:60]


def _choose_range(entries: np.ndarray | None, name: str) -> tuple[float, float]:
    """So wide that nearly all entries of the tensor of this name lie in it."""
    if entries is None:
        return -LIMIT, LIMIT
    with np.errstate(all="ignore"):
        reach = float(np.ceil(np.abs(np.percentile(entries, REACH)).max()))
    if not np.isfinite(2 * reach):
        raise UserError(_("{name} reaches too far to be drawn; say --range").format(name=name))
    return -max(LIMIT, reach), max(LIMIT, reach)


def _find_tensor(of: Any, names: Mapping[str, Any]) -> tuple[Any, str]:
    """The tensor, and what to call it; None without one."""
    if of is None:
        return None, ""
    name = of if isinstance(of, str) else getattr(of, "__name__", _("the tensor"))
    value = evaluate(of, names) if isinstance(of, str) else of
    try:
        tensor = tf.convert_to_tensor(value)
    except Exception:
        raise UserError(
            _("{name} is no tensor, but {kind}").format(name=name, kind=type(value).__name__)
        ) from None
    if not tensor.dtype.is_floating:
        raise UserError(
            _("{name} holds {dtype}; --of takes a float tensor").format(
                name=name, dtype=tensor.dtype.name
            )
        )
    return tensor, str(name)
