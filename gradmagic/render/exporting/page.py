"""The page: title, contents, a chapter for each report; one style sheet and one script for all.

A report's markup is 50 to 130 kB (88 kB for a small network), and what makes it live, deflated and
in base64: 10 to 30 kB for a graph, 60 kB for a descent, 260 to 340 kB for a panel of losses or
activations. So graphs and descents are live in any lesson, and of the panels the newest ten or so.
A report's numbers are unpacked, and its script set to work, when it comes near the window.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _, _n
from gradmagic.render.activations.document import DARK as DARK_ACTIVATIONS
from gradmagic.render.activations.panel import load_style as load_activations_style
from gradmagic.render.descent.panel import load_style as load_descent_style
from gradmagic.render.exporting.article import render_article
from gradmagic.render.exporting.contents import render_contents
from gradmagic.render.failure import OWN_RULES
from gradmagic.render.losses.document import DARK as DARK_LOSSES
from gradmagic.render.losses.panel import load_style as load_losses_style
from gradmagic.render.markup import Html, squeeze_style, tag
from gradmagic.render.page import DARK, write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.render.exporting.chapters import Chapter


@dataclass(frozen=True)
class Imprint:
    """What stands below the title: the day and time, and the versions of what made the page."""

    title: str
    written: str
    versions: str


def render_book(
    chapters: Sequence[Chapter],
    left_out: int,
    imprint: Imprint,
    script: str,
    style: str,
    words: dict[str, Any],
) -> str:
    """A complete HTML document with all reports.

    Parameters
    ----------
    chapters
        The reports that fit.
    left_out
        The number of earlier ones that do not.
    imprint
        Title, date, versions.
    script, style
        The page's script, a module, and the style sheet of the live graph.
    words
        What the script writes.
    """
    last: dict[str, str] = {}
    articles = []
    for chapter in chapters:
        key = chapter.entry.key or chapter.entry.report
        articles.append(render_article(chapter, last.get(key)))
        last[key] = chapter.entry.code
    said = json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
    body = tag(
        "div",
        tag("style", Html(f"{load_style()} {style}")),
        tag("script", Html("document.currentScript.parentElement.classList.add('gm-lively')")),
        _render_head(chapters, left_out, imprint),
        render_contents(chapters),
        tag("main", *articles, id="gm-reports", tabindex="-1"),
        tag("script", Html(said), type="application/json", id="gm-words"),
        tag("script", Html(f"{script}\nopenBook();\n"), type="module"),
        class_="gm-book",
    )
    title = _("{name}: gradmagic reports").format(name=imprint.title)
    return write_document(title, body, skip_to="gm-reports")


def _render_head(chapters: Sequence[Chapter], left_out: int, imprint: Imprint) -> Html:
    reports = [chapter for chapter in chapters if chapter.number is not None]
    count = len(reports)
    said = [_n("{count} report", "{count} reports", count).format(count=count)]
    found = sum(bool(chapter.entry.alerts) for chapter in reports)
    if found:
        said.append(
            _n(
                "{count} with something to look at", "{count} with something to look at", found
            ).format(count=found)
        )
    made = [guess for chapter in reports for guess in chapter.guesses]
    guesses = [guess for guess in made if guess.verdict != "skipped"]
    if guesses:
        right = sum(guess.verdict == "right" for guess in guesses)
        said.append(_("{right} of {count} guesses right").format(right=right, count=len(guesses)))
    left = sum(len(chapter.unanswered) for chapter in reports)
    if left:
        words = _n("{count} question not answered", "{count} questions not answered", left)
        said.append(words.format(count=left))
    missing = _n(
        "{count} earlier report was left out.", "{count} earlier reports were left out.", left_out
    ).format(count=left_out)
    return tag(
        "header",
        tag("h1", imprint.title),
        tag("p", " · ".join(said)),
        tag("p", f"{imprint.written} · {imprint.versions}", class_="gm-s"),
        tag("p", missing, class_="gm-s") if left_out else None,
    )


@functools.cache
def load_style() -> str:
    """One sheet for all kinds of reports, and for the page around them."""
    own = Path(__file__).with_name("exporting.css").read_text("utf-8")
    dark = f""" @media screen and (prefers-color-scheme: dark) {{
      .gm-book, .gm-book .gm {{ {DARK} }}
      .gm-book .gm-losses {{ {DARK_LOSSES} }}
      .gm-book .gm-act {{ {DARK_ACTIVATIONS} }}
      .gm-book .gm-losses, .gm-book .gm-act {{ --gm-paper: #111; }}
    }}"""
    sheets = [load_descent_style(), load_losses_style(), load_activations_style()]
    return " ".join([*sheets, *map(squeeze_style, (OWN_RULES, own, dark))])
