"""Small arrays as tables of tinted cells, and as pictures of them where numbers no longer fit."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.render.markup import Html, escape, join, picture, tag
from gradmagic.render.numbers import MINUS, format_column, format_number, tint

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LEGEND = 196  # width of a colour scale, and the most that a picture of cells takes
WIDE = 3  # columns of a table with wide cells
LEVELS = 12  # steps of tint in a picture; a table has 100


def format_cells(values: np.ndarray) -> list[str]:
    """The entries of one table, written so that they align."""
    flat = values.reshape(-1)
    if flat.dtype.kind in "iu":
        return [str(int(v)).replace("-", MINUS) for v in flat]
    if flat.dtype.kind == "c":
        return [format_number(complex(v), 3) for v in flat]
    if flat.dtype.kind == "f":
        return format_column(flat.tolist())
    return [format_word(v) for v in flat]


def format_word(value: object, length: int = 24) -> str:
    """An entry that is no number: a string as it is, cut; True or False."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def measure(*arrays: np.ndarray | None) -> float:
    """The greatest magnitude of all finite entries: the end of the colour scale."""
    most = 0.0
    for array in arrays:
        if array is not None and array.size and array.dtype.kind in "iuf":
            sizes = np.abs(array.astype(np.float64))
            most = max(most, float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)))
    return most


def render_table(
    values: np.ndarray,
    most: float,
    words: str,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    marked: Collection[tuple[int, ...]] = (),
) -> Html:
    """A 2-dimensional array as a table of tinted cells.

    Parameters
    ----------
    values
        The entries, [rows, columns].
    most
        The magnitude of the strongest tint.
    words
        What the table holds, for those who do not see it.
    rows, columns
        Their labels; the columns' are their numbers where it is None, the rows have none.
    marked
        Indices of the cells to outline.
    """
    columns = [str(i) for i in range(values.shape[1])] if columns is None else columns
    head = join(*(tag("th", label, scope="col") for label in columns))
    lines = [f"<thead><tr><td></td>{head}</tr></thead><tbody>"]
    lines += render_rows(values, most, rows=rows, marked=marked)
    narrow = " gm-many" if values.shape[1] > WIDE else ""
    return tag("table", Html("".join(lines) + "</tbody>"), class_=f"gm-t{narrow}", aria_label=words)


def render_rows(
    values: np.ndarray,
    most: float,
    *,
    rows: Sequence[str] | None = None,
    marked: Collection[tuple[int, ...]] = (),
) -> list[str]:
    """The ``<tr>`` of :func:`render_table`, one a row."""
    written, width = format_cells(values), values.shape[1]
    tinted = values.dtype.kind in "iuf"
    flat = values.reshape(-1).tolist()
    outlined = {row * width + column for row, column in marked}
    lines = []
    for row in range(values.shape[0]):
        label = escape(rows[row]) if rows else ""
        cells = [f'<tr><th scope="row">{label}</th>' if label else "<tr><td></td>"]
        for i in range(row * width, (row + 1) * width):
            kind, share = tint(flat[i], most) if tinted else ("z", 0)
            if i in outlined:
                kind += " gm-max"
            style = f" style=--t:{share}" if share and kind[0] in "pn" else ""
            cells.append(f'<td class="{kind}"{style}>{escape(written[i])}</td>')
        lines.append("".join(cells) + "</tr>")
    return lines


def render_legend(most: float, value: np.ndarray | None, gradient: np.ndarray | None) -> Html:
    """The colour scale from -most to most, with a tick for each value above and gradient below."""
    if not most:
        return Html("")
    known = [array for array in (value, gradient) if array is not None]
    if known and all(array.dtype.kind in "iu" for array in known):
        low, high = f"{MINUS}{most:g}", f"{most:g}"
    else:
        low, high = format_column([-most, most])
    ends = low, "0", high
    words = _(
        "Colour scale from {low} to {high}; ticks above it are values, ticks below it gradients."
    ).format(low=low, high=high)
    left, zero, right = (
        f'<text x="{x}" y="33"{anchor}>{end}</text>'
        for x, anchor, end in zip(
            (0, LEGEND / 2, LEGEND),
            ("", ' text-anchor="middle"', ' text-anchor="end"'),
            ends,
            strict=True,
        )
    )
    drawing = (
        f'<svg class="gm-scale" width="{LEGEND}" height="34" role="img" '
        f'aria-label="{escape(words)}"><path class="gm-tick" d="{_draw_ticks(value, most, 0)}"/>'
        f'<path class="gm-tick gm-g" d="{_draw_ticks(gradient, most, 15)}"/>'
        f"{left}{zero}{right}</svg>"
    )
    return picture(drawing, class_="gm-legend")


def _draw_ticks(values: np.ndarray | None, most: float, top: int) -> str:
    """One tick for each half pixel that has a value: however many values, the path stays short."""
    if values is None or values.dtype.kind not in "iuf":
        return ""
    shares = values.astype(np.float64).reshape(-1) / most
    places = np.unique(np.round((shares[np.isfinite(shares)] + 1) * (LEGEND - 1)) / 2 + 0.5)
    return "".join(f"M{place:g} {top}v5" for place in places.tolist())


def draw_map(
    planes: np.ndarray,
    most: float,
    words: str,
    *,
    cell: tuple[int, int],
    per_row: int = 1,
    mark: tuple[int, int] | None = None,
) -> Html:
    """Planes [planes, rows, columns] as a picture, a tinted cell an entry, one cell between planes.

    Cells of one sign and one of ``LEVELS`` tints are one path in units of cells, so the picture
    stays small. NaN and infinite entries are crossed out.

    Parameters
    ----------
    planes
        The entries.
    most
        The magnitude of the strongest tint.
    words
        What the picture shows, for those who do not see it.
    cell
        Width and height of a cell in pixels.
    per_row
        Planes beside each other.
    mark
        Row and column of a cell of the first plane to outline.
    """
    count, rows, columns = planes.shape
    across = min(per_row, count)
    width = across * (columns + 1) - 1
    height = math.ceil(count / across) * (rows + 1) - 1
    paths: dict[tuple[str, int], list[str]] = defaultdict(list)
    for index, plane in enumerate(planes.tolist()):
        left, top = (index % across) * (columns + 1), (index // across) * (rows + 1)
        paths["z", 0].append(f"M{left} {top}h{columns}v{rows}h-{columns}z")
        for row, entries in enumerate(plane):
            for column, entry in enumerate(entries):
                kind, share = tint(entry, most)
                x, y = left + column, top + row
                if kind == "x":  # told apart without colour
                    paths["x", 0].append(f"M{x} {y}l1 1m-1 0l1-1")
                elif kind != "z":
                    paths[kind, math.ceil(share * LEVELS / 100)].append(f"M{x} {y}h1")
    shapes = "".join(
        f'<path class="{kind}"{_shade(level)} d="{"".join(moves)}"/>'
        for (kind, level), moves in sorted(paths.items(), key=lambda item: "zpnx".index(item[0][0]))
    )
    if mark is not None:
        shapes += f'<path class="gm-mark" d="M{mark[1]} {mark[0]}h1v1h-1z"/>'
    drawing = (
        f'<svg class="gm-map" width="{width * cell[0]}" height="{height * cell[1]}" role="img" '
        f'viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'aria-label="{escape(words)}">{shapes}</svg>'
    )
    return picture(drawing, words, class_="gm-mapped")


def _shade(level: int) -> str:
    return f' style="--t:{round(100 * level / LEVELS)}"' if level else ""


def render_statistics(entries: Sequence[tuple[str, str]], *, gradient: bool = False) -> Html:
    """Names and numbers, one under the other, or in two columns where they are many."""
    items = [tag("div", tag("dt", name), " ", tag("dd", number)) for name, number in entries]
    kind = "gm-stat"
    if len(entries) > 4:
        kind += " gm-two-columns"
    return tag("dl", *items, class_=f"{kind} gm-g" if gradient else kind)
