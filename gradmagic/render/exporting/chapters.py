"""What the page holds of each report, so that it stays small enough to be mailed and opened."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gradmagic.core.journal import keep_text, list_guesses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gradmagic.core.asking.records import Guess, Question
    from gradmagic.core.journal import Entry

ROOM = 4_900_000  # bytes of all chapters and what makes them live
AROUND = 1_500  # bytes of a chapter beside its parts


@dataclass(frozen=True, eq=False)
class Chapter:
    """One entry of the journal, and where it stands among the others.

    Attributes
    ----------
    number
        Of the report; None for an exception's line.
    run, runs
        Which of how many runs of the same cell that the journal holds, from 1.
    next
        The number of the cell's next run; None for the last one.
    same_cell
        The number of the report before it, where that came from the same run of the same cell.
    guesses
        What was guessed.
    numbers
        What makes it live: base64 of deflated JSON; empty where it stays a picture.
    """

    entry: Entry
    number: int | None
    run: int = 1
    runs: int = 1
    next: int | None = None
    same_cell: int | None = None
    guesses: tuple[Guess, ...] = ()
    numbers: str = ""

    @property
    def anchor(self) -> str:
        """What links to it."""
        return f"report-{self.number}" if self.number is not None else f"e-{self.entry.report}"

    @property
    def unanswered(self) -> tuple[Question, ...]:
        """What was asked and not answered yet."""
        answered = {guess.question.key for guess in self.guesses}
        return tuple(one for one in self.entry.questions if one.key not in answered)


def arrange(entries: Sequence[Entry], left_out: int) -> list[Chapter]:
    """Number the reports, and find the runs of the same cell.

    Parameters
    ----------
    entries
        In the order in which they were shown.
    left_out
        How many were before them.
    """
    runs: dict[str, list[int]] = {}  # the positions of each cell's runs
    numbers: list[int | None] = []
    for i, entry in enumerate(entries):
        is_report = entry.kind != "failure"
        numbers.append(left_out + 1 + sum(n is not None for n in numbers) if is_report else None)
        runs.setdefault(entry.key or entry.report, []).append(i)
    chapters = []
    for i, entry in enumerate(entries):
        own = runs[entry.key or entry.report]
        at = own.index(i)
        before = entries[i - 1] if i else None
        same = before is not None and entry.code and _place(before) == _place(entry)
        chapters.append(
            Chapter(
                entry,
                numbers[i],
                run=at + 1,
                runs=len(own),
                next=numbers[own[at + 1]] if at + 1 < len(own) else None,
                same_cell=numbers[i - 1] if same else None,
                guesses=list_guesses(entry),
            )
        )
    return chapters


def _place(entry: Entry) -> tuple[int | None, str]:
    return entry.number, entry.code


def fit(
    chapters: Sequence[Chapter], make_numbers: Callable[[Entry], str], room: int = ROOM
) -> tuple[list[Chapter], int]:
    """Keep what there is room for: the newest reports whole, older ones as text, then none.

    What room is left makes reports live, the newest first.

    Parameters
    ----------
    chapters
        All of them.
    make_numbers
        The JSON that makes an entry's report live; empty where nothing does.
    room
        Bytes for all of them.

    Returns
    -------
    tuple
        The chapters that fit, in order, and the number of reports that do not.
    """
    kept: list[Chapter] = []
    for chapter in reversed(chapters):
        fitting = next((one for one in _shrink(chapter) if _measure(one) <= room), None)
        if fitting is None:
            break
        room -= _measure(fitting)
        kept.append(fitting)
    for i, chapter in enumerate(kept):
        if chapter.entry.html:
            numbers = _press(make_numbers(chapter.entry))
            if len(numbers) <= room:
                room -= len(numbers)
                kept[i] = replace(chapter, numbers=numbers)
    left = chapters[: len(chapters) - len(kept)]
    return kept[::-1], sum(chapter.number is not None for chapter in left)


def _shrink(chapter: Chapter) -> tuple[Chapter, Chapter]:
    return chapter, replace(chapter, entry=keep_text(chapter.entry))


def _measure(chapter: Chapter) -> int:
    """Bytes on the page, rather too many."""
    entry = chapter.entry
    code = 0 if chapter.same_cell is not None else 2 * len(entry.code.encode())
    shown = entry.html or entry.text
    asked = sum(len(repr(one)) for one in entry.questions)
    return len(shown.encode()) + code + 4 * asked + AROUND


def _press(numbers: str) -> str:
    return base64.b64encode(zlib.compress(numbers.encode(), 6)).decode() if numbers else ""
