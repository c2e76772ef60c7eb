"""Which tensor the cell is differentiated: named, or found."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.sources import COMPOSITES, is_differentiable, is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gradmagic.core.cell import Cell


LOSS_NAMES = ("loss", "损失")


@dataclass(frozen=True, eq=False)
class FoundTarget:
    """The tensor, what it is called, why it was taken and the line that computed it."""

    name: str
    reason: Literal["named", "loss", "last-expression", "last-assigned"]
    line: int | None
    tensor: Any


def find_target(
    expression: str | None,
    names: Mapping[str, Any],
    cell: Cell,
    *,
    bound: Mapping[str, tuple[Any, int]],
    last_value: Any,
) -> FoundTarget:
    """The target: what is named; else ``loss``, the last expression, the last float tensor.

    ``损失`` counts as ``loss``.

    Must be called while the tape records: ``expression`` may compute.

    Parameters
    ----------
    expression
        What ``-t`` gave, or None.
    names, cell
        The namespace after the body, and the body.
    bound
        Value and line of each name that the cell bound, in the order of their last bindings.
    last_value
        The value of its last expression.

    Raises
    ------
    UserError
        There is none, or it is no float tensor.
    """
    if expression is not None:
        value = _evaluate(expression, names)
        return FoundTarget(expression, "named", None, _check(expression, value))
    loss = find_loss(bound)
    if loss is not None:
        value, line = bound[loss]
        return FoundTarget(loss, "loss", line, _check(loss, value))
    if last_value is not None and is_tensor(unwrap(last_value)):
        end = cell.tree.body[-1]
        name = ast.unparse(end)
        return FoundTarget(name, "last-expression", end.lineno, _check(name, last_value))
    for name, (value, line) in reversed(list(bound.items())):
        if isinstance(value, tf.Tensor) and is_tensor(value) and is_differentiable(value):
            return FoundTarget(name, "last-assigned", line, value)
    for name, (value, line) in reversed(list(bound.items())):  # a Variable given another name
        if isinstance(unwrap(value), tf.Variable) and is_differentiable(unwrap(value)):
            return FoundTarget(name, "last-assigned", line, unwrap(value))
    raise UserError(
        _("the cell makes no float tensor to differentiate; assign one to loss, or name it with -t")
    )


def find_loss(bound: Collection[str]) -> str | None:
    """The name among these that says of itself that it is the loss."""
    return next((name for name in LOSS_NAMES if name in bound), None)


def _evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    try:
        return eval(compile(expression.strip(), "<target>", "eval"), {}, names)
    except Exception as error:
        message = (str(error).splitlines() or [""])[0]
        raise UserError(
            _("the target '{name}' cannot be computed: {kind}: {error}").format(
                name=expression, kind=type(error).__name__, error=message
            )
        ) from None


def _check(name: str, value: Any) -> Any:
    value = unwrap(value)
    if isinstance(value, (bool, int, float, complex)) or type(value).__module__ == "numpy":
        raise UserError(
            _(
                "the target '{name}' is no tensor but a number outside TensorFlow (its type is "
                "{kind}), through which no gradient goes; compute it with TensorFlow's functions"
            ).format(name=name, kind=type(value).__name__)
        )
    if not is_tensor(value) or isinstance(value, COMPOSITES):
        raise UserError(
            _(
                "the target '{name}' is no tensor (its type is {kind}); name a tensor with -t"
            ).format(name=name, kind=type(value).__name__)
        )
    if not is_differentiable(value):
        raise UserError(
            _(
                "the target '{name}' is {dtype}, and only float or complex tensors have gradients; "
                "name another with -t, or cast it before"
            ).format(name=name, dtype=value.dtype.name)
        )
    return value
