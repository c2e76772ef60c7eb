"""Levels: what is drawn inside each group, and what crosses its border."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from grown import Grower, draw, list_arrows, name_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.levels import (
    MOST_LEAVES,
    MOST_NODES,
    MOST_PORTS,
    Levels,
    group_node_id,
    make_level,
)

quick = settings(max_examples=60, deadline=None)
KINDS = ("layer", "name", "function", "gradient")

# Random programs: what is called from where, in which loops, with what.


@st.composite
def programs(draw):
    """A grouped graph whose ops ran in random scopes and loops."""
    g = Grower()
    random = draw(st.randoms(use_true_random=False))
    for number in range(draw(st.integers(1, 4))):
        g.source(random.choice([f"w{number}", f"model.layer{number}.kernel"]))
        g.input(random.choice(["", f"x{number}"]))

    def run(depth, past):
        for _part in range(random.randint(1, 4)):
            choice = random.random()
            if choice < 0.3 and depth < 3:
                with g.scope(random.choice(KINDS), f"scope{random.randint(0, 2)}"):
                    run(depth + 1, past)
            elif choice < 0.5 and depth < 3:
                at, lines = len(past), random.randint(2, 4)
                reach = [random.randint(1, min(6, at)) for _op in range(lines)]
                start = random.randint(1, 50)
                for _turn in range(random.randint(3, 6)):
                    with g.scope("layer", "cell"):
                        for place in range(lines):
                            h = g.op(
                                f"Loop{place}", past[-1], past[-reach[place]], line=start + place
                            )
                            past.append(h)
            else:
                inputs = [random.choice(past) for _input in range(random.randint(1, 3))]
                fold = random.choice([None, None, None, "same", "side"])
                past.append(
                    g.op(
                        f"Op{random.randint(0, 9)}", *inputs, line=random.randint(1, 50), fold=fold
                    )
                )

    past = [node.id for node in g.nodes]
    run(0, past)
    flags = [(random.random() < 0.7, random.random() < 0.3) for _edge in g.edges]
    g.edges = [
        replace(e, gradient=f, cut=c and not f) for e, (f, c) in zip(g.edges, flags, strict=True)
    ]
    return g.finish(past[-1])


def list_places(graph):
    """All groups with all their iterations, and the outermost level."""
    places = [(None, 0)]
    for group in graph.groups:
        places += [(group.id, turn) for turn in range(max(1, len(group.iterations)))]
    return places


def find_chain(graph, node):
    """Groups and iterations around a node, outermost first: read off the records alone."""
    chain, group = [], graph.nodes[node].group
    while group is not None:
        turns = graph.groups[group].iterations
        found = [turn for turn, ids in enumerate(turns) if node in ids] or [0]
        chain.append((group, found[0]))
        group = graph.groups[group].parent
    return [(None, 0), *reversed(chain)]


@quick
@given(programs())
def test_each_op_is_in_one_level_and_no_level_is_too_large(graph):
    trimmed, seen = trim(graph), Counter()
    levels = Levels(trimmed)
    for place in list_places(graph):
        level = levels.make(*place)
        assert len(level.nodes) <= MOST_NODES
        assert len({node.id for node in level.nodes}) == len(level.nodes)
        for node in level.nodes:
            if node.kind == "op":
                seen[node.id] += 1
                assert find_chain(graph, node.id)[-1] == place
    assert seen == Counter(node.id for node in trimmed.nodes if node.kind == "op")


def find_drawn(levels, graph):
    """The places in whose levels each node is drawn: one, but for a leaf that iterations share."""
    drawn = defaultdict(set)
    for place in list_places(graph):
        for node in levels.make(*place).nodes:
            drawn[node.id].add(place)
    return drawn


@quick
@given(programs())
def test_the_edges_of_a_level_are_those_of_the_whole_graph(graph):
    """Each edge of the whole graph, as seen from a place: between what lies there, in or out."""
    trimmed = trim(graph)
    levels = Levels(trimmed)
    drawn = find_drawn(levels, graph)
    ops = {node.id for node in trimmed.nodes if node.kind == "op"}

    def stand(node, place):
        """What is seen of a node from a place: itself, the group that holds it, or nothing."""
        chain = find_chain(graph, node)
        if place not in chain:
            return "outside"
        inner = chain[chain.index(place) + 1 :]
        return group_node_id(graph, inner[0][0]) if inner else node

    def see(edge, place):
        """The ends of an edge as seen from a place; None where it is not seen."""
        end = stand(edge.consumer, place)
        if edge.producer in ops:
            start = stand(edge.producer, place)
        else:  # a leaf is drawn in one place on the way to what uses it, and enters those inside
            way = find_chain(graph, edge.consumer)
            (home,) = drawn[edge.producer] & set(way)
            if place not in way[way.index(home) :]:
                return None
            start = edge.producer if place == home else "outside"
        return None if start == end else (start, end)

    for place in list_places(graph):
        level = levels.make(*place)
        nodes = {node.id: node for node in level.nodes}
        expected, found = defaultdict(list), defaultdict(list)
        for edge in trimmed.edges:
            ends = see(edge, place)
            if ends is not None:
                expected[ends].append(edge)
        for edge in level.edges:
            ends = tuple("outside" if end < 0 else end for end in (edge.producer, edge.consumer))
            found[ends].append(edge)
        assert set(found) == set(expected)
        for ends, edges in found.items():
            whole = expected[ends]
            assert any(e.gradient for e in edges) == any(e.gradient for e in whole)
            assert not any(e.gradient and e.cut for e in edges)
            if not any(e.gradient for e in whole):
                assert any(e.cut for e in edges) == any(e.cut for e in whole)
            for edge in edges:  # its tensor is one that its producer hands out
                output = nodes[edge.producer].outputs[edge.output]
                assert output.value in {None, *(e.producer for e in whole)}


@quick
@given(programs())
def test_a_group_tells_of_what_is_inside(graph):
    levels = Levels(trim(graph))
    drawn = find_drawn(levels, graph)
    kinds = {node.id: node.kind for node in levels.graph.nodes}

    def holds(number, group):
        while group is not None and group != number:
            group = graph.groups[group].parent
        return group == number

    for place in list_places(graph):
        for node in levels.make(*place).nodes:
            if node.kind == "group":
                number = node.id - group_node_id(graph, 0)
                own = {n for n in kinds if any(holds(number, group) for group, _turn in drawn[n])}
                assert {n.id for n in node.inside} == own
                assert node.count == sum(kinds[n] == "op" for n in own)
                assert node.label == graph.groups[number].name
                assert node.group == place[0]
                ops = (n for n in own if kinds[n] == "op")
                assert {levels.find_node(n, place[0]) for n in ops} == {node.id}


@quick
@given(programs())
def test_no_level_has_a_cycle(graph):
    levels = Levels(trim(graph))
    for place in list_places(graph):
        level = levels.make(*place)
        ahead = defaultdict(set)
        for edge in level.edges:
            assert edge.producer != edge.consumer
            ahead[edge.producer].add(edge.consumer)
        left = {node.id for node in level.nodes}
        while left:
            ends = {node for node in left if not ahead[node] & left}
            assert ends
            left -= ends


# What crosses the border.


def make_loop(times=5):
    g = Grower()
    h, w = g.input("x"), g.source("w")
    for _turn in range(times):
        h = g.op("MatMul", h, w, line=2)
        h = g.op("Relu", h, line=3, name="h")
    return g.finish(g.op("Mean", h, line=4))


def test_outside_of_all_groups_a_loop_is_one_node():
    level = draw(make_loop())
    times = "\N{MULTIPLICATION SIGN} 5"
    assert name_nodes(level) == ["x", "w", times, "mean", "loss"]
    assert list_arrows(level) == [("x", times), ("w", times), (times, "mean"), ("mean", "loss")]
    (loop,) = [node for node in level.nodes if node.kind == "group"]
    assert [output.name for output in loop.outputs] == ["h"]
    assert loop.outputs[0].value == max(n.id for n in loop.inside)  # of the last iteration
    assert loop.count == 10


@pytest.mark.parametrize("turn", range(5))
def test_what_a_loop_carries_on_comes_in_at_the_top_and_leaves_at_the_bottom(turn):
    graph = make_loop()
    level = draw(graph, 0, turn)
    assert name_nodes(level) == ["h", "w", "matmul", "relu", "h"]
    assert [n.id for n in level.nodes if n.kind == "op"] == list(graph.groups[0].iterations[turn])
    top, weight, *_ops, bottom = level.nodes
    assert {top.kind, weight.kind, bottom.kind} == {"port"}
    assert list_arrows(level) == [
        ("h", "matmul"),
        ("w", "matmul"),
        ("matmul", "relu"),
        ("relu", "h"),
    ]
    # the first takes x, and the last hands on to what comes after the loop
    assert [n.label for n in top.inside] == (["x"] if turn == 0 else ["relu"])
    assert top.outputs[0].value == (0 if turn == 0 else graph.groups[0].iterations[turn - 1][-1])
    assert top.detail == ("" if turn == 0 else "from an earlier iteration")
    assert bottom.detail == ("" if turn == 4 else "to a later iteration")
    assert all(node.id < 0 for node in (top, weight, bottom))


def test_the_first_iteration_looks_like_the_others():
    """Also where it takes one tensor for two: h starts as x, which is used in each iteration."""
    g = Grower()
    x = g.input("x")
    h = x
    for _turn in range(4):
        h = g.op("Add", g.op("Mul", h, x, line=2), line=3, name="h")
    graph = g.finish(g.op("Mean", h, line=4))

    def look(turn):
        level = draw(graph, 0, turn)
        numbers = {node.id: place for place, node in enumerate(level.nodes)}
        nodes = [(node.kind, node.op, node.label, node.line) for node in level.nodes]
        return nodes, [(numbers[e.producer], numbers[e.consumer], e.slot) for e in level.edges]

    assert [look(turn) for turn in range(1, 4)] == [look(0)] * 3
    assert name_nodes(draw(graph, 0), "port") == ["h", "x", "h"]


def test_a_variable_that_a_loop_assigns_enters_as_itself():
    """Each assignment takes the Variable, and follows the one of the iteration before."""
    g = Grower()
    x, w = g.input("x"), g.source("w")
    last = None
    for _turn in range(5):
        h = g.op("Mul", x, w, line=2)
        assign = g.op("AssignSub", w, h, line=3, name="w")
        if last is not None:
            g.edges.append(g.edges[-1].__class__(last, assign, slot=0))
        last = assign
    graph = g.finish(g.op("Mean", x, last, line=4))
    for turn in range(5):
        level = draw(graph, 0, turn)
        assert name_nodes(level) == ["x", "w", "mul", "assignsub", "w"]
        assert sorted(list_arrows(level)) == [
            ("assignsub", "w"), ("mul", "assignsub"), ("w", "assignsub"), ("w", "mul"), ("x", "mul"),
        ]  # fmt: skip
        assert level.nodes[-1].detail == ("" if turn == 4 else "to a later iteration")


def test_what_all_iterations_made_is_one_line_outside():
    g = Grower()
    w = g.source("w")
    made = [g.op("Sin", g.op("Mul", w, line=1), line=1) for _turn in range(30)]
    level = draw(g.finish(g.op("AddN", *made, line=2)))
    times = "\N{MULTIPLICATION SIGN} 30"
    assert list_arrows(level) == [("w", times), (times, "addn"), ("addn", "loss")]
    (loop,) = [node for node in level.nodes if node.kind == "group"]
    assert [(o.name, o.value, o.gradient, o.shape) for o in loop.outputs] == [
        ("30 tensors", None, None, (2,))
    ]


def test_a_kernel_is_drawn_inside_the_layer_that_uses_it():
    g = Grower()
    h = g.dense("dense", g.input("x"))
    v = g.source("v")
    with g.scope("layer", "own"):
        h = g.op("Mul", g.op("Add", h, v, line=2), line=2)
    graph = g.finish(g.op("Mean", h, line=3))
    assert name_nodes(draw(graph)) == ["x", "dense", "v", "own", "mean", "loss"]
    inside = draw(graph, 0)
    assert name_nodes(inside, "source") == ["model.dense.kernel", "model.dense.bias"]
    assert name_nodes(inside, "port") == ["x", "relu"]
    (layer,) = [node for node in draw(graph).nodes if node.label == "dense"]
    assert [n.label for n in layer.inside if n.kind == "source"] == [
        "model.dense.kernel",
        "model.dense.bias",
    ]
    kernel = next(n.id for n in graph.nodes if n.label == "model.dense.kernel")
    levels = Levels(trim(graph))
    assert levels.find_node(kernel) == layer.id
    assert levels.find_node(kernel, 0) == kernel
    assert levels.find_node(kernel, 1) is None


def test_a_kernel_that_two_groups_use_is_drawn_outside():
    g = Grower()
    x, kernel = g.input("x"), g.source("model.shared.kernel")
    for name in ("one", "two"):
        with g.scope("layer", name):
            x = g.op("Relu", g.op("MatMul", x, kernel))
    graph = g.finish(g.op("Mean", x, line=2))
    assert "model.shared.kernel" in name_nodes(draw(graph), "source")


def test_each_iteration_has_its_own_kernel_and_all_share_theirs():
    g = Grower()
    h, shared = g.input("x"), g.source("model.shared")
    for turn in range(4):
        own = g.source(f"kernels[{turn}]")
        h = g.op("Relu", g.op("MatMul", h, own, shared, line=2), line=3)
    graph = g.finish(g.op("Mean", h, line=4))
    assert name_nodes(draw(graph), "source") == ["model.shared"]
    assert [name_nodes(draw(graph, 0, turn), "source") for turn in range(4)] == [
        [f"kernels[{turn}]"] for turn in range(4)
    ]


def test_many_sources_are_drawn_where_they_are_used():
    g = Grower()
    h = g.input("x")
    weights = [[g.source(f"w{part}_{i}") for i in range(4)] for part in range(6)]
    for part, own in enumerate(weights):
        with g.scope("function", f"step{part}"):
            for w in own:
                h = g.op(f"Mul{part}", h, w, line=part + 1)
    graph = g.finish(g.op("Mean", h, line=9))
    assert name_nodes(draw(graph), "source", "input") == []
    assert name_nodes(draw(graph, 2), "source") == ["w2_0", "w2_1", "w2_2", "w2_3"]


def test_more_sources_and_tensors_than_can_be_drawn_are_one():
    g = Grower()
    sources = [g.source(f"w{i}") for i in range(300)]
    with g.scope("layer", "many"):
        parts = [g.op(f"Op{i}", *sources[i * 30 : i * 30 + 30]) for i in range(10)]
    level = draw(g.finish(g.op("AddN", *parts, *sources, line=2)))
    assert len(level.nodes) <= MOST_NODES
    assert len(name_nodes(level, "source")) == MOST_LEAVES - 1
    assert name_nodes(level, "port") == [f"{300 - MOST_LEAVES + 1} tensors"]
    inside = make_level(trim(g.finish(parts[0])), 0)
    assert len([node for node in inside.nodes if node.kind == "port"]) <= 2 * MOST_PORTS


def test_a_port_is_called_by_the_tensor_or_the_group_that_made_it():
    g = Grower()
    h = g.dense("dense", g.input("x"))
    with g.scope("layer", "next"):
        h = g.op("Neg", g.op("Sin", h, line=2), line=2, name="out")
    with g.scope("layer", "last"):
        h = g.op("Neg", g.op("Cos", h, line=3), line=3)
    graph = g.finish(g.op("Mean", h, line=4))
    assert name_nodes(draw(graph, 1), "port") == ["dense", "out"]
    assert name_nodes(draw(graph, 2), "port") == ["out", "neg"]


def test_an_op_that_takes_a_tensor_twice_has_two_edges():
    g = Grower()
    h = g.dense("dense", g.input("x"))
    level = draw(g.finish(g.op("Mul", h, h, line=2)))
    assert [e.slot for e in level.edges if e.consumer == level.nodes[2].id] == [0, 1]


def test_a_value_that_left_tensorflow_and_came_back_is_drawn():
    g = Grower()
    w = g.source("w")
    with g.scope("layer", "own"):
        h = g.op("Sin", g.op("Cos", w))
    back = g.input("h")
    g.edges.append(g.edges[-1].__class__(h, back, cut=True))
    level = draw(g.finish(g.op("Mul", back, line=2)))
    assert ("own", "h") in list_arrows(level)
    assert [(e.cut, e.gradient) for e in level.edges if e.consumer == back] == [(True, False)]


def test_a_group_that_there_is_not():
    with pytest.raises(KeyError):
        draw(make_loop(), 7)
    with pytest.raises(KeyError):
        draw(make_loop(), 0, 5)


def test_group_ids_follow_the_nodes():
    graph = make_loop()
    assert group_node_id(graph, 2) == group_node_id(trim(graph), 2) == len(graph.nodes) + 2


def test_time_of_a_group_is_that_of_its_ops():
    g = Grower()
    with g.scope("layer", "own"):
        h = g.op("Sin", g.op("Cos", g.input("x"), seconds=0.25), seconds=0.5)
    level = draw(g.finish(g.op("Mean", h, line=2)))
    np.testing.assert_allclose([n.seconds for n in level.nodes if n.kind == "group"], 0.75)
