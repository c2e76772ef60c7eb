"""Runs made by hand: NumPy arrays stand for tensors, so that reports are tested without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gradmagic.core.records import (
    ByName,
    CodeLine,
    Gradient,
    PerSample,
    Summary,
    TapeRun,
    Target,
)
from gradmagic.core.summary import summarize

W = np.array(
    [[-2.273, -1.659, -0.263], [-0.809, 1.029, 0.019], [0.964, 1.136, 0.079], [0.93, 0.192, 0.77]],
    np.float32,
)
DW = np.array(
    [[0.141, 0.03, -0.17], [-0.206, 0.112, 0.095], [0.118, -0.034, -0.084], [-0.352, 0.253, 0.1]],
    np.float32,
)
B = np.zeros(3, np.float32)
DB = np.array([-0.244, 0.285, -0.04], np.float32)
CODE = (
    CodeLine("with tf.GradientTape() as tape:", None),
    CodeLine("    tape.watch([w, b])", None),
    CodeLine("    logits = x @ w + b", 2),
    CodeLine("    loss = tf.reduce_mean(H(y, logits))", 3),
    CodeLine("grads = tape.gradient(loss, [w, b])", None),
)
SAMPLES = PerSample(
    losses=np.array([0.5644, 1.1662]),
    count=2,
    reduction="mean",
    mean=0.8653,
    classes=np.array([2, 0]),
    probabilities=np.array([0.569, 0.312]),
    guessing=float(np.log(3)),
)


def make_gradient(name: str, value: Any, gradient: Any, **fields: Any) -> Gradient:
    """A source; value and gradient are arrays, Summaries or None."""
    fields.setdefault("source", name)
    fields.setdefault("variable", False)
    return Gradient(
        name=name,
        value=_as_summary(value),
        gradient=_as_summary(gradient),
        result=gradient,
        **fields,
    )


def _as_summary(array: Any) -> Summary | None:
    if array is None or isinstance(array, Summary):
        return array
    return summarize(np.asarray(array))


def make_summary(array: Any, **changes: Any) -> Summary:
    """The summary of an array, with some fields changed: a layout, rows, a dtype."""
    return replace(summarize(np.asarray(array)), **changes)


def make_run(*gradients: Gradient, loss: Any = 0.8653, **fields: Any) -> TapeRun:
    """A run; what is said of the target goes along: name, reason, line, summed, unit."""
    loss = np.asarray(loss, np.float32)
    target = Target(
        name=fields.pop("name", "loss"),
        reason=fields.pop("reason", "loss"),
        line=fields.pop("line", 3),
        value=summarize(loss),
        summed=fields.pop("summed", False),
        unit=fields.pop("unit", None),
    )
    known = {
        "graph": None,
        "lines": CODE,
        "magic": "%%gradtape w b",
        "forward_seconds": 0.056,
        "backward_seconds": 0.011,
        "history": (float(loss.sum()),),
        "ops": 22,
    }
    names = {gradient.name: i for i, gradient in enumerate(gradients)}
    return TapeRun(target, loss, ByName(gradients, names), **(known | fields))


def make_lesson(**fields: Any) -> TapeRun:
    """Crossentropy of two samples by a weight matrix and a bias."""
    known = {"unit": "nats", "per_sample": SAMPLES, "first": True}
    return make_run(make_gradient("w", W, DW), make_gradient("b", B, DB), **(known | fields))
