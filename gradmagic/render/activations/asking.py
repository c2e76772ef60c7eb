"""What one may know of activations before their derivatives: the values alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.activations.charts import render_values
from gradmagic.render.activations.panel import render_key
from gradmagic.render.activations.softmax import render_logits
from gradmagic.render.activations.words import list_spread_notes, say_place
from gradmagic.render.asking.text import write_questions
from gradmagic.render.markup import Html, tag
from gradmagic.render.numbers import format_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.asking.records import Question


def render_facts(lab: ActivationLab) -> Html:
    """The picture of the values with its legend, and the logits of softmax; no derivative."""
    parts = []
    if lab.curves:
        legend = [
            tag("li", render_key(i), " ", tag("code", curve.function.name))
            for i, curve in enumerate(lab.curves)
        ]
        parts = [
            tag(
                "div",
                tag("div", render_values(lab), class_="gm-charts"),
                tag("ul", *legend, class_="gm-legend"),
                class_="gm-two",
            ),
            *(tag("p", note, class_="gm-s") for note in list_spread_notes(lab)),
        ]
    if lab.softmax is not None:
        parts.append(tag("div", render_logits(lab.softmax), class_="gm-part"))
    return tag(
        "div",
        tag(
            "div",
            tag(
                "p",
                _("Activations and their derivatives"),
                class_="gm-s",
                role="heading",
                aria_level="2",
            ),
            *parts,
            class_="gm-in",
        ),
        class_="gm-act gm-facts",
        role="group",
        aria_label=_("Activations and their derivatives"),
    )


def describe_facts(lab: ActivationLab) -> str:
    """The same as text: which functions; of softmax its logits and probabilities."""
    lines = [", ".join(curve.function.name for curve in lab.curves)] if lab.curves else []
    if lab.softmax is not None:
        probabilities = lab.softmax.look_up(lab.softmax.start)[0]
        logits = [float(lab.softmax.logits[at]) for at in lab.softmax.start]
        lines += [
            "softmax",
            "  z     " + "".join(f"{say_place(z):>10}" for z in logits),
            "  p     " + "".join(f"{format_entry(float(p)):>10}" for p in probabilities),
        ]
    return "\n".join(lines)


def write_asked(lab: ActivationLab, questions: Sequence[Question]) -> str:
    """The same, and the questions: without an answer."""
    return f"{describe_facts(lab)}\n\n{write_questions(questions)}"
