"""The line above the traceback: cells that must get it, and cells that must get none."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from diagnosing import apply_fix
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from gradmagic.core.records import Diagnosis

SET_UP = """
import numpy as np
import tensorflow as tf
import keras
x, w, b, s = tf.ones([2, 3]), tf.ones([4, 3]), tf.ones([5]), tf.constant(2.0)
n, d, i = tf.constant([1, 2, 3]), tf.ones([2, 3], tf.float64), tf.constant([1, 7])
v, big = tf.Variable(tf.ones([4, 3])), tf.ones([3000, 3000])
y, y8 = tf.constant([0, 2]), tf.constant([0.0, 2.0])
p, hot, one = tf.ones([2, 3]) / 3, tf.one_hot([0, 2], 3), tf.ones([2, 1]) / 2
ragged = tf.ragged.constant([[1.0, 2.0], [3.0]])
dense, conv = keras.layers.Dense(4, name="dense"), keras.layers.Conv2D(2, 3, name="conv")
dense.build((None, 5)), conv.build((None, 8, 8, 3))
model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4, name="hidden")])
model.add(keras.layers.Dense(2))
"""
END = "\nloss = tf.reduce_sum(x)"


@dataclass(frozen=True)
class Case:
    """A cell that fails, the line that it must get, and whether there is code to type instead."""

    cell: str
    line: str
    kind: str = "shape-mismatch"
    fixed: bool = False


def dtype(cell: str, line: str, *, fixed: bool = True) -> Case:
    """A cell that fails for its dtypes."""
    return Case(cell, line, "dtype-mismatch", fixed)


OPERATORS = [
    Case("x @ w", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("h = tf.nn.relu(x @ w + 1.0)", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("h = x @ w @ v", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case(
        "x[0] @ w",
        "(x[0])[3] @ w[4,3]: x[0] has 1 dimension, and a matrix product needs 2 (float32)",
    ),
    Case("big[:, :2] @ big", "(big[:, :2])[3000,2] @ big[3000,3000]: 2 against 3000 (float32)"),
    Case("x + w", "x[2,3] + w[4,3]: 2 against 4 (float32)"),
    Case("x + b", "x[2,3] + b[5]: 3 against 5 (float32)"),
    Case("h = (x -\n     tf.ones([4, 3]))", "x[2,3] - tf.ones([4, 3])[4,3]: 2 against 4 (float32)"),
    Case("x += w", "x[2,3] += w[4,3]: 2 against 4 (float32)"),
    Case("while x < w:\n    pass", "x[2,3] < w[4,3]: 2 against 4 (float32)"),
    Case("v * x", "v[4,3] * x[2,3]: 4 against 2 (float32)"),
    Case(
        "np.ones([7, 4]) - x",
        "np.ones([7, 4])[7,4] - x[2,3]: 4 against 3 (np.ones([7, 4]) float64, x float32)",
    ),
    Case("x + [1.0, 2.0]", "x[2,3] + [1.0, 2.0]: 3 against 2 (float32)"),
    Case("keras.Variable(w) @ x", "keras.Variable(w)[4,3] @ x[2,3]: 3 against 2 (x float32)"),
    Case("x[1, 3]", "x[2,3][1, 3]: index 3, size 3 (float32)"),
    Case("x[-3]", "x[2,3][-3]: index -3, size 2 (float32)"),
    Case("v[0, 0, 0]", "v[4,3][0, 0, 0]: 3 indices, and there are 2 dimensions (float32)"),
    Case("s[0]", "s[][0]: 1 index, and there are 0 dimensions (float32)"),
    Case("v.assign(x)", "v[4,3].assign(x[2,3]): 4 against 2 (float32)"),
    Case("v.assign_sub(0.1 * x)", "v[4,3].assign_sub((0.1 * x)[2,3]): 4 against 2 (float32)"),
]
FUNCTIONS = [
    Case("tf.matmul(x, w)", "tf.matmul(x[2,3], w[4,3]): 3 against 4 (float32)"),
    Case(
        "h = tf.nn.relu(\n    tf.matmul(\n        x,\n        b=w,\n        transpose_a=True,\n    )\n)",
        "tf.matmul(x[2,3], b=w[4,3], transpose_a=True): 2 against 4 (float32)",
    ),
    Case("tf.add(x, w)", "tf.add(x[2,3], w[4,3]): 2 against 4 (float32)"),
    Case(
        "from tensorflow import maximum as larger\nlarger(x, w)",
        "larger(x[2,3], w[4,3]): 2 against 4 (float32)",
    ),
    Case(
        "tf.where(x > 0, x, w)",
        "tf.where((x > 0)[2,3], x[2,3], w[4,3]): 2 against 4 ((x > 0) bool, x float32, w float32)",
    ),
    Case("tf.linalg.matvec(w, b)", "tf.linalg.matvec(w[4,3], b[5]): 3 against 5 (float32)"),
    Case("tf.tensordot(x, w, 1)", "tf.tensordot(x[2,3], w[4,3], 1): 3 against 4 (float32)"),
    Case(
        "tf.tensordot(x, w, [[0], [0]])",
        "tf.tensordot(x[2,3], w[4,3], [[0], [0]]): 2 against 4 (float32)",
    ),
    Case(
        "tf.einsum('ij,jk->ik', x, w)",
        "tf.einsum('ij,jk->ik', x[2,3], w[4,3]): j is 3 against 4 (float32)",
    ),
    Case(
        "tf.concat([x, w], 1)",
        "tf.concat([x[2,3], w[4,3]], 1): 2 against 4 in dimension 0 (float32)",
    ),
    Case(
        "xs = [x, x, w]\ntf.concat(xs, axis=-1)",
        "tf.concat(xs, axis=-1): 2 against 4 in dimension 0 (xs[0] is [2,3] float32, xs[2] is [4,3] float32)",
    ),
    Case(
        "tf.concat([x, x], 2)",
        "tf.concat([x[2,3], x[2,3]], 2): axis 2, and there are 2 dimensions (float32)",
    ),
    Case("tf.stack([x, w])", "tf.stack([x[2,3], w[4,3]]): 2 against 4 (float32)"),
    Case(
        "tf.stack([t for t in (x, w)])",
        "tf.stack([t for t in (x, w)]): 2 against 4 ([0] is [2,3] float32, [1] is [4,3] float32)",
    ),
    Case("tf.reshape(x, [4])", "tf.reshape(x[2,3], [4]): size 6 into 4 (float32)"),
    Case(
        "tf.reshape(x, [-1, 4])",
        "tf.reshape(x[2,3], [-1, 4]): size 6 into a multiple of 4 (float32)",
    ),
    Case("tf.gather(b, i)", "tf.gather(b[5], i[2]): index 7, size 5 (b float32, i int32)"),
    Case(
        "tf.gather_nd(x, [[5, 0]])",
        "tf.gather_nd(x[2,3], [[5, 0]]): index [5,0], shape [2,3] (float32)",
    ),
    Case(
        "tf.reduce_sum(x, axis=3)",
        "tf.reduce_sum(x[2,3], axis=3): axis 3, and there are 2 dimensions (float32)",
    ),
    Case(
        "tf.transpose(x, [0, 1, 2])",
        "tf.transpose(x[2,3], [0, 1, 2]): 3 axes, and there are 2 dimensions (float32)",
    ),
    Case(
        "tf.squeeze(x, 0)",
        "tf.squeeze(x[2,3], 0): dimension 0 has size 2, and only size 1 can be squeezed (float32)",
    ),
    Case(
        "tf.split(x, 2, axis=1)", "tf.split(x[2,3], 2, axis=1): size 3 into 2 equal parts (float32)"
    ),
    Case("tf.nn.bias_add(x, b)", "tf.nn.bias_add(x[2,3], b[5]): 3 against 5 (float32)"),
    Case(
        "k, f = tf.ones([1, 8, 8, 4]), tf.ones([3, 3, 3, 2])\ntf.nn.conv2d(k, f, 1, 'SAME')",
        "tf.nn.conv2d(k[1,8,8,4], f[3,3,3,2], 1, 'SAME'): 4 channels against 3 (float32)",
    ),
    Case(  # (images of two dimensions abort the process where TensorFlow uses oneDNN)
        "tf.nn.conv2d(tf.ones([1, 8, 8, 3]), x, 1, 'SAME')",
        "tf.nn.conv2d(tf.ones([1, 8, 8, 3])[1,8,8,3], x[2,3], 1, 'SAME'): x has 2 dimensions, and 4 are needed (float32)",
    ),
    Case(
        "tf.boolean_mask(x, [True, False, True])",
        "tf.boolean_mask(x[2,3], [True, False, True]): 2 against 3 (float32)",
    ),
    Case("keras.ops.matmul(x, w)", "keras.ops.matmul(x[2,3], w[4,3]): 3 against 4 (float32)"),
]
LAYERS = [
    Case("dense(x)", "dense(x[2,3]): input 3 against expected 5 (float32)"),
    Case(
        "conv(tf.ones([1, 8, 8, 4]))",
        "conv(tf.ones([1, 8, 8, 4])[1,8,8,4]): input 4 against expected 3 (float32)",
    ),
    Case("conv(x)", "conv(x[2,3]): 2 dimensions against at least 4 (float32)"),
    Case(
        "keras.layers.LSTM(3)(x)",
        "keras.layers.LSTM(3)(x[2,3]): 2 dimensions against expected 3 (float32)",
    ),
    Case("model(x)", "model(x[2,3]): input 3 against expected 5 in layer hidden (float32)"),
    Case(
        "model(inputs=x, training=True)",
        "model(inputs=x[2,3], training=True): input 3 against expected 5 in layer hidden (float32)",
    ),
    Case(
        "keras.layers.Conv2D(2, 9)(tf.ones([1, 8, 8, 3]))",
        "keras.layers.Conv2D(2, 9)(tf.ones([1, 8, 8, 3])[1,8,8,3]): input 8 against kernel 9 (float32)",
    ),
    Case(
        "start = keras.Input((3,))\ndense(start)",
        "dense(start[?,3]): input 3 against expected 5 (float32)",
    ),
    Case(
        "keras.layers.Concatenate()([x, w])",
        "keras.layers.Concatenate()([x[2,3], w[4,3]]): 2 against 4 in dimension 0 (float32)",
    ),
    Case(
        "keras.layers.Add()([x, w])", "keras.layers.Add()([x[2,3], w[4,3]]): 2 against 4 (float32)"
    ),
    Case(
        "keras.layers.Embedding(5, 2)(i)",
        "keras.layers.Embedding(5, 2)(i[2]): index 7, size 5 (int32)",
    ),
    Case(
        "keras.layers.Reshape((4,))(x)",
        "keras.layers.Reshape((4,))(x[2,3]): size 3 into 4 (float32)",
    ),
    Case(
        "class Net(keras.Model):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.first = keras.layers.Dense(3)\n"
        "        self.last = self.add_weight(shape=(5, 2))\n"
        "    def call(self, t):\n"
        "        h = self.first(t)\n"
        "        return h @ self.last\n"
        "Net()(x)",
        "h[2,3] @ self.last[5,2]: 3 against 5 (float32)",
    ),
    Case(
        "h = x\nfor layer in [keras.layers.Dense(4), dense]:\n    h = layer(h)",
        "layer(h[2,4]): input 4 against expected 5 (float32)",
    ),
]
PLACES = [
    Case(
        "def f(t):\n    h = t * 2.0\n    return h @ w\nf(x)",
        "h[2,3] @ w[4,3]: 3 against 4 (float32)",
    ),
    Case("f = lambda t: t @ w\nf(x)", "t[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("t = b\n[t @ w for t in [x]]", "t[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("t = b\nsum(tf.reduce_sum(t @ w) for t in [x])", "t[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case(
        "{k: [t + c for c in [w]] for k, t in {'a': x}.items()}",
        "t[2,3] + c[4,3]: 2 against 4 (float32)",
    ),
    Case(
        "ws = [tf.ones([3, 4]), tf.ones([3, 4])]\nh = x\nfor k in range(2):\n    h = h @ ws[k]",
        "h[2,4] @ (ws[k])[3,4]: 4 against 3 (float32)",
    ),
    Case(
        "params = {'w': w}\nx @ params['w']", "x[2,3] @ (params['w'])[4,3]: 3 against 4 (float32)"
    ),
    Case("输入, 权重 = x, w\n结果 = 输入 @ 权重", "输入[2,3] @ 权重[4,3]: 3 against 4 (float32)"),
    Case("h = x * 1.0; h @ w", "h[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("try:\n    x @ w\nfinally:\n    done = True", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("with tf.GradientTape() as inner:\n    x @ w", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case(
        "@tf.function\ndef f(t):\n    return tf.matmul(t, w)\nf(x)",
        "tf.matmul(t[2,3], w[4,3]): 3 against 4 (float32)",
    ),
    Case("f = tf.function(lambda t: t @ w)\nf(x)", "t[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case("if n is not None: h = x @ w", "x[2,3] @ w[4,3]: 3 against 4 (float32)"),
    Case(
        "x @ (w if tf.reduce_sum(w) > 0 else v)",
        "x[2,3] @ (w if tf.reduce_sum(w) > 0 else v)[4,3]: 3 against 4 (float32)",
    ),
]
DTYPES = [
    dtype("h = x * n", "x float32 * n int32: float32 against int32 (x[2,3], n[3])"),
    dtype("h = n * s", "n int32 * s float32: int32 against float32 (n[3], s[])"),
    dtype("x / n", "x float32 / n int32: float32 against int32 (x[2,3], n[3])"),
    dtype("n *= x", "n int32 *= x float32: int32 against float32 (n[3], x[2,3])"),
    dtype("x + d", "x float32 + d float64: float32 against float64 (x[2,3], d[2,3])"),
    dtype("rate = 0.5\nn * rate", "n int32 * rate float: int32 against float (n[3])"),
    dtype(
        "if n is not None: h = x * n",
        "x float32 * n int32: float32 against int32 (x[2,3], n[3])",
        fixed=False,
    ),
    dtype(
        "for k in range(2):\n    if k:\n        h = x * n",
        "x float32 * n int32: float32 against int32 (x[2,3], n[3])",
    ),
    dtype(
        "h = x * n + (x * n) ** 2",
        "x float32 * n int32: float32 against int32 (x[2,3], n[3])",
    ),
    dtype("n / 2.5", "n int32 / 2.5: int32 against float (n[3])"),
    dtype(
        "tf.math.multiply(v, n)",
        "tf.math.multiply(v float32, n int32): float32 against int32 (v[4,3], n[3])",
    ),
    dtype(
        "tf.concat([x, d], 0)",
        "tf.concat([x float32, d float64], 0): float32 against float64 (x[2,3], d[2,3])",
    ),
    dtype(
        "def f(t):\n    return tf.sqrt(t)\nf(n)", "tf.sqrt(t int32): tf.sqrt takes no int32 (t[3])"
    ),
    dtype("tf.nn.softmax(n)", "tf.nn.softmax(n int32): tf.nn.softmax takes no int32 (n[3])"),
    dtype("tf.one_hot(y8, 3)", "tf.one_hot(y8 float32, 3): tf.one_hot takes no float32 (y8[2])"),
    dtype(
        "v.assign(tf.ones([4, 3], tf.int32))",
        "v.assign(tf.ones([4, 3], tf.int32) int32): float32 against int32 (v is [4,3] float32)",
    ),
    dtype(
        "x @ n",
        "x float32 @ n int32: float32 against int32, and n has 1 dimension, and a matrix product needs 2 (x[2,3], n[3])",
        fixed=False,
    ),
    dtype(
        "tf.constant(['a']) + s",
        "tf.constant(['a']) string + s float32: string against float32 (tf.constant(['a'])[1], s[])",
        fixed=False,
    ),
    dtype(
        "k = 1; h = x * n", "x float32 * n int32: float32 against int32 (x[2,3], n[3])", fixed=False
    ),
]
NUMBERS = "y holds class numbers, and this loss takes one-hot rows"
ROWS = "hot holds rows, and this loss takes one class number a sample"
UNIT = "one is a single output, and this loss needs one for each class; for two classes there is binary_crossentropy"
LABELS = [
    Case(
        "tf.losses.categorical_crossentropy(y, p)",
        f"tf.losses.categorical_crossentropy(y[2], p[2,3]): {NUMBERS} (y int32, p float32)",
    ),
    Case(
        "loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)\nloss_of(y, p)",
        f"loss_of(y[2], p[2,3]): {NUMBERS} (y int32, p float32)",
    ),
    Case(
        "tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=p)",
        f"tf.nn.softmax_cross_entropy_with_logits(labels=y[2], logits=p[2,3]): {NUMBERS} (y int32, p float32)",
    ),
    Case(
        "tf.nn.softmax_cross_entropy_with_logits(y8, p)",
        f"tf.nn.softmax_cross_entropy_with_logits(y8[2], p[2,3]): {NUMBERS.replace('y', 'y8', 1)} (float32)",
    ),
    Case(
        "tf.losses.sparse_categorical_crossentropy(hot, p)",
        f"tf.losses.sparse_categorical_crossentropy(hot[2,3], p[2,3]): {ROWS} (float32)",
    ),
    Case(
        "keras.losses.SparseCategoricalCrossentropy()(hot, p)",
        f"keras.losses.SparseCategoricalCrossentropy()(hot[2,3], p[2,3]): {ROWS} (float32)",
    ),
    Case(
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=hot, logits=p)",
        f"tf.nn.sparse_softmax_cross_entropy_with_logits(labels=hot[2,3], logits=p[2,3]): {ROWS} (float32)",
    ),
]
LABELS = [Case(one.cell, one.line, "labels-not-one-hot", fixed=True) for one in LABELS]
UNITS = [
    Case(
        "tf.losses.categorical_crossentropy(y, one)",
        f"tf.losses.categorical_crossentropy(y[2], one[2,1]): {UNIT} (y int32, one float32)",
        fixed=True,
    ),
    Case(
        "tf.losses.sparse_categorical_crossentropy(y, one)",
        f"tf.losses.sparse_categorical_crossentropy(y[2], one[2,1]): {UNIT} (y int32, one float32)",
        fixed=True,
    ),
    Case(
        "keras.losses.CategoricalCrossentropy()(hot, one)",
        f"keras.losses.CategoricalCrossentropy()(hot[2,3], one[2,1]): {UNIT} (float32)",
    ),
]
UNITS = [Case(one.cell, one.line, "one-unit-crossentropy", one.fixed) for one in UNITS]
LOSSES = [
    Case("tf.losses.MSE(w, p)", "tf.losses.MSE(w[4,3], p[2,3]): 4 against 2 (float32)"),
    Case(
        "keras.losses.MeanSquaredError()(w, p)",
        "keras.losses.MeanSquaredError()(w[4,3], p[2,3]): 4 against 2 (float32)",
    ),
    Case(
        "tf.losses.categorical_crossentropy(hot, w)",
        "tf.losses.categorical_crossentropy(hot[2,3], w[4,3]): 2 against 4 (float32)",
    ),
    Case(
        "tf.losses.sparse_categorical_crossentropy(i, p)",
        "tf.losses.sparse_categorical_crossentropy(i[2], p[2,3]): label 7 against 3 classes (i int32, p float32)",
    ),
    Case(
        "tf.losses.binary_crossentropy(y, one)",
        "tf.losses.binary_crossentropy(y[2], one[2,1]): 1 dimension against 2 (y int32, one float32)",
        fixed=True,
    ),
]
AGAIN = "gives gradients once, and line {} asks it a second time"
OPEN = "with tf.GradientTape() as inner:\n    inner.watch(x)\n    e = tf.reduce_sum(x * x)\n"
TAPES = [
    Case(
        "e = x * x\ntape.gradient(e, x)\ntape.gradient(e, x)",
        f"tape.gradient(e, x): tape {AGAIN.format(4)}",
    ),
    Case(
        f"{OPEN}inner.gradient(e, x)\ng = inner.gradient(e, x)",
        f"inner.gradient(e, x): inner {AGAIN.format(6)}; open it with persistent=True on line 2",
    ),
    Case(
        f"{OPEN}for k in range(2):\n    g = inner.gradient(e, x)",
        f"inner.gradient(e, x): inner {AGAIN.format(6)}; open it with persistent=True on line 2",
    ),
    Case(
        "def f():\n    with tf.GradientTape() as t:\n        e = v * v\n    k = t.jacobian(e, v)\n    return t.gradient(e, v)\nf()",
        f"t.gradient(e, v): t {AGAIN.format(6)}; open it with persistent=True on line 3",
    ),
]
TAPES = [Case(one.cell, one.line, "tape-consumed", fixed=True) for one in TAPES]
CASES = [
    *OPERATORS,
    *FUNCTIONS,
    *LAYERS,
    *PLACES,
    *DTYPES,
    *LABELS,
    *UNITS,
    *LOSSES,
    *TAPES,
]

SILENT = {
    "an own ValueError": ("raise ValueError('shapes [2,3] and [4,3] do not match')", ValueError),
    "an own error, from TensorFlow's": (
        "try:\n    x @ w\nexcept tf.errors.OpError as error:\n    raise ValueError('mine') from error",
        ValueError,
    ),
    "TensorFlow's class, raised by hand": (
        "raise tf.errors.InvalidArgumentError(None, None, 'Matrix size-incompatible')",
        Exception,
    ),
    "a function that raises": (
        "def f(t, u):\n    if t.shape != u.shape:\n        raise ValueError('3 against 4')\nf(x, w)",
        ValueError,
    ),
    "in Python": ("loss = tf.reduce_sum(x) / (1 / 0)", ZeroDivisionError),
    "a name": ("x @ missing", NameError),
    "a key": ("{}['w'] @ x", KeyError),
    "an assert": ("assert x.shape == w.shape", AssertionError),
    "an attribute": ("x.missing @ w", AttributeError),
    "in NumPy": ("np.ones([2, 3]) @ np.ones([4, 3])", ValueError),
    "in NumPy, on arrays with names": (
        "a, c = np.ones([2, 3]), np.ones([4, 3])\na @ c",
        ValueError,
    ),
    "in NumPy, on vectors": ("a, c = np.ones([3]), np.ones([4])\na @ c", ValueError),
    "a name that was bound anew since": (
        "t = x\ntry:\n    tf.linalg.inv(t)\nfinally:\n    t = w",
        Exception,
    ),
    "the same where TensorFlow shows none of its frames": (
        "def f(t):\n    try:\n        return t @ w\n    finally:\n        t = v\ntf.function(f, autograph=False)(x)",
        ValueError,
    ),
    "a tensor of a loss that was bound anew since": (
        "t = y\ntry:\n    tf.losses.categorical_crossentropy(t, p)\nfinally:\n    t = tf.ones([7])",
        ValueError,
    ),
    "an assertion of TensorFlow's": ("tf.debugging.assert_equal(x, 2 * x)", Exception),
    "a truth value": ("if x > 0:\n    pass", ValueError),
    "rows of different lengths": ("tf.constant([[1.0, 2.0], [3.0]])", ValueError),
    "a list for labels": ("keras.losses.MeanSquaredError()([0, 1, 1], p)", ValueError),
    "None for a tensor": ("x + None", ValueError),
    "ragged rows": ("ragged + x", Exception),
    "a function that is no known one": ("sum([x, w])", Exception),
    "operands that cannot be told": ("tf.matmul(*[x, w])", Exception),
    "a file": ("open('missing.txt')", FileNotFoundError),
}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """The tensors and layers of the cells."""
    names: dict[str, Any] = {}
    exec(SET_UP, names)
    del names["__builtins__"]
    return names


@pytest.fixture
def ready(shell: InteractiveShell, names: dict[str, Any]) -> Iterator[InteractiveShell]:
    """A shell that has them."""
    shell.user_ns.update(names)
    shell.InteractiveTB.set_mode("Minimal")  # (a full traceback takes half a second)
    yield shell
    shell.InteractiveTB.set_mode("Context")


@pytest.fixture(params=["exact", "line"])
def positions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python tells an instruction's columns (from 3.11 on), or only its line."""
    if request.param == "line":
        monkeypatch.setattr("gradmagic.core.diagnose.failing.sites.find_place", lambda *_at: None)
    elif sys.version_info < (3, 11):
        pytest.skip("Python 3.10 tells lines only")


def fail(shell: Any, cell: str, line: str = "%%gradtape") -> BaseException:
    """Run a cell that fails, and give its exception."""
    result = shell.run_cell(f"{line}\n{cell}{END}")
    assert result.error_in_exec is not None
    return result.error_in_exec


def explain(shell: Any, cell: str, monkeypatch: pytest.MonkeyPatch) -> Diagnosis | None:
    """Run a cell that fails, and give what is shown of it."""
    shown = []
    monkeypatch.setattr("gradmagic.show.show_failure", lambda one, _shell: shown.append(one))
    fail(shell, cell)
    return shown[0] if shown else None


def _name(case: Case) -> str:
    return case.cell.splitlines()[-1].strip()


@pytest.mark.usefixtures("positions")
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_line_says_what_failed_and_its_fix_works(
    ready: Any, case: Case, monkeypatch: pytest.MonkeyPatch, names: dict[str, Any]
) -> None:
    from gradmagic.core.diagnose import FAILURES, KINDS

    found = explain(ready, case.cell, monkeypatch)
    assert found is not None
    assert found.message == case.line
    assert found.kind == case.kind
    assert found.kind in (*KINDS, *FAILURES)
    assert case.line.startswith(f"{found.op}: ")
    if "@tf.function" not in case.cell:
        held = [n for n in ast.walk(ast.parse(case.cell)) if getattr(n, "lineno", 0)]
        assert found.line in {node.lineno + 1 for node in held}
    assert bool(found.fix) == case.fixed
    if case.fixed:
        ready.user_ns.update(names)
        cell, line = apply_fix(case, found)  # type: ignore[arg-type]
        ready.run_cell(f"{line or '%%gradtape'} -q\n{cell}{END}").raise_error()


@pytest.mark.parametrize("case", CASES[::20], ids=_name)
def test_it_is_printed_above_the_traceback(
    ready: Any, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(ready, case.cell)
    printed = capsys.readouterr().err.splitlines()
    assert printed[:1] == [case.line]
    assert (len(printed) > 1) == case.fixed, printed


def test_every_kind_has_three_cells() -> None:
    kinds = [case.kind for case in CASES]
    assert all(kinds.count(kind) >= 3 for kind in kinds)


@pytest.mark.usefixtures("positions")
@pytest.mark.parametrize("case", SILENT)
def test_other_exceptions_get_no_line(
    ready: Any, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cell, kind = SILENT[case]
    assert isinstance(fail(ready, cell), kind)
    assert capsys.readouterr().err == ""


def test_a_function_of_an_earlier_cell_is_explained_too(
    ready: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.run_cell("def forward(t):\n    h = t * 2.0\n    return h @ w", store_history=True)
    fail(ready, "logits = forward(x)")
    assert capsys.readouterr().err == "h[2,3] @ w[4,3]: 3 against 4 (float32)\n"
    ready.run_cell(
        "%%gradtape -q\ndef again(t):\n    return t * n\nloss = s * s", store_history=True
    )
    fail(ready, "logits = again(x)")
    assert capsys.readouterr().err == (
        "t float32 * n int32: float32 against int32 (t[2,3], n[3])\n"  # with no fix for this cell
    )


def test_a_tape_of_an_earlier_cell_has_no_line_to_mend(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.run_cell(OPEN)
    found = explain(ready, "inner.gradient(e, x)\ninner.gradient(e, x)", monkeypatch)
    assert found is not None
    assert found.message == f"inner.gradient(e, x): inner {AGAIN.format(3)}"
    assert found.fix == ""


def test_with_tensorflows_own_frames_in_the_traceback(
    ready: Any, tf: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tf.debugging.disable_traceback_filtering()
    try:
        for case in [*OPERATORS[:8], *FUNCTIONS[:8], *DTYPES[:4]]:
            fail(ready, case.cell)
            assert capsys.readouterr().err.splitlines()[0] == case.line
    finally:
        tf.debugging.enable_traceback_filtering()


def test_without_a_graph_too(ready: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fail(ready, "x @ w", "%%gradtape x --no-graph")
    assert capsys.readouterr().err == "x[2,3] @ w[4,3]: 3 against 4 (float32)\n"


def test_tensorflow_of_another_name_is_called_so_in_the_fix(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.run_cell("import tensorflow as flow\nkept = tf\ndel tf, kept")
    shown: list[Diagnosis] = []
    monkeypatch.setattr("gradmagic.show.show_failure", lambda one, _shell: shown.append(one))
    ready.run_cell("%%gradtape x\nh = x * n")
    assert shown[0].fix == "h = x * flow.cast(n, flow.float32)"


def test_quiet_shows_nothing(ready: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fail(ready, "x @ w", "%%gradtape x -q")
    assert capsys.readouterr().err == ""


def test_the_plain_call_prints_nothing_and_leaves_the_exception_alone(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    import gradmagic

    with pytest.raises(Exception, match="Matrix size-incompatible") as caught:
        gradmagic.gradtape("loss = x @ w", "x", names=dict(names))
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    "cell", ["h = x @ w", "h = x * n", "h = dense(x)", OPEN + "x @ w", "1 / 0"]
)
def test_the_exception_and_its_traceback_are_as_without_the_line(
    ready: Any, cell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> tuple[BaseException, str, set[str]]:
        before = set(ready.user_ns)
        error = fail(ready, cell)
        text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        left = set(ready.user_ns) - before
        for name in left:
            del ready.user_ns[name]
        return error, re.sub(r"(?<=In\[)\d+|(?<=<ipython-input-)[\w-]+", "", text), left

    ready.InteractiveTB.set_mode("Context")
    error, text, left = run()
    monkeypatch.setattr("gradmagic.magics._explain", lambda *_all: None)
    other, plain, same = run()
    assert text == plain != ""
    assert left == same
    assert (type(error), str(error), error.args) == (type(other), str(other), other.args)
    assert type(error.__context__) is type(other.__context__)
    assert error.__cause__ is other.__cause__ is None
    assert not hasattr(error, "__notes__")


def test_the_very_exception_comes_out(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(error: Exception, *_more: Any) -> None:
        seen.append(error)

    monkeypatch.setattr("gradmagic.core.diagnose.failing.failure.explain_failure", look)
    error = fail(ready, "x @ w")
    assert seen == [error]
    assert seen[0] is error


def test_no_op_runs_and_no_value_of_a_large_tensor_is_read(
    ready: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow.python.framework import op_callbacks

    from gradmagic.core.diagnose.failing import failure

    ran: list[str] = []

    def count(op_type: str, *_all: Any, **_more: Any) -> None:
        ran.append(op_type)

    real = failure.explain_failure

    def watch(*given: Any) -> Any:
        op_callbacks.add_op_callback(count)
        try:
            return real(*given)
        finally:
            op_callbacks.remove_op_callback(count)

    monkeypatch.setattr(failure, "explain_failure", watch)
    for case in [*OPERATORS, *FUNCTIONS, *LAYERS, *DTYPES, *LABELS, *TAPES]:
        fail(ready, case.cell)
        assert ran == [], case.cell
    capsys.readouterr()
    fail(
        ready,
        "many = tf.zeros([20_000], tf.int32)\ntf.losses.categorical_crossentropy(many, tf.ones([20_000, 3]))",
    )
    assert "many holds class numbers" in capsys.readouterr().err


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_an_interrupt_is_not_looked_at(
    ready: Any, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("gradmagic.magics._explain", lambda *all_: seen.append(all_))
    assert type(fail(ready, f"raise {error}()")).__name__ == error
    assert seen == []


@pytest.mark.parametrize(
    "flawed",
    ["gradmagic.core.diagnose.failing.failure.explain_failure", "gradmagic.show.show_failure"],
)
def test_a_flaw_in_the_explanation_hides_nothing(
    ready: Any, flawed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_(*_all: Any) -> None:
        raise RuntimeError("a flaw")

    monkeypatch.setattr(flawed, break_)
    error = fail(ready, "x @ w")
    printed = capsys.readouterr()
    assert "Matrix size-incompatible" in str(error)
    assert "flaw" not in printed.out + printed.err


class _Balance(HTMLParser):
    """Checks that what is opened is closed, and collects the text outside style sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "path":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_the_html_is_small_and_escaped_and_says_the_same(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradmagic.render.failure import render_failure, render_failure_text

    for case in [*OPERATORS, *DTYPES, *LABELS, *TAPES]:
        found = explain(ready, case.cell, monkeypatch)
        assert found is not None
        html, parser = render_failure(found), _Balance()
        parser.feed(html)
        assert parser.open == []
        assert len(html) < 5_000
        assert parser.text.startswith(case.line)
        assert parser.text.endswith(found.fix)
        text = render_failure_text(found)
        assert text.splitlines()[0] == case.line
        assert all(line in text for line in found.fix.splitlines())


def test_every_rule_of_its_sheet_is_scoped(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradmagic.render.failure import render_failure

    found = explain(ready, "x @ w", monkeypatch)
    assert found is not None
    sheet = render_failure(found).partition("<style>")[2].partition("</style>")[0]
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", sheet)
    assert len(rules) > 5
    assert all(".gm" in one for rule in rules for one in rule.split(","))
    assert "--gm-warn" in sheet


@pytest.mark.kernel
def test_in_a_notebook_the_line_comes_before_the_error_and_the_notebook_stops() -> None:
    cells = [f"%load_ext gradmagic\n{SET_UP}", "%%gradtape w\nh = x * n", "reached = True"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=180).execute()
    shown, error = [one for one in notebook.cells[1].outputs if one.output_type != "stream"]
    assert (shown.output_type, error.output_type) == ("display_data", "error")
    assert shown.data["text/plain"].splitlines()[0] == DTYPES[0].line
    assert "<code>x float32 * n int32</code>: float32 against int32" in shown.data["text/html"]
    assert "h = x * tf.cast(n, tf.float32)" in shown.data["text/html"]
    assert error.ename == "InvalidArgumentError"
    assert notebook.cells[2].execution_count is None
