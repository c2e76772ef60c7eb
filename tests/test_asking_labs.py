"""%gradlosses --ask and %gradactivation --ask: the truths, what is out of sight, what is noted."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gradmagic
from gradmagic import activating, show, sidebar
from gradmagic.core import journal
from gradmagic.core.activations.asking import KNOWN_AT, ask_activations, find_largest, find_share
from gradmagic.core.asking.marking import mark
from gradmagic.core.losses.asking import ask_losses, find_larger, find_sign, find_size
from gradmagic.core.losses.panel import Origin, make_panel
from gradmagic.render.activations import document as activations_document
from gradmagic.render.losses import document as losses_document
from gradmagic.widgets.activation import ActivationWidget
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.losses import LossesWidget

if TYPE_CHECKING:
    from gradmagic.core.asking.records import Question

EPS = float(np.finfo(np.float32).eps)
CELL = """
import tensorflow as tf
y = tf.one_hot([1, 0], 3)
logits = tf.constant([[9.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
"""


def make(targets: Any, logits: Any, sample: int | None = None) -> Any:
    """A panel with a sample in hand."""
    return make_panel(gradmagic.compare_losses(targets, logits, True), Origin("y", "z"), sample)


def pick(questions: tuple[Question, ...], key: str) -> Question:
    """The question of a key."""
    (found,) = [one for one in questions if one.key == key]
    return found


def read_numbers(text: str) -> list[float]:
    """All numbers in a sentence."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", plain)]


# ---- the truths, against a tape that is written out here


@pytest.mark.parametrize(
    ("target", "row"),
    [
        (1, [9.0, 0.0, 1.0]),
        (0, [2.0, 1.0, 0.0]),
        (2, [-3.5, 0.25, 4.0]),
        (0, [0.0, 0.0]),
        (1, [3.0, -1.0]),
        (3, [8.0, 0.5, -4.0, -5.0]),
    ],
)
def test_the_losses_truths_are_the_tape_s(tf: Any, target: int, row: list[float]) -> None:
    y, z = tf.one_hot([target], len(row)), tf.constant([row])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        p = tf.nn.softmax(z)
        mse = tf.reduce_mean((y - p) ** 2)
        crossentropy = -tf.reduce_sum(y * tf.nn.log_softmax(z))
    g_mse = tape.gradient(mse, z).numpy()[0].astype(float)
    g_crossentropy = tape.gradient(crossentropy, z).numpy()[0].astype(float)
    norms = float(np.linalg.norm(g_crossentropy)), float(np.linalg.norm(g_mse))
    questions = ask_losses(make(y, z))
    larger, times, sign = (pick(questions, key) for key in ("larger", "times", "sign"))
    assert larger.right == ("crossentropy" if norms[0] > norms[1] else "mse",)
    assert not read_numbers(larger.truth)  # by how much is asked next
    p_true = float(p[0, target])
    expected = [target, p_true, 1, g_crossentropy[target]]
    np.testing.assert_allclose(read_numbers(larger.why[0]), expected, rtol=2e-3)
    ratio = norms[0] / norms[1]
    steps = {"same": (1, 2), "some": (2, 10), "many": (10, 1000), "more": (1000, np.inf)}
    (right,) = [key for key, (low, high) in steps.items() if low <= ratio < high]
    assert right in times.right
    assert read_numbers(times.truth)[0] == pytest.approx(ratio, rel=0.05)
    np.testing.assert_allclose(read_numbers(times.truth)[1:], norms, rtol=2e-3)
    shown = {f"{one:.4g}" for one in (norms[1], g_mse[target])}
    assert not shown & set(re.findall(r"[\d.]+", " ".join(larger.why)))
    assert sign.right == ("negative",)
    assert g_crossentropy[target] < 0
    assert read_numbers(sign.truth)[0] == pytest.approx(g_crossentropy[target], rel=1e-3)


def test_what_rounding_decides_is_never_wrong(tf: Any) -> None:
    exact = ask_losses(make(tf.one_hot([0], 2), tf.constant([[200.0, 0.0]])))  # p is the target
    assert pick(exact, "larger").right == ("equal",)
    assert pick(exact, "times").right == ("same",)
    assert pick(exact, "sign").right == ("zero",)
    assert find_larger(1.0, 1.0 + EPS, EPS) == ("mse", "equal")
    assert find_larger(1.0, 1.1, EPS) == ("mse",)
    assert find_larger(0.0, 0.0, EPS) == ("equal",)
    assert find_sign(-0.0, EPS) == ("zero",)
    assert find_sign(-EPS, EPS) == ("negative", "zero")
    assert find_sign(0.5, EPS) == ("positive",)


@pytest.mark.parametrize(
    ("ratio", "right"),
    [
        (1.0, ("same",)),
        (1.99, ("same", "some")),
        (2.0, ("same", "some")),
        (3.0, ("some",)),
        (10.2, ("some", "many")),
        (500.0, ("many",)),
        (1000.0, ("many", "more")),
        (1e9, ("more",)),
    ],
)
def test_how_many_times(ratio: float, right: tuple[str, ...]) -> None:
    assert find_size(ratio, 1.0) == right
    assert find_size(1.0, ratio) == right


def test_a_norm_that_is_0_alone(tf: Any) -> None:
    assert find_size(1.0, 0.0) == ("more",)
    assert find_size(0.0, 0.0) == ("same",)
    lost = ask_losses(make(tf.one_hot([0], 2), tf.constant([[-np.inf, 0.0]])))
    assert [one.right for one in lost] == [("crossentropy",), ("more",), ("negative",)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_logits_of_any_dtype(tf: Any, dtype: str) -> None:
    row = tf.cast([[9.0, 0.0, 1.0]], dtype)
    larger = pick(ask_losses(make(tf.one_hot([1], 3, dtype=dtype), row)), "larger")
    assert larger.right == ("crossentropy",)


@pytest.mark.parametrize("name", sorted(KNOWN_AT))
def test_a_number_to_type_is_the_tape_s(tf: Any, name: str) -> None:
    question = pick(ask_activations(gradmagic.activation(name)), "slope")
    x = tf.constant(KNOWN_AT[name], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = getattr(tf.nn, {"swish": "silu"}.get(name, name))(x)
    slope = float(tape.gradient(value, x))
    assert question.number == pytest.approx(slope, abs=1e-12)
    assert mark(question, f"{slope:.2f}") == "right"
    assert mark(question, "17") == "wrong"


def test_which_is_steepest_saturated_and_where(tf: Any) -> None:
    questions = ask_activations(gradmagic.activation("sigmoid", "tanh", "relu"))
    steepest, saturated = pick(questions, "steepest"), pick(questions, "saturated")
    x = tf.constant([3.0, 5.0], tf.float64)
    slopes = {}
    for function in (tf.sigmoid, tf.tanh, tf.nn.relu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        slopes[function.__name__] = tape.gradient(value, x).numpy()
    names = [choice.label for choice in steepest.choices]
    assert names == list(slopes)
    assert steepest.right == (str(int(np.argmax([abs(one[0]) for one in slopes.values()]))),)
    shown = read_numbers(steepest.truth)[1:]
    np.testing.assert_allclose(shown, [one[0] for one in slopes.values()], rtol=1e-3)
    assert (saturated.right == ("yes",)) == (abs(slopes["sigmoid"][1]) < 0.05)
    peak = pick(ask_activations(gradmagic.activation(tf.tanh)), "peak")
    assert [choice.label for choice in peak.choices] == [f"x = {x}" for x in ("−4", "−2", 0, 2, 4)]
    assert peak.right == ("2",)


def test_equal_slopes_are_all_right(tf: Any) -> None:
    both = ask_activations(gradmagic.activation("relu", "elu"))
    assert pick(both, "steepest").right == ("0", "1")
    assert find_largest([1.0, 1.0 - 1e-9, 0.5]) == [0, 1]
    edge = 0.006648056670790033  # sigmoid's slope at 5
    lab = gradmagic.activation("sigmoid", bound=edge)
    assert pick(ask_activations(lab), "saturated").right == ("yes", "no")


def test_a_convention_and_what_is_not_finite_are_not_asked(tf: Any) -> None:
    relu = gradmagic.activation("relu")
    peak = pick(ask_activations(relu), "peak")
    assert [choice.label for choice in peak.choices] == ["x = −4", "x = −2", "x = 2", "x = 4"]
    assert peak.right == ("2", "3")
    log = ask_activations(gradmagic.activation(tf.math.log))
    labels = [choice.label for choice in pick(log, "peak").choices]
    assert labels == ["x = 2", "x = 4"]  # not where log is NaN or infinite
    for question in log:
        assert "nan" not in question.truth.lower()
    far = ask_activations(gradmagic.activation("relu", "tanh", range=(10, 20)))
    assert [one.key for one in far] == ["steepest", "peak"]


def test_softmax_s_questions_are_the_jacobian_s(tf: Any) -> None:
    z = tf.constant([[2.0, 0.5, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        p = tf.nn.softmax(z)
    jacobian = tape.batch_jacobian(p, z).numpy()[0]
    sign, diagonal = ask_activations(gradmagic.activation("softmax"))
    assert sign.right == ("negative",)
    assert jacobian[1, 0] < 0
    assert read_numbers(sign.truth)[-1] == pytest.approx(jacobian[1, 0], rel=1e-3)
    assert diagonal.right == (str(int(np.argmax(np.diag(jacobian)))),)


def test_the_share_of_a_tensor(tf: Any) -> None:
    z = tf.constant([-9.0, -4.0, 0.0, 1.0, 9.0])
    lab = gradmagic.activation("sigmoid", of=z)
    question = pick(ask_activations(lab), "share")
    s = 1 / (1 + np.exp(-z.numpy().astype(float)))
    share = 100 * np.mean(s * (1 - s) < 0.05)
    assert read_numbers(question.truth)[0] == pytest.approx(share)
    (right,) = (choice.label for choice in question.choices if choice.value in question.right)
    low, high = read_numbers(right)
    assert low <= share <= high
    assert find_share(50.5) == ("2", "3")
    assert find_share(0.0) == ("0",)
    assert find_share(100.0) == ("5",)
    assert find_share(60.0) == ("3",)


def test_two_or_three_questions_and_always_the_same(tf: Any) -> None:
    z = tf.constant([-9.0, 1.0])
    for names in ([], ["sigmoid"], ["softmax"], ["relu", "softmax"], ["tanh", "elu", "gelu"]):
        for of in (None, z) if names != ["softmax"] else (None,):
            questions = ask_activations(gradmagic.activation(*names, of=of))
            assert 2 <= len(questions) <= 3
            assert questions == ask_activations(gradmagic.activation(*names, of=of))
            assert len({one.key for one in questions}) == len(questions)


# ---- out of sight


def drop_code(html: str) -> str:
    """The page without its scripts' code and style: what can be read, and the data."""
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r'<script type="module">.*?</script>', "", html, flags=re.DOTALL)


def unpack(html: str, name: str) -> dict[str, Any]:
    """What is held back on a page."""
    (text,) = re.findall(rf'<script type="application/json" {name}="\w+">(.*?)</script>', html)
    held = json.loads(text)["held"]
    return json.loads(zlib.decompress(base64.b64decode(held)))


def find_secrets(questions: tuple[Question, ...]) -> set[str]:
    """All that must not be read: the truths, the reasons, and their longer numbers.

    The probabilities may be known.
    """
    texts = [text for one in questions for text in (one.truth, *one.why)]
    numbers = {number for text in texts for number in re.findall(r"\d\.\d{3,}", text)}
    return {*texts, *numbers} - {"0.7856", "0.1753"}


def test_the_losses_page_holds_no_answer_before(tf: Any) -> None:
    panel = make(tf.one_hot([1, 0], 3), tf.constant([[9.0, 0.0, 1.0], [2.0, 1.0, 0.0]]))
    questions = ask_losses(panel)
    script = load_script("losses.js")
    page = losses_document.render_page(panel, script, questions)
    plain = losses_document.render_page(panel, script)
    shown = drop_code(page)
    for marker in ("gm-b-ce", "pull-ce", "confidently wrong", "part-race", '"block"', '"tables"'):
        assert marker in plain
        assert marker not in shown
    secrets = find_secrets(questions)
    assert len(secrets) > 8
    assert not [secret for secret in secrets if secret in shown]
    for fact in ("Sample 0: class 1 is the true one.", ">9.00<", ">0.9995<", questions[0].text):
        assert fact in shown
    held = unpack(page, "data-of")
    assert "confidently wrong" in held["html"]
    assert json.loads(held["numbers"])["tables"]
    assert len(page.encode()) < 500_000


def test_the_activations_page_holds_no_answer_before(tf: Any) -> None:
    lab = gradmagic.activation("sigmoid", "tanh", "softmax", of=tf.constant([-9.0, 0.5, 9.0]))
    questions = ask_activations(lab)
    script = load_script("activation.js")
    page = activations_document.render_page(lab, script, questions)
    plain = activations_document.render_page(lab, script)
    shown = drop_code(page)
    for marker in ("gm-chart-slope", 'data-k="rows"', "gm-jacobian", '"block"', "gm-flat", "best"):
        assert marker in plain
        assert marker not in shown
    assert not [secret for secret in find_secrets(questions) if secret in shown]
    for fact in ("gm-chart-value", ">sigmoid<", ">0.7856<", questions[0].text.partition(",")[0]):
        assert fact in shown
    held = unpack(page, "data-numbers")
    assert "gm-chart-slope" in held["html"]
    assert json.loads(held["numbers"])["block"]


@pytest.fixture
def outputs(monkeypatch: Any, shell: Any) -> Any:
    """The outputs of a shell with a kernel; its panels are closed afterwards."""
    sent: list[Any] = []
    monkeypatch.setattr(show, "_publish", sent.append)
    monkeypatch.setattr(show, "_widgets", type(show._widgets)())
    monkeypatch.setattr(sidebar, "_followers", {})
    monkeypatch.setattr(sidebar, "_side", None)
    monkeypatch.setattr(journal, "_guesses", {})
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    yield sent
    for key in list(show._widgets):
        show._close_widget(key)


def run(shell: Any, text: str) -> None:
    shell.run_cell(text, silent=False).raise_error()


def guess(widget: Any, key: str, value: str) -> None:
    """A message from the browser."""
    widget._hear(widget, {"kind": "guess", "key": key, "value": value}, [])


@pytest.mark.parametrize("line", ["%gradlosses y logits", "%gradactivation sigmoid tanh softmax"])
def test_a_line_asks_only_with_ask(shell: Any, outputs: Any, line: str) -> None:
    run(shell, CELL)
    run(shell, f"{line} --ask")
    (static, _live), (widget,) = outputs[-2:], show._widgets.values()
    questions = widget._questions
    assert widget.is_waiting()
    assert len(widget.quiz["questions"]) == len(questions)
    secrets = find_secrets(questions)
    for seen in (static["text/plain"], drop_code(static["text/html"]), widget.facts):
        assert not [secret for secret in secrets if secret in seen]
        assert questions[0].text in seen.replace("\n   ", " ").replace("&lt;", "<")
    assert not [secret for secret in secrets if secret in json.dumps(widget.quiz)]
    for told in ("pulls", "pull ratio", "df/dx", "saturated: |"):
        assert told not in static["text/plain"]
    run(shell, line)
    widget = list(show._widgets.values())[-1]
    assert not widget.is_waiting()
    assert widget.quiz == {}
    assert widget.facts == ""


def test_guesses_are_noted_with_their_verdicts(shell: Any, outputs: Any) -> None:
    run(shell, CELL)
    run(shell, "%gradlosses y logits --ask")
    (widget,) = show._widgets.values()
    entry = journal._entries[-1]
    assert entry.questions == widget._questions
    assert "confidently wrong" in entry.html  # a page that is exported shows it after the guesses
    assert "confidently wrong" in entry.text
    guess(widget, "larger", "mse")
    guess(widget, "no such", "mse")
    assert widget.is_waiting()
    guess(widget, "times", "more")
    guess(widget, "sign", "")
    assert not widget.is_waiting()
    noted = [(one.question.key, one.value, one.verdict) for one in journal.list_guesses(entry)]
    assert noted == [
        ("larger", "mse", "wrong"),
        ("times", "more", "right"),
        ("sign", "", "skipped"),
    ]
    assert widget.given == {"larger": "mse", "times": "more", "sign": ""}


def test_activations_note_guesses_too(shell: Any, outputs: Any) -> None:
    run(shell, "%gradactivation relu softmax --ask")
    (widget,) = show._widgets.values()
    guess(widget, "slope", "0")
    assert [one.verdict for one in journal.list_guesses(journal._entries[-1])] == ["right"]


def test_what_follows_the_notebook_asks_once(shell: Any, outputs: Any) -> None:
    run(shell, CELL)
    run(shell, "%gradlosses y logits --ask")
    (widget,) = show._widgets.values()
    first = widget.quiz
    guess(widget, "larger", "mse")
    sidebar.follow_cells()  # nothing new
    assert widget.quiz == first
    assert widget.given == {"larger": "mse"}
    run(shell, "logits = logits * 1.0")  # the same numbers in a new tensor
    sidebar.follow_cells()
    assert widget.quiz == first
    assert widget.given == {"larger": "mse"}
    run(shell, "logits = logits + tf.constant([[0.0, 5.0, 0.0]])")  # others: asked about them
    sidebar.follow_cells()
    assert widget.quiz != first
    assert widget.given == {}
    assert "5.00" in widget.facts
    for question in widget._questions:
        guess(widget, question.key, "")
    run(shell, "logits = logits * 0.5")
    sidebar.follow_cells()
    assert widget.quiz == {}
    assert not widget.is_waiting()
    run(shell, "%gradlosses y logits --ask")  # the line again: asked again
    assert list(show._widgets.values())[-1].is_waiting()


def test_in_a_terminal_the_questions_come_first(shell: Any, capsys: Any) -> None:
    run(shell, CELL)
    capsys.readouterr()
    sidebar.show_losses(sidebar.Asked("y", "logits", ask=True), shell, "key")
    said = capsys.readouterr().out
    assert said.index("class 1 is the true one") < said.index("Which loss has the larger")
    assert said.index("Which loss has the larger") < said.index("confidently wrong")
    activating.show_activations(activating.AskedActivations(("relu",), ask=True), shell, "key")
    said = capsys.readouterr().out
    assert said.index("derivative of relu at x") < said.index("df/dx")


def test_a_widget_alone_asks(tf: Any) -> None:
    lab = gradmagic.activation("sigmoid")
    assert ActivationWidget(lab).quiz == {}
    assert ActivationWidget(lab, ask_activations(lab)).is_waiting()
    panel = make(tf.one_hot([1], 2), tf.constant([[1.0, 0.0]]))
    asked = LossesWidget(panel, print, print, place="cell", owner="", ask=True)
    assert asked.is_waiting()
    asked.close()


def test_records_are_saved_asking(tf: Any, tmp_path: Any) -> None:
    comparison = gradmagic.compare_losses([1, 0], tf.constant([[9.0, 0.0, 1.0], [2.0, 1.0, 0.0]]))
    lab = gradmagic.activation("sigmoid", "tanh")
    for record, told in ((comparison, "confidently wrong"), (lab, "gm-chart-slope")):
        gradmagic.save(record, tmp_path / "asked.html", ask=True)
        shown = drop_code((tmp_path / "asked.html").read_text("utf-8"))
        assert told not in shown
        assert "gm-held" in shown
        gradmagic.save(record, tmp_path / "asked.txt", ask=True)
        text = (tmp_path / "asked.txt").read_text("utf-8")
        assert "1. Which" in text
        for secret in ("pulls", "df/dx"):
            assert secret not in text


def test_records_are_displayed_asking(tf: Any, shell: Any, capsys: Any) -> None:
    comparison = gradmagic.compare_losses([1], tf.constant([[9.0, 0.0, 1.0]]))
    gradmagic.display(comparison, ask=True)
    assert "1. Which loss" in capsys.readouterr().out
    gradmagic.display(gradmagic.activation("relu"), ask=True)
    assert "derivative of relu at x" in capsys.readouterr().out
