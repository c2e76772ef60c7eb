"""The page that ``%gradexport`` writes: how large it is, how soon it opens, what keeping costs."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' own lessons and front_end

from front_end import find_chromium, start_chromium
from lessons_shown import SETUP, list_cells
from shells import run, start_shell
from timing import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTS = 30
OPENINGS = 9
MEGABYTES, MILLISECONDS, KEEPING = 5.0, 1000.0, 5.0
OPENED = """() => Math.max(
  performance.getEntriesByType("navigation")[0].loadEventEnd,
  performance.getEntriesByName("first-contentful-paint")[0].startTime)"""


def measure() -> Iterator[tuple[str, list[Row]]]:
    """A lesson of thirty reports of all kinds."""
    from gradmagic import descending, exporting, show

    shell = start_shell()
    run(shell, f"import tensorflow as tf\n{SETUP}")
    times: list[float] = []
    keep = show.keep

    def time_keeping(*given: Any) -> None:
        start = time.perf_counter()
        keep(*given)
        times.append(1000 * (time.perf_counter() - start))

    for module in (show, descending):
        module.keep = time_keeping
    try:
        for cell in list_cells(REPORTS):
            run(shell, cell)
    finally:
        for module in (show, descending):
            module.keep = keep
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lesson.html"
        start = time.perf_counter()
        exporting.export_reports(path)
        written = time.perf_counter() - start
        size = path.stat().st_size / 1e6
        rows = [
            Row("size", size, "MB", MEGABYTES, "one file, no network", 1),
            Row("written in", 1000 * written, "ms", 20_000.0, "graphs made live within", 1),
            Row("kept when shown, most", max(times), "ms", KEEPING, "a report", len(times)),
        ]
        chromium = find_chromium()
        if chromium is None:
            print("export: no Chromium on this machine")
        else:
            rows.append(_time_opening(path, chromium))
    yield f"%gradexport of {REPORTS} reports", rows


def _time_opening(path: Path, chromium: str) -> Row:
    times = []
    with start_chromium(chromium) as browser:
        for _ in range(OPENINGS):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(path.as_uri())
            page.wait_for_timeout(300)
            times.append(page.evaluate(OPENED))
            page.close()
    against = "from the start of the navigation: loaded, and painted"
    return Row("opens", statistics.median(times), "ms", MILLISECONDS, against, OPENINGS)
