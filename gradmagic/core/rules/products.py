"""Rules of matrix products and einsum, whose formulas depend on the op's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.elementwise import find_copies
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, add_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LEFT = N_(
    "Each entry gets the gradients of all outputs that it fed, times the numbers it met there."
)
_RIGHT = N_(
    "Each entry gets, from all rows, the numbers it met times the gradients of what it fed."
)


def _make_product(
    op: str, turns: tuple[str, str], note: str = ""
) -> Callable[[Mapping[str, Any]], Rule]:
    """What makes the rule of a matrix product; ``turns`` name the attributes that transpose."""

    def make(attributes: Mapping[str, Any]) -> Rule:
        x_turned, w_turned = (bool(attributes.get(turn)) for turn in turns)
        if x_turned:
            left = "{w}ᵀ @ (dL/d{z})ᵀ" if w_turned else "{w} @ (dL/d{z})ᵀ"
        else:
            left = "dL/d{z} @ {w}" if w_turned else "dL/d{z} @ {w}ᵀ"
        if w_turned:
            right = "(dL/d{z})ᵀ @ {x}ᵀ" if x_turned else "(dL/d{z})ᵀ @ {x}"
        else:
            right = "{x} @ dL/d{z}" if x_turned else "{x}ᵀ @ dL/d{z}"

        def find_left(call: Call, index: Index) -> Terms:
            return _multiply(call, index, x_turned, w_turned)

        def find_right(call: Call, index: Index) -> Terms:
            return _multiply(call, index, w_turned, x_turned)

        return Rule(
            op,
            (
                SlotRule("x", _LEFT, f"dL/d{{x}} = {left}", "", find_left),
                SlotRule("w", _RIGHT, f"dL/d{{w}} = {right}", "", find_right),
            ),
            note,
        )

    return make


def _multiply(call: Call, index: Index, turned: bool, other_turned: bool) -> Terms:  # noqa: FBT001
    """Upstream gradients of the row (or column) that the entry fed, times what it met there."""
    slot = call.slot
    other = call.take_input(1 - slot)
    row, column = reversed(index[-2:]) if turned else index[-2:]
    if other_turned:
        other = np.swapaxes(other, -1, -2)
    gradient = call.gradient
    if slot == 0:  # z[i, j] holds x[i, k] · w[k, j]
        gradients, factors = gradient[..., row, :], other[..., column, :]
    else:
        gradients, factors = gradient[..., :, column], other[..., :, row]
    batch = call.take_raw(slot).shape[:-2]
    whole = gradients.shape[:-1]
    copies = find_copies(batch, whole, index[:-2])
    factors = np.broadcast_to(factors, (*whole, factors.shape[-1]))
    g, s = gradients[copies].ravel(), factors[copies].ravel()
    if slot:
        return Terms("{s} · {g}", {"s": s, "g": g}, s * g)
    return Terms("{g} · {s}", {"g": g, "s": s}, g * s)


def _make_einsum(attributes: Mapping[str, Any]) -> Rule:
    """The rule of an equation: each operand changes places with the output."""
    equation = str(attributes.get("equation") or "")
    left, _arrow, output = equation.replace(" ", "").partition("->")
    labels = left.split(",")
    slots = []
    for slot, own in enumerate(labels):
        others = [label for at, label in enumerate(labels) if at != slot]
        names = "".join(f", {{{_SYMBOLS[at]}}}" for at in range(len(labels)) if at != slot)
        swapped = f"{','.join([output, *others])}->{own}"
        symbol = _SYMBOLS[slot]
        formula = f"dL/d{{{symbol}}} = einsum('{swapped}', dL/d{{z}}{names})"
        find_terms = _find_einsum_terms(labels, output)
        if _is_einsum(own, [output, *others]):
            slots.append(SlotRule(symbol, _SWAPPED, formula, "", find_terms))
        else:
            slots.append(SlotRule(symbol, _LEFT, "", "", find_terms))
    return Rule("Einsum", tuple(slots))


def _is_einsum(own: str, given: Sequence[str]) -> bool:
    """Whether an operand's gradient is an einsum of the output's gradient and the others.

    It is none for a label that stands twice in the operand, or there alone; and over an ellipsis
    an operand may have been broadcast.
    """
    once = len(set(own) - {"."}) == len(own.replace(".", ""))
    dots = sum("..." in label for label in given)
    return once and set(own) <= set("".join(given)) and dots == ("..." in own)


_SYMBOLS = "xywuvabcdefghijk"
_SWAPPED = N_("The upstream gradient takes the input's place in the sum of products.")


def _find_einsum_terms(labels: list[str], output: str) -> Callable[[Call, Index], Terms | None]:
    """For one or two operands in which no label stands twice."""

    def find_terms(call: Call, index: Index) -> Terms | None:
        operands = [*labels, output]
        if len(labels) > 2 or any("." in o or len(set(o)) < len(o) for o in operands):
            return None
        own = dict(zip(labels[call.slot], index, strict=True))
        others = [slot for slot in range(len(labels)) if slot != call.slot]
        free = [
            c for c in dict.fromkeys(output + "".join(labels[o] for o in others)) if c not in own
        ]
        g = _align(call.gradient, output, own, free)
        if not others:
            return add_up(g)
        s = _align(call.take_input(others[0]), labels[others[0]], own, free)
        g, s = (part.ravel() for part in np.broadcast_arrays(g, s))
        return Terms("{g} · {s}", {"g": g, "s": s}, g * s)

    return find_terms


def _align(array: np.ndarray, labels: str, own: Mapping[str, int], free: list[str]) -> np.ndarray:
    """The part of an operand that meets the entry, with one axis for each free label."""
    part = array[tuple(own.get(label, slice(None)) for label in labels)]
    kept = [label for label in labels if label not in own]
    part = part.transpose(sorted(range(len(kept)), key=lambda at: free.index(kept[at])))
    return part.reshape([array.shape[labels.index(c)] if c in kept else 1 for c in free])


_BATCHES = N_("A matrix that was used for several batches gets the sum over them.")

BUILDERS: dict[str, Callable[[Mapping[str, Any]], Rule]] = {
    "MatMul": _make_product("MatMul", ("transpose_a", "transpose_b")),
    **{
        op: _make_product(op, ("adj_x", "adj_y"), _BATCHES)
        for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
    },
    "Einsum": _make_einsum,
}
