"""From recorded ops to the graph that is drawn: edges, names, folding, gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gradmagic
from gradmagic.core.graph.folding import describe_folding, trim, unfold
from gradmagic.core.records import Edge, Graph, Node, Output

CROSSENTROPY = (
    "logits = x @ w + b\n"
    "loss = tf.reduce_mean(tf.losses.categorical_crossentropy("
    "tf.one_hot(y, depth=3), logits, from_logits=True))"
)


@pytest.fixture
def names(tf: Any) -> dict[str, Any]:
    """The lesson's tensors: 2 samples, 4 features, 3 classes."""
    return {
        "tf": tf,
        "x": tf.random.normal([2, 4]),
        "w": tf.random.normal([4, 3]),
        "b": tf.zeros([3]),
        "y": tf.constant([2, 0]),
    }


def labels(graph: Graph) -> list[str]:
    """What the nodes say, in order."""
    return [node.label for node in graph.nodes]


def by_id(graph: Graph) -> dict[int, str]:
    """What the nodes say, by their ids."""
    return {node.id: node.label for node in graph.nodes}


def arrows(graph: Graph) -> set[tuple[str, str]]:
    """Edges by the labels of their ends."""
    said = by_id(graph)
    return {(said[edge.producer], said[edge.consumer]) for edge in graph.edges}


def test_a_crossentropy_is_five_ops_in_mathematical_notation(names: dict[str, Any]) -> None:
    graph = gradmagic.gradtape(CROSSENTROPY, "w", "b", names=names).graph
    drawn = trim(graph)
    assert [node.op for node in drawn.nodes if node.kind == "op"] == [
        "MatMul",
        "AddV2",
        "OneHot",
        "SoftmaxCrossEntropyWithLogits",
        "Mean",
    ]
    crossentropy = "H(one_hot(y), softmax(logits))"
    assert arrows(drawn) == {
        ("x", "x @ w"),
        ("w", "x @ w"),
        ("x @ w", "x @ w + b"),
        ("b", "x @ w + b"),
        ("y", "one_hot(y)"),
        ("x @ w + b", crossentropy),
        ("one_hot(y)", crossentropy),
        (crossentropy, "mean(…)"),
        ("mean(…)", "loss"),
    }
    folded = sum(node.kind == "op" and node.fold is not None for node in graph.nodes)
    assert graph.ops == folded + 5
    assert describe_folding(graph).startswith(f"5 of the {graph.ops} recorded ops are drawn.")
    assert len([n for n in unfold(graph).nodes if n.kind == "op"]) == graph.ops


def test_gradients_flow_between_sources_and_target_only(names: dict[str, Any]) -> None:
    drawn = trim(gradmagic.gradtape(CROSSENTROPY, "w", "b", names=names).graph)
    said = by_id(drawn)
    flowing = {(said[e.producer], said[e.consumer]) for e in drawn.edges if e.gradient}
    crossentropy = "H(one_hot(y), softmax(logits))"
    assert flowing == {
        ("w", "x @ w"),
        ("x @ w", "x @ w + b"),
        ("b", "x @ w + b"),
        ("x @ w + b", crossentropy),
        (crossentropy, "mean(…)"),
        ("mean(…)", "loss"),
    }


def test_every_nodes_gradient_is_tensorflows(tf: Any, names: dict[str, Any]) -> None:
    drawn = trim(gradmagic.gradtape(CROSSENTROPY, "w", "b", names=names).graph)
    with tf.GradientTape() as tape:
        tape.watch(names["w"])
        product = names["x"] @ names["w"]
        logits = product + names["b"]
        each = tf.losses.categorical_crossentropy(
            tf.one_hot(names["y"], 3), logits, from_logits=True
        )
        loss = tf.reduce_mean(each)
    expected = tape.gradient(loss, [names["w"], product, logits, each, loss])
    by_label = {node.label: node.outputs[0] for node in drawn.nodes}
    crossentropy = "H(one_hot(y), softmax(logits))"
    for label, wanted in zip(
        ["w", "x @ w", "x @ w + b", crossentropy, "mean(…)"], expected, strict=True
    ):
        np.testing.assert_array_equal(by_label[label].gradient, wanted)
    np.testing.assert_array_equal(by_label["x @ w + b"].value, logits)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_variable_is_one_node_however_it_is_read(tf: Any, shape: tuple[int, ...]) -> None:
    # v * v reads the Variable in C++, which op callbacks do not see; u has the same memory
    start = tf.fill(shape, 2.0)
    names = {"tf": tf, "v": tf.Variable(start), "u": tf.Variable(start, trainable=False)}
    drawn = trim(gradmagic.gradtape("loss = v * v + u", names=names).graph)
    assert labels(drawn) == ["v", "v \u00b7 v", "u", "v \u00b7 v + u", "loss"]
    product = drawn.nodes[1].id
    assert sum(edge.consumer == product for edge in drawn.edges) == 2
    source = drawn.nodes[0]
    assert (source.kind, source.outputs[0].dtype) == ("source", "float32")
    assert source.outputs[0].shape == shape
    np.testing.assert_array_equal(source.outputs[0].value, start)
    np.testing.assert_array_equal(source.outputs[0].gradient, 2 * start)


def test_variables_made_in_the_cell_are_sources_too(tf: Any) -> None:
    names = {"tf": tf, "x": tf.ones([2, 4])}
    drawn = trim(
        gradmagic.gradtape(
            "layer = tf.keras.layers.Dense(2)\nloss = tf.reduce_sum(layer(x))", "layer", names=names
        ).graph
    )
    assert {n.label for n in drawn.nodes if n.kind == "source"} == {"layer.kernel", "layer.bias"}


def test_no_gradient_is_drawn_through_what_stops_it(tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant([1.0, 2.0])}
    drawn = trim(
        gradmagic.gradtape("loss = tf.reduce_sum(w * tf.stop_gradient(w))", "w", names=names).graph
    )
    said = by_id(drawn)
    flows = {(said[e.producer], said[e.consumer]): e.gradient for e in drawn.edges}
    assert flows["w", "stop_gradient(w)"] is False
    assert flows["w", "w \u00b7 stop_gradient(w)"] is True


def test_an_op_that_makes_a_source_says_its_name(names: dict[str, Any]) -> None:
    drawn = trim(gradmagic.gradtape(CROSSENTROPY, "w", "logits", names=names).graph)
    assert [(n.label, n.source) for n in drawn.nodes if n.kind == "op" and n.source] == [
        ("logits = x @ w + b", "logits")
    ]


def test_what_the_target_does_not_need_is_folded(tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(1.0)}
    graph = gradmagic.gradtape("side = tf.sin(w)\nloss = w * w", "w", names=names).graph
    assert [node.fold for node in graph.nodes if node.op == "Sin"] == ["side"]
    assert "1 that the target does not depend on" in describe_folding(graph)


def chain(
    *nodes: tuple[str, str | None, str | None], edges: tuple[tuple[int, int, str], ...]
) -> Graph:
    """A graph by hand: (kind, op, fold) of each node, and "cut", "flows" or "" of each edge."""
    tensor = (Output((2,), "float32"),)
    made = tuple(
        Node(i, kind, op, f"{i}", 2, tensor, source=f"{i}" if kind == "source" else None, fold=fold)
        for i, (kind, op, fold) in enumerate(nodes)
    )
    drawn = tuple(
        Edge(producer, consumer, slot=slot, gradient=how == "flows", cut=how == "cut")
        for slot, (producer, consumer, how) in enumerate(edges)
    )
    return Graph(made, drawn, sum(node.kind == "op" for node in made))


def breaks(graph: Graph) -> list[tuple[str, str]]:
    """The ends of the edges at which a path breaks off."""
    said = by_id(graph)
    return [(said[e.producer], said[e.consumer]) for e in graph.edges if e.cut]


SOURCE, TARGET = ("source", None, None), ("target", None, None)


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_break_is_kept_through_what_changes_nothing(cut: int) -> None:
    same = ("op", "Identity", "same")
    ways = ["", "", "", ""]
    ways[cut] = "cut"
    graph = chain(
        SOURCE, same, same, ("op", "Relu", None), TARGET,
        edges=((0, 1, ways[0]), (1, 2, ways[1]), (2, 3, ways[2]), (3, 4, ways[3])),
    )  # fmt: skip
    assert breaks(trim(graph)) == [("0", "3")]
    assert breaks(unfold(graph)) == [(f"{cut}", f"{cut + 1}")]


def test_what_leads_to_a_break_is_drawn_whatever_comes_of_it() -> None:
    """w -> read -> tanh, whose value leaves TensorFlow and comes back as an unnamed scalar."""
    graph = chain(
        SOURCE, ("op", "ReadVariableOp", "side"), ("op", "Tanh", "side"), ("op", "Sin", "side"),
        ("input", None, "constant"), ("input", None, "constant"), ("op", "Mul", None), TARGET,
        edges=((0, 1, ""), (1, 2, ""), (2, 3, ""), (4, 6, ""), (5, 6, ""), (6, 7, "flows"),
               (2, 4, "cut")),
    )  # fmt: skip
    drawn = trim(graph)
    assert labels(drawn) == ["0", "2", "4", "6", "7"]  # neither Sin nor the other constant
    assert arrows(drawn) == {("0", "2"), ("2", "4"), ("4", "6"), ("6", "7")}
    assert breaks(drawn) == [("2", "4")]
    assert "Folded away: 2 that the target does not depend on." in describe_folding(graph)
    assert ("2", "4") in breaks(unfold(graph))


def test_of_what_leads_to_a_break_only_what_comes_from_a_source_is_drawn() -> None:
    """Reshape(w, its own shape): the ops that compute that shape stay folded."""
    side, constant = ("op", "Reshape", "side"), ("input", None, "constant")
    graph = chain(
        SOURCE, ("op", "Shape", "side"), constant, ("op", "Pack", "side"), side,
        ("input", None, None), ("op", "Mul", None), TARGET,
        edges=((0, 1, ""), (1, 3, ""), (2, 3, ""), (0, 4, ""), (3, 4, ""), (4, 5, "cut"),
               (5, 6, ""), (6, 7, "")),
    )  # fmt: skip
    drawn = trim(graph)
    assert labels(drawn) == ["0", "4", "5", "6", "7"]
    assert breaks(drawn) == [("4", "5")]


def test_a_break_before_shapes_is_drawn() -> None:
    shape = ("op", "Cast", "shape")
    graph = chain(
        SOURCE, ("op", "Shape", "shape"), shape, shape, ("op", "Mul", None), TARGET,
        edges=((0, 1, "cut"), (1, 2, ""), (2, 3, ""), (3, 4, ""), (4, 5, "")),
    )  # fmt: skip
    drawn = trim(graph)
    assert arrows(drawn) == {("0", "1"), ("1", "4"), ("4", "5")}
    assert breaks(drawn) == [("0", "1")]


def test_a_variable_that_was_assigned_shows_both_ways() -> None:
    """v.assign(w * 2): what is read from v comes from v, and over the break from w * 2."""
    graph = chain(
        SOURCE, ("op", "Mul", None), ("input", None, None), ("op", "ReadVariableOp", "same"),
        ("op", "Sin", None), TARGET,
        edges=((0, 1, ""), (2, 3, ""), (3, 4, ""), (4, 5, ""), (1, 3, "cut")),
    )  # fmt: skip
    drawn = trim(graph)
    assert arrows(drawn) == {("0", "1"), ("1", "4"), ("2", "4"), ("4", "5")}
    assert breaks(drawn) == [("1", "4")]


def test_where_a_gradient_flows_too_nothing_is_broken() -> None:
    graph = chain(SOURCE, ("op", "Relu", None), TARGET, edges=((0, 1, "flows"), (1, 2, "flows")))
    marked = replace(graph, edges=tuple(replace(edge, cut=True) for edge in graph.edges))
    assert all(edge.gradient for edge in trim(marked).edges)


def test_edges_have_the_slots_of_the_op(tf: Any) -> None:
    names = {"tf": tf, "a": tf.constant(1.0), "b": tf.constant(2.0)}
    drawn = trim(gradmagic.gradtape("loss = b - a", "a", "b", names=names).graph)
    by_slot = {e.slot: by_id(drawn)[e.producer] for e in drawn.edges if e.consumer == 2}
    assert by_slot == {0: "b", 1: "a"}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("a = w * 2.0\nb = tf.sin(\n    a)\nloss = b * a", [1, 2, 4]),
        ("a = w * 2.0\nif True:\n    a = tf.sin(a)\na * 3.0", [1, 3, 4]),
        ("def f(x):\n    y = tf.sin(x)\n    return y * x\nloss = f(w)", [2, 3]),
        ("twice = [tf.sin(w * k) for k in (1.0, 2.0)]\nloss = tf.add_n(twice)", [1, 1, 1, 1, 2]),
    ],
)
def test_each_op_has_its_line(tf: Any, body: str, lines: list[int]) -> None:
    names = {"tf": tf, "w": tf.constant(1.0)}
    graph = gradmagic.gradtape(body, "w", names=names).graph
    assert [node.line for node in graph.nodes if node.kind == "op"] == lines
