"""What is said about descents on losses whose course is known: never more than is true."""

from __future__ import annotations

from typing import Any

import pytest

import gradmagic
from gradmagic.core.descent import notes
from gradmagic.render.descent.words import say_end

BOWL = "loss = 0.5 * w * w"


def descend(tf: Any, body: str, start: Any = 1.0, **options: Any) -> Any:
    names = {"tf": tf, "w": tf.constant(start)} | options.pop("names", {})
    return gradmagic.descend(body, "w", names=names, **options)[0]


def list_kinds(run: Any) -> list[str]:
    return [note.kind for note in run.notes]


@pytest.mark.parametrize(
    ("optimizer", "rate", "steps"),
    [("momentum", 0.01, 36), ("nesterov", 0.01, 110), ("adam", 0.1, 20), ("rmsprop", 0.01, 188)],
)
def test_a_loss_that_rises_after_it_fell_far_is_no_divergence(tf, optimizer, rate, steps):
    run = descend(tf, BOWL, optimizer=optimizer, lr=rate, steps=steps)
    assert run.losses[-1] < run.losses[0] / 10
    assert list_kinds(run) == []


@pytest.mark.parametrize(("optimizer", "bound"), [("momentum", 3.8), ("nesterov", 3.8 / 2.8)])
def test_the_first_steps_of_momentum_may_rise_below_its_bound(tf, optimizer, bound):
    for steps in range(3, 9):
        above = descend(tf, BOWL, optimizer=optimizer, lr=bound * 1.3, steps=steps)
        below = descend(tf, BOWL, optimizer=optimizer, lr=bound * 0.99, steps=steps)
        assert "diverging" not in list_kinds(below)
    assert below.losses[-1] > below.losses[0]
    assert "diverging" in list_kinds(above)
    assert descend(tf, BOWL, optimizer=optimizer, lr=bound * 0.99, steps=900).losses[-1] < 1e-3


def test_a_gradient_that_points_uphill_is_no_rate_that_is_too_large(tf):
    @tf.custom_gradient
    def reverse(x):
        return x, lambda upstream: -upstream

    run = descend(tf, "loss = reverse(w) ** 2", names={"reverse": reverse}, lr=0.01, steps=40)
    assert run.losses[-1] > run.losses[0]
    assert run.notes == ()


BATCHED = {
    "rises": ("loss = (w - batch) ** 2", 1.0, [float(one) for one in range(1, 21)]),
    "turns": ("loss = (w - batch) ** 2", 0.0, [1.0, -1.0]),
    "turns at any rate": ("loss = w * batch", 1.0, [1.0, -1.0]),
}


@pytest.mark.parametrize(("body", "start", "data"), BATCHED.values(), ids=BATCHED)
def test_nothing_is_said_of_the_rate_where_the_data_may_have_done_it(tf, body, start, data):
    run = descend(tf, body, start, names={"data": data}, batches="data", lr=1e-6, steps=20)
    assert {"diverging", "oscillation"}.isdisjoint(list_kinds(run))
    assert [note.fix for note in run.notes] in ([], [""])


def test_a_step_over_a_kink_promises_nothing_of_a_smaller_rate(tf):
    (note,) = descend(tf, "loss = tf.abs(w)", 1.05, lr=0.1, steps=40).notes
    assert note.kind == "oscillation"
    assert note.message.endswith("at each of the last 11 steps.")  # smaller steps turn there too
    assert note.fix == "--lr 0.05"


def test_an_optimizer_with_a_rate_of_its_own_is_told_none(tf):
    names = {"own": tf.keras.optimizers.SGD(0.45), "w": tf.Variable(1.0)}
    run = descend(tf, "loss = 2 * w * w", names=names, optimizer="own", lr=None, steps=15)
    (note,) = run.notes
    assert (note.kind, note.fix) == ("oscillation", "")


def test_a_loss_that_falls_by_a_share_of_itself_is_no_plateau(tf):
    run = descend(tf, "loss = w ** 2", lr=0.1, steps=26)
    assert run.losses[-1] == pytest.approx(run.losses[-2] * 0.64)
    assert run.notes == ()
    valley = {"A": tf.constant([1.0, 10.0, 100.0])}
    body = "loss = tf.reduce_sum(A * w * w) / 2"
    assert descend(tf, body, [1.0, 1.0, 1.0], names=valley, lr=0.015, steps=60).notes == ()


@pytest.mark.parametrize(
    ("body", "rate", "fix"),
    [
        ("loss = 3 + 1e-6 * w", 0.1, "--lr 1"),  # nothing curves
        ("loss = 5 + 1e-2 * w + 5e5 * v ** 2", 2e-7, "--lr 1e-06"),  # stable: 2e-6
        ("loss = 5 + 1e-2 * w + 5e5 * v ** 2", 9e-7, ""),  # though v has long come to rest
    ],
)
def test_the_rate_that_a_plateau_is_advised_is_stable(tf, body, rate, fix):
    names = {"v": tf.constant(1e-6), "w": tf.constant(1e-6), "tf": tf}
    sources = [one for one in "wv" if f" {one}" in body]
    run = gradmagic.descend(body, *sources, names=names, lr=rate, steps=30)[0]
    (note,) = run.notes
    assert (note.kind, note.fix) == ("plateau", fix)
    assert ("a larger learning rate would show more" in note.message) == bool(fix)
    assert "the gradient is still" in note.message


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_plateau_has_no_advice_where_no_bound_is_known(tf, optimizer):
    run = descend(tf, "loss = 3 + 1e-3 * w", optimizer=optimizer, lr=1e-6, steps=30)
    (note,) = run.notes
    assert note.message.endswith("but the gradient is still 0.001.")
    assert note.fix == ""


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("others", [(), ("v",)])
def test_a_gradient_that_becomes_none_counts_as_zero(tf, optimizer, others):
    names = {"tf": tf, "n": [0], "w": tf.constant([1.0, 2.0]), "v": tf.constant(1.0)}
    body = """\
n.append(1)
still = v ** 2 if "v" in asked else 0.0
loss = still + (tf.reduce_sum(w**2) if len(n) < 6 else tf.constant(1.0))
"""
    names["asked"] = others
    run = gradmagic.descend(body, "w", *others, names=names, optimizer=optimizer, steps=9)[0]
    assert (run.ended, run.done) == ("done", 9)
    assert run.moments[-1].gradients[0] is None


def test_vectors_of_gradients_are_as_long_as_the_values(tf):
    from gradmagic.core.descent.history import Kept

    w, v, one = tf.ones([2]), tf.ones([3]), tf.constant([1.0, 2.0])
    recent = [Kept(0, (w, v), (None, None), None), Kept(1, (w, v), (one, None), None)]
    first, second = notes._join_gradients(recent)
    assert first.tolist() == [0, 0, 0, 0, 0]
    assert second.tolist() == [1, 2, 0, 0, 0]
    assert notes._join_gradients([]) == []


def test_a_flaw_of_the_notes_leaves_the_descent(tf, monkeypatch):
    def fail(*_given):
        raise ZeroDivisionError

    monkeypatch.setattr(notes, "_find_notes", fail)
    run = descend(tf, BOWL, steps=5)
    assert (run.done, run.notes) == (5, ())


def test_the_end_says_what_is_no_finite_number(tf):
    assert say_end(descend(tf, "loss = tf.sqrt(w)", 0.0, steps=5)).endswith(
        "a gradient is no finite number"
    )
    assert say_end(descend(tf, "loss = tf.math.log(w)", 0.0, steps=5)).endswith(
        "the loss is no finite number"
    )
