"""What each op passes back, and where paths meet; the oracle is the tape, asked for every tensor."""

from __future__ import annotations

from dataclasses import replace

import cells_replayed
import models_small
import numpy as np
import pytest
from replaying import find_difference

import gradmagic
from gradmagic.core.replay.backward import is_quick, make_dense, walk_back
from gradmagic.core.replay.ops import differentiate_op
from gradmagic.core.replay.ways import find_ways
from gradmagic.core.replay.wiring import find_source


def run_text(text, sources, **names):
    return gradmagic.gradtape(text, *sources.split(), names=cells_replayed.make_names() | names)


def find(graph, name):
    return next(node for node in graph.nodes if node.outputs and node.outputs[0].name == name)


def test_two_paths_meet(tf):
    """loss = sin(h) + h * h: cos(h) and 2 h meet at h."""
    graph = run_text("h = w0 * 0.5\nloss = tf.sin(h) + h ** 2.0 + x0", "w0").graph
    walk = walk_back(graph)
    place = find(graph, "h").id, 0
    parts = sorted(float(walk.passed[position]) for position in walk.joins[place])
    np.testing.assert_allclose(parts, sorted([np.cos(0.5), 2 * 0.5]), rtol=1e-6)
    assert sum(parts) == pytest.approx(float(walk.upstream[place]), rel=1e-6)
    assert all(graph.edges[position].producer == place[0] for position in walk.joins[place])
    assert list(walk.joins) == [place]
    assert walk.unknown == {}


def test_each_factor_of_a_product_with_itself_passes_its_part(tf):
    graph = run_text("loss = w0 * w0 * 3.0", "w0").graph
    walk = walk_back(graph)
    source = find_source(graph, "w0").id
    assert [float(walk.passed[p]) for p in walk.joins[source, 0]] == [3.0, 3.0]


UNKNOWN = {"own gradient", "function with its own gradient", "ctc", "function with a loop", "python", "random gamma"}  # fmt: skip


@pytest.mark.parametrize("name", cells_replayed.CELLS)
def test_gradients_computed_anew_are_the_tapes(name):
    """Without the recorded gradients: from the target back through all ops, errors and all."""
    cell, sources = cells_replayed.CELLS[name]
    graph = run_text(cell, sources).graph
    walk = walk_back(graph, recorded=False)
    for node in graph.nodes:
        for output, made in enumerate(node.outputs):
            if made.gradient is None or (node.id, output) not in walk.upstream:
                continue
            got, want = make_dense(walk.upstream[node.id, output]), make_dense(made.gradient)
            got, want = got.numpy().astype(complex), want.numpy().astype(complex)
            largest = np.nan_to_num(np.abs(want)).max(initial=0.01)
            np.testing.assert_allclose(
                got, want, rtol=1e-3, atol=1e-5 * largest, err_msg=node.label
            )
    known = {node for node, _output in walk.upstream}
    without = {
        node.id
        for node in graph.nodes
        if any(one.gradient is not None for one in node.outputs) and node.id not in known
    }
    assert without <= walk.unknown.keys()
    assert bool(without) == (name in UNKNOWN)


@pytest.mark.parametrize("name", ["residual", "lstm", "transformer", "squeeze and excite"])
def test_gradients_of_models_computed_anew_are_the_tapes(name):
    run = gradmagic.gradtape(models_small.CELL, "model", names=models_small.make_names(name))
    walk = walk_back(run.graph, recorded=False)
    assert walk.unknown == {}
    for node in run.graph.nodes:
        if node.source is not None and node.outputs[0].gradient is not None:
            got = make_dense(walk.upstream[node.id, 0]).numpy()
            want = make_dense(node.outputs[0].gradient).numpy()
            np.testing.assert_allclose(
                got, want, rtol=1e-3, atol=max(1e-7, 1e-5 * np.abs(want).max())
            )


def test_some_nodes_only():
    """What is asked of a few nodes is what a whole walk says of them, and little else is computed."""
    graph = run_text(*cells_replayed.CELLS["elementwise"]).graph
    whole = walk_back(graph)
    node = next(node for node in graph.nodes if node.op == "Exp")
    part = walk_back(graph, [node.id])
    own = [
        i for i, edge in enumerate(graph.edges) if edge.consumer == node.id and i in whole.passed
    ]
    assert own
    for position in own:
        assert find_difference(part.passed[position], whole.passed[position]) is None
    assert len(part.passed) < len(whole.passed) / 4


def test_gradients_that_are_not_held_are_found_for_some_nodes(tf):
    graph = run_text(*cells_replayed.CELLS["mse through softmax"]).graph
    whole = walk_back(graph)
    bare = replace(
        graph,
        nodes=tuple(
            replace(node, outputs=tuple(replace(one, gradient=None) for one in node.outputs))
            if node.kind == "op" else node
            for node in graph.nodes
        ),
    )  # fmt: skip
    node = next(node for node in graph.nodes if node.op == "MatMul")
    part = walk_back(bare, [node.id])
    assert not find_difference(part.upstream[node.id, 0], whole.upstream[node.id, 0])


def test_a_rule_of_the_users_own_is_said_and_left_alone():
    graph = run_text(*cells_replayed.CELLS["own gradient"]).graph
    walk, ways = walk_back(graph), find_ways(graph)
    (reason,) = set(walk.unknown.values())
    assert reason.startswith("f has a gradient rule of its own (tf.custom_gradient)")
    inside = {n.id for n in graph.nodes if any(s.kind == "custom_gradient" for s in n.scopes)}
    assert not any(graph.edges[p].consumer in inside for p in ways.carrying)
    source = find_source(graph, "out")
    assert (source.id, 0) in walk.upstream  # behind it the tape's own numbers go on
    assert walk_back(graph, recorded=False).upstream.keys().isdisjoint({(source.id, 0)})


def test_silu_is_walked_though_tensorflow_gives_it_a_rule(tf):
    for text in ("loss = tf.reduce_sum(tf.nn.silu(out))", "f = tf.function(lambda x: tf.nn.silu(x))\nloss = tf.reduce_sum(f(out))"):  # fmt: skip
        graph = run_text(text, "out").graph
        walk = walk_back(graph, recorded=False)
        assert walk.unknown == {}
        x = cells_replayed.make_names()["out"].numpy()
        s = 1 / (1 + np.exp(-x))
        got = walk.upstream[find_source(graph, "out").id, 0].numpy()
        np.testing.assert_allclose(got, s + x * s * (1 - s), rtol=1e-5)


def test_python_code_is_not_differentiated_again(tf):
    called = []

    def square(x):
        called.append(1)
        return x * x

    graph = run_text(
        "loss = tf.py_function(square, [w0], tf.float32) * 2.0", "w0", square=square
    ).graph
    before = len(called)
    walk = walk_back(graph)
    assert len(called) == before
    assert any("EagerPyFunc" in why for why in walk.unknown.values())
    with pytest.raises(ValueError, match="runs Python code"):
        differentiate_op("EagerPyFunc", (), [], [], [])


def test_large_slices_are_not_made_dense(tf):
    slices = tf.IndexedSlices(tf.ones([1, 10]), tf.constant([3]), tf.constant([10_000_000, 10]))
    with pytest.raises(ValueError, match="100,000,000 entries"):
        make_dense(slices)
    small = tf.IndexedSlices(tf.ones([2, 1]), tf.constant([1, 1]), tf.constant([3, 1]))
    assert make_dense(small).numpy().ravel().tolist() == [0, 2, 0]


def test_a_small_graph_is_quick():
    assert is_quick(run_text(*cells_replayed.CELLS["mse through softmax"]).graph)


def test_a_large_graph_is_not_quick():
    names = models_small.make_names("MobileNetV2")
    assert not is_quick(gradmagic.gradtape(models_small.CELL, "model", names=names).graph)
