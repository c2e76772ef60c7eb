"""Many sources in one table: a row each, with the gradient's norm as a bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n
from gradmagic.render.markup import Html, escape, shorten, tag
from gradmagic.render.names import describe_tensor
from gradmagic.render.notes import render_cause
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Diagnosis, Gradient

ROW_BYTES = 40_000  # what the table may take


def render_others(
    others: tuple[Gradient, ...], before: int, diagnoses: Sequence[Diagnosis] = ()
) -> Html:
    """The further sources as rows of one table: names, norms, zeros and NaN.

    ``before`` is the number of sources that stand above it in full. The title of each one's first
    diagnosis stands in its row.
    """
    norms = [g.gradient.norm for g in others if g.gradient is not None and g.gradient.norm]
    scale = (min(norms), max(norms)) if norms else (1.0, 1.0)
    rows, used = [], 0
    causes: dict[str, Diagnosis] = {}
    for diagnosis in diagnoses:
        causes.setdefault(diagnosis.subject, diagnosis)
    for gradient in others:
        known = causes.get(gradient.name) if used < ROW_BYTES // 2 else None
        row = _render_row(gradient, scale, known)
        used += len(row.encode())
        if used > ROW_BYTES:
            break
        rows.append(row)
    left = len(others) - len(rows)
    norms_of = _("norm of value"), _("norm of gradient")
    names = (_("source"), _("shape"), *norms_of, "", _("zeros"), "NaN")
    head = tag("tr", *(tag("th", name, scope="col") if name else tag("td") for name in names))
    title = _n("{count} further source", "{count} further sources", len(others)) if before else ""
    note = _(
        "The bars show the gradient's norm on a logarithmic scale, from {low} to {high}."
    ).format(low=format_number(scale[0], 2), high=format_number(scale[1], 2))
    more = _n(
        "{count} more source is left out here; gradmagic.last_run().gradients has all.",
        "{count} more sources are left out here; gradmagic.last_run().gradients has all.",
        left,
    ).format(count=left)
    table = tag(
        "table",
        Html(f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody>"),
        class_="gm-list",
        aria_label=title.format(count=len(others)) or _("sources"),
    )
    return tag(
        "article",
        tag("header", tag("b", title.format(count=len(others)))) if title else None,
        tag("div", table, class_="gm-scroll"),
        tag("p", more, class_="gm-say") if left else None,
        tag("p", note, class_="gm-s") if len(norms) > 1 else None,
        class_="gm-src",
    )


def _render_row(
    gradient: Gradient, scale: tuple[float, float], diagnosis: Diagnosis | None
) -> Html:
    value, result = gradient.value, gradient.gradient
    norm = "–" if value is None or value.norm is None else format_number(value.norm, 3)
    shape = "–" if value is None else describe_tensor(value)
    cells = [tag("th", tag("code", shorten(gradient.name, 48)), scope="row"), tag("td", shape)]
    cells.append(tag("td", norm))
    cause = None if diagnosis is None else render_cause(diagnosis)
    if result is None:
        none = tag("span", "None", class_="gm-g")
        return tag("tr", *cells, tag("td", none, cause, colspan="5"))
    size = "–" if result.norm is None else format_number(result.norm, 3)
    width = _measure_bar(result.norm or 0.0, scale)
    bar = f'<td><span class="gm-bar" style="width:{width}px"></span></td>' if width else "<td></td>"
    zeros = f"{100 * result.zeros / result.size:.0f} %" if result.size else "–"
    bad = f'<td class="gm-bad">{result.nans}</td>' if result.nans else "<td>0</td>"
    cells.append(tag("td", size, class_="gm-g"))
    cells.append(Html(f"{bar}<td>{escape(zeros)}</td>{bad}"))
    if cause is not None:
        cells.append(tag("td", cause))
    return tag("tr", *cells)


def _measure_bar(norm: float, scale: tuple[float, float]) -> int:
    """Pixels of a bar: 4 for the smallest norm, 64 for the largest, on a logarithmic scale."""
    if not norm or not math.isfinite(norm):
        return 0
    low, high = (math.log10(end) for end in scale)
    share = (math.log10(norm) - low) / (high - low) if high > low else 1.0
    return round(4 + 60 * share)
