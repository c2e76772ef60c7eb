"""The cell's code as evidence: its statements, what flows between its names, and mended lines."""

from __future__ import annotations

import ast
import copy
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.variables import (
    Variables,
    holds,
    tells_only_shape,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from gradmagic.core.diagnose.scoping import Function
    from gradmagic.core.diagnose.variables import Variable

LONGEST_CODE = 60  # characters of code in a sentence


@dataclass(frozen=True, eq=False)
class Step:
    """A statement, or the head of a compound one.

    ``takes`` are the variables that it reads, ``gives`` those that it can change, each with the
    ones that its value can come from. ``tests`` are the branches and loops that decide whether it
    runs.
    """

    node: ast.stmt
    takes: frozenset[Variable]
    gives: Mapping[Variable, AbstractSet[Variable]]
    tests: tuple[Step, ...] = ()

    @functools.cached_property
    def reads(self) -> frozenset[str]:
        """The names of what it reads, in whatever scope."""
        return frozenset(variable.name for variable in self.takes)

    @functools.cached_property
    def writes(self) -> frozenset[str]:
        """The names of what it can change, in whatever scope."""
        return frozenset(variable.name for variable in self.gives)


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
    def variables(self) -> Variables:
        """What its names stand for."""
        return Variables(self.tree, self.modules)

    @functools.cached_property
    def functions(self) -> Mapping[str, Function]:
        """The functions that the cell defines, methods and named lambdas included, by name."""
        return {name: same[-1] for name, same in self.variables.functions.items()}

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
        held = [s for s in self.steps if line is not None and holds(s.node, line)]
        return held[-1] if held else None

    def list_steps(self, line: int) -> list[Step]:
        """The statements of which a line holds a part of their own, not only of their body."""
        return [
            step
            for step in self.steps
            if any(holds(head, line) for head in list_heads(step.node) if hasattr(head, "lineno"))
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

    def stands_alone(self, line: int | None) -> bool:
        """Whether the statement on a line has its lines for itself: other code can take its place.

        A compound one is meant as a whole.
        """
        step = self.find_step(line)
        if step is None or (hasattr(step.node, "body") and step.node.lineno != line):
            return False
        around = (node for node in ast.walk(self.tree) if hasattr(node, "body"))
        return not any(_shares_lines(step.node, parent) for parent in around)

    def trace_forward(self, variables: Iterable[Variable]) -> frozenset[Variable]:
        """The variables whose values may come from some, these included."""
        reached, before = set(variables), -1
        while len(reached) != before:
            before = len(reached)
            for step in self.steps:
                reached |= {v for v, origins in step.gives.items() if origins & reached}
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
        heads = list_heads(node)
        takes = {variable for part in heads for variable in self.variables.read(part)}
        if isinstance(node, ast.AugAssign):
            takes |= self.variables.place(node.target)
        return Step(node, frozenset(takes), self.variables.give(node, heads, takes), tests)


def find_base(node: ast.expr) -> str | None:
    """The name that a dotted or indexed expression begins with; None for any other."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def list_values(part: ast.AST) -> set[str]:
    """The names whose values an expression reads, not only their shape or kind."""
    if tells_only_shape(part):
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


def _shares_lines(node: ast.stmt, parent: ast.AST) -> bool:
    """Whether a statement of a block shares a line with another one, or with the block's head."""
    end = getattr(parent, "lineno", 0)  # of what comes before the block
    for name, value in ast.iter_fields(parent):
        parts = value if isinstance(value, list) else [value]
        if any(one is node for one in parts):
            headed = name != "body" and end  # by a line of its own: else, finally
            first = parts[0] is node and node.lineno < end + (2 if headed else 1)
            return first or any(_overlaps(one, node) for one in parts if one is not node)
        nodes = (n for one in parts if isinstance(one, ast.AST) for n in ast.walk(one))
        end = max(end, *(getattr(n, "end_lineno", None) or 0 for n in nodes), 0)
    return False


def _overlaps(one: ast.stmt, other: ast.stmt) -> bool:
    return holds(one, other.lineno) or holds(other, one.lineno)


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
