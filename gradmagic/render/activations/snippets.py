"""The TensorFlow code behind each part: pasted into a cell, it gives the numbers.

``{x}``, ``{n}`` and ``{z}`` stand for what moves, ``{call}`` for the function.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmagic.core.activations.records import Curve

CURVE = """\
x = tf.constant({x}, tf.{dtype})
with tf.GradientTape() as tape:
    tape.watch(x)
    y = {call}(x)
y, tape.gradient(y, x)
"""
STACK = """\
x = tf.constant({x}, tf.{dtype})
with tf.GradientTape() as tape:
    tape.watch(x)
    y = x
    for layer in range({n}):
        y = {call}(y)
tape.gradient(y, x)
"""
SOFTMAX = """\
z = tf.constant({z})
with tf.GradientTape() as tape:
    tape.watch(z)
    p = {call}(z)
p, tape.jacobian(p, z)  # diag(p) - p pᵀ
"""


def write_call(code: str) -> str:
    """What stands before the bracket of a call."""
    return code if re.fullmatch(r"[\w.]+", code) else f"({code})"


def write_code(template: str, curve: Curve, x: float, n: int = 0) -> str:
    """The code of one function at one point."""
    call = write_call(curve.function.code)
    return template.format(x=f"{x:.10g}", dtype=curve.dtype, call=call, n=n)
