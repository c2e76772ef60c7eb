"""Move one entry of a source and look: the measured slope beside the gradient, and 'what if'.

The recorded ops run again, through TensorFlow; the user's code does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.i18n import _, join_items, join_sentences
from gradmagic.core.recorder import passes_gradient
from gradmagic.core.replay.backward import differentiate_node, make_dense, walk_back
from gradmagic.core.replay.chain import write_number
from gradmagic.core.replay.forward import Replay, Run, replay
from gradmagic.core.replay.leaving import say_taken
from gradmagic.core.replay.ops import ReplayError
from gradmagic.core.replay.slopes import Curve, Index, Measure, Sides, find_curve, find_eps
from gradmagic.core.replay.ways import find_ways, is_float
from gradmagic.core.replay.wiring import find_inputs, find_source, say_missing, say_op
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.records import Graph, Node


CLOSE = {"float64": 1e-3, "float32": 3e-2}  # relative difference between slope and gradient

_STOPS = frozenset({"StopGradient", "PreventGradient"})


@dataclass(frozen=True)
class Check:
    """A gradient's entry, and the slope that was measured in its place.

    Attributes
    ----------
    source, index, value
        The entry that was moved, and what it was.
    step
        How far it was moved up and down.
    slope
        (target(value + step) - target(value - step)) / 2 step: the sum of the target's entries.
    left, right
        The slopes on the two sides.
    gradient
        What the tape gave; None where it gave None.
    dtype
        In which the ops ran.
    curve
        ``"smooth"``; ``"kink"`` (the slopes on both sides differ, as for relu at 0); ``"jump"``
        (the target is not continuous here).
    agrees
        Whether the gradient is the slope within rounding; at a kink, whether it lies between both.
    message
        The outcome in a sentence or two.
    """

    source: str
    index: Index
    value: float
    step: float
    slope: float
    left: float
    right: float
    gradient: float | None
    dtype: str
    curve: Curve
    agrees: bool
    message: str


def check_entry(graph: Graph, source: str, index: Index = ()) -> Check:
    """Move an entry of a source up and down a little, and measure the slope of the target.

    Parameters
    ----------
    graph
        All recorded ops.
    source
        Name of the source.
    index
        Which entry of it.

    Raises
    ------
    UserError
        The ops cannot run again, or there is no such entry; the message says why.
    """
    node, value = _find_entry(graph, source, index)
    measure = Measure(graph, node, index, tf.float64)
    if measure.base.narrow:
        measure = Measure(graph, node, index, value.dtype)
    dtype = measure.dtype.name
    sides = measure.take_both()
    curve = find_curve(*sides)
    best = min(sides, key=lambda one: one.doubt)
    gradient = _read_gradient(node, index)
    close = CLOSE.get(dtype, CLOSE["float32"])
    room = close, _find_rounding(node, max(abs(measure.middle), best.flow))
    agrees = _agrees(gradient, best, curve, *room)
    check = Check(
        source,
        index,
        measure.entry,
        best.step,
        best.slope,
        best.left,
        best.right,
        gradient,
        dtype,
        curve,
        agrees,
        "",
    )
    is_close = _agrees(gradient, replace(best, noise=0.0), curve, close, 0.0)
    sentences = list(_say(check, measure.base, is_close=is_close))
    taken = say_taken(graph, source)
    sentences += [taken] if taken else []
    if not agrees:
        stops = {
            number: graph.nodes[number].outputs[0].value
            for number, _output in measure.base.values
            if graph.nodes[number].op in _STOPS
        }
        held = Measure(graph, node, index, measure.dtype, stops).take(best.step) if stops else best
        bends = best.bend > best.noise + 0.1 * max(abs(best.left), abs(best.right))
        if curve == "smooth" and bends:
            sentences.append(
                _(
                    "The slopes to both sides are {left} and {right}: "
                    "the target bends too much here for this step to tell."
                ).format(left=write_number(best.left), right=write_number(best.right))
            )
        elif stops and _agrees(gradient, held, "smooth", *room):
            sentences.append(_say_stopped(graph.nodes[min(stops)]))
        else:
            sentences += _explain(graph, measure.base)
    return replace(check, message=join_sentences(sentences))


def _agrees(
    gradient: float | None, sides: Sides, curve: Curve, close: float, rounding: float
) -> bool:
    if not np.isfinite(sides.slope):
        return gradient is not None and not np.isfinite(gradient)
    taken = gradient or 0.0
    low = min(sides.left, sides.right) if curve == "kink" else sides.slope
    high = max(sides.left, sides.right) if curve == "kink" else sides.slope
    room = close * max(abs(low), abs(high), abs(taken)) + sides.noise + rounding
    return bool(low - room <= taken <= high + room)


def _say_stopped(node: Node) -> str:
    return _("{op} lets no gradient through, though the value follows.").format(op=say_op(node))


def imagine_entry(graph: Graph, source: str, index: Index, value: float) -> Graph:
    """The graph as it would be with another number in an entry of a source.

    Every value that depends on it and every gradient is computed anew; nodes, edges and ids stay.

    Parameters
    ----------
    graph
        All recorded ops.
    source, index
        Which entry.
    value
        The number in its place.

    Raises
    ------
    UserError
        The ops cannot run again, or there is no such entry; the message says why.
    """
    node, before = _find_entry(graph, source, index)
    changed = np.array(before.numpy())
    changed[index] = value
    run = replay(graph, {node.id: tf.constant(changed, before.dtype)}, follow=True)
    moved = _replace_values(graph, run)
    walk = walk_back(moved, recorded=False)
    if walk.unknown:
        raise ReplayError(next(iter(walk.unknown.values())))
    nodes = [
        replace(
            one,
            outputs=tuple(
                made
                if made.gradient is None
                else replace(made, gradient=walk.upstream.get((one.id, i)))
                for i, made in enumerate(one.outputs)
            ),
        )
        for one in moved.nodes
    ]
    return replace(moved, nodes=tuple(nodes))


def _replace_values(graph: Graph, run: Replay) -> Graph:
    nodes = list(graph.nodes)
    for number in run.moved:
        node = nodes[number]
        outputs = [
            replace(made, value=run.values.get((number, i)), summary=None)
            for i, made in enumerate(node.outputs)
        ]
        nodes[number] = replace(node, outputs=tuple(outputs))
    return replace(graph, nodes=tuple(nodes))


def _find_entry(graph: Graph, source: str, index: Index) -> tuple[Node, Any]:
    """The node of a source and its value; raise where it has no such float entry."""
    node = find_source(graph, source)
    value = node.outputs[0].value
    if value is None:
        raise ReplayError(say_missing(node))
    if not value.dtype.is_floating:
        raise ReplayError(
            _("{name} is {dtype}: only entries of real float tensors can be moved.").format(
                name=source, dtype=value.dtype.name
            )
        )
    sides = tuple(value.shape)
    if len(index) != len(sides) or any(
        not 0 <= i < side for i, side in zip(index, sides, strict=True)
    ):
        raise ReplayError(
            _("{name} has shape {shape}: there is no entry {index}.").format(
                name=source, shape=list(sides), index=list(index)
            )
        )
    return node, value


def _read_gradient(node: Node, index: Index) -> float | None:
    gradient = node.outputs[0].gradient
    if gradient is None:
        return None
    if not isinstance(gradient, tf.IndexedSlices):
        return float(gradient.numpy()[index])
    rows = gradient.values.numpy()[gradient.indices.numpy() == index[0]]
    return float(rows.sum(0)[index[1:]])


def _find_rounding(node: Node, reach: float) -> float:
    """What rounding may have done to a gradient: the tape worked in the cell's dtype."""
    made = node.outputs[0]
    if made.gradient is None:
        return 0.0
    values = make_dense(made.gradient).numpy()
    largest = float(np.nan_to_num(np.abs(values)).max(initial=0.0))
    return 8 * find_eps(made.value.dtype) * max(largest, reach)


def _say(check: Check, run: Replay, *, is_close: bool) -> Iterator[str]:
    """The outcome in sentences."""
    said = {
        "name": f"{check.source}{format_index(check.index)}",
        "slope": write_number(check.slope),
        "gradient": "None" if check.gradient is None else write_number(check.gradient),
        "left": write_number(check.left),
        "right": write_number(check.right),
    }
    if not np.isfinite(check.slope):
        yield _("The target is not finite around {name}, so it has no slope.").format(**said)
    elif check.curve == "jump":
        yield _(
            "The target jumps at this value of {name}, where it has no slope; "
            "the gradient is {gradient}."
        ).format(**said)
    elif check.curve == "kink":
        yield _(
            "The target has a kink here: its slope is {left} to the left and {right} to the right "
            "of {name}; TensorFlow takes {gradient}."
        ).format(**said)
    elif check.agrees and not is_close:
        yield _(
            "The measured slope is {slope}, the gradient {gradient}: "
            "they differ by no more than rounding may."
        ).format(**said)
    elif check.agrees:
        yield _("The measured slope {slope} agrees with the gradient {gradient}.").format(**said)
    else:
        yield _("The measured slope is {slope}, the gradient {gradient}.").format(**said)
    if run.held:
        yield _("{names} kept what the cell assigned, as for tape.gradient.").format(
            names=join_items(run.held)
        )


def _explain(graph: Graph, run: Replay) -> Iterator[str]:
    """Why a gradient is not the slope: the first place where the value goes on without it."""
    ways = find_ways(graph)
    computed = {node for node, _output in run.values}
    reason = next((why for (node, _o), why in ways.hidden.items() if node in computed), None)
    if reason is not None:
        yield reason
        return
    for node in graph.nodes:
        for slot, position in enumerate(ways.inputs[node.id]):
            edge = graph.edges[position]
            made = graph.nodes[edge.producer].outputs[edge.output]
            moves = edge.producer in computed and node.id in computed and node.kind == "op"
            if moves and position not in ways.carrying and is_float(made):
                reason = _explain_gap(graph, node, slot, graph.nodes[edge.producer])
            if reason is not None:
                yield reason
                return


def _explain_gap(graph: Graph, node: Node, slot: int, producer: Node) -> str | None:
    """Why no gradient flows from an op to an input that moves; None where that is as it should."""
    upstream = [made.gradient for made in node.outputs]
    if all(one is None for one in upstream) or not passes_gradient(producer.op or ""):
        return None
    try:
        (passed,) = differentiate_node(Run(graph, {}), node, upstream, [slot])
    except ReplayError:
        return None
    name = producer.outputs[0].name or producer.label
    if passed is None:
        return _("TensorFlow gives no derivative of {op} by {name}.").format(
            op=say_op(node), name=name
        )
    into = (graph.edges[position] for position in find_inputs(graph)[producer.id])
    before = [graph.nodes[edge.producer].outputs[edge.output].gradient for edge in into]
    if all(one is None for one in before):  # nothing that the tape follows goes into it
        return None
    return _("The tape did not record what made {name}.").format(name=name)
