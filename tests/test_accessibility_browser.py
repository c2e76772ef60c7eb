"""Every widget for everyone: what axe-core finds, what a screen reader gets, what keys alone can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from everyone import (
    ASKED,
    ASKED_CURVES,
    ASKED_LOSSES,
    CURVES,
    DESCENT,
    DOWN,
    LOSS,
    LOSSES,
    NAN,
    NONE,
    PAGES,
    REPORT,
    SET_UP,
    SLOWLY,
    SOFTMAX,
    count_stops,
    find_faults,
    find_unseen_focus,
    open_everything,
    read_numbers,
    read_table,
    walk,
)
from test_presenting_browser import CLIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Page, Server

pytestmark = pytest.mark.browser

in_light = pytest.mark.parametrize("opened", ["light"], indirect=True)


@pytest.fixture(scope="module", params=["light", "dark"])
def opened(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook with all widgets, in JupyterLab's light and dark theme."""
    with open_everything(server, chromium, request.param) as page:
        yield page


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    """What the notebook's first two cells make, by TensorFlow alone; `grads`, `dz_ce`, `dz_mse`."""
    names: dict[str, Any] = {}
    exec(SET_UP, names)
    with tf.GradientTape() as tape:
        tape.watch([names["w"], names["b"], names["x"]])
        exec(LOSS, names)
    names["grads"] = tape.gradient(names["loss"], [names["w"], names["b"], names["x"]])
    return names


# ---- what a screen reader gets


@in_light
def test_gradients_are_tables_with_heads(opened: Page, ran: dict[str, Any]) -> None:
    report = opened.page.locator(REPORT)
    for name, gradient in zip("wbx", ran["grads"], strict=True):
        for words, tensor in (("value", ran[name]), ("gradient", gradient)):
            table = report.get_by_role("table", name=f"{words} of {name}", exact=True).first
            columns, rows, cells = read_table(table)
            expected = np.atleast_2d(tensor.numpy())
            assert columns == [str(i) for i in range(expected.shape[1])]
            assert rows == ([str(i) for i in range(len(expected))] if tensor.ndim > 1 else [])
            assert cells == pytest.approx(expected, abs=6e-4)
    heading = report.get_by_role("heading", level=2).inner_text()
    assert read_numbers(heading)[0] == pytest.approx(float(ran["loss"]), abs=6e-4)


@in_light
def test_what_is_no_number_is_a_word(opened: Page, ran: dict[str, Any]) -> None:
    none = opened.page.locator(NONE).get_by_role("tabpanel", name="Gradients")
    assert "None" in none.aria_snapshot()
    assert "no gradient: not differentiable" in none.aria_snapshot()
    table = opened.page.locator(NAN).get_by_role("table", name="gradient of n")
    with tf.GradientTape() as tape:
        tape.watch(ran["n"])
        root = tf.sqrt(ran["n"])
    expected = tape.gradient(root, ran["n"]).numpy()
    assert np.isnan(expected[1])
    assert np.isposinf(expected[0])
    assert [one.inner_text() for one in table.get_by_role("cell").all()[-3:]] == [
        "inf", "nan", "0.250",
    ]  # fmt: skip


@in_light
def test_a_picture_of_many_numbers_has_text(opened: Page, ran: dict[str, Any]) -> None:
    report = opened.page.locator(NAN)
    picture = report.get_by_role("img", name="gradient of wide: 20 rows, 30 columns")
    assert picture.count() == 1
    gradient = (2 * ran["wide"] / tf.size(ran["wide"], tf.float32)).numpy()
    said = read_numbers(report.get_by_role("article").last.aria_snapshot())
    for number in (np.linalg.norm(gradient), gradient.min(), gradient.max()):
        assert min(abs(one - number) for one in said) < 6e-5 + 1e-3 * abs(number)


@in_light
def test_the_graph_is_told_in_order(opened: Page, ran: dict[str, Any]) -> None:
    report = opened.page.locator(REPORT)
    report.get_by_role("tab", name="Graph").click()
    report.locator(".gm-explorer").wait_for(state="visible", timeout=30_000)
    graph = report.locator(".gm-stage svg.gm-graph")
    said = graph.get_attribute("aria-label")
    assert "Sources: x, w, b." in said
    assert read_numbers(said)[-1] == pytest.approx(float(ran["loss"]), abs=6e-4)
    names = [node.get_attribute("aria-label") for node in graph.get_by_role("button").all()]
    ops = ["x @ w, MatMul", "x @ w + b, AddV2", "softmax(logits), Softmax", "log(…), Log", "loss ="]
    places = [next(i for i, name in enumerate(names) if name.startswith(op)) for op in ops]
    assert places == sorted(places)


@in_light
def test_logits_move_with_their_numbers(opened: Page, ran: dict[str, Any]) -> None:
    """The table, the value's text and the picture's label are TensorFlow's; one word at the end."""
    page, panel = opened.page, opened.page.locator(LOSSES)
    table = panel.get_by_role("table", name="Move the logits")
    assert table.get_by_role("columnheader").count() == 5
    slider = panel.get_by_role("slider", name="Logit of class 1")
    status = panel.locator(".gm-unseen[role=status]")
    page.evaluate(
        """(selector) => {
            window.told = [];
            const status = document.querySelector(`${selector} .gm-unseen[role=status]`);
            new MutationObserver(() => told.push(status.textContent))
                .observe(status, { childList: true, characterData: true, subtree: true });
        }""",
        LOSSES,
    )
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("told.length > 0", timeout=5000)
    page.wait_for_timeout(900)
    claim = panel.get_by_role("heading", level=2).inner_text()
    assert page.evaluate("told") == [claim]
    assert status.inner_text() == claim
    logits = tf.constant([[float(z) for z in _read_texts(panel, "[data-c=z]")]])
    target = tf.constant([[1.0, 0.0, 0.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        p = tf.nn.softmax(logits)
        ce = tf.reduce_sum(tf.losses.categorical_crossentropy(target, logits, from_logits=True))
        mse = tf.reduce_sum(tf.losses.MSE(target, p))
    slopes = [tape.gradient(one, logits).numpy()[0] for one in (ce, mse)]
    rows = table.get_by_role("row").all()[1:]
    assert len(rows) == 3
    for i, row in enumerate(rows):
        cells = read_numbers(" ".join(cell.inner_text() for cell in row.get_by_role("cell").all()))
        expected = [p.numpy()[0, i], slopes[0][i], logits.numpy()[0, i], slopes[1][i]]
        assert cells == pytest.approx(expected, abs=4e-3)
        said = row.get_by_role("slider").get_attribute("aria-valuetext")
        expected = [logits.numpy()[0, i], p.numpy()[0, i], slopes[0][i], slopes[1][i]]
        assert read_numbers(said) == pytest.approx(expected, abs=4e-3)
    said = read_numbers(panel.locator("[data-k=plot] svg").get_attribute("aria-label"))
    pulls = [np.linalg.norm(one) for one in slopes]
    expected = [1, 1, logits.numpy()[0, 1], float(ce), float(mse), *pulls]
    assert said == pytest.approx(expected, abs=1e-2)


def _read_texts(panel: Any, selector: str) -> list[str]:
    return [one.inner_text().replace("\u2212", "-") for one in panel.locator(selector).all()]


def _descend(steps: int, rate: float) -> list[float]:
    names: dict[str, Any] = {"tf": tf, "v": tf.constant([1.0, -2.0])}
    losses = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(names["v"])
            exec(DOWN, names)
        losses.append(float(names["loss"]))
        names["v"] -= rate * tape.gradient(names["loss"], names["v"])
    return losses


@in_light
def test_a_descent_is_told_step_by_step(opened: Page) -> None:
    page, panel = opened.page, opened.page.locator(DESCENT)
    losses = _descend(12, 0.26)
    curve = panel.get_by_role("img", name="Loss of each step").first.get_attribute("aria-label")
    assert read_numbers(curve)[:2] == pytest.approx([losses[0], losses[-1]], rel=1e-3)
    assert "12 steps" in curve
    surface = panel.locator("[data-k=surface] svg").get_attribute("aria-label")
    assert read_numbers(surface)[-3:-1] == pytest.approx([losses[0], losses[-1]], rel=1e-3)
    slider = panel.get_by_role("slider", name="Step")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    said = read_numbers(slider.get_attribute("aria-valuetext"))
    assert said[:2] == [8, 11]
    assert said[2] == pytest.approx(losses[8], rel=1e-3)


@in_light
def test_curves_and_softmax_are_told(opened: Page) -> None:
    page, panel = opened.page, opened.page.locator(CURVES)
    slider = panel.get_by_role("slider", name="Values of sigmoid, relu over x")
    slider.focus()
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    x, value, slope = read_numbers(slider.get_attribute("aria-valuetext"))
    at = tf.constant(float(slider.get_attribute("aria-valuenow")), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(at)
        out = tf.nn.sigmoid(at)
        deep = out
        for _ in range(4):
            deep = tf.nn.sigmoid(deep)
    assert at < 2
    told = [float(at), float(out), float(out * (1 - out))]
    assert [x, value, slope] == pytest.approx(told, abs=6e-3)
    depth = panel.get_by_role("slider", name="gradient after 5 layers")
    said = read_numbers(depth.get_attribute("aria-valuetext"))
    assert said[1] == pytest.approx(float(tape.gradient(deep, at)), rel=0.02)
    panel = opened.page.locator(SOFTMAX)
    _, rows, cells = read_table(panel.get_by_role("table", name="Jacobian"))
    logits = tf.constant([float(z) for z in _read_texts(panel, "[data-c=z]")])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        p = tf.nn.softmax(logits)
    assert rows == ["p0", "p1", "p2"]
    assert cells == pytest.approx(tape.jacobian(p, logits).numpy(), abs=6e-5)


@in_light
def test_every_drawing_has_a_name_or_is_hidden(opened: Page) -> None:
    silent = """[...document.querySelectorAll(".gm-live svg, .gm-live canvas")].filter((one) =>
        !one.closest("[aria-hidden=true]") && !one.closest("[role][aria-label]:is(svg, canvas, .gm-sign)"))
        .map((one) => one.outerHTML.slice(0, 120))"""
    assert opened.page.locator(".gm-live [role=img]").count() > 20
    assert opened.page.evaluate(silent) == []


# ---- keys alone

EACH = (REPORT, NONE, NAN, LOSSES, DESCENT, CURVES, SOFTMAX, ASKED, ASKED_LOSSES, ASKED_CURVES)


@in_light
@pytest.mark.parametrize("selector", EACH)
def test_tab_goes_through_and_is_seen(opened: Page, selector: str) -> None:
    """In, in the order of the page, and out again; each kind of stop looks different in focus."""
    stops = walk(opened.page, selector)
    assert [stop["name"] for stop in stops[:2]] == ["Large", "Grey"]
    assert len(stops) == count_stops(opened.page, selector) >= 3
    assert all(stop["follows"] for stop in stops)
    assert all(stop["name"] for stop in stops)
    assert find_unseen_focus(opened.page, stops) == []


@in_light
def test_a_report_by_keys(opened: Page, ran: dict[str, Any]) -> None:
    page, report = opened.page, opened.page.locator(REPORT)
    report.get_by_role("tab", selected=True).focus()
    page.keyboard.press("End")
    assert report.get_by_role("tab", selected=True).inner_text() == "Code"
    page.keyboard.press("ArrowLeft")
    assert report.get_by_role("tab", selected=True).inner_text() == "Graph"
    report.get_by_role("combobox", name="Search").focus()
    page.keyboard.type("softmax")
    page.keyboard.press("Enter")
    details = report.get_by_role("group", name="Details")
    assert "Softmax" in details.inner_text()
    table = details.get_by_role("table", name="value of prob")
    assert read_table(table)[2] == pytest.approx(ran["prob"].numpy(), abs=6e-4)
    report.get_by_role("button", name="Next step").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    slider = report.get_by_role("slider", name="Step", exact=True)
    assert slider.input_value() == "2"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "3"
    assert slider.get_attribute("aria-valuetext").startswith("Step 3 of")
    node = report.locator(".gm-stage [data-node][tabindex='0']")
    node.focus()
    before = page.evaluate("document.activeElement.dataset.node")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.node") != before
    report.get_by_role("combobox", name="Search").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("w, source")
    page.keyboard.press("Escape")
    report.locator(".gm-stage [data-node][aria-label^='w']").focus()
    page.keyboard.press("Enter")
    trial = report.get_by_role("slider", name="What if it were")
    trial.focus()
    old = float(trial.input_value())
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"{REPORT} .gm-what-if:not([hidden])", timeout=20_000)
    assert float(trial.input_value()) > old
    said = report.locator(".gm-what-if[role=status]").inner_text()
    assert said.startswith("What if\nw[1, 2] were")


@in_light
def test_losses_by_keys(opened: Page) -> None:
    page, panel = opened.page, opened.page.locator(LOSSES)
    panel.get_by_role("button", name="Next sample").focus()
    before = panel.get_by_role("heading", level=2).inner_text()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "([selector, before]) => document.querySelector(`${selector} [data-k=claim]`).textContent !== before",
        arg=[LOSSES, before],
        timeout=20_000,
    )
    panel.get_by_role("spinbutton", name="steps").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("20")
    panel.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    said = panel.locator("[data-k=race-status][role=status]")
    page.wait_for_function(
        "(selector) => document.querySelector(`${selector} [data-k=race] svg, ${selector} .gm-part-race svg`)",
        arg=LOSSES,
        timeout=30_000,
    )
    assert said.count() == 1


@in_light
def test_questions_and_presentation_by_keys(opened: Page) -> None:
    page, panel = opened.page, opened.page.locator(ASKED_LOSSES)
    panel.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert panel.locator(".gm-result").count() == 1
    told = panel.locator("[aria-live=polite]").first.inner_text()
    assert "TensorFlow: " in told
    for number in (1, 0):
        panel.get_by_role("button", name="Large").focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
        large = "(selector) => document.querySelectorAll(`${selector}.gm-large, ${selector} .gm-large`).length"
        assert page.evaluate(large, ASKED_LOSSES) == number


@in_light
def test_a_descent_is_stopped_by_a_key(opened: Page) -> None:
    """And while it runs axe-core finds nothing; its bar has a name and a value."""
    page = opened.page
    page.locator(".jp-CodeCell", has=page.locator(SLOWLY)).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    button = page.get_by_role("button", name="Stop", exact=True).last
    button.wait_for(timeout=20_000)
    page.wait_for_timeout(700)
    bar = page.get_by_role("progressbar", name="Progress of the descent")
    assert 0 < bar.evaluate("bar => bar.value") < 1
    page.evaluate("document.querySelector('.gm-stop').closest('.gm-live').id = 'running'")
    assert find_faults(page, "#running") == []
    button.focus()
    page.keyboard.press("Enter")
    slider = page.locator("#running").get_by_role("slider", name="Step")
    slider.wait_for(timeout=20_000)
    assert page.evaluate("document.activeElement.type") == "range"  # the focus goes on
    assert int(slider.get_attribute("max")) < 499


# ---- nothing moves by itself

MOVES = """(selector) => {
    window.moved = [];
    const listen = (event) => event.target.closest(selector) && moved.push(event.target.className?.baseVal ?? event.target.className);
    document.addEventListener("transitionrun", listen, true);
    document.addEventListener("animationstart", listen, true);
}"""


@in_light
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_reduced_motion(opened: Page, motion: str) -> None:
    page, report = opened.page, opened.page.locator(REPORT)
    page.emulate_media(reduced_motion=motion)
    page.evaluate(MOVES, ".gm-live")
    report.get_by_role("tab", name="Gradients").click()
    report.get_by_role("tab", name="Graph").click()
    for name in ("First step", "Next step", "Last step", "Fit the graph in", "Larger"):
        report.get_by_role("button", name=name, exact=True).click()
        page.wait_for_timeout(60)
    opened.page.locator(LOSSES).get_by_role("slider", name="Logit of class 2").press("ArrowRight")
    page.wait_for_timeout(200)
    smooth = "[...document.querySelectorAll('.gm-live *')].some((one) => getComputedStyle(one).scrollBehavior === 'smooth')"
    running = "document.getAnimations().some((one) => one.effect.target?.closest('.gm-live'))"
    if motion == "reduce":
        assert page.evaluate("moved") == []
        assert not page.evaluate(running)
        assert not page.evaluate(smooth)
    else:
        assert page.evaluate("moved")  # or the other half could not fail
    page.emulate_media(reduced_motion="no-preference")


# ---- axe-core: last, on what all the tests above have left open


def test_axe_finds_nothing(opened: Page) -> None:
    """No fault of any weight: as opened, on each tab, large, grey, and with all answers shown."""
    page = opened.page
    live = page.locator(".gm-live")
    assert find_faults(page) == []
    for name in ("Graph", "Code"):
        for tab in live.get_by_role("tab", name=name).all():
            tab.click()
        for node in page.locator(".gm-live .gm-stage [data-node][tabindex='0']").all():
            if node.is_visible():
                node.press("Enter")
        assert find_faults(page) == []
    for details in live.locator("summary").all():
        if details.is_visible():
            details.click()
    for tab in live.get_by_role("tab").all():
        if tab.inner_text().startswith("Gradients"):
            tab.click()
    assert find_faults(page) == []
    for name in ("Large", "Grey"):
        for button in live.get_by_role("button", name=name, exact=True).all():
            button.click()
        assert find_faults(page) == []
    answers = live.get_by_role("button", name="Show the answers")
    while answers.count():
        answers.first.click()
    page.wait_for_timeout(300)
    assert find_faults(page) == []


@in_light
def test_axe_finds_a_fault_that_is_there(opened: Page) -> None:
    opened.page.evaluate(
        """() => {
            const button = document.createElement("button");
            button.className = "nameless";
            document.querySelector("#live0").append(button);
        }"""
    )
    try:
        assert [line.partition(":")[0] for line in find_faults(opened.page, REPORT)] == [
            "critical button-name"
        ]
    finally:
        opened.page.evaluate("document.querySelector('.nameless').remove()")


# ---- pages of their own


@in_light
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_narrow(opened: Page, server: Server, chromium: Any, name: str) -> None:
    """Title, language, one main part, headings in order; at 320 px nothing is lost or cut."""
    context = chromium.new_context(viewport={"width": 320, "height": 6000}, color_scheme="dark")
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto((server.folder / f"{name}.html").as_uri())
    page.wait_for_timeout(700)
    assert page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert find_faults(page, None) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert [text for text in page.evaluate(CLIPPED) if not text.startswith("Skip to")] == []
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.emulate_media(color_scheme="light")
    assert find_faults(page, None) == []
    context.close()


@in_light
def test_the_exported_page_by_keys(opened: Page, server: Server, chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 1000, "height": 700})
    page.goto((server.folder / "book.html").as_uri())
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the reports")
    assert page.evaluate("document.activeElement.className") == "gm-skip"
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    page.get_by_role("navigation", name="Contents").get_by_role("link").nth(4).focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(1200)
    assert page.evaluate("location.hash") == "#report-5"
    top = page.locator("#report-5").bounding_box()["y"]
    assert -5 <= top < 350
    page.close()
