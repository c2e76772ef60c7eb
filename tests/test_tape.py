"""Running the cell: numbers, namespace, sources, target. The oracle is the hand-written with-block."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import numpy as np
import pytest

import gradmagic
from gradmagic.core.errors import UserError


def equal(a: Any, b: Any) -> bool:
    """Bitwise, NaN included."""
    a, b = (one.numpy() if hasattr(one, "numpy") else np.asarray(one) for one in (a, b))
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def test_gradients_are_those_of_the_with_block(gradtape: Any, tf: Any) -> None:
    x, w, b = tf.random.normal([8, 4]), tf.random.normal([4, 3]), tf.zeros([3])
    names = {"tf": tf, "x": x, "w": w, "b": b}
    gradtape("loss = tf.reduce_mean(tf.nn.softmax(x @ w + b) ** 2)", "w", "b", names=names)
    with tf.GradientTape() as tape:
        tape.watch([w, b])
        loss = tf.reduce_mean(tf.nn.softmax(x @ w + b) ** 2)
    dw, db = tape.gradient(loss, [w, b])
    assert equal(names["loss"], loss)
    assert equal(names["grads"][0], dw)
    assert equal(names["grads"]["b"], db)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_every_dtype_has_its_gradient(gradtape: Any, tf: Any, dtype: str) -> None:
    w = tf.cast(tf.constant([1.5, -2.0]), dtype)
    names = {"tf": tf, "w": w}
    run = gradtape("loss = tf.reduce_sum(w * w * w)", "w", names=names)
    with tf.GradientTape() as tape:
        tape.watch(w)
        loss = tf.reduce_sum(w * w * w)
    assert names["grads"][0].dtype == dtype
    assert equal(names["grads"][0], tape.gradient(loss, w))
    assert run.gradients["w"].gradient.dtype == dtype


def test_ragged_sparse_and_empty_gradients(gradtape: Any, tf: Any) -> None:
    names = {
        "tf": tf,
        "r": tf.ragged.constant([[1.0, 2.0], [3.0]]),
        "table": tf.Variable(tf.ones([5, 2])),
        "none": tf.zeros([0, 3]),
    }
    run = gradtape(
        "loss = tf.reduce_sum(r * r) + tf.reduce_sum(tf.gather(table, [1, 1, 3]))"
        " + tf.reduce_sum(none)",
        "r",
        "table",
        "none",
        names=names,
    )
    assert names["grads"]["r"].to_list() == [[2.0, 4.0], [6.0]]
    assert isinstance(names["grads"]["table"], tf.IndexedSlices)
    assert run.gradients["table"].gradient.rows == (1, 1, 3)
    assert names["grads"]["none"].shape == (0, 3)
    assert [one.gradient.layout for one in run.gradients] == ["ragged", "slices", "dense"]


BINDINGS = {
    "assignment": "h = tf.constant(3.0)\nloss = h * h",
    "tuple unpacking": "h, k = tf.constant(3.0), 1.0\nloss = h * h",
    "starred": "k, *rest, h = 1.0, 2.0, tf.constant(3.0)\nloss = h * h",
    "augmented": "h = tf.constant(1.0)\nh += 2.0\nloss = h * h",
    "walrus": "loss = (h := tf.constant(3.0)) * h",
    "for": "for h in [tf.constant(1.0), tf.constant(3.0)]:\n    loss = h * h",
    "with": "import contextlib\nwith contextlib.nullcontext(tf.constant(3.0)) as h:\n    loss = h * h",
    "if": "if True:\n    h = tf.constant(3.0)\nloss = h * h",
    "while": "i = 0\nwhile i < 3:\n    i += 1\n    h = tf.constant(float(i))\n    loss = h * h",
    "try": "try:\n    h = tf.constant(3.0)\n    1 / 0\nexcept ZeroDivisionError:\n    loss = h * h",
    "finally": "try:\n    pass\nfinally:\n    h = tf.constant(3.0)\nloss = h * h",
    "match": "match 1:\n    case 1:\n        h = tf.constant(3.0)\nloss = h * h",
    "annotated": "h: object = tf.constant(3.0)\nloss = h * h",
    "exec": "exec('h = tf.constant(3.0)')\nloss = h * h",
    "locals": "locals()['h'] = tf.constant(3.0)\nloss = h * h",
}


@pytest.mark.parametrize("how", BINDINGS)
def test_a_plain_tensor_is_watched_wherever_the_cell_binds_it(
    gradtape: Any, tf: Any, how: str
) -> None:
    names = {"tf": tf}
    gradtape(BINDINGS[how], "h", names=names)
    assert float(names["grads"]["h"]) == 6.0


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("params['w']", "params = {}\nparams['w'] = tf.constant(3.0)\nloss = params['w'] ** 2"),
        ("params['w']", "for params['w'] in [tf.constant(3.0)]:\n    loss = params['w'] ** 2"),
        ("box.w", "box.w = tf.constant(3.0)\nloss = box.w ** 2"),
        ("items[0]", "items = []\nitems.append(tf.constant(3.0))\nloss = items[0] ** 2"),
        ("items", "if items is not None:\n    items[0] = tf.constant(3.0)\nloss = items[0] ** 2"),
    ],
)
def test_parts_are_watched_where_the_cell_sets_them(
    gradtape: Any, tf: Any, source: str, body: str
) -> None:
    import types

    names = {"tf": tf, "box": types.SimpleNamespace(), "params": {}, "items": [None]}
    if source == "items":
        names["items"] = [tf.constant(1.0)]
    gradtape(body, source, names=names)
    assert float(names["grads"][0]) == 6.0


def test_every_kind_of_source(gradtape: Any, tf: Any) -> None:
    model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(3)])
    other = tf.keras.layers.Dense(1)
    module = tf.Module(name="module")
    module.scale = tf.Variable(2.0, name="scale")
    names = {
        "tf": tf,
        "model": model,
        "other": other,
        "module": module,
        "x": tf.ones([4, 2]),
        "some": [tf.constant(1.0), tf.Variable(2.0)],
        "named": {"a b": tf.constant(3.0)},
        "own": tf.keras.Variable(4.0),
    }
    run = gradtape(
        "loss = tf.reduce_sum(other(model(x))) * module.scale * some[0] * some[1]"
        " * named['a b'] * own",
        "model",
        "other",
        "module",
        "some",
        "named",
        "own",
        "model.layers[0].kernel",
        names=names,
    )
    grads = names["grads"]
    with tf.GradientTape() as tape:
        tape.watch([names["some"][0], names["named"]["a b"]])
        loss = (
            tf.reduce_sum(other(model(names["x"])))
            * module.scale
            * names["some"][0]
            * names["some"][1]
            * names["named"]["a b"]
            * names["own"]
        )
    expected = tape.gradient(
        loss,
        [
            *model.trainable_variables,
            *other.trainable_variables,
            module.scale,
            *names["some"],
            names["named"]["a b"],
            names["own"].value,
            model.layers[0].kernel,
        ],
    )
    assert len(grads) == len(expected)
    for got, wanted in zip(grads, expected, strict=True):
        assert equal(got, wanted)
    assert len(grads["model"]) == 2
    assert equal(grads["named"][0], expected[-3])
    assert run.gradients[0].name.startswith("model.")
    assert run.gradients[0].source == "model"
    assert run.gradients["some[1]"].variable
    assert len(list(zip(grads["model"], model.trainable_variables, strict=True))) == 2


def test_a_rebound_name_shows_what_the_target_used(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(3.0)}
    run = gradtape("loss = w * w\nw = w - 0.1 * loss", "w", names=names)
    assert float(names["grads"]["w"]) == 6.0
    assert run.gradients["w"].bound == (None, run.target.line + 1)
    assert run.gradients["w"].taken == 0
    assert run.gradients["w"].rebound_after_use
    assert float(run.gradients["w"].value.values) == 3.0


def test_a_name_rebound_before_its_use_is_the_new_tensor(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(3.0)}
    run = gradtape("w = tf.constant(5.0)\nloss = w * w", "w", names=names)
    assert float(names["grads"]["w"]) == 10.0
    assert not run.gradients["w"].rebound_after_use


def test_a_name_that_the_target_never_used_shows_its_last_tensor(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(3.0), "x": tf.constant(2.0)}
    run = gradtape("w = tf.constant(5.0)\nloss = x * x", "w", names=names)
    assert names["grads"]["w"] is None
    assert float(run.gradients["w"].value.values) == 5.0


def test_a_tensor_made_in_the_cell_is_a_source_like_any_other(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(3.0)}
    gradtape("h = w * 2.0\nh = tf.sin(h)\nloss = h * h", "w", "h", names=names)
    h = tf.sin(tf.constant(6.0))
    assert float(names["grads"]["h"]) == float(2 * h)
    assert float(names["grads"]["w"]) == pytest.approx(float(2 * h * tf.cos(6.0) * 2.0))


TARGETS = [
    ("loss = w * 2.0\ny = w * 3.0", None, "loss", "loss", 2.0),
    ("y = w * 3.0\ny * 2.0", None, "y * 2.0", "last-expression", 6.0),
    ("y = w * 3.0\nprint()", None, "y", "last-assigned", 3.0),
    ("a = w * 3.0\nn = 3", None, "a", "last-assigned", 3.0),
    ("a = w * 3.0\nloss = w", "a", "a", "named", 3.0),
    ("a = w * 3.0", "a * a", "a * a", "named", 54.0),
    ("loss = w", None, "loss", "loss", 1.0),
]


@pytest.mark.parametrize(("body", "given", "name", "reason", "slope"), TARGETS)
def test_the_target_is_found_and_the_report_says_why(
    gradtape: Any, tf: Any, body: str, given: str | None, name: str, reason: str, slope: float
) -> None:
    names = {"tf": tf, "w": tf.constant(3.0)}
    options = {} if given is None else {"target": given}
    run = gradtape(body, "w", names=names, **options)
    assert (run.target.name, run.target.reason) == (name, reason)
    assert float(names["grads"]["w"]) == slope


@pytest.mark.parametrize("last", ["loss = w", "exec('loss = w')", "eval('[loss := w]')"])
def test_the_targets_line_is_the_cells(gradtape: Any, tf: Any, last: str) -> None:
    names = {"tf": tf, "w": tf.constant(3.0)}
    run = gradtape(f"a = w * 3.0\n{last}\nprint()", "w", names=names)
    before = next(node.line for node in run.graph.nodes if node.op == "Mul")
    assert (run.target.name, run.target.line) == ("loss", before + 1)


@pytest.mark.parametrize("values", [[0.0, 0.0], [300.0, 1.0], [np.nan, 1.0], [1.0, 2.0]])
@pytest.mark.parametrize(
    ("body", "reduction"),
    [
        ("loss = tf.reduce_sum(w * w)", "sum"),
        ("loss = tf.reduce_mean(w * w)", "mean"),
        ("loss = tf.reduce_sum(w * w) / 2.0", "mean"),
        ("loss = 2.0 * tf.reduce_mean(w * w)", "sum"),
    ],
)
def test_the_ops_say_whether_the_target_is_a_mean_or_a_sum(
    gradtape: Any, tf: Any, values: list[float], body: str, reduction: str
) -> None:
    names = {"tf": tf, "w": tf.constant(values, tf.float16)}
    assert gradtape(body, "w", names=names).per_sample.reduction == reduction


def test_a_target_that_is_no_scalar_is_summed_and_said_so(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant([1.0, 2.0])}
    run = gradtape("y = w * w", "w", names=names)
    assert run.target.summed
    assert names["grads"][0].numpy().tolist() == [2.0, 4.0]
    assert run.history == (5.0,)


def test_without_sources_it_shows_what_the_tape_watched(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "v": tf.Variable(3.0), "c": tf.constant(2.0), "u": tf.Variable(1.0, False)}
    run = gradtape("tape.watch(c)\nloss = v * c + u", names=names)
    assert [one.name for one in run.gradients] == ["v", "c"]
    assert [float(one) for one in names["grads"]] == [2.0, 3.0]


def test_the_tapes_own_methods_work_in_the_body(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "v": tf.Variable(3.0)}
    gradtape(
        "a = v * v\nwith tape.stop_recording():\n    b = v * 9.0\nloss = a + b", "v", names=names
    )
    assert float(names["grads"]["v"]) == 6.0
    gradtape("a = v * v\ntape.reset()\nloss = v * 9.0", "v", names=names)
    assert float(names["grads"]["v"]) == 9.0
    gradtape("loss = v * v\ng = tape.gradient(loss, v)", "v", names=names)
    assert float(names["g"]) == float(names["grads"]["v"]) == 6.0
    with pytest.raises(RuntimeError, match="non-persistent"):
        names["tape"].gradient(names["loss"], names["v"])


def test_tapes_of_its_own_work_in_the_body(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(2.0)}
    gradtape(
        "with tf.GradientTape() as inner:\n    inner.watch(w)\n    y = w ** 3\n"
        "loss = inner.gradient(y, w)",
        "w",
        names=names,
    )
    assert float(names["grads"]["w"]) == 12.0


def test_the_tape_is_still_unused(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(2.0), "b": tf.constant(1.0)}
    gradtape("loss = w * w + b", "w", names=names)
    assert isinstance(names["tape"], tf.GradientTape)
    assert [
        None if g is None else float(g) for g in names["tape"].gradient(names["loss"], [names["w"]])
    ] == [4.0]
    with pytest.raises(RuntimeError, match="non-persistent"):
        names["tape"].gradient(names["loss"], names["w"])
    gradtape("loss = w * w", "w", names=names, persistent=True)
    for _ in range(3):
        assert float(names["tape"].gradient(names["loss"], names["w"])) == 4.0


def test_options_reach_tensorflow(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(2.0), "b": tf.ones([2]), "v": tf.Variable(3.0)}
    gradtape("loss = w * w", "w", "b", names=names)
    assert names["grads"]["b"] is None
    gradtape("loss = w * w", "w", "b", names=names, unconnected_gradients="zero")
    assert names["grads"]["b"].numpy().tolist() == [0.0, 0.0]
    gradtape("loss = v * w", "v", "w", names=names, watch_accessed_variables=False)
    assert names["grads"]["v"] is None
    assert float(names["grads"]["w"]) == 3.0


def test_jacobians_are_tensorflows(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "z": tf.constant([0.5, -1.0, 2.0])}
    run = gradtape("p = tf.nn.softmax(z)", "z", names=names, jacobian=True)
    p = tf.nn.softmax(names["z"]).numpy()
    np.testing.assert_allclose(names["grads"]["z"], np.diag(p) - np.outer(p, p), atol=1e-7)
    assert run.gradients["z"].jacobian.shape == (3, 3)


def test_the_hessian_is_that_of_nested_tapes(gradtape: Any, tf: Any) -> None:
    w, v = tf.constant([1.0, 2.0], tf.float64), tf.Variable(3.0, dtype=tf.float64)
    names = {"tf": tf, "w": w, "v": v}
    run = gradtape("loss = tf.reduce_sum(w ** 3) * v ** 2", "w", "v", names=names, hessian=True)
    # closed form of d2/dw2, d2/dwdv, d2/dv2
    expected = [[6 * 1 * 9, 0, 3 * 1 * 6], [0, 6 * 2 * 9, 3 * 4 * 6], [18, 72, 2 * 9]]
    np.testing.assert_allclose(run.hessian.matrix, expected)
    assert run.hessian.sizes == (2, 1)
    assert names["grads"]["v"].numpy() == 9 * 2 * 3
    assert float(names["tape"].gradient(names["loss"], v)) == 54.0


def test_an_op_without_a_gradient_costs_its_own_nodes_only(gradtape: Any, tf: Any) -> None:
    names = {
        "tf": tf,
        "w": tf.constant(2.0),
        "image": tf.random.uniform([4, 4, 3]),
        "v": tf.constant(1.0),
    }
    run = gradtape(
        "z = tf.raw_ops.AdjustContrastv2(images=image * v, contrast_factor=2.0)\n"
        "loss = tf.reduce_sum(z) + w * w + v",
        "w",
        "image",
        "v",
        names=names,
    )
    assert float(names["grads"]["w"]) == 4.0
    assert names["grads"]["image"] is None
    assert names["grads"]["v"] is None  # one of its two paths is blocked: the rest would be wrong
    assert {d.kind for d in run.diagnoses} == {"no-gradient-registered"}
    with pytest.raises(LookupError):
        names["tape"].gradient(names["loss"], names["w"])  # as TensorFlow has it
    from gradmagic.core.recorder import lacks_gradient

    assert lacks_gradient("AdjustContrastv2")


def test_ops_in_other_threads_are_said_to_be_missing(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(2.0), "threading": threading}
    body = (
        "def work():\n    global q\n    q = w * w\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\nloss = q * w"
    )
    run = gradtape(body, "w", names=names)
    assert float(names["grads"]["w"]) == 4.0  # as the with-block has it
    assert run.graph.missing == 1
    assert [d.kind for d in run.diagnoses] == ["recording-stopped"]
    assert threading.getprofile() is None


def test_the_value_shown_is_the_one_that_was_used(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "v": tf.Variable(3.0)}
    run = gradtape("loss = v * v\nunused = v.assign_sub(1.0)", "v", names=names, target="loss")
    assert float(run.gradients["v"].value.values) == 3.0
    assert float(names["v"]) == 2.0


def test_random_state_is_not_consumed(gradtape: Any, tf: Any) -> None:
    import random

    tf.random.set_seed(5)
    expected = [tf.random.normal([2]).numpy() for _ in range(2)]
    tf.random.set_seed(5)
    before = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    names = {"tf": tf, "w": tf.constant(2.0)}
    gradtape("noise = tf.random.normal([2])\nloss = tf.reduce_sum(noise) * w", "w", names=names)
    assert equal(names["noise"], expected[0])
    assert equal(tf.random.normal([2]), expected[1])
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before  # noqa: NPY002


def test_the_namespace_is_what_the_with_block_leaves(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.constant(2.0), "gone": 1}
    gradtape(
        "import math as m\ndef f(): return w\nclass C: pass\n"
        "squares = [i * i for i in range(3)]\ndel gone\nloss = w * w",
        "w",
        names=names,
    )
    assert set(names) - {"__builtins__"} >= {
        "tf",
        "w",
        "m",
        "f",
        "C",
        "squares",
        "loss",
        "tape",
        "grads",
    }
    assert not {n for n in names if n.startswith("_") and n != "__builtins__"}
    assert names["f"]() is names["w"]


def test_text_in_strings_over_several_lines_survives(gradtape: Any, tf: Any) -> None:
    body = 'text = """one\n  two\nthree"""\nloss = w * 2.0'
    names = {"tf": tf, "w": tf.constant(2.0)}
    run = gradtape(body, "w", names=names)
    assert names["text"] == "one\n  two\nthree"
    again = {"tf": tf, "w": tf.constant(2.0)}
    exec(run.code, again)
    assert again["text"] == "one\n  two\nthree"


def test_the_program_of_a_cell_that_used_the_tape_up_gives_the_same_or_says_that_it_raises(
    gradtape: Any, tf: Any
) -> None:
    names = {"tf": tf, "w": tf.constant(2.0)}
    run = gradtape("loss = w * w\ng = tape.gradient(loss, w)", "w", names=names)
    again = {"tf": tf, "w": tf.constant(2.0)}
    exec(run.code, again)
    assert float(again["g"]) == float(again["grads"][0]) == float(names["grads"]["w"]) == 4.0
    run = gradtape("g = tape.gradient(w * w, w)\nloss = g * w", "w", names=names)
    *_lines, said, taken = run.code.splitlines()
    line = run.target.line - 1
    assert said == f"# this raises: the call of gradient on line {line} has used the tape up"
    with pytest.raises(RuntimeError, match="non-persistent"):
        exec(run.code, {"tf": tf, "w": tf.constant(2.0)})
    assert taken == "grads = tape.gradient(loss, [w])"


def test_nothing_to_differentiate_is_said(gradtape: Any, tf: Any) -> None:
    from IPython.core.error import UsageError

    with pytest.raises((UserError, UsageError), match="makes no float tensor"):
        gradtape("k = 1", "w", names={"tf": tf, "w": tf.constant(2.0)})


def test_a_large_source_is_summarized(gradtape: Any, tf: Any) -> None:
    names = {"tf": tf, "w": tf.random.normal([300, 1000])}
    run = gradtape("loss = tf.reduce_sum(w * w)", "w", names=names)
    one = run.gradients["w"].gradient
    assert one.values is None
    assert one.norm == pytest.approx(float(tf.norm(2 * names["w"])), rel=1e-5)
    assert one.histogram.counts.sum() == 300_000
    assert one.low == float(tf.reduce_min(2 * names["w"]))


def test_a_cell_can_run_another_under_a_tape_of_its_own(gradtape: Any, tf: Any) -> None:
    import gradmagic

    names = {"tf": tf, "w": tf.constant(3.0), "gradmagic": gradmagic}
    body = (
        "inner = gradmagic.gradtape('loss = w * w', 'w', names=globals())\n"
        "loss = inner.gradients['w'].result * w"
    )
    gradtape(body, "w", names=names)
    assert float(names["loss"]) == 18.0  # 2 w * w, and its derivative 4 w
    assert float(names["grads"]["w"]) == 12.0
    assert not [name for name in names if " " in name]


def test_tensors_tell_of_their_values_only_while_a_cell_runs(tf) -> None:
    """In two threads at once too, and after an error."""
    tensor = type(tf.constant(0.0))
    before = {name: getattr(tensor, name) for name in ("numpy", "__float__", "__bool__")}
    inside = threading.Barrier(2, timeout=60)

    def run(wait):
        names = {"tf": tf, "w": tf.constant(2.0), "inside": inside}
        first = "inside.wait()\n" * 2 if wait else "inside.wait()\nfloat(w)\ninside.wait()\n"
        with contextlib.suppress(ZeroDivisionError):
            gradmagic.gradtape(f"{first}loss = w * w\n1 / 0", "w", names=names)

    threads = [threading.Thread(target=run, args=(wait,)) for wait in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: getattr(tensor, name) for name in before} == before
