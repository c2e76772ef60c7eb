"""Steps of ``%%graddescent`` against the loop written by hand, eager and compiled."""

from __future__ import annotations

import linecache
import textwrap
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from timing import Row, alternate, compare, write_milliseconds
from workloads import CROSSENTROPY_BODY, make_lesson

from gradmagic.core.cell import parse_cell
from gradmagic.core.descent import descend
from gradmagic.core.descent.moving import Moved
from gradmagic.core.descent.records import DescentOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS, QUIET = 1.10, 1.02
DIGITS_BODY = """\
loss = tf.reduce_mean(
    tf.keras.losses.sparse_categorical_crossentropy(labels, model(images), from_logits=True)
)
"""
MANY = 200  # steps of one round, so that what comes once is small


def measure() -> Iterator[tuple[str, list[Row]]]:
    """The lesson's model (plain tensors), then digits (a Keras model)."""
    lesson = make_lesson().names
    yield (
        "descent: crossentropy",
        _measure_model(CROSSENTROPY_BODY, lesson, ("w", "b"), _loop_lesson(lesson)),
    )
    digits = make_digits()
    yield (
        "descent: digits, 64-32-10",
        _measure_model(DIGITS_BODY, digits, ("model",), _loop_model(digits)),
    )


def make_digits() -> dict[str, Any]:
    """The 1797 images of 8 x 8 pixels, all in one batch, and a model with one hidden layer."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    layers = [tf.keras.Input((64,)), tf.keras.layers.Dense(32, "relu"), tf.keras.layers.Dense(10)]
    return {
        "tf": tf,
        "images": tf.constant(images / 16, tf.float32),
        "labels": tf.constant(labels),
        "model": tf.keras.Sequential(layers),
    }


def _measure_model(
    body: str, names: dict[str, Any], sources: tuple[str, ...], loops: tuple[Any, Any]
) -> list[Row]:
    rows = []
    for word, compiled, loop in zip(("eager", "compiled"), (False, True), loops, strict=True):
        quiet = make_steps(body, names, sources, compiled=compiled, live=False)
        live = make_steps(body, names, sources, compiled=compiled, live=True)
        by_hand, silent, shown = alternate([loop, quiet, live], 25)
        against = f"{MANY} steps by hand, {write_milliseconds(by_hand)}"
        count = len(by_hand)
        rows += [
            Row(f"{word} steps, live", compare(by_hand, shown), "x", STEPS, against, count),
            Row(f"{word} steps alone", compare(by_hand, silent), "x", QUIET, against, count),
        ]
    return rows


def make_steps(
    body: str, names: dict[str, Any], sources: tuple[str, ...], *, compiled: bool, live: bool
) -> Callable[[], object]:
    """The steps alone, as the magic runs them: not the surface and the notes that come at the end.

    What is traced is traced once, as in the loop by hand.
    """
    names = dict(names)
    cell = parse_cell(body)
    options = DescentOptions(sources, steps=MANY, rates=(1e-6,), compile=compiled)
    moved = Moved(sources, names, cell)
    tell = _make_view() if live else None
    run = descend._Run(cell, names, options, moved, 1e-6, 0, tell, None)

    def step() -> None:
        run.history = None
        run.start = run.told = descend.time.perf_counter()
        run.told_done = 0
        interrupts = descend._Interrupts()
        with interrupts:
            run._run_steps(interrupts)

    return step


def _make_view() -> Callable[[Any], bool]:
    """The live view, up to the wire."""
    import logging

    from gradmagic.widgets.descent import DescentWidget

    logging.disable(logging.WARNING)  # a widget outside a kernel says that nobody listens
    return DescentWidget().tell


def _loop_lesson(names: dict[str, Any]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Eager and compiled, by hand, for w and b as plain tensors."""
    watch = "tape.watch([w, b])\n"
    take = "grads = tape.gradient(loss, [w, b])\n"
    move = "w = w - rate * grads[0]\nb = b - rate * grads[1]\n"
    eager = _compile_loop(watch + CROSSENTROPY_BODY, take + move, names)
    inside = "    with tf.GradientTape() as tape:\n" + textwrap.indent(
        watch + CROSSENTROPY_BODY, " " * 8
    )
    define = f"@tf.function\ndef step(w, b):\n{inside}    {take}    return loss, w - rate * grads[0], b - rate * grads[1]\n"
    return eager, _compile_calls(define, "loss, w, b = step(w, b)", names)


def _loop_model(names: dict[str, Any]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Eager and compiled, by hand, for a Keras model."""
    take = "grads = tape.gradient(loss, model.trainable_variables)\n"
    move = "optimizer.apply_gradients(zip(grads, model.trainable_variables))\n"
    names["optimizer"] = tf.keras.optimizers.SGD(1e-6)
    names["optimizer"].build(names["model"].trainable_variables)
    eager = _compile_loop(DIGITS_BODY, take + move, names)
    inside = "    with tf.GradientTape() as tape:\n" + textwrap.indent(DIGITS_BODY, " " * 8)
    define = f"@tf.function\ndef step():\n{inside}    {take}    {move}    return loss\n"
    return eager, _compile_calls(define, "loss = step()", names)


def _compile_loop(body: str, after: str, names: dict[str, Any]) -> Callable[[], None]:
    text = f"for _ in range({MANY}):\n    with tf.GradientTape() as tape:\n"
    text += textwrap.indent(body, " " * 8) + textwrap.indent(after, " " * 4)
    return _repeat(text, names)


def _compile_calls(define: str, call: str, names: dict[str, Any]) -> Callable[[], None]:
    own = {**names, "rate": 1e-6}
    filename = f"<by hand {len(define)}>"  # AutoGraph reads the source by it
    linecache.cache[filename] = (len(define), None, define.splitlines(keepends=True), filename)
    exec(compile(define, filename, "exec"), own)
    return _repeat(f"for _ in range({MANY}):\n    {call}\n", own)


def _repeat(text: str, names: dict[str, Any]) -> Callable[[], None]:
    own = {**names, "rate": 1e-6}
    code = compile(text, "<by hand>", "exec")
    return lambda: exec(code, own)
