"""A loss that is another than it seems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.diagnose.losses.calls import find_loss_call
from gradmagic.core.diagnose.losses.crossentropy import (
    UNCHANGED,
    begin_sentence,
    climb,
    find_activation,
    is_one_hot,
    read_rows,
    say_where,
    write_operand,
)
from gradmagic.core.diagnose.losses.differences import find_broadcasts, find_squares
from gradmagic.core.diagnose.losses.labels import judge_labels
from gradmagic.core.diagnose.losses.mending import (
    write_binary,
    write_from_logits,
    write_from_probabilities,
    write_swapped,
    write_with_logits,
)
from gradmagic.core.diagnose.losses.search import find_crossentropies
from gradmagic.core.diagnose.values.units import find_unit_axis
from gradmagic.core.i18n import _
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.losses.crossentropy import Crossentropy

_SHARE = 1e-3  # by which probabilities may miss 0, 1 and their sum
_LAYERS = frozenset({"MatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Einsum", "Softmax"})
_POSITIVE = frozenset({"Relu", "Softplus", "Exp", "Square", "Abs"})


def find_pitfalls(evidence: Evidence) -> Iterator[Diagnosis]:
    """What is wrong with the losses that the target was computed by, once for each line."""
    seen: set[tuple[str, int | None]] = set()
    for one in _judge_all(evidence):
        if (one.kind, one.line) not in seen:
            seen.add((one.kind, one.line))
            yield one


def _judge_all(evidence: Evidence) -> Iterator[Diagnosis]:
    for loss in find_crossentropies(evidence):
        wrong = _judge_unit(evidence, loss) or _judge_order(evidence, loss)
        if wrong is not None:  # what else is odd about it comes from that
            yield wrong
            continue
        yield from judge_labels(evidence, loss)
        if loss.predictions in evidence.dependent:
            judge = _judge_logits if loss.form == "logits" else _judge_probabilities
            yield from judge(evidence, loss)
    yield from find_broadcasts(evidence)
    yield from find_squares(evidence)


def _judge_unit(evidence: Evidence, loss: Crossentropy) -> Diagnosis | None:
    """``one-unit-crossentropy``: classes, of which there is one."""
    if loss.binary or evidence.shape(loss.predictions)[-1:] != (1,):
        return None
    constant = loss.form == "logits" or loss.scaled is not None or loss.divides
    found = find_activation(evidence, loss)
    constant = constant or (found is not None and found[0] == "Softmax")
    if loss.predictions not in evidence.dependent or not constant:
        return None
    message = _(
        "{predictions} has one column, so {crossentropy} knows a single class, "
        "whose probability is always 1: the loss never changes. "
        "One output takes a binary crossentropy."
    )
    rows = read_rows(evidence, loss.predictions)
    outside = rows is not None and bool(((rows < 0) | (rows > 1)).any())
    fix = write_binary(evidence, loss, logits=loss.form == "probabilities" and outside)
    return _make(evidence, loss, "one-unit-crossentropy", message, fix)


def _judge_order(evidence: Evidence, loss: Crossentropy) -> Diagnosis | None:
    """``arguments-swapped``: labels in the predictions' place."""
    if loss.targets is None or loss.sparse or loss.targets not in evidence.dependent:
        return None
    if loss.predictions in evidence.dependent:
        return None
    rows = read_rows(evidence, loss.predictions)
    both = rows is not None and set(np.unique(rows)) == {0.0, 1.0}
    if not (both if loss.binary else is_one_hot(rows)):
        return None
    message = _(
        "{predictions} holds labels (zeros and ones), but {crossentropy} takes it for the "
        "predictions and {targets} for the targets: the two are swapped."
    )
    return _make(
        evidence, loss, "arguments-swapped", message, write_swapped(evidence, loss), loss.position
    )


def _judge_logits(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """``probabilities-as-logits``: softmax's output where logits are taken."""
    found, wanted = find_activation(evidence, loss), "Sigmoid" if loss.binary else "Softmax"
    columns = evidence.shape(loss.predictions)[-1]
    if found is not None and found[0] == wanted:
        message = _(
            "{predictions} is the output of {activation}, but {crossentropy} "
            "takes logits and applies {function} once more: the loss of a sample cannot fall below "
            "{least:.3g}."
        )
    elif found is None and not loss.binary and _are_shares(evidence, loss.predictions):
        message = _(
            "Each row of {predictions} lies between 0 and 1 and sums to 1, as probabilities do, "
            "but {crossentropy} takes logits and applies {function} to them: "
            "the loss of a sample cannot fall below {least:.3g}."
        )
    else:
        return
    # logits between 0 and 1: at best 1 for the true class and 0 for the others
    least = math.log1p(1 / math.e) if loss.binary else math.log1p(((columns or 2) - 1) / math.e)
    fix = write_from_probabilities(evidence, loss)
    yield _make(
        evidence,
        loss,
        "probabilities-as-logits",
        message,
        fix,
        activation=wanted,
        function=wanted.lower(),
        least=least,
    )


def _judge_probabilities(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """``softmax-then-crossentropy``, or ``logits-as-probabilities``."""
    found = find_activation(evidence, loss)
    if found is None:
        yield from _judge_values(evidence, loss)
        return
    fixed = loss.targets is None or loss.targets not in evidence.dependent
    activation, number = found
    if activation != ("Sigmoid" if loss.binary else "Softmax") or not fixed:
        return
    if loss.clip is None:
        message = _(
            "In {crossentropy} the logarithm of {probabilities}, a {function}, is taken: "
            "where a probability rounds to 0, the loss can become inf and its gradient nan. "
            "A crossentropy that takes the logits is exact."
        )
    else:
        message = _(
            "In {crossentropy} the logarithm of {probabilities}, a {function}, is taken: "
            "where a probability falls below {clip:g}, the loss stays near {most:.1f} and its "
            "gradient goes to 0. A crossentropy that takes the logits is exact."
        )
    yield _make(
        evidence,
        loss,
        "softmax-then-crossentropy",
        message,
        write_with_logits(evidence, loss),
        probabilities=write_operand(evidence, number, _("the predictions")),
        function=activation.lower(),
        clip=loss.clip,
        most=-math.log(loss.clip) if loss.clip else 0.0,
    )


def _judge_values(evidence: Evidence, loss: Crossentropy) -> Iterator[Diagnosis]:
    """``logits-as-probabilities``: values or sums that probabilities do not have."""
    rows = read_rows(evidence, loss.predictions)
    if rows is None or _comes_from_activation(evidence, loss.predictions):
        return
    margin = max(_SHARE, 2 * _find_step(evidence, loss.predictions))
    low, high = float(rows.min()), float(rows.max())
    call = find_loss_call(evidence, evidence.ops[loss.taking].line)
    called = call is not None and call.of_keras
    sums = rows.sum(1)
    if low < -margin or high > 1 + margin:
        if not called and not _is_sure(evidence, loss):
            return
        message = _(
            "{predictions} has values from {low:.3g} to {high:.3g}, but {crossentropy} "
            "takes probabilities, which lie between 0 and 1. "
            "Logits need from_logits=True."
        )
    elif called and not loss.binary and rows.shape[1] > 1 and abs(sums - 1).max() > margin:
        low, high = float(sums.min()), float(sums.max())
        message = _(
            "The rows of {predictions} sum to values from {low:.3g} to {high:.3g}, but "
            "{crossentropy} takes probabilities, which sum to 1. "
            "Logits need from_logits=True."
        )
    else:
        return
    op = evidence.maker(climb(evidence, loss.predictions, UNCHANGED))
    fix = "" if op is not None and op.type in _POSITIVE else write_from_logits(evidence, loss)
    yield _make(evidence, loss, "logits-as-probabilities", message, fix, low=low, high=high)


def _is_sure(evidence: Evidence, loss: Crossentropy) -> bool:
    """Of a sum of targets times logarithms: whether it is a crossentropy of classes, or binary.

    ``rate - counts * log(rate)``, a likelihood of counts, looks like one: there the predictions go
    into the loss by themselves too. ``log(score) - log(sum of scores)`` is a right one of scores,
    and what is above 0 for good, as exp is, may be a rate or a growth.
    """
    rows = read_rows(evidence, loss.predictions)
    if loss.targets is None or loss.targets in evidence.dependent or rows is None:
        return False
    if (loss.scaled is not None or loss.divides) and rows.min() >= 0:
        return False  # scores that are divided by their sums are probabilities
    if loss.binary:
        return True
    leading = set(evidence.leading)
    uses = [p for p in evidence.consumers.get(loss.predictions, ()) if p in leading]
    lines = {evidence.ops[p].type for p in uses} - {"Log", "Maximum", "Minimum", "AddV2", "Sum"}
    if lines - {"RealDiv"} or not is_one_hot(read_rows(evidence, loss.targets)):
        return False
    sums = [evidence.ops[p].outputs[0] for p in uses if evidence.ops[p].type == "Sum"]
    after = {evidence.ops[p].type for n in sums for p in evidence.consumers.get(n, ())}
    return "Log" not in after and (rows.min() <= 0 or _are_scores(evidence, loss.predictions))


def _are_scores(evidence: Evidence, number: int) -> bool:
    """Whether a tensor is a layer's result as it is, or no op's: it can be negative."""
    number = climb(evidence, number, UNCHANGED)
    return evidence.maker(number) is None or find_unit_axis(evidence, number) is not None


def _are_shares(evidence: Evidence, number: int) -> bool:
    """Whether rows are probabilities, which is no accident: several different entries in each."""
    rows = read_rows(evidence, number)
    if rows is None or rows.shape[1] < 2 or rows.size < 3 or rows.min() < 0 or is_one_hot(rows):
        return False
    even = np.allclose(rows, 1 / rows.shape[1])
    margin = max(1e-5, 4 * _find_step(evidence, number))
    return not even and bool(abs(rows.sum(1) - 1).max() <= margin)


def _comes_from_activation(evidence: Evidence, number: int) -> bool:
    """Whether softmax or sigmoid is among what made a tensor since the last layer."""
    todo: list[int] = [number]
    reached: set[int] = set()
    while todo:
        op = evidence.maker(todo.pop())
        if op is None:
            continue
        if op.type in ("Softmax", "Sigmoid"):
            return True
        if op.type not in _LAYERS:
            new = set(op.inputs) - reached
            reached |= new
            todo += new
    return False


def _find_step(evidence: Evidence, number: int) -> float:
    """The distance of 1 to the next number, where the values were ever in a coarse dtype; else 0.

    TensorFlow casts to float32 before some losses.
    """
    steps = {"bfloat16": 2.0**-7, "float16": 2.0**-10}
    step = steps.get(evidence.recorder.seen[number].dtype.name, 0.0)
    op = evidence.maker(number)
    if op is None or op.type not in UNCHANGED or not op.inputs:
        return step
    return max(step, _find_step(evidence, op.inputs[0]))


def _make(
    evidence: Evidence,
    loss: Crossentropy,
    kind: str,
    message: str,
    fix: str,
    position: int | None = None,
    **places: Any,
) -> Diagnosis:
    place = loss.taking if position is None else position
    op = evidence.ops[place]
    if loss.targets is not None:
        places["targets"] = write_operand(evidence, loss.targets, _("the target tensor"))
    text = message.format(
        predictions=write_operand(evidence, loss.predictions, _("the prediction tensor")),
        crossentropy=say_where(_("the crossentropy"), op.line),
        **places,
    )
    return Diagnosis(kind, evidence.target.name, op.line, op.type, begin_sentence(text), fix, place)
