"""How messages call an op, an entry and a number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, _n
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence

LONGEST = 44  # characters of an op that is written out; of a longer one its name is enough


def write_op(evidence: Evidence, position: int) -> str:
    """What an op computes: ``relu(x @ w)``; its name where that is too long."""
    op = evidence.ops[position]
    label = re.sub(r"^[\w.'\[\]]+ = ", "", evidence.labels.get(position, ""))  # (of a source)
    function = re.match(r"\w+(?=\(|$)", label)
    if label and len(label) <= LONGEST and (function or "\u2026" not in label):
        return label
    return function[0] if function else op.type


def find_place(evidence: Evidence, position: int) -> tuple[int | None, str]:
    """An op's line and TensorFlow's name of it; of a traced function the call."""
    op = evidence.ops[position]
    return op.line, write_op(evidence, position) if op.type.startswith("__") else op.type


def name_op(evidence: Evidence, position: int) -> str:
    """What an op computes, and on which line: ``relu(x @ w) on line 3``."""
    line, op = evidence.ops[position].line, write_op(evidence, position)
    return op if line is None else _("{op} on line {line}").format(op=op, line=line)


def name_tensor(evidence: Evidence, number: int) -> str:
    """A tensor's Python name, else what it was computed by."""
    name = _find_name(evidence, number)
    if name:
        return _shorten(name)
    if number in evidence.recorder.seen and not evidence.is_float(number):
        return _("a Variable")
    return _shorten(evidence.write(number)) or _("a tensor without a name")


def is_unnamed(evidence: Evidence, number: int) -> bool:
    """Whether a tensor that no op made has no name."""
    return _find_name(evidence, number) is None and number in evidence.consumers


def _find_name(evidence: Evidence, number: int) -> str | None:
    """The name of a tensor or Variable, also of what was read from one."""
    own = next((s.name for s in evidence.subjects if number in s.numbers), None)
    name = own or evidence.names.get(number)
    maker = evidence.maker(number)
    if name is None and maker is not None and maker.type == "ReadVariableOp":
        return _find_name(evidence, maker.inputs[0]) or _("a Variable")
    return name


def name_target(evidence: Evidence) -> str:
    """The target's name, or as much of an expression as is readable in a sentence."""
    return _shorten(evidence.target.name)


def name_entry(evidence: Evidence, number: int, index: tuple[int, ...]) -> str:
    """An entry of a tensor: ``p[1, 0]``, or ``entry [1, 0] of x @ w``."""
    name = name_tensor(evidence, number)
    if not index:
        return name
    if _find_name(evidence, number) == name and " " not in name:
        return f"{name}{format_index(index)}"
    return _("entry {index} of {name}").format(index=format_index(index), name=name)


def write_number(value: float) -> str:
    """A number of a tensor with the digits that matter: ``1.92875e-22``, ``NaN``."""
    return "NaN" if np.isnan(value) else f"{value + 0.0:.6g}"  # (-0.0 is 0)


def say_share(count: int, size: int) -> str:
    """How many entries: ``its only entry``, ``all 4 entries``, ``3 of 4 entries``."""
    if size == 1:
        return _("its only entry")
    if count == size:
        return _("all {count} entries").format(count=count)
    return _("{count} of {size} entries").format(count=count, size=size)


def say_counting(live: np.ndarray) -> str:
    """How many entries the target depends on: ``all 4 entries``, ``the 3 entries that count``."""
    count = int(live.sum())
    if count == live.size:
        return say_share(count, live.size)
    return _n("the {count} entry that counts", "the {count} entries that count", count).format(
        count=count
    )


def find_first(mask: np.ndarray) -> tuple[int, ...]:
    """The index of the first true entry."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def _shorten(label: str) -> str:
    # (an expression can have several lines)
    label = " ".join(label.split())
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}\u2026"
