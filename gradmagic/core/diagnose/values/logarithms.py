"""Logarithms kept from 0."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.code import list_values
from gradmagic.core.diagnose.losses.calls import resolve
from gradmagic.core.diagnose.values.births import has
from gradmagic.core.diagnose.values.remedies import (
    add,
    find_traced_activation,
    is_half,
    use_log_of_activation,
)

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence

_EPSILON = "1e-7"

# What gives inf in these has no finite slope there: times the 0 that comes back it is NaN.
_STEEP = frozenset(
    {"Exp", "Expm1", "Cosh", "Sinh", "Pow", "RealDiv", "Reciprocal", "Rsqrt", "Log", "Log1p"}
)


def write_log(evidence: Evidence, position: int, value: np.ndarray) -> str:
    """All logarithms on a line kept from 0: of the logits where it is a softmax's, else shifted."""
    line = evidence.ops[position].line
    if (value < 0).any() or is_half(evidence, position) or not evidence.code.stands_alone(line):
        return ""
    if _has_overflowed_before(evidence, position):
        return ""
    step = evidence.code.find_step(line)
    body = None if step is None else getattr(step.node, "value", None)
    if not isinstance(body, ast.expr):
        return ""
    changer = _LogChanger(evidence, line, masked=_are_logits_masked(evidence, position))
    mended = changer.visit(copy.deepcopy(body))
    return evidence.code.replace(line, body, ast.unparse(mended)) if changer.changed else ""


def _has_overflowed_before(evidence: Evidence, position: int) -> bool:
    """Whether the gradient that a logarithm passes back becomes NaN all the same."""
    todo = [*evidence.ops[position].inputs]
    met = set(todo)
    while todo:
        number = todo.pop()
        op = evidence.maker(number)
        if op is None or number not in evidence.dependent:
            continue
        if op.type in _STEEP and has(evidence, number, "inf") is not False:
            return True
        new = set(op.inputs) - met
        met |= new
        todo += new
    return False


def _are_logits_masked(evidence: Evidence, position: int) -> bool:
    """Whether a logarithm's operand is a softmax of -inf: its exact logarithm is -inf too."""
    op = find_traced_activation(evidence, evidence.ops[position].inputs[0])
    return op is not None and has(evidence, op.inputs[0], "inf") is not False


class _LogChanger(ast.NodeTransformer):
    def __init__(self, evidence: Evidence, line: int | None, *, masked: bool) -> None:
        self.evidence = evidence
        self.line = line
        self.masked = masked
        self.changed = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = resolve(node.func, self.evidence.namespace)
        if getattr(function, "__name__", "") != "log" or len(node.args) != 1:
            return node
        module = getattr(function, "__module__", None) or ""
        if not module.startswith(("tensorflow.", "keras.")) or self._is_constant(node.args[0]):
            return node
        self.changed = True
        new = None
        if not self.masked:
            new = use_log_of_activation(self.evidence, self.line, node)
        if new is None:
            node.args[0] = add(node.args[0], _EPSILON)
        return node if new is None else new

    def _is_constant(self, node: ast.expr) -> bool:
        """Whether an expression reads only plain numbers, as ``tf.math.log(2.0)`` does."""
        names = list_values(node) - self.evidence.code.modules
        values = [self.evidence.namespace.get(name) for name in names]
        return all(isinstance(value, (int, float, np.generic)) for value in values)
