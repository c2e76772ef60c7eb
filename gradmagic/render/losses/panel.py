"""The sidebar as HTML: complete without a script, which only makes it move.

What the script changes carries ``data-k`` (once in a panel) or ``data-c`` (once in a class's row).
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.race import OPTIMIZERS, RaceOptions
from gradmagic.core.sliders import SCALARS
from gradmagic.core.stability import SCORES, compute_examples
from gradmagic.render.losses import snippets
from gradmagic.render.losses.batch import render_figures, render_samples
from gradmagic.render.losses.claims import (
    list_advice,
    list_claims,
    list_flaws,
    list_reasons,
    name_flaw,
    name_state,
)
from gradmagic.render.losses.sources import render_sources
from gradmagic.render.markup import Html, fill, join, squeeze_style, tag
from gradmagic.render.numbers import MINUS, format_entry, format_number, say_number, say_times

if TYPE_CHECKING:
    from gradmagic.core.panel import LossPanel
    from gradmagic.core.sliders import SliderTables

LONGEST_PULL = math.sqrt(2)  # crossentropy's, of a sample that is surely wrong
TOO_SHORT = 0.003  # share of a track below which a bar is not drawn


def render_panel(panel: LossPanel) -> Html:
    """The whole panel: one ``<section class="gm-losses">``."""
    return tag(
        "section",
        tag(
            "div",
            _render_top(panel),
            _render_section(
                _("Move the logits"), "hand", _render_hand(panel.hand.tables), _write_hand(panel)
            ),
            _render_section(
                _("Along the logit of class {number}, the true class").format(
                    number=panel.hand.tables.true_class
                ),
                "curve",
                _render_curve(),
                fill_snippet(_write_curve(panel), panel.hand.tables),
            ),
            tag("div", render_sources_section(panel), data_k="sources"),
            _render_section(
                _("The whole batch, as given"),
                "batch",
                join(render_figures(panel), render_samples(panel)),
                snippets.write_batch(panel),
            ),
            _render_section(
                _("Three ways to write crossentropy"),
                "stability",
                _render_stability(panel.hand.tables),
                fill_snippet(snippets.write_stability(panel, panel.hand.tables), panel.hand.tables),
            ),
            _render_section(
                _("Race: the same start, two losses"),
                "race",
                _render_race(),
                _fill_race(snippets.write_race(panel)),
            ),
            class_="gm-in",
        ),
        class_="gm-losses",
        aria_label=_("MSE against crossentropy"),
    )


@functools.cache
def load_style() -> str:
    """The style sheet, without comments and blank space."""
    return squeeze_style(Path(__file__).with_name("losses.css").read_text("utf-8"))


def find_scalars(tables: SliderTables) -> dict[str, float]:
    """The numbers of the place where the sliders stand, by name of the column."""
    slider = tables.sliders[0]
    row = tables.values[slider.start + slider.at]
    return dict(zip(SCALARS, map(float, row[-len(SCALARS) :]), strict=True))


def fill_snippet(code: str, tables: SliderTables) -> str:
    """The code for the place where the sliders stand."""
    shown = list(tables.shown)
    return (
        code.replace("{logits}", snippets.write_row(tables.logits[shown]))
        .replace("{target}", snippets.write_row(tables.target[shown]))
        .replace("{number}", str(tables.true_class))
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
    found = find_scalars(tables)
    true_probability = tables.values[_find_row(tables), tables.shown.index(tables.true_class)]
    key = name_state(int(found["state"]), float(true_probability))
    ce, mse = (
        say_number(found[name]) if found[name] else _("exactly 0")
        for name in ("crossentropy_pull", "mse_pull")
    )
    return list_claims()[key], ce, mse


def render_sources_section(panel: LossPanel) -> Html | None:
    """The sources' gradients of the sample in hand; None without sources."""
    if not panel.hand.sources:
        return None
    return _render_section(
        _("What each loss asks of the sources"),
        "sources",
        render_sources(panel),
        snippets.write_sources(panel),
    )


def _find_row(tables: SliderTables) -> int:
    return tables.sliders[0].start + tables.sliders[0].at


def _render_section(heading: str, key: str, body: object, code: str) -> Html:
    return tag(
        "div",
        tag("p", heading, class_="gm-h", role="heading", aria_level="3", data_k=f"h-{key}"),
        tag(
            "details",
            tag(
                "summary",
                tag("span", _("Show the code"), class_="gm-closed"),
                tag("span", _("Hide the code"), class_="gm-opened"),
            ),
            tag("pre", code, data_k=f"code-{key}"),
            class_="gm-code",
        ),
        body,
        class_=f"gm-part gm-part-{key}",
        data_k=f"part-{key}",
    )


def _write_curve(panel: LossPanel) -> str:
    return snippets.write_curve(panel, panel.hand.tables, panel.hand.tables.sliders[0])


def _write_hand(panel: LossPanel) -> str:
    return fill_snippet(snippets.write_hand(panel, panel.hand.tables), panel.hand.tables)


def _render_top(panel: LossPanel) -> Html:
    tables = panel.hand.tables
    found = find_scalars(tables)
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
            tag("span", render_claim(tables), data_k="claim", aria_live="polite"),
            class_="gm-claim",
            role="heading",
            aria_level="2",
        ),
        tag(
            "div",
            tag("span", _("crossentropy"), class_="gm-ce"),
            tag("div", _draw_bar("ce", ce / LONGEST_PULL, data_k="pull-ce"), class_="gm-track"),
            tag("span", format_entry(ce), class_="gm-v gm-ce", data_k="pull-ce-v"),
            tag("span", _("MSE"), class_="gm-mse"),
            tag(
                "div",
                _draw_bar("mse", mse / LONGEST_PULL, data_k="pull-mse"),
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
    )


def _draw_bar(loss: str, share: float, **attributes: object) -> Html:
    width = 0 if share < TOO_SHORT or math.isnan(share) else 100 * min(share, 1)
    return tag("i", class_=f"gm-bar gm-b-{loss}", style=f"width:{width:.2f}%", **attributes)


def _render_hand(tables: SliderTables) -> Html:
    found = find_scalars(tables)
    key = name_state(int(found["state"]), 0)
    advice = list_advice()[
        "right" if key in ("right", "unsure") else "stuck" if key == "stuck" else "wrong"
    ]
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
        tag("p", advice.format(number=tables.true_class), data_k="advice", class_="gm-cap"),
        legend,
        tag("div", *(_render_row(tables, i) for i in range(len(tables.shown))), data_k="rows"),
        tag("div", data_k="controls", class_="gm-controls"),
        tag("p", left, class_="gm-s", data_k="left") if left else None,
        tag(
            "p",
            _("Tick under a slider: the data."),
            tag("span", data_k="others-back"),
            class_="gm-s gm-live-only",
        ),
    )


def _render_row(tables: SliderTables, at: int) -> Html:
    """One class: predicted and target share, its logit, and both gradients on it."""
    number, count = tables.shown[at], len(tables.shown)
    row = tables.values[_find_row(tables)]
    p, ce, mse = (float(row[at + part * count]) for part in range(3))
    target = float(tables.target[number])
    true = number == tables.true_class
    return tag(
        "div",
        tag(
            "span",
            tag("span", number, data_c="k"),
            tag("span", _("true"), class_="gm-truth"),
            class_="gm-k",
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
        ),
        tag("span", format_entry(p), class_="gm-v", data_c="pv"),
        tag("div", _draw_slope("ce", ce, data_c="bc"), class_="gm-gb"),
        tag("span", format_entry(ce), class_="gm-v gm-ce", data_c="vc"),
        tag("div", class_="gm-slot", data_c="slot"),
        tag("span", _format_logit(float(tables.logits[number])), class_="gm-v", data_c="z"),
        tag("div", _draw_slope("mse", mse, data_c="bm"), class_="gm-gb"),
        tag("span", format_entry(mse), class_="gm-v gm-mse", data_c="vm"),
        class_="gm-row gm-true" if true else "gm-row",
        data_row=True,
    )


def _format_logit(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


def _draw_slope(loss: str, value: float, **attributes: object) -> Html:
    width = 0 if abs(value) < TOO_SHORT or math.isnan(value) else 50 * min(abs(value), 1)
    side = "right:50%;left:auto" if value < 0 else "left:50%;right:auto"
    return tag("i", class_=f"gm-bar gm-b-{loss}", style=f"width:{width:.2f}%;{side}", **attributes)


def _render_curve() -> Html:
    """An empty place: what moves under the hand is drawn by the script."""
    return join(
        tag("p", list_reasons()["true"], class_="gm-cap", data_k="reason"),
        tag("div", class_="gm-plot", data_k="plot"),
    )


def _render_stability(tables: SliderTables) -> Html:
    found = find_scalars(tables)
    count = len(tables.shown)
    stable = float(tables.values[_find_row(tables), count + tables.shown.index(tables.true_class)])
    now = [
        (found["probabilities"], found["probabilities_gradient"]),
        (found["hand"], found["hand_gradient"]),
        (found["crossentropy"], stable),
    ]
    titles = (
        _("softmax, then categorical_crossentropy"),
        _("by hand: −Σ y log softmax"),
        _("from_logits=True"),
    )
    examples = compute_examples()
    rows = []
    for i, title in enumerate(titles):
        rows.append(tag("tr", tag("th", title, colspan="4", scope="rowgroup")))
        cells = [_render_way(*now[i], stable, data_k=f"way-{i}")]
        cells += [_render_way(*example[i], example.logits.gradient) for example in examples]
        rows.append(tag("tr", *cells))
    head = [tag("th", _("logits above"), scope="col")]
    head += [tag("th", f"s = {score:g}", scope="col") for score in SCORES]
    return join(
        tag(
            "p",
            _(
                "On paper they are the same. In floating point two of them break when the answer "
                "is surely wrong."
            ),
            class_="gm-cap",
        ),
        tag(
            "table",
            tag("thead", tag("tr", *head)),
            tag("tbody", *rows),
            class_="gm-stab",
        ),
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
    written = format_number(value, 7) if math.isfinite(value) else str(value).replace("-", MINUS)
    if flaw is None:
        below = tag("div", format_number(gradient, 5))
    else:
        words = list_flaws()[flaw].format(gradient=format_number(gradient, 5))
        below = tag("div", words, class_="gm-flaw")
    loud = tag("b", written) if flaw in ("log", "product") else written
    return tag("td", loud, below, **attributes)


def _render_race() -> Html:
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
                    max="10000",
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


def _fill_race(code: str) -> str:
    default = RaceOptions()
    return code.replace("{steps}", str(default.steps)).replace(
        "{optimizer}", f"SGD({default.learning_rate:g})"
    )
