"""What to say where no recorded op leads from a source to the target."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gradmagic.core.cell import find_root
from gradmagic.core.diagnose.code import shorten_code
from gradmagic.core.diagnose.history import MOST_STEPS
from gradmagic.core.diagnose.none import mending
from gradmagic.core.diagnose.none.departures import find_choice, find_way_out
from gradmagic.core.diagnose.none.unwatched import explain_untrainable
from gradmagic.core.diagnose.variables import Variable
from gradmagic.core.i18n import _
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.diagnose.history import Statement


def explain_unreached(evidence: Evidence, subject: Subject) -> Diagnosis:
    """The one diagnosis of a source from which no recorded op leads to the target."""
    return (
        explain_untrainable(evidence, subject, reached=False)
        or _explain_dataset(evidence, subject)
        or _explain_way_out(evidence, subject)
        or _explain_choice(evidence, subject)
        or _explain_earlier(evidence, subject)
        or _explain_thread(evidence, subject)
        or _explain_unused(evidence, subject)
    )


def _explain_way_out(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    way = find_way_out(evidence, subject)
    if way is None:
        return None
    name, target = subject.name, evidence.target.name
    call = None if way.call is None else shorten_code(ast.unparse(way.call))
    places = {"line": way.line, "call": call, "name": name, "target": target, "own": way.inside}
    if way.inside is not None and way.line is not None:
        message = _(
            "Line {line} calls {own}, which computes with NumPy or Python numbers: what comes back "
            "is a plain number to the tape, so no gradient goes from {target} back to {name}."
        )
    elif way.line is None:
        message = _(
            "{call}, in the target, takes the value out of TensorFlow: what is computed from it is "
            "a plain number to the tape, so no gradient goes from {target} back to {name}."
        )
    elif call is None:
        message = _(
            "Line {line} takes the value of {name} out of TensorFlow: from there on it is a plain "
            "number to the tape, so no gradient goes from {target} back to {name}."
        )
    else:
        message = _(
            "{call} on line {line} takes the value out of TensorFlow: what is computed from it is "
            "a plain number to the tape, so no gradient goes from {target} back to {name}."
        )
    fix = (
        ""
        if way.inside or way.line is None
        else mending.write_in_tensorflow(evidence, subject, way)
    )
    message = message.format(**places)
    return Diagnosis("left-tensorflow", name, way.line, call, message, fix, way.position)


def _explain_dataset(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    """What is put into a tf.data.Dataset comes out as new tensors."""
    reached = evidence.follow(subject.numbers)
    made = {
        op.inputs[1] for op in evidence.ops if op.type == "MakeIterator" and op.inputs[0] in reached
    }
    for position in evidence.leading:
        got = evidence.ops[position]
        if got.type != "IteratorGetNext" or got.inputs[0] not in made:
            continue
        op = next(o for o in evidence.ops if "Dataset" in o.type and reached & {*o.inputs})
        number = next(n for n in op.inputs if n in reached)
        message = _(
            "The gradient breaks off at {label} ({place}): TensorFlow gives none back to {what}, "
            "so {name} gets None."
        ).format(
            label=op.type,
            place=_("line {line}").format(line=op.line),
            what=evidence.names.get(number)
            or _("what is computed from {name}").format(name=subject.name),
            name=subject.name,
        )
        return Diagnosis(
            "not-differentiable", subject.name, op.line, op.type, message, "", position
        )
    return None


def _explain_choice(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    way = find_choice(evidence, subject)
    if way is None or way.call is None:
        return None
    test = shorten_code(ast.unparse(way.call))
    message = (
        _(
            "On line {line} {name} only says how often the loop runs ({test}): {target} does not "
            "change with it as long as that stays the same, so {name} gets None."
        )
        if isinstance(way.step.node, (ast.For, ast.While))
        else _(
            "On line {line} {name} only chose the branch ({test}): {target} does not change with "
            "it as long as the choice stays the same, so {name} gets None."
        )
    ).format(line=way.line, name=subject.name, test=test, target=evidence.target.name)
    return Diagnosis("control-flow", subject.name, way.line, test, message)


def _explain_earlier(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    """The target was computed from a tensor that an earlier cell had computed from the source."""
    root = find_root(subject.gradient.source)
    for number, name in evidence.list_inputs():
        steps = evidence.history.trace(name, root)
        if not steps:
            continue
        position = next(iter(evidence.consumers.get(number, ())), None)
        message = _(
            "{other}, from which {target} is computed, was made in an earlier cell ({code}), "
            "where no tape recorded how it depends on {name}."
        ).format(
            other=name,
            target=evidence.target.name,
            code=shorten_code("; ".join(_write(steps).splitlines())),
            name=subject.name,
        )
        again = evidence.history.complete(steps, name, root)
        fix = _write(again) if len(again) <= MOST_STEPS else ""
        fix = fix if len(fix) < 600 else ""
        return Diagnosis("computed-before-tape", subject.name, None, name, message, fix, position)
    return None


def _write(statements: Sequence[Statement]) -> str:
    return "\n".join(ast.unparse(one.node) for one in statements)


def _explain_thread(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    """Ops ran in other threads: whether they led to the target, nothing tells."""
    if not evidence.recorder.missing:
        return None
    message = _(
        "The tape found no path from {target} back to {name}; it records only the thread of the "
        "cell, and ops ran in another one."
    ).format(target=evidence.target.name, name=subject.name)
    return Diagnosis("recording-stopped", subject.name, None, None, message)


def _explain_unused(evidence: Evidence, subject: Subject) -> Diagnosis:
    name, target = subject.name, evidence.target.name
    used = any(number in evidence.consumers for number in subject.numbers)
    certain = bool(evidence.ops) and not evidence.recorder.unclear
    if _is_of_layer(subject) and not used and certain:
        layer = subject.name.rpartition(".")[0] if subject.of_keras else ""
        message = (
            _("The cell did not call {layer}, so {target} does not depend on {name}.")
            if layer
            else _("No op of the cell used {name}, so no path leads from {target} back to it.")
        ).format(layer=layer, target=target, name=name)
        return Diagnosis("layer-not-called", name, None, None, message)
    recorded = certain and (used or subject.gradient.variable)  # it is known how far it went
    if not recorded and _flows_by_code(evidence, subject):
        message = _("The tape found no path from {target} back to {name}.")
        message = message.format(name=name, target=target)
        return Diagnosis("recording-stopped", name, None, None, message)
    if not used and certain:
        message = _("No op of the cell used {name}, so no path leads from {target} back to it.")
    elif certain:
        line = next(
            evidence.ops[p].line for n in subject.numbers for p in evidence.consumers.get(n, ())
        )
        message = _(
            "Line {line} uses {name}, but nothing that is computed from it leads to {target}."
        )
        return Diagnosis(
            "not-used", name, line, None, message.format(line=line, name=name, target=target)
        )
    else:
        message = _("The tape found no path from {target} back to {name}.")
    return Diagnosis("not-used", name, None, None, message.format(name=name, target=target))


def _flows_by_code(evidence: Evidence, subject: Subject) -> bool:
    """Whether the cell's code alone would let the source's value reach the target.

    It takes each statement to use all that it mentions, so this proves nothing; without it, there
    is no dependence.
    """
    code, target = evidence.code, evidence.target
    end = code.find_step(target.line)
    wanted = end.takes if end is not None else code.variables.read(ast.parse(target.name))
    root = find_root(subject.gradient.source)
    return not code.trace_forward({Variable(root)}).isdisjoint(wanted)


def _is_of_layer(subject: Subject) -> bool:
    """Whether it is a Variable of a layer, model or module."""
    part = subject.name != subject.gradient.source and "[" not in subject.name
    return subject.gradient.variable and (subject.of_keras or part)


def explain_constant(evidence: Evidence) -> Diagnosis | None:
    """The target was made of constants alone; None where it was computed from anything else."""
    if evidence.graph is None or evidence.recorder.missing:  # then nothing, or not all, is known
        return None
    ends = {n for p in evidence.leading for n in evidence.ops[p].inputs} - evidence.makers.keys()
    if evidence.target_number not in evidence.makers:
        ends.add(evidence.target_number)
    own = {number for subject in evidence.subjects for number in subject.numbers}
    reads = any(evidence.ops[p].type in ("ReadVariableOp", "VarHandleOp") for p in evidence.leading)
    if any(_flows_by_code(evidence, subject) for subject in evidence.subjects):
        return None
    if reads or any(n <= evidence.recorder.first or n in own for n in ends):
        return None
    target, line = evidence.target.name, evidence.target.line
    written = evidence.code.write_line(line)
    message = _(
        "{target} is a constant ({code}): it was computed from no tensor that could change, so "
        "every gradient is None."
    ).format(target=target, code=shorten_code(written) or target)
    return Diagnosis("target-constant", target, line, None, message)
