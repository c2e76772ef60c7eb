"""The cell once more at a kept step: under the tape, or for its loss alone."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
from typing import TYPE_CHECKING, Any

from gradmagic.core.descent.effects import find_touched
from gradmagic.core.descent.history import read_loss
from gradmagic.core.descent.scratch import borrow
from gradmagic.core.descent.stepping import BATCH
from gradmagic.core.i18n import _
from gradmagic.core.tape import Options, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.descent.moving import Moved
    from gradmagic.core.descent.records import DescentOptions, Moment
    from gradmagic.core.descent.stepping import Body
    from gradmagic.core.records import TapeRun


class Rerun:
    """Runs a cell again, and leaves nothing behind.

    Parameters
    ----------
    cell, names, options, moved
        Of the descent.
    batches
        What ``batch`` was at each kept step.
    """

    def __init__(
        self,
        cell: Cell,
        names: dict[str, Any],
        options: DescentOptions,
        moved: Moved,
        batches: Mapping[int, Any] | None = None,
    ) -> None:
        self.moved = moved
        self.batched = options.batches is not None  # each step has data of its own
        self._cell = cell
        self._names = names
        self._options = options
        self._batches = batches or {}
        self._asked = True

    def make_unasked(self) -> Rerun:
        """The same for what the user has not asked for: it runs no body that may have effects."""
        made = copy.copy(self)
        made._asked = False  # noqa: SLF001  (its own class)
        return made

    @functools.cached_property
    def touched(self) -> list[Any] | None:
        """The Variables that the body changes by itself; None: it may have other effects."""
        return find_touched(self._cell, self._names, self._options.target)

    def run_at(self, moment: Moment) -> TapeRun:
        """The record of the cell at a kept step; what the cell prints is not printed again.

        Raises
        ------
        LookupError
            The step's tensors were not kept, or the body must not run unasked.
        """
        if not moment.values:
            raise LookupError(
                _("step {step} was kept without its tensors, which are too large").format(
                    step=moment.step
                )
            )
        if not self._asked and self.touched is None:
            raise LookupError("the body may have effects")
        with self._borrow(), self.moved.keep():
            self.moved.write(moment.values)
            if self._options.batches is not None:
                self._names[BATCH] = self._batches.get(moment.step)
            return self.run_here()

    def run_here(self) -> TapeRun:
        """The same with the sources as they are; call it inside :func:`borrow`."""
        magic = " ".join(["%%gradtape", *self._options.sources])
        if self._options.target is not None:
            magic += f" -t {self._options.target!r}"
        asked = Options(sources=self._options.sources, target=self._options.target, magic=magic)
        with contextlib.redirect_stdout(io.StringIO()):
            return run_cell(self._cell, self._names, asked)

    @contextlib.contextmanager
    def open_losses(self, body: Body) -> Iterator[Callable[[Sequence[Any]], float]]:
        """A function from the sources' values to the loss, while open."""

        def compute(values: Sequence[Any]) -> float:
            self.moved.write(values)
            return read_loss(body.run())

        silent = contextlib.redirect_stdout(io.StringIO())
        with self._borrow(), self.moved.keep(), silent:
            yield compute

    def _borrow(self) -> contextlib.AbstractContextManager[None]:
        return borrow(self._names, [*self.moved.variables, *(self.touched or ())])
