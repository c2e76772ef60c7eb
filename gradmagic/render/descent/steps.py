"""The kept steps of a descent as numbers that the browser looks up: a header and one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradmagic.core.summary import BINS, summarize
from gradmagic.render.descent import surface as surfaces
from gradmagic.render.panels import choose_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.records import Descent, Moment
    from gradmagic.render.axes import Frame

SOURCES = 12  # shown, the first ones
FEWEST = 8  # steps that are kept however large the sources are
DARKEST = 127  # tint of the greatest entry in a map
BAD = -128  # what is not finite in a map

Form = Literal["cells", "map", "histogram"]


@dataclass(frozen=True)
class Track:
    """One source over the kept steps.

    ``form`` says how it is shown; ``most`` are the greatest magnitudes of value and gradient in all
    kept steps, by which they are tinted; ``ranges`` the ends of their histograms' axes.
    """

    name: str
    form: Form
    shape: tuple[int, ...]
    most: tuple[float, float]
    ranges: tuple[tuple[float, float], tuple[float, float]]


def count_shown(run: Descent) -> int:
    """How many sources are shown: none where their tensors were too large to be kept."""
    kept = bool(run.moments) and all(moment.values for moment in run.moments)
    return min(SOURCES, len(run.names)) if kept else 0


def follow_source(run: Descent, at: int) -> Track:
    """How one source is shown over the steps."""
    values = [moment.values[at] for moment in run.moments]
    gradients = [g for moment in run.moments if (g := moment.gradients[at]) is not None]
    form = choose_form(summarize(values[-1]))
    shown: Form = "histogram"
    if form in ("scalar", "table"):
        shown = "cells"
    elif form == "map":
        shown = "map"
    return Track(
        run.names[at],
        shown,
        tuple(values[-1].shape),
        (_find_most(values), _find_most(gradients)),
        (_find_range(values), _find_range(gradients)),
    )


def choose_moments(run: Descent, room: int) -> list[int]:
    """Positions of the moments that fit into ``room`` bytes: both ends, and evenly between."""
    if not run.moments:
        return []
    each = 4 * (4 + len(run.names))
    for i in range(count_shown(run)):
        each += _count_bytes(follow_source(run, i))
    count = max(FEWEST, room // max(1, each))
    if count >= len(run.moments):
        return [*range(len(run.moments))]
    spread = np.linspace(0, len(run.moments) - 1, count)
    return sorted({round(float(place)) for place in spread})


def _count_bytes(track: Track) -> int:
    """What one step of a source takes."""
    size = int(np.prod(track.shape, dtype=int))
    return {"cells": 8 * size, "map": 2 * size + 16, "histogram": 2 * BINS + 16}[track.form]


def pack_steps(
    run: Descent, at: Sequence[int], frame: Frame | None
) -> tuple[dict[str, Any], bytes]:
    """What the browser needs to show any kept step.

    Parameters
    ----------
    run
        The descent.
    at
        Positions of the moments to pack.
    frame
        Of the surface's picture; None without one.

    Returns
    -------
    header
        JSON: the steps, the sources, and where each array is: [first byte, entries, type].
    block
        The arrays, little endian: ``f`` float32, ``b`` int8, ``B`` uint8.
    """
    moments = [run.moments[i] for i in at]
    pieces: list[bytes] = []
    length = 0

    def add(array: Any, kind: Literal["f", "b", "B"]) -> list[Any]:
        nonlocal length
        stored = np.ascontiguousarray(array, {"f": "<f4", "b": "i1", "B": "u1"}[kind])
        place = [length, int(stored.size), kind]
        pieces.append(stored.tobytes())
        length += stored.nbytes
        return place

    with np.errstate(over="ignore"):  # a loss beyond float32 is shown as infinite
        header: dict[str, Any] = {
            "steps": [int(moment.step) for moment in moments],
            "losses": add([moment.loss for moment in moments], "f"),
            "rates": add([moment.rate for moment in moments], "f"),
            "norms": add([moment.norms for moment in moments], "f"),
            "sources": [
                _pack_source(follow_source(run, i), i, moments, add)
                for i in range(count_shown(run))
            ],
            "path": None,
        }
        if run.surface is not None and frame is not None:
            losses = np.array([moment.loss for moment in run.moments])
            header["path"] = add(
                _find_pixels(surfaces.place_path(run.surface, losses), frame)[at], "f"
            )
    return header, b"".join(pieces)


def _pack_source(track: Track, i: int, moments: Sequence[Moment], add: Any) -> dict[str, Any]:
    both: tuple[list[Any], list[Any]] = (
        [moment.values[i] for moment in moments],
        [moment.gradients[i] for moment in moments],
    )
    packed: dict[str, Any] = {
        "form": track.form,
        "shape": track.shape,
        "most": track.most,
        "none": all(gradient is None for gradient in both[1]),
    }
    if track.form == "cells":
        packed["arrays"] = [add([_fill(one, track.shape) for one in side], "f") for side in both]
        return packed
    packed["statistics"] = [add([_describe(one) for one in side], "f") for side in both]
    if track.form == "map":
        packed["arrays"] = [
            add([_tint(_fill(one, track.shape), most) for one in side], "b")
            for side, most in zip(both, track.most, strict=True)
        ]
        return packed
    packed["ranges"] = track.ranges
    packed["arrays"] = [
        add([_count(one, ends) for one in side], "B")
        for side, ends in zip(both, track.ranges, strict=True)
    ]
    return packed


def _find_most(arrays: Sequence[np.ndarray]) -> float:
    most = 0.0
    for array in arrays:
        sizes = np.abs(array.astype(np.float64))
        most = max(most, float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)))
    return most


def _find_range(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for array in arrays:
        finite = np.isfinite(array)
        low = min(low, float(np.min(array, where=finite, initial=np.inf)))
        high = max(high, float(np.max(array, where=finite, initial=-np.inf)))
    if not low <= high:
        return (-1.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _fill(array: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """NaN where TensorFlow gave no gradient: the page says None there."""
    return np.full(shape, np.nan) if array is None else array


def _tint(array: np.ndarray, most: float) -> np.ndarray:
    """The root of each entry's share of the greatest, with its sign: -127 to 127."""
    shares = np.nan_to_num(np.abs(array) / (most or 1.0), nan=0.0, posinf=1.0)
    tints = np.sign(np.nan_to_num(array)) * np.round(DARKEST * np.sqrt(np.minimum(shares, 1.0)))
    return np.where(np.isfinite(array), tints, BAD)


def _count(array: np.ndarray | None, ends: tuple[float, float]) -> np.ndarray:
    """Heights of a histogram over the axis that all steps share, the highest 255."""
    if array is None:
        return np.zeros(BINS)
    finite = array[np.isfinite(array)].astype(np.float64)
    counts, _edges = np.histogram(finite, BINS, ends)
    return np.ceil(255 * counts / max(1, counts.max()))


def _describe(array: np.ndarray | None) -> list[float]:
    """Smallest, greatest, mean and norm of the finite entries; NaN where there are none."""
    if array is None or not (finite := array[np.isfinite(array)].astype(np.float64)).size:
        return [np.nan] * 4
    return [finite.min(), finite.max(), finite.mean(), float(np.linalg.norm(finite))]


def _find_pixels(places: np.ndarray, frame: Frame) -> np.ndarray:
    """Places in the picture, [moments, 2]; NaN where a place is not finite or outside."""
    (x0, x1), (y0, y1) = frame.x, frame.y
    across = frame.left + frame.width * (places[:, 0] - x0) / (x1 - x0)
    down = frame.top + frame.height * (y1 - places[:, 1]) / (y1 - y0)
    inside = (
        (places[:, 0] >= x0) & (places[:, 0] <= x1) & (places[:, 1] >= y0) & (places[:, 1] <= y1)
    )
    return np.where(inside[:, None], np.column_stack([across, down]), np.nan)
