"""What the sidebar says in sentences, as templates: Python fills them in, and so does the browser.

In a template ``{crossentropy}`` and ``{mse}`` are the names of the losses, in their colours;
``{crossentropy_pull}`` and ``{mse_pull}`` the sizes of their gradients.
"""

from __future__ import annotations

import math

from gradmagic.core.i18n import _
from gradmagic.core.losses.sliders import RIGHT, STUCK, UNDECIDED, WRONG

SURE = 0.9  # probability of the true class from which on a right answer is sure


def list_claims() -> dict[str, str]:
    """The first sentence, by what the sample's answer is."""
    return {
        "stuck": _(
            "Sample {sample} is confidently wrong: {crossentropy} pulls {crossentropy_pull} on its "
            "logits, {mse} {mse_pull}."
        ),
        "wrong": _(
            "Sample {sample} is wrong: {crossentropy} pulls {crossentropy_pull} on its logits, "
            "{mse} {mse_pull}."
        ),
        "undecided": _(
            "Sample {sample} is undecided: {crossentropy} pulls {crossentropy_pull} on its logits, "
            "{mse} {mse_pull}."
        ),
        "unsure": _(
            "Sample {sample} is right but unsure: {crossentropy} pulls {crossentropy_pull} on its "
            "logits, {mse} {mse_pull}."
        ),
        "right": _(
            "Sample {sample} is right, and both let go: {crossentropy} pulls {crossentropy_pull}, "
            "{mse} {mse_pull}."
        ),
    }


def name_state(state: int, true_probability: float) -> str:
    """The claim that fits."""
    if state == RIGHT:
        return "right" if true_probability >= SURE else "unsure"
    return {STUCK: "stuck", WRONG: "wrong", UNDECIDED: "undecided"}[state]


def list_advice() -> dict[str, str]:
    """What to try first, by how the sample stands; ``{number}`` is its true class."""
    return {
        "stuck": _(
            "Drag class {number}, the true class, to the right: "
            "MSE wakes only as the answer comes near."
        ),
        "wrong": _(
            "Drag class {number}, the true class, to the right: crossentropy pulls hard from the "
            "start, MSE only as the answer comes near."
        ),
        "right": _(
            "Drag class {number}, the true class, to the left: "
            "crossentropy keeps its grip, MSE falls silent."
        ),
    }


def list_reasons() -> dict[str, str]:
    """What the curves show, by the slider along which they run."""
    return {
        "stuck": _(
            "While the answer is wrong, crossentropy stays steep. MSE goes flat: its slope line "
            "lies level, and descent stands still."
        ),
        "true": _(
            "While the answer is wrong, crossentropy stays steep; MSE's slope dies away on both "
            "sides."
        ),
        "other": _(
            "The true class's own logit stands still here. The size of gradient is over all logits."
        ),
        "confidence": _(
            "All logits grow together: undecided at 0, surer to the right, turned round to the "
            "left."
        ),
        "smoothing": _(
            "The target moves here, not the answer: a share of it is spread over all classes."
        ),
    }


def list_flaws() -> dict[str, str]:
    """What breaks in floating point, under the value where it does."""
    return {
        "clipped": _("clipped: gradient is exactly 0"),
        "log": _("log of 0: gradient is {gradient}"),
        "gradient": _("gradient is {gradient}"),
    }


def name_flaw(value: float, gradient: float, stable_gradient: float) -> str | None:
    """The flaw of one way to write crossentropy, beside the stable way's gradient; None: sound."""
    if math.isinf(value):
        return "log"
    if math.isnan(value) or math.isnan(gradient):
        return "gradient"
    if gradient == 0 and abs(stable_gradient) > 1e-6:
        return "clipped"
    return None


def list_words() -> dict[str, str]:
    """What the browser writes by itself, in the user's language."""
    least = _("{number} %").format(number=1)
    return {
        **{f"claim_{key}": text for key, text in list_claims().items()},
        **{f"advice_{key}": text for key, text in list_advice().items()},
        **{f"reason_{key}": text for key, text in list_reasons().items()},
        **{f"flaw_{key}": text for key, text in list_flaws().items()},
        "crossentropy": _("crossentropy"),
        "mse": _("MSE"),
        "sample": _("sample {sample}"),
        "sample_moved": _("sample {sample}, moved"),
        "predicted": _("predicted"),
        "scrolls": _("Scrolls sideways"),
        "previous": _("Previous sample"),
        "next": _("Next sample"),
        "select": _("Select sample {sample}"),
        "exactly": _("exactly 0"),
        "times_shorter": _("{times} times shorter"),
        "too_short": _(", too short to draw"),
        "logit": _("Logit of class {number}"),
        "confidence": _("Confidence: all logits times"),
        "smoothing": _("Label smoothing"),
        "true_class": _("True class"),
        "along_true": _("Along the logit of class {number}, the true class"),
        "along_logit": _("Along the logit of class {number}"),
        "along_confidence": _("Along the confidence"),
        "along_smoothing": _("Along the label smoothing"),
        "axis_logit": _("logit of class {number}"),
        "axis_confidence": _("all logits times"),
        "axis_smoothing": _("share of the target that is smoothed"),
        "curves_label": _("Both losses and the sizes of their gradients, by the {axis}"),
        "crossentropy_loss": _("crossentropy loss, nats"),
        "mse_loss": _("MSE loss"),
        "size": _("size of gradient, log scale"),
        "size_short": _("gradient, log"),
        "answer_right": _("answer right"),
        "answer_wrong": _("answer wrong"),
        "right": _("right"),
        "wrong": _("wrong"),
        "never_right": _("answer wrong everywhere on this slider"),
        "always_right": _("answer right everywhere on this slider"),
        "stuck": _("MSE is stuck"),
        "stuck_why": _("wrong, yet MSE's gradient is below {share} of its maximum").format(
            share=least
        ),
        "threshold": _("{share} of MSE's maximum: {value}").format(share=least, value="{value}"),
        "threshold_short": _("{share} of maximum").format(share=least),
        "others": _("Small marks: the other samples, by their lead over the other classes."),
        "race_step": _("step"),
        "race_label": _("Both losses, accuracy and pull, step by step"),
        "race_accuracy": _("accuracy"),
        "race_pull": _("mean pull, log scale"),
        "race_pull_short": _("mean pull, log"),
        "race_start": _("Start"),
        "race_stop": _("Stop"),
        "race_running": _("step {step} of {steps}"),
        "race_result": _(
            "After {steps} steps {crossentropy} is right on {crossentropy_accuracy}, "
            "{mse} on {mse_accuracy}."
        ),
        "race_stopped": _(
            "Stopped after {steps} steps: {crossentropy} is right on {crossentropy_accuracy}, "
            "{mse} on {mse_accuracy}."
        ),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "selected": _("Selected: press Ctrl+C to copy"),
        "back": _("Back to the data"),
        "others_back": _(
            " Moving one slider sets the others back to it. Without a kernel, these samples can be "
            "moved: {samples}."
        ),
        "dock": _("Put this one there"),
        "undock": _("Put it under the cell"),
        "at_side": _("The panel at the right shows the comparison that was run last."),
        "not_at_side": _("Another comparison is at the side now."),
        "show_here": _("Show it here too"),
        "waiting": _("The kernel is busy: the other sliders stand at their last place."),
    }
