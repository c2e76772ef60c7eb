"""Where a source's value left TensorFlow: through NumPy, a Python number, or a branch."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.diagnose.code import CellCode, Step, find_base, list_heads
from gradmagic.core.diagnose.none.leaving import (
    METHODS,
    TENSORFLOW,
    find_function,
    find_package,
    takes_value,
)
from gradmagic.core.diagnose.scoping import list_parameters
from gradmagic.core.diagnose.variables import Variable, holds
from gradmagic.core.graph.notation import find_data_slots
from gradmagic.core.recorded import WRITERS
from gradmagic.core.recorder import identify
from gradmagic.core.sources import COMPOSITES, is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.recorded import Departure


@dataclass(frozen=True, eq=False)
class Way:
    """A way out of TensorFlow that leads to the target: the call, and its step in the cell.

    ``line`` is None in what was named as the target. ``call`` is the expression; None where only
    the line is known. ``inside`` names the user's own function in which it happens, where that is
    defined outside the cell. ``position`` is the op that the value came back into; None where it
    became the target itself. ``broken``: even inside TensorFlow no gradient would go this way.
    """

    line: int | None
    step: Step
    call: ast.expr | None
    inside: str | None = None
    position: int | None = None
    broken: bool = False


def find_way_out(evidence: Evidence, subject: Subject) -> Way | None:
    """The first call that took the source's value and led to the target; None where none did."""
    if subject.gradient.variable and not any(n in evidence.consumers for n in subject.numbers):
        return None  # whoever takes a Variable's value reads it by an op
    reached = evidence.follow(subject.numbers)
    code, root = evidence.code, find_root(subject.gradient.source)
    derived = code.trace_forward({Variable(root)})
    ways = [
        _locate(evidence, d, derived, broken=evidence.is_discrete(d.number))
        for d in evidence.recorder.departures
        if d.number in reached and d.caller not in WRITERS and not _chooses(evidence, d)
    ]
    ways += [
        way
        for step in code.steps
        for way in _list_ways(evidence, step, derived)
        if _is_taken(evidence, subject, way)
    ]
    for way in sorted(filter(None, ways), key=_place):
        writes = _find_writes(evidence, way)
        if _leads(evidence, way.step, writes):
            entries = _list_entries(evidence, way.step, writes)
            for position, by_value in entries:
                return replace(way, position=position, broken=way.broken or not by_value)
    return _find_in_target(evidence, subject, derived)


def _find_in_target(
    evidence: Evidence, subject: Subject, derived: frozenset[Variable]
) -> Way | None:
    """The call that took the source's value where the target was named as an expression."""
    if evidence.target.reason != "named":
        return None
    step = CellCode(ast.parse(evidence.target.name), evidence.code.modules).steps[0]
    ways = [w for w in _list_ways(evidence, step, derived) if _is_given(evidence, subject, w)]
    entries = [
        position
        for position in evidence.leading
        if evidence.ops[position].line is None
        and any(_is_stranger(evidence, number) for number in evidence.ops[position].inputs)
    ]
    entered = entries or _is_stranger(evidence, evidence.target_number)
    position = entries[0] if entries else None
    return replace(ways[0], line=None, position=position) if ways and entered else None


def find_choice(evidence: Evidence, subject: Subject) -> Way | None:
    """The first branch that the source's value chose and on which the target depends."""
    reached = evidence.follow(subject.numbers)
    for departure in evidence.recorder.departures:
        if departure.number not in reached or departure.line is None:
            continue
        for step in evidence.code.list_steps(departure.line):
            chosen, test = _find_chosen(evidence, step, truth=_chooses(evidence, departure))
            if test is not None and any(_leads(evidence, one, set(one.gives)) for one in chosen):
                return Way(departure.line, step, test)
    return None


def _find_chosen(
    evidence: Evidence, step: Step, *, truth: bool
) -> tuple[list[Step], ast.expr | None]:
    """The steps that a step decides on, and by what; ``truth``: a truth value was asked for."""
    inside = [one for one in evidence.code.steps if step in one.tests]
    if isinstance(step.node, ast.For):
        return inside, step.node.iter
    if not truth:
        return [], None
    if isinstance(step.node, (ast.If, ast.While)):
        return inside, step.node.test
    return [step], _find_choosing(step)


def _place(way: Way) -> tuple[int, bool, int]:
    return way.line or 0, way.call is None, way.call.col_offset if way.call is not None else 0


def _is_taken(evidence: Evidence, subject: Subject, way: Way) -> bool:
    """Whether the call is given a tensor that holds something of the source.

    What a function's own names held is not known any more: there the code alone tells.
    """
    assert isinstance(way.call, ast.Call)
    line, functions = way.line or 0, evidence.code.functions.values()
    given = _list_taken(evidence.code, way.call)
    if any(holds(function, line) for function in functions) or any(one.scope for one in given):
        return subject.name.isidentifier()
    return _is_given(evidence, subject, way)


def _is_given(evidence: Evidence, subject: Subject, way: Way) -> bool:
    """Whether the cell's own names in a call hold something of the source."""
    assert isinstance(way.call, ast.Call)
    taken = {one.name for one in _list_taken(evidence.code, way.call)}
    part = any(
        isinstance(node, ast.Subscript) and find_base(node) in taken for node in ast.walk(way.call)
    )
    if part and "[" in subject.name and subject.name not in ast.unparse(way.call):
        return False  # another part of the same dict or list
    values = [unwrap(evidence.namespace.get(name)) for name in taken]
    parts = tf.nest.flatten(values, expand_composites=True)
    tensors = [part for part in parts if is_tensor(part) and not isinstance(part, COMPOSITES)]
    return any(identify(tensor) in evidence.follow(subject.numbers) for tensor in tensors) or any(
        hasattr(value, "trainable_variables") for value in values
    )


def _find_writes(evidence: Evidence, way: Way) -> set[Variable]:
    """The variables that the call's value may go to: in ``a, b = f(x), g(y)`` each has its own."""
    variables, gives = evidence.code.variables, way.step.gives
    if way.call is None:
        return set(gives)
    pairs = variables.pair(way.step.node)
    own = {
        one
        for places, value in pairs
        if any(inner is way.call for inner in ast.walk(value))
        for one in places
    }
    assigned = {one for places, _value in pairs for one in places}
    taken = variables.read(way.call)
    return own | {one for one in gives.keys() - assigned if not taken.isdisjoint(gives[one])}


def _list_entries(
    evidence: Evidence, step: Step, writes: set[Variable]
) -> list[tuple[int | None, bool]]:
    """Where numbers that the step may have made came into TensorFlow on the way to the target.

    The positions of the ops that took them in (None for the target itself), and whether they were
    numbers to compute with: those first. Others only choose, as indices and masks do.
    """
    code = evidence.code
    told = code.trace_forward(writes)
    found: dict[int | None, bool] = {}
    for position in evidence.leading:
        op = evidence.ops[position]
        where = code.find_step(op.line)
        reads = where is not None and (where is step or _reads(evidence, where, step, told))
        slots = [i for i, number in enumerate(op.inputs) if _is_stranger(evidence, number)]
        if reads and slots:
            data = set(find_data_slots(op.type, len(op.inputs))).intersection(slots)
            found[position] = any(evidence.is_float(op.inputs[slot]) for slot in data)
    if _is_stranger(evidence, evidence.target_number):
        found[None] = True
    return sorted(found.items(), key=lambda entry: not entry[1])


def _reads(evidence: Evidence, where: Step, step: Step, told: frozenset[Variable]) -> bool:
    """Whether a step reads what another made, by names not bound to something else meanwhile."""
    for variable in told & where.takes:
        name = variable.name
        if variable.scope or name in evidence.code.functions:
            return True
        last = evidence.code.find_step(evidence.bound.get(name))
        if last is None or last.node.lineno >= where.node.lineno:
            return True
        if last is step or (name in step.writes and last.node.lineno < step.node.lineno):
            return True
        later = (s for s in evidence.code.steps if s.node.lineno >= last.node.lineno)
        if any(not told.isdisjoint(s.gives.get(variable, ())) for s in later):
            return True
    return False


def _is_stranger(evidence: Evidence, number: int) -> bool:
    """Whether a tensor was made while the cell ran, and by no op: of Python's or NumPy's values."""
    return number > evidence.recorder.first and number not in evidence.makers


def _chooses(evidence: Evidence, departure: Departure) -> bool:
    """Whether the value was asked for its truth: a boolean can do no more than choose."""
    seen = evidence.recorder.seen.get(departure.number)
    return departure.method == "__bool__" or (seen is not None and seen.dtype.is_bool)


def _leads(evidence: Evidence, step: Step, writes: set[Variable]) -> bool:
    """Whether the target's statement reads what this step wrote, or is this step."""
    code, target = evidence.code, evidence.target
    end = code.find_step(target.line)
    if end is step and isinstance(step.node, ast.Expr):
        return True
    if end is not None and step.node.lineno > end.node.lineno:
        return False
    wanted = set(end.takes) if end is not None else set()
    if target.reason != "last-expression":
        wanted |= code.variables.read(ast.parse(target.name))
    return not code.trace_forward(writes).isdisjoint(wanted)


def _locate(
    evidence: Evidence, departure: Departure, derived: frozenset[Variable], *, broken: bool
) -> Way | None:
    """The call in the cell's code that took the value."""
    step = evidence.code.find_step(departure.line)
    if step is None or departure.line is None:
        return None
    ways = list(_list_ways(evidence, step, derived))
    on_line = [way for way in ways if way.line == departure.line] or ways
    found = on_line[0] if on_line else Way(departure.line, step, None)
    return replace(found, broken=broken)


def _list_ways(evidence: Evidence, step: Step, derived: frozenset[Variable]) -> Iterator[Way]:
    """The calls of a step that take the value of something derived from the source."""
    code = evidence.code
    calls = [
        node
        for head in list_heads(step.node)
        for node in ast.walk(head)
        if isinstance(node, ast.Call) and not derived.isdisjoint(_list_taken(code, node))
    ]
    insides = {node: find_inside(node, evidence) for node in calls}
    for node in calls:
        if takes_value(node, evidence.namespace):
            inner = (one for one in ast.walk(node) if one in insides and one is not node)
            if not any(takes_value(one, evidence.namespace) for one in inner):
                yield Way(node.lineno, step, node)  # (what is taken out once is out)
        elif insides[node]:
            yield Way(node.lineno, step, node, insides[node])


def _list_taken(code: CellCode, call: ast.Call) -> set[Variable]:
    """The variables whose values a call is given."""
    parts: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        parts.append(call.func.value)
    return {variable for part in parts for variable in code.variables.read(part)}


def find_inside(call: ast.Call, evidence: Evidence) -> str | None:
    """The user's own function that a call runs, where what it returns left TensorFlow in it."""
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    if name in evidence.code.functions:  # those of the cell are steps themselves
        return None
    function = find_function(call, evidence.namespace)
    if not isinstance(function, types.FunctionType) or find_package(function) in TENSORFLOW:
        return None
    if function.__module__ not in ("__main__", "builtins", None):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    own = CellCode(tree, evidence.code.modules)
    defined, node = next(iter(own.functions.items()), (None, None))
    if defined is None or node is None:
        return None
    derived = own.trace_forward(own.variables.name(one) for one in list_parameters(node))
    leaving = (
        step
        for step in own.steps
        for head in list_heads(step.node)
        for node in ast.walk(head)
        if isinstance(node, ast.Call)
        and takes_value(node, function.__globals__)
        and not derived.isdisjoint(_list_taken(own, node))
    )
    returned = (Variable(defined) in own.trace_forward(step.gives) for step in leaving)
    return ast.unparse(call.func) if any(returned) else None


def _find_choosing(step: Step) -> ast.expr | None:
    """The conditional expression, tf.cond or tf.while_loop of a simple statement."""
    names = {"cond", "case", "switch_case", "while_loop"}
    for head in list_heads(step.node):
        for node in ast.walk(head):
            if isinstance(node, ast.IfExp):
                return node.test
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in names and node.args:
                    return node.args[0]
            elif isinstance(node, ast.Call) and find_base(node.func) in ("max", "min", "sorted"):
                return node
            elif isinstance(node, ast.comprehension) and node.ifs:
                return node.ifs[0]
    return None
