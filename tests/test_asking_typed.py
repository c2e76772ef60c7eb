"""What is typed in a terminal: letters, labels, indices; what is none of them is asked again."""

from __future__ import annotations

import io

import pytest
import tensorflow as tf

import gradmagic
from gradmagic.core.activations.asking import ask_activations
from gradmagic.core.asking.questions import ask_run
from gradmagic.core.asking.records import Choice, Question
from gradmagic.render.asking.text import ask_in_terminal, write_questions
from gradmagic.render.asking.typed import list_letters


class Terminal(io.StringIO):
    """An input with somebody at it."""

    def isatty(self):
        return True


@pytest.fixture
def type_in(monkeypatch, capsys):
    """Types lines for one question; gives the guess, and what was asked again."""

    def answer(question, *lines):
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in (*lines, ""))))
        guesses = []
        ask_in_terminal([question], guesses.append)
        (one,) = guesses
        return one.value, one.verdict, capsys.readouterr().out

    return answer


def pick(questions, key):
    (found,) = (one for one in questions if one.key == key)
    return found


@pytest.fixture
def peak():
    return pick(ask_activations(gradmagic.activation("sigmoid")), "peak")


@pytest.mark.parametrize("typed", ["0", "x = 0", "x=0", "c", "C", "c)", "\uff10"])
def test_a_label_may_be_typed(peak, type_in, typed):
    assert type_in(peak, typed)[1] == "right"


@pytest.mark.parametrize("typed", ["2", "x = 2", "-4", "−4", "x = -4", "a"])
def test_another_label_is_wrong(peak, type_in, typed):
    assert type_in(peak, typed)[1] == "wrong"


@pytest.mark.parametrize("typed", ["1", "3", "x", "=", "5", "-2 0"])
def test_what_stands_for_a_choice_inside_is_no_answer(peak, type_in, typed):
    assert {"1", "3"} <= {choice.value for choice in peak.choices}
    value, verdict, said = type_in(peak, typed)
    assert (value, verdict) == ("", "skipped")
    assert "Type one of the letters." in said


def test_a_number_is_no_share(type_in):
    lab = gradmagic.activation("sigmoid", of=tf.constant([-9.0, 9.0]))
    share = pick(ask_activations(lab), "share")
    assert share.right == ("5",)
    value, verdict, said = type_in(share, "5", "90 to 100%")
    assert (value, verdict) == ("5", "right")
    assert said.count("Type one of the letters.") == 1


def test_what_stands_before_a_colon_may_be_typed(type_in):
    body, names = (
        "loss = tf.reduce_sum(w)",
        {"tf": tf, "w": tf.Variable([1.0]), "u": tf.Variable([1.0])},
    )
    grows, none = ask_run(gradmagic.gradtape(body, "w", "u", names=names))
    assert type_in(grows, "it grows")[:2] == ("up", "right")
    assert type_in(grows, "up")[:2] == ("", "skipped")
    assert type_in(none, "None")[:2] == ("none", "right")


def test_no_letter_is_another_choice_s_label(type_in):
    choices = (Choice("first", "b"), Choice("second", "a"), Choice("equal", "Both alike"))
    question = Question("0", "a", "choice", "?", choices, right=("second",), truth="!")
    assert list_letters(question) == ["c", "d", "e"]
    assert "c) b\n   d) a\n   e) Both" in write_questions([question])
    assert type_in(question, "a")[:2] == type_in(question, "d")[:2] == ("second", "right")
    assert type_in(question, "b")[:2] == type_in(question, "c")[:2] == ("first", "wrong")


def test_two_labels_alike_but_for_capitals_are_asked_again(type_in):
    choices = (Choice("first", "W"), Choice("second", "w"))
    question = Question("0", "w", "choice", "?", choices, right=("first",), truth="!")
    assert type_in(question, "w", "a")[:2] == ("first", "right")


def make_entry(*shape):
    choices = (Choice("equal", "All"), Choice("none", "None: there is no gradient"))
    right = ",".join(str(size - 1) for size in shape)
    cells = ("0",) * int(tf.reduce_prod(shape))
    return Question("0", "w", "entry", "?", choices, shape, cells, (right,), truth="!")


@pytest.mark.parametrize(
    "typed", ["1,1", "1 1", "1, 1", " 1 , 1 ", "[1, 1]", "(1 1)", "w[1, 1]", "1，1", "1、1", "01,01", "\uff11 \uff11"]
)  # fmt: skip
def test_an_index_may_be_typed_in_many_ways(type_in, typed):
    assert type_in(make_entry(2, 2), typed)[:2] == ("1,1", "right")


@pytest.mark.parametrize(
    "typed", ["11", "1", "5,5", "1,2", "1,1,1", "-1,1", "1.1", "1,,1", "", "[]"]
)
def test_an_index_that_is_none_is_asked_again(type_in, typed):
    value, verdict, said = type_in(make_entry(2, 2), typed)
    assert (value, verdict) == ("", "skipped")
    assert ("Type the entry's index, such as 0,0" in said) is bool(typed)


def test_an_index_has_a_number_for_each_axis(type_in):
    assert type_in(make_entry(3, 1), "2")[:2] == ("", "skipped")
    assert type_in(make_entry(3, 1), "2 0")[:2] == ("2,0", "right")
    assert type_in(make_entry(3), "2")[:2] == ("2", "right")
    assert type_in(make_entry(3), "none")[:2] == ("none", "wrong")
