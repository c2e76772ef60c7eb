"""The sidebar in real JupyterLab and Notebook 7: what it shows, against TensorFlow in the test."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from front_end import Page

import gradmagic
from gradmagic.core.losses.panel import Origin, make_panel
from gradmagic.render.losses.document import render_page
from gradmagic.render.numbers import say_number
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Server

pytestmark = pytest.mark.browser

LOGITS = [
    [-2.5, -5.5, 0.375, 3.5],
    [-3.5, 0.0, 5.25, -3.0],
    [8.0, 0.5, -4.0, -5.0],
    [-0.875, -2.5, 5.0, 1.75],
    [6.0, -1.25, 4.5, -3.5],
]
CLASSES = [1, 2, 3, 0, 2]
SET_UP = f"""
%load_ext gradmagic
import tensorflow as tf
y = tf.one_hot({CLASSES}, 4)
logits = tf.constant({LOGITS})
"""
MINUS = "\u2212"


class Sidebar:
    """The panel, wherever it stands on the page."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def part(self, key: str) -> Any:
        """An element that the script changes."""
        return self.root.locator(f"[data-k='{key}']")

    def text(self, key: str) -> str:
        """What it says."""
        return self.part(key).inner_text()

    def slider(self, name: str) -> Any:
        """A slider by the start of its label."""
        return self.root.locator(f"input[type=range][aria-label^='{name}']")

    def press(self, name: str, key: str, times: int = 1) -> None:
        """Move a slider by the keyboard."""
        self.slider(name).focus()
        for _ in range(times):
            self.root.page.keyboard.press(key)

    def settle(self) -> None:
        """Until tables from where the sliders stand have come."""
        self.root.page.wait_for_timeout(700)

    def read_row(self) -> tuple[np.ndarray, np.ndarray]:
        """Logits and target as the code beside them has them, to the last bit of float32."""
        details = self.root.locator("details:has([data-k='code-hand'])")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        code = details.locator("code").inner_text()
        rows = re.findall(r"tf\.constant\((\[\[.*?\]\])", code)
        y, z = (np.array(ast.literal_eval(row), np.float32) for row in rows)
        return z, y


def check_numbers(tf: Any, sidebar: Sidebar) -> None:
    """Everything that the sidebar says of the row in hand, against TensorFlow on that row."""
    z, y = (tf.constant(row) for row in sidebar.read_row())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        q = tf.nn.softmax(z)
        mse = tf.losses.MSE(y, q)
        ce = tf.losses.categorical_crossentropy(y, z, from_logits=True)
        clipped = tf.losses.categorical_crossentropy(y, q)
    g_mse, g_ce, g_clipped = (tape.gradient(loss, z).numpy()[0] for loss in (mse, ce, clipped))
    pulls = float(np.linalg.norm(g_ce)), float(np.linalg.norm(g_mse))
    close(sidebar.text("pull-ce-v"), pulls[0])
    close(sidebar.text("pull-mse-v"), pulls[1])
    claim = sidebar.text("claim")
    assert say_number(pulls[0]) in claim
    rows = sidebar.root.locator("[data-row]").all()
    for i, row in enumerate(rows):
        close(row.locator("[data-c='pv']").inner_text(), float(q[0, i]))
        close(row.locator("[data-c='vc']").inner_text(), float(g_ce[i]))
        close(row.locator("[data-c='vm']").inner_text(), float(g_mse[i]))
        assert row.locator("[data-c='z']").inner_text() == f"{float(z[0, i]):.2f}".replace(
            "-", MINUS
        )
    true = int(np.argmax(y))
    close(sidebar.text("way-2").split("\n")[0], float(ce[0]))
    lines = sidebar.text("way-0").split("\n")
    close(lines[0], float(clipped[0]))
    if g_clipped[true] == 0 and abs(g_ce[true]) > 1e-6:
        assert "clipped: gradient is exactly 0" in lines[1]
    readings = sidebar.root.locator(
        "[data-k='plot'] text.gm-bold[text-anchor=end]"
    ).all_text_contents()
    if readings[0]:  # the picker of true classes has no curve
        close(readings[0], float(ce[0]))
        close(readings[1], float(mse[0]))


def close(text: str, value: float) -> None:
    """The same number, but for the last digit: a row alone is not rounded as among others."""
    found = float(text.replace(MINUS, "-"))
    digit = 0.06 * abs(value) if "e" in text else 2 * 10.0 ** -len(text.partition(".")[2])
    assert abs(found - value) <= max(digit, 2e-7), (text, value)


@pytest.fixture(scope="module", params=["lab", "notebook"])
def opened(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """A notebook with the sidebar open, in JupyterLab and in Notebook 7."""
    name = f"losses-{request.param}.ipynb"
    server.write(name, [SET_UP, "%gradlosses y logits", "logits = logits"])
    page = Page(chromium, server.address(request.param, name), width=1400)
    page.app, page.name = request.param, name
    page.run_all()
    page.page.wait_for_selector(f"{PLACES[request.param]} .gm-ready", timeout=60_000)
    page.save()
    yield page
    page.page.close()


PLACES = {"lab": ".gm-side", "notebook": ".gm-docked"}


@pytest.fixture
def sidebar(opened: Page) -> Sidebar:
    found = Sidebar(opened.page.locator(f"{PLACES[opened.app]} .gm-losses"))
    found.root.locator("tr[data-sample='2'] button").click()  # back to the data
    found.settle()
    return found


def test_it_stands_at_the_side_and_only_there(opened: Page, sidebar: Sidebar) -> None:
    assert opened.count_visible(".gm-losses") == 1
    box = sidebar.root.bounding_box()
    assert box["x"] > 700
    assert box["width"] >= 400
    assert box["x"] + box["width"] <= 1400
    note = opened.page.locator(".gm-losses-note").inner_text()
    assert "The panel at the right" in note


def test_the_data_s_own_numbers(tf: Any, sidebar: Sidebar) -> None:
    assert sidebar.text("claim").startswith(
        "Sample 2 is confidently wrong: crossentropy pulls 1.41"
    )
    check_numbers(tf, sidebar)


def test_a_moved_slider_shows_other_numbers(tf: Any, sidebar: Sidebar) -> None:
    before = sidebar.text("claim")
    sidebar.press("Logit of class 3", "ArrowRight", 40)
    assert sidebar.text("claim") != before
    assert sidebar.text("which") == "sample 2, moved"
    check_numbers(tf, sidebar)  # looked up, before the kernel was asked
    sidebar.settle()
    check_numbers(tf, sidebar)


def test_sliders_add_up(tf: Any, sidebar: Sidebar) -> None:
    sidebar.press("Logit of class 3", "ArrowRight", 30)
    sidebar.press("Logit of class 0", "ArrowLeft", 20)  # at once: it waits for the tables
    sidebar.settle()
    z, _ = sidebar.read_row()
    assert z[0, 3] > LOGITS[2][3] + 3
    assert z[0, 0] < LOGITS[2][0] - 2
    check_numbers(tf, sidebar)


def test_confidence_smoothing_and_true_class(tf: Any, sidebar: Sidebar) -> None:
    sidebar.press("Confidence", "End")
    check_numbers(tf, sidebar)
    assert "clipped" in sidebar.text("way-0")
    assert "log of 0" in sidebar.text("way-1")
    sidebar.settle()
    sidebar.press("Label smoothing", "ArrowRight", 2)
    sidebar.settle()
    _, y = sidebar.read_row()
    np.testing.assert_allclose(y, [[0.025, 0.025, 0.025, 0.925]], rtol=1e-6)
    check_numbers(tf, sidebar)
    sidebar.root.get_by_label("True class").select_option("0")
    sidebar.settle()
    _, y = sidebar.read_row()
    assert y.argmax() == 0
    check_numbers(tf, sidebar)
    sidebar.root.get_by_text("Back to the data").click()
    sidebar.settle()
    z, y = sidebar.read_row()
    np.testing.assert_array_equal(z, [LOGITS[2]])
    np.testing.assert_array_equal(y, [[0, 0, 0, 1]])


def test_dragging_by_the_mouse(tf: Any, opened: Page, sidebar: Sidebar) -> None:
    sidebar.read_row()  # opens the code, for which the mouse is needed
    sidebar.slider("Logit of class 1").scroll_into_view_if_needed()
    box = sidebar.slider("Logit of class 1").bounding_box()
    mouse = opened.page.mouse
    mouse.move(box["x"] + box["width"] * 0.52, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2, steps=8)
    check_numbers(tf, sidebar)
    mouse.up()
    sidebar.settle()
    z, _ = sidebar.read_row()
    assert z[0, 1] > 8
    check_numbers(tf, sidebar)


def test_the_plot_is_a_slider_too(tf: Any, opened: Page, sidebar: Sidebar) -> None:
    sidebar.part("plot").scroll_into_view_if_needed()
    box = sidebar.part("plot").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + 80)
    sidebar.settle()
    z, _ = sidebar.read_row()
    assert z[0, 3] > 6
    check_numbers(tf, sidebar)


def test_samples_are_chosen_sorted_and_stepped_through(
    tf: Any, opened: Page, sidebar: Sidebar
) -> None:
    sidebar.root.get_by_label("Next sample").click()
    sidebar.settle()
    assert sidebar.text("which") == "sample 3"
    check_numbers(tf, sidebar)
    sidebar.root.locator("th[data-sort='crossentropy'] button").click()
    rows = sidebar.root.locator("tr[data-sample]")
    order = [int(row.get_attribute("data-sample")) for row in rows.all()]
    losses = gradmagic.compare_losses(CLASSES, LOGITS).per_sample_crossentropy.numpy()
    assert order == list(np.argsort(-losses))
    rows.first.locator("button").focus()
    opened.page.keyboard.press("ArrowDown")
    sidebar.settle()
    assert sidebar.text("which") == f"sample {order[1]}"
    assert rows.nth(1).get_attribute("aria-selected") == "true"
    sidebar.root.locator("th[data-sort='sample'] button").click()
    assert rows.first.get_attribute("data-sample") == "0"


def test_the_batch_s_figures(sidebar: Sidebar) -> None:
    comparison = gradmagic.compare_losses(CLASSES, LOGITS)
    rows = sidebar.root.locator(".gm-sum tr").all_inner_texts()
    mse = [float(row.split("\t")[-1]) for row in rows[1:4]]
    np.testing.assert_allclose(mse, comparison.mse, atol=2e-6)
    nats = [[float(cell) for cell in row.split("\t")[-2:]] for row in rows[6:9]]
    both = [comparison.crossentropy, comparison.crossentropy_bits]
    np.testing.assert_allclose(nats, [both] * 3, atol=2e-6)


def test_a_race_runs_and_can_be_stopped(opened: Page, sidebar: Sidebar) -> None:
    sidebar.part("race-start").select_option("sample")
    sidebar.part("race-steps").fill("3000")
    sidebar.part("race-go").click()
    status = sidebar.part("race-status")
    opened.page.wait_for_function("e => /^step/.test(e.textContent)", arg=status.element_handle())
    assert sidebar.part("race-progress").is_visible()
    assert sidebar.text("race-go") == "Stop"
    sidebar.part("race-go").click()
    opened.page.wait_for_function(
        "e => /^Stopped/.test(e.textContent)", arg=status.element_handle()
    )
    sidebar.part("race-steps").fill("30")
    sidebar.part("race-go").click()
    opened.page.wait_for_function(
        "e => /^After 30/.test(e.textContent)", arg=status.element_handle()
    )
    assert "crossentropy is right on 100 %, MSE on 0 %" in status.inner_text()
    assert not sidebar.part("race-progress").is_visible()


def test_code_is_shown_on_demand(sidebar: Sidebar) -> None:
    batch = sidebar.root.locator("details:has([data-k='code-batch'])")
    assert not batch.locator("pre").is_visible()
    batch.get_by_text("Show the code").click()
    assert "tf.losses.MSE(y, p)" in batch.locator("code").inner_text()
    batch.get_by_text("Hide the code").click()


def test_it_follows_the_cell_that_makes_the_tensors(opened: Page, sidebar: Sidebar) -> None:
    page = opened.page
    cell = page.locator(".jp-CodeCell").nth(2).locator(".cm-content")
    for text, words in (
        ("logits = tf.zeros([5, 4])", "undecided"),
        (f"logits = tf.constant({LOGITS})", "confidently wrong"),
    ):
        cell.click()
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "([root, words]) => root.querySelector('[data-k=claim]')?.textContent.includes(words)",
            arg=[page.locator(PLACES[opened.app]).element_handle(), words],
        )


def test_nothing_is_wider_than_the_panel(opened: Page, sidebar: Sidebar) -> None:
    for width in (420, 320):
        sidebar.root.evaluate("(e, width) => { e.style.width = `${width}px`; }", width)
        opened.page.wait_for_timeout(200)
        wide = sidebar.root.evaluate(
            """e => [...e.querySelectorAll('.gm-in *')].filter(x => !x.closest('svg, pre, .gm-list')
            && x.getBoundingClientRect().right > e.getBoundingClientRect().right + 1).map(x => x.outerHTML)"""
        )
        assert not wide
    sidebar.root.evaluate("e => { e.style.width = ''; }")


def test_the_console_holds_no_error_of_ours(opened: Page, server: Server, chromium: Any) -> None:
    server.write("plain.ipynb", ["1 + 1"])
    plain = Page(chromium, server.address(opened.app, "plain.ipynb"))
    plain.run_all()
    plain.page.close()
    assert set(opened.errors) <= set(plain.errors)


def test_opened_again_without_its_kernel_its_sliders_still_work(
    tf: Any, opened: Page, server: Server, chromium: Any
) -> None:
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address(opened.app, opened.name))
    again.page.wait_for_selector(".gm-static .gm-ready", timeout=30_000)
    assert again.count_visible(".gm-losses") == 1
    check_saved(tf, Sidebar(again.page.locator(".gm-static .gm-losses")))
    again.page.close()


def test_opened_again_untrusted_it_still_tells_its_numbers(
    opened: Page, server: Server, chromium: Any
) -> None:
    name = f"changed-{opened.name}"  # a changed file has no valid signature
    text = (server.folder / opened.name).read_text("utf-8")
    (server.folder / name).write_text(text.replace("logits = logits", "logits  = logits"), "utf-8")
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address(opened.app, name))
    again.page.wait_for_timeout(4000)
    seen = again.page.locator(".jp-Notebook >> visible=true").first.inner_text()
    assert "Sample 2 is confidently wrong: crossentropy pulls 1.41" in seen
    assert "clipped: gradient is exactly 0" in seen
    assert "Race" not in seen  # nor any other part that needs the script
    assert "Along the logit" not in seen
    assert max(map(len, seen.split())) < 100  # no packed numbers
    again.page.close()


def test_the_saved_page_s_sliders_work(tf: Any, chromium: Any, tmp_path: Any) -> None:
    panel = make_panel(gradmagic.compare_losses(CLASSES, LOGITS), Origin("y", "logits"))
    (tmp_path / "losses.html").write_text(render_page(panel, load_script("losses.js")), "utf-8")
    page = chromium.new_page(viewport={"width": 700, "height": 1200})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "losses.html").as_uri())
    page.wait_for_selector(".gm-ready")
    check_saved(tf, Sidebar(page.locator(".gm-losses")))
    assert not errors
    page.close()


def check_saved(tf: Any, sidebar: Sidebar) -> None:
    check_numbers(tf, sidebar)
    sidebar.press("Logit of class 3", "ArrowRight", 20)
    check_numbers(tf, sidebar)
    sidebar.press("Confidence", "Home")
    check_numbers(tf, sidebar)
    z, _ = sidebar.read_row()
    assert z[0, 3] > 0  # the other slider went back, and confidence turned all round
    sidebar.root.get_by_label("True class").select_option("0")
    check_numbers(tf, sidebar)
    sidebar.root.get_by_label("Next sample").click()
    assert sidebar.text("which") == "sample 3"
    check_numbers(tf, sidebar)
    assert not sidebar.part("race-go").is_visible()
