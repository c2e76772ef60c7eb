"""What earlier cells did with a name, read from their code: nothing recorded them."""

from __future__ import annotations

import ast
import copy
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradmagic.core.cell import find_bindings
from gradmagic.core.diagnose.code import CellCode
from gradmagic.core.diagnose.variables import ANY, Variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

MOST_CELLS = 200  # the last ones, that are read
MOST_STEPS = 5  # statements that a fix repeats
_VARIABLE = re.compile(r"\b(tf|keras|tensorflow)\.Variable\b|\bVariable\(")


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement of an earlier cell with all that it holds.

    Attributes
    ----------
    gives
        The variables that it can change, each with those that its value can come from. (What only
        decides whether something runs gives no value.)
    bound
        The names that it can bind.
    changed
        Names whose objects it changes, as ``xs.append(t)`` does, or which it binds to what they
        held, as ``y = y + w`` does.
    whole
        Whether what it binds replaces what was there: not so of what a loop may bind.
    """

    node: ast.stmt
    gives: Mapping[Variable, AbstractSet[Variable]]
    bound: AbstractSet[str]
    changed: AbstractSet[str]
    whole: bool

    @functools.cached_property
    def reads(self) -> frozenset[str]:
        """The names that it reads as they were before it."""
        names = {one.name for origins in self.gives.values() for one in origins if not one.scope}
        return frozenset(names - (self.bound - self.changed))

    def give(self, variables: AbstractSet[Variable]) -> set[Variable]:
        """What it changes that can come from some variables."""
        return {one for one, origins in self.gives.items() if not origins.isdisjoint(variables)}


class History:
    """The statements of the earlier cells, in the order in which they ran.

    Parameters
    ----------
    cells
        The cells' code; of magics, their bodies.
    modules
        Names of modules.
    """

    def __init__(self, cells: Sequence[str], modules: Collection[str]) -> None:
        self.cells = cells[-MOST_CELLS:]
        self.modules = modules

    @functools.cached_property  # (most runs never ask)
    def statements(self) -> list[Statement]:
        """The statements, each with all that it holds."""
        found: list[Statement] = []
        for text in self.cells:
            modules = frozenset(name for name in self.modules if name in text)
            found += _read_cell(text, modules)
        return found

    def trace(self, name: str, root: str) -> list[Statement]:
        """The statements that computed ``name`` from ``root``, in order; empty where none did."""
        if name == root:
            return []
        derived, found = {Variable(root)}, []
        for one in self._list_leading(name, root):
            given = one.give(derived)
            if root in {variable.name for variable in given}:
                continue
            derived = {v for v in derived if v.name == root or not _replaces(one, v)} | given
            found += [one] if given else []
        return found if any(variable.name == name for variable in derived) else []

    def complete(self, found: Sequence[Statement], name: str, root: str) -> list[Statement]:
        """Statements with those that first made the objects which they change.

        Empty where one of these is not known, or a name that they read holds something else since:
        then they cannot be run again.
        """
        leading = self._list_leading(name, root)
        kept, before = list(found), -1
        while len(kept) != before:
            before = len(kept)
            changed = {one for statement in kept for one in statement.changed} - {root}
            kept = [s for s in leading if s in kept or changed & {v.name for v in s.gives}]
        first = {one: next(s for s in kept if one in {v.name for v in s.gives}) for one in changed}
        known = all(s.whole and one in s.bound - s.changed for one, s in first.items())
        return kept if known and self._read_the_same(kept) else []

    def _read_the_same(self, kept: Sequence[Statement]) -> bool:
        """Whether statements would read now what they read then: nothing bound it anew."""
        last = {id(one): place for place, one in enumerate(self.statements)}
        own = {id(one) for one in kept}
        return not any(
            one.reads & later.bound
            for one in kept
            for later in self.statements[last[id(one)] + 1 :]
            if id(later) not in own
        )

    def _list_leading(self, name: str, root: str) -> list[Statement]:
        """The statements that may have had a part in what ``name`` holds, in order."""
        wanted, found = {Variable(name), Variable(name, key=ANY)}, []
        for one in reversed(self.statements):
            given = wanted & one.gives.keys()
            if not given:
                continue
            found.append(one)
            wanted = {v for v in wanted if not _replaces(one, v)}
            if root not in one.bound:  # (else what came before was another tensor)
                wanted |= {origin for v in given for origin in one.gives[v]}
        return found[::-1]

    def find_replacing(self, name: str) -> ast.stmt | None:
        """The statement that bound a tensor to a name that had a tf.Variable, where it is the last.

        It is known by reading the name itself, as in ``x = x + 1``.
        """
        if not any("Variable" in text and name in text for text in self.cells):
            return None
        bindings = [one for one in self.statements if name in one.bound]
        if not bindings or not _reads_itself(bindings[-1], name):
            return None
        made = next((one for one in reversed(bindings) if not _reads_itself(one, name)), None)
        was_variable = made is not None and _VARIABLE.search(ast.unparse(made.node))
        is_variable = _VARIABLE.search(ast.unparse(bindings[-1].node))
        return bindings[-1].node if was_variable and not is_variable else None


def _is_magic(line: str) -> bool:
    return line.lstrip().startswith(("%", "!"))


@functools.lru_cache(2 * MOST_CELLS)  # (a long notebook takes a second; most of it stays)
def _read_cell(text: str, modules: frozenset[str]) -> tuple[Statement, ...]:
    code = "\n".join("" if _is_magic(line) else line for line in text.splitlines())
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ()
    return tuple([_read(node, modules) for node in tree.body])


def _read(node: ast.stmt, modules: Collection[str]) -> Statement:
    bound = find_bindings(ast.Module([node], [])).keys()
    code = CellCode(ast.Module([_TestRemover().visit(copy.deepcopy(node))], []), modules)
    takes = {one for step in code.steps for one in step.takes if not one.scope}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):  # runs only later
        return Statement(node, {Variable(node.name): takes}, bound, frozenset(), whole=True)
    reached = {one: code.trace_forward({one}) for one in takes}
    given = {one for step in code.steps for one in step.gives if not one.scope}
    gives = {one: {origin for origin in takes if one in reached[origin]} for one in given}
    simple = not hasattr(node, "body")
    changed = {one.name for one in code.variables.changed if not one.scope}
    reader = _EarlyReader()
    reader.visit(node)
    return Statement(node, gives, bound, changed | (reader.read & bound), whole=simple)


class _EarlyReader(ast.NodeVisitor):
    """Finds the names that a statement reads before it binds them."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._bound: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bound.add(node.id)
        elif node.id not in self._bound:
            self.read.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name) and node.target.id not in self._bound:
            self.read.add(node.target.id)
        self.visit(node.target)

    def visit_For(self, node: ast.For) -> None:
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def _pass_over(self, node: Any) -> None:
        """What is in a function runs only later."""

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _pass_over  # noqa: N815


class _TestRemover(ast.NodeTransformer):
    """Takes away what only chooses: no value of it goes on."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = ast.copy_location(ast.Constant(value=True), node.test)
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = []
        return self.generic_visit(node)


def _replaces(statement: Statement, variable: Variable) -> bool:
    """Whether a variable holds nothing any more of what it did before a statement."""
    replaced = statement.bound - statement.changed if statement.whole else frozenset()
    return not variable.scope and variable.name in replaced


def _reads_itself(statement: Statement, name: str) -> bool:
    return any(one.name == name for origins in statement.gives.values() for one in origins)
