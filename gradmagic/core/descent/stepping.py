"""One step of the hand-written loop: the cell's body under a tape, and the gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.cell import Cell, Namespace
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import CellTape
from gradmagic.core.sources import unwrap
from gradmagic.core.target import FoundTarget, find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.descent.moving import Moved, Mover

BATCH = "batch"  # the name of a step's element of --batches
TAPE = "tape"


class Body:
    """Runs the cell's body, and finds the target: with care the first time, then by its name.

    Parameters
    ----------
    cell
        The cell.
    names
        The namespace in which it runs.
    target
        What ``-t`` gave, or None.
    """

    def __init__(self, cell: Cell, names: dict[str, Any], target: str | None) -> None:
        self.cell = cell
        self.names = names
        self.found: FoundTarget | None = None  # in the first step
        self._asked = target
        self._target = None if target is None else _compile_target(target)

    def run(self) -> Any:
        """Run it once, and give the target's tensor; raises what the cell raises."""
        __tracebackhide__ = True
        if self.found is None:
            return self._run_first().tensor
        names, last = self.names, None
        exec(self.cell.body, names)
        if self.cell.last is not None:
            last = eval(self.cell.last, names)
        if self._target is not None:
            last = eval(self._target, {}, names)
        elif self.found.reason != "last-expression":
            last = names[self.found.name]
        return last if isinstance(last, tf.Tensor) else self._find_again(last)

    def _run_first(self) -> FoundTarget:
        __tracebackhide__ = True
        bound: dict[str, tuple[Any, int]] = {}

        def note(name: str, value: Any, line: int) -> None:
            bound.pop(name, None)
            bound[name] = value, line

        namespace = Namespace(self.names, note, lambda _line: None, self.cell.filename)
        last = None
        exec(self.cell.body, self.names, namespace)
        if self.cell.last is not None:
            last = eval(self.cell.last, self.names, namespace)
        self.found = find_target(self._asked, self.names, self.cell, bound=bound, last_value=last)
        return self.found

    def _find_again(self, value: Any) -> Any:
        """The target of a step that is no plain tensor: a Variable, or none at all."""
        assert self.found is not None
        inner = unwrap(value)
        if isinstance(inner, tf.Variable):
            return inner
        bound = {self.found.name: (value, self.found.line or 1)}
        return find_target(self._asked, self.names, self.cell, bound=bound, last_value=value).tensor


def _compile_target(target: str) -> Any:
    try:
        return compile(target.strip(), "<target>", "eval")
    except (SyntaxError, ValueError) as error:
        raise UserError(
            _("the target '{name}' cannot be computed: {kind}: {error}").format(
                name=target, kind=type(error).__name__, error=(str(error).splitlines() or [""])[0]
            )
        ) from None


class EagerStepper:
    """Steps that run the body as it is written."""

    def __init__(self, body: Body, moved: Moved, mover: Mover) -> None:
        self._body = body
        self._moved = moved
        self._mover = mover

    def differentiate(self, batch: Any) -> tuple[Any, Sequence[Any]]:  # noqa: ARG002  (it is bound)
        """Run the body under a new tape: the target, and a gradient for each tensor."""
        __tracebackhide__ = True
        names, moved = self._body.names, self._moved
        tape = CellTape(self._body.cell.filename, persistent=False, watch_accessed_variables=True)
        names[TAPE] = tape
        plain = moved.plain
        with tape:
            if plain:
                tf.GradientTape.watch(tape, plain)  # (a CellTape notes what it watches)
            target = self._body.run()
        gradients = tape.reader().gradient(target, moved.tensors)
        tape.release()
        return target, gradients

    def read(self) -> list[Any]:
        """The values with which the step began."""
        return self._moved.read()

    def move(self, gradients: Sequence[Any]) -> None:
        """Take the step."""
        for i, new in enumerate(self._mover.move(self._moved.values, gradients)):
            if new is not None:
                self._moved.bind(i, new)

    def undo(self) -> None:
        """Nothing has moved yet."""

    def finish(self) -> None:
        """The body has bound its names itself."""
