"""How rules of ops that work entry by entry are made: from a slope, written once for both uses."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Slope:
    """The derivative of an op with respect to one of its inputs.

    Attributes
    ----------
    symbol
        Of the input.
    template
        Upstream gradient ``{g}`` times the derivative: ``"{g} · cos({x})"``. With dL/d{z} for
        ``{g}`` it is the formula.
    compute
        The derivative, from the columns of a :class:`Columns`.
    words
        The rule in a sentence, in English.
    numbers
        The template for numbers, where it is another: ``{s}`` is the derivative.
    places
        What stands in the places of the words.
    """

    symbol: str
    template: str
    compute: Callable[[Any], Any]
    words: str
    numbers: str = ""
    places: Mapping[str, str] | None = None


class Columns:
    """The numbers that meet one entry of an input: ``g``, ``z`` and each operand, one a copy.

    An attribute of the op counts as a column too, such as ``alpha``.
    """

    def __init__(self, call: Call, index: Index, symbols: tuple[str, ...]) -> None:
        self._call = call
        self._symbols = symbols
        shape = call.gradient.shape
        self._copies = find_copies(call.take_raw(call.slot).shape, shape, index)
        self.g = self._pick(call.gradient)

    def __getattr__(self, name: str) -> np.ndarray:
        call = self._call
        if name == "z":
            return self._pick(call.take_output())
        if name in self._symbols:
            return self._pick(call.take_input(self._symbols.index(name)))
        attribute = np.float32(call.read(name, DEFAULTS.get(name)))  # as TensorFlow keeps it
        return np.full(self.g.shape, attribute, np.float64)

    def _pick(self, array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array, self._call.gradient.shape)[self._copies].ravel()


DEFAULTS = {"alpha": 0.2}  # of attributes, where TensorFlow leaves them out


def find_copies(
    shape: tuple[int, ...], broadcast: tuple[int, ...], index: Index
) -> tuple[int | slice, ...]:
    """Where the entry ``index`` of an input stands after the input was broadcast."""
    ahead = len(broadcast) - len(shape)
    own: list[int | slice] = [
        slice(None) if size == 1 and larger != 1 else at
        for size, larger, at in zip(shape, broadcast[ahead:], index, strict=True)
    ]
    return (*[slice(None)] * ahead, *own)


def make_rule(op: str, *slopes: Slope | SlotRule, note: str = "") -> Rule:
    """The rule of an op whose inputs are broadcast against each other; a SlotRule stays as it is.

    With several inputs, formulas have a form for the one that was broadcast.
    """
    symbols = tuple(slope.symbol for slope in slopes)
    slots = tuple(
        slope if isinstance(slope, SlotRule) else _make_slot(slope, symbols) for slope in slopes
    )
    return Rule(op, slots, note)


def _make_slot(slope: Slope, symbols: tuple[str, ...]) -> SlotRule:
    template = slope.numbers or slope.template

    def find_terms(call: Call, index: Index) -> Terms:
        columns = Columns(call, index, symbols)
        derivative = np.broadcast_to(
            np.asarray(slope.compute(columns), np.float64), columns.g.shape
        )
        fields = {
            name: derivative if name == "s" else getattr(columns, name)
            for name in list_fields(template)
        }
        return Terms(template, fields, columns.g * derivative)

    left = f"dL/d{{{slope.symbol}}} = "
    right = slope.template.replace("{g}", "dL/d{z}")
    summed = "" if len(symbols) == 1 else f"{left}Σ {right}"
    return SlotRule(
        slope.symbol, slope.words, left + right, summed, find_terms, places=slope.places
    )


def list_fields(template: str) -> list[str]:
    """The places of a template, each once."""
    names = (name for _literal, name, _spec, _how in string.Formatter().parse(template) if name)
    return list(dict.fromkeys(names))
