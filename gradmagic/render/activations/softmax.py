"""Softmax of three logits, and its Jacobian as tinted cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.numbers import format_entry, tint

if TYPE_CHECKING:
    import numpy as np

    from gradmagic.core.activations.records import SoftmaxTable

MOST = 0.25  # p (1 - p) is never more: the strongest tint


def render_softmax(table: SoftmaxTable) -> Html:
    """One row a logit, and the Jacobian where the logits stand at first."""
    return join(
        tag(
            "p",
            _("Each logit moves all probabilities: what one class gains, the others lose."),
            class_="gm-cap",
        ),
        tag(
            "div",
            render_logits(table),
            _render_jacobian(table.look_up(table.start)[1]),
            class_="gm-two",
        ),
        tag(
            "p",
            _(
                "Jacobian diag(p) − p pᵀ: p(1 − p) on the diagonal, at most 0.25, and −p p beside "
                "it. Rows and columns sum to 0. Where one class has all the probability, "
                "everything is near 0: softmax is saturated."
            ),
            class_="gm-s",
        ),
    )


def render_logits(table: SoftmaxTable) -> Html:
    """The logits and their probabilities, where they stand at first."""
    probabilities = table.look_up(table.start)[0]
    rows = [
        tag(
            "tr",
            tag("th", tag("code", f"z{i}"), scope="row"),
            tag("td", data_c="slot", class_="gm-slide"),
            tag("td", f"{table.logits[table.start[i]]:.2f}".replace("-", "\u2212"), data_c="z"),
            tag(
                "td",
                tag(
                    "span",
                    tag("i", style=f"width:{100 * float(p):.1f}%", data_c="bar"),
                    class_="gm-track",
                ),
                class_="gm-wide",
            ),
            tag("td", format_entry(float(p)), data_c="p"),
        )
        for i, p in enumerate(probabilities)
    ]
    head = (
        tag("td"),
        tag("th", _("logit"), colspan=2, scope="colgroup"),
        tag("th", _("probability"), colspan=2, scope="colgroup"),
    )
    return tag(
        "table",
        tag("thead", tag("tr", *head)),
        tag("tbody", *rows, data_k="logits"),
        class_="gm-numbers gm-logits",
        aria_label=_("Logits and probabilities"),
    )


def _render_jacobian(jacobian: np.ndarray) -> Html:
    heads = (tag("th", tag("code", f"z{i}"), scope="col") for i in range(3))
    rows = []
    for i, row in enumerate(jacobian):
        cells = []
        for entry in row:
            kind, share = tint(float(entry), MOST)
            cells.append(tag("td", format_entry(float(entry)), class_=kind, style=f"--t:{share}"))
        rows.append(tag("tr", tag("th", tag("code", f"p{i}"), scope="row"), *cells))
    return tag(
        "table",
        tag("thead", tag("tr", tag("th", _("dp / dz"), scope="col", class_="gm-g"), *heads)),
        tag("tbody", *rows, data_k="jacobian"),
        class_="gm-jacobian",
        aria_label=_("Jacobian: derivative of each probability with respect to each logit"),
    )
