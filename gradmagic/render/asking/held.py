"""A panel that is held back until its questions are answered: what stands on the page before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.asking.document import pack, write_quiz
from gradmagic.render.markup import Html, tag
from gradmagic.render.page import DARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question

# On a page of its own, beside what the panel's own page has.
PAGE_STYLE = """
.gm-held { margin: 0 auto; max-width: 1152px; }
@media (prefers-color-scheme: dark) { body .gm.gm-quiz { DARK } }
""".replace("DARK", DARK)


def render_held(facts: Html, questions: Sequence[Question], below: Html | None = None) -> Html:
    """What is known, the questions, and a place for the panel; complete without a script.

    Parameters
    ----------
    facts
        What one may know before: a section.
    questions
        At least one.
    below
        What else one may know, under the questions.
    """
    return tag(
        "div",
        tag("div", facts, data_k="facts"),
        tag("div", _list_questions(questions), data_k="quiz", class_="gm-held-quiz"),
        tag("div", below, data_k="below") if below else None,
        tag("div", data_k="opened"),
        class_="gm-held",
    )


def _list_questions(questions: Sequence[Question]) -> Html:
    """The questions as a list, which the script replaces by what can be answered."""
    items = [
        tag("li", one.text, Html("<br>") if one.choices else None, " / ".join(_list_labels(one)))
        for one in questions
    ]
    hint = _("The answers are in this page, out of sight. Run the cell, or trust this notebook.")
    return tag("div", tag("ol", *items), tag("p", hint))


def _list_labels(question: Question) -> list[str]:
    return [choice.label for choice in question.choices]


def write_held(questions: Sequence[Question], panel: Html, numbers: str) -> str:
    """The questions and, out of sight, the panel with its numbers: JSON for a script element.

    Parameters
    ----------
    questions
        At least one.
    panel
        Its HTML.
    numbers
        What its script works on, as JSON.
    """
    held = json.dumps({"html": panel, "numbers": numbers}, ensure_ascii=False)
    data = {"quiz": write_quiz(questions), "held": pack(held)}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
