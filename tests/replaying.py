"""The checker: runs every recorded op again, walks back over each, and compares with what the graph holds.

Each op runs from its *recorded* inputs, through ``tf.raw_ops``; each is differentiated with the
gradient that the tape gave for its outputs. So an error does not travel, and the first wrong op is
named. What cannot be compared is counted by name: nothing is passed over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from gradmagic.core.replay.backward import make_dense, walk_back
from gradmagic.core.replay.forward import Run
from gradmagic.core.replay.ops import BRANCHING, ReplayError, is_given, is_read, run_op
from gradmagic.core.replay.ways import find_ways

# Several threads add up a large sum, in no fixed order; and where three or more paths meet, the
# tape may add them in another order than the walk.
ROUNDING = 32


@dataclass
class Verdict:
    """What the checker saw of one or more graphs.

    ``outputs`` and ``gradients`` count what was compared, ``exact`` how many of them agree to the
    last bit; ``left`` what could not be compared, by why; ``wrong`` what does not agree.
    """

    outputs: int = 0
    gradients: int = 0
    exact: int = 0
    left: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    ops: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Verdict) -> Verdict:  # noqa: PYI034
        for name in ("outputs", "gradients", "exact", "left", "wrong", "ops"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def compare(self, what: str, got: Any, want: Any, **bounds: float) -> None:
        difference = find_difference(got, want, **bounds)
        self.exact += difference is None
        if difference:
            self.wrong.append(f"{what}: {difference}")


def find_difference(got: Any, want: Any, rounding: int = ROUNDING) -> str | None:
    """None where both agree to the last bit, "" within rounding, else a text."""
    one, other = got.numpy(), want.numpy()
    if isinstance(one, bytes):
        return None if one == other else f"{one!r} is not {other!r}"
    if one.dtype != other.dtype or one.shape != other.shape:
        return f"{one.dtype}{one.shape} is not {other.dtype}{other.shape}"
    if one.tobytes() == other.tobytes() or (one.dtype == object and (one == other).all()):
        return None
    if not np.issubdtype(one.dtype, np.inexact) and one.dtype.name != "bfloat16":
        return f"{one} is not {other}"
    exact = one.astype(np.complex128), other.astype(np.complex128)
    finite = np.isfinite(exact[0]) & np.isfinite(exact[1])
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return f"{one} is not {other}"
    scale = np.abs(exact[1][finite]).max(initial=0.0)
    off = np.abs(exact[0] - exact[1])[finite].max(initial=0.0)
    allowed = rounding * float(
        tf.experimental.numpy.finfo(want.dtype.real_dtype.as_numpy_dtype).eps
    )
    return "" if off <= allowed * scale else f"off by {off:.3g} of {scale:.3g}"


def check_graph(graph: Any) -> Verdict:
    """Check all nodes of a graph, forwards and backwards."""
    verdict = Verdict()
    run = Run(graph, {}, follow=True)  # (what a Variable holds is what was assigned last)
    for node in graph.nodes:
        if node.kind == "op":
            why = _check_op(run, node, verdict)
            if why:
                verdict.left[why] += 1
    _check_backward(graph, verdict)
    return verdict


def _check_op(run: Any, node: Any, verdict: Verdict) -> str | None:
    if not any(made.dtype not in {"resource", "variant"} for made in node.outputs):
        return f"{node.op}: gave nothing"
    if all(made.value is None for made in node.outputs):
        return f"{node.op}: traced" if node.traced else f"{node.op}: not held"
    replays = (
        node.op in BRANCHING or node.op.startswith(("Stateless", "Assign")) or is_read(node.op)
    )
    try:
        if not replays and is_given(node.op):
            return f"{node.op}: gives again what it gave"
        if node.op.startswith("StatelessRandom"):  # in a replay they give what they gave
            inputs = [run.fetch(position) for position in run.inputs[node.id]]
            again = run_op(node.op, node.attributes, inputs)
        else:
            again = run.compute_alone(node)
    except ReplayError as error:
        return f"{node.op}: {error}"
    assert len(again) == len(node.outputs), node.op
    for got, made in zip(again, node.outputs, strict=True):
        if made.value is None or made.dtype in {"resource", "variant"}:
            verdict.left[f"{node.op}: an output that is not held"] += 1
            continue
        verdict.outputs += 1
        verdict.compare(f"{node.id} {node.op} (line {node.line})", got, made.value)
    verdict.ops[node.op] += 1
    return None


def _check_backward(graph: Any, verdict: Verdict) -> None:
    walk, ways = walk_back(graph), find_ways(graph)
    leaving: dict[Any, list[int]] = {}
    for position in sorted(ways.carrying, key=lambda p: -graph.edges[p].consumer):
        edge = graph.edges[position]
        leaving.setdefault((edge.producer, edge.output), []).append(position)
    for node in graph.nodes:
        for output, made in enumerate(node.outputs):
            place = node.id, output
            if made.gradient is None:
                continue
            if node.kind == "target":
                verdict.gradients += 1
                verdict.compare("target", made.gradient, tf.ones_like(made.value))
                continue
            consumers = [graph.edges[position].consumer for position in leaving.get(place, [])]
            unknown = [walk.unknown[one] for one in consumers if one in walk.unknown]
            if place in ways.hidden:
                unknown.append(ways.hidden[place])
            parts = [walk.passed[p] for p in leaving.get(place, []) if p in walk.passed]
            if unknown:
                verdict.left[f"gradient: {unknown[0]}"] += 1
            elif not parts:
                verdict.wrong.append(f"{node.id} {node.op} {node.label}: nothing comes back")
            else:
                total = parts[0] if len(parts) == 1 else tf.add_n([make_dense(p) for p in parts])
                verdict.gradients += 1
                verdict.compare(
                    f"gradient of {node.id} {node.op} (line {node.line})",
                    make_dense(total),
                    make_dense(made.gradient),
                )
