"""The sample in hand: a row a class, which the script gives its slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.losses.bars import TOO_SHORT, draw_slope
from gradmagic.render.losses.claims import list_advice, name_state
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.numbers import MINUS, format_entry

if TYPE_CHECKING:
    from gradmagic.core.losses.sliders import SliderTables


def render_hand(tables: SliderTables) -> Html:
    """Advice, legend, the classes, and places for what moves them all."""
    advice = list_advice()
    state = name_state(int(tables.scalars["state"]), 1)
    words = advice.get(state, advice["wrong"])
    legend = tag(
        "div",
        tag("span", _("class")),
        tag(
            "span",
            tag("span", tag("i", class_="gm-bar gm-b-pr"), _("predicted")),
            " ",
            tag("span", tag("i", class_="gm-bar gm-b-ta"), _("target")),
            class_="gm-leg gm-leg-left",
        ),
        tag(
            "span",
            tag("span", _("gradient on the logit"), class_="gm-leg-title"),
            tag("span", tag("i", class_="gm-bar gm-b-ce"), _("crossentropy"), class_="gm-ce"),
            " ",
            tag("span", tag("i", class_="gm-bar gm-b-mse"), _("MSE"), class_="gm-mse"),
            class_="gm-leg gm-leg-right",
        ),
        class_="gm-cols gm-s",
    )
    left = ""
    if len(tables.shown) < tables.logits.size:
        left = _(
            "{shown} of {classes} classes have a slider: the true one and those with the largest "
            "logits. All of them count."
        ).format(shown=len(tables.shown), classes=tables.logits.size)
    return join(
        tag("p", words.format(number=tables.true_class), data_k="advice", class_="gm-cap"),
        legend,
        tag(
            "div",
            _render_heads(),
            tag(
                "div",
                *(_render_row(tables, i) for i in range(len(tables.shown))),
                data_k="rows",
                role="rowgroup",
            ),
            role="table",
            aria_label=_("Move the logits"),
        ),
        tag("div", data_k="controls", class_="gm-controls"),
        tag("p", left, class_="gm-s", data_k="left") if left else None,
        tag(
            "p",
            _("Tick under a slider: the data."),
            tag("span", data_k="others-back"),
            class_="gm-s gm-live-only",
        ),
    )


def _render_heads() -> Html:
    """The legend once more, as heads of columns: for those who hear the table."""
    slopes = (f"{_('gradient on the logit')}: {name}" for name in (_("crossentropy"), _("MSE")))
    first, second = slopes
    return tag(
        "div",
        tag("span", _("class"), role="columnheader"),
        tag("span", _("predicted"), role="columnheader"),
        tag("span", first, role="columnheader"),
        tag("span", _("logit"), role="columnheader", aria_colspan=2),
        tag("span", second, role="columnheader"),
        role="row",
        class_="gm-unseen",
    )


def _render_row(tables: SliderTables, at: int) -> Html:
    """One class: predicted and target share, its logit, and both gradients on it."""
    number = tables.shown[at]
    p, ce, mse = tables.find_class(number)
    target = float(tables.target[number])
    true = number == tables.true_class
    return tag(
        "div",
        tag(
            "span",
            tag("span", number, data_c="k"),
            tag("span", _("true"), class_="gm-truth"),
            class_="gm-k",
            role="rowheader",
        ),
        tag(
            "div",
            tag(
                "u",
                data_c="t",
                style=f"width:{100 * target:.2f}%",
                hidden=target < TOO_SHORT or None,
            ),
            tag("i", data_c="p", style=f"width:{100 * p if p >= TOO_SHORT else 0:.2f}%"),
            class_="gm-pb",
            aria_hidden="true",
        ),
        tag("span", format_entry(p), class_="gm-v", data_c="pv", role="cell"),
        tag("div", draw_slope("ce", ce, data_c="bc"), class_="gm-gb", aria_hidden="true"),
        tag("span", format_entry(ce), class_="gm-v gm-ce", data_c="vc", role="cell"),
        tag("div", class_="gm-slot", data_c="slot", role="cell"),
        tag(
            "span",
            _format_logit(float(tables.logits[number])),
            class_="gm-v",
            data_c="z",
            role="cell",
        ),
        tag("div", draw_slope("mse", mse, data_c="bm"), class_="gm-gb", aria_hidden="true"),
        tag("span", format_entry(mse), class_="gm-v gm-mse", data_c="vm", role="cell"),
        class_="gm-row gm-true" if true else "gm-row",
        data_row=True,
        role="row",
    )


def _format_logit(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
