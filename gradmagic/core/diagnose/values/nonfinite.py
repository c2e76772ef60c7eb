"""Where a number became NaN or infinite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values import handwritten, logarithms, remedies
from gradmagic.core.diagnose.values.backward import Backward, read
from gradmagic.core.diagnose.values.births import (
    BAD,
    find_birth,
    has,
    list_infinite,
    say_birth,
)
from gradmagic.core.diagnose.values.data import name_bad
from gradmagic.core.diagnose.values.slopes import (
    explain_slope,
    find_choice,
    say_slope,
    say_unexplained,
)
from gradmagic.core.diagnose.values.wording import find_place, name_op, name_target, write_number
from gradmagic.core.i18n import _, _n, join_items, join_sentences
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.diagnose.values.backward import Edge
    from gradmagic.core.diagnose.values.births import Birth
    from gradmagic.core.diagnose.values.data import Bad
    from gradmagic.core.diagnose.values.slopes import Choice, Slope

MOST_NAMES = 3  # sources that a message lists


def explain_nonfinite(evidence: Evidence) -> Iterator[Diagnosis]:
    """Where the target, or else gradients, became NaN or infinite."""
    with np.errstate(all="ignore"):  # NaN among the values is no news here
        found = list(_explain_all(evidence))
    yield from found


def _explain_all(evidence: Evidence) -> Iterator[Diagnosis]:
    value = read(evidence.target.tensor)
    if evidence.target.tensor.dtype.is_floating:
        value = value.astype(np.float64)  # (also bfloat16)
    hurt = [s for s in evidence.subjects if _is_hurt(s)]
    if not np.isfinite(value).all():
        yield _explain_value(evidence, value, hurt)
    elif hurt:
        yield from _explain_gradients(evidence, hurt)


def _is_hurt(subject: Subject) -> bool:
    gradient = subject.gradient.gradient
    return gradient is not None and bool(gradient.nans or gradient.infs)


def _find_kind(hurt: Sequence[Subject], *, nan: bool = False) -> str:
    nans = [s for s in hurt if s.gradient.gradient and s.gradient.gradient.nans]
    return "nan-gradient" if nan or nans else "inf-gradient"


def _explain_value(evidence: Evidence, value: np.ndarray, hurt: Sequence[Subject]) -> Diagnosis:
    """The first op from which the target's NaN or infinity comes."""
    target, nan = evidence.target.name, bool(np.isnan(value).any())
    kind, result = _find_kind(hurt, nan=nan), _say_result(evidence, value, nan=nan)
    birth = find_birth(evidence, [evidence.target_number], "nan" if nan else "inf")
    if birth is None:
        message = _("{result}; the op in which that began is not known.")
        return Diagnosis(kind, target, None, None, message.format(result=result))
    births = [birth]
    if nan and birth.position is not None:
        infinite = list_infinite(evidence, birth.position)
        earlier = find_birth(evidence, infinite, "inf") if infinite else None
        if earlier is not None and earlier.position is not None:
            births.insert(0, earlier)
    said = [_("{sentence}.").format(sentence=say_birth(evidence, one)) for one in births]
    first = births[0]
    if first.position is None:
        said.append(_("So {result}.").format(result=result))
        return Diagnosis(kind, target, None, None, join_sentences(said))
    line, op = find_place(evidence, first.position)
    if evidence.target_number not in evidence.ops[first.position].outputs:
        said.append(_("So {result}.").format(result=result))
    fix = _mend_value(evidence, first)
    return Diagnosis(kind, target, line, op, join_sentences(said), fix, first.position)


def _say_result(evidence: Evidence, value: np.ndarray, *, nan: bool) -> str:
    if not value.ndim and value.dtype.kind == "f":
        text, bad = _("{target} is {bad}"), write_number(float(value))
    else:
        text, bad = _("{target} holds {bad}"), name_bad("nan" if nan else "inf", value)
    return text.format(target=name_target(evidence), bad=bad)


def _mend_value(evidence: Evidence, birth: Birth) -> str:
    assert birth.position is not None
    op = evidence.ops[birth.position]
    operand = evidence.value(op.inputs[0]) if op.type == "Log" else None
    if operand is not None and operand.dtype.kind == "f":
        return logarithms.write_log(evidence, birth.position, operand)
    if op.type == "Exp":
        return handwritten.write_exponential(evidence, birth.position)
    if op.type == "RealDiv":
        below = evidence.value(op.inputs[1])
        zeros = below is not None and bool((below == 0).any())
        return remedies.write_division(evidence, birth.position) if zeros else ""
    return ""


@dataclass(frozen=True)
class _Found:
    """The op that hurt a source's gradient, and why, if that is known."""

    edge: Edge
    slope: Slope | None


def _explain_gradients(evidence: Evidence, hurt: Sequence[Subject]) -> Iterator[Diagnosis]:
    """One diagnosis for each op in which gradients became NaN or infinite."""
    backward = Backward(evidence)
    groups: dict[int | None, list[tuple[Subject, _Found | None]]] = {}
    for subject in hurt:
        found = _find_op(backward, subject)
        position = None if found is None else found.edge.position
        groups.setdefault(position, []).append((subject, found))
    for group in groups.values():
        subjects, found = [subject for subject, _found in group], group[0][1]
        if found is None:
            message = _("{what}; the op in which that began is not known.")
            yield Diagnosis(
                _find_kind(subjects),
                subjects[0].name,
                None,
                None,
                message.format(what=_say_gradients(evidence, subjects)),
            )
        else:
            yield _say_found(evidence, subjects, found)


def _find_op(backward: Backward, subject: Subject) -> _Found | None:
    """The first op on the way back that spoils a finite gradient."""
    walk = backward.walk(subject.numbers, "nonfinite")
    explained = [(edge, slope) for edge in walk.edges if (slope := explain_slope(edge))]
    if explained:
        return _Found(*explained[0])
    alone = [edge for edge in walk.edges if not _is_spoilt_elsewhere(backward, edge)]
    certain = walk.complete and len({edge.position for edge in alone}) == 1
    return _Found(alone[0], None) if certain else None


def _is_spoilt_elsewhere(backward: Backward, edge: Edge) -> bool:
    """Whether what goes into the op also goes into one that had no finite gradient itself."""
    outputs = [n for p in backward.uses.get(edge.number, ()) for n in edge.evidence.ops[p].outputs]
    return any(backward.state(n) == "nonfinite" for n in outputs)


def _say_found(evidence: Evidence, subjects: Sequence[Subject], found: _Found) -> Diagnosis:
    edge, slope, fix = found.edge, found.slope, ""
    if slope is None:
        what = say_unexplained(edge)
    else:
        what = say_slope(edge, slope)
        choice = find_choice(edge, slope.index)
        fix = _mend_slope(edge, slope, choice)
        born = _find_hidden_birth(edge, slope)
        if born is not None:
            what, fix = _("{what}. {birth}").format(what=what, birth=say_birth(evidence, born)), ""
        elif choice is not None:
            what = _(
                "{what}. {where} does not take this value, but in its gradient 0 times inf is NaN"
            ).format(what=what, where=name_op(evidence, choice.position))
    message = _("{gradients}: {what}.").format(
        gradients=_say_gradients(evidence, subjects), what=what
    )
    line, op = find_place(evidence, edge.position)
    kind, name = _find_kind(subjects), subjects[0].name
    return Diagnosis(kind, name, line, op, message, fix, edge.position)


def _find_hidden_birth(edge: Edge, slope: Slope) -> Birth | None:
    """Where the operand's own NaN or infinity came from, which the target does not show."""
    number = edge.op.inputs[slope.slot]
    for bad in BAD:
        if has(edge.evidence, number, bad):
            return find_birth(edge.evidence, [number], bad)
    return None


def _mend_slope(edge: Edge, slope: Slope, choice: Choice | None) -> str:
    evidence, op = edge.evidence, edge.op
    if choice is not None and not slope.norm:
        return remedies.write_double_where(
            evidence, edge.position, choice.position, branch=choice.branch, slot=slope.slot
        )
    if op.type in ("Sqrt", "Pow", "EuclideanNorm") and edge.value is not None:
        return remedies.write_root(evidence, edge.position, edge.value)
    if op.type == "Exp":
        return handwritten.write_exponential(evidence, edge.position)
    return ""


def _say_gradients(evidence: Evidence, subjects: Sequence[Subject]) -> str:
    kind: Bad = "nan" if _find_kind(subjects) == "nan-gradient" else "inf"
    signs = {name_bad(kind, _read_gradient(subject)) for subject in subjects}
    names = [subject.name for subject in subjects]
    listed = join_items(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        left = len(names) - MOST_NAMES
        more = _n("{names} and {count} more", "{names} and {count} more", left)
        listed = more.format(names=listed, count=left)
    return _("The gradient of {target} with respect to {names} holds {bad}").format(
        target=name_target(evidence), names=listed, bad=signs.pop() if len(signs) == 1 else "inf"
    )


def _read_gradient(subject: Subject) -> np.ndarray:
    found = subject.gradient.result
    value = read(getattr(found, "values", found))  # (of IndexedSlices its rows)
    return value.astype(np.float64) if value.dtype.kind != "c" else value
