"""What is asked before a report is shown: questions and their truths, marking, what is on the page."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import gradmagic
from gradmagic import show
from gradmagic.core.asking.marking import mark
from gradmagic.core.asking.questions import ask_run, count_left
from gradmagic.core.asking.records import Choice, Question
from gradmagic.render.asking.document import pack, write_quiz
from gradmagic.render.asking.report import render_asked, render_saved
from gradmagic.render.asking.text import ask_in_terminal, write_questions
from gradmagic.render.html import render_html

ANSWERS = json.loads(Path(__file__).with_name("answers.json").read_text("utf-8"))


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_marked(name):
    case = ANSWERS[name]
    question = Question(
        "0",
        "w",
        case["kind"],
        "?",
        tuple(Choice(value, value) for value in case["choices"]),
        right=tuple(case["right"]),
        number=case["number"],
    )
    for answer, verdict in case["cases"].items():
        assert mark(question, answer) == verdict, answer


X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
SETUP = f"""
x = tf.constant({X})
t = tf.constant([[1.0], [0.0], [1.0]])
w = tf.Variable([[0.5], [-0.3]])
b = tf.Variable([0.1])
c = tf.Variable(2.0)
unused = tf.Variable(1.0)
"""
LINEAR = "y = x @ w + b\nloss = tf.reduce_mean((y - t) ** 2) + 0.1 * c ** 2\n"


def run(body, *sources, setup=SETUP, **options):
    names = {"tf": tf}
    exec(setup, names)
    return gradmagic.gradtape(body, *sources, names=names, **options)


def ask(body, *sources, setup=SETUP, **options):
    return ask_run(run(body, *sources, setup=setup, **options))


def differentiate(body, *sources, setup=SETUP):
    """What TensorFlow's own tape gives, without this package."""
    names = {"tf": tf}
    exec(setup, names)
    with tf.GradientTape() as tape:
        exec(body, names)
    return [np.asarray(g) for g in tape.gradient(names["loss"], [names[n] for n in sources])]


def answer_all(question):
    """Each answer that can be given by pointing, with its verdict."""
    entries = (
        [",".join(map(str, at)) for at in np.ndindex(*question.shape)] if question.shape else []
    )
    values = [choice.value for choice in question.choices] + entries
    return {value: mark(question, value) for value in values}


def test_truths_are_those_of_the_tape():
    asked = ask(LINEAR, "w", "b", "c")
    dw, db, dc = differentiate(LINEAR, "w", "b", "c")
    assert [one.kind for one in asked] == ["entry", "choice", "number"]
    largest = f"{int(np.argmax(np.abs(dw)))},0"
    assert [value for value, verdict in answer_all(asked[0]).items() if verdict == "right"] == [
        largest
    ]
    assert asked[0].shape == (2, 1)
    assert asked[0].cells == ("0.5", "\u22120.3")
    right = "up" if db[0] > 0 else "down"
    assert [value for value, verdict in answer_all(asked[1]).items() if verdict == "right"] == [
        right
    ]
    assert mark(asked[2], f"{dc:.2g}") == "right"
    assert mark(asked[2], f"{2 * dc:.2g}") == "wrong"


def test_each_question_offers_that_there_is_no_gradient():
    for one in ask(LINEAR, "w", "b", "c", "unused"):
        assert "none" in [choice.value for choice in one.choices]


@pytest.mark.parametrize("source", ["unused", "far", "row"])
def test_none(source):
    setup = SETUP + "far = tf.Variable([[1.0, 2.0], [3.0, 4.0]])\nrow = tf.Variable([1.0, 2.0])\n"
    (asked,) = ask(LINEAR, source, setup=setup)
    right = [value for value, verdict in answer_all(asked).items() if verdict == "right"]
    assert right == ["none"]
    assert "None" in asked.truth
    assert asked.why  # the diagnosis


def test_zero_by_a_dead_relu():
    body = "h = tf.nn.relu(x @ w - 100.0)\nloss = tf.reduce_sum(h)\n"
    assert not differentiate(body, "w")[0].any()
    (asked,) = ask(body, "w")
    verdicts = answer_all(asked)
    assert verdicts["zero"] == verdicts["0,0"] == verdicts["1,0"] == "right"  # all are tied at 0
    assert verdicts["none"] == "wrong"


def test_a_zero_that_is_only_rounding_may_be_called_zero():
    setup = "s = tf.Variable(0.0)\nr = tf.constant([0.1, 0.6, -0.7])\n"
    body = "loss = tf.reduce_sum(r * s)\n"
    (truth,) = differentiate(body, "s", setup=setup)
    assert 0 < abs(truth) < 1e-7
    (asked,) = ask(body, "s", setup=setup)
    assert mark(asked, "0") == "right"
    (plain,) = ask("loss = 3e-8 * s\n", "s", setup=setup)
    assert mark(plain, "0") != "right"  # this is no rounding
    assert mark(plain, "3e-8") == "right"


def test_all_that_are_tied_are_right():
    setup = "w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])\n"
    (asked,) = ask("loss = 0.1 * tf.reduce_sum(w)\n", "w", setup=setup)
    verdicts = answer_all(asked)
    assert [value for value, verdict in verdicts.items() if verdict == "right"] == [
        "equal", "0,0", "0,1", "1,0", "1,1",
    ]  # fmt: skip
    signs = "k = tf.constant([[1.0, -5.0], [5.00001, 0.0]])\n"
    (asked,) = ask("loss = tf.reduce_sum(k * w)\n", "w", setup=setup + signs)
    verdicts = answer_all(asked)
    assert verdicts["0,1"] == verdicts["1,0"] == "right"
    assert verdicts["0,0"] == verdicts["1,1"] == verdicts["equal"] == "wrong"
    (asked,) = ask("loss = w[0, 0] - w[0, 1] + w[1, 0] - w[1, 1]\n", "w", setup=setup)
    verdicts = answer_all(asked)
    assert verdicts["0,0"] == verdicts["0,1"] == "right"
    assert verdicts["equal"] == "wrong"  # their signs differ


def test_nan_and_infinity():
    setup = "a = tf.Variable(0.0)\nv = tf.Variable([0.0, 1.0, 4.0])\n"
    body = "loss = tf.where(a > 0.0, tf.math.log(a), 0.0)\n"  # a finite loss
    assert np.isnan(differentiate(body, "a", setup=setup)[0])
    (asked,) = ask(body, "a", setup=setup)
    assert mark(asked, "NaN") == mark(asked, "bad") == "right"
    assert mark(asked, "0") == "wrong"
    (asked,) = ask("loss = tf.reduce_sum(tf.sqrt(v))\n", "v", setup=setup)
    verdicts = answer_all(asked)
    assert verdicts["bad"] == verdicts["0"] == "right"
    assert verdicts["1"] == "wrong"
    assert "sqrt" in " ".join(asked.why)


def test_a_larger_tensor_is_asked_its_shape_zeros_and_norm():
    setup = (
        "a = tf.Variable(tf.ones([20, 30]))\nb = tf.Variable(tf.zeros([30, 50]))\n"
        "c = tf.Variable(tf.ones([50, 60]))\nx = tf.ones([4, 20])\n"
    )
    body = "loss = tf.reduce_sum(x @ a @ b) + 0.5 * tf.reduce_sum(c)\n"
    shape, zeros, norms = ask(body, "a", "b", "c", setup=setup)
    assert shape.right == ("20x30",)
    assert {"30x20", "20x30", "none"} < {choice.value for choice in shape.choices}
    _da, db, dc = differentiate(body, "a", "b", "c", setup=setup)
    assert np.count_nonzero(db) == db.size
    assert zeros.right == ("no",)
    larger = "first" if np.linalg.norm(db) > np.linalg.norm(dc) else "second"
    assert norms.right == (larger,)


def test_jacobian_and_hessian_are_asked_their_shape():
    setup = "w = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])\n"
    (asked,) = ask("y = tf.linalg.matvec(w, [1.0, 2.0, 3.0])\n", "w", setup=setup, jacobian=True)
    assert asked.right == ("2x2x3",)
    assert len({choice.label for choice in asked.choices}) == len(asked.choices) >= 4
    *_first, hessian = ask("loss = tf.reduce_sum(w ** 3)\n", "w", setup=setup, hessian=True)
    assert hessian.right == ("6x6",)


def test_at_most_six_are_asked_and_the_rest_is_counted():
    setup = "".join(f"v{i} = tf.Variable({i}.0)\n" for i in range(9))
    body = "loss = " + " + ".join(f"v{i} * {i}.0" for i in range(9))
    record = run(body, *(f"v{i}" for i in range(9)), setup=setup)
    assert len(ask_run(record)) == 6
    assert count_left(record) == 3
    assert "3 more sources are not asked about." in render_asked(record, ask_run(record))


def test_the_chain_rule_says_why():
    (asked,) = ask("y = tf.sin(c) ** 2\nloss = 2.0 * y\n", "c")
    assert asked.why[0] == "d loss/d c = d loss/d y · d y/d sin(c) · d sin(c)/d c"
    factors = [2.0, 2 * np.sin(2.0), np.cos(2.0)]
    written = asked.why[1].replace("\u2212", "-").split("=")
    for factor, number in zip(factors, written[1].split("·"), strict=True):
        assert float(number) == pytest.approx(factor, rel=1e-3)
    assert any("cos" in line for line in asked.why[2:])


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_every_question_has_a_right_answer(data):
    """Whatever is differentiated: something that can be answered is right, and not everything."""
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (4, 1), (5, 20), (2, 2, 2)]))
    numbers = data.draw(
        st.lists(
            st.floats(-3, 3, width=32), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))
        )
    )
    body = data.draw(
        st.sampled_from([
            "loss = tf.reduce_sum(v)\n",
            "loss = tf.reduce_sum(v ** 2)\n",
            "loss = tf.reduce_mean(tf.nn.relu(v))\n",
            "loss = tf.reduce_sum(tf.sqrt(v))\n",
            "loss = tf.reduce_sum(tf.stop_gradient(v)) + o\n",
        ])
    )  # fmt: skip
    names = {"tf": tf, "o": tf.Variable(1.0)}
    names["v"] = tf.Variable(np.array(numbers, np.float32).reshape(shape))
    (asked,) = ask_run(gradmagic.gradtape(body, "v", names=names))
    verdicts = answer_all(asked)
    if asked.number is not None:
        assert mark(asked, repr(asked.number)) == "right"
    else:
        assert "right" in verdicts.values()
    assert "skipped" not in verdicts.values()
    if asked.kind == "choice":
        assert set(verdicts.values()) != {"right"}


def find_leaks(text, record):
    """The gradients' numbers that a text has, in any way they are written."""
    written = set()
    for one in record.gradients:
        for number in np.ravel(one.gradient.values) if one.gradient is not None else ():
            if abs(number) < 1000 and len(f"{abs(number):.4g}") > 4:
                written |= {f"{abs(number):.{digits}g}" for digits in (3, 4, 5)}
                written.add(f"{abs(number):.3f}")
    return [one for one in written if re.search(rf"(?<![\d.]){re.escape(one)}(?!\d)", text)]


def run_linear(*sources):
    """A run whose times are fixed: a page shows them, and one could be a gradient's number."""
    return replace(run(LINEAR, *sources), forward_seconds=0.002, backward_seconds=0.003)


def test_the_page_before_tells_no_gradient():
    record = run_linear("w", "b", "c", "unused")
    asked = ask_run(record)
    known, report = render_asked(record, asked), render_html(record)
    assert find_leaks(report, record)  # the full report does
    script = "const mountSavedAsked = 0;"
    for text in (
        known,
        render_saved(known, asked, report, script),
        render_saved(known, asked, report, script, '{"graph": -0.5333}'),
        write_questions(asked),
    ):
        assert not find_leaks(text, record)
        assert 'class="gm-alerts' not in text
        assert "gm-panel gm-gradients" not in text
        for one in asked:
            assert one.truth not in text
            assert not any(reason in text for reason in one.why)
            assert html.escape(one.text) in text or one.text[:40] in text
    assert "[[" not in write_questions(asked)


def test_the_veil_hides_and_is_undone():
    (question,) = write_quiz(ask("loss = 0.25 * c\n", "c"))["questions"]
    assert "0.25" not in json.dumps(question)
    mixed = base64.b64decode(question["veil"])
    truth = json.loads(bytes(byte ^ (73 * i + 41) % 256 for i, byte in enumerate(mixed)))
    assert truth["number"] == 0.25
    assert zlib.decompress(base64.b64decode(pack("梯度"))).decode() == "梯度"


def test_a_run_is_saved_so_that_it_asks(tmp_path):
    record = run_linear("w", "b", "c")
    gradmagic.save(record, tmp_path / "asked.html", ask=True)
    page = (tmp_path / "asked.html").read_text("utf-8")
    assert not find_leaks(page.split("<script", 1)[0], record)
    assert "mountAskedReport(" in page
    assert "://" not in page.replace("http://www.w3.org", "")
    gradmagic.save(record, tmp_path / "asked.txt", ask=True)
    assert not find_leaks((tmp_path / "asked.txt").read_text("utf-8"), record)
    gradmagic.save(record, tmp_path / "full.html")
    assert find_leaks((tmp_path / "full.html").read_text("utf-8"), record)
    with pytest.raises(ValueError, match="leave it out"):
        gradmagic.save(record.graph, tmp_path / "graph.svg", ask=True)


class Terminal(io.StringIO):
    """An input with somebody at it."""

    def isatty(self):
        return True


def ask_here(monkeypatch, capsys, lines, questions):
    monkeypatch.setattr("sys.stdin", Terminal(lines))
    guesses = []
    ask_in_terminal(questions, guesses.append)
    return [(one.value, one.verdict) for one in guesses], capsys.readouterr().out


def test_a_terminal_asks_line_by_line(monkeypatch, capsys):
    asked = ask(LINEAR, "w", "b", "c")
    guesses, text = ask_here(monkeypatch, capsys, "1,0\nb\nhm\n0.4\n", asked)
    assert guesses == [("1,0", "right"), ("down", "right"), ("0.4", "right")]
    assert "not a number that can be read" in text
    assert text.index("How large is d loss / d c") < text.index("d loss / d c = 0.4")
    assert max(map(len, text.splitlines())) <= 100


def test_an_empty_line_passes_over_and_the_end_of_input_ends(monkeypatch, capsys):
    asked = ask(LINEAR, "w", "b", "c")
    guesses, text = ask_here(monkeypatch, capsys, "\n", asked)
    assert guesses == [("", "skipped")]
    assert text.rstrip().endswith("No more questions.")


def test_ctrl_c_ends_the_questions(monkeypatch, capsys):
    def interrupt(_prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    guesses, text = ask_here(monkeypatch, capsys, "", ask(LINEAR, "w"))
    assert guesses == []
    assert text.rstrip().endswith("No more questions.")


def test_without_a_terminal_the_questions_are_printed_and_the_report(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("1,0\n"))
    show.show_run(run(LINEAR, "w"), None, ask=True)
    text = capsys.readouterr().out
    assert text.index("Which entry of w") < text.index("norm")


def test_the_reason_tells_the_number_after_each_op():
    y, out = tf.one_hot([1, 0], 2), tf.constant([[0.3, 0.2], [0.9, -0.4]])
    run = gradmagic.gradtape(
        "loss = tf.reduce_mean((y - out) ** 2)", "out", names={"tf": tf, "y": y, "out": out}
    )
    (question,) = ask_run(run)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(out)
        less = y - out
        square = less**2
        loss = tf.reduce_mean(square)
    said = "Up to here the product is "
    ends = [line.split(said)[1] for line in question.why if said in line]
    along = [float(tape.gradient(loss, one)[0, 1]) for one in (square, less, out)]
    assert ends == [f"{one:.4g} at [0, 1].".replace("-", "\u2212") for one in along]


def test_the_factors_of_every_path_are_told_with_their_numbers():
    code = "h = a * a\nloss = h**2 + 3.0 * h"
    (question,) = ask_run(gradmagic.gradtape(code, "a", names={"a": tf.constant(2.0)}))
    told = dict(line.split(": ", 1) for line in question.why if "Here it is" in line)
    numbers = {head: line.rpartition("Here it is ")[2] for head, line in told.items()}
    sums = [numbers.pop(head) for head in list(numbers) if head.startswith("d loss/d ")]
    assert sums == ["1."]  # of both additions one is told: there is room for four
    assert numbers == {"d (h²)/d h": "8.", "d h/d a": "4.", "d (3 · h)/d h": "3."}  # h is 4


def test_an_op_that_takes_a_source_twice_says_so():
    run = gradmagic.gradtape("loss = a * a", "a", names={"a": tf.constant(3.0)})
    (question,) = ask_run(run)
    (line,) = (line for line in question.why if "other factor" in line)
    assert line.endswith("More than one input is a: the parts add up. Here it is 6.")
    run = gradmagic.gradtape("loss = a * 3.0", "a", names={"a": tf.constant(3.0)})
    assert not any("More than one" in line for line in ask_run(run)[0].why)
