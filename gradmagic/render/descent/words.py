"""What is said about a descent: how it ended, its notes, and the words that the browser needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gradmagic.core.i18n import _, _n, join_phrases, join_sentences
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.descent.records import Descent, NoteKind
    from gradmagic.render.diagnoses import Severity

SEVERITY: Final[dict[NoteKind, Severity]] = {
    "nan": "wrong",
    "diverging": "wrong",
    "oscillation": "weak",
    "plateau": "note",
}


def name_note(kind: NoteKind) -> str:
    """A short title of a note."""
    return {
        "nan": _("not a number"),
        "diverging": _("diverging"),
        "oscillation": _("oscillating"),
        "plateau": _("levels off"),
    }[kind]


def name_method(run: Descent) -> str:
    """Optimizer and learning rate: ``sgd, learning rate 0.1``."""
    return _("{optimizer}, learning rate {rate}").format(
        optimizer=run.optimizer, rate=format_rate(run.rate)
    )


def format_rate(rate: float) -> str:
    """A learning rate as it is typed: ``0.1``."""
    return f"{rate:.4g}"


def say_end(run: Descent) -> str:
    """How many steps were taken, and why no more."""
    steps = _n("{done} of {steps} step", "{done} of {steps} steps", run.steps)
    said = steps.format(done=run.done, steps=run.steps)
    why = _say_why(run)
    return _("{title}: {text}").format(title=said, text=why) if why else said


def describe_run(run: Descent) -> str:
    """A run among others: its notes, and why it ended early."""
    return join_phrases(
        filter(None, [*(name_note(note.kind) for note in run.notes), _say_why(run)])
    )


def _say_why(run: Descent) -> str:
    return {
        "done": "",
        "stopped": _("stopped by the button"),
        "interrupted": _("interrupted"),
        "until": _("it changed by no more than --until"),
        "nan": _("a gradient is no finite number")
        if math.isfinite(find_last(run))
        else _("the loss is no finite number"),
    }[run.ended]


def say_kept(run: Descent) -> str:
    """What the sources hold now, where the descent ended early."""
    if run.ended not in ("stopped", "interrupted"):
        return ""
    return _n(
        "The sources hold the values after {done} whole step. "
        "Run the cell again to go on from there.",
        "The sources hold the values after {done} whole steps. "
        "Run the cell again to go on from there.",
        run.done,
    ).format(done=run.done)


def say_pace(run: Descent) -> str:
    """How long it took."""
    if not run.done or run.seconds <= 0:
        return ""
    return _("{seconds} s, {pace} steps a second").format(
        seconds=format_number(run.seconds, 3), pace=format_number(run.done / run.seconds, 3)
    )


def say_range(run: Descent) -> str:
    """Where the loss started, and its lowest value where that is not the last."""
    finite = np.isfinite(run.losses)
    if not finite.any():
        return _("no step had a finite loss")
    said = _("from {first} at step 0").format(first=format_number(float(run.losses[0])))
    at = int(np.nanargmin(np.where(finite, run.losses, math.nan)))
    if at != run.done - 1:
        lowest = format_number(float(run.losses[at]))
        said += _("; lowest {lowest} at step {step}").format(lowest=lowest, step=at)
    return said


def say_course(run: Descent) -> str:
    """How it ended, and how long it took."""
    said = filter(None, (say_end(run), say_pace(run)))
    return join_sentences(_("{sentence}.").format(sentence=one) for one in said)


def find_last(run: Descent) -> float:
    """The last loss; NaN without a step."""
    return float(run.losses[-1]) if len(run.losses) else math.nan


def list_words() -> dict[str, str]:
    """What the script writes, in the user's language."""
    return {
        "step": _("Step {step} of {last}"),
        "slider": _("Step"),
        "run": _("run {run} of {runs}, learning rate {rate}"),
        "running": _("{done} of {steps} steps"),
        "pace": _("{pace} steps/s"),
        "left": _("{left} left"),
        "seconds": _("{count} s"),
        "minutes": _("{count} min"),
        "hours": _("{count} h"),
        "stop": _("Stop"),
        "stopping": _("Stopping after this step"),
        "deaf": _(
            "The kernel does not hear this button while the cell runs. Interrupt it: press Esc, "
            "then I twice, or use the square in the toolbar. It stops after the step."
        ),
        "loss": _("loss"),
        "rate": _("learning rate"),
        "loss_curve": _("Loss of each step"),
        "norm_curve": _("Norm of each gradient, step by step"),
        "logarithmic": _("log"),
        "linear": _("linear"),
        "scrolls": _("Scrolls sideways"),
        "copy": _("Copy the code"),
        "copied": _("Copied"),
        "selected": _("Selected: press Ctrl+C to copy"),
    }
