"""Softmax of three logits: all that their sliders can reach, computed ahead.

Softmax does not change when the same number is added to all logits. So three sliders need a table
of two differences, not of three logits, and the page that is saved holds all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.activations.records import SoftmaxTable
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from gradmagic.core.activations.records import Function

LIMIT, STEP = 4.0, 0.25  # of a slider; a step is a power of two, so that differences are exact
START = (2.0, 0.5, -1.0)


def measure_softmax(function: Function) -> SoftmaxTable:
    """Probabilities and Jacobians by the tape, in float32 as sent, computed in float64."""
    logits = np.arange(-LIMIT, LIMIT + STEP / 2, STEP)
    differences = np.arange(-2 * LIMIT, 2 * LIMIT + STEP / 2, STEP)
    rows: Any = np.stack(np.meshgrid(differences, differences, indexing="ij"), axis=-1)
    rows = np.concatenate([rows.reshape(-1, 2), np.zeros([rows.size // 2, 1])], axis=1)
    rows = tf.constant(rows)
    try:
        with tf.GradientTape() as tape:
            tape.watch(rows)
            probabilities: Any = function.call(rows)
        jacobian = tape.batch_jacobian(probabilities, rows)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise UserError(_("{name} fails: {error}").format(name=function.name, error=said)) from None
    count = differences.size
    return SoftmaxTable(
        function=function,
        logits=logits,
        start=tuple(int(np.searchsorted(logits, place)) for place in START),  # type: ignore[arg-type]
        step=STEP,
        probabilities=probabilities.numpy().reshape(count, count, 3).astype(np.float32),
        jacobian=jacobian.numpy().reshape(count, count, 3, 3).astype(np.float32),
    )
