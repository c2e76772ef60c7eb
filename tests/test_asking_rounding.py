"""What may be rounding alone: as much as the source's dtype leaves, and no more."""

from __future__ import annotations

import pytest
import tensorflow as tf

import gradmagic
from gradmagic.core.asking.marking import mark
from gradmagic.core.asking.questions import ask_run


def ask(body, dtype, u, k):
    names = {"tf": tf, "u": tf.constant(u, dtype), "k": tf.constant(k, dtype)}
    (question,) = ask_run(gradmagic.gradtape(body, "u", names=names))
    return question


SUMS = "loss = tf.reduce_sum(k * u) - tf.reduce_sum(u)\n"


def test_float64_tells_a_small_number_from_zero():
    scalar = ask("loss = k * u - u\n", tf.float64, 2.0, 1 + 5e-7)
    assert mark(scalar, "0") != "right"
    assert mark(scalar, "5e-7") == "right"
    entries = ask(SUMS, tf.float64, [1.0, 2.0, 3.0], [1 + 3e-7, 1 + 5e-7, 1 + 4e-7])
    assert entries.right == ("1",)
    assert "5e−07" in entries.truth
    sign = ask(SUMS, tf.float64, [1.0, 2.0], [1 + 3e-7, 1 + 5e-7])
    assert sign.right == ("up",)


def test_float64_tells_entries_apart():
    near = ask("loss = tf.reduce_sum(k * u)\n", tf.float64, [1.0, 2.0, 3.0], [1.0, 1 + 1e-6, 1.0])
    assert near.right == ("1",)


@pytest.mark.parametrize(
    ("dtype", "digits"),
    [(tf.float64, 52), (tf.float32, 23), (tf.float16, 10), (tf.bfloat16, 7)],
)
def test_the_last_digit_may_be_called_zero(dtype, digits):
    question = ask("loss = k * u - u\n", dtype, 2.0, 1 + 2.0**-digits)
    assert question.number == 2.0**-digits
    assert mark(question, "0") == "right"


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_a_coarse_dtype_does_not_excuse_everything(dtype):
    question = ask("loss = k * u - u\n", dtype, 2.0, 1.25)
    assert question.number == 0.25
    assert mark(question, "0") != "right"


def test_what_may_be_rounding_is_not_said_to_be_zero():
    question = ask(SUMS, tf.float32, [1.0, 2.0, 3.0], [1 + 3e-7, 1 + 5e-7, 1 + 4e-7])
    assert "zero" in question.right
    assert question.truth == ("The largest is 4.768e−07 in size: rounding alone may leave as much")
    assert ask(SUMS, tf.float32, [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]).truth == "All are 0"
