"""One source: its value and its gradient side by side, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.cells import render_legend, render_statistics
from gradmagic.render.derivatives import render_jacobian
from gradmagic.render.markup import Html, join, picture, shorten, tag
from gradmagic.render.names import (
    describe_statistics,
    describe_tensor,
    find_largest,
    name_entry,
    name_gradient,
)
from gradmagic.render.notes import render_causes
from gradmagic.render.numbers import format_number
from gradmagic.render.panels import arrange, choose_form, find_histogram, render_panel
from gradmagic.render.sentences import explain_binding, explain_gradient

if TYPE_CHECKING:
    from gradmagic.core.records import Gradient, Histogram, Summary, TapeRun
    from gradmagic.render.panels import Form

MARKED = 12  # entries of equal size that are outlined
SIDE_BY_SIDE = 4  # columns of tables that stand beside each other
BROAD = 6  # columns beyond which tables need more than half of a common page
NAME = 12  # characters of a name that is repeated beside the largest entry
TINTED: frozenset[Form] = frozenset({"table", "map", "tiles"})
LARGE: frozenset[Form] = frozenset({"histogram", "map", "tiles"})


def render_source(run: TapeRun, gradient: Gradient) -> Html:
    """A source's name, shape and dtype, value and gradient, and sentences about them."""
    described = describe_tensor(gradient.value, variable=gradient.variable)
    head = tag(
        "header",
        tag("code", shorten(gradient.name)),
        " ",
        tag("span", described, class_="gm-s"),
    )
    sentences = [*explain_gradient(run, gradient), explain_binding(gradient)]
    return tag(
        "article",
        head,
        tag("div", _render_pair(run, gradient), class_="gm-scroll"),
        *(tag("p", sentence, class_="gm-say") for sentence in sentences if sentence),
        render_jacobian(gradient, run) if gradient.jacobian is not None else None,
        class_="gm-src gm-wider" if _is_broad(gradient) else "gm-src",
    )


def _render_pair(run: TapeRun, gradient: Gradient) -> Html:
    """Two columns, for value and gradient; below them their scale, largest entry, statistics."""
    value, result = gradient.value, gradient.gradient
    forms = choose_form(value), choose_form(result)
    name, most = shorten(gradient.name), _find_scale(value, result)
    captions = (
        tag("div", _caption_value(value), class_="gm-s"),
        tag("div", _caption_gradient(run, gradient), class_="gm-s gm-g"),
    )
    marked = find_largest(result)[:MARKED] if result is not None and result.size > 1 else []
    histograms = [find_histogram(s) for s in (value, result) if s is not None]
    both = forms == ("histogram", "histogram") and all(histograms)
    causes = [tag("p", cause) for cause in render_causes(run.diagnoses, gradient.name)]
    below = (
        _render_below_value(gradient, forms, most),
        join(_render_below_gradient(gradient, forms, most), *(causes if result else ())),
    )
    if both:  # one picture holds the two
        words = _("Histograms of value and gradient of {name}.").format(name=name)
        picture_of_both = tag("div", _draw(histograms, words), class_="gm-both")
        under = (tag("div", part) for part in below)
        return tag("div", *captions, picture_of_both, *under, class_="gm-pair")
    words = _("gradient of {name}").format(name=name)
    shown = (
        _render_one(value, most, _("value of {name}").format(name=name), []),
        join(_render_one(result, most, words, marked), *(() if result else causes)),
    )
    stacked = "table" in forms and _count_columns(gradient) > SIDE_BY_SIDE
    if stacked:
        columns = [tag("div", caption, body) for caption, body in zip(captions, shown, strict=True)]
        columns.append(tag("div", *below, class_="gm-below"))
    else:
        parts = zip(captions, shown, below, strict=True)
        columns = [tag("div", caption, body, under) for caption, body, under in parts]
    return tag("div", *columns, class_="gm-pair gm-stacked" if stacked else "gm-pair")


def _count_columns(gradient: Gradient) -> int:
    """Columns of the wider one of the two tables."""
    grids = [arrange(s) for s in (gradient.value, gradient.gradient) if s is not None]
    return max((grid.planes.shape[2] for grid in grids if grid is not None), default=0)


def _is_broad(gradient: Gradient) -> bool:
    """Whether the loss should not stand beside this source where the page is narrow."""
    jacobian = gradient.jacobian
    columns = 0 if jacobian is None else jacobian.size // max(1, jacobian.shape[0] or 1)
    return max(_count_columns(gradient), columns) > BROAD


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
    drawn = picture(draw_histograms(panels, words), words, class_="gm-plot")
    return join(drawn, tag("div", *axes, class_="gm-axes gm-s"))


def _render_one(
    summary: Summary | None, most: float, words: str, marked: list[tuple[int, ...]]
) -> Html:
    if summary is None:
        return tag("p", tag("code", "None"), class_="gm-number")
    if choose_form(summary) != "histogram":
        return render_panel(summary, most, words, marked)
    histogram = find_histogram(summary)
    if histogram is not None:
        return _draw([histogram], _("Histogram: {what}.").format(what=words))
    if summary.low is None:
        return tag("p", tag("span", _("no finite entry"), class_="gm-bad"), class_="gm-number")
    same = _("all entries {number}").format(number=format_number(summary.low))
    return tag("p", same, class_="gm-number")


def _render_below_value(gradient: Gradient, forms: tuple[Form, Form], most: float) -> Html:
    """The scale that value and gradient share, and the value's statistics where it is large."""
    value, result = gradient.value, gradient.gradient
    legend = None
    if forms[0] in TINTED and value is not None:
        shared = result.values if result is not None and forms[1] in TINTED else None
        legend = render_legend(most, value.values, shared)
    statistics = None
    if value is not None and forms[0] in LARGE:
        statistics = render_statistics(describe_statistics(value))
    return join(legend, statistics)


def _render_below_gradient(gradient: Gradient, forms: tuple[Form, Form], most: float) -> Html:
    """The gradient's largest entry and statistics, and its scale where the value needs none."""
    result, form = gradient.gradient, forms[1]
    if result is None:
        return Html("")
    legend = None
    if form in TINTED and forms[0] not in TINTED:
        legend = render_legend(most, None, result.values)
    return join(legend, _render_numbers(gradient, result, form))


def _render_numbers(gradient: Gradient, result: Summary, form: Form) -> Html:
    largest = _name_largest(gradient, result)
    if form in LARGE:
        statistics = render_statistics(describe_statistics(result), gradient=True)
        return join(statistics, render_statistics(largest, gradient=True) if largest else None)
    if form != "table":
        return Html("")
    bad = result.nans or result.infs
    norm = "–" if result.norm is None else format_number(result.norm, 3)
    entries = [(_("finite norm") if bad else _("norm"), norm), *largest]
    if bad:
        entries += [("NaN", f"{result.nans}"), ("Inf", f"{result.infs}")]
    return render_statistics(entries, gradient=True)


def _name_largest(gradient: Gradient, result: Summary) -> list[tuple[str, str]]:
    if result.largest is None or not result.largest[1] or result.size == 1:
        return []
    number = format_number(result.largest[1], 3)
    entry = name_entry(gradient, result.largest[0])
    if entry is None:
        return [(_("largest"), number)]
    if len(gradient.name) > NAME:  # it stands above, and there is little room here
        entry = entry[len(shorten(gradient.name)) :]
    return [(_("largest"), _("{number} at {entry}").format(number=number, entry=entry))]
