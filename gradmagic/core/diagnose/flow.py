"""How values flow through the recorded ops to the target, and where gradients break off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.recorder import lacks_gradient, passes_gradient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Gap, Op

# Their gradient rule gives None for floats: they change in steps.
STEPS = frozenset({"Round", "Rint", "Floor", "Ceil", "FloorDiv", "TruncateDiv"})
SHAPE_ONLY = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
MOST_BREAKS = 8  # that are kept of each tensor's ways

NEW_VALUE = {  # the ops that change a Variable, and the input that holds the new value
    "AssignVariableOp": 1,
    "AssignAddVariableOp": 1,
    "AssignSubVariableOp": 1,
    "ResourceStridedSliceAssign": 4,
    "ResourceScatterUpdate": 2,
    "ResourceScatterAdd": 2,
    "ResourceScatterSub": 2,
    "ResourceScatterMul": 2,
    "ResourceScatterNdUpdate": 2,
    "ResourceScatterNdAdd": 2,
}


@dataclass(frozen=True)
class Break:
    """An op that a tensor goes into on its way to the target, and no gradient comes back from.

    ``number`` is the tensor on the way in, ``output`` the one on the way out (a Variable's handle,
    where it was assigned). ``kind`` is the diagnosis' kind. ``gap`` says why the tape did not
    record the op, where it did not.
    """

    position: int
    number: int
    output: int
    kind: str
    gap: Gap | None = None


@dataclass(frozen=True)
class Ways:
    """The ways from a tensor to the target that have the fewest breaks.

    ``count`` is how many they have, and ``breaks`` which, the first ones if they are many.
    """

    count: int
    breaks: frozenset[Break]


OPEN = Ways(0, frozenset())


def look_ahead(evidence: Evidence, *, ask: bool = False) -> dict[int, Ways]:
    """The ways to the target of each tensor that has any, through assigned Variables too.

    Of the ways those with the fewest breaks are the ones to mend: others may break off as they
    should, as at the ``tf.stop_gradient`` of a batch's mean.

    Parameters
    ----------
    evidence
        The run.
    ask
        Ask the tape at each op whether the gradient really passes; else its registered rule tells.
    """
    ways = {evidence.target_number: OPEN}
    states: dict[int, Ways] = {}  # Variables whose value at this moment leads to the target
    for position in range(len(evidence.ops) - 1, -1, -1):
        op = evidence.ops[position]
        slot = NEW_VALUE.get(op.type)
        if slot is not None and slot < len(op.inputs) and op.inputs[0] in states:
            value, handle = op.inputs[slot], op.inputs[0]
            _add(ways, value, states[handle], Break(position, value, handle, "stateful-assign"))
            if op.type == "AssignVariableOp":
                del states[handle]
        for output in op.outputs:
            if output not in ways:
                continue
            if op.type == "ReadVariableOp":
                _add(states, op.inputs[0], ways[output], None)
            for number in dict.fromkeys(op.inputs):
                broken = _find_break(evidence, position, number, output, asked=ask)
                _add(ways, number, ways[output], broken)
    return ways


def join(ways: Mapping[int, Ways], numbers: Iterable[int]) -> Ways | None:
    """The ways to the target of what is made of some tensors; None where there is none."""
    joined: dict[int, Ways] = {}
    for number in numbers:
        if number in ways:
            _add(joined, 0, ways[number], None)
    return joined.get(0)


def _add(ways: dict[int, Ways], number: int, beyond: Ways, broken: Break | None) -> None:
    """Note that a tensor goes, past a break or none, where there are ways already."""
    count = beyond.count + (broken is not None)
    breaks = beyond.breaks | {broken} if broken is not None else beyond.breaks
    known = ways.get(number)
    if known is not None and known.count < count:
        return
    if known is not None and known.count == count:
        breaks |= known.breaks
    if len(breaks) > MOST_BREAKS:  # in a loop: the first are as good as all
        breaks = frozenset(sorted(breaks, key=lambda one: one.position)[:MOST_BREAKS])
    ways[number] = Ways(count, breaks)


def _find_break(
    evidence: Evidence, position: int, number: int, output: int, *, asked: bool
) -> Break | None:
    """Why no gradient comes back from an op's output to one of its inputs; None where it does."""
    op = evidence.ops[position]
    if evidence.is_discrete(number):  # the way has broken off before
        return None
    for gap in evidence.tape.gaps:
        if gap.start < output <= gap.end:
            kind = "tape-consumed" if gap.reason == "gradient" else "recording-stopped"
            return Break(position, number, output, kind, gap)
    broken = _judge(evidence, op, output)
    if broken is None and asked and not _passes(evidence, number, output):
        broken = "not-differentiable"
    return None if broken is None else Break(position, number, output, broken)


def _judge(evidence: Evidence, op: Op, output: int) -> str | None:
    """The kind of break that the op's own rule makes; None where it lets the gradient through."""
    if op.type in ("StopGradient", "PreventGradient"):
        return "stop-gradient"
    if not evidence.is_float(output):
        return "integer-dtype" if op.type == "Cast" else "not-differentiable"
    if lacks_gradient(op.type):
        return "no-gradient-registered"
    passes = passes_gradient(op.type) and op.type not in STEPS
    return None if passes else "not-differentiable"


def _passes(evidence: Evidence, number: int, output: int) -> bool:
    ends = [evidence.recorder.seen[n].tensor for n in (output, number)]
    if ends[1] is None:  # a Variable, whose handle the tape knows
        ends[1] = next((s.tensor for s in evidence.subjects if number in s.numbers), None)
    if any(end is None for end in ends):
        return True  # (it was not held: the rule is all there is)
    return evidence.tape.reader().gradient(*ends) is not None
