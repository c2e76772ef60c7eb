"""Three ways to write crossentropy, which agree on paper and not in floating point."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import tensorflow as tf

SCORES = (10.0, 50.0, 100.0)  # logits [s, 0], true class 1: surely wrong, and ever more so
CLIP = 1e-7  # Keras keeps probabilities this far from 0 and 1


class Written(NamedTuple):
    """One way: its value [rows] in nats, and its gradient [rows] by the true class's logit."""

    value: Any
    gradient: Any


class ThreeWays(NamedTuple):
    """Softmax then ``categorical_crossentropy``; -log(softmax) by hand; ``from_logits=True``."""

    probabilities: Written
    hand: Written
    logits: Written


def write_crossentropy(targets: Any, logits: Any) -> ThreeWays:
    """Crossentropy of rows of logits [rows, classes], in three ways."""
    true_class = tf.argmax(targets, 1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        q = tf.nn.softmax(logits)
        values = (
            tf.losses.categorical_crossentropy(targets, q),
            # -log(q) of the true class: a class without a share in the target has no term
            -tf.reduce_sum(targets * tf.math.log(tf.where(targets > 0, q, 1)), axis=1),
            tf.losses.categorical_crossentropy(targets, logits, from_logits=True),
        )
    return ThreeWays(
        *(
            Written(one, tf.gather(tape.gradient(one, logits), true_class, batch_dims=1))
            for one in values
        )
    )


@functools.cache
def compute_examples() -> tuple[ThreeWays, ...]:
    """The three ways for two classes and logits [s, 0], true class 1, for each s of ``SCORES``."""
    logits = tf.constant([[score, 0.0] for score in SCORES])
    ways = write_crossentropy(tf.constant([[0.0, 1.0]] * len(SCORES)), logits)
    return tuple(
        ThreeWays(*(Written(float(way.value[i]), float(way.gradient[i])) for way in ways))
        for i in range(len(SCORES))
    )
