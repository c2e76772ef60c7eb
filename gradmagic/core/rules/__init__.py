"""The local derivative of each op: in words, as a formula, and with the numbers put in."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.rules import (
    choices,
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
    running,
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
from gradmagic.core.rules.writing import fill_formula, find_words, write_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

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
        choices,
        probabilities,
        reductions,
        running,
        moves,
        gathering,
        networks,
        matrices,
        flat,
        second,
    )
    for rule in module.RULES
}

_BUILDERS = products.BUILDERS | running.BUILDERS

OPS = (*_RULES, *_BUILDERS)  # all ops that have a rule

_LINEAR = frozenset({"AddV2", "Add", "AddN", "BiasAdd", "Sub", "Neg", "Sum", "Mean", "Cumsum"})
_MOVES = frozenset(rule.op for rule in (*moves.RULES, *gathering.RULES)) - {"Cast"}


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
    if op in _BUILDERS:
        return _BUILDERS[op](read_attributes(attributes))
    return _RULES.get(op)


def holds_for_complex(op: str) -> bool:
    """Whether an op's rule has no factor of which TensorFlow would take the conjugate."""
    return op in _LINEAR or op in _MOVES


def write_formula(
    op: str,
    attributes: tuple[Any, ...],
    slot: int,
    operands: Sequence[str | None],
    outputs: Sequence[str | None] = (),
    *,
    taken: Collection[str] = (),
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
    outputs
        What each output is called, likewise. One that is called as an operand or as another
        output is another tensor, as in ``h = relu(h)``, and gets a letter.
    taken
        Names that stand for other tensors, so that no letter may be one of them.
    summed
        Whether the input was broadcast: its gradient is then a sum over its copies.

    Returns
    -------
    str or None
        None where the op has no rule, no gradient flows, or the rule cannot be written.
    """
    rule = find_rule(op, attributes)
    if rule is None:
        return None
    own = rule.find_slot(slot, len(operands))
    if not own.formula:
        return None
    template = own.summed if summed and own.summed else own.formula
    met = {word for name in operands if name for word in (name, *find_words(name))}
    given = [None if name in met or outputs.count(name) > 1 else name for name in outputs]
    letters = _Letters({*taken, *met, *filter(None, given)})
    names = _write_attributes(read_attributes(attributes))
    others = (at for at in range(len(operands)) if at != slot)
    places = {rule.find_slot(at, len(operands)).symbol: at for at in (*others, slot)}
    for symbol, place in places.items():
        names[symbol] = operands[place] or letters.choose(symbol, _OPERANDS)
    for symbol, name in itertools.zip_longest(rule.outputs, given[: len(rule.outputs)]):
        names[symbol] = name or letters.choose(symbol, _OUTPUTS)
    if not rule.outputs:
        names |= _write_outputs(given, slot, letters)
    return fill_formula(template, names)


_OPERANDS = ("u", "v", "p", "q", "r", "a", "b", "c")
_OUTPUTS = ("out", "output", "result")


class _Letters:
    """Letters for tensors without a name; ``taken`` are those that stand for something else."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def choose(self, symbol: str, others: Iterable[str]) -> str:
        """The symbol itself, or another letter where that is taken."""
        numbered = (f"{symbol}_{number}" for number in itertools.count(1))
        letters = itertools.chain([symbol], others, numbered)
        chosen = next(letter for letter in letters if letter not in self._taken)
        self._taken.add(chosen)
        return chosen


def _write_outputs(outputs: Sequence[str | None], slot: int, letters: _Letters) -> dict[str, str]:
    """What formulas say of any number of outputs; one letter for all where not all have names."""
    letter = letters.choose("z", _OUTPUTS)
    named = [name for name in outputs if name]
    whole = named if named and len(named) == len(outputs) else [letter]
    own = outputs[slot] if slot < len(outputs) else None
    return {
        "own": own or letter,
        "all": ", ".join(fill_formula("dL/d{z}", {"z": name}) for name in whole),
    }


def _write_attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that stand in formulas."""
    read = {name: attributes.get(name) for name in DEFAULTS}
    return {
        name: f"{DEFAULTS[name] if value is None else value:.4g}" for name, value in read.items()
    }


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
    if any(np.iscomplexobj(one) for one in (*inputs, *outputs, *upstream) if one is not None):
        return None  # it would take conjugates
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
