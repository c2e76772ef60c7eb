"""The cell's code as evidence: its statements, what flows between its names, and mended lines."""

from __future__ import annotations

import ast
import copy
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

LONGEST_CODE = 60  # characters of code in a sentence
_SHAPES = frozenset({"shape", "dtype", "ndim", "name", "size"})
_ASKING = frozenset({"len", "isinstance", "type", "id", "hash", "print", "repr"})
_SHAPE_CALLS = frozenset({"shape", "size", "rank", "zeros_like", "ones_like", "ref"})


@dataclass(frozen=True, eq=False)
class Step:
    """A statement, or the head of a compound one: the names it reads and those it can change.

    ``tests`` are the branches and loops that decide whether it runs.
    """

    node: ast.stmt
    reads: frozenset[str]
    writes: frozenset[str]
    tests: tuple[Step, ...] = ()


class CellCode:
    """The code of a cell.

    Parameters
    ----------
    tree
        Its syntax tree, with the notebook's line numbers.
    modules
        Names of modules, which no value flows through.
    """

    def __init__(self, tree: ast.Module, modules: Collection[str] = ()) -> None:
        self.tree = tree
        self.modules = frozenset(modules)

    @functools.cached_property
    def functions(self) -> Mapping[str, ast.FunctionDef | ast.Lambda]:
        """The functions that the cell defines, methods and named lambdas included, by name."""
        found: dict[str, ast.FunctionDef | ast.Lambda] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                targets = [target for target in node.targets if isinstance(target, ast.Name)]
                found |= {target.id: node.value for target in targets}
        return found

    @functools.cached_property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """The classes that the cell defines, by name."""
        return {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)}

    @functools.cached_property
    def steps(self) -> list[Step]:
        """All statements, functions' own included, in the order of their lines."""
        return list(self._list_steps(self.tree.body, ()))

    def find_step(self, line: int | None) -> Step | None:
        """The innermost statement that holds a line."""
        held = [s for s in self.steps if line is not None and _holds(s.node, line)]
        return held[-1] if held else None

    def list_steps(self, line: int) -> list[Step]:
        """The statements of which a line holds a part of their own, not only of their body."""
        return [
            step
            for step in self.steps
            if any(_holds(head, line) for head in list_heads(step.node) if hasattr(head, "lineno"))
        ]

    def find_nodes(self, line: int | None, kind: type[ast.expr]) -> list[ast.expr]:
        """The expressions of a kind that begin on a line or lie around it, innermost last."""
        step = self.find_step(line)
        if step is None or line is None:
            return []
        found = [n for part in list_heads(step.node) for n in ast.walk(part) if isinstance(n, kind)]
        held = [n for n in found if n.lineno <= line <= (n.end_lineno or n.lineno)]
        return sorted(held, key=lambda n: (n.lineno, n.col_offset, -(n.end_col_offset or 0)))

    def replace(self, line: int | None, old: ast.expr, new: str) -> str:
        """The statement on ``line`` with one expression replaced: a single line of code."""
        step = self.find_step(line)
        if step is None:
            return ""
        if hasattr(step.node, "body"):
            return ""
        changed = _Replacer(old, ast.parse(new, mode="eval").body).visit(copy.deepcopy(step.node))
        return ast.unparse(changed)

    def write_line(self, line: int | None) -> str:
        """The simple statement on a line, as code; empty for a compound one."""
        step = self.find_step(line)
        return "" if step is None or hasattr(step.node, "body") else ast.unparse(step.node)

    def trace_forward(self, names: set[str]) -> frozenset[str]:
        """The names whose values may come from ``names``, these included."""
        reached, before = set(names), -1
        while len(reached) != before:
            before = len(reached)
            for step in self.steps:
                if not reached.isdisjoint(step.reads):
                    reached |= step.writes
        return frozenset(reached)

    def _list_steps(self, body: list[ast.stmt], tests: tuple[Step, ...]) -> Iterator[Step]:
        for node in body:
            step = self._make_step(node, tests)
            yield step
            inside = tests
            if isinstance(node, (ast.If, ast.While, ast.For)):
                inside = (*tests, step)
            for field in ("body", "orelse", "finalbody"):
                yield from self._list_steps(getattr(node, field, None) or [], inside)
            for branch in [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]:
                yield from self._list_steps(branch.body, inside)

    def _make_step(self, node: ast.stmt, tests: tuple[Step, ...]) -> Step:
        reads: set[str] = set()
        writes: set[str] = set()
        for part in list_heads(node):
            reads |= list_values(part)
            for inner in ast.walk(part):
                if isinstance(inner, ast.Attribute) and inner.attr in self.functions:
                    reads.add(inner.attr)  # a method
                if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                    writes.add(inner.id)
                elif isinstance(inner, ast.Call):
                    writes |= self._list_changed(inner)
                elif isinstance(inner, (ast.Subscript, ast.Attribute)) and isinstance(
                    inner.ctx, ast.Store
                ):
                    writes |= {base} if (base := find_base(inner)) else set()
        if isinstance(node, ast.AugAssign):
            reads |= writes
        if isinstance(node, ast.FunctionDef):
            writes.add(node.name)
        if isinstance(node, ast.Return):
            around = (name for name, f in self.functions.items() if _holds(f, node.lineno))
            writes |= set(around)
        if isinstance(node, ast.Return) or "self" in writes:  # an object is named by its class
            writes |= {name for name, c in self.classes.items() if _holds(c, node.lineno)}
        return Step(node, frozenset(reads - self.modules), frozenset(writes - self.modules), tests)

    def _list_changed(self, call: ast.Call) -> set[str]:
        """Names that a call can change: what a method is called on; parameters of own functions."""
        written: set[str] = set()
        called = str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))
        if called in self.classes:
            called = "__init__"
        elif isinstance(call.func, ast.Name) and called not in self.functions:
            called = "__call__"
        if called in self.functions:
            arguments = self.functions[called].args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            written = {one.arg for one in every if one.arg != "self"}
        base = find_base(call.func)  # xs.append(t) changes xs
        if base and isinstance(call.func, ast.Attribute) and (call.args or call.keywords):
            written.add(base)
        return written


def find_base(node: ast.expr) -> str | None:
    """The name that a dotted or indexed expression begins with; None for any other."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def list_values(part: ast.AST) -> set[str]:
    """The names whose values an expression reads, not only their shape or kind."""
    if isinstance(part, ast.Attribute) and part.attr in _SHAPES:
        return set()
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in _ASKING:
        return set()
    if isinstance(part, ast.Call) and getattr(part.func, "attr", None) in _SHAPE_CALLS:
        return set()
    if isinstance(part, ast.Name):
        return {part.id} if isinstance(part.ctx, ast.Load) else set()
    return {name for child in ast.iter_child_nodes(part) for name in list_values(child)}


def shorten_code(code: str) -> str:
    """Code as it fits into a sentence."""
    return code if len(code) <= LONGEST_CODE else code[: LONGEST_CODE - 1] + "\u2026"


def list_heads(node: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that are its own: of a compound one, its head without its body."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [*node.decorator_list, *node.args.defaults]
    if isinstance(node, ast.ClassDef):
        return [*node.bases]
    if not hasattr(node, "body"):
        return [node]
    blocks = {"body", "orelse", "finalbody", "handlers", "cases"}
    return [
        child
        for name, value in ast.iter_fields(node)
        if name not in blocks
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, ast.AST)
    ]


def _holds(node: ast.AST, line: int) -> bool:
    return node.lineno <= line <= node.end_lineno  # type: ignore[attr-defined]


class _Replacer(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old = old
        self.place = (old.lineno, old.col_offset, old.end_lineno, old.end_col_offset)
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        if type(node) is type(self.old):
            place = tuple(
                getattr(node, name)
                for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")
            )
            if place == self.place:
                return self.new
        return self.generic_visit(node)
