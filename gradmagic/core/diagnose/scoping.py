"""The scopes of a cell's names: functions, lambdas and comprehensions have names of their own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from gradmagic.core.cell import find_bindings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def find_scopes(tree: ast.AST) -> Mapping[ast.AST, int]:
    """The number of the scope that each name and parameter belongs to; 0 is the cell's own.

    Functions and classes belong to the cell wherever they are defined, and ``self`` too: by these
    names a method is found from where it is called.
    """
    finder = _ScopeFinder()
    finder.visit(tree)
    return finder.found


def list_parameters(function: Function) -> list[ast.arg]:
    """All parameters of a function, in the order in which they are written."""
    given = function.args
    found = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [one for one in found if one is not None]


def list_defaults(function: Function) -> list[tuple[ast.arg, ast.expr]]:
    """The parameters that have a default value, with it."""
    given = function.args
    places = [*given.posonlyargs, *given.args]
    pairs = [*zip(places[::-1], given.defaults[::-1])]  # noqa: B905  (the first have none)
    pairs += [
        (one, default)
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is not None
    ]
    return pairs


def bind(function: Function, call: ast.Call) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters that a call gives values to, with these."""
    given = function.args
    places = [one for one in (*given.posonlyargs, *given.args) if one.arg not in ("self", "cls")]
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if any(isinstance(one, ast.Starred) for one in call.args) or None in {
        keyword.arg for keyword in call.keywords
    }:
        yield from ((one, value) for one in list_parameters(function) for value in values)
        return
    named = {one.arg: one for one in (*places, *given.kwonlyargs)}
    pairs = [
        *((places[i] if i < len(places) else given.vararg, one) for i, one in enumerate(call.args)),
        *((named.get(one.arg or "", given.kwarg), one.value) for one in call.keywords),
    ]
    yield from ((parameter, value) for parameter, value in pairs if parameter is not None)


class _ScopeFinder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: dict[ast.AST, int] = {}
        self.around: list[tuple[int, frozenset[str]]] = []  # the scopes that are open
        self.count = 0

    def visit_Name(self, node: ast.Name) -> None:
        self.found[node] = self._look_up(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self.found[node] = self._look_up(node.arg)

    def _look_up(self, name: str) -> int:
        return next((scope for scope, own in reversed(self.around) if name in own), 0)

    def _visit_function(self, node: Function) -> None:
        for outside in [
            *getattr(node, "decorator_list", ()),
            *(d for _p, d in list_defaults(node)),
        ]:
            self.visit(outside)
        parameters = list_parameters(node)
        own = {one.arg for one in parameters}
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        if not isinstance(node, ast.Lambda):
            own |= _list_bound(node)
        self._enter(own - {"self"}, [*parameters, *body])

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function

    def _visit_comprehension(self, node: Any) -> None:
        first, *others = node.generators
        self.visit(first.iter)  # that is evaluated outside
        targets = [one.target for one in node.generators]
        own = {n.id for one in targets for n in ast.walk(one) if isinstance(n, ast.Name)}
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        tests = [test for one in node.generators for test in one.ifs]
        self._enter(own, [*targets, *(one.iter for one in others), *tests, *elements])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def _enter(self, own: set[str], parts: Iterable[ast.AST]) -> None:
        self.count += 1
        self.around.append((self.count, frozenset(own)))
        for part in parts:
            self.visit(part)
        self.around.pop()


def _list_bound(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names that a function's body binds as its own."""
    inside = list(ast.walk(ast.Module(function.body, [])))
    shared = {
        name for one in inside if isinstance(one, (ast.Global, ast.Nonlocal)) for name in one.names
    }
    made = {
        one.name
        for one in inside
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    return find_bindings(ast.Module(function.body, [])).keys() - shared - made
