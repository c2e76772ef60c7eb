"""What earlier cells did with a name, read from their code: nothing recorded them."""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.code import CellCode, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MOST_CELLS = 200  # the last ones, that are read
MOST_STEPS = 5  # statements that a fix repeats
_VARIABLE = re.compile(r"\b(tf|keras|tensorflow)\.Variable\b|\bVariable\(")


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
    def steps(self) -> list[Step]:
        """Each statement as one step with all that it holds."""
        found = []
        for text in self.cells:
            code = "\n".join("" if _is_magic(line) else line for line in text.splitlines())
            try:
                tree = ast.parse(code)
            except SyntaxError:
                continue
            found += [_join(CellCode(ast.Module([node], []), self.modules)) for node in tree.body]
        return found

    def trace(self, name: str, root: str) -> list[ast.stmt]:
        """The statements that computed ``name`` from ``root``, in order; empty where none did."""
        wanted, back = {name}, []
        for step in reversed(self.steps):
            if step.writes & wanted:
                back.append(step)
                if root in step.writes:  # what came before was another tensor
                    wanted -= step.writes
                    continue
                wanted = (wanted - step.writes) | step.reads
        derived, found = {root}, []
        for step in reversed(back):
            if step.reads & derived and root not in step.writes:
                derived |= step.writes
                found.append(step.node)
        return found if name in derived and name != root else []

    def find_replacing(self, name: str) -> ast.stmt | None:
        """The statement that bound a tensor to a name that had a tf.Variable, where it is the last.

        It is known by reading the name itself, as in ``x = x + 1``.
        """
        if not any("Variable" in text and name in text for text in self.cells):
            return None
        bindings = [step for step in self.steps if name in _list_bound(step.node)]
        if not bindings or name not in bindings[-1].reads:
            return None
        made = next((step for step in reversed(bindings) if name not in step.reads), None)
        was_variable = made is not None and _VARIABLE.search(ast.unparse(made.node))
        is_variable = _VARIABLE.search(ast.unparse(bindings[-1].node))
        return bindings[-1].node if was_variable and not is_variable else None


def _is_magic(line: str) -> bool:
    return line.lstrip().startswith(("%", "!"))


def _join(code: CellCode) -> Step:
    """A statement as one step with all that it holds."""
    reads = frozenset(name for step in code.steps for name in step.reads)
    writes = frozenset(name for step in code.steps for name in step.writes)
    return Step(code.tree.body[0], reads, writes)


def _list_bound(node: ast.stmt) -> set[str]:
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}
