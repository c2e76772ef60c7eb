"""Levels: what is drawn of a graph inside one of its groups, or outside of all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from gradmagic.core.graph.parts import MOST_ITEMS
from gradmagic.core.graph.placing import OUTSIDE, Places
from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Edge, Graph, Node, Output

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gradmagic.core.graph.placing import Path, Place

MOST_LEAVES = 40  # sources and inputs in one level; what is more is drawn as one
MOST_PORTS = 15  # on each side, likewise
MOST_APART = 6  # tensors that the times of a repeat give away and that have a line each
MOST_NODES = MOST_ITEMS + MOST_LEAVES + 2 * MOST_PORTS  # of any level

_Tensor = tuple[int, int]  # the id of a node, and which of its outputs


def group_node_id(graph: Graph, group: int) -> int:
    """The id of the node that stands for a group, in the levels of a whole or trimmed graph."""
    return 1 + max(node.id for node in graph.nodes) + group


def make_level(trimmed: Graph, group: int | None = None, iteration: int = 0) -> Graph:
    """The graph to draw inside a group, or outside of all groups.

    For several levels of one graph, ask one :class:`Levels`.

    Parameters
    ----------
    trimmed
        From :func:`gradmagic.core.graph.folding.trim`, with groups.
    group
        Its number, or None for the outermost level.
    iteration
        Of a repeat, which.
    """
    return Levels(trimmed).make(group, iteration)


class Levels:
    """All levels of a trimmed graph."""

    def __init__(self, trimmed: Graph) -> None:
        self.graph = trimmed
        self.places = Places(trimmed)
        self.first_group = group_node_id(trimmed, 0) if trimmed.nodes else 0

    def make(self, group: int | None = None, iteration: int = 0) -> Graph:
        """The graph to draw inside a group, of a repeat in one iteration.

        Its nodes are: the ops that belong to no group further inside, sources and inputs, with
        their ids in the whole graph; groups further inside, as :func:`group_node_id` numbers them;
        and ports, with negative ids, for what comes from outside or goes there. Of an iteration,
        what comes from the one before and goes to the next does so through ports.

        Raises
        ------
        KeyError
            If there is no such group or iteration.
        """
        return _Level(self, (group, iteration)).build()

    def find_node(self, node: int, group: int | None = None) -> int | None:
        """The id of what stands for a node in a group's level; None where that is not inside."""
        for path in self.places.list_paths(node):
            groups = [place[0] for place in path]
            if group in groups:
                inside = path[groups.index(group) + 1 :]
                return self._name_group(inside[0]) if inside else node
        return None

    def _name_group(self, place: Place) -> int:
        assert place[0] is not None
        return self.first_group + place[0]

    def stand_for(self, path: Path, depth: int, node: int) -> int:
        """The id of what stands for a node with this path in the place that is ``depth`` deep."""
        return self._name_group(path[depth]) if len(path) > depth else node


class _Level:
    """One level in the making."""

    def __init__(self, levels: Levels, place: Place) -> None:
        self.levels, self.places, self.place = levels, levels.places, place
        self.path = self.places.paths_to[place]
        leaves = self.places.leaves.get(place, [])
        shown = len(leaves) if len(leaves) <= MOST_LEAVES else MOST_LEAVES - 1
        self.leaves = leaves[:shown]
        self.rest = {node.id for node in leaves[shown:]}
        self.apart = self._find_apart()
        self.entering: dict[object, int] = {}  # ids of the ports
        self.leaving: dict[object, int] = {}
        # the tensors on each line, by the id of what it starts from, or of the port it ends in
        self.lines: dict[int, dict[object, dict[_Tensor, None]]] = defaultdict(dict)
        # of the ports: what comes from the iteration before, and whether it goes to the next one
        self.carried: dict[int, _Tensor | None] = {}
        self.again: dict[int, bool] = {}

    def build(self) -> Graph:
        """The graph of this level."""
        found = [(*self._find_ends(edge), edge) for edge in self.places.edges[self.place]]
        outputs = {  # of what is a node of this level only: a group or a port
            start: {key: number for number, key in enumerate(lines)}
            for start, lines in self.lines.items()
            if start not in self.places.nodes
        }
        merged: dict[tuple[object, ...], Edge] = {}
        for start, key, end, edge in found:
            output = outputs[start][key] if start in outputs else edge.output
            is_one = len(self.lines[start][key]) == 1 and end in self.places.nodes
            ways = start, output, end, edge.slot if is_one else None
            known = merged.get(ways, replace(edge, gradient=False, cut=False))
            flows = edge.gradient or known.gradient
            cut = (edge.cut or known.cut) and not flows
            merged[ways] = Edge(start, end, output, known.slot, gradient=flows, cut=cut)
        graph = self.levels.graph
        return replace(graph, nodes=tuple(self._list_nodes()), edges=tuple(merged.values()))

    def _find_ends(self, edge: Edge) -> tuple[int, object, int]:
        """What an edge starts from in this level, the key of its line there, and where it ends."""
        tensor = edge.producer, edge.output
        start, key = self._find_start(edge)
        self._note(start, key, tensor)
        path = self.places.paths.get(edge.consumer)
        if self.place == OUTSIDE and path is None:
            return start, key, edge.consumer
        if path is not None and self._holds(path):
            return start, key, self.levels.stand_for(path, len(self.path), edge.consumer)
        port = self.leaving.setdefault(
            (start, key), -MOST_PORTS - min(len(self.leaving) + 1, MOST_PORTS)
        )
        self._note(port, None, tensor)
        self.again[port] = self.again.get(port, False) or self._is_again(path)
        return start, key, port

    def _find_apart(self) -> set[_Tensor]:
        """What several times of a repeat give away, by its first time, where that is little."""
        depth = len(self.path)
        given: dict[_Tensor, set[int]] = defaultdict(set)
        for edge in self.places.edges[self.place]:
            path = self.places.paths.get(edge.producer)
            if path is not None and self._holds(path):
                first = self.places.align(edge.producer, depth)
                given[first, edge.output].add(edge.producer)
        return {key for key, producers in given.items() if len(producers) <= MOST_APART}

    def _find_start(self, edge: Edge) -> tuple[int, object]:
        path = self.places.paths.get(edge.producer)
        if path is None:
            if edge.producer in self.rest:
                return self._enter(None), None
            if self.place in self.places.homes[edge.producer]:
                return edge.producer, edge.output
            return self._enter((edge.producer, edge.output), edge), None
        if self._holds(path):
            depth = len(self.path)
            start = self.levels.stand_for(path, depth, edge.producer)
            key = self.places.align(edge.producer, depth), edge.output
            return start, (edge.producer, edge.output) if key in self.apart else key
        shared = self.places.count_shared(path, self.path)
        return self._enter((self.places.align(edge.producer, shared), edge.output), edge), None

    def _enter(self, tensor: _Tensor | None, edge: Edge | None = None) -> int:
        """The port of what comes from outside; in a repeat, what is carried over has its own."""
        carried = None
        if edge is not None and self.place[0] is not None:
            carried = self.places.find_carried(edge, self.place[0])
        key = tensor if carried is None else (carried, "carried")
        port = self.entering.setdefault(key, -min(len(self.entering) + 1, MOST_PORTS))
        self.carried.setdefault(port, carried)
        return port

    def _note(self, start: int, key: object, tensor: _Tensor) -> None:
        line = self.lines[start].setdefault(key, {})
        line[tensor] = None

    def _holds(self, path: Path) -> bool:
        return path[: len(self.path)] == self.path

    def _is_again(self, path: Path | None) -> bool:
        """Whether a path outside of this level leads to another iteration of it."""
        group, depth = self.place[0], len(self.path)
        return group is not None and group in {one[0] for one in (path or ())[depth - 1 : depth]}

    def _list_nodes(self) -> Iterator[Node]:
        """What comes in; what lies here, in the order in which it ran; what goes out."""
        for port in sorted(set(self.entering.values()), reverse=True):
            yield self._make_entry(port)
        nodes = {node.id: node for node in (*self.leaves, *self.places.ops.get(self.place, ()))}
        for group in self.places.groups.get(self.place, ()):
            nodes[next(iter(self.places.inside[group]))] = self._make_group(group)
        yield from (nodes[number] for number in sorted(nodes))
        for port in sorted(set(self.leaving.values()), reverse=True):
            yield self._make_exit(port)
        if self.place == OUTSIDE:
            yield from (node for node in self.places.nodes.values() if node.kind == "target")

    def _make_group(self, number: int) -> Node:
        group = self.levels.graph.groups[number]
        inside = tuple(self.places.inside[number].values())
        ops = [node for node in inside if node.kind == "op"]
        made = self.levels.first_group + number
        known = [op.seconds for op in ops if op.seconds is not None]
        return Node(
            made,
            "group",
            None,
            group.name,
            group.line,
            tuple(self._make_output(line) for line in self.lines[made].values()),
            count=len(ops),
            seconds=sum(known) if known else None,
            group=group.parent,
            inside=inside,
            detail=group.detail,
        )

    def _make_entry(self, port: int) -> Node:
        """A port at the top; what is carried over is called in all iterations as in the second."""
        (line,) = self.lines[port].values()
        named = self.carried[port] or next(iter(line))
        again = any(self._is_again(self.places.paths.get(number)) for number, _output in line)
        return self._make_port(port, line, named, _("from an earlier iteration") if again else "")

    def _make_exit(self, port: int) -> Node:
        (line,) = self.lines[port].values()
        detail = _("to a later iteration") if self.again[port] else ""
        return self._make_port(port, line, next(iter(line)), detail)

    def _make_port(self, port: int, line: Collection[_Tensor], named: _Tensor, detail: str) -> Node:
        output = self._make_output(line)
        maker = self.places.nodes[named[0]]
        makers = dict.fromkeys(self.places.nodes[number] for number, _output in line)
        several = len(line) > 1
        return Node(
            port,
            "port",
            None,
            (output.name if several else maker.outputs[named[1]].name) or self._name_maker(maker),
            None if several else maker.line,
            (output,),
            count=0,
            inside=tuple(makers),
            detail=detail,
        )

    def _name_maker(self, maker: Node) -> str:
        """What made a tensor: the outermost group that holds it and not this level, or the op."""
        around = {group for group, _turn in self.path}
        path = self.places.paths.get(maker.id, ())
        beyond = [group for group, _turn in path if group is not None and group not in around]
        return self.levels.graph.groups[beyond[0]].name if beyond else maker.label

    def _make_output(self, line: Collection[_Tensor]) -> Output:
        """The tensor of a line, or what several of them have in common."""
        outputs = [self.places.nodes[number].outputs[output] for number, output in line]
        first = outputs[0]
        if len(outputs) == 1:
            return first
        count = len(outputs)
        name = _n("{count} tensor", "{count} tensors", count).format(count=count)
        shape: tuple[int | None, ...] = (None,)
        if len({len(one.shape) for one in outputs}) == 1:
            sides = zip(*(one.shape for one in outputs), strict=True)
            shape = tuple(side[0] if len(set(side)) == 1 else None for side in sides)
        return Output(shape, first.dtype, name=name)
