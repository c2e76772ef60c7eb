"""What a widget has that asks before it shows, and what it does with a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from gradmagic.core import journal
from gradmagic.core.asking.marking import mark
from gradmagic.core.asking.records import Guess
from gradmagic.render.asking.document import write_quiz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question
    from gradmagic.render.markup import Html


class Asking(traitlets.HasTraits):
    """Traits of a panel that is held back; mixed in before anywidget's own class.

    Attributes
    ----------
    facts
        What stands on the page until the questions are answered; empty where none are asked.
    quiz
        The questions, as ``widgets/asking/quiz.js`` takes them; empty where none are asked.
    given
        The answers by the questions' keys; a question that was passed over has ``""``.
    """

    facts = traitlets.Unicode().tag(sync=True)
    quiz = traitlets.Dict().tag(sync=True)
    given = traitlets.Dict().tag(sync=True)
    _questions: tuple[Question, ...] = ()
    _report = ""

    def is_waiting(self) -> bool:
        """Whether a question is open, so that the panel is not shown yet."""
        return any(question.key not in self.given for question in self._questions)

    def _write_asked(self, questions: Sequence[Question], facts: Html | str) -> dict[str, Any]:
        """The traits for some questions; where they are those of before, the answers stand."""
        same = tuple(questions) == self._questions
        self._questions = tuple(questions)
        return {
            "facts": facts,
            "quiz": write_quiz(questions) if questions else {},
            "given": self.given if same else {},
        }

    def _hear_guess(self, content: dict[str, Any]) -> None:
        """Note an answer that the browser sends; what does not fit any question is passed over."""
        key, value = content.get("key"), str(content.get("value", ""))
        question = next((one for one in self._questions if one.key == key), None)
        if question is None:
            return
        self.given = {**self.given, question.key: value}
        journal.note_guess(self._report, Guess(question, value, mark(question, value)))
