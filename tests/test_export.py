"""A graph as a networkx graph and in files: what other programs read in them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import networkx as nx
import numpy as np
import pygraphviz
import pytest
from PIL import Image

import gradmagic
from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.grouping import group_nodes
from gradmagic.core.graph.levels import make_level
from gradmagic.core.records import Edge, Graph, Group, Node, Output
from gradmagic.core.summary import SMALL
from gradmagic.render.dot import write_dot
from gradmagic.render.export import SUFFIXES, render_graph_file, write_json
from gradmagic.render.graph import draw_graph
from gradmagic.render.html import load_style
from gradmagic.render.page import DARK
from gradmagic.render.plots import print_drawing

LESSON = """\
logits = x @ w + b
prob = tf.nn.softmax(logits)
loss = tf.reduce_mean(tf.losses.MSE(y, prob))
"""
BROKEN_LOOP = """\
h = b
for _ in range(20):
    h = tf.tanh(h) + b
k = tf.round(tf.reduce_sum(w)) * h
loss = k * tf.cast(tf.cast(k, tf.int32), tf.float32)
"""
HOSTILE = '''"];\\n &lt; <b>&amp; {|} \\N \\ $x$ \u202e "'''


@pytest.fixture(scope="module")
def lesson(tf):
    tf.random.set_seed(2)
    names = {
        "tf": tf,
        "x": tf.random.normal([2, 4]),
        "w": tf.random.normal([4, 3]),
        "b": tf.zeros([3]),
        "y": tf.one_hot([2, 0], 3),
    }
    run = gradmagic.gradtape(LESSON, "w", "b", names=names, persistent=True)
    return run.graph, names


@pytest.fixture(scope="module")
def chinese(tf):
    names = {
        "tf": tf,
        "输入": tf.ones([2, 4]),
        "权重": tf.ones([4, 3]),
        "标签": tf.one_hot([2, 0], 3),
    }
    body = "得分 = 输入 @ 权重\n损失 = tf.reduce_mean((标签 - 得分) ** 2)"
    return gradmagic.gradtape(body, "权重", names=names, target="损失").graph


def read_xml(text):
    return ET.fromstring(text)  # noqa: S314  (made here)


def find(network, **wanted):
    return [
        number
        for number, known in network.nodes(data=True)
        if all(known[key] == value for key, value in wanted.items())
    ]


def make_graph(*labels):
    """A chain of ops with these labels."""
    nodes = tuple(
        Node(i, "op", "Neg", label, 1, (Output((), "float32", np.float32(i), name=None),))
        for i, label in enumerate(labels)
    )
    return Graph(nodes, tuple(Edge(i, i + 1) for i in range(len(labels) - 1)), len(labels))


def test_networkx_has_every_op_with_its_values_and_gradients(lesson, tf):
    graph, names = lesson
    network = graph.to_networkx()
    assert type(network) is nx.MultiDiGraph
    assert nx.is_directed_acyclic_graph(network)
    assert list(network.nodes) == list(range(len(graph.nodes)))
    assert network.graph["ops"] == len([n for n in network if network.nodes[n]["kind"] == "op"])

    (product,) = find(network, op="MatMul")
    producers = {edge["slot"]: end for end, _, edge in network.in_edges(product, data=True)}
    assert [network.nodes[producers[slot]]["name"] for slot in (0, 1)] == ["x", "w"]

    for name in ("w", "b", "logits", "prob", "loss"):
        (known,) = (network.nodes[n] for n in find(network, name=name) if network.out_degree(n))
        np.testing.assert_array_equal(known["value"], names[name].numpy())
        expected = names["tape"].gradient(names["loss"], names[name])
        np.testing.assert_array_equal(known["gradient"], expected.numpy())
        assert known["shape"] == tuple(names[name].shape)
        assert known["dtype"] == "float32"
    lines = {network.nodes[n]["name"]: network.nodes[n]["line"] for n in network}
    assert (lines["logits"], lines["prob"], lines["w"]) == (1, 2, None)


def test_networkx_finds_what_the_target_depends_on(lesson):
    graph, _ = lesson
    network = graph.to_networkx()
    (target,) = find(network, kind="target")
    above = {network.nodes[n]["name"] for n in nx.ancestors(network, target)}
    assert {"x", "w", "b", "y", "logits", "prob"} <= above


@pytest.mark.parametrize("cell", ["loss = tf.reduce_sum(w * w)", "loss = tf.gather(w, [0, 1, 1])"])
def test_values_of_half_precision_are_kept(tf, tmp_path, cell):
    w = tf.constant([0.5, -1.0], tf.bfloat16)
    graph = gradmagic.gradtape(cell, "w", names={"tf": tf, "w": w}).graph
    known = graph.to_networkx().nodes[0]
    assert known["value"].tolist() == [0.5, -1.0]
    assert known["gradient"].tolist() == ([1.0, -2.0] if "*" in cell else [1.0, 2.0])
    gradmagic.save(graph, tmp_path / "graph.json")
    saved = json.loads((tmp_path / "graph.json").read_text("utf-8"))
    assert saved["nodes"][0]["outputs"][0]["value"] == [0.5, -1.0]


def test_an_op_that_takes_a_tensor_twice_has_two_edges(tf):
    run = gradmagic.gradtape("loss = w * w", "w", names={"w": tf.constant(3.0)})
    network = run.graph.to_networkx()
    (product,), (source,) = find(network, op="Mul"), find(network, kind="source")
    assert sorted(edge["slot"] for edge in network[source][product].values()) == [0, 1]
    assert network.nodes[source]["gradient"] == 6


def test_all_outputs_of_an_op_are_there(tf):
    body = "first, second = tf.split(w, 2)\nloss = tf.reduce_sum(first * 2 + second)"
    network = gradmagic.gradtape(
        body, "w", names={"tf": tf, "w": tf.range(4.0)}
    ).graph.to_networkx()
    (split,) = find(network, op="Split")
    outputs = network.nodes[split]["outputs"]
    assert [output["name"] for output in outputs] == ["first", "second"]
    assert [output["value"].tolist() for output in outputs] == [[0, 1], [2, 3]]
    assert [output["gradient"].tolist() for output in outputs] == [[2, 2], [1, 1]]


@pytest.mark.parametrize(("size", "is_kept"), [(SMALL, True), (SMALL + 1, False)])
def test_arrays_are_kept_where_they_are_small(tf, size, is_kept):
    run = gradmagic.gradtape(
        "loss = tf.reduce_sum(w * 2)", "w", names={"tf": tf, "w": tf.ones([size])}
    )
    (known,) = [n for _, n in run.graph.to_networkx().nodes(data=True) if n["name"] == "w"]
    assert known["shape"] == (size,)
    assert (known["value"] is not None) == is_kept
    assert (known["gradient"] is not None) == is_kept


def test_rows_that_were_looked_up_have_a_gradient_of_the_whole_table(tf):
    table = tf.Variable(tf.ones([5, 2]))
    body = "loss = tf.reduce_sum(tf.gather(table, [1, 1, 3]))"
    run = gradmagic.gradtape(body, "table", names={"tf": tf, "table": table})
    assert isinstance(run.gradients[0].result, tf.IndexedSlices)
    (source,) = find(network := run.graph.to_networkx(), kind="source")
    expected = tf.convert_to_tensor(run.gradients[0].result).numpy()
    np.testing.assert_array_equal(network.nodes[source]["gradient"], expected)


def test_what_has_no_array_is_none(tf):
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0]])
    output = Output((2, None), "float32", ragged)
    graph = Graph((Node(0, "input", None, "", None, (output,)),), (), 0)
    assert graph.to_networkx().nodes[0]["value"] is None
    run = gradmagic.gradtape("loss = v * 1", "v", names={"v": tf.Variable(2.0)})
    values = [known["value"] for _, known in run.graph.to_networkx().nodes(data=True)]
    assert all(value is None or isinstance(value, np.ndarray) for value in values)
    assert 2 in values


def test_arrays_belong_to_who_asked(tf):
    w = tf.constant([1.0, 2.0])
    run = gradmagic.gradtape("loss = tf.reduce_sum(w)", "w", names={"tf": tf, "w": w})
    (source,) = find(network := run.graph.to_networkx(), kind="source")
    network.nodes[source]["value"][:] = 9
    assert w.numpy().tolist() == [1, 2]


def test_json_says_all_that_the_graph_does(lesson):
    graph, names = lesson
    read = json.loads(write_json(graph))
    assert (read["format"], read["version"]) == ("gradmagic graph", 1)
    assert (read["ops"], len(read["nodes"])) == (graph.ops, len(graph.nodes))
    assert [Edge(**edge) for edge in read["edges"]] == list(graph.edges)
    for node, known in zip(graph.nodes, read["nodes"], strict=True):
        assert [known[key] for key in ("id", "kind", "op", "line", "fold")] == [
            node.id, node.kind, node.op, node.line, node.fold,
        ]  # fmt: skip
        assert [tuple(output["shape"]) for output in known["outputs"]] == [
            output.shape for output in node.outputs
        ]
    (weights,) = [
        node for node in read["nodes"] if node["kind"] == "source" and node["name"] == "w"
    ]
    kept = np.array(weights["outputs"][0]["value"], np.float32)
    np.testing.assert_array_equal(kept, names["w"].numpy())  # to the last bit
    (product,) = [node for node in read["nodes"] if node["op"] == "MatMul"]
    assert product["attributes"]["transpose_a"] is False


def test_json_holds_what_json_has_no_numbers_for():
    output = Output((4,), "float32", np.array([np.nan, np.inf, -np.inf, 1.5], np.float32))
    complex_output = Output((), "complex64", np.complex64(1 + 2j))
    text = Output((), "string", np.array(b"\xff\x00", object))
    group = Group(0, None, "repeat", "x 2", iterations=((0,), (0,)))
    node = Node(
        0, "op", "X", "\ud800", 1, (output, complex_output, text),
        attributes=("T", np.dtype("float32"), "n", (1, None)), group=0,
    )  # fmt: skip
    written = render_graph_file(Graph((node,), (), 1, groups=(group,)), ".json").decode()
    read = json.loads(written, parse_constant=pytest.fail)
    outputs = read["nodes"][0]["outputs"]
    assert outputs[0]["value"] == ["nan", "inf", "-inf", 1.5]
    assert complex(outputs[1]["value"]) == 1 + 2j
    assert outputs[2]["value"] == "\ufffd\x00"
    assert read["nodes"][0]["attributes"] == {"T": "float32", "n": [1, None]}
    assert read["groups"][0]["iterations"] == [[0], [0]]


def test_json_of_one_graph_is_always_the_same(lesson):
    graph, _ = lesson
    assert write_json(graph) == write_json(graph)


def test_graphviz_reads_the_same_graph(lesson):
    graph, _ = lesson
    read = pygraphviz.AGraph(string=render_graph_file(graph, ".dot").decode())
    assert read.directed
    ops = {read.get_node(n).attr["op"] for n in read.nodes()}
    assert {"MatMul", "AddV2", "Softmax"} <= ops
    (product,) = [n for n in read.nodes() if read.get_node(n).attr["op"] == "MatMul"]
    slots = {read.get_edge(*edge).attr["slot"]: edge[0] for edge in read.in_edges(product)}
    assert [read.get_node(slots[slot]).attr["name"] for slot in "01"] == ["x", "w"]
    read.draw(format="svg", prog="dot")


@pytest.mark.parametrize("label", [HOSTILE, "\\", 'a"b', "<i>", "&amp;", "损失", "a\nb", "\\N\\G"])
def test_labels_reach_graphviz_as_they_are(label):
    written = write_dot(make_graph(label, "end"))
    drawn = pygraphviz.AGraph(string=written).draw(format="svg", prog="dot")
    shown = read_xml(drawn).findall(".//{*}g[@class='node']/{*}text")[0].text
    expected = label.replace("\u202e", "\ufffd").replace("\n", " ")
    assert shown.replace("\xa0", " ").split() == expected.split()


def test_groups_are_clusters_in_each_other():
    graph = make_graph("a", "b", "c")
    groups = (Group(0, None, "layer", "model"), Group(1, 0, "layer", "dense", "Dense"))
    nodes = tuple(
        replace(node, group=group) for node, group in zip(graph.nodes, (0, 1, None), strict=True)
    )
    read = pygraphviz.AGraph(string=write_dot(replace(graph, nodes=nodes, groups=groups)))
    (outer,) = read.subgraphs()
    (inner,) = outer.subgraphs()
    assert (outer.graph_attr["label"], inner.graph_attr["label"]) == ("model", "dense Dense")
    assert (sorted(outer.nodes()), inner.nodes()) == (["n0", "n1"], ["n1"])


def read_svg(graph):
    return read_xml(render_graph_file(graph, ".svg"))


def find_shapes(root, *kinds):
    return [shape for shape in root.iter() if shape.tag.rpartition("}")[2] in kinds]


def test_the_svg_stands_alone(lesson):
    graph, _ = lesson
    written = render_graph_file(graph, ".svg").decode()
    root = read_xml(written)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"var\(|color-mix|calc\(|currentColor|<script|href", written)
    assert set(re.findall(r"https?://[^\s\"]+", written)) == {"http://www.w3.org/2000/svg"}
    texts = find_shapes(root, "text")
    assert {"x @ w", "logits", "softmax(logits)"} <= {text.text for text in texts}
    assert all("fill" in shape.attrib for shape in find_shapes(root, "rect", "path", "text"))
    assert all({"font-size", "font-family"} <= set(text.attrib) for text in texts)


def test_the_svg_has_all_colours_in_the_dark(lesson):
    root = read_svg(lesson[0])
    rules = dict(re.findall(r"\.(d\d+)\{([^}]*)\}", root.find("{*}style").text))
    dark = dict(re.findall(r"(--gm-\w+): (#\w+)", DARK))
    for shape in find_shapes(root, "rect", "path", "text"):
        own = [rules[name] for name in shape.get("class", "").split()]
        for part in ("fill", "stroke"):
            light = shape.get(part, "none")
            assert light == "none" or any(rule.startswith(f"{part}:") for rule in own)
    ground = root.find("{*}rect")
    assert rules[ground.get("class")] == f"fill:{dark['--gm-paper']}"
    assert f"stroke:{dark['--gm-grad']}" in rules.values()


@pytest.fixture(scope="module")
def broken_loop(tf):
    """A group, and a way that breaks off."""
    names = {"tf": tf, "w": tf.constant([1.0, 2.0]), "b": tf.constant(0.5)}
    return gradmagic.gradtape(BROKEN_LOOP, "w", "b", names=names).graph


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", ["lesson", "broken_loop"])
def test_the_svg_looks_as_the_report_does(case, request, chromium, tmp_path, scheme):
    """Chromium works the report's style sheet out by itself: each shape's style must be the same."""
    given = request.getfixturevalue(case)
    graph = given if case == "broken_loop" else given[0]
    colours = f".gm {{ {DARK} }}" if scheme == "dark" else ""
    drawing = draw_graph(make_level(trim(group_nodes(graph))))
    page = f"<style>{load_style()}{colours}</style><div class='gm'>{drawing}</div>"
    (tmp_path / "report.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{page}", "utf-8")
    gradmagic.save(graph, tmp_path / "graph.svg")
    look = """() => [...document.querySelectorAll("text, rect, path")].map(shape => {
      const style = getComputedStyle(shape);
      const round = (text) => text.replace(/color\\(srgb ([^)]+)\\)/, (_, numbers) =>
        `rgb(${numbers.split(" ").map(one => Math.round(one * 255)).join(", ")})`);
      return ["fill", "stroke", "strokeWidth", "strokeDasharray", "fontFamily", "fontSize", "fontWeight",
        "textAnchor"].filter(key => shape.tagName === "text" || !/font|text/.test(key))
        .map(key => round(style[key])).join(" ");
    })"""
    looks = []
    for name in ("report.html", "graph.svg"):
        tab = chromium.new_page(color_scheme=scheme)
        tab.goto((tmp_path / name).as_uri())
        looks.append(tab.evaluate(look))
        tab.close()
    report, alone = looks
    assert len(report) > 30
    assert [one.replace(", ", ",") for one in alone[1:]] == [  # without its paper
        one.replace(", ", ",") for one in report
    ]


def test_the_png_has_the_size_and_the_colours_of_the_drawing(lesson):
    root = read_svg(lesson[0])
    with Image.open(io.BytesIO(render_graph_file(lesson[0], ".png"))) as image:
        width, height = image.size
        pixels = image.convert("RGB")
    assert (width, height) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    assert pixels.getpixel((4, 4)) == (255, 255, 255)
    sources = [box for box in find_shapes(root, "rect") if box.get("stroke") == "#a3185c"]
    assert len(sources) == 2
    for box in sources:
        x, y = (2 * (float(box.get(side)) + 24) for side in ("x", "y"))
        assert pixels.getpixel((round(x), round(y + 20))) == (163, 24, 92)


def test_a_large_png_becomes_coarser():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="50000"><rect width="100%" height="100%" fill="#fff"/></svg>'
    with Image.open(io.BytesIO(print_drawing(svg, ".png"))) as image:
        assert image.size == (pytest.approx(320, abs=1), pytest.approx(32000, abs=1))


def test_the_pdf_holds_real_text(lesson):
    written = render_graph_file(lesson[0], ".pdf")
    assert written.startswith(b"%PDF")
    assert b"/Type /Font" in written
    assert written == render_graph_file(lesson[0], ".pdf")  # no date, no random names


def test_chinese_is_drawn_where_a_font_has_it(chinese, recwarn):
    installed = {font.name for font in mpl.font_manager.fontManager.ttflist}
    if not any("CJK" in name for name in installed):
        pytest.skip("no Chinese font on this machine")
    render_graph_file(chinese, ".png")
    assert not [one for one in recwarn if "missing" in str(one.message)]


def test_hostile_text_harms_no_picture():
    graph = make_graph(HOSTILE, "$\\frac{$", "a\x00b", "\ud800", "x" * 500)
    for suffix in SUFFIXES:
        assert render_graph_file(graph, suffix)
    assert "$\\frac{$" in {text.text for text in find_shapes(read_svg(graph), "text")}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save_writes_each_form(lesson, tmp_path, suffix):
    path = tmp_path / f"graph{suffix.upper()}"
    gradmagic.save(lesson[0], path)
    assert path.read_bytes() == render_graph_file(lesson[0], suffix)


def test_save_says_what_it_can_write(lesson, tmp_path):
    with pytest.raises(
        ValueError, match=r"^A graph can be saved as \.svg or .*, not as 'x\.gif'\.$"
    ):
        gradmagic.save(lesson[0], tmp_path / "x.gif")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        gradmagic.save(lesson[0], tmp_path / "none" / "x.svg")
    assert list(tmp_path.iterdir()) == []


def test_networkx_is_loaded_when_it_is_asked_for():
    code = "import sys, gradmagic.core.records, gradmagic.core.graph.networks; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
