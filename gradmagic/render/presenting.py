"""How things are shown: large in front of a class, in greys on paper."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from gradmagic.core.i18n import _
from gradmagic.render.markup import STYLED, Html, join, squeeze_style, tag

_ICONS = {
    "gm-large": '<path d="M.5 12.5L3 6.5l2.5 6M1.3 10.7h3.4M6.5 12.5l3.5-11 3.5 11M7.7 9h4.6"/>',
    "gm-grey": '<circle cx="7" cy="7" r="6"/><path class="gm-full" d="M7 1a6 6 0 0 1 0 12z"/>',
}

# A page of its own has one switch, and a margin that is not the switch's.
_STYLE = """
body > .gm-present { padding: 4px 12px 0; color-scheme: light dark; color: CanvasText; }
body:has(> main > .gm, > main > div > .gm-descent) > .gm-present {
  margin: calc(-24px / var(--gm-zoom, 1)) calc(-24px / var(--gm-zoom, 1)) -4px;
}
.gm-large > .gm-present { --gm-zoom: 1.6; zoom: var(--gm-zoom); }
@media print { body:has(> .gm-present) { background: #fff !important; color-scheme: light; } }
"""
_SCRIPT = """
document.querySelector("body > .gm-present").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const on = document.body.classList.toggle(button.dataset.present);
  button.setAttribute("aria-pressed", String(on));
});
"""


@dataclass(frozen=True)
class Presentation:
    """How what is shown from now on looks at first.

    Attributes
    ----------
    large
        Larger, and with full contrast.
    grey
        Without colours.
    """

    large: bool = False
    grey: bool = False

    @property
    def classes(self) -> str:
        """What stands in the ``class`` of an element around it."""
        names = {"gm-large": self.large, "gm-grey": self.grey}
        return " ".join(name for name, on in names.items() if on)


_chosen = Presentation()


def choose_presentation(*, large: bool | None = None, grey: bool | None = None) -> None:
    """Set how what is shown from now on looks at first; None: as it was."""
    global _chosen  # noqa: PLW0603  (as the language: one for the process)
    given = {"large": large, "grey": grey}
    _chosen = replace(_chosen, **{name: on for name, on in given.items() if on is not None})


def get_presentation() -> Presentation:
    """How what is shown now looks at first."""
    return _chosen


def render_switch(shown: Presentation | None = None, role: str = "group") -> Html:
    """Two buttons, Large and Grey, that a script makes work.

    Parameters
    ----------
    shown
        What is pressed; None: nothing, the script presses them.
    role
        What the two are to a screen reader: a group, or a landmark of the page.
    """
    shown = shown or Presentation()
    large = _("Show this large, for a projector")
    grey = _("Show this in greys, for print")
    return tag(
        "div",
        _render_button("gm-large", _("Large"), large, pressed=shown.large),
        _render_button("gm-grey", _("Grey"), grey, pressed=shown.grey),
        class_="gm-present",
        role=role,
        aria_label=_("How this is shown"),
    )


def render_page_switch(shown: Presentation) -> Html:
    """The switch of a page of its own; the body has :attr:`Presentation.classes`."""
    style = tag("style", Html(squeeze_style(_STYLE)))
    return join(style, render_switch(shown, "region"), tag("script", Html(_SCRIPT)))


def explain_signs() -> Html:
    """What tells the sign of a number, in colours and in greys; a part of a sentence."""
    return join(
        tag("span", _("Green is above 0, violet below"), class_="gm-in-colours"),
        tag("span", _("Hatched is below 0"), class_="gm-in-greys", style=STYLED),
    )


def _render_button(name: str, word: str, title: str, *, pressed: bool) -> Html:
    icon = tag("svg", Html(_ICONS[name]), viewBox="0 0 14 14", aria_hidden="true")
    return tag(
        "button", icon, tag("span", word), type="button", title=title,
        aria_pressed="true" if pressed else "false", data_present=name,
    )  # fmt: skip


@functools.cache
def load_style() -> str:
    """The style sheet, without comments and spare blanks."""
    return squeeze_style(Path(__file__).with_name("presenting.css").read_text("utf-8"))
