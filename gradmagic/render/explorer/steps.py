"""The walk through a graph: forward op by op, then backward; and what is said at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, join_phrases
from gradmagic.render.explorer.attempts import attempt
from gradmagic.render.explorer.deriving import render_rule
from gradmagic.render.explorer.passing import render_joins, render_passed
from gradmagic.render.explorer.tensors import name_tensor, render_tensor, write_tensor
from gradmagic.render.markup import Html, escape, fill, join, shorten, tag
from gradmagic.render.names import format_shape
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradmagic.core.records import Node
    from gradmagic.render.explorer.reading import Measured, Part, Reading

TOLD = 150  # nodes whose steps are told in full; of what runs again and again only the first time
TOLD_OF_LARGE = 40  # the same in a graph with large tensors
WRITTEN = 64  # entries that a step told in short looks at one by one
LABEL = 60  # columns of a label


def list_steps(reading: Reading, known: Mapping[int, int]) -> tuple[list[int], list[int]]:
    """The nodes in the order of the forward pass, and of the backward pass.

    Forward those that are computed; backward those with a gradient, the target first and what is
    differentiated by last. A node for which another stands in ``known`` is no step.
    """
    nodes = [node for node in reading.graph.nodes if known[node.id] == node.id]
    computed = [node for node in nodes if node.kind in ("op", "target")]
    reached = [node for node in nodes if _has_gradient(reading, node)]
    back = sorted(reached, key=lambda node: (node.kind == "source", -node.id))
    return [node.id for node in computed], [node.id for node in back]


def _has_gradient(reading: Reading, node: Node) -> bool:
    known = any(output.gradient is not None for output in node.outputs)
    return known or any(edge.gradient for edge in reading.uses[node.id])


class Story:
    """What is said at each step.

    Parameters
    ----------
    reading
        The graph.
    known
        For each node the one that stands for it: see :mod:`gradmagic.render.explorer.known`.
    """

    def __init__(self, reading: Reading, known: Mapping[int, int]) -> None:
        self.reading = reading
        self.forward, self.backward = list_steps(reading, known)
        self.steps_back = {
            number: len(self.forward) + place for place, number in enumerate(self.backward)
        }
        self.steps = {number: place for place, number in enumerate(self.forward)}
        self.again = {node for group in reading.whole.groups for nodes in group.iterations[1:]
                      for node in nodes}  # fmt: skip
        listed = self.list_told()
        most = TOLD if reading.backflow.is_quick else TOLD_OF_LARGE
        first = listed if len(listed) <= most else [n for n in listed if n not in self.again]
        self.in_full = frozenset(first[:most])

    def tell(self, number: int) -> dict[str, str]:
        """The sentences for a node: ``forward``, and ``backward`` where a gradient reaches it."""
        node, said = self.reading.nodes[number], {}
        if number in self.steps:
            said["forward"] = self._tell_forward(node)
        if number in self.steps_back:
            said["backward"] = self._tell_backward(node)
        return said

    def is_again(self, key: str) -> bool:
        """Whether a node or a group (``g3``) runs in a repeat after its first time."""
        if not key.startswith("g"):
            return int(key) in self.again
        inside = self.reading.find_inside(self.reading.whole.groups[int(key[1:])])
        return bool(inside) and inside[0].id in self.again

    def list_told(self) -> list[int]:
        """The nodes with a step."""
        return list(dict.fromkeys([*self.forward, *self.backward]))

    def _tell_forward(self, node: Node) -> str:
        head = self._begin(self.steps[node.id], node)
        if node.kind == "target":
            end = _("{title}: the forward pass ends here, at {value}")
            return tag("p", fill(end, title=head, value=self._write_short(node, "value")))
        if node.id not in self.in_full:
            return _entitle_line(head, self._write_short(node, "value"))
        if not self._is_known(node, "value"):
            why = _("its value was not handed out") if node.traced else _("its value was not kept")
            return _entitle_line(head, why)
        words = _("value of {name}").format(name=name_tensor(node))
        gives = tag("p", fill(_("{op} gives"), op=head))
        return join(gives, self._render(node, "value", words))

    def _tell_backward(self, node: Node) -> str:
        head = self._begin(self.steps_back[node.id], node)
        if node.id not in self.in_full:
            written = self._write_short(node, "gradient")
            return _entitle_line(head, tag("span", written, class_="gm-g"))
        words = _("gradient of {name}").format(name=name_tensor(node))
        title = self._say_upstream(node)
        if node.kind == "target":
            return join(tag("p", head), _entitle(title, self._render(node, "gradient", words)))
        return join(
            tag("p", head),
            attempt(render_joins, self.reading, node),
            _entitle(title, tag("div", self._render(node, "gradient", words), class_="gm-g")),
            _entitle(_("local derivative"), attempt(render_rule, self.reading, node)),
            _entitle(_("upstream × local derivative is passed on"),
                     attempt(render_passed, self.reading, node)),
        )  # fmt: skip

    def _is_known(self, node: Node, part: Part) -> bool:
        return self._measure(node, part) is not None or self.reading.read(node.id, part) is not None

    def _measure(self, node: Node, part: Part) -> Measured | None:
        """The measures of a large tensor, which are found quickly; None for a small one."""
        shape = node.outputs[0].shape if node.outputs else ()
        if math.prod(side or 0 for side in shape) <= WRITTEN:
            return None
        measured = self.reading.measure(node.id, part)
        return measured if measured is not None and math.isfinite(measured.norm) else None

    def _write_short(self, node: Node, part: Part) -> str:
        """A small tensor's entries; of a larger one its shape and norm."""
        measured = self._measure(node, part)
        if measured is None:
            return write_tensor(self.reading.read(node.id, part))
        shape, norm = format_shape(node.outputs[0].shape), format_number(measured.norm)
        return _("{shape}, norm {norm}").format(shape=shape, norm=norm)

    def _render(self, node: Node, part: Part, words: str) -> Html:
        """The same, with a small tensor as a table."""
        if self._measure(node, part) is not None:
            return tag("span", self._write_short(node, part))
        return render_tensor(self.reading.read(node.id, part), words)

    def _begin(self, step: int, node: Node) -> Html:
        """``step 3 logits = x @ w + b``, with a link to the step."""
        label = shorten(node.label, LABEL)
        name = next((output.name for output in node.outputs if output.name), None)
        if name and name != node.label and not node.label.startswith(f"{name} ="):
            label = f"{shorten(name)} = {label}"
        return join(self.link_step(step), " ", tag("code", label))

    def link_step(self, step: int) -> Html:
        """Words that lead to a step; steps are counted from 1 through both passes."""
        words = _("step {number}").format(number=step + 1)
        return tag("button", words, type="button", class_="gm-link", data_step=step + 1)

    def _say_upstream(self, node: Node) -> Html:
        """Where the gradient that reaches a node comes from."""
        if node.kind == "target":
            return escape(_("the backward pass starts here: the gradient of the target by itself"))
        name = tag("code", name_tensor(node))
        template = (
            _("gradient of {name}") if node.kind == "source" else _("upstream gradient of {name}")
        )
        places = range(len(node.outputs))
        edges = [edge for place in places for edge in self.reading.list_back(node.id, place)[:4]]
        steps = [self.steps_back[e.consumer] for e in edges if e.consumer in self.steps_back]
        said = fill(template, name=name)
        if not steps:
            return said
        links = Html(join_phrases(self.link_step(step) for step in dict.fromkeys(steps[:4])))
        return fill(_("{gradient}, from {steps}"), gradient=said, steps=links)


def _entitle_line(title: Html, text: str) -> Html:
    return tag("p", fill(_("{title}: {text}"), title=title, text=text))


def _entitle(title: object, body: Html | None) -> Html | None:
    if not body:
        return None
    return join(tag("p", title, class_="gm-s"), body)
