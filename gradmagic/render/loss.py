"""The report's part on the loss: its value, the samples' losses, its history over re-runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, _n, join_sentences
from gradmagic.render.cells import measure
from gradmagic.render.history import render_history
from gradmagic.render.markup import Html, join, shorten, tag
from gradmagic.render.names import format_shape, name_cost, name_unit, total_target
from gradmagic.render.numbers import format_column, format_number
from gradmagic.render.panels import choose_form, render_panel

if TYPE_CHECKING:
    from gradmagic.core.records import PerSample, TapeRun

BARS = 12  # samples shown


def render_loss(run: TapeRun) -> Html:
    """Value, per-sample bars, history."""
    return join(
        _render_value(run),
        _render_entries(run) if run.target.summed else None,
        render_samples(run.per_sample, run) if run.per_sample is not None else None,
        render_history(run) if run.history else None,
    )


def _render_value(run: TapeRun) -> Html:
    total = total_target(run)
    number = "–" if total is None else format_number(total)
    name = tag("code", shorten(run.target.name, 40))
    if run.target.unit != "nats" or total is None or isinstance(total, complex):
        unit = name_unit(run.target)
        return _render_lines([(number, join(name, f" {unit}"), "")])
    number, bits = format_column([total, total / math.log(2)], 4)
    return _render_lines(
        [
            (number, _("nats"), _("natural log, as TensorFlow counts")),
            (bits, _("bits"), _("nats / ln 2")),
        ]
    )


def _render_lines(lines: list[tuple[str, str, str]]) -> Html:
    """Numbers, their units, and a word about these."""
    rows = [
        tag("tr", tag("td", number), tag("td", unit), tag("td", words, class_="gm-s"))
        for number, unit, words in lines
    ]
    return tag("table", tag("tbody", *rows), class_="gm-two", aria_label=_("Loss"))


def _render_entries(run: TapeRun) -> Html | None:
    """The entries of a target that is no scalar, where they are few."""
    value = run.target.value
    if choose_form(value) != "table" or value.values is None:
        return None
    name = shorten(run.target.name, 40)
    table = render_panel(value, measure(value.values), _("value of {name}").format(name=name))
    return tag(
        "div",
        tag("p", f"{name} {format_shape(value.shape)}", class_="gm-s"),
        tag("div", table, class_="gm-scroll"),
        class_="gm-part",
    )


def render_samples(samples: PerSample, run: TapeRun) -> Html:
    """The first samples' losses as bars, with lines at their mean and at the loss of guessing."""
    losses = samples.losses[:BARS].astype(np.float64)
    low, high = _find_range(losses, samples)
    mean = _place(samples.mean, low, high) if math.isfinite(samples.mean) else None
    guess = None if samples.guessing is None else _place(samples.guessing, low, high)
    lines = _style_lines(mean, guess, zero=_place(0.0, low, high))
    numbers = format_column(losses.tolist(), 4)
    rows = [
        _render_sample(samples, i, number, (float(losses[i]), low, high))
        for i, number in enumerate(numbers)
    ]
    over = _render_reference("over", mean, _name_mean(samples))
    table = tag(
        "table",
        tag("tbody", over, *rows, _render_guess(samples, guess)),
        class_="gm-bars gm-dense" if len(losses) > 4 else "gm-bars",
        style=lines,
        aria_label=_("per-sample loss"),
    )
    unit = _(run.target.unit) if run.target.unit else ""
    title = _("per-sample loss, {unit}").format(unit=unit) if unit else _("per-sample loss")
    return tag(
        "div",
        tag("p", title, class_="gm-s"),
        table,
        tag("p", join_sentences(_explain_samples(samples, losses, run)), class_="gm-say"),
        class_="gm-part",
    )


def _render_guess(samples: PerSample, place: float | None) -> Html | None:
    """The words at the line of guessing."""
    if samples.guessing is None:
        return None
    classes = round(math.exp(samples.guessing))
    return _render_reference(
        "under",
        place,
        _("guessing 1/{classes} each: {number}").format(
            classes=classes, number=f"{samples.guessing:.4f}"
        ),
    )


def _name_mean(samples: PerSample) -> str:
    return _("mean {number}").format(number=format_number(samples.mean))


def _find_range(losses: np.ndarray, samples: PerSample) -> tuple[float, float]:
    """The ends of the bars' axis: 0 lies on it, and there is room beside the longest bar."""
    finite = [*losses[np.isfinite(losses)].tolist(), 0.0]
    finite += [x for x in (samples.mean, samples.guessing) if x is not None and math.isfinite(x)]
    low, high = min(finite), max(finite)
    room = 0.06 * (high - low) or 1.0
    return (low - room if low < 0 else 0.0), high + room


def _place(number: float, low: float, high: float) -> float:
    """Per cent of the axis."""
    return round(100 * (number - low) / (high - low), 2)


def _style_lines(mean: float | None, guess: float | None, zero: float) -> str:
    parts = [f"--zero:{zero}%"]
    if mean is not None:
        parts.append(f"--mean:{mean}%")
    if guess is not None:
        parts.append(f"--guess:{guess}%")
    return ";".join(parts)


def _render_reference(side: str, place: float | None, words: str) -> Html:
    """A row that names a line: its words hang at the line, and stay inside at both ends."""
    at = f"left:{place}%;transform:translateX(-{place}%)" if place is not None else None
    return tag(
        "tr",
        tag("td"),
        tag("td", tag("span", words, style=at), class_=f"gm-ref gm-{side}"),
        tag("td"),
    )


def _render_sample(
    samples: PerSample, i: int, number: str, place: tuple[float, float, float]
) -> Html:
    """A bar; ``place`` is the loss and the ends of the axis."""
    loss, low, high = place
    known = None
    if samples.classes is not None and samples.probabilities is not None:
        known = tag(
            "small",
            _("true class {label}: p = {probability}").format(
                label=int(samples.classes[i]),
                probability=format_number(float(samples.probabilities[i]), 3),
            ),
        )
    label = tag("th", _("sample {number}").format(number=i), " ", known, scope="row")
    if math.isfinite(loss):
        start, end = sorted((_place(0.0, low, high), _place(loss, low, high)))
        bar = Html(
            f'<span class="gm-bar" style="margin-left:{start:g}%;width:{end - start:.4g}%"></span>'
        )
        written = tag("td", number)
    else:
        bar = Html('<span class="gm-bar gm-bad" style="width:100%"></span>')
        written = tag("td", number, class_="gm-bad")
    return tag("tr", label, tag("td", bar, class_="gm-lane"), written)


def _explain_samples(samples: PerSample, losses: np.ndarray, run: TapeRun) -> list[str]:
    template = (
        _n(
            "{cost} is the mean of {count} sample's loss.",
            "{cost} is the mean of {count} samples' losses.",
            samples.count,
        )
        if samples.reduction == "mean"
        else _n(
            "{cost} is the sum of {count} sample's loss.",
            "{cost} is the sum of {count} samples' losses.",
            samples.count,
        )
    )
    cost = name_cost(run.target)
    capital = cost[:1].upper() + cost[1:] if run.target.reason == "loss" else cost
    said = [template.format(cost=capital, count=samples.count)]
    if samples.count > len(losses):
        said.append(_("Shown are the first {count}.").format(count=len(losses)))
    bad = int(np.count_nonzero(~np.isfinite(losses)))
    if bad:
        said.append(
            _n(
                "{count} sample has a loss that is no finite number, and so the whole has none.",
                "{count} samples have a loss that is no finite number, and so the whole has none.",
                bad,
            ).format(count=bad)
        )
    elif len(losses) > 1:
        said.append(_explain_worst(samples, losses))
    return said


def _explain_worst(samples: PerSample, losses: np.ndarray) -> str:
    worst = int(np.argmax(losses))
    if samples.guessing is None:
        if losses.min() == losses.max():
            return _("All cost the same.")
        return _("Sample {number} costs most.").format(number=worst)
    if losses[worst] <= samples.guessing * (1 + 1e-6):  # float32 rounds
        return _("None of them costs more than guessing would.")
    if samples.classes is None or samples.probabilities is None:
        return _("Sample {number} costs more than guessing would.").format(number=worst)
    return _(
        "Sample {number} costs more than guessing would: the model gives its true class, {label}, "
        "only {probability}."
    ).format(
        number=worst,
        label=int(samples.classes[worst]),
        probability=format_number(float(samples.probabilities[worst]), 3),
    )
