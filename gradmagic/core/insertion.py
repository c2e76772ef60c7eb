"""Statements put between the lines of a cell, where names are bound, without touching the rest."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gradmagic.core.records import CodeLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.cell import Cell

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, eq=False)
class Site:
    """A place that binds a name or a part of it, on the lines ``first`` to ``last``.

    ``kind`` says where what follows the binding belongs: ``"after"`` the statement ``node``, at
    the start of the ``"block"`` of statements ``node``, or around the value of the ``"walrus"``
    expression ``node``.
    """

    kind: Literal["after", "block", "walrus"]
    node: Any
    first: int
    last: int


def find_sites(tree: ast.Module, root: str) -> list[Site]:
    """The places at module level that bind ``root`` or change a part of it, in order."""
    return [site for statement in tree.body for site in _find_in_statement(statement, root)]


def _find_in_statement(statement: ast.stmt, root: str) -> Iterator[Site]:
    if isinstance(statement, _SCOPES):
        return
    yield from _find_walruses(statement, root)
    targets = find_targets(statement)
    if any(stores(target, root) for target in targets):
        if isinstance(statement, (ast.For, ast.With)):
            first, last = targets[0].lineno, targets[-1].end_lineno
            yield Site("block", statement.body, first, last or first)
        else:
            yield Site("after", statement, statement.lineno, statement.end_lineno or 0)
    for case in getattr(statement, "cases", ()):
        if any(getattr(part, "name", None) == root for part in ast.walk(case.pattern)):
            yield Site("block", case.body, case.pattern.lineno, case.pattern.end_lineno)
    blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    blocks += [one.body for name in ("handlers", "cases") for one in getattr(statement, name, ())]
    for block in blocks:
        for inner in block:
            yield from _find_in_statement(inner, root)


def _find_walruses(statement: ast.stmt, root: str) -> Iterator[Site]:
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.NamedExpr) and node.target.id == root:
            yield Site("walrus", node, node.lineno, node.end_lineno or node.lineno)
        waiting.extend(
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case, ast.Lambda))
        )


def find_targets(statement: ast.stmt) -> list[ast.expr]:
    """What a statement stores in; for a call such as ``items.append(x)``, what it is called on."""
    if isinstance(statement, (ast.Assign, ast.Delete)):
        return list(statement.targets)
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign, ast.For)):
        return [statement.target]
    if isinstance(statement, ast.With):
        return [item.optional_vars for item in statement.items if item.optional_vars]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        return [function] if isinstance(function, ast.Attribute) else []
    return []


def stores(target: ast.expr, root: str) -> bool:
    """Whether storing in ``target`` binds ``root`` or changes a part of it."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return any(stores(one, root) for one in target.elts)
    if isinstance(target, ast.Starred):
        return stores(target.value, root)
    return (isinstance(target, ast.Name) and target.id == root) or changes_part(target, root)


def changes_part(target: ast.expr, root: str) -> bool:
    """Whether storing in ``target`` changes a part of ``root``: an item or an attribute."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return any(changes_part(one, root) for one in target.elts)
    if isinstance(target, ast.Starred):
        return changes_part(target.value, root)
    part = isinstance(target, (ast.Attribute, ast.Subscript))
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return part and isinstance(target, ast.Name) and target.id == root


class Insertions:
    """A cell's lines, and what is to be put between and into them."""

    def __init__(self, cell: Cell) -> None:
        self.first_line = cell.first_line
        self.lines = cell.text.rstrip("\n").split("\n")
        self._added: dict[int, list[tuple[str, str]]] = {}  # after this line: indent, text
        self._inline: dict[tuple[int, int], list[str]] = {}  # at this line and column: text
        self._in_string: set[int] = set()  # lines that begin inside a string
        for node in ast.walk(cell.tree):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno:
                self._in_string.update(range(node.lineno + 1, node.end_lineno + 1))

    def add_after(self, statement: ast.stmt, text: str) -> None:
        """Put a statement after another, on a line of its own where the other has its own too."""
        end, column = statement.end_lineno or statement.lineno, statement.end_col_offset or 0
        rest = self._cut(end, column)[1].split("#")[0]
        before = self._cut(statement.lineno, statement.col_offset)[0]
        if not rest.strip() and not before.strip():
            self._added.setdefault(end, []).append((before, text))
        else:
            self._inline.setdefault((end, column), []).append(f"; {text}")

    def add_before(self, statement: ast.stmt, text: str) -> None:
        """Put a statement before another: at the start of a block, on a line where that is new."""
        decorators = getattr(statement, "decorator_list", [])
        line = min([statement.lineno, *(one.lineno for one in decorators)])
        before = self._cut(statement.lineno, statement.col_offset)[0]
        if not before.strip():
            self._added.setdefault(line - 1, []).append((before, text))
        else:
            place = statement.lineno, statement.col_offset
            self._inline.setdefault(place, []).append(f"{text}; ")

    def wrap(self, node: ast.expr, opening: str, closing: str) -> None:
        """Put text around an expression."""
        end = node.end_lineno or node.lineno, node.end_col_offset or 0
        self._inline.setdefault((node.lineno, node.col_offset), []).append(opening)
        self._inline.setdefault(end, []).insert(0, closing)

    def write(self, indent: str) -> list[CodeLine]:
        """All lines, indented; the inside of a multi-line string is left as it is."""
        written = self._write_added(self.first_line - 1, indent)
        for number, line in enumerate(self.lines, self.first_line):
            text = self._fill(number, line)
            keep = number in self._in_string or not text.strip()
            written.append(CodeLine(text if keep else indent + text, number))
            written += self._write_added(number, indent)
        return written

    def _write_added(self, number: int, indent: str) -> list[CodeLine]:
        return [CodeLine(indent + own + text, None) for own, text in self._added.get(number, ())]

    def _fill(self, number: int, line: str) -> str:
        raw = line.encode()
        places: Sequence[tuple[int, int]] = [p for p in self._inline if p[0] == number]
        for place in sorted(places, reverse=True):
            column, text = place[1], "".join(self._inline[place])
            raw = raw[:column] + text.encode() + raw[column:]
        return raw.decode()

    def _cut(self, number: int, column: int) -> tuple[str, str]:
        """A line's text before and after a column, which Python counts in UTF-8 bytes."""
        offset = number - self.first_line
        raw = self.lines[offset].encode() if 0 <= offset < len(self.lines) else b""
        return raw[:column].decode(), raw[column:].decode()
