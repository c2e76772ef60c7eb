"""Activations against closed forms, finite differences, and softmax's Jacobian."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

import gradmagic
from gradmagic.core.activations.lab import make_grid, make_lab
from gradmagic.core.activations.records import DEPTH, find_saturated
from gradmagic.core.errors import UserError
from gradmagic.render.activations.document import describe_lab, pack_curves, render_saved
from gradmagic.render.activations.text import render_activations_text
from gradmagic.render.activations.words import say_share

ERF = np.vectorize(__import__("math").erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# value and derivative in closed form
FORMS = {
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.2 * x), lambda x: np.where(x > 0, 1, 0.2)),
    "elu": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0))),
    ),
    "softplus": (lambda x: np.log1p(np.exp(x)), sigmoid),
    "gelu": (
        lambda x: x * (1 + ERF(x / np.sqrt(2))) / 2,
        lambda x: (1 + ERF(x / np.sqrt(2))) / 2 + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    ),
    "swish": (
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x)),
    ),
}


@pytest.fixture(scope="module")
def eight(tf):
    return make_lab(list(FORMS))


@pytest.mark.parametrize("name", FORMS)
def test_value_and_derivative_are_the_closed_forms(eight, name):
    curve = next(one for one in eight.curves if one.function.name == name)
    value, slope = FORMS[name]
    assert curve.dtype == "float64"
    np.testing.assert_allclose(curve.value, value(eight.x), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(curve.slope, slope(eight.x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FORMS)
def test_the_chain_is_the_derivative_of_f_of_f(eight, name):
    curve = next(one for one in eight.curves if one.function.name == name)
    value, slope = FORMS[name]
    h, product = eight.x, np.ones_like(eight.x)
    for layer in range(DEPTH):
        product, h = product * slope(h), value(h)
        if name not in ("relu", "leaky_relu", "elu"):  # a kink makes each rounding matter
            np.testing.assert_allclose(curve.chain[layer], product, rtol=1e-5, atol=1e-12)
    assert curve.best[0] == curve.steepest
    np.testing.assert_allclose(curve.best, curve.steepest ** np.arange(1, DEPTH + 1), rtol=1e-3)


LEAVING = [
    ("sigmoid", (2, 6)),  # deeper layers stand in (0.88, 1), where it is steeper
    ("tanh", (1, 3)),
    ("softplus", (-6, -3)),
    ("softplus", (-6, 6)),
    ("gelu", (-6, 6)),
    ("lambda x: x**2 / 4", (-6, 6)),
    ("tf.sqrt", (-1, 4)),
    ("tf.math.log", (-6, 6)),
    ("lambda x: tf.nn.softplus(x * tf.constant(3.0))", (-6, -3)),
]


@pytest.mark.parametrize(("name", "ends"), LEAVING)
def test_no_chain_is_more_than_the_best_where_layers_leave_the_range(tf, name, ends):
    (curve,) = make_lab([name], {"tf": tf}, range_=ends).curves
    chain = np.where(np.isnan(curve.chain), 0, np.abs(curve.chain))
    assert (chain <= curve.best[:, None] * (1 + 1e-6)).all()
    assert curve.best[0] == np.nanmax(np.abs(curve.slope))


def test_the_best_that_is_written_is_not_exceeded_by_the_number_beside_it(tf):
    text = render_activations_text(make_lab(["sigmoid"], range_=(2, 6)))
    here, best = re.search(r"from x = 4\.00: (\S+), at best (\S+)", text).groups()
    assert float(here.replace("\u2212", "-")) < float(best.replace("\u2212", "-"))
    page = render_saved(make_lab(["lambda x: x**2 / 4"]), "")
    assert "inf</td>" in page


def test_a_largest_derivative_is_named_where_there_is_one(tf):
    assert "Largest derivative in this range: sigmoid" in render_saved(make_lab(["sigmoid"]), "")
    assert "Largest derivative" not in render_saved(make_lab(["tf.sqrt"], {"tf": tf}), "")


def test_the_chain_is_a_finite_difference_too(tf):
    lab = make_lab(["lambda x: tf.sin(x) + x / 2"], {"tf": tf})

    def stack(x):
        for _ in range(DEPTH):
            x = np.sin(x) + x / 2
        return x

    step = 1e-6
    slope = (stack(lab.x + step) - stack(lab.x - step)) / (2 * step)
    np.testing.assert_allclose(lab.curves[0].chain[-1], slope, rtol=1e-4, atol=1e-6)


def test_stacked_sigmoids_vanish_at_best_as_a_quarter_a_layer(eight):
    sigmoids = eight.curves[0]
    assert sigmoids.steepest == 0.25
    np.testing.assert_array_equal(sigmoids.best, 0.25 ** np.arange(1, DEPTH + 1))
    assert (np.abs(sigmoids.chain[-1]) <= 0.25**DEPTH).all()


def test_where_there_is_no_derivative_tensorflow_has_one(eight):
    zeros = {one.function.name: one.at_zero for one in eight.curves}
    assert zeros.pop("relu") == 0
    assert zeros.pop("leaky_relu") == pytest.approx(0.2)
    assert set(zeros.values()) == {None}


SMOOTH = [
    "lambda x: tf.nn.softplus(x * tf.constant(20.0))",
    "lambda x: 8 * tf.cast(x, tf.float32) ** 2",
    "lambda x: tf.cos(tf.constant(10.0) * x)",
    "lambda x: 1e4 * x**2",
    "lambda x: x * tf.abs(x)",
    "lambda x: tf.abs(x) ** 1.5",
    "lambda x: (x * tf.constant(1.0) + 1000.0) - 1000.0",  # rounding makes stairs of it
    "lambda x: 2 * tf.sigmoid(2 * x) - 1",
]
KINKED = {
    "lambda x: 0.005 * tf.nn.relu(x)": 0,
    "lambda x: tf.nn.relu(x * tf.constant(0.005))": 0,
    "lambda x: tf.abs(x) * tf.constant(1.0) + 1.0": 0,
    "lambda x: tf.maximum(3 * x, 2 * x) + 0.5 * x**2": 3,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_bend_is_no_kink(tf, name):
    assert make_lab([name], {"tf": tf}).curves[0].at_zero is None


@pytest.mark.parametrize(("name", "taken"), KINKED.items())
def test_a_kink_is_one_however_flat_the_function_is(tf, name, taken):
    assert make_lab([name], {"tf": tf}).curves[0].at_zero == taken


def test_the_grid_holds_zero_and_both_ends():
    x = make_grid(-6, 6)
    assert x[0] == -6
    assert x[-1] == 6
    assert x[120] == 0
    assert np.diff(x) == pytest.approx(0.05)


def test_softmax_table_is_the_formula_wherever_the_sliders_stand(tf):
    table = make_lab(["softmax"]).softmax
    random = np.random.default_rng(3)
    for positions in [(0, 0, 0), (32, 0, 32), *random.integers(0, 33, (50, 3)).tolist()]:
        z = table.logits[list(positions)]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        probabilities, jacobian = table.look_up(tuple(positions))
        np.testing.assert_allclose(probabilities, p, rtol=1e-5)
        np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("shift", [0.0, 1.75])
def test_softmax_really_depends_on_differences_alone(tf, shift):
    z = tf.constant([[2.0, 0.5, -1.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        p = tf.nn.softmax(z + shift)
    table = make_lab(["softmax"]).softmax
    probabilities, jacobian = table.look_up(table.start)
    np.testing.assert_allclose(probabilities, p[0], rtol=1e-6)
    np.testing.assert_allclose(jacobian, tape.batch_jacobian(p, z)[0], rtol=1e-5)


def test_saturated_stretches(eight):
    sigmoids = eight.curves[0]
    (left, right) = find_saturated(eight.x, sigmoids.slope, 0.05)
    s = (1 + np.sqrt(1 - 4 * 0.05)) / 2
    edge = np.log(s / (1 - s))
    assert left == pytest.approx((-6, -edge), abs=0.03)
    assert right == pytest.approx((edge, 6), abs=0.03)
    assert find_saturated(np.arange(3.0), np.full(3, np.nan), 1) == []
    assert find_saturated(np.arange(3.0), np.zeros(3), 1) == [(0, 2)]


def test_the_share_is_counted_on_the_tensors_own_entries(tf):
    z = np.random.default_rng(1).normal(0, 3, [40, 25]).astype(np.float32)
    z[0, :3] = np.nan, np.inf, -np.inf
    lab = make_lab(["sigmoid", "relu"], {"z": tf.constant(z)}, of="z", bound=0.07)
    finite = z[np.isfinite(z)].astype(np.float64)
    assert lab.bounds[lab.bound] == 0.07
    for curve in lab.curves:
        slopes = FORMS[curve.function.name][1](finite)
        expected = [(slopes < bound).mean() for bound in lab.bounds]
        np.testing.assert_allclose(curve.shares, expected)
    assert lab.spread.size == 1000
    assert lab.spread.finite == 997
    assert lab.spread.counts.sum() + lab.spread.outside == 997
    assert lab.x[0] <= np.percentile(finite, 0.1)


def test_functions_of_the_notebook(tf):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def wave(x):
        return tf.sin(x)

    def cube(x):
        return x**3

    layer, parametric = tf.keras.layers.LeakyReLU(0.1), tf.keras.layers.PReLU()
    names = {"tf": tf, "wave": wave, "cube": cube, "layer": layer, "parametric": parametric}
    dense = tf.keras.layers.Dense(4, activation="tanh")
    names["dense"] = dense
    asked = ["wave", "cube", "lambda x: x * 2", "layer", "dense.activation", "parametric"]
    lab = make_lab(asked, names)
    dtypes = {curve.function.name: curve.dtype for curve in lab.curves}
    assert dtypes["cube"] == dtypes["lambda x: x * 2"] == "float64"
    assert dtypes["wave"] == dtypes["layer"] == "float32"
    slopes = [curve.slope for curve in lab.curves]
    x = lab.x.astype(np.float32).astype(np.float64)
    expected = [np.cos(x), 3 * lab.x**2, np.full(241, 2), np.where(x > 0, 1, 0.1)]
    expected += [1 - np.tanh(lab.x) ** 2]
    for slope, right in zip(slopes, expected, strict=False):
        np.testing.assert_allclose(slope, right, rtol=1e-5, atol=1e-6)
    assert not parametric.built  # no weights in the shape of the grid
    assert not dense.built


def test_the_notebooks_own_name_comes_first(tf):
    lab = make_lab(["relu", "softmax"], {"relu": lambda x: x * 5, "softmax": tf.constant(1.0)})
    assert set(lab.curves[0].slope) == {5}
    assert lab.softmax is not None


def test_tensorflows_softmax_is_known_wherever_it_comes_from(tf):
    for softmax in (tf.nn.softmax, tf.keras.activations.softmax, tf.keras.layers.Softmax()):
        assert make_lab([softmax]).softmax is not None


FAULTS = [
    ("sigmid", "no sigmid; did you mean sigmoid"),
    ("nowhere", "no nowhere; run the cell"),
    ("z", "'z' is a tensor, not a function"),
    ("tf.", "'tf.' cannot be evaluated: SyntaxError"),
    ("lambda x: 1 / 0", "fails on a float32 tensor of shape .*ZeroDivisionError"),
    ("lambda x: tf.nn.softmax(x)", "mixes the entries of its input"),
    ("lambda x: x - tf.reduce_mean(x)", "mixes the entries"),
    ("tf.sort", "mixes the entries"),
    ("tf.reduce_sum", r"turns shape \[6\] into \[\]"),
    ("lambda x: tf.cast(x, tf.int32)", "returns int32, and only floats"),
    ("lambda x: x.numpy()", "returns ndarray, no tensor"),
    ("tf.round", "has no derivative: tape.gradient gives None"),
    ("lambda x: x + tf.random.normal([])", "another result at each call"),
    ("dense", "dense fails on .*; its activation alone is dense.activation"),
    ("raising", "the gradient of raising fails: ValueError: no"),
    ("scalar", r"the gradient of scalar has shape \[\], and its input \[241\]"),
]


@pytest.mark.parametrize(("name", "words"), FAULTS)
def test_what_cannot_be_drawn_is_one_line(tf, name, words):
    @tf.custom_gradient
    def raising(x):
        def back(_upstream):
            raise ValueError("no\nsecond line")

        return 2 * x, back

    @tf.custom_gradient
    def scalar(x):
        return 2 * x, lambda _upstream: tf.constant(1.0)

    names = {"tf": tf, "z": tf.ones([3]), "dense": tf.keras.layers.Dense(2)}
    names |= {"raising": raising, "scalar": scalar}
    with pytest.raises(UserError, match=words) as caught:
        make_lab([name], names)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"range_": (3, -3)}, "--range needs two numbers"),
        ({"range_": (0, np.inf)}, "--range needs two numbers"),
        ({"range_": ("a", "b")}, r"--range needs two numbers, .*, not \('a', 'b'\)"),
        ({"range_": (1,)}, "--range needs two numbers"),
        ({"range_": 5}, "--range needs two numbers, .*, not 5"),
        ({"range_": np.ones([2, 2])}, "--range needs two numbers"),
        ({"range_": (-1e308, 1e308)}, r"--range -1e\+308 1e\+308 is too wide"),
        ({"of": "far"}, "far reaches too far to be drawn; say --range"),
        ({"bound": 0}, "--bound must be a number above 0, not 0"),
        ({"bound": "a"}, "--bound must be a number above 0, not a"),
        ({"bound": None}, "--bound must be a number above 0"),
        ({"of": "k"}, "k holds int32"),
        ({"of": "text"}, "text is no tensor|text holds string"),
        ({"of": "empty"}, "empty has no finite entry"),
        ({"of": "missing"}, "no missing; run the cell"),
    ],
)
def test_options_that_make_no_sense(tf, options, words):
    names = {"k": tf.constant([1]), "text": "a", "empty": tf.zeros([0])}
    names["far"] = tf.constant([1e308, -1e308], tf.float64)
    with pytest.raises(UserError, match=words) as caught:
        make_lab([], names, **options)
    assert "\n" not in str(caught.value)


def test_too_many_functions_and_softmax_alone_over_a_tensor(tf):
    with pytest.raises(UserError, match="9 functions are too many"):
        make_lab(["relu"] * 9)
    with pytest.raises(UserError, match="softmax has no curve"):
        make_lab(["softmax"], of=tf.ones([3]))


def test_gaps_are_drawn_where_there_is_no_value(tf):
    lab = make_lab(["tf.math.log"], {"tf": tf})
    assert np.isnan(lab.curves[0].value[0])
    html = render_saved(lab, "")
    path = re.findall(r'class="gm-f gm-f0" d="M([\d.]+)', html)
    assert all(float(start) > 44 + 316 / 2 for start in path[:2])  # right of the middle
    assert "Where there is a gap" in html


def test_what_is_sent_is_what_was_computed(tf):
    lab = make_lab(["sigmoid", "relu"])
    block = np.frombuffer(pack_curves(lab), "<f8").reshape(-1, 241)
    np.testing.assert_array_equal(block[0], lab.x)
    for i, curve in enumerate(lab.curves):
        rows = block[1 + i * (1 + DEPTH) :]
        np.testing.assert_array_equal(rows[0], curve.value)
        np.testing.assert_array_equal(rows[1], curve.slope)
        np.testing.assert_array_equal(rows[DEPTH], curve.chain[-1])
    json.dumps(describe_lab(lab), allow_nan=False)


def test_the_saved_page_holds_all_and_stays_small(tf, tmp_path):
    lab = gradmagic.activation("sigmoid", tf.nn.relu, "softmax", of=tf.random.normal([500]))
    gradmagic.save(lab, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert len(page) < 500_000
    assert "http" not in page.replace("http://www.w3.org", "")
    data = json.loads(re.search(r"data-numbers=\"\w+\">(.*?)</script>", page)[1])
    assert len(base64.b64decode(data["block"])) == 8 * 241 * (1 + 2 * (1 + DEPTH))
    gradmagic.save(lab, tmp_path / "a.txt")
    assert "softmax of three logits" in (tmp_path / "a.txt").read_text("utf-8")


def test_names_are_escaped(tf):
    lab = make_lab(["lambda x: x if 1 < 2 else '<img>'"])
    html = render_saved(lab, "")
    assert "<img>" not in html


def test_text(tf):
    text = render_activations_text(make_lab(["relu"], {"z": tf.constant([-1.0, 1.0])}, of="z"))
    assert "50.0 % of the 2 finite entries of z lie where relu is saturated." in text
    assert "At 0 relu has a kink and no derivative; TensorFlow takes 0 there." in text
    assert [say_share(one) for one in (0, 1e-5, 0.5, 0.99999, 1)] == [
        "0.0 %",
        "< 0.1 %",
        "50.0 %",
        "> 99.9 %",
        "100.0 %",
    ]


def test_the_magic_prints_where_there_is_no_notebook(tf, shell, capsys):
    shell.user_ns["z"] = tf.constant([0.0, 9.0])
    shell.run_line_magic("gradactivation", "sigmoid --range -4 4 --of z --bound 0.1")
    text = capsys.readouterr().out
    assert "saturated: |derivative| < 0.1: [−4.00, −2.05], [2.05, 4.00]" in text
    assert "50.0 % of the 2 finite entries" in text
    shell.run_line_magic("gradactivation", '"lambda x: x ** 2" tanh')
    assert "lambda x: x ** 2  (float64)" in capsys.readouterr().out
    shell.run_line_magic("gradactivation", "")
    printed = capsys.readouterr().out
    assert all(f"{name}  (float64)" in printed for name in ("sigmoid", "tanh", "relu"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("relu, tanh", ["relu", "tanh"]),
        ("relu,tanh,", ["relu", "tanh"]),
        ("relu , tanh", ["relu", "tanh"]),
        ('"lambda x: tf.maximum(x, 1.0), tanh"', ["lambda x: tf.maximum(x, 1.0)", "tanh"]),
    ],
)
def test_commas_may_stand_between_the_names(tf, shell, capsys, line, found):
    shell.user_ns["tf"] = tf
    shell.run_line_magic("gradactivation", line)
    heads = re.findall(r"^(\S.*)  \(float64\)$", capsys.readouterr().out, re.MULTILINE)
    assert heads == found


def test_tab_completes_activations_and_functions_of_the_notebook(tf, shell):
    shell.user_ns["signal"] = lambda x: x
    _, found = shell.complete("sig", "%gradactivation sig")
    assert {"sigmoid", "signal"} <= set(found)
    assert "--range" in shell.complete("--r", "%gradactivation --r")[1]


def test_the_magics_errors_are_one_line(tf, shell):
    from IPython.core.error import UsageError

    with pytest.raises(UsageError, match="did you mean tanh"):
        shell.run_line_magic("gradactivation", "tanhh")
    with pytest.raises(UsageError, match="no option --rang"):
        shell.run_line_magic("gradactivation", "tanh --rangs 1 2")
