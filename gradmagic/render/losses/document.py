"""The panel as it is sent: to a widget, into a notebook that is saved, as a page of its own."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _
from gradmagic.core.losses.panel import take_in_hand
from gradmagic.core.losses.sliders import find_setting
from gradmagic.render.asking.held import PAGE_STYLE, render_held, write_held
from gradmagic.render.losses import snippets
from gradmagic.render.losses.asking import render_facts
from gradmagic.render.losses.claims import list_words
from gradmagic.render.losses.panel import load_style, render_panel
from gradmagic.render.losses.tables import describe_batch, encode_block, pack_tables
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.page import write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import SliderTables

LIMIT = 480_000  # bytes of a panel that carries its numbers along
SAVED_POSITIONS = 61  # of a slider in it: half as fine as with a kernel

# The colours of a dark page.
DARK = """
    --gm-ink: rgba(255, 255, 255, .87); --gm-soft: rgba(255, 255, 255, .6); --gm-line: #555;
    --gm-rule: #757575; --gm-paper: #212121; --gm-pick: #424242; --gm-ce: #6cb6f5;
    --gm-mse: #f5a05a; --gm-grey: #9a9a9a; --gm-tint: .17;
"""

# What a front-end gives a panel and a page of its own has to: ground, margin, dark colours.
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #fff; }
.gm-losses { margin: 0 auto; max-width: 1152px; }
@media (prefers-color-scheme: dark) {
  body { background: #212121; }
  body .gm-losses { DARK }
}
""".replace("DARK", DARK)


def list_codes(panel: LossPanel) -> dict[str, str]:
    """Templates of the code that does not change with the sample."""
    return {"race": snippets.write_race(panel)}


def list_hand_codes(panel: LossPanel, tables: SliderTables) -> dict[str, str]:
    """Templates of the code for the sample in hand; see :mod:`snippets` for their places."""
    count = len(tables.shown)
    return {
        "hand": snippets.write_hand(panel, tables),
        "stability": snippets.write_stability(panel, tables),
        "curve_logit": snippets.write_curve(panel, tables, tables.sliders[0]),
        "curve_confidence": snippets.write_curve(panel, tables, tables.sliders[count]),
        "curve_smoothing": snippets.write_curve(panel, tables, tables.sliders[count + 1]),
    }


def render_live(panel: LossPanel, version: int) -> str:
    """The panel for a widget, which gets style and numbers beside it; each version is another."""
    return tag("div", render_panel(panel), data_version=version)


def render_saved(panel: LossPanel, script: str, questions: Sequence[Question] = ()) -> str:
    """The panel with a script and as many samples' tables as fit: it works without a kernel.

    Parameters
    ----------
    panel
        What it shows.
    script
        The widget's script.
    questions
        What is asked first; until then the panel and its numbers are on the page out of sight.

    Returns
    -------
    str
        An HTML fragment, at most 500 kB.
    """
    own = uuid.uuid4().hex
    style = tag("style", Html(load_style()))
    shown = render_panel(panel)
    body = tag("div", render_asked(panel, questions) if questions else shown, data_saved=own)
    mount = f"mountWhenSeen('{own}');"
    code = tag("script", Html(f"{script}\n{mount}\n"), type="module")
    used = sum(len(part.encode()) for part in (style, body, code))
    data = _fit_data(panel, LIMIT - used)
    if questions:
        data = write_held(questions, shown, data)
    numbers = tag("script", Html(data), type="application/json", data_of=own)
    return join(style, body, numbers, code)


def render_asked(panel: LossPanel, questions: Sequence[Question]) -> Html:
    """What stands on the page until the questions are answered."""
    return tag("div", render_held(render_facts(panel), questions), class_="gm-held-lab")


def render_page(panel: LossPanel, script: str, questions: Sequence[Question] = ()) -> str:
    """A complete HTML document with the panel: one file, no network, light and dark."""
    title = _("gradmagic: MSE against crossentropy")
    saved = render_saved(panel, script, questions)
    return write_document(title, f"{saved}\n{tag('style', Html(_STYLE + PAGE_STYLE))}")


def _fit_data(panel: LossPanel, room: int) -> str:
    """The numbers of the sample in hand, and of as many others as there is room for."""
    data: dict[str, Any] = {
        "batch": describe_batch(panel),
        "words": list_words(),
        "codes": list_codes(panel),
    }
    room -= len(_write(data).encode())
    tables: list[str] = []
    for sample in _order_samples(panel):
        text = _write(_pack_sample(panel, sample))
        room -= len(text.encode()) + 1
        if tables and room < 0:
            break
        tables.append(text)
    start = _write(data).removesuffix("}")
    return f'{start},"tables":[{",".join(tables)}]}}'


def _order_samples(panel: LossPanel) -> list[int]:
    """The sample in hand, then the largest crossentropy and the smallest, in turn."""
    own = panel.hand.tables.setting.sample
    losses = panel.comparison.per_sample_crossentropy.numpy()
    others = sorted((s for s in panel.listed if s != own), key=lambda s: -float(losses[s]))
    order = [own]
    while others:
        order.append(others.pop(0))
        if others:
            order.append(others.pop())
    return order


def _pack_sample(panel: LossPanel, sample: int) -> dict[str, Any]:
    setting = find_setting(panel.comparison, sample)
    without_sources = replace(panel.comparison, sources=())
    hand = take_in_hand(without_sources, setting, panel.leads, SAVED_POSITIONS)
    header, block = pack_tables(hand.tables)
    header["codes"] = list_hand_codes(panel, hand.tables)
    return {"header": header, "block": encode_block(block)}


def _write(data: Any) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
