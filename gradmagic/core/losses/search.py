"""Targets and logits of a run, where its graph shows a crossentropy, or softmax against targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.reduction import CROSSENTROPIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.records import Graph, Node, Output, TapeRun

_ACTIVATIONS = ("Softmax", "Sigmoid")
_PARTNERS = ("Sub", "SquaredDifference", "Mul", "MulNoNan", "Xlogy")  # where targets meet outputs
_PASSED = ("Log", "Maximum", "Minimum", "RealDiv", "Neg", "Sub", "Identity", "Reshape", "Cast")
_CLIPPING = ("Log", "Maximum", "Minimum", "RealDiv", "Identity", "Reshape")


@dataclass(frozen=True, eq=False)
class Operand:
    """A tensor of a run's graph: output ``output`` of node ``node``.

    ``name`` is the Python name it had in the cell, None where it had none; ``label`` says what it
    is: the name, or the op.
    """

    value: Any
    name: str | None
    label: str
    node: int
    output: int


@dataclass(frozen=True, eq=False)
class FoundLosses:
    """What the graph shows: the operands, and the line of the op in which they meet."""

    targets: Operand
    logits: Operand
    line: int | None


def find_losses(run: TapeRun) -> FoundLosses:
    """Targets and logits of the last crossentropy, or of the last softmax that meets targets.

    Raises
    ------
    UserError
        The run has no graph, shows none, or held none of their values.
    """
    if run.graph is None:
        raise UserError(
            _(
                "the last %%gradtape cell ran with --no-graph; "
                "name the tensors: %gradlosses TARGETS PREDICTIONS"
            )
        )
    search = _Search(run.graph)
    for node in reversed(run.graph.nodes):
        found = search.look_at(node)
        if found is not None:
            if found.targets.value is None or found.logits.value is None:
                raise UserError(
                    _(
                        "{targets} and {logits} were too large to be held; "
                        "name the tensors: %gradlosses TARGETS PREDICTIONS"
                    ).format(targets=found.targets.label, logits=found.logits.label)
                )
            return found
    raise UserError(
        _(
            "the last %%gradtape cell shows no crossentropy, and no softmax that meets targets; "
            "name the tensors: %gradlosses TARGETS PREDICTIONS"
        )
    )


class _Search:
    """The graph with its edges by consumer and by producer."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.inputs: dict[int, dict[int, tuple[int, int]]] = {}
        self.consumers: dict[int, list[int]] = {}
        for edge in graph.edges:
            self.inputs.setdefault(edge.consumer, {})[edge.slot] = edge.producer, edge.output
            self.consumers.setdefault(edge.producer, []).append(edge.consumer)

    def look_at(self, node: Node) -> FoundLosses | None:
        """What this op compares, if it compares targets with predictions."""
        if node.op in CROSSENTROPIES:
            return self._read_crossentropy(node)
        if node.op in _ACTIVATIONS:
            return self._read_activation(node)
        if node.op == "Log1p":
            return self._read_binary(node)
        return None

    def _read_crossentropy(self, node: Node) -> FoundLosses:
        logits = self._climb(node.id, 0, _CLIPPING)
        activation = self.nodes[logits[0]]
        if activation.op == "Softmax":  # Keras takes the logarithm of clipped probabilities here
            logits = self.inputs[activation.id][0]
        else:
            logits = self._climb(node.id, 0, ("Identity", "Reshape"))
        targets = self._climb(node.id, 1, ("Identity", "Reshape", "Cast"))
        return self._make(targets, logits, node)

    def _read_activation(self, node: Node) -> FoundLosses | None:
        """Where this op's outputs meet targets of the same shape, near it."""
        shape, around = node.outputs[0].shape, {node.id}
        todo = [node.id]
        while todo:
            consumers = sorted(self.consumers.get(todo.pop(0), []))
            for number in consumers:
                consumer = self.nodes[number]
                if number in around or not consumer.outputs or consumer.outputs[0].shape != shape:
                    continue
                around.add(number)
                for place in self._list_partners(consumer, around):
                    return self._make(place, self.inputs[node.id][0], consumer)
                if consumer.op in _PASSED:
                    todo.append(number)
        return None

    def _list_partners(self, node: Node, around: set[int]) -> Iterator[tuple[int, int]]:
        """The inputs that hold targets: shares, which do not come from the op itself."""
        if node.op not in _PARTNERS:
            return
        for slot in sorted(self.inputs[node.id]):
            place = self._climb(node.id, slot, ("Identity", "Reshape", "Cast"))
            output = self._find(place)
            if (
                place[0] not in around
                and output.shape == node.outputs[0].shape
                and _is_shares(output)
            ):
                yield place

    def _read_binary(self, node: Node) -> FoundLosses | None:
        """tf.nn.sigmoid_cross_entropy_with_logits: max(z, 0) - z * targets + log1p(exp(-|z|))."""
        for number in sorted(self.consumers.get(node.id, [])):
            linear = self.nodes[self.inputs[number].get(0, (node.id, 0))[0]]
            product = self.inputs.get(linear.id, {}).get(1)
            if linear.op != "Sub" or product is None or self.nodes[product[0]].op != "Mul":
                continue
            logits = self.inputs[product[0]][0]
            targets = self._climb(product[0], 1, ("Identity", "Reshape", "Cast"))
            return self._make(targets, logits, self.nodes[number])
        return None

    def _climb(self, node: int, slot: int, ops: tuple[str, ...]) -> tuple[int, int]:
        """The first tensor above an input that no op of ``ops`` made."""
        place = self.inputs[node][slot]
        while self.nodes[place[0]].op in ops and 0 in self.inputs.get(place[0], {}):
            place = self.inputs[place[0]][0]
        return place

    def _find(self, place: tuple[int, int]) -> Output:
        return self.nodes[place[0]].outputs[place[1]]

    def _make(self, targets: tuple[int, int], logits: tuple[int, int], node: Node) -> FoundLosses:
        operands = []
        for place in (targets, logits):
            output = self._find(place)
            label = output.name or self.nodes[place[0]].label or _("a constant")
            operands.append(Operand(output.value, output.name, label, *place))
        return FoundLosses(operands[0], operands[1], node.line)


def _is_shares(output: Output) -> bool:
    """Whether a tensor can hold targets: rows that sum to 1, or zeros and ones of one output."""
    if output.value is None:
        return False
    values = np.asarray(output.value.numpy(), np.float64)
    if not values.ndim or not values.size or not ((values >= 0) & (values <= 1)).all():
        return False
    if values.shape[-1] == 1 or values.ndim == 1:
        return bool(((values == 0) | (values == 1)).all())
    return bool(np.allclose(values.sum(-1), 1, atol=1e-3))
