"""What is measured: the body of a cell, its sources, and the with-block that does the same."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

CROSSENTROPY_BODY = """\
logits = x @ w + b
loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(y, logits, from_logits=True))
"""
LOOP_BODY = """\
h = h0
for _ in range(750):
    h = h * w + b
loss = tf.reduce_sum(h)
"""
MODEL_BODY = """\
logits = model(images, training=True)
loss = tf.reduce_mean(
    tf.keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
)
"""
LARGE_BODY = """\
loss = tf.reduce_sum(tf.sin(big) * big)
"""


@dataclass(frozen=True)
class Workload:
    """A cell: its body, the names that it finds, and its sources.

    ``watch`` are the sources that a plain tape must be told to watch; ``wanted`` is how they are
    written in the call of ``tape.gradient``.
    """

    name: str
    body: str
    names: dict[str, Any]
    sources: tuple[str, ...]
    watch: tuple[str, ...]
    wanted: str
    repetitions: int

    @property
    def block(self) -> str:
        """The hand-written with-block."""
        watching = "".join(f"    tape.watch({name})\n" for name in self.watch)
        return f"with tf.GradientTape() as tape:\n{watching}{textwrap.indent(self.body, '    ')}"

    @property
    def block_with_gradient(self) -> str:
        """The same, and the call that takes the gradients of the sources."""
        return f"{self.block}grads = tape.gradient(loss, {self.wanted})\n"

    @property
    def magic(self) -> str:
        """The same as a cell under the magic."""
        return f"%%gradtape {' '.join(self.sources)}\n{self.body}"


def make_lesson() -> Workload:
    """The lesson on crossentropy of logits; w [4, 3] and b [3] are plain tensors."""
    random = np.random.default_rng(0)
    names = {
        "tf": tf,
        "x": tf.constant(random.normal(size=(2, 4)), tf.float32),
        "w": tf.constant(random.normal(size=(4, 3)), tf.float32),
        "b": tf.zeros([3]),
        "y": tf.one_hot([2, 0], depth=3),
    }
    return Workload("crossentropy", CROSSENTROPY_BODY, names, ("w", "b"), ("w", "b"), "[w, b]", 400)


def make_loop() -> Workload:
    """1500 ops on 10 numbers, two to an iteration, each bound to the same name."""
    names = {
        "tf": tf,
        "h0": tf.ones([10]),
        "w": tf.fill([10], 0.99),
        "b": tf.fill([10], 0.01),
    }
    return Workload("1500-op loop", LOOP_BODY, names, ("w", "b"), ("w", "b"), "[w, b]", 100)


def make_small_model() -> Workload:
    """A Keras network of 6 layers on 8 pictures of 28 x 28."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input([28, 28, 1]),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    return _use_model("6-layer CNN", model, tf.random.normal([8, 28, 28, 1]), 200)


def make_large_model() -> Workload:
    """ResNet50 in training, on 4 pictures of 64 x 64."""
    model = tf.keras.applications.ResNet50(
        weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    return _use_model("ResNet50", model, tf.random.normal([4, 64, 64, 3]), 15)


def _use_model(name: str, model: Any, images: Any, repetitions: int) -> Workload:
    labels = tf.constant([i % 10 for i in range(images.shape[0])])
    names = {"tf": tf, "model": model, "images": images, "labels": labels}
    wanted = "model.trainable_variables"
    return Workload(name, MODEL_BODY, names, ("model",), (), wanted, repetitions)
