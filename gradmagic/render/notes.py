"""The strip on top of a report: the diagnoses, worst first, and what else needs attention."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n, join_phrases
from gradmagic.render.diagnoses import (
    count_names,
    find_severity,
    group_diagnoses,
    join_names,
    list_names,
    name_kind,
    name_place,
    write_fixes,
    write_sentences,
)
from gradmagic.render.lettering import measure_code, measure_small
from gradmagic.render.marks import render_mark, render_sign
from gradmagic.render.markup import Html, join, shorten, tag
from gradmagic.render.sentences import count_gradients

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gradmagic.core.records import Diagnosis, TapeRun
    from gradmagic.render.diagnoses import Finding

ROWS = 6  # with the one that counts the others
NOTE_BYTES = 8_000  # what they may take
OP = 28  # columns of an op or call in a row
TEXT = 13 / 11  # of the small letters' width
SLACK = 4  # px that names may take more than they should


def render_notes(run: TapeRun) -> Html | None:
    """What needs attention, a row each; of the worst all is said, of the others on a click."""
    findings = group_diagnoses(run.diagnoses)
    most = ROWS if len(findings) <= ROWS else ROWS - 1
    items: list[Html] = []
    used = 0
    for finding in findings[:most]:
        item = _render_finding(finding, is_open=not items)
        used += measure(item)
        if items and used > NOTE_BYTES:
            break
        items.append(item)
    left = sum(len(finding.diagnoses) for finding in findings[len(items) :])
    if left:
        more = _n(
            "{count} more is in gradmagic.last_run().diagnoses.",
            "{count} more are in gradmagic.last_run().diagnoses.",
            left,
        )
        items.append(tag("li", tag("p", more.format(count=left), class_="gm-rest")))
    items += [tag("li", tag("p", text, class_="gm-more")) for text in count_gradients(run)]
    if not items:
        return None
    wide = max([_measure_names(finding) for finding in findings[:most]], default=0)
    style = f"--gm-names:{wide:.0f}px" if wide else None
    return tag("ul", *items, class_="gm-alerts", style=style, aria_label=_("Notes"))


def measure(part: str) -> int:
    """Bytes that a part takes in a message, where quotes and line ends are escaped."""
    return len(json.dumps(part, ensure_ascii=False).encode())


def _render_finding(finding: Finding, *, is_open: bool) -> Html:
    row = (
        render_sign(find_severity(finding.kind)),
        " ",
        tag("span", _render_names(finding.subjects)),
        " ",
        tag("span", _render_title(finding.diagnoses[0])),
    )
    sentences = (tag("p", sentence) for sentence in write_sentences(finding))
    fixes = (_render_fix(place, codes) for place, codes in write_fixes(finding).items())
    story = tag("div", *sentences, *fixes, class_="gm-story")
    if is_open:
        return tag("li", tag("p", *row, class_="gm-row"), story)
    return tag("li", tag("details", tag("summary", *row, class_="gm-row"), story))


def _render_names(names: Sequence[str]) -> Html:
    shown, left = count_names(names)
    codes = [tag("code", name) for name in shown]
    if left:
        more = _n("and {count} more", "and {count} more", left).format(count=left)
        return join(Html(", ".join(codes)), " ", more)
    return Html(join_names(codes))


def _measure_names(finding: Finding) -> float:
    """Px that a row's names take; rather too much than too little."""
    shown, left = count_names(finding.subjects)
    between = measure_small(list_names(["", "", ""])) if len(shown) > 1 else 0
    more = measure_small(_n("and {count} more", "and {count} more", left)) if left else 0
    return sum(map(measure_code, shown)) + TEXT * (between + more) + SLACK


def _render_title(one: Diagnosis) -> Html:
    """What it is, in which line and op: for where all is said at another place, or below."""
    places = [name_place(one.line), shorten(one.op, OP) if one.op else ""]
    place = join_phrases(filter(None, places))
    title = tag("span", name_kind(one.kind))
    return join(title, " ", tag("span", place, class_="gm-s")) if place else title


def _render_fix(place: str, codes: Sequence[str]) -> Html:
    """Code to type, and where."""
    shown = (tag("pre", tag("code", code)) for code in codes)
    return tag("div", tag("span", place, class_="gm-s"), " ", tag("div", *shown), class_="gm-fix")


def render_causes(diagnoses: Iterable[Diagnosis], name: str) -> list[Html]:
    """The diagnoses of one source by their titles: the notes on top say the rest."""
    own = group_diagnoses(one for one in diagnoses if one.subject == name)
    return [render_cause(finding.diagnoses[0]) for finding in own[:ROWS]]


def render_cause(one: Diagnosis) -> Html:
    """A diagnosis by its sign and title."""
    mark = render_mark(find_severity(one.kind))
    return tag("span", mark, " ", _render_title(one), class_="gm-cause")
