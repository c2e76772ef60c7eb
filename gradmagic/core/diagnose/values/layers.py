"""Gradients that vanish or explode across layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Backward, read
from gradmagic.core.i18n import _
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Evidence, Subject

LEAST_LAYERS = 3
KERNEL_RATIO = 1e3  # between the gradients' norms of the first and the last layer's kernels
OUTPUT_RATIO = 1e4  # and of what the layers give, whose shapes differ more
LARGEST_STEP = 0.75  # of the whole way, on a logarithmic scale, that one step may take
AGAINST = math.log(3)  # that a step may go the other way

_DENSE = "MatMul"
_LAYERS = frozenset(
    {_DENSE, "BatchMatMulV2", "BatchMatMulV3", "Conv1D", "Conv2D", "Conv3D", "Einsum",
     "DepthwiseConv2dNative", "Conv2DBackpropInput"}
)  # fmt: skip
_SAME = frozenset({"ReadVariableOp", "Identity", "Cast", "Transpose", "Reshape"})


@dataclass(frozen=True, eq=False)
class Layer:
    """A source that is a kernel with its gradient's norm, and the one op that it goes into."""

    subject: Subject
    position: int
    norm: float


def compare_layers(evidence: Evidence) -> Iterator[Diagnosis]:
    """The layers along one chain, where their gradients grow or shrink steadily.

    Compared are the kernels' own gradients, and, for dense layers, the gradients of their outputs:
    where signals shrink on the way forward too, the kernels' are equally small.
    """
    kernels = [subject for subject in evidence.subjects if _is_kernel(subject)]
    if len(kernels) < LEAST_LAYERS:
        return
    backward = Backward(evidence)
    layers = [layer for subject in kernels if (layer := _find_layer(backward, subject))]
    layers.sort(key=lambda layer: layer.position)
    dense = [layer for layer in layers if evidence.ops[layer.position].type == _DENSE]
    chain = _find_steady(backward, layers, lambda layer: layer.norm, KERNEL_RATIO)
    if chain is not None:
        yield _say(evidence, chain, [layer.norm for layer in chain], of_kernels=True)
        return

    def measure(layer: Layer) -> float:
        return _measure_output(evidence, layer)

    chain = _find_steady(backward, dense, measure, OUTPUT_RATIO)
    if chain is not None:
        yield _say(evidence, chain, [measure(layer) for layer in chain], of_kernels=False)


def _is_kernel(subject: Subject) -> bool:
    gradient = subject.gradient.gradient
    return (
        gradient is not None
        and gradient.layout == "dense"
        and len(gradient.shape) >= 2
        and not gradient.nans
        and not gradient.infs
        and gradient.norm is not None
    )


def _find_layer(backward: Backward, subject: Subject) -> Layer | None:
    """The layer of a kernel that is used once."""
    todo, found = list(subject.numbers), []
    while todo:
        for position in backward.uses.get(todo.pop(), ()):
            op = backward.evidence.ops[position]
            if op.type in _SAME:
                todo += op.outputs
            else:
                found.append(position)
    gradient = subject.gradient.gradient
    if len(found) != 1 or backward.evidence.ops[found[0]].type not in _LAYERS or gradient is None:
        return None
    return Layer(subject, found[0], gradient.norm or 0.0)


def _measure_output(evidence: Evidence, layer: Layer) -> float:
    """The norm of the gradient with respect to what a layer gives; 0 where it is not known."""
    gradient = evidence.gradients.get(evidence.ops[layer.position].outputs[0])
    norm = 0.0 if gradient is None else float(np.linalg.norm(read(gradient).astype(np.float64)))
    return norm if math.isfinite(norm) else 0.0


def _find_steady(
    backward: Backward, layers: Sequence[Layer], measure: Callable[[Layer], float], ratio: float
) -> list[Layer] | None:
    """The chain of layers, if what is measured steadily grows or shrinks along it by a ratio."""
    if len(layers) < LEAST_LAYERS or not _differ(measure(layers[0]), measure(layers[-1]), ratio):
        return None
    chain = _find_chain(backward, layers)
    values = [measure(layer) for layer in chain]
    if len(chain) < LEAST_LAYERS or min(values) <= 0 or not _differ(values[0], values[-1], ratio):
        return None
    way = math.log(values[-1] / values[0])
    steps = np.diff(np.log(values)) * math.copysign(1, way)
    steady = (steps >= -AGAINST).all() and steps.max() <= LARGEST_STEP * abs(way)
    return chain if steady else None


def _differ(one: float, other: float, ratio: float) -> bool:
    return min(one, other) > 0 and max(one, other) >= ratio * min(one, other)


def _find_chain(backward: Backward, layers: Sequence[Layer]) -> list[Layer]:
    """The layers that follow one another, from the first to the one before the target."""
    chain = list(layers[-1:])
    for layer in reversed(layers[:-1]):
        outputs = backward.evidence.ops[layer.position].outputs
        following = backward.evidence.ops[chain[0].position]
        if any(backward.reaches(outputs, number) for number in following.inputs):
            chain.insert(0, layer)
    return chain


def _say(
    evidence: Evidence, chain: Sequence[Layer], norms: Sequence[float], *, of_kernels: bool
) -> Diagnosis:
    first, vanishing = chain[0], norms[0] < norms[-1]
    if of_kernels:
        where = _("its norm is {last} for {last_name}, and {first} for {first_name}")
    else:
        where = _(
            "at what a layer gives, its norm is {last} for the layer of {last_name}, and {first} "
            "for that of {first_name}"
        )
    text = (
        _("On the way back through {count} layers the gradient vanishes: {where}.")
        if vanishing
        else _("On the way back through {count} layers the gradient explodes: {where}.")
    )
    said = where.format(
        first=f"{norms[0]:.3g}",
        last=f"{norms[-1]:.3g}",
        first_name=first.subject.name,
        last_name=chain[-1].subject.name,
    )
    op = evidence.ops[first.position]
    return Diagnosis(
        "vanishing" if vanishing else "exploding",
        first.subject.name,
        op.line,
        op.type,
        text.format(count=len(chain), where=said),
        position=first.position,
    )
