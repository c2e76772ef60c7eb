"""A descent as text, for a terminal: no more than 100 columns, no colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, join_sentences
from gradmagic.core.summary import summarize
from gradmagic.render.descent.sources import say_not_kept
from gradmagic.render.descent.steps import count_shown
from gradmagic.render.descent.words import (
    describe_run,
    find_last,
    format_rate,
    name_method,
    name_note,
    say_course,
    say_kept,
    say_range,
)
from gradmagic.render.lettering import clean_text, count_columns, pad_text, wrap_text
from gradmagic.render.markup import shorten
from gradmagic.render.names import describe_tensor
from gradmagic.render.numbers import MINUS, format_number

if TYPE_CHECKING:
    from gradmagic.core.descent.records import Descent, Descents, Progress

WIDTH = 100
ROWS = 9  # steps in the table of one run
SOURCES = 12
CURVE = 60  # columns of the loss curve
BLOCKS = "▁▂▃▄▅▆▇█"


def render_text(descents: Descents) -> str:
    """The descents as lines of at most ``WIDTH`` columns."""
    runs = descents.runs
    best = runs[descents.best]
    parts = [_write_header(best), _write_notes(descents)]
    if len(runs) > 1:
        parts.append(_write_runs(descents))
    parts += [_write_curve(best), _write_steps(best), _write_sources(best), _write_surface(best)]
    text = "\n\n".join("\n".join(map(clean_text, part)) for part in parts if part) + "\n"
    return text.replace(MINUS, "-")


def write_progress(progress: Progress) -> str:
    """One line of a terminal, written over itself: no more than 79 columns."""
    done = progress.done / max(1, progress.steps)
    bar = "#" * round(20 * done)
    loss = progress.losses_new[-1] if len(progress.losses_new) else math.nan
    parts = [f"[{bar:.<20}] {progress.done}/{progress.steps}"]
    if progress.runs > 1:
        parts.insert(0, f"{progress.run + 1}/{progress.runs}")
    parts.append(_("loss {loss}").format(loss=format_number(float(loss))))
    if math.isfinite(progress.rate_per_second) and progress.rate_per_second > 0:
        pace = format_number(progress.rate_per_second, 3)
        parts.append(_("{pace} steps/s").format(pace=pace))
    return shorten("  ".join(parts).replace(MINUS, "-"), 79)


def _write_header(run: Descent) -> list[str]:
    loss = _("loss")
    left = f"{loss} = {format_number(find_last(run))}"
    right = name_method(run)
    lines = [left + " " * max(2, WIDTH - count_columns(left) - count_columns(right)) + right]
    course = [_("{sentence}.").format(sentence=say_range(run)), say_course(run)]
    lines += _wrap(join_sentences(course))
    kept = say_kept(run)
    return lines + (_wrap(kept) if kept else [])


def _write_notes(descents: Descents) -> list[str]:
    lines = []
    for run in descents.runs:
        for note in run.notes:
            place = _("from step {step}").format(step=note.step)
            if len(descents.runs) > 1:
                rate = format_rate(run.rate)
                place = _("learning rate {rate}, {place}").format(rate=rate, place=place)
            title = _("{title} ({place})").format(title=name_note(note.kind), place=place)
            lines.append(f"! {title}")
            lines += _wrap(note.message)
            if note.fix:
                lines += _wrap(_("instead: {fix}").format(fix=note.fix))
    return lines


def _write_runs(descents: Descents) -> list[str]:
    rows: list[tuple[str, ...]] = [("", _("learning rate"), _("last loss"), _("steps"), "")]
    for i, run in enumerate(descents.runs):
        notes = describe_run(run)
        mark = "*" if i == descents.best else ""
        last = format_number(find_last(run))
        rows.append((mark, format_rate(run.rate), last, str(run.done), notes))
    said = _("* The sources keep the end of this one.")
    return [*(line.rstrip() for line in _align(rows)), *_wrap(said)]


def _write_curve(run: Descent) -> list[str]:
    """The losses as one row of blocks, logarithmic where all are above 0."""
    losses = np.asarray(run.losses, np.float64)
    if not np.isfinite(losses).any() or len(losses) < 2:
        return []
    places = np.linspace(0, len(losses) - 1, min(CURVE, len(losses))).round().astype(int)
    shown = losses[places]
    finite = np.isfinite(shown)
    logarithmic = bool((shown[finite] > 0).all())
    heights = np.log(shown, where=finite, out=np.full(len(shown), np.nan)) if logarithmic else shown
    if not finite.any():
        return []
    low, high = float(np.min(heights[finite])), float(np.max(heights[finite]))
    blocks = [
        BLOCKS[round((len(BLOCKS) - 1) * (h - low) / ((high - low) or 1.0))] if ok else "?"
        for h, ok in zip(heights, finite, strict=True)
    ]
    axis = _("logarithmic") if logarithmic else _("linear")
    return [_("loss, {axis}").format(axis=axis), "  " + "".join(blocks)]


def _write_steps(run: Descent) -> list[str]:
    if not run.moments:
        return []
    places = np.unique(np.linspace(0, len(run.moments) - 1, ROWS).round().astype(int))
    names = run.names[:4]
    heads = [_("norm of {name}").format(name=shorten(name, 14)) for name in names]
    rows: list[tuple[str, ...]] = [(_("step"), _("loss"), *heads)]
    for place in places:
        moment = run.moments[int(place)]
        norms = (format_number(norm, 3) for norm in moment.norms[: len(names)])
        rows.append((str(moment.step), format_number(moment.loss), *norms))
    return _align(rows)


def _write_sources(run: Descent) -> list[str]:
    """The last kept value of each source."""
    if not run.moments:
        return []
    last = run.moments[-1]
    if not count_shown(run):
        return _wrap(say_not_kept())
    lines = [_("before step {step}:").format(step=last.step)]
    for name, value in list(zip(run.names, last.values, strict=True))[:SOURCES]:
        summary = summarize(value)
        if value.size <= 8:
            shown = " ".join(format_number(float(one)) for one in value.reshape(-1))
        else:
            numbers = (summary.norm, summary.low, summary.high)
            norm, low, high = ("–" if n is None else format_number(n, 3) for n in numbers)
            shown = _("norm {norm}, {low} to {high}").format(norm=norm, low=low, high=high)
        title = f"{shorten(name, 40)} {describe_tensor(summary)}"
        lines += _wrap(_("{title}: {text}").format(title=title, text=shown))
    left = len(run.names) - SOURCES
    return lines + ([f"  +{left}"] if left > 0 else [])


def _write_surface(run: Descent) -> list[str]:
    if run.surface is None:
        return []
    finite = run.surface.z[np.isfinite(run.surface.z)]
    if not finite.size:
        return []
    low, high = format_number(float(finite.min())), format_number(float(finite.max()))
    said = _("Around the path the loss is {low} to {high}. Directions: {axes}")
    return _wrap(said.format(low=low, high=high, axes=run.surface.axes))


def _align(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(count_columns(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(pad_text(text, width) for text, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _wrap(text: str) -> list[str]:
    return [f"  {line}" for line in wrap_text(text, WIDTH - 2)]
