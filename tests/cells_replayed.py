"""Cells for the checker: each kind of op, and all that is hard to replay.

``CELLS`` maps a name to the cell and its sources; ``LEFT`` says, for those where something cannot be
replayed or walked, exactly what, and how often.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

LESSON = {
    "smallest": ("y = x0 * w0", "w0"),
    "variable": ("y = x0 * v0", "v0"),
    "norm": ("loss = tf.norm(y - out) ** 2 / 20.0", "out"),
    "mean of squares": ("loss = tf.reduce_mean((y - out) ** 2)", "out"),
    "mse": ("loss = tf.reduce_mean(tf.losses.MSE(y, out))", "out"),
    "mse through softmax": (
        "logits = x @ w + b\nprob = tf.nn.softmax(logits)\nloss = tf.reduce_mean(tf.losses.MSE(onehot, prob))",
        "w b",
    ),
    "crossentropy by hand": (
        "loss = -tf.reduce_sum(onehot * tf.math.log(tf.nn.softmax(x @ w + b)))",
        "w b",
    ),
    "categorical crossentropy": (
        "prob = tf.nn.softmax(x @ w + b)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(onehot, prob))",
        "w b",
    ),
    "binary crossentropy": (
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy([1.0, 0.0], tf.sigmoid(two)))",
        "two",
    ),
    "binary crossentropy from logits": (
        "loss = tf.losses.binary_crossentropy([1.0, 0.0], two, from_logits=True)",
        "two",
    ),
    "crossentropy from logits": (
        "logits = x @ w + b\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(onehot, logits, from_logits=True))",
        "w b",
    ),
    "sparse crossentropy": (
        "loss = tf.reduce_mean(tf.losses.sparse_categorical_crossentropy(tf.constant([2, 0]), x @ w + b, from_logits=True))",
        "w b",
    ),
    "large logits": (
        "logits = tf.stack([[100.0 * two[0], 0.0 * two[1]]])\nloss = -tf.math.log(tf.nn.softmax(logits))[0, 1]",
        "two",
    ),
    "softmax's jacobian": ("p = tf.nn.softmax(two)", "two"),
}
LESSON |= {
    name: (f"loss = tf.reduce_sum(tf.nn.{name}(out))", "out")
    for name in [
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "elu",
        "softplus",
        "gelu",
        "silu",
        "swish",
        "selu",
        "relu6",
        "softsign",
        "log_softmax",
    ]
}

LINEAR_ALGEBRA = """
s = out @ tf.transpose(out) + 9.0 * tf.eye(5)
c = tf.linalg.cholesky(s)
i = tf.linalg.inv(s) + tf.linalg.pinv(s)
z = tf.linalg.solve(s, out) + tf.linalg.triangular_solve(c, out)
q, r = tf.linalg.qr(s)
e, u = tf.linalg.eigh(s)
t = tf.linalg.trace(i) + tf.linalg.det(s) * 1e-5 + tf.linalg.logdet(s) + tf.linalg.global_norm([s, c])
d = tf.linalg.diag_part(r) + tf.linalg.svd(s)[0] + e
k = tf.linalg.band_part(s, 1, 0) * tf.linalg.diag(e) + tf.linalg.set_diag(s, e) + tf.linalg.matmul(s, c, transpose_b=True)
loss = t + tf.reduce_sum(d) + tf.reduce_sum(k) * 1e-3 + tf.reduce_sum(z) + tf.norm(q)
"""

ELEMENTWISE = """
p = tf.abs(out) + 0.1
h = tf.exp(out) + tf.math.expm1(out) + tf.math.log(p) + tf.math.log1p(p) + tf.sqrt(p) + tf.math.rsqrt(p)
h += tf.sin(out) + tf.cos(out) + tf.tan(out) + tf.asin(out / 9) + tf.acos(out / 9) + tf.atan(out) + tf.atan2(out, p)
h += tf.sinh(out) + tf.cosh(out) + tf.asinh(out) + tf.acosh(1.0 + p) + tf.atanh(out / 9)
h += tf.math.erf(out) + tf.math.erfc(out) + tf.math.lgamma(p) + tf.math.digamma(p) + tf.math.erfinv(out / 9)
h += tf.math.sigmoid(out) + tf.math.reciprocal(p) + tf.square(out) + tf.pow(p, out) + out / p - tf.math.divide_no_nan(out, p)
h += tf.maximum(out, y) + tf.minimum(out, y) + tf.clip_by_value(out, -0.5, 0.5) + tf.sign(out) + tf.floor(out) + tf.round(out)
h += tf.math.squared_difference(out, y) + tf.math.floormod(p, 0.3) + tf.math.xlogy(p, p) + tf.math.xlog1py(p, p) + tf.math.xdivy(p, p)
h += tf.math.igamma(p, p) + tf.math.betainc(p, p, p / (1.0 + p)) + tf.math.zeta(1.0 + p, p) + tf.math.polygamma(1.0, p)
h += tf.math.bessel_i0e(out) + tf.math.special.bessel_j0(p) + tf.math.special.fresnel_cos(out) + tf.math.nextafter(out, y)
h += tf.where(out > 0, out, -p) + tf.cast(out > 0, tf.float32) * out + tf.math.multiply_no_nan(out, y) + tf.math.cumulative_logsumexp(out)
loss = tf.reduce_sum(h)
"""

REDUCTIONS = """
loss = tf.reduce_sum(out) + tf.reduce_mean(out) + tf.reduce_max(out) + tf.reduce_min(out) + tf.reduce_prod(out[0])
loss += tf.reduce_logsumexp(out) + tf.math.reduce_std(out) + tf.math.reduce_variance(out) + tf.math.reduce_euclidean_norm(out)
loss += tf.reduce_sum(tf.cumsum(out, 1, reverse=True)) + tf.reduce_sum(tf.math.cumprod(out, 1, exclusive=True)) + tf.norm(out, 1)
loss += tf.reduce_sum(tf.math.segment_sum(out, [0, 0, 1, 1, 2])) + tf.reduce_sum(tf.math.unsorted_segment_max(out, [0, 1, 0, 1, 0], 2))
loss += tf.reduce_sum(tf.math.segment_mean(out, [0, 0, 1, 1, 2])) + tf.reduce_sum(tf.math.top_k(out, 2).values) + tf.reduce_sum(tf.sort(out)[:, :2])
loss += tf.reduce_sum(tf.nn.moments(out, [0])[1]) + tf.add_n([loss, tf.nn.l2_loss(out)]) + tf.reduce_sum(tf.math.l2_normalize(out, 1))
loss += tf.reduce_sum(tf.math.accumulate_n([out, y])) + tf.tensordot(out, y, 2) + tf.reduce_sum(tf.clip_by_norm(out, 1.0))
"""

SHAPES = """
a = tf.concat([out, y], 1)
a = tf.stack([a, a * 2.0], 1)
parts = tf.split(a, [3, 5], 2)
rows = tf.unstack(parts[1], axis=1)
h = tf.pad(rows[0], [[1, 0], [0, 2]])
h = tf.pad(h, [[1, 1], [1, 1]], "REFLECT") + tf.roll(tf.pad(h, [[1, 1], [1, 1]], "SYMMETRIC"), 1, 0)
g = tf.gather(out, [3, 3, 0]) + tf.gather(tf.transpose(out), [0, 1, 1], axis=1)[:3] [:, :1]
g2 = tf.gather_nd(out, [[0, 1], [2, 2]]) + tf.boolean_mask(out, [True, False, True, False, False])[:, 0]
t = tf.tile(out, [1, 2]) + tf.repeat(out, 2, axis=1) + tf.broadcast_to(out[:, :1], [5, 8])
s = tf.scatter_nd([[1], [0]], out[:2], [3, 4]) + tf.tensor_scatter_nd_update(out[:3], [[0]], out[4:5]) + tf.tensor_scatter_nd_add(y[:3], [[2]], out[:1])
r = tf.reverse(out, [0]) + tf.expand_dims(tf.squeeze(out[:, :1], [1]), 1) + tf.reshape(tf.transpose(out), [5, 4]) + tf.identity(out)
i = tf.linalg.diag(out[0]) @ tf.transpose(out)[:, 1:] + tf.einsum("ij,kj->ik", out[:4], out[:4]) + tf.meshgrid(out[0], out[1])[0]
q = tf.reverse_sequence(out, [1, 2, 3, 4, 0], 1) + tf.nn.space_to_depth(tf.reshape(out[:4, :4], [1, 4, 4, 1]), 2)[0, :1, :1, :4]
loss = tf.reduce_sum(h) + tf.reduce_sum(g) + tf.reduce_sum(g2) + tf.reduce_sum(t) + tf.reduce_sum(s * s) + tf.reduce_sum(r) + tf.reduce_sum(i) + tf.reduce_sum(q) + tf.reduce_sum(parts[0])
"""

IMAGES = """
h = tf.nn.conv2d(image, kernel, 1, "SAME") + bias
h = tf.nn.bias_add(h, bias)
h = tf.nn.max_pool2d(h, 2, 2, "SAME") + tf.nn.avg_pool2d(h, 2, 2, "SAME")
h = tf.nn.depthwise_conv2d(h, tf.ones([2, 2, 2, 1]) * bias[:, None], [1, 1, 1, 1], "VALID") + tf.nn.local_response_normalization(h)[:, 1:, 1:]
h = tf.image.resize(h, [6, 6]) + tf.image.resize(h, [6, 6], "nearest") + tf.image.resize(h, [6, 6], "bicubic")
h = tf.nn.conv2d_transpose(h, kernel, [1, 6, 6, 3], 1)
h = tf.image.adjust_brightness(h, 0.1) + tf.image.flip_left_right(h) + tf.image.rot90(h) + tf.image.per_image_standardization(h)
m, v = tf.nn.moments(h, [0, 1, 2])
h = tf.nn.batch_normalization(h, m, v, None, None, 1e-3)
p = tf.image.extract_patches(h, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
loss = tf.reduce_sum(tf.image.total_variation(h)) + tf.reduce_sum(p * p) + tf.reduce_sum(tf.image.rgb_to_grayscale(h)) + tf.reduce_sum(tf.nn.conv1d(h[0], tf.ones([2, 3, 1]), 1, "SAME"))
"""

OTHER = {
    "elementwise": (ELEMENTWISE, "out"),
    "reductions": (REDUCTIONS, "out"),
    "shapes": (SHAPES, "out"),
    "linear algebra": (LINEAR_ALGEBRA, "out"),
    "images": (IMAGES, "image kernel bias"),
    "complex": (
        "f = tf.signal.fft(tf.cast(out, tf.complex64))\nr = tf.signal.rfft(out)\nloss = tf.reduce_sum(tf.abs(f) ** 2) + tf.reduce_sum(tf.math.real(r * tf.math.conj(r))) + tf.reduce_sum(tf.signal.irfft(r)) + tf.reduce_sum(tf.math.angle(tf.complex(out, y)))",
        "out",
    ),
    "half": (
        "loss = tf.reduce_sum(tf.cast(tf.cast(out, tf.float16) * 2, tf.float32)) + tf.cast(tf.reduce_sum(tf.tanh(tf.cast(out, tf.bfloat16))), tf.float32)",
        "out",
    ),
    "double": ("loss = tf.reduce_sum(tf.nn.softmax(tf.cast(out, tf.float64) ** 2)[:, 0])", "out"),
    "embedding": (
        "loss = tf.reduce_sum(tf.nn.embedding_lookup(table, [1, 1, 0]) ** 2) + tf.reduce_sum(tf.gather(table, [2]))",
        "table",
    ),
    "embedding of a variable that is also read": (
        "loss = tf.reduce_sum(tf.gather(table, [1, 1, 0]) ** 2) + tf.reduce_sum(table * 0.1) + tf.gather_nd(table, [[0, 1]])[0]",
        "table",
    ),
    "dropout": (
        "loss = tf.reduce_sum(tf.nn.dropout(out, 0.5)) + tf.reduce_sum(out * tf.random.normal([5, 4])) + tf.reduce_sum(tf.random.shuffle(y) * out)",
        "out",
    ),
    "stateless random": (
        "loss = tf.reduce_sum(out * tf.random.stateless_normal([5, 4], [1, 2])) + tf.reduce_sum(tf.random.stateless_uniform([4], [3, 4]) * out)",
        "out",
    ),
    "random gamma": ("loss = tf.reduce_sum(tf.random.gamma([3], tf.abs(two) + 1.0))", "two"),
    "assigned before": ("v0.assign(2.0)\nloss = v0 * w0", "v0 w0"),
    "training loop": (
        "for step in range(4):\n    with tf.GradientTape() as t:\n        l = tf.reduce_mean((x @ k - 1.0) ** 2)\n    k.assign_sub(0.1 * t.gradient(l, k))\nloss = tf.reduce_mean((x @ k - 1.0) ** 2)",
        "k",
    ),
    "gradient inside": (
        "with tf.GradientTape() as t:\n    t.watch(out)\n    h = tf.reduce_sum(tf.sin(out) ** 2)\nloss = tf.reduce_sum(t.gradient(h, out) ** 2)",
        "out",
    ),
    "rows assigned": (
        "table.scatter_nd_update([[0]], [[1.0, 2.0, 3.0]])\nloss = tf.reduce_sum(tf.gather(table, [0, 1]) ** 2)",
        "table",
    ),
    "own gradient": (
        "@tf.custom_gradient\ndef f(x):\n    return tf.sin(x) * 2.0, lambda g: g * 5.0\nloss = tf.reduce_sum(f(out * 3.0) + out)",
        "out",
    ),
    "stop_gradient": ("loss = tf.reduce_sum(tf.stop_gradient(out) * out)", "out"),
    "stop_recording": (
        "with tape.stop_recording():\n    h = out * 2.0\nloss = tf.reduce_sum(h * out)",
        "out",
    ),
    "function": (
        "@tf.function\ndef f(x):\n    h = tf.sin(x) * 2.0\n    return tf.nn.silu(h) + tf.reduce_sum(x * k[0, 0])\nloss = tf.reduce_sum(f(out) ** 2)",
        "out k",
    ),
    "function with a branch": (
        "@tf.function\ndef f(x):\n    if tf.reduce_sum(x) > 100.0:\n        return x * 2.0\n    return tf.exp(x) * x\nloss = tf.reduce_sum(f(out))",
        "out",
    ),
    "function with a loop": (
        "@tf.function\ndef f(x):\n    for i in tf.range(3):\n        x = tf.sin(x) * 2.0\n    return x\nloss = tf.reduce_sum(f(out))",
        "out",
    ),
    "function with its own gradient": (
        "@tf.function\ndef f(x):\n    @tf.custom_gradient\n    def g(z):\n        return tf.sin(z), lambda u: u * 5.0\n    return g(x * 2.0) * 3.0\nloss = tf.reduce_sum(f(out))",
        "out",
    ),
    "python": (
        "loss = tf.reduce_sum(tf.py_function(lambda x: x ** 2, [out], tf.float32)) + tf.reduce_sum(tf.numpy_function(np.sin, [out], tf.float32))",
        "out",
    ),
    "while in python": (
        "i, h = tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.sin(h)), [0, out])\nloss = tf.reduce_sum(h)",
        "out",
    ),
    "scan": (
        "loss = tf.reduce_sum(tf.scan(lambda a, x: a * 0.5 + x, out)) + tf.reduce_sum(tf.map_fn(tf.sin, out)) + tf.reduce_sum(tf.vectorized_map(tf.cos, out))",
        "out",
    ),
    "sparse": (
        "m = tf.sparse.from_dense([[0.0, 1.0, 0.0, 2.0, 1.0]])\nloss = tf.reduce_sum(tf.sparse.sparse_dense_matmul(m, out)) + tf.reduce_sum(tf.sparse.to_dense(m * 2.0))",
        "out",
    ),
    "ragged": (
        "r = tf.RaggedTensor.from_row_lengths(out[:, 0], [2, 0, 3])\nloss = tf.reduce_sum(tf.reduce_sum(r * 2.0, 1)) + tf.reduce_sum(r.to_tensor())",
        "out",
    ),
    "printed and asserted": (
        "tf.print('h', output_stream='file:///dev/null')\ntf.debugging.assert_greater(tf.reduce_sum(out), -1e9)\nloss = tf.reduce_sum(tf.debugging.check_numerics(out, 'x') * 2.0)",
        "out",
    ),
    "no gradient registered": (
        "loss = tf.reduce_sum(tf.image.adjust_contrast(image, 2.0)) + tf.reduce_sum(image)",
        "image",
    ),
    "made in the cell": ("u = tf.Variable(out * 2.0)\nloss = tf.reduce_sum(u * out)", "out u"),
    "strings": (
        "s = tf.strings.as_string(out)\nn = tf.strings.to_number(s)\nloss = tf.reduce_sum(n * out) + tf.cast(tf.strings.length(s[0, 0]), tf.float32)",
        "out",
    ),
    "dataset": (
        "loss = 0.0\nfor row in tf.data.Dataset.from_tensor_slices([[1.0], [2.0]]).batch(2):\n    loss += tf.reduce_sum(row * two)",
        "two",
    ),
    "ctc": (
        "loss = tf.reduce_sum(tf.nn.ctc_loss([[1]], logits3, [1], [3], logits_time_major=False))",
        "logits3",
    ),
    "keras losses": (
        "loss = sum(tf.reduce_sum(getattr(tf.keras.losses, n)()(onehot, tf.nn.softmax(x @ w + b))) for n in ['Huber', 'LogCosh', 'KLDivergence', 'Poisson', 'CosineSimilarity', 'Hinge', 'MeanAbsoluteError', 'CategoricalFocalCrossentropy'])",
        "w b",
    ),
}

CELLS = LESSON | OTHER


def make_names() -> dict[str, Any]:
    """The namespace in which the cells run."""
    draw = np.random.default_rng(4)

    def normal(*shape: int) -> Any:
        return tf.constant(draw.standard_normal(shape), tf.float32)

    tf.random.set_seed(3)
    return {
        "tf": tf,
        "np": np,
        "x0": tf.constant(2.0),
        "w0": tf.constant(1.0),
        "v0": tf.Variable(1.0),
        "out": normal(5, 4),
        "y": tf.one_hot([1, 2, 3, 0, 2], 4),
        "x": normal(2, 4),
        "w": normal(4, 3),
        "b": tf.Variable(tf.zeros([3])),
        "k": tf.Variable(normal(4, 3)),
        "onehot": tf.one_hot([2, 0], 3),
        "two": normal(2),
        "table": tf.Variable(normal(4, 3)),
        "image": normal(1, 6, 6, 3),
        "kernel": normal(2, 2, 3, 2),
        "bias": normal(2),
        "logits3": normal(1, 3, 4),
    }
