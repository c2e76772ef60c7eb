"""Where a source's value left TensorFlow: through NumPy, a Python number, or a branch."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import types
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.diagnose.code import CellCode, Step, find_base, list_heads, list_values
from gradmagic.core.graph.notation import find_data_slots
from gradmagic.core.recorded import WRITERS
from gradmagic.core.recorder import identify
from gradmagic.core.sources import COMPOSITES, is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.recorded import Departure

_NUMBERS = frozenset({"float", "int", "complex", "round"})
_METHODS = frozenset({"numpy", "tolist", "item", "predict", "predict_on_batch"})
_COPIES = frozenset({"constant", "Variable", "numpy_function"})  # of TensorFlow, by value
_TENSORFLOW = frozenset({"tensorflow", "keras", "tf_keras"})


@dataclass(frozen=True, eq=False)
class Way:
    """A way out of TensorFlow that leads to the target: the call, and its step in the cell.

    ``call`` is the expression; None where only the line is known. ``inside`` names the user's own
    function in which it happens, where that is defined outside the cell. ``position`` is the op
    that the value came back into; None where it became the target itself. ``broken``: even inside
    TensorFlow no gradient would go this way.
    """

    line: int
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
    derived = code.trace_forward({root})
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
        writes = _find_writes(way)
        if _leads(evidence, way.step, writes):
            entries = _list_entries(evidence, way.step, writes)
            for position, by_value in entries:
                return replace(way, position=position, broken=way.broken or not by_value)
    return None


def find_choice(evidence: Evidence, subject: Subject) -> Way | None:
    """The first branch that the source's value chose and on which the target depends."""
    reached = evidence.follow(subject.numbers)
    for departure in evidence.recorder.departures:
        if departure.number not in reached or departure.line is None:
            continue
        for step in evidence.code.list_steps(departure.line):
            chosen, test = _find_chosen(evidence, step, truth=_chooses(evidence, departure))
            if test is not None and any(_leads(evidence, one, one.writes) for one in chosen):
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
    return way.line, way.call is None, way.call.col_offset if way.call is not None else 0


def _is_taken(evidence: Evidence, subject: Subject, way: Way) -> bool:
    """Whether the call is given a tensor that holds something of the source.

    What a function's own names held is not known any more: there the code alone tells.
    """
    assert isinstance(way.call, ast.Call)
    if any(_holds(function, way.line) for function in evidence.code.functions.values()):
        return subject.name.isidentifier()
    taken = _list_taken(way.call)
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


def _holds(function: ast.AST, line: int) -> bool:
    return function.lineno <= line <= function.end_lineno  # type: ignore[attr-defined]


def _find_writes(way: Way) -> frozenset[str]:
    """The names that the call's value may go to: in ``a, b = f(x), g(y)`` each has its own."""
    node = way.step.node
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)):
        return way.step.writes
    target = node.targets[0]
    pairs = len(node.targets) == 1 and isinstance(target, ast.Tuple)
    if not pairs or len(target.elts) != len(node.value.elts):  # type: ignore[attr-defined]
        return way.step.writes
    own = [
        one
        for one, value in zip(target.elts, node.value.elts, strict=True)  # type: ignore[attr-defined]
        if way.call is None or any(inner is way.call for inner in ast.walk(value))
    ]
    return frozenset(base for one in own if (base := find_base(one)))


def _list_entries(
    evidence: Evidence, step: Step, writes: frozenset[str]
) -> list[tuple[int | None, bool]]:
    """Where numbers that the step may have made came into TensorFlow on the way to the target.

    The positions of the ops that took them in (None for the target itself), and whether they were
    numbers to compute with: those first. Others only choose, as indices and masks do.
    """
    code = evidence.code
    told = code.trace_forward(set(writes))
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


def _reads(evidence: Evidence, where: Step, step: Step, told: frozenset[str]) -> bool:
    """Whether a step reads what another made, by names not bound to something else meanwhile."""
    for name in told & where.reads:
        if name in evidence.code.functions:
            return True
        last = evidence.code.find_step(evidence.bound.get(name))
        if last is None or last.node.lineno >= where.node.lineno:
            return True
        if last is step or (name in step.writes and last.node.lineno < step.node.lineno):
            return True
        if not told.isdisjoint(last.reads):
            return True
    return False


def _is_stranger(evidence: Evidence, number: int) -> bool:
    """Whether a tensor was made while the cell ran, and by no op: of Python's or NumPy's values."""
    return number > evidence.recorder.first and number not in evidence.makers


def _chooses(evidence: Evidence, departure: Departure) -> bool:
    """Whether the value was asked for its truth: a boolean can do no more than choose."""
    seen = evidence.recorder.seen.get(departure.number)
    return departure.method == "__bool__" or (seen is not None and seen.dtype.is_bool)


def _leads(evidence: Evidence, step: Step, writes: frozenset[str]) -> bool:
    """Whether the target's statement reads what this step wrote, or is this step."""
    code, target = evidence.code, evidence.target
    end = code.find_step(target.line)
    if end is step and writes == step.writes:
        return True
    if end is not None and step.node.lineno > end.node.lineno:
        return False
    wanted = set(end.reads) if end is not None else set()
    if target.reason != "last-expression":
        wanted |= {
            node.id for node in ast.walk(ast.parse(target.name)) if isinstance(node, ast.Name)
        }
    return not code.trace_forward(set(writes)).isdisjoint(wanted)


def _locate(
    evidence: Evidence, departure: Departure, derived: frozenset[str], *, broken: bool
) -> Way | None:
    """The call in the cell's code that took the value."""
    step = evidence.code.find_step(departure.line)
    if step is None or departure.line is None:
        return None
    ways = list(_list_ways(evidence, step, derived))
    on_line = [way for way in ways if way.line == departure.line] or ways
    found = on_line[0] if on_line else Way(departure.line, step, None)
    return replace(found, broken=broken)


def _list_ways(evidence: Evidence, step: Step, derived: frozenset[str]) -> Iterator[Way]:
    """The calls of a step that take the value of something derived from the source."""
    for head in list_heads(step.node):
        for node in ast.walk(head):
            if not isinstance(node, ast.Call) or derived.isdisjoint(_list_taken(node)):
                continue
            if takes_value(node, evidence.namespace):
                inner = (one for one in ast.walk(node) if isinstance(one, ast.Call))
                again = (takes_value(one, evidence.namespace) for one in inner if one is not node)
                if not any(again):  # what is taken out once is out
                    yield Way(node.lineno, step, node)
            elif inside := _find_inside(node, evidence):
                yield Way(node.lineno, step, node, inside)


def _list_taken(call: ast.Call) -> set[str]:
    """The names whose values a call is given."""
    parts: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        parts.append(call.func.value)
    return {name for part in parts for name in list_values(part)}


def takes_value(call: ast.Call, namespace: Any) -> bool:
    """Whether a call takes values out of TensorFlow: NumPy's, math's, float(), .numpy()."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return True
    base = find_base(call.func)
    value = namespace.get(base, getattr(builtins, base or "", None))
    if isinstance(call.func, ast.Name) and base in _NUMBERS:
        return value is getattr(builtins, base)
    package = _find_package(value)
    if package in _TENSORFLOW:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else base
        return name in _COPIES and _copies(call, namespace)
    return package in ("numpy", "math", "scipy", "jax", "torch", "pandas")


def _copies(call: ast.Call, namespace: Any) -> bool:
    """Whether tf.constant or its like is given more than a tensor, which it would pass on."""
    given = call.args[0] if call.args else None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name != "constant" or not isinstance(given, ast.Name):
        return True
    return isinstance(unwrap(namespace.get(given.id)), tf.Variable)


def _find_package(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__.split(".")[0]
    if type(value).__module__ == "numpy":  # np.sin, imported by its name
        return "numpy"
    return (getattr(value, "__module__", None) or "").split(".")[0] if callable(value) else ""


def _find_inside(call: ast.Call, evidence: Evidence) -> str | None:
    """The user's own function that the call runs, where its parameters leave TensorFlow in it."""
    name = call.func.id if isinstance(call.func, ast.Name) else None
    function = evidence.namespace.get(name or "")
    if name is None or name in evidence.code.functions:  # those of the cell are steps themselves
        return None
    if not isinstance(function, types.FunctionType) or _find_package(function) in _TENSORFLOW:
        return None
    if function.__module__ not in ("__main__", "builtins", None):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    own = CellCode(tree, evidence.code.modules)
    derived = own.trace_forward(set(function.__code__.co_varnames[: function.__code__.co_argcount]))
    leaving = (
        node
        for step in own.steps
        for head in list_heads(step.node)
        for node in ast.walk(head)
        if isinstance(node, ast.Call)
        and takes_value(node, function.__globals__)
        and not derived.isdisjoint(_list_taken(node))
    )
    return name if next(leaving, None) is not None else None


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
