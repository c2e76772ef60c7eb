"""Gradients that are None: cells, and the diagnosis that each must get."""

from __future__ import annotations

from diagnosing import Case, NearMiss

W = "w = tf.constant([1.0, 2.0])"
S = "w = tf.constant(3.0)"
V = "w = tf.Variable([1.0, 2.0])"
WB = f"{W}\nb = tf.constant([3.0, 4.0])"
DATA = "x = tf.constant([[1.0, 2.0], [3.0, 4.0]])"
MODEL = """
model = keras.Sequential([keras.Input([2]), keras.layers.Dense(3), keras.layers.Dense(1)])
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
"""
COMPILED = """
model = keras.Sequential([keras.Input([2]), keras.layers.Dense(2, name="dense")], name="model")
model.compile("sgd", "mse")
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
"""
NORMALIZED = """
model = keras.Sequential([keras.Input([2]), keras.layers.Dense(3), keras.layers.BatchNormalization()])
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
"""
CELL = """
cell = keras.layers.SimpleRNNCell(3)
cell.build([2, 5])
x, state = tf.ones([2, 2, 5]), tf.Variable(tf.zeros([2, 3]))
"""
NET = f"""
class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.a = tf.Variable([1.0, 2.0], name="a")
        self.b = tf.Variable([1.0, 2.0], name="b")
net = Net()
{DATA}
"""

# The cells of TensorFlow's guide on automatic differentiation, section 'Cases where gradient
# returns None', as they are written there.
GUIDE = [
    Case(
        "not-used",
        "z = y * y",
        "x",
        "x = tf.Variable(2.0)\ny = tf.Variable(3.0)",
        subject="x",
        fixed=False,
    ),
    Case(
        "variable-replaced",
        "y = x + 1",
        "",
        ("x = tf.Variable(2.0)", "x = x + 1"),
        subject="x",
    ),
    Case(
        "left-tensorflow",
        "x2 = x**2\ny = np.mean(x2, axis=0)\ny = tf.reduce_mean(y, axis=0)",
        "x",
        "x = tf.Variable([[1.0, 2.0], [3.0, 4.0]], dtype=tf.float32)",
        line=3,
        op="np.mean(x2, axis=0)",
    ),
    Case("integer-dtype", "y = tf.cast(x, tf.float32) * 1.0", "x", "x = tf.constant(10)"),
    Case(
        "stateful-assign",
        "x1.assign_add(x0)\ny = x1**2",
        "x0",
        "x0 = tf.Variable(3.0)\nx1 = tf.Variable(0.0)",
        line=2,
    ),
    Case(
        "no-gradient-registered",
        "new_image = tf.image.adjust_contrast(image, delta)",
        "image delta",
        "image = tf.Variable([[[0.5, 0.0, 0.0]]])\ndelta = tf.Variable(0.1)",
        subject="delta",
        line=2,
        op="AdjustContrastv2",
        fixed=False,
    ),
    Case(
        "control-flow",
        "if x > 0.0:\n    result = v0\nelse:\n    result = v1**2",
        "x v0 v1",
        "x = tf.constant(1.0)\nv0 = tf.Variable(2.0)\nv1 = tf.Variable(2.0)",
        subject="x",
        line=2,
        also=("not-used",),
        fixed=False,
    ),
]

MISSING = [
    *GUIDE,
    # --- not-watched
    Case("not-watched", "loss = v * v", "v", "v = tf.Variable(3.0, trainable=False)"),
    Case(
        "not-watched",
        "loss = tf.reduce_sum(w * w)",
        "w --no-watch-accessed-variables",
        V,
        says="was told not to watch",
    ),
    Case("not-watched", "loss = tf.reduce_sum(w * w)", "", W, subject="w", says="plain tensor"),
    Case(
        "not-watched",
        "y = w @ x\nloss = tf.norm(y)",
        "",
        f"w = tf.ones([2, 2])\n{DATA}",
        subject="w",
        says="name it as a source",
    ),
    Case("not-watched", "v = tf.Variable(1.0, trainable=False)\nloss = 3.0 * v", "v", line=2),
    Case(
        "not-watched",
        "loss = tf.reduce_sum(params['w'] ** 2)",
        "params",
        "params = {'w': tf.Variable([1.0], trainable=False)}",
        subject="params['w']",
    ),
    Case(
        "not-watched",
        "loss = v * v",
        "v --tape t",
        "v = tf.Variable(3.0, trainable=False)",
        says="trainable=False",
    ),
    NearMiss("not-watched", "loss = tf.reduce_sum(w * w)", "w", W),
    Case(
        "not-watched",
        "loss = tf.reduce_sum(v ** 2)",
        "v",
        "v = keras.Variable([1.0, 2.0], trainable=False)",
        says="a Variable with trainable=False",
    ),
    Case(
        "not-watched",
        "with tf.init_scope():\n    h = v * 2.0\nloss = tf.reduce_sum(h)",
        "v",
        "v = tf.Variable([1.0, 2.0])",
        fixed=False,
    ),
    NearMiss("not-watched", "loss = tf.reduce_sum(w * w)", "", V),
    NearMiss(
        "not-watched", "tape.watch(v)\nloss = v * v", "v", "v = tf.Variable(3.0, trainable=False)"
    ),
    NearMiss("not-watched", "tape.watch(w)\nloss = tf.reduce_sum(w * w)", "", W),
    # --- not-used
    Case("not-used", "loss = tf.reduce_sum(b * b)", "w b", WB, subject="w", fixed=False),
    Case(
        "not-used",
        "h = tf.sin(w)\nloss = tf.reduce_sum(b)",
        "w b",
        WB,
        subject="w",
        line=2,
        fixed=False,
    ),
    Case("not-used", "w = w * 2.0\nloss = tf.reduce_sum(b)", "w b", WB, subject="w", fixed=False),
    Case(
        "not-used", "print(w.numpy())\nloss = tf.reduce_sum(b)", "w b", WB, subject="w", fixed=False
    ),
    Case(
        "not-used",
        "def f(w):\n    return tf.reduce_sum(w * w)\nloss = f(b)",
        "w b",
        WB,
        subject="w",
        fixed=False,
    ),
    Case(
        "not-used",
        "n = np.sqrt(len(w))\nloss = tf.reduce_sum(b) / n",
        "w b",
        WB,
        subject="w",
        fixed=False,
    ),
    Case(
        "not-used",
        "if w[0] > 5.0:\n    raise ValueError\nloss = tf.reduce_sum(b)",
        "w b",
        WB,
        subject="w",
        fixed=False,
    ),
    Case(
        "not-used",
        "loss = v * 2.0",
        "u v",
        "u = tf.Variable(1.0)\nv = tf.Variable(2.0)",
        subject="u",
        fixed=False,
    ),
    NearMiss("not-used", "loss = tf.reduce_sum(0.0 * w * b)", "w b", WB),
    *(
        Case("not-used", f"{cell}\nloss = tf.reduce_sum(b) * scale", "w b", WB, "w", fixed=False)
        for cell in (
            "def rmse(y, w):\n    return float(np.mean(y - w))\nscale = rmse(np.ones(3), np.zeros(3))",
            "f = lambda w: np.sum(w)\nscale = f([1.0, 2.0])",
            "scale = sum(float(w) for w in [1, 2])",
            "class P:\n    def __init__(self, w):\n        self.w = np.asarray(w)\nscale = P(2.0).w",
        )
    ),
    *(
        Case("not-used", cell, "w b", WB, "w", fixed=False)
        for cell in (
            "res = {}\nres['n'] = float(tf.norm(w))\nres['l'] = tf.reduce_sum(b)\nloss = res['l']",
            "res = {'n': float(tf.norm(w)), 'l': tf.reduce_sum(b)}\nloss = res['l']",
            "logs = {'mean': np.mean(w)}\nlogs['loss'] = loss = tf.reduce_sum(b)",
        )
    ),
    *(
        Case("not-used", "loss = tf.reduce_sum(y * b)", "w b", (WB, made), "w", fixed=False)
        for made in (
            "def make(w):\n    return w * 2.0\ny = make(tf.constant([1.0, 2.0]))",
            "def make(x, w):\n    return x * w\ny = make(tf.ones([2]), tf.ones([2]))",
            "y = tf.stack(list(map(lambda w: w * 2.0, [1.0, 2.0])))",
            "if w[0] > 0:\n    y = tf.ones([2])",
            "y = tf.ones([2]) if w[0] > 0 else tf.zeros([2])",
            "res = {}\nres['n'] = w * 2.0\nres['y'] = tf.ones([2])\ny = res['y']",
        )
    ),
    # --- computed-before-tape
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "y = w * 2.0"),
        says="y = w * 2.0",
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_mean((y - x) ** 2)",
        "w",
        (W, "h = tf.sin(w)", "x = tf.ones([2])\ny = h + x"),
        says="h = tf.sin(w); y = h + x",
    ),
    Case("computed-before-tape", "y * 1.0", "w", (V, "y = tf.reduce_sum(w * w)")),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_mean(pred)",
        "model",
        (MODEL, "pred = model(x)"),
        says="pred = model(x)",
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "def f(a):\n    return a * 3.0\ny = f(w)"),
        says="y = f(w)",
    ),
    NearMiss("computed-before-tape", "loss = tf.reduce_sum(y * w)", "w", (W, "y = w * 2.0")),
    NearMiss("computed-before-tape", "loss = tf.reduce_sum(b)", "w b", (WB, "y = w * 2.0")),
    NearMiss(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "y = w * 2.0", "y = tf.ones([2])"),
    ),
    NearMiss(
        "computed-before-tape", "y = w * 3.0\nloss = tf.reduce_sum(y)", "w", (W, "y = w * 2.0")
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "y = []\nfor i in range(2):\n    y.append(w * i)\ny = tf.stack(y)"),
        says="y.append(w * i); y = tf.stack(y)",
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "parts = {}", "parts['a'] = w\nparts['b'] = tf.ones([2])\ny = parts['a'] + parts['b']"),
    ),
    Case(  # what it began with is not known
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "for y in [tf.ones([2])]:\n    pass", "y += w"),
        fixed=False,
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "def make(a):\n    return a * w\ny = make(tf.ones([2]))"),
    ),
    # --- left-tensorflow
    Case(
        "left-tensorflow", "y = np.sin(w)\nloss = tf.reduce_sum(y)", "w", W, line=2, op="np.sin(w)"
    ),
    Case(
        "left-tensorflow",
        "a = w.numpy()\nloss = tf.reduce_sum(a * 2.0)",
        "w",
        W,
        line=2,
        op="w.numpy()",
    ),
    Case(
        "left-tensorflow",
        "c = float(w)\nloss = tf.square(tf.constant(c))",
        "w",
        S,
        line=2,
        op="float(w)",
    ),
    Case("left-tensorflow", "k = int(w)\nloss = tf.constant(2.0) * k", "w", S, line=2, fixed=False),
    Case("left-tensorflow", "loss = tf.reduce_mean(tf.constant(w.numpy()) ** 2)", "w", V, line=2),
    Case(
        "left-tensorflow",
        "xs = [float(v) for v in w]\nloss = tf.reduce_sum(tf.constant(xs))",
        "w",
        W,
        line=2,
        fixed=False,
    ),
    Case(
        "left-tensorflow",
        "def f(x):\n    return np.mean(x, axis=0)\ny = f(tf.square(w))\nloss = tf.reduce_sum(y)",
        "w",
        f"w = {'tf.ones([2, 2])'}",
        line=3,
        op="np.mean(x, axis=0)",
    ),
    Case(
        "left-tensorflow",
        "y = f(w)\nloss = tf.reduce_sum(y)",
        "w",
        (W, "def f(x):\n    a = np.exp(x)\n    return a * 2"),
        line=2,
        op="f(w)",
        says="NumPy",
        fixed=False,
    ),
    Case("left-tensorflow", "loss = tf.constant(math.exp(w)) * 2.0", "w", S, line=2),
    Case(
        "left-tensorflow",
        "y = tf.numpy_function(np.sin, [w], tf.float32)\nloss = tf.reduce_sum(y)",
        "w",
        W,
        line=2,
    ),
    Case("left-tensorflow", "loss = tf.reduce_sum(tf.constant(w))", "w", V, line=2),
    Case(
        "left-tensorflow",
        "total = 0.0\nfor v in w:\n    total += v.numpy() ** 2\nloss = tf.constant(total)",
        "w",
        W,
        line=4,
        fixed=True,
    ),
    Case(
        "left-tensorflow",
        "loss = tf.reduce_mean(model.predict(x, verbose=0))",
        "model",
        MODEL,
        op="model.predict(x, verbose=0)",
    ),
    NearMiss(
        "left-tensorflow",
        "try:\n    y = w.numpy()\n    raise ValueError\nexcept ValueError:\n    y = b\n"
        "loss = tf.reduce_sum(y)",
        "w b",
        WB,
    ),
    Case(
        "left-tensorflow",
        "loss = tf.constant(w.numpy().sum()) * b",
        "w b",
        WB,
        subject="w",
        fixed=False,
    ),
    NearMiss("left-tensorflow", "loss, shown = tf.reduce_sum(b * 2.0), w.numpy()", "w b", WB),
    Case(
        "left-tensorflow",
        "a, c = w.numpy(), 3.0\nloss = tf.reduce_sum(a * b) * c",
        "w b",
        WB,
        subject="w",
        line=2,
        fixed=False,
    ),
    Case(
        "left-tensorflow",
        "mask = b.numpy() > 3.5\nloss = tf.reduce_sum(tf.boolean_mask(w, mask))",
        "w b",
        WB,
        subject="b",
        fixed=False,
    ),
    Case(
        "left-tensorflow",
        "def total(v):\n    v = np.asarray(v)\n    return (v**2).sum()\nloss = tf.constant(total(w))",
        "w",
        W,
        line=3,
        op="np.asarray(v)",
        fixed=False,
    ),
    NearMiss("left-tensorflow", "h = hash(w.ref())\nloss = b * float(h % 7)", "w b", WB),
    NearMiss(
        "left-tensorflow",
        "a = np.sin(params['a'])\nloss = tf.reduce_sum(a)",
        "params['b']",
        "params = {'a': tf.constant([1.0]), 'b': tf.constant([2.0])}",
    ),
    NearMiss("left-tensorflow", "print(np.sin(w))\nloss = tf.reduce_sum(b)", "w b", WB),
    NearMiss(
        "left-tensorflow",
        "scale = np.float32(np.sqrt(2.0))\nloss = tf.reduce_sum(w) * scale",
        "w",
        W,
    ),
    NearMiss("left-tensorflow", "shown = w.numpy().round(2)\nloss = tf.reduce_sum(w * w)", "w", W),
    NearMiss("left-tensorflow", "n = float(len(w))\nloss = tf.reduce_sum(b) / n", "w b", WB),
    NearMiss("left-tensorflow", "loss = tf.reduce_sum(tf.constant(w) * 2.0)", "w", W),
    *(  # a function's own names, given what comes from the source
        Case("left-tensorflow", cell, "w b", WB, "w", 3, op)
        for cell, op in (
            (
                "def rmse(y, w):\n    return float(np.mean(y - w))\nloss = b[0] * rmse(1.0, w)",
                "np.mean(y - w)",
            ),
            (
                "def fill(to, a):\n    to.append(np.sin(a))\nxs = []\nfill(xs, w)\nloss = b[0] * xs[0][0]",
                "np.sin(a)",
            ),
            (
                "def f(a, w=w):\n    return a * np.sin(w)\nloss = tf.reduce_sum(f(b))",
                "np.sin(w)",
            ),
        )
    ),
    Case(
        "left-tensorflow",
        "def f(a, k):\n    s = np.mean(k)\n    return tf.constant(float(a[0])) * s\n"
        "loss = f(w, np.ones(3)) * b[0]",
        "w b",
        WB,
        subject="w",
        line=4,
        op="float(a[0])",
    ),
    Case(
        "left-tensorflow",
        "async def f(a):\n    h = np.sin(a)\n    return tf.reduce_sum(h)\nrun = f(w)\n"
        "try:\n    run.send(None)\nexcept StopIteration as e:\n    loss = e.value",
        "w",
        W,
        line=3,
        op="np.sin(a)",
        fixed=False,
    ),
    *(  # tf.constant passes tensors on: it is the call inside that gives numbers
        Case(
            "left-tensorflow",
            f"loss = tf.constant({call}) * 2.0",
            "w",
            (S, made),
            op=call,
            fixed=False,
        )
        for made, call in (
            ("def act(v):\n    return 1 / (1 + math.exp(-v))", "act(w)"),
            (
                "class Act:\n    def __call__(self, v):\n        return np.sin(v)\nact = Act()",
                "act(w)",
            ),
            (
                "class Act:\n    def run(self, v):\n        return np.sin(v)\nact = Act()",
                "act.run(w)",
            ),
        )
    ),
    *(
        Case("left-tensorflow", cell, "model", COMPILED, "model.dense.bias", 2, call, fixed=False)
        for cell, call in (
            (
                "loss = tf.constant(model.evaluate(x, x, verbose=0))",
                "model.evaluate(x, x, verbose=0)",
            ),
            ("loss = tf.constant(model.train_on_batch(x, x))", "model.train_on_batch(x, x)"),
            (
                "h = model.fit(x, x, verbose=0)\nloss = tf.constant(h.history['loss'][0])",
                "model.fit(x, x, verbose=0)",
            ),
        )
    ),
    Case("left-tensorflow", "loss = tf.reduce_mean(model.predict(x=x, verbose=0))", "model", MODEL),
    Case(
        "left-tensorflow",
        "loss = mse(model.predict(x, verbose=0), 1.0)",
        "model",
        (MODEL, "def mse(a, c):\n    return tf.reduce_mean((a - c) ** 2)"),
    ),
    Case(
        "left-tensorflow",
        "h = tf.sin(w)",
        'w -t "tf.reduce_mean(np.sin(h))"',
        W,
        op="np.sin(h)",
        says="in the target",
        fixed=False,
    ),
    *(  # what TensorFlow could not do in its place
        Case("left-tensorflow", f"{cell}\nloss = tf.reduce_sum(h) * 2.0", "w", W, fixed=False)
        for cell in (
            "h = np.array([1.0, 2.0]) @ w.numpy()",
            "v = w.numpy()\nh = np.array([1.0, 2.0]) @ v",
            "h = np.dot(np.ones(2), w)",
            "h = 2 * w.numpy()\nh[0] = 5.0",
            "h = np.floor(w)",
            "h = np.sign(w)",
            "h = np.where(w > 1.5, 1.0, 2.0)",
            "h = tf.ones([int(w[0])])",
            "h = tf.constant(eval(f'{list(w.numpy())}'))",
            "h = tf.constant(float(str(w.numpy()[0])))",
            "a = 1.0; h = np.sin(w)",
        )
    ),
    # --- integer-dtype
    Case(
        "integer-dtype",
        "loss = tf.cast(x, tf.float32) ** 2",
        "x",
        "x = tf.constant(10)",
        subject="x",
    ),
    Case(
        "integer-dtype",
        "x = tf.constant([1, 2])\nloss = tf.reduce_sum(tf.cast(x, tf.float32))",
        "x",
        line=2,
    ),
    Case(
        "integer-dtype",
        "n = tf.cast(w, tf.int32)\nloss = tf.reduce_sum(tf.cast(n, tf.float32) ** 2)",
        "w",
        W,
        line=2,
        op="Cast",
    ),
    Case(
        "integer-dtype",
        "i = tf.cast(w, tf.int32)\nloss = tf.gather(table, i)",
        "w",
        "w = tf.constant(1.0)\ntable = tf.constant([1.0, 2.0])",
        line=2,
        fixed=False,
    ),
    Case(
        "integer-dtype",
        "m = tf.cast(w, tf.bool)\nloss = tf.reduce_sum(tf.cast(m, tf.float32))",
        "w",
        W,
        line=2,
        says="bool",
    ),
    Case(
        "integer-dtype",
        "loss = tf.cast(v, tf.float32) * 2.0",
        "v",
        "v = tf.Variable(3)",
        subject="v",
    ),
    NearMiss("integer-dtype", "loss = tf.reduce_sum(tf.cast(w, tf.float64))", "w", W),
    NearMiss(
        "integer-dtype", "loss = tf.reduce_sum(tf.gather(w, tf.cast(w * 0.0, tf.int32)))", "w", W
    ),
    # --- not-differentiable
    Case("not-differentiable", "loss = tf.reduce_sum(tf.round(w))", "w", W, line=2, op="Round"),
    Case(
        "not-differentiable",
        "k = tf.argmax(w)\nloss = tf.cast(k, tf.float32)",
        "w",
        W,
        line=2,
        op="ArgMax",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "hit = tf.cast(w > 1.5, tf.float32)\nloss = tf.reduce_mean(hit)",
        "w",
        W,
        line=2,
        op="Greater",
    ),
    Case(
        "not-differentiable",
        "y = tf.one_hot(tf.argmax(w), 2)\nloss = tf.reduce_sum(y * b)",
        "w",
        WB,
        line=2,
        op="ArgMax",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "p = tf.nn.softmax(w)\nright = tf.equal(tf.argmax(p, 1), [0, 1])\nloss = tf.reduce_mean(tf.cast(right, tf.float32))",
        "w",
        "w = tf.constant([[2.0, 1.0], [1.0, 2.0]])",
        line=3,
        op="ArgMax",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "loss = tf.reduce_sum(tf.where(w > 1.5, 1.0, 2.0))",
        "w",
        W,
        op="Greater",
        fixed=False,
    ),
    Case("not-differentiable", "loss = tf.reduce_sum(tf.floor(w) * 2.0)", "w", W, op="Floor"),
    Case(
        "not-differentiable",
        "h = w * 2.0\ng = h\nh = tf.ones([2])\nloss = tf.reduce_sum(tf.floor(g) * h)",
        "w",
        W,
        line=5,
        says="rounds g:",
    ),
    Case(
        "not-differentiable",
        "hit = tf.cast(w > 1.5, tf.float32)\nloss = tf.reduce_sum(hit * b)",
        "w",
        "w = tf.constant([1.0, 2.0], tf.float64)\nb = tf.constant([3.0, 4.0])",
        op="Greater",
    ),
    Case(
        "not-differentiable",
        "i = tf.cast(w > 1.5, tf.int32)\nloss = tf.reduce_sum(tf.gather(b, i))",
        "w",
        WB,
        op="Greater",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "with tf.init_scope():\n    h = w * 2.0\nloss = tf.reduce_sum(h)",
        "w",
        W,
        subject="w",
        line=3,
        says="did not record this op, or",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "@tf.custom_gradient\ndef f(a):\n    return a * 2.0, lambda upstream: None\nloss = tf.reduce_sum(f(w))",
        "w",
        W,
        subject="w",
        line=5,
        says="gradient function gives none back",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "loss = tf.reduce_sum(tf.zeros_like(w) + b)",
        "w b",
        WB,
        subject="w",
        says="only the shape",
        fixed=False,
    ),
    Case(
        "not-differentiable",
        "@tf.function\ndef f(x):\n    return tf.round(x) * 2.0\nloss = tf.reduce_sum(f(w))",
        "w",
        W,
        says="tf.function",
        fixed=False,
    ),
    NearMiss(
        "not-differentiable", "loss = tf.reduce_sum(w * tf.cast(w > 1.5, tf.float32))", "w", W
    ),
    Case(
        "not-differentiable",
        "loss = 0.0\nfor batch in tf.data.Dataset.from_tensor_slices(w).batch(2):\n"
        "    loss += tf.reduce_sum(batch ** 2)",
        "w",
        W,
        line=3,
        op="TensorSliceDataset",
        fixed=False,
    ),
    NearMiss("not-differentiable", "loss = tf.reduce_max(w)", "w", W),
    NearMiss("not-differentiable", "k = tf.argmax(w)\nloss = w[k] * 2.0", "w", W),
    # --- stop-gradient
    Case(
        "stop-gradient",
        "h = tf.stop_gradient(w * 2.0)\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=2,
        op="StopGradient",
    ),
    Case("stop-gradient", "h = tf.stop_gradient(input=w)\nloss = tf.reduce_sum(h)", "w", W, line=2),
    Case(
        "stop-gradient",
        "h = tf.stop_gradient(*[w])\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=2,
        fixed=False,
    ),
    Case(
        "stop-gradient",
        "loss = tf.reduce_sum(tf.stop_gradient(w) * b)",
        "w b",
        WB,
        subject="w",
        line=2,
    ),
    Case(
        "stop-gradient",
        "teacher = tf.nn.softmax(w)\nteacher = tf.stop_gradient(teacher)\nloss = tf.reduce_sum(teacher * tf.math.log_softmax(2.0 * b))",
        "w b",
        WB,
        subject="w",
        line=3,
    ),
    Case(
        "stop-gradient",
        "def f(x):\n    return keras.ops.stop_gradient(x) * 2.0\nloss = tf.reduce_sum(f(w))",
        "w",
        W,
        line=3,
    ),
    NearMiss("stop-gradient", "loss = tf.reduce_sum(tf.stop_gradient(w) * w)", "w", W),
    NearMiss("stop-gradient", "side = tf.stop_gradient(w)\nloss = tf.reduce_sum(b)", "w b", WB),
    # --- recording-stopped
    Case(
        "recording-stopped",
        "with tape.stop_recording():\n    h = w * 2.0\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=2,
        op="Mul",
    ),
    Case(
        "recording-stopped",
        "h = w * 2.0\ntape.reset()\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=3,
        says="forget",
    ),
    Case(
        "recording-stopped",
        "tape.reset()\nloss = tf.reduce_sum(w * w)",
        "w",
        W,
        line=2,
        says="watches",
    ),
    Case(
        "recording-stopped",
        "y = tf.square(w)\nwith tape.stop_recording():\n    y = y + 1.0\n    loss = tf.reduce_sum(y)",
        "w",
        V,
        line=3,
    ),
    Case(
        "recording-stopped",
        "import threading\nout = []\nt = threading.Thread(target=lambda: out.append(w * 2.0))\nt.start()\nt.join()\nloss = tf.reduce_sum(out[0])",
        "w",
        W,
        says="thread",
        fixed=False,
    ),
    NearMiss(
        "recording-stopped",
        "with tape.stop_recording():\n    shown = w * 2.0\nloss = tf.reduce_sum(w)",
        "w",
        W,
    ),
    NearMiss(
        "recording-stopped", "tape.reset()\ntape.watch(w)\nloss = tf.reduce_sum(w * w)", "w", W
    ),
    # --- variable-replaced
    Case("variable-replaced", "x = x + 1.0\nloss = x * x", "x", "x = tf.Variable(2.0)", line=2),
    Case(
        "variable-replaced",
        "x.assign(2.0)\ny = x * x\nx = x + 1.0",
        "",
        "x = tf.Variable(2.0)",
        subject="x",
        line=4,
    ),
    Case(
        "variable-replaced",
        "def double(x):\n    x = x * 2.0\n    return x\nloss = double(x)\nx = tf.constant(1.0)",
        "",
        "x = tf.Variable(2.0)",
        subject="x",
        line=6,
    ),
    Case(
        "variable-replaced",
        "loss = (x - v) ** 2\ng, _ = tape.gradient(loss, [x, v])\nx = x - 0.1 * g",
        "",
        "x, v = tf.Variable(2.0), tf.Variable(3.0)",
        subject="x",
        line=4,
    ),
    Case(
        "variable-replaced",
        "x = tf.reduce_sum(x)\nloss = x * x",
        "x",
        "x = tf.Variable([2.0, 3.0])",
        line=2,
        fixed=False,
    ),
    Case(
        "variable-replaced",
        "for x in tf.unstack(x):\n    loss = x * x",
        "x",
        "x = tf.Variable([2.0, 3.0])",
        line=2,
        says="(for x in tf.unstack(x))",
        fixed=False,
    ),
    Case(
        "variable-replaced",
        "v = v + w\nloss = v ** 2",
        "w v",
        f"{S}\nv = tf.Variable(0.0)",
        subject="v",
        fixed=False,
    ),
    NearMiss("variable-replaced", "v = v + w\nloss = v ** 2", "w", f"{S}\nv = tf.Variable(0.0)"),
    NearMiss(
        "variable-replaced",
        "outs = []\nfor t in range(2):\n    o, [new] = cell(x[:, t], [state])\n    state = tf.identity(new)\n    outs.append(o)\nloss = tf.reduce_sum(outs[0])",
        "cell",
        CELL,
    ),
    NearMiss(
        "variable-replaced",
        "loss = 0.0\nfor v in tf.unstack(vs[1]):\n    loss += v ** 2",
        "vs",
        (
            "vs = [tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])]",
            "for v in vs:\n    print(v.shape)",
        ),
    ),
    NearMiss(
        "variable-replaced",
        "y = x * x\nif x > 9.0:\n    x = x * 2.0\nx = tf.identity(x)",
        "",
        "x = tf.Variable(2.0)",
    ),
    Case(
        "variable-replaced",
        "y = x + 1.0",
        "",
        ("x = tf.Variable(2.0)", "x = x + 1.0"),
        subject="x",
        says="x = x + 1.0",
    ),
    Case(
        "variable-replaced",
        "y = x * x\nx = x - 0.1",
        "",
        "x = tf.Variable(2.0)",
        line=3,
        subject="x",
    ),
    Case(
        "variable-replaced",
        "loss = tf.reduce_sum(w * x)",
        "w",
        (
            "w = tf.Variable([1.0, 2.0])\nx = tf.constant([3.0, 4.0])",
            "for _ in range(3):\n    w = w - 0.1 * x",
        ),
        subject="w",
    ),
    NearMiss("variable-replaced", "x.assign_add(1.0)\nloss = x * x", "x", "x = tf.Variable(2.0)"),
    NearMiss(
        "variable-replaced", "loss = x * x", "x", ("x = tf.Variable(2.0)", "x = tf.constant(1.0)")
    ),
    NearMiss("variable-replaced", "loss = x * x", "x", ("x = tf.constant(2.0)", "x = x + 1.0")),
    # --- stateful-assign
    Case(
        "stateful-assign",
        "v.assign_add(w)\nloss = v ** 2",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=2,
        op="AssignAddVariableOp",
        subject="w",
    ),
    Case(
        "stateful-assign",
        "v.assign(w * 2.0)\nloss = v * v",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=2,
    ),
    Case("stateful-assign", "v = tf.Variable(w)\nloss = tf.reduce_sum(v * v)", "w", W, line=2),
    Case(
        "stateful-assign",
        "for t in range(2):\n    o, [new] = cell(x[:, t], [state])\n    state.assign(new)\nloss = tf.reduce_sum(state ** 2)",
        "cell.kernel",
        CELL,
        line=4,
        says="stores new in the Variable state",
    ),
    Case(
        "stateful-assign",
        "v.assign_add(w)\nv.assign_add(1.0)\nloss = v ** 2",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=2,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "v.assign(0.0)\nv.assign_add(w)\nloss = v ** 2",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=3,
    ),
    Case(
        "stateful-assign",
        "u = v\nv.assign_add(w)\nloss = u ** 2",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=3,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "v.assign_add(w)\nloss = net.a ** 2",
        "w",
        f"{S}\nnet = tf.Module()\nv = net.a = tf.Variable(0.0)",
        line=2,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "u = v = tf.Variable(w)\nu.assign_add(1.0)\nloss = v ** 2",
        "w",
        S,
        line=2,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "v = tf.Variable(w)\nloss = tf.reduce_sum(v.read_value() ** 2)",
        "w",
        W,
        line=2,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "def step(a):\n    v.assign_add(a)\n    return v ** 2\nloss = step(w)",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        line=3,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "def step(a):\n    v = tf.Variable(0.0)\n    v.assign_add(a)\n    return v ** 2\nloss = step(w)",
        "w",
        S,
        line=4,
    ),
    Case(
        "stateful-assign",
        "v[0].assign(w)\nloss = tf.reduce_sum(v)",
        "w",
        f"{S}\nv = tf.Variable([0.0, 1.0])",
        line=2,
        fixed=False,
    ),
    Case(
        "stateful-assign",
        "total = tf.Variable(0.0)\nfor i in range(2):\n    total.assign_add(w[i])\nloss = total * 1.0",
        "w",
        W,
        line=4,
    ),
    NearMiss("stateful-assign", "v.assign(w)\nloss = w * w", "w", f"{S}\nv = tf.Variable(0.0)"),
    NearMiss(
        "stateful-assign", "v.assign_add(1.0)\nloss = v * w", "w v", f"{S}\nv = tf.Variable(0.0)"
    ),
    # --- not-trainable
    Case(
        "not-trainable",
        "loss = tf.reduce_sum(model(x, training=False))",
        "model.layers[1].moving_mean",
        NORMALIZED,
        says="moving average",
    ),
    Case(
        "not-trainable",
        "loss = tf.reduce_sum(model(x) ** 2)",
        "model",
        f"{MODEL}\nmodel.layers[0].trainable = False",
        subject="model.layers[0]",
        says="frozen",
    ),
    Case(
        "not-trainable",
        "loss = tf.reduce_sum(model(x, training=True) ** 2)",
        "model.variables",
        NORMALIZED,
        fixed=False,
    ),
    NearMiss(
        "not-trainable", "loss = tf.reduce_sum(model(x, training=True) ** 2)", "model", NORMALIZED
    ),
    NearMiss("not-trainable", "loss = v * v", "v", "v = tf.Variable(3.0, trainable=False)"),
    NearMiss("not-trainable", "loss = v * v", "v", "v = keras.Variable(3.0, trainable=False)"),
    # --- no-gradient-registered
    Case(
        "no-gradient-registered",
        "y = tf.image.adjust_contrast(image * w, 2.0)\nloss = tf.reduce_sum(y * b)",
        "w b",
        "w = tf.constant(1.0)\nb = tf.constant(2.0)\nimage = tf.ones([1, 2, 2, 3])",
        subject="w",
        line=2,
        op="AdjustContrastv2",
        fixed=False,
    ),
    Case(
        "no-gradient-registered",
        "y = tf.raw_ops.AdjustHue(images=w, delta=0.1)\nloss = tf.reduce_sum(y) + tf.reduce_sum(w)",
        "w",
        "w = tf.random.uniform([2, 2, 3])",
        line=2,
        fixed=False,
    ),
    Case(
        "no-gradient-registered",
        "def shift(image):\n    return tf.image.adjust_saturation(image, 2.0)\nloss = tf.reduce_mean(shift(w * 0.5))",
        "w",
        "w = tf.random.uniform([2, 2, 3])",
        fixed=False,
    ),
    NearMiss(
        "no-gradient-registered",
        "side = tf.image.adjust_contrast(image, 2.0)\nloss = tf.reduce_sum(side * w)",
        "w",
        "w = tf.constant(1.0)\nimage = tf.ones([1, 2, 2, 3])",
    ),
    # --- target-constant
    Case("target-constant", "loss = tf.constant(3.0)", "w", W, line=2, subject="loss", fixed=False),
    Case(
        "target-constant",
        "c = tf.ones([2])\nloss = tf.reduce_sum(c * 2.0)",
        "w",
        W,
        line=3,
        fixed=False,
    ),
    Case("target-constant", "h = w * 2.0\nloss = tf.zeros([]) + 1.0", "w", W, fixed=False),
    Case("target-constant", "tf.reduce_mean([1.0, 2.0])", "", fixed=False),
    NearMiss("target-constant", "loss = tf.constant(3.0) * w", "w", S),
    NearMiss("target-constant", "loss = tf.reduce_sum(b)", "w", WB),
    NearMiss("target-constant", "loss = tf.constant(w.numpy() * 2.0)", "w", S),
    # --- tape-consumed
    Case(
        "tape-consumed",
        "y = w * w\ng = tape.gradient(y, w)\nloss = tf.reduce_sum(w ** 3)",
        "w",
        W,
        line=3,
    ),
    Case(
        "tape-consumed",
        "x = w * 2.0\ndx = tape.gradient(x, [w])[0]\nloss = tf.reduce_sum(tf.sin(x))",
        "w",
        V,
        line=3,
    ),
    Case(
        "tape-consumed",
        "for k in range(2):\n    h = w * float(k + 1)\n    if k == 0:\n        first = tape.gradient(h, w)\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=5,
    ),
    NearMiss("tape-consumed", "loss = tf.reduce_sum(w * w)\ng = tape.gradient(loss, w)", "w", W),
    Case(
        "tape-consumed",
        "g = tape.gradient(tf.reduce_sum(w**2), w)\nloss = tf.reduce_sum(g)",
        "w",
        W,
        subject="w",
        line=2,
        says="what ran after it (loss, line 3)",
    ),
    Case(
        "tape-consumed",
        "loss = tape.gradient(tf.reduce_sum(w**2), w)",
        "w",
        W,
        subject="w",
        line=2,
        says="how its result was computed",
    ),
    NearMiss(
        "tape-consumed",
        "y = w * w\ng = tape.gradient(y, w)\nloss = tf.reduce_sum(w ** 3)",
        "w --persistent",
        W,
    ),
    # --- layer-not-called
    Case(
        "layer-not-called", "loss = tf.reduce_mean(model.layers[0](x))", "model", MODEL, fixed=False
    ),
    Case(
        "layer-not-called",
        "h = first(x)\nloss = tf.reduce_sum(h)",
        "first second.kernel",
        "first = keras.layers.Dense(2)\nsecond = keras.layers.Dense(1)\nfirst.build([None, 2])\nsecond.build([None, 2])\n"
        + DATA,
        subject="second.kernel",
        fixed=False,
    ),
    Case("layer-not-called", "loss = tf.reduce_sum(net.a * x)", "net", NET, fixed=False),
    NearMiss("layer-not-called", "loss = tf.reduce_mean(model(x))", "model", MODEL),
    NearMiss(
        "layer-not-called", "loss = v * 2.0", "u v", "u = tf.Variable(1.0)\nv = tf.Variable(2.0)"
    ),
    # --- control-flow
    Case(
        "control-flow",
        "if w > 0.0:\n    loss = tf.square(b)\nelse:\n    loss = b",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
        subject="w",
        line=2,
        op="w > 0.0",
        fixed=False,
    ),
    Case(
        "control-flow",
        "k = b if w > 0.0 else -b\nloss = k * k",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
        subject="w",
        line=2,
        fixed=False,
    ),
    Case(
        "control-flow",
        "loss = tf.cond(w > 0.0, lambda: b * 2.0, lambda: b)",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
        subject="w",
        line=2,
        fixed=False,
    ),
    Case(
        "control-flow",
        "h = b\nwhile h < w:\n    h = h * 2.0\nloss = h * 1.0",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
        subject="w",
        line=3,
        fixed=False,
    ),
    NearMiss(
        "control-flow",
        "if w > 0.0:\n    loss = w * b\nelse:\n    loss = b",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
    ),
    NearMiss("control-flow", "assert w > 0.0\nloss = b * b", "w b", f"{S}\nb = tf.constant(2.0)"),
    NearMiss(
        "control-flow",
        "if w > 0.0:\n    print('positive')\nloss = b * b",
        "w b",
        f"{S}\nb = tf.constant(2.0)",
    ),
    # --- nothing is known but that there is no way
    Case(
        "recording-stopped",
        "loss = tf.constant(act(w)) * 2.0",
        "w",
        (S, "def act(v):\n    import numpy as module\n    return module.sin(v)"),
        says="found no path",
        fixed=False,
    ),
    # --- a fix would take away what else its line holds
    Case(
        "variable-replaced",
        "a = 2.0; v = v + 1.0\nloss = v * a",
        "v",
        V.replace("w", "v"),
        fixed=False,
    ),
    *(
        Case(
            kind,
            f"{cell}\nloss = tf.reduce_sum(h) * a",
            "w",
            f"{W}\na = 2.0",
            line=line,
            fixed=False,
        )
        for kind, cell, line in (
            ("stop-gradient", "a = 2.0; h = tf.stop_gradient(w)", 2),
            ("stop-gradient", "if a > 2.0:\n    h = w\nelse: h = tf.stop_gradient(w)", 4),
            ("stop-gradient", "try: h = tf.stop_gradient(w)\nfinally: a = 2.0", 2),
            ("stop-gradient", "try: a = 2.0\nfinally: h = tf.stop_gradient(w)", 3),
            ("not-differentiable", "a = 2.0; h = tf.round(w)", 2),
            ("not-differentiable", "def f(a): return tf.round(a)\nh = f(w)", 2),
            ("integer-dtype", "a = 2.0; n = tf.cast(w, tf.int32)\nh = tf.cast(n, tf.float32)", 2),
            ("recording-stopped", "h = w * 2.0\na = 2.0; tape.reset()", 3),
        )
    ),
    Case(
        "stateful-assign",
        "a = 2.0; v.assign(w)\nloss = v * a",
        "w",
        f"{S}\nv = tf.Variable(0.0)",
        fixed=False,
    ),
    Case(
        "not-watched",
        "a = 2.0; v = tf.Variable(1.0, trainable=False)\nloss = v * a",
        "v",
        fixed=False,
    ),
    Case(
        "integer-dtype",
        "a = 2.0; v = tf.constant(1)\nloss = tf.cast(v, tf.float32) * a",
        "v",
        fixed=False,
    ),
    Case(
        "not-watched",
        "for v in [tf.Variable(2.0, trainable=False)]:\n    loss = v * v",
        "v",
        "v = tf.Variable(1.0)",
        fixed=False,
    ),
    Case(
        "stop-gradient",
        "if w[0] > 0.0:\n    h = tf.stop_gradient(w)\nelse:\n    h = w\nloss = tf.reduce_sum(h)",
        "w",
        W,
        line=3,
    ),
    # what was recorded, and does not lead to the target
    Case(
        "not-used",
        "both = [w, u]\nloss = tf.reduce_sum(both[0] ** 2)",
        "u",
        f"{V}\nu = tf.Variable([3.0, 4.0])",
        says="No op of the cell used u",
        fixed=False,
    ),
    Case(
        "not-used",
        "def heads(t):\n    return t * w, t * u\na, b = heads(2.0)\nloss = tf.reduce_sum(a)",
        "u",
        f"{V}\nu = tf.Variable([3.0, 4.0])",
        line=3,
        fixed=False,
    ),
    # matrices are multiplied in TensorFlow as in NumPy
    Case(
        "left-tensorflow",
        "h = np.tanh(x @ w)\ny = h @ v\nloss = tf.reduce_mean(y ** 2)",
        "w",
        (DATA, "w = tf.constant([[1.0, 0.5], [2.0, 1.0]])\nv = tf.constant([[1.0], [3.0]])"),
        line=2,
    ),
    Case(
        "left-tensorflow",
        "d = {}\nfor k, t in zip('ab', [w, w]):\n    d[k] = t.numpy()\nloss = tf.reduce_sum(d['a'] * w2)",
        "w",
        (W, "w2 = tf.constant([1.0, 3.0])"),
        line=4,
    ),
    Case(
        "left-tensorflow",
        "d = {}\nd.update(a=w.numpy())\nloss = tf.reduce_sum(d['a'] * w2)",
        "w",
        (W, "w2 = tf.constant([1.0, 3.0])"),
        line=3,
    ),
    Case(
        "left-tensorflow",
        "d = dict(a=w.numpy())\nloss = tf.reduce_sum(d['a'] * w2)",
        "w",
        (W, "w2 = tf.constant([1.0, 3.0])"),
        line=2,
    ),
    Case(
        "left-tensorflow",
        "def fill(d, t):\n    d['k'] = t.numpy()\nres = {}\nfill(res, w)\nloss = tf.reduce_sum(res['k'] * w2)",
        "w",
        (W, "w2 = tf.constant([1.0, 3.0])"),
        line=3,
        fixed=False,
    ),
    Case(
        "left-tensorflow",
        "class U:\n    @classmethod\n    def go(cls, t):\n        return t.numpy() * 2\nloss = tf.reduce_sum(w2 * U.go(w))",
        "w",
        (W, "w2 = tf.constant([1.0, 3.0])"),
        line=5,
        says="t.numpy() on line 5",
        fixed=False,
    ),
    Case(
        "variable-replaced",
        "loss = tf.reduce_sum(w ** 2)\nw = w - 0.1",
        "",
        V,
        line=3,
    ),
    Case(
        "variable-replaced",
        "w = tf.Variable([1.0, 2.0, 3.0])\nloss = tf.reduce_sum(w ** 2)\nw = w + 1.0",
        "w",
        V,
        line=4,
    ),
    Case(
        "variable-replaced",
        "loss = w ** 2",
        "w",
        ("w = tf.Variable(1.0)", "for i in range(3):\n    w = w - 0.1"),
        says="(for i in range(3))",
    ),
    # what the earlier statements read holds something else since
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "h = w2 = tf.constant([1.0, 3.0])\ny = h * w", "h = h * 100.0"),
        fixed=False,
    ),
    Case(
        "computed-before-tape",
        "loss = tf.reduce_sum(y)",
        "w",
        (W, "acc = tf.zeros([2])", "for e in [w, w]:\n    acc = acc + e ** 2\ny = acc"),
        says="acc = acc + e ** 2",
    ),
]
