"""One tensor as a panel: the form that suits its size, of numbers, cells, tiles or a histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Histogram
from gradmagic.core.summary import BINS, format_index
from gradmagic.render.cells import (
    LEGEND,
    WIDE,
    draw_map,
    format_word,
    render_rows,
    render_table,
)
from gradmagic.render.markup import Html, escape, join, tag
from gradmagic.render.numbers import MINUS, format_number

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradmagic.core.records import Summary

ROWS, COLUMNS = 16, 12  # of a table
VECTOR, VECTOR_COLUMNS = 60, 10  # entries of a vector shown as a table, in rows of ten
SLICES, SLICED = 6, 96  # of an array of higher rank: slices, and entries in all
KERNEL = 36  # entries of a convolution kernel that is shown in numbers
MAP = 64  # rows and columns of an array drawn as a map
MAP_HEIGHT = 160
WORDS = 8  # strings shown

Form = Literal["nothing", "empty", "words", "scalar", "table", "tiles", "map", "histogram"]


@dataclass(frozen=True)
class Grid:
    """Entries of a small array as planes of rows and columns, [planes, rows, columns].

    ``rows`` are the rows' labels, empty where there is only one row; ``titles`` the planes' labels,
    empty where there is only one plane. ``place`` maps an entry's index to plane, row and column.
    """

    planes: np.ndarray
    rows: tuple[str, ...]
    titles: tuple[str, ...]
    kernel: bool = False

    def place(self, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Plane, row and column of the entry at ``index`` of an array of ``shape``."""
        if self.kernel:
            index = (*index[2:], *index[:2])
            shape = (*shape[2:], *shape[:2])
        flat = int(np.ravel_multi_index(index, shape)) if shape else 0
        if len(shape) == 1:  # a vector, perhaps broken into rows
            return 0, *divmod(flat, self.planes.shape[2])
        plane, row, column = np.unravel_index(flat, self.planes.shape)
        return int(plane), int(row), int(column)


def choose_form(summary: Summary | None) -> Form:
    """The form that suits a tensor."""
    if summary is None:
        return "nothing"
    if not summary.size:
        return "empty"
    if summary.values is not None and summary.values.dtype.kind not in "iufc":
        return "words"
    if not summary.shape:
        return "scalar"
    if arrange(summary) is not None:
        return "table"
    if summary.tiles is not None:
        return "tiles"
    values = summary.values
    flat = values is not None and values.ndim == 2 and values.dtype.kind in "iuf"
    return "map" if flat and values is not None and max(values.shape) <= MAP else "histogram"


def arrange(summary: Summary) -> Grid | None:
    """A small array as rows and columns; None where it is too large for that."""
    values = summary.values
    if values is None or not values.size:
        return None
    if values.ndim <= 1:
        return _arrange_vector(values.reshape(-1))
    rows, columns = values.shape[-2:]
    if values.ndim == 2:
        labels = _label_rows(summary, rows)
        return Grid(values[None], labels, ()) if rows <= ROWS and columns <= COLUMNS else None
    if summary.tiles is not None:
        if values.size > KERNEL:
            return None
        planes = np.moveaxis(values, (0, 1), (2, 3))
        titles = tuple(f"[:, :, {i}, {o}]" for i, o in np.ndindex(planes.shape[:2]))
        rows, columns = values.shape[:2]
        return Grid(planes.reshape(-1, rows, columns), _count(rows), titles, kernel=True)
    leading = values.shape[:-2]
    if values.size > SLICED or math.prod(leading) > SLICES or rows > ROWS or columns > COLUMNS:
        return None
    titles = tuple(format_index(index)[:-1] + ", :, :]" for index in np.ndindex(leading))
    return Grid(values.reshape(-1, rows, columns), _count(rows), titles)


def _arrange_vector(values: np.ndarray) -> Grid | None:
    if values.size <= COLUMNS:
        return Grid(values.reshape(1, 1, -1), (), ())
    if values.size > VECTOR:
        return None
    rows = math.ceil(values.size / VECTOR_COLUMNS)
    padded = np.full(rows * VECTOR_COLUMNS, 0, values.dtype)
    padded[: values.size] = values
    labels = tuple(str(row * VECTOR_COLUMNS) for row in range(rows))
    return Grid(padded.reshape(1, rows, VECTOR_COLUMNS), labels, ())


def _label_rows(summary: Summary, rows: int) -> tuple[str, ...]:
    if summary.layout == "slices":
        known = [str(row) for row in summary.rows or ()][:rows]
        return (*known, *("?" for _row in range(rows - len(known))))
    return _count(rows)


def _count(rows: int) -> tuple[str, ...]:
    return tuple(str(row) for row in range(rows))


def render_panel(
    summary: Summary, most: float, words: str, marked: Collection[tuple[int, ...]] = ()
) -> Html:
    """A tensor in the form that suits it, except for a histogram.

    Parameters
    ----------
    summary
        The tensor.
    most
        The magnitude of the strongest tint.
    words
        What it is, such as "value of w".
    marked
        Indices of the entries to outline.
    """
    form = choose_form(summary)
    if form == "empty":
        return tag("p", _("no entries"), class_="gm-number")
    if form == "words":
        return _render_words(summary)
    values = summary.values
    if form == "scalar" and values is not None:
        bad = None if np.isfinite(values).all() else "gm-bad"
        return tag("p", tag("span", format_scalar(values), class_=bad), class_="gm-number")
    if form == "table":
        return _render_grid(summary, most, words, marked)
    if form == "tiles" and summary.tiles is not None:
        return _draw_tiles(summary, most, words)
    if form == "map" and values is not None:
        rows, columns = values.shape
        width = max(3, min(16, LEGEND // columns))
        height = max(3, min(16, MAP_HEIGHT // rows))
        mark = next(iter(marked), None)
        place = (mark[0], mark[1]) if mark else None
        said = _("{tensor}: {rows} rows, {columns} columns").format(
            tensor=words, rows=rows, columns=columns
        )
        return draw_map(values[None], most, said, cell=(width, height), mark=place)
    return Html("")


def format_scalar(values: np.ndarray) -> str:
    """A single number, with no more digits than it needs."""
    number = values.item()
    if isinstance(number, complex) or math.isnan(number) or 0 < abs(number) < 1e-4:
        return format_number(number)
    return f"{number:.6g}".replace("-", MINUS).replace("e+", "e")


def _render_words(summary: Summary) -> Html:
    """Strings and truth values, one after the other."""
    assert summary.values is not None
    flat = [format_word(value) for value in summary.values.reshape(-1)[:WORDS]]
    more = summary.size - len(flat)
    if more > 0:
        flat.append(_n("{count} more", "{count} more", more).format(count=more))
    return tag("p", tag("code", ", ".join(flat)), class_="gm-words")


def _render_grid(
    summary: Summary, most: float, words: str, marked: Collection[tuple[int, ...]]
) -> Html:
    grid = arrange(summary)
    assert grid is not None
    assert summary.values is not None
    places = [grid.place(index, summary.values.shape) for index in marked]
    count, rows, columns = grid.planes.shape
    if count == 1:
        table = render_table(
            grid.planes[0], most, words, rows=grid.rows, marked=[place[1:] for place in places]
        )
        return _drop_padding(table, summary.size, rows * columns)
    head = join(*(tag("th", str(i), scope="col") for i in range(columns)))
    lines = [f"<thead><tr><td></td>{head}</tr></thead>"]
    for plane, title in enumerate(grid.titles):
        here = [place[1:] for place in places if place[0] == plane]
        span = f'<th colspan="{columns + 1}" scope="rowgroup">{escape(title)}</th>'
        body = render_rows(grid.planes[plane], most, rows=grid.rows, marked=here)
        lines.append(f'<tbody><tr class="gm-slice">{span}</tr>{"".join(body)}</tbody>')
    narrow = " gm-many" if columns > WIDE else ""
    return tag("table", Html("".join(lines)), class_=f"gm-t{narrow}", aria_label=words)


def _drop_padding(table: Html, size: int, cells: int) -> Html:
    """Without the cells that fill the last row of a broken vector."""
    if size >= cells:
        return table
    text, ends = str(table), "</tr></tbody></table>"
    for _cell in range(cells - size):
        text = text[: text.rindex("<td class=")] + ends
    return Html(text)


def _draw_tiles(summary: Summary, most: float, words: str) -> Html:
    """Planes of a convolution kernel, side by side."""
    assert summary.tiles is not None
    count, _height, width = summary.tiles.shape
    per_row = 8 if width <= 3 else 6 if width <= 5 else 4
    cell = min(8, LEGEND // (per_row * (width + 1) - 1))
    planes = math.prod(size or 0 for size in summary.shape[2:])
    said = _n(
        "{tensor}: {count} of {total} plane, one for each pair of input and output channel",
        "{tensor}: {count} of {total} planes, one for each pair of input and output channel",
        planes,
    ).format(tensor=words, count=count, total=planes)
    drawn = draw_map(summary.tiles, most, said, cell=(cell, cell), per_row=per_row)
    note = _("{count} of {total} planes").format(count=count, total=planes)
    return join(drawn, tag("p", note, class_="gm-s") if count < planes else None)


def find_histogram(summary: Summary) -> Histogram | None:
    """The tensor's histogram; of a small one, made here; None where all entries are equal."""
    if summary.histogram is not None or summary.values is None:
        return summary.histogram
    low, high = summary.low, summary.high
    if low is None or high is None or low == high or not math.isfinite(high - low):
        return None
    sizes = np.abs(summary.values) if summary.values.dtype.kind == "c" else summary.values
    finite = sizes[np.isfinite(sizes)].astype(np.float64)
    counts, edges = np.histogram(finite, BINS, (low, high))
    return Histogram(counts, edges)
