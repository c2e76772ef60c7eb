"""Ops run again give what they gave; and a replay from other values is what the code would give.

The oracle is the run itself: each recorded output, and the tape's gradients (see replaying.py); for
replays from other values, the same cell run by hand with those values.
"""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import replace

import cells_replayed
import models_small
import numpy as np
import pytest
import test_generated
from hypothesis import given, settings
from replaying import Verdict, check_graph

import gradmagic
from gradmagic.core.replay.forward import replay
from gradmagic.core.replay.ops import ReplayError, find_taken, run_op
from gradmagic.core.replay.wiring import find_source, find_target

SHAPELESS = "gave nothing"  # no output with entries: prints, handles, lists of tensors

LEFT = {
    "dropout": {
        "RandomUniform: gives again what it gave": 1,
        "RandomStandardNormal: gives again what it gave": 1,
        "RandomShuffle: gives again what it gave": 1,
    },
    "random gamma": {
        "RandomGamma: gives again what it gave": 1,
        "gradient: What RandomGamma passes on is known only from the run itself: it draws random numbers, runs Python code or keeps a state.": 1,
    },
    "rows assigned": {
        "ResourceScatterNdUpdate: not held": 1,
        "ResourceGather: The value of table was not kept, so that nothing can follow from it.": 1,
    },
    "own gradient": {
        "gradient: f has a gradient rule of its own (tf.custom_gradient), which its recorded ops do not tell.": 1
    },
    "python": {
        "EagerPyFunc: gives again what it gave": 1,
        "gradient: What EagerPyFunc passes on is known only from the run itself: it draws random numbers, runs Python code or keeps a state.": 1,
    },
    "function with a loop": {
        "StatelessWhile: StatelessWhile runs functions that TensorFlow has traced.": 1,
        "Identity: StatelessWhile runs functions that TensorFlow has traced.": 1,
        "gradient: StatelessWhile runs functions that TensorFlow has traced.": 1,
    },
    "ctc": {
        "Empty: gives again what it gave": 3,
        "gradient: compute_ctc_loss has a gradient rule of its own (tf.custom_gradient), which its recorded ops do not tell.": 1,
    },
    "function with its own gradient": {
        "gradient: IdentityN on line 6 has a gradient rule of its own (tf.custom_gradient), which its recorded ops do not tell.": 1
    },
    "dataset": {"IteratorGetNext: gives again what it gave": 1},
}


def run_cell(name):
    cell, sources = cells_replayed.CELLS[name]
    return gradmagic.gradtape(cell, *sources.split(), names=cells_replayed.make_names())


def sort_left(verdict):
    """What was left out, without what has no numbers, and what a tf.function did not hand out."""
    left = {
        why: n for why, n in verdict.left.items() if SHAPELESS not in why and ": traced" not in why
    }
    return {why: n for why, n in left.items() if "an output that is not held" not in why}


@pytest.mark.parametrize("name", cells_replayed.CELLS)
def test_ops_run_again_as_recorded(name):
    verdict = check_graph(run_cell(name).graph)
    assert not verdict.wrong
    assert sort_left(verdict) == LEFT.get(name, {})
    assert verdict.outputs > 0
    assert verdict.gradients > 0


@pytest.mark.parametrize("name", models_small.MODELS)
def test_models_run_again_as_recorded(name):
    run = gradmagic.gradtape(models_small.CELL, "model", names=models_small.make_names(name))
    verdict = check_graph(run.graph)
    assert not verdict.wrong
    assert verdict.left == {}
    assert verdict.gradients > 30
    assert verdict.exact > 0.95 * (verdict.outputs + verdict.gradients)


@settings(max_examples=60, **test_generated.COMMON)
@given(program=test_generated.programs())
def test_generated_programs_run_again_as_recorded(tf, program):
    names = test_generated.make_names(tf)
    test_generated.seed(tf)
    options = {"target": program.target} if program.target else {}
    run = gradmagic.gradtape(program.cell, *program.sources, names=names, **options)
    verdict = check_graph(run.graph)
    assert not verdict.wrong, program.cell
    known = ("before it reads it", "RandomUniform: gives again what it gave")  # dropout's
    assert all(any(text in why for text in known) for why in sort_left(verdict)), program.cell


def test_all_of_the_cells_together_meet_many_kinds_of_ops():
    kinds = Counter()
    for name in cells_replayed.OTHER:
        kinds += check_graph(run_cell(name).graph).ops
    assert len(kinds) > 160


# -- the checker itself -------------------------------------------------------------------------


def spoil(graph, op, **changes):
    """The graph with another value, or gradient, of the first output of an op."""
    nodes = list(graph.nodes)
    node = next(node for node in nodes if node.op == op)
    made = replace(
        node.outputs[0], **{k: f(getattr(node.outputs[0], k)) for k, f in changes.items()}
    )
    nodes[node.id] = replace(node, outputs=(made, *node.outputs[1:]))
    return replace(graph, nodes=tuple(nodes))


def test_the_checker_sees_a_wrong_value_and_a_wrong_gradient():
    graph = run_cell("mse through softmax").graph
    assert check_graph(graph).wrong == []
    for name in ("value", "gradient"):
        wrong = check_graph(spoil(graph, "Softmax", **{name: lambda x: x * 1.0001})).wrong
        assert wrong, name


def test_the_checker_sees_a_wrong_attribute_and_a_missing_edge():
    graph = run_cell("reductions").graph
    node = next(node for node in graph.nodes if node.op == "Cumsum")
    nodes = list(graph.nodes)
    nodes[node.id] = replace(node, attributes=(*node.attributes, "reverse", False))
    assert check_graph(replace(graph, nodes=tuple(nodes))).wrong
    carrying = [edge for edge in graph.edges if edge.gradient]
    edges = [replace(e, gradient=e.gradient and e is not carrying[2]) for e in graph.edges]
    assert check_graph(replace(graph, edges=tuple(edges))).wrong


# -- one op -------------------------------------------------------------------------------------


def test_inputs_of_all_raw_ops_come_first_and_in_order(tf):
    """TensorFlow's OpDefs say so; those that tf.raw_ops calls otherwise are few."""
    from tensorflow.python.framework import op_def_registry

    renamed = set()
    for name in dir(tf.raw_ops):
        if name.startswith("_"):
            continue
        definition = op_def_registry.get(name)
        parameters = [
            p for p in inspect.signature(getattr(tf.raw_ops, name)).parameters if p != "name"
        ]
        attributes = {one.name for one in definition.attr}
        inputs = [one.name for one in definition.input_arg]
        assert not attributes & set(parameters[: len(inputs)]), name
        assert set(parameters[len(inputs) :]) <= attributes | {"axis"}, name
        if parameters[: len(inputs)] != inputs:
            assert not set(parameters) & (set(inputs) - set(parameters[: len(inputs)])), name
            renamed.add(name)
    assert len(renamed) < 20


def test_lists_of_inputs(tf):
    a, b = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    (packed,) = run_op("Pack", ("axis", 0, "N", 2, "T", 1), [a, b])
    assert packed.numpy().tolist() == [[1, 2], [3, 4]]
    (joined,) = run_op("ConcatV2", ("N", 2, "T", 1, "Tidx", 3), [a, b, tf.constant(0)])
    assert joined.numpy().tolist() == [1, 2, 3, 4]
    same = run_op("IdentityN", ("T", 1, "T", 3), [a, tf.constant(2)])
    assert [one.numpy().tolist() for one in same] == [[1, 2], 2]
    stitched = run_op("DynamicStitch", ("N", 2), [tf.constant([1]), tf.constant([0]), a[:1], b[:1]])
    assert stitched[0].numpy().tolist() == [3, 1]


def test_what_is_not_recorded_of_a_call(tf):
    """How long the list is follows from the number of inputs; Squeeze has another name for its axis."""
    a, axis = tf.constant([1.0, 2.0]), tf.constant(0)
    assert run_op("ConcatV2", (), [a, a, axis])[0].numpy().tolist() == [1, 2, 1, 2]
    (squeezed,) = run_op("Squeeze", ("squeeze_dims", [0], "T", 1), [tf.ones([1, 2, 1])])
    assert squeezed.shape == [2, 1]


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("__forward_step_12", "step is a tf.function"),
        ("PartitionedCall", "is a tf.function"),
        ("MyOwnKernel", "MyOwnKernel is none of TensorFlow's own ops"),
        ("StatelessWhile", "runs functions that TensorFlow has traced"),
    ],
)
def test_what_cannot_run_alone_says_why(op, words):
    with pytest.raises(ReplayError, match=words):
        run_op(op, (), [])


def test_taken_branches(tf):
    assert list(find_taken(2, 5, tf.constant(True))) == [1, 2]
    assert list(find_taken(2, 5, tf.constant(False))) == [3, 4]
    assert list(find_taken(1, 4, tf.constant(7))) == [3]


# -- replays from other values --------------------------------------------------------------------

FOLLOWED = {  # (of both values of w the sums are -1.8 and -4.1: each takes another branch)
    "lesson": ("logits = x @ w + b\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(onehot, logits, from_logits=True))", "w"),
    "variable": ("loss = tf.reduce_sum(tf.nn.softmax(x @ k) ** 2)", "k"),
    "rows": ("loss = tf.reduce_sum(tf.gather(k, [0, 0, 2]) ** 2)", "k"),
    "assigned": ("v0.assign(tf.reduce_sum(w))\nv0.assign_add(1.0)\nloss = v0 * tf.reduce_sum(w * w)", "w"),
    "training": (cells_replayed.OTHER["training loop"][0], "k"),
    "made in the cell": ("u = tf.Variable(w * 2.0)\nu.assign_sub(w)\nloss = tf.reduce_sum(u * w)", "w"),
    "branch": ("f = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > -3.0, lambda: x * 2.0, lambda: tf.exp(x) * x))\nloss = tf.reduce_sum(f(w))", "w"),
    "masked": ("loss = tf.reduce_sum(tf.boolean_mask(w, w > 0.0) ** 2)", "w"),
    "dropout": ("m = tf.cast(tf.random.stateless_uniform([4, 3], [1, 2]) > 0.5, tf.float32)\nloss = tf.reduce_sum(w * m)", "w"),
}  # fmt: skip


def change(tf, names, source):
    """A namespace in which the source has other values."""
    before = names[source]
    other = tf.constant(np.random.default_rng(9).standard_normal(before.shape) * 2, before.dtype)
    return {
        **names,
        source: tf.Variable(other) if isinstance(before, tf.Variable) else other,
    }, other


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_replay_from_other_values_is_the_code_run_with_them(tf, name):
    cell, source = FOLLOWED[name]
    run = gradmagic.gradtape(cell, source, names=cells_replayed.make_names())
    names, other = change(tf, cells_replayed.make_names(), source)
    exec(cell, names)
    done = replay(run.graph, {find_source(run.graph, source).id: other}, follow=True)
    got = done.values[find_target(run.graph), 0]
    np.testing.assert_allclose(got.numpy(), names["loss"].numpy(), rtol=1e-5)
    assert not np.allclose(got.numpy(), run.loss.numpy(), rtol=1e-3)


def test_in_float64_where_the_ops_allow(tf):
    run = run_cell("crossentropy from logits")
    names = cells_replayed.make_names()
    w = tf.cast(names["w"], tf.float64)
    done = replay(run.graph, {find_source(run.graph, "w").id: w}, tf.float64)
    logits = tf.cast(names["x"], tf.float64) @ w + tf.cast(names["b"].value(), tf.float64)
    want = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(tf.cast(names["onehot"], tf.float64), logits)
    )
    assert done.narrow == frozenset()
    assert abs(float(done.values[find_target(run.graph), 0]) - float(want)) < 1e-15


def test_ops_that_have_no_float64_run_as_they_did(tf):
    names = {"tf": tf, "x": tf.random.normal([2, 4, 4, 3], seed=1)}
    cell = "h, _m, _v = tf.compat.v1.nn.fused_batch_norm(x, tf.ones([3]), tf.zeros([3]))\nloss = tf.reduce_sum(h ** 3)"
    run = gradmagic.gradtape(cell, "x", names=names)
    done = replay(run.graph, {find_source(run.graph, "x").id: names["x"]}, tf.float64)
    assert done.narrow == {"FusedBatchNormV3"}
    got = done.values[find_target(run.graph), 0]
    assert got.dtype == tf.float64
    np.testing.assert_allclose(float(got), float(run.loss), rtol=1e-4)


def test_the_users_code_does_not_run_again(tf):
    called = []

    def square(x):
        called.append(1)
        return x * x

    names = {"tf": tf, "w": tf.constant(2.0), "square": square}
    run = gradmagic.gradtape(
        "h = tf.py_function(square, [w], tf.float32)\nloss = h * w", "w", names=names
    )
    assert called == [1]
    with pytest.raises(ReplayError, match="EagerPyFunc on line 1 depends on what changes"):
        replay(run.graph, {find_source(run.graph, "w").id: tf.constant(3.0)})
    assert called == [1]


def test_random_numbers_stay_and_none_are_drawn(tf):
    cell = "loss = tf.reduce_sum(tf.nn.dropout(w, 0.5) * tf.random.normal([4, 3]))"
    names, drawn = cells_replayed.make_names(), []
    for replays in (False, True):
        tf.random.set_seed(5)
        run = gradmagic.gradtape(cell, "w", names=names)
        if replays:
            done = replay(run.graph, {find_source(run.graph, "w").id: names["w"] * 2.0})
            doubled = done.values[find_target(run.graph), 0]
            np.testing.assert_allclose(float(doubled), 2 * float(run.loss), rtol=1e-5)
        drawn.append(tf.random.normal([3]).numpy().tolist())
    assert drawn[0] == drawn[1]


def test_what_was_too_large_to_hold_is_computed_again_or_named(tf):
    graph = run_cell("mse through softmax").graph
    node = next(node for node in graph.nodes if node.op == "Softmax")
    changed = {find_source(graph, "b").id: tf.ones([3])}
    want = replay(graph, changed).values[find_target(graph), 0]
    unheld = spoil(graph, "MatMul", value=lambda x: None)
    assert float(replay(unheld, changed).values[find_target(graph), 0]) == float(want)
    nodes = [
        replace(n, outputs=(replace(n.outputs[0], value=None),)) if n.label == "x" else n
        for n in unheld.nodes
    ]
    with pytest.raises(ReplayError, match="The value of x was not kept"):
        replay(replace(unheld, nodes=tuple(nodes)), changed)
    assert node.outputs[0].value is not None


def test_a_verdict_adds_up():
    one = Verdict(1, 2, 3, Counter(a=1), ["x"], Counter(b=1))
    one += Verdict(1, 1, 1, Counter(a=2), ["y"], Counter(c=1))
    assert (one.outputs, one.gradients, one.exact, one.left["a"], one.wrong) == (
        2,
        3,
        4,
        3,
        ["x", "y"],
    )
