"""Nodes coloured by a measure: gradient norm, value range, time, share of zeros, in nine steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.names import format_share
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gradmagic.core.records import Node
    from gradmagic.render.explorer.reading import Reading

STEPS = 8  # bins 0 to 8: 0 is nothing, or less than the scale begins with
DECADES = 6  # of a logarithmic scale: what is smaller than 1e-6 of the largest has vanished
EXPLODES = 1e3  # times the gradient at the target

Measures = dict[int, float]


def measure_colours(reading: Reading, known: Mapping[int, int]) -> list[dict[str, Any]]:
    """For each measure that is known here its key, title, legend and the bin of each node.

    A group has the largest bin of the nodes in it. ``marks`` names nodes to point at:
    ``"vanishing"`` and ``"exploding"`` gradients; a group's vanish where all in it do. A node for
    which another stands in ``known`` has no colour of its own.
    """
    nodes = [node for node in reading.graph.nodes if known[node.id] == node.id]

    def measure(find: Callable[[Reading, Node], float | None]) -> Measures:
        found = ((node.id, find(reading, node)) for node in nodes)
        return {number: value for number, value in found if value is not None}

    norms, spans = measure(_measure_norm), measure(_measure_span)
    times, zeros = measure(lambda _reading, node: node.seconds), measure(_measure_zeros)
    made = [
        _colour_norms(reading, norms),
        _colour(reading, "range", _("range of values (max − min)"), _bin_log(spans)),
        _colour(reading, "time", _("time"), _bin_log(times), format_seconds),
        _colour(reading, "zeros", _("share of zeros in the value"), _bin_share(zeros)),
    ]
    return [colour for colour in made if colour is not None]


def format_seconds(seconds: float) -> str:
    """``12 µs``, ``3.4 ms``, ``1.2 s``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_round(seconds / size)} {unit}"
    return f"{_round(seconds / 1e-6)} µs"


def _round(number: float) -> str:
    return f"{number:.2g}" if number < 100 else f"{number:.0f}"


def _measure_norm(reading: Reading, node: Node) -> float | None:
    """The norm of the gradients of all its outputs together; infinite where one is not finite."""
    places = range(len(node.outputs))
    found = [reading.measure(node.id, "gradient", place) for place in places]
    norms = [measured.norm for measured in found if measured is not None]
    return math.hypot(*norms) if norms else None


def _measure_span(reading: Reading, node: Node) -> float | None:
    measured = reading.measure(node.id, "value") if node.outputs else None
    return None if measured is None else measured.high - measured.low


def _measure_zeros(reading: Reading, node: Node) -> float | None:
    measured = reading.measure(node.id, "value") if node.outputs else None
    return None if measured is None else measured.zeros


def _find_ends(numbers: Mapping[int, float]) -> tuple[float, float] | None:
    """Both ends of a logarithmic scale; None where there is nothing to measure."""
    finite = [n for n in numbers.values() if n > 0 and math.isfinite(n)]
    if not finite:
        return None
    high = max(finite)
    return max(min(finite), high * 10**-DECADES), high


def _bin_log(numbers: Mapping[int, float]) -> tuple[dict[int, int], list[str | float]]:
    """Bins of equal ratio, and the numbers at the ends and in the middle of the scale."""
    ends = _find_ends(numbers)
    if ends is None:
        return dict.fromkeys(numbers, 0), []
    low, high = ends
    width = math.log(high / low)
    bins = {}
    for node, number in numbers.items():
        if not math.isfinite(number):
            bins[node] = STEPS
        elif number < low:
            bins[node] = 0
        else:
            share = math.log(number / low) / width if width else 1.0
            bins[node] = min(STEPS, 1 + int(share * STEPS))
    return bins, [low, math.sqrt(low * high), high] if low < high else [high]


def _bin_share(numbers: Mapping[int, float]) -> tuple[dict[int, int], list[str | float]]:
    bins = {node: math.ceil(share * STEPS) for node, share in numbers.items()}
    return bins, [format_share(share) for share in (0, 0.5, 1)] if numbers else []


def _colour_norms(reading: Reading, norms: Measures) -> dict[str, Any] | None:
    """The gradients' norms, with those that vanish or explode marked."""
    colour = _colour(reading, "gradient", _("gradient norm"), _bin_log(norms))
    if colour is None:
        return None
    start = norms.get(reading.target.id) if reading.target is not None else None
    finite = [norm for norm in norms.values() if math.isfinite(norm)]
    most = max(finite, default=0.0)
    for node, norm in norms.items():
        if not math.isfinite(norm) or (start and norm > EXPLODES * start):
            colour["marks"][str(node)] = "exploding"
        elif norm < most * 10**-DECADES:
            colour["marks"][str(node)] = "vanishing"
    for group in reading.whole.groups:
        inside = [str(node.id) for node in reading.find_inside(group) if node.id in norms]
        own = {colour["marks"].get(node) for node in inside}
        if "exploding" in own or own == {"vanishing"}:  # some of it explodes, or all of it vanishes
            colour["marks"][f"g{group.id}"] = "exploding" if "exploding" in own else "vanishing"
    said = {
        "vanishing": _("vanishing: less than a millionth of the largest, or zero"),
        "exploding": _("exploding: over 1000 times the gradient at the target, NaN or infinite"),
    }
    marked = set(colour["marks"].values())
    notes = [tag("p", said[mark], class_="gm-s", data_mark=mark) for mark in said if mark in marked]
    colour["legend"] = join(colour["legend"], *notes)
    return colour


def _colour(
    reading: Reading,
    key: str,
    title: str,
    binned: tuple[dict[int, int], list[str | float]],
    write: Any = format_number,
) -> dict[str, Any] | None:
    bins, ticks = binned
    if not ticks:
        return None
    written = [tick if isinstance(tick, str) else write(tick) for tick in ticks]
    all_bins = {str(node): step for node, step in bins.items()}
    for group in reading.whole.groups:
        inside = [bins[node.id] for node in reading.find_inside(group) if node.id in bins]
        if inside:
            all_bins[f"g{group.id}"] = max(inside)
    return {
        "key": key,
        "title": title,
        "legend": _render_legend(written),
        "bins": all_bins,
        "marks": {},
    }


def _render_legend(ticks: list[str]) -> Html:
    """Nine swatches, and what the scale says below them."""
    swatches = [tag("i", class_=f"gm-bin-{step}") for step in range(STEPS + 1)]
    return tag(
        "div",
        tag("span", *swatches, class_="gm-swatches"),
        tag("span", *(tag("span", tick) for tick in ticks), class_="gm-ticks gm-s"),
    )
