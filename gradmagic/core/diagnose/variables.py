"""The variables that a cell's statements read and change: names in their scopes, items of dicts."""

from __future__ import annotations

import ast
import builtins
import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

from gradmagic.core.diagnose.scoping import (
    Function,
    bind,
    find_scopes,
    list_defaults,
    list_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

ANY = "*"
_RETURNING = (ast.Return, ast.Yield, ast.YieldFrom)
_SHAPES = frozenset({"shape", "dtype", "ndim", "name", "size"})
_ASKING = frozenset({"len", "isinstance", "type", "id", "hash", "print", "repr"})
_SHAPE_CALLS = frozenset({"shape", "size", "rank", "zeros_like", "ones_like", "ref"})


class Variable(NamedTuple):
    """A name in its scope, or an item of what it holds.

    ``scope`` is 0 for the cell's own names. ``key`` is the item's, as it is written; ``""`` for the
    whole, ``"*"`` for whatever item.
    """

    name: str
    scope: int = 0
    key: str = ""


_Given = tuple["Collection[Variable]", "set[Variable]"]  # variables, and what they come from
_Assigned = tuple["set[Variable]", ast.expr]


class Variables:
    """The variables of a cell's code.

    Parameters
    ----------
    tree
        Its syntax tree.
    modules
        Names of modules, which no value flows through.
    """

    def __init__(self, tree: ast.Module, modules: Collection[str]) -> None:
        self.tree = tree
        self.modules = modules

    @functools.cached_property
    def _scopes(self) -> Mapping[ast.AST, int]:
        return find_scopes(self.tree)

    @functools.cached_property
    def functions(self) -> Mapping[str, Sequence[Function]]:
        """The functions that the code defines, methods and named lambdas included, by name."""
        found: dict[str, list[Function]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
        return found

    @functools.cached_property
    def _classes(self) -> Mapping[str, ast.ClassDef]:
        return {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)}

    @functools.cached_property
    def changed(self) -> frozenset[Variable]:
        """The variables whose objects the code changes: an item, an attribute, ``xs.append(t)``."""
        stored = [
            node.target if isinstance(node, ast.AugAssign) else node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.AugAssign)
            or (
                isinstance(node, (ast.Subscript, ast.Attribute))
                and not isinstance(node.ctx, ast.Load)
            )
        ]
        stored += [
            node.value.func
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if isinstance(node.value.func, ast.Attribute)
        ]
        return frozenset(one._replace(key="") for node in stored for one in self.place(node))

    def name(self, node: ast.Name | ast.arg) -> Variable:
        """The variable that a name or a parameter stands for."""
        name = node.id if isinstance(node, ast.Name) else node.arg
        return Variable(name, self._scopes.get(node, 0))

    def read(self, part: ast.AST) -> set[Variable]:
        """The variables whose values an expression reads, not only their shape or kind."""
        if tells_only_shape(part):
            return set()
        if isinstance(part, ast.Name):
            return self._read_name(part) if isinstance(part.ctx, ast.Load) else set()
        parts = ast.iter_child_nodes(part)
        if isinstance(part, (ast.Subscript, ast.Attribute)):
            if not isinstance(part.ctx, ast.Load):  # what it is stored in is not read
                parts = iter(_list_indices(part))
            elif (item := self._find_item(part)) is not None:
                whole = item._replace(key="")
                return set() if self._is_module(whole) else {whole, item}
        found = {variable for one in parts for variable in self.read(one)}
        if isinstance(part, ast.Attribute) and part.attr in self.functions:
            found.add(Variable(part.attr))  # a method
        return found

    def place(self, node: ast.expr) -> set[Variable]:
        """The variables that change where something is stored in an expression."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            if (item := self._find_item(node)) is not None:
                return {item, item._replace(key=ANY)}
            node = node.value
        whole = self.name(node) if isinstance(node, ast.Name) else None
        return set() if whole is None or self._is_module(whole) else {whole}

    def pair(self, node: ast.stmt) -> list[_Assigned]:
        """What an assignment assigns to what: in ``a, b = f(x), g(y)`` each has its own."""
        targets = node.targets if isinstance(node, ast.Assign) else []
        return [pair for one in targets for pair in self._pair(one, node.value)]  # type: ignore[attr-defined]

    def _pair(self, target: ast.expr, value: ast.expr) -> Iterator[_Assigned]:
        lists = (ast.Tuple, ast.List)
        if isinstance(target, lists) and isinstance(value, lists):
            elements = (*target.elts, *value.elts)
            starred = any(isinstance(one, ast.Starred) for one in elements)
            if not starred and len(target.elts) == len(value.elts):
                for one, own in zip(target.elts, value.elts, strict=True):
                    yield from self._pair(one, own)
                return
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            whole = self.name(target)
            yield {whole}, ast.Dict([], [])
            for key, own in zip(value.keys, value.values, strict=True):
                if key is not None and _is_key(key):
                    yield {whole._replace(key=ast.unparse(key)), whole._replace(key=ANY)}, own
                else:
                    yield {whole}, own
            return
        stored = (ast.Name, ast.Subscript, ast.Attribute)
        nodes = (node for node in ast.walk(target) if isinstance(node, stored))
        yield {v for n in nodes if not isinstance(n.ctx, ast.Load) for v in self.place(n)}, value

    def give(
        self, node: ast.stmt, heads: Sequence[ast.AST], takes: set[Variable]
    ) -> dict[Variable, set[Variable]]:
        """The variables that a statement can change, each with those its value can come from.

        ``heads`` are the parts of a compound one that are its own, ``takes`` the variables that
        they read.
        """
        gives: dict[Variable, set[Variable]] = {}
        parts: Sequence[ast.AST] = [node.value] if isinstance(node, ast.Assign) else heads
        given = [
            *((places, self.read(value)) for places, value in self.pair(node)),
            *(one for part in parts for n in ast.walk(part) for one in self._give(n, takes)),
            *self._give_by_call(parts, takes),
            *self._give_around(node, heads, takes),
        ]
        for places, origins in given:
            for one in places:
                gives.setdefault(one, set()).update(origins)
        if any(one.name == "self" for one in gives):  # an object is named by its class
            gives |= dict.fromkeys(self._list_classes(node), takes)
        return gives

    def _give(self, node: ast.AST, takes: set[Variable]) -> Iterator[_Given]:
        """What a part of an expression changes by itself."""
        if isinstance(node, (ast.Name, ast.Subscript, ast.Attribute)):
            if not isinstance(node.ctx, ast.Load):
                yield self.place(node), takes
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.args or node.keywords:  # xs.append(t) changes xs
                yield self.place(node.func), takes
        elif isinstance(node, ast.Lambda) and not self._is_named(node):
            yield {self.name(one) for one in list_parameters(node)}, takes

    def _give_by_call(self, parts: Sequence[ast.AST], takes: set[Variable]) -> Iterator[_Given]:
        """What the functions of the cell are given, and what they change of it."""
        nodes = [node for part in parts for node in ast.walk(part)]
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        for call in calls:
            for function in self._find_called(call):
                for parameter, value in bind(function, call):
                    inside = self.name(parameter)
                    yield {inside}, self.read(value)
                    if inside in self.changed:
                        yield self.place(value), {inside, inside._replace(key=ANY)}
        called = {call.func for call in calls}
        for node in nodes:
            if isinstance(node, ast.Name) and node not in called:  # map(f, xs)
                for function in self.functions.get(node.id, ()):
                    yield {self.name(one) for one in list_parameters(function)}, takes

    def _give_around(
        self, node: ast.stmt, heads: Sequence[ast.AST], takes: set[Variable]
    ) -> Iterator[_Given]:
        """What a statement gives to the function or handler that it defines or belongs to."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield {Variable(node.name)}, takes
            for parameter, default in list_defaults(node):
                yield {self.name(parameter)}, self.read(default)
        elif any(isinstance(n, _RETURNING) for part in heads for n in ast.walk(part)):
            around = [
                (function.lineno, name)
                for name, same in self.functions.items()
                for function in same
                if holds(function, node.lineno)
            ]
            yield {Variable(max(around)[1]), *self._list_classes(node)}, takes
        elif isinstance(node, ast.Try):
            for handler in node.handlers:
                names = (n for n in ast.walk(handler) if isinstance(n, ast.Name))
                caught = {self.name(n) for n in names if n.id == handler.name}
                yield caught, self.read(ast.Module(node.body, []))

    def _find_called(self, call: ast.Call) -> Sequence[Function]:
        """The functions of the cell that a call may run."""
        called = str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))
        if called in self._classes:
            made = self.functions.get("__init__", ())
            return [one for one in made if holds(self._classes[called], one.lineno)] or made
        if called in self.functions:
            return self.functions[called]
        own = isinstance(call.func, ast.Name) or ast.unparse(call.func).startswith("self.")
        if not own or hasattr(builtins, called):
            return ()
        found = (self.functions.get(name, ()) for name in ("__call__", "call"))
        return list(itertools.chain.from_iterable(found))

    def _list_classes(self, node: ast.stmt) -> set[Variable]:
        return {Variable(name) for name, c in self._classes.items() if holds(c, node.lineno)}

    def _is_named(self, node: ast.Lambda) -> bool:
        return any(node is one for same in self.functions.values() for one in same)

    def _read_name(self, node: ast.Name) -> set[Variable]:
        whole = self.name(node)
        return set() if self._is_module(whole) else {whole, whole._replace(key=ANY)}

    def _find_item(self, node: ast.expr) -> Variable | None:
        """``res['loss']`` as a variable; None for what is no item of a name with such a key.

        Numbers are none: items of lists change their places.
        """
        if not isinstance(node, ast.Subscript) or not _is_key(node.slice):
            return None
        if not isinstance(node.value, ast.Name):
            return None
        return self.name(node.value)._replace(key=ast.unparse(node.slice))

    def _is_module(self, variable: Variable) -> bool:
        return not variable.scope and variable.name in self.modules


def tells_only_shape(part: ast.AST) -> bool:
    """Whether an expression asks for a shape or kind, which no value flows through."""
    if isinstance(part, ast.Attribute):
        return part.attr in _SHAPES
    if not isinstance(part, ast.Call):
        return False
    by_name = isinstance(part.func, ast.Name) and part.func.id in _ASKING
    return by_name or getattr(part.func, "attr", None) in _SHAPE_CALLS


def holds(node: ast.AST, line: int) -> bool:
    """Whether a line is one of a node's."""
    return node.lineno <= line <= node.end_lineno  # type: ignore[attr-defined]


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _list_indices(node: ast.expr) -> list[ast.expr]:
    """What stands in the brackets of ``xs[i].a[k]``, and what it begins with if that is no name."""
    found = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript):
            found.append(node.slice)
        node = node.value
    return found if isinstance(node, ast.Name) else [*found, node]
