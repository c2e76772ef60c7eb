"""The widget of a descent: it tells how far it is, hears Stop, and then shows every kept step."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from gradmagic.render.descent.curves import SOURCES
from gradmagic.render.descent.document import render_live
from gradmagic.render.descent.panel import load_style
from gradmagic.render.descent.running import render_running
from gradmagic.render.descent.words import list_words
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.hearing import Ear
from gradmagic.widgets.views import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.descent.records import Descents, Progress


class DescentWidget(View, anywidget.AnyWidget):
    """A descent: first while it runs, then at each of its kept steps.

    Parameters
    ----------
    kernel
        IPython's kernel, in which the cell runs.

    Attributes
    ----------
    running
        Whether it runs; changed last, when all else is there.
    """

    _esm = load_script("descent.js")
    _css = load_style()
    html = traitlets.Unicode().tag(sync=True)
    header = traitlets.Dict().tag(sync=True)
    block = traitlets.Bytes().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    running = traitlets.Bool(default_value=True).tag(sync=True)

    def __init__(self, kernel: Any = None) -> None:
        super().__init__(html=render_running(), words=list_words())
        self._kernel = kernel
        self._stop = threading.Event()  # set in another thread where the front-end has one for it
        self._sent: list[int] = []  # steps of each run that the browser knows
        self._ear: Ear | None = None
        self.on_msg(self._hear)

    @contextlib.contextmanager
    def follow(self) -> Iterator[None]:
        """Hear the Stop button while the cell runs."""
        self._ear = Ear(self._kernel, self.model_id, self._take)
        with self._ear.listen():
            yield
        self._ear = None

    def tell(self, progress: Progress) -> bool:
        """Send what is new.

        Returns
        -------
        bool
            Whether to stop.
        """
        self._sent += [0] * (progress.run + 1 - len(self._sent))
        shown = min(SOURCES, len(progress.names))
        columns = (progress.losses_new, progress.rates_new, progress.norms_new[:, :shown])
        with np.errstate(over="ignore"):
            news = np.column_stack(columns).astype("<f4")  # (JSON has no NaN)
        self.send(
            {
                "kind": "progress",
                "run": progress.run,
                "runs": progress.runs,
                "rate": float(progress.rate),
                "names": list(progress.names[:shown]),
                "done": progress.done,
                "steps": progress.steps,
                "from": self._sent[progress.run],
                "pace": _keep_finite(progress.rate_per_second),
                "left": _keep_finite(progress.left_seconds),
            },
            [news.tobytes()],
        )
        self._sent[progress.run] += len(news)
        if self._ear is not None:
            self._ear.read()
        return self._stop.is_set()

    def show(self, descents: Descents) -> None:
        """Show what the descent left."""
        html, header, block = render_live(descents)
        with self.hold_sync():
            self.html, self.header, self.block = html, header, block
        self.running = False

    def _hear(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        self._take(content)

    def _take(self, content: dict[str, Any]) -> None:
        if content.get("kind") == "stop" and self.running and not self._stop.is_set():
            self._stop.set()
            self.send({"kind": "stopping"})


def _keep_finite(number: float) -> float:
    """The number, and 0 for none: JSON has no NaN."""
    return float(number) if np.isfinite(number) else 0.0
