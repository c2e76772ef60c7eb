"""What was guessed before a report was seen, beside the truth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gradmagic.core.i18n import N_, _, _n
from gradmagic.render.formula import render_formula
from gradmagic.render.markup import Html, escape, join, shorten, tag

if TYPE_CHECKING:
    from gradmagic.core.asking.records import Guess, Question
    from gradmagic.render.exporting.chapters import Chapter

CHOICES = 8  # of a question that are listed
ANSWER = 80  # columns
# lines of the reasons, as widgets/asking/results.js tells them apart
_FORMULA = re.compile(r"d \S.* = |\+ d \S")
_FACTOR = re.compile(r"d [^:]+/d [^:]+(?=: .)")
_VERDICTS = {
    "right": N_("Right"),
    "close": N_("Nearly right"),
    "wrong": N_("Not yet"),
    "skipped": N_("No guess"),
}
# shapes, not colours: a tick, two waves, a cross, a dash
_PATHS = {
    "right": "M2 7.5l3.2 3.3L12 3.5",
    "close": "M2 5.5c2-2.4 4 2 6 .4s2-1.4 4-1.2M2 9.7c2-2.4 4 2 6 .4s2-1.4 4-1.2",
    "wrong": "M3 3l8 8M11 3l-8 8",
    "skipped": "M3 7h8",
}


def render_guesses(chapter: Chapter) -> Html | None:
    """The questions of a report: each with the guess, the truth and why; then those left open."""
    if not chapter.entry.questions:
        return None
    rows = [_render_guess(guess) for guess in chapter.guesses]
    rows += [_render_open(question) for question in chapter.unanswered]
    heading = tag("h3", _("What was guessed"), tag("span", say_score(chapter), class_="gm-s"))
    return tag("section", heading, tag("ol", *rows), class_="gm-guesses")


def say_score(chapter: Chapter) -> str:
    """``2 of 3 right``; ``3 questions, not answered yet``."""
    count = len(chapter.entry.questions)
    if not chapter.guesses:
        return _n(
            "{count} question, not answered yet", "{count} questions, not answered yet", count
        ).format(count=count)
    verdicts = [guess.verdict for guess in chapter.guesses]
    made = count - verdicts.count("skipped")
    if not made:
        return _("No guess")
    return _("{right} of {count} right").format(right=verdicts.count("right"), count=made)


def write_value(question: Question, value: str) -> str:
    """An answer as it is read: a choice by its label, an entry by its index."""
    label = next((one.label for one in question.choices if one.value == value), None)
    if label is not None:
        return label
    return f"[{', '.join(value.split(','))}]" if question.kind == "entry" and value else value


def _render_guess(guess: Guess) -> Html:
    question = guess.question
    verdict = _(_VERDICTS[guess.verdict])
    given = shorten(write_value(question, guess.value), ANSWER)
    rows = [] if guess.verdict == "skipped" else [(_("Your guess"), given)]
    rows.append((_("TensorFlow"), question.truth))
    reasons = [_render_reason(line) for reason in question.why for line in reason.splitlines()]
    return tag(
        "li",
        _render_question(question),
        tag("p", _draw(guess.verdict), verdict, class_="gm-verdict"),
        tag("dl", *(join(tag("dt", name), tag("dd", what)) for name, what in rows)),
        tag("details", tag("summary", _("Why")), *reasons) if question.why else None,
    )


def _render_reason(line: str) -> Html:
    """A formula, the rule of one of its factors, or a sentence."""
    if _FORMULA.match(line):
        return tag("p", render_formula(line), class_="gm-formula")
    factor = _FACTOR.match(line)
    return tag("p", tag("code", factor[0]), line[factor.end() :]) if factor else tag("p", line)


def _render_open(question: Question) -> Html:
    labels = [one.label for one in question.choices[:CHOICES]]
    return tag(
        "li",
        _render_question(question),
        tag("p", " · ".join(labels), class_="gm-s") if labels else None,
        tag("p", _draw("skipped"), _("Not answered yet"), class_="gm-verdict"),
    )


def _render_question(question: Question) -> Html:
    return tag("p", question.text, class_="gm-question")


def _draw(verdict: str) -> Html:
    return join(
        Html('<svg width="14" height="14" aria-hidden="true"><path d="'),
        escape(_PATHS[verdict]),
        Html('"/></svg>'),
    )
