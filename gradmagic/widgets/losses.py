"""The sidebar's widget: it sends tables, and answers what the panel asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from gradmagic.core.errors import UserError
from gradmagic.core.losses.asking import ask_losses
from gradmagic.core.losses.panel import take_in_hand
from gradmagic.core.losses.sliders import find_setting, move_slider
from gradmagic.render.losses.claims import list_words
from gradmagic.render.losses.document import list_codes, list_hand_codes, render_asked, render_live
from gradmagic.render.losses.panel import load_style, render_sources_section
from gradmagic.render.losses.tables import describe_batch, pack_tables
from gradmagic.widgets.asked import Asking
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.racing import Racer
from gradmagic.widgets.views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.losses.panel import InHand, LossPanel
    from gradmagic.core.losses.sliders import Setting


class LossesWidget(Asking, View, anywidget.AnyWidget):
    """The panel of one comparison.

    Parameters
    ----------
    panel
        What it shows.
    on_open
        Called where the page has side panels and wants this one there; with whether the page has
        none of this kernel open.
    on_show
        Called when it is seen again, after it was not: it may have missed something.
    place
        ``"side"``: at the side where the page has one; ``"cell"``: under the cell.
    owner
        What tells this kernel's panels from others on the page.
    ask
        Whether it asks about the first sample before it shows what the losses do there.
    report
        What identifies it in the journal.
    """

    _esm = load_script("losses.js")
    _css = load_style()
    html = traitlets.Unicode().tag(sync=True)
    header = traitlets.Dict().tag(sync=True)
    block = traitlets.Bytes().tag(sync=True)
    batch = traitlets.Dict().tag(sync=True)
    codes = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    owner = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        panel: LossPanel,
        on_open: Callable[[LossesWidget, bool], None],
        on_show: Callable[[LossesWidget], None],
        *,
        place: str,
        owner: str,
        ask: bool = False,
        report: str = "",
    ) -> None:
        self._report = report
        state = self._describe(panel) | (self._describe_asked(panel) if ask else {})
        super().__init__(place=place, owner=owner, words=list_words(), **state)
        self._on_open = on_open
        self._on_show = on_show
        self._views: int | None = None  # panels on the page; None: it has not said yet
        self._racer = Racer(self.send)
        self._version = 0
        self.panel = panel
        self.on_msg(self._hear)

    def show_panel(self, panel: LossPanel) -> None:
        """Show another comparison, or the same one from other data.

        What is still asked is asked about that one; what was answered is not asked again.
        """
        self._racer.drop()
        self._version += 1
        asked = self._describe_asked(panel) if self.is_waiting() else self._write_asked((), "")
        self.panel = panel
        self._set({**asked, **self._describe(panel, self._version), "error": ""})

    def show_error(self, message: str) -> None:
        """Say above the panel why it does not follow the data any more; it keeps the last."""
        self.error = message

    def is_hidden(self) -> bool:
        """Whether the page has said that it shows no panel of this widget any more."""
        return self._views == 0

    def close(self) -> None:
        """Stop what runs, and close it in the browser."""
        racer = getattr(self, "_racer", None)  # (one that could not be made is closed too)
        if racer is not None:
            racer.drop()
        super().close()

    @staticmethod
    def _describe(panel: LossPanel, version: int = 0) -> dict[str, Any]:
        return {
            "html": render_live(panel, version),
            **_describe_hand(panel, version),
            "batch": describe_batch(panel),
            "codes": list_codes(panel),
        }

    def _describe_asked(self, panel: LossPanel) -> dict[str, Any]:
        questions = ask_losses(panel)
        return self._write_asked(questions, render_asked(panel, questions) if questions else "")

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        kind = content.get("kind")
        if kind == "open":
            self._on_open(self, bool(content.get("anew")))
        elif kind == "shown":
            again = self.is_hidden()
            self._views = (self._views or 0) + 1
            if again:
                self._on_show(self)
        elif kind == "hidden":
            self._views = max(0, (self._views or 0) - 1)
        elif kind == "guess":
            self._hear_guess(content)
        elif kind in ("sample", "move"):
            self._answer(content)
        elif kind == "race":
            self._racer.start(self.panel, content)
        elif kind == "stop":
            self._racer.stop()

    def _answer(self, question: dict[str, Any]) -> None:
        """Tables for another sample, or from where a slider was moved to."""
        setting = self._find_setting(question)
        if setting is not None:
            try:
                hand = take_in_hand(self.panel.comparison, setting, self.panel.leads)
            except UserError as error:  # the tape that leads to the sources is gone
                self.show_error(str(error))
            else:
                self._show_hand(hand, question["number"])
                return
        self.send({"kind": "ignored", "answer": question["number"]})

    def _find_setting(self, question: dict[str, Any]) -> Setting | None:
        """What is asked for; None where it is about what is not there any more."""
        if question["version"] != self._version:
            return None
        if question["kind"] == "sample":
            return find_setting(self.panel.comparison, int(question["sample"]))
        tables = self.panel.hand.tables
        if question["sample"] != tables.setting.sample:
            return None
        slider = tables.sliders[question["slider"]]
        return move_slider(tables, slider, float(question["value"]))

    def _show_hand(self, hand: InHand, answer: int) -> None:
        self.panel = replace(self.panel, hand=hand)
        state = _describe_hand(self.panel, self._version)
        state["header"]["answer"] = answer
        if hand.sources:
            state["header"]["sources"] = render_sources_section(self.panel)
        self._set(state)

    def _set(self, state: dict[str, Any]) -> None:
        """All in one message: the browser looks at it when the last of it is there."""
        with self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)


def _describe_hand(panel: LossPanel, version: int) -> dict[str, Any]:
    """What is sent of the sample in hand."""
    header, block = pack_tables(panel.hand.tables)
    header |= {"version": version, "codes": list_hand_codes(panel, panel.hand.tables)}
    return {"header": header, "block": block}
