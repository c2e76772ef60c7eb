"""Three ways to write crossentropy, side by side, and what breaks in two of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.losses.stability import SCORES, compute_examples
from gradmagic.render.losses.claims import list_flaws, name_flaw
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.losses.sliders import SliderTables


def render_ways(tables: SliderTables) -> Html:
    """The row in hand, and two classes that are ever more surely wrong."""
    found = tables.scalars
    stable = tables.find_class(tables.true_class).crossentropy
    now = [
        (found["probabilities"], found["probabilities_gradient"]),
        (found["hand"], found["hand_gradient"]),
        (found["crossentropy"], stable),
    ]
    titles = (
        _("softmax, then categorical_crossentropy"),
        _("by hand: −log(softmax)"),
        _("from_logits=True"),
    )
    examples = compute_examples()
    groups = []
    for i, title in enumerate(titles):
        title_row = tag("tr", tag("th", title, colspan="4", scope="rowgroup"))
        cells = [_render_way(*now[i], stable, data_k=f"way-{i}")]
        cells += [_render_way(*example[i], example.logits.gradient) for example in examples]
        groups.append(tag("tbody", title_row, tag("tr", *cells)))
    head = [tag("th", _("logits above"), scope="col")]
    head += [tag("th", f"s = {score:g}", scope="col") for score in SCORES]
    table = tag(
        "table",
        tag("thead", tag("tr", *head)),
        *groups,
        class_="gm-stab",
        aria_label=_("Three ways to write crossentropy"),
    )
    return join(
        tag(
            "p",
            _(
                "On paper they are the same. In floating point two of them break when the answer "
                "is confidently wrong."
            ),
            class_="gm-cap",
        ),
        tag("div", table, class_="gm-scroll"),
        tag(
            "p",
            _(
                "Under each loss: its gradient on the true class's logit. s: two classes, logits "
                "[s, 0], true class 1."
            ),
            class_="gm-s gm-below",
        ),
    )


def _render_way(value: float, gradient: float, stable: float, **attributes: object) -> Html:
    flaw = name_flaw(value, gradient, stable)
    written = format_number(value, 7)
    if flaw is None:
        below = tag("div", format_number(gradient, 5))
    else:
        words = list_flaws()[flaw].format(gradient=format_number(gradient, 5))
        below = tag("div", words, class_="gm-flaw")
    loud = written if math.isfinite(value) else tag("b", written)
    return tag("td", loud, below, **attributes)
