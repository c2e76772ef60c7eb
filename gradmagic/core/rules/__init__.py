"""The local derivative of each op: in words, as a formula, and with the numbers put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.rules import (
    flat,
    functions,
    gathering,
    matrices,
    moves,
    networks,
    pairs,
    probabilities,
    products,
    reductions,
    second,
)
from gradmagic.core.rules.attributes import read_attributes
from gradmagic.core.rules.elementwise import DEFAULTS
from gradmagic.core.rules.rule import (
    NOTATION,
    Call,
    Index,
    MissingValueError,
    Rule,
    SlotRule,
    Terms,
)
from gradmagic.core.rules.writing import fill_formula, write_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "NOTATION",
    "OPS",
    "Rule",
    "SlotRule",
    "Terms",
    "find_rule",
    "find_terms",
    "write_formula",
    "write_numbers",
]

_RULES = {
    rule.op: rule
    for module in (
        functions,
        pairs,
        probabilities,
        reductions,
        moves,
        gathering,
        networks,
        matrices,
        flat,
        second,
    )
    for rule in module.RULES
}

OPS = (*_RULES, *products.BUILDERS)  # all ops that have a rule


def find_rule(op: str, attributes: tuple[Any, ...] = ()) -> Rule | None:
    """The rule of an op; None for an op without one.

    Parameters
    ----------
    op
        TensorFlow's name of the op, such as ``"MatMul"``.
    attributes
        Names and values in turn, as in :class:`gradmagic.core.records.Node`: formulas of matrix
        products and einsum depend on them.
    """
    if op in products.BUILDERS:
        return products.BUILDERS[op](read_attributes(attributes))
    return _RULES.get(op)


def write_formula(
    op: str,
    attributes: tuple[Any, ...],
    slot: int,
    operands: Sequence[str | None],
    output: str | None = None,
    *,
    summed: bool = False,
) -> str | None:
    """``"dL/dw = xᵀ @ dL/dz"`` with the operands' own names; :data:`NOTATION` explains it.

    Parameters
    ----------
    op, attributes
        As for :func:`find_rule`.
    slot
        The input whose gradient it is.
    operands
        What each input is called; None for one that has no name or is too long to write.
    output
        What the (first) output is called, if it has a name.
    summed
        Whether the input was broadcast: its gradient is then a sum over its copies.

    Returns
    -------
    str or None
        None where the op has no rule or no gradient flows.
    """
    rule = find_rule(op, attributes)
    if rule is None:
        return None
    own = rule.find_slot(slot, len(operands))
    if not own.differentiable:
        return None
    read = read_attributes(attributes)
    names = {name: f"{read.get(name) or number:.4g}" for name, number in DEFAULTS.items()}
    for place in (*(at for at in range(len(operands)) if at != slot), slot):
        symbol = rule.find_slot(place, len(operands)).symbol
        names[symbol] = operands[place] or symbol
    names["z"] = output or next(name for name in _OUTPUT_NAMES if name not in names.values())
    return fill_formula(own.summed if summed and own.summed else own.formula, names)


_OUTPUT_NAMES = ("z", "out", "output", "result", "op_output")


def find_terms(
    op: str,
    attributes: tuple[Any, ...],
    inputs: Sequence[np.ndarray | None],
    outputs: Sequence[np.ndarray | None],
    upstream: Sequence[np.ndarray | None],
    slot: int,
    index: Index,
) -> Terms | None:
    """The sum that makes entry ``index`` of the gradient of input ``slot``, in float64.

    Parameters
    ----------
    op, attributes
        As for :func:`find_rule`.
    inputs, outputs
        The op's values; None for what was not kept. The handle of a variable that is read or
        gathered from stands for its value, which is not needed.
    upstream
        The gradient of the target with respect to each output; None where none came.
    slot, index
        Which input, and which of its entries.

    Returns
    -------
    Terms or None
        None where no gradient flows, where a needed value is not there, or where it is not
        sensible to write the numbers (Cholesky).
    """
    rule = find_rule(op, attributes)
    own = rule.find_slot(slot, len(inputs)) if rule else None
    if own is None or own.find_terms is None:
        return None
    call = Call(op, read_attributes(attributes), inputs, outputs, upstream, slot)
    try:
        with np.errstate(all="ignore"):
            return own.find_terms(call, index)
    except MissingValueError:
        return None


def write_numbers(
    op: str,
    attributes: tuple[Any, ...],
    inputs: Sequence[np.ndarray | None],
    outputs: Sequence[np.ndarray | None],
    upstream: Sequence[np.ndarray | None],
    slot: int,
    index: Index,
    format_number: Callable[[float], str],
) -> str | None:
    """``"0.5 · 2 = 1"``: the rule with the actual numbers, for one entry; None as for find_terms.

    Of a long sum the first three terms are written, and how many there are. Parameters as for
    :func:`find_terms`; ``format_number`` writes one number.
    """
    terms = find_terms(op, attributes, inputs, outputs, upstream, slot, index)
    return write_terms(terms, format_number) if terms else None
