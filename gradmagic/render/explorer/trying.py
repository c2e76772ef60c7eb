"""What can be tried on a source: measure the slope of an entry, and drag the entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.core.summary import format_index
from gradmagic.render.cells import render_statistics
from gradmagic.render.explorer.tensors import NAME, find_place
from gradmagic.render.markup import Html, fill, join, shorten, tag
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.records import Node, Summary
    from gradmagic.core.replay.nudge import Check
    from gradmagic.render.explorer.reading import Reading

DRAGGED = 64  # entries of a source that can be dragged


def render_trying(reading: Reading, node: Node) -> Html | None:
    """Buttons and a slider for an entry of a source; nothing for what cannot be replayed.

    The front-end sends what is pressed or dragged: ``data-check`` and ``data-imagine`` with the
    source's name and an entry's index, such as ``"3,0"``, empty for a scalar. ``data-choose`` lists
    the entries of a small source with their values; a choice moves button and slider to it.
    """
    value, gradient = reading.read(node.id, "value"), reading.read(node.id, "gradient")
    if node.source is None or gradient is None or value is None:
        return None
    index = find_place(gradient)
    if index is None or value.layout != "dense" or not value.dtype.startswith("float"):
        return None
    name = node.source
    where = {"data_source": name, "data_index": _write_index(index)}
    button = tag("button", _("Measure the slope"), type="button", data_check=True, **where)
    said = tag("p", _say_check(name), class_="gm-s")
    small = value.values is not None and value.size <= DRAGGED
    chosen = tag("code", f"{shorten(name, NAME)}{format_index(index)}")
    return tag(
        "section",
        tag("p", _choose_entry(name, value, index) if small else chosen, " ", button),
        _drag_entry(value, index, where) if small else None,
        said,
        tag("p", class_="gm-answer", role="status"),
        class_="gm-trying",
    )


def _say_check(name: str) -> Html:
    text = _("Steps this entry of {name} up and down, replays the ops, and shows the slope.")
    return fill(text, name=tag("code", shorten(name, NAME)))


def _choose_entry(name: str, value: Summary, chosen: tuple[int, ...]) -> Html:
    """A list of the entries, each with its value and the ends between which it is dragged."""
    assert value.values is not None
    options = []
    for index, entry in np.ndenumerate(value.values):
        low, high = _find_ends(entry)
        options.append(
            tag(
                "option",
                f"{format_index(index) or shorten(name, NAME)} = {format_number(float(entry))}",
                value=_write_index(index),
                data_value=_write(entry),
                data_min=_write(low),
                data_max=_write(high),
                selected=True if index == chosen else None,
            )
        )
    words = _("entry of {name}").format(name=shorten(name, NAME))
    return tag("select", *options, data_choose=True, data_source=name, aria_label=words)


def _drag_entry(value: Summary, index: tuple[int, ...], where: dict[str, str]) -> Html:
    assert value.values is not None
    entry = float(value.values[index])
    low, high = _find_ends(entry)
    label = _("What if it were")
    slider = tag(
        "input",
        type="range",
        data_imagine=True,
        **where,
        min=_write(low),
        max=_write(high),
        step="any",
        value=_write(entry),
        aria_label=label,
    )
    shown = tag("output", format_number(entry))
    return tag("p", tag("label", label, " ", join(slider)), " ", shown)


def _find_ends(entry: float) -> tuple[float, float]:
    """Between which an entry is dragged: its own size to both sides, at least 1."""
    if not np.isfinite(entry):
        return -1.0, 1.0
    reach = max(1.0, 2 * abs(float(entry)))
    return float(entry) - reach, float(entry) + reach


def _write(number: float) -> str:
    """A number for the front-end: as many digits as a float32 has."""
    return f"{number:.8g}"


def _write_index(index: tuple[int, ...]) -> str:
    return ",".join(map(str, index))


def render_check(check: Check) -> Html:
    """The measured slope beside the gradient, and what that says."""
    gradient = "None" if check.gradient is None else format_number(check.gradient)
    rows = [(_("measured slope"), format_number(check.slope)), (_("gradient"), gradient)]
    if check.curve == "kink":
        rows[1:1] = [
            (_("to the left"), format_number(check.left)),
            (_("to the right"), format_number(check.right)),
        ]
    return join(
        render_statistics(rows),
        tag("p", check.message, class_="gm-say" if check.agrees else "gm-say gm-bad"),
    )
