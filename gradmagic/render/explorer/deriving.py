"""The local derivatives of an op: in words, as formulas, and with the numbers of one entry."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _
from gradmagic.core.replay.chain import write_place
from gradmagic.core.rules import (
    find_rule,
    find_terms,
    holds_for_complex,
    write_formula,
    write_numbers,
)
from gradmagic.core.rules.writing import is_call, is_name, number_name
from gradmagic.core.summary import format_index
from gradmagic.render.explorer.tensors import write_short
from gradmagic.render.markup import Html, fill, join, tag

if TYPE_CHECKING:
    from typing import Any

    from gradmagic.core.records import Edge, Node
    from gradmagic.core.replay.wiring import Place
    from gradmagic.render.explorer.reading import Reading

LISTED = 6  # inputs whose rule is written out
FORMULA = 160  # characters of a formula or of the numbers put into it
OPERAND = 24  # characters of an operand in a formula
ENTRIES = 2_000_000  # of all tensors of an op into whose rule numbers are put
ROUNDING = 1e-2  # of the entry: float16 has three digits


def render_rule(reading: Reading, node: Node) -> Html | None:
    """For each input that gets a gradient the rule; None where no input does."""
    edges = [edge for edge in reading.inputs[node.id] if edge.gradient]
    if node.op is None or not edges:
        return None
    if any(scope.kind == "custom_gradient" for scope in node.scopes):
        return tag("p", _("The gradient rule is the user's own, from tf.custom_gradient."))
    rule = find_rule(node.op, node.attributes)
    if rule is None:
        text = _("There is no formula for {op} here; the numbers are TensorFlow's.")
        return tag("p", fill(text, op=tag("code", node.op)), class_="gm-s")
    operands = Operands(reading, node)
    if operands.is_complex and not holds_for_complex(node.op):
        text = _(
            "There is no formula for {op} of complex numbers here; the numbers are TensorFlow's."
        )
        return tag("p", fill(text, op=tag("code", node.op)), class_="gm-s")
    parts: list[Html] = []
    said: set[str] = set()
    for edge in edges[:LISTED]:
        words = rule.find_slot(edge.slot, operands.count).words
        if words not in said:
            said.add(words)
            parts.append(tag("p", words))
        parts.append(_render_slot(reading, edge, operands))
    told = rule.note and (rule.note != _find_copies_note() or operands.is_broadcast)
    return join(*parts, tag("p", rule.note, class_="gm-s") if told else None)


def _find_copies_note() -> str:
    """What rules say of inputs that are broadcast: of no interest where none is."""
    rule = find_rule("AddV2")
    return rule.note if rule is not None else ""


def _render_slot(reading: Reading, edge: Edge, operands: Operands) -> Html:
    """The formula for one input, and below it the numbers for its largest entry."""
    formula = operands.write_formula(edge.slot)
    numbers = None
    passed = reading.read_passed(edge)
    if passed is not None and passed.largest is not None and passed.layout == "dense":
        index, entry = passed.largest
        numbers = operands.write_numbers(edge.slot, index, entry)
        if numbers is not None and index:
            numbers = _("at {index}: {numbers}").format(index=format_index(index), numbers=numbers)
    return join(
        tag("p", tag("code", formula), class_="gm-formula gm-g") if formula else None,
        tag("p", numbers, class_="gm-numbers gm-g") if numbers else None,
    )


class Operands:
    """What goes into an op and comes out of it, as names for formulas and as arrays for numbers.

    Parameters
    ----------
    reading
        The graph.
    node
        The op.
    """

    def __init__(self, reading: Reading, node: Node) -> None:
        self.node = node
        nodes = reading.whole.nodes
        edges = reading.find_slots(node.id)
        drawn = {edge.slot: edge for edge in reading.inputs[node.id]}  # as the student sees them
        seen = [drawn.get(edge.slot, edge) for edge in edges]
        self.names = _name_all(reading, [(edge.producer, edge.output) for edge in seen])
        self.made = [nodes[edge.producer].outputs[edge.output] for edge in edges]
        self._taken = reading.names

    @property
    def count(self) -> int:
        """The number of inputs."""
        return len(self.made)

    @property
    def is_broadcast(self) -> bool:
        """Whether an input has another shape than the output."""
        return any(one.shape != self.node.outputs[0].shape for one in self.made)

    @property
    def is_complex(self) -> bool:
        """Whether complex numbers come in or go out."""
        return any("complex" in one.dtype for one in (*self.made, *self.node.outputs))

    def write_formula(self, slot: int) -> str | None:
        """``dL/dw = xᵀ @ dL/dlogits``."""
        node = self.node
        if self.is_complex and not holds_for_complex(str(node.op)):
            return None
        outputs = [one.name for one in node.outputs]
        formula = write_formula(
            str(node.op),
            node.attributes,
            slot,
            self.names,
            [name if name and len(name) <= OPERAND else None for name in outputs],
            taken=self._taken,
            summed=self.made[slot].shape != node.outputs[0].shape,
        )
        return formula if formula and len(formula) <= FORMULA else None

    def write_numbers(self, slot: int, index: tuple[int, ...], entry: complex) -> str | None:
        """The sum that makes an entry; None where it is not what TensorFlow gave."""
        if self._size > ENTRIES:
            return None
        node = self.node
        about = (
            str(node.op),
            node.attributes,
            [_read_array(one.value) for one in self.made],
            [_read_array(one.value) for one in node.outputs],
            [_read_array(one.gradient) for one in node.outputs],
            slot,
            index,
        )
        terms = find_terms(*about)
        if terms is None or abs(terms.total - entry) > ROUNDING * abs(entry):
            return None
        written = write_numbers(*about, write_short)
        return written if written and len(written) <= FORMULA else None

    @property
    def _size(self) -> int:
        shapes = [one.shape for one in (*self.made, *self.node.outputs)]
        return sum(math.prod(side or 0 for side in shape) for shape in shapes)


def _name_all(reading: Reading, places: list[Place]) -> list[str | None]:
    """What operands are called; different tensors of one name are numbered: ``h₁``."""
    nodes = reading.whole.nodes
    names = [_name(nodes[number], output) for number, output in places]
    apart = {p: name for p, name in zip(places, names, strict=True)
             if name and nodes[p[0]].fold != "constant"}  # fmt: skip
    twice = {name for name, count in Counter(apart.values()).items() if count > 1}
    if not twice:
        return names
    numbered = {name: _number(reading, name) for name in twice}
    return [numbered[name][place] if name in twice and place in apart else name
            for place, name in zip(places, names, strict=True)]  # fmt: skip


def _number(reading: Reading, name: str) -> dict[Place, str]:
    """All tensors of a name, numbered in the order in which they were made."""
    alike = [
        (node.id, output)
        for node in reading.whole.nodes
        if node.kind != "target" and node.fold != "constant"
        for output in range(len(node.outputs))
        if _name(node, output) == name
    ]
    alone = name if is_name(name) or is_call(name) else f"({name})"
    return {place: number_name(alone, number) for number, place in enumerate(alike, 1)}


def _name(node: Node, output: int) -> str | None:
    """What a tensor is called in a formula; None where that would be too long."""
    made = node.outputs[output] if output < len(node.outputs) else None
    name = (made.name if made is not None else None) or node.source or write_place(node, output)
    if name and len(name) > OPERAND and is_call(name):
        return f"{name.partition('(')[0]}(…)"
    return name if name and len(name) <= OPERAND else None


def _read_array(tensor: Any) -> np.ndarray | None:
    """The tensor's entries, without a copy where its memory can be looked at."""
    if tensor is None or not hasattr(tensor, "numpy"):  # IndexedSlices have none
        return tensor if isinstance(tensor, np.ndarray) else None
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # bfloat16, strings, other devices
        return np.asarray(tensor.numpy())
