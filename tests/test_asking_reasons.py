"""Why a gradient is what it is: the rule of the input that is asked about, and its parts."""

from __future__ import annotations

import pytest
import tensorflow as tf

import gradmagic
from gradmagic.core.asking.questions import ask_run


def ask(body, *sources, **made):
    names = {"tf": tf, **made}
    return {one.subject: one for one in ask_run(gradmagic.gradtape(body, *sources, names=names))}


def variables():
    return {
        "a": tf.Variable(3.0),
        "b": tf.Variable(2.0),
        "c": tf.Variable([1.0, 2.0, 3.0]),
        "d": tf.Variable([4.0, 5.0, 6.0]),
    }


@pytest.mark.parametrize(
    ("expression", "first", "second"),
    [
        ("a / b", "divided by the divisor.", "divided by the divisor squared."),
        ("a - b", "subtracted from gets", "What is subtracted gets"),
        ("a ** b", "one power less.", "logarithm of the base."),
        ("tf.math.mod(a, b)", "as the dividend does", "how often the divisor"),
        ("tf.math.xlogy(a, b)", "logarithm of the second", "the first divided by the second"),
    ],
)
def test_each_input_is_told_its_own_rule(expression, first, second):
    made = variables()
    both = ask(f"loss = {expression}", "a", "b", **made)
    for name, words, other in (("a", first, second), ("b", second, first)):
        said = " ".join(both[name].why)
        assert words in said
        assert other not in said
        assert both[name].why == ask(f"loss = {expression}", name, **made)[name].why


def test_each_input_is_told_its_own_rule_on_a_longer_path():
    asked = ask("loss = tf.reduce_mean((c - d) ** 2)", "c", "d", **variables())
    assert "What is subtracted from gets the gradient unchanged." in " ".join(asked["c"].why)
    assert "What is subtracted gets the gradient with the other sign." in " ".join(asked["d"].why)
    asked = ask("loss = tf.reduce_sum(tf.where(c > 1.5, c, d))", "c", "d", **variables())
    assert "Where the condition is true, the gradient goes here" in " ".join(asked["c"].why)
    assert "Where the condition is false, the gradient goes here" in " ".join(asked["d"].why)


TWICE = "More than one input is {}: the parts add up."


@pytest.mark.parametrize("make", [tf.Variable, tf.constant])
def test_of_a_source_taken_twice_the_parts_add_up(make):
    product = ask("loss = a * a * b", "a", "b", a=make(3.0), b=make(2.0))
    assert product["a"].why[-1].endswith(f"other factor. {TWICE.format('a')} Here it is 6.")
    assert not any("More than one" in line for line in product["b"].why)
    (asked,) = ask("loss = a + a", "a", a=make(3.0)).values()
    assert asked.why[-1].endswith(f"unchanged. {TWICE.format('a')} Here it is 2.")
    body = "loss = tf.reduce_sum(tf.add_n([c, d, c]) ** 2)"
    added = ask(body, "c", "d", c=make([1.0, 2.0]), d=make([4.0, 5.0]))
    assert TWICE.format("c") in " ".join(added["c"].why)
    assert not any("More than one" in line for line in added["d"].why)  # d is taken once


def test_inputs_of_two_rules_are_told_both():
    (asked,) = ask("loss = a / a + a", "a", a=tf.Variable(3.0)).values()
    (line,) = (line for line in asked.why if "divisor squared" in line)
    assert "gradient divided by the divisor. Minus the upstream" in line
    assert f"{TWICE.format('a')} Here it is 0." in line


def test_of_a_chain_too_long_to_write_the_parts_add_up_too():
    body = "h = a + a\nfor i in range(20):\n    h = h * b\nloss = h\n"
    (line,) = ask(body, "a", **variables())["a"].why
    assert line.endswith(f"unchanged. {TWICE.format('a')}")


def test_a_step_of_two_paths_is_told_no_product_of_one():
    body = "h = c * d\nloss = tf.reduce_sum(tf.sin(h) + tf.cos(h))\n"
    said = ask(body, "c", "d", **variables())["c"].why
    (shared,) = (line for line in said if line.startswith("d h/d c: "))
    assert "product" not in shared
    (own,) = (line for line in said if line.startswith("d sin(h)/d h: "))
    assert "Up to here the product is" in own
