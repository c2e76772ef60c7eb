"""One report on the page: its heading, its cell, what was guessed, and the report itself."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.exporting.contents import render_alert
from gradmagic.render.exporting.guesses import render_guesses
from gradmagic.render.markup import Html, fill, join, tag

if TYPE_CHECKING:
    from gradmagic.render.exporting.chapters import Chapter

HEIGHT = {"tape": 480, "descent": 900, "losses": 1600, "activations": 900, "failure": 60}  # px
LINE = 20  # px of a line of code

_GRAPH = re.compile(r'(<svg class="gm-graph"[^>]*? width="([\d.]+)" height="([\d.]+)")')


def render_article(chapter: Chapter, before: str | None) -> Html:
    """A chapter.

    Parameters
    ----------
    chapter
        The report.
    before
        The cell as it was in its run before; None for the first run.
    """
    entry = chapter.entry
    body = join(_render_cell(chapter, before), render_guesses(chapter), _render_report(chapter))
    heading = _render_heading(chapter)
    if chapter.next is not None:
        body = tag("details", tag("summary", heading), body, class_="gm-earlier")
    else:
        body = join(heading, body)
    height = HEIGHT[entry.kind] + LINE * (entry.code.count("\n") + 3)
    return tag(
        "article",
        body,
        id=chapter.anchor,
        class_="gm-chapter",
        data_kind=entry.kind,
        style=f"--gm-height:{60 if chapter.next is not None else height}px",
    )


def _render_heading(chapter: Chapter) -> Html:
    entry = chapter.entry
    name = tag("code", entry.subject) if entry.kind == "tape" else tag("span", entry.subject)
    value = None
    if entry.value:
        equal = entry.kind == "tape"
        words = f"= {entry.value}" if equal else entry.value
        value = tag("span", words, class_=None if equal else "gm-value")
    number = tag("span", chapter.number, class_="gm-no") if chapter.number is not None else None
    title = tag("h2", number, name, " ", value, render_alert(chapter))
    return tag("div", title, tag("p", *_list_places(chapter), class_="gm-s"), class_="gm-title")


def _list_places(chapter: Chapter) -> list[object]:
    """Which cell it was, and which of its runs."""
    parts: list[object] = []
    if chapter.runs > 1:
        words = _("run {run} of {runs} of this cell").format(run=chapter.run, runs=chapter.runs)
        parts.append(tag("span", words))
    if chapter.next is not None:
        link = tag("a", chapter.next, href=f"#report-{chapter.next}")
        parts.append(tag("span", fill(_("run again: {number}"), number=link)))
    if chapter.entry.number is not None:
        parts.append(tag("span", _("cell {number}").format(number=chapter.entry.number)))
    return parts


def _render_cell(chapter: Chapter, before: str | None) -> Html | None:
    """The cell as it was typed; lines that its run before had not are marked."""
    entry = chapter.entry
    if chapter.same_cell is not None:
        link = tag("a", chapter.same_cell, href=f"#report-{chapter.same_cell}")
        said = fill(_("The same cell as of report {number}."), number=link)
        return tag("p", said, class_="gm-s gm-same")
    if not entry.code:
        return None
    lines = entry.code.rstrip().split("\n")
    changed = _find_changed(before, lines)
    shown = [
        tag("span", f"{line}\n", class_="gm-changed" if i in changed else None)
        for i, line in enumerate(lines)
    ]
    note = _("Lines with a bar are not those of the run before.")
    return join(
        tag("pre", tag("code", *shown), class_="gm-typed", tabindex="0"),
        tag("p", note, class_="gm-s gm-same") if changed else None,
    )


def _find_changed(before: str | None, lines: list[str]) -> set[int]:
    if before is None:
        return set()
    matcher = difflib.SequenceMatcher(None, before.rstrip().split("\n"), lines, autojunk=False)
    changed: set[int] = set()
    for kind, _from, _to, start, end in matcher.get_opcodes():
        if kind in ("replace", "insert"):
            changed.update(range(start, end))
    return changed


def _render_report(chapter: Chapter) -> Html:
    entry = chapter.entry
    # with a viewBox a graph can be made as small as a sheet of paper
    html = _GRAPH.sub(r'\1 viewBox="0 0 \2 \3"', entry.html)
    shown = Html(html) if html else tag("pre", entry.text, class_="gm-plain")
    numbers = None
    if chapter.numbers:
        numbers = tag("script", Html(chapter.numbers), type="text/plain", class_="gm-kept")
    view = tag("div", shown, numbers, class_="gm-view")
    if not chapter.unanswered:
        return view
    words = _("Show the report, which tells the answers")
    return tag("details", tag("summary", words), view, class_="gm-veiled")
