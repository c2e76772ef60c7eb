"""Bars: from the left of a track, or from its middle to both sides."""

from __future__ import annotations

import math

from gradmagic.render.markup import Html, tag

TOO_SHORT = 0.003  # share of a track below which a bar is not drawn


def draw_bar(loss: str, share: float, **attributes: object) -> Html:
    """A bar from the left, in the sign of a loss: ``"ce"`` or ``"mse"``."""
    width = 0 if share < TOO_SHORT or math.isnan(share) else 100 * min(share, 1)
    return tag("i", class_=f"gm-bar gm-b-{loss}", style=f"width:{width:.2f}%", **attributes)


def draw_slope(loss: str, value: float, **attributes: object) -> Html:
    """A bar from the middle, to the left for what is below 0; ``value`` is between -1 and 1."""
    width = 0 if abs(value) < TOO_SHORT or math.isnan(value) else 50 * min(abs(value), 1)
    side = "right:50%;left:auto" if value < 0 else "left:50%;right:auto"
    return tag("i", class_=f"gm-bar gm-b-{loss}", style=f"width:{width:.2f}%;{side}", **attributes)
