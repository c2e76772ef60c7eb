"""What a front-end gets."""

from __future__ import annotations

import gc
import json
import re
import sys
import types

import numpy as np
import pytest
from handmade import make_gradient, make_lesson, make_run

from gradmagic import saving, show
from gradmagic.core.summary import summarize
from gradmagic.render.text import render_text
from gradmagic.widgets.report import ReportWidget
from gradmagic.widgets.views import VIEW_TYPE


class Shell:
    """An IPython shell in a kernel."""

    kernel = object()

    def __init__(self, **names):
        self.user_ns = names


@pytest.fixture
def outputs(monkeypatch):
    """The outputs that a kernel sends; widgets are closed afterwards."""
    sent = []
    for name in ("VSCODE_PID", "VSCODE_CWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(show, "_publish", sent.append)
    monkeypatch.setattr(show, "_widgets", type(show._widgets)())
    yield sent
    for key in list(show._widgets):
        show._close_widget(key)


def test_a_kernel_sends_the_static_report_and_then_the_live_one(outputs):
    show.show_run(make_lesson(), Shell(), static=False, key="cell")
    first, second = outputs
    assert set(first) == {"text/html", "text/plain"}
    assert first["text/html"].startswith(
        '<div class="gm-static gm-waiting"><style>.jp-OutputArea-child:has('
    )
    assert first["text/html"].count(":has(.gm-static)") == 3
    assert first["text/plain"] == render_text(make_lesson())
    assert set(second) == {VIEW_TYPE}
    assert second[VIEW_TYPE]["model_id"] == show._widgets["cell"].model_id


def test_static_sends_one_output_without_rules(outputs):
    show.show_run(make_lesson(), Shell(), static=True, key="cell")
    (only,) = outputs
    assert set(only) == {"text/html", "text/plain"}
    assert ".jp-OutputArea-child" not in only["text/html"]
    assert not show._widgets


@pytest.mark.parametrize("sign", ["environment", "namespace", "colab"])
def test_code_and_colab_get_one_output_with_both(outputs, monkeypatch, sign):
    if sign == "environment":
        monkeypatch.setenv("VSCODE_PID", "1")
    shell = Shell(__vsc_ipynb_file__="a.ipynb") if sign == "namespace" else Shell()
    switched = []
    if sign == "colab":
        colab = types.ModuleType("google.colab")
        colab.output = types.SimpleNamespace(
            enable_custom_widget_manager=lambda: switched.append(1)
        )
        monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
        monkeypatch.setitem(sys.modules, "google.colab", colab)
        show._enable_colab.cache_clear()
    show.show_run(make_lesson(), shell, static=False, key="cell")
    show.show_run(make_lesson(), shell, static=False, key="cell")
    assert len(outputs) == 2
    assert set(outputs[0]) == {"text/html", "text/plain", VIEW_TYPE}
    assert switched == ([1] if sign == "colab" else [])


def test_without_widgets_the_static_report_stands_alone(outputs, monkeypatch):
    def fail(**traits):
        raise RuntimeError("no comm")

    monkeypatch.setattr("gradmagic.widgets.report.ReportWidget", fail)
    show.show_run(make_lesson(), Shell(), static=False, key="cell")
    assert [set(output) for output in outputs] == [{"text/html", "text/plain"}]


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace(user_ns={})])
def test_a_terminal_and_a_plain_process_print_the_text(shell, capsys):
    show.show_run(make_lesson(), shell)
    assert capsys.readouterr().out == render_text(make_lesson())


def test_reruns_of_a_cell_keep_one_widget(outputs):
    run = make_lesson()
    show.show_run(run, Shell(), static=False, key="cell")
    gc.collect()
    before = sum(isinstance(thing, ReportWidget) for thing in gc.get_objects())
    first = show._widgets["cell"]
    for _ in range(30):
        show.show_run(run, Shell(), static=False, key="cell")
    gc.collect()
    assert first.comm is None
    del first
    gc.collect()
    assert sum(isinstance(thing, ReportWidget) for thing in gc.get_objects()) == before
    assert len(show._widgets) == 1


def test_the_oldest_widgets_are_closed(outputs, monkeypatch):
    monkeypatch.setattr(show, "MOST_WIDGETS", 3)
    for number in range(5):
        show.show_run(make_lesson(), Shell(), static=False, key=f"cell {number}")
    assert list(show._widgets) == ["cell 2", "cell 3", "cell 4"]
    show.show_run(make_lesson(), Shell(), static=False, key=None)
    show.show_run(make_lesson(), Shell(), static=False, key=None)
    assert len(show._widgets) == 3


def test_the_report_is_there_before_its_graph_is_made_live(outputs, monkeypatch):
    seen = []
    monkeypatch.setattr(ReportWidget, "explore", lambda widget, run: seen.append(len(outputs)))
    show.show_run(make_lesson(), Shell(), static=False, key="cell")
    show.show_run(make_lesson(), Shell(), static=True, key="cell")
    assert seen == [2]


def test_a_graph_that_cannot_be_explored_leaves_the_report(outputs, monkeypatch, capsys):
    def fail(widget, run):
        raise RuntimeError("no layout\nmore")

    monkeypatch.setattr(ReportWidget, "explore", fail)
    show.show_run(make_lesson(), Shell(), static=False, key="cell")
    assert len(outputs) == 2
    said = "The graph of this report cannot be explored: RuntimeError: no layout\n"
    assert capsys.readouterr().err == said


def test_messages_stay_under_300_kb(outputs):
    value = summarize(np.random.default_rng(0).normal(size=(32, 32)))
    gradients = [make_gradient(f"model.layer{i}.kernel", value, value) for i in range(500)]
    show.show_run(make_run(*gradients), Shell(), static=False, key="cell")
    state = show._widgets["cell"].get_state()
    assert len(state.pop("_esm")) + len(state.pop("_css")) < 120_000
    size = len(json.dumps([outputs, state], ensure_ascii=False, default=str).encode())
    assert 100_000 < size < 300_000


def test_save_a_page(tmp_path):
    path = tmp_path / "a report.html"
    saving.save(make_lesson(), path)
    page = path.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "−2.273" in page
    saving.save(make_lesson(), str(path))  # again, and by name


@pytest.fixture
def square(tf):
    """A run of a real cell."""
    import gradmagic

    return gradmagic.gradtape("loss = w * w", "w", names={"tf": tf, "w": tf.constant(3.0)})


def test_a_saved_page_brings_its_graph_along(tmp_path, square):
    saving.save(square, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    (own,) = re.findall(r'<script type="application/json" data-explorer="(\w+)">', page)
    data = re.search(r'data-explorer="\w+">(.*?)</script>', page, re.DOTALL)[1]
    document = json.loads(data)
    assert document["sources"].keys() == {"w"}
    assert document["details"].keys() == document["nodes"].keys()
    script = page.rpartition('<script type="module">')[2].partition("</script>")[0]
    assert script.rstrip().endswith(f"mountSavedExplorer('{own}');")
    assert "<img" not in page
    assert 'class="gm-graph"' in page  # drawn without the script too


def test_a_page_is_saved_even_if_its_graph_cannot_be_explored(
    tmp_path, square, monkeypatch, capsys
):
    def fail(*args):
        raise RuntimeError("no layout")

    monkeypatch.setattr(saving, "render_explorer", fail)
    saving.save(square, tmp_path / "report.html")
    assert "data-explorer" not in (tmp_path / "report.html").read_text("utf-8")
    assert "cannot be explored: RuntimeError: no layout" in capsys.readouterr().err


def test_save_text(tmp_path):
    saving.save(make_lesson(), tmp_path / "report.TXT")
    assert (tmp_path / "report.TXT").read_text("utf-8") == render_text(make_lesson())


def test_save_says_what_it_can_and_where(tmp_path):
    with pytest.raises(
        ValueError, match=re.escape("A report can be saved as .html or .txt, not as 'x.pdf'.")
    ):
        saving.save(make_lesson(), tmp_path / "x.pdf")
    missing = tmp_path / "nowhere"
    with pytest.raises(
        FileNotFoundError,
        match=re.escape(f"There is no folder {str(missing)!r} to save 'x.html' in."),
    ):
        saving.save(make_lesson(), missing / "x.html")
