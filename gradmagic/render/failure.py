"""What an exception in the cell is about, in a line above its traceback."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from gradmagic.core.i18n import _, name_html_language
from gradmagic.render.diagnoses import find_severity
from gradmagic.render.html import load_style
from gradmagic.render.marks import render_mark
from gradmagic.render.markup import Html, join, squeeze_style, tag

if TYPE_CHECKING:
    from gradmagic.core.records import Diagnosis

INDENT = "  "

# the report's classes that are used here; a line needs no more of its sheet
_CLASSES: Final = frozenset({"gm", "gm-s", "gm-fix", "gm-story", "gm-flag", "gm-shape", "gm-in"})
OWN_RULES: Final = """
.gm.gm-failure { padding: 8px 0; }
.gm .gm-failed { display: grid; grid-template-columns: 14px minmax(0, 1fr); gap: 0 12px; }
.gm .gm-failed > span { max-width: 80ch; }
.gm .gm-failed svg { align-self: start; margin-top: 3px; }
.gm.gm-failure .gm-story { margin-bottom: 0; }
"""


def render_failure(diagnosis: Diagnosis) -> str:
    """The line, and below it what to type instead.

    Parameters
    ----------
    diagnosis
        Of an exception: its message begins with the expression, which is its ``op``.

    Returns
    -------
    str
        ``<style>`` and one ``<div class="gm">``.
    """
    expression, said, details = _split(diagnosis)
    line = tag(
        "p",
        render_mark(find_severity(diagnosis.kind)),
        tag(
            "span",
            tag("code", expression),
            said,
            tag("span", details, class_="gm-s") if details else None,
        ),
        class_="gm-failed",
    )
    fix = tag("div", _render_fix(diagnosis), class_="gm-story") if diagnosis.fix else None
    label = _("what failed in the cell")
    section = tag(
        "div",
        line,
        fix,
        class_="gm gm-failure",
        role="group",
        aria_label=label,
        lang=name_html_language(),
    )
    return join(tag("style", Html(_load_rules())), section)


@functools.cache
def _load_rules() -> str:
    """The rules of the report's sheet for the classes that are used here."""
    plain = re.sub(r"@[^{}]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", load_style())
    kept = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain):
        parts = [one for one in selectors.split(",") if _is_used(one)]
        if parts:
            kept.append(f"{','.join(parts)}{{{body}}}")
    return "".join(kept) + squeeze_style(OWN_RULES)


def _is_used(selector: str) -> bool:
    classes = set(re.findall(r"\.([\w-]+)", selector))
    return "gm" in classes and all(one in _CLASSES or one.startswith("vscode") for one in classes)


def _split(diagnosis: Diagnosis) -> tuple[str, str, str]:
    """The expression, which the user typed; what is said of it; dtypes or shapes in parentheses."""
    expression = diagnosis.op or ""
    if not diagnosis.message.startswith(expression):
        return "", diagnosis.message, ""
    rest = diagnosis.message.removeprefix(expression)
    found = re.fullmatch(r"(.*?)( \(.*\)|（.*）)", rest, re.DOTALL)
    return (expression, found[1], found[2]) if found else (expression, rest, "")


def _say_place(diagnosis: Diagnosis) -> str:
    """Where to type the fix."""
    if diagnosis.fix.startswith("%%"):
        return _("type in place of the magic's line")
    return _("type in place of line {line}").format(line=diagnosis.line)


def _render_fix(diagnosis: Diagnosis) -> Html:
    place = tag("span", _say_place(diagnosis), class_="gm-s")
    return tag("div", place, " ", tag("pre", tag("code", diagnosis.fix)), class_="gm-fix")


def render_failure_text(diagnosis: Diagnosis) -> str:
    """The same as plain text."""
    lines = [diagnosis.message]
    if diagnosis.fix:
        lines.append(INDENT + _("{title}:").format(title=_say_place(diagnosis)))
        lines += [INDENT * 2 + line for line in diagnosis.fix.splitlines()]
    return "\n".join(lines)
