"""A chain rule's formula as markup that breaks between its factors only."""

from __future__ import annotations

import re

from gradmagic.render.markup import Html, join, tag

# before · = + outside of brackets; widgets/asking/results.js breaks at the same places
_BREAK = re.compile(r"([ \n])(?=[·=+] )(?![^(]*\))")


def render_formula(formula: str) -> Html:
    """``d y/d x = d y/d h · d h/d x``, each factor in a span of its own (``.gm-formula span``)."""
    pieces = _BREAK.split(formula)  # factors, and what stands between them
    return tag("code", join(*(one if one.isspace() else tag("span", one) for one in pieces)))
