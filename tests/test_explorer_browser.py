"""The live graph in Chromium: in JupyterLab and Notebook 7, and in the file that a report is saved as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from front_end import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Server

pytestmark = pytest.mark.browser

SET_UP = """
%load_ext gradmagic
import tensorflow as tf, gradmagic
tf.random.set_seed(1)
x, w, u = tf.random.normal([2, 4]), tf.random.normal([4, 4]), tf.random.normal([4, 4]) * 0.5
"""
LOOP = """%%gradtape w u
h = tf.zeros([2, 4])
for i in range(40):
    h = tf.tanh(x @ w + h @ u)
loss = tf.reduce_mean(h ** 2)
"""
SAVE = "gradmagic.save(gradmagic.last_run(), 'report.html')"
CELLS = [SET_UP, LOOP, SAVE]


@pytest.fixture(scope="module", params=["lab", "notebook"])
def opened(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook, run, with the graph in sight."""
    name = f"explorer-{request.param}.ipynb"
    server.write(name, CELLS)
    page = Page(chromium, server.address(request.param, name))
    page.run_all()
    page.page.wait_for_selector(".gm-live .gm-explorer", state="attached", timeout=60_000)
    page.page.locator(".gm-live [role=tab]", has_text="Graph").click()
    page.page.wait_for_timeout(500)
    yield page
    page.page.close()


@pytest.fixture
def saved(opened: Page, server: Server, chromium: Any) -> Iterator[Any]:
    """The report as a file, without kernel and network."""
    page = chromium.new_page(viewport={"width": 1000, "height": 1000})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((server.folder / "report.html").as_uri() + "#step-2")
    page.wait_for_selector(".gm-explorer")
    yield page
    assert len(asked) == 1
    page.close()


def test_keys_alone_do_everything_and_none_reaches_the_notebook(opened: Page) -> None:
    page = opened.page
    cells = page.locator(".jp-Cell").count()
    page.locator(".gm-stage [tabindex='0']").focus()
    assert _read_focus(page, "data-node") == page.evaluate(
        "document.querySelector('.gm-stage .gm-target').getAttribute('data-node')"
    )
    for _ in range(3):  # the target, the mean, the square, the loop
        page.keyboard.press("ArrowUp")
    assert _read_focus(page, "data-group") is not None
    page.keyboard.press(" ")
    page.wait_for_selector(".gm-stage .gm-frame")
    page.keyboard.press("]")  # the next time
    page.wait_for_function("document.querySelector('.gm-iteration').textContent === '2 / 40'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('.gm-told')")
    assert page.locator(".gm-lines .gm-on").inner_text().split()[0] == "4"
    page.keyboard.press("Escape")
    for key in "nndab":
        page.keyboard.press(key)
    assert page.locator(".gm-at").inner_text().startswith("Step 2 of")
    page.keyboard.press("/")
    page.keyboard.type("mean")
    page.keyboard.press("Enter")
    page.wait_for_selector(".gm-stage .gm-chosen")
    assert "mean" in page.locator(".gm-told header").inner_text()
    for _ in range(4):
        page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.wait_for_selector(".gm-stage .gm-frame", state="detached")
    assert page.locator(".jp-Cell").count() == cells


def test_a_slope_is_measured_and_an_entry_dragged_and_let_go(opened: Page) -> None:
    page = opened.page
    page.locator(".gm-stage .gm-source", has_text="w").click()
    page.locator("[data-check]").click()
    page.wait_for_function("document.querySelector('.gm-answer').textContent !== ''")
    before = page.locator(".gm-stage .gm-target").inner_html()
    slider = page.locator("input[data-imagine]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".gm-what-if", state="visible")
    assert page.locator(".gm-stage .gm-target").inner_html() != before
    assert page.evaluate("document.activeElement.matches('input[data-imagine]')")
    page.locator(".gm-what-if button").click()
    page.wait_for_selector(".gm-what-if", state="hidden")
    assert page.locator(".gm-stage .gm-target").inner_html() == before


def test_what_if_reaches_every_time_of_a_loop_and_leaves_none_behind(opened: Page) -> None:
    page = opened.page

    def read_turn() -> tuple[str, str]:
        frame = page.locator(".gm-frame").first
        words = frame.locator("text").all_text_contents()
        return frame.locator(".gm-iteration").text_content(), " ".join(words)

    page.locator(".gm-stage .gm-sign[data-act=open]").click()
    page.locator(".gm-stage .gm-sign[data-act=previous]").click()  # the last, which was not sent
    page.wait_for_function("document.querySelector('.gm-iteration').textContent === '40 / 40'")
    page.locator(".gm-stage .gm-source", has_text="w").click()
    before = read_turn()
    slider = page.locator("input[data-imagine]")
    slider.focus()
    entry = slider.get_attribute("data-index")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
    assert slider.get_attribute("data-index") == entry  # the hand holds the same one throughout
    value = slider.input_value()
    page.wait_for_function(
        "value => Math.abs(parseFloat(document.querySelector('.gm-what-if span').textContent"
        ".match(/were (.*)\\?/)[1].replace('\u2212', '-')) - value) < 0.01",
        arg=float(value),
    )
    page.wait_for_timeout(500)
    imagined = read_turn()
    assert imagined[0] == before[0]
    assert imagined[1] != before[1]
    for act in ("previous", "next"):  # not the numbers that were sent before
        page.locator(f".gm-stage .gm-sign[data-act={act}]").click()
        page.wait_for_timeout(300)
    assert read_turn() == imagined
    page.locator(".gm-what-if button").click()
    page.wait_for_selector(".gm-what-if", state="hidden")
    page.wait_for_timeout(500)
    assert read_turn() == before
    page.locator(".gm-bar >> text=Close all").click()


def test_the_console_holds_no_error_of_ours(opened: Page) -> None:
    assert not [error for error in opened.errors if "gradmagic" in error or "gm-" in error]


def test_the_saved_file_steps_and_follows_links_to_steps(saved: Any) -> None:
    saved.wait_for_function("document.querySelector('.gm-at').textContent.startsWith('Step 2 of')")
    assert saved.locator(".gm-frame").count() == 1  # step 2 lies inside the loop
    saved.locator("[aria-label='Last step']").click()
    assert saved.locator(".gm-at").inner_text().endswith("backward")
    link = saved.locator(".gm-told [data-step]").last
    number = link.get_attribute("data-step")
    link.click()
    saved.wait_for_function(
        "number => document.querySelector('.gm-at').textContent.startsWith(`Step ${number} of`)",
        arg=number,
    )


def test_a_link_to_a_step_opens_the_file_at_what_is_said_of_it(
    opened: Page, server: Server, chromium: Any
) -> None:
    assert opened  # has saved it
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.goto((server.folder / "report.html").as_uri() + "#step-164")  # outside of the loop
    page.wait_for_function("document.querySelector('.gm-at').textContent.startsWith('Step 164')")
    page.wait_for_timeout(300)  # the stage is measured after that
    assert page.locator(".gm-told").inner_text().startswith("step 164 ")
    page.close()


def test_the_saved_file_tells_finds_and_collapses(saved: Any) -> None:
    saved.locator(".gm-bar >> text=Close all").click()
    assert saved.locator(".gm-frame").count() == 0
    saved.locator(".gm-seek").fill("tanh")
    saved.keyboard.press("Enter")
    saved.wait_for_selector(".gm-frame")
    assert "tanh" in saved.locator(".gm-told header").inner_text()
    line = saved.locator(".gm-lines .gm-on").bounding_box()
    code = saved.locator(".gm-lines").bounding_box()
    assert code["y"] <= line["y"] <= code["y"] + code["height"] - line["height"]
    saved.locator(".gm-lines button").last.click()
    assert saved.locator(".gm-stage .gm-picked").count() >= 2
    saved.locator(".gm-stage .gm-source", has_text="w").click()
    assert saved.locator("[data-check]").count() == 0  # there is no kernel to ask


def test_plain_scrolling_stays_the_pages_and_a_drag_selects_nothing(saved: Any) -> None:
    def read_view() -> str:
        return saved.evaluate("document.querySelector('.gm-canvas').style.transform")

    box = saved.locator(".gm-stage").bounding_box()
    corner = box["x"] + 4, box["y"] + 60
    saved.mouse.move(*corner)
    before = read_view()
    saved.mouse.wheel(0, 60)
    saved.wait_for_timeout(200)
    assert read_view() == before
    saved.locator(".gm-stage").scroll_into_view_if_needed()
    box = saved.locator(".gm-stage").bounding_box()
    saved.mouse.move(box["x"] + 4, box["y"] + 60)
    saved.mouse.down()
    saved.mouse.move(box["x"] + 44, box["y"] + 90, steps=4)
    saved.mouse.up()
    assert read_view() != before
    assert saved.locator(".gm-chosen").count() == 0


def _read_focus(page: Any, attribute: str) -> str | None:
    return page.evaluate("name => document.activeElement.getAttribute(name)", attribute)
