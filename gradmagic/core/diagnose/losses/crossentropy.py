"""A crossentropy that ran, and what is asked of its operands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradmagic.core.diagnose.evidence import Evidence

LONGEST = 40  # characters of what an unnamed tensor computes, in a message
LARGEST = 1 << 20  # entries of a tensor whose values are looked at

VIEWS = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims", "Snapshot"})
UNCHANGED = VIEWS | {"Cast", "StopGradient", "ReadVariableOp"}  # the same values, as data
PRODUCTS = frozenset({"Mul", "MulNoNan"})
ACTIVATIONS = ("Softmax", "Sigmoid")


@dataclass(frozen=True)
class Crossentropy:
    """A crossentropy that ran; tensors are named by TensorFlow's numbers of them.

    Attributes
    ----------
    position
        The op in which targets and predictions meet; ``Log`` where no targets are seen.
    taking
        The op that takes the predictions: ``Log``, or the loss op itself.
    targets
        None where they are not seen.
    predictions
        As they were given, before the loss clips or scales them.
    form
        What the loss takes them for.
    binary
        Each output is a loss of its own; else the outputs of a row are classes.
    sparse
        The targets are class numbers that pick an entry of each row.
    clip
        The smallest probability that still counts; None where none is cut off.
    scaled
        The predictions divided by their rows' sums, where that ran.
    divides
        The loss op divides by the rows' sums itself: it takes logarithms for logits.
    """

    position: int
    taking: int
    targets: int | None
    predictions: int
    form: Literal["probabilities", "logits"]
    binary: bool = False
    sparse: bool = False
    clip: float | None = None
    scaled: int | None = None
    divides: bool = False


def climb(evidence: Evidence, number: int, ops: Collection[str] = UNCHANGED) -> int:
    """The first tensor above one that no op of ``ops`` made."""
    while (op := evidence.maker(number)) is not None and op.type in ops and op.inputs:
        number = op.inputs[0]
    return number


def is_small(evidence: Evidence, number: int) -> bool:
    """Whether a tensor has so few entries that all of them may be looked at."""
    shape = evidence.shape(number)
    return None not in shape and math.prod(side or 0 for side in shape) <= LARGEST


def read_rows(evidence: Evidence, number: int) -> np.ndarray | None:
    """A tensor's values [rows, columns]; None where it is too large, no matrix, or not finite."""
    value = evidence.value(number) if is_small(evidence, number) else None
    if (
        value is None
        or not value.ndim
        or not value.size
        or value.dtype.kind not in "fiub"
        or not np.isfinite(value).all()
    ):
        return None
    return value.reshape(-1, value.shape[-1])


def is_one_hot(rows: np.ndarray | None) -> bool:
    """Whether each row has a single 1 among zeros, in two columns or more."""
    return (
        rows is not None
        and rows.shape[1] > 1
        and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all())
    )


def find_activation(evidence: Evidence, loss: Crossentropy) -> tuple[str, int] | None:
    """``"Softmax"`` or ``"Sigmoid"``, and its output, where the predictions are that; else None."""
    number = climb(evidence, loss.predictions, VIEWS | {"Cast"})
    op = evidence.maker(number)
    if op is None:
        return None
    if op.type == "Exp" and loss.scaled is not None:  # exp(z) / sum(exp(z)), written by hand
        return "Softmax", loss.scaled
    return (op.type, number) if op.type in ACTIVATIONS else None


def write_operand(evidence: Evidence, number: int, otherwise: str) -> str:
    """What a message calls a tensor: its name, or that of what it views, or what it computes."""
    above = number
    while above not in evidence.names:
        op = evidence.maker(above)
        if op is None or op.type not in UNCHANGED or not op.inputs:
            written = evidence.write(above)
            telling = "(" in written or " " in written  # not the op's own name alone
            return written if telling and len(written) <= LONGEST else otherwise
        above = op.inputs[0]
    return evidence.names[above]


def say_where(what: str, line: int | None) -> str:
    """``the loss on line 3``; what it was called with where that is no line of the cell."""
    return what if line is None else _("{what} on line {line}").format(what=what, line=line)


def begin_sentence(text: str) -> str:
    """With a capital, unless it begins with a name of the cell."""
    nameless = (_("the target tensor"), _("the prediction tensor"))
    return text[:1].upper() + text[1:] if text.startswith(nameless) else text
