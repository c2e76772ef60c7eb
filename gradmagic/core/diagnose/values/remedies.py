"""Code to type instead, where a number is flat, infinite or NaN."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

import tensorflow as tf

from gradmagic.core.diagnose.code import find_base, list_values
from gradmagic.core.diagnose.losses.calls import (
    find_activation_call,
    find_call_of,
    find_loss_call,
    resolve,
    write_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Op

SQRT_EPSILON = "1e-12"

# How a cell writes the ops that are not defined, or not finite, everywhere.
CALLS = {
    "Sqrt": "sqrt", "Rsqrt": "math.rsqrt", "Log": "math.log", "Log1p": "math.log1p", "Exp": "exp",
    "Reciprocal": "math.reciprocal", "Acos": "acos", "Asin": "asin",
}  # fmt: skip
_BOUNDED = ("Acos", "Asin")  # at 1 their slope is infinite
_TRACED = frozenset({"Identity", "Reshape", "RealDiv", "Minimum", "Maximum", "Cast"})


def write_from_logits(evidence: Evidence, line: int | None, number: int) -> str:
    """The loss computed from the logits of a clipped tensor; empty where that cannot be written."""
    if not evidence.code.stands_alone(line):
        return ""
    loss = find_loss_call(evidence, line)
    if loss is None:
        return _write_log_of_activation(evidence, line)
    if not loss.of_keras:
        return ""
    activation = find_activation_call(evidence, line, loss.predictions)
    if activation is not None:
        return write_call(evidence, line, loss, predictions=activation[1], from_logits=True)
    if _comes_from_activation(evidence, number):
        return ""
    value = evidence.value(number)
    are_logits = value is not None and bool(((value < 0) | (value > 1)).any())
    return write_call(evidence, line, loss, from_logits=True) if are_logits else ""


def _comes_from_activation(evidence: Evidence, number: int) -> bool:
    return find_traced_activation(evidence, number) is not None


def find_traced_activation(evidence: Evidence, number: int) -> Op | None:
    """The softmax or sigmoid that a tensor is, perhaps clipped; else None."""
    while (op := evidence.maker(number)) is not None and op.type in _TRACED:
        number = op.inputs[0]
    return op if op is not None and op.type in ("Softmax", "Sigmoid") else None


def _write_log_of_activation(evidence: Evidence, line: int | None) -> str:
    """``tf.math.log(...)`` of a softmax or sigmoid, clipped or not, as one stable function."""
    log = find_call_of(evidence, line, "math.log")
    if log is None:
        return ""
    new = use_log_of_activation(evidence, line, log)
    return "" if new is None else evidence.code.replace(line, log, ast.unparse(new))


def use_log_of_activation(evidence: Evidence, line: int | None, log: ast.Call) -> ast.expr | None:
    """The stable function for the logarithm of a softmax or sigmoid; None for any other."""
    inner = log.args[0]
    base = find_base(log.func)
    function = resolve(inner.func, evidence.namespace) if isinstance(inner, ast.Call) else None
    if getattr(function, "__name__", "") in ("clip_by_value", "maximum", "minimum"):
        assert isinstance(inner, ast.Call)
        operands = [a for a in inner.args if not isinstance(a, ast.Constant)]
        inner = operands[0] if len(operands) == 1 else log
    activation = find_activation_call(evidence, line, inner)
    if activation is None or base is None:
        return None
    call, logits = activation
    name = getattr(resolve(call.func, evidence.namespace), "__name__", "")
    if len(call.args) + len(call.keywords) != 1:  # (of another axis)
        return None
    stable = "math.log_sigmoid" if name == "sigmoid" else "nn.log_softmax"
    return _parse(f"{base}.{stable}({ast.unparse(logits)})")


def replace_call(
    evidence: Evidence,
    line: int | None,
    function: str,
    change: Callable[[ast.Call], ast.expr | None],
) -> str:
    """The statement on a line with its one call of ``tf.<function>`` changed."""
    call = find_call_of(evidence, line, function)
    if call is None or not evidence.code.stands_alone(line):
        return ""
    new = change(copy.deepcopy(call))
    return "" if new is None else evidence.code.replace(line, call, ast.unparse(new))


def write_root(evidence: Evidence, position: int, value: np.ndarray) -> str:
    """A square root, or norm, kept from 0."""
    line = evidence.ops[position].line
    if (value < 0).any() or is_half(evidence, position) or not evidence.code.stands_alone(line):
        return ""
    root = find_call_of(evidence, line, "sqrt")
    if root is not None and len(root.args) == 1:
        return evidence.code.replace(line, root.args[0], ast.unparse(add(root.args[0])))
    norm = find_call_of(evidence, line, "norm")
    if norm is not None:
        return _write_norm(evidence, line, norm)
    powers = [
        node
        for node in evidence.code.find_nodes(line, ast.BinOp)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Pow)
        and ast.unparse(node.right) in ("0.5", "1 / 2", ".5")
    ]
    if len(powers) != 1:
        return ""
    return evidence.code.replace(line, powers[0].left, ast.unparse(add(powers[0].left)))


def _write_norm(evidence: Evidence, line: int | None, norm: ast.Call) -> str:
    base = find_base(norm.func)
    if base is None or len(norm.args) != 1:
        return ""
    if any(keyword.arg not in ("axis", "keepdims") for keyword in norm.keywords):
        return ""
    options = "".join(f", {k.arg}={ast.unparse(k.value)}" for k in norm.keywords)
    squares = f"{base}.square({ast.unparse(norm.args[0])})"
    new = f"{base}.sqrt({base}.reduce_sum({squares}{options}) + {SQRT_EPSILON})"
    return evidence.code.replace(line, norm, new)


def write_division(evidence: Evidence, position: int) -> str:
    """``x / y`` as a division that gives 0 where y is 0; of x by its norm, as TensorFlow's own."""
    line = evidence.ops[position].line
    division = _find_division(evidence, line)
    base = find_tensorflow(evidence)
    if division is None or not base or not evidence.code.stands_alone(line):
        return ""
    left, right = ast.unparse(division.left), division.right
    if isinstance(right, ast.Call) and is_called(evidence, right, "norm"):
        axes = [k for k in right.keywords if k.arg == "axis"]
        if len(right.args) != 1 or ast.unparse(right.args[0]) != left:
            return ""
        if any(k.arg not in ("axis", "keepdims") for k in right.keywords):
            return ""
        axis = f", axis={ast.unparse(axes[0].value)}" if axes else ""
        return evidence.code.replace(line, division, f"{base}.math.l2_normalize({left}{axis})")
    if isinstance(division.left, ast.Constant):
        if evidence.recorder.seen[evidence.ops[position].inputs[1]].dtype != tf.float32:
            return ""
        left = f"{base}.constant({float(ast.literal_eval(division.left))})"
    new = f"{base}.math.divide_no_nan({left}, {ast.unparse(right)})"
    return evidence.code.replace(line, division, new)


def write_double_where(
    evidence: Evidence, position: int, where: int, *, branch: int, slot: int = 0
) -> str:
    """The op on what ``tf.where`` lets through, and on 1 elsewhere.

    Parameters
    ----------
    evidence
        The run.
    position, where
        The op that is not finite, and the SelectV2 after it.
    branch
        1 or 2: the input of the SelectV2 that the op leads to.
    slot
        The operand of the op that must change.
    """
    op, line = evidence.ops[position], evidence.ops[position].line
    call = find_call_of(evidence, evidence.ops[where].line, "where")
    operand = _find_operand(evidence, position, slot)
    if call is None or operand is None or len(call.args) != 3:
        return ""
    if not evidence.code.stands_alone(line):
        return ""
    if line != evidence.ops[where].line and not _holds_before(evidence, call, line):
        return ""
    condition, text = ast.unparse(call.args[0]), ast.unparse(operand)
    function, safe = ast.unparse(call.func), "0.5" if op.type in _BOUNDED else "1.0"
    chosen = f"{text}, {safe}" if branch == 1 else f"{safe}, {text}"
    return evidence.code.replace(line, operand, f"{function}({condition}, {chosen})")


def _find_operand(evidence: Evidence, position: int, slot: int) -> ast.expr | None:
    """The expression on the op's line that is its operand."""
    op = evidence.ops[position]
    if op.type == "RealDiv":
        division = _find_division(evidence, op.line)
        if division is None:
            return None
        return division.right if slot == 1 else division.left
    call = find_call_of(evidence, op.line, CALLS[op.type]) if op.type in CALLS else None
    return None if call is None or len(call.args) != 1 else call.args[0]


def _holds_before(evidence: Evidence, call: ast.Call, line: int | None) -> bool:
    """Whether the condition of a later tf.where is known, and the same, on an earlier line."""
    names = list_values(call.args[0]) - evidence.code.modules
    written = [s.node.lineno for s in evidence.code.steps if not s.writes.isdisjoint(names)]
    return line is not None and all(one < line for one in written)


def is_half(evidence: Evidence, position: int) -> bool:
    """Whether the dtype is too coarse for the epsilons."""
    return bool(evidence.recorder.seen[evidence.ops[position].outputs[0]].dtype == tf.float16)


def find_tensorflow(evidence: Evidence) -> str:
    """The name by which the cell calls TensorFlow; empty where there is none."""
    return next((n for n, value in evidence.namespace.items() if value is tf), "")


def _find_division(evidence: Evidence, line: int | None) -> ast.BinOp | None:
    found = [
        node
        for node in evidence.code.find_nodes(line, ast.BinOp)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ]
    return found[0] if len(found) == 1 else None


def is_called(evidence: Evidence, node: ast.AST | None, name: str) -> bool:
    """Whether it is a call of TensorFlow's function of this name."""
    if not isinstance(node, ast.Call):
        return False
    function = resolve(node.func, evidence.namespace)
    module = getattr(function, "__module__", None) or ""
    return module.startswith("tensorflow.") and name in (
        getattr(function, "__name__", ""),
        node.func.attr if isinstance(node.func, ast.Attribute) else "",
    )


def add(node: ast.expr, epsilon: str = SQRT_EPSILON) -> ast.expr:
    """An expression plus a small number."""
    return ast.BinOp(node, ast.Add(), _parse(epsilon))


def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
