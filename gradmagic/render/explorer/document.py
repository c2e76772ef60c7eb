"""Everything that the live graph needs as one JSON object, made ahead within a number of bytes."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gradmagic.render.explorer.attempts import attempt
from gradmagic.render.explorer.chains import render_chain
from gradmagic.render.explorer.colours import measure_colours
from gradmagic.render.explorer.details import render_group, render_node
from gradmagic.render.explorer.known import MOST, find_known
from gradmagic.render.explorer.levels import draw_iterations, draw_level
from gradmagic.render.explorer.steps import Story
from gradmagic.render.explorer.words import list_words
from gradmagic.render.listing import write_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gradmagic.core.records import Group, Node
    from gradmagic.render.explorer.reading import Reading

SENT = 1_900_000  # bytes of a document, its punctuation included

LABEL = 200  # characters of a label
NAMED = 3000  # nodes of one level whose names are sent

Document = dict[str, Any]


@dataclass(frozen=True)
class Ahead:
    """How much is made before it is asked for.

    ``room`` is the number of bytes that all of it may take, ``turns`` of them for the iterations of
    one repeat; ``level`` the number of nodes of the levels that are drawn beside the outermost one,
    ``details`` that of nodes and groups with details, ``chains`` that of sources with a chain rule,
    ``long_chains`` the same in a large graph.
    """

    room: int
    turns: int
    level: int
    details: int
    chains: int
    long_chains: int


AHEAD = {
    False: Ahead(400_000, 100_000, 80, 60, 12, 0),  # with a kernel
    True: Ahead(SENT, 400_000, 3000, 3000, 100, 3),  # and without
}


def write_document(reading: Reading, room: int = SENT, *, alone: bool = False) -> Document:
    """The explorer's document: levels, nodes, groups, details, steps, chains, colours, words.

    Parameters
    ----------
    reading
        The graph, from :func:`gradmagic.render.explorer.reading.read_run`.
    room
        How many bytes it may take as JSON. What is left out is asked of the kernel; the outermost
        level, nodes, groups, edges and code are always there.
    alone
        There will be no kernel to ask: as much as there is room for, however long it takes.

    Returns
    -------
    dict
        What JSON can hold; texts are HTML in which what users wrote is escaped.
    """
    known = find_known(reading)
    story = Story(reading, known)
    document: Document = {
        "levels": {"": draw_level(reading, None)},
        "nodes": {str(n): _describe_node(reading.nodes[n]) for n in dict.fromkeys(known.values())},
        "groups": {
            str(group.id): _describe_group(reading, group) for group in reading.whole.groups
        },
        "edges": _list_edges(reading, known),
        "target": reading.target.id if reading.target is not None else None,
        "sources": reading.sources,
        "code": [[line.number, line.text] for line in reading.run.lines],
        "details": {},
        "steps": {"forward": story.forward, "backward": story.backward, "said": {}},
        "chains": {},
        "colours": [],
        "iterations": {},
        "words": list_words(),
    }
    left = room - _measure(document)
    for colour in measure_colours(reading, known):
        left -= _measure(colour) + 1
        if left > 0:
            document["colours"].append(colour)
    left = min(left, AHEAD[alone].room)
    for place, key, make in _list_pieces(reading, document, story, AHEAD[alone]):
        try:
            piece = make()
        except Exception:  # noqa: S112  (who asks for it will be told why it cannot be had)
            continue
        left -= _measure(piece) + len(key) + 5
        if left < 0:
            break
        place[key] = piece
    return document


def _list_pieces(
    reading: Reading, document: Document, story: Story, ahead: Ahead
) -> Iterator[tuple[dict[str, Any], str, Callable[[], Any]]]:
    """What may be left out, the most needed first: where it goes, its key, what makes it.

    Of what runs again and again, all that is known of the first time comes before the other times.
    """
    levels, repeats, said = document["levels"], document["iterations"], document["steps"]["said"]
    chosen = list(_choose_levels(reading, ahead.level))
    later = [number for number in chosen if story.is_again(f"g{number}")]
    for number in chosen:
        if number not in later:
            yield levels, str(number), partial(draw_level, reading, number)
        if reading.whole.groups[number].iterations:
            draw = partial(draw_iterations, reading, number, ahead.turns)
            yield repeats, str(number), draw
    chains = ahead.chains if reading.backflow.is_quick else ahead.long_chains
    for name in list(reading.sources)[:chains]:
        yield document["chains"], name, partial(attempt, render_chain, reading, name)
    told = story.list_told()
    for number in filter(story.in_full.__contains__, told):
        yield said, str(number), partial(story.tell, number)
    detailed = _choose_detailed(reading, document["nodes"])
    first = [key for key in detailed if not story.is_again(key)][: ahead.details]
    for key in first:
        yield document["details"], key, partial(write_detail, reading, key)
    for number in itertools.filterfalse(story.in_full.__contains__, told):
        yield said, str(number), partial(story.tell, number)
    for number in later:
        yield levels, str(number), partial(draw_level, reading, number)
    for key in filter(story.is_again, detailed[: ahead.details - len(first)]):
        yield document["details"], key, partial(write_detail, reading, key)


def write_detail(reading: Reading, key: str) -> str:
    """What the side panel says of a node (``"12"``) or a group (``"g3"``)."""
    if key.startswith("g"):
        return render_group(reading, int(key[1:]))
    return render_node(reading, int(key))


def _choose_levels(reading: Reading, left: int) -> Iterator[int]:
    """Groups whose insides are drawn ahead: outer ones first, until so many nodes are in them."""
    for group in reading.whole.groups:
        left -= len(group.iterations[0] if group.iterations else reading.find_own(group))
        if left >= 0 and reading.find_inside(group):
            yield group.id


def _choose_detailed(reading: Reading, nodes: Mapping[str, Any]) -> list[str]:
    """The target, the outermost groups and the sources, then the other groups and nodes."""
    target = [] if reading.target is None else [str(reading.target.id)]
    sources = [str(number) for number in reading.sources.values()]
    groups = [group for group in reading.whole.groups if reading.find_inside(group)]
    outer = [f"g{group.id}" for group in groups if group.parent is None]
    inner = [f"g{group.id}" for group in groups]
    return list(dict.fromkeys([*target, *outer, *sources, *inner, *nodes]))


def _describe_node(node: Node) -> dict[str, Any]:
    """What is searched for and said of a node; what is not known is left out."""
    name = next((output.name for output in node.outputs if output.name), None)
    described = {
        "label": write_label(node) if node.kind == "target" else node.label[:LABEL],
        "op": node.op,
        "kind": node.kind,
        "line": node.line,
        "group": node.group,
        "name": name,
        "count": node.count,
    }
    return {key: value for key, value in described.items() if value is not None}


def _describe_group(reading: Reading, group: Group) -> dict[str, Any]:
    described: dict[str, Any] = {
        "parent": group.parent,
        "kind": group.kind,
        "name": group.name,
        "detail": group.detail,
        "line": group.line,
        "count": sum(node.count for node in reading.find_inside(group)),
        "iterations": len(group.iterations),
    }
    if group.iterations and len(reading.nodes) <= MOST:  # else only the first time is named
        described["times"] = [list(own) for own in group.iterations]
    return described


def _list_edges(reading: Reading, known: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Who feeds whom, each pair once, and whether a gradient comes back."""
    found: dict[tuple[int, int], int] = {}
    for edge in reading.graph.edges:
        ends = known[edge.producer], known[edge.consumer]
        if ends[0] != ends[1]:
            found[ends] = found.get(ends, 0) | edge.gradient
    return [(*ends, gradient) for ends, gradient in found.items()]


def _measure(piece: Any) -> int:
    return len(write_json(piece).encode())


def write_json(piece: Any) -> str:
    """JSON that may also stand in a script element."""
    text = json.dumps(piece, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def write_level(reading: Reading, number: int) -> Document:
    """The parts of a document for the inside of one group, which was not sent ahead."""
    group = reading.whole.groups[number]
    own = reading.find_own(group)
    part: Document = {
        "levels": {str(number): draw_level(reading, number)},
        "nodes": {str(node): _describe_node(reading.nodes[node]) for node in own[:NAMED]},
    }
    if group.iterations:
        part["iterations"] = {str(number): draw_iterations(reading, number)}
    return part


def write_changes(reading: Reading) -> Document:
    """The parts of a document that change with the values: all but nodes, edges, code and words."""
    document = write_document(reading)
    same = ("nodes", "groups", "edges", "target", "sources", "code", "words")
    return {key: part for key, part in document.items() if key not in same}
