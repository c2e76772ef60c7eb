"""How the cell writes its losses, and how they are written mended."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.diagnose.code import list_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradmagic.core.diagnose.code import CellCode, Step
    from gradmagic.core.diagnose.evidence import Evidence

_KERAS = {  # the functions, and the classes that call them
    "categorical_crossentropy": "categorical_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "sparse_categorical_crossentropy": "sparse_categorical_crossentropy",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "binary_crossentropy": "binary_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
}
_TENSORFLOW = (
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
    "sigmoid_cross_entropy_with_logits",
)
_TARGETS = frozenset({"y_true", "labels", "target"})
_PREDICTIONS = frozenset({"y_pred", "logits", "output"})
_RANDOM = ("random", "dropout")


@dataclass(frozen=True, eq=False)
class LossCall:
    """A call of a loss with its two operands.

    ``options`` is the call that takes ``from_logits``: ``node`` itself, or the one that made the
    loss object; None where that stands in no line of the cell, and for TensorFlow's own functions.
    """

    name: str
    node: ast.Call
    targets: ast.expr
    predictions: ast.expr
    options: ast.Call | None
    of_keras: bool


def find_loss_call(evidence: Evidence, line: int | None) -> LossCall | None:
    """The crossentropy that a line calls; None where it calls none or several."""
    found = [
        call
        for node in evidence.code.find_nodes(line, ast.Call)
        if isinstance(node, ast.Call) and (call := _read_call(evidence, node)) is not None
    ]
    return found[0] if len(found) == 1 else None


def write_call(
    evidence: Evidence,
    line: int | None,
    call: LossCall,
    *,
    targets: ast.expr | None = None,
    predictions: ast.expr | None = None,
    from_logits: bool | None = None,
    name: str | None = None,
) -> str:
    """The statement on a line with the call's operands, ``from_logits`` or function changed.

    Empty where that cannot be written.
    """
    if not evidence.code.stands_alone(line):
        return ""
    new = copy.deepcopy(call.node)
    _set_operand(new, 0, _TARGETS, targets)
    _set_operand(new, 1, _PREDICTIONS, predictions)
    if name is not None and not _rename(new, name):
        return ""
    if from_logits is None:
        return evidence.code.replace(line, call.node, ast.unparse(new))
    if call.options is None or len(call.node.args) > 2:
        return ""
    if call.options is call.node:
        _set_from_logits(new, value=from_logits)
        return evidence.code.replace(line, call.node, ast.unparse(new))
    if call.options is call.node.func:
        assert isinstance(new.func, ast.Call)
        _set_from_logits(new.func, value=from_logits)
        return evidence.code.replace(line, call.node, ast.unparse(new))
    options = copy.deepcopy(call.options)  # the loss object has a name: made anew, then called
    _set_from_logits(options, value=from_logits)
    made = evidence.code.replace(call.options.lineno, call.options, ast.unparse(options))
    called = evidence.code.replace(line, call.node, ast.unparse(new))
    return f"{made}\n{called}" if made and called else ""


def find_call_of(evidence: Evidence, line: int | None, function: str) -> ast.Call | None:
    """The single call on a line of a function of TensorFlow's such as ``"math.log"``."""
    meant: Any = tf
    for part in function.split("."):
        meant = getattr(meant, part)
    found = [
        node
        for node in evidence.code.find_nodes(line, ast.Call)
        if isinstance(node, ast.Call) and resolve(node.func, evidence.namespace) is meant
    ]
    return found[0] if len(found) == 1 and found[0].args else None


def find_product(
    evidence: Evidence, line: int | None
) -> tuple[ast.BinOp, ast.expr, ast.Call] | None:
    """The product on a line of something with ``tf.math.log(...)``: the product and both sides."""
    log = find_call_of(evidence, line, "math.log")
    for node in evidence.code.find_nodes(line, ast.BinOp):
        if log is None or not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        if node.right is log:
            return node, node.left, log
        if node.left is log:
            return node, node.right, log
    return None


def find_activation_call(
    evidence: Evidence, line: int | None, node: ast.expr
) -> tuple[ast.Call, ast.expr] | None:
    """The call of softmax or sigmoid whose output an expression is, and the logits in it.

    Only where the call can be repeated on the line: none of its names is bound anew in between,
    and nothing in it draws random numbers or calls the user's own code.
    """
    call: ast.expr | None = node
    step = evidence.code.find_step(line)
    if isinstance(node, ast.Name):
        made = _find_binding(evidence.code, node.id, step)
        call = made.node.value if made is not None and isinstance(made.node, ast.Assign) else None
        if made is None or call is None or not _stays(evidence, made, step, call):
            return None
    if not isinstance(call, ast.Call) or not call.args:
        return None
    function = resolve(call.func, evidence.namespace)
    if getattr(function, "__name__", "") not in ("softmax", "softmax_v2", "sigmoid"):
        return None
    return call, call.args[0]


def runs_other_code(evidence: Evidence, line: int | None) -> bool:
    """Whether a line calls what is neither TensorFlow's nor in the cell: ops may have run there."""
    for node in evidence.code.find_nodes(line, ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in evidence.code.functions:
            continue
        function = resolve(node.func, evidence.namespace)
        if not _is_library(function) and not _is_library(type(function)):
            return True
    return False


def resolve(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """What a dotted name stands for, through modules alone; None for anything else."""
    if isinstance(node, ast.Name):
        return namespace.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    base = resolve(node.value, namespace)
    return getattr(base, node.attr, None) if isinstance(base, type(ast)) else None


def _read_call(evidence: Evidence, node: ast.Call) -> LossCall | None:
    function = resolve(node.func, evidence.namespace)
    options: ast.Call | None = node
    name = None
    if isinstance(node.func, ast.Call):
        options = node.func
        made = resolve(node.func.func, evidence.namespace)
        name = _name_in_keras(made) if isinstance(made, type) else None
    elif isinstance(function, type) or function is None:
        return None
    elif any(function is getattr(tf.nn, one) for one in _TENSORFLOW):
        name = next(one for one in _TENSORFLOW if function is getattr(tf.nn, one))
        options = None
    elif hasattr(function, "__name__"):
        name = _name_in_keras(function)
    else:  # an object of a Keras class
        name = _name_in_keras(type(function))
        options = _find_making(evidence, node)
    targets = _find_operand(node, 0, _TARGETS)
    predictions = _find_operand(node, 1, _PREDICTIONS)
    if name is None or targets is None or predictions is None:
        return None
    return LossCall(name, node, targets, predictions, options, of_keras=name in _KERAS)


def _name_in_keras(made: Any) -> str | None:
    module = getattr(made, "__module__", None) or ""
    return _KERAS.get(made.__name__) if module.startswith("keras.") else None


def _find_making(evidence: Evidence, node: ast.Call) -> ast.Call | None:
    """The call that made a loss object which has a name of its own in the cell."""
    if not isinstance(node.func, ast.Name):
        return None
    made = _find_binding(evidence.code, node.func.id, evidence.code.find_step(node.lineno))
    value = made.node.value if made is not None and isinstance(made.node, ast.Assign) else None
    return value if isinstance(value, ast.Call) else None


def _find_operand(node: ast.Call, place: int, names: frozenset[str]) -> ast.expr | None:
    if len(node.args) > place:
        operand = node.args[place]
        return None if isinstance(operand, ast.Starred) else operand
    return next((k.value for k in node.keywords if k.arg in names), None)


def _set_operand(node: ast.Call, place: int, names: frozenset[str], new: ast.expr | None) -> None:
    if new is None:
        return
    if len(node.args) > place:
        node.args[place] = new
    for keyword in node.keywords:
        if keyword.arg in names:
            keyword.value = new


def _set_from_logits(node: ast.Call, *, value: bool) -> None:
    node.keywords = [k for k in node.keywords if k.arg != "from_logits"]
    if value:
        node.keywords.append(ast.keyword("from_logits", ast.Constant(value=True)))


def _rename(node: ast.Call, name: str) -> bool:
    """Call another function of the same module, or object of another class of it."""
    function = node.func.func if isinstance(node.func, ast.Call) else node.func
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr[0].isupper():
        name = name.title().replace("_", "")
    function.attr = name
    return True


def _find_binding(code: CellCode, name: str, before: Step | None) -> Step | None:
    """The statement ``name = ...``, where it is the only one that binds the name."""
    writing = [step for step in code.steps if name in step.writes]
    if before is None or len(writing) != 1 or writing[0].node.lineno >= before.node.lineno:
        return None
    node = writing[0].node
    plain = isinstance(node, ast.Assign) and len(node.targets) == 1
    return writing[0] if plain and isinstance(node.targets[0], ast.Name) else None  # type: ignore[attr-defined]


def _stays(evidence: Evidence, made: Step, used: Step | None, value: ast.expr) -> bool:
    """Whether an expression gives the same where it is used as where it was made."""
    if used is None or made.tests != used.tests:
        return False
    inside = [
        [f for f in evidence.code.functions.values() if f.lineno <= s.node.lineno <= _find_end(f)]
        for s in (made, used)
    ]
    if inside[0] != inside[1]:
        return False
    calls = [n for n in ast.walk(value) if isinstance(n, ast.Call)]
    own = any(
        not _is_library(resolve(c.func, evidence.namespace))
        or any(word in ast.unparse(c.func) for word in _RANDOM)
        for c in calls
    )
    between = [
        step
        for step in evidence.code.steps
        if made.node.lineno < step.node.lineno < used.node.lineno
        and not step.writes.isdisjoint(list_values(value))
    ]
    return not own and not between


def _find_end(node: ast.stmt | ast.expr) -> int:
    return node.end_lineno or node.lineno


def _is_library(function: Any) -> bool:
    module = getattr(function, "__module__", None) or ""
    return module.partition(".")[0] in ("tensorflow", "keras", "numpy")
