"""Data that held NaN or infinity already: how it is called, and in which entry it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from gradmagic.core.diagnose.values.wording import (
    find_first,
    is_unnamed,
    name_entry,
    name_op,
    name_tensor,
    write_number,
)
from gradmagic.core.i18n import _
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.diagnose.evidence import Evidence

Bad = Literal["nan", "inf"]
TESTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"nan": np.isnan, "inf": np.isinf}


def name_bad(bad: Bad, value: np.ndarray | None = None) -> str:
    """``NaN``, ``inf``, or ``-inf`` where a value that holds infinity holds no other."""
    if bad == "nan":
        return "NaN"
    if value is None or value.dtype.kind != "f" or not np.isneginf(value).any():
        return "inf"
    return "inf" if np.isposinf(value).any() else "-inf"


def say_data(evidence: Evidence, number: int, bad: Bad) -> str:
    """That a tensor which no op made holds it, as a sentence without its end."""
    value, holds = _read_data(evidence, number), _("{name} holds {bad}")
    if is_unnamed(evidence, number):
        position = next(p for p in evidence.consumers[number] if p in evidence.leading)
        array = _find_array(evidence, number, evidence.ops[position].line)
        if array is None:
            text = _("{op} uses a constant that holds {bad}")
            return text.format(op=name_op(evidence, position), bad=name_bad(bad, value))
        name = array
    else:
        name, array = name_tensor(evidence, number), None
        if number <= evidence.recorder.first and number not in evidence.recorder.assigned:
            holds = _("{name} already held {bad} before the cell")
    said = holds.format(name=name, bad=name_bad(bad, value))
    if value is None or value.dtype.kind != "f" or not value.ndim:
        return said
    index = find_first(TESTS[bad](value))
    entry = f"{array}{format_index(index)}" if array else name_entry(evidence, number, index)
    return _("{said}: {entry} is {value}").format(
        said=said, entry=entry, value=write_number(float(value[index]))
    )


def _read_data(evidence: Evidence, number: int) -> np.ndarray | None:
    """The value of a tensor that no op made; of a Variable what was read from it."""
    if number in evidence.recorder.seen and evidence.is_float(number):
        return evidence.value(number)
    reads = [op for op in evidence.ops if op.type == "ReadVariableOp" and op.inputs[0] == number]
    return evidence.value(reads[0].outputs[0]) if reads else None


def _find_array(evidence: Evidence, number: int, line: int | None) -> str | None:
    """The name on a line of the NumPy array that a constant was made of."""
    step, tensor = evidence.code.find_step(line), evidence.recorder.seen[number].tensor
    value = None if tensor is None else tensor.numpy()
    for name in sorted(() if step is None else step.reads):
        array = evidence.namespace.get(name)
        if type(array) is np.ndarray and array.dtype.kind == "f" and value is not None:
            with np.errstate(over="ignore"):
                same = array.astype(value.dtype)
            if np.array_equal(same, value, equal_nan=True):
                return name
    return None
