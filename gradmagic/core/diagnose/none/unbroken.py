"""Statements of the cell as they would let the gradient through."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import tensorflow as tf

from gradmagic.core.diagnose.code import find_base
from gradmagic.core.recorder import identify
from gradmagic.core.sources import list_held

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradmagic.core.diagnose.code import CellCode, Step
    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Op

ROUNDING = {  # rounding: the value may be passed on while the gradient goes past it
    "Round": "round",
    "Rint": "rint",
    "Floor": "floor",
    "Ceil": "ceil",
}
_COMPARISONS = ("Greater", "GreaterEqual", "Less", "LessEqual")
_ASSIGN = {
    "AssignVariableOp": ("assign", None),
    "AssignAddVariableOp": ("assign_add", "+"),
    "AssignSubVariableOp": ("assign_sub", "-"),
}


def write_unpassed(evidence: Evidence, op: Op) -> str:
    """The statement without its ``tf.stop_gradient``."""
    call = _find_call(evidence, op.line, {"stop_gradient"})
    if call is None:
        return ""
    named = [one.value for one in call.keywords if one.arg in ("input", "variable")]  # (TF, Keras)
    given = [*call.args, *named][:1]
    if not given or isinstance(given[0], ast.Starred):
        return ""
    return evidence.code.replace(op.line, call, ast.unparse(given[0]))


def write_unassigned(evidence: Evidence, op: Op) -> str:
    """``v.assign_add(w)`` as ``v = v + w``, which the tape follows."""
    code, step = evidence.code, evidence.code.find_step(op.line)
    if op.type not in _ASSIGN or step is None:
        return ""
    method, sign = _ASSIGN[op.type]
    call = _find_call(evidence, op.line, {method})
    if call is not None and isinstance(call.func, ast.Attribute) and call.args:
        variable, given = call.func.value, call.args[0]
        alone = isinstance(step.node, ast.Expr) and step.node.value is call
        if not alone or not code.write_line(op.line) or isinstance(given, ast.Starred):
            return ""
        if not isinstance(variable, ast.Name) or not _may_bind(code, step, variable.id):
            return ""
        shared = _list_names(evidence, op.inputs[0]) - {variable.id}
        if shared or _needs_variable(code, step, {variable.id}):
            return ""
        value = ast.unparse(given)
        if sign is None:
            return f"{variable.id} = tf.convert_to_tensor({value})"
        bracketed = value if isinstance(given, (ast.Name, ast.Call)) else f"({value})"
        return f"{variable.id} = {variable.id} {sign} {bracketed}"
    made = _find_call(evidence, op.line, {"Variable"})
    names = step.writes | _list_names(evidence, op.inputs[0])
    if made is None or not made.args or _needs_variable(code, step, names):
        return ""
    return code.replace(op.line, made, f"tf.convert_to_tensor({ast.unparse(made.args[0])})")


def _list_names(evidence: Evidence, handle: int) -> set[str]:
    """The names by which a Variable can be reached, those of the modules that hold it included."""
    held = [one for one in list_held(evidence.namespace) if identify(one.tensor) == handle]
    return {*evidence.held.get(handle, ()), *(one.name for one in held)}


def _may_bind(code: CellCode, step: Step, name: str) -> bool:
    """Whether a statement may bind a name: in a function only where it is the function's own."""
    around = [
        node
        for node in ast.walk(code.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(inner is step.node for inner in ast.walk(node))
    ]
    if not around:
        return True
    names = [node for node in ast.walk(around[-1]) if isinstance(node, ast.Name)]
    return any(node.id == name and isinstance(node.ctx, ast.Store) for node in names)


def _needs_variable(code: CellCode, step: Step, names: Collection[str]) -> bool:
    """Whether other code that may run later asks of these names what only Variables have."""
    tensor, own = tf.constant(0.0), set(ast.walk(step.node))
    return any(
        isinstance(inner, ast.Attribute)
        and find_base(inner.value) in names
        and inner not in own
        and not hasattr(tensor, inner.attr)
        for node in code.tree.body
        if hasattr(node, "body") or node.lineno > step.node.lineno
        for inner in ast.walk(node)
    )


def write_float_cast(evidence: Evidence, position: int) -> str:
    """The cast to floats instead, where the next thing that happens is a cast back to floats."""
    op = evidence.ops[position]
    after = [evidence.ops[p] for p in evidence.consumers.get(op.outputs[0], ())]
    if not after or any(one.type != "Cast" for one in after):
        return ""
    call = _find_call(evidence, op.line, {"cast"})
    if call is None or len(call.args) != 2 or isinstance(call.args[0], ast.Call):
        return ""
    wanted = evidence.recorder.seen[op.inputs[0]].dtype.name
    value = ast.unparse(call.args[0])
    return evidence.code.replace(op.line, call, f"tf.cast({value}, tf.{wanted})")


def write_straight_through(evidence: Evidence, op: Op) -> str:
    """The rounded value with the value's own gradient: the 'straight-through' estimator."""
    call = _find_call(evidence, op.line, {ROUNDING[op.type]})
    if call is None or len(call.args) != 1 or not isinstance(call.args[0], ast.Name):
        return ""
    value, rounded = ast.unparse(call.args[0]), ast.unparse(call)
    return evidence.code.replace(op.line, call, f"{value} + tf.stop_gradient({rounded} - {value})")


def write_soft_comparison(evidence: Evidence, position: int) -> str:
    """``tf.cast(a > b, tf.float32)`` as ``tf.sigmoid(a - b)``, of the same dtype."""
    op, seen = evidence.ops[position], evidence.recorder.seen
    after = [evidence.ops[p] for p in evidence.consumers.get(op.outputs[0], ())]
    dtypes = {seen[one.outputs[0]].dtype for one in after if one.type == "Cast"}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if op.type not in _COMPARISONS or dtype is None or not dtype.is_floating:
        return ""
    call = _find_call(evidence, op.line, {"cast"})
    test = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return ""
    ends = [ast.unparse(test.left), ast.unparse(test.comparators[0])]
    if isinstance(test.ops[0], (ast.Lt, ast.LtE)):
        ends.reverse()
    soft = f"tf.sigmoid({ends[0]} - ({ends[1]}))"
    if dtype != seen[op.inputs[0]].dtype:
        soft = f"tf.cast({soft}, tf.{dtype.name})"
    return evidence.code.replace(op.line, call, soft)


def _find_call(evidence: Evidence, line: int | None, names: Collection[str]) -> ast.Call | None:
    """The only call on a line of a function or method with one of these names."""
    found = [
        node
        for node in evidence.code.find_nodes(line, ast.Call)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", "")) in names
    ]
    return found[0] if len(found) == 1 else None
