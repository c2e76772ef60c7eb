"""What all widgets here have in common: how they are displayed, and how they end."""

from __future__ import annotations

from typing import Any

VIEW_TYPE = "application/vnd.jupyter.widget-view+json"


class View:
    """A widget whose output is its view alone; mixed in before anywidget's own class.

    Raises
    ------
    TypeError
        For a keyword that is no trait of the widget.
    """

    model_id: str
    layout: Any
    has_trait: Any

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
