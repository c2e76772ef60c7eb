"""Three ways to write crossentropy, which agree on paper and not in floating point."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from gradmagic.core.losses.comparison import take_losses

if TYPE_CHECKING:
    from gradmagic.core.losses.comparison import Losses

SCORES = (10.0, 50.0, 100.0)  # logits [s, 0], true class 1: surely wrong, and ever more so


class Written(NamedTuple):
    """One way: its value [rows] in nats, and its gradient [rows] by the true class's logit."""

    value: Any
    gradient: Any


class ThreeWays(NamedTuple):
    """Softmax then ``categorical_crossentropy``; -log(softmax) by hand; ``from_logits=True``."""

    probabilities: Written
    hand: Written
    logits: Written


def write_crossentropy(targets: Any, logits: Any, losses: Losses) -> ThreeWays:
    """Crossentropy of rows of logits [rows, classes], in three ways; ``losses`` are theirs."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        q = tf.nn.softmax(logits)
        clipped = tf.losses.categorical_crossentropy(targets, q)
        # -log(q) of the true class: a class without a share in the target has no term
        by_hand = -tf.reduce_sum(targets * tf.math.log(tf.where(targets > 0, q, 1)), axis=1)
    true_class = tf.argmax(targets, 1)
    ways = (
        (clipped, tape.gradient(clipped, logits)),
        (by_hand, tape.gradient(by_hand, logits)),
        (losses.crossentropy, losses.crossentropy_gradient),
    )
    return ThreeWays(
        *(Written(value, tf.gather(slope, true_class, batch_dims=1)) for value, slope in ways)
    )


@functools.cache
def compute_examples() -> tuple[ThreeWays, ...]:
    """The three ways for two classes and logits [s, 0], true class 1, for each s of ``SCORES``."""
    logits = tf.constant([[score, 0.0] for score in SCORES])
    targets = tf.constant([[0.0, 1.0]] * len(SCORES))
    ways = write_crossentropy(targets, logits, take_losses(targets, logits))
    return tuple(
        ThreeWays(*(Written(float(way.value[i]), float(way.gradient[i])) for way in ways))
        for i in range(len(SCORES))
    )
