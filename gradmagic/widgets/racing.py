"""A race that runs beside the kernel's other work, a few steps at a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.errors import UserError
from gradmagic.core.race import RaceOptions, choose_start, run_race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gradmagic.core.panel import LossPanel
    from gradmagic.core.race import Laps

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
        self._race: asyncio.Task[None] | None = None

    def start(self, panel: LossPanel, wish: dict[str, Any]) -> None:
        """Start one from the batch, or from the sample in hand as its sliders stand."""
        self.stop()
        try:
            options = RaceOptions(
                float(wish["learning_rate"]), int(wish["steps"]), str(wish["optimizer"])
            )
            options.check()
        except (TypeError, ValueError) as error:
            self._send({"kind": "race", "error": str(error)})
            return
        steps = run_race(*choose_start(panel, wish["start"]), options)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel's loop: to the end at once
            asyncio.run(self._run(steps, options.steps))
            return
        self._race = loop.create_task(self._run(steps, options.steps))

    def stop(self) -> None:
        """Stop after the step that runs."""
        if self._race is not None:
            self._race.cancel()
            self._race = None

    async def _run(self, steps: Iterator[Laps], total: int) -> None:
        sent, done, last = 0, False, 0.0
        news: list[list[float]] = []
        try:
            for laps in steps:
                news.append([*laps.crossentropy, *laps.mse])
                if time.monotonic() - last > EVERY:
                    self._tell(sent, news, total, done=False)
                    sent, news, last = sent + len(news), [], time.monotonic()
                await asyncio.sleep(0)
            done = True
        except UserError as error:
            self._send({"kind": "race", "error": str(error)})
            return
        finally:
            if done or sent:
                self._tell(sent, news, total, done=True)

    def _tell(self, sent: int, news: list[list[float]], total: int, *, done: bool) -> None:
        laps = np.array(news, "<f4").tobytes()  # (JSON has no NaN)
        self._send({"kind": "race", "from": sent, "steps": total, "done": done}, [laps])
