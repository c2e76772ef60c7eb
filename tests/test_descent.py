"""Descents against the loop written by hand: its numbers to the last bit, its ends, its notes."""

from __future__ import annotations

import itertools
import signal
import textwrap
import threading
import time
import traceback
from typing import Any

import numpy as np
import pytest
from IPython.core.error import UsageError

import gradmagic
from gradmagic.core.errors import UserError

LESSON = """\
logits = x @ w + b
loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(y, logits, from_logits=True))
"""
MODEL = """\
loss = tf.reduce_mean(
    tf.keras.losses.sparse_categorical_crossentropy(labels, model(x), from_logits=True)
)
"""
STRUCTURES = """\
h = tf.tanh(x @ params["w"] + params["b"])
out = h @ layers[0] * scale
tf.reduce_mean(tf.square(out - y))
"""
OPTIMIZERS = {
    "sgd": "SGD(0.1)",
    "momentum": "SGD(0.1, momentum=0.9)",
    "nesterov": "SGD(0.1, momentum=0.9, nesterov=True)",
    "rmsprop": "RMSprop(0.1)",
    "adam": "Adam(0.1)",
}


def make_names(tf: Any, kind: str) -> dict[str, Any]:
    """The same values each time: plain tensors, Variables, or one of each."""
    random = np.random.default_rng(0)
    w, b = random.normal(size=(4, 3)).astype("float32"), np.zeros(3, "float32")
    return {
        "tf": tf,
        "x": tf.constant(random.normal(size=(6, 4)), tf.float32),
        "y": tf.one_hot([2, 0, 1, 1, 0, 2], 3),
        "labels": tf.constant([2, 0, 1, 1, 0, 2]),
        "w": tf.constant(w) if kind in ("tensors", "mixed") else tf.Variable(w),
        "b": tf.constant(b) if kind == "tensors" else tf.Variable(b),
    }


def make_model(tf: Any, names: dict[str, Any], *more: Any) -> dict[str, Any]:
    """The names, and a small Keras model with the same weights each time."""
    tf.keras.utils.set_random_seed(3)
    dense = tf.keras.layers.Dense
    layers = [tf.keras.Input((4,)), dense(5, "relu"), *more, dense(3)]
    names["model"] = tf.keras.Sequential(layers)
    return names


def run_by_hand(
    names: dict[str, Any], before: str, body: str, after: str, steps: int
) -> list[float]:
    """The loop as a student writes it, in plain TensorFlow; the losses."""
    losses: list[float] = []
    names["losses"] = losses
    loop = f"for _ in range({steps}):\n    with tf.GradientTape() as tape:\n"
    loop += textwrap.indent(body, " " * 8) + textwrap.indent(after, " " * 4)
    exec(before + loop, names)
    return losses


def is_same(one: Any, other: Any) -> bool:
    """Whether two tensors or variables have the same bits."""
    a, b = (np.asarray(value.numpy()) for value in (one, other))
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def write_update(kind: str, optimizer: str) -> tuple[str, str]:
    """What comes before the loop, and after the body, in the loop written by hand."""
    keras = f"optimizer = tf.keras.optimizers.{OPTIMIZERS[optimizer]}\n"
    watch = "" if kind == "variables" else "tape.watch(w)\n"
    if kind == "tensors":
        watch += "tape.watch(b)\n"
    take = "losses.append(float(loss))\ngrads = tape.gradient(loss, [w, b])\n"
    if optimizer == "sgd" and kind == "tensors":
        return "", f"{watch}|{take}w = w - 0.1 * grads[0]\nb = b - 0.1 * grads[1]\n"
    if optimizer == "sgd" and kind == "mixed":
        return (
            keras,
            f"{watch}|{take}w = w - 0.1 * grads[0]\noptimizer.apply_gradients([(grads[1], b)])\n",
        )
    if kind == "variables":
        return keras, f"{watch}|{take}optimizer.apply_gradients(zip(grads, [w, b]))\n"
    behind = "vw = tf.keras.Variable(w)\n"
    behind += "vb = tf.keras.Variable(b)\n" if kind == "tensors" else "vb = b\n"
    back = "w = tf.convert_to_tensor(vw)\n"
    back += "b = tf.convert_to_tensor(vb)\n" if kind == "tensors" else ""
    return keras + behind, f"{watch}|{take}optimizer.apply_gradients(zip(grads, [vw, vb]))\n{back}"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["tensors", "variables", "mixed"])
def test_the_numbers_are_those_of_the_hand_written_loop(tf, kind, optimizer):
    names, plain = make_names(tf, kind), make_names(tf, kind)
    before, rest = write_update(kind, optimizer)
    watch, after = rest.split("|")
    losses = run_by_hand(plain, before, watch + LESSON, after, 20)
    done = gradmagic.descend(LESSON, "w", "b", names=names, steps=20, optimizer=optimizer)[0]
    assert done.losses.tolist() == losses
    for name in ("w", "b", "logits", "loss"):
        assert is_same(names[name], plain[name]), name
    assert all(is_same(a, b) for a, b in zip(names["grads"], plain["grads"], strict=True))
    assert (done.done, done.ended) == (20, "done")
    own = make_names(tf, kind)
    exec(done.code, own)  # the loop that the record shows gives the same
    assert is_same(own["w"], plain["w"])
    assert is_same(own["b"], plain["b"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_keras_model_moves_as_by_hand(tf, optimizer):
    before = f"optimizer = tf.keras.optimizers.{OPTIMIZERS[optimizer]}\n"
    after = (
        "losses.append(float(loss))\ngrads = tape.gradient(loss, model.trainable_variables)\n"
        "optimizer.apply_gradients(zip(grads, model.trainable_variables))\n"
    )
    plain = make_model(tf, make_names(tf, "tensors"))
    losses = run_by_hand(plain, before, MODEL, after, 10)
    names = make_model(tf, make_names(tf, "tensors"))
    done = gradmagic.descend(MODEL, "model", names=names, steps=10, optimizer=optimizer)[0]
    assert done.losses.tolist() == losses
    pairs = zip(names["model"].weights, plain["model"].weights, strict=True)
    assert all(is_same(one.value, other.value) for one, other in pairs)
    own = make_model(tf, make_names(tf, "tensors"))
    exec(done.code, own)
    assert is_same(own["model"].weights[0].value, plain["model"].weights[0].value)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_lists_and_dicts_of_sources(tf, optimizer):
    def make() -> dict[str, Any]:
        random = np.random.default_rng(1)
        draw = lambda *shape: tf.constant(random.normal(size=shape), tf.float32)  # noqa: E731
        names = {"tf": tf, "x": draw(5, 4), "y": draw(5, 2), "scale": tf.Variable(2.0)}
        return names | {
            "params": {"w": draw(4, 3), "b": tf.Variable([0.1] * 3)},
            "layers": [draw(3, 2)],
        }

    names, plain = make(), make()
    done = gradmagic.descend(
        STRUCTURES, "params", "layers", "scale", names=names, steps=8, optimizer=optimizer
    )[0]
    assert done.names == ("params['w']", "params['b']", "layers[0]", "scale")
    w, b, layer, scale = (
        plain["params"]["w"],
        plain["params"]["b"],
        plain["layers"][0],
        plain["scale"],
    )
    keras = tf.keras.optimizers.SGD(0.1, momentum=0.0 if optimizer == "sgd" else 0.9)
    vw, vl = (tf.keras.Variable(one) for one in (w, layer))
    for _ in range(8):
        with tf.GradientTape() as tape:
            tape.watch([w, layer])
            out = tf.tanh(plain["x"] @ w + b) @ layer * scale
            loss = tf.reduce_mean(tf.square(out - plain["y"]))
        grads = tape.gradient(loss, [w, b, layer, scale])
        if optimizer == "sgd":
            w, layer = w - 0.1 * grads[0], layer - 0.1 * grads[2]
            keras.apply_gradients([(grads[1], b), (grads[3], scale)])
        else:
            keras.apply_gradients(zip(grads, [vw, b, vl, scale], strict=True))
            w, layer = tf.convert_to_tensor(vw), tf.convert_to_tensor(vl)
    assert is_same(names["params"]["w"], w)
    assert is_same(names["params"]["b"], b)
    assert is_same(names["layers"][0], layer)
    assert is_same(names["scale"], scale)
    assert is_same(
        names["grads"]["layers"][0]
        if isinstance(names["grads"]["layers"], tuple)
        else names["grads"]["layers"],
        grads[2],
    )
    own = make()
    exec(done.code, own)
    assert is_same(own["params"]["w"], w)
    assert is_same(own["layers"][0], layer)


def test_rows_of_a_table_move_as_by_hand(tf):
    names = {"tf": tf, "table": tf.ones([5, 2]), "rows": tf.constant([1, 3, 1])}
    table = names["table"]
    body = "loss = tf.reduce_sum(tf.gather(table, rows) ** 2)"
    done = gradmagic.descend(body, "table", names=names, steps=3)[0]
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(table)
            loss = tf.reduce_sum(tf.gather(table, names["rows"]) ** 2)
        table = table - 0.1 * tf.convert_to_tensor(tape.gradient(loss, table))
    assert is_same(names["table"], table)
    assert done.norms[0, 0] == pytest.approx(np.linalg.norm([[4, 4], [2, 2]]))


def test_random_ops_draw_as_in_the_loop_and_afterwards(tf):
    body = "noise = tf.random.normal([4])\nloss = tf.reduce_sum((w + noise) ** 2)\n"
    results = []
    for by_hand in (True, False):
        tf.random.set_seed(7)
        names = {"tf": tf, "w": tf.ones([4])}
        if by_hand:
            after = (
                "losses.append(float(loss))\ngrads = tape.gradient(loss, w)\nw = w - 0.1 * grads\n"
            )
            losses = run_by_hand(names, "", "tape.watch(w)\n" + body, after, 12)
        else:
            losses = gradmagic.descend(body, "w", names=names, steps=12)[0].losses.tolist()
        results.append(
            (losses, names["w"].numpy().tolist(), tf.random.normal([3]).numpy().tolist())
        )
    assert results[0] == results[1]


def test_dropout_and_batch_statistics_are_as_by_hand(tf):
    body = MODEL.replace("model(x)", "model(x, training=True)")
    more = (tf.keras.layers.BatchNormalization, lambda: tf.keras.layers.Dropout(0.3, seed=1))
    before = "optimizer = tf.keras.optimizers.SGD(0.1)\n"
    after = (
        "losses.append(float(loss))\ngrads = tape.gradient(loss, model.trainable_variables)\n"
        "optimizer.apply_gradients(zip(grads, model.trainable_variables))\n"
    )
    plain = make_model(tf, make_names(tf, "tensors"), *(make() for make in more))
    losses = run_by_hand(plain, before, body, after, 6)
    names = make_model(tf, make_names(tf, "tensors"), *(make() for make in more))
    done = gradmagic.descend(body, "model", names=names, steps=6)[0]
    assert done.surface is not None
    assert done.losses.tolist() == losses
    done.run(2)
    pairs = zip(names["model"].variables, plain["model"].variables, strict=True)
    assert all(is_same(one.value, other.value) for one, other in pairs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["tensors", "variables"])
def test_compiled_numbers_are_those_of_the_compiled_loop(tf, kind, optimizer):
    names, plain = make_names(tf, kind), make_names(tf, kind)
    done = gradmagic.descend(
        LESSON, "w", "b", names=names, steps=15, optimizer=optimizer, compile=True
    )[0]
    w, b, x, y = (plain[name] for name in "wbxy")
    keras = eval(f"tf.keras.optimizers.{OPTIMIZERS[optimizer]}", {"tf": tf})
    behind = [w, b] if kind == "variables" else [tf.keras.Variable(one) for one in (w, b)]
    keras.build(behind)
    by_hand = kind == "tensors" and optimizer == "sgd"

    @tf.function
    def step(w: Any, b: Any) -> Any:
        with tf.GradientTape() as tape:
            if kind == "tensors":
                tape.watch([w, b])
            logits = x @ w + b
            loss = tf.reduce_mean(
                tf.keras.losses.categorical_crossentropy(y, logits, from_logits=True)
            )
        grads = tape.gradient(loss, [w, b])
        if by_hand:
            return loss, w - 0.1 * grads[0], b - 0.1 * grads[1]
        keras.apply_gradients(zip(grads, behind, strict=True))
        return loss, tf.convert_to_tensor(behind[0]), tf.convert_to_tensor(behind[1])

    losses = []
    for _ in range(15):
        loss, new_w, new_b = step(w, b)
        if kind == "tensors":
            w, b = new_w, new_b
        losses.append(float(loss))
    assert is_same(names["w"], w)
    assert is_same(names["b"], b)
    assert done.losses.tolist() == losses
    assert names["logits"].shape == (6, 3)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_optimizer_of_the_users_moves_and_keeps_its_state(tf, compiled):
    names, plain = make_names(tf, "variables"), make_names(tf, "variables")
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    names["own"], other = (tf.keras.optimizers.Adam(schedule) for _ in range(2))
    rates = []
    for _ in range(6):
        rates.append(float(tf.convert_to_tensor(other.learning_rate)))
        with tf.GradientTape() as tape:
            exec(LESSON, plain)
        grads = tape.gradient(plain["loss"], [plain["w"], plain["b"]])
        other.apply_gradients(zip(grads, [plain["w"], plain["b"]], strict=True))
    for _ in range(2):  # its state goes on
        done = gradmagic.descend(
            LESSON, "w", "b", names=names, steps=3, optimizer="own", compile=compiled
        )[0]
    if compiled:
        assert np.allclose(names["w"], plain["w"], rtol=1e-5)
    else:
        assert is_same(names["w"], plain["w"])
    assert names["own"].iterations.numpy() == 6
    assert done.rates.tolist() == rates[3:]


@pytest.mark.parametrize("compiled", [False, True])
def test_an_optimizer_of_the_users_goes_on_with_plain_tensors(tf, compiled):
    names = {"tf": tf, "w": tf.constant(1.0), "own": tf.keras.optimizers.Adam(0.1)}
    behind, other = tf.keras.Variable(1.0), tf.keras.optimizers.Adam(0.1)
    for _ in range(2):
        gradmagic.descend(
            "loss = w * w", "w", names=names, steps=3, optimizer="own", compile=compiled
        )
    for _ in range(6):
        with tf.GradientTape() as tape:
            loss = behind * behind
        other.apply([tape.gradient(loss, behind.value)], [behind])
    assert names["w"].numpy() == pytest.approx(behind.numpy(), rel=1e-6)
    names["v"] = tf.constant(2.0)
    with pytest.raises(UserError, match=r"'own' has moved other variables before.*make it anew"):
        gradmagic.descend("loss = v * v", "v", names=names, optimizer="own", compile=compiled)
    assert names["v"].numpy() == 2.0


def test_batches_are_bound_one_a_step_and_start_again(tf):
    data = tf.data.Dataset.from_tensor_slices(([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]))
    body = "a, c = batch\nloss = (w * a - c) ** 2"
    for compiled in (False, True):
        names = {"tf": tf, "w": tf.constant(0.0), "data": data}
        done = gradmagic.descend(
            body, "w", names=names, steps=5, lr=0.01, batches="data", compile=compiled
        )[0]
        w = tf.constant(0.0)
        for a, c in itertools.islice(itertools.cycle([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]), 5):
            with tf.GradientTape() as tape:
                tape.watch(w)
                loss = (w * a - c) ** 2
            w = w - 0.01 * tape.gradient(loss, w)
        assert is_same(names["w"], w)
        assert names["batch"][0].numpy() == 2.0
        assert done.run(2).loss.numpy() == pytest.approx(done.losses[2])  # with its own batch


def test_an_iterator_that_is_used_up_ends_the_descent(tf):
    names = {"tf": tf, "w": tf.Variable(1.0), "three": iter([1.0, 2.0, 3.0])}
    done = gradmagic.descend("loss = w * w * batch", "w", names=names, steps=10, batches="three")[0]
    assert (done.done, done.steps, done.ended) == (3, 10, "done")
    assert done.kept == (0, 1, 2)


def test_what_is_left_is_as_under_gradtape(tf):
    names, other = make_names(tf, "variables"), make_names(tf, "variables")
    gradmagic.descend(LESSON, "w", "b", names=names, steps=4)
    gradmagic.descend(LESSON, "w", "b", names=other, steps=3)
    gradmagic.gradtape(LESSON, "w", "b", names=other)
    assert names.keys() == other.keys()
    assert is_same(names["grads"]["w"], other["grads"]["w"])
    assert is_same(
        names["tape"].gradient(names["loss"], names["logits"]),
        other["tape"].gradient(other["loss"], other["logits"]),
    )
    with pytest.raises(RuntimeError, match="persistent"):
        names["tape"].gradient(names["loss"], names["logits"])


# Stopping


class _InterruptError(Exception):
    """What a body raises in the middle."""


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["tensors", "variables"])
def test_stop_ends_after_a_whole_step(tf, kind, compiled):
    names, plain = make_names(tf, kind), make_names(tf, kind)
    told = []

    def tell(progress: Any) -> bool:
        told.append(progress)
        return len(told) == 2

    done = gradmagic.descend(
        LESSON, "w", "b", names=names, steps=1_000_000, lr=1e-3, tell=tell, compile=compiled
    )[0]
    assert done.ended == "stopped"
    assert done.kept[-1] == done.done - 1 == told[-1].done - 1
    assert told[1].seconds - told[0].seconds >= 0.1
    assert len(told[0].losses_new) == told[0].done
    assert sum(len(one.losses_new) for one in told) == done.done
    assert told[1].norms_new.shape == (told[1].done - told[0].done, 2)
    gradmagic.descend(LESSON, "w", "b", names=plain, steps=done.done, lr=1e-3, compile=compiled)
    assert is_same(names["w"], plain["w"])
    assert is_same(names["b"], plain["b"])


@pytest.mark.parametrize("compiled", [False, True])
def test_the_interrupt_ends_after_a_whole_step(tf, compiled):
    names, plain = make_names(tf, "variables"), make_names(tf, "variables")
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    done = gradmagic.descend(
        LESSON, "w", "b", names=names, steps=1_000_000, lr=1e-3, compile=compiled
    )[0]
    assert signal.getsignal(signal.SIGINT) is before
    assert done.ended == "interrupted"
    gradmagic.descend(LESSON, "w", "b", names=plain, steps=done.done, lr=1e-3, compile=compiled)
    assert is_same(names["w"], plain["w"])


def test_a_second_interrupt_ends_a_step_that_does_not_end(tf):
    names = {"tf": tf, "w": tf.constant(1.0), "time": time, "n": [0], "signal": signal}
    body = (
        "n[0] += 1\nloss = w * w\n"
        "if n[0] == 3:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    n.append('not reached')\n"
    )
    done = gradmagic.descend(body, "w", names=names, steps=10)[0]
    assert (done.ended, done.done) == ("interrupted", 2)
    assert len(names["n"]) == 1
    w = tf.constant(1.0)
    for _ in range(2):
        w = w - 0.1 * (w + w)
    assert is_same(names["w"], w)


def test_an_error_in_the_middle_keeps_the_last_whole_step(tf):
    def fail_at(step: list[int]) -> None:
        step.append(1)
        if len(step) == 4:
            raise _InterruptError

    before = signal.getsignal(signal.SIGINT)
    names = {"tf": tf, "w": tf.Variable(1.0), "fail_at": fail_at, "count": []}
    with pytest.raises(_InterruptError):
        gradmagic.descend("loss = w * w\nfail_at(count)", "w", names=names)
    plain = {"tf": tf, "w": tf.Variable(1.0)}
    gradmagic.descend("loss = w * w", "w", names=plain, steps=3)
    assert is_same(names["w"], plain["w"])
    assert signal.getsignal(signal.SIGINT) is before
    assert "gradmagic bound" not in names


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["tensors", "variables"])
def test_nan_stops_before_it_reaches_the_sources(tf, kind, compiled):
    make = tf.constant if kind == "tensors" else tf.Variable
    names = {"tf": tf, "w": make(1.0)}
    body = "loss = tf.sqrt(w)"  # w falls below 0 in a few steps
    done = gradmagic.descend(body, "w", names=names, lr=0.4, compile=compiled)[0]
    w, k = np.float32(1), 0
    while w >= 0:
        w, k = w - np.float32(0.4) * np.float32(0.5) / np.sqrt(w), k + 1
    assert (done.ended, done.done) == ("nan", k + 1)
    assert done.moments[-1].step == k
    assert np.isnan(done.losses[-1])
    assert names["w"].numpy() == done.moments[-1].values[0] == pytest.approx(w, rel=1e-6)
    note = done.notes[0]
    assert (note.kind, note.step) == ("nan", k)
    assert "line 1" in note.message
    assert done.run(k).diagnoses[0].message in note.message


def test_a_nan_gradient_of_a_finite_loss_stops_too(tf):
    names = {"tf": tf, "w": tf.Variable([0.0, 1.0])}
    for compiled in (False, True):
        done = gradmagic.descend(
            "loss = tf.norm(w[:1]) + w[1]", "w", names=names, compile=compiled
        )[0]
        assert (done.ended, done.done) == ("nan", 1)
        assert names["w"].numpy().tolist() == [0.0, 1.0]
        assert "the gradient of w" in done.notes[0].message


def test_until_stops_where_the_loss_hardly_changes(tf):
    names = {"tf": tf, "w": tf.constant(1.0)}
    done = gradmagic.descend("loss = w * w", "w", names=names, until=1e-3)[0]
    changes = np.abs(np.diff(done.losses))
    assert done.ended == "until"
    assert changes[-1] <= 1e-3 < changes[-2]


# What is remembered


def test_moments_are_thinned_and_keep_ends_and_extremes(tf):
    names = {"tf": tf, "w": tf.Variable(0.0), "t": tf.Variable(0.0)}
    bump = "t.assign_add(1.0)\nhill = 50 * tf.exp(-((t - 333.0) ** 2)) - 70 * tf.exp(-((t - 777.0) ** 2))\n"
    done = gradmagic.descend(
        bump + "loss = (w - 3.0) ** 2 + hill", "w", names=names, steps=1000, lr=1e-4
    )[0]
    assert len(done.moments) <= 200
    assert {0, 332, 776, 999} <= set(done.kept)
    assert done.losses.argmax() == 332
    assert done.losses.argmin() == 776
    w = np.float32(0)
    for step in range(1000):  # each kept value is that of its own step
        if step in done.kept:
            assert done.moments[done.kept.index(step)].values[0] == pytest.approx(w, rel=1e-4)
        w -= np.float32(1e-4) * 2 * (w - 3)


def test_the_bytes_of_moments_are_bounded(tf):
    from gradmagic.core.descent.history import MOST_BYTES

    names = {"tf": tf, "w": tf.zeros([200_000])}
    done = gradmagic.descend("loss = tf.reduce_mean((w - 1) ** 2)", "w", names=names, steps=80)[0]
    held = sum(m.values[0].nbytes + m.gradients[0].nbytes for m in done.moments)
    assert held <= MOST_BYTES
    assert {0, 79} <= set(done.kept)
    names = {"tf": tf, "w": tf.zeros([800_000])}
    done = gradmagic.descend("loss = tf.reduce_mean((w - 1) ** 2)", "w", names=names, steps=3)[0]
    assert [m.values for m in done.moments] == [()] * len(done.moments)
    assert done.losses.shape == (3,)
    with pytest.raises(LookupError, match="too large"):
        done.run(0)


def test_run_gives_a_kept_step_and_touches_nothing(tf):
    names = make_names(tf, "variables")
    names["seen"] = []
    body = LESSON + "seen.append(float(loss))\n"
    done = gradmagic.descend(body, "w", "b", names=names, steps=5)[0]
    assert len(names["seen"]) == 5  # neither surface nor notes have run it in the user's list
    before, w = dict(names), names["w"].numpy()
    run = done.run(2)
    assert float(run.loss) == done.losses[2]
    assert run.gradients["w"].gradient.norm == pytest.approx(done.norms[2, 0])
    assert names == before
    assert (names["w"].numpy() == w).all()
    with pytest.raises(KeyError, match="step 7 was not kept"):
        done.run(7)


def test_functions_of_the_notebook_see_the_steps_values(tf):
    names = {"tf": tf, "w": tf.constant(1.0)}
    exec("def predict(a):\n    return a * w", names)
    done = gradmagic.descend("loss = predict(3.0) ** 2", "w", names=names, steps=4, lr=0.01)[0]
    assert float(done.run(1).loss) == done.losses[1]
    compiled = {"tf": tf, "w": tf.constant(1.0)}
    exec("def predict(a):\n    return a * w", compiled)
    gradmagic.descend(
        "loss = predict(3.0) ** 2", "w", names=compiled, steps=4, lr=0.01, compile=True
    )
    assert compiled["w"].numpy() == pytest.approx(names["w"].numpy())


def test_history_is_ready_for_pandas(tf):
    names = make_names(tf, "tensors")
    done = gradmagic.descend(LESSON, "w", "b", names=names, steps=4, lr=[0.1, 0.2])
    history = done.history
    assert {len(column) for column in history.values()} == {8}
    assert list(history["run"]) == [0] * 4 + [1] * 4
    assert list(history["rate"]) == [0.1] * 4 + [0.2] * 4


# Several rates


@pytest.mark.parametrize("kind", ["tensors", "variables"])
def test_several_rates_start_alike_and_the_best_stays(tf, kind):
    names, plain = make_names(tf, kind), make_names(tf, kind)
    done = gradmagic.descend(LESSON, "w", "b", names=names, steps=9, lr=[0.01, 1.0, 0.1])
    assert done.best == 1
    assert len({run.losses[0] for run in done.runs}) == 1
    gradmagic.descend(LESSON, "w", "b", names=plain, steps=9, lr=1.0)
    for name in ("w", "b", "loss"):
        assert is_same(names[name], plain[name])
    assert is_same(names["grads"][0], plain["grads"][0])


# Notes

EIGENVALUES = {
    "one": [4.0],
    "two": [1.0, 6.0],
    "many": [0.5, 1.0, 2.0, 3.0, 10.0],
}


def descend_quadratic(
    tf: Any, eigenvalues: list[float], variable: bool = False, **options: Any
) -> Any:
    """On w^T A w / 2, whose largest stable rate is 2 over A's largest eigenvalue."""
    random = np.random.default_rng(2)
    turn = np.linalg.qr(random.normal(size=(len(eigenvalues),) * 2))[0]
    start = tf.constant(turn @ np.ones(len(eigenvalues)), tf.float32)
    names = {
        "tf": tf,
        "A": tf.constant(turn @ np.diag(eigenvalues) @ turn.T, tf.float32),
        "w": tf.Variable(start) if variable else start,
    }
    body = "loss = 0.5 * tf.tensordot(w, tf.linalg.matvec(A, w), 1)"
    return gradmagic.descend(body, "w", names=names, **options)[0]


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("eigenvalues", EIGENVALUES.values(), ids=EIGENVALUES)
def test_divergence_says_the_largest_stable_rate(tf, eigenvalues, variable):
    stable = 2 / max(eigenvalues)
    for factor in (1.1, 2.0):
        done = descend_quadratic(tf, eigenvalues, variable, lr=stable * factor, steps=60)
        (note,) = [one for one in done.notes if one.kind == "diverging"]
        said = float(note.message.split("about ")[1].rstrip("."))
        assert said == pytest.approx(stable, rel=0.01)
    below = descend_quadratic(tf, eigenvalues, variable, lr=stable * 0.97, steps=60)
    assert "diverging" not in [one.kind for one in below.notes]


@pytest.mark.parametrize(("optimizer", "bound"), [("momentum", 3.8), ("nesterov", 3.8 / 2.8)])
def test_divergence_with_momentum(tf, optimizer, bound):
    above = descend_quadratic(tf, [1.0], lr=bound * 1.3, steps=80, optimizer=optimizer)
    (note,) = [one for one in above.notes if one.kind == "diverging"]
    assert float(note.message.split("about ")[1].rstrip(".")) == pytest.approx(bound, rel=0.01)
    below = descend_quadratic(tf, [1.0], lr=bound * 0.95, steps=80, optimizer=optimizer)
    assert "diverging" not in [one.kind for one in below.notes]


def test_oscillation_is_said_where_each_step_goes_too_far(tf):
    kinds = {}
    for factor in (0.3, 0.9, 1.8, 1.95):  # of 1 over the curvature; 2 is the bound
        done = descend_quadratic(tf, [4.0], lr=factor / 4, steps=15)
        kinds[factor] = [one.kind for one in done.notes]
    assert "oscillation" not in kinds[0.3] + kinds[0.9]
    assert kinds[1.8] == kinds[1.95] == ["oscillation"]
    note = done.notes[0]
    assert float(note.fix.split()[1]) == pytest.approx(1 / 4, rel=0.05)


def test_a_plateau_is_said_with_its_slope(tf):
    names = {"tf": tf, "w": tf.constant(1.0)}
    done = gradmagic.descend("loss = (w - 2.0) ** 2 + 5", "w", names=names, steps=100)[0]
    (note,) = done.notes
    assert note.kind == "plateau"
    whole = done.losses[0] - done.losses[-1]
    assert abs(done.losses[note.step] - done.losses[-1]) <= 1e-3 * whole
    assert abs(done.losses[note.step - 1] - done.losses[-1]) > 1e-3 * whole
    assert "little slope" in note.message
    flat = gradmagic.descend("loss = 3 + 1e-6 * w", "w", names=names, steps=30)[0]
    assert flat.notes[0].kind == "plateau"
    assert flat.notes[0].fix == "--lr 1"
    names["w"] = tf.constant(1.0)
    assert gradmagic.descend("loss = w * w", "w", names=names, steps=12, lr=0.02)[0].notes == ()


# The surface


def test_the_curve_of_one_number_is_the_cells_own_loss(tf):
    names = {"tf": tf, "w": tf.constant(1.0)}
    done = gradmagic.descend("loss = tf.sin(w) + w ** 2", "w", names=names, steps=10)[0]
    surface = done.surface
    assert (surface.kind, surface.labels, surface.exact) == ("curve", ("w",), True)
    x = surface.x.astype("float32")
    assert np.allclose(surface.z, np.sin(x) + x**2, rtol=1e-5)
    assert np.allclose(surface.path[:, 0], [m.values[0] for m in done.moments])
    assert surface.x.min() < surface.path.min()
    assert surface.path.max() < surface.x.max()


def test_the_contour_of_two_numbers(tf):
    names = {"tf": tf, "w": tf.Variable(1.0), "b": tf.constant([2.0])}
    done = gradmagic.descend(
        "loss = (w - 1) ** 2 * 3 + b[0] ** 2 + w * b[0]", "w", "b", names=names, steps=5
    )[0]
    surface = done.surface
    assert (surface.kind, surface.labels, surface.exact) == ("contour", ("w", "b[0]"), True)
    a, c = np.meshgrid(surface.x, surface.y)
    assert np.allclose(surface.z, (a - 1) ** 2 * 3 + c**2 + a * c, rtol=1e-4, atol=1e-5)
    assert np.allclose(surface.path, [[m.values[0], m.values[1][0]] for m in done.moments])


def test_larger_sources_are_seen_along_two_directions(tf):
    done = descend_quadratic(tf, EIGENVALUES["many"], lr=0.05, steps=30)
    points = np.array([m.values[0] for m in done.moments], float)
    axes = np.linalg.svd(points - points.mean(0))[2][:2]
    expected = (points - points[-1]) @ axes.T
    assert "principal" in done.surface.axes
    assert np.allclose(np.abs(done.surface.path), np.abs(expected), atol=1e-5)
    middle = np.abs(done.surface.x).argmin(), np.abs(done.surface.y).argmin()
    assert done.surface.z[middle[1], middle[0]] < done.losses[0]
    short = descend_quadratic(tf, EIGENVALUES["many"], lr=0.05, steps=2)
    assert "first gradient" in short.surface.axes
    first = short.moments[0]
    step = short.surface.path[0] - short.surface.path[1]
    assert step[0] == pytest.approx(0.05 * first.norms[0], rel=1e-4)
    assert step[1] == pytest.approx(0, abs=1e-5)


# Bad input

USAGE = {
    "no source": ("", "loss = w", "name what to move"),
    "unknown": ("W", "loss = w", "there is no 'W'; did you mean 'w'?"),
    "integer": ("n", "loss = w", "'n' is int32, and only float tensors can move"),
    "no tensor": ("five", "loss = w", "five = tf.constant(five)"),
    "no target": ("w", "k = 1", "makes no float tensor"),
    "lr no number": ("w --lr a", "loss = w", "must be a number above 0, or several"),
    "lr 0": ("w --lr 0", "loss = w", "must be a number above 0, not 0"),
    "lr below": ("w --lr 0.1,-1", "loss = w", "must be a number above 0, not -1"),
    "steps": ("w --steps 0", "loss = w", "the number of steps must be 1 to"),
    "steps no number": ("w --steps a", "loss = w", "--steps"),
    "optimizer": (
        "w --optimizer adm",
        "loss = w",
        "there are sgd, momentum, nesterov, rmsprop, adam",
    ),
    "optimizer no optimizer": ("w --optimizer n", "loss = w", "'n' is no Keras optimizer"),
    "lr of own": ("w --optimizer own --lr 1", "loss = w", "'own' has a learning rate of its own"),
    "unconnected": ("w", "loss = tf.stop_gradient(w) * 2", "tf.stop_gradient (line 2)"),
    "rebound": ("w", "w = w * 2\nloss = w", "line 2 of the cell binds 'w' anew"),
    "twice": ("v v2", "loss = v * v2", "'v' and 'v2' are the same variable"),
    "part of a tensor": ("t[0]", "loss = t[0]", "'t[0]' cannot be bound to a new tensor"),
    "tuple": ("pair", "loss = pair[0]", "'pair[0]' cannot be bound to a new tensor"),
    "batches": ("w --batches n", "loss = w", "--batches n gives no batches"),
    "no batches": ("w --batches []", "loss = w", "it is empty"),
    "until": ("w --until -1", "loss = w", "--until must be a number"),
    "compiled print": (
        "w --compile",
        "loss = w * w\nprint(loss)",
        "line 3, print(loss), would run once",
    ),
    "compiled append": ("w --compile", "items.append(1)\nloss = w", "line 2, items.append(1)"),
    "compiled state": ("w --compile", "n = n + 1\nloss = w * w", "reads 'n' before it binds it"),
    "compiled numpy": ("w --compile", "loss = w * w.numpy()", "cannot run as a tf.function"),
    "output": ("w -o 3", "loss = w", "'3' cannot be a Python name"),
    "tape": ("tape", "loss = tape * 2", "the tape is called 'tape'"),
    "target": ("w -t 'loss +'", "loss = w", "the target 'loss +' cannot be computed: SyntaxError"),
    "compiled target": ("w --compile -t 'a b'", "loss = w", "cannot be computed: SyntaxError"),
    "option": ("w --stepps 3", "loss = w", "did you mean --steps?"),
}


@pytest.mark.parametrize(("line", "body", "said"), USAGE.values(), ids=USAGE)
def test_bad_input_gets_one_line_and_moves_nothing(shell, line, body, said):
    shell.run_cell(
        "import tensorflow as tf\nw = tf.constant(2.0)\nn = tf.constant(3)\nfive = 5\nitems = []\n"
        "v = tf.Variable(1.0)\nv2 = v\nt = tf.ones([2])\npair = (tf.ones([]),)\n"
        "own = tf.keras.optimizers.Adam()\ntape = tf.constant(1.0)"
    ).raise_error()
    w = shell.user_ns["w"]
    result = shell.run_cell(f"%%graddescent {line} -q\n{body}".replace("-o 3 -q", "-q -o 3"))
    assert isinstance(result.error_in_exec, UsageError)
    assert said in str(result.error_in_exec)
    assert "\n" not in str(result.error_in_exec)
    if "w" not in body.split("=")[0]:
        assert shell.user_ns["w"] is w


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 2.5}, "the number of steps must be a whole number"),
        ({"steps": "10"}, "the number of steps must be a whole number"),
        ({"steps": None}, "the number of steps must be a whole number"),
        ({"steps": 0}, "the number of steps must be 1 to 1,000,000"),
        ({"until": "a"}, "--until must be a number, 0 or above"),
        ({"until": float("nan")}, "--until must be a number, 0 or above"),
        ({"target": ""}, "the target '' cannot be computed: SyntaxError"),
        ({"target": "loss +"}, "the target 'loss +' cannot be computed: SyntaxError"),
        ({"step": 3}, "there is no option step; did you mean steps?"),
        ({"zzz": 3}, "there is no option zzz; there are lr, tell, target, steps, optimizer"),
    ],
)
def test_bad_options_of_the_call_get_one_line(tf, options, said):
    names = {"tf": tf, "w": tf.constant(1.0)}
    with pytest.raises(UserError) as caught:
        gradmagic.descend("loss = w * w", "w", names=names, **options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert names["w"].numpy() == 1.0


def test_a_misspelt_function_is_no_matter_of_compile(tf):
    names = {"tf": tf, "w": tf.constant(1.0)}
    for body in ("loss = tf.nn.softmaxx(w)", "loss = w.foo"):
        with pytest.raises(AttributeError, match="has no attribute"):
            gradmagic.descend(body, "w", names=names, compile=True)


def test_what_a_record_says_is_translated(tf, monkeypatch):
    from gradmagic.core.descent import records, rerun

    names = {"tf": tf, "w": tf.zeros([800_000])}
    done = gradmagic.descend("loss = tf.reduce_mean((w - 1) ** 2)", "w", names=names, steps=3)[0]
    for module in (records, rerun):
        monkeypatch.setattr(module, "_", lambda text: "= " + text)
    with pytest.raises(KeyError, match="= step 555 was not kept"):
        done.run(555)
    with pytest.raises(LookupError, match="= step 0 was kept without its tensors"):
        done.run(0)


def test_shapes_that_change_under_compile_are_said(tf):
    names = {"tf": tf, "w": tf.constant(1.0), "data": [tf.ones([k + 1]) for k in range(20)]}
    with pytest.raises(UserError, match="was traced 9 times"):
        gradmagic.descend(
            "loss = tf.reduce_sum(w * batch)", "w", names=names, batches="data", compile=True
        )


# The magic


def test_the_magic_descends_and_keeps_the_record(shell, capsys):
    shell.run_cell("import tensorflow as tf\nw = tf.constant(1.0)").raise_error()
    shell.run_cell("%%graddescent w --steps 7 -o record\nloss = w * w").raise_error()
    assert "loss" in capsys.readouterr().out
    record = shell.user_ns["record"]
    assert record[0].done == 7
    assert record[0].magic == "%%graddescent w --steps 7 -o record"
    assert shell.user_ns["w"].numpy() == pytest.approx(0.8**7)
    shell.run_cell("%config GradTapeMagics.steps = 3\n%config GradTapeMagics.lr = '0.5'")
    try:
        shell.run_cell("%%graddescent w -q -o record\nloss = w * w").raise_error()
        assert (shell.user_ns["record"][0].done, shell.user_ns["record"][0].rate) == (3, 0.5)
    finally:
        shell.run_cell("%config GradTapeMagics.steps = 100\n%config GradTapeMagics.lr = '0.1'")


def test_an_exception_goes_out_with_its_step_above(shell, capsys):
    shell.run_cell("import tensorflow as tf\nw = tf.constant(1.0)\nitems = []").raise_error()
    body = "loss = w * w\nitems.append(1)\nif len(items) == 3:\n    raise OSError('boom')"
    result = shell.run_cell(f"%%graddescent w\n{body}")
    assert isinstance(result.error_in_exec, OSError)
    captured = capsys.readouterr()
    assert "Step 2 failed; w: as step 1 left them." in captured.err
    frames = traceback.extract_tb(result.error_in_exec.__traceback__)
    assert (frames[-1].lineno, frames[-1].line) == (5, "raise OSError('boom')")
    assert "core/descent" not in captured.out + captured.err
    assert shell.user_ns["w"].numpy() == pytest.approx(0.64)


def test_digits_reach_95_percent(tf):
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    tf.keras.utils.set_random_seed(0)
    layers = [tf.keras.Input((64,)), tf.keras.layers.Dense(32, "relu"), tf.keras.layers.Dense(10)]
    names = {
        "tf": tf,
        "x": tf.constant(images / 16, tf.float32),
        "labels": tf.constant(labels),
        "model": tf.keras.Sequential(layers),
    }
    done = gradmagic.descend(
        MODEL, "model", names=names, steps=150, optimizer="adam", lr=0.01, compile=True
    )[0]
    right = tf.argmax(names["model"](names["x"]), 1) == labels
    assert np.mean(right) >= 0.95
    assert done.losses[-1] < 0.2
    assert done.surface is None or done.surface.z.shape[0] in (7, 11, 15, 21)


def test_a_curve_that_grows_along_the_path_gives_no_stable_rate(tf):
    names = {"tf": tf, "w": tf.constant(2.0)}
    (run,) = gradmagic.descend("loss = w ** 4", "w", names=names, lr=0.2, steps=30).runs
    (note,) = [note for note in run.notes if note.kind == "diverging"]
    assert "stable" not in note.message
    assert note.fix == "--lr 0.02"
