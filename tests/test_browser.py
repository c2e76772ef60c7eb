"""The report in real JupyterLab and Notebook 7, in Chromium: live, saved, opened again."""

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
import tensorflow as tf
tf.random.set_seed(1)
x, w, b = tf.random.normal([2, 4]), tf.random.normal([4, 3]), tf.zeros([3])
names = {"<img src=x onerror=window.hacked=1>": w}
"""
CROSSENTROPY = """%%gradtape w b
logits = x @ w + b
loss = tf.reduce_mean(
    tf.losses.categorical_crossentropy(tf.one_hot([2, 0], 3), logits, from_logits=True))
"""
HOSTILE = """%%gradtape names
loss = tf.reduce_sum(w ** 2)  # <img src=x onerror=window.hacked=1>
"""
CELLS = [SET_UP, CROSSENTROPY, HOSTILE]


@pytest.fixture(scope="module", params=["lab", "notebook"])
def opened(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook, run in JupyterLab and in Notebook 7, and saved."""
    name = f"{request.param}.ipynb"
    server.write(name, CELLS)
    page = Page(chromium, server.address(request.param, name))
    page.app, page.name = request.param, name
    page.run_all()
    page.page.wait_for_selector(".gm-live .gm-tabs", timeout=60_000)
    page.save()
    yield page
    page.page.close()


def test_the_live_report_shows_and_the_static_one_does_not(opened: Page) -> None:
    assert opened.count_visible(".gm-live .gm") == 2
    assert opened.count_visible(".gm-static .gm") == 0
    assert opened.page.locator(".gm-live .gm-head").first.inner_text().startswith("loss")


def test_tabs_switch_by_mouse_and_by_keyboard(opened: Page) -> None:
    report = opened.page.locator(".gm-live").first
    report.get_by_role("tab", name="Graph").click()
    assert report.locator(".gm-panel.gm-graph svg").first.is_visible()
    assert not report.locator(".gm-panel.gm-gradients").is_visible()
    opened.page.keyboard.press("ArrowRight")
    assert report.get_by_role("tab", name="Code").get_attribute("aria-selected") == "true"
    assert "tape.watch([w, b])" in report.locator(".gm-panel.gm-code").inner_text()
    opened.page.keyboard.press("Home")
    assert report.locator(".gm-panel.gm-gradients").is_visible()


def test_hostile_names_stay_text(opened: Page) -> None:
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator(".gm img").count() == 0
    assert "<img src=x onerror" in opened.page.locator(".gm-live").nth(1).inner_text()


def test_nothing_is_wider_than_the_page(opened: Page) -> None:
    for report in opened.page.locator(".gm-live .gm").all():
        assert report.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def test_the_console_holds_no_error_of_ours(opened: Page, server: Server, chromium: Any) -> None:
    server.write("plain.ipynb", ["1 + 1"])  # what the front-end logs by itself
    plain = Page(chromium, server.address(opened.app, "plain.ipynb"))
    plain.run_all()
    plain.page.close()
    assert set(opened.errors) <= set(plain.errors)


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_opened_again_without_its_kernel_it_shows_the_static_report(
    opened: Page, server: Server, chromium: Any, trusted: bool
) -> None:
    name = opened.name
    if not trusted:  # a changed file has no valid signature
        name = f"changed-{name}"
        text = (server.folder / opened.name).read_text("utf-8")
        (server.folder / name).write_text(text.replace("loss = ", "loss  = "), "utf-8")
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address(opened.app, name))
    again.page.wait_for_timeout(5000)  # the widget manager has had its time to fail
    seen = again.page.locator(".jp-Notebook >> visible=true").first.inner_text()
    assert "model not found" not in seen
    assert again.count_visible(".gm-live .gm") == 0
    if trusted:
        assert again.count_visible(".gm-static .gm") == 2
    assert seen.count("d loss / d") >= 2
    again.page.close()
