"""Saved pages under the hand: from a key to the painted picture, in headless Chromium."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' own front_end

from front_end import find_chromium, start_chromium
from timing import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

REACH = 20.0  # ms
PRESSES = 60
# The time from a key to the task that follows the picture which was painted after it.
PRESS = """async ([which, count]) => {
  const slider = [...document.querySelectorAll(which)].find((one) => one.getClientRects().length);
  slider.focus();
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  }));
  const times = [];
  for (let i = 0; i < count; i += 1) {
    await painted();
    await new Promise((done) => setTimeout(done, i % 17)); // a key comes at any time of a frame
    const start = performance.now();
    if (slider.matches("input")) {
      slider.value = i % 2 ? slider.min : slider.max;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      const key = i % 2 ? "PageUp" : "PageDown";
      slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    }
    await painted();
    times.push(performance.now() - start);
  }
  return times;
}"""


def measure() -> Iterator[tuple[str, list[Row]]]:
    """The point of an activation, and the slider through a descent."""
    path = find_chromium()
    if path is None:
        print("pages: no Chromium on this machine")
        return
    with tempfile.TemporaryDirectory() as folder, start_chromium(path) as browser:
        yield (
            "Saved pages, from an event to the painted picture",
            [
                _time(browser, _save_activations(Path(folder)), "[role=slider]", "8 activations"),
                _time(browser, _save_descent(Path(folder)), "input[type=range]", "digits 64-32-10"),
            ],
        )


def _time(browser: Any, page: Path, which: str, what: str) -> Row:
    opened = browser.new_page(viewport={"width": 1200, "height": 1000})
    opened.goto(page.as_uri())
    opened.wait_for_selector(which)
    opened.wait_for_timeout(500)
    times = opened.evaluate(PRESS, [which, PRESSES])
    opened.close()
    return Row(f"{what}, median", statistics.median(times), "ms", REACH, "a frame is 16.7", PRESSES)


def _save_activations(folder: Path) -> Path:
    import gradmagic

    names = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "swish"]
    path = folder / "activations.html"
    gradmagic.save(gradmagic.activation(*names), path)
    return path


def _save_descent(folder: Path) -> Path:
    from descent import DIGITS_BODY, make_digits

    import gradmagic

    path = folder / "descent.html"
    options = {"lr": 0.01, "steps": 100, "optimizer": "adam"}
    made = gradmagic.descend(DIGITS_BODY, "model", names=make_digits(), **options)
    gradmagic.save(made, path)
    return path
