"""What one may know of the sample in hand before its gradients: classes, logits, targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.asking.text import write_questions
from gradmagic.render.lettering import pad_text
from gradmagic.render.losses.bars import TOO_SHORT
from gradmagic.render.markup import Html, tag
from gradmagic.render.numbers import MINUS, format_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import SliderTables


def render_facts(panel: LossPanel) -> Html:
    """The losses' formulas, and a row a class; no loss and no gradient."""
    tables = panel.hand.tables
    title = _("Sample {sample}: class {number} is the true one.")
    left = int(tables.logits.size) - len(tables.shown)
    more = _("{count} more classes, with smaller logits, are not listed.").format(count=left)
    return tag(
        "div",
        tag(
            "div",
            tag("p", _("MSE against crossentropy"), class_="gm-s"),
            tag(
                "p",
                title.format(sample=tables.setting.sample, number=tables.true_class),
                class_="gm-claim",
                role="heading",
                aria_level="2",
            ),
            _render_classes(tables),
            tag("p", more, class_="gm-s") if left else None,
            tag("p", tag("span", _("MSE"), class_="gm-mse"), " = mean (y − p)²", class_="gm-below"),
            tag("p", tag("span", _("crossentropy"), class_="gm-ce"), " = −Σ y ln p"),
            tag("p", _("p = softmax(logits), y the target")),
            tag("p", panel.origin.found, class_="gm-s") if panel.origin.found else None,
            class_="gm-in",
        ),
        class_="gm-losses gm-facts",
        role="group",
        aria_label=_("MSE against crossentropy"),
    )


def describe_facts(panel: LossPanel) -> str:
    """The same as text."""
    tables = panel.hand.tables
    title = _("Sample {sample}: class {number} is the true one.")
    lines = [title.format(sample=tables.setting.sample, number=tables.true_class)]
    heads = (_("class"), _("logit"), "p", _("target"))
    rows = [heads, *(_list_cells(tables, number) for number in tables.shown)]
    lines += ["".join(pad_text(cell, 10) for cell in row) for row in rows]
    return "\n".join(lines)


def write_asked(panel: LossPanel, questions: Sequence[Question]) -> str:
    """The same, and the questions: without an answer."""
    return f"{describe_facts(panel)}\n\n{write_questions(questions)}"


def _list_cells(tables: SliderTables, number: int) -> tuple[str, str, str, str]:
    return (
        str(number),
        f"{float(tables.logits[number]):.2f}".replace("-", MINUS),
        format_entry(tables.find_class(number).probability),
        f"{float(tables.target[number]):.3g}",
    )


def _render_classes(tables: SliderTables) -> Html:
    heads = (
        tag("th", _("class"), scope="col"),
        tag("th", _("logit"), scope="col", class_="gm-r"),
        tag("th", "p", scope="col", class_="gm-r"),
        tag("td", class_="gm-share"),
        tag("th", _("target"), scope="col", class_="gm-r"),
    )
    rows = [_render_class(tables, number) for number in tables.shown]
    return tag(
        "table",
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
        class_="gm-classes",
        aria_label=_("Logits, probabilities and targets of the classes"),
    )


def _render_class(tables: SliderTables, number: int) -> Html:
    name, logit, p, target = _list_cells(tables, number)
    share = tables.find_class(number).probability
    wanted = float(tables.target[number])
    bar = tag(
        "span",
        tag("u", style=f"width:{100 * wanted:.2f}%", hidden=True if wanted < TOO_SHORT else None),
        tag("i", style=f"width:{100 * share if share >= TOO_SHORT else 0:.2f}%"),
        class_="gm-pb",
    )
    true = number == tables.true_class
    return tag(
        "tr",
        tag("th", name, " ", tag("span", _("true")) if true else None, scope="row"),
        tag("td", logit),
        tag("td", p),
        tag("td", bar, class_="gm-share"),
        tag("td", target),
        class_="gm-true" if true else None,
    )
