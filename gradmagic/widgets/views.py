"""What all widgets here have in common: how they are displayed, and how they end."""

from __future__ import annotations

from typing import Any

import traitlets

from gradmagic.render.presenting import get_presentation, render_switch

VIEW_TYPE = "application/vnd.jupyter.widget-view+json"


class View(traitlets.HasTraits):
    """A widget whose output is its view alone; mixed in before anywidget's own class.

    Attributes
    ----------
    large, grey
        How it is shown; at first as :func:`.presenting.choose_presentation` has set. The user
        changes it in the browser.
    switch
        The buttons for that, as HTML.

    Raises
    ------
    TypeError
        For a keyword that is no trait of the widget.
    """

    model_id: str
    layout: Any

    large = traitlets.Bool().tag(sync=True)
    grey = traitlets.Bool().tag(sync=True)
    switch = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("large")
    def _choose_large(self) -> bool:
        return get_presentation().large

    @traitlets.default("grey")
    def _choose_grey(self) -> bool:
        return get_presentation().grey

    @traitlets.default("switch")
    def _write_switch(self) -> str:
        return render_switch()

    def __init__(self, **traits: Any) -> None:
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no trait {', '.join(map(repr, unknown))}")
        super().__init__(**traits)

    def close(self) -> None:
        """Close it in the browser too, with the layout that every widget has."""
        layout = self.layout
        super().close()  # type: ignore[misc]
        layout.close()

    def make_view(self) -> dict[str, Any]:
        """The output that shows this widget; without text, so that nothing stands in its place."""
        return {VIEW_TYPE: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}

    def _repr_mimebundle_(self, **_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.make_view(), {}

    # By this method ipywidgets 7 displays, and adds a text; without it, by the bundle.
    _ipython_display_ = None
