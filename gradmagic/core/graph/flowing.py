"""Where gradients flow inside calls of traced functions, of which the tape gives no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from gradmagic.core.recorder import passes_gradient

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradmagic.core.graph.expansion import Expansion


def follow_inside(
    expansion: Expansion, reached: Collection[int], gradients: Collection[int]
) -> tuple[set[int], set[int]]:
    """Tensors that a source reaches differentiably, and those that have a gradient.

    Parameters
    ----------
    expansion
        All ops.
    reached, gradients
        The numbers of those outside of functions.
    """
    reached = set(reached)
    inner = [step.op for step in expansion.steps if step.inner and passes_gradient(step.op.type)]
    for op in inner:
        if not reached.isdisjoint(op.inputs):
            reached.update(n for n in op.outputs if _is_smooth(expansion.seen[n].dtype))
    made = {number for op in inner for number in op.outputs}
    carrying = set(gradients)
    for op in reversed(inner):
        if not carrying.isdisjoint(op.outputs):
            carrying.update(n for n in op.inputs if n in made and n in reached)
    return reached, carrying


def _is_smooth(dtype: tf.DType) -> bool:
    return dtype.is_floating or dtype.is_complex or dtype == tf.variant  # (lists of tensors)
