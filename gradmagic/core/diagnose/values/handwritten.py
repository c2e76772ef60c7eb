"""Softmax, softplus, sigmoid and logsumexp written by hand: TensorFlow has stable ones."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.losses.calls import find_call_of
from gradmagic.core.diagnose.values.remedies import find_tensorflow, is_called

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence


def write_exponential(evidence: Evidence, position: int) -> str:
    """Softmax, softplus, sigmoid or logsumexp written by hand, as TensorFlow's own stable one."""
    line, base = evidence.ops[position].line, find_tensorflow(evidence)
    if not base or not evidence.code.stands_alone(line):
        return ""
    for node in evidence.code.find_nodes(line, ast.expr):
        new = _write_stable(evidence, node, base)
        if new is not None:
            return evidence.code.replace(line, node, new)
    return _write_shifted(evidence, position, base)


def _write_stable(evidence: Evidence, node: ast.expr, base: str) -> str | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _write_quotient(evidence, node, base)
    if is_called(evidence, node, "log1p"):
        inner = _find_argument(evidence, _get_first(node), "exp")
        return None if inner is None else f"{base}.nn.softplus({ast.unparse(inner)})"
    if not is_called(evidence, node, "log"):
        return None
    total = _get_first(node)
    inner = _find_argument(evidence, _without_one(total), "exp")
    if inner is not None:
        return f"{base}.nn.softplus({ast.unparse(inner)})"
    if not is_called(evidence, total, "reduce_sum"):
        return None
    assert isinstance(total, ast.Call)
    inner = _find_argument(evidence, _get_first(total), "exp")
    return None if inner is None else f"{base}.reduce_logsumexp({_write_arguments(inner, total)})"


def _write_quotient(evidence: Evidence, node: ast.BinOp, base: str) -> str | None:
    """1 / (1 + exp(-x)), and exp(x) / sum(exp(x)) over the last axis."""
    inner = _find_argument(evidence, _without_one(node.right), "exp")
    if _is_one(node.left) and isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
        return f"{base}.sigmoid({ast.unparse(inner.operand)})"
    inner = _find_argument(evidence, node.left, "exp")
    if inner is None or not is_called(evidence, node.right, "reduce_sum"):
        return None
    assert isinstance(node.right, ast.Call)
    same = ast.unparse(_get_first(node.right) or node) == ast.unparse(node.left)
    options = {k.arg: ast.unparse(k.value) for k in node.right.keywords}
    last = options == {"axis": "-1", "keepdims": "True"}
    held = evidence.namespace.get(ast.unparse(inner))
    vector = not options and len(node.right.args) == 1 and getattr(held, "ndim", 0) == 1
    return f"{base}.nn.softmax({ast.unparse(inner)})" if same and (last or vector) else None


def _write_shifted(evidence: Evidence, position: int, base: str) -> str:
    """``e = tf.exp(z)`` with z shifted, where e is only used as e / sum(e)."""
    op = evidence.ops[position]
    uses = [evidence.ops[p] for p in evidence.consumers.get(op.outputs[0], ())]
    sums = [use for use in uses if use.type == "Sum"]
    divisions = [use for use in uses if use.type == "RealDiv" and use.inputs[0] == op.outputs[0]]
    if len(uses) != 2 or len(sums) != 1 or len(divisions) != 1:
        return ""
    if divisions[0].inputs[1] != sums[0].outputs[0]:
        return ""
    axes, rank = evidence.value(sums[0].inputs[1]), len(evidence.shape(op.outputs[0]))
    if axes is None or {int(axis) % rank for axis in axes.reshape(-1)} != {rank - 1}:
        return ""
    call = find_call_of(evidence, op.line, "exp")
    if call is None or len(call.args) != 1:
        return ""
    text = ast.unparse(call.args[0])
    peak = f"{base}.reduce_max({text}, axis=-1, keepdims=True)"
    return evidence.code.replace(op.line, call.args[0], f"({text}) - {peak}")


def _find_argument(evidence: Evidence, node: ast.AST | None, name: str) -> ast.expr | None:
    """The argument of a call of a function of one."""
    if not is_called(evidence, node, name):
        return None
    assert isinstance(node, ast.Call)
    return node.args[0] if len(node.args) == 1 and not node.keywords else None


def _get_first(node: ast.AST | None) -> ast.expr | None:
    return node.args[0] if isinstance(node, ast.Call) and node.args else None


def _without_one(node: ast.AST | None) -> ast.expr | None:
    """``x`` of ``1 + x``."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    if _is_one(node.left):
        return node.right
    return node.left if _is_one(node.right) else None


def _is_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def _write_arguments(first: ast.expr, call: ast.Call) -> str:
    """A call's arguments with another first one."""
    rest = [ast.unparse(argument) for argument in call.args[1:]]
    rest += [f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in call.keywords]
    return ", ".join([ast.unparse(first), *rest])
