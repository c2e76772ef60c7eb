"""Rules of gradient ops, which a tape meets where the cell differentiates twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.elementwise import Slope, make_rule
from gradmagic.core.rules.functions import SELU_ALPHA, SELU_SCALE
from gradmagic.core.rules.linear import make_linear
from gradmagic.core.rules.rule import Rule, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.rules.rule import SlotRule

_THROUGH = N_("It is linear in the gradient that came in: times the function's own slope.")
_BENT = N_("How the function's slope changes with this input, times the gradient that came in.")
_STRAIGHT = N_("The function's slope does not change here: 0.")


def _from_output(
    op: str,
    bend: tuple[str, Callable[[Any], Any]],
    through: tuple[str, Callable[[Any], Any]],
) -> Rule:
    """A gradient op that takes the function's output y and the gradient d that came in."""
    return make_rule(op, Slope("y", *bend, _BENT), Slope("d", *through, _THROUGH))


def _from_input(
    op: str,
    through: Callable[[Any], Any],
    condition: str,
    bend: tuple[str, Callable[[Any], Any]] = ("{g} · 0", lambda v: np.zeros_like(v.g)),
) -> Rule:
    """A gradient op that takes the gradient d that came in and the function's input x."""
    words = _STRAIGHT if bend[0] == "{g} · 0" else _BENT
    return make_rule(
        op,
        Slope("d", f"{{g}} · {condition}", through, _THROUGH, "{g} · {s}"),
        Slope("x", *bend, words, "{g} · {s}"),
    )


_STEEP = SELU_SCALE * SELU_ALPHA

_SLOPES = (
    _from_output(
        "SigmoidGrad",
        ("{g} · {d} · (1 − 2 · {y})", lambda v: v.d * (1 - 2 * v.y)),
        ("{g} · {y} · (1 − {y})", lambda v: v.y * (1 - v.y)),
    ),
    _from_output(
        "TanhGrad",
        ("−{g} · 2 · {d} · {y}", lambda v: -2 * v.d * v.y),
        ("{g} · (1 − {y}²)", lambda v: 1 - v.y**2),
    ),
    *(
        _from_output(
            op,
            ("−{g} · 2 · {d} · {y}", lambda v: -2 * v.d * v.y),
            ("−{g} · {y}²", lambda v: -(v.y**2)),
        )
        for op in ("ReciprocalGrad", "InvGrad")
    ),
    _from_output(
        "SqrtGrad",
        ("−{g} · {z} / {y}", lambda v: -v.z / v.y),
        ("{g} / (2 · {y})", lambda v: 0.5 / v.y),
    ),
    _from_output(
        "RsqrtGrad",
        ("−{g} · 1.5 · {d} · {y}²", lambda v: -1.5 * v.d * v.y**2),
        ("−{g} · {y}³ / 2", lambda v: -0.5 * v.y**3),
    ),
    _from_input("ReluGrad", lambda v: v.x > 0, "[{x} > 0]"),
    _from_input("Relu6Grad", lambda v: (v.x > 0) & (v.x < 6), "[0 < {x} < 6]"),
    _from_input(
        "LeakyReluGrad", lambda v: np.where(v.x > 0, 1.0, v.alpha), "(1 if {x} > 0 else {alpha})"
    ),
    _from_input(
        "EluGrad",
        lambda v: np.where(v.x < 0, v.x + 1, 1.0),
        "(1 if {x} ≥ 0 else {x} + 1)",
        ("{g} · {d} · [{x} < 0]", lambda v: v.d * (v.x < 0)),
    ),
    _from_input(
        "SeluGrad",
        lambda v: np.where(v.x < 0, v.x + _STEEP, SELU_SCALE),
        "(1.0507 if {x} ≥ 0 else {x} + 1.7581)",
        ("{g} · {d} · [{x} < 0]", lambda v: v.d * (v.x < 0)),
    ),
    _from_input(
        "SoftplusGrad",
        lambda v: 1 / (1 + np.exp(-v.x)),
        "sigmoid({x})",
        (
            "{g} · {d} · sigmoid({x}) · sigmoid(−{x})",
            lambda v: v.d / (np.exp(-v.x) + 2 + np.exp(v.x)),
        ),
    ),
)


def _steer(*symbols: str) -> tuple[SlotRule, ...]:
    return tuple(take(symbol, N_("It only says which places: no gradient.")) for symbol in symbols)


_MOVES = (
    Rule(
        "BiasAddGrad",
        (make_linear("d", N_("Every summand gets the gradient of the sum."), "dL/d{d} = dL/d{z}"),),
    ),
    Rule(
        "StridedSliceGrad",
        (
            *_steer("shape", "begin", "end", "strides"),
            make_linear("d", N_("The gradient is sliced."), "dL/d{d} = slice(dL/d{z})"),
        ),
    ),
    Rule(
        "MirrorPadGrad",
        (
            make_linear("d", N_("The gradient is padded."), "dL/d{d} = mirror_pad(dL/d{z})"),
            *_steer("paddings"),
        ),
    ),
)

RULES = (*_SLOPES, *_MOVES)
