"""Groups: scopes, blocks of layers, loops, and what is too much side by side."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from grown import Grower, draw, name_nodes
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gradmagic
from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.levels import MOST_NODES, Levels

# Scopes.


def test_a_layer_is_a_group_and_its_name_scope_is_not():
    g = Grower()
    x = g.input("x")
    h = g.dense("dense", x)
    h = g.dense("dense_1", h, line=2)
    graph = g.finish(g.op("Mean", h, line=3), 3)
    assert [(one.kind, one.name, one.detail, one.line) for one in graph.groups] == [
        ("layer", "dense", "Dense", 1),
        ("layer", "dense_1", "Dense", 2),
    ]
    assert [n.group for n in graph.nodes if n.kind == "op"] == [0, 0, 0, 1, 1, 1, None]
    assert {n.group for n in graph.nodes if n.kind != "op"} == {None}


def test_a_name_scope_of_a_layer_that_begins_after_its_first_op_is_none_either():
    g = Grower()
    x = g.input("x")
    with g.scope("layer", "dense", "Dense"):
        h = g.op("Cast", x)
        with g.scope("name", "model/dense"):
            h = g.op("Relu", g.op("MatMul", h))
    graph = g.finish(g.op("Mean", h, line=2))
    assert [(one.kind, one.name) for one in graph.groups] == [("layer", "dense")]


def test_each_call_of_a_layer_is_a_group():
    g = Grower()
    x = g.input("x")
    h = g.dense("shared", g.dense("shared", x, line=1), line=2)
    graph = g.finish(g.op("Mean", h, line=3))
    assert [(one.name, one.line) for one in graph.groups] == [("shared", 1), ("shared", 2)]


def test_one_op_needs_no_group_and_two_boxes_around_the_same_are_one():
    g = Grower()
    x = g.input("x")
    with g.scope("layer", "re_lu", "ReLU"):
        h = g.op("Relu", x)
    with g.scope("name", "mine"), g.scope("function", "step"):
        h = g.op("Sin", g.op("Cos", h, line=2), line=3)
    graph = g.finish(g.op("Mean", g.op("Neg", h, line=4), line=5))
    assert [(one.kind, one.name) for one in graph.groups] == [("function", "step")]


def test_what_is_folded_away_belongs_to_no_group():
    g = Grower()
    x = g.input("x")
    with g.scope("layer", "dense", "Dense"):
        h = g.op("Sin", x)
        g.op("Shape", h, fold="shape")
        h = g.op("Cos", h)
    graph = g.finish(g.op("Mean", h, line=2))
    assert [n.group for n in graph.nodes if n.kind == "op"] == [0, None, 0, None]


def make_model(kind="layer"):
    g = Grower()
    x = g.input("x")
    with g.scope(kind, "sequential", "Sequential"):
        h = g.dense("dense_2", g.dense("dense_1", g.dense("dense", x)))
    return g.finish(g.op("Mean", h, line=2))


def test_of_a_model_that_is_most_of_the_graph_the_layers_are_seen():
    assert name_nodes(draw(make_model()), "group") == ["dense", "dense_1", "dense_2"]
    assert name_nodes(draw(make_model("function")), "group") == ["dense", "dense_1", "dense_2"]


@pytest.mark.parametrize("kind", ["gradient", "custom_gradient"])
def test_a_backward_pass_and_an_own_gradient_rule_stay_apart(kind):
    assert name_nodes(draw(make_model(kind)), "group") == ["sequential"]


# Blocks.


def run_layers(layers, *, classes=None):
    """A model whose layers, (name, class) in order, each are a convolution with a bias."""
    g = Grower()
    h = g.input("x")
    with g.scope("layer", "model", "Functional"):
        for name, detail in layers:
            kernel = g.source(f"model.{name}.kernel")
            with g.scope("layer", name, detail):
                h = g.op("BiasAdd", g.op("Conv2D", h, kernel))
    return g.finish(g.op("Mean", h, line=2))


def list_layers(model):
    return [(one.name, type(one).__name__) for one in model.layers[1:]]


@pytest.mark.parametrize(
    ("name", "pattern", "blocks"),
    [
        ("ResNet50", r"conv\d_block\d+", 16),
        ("MobileNetV2", r"block_\d+", 16),
        ("EfficientNetB0", r"block\d[a-z]", 16),
    ],
)
def test_models_of_keras_open_as_their_blocks(tf, name, pattern, blocks):
    model = getattr(tf.keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=2)
    graph = run_layers(list_layers(model))
    shown = name_nodes(draw(graph), "group")
    found = list(
        dict.fromkeys(re.findall(pattern, " ".join(n for n, _class in list_layers(model))))
    )
    assert len(found) == blocks
    assert [one for one in shown if re.fullmatch(pattern, one)] == found
    assert len(draw(graph).nodes) <= 40
    # each layer lies in the block that its name begins with
    for node in graph.nodes:
        match = node.kind == "op" and node.scopes and re.match(pattern, node.scopes[-1].name)
        if match:
            parents = [graph.groups[node.group]]
            while parents[-1].parent is not None:
                parents.append(graph.groups[parents[-1].parent])
            assert parents[-1].name == match[0]


def test_very_many_blocks_lie_in_stages():
    layers = [("conv1_conv", "Conv2D"), ("conv1_bn", "BatchNormalization")]
    for stage, count in ((2, 6), (3, 12), (4, 24), (5, 16)):
        for block in range(1, count + 1):
            tails = ("0_bn", "0_relu", "1_conv", "1_bn", "1_relu", "2_conv", "concat")
            layers += [(f"conv{stage}_block{block}_{tail}", "Layer") for tail in tails]
        layers += [(f"pool{stage}_{tail}", "Layer") for tail in ("bn", "relu", "conv", "pool")]
    graph = run_layers(layers)
    stages = ["conv1", "conv2", "pool2", "conv3", "pool3", "conv4", "pool4", "conv5", "pool5"]
    assert name_nodes(draw(graph), "group") == stages
    stage = next(one for one in graph.groups if one.name == "conv4")
    inside = name_nodes(draw(graph, stage.id), "group")
    assert inside == [f"conv4_block{number}" for number in range(1, 25)]


def test_names_that_keras_gave_form_no_block():
    names = [("conv2d", "Conv2D"), *((f"conv2d_{i}", "Conv2D") for i in range(1, 9))]
    names += [
        ("conv2d_transpose", "Conv2DTranspose"),
        ("global_max_pooling2d", "GlobalMaxPooling2D"),
    ]
    names += [("global_average_pooling2d", "GlobalAveragePooling2D")]
    names += [("dense", "Dense"), *((f"dense_{i}", "Dense") for i in range(1, 9))]
    graph = run_layers(names)
    assert {one.kind for one in graph.groups} == {"layer"}


def test_a_few_layers_form_no_blocks():
    graph = run_layers([("a_conv", "Conv2D"), ("a_bn", "BN"), ("b_conv", "Conv2D"), ("b_bn", "BN")])
    assert {one.kind for one in graph.groups} == {"layer"}


# Repeats.


def run_loop(times, body=("Mul", "Add", "Sin"), first=(), last=None, lines=True):
    """A loop, and the ids of each iteration's ops."""
    g = Grower()
    h, w = g.input("x"), g.source("w")
    iterations = []
    for turn in range(times):
        iterations.append([])
        kept = body[:last] if turn == times - 1 else body
        for place, op in enumerate(kept):
            if turn == 0 and place == 1:
                for more in first:
                    h = g.op(more, h, line=3)
            h = g.op(op, h, w, line=2 + place if lines else 2)
            iterations[-1].append(h)
    return g.finish(g.op("Mean", h, line=9)), iterations


def repeats(graph):
    return [one for one in graph.groups if one.kind == "repeat"]


@given(
    st.integers(3, 30), st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=9), st.booleans()
)
@example(30, ["B"] * 8, False)  # a loop in a loop, all on one line
def test_a_loop_is_a_group_with_its_iterations(times, body, lines):
    body.append("Z")  # so that the body itself has no period
    graph, iterations = run_loop(times, tuple(body), lines=lines)
    outer = [one for one in repeats(graph) if one.parent is None]
    assert [len(one.iterations) for one in outer] == [times]
    assert [list(ids) for ids in outer[0].iterations] == iterations
    assert outer[0].name == f"\N{MULTIPLICATION SIGN} {times}"
    assert name_nodes(draw(graph), "op") == ["mean"]


@pytest.mark.parametrize("times", [4, 50])
def test_a_first_iteration_that_does_more_belongs_to_the_loop(times):
    graph, iterations = run_loop(times, first=("Fill", "Assign"))
    (loop,) = repeats(graph)
    assert [list(ids[:3]) for ids in loop.iterations] == iterations
    extra = [n.id for n in graph.nodes if n.op in ("Fill", "Assign")]
    assert list(loop.iterations[0][3:]) == extra
    assert {len(ids) for ids in loop.iterations[1:]} == {3}


def test_a_last_iteration_that_breaks_off_belongs_to_the_loop():
    graph, iterations = run_loop(50, last=2)
    (loop,) = repeats(graph)
    assert [list(ids) for ids in loop.iterations] == iterations


def test_a_loop_whose_first_iteration_lacks_the_beginning_starts_at_its_first_line():
    g = Grower()
    h = g.input("x")
    h = g.op("Sin", h, line=4)
    for _turn in range(5):
        h = g.op("Sin", g.op("Add", g.op("Mul", h, line=2), line=3), line=4)
    graph = g.finish(h)
    (loop,) = repeats(graph)
    assert [[graph.nodes[i].op for i in ids] for ids in loop.iterations] == [
        ["Mul", "Add", "Sin"]
    ] * 5


@given(st.integers(3, 6), st.integers(3, 6))
def test_nested_loops_are_nested_groups(outer, inner):
    g = Grower()
    h = g.input("x")
    for _i in range(outer):
        h = g.op("Neg", h, line=2)
        for _j in range(inner):
            h = g.op("Add", g.op("Mul", h, line=4), line=5)
    graph = g.finish(g.op("Mean", h, line=6))
    loops = repeats(graph)
    assert [(one.parent, len(one.iterations)) for one in loops] == [
        (None, outer),
        *[(loops[0].id, inner)] * outer,
    ]


def test_an_inner_loop_of_another_length_each_time_keeps_its_own_number():
    g = Grower()
    h = g.input("x")
    for i in range(4):
        h = g.op("Neg", h, line=2)
        for _j in range(3 + i):
            h = g.op("Add", g.op("Mul", h, line=4), line=5)
    graph = g.finish(g.op("Mean", h, line=6))
    assert [(one.parent, len(one.iterations)) for one in repeats(graph)] == [
        (None, 3), (None, 4), (None, 5), (None, 6),
    ]  # fmt: skip


def test_what_an_inner_loop_did_more_does_not_shift_the_iterations_around_it():
    g = Grower()
    h = g.input("x")
    for i in range(4):
        for j in range(5):
            h = g.op("Mul", h, line=4)
            if i == j == 0:
                h = g.op("Fill", h, line=5)
            h = g.op("Add", h, line=5)
        h = g.op("Neg", h, line=6)
    graph = g.finish(g.op("Mean", h, line=7))
    (loop,) = [one for one in repeats(graph) if one.parent is None]
    ops = [[graph.nodes[number].op for number in ids] for ids in loop.iterations]
    assert ops == [[*["Mul", "Add"] * 5, "Neg", "Fill"], *[[*["Mul", "Add"] * 5, "Neg"]] * 3]


def test_layers_in_a_loop_are_groups_in_each_iteration():
    g = Grower()
    x = g.input("x")
    h = x
    for _step in range(10):
        with g.scope("layer", "cell", "Dense"):
            h = g.op("Relu", g.op("MatMul", h, line=2), line=2)
        with g.scope("gradient", "gradient"):
            h = g.op("ReluGrad", g.op("MatMul", h, line=3), line=3)
        h = g.op("Sub", h, line=4)
    graph = g.finish(g.op("Mean", h, line=5))
    (loop,) = repeats(graph)
    assert len(loop.iterations) == 10
    kinds = Counter(one.kind for one in graph.groups if one.parent == loop.id)
    assert kinds == {"layer": 10, "gradient": 10}


def test_one_layer_again_and_again_is_called_after_it():
    g = Grower()
    h = g.input("x")
    kernel = g.source("cell.kernel")
    for _step in range(4):
        with g.scope("layer", "cell", "Dense"):
            h = g.op("Relu", g.op("MatMul", h, kernel, line=2), line=2)
    graph = g.finish(g.op("Mean", h, line=3))
    assert [one.name for one in repeats(graph)] == ["cell \N{MULTIPLICATION SIGN} 4"]


def test_a_sum_of_a_few_terms_and_different_layers_are_no_loop():
    g = Grower()
    h = g.input("x")
    for _term in range(4):  # a + b + c + d
        h = g.op("AddV2", h, line=1)
    for name in ("dense", "dense_1", "dense_2"):
        h = g.dense(name, h, line=2)
    assert not repeats(g.finish(g.op("Mean", h, line=3)))


def test_ops_that_differ_in_what_matters_are_no_loop():
    g = Grower()
    h = g.input("x")
    for turn in range(8):
        h = g.op("Conv2D", h, line=2, attributes=("strides", [turn], "seed", 1))
    assert not repeats(g.finish(g.op("Mean", h, line=3)))
    g = Grower()
    h = g.input("x")
    for turn in range(8):  # a seed does not matter, nor the order of the attributes
        pairs = [("strides", [1]), ("seed", turn)][:: -1 if turn % 2 else 1]
        h = g.op("Conv2D", h, line=2, attributes=tuple(one for pair in pairs for one in pair))
    assert len(repeats(g.finish(g.op("Mean", h, line=3)))) == 1


def test_a_loop_of_tensorflow(tf):
    names = {"tf": tf, "h": tf.constant(1.0), "w": tf.constant(0.999), "b": tf.constant(0.1)}
    body = "for _ in range(400):\n    h = h * w\n    h = h + b\nloss = h * h"
    run = gradmagic.gradtape(body, "w", names=names)
    assert name_nodes(draw(run.graph), "group") == ["\N{MULTIPLICATION SIGN} 400"]
    (loop,) = run.graph.groups
    ops = [[run.graph.nodes[number].op for number in ids] for ids in loop.iterations]
    assert ops == [["Mul", "AddV2"]] * 400
    values = [float(run.graph.nodes[ids[-1]].outputs[0].value) for ids in loop.iterations]
    h, expected = tf.constant(1.0), []
    for _ in range(400):
        h = h * names["w"]
        h = h + names["b"]
        expected.append(float(h))
    np.testing.assert_array_equal(values, expected)


def test_a_training_loop_of_tensorflow(tf):
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(5, activation="relu"), tf.keras.layers.Dense(3)]
    )
    names = {"tf": tf, "model": model, "optimizer": tf.keras.optimizers.Adam(),
             "x": tf.random.normal([8, 4]), "y": tf.constant([0, 1, 2, 0, 1, 2, 0, 1])}  # fmt: skip
    body = (
        "for step in range(12):\n"
        "    with tf.GradientTape() as inner:\n"
        "        logits = model(x)\n"
        "        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))\n"
        "    slopes = inner.gradient(loss, model.trainable_variables)\n"
        "    optimizer.apply_gradients(zip(slopes, model.trainable_variables))\n"
    )
    graph = gradmagic.gradtape(body, "model", names=names).graph
    loops = [one for one in repeats(graph) if one.parent is None]
    assert [len(one.iterations) for one in loops] == [12]
    inside = name_nodes(draw(graph, loops[0].id, 1), "group")
    assert inside[0] == model.name
    assert "gradient" in inside
    products = [
        sum(graph.nodes[number].op == "MatMul" for number in ids) for ids in loops[0].iterations
    ]
    assert products == [5] * 11 + [2]  # two forward, three back; the last step's are not needed


# What is too much side by side.


def make_line(count, lines=1, types=97):
    g = Grower()
    past = [g.input("x"), g.source("w")]
    random = np.random.default_rng(0)
    for number in range(count):
        inputs = [past[-1], past[int(random.integers(max(0, len(past) - 9), len(past)))]]
        line = 1 + number * lines // count
        past.append(g.op(f"Op{random.integers(types)}", *inputs, line=line))
    return g.finish(past[-1])


@pytest.mark.parametrize(
    ("count", "lines"), [(60, 1), (1000, 1), (1000, 30), (1000, 500), (4000, 7)]
)
def test_no_level_is_too_large(count, lines):
    graph = make_line(count, lines)
    levels = Levels(trim(graph))
    assert len(levels.make().nodes) <= MOST_NODES
    assert all(len(levels.make(group.id).nodes) <= MOST_NODES for group in graph.groups)
    assert {group.kind for group in graph.groups} == {"line"}


def test_lines_are_called_by_their_numbers():
    graph = make_line(1000, 30)
    assert name_nodes(draw(graph), "group") == [f"line {line}" for line in range(1, 31)]


def test_parts_of_one_line_are_numbered():
    names = name_nodes(draw(make_line(1000)), "group")
    assert names == [f"line 1, part {i} of {len(names)}" for i in range(1, len(names) + 1)]


def test_it_is_cut_where_few_tensors_pass():
    g = Grower()
    h = g.input("x")
    ends = []
    for part in range(12):  # knots of about twelve ops, each fed by all before it in its knot
        knot = [h]
        for place in range(11 + part % 3):
            h = g.op(f"Op{part}-{place}", *knot)
            knot.append(h)
        ends.append(h)
    graph = g.finish(h)
    parts = [one for one in graph.groups if one.parent is None]
    lasts = [max(n.id for n in graph.nodes if n.group == one.id) for one in parts]
    assert set(lasts) <= set(ends)


@pytest.mark.parametrize("ops", [200, 40])  # of a line
def test_the_op_at_which_a_path_breaks_off_stands_alone(ops):
    g = Grower()
    h = g.source("w")
    random = np.random.default_rng(1)
    for place in range(80):
        h = g.op(f"Op{random.integers(50)}", h, line=1 + place // ops)
    stop = g.op("StopGradient", h, line=1 + 80 // ops)
    g.edges[-1] = g.edges[-1].__class__(h, stop, cut=True)
    for place in range(80, 160):
        h = g.op(f"Op{random.integers(50)}", h, line=1 + place // ops)
    level = draw(g.finish(g.op("Mul", h, stop)))
    assert "stopgradient" in name_nodes(level, "op")
    assert [edge.consumer for edge in level.edges if edge.cut] == [stop]


def test_a_loop_of_twenty_thousand_ops_folds_into_one_group():
    g = Grower()
    h = g.input("x")
    for _turn in range(50):
        for place in range(400):
            h = g.op(f"Op{place % 7}", h, line=2 + place)
    graph = g.finish(g.op("Mean", h, line=999))
    assert name_nodes(draw(graph), "group") == ["\N{MULTIPLICATION SIGN} 50"]


def test_a_graph_without_ops_has_no_groups():
    g = Grower()
    graph = g.finish(g.source("w"))
    assert graph.groups == ()
    assert name_nodes(draw(graph)) == ["w", "loss"]


settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")
