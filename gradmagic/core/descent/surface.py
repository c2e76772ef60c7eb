"""The loss around a descent's path, by running the cell's own body at each point."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.descent.records import Surface
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gradmagic.core.descent.records import Descent, Moment
    from gradmagic.core.descent.rerun import Rerun
    from gradmagic.core.descent.stepping import Body

SECONDS = 0.5  # for the whole surface; the grid is as fine as that allows
CURVE_POINTS = (61, 41, 21, 11)
GRID_POINTS = (21, 15, 11, 7)
MARGIN = 0.25  # of the path's extent, at each end
LEAST_MOMENTS = 4  # with fewer, a path has no principal directions worth the name


@dataclass(frozen=True, eq=False)
class _Plane:
    """Where the grid lies: centre + a * first + b * second; the path's coordinates on it."""

    centre: np.ndarray
    directions: tuple[np.ndarray, ...]
    path: np.ndarray
    axes: str
    labels: tuple[str, ...]
    exact: bool


def compute_surface(
    descent: Descent, rerun: Rerun, body: Body, is_interrupted: Callable[[], bool]
) -> Surface | None:
    """The loss on a curve or a grid.

    None where the body may leave more behind than its loss (it would at each point), where it
    cannot be computed or takes far too long, and where it is interrupted.
    """
    if rerun.touched is None:
        return None
    try:
        with rerun.open_losses(body) as compute, np.errstate(all="ignore"):
            return _compute(descent, compute, is_interrupted)
    except (Exception, KeyboardInterrupt):  # the descent itself stands, and has raised nothing
        return None


def _compute(
    descent: Descent,
    compute: Callable[[Sequence[Any]], float],
    is_interrupted: Callable[[], bool],
) -> Surface | None:
    moments = [one for one in descent.moments if one.values and _is_finite(one)]
    if not moments:
        return None
    shapes = [(value.shape, value.dtype) for value in moments[0].values]
    if any(dtype.kind == "c" for _shape, dtype in shapes):
        return None
    plane = _choose_plane(descent, moments)

    def at(*place: float) -> float:
        if is_interrupted():
            raise KeyboardInterrupt
        pairs = zip(place, plane.directions, strict=True)
        point = plane.centre + sum(scale * direction for scale, direction in pairs)
        try:
            return compute(_shape(point, shapes))
        except Exception:  # outside of where the body is defined
            return math.nan

    at(*plane.path[-1])  # TensorFlow warms up
    start = time.perf_counter()
    at(*plane.path[-1])
    seconds = max(time.perf_counter() - start, 1e-6)
    if len(plane.directions) == 1:
        count = _fit(CURVE_POINTS, seconds, 1)
        x, y = _spread(plane.path[:, 0], count), np.zeros(0)
        z = np.array([at(a) for a in x])
    else:
        count = _fit(GRID_POINTS, seconds, 2)
        x, y = _spread(plane.path[:, 0], count), _spread(plane.path[:, 1], count)
        z = np.array([[at(a, b) for a in x] for b in y])
    if count == 0 or not np.isfinite(z).any():
        return None
    kind = "curve" if len(plane.directions) == 1 else "contour"
    path = np.full((len(descent.moments), len(plane.directions)), np.nan)
    path[[descent.moments.index(one) for one in moments]] = plane.path
    return Surface(kind, plane.axes, plane.labels, x, y, z, path, plane.exact)  # type: ignore[arg-type]


def _choose_plane(descent: Descent, moments: Sequence[Moment]) -> _Plane:
    points = np.array([_join(one.values) for one in moments])
    size = points.shape[1]
    if size <= 2:
        labels = tuple(_name_entries(descent.names, moments[0].values))
        axes = _(" and ").join(labels)
        return _Plane(np.zeros(size), tuple(np.eye(size)), points, axes, labels, exact=True)
    centre = points[-1]
    if len(moments) >= LEAST_MOMENTS:
        found = _find_principal(points - centre)
        if found is not None:
            directions, share = found
            axes = _(
                "the path's first two principal directions, which hold {share} of its variance"
            ).format(share=_("{number} %").format(number=f"{100 * share:.3g}"))
            labels = (_("first principal direction"), _("second principal direction"))
            path = (points - centre) @ np.array(directions).T
            return _Plane(centre, directions, path, axes, labels, exact=False)
    first = _unit(_join_gradients(moments[0]))
    second = _choose_random(moments[-1].values)
    second = _unit(second - (second @ first) * first) * np.linalg.norm(second)
    scale = np.linalg.norm(second) or 1.0
    path = np.column_stack([(points - centre) @ first, (points - centre) @ second / scale**2])
    axes = _("the first gradient, and a random direction normalised by filter")
    labels = (_("along the gradient"), _("random direction"))
    return _Plane(centre, (first, second), path, axes, labels, exact=False)


def _find_principal(path: np.ndarray) -> tuple[tuple[np.ndarray, ...], float] | None:
    """The two directions in which the path varies most, and their share of its variance."""
    spread = path - path.mean(axis=0)
    products = spread @ spread.T  # few moments, many entries
    values, vectors = np.linalg.eigh(products)
    if values[-2] <= 1e-12 * values[-1] or not values[-1] > 0:
        return None  # a straight line has no second one
    found = tuple(_unit(vectors[:, -1 - i] @ spread) for i in range(2))
    return found, float((values[-1] + values[-2]) / values[values > 0].sum())


def _choose_random(values: Sequence[np.ndarray]) -> np.ndarray:
    """A random direction in which each filter (last axis) is as long as that of the values."""
    generator = np.random.default_rng(0)
    parts = []
    for value in values:
        part = generator.standard_normal(value.shape)
        axes = tuple(range(value.ndim - 1)) if value.ndim > 1 else None
        own = np.sqrt(np.sum(value.astype(np.float64) ** 2, axis=axes, keepdims=True))
        length = np.sqrt(np.sum(part**2, axis=axes, keepdims=True))
        parts.append(np.ravel(part / np.where(length == 0, 1, length) * own))
    return np.concatenate(parts)


def _spread(places: np.ndarray, count: int) -> np.ndarray:
    """Points a little beyond the path at both ends."""
    low, high = places.min(), places.max()
    extent = (high - low) or max(abs(high), 1.0)
    return np.linspace(low - MARGIN * extent, high + MARGIN * extent, count)


def _fit(counts: Sequence[int], seconds: float, power: int) -> int:
    """The finest grid that there is time for; the coarsest may take four times as long; else 0."""
    for count in counts:
        if count**power * seconds <= SECONDS:
            return count
    return counts[-1] if counts[-1] ** power * seconds <= 4 * SECONDS else 0


def _shape(point: np.ndarray, shapes: Sequence[tuple[tuple[int, ...], Any]]) -> list[np.ndarray]:
    parts, start = [], 0
    for shape, dtype in shapes:
        size = math.prod(shape)
        parts.append(point[start : start + size].reshape(shape).astype(dtype))
        start += size
    return parts


def _join(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(value).astype(np.float64) for value in values])


def _join_gradients(moment: Moment) -> np.ndarray:
    pairs = zip(moment.values, moment.gradients, strict=True)
    return _join([np.zeros(v.shape) if g is None else g for v, g in pairs])


def _unit(direction: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(direction)
    return direction / length if length > 0 else direction


def _is_finite(moment: Moment) -> bool:
    return math.isfinite(moment.loss) and all(np.isfinite(one).all() for one in moment.values)


def _name_entries(names: Sequence[str], values: Sequence[np.ndarray]) -> list[str]:
    """``w`` for a scalar, else ``w[0]``, ``w[1, 0]``."""
    return [
        f"{name}[{', '.join(map(str, place))}]" if place else name
        for name, value in zip(names, values, strict=True)
        for place in np.ndindex(value.shape)
    ]
