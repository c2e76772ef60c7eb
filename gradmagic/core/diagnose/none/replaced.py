"""What to say where a name that had a tf.Variable was bound to a plain tensor."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import tensorflow as tf

from gradmagic.core.diagnose.code import shorten_code
from gradmagic.core.diagnose.none import mending
from gradmagic.core.i18n import _
from gradmagic.core.recorder import identify
from gradmagic.core.records import Diagnosis
from gradmagic.core.sources import is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence


def explain_replaced(evidence: Evidence) -> Iterator[Diagnosis]:
    """Names that had a Variable, and were bound to a plain tensor."""
    told = set()
    for subject in evidence.subjects:
        kinds = [isinstance(version.tensor, tf.Variable) for version in subject.versions]
        later = [v for i, v in enumerate(subject.versions) if any(kinds[:i]) and not kinds[i]]
        if later and later[0].line is not None:
            told.add(subject.name)
            yield _say_replaced(evidence, subject.name, later[0].line)
    for name in dict.fromkeys([*_list_replaced_here(evidence), *_list_plain(evidence)]):
        value = unwrap(evidence.namespace.get(name))
        if name in told or isinstance(value, tf.Variable):
            continue
        line = _find_binding(evidence, name)
        if name in _list_replaced_here(evidence) and line is not None:
            yield _say_replaced(evidence, name, line)
        elif line is None and (statement := evidence.history.find_replacing(name)) is not None:
            code = ast.unparse(statement)
            message = _(
                "{name} was a tf.Variable until an earlier cell bound the name to a plain tensor "
                "({code}), which no tape watches by itself; {name}.assign keeps a Variable."
            ).format(name=name, code=shorten_code(code))
            fix = f"{name} = tf.Variable({name})"
            yield Diagnosis("variable-replaced", name, None, None, message, fix)


def _list_replaced_here(evidence: Evidence) -> list[str]:
    """Names that a watched Variable had when the cell began, and that hold a tensor now."""
    found = []
    for variable in evidence.tape.watched_variables():
        name = evidence.names.get(identify(variable))
        value = unwrap(evidence.namespace.get(name or ""))
        if name is not None and is_tensor(value) and not isinstance(value, tf.Variable):
            found.append(name)
    return found


def _list_plain(evidence: Evidence) -> list[str]:
    """The names of plain tensors that the target was computed from, and of the sources."""
    return [
        *(s.name for s in evidence.subjects if not s.gradient.variable),
        *(name for _number, name in evidence.list_inputs()),
    ]


def _find_binding(evidence: Evidence, name: str) -> int | None:
    bound = [step.node.lineno for step in evidence.code.steps if name in step.writes]
    return bound[0] if bound else None


def _say_replaced(evidence: Evidence, name: str, line: int) -> Diagnosis:
    code = evidence.code.write_line(line)
    message = _(
        "{name} was a tf.Variable until line {line} bound the name to a plain tensor ({code}): "
        "the Variable itself did not change, and the tensor is not watched by a later tape."
    ).format(name=name, line=line, code=shorten_code(code))
    fix = mending.write_assignment(evidence, name, line)
    return Diagnosis("variable-replaced", name, line, None, message, fix)
