"""The formulas of the side panel: true of the tensors that the student's names stand for."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

import gradmagic
from gradmagic.render.explorer.deriving import render_rule
from gradmagic.render.explorer.details import render_node
from gradmagic.render.explorer.reading import read_run


@pytest.fixture(scope="module")
def names(tf):
    draw = np.random.default_rng(1).standard_normal
    return {
        "tf": tf,
        "x": tf.constant(draw((3, 4)), tf.float32),
        "w": tf.constant(draw((4, 2)), tf.float32),
        "s": tf.constant(0.7),
        "t": tf.constant(1.3),
        "c": tf.constant([1 + 2j, 2 - 1j], tf.complex64),
        "k": tf.constant([3 + 2j, 1 - 1j], tf.complex64),
    }


def derive(names, cell, sources):
    """For each op's label what is said of its local derivatives, and its formulas."""
    reading = read_run(gradmagic.gradtape(cell, *sources.split(), names=dict(names)))
    rules = {node.label: str(render_rule(reading, node)) for node in reading.graph.nodes if node.op}
    formulas = {label: re.findall(r"<code>(dL/.*?)</code>", rule) for label, rule in rules.items()}
    return rules, {label: list(map(html.unescape, found)) for label, found in formulas.items()}


LONG = "(s * 2.0 + s * 3.0 + s * 4.0 + s * 5.0)"

CASES = {
    "a letter that is another tensor's name, of the output": (
        "z = tf.tanh(x @ w)\nloss = tf.reduce_sum(z * z)",
        "x w",
        {"x @ w": ["dL/dx = dL/dout @ wᵀ", "dL/dw = xᵀ @ dL/dout"]},
    ),
    "a letter that is another tensor's name, of an operand": (
        "loss = tf.reduce_sum(tf.tanh(x) * tf.sigmoid(x * 2.0 + 1.0) * 3.0)",
        "x",
        {
            "tanh(x) · sigmoid(x · 2 + 1) · 3": ["dL/du = dL/dz · 3"],
            "sum(…)": ["dL/du = dL/dloss"],
        },
    ),
    "a name that was bound again": (
        "h = x @ w\nh = tf.nn.relu(h)\nh = h * 2.0\nloss = tf.reduce_sum(h)",
        "x w",
        {"relu(h)": ["dL/dh = dL/dz · [h > 0]"], "h · 2": ["dL/dh = dL/dz · 2"]},
    ),
    "two tensors of one name": (
        "h = s * 2.0\ng = h\nh = s * 3.0\nloss = g * h",
        "s",
        {"h · h": ["dL/dh₁ = dL/dloss · h₂", "dL/dh₂ = dL/dloss · h₁"]},
    ),
    "two tensors that are abbreviated alike": (
        f"loss = tf.tanh({LONG}) * tf.tanh({LONG})",
        "s",
        {
            "tanh(…) · tanh(…)": [
                "dL/d(tanh(…)₁) = dL/dloss · tanh(…)₂",
                "dL/d(tanh(…)₂) = dL/dloss · tanh(…)₁",
            ]
        },
    ),
    "equal numbers are one": (
        "loss = tf.raw_ops.ClipByValue(t=s, clip_value_min=0.5, clip_value_max=0.5)",
        "s",
        {"clip_by_value(s, 0.5, 0.5)": ["dL/ds = dL/dloss · [0.5 ≤ s ≤ 0.5]"]},
    ),
    "one tensor twice": ("loss = s * s", "s", {"s · s": ["dL/ds = dL/dloss · s"] * 2}),
    "a product of calls that is too long": (
        "loss = tf.reduce_sum((tf.tanh(x @ w) * tf.sigmoid(x @ w)) ** 2)",
        "x w",
        {"(tanh(x @ w) · sigmoid(x @ w))²": ["dL/du = dL/dz · 2 · u ^ (2 − 1)"]},
    ),
    "a call that is too long": (
        "loss = tf.reduce_sum(tf.nn.relu(tf.tanh(x @ w) * 2.0 + 1.0))",
        "x w",
        {"sum(relu(tanh(x @ w) · 2 + 1))": ["dL/d(relu(…)) = dL/dloss"]},
    ),
    "transposes": (
        "loss = tf.reduce_sum(tf.matmul(x, x, transpose_b=True))",
        "x",
        {
            "x @ xᵀ": ["dL/dx = dL/dz @ x", "dL/dx = (dL/dz)ᵀ @ x"],
            "sum(x @ xᵀ)": ["dL/d(x @ xᵀ) = dL/dloss"],
        },
    ),
    "powers": (
        "loss = s / t**2",
        "s t",
        {"s / t²": ["dL/ds = dL/dloss / (t²)", "dL/d(t²) = −dL/dloss · s / (t²)²"]},
    ),
    "several outputs": (
        "a, b = tf.split(x, 2, axis=1)\nloss = tf.reduce_sum(a * b)",
        "x",
        {"split(x)": ["dL/dx = concat(dL/da, dL/db)"]},
    ),
    "an output without a name": (
        "loss = tf.reduce_sum(tf.split(x, 2, axis=1)[1])",
        "x",
        {"sum(split(x)[1])": ["dL/d(split(x)[1]) = dL/dloss"]},
    ),
    "complex numbers": (
        "z = c * k\nr = tf.reshape(z, [2, 1])\nloss = tf.math.real(tf.reduce_sum(r))",
        "c k",
        {"c · k": [], "reshape(z)": ["dL/dz = reshape(dL/dr)"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_formulas_are_true(names, name):
    cell, sources, expected = CASES[name]
    _rules, formulas = derive(names, cell, sources)
    assert {label: formulas[label] for label in expected} == expected


def test_a_product_of_complex_numbers_is_not_said_to_be_one_of_real_numbers(names):
    rules, _formulas = derive(names, "loss = tf.math.real(tf.reduce_sum(c * k))", "c k")
    assert "complex numbers" in rules["c · k"]
    assert "other factor" not in rules["c · k"]


def test_the_caption_of_a_gradient_takes_no_power_for_a_name(names):
    reading = read_run(gradmagic.gradtape("loss = tf.reduce_sum(x**2)", "x", names=dict(names)))
    node = next(node for node in reading.graph.nodes if node.label == "x²")
    assert "d loss / d (x²)" in str(render_node(reading, node.id))
