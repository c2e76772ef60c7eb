"""The live report: its Python side, and its script in a browser (see report.test.mjs too)."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
from handmade import DW, W, make_gradient, make_lesson, make_run

from gradmagic.core.records import Edge, Graph, Node, Output
from gradmagic.render.html import render_html
from gradmagic.widgets.report import ReportWidget
from gradmagic.widgets.views import VIEW_TYPE


def test_the_widget_carries_the_report():
    widget = ReportWidget(html=render_html(make_lesson()))
    state = widget.get_state()
    assert "Raise w[3, 0]" in state["html"]
    assert state["words"]["copy"] == "Copy the code"
    assert "export default" in state["_esm"]
    widget.close()


def test_a_misspelt_keyword_is_an_error():
    with pytest.raises(TypeError, match="ReportWidget has no trait 'htlm'"):
        ReportWidget(htlm="")


def test_the_output_is_the_view_alone():
    widget = ReportWidget(html="")
    data, _ = widget._repr_mimebundle_()
    assert data == {
        VIEW_TYPE: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    }
    assert widget.make_view() == data
    assert not callable(widget._ipython_display_)
    widget.close()


def test_a_closed_widget_is_let_go():
    widget = ReportWidget(html="x" * 1000)
    held = weakref.ref(widget)
    widget.close()
    del widget
    gc.collect()
    assert held() is None


def make_square():
    """A run with a graph: w · w, and the target."""
    w, two = np.float32(3), np.float32(6)
    nodes = (
        Node(0, "source", None, "w", None, (Output((), "float32", w, two, "w"),), "w", count=0),
        Node(1, "op", "Square", "w²", 1, (Output((), "float32", np.float32(9), np.float32(1)),)),
        Node(2, "target", None, "loss", 1, (Output((), "float32", np.float32(9), np.float32(1)),)),
    )
    edges = (Edge(0, 1, gradient=True), Edge(1, 2, gradient=True))
    return make_run(make_gradient("w", w, two), loss=9.0, graph=Graph(nodes, edges, 1))


def test_a_widget_explores_the_graph_of_its_run():
    widget = ReportWidget(html="")
    assert widget.explorer == ""
    widget.explore(make_square())
    document = json.loads(widget.explorer)
    assert document["sources"] == {"w": 0}
    sent = []
    widget.send = sent.append
    widget._handle_custom_msg({"kind": "detail", "node": "1"}, [])
    assert sent == [{"kind": "detail", "node": "1", "html": document["details"]["1"]}]
    widget._handle_custom_msg({"kind": "nonsense"}, [])
    assert sent[1]["error"] == "Nobody here answers to 'nonsense'."
    widget.close()
    widget._handle_custom_msg({"kind": "detail", "node": "1"}, [])
    assert len(sent) == 2


def test_a_run_without_a_graph_is_a_report_as_before():
    widget = ReportWidget(html="")
    widget.explore(make_lesson())
    assert widget.explorer == ""
    widget.close()


def test_a_closed_widget_lets_its_run_go():
    run = make_square()
    widget = ReportWidget(html="")
    widget.explore(run)
    held = weakref.ref(run)
    del run
    gc.collect()
    assert held() is not None
    widget.close()
    gc.collect()
    assert held() is None


def test_the_script_needs_no_network():
    assert "http" not in ReportWidget._esm.replace("http://www.w3.org/2000/svg", "")
    assert "import " not in ReportWidget._esm.replace("// ", "")


# In a browser: the script on a page of its own, without Jupyter.

MOUNT = """async ({source, html, words, width}) => {
  const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
  const module = await import(url);
  document.body.innerHTML = `<div id="el" style="width:${width}px"></div>`;
  const state = {html, words};
  const el = document.getElementById("el");
  const model = {get: (name) => state[name], on() {}, off() {}, send() {}};
  window.cleanUp = module.default.render({model, el});
}"""


@pytest.fixture(scope="module")
def page(chromium):
    """A page in Chromium."""
    page = chromium.new_page(viewport={"width": 1200, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    yield page
    page.close()
    assert errors == []


def mount(page, run, width=1000):
    widget = ReportWidget(html="")
    words = widget.words
    widget.close()
    arguments = {
        "source": ReportWidget._esm,
        "html": render_html(run),
        "words": words,
        "width": width,
    }
    page.evaluate(MOUNT, arguments)


def list_tabs(page):
    return [tab.inner_text() for tab in page.get_by_role("tab").all() if tab.is_visible()]


@pytest.mark.browser
def test_wide_tabs_show_gradients_and_loss_together(page):
    mount(page, make_lesson())
    assert list_tabs(page) == ["Gradients and loss", "Code"]
    assert page.locator(".gm-live").count() == 1
    assert page.locator(".gm-gradients").is_visible()
    assert page.locator(".gm-loss").is_visible()
    assert not page.locator(".gm-code.gm-panel").is_visible()
    page.get_by_role("tab", name="Code").click()
    assert not page.locator(".gm-gradients").is_visible()
    assert page.locator(".gm-code.gm-panel").is_visible()
    assert page.get_by_role("tabpanel", name="Code").is_visible()
    assert page.get_by_role("tab", selected=True).inner_text() == "Code"


@pytest.mark.browser
def test_narrow_tabs_show_one_part_each(page):
    mount(page, make_lesson(), width=680)
    assert list_tabs(page) == ["Gradients", "Loss", "Code"]
    assert not page.locator(".gm-loss.gm-panel").is_visible()
    page.get_by_role("tab", name="Loss").click()
    assert page.locator(".gm-loss.gm-panel").is_visible()
    assert not page.locator(".gm-gradients").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_tabs_by_keyboard(page):
    mount(page, make_lesson(), width=680)
    page.get_by_role("tab", name="Gradients").focus()
    for key, name in (
        ("ArrowRight", "Loss"),
        ("End", "Code"),
        ("ArrowRight", "Gradients"),
        ("ArrowLeft", "Code"),
        ("Home", "Gradients"),
    ):
        page.keyboard.press(key)
        assert page.get_by_role("tab", selected=True).inner_text() == name
        assert page.evaluate("document.activeElement.textContent").startswith(name)
    assert page.locator('[role=tab][tabindex="0"]').count() == 1
    mount(page, make_lesson())  # wide: the tab of the loss is not shown, and is stepped over
    page.get_by_role("tab", name="Gradients").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Code"


@pytest.mark.browser
def test_a_page_that_takes_all_keys_leaves_the_tabs_theirs(page):
    """Notebook 7 takes the arrow keys, JupyterLab Enter, in the document's capturing phase."""
    page.evaluate(
        """() => {
          window.taken = [];
          window.take = (event) => { taken.push(event.key); event.stopPropagation(); };
          document.addEventListener("keydown", window.take, true);
        }"""
    )
    mount(page, make_lesson())
    page.get_by_role("tab", name="Gradients").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Code"
    page.keyboard.press("Control+s")  # but no other: the notebook is saved by it
    assert page.evaluate("taken") == ["Control", "s"]
    page.evaluate("document.removeEventListener('keydown', window.take, true)")


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 700, 800, 1150])
def test_nothing_is_wider_than_the_report(page, width):
    rng = np.random.default_rng(0)
    wide = make_gradient("wide", rng.normal(size=(3, 12)), rng.normal(size=(3, 12)))
    large = make_gradient("large", rng.normal(size=(100, 40)), rng.normal(size=(100, 40)))
    lesson = make_lesson()
    mount(page, make_run(*lesson.gradients, wide, large, per_sample=lesson.per_sample), width=width)
    for tab in [tab for tab in page.get_by_role("tab").all() if tab.is_visible()]:
        tab.click()
        assert page.locator(".gm").evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.browser
def test_copied_code_and_tables(page):
    mount(page, make_lesson())
    copied = page.evaluate(
        """async () => {
          const taken = [];
          navigator.clipboard ??= {};
          Object.defineProperty(navigator, "clipboard", {
            value: {writeText: async (text) => { taken.push(text); }}, configurable: true,
          });
          const button = document.querySelector(".gm-copy");
          button.click();
          await new Promise((resolve) => setTimeout(resolve, 20));
          const data = new DataTransfer();
          getSelection().selectAllChildren(document.querySelector(".gm-t"));
          const event = new ClipboardEvent("copy", {
            clipboardData: data, bubbles: true, cancelable: true,
          });
          document.querySelector(".gm-t").dispatchEvent(event);
          return [taken[0], button.textContent, data.getData("text/plain")];
        }"""
    )
    assert copied[0] == make_lesson().code
    assert copied[1] == "Copied"
    assert "-2.273" in copied[2]
    assert "\u2212" not in copied[2]


@pytest.mark.browser
def test_hostile_names_do_not_run(page):
    hostile = "<img src=x onerror=window.harmed=1>"
    mount(page, make_run(make_gradient(hostile, W, DW), name="<script>harmed=1</script>"))
    page.wait_for_timeout(100)
    assert page.evaluate("window.harmed") is None
    assert page.locator("#el img").count() == 0
    assert hostile in page.locator(".gm-src").inner_text()


@pytest.mark.browser
def test_two_reports_share_no_id_and_cleaning_up_leaves_nothing(page):
    mount(page, make_lesson())
    page.evaluate("window.first = document.getElementById('el').cloneNode(true)")
    mount(page, make_lesson())
    page.evaluate("document.body.append(window.first)")
    ids = page.evaluate("[...document.querySelectorAll('#el [id]')].map(e => e.id)")
    assert ids
    assert len(ids) == len(set(ids))
    page.evaluate("window.cleanUp()")
    assert page.evaluate("document.getElementById('el').childNodes.length") == 0
