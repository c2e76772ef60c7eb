"""Targets and logits of the last cell, found in its graph."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradmagic
from gradmagic.core.errors import UserError
from gradmagic.core.losses.comparison import compare_losses
from gradmagic.core.losses.search import find_losses

KERAS = "tf.keras.losses."

CELLS = {
    "crossentropy": "logits = x @ w\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True))",
    "one_hot inside": "logits = x @ w\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(tf.one_hot(t, 3), logits, from_logits=True))",
    "sparse": "logits = x @ w\nloss = tf.losses.SparseCategoricalCrossentropy(from_logits=True)(t, logits)",
    "sparse on probabilities": "prob = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(t, prob))",
    "tf.nn": "logits = x @ w\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))",
    "probabilities": "prob = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, prob))",
    "by hand": "prob = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(prob), 1))",
    "MSE": "prob = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.MSE(y, prob))",
    "MSE turned round": "prob = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean((prob - y) ** 2)",
    "squared difference": "prob = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.math.squared_difference(prob, y))",
    "a layer": "loss = tf.reduce_mean(tf.losses.CategoricalCrossentropy()(y, tf.keras.layers.Softmax()(x @ w)))",
    "binary": "loss = tf.losses.BinaryCrossentropy(from_logits=True)(u, x @ w[:, :1])",
    "binary on probabilities": "loss = tf.losses.BinaryCrossentropy()(u, tf.sigmoid(x @ w[:, :1]))",
    "sigmoid and MSE": "loss = tf.reduce_mean((tf.sigmoid(x @ w[:, :1]) - u) ** 2)",
    "something after it": "logits = x @ w\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True)) + tf.reduce_sum(w ** 2)",
}


@pytest.fixture
def names(tf):
    tf.random.set_seed(4)
    return {
        "tf": tf,
        "x": tf.random.normal([4, 5]),
        "w": tf.random.normal([5, 3]),
        "t": tf.constant([2, 0, 1, 0]),
        "y": tf.one_hot([2, 0, 1, 0], 3),
        "u": tf.constant([[1.0], [0.0], [0.0], [1.0]]),
    }


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_it_finds_what_the_cell_compares(tf, names, cell):
    run = gradmagic.gradtape(cell, "w", names=names)
    found = find_losses(run)
    assert found.line == cell.count("\n") + 1
    single = "w[:, :1]" in cell
    logits = names["x"] @ (names["w"][:, :1] if single else names["w"])
    np.testing.assert_array_equal(found.logits.value, logits)
    comparison = compare_losses(found.targets.value, found.logits.value, from_logits=True)
    expected = [[1, 0], [0, 1]] if single else names["y"]
    if single:
        np.testing.assert_array_equal(comparison.targets[:, 1:], names["u"])
    else:
        np.testing.assert_array_equal(comparison.targets, expected)
    if "MSE" not in cell and "** 2" not in cell and "squared" not in cell:
        assert math.isclose(comparison.crossentropy, float(run.loss), rel_tol=1e-5)


def test_names_are_told_where_there_are_any(names):
    found = find_losses(gradmagic.gradtape(CELLS["crossentropy"], "w", names=names))
    assert (found.targets.name, found.logits.name) == ("y", "logits")
    found = find_losses(gradmagic.gradtape(CELLS["one_hot inside"], "w", names=names))
    assert (found.targets.name, found.targets.label) == (None, "one_hot(t)")


@pytest.mark.parametrize(
    "cell",
    [
        "loss = tf.reduce_mean((x @ w - 1.0) ** 2)",
        "loss = tf.reduce_sum(tf.nn.softmax(x @ w))",
        "loss = tf.reduce_mean((tf.nn.softmax(x @ w) - x[:, :3]) ** 2)",
    ],
)
def test_it_says_where_there_is_nothing(names, cell):
    run = gradmagic.gradtape(cell, "w", names=names)
    with pytest.raises(UserError, match="shows no crossentropy, and no softmax that meets targets"):
        find_losses(run)


def test_without_a_graph_it_asks_for_names(names):
    run = gradmagic.gradtape(CELLS["crossentropy"], "w", names=names, graph=False)
    with pytest.raises(UserError, match="--no-graph; name the tensors: %gradlosses"):
        find_losses(run)
