"""The top of the sidebar: what each loss asks of the sample in hand, in a sentence and two bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.losses.bars import TOO_SHORT, draw_bar
from gradmagic.render.losses.claims import list_claims, name_state
from gradmagic.render.markup import Html, fill, join, tag
from gradmagic.render.numbers import format_entry, say_number, say_times

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import SliderTables

LONGEST_PULL = math.sqrt(2)  # crossentropy's, of a sample that is surely wrong


def render_top(panel: LossPanel) -> Html:
    """Title and stepper, the claim, both pulls."""
    tables = panel.hand.tables
    found = tables.scalars
    ce, mse = found["crossentropy_pull"], found["mse_pull"]
    ratio = say_times(found["ratio"]) if mse and found["ratio"] >= 1 else ""
    note = _("{times} times shorter").format(times=ratio) if ratio else ""
    if mse == 0:
        note = _("exactly 0")
    short = _(", too short to draw") if 0 < mse / LONGEST_PULL < TOO_SHORT else ""
    return join(
        tag(
            "div",
            tag("span", _("MSE against crossentropy"), class_="gm-s"),
            tag(
                "span",
                tag(
                    "span",
                    _("sample {sample}").format(sample=tables.setting.sample),
                    class_="gm-s",
                    data_k="which",
                ),
                class_="gm-step",
                data_k="step",
                role="group",
                aria_label=_("Choose a sample"),
            ),
            class_="gm-top",
        ),
        tag("p", class_="gm-message", data_k="message", role="status", hidden=True),
        tag(
            "p",
            tag("span", render_claim(tables), data_k="claim"),
            class_="gm-claim",
            role="heading",
            aria_level="2",
        ),
        tag(
            "div",
            tag("span", _("crossentropy"), class_="gm-ce"),
            tag("div", draw_bar("ce", ce / LONGEST_PULL, data_k="pull-ce"), class_="gm-track"),
            tag("span", format_entry(ce), class_="gm-v gm-ce", data_k="pull-ce-v"),
            tag("span", _("MSE"), class_="gm-mse"),
            tag(
                "div",
                draw_bar("mse", mse / LONGEST_PULL, data_k="pull-mse"),
                tag(
                    "span",
                    tag("span", note, data_k="ratio"),
                    tag("span", short, data_k="short", class_="gm-short"),
                    class_="gm-note gm-s",
                    style=f"left:calc({100 * mse / LONGEST_PULL:.2f}% + 8px)",
                    data_k="note",
                ),
                class_="gm-track",
            ),
            tag("span", format_entry(mse), class_="gm-v gm-mse", data_k="pull-mse-v"),
            class_="gm-pull",
        ),
        tag(
            "p",
            _("Pull: the norm of the gradient of this sample's loss with respect to its logits."),
            class_="gm-s",
        ),
        tag("p", panel.origin.found, class_="gm-s", data_k="found"),
    )


def render_claim(tables: SliderTables) -> Html:
    """The first sentence: what each loss asks of this sample."""
    template, ce, mse = _find_claim(tables)
    return fill(
        template,
        sample=tables.setting.sample,
        crossentropy=tag("span", _("crossentropy"), class_="gm-ce"),
        mse=tag("span", _("MSE"), class_="gm-mse"),
        crossentropy_pull=tag("span", ce, class_="gm-ce gm-n"),
        mse_pull=tag("span", mse, class_="gm-mse gm-n"),
    )


def describe_claim(tables: SliderTables) -> str:
    """The same as text."""
    template, ce, mse = _find_claim(tables)
    return template.format(
        sample=tables.setting.sample,
        crossentropy=_("crossentropy"),
        mse=_("MSE"),
        crossentropy_pull=ce,
        mse_pull=mse,
    )


def _find_claim(tables: SliderTables) -> tuple[str, str, str]:
    """The sentence that fits, and both pulls as it says them."""
    found = tables.scalars
    key = name_state(int(found["state"]), tables.find_class(tables.true_class).probability)
    ce, mse = (
        say_number(found[name]) if found[name] else _("exactly 0")
        for name in ("crossentropy_pull", "mse_pull")
    )
    return list_claims()[key], ce, mse
