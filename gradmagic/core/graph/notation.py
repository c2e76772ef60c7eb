"""Ops in mathematical notation: ``MatMul`` of x and w is written ``x @ w``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradmagic.core.rules.attributes import read_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST = 28  # characters of an operand that is written out; longer ones become an ellipsis

ATOM, CALL, POWER, UNARY, PRODUCT, SUM, COMPARISON = range(7)  # what binds tighter comes first

_BINARY = {
    "AddV2": ("+", SUM),
    "Add": ("+", SUM),
    "BiasAdd": ("+", SUM),
    "Sub": ("\u2212", SUM),
    "Mul": ("\u00b7", PRODUCT),
    "RealDiv": ("/", PRODUCT),
    "Div": ("/", PRODUCT),
    "DivNoNan": ("/", PRODUCT),
    "FloorDiv": ("//", PRODUCT),
    "FloorMod": ("%", PRODUCT),
    "MatMul": ("@", PRODUCT),
    "BatchMatMul": ("@", PRODUCT),
    "BatchMatMulV2": ("@", PRODUCT),
    "BatchMatMulV3": ("@", PRODUCT),
    "Greater": (">", COMPARISON),
    "GreaterEqual": ("\u2265", COMPARISON),
    "Less": ("<", COMPARISON),
    "LessEqual": ("\u2264", COMPARISON),
    "Equal": ("=", COMPARISON),
    "NotEqual": ("\u2260", COMPARISON),
}

# The attributes of matrix products that turn an operand over.
_TURNS = {
    "MatMul": ("transpose_a", "transpose_b"),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), ("adj_x", "adj_y")),
}
_COMPLEX = (8, 18)  # TensorFlow's numbers for complex64 and complex128

# Names that differ from the op's own in lower case.
_FUNCTIONS = {
    "Sum": "sum",
    "Mean": "mean",
    "Prod": "product",
    "Relu": "relu",
    "Selu": "selu",
    "OneHot": "one_hot",
    "Conv2D": "conv2d",
    "MaxPool": "max_pool",
    "AvgPool": "avg_pool",
    "FusedBatchNormV3": "batch_norm",
    "StridedSlice": "slice",
    "ResourceGather": "gather",
    "GatherV2": "gather",
    "ConcatV2": "concat",
    "Pack": "stack",
    "Unpack": "unstack",
    "SelectV2": "where",
    "ArgMax": "argmax",
    "LogSoftmax": "log_softmax",
}

PARTING = ("Split", "SplitV", "Unpack")  # whose outputs are parts of one tensor

# The operands that are data; the others (axes, shapes, permutations) are how, not what.
_DATA = {
    **dict.fromkeys(
        (
            "Reshape",
            "Transpose",
            "Sum",
            "Mean",
            "Max",
            "Min",
            "Prod",
            "Any",
            "All",
            "EuclideanNorm",
            "StridedSlice",
            "Slice",
            "BroadcastTo",
            "Tile",
            "Pad",
            "PadV2",
            "MirrorPad",
            "ArgMax",
            "ArgMin",
            "OneHot",
            "ExpandDims",
            "Cumsum",
            "Cumprod",
            "TopKV2",
            "ReverseV2",
            "Roll",
            "MatrixBandPart",
            "SplitV",
        ),
        (0,),
    ),
    "Fill": (1,),
    "Split": (1,),
    "GatherV2": (0, 1),
    "RandomStandardNormal": (),
    "RandomUniform": (),
    "RandomUniformInt": (),
    "TruncatedNormal": (),
    "Range": (),
}


def find_data_slots(op_type: str, inputs: int) -> tuple[int, ...]:
    """The input slots of an op that carry data; the rest say axes, shapes and the like."""
    if op_type == "ConcatV2":
        return tuple(range(inputs - 1))
    return tuple(slot for slot in _DATA.get(op_type, range(inputs)) if slot < inputs)


@dataclass(frozen=True)
class Expression:
    """A text and how tightly it binds."""

    text: str
    binding: int = ATOM


def write_op(
    op_type: str, operands: Sequence[Expression | None], attributes: tuple[Any, ...] = ()
) -> Expression:
    """The op applied to its data operands; None stands for one that has no short form.

    ``attributes`` are names and values in turn: matrix products are told there to transpose.
    """
    if op_type in _TURNS and attributes:
        operands = _turn(operands, _TURNS[op_type], read_attributes(attributes))
    if op_type in _BINARY and len(operands) == 2:
        sign, binding = _BINARY[op_type]
        left, right = (_enclose(one, binding) for one in operands)
        if binding >= PRODUCT and operands[1] and operands[1].binding == binding:
            right = f"({right})"
        return Expression(f"{left} {sign} {right}", binding)
    first = operands[0] if operands else None
    match op_type, len(operands):
        case "Neg", 1:
            return Expression(f"\u2212{_enclose(first, UNARY)}", UNARY)
        case "Square", 1:
            return Expression(f"{_enclose(first, CALL)}\u00b2", POWER)
        case "Pow", 2 if operands[1] and operands[1].text in ("2", "3"):
            sign = "\u00b2" if operands[1].text == "2" else "\u00b3"
            return Expression(f"{_enclose(first, CALL)}{sign}", POWER)
        case "Pow", 2:
            return Expression(f"{_enclose(first, CALL)} ^ {_enclose(operands[1], CALL)}", POWER)
        case "Rsqrt", 1:
            return Expression(f"1/\u221a({_write(first)})", PRODUCT)
        case "SquaredDifference", 2:
            difference = write_op("Sub", operands)
            return Expression(f"({difference.text})\u00b2", POWER)
        case "SoftmaxCrossEntropyWithLogits", 2:
            return Expression(f"H({_write(operands[1])}, softmax({_write(first)}))", CALL)
        case "SparseSoftmaxCrossEntropyWithLogits", 2:
            return Expression(f"H(one_hot({_write(operands[1])}), softmax({_write(first)}))", CALL)
        case (("AssignVariableOp" | "AssignAddVariableOp" | "AssignSubVariableOp"), 2):
            method = _name_function(op_type).removesuffix("_variable_op")
            return Expression(f"{_enclose(first, ATOM)}.{method}({_write(operands[1])})", CALL)
    name = _name_function(op_type)
    if not operands:
        return Expression(name, CALL)
    if all(one is None for one in operands):
        return Expression(f"{name}(\u2026)", CALL)
    return Expression(f"{name}({', '.join(map(_write, operands))})", CALL)


def _turn(
    operands: Sequence[Expression | None], turns: tuple[str, str], attributes: Mapping[str, Any]
) -> list[Expression | None]:
    """The operands of a matrix product as they were multiplied."""
    adjoint = turns[0] == "adj_x" and attributes.get("T") in _COMPLEX
    sign = "\u1d34" if adjoint else "\u1d40"
    return [
        Expression(f"{_enclose(one, CALL)}{sign}", POWER) if attributes.get(turn) else one
        for one, turn in zip(operands, turns, strict=True)
    ]


def take_output(op_type: str, expression: Expression, output: int) -> Expression:
    """One output of an op: ``split(x)[1]``."""
    if op_type not in PARTING:
        return expression
    return Expression(f"{expression.text}[{output}]", CALL)


def shorten(expression: Expression) -> Expression | None:
    """The expression as an operand of another: None where it is too long to be read inside."""
    return expression if len(expression.text) <= LONGEST else None


def _name_function(op_type: str) -> str:
    if op_type in _FUNCTIONS:
        return _FUNCTIONS[op_type]
    called = re.fullmatch(r"__(?:forward|backward|inference)_(.+)_\d+", op_type)
    if called:
        return called[1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", op_type)
    return re.sub(r"_?V\d+$", "", words).lower()


def _write(operand: Expression | None) -> str:
    return "\u2026" if operand is None else operand.text


def _enclose(operand: Expression | None, binding: int) -> str:
    text = _write(operand)
    return f"({text})" if operand and operand.binding > binding else text
