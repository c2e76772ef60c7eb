"""Running the cell: numbers, namespace, sources, target. The oracle is the hand-written with-block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def equal(a: Any, b: Any) -> bool:
    """Bitwise, NaN included."""
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_gradients_are_those_of_the_with_block(gradtape: Any, tf: Any) -> None:
    x, w, b = tf.random.normal([8, 4]), tf.random.normal([4, 3]), tf.zeros([3])
    names = {"tf": tf, "x": x, "w": w, "b": b}
    gradtape("loss = tf.reduce_mean(tf.nn.softmax(x @ w + b) ** 2)", "w", "b", names=names)
    with tf.GradientTape() as tape:
        tape.watch([w, b])
        loss = tf.reduce_mean(tf.nn.softmax(x @ w + b) ** 2)
    dw, db = tape.gradient(loss, [w, b])
    assert equal(names["loss"], loss)
    assert equal(names["grads"][0], dw)
    assert equal(names["grads"]["b"], db)
