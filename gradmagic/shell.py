"""What is asked of IPython's shell: a cell's code, what identifies it, what ran before it."""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def compile_body(shell: Any, magic: str, text: str, sources: Sequence[str]) -> Any:
    """The body, after IPython's own transformations, under the name of the notebook's cell."""
    __tracebackhide__ = True
    from gradmagic.core.cell import compile_cell, find_root

    roots = [find_root(source) for source in sources]
    number, offset = _place_cell(shell, text)
    body = shell.transform_cell(text)
    whole = "\n" * (offset - 1) + f"{magic}\n{body}"
    filename = shell.compile.cache(whole, number, raw_code=whole)
    padded = "\n" * offset + body  # so that a SyntaxError tells the notebook's line
    flags = shell.compile.flags
    tree = compile(padded, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    tree = shell.transform_ast(tree)
    return compile_cell(
        text, tree, filename=filename, first_line=offset + 1, roots=roots, flags=flags
    )


def _place_cell(shell: Any, text: str) -> tuple[int, int]:
    """The number of the notebook's cell, and how many lines stand before the body in it.

    These are the magic's own line and blank ones, which IPython strips before it runs the cell.
    """
    history = _read_history(shell)
    raw = history[-1].rstrip()
    if raw.lstrip().startswith("%%") and raw.endswith(text.rstrip()):
        # IPython 9 counts a cell before it runs, earlier ones after; the history does not differ
        return len(history) - 1, raw.removesuffix(text.rstrip()).count("\n")
    return shell.execution_count, 1


def read_cell(shell: Any) -> tuple[int | None, str]:
    """The number of the cell that runs, and all of it as it was typed; None and "" without one."""
    if shell is None:
        return None, ""
    typed, history = _read_request(shell, "content").get("code", ""), _read_history(shell)
    if history[-1].strip() and (not typed or typed.strip() == history[-1].strip()):
        return len(history) - 1, typed or history[-1]
    return None, typed


def list_earlier(shell: Any) -> list[str]:
    """The code of the cells that ran before this one."""
    return _read_history(shell)[1:-1]


def identify_cell(shell: Any, line: str, text: str) -> str:
    """What stays the same when a cell is run again: the front-end's id of it, else its text."""
    return _find_cell_id(shell) or hashlib.sha256(f"{line}\n{text}".encode()).hexdigest()


def identify_line(shell: Any, line: str) -> str:
    """The same for a line magic, of which a cell may hold several."""
    return f"{line} {_find_cell_id(shell)}"


def _find_cell_id(shell: Any) -> str:
    return _read_request(shell, "metadata").get("cellId") or ""


def _read_request(shell: Any, part: str) -> dict[str, Any]:
    """A part of the front-end's request that is being answered; empty where there is none."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent.get(part) or {}


def _read_history(shell: Any) -> list[str]:
    """All cells as they were typed, by their numbers; the last one runs."""
    manager = getattr(shell, "history_manager", None)
    return list(manager.input_hist_raw) if manager else [""]
