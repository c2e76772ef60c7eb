"""Mended code: statements of the cell, or of its user, as they would work."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.diagnose.code import find_base, list_heads, list_values
from gradmagic.core.diagnose.none.departures import takes_value
from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from gradmagic.core.diagnose.code import CellCode
    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.diagnose.none.departures import Way

# NumPy's and math's functions that TensorFlow has under another name.
_RENAMED = {
    "log": "math.log",
    "log1p": "math.log1p",
    "log2": "experimental.numpy.log2",
    "sum": "reduce_sum",
    "mean": "reduce_mean",
    "max": "reduce_max",
    "min": "reduce_min",
    "amax": "reduce_max",
    "amin": "reduce_min",
    "prod": "reduce_prod",
    "std": "math.reduce_std",
    "var": "math.reduce_variance",
    "absolute": "abs",
    "power": "pow",
    "dot": "experimental.numpy.dot",
}
_SAME = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "exp",
        "sqrt",
        "square",
        "abs",
        "maximum",
        "minimum",
        "pow",
        "matmul",
        "transpose",
        "reshape",
        "where",
        "sign",
        "floor",
    ]
)
_KEPT = frozenset({"float", "int", "array", "asarray", "float32", "float64"})  # give the same value


def add_after(evidence: Evidence, line: int | None, text: str) -> str:
    """A statement to add after the one that binds a source, or, for None, at the cell's top."""
    written = evidence.code.write_line(line)
    return f"{written}\n{text}" if written else text


def write_assignment(evidence: Evidence, name: str, line: int) -> str:
    """``x = x + 1`` as ``x.assign_add(1)``; empty where it is no plain assignment."""
    step = evidence.code.find_step(line)
    node = None if step is None else step.node
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return ""
    target, value = node.targets[0], node.value
    if not isinstance(target, ast.Name) or target.id != name:
        return ""
    if isinstance(value, ast.BinOp) and isinstance(value.left, ast.Name) and value.left.id == name:
        methods = {ast.Add: "assign_add", ast.Sub: "assign_sub"}
        method = methods.get(type(value.op))
        if method is not None:
            return f"{name}.{method}({ast.unparse(value.right)})"
    return f"{name}.assign({ast.unparse(value)})"


def write_in_tensorflow(evidence: Evidence, subject: Subject, way: Way) -> str:
    """The statement with TensorFlow's functions in place of those that take values out.

    Empty where it cannot be written so, and where another statement leaves TensorFlow too.
    """
    if way.call is None or way.broken or hasattr(way.step.node, "body"):
        return ""
    code = evidence.code
    derived = code.trace_forward({find_root(subject.gradient.source)})
    taking = [
        (step, node)
        for step in code.steps
        if not hasattr(step.node, "body")
        for node in ast.walk(step.node)
        if isinstance(node, ast.Call)
        and takes_value(node, evidence.namespace)
        and not derived.isdisjoint(list_values(node))
    ]
    if any(step is not way.step for step, _node in taking):
        return ""
    if _is_in_list(way.step.node, way.call):  # tf.constant takes no list of tensors
        return ""
    if _is_index(code, way):
        return ""
    converter = _Converter(evidence.namespace, derived)
    mended = converter.visit(copy.deepcopy(way.step.node))
    if converter.failed or _uses_methods(evidence, way, derived):
        return ""
    return ast.unparse(ast.fix_missing_locations(mended))


def _is_in_list(statement: ast.stmt, call: ast.expr) -> bool:
    lists = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp)
    held = (node for node in ast.walk(statement) if isinstance(node, lists))
    return any(inner is call for node in held for inner in ast.walk(node))


def _is_index(code: CellCode, way: Way) -> bool:
    """Whether the value chooses an item or counts: then no tensor can take its place."""
    after = code.trace_forward(set(way.step.writes))
    for step in code.steps:
        for head in list_heads(step.node):
            for node in ast.walk(head):
                place = node.slice if isinstance(node, ast.Subscript) else None
                if isinstance(node, ast.Call) and find_base(node.func) in ("range", "len"):
                    place = node
                if place is None:
                    continue
                held = any(inner is way.call for inner in ast.walk(place))
                if held or not after.isdisjoint(list_values(place)):
                    return True
    return False


def _uses_methods(evidence: Evidence, way: Way, derived: frozenset[str]) -> bool:
    """Whether later code calls methods on the value, which may be NumPy's."""
    after = evidence.code.trace_forward(set(way.step.writes)) & derived
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and find_base(node.func) in after
        for step in evidence.code.steps
        if step is not way.step and not hasattr(step.node, "body")
        for node in ast.walk(step.node)
    )


class _Converter(ast.NodeTransformer):
    """NumPy's calls on what is derived from the source -> TensorFlow's."""

    def __init__(self, namespace: Any, derived: frozenset[str]) -> None:
        self.namespace = namespace
        self.derived = derived
        self.failed = False
        self.tensors: set[ast.AST] = set()  # that stand where arrays or numbers stood

    def visit_Call(self, node: ast.Call) -> ast.AST:
        ours = takes_value(node, self.namespace) and not self.derived.isdisjoint(list_values(node))
        self.generic_visit(node)
        if not ours:
            return node
        converted = self._convert(node)
        self.tensors.add(converted)
        return converted

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.value in self.tensors and node.attr not in ("numpy", "shape", "dtype"):
            self.failed = True  # a method of arrays
        return node

    def _convert(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else find_base(node.func)
        if name == "numpy" and isinstance(node.func, ast.Attribute) and not node.args:
            return node.func.value
        if name in ("predict", "predict_on_batch") and isinstance(node.func, ast.Attribute):
            return ast.Call(node.func.value, node.args[:1], [])
        if name in _KEPT and len(node.args) == 1:
            return node.args[0]
        if name in ("constant", "Variable") and node.args:
            held = unwrap(self.namespace.get(ast.unparse(node.args[0])))
            if isinstance(held, tf.Variable) or name == "Variable":
                node.func = ast.parse("tf.convert_to_tensor", mode="eval").body
            node.args, node.keywords = node.args[:1], []
            return node if isinstance(node.func, ast.Attribute) else node.args[0]
        if name == "numpy_function" and len(node.args) >= 2:
            return self._convert_numpy_function(node)
        new = _RENAMED.get(name or "", name if name in _SAME else None)
        if new is None or any(k.arg not in ("axis", "keepdims") for k in node.keywords):
            self.failed = True
            return node
        node.func = ast.parse(f"tf.{new}", mode="eval").body
        return node

    def _convert_numpy_function(self, node: ast.Call) -> ast.AST:
        function, operands = node.args[0], node.args[1]
        name = function.attr if isinstance(function, ast.Attribute) else None
        new = _RENAMED.get(name or "", name if name in _SAME else None)
        if new is None or not isinstance(operands, ast.List):
            self.failed = True
            return node
        return ast.Call(ast.parse(f"tf.{new}", mode="eval").body, operands.elts, [])
