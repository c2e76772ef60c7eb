"""The activations as plain text, for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.activations.records import find_saturated
from gradmagic.core.i18n import _
from gradmagic.render.activations.charts import take_slope
from gradmagic.render.activations.panel import LAYERS
from gradmagic.render.activations.words import list_notes, list_words, say_place, say_share
from gradmagic.render.lettering import pad_text
from gradmagic.render.numbers import format_entry

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab, Curve, SoftmaxTable

PLACES = 7  # of the grid that are written out


def render_activations_text(lab: ActivationLab) -> str:
    """A table a function: value and derivative at a few places, where it is flat, ten layers."""
    parts = [_write_curve(lab, curve) for curve in lab.curves]
    parts += list_notes(lab) if lab.curves else []
    if lab.softmax is not None:
        parts.append(_write_softmax(lab.softmax))
    return "\n".join(parts) + "\n"


def _write_curve(lab: ActivationLab, curve: Curve) -> str:
    places = np.linspace(0, len(lab.x) - 1, PLACES).round().astype(int)
    rows = [
        (_("x"), [say_place(float(lab.x[at])) for at in places]),
        (_("f(x)"), [format_entry(float(curve.value[at])) for at in places]),
        (_("df/dx"), [format_entry(float(curve.slope[at])) for at in places]),
    ]
    lines = [f"{curve.function.name}  ({curve.dtype})"]
    for name, cells in rows:
        lines.append(f"  {pad_text(name, 6, left=True)}" + "".join(f"{one:>10}" for one in cells))
    bound = lab.bounds[lab.bound]
    flat = find_saturated(lab.x, take_slope(curve), bound)
    where = ", ".join(f"[{say_place(low)}, {say_place(high)}]" for low, high in flat)
    words = list_words()["bound"].format(bound=f"{bound:g}")
    where = where or _("nowhere in this range")
    lines.append("  " + _("{title}: {text}").format(title=words, text=where))
    if lab.spread is not None:
        lines.append(
            "  "
            + list_words()["share"].format(
                share=say_share(float(curve.shares[lab.bound])),
                count=f"{lab.spread.finite:,}",
                tensor=lab.spread.name,
                name=curve.function.name,
            )
        )
    lines.append(
        "  "
        + _("after {n} layers from x = {x}: {here}, at best {best}").format(
            n=LAYERS,
            x=say_place(float(lab.x[lab.start])),
            here=format_entry(float(curve.chain[LAYERS - 1, lab.start])),
            best=format_entry(float(curve.best[LAYERS - 1])),
        )
    )
    return "\n".join(lines)


def _write_softmax(table: SoftmaxTable) -> str:
    probabilities, jacobian = table.look_up(table.start)
    logits = [float(table.logits[at]) for at in table.start]
    lines = [
        _("softmax of three logits; its Jacobian, diag(p) - p pᵀ, by the tape"),
        "  z     " + "".join(f"{say_place(z):>10}" for z in logits),
        "  p     " + "".join(f"{format_entry(float(p)):>10}" for p in probabilities),
    ]
    for i, row in enumerate(jacobian):
        entries = "".join(f"{format_entry(float(entry)):>10}" for entry in row)
        lines.append(f"  dp{i}/dz{entries}")
    return "\n".join(lines)
