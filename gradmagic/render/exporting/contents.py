"""The page's table of contents: a line for each report, earlier runs of a cell folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n
from gradmagic.render.exporting.guesses import say_score
from gradmagic.render.marks import render_mark
from gradmagic.render.markup import Html, join, shorten, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.journal import Entry
    from gradmagic.render.exporting.chapters import Chapter

WIDTH = 26  # columns of a subject


def render_contents(chapters: Sequence[Chapter]) -> Html:
    """Links to all chapters: the last run of each cell in order, its earlier runs folded in it."""
    earlier: dict[str, list[Chapter]] = {}
    items = []
    for chapter in chapters:
        key = chapter.entry.key or chapter.entry.report
        if chapter.next is not None:
            earlier.setdefault(key, []).append(chapter)
        else:
            items.append(tag("li", _render_link(chapter), _fold(earlier.pop(key, []))))
    heading = tag("h2", _("Contents"))
    return tag("nav", heading, tag("ol", *items), class_="gm-contents", aria_label=_("Contents"))


def _fold(chapters: Sequence[Chapter]) -> Html | None:
    if not chapters:
        return None
    count = len(chapters)
    words = _n("{count} earlier run", "{count} earlier runs", count).format(count=count)
    items = (tag("li", _render_link(chapter)) for chapter in chapters)
    return tag("details", tag("summary", words), tag("ol", *items))


def _render_link(chapter: Chapter) -> Html:
    entry = chapter.entry
    details = " · ".join(filter(None, (entry.value, entry.detail)))
    lines = [
        tag("span", *_render_name(entry), class_="gm-subject"),
        tag("span", details, class_="gm-s") if details else None,
        tag("span", say_score(chapter), class_="gm-s") if entry.questions else None,
    ]
    return tag(
        "a",
        tag("span", "" if chapter.number is None else chapter.number, class_="gm-no"),
        tag("span", *lines, class_="gm-entry-name"),
        render_alert(chapter),
        href=f"#{chapter.anchor}",
    )


def _render_name(entry: Entry) -> tuple[object, ...]:
    name = shorten(entry.subject, WIDTH)
    return (tag("code", name),) if entry.kind == "tape" else (name,)


def render_alert(chapter: Chapter) -> Html | None:
    """The sign of the gravest finding, which says them all; none where it would tell an answer."""
    if not chapter.entry.alerts or chapter.unanswered:
        return None
    said = "\n".join(words for _grave, words in chapter.entry.alerts)
    severity = chapter.entry.alerts[0][0]
    mark = render_mark(severity)  # type: ignore[arg-type]
    return tag("span", join(mark), class_="gm gm-sign", role="img", title=said, aria_label=said)
