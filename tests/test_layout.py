"""Places and routes of graphs: what a picture relies on."""

from __future__ import annotations

import builtins
import random
import threading
from itertools import combinations, pairwise

import pytest

from gradmagic.core.layout import rows as module
from gradmagic.core.layout.rows import Layout, LayoutError, lay_out, rank_nodes

BOX = (96.0, 44.0)
LABEL = (70.0, 80.0, 28.0)


def make_random(seed, nodes=24):
    """Sizes, edges, trunks and labels of a random acyclic graph."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    sizes = {node: (chance.choice([96.0, 144.0, 264.0]), 44.0) for node in range(nodes)}
    edges = [
        (chance.randrange(consumer), consumer)
        for consumer in range(1, nodes)
        for _ in range(chance.choice([1, 1, 2, 3]))
    ]
    trunks = [producer for producer, _consumer in edges]
    return sizes, edges, trunks, dict.fromkeys(trunks, LABEL)


def boxes_of(sizes, laid: Layout):
    for node, (width, height) in sizes.items():
        x, y = laid.places[node]
        yield node, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def on_border(point, box):
    (x, y), (left, top, right, bottom) = point, box
    across = left <= x <= right and y in {top, bottom}
    return across or (top <= y <= bottom and x in {left, right})


def check_routes(sizes, edges, laid):
    """Each edge's line runs from its producer's border to its consumer's, by right angles only."""
    boxes = dict(boxes_of(sizes, laid))
    assert len(laid.routes) == len(edges)
    for (producer, consumer), route in zip(edges, laid.routes, strict=True):
        assert len(route) >= 2
        assert on_border(route[0], boxes[producer])
        assert on_border(route[-1], boxes[consumer])
        for (x, y), (to_x, to_y) in pairwise(route):
            assert (x == to_x) != (y == to_y)
        for x, y in route:
            assert 0 <= x <= laid.width
            assert 0 <= y <= laid.height


@pytest.mark.parametrize("seed", range(8))
def test_no_two_nodes_overlap_and_all_lie_in_the_picture(seed):
    sizes, edges, trunks, labels = make_random(seed)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    boxes = dict(boxes_of(sizes, laid))
    assert boxes.keys() == sizes.keys()
    for one, other in combinations(boxes.values(), 2):
        assert not overlap(one, other)
    for left, top, right, bottom in boxes.values():
        assert left >= 0
        assert top >= 0
        assert right <= laid.width
        assert bottom <= laid.height


@pytest.mark.parametrize("seed", range(8))
def test_labels_overlap_neither_nodes_nor_each_other(seed):
    sizes, edges, trunks, labels = make_random(seed)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    left, right, height = LABEL
    places = [
        (x - left, y - height / 2, x + right, y + height / 2) for x, y in laid.labels.values()
    ]
    assert laid.labels.keys() == labels.keys()
    for label in places:
        assert not any(overlap(label, box) for _node, box in boxes_of(sizes, laid))
    for one, other in combinations(places, 2):
        assert not overlap(one, other)


@pytest.mark.parametrize("seed", range(8))
def test_routes_run_from_border_to_border(seed):
    sizes, edges, trunks, labels = make_random(seed)
    check_routes(sizes, edges, lay_out(sizes, edges, trunks=trunks, labels=labels))


@pytest.mark.parametrize("seed", range(8))
def test_no_line_runs_through_a_node(seed):
    sizes, edges, trunks, labels = make_random(seed)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    for route in laid.routes:
        for (x, y), (to_x, to_y) in pairwise(route):
            line = min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y)
            for _node, (left, top, right, bottom) in boxes_of(sizes, laid):
                inside = left < line[2] and line[0] < right and top < line[3] and line[1] < bottom
                assert not inside


@pytest.mark.parametrize("seed", range(8))
def test_lines_of_different_tensors_cross_but_never_cover_each_other(seed):
    sizes, edges, trunks, labels = make_random(seed)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    pieces = [
        (trunk, piece)
        for trunk, route in zip(trunks, laid.routes, strict=True)
        for piece in pairwise(route)
    ]
    for (one, (a, b)), (other, (c, d)) in combinations(pieces, 2):
        if one == other:
            continue
        for axis in (0, 1):
            if a[axis] == b[axis] == c[axis] == d[axis]:
                low, high = sorted((a[1 - axis], b[1 - axis]))
                start, end = sorted((c[1 - axis], d[1 - axis]))
                assert high <= start or end <= low


def test_values_flow_down():
    sizes, edges, trunks, labels = make_random(3)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    for producer, consumer in edges:
        assert laid.places[producer][1] < laid.places[consumer][1]


def test_a_source_stands_right_above_its_use():
    ranks = rank_nodes(dict.fromkeys(range(5), BOX), [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert ranks == {0: 0, 1: 1, 2: 2, 3: 3, 4: 2}


def test_what_leads_nowhere_stands_right_below_what_it_comes_from():
    ranks = rank_nodes(dict.fromkeys(range(5), BOX), [(0, 1), (1, 2), (2, 3), (0, 4)])
    assert ranks[4] == 1


def test_a_chain_is_one_straight_line():
    edges = [(node, node + 1) for node in range(6)]
    laid = lay_out({node: (96 + 48 * (node % 3), 44) for node in range(7)}, edges)
    assert len({x for route in laid.routes for x, _y in route}) == 1
    assert len({x for x, _y in laid.places.values()}) == 1


def test_a_residual_leaves_the_chain_straight():
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)]
    laid = lay_out(dict.fromkeys(range(5), BOX), edges, trunks=[0, 1, 2, 3, 1])
    assert all(len(route) == 2 for route in laid.routes[:4])
    assert laid.labels[1][0] == laid.routes[1][0][0]


def test_a_bias_enters_from_the_side():
    # x, w -> x @ w -> x @ w + b <- b
    sizes = {0: BOX, 1: BOX, 2: (168, 44), 3: BOX, 4: (168, 44)}
    laid = lay_out(sizes, [(0, 2), (1, 2), (2, 4), (3, 4)], labels=dict.fromkeys(range(4), LABEL))
    x, y = laid.routes[3][-1]
    assert y == laid.places[4][1]
    assert abs(x - laid.places[4][0]) == 84
    assert len(laid.routes[3]) == 3


def test_operands_stand_in_the_order_in_which_they_are_taken():
    laid = lay_out(dict.fromkeys(range(3), BOX), [(1, 2), (0, 2)])
    assert laid.places[1][0] < laid.places[0][0]


def test_lines_give_way_to_be_straight():
    # dot's places alone would leave small bends above the narrow consumer
    sizes = {0: BOX, 1: BOX, 2: (168, 44)}
    laid = lay_out(sizes, [(0, 2), (1, 2)], labels={0: (40, 14, 28), 1: LABEL})
    assert [len(route) for route in laid.routes] == [2, 2]


def test_edges_of_one_tensor_start_as_one_line():
    laid = lay_out(dict.fromkeys(range(4), BOX), [(0, 1), (0, 2), (0, 3)], trunks=[7, 7, 7])
    assert len({route[0] for route in laid.routes}) == 1
    assert laid.labels.keys() == {7}


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([(0, 1), (1, 2), (2, 0)], id="cycle"),
        pytest.param([(0, 1), (1, 0)], id="two-way"),
        pytest.param([(0, 1), (0, 1), (0, 1)], id="multi-edge"),
        pytest.param([(0, 0)], id="self-loop"),
        pytest.param([(0, 0), (0, 1), (1, 1), (1, 0)], id="loops and cycle"),
        pytest.param([(0, 1), (2, 3)], id="disconnected"),
        pytest.param([], id="no edges"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_odd_graphs(edges, together):
    sizes = dict.fromkeys(range(5), BOX)
    trunks = [producer for producer, _ in edges] if together else None
    laid = lay_out(sizes, edges, trunks=trunks)
    check_routes(sizes, edges, laid)
    assert laid.places.keys() == sizes.keys()
    for (_n, one), (_m, other) in combinations(boxes_of(sizes, laid), 2):
        assert not overlap(one, other)


def test_repeated_edges_end_apart():
    laid = lay_out(dict.fromkeys(range(2), (200, 44)), [(0, 1), (0, 1), (0, 1)], trunks=[0, 0, 0])
    assert len({route[-1] for route in laid.routes}) == 3


def test_nothing_is_laid_out_as_nothing():
    assert lay_out({}, []) == Layout(0, 0, {}, ())


def test_a_missing_pygraphviz_is_said_in_one_sentence(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pygraphviz":
            raise ImportError("no such file")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LayoutError, match=r"pygraphviz can't be imported: no such file$"):
        lay_out({0: BOX}, [])


def test_a_failure_of_graphviz_is_said_in_one_sentence(monkeypatch):
    import pygraphviz

    def fail(*args, **kwargs):
        raise ValueError("Graphviz raised a layout error.")

    monkeypatch.setattr(pygraphviz.AGraph, "draw", fail)
    with pytest.raises(LayoutError, match=r"^Graphviz could not .*layout error\.$"):
        lay_out({0: BOX}, [])


def test_graphviz_gets_numbers_only_and_one_thread_at_a_time(monkeypatch):
    import pygraphviz

    seen, inside = [], []
    real = pygraphviz.AGraph

    def watch(*args, string):
        inside.append(module._LOCK.locked())
        seen.append(string)
        return real(*args, string=string)

    monkeypatch.setattr(pygraphviz, "AGraph", watch)
    threads = [threading.Thread(target=lay_out, args=make_random(s)[:2]) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [True] * 4
    head, _node, *lines = seen[0].splitlines()
    assert head.startswith("digraph{")
    assert not set("".join(lines)) - set("0123456789.->[]{}=") - set("width") - set("weight")


def test_graphs_that_are_built_alike_are_laid_out_once(monkeypatch):
    sizes, edges, trunks, labels = make_random(99)
    laid = lay_out(sizes, edges, trunks=trunks, labels=labels)
    monkeypatch.setattr(module, "_ask_dot", lambda *_: pytest.fail("laid out again"))
    renamed = {100 - node: size for node, size in sizes.items()}
    moved = [(100 - producer, 100 - consumer) for producer, consumer in edges]
    again = lay_out(renamed, moved, trunks=trunks, labels=labels)
    assert again.places == {100 - node: place for node, place in laid.places.items()}
    assert (again.routes, again.labels) == (laid.routes, laid.labels)
