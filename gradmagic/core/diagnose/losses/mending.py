"""Statements with a loss as they would work: what the diagnoses of losses tell to type."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gradmagic.core.diagnose.code import find_base
from gradmagic.core.diagnose.losses.calls import (
    find_activation_call,
    find_call_of,
    find_loss_call,
    find_product,
    write_call,
)
from gradmagic.core.diagnose.losses.crossentropy import UNCHANGED, climb

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.losses.calls import LossCall
    from gradmagic.core.diagnose.losses.crossentropy import Crossentropy

_BINARY = {
    "categorical_crossentropy": "binary_crossentropy",
    "sparse_categorical_crossentropy": "binary_crossentropy",
    "softmax_cross_entropy_with_logits": "sigmoid_cross_entropy_with_logits",
}


def write_with_logits(evidence: Evidence, loss: Crossentropy) -> str:
    """A loss of softmax's (or sigmoid's) output as a loss of the logits."""
    line = evidence.ops[loss.taking].line
    call = _find_call(evidence, loss.taking, loss.predictions)
    if call is None:
        return _write_log_softmax(evidence, line)
    given = call.predictions
    if not call.of_keras and isinstance(given, ast.Call):  # a loss op of tf.math.log(p)
        given = given.args[0] if given is find_call_of(evidence, line, "math.log") else given
    found = find_activation_call(evidence, line, given)
    if found is None:
        return ""
    return write_call(
        evidence, line, call, predictions=found[1], from_logits=True if call.of_keras else None
    )


def write_from_logits(evidence: Evidence, loss: Crossentropy) -> str:
    """A loss that was given logits for probabilities, told so."""
    line = evidence.ops[loss.taking].line
    call = _find_call(evidence, loss.taking, loss.predictions)
    if call is not None:
        return write_call(evidence, line, call, from_logits=True) if call.of_keras else ""
    log = find_call_of(evidence, line, "math.log")
    root = _find_root(log)
    if log is None or root is None or loss.binary or not isinstance(log.args[0], ast.Name):
        return ""
    whole = evidence.ops[loss.taking].inputs[0] == loss.predictions  # neither clipped nor scaled
    if not whole or not evidence.code.stands_alone(line):
        return ""
    return evidence.code.replace(line, log, f"{root}.nn.log_softmax({log.args[0].id})")


def write_from_probabilities(evidence: Evidence, loss: Crossentropy) -> str:
    """A loss that applies softmax again: of the logits, where these are seen; else as it is."""
    line = evidence.ops[loss.taking].line
    call = _find_call(evidence, loss.taking, loss.predictions)
    if call is None:
        return ""
    found = find_activation_call(evidence, line, call.predictions)
    if found is not None:
        return write_call(evidence, line, call, predictions=found[1])
    return write_call(evidence, line, call, from_logits=False)


def write_binary(evidence: Evidence, loss: Crossentropy, *, logits: bool) -> str:
    """A loss of one output as a binary one; ``logits``: it was given logits for probabilities."""
    line = evidence.ops[loss.taking].line
    call = _find_call(evidence, loss.taking, loss.predictions)
    name = None if call is None else _BINARY.get(call.name)
    if call is None or name is None:
        return ""
    given = None if loss.targets is None else evidence.shape(climb(evidence, loss.targets))
    if loss.sparse and given != evidence.shape(loss.predictions) and call.options is call.node:
        return ""  # (the function wants both of one shape, the class does not)
    predictions = None
    if loss.form == "probabilities" and _is_softmax(evidence, loss):
        found = find_activation_call(evidence, line, call.predictions)
        if found is None:
            return ""
        predictions, logits = found[1], True
    from_logits = True if logits and call.of_keras else None
    return write_call(
        evidence, line, call, predictions=predictions, from_logits=from_logits, name=name
    )


def write_swapped(evidence: Evidence, loss: Crossentropy) -> str:
    """A loss with its two operands exchanged."""
    line = evidence.ops[loss.position].line
    call = _find_call(evidence, loss.position, loss.predictions)
    if call is not None:
        return write_call(evidence, line, call, targets=call.predictions, predictions=call.targets)
    product = find_product(evidence, line)
    if product is None or not evidence.code.stands_alone(line):
        return ""
    whole, other, log = product
    if not isinstance(log.args[0], ast.Name) or not isinstance(other, ast.Name):
        return ""
    new = f"{log.args[0].id} * {ast.unparse(log.func)}({other.id})"
    return evidence.code.replace(line, whole, new)


def write_one_hot(evidence: Evidence, loss: Crossentropy) -> str:
    """A loss with one-hot rows in place of the class numbers that it was given."""
    assert loss.targets is not None
    line, root = evidence.ops[loss.position].line, name_tensorflow(evidence)
    call = _find_call(evidence, loss.position, loss.predictions)
    product = find_product(evidence, line)
    reshaped = evidence.maker(loss.targets) if call is not None else None  # by the loss itself
    shape = evidence.shape(reshaped.inputs[0] if reshaped is not None else loss.targets)
    seen = evidence.recorder.seen[loss.predictions]
    old = call.targets if call is not None else product[1] if product is not None else None
    if root is None or old is None or not evidence.code.stands_alone(line):
        return ""
    if isinstance(old, ast.UnaryOp):
        old = old.operand
    column = "[:, 0]" if len(shape) == 2 and shape[1] == 1 else ""
    dtype = "" if seen.dtype == tf.float32 else f", dtype={root}.{seen.dtype.name}"
    numbers = f"{root}.cast({ast.unparse(old)}, {root}.int32){column}"
    return evidence.code.replace(line, old, f"{root}.one_hot({numbers}, {seen.shape[-1]}{dtype})")


def write_class_numbers(evidence: Evidence, loss: Crossentropy) -> str:
    """``tf.gather`` with class numbers in place of the one-hot rows that it was given."""
    line = evidence.ops[loss.position].line
    call, root = find_call_of(evidence, line, "gather"), name_tensorflow(evidence)
    if call is None or root is None or len(call.args) < 2 or not evidence.code.stands_alone(line):
        return ""
    return evidence.code.replace(
        line, call.args[1], f"{root}.argmax({ast.unparse(call.args[1])}, -1)"
    )


def write_from_zero(evidence: Evidence, position: int) -> str:
    """``tf.one_hot`` of labels that count from 1, less 1."""
    line = evidence.ops[position].line
    call = find_call_of(evidence, line, "one_hot")
    if call is None or not evidence.code.stands_alone(line):
        return ""
    labels, root = ast.unparse(call.args[0]), name_tensorflow(evidence)
    held = evidence.namespace.get(labels)
    if not isinstance(held, (tf.Tensor, np.ndarray)):  # a list knows no minus
        labels = f"{root}.convert_to_tensor({labels})"
    return evidence.code.replace(line, call.args[0], f"{labels} - 1") if root else ""


def _find_call(evidence: Evidence, position: int, predictions: int) -> LossCall | None:
    """The call on an op's line, unless what it is given has the name of another tensor."""
    call = find_loss_call(evidence, evidence.ops[position].line)
    names = {evidence.names.get(predictions)}
    while (op := evidence.maker(predictions)) is not None and op.type in UNCHANGED and op.inputs:
        predictions = op.inputs[0]
        names.add(evidence.names.get(predictions))
    names.discard(None)
    if call is None or not names or not isinstance(call.predictions, ast.Name):
        return call
    # (in a function the tensor goes by another name)
    own = call.predictions.id in evidence.names.values()
    return None if own and call.predictions.id not in names else call


def name_tensorflow(evidence: Evidence) -> str | None:
    """The name that the notebook has TensorFlow under; None where it has none."""
    return next((name for name, value in evidence.namespace.items() if value is tf), None)


def _write_log_softmax(evidence: Evidence, line: int | None) -> str:
    """``tf.math.log(p)`` or ``tf.math.log(p[0, 1])`` with log_softmax of the logits."""
    log = find_call_of(evidence, line, "math.log")
    root = _find_root(log)
    if log is None or root is None or not evidence.code.stands_alone(line):
        return ""
    operand = log.args[0]
    inner, picked = operand, False
    while True:
        if isinstance(inner, ast.Subscript):
            inner, picked = inner.value, True
        elif inner is find_call_of(evidence, line, "gather"):
            assert isinstance(inner, ast.Call)
            inner, picked = inner.args[0], True
        elif isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add) and not picked:
            inner = inner.left  # p + 1e-7
        elif isinstance(inner, ast.Call) and inner is _find_clip(evidence, line) and not picked:
            inner = inner.args[0]
        else:
            break
    found = find_activation_call(evidence, line, inner)
    if found is None or "softmax" not in ast.unparse(found[0].func):
        return ""
    new = copy.deepcopy(found[0])
    new.func = ast.parse(f"{root}.nn.log_softmax", mode="eval").body
    if not picked:
        return evidence.code.replace(line, log, ast.unparse(new))
    changed = _Putter(inner, new).visit(copy.deepcopy(operand))
    return evidence.code.replace(line, log, ast.unparse(changed))


class _Putter(ast.NodeTransformer):
    """Puts an expression in the place of another, in a copy of what holds it."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.place = self._locate(old)
        self.new = new

    def _locate(self, node: ast.AST) -> list[int | None]:
        names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
        return [getattr(node, name, None) for name in names]

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if self._locate(node) == self.place else self.generic_visit(node)


def _find_clip(evidence: Evidence, line: int | None) -> ast.Call | None:
    found = (find_call_of(evidence, line, name) for name in ("clip_by_value", "maximum"))
    return next((call for call in found if call is not None), None)


def _find_root(log: ast.Call | None) -> str | None:
    """``tf`` of ``tf.math.log(...)``."""
    root = None if log is None else find_base(log.func)
    return root if log is not None and ast.unparse(log.func) == f"{root}.math.log" else None


def _is_softmax(evidence: Evidence, loss: Crossentropy) -> bool:
    op = evidence.maker(climb(evidence, loss.predictions, UNCHANGED))
    return op is not None and op.type == "Softmax"
