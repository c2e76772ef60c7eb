"""A run's report as a page of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, name_html_language
from gradmagic.render.html import render_html
from gradmagic.render.markup import Html, escape, join, tag
from gradmagic.render.names import name_target
from gradmagic.render.presenting import get_presentation, render_page_switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question
    from gradmagic.core.records import TapeRun
    from gradmagic.render.explorer.reading import Reading

# The colours of a dark page.
DARK = """
  --gm-ink1: #fff; --gm-ink2: #b3b3b3; --gm-rule: #424242; --gm-paper: #111; --gm-brand: #64b5f6;
  --gm-grad: #f48cbb; --gm-pos: #2f6f3a; --gm-neg: #6a4a8c; --gm-zero: #262626;
  --gm-fill: #727272; --gm-warn: #ffc93c; --gm-edge: #ffc93c;
"""

# What a front-end gives a report and a page of its own has to: ground, margin, dark colours.
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px; background: #fff; }
main > .gm { max-width: 1200px; margin: 0 auto; }
body > .gm-present { margin: calc(-24px / var(--gm-zoom, 1)) calc(-24px / var(--gm-zoom, 1)) -4px; }
@media (prefers-color-scheme: dark) {
  body { background: #111; }
  main > .gm { DARK }
}
@media print { body { padding: 0; } }
""".replace("DARK", DARK)

# The same for a report that is held back.
_ASKED_STYLE = """
main > [data-asked] { max-width: 1200px; margin: 0 auto; }
@media (prefers-color-scheme: dark) { main > [data-asked] .gm { DARK } }
""".replace("DARK", DARK)

# There for a screen reader alone.
_UNSEEN = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%)"

# A copied table is pasted into Python: plain hyphens for the true minus.
_SCRIPT = """
document.addEventListener("copy", event => {
  const text = String(getSelection());
  if (!text.includes("\\u2212")) return;
  event.clipboardData.setData("text/plain", text.replaceAll("\\u2212", "-"));
  event.preventDefault();
});
"""


def render_page(run: TapeRun, explorer: Html | None = None) -> str:
    """A complete HTML document with the report of ``run``: one file, no network, light and dark.

    Parameters
    ----------
    run
        The run.
    explorer
        What brings its graph to life, from :func:`render_explorer`; None: it stays a picture.
    """
    title = _("gradmagic report: {target}").format(target=name_target(run.target))
    style, script = tag("style", Html(_STYLE)), tag("script", Html(_SCRIPT))
    parts = [render_html(run), style, script, explorer]
    return write_document(title, "\n".join(part for part in parts if part))


def render_asked_page(
    run: TapeRun, questions: Sequence[Question], reading: Reading | None, script: str, style: str
) -> str:
    """The same, where the questions are asked before the report is shown.

    Parameters
    ----------
    run
        The run.
    questions
        At least one.
    reading
        Its graph, which becomes live with the report; None: it stays a picture.
    script, style
        The widget's script, which is a module, and its style sheet.
    """
    from gradmagic.render.asking.report import render_asked, render_saved
    from gradmagic.render.explorer.document import write_document as write_graph
    from gradmagic.render.explorer.document import write_json

    title = _("gradmagic report: {target}").format(target=name_target(run.target))
    graph = "null" if reading is None else write_json(write_graph(reading, alone=True))
    asked, report = render_asked(run, questions), render_html(run)
    body = render_saved(asked, questions, report, script, graph, mount="mountAskedReport")
    styles = (tag("style", Html(style)), tag("style", Html(_STYLE + _ASKED_STYLE)))
    return write_document(title, "\n".join((body, *styles, tag("script", Html(_SCRIPT)))))


def render_explorer(reading: Reading, script: str, style: str) -> Html:
    """The script that makes the report before it live, without a kernel, and what it works on.

    Parameters
    ----------
    reading
        The graph.
    script, style
        The widget's script, which is a module, and its style sheet.
    """
    from gradmagic.render.explorer.document import write_document as write_graph
    from gradmagic.render.explorer.document import write_json

    own = uuid.uuid4().hex
    document = write_json(write_graph(reading, alone=True))
    mount = f"mountSavedExplorer('{own}');"
    code = Html(f"{script}\n{mount}\n")
    return join(
        tag("style", Html(style)),
        tag("script", Html(document), type="application/json", data_explorer=own),
        tag("script", code, type="module"),
    )


def write_document(title: str, body: str, *, skip_to: str = "") -> str:
    """A complete HTML document around a body, with a switch for how it is shown.

    Parameters
    ----------
    title
        Of the document.
    body
        What it shows.
    skip_to
        The id of its main part, for a body that has landmarks and headings of its own; without it
        the whole body is the main part, under the title.
    """
    shown = get_presentation()
    if skip_to:
        words = escape(_("Skip to the reports"))
        skip = f'<a class="gm-skip" href="#{skip_to}">{words}</a>\n'
    else:
        skip = ""
        body = f'<main>\n<h1 style="{_UNSEEN}">{escape(title)}</h1>\n{body}\n</main>'
    return (
        f'<!DOCTYPE html>\n<html lang="{name_html_language()}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n</head>\n<body class="{shown.classes}">\n'
        f"{skip}{render_page_switch(shown)}\n{body}\n</body>\n</html>\n"
    )
