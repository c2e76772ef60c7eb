"""Ops in mathematical notation: precedence, and ops that have none."""

from __future__ import annotations

import pytest

from gradmagic.core.graph.notation import (
    Expression,
    find_data_slots,
    shorten,
    take_output,
    write_op,
)

A, B, C = Expression("a"), Expression("b"), Expression("c")
SUM = write_op("AddV2", [A, B])
PRODUCT = write_op("Mul", [A, B])


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (write_op("MatMul", [A, B]), "a @ b"),
        (write_op("Mul", [SUM, C]), "(a + b) \u00b7 c"),
        (write_op("Mul", [C, SUM]), "c \u00b7 (a + b)"),
        (write_op("AddV2", [PRODUCT, C]), "a \u00b7 b + c"),
        (write_op("Sub", [C, SUM]), "c \u2212 (a + b)"),
        (write_op("Sub", [SUM, C]), "a + b \u2212 c"),
        (write_op("RealDiv", [A, PRODUCT]), "a / (a \u00b7 b)"),
        (write_op("Neg", [SUM]), "\u2212(a + b)"),
        (write_op("Neg", [PRODUCT]), "\u2212(a \u00b7 b)"),
        (write_op("Square", [SUM]), "(a + b)\u00b2"),
        (write_op("Pow", [A, Expression("3")]), "a\u00b3"),
        (write_op("Pow", [A, B]), "a ^ b"),
        (write_op("Square", [write_op("Square", [A])]), "(a\u00b2)\u00b2"),
        (write_op("SquaredDifference", [A, SUM]), "(a \u2212 (a + b))\u00b2"),
        (write_op("Sum", [SUM]), "sum(a + b)"),
        (write_op("Mean", [None]), "mean(\u2026)"),
        (write_op("RandomUniform", []), "random_uniform"),
        (write_op("Rsqrt", [A]), "1/\u221a(a)"),
        (write_op("RealDiv", [B, write_op("Rsqrt", [A])]), "b / (1/\u221a(a))"),
        (write_op("Square", [write_op("Rsqrt", [A])]), "(1/\u221a(a))\u00b2"),
        (write_op("Mul", [None, A]), "\u2026 \u00b7 a"),
        (write_op("FusedBatchNormV3", [A, None]), "batch_norm(a, \u2026)"),
        (write_op("BatchMatMulV2", [A, B]), "a @ b"),
        (write_op("SparseSoftmaxCrossEntropyWithLogits", [A, B]), "H(one_hot(b), softmax(a))"),
        (write_op("__forward_my_layer_123", [A]), "my_layer(a)"),
        (write_op("SomeNewOpV2", [A]), "some_new_op(a)"),
        (write_op("Exp", [A]), "exp(a)"),
        (write_op("AssignSubVariableOp", [A, PRODUCT]), "a.assign_sub(a \u00b7 b)"),
        (write_op("AssignVariableOp", [A, B]), "a.assign(b)"),
    ],
)
def test_expressions(written: Expression, text: str) -> None:
    assert written.text == text


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "text"),
    [
        ("MatMul", [A, B], ("transpose_a", False, "transpose_b", True), "a @ b\u1d40"),
        ("MatMul", [A, B], ("transpose_a", True, "transpose_b", True), "a\u1d40 @ b\u1d40"),
        ("MatMul", [SUM, C], ("transpose_a", True), "(a + b)\u1d40 @ c"),
        ("MatMul", [None, write_op("Exp", [A])], ("transpose_b", True), "\u2026 @ exp(a)\u1d40"),
        ("BatchMatMulV2", [A, A], ("adj_x", True, "adj_y", False, "T", 1), "a\u1d40 @ a"),
        ("BatchMatMulV2", [A, A], ("adj_x", True, "T", 8), "a\u1d34 @ a"),
    ],
)
def test_a_matrix_product_shows_what_it_turns_over(op, operands, attributes, text) -> None:
    assert write_op(op, operands, attributes).text == text


def test_parts_of_one_tensor_are_told_apart() -> None:
    split = write_op("Split", [A])
    assert take_output("Split", split, 1).text == "split(a)[1]"
    assert take_output("FusedBatchNormV3", split, 0) is split


def test_axes_and_shapes_are_no_operands() -> None:
    assert find_data_slots("Reshape", 2) == (0,)
    assert find_data_slots("ConcatV2", 4) == (0, 1, 2)
    assert find_data_slots("AddV2", 2) == (0, 1)


def test_long_expressions_are_not_nested() -> None:
    assert shorten(Expression("a" * 100)) is None
    assert shorten(A) is A
