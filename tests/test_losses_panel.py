"""The panel as HTML and text, and its code, which gives the numbers that it shows."""

from __future__ import annotations

import ast
import base64
import dataclasses
import json
import math
import re

import numpy as np
import pytest

import gradmagic
from gradmagic import sidebar
from gradmagic.core.losses.panel import Origin, make_panel, take_in_hand
from gradmagic.core.losses.race import RaceOptions, run_race
from gradmagic.core.losses.sliders import SCALARS, move_slider
from gradmagic.render.asking.words import list_words as list_quiz_words
from gradmagic.render.losses import snippets
from gradmagic.render.losses.claims import list_claims, list_words, name_flaw, name_state
from gradmagic.render.losses.document import list_hand_codes, render_page, render_saved
from gradmagic.render.losses.panel import fill_snippet, load_style, render_panel
from gradmagic.render.losses.tables import describe_batch, encode_block, pack_tables
from gradmagic.render.losses.text import render_losses_text
from gradmagic.render.losses.top import describe_claim
from gradmagic.widgets.bundle import load_script


@pytest.fixture(scope="module")
def names(tf):
    tf.random.set_seed(3)
    rows = tf.unstack(tf.random.normal([5, 4]) * 3)
    rows[2] = tf.roll(rows[2], 1, 0) * 1.5
    logits = tf.stack(rows)
    numbers = tf.constant([1, 2, 3, 0, 2])
    return {
        "tf": tf,
        "numbers": numbers,
        "y": tf.one_hot(numbers, 4),
        "soft": tf.one_hot(numbers, 4) * 0.9 + 0.025,
        "logits": logits,
        "prob": tf.nn.softmax(logits),
        "listed": logits.numpy().tolist(),
        "double": tf.cast(logits, tf.float64),
        "wide": tf.random.normal([3, 40]) * 3,
        "wider": tf.random.normal([3, 300]) * 3,
        "few": tf.constant([5, 17, 39]),
        "single": logits[:, :1],
        "binary": tf.constant([1, 0, 1, 1, 0]),
        "masked": tf.where(tf.range(4) == 0, -np.inf, logits),
        "pair": logits[:, :2],
    }


def make(names, targets="y", predictions="logits", sample=2):
    asked = sidebar.Asked(targets, predictions)
    return sidebar.make_asked_panel(asked, names, sample)


@pytest.fixture(scope="module")
def panel(names):
    return make(names)


def run_code(code, names):
    """The value of the code's last expression, as a notebook would show it."""
    tree = ast.parse(code)
    space = dict(names)
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<code>", "exec"), space)
    return eval(compile(last, "<code>", "eval"), space)


CASES = [
    ("y", "logits"),
    ("numbers", "logits"),
    ("soft", "logits"),
    ("y", "prob"),
    ("numbers", "listed"),
    ("y", "double"),
    ("numbers[:, None]", "logits"),
    ("few", "wide"),
    ("few", "wider"),
    ("binary", "single"),
    ("binary", "tf.sigmoid(single)"),
    ("numbers[1:3]", "masked[1:3]"),
    ("binary", "pair"),
]


@pytest.mark.parametrize(("targets", "predictions"), CASES)
def test_the_batch_s_code_gives_its_figures(names, targets, predictions):
    panel = make(names, targets, predictions, 0)
    values = run_code(snippets.write_batch(panel), names)
    figures = panel.figures
    ways = [nats for way, nats in figures.crossentropy.items() if way != "binary"]
    expected = [
        *figures.mse.values(),
        *(nats for nats, _ in ways),
        *(bits for _, bits in ways),
        panel.comparison.accuracy,
    ]
    if "binary" in figures.crossentropy:
        expected.append(figures.crossentropy["binary"][0])
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def move_all(panel):
    """Tables after a slider of each kind was moved, one after the other."""
    hands = [panel.hand]
    for pick in (
        lambda tables: (tables.sliders[0], 70),
        lambda tables: (tables.sliders[len(tables.shown)], 80),
        lambda tables: (tables.sliders[len(tables.shown) + 1], 3),
        lambda tables: (tables.sliders[-1], 1),
    ):
        tables = hands[-1].tables
        slider, position = pick(tables)
        position = min(position, len(slider.positions) - 1)
        setting = move_slider(tables, slider, float(slider.positions[position]))
        hands.append(take_in_hand(panel.comparison, setting, panel.leads))
    return [hand.tables for hand in hands]


@pytest.mark.parametrize(("targets", "predictions"), CASES)
def test_the_sample_s_code_gives_its_numbers(names, targets, predictions):
    panel = make(names, targets, predictions, 0)
    for tables in move_all(panel):
        codes = list_hand_codes(panel, tables)
        shown = list(tables.shown)
        found = tables.scalars
        ce, mse, g_ce, g_mse = run_code(fill_snippet(codes["hand"], tables), names)
        assert math.isclose(float(ce), found["crossentropy_pull"], rel_tol=1e-4)
        # (a row alone and a row among others are not rounded alike)
        assert math.isclose(float(mse), found["mse_pull"], rel_tol=1e-4, abs_tol=1e-7)
        by_class = [tables.find_class(number) for number in shown]
        np.testing.assert_allclose(
            np.asarray(g_ce)[0, shown], [one.crossentropy for one in by_class], atol=1e-6
        )
        np.testing.assert_allclose(
            np.asarray(g_mse)[0, shown], [one.mse for one in by_class], atol=1e-6
        )
        ways = run_code(fill_snippet(codes["stability"], tables), names)
        expected = [
            (found["probabilities"], found["probabilities_gradient"]),
            (found["hand"], found["hand_gradient"]),
            (found["crossentropy"], tables.find_class(tables.true_class).crossentropy),
        ]
        np.testing.assert_allclose(ways, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("targets", "predictions"), CASES[:9])
def test_the_curves_code_gives_the_curves(names, targets, predictions):
    panel = make(names, targets, predictions, 0)
    tables = panel.hand.tables
    count = len(tables.shown)
    codes = list_hand_codes(panel, tables)
    for key, at in (
        ("logit", tables.shown.index(tables.true_class)),
        ("confidence", count),
        ("smoothing", count + 1),
    ):
        slider = tables.sliders[at]
        x, ce, mse, size_ce, size_mse = run_code(fill_snippet(codes[f"curve_{key}"], tables), names)
        rows = tables.values[slider.start : slider.start + len(slider.positions)]
        for name, values in (
            ("crossentropy", ce),
            ("mse", mse),
            ("crossentropy_pull", size_ce),
            ("mse_pull", size_mse),
        ):
            column = rows[:, 3 * count + SCALARS.index(name)]
            order = np.argsort(x)
            curve = np.interp(slider.positions, np.asarray(x)[order], np.asarray(values)[order])
            np.testing.assert_allclose(column, curve, atol=0.02 * max(1, np.abs(column).max()))


def test_the_sources_code_gives_their_gradients(ran):
    for predictions in ("logits", "prob"):
        asked = sidebar.Asked("y", predictions, sources=("w", "b"))
        panel = sidebar.make_asked_panel(asked, ran, 1)
        found = run_code(snippets.write_sources(panel), ran)
        for i, source in enumerate(panel.hand.sources):
            np.testing.assert_allclose(found[0][i], source.crossentropy_gradient, atol=1e-6)
            np.testing.assert_allclose(found[1][i], source.mse_gradient, atol=1e-6)
        html = render_panel(panel)
        assert "What each loss asks of the sources" in html
        assert "4×3" in html


def test_the_race_s_code_runs_the_race(tf, panel, names):
    code = snippets.write_race(panel).replace("{steps}", "5").replace("{optimizer}", "SGD(1.0)")
    ce, mse = run_code(code, names)
    laps = list(run_race(names["y"], names["logits"], RaceOptions(1.0, 5)))
    np.testing.assert_allclose(
        ce, (laps[-1].crossentropy.loss, laps[-1].crossentropy.pull), rtol=1e-5
    )
    np.testing.assert_allclose(mse, (laps[-1].mse.loss, laps[-1].mse.pull), rtol=1e-5)


def test_code_of_what_was_found_in_the_graph_runs(tf):
    names = {"tf": tf, "x": tf.random.normal([2, 4]), "w": tf.random.normal([4, 3])}
    gradmagic.gradtape(
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(tf.one_hot([2, 0], 3), x @ w, from_logits=True))",
        "w",
        names=names,
    )
    panel = sidebar.make_asked_panel(sidebar.Asked(), names)
    code = snippets.write_batch(panel)
    assert "import gradmagic" in code
    values = run_code(code, names)
    assert math.isclose(values[0], panel.comparison.mse, rel_tol=1e-6)
    assert "line 1: targets one_hot([2, 0]), logits x @ w" in panel.origin.found


def test_code_of_a_plain_call_stands_for_itself(tf, names):
    comparison = gradmagic.compare_losses(names["numbers"], names["prob"])
    panel = sidebar.make_plain_panel(comparison)
    values = run_code(snippets.write_batch(panel), {})
    assert math.isclose(values[0], comparison.mse, rel_tol=1e-6)


# What it says.


def test_the_claim_names_both_pulls(panel):
    assert describe_claim(panel.hand.tables) == (
        "Sample 2 is confidently wrong: crossentropy pulls 1.41 on its logits, MSE 0.0004."
    )


@pytest.mark.parametrize(
    ("logits", "start"),
    [
        ([5.0, 0.0], "Sample 0 is right, and both let go"),
        ([0.5, 0.0], "Sample 0 is right but unsure"),
        ([0.0, 0.0], "Sample 0 is undecided"),
        ([0.0, 1.0], "Sample 0 is wrong"),
        ([0.0, 20.0], "Sample 0 is confidently wrong"),
    ],
)
def test_each_state_has_its_claim(logits, start):
    comparison = gradmagic.compare_losses([0], [logits], from_logits=True)
    panel = make_panel(comparison, Origin("y", "z"))
    assert describe_claim(panel.hand.tables).startswith(start)
    assert {name_state(state, p) for state in range(4) for p in (0.95, 0.5)} == set(list_claims())


def test_a_pull_of_exactly_0_is_called_so(panel):
    values = panel.hand.tables.values.copy()
    values[:, 12 + SCALARS.index("mse_pull")] = 0
    tables = dataclasses.replace(panel.hand.tables, values=values)
    assert describe_claim(tables).endswith("MSE exactly 0.")


@pytest.mark.parametrize(
    ("value", "gradient", "stable", "flaw"),
    [
        (10.0, -1.0, -1.0, None),
        (16.1, 0.0, -1.0, "clipped"),
        (0.0, 0.0, -1e-9, None),
        (math.inf, math.nan, -1.0, "log"),
        (1.0, math.nan, -1.0, "gradient"),
        (math.nan, math.nan, -1.0, "gradient"),
    ],
)
def test_flaws_are_named(value, gradient, stable, flaw):
    assert name_flaw(value, gradient, stable) == flaw


def test_the_static_panel_tells_everything(panel):
    html = render_panel(panel)
    text = re.sub(r"<[^>]+>", " ", html)
    for words in (
        "3,600 times shorter",
        "0.358996",
        "5.980829",
        "8.628512",
        "1 of 5 right",
        "clipped: gradient is exactly 0",
        "log of 0: gradient is nan",
        "they differ by at most",
    ):
        assert words in text, words
    assert "<script" not in html


def test_hostile_names_stay_text(names):
    space = dict(names)
    space["t"] = {"</script><img src=x onerror=hacked()>": names["y"]}
    panel = make(space, "t['</script><img src=x onerror=hacked()>']")
    saved = render_saved(panel, "")
    assert "<img" not in saved
    assert saved.count("</script>") == 2


def test_many_samples_and_classes_say_what_is_shown(tf):
    tf.random.set_seed(1)
    comparison = gradmagic.compare_losses(
        tf.random.uniform([300], 0, 30, tf.int32), tf.random.normal([300, 30])
    )
    html = render_panel(make_panel(comparison, Origin("y", "z")))
    assert "100 of 300 samples are listed" in html
    assert "12 of 30 classes have a slider" in html


def test_text_for_terminals(panel):
    text = render_losses_text(panel)
    assert text.startswith("MSE against crossentropy\n\nSample 2 is confidently wrong")
    assert "crossentropy  5.980829 nats = 8.628512 bits" in text
    assert "s = 100: softmax first 16.11810 (clipped: gradient is exactly 0); by hand inf" in text
    assert max(map(len, text.splitlines())) < 140


# What is sent and saved.


def test_the_packed_numbers_are_those_of_the_tables(panel):
    tables = panel.hand.tables
    header, block = pack_tables(tables)
    numbers = np.frombuffer(base64.b64decode(encode_block(block)), "<f4")
    shown = list(tables.shown)
    parts = [  # in the order in which tables.js takes them
        tables.values,
        tables.targets,
        tables.target[shown],
        tables.logits[shown],
        *(slider.positions for slider in tables.sliders),
        np.outer(tables.sliders[len(shown)].positions, tables.logits[shown]),
        tables.margins,
    ]
    np.testing.assert_allclose(numbers, np.concatenate([np.ravel(p) for p in parts]), rtol=1e-6)
    assert header["rows"] == len(tables.values)
    json.dumps(header, allow_nan=False)
    json.dumps(describe_batch(panel), allow_nan=False)


@pytest.mark.parametrize(("samples", "classes"), [(1, 2), (5, 4), (64, 10), (200, 100), (3, 2000)])
def test_a_saved_panel_is_small_whatever_it_holds(tf, samples, classes):
    tf.random.set_seed(1)
    comparison = gradmagic.compare_losses(
        tf.random.uniform([samples], 0, classes, tf.int32), tf.random.normal([samples, classes]) * 3
    )
    panel = make_panel(comparison, Origin("y", "z"))
    page = render_page(panel, load_script("losses.js"))
    assert len(page.encode()) <= 500_000
    data = json.loads(re.search(r'data-of="\w+">(.*?)</script>', page, re.DOTALL)[1])
    held = [table["header"]["sample"] for table in data["tables"]]
    assert held[0] == panel.hand.tables.setting.sample
    assert len(held) == len(set(held))
    if samples * classes <= 20:
        assert set(held) == set(range(samples))


def test_infinite_losses_can_be_saved(tf):
    comparison = gradmagic.compare_losses([0, 1], [[0.0, 1.0], [0.5, 0.5]])
    panel = make_panel(comparison, Origin("y", "z"))
    page = render_page(panel, load_script("losses.js"))
    assert "<td>inf</td>" in page
    assert json.loads(re.search(r'data-of="\w+">(.*?)</script>', page, re.DOTALL)[1])["tables"]


def test_save_writes_a_page_or_text(tmp_path, panel):
    gradmagic.save(panel.comparison, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    gradmagic.save(panel.comparison, tmp_path / "a.txt")
    assert "confidently wrong" in (tmp_path / "a.txt").read_text("utf-8")
    with pytest.raises(ValueError, match=r"not as 'a\.png'"):
        gradmagic.save(panel.comparison, tmp_path / "a.png")


def test_script_and_style_are_scoped_and_need_no_network():
    script, style = load_script("losses.js"), load_style()
    assert "http" not in script.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"^import ", script, re.MULTILINE)
    for rule in re.sub(r"@(container|media)[^{]*\{", "", style).split("}"):
        selectors = rule.partition("{")[0].strip()
        scoped = ".gm-" in selectors or selectors.startswith("@keyframes gm-")
        assert not selectors or scoped, selectors


def test_every_word_is_used_and_there():
    script = load_script("losses.js")
    used = set(re.findall(r"words\.(\w+)", script))
    composed = set(re.findall(r"words\[`(\w+_)\$\{", script))  # claim_, flaw_, along_, ...
    kinds = {"logit", "confidence", "smoothing"}  # words[own.kind], words[key]
    words = set(list_words())
    assert used <= words | set(list_quiz_words())
    unused = words - used - kinds
    assert {word for word in unused if not word.startswith(tuple(composed))} == set()
