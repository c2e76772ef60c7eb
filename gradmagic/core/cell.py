"""The cell's code: what it binds, how it is compiled, and a namespace that sees names being bound.

The body runs as it was written. Only two things are arranged around it: its last expression is
compiled apart, so that its value can be the target, and its module-level names are stored through
a :class:`Namespace`, which tells of each binding the moment it happens.
"""

from __future__ import annotations

import ast
import copy
import linecache
import sys
import zlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.insertion import changes_part, find_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# Storing this name says 'part of a source may have changed'. The space keeps programs from it.
CHANGED = "gradmagic changed"
# While the cell runs this name holds the function that is told of a walrus in a comprehension,
# which binds its name past the Namespace.
BOUND = "gradmagic bound"


@dataclass(frozen=True)
class Cell:
    """A cell's body, compiled.

    Attributes
    ----------
    text
        The body as it was typed (magics not yet expanded).
    tree
        Its syntax tree, with the line numbers of the cell.
    first_line
        The cell's line on which the body begins.
    filename
        The file name it was compiled under.
    body, last
        The code up to the last expression, and that expression's; ``last`` is None where the cell
        does not end in one.
    lines
        The module-level names that the code can bind, and the last line that can bind each.
    """

    text: str
    tree: ast.Module
    first_line: int
    filename: str
    body: CodeType
    last: CodeType | None
    lines: Mapping[str, int]

    @property
    def flat(self) -> bool:
        """Whether all of it runs in one frame: it holds no function, class or comprehension."""
        constants = [*self.body.co_consts, *(self.last.co_consts if self.last else ())]
        return not any(isinstance(one, CodeType) for one in constants)


def compile_cell(
    text: str,
    tree: ast.Module,
    *,
    filename: str,
    first_line: int = 1,
    roots: Collection[str] = (),
    flags: int = 0,
) -> Cell:
    """Compile a cell's body.

    Parameters
    ----------
    text, tree
        The body as typed, and its syntax tree with the cell's line numbers.
    filename
        What tracebacks call the file.
    first_line
        The cell's line on which the body begins.
    roots
        First names of the sources (``params`` of ``params['w']``): where the body changes a part
        of one, the namespace is told.
    flags
        Compiler flags, for the ``__future__`` imports of earlier cells.

    Raises
    ------
    UserError
        The body holds ``await`` outside a function.
    SyntaxError
        As Python's compiler raises it.
    """
    _refuse_await(tree)
    statements = list(tree.body)
    last = None
    if statements and isinstance(statements[-1], ast.Expr):
        end = copy.deepcopy(statements.pop())
        _WalrusTeller(frozenset(roots)).visit(end)
        expression = ast.Expression(end.value)  # type: ignore[attr-defined]
        last = compile(expression, filename, "eval", flags=flags, dont_inherit=True)
    told = [_tell_changes(statement, frozenset(roots)) for statement in copy.deepcopy(statements)]
    module = ast.Module([one for group in told for one in group], [])
    teller = _WalrusTeller(frozenset(roots))
    teller.visit(module)
    body = compile(module, filename, "exec", flags=flags, dont_inherit=True)
    return Cell(text, tree, first_line, filename, body, last, find_bindings(tree))


def parse_cell(text: str, sources: Collection[str] = ()) -> Cell:
    """Compile plain Python code as a cell of its own; raises what :func:`compile_cell` raises."""
    roots = [find_root(source) for source in sources]
    filename = f"<gradtape {zlib.crc32(text.encode()):08x}>"
    # for tracebacks, and for AutoGraph, which reads the source of functions that the code defines
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    return compile_cell(text, ast.parse(text, filename), filename=filename, roots=roots)


def find_bindings(tree: ast.AST) -> dict[str, int]:
    """The names that a module's code can bind at module level, and the last line that can."""
    collector = _BindingCollector()
    collector.visit(tree)
    return collector.lines


def find_root(expression: str) -> str:
    """The first name of a name or a dotted or indexed expression; UserError for anything else."""
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        node = None
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if not isinstance(node, ast.Name):
        raise UserError(
            _(
                "'{source}' is not a source; name a tensor, a variable or a model, "
                "as in w, layer.kernel or params['w']"
            ).format(source=expression)
        )
    return node.id


class Namespace(MutableMapping[str, Any]):
    """The namespace in which the cell runs: the user's own, with an ear at each binding.

    Parameters
    ----------
    names
        The user's namespace; everything is read from it and stored in it at once.
    on_bind
        Called with name, value and line after each binding of a name by the cell's own module-level
        code. (What a function binds by a ``global`` statement goes past it.)
    on_change
        Called with the line where a part of a source may have changed.
    filename
        The file name under which the cell was compiled: what it runs by ``exec`` or ``%time`` has
        another, and is bound on the line that runs it.
    """

    def __init__(
        self,
        names: dict[str, Any],
        on_bind: Callable[[str, Any, int], None],
        on_change: Callable[[int], None],
        filename: str,
    ) -> None:
        self._names = names
        self._on_bind = on_bind
        self._on_change = on_change
        self._filename = filename

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __setitem__(self, name: str, value: Any) -> None:
        line = self._find_line(sys._getframe(1))  # noqa: SLF001  (who stores)
        if name == CHANGED:
            self._on_change(line)
            return
        self._names[name] = value
        self._on_bind(name, value, line)

    def tell(self, name: str, value: Any) -> Any:
        """Bind a name as storing it does, and give the value back."""
        self._names[name] = value
        self._on_bind(name, value, self._find_line(sys._getframe(1)))  # noqa: SLF001
        return value

    def _find_line(self, storing: FrameType) -> int:
        """The cell's line, where the frame that stores is the cell's or one that the cell runs."""
        frame: FrameType | None = storing
        while frame is not None and frame.f_code.co_filename != self._filename:
            frame = frame.f_back
        return storing.f_lineno if frame is None else frame.f_lineno

    def __delitem__(self, name: str) -> None:
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def copy(self) -> dict[str, Any]:
        """A plain dict of the names, as ``locals().copy()`` expects."""
        return dict(self._names)


class _BindingCollector(ast.NodeVisitor):
    """Collects what is bound at module level; functions and classes are bound, not entered."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}

    def _add(self, name: str, node: Any) -> None:
        self.lines[name] = max(node.lineno, self.lines.get(name, 0))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._add(node.id, node)

    def _visit_scope(self, node: Any) -> None:
        if hasattr(node, "name"):
            self._add(node.name, node)
        shared = {n for one in ast.walk(node) if isinstance(one, ast.Global) for n in one.names}
        for inner in ast.walk(node):  # a function that binds the module's names
            name = inner.id if isinstance(inner, ast.Name) else ""
            if name in shared and isinstance(inner.ctx, ast.Store):  # type: ignore[attr-defined]
                self._add(name, inner)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _visit_scope

    def _visit_comprehension(self, node: Any) -> None:
        for inner in ast.walk(node):  # its own targets stay inside; a walrus binds outside
            if isinstance(inner, ast.NamedExpr):
                self._add(inner.target.id, inner)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for one in node.names:
            self._add(one.asname or one.name.split(".")[0], node)

    visit_ImportFrom = visit_Import

    def _visit_named(self, node: Any) -> None:
        if node.name:
            self._add(node.name, node)
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = _visit_named


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def _refuse_await(tree: ast.Module) -> None:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or (
            isinstance(node, ast.comprehension) and node.is_async
        ):
            line = node.iter.lineno if isinstance(node, ast.comprehension) else node.lineno
            raise UserError(
                _(
                    "line {line}: a cell under the tape cannot await; "
                    "await it in a cell of its own and use the result here"
                ).format(line=line)
            )
        if not isinstance(node, _FUNCTIONS):
            waiting.extend(ast.iter_child_nodes(node))


class _WalrusTeller(ast.NodeTransformer):
    """In comprehensions, makes ``(w := value)`` of a root ``(w := BOUND("w", value))``.

    Generators are left alone: they may run when the cell is over.
    """

    def __init__(self, roots: frozenset[str]) -> None:
        self.roots = roots
        self.inside = 0

    def _visit_comprehension(self, node: Any) -> Any:
        self.inside += 1
        self.generic_visit(node)
        self.inside -= 1
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = _visit_comprehension

    def _skip(self, node: Any) -> Any:
        return node

    visit_Lambda = visit_GeneratorExp = visit_FunctionDef = visit_AsyncFunctionDef = _skip
    visit_ClassDef = _skip

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Any:
        self.generic_visit(node)
        if self.inside and node.target.id in self.roots:
            call = ast.Call(
                ast.Name(BOUND, ast.Load()), [ast.Constant(node.target.id), node.value], []
            )
            node.value = ast.fix_missing_locations(ast.copy_location(call, node.value))
        return node


def _tell_changes(statement: ast.stmt, roots: frozenset[str]) -> list[ast.stmt]:
    """The statement, with a store of ``CHANGED`` after whatever in it changes a part of a root."""
    if isinstance(statement, _FUNCTIONS) or not roots:
        return [statement]
    targets = find_targets(statement)
    changes = any(changes_part(target, root) for target in targets for root in roots)
    tell = ast.Assign([ast.Name(CHANGED, ast.Store())], ast.Constant(None))
    for field in ("body", "orelse", "finalbody"):
        inner = getattr(statement, field, None)
        if inner:
            told = [one for step in inner for one in _tell_changes(step, roots)]
            opener = isinstance(statement, (ast.For, ast.With)) and field == "body"
            if opener and changes:
                told.insert(0, _place(tell, inner[0]))
            setattr(statement, field, told)
    for branch in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
        branch.body = [one for step in branch.body for one in _tell_changes(step, roots)]
    if changes and not hasattr(statement, "body"):
        return [statement, _place(tell, statement)]
    return [statement]


def _place(new: ast.stmt, old: ast.stmt) -> ast.stmt:
    return ast.fix_missing_locations(ast.copy_location(new, old))
