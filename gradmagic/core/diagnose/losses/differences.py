"""Differences of targets and predictions: shapes that broadcast, squares on one-hot rows."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.losses.calls import runs_other_code
from gradmagic.core.diagnose.losses.crossentropy import (
    ACTIVATIONS,
    PRODUCTS,
    VIEWS,
    climb,
    is_one_hot,
    read_rows,
    say_where,
    write_operand,
)
from gradmagic.core.i18n import _
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Op

_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_COMPARING = _DIFFERENCES | PRODUCTS
_ENTRYWISE = frozenset(  # what losses do with differences, entry by entry, and their sums
    {"Square", "Abs", "Neg", "Pow", "Maximum", "Minimum", "Relu", "Sqrt", "Sum", "Mean", "L2Loss"}
    | {"AddV2", "Sub", "Mul", "RealDiv", "DivNoNan", "LessEqual", "Less", "SelectV2", "Select"}
    | {"Greater", "GreaterEqual", "Cast"}
    | VIEWS
)
_CONSTANT = frozenset({"Fill", "ZerosLike", "OnesLike"})
_EXPANDING = frozenset({"ExpandDims", "StridedSlice", "Reshape"})


def find_broadcasts(evidence: Evidence) -> Iterator[Diagnosis]:
    """``shape-broadcast``: [n] against [n, 1] in a loss, which gives [n, n]."""
    ops, seen = evidence.ops, set[int | None]()
    for position in evidence.leading:
        op = ops[position]
        column = _find_column(evidence, op) if op.line not in seen else None
        if column is None or not _is_loss(evidence, op.outputs[0]):
            continue
        if _meets_pairs(evidence, op.outputs[0]):
            continue
        seen.add(op.line)
        row = op.inputs[1 - column]
        count = evidence.shape(row)[0]
        places = {
            "row": write_operand(evidence, row, _("one operand")),
            "column": write_operand(evidence, op.inputs[column], _("the other")),
            "count": count,
            "op": say_where(op.type, op.line),
        }
        message = _(
            "{op} takes {row} [{count}] and {column} [{count},1] and broadcasts them to "
            "[{count},{count}]: every prediction is compared with all targets, not only with "
            "its own."
        ).format(**places)
        fix = _write_squeezed(evidence, op, column)
        yield Diagnosis(
            "shape-broadcast", evidence.target.name, op.line, op.type, message, fix, position
        )


def find_squares(evidence: Evidence) -> Iterator[Diagnosis]:
    """``mse-on-one-hot``: a squared difference of predictions and one-hot rows."""
    ops, seen = evidence.ops, set[int | None]()
    for position in evidence.leading:
        op = ops[position]
        if op.type not in _DIFFERENCES or op.line in seen or not _is_squared(evidence, op):
            continue
        targets = _find_targets(evidence, op)
        if targets is None or not _is_loss(evidence, op.outputs[0]):
            continue
        seen.add(op.line)
        predictions = op.inputs[1 - op.inputs.index(targets)]
        names = [evidence.names.get(climb(evidence, n)) for n in (targets, predictions)]
        known = [n for n in names if n is not None and n in evidence.namespace]
        known = known if len(evidence.shape(targets)) == 2 else []
        places = {
            "targets": write_operand(evidence, targets, _("the targets")),
            "loss": say_where(_("the loss"), op.line),
            "operands": " ".join(known) if len(known) == 2 else "TARGETS PREDICTIONS",
        }
        message = _(
            "The rows of {targets} are one-hot, and {loss} is a squared difference: for classes "
            "crossentropy usually learns faster. "
            "%gradlosses {operands} shows both losses side by side."
        ).format(**places)
        yield Diagnosis(
            "mse-on-one-hot", evidence.target.name, op.line, op.type, message, "", position
        )


def _find_column(evidence: Evidence, op: Op) -> int | None:
    """The slot of the [n, 1] operand where targets and predictions broadcast to [n, n]."""
    if op.type not in _COMPARING or len(op.inputs) != 2:
        return None
    shapes = [evidence.shape(number) for number in op.inputs]
    column = 0 if len(shapes[0]) == 2 else 1
    (count, *rest), one = shapes[column] or (None,), shapes[1 - column]
    if rest != [1] or one != (count,) or count is None or count < 2:
        return None
    if sum(number in evidence.dependent for number in op.inputs) != 1:
        return None  # all pairs of one tensor's entries are meant
    if op.type in PRODUCTS and not any(_is_logarithm(evidence, n) for n in op.inputs):
        return None
    return None if _is_meant(evidence, op, op.inputs[column]) else column


def _is_meant(evidence: Evidence, op: Op, column: int) -> bool:
    """Whether the cell makes the column of a vector for this op, so that it gives all pairs."""
    maker = evidence.maker(climb(evidence, column, ("Identity",)))
    if maker is None or maker.type not in _EXPANDING:
        return False
    if maker.line == op.line:
        return True
    vector = maker.inputs[0]
    added = maker.type != "Reshape" and len(evidence.shape(vector)) == 1  # an axis: [:, None]
    if not added or vector not in evidence.dependent or maker.line is None:
        return False
    # predictions are made a column too, but their squared difference from targets is a mistake
    return vector not in evidence.makers or not _is_squared(evidence, op)


def _is_logarithm(evidence: Evidence, number: int) -> bool:
    op = evidence.maker(climb(evidence, number, VIEWS | {"Neg"}))
    return op is not None and op.type == "Log"


def _is_loss(evidence: Evidence, number: int) -> bool:
    """Whether all that becomes of a tensor, up to a scalar, is what losses do with differences."""
    leading, todo = set(evidence.leading), [number]
    reached: set[int] = set()
    while todo:
        number = todo.pop()
        if evidence.shape(number) == () or number == evidence.target_number:
            continue
        consumers = [evidence.ops[p] for p in evidence.consumers.get(number, ()) if p in leading]
        if not consumers or any(op.type not in _ENTRYWISE for op in consumers):
            return False
        if any(not _is_plain(evidence, op, number) for op in consumers):
            return False
        new = {op.outputs[0] for op in consumers} - reached
        reached |= new
        todo += new
    return True


def _meets_pairs(evidence: Evidence, number: int) -> bool:
    """Whether a broadcast difference is combined with a matrix [n, n]: a number for each pair."""
    own, shape = evidence.follow(frozenset({number})), evidence.shape(number)
    for op in (evidence.ops[p] for p in evidence.leading):
        if op.type in _ENTRYWISE and not own.isdisjoint(op.inputs):
            others = [n for n in op.inputs if n not in own and evidence.shape(n) == shape]
            if any(_are_pairs(evidence, n) for n in others):
                return True
    return False


def _are_pairs(evidence: Evidence, number: int) -> bool:
    """Whether a matrix [n, n] is one from the start: no other broadcast difference, nor zeros."""
    shape = evidence.shape(number)
    while (op := evidence.maker(number)) is not None:
        same = [n for n in op.inputs if evidence.shape(n) == shape]
        if not same:
            return op.type not in (*_COMPARING, *_CONSTANT)
        number = same[0]
    return True


def _is_plain(evidence: Evidence, op: Op, number: int) -> bool:
    """Whether a product or quotient is one with itself or a number: no weights of pairs."""
    if op.type not in (*PRODUCTS, "RealDiv", "DivNoNan"):
        return True
    return all(n == number or evidence.shape(n) == () for n in op.inputs)


def _is_squared(evidence: Evidence, op: Op) -> bool:
    if op.type == "SquaredDifference":
        return True
    for position in evidence.consumers.get(op.outputs[0], ()):
        after = evidence.ops[position]
        twice = after.type == "Mul" and len(set(after.inputs)) == 1
        power = after.type == "Pow" and _is_two(evidence, after.inputs[1])
        if after.type in ("Square", "L2Loss") or twice or power:
            return True
    return False


def _is_two(evidence: Evidence, number: int) -> bool:
    return evidence.shape(number) == () and evidence.value(number) == 2


def _find_targets(evidence: Evidence, op: Op) -> int | None:
    """The operand that holds one-hot rows, where these are surely classes; else None.

    A square matrix with a single 1 in each row and column may be a matrix that is meant, as in
    ``w @ tf.transpose(w) - tf.eye(n)``.
    """
    shapes = [evidence.shape(number) for number in op.inputs]
    fixed = [number for number in op.inputs if number not in evidence.dependent]
    if shapes[0] != shapes[1] or len(shapes[0]) < 2 or len(fixed) != 1:
        return None
    rows = read_rows(evidence, fixed[0])
    if rows is None or not is_one_hot(rows):
        return None
    predictions = next(number for number in op.inputs if number != fixed[0])
    made = [evidence.maker(climb(evidence, n)) for n in (fixed[0], predictions)]
    classes = bool((rows.sum(0) > 1).any()) and len(rows) > 2
    is_known = made[0] is not None and made[0].type == "OneHot"
    is_shares = made[1] is not None and made[1].type in ACTIVATIONS
    return fixed[0] if classes or is_known or is_shares else None


def _write_squeezed(evidence: Evidence, op: Op, column: int) -> str:
    """The statement with ``[:, 0]`` after the operand that is a column."""
    operands = _find_operands(evidence, op)
    alone = evidence.code.stands_alone(op.line) and not runs_other_code(evidence, op.line)
    if operands is None or not alone:
        return ""
    chosen = operands[column]
    squeezed = ast.Subscript(
        chosen, ast.Tuple([ast.Slice(), ast.Constant(0)], ast.Load()), ast.Load()
    )
    return evidence.code.replace(op.line, chosen, ast.unparse(squeezed))


def _find_operands(evidence: Evidence, op: Op) -> tuple[ast.expr, ast.expr] | None:
    """The two operands as the line writes them, where a single expression can be the op."""
    found: list[tuple[ast.expr, ast.expr]] = []
    if op.type == "Sub":
        found += [
            (node.left, node.right)
            for node in evidence.code.find_nodes(op.line, ast.BinOp)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
        ]
    words = {"Sub": "subtract", "SquaredDifference": "squared_difference"}
    for node in evidence.code.find_nodes(op.line, ast.Call):
        if isinstance(node, ast.Call) and len(node.args) == 2 and op.type in words:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            found += [(node.args[0], node.args[1])] if function == words[op.type] else []
    return found[0] if len(found) == 1 else None
