"""Jacobians and the Hessian: tables where they are small, else maps and statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.core.summary import format_index, summarize
from gradmagic.render.cells import draw_map, measure, render_legend, render_statistics, render_table
from gradmagic.render.markup import Html, join, shorten, tag
from gradmagic.render.names import describe_statistics, format_shape, name_target

if TYPE_CHECKING:
    from gradmagic.core.records import Gradient, Hessian, Summary, TapeRun

ROWS, COLUMNS = 16, 12  # of a table
MAP = 64  # rows and columns of a map
LABELS = 400  # pixels that a map takes at most


def render_jacobian(gradient: Gradient, run: TapeRun) -> Html:
    """d target / d source: a row for each entry of the target, a column for each of the source."""
    jacobian = gradient.jacobian
    assert jacobian is not None
    target, name = shorten(run.target.name, 40), shorten(gradient.name)
    outputs = tuple(size or 0 for size in run.target.value.shape)
    inputs = tuple(size or 0 for size in jacobian.shape[len(outputs) :])
    title = _("Jacobian, d {target} / d {name}").format(target=target, name=name)
    rows = [f"{target}{format_index(index)}" for index in _list_indices(outputs, ROWS)]
    columns = [f"{name}{format_index(index)}" for index in _list_indices(inputs, COLUMNS)]
    size = (math.prod(outputs), math.prod(inputs))
    words = _("A row for each entry of {target}, a column for each entry of {name}.").format(
        target=target, name=name
    )
    body = _render_matrix(jacobian, size, title, rows, columns)
    return tag(
        "div",
        tag("p", f"{title} ", tag("span", format_shape(jacobian.shape)), class_="gm-s gm-g"),
        tag("div", body, class_="gm-scroll"),
        tag("p", words, class_="gm-s"),
        class_="gm-part",
    )


def render_hessian(hessian: Hessian, run: TapeRun) -> Html:
    """d² target / d sources²: a row and a column for each entry of the sources."""
    names = [shorten(name, 30) for name in hessian.names]
    listed = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    title = _("Hessian, d² {target} / d {sources}²").format(
        target=name_target(run.target), sources=listed
    )
    count = hessian.matrix.shape[0]
    labels = [
        f"{name}[{i}]" if size > 1 else name
        for name, size in zip(names, hessian.sizes, strict=True)
        for i in range(size if count <= COLUMNS else 0)
    ]
    starts = np.cumsum((0, *hessian.sizes))[1:-1].tolist()
    body = _render_matrix(
        summarize(hessian.matrix), hessian.matrix.shape, title, labels, labels, starts
    )
    words = _(
        "Row and column are entries of the sources, each flattened; lines part the sources. "
        "It tells how each gradient changes with each entry."
    )
    return tag(
        "article",
        tag("header", tag("b", title), " ", tag("span", f"[{count}, {count}]", class_="gm-s")),
        tag("div", body, class_="gm-scroll"),
        tag("p", words, class_="gm-s"),
        class_="gm-src",
    )


def _list_indices(shape: tuple[int, ...], limit: int) -> list[tuple[int, ...]]:
    return list(np.ndindex(*shape)) if math.prod(shape) <= limit else []


def _render_matrix(
    summary: Summary,
    size: tuple[int, ...],
    title: str,
    rows: list[str],
    columns: list[str],
    starts: list[int] | None = None,
) -> Html:
    """Numbers, or a map and statistics, or statistics alone; ``starts`` begin new blocks."""
    values = summary.values
    if values is None or not values.size or max(size) > MAP:
        return render_statistics(describe_statistics(summary), gradient=True)
    matrix = values.reshape(size)
    most = measure(matrix)
    if rows and columns:
        table = render_table(matrix, most, title, rows=rows, columns=columns)
        table = _rule_blocks(table, starts or [])
        return join(table, render_legend(most, None, matrix))
    if matrix.dtype.kind not in "iuf":
        return render_statistics(describe_statistics(summary), gradient=True)
    cell = max(3, min(16, LABELS // max(size)))
    drawn = draw_map(matrix[None], most, title, cell=(cell, cell))
    return join(drawn, render_statistics(describe_statistics(summary), gradient=True))


def _rule_blocks(table: Html, starts: list[int]) -> Html:
    """Lines before the rows and columns in which another source begins."""
    if not starts:
        return table
    head, body = str(table).split("<tbody>")
    lines = body.split("<tr>")
    ruled = []
    for row, line in enumerate(lines):
        cells = line.split('<td class="')
        for start in starts:
            if start + 1 < len(cells):
                cells[start + 1] = f"gm-left {cells[start + 1]}"
        opened = "" if row == 0 else '<tr class="gm-over">' if row - 1 in starts else "<tr>"
        ruled.append(opened + '<td class="'.join(cells))
    return Html(f"{head}<tbody>{''.join(ruled)}")
