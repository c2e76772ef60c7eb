"""The levels of real runs as drawings, and the iterations of a loop."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import gradmagic
from gradmagic.render.explorer import levels as module
from gradmagic.render.explorer.document import write_document, write_json
from gradmagic.render.explorer.levels import draw_iteration, draw_iterations, draw_level
from gradmagic.render.explorer.reading import read_run

TIMES = 6
LOOP = f"""v = w
for step in range({TIMES}):
    err = x @ v - y
    v = v - 0.1 * (tf.transpose(x) @ err)
loss = tf.reduce_sum((x @ v - y) ** 2)
"""


@pytest.fixture(scope="module")
def reading():
    tf = pytest.importorskip("tensorflow")
    names = {"tf": tf, "w": tf.random.stateless_normal([3, 1], [1, 2])}
    names |= {"x": tf.random.stateless_normal([5, 3], [3, 4]), "y": tf.ones([5, 1])}
    return read_run(gradmagic.gradtape(LOOP, "w", names=names))


@pytest.fixture(scope="module")
def repeat(reading):
    return next(group for group in reading.whole.groups if group.kind == "repeat")


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314 - what is parsed was written here


def list_nodes(svg):
    return [int(g.get("data-node")) for g in parse(svg).iter("g") if g.get("data-node")]


def read_norms(label):
    """The norms beside a line, which have three decimals here."""
    return [text.text.removeprefix("Σ ") for text in parse(f"<g>{label}</g>").iter("text")
            if text.get("class") == "gm-gt"]  # fmt: skip


def test_the_outermost_level_has_the_loop_as_one_node_that_opens(reading, repeat):
    drawn = draw_level(reading, None)
    tree = parse(drawn["svg"])
    (group,) = [g for g in tree.iter("g") if g.get("data-group") == str(repeat.id)]
    assert int(group.get("data-node")) == len(reading.whole.nodes) + repeat.id
    assert (float(tree.get("width")), float(tree.get("height"))) == (
        drawn["width"],
        drawn["height"],
    )
    inside = list_nodes(draw_level(reading, repeat.id)["svg"])
    assert {number for number in inside if number >= 0} == set(repeat.iterations[0])
    assert not set(inside) & set(list_nodes(drawn["svg"]))


def test_each_iteration_has_its_own_nodes_and_its_own_norms(reading, repeat):
    iterations = draw_iterations(reading, repeat.id)
    assert iterations["count"] == TIMES == len(iterations["turns"])
    for at, turn in enumerate(iterations["turns"]):
        assert [n for n in turn["nodes"] if n >= 0] == [
            n for n in repeat.iterations[at] if n in reading.nodes
        ]
        written = [norm for label in turn["labels"].values() for norm in read_norms(label)]
        real = {
            float(np.linalg.norm(reading.nodes[n].outputs[0].gradient.numpy()))
            for n in turn["nodes"]
            if n >= 0 and reading.nodes[n].outputs[0].gradient is not None
        }
        for norm in real:
            assert any(float(text) == pytest.approx(norm, abs=6e-4) for text in written)
    labels = [str(turn["labels"]) for turn in iterations["turns"]]
    assert len(set(labels)) == TIMES


def test_what_is_written_otherwise_in_an_iteration_is_drawn_again(reading, repeat):
    first, second, *_ = draw_iterations(reading, repeat.id)["turns"]
    assert not first["changed"]
    words = {re.sub(r"<title>.*?</title>|<[^>]+>", "", svg) for svg in second["changed"].values()}
    assert any(word.startswith("x @ v") for word in words)  # it was x @ w, of the w before the loop
    for place, svg in second["changed"].items():
        assert parse(svg).get("data-node") == str(second["nodes"][int(place)])


def test_an_iteration_that_was_not_sent_is_like_those_that_were(reading, repeat, monkeypatch):
    whole = draw_iterations(reading, repeat.id)["turns"]
    assert draw_iteration(reading, repeat.id, 3) == whole[3]
    monkeypatch.setattr(module, "LABELLED", 1)
    first, *others = draw_iterations(reading, repeat.id)["turns"]
    assert first == whole[0]
    assert len(others) == TIMES - 1
    assert [sorted(turn) for turn in others] == [["nodes"]] * (TIMES - 1)


def test_an_iteration_that_looks_otherwise_has_a_drawing_of_its_own(reading, repeat, monkeypatch):
    monkeypatch.setattr(module, "measure_node", lambda *_: (1e6, 44.0))  # nothing has room
    turn = draw_iteration(reading, repeat.id, 2)
    assert sorted(turn) == ["level"]
    inside = [n for n in list_nodes(turn["level"]["svg"]) if n >= 0]
    assert inside == [n for n in repeat.iterations[2] if n in reading.nodes]


RECURRENT = "h = tf.zeros([2, 3])\nfor _ in range(6):\n    h = tf.tanh(x @ w + h @ u)\nloss = tf.reduce_sum(h)"
TRAINING = """v = w
for _ in range(50):
    with tf.GradientTape() as t:
        t.watch(v)
        l = tf.reduce_mean((tf.nn.relu(x @ v) - 1.0) ** 2)
    v = v - 0.1 * t.gradient(l, v)
loss = tf.reduce_mean((tf.nn.relu(x @ v) - 1.0) ** 2)"""


def test_iterations_look_like_the_first_that_looks_so(tf):
    """No gradient flows into the zeros that the loop begins with: the first time has less lines."""
    shapes = {"x": [2, 4], "w": [4, 3], "u": [3, 3]}
    names = {"tf": tf} | {name: tf.random.normal(shape) for name, shape in shapes.items()}
    reading = read_run(gradmagic.gradtape(RECURRENT, "w", "u", names=names))
    (group,) = (group for group in reading.whole.groups if group.kind == "repeat")
    first, second, *others = draw_iterations(reading, group.id)["turns"]
    assert "level" in second
    assert first["nodes"] != list_nodes(second["level"]["svg"])
    assert [turn["like"] for turn in others] == [1] * 4
    flows = set(re.findall(r'class="gm-label" data-flow="(\d+)"', second["level"]["svg"]))
    for at, turn in enumerate(others, 2):
        assert set(turn["labels"]) == flows
        assert [n for n in turn["nodes"] if n >= 0] == list(group.iterations[at])


def test_a_long_loop_is_a_small_document(tf):
    names = {"tf": tf, "x": tf.random.normal([8, 4]), "w": tf.random.normal([4, 5])}
    reading = read_run(gradmagic.gradtape(TRAINING, "w", names=names))
    live, saved = (write_document(reading, alone=alone) for alone in (False, True))
    assert len(write_json(live).encode()) < 600_000
    assert len(write_json(saved).encode()) < 2_000_000
    (loop,) = (group for group in reading.whole.groups if group.iterations)
    turns = saved["iterations"][str(loop.id)]["turns"]
    assert len(turns) == 50
    assert all("labels" in turn for turn in turns)  # without a kernel all of them are there
    told = saved["steps"]["said"]
    assert {*saved["steps"]["forward"], *saved["steps"]["backward"]} == set(map(int, told))
    inner = {str(group.id) for group in reading.whole.groups if group.parent == loop.id}
    assert len(inner & live["levels"].keys()) == 1  # the others are asked for
