"""The explorer's document: its numbers are TensorFlow's, its texts escaped, its size bounded."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import make_run

import gradmagic
from gradmagic.core.graph.folding import describe_folding
from gradmagic.core.records import Edge, Graph, Group, Node, Output, Scope
from gradmagic.render.explorer.colours import format_seconds, measure_colours
from gradmagic.render.explorer.details import list_kinds
from gradmagic.render.explorer.document import write_document, write_json
from gradmagic.render.explorer.known import find_known
from gradmagic.render.explorer.reading import read_run
from gradmagic.render.explorer.words import list_words
from gradmagic.widgets import holding
from gradmagic.widgets.exploring import Guide

CROSSENTROPY = (
    "logits = x @ w + b\n"
    "loss = tf.reduce_mean(tf.losses.categorical_crossentropy("
    "tf.one_hot(y, depth=3), logits, from_logits=True))"
)
JOINED = "h = tf.tanh(x * w)\nloss = tf.reduce_sum(h * h) + tf.reduce_sum(tf.exp(h))"
TAG = re.compile(r"<[^>]+>")


def strip(html):
    """The text of some HTML, its blanks squeezed and minus signs plain."""
    return " ".join(TAG.sub(" ", html).split()).replace("\u2212", "-")


@pytest.fixture(scope="module")
def lesson(tf):
    """LESSON's crossentropy: the run and its names."""
    tf.random.set_seed(2)
    names = {
        "tf": tf,
        "x": tf.random.normal([2, 4]),
        "w": tf.random.normal([4, 3]),
        "b": tf.zeros([3]),
        "y": tf.constant([2, 0]),
    }
    return gradmagic.gradtape(CROSSENTROPY, "w", "b", names=names), names


@pytest.fixture(scope="module")
def joined(tf):
    names = {"tf": tf, "x": tf.constant([1.0, 2.0]), "w": tf.constant([0.5, -0.3])}
    return gradmagic.gradtape(JOINED, "w", names=names), names


@pytest.fixture(scope="module")
def document(lesson):
    return json.loads(write_json(write_document(read_run(lesson[0]))))


def find_node(document, label):
    return next(key for key, node in document["nodes"].items() if node["label"] == label)


def list_cells(html):
    """The numbers in the cells of tables, one list a table."""
    tables = re.findall(r"<table.*?</table>", html)
    return [
        [float(cell.replace("\u2212", "-")) for cell in re.findall(r"<td class=[^>]*>([^<]+)", one)]
        for one in tables
    ]


def make_chain(*gradients, values=None, **fields):
    """A run whose graph is a chain of ops with these gradients, from a source to the target."""
    values = values or gradients
    nodes = [
        Node(
            i,
            "source" if i == 0 else "op" if i < len(gradients) - 1 else "target",
            None if i in (0, len(gradients) - 1) else "Tanh",
            f"n{i}",
            None,
            (Output(np.shape(value), "float32", np.asarray(value, np.float32),
                    np.asarray(gradient, np.float32)),),
            source="n0" if i == 0 else None,
            **fields,
        )
        for i, (gradient, value) in enumerate(zip(gradients, values, strict=True))
    ]  # fmt: skip
    edges = [Edge(i, i + 1, gradient=True) for i in range(len(gradients) - 1)]
    return make_run(graph=Graph(tuple(nodes), tuple(edges), len(nodes) - 2))


def colour(run):
    reading = read_run(run)
    return measure_colours(reading, find_known(reading))


def test_a_small_cell_is_a_small_document(document):
    assert len(write_json(document).encode()) < 100_000
    nodes = set(document["nodes"])
    assert set(document["details"]) == nodes
    assert {str(n) for edge in document["edges"] for n in edge[:2]} <= nodes
    assert str(document["target"]) in nodes
    assert document["sources"].keys() == {"w", "b"}
    assert [number for number, _text in document["code"] if number] == [1, 2]
    assert document["levels"][""]["svg"].startswith("<svg")
    assert all(document["words"].values())


def test_values_and_gradients_are_tensorflows(document, lesson, tf):
    _run, names = lesson
    with tf.GradientTape() as tape:
        logits = names["x"] @ names["w"] + names["b"]
        tape.watch(logits)
        loss = tf.reduce_mean(
            tf.losses.categorical_crossentropy(tf.one_hot(names["y"], 3), logits, from_logits=True)
        )
    gradient = tape.gradient(loss, logits)
    shown = document["details"][find_node(document, "x @ w + b")]
    cells = list_cells(shown)
    np.testing.assert_allclose(cells[0], logits.numpy().ravel(), atol=6e-4)
    np.testing.assert_allclose(cells[1], gradient.numpy().ravel(), atol=6e-4)
    # it passes the same on to x @ w, and the sum over the samples to b
    np.testing.assert_allclose(cells[2], gradient.numpy().ravel(), atol=6e-4)
    np.testing.assert_allclose(cells[3], gradient.numpy().sum(0), atol=6e-4)
    assert "AddV2" in strip(shown)
    assert "logits" in strip(shown)
    assert 'data-line="1"' in shown


def test_steps_go_forward_and_then_back(document, lesson):
    steps, nodes = document["steps"], document["nodes"]
    assert [nodes[str(n)]["label"] for n in steps["forward"]] == [
        "x @ w",
        "x @ w + b",
        "one_hot(y)",
        "H(one_hot(y), softmax(logits))",
        "mean(…)",
        nodes[str(document["target"])]["label"],
    ]
    back = [nodes[str(n)]["label"] for n in steps["backward"]]
    assert back[1:] == ["mean(…)", "H(one_hot(y), softmax(logits))", "x @ w + b", "x @ w", "b", "w"]
    said = {n: steps["said"][str(n)] for n in steps["forward"] + steps["backward"]}
    for place, number in enumerate(steps["forward"], 1):
        assert strip(said[number]["forward"]).startswith(f"step {place} ")
    for place, number in enumerate(steps["backward"], 1 + len(steps["forward"])):
        assert strip(said[number]["backward"]).startswith(f"step {place} ")
    add = said[int(find_node(document, "x @ w + b"))]
    assert "logits = x @ w + b" in strip(add["forward"])
    assert "upstream gradient of logits , from step 9" in strip(add["backward"])
    assert 'data-step="9"' in add["backward"]


def test_rules_carry_the_numbers_of_the_run(document, lesson):
    run, names = lesson
    shown = strip(document["details"][find_node(document, "x @ w")])
    assert "dL/dw = x" in shown
    gradient = run.gradients["w"].result.numpy()
    row, column = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    x = names["x"].numpy()
    logits = x @ names["w"].numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    upstream = (p - np.eye(3)[[2, 0]]) / 2
    first, second = x[:, row] * upstream[:, column]
    assert first + second == pytest.approx(gradient[row, column], rel=1e-5)
    text = re.search(rf"at \[{row}, {column}\]: (.*?) = (-?[\d.]+)", shown)
    assert float(text[2]) == pytest.approx(gradient[row, column], rel=1e-3)
    numbers = [float(n) for n in re.findall(r"-?\d[\d.]*", text[1].replace("- ", "-"))]
    assert np.prod(numbers[:2]) == pytest.approx(first, rel=2e-3)


def test_where_paths_meet_the_sum_is_written(joined):
    run, names = joined
    document = write_document(read_run(run))
    h = np.tanh(names["x"].numpy() * names["w"].numpy())
    said = strip(document["details"][find_node(document, "tanh(x \u00b7 w)")])
    found = re.search(r"3 paths meet at h : at h\[0\] (.*?) = ([\d.]+)", said)
    assert found
    terms = sorted(float(term) for term in found[1].split(" + "))
    assert terms == pytest.approx(sorted([h[0], h[0], np.exp(h[0])]), rel=1e-3)
    assert float(found[2]) == pytest.approx(2 * h[0] + np.exp(h[0]), rel=1e-3)


def test_hostile_names_are_text(lesson):
    run, _names = lesson
    hostile = "<img src=x onerror=harm()>"
    graph = run.graph
    nodes = tuple(
        replace(node, label=hostile, scopes=(Scope("layer", hostile, hostile),),
                outputs=tuple(replace(o, name=hostile) for o in node.outputs))
        for node in graph.nodes
    )  # fmt: skip
    text = write_json(write_document(read_run(replace(run, graph=replace(graph, nodes=nodes)))))
    document = json.loads(text)
    assert "<" not in text
    html = [*document["details"].values(), document["levels"][""]["svg"]]
    html += [h for said in document["steps"]["said"].values() for h in said.values()]
    html += document["chains"].values()
    assert not any("<img" in one for one in html)
    assert document["nodes"][str(document["target"])]["name"] == hostile  # data, not HTML


def test_what_does_not_fit_is_left_out(lesson):
    reading = read_run(lesson[0])
    whole = write_document(reading)
    room = len(write_json(whole).encode()) - 10_000
    small = write_document(reading, room)
    assert len(write_json(small).encode()) <= room
    assert len(small["details"]) < len(whole["details"])
    assert small["nodes"] == whole["nodes"]
    assert small["levels"][""]


def test_colours_mark_what_vanishes_and_explodes():
    run = make_chain(1e-7, 0.0, 1e4, 2.0, 1.0)
    norms = colour(run)[0]
    assert norms["key"] == "gradient"
    assert norms["marks"] == {"0": "vanishing", "1": "vanishing", "2": "exploding"}
    assert [norms["bins"][str(n)] for n in range(5)] == [0, 0, 8, 4, 3]
    assert "10000" in norms["legend"]
    assert "millionth" in norms["legend"]
    groups = (Group(0, None, "layer", "early"), Group(1, 0, "layer", "first"))
    nodes = [replace(n, group=[1, 1, 0][n.id] if n.id < 3 else None) for n in run.graph.nodes]
    graph = replace(run.graph, nodes=tuple(nodes), groups=groups)
    marks = colour(replace(run, graph=graph))[0]["marks"]
    assert (marks["g0"], marks["g1"]) == ("exploding", "vanishing")
    run = make_chain(0.5, np.nan, 1.0)
    norms = colour(run)[0]
    assert norms["marks"] == {"1": "exploding"}
    assert norms["bins"] == {"0": 1, "1": 8, "2": 8}


def test_colours_show_zeros_ranges_and_times():
    values = [[0.0, 0.0, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0], 2.0]
    run = make_chain(*values, values=values, seconds=0.002)
    colours = {colour["key"]: colour for colour in colour(run)}
    assert colours["zeros"]["bins"] == {"0": 4, "1": 8, "2": 0}
    assert colours["range"]["bins"] == {"0": 8, "1": 0, "2": 0}
    assert set(colours["time"]["bins"].values()) == {8}
    assert "2 ms" in strip(colours["time"]["legend"])
    assert [format_seconds(s) for s in (2e-6, 3.4e-3, 0.25, 12)] == [
        "2 \u00b5s",
        "3.4 ms",
        "250 ms",
        "12 s",
    ]


@pytest.mark.parametrize(
    ("dtype", "entries"), [("float16", [100, 300]), ("float16", [1e-4, 0]), ("float32", [1e20, 1])]
)
def test_a_norm_is_measured_beyond_the_tensors_dtype(tf, dtype, entries):
    w = tf.constant(entries, dtype)
    run = gradmagic.gradtape("loss = tf.reduce_sum(2.0 * w)", "w", names={"tf": tf, "w": w})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reading = read_run(run)
        measured = reading.measure(reading.sources["w"], "value")
    assert measured.norm == pytest.approx(np.linalg.norm(w.numpy().astype(np.float64)))


def test_a_document_names_few_of_many_nodes(monkeypatch):
    monkeypatch.setattr("gradmagic.render.explorer.known.MOST", 40)
    run = make_chain(*[1.0] * 100)
    reading = read_run(run)
    known = find_known(reading)
    assert set(known) == {node.id for node in reading.graph.nodes}
    assert len(set(known.values())) <= 40 + len(reading.whole.groups)
    document = write_document(reading)
    assert set(document["nodes"]) == {str(n) for n in known.values()}
    assert {n for edge in document["edges"] for n in edge[:2]} <= set(known.values())
    assert document["steps"]["forward"] == sorted(
        n for n in set(known.values()) if reading.nodes[n].kind != "source"
    )


def ask(guide, **question):
    answer = guide.answer(question)
    assert question.items() - {("value", question.get("value"))} <= answer.items()
    return answer


def test_the_kernel_tells_details_levels_and_slopes(lesson):
    run, _names = lesson
    guide = Guide.start(run)
    document = json.loads(guide.document)
    key = find_node(document, "x @ w")
    assert ask(guide, kind="detail", node=key)["html"] == document["details"][key]
    checked = strip(ask(guide, kind="check", source="w", index="1,0")["html"])
    slope, gradient = re.search(r"measured slope (\S+) gradient (\S+)", checked).groups()
    assert float(gradient) == pytest.approx(run.gradients["w"].result.numpy()[1, 0], rel=1e-3)
    assert float(slope) == pytest.approx(float(gradient), rel=1e-3)


def test_a_what_if_changes_the_numbers_and_goes_back(lesson, tf):
    run, names = lesson
    guide = Guide.start(run)
    document = json.loads(guide.document)
    key = find_node(document, "x @ w + b")
    answer = ask(guide, kind="imagine", source="b", index="1", value=2.5)
    logits = names["x"] @ names["w"] + tf.constant([0.0, 2.5, 0.0])
    np.testing.assert_allclose(
        list_cells(answer["details"][key])[0], logits.numpy().ravel(), atol=6e-4
    )
    assert answer["levels"][""]["svg"] != document["levels"][""]["svg"]
    back = json.loads(write_json(ask(guide, kind="restore")))
    assert back["details"] == document["details"]
    assert back["levels"] == document["levels"]


def test_what_the_kernel_cannot_do_is_one_sentence(lesson):
    guide = Guide.start(lesson[0])
    for question in (
        {"kind": "imagine", "source": "w", "index": "9,9", "value": 1.0},
        {"kind": "detail", "node": "99999"},
        {"kind": "sing"},
    ):
        answer = ask(guide, **question)
        assert answer["error"]
        assert "\n" not in answer["error"]
        assert strip(answer["html"])


def test_a_what_if_says_what_python_took(tf):
    names = {"tf": tf, "s": tf.constant(1.5)}
    cell = "h = s * 2.0 if float(s) > 0 else s * 3.0\nloss = h ** 2"
    guide = Guide.start(gradmagic.gradtape(cell, "s", names=names))
    answer = ask(guide, kind="imagine", source="s", index="", value=-1.0)
    assert answer["note"].startswith("Python took the value of s out of TensorFlow")
    guide = Guide.start(gradmagic.gradtape("loss = s ** 2", "s", names=names))
    assert ask(guide, kind="imagine", source="s", index="", value=-1.0)["note"] == ""


PARTS = {
    "details.render_rule": "Local derivative",
    "details.render_passed": "Passes on",
    "details.render_joins": "paths meet",
    "details.render_trying": "Measure the slope",
    "document.render_chain": "d loss/d w =",
}


@pytest.mark.parametrize("failing", PARTS)
def test_a_part_that_fails_leaves_the_others(joined, monkeypatch, failing):
    run, _names = joined
    reading = read_run(run)
    whole = write_document(reading)

    def fail(*_arguments):
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setattr(f"gradmagic.render.explorer.{failing}", fail)
    document = write_document(read_run(run))
    assert document["details"].keys() == whole["details"].keys()
    assert document["steps"]["said"].keys() == whole["steps"]["said"].keys()
    told = [*document["details"].values(), *document["chains"].values()]
    assert any("This could not be worked out." in html for html in told)
    assert not any("out of bounds" in html or "IndexError" in html for html in told)
    source = strip(document["details"][str(document["sources"]["w"])] + document["chains"]["w"])
    h = strip(document["details"][find_node(document, "tanh(x \u00b7 w)")])
    for part, words in PARTS.items():
        assert part == failing or words in source + h, part


def test_what_fails_when_it_is_asked_for_leaves_the_others(joined, monkeypatch):
    run, _names = joined
    guide = Guide.start(run)
    guide._chained = frozenset()  # as where there was no time for it ahead

    def fail(*_arguments):
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setattr("gradmagic.widgets.exploring.render_chain", fail)
    key = str(json.loads(guide.document)["sources"]["w"])
    answer = ask(guide, kind="detail", node=key)
    assert "error" not in answer
    assert "Measure the slope" in strip(answer["html"])
    assert strip(answer["html"]).endswith("This could not be worked out.")
    monkeypatch.setattr("gradmagic.widgets.exploring.check_entry", fail)
    answer = ask(guide, kind="check", source="w", index="0")
    assert answer["error"] == answer["html"] == "This could not be worked out."


def test_a_run_without_a_graph_cannot_be_explored():
    assert Guide.start(make_run()) is None


@pytest.fixture(scope="module")
def network(tf):
    """Two layers and a tf.function: the run and its names."""
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(6, activation="tanh", name="hidden"),
            tf.keras.layers.Dense(2, name="out"),
        ]
    )

    @tf.function
    def energy(v):
        return tf.sin(v) * 2.0

    x = tf.random.normal([3, 4])
    model(x)
    names = {"tf": tf, "model": model, "x": x, "energy": energy}
    return gradmagic.gradtape("loss = tf.reduce_sum(energy(model(x)))", "model", names=names), names


def test_groups_tell_what_goes_in_and_out(network, tf):
    run, names = network
    document = write_document(read_run(run))
    groups = {group["name"]: key for key, group in document["groups"].items()}
    assert document["groups"][groups["hidden"]]["detail"] == "Dense"
    assert "are drawn, here or inside groups." in describe_folding(run.graph)
    said = strip(document["details"][f"g{groups['hidden']}"])
    assert said.startswith("hidden Dense layer \u00b7 3 ops \u00b7 line 1")
    assert "Inputs x [3, 4]" in said
    hidden = names["model"].layers[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(names["energy"](names["model"](names["x"])))
    gradient = tape.gradient(loss, hidden.kernel.value)
    norm = re.search(r"model\.hidden\.kernel \[4, 6\] gradient norm (\S+)", said)[1]
    assert float(norm) == pytest.approx(float(tf.norm(gradient)), rel=1e-3)
    assert document["levels"][groups["hidden"]]["svg"].startswith("<svg")


def test_ops_tell_where_they_ran(network):
    document = write_document(read_run(network[0]))
    by_op = {node.get("op"): document["details"][key] for key, node in document["nodes"].items()}
    assert "in layer hidden (Dense)" in strip(by_op["Tanh"])
    assert "in name scope" not in strip(by_op["Tanh"])
    assert "in tf.function energy" in strip(by_op["Sin"])


def test_gradients_inside_a_function_are_walked_back(network, tf):
    """The tape gives none there: they come from the ops one by one."""
    run, names = network
    document = write_document(read_run(run))
    sine = next(key for key, node in document["nodes"].items() if node.get("op") == "Sin")
    inside = names["model"](names["x"])
    cells = list_cells(document["details"][sine])
    np.testing.assert_allclose(cells[1], np.full(6, 2.0), atol=6e-4)
    np.testing.assert_allclose(cells[2], 2 * np.cos(inside.numpy().ravel()), atol=6e-4)


def test_the_words_are_those_that_the_script_reads():
    folder = Path(gradmagic.__file__).parent / "widgets" / "explorer"
    used = {
        word
        for script in folder.glob("*.js")
        for word in re.findall(r"\b(?:words|said)\.([a-z_]+)\b(?!\()", script.read_text("utf-8"))
    }
    by_pass = {"forward", "backward"}  # read as words[pass]
    elsewhere = {"copy", "length", "map", "py"}  # another part's, and lists' own
    by_kind = {f"kind_{kind}" for kind in list_kinds()}  # read as words[`kind_${kind}`]
    assert (used | by_pass | by_kind) - elsewhere == set(list_words())


def test_the_largest_entries_are_offered_to_be_moved(document, lesson):
    run, _names = lesson
    shown = document["details"][str(document["sources"]["w"])]
    row, column = run.gradients["w"].gradient.largest[0]
    assert f'data-index="{row},{column}"' in re.search(r"<button[^>]*data-check[^>]*>", shown)[0]
    slider = re.search(r"<input[^>]*data-imagine[^>]*>", shown)[0]
    value = float(re.search(r' value="([^"]+)"', slider)[1])
    assert value == pytest.approx(float(run.gradients["w"].value.values[row, column]), rel=1e-6)
    assert shown.count("<option") == 12
    constant = document["details"][find_node(document, "one_hot(y)")]
    assert "data-check" not in constant


def test_the_chain_rule_or_why_not(document, joined):
    assert "d loss/d w = " in strip(document["chains"]["w"])
    assert "+ " in strip(write_document(read_run(joined[0]))["chains"]["w"])


def test_old_graphs_let_their_tensors_go(lesson, monkeypatch):
    run, _names = lesson
    monkeypatch.setattr(holding, "_holders", [])
    size = holding.measure(run.graph)
    entries = {id(t): t for n in run.graph.nodes for o in n.outputs for t in (o.value, o.gradient)}
    assert size == sum(np.asarray(t).nbytes for t in entries.values() if t is not None)
    monkeypatch.setattr(holding, "HELD", int(2.5 * size))
    guides = [Guide.start(run) for _ in range(3)]
    key = find_node(json.loads(guides[0].document), "x @ w")
    answers = [guide.answer({"kind": "detail", "node": key}) for guide in guides]
    assert answers[0]["error"].endswith("run the cell again.")
    assert "error" not in answers[1]
    monkeypatch.setattr(holding, "HELD", 1)
    last = Guide.start(run)
    assert "error" in guides[2].answer({"kind": "detail", "node": key})
    assert "error" not in last.answer({"kind": "detail", "node": key})


LOOKUPS = {  # the cell, the entry at which paths meet, and what they bring
    "loss = tf.reduce_sum(tf.gather(t, [5]) * 3.0) + 0.1 * tf.nn.l2_loss(t)": ("5, 1", [3, 1.2]),
    "loss = tf.reduce_sum(tf.gather(t, [1, 0, 1]) * 4.0) + tf.reduce_sum(t[:2])": (
        "1, 0",
        [8, 1],
    ),
    "a = tf.gather(t, [4, 2])\nb = tf.gather(t, [0, 4])\nloss = tf.reduce_sum(a * [[9.0], [1.0]]) + tf.reduce_sum(b)": (
        "4, 0",
        [9, 1],
    ),
}


@pytest.mark.parametrize("cell", LOOKUPS)
def test_paths_meet_at_rows_that_were_looked_up(tf, cell):
    t = tf.reshape(tf.range(1.0, 13.0), [6, 2])
    run = gradmagic.gradtape(cell, "t", names={"tf": tf, "t": t})
    document = write_document(read_run(run))
    said = strip(document["details"][str(document["sources"]["t"])])
    index, terms = LOOKUPS[cell]
    found = re.search(rf"2 paths meet at t : at t\[{index}\] (.*?) = ([\d.]+)", said)
    assert found, said
    assert sorted(map(float, found[1].split(" + ")), reverse=True) == pytest.approx(terms, rel=1e-3)
    assert float(found[2]) == pytest.approx(sum(terms), rel=1e-3)


def test_the_entry_that_is_offered_is_one_of_the_tensor(tf):
    t = tf.ones([2, 2])
    cell = "loss = tf.reduce_sum(tf.gather(t, [0, 0, 0, 1]) * [[1.0], [1.0], [1.0], [5.0]])"
    run = gradmagic.gradtape(cell, "t", names={"tf": tf, "t": t})
    document = write_document(read_run(run))
    shown = document["details"][str(document["sources"]["t"])]
    assert 'data-index="1,0"' in re.search(r"<button[^>]*data-check[^>]*>", shown)[0]


@pytest.mark.parametrize(
    ("cell", "op"),
    [
        ("loss = tf.reduce_sum(tf.linalg.eigvalsh(m))", "SelfAdjointEigV2"),
        ("loss = tf.reduce_sum(tf.linalg.svd(m, compute_uv=False))", "Svd"),
    ],
)
def test_outputs_that_the_op_did_not_compute_are_not_shown(tf, cell, op):
    run = gradmagic.gradtape(
        cell, "m", names={"tf": tf, "m": tf.constant([[2.0, 1.0], [1.0, 3.0]])}
    )
    document = write_document(read_run(run))
    (key,) = (key for key, node in document["nodes"].items() if node.get("op") == op)
    assert "value, [2] float32" in strip(document["details"][key])
    assert "output 1" not in strip(document["details"][key])
    first, *others = run.graph.to_networkx().nodes[int(key)]["outputs"]
    assert first["value"].shape == (2,)
    assert all(other["value"] is None for other in others)
