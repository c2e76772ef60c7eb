"""The live report that is held back until its questions are answered."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from gradmagic.render.asking.document import load_style as load_quiz_style
from gradmagic.widgets.asked import Asking
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.report import ReportWidget
from gradmagic.widgets.report import load_style as load_report_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question


@functools.cache
def load_style() -> str:
    """The style sheets of the live graph and of the questions."""
    return load_report_style() + load_quiz_style()


class AskedReportWidget(Asking, ReportWidget):
    """A report that asks before it shows what it asks about.

    Parameters
    ----------
    html
        The report, as for :class:`ReportWidget`.
    questions
        What is asked, at least one.
    facts
        What stands on the page until then.
    report
        What identifies it in the journal.
    """

    _esm = load_script("asked_report.js")
    _css = load_style()

    def __init__(
        self, html: str, questions: Sequence[Question], facts: str, report: str, **traits: Any
    ) -> None:
        self._report = report
        super().__init__(html=html, **self._write_asked(questions, facts), **traits)
        self.on_msg(self._hear)  # (which hears of the graph too, once there is one to explore)

    def _hear(self, widget: Any, content: dict[str, Any], buffers: Any) -> None:
        if content.get("kind") == "guess":
            self._hear_guess(content)
        else:
            super()._hear(widget, content, buffers)
