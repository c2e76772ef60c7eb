"""A descent as HTML: complete without a script, which only makes it move.

What the script changes carries ``data-k``, once in what belongs to one run.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, _n, name_html_language
from gradmagic.render.descent import curves, surface
from gradmagic.render.descent.sources import render_sources
from gradmagic.render.descent.words import (
    SEVERITY,
    describe_run,
    find_last,
    format_rate,
    name_method,
    name_note,
    say_course,
    say_kept,
    say_range,
)
from gradmagic.render.html import load_style as load_report_style
from gradmagic.render.marks import render_mark
from gradmagic.render.markup import Html, join, picture, shorten, squeeze_style, tag
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.records import Descent, Descents, Note
    from gradmagic.render.axes import Frame

CODE_LINES = 200


@functools.cache
def load_style() -> str:
    """The style sheet: the report's, and what a descent adds."""
    own = Path(__file__).with_name("descent.css").read_text("utf-8")
    return f"{load_report_style()} {squeeze_style(own)}"


def render_panel(descents: Descents, plots: Plots) -> Html:
    """The whole panel: one ``<div class="gm gm-descent">``."""
    runs = descents.runs
    several = len(runs) > 1

    def show(body: Html, i: int) -> Html:
        """What belongs to one run: that of the chosen one is shown."""
        hidden = None if i == descents.best else True
        return tag("div", body, class_="gm-run", data_run=i, hidden=hidden)

    return tag(
        "div",
        _render_header(runs[descents.best], several=several),
        render_notes(runs),
        _render_runs(runs, descents.best) if several else None,
        tag(
            "div",
            tag(
                "div",
                _render_part("curves", _("Loss"), _render_losses(runs, plots)),
                *(show(_render_norms(run, plots.norms[i]), i) for i, run in enumerate(runs)),
            ),
            tag(
                "div",
                *(show(_render_step(run, plots.surfaces[i]), i) for i, run in enumerate(runs)),
            ),
            class_="gm-columns",
        ),
        *(show(_render_code(run), i) for i, run in enumerate(runs)),
        class_="gm gm-descent",
        lang=name_html_language(),
        data_chosen=descents.best,
        role="group",
        aria_label=_("gradmagic: gradient descent"),
    )


class Plots:
    """The room of each picture of some runs: where the browser finds places in it."""

    def __init__(self, descents: Descents) -> None:
        runs = descents.runs
        losses = [run.losses for run in runs]
        most = max(run.done for run in runs)
        self.linear = curves.choose_frame(losses, most, logarithmic=False)
        self.logarithmic = curves.choose_frame(losses, most, logarithmic=True)
        self.steep = curves.is_steep(runs)
        self.norms = [self._frame(run.norms[:, : curves.count_norms(run)], run) for run in runs]
        self.surfaces = [
            surface.choose_frame(run.surface, np.array([m.loss for m in run.moments]))
            if run.surface is not None and run.moments
            else None
            for run in runs
        ]

    @staticmethod
    def _frame(norms: np.ndarray, run: Descent) -> Frame | None:
        finite = norms[np.isfinite(norms) & (norms > 0)]
        steep = bool(finite.size and finite.max() > curves.STEEP * finite.min())
        return curves.choose_frame([norms], run.done, logarithmic=steep, height=curves.NORM_HEIGHT)


def _render_header(run: Descent, *, several: bool) -> Html:
    last = find_last(run)
    bad = "" if np.isfinite(last) else " gm-bad"
    at = _("at step {step}, the last").format(step=run.done - 1) if run.done else _("no step")
    method = name_method(run)
    if several:
        method = _("best of several: {method}").format(method=method)
    head = tag(
        "p",
        tag("code", _("loss")),
        " ",
        tag("span", format_number(last), class_=f"gm-big{bad}"),
        " ",
        tag("span", at),
        " ",
        tag("span", method, class_="gm-d"),
        class_="gm-head",
        role="heading",
        aria_level="2",
    )
    meta = tag(
        "p",
        tag("span", say_range(run)),
        " ",
        tag("span", say_course(run)),
        class_="gm-meta",
    )
    kept = say_kept(run)
    return join(head, meta, tag("p", kept, class_="gm-say") if kept else None)


def render_notes(runs: Sequence[Descent]) -> Html | None:
    """What went wrong, a row each, and what to type instead."""
    several = len(runs) > 1
    items = [
        _render_note(note, run.rate if several else None) for run in runs for note in run.notes
    ]
    if not items:
        return None
    return tag("ul", *items, class_="gm-alerts", aria_label=_("Notes"))


def _render_note(note: Note, rate: float | None) -> Html:
    title: list[str] = [tag("b", name_note(note.kind))]
    place = _("from step {step}").format(step=note.step)
    if rate is not None:
        place = _("learning rate {rate}, {place}").format(rate=format_rate(rate), place=place)
    title += [" ", tag("span", place, class_="gm-s")]
    fix = None
    if note.fix:
        fix = tag(
            "div",
            tag("span", _("instead"), class_="gm-s"),
            " ",
            tag("pre", tag("code", note.fix)),
            class_="gm-fix",
        )
    sign = tag("span", render_mark(SEVERITY[note.kind]), class_="gm-sign")
    return tag(
        "li",
        tag("p", sign, " ", tag("span", *title), class_="gm-note-row"),
        tag("div", tag("p", note.message), fix, class_="gm-story"),
    )


def _render_runs(runs: Sequence[Descent], best: int) -> Html:
    """One row a run; the script makes the rates buttons that choose one."""
    rows = [
        tag(
            "tr",
            tag("td", _draw_sample(i)),
            tag("th", format_rate(run.rate), scope="row", data_choose=i),
            tag("td", format_number(find_last(run))),
            tag("td", run.done),
            tag("td", describe_run(run), class_="gm-words"),
            class_="gm-chosen" if i == best else None,
        )
        for i, run in enumerate(runs)
    ]
    heads = ("", _("learning rate"), _("last loss"), _("steps"), "")
    head = tag("tr", *(tag("th", text, scope="col") if text else tag("td") for text in heads))
    return tag(
        "div",
        tag(
            "div",
            tag(
                "table", tag("thead", head), tag("tbody", *rows), class_="gm-runs", data_k="runs",
                aria_label=_("Runs"),
            ),
            class_="gm-scroll",
        ),
        tag(
            "p",
            _("All start from the same values. The sources keep the end of learning rate {rate}.")
            .format(rate=format_rate(runs[best].rate)),
            class_="gm-s",
        ),
        class_="gm-part",
    )  # fmt: skip


def _draw_sample(i: int) -> Html:
    """A piece of the run's line."""
    path = f'<path class="gm-curve gm-run-{i}" d="M0 4h28"/>'
    drawing = f'<svg width="28" height="8" aria-hidden="true">{path}</svg>'
    return picture(drawing)


def _render_part(name: str, title: str, *body: object) -> Html:
    heading = tag("p", tag("strong", title), class_="gm-h", role="heading", aria_level="3")
    return tag("div", heading, *body, class_=f"gm-panel gm-{name}")


def _render_losses(runs: Sequence[Descent], plots: Plots) -> Html:
    """The losses on both axes, of which one is shown, and a place for the slider under it."""
    pictures = []
    for name, frame in (("linear", plots.linear), ("logarithmic", plots.logarithmic)):
        if frame is None:
            continue
        shown = (name == "logarithmic") == plots.steep
        drawn = picture(
            curves.draw_losses(runs, frame), curves.describe_curve(runs[0].losses),
            class_="gm-drawn",
        )  # fmt: skip
        pictures.append(tag("div", drawn, data_k=name, hidden=None if shown else True))
    if not pictures:
        return tag("p", _("No step had a finite loss."), class_="gm-say")
    return join(
        tag("div", data_k="switch", class_="gm-switch"),
        *pictures,
        tag("div", data_k="slider", class_="gm-slider"),
    )


def _render_norms(run: Descent, frame: Frame | None) -> Html:
    """The norms of the gradients, and the learning rate where it changes."""
    parts = []
    if frame is not None:
        drawn = picture(curves.draw_norms(run, frame), class_="gm-drawn")
        parts.append(_render_part("norms", _("Norm of each gradient"), _name_norms(run), drawn))
    if len(run.rates) and run.rates.min() < run.rates.max():
        rates = curves.choose_frame(
            [run.rates], run.done, logarithmic=False, height=curves.RATE_HEIGHT
        )
        if rates is not None:
            drawn = picture(curves.draw_rates(run, rates), class_="gm-drawn")
            parts.append(_render_part("rates", _("Learning rate"), drawn))
    return join(*parts)


def _render_step(run: Descent, frame: Frame | None) -> Html:
    """What the slider moves: the point on the surface, values and gradients."""
    around = None
    if run.surface is not None and frame is not None:
        drawn = picture(surface.draw_surface(run, run.surface, frame), class_="gm-drawn")
        along = _("Along {axes}.").format(axes=run.surface.axes)
        said = [tag("p", along, class_="gm-say")]
        if not run.surface.exact:
            aside = _("The path leaves this plane: it is seen from the side.")
            said.append(tag("p", aside, class_="gm-s"))
        if run.surface.kind == "contour":
            tones = _("The stronger the tone, the higher the loss. The line is the path.")
            said.append(tag("p", tones, class_="gm-s"))
        title = _("Loss around the path")
        around = _render_part("surface", title, tag("div", drawn, data_k="surface"), *said)
    return join(around, _render_part("values", _("Values and gradients"), render_sources(run)))


def _name_norms(run: Descent) -> Html | None:
    """Which dash is which source."""
    if len(run.names) == 1:
        return None
    names = [
        tag("span", _draw_dash(i), tag("code", shorten(name, 30)), class_="gm-name")
        for i, name in enumerate(run.names[: curves.SOURCES])
    ]
    left = len(run.names) - len(names)
    if left:
        more = _n("and {count} more, not drawn", "and {count} more, not drawn", left)
        names.append(tag("span", more.format(count=left), class_="gm-name"))
    return tag("div", *names, class_="gm-s gm-dashes")


def _draw_dash(i: int) -> Html:
    path = f'<path class="gm-norm gm-dash-{i}" d="M0 4h28"/>'
    drawing = f'<svg width="28" height="8" aria-hidden="true">{path}</svg>'
    return picture(drawing)


def _render_code(run: Descent) -> Html:
    lines = run.code.splitlines()
    shown = [tag("span", tag("code", line or " ")) for line in lines[:CODE_LINES]]
    left = len(lines) - len(shown)
    more = _n("{count} more line is left out.", "{count} more lines are left out.", left)
    note = _("This plain loop does the same as {magic}.")
    return _render_part(
        "code",
        _("Code"),
        tag("pre", Html("\n".join(shown)), class_="gm-py gm-plain"),
        tag("p", more.format(count=left), class_="gm-say") if left else None,
        tag("p", note.format(magic=shorten(run.magic, 80)), class_="gm-s"),
    )
