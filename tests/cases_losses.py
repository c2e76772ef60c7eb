"""Losses that are other than they seem: cells, and the diagnosis that each must get."""

from __future__ import annotations

from diagnosing import Case, NearMiss

CLASSES = """
r = np.random.default_rng(1)
x = tf.constant(r.normal(size=[5, 4]), tf.float32)
w = tf.constant(r.normal(size=[4, 3]), tf.float32)
b = tf.zeros([3])
c = tf.constant([1, 0, 2, 2, 1])
y = tf.one_hot(c, 3)
"""
BINARY = """
r = np.random.default_rng(2)
x = tf.constant(r.normal(size=[5, 4]), tf.float32)
w = tf.constant(r.normal(size=[4, 1]), tf.float32)
z = tf.constant([1.0, 0.0, 1.0, 1.0, 0.0])
t = z[:, None]
"""
LINE = """
x = tf.constant([[1.0], [2.0], [3.0], [4.0]])
w = tf.Variable([[0.5]])
b = tf.Variable([0.1])
y = tf.constant([3.0, 5.0, 7.0, 9.0])
"""
SOFTMAX = "softmax-then-crossentropy"
LOGITS = "logits-as-probabilities"
TWICE = "probabilities-as-logits"
NUMBERS = "labels-not-one-hot"
SWAPPED = "arguments-swapped"
BROADCAST = "shape-broadcast"
OFF = "one-hot-off"
UNIT = "one-unit-crossentropy"
SQUARES = "mse-on-one-hot"

_SOFTMAX = [
    # what the logits were made of is another tensor by then
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nx = 2.0 * x\nloss = keras.losses.CategoricalCrossentropy()(y, p)",
        "w",
        CLASSES,
        line=4,
        fixed=False,
    ),
    # no other statement can stand in place of the line
    Case(
        SOFTMAX,
        "x = 2.0 * x; loss = keras.losses.CategoricalCrossentropy()(y, tf.nn.softmax(x @ w))",
        "w",
        CLASSES,
        line=2,
        fixed=False,
    ),
    # of a mixture: the other factor is no label
    NearMiss(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.math.log(tf.reduce_sum(p * d, axis=1)))",
        "w",
        (CLASSES, "d = tf.constant(r.uniform(size=[5, 3]), tf.float32)"),
    ),
    # a likelihood, which is to grow
    NearMiss(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nlikelihood = tf.reduce_mean(tf.reduce_sum(y * tf.math.log(p), 1))",
        "w",
        CLASSES,
    ),
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w + b)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        "w b",
        CLASSES,
        subject="loss",
        line=3,
        op="Log",
        says="below 1e-07, the loss stays near 16.1",
    ),
    Case(
        SOFTMAX,
        "logits = x @ w\np = tf.nn.softmax(logits)\nloss = -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(p), axis=1))",
        "w",
        CLASSES,
        line=4,
        op="Log",
        says="rounds to 0, the loss can become inf",
    ),
    Case(
        SOFTMAX,
        "loss = keras.losses.SparseCategoricalCrossentropy()(c, tf.nn.softmax(x @ w))",
        "w",
        CLASSES,
        line=2,
    ),
    Case(
        SOFTMAX,
        "cce = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)\nlogits = x @ w\nloss = cce(y, tf.nn.softmax(logits))",
        "w",
        CLASSES,
        line=4,
    ),
    Case(
        SOFTMAX,
        "def predict(x):\n    return tf.nn.softmax(x @ w)\n\ndef cost(y, p):\n    p = tf.clip_by_value(p, 1e-7, 1.0)\n    return -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(p), 1))\n\nloss = cost(y, predict(x))",
        "w",
        CLASSES,
        line=7,
        says="below 1e-07",
        fixed=False,
    ),
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.math.log(tf.gather(p, c, batch_dims=1)))",
        "w",
        CLASSES,
        line=3,
    ),
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.math.log(tf.reduce_sum(y * p, axis=1)))",
        "w",
        CLASSES,
        line=3,
        fixed=False,
    ),
    # the lesson's own: -log(softmax) of one class
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(s)\nloss = -tf.math.log(p[0, 1])",
        "s",
        "s = tf.constant([[10.0, 0.0]])",
        line=3,
    ),
    Case(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nbits = tf.math.log(p + 1e-8) / tf.math.log(2.0)\nloss = tf.reduce_mean(tf.reduce_sum(-y * bits, 1))",
        "w",
        CLASSES,
        line=3,
        fixed=False,
    ),
    Case(
        SOFTMAX,
        "p = tf.sigmoid(x @ w)\nloss = tf.reduce_mean(tf.losses.binary_crossentropy(t, p))",
        "w",
        BINARY,
        line=3,
        says="the logarithm of p, a sigmoid, is taken",
    ),
    Case(
        SOFTMAX,
        "p = tf.sigmoid(x @ w)\nloss = -tf.reduce_mean(t * tf.math.log(p) + (1 - t) * tf.math.log(1 - p))",
        "w",
        BINARY,
        line=3,
        fixed=False,
    ),
    Case(
        SOFTMAX,
        "e = tf.exp(x @ w)\np = e / tf.reduce_sum(e, axis=1, keepdims=True)\nloss = -tf.reduce_sum(y * tf.math.log(p))",
        "w",
        CLASSES,
        line=4,
        fixed=False,
    ),
    Case(
        SOFTMAX,
        "loss = 0.0\nfor i in range(3):\n    p = tf.nn.softmax(x @ w)\n    loss += tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        "w",
        CLASSES,
        line=5,
    ),
    # the softmax layer hands its logits to Keras' loss
    NearMiss(
        SOFTMAX,
        "loss = keras.losses.CategoricalCrossentropy()(y, model(x))",
        "model",
        (
            CLASSES,
            "model = keras.Sequential([keras.layers.Dense(3, activation='softmax')])\nmodel(x)",
        ),
    ),
    NearMiss(
        SOFTMAX,
        "logits = x @ w\np = tf.nn.softmax(logits)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True))",
        "w",
        CLASSES,
    ),
    NearMiss(
        SOFTMAX,
        "loss = -tf.reduce_mean(tf.reduce_sum(y * tf.nn.log_softmax(x @ w), 1))",
        "w",
        CLASSES,
    ),
    NearMiss(
        SOFTMAX, "loss = tf.reduce_mean(tf.losses.mse(y, tf.nn.softmax(x @ w)))", "w", CLASSES
    ),
    # an entropy: the softmax weights its own logarithm
    NearMiss(
        SOFTMAX,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.reduce_sum(p * tf.math.log(p), 1))",
        "w",
        CLASSES,
    ),
    NearMiss(
        SOFTMAX, "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_sum(tf.math.log(p) ** 2)", "w", CLASSES
    ),
    NearMiss(
        SOFTMAX,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(tf.nn.softmax(x), x @ w, from_logits=True))",
        "w",
        "x = tf.constant([[1.0, -2.0], [0.5, 0.1]])\nw = tf.constant([[0.3, 1.0], [-1.0, 2.0]])",
    ),
    # each output of the softmax is taken as a loss of its own: from_logits=True is another model
    NearMiss(
        SOFTMAX,
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy(y, tf.nn.softmax(x @ w)))",
        "w",
        CLASSES,
    ),
]
_LOGITS = [
    # the call that the line shows is another one
    Case(
        LOGITS,
        "p = x @ w\nq = x @ u\nloss = cost(y, p) + tf.reduce_mean(tf.losses.categorical_crossentropy(y, q, from_logits=True))",
        "w u",
        (
            CLASSES,
            "u = tf.constant(r.normal(size=[4, 3]), tf.float32)",
            "def cost(y, p):\n    return tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        ),
        line=4,
        says="p has values from",
        fixed=False,
    ),
    Case(
        LOGITS,
        "logits = x @ w + b\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits))",
        "w b",
        CLASSES,
        subject="loss",
        line=3,
        op="Log",
        says="logits has values from ",
    ),
    Case(
        LOGITS,
        "loss = keras.losses.SparseCategoricalCrossentropy()(c, model(x))",
        "model",
        (
            CLASSES,
            "keras.utils.set_random_seed(1)\nmodel = keras.Sequential([keras.layers.Dense(3)])\nmodel(x)",
        ),
        line=2,
    ),
    Case(
        LOGITS,
        "out = x @ w\nloss = keras.losses.BinaryCrossentropy()(t, out)",
        "w",
        BINARY,
        line=3,
    ),
    Case(
        LOGITS,
        "def step(x, y):\n    bce = tf.losses.binary_crossentropy(y, x @ w)\n    return tf.reduce_mean(bce)\n\nloss = step(x, t)",
        "w",
        BINARY,
        line=3,
    ),
    Case(
        LOGITS,
        "p = tf.nn.relu(x @ w)\nloss = -tf.reduce_sum(y * tf.math.log(p + 1e-7))",
        "w",
        CLASSES,
        line=3,
        fixed=False,
    ),
    Case(
        LOGITS,
        "loss = -tf.reduce_sum(y * tf.math.log(scores))",
        "scores",
        (CLASSES, "scores = tf.constant([[2.0, 5.0, 1.0]] * 5)"),
        line=2,
        says="from 1 to 5",
    ),
    Case(
        LOGITS,
        "p = tf.clip_by_value(scores, 1e-7, 1 - 1e-7)\nloss = -tf.reduce_sum(y * tf.math.log(p))",
        "scores",
        (
            CLASSES,
            "scores = tf.constant([[-2.0, 5.0, 0.3], [0.5, 0.2, 0.1]] * 2 + [[0.3, 0.4, 0.2]])",
        ),
        line=3,
        says="scores has values from -2 to 5",
        fixed=False,
    ),
    Case(
        LOGITS,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, scores))",
        "scores",
        (CLASSES, "scores = tf.constant([[0.2, 0.5, 0.1]] * 4 + [[0.9, 0.8, 0.7]])"),
        says="sum to values from 0.8 to 2.4",
    ),
    NearMiss(
        LOGITS,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, tf.nn.softmax(x @ w)))",
        "w",
        CLASSES,
    ),
    # in 16 bits the shares of a row do not sum to 1 exactly
    NearMiss(
        LOGITS,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(tf.cast(y, p.dtype), p))",
        "p",
        (CLASSES, "p = tf.cast(tf.nn.softmax(x @ w), tf.bfloat16)"),
    ),
    NearMiss(
        LOGITS,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        "p",
        (CLASSES, "p = tf.constant([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]] * 2 + [[0.0, 1.0, 0.0]])"),
    ),
    # scaled by hand
    NearMiss(
        LOGITS,
        "s = tf.nn.softplus(x @ w)\np = s / tf.reduce_sum(s, 1, keepdims=True)\nloss = -tf.reduce_sum(y * tf.math.log(p))",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "e = tf.exp(x @ w)\nloss = -tf.reduce_sum(y * tf.math.log(e / tf.reduce_sum(e, 1, keepdims=True)))",
        "w",
        CLASSES,
    ),
    # logarithms of what need not be a probability
    NearMiss(
        LOGITS,
        "rate = tf.exp(x @ w)\nloss = tf.reduce_mean(rate - y * tf.math.log(rate))",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "loss = keras.losses.Poisson()(y, tf.exp(x @ w))",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "a = tf.exp(x @ w)\nloss = -tf.reduce_mean(tf.nn.tanh(x @ w) * tf.math.log(a + 3.0))",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "log = tf.math.log(tf.exp(x @ w))\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, log))",
        "w",
        CLASSES,
    ),
    # a crossentropy of what is divided by its sum, whose logarithm is taken alone
    NearMiss(
        LOGITS,
        "rate = tf.exp(x @ w)\nll = tf.reduce_sum(y * tf.math.log(rate), 1) - tf.math.log(tf.reduce_sum(rate, 1))\nloss = -tf.reduce_mean(ll)",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "ll = tf.reduce_sum(y * tf.math.log(s), 1) - tf.math.log(tf.reduce_sum(s, 1))\nloss = -tf.reduce_mean(ll)",
        "s",
        (CLASSES, "s = tf.constant([[2.0, 5.0, 1.0]] * 5)"),
    ),
    # growth that is to be large
    NearMiss(
        LOGITS,
        "f = tf.exp(x @ w)\nloss = -tf.reduce_sum(y * tf.math.log(1.0 + 3.0 * f))",
        "w",
        CLASSES,
    ),
    # two outputs by sigmoid, not one of two classes
    NearMiss(
        LOGITS,
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy(y, tf.sigmoid(x @ w)))",
        "w",
        CLASSES,
    ),
    NearMiss(
        LOGITS,
        "mask = tf.constant([1.0, 1.0, 0.0])\np = tf.nn.softmax(x @ w) * mask\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        "w",
        CLASSES,
    ),
]
_TWICE = [
    Case(
        TWICE,
        "p = tf.nn.softmax(x @ w + b)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p, from_logits=True))",
        "w b",
        CLASSES,
        subject="loss",
        line=3,
        op="SoftmaxCrossEntropyWithLogits",
        says="cannot fall below 0.551",
    ),
    Case(
        TWICE,
        "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=c, logits=p))",
        "w",
        CLASSES,
        line=3,
    ),
    Case(
        TWICE,
        "loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(t, tf.sigmoid(x @ w)))",
        "w",
        BINARY,
        says="applies sigmoid once more: the loss of a sample cannot fall below 0.313",
    ),
    Case(
        TWICE,
        "bce = keras.losses.BinaryCrossentropy(from_logits=True)\nloss = bce(t, tf.nn.sigmoid(x @ w))",
        "w",
        BINARY,
        line=3,
    ),
    Case(
        TWICE,
        "def net(x):\n    return tf.nn.softmax(x @ w)\n\nloss = keras.losses.CategoricalCrossentropy(from_logits=True)(y, net(x))",
        "w",
        CLASSES,
        line=5,
    ),
    Case(
        TWICE,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p, from_logits=True))",
        "p",
        (CLASSES, "p = tf.nn.softmax(x @ w)"),
        says="Each row of p lies between 0 and 1",
    ),
    Case(
        TWICE,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(tf.cast(y, p.dtype), p, from_logits=True))",
        "p",
        (CLASSES, "p = tf.cast(tf.nn.softmax(x @ w), tf.bfloat16)"),
        line=2,
    ),
    Case(
        TWICE,
        "class Net(tf.Module):\n    def __call__(self, x):\n        return tf.nn.softmax(x @ w)\n\nnet = Net()\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, net(x)))",
        "w",
        CLASSES,
        line=7,
        fixed=False,
    ),
    NearMiss(
        TWICE,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, s, from_logits=True))",
        "s",
        (CLASSES, "s = tf.constant([[0.2, 0.5, 0.1]] * 4 + [[0.9, 0.8, 0.7]])"),
    ),
    NearMiss(
        TWICE,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(t, s, from_logits=True))",
        "s",
        "s = tf.fill([4, 2], 0.5)\nt = tf.one_hot([0, 1, 1, 0], 2)",
    ),
    NearMiss(
        TWICE,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, x @ w, from_logits=True))",
        "w",
        CLASSES,
    ),
    # Keras takes the logits of its own softmax
    NearMiss(
        TWICE,
        "p = keras.activations.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p, from_logits=True))",
        "w",
        CLASSES,
    ),
    NearMiss(
        TWICE,
        "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, tf.math.log(p)))",
        "w",
        CLASSES,
    ),
    NearMiss(
        TWICE,
        "a = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, a @ u))",
        "w",
        (CLASSES, "u = tf.constant(r.normal(size=[3, 3]), tf.float32)"),
    ),
]
_NUMBERS = [
    NearMiss(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_sum(tf.constant([[0.5], [2.5], [1.0], [0.2], [2.0]]) * tf.math.log(p))",
        "w",
        CLASSES,
    ),
    Case(
        NUMBERS,
        "p = tf.nn.log_softmax(x @ w)\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(n, p))",
        "w",
        (CLASSES, "n = tf.cast(c, tf.float32)[:, None]"),
        subject="loss",
        line=3,
        op="SoftmaxCrossEntropyWithLogits",
        says="n holds class numbers up to 2",
    ),
    Case(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.reduce_sum(n * tf.math.log(p), axis=1))",
        "w",
        (CLASSES, "n = tf.cast(c, tf.float32)[:, None]"),
        line=3,
        op="Mul",
        also=(SOFTMAX,),
    ),
    Case(
        NUMBERS,
        "n = tf.cast(c[:3], tf.float32)\np = tf.nn.softmax(x[:3] @ w)\nloss = -tf.reduce_sum(n * tf.math.log(p))",
        "w",
        CLASSES,
        line=4,
        also=(SOFTMAX,),
    ),
    Case(
        NUMBERS,
        "n = tf.reshape(tf.cast(c, tf.float32), [-1, 1])\nloss = -tf.reduce_sum(tf.math.log(q @ w) * n)",
        "w",
        (
            CLASSES,
            "q = tf.nn.softmax(x)\nw = tf.nn.softmax(w)",
        ),
        line=3,
    ),
    Case(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.math.log(tf.gather(p, tf.cast(y, tf.int32), batch_dims=1)))",
        "w",
        CLASSES,
        line=3,
        op="GatherV2",
        also=(SOFTMAX,),
        says="y holds one-hot rows",
    ),
    Case(
        NUMBERS,
        "loss = keras.losses.BinaryCrossentropy(from_logits=True)(c, x @ w)",
        "w",
        (BINARY, "c = tf.constant([0, 1, 2, 2, 1])"),
        says="c holds whole numbers up to 2",
        fixed=False,
    ),
    Case(
        NUMBERS,
        "def cost(labels, p):\n    return -tf.reduce_sum(labels * tf.math.log(p + 1e-9))\n\nloss = cost(n, tf.nn.softmax(x @ w))",
        "w",
        (CLASSES, "n = tf.reshape(tf.cast(c, tf.float32), [-1, 1])"),
        line=3,
        also=(SOFTMAX,),
    ),
    NearMiss(
        NUMBERS,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, x @ w, from_logits=True))",
        "w",
        CLASSES,
    ),
    NearMiss(
        NUMBERS,
        "s = 0.9 * y + 0.1 / 3\nloss = -tf.reduce_sum(s * tf.nn.log_softmax(x @ w))",
        "w",
        CLASSES,
    ),
    NearMiss(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nweights = tf.constant([[1.0], [2.0], [3.0], [1.0], [2.0]])\nloss = -tf.reduce_sum(weights * tf.math.log(p) * y)",
        "w",
        CLASSES,
    ),
    NearMiss(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_sum(tf.constant([1.0, 2.0, 3.0]) * y * tf.math.log(p))",
        "w",
        CLASSES,
    ),
    NearMiss(
        NUMBERS,
        "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(c[:, None], x @ w)",
        "w",
        CLASSES,
    ),
    NearMiss(
        NUMBERS,
        "n = tf.constant([[7.0], [3.0], [10.0], [0.0], [4.0]])\np = tf.sigmoid(x @ w)\nloss = -tf.reduce_sum(n * tf.math.log(p) + (10.0 - n) * tf.math.log(1 - p))",
        "w",
        BINARY,
    ),
    NearMiss(
        NUMBERS,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.math.log(tf.gather(p, c, batch_dims=1)))",
        "w",
        CLASSES,
    ),
]
_SWAPPED = [
    Case(
        SWAPPED,
        "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(p, y))",
        "w",
        CLASSES,
        subject="loss",
        line=3,
        op="Mul",
        says="y holds labels (zeros and ones), but the crossentropy on line 3 takes it for the predictions and p for the targets",
    ),
    Case(
        SWAPPED,
        "logits = x @ w\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=logits, logits=y))",
        "w",
        CLASSES,
        line=3,
    ),
    Case(
        SWAPPED,
        "p = tf.sigmoid(x @ w)\nloss = keras.losses.BinaryCrossentropy()(p, t)",
        "w",
        BINARY,
        line=3,
    ),
    Case(
        SWAPPED,
        "def crossentropy(a, b):\n    return -tf.reduce_sum(a * tf.math.log(tf.clip_by_value(b, 1e-7, 1.0)))\n\nloss = crossentropy(tf.nn.softmax(x @ w), y)",
        "w",
        CLASSES,
        line=3,
        fixed=False,
    ),
    Case(
        SWAPPED,
        "loss = 0.0\nfor i in range(2):\n    loss += keras.losses.CategoricalCrossentropy(from_logits=True)(y_pred=y, y_true=tf.nn.softmax(x @ w))",
        "w",
        CLASSES,
        line=4,
    ),
    NearMiss(
        SWAPPED, "loss = tf.reduce_mean(tf.losses.mse(tf.nn.softmax(x @ w), y))", "w", CLASSES
    ),
    NearMiss(
        SWAPPED,
        "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, p))",
        "w",
        CLASSES,
    ),
    # a prior that is no one-hot row: a distance between distributions
    NearMiss(
        SWAPPED,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_sum(p * tf.math.log(tf.constant([0.2, 0.3, 0.5])))",
        "w",
        CLASSES,
    ),
    NearMiss(
        SWAPPED,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, q))",
        "q",
        (CLASSES, "q = tf.one_hot([1, 0, 2, 2, 0], 3)"),
    ),
]
_BROADCAST = [
    # the difference that the line shows is another one
    Case(
        BROADCAST,
        "loss = tf.reduce_mean(error(y - 1.0, x @ w) ** 2)",
        "w",
        (LINE, "def error(a, b):\n    return a - b"),
        line=2,
        fixed=False,
    ),
    NearMiss(
        BROADCAST,
        "loss = tf.reduce_mean((x * v) ** 2)",
        "v",
        (LINE, "v = tf.constant([1.0, -2.0, 0.5, 3.0])"),
    ),
    Case(
        BROADCAST,
        "pred = x @ w + b\nloss = tf.reduce_mean(tf.square(y - pred))",
        "",
        LINE,
        subject="loss",
        line=3,
        op="Sub",
        says="Sub on line 3 takes y [4] and pred [4,1] and broadcasts them to [4,4]",
    ),
    Case(
        BROADCAST,
        "loss = tf.reduce_mean((x @ w - y) ** 2)",
        "w",
        LINE,
        line=2,
    ),
    Case(
        BROADCAST,
        "loss = tf.reduce_mean(tf.math.squared_difference(model(x), y))",
        "model",
        (
            LINE,
            "keras.utils.set_random_seed(1)\nmodel = keras.Sequential([keras.layers.Dense(1)])\nmodel(x)",
        ),
        op="SquaredDifference",
    ),
    Case(
        BROADCAST,
        "def mae(y_true, y_pred):\n    return tf.reduce_mean(tf.abs(y_true - y_pred))\n\nloss = mae(y, x @ w)",
        "w",
        LINE,
        line=3,
    ),
    Case(
        BROADCAST,
        "p = tf.sigmoid(x @ w)\nloss = -tf.reduce_mean(z * tf.math.log(p) + (1 - z) * tf.math.log(1 - p))",
        "w",
        BINARY,
        line=3,
        op="Mul",
        also=(SOFTMAX,),
        fixed=False,
    ),
    Case(
        BROADCAST,
        "losses = []\nfor i in range(2):\n    error = x[:, 0] - (x @ w)\n    losses.append(tf.norm(error) ** 2)\nloss = tf.add_n(losses)",
        "w",
        LINE,
        line=4,
    ),
    Case(
        BROADCAST,
        "p = tf.squeeze(x @ w)\np = p[:, None]\nloss = tf.reduce_mean((p - y) ** 2)",
        "w",
        LINE,
        line=4,
    ),
    # all pairs are meant
    NearMiss(
        BROADCAST, "p = tf.squeeze(x @ w)\nloss = tf.reduce_mean((p[:, None] - p) ** 2)", "w", LINE
    ),
    NearMiss(
        BROADCAST,
        "loss = tf.reduce_sum((points[:, None] - x[:, 0]) ** 2)",
        "points",
        (LINE, "points = tf.constant([1.0, 2.0, 0.5, 3.0])"),
    ),
    NearMiss(
        BROADCAST,
        "column = points[:, tf.newaxis]\ndistance = tf.abs(column - y)\nloss = tf.reduce_mean(distance)",
        "points",
        (LINE, "points = tf.constant([1.0, 2.0, 0.5, 3.0])"),
    ),
    NearMiss(
        BROADCAST,
        "slack = tf.nn.relu(row - x - costs)\nloss = tf.reduce_sum(slack)",
        "row",
        (
            LINE,
            "row = tf.constant([1.0, 2.0, 0.5, 3.0])\ncosts = tf.reshape(tf.range(16.0), [4, 4])",
        ),
    ),
    # each is one of a prediction and a target
    Case(
        BROADCAST,
        "loss = tf.reduce_mean((x @ w - y) ** 2 + (x @ v - y) ** 2)",
        "w v",
        (LINE, "v = tf.Variable([[0.7]])"),
        fixed=False,
    ),
    Case(
        BROADCAST,
        "column = y[:, tf.newaxis]\npred = tf.squeeze(x @ w)\nloss = tf.reduce_mean((pred - column) ** 2)",
        "w",
        LINE,
        line=4,
    ),
    # units of a layer: as many as samples
    NearMiss(
        BROADCAST,
        "h = tf.tanh(x * v)\nloss = tf.reduce_mean((tf.reduce_sum(h, 1) - y) ** 2)",
        "v",
        (LINE, "v = tf.constant([1.0, -2.0, 0.5, 3.0])"),
    ),
    NearMiss(
        BROADCAST,
        "near = tf.exp(-((x - centers) ** 2))\nloss = tf.reduce_mean((tf.reduce_sum(near, 1) - y) ** 2)",
        "centers",
        (LINE, "centers = tf.constant([1.0, 2.0, 0.5, 3.0])"),
    ),
    NearMiss(
        BROADCAST,
        "loss = tf.reduce_sum(tf.reduce_min((x - centers) ** 2, axis=1))",
        "centers",
        (LINE, "centers = tf.constant([1.0, 2.0, 0.5, 3.0])"),
    ),
    NearMiss(BROADCAST, "loss = tf.reduce_mean(tf.losses.mse(y, x @ w))", "w", LINE),
    NearMiss(BROADCAST, "loss = tf.reduce_mean((y[:, None] - x @ w) ** 2)", "w", LINE),
    NearMiss(BROADCAST, "loss = tf.reduce_mean((y[:1] - x[:1] @ w) ** 2)", "w", LINE),
]
_OFF = [
    Case(
        OFF,
        "y = tf.one_hot(labels, 3)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, x @ w, from_logits=True))",
        "w",
        (CLASSES, "labels = tf.constant([1, 2, 3, 3, 1])"),
        subject="loss",
        line=2,
        op="OneHot",
        says="2 labels (the smallest is 3) give rows of zeros",
    ),
    Case(
        OFF,
        "loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot([0, 1, 2, 5, 1], 3), x @ w))",
        "w",
        CLASSES,
        says="1 label is 5",
        fixed=False,
    ),
    Case(
        OFF,
        "labels = [3, 1, 2, 3, 3]\ny = tf.one_hot(labels, 3)\nloss = keras.losses.CategoricalCrossentropy(from_logits=True)(y, x @ w)",
        "w",
        CLASSES,
        line=3,
        says="3 labels (the smallest is 3)",
    ),
    Case(
        OFF,
        "loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(t, x @ w))",
        "w",
        (CLASSES, "labels = np.array([1, 2, 3, 3, 1])\nt = tf.one_hot(labels, 3)"),
        op="SoftmaxCrossEntropyWithLogits",
        says="labels has labels outside 0 to 2, such as 3",
        fixed=False,
    ),
    Case(
        OFF,
        "def cost(x):\n    return -tf.reduce_sum(t * tf.nn.log_softmax(x @ w))\n\nloss = cost(x) + tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(t, x @ w))",
        "w",
        (CLASSES, "t = tf.one_hot([1, 2, 3, 0, -1], 3)"),
        says="2 of the 5 rows of t are all zeros",
        fixed=False,
    ),
    Case(
        OFF,
        "y = tf.one_hot(c + 1, 3)\np = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(p), 1))",
        "w",
        CLASSES,
        line=2,
        also=(SOFTMAX,),
    ),
    NearMiss(
        OFF,
        "y = tf.one_hot(c, 3)\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, x @ w))",
        "w",
        CLASSES,
    ),
    # padding, whose losses are left out
    NearMiss(
        OFF,
        "l = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(pad, 3), x @ w)\nmask = tf.cast(pad >= 0, tf.float32)\nloss = tf.reduce_sum(l * mask) / tf.reduce_sum(mask)",
        "w",
        (CLASSES, "pad = tf.constant([1, 0, -1, 2, 1])"),
    ),
    NearMiss(
        OFF,
        "p = tf.nn.softmax(x @ w)\nl = -tf.reduce_sum(tf.one_hot(pad, 3) * tf.math.log(p), 1)\nloss = tf.reduce_sum(l * tf.cast(pad >= 0, tf.float32))",
        "w",
        (CLASSES, "pad = tf.constant([1, 0, -1, 2, 1])"),
    ),
    NearMiss(
        OFF,
        "l = tf.nn.softmax_cross_entropy_with_logits(t, x @ w)\nloss = tf.reduce_mean(tf.boolean_mask(l, pad >= 0))",
        "w",
        (CLASSES, "pad = tf.constant([1, 2, -1, 2, 1])\nt = tf.one_hot(pad, 3)"),
    ),
    Case(  # another row is left out
        OFF,
        "l = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(pad, 3), x @ w)\nloss = tf.reduce_mean(tf.boolean_mask(l, pad > 0))",
        "w",
        (CLASSES, "pad = tf.constant([1, 0, 5, 2, 1])"),
        says="1 label is 5",
        fixed=False,
    ),
    # samples that are masked: their labels are classes
    NearMiss(
        OFF,
        "mask = tf.constant([[1.0], [1.0], [0.0], [1.0], [0.0]])\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(mask * tf.one_hot(c, 3), x @ w))",
        "w",
        CLASSES,
    ),
    NearMiss(
        OFF,
        "loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(t, x @ w))",
        "w",
        (CLASSES, "t = y * tf.constant([[1.0], [1.0], [0.0], [1.0], [0.0]])"),
    ),
    NearMiss(
        OFF,
        "loss = keras.losses.CategoricalCrossentropy(from_logits=True)(y, x @ w, sample_weight=tf.constant([1.0, 0.0, 1.0, 1.0, 0.0]))",
        "w",
        CLASSES,
    ),
    # several labels a sample, or none
    NearMiss(
        OFF,
        "loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(t, x @ w))",
        "w",
        (
            CLASSES,
            "t = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])",
        ),
    ),
    NearMiss(
        OFF,
        "p = tf.sigmoid(x @ w)\nloss = tf.reduce_mean(tf.losses.binary_crossentropy(t, p))",
        "w",
        (CLASSES, "t = tf.one_hot([1, 3, 0, 2, 3], 3)"),
    ),
]
_UNIT = [
    Case(
        UNIT,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(t, x @ w, from_logits=True))",
        "w",
        BINARY,
        subject="loss",
        line=2,
        op="SoftmaxCrossEntropyWithLogits",
        says="has one column",
    ),
    Case(
        UNIT,
        "p = tf.sigmoid(x @ w)\nloss = keras.losses.CategoricalCrossentropy()(t, p)",
        "w",
        BINARY,
        line=3,
        op="Log",
        also=("zero-gradient",),
    ),
    Case(
        UNIT,
        "logits = x @ w\nloss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=logits))",
        "w",
        BINARY,
        line=3,
    ),
    Case(
        UNIT,
        "p = tf.nn.softmax(x @ w)\nloss = -tf.reduce_mean(t * tf.math.log(p))",
        "w",
        BINARY,
        line=3,
        also=("zero-gradient",),
        fixed=False,
    ),
    Case(
        UNIT,
        "logits = x @ w\np = tf.nn.softmax(logits)\nloss = tf.reduce_mean(tf.losses.categorical_crossentropy(t, p))",
        "w",
        BINARY,
        line=4,
        also=("zero-gradient",),
    ),
    Case(
        UNIT,
        "loss = keras.losses.CategoricalCrossentropy()(t, model(x))",
        "model",
        (
            BINARY,
            "model = keras.Sequential([keras.layers.Dense(1, activation='softmax')])\nmodel(x)",
        ),
        op="SoftmaxCrossEntropyWithLogits",
    ),
    Case(
        UNIT,
        "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(tf.zeros([5]), x @ w)",
        "w",
        BINARY,
        op="SparseSoftmaxCrossEntropyWithLogits",
        also=("zero-gradient",),
    ),
    NearMiss(
        UNIT,
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy(t, tf.sigmoid(x @ w)))",
        "w",
        BINARY,
    ),
    NearMiss(
        UNIT,
        "loss = tf.reduce_mean(tf.losses.binary_crossentropy(t, x @ w, from_logits=True))",
        "w",
        BINARY,
    ),
    NearMiss(
        UNIT,
        "p = tf.sigmoid(x @ w)\nloss = -tf.reduce_mean(t * tf.math.log(p) + (1 - t) * tf.math.log(1 - p))",
        "w",
        BINARY,
    ),
    NearMiss(UNIT, "loss = -tf.reduce_mean(t * tf.math.log(tf.sigmoid(x @ w)))", "w", BINARY),
]
_SQUARES = [
    Case(
        SQUARES,
        "loss = tf.reduce_mean((y - x @ w) ** 2)",
        "w",
        CLASSES,
        subject="loss",
        line=2,
        op="Sub",
        says="The rows of y are one-hot",
        fixed=False,
    ),
    Case(
        SQUARES,
        "p = tf.nn.softmax(x @ w)\nloss = tf.reduce_mean(tf.losses.MSE(y, p))",
        "w",
        CLASSES,
        line=3,
        says="%gradlosses y p shows both losses",
        fixed=False,
    ),
    Case(SQUARES, "loss = tf.norm(y - x @ w) ** 2 / 15", "w", CLASSES, fixed=False),
    Case(
        SQUARES,
        "loss = keras.losses.MeanSquaredError()(tf.one_hot(c[:2], 3), tf.nn.softmax(x[:2] @ w))",
        "w",
        CLASSES,
        fixed=False,
    ),
    Case(
        SQUARES,
        "def mse(a, b):\n    return tf.reduce_mean(tf.math.squared_difference(a, b))\n\nloss = mse(x @ w, y)",
        "w",
        CLASSES,
        op="SquaredDifference",
        line=3,
        fixed=False,
    ),
    Case(SQUARES, "d = y - x @ w\nloss = tf.nn.l2_loss(d)", "w", CLASSES, line=2, fixed=False),
    Case(
        SQUARES,
        "p = tf.nn.softmax(x @ w)",
        'w -t "tf.reduce_mean(tf.losses.mse(y, p))"',
        CLASSES,
        says="one-hot, and the loss is a squared difference",
        fixed=False,
    ),
    # 0 and 1 of one column: a regression may be meant
    NearMiss(SQUARES, "loss = tf.reduce_mean((t - x @ w) ** 2)", "w", BINARY),
    NearMiss(SQUARES, "loss = tf.reduce_mean((0.9 * y + 0.03 - x @ w) ** 2)", "w", CLASSES),
    NearMiss(
        SQUARES,
        "loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, x @ w, from_logits=True))",
        "w",
        CLASSES,
    ),
    # an identity matrix, and a permutation, that are meant as matrices
    NearMiss(SQUARES, "loss = tf.reduce_sum((tf.transpose(w) @ w - tf.eye(3)) ** 2)", "w", CLASSES),
    NearMiss(
        SQUARES,
        "loss = tf.reduce_mean((q - turn) ** 2)",
        "q",
        "q = tf.ones([3, 3])\nturn = tf.constant([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])",
    ),
    NearMiss(SQUARES, "loss = tf.reduce_mean(tf.abs(y - x @ w))", "w", CLASSES),
    NearMiss(
        SQUARES,
        "near = tf.exp(-tf.reduce_sum((y - centers) ** 2, 1))\nloss = tf.reduce_sum(near * near)",
        "centers",
        (CLASSES, "centers = tf.constant([[0.1, 0.5, 0.2]] * 5)"),
    ),
]

LOSSES = [
    *_SOFTMAX,
    *_LOGITS,
    *_TWICE,
    *_NUMBERS,
    *_SWAPPED,
    *_BROADCAST,
    *_OFF,
    *_UNIT,
    *_SQUARES,
]
