"""What raised an exception: the operator or call, and what it had been given.

Nothing of the cell runs again. The frame after the cell's own is TensorFlow's or Keras', and was
called with the operands.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from gradmagic.core.diagnose.failing.frames import Names, bind, read_arguments, runs
from gradmagic.core.diagnose.failing.operands import MISSING, Operand
from gradmagic.core.diagnose.failing.sites import find_nodes
from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from gradmagic.core.diagnose.failing.sites import Site

LIBRARIES: Final = ("tensorflow", "keras")
ASSIGNING: Final = ("assign", "assign_add", "assign_sub")
_OF_OP: Final = re.compile(r"\{\{(function_)?node|\[Op:")
_KINDS = (ast.Call, ast.BinOp, ast.Compare, ast.UnaryOp, ast.Subscript, ast.AugAssign)
# The methods that operators call, and what they call where the second operand's method runs.
_METHODS: Final[Mapping[type[ast.AST], tuple[str, str]]] = {
    ast.Add: ("__add__", "__radd__"),
    ast.Sub: ("__sub__", "__rsub__"),
    ast.Mult: ("__mul__", "__rmul__"),
    ast.Div: ("__truediv__", "__rtruediv__"),
    ast.FloorDiv: ("__floordiv__", "__rfloordiv__"),
    ast.Mod: ("__mod__", "__rmod__"),
    ast.Pow: ("__pow__", "__rpow__"),
    ast.MatMult: ("__matmul__", "__rmatmul__"),
    ast.BitAnd: ("__and__", "__rand__"),
    ast.BitOr: ("__or__", "__ror__"),
    ast.BitXor: ("__xor__", "__rxor__"),
    ast.Lt: ("__lt__", "__gt__"),
    ast.LtE: ("__le__", "__ge__"),
    ast.Gt: ("__gt__", "__lt__"),
    ast.GtE: ("__ge__", "__le__"),
}

Failing = ast.expr | ast.AugAssign


@dataclass(frozen=True, eq=False)
class Call:
    """An operator, a call or an indexing that raised.

    Attributes
    ----------
    node
        Its code.
    name
        What it calls: ``"MatMult"`` for an operator, ``"matmul"`` for a function, ``"assign"`` for
        a method or a Keras loss, ``"layer"``, or ``"index"``.
    target
        The function, layer or loss; None for what has no name.
    operands
        What it was given, by the parameters' names.
    certainty
        How many operands are known to be what names in the cell hold.
    """

    node: Failing
    name: str
    target: Any
    operands: Mapping[str, Operand]
    certainty: int = 0

    @property
    def listed(self) -> list[Operand]:
        """The operands in order."""
        return list(self.operands.values())

    @property
    def tensors(self) -> list[Operand]:
        """Those that are tensors, Variables or arrays, in lists and outside."""
        flat = [inner for one in self.listed for inner in (one.elements or [one])]
        return [one for one in flat if one.tensor is not None]


def find_calls(site: Site, message: str) -> list[Call]:
    """What may have raised there: at most one call where Python tells its place exactly.

    Parameters
    ----------
    site
        Where the exception left the notebook's code.
    message
        The exception's.
    """
    following = site.entry.tb_next
    after = None if following is None else following.tb_frame
    if after is not None and not _is_library(str(after.f_globals.get("__name__", ""))):
        return []
    nodes, exact = find_nodes(site, _KINDS)
    if after is None and not exact and not _OF_OP.search(message):
        return []
    reader = _Reader(site, after, sure=exact or after is None)
    calls = (reader.read(node) for node in nodes)
    return [call for call in calls if call is not None and (after is not None or _is_own(call))]


def _is_own(call: Call) -> bool:
    """Whether an operand is no NumPy array: then its operators are TensorFlow's or Keras'."""
    return any(not isinstance(one.tensor, np.ndarray) for one in call.tensors)


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in LIBRARIES


class _Reader:
    """Reads calls from the names of the cell, and from the frame of the library that it called.

    Where it is not ``sure`` that an expression raised, only the library's frame can tell.
    """

    def __init__(self, site: Site, after: FrameType | None, *, sure: bool) -> None:
        self.names = Names(site.entry.tb_frame, site.tree)
        self.sure = sure and site.is_settled
        self.after = after
        self.given: list[Any] = []
        self.named: dict[str, Any] = {}
        self.changes = False
        if after is not None:
            self.given, self.named, self.changes = read_arguments(after)

    def read(self, node: Failing) -> Call | None:
        """The call that a piece of code stands for; None where it is not what raised."""
        if isinstance(node, ast.Call):
            return self._read_call(node)
        if isinstance(node, ast.Subscript):
            return self._read_method("index", node, ("__getitem__",), [node.value])
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._read_operator(node, node.ops[0], [node.left, node.comparators[0]])
        if isinstance(node, ast.BinOp):
            return self._read_operator(node, node.op, [node.left, node.right])
        if isinstance(node, ast.AugAssign):
            return self._read_operator(node, node.op, [node.target, node.value])
        return None

    def _read_operator(self, node: Failing, op: ast.AST, parts: list[ast.expr]) -> Call | None:
        methods = _METHODS.get(type(op))
        if methods is None:
            return None
        return self._read_method(type(op).__name__, node, methods, parts)

    def _read_method(
        self, name: str, node: Failing, methods: tuple[str, ...], parts: list[ast.expr]
    ) -> Call | None:
        """The call of an operator's method, of the first operand or, turned round, the second."""
        if self.after is None:  # TensorFlow leaves its own frames out of some tracebacks
            held = [self.names.find(part) for part in parts]
            return self._make(name, node, parts, held) if self.sure else None
        for method in methods:
            if self.given and runs(self.after, getattr(type(self.given[0]), method, None)):
                given = self.given[: len(parts)]
                turned = method != methods[0]
                return self._make(name, node, parts, given[::-1] if turned else given)
        return None

    def _make(
        self, name: str, node: Failing, parts: list[ast.expr], given: list[Any]
    ) -> Call | None:
        if len(given) != len(parts):
            return None
        held = [self.names.holds(part, one) for part, one in zip(parts, given, strict=True)]
        if False in held:
            return None
        operands = {
            letter: Operand(part, one, passed=known is True or not self.changes)
            for letter, part, one, known in zip("xy", parts, given, held, strict=False)
        }
        return Call(node, name, None, operands, held.count(True))

    def _read_call(self, node: ast.Call) -> Call | None:
        method = node.func if isinstance(node.func, ast.Attribute) else None
        if method is not None and method.attr in ASSIGNING and node.args:
            return self._read_assign(node, method)
        target = self.names.find(node.func)
        if target is MISSING and self.after is not None and self.given:
            target = self.given[0]  # keras.layers.Dense(3)(x): the frame's self
        if isinstance(target, _list_keras("Layer", "Loss")):
            return self._read_object(node, target)
        if isinstance(target, type) or not callable(target):
            return None
        if not _is_library(str(getattr(target, "__module__", ""))):
            return None
        name = str(getattr(target, "__name__", "")).removesuffix("_with_dispatch")
        name = name.removesuffix("_v2").removesuffix("_v1")
        given: Mapping[str, Any] | None = {}
        if runs(self.after, target):
            given = bind(target, self.given, self.named)
        elif not self.sure:
            return None
        return self._bind(node, name, target, target, given)

    def _read_assign(self, node: ast.Call, method: ast.Attribute) -> Call | None:
        """A method that assigns to a Variable."""
        base, value = self.names.find(method.value), self.names.find(node.args[0])
        if self.given and (base is MISSING or base is self.given[0]):
            base, arrived = self.given[0], [*self.given[1:2], MISSING][0]
            if value is MISSING or not self.changes:
                value = arrived
            elif not _has_shape(value, arrived):
                return None
        elif not self.sure:
            return None
        if not isinstance(unwrap(base), tf.Variable):
            return None
        return self._make(method.attr, node, [method.value, node.args[0]], [base, value])

    def _read_object(self, node: ast.Call, target: Any) -> Call | None:
        """A layer or a loss that is called."""
        method = type(target).__call__
        given: Mapping[str, Any] | None = {}
        is_layer = isinstance(target, _list_keras("Layer"))
        function = _take_any if is_layer else method.__get__(target)
        if self.after is not None:
            if not runs(self.after, method) or not self.given or self.given[0] is not target:
                return None
            given = bind(function, self.given[1:], self.named)
        name = type(target).__name__ if _is_library(type(target).__module__) else "Loss"
        name = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()  # a loss is called as its function
        return self._bind(node, "layer" if is_layer else name, target, function, given)

    def _bind(
        self,
        node: ast.Call,
        name: str,
        target: Any,
        function: Any,
        given: Mapping[str, Any] | None,
    ) -> Call | None:
        """The call with its operands by parameter: what names hold, else what arrived."""
        keywords = {one.arg: one.value for one in node.keywords if one.arg is not None}
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        if starred or len(keywords) < len(node.keywords) or given is None:
            return None
        nodes = bind(function, node.args, keywords)
        if nodes is None:
            return None
        operands: dict[str, Operand] = {}
        certainty = 0
        for parameter, code in nodes.items():
            held, arrived = self.names.find(code), given.get(parameter, MISSING)
            same = None if arrived is MISSING else self.names.holds(code, arrived)
            if same is False and not (self.changes and _has_shape(held, arrived)):
                return None
            certainty += bool(same)
            operands[parameter] = Operand(
                code,
                arrived if held is MISSING else held,
                passed=held is not MISSING or not self.changes,
            )
        return Call(node, name, target, operands, certainty)


def _has_shape(held: Any, arrived: Any) -> bool:
    """Whether a tensor may have arrived as another: converted, it keeps its shape."""
    empty = ast.Constant(None)
    return Operand(empty, held).shape == Operand(empty, arrived).shape


def _take_any(*inputs: Any, **options: Any) -> None:
    """The signature of what takes anything."""


def _list_keras(*names: str) -> tuple[type, ...]:
    """Keras' classes of these names; nothing before Keras was imported."""
    keras = sys.modules.get("keras")
    modules = {"Layer": "layers", "Loss": "losses"}
    found = (getattr(getattr(keras, modules[name], None), name, None) for name in names)
    return tuple(one for one in found if one is not None)
