"""A run's report as one static HTML fragment: no script, no network, right in any theme."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from gradmagic.core.graph.folding import describe_folding, trim, unfold
from gradmagic.core.graph.levels import make_level
from gradmagic.core.i18n import _, _n, name_html_language
from gradmagic.render.gradients import render_gradients, render_sources
from gradmagic.render.graph import draw_graph, draw_key
from gradmagic.render.listing import describe_graph
from gradmagic.render.loss import render_loss
from gradmagic.render.marks import render_pointer
from gradmagic.render.markup import STYLED, Html, fill, join, picture, shorten, squeeze_style, tag
from gradmagic.render.names import name_derivative, name_unit, total_target
from gradmagic.render.notes import measure, render_notes
from gradmagic.render.numbers import format_number
from gradmagic.render.sentences import describe_time, explain_sum, explain_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Diagnosis, Graph, TapeRun

LIMIT = 132_000  # bytes of a report as it is sent; two of them and their texts stay under 300 kB
CODE_BYTES = 16_000  # of the code that is shown
POINTED = 8  # diagnoses named at a line of it
UNFOLDED = 80  # ops of a graph that is also drawn in full


def render_html(run: TapeRun) -> str:
    """The whole report: header, notes, gradients, loss, graph, code.

    Parameters
    ----------
    run
        The record of one run.

    Returns
    -------
    str
        ``<style>`` and one ``<div class="gm">``, at most about 140 kB whatever the run holds.
    """
    style = tag("style", Html(load_style()))
    sources = render_sources(run)
    head = join(render_header(run), render_notes(run))
    gradients, loss = render_gradients(run, sources), render_loss(run)
    code = render_code(run)
    used = sum(measure(part) for part in (style, head, gradients, loss, code))
    graph = None
    if run.graph is not None:
        graph = render_graph(run.graph, LIMIT - used, run.diagnoses)
    broad = " gm-broad" if "gm-wider" in gradients or "gm-list" in gradients else ""
    first = tag(
        "div",
        render_part("gradients", _("Gradients"), gradients),
        render_part("loss", _("Loss"), loss),
        class_=f"gm-first{broad}",
    )
    panels = tag(
        "div",
        first,
        render_part("graph", _("Graph"), graph) if graph is not None else None,
        render_part("code", _("Code"), code),
        class_="gm-panels",
    )
    label = _("gradmagic report")
    body = tag(
        "div",
        head,
        panels,
        class_="gm",
        role="group",
        aria_label=label,
        lang=name_html_language(),
    )
    return style + body


@functools.cache
def load_style() -> str:
    """The style sheets of report, graph and presentation, without comments and spare blanks."""
    folder = Path(__file__).parent
    sheets = [folder / "report.css", folder / "graph.css", folder / "presenting.css"]
    return squeeze_style("\n".join(sheet.read_text("utf-8") for sheet in sheets))


def render_part(name: str, title: str, body: Html) -> Html:
    """A part with its heading; ``name`` is that of its class."""
    heading = tag("p", tag("strong", title), class_="gm-h", role="heading", aria_level="3")
    return tag("div", heading, body, class_=f"gm-panel gm-{name}")


def render_header(run: TapeRun) -> Html:
    """The target and its value, what it is differentiated by, and how long it took."""
    target, total = run.target, total_target(run)
    value = "–" if total is None else format_number(total)
    unit = name_unit(target)
    bad = " gm-bad" if value.lstrip("\u2212") in ("nan", "inf") else ""
    head = tag(
        "p",
        tag("code", shorten(target.name, 40)),
        " ",
        tag("span", value, class_=f"gm-big{bad}"),
        " ",
        tag("span", unit) if unit else None,
        " ",
        tag("span", name_derivative(run), class_="gm-d gm-g"),
        class_="gm-head",
        role="heading",
        aria_level="2",
    )
    why = fill(explain_target(target), name=tag("code", shorten(target.name, 40)), line=target.line)
    meta = tag("p", tag("span", why), " ", tag("span", describe_time(run)), class_="gm-meta")
    summed = explain_sum(target)
    return join(head, meta, tag("p", summed, class_="gm-say") if summed else None)


def render_graph(graph: Graph, room: int, diagnoses: Sequence[Diagnosis] = ()) -> Html:
    """The outermost level, and all ops on a click where they are few; ``room`` is in bytes."""
    if not graph.nodes:
        return tag("p", _("No op was recorded."))
    folded = make_level(trim(graph))
    words = describe_graph(folded, diagnoses)[: max(0, room // 3)]
    notes = [
        tag("p", text, class_="gm-s gm-folding")
        for text in (describe_folding(graph), _say_missing(graph))
        if text
    ]
    try:
        drawn = picture(draw_graph(folded, diagnoses=diagnoses), words, class_="gm-flow")
        parts = [picture(draw_key(folded, diagnoses), class_="gm-keys"), drawn]
        said = _("This graph is too large to be drawn here. Its ops:")
    except Exception as error:  # the cell ran well: its report must not fail with a drawing
        parts, said = [], _("The graph could not be drawn: {error}").format(error=str(error)[:200])
    left = room - sum(measure(part) for part in (*parts, *notes))
    if not parts or left < 0:
        return join(tag("p", said), tag("pre", words, class_="gm-listing"), *notes)
    if len(folded.nodes) < len(graph.nodes) <= UNFOLDED:
        full = picture(draw_graph(unfold(graph), diagnoses=diagnoses), class_="gm-flow")
        if measure(full) + 500 < left:
            ops = _n("All {count} op", "All {count} ops", graph.ops).format(count=graph.ops)
            inside = (tag("summary", ops), full)
            parts.append(tag("details", *inside, class_="gm-all", style=STYLED))
    return join(*parts, *notes)


def _say_missing(graph: Graph) -> str:
    if not graph.missing:
        return ""
    return _n(
        "{count} op ran in another thread, where no tape records it: it is missing here.",
        "{count} ops ran in other threads, where no tape records them: they are missing here.",
        graph.missing,
    ).format(count=graph.missing)


def render_code(run: TapeRun) -> Html:
    """The plain with-block: the cell's own lines by number, the added ones with a plus."""
    lines, used = [], 0
    noted: dict[int, list[Diagnosis]] = {}
    for diagnosis in run.diagnoses:
        if diagnosis.line is not None:
            noted.setdefault(diagnosis.line, []).append(diagnosis)
    for line in run.lines:
        number = "+" if line.number is None else str(line.number)
        said = [] if line.number is None else noted.get(line.number, [])[:POINTED]
        margin = tag("i", number, render_pointer(said) if said else None)
        shown = tag("span", margin, " ", tag("code", line.text or " "))
        used += measure(shown)
        if used > CODE_BYTES:
            break
        lines.append(shown)
    left = len(run.lines) - len(lines)
    more = _n(
        "{count} more line is left out; gradmagic.last_run().code has all.",
        "{count} more lines are left out; gradmagic.last_run().code has all.",
        left,
    ).format(count=left)
    note = _("Numbered lines are the cell's own; lines with + are what {magic} stands for.")
    return join(
        tag("pre", Html("\n".join(lines)), class_="gm-py gm-noted" if noted else "gm-py"),
        tag("p", more, class_="gm-say") if left else None,
        tag("p", fill(note, magic=tag("code", shorten(run.magic, 80))), class_="gm-s"),
    )
