"""Rules of ops that choose, entry by entry, which of their inputs to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import N_
from gradmagic.core.rules.elementwise import Slope, make_rule
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, make_term, take

if TYPE_CHECKING:
    from collections.abc import Callable

_GREATER = N_("The larger of the two gets the gradient; the other gets 0.")
_SMALLER = N_("The smaller of the two gets the gradient; the other gets 0.")

_CHOOSES = N_("It only chooses: a condition gets no gradient.")
_WHERE_TRUE = N_("Where the condition is true, the gradient goes here; elsewhere 0.")
_WHERE_FALSE = N_("Where the condition is false, the gradient goes here; elsewhere 0.")
_UNCHOSEN = N_("A NaN in the branch that is not chosen can still come back as 0 · NaN.")

_ENTRIES = (
    make_rule(
        "Maximum",
        Slope("x", "{g} · [{x} ≥ {y}]", lambda v: v.x >= v.y, _GREATER, "{g} · {s}"),
        Slope("y", "{g} · [{y} > {x}]", lambda v: ~(v.x >= v.y), _GREATER, "{g} · {s}"),
        note=N_("Where both are equal, TensorFlow gives all of it to the first."),
    ),
    make_rule(
        "Minimum",
        Slope("x", "{g} · [{x} ≤ {y}]", lambda v: v.x <= v.y, _SMALLER, "{g} · {s}"),
        Slope("y", "{g} · [{y} < {x}]", lambda v: ~(v.x <= v.y), _SMALLER, "{g} · {s}"),
        note=N_("Where both are equal, TensorFlow gives all of it to the first."),
    ),
    make_rule(
        "SelectV2",
        take("c", _CHOOSES),
        Slope(
            "x",
            "{g} · [{c}]",
            lambda v: v.c != 0,
            _WHERE_TRUE,
            "{g} · {s}",
        ),
        Slope(
            "y",
            "{g} · [not {c}]",
            lambda v: v.c == 0,
            _WHERE_FALSE,
            "{g} · {s}",
        ),
        note=_UNCHOSEN,
    ),
    make_rule(
        "ClipByValue",
        Slope(
            "x",
            "{g} · [{low} ≤ {x} ≤ {high}]",
            lambda v: ~((v.x < v.low) | (v.x > v.high)),
            N_("Where the input is within the limits the gradient passes; where it was cut, 0."),
            "{g} · {s}",
        ),
        Slope(
            "low",
            "{g} · [{x} < {low}]",
            lambda v: v.x < v.low,
            N_("The lower limit gets the gradient of the entries that were raised to it."),
            "{g} · {s}",
        ),
        Slope(
            "high",
            "{g} · [{x} > {high}]",
            lambda v: v.x > v.high,
            N_("The upper limit gets the gradient of the entries that were cut down to it."),
            "{g} · {s}",
        ),
        note=N_("At exactly a limit TensorFlow lets the gradient pass."),
    ),
)


def _find_selected(*, wanted: bool) -> Callable[[Call, Index], Terms]:
    def find_terms(call: Call, index: Index) -> Terms:
        condition = call.take_raw(0)  # one for each entry, or for each row
        chosen = float(bool(condition[index[: condition.ndim]]) == wanted)
        g = float(call.gradient[index])
        return make_term("{g} · {s}", g * chosen, g=g, s=chosen)

    return find_terms


_SELECT = Rule(
    "Select",
    (
        take("c", _CHOOSES),
        SlotRule(
            "x", _WHERE_TRUE, "dL/d{x} = select({c}, dL/d{z}, 0)", "", _find_selected(wanted=True)
        ),
        SlotRule(
            "y", _WHERE_FALSE, "dL/d{y} = select({c}, 0, dL/d{z})", "", _find_selected(wanted=False)
        ),
    ),
    _UNCHOSEN,
)

RULES = (*_ENTRIES, _SELECT)
