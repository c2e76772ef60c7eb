"""The signs of diagnoses: a shape and a colour for how grave one is, and the break in a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gradmagic.core.i18n import _
from gradmagic.render.diagnoses import describe_diagnosis, find_severity
from gradmagic.render.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Diagnosis
    from gradmagic.render.diagnoses import Severity

SIZE = 14  # px

_DISC = "M1 7a6 6 0 1 0 12 0a6 6 0 1 0-12 0z"
# the shape, and what is drawn on it
_SHAPES: Final[dict[Severity, tuple[str, str]]] = {
    "wrong": ("M7 1L13.5 13H.5z", "M7 5v4M7 10.4v1.2"),
    "missing": (_DISC, "M3.4 10.6l7.2-7.2"),
    "weak": ("M7 .7L13.3 7 7 13.3 .7 7z", "M4.5 7h5"),
    "note": (_DISC, "M7 6.3v4M7 3.7v1.2"),
}


def draw_mark(severity: Severity, x: float, y: float) -> str:
    """A sign as a part of an SVG, its upper left corner at (x, y)."""
    return (
        f'<g class="gm-flag gm-{severity}" transform="translate({x:g} {y:g})">'
        f"{_draw_paths(severity)}</g>"
    )


def render_mark(severity: Severity) -> Html:
    """A sign as HTML, beside words that say the same."""
    return Html(
        f'<svg class="gm-flag gm-{severity}" width="{SIZE}" height="{SIZE}" aria-hidden="true">'
        f"{_draw_paths(severity)}</svg>"
    )


def _draw_paths(severity: Severity) -> str:
    return "".join(f'<path d="{path}"/>' for path in _SHAPES[severity])


def render_sign(severity: Severity) -> Html:
    """A sign that says what it means where the pointer rests."""
    words = {
        "wrong": _("a wrong number or loss"),
        "missing": _("no gradient"),
        "weak": _("a gradient that does not help"),
        "note": _("good to know"),
    }
    return tag("span", render_mark(severity), class_="gm-sign", title=words[severity])


def render_pointer(diagnoses: Sequence[Diagnosis]) -> Html:
    """The sign of the first of some diagnoses, which says what they are."""
    said = "\n".join(map(describe_diagnosis, diagnoses))
    mark = render_mark(find_severity(diagnoses[0].kind))
    return tag("span", mark, class_="gm-sign", role="img", title=said, aria_label=said)
