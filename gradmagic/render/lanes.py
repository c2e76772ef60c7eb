"""Lines of a graph: a route's two lanes as SVG paths with rounded corners, and their heads."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]

ASIDE = 7  # px from the route to each of two lanes
GAP = 4  # px between a node's border and a lane
HEAD = 6  # px
CORNER = 10  # px, radius
BREAK = 8  # px of a lane that are left out where a path breaks off
STROKE = 5  # px of each of the strokes at both sides of it, from the lane


def shift_route(route: Sequence[Point], aside: float) -> list[Point]:
    """``route`` moved to its right by ``aside`` px, seen by who walks along it."""
    route = merge_route(route)
    normals = [_normal(a, b) for a, b in pairwise(route)]
    moved = []
    for i, (x, y) in enumerate(route):
        # at a corner both neighbours' normals count; they are at right angles
        near = normals[max(i - 1, 0) : i + 1]
        moved.append((x + aside * sum(n[0] for n in near), y + aside * sum(n[1] for n in near)))
    return moved


def merge_route(route: Sequence[Point]) -> list[Point]:
    """``route`` without the points at which it goes straight on."""
    merged: list[Point] = []
    for point in route:
        if merged and point == merged[-1]:
            continue
        if len(merged) > 1 and _normal(merged[-2], merged[-1]) == _normal(merged[-1], point):
            merged.pop()
        merged.append(point)
    return merged


def leave_shared(route: Sequence[Point], drawn: Sequence[Sequence[Point]]) -> list[Point]:
    """The part of ``route`` that no route of ``drawn`` covers, with a corner's length before it.

    All begin at the same point.
    """
    best = 0.0
    for other in drawn:
        best = max(best, _measure_shared(route, other))
    return cut_start(route, max(best - CORNER, 0)) if best else list(route)


def cut_start(route: Sequence[Point], length: float) -> list[Point]:
    """``route`` without its first ``length`` px (at least its last point is left)."""
    route = list(route)
    while len(route) > 1:
        step = math.dist(route[0], route[1])
        if step > length:
            (x, y), (to_x, to_y) = route[:2]
            share = length / step
            return [(x + (to_x - x) * share, y + (to_y - y) * share), *route[1:]]
        length -= step
        route.pop(0)
    return route


def split_route(route: Sequence[Point], at: Point) -> tuple[list[Point], list[Point]]:
    """The parts of ``route`` before and after the point ``at`` on it."""
    length = 0.0
    for a, b in pairwise(route):
        step, there = math.dist(a, b), math.dist(a, at)
        if math.isclose(there + math.dist(at, b), step):
            length += there
            return cut_start(route[::-1], measure_route(route) - length)[::-1], cut_start(
                route, length
            )
        length += step
    return list(route), []


def measure_route(route: Sequence[Point]) -> float:
    """Length in px."""
    return sum(math.dist(a, b) for a, b in pairwise(route))


def draw_line(points: Sequence[Point]) -> str:
    """Path data of a line through ``points``, its corners rounded."""
    parts = [f"M{_pair(points[0])}"]
    pen = points[0]
    corners = zip(points, points[1:], points[2:], strict=False)
    for i, (before, corner, after) in enumerate(corners):
        # a piece between two corners is shared by both
        come = math.dist(before, corner) / (2 if i else 1)
        leave = math.dist(corner, after) / (1 if i + 3 == len(points) else 2)
        radius = min(CORNER, come, leave)
        start, end = _toward(corner, before, radius), _toward(corner, after, radius)
        parts.append(f"{_step(pen, start)}Q{_pair(corner)} {_pair(end)}")
        pen = end
    return "".join([*parts, _step(pen, points[-1])])


def draw_head(tip: Point, before: Point, width: float) -> str:
    """Path data of the arrow's head at the end of a line ``width`` px wide."""
    half = max(3.2, width / 2 + 2.2)
    foot = _toward(tip, before, HEAD)
    across = _normal(before, tip)
    left = (foot[0] + across[0] * half, foot[1] + across[1] * half)
    right = (foot[0] - across[0] * half, foot[1] - across[1] * half)
    return f"M{_pair(tip)}L{_pair(left)}{_step(left, right)}z"


def draw_strokes(here: Point, ahead: Point) -> str:
    """Path data of two slanting strokes across a lane at ``here``, with a gap between."""
    across, length = _normal(here, ahead), math.dist(here, ahead) or 1
    along = (ahead[0] - here[0]) / length, (ahead[1] - here[1]) / length
    parts = []
    for way in (-BREAK / 2, BREAK / 2):
        for side, pen in ((STROKE, "M"), (-STROKE, "L")):
            far = way + side / 3
            x = here[0] + side * across[0] + far * along[0]
            y = here[1] + side * across[1] + far * along[1]
            parts.append(f"{pen}{_pair((x, y))}")
    return "".join(parts)


def _measure_shared(route: Sequence[Point], other: Sequence[Point]) -> float:
    """How far both run together from their common beginning, in px."""
    mine, theirs = merge_route(route), merge_route(other)
    length = 0.0
    for (a, b), (c, d) in zip(pairwise(mine), pairwise(theirs), strict=False):
        if a != c or _normal(a, b) != _normal(c, d):
            break
        length += min(math.dist(a, b), math.dist(c, d))
        if b != d:
            break
    return length


def _normal(a: Point, b: Point) -> Point:
    """The direction to the right of the way from ``a`` to ``b`` (y points down)."""
    length = math.dist(a, b) or 1
    return (a[1] - b[1]) / length, (b[0] - a[0]) / length


def _toward(a: Point, b: Point, length: float) -> Point:
    share = length / (math.dist(a, b) or 1)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _step(a: Point, b: Point) -> str:
    if a[0] == b[0]:
        return f"V{_short(b[1])}"
    return f"H{_short(b[0])}" if a[1] == b[1] else f"L{_pair(b)}"


def _pair(point: Point) -> str:
    return f"{_short(point[0])} {_short(point[1])}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
