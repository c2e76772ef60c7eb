"""Why a gradient is zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Backward, Cause
from gradmagic.core.diagnose.values.clipping import find_clipped
from gradmagic.core.diagnose.values.killers import find_cause
from gradmagic.core.diagnose.values.saturation import find_saturated
from gradmagic.core.diagnose.values.wording import find_place, name_op, name_target
from gradmagic.core.i18n import _, join_sentences
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.diagnose.values.backward import Edge, Walk

MOST_PLACES = 3  # ops that a message lists


def explain_zeros(evidence: Evidence) -> Iterator[Diagnosis]:
    """A diagnosis for each source whose gradient is zero, and for ops that nearly make it so."""
    with np.errstate(all="ignore"):  # NaN among the values is no news here
        found = list(_explain_all(evidence))
    yield from found


def _explain_all(evidence: Evidence) -> Iterator[Diagnosis]:
    backward = Backward(evidence)
    explained = [_explain(backward, subject) for subject in evidence.subjects if _is_zero(subject)]
    found = [one for one in explained if one is not None]
    yield from found
    yield from find_clipped(backward, {one.position for one in found})
    others = [s for s in evidence.subjects if s.gradient.gradient and not _is_zero(s)]
    yield from find_saturated(backward, others)


def _is_zero(subject: Subject) -> bool:
    gradient = subject.gradient.gradient
    return gradient is not None and 0 < gradient.size == gradient.zeros


def _explain(backward: Backward, subject: Subject) -> Diagnosis | None:
    if not any(backward.depends(number) for number in subject.numbers):
        return None  # the target does not depend on it, and zeros were asked for
    walk = backward.walk(subject.numbers, "zero")
    cause = _find_common_cause(backward, walk)
    target, name = name_target(backward.evidence), subject.name
    if cause is None:
        message = _("The gradient of {target} with respect to {name} is zero in every entry.")
        message = message.format(target=target, name=name)
        if not walk.complete:
            unknown = _("What it went through was too large to be kept.")
            message = join_sentences([message, unknown])
        return Diagnosis("zero-gradient", name, None, None, message)
    if cause.whole:
        message = _("{reason}: the gradient of {target} with respect to {name} is zero.")
    else:
        message = _("{reason}, so no gradient of {target} reaches {name}.")
    message = message.format(reason=cause.reason, target=target, name=name)
    if cause.more:
        message = join_sentences([message, cause.more])
    line, op = find_place(backward.evidence, cause.position)
    return Diagnosis(cause.kind, name, line, op, message, cause.fix, cause.position)


def _find_common_cause(backward: Backward, walk: Walk) -> Cause | None:
    """One cause for all ways on which the gradient becomes zero; None where that is not certain."""
    if not walk.edges or not walk.complete:
        return None
    known: list[Cause] = []
    unknown: dict[int, list[Edge]] = {}  # by the tensor that they go back to
    for edge in walk.edges:
        cause = find_cause(edge)
        if cause is None:
            unknown.setdefault(edge.number, []).append(edge)
        else:
            known.append(cause)
    known += [_say_unknown(edges) for edges in unknown.values()]
    known.sort(key=lambda cause: -cause.position)
    if len({(cause.kind, cause.position) for cause in known}) == 1:
        return known[0]
    kinds = {cause.kind for cause in known}
    places = dict.fromkeys(_name_place(backward, cause.position) for cause in known)
    reason = _("The gradient becomes zero on every way back, at {places}").format(
        places=_(" and at ").join(list(places)[:MOST_PLACES])
    )
    kind = known[0].kind if len(kinds) == 1 else "zero-gradient"
    fix = known[0].fix if len({cause.fix for cause in known}) == 1 else ""
    return Cause(kind, known[0].position, reason, fix=fix)


def _name_place(backward: Backward, position: int) -> str:
    return name_op(backward.evidence, _find_use(backward, position))


def _find_use(backward: Backward, position: int) -> int:
    """The op that a Variable is read for; any other op itself."""
    op = backward.evidence.ops[position]
    uses = backward.uses.get(op.outputs[0]) if op.type == "ReadVariableOp" else None
    return uses[0] if uses else position


def _say_unknown(edges: Sequence[Edge]) -> Cause:
    """What is known of ops whose contributions to one tensor are zero together."""
    if len(edges) == 1:
        return _say_stopped(edges[0])
    places = dict.fromkeys(_name_place(edge.backward, edge.position) for edge in edges)
    reason = _("What comes back from {places} adds up to exactly zero").format(
        places=_(" and from ").join(list(places)[:MOST_PLACES])
    )
    position = _find_use(edges[0].backward, edges[0].position)
    return Cause("zero-gradient", position, reason, whole=True)


def _say_stopped(edge: Edge) -> Cause:
    """What is known where no rule explains it."""
    place = name_op(edge.evidence, edge.position)
    if edge.hidden:
        reason = _("{op} ends a function with a gradient of its own, which passes none on")
    else:
        reason = _("{op} gets a gradient that is not zero, but passes none on")
    return Cause("zero-gradient", edge.position, reason.format(op=place))
