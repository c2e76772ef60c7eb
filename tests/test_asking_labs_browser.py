"""Asking before the laboratories' panels, in JupyterLab and on a page: by keyboard, once, kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from front_end import Page

import gradmagic
from gradmagic.core.activations.asking import ask_activations
from gradmagic.core.losses.asking import ask_losses
from gradmagic.core.losses.panel import Origin, make_panel
from gradmagic.render.activations import document as activations_document
from gradmagic.render.losses import document as losses_document
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from front_end import Server

pytestmark = pytest.mark.browser

LOGITS = [[8.0, 0.5, -4.0, -5.0], [6.0, -1.25, 4.5, -3.5]]
SET_UP = f"""
%load_ext gradmagic
import tensorflow as tf
y = tf.one_hot([3, 2], 4)
logits = tf.constant({LOGITS})
"""
NOTED = """
from gradmagic.core import journal
print([(one.question.key, one.value, one.verdict) for entry in journal._entries
       for one in journal.list_guesses(entry)])
"""


class Asked:
    """A panel that asks, wherever it stands."""

    def __init__(self, root: Any) -> None:
        self.root, self.page = root, root.page
        root.locator(".gm-quiz").wait_for()

    def press(self, *keys: str) -> None:
        """Keys, one after the other; the focus is where the page has put it."""
        for key in keys:
            self.page.keyboard.press(key)
        self.page.wait_for_timeout(150)

    def results(self) -> list[str]:
        """The verdicts that stand there, each with its question and truth."""
        return [one.inner_text() for one in self.root.locator(".gm-result").all()]

    def is_open(self, panel: str) -> bool:
        """Whether the panel is shown, alive."""
        return bool(self.root.locator(f"{panel}.gm-ready").count())


def answer_losses(asked: Asked) -> None:
    """All three by keyboard alone: MSE (wrong), more than 1,000 times, below 0."""
    asked.root.locator("input[type=radio]").first.focus()
    asked.press("ArrowDown", "Enter")
    assert len(asked.results()) == 1
    assert "Not yet" in asked.results()[0]
    assert not asked.is_open(".gm-losses")
    asked.press("ArrowUp", "Enter")  # from the first choice to the last
    assert "Right" in asked.results()[1]
    asked.press("Space", "Enter")
    asked.page.wait_for_timeout(500)


def check_losses(tf: Any, asked: Asked) -> None:
    """What was guessed beside the tape's own numbers, and the panel under it."""
    z = tf.constant([LOGITS[0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = -tf.reduce_sum(tf.one_hot([3], 4) * tf.nn.log_softmax(z))
    norm = float(np.linalg.norm(tape.gradient(loss, z)))
    first, second, third = asked.results()
    assert f"{norm:.4g}" not in first  # by how much is asked next
    assert f"{norm:.4g} for crossentropy" in second
    assert "Your guess" in first
    assert "MSE" in first
    assert "more than 1,000 times" in second
    assert "below 0" in third
    assert asked.is_open(".gm-losses")
    assert not asked.root.locator(".gm-facts").count()
    assert "confidently wrong" in asked.root.locator("[data-k='claim']").inner_text()


@pytest.fixture(scope="module")
def opened(server: Server, chromium: Any) -> Iterator[Page]:
    """A notebook that asks at the side and below a cell."""
    name = "asking-labs.ipynb"
    cells = [
        SET_UP,
        "%gradlosses y logits --ask",
        "%gradactivation sigmoid relu softmax --ask",
        "logits = logits",
        NOTED,
    ]
    server.write(name, cells)
    page = Page(chromium, server.address("lab", name), width=1400)
    page.name = name
    page.run_all()
    page.page.wait_for_selector(".gm-side .gm-quiz", timeout=60_000)
    page.page.wait_for_timeout(1000)
    page.save()
    yield page
    page.page.close()


def run_cell(opened: Page, number: int) -> str:
    """Run a cell of the notebook, and read what it prints."""
    cell = opened.page.locator(".jp-CodeCell").nth(number)
    cell.locator(".jp-InputPrompt").click()
    opened.page.keyboard.press("Control+Enter")
    opened.page.wait_for_timeout(1500)
    return " ".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


def test_at_the_side_nothing_tells_the_answer_before(opened: Page) -> None:
    text = opened.page.locator("body").inner_text()
    assert "class 3 is the true one" in text
    for told in ("confidently wrong", "pulls", "−1.0000", "1.4138", "0.0452", "−0.1377"):
        assert told not in text
    readable = opened.page.evaluate(
        """() => [...document.querySelectorAll('.gm-static')].map((e) => e.innerHTML
            .replace(/<(style|script type="module")[^]*?<.(style|script)>/g, '')).join()"""
    )
    assert "class 3 is the true one" in readable
    assert "confidently wrong" not in readable
    assert "gm-chart-slope" not in readable


def test_it_is_answered_by_keyboard_noted_and_not_asked_again(tf: Any, opened: Page) -> None:
    side = Asked(opened.page.locator(".gm-side"))
    answer_losses(side)
    check_losses(tf, side)
    noted = run_cell(opened, 4)
    assert "('larger', 'mse', 'wrong')" in noted
    assert "('times', 'more', 'right')" in noted
    assert "('sign', 'negative', 'right')" in noted
    opened.page.locator(".jp-CodeCell").nth(3).locator(".cm-content").click()
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.type("logits = logits * 0.5")
    run_cell(opened, 3)
    assert side.is_open(".gm-losses")  # other numbers: it stays open, and the old truths go
    assert "4.00" in side.root.locator("[data-row]").first.inner_text()
    assert not side.results()
    run_cell(opened, 1)  # the line again: it asks again
    opened.page.wait_for_timeout(1500)
    side = Asked(opened.page.locator(".gm-side"))
    assert not side.is_open(".gm-losses")
    side.root.get_by_role("button", name="Show the answers").click()
    opened.page.wait_for_timeout(500)
    assert side.is_open(".gm-losses")
    assert len(side.results()) == 3
    assert not [error for error in opened.errors if "gm" in error.lower()]


def test_activations_below_the_cell(tf: Any, opened: Page) -> None:
    root = opened.page.locator(".gm-live:has(.gm-act)")
    asked = Asked(root)
    root.locator("input[type=radio]").first.focus()
    asked.press("ArrowDown", "Enter")  # relu is steepest at 3
    root.locator(".gm-typed").wait_for()
    asked.press("0", "Enter")  # relu's derivative at -1
    asked.press("Space", "Enter")  # below 0
    opened.page.wait_for_timeout(500)
    x = tf.constant(3.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.sigmoid(x)
    slope = float(tape.gradient(value, x))
    first, second, third = asked.results()
    assert f"sigmoid {slope:.4g}, relu 1" in first
    for result in (first, second, third):
        assert "Right" in result
    assert asked.is_open(".gm-act")
    assert root.locator(".gm-chart-slope path.gm-f").count() >= 2


def test_opened_again_without_its_kernel_it_asks(
    tf: Any, opened: Page, server: Server, chromium: Any
) -> None:
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address("lab", opened.name))
    asked = Asked(again.page.locator(".gm-static:has(.gm-losses)"))
    assert "confidently wrong" not in again.page.locator("body").inner_text()
    answer_losses(asked)
    check_losses(tf, asked)
    again.page.close()


def test_opened_again_untrusted_it_tells_facts_and_questions(
    opened: Page, server: Server, chromium: Any
) -> None:
    name = f"changed-{opened.name}"  # a changed file has no valid signature
    text = (server.folder / opened.name).read_text("utf-8")
    (server.folder / name).write_text(text.replace("logits = logits", "logits  = logits"), "utf-8")
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address("lab", name))
    again.page.wait_for_timeout(4000)
    seen = again.page.locator(".jp-Notebook >> visible=true").first.inner_text()
    for told in ("class 3 is the true one", "Which loss has the larger gradient", "trust this"):
        assert told in seen
    assert "crossentropy / MSE / equal, within rounding" in seen
    assert "confidently wrong" not in seen
    assert max(map(len, seen.split())) < 100  # no packed numbers
    again.page.close()


@pytest.mark.parametrize("width", [1000, 320])
def test_a_saved_page_asks(tf: Any, chromium: Any, tmp_path: Path, width: int) -> None:
    panel = make_panel(gradmagic.compare_losses([3, 2], LOGITS), Origin("y", "z"))
    html = losses_document.render_page(panel, load_script("losses.js"), ask_losses(panel))
    page, asked = open_page(chromium, tmp_path, html, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    answer_losses(asked)
    check_losses(tf, asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    asked.root.locator("input[aria-label^='Logit of class 3']").press("End")
    assert "confidently wrong" not in asked.root.locator("[data-k='claim']").inner_text()
    page.close()


def test_a_saved_page_of_activations_asks(tf: Any, chromium: Any, tmp_path: Path) -> None:
    lab = gradmagic.activation("tanh", "relu")
    html = activations_document.render_page(lab, load_script("activation.js"), ask_activations(lab))
    page, asked = open_page(chromium, tmp_path, html, 900)
    assert not asked.root.locator(".gm-chart-slope").count()
    page.get_by_role("button", name="Show the answers").click()
    page.wait_for_timeout(500)
    assert asked.is_open(".gm-act")
    assert asked.root.locator(".gm-chart-value [role=slider]").get_attribute("aria-valuenow") == "2"
    page.close()


def open_page(chromium: Any, folder: Path, html: str, width: int) -> tuple[Any, Asked]:
    """A page in the browser, which fails at the first error of a script."""
    (folder / "asked.html").write_text(html, "utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 1200})

    def fail(error: Any) -> None:
        raise AssertionError(str(error))

    page.on("pageerror", fail)
    page.goto((folder / "asked.html").as_uri())
    return page, Asked(page.locator("body"))
