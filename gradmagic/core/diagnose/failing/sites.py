"""Where an exception left the notebook's code.

The traceback's innermost frame of it tells the expression: to the column from Python 3.11 on,
before that only its line.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, TracebackType


@dataclass(frozen=True, eq=False)
class Site:
    """Where an exception left the notebook's code: the traceback's entry, and the code around.

    ``in_cell`` is False for a function that an earlier cell defined.
    """

    entry: TracebackType
    tree: ast.Module
    in_cell: bool

    @property
    def is_settled(self) -> bool:
        """Whether no except or finally has run since, in which names may have been bound anew."""
        frame = self.entry.tb_frame
        written = "__autograph_generated_file" in frame.f_code.co_filename  # (with its own except)
        return written or frame.f_lineno == self.entry.tb_lineno


def find_site(error: BaseException, filename: str, tree: ast.Module) -> Site | None:
    """Where an exception left the notebook's own code.

    Parameters
    ----------
    error
        The exception.
    filename
        The file name under which the cell was compiled.
    tree
        The cell's syntax tree, with the notebook's line numbers.

    Returns
    -------
    Site or None
        None where it did not come through the cell.
    """
    entries = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    own = [one for one in entries if one.tb_frame.f_code.co_filename == filename]
    if not own:
        return None
    # functions of earlier cells have the same names around them
    notebook = own[-1].tb_frame.f_globals
    last = [one for one in entries if one.tb_frame.f_globals is notebook][-1]
    if last.tb_frame.f_code.co_filename == filename:
        return Site(last, tree, in_cell=True)
    elsewhere = _parse_source(last.tb_frame.f_code.co_filename)
    return None if elsewhere is None else Site(last, elsewhere, in_cell=False)


def _parse_source(filename: str) -> ast.Module | None:
    """The code of an earlier cell, without the line of a cell magic."""
    lines = ["\n" if line.startswith("%%") else line for line in linecache.getlines(filename)]
    try:
        return _AsTyped().visit(ast.parse("".join(lines)))
    except (SyntaxError, ValueError):
        return None


class _AsTyped(ast.NodeTransformer):
    """Code that AutoGraph wrote, as it was before: ``x`` for ``ag__.ld(x)``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name == "ag__.ld":
            return node.args[0]
        if name == "ag__.converted_call" and isinstance(node.args[1], ast.Tuple):
            named = node.args[2]
            keywords = named.keywords if isinstance(named, ast.Call) else []
            plain = ast.Call(node.args[0], node.args[1].elts, keywords)
            return ast.copy_location(plain, node)
        return node


def find_nodes(site: Site, kinds: tuple[type[Any], ...]) -> tuple[list[Any], bool]:
    """The code there of some kinds: what raised, and True; else all that lies on its line."""
    nodes: list[Any] = [node for node in ast.walk(site.tree) if isinstance(node, kinds)]
    place = find_place(site.entry.tb_frame.f_code, site.entry.tb_lasti)
    exact = [
        node
        for node in nodes
        if (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) == place
    ]
    line = site.entry.tb_lineno
    around = [node for node in nodes if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return exact or around, bool(exact)


def find_place(code: CodeType, instruction: int) -> tuple[int | None, ...] | None:
    """Lines and columns of the code of an instruction; None before Python 3.11."""
    if not hasattr(code, "co_positions"):
        return None
    return dict(enumerate(code.co_positions())).get(instruction // 2)
