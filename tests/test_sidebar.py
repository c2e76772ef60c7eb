"""%gradlosses: what it takes, where it shows, and how it follows the notebook."""

from __future__ import annotations

import asyncio
import gc
import weakref

import numpy as np
import pytest
from IPython.core.error import UsageError

import gradmagic
from gradmagic import show, sidebar
from gradmagic.widgets.losses import LossesWidget
from gradmagic.widgets.views import VIEW_TYPE

SET_UP = """
import tensorflow as tf
y = tf.one_hot([1, 0], 3)
logits = tf.constant([[9.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
"""


@pytest.fixture
def outputs(monkeypatch, shell):
    """The outputs of a shell with a kernel; its panels are closed afterwards."""
    sent = []
    monkeypatch.setattr(show, "_publish", sent.append)
    monkeypatch.setattr(show, "_widgets", type(show._widgets)())
    monkeypatch.setattr(sidebar, "_followers", {})
    monkeypatch.setattr(sidebar, "_side", None)
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    yield sent
    for key in list(show._widgets):
        show._close_widget(key)


def run(shell, text):
    result = shell.run_cell(text, silent=False)
    result.raise_error()


def find_widget():
    (follower,) = sidebar._followers.values()
    return follower.widget


def ask(widget, **question):
    """A message from the browser."""
    widget._hear(widget, {"version": widget._version, **question}, [])


@pytest.fixture
def opened(shell, outputs):
    """A shell in which a panel is open."""
    run(shell, SET_UP)
    run(shell, "%gradlosses y logits")
    return find_widget()


def test_it_sends_a_static_panel_and_a_live_one(opened, outputs):
    first, second = outputs
    assert "confidently wrong" in first["text/plain"]
    assert first["text/html"].startswith('<div class="gm-static gm-waiting">')
    assert len(first["text/html"].encode()) < 500_000
    assert second[VIEW_TYPE]["model_id"] == opened.model_id
    assert opened.place == "side"


def test_inline_and_overrides(shell, outputs):
    run(shell, SET_UP)
    run(shell, "%gradlosses y tf.nn.softmax(logits) --probabilities --inline")
    widget = find_widget()
    assert widget.place == "cell"
    assert widget.panel.comparison.batch.kind == "probabilities"
    assert widget.panel.origin.predictions == "tf.nn.softmax(logits)"


def test_expressions_may_have_spaces(shell, outputs):
    run(shell, SET_UP)
    run(shell, '%gradlosses tf.one_hot([1, 0], 3) "logits * 2" --from-logits')
    origin = find_widget().panel.origin
    assert (origin.targets, origin.predictions) == ("tf.one_hot([1, 0], 3)", "logits * 2")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("y", "give targets and predictions, or neither"),
        ("y logits y", "give targets and predictions, or neither"),
        ("y nothing", "there is no nothing; run the cell that makes it"),
        ("y logits[", r"'logits\[' cannot be evaluated: SyntaxError"),
        ("y 1/0", "'1/0' cannot be evaluated: ZeroDivisionError"),
        ("y logits --form-logits", "no option --form-logits; did you mean --from-logits"),
        ("[5] logits[:1]", "target 0 is 5"),
        ("y logits --sources w", "there is no w"),
        ("y logits --sources logits", "no path from logits|gone or used up|no cell has run"),
    ],
)
def test_a_bad_line_gets_one_line_and_leaves_nothing(shell, outputs, line, words):
    run(shell, SET_UP)
    with pytest.raises(UsageError, match=words):
        run(shell, f"%gradlosses {line}")
    assert not outputs
    assert not sidebar._followers
    assert not show._widgets


def test_without_arguments_it_takes_what_the_last_cell_compares(shell, outputs):
    run(shell, SET_UP)
    cell = """%%gradtape w -q
w = tf.ones([3])
prob = tf.nn.softmax(logits * w)
loss = tf.reduce_mean(tf.losses.MSE(y, prob))"""
    run(shell, cell)
    run(shell, "%gradlosses --sources w")
    panel = find_widget().panel
    assert panel.origin.targets == "y"
    assert "Found in the last %%gradtape cell, line 4" in panel.origin.found
    w = shell.user_ns["grads"]["w"]
    np.testing.assert_allclose(panel.comparison.sources[0].mse_gradient, w, atol=1e-7)


def test_without_arguments_before_any_run_it_says_so(shell, outputs, monkeypatch):
    from gradmagic.core import runs

    monkeypatch.setattr(runs, "_last", None)
    with pytest.raises(UsageError, match="no cell has run under %%gradtape yet"):
        run(shell, "%gradlosses")


# Following the notebook.


def test_it_follows_the_cell_that_makes_the_tensors(shell, opened):
    before = opened.html
    run(shell, "z = 1")
    assert opened.html == before
    run(shell, "logits = tf.constant([[0.0, 9.0, 1.0], [2.0, 1.0, 0.0]])")
    assert opened.html != before
    assert opened.panel.comparison.accuracy == 1
    np.testing.assert_array_equal(opened.panel.comparison.logits, shell.user_ns["logits"])


def test_it_follows_later_runs_under_the_tape(shell, outputs):
    run(shell, SET_UP)
    cell = """%%gradtape w -q
w = tf.constant({})
loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits * w, from_logits=True))"""
    run(shell, cell.format(1.0))
    run(shell, "%gradlosses")
    widget = find_widget()
    first = widget.panel.comparison.crossentropy
    run(shell, cell.format(-1.0))
    assert widget.panel.comparison.crossentropy != first
    assert np.isclose(widget.panel.comparison.crossentropy, float(gradmagic.last_run().loss))


def test_the_sample_in_hand_stays_in_hand(shell, opened):
    ask(opened, kind="sample", sample=1, number=1)
    run(shell, "logits = logits + 1")
    assert opened.panel.hand.tables.setting.sample == 1


def test_tensors_that_do_not_fit_any_more_are_named_and_the_last_stay(shell, opened):
    run(shell, "logits = tf.zeros([2, 5])")
    assert "do not fit" in opened.error
    assert opened.panel.comparison.logits.shape == [2, 3]
    run(shell, "del logits")
    assert "there is no logits" in opened.error
    run(shell, "logits = tf.ones([2, 3]) * 3.0")
    assert opened.error == ""


def test_a_cell_that_fails_does_not_stop_it(shell, opened):
    result = shell.run_cell("logits = logits * 2\n1 / 0", silent=False)
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    np.testing.assert_array_equal(opened.panel.comparison.logits, shell.user_ns["logits"])


def test_expressions_are_not_evaluated_after_every_cell(shell, outputs):
    run(shell, SET_UP)
    run(shell, "calls = []\ndef predict():\n    calls.append(1)\n    return logits")
    run(shell, "%gradlosses y predict()")
    run(shell, "a = 1")
    run(shell, "a = 2")
    assert shell.user_ns["calls"] == [1]


def test_what_nobody_sees_is_not_computed_until_it_is_seen_again(shell, opened):
    ask(opened, kind="shown")
    ask(opened, kind="hidden")
    before = opened.html
    run(shell, "logits = logits * 2")
    assert opened.html == before
    ask(opened, kind="shown")
    np.testing.assert_array_equal(opened.panel.comparison.logits, shell.user_ns["logits"])
    run(shell, "logits = logits * 2")
    np.testing.assert_array_equal(opened.panel.comparison.logits, shell.user_ns["logits"])


def test_running_the_line_again_replaces_its_panel(shell, opened):
    run(shell, "%gradlosses y logits")
    assert find_widget() is not opened
    assert opened.comm is None
    assert len(show._widgets) == 1


def test_unloading_stops_it(shell, opened):
    shell.run_line_magic("unload_ext", "gradmagic")
    before = opened.html
    run(shell, "logits = logits * 3")
    assert opened.html == before
    assert "gradlosses" not in shell.magics_manager.magics["line"]


def test_a_closed_panel_is_let_go(shell, outputs):
    run(shell, SET_UP)
    run(shell, "%gradlosses y logits")
    held = weakref.ref(find_widget())
    run(shell, "%gradlosses y logits")  # another takes its place
    gc.collect()
    assert held() is None


def test_two_lines_of_one_cell_are_two_panels(shell, outputs, monkeypatch):
    run(shell, SET_UP)
    parent = {"metadata": {"cellId": "one"}}
    monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
    for _ in range(2):  # and stay two when the cell is run again
        run(shell, "%gradlosses y logits\n%gradlosses [1, 0] logits*2")
        assert len(sidebar._followers) == len(show._widgets) == 2


# What the browser asks.


def test_another_sample_comes_with_its_tables(opened):
    block = opened.block
    ask(opened, kind="sample", sample=1, number=7)
    assert (opened.header["answer"], opened.header["sample"]) == (7, 1)
    assert opened.block != block


def test_a_moved_slider_becomes_the_place_of_the_tables(opened):
    value = float(opened.panel.hand.tables.sliders[1].positions[100])
    ask(opened, kind="move", sample=0, slider=1, value=value, number=1)
    tables = opened.panel.hand.tables
    assert tables.logits[1] == value
    assert opened.header["moved"]


@pytest.mark.parametrize(
    "question",
    [
        {"kind": "move", "sample": 1, "slider": 0, "value": 3.0},
        {"kind": "sample", "sample": 1, "version": -1},
    ],
)
def test_what_cannot_be_answered_is_answered_at_once(opened, monkeypatch, question):
    sent = []
    monkeypatch.setattr(opened, "send", lambda content, buffers=None: sent.append(content))
    ask(opened, **question, number=3)
    assert sent == [{"kind": "ignored", "answer": 3}]


def test_the_side_panel_is_opened_once_and_reused(shell, opened):
    ask(opened, kind="open", anew=True)
    side = sidebar._side
    assert side.outputs[0]["data"] == opened.make_view()
    run(shell, "%gradlosses [2, 0] logits")
    second = [follower.widget for follower in sidebar._followers.values()][-1]
    ask(second, kind="open", anew=False)
    assert sidebar._side is side
    assert side.outputs[0]["data"] == second.make_view()
    ask(second, kind="open", anew=True)  # the student had closed it
    assert sidebar._side is not side
    assert side.comm is None
    sidebar._side.close()


def test_a_misspelt_keyword_is_an_error(opened):
    with pytest.raises(TypeError):
        LossesWidget(opened.panel, print, print, place="side", owner="", plaec="side")


def read_laps(message, buffers):
    return np.frombuffer(buffers[0], "<f4").reshape(-1, 6)


def test_a_race_sends_every_lap_and_its_end(opened, monkeypatch):
    sent = []
    monkeypatch.setattr(
        opened._racer, "_send", lambda content, buffers=None: sent.append((content, buffers))
    )
    ask(opened, kind="race", start="batch", optimizer="sgd", learning_rate="1", steps="20")
    assert [content["done"] for content, _ in sent][-1] is True
    laps = np.concatenate([read_laps(*one) for one in sent])
    assert laps.shape == (21, 6)
    assert sum(content["done"] for content, _ in sent) == 1
    place = 0
    for content, buffers in sent:
        assert content["from"] == place
        place += len(read_laps(content, buffers))
    assert np.isclose(laps[0, 0], opened.panel.comparison.crossentropy)
    assert np.isclose(laps[0, 3], opened.panel.comparison.mse)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"learning_rate": "-1"}, "learning rate must be above 0"),
        ({"learning_rate": ""}, "learning rate must be a number above 0"),
        ({"steps": "0"}, "number of steps"),
        ({"steps": "1.5"}, "number of steps must be a whole number"),
        ({"optimizer": "x"}, "no optimizer x"),
    ],
)
def test_a_race_that_makes_no_sense_says_so(opened, monkeypatch, wish, words):
    sent = []
    monkeypatch.setattr(opened._racer, "_send", lambda content, buffers=None: sent.append(content))
    asked = {"start": "batch", "optimizer": "sgd", "learning_rate": "1", "steps": "5"} | wish
    ask(opened, kind="race", **asked)
    (message,) = sent
    assert words in message["error"]


def test_a_race_can_be_stopped_and_lets_others_run(opened, monkeypatch):
    sent = []
    monkeypatch.setattr(
        opened._racer, "_send", lambda content, buffers=None: sent.append((content, buffers))
    )

    async def race():
        ask(
            opened, kind="race", start="sample", optimizer="adam", learning_rate="0.1", steps="5000"
        )
        await asyncio.sleep(0.3)
        ask(opened, kind="stop")
        await asyncio.sleep(0.1)

    asyncio.run(race())
    laps = np.concatenate([read_laps(*one) for one in sent])
    assert 1 < len(laps) < 4000
    assert sent[-1][0]["done"] is True
    assert len(sent) < 12  # ten messages a second at most


def test_other_data_end_a_race_of_which_nothing_more_is_told(shell, opened, monkeypatch):
    sent = []
    monkeypatch.setattr(opened._racer, "_send", lambda *message: sent.append(message))

    async def race():
        ask(opened, kind="race", start="batch", optimizer="sgd", learning_rate="1", steps="5000")
        await asyncio.sleep(0.1)
        opened.show_panel(opened.panel)
        count = len(sent)
        await asyncio.sleep(0.2)
        assert len(sent) == count

    asyncio.run(race())
    assert not any(message[0]["done"] for message in sent)


def test_a_used_tape_is_said_and_the_question_answered(shell, outputs, monkeypatch):
    run(shell, SET_UP)
    run(shell, "%%gradtape w -q\nw = tf.ones([3])\nz = logits * w\nloss = tf.reduce_sum(z)")
    run(shell, "%gradlosses y z --sources w")
    widget = find_widget()
    sent = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    shell.user_ns["tape"].gradient(shell.user_ns["loss"], shell.user_ns["w"])
    ask(widget, kind="sample", sample=1, number=4)
    assert sent == [{"kind": "ignored", "answer": 4}]
    assert "gone or used up" in widget.error


def test_in_a_terminal_it_prints(shell, capsys):
    run(shell, SET_UP)
    run(shell, "%gradlosses y logits")
    assert "confidently wrong" in capsys.readouterr().out


def test_display_shows_a_comparison_below_the_cell(shell, outputs):
    run(shell, SET_UP)
    run(shell, "import gradmagic\ngradmagic.display(gradmagic.compare_losses(y, logits))")
    assert set(outputs[-1]) == {VIEW_TYPE}
    (widget,) = show._widgets.values()
    assert widget.place == "cell"


def test_tab_completes_options_and_tensors(shell):
    run(shell, SET_UP)
    _, options = shell.complete("--f", "%gradlosses y logits --f")
    assert "--from-logits" in options
    _, names = shell.complete("log", "%gradlosses y log")
    assert "logits" in names
