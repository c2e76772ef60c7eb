"""The measured slope beside the gradient, and 'what if'; the oracle is the cell run by hand."""

from __future__ import annotations

import cells_replayed
import models_small
import numpy as np
import pytest
import test_generated
from hypothesis import given, settings
from test_replay import FOLLOWED

import gradmagic
from gradmagic.core.errors import UserError
from gradmagic.core.replay.backward import make_dense
from gradmagic.core.replay.leaving import say_taken
from gradmagic.core.replay.nudge import check_entry, imagine_entry
from gradmagic.core.replay.wiring import find_source


def run_text(text, sources, **names):
    return gradmagic.gradtape(text, *sources.split(), names=cells_replayed.make_names() | names)


def test_smallest_case():
    check = check_entry(run_text("y = x0 * w0", "w0").graph, "w0")
    assert (check.slope, check.gradient, check.dtype, check.curve) == (
        pytest.approx(2),
        2.0,
        "float64",
        "smooth",
    )
    assert check.agrees
    assert check.message == "The measured slope 2 agrees with the gradient 2."


SMOOTH = ["mse through softmax", "crossentropy from logits", "training loop", "embedding", "function", "reductions", "images", "complex", "linear algebra", "while in python", "gradient inside"]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_are_gradients(name):
    cell, sources = cells_replayed.CELLS[name]
    graph = run_text(cell, sources).graph
    for source in sources.split():
        shape = find_source(graph, source).outputs[0].shape
        for index in list(np.ndindex(*shape))[:4]:
            check = check_entry(graph, source, index)
            assert check.agrees, check
            if check.dtype == "float64":
                assert check.slope == pytest.approx(check.gradient, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", ["residual", "lstm", "transformer", "depthwise"])
def test_slopes_of_models_are_gradients(name):
    run = gradmagic.gradtape(models_small.CELL, "model", names=models_small.make_names(name))
    sources = [
        node.source
        for node in run.graph.nodes
        if node.source and node.outputs[0].gradient is not None
    ]
    checks = []
    for source in sources[:: max(1, len(sources) // 6)]:
        gradient = make_dense(find_source(run.graph, source).outputs[0].gradient).numpy()
        index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        checks.append(check_entry(run.graph, source, tuple(map(int, index))))
    assert all(check.agrees for check in checks), [c.message for c in checks if not c.agrees]


@settings(max_examples=40, **test_generated.COMMON)
@given(program=test_generated.programs(smooth=True, ending="loss"))
def test_slopes_of_generated_programs(tf, program):
    names = test_generated.make_names(tf)
    test_generated.seed(tf)
    graph = gradmagic.gradtape(program.cell, *program.sources, names=names).graph
    used = {node.source for node in graph.nodes}
    for source in used.intersection(program.sources):
        node = find_source(graph, source)
        index = (0,) * len(node.outputs[0].shape)
        check = check_entry(graph, source, index)
        assert check.curve != "smooth" or check.agrees, (program.cell, check)


# -- where the target is not smooth ------------------------------------------------------------


def test_a_kink(tf):
    check = check_entry(run_text("loss = 3.0 * tf.nn.relu(z)", "z", z=tf.constant(0.0)).graph, "z")
    assert (check.curve, check.left, check.right, check.gradient) == (
        "kink",
        0.0,
        pytest.approx(3),
        0.0,
    )
    assert check.agrees  # it lies between both
    assert check.message == (
        "The target has a kink here: its slope is 0 to the left and 3 to the right of z; "
        "TensorFlow takes 0."
    )


def test_no_kink_beside_it(tf):
    check = check_entry(run_text("loss = tf.abs(z)", "z", z=tf.constant(0.01)).graph, "z")
    assert (check.curve, check.gradient, check.agrees) == ("smooth", 1.0, True)


def test_a_jump(tf):
    check = check_entry(run_text("loss = tf.floor(z) + z", "z", z=tf.constant(2.0)).graph, "z")
    assert (check.curve, check.gradient, check.agrees) == ("jump", 1.0, False)
    assert check.message.startswith("The target jumps at this value of z")


def test_what_is_not_finite(tf):
    check = check_entry(run_text("loss = tf.math.log(z * 0.0)", "z", z=tf.constant(1.0)).graph, "z")
    assert check.message.startswith("The target is not finite around z")


@pytest.mark.parametrize("entry", [1e-7, 5e-6, 0.3, 1 - 2**-23])
@pytest.mark.parametrize("text", ["-tf.math.log(p)", "tf.sqrt(p)", "tf.math.log(1.0 - p)"])
def test_where_the_target_is_finite_only_close_to_the_entry(tf, text, entry):
    p = tf.constant([0.5, entry])
    check = check_entry(run_text(f"loss = tf.reduce_sum({text})", "p", p=p).graph, "p", (1,))
    assert (check.curve, check.agrees) == ("smooth", True)
    assert check.slope == pytest.approx(check.gradient, rel=1e-3)
    assert "agrees with" in check.message


def test_where_the_target_is_finite_on_one_side_only(tf):
    check = check_entry(run_text("loss = z * tf.sqrt(z)", "z", z=tf.constant(0.0)).graph, "z")
    assert check.message == "The target is not finite around z, so it has no slope."


CANCELLING = {
    "centred": "tf.reduce_sum(x - tf.reduce_mean(x, 0))",
    "softmax": "tf.reduce_mean(tf.nn.softmax(x) - 1 / 4)",
    "layer norm": "tf.reduce_sum(layer(x))",
    "batch norm": "tf.reduce_sum(batch(x, training=True))",
    "steep": "tf.reduce_sum(layer(x * 100.0))",
    "flat": "tf.reduce_sum(layer(x * 0.01))",
}


def make_norms(tf):
    x = tf.random.stateless_normal([3, 4], [1, 2])
    names = {
        "x": x,
        "layer": tf.keras.layers.LayerNormalization(),
        "batch": tf.keras.layers.BatchNormalization(),
    }
    names["layer"](x), names["batch"](x)
    return names


@pytest.mark.parametrize("name", CANCELLING)
def test_where_all_that_comes_along_cancels(tf, name):
    names = make_norms(tf)
    graph = run_text(f"loss = {CANCELLING[name]}", "x", **names).graph
    for index in np.ndindex(3, 4):
        check = check_entry(graph, "x", index)
        assert (check.curve, check.agrees) == ("smooth", True), check
        assert "jumps" not in check.message
        assert "bends" not in check.message


@pytest.mark.parametrize("name", CANCELLING)
def test_what_differs_is_seen_beside_what_cancels(tf, name):
    text = f"loss = {CANCELLING[name]} + 1e-3 * tf.stop_gradient(x[0, 0])"
    check = check_entry(run_text(text, "x", **make_norms(tf)).graph, "x", (0, 0))
    assert (check.curve, check.agrees) == ("smooth", False)
    assert check.message.endswith("lets no gradient through, though the value follows.")


def test_large_numbers_on_which_nothing_hangs_hide_no_difference(tf):
    text = "h = tf.nn.softmax(x + [0.0, 0.0, 0.0, -1e9])\nloss = tf.reduce_sum(h[:, 0]) + 1e-3 * tf.stop_gradient(x[0, 0])"
    check = check_entry(run_text(text, "x", **make_norms(tf)).graph, "x", (0, 0))
    assert not check.agrees


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_halves(tf, name):
    half = tf.constant([0.5, -1.0, 2.0], name)
    check = check_entry(
        run_text("loss = tf.reduce_sum(half * half)", "half", half=half).graph, "half", (1,)
    )
    assert (check.agrees, check.gradient, check.slope) == (True, -2.0, pytest.approx(-2))
    # this op runs in single and half precision only
    image = tf.cast(tf.random.stateless_normal([2, 3, 3, 3], [1, 2]), name)
    cell = "h, _m, _v = tf.compat.v1.nn.fused_batch_norm(image, tf.ones([3]), tf.zeros([3]))\nloss = tf.reduce_mean(h ** 3)"
    check = check_entry(run_text(cell, "image", image=image).graph, "image", (0, 1, 2, 0))
    assert (check.agrees, check.dtype) == (True, name)


# -- where slope and gradient differ -----------------------------------------------------------


def test_stop_gradient_is_named(tf):
    check = check_entry(run_text("loss = tf.stop_gradient(w0) * w0", "w0").graph, "w0")
    assert (check.agrees, check.slope, check.gradient) == (False, pytest.approx(2), 1.0)
    assert check.message == (
        "The measured slope is 2, the gradient 1. "
        "StopGradient on line 1 lets no gradient through, though the value follows."
    )


def test_a_derivative_that_tensorflow_does_not_know_is_named(tf):
    text = "p = w0 * 2.0\nloss = tf.math.betainc(p, 3.0, 0.4) + w0"
    check = check_entry(run_text(text, "w0").graph, "w0")
    assert not check.agrees
    assert check.message.endswith("TensorFlow gives no derivative of Betainc on line 2 by p.")


def test_what_the_tape_did_not_record_is_named():
    text = "with tape.stop_recording():\n    h = w0 * 2.0\nloss = h * w0"
    check = check_entry(run_text(text, "w0").graph, "w0")
    assert (check.agrees, check.slope, check.gradient) == (False, pytest.approx(4), 2.0)
    assert check.message.endswith("The tape did not record what made h.")


def test_a_stop_that_does_not_explain_the_difference_is_not_blamed(tf):
    """A derivative that is missing elsewhere: what StopGradient gave is none of the reason."""
    text = (
        "h = tf.stop_gradient(w0) * 1e-9\nloss = tf.math.betainc(w0 * 2.0, 3.0, 0.4) + w0 * h + w0"
    )
    message = check_entry(run_text(text, "w0").graph, "w0").message
    assert message.endswith("TensorFlow gives no derivative of Betainc on line 2 by w0 · 2.")


def test_a_slope_that_the_step_does_not_resolve_is_said(tf):
    text = "loss = tf.sin(z * 1e9) + z"
    check = check_entry(run_text(text, "z", z=tf.constant(0.3)).graph, "z")
    assert not check.agrees
    assert "bends too much here for this step to tell" in check.message


def test_a_rule_of_the_users_own_is_named():
    check = check_entry(run_text(*cells_replayed.CELLS["own gradient"]).graph, "out", (0, 0))
    assert not check.agrees
    assert "f has a gradient rule of its own" in check.message


def test_a_gradient_that_is_wrong_is_seen(tf):
    """The check is no formality: another gradient in the same graph does not agree."""
    from dataclasses import replace

    graph = run_text("loss = tf.reduce_sum(tf.sin(out))", "out").graph
    assert check_entry(graph, "out", (1, 2)).agrees
    nodes = [
        replace(n, outputs=(replace(n.outputs[0], gradient=n.outputs[0].gradient * 1.02),)) if n.source else n
        for n in graph.nodes
    ]  # fmt: skip
    assert not check_entry(replace(graph, nodes=tuple(nodes)), "out", (1, 2)).agrees


def test_assigned_variables_are_held_as_the_tape_holds_them():
    check = check_entry(run_text("v0.assign(w0 * 3.0)\nloss = v0 * w0", "w0").graph, "w0")
    assert (check.slope, check.gradient) == (pytest.approx(3), 3.0)
    assert check.message.endswith("v0 kept what the cell assigned, as for tape.gradient.")


TAKEN = {
    "s": "h = s * 2.0 if float(s) > 0 else s * 3.0\nloss = h ** 2",
    "s > 0": "if s > 0:\n    h = s * 2.0\nelse:\n    h = s * 3.0\nloss = h ** 2",
    "s, h": "n = s.numpy() * 2\nh = n * s\nloss = h * float(h)",
    "v0": "loss = v0 * float(v0) + s",
}


@pytest.mark.parametrize("named", TAKEN)
def test_values_that_python_took_are_named(tf, named):
    source = "v0" if named == "v0" else "s"
    graph = run_text(TAKEN[named], source, s=tf.constant(1.5)).graph
    check = check_entry(graph, source)
    said = (
        f"Python took the value of {named} out of TensorFlow: "
        "what it computed or chose with it, if anything, stays as it was."
    )
    assert check.message.endswith(said)
    assert say_taken(graph, source) == say_taken(imagine_entry(graph, source, (), 2.0), source)


@pytest.mark.parametrize(
    "text",
    [
        "loss = tf.reduce_sum(out * out)\nseen = [float(loss), loss.numpy()]",
        "h = out * out\nseen = [str(h), f'{h}', repr(h)]\nloss = tf.reduce_sum(h)",
        "n = int(tf.shape(out)[0])\nloss = tf.reduce_sum(out * out) / n",
        "n = float(w0)\nloss = tf.reduce_sum(out * out) * n",
    ],
)
def test_what_cannot_matter_is_not_named(text):
    graph = run_text(text, "out").graph
    assert say_taken(graph, "out") is None
    assert "Python" not in check_entry(graph, "out", (0, 0)).message


def test_in_float32_where_an_op_has_no_float64(tf):
    cell = "h, _m, _v = tf.compat.v1.nn.fused_batch_norm(image, tf.ones([3]), tf.zeros([3]))\nloss = tf.reduce_mean(h ** 3)"
    check = check_entry(run_text(cell, "image").graph, "image", (0, 1, 2, 0))
    assert check.dtype == "float32"
    assert check.agrees


# -- what cannot be measured ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source", "index", "words"),
    [
        ("loss = tf.reduce_sum(out)", "out", (9, 0), r"out has shape \[5, 4\]: there is no entry \[9, 0\]"),
        ("loss = tf.reduce_sum(out)", "out", (1,), r"there is no entry \[1\]"),
        ("loss = tf.reduce_sum(out)", "q", (), "No op of the cell uses a source 'q'"),
        ("loss = tf.py_function(lambda x: x * x, [w0], tf.float32) * w0", "w0", (), "EagerPyFunc on line 1 depends on what changes"),
        ("loss = tf.reduce_sum(tf.random.gamma([2], w0))", "w0", (), "RandomGamma on line 1 depends on what changes"),
        ("f = tf.function(lambda x: tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.sin(h)), [0, x])[1])\nloss = f(w0)", "w0", (), "StatelessWhile runs functions"),
        ("c = tf.complex(out, out)\nloss = tf.reduce_sum(tf.abs(c))", "c", (0, 0), "c is complex64"),
    ],
)  # fmt: skip
def test_what_cannot_be_moved_says_why(text, source, index, words):
    graph = run_text(text, "out c" if "c =" in text else "out" if "out" in text else "w0").graph
    with pytest.raises(UserError, match=words):
        check_entry(graph, source, index)
    with pytest.raises(UserError, match=words):
        imagine_entry(graph, source, index, 2.5)


# -- what if -------------------------------------------------------------------------------------


def run_by_hand(tf, cell, names, source):
    code = compile(cell, "<by hand>", "exec", dont_inherit=True)
    with tf.GradientTape() as tape:
        if not isinstance(names[source], tf.Variable):
            tape.watch(names[source])
        exec(code, names)
    return names["loss"], tape.gradient(names["loss"], names[source])


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_if_is_the_cell_run_with_that_entry(tf, name):
    cell, source = FOLLOWED[name]
    graph = run_text(cell, source).graph
    names = cells_replayed.make_names()
    before = names[source].numpy()
    index, value = (2, 1), 1.7
    graph_if = imagine_entry(graph, source, index, value)
    before[index] = value
    names[source] = (
        tf.Variable(before) if isinstance(names[source], tf.Variable) else tf.constant(before)
    )
    loss, gradient = run_by_hand(tf, cell, names, source)
    target = graph_if.nodes[-1].outputs[0]
    np.testing.assert_allclose(target.value, loss, rtol=1e-5)
    got = make_dense(find_source(graph_if, source).outputs[0].gradient)
    np.testing.assert_allclose(got, make_dense(gradient), rtol=1e-4, atol=1e-6)
    assert graph_if.edges == graph.edges
    assert [n.id for n in graph_if.nodes] == [n.id for n in graph.nodes]


def test_what_if_changes_every_value_and_gradient_and_leaves_the_graph_alone(tf):
    cell, sources = cells_replayed.CELLS["crossentropy from logits"]
    graph = run_text(cell, sources).graph
    kept = [[(o.value, o.gradient) for o in n.outputs] for n in graph.nodes]
    graph_if = imagine_entry(graph, "w", (0, 0), 5.0)
    assert kept == [[(o.value, o.gradient) for o in n.outputs] for n in graph.nodes]
    names = cells_replayed.make_names()
    w = names["w"].numpy()
    w[0, 0] = 5.0
    again = run_text(cell, sources, w=tf.constant(w)).graph
    for node, other in zip(graph_if.nodes, again.nodes, strict=True):
        for made, want in zip(node.outputs, other.outputs, strict=True):
            for got, expected in ((made.value, want.value), (made.gradient, want.gradient)):
                assert (got is None) == (expected is None), node.label
                if got is not None and made.dtype == "float32":
                    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_what_if_of_what_an_own_rule_hides_is_refused():
    graph = run_text(*cells_replayed.CELLS["own gradient"]).graph
    with pytest.raises(UserError, match="f has a gradient rule of its own"):
        imagine_entry(graph, "out", (0, 0), 1.0)


def test_what_if_of_a_variable_that_is_assigned_first_is_refused():
    graph = run_text("v0.assign(2.0)\nloss = v0 * w0", "v0").graph
    with pytest.raises(UserError, match="The cell assigns v0 before it reads it"):
        imagine_entry(graph, "v0", (), 1.0)


def test_the_users_code_does_not_run_again(tf):
    called = []

    def compute(x):
        called.append(1)
        return tf.sin(x) * 2.0

    graph = run_text("loss = compute(w0)", "w0", compute=compute).graph
    check_entry(graph, "w0")
    assert float(imagine_entry(graph, "w0", (), 0.0).nodes[-1].outputs[0].value) == 0.0
    assert called == [1]
