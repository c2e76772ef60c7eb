"""A lesson's reports of all kinds, shown as a kernel shows them, for the page that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SETUP = """
tf.random.set_seed(3)
x = tf.random.normal([8, 4])
y = tf.one_hot([2, 0, 1, 1, 0, 2, 0, 1], 3)
w = tf.Variable(tf.random.normal([4, 3]))
b = tf.Variable(tf.zeros([3]))
権 = tf.constant([[1.0, -2.0], [3.0, 4.0]])
z = tf.constant([-9.0, 0.0, 1.0, 9.0])
model = tf.keras.Sequential([tf.keras.layers.Dense(16, "relu"), tf.keras.layers.Dense(3)])
model(x)
"""

CROSSENTROPY = "loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, x @ w + b))\n"
MSE = """logits = x @ w + b
prob = tf.nn.softmax(logits)
loss = tf.reduce_mean(tf.losses.MSE(y, prob))
"""
NETWORK = """loss = tf.reduce_mean(tf.losses.categorical_crossentropy(
    y, model(x), from_logits=True))
"""
CELLS = (
    f"%%gradtape w b\n{CROSSENTROPY}",
    "%%gradtape 権\n損失 = tf.reduce_sum(権 ** 2)  # </script><script>alert(1)</script>\n損失\n",
    f"%%gradtape w\n{MSE}",
    f"%%gradtape model\n{NETWORK}",
    "%%gradtape z\nloss = tf.constant(3.0) * 2.0\n",
    "%gradlosses y x@w --inline",
    "%gradactivation sigmoid tanh softmax",
    f"%%graddescent w b --lr 0.1,0.5 --steps 40\n{CROSSENTROPY}",
    "%%gradtape z\nloss = tf.reduce_sum(tf.sqrt(z))\n",
    "%%gradtape z\nh = z\nfor i in range(8):\n    h = tf.tanh(h) + z\nloss = tf.reduce_mean(h)\n",
)


def list_cells(count: int) -> Iterator[str]:
    """So many different cells, of all kinds in turn."""
    for i in range(count):
        cell, again = CELLS[i % len(CELLS)], i // len(CELLS)
        if again and cell.startswith("%%"):
            cell += f"# time {again}\n"
        elif again:  # another line: without a front-end's ids it would be the same one run again
            cell = cell.replace("x@w", f"x@w/{again}.0").replace(
                "softmax", f"relu --range -6 {again}"
            )
        yield cell
