"""The report's part on gradients: the first sources in full, all others in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.derivatives import render_hessian
from gradmagic.render.markup import STYLED, Html, fill, join, tag
from gradmagic.render.others import render_others
from gradmagic.render.presenting import explain_signs
from gradmagic.render.source import render_source

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun

FULL = 8  # sources shown in full, where there are no more
FIRST = 4  # and where there are more
FULL_BYTES = 56_000  # what they may take together


def count_full(run: TapeRun) -> int:
    """How many sources are shown in full, if there is room."""
    return len(run.gradients) if len(run.gradients) <= FULL else FIRST


def render_sources(run: TapeRun) -> list[Html]:
    """The first sources in full, as many as there is room for."""
    shown: list[Html] = []
    used = 0
    for gradient in run.gradients[: count_full(run)]:
        section = render_source(run, gradient)
        used += len(section.encode())
        if shown and used > FULL_BYTES:
            break
        shown.append(section)
    return shown


def render_gradients(run: TapeRun, shown: list[Html]) -> Html:
    """The sources that :func:`render_sources` made, and all others as rows of one table."""
    others = run.gradients[len(shown) :]
    nothing = _("The tape watched nothing, so there is no gradient.")
    tinted = any('style="--t' in section or "style=--t" in section for section in shown)
    return join(
        *shown,
        tag("p", nothing) if not run.gradients else None,
        render_others(others, len(shown), run.diagnoses) if others else None,
        render_hessian(run.hessian, run) if run.hessian is not None else None,
        tag("p", _explain_tints(), class_="gm-s gm-tints", style=STYLED) if tinted else None,
    )


def _explain_tints() -> Html:
    words = _(
        "{signs}; the tint grows with the square root of the number. A source has one scale for "
        "both tables: ticks above it are values, below it gradients."
    )
    return fill(words, signs=explain_signs())
