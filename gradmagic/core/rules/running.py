"""Rules of running sums and products, which run along an axis from either end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, add_up, make_term, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AXES = take("axis", N_("It only says which axes: no gradient."))


def _list_later(call: Call, index: Index) -> tuple[int, list[Index]]:
    """The axis, and the places of the running sum or product that the entry goes into."""
    shape = call.take_raw(0).shape
    axis = int(call.take_raw(1)) % len(shape)
    at, exclusive = index[axis], bool(call.read("exclusive", default=False))
    if call.read("reverse", default=False):
        places = range(at + 1 - exclusive)
    else:
        places = range(at + exclusive, shape[axis])
    return axis, [(*index[:axis], place, *index[axis + 1 :]) for place in places]


def _find_cumsum(call: Call, index: Index) -> Terms:
    _axis, places = _list_later(call, index)
    return add_up(np.array([call.gradient[place] for place in places]))


def _find_cumprod(call: Call, index: Index) -> Terms:
    _axis, places = _list_later(call, index)
    g = np.array([call.gradient[place] for place in places])
    z = np.array([call.take_output()[place] for place in places])
    x = np.full(g.shape, call.take_input(0)[index])
    if not x.all():
        return make_term("{g}", 0.0, g=0.0)
    return Terms("{g} · {z} / {x}", {"g": g, "z": z, "x": x}, g * z / x)


def _write_way(attributes: Mapping[str, Any]) -> str:
    """How the gradients are summed up: from the other end."""
    way = "forwards" if attributes.get("reverse") else "backwards"
    return f"{way}, exclusive" if attributes.get("exclusive") else way


def _make_cumsum(attributes: Mapping[str, Any]) -> Rule:
    words = N_("Each entry gets the sum of the gradients of all running sums that it is in.")
    formula = f"dL/d{{x}} = cumsum(dL/d{{z}}, {_write_way(attributes)})"
    return Rule("Cumsum", (SlotRule("x", words, formula, "", _find_cumsum), _AXES))


def _make_cumprod(attributes: Mapping[str, Any]) -> Rule:
    words = N_("The sum of gradient times output over all outputs it is in, divided by itself.")
    formula = f"dL/d{{x}} = cumsum(dL/d{{z}} · {{z}}, {_write_way(attributes)}) / {{x}}"
    return Rule(
        "Cumprod",
        (SlotRule("x", words, formula, "", _find_cumprod), _AXES),
        N_("Where the entry is 0, TensorFlow gives 0, which is not always the true derivative."),
    )


BUILDERS: dict[str, Callable[[Mapping[str, Any]], Rule]] = {
    "Cumsum": _make_cumsum,
    "Cumprod": _make_cumprod,
}

RULES = (
    Rule(
        "CumulativeLogsumexp",
        (
            SlotRule(
                "x",
                N_(
                    "Each entry gets the gradients of all outputs that it is in, times its share "
                    "in each."
                ),
                "dL/d{x} = Σ dL/d{z} · exp({x} − {z})",
            ),
            _AXES,
        ),
    ),
)
