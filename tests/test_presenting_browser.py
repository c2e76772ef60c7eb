"""Large and grey in Chromium: contrast, size, what the pointer does, print; and in real front-ends."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from contrast import find_faint, measure
from front_end import Page

import gradmagic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from front_end import Server

pytestmark = pytest.mark.browser

NAMES = ("report", "descent", "activations", "losses")
ROOM = {"width": 1280, "height": 720}  # a projector's


@pytest.fixture(scope="module")
def saved(tf: Any, _shell: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each kind."""
    folder = tmp_path_factory.mktemp("presented")
    tf.random.set_seed(3)
    names = {
        "tf": tf, "x": tf.random.normal([2, 4]), "w": tf.random.normal([4, 3]), "b": tf.zeros([3]),
        "y": tf.one_hot([2, 0], 3), "unused": tf.Variable(1.0), "wide": tf.random.normal([20, 30]),
    }  # fmt: skip
    body = (
        "prob = tf.nn.softmax(x @ w + b)\n"
        "loss = tf.reduce_mean(tf.losses.MSE(y, prob)) + tf.reduce_mean(wide ** 2)\n"
    )
    run = gradmagic.gradtape(body, "w", "b", "wide", "unused", names=names)
    gradmagic.save(run, folder / "report.html")
    start = {"tf": tf, "w": tf.constant([1.0, -2.0])}
    runs = gradmagic.descend(
        "loss = tf.reduce_sum((2.0 * w - 3.0) ** 2)", "w", names=start, lr=[0.002, 0.05, 0.26],
        steps=20,
    )  # fmt: skip
    gradmagic.save(runs, folder / "descent.html")
    lab = gradmagic.activation("sigmoid", "relu", "softmax", of=3 * tf.random.normal([99]))
    gradmagic.save(lab, folder / "activations.html")
    from gradmagic.sidebar import make_plain_panel

    logits = tf.constant([[4.0, -2.0, 1.0, 0.0], [9.0, 0.0, 0.0, -5.0], [1.0, 1.0, 6.0, 1.0]])
    compared = gradmagic.compare_losses([1, 3, 2], logits, from_logits=True)
    gradmagic.save(make_plain_panel(compared), folder / "losses.html")
    return folder


@pytest.fixture
def open_page(saved: Path, chromium: Any) -> Iterator[Any]:
    """``open_page(name, *classes, **options of the context)``: a saved page, presented so."""
    contexts = []

    def open_one(name: str, *classes: str, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": ROOM, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto((saved / f"{name}.html").as_uri())
        page.wait_for_selector(".gm-explorer, .gm-ready, .gm-slider input")
        for one in classes:
            page.click(f"body > .gm-present [data-present={one}]")
        page.wait_for_timeout(300)
        return page

    yield open_one
    for context in contexts:
        context.close()


TALL = {"width": 1280, "height": 8000}
EACH = list(itertools.product(NAMES, ("light", "dark"), ("", "gm-large", "gm-grey")))


@pytest.mark.parametrize(("name", "scheme", "state"), EACH)
def test_contrast(open_page: Any, name: str, scheme: str, state: str) -> None:
    """AA: 4.5, large text 3. Large: AAA, 7 and 4.5. Strokes that mean something: 3."""
    page = open_page(name, *filter(None, [state]), viewport=TALL, color_scheme=scheme)
    seen = measure(page, "body")
    assert sum(one.kind == "text" for one in seen) > 50
    assert sum(one.kind == "mark" for one in seen) > 5
    text, large = (7, 4.5) if state == "gm-large" else (4.5, 3)
    assert find_faint(seen, text=text, large=large) == []
    if state == "gm-large":
        small = [one for one in seen if one.kind == "text" and one.size < 16]
        assert small == []


def test_contrast_is_measured(open_page: Any) -> None:
    """Known colours: the ratios of WCAG's own definition."""
    page = open_page("report")
    page.set_content(
        "<body style='background: #fff'><p style='color: #777'>grey</p>"
        "<p style='color: #fff; background: #767676'>white</p>"
        "<p style='color: rgba(0, 0, 0, .5)'>half</p>"
        "<svg width=99 height=40><rect width=99 height=40 fill=#000 /><text y=20 fill=#fff>svg</text></svg>"
    )
    seen = {one.what: one.contrast for one in measure(page, "body")}
    assert seen["grey"] == pytest.approx(4.478, abs=0.01)
    assert seen["white"] == pytest.approx(4.542, abs=0.01)
    assert seen["half"] == pytest.approx(3.95, abs=0.06)
    assert seen["svg"] == pytest.approx(21, abs=0.01)


CLIPPED = """() => {
  const isUnseen = (element) => { // there for screen readers alone
    for (let at = element; at; at = at.parentElement) {
      if (at.offsetWidth <= 1 && getComputedStyle(at).overflow === "hidden") return true;
    }
    return false;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, style, option, .gm-stage")) continue;
    if (!element.checkVisibility({ visibilityProperty: true }) || isUnseen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) {
      if (box.width < 2 || (box.right <= innerWidth + 1 && box.left >= -1)) continue;
      let scrolls = false;
      for (let at = element; at; at = at.parentElement) {
        scrolls ||= ["auto", "scroll"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth;
      }
      if (!scrolls) found.push(walker.currentNode.data.trim());
    }
  }
  return found;
}"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1280, 900, 640])
def test_nothing_clipped_when_large(open_page: Any, name: str, width: int) -> None:
    """Not on a projector, nor beside a file browser or the side panel."""
    page = open_page(name, "gm-large", viewport={"width": width, "height": 720})
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_normal_again(open_page: Any) -> None:
    page = open_page("report")
    before = page.screenshot()
    for name in ("gm-large", "gm-grey", "gm-large", "gm-grey"):
        page.click(f"[data-present={name}]")
    page.mouse.move(600, 715)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(400)
    assert _differ(before, page.screenshot()) < 0.001


def _read(png: bytes) -> np.ndarray:
    import matplotlib.image

    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def _differ(one: bytes, other: bytes) -> float:
    """The share of pixels that differ."""
    return float(np.mean(np.abs(_read(one) - _read(other)).max(axis=-1) > 0.02))


@pytest.mark.parametrize("name", NAMES)
def test_grey_has_no_colour(open_page: Any, name: str) -> None:
    page = open_page(name, viewport={"width": 1280, "height": 2400})
    options = {"style": "* { -webkit-font-smoothing: antialiased; }"}
    assert _colourful(page.screenshot(**options)) > 0.0005
    page.click("[data-present=gm-grey]")
    page.wait_for_timeout(300)
    assert _colourful(page.screenshot(**options)) == 0


def _colourful(png: bytes) -> float:
    pixels = _read(png)
    return float(np.mean(pixels.max(axis=-1) - pixels.min(axis=-1) > 0.06))


def test_signs_differ_in_grey(open_page: Any) -> None:
    """Cells of equal size and other sign: one is hatched."""
    page = open_page("report", "gm-grey")
    images = page.evaluate(
        "['p', 'n'].map((sign) => getComputedStyle("
        "document.querySelector(`.gm-gradients td.${sign}`)).backgroundImage)"
    )
    assert images[0] == "none"
    assert "gradient" in images[1]
    dashes = page.evaluate(
        "['p', 'n'].map((sign) => getComputedStyle("
        "document.querySelector(`.gm-strip .${sign}`)).strokeDasharray)"
    )
    assert dashes[0] == "none" != dashes[1]
    lines = page.evaluate(
        "['gm-v', 'gm-d'].map((name) => getComputedStyle("
        "document.querySelector(`.gm-lanes path.${name}`)).strokeDasharray)"
    )
    assert lines[0] == "none" != lines[1]


@pytest.mark.parametrize("name", NAMES)
def test_dark_prints_on_white(open_page: Any, name: str) -> None:
    page = open_page(name, color_scheme="dark")
    assert _read(page.screenshot()).mean() < 0.4
    page.emulate_media(media="print")
    page.wait_for_timeout(200)
    assert _read(page.screenshot()).mean() > 0.8
    seen = measure(page, "body")
    assert find_faint(seen, text=4.5, large=3) == []


@pytest.mark.parametrize("name", NAMES)
def test_reduced_motion(open_page: Any, name: str) -> None:
    moving = """[...document.querySelectorAll("body *")].filter((one) => {
      const style = getComputedStyle(one);
      return style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0)
        || style.animationName !== "none" || style.scrollBehavior === "smooth";
    }).length"""
    page = open_page(name, reduced_motion="no-preference")
    assert (page.evaluate(moving) > 0) == (name == "report")  # the graph's
    page = open_page(name, reduced_motion="reduce")
    assert page.evaluate(moving) == 0


def test_no_dot_moves_with_reduced_motion(open_page: Any) -> None:
    for motion, count in (("no-preference", 1), ("reduce", 0)):
        page = open_page("report", reduced_motion=motion)
        page.evaluate(
            """window.dots = 0; new MutationObserver((all) => all.forEach((one) =>
            one.addedNodes.forEach((node) => { dots += node.classList?.contains("gm-dot") ? 1 : 0; })))
            .observe(document.body, { childList: true, subtree: true })"""
        )
        for _ in range(4):
            page.locator(".gm-walk button").nth(3).click()
            page.wait_for_timeout(60)
        assert min(1, page.evaluate("dots")) == count


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_forced_colours(open_page: Any, name: str, scheme: str) -> None:
    """Windows' high contrast: what has a meaning is still drawn."""
    page = open_page(name, forced_colors="active", color_scheme=scheme, viewport=TALL)
    seen = measure(page, "body")
    assert find_faint(seen, text=4.5, large=3, mark=1.5) == []


# ---- what the pointer does where all is larger


def test_drags_the_activations_point(open_page: Any) -> None:
    page = open_page("activations", "gm-large")
    svg = page.locator(".gm-chart-value [role=slider]")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    low, high = (float(svg.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    scale = box["width"] / 372
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + scale * 100, y)
    page.mouse.down()
    for share in (0.25, 0.75):
        x = box["x"] + scale * (44 + 316 * share)
        page.mouse.move(x, y, steps=4)
        page.wait_for_timeout(100)
        now = float(svg.get_attribute("aria-valuenow"))
        assert now == pytest.approx(low + share * (high - low), abs=0.02 * (high - low))
        mark = page.locator(".gm-chart-value .gm-over .gm-mark").last.bounding_box()
        assert mark["x"] + mark["width"] / 2 == pytest.approx(x, abs=3)
    page.mouse.up()


def test_drags_in_the_losses_plot(open_page: Any) -> None:
    page = open_page("losses", "gm-large")
    plot = page.locator("[data-k=plot]")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    y = box["y"] + 80
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for share in (0.4, 0.8):
        x = box["x"] + share * box["width"]
        page.mouse.move(x, y, steps=4)
        page.wait_for_timeout(100)
        line = page.locator("[data-k=plot] line.gm-now").first.bounding_box()
        half = 0.5 * box["width"] / 60  # a saved page holds 61 positions
        assert line["x"] + line["width"] / 2 == pytest.approx(x, abs=half + 2)
    page.mouse.up()


def test_drags_the_descents_step(open_page: Any) -> None:
    page = open_page("descent", "gm-large")
    svg = page.locator(".gm-panel:has(> .gm-slider) .gm-drawn svg:visible").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    x = box["x"] + box["width"] * 0.5
    page.mouse.click(x, box["y"] + box["height"] / 2)
    page.wait_for_timeout(150)
    line = svg.locator(".gm-at").first.bounding_box()
    assert page.locator(".gm-slider input").first.input_value() != "19"
    step = box["width"] * 0.9 / 19
    assert abs(line["x"] + line["width"] / 2 - x) <= step / 2 + 2


def test_moves_the_graph(open_page: Any) -> None:
    """It follows the hand px by px, zooms about the pointer, and a click meets the node under it."""
    page = open_page("report", "gm-large")
    stage = page.locator(".gm-stage")
    stage.evaluate("one => one.scrollIntoView({ block: 'start' })")
    node = page.locator(".gm-stage [data-node]").first
    before = node.bounding_box()
    frame = stage.bounding_box()
    page.mouse.move(frame["x"] + 30, frame["y"] + 30)
    page.mouse.down()
    page.mouse.move(frame["x"] + 90, frame["y"] + 70, steps=6)
    page.mouse.up()
    after = node.bounding_box()
    assert after["x"] - before["x"] == pytest.approx(60, abs=2)
    assert after["y"] - before["y"] == pytest.approx(40, abs=2)
    x, y = after["x"] + after["width"] / 2, after["y"] + after["height"] / 2
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 60)
    page.keyboard.up("Control")
    page.wait_for_timeout(150)
    zoomed = node.bounding_box()
    assert zoomed["width"] < 0.95 * after["width"]
    assert zoomed["x"] + zoomed["width"] / 2 == pytest.approx(x, abs=2)
    assert zoomed["y"] + zoomed["height"] / 2 == pytest.approx(y, abs=2)
    page.mouse.click(x, y)
    page.wait_for_timeout(200)
    assert "gm-chosen" in (node.get_attribute("class") or "")
    assert page.locator(".gm-info .gm-told").is_visible()


def test_whole_window_when_large(open_page: Any) -> None:
    page = open_page("report", "gm-large")
    page.locator(".gm-bar .gm-icon").nth(-2).click()
    page.wait_for_timeout(300)
    box = page.locator(".gm-whole").bounding_box()
    assert box["width"] == pytest.approx(ROOM["width"], abs=1)
    assert box["height"] == pytest.approx(ROOM["height"], abs=1)
    walk = page.locator(".gm-walk").bounding_box()
    assert walk["y"] + walk["height"] <= ROOM["height"]


# ---- in real front-ends

CELLS = [
    "%load_ext gradmagic\nimport tensorflow as tf\n%config GradTapeMagics.large = True",
    "%%gradtape w\nw = tf.constant([1.0, -2.0])\nloss = tf.reduce_sum(w ** 2)",
    "%gradactivation sigmoid",
    "%config GradTapeMagics.large = False\n%config GradTapeMagics.grey = True",
    "%gradlosses [1] [[3.0, 0.0, 1.0]] --inline",
]


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_shows_what_follows_so(server: Server, chromium: Any, app: str) -> None:
    settings = server.folder / ".settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True, exist_ok=True)
    tracker = settings / "tracker.jupyterlab-settings"
    if app == "lab":  # (Notebook 7 does not know this setting)
        tracker.write_text(json.dumps({"windowingMode": "none"}))
    try:
        server.write(f"presented-{app}.ipynb", CELLS)
        shown = Page(chromium, server.address(app, f"presented-{app}.ipynb"))
        shown.run_all()
        page = shown.page
        page.wait_for_function("document.querySelectorAll('.gm-live').length === 3")
        roots = page.locator(".gm-live .gm, .gm-live .gm-act, .gm-live .gm-losses")
        assert [_look(roots.nth(i)) for i in range(3)] == [(1.6, False), (1.6, False), (1, True)]
        roots.nth(0).locator("[data-present=gm-large]").click()
        assert [_look(roots.nth(i)) for i in range(3)] == [(1, False), (1.6, False), (1, True)]
        button = roots.nth(0).locator("[data-present=gm-large]")
        assert button.get_attribute("aria-pressed") == "false"
        button.focus()
        page.keyboard.press("Enter")
        roots.nth(2).locator("[data-present=gm-grey]").click()
        assert [_look(roots.nth(i)) for i in range(3)] == [(1.6, False), (1.6, False), (1, False)]
        assert button.get_attribute("aria-pressed") == "true"
        page.close()
        server.write("plain.ipynb", ["1 + 1"])  # what the front-end logs by itself
        plain = Page(chromium, server.address(app, "plain.ipynb"))
        plain.run_all()
        plain.page.close()
        assert set(shown.errors) <= set(plain.errors)
    finally:
        tracker.unlink(missing_ok=True)
        server.stop_kernels()


def _look(root: Any) -> tuple[float, bool]:
    """How much larger it is, and whether it is grey."""
    zoom = root.evaluate("one => one.currentCSSZoom")
    grey = root.evaluate("one => one.closest('.gm-grey') !== null")
    return round(zoom, 2), grey
