"""Cells with the diagnosis that each must get, and cells that must not get one: how both are run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from gradmagic.core.records import Diagnosis, TapeRun

IMPORTS = "import math\nimport numpy as np\nimport tensorflow as tf\nimport keras\n"


@dataclass(frozen=True)
class Case:
    """A cell that must get a diagnosis.

    Attributes
    ----------
    kind
        The kind that it must get.
    cell
        The body of the ``%%gradtape`` cell.
    sources
        The words of the magic's line.
    before
        Earlier cells, in order, in which tensorflow as tf, keras, numpy as np and math are there.
    subject, line, op, says
        The diagnosis' fields (``says``: a part of its message); None: not looked at.
    also
        Other kinds that the cell rightly gets; it must get no more.
    fixed
        Whether there is a fix; if so it is pasted in and run, and the diagnosis must be gone.
    """

    kind: str
    cell: str
    sources: str = "w"
    before: tuple[str, ...] | str = ()
    subject: str | None = None
    line: int | None = None
    op: str | None = None
    says: str | None = None
    also: tuple[str, ...] = ()
    fixed: bool = True


@dataclass(frozen=True)
class NearMiss:
    """A cell that looks as if it should get a diagnosis of this kind, and must not."""

    kind: str
    cell: str
    sources: str = "w"
    before: tuple[str, ...] | str = ()


def run(
    shell: InteractiveShell, case: Case | NearMiss, *, cell: str | None = None, line: str = ""
) -> TapeRun:
    """Run the earlier cells and then the cell, in one namespace, and return its record."""
    import gradmagic

    for earlier in (shell.history_manager.input_hist_raw, shell.history_manager.input_hist_parsed):
        earlier[1:] = []
    shell.execution_count = 1  # (the two count together, as in a kernel that has just started)
    before = (case.before,) if isinstance(case.before, str) else case.before
    body = case.cell if cell is None else cell
    for text in (IMPORTS, *before, f"{line or f'%%gradtape {case.sources}'} -q\n{body}"):
        # (stored, as a notebook's cells are: what was computed in earlier ones is evidence)
        shell.run_cell(text, store_history=True, silent=False).raise_error()
    return gradmagic.last_run()


def apply_fix(case: Case, diagnosis: Diagnosis) -> tuple[str, str]:
    """The cell and the magic's line with the fix pasted where its record says."""
    fix, body = diagnosis.fix, case.cell.strip("\n")
    if fix.startswith("%%"):
        return body, fix
    if diagnosis.line is None:
        return f"{fix}\n{body}", ""
    lines = body.split("\n")
    held = [
        node
        for node in ast.walk(ast.parse(body))
        if isinstance(node, ast.stmt)
        and node.lineno <= diagnosis.line - 1 <= (node.end_lineno or node.lineno)
    ]
    inner: Any = min(held, key=lambda node: (node.end_lineno or 0) - node.lineno)
    indent = " " * inner.col_offset
    pasted = [indent + text for text in fix.split("\n")]
    lines[inner.lineno - 1 : inner.end_lineno] = pasted
    return "\n".join(lines), ""
