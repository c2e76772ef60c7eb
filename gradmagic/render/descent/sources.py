"""Values and gradients of one kept step: tables, maps and histograms that the script fills anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, _n
from gradmagic.core.summary import summarize
from gradmagic.render.cells import render_statistics
from gradmagic.render.descent.steps import count_shown, follow_source
from gradmagic.render.markup import Html, fill, join, picture, shorten, tag
from gradmagic.render.names import describe_tensor
from gradmagic.render.numbers import format_number
from gradmagic.render.panels import find_histogram, render_panel
from gradmagic.render.presenting import explain_signs

if TYPE_CHECKING:
    from gradmagic.core.descent.records import Descent
    from gradmagic.core.records import Summary
    from gradmagic.render.descent.steps import Track

STACKED = 4  # columns beyond which two tables do not stand beside each other


def render_sources(run: Descent) -> Html:
    """The last kept step, until the script shows another one."""
    if not run.moments:
        return tag("p", _("No step was taken."), class_="gm-say")
    last = run.moments[-1]
    said = tag(
        "p",
        _("Step {step} of {last}").format(step=last.step, last=run.done - 1),
        " ",
        tag("span", _("loss {loss}").format(loss=format_number(last.loss)), class_="gm-s"),
        data_k="now",
        class_="gm-now",
    )
    shown = count_shown(run)
    if not shown:
        return join(said, tag("p", say_not_kept(), class_="gm-say"))
    left = len(run.names) - shown
    more = _n("{count} more source is not shown.", "{count} more sources are not shown.", left)
    return join(
        said,
        *(_render_source(run, i) for i in range(shown)),
        tag("p", more.format(count=left), class_="gm-say") if left else None,
        tag(
            "p",
            fill(
                _(
                    "Values are those before the step, which its gradients then change. {signs}; "
                    "the tints and axes of all steps share one scale for values and one for "
                    "gradients."
                ),
                signs=explain_signs(),
            ),
            class_="gm-s gm-say",
        ),
    )


def say_not_kept() -> str:
    """Why there are no values and gradients of the steps."""
    return _("The values and gradients of the steps were too large to be kept.")


def _render_source(run: Descent, i: int) -> Html:
    track, last = follow_source(run, i), run.moments[-1]
    value = summarize(last.values[i])
    gradient = None if last.gradients[i] is None else summarize(np.asarray(last.gradients[i]))
    name = shorten(track.name)
    head = tag("header", tag("code", name), " ", tag("span", describe_tensor(value), class_="gm-s"))
    columns = (
        tag(
            "div",
            tag("div", _("value"), class_="gm-s"),
            _render_one(track, value, track.most[0], _("value of {name}").format(name=name)),
            data_side=0,
        ),
        tag(
            "div",
            tag("div", _("gradient"), class_="gm-s gm-g"),
            _render_one(track, gradient, track.most[1], _("gradient of {name}").format(name=name)),
            data_side=1,
        ),
    )
    wide = track.form == "cells" and (track.shape or (1,))[-1] > STACKED
    pair = tag("div", *columns, class_="gm-pair gm-stacked" if wide else "gm-pair")
    return tag(
        "article", head, tag("div", pair, class_="gm-scroll"), class_="gm-src", data_source=i
    )


def _render_one(track: Track, summary: Summary | None, most: float, words: str) -> Html:
    """One tensor; the script puts its own drawing where ``data-k`` says ``drawn``."""
    if summary is None:
        return tag("p", tag("code", "None"), class_="gm-number")
    if track.form == "cells":
        return render_panel(summary, most, words)
    if track.form == "map":
        body = render_panel(summary, most, words)
    else:
        body = _draw_histogram(summary, words)
    numbers = [
        (title, "–" if number is None else format_number(number))
        for title, number in (
            (_("norm"), summary.norm),
            (_("mean"), summary.mean),
            (_("min"), summary.low),
            (_("max"), summary.high),
        )
    ]
    return join(
        tag("div", body, data_k="drawn", class_="gm-mapped"),
        tag("div", render_statistics(numbers), data_k="numbers"),
    )


def _draw_histogram(summary: Summary, words: str) -> Html:
    from gradmagic.render.plots import draw_histograms

    histogram = find_histogram(summary)
    if histogram is None:
        return Html("")
    return picture(draw_histograms([histogram], words), words)
