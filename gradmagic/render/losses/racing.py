"""The race's settings, and a place for its curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.losses.race import MOST_STEPS, OPTIMIZERS, RaceOptions, is_sampled
from gradmagic.render.markup import Html, join, tag

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel


def render_race(panel: LossPanel) -> Html:
    """The settings and a place for the curves; shown only where a kernel can run it."""
    default = RaceOptions()
    options = (
        tag("option", name, value=name, selected=(name == default.optimizer) or None)
        for name in OPTIMIZERS
    )
    starts = (
        tag("option", _("the whole batch"), value="batch"),
        tag("option", _("this sample as it is"), value="sample"),
    )
    return join(
        tag(
            "p",
            _("Each sample's logits go down their own loss. Only the loss differs."),
            " ",
            tag("span", _describe_sampling(panel), data_k="sampling"),
            class_="gm-cap",
        ),
        tag(
            "div",
            tag("label", _("start"), tag("select", *starts, data_k="race-start")),
            tag("label", _("optimizer"), tag("select", *options, data_k="race-optimizer")),
            tag(
                "label",
                _("learning rate"),
                tag(
                    "input",
                    type="number",
                    value=f"{default.learning_rate:g}",
                    min="0",
                    step="any",
                    data_k="race-rate",
                ),
            ),
            tag(
                "label",
                _("steps"),
                tag(
                    "input",
                    type="number",
                    value=default.steps,
                    min="1",
                    max=MOST_STEPS,
                    step="1",
                    data_k="race-steps",
                ),
            ),
            class_="gm-form",
        ),
        tag(
            "div",
            tag("button", _("Start"), type="button", class_="gm-go", data_k="race-go"),
            tag(
                "progress",
                value="0",
                max="1",
                data_k="race-progress",
                hidden=True,
                aria_label=_("Progress of the race"),
            ),
            tag("span", class_="gm-s", data_k="race-status", role="status"),
            class_="gm-run",
        ),
        tag("div", class_="gm-plot", data_k="race-plot"),
    )


def _describe_sampling(panel: LossPanel) -> str:
    """Which samples run, where the batch is too large for all of them."""
    if not is_sampled(panel):
        return ""
    return _("Of the whole batch, the {count} listed samples run.").format(count=len(panel.listed))


def fill_race(code: str) -> str:
    """The code of a race as it is set at first."""
    default = RaceOptions()
    return code.replace("{steps}", str(default.steps)).replace(
        "{optimizer}", f"SGD({default.learning_rate:g})"
    )
