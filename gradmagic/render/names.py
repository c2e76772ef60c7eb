"""How a report names things: the target, a derivative, a tensor, an entry, a share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, _n, join_phrases
from gradmagic.core.summary import format_index
from gradmagic.render.markup import shorten
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.records import Gradient, Summary, TapeRun, Target

LISTED = 6  # names listed in a sentence


def name_target(target: Target) -> str:
    """The target as it is differentiated: ``loss``, or ``sum(y)`` where ``y`` is no scalar."""
    name = shorten(target.name, 40)
    return f"sum({name})" if target.summed else name


def name_unit(target: Target) -> str:
    """What is written beside the target's number: ``nats``, or that entries were summed."""
    if target.unit:
        return _(target.unit)
    return _("summed") if target.summed else ""


def name_cost(target: Target) -> str:
    """The target as the subject of a sentence."""
    return _("the loss") if target.reason == "loss" and not target.summed else name_target(target)


def name_derivative(run: TapeRun) -> str:
    """``d loss / d [w, b]``."""
    sources = list(dict.fromkeys(gradient.source for gradient in run.gradients))
    shown = [shorten(source, 30) for source in sources[:LISTED]]
    if len(sources) > LISTED:
        left = len(sources) - LISTED
        shown.append(_n("{count} more", "{count} more", left).format(count=left))
    listed = ", ".join(shown)
    return f"d {name_target(run.target)} / d {listed if len(sources) == 1 else f'[{listed}]'}"


def name_gradient(run: TapeRun, gradient: Gradient) -> str:
    """``d loss / d w``."""
    return f"d {shorten(name_target(run.target), 32)} / d {shorten(gradient.name, 36)}"


def name_entry(gradient: Gradient, index: tuple[int, ...]) -> str | None:
    """The entry of a gradient as Python indexes it; None where the record does not tell."""
    summary, name = gradient.gradient, shorten(gradient.name)
    assert summary is not None
    if summary.layout == "ragged":
        return f"{name}.flat_values{format_index(index)}"
    if summary.layout == "sparse":
        return f"{name}.values{format_index(index)}"
    if summary.layout == "slices":
        rows = summary.rows or ()
        if index[0] >= len(rows):
            return None
        index = (rows[index[0]], *index[1:])
    return f"{name}{format_index(index)}"


def total_target(run: TapeRun) -> float | complex | None:
    """The target's value, summed where it is no scalar; None where nobody knows it."""
    value = run.target.value
    if value.values is not None and value.values.dtype.kind in "iufc":
        return value.values.sum(dtype=_widen(value.values)).item()
    if run.history:
        return run.history[-1]
    return None if value.mean is None or value.nans or value.infs else value.mean * value.size


def _widen(values: np.ndarray) -> type:
    return np.complex128 if values.dtype.kind == "c" else np.float64


def describe_tensor(summary: Summary | None, *, variable: bool = False) -> str:
    """Shape and dtype: ``[4, 3] float32``; ``scalar float32, variable``."""
    if summary is None:
        return ""
    shape = format_shape(summary.shape)
    kind = {
        "dense": "",
        "ragged": _("ragged"),
        "slices": _("IndexedSlices"),
        "sparse": _("sparse"),
    }[summary.layout]
    words = [f"{shape} {summary.dtype}", kind, _("variable") if variable else ""]
    return join_phrases(word for word in words if word)


def format_shape(shape: tuple[int | None, ...]) -> str:
    """``[4, 3]``; ``scalar`` without dimensions."""
    if not shape:
        return _("scalar")
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def describe_statistics(summary: Summary) -> list[tuple[str, str]]:
    """Names and numbers: norm, mean, min, max, share of zeros, counts of NaN and infinities."""
    magnitude = summary.dtype.startswith("complex")
    names = (
        (_("norm"), _("mean size"), _("min size"), _("max size"))
        if magnitude
        else (_("norm"), _("mean"), _("min"), _("max"))
    )
    numbers = (summary.norm, summary.mean, summary.low, summary.high)
    entries = [
        (name, "–" if number is None else format_number(number))
        for name, number in zip(names, numbers, strict=True)
    ]
    share = summary.zeros / summary.size if summary.size else 0
    entries.append((_("zeros"), format_share(share)))
    entries += [("NaN", f"{summary.nans}"), ("Inf", f"{summary.infs}")]
    return entries


def format_share(share: float) -> str:
    """``12 %``, with neither 0 % nor 100 % where it is only nearly that."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return _("under {number} %").format(number="0.1")
    if 99.9 < percent < 100:
        return _("over {number} %").format(number="99.9")
    return _("{number} %").format(number=f"{percent:.1f}".removesuffix(".0"))


def format_about(change: float) -> str:
    """A rounded size: ``0.0035``, ``0.02``."""
    text = format_number(abs(change), 2)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def find_largest(summary: Summary) -> list[tuple[int, ...]]:
    """Indices of all finite entries of the greatest magnitude, where it is not 0."""
    if summary.largest is None or not summary.largest[1]:
        return []
    if summary.values is None:
        return [summary.largest[0]]
    sizes = np.abs(summary.values)
    at = np.argwhere(sizes == abs(summary.largest[1]))
    return [tuple(int(i) for i in index) for index in at] or [summary.largest[0]]
