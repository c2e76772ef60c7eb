"""What the kernel answers to who explores a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.replay.leaving import say_taken
from gradmagic.core.replay.nudge import check_entry, imagine_entry
from gradmagic.render.explorer.attempts import attempt, say_failure
from gradmagic.render.explorer.chains import render_chain
from gradmagic.render.explorer.document import (
    write_changes,
    write_detail,
    write_document,
    write_json,
    write_level,
)
from gradmagic.render.explorer.levels import draw_iteration
from gradmagic.render.explorer.reading import read_run
from gradmagic.render.explorer.trying import render_check
from gradmagic.render.markup import escape, join
from gradmagic.widgets.holding import hold

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun
    from gradmagic.render.explorer.reading import Reading

_ABOUT = ("kind", "node", "group", "at", "source", "index")  # by which a question is known


class Guide:
    """Answers questions about the graph of one run.

    Parameters
    ----------
    reading
        The graph.
    """

    def __init__(self, reading: Reading) -> None:
        self._ran: Reading | None = reading
        self._imagined: Reading | None = None  # what would be with another number
        document = write_document(reading)
        self.document = write_json(document)
        self._chained = frozenset(document["chains"])
        reading.backflow.patient = True
        hold(self, reading.whole)

    @classmethod
    def start(cls, run: TapeRun) -> Guide | None:
        """One for the graph of a run; None where it has none."""
        reading = read_run(run)
        return None if reading is None else cls(reading)

    def let_go(self) -> None:
        """Hold the graph no longer: newer ones need the memory. What was sent stays."""
        self._ran = self._imagined = None

    @property
    def ran(self) -> Reading:
        """The graph as it ran."""
        if self._ran is None:
            raise UserError(
                _("The tensors of this run were let go for newer ones: run the cell again.")
            )
        return self._ran

    @property
    def shown(self) -> Reading:
        """The graph as it is shown: as it ran, or what would be with another number."""
        return self._imagined or self.ran

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer, and what it answers; of what failed a sentence, as ``error`` and ``html``."""
        about = {key: question[key] for key in _ABOUT if key in question}
        try:
            return {**about, **self._find(question)}
        except Exception as error:  # the page waits for an answer
            said = say_failure(error)[:300]
            return {**about, "error": said, "html": escape(said)}

    def _find(self, question: dict[str, Any]) -> dict[str, Any]:
        kind = question.get("kind")
        if kind == "detail":
            return {"html": self._tell(str(question["node"]))}
        if kind == "level":
            return write_level(self.shown, int(question["group"]))
        if kind == "iteration":
            group, at = int(question["group"]), int(question["at"])
            return {"iterations": {f"{group}@{at}": draw_iteration(self.shown, group, at)}}
        if kind == "check":
            entry = check_entry(self.shown.whole, *_find_entry(question))
            return {"html": render_check(entry)}
        if kind == "imagine":
            return self._imagine(*_find_entry(question), float(question["value"]))
        if kind == "restore":
            self._imagined = None
            return write_changes(self.ran)
        raise UserError(_("Nobody here answers to {kind}.").format(kind=repr(kind)))

    def _tell(self, key: str) -> str:
        """Details, and the chain rule of a source for which there was no time ahead."""
        chains = [name for name, node in self.shown.sources.items() if str(node) == key]
        late = [
            attempt(render_chain, self.shown, name) for name in chains if name not in self._chained
        ]
        return join(write_detail(self.shown, key), *late)

    def _imagine(self, source: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
        """The document's parts that another number changes."""
        graph = imagine_entry(self.ran.whole, source, index, value)
        self._imagined = self.ran.imagine(graph)
        return {**write_changes(self._imagined), "note": say_taken(graph, source) or ""}


def _find_entry(question: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """The source and the entry that a question is about: ``"3,0"`` is entry [3, 0]."""
    written = str(question["index"])
    return str(question["source"]), tuple(map(int, written.split(","))) if written else ()
