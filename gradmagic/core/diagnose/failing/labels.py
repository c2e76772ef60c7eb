"""Labels that are not what a crossentropy takes: class numbers for rows, or rows for numbers."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import tensorflow as tf

from gradmagic.core.diagnose.failing.clashes import compare_equal
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradmagic.core.diagnose.failing.operands import Operand, Shape
    from gradmagic.core.diagnose.failing.raised import Call

_OF_ROWS: Final = ("categorical_crossentropy", "softmax_cross_entropy_with_logits")
_OF_NUMBERS: Final = (
    "sparse_categorical_crossentropy",
    "sparse_softmax_cross_entropy_with_logits",
)
_OF_TWO: Final = ("binary_crossentropy",)
_LABEL: Final = re.compile(r"label value of (-?\d+) which is outside the valid range of \[0, (\d+)")
_SHARED: Final = frozenset({"y_true", "y_pred", "labels", "logits", "from_logits", "axis", "name"})


@dataclass(frozen=True, eq=False)
class LabelClash:
    """What is wrong, in words, and what to write in place of parts of the call."""

    kind: str
    text: str
    instead: Mapping[ast.expr, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Pair:
    """The labels and predictions of a loss: [samples] or [samples, classes], and as many."""

    call: Call
    labels: Operand
    predictions: Operand
    given: Shape
    predicted: Shape
    tf: str

    @property
    def classes(self) -> int | None:
        return self.predicted[-1]


def compare_labels(call: Call, message: str, tf_name: str) -> LabelClash | None:
    """What is wrong with the labels of a crossentropy; None where it is no such thing.

    ``tf_name`` is what TensorFlow is called in the cell; empty where it has no name.
    """
    if call.name not in (*_OF_ROWS, *_OF_NUMBERS, *_OF_TWO) or "axis" in call.operands:
        return None
    operands = call.operands
    labels = operands.get("y_true") or operands.get("labels")
    predictions = operands.get("y_pred") or operands.get("logits")
    if labels is None or predictions is None or not predictions.shape or labels.shape is None:
        return None
    if None in labels.shape or None in predictions.shape:
        return None
    pair = _Pair(call, labels, predictions, labels.shape, predictions.shape, tf_name)
    if call.name in _OF_TWO:
        return _compare_binary(pair)
    if call.name in _OF_NUMBERS:
        return _compare_numbers(pair, message)
    return _compare_rows(pair)


def _compare_rows(pair: _Pair) -> LabelClash | None:
    """A loss that takes one-hot rows."""
    given, samples = pair.given, pair.predicted[:-1]
    if pair.classes == 1 and len(pair.predicted) > 1 and given[: len(samples)] == samples:
        return _say_one_unit(pair) if given != pair.predicted else None
    if given in (samples, (*samples, 1)) and given != pair.predicted and _holds_classes(pair):
        text = _("{labels} holds class numbers, and this loss takes one-hot rows")
        code = pair.labels.source
        if given != samples:
            code = f"{pair.tf}.squeeze({code}, -1)"
        if pair.labels.tensor is None or not tf.as_dtype(pair.labels.tensor.dtype).is_integer:
            code = f"{pair.tf}.cast({code}, {pair.tf}.int32)"
        instead = {pair.labels.node: f"{pair.tf}.one_hot({code}, {pair.classes})"}
        return _clash(pair, "labels-not-one-hot", text, instead)
    return _compare_shapes(pair, pair.predicted)


def _compare_numbers(pair: _Pair, message: str) -> LabelClash | None:
    """A loss that takes class numbers."""
    given, samples = pair.given, pair.predicted[:-1]
    found = _LABEL.search(message)
    if found is not None and int(found[2]) == pair.classes:
        if pair.classes == 1:
            return _say_one_unit(pair)
        text = _("label {label} against {count} classes")
        text = text.format(label=found[1], count=found[2])
        return LabelClash("shape-mismatch", text)
    if given == pair.predicted and samples and pair.classes != 1:
        text = _("{labels} holds rows, and this loss takes one class number a sample")
        numbers = f"{pair.tf}.argmax({pair.labels.source}, axis=-1)"
        instead = _rename(pair, "sparse_", "") or {pair.labels.node: numbers}
        return _clash(pair, "labels-not-one-hot", text, instead)
    if given == (*samples, 1):
        return None
    return _compare_shapes(pair, samples)


def _compare_binary(pair: _Pair) -> LabelClash | None:
    clash = _compare_shapes(pair, pair.predicted)
    if clash is not None and (*pair.given, 1) == pair.predicted:
        return LabelClash(clash.kind, clash.text, _spread(pair) if pair.tf else {})
    return clash


def _compare_shapes(pair: _Pair, wanted: Shape) -> LabelClash | None:
    text = compare_equal(pair.given, wanted)
    return None if text is None else LabelClash("shape-mismatch", text)


def _say_one_unit(pair: _Pair) -> LabelClash:
    text = _(
        "{predictions} is a single output, and this loss needs one for each class; "
        "for two classes there is binary_crossentropy"
    ).format(predictions=pair.predictions.code)
    instead: dict[ast.expr, str] = {}
    if pair.call.name.endswith("categorical_crossentropy"):
        name = pair.call.name.removesuffix("categorical_crossentropy") + "categorical_"
        instead = _rename(pair, name, "binary_")
    if instead and pair.given == pair.predicted[:-1]:
        instead |= _spread(pair)
    elif pair.given != pair.predicted:
        instead = {}
    return _clash(pair, "one-unit-crossentropy", text, instead)


def _clash(pair: _Pair, kind: str, text: str, instead: Mapping[ast.expr, str]) -> LabelClash:
    return LabelClash(kind, text.format(labels=pair.labels.code), instead if pair.tf else {})


def _spread(pair: _Pair) -> dict[ast.expr, str]:
    return {pair.labels.node: f"{pair.tf}.expand_dims({pair.labels.source}, -1)"}


def _rename(pair: _Pair, old: str, new: str) -> dict[ast.expr, str]:
    """The loss of another name beside it; nothing where it may take other arguments."""
    function = getattr(pair.call.node, "func", None)
    if not isinstance(function, ast.Attribute) or not set(pair.call.operands) <= _SHARED:
        return {}
    if not function.attr.startswith(old):
        return {}
    name = new + function.attr.removeprefix(old)
    return {function: f"{ast.unparse(function.value)}.{name}"}


def _holds_classes(pair: _Pair) -> bool:
    """Whether the labels are whole numbers from 0 to the number of classes."""
    values = pair.labels.read_small()
    if values is None or pair.classes is None:
        return pair.labels.dtype is not None and tf.as_dtype(pair.labels.dtype).is_integer
    return bool(
        values.dtype.kind in "iuf"
        and np.all(np.mod(values, 1) == 0)
        and np.all((values >= 0) & (values < pair.classes))
    )
