"""What the side panel says of a node or a group of nodes, as HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.graph.networks import is_computed
from gradmagic.core.i18n import _, _n
from gradmagic.core.rules.writing import is_call, is_name
from gradmagic.render.diagnoses import describe_diagnosis
from gradmagic.render.explorer.attempts import attempt
from gradmagic.render.explorer.colours import format_seconds
from gradmagic.render.explorer.deriving import render_rule
from gradmagic.render.explorer.passing import render_joins, render_passed
from gradmagic.render.explorer.tensors import name_tensor, render_part, write_tensor
from gradmagic.render.explorer.trying import render_trying
from gradmagic.render.markup import Html, fill, join, shorten, tag
from gradmagic.render.names import format_shape, name_target
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradmagic.core.records import Edge, Group, Node, Scope
    from gradmagic.render.explorer.reading import Measured, Reading

LABEL = 200  # columns of a label
LISTED = 12  # entries of a list
OUTPUTS = 3  # of a node, shown in full


def render_node(reading: Reading, number: int) -> Html:
    """A node: what it computes, its value and gradient, its rule, what it passes on."""
    node = reading.nodes[number]
    said = dict.fromkeys(map(describe_diagnosis, reading.diagnoses.get(number, ())))
    return join(
        _render_head(node),
        *(tag("p", sentence, class_="gm-say") for sentence in said),
        *(_render_output(reading, node, place) for place in _choose_outputs(node)),
        attempt(render_trying, reading, node),
        _render_section(_("Local derivative"), attempt(render_rule, reading, node)),
        _render_section(_("Passes on"), attempt(render_passed, reading, node)) if node.op else None,
        attempt(render_joins, reading, node),
    )


def _render_section(title: str, body: Html | None) -> Html | None:
    if not body:
        return None
    return tag("section", tag("p", title, class_="gm-b"), body)


def _render_head(node: Node) -> Html:
    """The op in maths and TensorFlow's name of it; the tensor's name, line, time, scopes."""
    role = {
        "source": _("source"),
        "input": _("input"),
        "target": _("target"),
        "op": shorten(node.op or ""),
    }.get(node.kind, "")
    title = tag("code", shorten(node.label, LABEL) or _("unnamed"), class_="gm-b")
    parts: list[object] = []
    name = next((output.name for output in node.outputs if output.name), None)
    if name is not None and name != node.label:
        parts.append(tag("code", shorten(name)))
    if node.source is not None and node.kind != "source":
        parts.append(_("source {name}").format(name=shorten(node.source)))
    if node.line is not None:
        parts.append(_link_line(node.line))
    if node.seconds is not None:
        parts.append(format_seconds(node.seconds))
    return join(
        tag("header", title, " ", tag("span", role, class_="gm-s"), role="none"),
        tag("p", *_separate(parts), class_="gm-s") if parts else None,
        *(tag("p", _say_scope(scope), class_="gm-s") for scope in _choose_scopes(node)),
        tag("p", _("traced: values not returned"), class_="gm-s") if node.traced else None,
    )


def _link_line(line: int) -> Html:
    words = _("line {line}").format(line=line)
    return tag("button", words, type="button", class_="gm-link", data_line=line)


def _separate(parts: Iterable[object]) -> list[object]:
    """The parts with a point between each two."""
    spread: list[object] = []
    for part in parts:
        spread += [" · ", part] if spread else [part]
    return spread


def _choose_scopes(node: Node) -> list[Scope]:
    """The calls in which an op ran, without the name scopes that layers open for themselves."""
    layers = {scope.name for scope in node.scopes if scope.kind == "layer"}
    return [
        scope
        for scope in node.scopes
        if scope.kind != "name" or scope.name.split("/")[-1] not in layers
    ]


def _say_scope(scope: Scope) -> Html:
    """Where an op ran: ``in layer dense (Dense)``."""
    templates = {
        "layer": _("in layer {name}"),
        "name": _("in name scope {name}"),
        "function": _("in tf.function {name}"),
        "branch": _("in a branch of tf.cond: {name}"),
        "loop": _("in a tf.while_loop: {name}"),
        "custom_gradient": _("in {name}: the gradient rule is the user's own"),
        "gradient": _("in a backward pass of the cell's own: {name}"),
    }
    said = fill(templates[scope.kind], name=tag("code", shorten(scope.name)))
    return join(said, f" ({shorten(scope.detail)})" if scope.detail else None)


def _choose_outputs(node: Node) -> list[int]:
    """The outputs that are shown in full."""
    return [i for i in range(len(node.outputs)) if is_computed(node, i)][:OUTPUTS]


def _render_output(reading: Reading, node: Node, place: int) -> Html:
    """An output's value, and its gradient where it has one."""
    output = node.outputs[place]
    name = name_tensor(node, place)
    title = _("value, {shape} {dtype}") if place == 0 else _("output {place}, {shape} {dtype}")
    caption = title.format(place=place, shape=format_shape(output.shape), dtype=output.dtype)
    value, gradient = (reading.read(node.id, part, place) for part in ("value", "gradient"))
    parts = [render_part(value, caption, _("value of {name}").format(name=name), gradient=False)]
    if gradient is not None:
        below = name if is_name(name) or is_call(name) else f"({name})"
        derivative = f"d {shorten(name_target(reading.run.target), 32)} / d {below}"
        caption = _("gradient, {derivative}").format(derivative=derivative)
        words = _("gradient of {name}").format(name=name)
        parts.append(render_part(gradient, caption, words, gradient=True))
    return tag("section", *parts)


def render_group(reading: Reading, number: int) -> Html:
    """A group: what it is, its ops and time, what goes in and out, the sources inside."""
    group = reading.whole.groups[number]
    inside = reading.find_inside(group)
    held = {node.id for node in inside}
    ops = sum(node.count for node in inside)
    seconds = [node.seconds for node in inside if node.seconds is not None]
    counted = _n("{count} op", "{count} ops", ops).format(count=ops)
    parts: list[object] = [name_kind(group), counted]
    if group.iterations:
        times = len(group.iterations)
        parts.append(_n("{count} time", "{count} times", times).format(count=times))
    if group.line is not None:
        parts.append(_link_line(group.line))
    if seconds:
        parts.append(format_seconds(sum(seconds)))
    entering = [e for node in inside for e in reading.inputs[node.id] if e.producer not in held]
    leaving = [e for node in inside for e in reading.uses[node.id] if e.consumer not in held]
    own = [(node.id, 0) for node in inside if node.source is not None]
    data: list[tuple[int, int]] = []
    for edge in entering:
        used = reading.nodes[edge.producer].source is not None
        (own if used else data).append(_find_tensor(edge))
    return join(
        tag(
            "header",
            tag("code", shorten(group.name), class_="gm-b"),
            " ",
            tag("span", shorten(group.detail), class_="gm-s") if group.detail else None,
            role="none",
        ),
        tag("p", *_separate(parts), class_="gm-s"),
        _render_section(_("Inputs"), _list_tensors(reading, data)),
        _render_section(_("Outputs"), _list_tensors(reading, [_find_tensor(e) for e in leaving])),
        _render_section(_("Sources"), _list_tensors(reading, own)),
    )


def _find_tensor(edge: Edge) -> tuple[int, int]:
    return edge.producer, edge.output


def _list_tensors(reading: Reading, tensors: Iterable[tuple[int, int]]) -> Html | None:
    """Each tensor once: its name, which leads to its node, its shape and its gradient's norm."""
    found = list(dict.fromkeys(tensors))
    if not found:
        return None
    rows = []
    for number, place in found[:LISTED]:
        node = reading.nodes[number]
        known = node.label or node.source or any(output.name for output in node.outputs)
        named = name_tensor(node, place) if known else write_tensor(reading.read(number, "value"))
        name = tag("button", tag("code", named), type="button",
                   class_="gm-link", data_node=number)  # fmt: skip
        shape = format_shape(node.outputs[place].shape) if place < len(node.outputs) else ""
        norm = _say_norm(reading.measure(number, "gradient", place))
        rows.append(tag("div", tag("dt", name, " ", tag("span", shape, class_="gm-s")),
                        tag("dd", norm, class_="gm-s gm-g")))  # fmt: skip
    left = len(found) - LISTED
    more = tag("p", _n("{count} more", "{count} more", left).format(count=left), class_="gm-s")
    return join(tag("dl", *rows, class_="gm-passed"), more if left > 0 else None)


def _say_norm(measured: Measured | None) -> str | None:
    if measured is None:
        return None
    finite = math.isfinite(measured.norm)
    norm = format_number(measured.norm) if finite else _("not finite")
    return _("gradient norm {norm}").format(norm=norm)


def name_kind(group: Group) -> str:
    """What a group stands for, in a word or two."""
    return list_kinds()[group.kind]


def list_kinds() -> dict[str, str]:
    """What groups stand for, and nodes without an op, by their kind."""
    return {
        "input": _("input"),
        "source": _("source"),
        "target": _("target"),
        "port": _("enters or leaves here"),
        "layer": _("layer"),
        "name": _("name scope"),
        "function": _("tf.function"),
        "branch": _("branch of tf.cond"),
        "loop": _("tf.while_loop"),
        "custom_gradient": _("custom gradient: the rule is the user's own"),
        "gradient": _("a backward pass of the cell's own"),
        "block": _("block of layers"),
        "repeat": _("repeated ops"),
        "line": _("ops of one line"),
    }
