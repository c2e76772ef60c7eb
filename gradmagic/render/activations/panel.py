"""The activations as HTML: complete without a script, which only makes it move.

What the script changes carries ``data-k`` (once in a panel) or ``data-c`` (once in a row).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.activations.records import DEPTH
from gradmagic.core.i18n import _, join_phrases, name_html_language
from gradmagic.render import presenting
from gradmagic.render.activations import snippets
from gradmagic.render.activations.charts import render_charts
from gradmagic.render.activations.softmax import render_softmax
from gradmagic.render.activations.words import list_notes, list_words, say_claim, say_share
from gradmagic.render.asking import document as asking
from gradmagic.render.markup import STYLED, Html, fill, join, shorten, squeeze_style, tag
from gradmagic.render.numbers import format_entry, format_number

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab, Curve

LAYERS = 5  # that are stacked at first
# A mark for each function, around (0, 0): told apart without colour.
MARKS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "M0 -5.5l5 9h-10z",
    "M0 5.5l5 -9h-10z",
    "M-1.6 -5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
    "M-5.5 -2.5h11v5h-11z",
    "M-2.5 -5.5h5v11h-5z",
)


@functools.cache
def load_style() -> str:
    """The style sheets, without comments and blank space."""
    own = squeeze_style(Path(__file__).with_name("activations.css").read_text("utf-8"))
    return f"{own} {presenting.load_style()} {asking.load_style()}"


def render_panel(lab: ActivationLab) -> Html:
    """The whole panel: one ``<div class="gm-act">``."""
    parts = []
    if lab.curves:
        parts = [_render_top(lab), _render_stack(lab)]
    if lab.softmax is not None:
        table = lab.softmax
        code = snippets.SOFTMAX.format(
            z=[float(table.logits[at]) for at in table.start],
            call=snippets.write_call(table.function.code),
        )
        title = _("softmax and its Jacobian")
        parts.append(render_section(title, "softmax", render_softmax(table), code))
    return tag(
        "div",
        tag("div", *parts, class_="gm-in"),
        class_="gm-act",
        role="group",
        aria_label=_("Activations and their derivatives"),
        lang=name_html_language(),
    )


def render_section(heading: str, key: str, body: Html, code: str) -> Html:
    """A part: its heading, its code on demand, and what it shows."""
    return tag(
        "div",
        tag("p", heading, class_="gm-h", role="heading", aria_level="3"),
        render_code(key, code),
        body,
        class_=f"gm-part gm-part-{key}",
        data_k=f"part-{key}",
    )


def render_code(key: str, code: str) -> Html:
    """The code of a part, closed at first."""
    return tag(
        "details",
        tag(
            "summary",
            tag("span", _("Show the code"), class_="gm-closed"),
            tag("span", _("Hide the code"), class_="gm-opened"),
        ),
        tag("pre", code, data_k=f"code-{key}"),
        class_="gm-code",
    )


def _render_top(lab: ActivationLab) -> Html:
    lead, at = lab.curves[0], lab.start
    template, x, slope = say_claim(lab, lead, at)
    claim = fill(template, x=x, name=lead.function.name, slope=tag("span", slope, class_="gm-g"))
    code = snippets.write_code(snippets.CURVE, lead, float(lab.x[at]))
    hint = tag(
        "p",
        _("Drag the point, or press the arrow keys; a click on a name brings it to the front."),
        class_="gm-s gm-live-only",
    )
    notes = [tag("p", note, class_="gm-s") for note in list_notes(lab)]
    return tag(
        "div",
        tag("p", _("Activations and their derivatives"), class_="gm-s gm-top"),
        render_code("curve", code),
        tag("p", claim, class_="gm-claim", data_k="claim", role="heading", aria_level="2"),
        tag("p", _say_spread(lab), data_k="spread", class_="gm-spread") if lab.spread else None,
        tag(
            "div",
            render_charts(lab),
            tag("div", _render_numbers(lab), _render_bound(lab), hint, *notes, class_="gm-beside"),
            class_="gm-two",
        ),
        class_="gm-part gm-part-curve",
    )


def _say_spread(lab: ActivationLab) -> str:
    assert lab.spread is not None
    lead = lab.curves[0]
    return list_words()["share"].format(
        share=say_share(float(lead.shares[lab.bound])),
        count=f"{lab.spread.finite:,}",
        tensor=lab.spread.name,
        name=lead.function.name,
    )


def render_key(number: int) -> Html:
    """A piece of a function's line, with its mark."""
    return Html(
        f'<svg class="gm-key" width="34" height="14" viewBox="0 -7 34 14" aria-hidden="true">'
        f'<path class="gm-f gm-f{number}" d="M0 0h34"/>'
        f'<path class="gm-mark" transform="translate(17 0)" d="{MARKS[number]}"/></svg>'
    )


def _render_numbers(lab: ActivationLab) -> Html:
    heads: list[Html] = [
        tag("td"),
        tag("th", "f(x)", scope="col"),
        tag("th", "df/dx", scope="col", class_="gm-g"),
    ]
    if lab.spread is not None:
        flat = _("flat of {name}").format(name=shorten(lab.spread.name, 12))
        heads.append(tag("th", flat, scope="col"))
    rows = [_render_row(lab, curve, i) for i, curve in enumerate(lab.curves)]
    table = tag(
        "table",
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows, data_k="rows"),
        class_="gm-numbers",
        aria_label=_("Value and derivative at the point"),
    )
    return tag("div", table, class_="gm-scroll")


def _render_row(lab: ActivationLab, curve: Curve, number: int) -> Html:
    at, bound = lab.start, lab.bounds[lab.bound]
    slope = float(curve.slope[at])
    flat = f" {list_words()['flat']}" if abs(slope) < bound else ""
    cells = [
        tag("th", render_key(number), " ", tag("code", curve.function.name), scope="row"),
        tag("td", format_entry(float(curve.value[at])), data_c="value"),
        tag(
            "td",
            tag("span", format_entry(slope), data_c="slope", class_="gm-g"),
            tag("span", flat, data_c="flat", class_="gm-unseen"),
            class_="gm-flat-here" if flat else None,
            data_c="cell",
        ),
    ]
    if lab.spread is not None:
        share = say_share(float(curve.shares[lab.bound]))
        cells.append(tag("td", share, data_c="share"))
    return tag("tr", *cells, class_="gm-lead" if number == 0 else None)


def _render_bound(lab: ActivationLab) -> Html:
    words = list_words()["bound"].format(bound=f"{lab.bounds[lab.bound]:g}")
    return tag(
        "div",
        tag("span", class_="gm-swatch"),
        tag("span", words, data_k="bound-words"),
        tag("span", data_k="bound", class_="gm-slot"),
        class_="gm-bound",
    )


def _render_stack(lab: ActivationLab) -> Html:
    lead, steepest = lab.curves[0], _say_steepest(lab)
    head = tag(
        "tr",
        tag("td"),
        tag("th", _("at the point"), scope="col", class_="gm-g"),
        tag("th", _("at best"), scope="col", class_="gm-g"),
    )
    rows = [
        tag(
            "tr",
            tag("th", render_key(i), " ", tag("code", curve.function.name), scope="row"),
            tag("td", format_entry(float(curve.chain[LAYERS - 1, lab.start])), data_c="chain"),
            tag("td", format_entry(float(curve.best[LAYERS - 1])), data_c="best"),
            class_="gm-lead" if i == 0 else None,
        )
        for i, curve in enumerate(lab.curves)
    ]
    body = join(
        tag(
            "p",
            _(
                "f(f(…f(x))): each layer multiplies the gradient by its own derivative. "
                "At best, every layer stands where that is largest."
            ),
            class_="gm-cap",
        ),
        tag(
            "div",
            tag("span", list_words()["layers"].format(n=LAYERS), data_k="layers-words"),
            tag("span", data_k="layers", class_="gm-slot"),
            class_="gm-bound",
        ),
        tag(
            "div",
            tag("div", class_="gm-plot", data_k="stack", style=STYLED),
            tag(
                "table",
                tag("thead", head),
                tag("tbody", *rows, data_k="stack-rows"),
                class_="gm-numbers",
                aria_label=_("Gradient through stacked layers"),
            ),
            class_="gm-two",
        ),
        tag("p", steepest, class_="gm-s") if steepest else None,
    )
    code = snippets.write_code(snippets.STACK, lead, float(lab.x[lab.start]), LAYERS)
    title = _("Stacked: up to {depth} layers").format(depth=DEPTH)
    return render_section(title, "stack", body, code)


def _say_steepest(lab: ActivationLab) -> str:
    parts = [
        f"{curve.function.name} {format_number(curve.steepest, 4)}"
        for curve in lab.curves
        if np.isfinite(curve.steepest)
    ]
    if not parts:
        return ""
    return _("Largest derivative in this range: {parts}.").format(parts=join_phrases(parts))
