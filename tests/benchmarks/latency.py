"""The sidebar under the hand: from an event to the painted picture, in real JupyterLab."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' own front_end

from front_end import Page, find_chromium, start_chromium, start_server
from timing import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SLIDER, SLIDER_95, KERNEL, LARGE = 12.0, 33.0, 100.0, 2000.0  # ms, the reaches
SET_UP = """
%load_ext gradmagic
import tensorflow as tf
tf.random.set_seed(1)
y, logits = tf.random.uniform([64], 0, 10, tf.int32), tf.random.normal([64, 10]) * 3
many, large = tf.random.uniform([100_000], 0, 10, tf.int32), tf.random.normal([100_000, 10])
"""
CELLS = [SET_UP, "%gradlosses y logits", "logits = -logits", "%gradlosses many large"]
# The time of an event, and of the task that follows the picture which was painted after it.
WATCH = """() => {
  window.times = [];
  const painted = (act) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = act;
    channel.port2.postMessage(0);
  });
  window.addEventListener("input", () => {
    const start = performance.now();
    painted(() => window.times.push(performance.now() - start));
  }, { capture: true });
  window.measure = (act, which, fits) => new Promise((done, fail) => {
    const start = performance.now();
    setTimeout(() => fail(new Error(`${which} has not changed`)), 20_000);
    const look = new MutationObserver(() => {
      const shown = document.querySelector(which);
      if (!shown || !fits(shown.textContent)) return;
      look.disconnect();
      painted(() => done(performance.now() - start));
    });
    look.observe(document.body, { subtree: true, childList: true, characterData: true });
    act();
  });
}"""

MARK = """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].forEach(
  (prompt, i) => { prompt.id = `cell-${i}`; })"""


def measure() -> Iterator[tuple[str, list[Row]]]:
    """Slider, another sample, a batch of 100,000."""
    path = find_chromium()
    if path is None:
        print("latency: no Chromium on this machine")
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder)) as server,
        start_chromium(path) as browser,
    ):
        server.write("latency.ipynb", CELLS)
        page = Page(browser, server.address("lab", "latency.ipynb"), width=1400)
        page.page.wait_for_timeout(3000)
        page.page.evaluate(WATCH)
        page.page.evaluate(MARK)
        _run_cell(page.page, 0, "#cell-0")
        alone = [_run_cell(page.page, 2, "#cell-2") for _ in range(15)]
        _run_cell(page.page, 1, "#cell-1")
        page.page.wait_for_selector(".gm-side .gm-ready", timeout=60_000)
        page.page.wait_for_timeout(1500)
        what = "64 samples by 10 classes, JupyterLab in headless Chromium"
        drags = _drag(page.page)
        yield (
            "Sidebar, from an event to the painted picture",
            [
                Row(
                    "a slider's step, median",
                    statistics.median(drags),
                    "ms",
                    SLIDER,
                    what,
                    len(drags),
                ),
                Row(
                    "a slider's step, 95th percentile",
                    statistics.quantiles(drags, n=20)[-1],
                    "ms",
                    SLIDER_95,
                    what,
                    len(drags),
                ),
                _row("another sample, median", _step(page.page), KERNEL, what),
                _row("back to the data, median", _settle(page.page), KERNEL, what),
                _row(*_change(page.page, alone)),
            ],
        )
        large = _open_large(page)
        yield (
            "Sidebar, a large batch",
            [
                Row(
                    "100,000 samples, opened",
                    large,
                    "ms",
                    LARGE,
                    "from the key that runs the cell",
                    1,
                )
            ],
        )
        page.page.close()


def _row(title: str, times: list[float], reach: float, what: str) -> Row:
    return Row(title, statistics.median(times), "ms", reach, what, len(times))


def _drag(page: Any) -> list[float]:
    """The mouse drags every class's slider to and fro."""
    for number in range(10):
        slider = page.locator(f".gm-side input[aria-label='Logit of class {number}']")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        x, y, width = box["x"], box["y"] + box["height"] / 2, box["width"]
        page.mouse.move(x + width / 2, y)
        page.mouse.down()
        for share in (0.95, 0.05, 0.6):
            page.mouse.move(x + width * share, y, steps=15)
        page.mouse.up()
        page.wait_for_timeout(500)
    return page.evaluate("window.times")


def _step(page: Any) -> list[float]:
    """The button that takes the next sample in hand."""
    page.locator(".gm-side [aria-label='Next sample']").scroll_into_view_if_needed()
    times = []
    for _ in range(25):
        which = page.locator(".gm-side [data-k=which]").inner_text()
        number = int(which.split()[1].rstrip(","))
        times.append(
            page.evaluate(
                """(next) => window.measure(
                    () => document.querySelector(".gm-side [aria-label='Next sample']").click(),
                    ".gm-side [data-k=which]", (text) => text === `sample ${next}`)""",
                (number + 1) % 64,
            )
        )
        page.wait_for_timeout(100)
    return times


def _settle(page: Any) -> list[float]:
    """Back to the data, after a slider was moved: tables come from the kernel."""
    times = []
    for _ in range(15):
        page.locator(".gm-side input[type=range]").first.focus()
        page.keyboard.press("PageUp")
        page.wait_for_timeout(600)
        times.append(
            page.evaluate(
                """() => window.measure(
                    () => [...document.querySelectorAll(".gm-side .gm-picks button")][0].click(),
                    ".gm-side [data-k=which]", (text) => !text.includes("moved"))"""
            )
        )
        page.wait_for_timeout(200)
    return times


def _change(page: Any, alone: list[float]) -> tuple[str, list[float], float, str]:
    """A cell makes the tensors anew; against the same cell before the panel was open."""
    times = [_run_cell(page, 2, ".gm-side .gm-sum") for _ in range(15)]
    base = statistics.median(alone)
    what = (
        f"from the key that runs the cell {statistics.median(times):.0f} ms, "
        f"less the {base:.0f} ms of the cell without a panel"
    )
    return "other tensors, median", [time - base for time in times], KERNEL, what


def _run_cell(page: Any, number: int, which: str) -> float:
    """From the key that runs a cell until something on the page has changed for good."""
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.evaluate(
        """(which) => {
          const before = document.querySelector(which).textContent;
          window.changed = window.measure(
            () => {}, which, (text) => text !== before && !text.includes("*"));
        }""",
        which,
    )
    page.keyboard.press("Control+Enter")
    time = page.evaluate("() => window.changed")
    page.wait_for_timeout(300)
    return time


def _open_large(page: Page) -> float:
    page.page.locator(".jp-CodeCell").nth(3).locator(".cm-content").click()
    page.page.evaluate(
        """() => { window.opened = window.measure(
            () => {}, ".gm-side .gm-sum", (text) => text.includes("of 100,000 right")); }"""
    )
    page.page.keyboard.press("Control+Enter")
    return page.page.evaluate("() => window.opened")
