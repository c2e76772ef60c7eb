"""The report in a terminal."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import DB, DW, B, W, make_gradient, make_lesson, make_run, make_summary

from gradmagic.core.records import CodeLine, Diagnosis, Hessian
from gradmagic.render.lettering import count_columns
from gradmagic.render.text import render_text

LESSON = """\
loss = 0.8653 nats                                                                 d loss / d [w, b]
  target: loss, because the cell assigns it (line 3)
  22 ops, forward 56.0 ms, backward 11.0 ms (first run: TensorFlow warms up)

w  [4, 3] float32
  value                         gradient, d loss / d w
  [[-2.273  -1.659  -0.263]     [[ 0.141   0.030  -0.170]
   [-0.809   1.029   0.019]      [-0.206   0.112   0.095]
   [ 0.964   1.136   0.079]      [ 0.118  -0.034  -0.084]
   [ 0.930   0.192   0.770]]     [-0.352   0.253   0.100]]
  Raise w[3, 0] by 0.01 and the loss falls by about 0.0035; no other entry of w moves it more.
  Gradient descent would raise w[3, 0].

b  [3] float32
  value                    gradient, d loss / d b
  [0.000  0.000  0.000]    [-0.244   0.285  -0.040]
  Raise b[1] by 0.01 and the loss rises by about 0.0028; no other entry of b moves it more. Gradient
  descent would lower b[1].

per-sample losses: 0.5644, 1.166; the target is their mean
"""


def test_the_lesson():
    assert render_text(make_lesson()) == LESSON


def test_large_arrays_as_statistics():
    rng = np.random.default_rng(0)
    text = render_text(
        make_run(make_gradient("w", rng.normal(size=(784, 10)), rng.normal(size=(784, 10))))
    )
    for name in ("norm", "mean", "min", "max", "zeros", "NaN", "Inf"):
        assert f"  {name}  " in text
    assert "0 %" in text


def test_none_and_its_reason():
    known = Diagnosis(
        "not-used", "w", None, None, "loss does not depend on w.", "loss = f(w)\nx = 1"
    )
    text = render_text(make_run(make_gradient("w", W, None), diagnoses=(known,)))
    assert "  [[-2.273  -1.659  -0.263]     None\n" in text
    assert (
        "\n\n! w: no gradient: not used\n  loss does not depend on w.\n"
        "  type at the top of the cell:\n    loss = f(w)\n    x = 1\n\nw  [4, 3] float32\n"
    ) in text
    other = Diagnosis("nan-gradient", "loss", 3, None, "The loss is NaN.", "")
    assert "\n! line 3: loss: NaN comes from here\n  The loss is NaN.\n" in render_text(
        make_run(make_gradient("w", W, DW), diagnoses=(other,))
    )


def test_diagnoses_stand_on_top_worst_first_and_once():
    many = [
        Diagnosis("not-used", f"w{i}", None, None, f"loss does not depend on w{i}.", "")
        for i in range(5)
    ]
    first = Diagnosis(
        "left-tensorflow", "v", 2, "np.sin(v)", "np.sin(v) is NumPy.", "y = tf.sin(v)"
    )
    gradients = [make_gradient(one.subject, B, None) for one in (first, *many)]
    text = render_text(make_run(*gradients, diagnoses=(first, *many)))
    assert (
        "! line 2: v: no gradient: left TensorFlow\n  np.sin(v) is NumPy.\n"
        "  type in place of line 2:\n    y = tf.sin(v)\n"
        "! w0, w1 and 3 more: no gradient: not used\n"
        "  loss does not depend on w0. The same holds for w1, w2 and 2 more.\n\n"
    ) in text
    assert text.count("loss does not depend") == 1
    assert "gradients are None" not in text  # each is explained


def test_diagnoses_beyond_the_first_are_counted():
    found = tuple(
        Diagnosis("not-used", "w", line, None, f"Not on line {line}.", "") for line in range(20)
    )
    text = render_text(make_run(make_gradient("w", W, None), diagnoses=found))
    assert "! 8 more are in gradmagic.last_run().diagnoses." in text


def test_wide_characters_keep_the_columns():
    text = render_text(make_run(make_gradient("权重", B, DB), name="损失"))
    lines = text.splitlines()
    assert count_columns(lines[0]) == 100
    at = lines.index("  value                    gradient, d 损失 / d 权重")
    assert lines[at + 1] == "  [0.000  0.000  0.000]    [-0.244   0.285  -0.040]"


@pytest.mark.parametrize(
    "name", ["w", "a" * 300, "权" * 90, "<img src=x onerror=alert(1)>" * 3, "a\nb\x1b[31m"]
)
def test_no_line_is_wider_than_100_columns(name):
    rng = np.random.default_rng(0)
    run = make_run(
        make_gradient(name, rng.normal(size=(12, 12)) * 1e5, rng.normal(size=(12, 12)) * 1e-9),
        make_gradient(f"{name}2", np.ones(1000), None),
        make_gradient("s", np.array([b"x" * 200]), None),
        *(make_gradient(f"{name}{i}", np.ones((3, 3)), None) for i in range(3, 300)),
        name=name,
        diagnoses=(Diagnosis("x", name, 1, None, "word" * 100, ""),),
        hessian=Hessian(np.eye(3), (name, name, name), (1, 1, 1)),
        lines=(CodeLine("x" * 500, 1),),
    )
    text = render_text(run)
    for line in text.splitlines():
        assert count_columns(line) <= 100, line
    assert "\x1b" not in text
    assert len(text) < 40_000


def test_hyphens_are_plain():
    assert "\u2212" not in render_text(make_lesson())


def test_odd_tensors():
    rows = make_summary(np.ones((2, 3)), shape=(100, 3), layout="slices", rows=(3, 7))
    run = make_run(
        make_gradient("emb", np.ones((100, 3)), rows),
        make_gradient("e", np.zeros((0, 3)), np.zeros((0, 3))),
        make_gradient("z", np.array([1 + 2j]), np.array([3 - 4j])),
        make_gradient("h", np.float32(3), np.float32(np.nan)),
        make_gradient("r3", np.ones((2, 2, 2)), np.ones((2, 2, 2))),
    )
    text = render_text(run)
    for words in (
        "2 rows of 100 touched: rows 3, 7;",
        "no entries",
        "[1.00 + 2.00i]",
        "The gradient is NaN.",
    ):
        assert words in text


def test_history_and_hessian():
    run = make_lesson(history=(1.0, 0.8653), hessian=Hessian(np.eye(2), ("w", "b"), (1, 1)))
    text = render_text(run)
    assert "Run 2 is lower than the one before by 0.135." in text
    assert "Hessian over w, b, [2, 2]\n  [[1.000  0.000]\n   [0.000  1.000]]" in text
