"""A whole %%gradtape cell with its report, against one annotated matplotlib heatmap."""

from __future__ import annotations

import io
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from shells import count_message_bytes, run, start_shell
from timing import Row, alternate, write_milliseconds
from workloads import make_lesson

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED = 1.0
MESSAGES = 300.0


def draw_heatmap(values: np.ndarray) -> bytes:
    """The smallest annotated heatmap: colours, one number a cell, a PNG."""
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(values, cmap="RdBu")
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def measure() -> Iterator[tuple[str, list[Row]]]:
    """What the magic adds to the hand-written cell in the same shell, and what it sends."""
    work, shell = make_lesson(), start_shell()
    shell.user_ns.update(work.names)
    values = work.names["w"].numpy()
    plain, magic, heatmap = alternate(
        [
            lambda: run(shell, work.block_with_gradient),
            lambda: run(shell, work.magic),
            lambda: draw_heatmap(values),
        ],
        100,
    )
    added = statistics.median(b - a for a, b in zip(plain, magic, strict=True))
    one = statistics.median(heatmap)
    against = (
        f"one annotated heatmap, {write_milliseconds(heatmap)}; "
        f"the cell by hand {write_milliseconds(plain)}"
    )
    rows = [Row("added by the magic", added / one, "x", ADDED, against, len(plain))]
    yield "crossentropy as a whole cell, everything rendered", rows
    yield "Messages to the browser", [_measure_messages(shell, work.magic)]


def _measure_messages(shell: Any, magic: str) -> Row:
    size = count_message_bytes(shell, f"{magic}# another cell\n")
    what = "all messages of the cell: static report, widget, text"
    return Row("crossentropy", size / 1000, "kB", MESSAGES, what)
