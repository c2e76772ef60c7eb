"""A race that runs beside the kernel's other work, a few steps at a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.losses.race import RaceOptions, choose_start, run_race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.race import Laps

EVERY = 0.1  # seconds between two messages, however fast the steps are


class Racer:
    """At most one race; it lets the kernel hear a stop, and other cells run, between its steps.

    Parameters
    ----------
    send
        Sends a message and its buffers to the browser.
    """

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._task: asyncio.Task[None] | None = None
        self._steps: Iterator[Laps] | None = None  # those that the browser is told of

    def start(self, panel: LossPanel, wish: dict[str, Any]) -> None:
        """Start one from the batch, or from the sample in hand as its sliders stand."""
        self.drop()
        try:
            options = _read_options(wish)
        except UserError as error:
            self._send({"kind": "race", "error": str(error)})
            return
        self._steps = run_race(*choose_start(panel, wish["start"]), options)
        race = self._run(self._steps, options.steps)
        try:
            self._task = asyncio.get_running_loop().create_task(race)
        except RuntimeError:  # no kernel's loop: to the end at once
            asyncio.run(race)

    def stop(self) -> None:
        """Stop after the step that runs, and tell what there is."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def drop(self) -> None:
        """Stop, and tell no more of it: other data are shown."""
        self._steps = None
        self.stop()

    async def _run(self, steps: Iterator[Laps], total: int) -> None:
        sent, last = 0, 0.0
        news: list[list[float]] = []
        try:
            for laps in steps:
                news.append([*laps.crossentropy, *laps.mse])
                if time.monotonic() - last > EVERY:
                    self._tell(steps, sent, news, total, done=False)
                    sent, news, last = sent + len(news), [], time.monotonic()
                await asyncio.sleep(0)
        finally:  # at the end, or stopped
            self._tell(steps, sent, news, total, done=True)

    def _tell(
        self, steps: Iterator[Laps], sent: int, news: list[list[float]], total: int, *, done: bool
    ) -> None:
        if steps is not self._steps:
            return
        laps = np.array(news, "<f4").tobytes()  # (JSON has no NaN)
        self._send({"kind": "race", "from": sent, "steps": total, "done": done}, [laps])


def _read_options(wish: dict[str, Any]) -> RaceOptions:
    """What the student has typed; UserError where it makes no sense."""
    try:
        rate = float(wish["learning_rate"])
    except ValueError:
        raise UserError(_("the learning rate must be a number above 0")) from None
    try:
        steps = int(wish["steps"])
    except ValueError:
        raise UserError(_("the number of steps must be a whole number")) from None
    options = RaceOptions(rate, steps, str(wish["optimizer"]))
    options.check()
    return options
