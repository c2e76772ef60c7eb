"""The chain rule written out for one source: its formula and its numbers, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.replay.chain import write_chain
from gradmagic.render.formula import render_formula
from gradmagic.render.markup import Html, join, tag

if TYPE_CHECKING:
    from gradmagic.core.replay.chain import Chain
    from gradmagic.render.explorer.reading import Reading


def render_chain(reading: Reading, source: str) -> Html:
    """The product of local derivatives, and the sum over paths; or a sentence that says why not."""
    title = tag("p", _("Chain rule"), class_="gm-b")
    try:
        chain = write_chain(reading.whole, source)
    except UserError as error:
        return join(title, tag("p", str(error), class_="gm-say"))
    return join(
        title,
        tag("p", render_formula(chain.formula), class_="gm-formula gm-g"),
        tag("p", tag("code", chain.numbers), class_="gm-numbers gm-g"),
        _render_names(chain),
    )


def _render_names(chain: Chain) -> Html | None:
    """What the letters stand for that the formula needed."""
    if not chain.where:
        return None
    rows = [
        tag("div", tag("dt", tag("code", name)), tag("dd", tag("code", meaning)))
        for name, meaning in chain.where
    ]
    return join(tag("p", _("where"), class_="gm-s"), tag("dl", *rows, class_="gm-passed"))
