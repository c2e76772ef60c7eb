"""What a rule is made of: a slot for each input, and what one op's call hands to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Index = tuple[int, ...]

NOTATION = N_(
    "dL/dx is the gradient of the target L with respect to x, and has x's shape. z is what the "
    "op computes, so dL/dz is its upstream gradient. · and / work entry by entry, @ is the matrix "
    "product, ᵀ turns a matrix over, Σ is a sum, and [x > 0] is 1 where that is so and 0 elsewhere."
)


class MissingValueError(LookupError):
    """A value that the numbers need was not kept."""


@dataclass(frozen=True, eq=False)
class Terms:
    """The sum that makes one entry of a gradient, written and computed.

    Attributes
    ----------
    template
        One term, with a place for each column: ``"{g} · cos({x})"``.
    columns
        For each place its numbers, one a term.
    values
        The terms, in float64.
    """

    template: str
    columns: Mapping[str, np.ndarray]
    values: np.ndarray

    @property
    def total(self) -> float:
        """The entry of the gradient."""
        return float(self.values.sum())


def add_up(gradients: np.ndarray | np.float64) -> Terms:
    """The plain sum of these upstream gradients, for an entry that was only moved or copied."""
    g = np.atleast_1d(np.asarray(gradients, np.float64)).ravel()
    return Terms("{g}", {"g": g}, g)


def make_term(template: str, value: float, **numbers: float) -> Terms:
    """A sum of one term."""
    columns = {name: np.array([number], np.float64) for name, number in numbers.items()}
    return Terms(template, columns, np.array([value], np.float64))


@dataclass(frozen=True, eq=False)
class Call:
    """One op as it ran, with the gradients of its outputs; ``None`` stands for what is not known.

    ``slot`` is the input whose gradient is asked for.
    """

    op: str
    attributes: Mapping[str, Any]
    inputs: Sequence[np.ndarray | None]
    outputs: Sequence[np.ndarray | None]
    upstream: Sequence[np.ndarray | None]
    slot: int

    def take_raw(self, slot: int) -> np.ndarray:
        """Input ``slot`` as it is: axes, shapes, indices."""
        return _insist(self.inputs[slot])

    def take_input(self, slot: int | None = None) -> np.ndarray:
        """Input ``slot`` (the one asked for, if None) in float64."""
        return _to_floats(self.take_raw(self.slot if slot is None else slot))

    def take_output(self, place: int = 0) -> np.ndarray:
        """An output in float64."""
        return _to_floats(_insist(self.outputs[place]))

    @cached_property
    def gradient(self) -> np.ndarray:
        """The upstream gradient of the first output in float64."""
        return _to_floats(_insist(self.upstream[0]))

    def read(self, name: str, default: Any = None) -> Any:
        """An attribute; ``default`` where TensorFlow left it out."""
        value = self.attributes.get(name)
        return default if value is None or value == "" else value


def _insist(array: np.ndarray | None) -> np.ndarray:
    if array is None:
        raise MissingValueError
    return np.asarray(array)


def _to_floats(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiubV":  # V: bfloat16 and its like
        raise MissingValueError
    return array.astype(np.float64)


@dataclass(frozen=True)
class SlotRule:
    """What one input of an op gets.

    Attributes
    ----------
    symbol
        Stands for the input in formulas: their place for it, and what is written where it has no
        name.
    sentence
        The rule in a sentence, in English; where no gradient flows, why not.
    formula
        ``"dL/d{x} = dL/d{z} · {y}"``, with a place for each operand's symbol and for the output,
        ``z``. Empty where TensorFlow passes no gradient (None), or none can be written.
    summed
        What stands in ``formula`` for an input that was broadcast; empty where none can be.
    find_terms
        Finds the sum that makes one entry; None where it is not sensible to write it.
    places
        What stands in the places of the sentence.
    """

    symbol: str
    sentence: str
    formula: str = ""
    summed: str = ""
    find_terms: Callable[[Call, Index], Terms | None] | None = field(
        default=None, repr=False, compare=False
    )
    places: Mapping[str, str] | None = None

    @property
    def words(self) -> str:
        """The sentence in the user's language."""
        text = _(self.sentence)
        return text.format(**self.places) if self.places else text

    @property
    def differentiable(self) -> bool:
        """Whether TensorFlow passes a gradient on through this input."""
        return bool(self.formula or self.find_terms)


@dataclass(frozen=True)
class Rule:
    """The local derivatives of an op.

    Attributes
    ----------
    op
        TensorFlow's name of the op.
    slots
        One for each input; see :meth:`find_slot` for ops that take any number.
    remark
        What is special, in English: TensorFlow's convention where there is no derivative. Empty for
        most.
    repeated
        The position in ``slots`` that stands for any number of inputs; None for none.
    outputs
        The places of the outputs in formulas; also what is written for one without a name. Empty
        where there may be any number of outputs: ``{all}`` then is the place of all their
        gradients, ``{own}`` of the output that the input became.
    """

    op: str
    slots: tuple[SlotRule, ...]
    remark: str = ""
    repeated: int | None = None
    outputs: tuple[str, ...] = ("z",)

    @property
    def note(self) -> str:
        """The remark in the user's language."""
        return _(self.remark) if self.remark else ""

    def find_slot(self, slot: int, inputs: int) -> SlotRule:
        """The rule of input ``slot`` of an op that has ``inputs`` of them.

        Raises
        ------
        IndexError
            Where the op has no such input.
        """
        more = inputs - len(self.slots) if self.repeated is not None else 0
        if self.repeated is None or slot <= self.repeated:
            return self.slots[slot]
        return self.slots[max(slot - more, self.repeated)]


def take(symbol: str, words: str) -> SlotRule:
    """An input that gets no gradient, and why."""
    return SlotRule(symbol, words)
