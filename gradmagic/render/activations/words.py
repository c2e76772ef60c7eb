"""What is said of activations: the same sentences in Python and in the browser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n, join_items, join_sentences
from gradmagic.render.numbers import format_entry, format_number

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab, Curve


def list_words() -> dict[str, str]:
    """All templates by name; ``{name}`` and ``{slope}`` are filled in as one looks."""
    return {
        "moves": _("At x = {x}, {name} multiplies the gradient by {slope}."),
        "saturated": _("At x = {x}, {name} is saturated: it multiplies the gradient by {slope}."),
        "dead": _("At x = {x}, {name} multiplies the gradient by 0: nothing flows back."),
        "nothing": _("At x = {x}, {name} has no value."),
        "flat": _("saturated"),
        "share": _(
            "{share} of the {count} finite entries of {tensor} lie where {name} is saturated."
        ),
        "bound": _("saturated: |derivative| < {bound}"),
        "reads": _("x = {x}; {name}: {value}, derivative {slope}"),
        "layers": _("gradient after {n} layers"),
        "stack": _("size of the gradient after 1 to {n} layers of each function, log scale"),
        "best": _("best case of {name}"),
        "axis_layers": _("layers"),
        "scrolls": _("Scrolls sideways"),
        "probability": _("probability of class {i} {p}"),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "selected": _("Selected: press Ctrl+C"),
    }


def say_place(value: float) -> str:
    """A place on the x axis."""
    return format_number(value, 4) if abs(value) >= 1000 else f"{value:.2f}".replace("-", "\u2212")


def say_claim(lab: ActivationLab, curve: Curve, at: int) -> tuple[str, str, str]:
    """The template for the point, and the numbers for its places: x, and the derivative."""
    value, slope = float(curve.value[at]), float(curve.slope[at])
    words = list_words()
    if not (math.isfinite(value) and math.isfinite(slope)):
        template = words["nothing"]
    elif slope == 0:
        template = words["dead"]
    elif abs(slope) < lab.bounds[lab.bound]:
        template = words["saturated"]
    else:
        template = words["moves"]
    return template, say_place(float(lab.x[at])), format_entry(slope)


def say_share(share: float) -> str:
    """A share as a percentage; never 0 or 100 % where it is not exactly that."""
    percent = 100 * share
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %"


def list_notes(lab: ActivationLab) -> list[str]:
    """What one should know of the numbers: kinks, the dtype, what lies outside the range."""
    notes = [
        _("At 0 {name} has a kink and no derivative; TensorFlow takes {slope} there.").format(
            name=curve.function.name, slope=format_number(curve.at_zero, 3)
        )
        for curve in lab.curves
        if curve.at_zero is not None
    ]
    singles = [curve.function.name for curve in lab.curves if curve.dtype != "float64"]
    if singles:
        notes.append(
            _("Computed in float32, because it takes no float64: {names}.").format(
                names=join_items(singles)
            )
        )
    gaps = [
        curve.function.name
        for curve in lab.curves
        if not all(map(math.isfinite, (*curve.value, *curve.slope)))
    ]
    if gaps:
        notes.append(
            _("Where there is a gap, value or derivative is NaN or infinite: {names}.").format(
                names=join_items(gaps)
            )
        )
    return notes + list_spread_notes(lab)


def list_spread_notes(lab: ActivationLab) -> list[str]:
    """What the grey bars are, and how much of the tensor they leave out."""
    spread = lab.spread
    if spread is None:
        return []
    notes = []
    shape = ", ".join(map(str, spread.shape))
    notes.append(
        _("Grey bars: the entries of {name}, {dtype} [{shape}].").format(
            name=spread.name, dtype=spread.dtype, shape=shape
        )
    )
    if spread.outside:
        notes.append(
            _n(
                "{count} of them lies outside the range.",
                "{count} of them lie outside the range.",
                spread.outside,
            ).format(count=spread.outside)
        )
    if spread.finite < spread.size:
        notes.append(
            _n(
                "{count} is NaN or infinite and not counted.",
                "{count} are NaN or infinite and not counted.",
                spread.size - spread.finite,
            ).format(count=spread.size - spread.finite)
        )
    return [join_sentences(notes)]
