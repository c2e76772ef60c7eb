"""The TensorFlow code behind each part of the sidebar: pasted into a cell, it gives the numbers.

Each is a function and its call, so that no name of the notebook is bound anew. ``{logits}`` and
``{target}`` stand for the row that the sliders make, ``{number}`` for the class of the slider that
was moved last; the browser fills them in as the sliders move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import Slider, SliderTables

MOST_LITERAL = 100  # classes of a row that is written out

_TAPE = """\
with tf.GradientTape(persistent=True) as tape:
    tape.watch(z)
    mse = tf.losses.MSE(y, tf.nn.softmax(z))
    crossentropy = tf.losses.categorical_crossentropy(y, z, from_logits=True)
g_mse = tape.gradient(mse, z)
g_crossentropy = tape.gradient(crossentropy, z)
"""


def write_batch(panel: LossPanel) -> str:
    """All figures of the batch."""
    samples, classes = panel.comparison.targets.shape
    binary = ", tf.reduce_mean(tf.losses.binary_crossentropy(y, p))" if classes == 2 else ""
    body = (
        "p = tf.nn.softmax(z)\n"
        "cce = tf.losses.categorical_crossentropy\n"
        "mse = [\n"
        "    tf.reduce_mean((y - p) ** 2),\n"
        f"    tf.norm(y - p) ** 2 / ({samples} * {classes}),\n"
        "    tf.reduce_mean(tf.losses.MSE(y, p)),\n"
        "]\n"
        "nats = [\n"
        "    tf.reduce_mean(cce(y, z, from_logits=True)),\n"
        "    tf.reduce_mean(cce(y, p)),\n"
        "    tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(p), axis=1)),\n"
        "]\n"
        "bits = [one / tf.math.log(tf.cast(2, z.dtype)) for one in nats]\n"
        "right = tf.argmax(z, 1) == tf.argmax(y, 1)\n"
        "accuracy = tf.reduce_mean(tf.cast(right, tf.float64))\n"
        f"return [float(x) for x in (*mse, *nats, *bits, accuracy{binary})]\n"
    )
    return _write_function(panel, "compare", _write_rows(panel) + body)


def write_hand(panel: LossPanel, tables: SliderTables) -> str:
    """Both losses of the row in hand: the norms of their gradients, and the gradients."""
    body = f"{_TAPE}return tf.norm(g_crossentropy), tf.norm(g_mse), g_crossentropy, g_mse\n"
    return _write_hand(panel, tables, "take_gradients", body)


def write_curve(panel: LossPanel, tables: SliderTables, slider: Slider) -> str:
    """Losses and sizes of gradients along one slider; ``{number}`` is the class of a logit's."""
    high = float(slider.positions.max())
    low = float(slider.positions.min())
    classes = int(panel.comparison.targets.shape[1])
    if slider.kind == "logit":
        row = (
            f"x = tf.linspace(tf.constant({low:g}, z.dtype), {high:g}, 121)  "
            "# the logit of class {number}\n"
            f"z = tf.where(tf.range({classes}) == {{number}}, x[:, None], z)\n"
        )
    elif slider.kind == "confidence":
        root = f"{float(np.sqrt(high)):.6g}"
        row = (
            f"x = tf.linspace(tf.constant(-{root}, z.dtype), {root}, 121)\n"
            "x = tf.sign(x) * x**2  # all logits times x\n"
            "z = x[:, None] * z\n"
        )
    else:
        row = (
            "x = tf.cast(tf.range(19), z.dtype) / 20  # the share that is smoothed\n"
            f"y = (1 - x[:, None]) * y + x[:, None] / {classes}\n"
            "z = tf.repeat(z, 19, axis=0)\n"
        )
    if slider.kind != "smoothing":
        row += "y = tf.repeat(y, 121, axis=0)\n"
    body = (
        f"{row}{_TAPE}"
        "return x, crossentropy, mse, tf.norm(g_crossentropy, axis=1), tf.norm(g_mse, axis=1)\n"
    )
    return _write_hand(panel, tables, "follow_slider", body)


def write_stability(panel: LossPanel, tables: SliderTables) -> str:
    """Crossentropy of the row in hand in three ways, and the gradient of each."""
    body = (
        "with tf.GradientTape(persistent=True) as tape:\n"
        "    tape.watch(z)\n"
        "    q = tf.nn.softmax(z)\n"
        "    ways = [\n"
        "        tf.losses.categorical_crossentropy(y, q),\n"
        "        -tf.reduce_sum(y * tf.math.log(tf.where(y > 0, q, 1)), axis=1),\n"
        "        tf.losses.categorical_crossentropy(y, z, from_logits=True),\n"
        "    ]\n"
        "true = int(tf.argmax(y[0]))\n"
        "return [(float(way[0]), float(tape.gradient(way, z)[0, true])) for way in ways]\n"
    )
    return _write_hand(panel, tables, "write_three_ways", body)


def write_sources(panel: LossPanel) -> str:
    """The sources' gradients of the sample's own losses, through the cell's own tape."""
    origin, sample = panel.origin, panel.hand.tables.setting.sample
    program = origin.program.replace("GradientTape(", "GradientTape(persistent=True, ", 1)
    program = program.replace("persistent=True, )", "persistent=True)", 1)
    names = ", ".join(origin.sources)
    rows = _write_rows(panel)
    return (
        f"{program}\n\n"
        "def pull(y, given, sources):\n"
        "    with tf.GradientTape(persistent=True) as losses:\n"
        "        losses.watch(given)\n"
        f"{_indent(f'z = given{chr(10)}{rows}', 8)}"
        f"        mse = tf.losses.MSE(y, tf.nn.softmax(z))[{sample}]\n"
        "        cce = tf.losses.categorical_crossentropy(y, z, from_logits=True)"
        f"[{sample}]\n"
        "    return [\n"
        "        tape.gradient(given, sources, output_gradients=losses.gradient(loss, given))\n"
        "        for loss in (cce, mse)\n"
        "    ]\n\n\n"
        f"pull({origin.targets}, {origin.predictions}, [{names}])\n"
    )


def write_race(panel: LossPanel) -> str:
    """Both descents of the batch; ``{steps}`` and ``{optimizer}`` as they are set."""
    body = (
        "def descend(loss):\n"
        "    logits, laps = tf.keras.Variable(z), []\n"
        "    optimizer = tf.keras.optimizers.{optimizer}\n"
        "    for step in range({steps} + 1):\n"
        "        with tf.GradientTape() as tape:\n"
        "            losses = loss(logits)\n"
        "        gradient = tape.gradient(losses, logits.value)\n"
        "        pull = tf.reduce_mean(tf.norm(gradient, axis=1))\n"
        "        laps.append((float(tf.reduce_mean(losses)), float(pull)))\n"
        "        optimizer.apply([gradient], [logits])\n"
        "    return laps\n\n"
        "cce = tf.losses.categorical_crossentropy\n"
        "on_crossentropy = descend(lambda logits: cce(y, logits, from_logits=True))\n"
        "on_mse = descend(lambda logits: tf.losses.MSE(y, tf.nn.softmax(logits)))\n"
        "return on_crossentropy[-1], on_mse[-1]\n"
    )
    return _write_function(panel, "race", _write_rows(panel) + body)


def _write_function(panel: LossPanel, name: str, body: str) -> str:
    """A function of the targets and predictions, and its call with the notebook's own."""
    origin = panel.origin
    call = f"{name}({origin.targets}, {origin.predictions})"
    own = "import gradmagic\n" if "gradmagic." in call else ""
    return f"{own}import tensorflow as tf\n\n\ndef {name}(y, z):\n{_indent(body)}\n\n{call}\n"


def _write_hand(panel: LossPanel, tables: SliderTables, name: str, body: str) -> str:
    """A function of the row in hand, and its call with that row."""
    dtype, row = tables.logits.dtype.name, tables.logits
    if row.size > MOST_LITERAL:
        return _write_function(panel, name, _take_row(panel, tables) + body)
    target, logits = "{target}", "{logits}"
    if len(tables.shown) < row.size:  # the browser knows a part of the row
        target, logits = write_row(tables.target), write_row(row)
    rows = "".join(f"    tf.constant([{one}], tf.{dtype}),\n" for one in (target, logits))
    call = f"{name}(\n{rows})"
    return f"import tensorflow as tf\n\n\ndef {name}(y, z):\n{_indent(body)}\n\n{call}\n"


def _take_row(panel: LossPanel, tables: SliderTables) -> str:
    """The row in hand, from the batch, where it has too many classes to be written out."""
    sample, dtype = tables.setting.sample, tables.logits.dtype.name
    shown, share = list(tables.shown), tables.setting.smoothing
    places = ", ".join(f"[0, {number}]" for number in shown)
    moved = f"tf.constant({write_row(tables.logits[shown])}, tf.{dtype})"
    y = f"y = y[{sample}:{sample + 1}]\n"
    if tables.setting.true_class is not None:
        classes = tables.logits.size
        y = f"y = tf.one_hot([{tables.setting.true_class}], {classes}, dtype=tf.{dtype})\n"
    if share:
        y += f"y = (1 - {share:g}) * y + {share:g} / {tables.logits.size}\n"
    return (
        f"{_write_rows(panel)}z = z[{sample}:{sample + 1}] * {_find_scale(panel, tables):.9g}\n"
        f"z = tf.tensor_scatter_nd_update(z, [{places}], {moved})\n{y}"
    )


def _write_rows(panel: LossPanel) -> str:
    """What makes one-hot rows of ``y`` and logits of ``z``, where they are not that already."""
    comparison = panel.comparison
    batch = comparison.batch
    classes, dtype = int(comparison.targets.shape[1]), comparison.targets.dtype.name
    if panel.origin.direct:
        return ""
    if batch.form == "single":
        flat = (
            f"y = tf.reshape(tf.cast(y, tf.{dtype}), [-1])\n"
            "y = tf.stack([1 - y, y], axis=1)\n"
            f"z = tf.reshape(tf.cast(z, tf.{dtype}), [-1])\n"
        )
        if batch.kind == "logits":
            return f"{flat}z = tf.stack([tf.zeros_like(z), z], axis=1)\n"
        return f"{flat}z = tf.math.log(tf.stack([1 - z, z], axis=1))\n"
    lines = []
    plain_targets, plain_predictions = batch.plain
    if batch.form == "numbers" and plain_targets:
        lines.append(f"y = tf.one_hot(y, {classes})")
    elif batch.form == "numbers":
        lines.append("y = tf.reshape(tf.cast(y, tf.int64), [-1])")
        lines.append(f"y = tf.one_hot(y, {classes}, dtype=tf.{dtype})")
    elif not plain_targets:
        lines.append(f"y = tf.reshape(tf.cast(y, tf.{dtype}), [-1, {classes}])")
    if not plain_predictions:
        lines.append(f"z = tf.reshape(tf.cast(z, tf.{dtype}), [-1, {classes}])")
    if batch.kind == "probabilities":
        lines.append("z = tf.math.log(z)")
    if np.isneginf(comparison.logits.numpy().astype(np.float64)).any():
        lines.append(
            "z = tf.maximum(z, tf.reduce_max(z, axis=1, keepdims=True) - 1000)  # not -inf"
        )
    return "".join(f"{line}\n" for line in lines)


def _find_scale(panel: LossPanel, tables: SliderTables) -> float:
    """What the confidence slider has made of the logits that have no slider of their own."""
    given = panel.comparison.logits[tables.setting.sample].numpy().astype(np.float64)
    given[list(tables.shown)] = 0
    given[~np.isfinite(given)] = 0
    largest = int(np.argmax(np.abs(given)))
    return float(tables.logits[largest] / given[largest]) if given[largest] else 1.0


def write_row(values: np.ndarray) -> str:
    """Numbers of a row, with as many digits as bring them back."""
    digits = 17 if values.dtype == np.float64 else 9
    return f"[{', '.join(f'{float(value):.{digits}g}' for value in values)}]"


def write_tensor(rows: np.ndarray) -> str:
    """A tensor [batch, classes] as code."""
    written = ",\n    ".join(write_row(row) for row in rows)
    return f"tf.constant([\n    {written},\n], tf.{rows.dtype.name})"


def _indent(text: str, by: int = 4) -> str:
    return "".join(f"{' ' * by}{line}\n" if line else "\n" for line in text.splitlines())
