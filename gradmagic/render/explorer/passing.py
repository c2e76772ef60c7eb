"""What an op passes on of the gradient that comes to it, and what meets where paths join."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n
from gradmagic.core.summary import format_index
from gradmagic.render.explorer.tensors import (
    find_place,
    name_tensor,
    read_entry,
    render_tensor,
    write_short,
    write_tensor,
)
from gradmagic.render.markup import Html, fill, join, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Edge, Node
    from gradmagic.render.explorer.reading import Reading

LISTED = 12  # inputs or paths listed
ROUNDING = 1e-2  # of the largest term: float16 has three digits


def render_passed(reading: Reading, node: Node) -> Html | None:
    """For each input what the op passes back to it."""
    if not any(edge.gradient for edge in reading.inputs[node.id]):
        return None
    edges = [edge for edge in reading.inputs[node.id] if edge.gradient or _is_data(reading, edge)]
    items = [_render_one(reading, edge) for edge in edges[:LISTED]]
    return join(tag("dl", *items, class_="gm-passed"), _count_more(len(edges)))


def _is_data(reading: Reading, edge: Edge) -> bool:
    """Whether an input might have had a gradient: a float that the source or the student named."""
    producer = reading.nodes[edge.producer]
    return edge.cut or (producer.kind in ("input", "source") and "float" in _find_dtype(producer))


def _find_dtype(node: Node) -> str:
    return node.outputs[0].dtype if node.outputs else ""


def _render_one(reading: Reading, edge: Edge) -> Html:
    name = name_tensor(reading.nodes[edge.producer], edge.output)
    term = tag("dt", fill(_("to {name}"), name=tag("code", name)), data_node=edge.producer)
    if not edge.gradient:
        why = _("nothing: the path breaks off here") if edge.cut else _("nothing: no source")
        return tag("div", term, tag("dd", why, class_="gm-s"))
    passed = reading.read_passed(edge)
    if passed is None:
        why = reading.backflow.explain(edge.consumer) or _("a gradient that was not kept")
        return tag("div", term, tag("dd", why, class_="gm-s"))
    words = _("what is passed on to {name}").format(name=name)
    shown = tag("div", render_tensor(passed, words), class_="gm-scroll")
    return tag("div", term, tag("dd", shown, class_="gm-g"))


def _count_more(count: int) -> Html | None:
    left = count - LISTED
    if left <= 0:
        return None
    return tag("p", _n("{count} more", "{count} more", left).format(count=left), class_="gm-s")


def render_joins(reading: Reading, node: Node) -> Html | None:
    """For each output at which several paths meet, the sum of what comes back along them."""
    parts = [
        _render_join(reading, node, place, edges)
        for place in range(len(node.outputs))
        if len(edges := reading.list_back(node.id, place)) > 1
    ]
    return join(*parts) if parts else None


def _render_join(reading: Reading, node: Node, place: int, edges: Sequence[Edge]) -> Html:
    """``Two paths meet at h: 0.2 + −0.5 = −0.3``; of an array its largest entry."""
    name = name_tensor(node, place)
    meeting = _n("{count} path meets at {name}", "{count} paths meet at {name}", len(edges))
    head = fill(meeting, count=len(edges), name=tag("code", name))
    total = reading.read(node.id, "gradient", place)
    if total is None or len(edges) > LISTED:
        return tag("p", head, class_="gm-say")
    passed = [reading.read_passed(edge) for edge in edges]
    known = [one for one in passed if one is not None]
    if len(known) < len(edges):
        return tag("p", head, class_="gm-say")
    if total.values is None or total.largest is None:
        listed = [tag("li", write_tensor(one)) for one in (*known, total)]
        return join(tag("p", fill(_("{title}:"), title=head)), tag("ul", *listed, class_="gm-g"))
    index = find_place(total)
    terms = [] if index is None else [read_entry(one, index) for one in (*known, total)]
    found = [term for term in terms if term is not None]
    if index is None or len(found) < len(terms) or not _adds_up(found[:-1], found[-1]):
        return tag("p", head, class_="gm-say")
    summed = " + ".join(map(write_short, found[:-1]))
    equation = tag("span", f"{summed} = {write_short(found[-1])}", class_="gm-g")
    if not index:
        return tag("p", fill(_("{title}: {text}"), title=head, text=equation), class_="gm-say")
    entry = tag("code", f"{name}{format_index(index)}")
    said = fill(_("{title}: at {entry} {text}"), title=head, entry=entry, text=equation)
    return tag("p", said, class_="gm-say")


def _adds_up(terms: Sequence[complex], total: complex) -> bool:
    """Whether a sum is what the tape gave, but for rounding: else it is not shown."""
    scale = max(map(abs, (*terms, total)))
    return abs(sum(terms) - total) <= ROUNDING * scale
