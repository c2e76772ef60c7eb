"""Rules of ops that take two or three numbers, entry by entry, and broadcast them."""

from __future__ import annotations

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.elementwise import Columns, Slope, make_rule
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms

_COPIES = N_("An input that was broadcast gets the sum over its copies.")

_PASSED = N_("Addition passes the gradient on unchanged.")


def _xlogy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(x == 0, 0.0, x * np.log(y))


def _divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x / y, and 0 where y is 0."""
    return np.divide(x, y, out=np.zeros_like(x), where=y != 0)


def _ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x / y, and 0 where x is 0."""
    return np.divide(x, y, out=np.zeros_like(x), where=x != 0)


def _log_base(v: Columns) -> np.ndarray:
    """z · log(x), and 0 where the base has no logarithm."""
    return v.z * np.log(v.x, out=np.zeros_like(v.x), where=v.x > 0)


def _one(_v: Columns) -> float:
    return 1.0


_TIMES_OTHER = N_("The upstream gradient times the other factor.")
_SUMS = (
    *(
        make_rule(
            op,
            Slope("x", "{g}", _one, _PASSED),
            Slope("y", "{g}", _one, _PASSED),
            note=_COPIES,
        )
        for op in ("AddV2", "Add")
    ),
    make_rule(
        "Sub",
        Slope("x", "{g}", _one, N_("What is subtracted from gets the gradient unchanged.")),
        Slope(
            "y",
            "−{g}",
            lambda _v: -1.0,
            N_("What is subtracted gets the gradient with the other sign."),
        ),
        note=_COPIES,
    ),
    make_rule(
        "SquaredDifference",
        Slope(
            "x",
            "{g} · 2 · ({x} − {y})",
            lambda v: 2 * (v.x - v.y),
            N_("The upstream gradient times twice the difference."),
        ),
        Slope(
            "y",
            "−{g} · 2 · ({x} − {y})",
            lambda v: -2 * (v.x - v.y),
            N_("Minus the upstream gradient times twice the difference."),
        ),
        note=_COPIES,
    ),
)

_PRODUCTS = (
    *(
        make_rule(
            op,
            Slope("x", "{g} · {y}", lambda v: v.y, _TIMES_OTHER),
            Slope("y", "{g} · {x}", lambda v: v.x, _TIMES_OTHER),
            note=_COPIES,
        )
        for op in ("Mul", "MulNoNan")
    ),
    *(
        make_rule(
            op,
            Slope(
                "x",
                "{g} / {y}",
                lambda v: 1 / v.y,
                N_("The upstream gradient divided by the divisor."),
            ),
            Slope(
                "y",
                "−{g} · {x} / {y}²",
                lambda v: -v.x / v.y / v.y,
                N_("Minus the upstream gradient times dividend, divided by the divisor squared."),
            ),
            note=_COPIES,
        )
        for op in ("RealDiv", "Div")
    ),
    make_rule(
        "DivNoNan",
        Slope(
            "x",
            "{g} / {y}",
            lambda v: _divide(np.ones_like(v.y), v.y),
            N_("The upstream gradient divided by the divisor; 0 where the divisor is 0."),
        ),
        Slope(
            "y",
            "−{g} · {x} / {y}²",
            lambda v: _divide(_divide(-v.x, v.y), v.y),
            N_(
                "Minus the upstream gradient times the dividend, divided by the divisor squared; "
                "0 where the divisor is 0."
            ),
        ),
        note=N_("Where the divisor is 0, the output is 0, and so are the gradients."),
    ),
    make_rule(
        "FloorMod",
        Slope("x", "{g}", _one, N_("The remainder grows as the dividend does: slope 1.")),
        Slope(
            "y",
            "−{g} · floor({x} / {y})",
            lambda v: -np.floor(v.x / v.y),
            N_("Minus the upstream gradient times how often the divisor goes into the dividend."),
        ),
        note=_COPIES,
    ),
    make_rule(
        "Pow",
        Slope(
            "x",
            "{g} · {y} · {x} ^ ({y} − 1)",
            lambda v: v.y * v.x ** (v.y - 1),
            N_("The upstream gradient times the exponent times the base to one power less."),
        ),
        Slope(
            "y",
            "{g} · {z} · log({x})",
            _log_base,
            N_("The upstream gradient times the power itself times the logarithm of the base."),
        ),
        note=N_("Where the base is not above 0, TensorFlow gives the exponent the gradient 0."),
    ),
)

_LOGARITHMIC = (
    make_rule(
        "Xlogy",
        Slope(
            "x",
            "{g} · log({y})",
            lambda v: _xlogy((v.x != 0).astype(np.float64), v.y),
            N_("The upstream gradient times the logarithm of the second; 0 where the first is 0."),
            "{g} · {s}",
        ),
        Slope(
            "y",
            "{g} · {x} / {y}",
            lambda v: _ratio(v.x, v.y),
            N_("The upstream gradient times the first divided by the second."),
        ),
        note=N_("Where the first is 0, the output is 0, whatever the second is."),
    ),
    make_rule(
        "Xlog1py",
        Slope(
            "x",
            "{g} · log(1 + {y})",
            lambda v: _xlogy((v.x != 0).astype(np.float64), 1 + v.y),
            N_("The upstream gradient times log(1 + y); 0 where the first is 0."),
            "{g} · {s}",
        ),
        Slope(
            "y",
            "{g} · {x} / (1 + {y})",
            lambda v: _ratio(v.x, 1 + v.y),
            N_("The upstream gradient times the first divided by 1 plus the second."),
        ),
        note=N_("Where the first is 0, the output is 0, whatever the second is."),
    ),
    make_rule(
        "Xdivy",
        Slope(
            "x",
            "{g} / {y}",
            lambda v: _ratio((v.x != 0).astype(np.float64), v.y),
            N_("The upstream gradient divided by the divisor; 0 where the dividend is 0."),
            "{g} · {s}",
        ),
        Slope(
            "y",
            "−{g} · {x} / {y}²",
            lambda v: _ratio(-v.x, v.y**2),
            N_("Minus the upstream gradient times dividend, divided by the divisor squared."),
        ),
        note=N_("Where the dividend is 0, the output is 0, whatever the divisor is."),
    ),
    make_rule(
        "Atan2",
        Slope(
            "y",
            "{g} · {x} / ({x}² + {y}²)",
            lambda v: v.x / (v.x**2 + v.y**2),
            N_("The upstream gradient times x, divided by the squared distance from the origin."),
        ),
        Slope(
            "x",
            "−{g} · {y} / ({x}² + {y}²)",
            lambda v: -v.y / (v.x**2 + v.y**2),
            N_("Minus the upstream gradient times y, divided by the squared distance."),
        ),
        note=_COPIES,
    ),
)


def _sum_bias(call: Call, index: Index) -> Terms:
    """The upstream gradients of the entries to which this entry of the bias was added."""
    first = call.read("data_format") == "NCHW"
    gradients = np.moveaxis(call.gradient, 1 if first else -1, -1)[..., index[0]].ravel()
    return Terms("{g}", {"g": gradients}, gradients)


_added = make_rule("BiasAdd", Slope("x", "{g}", _one, _PASSED)).slots[0]

_BIAS = Rule(
    "BiasAdd",
    (
        _added,
        SlotRule(
            "b",
            N_("The bias was added to every row, so it gets the sum of all rows' gradients."),
            "dL/d{b} = Σ dL/d{z}",
            find_terms=_sum_bias,
        ),
    ),
)

_ADDED = Rule(
    "AddN",
    (_added,),
    N_("Every summand gets the same gradient."),
    repeated=0,
)

RULES = (*_SUMS, *_PRODUCTS, *_LOGARITHMIC, _BIAS, _ADDED)
