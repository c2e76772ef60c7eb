"""Targets and predictions as users hand them over -> one-hot rows and logits, or a clear line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 1e-3  # by which the sum of a row may miss 1
HALF_TOLERANCE = 1e-2  # in half precision
MASKED = 1000.0  # below a row's largest logit: its exp is 0 in every dtype

Kind = Literal["logits", "probabilities"]
Form = Literal["numbers", "one-hot", "soft", "single"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What both losses are computed from.

    Attributes
    ----------
    targets
        [batch, classes], rows that sum to 1.
    predictions
        The tensor that was given, or what TensorFlow made of it.
    kind
        What the predictions are.
    form
        What the targets were: class numbers, one-hot rows, soft labels; ``"single"``: 0 or 1 for
        one output (a sigmoid's), which is class 1's.
    plain
        Whether targets, and whether predictions, were tensors that TensorFlow's losses take as
        they are (class numbers through ``tf.one_hot``).
    notes
        Two sentences, which say how targets and predictions were read.
    """

    targets: Any
    predictions: Any
    kind: Kind
    form: Form
    plain: tuple[bool, bool]
    notes: tuple[str, str]

    def compute_logits(self, predictions: Any) -> Any:
        """Logits [batch, classes] of predictions of the same form: a step that a tape can record.

        Of probabilities p they are log p; one output z for two classes becomes the row [0, z].
        """
        if self.form == "single":
            flat = tf.reshape(predictions, [-1])
            if self.kind == "logits":
                return tf.stack([tf.zeros_like(flat), flat], axis=1)
            return tf.math.log(tf.stack([1 - flat, flat], axis=1))
        rows = tf.reshape(predictions, [-1, predictions.shape[-1]])
        return rows if self.kind == "logits" else tf.math.log(rows)


def steady_logits(targets: Any, logits: Any) -> Any:
    """``logits``, where the -inf of a class without a share in the target is a very small number.

    TensorFlow's crossentropy multiplies such a logit with its target: 0 times infinity is NaN.
    """
    masked = (logits == -np.inf) & (targets == 0)
    if not tf.reduce_any(masked):
        return logits
    lowest = tf.reduce_max(logits, axis=-1, keepdims=True) - tf.cast(MASKED, logits.dtype)
    return tf.where(masked, lowest, logits)


def read_batch(targets: Any, predictions: Any, from_logits: bool | None = None) -> Batch:  # noqa: FBT001
    """Read targets and predictions.

    Parameters
    ----------
    targets
        Class numbers [batch], or one-hot (or soft) rows [batch, classes]; 0 or 1 for one output.
    predictions
        [batch, classes], or one output [batch] or [batch, 1] for two classes. More dimensions than
        these count as a longer batch; a single sample needs no batch dimension.
    from_logits
        Whether the predictions are logits; None: told by their values.

    Raises
    ------
    UserError
        The shapes do not fit, a label is out of range, a value is NaN, a row does not sum to 1.
    """
    given_targets, given_predictions = targets, predictions
    predictions = _make_float(predictions, _("predictions"))
    targets = _make_tensor(targets, _("targets"))
    if not predictions.shape.rank:
        raise UserError(_("the predictions are one number; give one number a class"))
    if not tf.size(predictions):
        raise UserError(
            _("there are no predictions: their shape is {shape}").format(
                shape=list(predictions.shape)
            )
        )
    _refuse_bad(predictions.numpy(), _("predictions"))
    _refuse_bad(targets.numpy(), _("targets"))
    single = _is_single(targets, predictions)
    kind, reason = _tell_kind(predictions, from_logits, single=single)
    if single:
        rows, form, note = _read_binary(targets, predictions)
    else:
        rows, form, note = _read_targets(targets, predictions)
    plain = (
        given_targets is targets and _is_plain(targets, predictions.dtype, form),
        given_predictions is predictions and predictions.shape.rank == 2,
    )
    rows = tf.cast(rows, predictions.dtype)
    return Batch(rows, predictions, kind, form, plain, (note, reason))


def _is_plain(targets: Any, dtype: Any, form: Form) -> bool:
    if form == "numbers":
        return targets.shape.rank == 1 and targets.dtype.is_integer and dtype == tf.float32
    return targets.shape.rank == 2 and targets.dtype == dtype


def _make_tensor(values: Any, name: str) -> Any:
    if isinstance(values, tf.RaggedTensor | tf.SparseTensor | tf.IndexedSlices):
        raise UserError(
            _("the {name} are a {kind}; make them dense first").format(
                name=name, kind=type(values).__name__
            )
        )
    try:
        tensor = tf.convert_to_tensor(values)
    except (ValueError, TypeError, tf.errors.OpError):
        raise UserError(
            _("the {name} cannot become a tensor: {kind} is not an array of numbers").format(
                name=name, kind=type(values).__name__
            )
        ) from None
    if not hasattr(tensor, "numpy"):
        raise UserError(
            _("the {name} have no values yet: they are a symbol inside a function").format(
                name=name
            )
        )
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
        raise UserError(
            _("the {name} are {dtype}; they must be numbers").format(
                name=name, dtype=tensor.dtype.name
            )
        )
    return tf.cast(tensor, tf.int32) if tensor.dtype.is_bool else tensor


def _make_float(values: Any, name: str) -> Any:
    tensor = _make_tensor(values, name)
    return tensor if tensor.dtype.is_floating else tf.cast(tensor, tf.float32)


def _refuse_bad(array: np.ndarray, name: str) -> None:
    """NaN and +inf; -inf may stand among logits, where it masks a class."""
    floats = array.astype(np.float32) if array.dtype.kind == "V" else array
    bad = np.isnan(floats) | (floats == np.inf)
    if bad.any():
        where = np.argwhere(bad)[0]
        raise UserError(
            _("the {name} are {value} at {place}; both losses need finite numbers").format(
                name=name, value=floats[tuple(where)], place=[int(i) for i in where]
            )
        )


def _is_single(targets: Any, predictions: Any) -> bool:
    """Whether the predictions are one output for two classes."""
    if predictions.shape.rank > 1:
        return predictions.shape[-1] == 1
    if predictions.shape[0] == 1:
        return True
    if not targets.shape.rank:
        return False
    # Two vectors: a batch of single outputs, or one sample's row of classes.
    whole = abs(float(tf.reduce_sum(tf.cast(targets, tf.float64))) - 1) < TOLERANCE
    sums_to_one = abs(float(tf.reduce_sum(tf.cast(predictions, tf.float64))) - 1) < TOLERANCE
    return not (whole and (sums_to_one or targets.dtype.is_floating))


def _tell_kind(predictions: Any, from_logits: bool | None, *, single: bool) -> tuple[Kind, str]:  # noqa: FBT001
    values = tf.cast(predictions, tf.float64).numpy()
    between = bool(((values >= 0) & (values <= 1 + TOLERANCE)).all())
    wrong = None if single else _find_wrong_row(values, predictions.dtype)
    if from_logits:
        _refuse_masked_rows(values, single=single)
        return "logits", _("Predictions taken as logits, as you said.")
    if from_logits is None:
        if not between:
            _refuse_masked_rows(values, single=single)
            return "logits", _("Predictions taken as logits: not all lie between 0 and 1.")
        if not values.any():
            return "logits", _("Predictions taken as logits: all are 0.")
        if wrong is not None:
            raise UserError(
                _(
                    "the predictions lie between 0 and 1, but {row} sums to {total}: for logits "
                    "say --from-logits (from_logits=True); probabilities must sum to 1"
                ).format(row=wrong[0], total=wrong[1])
            )
        if single:
            return "probabilities", _(
                "Predictions taken as probabilities: all lie between 0 and 1."
            )
        return "probabilities", _("Predictions taken as probabilities: each row sums to 1.")
    if not between:
        index = tuple(np.argwhere((values < 0) | (values > 1 + TOLERANCE))[0])
        raise UserError(
            _(
                "{value} at {place} of the predictions is no probability; "
                "for logits say --from-logits (from_logits=True)"
            ).format(value=f"{values[index]:.6g}", place=[int(i) for i in index])
        )
    if wrong is not None:
        raise UserError(
            _("{row} of the predictions sums to {total}; probabilities must sum to 1").format(
                row=wrong[0], total=wrong[1]
            )
        )
    return "probabilities", _("Predictions taken as probabilities, as you said.")


def _find_wrong_row(values: np.ndarray, dtype: Any) -> tuple[str, str] | None:
    """Name and sum of the first row that does not sum to 1."""
    sums = values.sum(-1)
    bad = np.abs(sums - 1) > (TOLERANCE if dtype.size > 2 else HALF_TOLERANCE)
    if not bad.any():
        return None
    index = tuple(np.argwhere(bad)[0]) if sums.ndim else ()
    return _name_row(index), f"{sums[index]:.6g}"


def _name_row(index: Sequence[int]) -> str:
    if not index:
        return _("the row")
    return _("row {number}").format(number=", ".join(str(int(i)) for i in index))


def _refuse_masked_rows(values: np.ndarray, *, single: bool) -> None:
    finite = np.isfinite(values) if single else np.isfinite(values).any(-1)
    if not finite.all():
        raise UserError(
            _("{row} of the predictions is -inf throughout; a row needs a finite logit").format(
                row=_name_row(tuple(np.argwhere(~finite)[0]))
            )
        )


def _read_binary(targets: Any, predictions: Any) -> tuple[Any, Form, str]:
    count = int(tf.size(predictions))
    if int(tf.size(targets)) != count:
        _refuse_shapes(targets, predictions, [count], [count])
    share = tf.reshape(tf.cast(targets, predictions.dtype), [-1])
    values = share.numpy().astype(np.float64)
    bad = (values < 0) | (values > 1)
    if bad.any():
        at = int(np.argmax(bad))
        raise UserError(
            _("target {number} is {value}; with one output, targets are 0 or 1").format(
                number=at, value=f"{values[at]:.6g}"
            )
        )
    rows = tf.stack([1 - share, share], axis=1)
    note = _("Targets taken as 0 or 1, the share of class 1; one output for two classes.")
    return rows, "single", note


def _read_targets(targets: Any, predictions: Any) -> tuple[Any, Form, str]:
    classes = predictions.shape[-1]
    before = list(predictions.shape[:-1])
    shape = list(targets.shape)
    if shape == [*before, classes]:
        return _read_rows(targets, classes)
    alone = before in ([], [1]) and not shape
    if alone or shape in (before, [*before, 1]):
        return _read_numbers(targets, classes)
    return _refuse_shapes(targets, predictions, before, [*before, classes])


def _refuse_shapes(targets: Any, predictions: Any, numbers: list[int], rows: list[int]) -> Any:
    given = {"targets": list(targets.shape), "predictions": list(predictions.shape)}
    if numbers == rows:
        raise UserError(
            _(
                "targets of shape {targets} do not fit predictions of shape {predictions}; "
                "give one 0 or 1 an output: {numbers}"
            ).format(numbers=numbers, **given)
        )
    raise UserError(
        _(
            "targets of shape {targets} do not fit predictions of shape {predictions}; "
            "give class numbers {numbers} or rows {rows}"
        ).format(numbers=numbers, rows=rows, **given)
    )


def _read_rows(targets: Any, classes: int) -> tuple[Any, Form, str]:
    values = tf.cast(targets, tf.float64).numpy()
    if (values < 0).any():
        index = tuple(np.argwhere(values < 0)[0])
        raise UserError(
            _("{value} at {place} of the targets is below 0; a target's row holds shares").format(
                value=f"{values[index]:.6g}", place=[int(i) for i in index]
            )
        )
    wrong = _find_wrong_row(values, targets.dtype)
    if wrong is not None:
        raise UserError(
            _(
                "{row} of the targets sums to {total}, not to 1; "
                "tf.one_hot gives a row of zeros for a class number out of range"
            ).format(row=wrong[0], total=wrong[1])
            if wrong[1] == "0"
            else _("{row} of the targets sums to {total}, not to 1").format(
                row=wrong[0], total=wrong[1]
            )
        )
    hot = bool(((values == 0) | (values == 1)).all())
    rows = tf.reshape(targets, [-1, classes])
    if hot:
        return rows, "one-hot", _("Targets taken as one-hot rows.")
    return rows, "soft", _("Targets taken as soft labels.")


def _read_numbers(targets: Any, classes: int) -> tuple[Any, Form, str]:
    flat = tf.reshape(targets, [-1]).numpy().astype(np.float64)
    bad = (flat != np.floor(flat)) | (flat < 0) | (flat >= classes)
    if bad.any():
        at = int(np.argmax(bad))
        line = _("target {number} is {value}; class numbers of {classes} classes are 0 to {last}")
        line = line.format(number=at, value=f"{flat[at]:.6g}", classes=classes, last=classes - 1)
        if flat.min() == 1 and flat.max() == classes:
            line += _(" (they seem to start at 1: subtract 1)")
        raise UserError(line)
    rows = tf.one_hot(flat.astype(np.int64), classes)
    return rows, "numbers", _("Targets taken as class numbers.")
