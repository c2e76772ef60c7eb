"""A kernel's memory of its runs: the last one, and the losses of each cell's runs."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradmagic.core.recorder import CellTape
    from gradmagic.core.records import TapeRun

MOST_LOSSES = 500  # a cell's history
MOST_CELLS = 200  # cells with a history; the one that ran longest ago is forgotten first

_last: TapeRun | None = None
_last_tape: weakref.ref[CellTape] | None = None
_losses: dict[str, tuple[float, ...]] = {}


def remember(run: TapeRun, key: str, tape: Any = None) -> TapeRun:
    """Keep a run as the last one, and give it the history of its cell.

    Only the last run is kept: its tensors go when the next run comes. Its tape is not held: what it
    recorded goes when the user lets go of it.

    Parameters
    ----------
    run
        The run, whose ``history`` holds its own loss alone.
    key
        What identifies the cell.
    tape
        What the cell left under the tape's name.
    """
    global _last, _last_tape  # noqa: PLW0603  (a kernel has one last run)
    history = (*_losses.pop(key, ()), *run.history)[-MOST_LOSSES:]
    _losses[key] = history
    while len(_losses) > MOST_CELLS:
        del _losses[next(iter(_losses))]
    _last_tape = weakref.ref(tape) if hasattr(tape, "reader") else None
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


def last_tape() -> CellTape | None:
    """The tape of the last run, or None where the user let go of it."""
    return None if _last_tape is None else _last_tape()
