"""The loss over the re-runs of a cell: a dot at first, then a line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, join_sentences
from gradmagic.render.markup import Html, escape, picture, tag
from gradmagic.render.names import name_target
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import TapeRun

RUNS = 200  # runs drawn, the last ones
DOTS = 40  # runs drawn with a dot each
WIDTH, HEIGHT, EDGE = 280, 48, 4


def render_history(run: TapeRun) -> Html:
    """A small chart of ``run.history``, and what it says."""
    history = [_make_real(number) for number in run.history]
    words = explain_history(history)
    title = _("{target} over this cell's runs").format(target=name_target(run.target))
    return tag(
        "div",
        tag("p", title, class_="gm-s"),
        picture(_draw_history(history)),
        tag("p", words, class_="gm-say"),
        class_="gm-part",
    )


def _make_real(number: complex) -> float:
    return float(number.real)


def explain_history(history: Sequence[float]) -> str:
    """The last run against the one before, and the lowest of all."""
    if len(history) == 1 and math.isfinite(history[0]):
        return _(
            "This is the first run, so there is one dot. "
            "Run the cell again and each new value joins it."
        )
    last, before = history[-1], history[-2] if len(history) > 1 else math.nan
    if not math.isfinite(last):
        return _("Run {run} gave {number}, no finite number.").format(
            run=len(history), number=format_number(last)
        )
    if not math.isfinite(before):
        return _("Run {run} gave {number} again, after {before}.").format(
            run=len(history), number=format_number(last), before=format_number(before)
        )
    change = format_number(abs(last - before), 3)
    words = {"run": len(history), "change": change}
    if last == before:
        text = _("Run {run} gave exactly the value of the run before.")
    elif last < before:
        text = _("Run {run} is lower than the one before by {change}.")
    else:
        text = _("Run {run} is higher than the one before by {change}.")
    said = text.format(**words)
    finite = [number for number in history if math.isfinite(number)]
    lowest = min(finite)
    if len(finite) > 2 and lowest < last:
        at = history.index(lowest) + 1
        least = _("The lowest was {number}, in run {run}.")
        said = join_sentences([said, least.format(number=format_number(lowest), run=at)])
    return said


def _draw_history(history: Sequence[float]) -> str:
    """An SVG: a line through the finite losses, broken where one is not, the last one marked."""
    shown = history[-RUNS:]
    finite = [number for number in shown if math.isfinite(number)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    first = len(history) - len(shown) + 1
    top, height = 24, HEIGHT if len(shown) > 1 else 0
    places: list[tuple[float, float] | None] = []
    for i, number in enumerate(shown):
        x = EDGE + (WIDTH - 2 * EDGE) * (i / (len(shown) - 1) if len(shown) > 1 else 0)
        share = (number - low) / (high - low) if high > low else 0.5
        usable = math.isfinite(number) and math.isfinite(share)
        places.append((round(x, 1), round(top + height * (1 - share), 1)) if usable else None)
    line, dots = _connect(places), _dot(places, top + height)
    ends = _label_ends(shown, first, places, top + height)
    words = _("Runs {first} to {last}: {numbers}.").format(
        first=first,
        last=len(history),
        numbers=", ".join(format_number(number) for number in shown[-12:]),
    )
    return (
        f'<svg class="gm-hist" width="{WIDTH}" height="{top + height + 20}" '
        f'viewBox="0 0 {WIDTH} {top + height + 20}" role="img" '
        f'aria-label="{escape(words)}">{line}{dots}{ends}</svg>'
    )


def _connect(places: Sequence[tuple[float, float] | None]) -> str:
    if len(places) == 1 and places[0] is not None:  # where the next ones will be
        return f'<path class="gm-to-come" d="M{EDGE} {places[0][1]:g}H{WIDTH}"/>'
    data, pen_down = "", False
    for place in places:
        if place is None:
            pen_down = False
            continue
        data += f"{'L' if pen_down else 'M'}{place[0]:g} {place[1]:g}"
        pen_down = True
    return f'<path class="gm-line" d="{data}"/>' if data else ""


def _dot(places: Sequence[tuple[float, float] | None], bottom: int) -> str:
    """A dot a run, the last one large; a cross on the ground for one that is no finite number."""
    drawn = []
    for i, place in enumerate(places):
        last = i == len(places) - 1
        if place is None:
            x = EDGE + (WIDTH - 2 * EDGE) * i / max(len(places) - 1, 1)
            drawn.append(f'<path class="gm-cross" d="M{x - 3:.4g} {bottom - 3}l6 6m0-6l-6 6"/>')
        elif last or len(places) <= DOTS:
            drawn.append(f'<circle cx="{place[0]:g}" cy="{place[1]:g}" r="{4 if last else 2}"/>')
    return "".join(drawn)


def _label_ends(
    shown: Sequence[float], first: int, places: Sequence[tuple[float, float] | None], bottom: int
) -> str:
    """The first and the last run: number above, run below."""
    labels = []
    for i in dict.fromkeys((0, len(shown) - 1)):
        place = places[i]
        right = i > 0
        x = WIDTH if right else 0
        anchor = ' text-anchor="end"' if right else ""
        y = (place[1] if place else bottom) - 10
        number = format_number(shown[i])
        label = _("run {number}").format(number=first + i)
        labels.append(f'<text class="gm-n" x="{x}" y="{y:g}"{anchor}>{escape(number)}</text>')
        labels.append(f'<text x="{x}" y="{bottom + 18}"{anchor}>{escape(label)}</text>')
    return "".join(labels)
