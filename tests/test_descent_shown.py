"""What is shown of a descent: HTML, text, numbers for the browser, pages, and what is sent live."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import gradmagic
from gradmagic import descending, show
from gradmagic.core.descent.records import Descent, Descents, Moment, Note, Progress, Surface
from gradmagic.render import axes
from gradmagic.render.descent import curves, document, panel, steps, surface
from gradmagic.render.descent.text import render_text, write_progress
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.descent import DescentWidget
from gradmagic.widgets.hearing import Ear

RATE = 0.05


def descend(tf, rate=RATE, count=30, start=(1.0, -2.0), **changes):
    """The plain loop on a bowl, as the record that a descent leaves; ``k`` gets no gradient."""
    w, k = tf.Variable(start), tf.Variable(np.ones((20, 30), np.float32))
    losses, norms, moments = [], [], []
    for step in range(count):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w**2 * [1.0, 4.0])
        gradient = tape.gradient(loss, w)
        losses.append(float(loss))
        norms.append((float(tf.norm(gradient)), 0.0))
        moments.append(
            Moment(
                step,
                losses[-1],
                rate,
                norms[-1],
                (w.numpy(), k.numpy()),
                (gradient.numpy(), None),
            )
        )
        w.assign_sub(rate * gradient)
    path = np.array([moment.values[0] for moment in moments])
    edges = np.linspace(-3, 3, 21)
    z = edges[None, :] ** 2 + 4 * edges[:, None] ** 2
    around = Surface("contour", "w[0] and w[1]", ("w[0]", "w[1]"), edges, edges, z, path, True)
    made = Descent(
        ("w", "k"),
        "sgd",
        rate,
        np.array(losses),
        np.array(norms),
        np.full(count, rate),
        tuple(moments),
        count,
        count,
        "done",
        (),
        0.5,
        f"%%graddescent w k --lr {rate}",
        "for _ in range(30):\n    loss = '<b>'\n",
        around,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def run(tf):
    return descend(tf)


def unpack(header, block, place, start=0):
    """An array of a block, by NumPy alone."""
    first, count, kind = place
    dtype = {"f": "<f4", "b": "i1", "B": "u1"}[kind]
    return np.frombuffer(block, dtype, count, start + first)


def test_the_block_holds_what_tensorflow_computed(run):
    header, block = steps.pack_steps(run, range(len(run.moments)), None)
    assert header["steps"] == [*range(30)]
    np.testing.assert_array_equal(
        unpack(header, block, header["losses"]), run.losses.astype(np.float32)
    )
    w, k = header["sources"]
    assert (w["form"], k["form"]) == ("cells", "map")
    values = unpack(header, block, w["arrays"][0]).reshape(30, 2)
    gradients = unpack(header, block, w["arrays"][1]).reshape(30, 2)
    for moment, value, gradient in zip(run.moments, values, gradients, strict=True):
        np.testing.assert_array_equal(value, moment.values[0])
        np.testing.assert_array_equal(gradient, moment.gradients[0])
    assert (unpack(header, block, k["arrays"][0]) == 127).all()
    assert k["none"]
    assert not w["none"]
    np.testing.assert_allclose(
        unpack(header, block, k["statistics"][0]).reshape(30, 4)[7], [1, 1, 1, np.sqrt(600)]
    )


def test_points_of_the_path_lie_where_matplotlib_draws_them(run):
    frame = surface.choose_frame(run.surface, run.losses)
    header, block = steps.pack_steps(run, range(30), frame)
    path = unpack(header, block, header["path"]).reshape(30, 2)
    drawn = surface.draw_surface(run, run.surface, frame)
    dots = re.findall(r'<circle class="gm-dots" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    np.testing.assert_allclose(np.array(dots, float), path, atol=0.11)
    assert drawn.count("gm-tone-") == surface.TONES
    assert "url(" not in drawn
    assert "<script" not in drawn


def test_as_many_steps_are_packed_as_there_is_room_for(run):
    each = 8 * 2 + 2 * 600 + 16 + 4 * 6
    chosen = steps.choose_moments(run, 12 * each)
    assert len(chosen) == 12
    assert (chosen[0], chosen[-1]) == (0, 29)
    assert len(steps.choose_moments(run, 0)) == steps.FEWEST
    assert steps.choose_moments(run, 10**9) == [*range(30)]


@pytest.mark.parametrize("count", [1, 2, 399, 401, 10_000])
def test_thinned_curves_keep_ends_and_extremes(count):
    values = np.random.default_rng(1).normal(size=count)
    values[count // 3] = np.nan if count > 2 else 0.0
    places = curves.thin(values)
    assert len(places) <= curves.POINTS
    assert {0, count - 1, int(np.nanargmin(values)), int(np.nanargmax(values))} <= set(places)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-1.5, "\u22121.5"), (1e-5, "1e\u22125"), (20000, "2e4"), (0.001, "0.001")],
)
def test_ticks_have_no_more_digits_than_they_need(value, text):
    assert axes.write_tick(value) == text


def test_lines_of_losses_lie_where_the_frame_says(run):
    for logarithmic in (False, True):
        frame = curves.choose_frame([run.losses], 30, logarithmic=logarithmic)
        drawn = curves.draw_losses([run], frame)
        data = re.search(r'class="gm-curve gm-run-0" d="M([^"]+)"', drawn)[1]
        points = np.array([p.split() for p in data.split("L")], float)
        scale = np.log10 if logarithmic else np.asarray
        low, high = scale(np.array(frame.y))
        heights = frame.top + frame.height * (high - scale(run.losses)) / (high - low)
        np.testing.assert_allclose(points[:, 1], heights, atol=0.11)
        np.testing.assert_allclose(points[[0, -1], 0], [frame.left, frame.left + frame.width])


@pytest.mark.parametrize("ends", [(1.5, 3.0), (0.5, 20.0), (1e-9, 1e9), (1e-30, 1e-28)])
def test_a_logarithmic_axis_has_numbers(run, ends):
    made = replace(run, losses=np.geomspace(*ends, 30))
    frame = curves.choose_frame([made.losses], 30, logarithmic=True)
    drawn = curves.draw_losses([made], frame)
    assert 2 <= drawn.count('text-anchor="end"') <= 7


def test_losses_that_are_no_numbers_break_the_line_and_the_page_stands(tf):
    losses = np.array([1.0, np.inf, np.nan, 4.0])
    moments = tuple(
        Moment(i, loss, 0.1, (np.nan,), (np.array(np.nan, np.float32),), (np.array(np.inf),))
        for i, loss in enumerate(losses)
    )
    made = descend(
        tf, names=("w",), losses=losses, norms=np.full((4, 1), np.nan), moments=moments,
        rates=np.full(4, 0.1), done=4, surface=None, ended="nan",
    )  # fmt: skip
    page = document.render_page(Descents((made,)), load_script("descent.js"))
    assert "a gradient is no finite number" in page  # the last loss is 4
    assert "nan" in render_text(Descents((made,)))
    nothing = replace(made, losses=np.full(4, np.nan))
    page = document.render_page(Descents((nothing,)), "")
    assert "No step had a finite loss." in page
    assert "the loss is no finite number" in page


def test_a_descent_that_took_no_step(tf):
    empty = descend(
        tf, losses=np.zeros(0), norms=np.zeros((0, 2)), rates=np.zeros(0), moments=(), done=0,
        surface=None, ended="interrupted",
    )  # fmt: skip
    page = document.render_page(Descents((empty,)), "")
    assert "No step was taken." in page
    assert "0 of 30 steps: interrupted" in render_text(Descents((empty,)))


def test_notes_say_what_to_type_and_hostile_names_stay_text(tf, run):
    hostile = "<img src=x onerror=alert(1)>"
    note = Note("diverging", 3, f"It grows {hostile}.", "--lr 0.02")
    around = replace(run.surface, labels=(hostile, "k"), axes=hostile)
    made = replace(run, notes=(note,), names=(hostile, "k"), magic=hostile, surface=around)
    page = document.render_page(Descents((made,)), load_script("descent.js"))
    assert "<img" not in page
    assert "--lr 0.02" in page
    assert "from step 3" in page
    text = render_text(Descents((made,)))
    assert "! diverging (from step 3)" in text
    assert "instead: --lr 0.02" in text


def test_several_runs_have_one_table_and_the_best_is_shown(tf):
    runs = tuple(descend(tf, rate) for rate in (0.001, 0.05, 0.3))
    descents = Descents(runs, 1)
    html = panel.render_panel(descents, panel.Plots(descents))
    rows = re.findall(r'data-choose="\d">([^<]+)</th><td>([^<]+)<', html)
    assert [rate for rate, _last in rows] == ["0.001", "0.05", "0.3"]
    for run, (_rate, last) in zip(runs, rows, strict=True):
        shown = float(last.replace("\u2212", "-"))
        assert shown == pytest.approx(run.losses[-1], rel=6e-3)
    shown = re.findall(r'<div class="gm-run" data-run="(\d)"( hidden)?>', html)
    assert {number for number, hidden in shown if not hidden} == {"1"}
    assert html.count("gm-curve gm-run-2") >= 2
    text = render_text(descents)
    assert re.search(r"\*\s+0\.05 ", text)


def test_a_page_is_saved_whole(tf, run, tmp_path):
    gradmagic.save(run, tmp_path / "descent.html")
    page = (tmp_path / "descent.html").read_text("utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    data = json.loads(re.search(r"data-descent-of=\"\w+\">(.*?)</script>", page)[1])
    block = base64.b64decode(data["block"])
    assert unpack(data, block, data["runs"][0]["losses"])[0] == np.float32(run.losses[0])
    gradmagic.save(Descents((run,)), tmp_path / "descent.txt")
    text = (tmp_path / "descent.txt").read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 100
    assert "30 of 30 steps" in text


def make_progress(done, known, steps_asked=100, *, run=0, runs=1):
    losses = np.arange(known, done, dtype=float)
    return Progress(
        run, runs, 0.1, ("w",), done, steps_asked, 1.0, float("nan"), 50.0, losses,
        np.ones((len(losses), 1)), np.full(len(losses), 0.1),
    )  # fmt: skip


@pytest.fixture
def widget():
    made = DescentWidget()
    made.sent = []
    made.send = lambda content, buffers=(): made.sent.append((content, buffers))
    yield made
    made.close()


def test_news_are_sent_once_each_and_small(widget):
    with widget.follow():
        assert widget.tell(make_progress(5, 0)) is False
        assert widget.tell(make_progress(8, 5)) is False
        assert widget.tell(make_progress(2, 0, run=1, runs=2)) is False
    assert [content["from"] for content, _buffers in widget.sent] == [0, 5, 0]
    rows = np.frombuffer(widget.sent[1][1][0], "<f4").reshape(-1, 3)
    np.testing.assert_array_equal(rows[:, 0], [5, 6, 7])
    json.dumps([content for content, _buffers in widget.sent], allow_nan=False)
    assert len(widget.sent[1][1][0]) == 3 * 3 * 4


def test_the_button_stops_at_the_next_step(widget):
    with widget.follow():
        assert widget.tell(make_progress(5, 0)) is False
        widget._hear(widget, {"kind": "stop"}, [])
        assert widget.tell(make_progress(6, 5)) is True
    assert {"kind": "stopping"} in [content for content, _buffers in widget.sent]


def test_after_the_end_the_widget_shows_every_step(widget, run):
    widget.show(Descents((run,)))
    assert not widget.running
    assert "gm-descent" in widget.html
    assert widget.header["runs"][0]["steps"] == [*range(30)]


class Stream:
    """What an Ear needs of a ZMQStream."""

    def __init__(self, handle):
        self._recv_callback, self.waiting = handle, []

    def on_recv(self, handle, copy):
        assert copy is False
        self._recv_callback = handle

    def flush(self, _flag):
        while self.waiting:
            self._recv_callback(self.waiting.pop(0))


def make_message(kind, comm_id, content):
    parts = [{"msg_type": kind}, {}, {}, {"comm_id": comm_id, "data": {"content": content}}]
    return [b"id", b"<IDS|MSG>", b"signature", *(json.dumps(part).encode() for part in parts)]


def test_the_ear_hears_its_own_messages_and_hands_all_on_in_order():
    handled, heard = [], []
    stream = Stream(handled.append)
    kernel = SimpleNamespace(shell_stream=stream)
    ear = Ear(kernel, "mine", heard.append)
    messages = [
        make_message("execute_request", "mine", {"kind": "no"}),
        make_message("comm_msg", "other", {"kind": "no"}),
        make_message("comm_msg", "mine", {"kind": "stop"}),
        [b"not a message"],
    ]
    with ear.listen():
        stream.waiting = [*messages]
        ear.read()
    assert heard == [{"kind": "stop"}]
    assert handled == messages
    stream.waiting = [make_message("comm_msg", "mine", {"kind": "late"})]
    stream.flush(1)
    assert heard == [{"kind": "stop"}]  # it listens no more


def test_an_ear_without_a_kernel_is_deaf():
    ear = Ear(None, "mine", pytest.fail)
    with ear.listen():
        ear.read()


def test_in_a_terminal_it_is_printed(run, capsys):
    told = []

    def loop(tell):
        told.append(tell(make_progress(5, 0)))
        return Descents((run,))

    descending.show_descent(loop)
    assert told == [False]
    printed = capsys.readouterr().out
    assert printed == render_text(Descents((run,)))


def test_a_line_of_progress_is_one_line():
    line = write_progress(make_progress(123456, 123455, 1_000_000, run=2, runs=12))
    assert len(line) <= 79
    assert "123456/1000000" in line
    assert "3/12" in line


SHELL = SimpleNamespace(kernel=object(), user_ns={})


@pytest.fixture
def published(monkeypatch):
    kept = []

    def keep(handle, bundle, *, again=False):
        kept.append((bundle, handle, again))

    monkeypatch.setattr(show, "_publish_under", keep)
    monkeypatch.setattr(show, "_publish", lambda bundle: keep(None, bundle))
    return kept


def test_the_static_view_is_replaced_at_the_end(run, published):
    def loop(_tell):
        assert len(published) == 2  # the static one waits, the live one shows
        return Descents((run,))

    descending.show_descent(loop, SHELL, key="cell")
    (first, handle, _), (live, _, _), (last, same, again) = published
    assert "A descent is running." in first["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in live
    assert handle == same
    assert again
    assert "mountSavedDescent" in last["text/html"]
    assert "gm-waiting" in last["text/html"]


def test_without_a_widget_there_is_one_view(run, published):
    descending.show_descent(lambda tell: Descents((run,)), SHELL, static=True)
    assert len(published) == 2
    assert "gm-waiting" not in published[-1][0]["text/html"]


def test_a_descent_that_cannot_be_shown_is_still_returned(run, published, capsys):
    broken = Descents((replace(run, losses=None),))
    assert descending.show_descent(lambda tell: broken, SHELL, key="cell") is broken
    assert "This descent cannot be shown: " in capsys.readouterr().err


def test_what_the_loop_raises_goes_on_and_leaves_nothing(published):
    def loop(_tell):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        descending.show_descent(loop, SHELL, key="cell")
    assert published[-1][0]["text/html"] == ""


def test_tensors_too_large_to_be_kept_are_said_to_be_so(run):
    bare = tuple(replace(moment, values=(), gradients=()) for moment in run.moments)
    large = replace(run, moments=bare, surface=None)
    header, block = steps.pack_steps(large, range(len(bare)), None)
    assert header["sources"] == []
    assert unpack(header, block, header["losses"]) == pytest.approx(run.losses)
    said = "too large to be kept"
    assert said in render_text(Descents((large,)))
    assert said in document.render_page(Descents((large,)), load_script("descent.js"))
