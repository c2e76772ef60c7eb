"""The loop that a descent shows, pasted into a cell: it runs, ends, and gives the same numbers."""

from __future__ import annotations

from typing import Any

import pytest

import gradmagic

# what is there before, the cell, the sources, what else is asked for
LOOPS = {
    "until": ("w = tf.constant(1.0)", "loss = w ** 2", ["w"], {"until": 1e-3}),
    "until, a vector": (
        "w = tf.constant([1.0, 2.0])",
        "w ** 2",
        ["w"],
        {"until": 1e-3, "compile": True},
    ),
    "until, a variable": (
        "v = tf.Variable(2.0)\nu = v",
        "h = v",
        ["v"],
        {"until": 0.3, "steps": 9},
    ),
    "rows": (
        "w = tf.ones([4, 2])",
        "loss = tf.reduce_sum(tf.gather(w, [0, 0, 2]) ** 2)",
        ["w"],
        {},
    ),
    "unconnected": (
        "ws = [tf.constant(1.0), tf.constant(2.0)]",
        "loss = ws[0] ** 2",
        ["ws"],
        {},
    ),
    "unconnected variable": (
        "ws = [tf.constant(1.0), tf.Variable(2.0)]",
        "loss = ws[0] ** 2",
        ["ws"],
        {},
    ),
    "variables": (
        "variables = [tf.constant(1.0), tf.constant(2.0)]",
        "loss = variables[0] ** 2 + variables[1]",
        ["variables"],
        {"optimizer": "adam"},
    ),
    "optimizer": (
        "optimizer = tf.constant(1.0)",
        "loss = optimizer ** 2",
        ["optimizer"],
        {"optimizer": "adam"},
    ),
    "target": ("target = tf.constant(1.0)", "target ** 2", ["target"], {}),
    "a target of the notebook": (
        (
            "target = tf.constant(3.0)\nw = tf.constant(1.0)\n"
            "def measure():\n    return (w - target) ** 2\n"
        ),
        "measure()",
        ["w"],
        {},
    ),
    "grads": ("grads = tf.constant(1.0)", "loss = grads ** 2", ["grads"], {}),
    "batches": (
        "w = tf.constant(1.0)\nbatches = [1.0, 2.0, 3.0]",
        "loss = (w - batch) ** 2",
        ["w"],
        {"batches": "batches"},
    ),
    "an iterator": (
        "w = tf.constant(1.0)\nbatches = (float(i) for i in range(5))",
        "loss = (w - batch) ** 2",
        ["w"],
        {"batches": "batches", "steps": 20},
    ),
    "a long iterator": (
        "w = tf.constant(1.0)\nbatches = iter([float(i) for i in range(9)])",
        "loss = (w - batch) ** 2",
        ["w"],
        {"batches": "batches", "steps": 4},
    ),
}


@pytest.mark.parametrize(("before", "body", "sources", "options"), LOOPS.values(), ids=LOOPS)
def test_the_loop_gives_the_same(tf, before, body, sources, options):
    names: dict[str, Any] = {"tf": tf}
    plain: dict[str, Any] = {"tf": tf}
    for space in (names, plain):
        exec(before, space)
    done = gradmagic.descend(body, *sources, names=names, **options)[0]
    once = hasattr(names.get("batches"), "__next__")
    assert not (once and "itertools" in done.code)  # it would not end
    exec(done.code, plain)
    for source in sources:
        pairs = zip(tf.nest.flatten(names[source]), tf.nest.flatten(plain[source]), strict=True)
        assert all(one.numpy().tobytes() == other.numpy().tobytes() for one, other in pairs)
    if once:
        assert list(names["batches"]) == list(plain["batches"])


def test_a_compiled_descent_shows_the_loop_without_running_its_body_again(tf):
    for body, said in (
        ("loss = w * 2.0", "gradient(loss, "),
        ("h = w * 2.0\nw * h", "target = w * h"),
        ("k = w * 2.0", "gradient(k, "),
    ):
        names = {"tf": tf, "w": tf.constant(1.0), "it": iter(range(9))}
        done = gradmagic.descend("next(it)\n" + body, "w", names=names, steps=3, compile=True)[0]
        assert said in done.code
        assert next(names["it"]) == 1  # while it was traced
