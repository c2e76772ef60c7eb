"""The draggable point in Chromium: on a saved page, and in real JupyterLab and Notebook 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from front_end import Page

import gradmagic
from gradmagic.render.numbers import format_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from front_end import Server

pytestmark = pytest.mark.browser

CELLS = [
    "%load_ext gradmagic\nimport tensorflow as tf\nz = tf.constant([-9.0, 0.0, 1.0, 9.0])",
    "%gradactivation sigmoid tanh softmax --range -6 6 --of z",
]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


class Panel:
    """The panel, wherever it stands."""

    def __init__(self, page: Any, root: Any) -> None:
        self.page, self.root = page, root
        self.svg = root.locator(".gm-chart-value [role=slider]")
        self.svg.wait_for()

    def part(self, key: str) -> str:
        """What a part says."""
        return self.root.locator(f"[data-k='{key}']").inner_text()

    def cell(self, row: int, key: str, table: str = "rows") -> str:
        """A cell of a table."""
        return (
            self.root.locator(f"[data-k='{table}'] tr")
            .nth(row)
            .locator(f"[data-c='{key}']")
            .inner_text()
        )

    def x(self) -> float:
        """Where the point is."""
        return float(self.svg.get_attribute("aria-valuenow"))

    def place(self, share: float) -> tuple[float, float]:
        """A place on the page, as a share of the value's frame from the left."""
        box = self.svg.bounding_box()
        scale = box["width"] / 372
        return box["x"] + scale * (44 + 316 * share), box["y"] + box["height"] / 2

    def check(self) -> None:
        """All numbers of sigmoid, the function in front, against the closed form."""
        s = sigmoid(self.x())
        assert self.cell(0, "value") == format_entry(s)
        assert self.cell(0, "slope") == format_entry(s * (1 - s))
        assert format_entry(s * (1 - s)) in self.part("claim")
        assert ("saturated" in self.part("claim")) == (s * (1 - s) < 0.05)
        chain = 1.0
        h = self.x()
        for _ in range(5):
            h = sigmoid(h)
            chain *= h * (1 - h)
        assert self.cell(0, "chain", "stack-rows") == format_entry(chain)
        mark = self.root.locator(".gm-chart-value .gm-over .gm-mark").last
        box, frame = mark.bounding_box(), self.svg.bounding_box()
        right = frame["x"] + frame["width"] / 372 * (44 + 316 * (self.x() + 6) / 12)
        assert box["x"] + box["width"] / 2 == pytest.approx(right, abs=1.5)


@pytest.fixture(scope="module", params=["page", "lab", "notebook"])
def panel(
    request: pytest.FixtureRequest,
    server: Server,
    chromium: Any,
    tmp_path_factory: pytest.TempPathFactory,
    tf: Any,
) -> Iterator[Panel]:
    """The panel on a page of its own, and in a notebook."""
    if request.param == "page":
        z = tf.constant([-9.0, 0.0, 1.0, 9.0])
        lab = gradmagic.activation("sigmoid", "tanh", "softmax", range=(-6, 6), of=z)
        path = tmp_path_factory.mktemp("activations") / "lab.html"
        gradmagic.save(lab, path)
        page = chromium.new_page(viewport={"width": 900, "height": 900})
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        yield Panel(page, page.locator(".gm-act"))
        assert len(asked) == 1
        assert not errors
        page.close()
        return
    name = f"activations-{request.param}.ipynb"
    server.write(name, CELLS)
    opened = Page(chromium, server.address(request.param, name))
    opened.run_all()
    yield Panel(opened.page, opened.page.locator(".gm-live .gm-act"))
    assert not [error for error in opened.errors if "gm" in error.lower()]
    opened.page.close()


def test_the_point_is_dragged_keyed_and_compared(panel: Panel) -> None:
    page = panel.page
    panel.svg.scroll_into_view_if_needed()
    assert panel.x() == 2
    panel.check()
    # the mouse
    page.mouse.move(*panel.place(0.3))
    page.mouse.down()
    page.mouse.move(*panel.place(0.5), steps=5)
    assert panel.x() == pytest.approx(0, abs=0.06)
    panel.check()
    page.mouse.move(*panel.place(0.95), steps=5)
    page.mouse.up()
    assert panel.x() == pytest.approx(5.4, abs=0.06)
    panel.check()
    page.mouse.move(*panel.place(0.1))  # let go: it stays
    assert panel.x() == pytest.approx(5.4, abs=0.06)
    # the keyboard
    panel.svg.focus()
    page.keyboard.press("Home")
    assert panel.x() == -6
    panel.check()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert panel.x() == pytest.approx(-5.85)
    page.keyboard.press("End")
    assert panel.x() == 6
    page.keyboard.press("Shift+ArrowLeft")
    assert panel.x() == pytest.approx(5.5)
    panel.check()
    said = panel.svg.get_attribute("aria-valuetext")
    assert said.startswith("x = 5.50; sigmoid: 0.9959, derivative 0.0041")
    # another function in front
    assert "50.0 % of the 4 finite entries" in panel.part("spread")
    shaded = panel.root.locator(".gm-chart-value rect.gm-flat").first.get_attribute("width")
    panel.root.get_by_role("button", name="tanh").first.click()
    assert "tanh is saturated: it multiplies" in panel.part("claim")
    assert panel.root.locator(".gm-chart-value rect.gm-flat").first.get_attribute("width") != shaded
    assert panel.root.locator(".gm-chart-slope path.gm-f.gm-lead").count() == 1
    # bound and layers
    panel.root.locator("[data-k='bound'] input").press("Home")
    assert panel.part("bound-words") == "saturated: |derivative| < 0.001"
    panel.root.locator("[data-k='layers'] input").press("End")
    assert panel.part("layers-words") == "gradient after 10 layers"
    assert panel.cell(0, "best", "stack-rows") == format_entry(0.25**10)


def test_the_sliders_of_softmax(panel: Panel) -> None:
    logits = [2.0, 0.5, -1.0]
    for i, key in enumerate(["End", "Home", "ArrowRight"]):
        panel.root.locator("[data-k='logits'] input").nth(i).press(key)
        logits[i] = {"End": 4.0, "Home": -4.0, "ArrowRight": logits[i] + 0.25}[key]
        p = np.exp(logits) / np.exp(logits).sum()
        jacobian = np.diag(p) - np.outer(p, p)
        assert [panel.cell(j, "p", "logits") for j in range(3)] == list(map(format_entry, p))
        seen = panel.root.locator("[data-k='jacobian'] td").all_inner_texts()
        for text, right in zip(seen, jacobian.ravel(), strict=True):
            number = float(text.replace("\u2212", "-"))
            assert number == pytest.approx(right, rel=0.02, abs=6e-5)


def test_it_fits_a_narrow_and_a_wide_page(chromium: Any, tmp_path: Path, tf: Any) -> None:
    lab = gradmagic.activation("sigmoid", "relu", "gelu", "softmax", of=tf.random.normal([99]))
    gradmagic.save(lab, tmp_path / "lab.html")
    for width in (420, 700, 1200):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto((tmp_path / "lab.html").as_uri())
        page.wait_for_selector(".gm-ready")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
