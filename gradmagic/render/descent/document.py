"""A descent as it is sent: to a widget, into a notebook that is saved, as a page of its own."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

from gradmagic.core.descent.records import Descent, Descents
from gradmagic.core.i18n import _, name_html_language
from gradmagic.render.descent.panel import Plots, load_style, render_panel
from gradmagic.render.descent.steps import choose_moments, pack_steps
from gradmagic.render.descent.words import list_words
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.page import DARK, write_document

if TYPE_CHECKING:
    from gradmagic.render.axes import Frame

LIVE_BYTES = 4_000_000  # of the steps that a widget gets
SAVED_BYTES = 300_000  # of those that a notebook or page carries along

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px; background: #fff; }
.gm-descent { max-width: 1200px; margin: 0 auto; }
body > .gm-present { margin: calc(-24px / var(--gm-zoom, 1)) calc(-24px / var(--gm-zoom, 1)) -4px; }
@media (prefers-color-scheme: dark) {
  body { background: #111; }
  body .gm-descent { DARK }
}
@media print { body { padding: 0; } }
""".replace("DARK", DARK)


def gather(record: Descent | Descents) -> Descents:
    """One descent as a set of one."""
    return Descents((record,)) if isinstance(record, Descent) else record


def render_live(descents: Descents) -> tuple[str, dict[str, Any], bytes]:
    """The panel's HTML for a widget, which has the style; and its numbers: header and block."""
    plots = Plots(descents)
    header, block = _pack(descents, plots, LIVE_BYTES)
    return render_panel(descents, plots), header, block


def render_saved(descents: Descents, script: str) -> str:
    """The panel with a script and as many steps as fit: it works without a kernel.

    Parameters
    ----------
    descents
        What it shows.
    script
        The widget's script.

    Returns
    -------
    str
        An HTML fragment.
    """
    own = uuid.uuid4().hex
    plots = Plots(descents)
    header, block = _pack(descents, plots, SAVED_BYTES)
    header |= {"words": list_words(), "block": base64.b64encode(block).decode("ascii")}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    code = f"{script}\nmountSavedDescent('{own}');\n"
    return join(
        tag("style", Html(load_style())),
        tag("div", render_panel(descents, plots), data_saved_descent=own),
        tag(
            "script",
            Html(text.replace("<", "\\u003c")),
            type="application/json",
            data_descent_of=own,
        ),
        tag("script", Html(code), type="module"),
    )


def render_page(descents: Descents, script: str) -> str:
    """A complete HTML document with the panel: one file, no network, light and dark."""
    body = f"{render_saved(descents, script)}\n{tag('style', Html(_STYLE))}"
    return write_document(_("gradmagic: gradient descent"), body)


def render_waiting(text: str) -> str:
    """What stands below the cell until the descent has ended."""
    said = tag("section", tag("p", text), class_="gm", lang=name_html_language())
    return join(tag("style", Html(load_style())), said)


def _pack(descents: Descents, plots: Plots, room: int) -> tuple[dict[str, Any], bytes]:
    share = room // max(1, len(descents.runs))
    runs, blocks, start = [], [], 0
    for i, run in enumerate(descents.runs):
        header, block = pack_steps(run, choose_moments(run, share), plots.surfaces[i])
        header |= {"start": start, "last": run.done - 1}
        start += len(block)
        runs.append(header)
        blocks.append(block)
    return {
        "runs": runs,
        "best": descents.best,
        "steep": plots.steep,
        "linear": _describe_frame(plots.linear),
        "logarithmic": _describe_frame(plots.logarithmic),
        "norms": [_describe_frame(frame) for frame in plots.norms],
        "surfaces": [_describe_frame(frame) for frame in plots.surfaces],
    }, b"".join(blocks)


def _describe_frame(frame: Frame | None) -> dict[str, Any] | None:
    if frame is None:
        return None
    return {
        "x": frame.x, "y": frame.y, "log": frame.logarithmic, "left": frame.left,
        "top": frame.top, "width": frame.width, "height": frame.height,
    }  # fmt: skip
