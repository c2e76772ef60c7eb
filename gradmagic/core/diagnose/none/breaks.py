"""What to say where a source's value reaches the target, and its gradient breaks off on the way."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.flow import SHAPE_ONLY, Break
from gradmagic.core.i18n import _
from gradmagic.core.recorder import lacks_gradient
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.recorded import Op

LONGEST_FORMULA = 30  # characters
MOST = 3  # breaks of one source that are told
_STEPS = {  # rounding: the value may be passed on while the gradient goes past it
    "Round": "round",
    "Rint": "rint",
    "Floor": "floor",
    "Ceil": "ceil",
}
_ASSIGN = {
    "AssignVariableOp": ("assign", None),
    "AssignAddVariableOp": ("assign_add", "+"),
    "AssignSubVariableOp": ("assign_sub", "-"),
}


def explain_breaks(
    evidence: Evidence, subject: Subject, found: Collection[Break]
) -> Iterator[Diagnosis]:
    """A diagnosis for each place where the gradient of one source breaks off."""
    told: set[tuple[str, int | None, str]] = set()
    shape_only = {b for b in found if evidence.ops[b.position].type in SHAPE_ONLY}
    for one in sorted(set(found) - shape_only or shape_only, key=lambda b: b.position):
        op = evidence.ops[one.position]
        place = (one.kind, op.line, op.type)
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


def _stop_gradient(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    call = _find_call(evidence, op.line, {"stop_gradient"})
    message = _(
        "tf.stop_gradient ({place}) passes the value of {what} on to {target}, "
        "but no gradient back, so {name} gets None."
    ).format(
        place=_say_place(op.line),
        what=_call_it(evidence, subject, one.number),
        target=evidence.target.name,
        name=subject.name,
    )
    fix = evidence.code.replace(op.line, call, ast.unparse(call.args[0])) if call else ""
    return _make(subject, one, op, message, fix)


def _recording_stopped(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    gap, code = one.gap, evidence.code
    assert gap is not None
    what = evidence.write(op.outputs[0]) or op.type
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
    message = _(
        "The call of gradient on line {line} used the tape up, so what ran after it "
        "({what}, {place}) was not recorded."
    ).format(
        line=gap.line, what=evidence.write(op.outputs[0]) or op.type, place=_say_place(op.line)
    )
    fix = f"{evidence.magic} --persistent"
    return Diagnosis("tape-consumed", subject.name, gap.line, op.type, message, fix, one.position)


def _stateful_assign(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    variable = evidence.names.get(op.inputs[0])
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
        what=_call_it(evidence, subject, one.number),
        variable=variable,
        name=subject.name,
    )
    return _make(subject, one, op, message, _write_unassigned(evidence, op))


def _write_unassigned(evidence: Evidence, op: Op) -> str:
    """``v.assign_add(w)`` as ``v = v + w``, which the tape follows."""
    code = evidence.code
    if op.type not in _ASSIGN:
        return ""
    method, sign = _ASSIGN[op.type]
    call = _find_call(evidence, op.line, {method})
    if call is not None and isinstance(call.func, ast.Attribute) and call.args:
        step = code.find_step(op.line)
        variable = call.func.value
        alone = step is not None and isinstance(step.node, ast.Expr) and step.node.value is call
        if not alone or not isinstance(variable, ast.Name):
            return ""
        value = ast.unparse(call.args[0])
        if sign is None:
            return f"{variable.id} = tf.convert_to_tensor({value})"
        bracketed = value if isinstance(call.args[0], (ast.Name, ast.Call)) else f"({value})"
        return f"{variable.id} = {variable.id} {sign} {bracketed}"
    made = _find_call(evidence, op.line, {"Variable"})
    if made is None or not made.args:
        return ""
    return code.replace(op.line, made, f"tf.convert_to_tensor({ast.unparse(made.args[0])})")


def _integer_dtype(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    dtype = evidence.recorder.seen[op.outputs[0]].dtype.name
    message = _(
        "The cast of {what} to {dtype} ({place}) gives numbers that change in steps, "
        "so TensorFlow has no gradient for it, and {name} gets None."
    ).format(
        place=_say_place(op.line),
        dtype=dtype,
        what=_call_it(evidence, subject, one.number),
        name=subject.name,
    )
    return _make(subject, one, op, message, _write_float_cast(evidence, one.position))


def _write_float_cast(evidence: Evidence, position: int) -> str:
    """The cast to floats instead, where the next thing that happens is a cast back to floats."""
    op = evidence.ops[position]
    after = [evidence.ops[p] for p in evidence.consumers.get(op.outputs[0], ())]
    if not after or any(one.type != "Cast" for one in after):
        return ""
    call = _find_call(evidence, op.line, {"cast"})
    if call is None or len(call.args) != 2 or isinstance(call.args[0], ast.Call):
        return ""
    wanted = evidence.recorder.seen[op.inputs[0]].dtype.name
    value = ast.unparse(call.args[0])
    return evidence.code.replace(op.line, call, f"tf.cast({value}, tf.{wanted})")


def _not_differentiable(evidence: Evidence, subject: Subject, one: Break, op: Op) -> Diagnosis:
    label = evidence.labels.get(one.position) or op.type
    what, name = _call_it(evidence, subject, one.number), subject.name
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
    elif op.type in _STEPS:
        message = _(
            "{op} ({place}) rounds {what}: the result changes in steps, "
            "so TensorFlow has no gradient for it, and {name} gets None."
        )
        fix = _write_straight_through(evidence, op)
    elif not evidence.is_float(one.output):
        dtype = evidence.recorder.seen[one.output].dtype.name
        message = _(
            "{label} ({place}) gives {dtype} values, which change in steps or not at all, "
            "so TensorFlow has no gradient for {op}, and {name} gets None."
        )
        places["dtype"] = dtype
        fix = _write_soft_comparison(evidence, one.position)
    else:
        message = _(
            "The gradient breaks off at {label} ({place}): TensorFlow gives none back to {what}, "
            "so {name} gets None."
        )
    return _make(subject, one, op, message.format(**places), fix)


def _write_straight_through(evidence: Evidence, op: Op) -> str:
    """The rounded value with the value's own gradient: the 'straight-through' estimator."""
    call = _find_call(evidence, op.line, {_STEPS[op.type]})
    if call is None or len(call.args) != 1 or not isinstance(call.args[0], ast.Name):
        return ""
    value, rounded = ast.unparse(call.args[0]), ast.unparse(call)
    return evidence.code.replace(op.line, call, f"{value} + tf.stop_gradient({rounded} - {value})")


def _write_soft_comparison(evidence: Evidence, position: int) -> str:
    """``tf.cast(a > b, tf.float32)`` as ``tf.sigmoid(a - b)``."""
    op = evidence.ops[position]
    if op.type not in ("Greater", "GreaterEqual", "Less", "LessEqual"):
        return ""
    call = _find_call(evidence, op.line, {"cast"})
    test = call.args[0] if call is not None and call.args else None
    if call is None or not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return ""
    ends = [ast.unparse(test.left), ast.unparse(test.comparators[0])]
    if isinstance(test.ops[0], (ast.Lt, ast.LtE)):
        ends.reverse()
    return evidence.code.replace(op.line, call, f"tf.sigmoid({ends[0]} - ({ends[1]}))")


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


def _call_it(evidence: Evidence, subject: Subject, number: int) -> str:
    """A tensor on the way from the source: its name, a short formula, or what it comes from."""
    written = evidence.names.get(number) or evidence.write(number)
    if not written or len(written) > LONGEST_FORMULA or "read_variable" in written:
        return _("what is computed from {name}").format(name=subject.name)
    return written


def _find_call(evidence: Evidence, line: int | None, names: Collection[str]) -> ast.Call | None:
    """The only call on a line of a function or method with one of these names."""
    found = [
        node
        for node in evidence.code.find_nodes(line, ast.Call)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", "")) in names
    ]
    return found[0] if len(found) == 1 else None
