"""The widget of activations: everything is sent at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from gradmagic.render.activations.document import (
    describe_lab,
    pack_curves,
    pack_softmax,
    render_asked,
)
from gradmagic.render.activations.panel import load_style, render_panel
from gradmagic.widgets.asked import Asking
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.asking.records import Question


class ActivationWidget(Asking, View, anywidget.AnyWidget):
    """Activations, with a point that the hand moves.

    Parameters
    ----------
    lab
        What it shows.
    questions
        What it asks before it shows that.
    report
        What identifies it in the journal.
    """

    _esm = load_script("activation.js")
    _css = load_style()
    html = traitlets.Unicode().tag(sync=True)
    lab = traitlets.Dict().tag(sync=True)
    block = traitlets.Bytes().tag(sync=True)
    table = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, lab: ActivationLab, questions: Sequence[Question] = (), report: str = ""
    ) -> None:
        self._report = report
        super().__init__(
            **self._write_asked(questions, render_asked(lab, questions) if questions else ""),
            html=render_panel(lab),
            lab=describe_lab(lab),
            block=pack_curves(lab),
            table=pack_softmax(lab),
        )
        self.on_msg(self._hear)

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("kind") == "guess":
            self._hear_guess(content)
