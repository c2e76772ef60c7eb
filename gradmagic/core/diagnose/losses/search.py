"""The crossentropies among the recorded ops: Keras', TensorFlow's, and those written by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.losses.crossentropy import (
    ACTIVATIONS,
    PRODUCTS,
    VIEWS,
    Crossentropy,
    climb,
    is_one_hot,
    is_small,
    read_rows,
)
from gradmagic.core.reduction import CROSSENTROPIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Op

SMALL = 0.01  # what is added to a probability to keep it from 0 is smaller
MOST = 4  # losses that are read of one line, as of a loop

_READ = frozenset({*CROSSENTROPIES, "Log", "Log1p", "Xlogy"})
_SCALED = PRODUCTS | {"RealDiv", "DivNoNan"}
_PICKS = frozenset({"GatherV2", "GatherNd", "StridedSlice"})
_LINEAR = frozenset(  # in their first operand, or in all
    {"Neg", "Sum", "Mean", "Cast", "AddV2", "AddN", "Sub", "Transpose", "ConcatV2", "Pack"}
    | {"MatrixDiagPartV3", "BroadcastTo", "SelectV2", "Select"}
    | VIEWS
    | _PICKS
)
_BILINEAR = PRODUCTS | {"Einsum", "MatMul", "BatchMatMulV2"}


def find_crossentropies(evidence: Evidence) -> list[Crossentropy]:
    """All that the target was computed by, in the order of their ops."""
    return sorted(_Finder(evidence).find(), key=lambda one: one.position)


@dataclass(frozen=True)
class _Given:
    """What went into a logarithm: see :class:`Crossentropy`."""

    predictions: int
    clip: float | None = None
    scaled: int | None = None


class _Finder:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.leading = set(evidence.leading)
        self.read = self._list_read()
        logs = [p for p in self.read if evidence.ops[p].type == "Log"]
        self.given = {p: self._trace_given(evidence.ops[p].inputs[0]) for p in logs}
        self.complements = {p: self._find_complement(p) for p in logs}

    def _list_read(self) -> list[int]:
        """The ops that can be crossentropies, in order; the first few of each line."""
        counts: Counter[tuple[str, int | None]] = Counter()
        found, ops = [], self.evidence.ops
        for position in self.evidence.leading:
            op = ops[position]
            if op.type in _READ:
                counts[op.type, op.line] += 1
                found += [position] if counts[op.type, op.line] <= MOST else []
        return found

    def find(self) -> Iterator[Crossentropy]:
        for position in self.read:
            op = self.evidence.ops[position]
            if op.type in CROSSENTROPIES:
                yield self._read_fused(position, op)
            elif op.type == "Log1p":
                yield from self._read_sigmoid(op)
            elif op.type == "Xlogy":
                given = self._trace_given(op.inputs[1])
                yield from self._judge(position, position, op.inputs[0], given, op.outputs[0])
            elif op.type == "Log" and self.complements[position] is None:
                yield from self._read_log(position)

    def _read_fused(self, position: int, op: Op) -> Crossentropy:
        sparse = op.type.startswith("Sparse")
        number = climb(self.evidence, op.inputs[0], VIEWS)
        log = self.evidence.makers.get(number)
        if log is None or log not in self.given:
            return Crossentropy(
                position, position, op.inputs[1], op.inputs[0], "logits", sparse=sparse
            )
        given = self.given[log]
        return Crossentropy(
            position,
            log,
            op.inputs[1],
            given.predictions,
            "probabilities",
            sparse=sparse,
            clip=given.clip,
            scaled=given.scaled,
            divides=True,
        )

    def _read_sigmoid(self, op: Op) -> Iterator[Crossentropy]:
        """tf.nn.sigmoid_cross_entropy_with_logits: max(z, 0) - z * targets + log1p(exp(-|z|))."""
        maker = self.evidence.maker
        for position, total in self._list_consumers(op.outputs[0]):
            if total.type != "AddV2" or total.inputs[1] != op.outputs[0]:
                continue
            linear = maker(total.inputs[0])
            product = maker(linear.inputs[1]) if linear and linear.type == "Sub" else None
            if product is not None and product.type == "Mul":
                yield Crossentropy(
                    position, position, product.inputs[1], product.inputs[0], "logits", binary=True
                )

    def _read_log(self, position: int) -> Iterator[Crossentropy]:
        given, number = self.given[position], self.evidence.ops[position].outputs[0]
        while True:
            consumers = list(self._list_consumers(number))
            if len(consumers) != 1:
                break
            where, op = consumers[0]
            other = self._find_other(op, number)
            if op.type in ("Neg", "Identity", "Reshape", "Cast") or (
                op.type in _SCALED and other is not None and self._is_scalar(other)
            ):
                number = op.outputs[0]
                continue
            if op.type in PRODUCTS and other is not None and other != number:
                yield from self._judge(where, position, other, given, op.outputs[0])
                return
            if _picks_by_row(op) and op.inputs[0] == number:
                yield from self._judge(
                    where, position, op.inputs[1], given, op.outputs[0], sparse=True
                )
                return
            break
        yield from self._read_picked(position)

    def _read_picked(self, position: int) -> Iterator[Crossentropy]:
        """The logarithm of entries picked from the output of a softmax: by targets, or indices."""
        given, targets, where = self.given[position], None, position
        sparse = False
        pick = self.evidence.maker(given.predictions)
        if pick is not None and pick.type == "Sum":  # sum(targets * p)
            product = self.evidence.maker(pick.inputs[0])
            operands = product.inputs if product and product.type in PRODUCTS else ()
            chosen = [n for n in operands if self._is_activation(n)]
            others = [n for n in operands if n not in chosen]
            # (any other factor makes it the likelihood of a mixture)
            if len(chosen) == 1 and is_one_hot(read_rows(self.evidence, others[0])):
                where = self.evidence.makers[pick.inputs[0]]
                targets = others[0]
                given = _Given(chosen[0], given.clip)
        elif pick is not None and pick.type in _PICKS:
            if _picks_by_row(pick):
                targets, where = pick.inputs[1], self.evidence.makers[given.predictions]
                sparse = True
            given = _Given(climb(self.evidence, pick.inputs[0], VIEWS), given.clip)
        if self._is_activation(given.predictions) or self._is_scaled_exp(given):
            log = self.evidence.ops[position].outputs[0]
            yield from self._judge(where, position, targets, given, log, sparse=sparse)

    def _judge(
        self,
        position: int,
        taking: int,
        targets: int | None,
        given: _Given,
        number: int,
        *,
        sparse: bool = False,
    ) -> Iterator[Crossentropy]:
        """The crossentropy, where the target is linear in ``number`` and falls with logarithms."""
        op = self.evidence.ops[taking]
        log = op.outputs[0] if op.type == "Log" else number
        growing = log if log in self.evidence.dependent else number
        if self._is_linear(number) and self._falls_with(growing):
            yield Crossentropy(
                position,
                taking,
                targets,
                given.predictions,
                "probabilities",
                binary=given.predictions in self.complements.values(),
                sparse=sparse,
                clip=given.clip,
                scaled=given.scaled,
            )

    def _trace_given(self, number: int) -> _Given:
        """Above a logarithm's operand, what was given: before it was clipped and scaled."""
        clip: float | None = None
        scaled: int | None = None
        while (op := self.evidence.maker(number)) is not None:
            limit = self._find_scalar(op)
            same = op.inputs and self.evidence.shape(op.inputs[0]) == self.evidence.shape(number)
            if op.type in VIEWS | {"Cast"} and same:
                number = op.inputs[0]
            elif op.type in ("Maximum", "Minimum") and limit is not None:
                clip = limit[1] if op.type == "Maximum" else clip
                number = limit[0]
            elif op.type == "AddV2" and limit is not None and 0 <= limit[1] <= SMALL:
                clip, number = limit[1] or clip, limit[0]
            elif op.type == "RealDiv" and scaled is None and self._is_row_sum(*op.inputs):
                scaled, number = number, op.inputs[0]
            else:
                break
        return _Given(number, clip, scaled)

    def _find_complement(self, position: int) -> int | None:
        """Of the second half of a binary crossentropy, log(1 - p): p; else None."""
        op = self.evidence.maker(self.given[position].predictions)
        if op is None or op.type != "Sub" or not self._is_scalar(op.inputs[0]):
            return None
        return self._trace_given(op.inputs[1]).predictions

    def _find_scalar(self, op: Op) -> tuple[int, float] | None:
        """The other operand and the value where one of two is a constant scalar."""
        if len(op.inputs) != 2:
            return None
        for other, number in (op.inputs, op.inputs[::-1]):
            value = self.evidence.value(number) if self._is_scalar(number) else None
            real = value is not None and value.dtype.kind in "fiu"
            if value is not None and real and number not in self.evidence.dependent:
                return other, float(value.reshape(()))
        return None

    def _is_row_sum(self, number: int, total: int) -> bool:
        op = self.evidence.maker(total)
        return op is not None and op.type == "Sum" and op.inputs[0] == number

    def _is_scalar(self, number: int) -> bool:
        return self.evidence.shape(number) == ()

    def _is_activation(self, number: int) -> bool:
        op = self.evidence.maker(climb(self.evidence, number, VIEWS))
        return op is not None and op.type in ACTIVATIONS

    def _is_scaled_exp(self, given: _Given) -> bool:
        op = self.evidence.maker(given.predictions)
        return given.scaled is not None and op is not None and op.type == "Exp"

    def _find_other(self, op: Op, number: int) -> int | None:
        others = [n for n in op.inputs if n != number]
        return others[0] if len(op.inputs) == 2 and len(others) == 1 else None

    def _list_consumers(self, number: int) -> Iterator[tuple[int, Op]]:
        for position in self.evidence.consumers.get(number, ()):
            if position in self.leading:
                yield position, self.evidence.ops[position]

    def _is_linear(self, number: int) -> bool:
        """Whether the target, or a scalar on the way to it, is linear in a tensor."""
        todo: list[int] = [number]
        reached: set[int] = set()
        while todo:
            number = todo.pop()
            if self._is_scalar(number) or number == self.evidence.target_number:
                continue
            consumers = list(self._list_consumers(number))
            if not consumers or not all(self._passes(op, number) for _, op in consumers):
                return False
            new = {op.outputs[0] for _, op in consumers} - reached
            reached |= new
            todo += new
        return True

    def _passes(self, op: Op, number: int) -> bool:
        others = [n for n in op.inputs if n != number]
        if op.type in _BILINEAR:
            return len(others) == 1 and others[0] not in self.evidence.dependent
        if op.type in ("RealDiv", "DivNoNan"):
            return op.inputs[0] == number and op.inputs[1] not in self.evidence.dependent
        if op.type in ("SelectV2", "Select"):
            return number in op.inputs[1:]
        return op.type in _LINEAR and (op.type not in _PICKS or op.inputs[0] == number)

    def _falls_with(self, number: int) -> bool:
        """Whether the target falls where the entries of a tensor grow, as minus logarithms do."""
        if not is_small(self.evidence, number):
            return False
        slope = self.evidence.gradient(number)
        return slope is not None and bool((slope <= 0).all() and (slope < 0).any())


def _picks_by_row(op: Op) -> bool:
    """Whether it is tf.gather(..., batch_dims=1 or more): an index for each row."""
    if op.type != "GatherV2":
        return False
    attributes = dict(zip(op.attributes[::2], op.attributes[1::2], strict=True))
    return bool(attributes.get("batch_dims", 0))
