"""Questions as text, and asking them line by line where there is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gradmagic.core.asking.marking import mark
from gradmagic.core.asking.records import Guess
from gradmagic.core.i18n import N_, _, join_sentences
from gradmagic.core.summary import format_index
from gradmagic.render.asking.typed import list_letters, read_answer
from gradmagic.render.lettering import count_columns, pad_text, wrap_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gradmagic.core.asking.records import Question, Verdict

WIDTH = 100
_VERDICTS: dict[Verdict, str] = {
    "right": N_("Right."),
    "close": N_("Close."),
    "wrong": N_("Not yet."),
    "skipped": N_("No guess."),
}


def write_questions(questions: Sequence[Question]) -> str:
    """All questions with their choices; nothing of their truth."""
    parts = [
        _write_question(question, f"{number}. ") for number, question in enumerate(questions, 1)
    ]
    return "\n\n".join(parts) + "\n"


def ask_in_terminal(questions: Sequence[Question], note: Callable[[Guess], None]) -> None:
    """Ask one after the other; after each answer the truth is printed, and why.

    An empty line passes a question over. Ctrl+C and the end of the input end the questions.

    Parameters
    ----------
    questions
        The questions. Where no one sits at the input, they are printed, and no more.
    note
        Called with each guess.
    """
    if not sys.stdin.isatty():
        _say(write_questions(questions))
        return
    _say(_("Answer with a number or a letter; Enter alone passes a question over."))
    for number, question in enumerate(questions, 1):
        _say(f"\n{_write_question(question, f'{number}. ')}")
        try:
            guess = _take_guess(question)
        except (KeyboardInterrupt, EOFError):
            _say("\n" + _("No more questions."))
            return
        note(guess)
        _say(_write_verdict(guess))
    _say("")


def _take_guess(question: Question) -> Guess:
    """Read a line until it is an answer, or empty."""
    while True:
        line = input("> ").strip()
        if not line:
            return Guess(question, "", "skipped")
        value = read_answer(question, line)
        verdict = "skipped" if value is None else mark(question, value)
        if value is not None and verdict != "skipped":
            return Guess(question, value, verdict)
        _say(_say_unread(question))


def _say_unread(question: Question) -> str:
    if question.kind == "entry":
        return _("Type the entry's index, such as {index}, or a letter.").format(
            index=",".join("0" for _size in question.shape)
        )
    if question.kind == "choice":
        return _("Type one of the letters.")
    return _("This is not a number that can be read. Type one such as 0.3, -2, 1/3 or 1e-3.")


def _write_question(question: Question, number: str) -> str:
    first, *more = wrap_text(question.text, WIDTH - 4 - len(number))
    lines = [f"{number}{first}", *more]
    lines += _write_cells(question)
    letters = zip(list_letters(question), question.choices, strict=True)
    lines += [f"   {letter}) {choice.label}" for letter, choice in letters]
    return "\n".join(lines).replace("\u2212", "-")


def _write_cells(question: Question) -> list[str]:
    if not question.cells:
        return []
    columns = question.shape[-1]
    wide = max(map(count_columns, question.cells))
    rows = [
        "  ".join(pad_text(cell, wide) for cell in question.cells[start : start + columns])
        for start in range(0, len(question.cells), columns)
    ]
    names = [format_index((i,)) if len(question.shape) > 1 else "" for i in range(len(rows))]
    return [f"   {name:>4}  {row}" for name, row in zip(names, rows, strict=True)]


def _write_verdict(guess: Guess) -> str:
    question = guess.question
    lines = [join_sentences([_(_VERDICTS[guess.verdict]), question.truth])]
    for reason in question.why:
        for line in reason.splitlines():
            first, *more = wrap_text(line, WIDTH - 4)
            lines += [f"  {first}", *(f"    {one}" for one in more)]
    return "\n".join(lines).replace("\u2212", "-")


def _say(text: str) -> None:
    print(text)  # noqa: T201
