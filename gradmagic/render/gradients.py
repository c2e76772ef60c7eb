"""The report's part on gradients: each source's value and gradient, side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n
from gradmagic.render.cells import render_legend, render_statistics
from gradmagic.render.derivatives import render_hessian, render_jacobian
from gradmagic.render.markup import Html, escape, join, picture, shorten, tag
from gradmagic.render.numbers import format_number
from gradmagic.render.panels import choose_form, find_histogram, render_panel
from gradmagic.render.sentences import (
    describe_statistics,
    describe_tensor,
    explain_binding,
    explain_gradient,
    find_largest,
    name_entry,
    name_gradient,
)

if TYPE_CHECKING:
    from gradmagic.core.records import Diagnosis, Gradient, Histogram, Summary, TapeRun

FULL = 8  # sources shown in full
FULL_BYTES = 48_000  # what they may take together
ROW_BYTES = 40_000  # and the table of all others
MARKED = 12  # entries of equal size that are outlined


def render_gradients(run: TapeRun) -> Html:
    """All sources: the first ones in full, all others as rows of one table."""
    shown, used = [], 0
    for gradient in run.gradients[:FULL]:
        section = _render_source(run, gradient)
        used += len(section.encode())
        if shown and used > FULL_BYTES:
            break
        shown.append(section)
    others = run.gradients[len(shown) :]
    if not run.gradients:
        shown.append(tag("p", _("The tape watched nothing, so there is no gradient.")))
    return join(
        *shown,
        _render_others(others, len(shown)) if others else None,
        render_hessian(run.hessian, run) if run.hessian is not None else None,
        tag("p", _explain_tints(), class_="gm-s gm-tints"),
    )


def list_shown(run: TapeRun) -> set[str]:
    """Names of the sources whose diagnoses stand beside them."""
    return {gradient.name for gradient in run.gradients[:FULL]}


def _explain_tints() -> str:
    return _(
        "Green is above 0, violet below; the tint grows with the square root of the number. "
        "A source has one scale for both tables: ticks above it are values, below it gradients."
    )


def _render_source(run: TapeRun, gradient: Gradient) -> Html:
    described = describe_tensor(gradient.value, variable=gradient.variable)
    head = tag(
        "header",
        tag("code", shorten(gradient.name)),
        " ",
        tag("span", described, class_="gm-s"),
    )
    sentences = [*explain_gradient(run, gradient), explain_binding(gradient)]
    fixes = [d for d in run.diagnoses if d.subject == gradient.name and d.fix]
    return tag(
        "article",
        head,
        tag("div", _render_pair(run, gradient), class_="gm-scroll"),
        *(tag("p", sentence, class_="gm-say") for sentence in sentences if sentence),
        *(render_fix(diagnosis) for diagnosis in fixes),
        render_jacobian(gradient, run) if gradient.jacobian is not None else None,
        class_="gm-src",
    )


def render_fix(diagnosis: Diagnosis) -> Html:
    """Code to type instead."""
    return tag(
        "div",
        tag("span", _("type instead"), class_="gm-s"),
        " ",
        tag("pre", tag("code", diagnosis.fix[:2000])),
        class_="gm-fix",
    )


def _render_pair(run: TapeRun, gradient: Gradient) -> Html:
    """Captions, both tensors, their scale and statistics: a grid of two columns."""
    value, result = gradient.value, gradient.gradient
    forms = choose_form(value), choose_form(result)
    name = shorten(gradient.name)
    cells = [
        tag("div", _caption_value(value), class_="gm-s"),
        tag("div", _caption_gradient(run, gradient), class_="gm-s gm-g"),
    ]
    most = _find_scale(value, result)
    marked = find_largest(result)[:MARKED] if result is not None else []
    alone = result is not None and result.size == 1
    histograms = [_take_histogram(value, forms[0]), _take_histogram(result, forms[1])]
    if all(histograms):
        cells.append(_draw_histograms(histograms, name))
    else:
        cells.append(
            _render_one(value, histograms[0], most, _("value of {name}").format(name=name), ())
        )
        cells.append(
            _render_one(
                result,
                histograms[1],
                most,
                _("gradient of {name}").format(name=name),
                () if alone else marked,
            )
        )
    cells += _render_below(gradient, forms, most)
    stacked = " gm-stacked" if _is_wide(value) or _is_wide(result) else ""
    return tag("div", *cells, class_=f"gm-pair{stacked}")


def _is_wide(summary: Summary | None) -> bool:
    """Whether two such tables do not fit side by side."""
    return summary is not None and choose_form(summary) == "table" and _count_columns(summary) > 5


def _count_columns(summary: Summary) -> int:
    assert summary.values is not None
    return 1 if summary.values.ndim == 0 else summary.values.shape[-1]


def _caption_value(value: Summary | None) -> str:
    if value is None or value.layout == "dense":
        return _("value")
    return _("value, its stored entries")


def _caption_gradient(run: TapeRun, gradient: Gradient) -> str:
    what = name_gradient(run, gradient)
    result = gradient.gradient
    if result is not None and result.layout == "slices":
        return _("gradient, {derivative}, as IndexedSlices").format(derivative=what)
    return _("gradient, {derivative}").format(derivative=what)


def _find_scale(value: Summary | None, gradient: Summary | None) -> float:
    """One scale a source: the greatest magnitude in value and gradient."""
    ends = [0.0]
    for summary in (value, gradient):
        if summary is None or summary.dtype.startswith("complex"):
            continue
        if summary.low is not None and summary.high is not None:
            ends += [abs(summary.low), abs(summary.high)]
    return max(ends)


def _take_histogram(summary: Summary | None, form: str) -> Histogram | None:
    return find_histogram(summary) if summary is not None and form == "histogram" else None


def _draw_histograms(histograms: list[Histogram | None], name: str) -> Html:
    return tag(
        "div",
        _draw(histograms, _("Histograms of value and gradient of {name}.").format(name=name)),
        class_="gm-both",
    )


def _draw(histograms: list[Histogram | None], words: str) -> Html:
    """Histograms, and the ends of their axes below them."""
    from gradmagic.render.plots import draw_histograms  # brings matplotlib along

    panels = [histogram for histogram in histograms if histogram is not None]
    axes = [
        tag(
            "span",
            tag("span", format_number(float(panel.edges[0]), 3)),
            " ",
            tag("span", format_number(float(panel.edges[-1]), 3)),
            class_="gm-axis",
        )
        for panel in panels
    ]
    drawn = picture(draw_histograms(panels, words))
    return join(drawn, tag("div", *axes, class_="gm-axes gm-s", aria_hidden="true"))


def _render_one(
    summary: Summary | None,
    histogram: Histogram | None,
    most: float,
    words: str,
    marked: list[tuple[int, ...]] | tuple[()],
) -> Html:
    if summary is None:
        return tag("p", tag("code", "None"), class_="gm-number gm-none")
    if histogram is not None:
        return tag("div", _draw([histogram], _("Histogram: {what}.").format(what=words)))
    if choose_form(summary) == "histogram":  # all entries are equal, or none is finite
        if summary.low is None:
            return tag("p", _("no finite entry"), class_="gm-number gm-bad")
        same = _("all entries {number}").format(number=format_number(summary.low))
        return tag("p", same, class_="gm-number")
    return tag("div", render_panel(summary, most, words, marked))


def _render_below(gradient: Gradient, forms: tuple[str, str], most: float) -> list[Html]:
    """Under small arrays the scale and the largest entry, under large ones the statistics."""
    value, result = gradient.value, gradient.gradient
    large = {"histogram", "tiles", "map"}
    left: Html | None = None
    if forms[0] in large and value is not None:
        left = render_statistics(describe_statistics(value))
    elif "table" in forms:
        left = render_legend(
            most,
            value.values if value is not None else None,
            result.values if result is not None else None,
        )
    right: Html | None = None
    if result is not None and forms[1] in large:
        entries = [*describe_statistics(result), *_name_largest(gradient, result)]
        right = render_statistics(entries, gradient=True)
    elif result is not None and forms[1] == "table":
        right = render_statistics(_list_short(gradient, result), gradient=True)
    if left is None and right is None:
        return []
    return [left or tag("div"), right or tag("div")]


def _list_short(gradient: Gradient, result: Summary) -> list[tuple[str, str]]:
    norm = "–" if result.norm is None else format_number(result.norm, 3)
    entries = [(_("norm"), norm), *_name_largest(gradient, result)]
    if result.nans or result.infs:
        entries += [("NaN", f"{result.nans}"), ("Inf", f"{result.infs}")]
    return entries


def _name_largest(gradient: Gradient, result: Summary) -> list[tuple[str, str]]:
    if result.largest is None or not result.largest[1] or result.size == 1:
        return []
    number = format_number(result.largest[1], 3)
    entry = name_entry(gradient, result.largest[0])
    if entry is None:
        return [(_("largest"), number)]
    return [(_("largest"), _("{number} at {entry}").format(number=number, entry=entry))]


def _render_others(others: tuple[Gradient, ...], before: int) -> Html:
    """All further sources, a row each: names, norms, zeros and NaN."""
    norms = [g.gradient.norm for g in others if g.gradient is not None and g.gradient.norm]
    scale = (min(norms), max(norms)) if norms else (1.0, 1.0)
    rows, used = [], 0
    for gradient in others:
        row = _render_row(gradient, scale)
        used += len(row.encode())
        if used > ROW_BYTES:
            break
        rows.append(row)
    left = len(others) - len(rows)
    names = (_("source"), _("shape"), _("norm of value"), _("norm of gradient"), "", _("zeros"), "NaN")
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


def _render_row(gradient: Gradient, scale: tuple[float, float]) -> Html:
    value, result = gradient.value, gradient.gradient
    norm = "–" if value is None or value.norm is None else format_number(value.norm, 3)
    shape = "–" if value is None else describe_tensor(value)
    cells = [tag("th", tag("code", shorten(gradient.name, 48)), scope="row"), tag("td", shape)]
    cells.append(tag("td", norm))
    if result is None:
        cells.append(tag("td", "None", colspan="4", class_="gm-g"))
        return tag("tr", *cells)
    size = "–" if result.norm is None else format_number(result.norm, 3)
    width = _measure_bar(result.norm or 0.0, scale)
    bar = f'<td><span class="gm-bar" style="width:{width}px"></span></td>' if width else "<td></td>"
    zeros = f"{100 * result.zeros / result.size:.0f} %" if result.size else "–"
    bad = f'<td class="gm-bad">{result.nans}</td>' if result.nans else "<td>0</td>"
    cells.append(tag("td", size, class_="gm-g"))
    cells.append(Html(f"{bar}<td>{escape(zeros)}</td>{bad}"))
    return tag("tr", *cells)


def _measure_bar(norm: float, scale: tuple[float, float]) -> int:
    """Pixels of a bar: 4 for the smallest norm, 64 for the largest, on a logarithmic scale."""
    if not norm or not math.isfinite(norm):
        return 0
    low, high = (math.log10(end) for end in scale)
    share = (math.log10(norm) - low) / (high - low) if high > low else 1.0
    return round(4 + 60 * share)


