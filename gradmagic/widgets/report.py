"""The live report: the static one, with tabs."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from gradmagic.core.i18n import _
from gradmagic.widgets.bundle import join_modules
from gradmagic.widgets.views import View


class ReportWidget(View, anywidget.AnyWidget):
    """A report whose parts are tabs.

    Parameters
    ----------
    html
        What :func:`gradmagic.render.html.render_html` made of a run. It is put on the page as it
        is: what users wrote must have been escaped in it.

    Raises
    ------
    TypeError
        For a keyword that is no trait of the widget.
    """

    _esm = join_modules(Path(__file__).with_name("report.js"))
    html = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("words")
    def _choose_words(self) -> dict[str, str]:
        """What the front-end adds to the report, in the user's language."""
        return {
            "tabs": _("Parts of the report"),
            "both": _("Gradients and loss"),
            "copy": _("Copy the code"),
            "copied": _("Copied"),
            "selected": _("Selected: press Ctrl+C to copy"),
        }
