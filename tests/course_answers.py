"""What students may write into the exercises of the course, right and wrong."""

from __future__ import annotations

NAMES = (
    "1_tape_and_gradient.ipynb",
    "2_activations.ipynb",
    "3_mean_squared_error.ipynb",
    "4_crossentropy_and_logits.ipynb",
    "5_mse_against_crossentropy.ipynb",
    "6_why_none_zero_nan.ipynb",
)

# What a student may write in the place of the three dots: an expression, or whole lines in the place
# of theirs. Of each exercise the answers that are right, and those that are wrong.
TAPED = "with tf.GradientTape() as tape:\n    {watch}y = f(u)\nslope = tape.gradient(y, u)"
ANSWERS: dict[str, tuple[tuple[list[str], list[str]], ...]] = {
    NAMES[0]: (
        (
            [
                TAPED.format(watch="tape.watch(u)\n    "),
                "u = tf.Variable(1.5)\n" + TAPED.format(watch="") + ".numpy()",
                "3 * u**2 - 2",
                "tf.constant(4.75, tf.float64)",
            ],
            [TAPED.format(watch=""), "f(u)", "-4.75", "'steep'", "float('nan')", "tf.zeros([2])"],
        ),
        (
            [
                "w - rate * gradient",
                "tf.Variable(w).assign_sub(rate * gradient)",
                "(w - rate * gradient).numpy()",
            ],
            ["w + rate * gradient", "w - gradient", "rate * gradient", "w", "None", "'w'", "wrong"],
        ),
    ),
    NAMES[1]: (
        (
            ["s * (1 - s)", "s - s**2", "1 / (2 + tf.exp(x) + tf.exp(-x))", "s.numpy() * (1 - s)"],
            [
                "s",
                "1 - s",
                "s * (s - 1)",
                "s + (1 - s)",
                "None",
                "0.25",
                "s[:4]",
                "x / 0",
                "'s'",
                "q",
            ],
        ),
        (
            [
                "tf.linalg.diag(p) - p[:, None] * p[None, :]",
                "(tf.linalg.diag(p) - tf.tensordot(p, p, axes=0)).numpy()",
                "[[p[i] * ((i == j) - p[j]) for j in range(3)] for i in range(3)]",
            ],
            [
                "tf.linalg.diag(p) - p * p",
                "tf.linalg.diag(p)",
                "p[:, None] * p[None, :] - tf.linalg.diag(p)",
                "p * (1 - p)",
                "None",
                "'table'",
                "tf.fill([3, 3], float('nan'))",
            ],
        ),
    ),
    NAMES[2]: (
        (
            [
                "2 * (out - y) / 20",
                "(2 * (out - y) / 20).numpy().astype('float64')",
                "(out - y) * 0.1",
            ],
            [
                "2 * (out - y)",
                "2 * (y - out) / 20",
                "(out - y) ** 2 / 20",
                "2 * (out - y) / 5",
                "tf.reduce_mean(2 * (out - y) / 20)",
                "(2 * (out - y) / 20)[0]",
                "None",
                "'slope'",
                "out * float('nan')",
            ],
        ),
        (
            [
                "tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=1, keepdims=True)",
                "tf.nn.softmax(z)",
                "tf.exp(z.numpy()).numpy() / tf.exp(z.numpy()).numpy().sum(axis=1, keepdims=True)",
            ],
            [
                "tf.exp(z) / tf.reduce_sum(tf.exp(z))",
                "tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=1)",
                "tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=0)",
                "tf.nn.sigmoid(z)",
                "z / tf.reduce_sum(z, axis=1, keepdims=True)",
                "None",
                "z / 0",
                "'z'",
                "tf.exp(z) @ tf.zeros([2, 2])",
            ],
        ),
    ),
    NAMES[3]: (
        (
            [
                "-tf.reduce_sum(p * tf.math.log(q))",
                "tf.losses.categorical_crossentropy(p, q)",
                "float(-tf.reduce_sum(p * tf.math.log(q)))",
            ],
            [
                "tf.reduce_sum(p * tf.math.log(q))",
                "-tf.reduce_sum(p * tf.math.log(q)) / tf.math.log(2.0)",
                "-tf.reduce_sum(q * tf.math.log(p))",
                "-tf.reduce_mean(p * tf.math.log(q))",
                "-p * tf.math.log(q)",
                "None",
                "'nats'",
                "tf.log(q)",
            ],
        ),
        (
            [
                "tf.reduce_logsumexp(z) - z[k]",
                "-tf.nn.log_softmax(z)[k]",
                "tf.losses.sparse_categorical_crossentropy(tf.constant(k), z, from_logits=True)",
                "tf.losses.categorical_crossentropy(tf.one_hot(k, 2), z, from_logits=True)",
            ],
            [
                "-tf.math.log(tf.nn.softmax(z)[k])",
                "-tf.math.log(tf.nn.softmax(z)[k] + 1e-7)",
                "tf.losses.categorical_crossentropy(tf.one_hot(k, 2), tf.nn.softmax(z))",
                "z[k] - tf.reduce_logsumexp(z)",
                "(tf.reduce_logsumexp(z) - z[k]).numpy()",
                "tf.stop_gradient(tf.reduce_logsumexp(z) - z[k])",
                "tf.reduce_logsumexp(z) - z",
                "None",
                "z[5]",
            ],
        ),
    ),
    NAMES[4]: (
        (
            ["10.0", "10", "tf.constant(12.0)", "1000.0"],
            ["2.0", "-10.0", "0", "None", "'large'", "float('nan')", "tf.zeros([2])"],
        ),
        (
            [
                "tf.zeros([64, 10])",
                "0.01 * tf.random.normal([64, 10])",
                "tf.Variable(tf.zeros([64, 10]))",
                "tf.zeros([64, 10]).numpy().astype('float64')",
            ],
            [
                "3.0 * tf.random.normal([64, 10], seed=2)",
                "tf.zeros([10, 64])",
                "tf.zeros([64, 1])",
                "0",
                "None",
                "'small'",
                "tf.fill([64, 10], float('nan'))",
            ],
        ),
    ),
    NAMES[5]: (
        (
            [
                "tf.reduce_sum(tf.sin(w * x))",
                "tf.sin(w[0] * x[0]) + tf.sin(w[1] * x[1])",
                "tf.tensordot(tf.sin(w * x), tf.ones([2]), 1)",
            ],
            [
                "tf.reduce_sum(np.sin(w * x))",
                "tf.sin(float(tf.reduce_sum(w * x)))",
                "tf.reduce_mean(tf.sin(w * x))",
                "tf.sin(tf.reduce_sum(w * x))",
                "None",
                "'sin'",
                "math.sin(w)",
            ],
        ),
        (
            [
                "tf.sqrt(tf.reduce_sum(d**2) + 1e-12)",
                "tf.sqrt(tf.maximum(tf.reduce_sum(d**2), 1e-12))",
                "s = tf.reduce_sum(d**2)\nreturn tf.where(s > 0, tf.sqrt(tf.where(s > 0, s, 1.0)), 0.0)",
            ],
            [
                "tf.sqrt(tf.reduce_sum(d**2))",
                "tf.norm(d)",
                "tf.reduce_sum(tf.abs(d))",
                "tf.reduce_sum(d**2)",
                "tf.sqrt(tf.reduce_sum(d**2) + 1.0)",
                "np.sqrt(np.sum(d**2))",
                "None",
                "'5'",
                "d @ d",
            ],
        ),
    ),
}
