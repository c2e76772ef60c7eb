"""The panel as it is sent: to a widget, into a notebook that is saved, as a page of its own."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.activations.records import DEPTH
from gradmagic.core.i18n import _
from gradmagic.render.activations import snippets
from gradmagic.render.activations.asking import render_facts
from gradmagic.render.activations.charts import list_frames
from gradmagic.render.activations.panel import LAYERS, load_style, render_panel
from gradmagic.render.activations.words import list_words
from gradmagic.render.asking.held import PAGE_STYLE, render_held, write_held
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.page import write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.activations.records import ActivationLab, SoftmaxTable
    from gradmagic.core.asking.records import Question

# The colours of a dark page.
DARK = """
    --gm-ink: rgba(255, 255, 255, .87); --gm-soft: rgba(255, 255, 255, .65); --gm-line: #444;
    --gm-rule: #757575; --gm-paper: #212121; --gm-pick: #333; --gm-grad: #f48cbb;
    --gm-pos: #2f6f3a; --gm-neg: #6a4a8c; --gm-zero: #2b2b2b; --gm-grey: #8a8a8a; --gm-tint: .17;
"""

# What a front-end gives a panel and a page of its own has to: ground, margin, dark colours.
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #fff; }
.gm-act { margin: 0 auto; max-width: 1152px; }
@media (prefers-color-scheme: dark) {
  body { background: #212121; }
  body .gm-act { DARK }
}
""".replace("DARK", DARK)


def describe_lab(lab: ActivationLab) -> dict[str, Any]:
    """All that the script needs beside the numbers."""
    return {
        "points": len(lab.x),
        "start": lab.start,
        "depth": DEPTH,
        "layers": LAYERS,
        "bounds": list(lab.bounds),
        "bound": lab.bound,
        "curves": [
            {
                "name": curve.function.name,
                "call": snippets.write_call(curve.function.code),
                "dtype": curve.dtype,
                "best": _list_finite(curve.best),
                "shares": curve.shares.tolist(),
            }
            for curve in lab.curves
        ],
        "frames": {
            key: [*frame.x, *frame.y, frame.left, frame.top, frame.width, frame.height]
            for key, frame in (list_frames(lab) if lab.curves else {}).items()
        },
        "spread": None if lab.spread is None else [lab.spread.name, f"{lab.spread.finite:,}"],
        "softmax": None if lab.softmax is None else _describe_softmax(lab.softmax),
        "codes": {"curve": snippets.CURVE, "stack": snippets.STACK, "softmax": snippets.SOFTMAX},
        "words": list_words(),
    }


def _describe_softmax(table: SoftmaxTable) -> dict[str, Any]:
    return {
        "logits": table.logits.tolist(),
        "start": list(table.start),
        "call": snippets.write_call(table.function.code),
    }


def _list_finite(values: np.ndarray) -> list[float | None]:
    """None for what is not finite: JSON has no word for it."""
    return [float(value) if np.isfinite(value) else None for value in values]


def pack_curves(lab: ActivationLab) -> bytes:
    """float64: x, then value and chain of each curve, whose first row is the derivative."""
    rows = [row for curve in lab.curves for row in (curve.value, *curve.chain)]
    return np.concatenate([lab.x, *rows]).astype("<f8").tobytes()


def pack_softmax(lab: ActivationLab) -> bytes:
    """float32: probabilities, then Jacobians, of all pairs of differences."""
    if lab.softmax is None:
        return b""
    parts = (lab.softmax.probabilities, lab.softmax.jacobian)
    return np.concatenate([part.ravel() for part in parts]).astype("<f4").tobytes()


def render_saved(lab: ActivationLab, script: str, questions: Sequence[Question] = ()) -> str:
    """The panel with its script and all its numbers: it works without a kernel.

    Parameters
    ----------
    lab
        What it shows.
    script
        The widget's script, a module.
    questions
        What is asked first; until then the panel and its numbers are on the page out of sight.
    """
    own = uuid.uuid4().hex
    data = describe_lab(lab) | {
        "block": base64.b64encode(pack_curves(lab)).decode(),
        "table": base64.b64encode(pack_softmax(lab)).decode(),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    shown = render_panel(lab)
    if questions:
        text = write_held(questions, shown, text)
    return join(
        tag("style", Html(load_style())),
        tag("div", render_asked(lab, questions) if questions else shown, data_activations=own),
        tag(
            "script",
            Html(text.replace("<", "\\u003c")),
            type="application/json",
            data_numbers=own,
        ),
        tag("script", Html(f"{script}\nmountSavedActivations('{own}');\n"), type="module"),
    )


def render_asked(lab: ActivationLab, questions: Sequence[Question]) -> Html:
    """What stands on the page until the questions are answered."""
    return tag("div", render_held(render_facts(lab), questions), class_="gm-held-lab")


def render_page(lab: ActivationLab, script: str, questions: Sequence[Question] = ()) -> str:
    """A complete HTML document with the panel: one file, no network, light and dark."""
    title = _("gradmagic: activations and their derivatives")
    saved = render_saved(lab, script, questions)
    return write_document(title, f"{saved}\n{tag('style', Html(_STYLE + PAGE_STYLE))}")
