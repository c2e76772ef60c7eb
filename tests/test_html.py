"""The static report: what it says, that it is well-formed, safe, small, and readable."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from handmade import (
    DB,
    DW,
    SAMPLES,
    B,
    W,
    make_gradient,
    make_lesson,
    make_run,
    make_summary,
)

import gradmagic
from gradmagic.core.records import (
    CodeLine,
    Diagnosis,
    Edge,
    Graph,
    Hessian,
    Node,
    Output,
    PerSample,
)
from gradmagic.core.summary import summarize
from gradmagic.render.html import load_style, render_graph, render_html
from gradmagic.render.page import render_page

VOID = {"meta", "br", "img", "input", "link", "hr"}
HOSTILE = "<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Checks that each tag is closed where it should be, and keeps tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(run) -> Reader:
    return Reader(render_html(run))


def measure(text: str) -> int:
    """Bytes in a message of the Jupyter protocol."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def test_the_lesson_says_what_the_tape_saw():
    text = read(make_lesson()).text
    for part in (
        "loss 0.8653 nats d loss / d [w, b]",
        "target: loss , because the cell assigns it (line 3)",
        "22 ops, forward 56.0 ms, backward 11.0 ms (first run: TensorFlow warms up)",
        "w [4, 3] float32",
        "gradient, d loss / d w",
        "Raise w[3, 0] by 0.01 and the loss falls by about 0.0035; no other entry of w moves it more.",
        "Gradient descent would raise w[3, 0].",
        "norm 0.578",
        "largest −0.352 at w[3, 0]",
        "Raise b[1] by 0.01 and the loss rises by about 0.0028; no other entry of b moves it more.",
        "0.8653 nats natural log, as TensorFlow counts",
        "1.2484 bits nats / ln 2",
        "sample 0 true class 2: p = 0.569 0.5644",
        "mean 0.8653",
        "guessing 1/3 each: 1.0986",
        "Sample 1 costs more than guessing would: the model gives its true class, 0, only 0.312.",
        "This is the first run, so there is one dot.",
        "2 logits = x @ w + b",
        "lines with + are what %%gradtape w b stands for.",
    ):
        assert part in text


def test_cells_are_tinted_by_sign_and_size_on_one_scale():
    page = render_html(make_lesson())
    assert '<td class="n" style=--t:100>−2.273</td>' in page
    assert '<td class="p" style=--t:67>1.029</td>' in page
    assert '<td class="n gm-max" style=--t:39>−0.352</td>' in page
    assert page.count('gm-max"') == 2  # the largest of w's gradient, and of b's
    assert '<td class="z">0.000</td>' in page


def test_reasons_for_the_target():
    for fields, words in (
        ({"reason": "named", "line": None}, "target: loss , named with -t"),
        (
            {"reason": "last-expression", "line": 5},
            "the value of the cell's last expression (line 5)",
        ),
        (
            {"reason": "last-assigned", "line": 2},
            "the last float tensor that the cell assigned (line 2)",
        ),
        ({"reason": "loss", "line": None}, "target: loss , because the cell assigns it 22 ops"),
    ):
        assert words in read(make_lesson(**fields)).text


def test_a_scalar_is_said_in_words():
    run = make_run(make_gradient("w", 1.0, 2.0), loss=2, name="y", reason="last-assigned", line=1)
    text = read(run).text
    assert "w up by 0.01: y up by about 0.02. Gradient descent would lower w." in text
    assert "value 1 gradient, d y / d w 2 w up" in text
    down = make_run(make_gradient("w", 1.0, -2.0), name="y")
    assert "w up by 0.01: y down by about 0.02. Gradient descent would raise w." in read(down).text


def test_equal_gradients_are_not_told_apart():
    same = read(make_run(make_gradient("h", B, np.full(3, 0.5)))).text
    assert "Raise any entry of h by 0.01 and the loss rises by about 0.005, all alike." in same
    tie = read(make_run(make_gradient("h", B, np.array([0.5, -0.5, 0.1])))).text
    assert "by about 0.005; 1 other entry of h moves it as much, none more." in tie
    assert (
        render_html(make_run(make_gradient("h", B, np.array([0.5, -0.5, 0.1])))).count('gm-max"')
        == 2
    )


def test_a_gradient_of_zero_moves_nothing():
    text = read(make_run(make_gradient("w", W, np.zeros_like(W)))).text
    assert "The gradient is 0 everywhere: a small change of w leaves the loss as it is" in text
    assert "Raise" not in text


def test_none_is_explained():
    text = read(make_run(make_gradient("w", W, None), make_gradient("b", B, DB))).text
    assert "TensorFlow returned None: the tape found no path from loss back to w." in text
    assert "1 of 2 gradients is None: w." in text
    never = read(make_run(make_gradient("v", None, None))).text
    assert "v was never made" in never


def test_nan_and_infinity_are_marked_and_counted():
    bad = DW.copy()
    bad[1, 1], bad[2, 0], bad[0, 0] = np.nan, np.inf, -np.inf
    page = render_html(make_run(make_gradient("w", W, bad), make_gradient("b", B, DB)))
    text = Reader(page).text
    assert '<td class="x">nan</td>' in page
    assert '<td class="x">−inf</td>' in page
    assert "1 of the gradient's 12 entries is NaN." in text
    assert "2 of the gradient's 12 entries are infinite." in text
    assert "finite norm 0.536 largest −0.352 at w[3, 0] NaN 1 Inf 2" in text
    assert "no other entry of w moves it more" not in text
    assert "1 of 2 gradients has NaN or infinite entries: w." in text
    assert re.search(
        r"td\.x \{[^}]*repeating-linear-gradient",
        (Path(__file__).parent.parent / "gradmagic/render/report.css").read_text("utf-8"),
    )
    every = read(make_run(make_gradient("w", W, np.full_like(W, np.nan)))).text
    assert "Every entry of the gradient is NaN." in every


def test_a_target_that_is_no_scalar():
    run = make_run(make_gradient("w", W, DW), loss=np.ones((2, 3)), name="y", summed=True)
    text = read(run).text
    assert "y 6.000 summed d sum(y) / d w" in text
    assert "y is no scalar: TensorFlow differentiates the sum of its 6 entries." in text
    assert "Raise w[3, 0] by 0.01 and sum(y) falls by about 0.0035" in text


def test_bindings_are_named_with_their_lines():
    used = make_gradient("w", W, DW, bound=(None, 2), taken=0, rebound_after_use=True)
    text = read(make_run(used)).text
    assert (
        "Shown is w from before the cell, which the target used; line 2 binds the name again"
        in text
    )
    twice = make_gradient("h", B, DB, bound=(2, 5, 5), taken=2, rebound_after_use=True)
    text = read(make_run(twice)).text
    assert "The name is bound more than once (line 2, line 5); shown is the h of line 5." in text
    again = make_gradient("h", B, DB, bound=(None, 2), taken=1)  # a cell that ran before
    assert "bound more than once" not in read(make_run(again)).text


def test_indexed_slices_say_their_rows():
    entries = np.array([[1.0, 2.0], [0.5, -4.0], [0.0, 1.0]], np.float32)
    slices = make_summary(entries, shape=(10000, 2), layout="slices", rows=(3, 5, 42))
    text = read(make_run(make_gradient("emb", np.ones((10000, 2)), slices))).text
    assert "3 rows of 10000 touched: rows 3, 5, 42; the gradient of the others is 0." in text
    assert "−4.00 at emb[5, 1]" in text
    assert "gradient, d loss / d emb, as IndexedSlices" in text
    twice = make_summary(entries, shape=(10000, 2), layout="slices", rows=(3, 5, 3))
    text = read(make_run(make_gradient("emb", np.ones((10000, 2)), twice))).text
    assert "2 rows of 10000 touched: rows 3, 5" in text
    assert "There are 3 slices: those for the same row add up." in text
    assert "Raise" not in text  # no slice alone is that row's gradient
    many = make_summary(
        np.ones((300, 64)), shape=(10000, 64), layout="slices", rows=tuple(range(12))
    )
    text = read(make_run(make_gradient("emb", np.ones((10000, 64)), many))).text
    assert (
        "IndexedSlices: 300 slices for the 10000 rows, the first for rows 0, 1, 2, 3, 4, 5" in text
    )


@pytest.mark.parametrize(
    ("value", "gradient", "words"),
    [
        (make_summary(DB, shape=(3, None), layout="ragged"), make_summary(DB, shape=(3, None), layout="ragged"), "[3, ?] float32, ragged"),
        (make_summary(DB, shape=(9, 9), layout="sparse"), make_summary(DB, shape=(9, 9), layout="sparse"), "0.285 at s.values[1]"),
        (np.array([1 + 2j]), np.array([3 - 4j]), "3.00 − 4.00i"),
        (np.arange(6).reshape(2, 3), None, "[2, 3] int64"),
        (np.array([b"cat", b"<b>"]), None, "cat, <b>"),
        (np.array([True, False]), None, "True, False"),
        (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), "It has no entries, and so has its gradient."),
        (np.zeros((2, 3, 4)), np.ones((2, 3, 4)), "[1, :, :]"),
        (np.ones((2, 2, 1, 2)), np.ones((2, 2, 1, 2)), "[:, :, 0, 1]"),
        (np.ones(43), np.arange(43.0), "Raise s[42] by 0.01"),
        (np.full(2000, 3.0), np.zeros(2000), "all entries 3.000"),
        (np.full(2000, np.nan), np.full(2000, np.inf), "no finite entry"),
    ],
)  # fmt: skip
def test_odd_tensors(value, gradient, words):
    assert words in read(make_run(make_gradient("s", value, gradient))).text


def test_the_outlined_cell_is_the_largest_in_every_arrangement():
    kernel = np.zeros((2, 2, 1, 2))
    kernel[1, 0, 0, 1] = -7
    slices = np.zeros((2, 3, 4))
    slices[1, 2, 0] = -7
    vector = np.zeros(43)
    vector[42] = -7
    for array in (kernel, slices, vector):
        page = render_html(make_run(make_gradient("w", np.zeros_like(array), array)))
        assert '<td class="n gm-max" style=--t:100>−7.000</td>' in page


def test_larger_arrays_are_maps_tiles_or_histograms():
    rng = np.random.default_rng(0)

    def draw(*shape):
        array = rng.normal(size=shape)
        return render_html(make_run(make_gradient("w", array, array * 0.1)))

    assert '<svg class="gm-map"' in draw(64, 10)
    assert 'class="gm-both"' not in draw(64, 10)
    tiles = draw(3, 3, 16, 32)
    assert tiles.count("24 of 512 planes") >= 2
    histograms = draw(300, 20)
    assert "Histograms of value and gradient of w." in histograms
    for word in ("norm", "mean", "min", "max", "zeros", "NaN", "Inf", "largest"):
        assert f"<dt>{word}</dt>" in histograms


def test_jacobian_and_hessian():
    jacobian = summarize(np.arange(6.0).reshape(2, 3))
    run = make_run(make_gradient("b", B, DB, jacobian=jacobian), loss=[1, 2], name="p", summed=True)
    text = read(run).text
    assert "Jacobian, d p / d b [2, 3]" in text
    assert "b[0] b[1] b[2] p[0] 0.000 1.000 2.000 p[1] 3.000 4.000 5.000" in text
    matrix = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    hessian = Hessian(matrix, ("w", "b"), (2, 1))
    page = render_html(make_run(make_gradient("w", B[:2], DB[:2]), hessian=hessian))
    assert "Hessian, d² loss / d [w, b]²" in page
    assert "w[0] w[1] b w[0] 1.000 2.000 3.000" in Reader(page).text
    assert page.count("gm-left p") == 3  # a line before b's column
    assert page.count('<tr class="gm-over">') == 1  # and one before its row
    large = Hessian(np.eye(200), ("w",), (200,))
    assert "[200, 200]" in read(make_run(make_gradient("w", B, DB), hessian=large)).text


def test_per_sample_losses():
    losses = np.linspace(0, 3, 40)
    samples = PerSample(losses, 128, "mean", 1.6)
    text = read(make_lesson(per_sample=samples)).text
    assert "The loss is the mean of 128 samples' losses. Shown are the first 12." in text
    assert "sample 11" in text
    assert "sample 12" not in text
    bad = PerSample(np.array([0.5, np.inf, np.nan]), 3, "sum", np.nan)
    page = render_html(make_lesson(per_sample=bad))
    assert "2 samples have a loss that is no finite number" in page
    assert 'class="gm-bar gm-bad"' in page
    negative = PerSample(np.array([-1.0, 2.0]), 2, "mean", 0.5)
    assert "margin-left:" in render_html(make_lesson(per_sample=negative))
    cheap = PerSample(np.array([0.1, 0.2]), 2, "mean", 0.15, guessing=float(np.log(3)))
    assert (
        "None of them costs more than guessing would." in read(make_lesson(per_sample=cheap)).text
    )


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ((0.5, 0.4), "Run 2 is lower than the one before by 0.100."),
        ((0.4, 0.5), "Run 2 is higher than the one before by 0.100."),
        ((0.5, 0.5), "Run 2 gave exactly the value of the run before."),
        ((0.5, 0.1, 0.4), "The lowest was 0.1000, in run 2."),
        ((0.5, np.nan), "Run 2 gave nan, no finite number."),
        ((np.inf, 0.5), "Run 2 gave 0.5000 again, after inf."),
        ((np.nan, np.nan, np.inf), "Run 3 gave inf, no finite number."),
        ((1e308, -1e308), "Run 2 is lower than the one before"),
        (tuple(np.linspace(1, 0, 500)), "Run 500 is lower"),
    ],
)
def test_history(history, words):
    reader = read(make_lesson(history=history))
    assert words in reader.text
    drawn = [data["d"] for _, data in reader.tags if data.get("class") == "gm-line"]
    assert not any("nan" in path or "inf" in path for path in drawn)


def test_user_text_stays_text():
    known = Diagnosis("x", "loss", 1, None, "<b>bold</b> & 'q' \"d\"", "<i>x</i>\ny = 2")
    run = make_run(
        make_gradient(HOSTILE, W, DW),
        make_gradient("\"'><script>alert(2)</script>", np.array([b"</code><script>"]), None),
        make_gradient("\u202egnp.exe", np.random.default_rng(0).normal(size=(90, 90)), DB),
        name="<script>alert(1)</script>",
        diagnoses=(known,),
        magic=f"%%gradtape '{HOSTILE}'",
        lines=(CodeLine("x = '<b>' # & \"q\" </pre>", 1),),
    )
    for page in (render_html(run), render_page(run)):
        reader = Reader(page)
        assert HOSTILE in reader.text
        assert "<script>alert(1)</script>" in reader.text
        assert "x = '<b>' # & \"q\" </pre>" in reader.text
        assert "<b>bold</b> & 'q' \"d\"" in reader.text
        tags = {tag for tag, _ in reader.tags}
        assert not tags & {"img", "b", "i"} - {"i", "b"}
        assert all(
            not name.startswith("on") for _, attributes in reader.tags for name in attributes
        )
        assert "\u202e" not in page  # a name cannot turn the text's direction round
    assert not any(tag == "script" for tag, _ in Reader(render_html(run)).tags)


def test_nothing_is_fetched():
    page = render_html(make_lesson())
    assert not re.search(r"""\b(src|href)=|@import|url\(""", page)


def make_many(count: int, rows: int, columns: int) -> list:
    rng = np.random.default_rng(0)
    value = summarize(rng.normal(size=(rows, columns)))
    return [
        make_gradient(f"model.block{i}.a_rather_long_name_for_a_layer.kernel{i}", value, None if i % 7 == 3 else value)
        for i in range(count)
    ]  # fmt: skip


def test_many_sources_share_a_table():
    text = read(make_run(*make_many(160, 8, 8))).text
    assert "156 further sources" in text
    assert "kernel159" in text
    assert "left out here" not in text


@pytest.mark.parametrize(("rows", "columns"), [(16, 12), (32, 32), (64, 16), (70, 70), (11, 11)])
def test_the_report_is_bounded(rows, columns):
    """500 sources, a long code, long diagnoses: under 140 kB."""
    hostile = "<&\"'>" * 400
    run = make_run(
        *make_many(500, rows, columns),
        lines=tuple(CodeLine(f"x{i} = {hostile}", i) for i in range(3000)),
        diagnoses=tuple(Diagnosis("x", "loss", i, None, hostile, hostile) for i in range(50)),
        history=tuple(range(500)),
        per_sample=SAMPLES,
    )
    page = render_html(run)
    assert measure(page) < 140_000
    text = Reader(page).text
    assert re.search(
        r"\d+ more sources are left out here; gradmagic\.last_run\(\)\.gradients has all\.", text
    )
    assert "more lines are left out; gradmagic.last_run().code has all." in text


def test_a_source_of_any_size_costs_the_same():
    big = np.broadcast_to(np.arange(4000.0), (25_000, 4000))  # 100 million entries in no memory
    small = summarize(np.random.default_rng(0).normal(size=(2000,)))
    value = make_summary(
        np.arange(4000.0), shape=big.shape, size=big.size, largest=((3, 5), 3999.0)
    )
    page = render_html(make_run(make_gradient("w", value, small)))
    assert measure(page) < 40_000


def test_a_page_of_its_own_is_complete():
    page = render_page(make_lesson())
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert "<title>gradmagic report: loss</title>" in page
    assert "prefers-color-scheme: dark" in page
    Reader(page)


# The graph's drawing is graph.py's; what folds it needs TensorFlow, so a stand-in folds here.


def make_graph(count: int, *, missing: int = 0) -> Graph:
    """A chain of ops from w to loss; every second one only computes shapes."""
    tensor = (Output((2, 3), "float32"),)
    nodes = [Node(0, "source", None, "w", None, tensor, source="w", count=0)]
    nodes += [
        Node(i, "op", "Tanh", f"tanh({i})", 2, tensor, fold="shape" if i % 2 else None)
        for i in range(1, count + 1)
    ]
    nodes.append(Node(count + 1, "target", None, "loss", None, tensor, count=0))
    edges = [Edge(i, i + 1, gradient=True) for i in range(count + 1)]
    return Graph(tuple(nodes), tuple(edges), count, missing)


@pytest.fixture
def folding(monkeypatch):
    """Leaves out every second op."""

    def trim(graph):
        return make_graph(graph.ops // 2)

    monkeypatch.setattr("gradmagic.render.html.trim", trim)
    monkeypatch.setattr("gradmagic.render.html.describe_folding", lambda graph: "Half is folded.")


def test_the_graph_is_drawn_folded_and_unfolds(folding):
    page = render_html(make_lesson(graph=make_graph(8, missing=2)))
    reader = Reader(page)
    assert page.count('<svg class="gm-graph"') == 2
    assert page.index('class="gm-graph"') < page.index("<details") < page.rindex('class="gm-graph"')
    assert "All 8 ops" in reader.text
    assert "Half is folded." in reader.text
    assert "2 ops ran in other threads, where no tape records them" in reader.text
    assert '<pre class="gm-alt">' in page  # the listing, for where there is no picture
    assert ".gm .gm-flow:has(~ .gm-all[open])" in load_style()


def test_a_large_graph_has_no_unfolded_picture(folding):
    page = render_html(make_lesson(graph=make_graph(100)))
    assert page.count('<svg class="gm-graph"') == 1
    assert "<details" not in page


def test_a_graph_without_room_is_listed(folding):
    part = render_graph(make_graph(60), 9_000)
    assert "<svg" not in part
    assert "This graph is too large to be drawn here. Its ops:" in part
    assert "Tanh" in part
    assert len(part) < 9_000


def test_a_drawing_that_fails_does_not_fail_the_report(folding, monkeypatch):
    def fail(graph, diagnoses):
        raise RuntimeError("no <layout>")

    monkeypatch.setattr("gradmagic.render.html.draw_graph", fail)
    text = read(make_lesson(graph=make_graph(4))).text
    assert "The graph could not be drawn: no <layout>" in text
    assert "Tanh" in text


def test_a_graph_without_ops(folding):
    assert "No op was recorded." in read(make_lesson(graph=Graph((), (), 0))).text


# Readability: WCAG 2 contrast of the colours in report.css, on the papers of JupyterLab.

PAPERS = {"light": ("#ffffff", "#212121"), "dark": ("#111111", "#ffffff")}  # paper, ink


def read_colours(theme: str) -> dict[str, str]:
    """The custom properties of report.css in a theme, as #rrggbb."""
    sheet = Path(gradmagic.__file__).with_name("render") / "report.css"
    rules = re.findall(r"([^{}]+)\{([^{}]*--gm-pos:[^{}]*)\}", sheet.read_text("utf-8"))
    assert len(rules) == 2
    body = rules[0 if theme == "light" else 1][1]
    found = dict(re.findall(r"--gm-([a-z0-9]+):\s*(#[0-9a-f]{3,6})", body))
    return found | dict(zip(("paper", "ink1"), PAPERS[theme], strict=True))


def luminance(colour: tuple[float, float, float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def parse_colour(text: str) -> tuple[float, float, float]:
    digits = text[1:] if len(text) == 7 else "".join(2 * c for c in text[1:])
    return tuple(int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))


def contrast(one: tuple, other: tuple) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(one: tuple, other: tuple, share: float) -> tuple:
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def test_the_contrast_formula():
    assert contrast((1, 1, 1), (0, 0, 0)) == pytest.approx(21)
    assert contrast(parse_colour("#777777"), (1, 1, 1)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", PAPERS)
def test_contrast(theme):
    colours = {name: parse_colour(colour) for name, colour in read_colours(theme).items()}
    for sign in ("pos", "neg"):
        for share in np.linspace(0, 1, 21):
            tint = mix(colours[sign], colours["zero"], share)
            assert contrast(colours["ink1"], tint) >= 4.5
        assert (
            contrast(colours["grad"], colours[sign]) >= 2.4
        )  # the outline beside the strongest tint
    assert contrast(colours["grad"], colours["paper"]) >= 4.5
    assert contrast(colours["grad"], colours["zero"]) >= 4.5
    assert contrast(colours["fill"], colours["paper"]) >= 3
    assert contrast(colours["ink1"], colours["fill"]) >= 3
    assert contrast(colours["edge"], colours["paper"]) >= 3  # the outline of a diagnosis' sign
    assert contrast(parse_colour("#212121"), colours["warn"]) >= 4.5  # and what stands in it


@pytest.mark.parametrize("theme", PAPERS)
def test_signs_differ_in_more_than_hue(theme):
    """Green and violet differ for who sees no red or no green: in blue, by a clear step."""
    colours = {name: parse_colour(colour) for name, colour in read_colours(theme).items()}
    assert abs(colours["pos"][2] - colours["neg"][2]) > 0.25


def test_the_page_of_its_own_has_the_dark_colours_of_the_sheet():
    page = html.unescape(render_page(make_lesson()))
    for name in ("grad", "pos", "neg", "zero", "fill", "warn", "edge"):
        assert f"--gm-{name}: {read_colours('dark')[name]}" in page


def test_every_rule_of_the_sheet_is_scoped():
    sheet = (Path(__file__).parent.parent / "gradmagic" / "render" / "report.css").read_text(
        "utf-8"
    )
    sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}@]+)\{", re.sub(r"@(container|media)[^{]*\{", "", sheet)):
        for selector in re.split(r",(?![^(]*\))", selectors):
            assert ".gm" in selector, selector


def test_what_means_nothing_without_a_style_sheet_is_hidden_there():
    """JupyterLab strips <style> and <svg> from an untrusted notebook, but keeps the SVG's text."""
    reader = Reader(render_html(make_lesson()))
    for tag, attributes in reader.tags:
        if "gm-svg" in (attributes.get("class") or ""):
            assert tag == "div"
            assert attributes["style"] == "display:none"
    assert (
        ".gm .gm-svg,.gm .gm-tints,.gm .gm-all:has(svg){display: block !important;}" in load_style()
    )
    page = render_html(make_lesson())
    outside = re.sub(r'<div style="display:none" class="gm-svg.*?</svg></div>', "", page)
    assert "<svg" not in outside
