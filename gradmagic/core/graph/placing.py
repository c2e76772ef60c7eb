"""Where each node of a trimmed graph lies: in which group, and in which iteration of a repeat."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gradmagic.core.records import Edge, Graph, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

MANY_LEAVES = 12  # in one level: where there are more, they are drawn inside the groups

# A group and one of its iterations, 0 where it has none; a path leads inwards, from OUTSIDE on.
Place = tuple["int | None", int]
Path = tuple[Place, ...]
OUTSIDE: Place = (None, 0)
_Users = list[tuple[Node, list[Path]]]


class Places:
    """The places of a trimmed graph, and what lies in them.

    Attributes
    ----------
    nodes
        All nodes by their ids.
    paths
        The path to each op.
    paths_to
        The path to each place, itself included.
    ops, groups, leaves
        What lies directly in each place: ops, groups, and sources and inputs.
    inside
        All nodes in each group by their ids, however deep.
    """

    def __init__(self, trimmed: Graph) -> None:
        self.graph = trimmed
        self.nodes = {node.id: node for node in trimmed.nodes}
        # of each repeat: the iteration that a node belongs to, and its place in it
        self.turns = {
            group.id: {
                node: (turn, place)
                for turn, nodes in enumerate(group.iterations)
                for place, node in enumerate(nodes)
            }
            for group in trimmed.groups
            if group.iterations
        }
        self.paths: dict[int, Path] = {}
        self.paths_to: dict[Place, Path] = {OUTSIDE: (OUTSIDE,)}
        self.ops: dict[Place, list[Node]] = defaultdict(list)
        self.groups: dict[Place, list[int]] = defaultdict(list)
        self.inside: dict[int, dict[int, Node]] = defaultdict(dict)
        self._place_ops()
        self.homes: dict[int, list[Place]] = defaultdict(list)
        self.leaves: dict[Place, list[Node]] = defaultdict(list)
        self._place_leaves()
        # inputs of ops that are a source or an input, such as the Variable that is assigned to
        self.fed = {(e.consumer, e.slot) for e in trimmed.edges if e.producer not in self.paths}
        self.edges: dict[Place, list[Edge]] = defaultdict(list)
        # what an input of an op in a repeat is from the second iteration on, if it is carried over
        self.carried: dict[tuple[int, int, int], tuple[int, int]] = {}
        for edge in trimmed.edges:
            for place in self._list_showing(edge):
                self.edges[place].append(edge)
            self._note_carried(edge)

    def align(self, node: int, depth: int) -> int:
        """What stands for an op that lies in repeats deeper than ``depth``.

        That is its like in the first iteration, where that has one.
        """
        for group, _turn in reversed(self.paths[node][depth:]):
            if group is not None and group in self.turns:
                place = self.turns[group][node][1]
                first = self.graph.groups[group].iterations[0]
                node = first[place] if place < len(first) else node
        return node

    def find_carried(self, edge: Edge, group: int) -> tuple[int, int] | None:
        """What the iterations of a repeat hand on to the next one for an edge to take.

        That is an op's output, as the first iteration made it; None where it is not handed on.
        """
        place = self.turns[group][edge.consumer][1] if group in self.turns else -1
        return self.carried.get((group, place, edge.slot))

    def list_paths(self, node: int) -> list[Path]:
        """The paths to a node: one, or several to a source that is drawn in several groups."""
        if node in self.paths:
            return [self.paths[node]]
        return [self.paths_to[place] for place in self.homes.get(node, ())]

    def count_shared(self, one: Path, other: Path) -> int:
        """How many places two paths have in common."""
        shared = 0
        while shared < min(len(one), len(other)) and one[shared] == other[shared]:
            shared += 1
        return shared

    def _place_ops(self) -> None:
        chains: dict[int | None, list[int]] = {None: []}
        for group in self.graph.groups:
            chains[group.id] = [*chains[group.parent], group.id]
        for node in self.graph.nodes:
            if node.kind != "op":
                continue
            places = [OUTSIDE]
            for group_id in chains[node.group]:
                turns = self.turns.get(group_id)
                places.append((group_id, turns[node.id][0] if turns else 0))
                self.inside[group_id][node.id] = node
            place = places[-1]
            if place not in self.paths_to:
                self._add_places(tuple(places))
            self.paths[node.id] = self.paths_to[place]
            self.ops[place].append(node)

    def _add_places(self, path: Path) -> None:
        for depth, place in enumerate(path):
            if place not in self.paths_to:
                self.paths_to[place] = path[: depth + 1]
                group, outer = place[0], path[depth - 1]
                assert group is not None
                if group not in self.groups[outer]:
                    self.groups[outer].append(group)

    def _place_leaves(self) -> None:
        """Put each source and input where it is used.

        One with a name of its own, such as ``w``, stays outside of all groups; a layer's kernel
        goes into the only group that uses it. What all iterations of a repeat use stays outside of
        it if it is called anything. Where more than MANY_LEAVES would be left, they too go into the
        only group that uses them.
        """
        fed = {edge.consumer for edge in self.graph.edges}
        used: dict[int, list[Path]] = defaultdict(list)
        for edge in self.graph.edges:
            if edge.producer not in self.paths:
                used[edge.producer].append(self.paths.get(edge.consumer, (OUTSIDE,)))
        waiting: list[tuple[Path, _Users]] = [((OUTSIDE,), [])]
        for node in self.graph.nodes:
            if node.kind == "op":
                continue
            if node.kind == "target" or node.id in fed or node.id not in used:
                self._settle(node, (OUTSIDE,))
            else:
                waiting[0][1].append((node, used[node.id]))
        while waiting:
            path, users = waiting.pop()
            inner = self._sort_leaves(path, users)
            waiting += [((*path, place), own) for place, own in inner.items()]
        for leaves in self.leaves.values():
            leaves.sort(key=lambda node: node.id)

    def _sort_leaves(self, path: Path, users: _Users) -> dict[Place, _Users]:
        """Settle the leaves that are drawn in a place; the others by the place further inside."""
        depth = len(path)
        inner: dict[Place, _Users] = defaultdict(list)
        staying: _Users = []

        def go_inside(node: Node, paths: list[Path]) -> None:
            for place in sorted({one[depth] for one in paths}):
                inner[place].append((node, [one for one in paths if one[depth] == place]))

        for node, paths in users:
            places = {one[depth] if depth < len(one) else OUTSIDE for one in paths}
            if len({group for group, _turn in places}) > 1 or OUTSIDE in places:
                self._settle(node, path)
            elif not node.label or (len(places) == 1 and not node.label.isidentifier()):
                go_inside(node, paths)
            else:
                staying.append((node, paths))
        crowded = len(staying) + len(self.leaves[path[-1]]) > MANY_LEAVES
        for node, paths in staying:
            if crowded:
                go_inside(node, paths)
            else:
                self._settle(node, path)
        return inner

    def _settle(self, node: Node, path: Path) -> None:
        self.homes[node.id].append(path[-1])
        if node.kind != "target":
            self.leaves[path[-1]].append(node)
        for group, _turn in path[1:]:
            assert group is not None
            self.inside[group][node.id] = node

    def _list_showing(self, edge: Edge) -> Sequence[Place]:
        """The places in whose pictures an edge is seen."""
        end = self.paths.get(edge.consumer, (OUTSIDE,))
        start = self.paths.get(edge.producer)
        if start is None:
            homes = self.homes[edge.producer]
            depth = next(depth for depth, place in enumerate(end) if place in homes)
            return end[depth:]
        shared = self.count_shared(start, end)
        apart = [*start[shared:], *end[shared:]]
        if start[shared:] and end[shared:] and start[shared][0] == end[shared][0]:
            # from one iteration to another, both in one node; a Variable brings its own state along
            return start[shared:] if (edge.consumer, edge.slot) in self.fed else apart
        return [start[shared - 1], *apart]

    def _note_carried(self, edge: Edge) -> None:
        start, end = self.paths.get(edge.producer, ()), self.paths.get(edge.consumer, ())
        depth = self.count_shared(start, end)
        if not (start[depth:] and end[depth:]) or start[depth][0] != end[depth][0]:
            return
        if (edge.consumer, edge.slot) in self.fed:
            return
        group = end[depth][0]
        assert group is not None
        place = self.turns[group][edge.consumer][1]
        made = self.align(edge.producer, depth), edge.output
        self.carried.setdefault((group, place, edge.slot), made)
