"""Whether a cell's body may run once more unasked, and leave nothing behind.

It is read, not run: all that it names must be harmless (a number, a tensor, a function of
TensorFlow, a layer, a function of the notebook that is harmless itself), and nothing that was there
before may be stored in. What cannot be seen to be harmless counts as if it were not.
"""

from __future__ import annotations

import ast
import builtins
from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.descent.harmless import Values, find_member
from gradmagic.core.descent.trusted import (
    GROWING,
    READING,
    draws_by_seed,
    is_fixed,
    is_trusted,
    makes_new,
)
from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gradmagic.core.cell import Cell

MADE = object()  # what the code has made itself, of harmless things
_REFUSED = (
    *(ast.Global, ast.Nonlocal, ast.ClassDef, ast.Delete, ast.Import, ast.ImportFrom, ast.Match),
    *(ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith),
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp)
_NEW = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.JoinedStr, *_DISPLAYS)


class EffectError(Exception):
    """The code may have an effect."""


def find_touched(cell: Cell, names: dict[str, Any], target: str | None) -> list[Any] | None:
    """The Variables that the body itself may change, those of its layers; None: it may do more.

    Parameters
    ----------
    cell, names
        The cell, and its namespace after it has run.
    target
        What ``-t`` gave, or None.
    """
    reader = _Reader(names)
    try:
        reader.read_body(cell.tree.body)
        if target is not None:
            reader.visit(ast.parse(target.strip(), mode="eval").body)
        return [variable for layer in reader.values.layers for variable in layer.variables]
    except Exception:  # an effect, or something that cannot even be read
        return None


@dataclass
class _Scope:
    """What names mean at a place: those in ``made`` are the code's own, the rest is looked up.

    ``new`` are names of new objects alone, ``grown`` those of them that are lists, dicts or sets.
    """

    made: set[str]
    known: Mapping[str, Any] = field(default_factory=dict)
    outer: _Scope | None = None
    new: set[str] = field(default_factory=set)
    grown: set[str] = field(default_factory=set)

    def find(self, name: str) -> Any:
        if name in self.made:
            return MADE
        if self.outer is not None and name not in self.known:
            return self.outer.find(name)
        if name not in self.known:
            raise EffectError(name)
        return self.known[name]

    def may_grow(self, name: str) -> bool:
        """Whether the name is that of a list, dict or set which the code has made."""
        if name in self.made:
            return name in self.grown
        return self.outer is not None and self.outer.may_grow(name)


class _Reader(ast.NodeVisitor):
    """Reads code; raises where it may have an effect."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.values = Values(self.read_function)
        self._names = names
        self._body = self._scope = _Scope(set(), ChainMap(names, vars(builtins)))

    def read_body(self, statements: Sequence[ast.stmt]) -> None:
        """The cell's own statements in order: a name is what it was before until it is bound."""
        self._note_new(self._body, statements)
        self._read_in_order(statements)

    def _read_in_order(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                continue  # it has been imported; what it bound is looked up
            if isinstance(statement, ast.With):
                for item in statement.items:
                    self.visit(item)
                    self._scope.made |= {one.id for one in _list_stores([item])}
                self._read_in_order(statement.body)
                continue
            self.visit(statement)
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self._scope.made |= {one.id for one in _list_stores([statement])}
            elif isinstance(statement, ast.FunctionDef):
                self._scope.made.add(statement.name)

    def read_function(self, node: Any, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """A function's code: ``known`` are the names that it sees, ``given`` some parameters."""
        before, self._scope = self._scope, _Scope(set(), ChainMap(dict(known), vars(builtins)))
        try:
            self._read_inside(node, given)
        finally:
            self._scope = before

    def _read_inside(self, node: Any, given: Mapping[str, Any]) -> None:
        body = node.body if isinstance(node.body, list) else [node.body]
        arguments = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        stored = {one.id for one in _list_stores(body)} | _list_defined(body)
        known = {name: value for name, value in given.items() if name not in stored}
        outer = self._scope
        self._scope = _Scope((arguments | stored) - known.keys(), known, outer)
        self._note_new(self._scope, body)
        self._scope.new -= arguments
        self._scope.grown -= arguments
        try:
            for one in body:
                self.visit(one)
        finally:
            self._scope = outer

    def _note_new(self, scope: _Scope, statements: Sequence[ast.AST]) -> None:
        """Which names are bound to new objects, wherever they are bound."""
        values: dict[str, list[ast.AST | None]] = {}
        given: dict[int, ast.AST | None] = {}
        for node in _walk(statements):
            if isinstance(node, ast.Assign):
                given |= {id(one): node.value for one in node.targets}
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
                given[id(node.target)] = node.value
            elif isinstance(node, ast.AugAssign):
                given[id(node.target)] = ast.Constant(0)  # as new as it was
        for stored in _list_stores(statements):
            values.setdefault(stored.id, []).append(given.get(id(stored)))
        for name, found in values.items():
            if all(self._is_new(one) for one in found):
                scope.new.add(name)
            real = [one for one in found if not isinstance(one, ast.Constant)]
            if real and all(isinstance(one, _DISPLAYS) for one in real):
                scope.grown.add(name)

    def _is_new(self, node: Any) -> bool:
        if isinstance(node, ast.Call):
            try:
                return makes_new(self._find(node.func))
            except EffectError:
                return False
        return isinstance(node, _NEW)

    def _find(self, node: ast.AST) -> Any:
        """The value that a name or a dotted name stands for; ``MADE`` where that is not known."""
        if isinstance(node, ast.Name):
            return self._scope.find(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._find(node.value)
            return MADE if owner is MADE else find_member(owner, node.attr, MADE)
        return MADE

    # What the visitor comes to

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, _REFUSED):
            raise EffectError(type(node).__name__)
        super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            found = self._scope.find(node.id)
            if found is not MADE:
                self.values.check(found)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            raise EffectError(ast.unparse(node))
        found = self._find(node)
        if found is not MADE:
            self.values.check(found)
        elif node.attr in READING:
            self.visit(node.value)
        else:
            raise EffectError(ast.unparse(node))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        stores = not isinstance(node.ctx, ast.Load)
        if stores and not (
            isinstance(node.value, ast.Name) and self._scope.may_grow(node.value.id)
        ):
            raise EffectError(ast.unparse(node))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        target, scope = node.target, self._scope
        if isinstance(target, ast.Name):  # (it may change the very object)
            new = target.id in scope.made and target.id in scope.new
            kept = scope is self._body and is_fixed(unwrap(self._names.get(target.id, [])))
            if not (new or kept):
                raise EffectError(ast.unparse(node))
        else:
            self.visit(target)
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        grows = (
            isinstance(called, ast.Attribute)
            and called.attr in GROWING
            and isinstance(called.value, ast.Name)
            and self._scope.may_grow(called.value.id)
        )
        if not grows:
            self.visit(called)
            _refuse_outputs(node, self._find(called))
        for one in [*node.args, *node.keywords]:
            self.visit(one)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outside = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
        for one in outside:
            if one is not None:
                self.visit(one)
        self._read_inside(node, {})

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for one in [*node.args.defaults, *node.args.kw_defaults]:
            if one is not None:
                self.visit(one)
        self._read_inside(node, {})

    def _visit_comprehension(self, node: Any) -> None:
        self.visit(node.generators[0].iter)
        targets = [generator.target for generator in node.generators]
        outer = self._scope
        self._scope = _Scope({one.id for one in _list_stores(targets)}, outer=outer)
        try:
            self.generic_visit(node)
        finally:
            self._scope = outer

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension  # noqa: N815


def _refuse_outputs(node: ast.Call, called: Any) -> None:
    """No call stores its result in an array, or counts on from a seed of its own."""
    given = {one.arg: one.value for one in node.keywords}
    if "out" in given or (isinstance(called, np.ufunc) and len(node.args) > called.nin):
        raise EffectError("out")
    if is_trusted(called) and draws_by_seed(called):
        seed = given.get("seed", ast.Constant(None))
        own = not (isinstance(seed, ast.Constant) and seed.value is None)
        if own or None in given or len(node.args) > draws_by_seed(called):
            raise EffectError("seed")
    elif "seed" in given and not is_trusted(called):
        raise EffectError("seed")


def _walk(statements: Sequence[ast.AST]) -> Iterator[Any]:
    """All nodes of a scope, without those inside of functions, and targets of comprehensions."""
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.comprehension):
            waiting += [node.iter, *node.ifs]
        elif not isinstance(node, _FUNCTIONS):
            waiting.extend(ast.iter_child_nodes(node))


def _list_stores(statements: Sequence[ast.AST]) -> list[ast.Name]:
    return [
        one
        for one in _walk(statements)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    ]


def _list_defined(statements: Sequence[ast.AST]) -> set[str]:
    """The functions that a scope defines, and the errors that it names."""
    return {
        one.name
        for one in _walk(statements)
        if isinstance(one, (ast.FunctionDef, ast.ExceptHandler)) and one.name
    }
