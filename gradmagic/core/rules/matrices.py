"""Rules of linear algebra."""

from __future__ import annotations

from gradmagic.core.i18n import N_
from gradmagic.core.rules.linear import make_linear
from gradmagic.core.rules.rule import Rule, SlotRule

_ADJOINT = N_("Both sides of the formula are turned over where the op was told to transpose.")

RULES = (
    Rule(
        "MatrixInverse",
        (
            SlotRule(
                "x",
                N_("Minus the transposed inverse on both sides of the upstream gradient."),
                "dL/d{x} = −{z}ᵀ @ dL/d{z} @ {z}ᵀ",
            ),
        ),
    ),
    Rule(
        "MatrixDeterminant",
        (
            SlotRule(
                "x",
                N_("The upstream gradient times the determinant times the transposed inverse."),
                "dL/d{x} = dL/d{z} · {z} · inverse({x})ᵀ",
            ),
        ),
    ),
    Rule(
        "LogMatrixDeterminant",
        (
            SlotRule(
                "x",
                N_("The upstream gradient of the logarithm times the transposed inverse."),
                "dL/d{x} = dL/d{z} · inverse({x})ᵀ",
            ),
        ),
        N_("z is its second output, the logarithm; the sign gets no gradient."),
        outputs=("sign", "z"),
    ),
    Rule(
        "Cholesky",
        (
            SlotRule(
                "x",
                N_("Two triangular systems are solved with the upstream gradient between them."),
                "dL/d{x} = sym(inverse({z})ᵀ @ Φ({z}ᵀ @ dL/d{z}) @ inverse({z}))",
            ),
        ),
        N_("Φ keeps the lower triangle, halves the diagonal; sym is the mean with the transpose."),
    ),
    Rule(
        "MatrixSolve",
        (
            SlotRule(
                "a",
                N_("Minus the right side's gradient times the solution, as a matrix."),
                "dL/d{a} = −dL/d{b} @ {z}ᵀ",
            ),
            SlotRule(
                "b",
                N_("The transposed system is solved for the upstream gradient."),
                "dL/d{b} = solve({a}ᵀ, dL/d{z})",
            ),
        ),
        _ADJOINT,
    ),
    Rule(
        "MatrixTriangularSolve",
        (
            SlotRule(
                "a",
                N_("Minus the right side's gradient times the solution, in the triangle only."),
                "dL/d{a} = −triangle(dL/d{b} @ {z}ᵀ)",
            ),
            SlotRule(
                "b",
                N_("The transposed system is solved for the upstream gradient."),
                "dL/d{b} = solve({a}ᵀ, dL/d{z})",
            ),
        ),
        _ADJOINT,
    ),
    Rule(
        "Qr",
        (
            SlotRule(
                "x",
                N_("The gradients of Q and R are joined and solved back through R."),
                "dL/d{x} = (dL/d{Q} + {Q} @ sym({R} @ (dL/d{R})ᵀ − (dL/d{Q})ᵀ @ {Q})) "
                "@ inverse({R})ᵀ",
            ),
        ),
        N_("sym copies the lower triangle to the upper one."),
        outputs=("Q", "R"),
    ),
    Rule(
        "Svd",
        (
            SlotRule(
                "x",
                N_("Each singular value's gradient goes to the outer product of its two vectors."),
                "dL/d{x} = {U} @ diag(dL/d{s}) @ {V}ᵀ",
            ),
        ),
        N_("That is all where only the singular values are used; equal ones have no derivative."),
        outputs=("s", "U", "V"),
    ),
    Rule(
        "SelfAdjointEigV2",
        (
            SlotRule(
                "x",
                N_("Each eigenvalue's gradient goes to the outer product of its eigenvector."),
                "dL/d{x} = {V} @ diag(dL/d{e}) @ {V}ᵀ",
            ),
        ),
        N_("That is all where only the eigenvalues are used; equal ones have no derivative."),
        outputs=("e", "V"),
    ),
    Rule(
        "Cross",
        (
            make_linear(
                "x",
                N_("The cross product of the other vector and the upstream gradient."),
                "dL/d{x} = {y} × dL/d{z}",
            ),
            make_linear(
                "y",
                N_("The cross product of the upstream gradient and the other vector."),
                "dL/d{y} = dL/d{z} × {x}",
            ),
        ),
    ),
)
