"""Small arrays as strips of tinted cells, for the edges of a graph."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.render.numbers import tint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradmagic.core.records import Summary

CELL = 6  # px
PITCH = 7  # px from cell to cell
MOST_ROWS = 8
STEP = 4  # tints are rounded to it, so that equal cells share a path


def pick_cells(summary: Summary | None, most: int) -> np.ndarray | None:
    """The entries [rows, columns] where they can be shown as at most ``most`` cells; else None."""
    if summary is None or summary.layout != "dense" or summary.values is None:
        return None
    values = summary.values
    numeric = values.dtype.kind in "biuf"
    if not numeric or values.ndim > 2 or not 0 < values.size <= most:
        return None
    cells = np.atleast_2d(values)
    return cells if len(cells) <= MOST_ROWS else None


def find_largest(arrays: Iterable[np.ndarray | None]) -> float:
    """The greatest finite magnitude in all of ``arrays``: the end of the scale they share."""
    largest = 0.0
    for array in arrays:
        if array is not None:
            magnitudes = np.abs(array.astype(np.float64))
            largest = max(largest, float(np.max(magnitudes, where=np.isfinite(magnitudes),
                                                initial=0.0)))  # fmt: skip
    return largest


def measure_strip(cells: np.ndarray) -> tuple[int, int]:
    """Width and height in px."""
    rows, columns = cells.shape
    return columns * PITCH - 1, rows * PITCH - 1


def draw_strip(cells: np.ndarray, x: float, middle: float, largest: float) -> str:
    """SVG of ``cells`` with the left border at ``x``, centred on ``middle``."""
    paths: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row, entries in enumerate(cells.tolist()):
        for column, entry in enumerate(entries):
            sign, share = tint(float(entry), largest)
            left, top = column * PITCH, row * PITCH
            if sign == "x":  # a cross: told apart without colour
                paths[sign, 0].append(f"M{left + 1} {top + 1}l4 4m0-4l-4 4")
                continue
            if sign != "z":
                share = min(100, max(STEP, STEP * round(share / STEP)))
            paths[sign, share].append(f"M{left} {top + CELL // 2}h{CELL}")
    top = round(middle - measure_strip(cells)[1] / 2)
    drawn = "".join(
        f'<path class="{sign}"{_style(share)} d="{"".join(parts)}"/>'
        for (sign, share), parts in paths.items()
    )
    return f'<g class="gm-strip" transform="translate({round(x)} {top})">{drawn}</g>'


def _style(share: int) -> str:
    return f' style="--t:{share}"' if share else ""
