"""The TensorFlow code behind each part of the sidebar: pasted into a cell, it gives the numbers.

``{logits}`` and ``{target}`` stand for the row that the sliders make, ``{number}`` for the class of
the slider that was moved last; the browser fills them in as the sliders move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gradmagic.core.panel import LossPanel
    from gradmagic.core.sliders import Slider, SliderTables

IMPORT = "import tensorflow as tf\n\n"
MOST_LITERAL = 100  # classes of a row that is written out


def write_batch(panel: LossPanel) -> str:
    """All figures of the batch."""
    samples, classes = panel.comparison.targets.shape
    binary = ", tf.reduce_mean(tf.losses.binary_crossentropy(y, p))" if classes == 2 else ""
    return (
        f"{IMPORT}{_write_rows(panel)}p = tf.nn.softmax(z)\n"
        "mse = [\n"
        "    tf.reduce_mean((y - p) ** 2),\n"
        f"    tf.norm(y - p) ** 2 / ({samples} * {classes}),\n"
        "    tf.reduce_mean(tf.losses.MSE(y, p)),\n"
        "]\n"
        "cce = tf.losses.categorical_crossentropy\n"
        "crossentropy = [\n"
        "    tf.reduce_mean(cce(y, z, from_logits=True)),\n"
        "    tf.reduce_mean(cce(y, p)),\n"
        "    tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(p), axis=1)),\n"
        "]\n"
        "bits = [nats / tf.math.log(tf.cast(2, z.dtype)) for nats in crossentropy]\n"
        "right = tf.argmax(z, 1) == tf.argmax(y, 1)\n"
        "accuracy = tf.reduce_mean(tf.cast(right, tf.float64))\n"
        f"[float(x) for x in (*mse, *crossentropy, *bits, accuracy{binary})]\n"
    )


def write_hand(panel: LossPanel, tables: SliderTables) -> str:
    """Both losses of the row in hand, and their gradients."""
    return (
        f"{IMPORT}{_write_hand(panel, tables)}"
        "with tf.GradientTape(persistent=True) as tape:\n"
        "    tape.watch(z)\n"
        "    mse = tf.losses.MSE(y, tf.nn.softmax(z))\n"
        "    crossentropy = tf.losses.categorical_crossentropy(y, z, from_logits=True)\n"
        "g_mse = tape.gradient(mse, z)\n"
        "g_crossentropy = tape.gradient(crossentropy, z)\n"
        "tf.norm(g_crossentropy), tf.norm(g_mse), g_crossentropy, g_mse\n"
    )


def write_curve(panel: LossPanel, tables: SliderTables, slider: Slider) -> str:
    """Losses and sizes of gradients along one slider; ``{number}`` is the class of a logit's."""
    low, high = (float(x) for x in (slider.positions.min(), slider.positions.max()))
    classes = int(panel.comparison.targets.shape[1])
    y, dtype = "y", panel.comparison.targets.dtype.name
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
            f"x = tf.constant([i / 20 for i in range(19)], tf.{dtype})  # the share smoothed\n"
            f"y = (1 - x[:, None]) * y + x[:, None] / {classes}\n"
            "z = tf.repeat(z, 19, axis=0)\n"
        )
    if slider.kind != "smoothing":
        y = "tf.repeat(y, 121, axis=0)"
    return (
        f"{IMPORT}{_write_hand(panel, tables)}{row}"
        f"y = {y}\n"
        "with tf.GradientTape(persistent=True) as tape:\n"
        "    tape.watch(z)\n"
        "    mse = tf.losses.MSE(y, tf.nn.softmax(z))\n"
        "    crossentropy = tf.losses.categorical_crossentropy(y, z, from_logits=True)\n"
        "size_crossentropy = tf.norm(tape.gradient(crossentropy, z), axis=1)\n"
        "size_mse = tf.norm(tape.gradient(mse, z), axis=1)\n"
        "x, crossentropy, mse, size_crossentropy, size_mse\n"
    ).replace("y = y\n", "")


def write_stability(panel: LossPanel, tables: SliderTables) -> str:
    """Crossentropy of the row in hand in three ways, and the gradient of each."""
    return (
        f"{IMPORT}{_write_hand(panel, tables)}"
        "with tf.GradientTape(persistent=True) as tape:\n"
        "    tape.watch(z)\n"
        "    q = tf.nn.softmax(z)\n"
        "    ways = [\n"
        "        tf.losses.categorical_crossentropy(y, q),\n"
        "        -tf.reduce_sum(y * tf.math.log(tf.where(y > 0, q, 1)), axis=1),\n"
        "        tf.losses.categorical_crossentropy(y, z, from_logits=True),\n"
        "    ]\n"
        "true = int(tf.argmax(y[0]))\n"
        "[(float(way[0]), float(tape.gradient(way, z)[0, true])) for way in ways]\n"
    )


def write_sources(panel: LossPanel) -> str:
    """The sources' gradients of the sample's own losses, through the cell's own tape."""
    origin, sample = panel.origin, panel.hand.tables.setting.sample
    program = origin.program.replace("GradientTape(", "GradientTape(persistent=True, ", 1)
    program = program.replace("persistent=True, )", "persistent=True)", 1)
    names = ", ".join(origin.sources)
    return (
        f"{program}\n"
        f"given = {origin.predictions}\n"
        "with tf.GradientTape(persistent=True) as losses:\n"
        "    losses.watch(given)\n"
        f"{_indent(_write_rows(panel, given='given'))}"
        f"    mse = tf.losses.MSE(y, tf.nn.softmax(z))[{sample}]\n"
        "    crossentropy = tf.losses.categorical_crossentropy(y, z, from_logits=True)"
        f"[{sample}]\n"
        f"sources = [{names}]\n"
        "[\n"
        "    tape.gradient(given, sources, output_gradients=losses.gradient(loss, given))\n"
        "    for loss in (crossentropy, mse)\n"
        "]\n"
    )


def write_race(panel: LossPanel) -> str:
    """Both descents of the batch; ``{steps}`` and ``{optimizer}`` as they are set."""
    return (
        f"{IMPORT}{_write_rows(panel)}"
        "def descend(loss):\n"
        "    logits, laps = tf.keras.Variable(z), []\n"
        "    optimizer = tf.keras.optimizers.{optimizer}\n"
        "    for step in range({steps} + 1):\n"
        "        with tf.GradientTape() as tape:\n"
        "            losses = loss(logits)\n"
        "        gradient = tape.gradient(losses, logits.value)\n"
        "        laps.append((float(tf.reduce_mean(losses)), "
        "float(tf.reduce_mean(tf.norm(gradient, axis=1)))))\n"
        "        optimizer.apply([gradient], [logits])\n"
        "    return laps\n\n\n"
        "cce = tf.losses.categorical_crossentropy\n"
        "on_crossentropy = descend(lambda logits: cce(y, logits, from_logits=True))\n"
        "on_mse = descend(lambda logits: tf.losses.MSE(y, tf.nn.softmax(logits)))\n"
        "on_crossentropy[-1], on_mse[-1]\n"
    )


def _write_rows(panel: LossPanel, given: str | None = None) -> str:
    """``y`` and ``z``, the one-hot rows and the logits of the whole batch."""
    code = _write_operands(panel, given)
    return f"import gradmagic\n{code}" if "gradmagic." in code else code


def _write_operands(panel: LossPanel, given: str | None) -> str:
    comparison, origin = panel.comparison, panel.origin
    batch = comparison.batch
    classes, dtype = int(comparison.targets.shape[1]), comparison.targets.dtype.name
    targets, predictions = origin.targets, given or origin.predictions
    plain_targets, plain_predictions = batch.plain
    if origin.direct:
        return f"y = {targets}\nz = {predictions}\n"
    if batch.form == "single":
        flat = (
            f"t = tf.reshape(tf.cast({targets}, tf.{dtype}), [-1])\n"
            "y = tf.stack([1 - t, t], axis=1)\n"
            f"o = tf.reshape(tf.cast({predictions}, tf.{dtype}), [-1])\n"
        )
        if batch.kind == "logits":
            return flat + "z = tf.stack([tf.zeros_like(o), o], axis=1)\n"
        return flat + "z = tf.math.log(tf.stack([1 - o, o], axis=1))\n"
    if batch.form == "numbers" and plain_targets:
        y = f"tf.one_hot({targets}, {classes})"
    elif batch.form == "numbers":
        flat = f"tf.reshape(tf.cast({targets}, tf.int64), [-1])"
        y = f"tf.one_hot({flat}, {classes}, dtype=tf.{dtype})"
    elif plain_targets:
        y = targets
    else:
        y = f"tf.reshape(tf.cast({targets}, tf.{dtype}), [-1, {classes}])"
    z = predictions
    if not plain_predictions:
        z = f"tf.reshape(tf.cast({predictions}, tf.{dtype}), [-1, {classes}])"
    if batch.kind == "probabilities":
        z = f"tf.math.log({z})"
    masked = np.isneginf(comparison.logits.numpy().astype(np.float64)).any()
    floor = "z = tf.maximum(z, tf.reduce_max(z, axis=1, keepdims=True) - 1000)  # not -inf\n"
    return f"y = {y}\nz = {z}\n{floor if masked else ''}"


def _write_hand(panel: LossPanel, tables: SliderTables) -> str:
    """``y`` and ``z`` [1, classes] of the row in hand."""
    dtype = panel.comparison.targets.dtype.name
    if len(tables.shown) < panel.comparison.targets.shape[1]:
        return _write_wide_hand(panel, tables)
    return f"z = tf.constant([{{logits}}], tf.{dtype})\ny = tf.constant([{{target}}], tf.{dtype})\n"


def _write_wide_hand(panel: LossPanel, tables: SliderTables) -> str:
    """The same where most classes have no slider: the row as the tables have it."""
    sample, dtype = tables.setting.sample, panel.comparison.targets.dtype.name
    row, shown = tables.logits, list(tables.shown)
    if row.size <= MOST_LITERAL:
        z = f"z = tf.constant([{write_row(row)}], tf.{dtype})\n"
        y = f"y = tf.constant([{write_row(tables.target)}], tf.{dtype})\n"
        return z + y
    places = ", ".join(f"[0, {number}]" for number in shown)
    moved = f"tf.constant({write_row(row[shown])}, tf.{dtype})"
    share = tables.setting.smoothing
    smooth = f"y = (1 - {share:g}) * y + {share:g} / {row.size}\n" if share else ""
    y = f"y = y[{sample}:{sample + 1}]\n"
    if tables.setting.true_class is not None:
        y = f"y = tf.one_hot([{tables.setting.true_class}], {row.size}, dtype=tf.{dtype})\n"
    return (
        f"{_write_rows(panel)}z = z[{sample}:{sample + 1}] * {_find_scale(panel, tables):.9g}\n"
        f"z = tf.tensor_scatter_nd_update(z, [{places}], {moved})\n{y}{smooth}"
    )


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


def _indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
