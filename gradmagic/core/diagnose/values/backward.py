"""The way of the gradient back through the recorded ops: where it is zero, finite, not finite."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradmagic.core.recorder import passes_gradient

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.recorded import Op

_BARE = frozenset(
    {"Identity", "Reshape", "Squeeze", "Cast", "Sum", "Mean", "AddV2", "AddN", "Pack"}
)
# "none": there is no gradient; "unknown": the tensor was too large to be held.
State = Literal["zero", "finite", "nonfinite", "none", "unknown"]


@dataclass(frozen=True)
class Walk:
    """Where, on all ways from a source to the target, gradients begin to be of some state.

    ``edges`` are the ends of the ways; ``complete`` says that no way led through tensors that were
    not held.
    """

    edges: tuple[Edge, ...]
    complete: bool


class Backward:
    """The ops that carry a gradient from the target back to sources, and these gradients."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._states: dict[int, State] = {}

    @functools.cached_property
    def uses(self) -> dict[int, list[int]]:
        """The positions of these ops by the tensors that go in."""
        passing = {kind: passes_gradient(kind) for kind in {op.type for op in self.evidence.ops}}
        uses: dict[int, list[int]] = {}
        for position in self.evidence.leading:
            op = self.evidence.ops[position]
            if passing[op.type] and not self._is_unrecorded(op):
                for number in dict.fromkeys(op.inputs):
                    uses.setdefault(number, []).append(position)
        return uses

    def _is_unrecorded(self, op: Op) -> bool:
        gaps = self.evidence.tape.gaps
        return any(gap.start < number <= gap.end for gap in gaps for number in op.outputs)

    def state(self, number: int) -> State:
        """What is known of the target's gradient with respect to a tensor."""
        if number not in self._states:
            self._states[number] = self._find_state(number)
        return self._states[number]

    def _find_state(self, number: int) -> State:
        evidence = self.evidence
        if number not in evidence.gradients:
            seen = evidence.recorder.seen.get(number)
            lost = seen is not None and seen.tensor is None and evidence.is_float(number)
            return "unknown" if lost else "none"
        gradient = evidence.gradients[number]
        if gradient is None:
            return "none"
        entries = read(getattr(gradient, "values", gradient))  # (of IndexedSlices its rows)
        if not np.isfinite(entries).all():
            return "nonfinite"
        return "finite" if entries.any() else "zero"

    def walk(self, numbers: Iterable[int], state: Literal["zero", "nonfinite"]) -> Walk:
        """Follow tensors whose gradient has a state, up to the ops whose outputs' has not."""
        todo: list[tuple[int, int | None]] = [(n, None) for n in numbers]
        met = set(numbers)
        edges, complete = [], True
        while todo:
            number, outer = todo.pop()
            for position in self.uses.get(number, ()):
                op = self.evidence.ops[position]
                outputs = {n: self.state(n) for n in op.outputs if self.evidence.is_float(n)}
                states = set(outputs.values())
                complete &= "unknown" not in states
                # A function with a gradient of its own hides what happens in it: its ops have none,
                # up to the Identity that gives its result.
                is_result = op.type in ("Identity", "IdentityN")
                if outer is not None and not is_result:
                    states &= {"none"}
                if states - {state, "none", "unknown"}:
                    edges.append(Edge(self, position, number, outer))
                follow = {state} & states or ({"none"} & states if len(states) == 1 else set())
                for output, found in outputs.items():
                    if found in follow and output not in met:
                        met.add(output)
                        entered = number if outer is None else outer
                        todo.append((output, entered if found == "none" else None))
        return Walk(tuple(sorted(edges, key=lambda edge: -edge.position)), complete)

    def reaches(
        self, numbers: Iterable[int], goal: int, without: Collection[int] = frozenset()
    ) -> bool:
        """Whether a way leads from tensors to another, past the ops at some positions."""
        todo, met = list(numbers), set(numbers)
        while todo:
            number = todo.pop()
            if number == goal:
                return True
            for position in self.uses.get(number, ()):
                if position not in without:
                    new = set(self.evidence.ops[position].outputs) - met
                    met |= new
                    todo += new
        return False

    def list_after(self, number: int) -> list[int]:
        """The positions of all ops between a tensor and the target, in order."""
        todo, met, found = [number], {number}, set()
        while todo:
            for position in self.uses.get(todo.pop(), ()):
                found.add(position)
                new = set(self.evidence.ops[position].outputs) - met
                met |= new
                todo += new
        return sorted(found)

    def is_bare(self, number: int) -> bool:
        """Whether the target is a mere sum or mean of the tensor, which is compared to nothing."""
        return all(self.evidence.ops[p].type in _BARE for p in self.list_after(number))

    def depends(self, number: int) -> bool:
        """Whether a gradient flows back to a tensor: it is a source or computed from one."""
        return self.state(number) not in ("none", "unknown")


@dataclass(frozen=True, eq=False)
class Edge:
    """An op and one of the tensors that go into it, on the way from a source to the target.

    Where the op is the last of a function that has a gradient of its own, ``outer`` is the tensor
    that went into the function; else None.
    """

    backward: Backward
    position: int
    number: int
    outer: int | None = None

    @property
    def evidence(self) -> Evidence:
        """The run."""
        return self.backward.evidence

    @property
    def hidden(self) -> bool:
        """Whether the op is in a function that has a gradient of its own."""
        return self.outer is not None

    @property
    def op(self) -> Op:
        """The op."""
        return self.evidence.ops[self.position]

    @property
    def slots(self) -> list[int]:
        """Where the tensor goes in."""
        return [slot for slot, number in enumerate(self.op.inputs) if number == self.number]

    @property
    def other(self) -> int:
        """The other operand of an op with two."""
        return self.op.inputs[1 if self.slots[0] == 0 else 0]

    @functools.cached_property
    def upstream(self) -> np.ndarray | None:
        """The gradient of the op's first output."""
        return self.evidence.gradient(self.op.outputs[0])

    @functools.cached_property
    def value(self) -> np.ndarray | None:
        """The tensor's value."""
        return self.evidence.value(self.number)

    @functools.cached_property
    def result(self) -> np.ndarray | None:
        """The value of the op's first output."""
        return self.evidence.value(self.op.outputs[0])


@dataclass(frozen=True)
class Cause:
    """Why an op passes no gradient on.

    Attributes
    ----------
    kind
        The diagnosis' kind.
    position
        The op to blame.
    reason
        A clause that says what happened there, without an end.
    more
        A sentence to add.
    fix
        As in a diagnosis.
    whole
        Whether the reason explains the source's whole gradient, not only what passes an op.
    """

    kind: str
    position: int
    reason: str
    more: str = ""
    fix: str = ""
    whole: bool = False


def read(tensor: Any) -> np.ndarray:
    """A tensor's entries as they are, without a copy where that is possible."""
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # bfloat16
        return np.asarray(tensor.numpy())
