"""What the journal notes of each kind of report: what heads it, and what was found."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n, join_items
from gradmagic.core.journal import Entry
from gradmagic.render.descent.words import SEVERITY, name_note
from gradmagic.render.diagnoses import (
    find_severity,
    group_diagnoses,
    list_names,
    name_kind,
    name_place,
)
from gradmagic.render.losses.batch import format_mean
from gradmagic.render.markup import shorten
from gradmagic.render.names import name_target, total_target
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.descent.records import Descents
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.records import Diagnosis, TapeRun

ALERTS = 8  # of one report
SUBJECT = 60  # columns
SOURCES = 24


def note_run(run: TapeRun) -> Entry:
    """A run: the target and its value; its diagnoses."""
    total = total_target(run)
    value = "" if total is None else format_number(total)
    if value and run.target.unit:
        value = f"{value} {run.target.unit}"
    sources = dict.fromkeys(gradient.source for gradient in run.gradients)
    return Entry(
        "tape",
        name_target(run.target),
        value,
        detail=shorten(join_items(sources), SOURCES),
        alerts=_list_alerts(run.diagnoses),
        run=weakref.ref(run),
    )


def note_descent(descents: Descents) -> Entry:
    """A descent: its loss from the first step to the last; what is to say about it."""
    best = descents.runs[descents.best]
    steps = _n("{count} step", "{count} steps", best.done).format(count=best.done)
    losses = best.losses
    value = ""
    if len(losses):
        value = f"{format_number(float(losses[0]))} → {format_number(float(losses[-1]))}"
    alerts = dict.fromkeys(
        (SEVERITY[note.kind], name_note(note.kind)) for run in descents.runs for note in run.notes
    )
    names = join_items(best.names)
    subject = _("descent of {names}, {steps}").format(names=shorten(names, SUBJECT), steps=steps)
    return Entry("descent", subject, value, alerts=tuple(alerts))


def note_losses(panel: LossPanel) -> Entry:
    """A comparison: both means."""
    figures = panel.figures
    nats, _bits = figures.crossentropy["logits"]
    value = _("{mse} against {crossentropy} nats").format(
        mse=format_mean(figures.mse["keras"]), crossentropy=format_mean(nats)
    )
    return Entry("losses", _("MSE against crossentropy"), value)


def note_activations(lab: ActivationLab) -> Entry:
    """Activations: their names."""
    names = [curve.function.name for curve in lab.curves]
    if lab.softmax is not None:
        names.append(lab.softmax.function.name)
    return Entry("activations", shorten(join_items(names), SUBJECT))


def note_failure(diagnosis: Diagnosis) -> Entry:
    """A line about an exception."""
    what = name_kind(diagnosis.kind)
    alerts = ((find_severity(diagnosis.kind), what),)
    return Entry("failure", _("The cell failed"), what, alerts=alerts)


def _list_alerts(diagnoses: tuple[Diagnosis, ...]) -> tuple[tuple[str, str], ...]:
    found = []
    for finding in group_diagnoses(diagnoses)[:ALERTS]:
        place = name_place(finding.line)
        what = _("{name}: {what}").format(
            name=list_names(finding.subjects), what=name_kind(finding.kind)
        )
        found.append((find_severity(finding.kind), f"{what}, {place}" if place else what))
    return tuple(found)
