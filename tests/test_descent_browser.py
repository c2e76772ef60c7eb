"""A descent in real JupyterLab and Notebook 7: stopped in the middle, scrubbed, opened again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from front_end import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Server

pytestmark = pytest.mark.browser

START, RATE = (-1.5, 2.5), 0.01
SET_UP = f"""
%load_ext gradmagic
import tensorflow as tf
p = tf.Variable({list(START)})
"""
BODY = "loss = tf.reduce_sum((p - [1.0, -0.5]) ** 2 * [1.0, 6.0])"
# long enough that only a stop ends it within the test
LONG = f"%%graddescent p --lr {RATE} --steps 1000000 -o run\n{BODY}"
CHECK = f"""
q = tf.Variable({list(START)})
for _ in range(run[0].done):
    with tf.GradientTape() as t:
        {BODY.replace("p -", "q -")}
    q.assign_sub({RATE} * t.gradient(loss, q))
print(run[0].ended, run[0].done, "same" if (p == q).numpy().all() else "other", len(run[0].moments))
"""
SHORT = f"%%graddescent p --lr 0.02 --steps 50 -o short\n{BODY}"
CELLS = [SET_UP, LONG, CHECK, SHORT]


def start(page: Page) -> None:
    """Run all cells; without waiting for their end."""
    page.page.wait_for_timeout(3000)
    page.page.keyboard.press("Escape")
    page.page.click(".lm-MenuBar >> text=Run")
    page.page.click("text=Run All Cells")
    page.page.wait_for_function(
        "() => / [0-9.]+ steps/.test(document.querySelector('[data-k=said]')?.textContent ?? '')",
        timeout=60_000,
    )


def wait_until_done(page: Page) -> None:
    """Until the last cell has its number."""
    page.page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].every("
        "(prompt) => /\\[\\d+\\]/.test(prompt.textContent))",
        timeout=60_000,
    )
    page.page.wait_for_selector(".gm-live input[type=range]", timeout=30_000)


@pytest.fixture(scope="module", params=["lab", "notebook"])
def stopped(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook, whose long descent was ended by the Stop button."""
    name = f"descent-{request.param}.ipynb"
    server.write(name, CELLS)
    page = Page(chromium, server.address(request.param, name))
    page.app, page.name = request.param, name
    start(page)
    page.page.wait_for_timeout(1500)
    page.live = {  # type: ignore[attr-defined]  (what was on the page while it ran)
        "said": page.page.locator("[data-k=said]").inner_text(),
        "curves": page.page.locator("[data-k=losses] path.gm-curve").count(),
        "norms": page.page.locator("[data-k=norms] path.gm-norm").count(),
        "static": page.count_visible(".gm-static"),
    }
    page.page.locator(".gm-stop").first.click()
    wait_until_done(page)
    page.save()
    yield page
    page.page.close()


def read_check(page: Page) -> tuple[str, int, str, int]:
    """What the cell after the long descent printed."""
    text = page.page.locator(".jp-OutputArea-output pre").all_inner_texts()
    said = next(one for one in text if re.match(r"(stopped|interrupted|done) ", one)).split()
    return said[0], int(said[1]), said[2], int(said[3])


def test_while_it_runs_it_tells_how_far_it_is(stopped: Page) -> None:
    live = stopped.live  # type: ignore[attr-defined]
    assert re.search(r"^\d+ of 1000000 steps · [\d.]+ steps/s · \d+ (s|min|h) left$", live["said"])
    assert live["curves"] == live["norms"] == 1
    assert live["static"] == 0


def test_stop_ends_it_after_a_whole_step(stopped: Page) -> None:
    ended, done, same, kept = read_check(stopped)
    assert ended == "stopped"
    assert 10 < done < 1_000_000
    assert same == "same"
    assert kept > 10
    meta = stopped.page.locator(".gm-live .gm-meta").first.inner_text()
    assert f"{done} of 1000000 steps: stopped by the button" in meta


def test_scrubbing_shows_the_numbers_of_tensorflow(stopped: Page, tf: Any) -> None:
    p, at = tf.Variable(START), 0
    panel = stopped.page.locator(".gm-live .gm-descent").first
    panel.locator("input[type=range]").focus()
    stopped.page.keyboard.press("Home")
    for _kept in range(4):
        step = int(re.match(r"Step (\d+) of", panel.locator(".gm-reading b").inner_text())[1])
        loss, gradient = take_gradient(tf, p)
        while at < step:
            p.assign_sub(RATE * gradient)
            loss, gradient = take_gradient(tf, p)
            at += 1
        shown = [
            float(cell.inner_text().replace("\u2212", "-"))
            for cell in panel.locator("[data-side] tbody td[class]").all()
        ]
        np.testing.assert_allclose(shown, [*p.numpy(), *gradient.numpy()], rtol=1e-2, atol=6e-4)
        assert panel.locator("[data-k=now]").inner_text().split()[-1] == f"{float(loss):#.4g}"
        stopped.page.keyboard.press("ArrowRight")
    assert at > 0


def take_gradient(tf: Any, p: Any) -> tuple[Any, Any]:
    """One step of the plain loop."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((p - [1.0, -0.5]) ** 2 * [1.0, 6.0])
    return loss, tape.gradient(loss, p)


def test_dragging_the_curve_moves_the_slider(stopped: Page) -> None:
    panel = stopped.page.locator(".gm-live .gm-descent").nth(1)
    picture = panel.locator("[data-k=linear] svg, [data-k=logarithmic] svg").locator("visible=true")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    middle = box["y"] + box["height"] / 2
    stopped.page.mouse.move(box["x"] + box["width"] * 0.9, middle)
    stopped.page.mouse.down()
    stopped.page.mouse.move(box["x"] + box["width"] * 52 / 440, middle, steps=4)
    stopped.page.mouse.up()
    assert panel.locator(".gm-reading b").inner_text() == "Step 0 of 49"


def test_the_axis_is_switched(stopped: Page) -> None:
    panel = stopped.page.locator(".gm-live .gm-descent").nth(1)
    for name, shown, hidden in (
        ("log", "logarithmic", "linear"),
        ("linear", "linear", "logarithmic"),
    ):
        panel.get_by_role("button", name=name, exact=True).click()
        assert panel.locator(f"[data-k={shown}]").is_visible()
        assert not panel.locator(f"[data-k={hidden}]").is_visible()


def test_nothing_is_wider_than_the_page(stopped: Page) -> None:
    for panel in stopped.page.locator(".gm-live .gm-descent").all():
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def test_opened_again_without_its_kernel_it_is_scrubbed_too(
    stopped: Page, server: Server, chromium: Any
) -> None:
    stopped.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address(stopped.app, stopped.name))
    again.page.wait_for_timeout(5000)  # the widget manager has had its time to fail
    seen = again.page.locator(".jp-Notebook >> visible=true").first.inner_text()
    assert "model not found" not in seen
    assert again.count_visible(".gm-static .gm-descent") == 2
    panel = again.page.locator(".gm-static .gm-descent").nth(1)
    panel.locator("input[type=range]").focus()
    again.page.keyboard.press("Home")
    assert panel.locator(".gm-reading b").inner_text() == "Step 0 of 49"
    again.page.close()


def test_the_kernels_interrupt_ends_it_after_a_whole_step(server: Server, chromium: Any) -> None:
    server.write("interrupted.ipynb", CELLS[:2])
    page = Page(chromium, server.address("lab", "interrupted.ipynb"))
    start(page)
    page.page.wait_for_timeout(500)
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("i")
    page.page.keyboard.press("i")
    wait_until_done(page)
    meta = page.page.locator(".gm-live .gm-meta").first.inner_text()
    assert "of 1000000 steps: interrupted" in meta
    assert page.count_visible("[data-mime-type='application/vnd.jupyter.error']") == 0
    page.page.close()


def test_where_the_button_is_not_heard_the_kernel_is_interrupted(
    server: Server, chromium: Any
) -> None:
    deaf = "from gradmagic.widgets.descent import DescentWidget\nDescentWidget._take = print"
    server.write("deaf.ipynb", [f"{SET_UP}{deaf}", LONG])
    page = Page(chromium, server.address("lab", "deaf.ipynb"))
    start(page)
    page.page.locator(".gm-stop").first.click()
    wait_until_done(page)
    meta = page.page.locator(".gm-live .gm-meta").first.inner_text()
    assert "of 1000000 steps: interrupted" in meta
    page.page.close()
