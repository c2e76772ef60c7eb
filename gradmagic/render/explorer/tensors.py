"""A tensor in a line or a small table: for sentences, where a whole panel would be too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.render.cells import format_cells, measure, render_statistics
from gradmagic.render.markup import Html, escape, join, picture, shorten, tag
from gradmagic.render.names import describe_statistics, find_largest, format_shape
from gradmagic.render.numbers import format_number
from gradmagic.render.panels import choose_form, find_histogram, format_scalar, render_panel

if TYPE_CHECKING:
    from gradmagic.core.records import Node, Summary

NAME = 28  # columns of a tensor's name in a sentence
WRITTEN = 6  # entries of a vector that is written out
TABLE = 24  # entries of a table in a sentence
MARKED = 12  # entries of equal size that are outlined
WIDTH, HEIGHT = 196, 64  # px of a histogram


def name_tensor(node: Node, output: int = 0) -> str:
    """A tensor's Python name, or what was computed."""
    made = node.outputs[output] if output < len(node.outputs) else None
    name = made.name if made is not None else None
    return shorten(name or node.source or node.label or _("unnamed"), NAME)


def write_tensor(summary: Summary | None) -> str:
    """In a line: a number, a short vector's entries; else its shape and norm."""
    if summary is None:
        return _("unknown")
    values = summary.values
    if values is not None and values.size and choose_form(summary) != "words":
        if not summary.shape:
            return format_scalar(values)
        if values.ndim == 1 and values.size <= WRITTEN:
            return f"[{', '.join(format_cells(values))}]"
    return write_norm(summary)


def write_short(number: complex) -> str:
    """A number in a formula: four digits, without zeros at the end."""
    text = format_number(number)
    return text.rstrip("0").rstrip(".") if "." in text and not {"e", "i"} & set(text) else text


def write_norm(summary: Summary) -> str:
    """Its shape and norm: ``[4, 3], norm 0.73``."""
    shape = format_shape(summary.shape)
    if summary.nans or summary.infs:
        bad = [
            f"{count} {name}" for count, name in ((summary.nans, "NaN"), (summary.infs, "inf"))
            if count
        ]  # fmt: skip
        return _("{shape} with {bad}").format(shape=shape, bad=_(" and ").join(bad))
    if summary.norm is None:
        return shape
    return _("{shape}, norm {norm}").format(shape=shape, norm=format_number(summary.norm))


def render_tensor(summary: Summary | None, words: str) -> Html:
    """A number or a small table; else its shape and norm. ``words`` say what it is."""
    values = None if summary is None else summary.values
    tabular = summary is not None and choose_form(summary) == "table" and summary.size <= TABLE
    if summary is not None and values is not None and tabular:
        return render_panel(summary, measure(values), words)
    return tag("span", write_tensor(summary), class_=_mark(values))


def _mark(values: np.ndarray | None) -> str | None:
    """The class of a single number that is NaN or infinite."""
    single = values is not None and values.size == 1 and values.dtype.kind in "fc"
    return "gm-bad" if single and values is not None and not np.isfinite(values).all() else None


def render_part(summary: Summary | None, caption: str, words: str, *, gradient: bool) -> Html:
    """A value or a gradient in full: its caption, entries or distribution, and statistics."""
    head = tag("p", caption, class_="gm-s gm-g" if gradient else "gm-s")
    if summary is None:
        return join(head, tag("p", "–", class_="gm-number"))
    form = choose_form(summary)
    most = measure(summary.values) if summary.values is not None else _find_most(summary)
    marked = find_largest(summary)[:MARKED] if gradient and summary.size > 1 else []
    if form == "histogram":
        shown = _draw_histogram(summary, words, gradient=gradient)
    else:
        shown = tag("div", render_panel(summary, most, words, marked), class_="gm-scroll")
    statistics = None
    if form in ("histogram", "map", "tiles"):
        statistics = render_statistics(describe_statistics(summary), gradient=gradient)
    elif form == "table" and gradient and summary.norm is not None:
        entries = [(_("norm"), format_number(summary.norm, 3))]
        statistics = render_statistics(entries, gradient=True)
    return join(head, shown, statistics)


def _find_most(summary: Summary) -> float:
    return max(abs(summary.low or 0.0), abs(summary.high or 0.0))


def _draw_histogram(summary: Summary, words: str, *, gradient: bool) -> Html:
    """The distribution as one filled path; a drawing of matplotlib's would take 10 ms each."""
    histogram = find_histogram(summary)
    if histogram is None:
        if summary.low is None:
            return tag("p", _("no finite entry"), class_="gm-number gm-bad")
        same = _("all entries {number}").format(number=format_number(summary.low))
        return tag("p", same, class_="gm-number")
    width = WIDTH / len(histogram.counts)
    peak = max(int(histogram.counts.max()), 1)
    steps = "".join(
        f"V{HEIGHT * (1 - count / peak):.1f}h{width:.3g}" for count in histogram.counts.tolist()
    )
    said = _("Histogram: {what}.").format(what=words)
    kind = "gm-spread gm-g" if gradient else "gm-spread"
    drawing = (
        f'<svg class="{kind}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(said)}"><path d="M0 {HEIGHT}{steps}V{HEIGHT}z"/></svg>'
    )
    ends = (histogram.edges[0], histogram.edges[-1])
    axis = tag("p", *(tag("span", format_number(float(end), 3)) for end in ends), class_="gm-axis")
    return join(picture(drawing, said), axis)


def read_entry(summary: Summary, index: tuple[int, ...]) -> complex | None:
    """One entry; None where the summary does not hold it.

    One of IndexedSlices is the sum of what several of their rows give it.
    """
    values = summary.values
    if values is None or values.ndim != len(index):
        return None
    if summary.layout == "dense":
        return values[index].item()
    rows = summary.rows or ()
    if summary.layout != "slices" or len(rows) < len(values):
        return None
    return values[np.equal(rows, index[0])].sum(0)[index[1:]].item()


def find_place(summary: Summary) -> tuple[int, ...] | None:
    """Where in the whole tensor its largest entry is; None where that is not known."""
    if summary.largest is None:
        return None
    index = summary.largest[0]
    if summary.layout != "slices":
        return index
    rows = summary.rows or ()
    return (rows[index[0]], *index[1:]) if index[0] < len(rows) else None
