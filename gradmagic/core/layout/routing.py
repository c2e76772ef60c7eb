"""The lines of a laid-out graph: vertical through the rows, horizontal only between them.

The space between two rows is a channel. A line that must move sideways does so on a track of its
channel; lines that would cover each other get tracks of their own, ordered so that few cross.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gradmagic.core.layout.tracks import TRACK, Jog, choose_tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Point = tuple[float, float]

LANES = 28  # px that a line needs, with a lane for the value and one for the gradient
APART = 24  # px between two lines that end at the same side of a node
NEAR = 12  # px between two lines' labels at least
ROUND = 22  # px at a node's corners where no line ends
LABELS = 28  # px of a row of labels, where they are small
CHANNEL = 18  # px between two rows
BEND = 16  # px between a row of labels and the nearest track
HEADS = 10  # px more between a row of nodes and the nearest track


@dataclass(eq=False)
class Cell:
    """What takes room in a row: a node, or a line (with its label) that runs through.

    ``left`` and ``right`` are the room it needs at both sides of ``x``; ``width`` and ``height``
    those of the node's box, or the label's height.
    """

    row: int
    width: float
    height: float
    left: float
    right: float
    node: int | None = None
    trunk: int | None = None
    x: float = 0.0


def route_wires(
    cells: Sequence[Cell], wires: Sequence[Sequence[int]]
) -> tuple[list[tuple[Point, ...]], list[float]]:
    """Route each wire (the cells that it runs through), and find the middle of each row.

    A wire that runs upwards (against the rows) is routed as the others and turned round.
    """
    for cell in cells:
        cell.x = float(round(cell.x))
    _straighten(cells, wires)
    down = [list(wire) if _runs_down(cells, wire) else list(wire)[::-1] for wire in wires]
    sides = _enter_sides(cells, down)
    ends = _spread_ends(cells, down, sides)
    jogs = _collect_jogs(cells, down, ends, sides)
    tops, bottoms = _stack_rows(cells, jogs)
    middles = [(top + bottom) / 2 for top, bottom in zip(tops, bottoms, strict=True)]
    routes = []
    for index, (wire, asked) in enumerate(zip(down, wires, strict=True)):
        first, last = cells[wire[0]], cells[wire[-1]]
        if first is last:
            routes.append(_loop(first, middles[first.row]))
            continue
        points = [(ends[index, 0], middles[first.row] + first.height / 2)]
        stops = [ends[index, 0], *(cells[stop].x for stop in wire[1:-1])]
        if index not in sides:
            stops.append(ends[index, 1])
        for row, (upper, lower) in enumerate(pairwise(stops), first.row):
            if upper != lower:
                jog = jogs[row][wire[row - first.row], upper]
                y = bottoms[row] + _bend(row) + TRACK * jog.track
                points += [(upper, y), (lower, y)]
        if index in sides:
            points += [(stops[-1], middles[last.row]), (sides[index], middles[last.row])]
        else:
            points.append((stops[-1], middles[last.row] - last.height / 2))
        routes.append(tuple(points if wire[0] == asked[0] else points[::-1]))
    return routes, middles


def _runs_down(cells: Sequence[Cell], wire: Sequence[int]) -> bool:
    return cells[wire[0]].row <= cells[wire[-1]].row


def _straighten(cells: Sequence[Cell], wires: Sequence[Sequence[int]]) -> None:
    """Move lines a little, where that makes them straight and their rows have room."""
    rows = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: cell.x):
        rows[cell.row].append(cell)
    # wires of one tensor share their first stops: the longest one has all of them
    longest: dict[int, Sequence[int]] = {}
    ends: dict[int, set[int]] = defaultdict(set)
    for wire in wires:
        if len(wire) > 2:
            ends[wire[1]].add(wire[-1])
            if len(wire) > len(longest.get(wire[1], ())):
                longest[wire[1]] = wire
    for wire in sorted(longest.values(), key=len):
        stops = [cells[stop] for stop in wire[1:-1]]
        branching = len(ends[wire[1]]) > 1
        if branching and len(stops) > 1:
            stops = stops[1:]  # the label stays where another branch goes straight on
        start = None if branching else _find_reach(cells[wire[0]])
        _align(stops, start, _find_reach(cells[wire[-1]]), rows)


def _align(
    stops: list[Cell],
    start: tuple[float, float] | None,
    end: tuple[float, float],
    rows: dict[int, list[Cell]],
) -> None:
    """Give the stops of one line, from the last up, the same place for as long as they can."""
    low, high = end
    group: list[Cell] = []
    for stop in reversed(stops):
        left, right = _find_room(stop, rows[stop.row])
        if stop is stops[0] and start is not None:
            within = max(left, start[0]), min(right, start[1])
            left, right = within if within[0] <= within[1] else (left, right)
        if max(low, left) > min(high, right):
            _place(group, low, high)
            group, (low, high) = [], (left, right)
        low, high = max(low, left), min(high, right)
        group.append(stop)
    _place(group, low, high)


def _place(group: list[Cell], low: float, high: float) -> None:
    if group and low <= high:
        x = min(max(group[-1].x, low), high)
        for stop in group:
            stop.x = x


def _find_reach(node: Cell) -> tuple[float, float]:
    """From where to where lines end at a node's top or bottom."""
    reach = max(node.width / 2 - ROUND, 0)
    return node.x - reach, node.x + reach


def _find_room(cell: Cell, row: Sequence[Cell]) -> tuple[float, float]:
    """How far a cell can move between its neighbours in the row (sorted by place)."""
    place = row.index(cell)
    low, high = -float("inf"), float("inf")
    if place:
        low = row[place - 1].x + row[place - 1].right + cell.left + NEAR
    if place + 1 < len(row):
        high = row[place + 1].x - row[place + 1].left - cell.right - NEAR
    return low, high


def _loop(cell: Cell, middle: float) -> tuple[Point, ...]:
    """From a node's right side back to it."""
    border, out = cell.x + cell.width / 2, cell.x + cell.width / 2 + LANES
    rise = cell.height / 4
    return (
        (border, middle + rise), (out, middle + rise), (out, middle - rise), (border, middle - rise)
    )  # fmt: skip


def _enter_sides(cells: Sequence[Cell], wires: Sequence[Sequence[int]]) -> dict[int, float]:
    """Which wires enter a node from its side, and at which x.

    One that comes down beside the node, where nothing stands between, may: one for each side.
    """
    rows = defaultdict(list)
    for cell in cells:
        rows[cell.row].append((cell.x - cell.left, cell.x + cell.right, cell))
    nearest: dict[tuple[int, bool], tuple[float, int]] = {}
    for index, wire in enumerate(wires):
        if len(wire) < 3:
            continue
        x, node = cells[wire[-2]].x, cells[wire[-1]]
        away = abs(x - node.x) - node.width / 2
        key = (wire[-1], x < node.x)
        if away >= LANES / 2 + 4 and (key not in nearest or away < nearest[key][0]):
            nearest[key] = (away, index)
    sides: dict[int, float] = {}
    for (end, from_left), (_away, index) in sorted(nearest.items(), key=lambda item: item[1]):
        node, x = cells[end], cells[wires[index][-2]].x
        border = node.x - node.width / 2 if from_left else node.x + node.width / 2
        low, high = min(x - LANES / 2, border), max(x + LANES / 2, border)
        taken = any(
            left < high and low < right and cell is not node for left, right, cell in rows[node.row]
        )
        if not taken:
            sides[index] = border
            rows[node.row].append((low, high, Cell(node.row, 0, 0, 0, 0)))
    return sides


def _spread_ends(
    cells: Sequence[Cell], wires: Sequence[Sequence[int]], sides: dict[int, float]
) -> dict[tuple[int, int], float]:
    """Where each wire leaves its producer's bottom (0) and meets its consumer's top (1).

    Right above and below the next stop where the node is wide enough, so that the line is
    straight. Wires that share their first stop leave as one.
    """
    asked: dict[tuple[int, int], list[tuple[float, int, int]]] = defaultdict(list)
    for index, wire in enumerate(wires):
        if len(wire) > 2:
            asked[wire[0], 0].append((cells[wire[1]].x, wire[1], index))
            if index not in sides:
                asked[wire[-1], 1].append((cells[wire[-2]].x, index, index))
    ends: dict[tuple[int, int], float] = {}
    for (place, which), lines in asked.items():
        wanted = {key: x for x, key, _index in sorted(lines)}
        found = dict(zip(wanted, _spread(wanted.values(), *_find_reach(cells[place])), strict=True))
        ends.update(((index, which), found[key]) for _x, key, index in lines)
    return ends


def _spread(wanted: Iterable[float], low: float, high: float) -> list[float]:
    """Move sorted places as little as needed to lie within bounds and APART from each other."""
    places = [min(max(x, low), high) for x in wanted]
    apart = min(APART, (high - low) / max(len(places) - 1, 1))
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + apart)
    limit = high
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - apart
    return [float(round(x)) for x in places]


def _collect_jogs(
    cells: Sequence[Cell],
    wires: Sequence[Sequence[int]],
    ends: dict[tuple[int, int], float],
    sides: dict[int, float],
) -> dict[int, dict[tuple[int, float], Jog]]:
    """All sideways moves, with their tracks, by row above the channel and upper cell."""
    jogs: dict[int, dict[tuple[int, float], Jog]] = defaultdict(dict)
    for index, wire in enumerate(wires):
        if len(wire) < 3:
            continue
        stops = [ends[index, 0], *(cells[stop].x for stop in wire[1:-1])]
        if index not in sides:
            stops.append(ends[index, 1])
        first = cells[wire[0]].row
        for step, (upper, lower) in enumerate(pairwise(stops)):
            if upper != lower:
                jog = jogs[first + step].setdefault((wire[step], upper), Jog(upper))
                if lower not in jog.bottoms:
                    jog.bottoms.append(lower)
    for channel in jogs.values():
        choose_tracks(list(channel.values()))
    return jogs


def _bend(row: int) -> int:
    """Px between a row and the nearest track: more at nodes, where the arrows' heads are."""
    return BEND if row % 2 else BEND + HEADS


def _stack_rows(
    cells: Sequence[Cell], jogs: dict[int, dict[tuple[int, float], Jog]]
) -> tuple[list[float], list[float]]:
    """Top and bottom of each row."""
    heights = [0.0] * (max(cell.row for cell in cells) + 1)
    # rows of labels are equally high where that is possible, so that the nodes keep a rhythm
    usual = min(LABELS, max(cell.height for cell in cells if cell.row % 2) if heights[1:] else 0)
    for row in range(1, len(heights), 2):
        heights[row] = max(usual, 12)
    for cell in cells:
        heights[cell.row] = max(heights[cell.row], cell.height)
    tops, bottoms, y = [], [], 0.0
    for row, height in enumerate(heights):
        tops.append(y)
        bottoms.append(y + height)
        tracks = [jog.track for jog in jogs.get(row, {}).values()]
        bends = _bend(row) + _bend(row + 1)
        y += height + (bends + TRACK * max(tracks) if tracks else CHANNEL)
    return tops, bottoms
