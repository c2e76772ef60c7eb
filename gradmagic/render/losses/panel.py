"""The sidebar as HTML: complete without a script, which only makes it move.

What the script changes carries ``data-k`` (once in a panel) or ``data-c`` (once in a class's row).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, name_html_language
from gradmagic.render import presenting
from gradmagic.render.asking import document as asking
from gradmagic.render.losses import snippets
from gradmagic.render.losses.batch import render_figures, render_samples
from gradmagic.render.losses.claims import list_reasons
from gradmagic.render.losses.hand import render_hand
from gradmagic.render.losses.racing import fill_race, render_race
from gradmagic.render.losses.sources import render_sources
from gradmagic.render.losses.top import render_top
from gradmagic.render.losses.ways import render_ways
from gradmagic.render.markup import STYLED, Html, join, squeeze_style, tag

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import SliderTables


def render_panel(panel: LossPanel) -> Html:
    """The whole panel: one ``<div class="gm-losses">``."""
    tables = panel.hand.tables

    def fill(code: str) -> str:
        return fill_snippet(code, tables)

    return tag(
        "div",
        tag(
            "div",
            render_top(panel),
            _render_section(
                _("Move the logits"),
                "hand",
                render_hand(tables),
                fill(snippets.write_hand(panel, tables)),
            ),
            _render_section(
                _("Along the logit of class {number}, the true class").format(
                    number=tables.true_class
                ),
                "curve",
                _render_curve(),
                fill(snippets.write_curve(panel, tables, tables.sliders[0])),
            ),
            tag("div", render_sources_section(panel), data_k="sources"),
            _render_section(
                _("The whole batch, as given"),
                "batch",
                tag("div", render_figures(panel), render_samples(panel), data_k="batch"),
                snippets.write_batch(panel),
            ),
            _render_section(
                _("Three ways to write crossentropy"),
                "stability",
                render_ways(tables),
                fill(snippets.write_stability(panel, tables)),
            ),
            _render_section(
                _("Race: the same start, two losses"),
                "race",
                render_race(panel),
                fill_race(snippets.write_race(panel)),
            ),
            class_="gm-in",
        ),
        class_="gm-losses",
        role="group",
        aria_label=_("MSE against crossentropy"),
        lang=name_html_language(),
    )


@functools.cache
def load_style() -> str:
    """The style sheets, without comments and blank space."""
    own = squeeze_style(Path(__file__).with_name("losses.css").read_text("utf-8"))
    return f"{own} {presenting.load_style()} {asking.load_style()}"


def fill_snippet(code: str, tables: SliderTables) -> str:
    """The code for the place where the sliders stand."""
    shown = list(tables.shown)
    return (
        code.replace("{logits}", snippets.write_row(tables.logits[shown]))
        .replace("{target}", snippets.write_row(tables.target[shown]))
        .replace("{number}", str(tables.true_class))
    )


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


def _render_section(heading: str, key: str, body: object, code: str) -> Html:
    # without script and style sheet (a notebook that is not trusted) these two are empty
    hidden = STYLED if key in ("curve", "race") else None
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
        style=hidden,
    )


def _render_curve() -> Html:
    """An empty place: what moves under the hand is drawn by the script."""
    return join(
        tag("p", list_reasons()["true"], class_="gm-cap", data_k="reason"),
        tag("div", class_="gm-plot", data_k="plot"),
        tag("p", class_="gm-s", data_k="others"),
    )
