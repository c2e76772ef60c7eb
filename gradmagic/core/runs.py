"""A kernel's memory of its runs: the last one, and the losses of each cell's runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun

MOST_LOSSES = 500  # a cell's history
MOST_CELLS = 200  # cells with a history; the one that ran longest ago is forgotten first

_last: TapeRun | None = None
_losses: dict[str, tuple[float, ...]] = {}


def remember(run: TapeRun, key: str) -> TapeRun:
    """Keep a run as the last one, and give it the history of its cell.

    Only the last run is kept: its tensors go when the next run comes.

    Parameters
    ----------
    run
        The run, whose ``history`` holds its own loss alone.
    key
        What identifies the cell.
    """
    global _last  # noqa: PLW0603  (a kernel has one last run)
    history = (*_losses.pop(key, ()), *run.history)[-MOST_LOSSES:]
    _losses[key] = history
    while len(_losses) > MOST_CELLS:
        del _losses[next(iter(_losses))]
    _last = replace(run, history=history, first=_last is None)
    return _last


def last_run() -> TapeRun:
    """The record of the last ``%%gradtape`` cell.

    Raises
    ------
    LookupError
        No cell has run under the tape yet.
    """
    if _last is None:
        raise LookupError("no cell has run under %%gradtape yet")
    return _last
