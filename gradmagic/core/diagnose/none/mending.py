"""Mended code: statements of the cell, or of its user, as they would work."""

from __future__ import annotations

import ast
import builtins
import copy
import types
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.diagnose.code import find_base, list_heads
from gradmagic.core.diagnose.none.departures import find_inside
from gradmagic.core.diagnose.none.leaving import calls_own, find_function, takes_value
from gradmagic.core.diagnose.variables import Variable
from gradmagic.core.sources import is_tensor, unwrap

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
    "matmul": "experimental.numpy.matmul",
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
        "transpose",
        "reshape",
        "where",
    ]
)
_KEPT = frozenset({"float", "array", "asarray", "float32", "float64"})  # give the same value
# Python's functions that tensors go through
_OPEN = frozenset({"abs", "sum", "pow", "max", "min", "dict", "list", "tuple", "zip"})


def add_after(evidence: Evidence, line: int | None, text: str) -> str:
    """A statement to add after the one that binds a source, or, for None, at the cell's top."""
    if line is None:
        return text
    written = evidence.code.write_line(line)
    return f"{written}\n{text}" if written else ""


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
        shape = getattr(unwrap(evidence.namespace.get(name)), "shape", ())
        if isinstance(value.right, ast.Constant) and len(shape):  # assign_add broadcasts nothing
            method = None
        if method is not None:
            return f"{name}.{method}({ast.unparse(value.right)})"
    return f"{name}.assign({ast.unparse(value)})"


def write_in_tensorflow(evidence: Evidence, subject: Subject, way: Way) -> str:
    """The statement with TensorFlow's functions in place of those that take values out.

    Empty where it cannot be written so, and where another statement leaves TensorFlow too.
    """
    statement = way.step.node
    if way.call is None or way.broken or hasattr(statement, "body"):
        return ""
    code = evidence.code
    derived = code.trace_forward({Variable(find_root(subject.gradient.source))})
    taking = [
        (step, node)
        for step in code.steps
        if not hasattr(step.node, "body")
        for node in ast.walk(step.node)
        if isinstance(node, ast.Call)
        and takes_value(node, evidence.namespace)
        and not derived.isdisjoint(code.variables.read(node))
    ]
    if any(step is not way.step for step, _node in taking):
        return ""
    ours = {node for _step, node in taking}
    if _is_in_list(statement, way.call):  # tf.constant takes no list of tensors
        return ""
    if _is_index(code, way) or _is_filled(evidence, way) or _is_multiplied(evidence, way):
        return ""
    if _meets_other(evidence, statement, ours) or _only_chooses(code, ours, derived):
        return ""
    if _uses_methods(evidence, way, derived):
        return ""
    changed = copy.deepcopy(statement)
    pairs = zip(ast.walk(statement), ast.walk(changed), strict=True)
    converter = _Converter(evidence.namespace, {new for old, new in pairs if old in ours})
    written = ast.unparse(ast.fix_missing_locations(converter.visit(changed)))
    return "" if converter.failed or written == ast.unparse(statement) else written


def _is_in_list(statement: ast.stmt, call: ast.expr) -> bool:
    lists = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp)
    held = (node for node in ast.walk(statement) if isinstance(node, lists))
    return any(inner is call for node in held for inner in ast.walk(node))


def _list_nodes(code: CellCode) -> list[ast.AST]:
    return [n for step in code.steps for head in list_heads(step.node) for n in ast.walk(head)]


def _is_index(code: CellCode, way: Way) -> bool:
    """Whether the value chooses an item or counts: then no tensor can take its place."""
    after = code.trace_forward(way.step.gives)
    for node in _list_nodes(code):
        place = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(node, ast.Call) and find_base(node.func) in ("range", "len"):
            place = node
        if place is None:
            continue
        held = any(inner is way.call for inner in ast.walk(place))
        if held or not after.isdisjoint(code.variables.read(place)):
            return True
    return False


def _is_filled(evidence: Evidence, way: Way) -> bool:
    """Whether items are assigned to what the value goes into, which no tensor allows."""
    code = evidence.code
    after = code.trace_forward(way.step.gives)
    return any(
        isinstance(node, ast.Subscript)
        and not isinstance(node.ctx, ast.Load)
        and not isinstance(evidence.namespace.get(find_base(node) or ""), (dict, list))
        and not after.isdisjoint(v._replace(key="") for v in code.variables.place(node))
        for node in _list_nodes(code)
    )


def _is_multiplied(evidence: Evidence, way: Way) -> bool:
    """Whether the value goes into an ``@``, which takes no vectors in TensorFlow."""
    code = evidence.code
    made = [evidence.namespace.get(one.name) for one in way.step.gives if not one.scope]
    if made and all(len(getattr(value, "shape", ())) > 1 for value in made):
        return False
    after = code.trace_forward(way.step.gives)
    products = (node for node in _list_nodes(code) if isinstance(node, ast.BinOp))
    return any(
        isinstance(node.op, ast.MatMult)
        and (
            any(inner is way.call for inner in ast.walk(node))
            or not after.isdisjoint(code.variables.read(node))
        )
        for node in products
    )


def _meets_other(evidence: Evidence, statement: ast.stmt, ours: set[ast.Call]) -> bool:
    """Whether in its statement the value meets what no tensor, or no gradient, goes through."""
    around = (
        node
        for node in ast.walk(statement)
        if node not in ours and any(inner in ours for inner in ast.walk(node))
    )
    return any(_closes(evidence, node) for node in around)


def _closes(evidence: Evidence, node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.FloorDiv)
    if not isinstance(node, ast.Call):
        return isinstance(node, (ast.Compare, ast.BoolOp, ast.JoinedStr))
    name = str(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))
    if isinstance(node.func, ast.Name) and hasattr(builtins, name):
        return name not in _OPEN
    if name in ("append", "update") or name in evidence.code.functions:
        return False
    if not calls_own(node, evidence.namespace):
        return False
    function = find_function(node, evidence.namespace)
    known = isinstance(function, types.FunctionType)
    return not known or find_inside(node, evidence) is not None


def _only_chooses(code: CellCode, ours: set[ast.Call], derived: frozenset[Variable]) -> bool:
    """Whether a ``where`` takes from the source only which of two values it gives."""
    return any(
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "where"
        and derived.isdisjoint(v for one in node.args[1:] for v in code.variables.read(one))
        for node in ours
    )


def _uses_methods(evidence: Evidence, way: Way, derived: frozenset[Variable]) -> bool:
    """Whether later code calls methods on the value, which may be NumPy's."""
    code = evidence.code
    after = code.trace_forward(way.step.gives) & derived
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not after.isdisjoint(code.variables.read(node.func.value))
        for step in code.steps
        if step is not way.step and not hasattr(step.node, "body")
        for node in ast.walk(step.node)
    )


class _Converter(ast.NodeTransformer):
    """NumPy's calls on what is derived from the source -> TensorFlow's."""

    def __init__(self, namespace: Any, ours: set[ast.AST]) -> None:
        self.namespace = namespace
        self.ours = ours
        self.failed = False
        self.tensors: set[ast.AST] = set()  # that stand where arrays or numbers stood

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node not in self.ours:
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
            named = [keyword.value for keyword in node.keywords if keyword.arg == "x"]
            given = [*node.args, *named][:1]
            self.failed |= not given
            return ast.Call(node.func.value, given, [])
        if name in _KEPT and len(node.args) == 1 and not node.keywords:
            self.failed |= name in ("array", "asarray") and self._is_list(node.args[0])
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
        if name in ("dot", "matmul") and not all(self._is_tensor(one) for one in node.args):
            new = None  # an array's dtype would win
        if new is None or any(k.arg not in ("axis", "keepdims") for k in node.keywords):
            self.failed = True
            return node
        node.func = ast.parse(f"tf.{new}", mode="eval").body
        return node

    def _is_tensor(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and is_tensor(unwrap(self.namespace.get(node.id)))

    def _is_list(self, node: ast.expr) -> bool:
        """Whether an expression may give a list of tensors."""
        held = self.namespace.get(node.id) if isinstance(node, ast.Name) else None
        own = isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "list",
            "tuple",
            "map",
        )
        return own or isinstance(held, (list, tuple)) or isinstance(node, (ast.List, ast.Tuple))

    def _convert_numpy_function(self, node: ast.Call) -> ast.AST:
        function, operands = node.args[0], node.args[1]
        name = function.attr if isinstance(function, ast.Attribute) else None
        new = _RENAMED.get(name or "", name if name in _SAME else None)
        if new is None or not isinstance(operands, ast.List):
            self.failed = True
            return node
        return ast.Call(ast.parse(f"tf.{new}", mode="eval").body, operands.elts, [])
