"""The picture of a graph: what it shows, that it is safe, and that it stays small."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import gradmagic.render
from gradmagic.core.records import Diagnosis, Edge, Graph, Group, Node, Output
from gradmagic.core.summary import SMALL, summarize, summarize_briefly
from gradmagic.render import flows, lanes, strips
from gradmagic.render.graph import describe_graph, draw_graph, draw_key, draw_plan, plan_graph
from gradmagic.render.lettering import measure_code, measure_small, shorten_text

CSS = Path(gradmagic.render.__file__).parent / "graph.css"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</svg><script>alert(1)</script>",
    "\"' onload='alert(1)",
    "a & b < c",
    "\x00\x1b[31m\ud800",
    "\u202egnirts",
    "two\nlines\tand a tab",
    "重み行列の勾配",
    "x" * 400,
]


class Builder:
    """Graphs by hand: each method adds a node and gives its id."""

    def __init__(self):
        self.nodes, self.edges = [], []
        self.random = np.random.default_rng(0)

    def add(self, kind, label, *inputs, shape=(), gradient=True, name=None, value=None, **more):
        def array(made):
            return self.random.normal(size=shape).astype(np.float32) if made is True else made

        value, gradient = array(True if value is None else value), array(gradient)
        gradient = None if gradient is False else gradient
        dtype = more.pop("dtype", "float32")
        outputs = more.pop("outputs", (Output(shape, dtype, value, gradient, name),))
        more.setdefault("source", label if kind == "source" else None)
        more.setdefault("count", {"op": 1}.get(kind, 0))
        more.setdefault("line", None)
        more.setdefault("op", None)
        node = Node(id=len(self.nodes), kind=kind, label=label, outputs=outputs, **more)
        self.nodes.append(node)
        for slot, (producer, output) in enumerate(inputs):
            flows = self.nodes[producer].outputs[output].gradient is not None
            flows = flows and (gradient is not None or kind == "target")
            self.edges.append(Edge(producer, node.id, output, slot, flows))
        return node.id, 0

    def graph(self):
        return Graph(tuple(self.nodes), tuple(self.edges), sum(n.count for n in self.nodes))


def make_softmax():
    """The graph of the design's report: loss = mean(H(one_hot(y), softmax(x @ w + b)))."""
    b = Builder()
    x = b.add("input", "x", shape=(2, 4), gradient=False)
    w = b.add("source", "w", shape=(4, 3))
    y = b.add("input", "y", shape=(2,), dtype="int32", gradient=False, value=np.array([2, 0]))
    m = b.add("op", "x @ w", x, w, shape=(2, 3), op="MatMul", line=2)
    bias = b.add("source", "b", shape=(3,))
    a = b.add("op", "x @ w + b", m, bias, shape=(2, 3), op="AddV2", line=2, name="logits")
    o = b.add("op", "one_hot(y)", y, shape=(2, 3), op="OneHot", line=3, gradient=False)
    h = b.add("op", "H(one_hot(y), softmax(logits))", a, o, shape=(2,),
              op="SoftmaxCrossEntropyWithLogits", line=3)  # fmt: skip
    m = b.add("op", "mean", h, op="Mean", line=3, name="loss", value=np.float32(0.8653) * np.ones(()),
              gradient=np.ones((), np.float32))  # fmt: skip
    b.add("target", "loss", m, value=np.array(0.8653, np.float32))
    return b.graph()


def make_branches():
    """Fan-out, a residual, two outputs, a group, an op that is a source, x * x."""
    b = Builder()
    x = b.add("source", "x", shape=(2, 3))
    h = b.add("op", "square", x, x, shape=(2, 3), op="Mul", line=1, name="h")
    r = b.add("op", "relu", h, shape=(2, 3), op="Relu", line=2)
    g = b.add("group", "normalise", r, shape=(2, 3), line=3, count=37)
    s = b.add("op", "h + normalise", h, g, shape=(2, 3), op="AddV2", line=4, source="s", name="s")
    two = tuple(Output((2, 1), "float32", np.ones((2, 1)), np.ones((2, 1)), n) for n in "pq")
    p, _ = b.add("op", "split", s, op="Split", line=5, outputs=two)
    m = b.add("op", "p · q", (p, 0), (p, 1), shape=(2, 1), op="Mul", line=6)
    c = b.add("op", "argmax(h)", h, shape=(2,), op="ArgMax", gradient=False, dtype="int64",
              value=np.array([1, 2]))  # fmt: skip
    e = b.add("op", "mean", m, op="Mean", line=7)
    assert c
    b.add("target", "loss", e)
    return b.graph()


def make_deep(length, shape=(2, 3)):
    b = Builder()
    h = b.add("input", "x", shape=shape, gradient=False)
    past = [h]
    while len(b.nodes) < length - 2:
        w = b.add("source", f"w{len(past)}", shape=(3, 3))
        h = b.add("op", f"h @ w{len(past)}", h, w, shape=shape, op="MatMul", line=len(past))
        h = b.add("op", "relu", h, shape=shape, op="Relu", name=f"h{len(past)}", line=len(past))
        if len(past) % 3 == 0:
            h = b.add("op", "add", h, past[-3], shape=shape, op="AddV2", line=len(past))
        past.append(h)
    mean = b.add("op", "mean", h, op="Mean", line=99)
    b.add("target", "loss", mean)
    return b.graph()


def make_hostile():
    b = Builder()
    last = [b.add("source", name, shape=(2, 3)) for name in HOSTILE]
    for name, node in zip(HOSTILE, last, strict=True):
        b.add("op", name, node, shape=(2, 3), op=name, line=1, name=name + "_", source=None)
    return b.graph()


def make_odd():
    """A cycle, a self-loop, repeated edges, a part of its own, an edge to nowhere."""
    b = Builder()
    for number in range(5):
        b.add("op", f"node {number}", shape=(2,), op="Op", line=number)
    pairs = [(0, 1), (1, 0), (1, 1), (0, 1), (3, 4), (0, 99)]
    return Graph(tuple(b.nodes), tuple(Edge(p, c, gradient=True) for p, c in pairs), 5)


def make_broken(**more):
    """x and h = tanh(x), of which argmax keeps no gradient and softmax does."""
    b = Builder()
    x = b.add("source", "x", shape=(8, 3))
    h = b.add("op", "tanh(x)", x, shape=(8, 3), op="Tanh", line=1, name="h", position=0)
    k = b.add("op", "argmax(h)", h, shape=(8,), op="ArgMax", line=2, gradient=False, position=1)
    s = b.add("op", "softmax(h)", h, shape=(8, 3), op="Softmax", line=2, position=2)
    m = b.add("op", "sum", k, s, op="AddN", line=3, position=3)
    a = b.add("input", "a", shape=(8, 3), gradient=False)
    m = b.add("op", "sum + a", m, a, op="AddV2", line=4, position=4)
    b.add("target", "loss", m)
    edges = [replace(edge, cut=edge.consumer == k[0]) for edge in b.edges]
    edges.append(Edge(h[0], a[0], cut=True))  # a value that left TensorFlow and came back
    return replace(b.graph(), edges=tuple(edges), **more)


ALL = [make_softmax, make_branches, lambda: make_deep(40), make_hostile, make_odd, make_broken]


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314 - what is parsed was written here


def find(tree, **attributes):
    return [
        element
        for element in tree.iter()
        if all(element.get(name.replace("_", "-")) == value for name, value in attributes.items())
    ]


def node_of(tree, graph, label):
    number = next(node.id for node in graph.nodes if node.label == label)
    (group,) = find(tree, data_node=str(number))
    return group


def texts(element):
    return ["".join(text.itertext()) for text in element.iter("text")]


def written(svg):
    return "\n".join(texts(parse(svg)))


@pytest.mark.parametrize("make", ALL)
def test_every_node_and_every_edge_is_drawn(make):
    graph = make()
    tree = parse(draw_graph(graph))
    held = {node.id for node in graph.nodes}
    edges = [edge for edge in graph.edges if edge.consumer in held]
    assert [int(g.get("data-node")) for g in tree.iter("g") if g.get("data-node")] == sorted(held)
    drawn = {int(g.get("data-edge")): g for g in tree.iter("g") if g.get("data-edge")}
    assert sorted(drawn) == list(range(len(edges)))
    for number, edge in enumerate(edges):
        classes = [path.get("class") for path in drawn[number]]
        assert classes.count("gm-v") == 1 + edge.cut
        assert classes.count("gm-vh") == 1
        assert ("gm-d" in classes) == edge.gradient


def test_each_role_has_its_shape_and_its_word():
    graph = make_branches()
    tree = parse(draw_graph(graph))
    group = node_of(tree, graph, "normalise")
    assert group.get("class") == "gm-op gm-group"
    assert len(list(group.iter("rect"))) == 2
    assert texts(group) == ["normalise", "37 ops, [2, 3], line 3"]
    op = node_of(tree, graph, "h + normalise")
    assert op.get("class") == "gm-op gm-source"
    assert op.find("rect").get("rx") == "21"
    assert texts(op)[1] == "source, AddV2, [2, 3], line 4"
    source = node_of(tree, graph, "x")
    assert source.get("class") == "gm-source"
    assert source.find("rect").get("rx") is None
    assert texts(source) == ["x", "source, [2, 3]"]

    graph = make_softmax()
    tree = parse(draw_graph(graph))
    assert texts(node_of(tree, graph, "y")) == ["y", "input, [2] int32"]
    assert node_of(tree, graph, "y").get("class") == "gm-input"
    assert texts(node_of(tree, graph, "loss")) == ["loss = 0.8653", "target, scalar"]
    assert texts(node_of(tree, graph, "mean")) == ["mean", "Mean, scalar, line 3"]
    assert texts(node_of(tree, graph, "x @ w")) == ["x @ w", "MatMul, [2, 3], line 2"]


def test_beside_the_lines_stand_names_values_and_norms():
    graph = make_softmax()
    tree = parse(draw_graph(graph))
    beside = tree.findall("text")
    assert "logits" in [text.text for text in beside if text.get("class") == "gm-code"]
    assert [text.text for text in beside if text.get("class") == "gm-q"] == ["[2, 0]"]
    norms = [text.text for text in beside if text.get("class") == "gm-gt"]
    real = [
        np.linalg.norm(node.outputs[0].gradient.ravel())
        for node in graph.nodes
        if node.kind != "target" and node.outputs[0].gradient is not None
    ]
    assert norms == [f"{norm:.3f}" for norm in real]
    # 'loss' stands in the target, 'w' in its box
    assert not {"loss", "w"} & {text.text for text in beside}


def test_the_lane_is_as_wide_as_the_norm_is_large():
    b = Builder()
    small = b.add("source", "small", shape=(2,), gradient=np.array([0.3, 0.4]))
    large = b.add("source", "large", shape=(2,), gradient=np.array([0.6, 0.8]))
    tiny = b.add("source", "tiny", shape=(2,), gradient=np.array([1e-9, 0]))
    b.add("op", "sum", small, large, tiny, shape=(2,), op="AddN")
    tree = parse(draw_graph(b.graph()))
    widths = [path.get("stroke-width") for path in find(tree, **{"class": "gm-d"})]
    assert widths == ["2", "4", "1"]


def test_a_tensor_with_several_consumers_shows_the_sum_once():
    graph = make_branches()
    tree = parse(draw_graph(graph))
    norms = [text.text for text in find(tree, **{"class": "gm-gt"})]
    total = np.linalg.norm(graph.nodes[1].outputs[0].gradient)
    assert norms.count(f"Σ {total:.3f}") == 1
    from_h = [i for i, edge in enumerate(graph.edges) if edge.producer == 1]
    paths = [p for i in from_h for p in find(tree, data_edge=str(i))[0] if p.get("class") == "gm-d"]
    heads = [
        p for i in from_h for p in find(tree, data_edge=str(i))[0] if p.get("class") == "gm-dh"
    ]
    assert [path.get("stroke-width") for path in paths].count("1") == 2
    assert len(heads) == 1  # the branches meet before the producer


def test_no_gradient_no_lane_and_no_number():
    b = Builder()
    x = b.add("input", "x", shape=(2,), gradient=False)
    b.add("op", "relu", x, shape=(2,), gradient=False, op="Relu")
    svg = draw_graph(b.graph())
    assert not re.search(r"gm-d\b|gm-dh|gm-gt", svg)
    assert "gradients" not in draw_key(b.graph())


@pytest.mark.parametrize(
    ("gradient", "said"),
    [([np.nan, 1], "NaN"), ([np.inf, 1], "inf"), ([0, 0], "0"), ([3e-7, 4e-7], "5.0e−7")],
)
def test_norms_that_a_student_must_not_miss(gradient, said):
    b = Builder()
    w = b.add("source", "w", shape=(2,), gradient=np.array(gradient, float))
    b.add("op", "relu", w, shape=(2,), op="Relu")
    assert said in [text.text for text in find(parse(draw_graph(b.graph())), **{"class": "gm-gt"})]


def test_cells_share_one_scale_and_not_a_number_has_a_shape_of_its_own():
    value, gradient = np.array([[4.0, -1.0], [0.0, np.nan]]), np.array([[1.0, np.inf], [0, 0]])
    b = Builder()
    w = b.add("source", "w", shape=(2, 2), value=value, gradient=gradient)
    b.add("op", "relu", w, shape=(2, 2), op="Relu")
    left, right = find(parse(draw_graph(b.graph())), **{"class": "gm-strip"})
    cells = {(p.get("class"), p.get("style")): p.get("d") for p in left}
    assert cells == {
        ("p", "--t:100"): "M0 3h6",
        ("n", "--t:48"): "M7 3h6",  # the root of a quarter, in steps of 4
        ("z", None): "M0 10h6",
        ("x", None): "M8 8l4 4m0-4l-4 4",
    }
    assert ("p", "--t:48") in {(p.get("class"), p.get("style")) for p in right}


def test_a_handle_has_no_entries_to_show():
    b = Builder()
    v = b.add("input", "v", value=object(), dtype="resource", gradient=False)
    b.add("op", "read", v, shape=(2,), gradient=False, op="ReadVariableOp")
    tree = parse(draw_graph(b.graph()))
    assert texts(node_of(tree, b.graph(), "v")) == ["v", "input, scalar resource"]
    assert not tree.findall("text")


@pytest.mark.parametrize(
    ("shape", "cells"),
    [((24,), 24), ((25,), 0), ((4, 6), 24), ((2, 2, 2), 0), ((8, 1), 8), ((9, 1), 0), ((0,), 0)],
)
def test_which_arrays_are_drawn_as_cells(shape, cells):
    b = Builder()
    x = b.add("input", "x", shape=shape, value=np.ones(shape), gradient=False)
    b.add("op", "relu", x, shape=shape, value=np.ones(100), gradient=False, op="Relu")
    drawn = find(parse(draw_graph(b.graph())), **{"class": "gm-strip"})
    assert sum(path.get("d").count("M") for strip in drawn for path in strip) == cells


def test_scalars_are_written_out():
    b = Builder()
    x = b.add("input", "x", value=np.array(0.25), gradient=False)
    n = b.add("input", "n", value=np.array(-3), gradient=False)
    b.add("op", "x * n", x, n, gradient=False, op="Mul")
    tree = parse(draw_graph(b.graph()))
    assert {text.text for text in find(tree, **{"class": "gm-q"})} == {"0.2500", "-3"}


def test_hostile_names_are_text():
    graph = make_hostile()
    svg = draw_graph(graph, title="<b>&\x1b")
    tree = parse(svg)  # well-formed, control characters and all
    allowed = {"svg", "g", "path", "rect", "text", "title"}
    assert {element.tag for element in tree.iter()} <= allowed
    assert not [a for e in tree.iter() for a in e.attrib if a.startswith("on")]
    assert HOSTILE[0] in written(svg)
    assert not any(unicodedata.bidirectional(c) == "RLO" for c in svg)
    long = node_of(tree, graph, HOSTILE[-1])
    assert "".join(long.find("title").itertext()) == HOSTILE[-1]
    assert len(texts(long)[0]) == 34
    key = parse(draw_key(graph))
    assert key.get("class") == "gm-key"


def test_wide_characters_fit_their_box():
    b = Builder()
    for label in (
        "重み行列の勾配パラメータ",
        "\N{FULLWIDTH LATIN SMALL LETTER F}" * 4,
        "한국어 이름",
        "plain_name",
        "数" * 40,
    ):
        b.add("source", label, shape=(2,))
    graph = b.graph()
    for group in find(parse(draw_graph(graph)), **{"class": "gm-source"}):
        label = texts(group)[0]
        # a fullwidth character is one em wide, 13 px
        width = sum(13 if unicodedata.east_asian_width(c) in "WF" else 7.83 for c in label)
        assert float(group.find("rect").get("width")) >= width + 16


def test_shortened_text_keeps_its_ends_and_its_width():
    assert shorten_text("a" * 34) == "a" * 34
    short = shorten_text("begin" + "x" * 50 + "end")
    assert short.startswith("begin")
    assert short.endswith("end")
    assert len(short) == 34
    assert measure_code(shorten_text("数" * 40)) <= measure_code("a" * 34)


def test_the_description_names_what_there_is():
    label = parse(draw_graph(make_softmax(), title="Graph of loss")).get("aria-label")
    assert label == (
        "Graph of loss: Computation graph of 5 ops. Sources: w, b. Inputs: x, y. "
        "Target: loss = 0.8653."
    )
    tree = parse(draw_graph(make_deep(100)))
    assert tree.get("role") == "img"
    assert tree.get("aria-label").count("w") < 12


def test_marks_stand_at_their_nodes():
    tree = parse(draw_graph(make_softmax(), marks={3: "5"}))
    assert texts(find(tree, data_node="3")[0])[-1] == "5"


ARGMAX = Diagnosis("not-differentiable", "x", 2, "ArgMax", "argmax has no gradient.", "", 1)


def test_a_path_that_breaks_off_is_drawn_broken():
    graph = make_broken()
    tree = parse(draw_graph(graph))
    for number, edge in enumerate(graph.edges):
        classes = [path.get("class") for path in find(tree, data_edge=str(number))[0]]
        assert classes.count("gm-vh") == 1
        # the lane is in two pieces, with two strokes between: told without colour
        assert classes.count("gm-v") == (2 if edge.cut else 1)
        assert classes.count("gm-cut") == edge.cut
        assert ("gm-d" in classes) == edge.gradient
    for stroke in find(tree, **{"class": "gm-cut"}):
        assert stroke.get("d").count("M") == 2


def test_the_break_lies_between_the_pieces_of_its_lane():
    graph = make_broken()
    number = next(i for i, edge in enumerate(graph.edges) if edge.cut)
    parts = find(parse(draw_graph(graph)), data_edge=str(number))[0]
    upper, lower = [path.get("d") for path in parts if path.get("class") == "gm-v"]
    end, start = (
        float(re.findall(r"V([\d.]+)$", upper)[0]),
        float(re.findall(r"[\d.]+", lower)[1]),
    )
    assert start - end == pytest.approx(lanes.BREAK)
    (strokes,) = [path.get("d") for path in parts if path.get("class") == "gm-cut"]
    heights = [float(y) for _x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", strokes)]
    assert sum(heights) / 4 == pytest.approx((start + end) / 2, abs=0.1)


def test_an_edge_that_carries_a_gradient_is_not_broken():
    graph = make_softmax()
    marked = replace(graph, edges=tuple(replace(edge, cut=True) for edge in graph.edges))
    svg = draw_graph(marked)
    drawn = parse(svg)
    for number, edge in enumerate(graph.edges):
        classes = [path.get("class") for path in find(drawn, data_edge=str(number))[0]]
        assert ("gm-cut" in classes) != edge.gradient


def test_what_is_known_of_an_op_stands_at_it():
    wrong = Diagnosis("nan-gradient", "<b>", 3, "AddN", "NaN.", "", 3)
    graph = make_broken()
    tree = parse(draw_graph(graph, diagnoses=(wrong, ARGMAX, replace(ARGMAX, position=None))))
    marked = {
        group.get("data-node"): [sign.get("class") for sign in group.iter("g")][1:]
        for group in find(tree)
        if group.get("data-node")
    }
    assert {node: signs for node, signs in marked.items() if signs} == {
        "2": ["gm-flag gm-missing"],
        "4": ["gm-flag gm-wrong"],
    }
    assert node_of(tree, graph, "argmax(h)").find("title").text == (
        "x: no gradient: not differentiable"
    )
    assert node_of(tree, graph, "sum").find("title").text == "<b>: NaN comes from here"


def test_a_group_is_marked_by_its_line():
    graph = make_branches()
    known = Diagnosis("dead-relu", "x", 3, "Relu", "All are 0.", "", 77)
    tree = parse(draw_graph(graph, diagnoses=(known,)))
    assert find(node_of(tree, graph, "normalise"), **{"class": "gm-flag gm-weak"})


def make_level():
    """The inside of a group: a port, groups of several kinds, a traced op, a port."""
    b = Builder()
    x = b.add("port", "x", shape=(2, 3), detail="from dense")
    h = b.add("group", "hidden", x, shape=(2, 3), count=3, detail="Dense", line=2)
    c = b.add("group", "clip", h, shape=(2, 3), count=2, name="c")
    unknown = (Output((2, 3), "float32", gradient=np.ones((2, 3))),)
    t = b.add("op", "softmax(c)", c, op="Softmax", traced=True, outputs=unknown)
    g = b.add("group", "inner.gradient(e, c)", t, shape=(2, 3), count=5)
    b.add("port", "out", g, shape=(2, 3))
    kinds = ("layer", "hidden"), ("custom_gradient", "clip"), ("gradient", "inner.gradient(e, c)")
    groups = [Group(place, None, *kind) for place, kind in enumerate(kinds)]
    return b.graph(), dict(zip((h[0], c[0], g[0]), groups, strict=True))


def test_groups_that_open_say_what_they_are():
    graph, groups = make_level()
    tree = parse(draw_plan(plan_graph(graph, groups), live=True))
    hidden, clip = node_of(tree, graph, "hidden"), node_of(tree, graph, "clip")
    assert (hidden.get("data-group"), clip.get("data-group")) == ("0", "1")
    assert texts(hidden) == ["hidden", "Dense, 3 ops, [2, 3], line 2"]
    assert texts(clip) == ["clip", "custom gradient, 2 ops, [2, 3]"]
    assert [sign.get("data-act") for sign in find(hidden, **{"class": "gm-sign"})] == ["open"]
    back = node_of(tree, graph, "inner.gradient(e, c)")
    assert back.get("class") == "gm-op gm-group gm-tape"
    assert texts(back)[1] == "backward pass, 5 ops, [2, 3]"
    softmax = node_of(tree, graph, "softmax(c)")
    assert softmax.get("class") == "gm-op gm-traced"
    assert texts(softmax)[1] == "Softmax, [2, 3], traced"


def test_a_port_is_a_small_pill_with_its_name_only():
    graph, groups = make_level()
    tree = parse(draw_plan(plan_graph(graph, groups), live=True))
    port = node_of(tree, graph, "x")
    assert texts(port) == ["x"]
    assert float(port.find("rect").get("height")) < 24
    assert port.find("title").text == "from dense"
    words = "".join(parse(draw_key(graph)).itertext())
    assert "enters or leaves here" in words
    assert "several ops" in words
    assert "traced: values not known" in words


def test_a_script_finds_where_everything_lies():
    graph, groups = make_level()
    plan = plan_graph(graph, groups)
    tree = parse(draw_plan(plan, live=True))
    for node in graph.nodes:
        (group,) = find(tree, data_node=str(node.id))
        x, y, width, height = map(float, group.get("data-at").split())
        assert (x, y) == plan.layout.places[node.id]
        box = group.find("rect")
        assert float(box.get("x")) >= x - width / 2
        assert float(box.get("x")) + float(box.get("width")) <= x + width / 2
        assert y - height / 2 <= float(box.get("y")) <= y
    for number, edge in enumerate(graph.edges):
        (line,) = find(tree, data_edge=str(number))
        ends = line.get("data-from"), line.get("data-to")
        assert ends == (str(edge.producer), str(edge.consumer))
        places = {float(x) for x in line.get("data-xs").split()}
        assert places == {x for x, _y in plan.layout.routes[number]}
    labels = find(tree, **{"class": "gm-label"})
    assert {int(label.get("data-flow")) for label in labels} == set(plan.layout.labels)
    assert {line.get("data-flow") for line in tree.iter("g") if line.get("data-edge")} == {
        label.get("data-flow") for label in labels
    }


def test_what_a_script_needs_is_left_out_of_a_picture_without_one():
    graph, groups = make_level()
    plan = plan_graph(graph, groups)
    still = draw_plan(plan)
    assert not re.search(r"data-(at|xs|from|to|flow|group|act)|gm-sign", still)
    assert written(still) == written(draw_plan(plan, live=True))
    assert len(draw_plan(plan_graph(make_deep(100)), live=True)) < 1.2 * len(
        draw_graph(make_deep(100))
    )


@pytest.mark.parametrize("size", [SMALL, SMALL + 1, 1 << 21])
def test_of_a_large_gradient_the_norm_is_that_of_its_summary(size):
    array = np.random.default_rng(size).normal(size=size).astype(np.float32)
    assert summarize_briefly(array).norm == pytest.approx(summarize(array).norm, rel=1e-12)
    array[7] = np.nan
    assert summarize_briefly(array).nans == 1
    array[7] = np.finfo(np.float32).max
    assert summarize_briefly(array).norm == pytest.approx(summarize(array).norm)
    huge = np.full(size, 1e200)
    assert summarize_briefly(huge).norm == pytest.approx(1e200 * np.sqrt(size))


def test_the_key_and_the_words_tell_of_a_break_only_where_there_is_one():
    words = "".join(parse(draw_key(make_broken(), (ARGMAX,))).itertext())
    assert words.endswith("the path to a source breaks off: no gradientexplained at the top")
    words = "".join(parse(draw_key(make_softmax(), (ARGMAX,))).itertext())
    assert "breaks off" not in words
    assert "explained" not in words
    label = parse(draw_graph(make_broken())).get("aria-label")
    assert label.endswith(
        "No gradient comes back from argmax(h) to tanh(x). No gradient comes back from a to tanh(x)."
    )


def test_the_listing_says_where_a_path_breaks_off():
    lines = describe_graph(make_broken(), (ARGMAX,)).splitlines()
    assert "  input   a [8, 3]; breaks off here, after h" in lines
    assert "  line 2  ArgMax(h) -> [8]; breaks off here: not differentiable" in lines
    assert not any("breaks off" in line for line in describe_graph(make_softmax()).splitlines())
    wrong = Diagnosis("nan-gradient", "x", 3, "AddN", "NaN.", "", 3)
    said = describe_graph(make_broken(), (wrong,))
    assert re.search(r"AddN\(argmax\(h\), softmax\(h\)\) .*; NaN comes from here\n", said)
    assert "ArgMax(h) -> [8]; breaks off here\n" in said


def test_the_key_names_only_what_occurs():
    words = "".join(parse(draw_key(make_softmax())).itertext())
    assert words == (
        "inputsourceoptargetvalues flow downgradients flow up; label and line width give the norm"
    )
    assert "several ops" in "".join(parse(draw_key(make_branches())).itertext())


@pytest.mark.parametrize("shape", [(2, 3), (4, 6), (), (64, 64)])
def test_a_hundred_nodes_stay_small(shape):
    graph = make_deep(100, shape)
    assert len(graph.nodes) >= 100
    assert len(draw_graph(graph).encode()) < 120_000


def test_an_empty_graph_is_an_empty_picture():
    tree = parse(draw_graph(Graph((), (), 0)))
    assert tree.get("width") == tree.get("height") == "0"


def test_the_listing_reads_like_the_program():
    lines = describe_graph(make_softmax()).splitlines()
    assert lines[1] == "  input   x [2, 4]"
    assert re.fullmatch(r"  source  w \[4, 3\], gradient norm [\d.]+", lines[2])
    assert re.fullmatch(
        r"  line 2  AddV2\(x @ w, b\) -> logits \[2, 3\], gradient norm [\d.]+", lines[6]
    )
    assert lines[7] == "  line 3  OneHot(y) -> [2, 3]"
    assert lines[-1] == "  target  loss = 0.8653"


def test_the_listing_stops_after_sixty_ops():
    b = Builder()
    h = b.add("source", "x")
    for line in range(75):
        h = b.add("op", "relu", h, op="Relu", line=line)
    lines = describe_graph(b.graph()).splitlines()
    assert lines[-1].strip() == "... and 15 more ops"
    assert len(lines) == 1 + 1 + 60 + 1


def test_the_listing_has_no_control_characters():
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", describe_graph(make_hostile()))


def test_a_label_asks_for_the_room_that_it_takes():
    b = Builder()
    w = b.add("source", "w", shape=(2, 3), gradient=np.zeros((2, 3)))
    b.add("op", "relu", w, shape=(2, 3), op="Relu")
    (flow,) = flows.collect_flows(b.graph())
    left, right, height = flows.measure_label(flow)
    # from the route: the lane, a gap, 3 cells with 1 px between; at the right the norm too
    assert left == 7 + 8 + 20
    assert right == 7 + 8 + 20 + 8 + measure_small("0")
    assert height == 13


def test_the_css_knows_the_usual_lane():
    assert f".gm .gm-lanes {{ stroke-width: {flows.USUAL}; }}" in CSS.read_text()


def test_tints_are_rounded_but_never_away():
    drawn = strips.draw_strip(np.array([[1e-9, -1e-9, 1.0]]), 0, 0, 1.0)
    assert re.findall(r'class="(\w)" style="--t:(\d+)"', drawn) == [
        ("p", "4"),
        ("n", "4"),
        ("p", "100"),
    ]


@pytest.mark.browser
@pytest.mark.parametrize("make", ALL)
def test_in_a_browser_no_text_leaves_its_box_or_covers_another(chromium, make):
    css = CSS.read_text()
    look = (
        "--gm-text: Helvetica, Arial, sans-serif; --gm-code: 'DejaVu Sans Mono', monospace;"
        "--gm-ink1: #222; --gm-ink2: #666; --gm-grad: #a3185c; --gm-zero: #eee; --gm-pos: #7fbf7b"
    )
    script = """() => {
        const box = e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.right, r.bottom]; };
        const nodes = [...document.querySelectorAll("[data-node]")];
        return {
            nodes: nodes.map(g => box(g.querySelector("rect"))),
            inside: nodes.map(g => [...g.querySelectorAll("text")].map(box)),
            beside: [...document.querySelectorAll("svg > text, .gm-strip")].map(box),
            scripts: document.querySelectorAll("script, img").length,
        };
    }"""
    page = chromium.new_page(viewport={"width": 320, "height": 400})
    page.set_content(
        f'<meta charset="utf-8"><style>{css}</style><div class="gm" style="{look}">'
        f'<div class="gm-flow" tabindex="0">{draw_graph(make())}</div></div>'
    )
    seen = page.evaluate(script)
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    page.close()
    assert wide <= 0  # a wide graph scrolls in its own frame
    assert seen["scripts"] == 0
    for (left, top, right, bottom), lines in zip(seen["nodes"], seen["inside"], strict=True):
        for x, y, end, low in lines:
            assert left + 4 <= x
            assert end <= right - 4
            assert top <= y + 1
            assert low <= bottom + 1
    slack = 1.5  # px of a text's line box that hold no ink
    apart = [
        (one, other)
        for one, other in combinations([*seen["beside"], *seen["nodes"]], 2)
        if one[0] + slack < other[2]
        and other[0] + slack < one[2]
        and one[1] + slack < other[3]
        and other[1] + slack < one[3]
    ]
    assert not apart
