"""What to say where a name that had a tf.Variable was bound to a plain tensor."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.diagnose.code import shorten_code
from gradmagic.core.diagnose.none import mending
from gradmagic.core.i18n import _
from gradmagic.core.insertion import find_sites
from gradmagic.core.recorder import identify
from gradmagic.core.records import Diagnosis
from gradmagic.core.sources import identify_parts, is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.diagnose.evidence import Evidence


def explain_replaced(evidence: Evidence) -> Iterator[Diagnosis]:
    """Names that had a Variable, and were bound to a plain tensor."""
    told = set()
    for subject in evidence.subjects:
        kinds = [isinstance(version.tensor, tf.Variable) for version in subject.versions]
        later = [i for i, kept in enumerate(kinds) if any(kinds[:i]) and not kept]
        line = subject.versions[later[0]].line if later else None
        if line is not None:
            told.add(subject.name)
            variable = subject.versions[later[0] - 1].tensor
            values = [subject.versions[i].tensor for i in later]
            yield _say_replaced(evidence, subject.name, line, variable, values)
    replaced = _find_replaced_here(evidence)
    for name in dict.fromkeys([*replaced, *_list_plain(evidence)]):
        value = unwrap(evidence.namespace.get(name))
        if name in told or isinstance(value, tf.Variable):
            continue
        if name in replaced:
            line = _find_binding(evidence, name)
            carrying = _list_carrying(evidence, name, replaced[name], [value])
            if line is None or _is_used(evidence, carrying):
                continue
            if carrying and _is_in_loop(evidence, line):  # what it bound before is not known
                continue
            yield _say_replaced(evidence, name, line, replaced[name], [value])
        elif name not in evidence.bound and (step := evidence.history.find_replacing(name)):
            message = _(
                "{name} was a tf.Variable until an earlier cell bound the name to a plain tensor "
                "({code}), which no tape watches by itself; {name}.assign keeps a Variable."
            ).format(name=name, code=_write_head(step))
            fix = f"{name} = tf.Variable({name})"
            yield Diagnosis("variable-replaced", name, None, None, message, fix)


def _find_replaced_here(evidence: Evidence) -> dict[str, tf.Variable]:
    """The watched Variables whose names they had when the cell began, and now a tensor has."""
    found = {}
    for variable in evidence.tape.watched_variables():
        name = evidence.names.get(identify(variable))
        value = unwrap(evidence.namespace.get(name or ""))
        if name is not None and is_tensor(value) and not isinstance(value, tf.Variable):
            found[name] = variable
    return found


def _list_plain(evidence: Evidence) -> list[str]:
    """The names of plain tensors that the target was computed from, and of the sources."""
    return [
        *(s.name for s in evidence.subjects if not s.gradient.variable),
        *(name for _number, name in evidence.list_inputs()),
    ]


def _find_binding(evidence: Evidence, name: str) -> int | None:
    """The line of the first assignment to a name; None where something else may have bound it."""
    sites = [
        site
        for site in find_sites(evidence.code.tree, name)
        if site.kind != "after" or _is_bound_by(site.node, name)
    ]
    if not sites or any(site.kind != "after" for site in sites):
        return None
    first = sites[0]
    ran = first.first <= evidence.bound.get(name, 0) <= first.last
    # one of several may not have run, or have bound a Variable
    certain = first.node in evidence.code.tree.body and isinstance(
        getattr(first.node, "value", None), (ast.BinOp, ast.UnaryOp)
    )
    return first.first if certain or (ran and len(sites) == 1) else None


def _is_bound_by(statement: ast.stmt, name: str) -> bool:
    """Whether an assignment binds a name itself, not a part of what has it."""
    return isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in ast.walk(statement)
    )


def _list_carrying(
    evidence: Evidence, name: str, variable: tf.Variable, values: Sequence[Any]
) -> frozenset[int]:
    """Those of the tensors bound in a Variable's place that were computed from another source."""
    others = frozenset(n for s in evidence.subjects if s.name != name for n in s.numbers)
    derived = evidence.follow(others - {identify(variable)})
    return derived & {number for value in values for number in identify_parts(value)}


def _is_used(evidence: Evidence, numbers: frozenset[int]) -> bool:
    """Whether the target was computed from any of some tensors."""
    used = {number for p in evidence.leading for number in evidence.ops[p].inputs}
    return not numbers.isdisjoint(used | {evidence.target_number})


def _is_in_loop(evidence: Evidence, line: int) -> bool:
    step = evidence.code.find_step(line)
    tests = () if step is None else step.tests
    return any(isinstance(test.node, (ast.For, ast.While)) for test in tests)


def _say_replaced(
    evidence: Evidence, name: str, line: int, variable: tf.Variable, values: Sequence[Any]
) -> Diagnosis:
    step = evidence.code.find_step(line)
    message = _(
        "{name} was a tf.Variable until line {line} bound the name to a plain tensor ({code}): "
        "the Variable itself did not change, and the tensor is not watched by a later tape."
    ).format(name=name, line=line, code="" if step is None else _write_head(step.node))
    fits = all(v.shape == variable.shape and v.dtype == variable.dtype for v in values)
    # an assigned Variable would keep back the gradient that goes through what it is assigned
    keeps_back = _is_used(evidence, _list_carrying(evidence, name, variable, values))
    fix = mending.write_assignment(evidence, name, line) if fits and not keeps_back else ""
    return Diagnosis("variable-replaced", name, line, None, message, fix)


def _write_head(statement: ast.stmt) -> str:
    """A statement in short; of a compound one its first line."""
    return shorten_code(ast.unparse(statement).splitlines()[0].removesuffix(":"))
