"""Rules of ops that take entries by number, and of those that put entries into numbered places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.linear import make_linear
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, add_up, take

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACES = N_("It only says which places: no gradient.")
_INDICES = N_("It only says which entries are taken; whole numbers have no gradient.")


def _take_gathered(call: Call, index: Index) -> Terms:
    """The upstream gradients of every time the entry was gathered."""
    indices = call.take_raw(1)
    batch = int(call.read("batch_dims", 0))
    batch += indices.ndim if batch < 0 else 0
    axis = int(call.take_raw(2)) if len(call.inputs) > 2 else batch
    axis %= len(index)
    taken = np.argwhere(indices[index[:batch]] == index[axis])
    before, after = index[:axis], index[axis + 1 :]
    return add_up(np.array([call.gradient[(*before, *place, *after)] for place in taken]))


def _take_nd(call: Call, index: Index) -> Terms:
    return _take_scattered(call.gradient, call.take_raw(1), index)


def _take_for_updates(indices_slot: int) -> Callable[[Call, Index], Terms]:
    def find_terms(call: Call, index: Index) -> Terms:
        indices = call.take_raw(indices_slot)
        ahead = indices.ndim - 1
        return add_up(call.gradient[(*indices[index[:ahead]], *index[ahead:])])

    return find_terms


def _take_scattered(gradient: np.ndarray, indices: np.ndarray, index: Index) -> Terms:
    depth = indices.shape[-1]
    taken = np.argwhere((indices == index[:depth]).all(axis=-1))
    return add_up(np.array([gradient[(*place, *index[depth:])] for place in taken]))


_ROWS = N_(
    "Each entry gets the sum of the gradients of every time that it was taken; the rest get 0."
)
_UPDATE = N_("Each update gets the gradient of the place that it was written to.")


def _make_scatter(op: str, words: str, formula: str, sign: str = "") -> Rule:
    updates = SlotRule(
        "updates",
        _UPDATE if not sign else N_("Each update gets minus the gradient of the place it went to."),
        f"dL/d{{updates}} = {sign}gather_nd(dL/d{{z}}, {{indices}})",
        find_terms=_negate(_take_for_updates(1)) if sign else _take_for_updates(1),
    )
    tensor = make_linear("x", words, f"dL/d{{x}} = {formula}", zeroed=(2,))
    return Rule(op, (tensor, take("indices", _PLACES), updates))


def _negate(find_terms: Callable[[Call, Index], Terms]) -> Callable[[Call, Index], Terms]:
    def find_negative(call: Call, index: Index) -> Terms:
        terms = find_terms(call, index)
        return Terms("−{g}", terms.columns, -terms.values)

    return find_negative


_TAKEN = (
    *(
        Rule(
            op,
            (
                SlotRule(
                    "x",
                    _ROWS,
                    "dL/d{x} = scatter_add({indices}, dL/d{z})",
                    find_terms=_take_gathered,
                ),
                take("indices", _INDICES),
                *others,
            ),
        )
        for op, others in (
            ("GatherV2", (take("axis", N_("It only says which axis: no gradient.")),)),
            ("Gather", ()),
            ("ResourceGather", ()),
        )
    ),
    *(
        Rule(
            op,
            (
                SlotRule(
                    "x", _ROWS, "dL/d{x} = scatter_nd({indices}, dL/d{z})", find_terms=_take_nd
                ),
                take("indices", _INDICES),
            ),
        )
        for op in ("GatherNd", "ResourceGatherNd")
    ),
    Rule(
        "ScatterNd",
        (
            take("indices", _PLACES),
            SlotRule(
                "updates",
                _UPDATE,
                "dL/d{updates} = gather_nd(dL/d{z}, {indices})",
                find_terms=_take_for_updates(0),
            ),
            take("shape", N_("It only says a shape: no gradient.")),
        ),
    ),
    _make_scatter(
        "TensorScatterUpdate",
        N_("The gradient passes unchanged, with 0 where an update overwrote the entry."),
        "tensor_scatter(dL/d{z}, {indices}, 0)",
    ),
    _make_scatter("TensorScatterAdd", N_("The gradient passes unchanged."), "dL/d{z}"),
    _make_scatter("TensorScatterSub", N_("The gradient passes unchanged."), "dL/d{z}", sign="−"),
)

RULES = _TAKEN
