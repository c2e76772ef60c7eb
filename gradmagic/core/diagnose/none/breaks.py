"""What to say where a source's value reaches the target, and its gradient breaks off on the way."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.flow import SHAPE_ONLY, STEPS, Break
from gradmagic.core.diagnose.none.unbroken import (
    ROUNDING,
    write_float_cast,
    write_soft_comparison,
    write_straight_through,
    write_unassigned,
    write_unpassed,
)
from gradmagic.core.i18n import _
from gradmagic.core.recorder import lacks_gradient, passes_gradient
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.recorded import Op

LONGEST_FORMULA = 30  # characters
MOST = 3  # breaks of one source that are told


def explain_breaks(
    evidence: Evidence, subject: Subject, found: Collection[Break]
) -> Iterator[Diagnosis]:
    """A diagnosis for each place where the gradient of one source breaks off."""
    told: set[tuple[str, int | None, str]] = set()
    shape_only = {b for b in found if evidence.ops[b.position].type in SHAPE_ONLY}
    left = set(found) - shape_only or shape_only
    for one in sorted(left, key=lambda b: (_is_in_call(evidence, b), b.position)):
        op, gap = evidence.ops[one.position], one.gap
        place = (one.kind, op.line, op.type) if gap is None else (one.kind, gap.line, gap.reason)
        if place in told or len(told) == MOST:
            continue
        told.add(place)
        yield _EXPLAIN[one.kind](evidence, subject, one, op)


def find_blocked(evidence: Evidence, subject: Subject) -> set[Break]:
    """The ops without a gradient on ways from a source to the target, beside ways that are open."""
    reached = evidence.follow(subject.numbers)
    return {
        Break(position, number, evidence.ops[position].outputs[0], "no-gradient-registered")
        for position in evidence.leading
        if lacks_gradient(evidence.ops[position].type)
        for number in evidence.ops[position].inputs
        if number in reached and not evidence.is_discrete(number)
    }


def _is_in_call(evidence: Evidence, one: Break) -> bool:
    """Whether an op is one of those by which the call that used the tape up took a gradient."""
    scopes = evidence.ops[one.position].scopes
    return one.kind == "tape-consumed" and any(scope.kind == "gradient" for scope in scopes)


def _stop_gradient(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    message = _(
        "tf.stop_gradient ({place}) passes the value of {what} on to {target}, "
        "but no gradient back, so {name} gets None."
    ).format(
        place=_say_place(op.line),
        what=_call_it(evidence, subject, one.number, op.line),
        target=evidence.target.name,
        name=subject.name,
    )
    return _make(subject, one, op, message, write_unpassed(evidence, op))


def _recording_stopped(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    gap, code = one.gap, evidence.code
    assert gap is not None
    what = evidence.write(op.outputs[0], op.line) or op.type
    if gap.reason == "reset":
        return explain_reset(evidence, subject, what=what, op=op, position=one.position)
    message = _(
        "{what} ({place}) was computed while tape.stop_recording was on (line {line}), "
        "so the tape does not know how it depends on {name}."
    ).format(what=what, place=_say_place(op.line), line=gap.line, name=subject.name)
    step = code.find_step(gap.line)
    fix = ""
    if step is not None and isinstance(step.node, ast.With) and len(step.node.items) == 1:
        fix = "\n".join(ast.unparse(node) for node in step.node.body)
    return Diagnosis(
        "recording-stopped", subject.name, gap.line, op.type, message, fix, one.position
    )


def explain_reset(
    evidence: Evidence,
    subject: Subject,
    *,
    what: str | None = None,
    op: Op | None = None,
    position: int | None = None,
) -> Diagnosis:
    """The tape was reset: what came before is forgotten, and what it watched."""
    gap = next(gap for gap in reversed(evidence.tape.gaps) if gap.reason == "reset")
    line, code = gap.line, evidence.code
    if what is not None:
        message = _(
            "tape.reset() on line {line} made the tape forget how {what} was computed, "
            "and with it the way from {target} to {name}."
        ).format(line=line, what=what, target=evidence.target.name, name=subject.name)
        written = code.write_line(line)
        fix = f"pass  # {written}" if written else ""
    else:
        message = _(
            "tape.reset() on line {line} made the tape forget that it watches {name}."
        ).format(line=line, name=subject.name)
        written = code.write_line(line)
        fix = f"{written}\n{evidence.tape_name}.watch({subject.name})" if written else ""
    return Diagnosis(
        "recording-stopped", subject.name, line, op.type if op else None, message, fix, position
    )


def _tape_consumed(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    gap = one.gap
    assert gap is not None
    message = (
        _(
            "The call of gradient on line {line} used the tape up, so how its result was "
            "computed was not recorded."
        )
        if _is_in_call(evidence, one)
        else _(
            "The call of gradient on line {line} used the tape up, so what ran after it "
            "({what}, {place}) was not recorded."
        )
    ).format(
        line=gap.line,
        what=evidence.write(op.outputs[0], op.line) or op.type,
        place=_say_place(op.line),
    )
    fix = f"{evidence.magic} --persistent"
    return Diagnosis("tape-consumed", subject.name, gap.line, op.type, message, fix, one.position)


def _stateful_assign(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    variable = evidence.find_name(op.inputs[0], op.line)
    message = (
        _(
            "Line {line} stores {what} in the Variable {variable}: a Variable keeps a value, "
            "not how it was computed, so no gradient goes back from it to {name}."
        )
        if variable
        else _(
            "Line {line} stores {what} in a Variable, which keeps a value, "
            "not how it was computed, so no gradient goes back from it to {name}."
        )
    ).format(
        line=op.line,
        what=_call_it(evidence, subject, one.number, op.line),
        variable=variable,
        name=subject.name,
    )
    return _make(subject, one, op, message, write_unassigned(evidence, op))


def _integer_dtype(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    dtype = evidence.recorder.seen[op.outputs[0]].dtype.name
    message = _(
        "The cast of {what} to {dtype} ({place}) gives numbers that change in steps, "
        "so TensorFlow has no gradient for it, and {name} gets None."
    ).format(
        place=_say_place(op.line),
        dtype=dtype,
        what=_call_it(evidence, subject, one.number, op.line),
        name=subject.name,
    )
    return _make(subject, one, op, message, write_float_cast(evidence, one.position))


def _not_differentiable(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    label = evidence.labels.get(one.position) or op.type
    what, name = _call_it(evidence, subject, one.number, op.line), subject.name
    places = {
        "place": _say_place(op.line),
        "label": label,
        "what": what,
        "name": name,
        "op": op.type,
    }
    fix = ""
    if op.type.startswith("__"):
        message = _(
            "No gradient comes back through {label}, a tf.function ({place}): "
            "something in it breaks the way to {what}."
        )
    elif op.type in SHAPE_ONLY:
        message = _(
            "{op} ({place}) uses only the shape of {what}, not its values, "
            "so they change nothing and {name} gets None."
        )
    elif op.type in ROUNDING:
        message = _(
            "{op} ({place}) rounds {what}: the result changes in steps, "
            "so TensorFlow has no gradient for it, and {name} gets None."
        )
        fix = write_straight_through(evidence, op)
    elif not evidence.is_float(one.output):
        dtype = evidence.recorder.seen[one.output].dtype.name
        message = _(
            "{label} ({place}) gives {dtype} values, which change in steps or not at all, "
            "so TensorFlow has no gradient for {op}, and {name} gets None."
        )
        places["dtype"] = dtype
        fix = write_soft_comparison(evidence, one.position)
    elif passes_gradient(op.type) and op.type not in STEPS:  # its rule is not what breaks it off
        message = _(
            "No gradient comes back from {label} ({place}) to {what}, so {name} gets None: the "
            "tape did not record this op, or the op's gradient function gives none back."
        )
    else:
        message = _(
            "The gradient breaks off at {label} ({place}): TensorFlow gives none back to {what}, "
            "so {name} gets None."
        )
    return _make(subject, one, op, message.format(**places), fix)


def _no_gradient_registered(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    message = _(
        "TensorFlow has no gradient for {op} ({place}), through which {target} depends on "
        "{name}; sources that do not go through it have theirs."
    ).format(op=op.type, place=_say_place(op.line), target=evidence.target.name, name=subject.name)
    return _make(subject, one, op, message, "")


_EXPLAIN: dict[str, Callable[[Evidence, Subject, Break, Op], Diagnosis]] = {
    "stop-gradient": _stop_gradient,
    "recording-stopped": _recording_stopped,
    "tape-consumed": _tape_consumed,
    "stateful-assign": _stateful_assign,
    "integer-dtype": _integer_dtype,
    "not-differentiable": _not_differentiable,
    "no-gradient-registered": _no_gradient_registered,
}


def _make(subject: Subject, one: Break, op: Op, message: str, fix: str) -> Diagnosis:
    return Diagnosis(one.kind, subject.name, op.line, op.type, message, fix, one.position)


def _say_place(line: int | None) -> str:
    """Where an op ran: what was named with -t runs after the cell."""
    return _("the target") if line is None else _("line {line}").format(line=line)


def _call_it(evidence: Evidence, subject: Subject, number: int, line: int | None) -> str:
    """A tensor on the way from the source: its name, a short formula, or what it comes from."""
    written = evidence.write(number, line)
    if not written or len(written) > LONGEST_FORMULA or "read_variable" in written:
        return _("what is computed from {name}").format(name=subject.name)
    return written
