"""The lesson's sections 1 and 3, line by line: each figure that a class meets, as a cell.

A figure is compared with the lesson's table (to its last printed digit), with the with-block written
by hand (to the last bit), and with a closed form where there is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

LN = np.log


def equal(a: Any, b: Any) -> bool:
    """Bitwise, NaN included."""
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def by_hand(
    body: str, sources: list[str], names: dict[str, Any], *, watch: bool = True, **options: Any
) -> tuple[Any, list[Any]]:
    """Loss and gradients of the with-block as one writes it."""
    tf, own = names["tf"], dict(names)
    code = compile(body, "<by hand>", "exec", dont_inherit=True)
    with tf.GradientTape() as tape:
        if watch:
            tape.watch(
                [own[s] for s in sources if s in own and not isinstance(own[s], tf.Variable)]
            )
        exec(code, own)
    return own["loss"], tape.gradient(own["loss"], [own[s] for s in sources], **options)


def check(gradtape: Any, body: str, sources: str, names: dict[str, Any], **options: Any) -> Any:
    """Run a cell, compare it with the block by hand, return the run."""
    loss, grads = by_hand(body, sources.split(), names, **options)
    run = gradtape(body, *sources.split(), names=names, **options)
    assert equal(run.loss, loss)
    assert len(names["grads"]) == len(grads)
    for got, want in zip(names["grads"], grads, strict=True):
        assert (got is None) == (want is None)
        assert want is None or equal(got, want)
    return run


# -- 1. Gradient descent and the tape -----------------------------------------------------------


def test_smallest_case(gradtape, tf):
    """w = 1, x = 2, y = x * w: dy/dw = 2."""
    names = {"tf": tf, "w": tf.constant(1.0), "x": tf.constant(2.0)}
    run = gradtape("y = x * w", "w", names=names)
    assert float(names["y"]) == 2.0
    assert float(names["grads"]["w"]) == 2.0
    assert (run.target.name, run.target.reason) == ("y", "last-assigned")


def test_a_variable_needs_no_watch(gradtape, tf):
    """The same with a Variable, and without naming a source: what the tape watched by itself."""
    names = {"tf": tf}
    for sources in (["w"], []):
        names.update(w=tf.Variable(1.0), x=tf.constant(2.0))
        gradtape("y = x * w", *sources, names=names)
        assert float(names["grads"]["w"]) == 2.0


def test_a_plain_tensor_is_not_watched_by_the_tape(gradtape, tf):
    """Unwatched, its gradient is None: with no source named, and from the tape that is left."""
    names = {"tf": tf, "w": tf.Variable(1.0), "x": tf.constant(2.0)}
    gradtape("y = x * w", names=names)
    assert set(names["grads"].names) == {"w"}
    assert names["tape"].gradient(names["y"], names["x"]) is None


def test_nothing_is_watched_where_the_tape_is_told_so(gradtape, tf):
    """watch_accessed_variables=False: only what is named or watched by hand."""
    names = {"tf": tf, "w": tf.Variable(1.0), "u": tf.Variable(3.0), "x": tf.constant(2.0)}
    gradtape("tape.watch(u)\ny = x * w * u", "w", "u", names=names, watch_accessed_variables=False)
    assert names["grads"]["w"] is None
    assert float(names["grads"]["u"]) == 2.0
    kinds = [d.kind for d in _last_run().diagnoses if d.subject == "w"]
    assert kinds == ["not-watched"]


def test_a_variable_that_is_not_trainable_is_not_watched(gradtape, tf):
    """Until it is watched by hand."""
    body = "y = x * w"
    names = {"tf": tf, "w": tf.Variable(1.0, trainable=False), "x": tf.constant(2.0)}
    gradtape(body, "w", names=names)
    assert names["grads"]["w"] is None
    gradtape("tape.watch(w)\n" + body, "w", names=names)
    assert float(names["grads"]["w"]) == 2.0


def test_a_second_call_is_a_runtime_error(gradtape, tf):
    """persistent=False: gradient() once; persistent=True: as often as one likes."""
    names = {"tf": tf, "w": tf.constant(1.0), "x": tf.constant(2.0)}
    gradtape("y = x * w", "w", names=names)
    assert float(names["tape"].gradient(names["y"], names["w"])) == 2.0
    with pytest.raises(RuntimeError, match="non-persistent"):
        names["tape"].gradient(names["y"], names["w"])
    gradtape("y = x * w", "w", names=names, persistent=True)
    for _ in range(3):
        assert float(names["tape"].gradient(names["y"], names["w"])) == 2.0


@pytest.mark.parametrize("unconnected", ["none", "zero"])
def test_a_source_that_the_target_does_not_use(gradtape, tf, unconnected):
    """None, or zeros of its shape."""
    names = {"tf": tf, "w": tf.constant(1.0), "b": tf.ones([2, 3])}
    gradtape("loss = w * w", "w", "b", names=names, unconnected_gradients=unconnected)
    dw, db = names["grads"]
    assert float(dw) == 2.0
    if unconnected == "none":
        assert db is None
        assert names["tape"].gradient(names["loss"], names["b"]) is None  # as a following call says
    else:
        assert equal(db, np.zeros([2, 3], np.float32))


DESCENT = [(0.1, "good"), (0.001, "small"), (1.1, "large")]


@pytest.mark.parametrize(("rate", "kind"), DESCENT, ids=[kind for _, kind in DESCENT])
def test_descent_by_running_the_cell_again(gradtape, tf, rate, kind):
    """w <- w - lr * dloss/dw on (w - 3)²: w - 3 shrinks by 1 - 2 lr a step, or grows."""
    names = {"tf": tf, "w": tf.constant(0.0)}
    body = f"loss = (w - 3.0) ** 2  # lr = {rate}"
    w, history = tf.constant(0.0), []
    for _ in range(25):
        run = gradtape(body, "w", names=names)
        with tf.GradientTape() as tape:
            tape.watch(w)
            loss = (w - 3.0) ** 2
        grad = tape.gradient(loss, w)
        assert equal(names["grads"]["w"], grad)
        history.append(float(loss))
        names["w"] = names["w"] - rate * names["grads"]["w"]
        w = w - rate * grad
    assert equal(names["w"], w)
    assert run.history[-25:] == tuple(history)
    assert float(w) - 3.0 == pytest.approx(-3.0 * (1 - 2 * rate) ** 25, rel=1e-3)
    assert {
        "good": history[-1] < 1e-3,
        "small": 8.0 < history[-1] < 9.0,
        "large": history[-1] > 1e4,
    }[kind]


def test_descent_inside_one_cell(gradtape, tf):
    """The whole loop as the cell, with tapes of its own: a Variable that assign_sub moves."""
    body = """
for step in range(10):
    with tf.GradientTape() as inner:
        inner_loss = (w - 3.0) ** 2
    w.assign_sub(0.1 * inner.gradient(inner_loss, w))
loss = (w - 3.0) ** 2"""
    names = {"tf": tf, "w": tf.Variable(0.0)}
    gradtape(body, "w", names=names)
    error = np.float32(-3.0)
    assert float(names["w"]) - 3.0 == pytest.approx(error * 0.8**10, rel=1e-5)
    assert float(names["grads"]["w"]) == pytest.approx(2 * error * 0.8**10, rel=1e-5)


# -- 3.1 Mean squared error ---------------------------------------------------------------------

MSE = {
    "mean-of-squares": "loss = tf.reduce_mean((y - out) ** 2)",
    "squared-norm": "loss = tf.norm(y - out) ** 2 / (5 * 4)",
    "mean-of-keras": "per_sample = tf.losses.MSE(y, out)\nloss = tf.reduce_mean(per_sample)",
}


def _make_mse(tf: Any) -> dict[str, Any]:
    return {
        "tf": tf,
        "y": tf.one_hot([1, 2, 3, 0, 2], depth=4),
        "out": tf.random.stateless_normal([5, 4], seed=[1, 2]),
    }


def test_mse_three_ways(gradtape, tf):
    """The three agree; d loss / d out = 2 (out - y) / 20."""
    names: dict[str, Any] = {}
    for way, body in MSE.items():
        names.update(_make_mse(tf))
        run = check(gradtape, body, "out", names)
        y, out = (np.asarray(names[n], np.float64) for n in ("y", "out"))
        assert float(run.loss) == pytest.approx(float(np.mean((y - out) ** 2)), rel=1e-6), way
        np.testing.assert_allclose(names["grads"]["out"], 2 * (out - y) / 20, rtol=1e-5)
        assert run.target.unit is None


def test_mse_per_sample(gradtape, tf):
    """tf.losses.MSE gives one value a sample, shape [5]; the report takes them apart."""
    names = _make_mse(tf)
    run = gradtape(MSE["mean-of-keras"], "out", names=names)
    assert names["per_sample"].shape == (5,)
    assert run.per_sample.reduction == "mean"
    np.testing.assert_array_equal(
        run.per_sample.losses, np.asarray(names["per_sample"], np.float64)
    )


# -- 3.2 and 3.5 Gradients through a small classifier -------------------------------------------

FORWARD = {
    "mse": "prob = tf.nn.softmax(x @ w + b)\nloss = tf.reduce_mean(tf.losses.MSE(tf.one_hot([2, 0], 3), prob))",
    "crossentropy": "logits = x @ w + b\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy("
    "tf.one_hot([2, 0], 3), logits, from_logits=True))",
}


def _make_classifier(tf: Any) -> dict[str, Any]:
    return {
        "tf": tf,
        "x": tf.random.stateless_normal([2, 4], seed=[3, 4]),
        "w": tf.random.stateless_normal([4, 3], seed=[5, 6]),
        "b": tf.zeros([3]),
    }


@pytest.mark.parametrize("loss", FORWARD)
def test_gradients_have_the_shapes_of_the_weights(gradtape, tf, loss):
    """w [4, 3] and b [3], in whatever order they are asked for."""
    names = _make_classifier(tf)
    check(gradtape, FORWARD[loss], "w b", names)
    assert names["grads"]["w"].shape == (4, 3)
    assert names["grads"]["b"].shape == (3,)
    dw = names["grads"]["w"]
    check(gradtape, FORWARD[loss], "b w", names)
    assert equal(names["grads"][1], dw)


@pytest.mark.parametrize("loss", FORWARD)
def test_gradients_are_the_chain_rule(gradtape, tf, loss):
    """Closed forms in float64: of MSE through softmax's p(1-p) terms, of crossentropy p - y."""
    names = _make_classifier(tf)
    gradtape(FORWARD[loss], "w", "b", names=names)
    x, w, b = (np.asarray(names[n], np.float64) for n in "xwb")
    y = np.eye(3)[[2, 0]]
    e = np.exp(x @ w + b)
    p = e / e.sum(1, keepdims=True)
    if loss == "mse":
        dp = 2 * (p - y) / 6
        dz = p * (dp - (dp * p).sum(1, keepdims=True))
    else:
        dz = (p - y) / 2
    np.testing.assert_allclose(names["grads"]["w"], x.T @ dz, rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(names["grads"]["b"], dz.sum(0), rtol=2e-5, atol=1e-7)


def test_the_gradient_of_the_logits(gradtape, tf):
    """logits, made in the cell, as a source: (softmax - one_hot) / batch."""
    names = _make_classifier(tf)
    run = gradtape(FORWARD["crossentropy"], "logits", "w", names=names)
    want = (tf.nn.softmax(names["logits"]) - tf.one_hot([2, 0], 3)) / 2
    np.testing.assert_allclose(names["grads"]["logits"], want, rtol=1e-6, atol=1e-7)
    with tf.GradientTape() as tape:
        logits = names["x"] @ names["w"] + names["b"]
        tape.watch(logits)
        loss = tf.reduce_mean(
            tf.losses.categorical_crossentropy(tf.one_hot([2, 0], 3), logits, from_logits=True)
        )
    assert equal(names["grads"]["logits"], tape.gradient(loss, logits))
    assert run.target.unit == "nats"
    assert len(run.gradients["logits"].bound) == 1


def test_confidently_wrong(gradtape, tf):
    """s = 10: MSE's gradient is 9e-5, crossentropy's 1.0, on the same logits."""
    names = {"tf": tf, "logits": tf.constant([[10.0, 0.0]]), "y": tf.constant([[0.0, 1.0]])}
    check(
        gradtape, "loss = tf.reduce_mean(tf.losses.MSE(y, tf.nn.softmax(logits)))", "logits", names
    )
    p = 1 / (1 + np.exp(10.0))
    np.testing.assert_allclose(
        names["grads"][0], [[2 * p * (1 - p) ** 2, -2 * p * (1 - p) ** 2]], rtol=2e-3
    )
    assert [f"{v:.0e}" for v in np.ravel(names["grads"][0])] == ["9e-05", "-9e-05"]
    body = "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True))"
    check(gradtape, body, "logits", names)
    assert [round(float(v), 4) for v in np.ravel(names["grads"][0])] == [1.0, -1.0]


# -- 3.3 Crossentropy ---------------------------------------------------------------------------

CROSSENTROPY = [
    ("uniform", [0, 1, 0, 0], [0.25, 0.25, 0.25, 0.25], 1.3863),
    ("wrong", [0, 1, 0, 0], [0.1, 0.1, 0.7, 0.1], 2.3026),
    ("right", [0, 1, 0, 0], [0.1, 0.7, 0.1, 0.1], 0.3567),
]
BINARY = [("right", [0.9, 0.1], 0.1054), ("wrong", [0.1, 0.9], 2.3026)]
WAYS = {
    "keras": "loss = tf.losses.categorical_crossentropy(y, q)",
    "keras-batch": "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y[None], q[None]))",
    "sum-p-log-q": "loss = -tf.reduce_sum(y * tf.math.log(q))",
    "log-softmax": "loss = -tf.reduce_sum(y * tf.nn.log_softmax(tf.math.log(q)))",
    "sparse": "loss = tf.reduce_mean(tf.losses.sparse_categorical_crossentropy(tf.constant([1]), q[None]))",
}


@pytest.mark.parametrize(("name", "y", "q", "nats"), CROSSENTROPY, ids=[c[0] for c in CROSSENTROPY])
def test_crossentropy_in_nats(gradtape, tf, name, y, q, nats):
    """The lesson's figures; uniform over four classes is 2 bits."""
    names = {"tf": tf, "y": tf.constant(y, tf.float32), "q": tf.constant(q)}
    for way, body in WAYS.items():
        run = check(gradtape, body, "q", names)
        assert f"{float(run.loss):.4f}" == f"{nats:.4f}", way
        assert run.target.unit == "nats", way
        if name == "uniform":
            assert float(run.loss) / LN(2) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize(("name", "q", "nats"), BINARY, ids=[c[0] for c in BINARY])
def test_binary_crossentropy_in_nats(gradtape, tf, name, q, nats):
    """Target [1, 0]: the mean over both entries."""
    names = {"tf": tf, "y": tf.constant([1.0, 0.0]), "q": tf.constant(q)}
    for body in (
        "loss = tf.losses.binary_crossentropy(y, q)",
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy(y[None], q[None]))",
    ):
        run = check(gradtape, body, "q", names)
        assert f"{float(run.loss):.4f}" == f"{nats:.4f}"
        assert run.target.unit == "nats"


def test_a_perfect_match_is_zero(gradtape, tf):
    """Smaller is closer; by hand exactly 0, by Keras 0 but for its clipping."""
    names = {"tf": tf, "y": tf.constant([0.0, 1.0, 0.0]), "q": tf.constant([1e-30, 1.0, 1e-30])}
    run = check(gradtape, WAYS["sum-p-log-q"], "q", names)
    assert float(run.loss) == 0.0
    run = check(gradtape, WAYS["keras"], "q", names)
    assert float(run.loss) == pytest.approx(0.0, abs=2e-7)


# -- 3.4 Logits instead of probabilities --------------------------------------------------------

UNSTABLE = {
    "keras": "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, tf.nn.softmax(logits)))",
    "by-hand": "loss = tf.reduce_mean(-tf.math.log(tf.nn.softmax(logits)[:, 1]))",
    "logits": "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True))",
}
INF, NAN = float("inf"), float("nan")
TABLE = [  # s, how, loss and the size of the gradient as the lesson prints them
    (10, "keras", "10.00005", "0.99995"),
    (10, "by-hand", "10.00005", "0.99995"),
    (10, "logits", "10.00005", "0.99995"),
    (50, "keras", "16.11810", "0"),
    (50, "by-hand", "50.0", "1"),
    (50, "logits", "50.0", "1"),
    (100, "keras", "16.11810", "0"),
    (100, "by-hand", "inf", "nan"),
    (100, "logits", "100.0", "1"),
]


@pytest.mark.parametrize(
    ("s", "how", "loss", "slope"), TABLE, ids=[f"{s}-{how}" for s, how, *_ in TABLE]
)
def test_the_table_of_instability(gradtape, tf, s, how, loss, slope):
    """Two classes, logits [s, 0], true class 1: every cell of the lesson's table."""
    names = {"tf": tf, "logits": tf.constant([[float(s), 0.0]]), "y": tf.constant([[0.0, 1.0]])}
    run = check(gradtape, UNSTABLE[how], "logits", names)
    digits = len(loss.partition(".")[2])
    assert f"{float(run.loss):.{digits}f}" == loss
    grad = np.ravel(names["grads"]["logits"])
    if slope == "nan":
        assert np.isnan(grad).any()
        assert run.gradients["logits"].gradient.nans == int(np.isnan(grad).sum()) > 0
    elif slope == "0":
        assert grad.tolist() == [0.0, 0.0]  # exactly: no NaN, no warning, no learning
        assert run.gradients["logits"].gradient.zeros == 2
        assert float(run.loss) == pytest.approx(-LN(1e-7), rel=1e-6)
    else:
        digits = len(slope.partition(".")[2])
        assert [f"{v:.{digits}f}" for v in grad] == [slope, f"-{slope}"]


def test_large_logits_of_random_weights(gradtape, tf):
    """x [1, 784], w [784, 2]: logits of size about 28, on which the two ways part."""
    names = {
        "tf": tf,
        "x": tf.random.stateless_normal([1, 784], seed=[1, 1]),
        "w": tf.random.stateless_normal([784, 2], seed=[2, 2]),
        "b": tf.zeros([2]),
    }
    spread = np.std(
        [
            np.asarray(
                tf.random.stateless_normal([1, 784], seed=[1, k])
                @ tf.random.stateless_normal([784, 2], seed=[2, k])
            )
            for k in range(200)
        ]
    )
    assert 24 < spread < 32
    difference = np.ravel(names["x"] @ names["w"]) @ [1, -1]
    names["y"] = tf.one_hot([int(difference > 0)], 2)  # the class that the model holds for wrong
    stable = f"logits = x @ w + b\n{UNSTABLE['logits']}"
    run = check(gradtape, stable, "w b", names)
    assert float(run.loss) == pytest.approx(abs(difference), rel=1e-4)
    assert np.abs(names["grads"]["w"]).max() > 0.5
    run = check(gradtape, f"logits = x @ w + b\n{UNSTABLE['keras']}", "w b", names)
    if abs(difference) > 17:  # beyond -ln(1e-7)
        assert f"{float(run.loss):.5f}" == "16.11810"
        assert not np.any(names["grads"]["w"])


def _last_run() -> Any:
    import gradmagic

    return gradmagic.last_run()
