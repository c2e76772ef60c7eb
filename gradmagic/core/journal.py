"""A kernel's memory of what it showed: its reports in order, and what was guessed before each.

It holds what a page needs, as text: no run, no tensor. Of one cell's runs the newest ``RUNS`` keep
their report, and of all reports the newest within ``HELD`` characters; earlier ones are kept as the
text that a terminal shows, and beyond ``MOST`` they are counted.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import weakref

    from gradmagic.core.asking.records import Guess, Question
    from gradmagic.core.records import TapeRun

MOST = 500  # entries
RUNS = 5  # of one cell that keep their report
HELD = 48_000_000  # characters of all of them
CODE = 20_000  # characters of a cell

_guesses: dict[str, dict[str, Guess]] = {}


def note_guess(report: str, guess: Guess) -> None:
    """Keep what was guessed before a report was seen; a second answer takes the first one's place.

    Parameters
    ----------
    report
        What identifies the report.
    guess
        The answer.
    """
    _guesses.setdefault(report, {})[guess.question.key] = guess


@dataclass(frozen=True, eq=False)
class Entry:
    """What was shown once.

    Attributes
    ----------
    kind
        What showed it; ``"failure"`` is a line about an exception.
    subject, value
        What heads it: a target and its value. ``value`` may be empty.
    detail
        What tells it from others of the same subject: the sources. It may be empty.
    alerts
        What was found, worst first: how grave it is (``"wrong"``, ``"missing"``, ``"weak"``,
        ``"note"``), and a few words.
    report
        What identifies it.
    questions
        What was asked before it was shown.
    run
        The run whose graph a page can bring to life, for as long as somebody else holds it.
    html
        The report, without style sheet and script; empty where only its text is kept.
    numbers
        What its script works on, as JSON; empty where it needs none.
    text
        The report as a terminal shows it.
    code
        The whole cell as it was typed; empty where there was none.
    number
        The cell's number, In [number]; None where it has none.
    key
        What stays the same when the cell is run again.
    """

    kind: Literal["tape", "descent", "losses", "activations", "failure"]
    subject: str
    value: str = ""
    detail: str = ""
    alerts: tuple[tuple[str, str], ...] = ()
    report: str = field(default_factory=lambda: uuid.uuid4().hex)
    questions: tuple[Question, ...] = ()
    run: weakref.ref[TapeRun] | None = None
    html: str = ""
    numbers: str = ""
    text: str = ""
    code: str = ""
    number: int | None = None
    key: str = ""


def list_guesses(entry: Entry) -> tuple[Guess, ...]:
    """What was guessed before a report was seen, in the order in which it was asked.

    (Front-ends with several threads of a kernel may bring the answers in another one.)
    """
    given = _guesses.get(entry.report, {})
    return tuple(given[one.key] for one in entry.questions if one.key in given)


_entries: list[Entry] = []
_left_out = 0


def add(entry: Entry) -> None:
    """Keep what was shown, and let older ones go as far as they must."""
    global _left_out  # noqa: PLW0603  (a kernel has one journal)
    if len(entry.code) > CODE:
        entry = replace(entry, code=f"{entry.code[:CODE]}\n…")
    _entries.append(entry)
    while len(_entries) > MOST:
        oldest = _entries.pop(0)
        _guesses.pop(oldest.report, None)
        _left_out += oldest.kind != "failure"
    again = [i for i, one in enumerate(_entries) if entry.key and one.key == entry.key]
    for i in again[:-RUNS]:
        _entries[i] = keep_text(_entries[i])
    size = sum(_measure(one) for one in _entries)
    for i, one in enumerate(_entries[:-1]):
        if size <= HELD:
            break
        _entries[i] = keep_text(one)
        size -= _measure(one) - _measure(_entries[i])


def keep_text(entry: Entry) -> Entry:
    """The entry with its text instead of its report."""
    return replace(entry, html="", numbers="", run=None)


def list_entries() -> tuple[Entry, ...]:
    """What was shown, in order."""
    return tuple(_entries)


def count_left_out() -> int:
    """How many earlier reports are not kept any more."""
    return _left_out


def _measure(entry: Entry) -> int:
    return sum(len(part) for part in (entry.html, entry.numbers, entry.text, entry.code))
