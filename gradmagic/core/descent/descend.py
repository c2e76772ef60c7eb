"""Run a descent: the loop around the steps, what may end it, and the record of it."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.descent.checks import check_options
from gradmagic.core.descent.compiled import CompiledStepper
from gradmagic.core.descent.history import History, read_loss, read_norm
from gradmagic.core.descent.moving import Moved, Mover
from gradmagic.core.descent.notes import take_notes
from gradmagic.core.descent.program import write_loop
from gradmagic.core.descent.records import Descent, Descents, Progress
from gradmagic.core.descent.rerun import Rerun
from gradmagic.core.descent.scratch import borrow, find_variables
from gradmagic.core.descent.stepping import BATCH, Body, EagerStepper
from gradmagic.core.descent.surface import compute_surface
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.records import ByName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.descent.records import DescentOptions, Ended

    Tell = Callable[[Progress], bool | None]
    OnError = Callable[[int, BaseException], None]

EVERY = 0.1  # seconds between two calls of ``tell``


def run_descent(
    cell: Cell,
    names: dict[str, Any],
    options: DescentOptions,
    tell: Tell | None = None,
    on_error: OnError | None = None,
) -> Descents:
    """Descend: each step runs the cell's body, takes the gradients and moves the sources.

    The numbers are those of the loop in :attr:`Descent.code`. Afterwards ``names`` is what that
    loop would have left, with ``tape`` and ``grads`` of the last step (``grads`` alone where the
    steps are compiled). Several rates start from the same values; what the body draws at random
    goes on from one to the next, and ``names`` keeps what the run of the lowest last loss left.

    Parameters
    ----------
    cell
        From :func:`gradmagic.core.cell.compile_cell`, without ``roots``.
    names
        The namespace in which it runs.
    options
        What to move, and how.
    tell
        Told how far it is, at most ten times a second; the descent ends where it returns True.
    on_error
        Told of the step in which the body raised, before the exception goes on.

    Raises
    ------
    UserError
        What was asked for makes no sense, or the target does not depend on a source.
    """
    __tracebackhide__ = True
    check_options(options, names)
    moved = Moved(options.sources, names, cell)
    rates: Sequence[float | None] = options.rates or (None,)
    if len(rates) == 1:
        run, _end = _Run(cell, names, options, moved, rates[0], 0, tell, on_error).run()
        return Descents((run,))
    return _run_several(cell, names, options, moved, tell, on_error)


def _run_several(
    cell: Cell,
    names: dict[str, Any],
    options: DescentOptions,
    moved: Moved,
    tell: Tell | None,
    on_error: OnError | None,
) -> Descents:
    __tracebackhide__ = True
    start, given, known = moved.read(), dict(names), find_variables(names)
    states = [variable.read_value() for variable in known]
    runs: list[Descent] = []
    ends: list[tuple[float, Any]] = []
    for number, rate in enumerate(options.rates):
        try:
            if number:
                _restore(names, given, known, states)
                moved.write(start)
            one = _Run(cell, names, options, moved, rate, number, tell, on_error)
            run, last = one.run()
        except KeyboardInterrupt:  # before its first step was whole
            if not runs:
                raise
            break
        runs.append(run)
        left = (dict(names), [variable.read_value() for variable in known], moved.read())
        ends.append((last, left))
        if one.interrupted or run.ended in ("stopped", "interrupted"):
            break
    best = min(range(len(runs)), key=lambda i: ends[i][0] if math.isfinite(ends[i][0]) else np.inf)
    left_names, left_states, left_values = ends[best][1]
    _restore(names, left_names, known, left_states)
    moved.write(left_values)
    return Descents(tuple(runs), best)


def _restore(
    names: dict[str, Any], kept: dict[str, Any], known: Sequence[Any], states: Sequence[Any]
) -> None:
    for name in names.keys() - kept.keys():
        del names[name]
    names.update(kept)
    for variable, state in zip(known, states, strict=True):
        variable.assign(state)


class _Interrupts:
    """While open, the kernel's interrupt is heard after the step that runs; a second one, at once.

    Outside the main thread no interrupt arrives, and nothing is arranged.
    """

    def __init__(self) -> None:
        self.asked = False
        self.shielded = False  # a step is being taken: not even a second one
        self._before: Any = None
        self._open = False

    def __enter__(self) -> None:
        try:
            self._before = signal.signal(signal.SIGINT, self._hear)
            self._open = True
        except ValueError:
            self._open = False

    def __exit__(self, *_error: object) -> None:
        if self._open:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, _signal: int, _frame: object) -> None:
        if self.asked and not self.shielded:
            raise KeyboardInterrupt
        self.asked = True


class _Run:
    """One descent."""

    def __init__(
        self,
        cell: Cell,
        names: dict[str, Any],
        options: DescentOptions,
        moved: Moved,
        rate: float | None,
        number: int,
        tell: Tell | None,
        on_error: OnError | None,
    ) -> None:
        self.cell, self.names, self.options, self.moved = cell, names, options, moved
        self.number, self.tell, self.on_error = number, tell, on_error
        self.body = Body(cell, names, options.target)
        self.mover = Mover(moved, options.optimizer, rate, names)
        batched = options.batches is not None
        self.batches = None if options.batches is None else _Batches(options.batches, names)
        self.stepper: EagerStepper | CompiledStepper = (
            CompiledStepper(cell, names, options.target, moved, self.mover, batched=batched)
            if options.compile
            else EagerStepper(self.body, moved, self.mover)
        )
        self.positions = moved.positions()
        self.history: History | None = None
        self.gradients: Sequence[Any] = ()  # of the first step
        self.told, self.told_done = 0.0, 0
        self.start = 0.0
        self.interrupts = _Interrupts()

    @property
    def interrupted(self) -> bool:
        """Whether the kernel's interrupt has come since the steps were over."""
        return self.interrupts.asked

    def run(self) -> tuple[Descent, float]:
        """All steps; the record, and the last loss that was seen."""
        __tracebackhide__ = True
        self.start = self.told = time.perf_counter()
        interrupts = self.interrupts
        with interrupts:
            ended = self._run_steps(interrupts)
            seconds = time.perf_counter() - self.start
            self.stepper.finish()
            interrupts.asked = interrupts.shielded = False
            return self._record(ended, seconds)

    def _run_steps(self, interrupts: _Interrupts) -> Ended:
        __tracebackhide__ = True
        stepper, options = self.stepper, self.options
        interrupts.shielded = options.compile  # the graph moves Variables itself
        for step in range(options.steps):
            batch = None
            try:
                if self.batches is not None:
                    batch = self.batches.bind(step)
                    if batch is _Batches.END:
                        return "done"
                rate = self.mover.read_rate()
                target, gradients = stepper.differentiate(batch)
            except KeyboardInterrupt:
                return "interrupted"
            except BaseException as error:
                if self.on_error is not None:
                    self.on_error(step, error)
                raise
            interrupts.shielded = True
            ended = self._note(step, target, gradients, rate, batch, asked=interrupts.asked)
            if ended == "nan":
                stepper.undo()
                return ended
            stepper.move(gradients)
            if ended is not None:
                return ended
            interrupts.shielded = options.compile
        return "done"

    def _note(
        self,
        step: int,
        target: Any,
        gradients: Sequence[Any],
        rate: float,
        batch: Any,
        *,
        asked: bool,
    ) -> Ended | None:
        """Remember a step, before it is taken; why it is the last, if it is."""
        moved = self.moved
        if self.history is None:
            self.history, self.gradients = History(moved.tensors, batch), gradients
            self._refuse_unconnected(gradients)
        history = self.history
        loss = read_loss(target)
        norms = [read_norm(gradient) for gradient in gradients]
        wanted = history.wants(loss)
        history.add(loss, rate, norms)
        ended = self._find_end(step, loss, norms, asked=asked)
        self.names["grads"] = ByName(gradients, self.positions)
        values = self.stepper.read() if history.holds else ()
        if wanted:
            history.keep(loss, values, gradients, batch)
        history.end(values, gradients, batch)  # (what may end the next step cannot be foreseen)
        history.hold(moved.values[:], gradients)
        return ended

    def _find_end(
        self, step: int, loss: float, norms: Sequence[float], *, asked: bool
    ) -> Ended | None:
        until, losses = self.options.until, self.history.losses if self.history else []
        if not (math.isfinite(loss) and math.isfinite(sum(norms))):
            return "nan"
        if step + 1 == self.options.steps:
            return "done"
        if until is not None and step and abs(losses[-1] - losses[-2]) <= until:
            return "until"
        if asked:
            return "interrupted"
        if self.tell is not None and time.perf_counter() - self.told >= EVERY:
            return "stopped" if self._tell_progress() else None
        return None

    def _tell_progress(self) -> bool:
        assert self.tell is not None
        assert self.history is not None
        now, history, done = time.perf_counter(), self.history, self.history.done
        seconds, since, width = now - self.start, self.told_done, len(self.moved.entries)
        norms = np.asarray(history.norms[since * width :]).reshape(-1, width)
        progress = Progress(
            run=self.number,
            runs=len(self.options.rates) or 1,
            rate=history.rates[-1],
            names=self.moved.names,
            done=done,
            steps=self.options.steps,
            seconds=seconds,
            left_seconds=seconds / done * (self.options.steps - done),
            rate_per_second=done / seconds,
            losses_new=np.asarray(history.losses[since:]),
            norms_new=norms,
            rates_new=np.asarray(history.rates[since:]),
        )
        stop = bool(self.tell(progress))
        self.told, self.told_done = time.perf_counter(), done
        return stop

    def _refuse_unconnected(self, gradients: Sequence[Any]) -> None:
        """UserError for a source that the target does not depend on, before anything moves."""
        position = 0
        for text, group in self.moved.groups.items():
            own = gradients[position : position + len(group)]
            position += len(group)
            if all(one is None for one in own):
                self.stepper.undo()
                raise UserError(self._say_unconnected(text))

    def _say_unconnected(self, source: str) -> str:
        rerun = Rerun(self.cell, self.names, self.options, self.moved)
        diagnoses: Sequence[Any] = ()
        if rerun.touched is not None:
            with borrow(self.names, [*self.moved.variables, *rerun.touched]):
                diagnoses = rerun.run_here().diagnoses
        for one in diagnoses:
            if one.subject.startswith(source):
                return one.message
        return _("the target does not depend on '{name}', so there is no gradient").format(
            name=source
        )

    def _record(self, ended: Ended, seconds: float) -> tuple[Descent, float]:
        options, moved, history = self.options, self.moved, self.history
        if history is None:
            raise KeyboardInterrupt  # not one whole step: nothing to show
        width = len(moved.entries)
        rerun = Rerun(
            self.cell,
            self.names,
            options,
            moved,
            {one.step: one.batch for one in history.list_kept()},
        )
        if isinstance(self.stepper, CompiledStepper):  # the graph has run, and not the body itself
            self.body.found = self.stepper.found
        descent = Descent(
            names=moved.names,
            optimizer=options.optimizer,
            rate=history.rates[0],
            losses=np.asarray(history.losses),
            norms=np.asarray(history.norms).reshape(-1, width),
            rates=np.asarray(history.rates),
            moments=history.make_moments(width),
            steps=options.steps,
            done=history.done,
            ended=ended,
            notes=(),
            seconds=seconds,
            magic=options.magic,
            code=write_loop(
                self.cell,
                options,
                moved,
                self.mover,
                self.body,
                rate=history.rates[0],
                gradients=self.gradients,
                once=self.batches is not None and self.batches.may_end,
            ),
            rerun=rerun.run_at,
        )
        notes = take_notes(descent, history.recent, rerun.make_unasked())
        surface = compute_surface(descent, rerun, self.body, lambda: self.interrupted)
        return replace(descent, notes=notes, surface=surface), history.losses[-1]


class _Batches:
    """The elements of ``--batches``, one a step, and from the start again when they are used up.

    An iterator cannot start again: there the descent ends.
    """

    END = object()

    def __init__(self, expression: str, names: dict[str, Any]) -> None:
        self._names = names
        try:
            self._all = eval(expression, {}, names)
            self._rest: Iterator[Any] = iter(self._all)
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise UserError(
                _("--batches {expression} gives no batches ({kind}: {error})").format(
                    expression=expression, kind=type(error).__name__, error=said
                )
            ) from None
        self.may_end = self._rest is self._all

    def bind(self, step: int) -> Any:
        """Bind the next one to ``batch``, and give it; ``END`` where there is no more."""
        batch = next(self._rest, self.END)
        if batch is self.END and not self.may_end:
            self._rest = iter(self._all)
            batch = next(self._rest, self.END)
        if batch is self.END and step == 0:
            raise UserError(_("--batches gives no batches: it is empty"))
        if batch is not self.END:
            self._names[BATCH] = batch
        return batch
