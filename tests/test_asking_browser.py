"""Questions before a report in real JupyterLab, opened again, and in a saved page, in Chromium."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from front_end import Page

import gradmagic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from front_end import Server

pytestmark = pytest.mark.browser

SET_UP = """
%load_ext gradmagic
import tensorflow as tf
from gradmagic.core import journal
x = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
t = tf.constant([[1.0], [0.0], [1.0]])
w = tf.Variable([[0.51], [-0.37]])
b = tf.Variable([0.13])
c = tf.Variable(2.3)
"""
BODY = "y = x @ w + b\nloss = tf.reduce_mean((y - t) ** 2) + 0.17 * c ** 2\n"
LIST = """
guesses = journal.list_guesses(journal.list_entries()[-1])
print("guessed:", [(g.question.subject, g.value, g.verdict) for g in guesses])
"""


def differentiate() -> dict[str, Any]:
    """The gradients, by TensorFlow's own tape."""
    names: dict[str, Any] = {"tf": tf}
    exec("\n".join(SET_UP.splitlines()[4:]), names)
    with tf.GradientTape() as tape:
        exec(BODY, names)
    return dict(zip("wbc", tape.gradient(names["loss"], [names[n] for n in "wbc"]), strict=True))


def list_written() -> list[str]:
    """The gradients' numbers as a page might write them."""
    numbers = [abs(float(n)) for g in differentiate().values() for n in tf.reshape(g, [-1])]
    return [f"{n:.{digits}g}" for n in numbers for digits in (3, 4)]


@pytest.fixture(scope="module")
def opened(server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook, run in JupyterLab, and saved before anything is answered."""
    server.write("asked.ipynb", [SET_UP, f"%%gradtape w b c --ask\n{BODY}", LIST])
    page = Page(chromium, server.address("lab", "asked.ipynb"))
    page.run_all()
    page.page.wait_for_selector(".gm-live .gm-quiz form", timeout=60_000)
    page.page.wait_for_timeout(1500)  # the graph's document comes after the report
    page.save()
    yield page
    page.page.close()


def test_before_the_answers_the_page_holds_no_gradient(opened: Page, server: Server) -> None:
    outputs = opened.page.locator(".jp-OutputArea").all()
    shown = "".join(area.evaluate("e => e.innerHTML") for area in outputs)
    notebook = json.loads((server.folder / "asked.ipynb").read_text("utf-8"))
    kept = "".join(
        str(output.get("data", {}).get(kind, ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for kind in ("text/html", "text/plain")
    )
    assert "gm-quiz" in shown
    assert "Which entry of w" in kept
    for number in list_written():
        assert number not in shown
        assert number not in kept


def test_the_questions_are_answered_by_mouse_and_by_keyboard(opened: Page) -> None:
    page = opened.page
    quiz = page.locator(".gm-live .gm-quiz")
    assert page.locator(".gm-live .gm-gradients").count() == 0
    right = "1,0" if abs(differentiate()["w"][1, 0]) > abs(differentiate()["w"][0, 0]) else "0,0"
    quiz.locator(f"label:has(input[value='{right}'])").click()  # by mouse
    quiz.get_by_role("button", name="Check").click()
    assert quiz.locator(".gm-result").count() == 1
    assert quiz.locator(".gm-result strong").first.inner_text() == "Right"
    focused = "document.activeElement.value"
    assert page.evaluate(focused) == "up"  # the next question has the focus
    page.keyboard.press("ArrowDown")  # by keyboard
    assert page.evaluate(focused) == "down"
    page.keyboard.press("Enter")
    assert quiz.locator(".gm-result").count() == 2
    page.keyboard.type("many")
    page.keyboard.press("Enter")
    assert "not a number that can be read" in quiz.inner_text()
    assert quiz.locator(".gm-result").count() == 2
    page.keyboard.press("Control+a")
    page.keyboard.type(f"{float(differentiate()['c']):.1f}")
    page.keyboard.press("Enter")
    page.wait_for_selector(".gm-live .gm-tabs")
    assert quiz.locator(".gm-result").count() == 3
    assert "3 of 3 right" in quiz.inner_text()
    assert page.evaluate("document.activeElement.textContent") == "Think first"


def test_the_full_report_opens_with_its_tabs_and_graph(opened: Page) -> None:
    report = opened.page.locator(".gm-live")
    assert report.locator(".gm-gradients").is_visible()
    assert f"{float(differentiate()['c']):.4g}" in report.locator(".gm-gradients").inner_text()
    report.get_by_role("tab", name="Graph").click()
    report.locator(".gm-explorer").wait_for(state="visible", timeout=30_000)


def test_the_guesses_are_in_the_kernel(opened: Page) -> None:
    page = opened.page
    page.locator(".jp-CodeCell").last.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "() => document.body.innerText.includes(\"('w', '1,0'\")", timeout=20_000
    )
    said = page.locator(".jp-CodeCell").last.locator(".jp-OutputArea").inner_text()
    assert "('w', '1,0', 'right'), ('b', 'down', 'right'), ('c', '" in said


def test_opened_again_without_a_kernel_it_asks(server: Server, chromium: Any) -> None:
    server.stop_kernels()
    page = Page(chromium, server.address("lab", "asked.ipynb"))
    quiz = page.page.locator(".gm-static .gm-quiz")
    quiz.get_by_role("button", name="Show the answers").click()
    page.page.wait_for_selector(".gm-static .gm-gradients", timeout=20_000)
    assert quiz.locator(".gm-result").count() == 3
    assert quiz.locator(".gm-quiz-top").inner_text().endswith("No guess")
    assert f"{float(differentiate()['c']):.4g}" in page.page.locator(".gm-static").inner_text()
    page.page.close()


def test_a_saved_page_asks_without_a_kernel(tmp_path: Path, chromium: Any) -> None:
    names: dict[str, Any] = {"tf": tf}
    exec("\n".join(SET_UP.splitlines()[4:]), names)
    run = gradmagic.gradtape(BODY, "w", "b", "c", names=names)
    gradmagic.save(run, tmp_path / "asked.html", ask=True)
    page = chromium.new_page(viewport={"width": 1000, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "asked.html").as_uri())
    page.locator("input[value='0,0']").focus()
    before = page.locator("body").inner_html().split("<script")[0] + page.inner_text("body")
    assert not [number for number in list_written() if number in before]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(".gm-result strong").first.inner_text() == "Right"
    page.get_by_role("button", name="Show the answers").click()
    page.wait_for_selector(".gm-gradients")
    assert "No guess" in page.inner_text(".gm-quiz")
    page.locator(".gm-explorer").wait_for(state="visible", timeout=30_000)
    assert not errors
    page.close()
