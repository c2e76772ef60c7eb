"""Where a graph's nodes, labels and edges lie: sizes -> places and routes.

Graphviz' dot is given numbers only, and says which node stands left of which, and where. The rows
are made here: one of nodes, one of labels, and so on, so that each value stands under the node that
made it and no line runs through a node or a label. All lines are vertical or horizontal.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.layout.routing import LANES, Cell, route_wires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Point = tuple[float, float]

BESIDE = 24  # px between two things in a row
REMEMBERED = 256  # layouts
_LOCK = threading.Lock()  # Graphviz keeps global state


class LayoutError(RuntimeError):
    """The graph could not be laid out; the message says why in one sentence."""


@dataclass(frozen=True)
class Layout:
    """Where everything lies, in CSS px, y downwards.

    Attributes
    ----------
    width, height
        Of all nodes, labels and routes together.
    places
        The centre of each node.
    routes
        For each edge, in their order, the corners of its line from the producer's border to the
        consumer's.
    labels
        For each trunk the point of its line beside which its label has room; a trunk whose edges
        all lead back up (in a cycle, or to the same node) has none.
    """

    width: float
    height: float
    places: Mapping[int, Point]
    routes: tuple[tuple[Point, ...], ...]
    labels: Mapping[int, Point] = field(default_factory=dict)


def lay_out(
    sizes: Mapping[int, tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    *,
    trunks: Sequence[int] | None = None,
    labels: Mapping[int, tuple[float, float, float]] | None = None,
) -> Layout:
    """Lay out a graph from top (sources and inputs) to bottom (target).

    Parameters
    ----------
    sizes
        Width and height of each node, px.
    edges
        (producer, consumer) of each edge, those into one consumer in the order in which it takes
        them: x of ``x @ w`` then stands left of w where nothing speaks against it. Cycles,
        self-loops, repeated edges and parts without connection are fine.
    trunks
        For each edge the number of the tensor that it carries: edges of one tensor, which all
        have one producer, start as one line and branch below its label. By default each edge is
        alone.
    labels
        For each trunk how much room its label needs to the left and to the right of its line, and
        its height, px.

    Raises
    ------
    LayoutError
        If pygraphviz can't be imported, or Graphviz fails.
    """
    if not sizes:
        return Layout(0, 0, {}, tuple(() for _edge in edges))
    # Many parts of a large graph are built alike: by their numbers in order they are the same.
    numbers = {node: number for number, node in enumerate(sizes)}
    made = _lay_out_numbers(
        tuple(sizes.values()),
        tuple((numbers[producer], numbers[consumer]) for producer, consumer in edges),
        tuple(range(len(edges)) if trunks is None else trunks),
        tuple((labels or {}).items()),
    )
    return replace(made, places={node: made.places[number] for node, number in numbers.items()})


@lru_cache(maxsize=REMEMBERED)
def _lay_out_numbers(
    boxes: tuple[tuple[float, float], ...],
    edges: tuple[tuple[int, int], ...],
    trunks: tuple[int, ...],
    rooms: tuple[tuple[int, tuple[float, float, float]], ...],
) -> Layout:
    """Lay out nodes 0, 1, ... of the given sizes."""
    sizes, labels = dict(enumerate(boxes)), dict(rooms)
    ranks = rank_nodes(sizes, edges)
    cells, wires, links = _fill_rows(sizes, edges, trunks, labels, ranks)
    for cell, x in zip(cells, _ask_dot(cells, links), strict=True):
        cell.x = x
    routes, middles = route_wires(cells, wires)
    return _frame(cells, routes, middles)


def rank_nodes(
    sizes: Mapping[int, tuple[float, float]], edges: Sequence[tuple[int, int]]
) -> dict[int, int]:
    """The row of each node: right above its first consumer, so that a source stands at its use.

    An edge that closes a cycle counts as reversed.
    """
    ahead: dict[int, list[int]] = {node: [] for node in sizes}
    for producer, consumer in edges:
        if producer != consumer:
            ahead[producer].append(consumer)
    order = _sort_topologically(ahead)
    position = {node: place for place, node in enumerate(order)}
    below: dict[int, set[int]] = {node: set() for node in sizes}
    above: dict[int, set[int]] = {node: set() for node in sizes}
    for producer, consumers in ahead.items():
        for consumer in consumers:
            first, second = sorted((producer, consumer), key=position.__getitem__)
            below[first].add(second)
            above[second].add(first)
    height: dict[int, int] = {}
    for node in reversed(order):
        height[node] = 1 + max((height[other] for other in below[node]), default=-1)
    for node in order:  # what leads nowhere moves up to what it comes from
        if above[node] and not below[node]:
            height[node] = min(height[other] for other in above[node]) - 1
    return _drop_from_top(height, below, above)


def _sort_topologically(ahead: Mapping[int, Sequence[int]]) -> list[int]:
    """Producers first; where there is a cycle, the edge that closes it is ignored."""
    done: list[int] = []
    seen: set[int] = set()
    for root in ahead:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(ahead[root]))]
        while stack:
            node, others = stack[-1]
            fresh = next((other for other in others if other not in seen), None)
            if fresh is None:
                done.append(node)
                stack.pop()
            else:
                seen.add(fresh)
                stack.append((fresh, iter(ahead[fresh])))
    return done[::-1]


def _drop_from_top(
    height: Mapping[int, int], below: Mapping[int, set[int]], above: Mapping[int, set[int]]
) -> dict[int, int]:
    """Rows counted from the top of each connected part, as dot counts them."""
    ranks: dict[int, int] = {}
    for root in height:
        if root in ranks:
            continue
        part, queue = {root}, [root]
        while queue:
            node = queue.pop()
            fresh = (below[node] | above[node]) - part
            part |= fresh
            queue.extend(fresh)
        top = max(height[node] for node in part)
        ranks.update((node, top - height[node]) for node in part)
    return ranks


def _fill_rows(
    sizes: Mapping[int, tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    trunks: Sequence[int],
    labels: Mapping[int, tuple[float, float, float]],
    ranks: Mapping[int, int],
) -> tuple[list[Cell], list[list[int]], list[tuple[int, int, int]]]:
    """What lies in the rows, the chain of cells that each edge runs through, and dot's edges."""
    loops = {producer for producer, consumer in edges if producer == consumer}
    cells: list[Cell] = []
    place_of: dict[int, int] = {}
    for node in _read_backwards(sizes, edges):
        width, height = sizes[node]
        place_of[node] = len(cells)
        room = width / 2 + (1.5 * LANES if node in loops else 0)
        cells.append(Cell(2 * ranks[node], width, height, room, room, node=node))
    spines = _find_spines(edges, ranks)
    shared = {trunk: count > 1 for trunk, count in Counter(trunks).items()}
    stops: dict[tuple[int, int, int], int] = {}
    links: dict[tuple[int, int], int] = {}
    wires = []
    for index, ((producer, consumer), trunk) in enumerate(zip(edges, trunks, strict=True)):
        start, end = place_of[producer], place_of[consumer]
        if start == end:
            wires.append([start, start])
            continue
        back = cells[start].row > cells[end].row
        if back:
            start, end = end, start
        wire = [start]
        for row in range(cells[start].row + 1, cells[end].row):
            # edges of one tensor share their stops; one that leads back is on its own
            key = (index, -1, row) if back else (trunk, start, row)
            if key not in stops:
                stops[key] = len(cells)
                named = row == cells[start].row + 1 and not back
                left, right, height = labels.get(trunk, (0, 0, 0)) if named else (0, 0, 0)
                cells.append(
                    Cell(
                        row, 0, height, max(left, LANES / 2), max(right, LANES / 2),
                        trunk=trunk if named else None,
                    )
                )  # fmt: skip
            wire.append(stops[key])
        wire.append(end)
        for upper, lower in pairwise(wire):
            if lower == end:
                straight = 8 if index in spines else 1
            else:  # the spine goes straight on from a label, and other branches turn off
                straight = 2 if upper == wire[1] and shared[trunk] else 8
            links[upper, lower] = max(straight, links.get((upper, lower), 0))
        wires.append(wire[::-1] if back else wire)
    return cells, wires, [(*pair, weight) for pair, weight in links.items()]


def _read_backwards(
    sizes: Mapping[int, tuple[float, float]], edges: Sequence[tuple[int, int]]
) -> list[int]:
    """Nodes as a formula names them: what a node takes, in order, and then the node.

    dot keeps this order from left to right where it makes no more crossings.
    """
    takes: dict[int, list[int]] = {node: [] for node in reversed(list(sizes))}
    for producer, consumer in edges:
        takes[consumer].append(producer)
    return _sort_topologically(takes)[::-1]


def _find_spines(edges: Sequence[tuple[int, int]], ranks: Mapping[int, int]) -> set[int]:
    """The edge into each node that has the longest way behind it: these are kept straight."""
    behind: dict[int, int] = defaultdict(int)
    incoming = defaultdict(list)
    for index, (producer, consumer) in enumerate(edges):
        if ranks[producer] < ranks[consumer]:
            incoming[consumer].append((index, producer))
    spines = set()
    for node in sorted(ranks, key=ranks.__getitem__):
        ways = sorted(((behind[producer], -index) for index, producer in incoming[node]))
        if ways:
            behind[node] = ways[-1][0] + 1
            if len(ways) == 1 or ways[-1][0] > ways[-2][0]:
                spines.add(-ways[-1][1])
    return spines


def _ask_dot(cells: Sequence[Cell], links: Sequence[tuple[int, int, int]]) -> list[float]:
    """The horizontal place of each cell's line, as dot finds it."""
    try:
        import pygraphviz  # here, because it loads Graphviz
    except Exception as error:
        raise LayoutError(
            _("The graph can't be drawn because pygraphviz can't be imported: {error}").format(
                error=error
            )
        ) from error
    lines = [f"digraph{{splines=none;nodesep={BESIDE / 72:.4f};ranksep=.1"]
    lines.append('node[shape=box,fixedsize=true,height=.1,label=""]')
    lines += [
        f"{place}[width={2 * max(cell.left, cell.right) / 72:.4f}]"
        for place, cell in enumerate(cells)
    ]
    lines += [f"{upper}->{lower}[weight={weight}]" for upper, lower, weight in links]
    try:
        with _LOCK:
            graph = pygraphviz.AGraph(string="\n".join([*lines, "}"]))
            plain = graph.draw(format="plain", prog="dot").decode()
            graph.close()
    except Exception as error:
        raise LayoutError(
            _("Graphviz could not lay out the graph: {error}").format(error=error)
        ) from error
    places = {}
    for line in plain.splitlines():
        word, *numbers = line.split()
        if word == "node":
            places[int(numbers[0])] = float(numbers[1]) * 72
    if len(places) != len(cells):
        raise LayoutError(_("Graphviz laid out only a part of the graph."))
    return [places[place] for place in range(len(cells))]


def _frame(
    cells: Sequence[Cell], routes: Sequence[Sequence[Point]], middles: Sequence[float]
) -> Layout:
    """Move everything so that the picture begins at (0, 0), on whole pixels."""
    ends = [end for route in routes for x, _y in route for end in (x - LANES / 2, x + LANES / 2)]
    ends += [cell.x - (cell.width / 2 or cell.left) for cell in cells]
    ends += [cell.x + (cell.width / 2 or cell.right) for cell in cells]
    origin = round(min(ends))
    places, labels = {}, {}
    for cell in cells:
        place = (cell.x - origin, middles[cell.row])
        if cell.node is not None:
            places[cell.node] = place
        elif cell.trunk is not None:
            labels[cell.trunk] = place
    bottoms = [middles[cell.row] + cell.height / 2 for cell in cells]
    bottoms += [y for route in routes for _x, y in route]
    moved = tuple(tuple((x - origin, y) for x, y in route) for route in routes)
    return Layout(round(max(ends)) - origin, max(bottoms), places, moved, labels)
