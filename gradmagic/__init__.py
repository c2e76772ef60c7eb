"""Gradients that explain themselves: ``%%gradtape`` puts a notebook cell under a tf.GradientTape.

``%load_ext gradmagic`` loads the magics. Everything they do is also a call: :func:`gradtape` runs
a cell's text, :func:`last_run` is the record of the last one, :func:`save` writes it to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gradmagic.core.records import TapeRun

__all__ = [
    "display",
    "gradtape",
    "last_run",
    "load_ipython_extension",
    "save",
    "unload_ipython_extension",
]
__version__ = "0.1.0"


def gradtape(body: str, *sources: str, names: dict[str, Any], **options: Any) -> TapeRun:
    """Run Python code under a tf.GradientTape, as ``%%gradtape`` runs a cell.

    Parameters
    ----------
    body
        The code.
    *sources
        What to differentiate by: ``"w"``, ``"layer.kernel"``, ``"params['w']"``, ``"model"``. None:
        what the tape watches by itself.
    names
        The namespace in which it runs, such as ``globals()``; ``tape`` and ``grads`` are added.
    **options
        ``target``, ``persistent``, ``watch_accessed_variables``, ``unconnected_gradients``,
        ``tape``, ``jacobian``, ``hessian``, ``graph``: as the options of the magic.

    Returns
    -------
    TapeRun
        The record; show it with :func:`display`, keep it with :func:`save`.

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: a source or the target is missing or no tensor.
    """
    from gradmagic.core import runs
    from gradmagic.core.cell import parse_cell
    from gradmagic.core.tape import Options, run_cell

    cell = parse_cell(body, sources)
    asked = Options(sources=sources, **options)
    run = run_cell(cell, names, asked)
    return runs.remember(run, body, names.get(asked.tape))


def last_run() -> TapeRun:
    """The record of the last cell that ran under the tape; LookupError before the first."""
    from gradmagic.core import runs

    return runs.last_run()


def display(run: TapeRun) -> None:
    """Show a run's report: below the cell of a notebook, as text in a terminal."""
    from gradmagic import magics

    magics.display(run)


def save(run: TapeRun, path: str | Path) -> None:
    """Write a run's report to a file that needs no kernel and no network: ``.html`` or ``.txt``."""
    from gradmagic import show

    show.save(run, path)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext gradmagic``: register the magics and their completion."""
    from gradmagic import magics

    magics.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext gradmagic``: take the magics and their completion away."""
    from gradmagic import magics

    magics.unload(shell)
