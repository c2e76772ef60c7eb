"""The exported page in Chromium: thirty reports of a real kernel, without network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from lessons_shown import CELLS, SETUP, list_cells
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

COUNT = 30
ASKED = "%%gradtape w --ask\nloss = tf.reduce_sum(tf.sin(w))"
ANSWER = """
from gradmagic.core import journal
from gradmagic.core.asking.marking import mark
from gradmagic.core.asking.records import Guess
entry = [entry for entry in journal.list_entries() if entry.questions][0]
for question in entry.questions:
    value = question.choices[0].value
    journal.note_guess(entry.report, Guess(question, value, mark(question, value)))
"""
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(17, 17, 17)"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a kernel has exported after so many cells and two that ask."""
    folder = tmp_path_factory.mktemp("export")
    cells = [f"%load_ext gradmagic\nimport tensorflow as tf\n{SETUP}", *list_cells(COUNT - 2)]
    cells += [ASKED, ANSWER, f"{ASKED} + 1", '%gradexport "my lesson.html"']
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute()
    (said,) = [one.text for one in notebook.cells[-1].outputs if one.output_type == "stream"]
    assert said.startswith(f"{COUNT} reports were written to my lesson.html (")
    return folder / "my lesson.html"


@pytest.fixture
def open_page(chromium: Any, lesson: Path) -> Iterator[Any]:
    """Opens the page; what it asks of a network, and its errors, make the test fail."""
    asked: list[str] = []
    errors: list[str] = []
    contexts = []

    def open_page(anchor: str = "", width: int = 1400, scheme: str = "light") -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(lesson.as_uri() + (f"#{anchor}" if anchor else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    assert errors == []


def find_kind(kind: str) -> int:
    """The number of the last report of a kind."""
    starts = {"losses": "%gradlosses", "descent": "%%graddescent", "activations": "%gradactivation"}
    cells = list(list_cells(COUNT - 2))
    return 1 + max(i for i, cell in enumerate(cells) if cell.startswith(starts[kind]))


def test_it_is_small(lesson: Path) -> None:
    assert lesson.stat().st_size <= 5_000_000


def test_every_report_is_there_and_comes_to_life(open_page: Any) -> None:
    page = open_page()
    assert page.locator(".gm-chapter").count() == COUNT
    assert page.locator(".gm-contents a").count() == COUNT
    for chapter in page.locator(".gm-chapter").all():
        chapter.scroll_into_view_if_needed()
        page.wait_for_timeout(60)
    page.wait_for_function(
        "() => document.querySelectorAll('.gm-chapter .gm-view > .gm-kept').length <= 1"
    )  # of what is held back until it is asked for
    tapes = page.locator(".gm-chapter[data-kind=tape] .gm-view > .gm")
    assert page.locator(".gm-view > .gm-tabbed").count() == tapes.count() - 1
    assert page.locator(".gm-explorer").count() == tapes.count() - 1


def test_a_link_of_the_contents_leads_to_its_report(open_page: Any) -> None:
    page = open_page()
    for number in (COUNT, 7, 21, 1):
        page.click(f".gm-contents a[href='#report-{number}']")
        page.wait_for_timeout(600)
        top = page.locator(f"#report-{number}").bounding_box()["y"]
        end = page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert 0 <= top <= 40 or (end and top < 900), number
    page = open_page("report-14")
    page.wait_for_timeout(600)
    assert 0 <= page.locator("#report-14").bounding_box()["y"] <= 40


def test_the_sliders_move(open_page: Any) -> None:
    page = open_page(f"report-{find_kind('losses')}")
    panel = page.locator(f"#report-{find_kind('losses')} .gm-losses")
    slider = panel.locator("input[type=range]").first
    slider.wait_for()
    before = panel.inner_text()
    slider.press("End")
    page.wait_for_timeout(200)
    assert panel.inner_text() != before
    page = open_page(f"report-{find_kind('descent')}")
    panel = page.locator(f"#report-{find_kind('descent')} .gm-descent")
    slider = panel.locator("input[type=range]").first
    slider.wait_for()
    assert "Step 39 of 39" in panel.inner_text()
    slider.press("Home")
    page.wait_for_timeout(200)
    assert "Step 0 of 39" in panel.inner_text()


def test_a_graph_can_be_explored(open_page: Any) -> None:
    page = open_page("report-4")
    report = page.locator("#report-4")
    report.locator("[role=tab]", has_text="Graph").click()
    node = report.locator(".gm-explorer [data-node='0'], .gm-explorer [role=button]").first
    node.wait_for()
    report.locator(".gm-explorer .gm-walk button").nth(2).click()
    page.wait_for_timeout(300)
    assert "Steps 1 to 3 of" in report.locator(".gm-walk").inner_text()
    others = page.locator(".gm-chapter:not(#report-4) .gm-walk")
    assert all("Steps 1" not in one.inner_text() for one in others.all() if one.is_visible())


def test_guesses_are_shown_and_what_is_open_stays_hidden(open_page: Any) -> None:
    page = open_page(f"report-{COUNT}")
    page.wait_for_timeout(500)
    answered = page.locator(f"#report-{COUNT - 1}")
    assert answered.locator(".gm-guesses dl").count() >= 1
    assert answered.locator(".gm-view .gm-head").is_visible()
    hidden = page.locator(f"#report-{COUNT} .gm-veiled")
    assert not hidden.locator(".gm-head").is_visible()
    hidden.locator("summary").first.click()
    hidden.locator(".gm-head").wait_for()


def test_on_paper_all_is_open_and_nothing_floats(open_page: Any) -> None:
    page = open_page()
    page.wait_for_timeout(500)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    state = page.evaluate("""() => {
      const style = (one) => getComputedStyle(one);
      const all = (which) => [...document.querySelectorAll(which)];
      return {
        tabs: all(".gm-tabs").filter((one) => style(one).display !== "none").length,
        hidden: all(".gm-chapter .gm-panel.gm-off").filter((one) => !one.offsetHeight).length,
        panels: all(".gm-chapter .gm-panel").length,
        floating: all(".gm-book *").filter((one) => one.getClientRects().length && ["sticky", "fixed"].includes(style(one).position)).map((one) => one.outerHTML.slice(0, 80)),
        folded: all("details").filter((one) => !one.open && !one.closest(".gm-all")).length,
        skipped: all(".gm-chapter").filter((one) => style(one).contentVisibility !== "visible").length,
        ground: style(document.body).backgroundColor,
      };
    }""")
    veiled = page.locator(".gm-veiled").count()
    inside = page.locator(".gm-veiled details:not([open], .gm-all)").count()
    assert state.pop("panels") > 2 * COUNT
    assert state == {
        "tabs": 0,
        "hidden": 0,
        "floating": [],
        "folded": veiled + inside,
        "skipped": 0,
        "ground": LIGHT,
    }
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".gm-veiled[open]").count() == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_it_is_dark_where_the_page_is(open_page: Any) -> None:
    for scheme, ground in (("light", LIGHT), ("dark", DARK)):
        page = open_page(scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        ink = page.evaluate("getComputedStyle(document.querySelector('.gm-view .gm-big')).color")
        assert ink == ("rgb(255, 255, 255)" if scheme == "dark" else "rgb(33, 33, 33)")


@pytest.mark.parametrize("width", [420, 700, 1000, 1280])
def test_it_fits_any_width(open_page: Any, width: int) -> None:
    page = open_page(width=width)
    for chapter in page.locator(".gm-chapter").all()[: len(CELLS)]:
        chapter.scroll_into_view_if_needed()
        page.wait_for_timeout(60)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beside = page.evaluate("getComputedStyle(document.querySelector('.gm-contents')).position")
    assert beside == ("sticky" if width >= 1200 else "static")
