"""Which samples of a batch are listed one by one, and which of them is looked at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from gradmagic.core.losses.comparison import LossComparison

MOST_LISTED = 100


def list_samples(comparison: LossComparison) -> tuple[int, ...]:
    """All samples; of very many, evenly spaced from the smallest crossentropy to the largest."""
    count = int(comparison.targets.shape[0])
    if count <= MOST_LISTED:
        return tuple(range(count))
    order = tf.argsort(comparison.per_sample_crossentropy, stable=True).numpy()
    places = np.linspace(0, count - 1, MOST_LISTED).round().astype(int)
    return tuple(sorted(int(i) for i in order[places]))


def choose_sample(comparison: LossComparison, listed: tuple[int, ...]) -> int:
    """The one that shows most: wrong, and pulled by crossentropy far more than by MSE."""
    rows = list(listed)
    logits, targets = tf.gather(comparison.logits, rows), tf.gather(comparison.targets, rows)
    wrong = (tf.argmax(logits, 1) != tf.argmax(targets, 1)).numpy()
    ratio = find_ratios(comparison, listed)
    finite = np.where(np.isfinite(ratio), ratio, np.float64(1e300))
    return listed[int(np.argmax(np.where(wrong, finite, finite * 1e-300)))]


def find_ratios(comparison: LossComparison, samples: tuple[int, ...]) -> np.ndarray:
    """Crossentropy's pull over MSE's, by sample; NaN where both are 0."""
    rows = list(samples)
    pulls = (comparison.crossentropy_pull, comparison.mse_pull)
    crossentropy, mse = (tf.cast(tf.gather(one, rows), tf.float64) for one in pulls)
    return (crossentropy / mse).numpy()
