"""Ops through which no gradient flows, and why: what a student meets as None."""

from __future__ import annotations

from gradmagic.core.i18n import N_
from gradmagic.core.rules.rule import Rule, take

_TRUTH = N_("The result is true or false, which does not change little by little: no gradient.")
_WHOLE = N_("The result is a whole number, which does not change little by little: no gradient.")
_ROUNDED = N_("It is flat between its jumps, and TensorFlow passes no gradient (None).")
_FIXED = N_("The result does not depend on the numbers of the input: no gradient.")
_CHOSEN = N_("It turns whole numbers into rows of 0 and 1, and TensorFlow passes no gradient.")
_COUNTED = N_("It only counts, and TensorFlow passes no gradient.")
_ASSIGNED = N_("The tape does not follow what is written into a variable: no gradient.")
_STOPPED = N_("It is there to stop the gradient: everything behind it counts as a constant.")

_REASONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "StopGradient": (_STOPPED, ("x",)),
    **dict.fromkeys(("Floor", "Ceil", "Round", "Rint"), (_ROUNDED, ("x",))),
    **dict.fromkeys(("FloorDiv", "TruncateDiv"), (_ROUNDED, ("x", "y"))),
    **dict.fromkeys(
        (
            "Greater",
            "GreaterEqual",
            "Less",
            "LessEqual",
            "Equal",
            "NotEqual",
            "LogicalAnd",
            "LogicalOr",
        ),
        (_TRUTH, ("x", "y")),
    ),
    **dict.fromkeys(("LogicalNot", "IsNan", "IsInf", "IsFinite"), (_TRUTH, ("x",))),
    **dict.fromkeys(("All", "Any"), (_TRUTH, ("x", "axis"))),
    **dict.fromkeys(("ArgMax", "ArgMin"), (_WHOLE, ("x", "axis"))),
    "Where": (_WHOLE, ("x",)),
    "InTopKV2": (_TRUTH, ("x", "classes", "k")),
    **dict.fromkeys(("Shape", "Size", "Rank", "ZerosLike", "OnesLike"), (_FIXED, ("x",))),
    "OneHot": (_CHOSEN, ("classes", "depth", "on", "off")),
    **dict.fromkeys(
        ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"),
        (_ASSIGNED, ("v", "value")),
    ),
    "Range": (_COUNTED, ("start", "limit", "step")),
}

RULES = tuple(
    Rule(op, tuple(take(symbol, words) for symbol in symbols))
    for op, (words, symbols) in _REASONS.items()
)
