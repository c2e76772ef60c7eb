"""The race against the hand-written loops with Keras' own optimizers."""

from __future__ import annotations

import numpy as np
import pytest

import gradmagic
from gradmagic.core.errors import UserError
from gradmagic.core.losses.panel import Origin, make_panel
from gradmagic.core.losses.race import OPTIMIZERS, RaceOptions, choose_start, run_race
from gradmagic.render.losses.panel import render_panel

Z = [[10.0, 0.0], [0.0, 8.0], [2.0, 1.0], [1.0, 5.0]]
Y = [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def descend(tf, loss, optimizer, steps):
    """The loop that a student would write."""
    logits = tf.keras.Variable(Z)
    laps = []
    for step in range(steps + 1):
        with tf.GradientTape() as tape:
            losses = loss(logits)
        gradient = tape.gradient(losses, logits.value)
        right = np.argmax(logits.numpy(), 1) == np.argmax(Y, 1)
        laps.append(
            (
                float(tf.reduce_mean(losses)),
                right.mean(),
                float(tf.reduce_mean(tf.norm(gradient, axis=1))),
            )
        )
        if step < steps:
            optimizer.apply([gradient], [logits])
    return laps


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_the_hand_written_loop(tf, name):
    kinds = tf.keras.optimizers
    make = {
        "sgd": lambda: kinds.SGD(0.5),
        "momentum": lambda: kinds.SGD(0.5, momentum=0.9),
        "nesterov": lambda: kinds.SGD(0.5, momentum=0.9, nesterov=True),
        "rmsprop": lambda: kinds.RMSprop(0.5),
        "adam": lambda: kinds.Adam(0.5),
    }[name]
    y, steps = tf.constant(Y), 12
    laps = list(run_race(y, tf.constant(Z), RaceOptions(0.5, steps, name)))
    assert len(laps) == steps + 1
    ce = descend(
        tf,
        lambda z: tf.losses.categorical_crossentropy(y, z, from_logits=True),
        make(),
        steps,
    )
    mse = descend(tf, lambda z: tf.losses.MSE(y, tf.nn.softmax(z)), make(), steps)
    np.testing.assert_allclose([lap.crossentropy for lap in laps], ce, rtol=1e-6)
    np.testing.assert_allclose([lap.mse for lap in laps], mse, rtol=1e-6)


def test_from_a_surely_wrong_start_mse_stays(tf):
    laps = list(run_race(tf.constant(Y[:2]), tf.constant(Z[:2]), RaceOptions(1.0, 100)))
    first, last = laps[0], laps[-1]
    assert first.crossentropy.accuracy == first.mse.accuracy == 0
    assert last.crossentropy.accuracy == 1
    assert last.mse.accuracy == 0
    assert last.mse.loss > 0.99 * first.mse.loss
    assert last.crossentropy.loss < 0.01 * first.crossentropy.loss


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RaceOptions(learning_rate=0.0), "learning rate must be above 0"),
        (RaceOptions(learning_rate=float("nan")), "learning rate must be above 0"),
        (RaceOptions(steps=0), "number of steps must be 1 to"),
        (RaceOptions(steps=10**6), "number of steps must be 1 to"),
        (RaceOptions(optimizer="sdg"), "no optimizer sdg; there are sgd, momentum"),
    ],
)
def test_settings_that_make_no_sense(tf, options, words):
    with pytest.raises(UserError, match=words):
        next(run_race(tf.constant(Y), tf.constant(Z), options))


def test_it_starts_from_the_batch_or_from_the_sample_in_hand(tf):
    panel = make_panel(gradmagic.compare_losses(Y, Z), Origin("y", "z"), 1)
    targets, logits = choose_start(panel, "batch")
    np.testing.assert_array_equal(targets, Y)
    np.testing.assert_array_equal(logits, Z)
    targets, logits = choose_start(panel, "sample")
    np.testing.assert_array_equal(targets, Y[1:2])
    np.testing.assert_array_equal(logits, Z[1:2])


def test_of_very_many_samples_the_listed_ones_run(tf):
    numbers = tf.random.uniform([50_000], 0, 10, tf.int32)
    panel = make_panel(
        gradmagic.compare_losses(numbers, tf.random.normal([50_000, 10])), Origin("y", "z")
    )
    targets, logits = choose_start(panel, "batch")
    assert targets.shape == logits.shape == [100, 10]
    assert "Of the whole batch, the 100 listed samples run." in render_panel(panel)
