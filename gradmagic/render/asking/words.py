"""What the questions' script writes, in the user's language."""

from __future__ import annotations

from gradmagic.core.i18n import _


def list_words() -> dict[str, str]:
    """The words by the names that ``widgets/asking/quiz.js`` knows them by."""
    return {
        "title": _("Think first"),
        "lead": _("What do you expect? Answer, then see what TensorFlow computed."),
        "of": _("Question {number} of {count}"),
        "check": _("Check"),
        "show": _("Show the answers"),
        "typed": _("Your number"),
        "hint": _("A number, such as 0.3, -2 or 1e-3. A rough one is enough."),
        "or": _("or"),
        "unread": _(
            "This is not a number that can be read. Type one such as 0.3, -2, 1/3 or 1e-3."
        ),
        "unchosen": _("Choose an answer first."),
        "right": _("Right"),
        "close": _("Nearly right"),
        "wrong": _("Not yet"),
        "skipped": _("No guess"),
        "guess": _("Your guess"),
        "truth": _("TensorFlow"),
        "why": _("Why"),
        "told": _("{verdict}. TensorFlow: {truth}"),
        "score": _("{count} of {all} right"),
        "entry": _("{name}{index}, value {value}"),
    }
