"""What is wrong with the targets of a crossentropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.diagnose.losses.calls import find_loss_call
from gradmagic.core.diagnose.losses.crossentropy import (
    begin_sentence,
    climb,
    is_one_hot,
    read_rows,
    say_where,
    write_operand,
)
from gradmagic.core.diagnose.losses.mending import (
    write_class_numbers,
    write_from_zero,
    write_one_hot,
)
from gradmagic.core.i18n import _, _n, join_sentences
from gradmagic.core.recorder import EagerTensor
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.losses.crossentropy import Crossentropy

_SUMMED = frozenset({"Neg", "Identity", "Reshape"})


def judge_labels(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """``labels-not-one-hot`` and ``one-hot-off``."""
    if loss.targets is None or loss.targets in evidence.dependent:
        return
    if loss.sparse:
        yield from _judge_indices(evidence, loss)
    elif loss.binary:
        yield from _judge_shares(evidence, loss)
    else:
        yield from _judge_class_numbers(evidence, loss)
        yield from _judge_zero_rows(evidence, loss)


def _judge_indices(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """One-hot rows where class numbers are taken."""
    assert loss.targets is not None
    op = evidence.ops[loss.position]
    if op.type != "GatherV2" or evidence.shape(loss.targets) != evidence.shape(loss.predictions):
        return
    rows = read_rows(evidence, loss.targets)
    if rows is not None and len(rows) > 1 and is_one_hot(rows):
        message = _(
            "{targets} holds one-hot rows, but {op} takes class numbers: "
            "each 0 and each 1 in them picks the probability of class 0 or 1."
        )
        yield _make(evidence, loss, message, write_class_numbers(evidence, loss))


def _judge_shares(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """Class numbers in a binary crossentropy, which takes 0 and 1."""
    assert loss.targets is not None
    shape, rows = evidence.shape(loss.targets), read_rows(evidence, loss.targets)
    if rows is None or (len(shape) > 1 and shape[-1] != 1) or not _is_whole(rows):
        return
    # a likelihood of counts, k log p + (n - k) log(1 - p), has these too, but not in such a call
    call = find_loss_call(evidence, evidence.ops[loss.position].line)
    if loss.form == "probabilities" and (call is None or not call.of_keras):
        return
    if rows.max() >= 2:
        message = _(
            "{targets} holds whole numbers up to {high}, but {crossentropy}, a binary one, "
            "takes targets between 0 and 1."
        )
        yield _make(evidence, loss, message, "", high=int(rows.max()))


def _judge_class_numbers(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """Class numbers that were broadcast to all classes."""
    assert loss.targets is not None
    targets, scores = evidence.shape(loss.targets), evidence.shape(loss.predictions)
    rows = read_rows(evidence, loss.targets)
    if len(scores) != 2 or rows is None or rows.size < 2 or (scores[1] or 0) < 2:
        return
    per_row = targets == (scores[0], 1)
    per_column = scores[0] == scores[1] and targets in (scores[1:], (1, scores[1]))
    if not (per_row or per_column) or not _is_whole(rows) or not 2 <= rows.max() <= scores[1]:
        return
    fused = evidence.ops[loss.position].type == "SoftmaxCrossEntropyWithLogits"
    if len(np.unique(rows)) > 1 and (fused or _is_summed(evidence, loss.position)):
        message = _(
            "{targets} holds class numbers up to {high}, but {crossentropy} "
            "takes a one-hot row for each sample: broadcast to {classes} classes, the numbers "
            "multiply the log-probabilities of other classes too."
        )
        fix = write_one_hot(evidence, loss)
        yield _make(evidence, loss, message, fix, high=int(rows.max()), classes=scores[1])


def _is_whole(rows: np.ndarray) -> bool:
    return bool((rows >= 0).all() and (rows == np.round(rows)).all())


def _is_summed(evidence: Evidence, position: int) -> bool:
    """Whether a product is summed next, and not multiplied by targets yet: it held no weights."""
    number = evidence.ops[position].outputs[0]
    while True:
        after = [evidence.ops[p] for p in evidence.consumers.get(number, ())]
        if len(after) != 1:
            return False
        if after[0].type in ("Sum", "Mean"):
            return True
        scalar = after[0].type == "Mul" and any(evidence.shape(n) == () for n in after[0].inputs)
        if after[0].type not in _SUMMED and not scalar:
            return False
        number = after[0].outputs[0]


def _judge_zero_rows(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """Rows without a 1 among one-hot rows: of labels that are no class."""
    assert loss.targets is not None
    rows = read_rows(evidence, loss.targets)
    scores = evidence.shape(loss.predictions)
    if rows is None or rows.shape[1] < 2 or not scores or rows.shape[1] != scores[-1]:
        return
    empty = rows.sum(1) == 0
    if not empty.any() or not ((rows == 0) | (rows == 1)).all() or (rows.sum(1) > 1).any():
        return
    if _are_left_out(evidence, loss, empty):
        return
    number = climb(evidence, loss.targets)
    op = evidence.maker(number)
    if op is not None and op.type == "OneHot":
        yield from _explain_one_hot(evidence, number, op.inputs[0])
    elif op is None and not empty.all():
        yield from _explain_zero_rows(evidence, loss, rows)


def _are_left_out(evidence: Evidence, loss: Crossentropy, empty: np.ndarray) -> bool:
    """Whether the target takes the losses of all rows but the empty ones: these are padding."""
    slope = evidence.gradient(evidence.ops[loss.position].outputs[0])
    if slope is None or slope.size % len(empty):
        return False
    taken = slope.reshape(len(empty), -1).any(axis=1)
    return bool((taken != empty).all())


def _explain_one_hot(evidence: Evidence, number: int, indices: int) -> Iterator[Diagnosis]:
    """The call of tf.one_hot is in the cell: its labels and depth are known."""
    position, labels = evidence.makers[number], evidence.value(indices)
    op = evidence.ops[position]
    depth = evidence.value(op.inputs[1])
    if labels is None or depth is None:
        return
    outside = labels[(labels < 0) | (labels >= depth)]
    if not outside.size:
        return
    message = _n(
        "{op} has depth {depth}, so labels must lie between 0 and {last}: "
        "{count} label is {label} and gives a row of zeros, which adds nothing to the loss.",
        "{op} has depth {depth}, so labels must lie between 0 and {last}: "
        "{count} labels (the smallest is {label}) give rows of zeros, which add nothing "
        "to the loss.",
        outside.size,
    ).format(
        op=say_where(op.type, op.line),
        depth=int(depth),
        last=int(depth) - 1,
        count=outside.size,
        label=int(outside.min()),
    )
    from_one = labels.min() >= 1 and labels.max() == depth
    fix = write_from_zero(evidence, position) if from_one else ""
    name = evidence.target.name
    yield Diagnosis("one-hot-off", name, op.line, op.type, message, fix, position)


def _explain_zero_rows(
    evidence: Evidence, loss: Crossentropy, rows: np.ndarray
) -> Iterator[Diagnosis]:
    """The rows were made before the cell: the labels are looked for among the notebook's names."""
    found = [
        (name, labels, outside)
        for name, value in evidence.namespace.items()
        if not name.startswith("_")
        and (labels := _read_labels(value, len(rows))) is not None
        and (outside := _match(labels, rows)) is not None
    ]
    if any(not outside.size for _name, _labels, outside in found):
        return  # all labels are classes: the rows were masked
    count = int((rows.sum(1) == 0).sum())
    message = _n(
        "{count} of the {rows} rows of {targets} is all zeros, so it adds nothing to "
        "{crossentropy}.",
        "{count} of the {rows} rows of {targets} are all zeros, so they add nothing to "
        "{crossentropy}.",
        count,
    )
    known = {}
    if found:
        name, _labels, outside = found[0]
        known = {"labels": name, "label": int(outside.min())}
        cause = _(
            "{labels} has labels outside 0 to {last}, such as {label}, and tf.one_hot gives "
            "zeros for these."
        )
    else:
        cause = _("tf.one_hot gives such a row for a label outside 0 to {last}.")
    message = join_sentences([message, cause])
    yield _make(
        evidence,
        loss,
        message,
        "",
        kind="one-hot-off",
        count=count,
        rows=len(rows),
        last=rows.shape[1] - 1,
        **known,
    )


def _read_labels(value: Any, count: int) -> np.ndarray | None:
    """Whole numbers [count] that a name of the notebook's holds."""
    if isinstance(value, list) and len(value) == count and all(type(v) is int for v in value):
        return np.asarray(value)
    held = type(value) in (np.ndarray, EagerTensor)
    if not held or tuple(value.shape) != (count,):
        return None
    labels = np.asarray(value)
    return labels if labels.dtype.kind in "iu" else None


def _match(labels: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """The labels that are no class, where each other one is that of its row; else None."""
    inside = (labels >= 0) & (labels < rows.shape[1])
    classes, given = rows.argmax(1), rows.sum(1) == 1
    if (given & ~inside).any() or (classes[given] != labels[given]).any():
        return None
    return labels[~inside]


def _make(
    evidence: Evidence,
    loss: Crossentropy,
    message: str,
    fix: str,
    *,
    kind: str = "labels-not-one-hot",
    **places: Any,
) -> Diagnosis:
    assert loss.targets is not None
    op = evidence.ops[loss.position]
    text = message.format(
        targets=write_operand(evidence, loss.targets, _("the target tensor")),
        op=say_where(op.type, op.line),
        crossentropy=say_where(_("the crossentropy"), op.line),
        **places,
    )
    text = begin_sentence(text)
    return Diagnosis(kind, evidence.target.name, op.line, op.type, text, fix, loss.position)
