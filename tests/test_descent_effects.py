"""Which bodies may run again unasked: those of a lesson, and none that leaves something behind."""

from __future__ import annotations

import linecache
import zlib
from typing import Any

import numpy as np
import pytest

import gradmagic
from gradmagic.core.cell import parse_cell
from gradmagic.core.descent.effects import find_touched


def define(tf: Any, code: str) -> dict[str, Any]:
    """The namespace that a cell of a notebook leaves, whose code can be read."""
    names = {"tf": tf, "np": np, "__name__": "__main__"}
    filename = f"<setup {zlib.crc32(code.encode()):08x}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    exec(compile(code, filename, "exec"), names)
    return names


def examine(tf: Any, before: str, body: str) -> list[Any] | None:
    """What the body touches, after it has run once."""
    names, cell = define(tf, before), parse_cell(body)
    exec(compile(body, cell.filename, "exec"), names)
    return find_touched(cell, names, None)


HARMLESS = [
    ("w = tf.constant(1.0)\nx = 2.0", "loss = (w * x - 3) ** 2"),
    (
        "x = tf.ones([2, 3])\nw = tf.ones([3, 3])\nb = tf.ones([3])\ny = tf.one_hot([0, 1], 3)",
        (
            "logits = x @ w + b\n"
            "loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(y, logits, "
            "from_logits=True))"
        ),
    ),
    (
        "p = [tf.constant(1.0), tf.constant(2.0)]\nt = np.ones(3, 'f4')\nheight = t",
        "line = p[0] * t + p[1]\nloss = tf.reduce_mean((line - height) ** 2)",
    ),
    (
        (
            "x = tf.ones([2, 3])\n"
            "model = tf.keras.Sequential([tf.keras.layers.Dense(3, 'relu'), "
            "tf.keras.layers.BatchNormalization(), tf.keras.layers.Dropout(0.3)])\nmodel(x)"
        ),
        "loss = tf.reduce_mean(model(x, training=True) ** 2)",
    ),
    (
        (
            "x = tf.ones([2, 3])\n"
            "model = tf.keras.Sequential([tf.keras.layers.Dense(3, 'relu'), "
            "tf.keras.layers.Lambda(lambda z: z * 2)])\nmodel(x)"
        ),
        "loss = tf.reduce_mean(model(x, training=True) ** 2)",
    ),
    ("w = tf.Variable(1.0)\n\ndef f(a):\n    c = a * w\n    return c + 1", "loss = f(3.0) ** 2"),
    ("w = tf.Variable(1.0)\nf = lambda a: a * w", "loss = f(3.0) ** 2"),
    ("w = tf.Variable(1.0)\nmse = tf.keras.losses.MeanSquaredError()", "loss = mse([1.0], [w])"),
    ("w = tf.Variable(1.0)", "loss = tf.keras.losses.MeanSquaredError()([1.0], [w])"),
    (
        "w = tf.Variable(1.0)",
        "noise = tf.random.normal([4])\nloss = tf.reduce_sum((w + noise) ** 2)",
    ),
    (
        "w = tf.Variable(1.0)",
        (
            "total = 0.0\nouts = []\nfor i in range(3):\n    h = w * i\n    outs.append(h)\n"
            "    total += h\nloss = total + tf.reduce_sum(tf.stack(outs))"
        ),
    ),
    (
        (
            "w = tf.Variable(1.0)\n\nclass Net(tf.Module):\n\n    def __init__(self):\n"
            "        self.w = tf.Variable(2.0)\n\n    def __call__(self, x):\n"
            "        return self.inner(x) * self.w\n\n    def inner(self, x):\n"
            "        return x + 1\nnet = Net()"
        ),
        "loss = net(w) ** 2",
    ),
    (
        (
            "x = tf.ones([2, 3])\n\nclass Net(tf.keras.Model):\n\n    def __init__(self):\n"
            "        super().__init__()\n        self.d = tf.keras.layers.Dense(2)\n"
            "        self.ds = [tf.keras.layers.Dense(2)]\n\n"
            "    def call(self, x, training=False):\n        x = self.d(x)\n"
            "        for one in self.ds:\n            x = one(x)\n        return x\nnet = Net()\n"
            "net(x)"
        ),
        "loss = tf.reduce_mean(net(x) ** 2)",
    ),
    ("w = tf.Variable(1.0)\n\n@tf.function\ndef f(a):\n    return a * w", "loss = f(w)"),
    (
        (
            "x = tf.ones([2, 3])\nmodel = tf.keras.Sequential([tf.keras.layers.Dense(3)])\n"
            "model(x)\n\ndef loss_of(model, x, y):\n    p = model(x)\n"
            "    return tf.reduce_mean(tf.square(p - y))"
        ),
        "loss = loss_of(model, x, 1.0)\nloss += 0.01 * tf.nn.l2_loss(model.layers[0].kernel)",
    ),
    (
        "w = tf.Variable(1.0)",
        (
            "with tf.GradientTape() as t2:\n    t2.watch(w)\n    y = w ** 3\n"
            "g = t2.gradient(y, w)\nloss = g ** 2"
        ),
    ),
    (
        (
            "w = tf.Variable(1.0)\n\n@tf.custom_gradient\ndef f(x):\n\n    def grad(u):\n"
            "        return u * 2\n    return (x * 2, grad)"
        ),
        "loss = f(w)",
    ),
    ("w = tf.Variable(1.0)", "def inner(a):\n    return a * w\nloss = inner(2.0)\nloss"),
    ("w = tf.Variable(1.0)", "loss = sum([w * i for i in range(3)])"),
    ("w = tf.Variable(1.0)", "loss = w * np.sqrt(2) + float(np.mean(np.random.normal(size=3)))"),
    (
        (
            "x = tf.ones([2, 3])\n"
            "model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(3, "
            "kernel_regularizer='l2')])"
        ),
        "loss = tf.reduce_mean(model(x) ** 2) + tf.add_n(model.losses)",
    ),
    ("class P:\n    pass\np = P()\np.w = tf.Variable(1.0)", "loss = p.w ** 2"),
    ("import types\np = types.SimpleNamespace(w=tf.Variable(1.0))", "loss = p.w ** 2"),
    (
        (
            "x = tf.ones([2, 3])\nlayers = [tf.keras.layers.Dense(3, 'relu') for _ in range(3)]\n"
            "for l in layers:\n    x = l(x)"
        ),
        "h = x\nfor layer in layers:\n    h = layer(h)\nloss = tf.reduce_mean(h)",
    ),
    (
        (
            "x = tf.ones([2, 3, 4])\n"
            "m = tf.keras.Sequential([tf.keras.layers.LSTM(4, return_sequences=True), "
            "tf.keras.layers.Bidirectional(tf.keras.layers.GRU(3))])\nm(x)"
        ),
        "loss = tf.reduce_mean(m(x))",
    ),
    (
        (
            "x = tf.ones([2, 3])\n\nclass MyDense(tf.keras.layers.Layer):\n\n"
            "    def build(self, s):\n"
            "        self.w = self.add_weight(shape=(s[-1], 2), name='w')\n\n"
            "    def call(self, x):\n        return tf.nn.relu(x @ self.w)\nd = MyDense()\nd(x)"
        ),
        "loss = tf.reduce_mean(d(x))",
    ),
    ("w = tf.constant([1.0, 2.0])", "i = 0\nwhile i < 3:\n    i += 1\nloss = tf.reduce_sum(w * i)"),
    (
        "w = tf.constant([1.0, 2.0])\nimport math",
        "loss = tf.reduce_sum(w * math.pi) / tf.cast(tf.shape(w)[0], tf.float32)",
    ),
    ("w = tf.constant([1.0, 2.0])", "loss = tf.reduce_sum(tf.where(w > 0, w, 0.0)) if True else w"),
    (
        "w = tf.constant([1.0, 2.0])\nbatch = (tf.ones([2]), tf.ones([2]))",
        "a, c = batch\nloss = tf.reduce_sum((w * a - c) ** 2)",
    ),
    (
        "def rec(n, x):\n    return x if n == 0 else rec(n - 1, x * 2)\nw = tf.constant(1.0)",
        "loss = rec(3, w)",
    ),
    (
        (
            "w = tf.constant(1.0)\nfrom functools import partial\n"
            "f = partial(tf.reduce_mean, axis=0)"
        ),
        "loss = f([w])",
    ),
]

EFFECTS = [
    ("w = tf.constant(1.0)\nlog = []", "y = [log for log in [1]]\nloss = w\nlog.append(1)"),
    (
        "w = tf.constant(1.0)\nit = iter([1, 2])\ndef f():\n    return [it for it in [1]], list(it)",
        "f()\nloss = w",
    ),
    (
        "w = tf.constant(1.0)\nlog = []",
        "x = log\nwith tf.name_scope('a'):\n    if False:\n        x = []\n    x.append(1)\nloss = w",
    ),
    (
        "w = tf.constant(1.0)\nlog = []",
        "x = log\nwith tf.name_scope('a'):\n    x = [1] if False else x\n    x += [1]\nloss = w",
    ),
    (
        "x = tf.ones([2, 3])\nlog = []\nmodel = tf.keras.Sequential([tf.keras.layers.Lambda(print)])",
        "model(x)\nloss = tf.reduce_sum(x)",
    ),
    (
        (
            "x = tf.ones([2, 3])\nclass Act:\n    def __call__(self, x):\n        self.n = 1\n"
            "        return x\nd = tf.keras.layers.Dense(3, Act())\nd(x)"
        ),
        "loss = tf.reduce_sum(d(x))",
    ),
    (
        (
            "w = tf.constant(1.0)\nclass P:\n    def sum(self):\n        self.n = 1\n"
            "        return 1.0\np = P()\ndef f(p):\n    return p.sum()"
        ),
        "loss = w * f(p)",
    ),
    (
        (
            "w = tf.constant(1.0)\nclass P:\n    @property\n    def size(self):\n"
            "        self.n = 1\n        return 1.0\np = P()"
        ),
        "loss = w * p.size",
    ),
    ("it = iter(range(9))\nw = tf.constant(1.0)", "loss = w * next(it)"),
    ("it = iter(range(9))\nw = tf.constant(1.0)", "for i in it:\n    break\nloss = w"),
    ("rng = np.random.default_rng(0)\nw = tf.constant(1.0)", "loss = (w - rng.normal()) ** 2"),
    ("rng = np.random.RandomState(0)\nw = tf.constant(1.0)", "loss = (w - rng.normal()) ** 2"),
    (
        "import random\nrng = random.Random(0)\nw = tf.constant(1.0)",
        "loss = (w - rng.random()) ** 2",
    ),
    (
        "rng = tf.random.Generator.from_seed(1)\nw = tf.constant(1.0)",
        "loss = (w - rng.normal([])) ** 2",
    ),
    (
        "rng = tf.keras.random.SeedGenerator(1)\nw = tf.constant(1.0)",
        "loss = (w - tf.keras.random.normal([], seed=rng)) ** 2",
    ),
    ("w = tf.constant(1.0)", "loss = (w - tf.keras.random.normal([])) ** 2"),
    (
        "it = iter(tf.data.Dataset.range(1000))\nw = tf.constant(1.0)",
        "loss = (w - tf.cast(next(it), tf.float32)) ** 2",
    ),
    (
        "ds = tf.data.Dataset.range(1000).shuffle(3)\nw = tf.constant(1.0)",
        "for x in ds:\n    break\nloss = w",
    ),
    ("log = np.zeros(1)\nw = tf.constant(1.0)", "log += 1\nloss = w ** 2"),
    ("log = np.zeros(1)\nw = tf.constant(1.0)", "a = log\na += 1\nloss = w ** 2"),
    ("log = np.zeros(3)\nw = tf.constant(1.0)", "log[0] += 1\nloss = w ** 2"),
    ("log = np.zeros(3)\nw = tf.constant(1.0)", "np.add(log, 1, out=log)\nloss = w ** 2"),
    ("log = np.zeros(3)\nw = tf.constant(1.0)", "np.add(log, 1, log)\nloss = w ** 2"),
    ("log = np.zeros(3)\nw = tf.constant(1.0)", "log.fill(1)\nloss = w ** 2"),
    (
        "import collections\nlog = collections.deque()\nw = tf.constant(1.0)",
        "log.append(1)\nloss = w ** 2",
    ),
    (
        "import collections\nlog = collections.Counter()\nw = tf.constant(1.0)",
        "log['n'] += 1\nloss = w ** 2",
    ),
    ("log = []\nw = tf.constant(1.0)", "log.append(float(w))\nloss = w ** 2"),
    (
        "log = []\nw = tf.constant(1.0)",
        "if False:\n    log = []\nlog.append(float(w))\nloss = w ** 2",
    ),
    ("class C:\n    n = 0\nc = C()\nw = tf.constant(1.0)", "c.n += 1\nloss = w ** 2"),
    (
        "import itertools\nk = itertools.count()\nw = tf.constant(1.0)",
        "i = next(k)\nloss = w ** 2 * (1 + 0 * i)",
    ),
    (
        "import itertools\nk = itertools.count()\nw = tf.constant(1.0)",
        "i = list(zip(k, [1]))\nloss = w ** 2",
    ),
    ("k = (i for i in range(9))\nw = tf.constant(1.0)", "i = list(zip(k, [1]))\nloss = w ** 2"),
    ("it = iter(range(9))\nw = tf.constant(1.0)", "y = [it for it in it]\nloss = w ** 2"),
    (
        "met = tf.keras.metrics.Mean()\nw = tf.constant(1.0)",
        "loss = w ** 2\nmet.update_state(loss)",
    ),
    ("met = tf.keras.metrics.Mean()\nw = tf.constant(1.0)", "loss = w ** 2\nmet(loss)"),
    ("import os\nw = tf.constant(1.0)", "open(os.devnull).close()\nloss = w ** 2"),
    (
        "def step(log=[]):\n    log.append(1)\n    return len(log)\nw = tf.constant(1.0)",
        "k = step()\nloss = w ** 2",
    ),
    (
        "k = 0\n\ndef step():\n    global k\n    k += 1\n    return k\nw = tf.constant(1.0)",
        "step()\nloss = w ** 2",
    ),
    ("w = tf.constant(1.0)", "print(w)\nloss = w ** 2"),
    ("w = tf.constant(1.0)", "tf.print(w)\nloss = w ** 2"),
    ("w = tf.constant(1.0)\n\ndef f(x):\n    print(x)\n    return x", "loss = f(w) ** 2"),
    ("w = tf.constant(1.0)", "loss = list(map(print, [1]))\nloss = w"),
    ("w = tf.constant(1.0)", "loss = tf.random.normal([], seed=1) * w"),
    ("w = tf.constant(1.0)", "loss = tf.random.normal([], 0.0, 1.0, tf.float32, 1) * w"),
    ("w = tf.constant(1.0)", "tf.random.set_seed(1)\nloss = w"),
    ("v = tf.Variable(1.0)\nw = tf.constant(1.0)", "v.assign_add(1.0)\nloss = w"),
    (
        (
            "x = tf.ones([2, 3])\nn = [0]\n\ndef act(x):\n    n[0] += 1\n    return x\n"
            "m = tf.keras.Sequential([tf.keras.layers.Dense(3, act)])\nm(x)"
        ),
        "loss = tf.reduce_mean(m(x))",
    ),
    (
        (
            "x = tf.ones([2, 3])\n\nclass D(tf.keras.layers.Layer):\n\n    def call(self, x):\n"
            "        self.n = 1\n        return x\nm = tf.keras.Sequential([D()])\nm(x)"
        ),
        "loss = tf.reduce_mean(m(x))",
    ),
    ("w = tf.constant(1.0)", "exec('a=1')\nloss = w"),
    (
        (
            "w = tf.constant(1.0)\n\nclass C:\n\n    def __add__(self, o):\n        print(1)\n"
            "        return o\nc = C()"
        ),
        "loss = c + w",
    ),
    ("w = tf.constant(1.0)\nd = {'a': iter([1, 2])}", "loss = w * next(d['a'])"),
    ("w = tf.constant(1.0)\nd = {'a': iter([1, 2])}", "for i in d['a']:\n    break\nloss = w"),
    ("w = tf.constant(1.0)\nx = np.array([iter([1])], object)", "loss = w * len(x)"),
    (
        ("w = tf.constant(1.0)\nimport functools\n\n@functools.lru_cache\ndef f(x):\n    return x"),
        "loss = w * f(1)",
    ),
    ("w = tf.constant(1.0)\nimport time", "time.sleep(0)\nloss = w"),
    (
        (
            "x = tf.ones([2, 3])\nm = tf.keras.Sequential([tf.keras.layers.Dense(3)])\n"
            "m.compile('sgd', 'mse')"
        ),
        "m.fit(x, x)\nloss = tf.reduce_mean(m(x))",
    ),
    ("w = tf.constant(1.0)\nd = {}", "d['a'] = w\nloss = w"),
    (
        "w = tf.constant(1.0)\nlog = [0.0]\n\ndef f(a):\n    a += [1]\n    return 1.0",
        "loss = w * f(log)",
    ),
    (
        (
            "x = tf.ones([2, 3])\n"
            "m = tf.keras.Sequential([tf.keras.layers.Dense(3), "
            "tf.keras.layers.ActivityRegularization(0.1)])\nm(x)"
        ),
        "loss = tf.reduce_mean(m(x)) + tf.add_n(m.losses)",
    ),
    (
        (
            "rng = np.random.default_rng(0)\nw = tf.constant(1.0)\n\ndef f():\n"
            "    return rng.normal()"
        ),
        "loss = (w - f()) ** 2",
    ),
    (
        (
            "w = tf.constant(1.0)\n\ndef make():\n    n = [0]\n\n    def f():\n"
            "        n[0] += 1\n        return 1.0\n    return f\nf = make()"
        ),
        "loss = w * f()",
    ),
    ("w = tf.constant(1.0)\n\ndef g():\n    yield 1", "loss = w * list(g())[0]"),
]


@pytest.mark.parametrize(("before", "body"), HARMLESS)
def test_ordinary_bodies_are_seen_to_be_harmless(tf, before, body):
    assert examine(tf, before, body) is not None


@pytest.mark.parametrize(("before", "body"), EFFECTS)
def test_bodies_with_an_effect_are_not(tf, before, body):
    assert examine(tf, before, body) is None


def test_the_variables_of_layers_are_those_that_a_body_touches(tf):
    before = (
        "x = tf.ones([2, 3])\nmodel = tf.keras.Sequential([tf.keras.layers.BatchNormalization(), "
        "tf.keras.layers.Dropout(0.3)])\nmodel(x)\n"
        "def make():\n    held = model\n    return lambda z: held(z, training=True)\n"
        "apply = make()\ndel model\n"
    )
    names, cell = define(tf, before), parse_cell("loss = tf.reduce_mean(apply(x))")
    exec(cell.body, names)
    touched = find_touched(cell, names, None)
    assert len({one.path for one in touched}) == 5  # four of the statistics, the seed's state


def test_a_target_that_is_named_is_read_too(tf):
    names, cell = define(tf, "w = tf.constant(1.0)"), parse_cell("h = w * 2")
    exec(cell.body, names)
    assert find_touched(cell, names, "h * 3") == []
    assert find_touched(cell, names, "print(h) or h") is None


STATES = {
    "generator": (
        "rng = np.random.default_rng(0)",
        "loss = (w - rng.normal()) ** 2",
        "rng.normal()",
    ),
    "random state": (
        "rng = np.random.RandomState(0)",
        "loss = (w - rng.normal()) ** 2",
        "rng.normal()",
    ),
    "random": (
        "import random\nrng = random.Random(0)",
        "loss = (w - rng.random()) ** 2",
        "rng.random()",
    ),
    "tf generator": (
        "rng = tf.random.Generator.from_seed(1)",
        "loss = (w - rng.normal([])) ** 2",
        "float(rng.normal([]))",
    ),
    "seed generator": (
        "rng = tf.keras.random.SeedGenerator(1)",
        "loss = (w - tf.keras.random.normal([], seed=rng)) ** 2",
        "float(tf.keras.random.normal([], seed=rng))",
    ),
    "metric": (
        "met = tf.keras.metrics.Mean()",
        "loss = w ** 2\nmet.update_state(loss)",
        "float(met.count)",
    ),
    "iterator": ("it = iter(range(99))", "loss = (w - next(it)) ** 2", "next(it)"),
    "array": ("log = np.zeros(1)", "log[0] += 1\nloss = w ** 2", "log[0]"),
    "object": ("class C:\n    n = 0\nc = C()", "c.n += 1\nloss = w ** 2", "c.n"),
    "default": (
        "def count(log=[]):\n    log.append(1)\n    return len(log)",
        "count()\nloss = w ** 2",
        "count()",
    ),
}
RESTORED = ("generator", "random state", "random", "tf generator", "seed generator", "metric")


@pytest.mark.parametrize(
    ("kind", "compiled"),
    [*((kind, False) for kind in STATES), *((kind, True) for kind in ("random", "iterator"))],
)
def test_a_descent_leaves_what_the_loop_leaves(tf, kind, compiled):
    before, body, look = STATES[kind]
    names, plain = (define(tf, "w = tf.constant(1.0)\n" + before + "\n") for _ in range(2))
    if compiled:  # what is not TensorFlow's runs once, while it is traced
        exec(body, plain)
    else:
        for _ in range(4):
            with tf.GradientTape() as tape:
                tape.watch(plain["w"])
                exec(body, plain)
            plain["w"] = plain["w"] - 0.1 * tape.gradient(plain["loss"], plain["w"])
    done = gradmagic.descend(body, "w", names=names, steps=4, compile=compiled)[0]
    assert done.surface is None
    if kind in RESTORED:
        done.run(1)
    assert eval(look, names) == eval(look, plain)


def test_what_a_body_prints_is_printed_once_a_step(tf, capfd):
    for body in ("print('seen')\nloss = w * w", "tf.print('seen')\nloss = w * w"):
        capfd.readouterr()
        names = {"tf": tf, "w": tf.constant(1.0)}
        assert gradmagic.descend(body, "w", names=names, steps=4)[0].surface is None
        captured = capfd.readouterr()
        assert (captured.out + captured.err).count("seen") == 4


def test_neither_nan_nor_a_missing_gradient_runs_such_a_body_again(tf):
    names = {"tf": tf, "w": tf.constant(-1.0), "it": iter(range(9))}
    done = gradmagic.descend("next(it)\nloss = tf.sqrt(w)", "w", names=names)[0]
    assert (done.ended, done.notes[0].kind, next(names["it"])) == ("nan", "nan", 1)
    body = "next(it)\nloss = tf.stop_gradient(w)"
    with pytest.raises(ValueError, match="the target does not depend on 'w'"):
        gradmagic.descend(body, "w", names=names)
    assert next(names["it"]) == 3
