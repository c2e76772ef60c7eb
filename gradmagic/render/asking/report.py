"""A run's report that is held back until its questions are answered."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from gradmagic.core.asking.questions import count_left
from gradmagic.core.i18n import _, _n
from gradmagic.render.asking.document import load_style as load_quiz_style
from gradmagic.render.asking.held import render_held, write_held
from gradmagic.render.html import load_style, render_code, render_header, render_part
from gradmagic.render.loss import render_loss
from gradmagic.render.markup import Html, join, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question
    from gradmagic.core.records import TapeRun


def render_asked(run: TapeRun, questions: Sequence[Question]) -> Html:
    """What stands on the page until the questions are answered: target, questions, loss, code.

    Nothing in it tells a gradient, nor what was diagnosed.
    """
    blind = replace(run, diagnoses=())
    label = _("gradmagic report")
    head = tag(
        "div",
        render_header(blind),
        _say_left(run),
        class_="gm",
        role="group",
        aria_label=label,
    )
    panels = tag(
        "div",
        render_part("loss", _("Loss"), render_loss(blind)),
        render_part("code", _("Code"), render_code(blind)),
        class_="gm-panels",
    )
    held = render_held(head, questions, tag("section", panels, class_="gm gm-known"))
    return join(tag("style", Html(load_style())), held)


def render_saved(
    asked: Html,
    questions: Sequence[Question],
    report: str,
    script: str,
    graph: str = "null",
    mount: str = "mountSavedAsked",
) -> str:
    """The same with a script, and the report out of sight: it works without a kernel.

    Parameters
    ----------
    asked
        What :func:`render_asked` made of the run.
    questions
        The same questions.
    report
        What :func:`gradmagic.render.html.render_html` made of the run.
    script
        A module.
    graph
        What brings the report's graph to life, as JSON; ``null``: it stays a picture.
    mount
        The module's function that brings it to life.

    Returns
    -------
    str
        An HTML fragment.
    """
    own = uuid.uuid4().hex
    data = write_held(questions, Html(report), graph)
    return join(
        tag("style", Html(load_quiz_style())),
        tag("div", asked, data_asked=own),
        tag("script", Html(data), type="application/json", data_asked_of=own),
        tag("script", Html(f"{script}\n{mount}('{own}');\n"), type="module"),
    )


def _say_left(run: TapeRun) -> Html | None:
    left = count_left(run)
    if not left:
        return None
    said = _n(
        "{count} more source is not asked about.",
        "{count} more sources are not asked about.",
        left,
    ).format(count=left)
    return tag("p", said, class_="gm-say")
