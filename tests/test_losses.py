"""compare_losses against closed forms in NumPy float64, and what it says to what makes no sense."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradmagic
from gradmagic.core.errors import UserError
from gradmagic.core.losses.comparison import compute_figures, take_sample_sources


def softmax(z):
    shifted = np.exp(z - z.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def closed_forms(y, z):
    """Means, per-sample losses, and the gradients of the means, in float64."""
    y, z = np.asarray(y, np.float64), np.asarray(z, np.float64)
    p, (n, c) = softmax(z), z.shape
    log_sum = z.max(1) + np.log(np.exp(z - z.max(1, keepdims=True)).sum(1))
    error = p - y
    return {
        "per_sample_mse": (error**2).mean(1),
        "per_sample_crossentropy": (y * (log_sum[:, None] - z)).sum(1),
        "crossentropy_gradient": error / n,
        "mse_gradient": 2 / c * p * (error - (error * p).sum(1, keepdims=True)) / n,
        "probabilities": p,
    }


def check(comparison, y, z, tolerance=1e-5):
    expected = closed_forms(y, z)
    for name, value in expected.items():
        found = getattr(comparison, name)
        np.testing.assert_allclose(found, value, rtol=tolerance, atol=tolerance, err_msg=name)
    n = len(np.asarray(z))
    assert math.isclose(comparison.mse, expected["per_sample_mse"].mean(), rel_tol=tolerance)
    nats = expected["per_sample_crossentropy"].mean()
    assert math.isclose(comparison.crossentropy, nats, rel_tol=tolerance)
    assert math.isclose(comparison.crossentropy_bits, nats / np.log(2), rel_tol=tolerance)
    for loss in ("mse", "crossentropy"):
        pull = np.linalg.norm(expected[f"{loss}_gradient"] * n, axis=1)
        found = getattr(comparison, f"{loss}_pull")
        np.testing.assert_allclose(found, pull, rtol=10 * tolerance, atol=tolerance)
    right = (np.asarray(z).argmax(1) == np.asarray(y).argmax(1)).mean()
    assert comparison.accuracy == right


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("samples", "classes"), [(1, 2), (5, 4), (64, 10), (7, 300)])
def test_it_agrees_with_closed_forms(tf, samples, classes, dtype):
    random = np.random.default_rng(samples)
    z = random.normal(0, 4, [samples, classes]).astype(dtype)
    numbers = random.integers(0, classes, samples)
    comparison = gradmagic.compare_losses(numbers, tf.constant(z))
    assert comparison.logits.dtype.name == dtype
    check(comparison, np.eye(classes)[numbers], z, 1e-5 if dtype == "float32" else 1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(2, 6), st.integers(0, 2**31), st.floats(0.1, 60))
def test_it_agrees_for_soft_labels_of_any_size(samples, classes, seed, scale):
    random = np.random.default_rng(seed)
    z = random.normal(0, scale, [samples, classes])
    y = random.dirichlet(np.ones(classes), samples)
    comparison = gradmagic.compare_losses(y, z, from_logits=True)
    check(comparison, y, z, 1e-9)
    assert comparison.batch.form == "soft"


def test_the_gradient_agrees_with_finite_differences(tf):
    random = np.random.default_rng(3)
    z, y = random.normal(0, 2, [3, 4]), np.eye(4)[[0, 3, 1]]
    comparison = gradmagic.compare_losses(y, z)
    step = 1e-6
    for loss in ("mse", "crossentropy"):
        slopes = np.zeros_like(z)
        for index in np.ndindex(*z.shape):
            ends = []
            for sign in (1, -1):
                moved = z.copy()
                moved[index] += sign * step
                ends.append(getattr(gradmagic.compare_losses(y, moved, from_logits=True), loss))
            slopes[index] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(getattr(comparison, f"{loss}_gradient"), slopes, atol=1e-8)


@pytest.mark.parametrize(
    ("prediction", "nats"),
    [
        ([0.25, 0.25, 0.25, 0.25], 1.3863),
        ([0.1, 0.1, 0.7, 0.1], 2.3026),
        ([0.1, 0.7, 0.1, 0.1], 0.3567),
    ],
)
def test_the_lesson_of_crossentropy(prediction, nats):
    comparison = gradmagic.compare_losses([1], [prediction])
    assert comparison.batch.kind == "probabilities"
    assert math.isclose(comparison.crossentropy, nats, abs_tol=5e-5)
    assert math.isclose(comparison.crossentropy_bits, nats / math.log(2), abs_tol=1e-4)


@pytest.mark.parametrize(("prediction", "nats"), [([0.9, 0.1], 0.1054), ([0.1, 0.9], 2.3026)])
def test_the_lesson_of_the_binary_case(prediction, nats):
    comparison = gradmagic.compare_losses([1, 0], prediction)
    figures = compute_figures(comparison)
    assert math.isclose(figures.crossentropy["binary"][0], nats, abs_tol=5e-5)
    assert math.isclose(comparison.crossentropy, nats, abs_tol=5e-5)


def test_the_lesson_of_mse(tf):
    tf.random.set_seed(0)
    out = tf.random.normal([5, 4])
    y = tf.one_hot([1, 2, 3, 0, 2], 4)
    mse = compute_figures(gradmagic.compare_losses(y, out)).mse
    p = softmax(out.numpy().astype(np.float64))
    for way, value in mse.items():
        assert math.isclose(value, ((y.numpy() - p) ** 2).mean(), rel_tol=1e-6), way
    assert set(mse) == {"mean", "norm", "keras"}


def test_a_surely_wrong_answer(tf):
    comparison = gradmagic.compare_losses([1], [[10.0, 0.0]])
    assert math.isclose(float(comparison.crossentropy_pull[0]), math.sqrt(2), rel_tol=1e-4)
    np.testing.assert_allclose(comparison.crossentropy_gradient, [[0.99995, -0.99995]], atol=1e-5)
    np.testing.assert_allclose(comparison.mse_gradient, [[9.1e-5, -9.1e-5]], atol=1e-6)


def test_the_ways_agree_with_keras_from_probabilities(tf):
    random = np.random.default_rng(1)
    p = softmax(random.normal(0, 2, [6, 3])).astype("float32")
    y = np.eye(3, dtype="float32")[[0, 1, 2, 2, 1, 0]]
    nats = compute_figures(gradmagic.compare_losses(y, p)).crossentropy
    keras = float(tf.reduce_mean(tf.losses.categorical_crossentropy(y, p)))
    for way, (value, bits) in nats.items():
        assert math.isclose(value, keras, rel_tol=1e-5), way
        assert math.isclose(bits, keras / math.log(2), rel_tol=1e-5), way


# How targets and predictions are read.

Y, Z = [1, 0, 2], [[1.0, 2.0, 3.0], [0.5, -1.0, 0.0], [2.0, 0.0, 4.0]]
HOT = np.eye(3)[Y]


@pytest.mark.parametrize(
    ("targets", "form"),
    [
        (Y, "numbers"),
        (np.array(Y, np.int8), "numbers"),
        (np.array(Y, np.float64), "numbers"),
        (np.array(Y)[:, None], "numbers"),
        (HOT, "one-hot"),
        (HOT.astype(int), "one-hot"),
        (HOT.astype(bool), "one-hot"),
        (HOT * 0.9 + 0.1 / 3, "soft"),
    ],
)
def test_targets_are_told_apart(targets, form):
    comparison = gradmagic.compare_losses(targets, Z)
    assert comparison.batch.form == form
    if form != "soft":
        np.testing.assert_array_equal(comparison.targets, HOT)
    assert comparison.batch.notes


def test_predictions_are_told_apart_and_overridable():
    half = [[0.25, 0.75], [0.5, 0.5]]
    assert gradmagic.compare_losses([0, 1], half).batch.kind == "probabilities"
    assert gradmagic.compare_losses([0, 1], half, from_logits=True).batch.kind == "logits"
    assert gradmagic.compare_losses([0, 1], [[0.0, 0.0]] * 2).batch.kind == "logits"
    assert gradmagic.compare_losses([0, 1], [[0.0, 2.0]] * 2).batch.kind == "logits"
    probabilities = gradmagic.compare_losses([0, 1], half).probabilities
    np.testing.assert_allclose(probabilities, half, rtol=1e-6)


def test_one_output_for_two_classes(tf):
    z, t = tf.constant([[2.0], [-3.0], [0.5]]), [1, 1, 0]
    for predictions, kind in ((z, "logits"), (tf.sigmoid(z), "probabilities")):
        comparison = gradmagic.compare_losses(t, predictions)
        assert (comparison.batch.form, comparison.batch.kind) == ("single", kind)
        expected = tf.losses.binary_crossentropy(
            tf.constant(t, tf.float32)[:, None], z, from_logits=True
        )
        np.testing.assert_allclose(comparison.per_sample_crossentropy, expected, rtol=1e-5)


def test_more_dimensions_are_a_longer_batch(tf):
    z = tf.random.normal([2, 5, 4])
    numbers = tf.random.uniform([2, 5], 0, 4, tf.int32)
    comparison = gradmagic.compare_losses(numbers, z)
    assert comparison.targets.shape == [10, 4]
    check(comparison, np.eye(4)[numbers.numpy().reshape(-1)], z.numpy().reshape(10, 4))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(tf, dtype):
    z = tf.cast(tf.constant(Z), dtype)
    comparison = gradmagic.compare_losses(Y, z)
    expected = closed_forms(HOT, np.array(Z))
    assert math.isclose(comparison.mse, expected["per_sample_mse"].mean(), rel_tol=0.02)
    assert gradmagic.compare_losses(Y, tf.nn.softmax(z)).batch.kind == "probabilities"


def test_a_masked_class_has_no_part(tf):
    masked = tf.constant([[-np.inf, 0.0, 1.0], [1.0, 2.0, -np.inf]])
    comparison = gradmagic.compare_losses([1, 0], masked)
    plain = [
        gradmagic.compare_losses([0], [[0.0, 1.0]], from_logits=True),
        gradmagic.compare_losses([0], [[1.0, 2.0]], from_logits=True),
    ]
    np.testing.assert_allclose(
        comparison.per_sample_crossentropy, [one.crossentropy for one in plain], rtol=1e-6
    )
    assert comparison.crossentropy_gradient[0, 0] == 0
    assert np.isneginf(comparison.logits[0, 0])


def test_a_true_class_of_probability_0_has_an_infinite_loss():
    comparison = gradmagic.compare_losses([0], [[0.0, 1.0]])
    assert comparison.crossentropy == math.inf
    np.testing.assert_array_equal(comparison.crossentropy_gradient, [[-1.0, 1.0]])


@pytest.mark.parametrize(
    ("targets", "predictions", "from_logits", "words"),
    [
        ([3, 0, 1], Z, None, "target 0 is 3; class numbers of 3 classes are 0 to 2"),
        ([1, 3, 2], Z, None, "subtract 1"),
        ([-1, 0, 1], Z, None, "target 0 is -1"),
        ([0.5, 0, 1], Z, None, "target 0 is 0.5"),
        ([0, 1], Z, None, r"targets of shape \[2\] do not fit predictions of shape \[3, 3\]"),
        (np.zeros((3, 3)), Z, None, "row 0 of the targets sums to 0, .*one_hot"),
        (HOT * 2, Z, None, "row 0 of the targets sums to 2, not to 1"),
        (HOT - 1, Z, None, "-1 at .* of the targets is below 0"),
        (Y, [[1.0, math.nan, 0.0]] * 3, None, r"predictions are nan at \[0, 1\]"),
        (Y, [[1.0, math.inf, 0.0]] * 3, None, r"predictions are inf at \[0, 1\]"),
        (Y, [[-math.inf] * 3] * 3, None, "row 0 of the predictions is -inf throughout"),
        ([[math.nan, 0, 1]] * 3, Z, None, r"targets are nan at \[0, 0\]"),
        (Y, [[0.5, 0.2, 0.1]] * 3, None, "row 0 sums to 0.8.*--from-logits"),
        (Y, [[0.5, 0.2, 0.1]] * 3, False, "row 0 of the predictions sums to 0.8"),
        (Y, Z, False, r"2 at \[0, 1\] of the predictions is no probability|3 at"),
        ([2, 0], [0.3, 0.9], None, "target 0 is 2; with one output, targets are 0 or 1"),
        ([0], np.zeros((0, 3)), None, "there are no predictions"),
        (Y, "logits", None, "predictions are string"),
        (Y, object(), None, "predictions cannot become a tensor"),
        (Y, 3.0, None, "predictions are one number"),
        ([1j], [[1.0, 2.0]], None, "targets are complex"),
    ],
)
def test_what_makes_no_sense_gets_one_clear_line(targets, predictions, from_logits, words):
    with pytest.raises(UserError, match=words) as caught:
        gradmagic.compare_losses(targets, predictions, from_logits)
    assert "\n" not in str(caught.value)


def test_ragged_and_symbolic_tensors_are_refused(tf):
    with pytest.raises(UserError, match="RaggedTensor; make them dense"):
        gradmagic.compare_losses([0], tf.ragged.constant([[1.0, 2.0], [1.0]]))
    symbol = tf.keras.Input((3,))
    with pytest.raises(UserError, match=r"cannot become a tensor|no values yet"):
        gradmagic.compare_losses([0], symbol)


def test_nothing_random_is_drawn(tf):
    tf.random.set_seed(5)
    expected = tf.random.normal([3])
    tf.random.set_seed(5)
    gradmagic.compare_losses(Y, Z)
    np.testing.assert_array_equal(tf.random.normal([3]), expected)


# Sources: through the tape of the last cell.


def write_by_hand(tf, names, sample=None):
    """Gradients of both losses with respect to w and b, by the plain with-block."""
    w, b = names["w"], names["b"]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([w, b])
        logits = names["x"] @ w + b
        mse = tf.losses.MSE(names["y"], tf.nn.softmax(logits))
        ce = tf.losses.categorical_crossentropy(names["y"], logits, from_logits=True)
        take = tf.reduce_mean if sample is None else (lambda losses: losses[sample])
        mse, ce = take(mse), take(ce)
    return tape.gradient(ce, [w, b]), tape.gradient(mse, [w, b])


@pytest.mark.parametrize("predictions", ["logits", "prob"])
def test_sources_get_the_gradients_of_the_hand_written_block(tf, ran, predictions):
    sources = {"w": ran["w"], "b": ran["b"]}
    comparison = gradmagic.compare_losses(ran["y"], ran[predictions], sources=sources)
    expected = write_by_hand(tf, ran)
    assert [source.name for source in comparison.sources] == ["w", "b"]
    for i, source in enumerate(comparison.sources):
        np.testing.assert_allclose(source.crossentropy_gradient, expected[0][i], atol=1e-6)
        np.testing.assert_allclose(source.mse_gradient, expected[1][i], atol=1e-6)
    for sample in range(2):
        expected = write_by_hand(tf, ran, sample)
        for i, source in enumerate(take_sample_sources(comparison, sample)):
            np.testing.assert_allclose(source.crossentropy_gradient, expected[0][i], atol=1e-6)
            np.testing.assert_allclose(source.mse_gradient, expected[1][i], atol=1e-6)


def test_asking_for_sources_leaves_the_tape_unused(tf, ran):
    gradmagic.compare_losses(ran["y"], ran["logits"], sources=[ran["w"]])
    np.testing.assert_array_equal(ran["tape"].gradient(ran["loss"], ran["w"]), ran["grads"]["w"])


def test_models_count_as_their_variables(tf):
    model = tf.keras.Sequential([tf.keras.layers.Dense(3)])
    x = tf.random.normal([2, 4])
    model(x)
    names = {"tf": tf, "model": model, "x": x}
    gradmagic.gradtape("logits = model(x)\nloss = tf.reduce_sum(logits)", "model", names=names)
    sources = {"model": model}
    comparison = gradmagic.compare_losses([2, 0], names["logits"], sources=sources)
    shapes = [tuple(source.mse_gradient.shape) for source in comparison.sources]
    assert shapes == [(4, 3), (3,)]


def test_a_used_tape_is_named(tf, ran):
    ran["tape"].gradient(ran["loss"], ran["w"])
    with pytest.raises(UserError, match=r"gone or used up.*run the cell again"):
        gradmagic.compare_losses(ran["y"], ran["logits"], sources={"w": ran["w"]})


def test_a_source_without_a_path_is_named(tf, ran):
    with pytest.raises(UserError, match="no path from v to the predictions"):
        gradmagic.compare_losses(ran["y"], ran["logits"], sources={"v": tf.constant(1.0)})
    with pytest.raises(UserError, match="no path from w to the predictions"):
        gradmagic.compare_losses(ran["y"], ran["logits"].numpy(), sources={"w": ran["w"]})


def test_the_tape_is_not_kept_alive(tf, ran):
    from gradmagic.core import runs

    assert runs.last_tape() is ran["tape"]
    del ran["tape"]
    import gc

    gc.collect()
    assert runs.last_tape() is None
