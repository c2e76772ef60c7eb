"""Where the ways from sources to the target break off, for the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.code import list_values
from gradmagic.core.graph.building import Cut
from gradmagic.core.graph.notation import find_data_slots
from gradmagic.core.recorder import identify
from gradmagic.core.sources import COMPOSITES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.recorded import Op
    from gradmagic.core.records import Diagnosis

_BREAKS = frozenset(
    {
        "integer-dtype",
        "no-gradient-registered",
        "not-differentiable",
        "recording-stopped",
        "stop-gradient",
        "tape-consumed",
    }
)


def find_cuts(evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> frozenset[Cut]:
    """The cuts that the diagnoses of a run tell of."""
    subjects = {subject.name: subject for subject in evidence.subjects}
    together: dict[tuple[str, int | None], list[Diagnosis]] = {}
    for one in diagnoses:
        if one.subject in subjects:
            together.setdefault((one.kind, one.position), []).append(one)
    return frozenset(
        cut
        for (kind, position), group in together.items()
        for cut in _find(evidence, kind, position, [(d, subjects[d.subject]) for d in group])
    )


def _find(
    evidence: Evidence,
    kind: str,
    position: int | None,
    group: Sequence[tuple[Diagnosis, Subject]],
) -> Iterator[Cut]:
    """The cuts of the diagnoses of one kind at one op."""
    op = None if position is None else evidence.ops[position]
    numbers = frozenset(number for _one, subject in group for number in subject.numbers)
    if kind in _BREAKS and op is not None and op.outputs:
        reached = evidence.follow(numbers)
        data = [op.inputs[slot] for slot in find_data_slots(op.type, len(op.inputs))]
        ends = [n for n in data if n in reached] or [n for n in op.inputs if n in reached]
        yield from (Cut(number, op.outputs[0]) for number in ends)
    elif kind == "stateful-assign" and op is not None and position is not None:
        reached = evidence.follow(numbers)
        assigned = next((n for n in op.inputs[1:] if n in reached), None)
        read = _find_read(evidence, op.inputs[0], position)
        if assigned is not None and read is not None:
            yield Cut(assigned, read)
    elif kind == "left-tensorflow":
        end = evidence.target_number if op is None else _find_entry(evidence, op)
        for one, subject in group:
            leaving = _find_leaving(evidence, one, evidence.follow(subject.numbers))
            start = _meet(evidence, subject) if leaving is None else leaving
            yield Cut(start, end, _find_name(evidence, one, end))
    elif kind == "computed-before-tape" and op is not None:
        for one, subject in group:
            early = next((n for n in op.inputs if evidence.names.get(n) == one.op), None)
            if early is not None:
                yield Cut(_meet(evidence, subject), early)


def _meet(evidence: Evidence, subject: Subject) -> int:
    """The source's own number; the recorder is told of it, since no op of the cell met it."""
    if isinstance(subject.tensor, COMPOSITES):
        return min(subject.numbers)
    evidence.recorder.see(subject.tensor)
    return identify(subject.tensor)


def _find_read(evidence: Evidence, handle: int, position: int) -> int | None:
    """What the target read from a Variable after the op at a position had assigned it."""
    reads = (
        evidence.ops[p].outputs[0]
        for p in evidence.leading
        if p > position and evidence.ops[p].inputs[:1] == (handle,) and evidence.ops[p].outputs
    )
    return next(reads, None)


def _find_leaving(evidence: Evidence, one: Diagnosis, reached: frozenset[int]) -> int | None:
    """The tensor whose value was taken: the last that was computed or is named on the line."""
    known = [n for n in reached if n in evidence.recorder.seen and evidence.is_float(n)]
    made = [n for n in known if (op := evidence.maker(n)) is not None and op.line == one.line]
    step = evidence.code.find_step(one.line)
    names = list_values(step.node) if step is not None else set()
    named = [n for n in known if evidence.names.get(n) in names]
    return max(made or named, default=None)


def _find_entry(evidence: Evidence, op: Op) -> int:
    """The tensor that the numbers came back in as: of an op's inputs the one that no op made."""
    slots = find_data_slots(op.type, len(op.inputs))
    inputs = [*(op.inputs[slot] for slot in slots), *op.inputs]
    return next(
        (n for n in inputs if n > evidence.recorder.first and n not in evidence.makers),
        op.outputs[0],
    )


def _find_name(evidence: Evidence, one: Diagnosis, number: int) -> str | None:
    """The name that the numbers had in Python; None where no name holds just these."""
    step, value = evidence.code.find_step(one.line), evidence.value(number)
    if step is None or value is None:
        return None
    for name in sorted(step.writes):
        held = evidence.namespace.get(name)
        same = isinstance(held, (np.ndarray, np.generic, float)) and np.shape(held) == value.shape
        if same and np.allclose(np.asarray(held), value, equal_nan=True):
            return name
    return None
