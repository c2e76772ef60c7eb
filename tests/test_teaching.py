"""Lessons that others wrote: the situations of their with-blocks, written anew as cells.

Each case names the material that it takes the situation from. The value of the target, the gradients,
and all that the cell leaves behind (moving averages too) are compared with the hand-written tape's
to the last bit; so is what the program to paste gives.
"""

from __future__ import annotations

import functools
import linecache
import textwrap
import types
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import gradmagic


@dataclass(frozen=True)
class Case:
    """A situation: what stands before the block, the block, and what is asked of the tape.

    ``hand`` is the block as written by hand, where it needs more than watching what was there before;
    ``asked`` the list given to ``tape.gradient``; ``nones`` how many of its answers are None.
    """

    name: str
    material: str
    before: str
    body: str
    sources: str
    asked: str = ""
    target: str = "loss"
    hand: str = ""
    nones: int = 0
    options: dict[str, Any] = field(default_factory=dict)


AUTODIFF = "TensorFlow guide: Introduction to gradients and automatic differentiation"
ADVANCED = "TensorFlow guide: Advanced automatic differentiation"
LOOPS = "TensorFlow guide: Basic training loops"
CHOLLET = "Chollet, Deep Learning with Python (notebooks)"
GERON = "Géron, Hands-On Machine Learning (notebooks)"
DIVE = "Dive into Deep Learning"

IMAGE = "image = tf.random.uniform([1, 8, 8, 3])\n"
CONVNET = """
net = keras.Sequential([
    keras.Input([8, 8, 3]),
    keras.layers.Conv2D(4, 3, activation="relu", name="first"),
    keras.layers.Conv2D(5, 3, activation="relu", name="second"),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(3),
])
"""
CRITIC = """
critic = keras.Sequential([keras.Input([4]), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])
maker = keras.Sequential([keras.Input([2]), keras.layers.Dense(5, "relu"), keras.layers.Dense(4)])
real, noise = tf.random.normal([6, 4]), tf.random.normal([6, 2])
judge = keras.losses.BinaryCrossentropy(from_logits=True)
"""

CASES = [
    # -- the tape itself
    Case("power", AUTODIFF, "x = tf.Variable(1.7)", "y = x ** 3", "x", target="y"),
    Case("affine", AUTODIFF, "w = tf.Variable(tf.random.normal([3, 2]))\nb = tf.Variable(tf.ones([2]))",
         "y = [[1.0, -2.0, 0.5]] @ w + b\nloss = tf.reduce_mean(y ** 2)", "w b"),
    Case("dictionary", AUTODIFF, "p = {'w': tf.Variable(tf.ones([2, 2])), 'b': tf.zeros([2])}",
         "loss = tf.reduce_sum(tf.nn.softplus(tf.eye(2) @ p['w'] + p['b']))", "p", "[p['w'], p['b']]"),
    Case("dense-layer", AUTODIFF,
         "layer = keras.layers.Dense(2, activation='relu')\nx = tf.constant([[1.0, -1.0, 2.0]])\nlayer(x)",
         "loss = tf.reduce_mean(layer(x) ** 2)", "layer", "layer.trainable_variables"),
    Case("what-is-watched", AUTODIFF,
         "a = tf.Variable(2.0)\nfixed = tf.Variable(3.0, trainable=False)\nt = a + 1.0\nu = tf.constant(1.0)",
         "loss = a ** 2 * fixed + t ** 2", "a fixed t u", nones=2),
    Case("watched-by-hand", AUTODIFF, "a = tf.Variable(0.4)\nb = tf.Variable(2.0)",
         "tape.watch(b)\nloss = tf.sin(a) + tf.nn.softplus(b)", "a b", nones=1,
         options={"watch_accessed_variables": False}),
    Case("intermediate", AUTODIFF, "x = tf.constant(3.0)", "y = x * x\nz = y * y", "y x", target="z"),
    Case("persistent", AUTODIFF, "x = tf.constant([1.0, 3.0])", "y = x * x\nz = y * y", "x",
         target="z", options={"persistent": True}),
    Case("several-targets", GERON, "w1, w2 = tf.Variable(5.0), tf.Variable(3.0)",
         "def f(a, b):\n    return 3 * a ** 2 + 2 * a * b\nz1 = f(w1, w2 + 2.0)\nz2 = f(w1, w2 + 5.0)\n"
         "z1 + z2", "w1 w2", target="target",
         hand="def f(a, b):\n    return 3 * a ** 2 + 2 * a * b\nz1 = f(w1, w2 + 2.0)\nz2 = f(w1, w2 + 5.0)\n"
         "target = z1 + z2"),
    Case("vector-target", AUTODIFF, "x = tf.Variable(2.0)", "y = x * [3.0, 4.0]", "x", target="y"),
    Case("curve", AUTODIFF, "x = tf.linspace(-6.0, 6.0, 41)", "y = tf.nn.sigmoid(x)", "x", target="y"),
    Case("python-branch", AUTODIFF, "x = tf.constant(1.0)\nv0, v1 = tf.Variable(2.0), tf.Variable(2.0)",
         "if x > 0.0:\n    result = v0\nelse:\n    result = v1 ** 2\nresult = result * 1.0", "v0 v1 x",
         target="result", nones=2),
    Case("replaced-variable", AUTODIFF, "x = tf.Variable(2.0)",
         "for epoch in range(2):\n    y = x + 1\n    x = x + 1", "x", target="y",
         hand="x_used = x\nfor epoch in range(2):\n    tape.watch(x_used := x)\n    y = x + 1\n    x = x + 1",
         asked="[x_used]"),
    Case("through-numpy", AUTODIFF, "x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])",
         "y = np.mean(x ** 2, axis=0)\nloss = tf.reduce_mean(y)", "x", nones=1),
    Case("whole-numbers", AUTODIFF, "k = tf.constant(10)\nw = tf.constant(0.5)",
         "loss = w * tf.cast(k * k, tf.float32)", "k w", nones=1),
    Case("state-stops-gradients", AUTODIFF, "a, b = tf.Variable(3.0), tf.Variable(0.5)",
         "b.assign_add(a)\nloss = b ** 2", "a b", nones=1),
    Case("zeros-instead", AUTODIFF, "x, y = tf.Variable([2.0, 2.0]), tf.Variable(3.0)", "loss = y ** 2",
         "x y", options={"unconnected_gradients": "zero"}),
    Case("stop-recording", ADVANCED, "x, y = tf.Variable(2.0), tf.Variable(3.0)",
         "a = x * x\nwith tape.stop_recording():\n    c = y * y\nz = a + c", "x y", target="z", nones=1),
    Case("reset", ADVANCED, "x, y = tf.Variable(2.0), tf.Variable(3.0)",
         "c = y * y\nif True:\n    tape.reset()\nz = x * x + c", "x y", target="z", nones=1),
    Case("stop-gradient", ADVANCED, "x, y = tf.Variable(2.0), tf.Variable(3.0)",
         "z = x ** 2 + tf.stop_gradient(y ** 2)", "x y", target="z", nones=1),
    Case("detached-factor", DIVE, "x = tf.Variable(tf.range(4.0))",
         "y = x * x\nu = tf.stop_gradient(y)\nz = u * x", "x", target="z", options={"persistent": True}),
    Case("clipped-backwards", ADVANCED, "v = tf.Variable(2.0)",
         "@tf.custom_gradient\ndef clip(y):\n    return tf.identity(y), lambda up: tf.clip_by_norm(up, 0.5)\n"
         "out = clip(v * v)", "v", target="out"),
    Case("own-softplus", GERON, "x = tf.Variable([100.0, 1.0])",
         "@tf.custom_gradient\ndef soft(z):\n    e = tf.exp(-tf.abs(z))\n    def back(up):\n"
         "        return up / (1.0 + tf.exp(-z))\n    return tf.maximum(z, 0.0) + tf.math.log1p(e), back\n"
         "loss = tf.reduce_sum(soft(x))", "x"),
    Case("two-tapes", ADVANCED, "a, b = tf.constant(0.3), tf.constant(0.1)",
         "with tf.GradientTape() as second:\n    second.watch(b)\n    ys = tf.sin(a) + tf.nn.sigmoid(b)\n"
         "db = second.gradient(ys, b)", "a", target="ys", options={"target": "ys"}),
    Case("second-derivative", CHOLLET, "time = tf.Variable(2.0)",
         "with tf.GradientTape() as inner:\n    place = 4.9 * time ** 2 + tf.sin(time)\n"
         "speed = inner.gradient(place, time)", "time", target="speed"),
    Case("input-gradient-penalty", ADVANCED,
         "x = tf.random.normal([7, 5])\nlayer = keras.layers.Dense(4, activation='relu')\nlayer(x)",
         "with tf.GradientTape(watch_accessed_variables=False) as inner:\n    inner.watch(x)\n"
         "    out = tf.reduce_sum(layer(x) ** 2)\nsize = tf.norm(inner.gradient(out, x))", "layer",
         "layer.trainable_variables", target="size"),
    # -- fitting by hand
    Case("line-module", LOOPS,
         "class Line(tf.Module):\n    def __init__(self):\n        self.w = tf.Variable(5.0)\n"
         "        self.b = tf.Variable(0.0)\n    def __call__(self, x):\n        return self.w * x + self.b\n"
         "line = Line()\nx = tf.linspace(-2.0, 2.0, 11)\ny = 3.0 * x + 2.0 + tf.random.normal([11])",
         "loss = tf.reduce_mean(tf.square(y - line(x)))", "line.w line.b"),
    Case("whole-module", LOOPS,
         "class Line(tf.Module):\n    def __init__(self):\n        self.w = tf.Variable(5.0)\n"
         "        self.b = tf.Variable(0.0)\nline = Line()\nx = tf.linspace(-2.0, 2.0, 11)",
         "loss = tf.reduce_mean(tf.square(x ** 2 - (line.w * x + line.b)))", "line",
         "line.trainable_variables"),
    Case("keras-subclass", LOOPS,
         "class Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
         "        self.w = self.add_weight(shape=(), initializer='ones')\n"
         "        self.b = self.add_weight(shape=(), initializer='zeros')\n    def call(self, x):\n"
         "        return x * self.w + self.b\nnet = Net()\nx = tf.linspace(-2.0, 2.0, 11)",
         "loss = tf.reduce_mean((tf.sin(x) - net(x)) ** 2)", "net", "net.trainable_variables"),
    Case("linear-classifier", CHOLLET,
         "x = tf.random.normal([12, 2])\nt = tf.cast(x[:, :1] > 0, tf.float32)\n"
         "W, b = tf.Variable(tf.random.uniform([2, 1])), tf.Variable(tf.zeros([1]))",
         "predictions = tf.matmul(x, W) + b\nloss = tf.reduce_mean(tf.square(t - predictions))", "W b"),
    Case("polynomial", "TensorFlow Core: Quickstart",
         "x = tf.linspace(-1.0, 1.0, 15)\ny = x ** 2 - 0.3\nc = [tf.Variable(0.1 * k) for k in range(4)]",
         "fit = 0.0\nfor power, factor in enumerate(c):\n    fit += factor * x ** power\n"
         "loss = tf.reduce_mean((fit - y) ** 2)", "c", "c"),
    Case("logistic-regression", "TensorFlow Core: Logistic regression",
         "x = tf.random.normal([10, 3])\nt = tf.cast(tf.reduce_sum(x, 1) > 0, tf.float32)\n"
         "w, b = tf.Variable(tf.random.normal([3, 1])), tf.Variable(0.0)",
         "z = tf.squeeze(x @ w + b, 1)\n"
         "loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z))", "w b"),
    Case("perceptron-modules", "TensorFlow Core: Multilayer perceptrons",
         "class Layer(tf.Module):\n    def __init__(self, n, m, f):\n        super().__init__()\n"
         "        self.w, self.b, self.f = tf.Variable(tf.random.normal([n, m]) / n), tf.Variable(tf.zeros([m])), f\n"
         "    def __call__(self, x):\n        return self.f(x @ self.w + self.b)\n"
         "class Stack(tf.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.layers = [Layer(5, 6, tf.nn.relu), Layer(6, 3, tf.identity)]\n"
         "stack = Stack()\nx, labels = tf.random.normal([4, 5]), tf.constant([0, 2, 1, 1])",
         "h = x\nfor layer in stack.layers:\n    h = layer(h)\n"
         "loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, h))", "stack",
         "stack.trainable_variables"),
    Case("two-variable-surface", "TensorFlow Core: Optimizers", "x, y = tf.Variable(-1.2), tf.Variable(1.0)",
         "loss = (1.0 - x) ** 2 + 100.0 * (y - x ** 2) ** 2", "x y"),
    Case("dot-product", DIVE, "x = tf.Variable(tf.range(4, dtype=tf.float32))",
         "y = 2 * tf.tensordot(x, x, axes=1)", "x", target="y"),
    Case("doubling-loop", DIVE, "a = tf.Variable(0.37)",
         "def f(a):\n    b = a * 2\n    while tf.norm(b) < 1000:\n        b = b * 2\n"
         "    return b if tf.reduce_sum(b) > 0 else 100 * b\nd = f(a)", "a", target="d"),
    Case("coin", f"{DIVE}: Maximum likelihood", "theta = tf.Variable(0.5)\nheads, tails = 8675.0, 25624.0",
         "loss = -(heads * tf.math.log(theta) + tails * tf.math.log(1 - theta))", "theta"),
    Case("chain-of-squares", f"{DIVE}: Multivariable calculus",
         "w, x, y, z = (tf.Variable(v) for v in (-1.0, 0.0, -2.0, 1.0))",
         "a, b = (w + x + y + z) ** 2, (w + x - y - z) ** 2\nu, v = (a + b) ** 2, (a - b) ** 2\nf = (u + v) ** 2",
         "w x y z a b", target="f",
         hand="a, b = (w + x + y + z) ** 2, (w + x - y - z) ** 2\ntape.watch([a, b])\n"
         "u, v = (a + b) ** 2, (a - b) ** 2\nf = (u + v) ** 2"),
    Case("weight-decay", DIVE, "x, y = tf.random.normal([9, 5]), tf.random.normal([9, 1])\n"
         "w, b = tf.Variable(tf.random.normal([5, 1])), tf.Variable(tf.zeros([1]))",
         "penalty = tf.reduce_sum(w ** 2) / 2\nloss = tf.reduce_mean((x @ w + b - y) ** 2 / 2) + 3.0 * penalty",
         "w b"),
    Case("softmax-regression", DIVE, "x, labels = tf.random.normal([5, 4]), tf.constant([0, 2, 1, 0, 2])\n"
         "w, b = tf.Variable(tf.random.normal([4, 3])), tf.Variable(tf.zeros([3]))",
         "e = tf.exp(x @ w + b)\nq = e / tf.reduce_sum(e, 1, keepdims=True)\n"
         "loss = -tf.reduce_mean(tf.math.log(tf.boolean_mask(q, tf.one_hot(labels, 3))))", "w b"),
    Case("dropout-by-mask", DIVE, "x, w = tf.random.normal([6, 4]), tf.Variable(tf.random.normal([4, 4]))",
         "h = tf.nn.relu(x @ w)\nmask = tf.random.uniform(h.shape) < 0.5\n"
         "h = tf.cast(mask, tf.float32) * h / 0.5\nloss = tf.reduce_mean(h)", "w"),
    Case("edge-kernel", f"{DIVE}: Convolutions", "x = tf.Variable(tf.ones([6, 8]))\n"
         "x[:, 2:6].assign(tf.zeros([6, 4]))\nk = tf.Variable(tf.random.normal([1, 2, 1, 1]))\n"
         "y = x[:, 1:] - x[:, :-1]",
         "fit = tf.nn.conv2d(x[None, :, :, None], k, 1, 'VALID')[0, :, :, 0]\nloss = tf.reduce_sum((fit - y) ** 2)",
         "k"),
    Case("recurrence-by-hand", f"{DIVE}: Recurrent networks",
         "x = tf.random.normal([5, 2, 3])\nwx, wh = tf.random.normal([3, 4]), tf.random.normal([4, 4])\n"
         "b = tf.zeros([4])",
         "state = tf.zeros([2, 4])\nfor step in x:\n    state = tf.tanh(step @ wx + state @ wh + b)\n"
         "loss = tf.reduce_sum(state ** 2)", "wx wh b"),
    Case("masked-sequence-loss", DIVE, "z = tf.Variable(tf.random.normal([2, 4, 5]))\n"
         "labels = tf.constant([[1, 2, 0, 0], [3, 4, 1, 2]])",
         "mask = tf.sequence_mask([2, 4], 4, dtype=tf.float32)\n"
         "each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z)\n"
         "loss = tf.reduce_sum(each * mask) / tf.reduce_sum(mask)", "z"),
    # -- Keras models
    Case("mlp-and-its-penalties", GERON, "net = keras.Sequential([keras.Input([4]),\n"
         "    keras.layers.Dense(6, 'elu', kernel_regularizer=keras.regularizers.L2(0.05)),\n"
         "    keras.layers.Dense(1)])\nx, y = tf.random.normal([8, 4]), tf.random.normal([8, 1])",
         "fit = net(x, training=True)\nmain = tf.reduce_mean(keras.losses.mean_squared_error(y, fit))\n"
         "loss = tf.add_n([main] + net.losses)", "net", "net.trainable_variables"),
    Case("flowers", "TensorFlow tutorial: Custom training walkthrough",
         "net = keras.Sequential([keras.Input([4]), keras.layers.Dense(7, 'relu'), keras.layers.Dense(3)])\n"
         "x, species = tf.random.normal([9, 4]), tf.constant([0, 1, 2] * 3)\n"
         "measure = keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
         "loss = measure(species, net(x, training=True))", "net", "net.trainable_variables"),
    Case("keras-ops", CHOLLET, "net = keras.Sequential([keras.Input([5]), keras.layers.Dense(4, 'relu'),\n"
         "    keras.layers.Dense(3, 'softmax')])\nx, labels = tf.random.normal([6, 5]), tf.constant([0, 1, 2] * 2)",
         "predictions = net(x)\nloss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, predictions))",
         "net", "net.trainable_weights"),
    Case("batch-norm", "Keras guide: Writing a training loop from scratch",
         "net = keras.Sequential([keras.Input([4]), keras.layers.Dense(5), keras.layers.BatchNormalization(),\n"
         "    keras.layers.ReLU(), keras.layers.Dense(2)])\nx = tf.random.normal([8, 4])",
         "loss = tf.reduce_mean(net(x, training=True) ** 2)", "net", "net.trainable_variables"),
    Case("dropout-layer", "Keras guide: Writing a training loop from scratch",
         "net = keras.Sequential([keras.Input([6]), keras.layers.Dense(8, 'relu'), keras.layers.Dropout(0.5),\n"
         "    keras.layers.Dense(1)])\nx = tf.random.normal([7, 6])",
         "loss = tf.reduce_sum(net(x, training=True))", "net", "net.trainable_variables"),
    Case("cnn", "TensorFlow tutorial: Quickstart for experts", IMAGE + CONVNET,
         "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(\n"
         "    tf.constant([1]), net(image, training=True))", "net", "net.trainable_variables"),
    Case("frozen-layer", "Keras guide: Transfer learning", IMAGE + CONVNET + "net.layers[0].trainable = False\n",
         "loss = tf.reduce_sum(net(image) ** 2)", "net", "net.trainable_variables"),
    Case("characters", "TensorFlow tutorial: Text generation with an RNN",
         "net = keras.Sequential([keras.Input([5]), keras.layers.Embedding(9, 4),\n"
         "    keras.layers.GRU(3, return_sequences=True), keras.layers.Dense(9)])\n"
         "text = tf.constant([[1, 3, 3, 0, 8], [2, 2, 5, 7, 1]])",
         "z = net(text, training=True)\nloss = tf.reduce_mean(\n"
         "    tf.nn.sparse_softmax_cross_entropy_with_logits(tf.roll(text, -1, 1), z))", "net",
         "net.trainable_variables"),
    Case("lstm-regression", f"{GERON}: sequences",
         "net = keras.Sequential([keras.Input([6, 2]), keras.layers.LSTM(3), keras.layers.Dense(1)])\n"
         "x = tf.random.normal([4, 6, 2])",
         "loss = tf.reduce_mean(keras.losses.Huber()(tf.reduce_sum(x, [1, 2])[:, None], net(x)))", "net",
         "net.trainable_variables"),
    Case("attention", "TensorFlow tutorial: Transformer",
         "q, k, v = (tf.random.normal([2, 5, 4]) for _ in range(3))\nw = tf.Variable(tf.random.normal([4, 4]))",
         "scores = tf.matmul(q @ w, k, transpose_b=True) / tf.sqrt(4.0)\n"
         "scores += (1.0 - tf.linalg.band_part(tf.ones([5, 5]), -1, 0)) * -1e9\n"
         "loss = tf.reduce_mean((tf.nn.softmax(scores) @ v) ** 2)", "w q k v"),
    Case("word-vectors", "TensorFlow tutorial: word2vec",
         "table = tf.Variable(tf.random.normal([10, 4]))\ncontext = tf.Variable(tf.random.normal([10, 4]))",
         "a = tf.nn.embedding_lookup(table, [1, 1, 7])\nb = tf.gather(context, [[2, 3], [4, 5], [2, 9]])\n"
         "dots = tf.einsum('be,bce->bc', a, b)\nloss = tf.reduce_mean(\n"
         "    tf.nn.softmax_cross_entropy_with_logits(tf.one_hot([0, 0, 0], 2), dots))", "table context"),
    Case("ratings", "TensorFlow Recommenders: matrix factorization",
         "users, films = tf.Variable(tf.random.normal([6, 3])), tf.Variable(tf.random.normal([8, 3]))\n"
         "who, what = tf.constant([0, 5, 5, 2]), tf.constant([7, 7, 1, 0])\nstars = tf.constant([4.0, 1.0, 3.0, 5.0])",
         "fit = tf.reduce_sum(tf.gather(users, who) * tf.gather(films, what), 1)\n"
         "loss = tf.reduce_mean((fit - stars) ** 2) + 0.01 * tf.nn.l2_loss(users)", "users films"),
    Case("ragged-sentences", "TensorFlow guide: Ragged tensors",
         "table = tf.Variable(tf.random.normal([9, 3]))\nids = tf.ragged.constant([[1, 2, 2], [], [8]])",
         "vectors = tf.ragged.map_flat_values(tf.nn.embedding_lookup, table, ids)\n"
         "loss = tf.reduce_sum(tf.reduce_sum(vectors, 1) ** 2)", "table"),
    Case("ragged-source", "TensorFlow guide: Ragged tensors", "r = tf.ragged.constant([[1.0, 2.0], [3.0]])",
         "loss = tf.reduce_sum(tf.square(r).flat_values)", "r"),
    Case("sparse-product", "TensorFlow guide: Sparse tensors",
         "s = tf.sparse.from_dense([[0.0, 2.0, 0.0], [1.0, 0.0, 4.0]])\nw = tf.Variable(tf.random.normal([3, 2]))",
         "loss = tf.reduce_sum(tf.sparse.sparse_dense_matmul(s, w) ** 2)", "w"),
    # -- graphs and control flow
    Case("traced-model", "TensorFlow guide: Better performance with tf.function",
         "w = tf.Variable(tf.random.normal([3, 2]))\nx = tf.random.normal([4, 3])\n"
         "@tf.function\ndef forward(x):\n    h = x @ w\n    for _ in tf.range(3):\n        h = tf.tanh(h)\n    return h",
         "loss = tf.reduce_mean(forward(x) ** 2)", "w x"),
    Case("traced-in-the-block", "TensorFlow guide: Better performance with tf.function",
         "x = tf.constant([1.0, -2.0, 3.0])",
         "@tf.function\ndef f(a):\n    if tf.reduce_sum(a) > 0:\n        return a ** 2\n    return a\n"
         "loss = tf.reduce_sum(f(x))", "x"),
    Case("tensor-loop", "TensorFlow guide: Graphs and control flow", "x = tf.constant(1.3)",
         "_, y = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.sin(a) * a), [0, x])", "x",
         target="y", hand="_, y = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.sin(a) * a), [0, x])"),
    Case("scan-and-map", "TensorFlow guide: Graphs and control flow",
         "decay = tf.Variable(0.9)\nx = tf.random.normal([6])",
         "sums = tf.scan(lambda a, v: a * decay + v, x)\n"
         "loss = tf.reduce_sum(tf.map_fn(lambda v: v ** 2, sums)) + tf.cond(decay > 0, lambda: decay, lambda: 0.0)",
         "decay x"),
    Case("half-precision", "TensorFlow guide: Mixed precision",
         "w = tf.Variable(tf.random.normal([4, 3]))\nx = tf.cast(tf.random.normal([5, 4]), tf.float16)",
         "h = tf.nn.relu(x @ tf.cast(w, tf.float16))\nloss = 128.0 * tf.reduce_mean(tf.cast(h, tf.float32) ** 2)",
         "w x h", hand="h = tf.nn.relu(x @ tf.cast(w, tf.float16))\ntape.watch(h)\n"
         "loss = 128.0 * tf.reduce_mean(tf.cast(h, tf.float32) ** 2)"),
    Case("bfloat16", "TensorFlow guide: Mixed precision", "w = tf.cast(tf.random.normal([4]), tf.bfloat16)",
         "loss = tf.reduce_sum(tf.sigmoid(w) * w)", "w"),
    Case("spectrum", "TensorFlow signal processing: short-time Fourier transform",
         "x = tf.random.normal([16])\nz = tf.complex(tf.random.normal([4]), tf.random.normal([4]))",
         "f = tf.signal.fft(tf.cast(x, tf.complex64))\nloss = tf.reduce_sum(tf.abs(f)) + tf.abs(tf.reduce_sum(z * z))",
         "x z"),
    # -- generating and looking into networks
    Case("gan-maker", "TensorFlow tutorial: DCGAN", CRITIC,
         "faked = critic(maker(noise, training=True), training=True)\ngen_loss = judge(tf.ones_like(faked), faked)\n"
         "seen = critic(real, training=True)\n"
         "critic_loss = judge(tf.ones_like(seen), seen) + judge(tf.zeros_like(faked), faked)", "maker critic",
         "maker.trainable_variables + critic.trainable_variables", target="gen_loss",
         options={"target": "gen_loss"}),
    Case("gan-critic", f"{DIVE}: Generative adversarial networks", CRITIC + "fake = maker(noise)\n",
         "seen, faked = critic(real), critic(fake)\n"
         "loss = (judge(tf.ones_like(seen), seen) + judge(tf.zeros_like(faked), faked)) / 2", "critic",
         "critic.trainable_variables"),
    Case("gradient-penalty", "Keras example: WGAN-GP", CRITIC + "fake = maker(noise)\n",
         "mix = real + tf.random.uniform([6, 1]) * (fake - real)\nwith tf.GradientTape() as inner:\n"
         "    inner.watch(mix)\n    score = critic(mix, training=True)\nslope = inner.gradient(score, [mix])[0]\n"
         "size = tf.sqrt(tf.reduce_sum(slope ** 2, axis=[1]))\nloss = tf.reduce_mean(critic(fake)) - "
         "tf.reduce_mean(critic(real)) + 10.0 * tf.reduce_mean((size - 1.0) ** 2)", "critic",
         "critic.trainable_variables"),
    Case("picture-to-picture", "TensorFlow tutorial: pix2pix", CRITIC,
         "out = maker(noise)\nfaked = critic(out)\n"
         "loss = judge(tf.ones_like(faked), faked) + 100.0 * tf.reduce_mean(tf.abs(real - out))", "maker",
         "maker.trainable_variables"),
    Case("cycle", "TensorFlow tutorial: CycleGAN", CRITIC + "back = keras.Sequential([keras.Input([4]),\n"
         "    keras.layers.Dense(2)])\n",
         "there = maker(noise)\nagain = back(there)\ncycle_loss = tf.reduce_mean(tf.abs(again - noise))\n"
         "same = tf.reduce_mean(tf.abs(maker(back(real)) - real))\ntotal = 10.0 * cycle_loss + 5.0 * same",
         "maker back", "maker.trainable_variables + back.trainable_variables", target="total",
         options={"persistent": True}),
    Case("variational-autoencoder", "TensorFlow tutorial: Convolutional variational autoencoder",
         "encode = keras.Sequential([keras.Input([6]), keras.layers.Dense(4)])\n"
         "decode = keras.Sequential([keras.Input([2]), keras.layers.Dense(6)])\n"
         "x = tf.round(tf.random.uniform([5, 6]))",
         "mean, logvar = tf.split(encode(x), 2, axis=1)\neps = tf.random.normal(mean.shape)\n"
         "code = mean + eps * tf.exp(logvar / 2)\n"
         "fit = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, decode(code)), 1)\n"
         "kl = -0.5 * tf.reduce_sum(1.0 + logvar - mean ** 2 - tf.exp(logvar), 1)\nloss = tf.reduce_mean(fit + kl)",
         "encode decode", "encode.trainable_variables + decode.trainable_variables"),
    Case("adversarial-picture", "TensorFlow tutorial: Adversarial example using FGSM", IMAGE + CONVNET,
         "loss = keras.losses.CategoricalCrossentropy(from_logits=True)(tf.one_hot([2], 3), net(image))", "image"),
    Case("integrated-gradients", "TensorFlow tutorial: Integrated gradients", IMAGE + CONVNET
         + "steps = tf.linspace(0.0, 1.0, 5)[:, None, None, None] * image\n",
         "probs = tf.nn.softmax(net(steps), axis=-1)[:, 1]", "steps", target="probs"),
    Case("deep-dream", "TensorFlow tutorial: DeepDream", IMAGE + CONVNET
         + "dream = keras.Model(net.inputs, [net.get_layer(n).output for n in ('first', 'second')])\n",
         "losses = []\nfor act in dream(image):\n    losses.append(tf.math.reduce_mean(act))\n"
         "loss = tf.reduce_sum(losses)", "image"),
    Case("style-transfer", "TensorFlow tutorial: Neural style transfer", IMAGE + CONVNET
         + "look = keras.Model(net.inputs, [net.get_layer(n).output for n in ('first', 'second')])\n"
         "image = tf.Variable(image)\nstyle, content = look(tf.random.uniform([1, 8, 8, 3]))\n"
         "def gram(a):\n    return tf.linalg.einsum('bijc,bijd->bcd', a, a) / float(a.shape[1] * a.shape[2])\n",
         "first, second = look(image)\nloss = 1e-2 * tf.reduce_mean((gram(first) - gram(style)) ** 2)\n"
         "loss += 1e4 * tf.reduce_mean((second - content) ** 2)\n"
         "loss += 30.0 * tf.reduce_sum(tf.image.total_variation(image))", "image"),
    Case("filter-picture", CHOLLET, IMAGE + CONVNET + "look = keras.Model(net.inputs, net.get_layer('second').output)\n",
         "tape.watch(image)\nloss = tf.reduce_mean(look(image)[:, 2:-2, 2:-2, 3])", "image"),
    Case("class-activation-map", f"{CHOLLET}: Grad-CAM", IMAGE + CONVNET
         + "body = keras.Model(net.inputs, net.get_layer('second').output)\n"
         "head = keras.Sequential(net.layers[2:])\n",
         "conv = body(image)\ntape.watch(conv)\npreds = head(conv)\ntop = tf.argmax(preds[0])\nscore = preds[:, top]",
         "conv", target="score"),
    Case("class-activation-map-unwatched", "Keras example: Grad-CAM", IMAGE + CONVNET
         + "both = keras.Model(net.inputs, [net.get_layer('second').output, net.layers[-1].output])\n",
         "conv, preds = both(image)\nscore = preds[:, 1]", "conv", target="score",
         hand="conv, preds = both(image)\ntape.watch(conv)\nscore = preds[:, 1]"),
    # -- learning by reward, by pairs, by physics
    Case("policy-gradient", GERON, "policy = keras.Sequential([keras.Input([4]), keras.layers.Dense(5, 'elu'),\n"
         "    keras.layers.Dense(1, 'sigmoid')])\nseen = tf.random.normal([1, 4])",
         "left = policy(seen)\naction = tf.random.uniform([1, 1]) > left\n"
         "wanted = tf.constant([[1.0]]) - tf.cast(action, tf.float32)\n"
         "loss = tf.reduce_mean(keras.losses.binary_crossentropy(wanted, left))", "policy",
         "policy.trainable_variables"),
    Case("actor-critic", "TensorFlow tutorial: Actor-critic",
         "body = keras.layers.Dense(6, 'relu')\nactor, value = keras.layers.Dense(2), keras.layers.Dense(1)\n"
         "state = tf.random.normal([1, 3])\nactor(body(state)), value(body(state))\n"
         "parts = [body, actor, value]",
         "logs, values = [], []\nfor t in range(3):\n    h = body(state)\n    z = actor(h)\n"
         "    a = tf.random.categorical(z, 1)[0, 0]\n    logs.append(tf.nn.log_softmax(z)[0, a])\n"
         "    values.append(value(h)[0, 0])\n    state = tf.sin(state + tf.cast(a, tf.float32))\n"
         "logs, values = tf.stack(logs), tf.stack(values)\nreturns = tf.constant([2.9, 1.9, 1.0])\n"
         "loss = -tf.reduce_sum(logs * tf.stop_gradient(returns - values)) + keras.losses.Huber()(returns, values)",
         "parts", "sum([p.trainable_variables for p in parts], [])"),
    Case("q-learning", GERON, "net = keras.Sequential([keras.Input([3]), keras.layers.Dense(4, 'elu'),\n"
         "    keras.layers.Dense(2)])\nstates, actions = tf.random.normal([5, 3]), tf.constant([0, 1, 1, 0, 1])",
         "every = net(states)\ntaken = tf.reduce_sum(every * tf.one_hot(actions, 2), axis=1, keepdims=True)\n"
         "loss = tf.reduce_mean((tf.ones([5, 1]) - taken) ** 2)", "net", "net.trainable_variables"),
    Case("triplets", "Keras example: Siamese network with triplet loss",
         "embed = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])\n"
         "anchor, near, far = (tf.random.normal([5, 4]) for _ in range(3))",
         "a, n, f = embed(anchor), embed(near), embed(far)\n"
         "gap = tf.reduce_sum((a - n) ** 2, -1) - tf.reduce_sum((a - f) ** 2, -1)\n"
         "loss = tf.reduce_mean(tf.maximum(gap + 0.5, 0.0))", "embed", "embed.trainable_variables"),
    Case("distillation", "Keras example: Knowledge distillation",
         "teacher = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])\n"
         "student = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])\nx = tf.random.normal([6, 4])",
         "soft = tf.nn.softmax(teacher(x, training=False) / 3.0)\nz = student(x, training=True)\n"
         "loss = keras.losses.KLDivergence()(soft, tf.nn.softmax(z / 3.0)) * 9.0", "student",
         "student.trainable_variables"),
    Case("learning-to-learn", "Keras example: Few-shot learning (inner gradient step)",
         "w = tf.Variable(tf.random.normal([3, 1]))\nx, y = tf.random.normal([6, 3]), tf.random.normal([6, 1])",
         "with tf.GradientTape() as inner:\n    first = tf.reduce_mean((x @ w - y) ** 2)\n"
         "quick = w - 0.1 * inner.gradient(first, w)\nloss = tf.reduce_mean((x @ quick - y) ** 2)", "w"),
    Case("oscillator", "Physics-informed networks: an ODE by its residual",
         "net = keras.Sequential([keras.Input([1]), keras.layers.Dense(8, 'tanh'), keras.layers.Dense(1)])\n"
         "t = tf.linspace(0.0, 3.0, 7)[:, None]",
         "with tf.GradientTape() as outer:\n    outer.watch(t)\n    with tf.GradientTape() as inner:\n"
         "        inner.watch(t)\n        u = net(t)\n    du = inner.gradient(u, t)\nddu = outer.gradient(du, t)\n"
         "loss = tf.reduce_mean((ddu + 4.0 * u) ** 2) + tf.reduce_mean((net(tf.zeros([1, 1])) - 1.0) ** 2)",
         "net", "net.trainable_variables"),
    Case("heat-equation", "Physics-informed networks: a PDE by its residual",
         "net = keras.Sequential([keras.Input([2]), keras.layers.Dense(6, 'tanh'), keras.layers.Dense(1)])\n"
         "x, t = tf.random.uniform([9, 1]), tf.random.uniform([9, 1])\nk = tf.Variable(0.5)",
         "with tf.GradientTape(persistent=True) as outer:\n    outer.watch(x)\n"
         "    with tf.GradientTape(persistent=True) as inner:\n        inner.watch([x, t])\n"
         "        u = net(tf.concat([x, t], 1))\n    ux = inner.gradient(u, x)\n"
         "uxx, ut = outer.gradient(ux, x), inner.gradient(u, t)\nloss = tf.reduce_mean((ut - k * uxx) ** 2)",
         "net k", "net.trainable_variables + [k]", nones=1),  # no derivative of u depends on the last bias
    Case("euler-steps", "Neural differential equations: unrolled Euler steps",
         "a = tf.Variable([[0.0, 1.0], [-1.0, -0.1]])\nstart = tf.constant([[1.0, 0.0]])",
         "path = [start]\nfor _ in range(6):\n    path.append(path[-1] + 0.1 * path[-1] @ a)\n"
         "loss = tf.reduce_mean((tf.concat(path, 0)[:, 0] - 0.5) ** 2)", "a start"),
    Case("gaussian-process", "TensorFlow Probability: Gaussian process regression",
         "x = tf.linspace(0.0, 1.0, 6)\ny = tf.sin(6.0 * x)[:, None]\nscale, noise = tf.Variable(0.3), tf.Variable(0.1)",
         "d = x[:, None] - x[None]\nk = tf.exp(-0.5 * (d / scale) ** 2) + noise * tf.eye(6)\n"
         "chol = tf.linalg.cholesky(k)\na = tf.linalg.cholesky_solve(chol, y)\n"
         "loss = 0.5 * tf.reduce_sum(y * a) + tf.reduce_sum(tf.math.log(tf.linalg.diag_part(chol)))", "scale noise"),
    Case("quantiles", "Quantile regression by the pinball loss", "q = tf.Variable([0.0, 0.5])\nx = tf.random.normal([20, 1])",
         "e = x - q\nlevels = tf.constant([0.1, 0.9])\nloss = tf.reduce_mean(tf.maximum(levels * e, (levels - 1.0) * e))",
         "q"),
    Case("numpy-api", "TensorFlow guide: NumPy API on TensorFlow",
         "import tensorflow.experimental.numpy as tnp\na = tf.constant([[1.0, 2.0], [3.0, 4.0]])",
         "loss = tnp.sum(tnp.dot(a, tnp.ones([2, 2])) ** 2)", "a"),
]  # fmt: skip
BY_NAME = {case.name: case for case in CASES}


def start(case: Case) -> dict[str, Any]:
    """What stands before the block, made anew from the same seeds."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    names: dict[str, Any] = {"np": np, "tf": tf, "keras": keras}
    run_text(case.before, names)
    tf.random.set_seed(11)
    return names


def run_text(text: str, names: dict[str, Any]) -> None:
    """Run Python text where inspect, and with it tf.function, finds its lines."""
    filename = f"<by hand {hash(text)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec", dont_inherit=True), names)


def write_block(case: Case, names: dict[str, Any]) -> str:
    """The with-block as written by hand."""
    tf = names["tf"]
    arguments = [
        f"{k}={case.options[k]}"
        for k in ("persistent", "watch_accessed_variables")
        if k in case.options
    ]
    lines = [f"with tf.GradientTape({', '.join(arguments)}) as tape:"]
    for source in case.sources.split():
        if source.split(".")[0] not in names:
            continue
        value = eval(source, names)
        values = (
            value.values()
            if isinstance(value, dict)
            else value
            if isinstance(value, list)
            else [value]
        )
        if any(is_plain(tf, one) for one in values):
            lines.append(f"    tape.watch({source})")
    lines.append(textwrap.indent(case.hand or case.body, "    "))
    asked = case.asked or f"[{', '.join(case.sources.split())}]"
    zero = ", unconnected_gradients='zero'" if "unconnected_gradients" in case.options else ""
    return "\n".join([*lines, f"grads = tape.gradient({case.target}, {asked}{zero})"])


def is_plain(tf: Any, value: Any) -> bool:
    return isinstance(value, (tf.Tensor, tf.RaggedTensor)) and (
        value.dtype.is_floating or value.dtype.is_complex
    )


def freeze(value: Any) -> Any:
    """Something that is equal exactly where all bits are."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {key: freeze(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [freeze(one) for one in value]
    if type(value).__name__ == "IndexedSlices":
        return "slices", freeze(value.values), freeze(value.indices)
    if type(value).__name__ == "RaggedTensor":
        return "ragged", freeze(value.flat_values), freeze(value.nested_row_splits)
    if type(value).__name__ == "SparseTensor":
        return "sparse", freeze(value.values), freeze(value.indices)
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "variables"):  # a layer, a model, a module: moving averages and seeds too
        return [freeze(one) for one in value.variables]
    if hasattr(value, "numpy") or isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        return str(array.dtype), array.shape, array.tobytes()
    return type(value).__name__


def freeze_names(names: dict[str, Any]) -> dict[str, Any]:
    hidden = ("tape", "grads", "target")
    return {
        name: freeze(value)
        for name, value in names.items()
        if name not in hidden
        and not name.startswith("_")
        and not name.endswith("_used")
        and not isinstance(value, types.ModuleType)
    }


@functools.cache
def run_by_hand(name: str) -> tuple[Any, list[Any], dict[str, Any], Any]:
    """Of the hand-written block, all frozen: target, gradients, names, what is drawn after it."""
    case = BY_NAME[name]
    names = start(case)
    run_text(write_block(case, names), names)
    grads = flatten(case, names)
    drawn = freeze(names["tf"].random.normal([2]))
    return freeze(names[case.target]), freeze(grads), freeze_names(names), drawn


def flatten(case: Case, names: dict[str, Any]) -> list[Any]:
    return (
        names["grads"] if case.name == "ragged-source" else names["tf"].nest.flatten(names["grads"])
    )


@pytest.mark.parametrize("name", BY_NAME)
def test_situation(gradtape, tf, name):
    """Value, gradients, and what is left behind: the hand-written tape's, to the last bit."""
    case = BY_NAME[name]
    target, grads, left, drawn = run_by_hand(name)
    names = start(case)
    run = gradtape(case.body, *case.sources.split(), names=names, **case.options)
    assert freeze(tf.random.normal([2])) == drawn
    assert grads.count(None) == case.nones, "the case is not what it says"
    assert freeze(names["grads"]) == grads
    assert freeze(run.loss) == target
    assert freeze_names(names) == left


@pytest.mark.parametrize("name", BY_NAME)
def test_situation_pasted(name):
    """The program to paste gives the same gradients, and leaves the same behind."""
    case = BY_NAME[name]
    _, grads, left, _ = run_by_hand(name)
    run = gradmagic.gradtape(case.body, *case.sources.split(), names=start(case), **case.options)
    pasted = start(case)
    run_text(run.code, pasted)
    assert freeze(flatten(case, pasted)) == grads, run.code
    assert freeze_names(pasted) == left


# -- what takes more than one call --------------------------------------------------------------

TRAINED = Case(
    "training", "Keras guide: Writing a training loop from scratch",
    "net = keras.Sequential([keras.Input([4]), keras.layers.Dense(5, 'relu'), keras.layers.Dropout(0.3),\n"
    "    keras.layers.Dense(3)])\nx, labels = tf.random.normal([12, 4]), tf.constant([0, 1, 2] * 4)\n"
    "measure = keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
    "loss = measure(labels, net(x, training=True))", "net", "net.trainable_variables",
)  # fmt: skip


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_training_by_running_the_cell_again(gradtape, optimizer):
    """Six steps, each the cell and then apply_gradients(zip(grads, variables)): the same weights."""
    names, by_hand = start(TRAINED), start(TRAINED)
    names["tf"].random.set_seed(11)
    losses = []
    for own in (by_hand, names):
        net = own["net"]
        steps = getattr(own["keras"].optimizers, optimizer)(0.1)
        for _ in range(6):
            if own is names:
                losses.append(gradtape(TRAINED.body, "net", names=names).loss)
            else:
                run_text(write_block(TRAINED, own), own)
                losses.append(own["loss"])
            steps.apply_gradients(zip(own["grads"], net.trainable_variables, strict=True))
    assert freeze(losses[:6]) == freeze(losses[6:])
    assert freeze(names["net"]) == freeze(by_hand["net"])
    assert float(losses[-1]) < float(losses[0])


def test_two_players_of_one_forward_pass(gradtape, tf):
    """DCGAN: the generator's gradients as grads, the critic's from the persistent tape after it."""
    case = BY_NAME["gan-maker"]
    by_hand, names = start(case), start(case)
    with tf.GradientTape() as one, tf.GradientTape() as other:
        run_text(case.body, by_hand)
    want = one.gradient(by_hand["gen_loss"], by_hand["maker"].trainable_variables)
    want_too = other.gradient(by_hand["critic_loss"], by_hand["critic"].trainable_variables)
    tf.random.set_seed(11)
    gradtape(case.body, "maker", names=names, target="gen_loss", persistent=True)
    got_too = names["tape"].gradient(names["critic_loss"], names["critic"].trainable_variables)
    assert freeze(names["grads"]) == freeze(want)
    assert freeze(got_too) == freeze(want_too)


JACOBIANS = [
    Case("scalar-source", ADVANCED, "x = tf.linspace(-5.0, 5.0, 21)\ndelta = tf.Variable(0.0)",
         "y = tf.nn.sigmoid(x + delta)", "delta", target="y"),
    Case("kernel", ADVANCED, "layer = keras.layers.Dense(4, activation='relu')\nx = tf.random.normal([3, 5])\nlayer(x)",
         "y = layer(x)", "layer", "layer.trainable_variables", target="y"),
    Case("per-example-gradients", "Per-example gradients as the Jacobian of the vector of losses",
         "w = tf.Variable(tf.random.normal([4, 2]))\nx = tf.random.normal([5, 4])",
         "each = tf.reduce_sum((x @ w) ** 2, axis=1)", "w x", target="each"),
    Case("softmax", "Jacobian of softmax: diag(p) - p pᵀ", "z = tf.constant([1.0, 2.0, -0.5])",
         "p = tf.nn.softmax(z)", "z", target="p"),
    Case("polar-coordinates", "Calculus courses: the Jacobian of a change of coordinates", "r, a = tf.constant(2.0), tf.constant(0.4)",
         "xy = tf.stack([r * tf.cos(a), r * tf.sin(a)])", "r a", target="xy"),
]  # fmt: skip


@pytest.mark.parametrize("case", JACOBIANS, ids=[c.name for c in JACOBIANS])
def test_jacobians(gradtape, tf, case):
    """--jacobian is tape.jacobian, and so is what is pasted."""
    by_hand, names = start(case), start(case)
    run_text(write_block(case, by_hand).replace("tape.gradient(", "tape.jacobian("), by_hand)
    want = tf.nest.flatten(by_hand["grads"])
    run = gradtape(case.body, *case.sources.split(), names=names, jacobian=True)
    assert freeze(names["grads"]) == freeze(want)
    for got in names["grads"]:
        assert got.shape[: names[case.target].shape.rank] == names[case.target].shape
    pasted = start(case)
    run_text(run.code, pasted)
    assert freeze(tf.nest.flatten(pasted["grads"])) == freeze(want)
    if case.name == "softmax":
        p = np.asarray(names["p"], np.float64)
        np.testing.assert_allclose(names["grads"][0], np.diag(p) - np.outer(p, p), atol=1e-7)


HESSIANS = [
    Case("two-numbers", GERON, "w1, w2 = tf.Variable(5.0), tf.Variable(3.0)", "loss = 3 * w1 ** 2 + 2 * w1 * w2", "w1 w2"),
    Case("surface", "Newton's method on Rosenbrock's function", "p = tf.constant([-1.2, 1.0])",
         "loss = (1.0 - p[0]) ** 2 + 100.0 * (p[1] - p[0] ** 2) ** 2", "p"),
    Case("first-layer", ADVANCED, "one = keras.layers.Dense(3, activation='tanh')\ntwo = keras.layers.Dense(2)\n"
         "x = tf.random.normal([4, 2])\ntwo(one(x))", "loss = tf.reduce_mean(two(one(x)) ** 2)", "one",
         "one.trainable_variables"),
]  # fmt: skip


@pytest.mark.parametrize("case", HESSIANS, ids=[c.name for c in HESSIANS])
def test_hessians(gradtape, tf, case):
    """--hessian is the Jacobian of the gradients that a tape within a tape gives."""
    by_hand, names = start(case), start(case)
    asked = case.asked or f"[{', '.join(case.sources.split())}]"
    watch = f"    outer.watch({case.sources})\n" if case.name == "surface" else ""
    block = textwrap.indent(write_block(case, by_hand), "    ")
    run_text(f"with tf.GradientTape(persistent=True) as outer:\n{watch}{block}", by_hand)
    asked = list(eval(asked, by_hand))
    sizes = [int(tf.size(one)) for one in asked]
    want = np.concatenate([
        np.concatenate([
            np.reshape(block, [size, -1])
            for block in by_hand["outer"].jacobian(grad, asked, unconnected_gradients="zero")
        ], axis=1)
        for grad, size in zip(by_hand["grads"], sizes, strict=True)
    ])  # fmt: skip
    run = gradtape(case.body, *case.sources.split(), names=names, hessian=True)
    assert freeze(names["grads"]) == freeze(by_hand["grads"])
    assert run.hessian.sizes == tuple(sizes)
    assert run.hessian.matrix.tobytes() == want.tobytes()
    np.testing.assert_allclose(run.hessian.matrix, run.hessian.matrix.T, rtol=1e-3, atol=1e-5)
    if case.name == "two-numbers":
        assert run.hessian.matrix.tolist() == [[6.0, 2.0], [2.0, 0.0]]
    if case.name == "surface":
        np.testing.assert_allclose(run.hessian.matrix, [[1330.0, 480.0], [480.0, 200.0]], rtol=1e-5)


def test_batch_jacobian_afterwards(gradtape, tf):
    """The persistent tape answers batch_jacobian too, as in the advanced guide."""
    case = Case("batch", ADVANCED, "one = keras.layers.Dense(4, 'elu')\nx = tf.random.normal([3, 5])\none(x)",
                "y = one(x)", "x", target="y", options={"persistent": True})  # fmt: skip
    by_hand, names = start(case), start(case)
    run_text(write_block(case, by_hand), by_hand)
    gradtape(case.body, "x", names=names, persistent=True)
    got, want = (own["tape"].batch_jacobian(own["y"], own["x"]) for own in (names, by_hand))
    assert freeze(got) == freeze(want)
    assert got.shape == (3, 4, 5)


def test_an_op_without_a_gradient_costs_its_own_path_only(gradtape, tf):
    """adjust_contrast: TensorFlow raises LookupError for everything; here the rest has its gradient."""
    before = "image, delta = tf.Variable([[[0.5, 0.0, 0.0]]]), tf.Variable(0.1)\nw = tf.Variable([1.0, 2.0])"
    body = "seen = tf.image.adjust_contrast(image, delta)\nloss = tf.reduce_sum(seen) + tf.reduce_sum(w ** 2)"
    case = Case("contrast", AUTODIFF, before, body, "image delta w")
    by_hand = start(case)
    with pytest.raises(LookupError):
        run_text(write_block(case, by_hand), by_hand)
    names = start(case)
    run = gradtape(body, "image", "delta", "w", names=names)
    assert names["grads"][:2] == (None, None)
    assert names["grads"]["w"].numpy().tolist() == [2.0, 4.0]
    assert {d.subject for d in run.diagnoses if d.kind == "no-gradient-registered"} >= {
        "image",
        "delta",
    }
    with pytest.raises(LookupError):  # the tape that is left obeys TensorFlow's rules
        names["tape"].gradient(names["loss"], names["w"])


def test_the_table_is_what_it_says():
    """Thirty situations at least, each with its material and a name of its own."""
    assert len(BY_NAME) == len(CASES) >= 30
    assert all(case.material and case.body for case in CASES)
