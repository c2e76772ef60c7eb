"""The live report: the static one, with tabs, and with a graph to explore."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from gradmagic.core.i18n import _
from gradmagic.render.markup import squeeze_style
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.views import View

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun
    from gradmagic.widgets.exploring import Guide


@functools.cache
def load_style() -> str:
    """The style sheet of the live graph; the report brings its own."""
    folder = Path(__file__).parent / "explorer"
    sheets = [folder / "picture.css", folder / "explorer.css"]
    return squeeze_style("\n".join(sheet.read_text("utf-8") for sheet in sheets))


def list_words() -> dict[str, str]:
    """What the script adds to a report, in the user's language."""
    return {
        "tabs": _("Parts of the report"),
        "scrolls": _("Scrolls sideways"),
        "both": _("Gradients and loss"),
        "copy": _("Copy the code"),
        "copied": _("Copied"),
        "selected": _("Selected: press Ctrl+C to copy"),
    }


class ReportWidget(View, anywidget.AnyWidget):
    """A report whose parts are tabs.

    Parameters
    ----------
    html
        What :func:`gradmagic.render.html.render_html` made of a run. It is put on the page as it
        is: what users wrote must have been escaped in it.

    Attributes
    ----------
    explorer
        The document of the live graph as JSON; empty until :meth:`explore` has made it.

    Raises
    ------
    TypeError
        For a keyword that is no trait of the widget.
    """

    _esm = load_script("report.js")
    _css = load_style()
    html = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict(read_only=True).tag(sync=True)
    explorer = traitlets.Unicode().tag(sync=True)
    _guide: Guide | None = None

    @traitlets.default("words")
    def _choose_words(self) -> dict[str, str]:
        return list_words()

    def explore(self, run: TapeRun) -> None:
        """Bring the graph of a run to life; the widget holds the run until it is closed."""
        from gradmagic.widgets.exploring import Guide

        guide = Guide.start(run)
        if guide is None:
            return
        self._guide = guide
        self.explorer = guide.document
        self.on_msg(self._hear)

    def close(self) -> None:
        """Let the run go, and close it in the browser."""
        self._guide = None
        super().close()

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if self._guide is not None:
            self.send(self._guide.answer(content))
