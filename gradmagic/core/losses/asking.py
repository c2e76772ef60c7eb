"""What is asked of the sample in hand before its gradients are shown, with TensorFlow's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from gradmagic.core.asking.records import Choice, Question
from gradmagic.core.i18n import N_, _
from gradmagic.core.losses.batch import steady_logits
from gradmagic.core.losses.comparison import take_losses
from gradmagic.core.replay.chain import write_number

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel

DIGITS = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}  # binary, of a number
ROUNDING = 64  # times the dtype's resolution: two norms that differ by less may be equal
STEPS = (2.0, 10.0, 1000.0)  # between "about the same", "some", "many" and "more" times
EDGE = 0.05  # share of a step by which a ratio may miss it and count on both sides
SIZES = (
    ("same", N_("by less than 2 times")),
    ("some", N_("2 to 10 times")),
    ("many", N_("10 to 1,000 times")),
    ("more", N_("more than 1,000 times")),
)
SIGNS = (("negative", N_("below 0")), ("zero", N_("exactly 0")), ("positive", N_("above 0")))


class _Sample(NamedTuple):
    """One sample: both norms, and what its true class has."""

    number: int
    true_class: int
    classes: int
    crossentropy: float
    mse: float
    p: float
    y: float
    spread: float  # p (1 - p)
    crossentropy_slope: float
    resolution: float


def ask_losses(panel: LossPanel) -> tuple[Question, ...]:
    """The questions about the sample in hand.

    Their truth is the gradient of the sample's own two losses with respect to its logits, by
    TensorFlow's tape.
    """
    sample = _take_sample(panel)
    return (_ask_larger(sample), _ask_times(sample), _ask_sign(sample))


def _take_sample(panel: LossPanel) -> _Sample:
    tables = panel.hand.tables
    number = tables.setting.sample
    row = slice(number, number + 1)
    targets: Any = panel.comparison.targets[row]
    logits = steady_logits(targets, panel.comparison.logits[row])
    losses = take_losses(targets, logits)
    true_class = int(tf.argmax(targets[0]))
    p = losses.probabilities[0, true_class]
    return _Sample(
        number,
        true_class,
        int(targets.shape[1]),
        float(tf.norm(losses.crossentropy_gradient)),
        float(tf.norm(losses.mse_gradient)),
        float(p),
        float(targets[0, true_class]),
        float(p * (1 - p)),
        float(losses.crossentropy_gradient[0, true_class]),
        2.0 ** -DIGITS[logits.dtype.name],
    )


def find_larger(crossentropy: float, mse: float, resolution: float) -> tuple[str, ...]:
    """Which norm is larger: all answers that are right; both where rounding decides."""
    largest = max(crossentropy, mse)
    if crossentropy == mse:
        return ("equal",)
    larger = "crossentropy" if crossentropy > mse else "mse"
    near = abs(crossentropy - mse) <= ROUNDING * resolution * largest
    return (larger, "equal") if near else (larger,)


def find_size(crossentropy: float, mse: float) -> tuple[str, ...]:
    """By how much the norms differ: all answers that are right; two at the edge between them."""
    larger, smaller = max(crossentropy, mse), min(crossentropy, mse)
    if larger == 0:
        return ("same",)
    if smaller == 0:
        return ("more",)
    ratio = larger / smaller
    low, high = (np.searchsorted(STEPS, ratio * by, "right") for by in (1 - EDGE, 1 + EDGE))
    return tuple(key for key, _text in SIZES[low : high + 1])


def find_sign(slope: float, resolution: float) -> tuple[str, ...]:
    """The sign of a gradient: all answers that are right; 0 too where rounding decides."""
    if slope == 0:  # (-0.0 too)
        return ("zero",)
    sign = "positive" if slope > 0 else "negative"
    return (sign, "zero") if abs(slope) <= ROUNDING * resolution else (sign,)


def _ask_larger(sample: _Sample) -> Question:
    text = _(
        "Which loss has the larger gradient on the logits of sample {sample}, measured by its norm?"
    )
    choices = (
        Choice("crossentropy", _("crossentropy")),
        Choice("mse", _("MSE")),
        Choice("equal", _("equal, within rounding")),
    )
    right = find_larger(sample.crossentropy, sample.mse, sample.resolution)
    name = {"crossentropy": _("crossentropy"), "mse": _("MSE")}.get(right[0])
    truth = (
        _("Both norms are equal: {crossentropy} for crossentropy, {mse} for MSE.").format(
            **_write_norms(sample)
        )
        if name is None
        else _("{name} has the larger norm.").format(name=name)  # how much is asked next
    )
    return Question(
        key="larger",
        subject=_("sample {sample}").format(sample=sample.number),
        kind="choice",
        text=text.format(sample=sample.number),
        choices=choices,
        right=right,
        truth=truth,
        why=_explain_both(sample),
    )


def _explain_both(sample: _Sample) -> tuple[str, ...]:
    """LESSON 3.5: p - y against p (1 - p), with the sample's own numbers; not yet MSE's."""
    places = {
        "number": sample.true_class,
        "p": write_number(sample.p),
        "y": write_number(sample.y),
        "spread": write_number(sample.spread),
        "crossentropy": write_number(sample.crossentropy_slope + 0.0),
    }
    by_crossentropy = _(
        "crossentropy: its gradient on a logit is p − y. On class {number}, the true class, "
        "p = {p} and y = {y}, so it is {crossentropy}."
    )
    by_mse = _(
        "MSE: its gradient goes back through softmax too, which multiplies by p(1 − p) and by "
        "−p p of the other classes. On class {number}, p(1 − p) = {spread}."
    )
    return by_crossentropy.format(**places), by_mse.format(**places)


def _ask_times(sample: _Sample) -> Question:
    norms = _write_norms(sample)
    if not sample.crossentropy and not sample.mse:
        truth = _("Both norms are exactly 0.")
    elif not sample.crossentropy or not sample.mse:
        truth = _("One norm is exactly 0: {crossentropy} for crossentropy, {mse} for MSE.")
    else:
        truth = _("{times} times: {crossentropy} for crossentropy, {mse} for MSE.")
        larger, smaller = sorted((sample.crossentropy, sample.mse), reverse=True)
        norms["times"] = _write_times(larger / smaller)
    return Question(
        key="times",
        subject=_("sample {sample}").format(sample=sample.number),
        kind="choice",
        text=_("By how much do these two norms differ?"),
        choices=tuple(Choice(key, _(label)) for key, label in SIZES),
        right=find_size(sample.crossentropy, sample.mse),
        truth=truth.format(**norms),
        why=(_explain_times(sample),),
    )


def _write_times(ratio: float) -> str:
    return f"{ratio:,.0f}" if 100 <= ratio < 1e6 else f"{ratio:.2g}"


def _explain_times(sample: _Sample) -> str:
    return _(
        "MSE is a mean over the {classes} classes, and softmax multiplies its gradient by "
        "p(1 − p) = {spread}. That is never more than 0.25, and near 0 where p is near 0 or 1."
    ).format(classes=sample.classes, spread=write_number(sample.spread))


def _ask_sign(sample: _Sample) -> Question:
    text = _(
        "What sign has crossentropy's gradient on the logit of class {number}, the true class?"
    )
    slope = sample.crossentropy_slope
    truth = _("It is 0: descent does not move this logit.")
    if slope < 0:
        truth = _("It is {slope}: descent raises this logit.")
    elif slope > 0:
        truth = _("It is {slope}: descent lowers this logit.")
    why = _("The gradient is p − y = {p} − {y}.")
    return Question(
        key="sign",
        subject=_("sample {sample}").format(sample=sample.number),
        kind="choice",
        text=text.format(number=sample.true_class),
        choices=tuple(Choice(key, _(label)) for key, label in SIGNS),
        right=find_sign(slope, sample.resolution),
        truth=truth.format(slope=write_number(slope)),
        why=(why.format(p=write_number(sample.p), y=write_number(sample.y)),),
    )


def _write_norms(sample: _Sample) -> dict[str, str]:
    return {
        "crossentropy": write_number(sample.crossentropy),
        "mse": write_number(sample.mse),
    }
