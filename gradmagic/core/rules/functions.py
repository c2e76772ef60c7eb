"""Rules of functions of one number, applied to each entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.elementwise import Slope, make_rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.rules.rule import Rule

SELU_SCALE = 1.0507009873554804934
SELU_ALPHA = 1.6732632423543772848
_SELU_STEEP = SELU_SCALE * SELU_ALPHA

_FROM_OUTPUT = N_("The slope is computed from the output z, which is at hand.")


def _make(
    op: str,
    function: str,
    slope: str,
    template: str,
    compute: Callable[[Any], Any],
    note: str = "",
) -> Rule:
    """A rule whose sentence says the slope as mathematics writes it."""
    words = N_("The upstream gradient times {slope}, the slope of {function} at each entry.")
    places = {"slope": slope, "function": function}
    return make_rule(op, Slope("x", template, compute, words, places=places), note=note)


def _make_masked(
    op: str, words: str, condition: str, compute: Callable[[Any], Any], note: str = ""
) -> Rule:
    """A rule whose slope is chosen by a condition; the numbers show which slope it was."""
    slope = Slope("x", f"{{g}} · {condition}", compute, words, numbers="{g} · {s}")
    return make_rule(op, slope, note=note)


def _ask(op: str, *arguments: Any) -> np.ndarray:
    """A function that NumPy lacks, from TensorFlow in float64."""
    import tensorflow as tf

    tensors = [tf.constant(argument, tf.float64) for argument in arguments]
    return np.asarray(getattr(tf.math, op)(*tensors))


_POLYNOMIAL = (
    make_rule("Neg", Slope("x", "−{g}", lambda _v: -1.0, N_("The gradient changes its sign."))),
    make_rule(
        "Square",
        Slope(
            "x",
            "{g} · 2 · {x}",
            lambda v: 2 * v.x,
            N_("The upstream gradient times twice the input."),
        ),
    ),
    _make(
        "Sqrt",
        "√x",
        "1 / (2 · √x)",
        "{g} / (2 · {z})",
        lambda v: 0.5 / v.z,
        note=N_("At 0 the slope is infinite."),
    ),
    _make(
        "Rsqrt",
        "1/√x",
        "−1 / (2 · x · √x)",
        "−{g} · {z}³ / 2",
        lambda v: -0.5 * v.z**3,
        _FROM_OUTPUT,
    ),
    *(
        _make(op, "1/x", "−1/x²", "−{g} · {z}²", lambda v: -(v.z**2), _FROM_OUTPUT)
        for op in ("Reciprocal", "Inv")
    ),
)

_EXPONENTIAL = (
    _make(
        "Exp", "exp", "exp(x)", "{g} · {z}", lambda v: v.z, N_("exp is its own slope: z itself.")
    ),
    _make("Expm1", "exp(x) − 1", "exp(x)", "{g} · exp({x})", lambda v: np.exp(v.x)),
    _make(
        "Log",
        "log",
        "1/x",
        "{g} / {x}",
        lambda v: 1 / v.x,
        N_("It is the natural logarithm. The smaller the input, the larger the gradient."),
    ),
    _make("Log1p", "log(1 + x)", "1 / (1 + x)", "{g} / (1 + {x})", lambda v: 1 / (1 + v.x)),
)

_TRIGONOMETRIC = (
    _make("Sin", "sin", "cos(x)", "{g} · cos({x})", lambda v: np.cos(v.x)),
    _make("Cos", "cos", "−sin(x)", "−{g} · sin({x})", lambda v: -np.sin(v.x)),
    _make("Tan", "tan", "1 / cos²(x)", "{g} / (cos({x}))²", lambda v: 1 / np.cos(v.x) ** 2),
    _make("Asin", "asin", "1 / √(1 − x²)", "{g} / √(1 − {x}²)", lambda v: 1 / np.sqrt(1 - v.x**2)),
    _make(
        "Acos", "acos", "−1 / √(1 − x²)", "−{g} / √(1 − {x}²)", lambda v: -1 / np.sqrt(1 - v.x**2)
    ),
    _make("Atan", "atan", "1 / (1 + x²)", "{g} / (1 + {x}²)", lambda v: 1 / (1 + v.x**2)),
    _make("Sinh", "sinh", "cosh(x)", "{g} · cosh({x})", lambda v: np.cosh(v.x)),
    _make("Cosh", "cosh", "sinh(x)", "{g} · sinh({x})", lambda v: np.sinh(v.x)),
    _make("Asinh", "asinh", "1 / √(x² + 1)", "{g} / cosh({z})", lambda v: 1 / np.cosh(v.z)),
    _make("Acosh", "acosh", "1 / √(x² − 1)", "{g} / sinh({z})", lambda v: 1 / np.sinh(v.z)),
    _make("Atanh", "atanh", "1 / (1 − x²)", "{g} / (1 − {x}²)", lambda v: 1 / (1 - v.x**2)),
)

_SPECIAL = (
    _make(
        "Erf",
        "erf",
        "2/√π · exp(−x²)",
        "{g} · 2/√π · exp(−{x}²)",
        lambda v: 2 / np.sqrt(np.pi) * np.exp(-(v.x**2)),
    ),
    _make(
        "Erfc",
        "erfc",
        "−2/√π · exp(−x²)",
        "−{g} · 2/√π · exp(−{x}²)",
        lambda v: -2 / np.sqrt(np.pi) * np.exp(-(v.x**2)),
    ),
    _make(
        "Erfinv",
        "erfinv",
        "√π/2 · exp(z²)",
        "{g} · √π/2 · exp({z}²)",
        lambda v: np.sqrt(np.pi) / 2 * np.exp(v.z**2),
        _FROM_OUTPUT,
    ),
    _make(
        "Ndtri",
        "ndtri",
        "√(2π) · exp(z²/2)",
        "{g} · √(2π) · exp({z}²/2)",
        lambda v: np.sqrt(2 * np.pi) * np.exp(v.z**2 / 2),
        _FROM_OUTPUT,
    ),
    _make(
        "Lgamma",
        "lgamma",
        "digamma(x)",
        "{g} · digamma({x})",
        lambda v: _ask("digamma", v.x),
    ),
    _make(
        "Digamma",
        "digamma",
        "trigamma(x)",
        "{g} · trigamma({x})",
        lambda v: _ask("polygamma", np.ones_like(v.x), v.x),
        N_("trigamma is the slope of digamma: the second derivative of lgamma."),
    ),
)

_ACTIVATIONS = (
    _make(
        "Sigmoid",
        "sigmoid",
        "z · (1 − z)",
        "{g} · {z} · (1 − {z})",
        lambda v: v.z * (1 - v.z),
        N_("The slope is 0.25 at most, and near 0 where the output is near 0 or 1: it saturates."),
    ),
    _make(
        "Tanh",
        "tanh",
        "1 − z²",
        "{g} · (1 − {z}²)",
        lambda v: 1 - v.z**2,
        N_("The slope is 1 at most, and near 0 where the output is near −1 or 1: it saturates."),
    ),
    _make(
        "Softplus",
        "softplus",
        "sigmoid(x)",
        "{g} · sigmoid({x})",
        lambda v: np.exp(-np.logaddexp(0, -v.x)),
    ),
    _make(
        "Softsign",
        "softsign",
        "1 / (1 + |x|)²",
        "{g} / (1 + |{x}|)²",
        lambda v: (1 + np.abs(v.x)) ** -2.0,
    ),
    _make_masked(
        "Relu",
        N_("Where the input is above 0, the gradient passes unchanged; elsewhere it is stopped."),
        "[{x} > 0]",
        lambda v: v.x > 0,
        N_("At exactly 0 there is no derivative; TensorFlow takes 0."),
    ),
    _make_masked(
        "Relu6",
        N_("Between 0 and 6 the gradient passes unchanged; elsewhere it is stopped."),
        "[0 < {x} < 6]",
        lambda v: (v.x > 0) & (v.x < 6),
        N_("At exactly 0 and 6 there is no derivative; TensorFlow takes 0."),
    ),
    _make_masked(
        "LeakyRelu",
        N_("Where the input is above 0, the gradient passes unchanged; elsewhere times alpha."),
        "(1 if {x} > 0 else {alpha})",
        lambda v: np.where(v.x > 0, 1.0, v.alpha),
        N_("At exactly 0 there is no derivative; TensorFlow takes alpha."),
    ),
    _make_masked(
        "Elu",
        N_("From 0 on the gradient passes unchanged; below it is multiplied by exp(x) = z + 1."),
        "(1 if {x} ≥ 0 else {z} + 1)",
        lambda v: np.where(v.z < 0, v.z + 1, 1.0),
    ),
    _make_masked(
        "Selu",
        N_("From 0 on the gradient is multiplied by 1.0507; below by z + 1.7581, which goes to 0."),
        "(1.0507 if {x} ≥ 0 else {z} + 1.7581)",
        lambda v: np.where(v.z < 0, v.z + _SELU_STEEP, SELU_SCALE),
    ),
)

_STEPS = (
    _make_masked(
        "Abs",
        N_("Where the input is negative the gradient changes its sign; else it passes unchanged."),
        "sign({x})",
        lambda v: np.sign(v.x),
        N_("At exactly 0 there is no derivative; TensorFlow takes 0."),
    ),
    make_rule(
        "Sign",
        Slope(
            "x",
            "{g} · 0",
            lambda v: np.zeros_like(v.g),
            N_("The sign does not change when the input changes a little: the gradient is 0."),
        ),
        note=N_("Nothing before it can learn through it."),
    ),
)

RULES = (*_POLYNOMIAL, *_EXPONENTIAL, *_TRIGONOMETRIC, *_SPECIAL, *_ACTIVATIONS, *_STEPS)
