"""The live report: the static one, with tabs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from gradmagic.core.i18n import _

VIEW_TYPE = "application/vnd.jupyter.widget-view+json"


class ReportWidget(anywidget.AnyWidget):
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

    _esm = Path(__file__).with_name("report.js").read_text("utf-8")
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

    def __init__(self, **traits: Any) -> None:
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(f"ReportWidget has no trait {', '.join(map(repr, unknown))}")
        super().__init__(**traits)

    def close(self) -> None:
        """Close it in the browser too, with the layout that every widget has."""
        layout = self.layout
        super().close()
        layout.close()

    def make_view(self) -> dict[str, Any]:
        """The output that shows this widget; without text, so that nothing stands in its place."""
        return {VIEW_TYPE: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}

    def _repr_mimebundle_(self, **_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.make_view(), {}

    # By this method ipywidgets 7 displays, and adds a text; without it, by the bundle.
    _ipython_display_ = None
