"""Ops in boxes within boxes, as they are grouped before they become a graph's groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.records import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gradmagic.core.records import GroupKind, Scope


@dataclass(eq=False)
class Box:
    """Ops that ran one after the other, some of them in boxes of their own.

    ``rounds`` holds what is inside: of a repeat the items of each iteration, of all others one
    list. The first ``core`` items of the iterations are alike in their order; further ones are what
    an iteration did more than the others.
    """

    kind: GroupKind
    name: str
    rounds: list[list[Item]]
    detail: str = ""
    core: int = 0

    @property
    def items(self) -> list[Item]:
        """What is inside, of a repeat that of the first iteration."""
        return self.rounds[0]


Item = Node | Box


def list_ops(items: Iterable[Item]) -> Iterator[Node]:
    """All ops of some items, in the order in which they lie there."""
    for item in items:
        if isinstance(item, Node):
            yield item
        else:
            for one in item.rounds:
                yield from list_ops(one)


def list_lines(items: Iterable[Item]) -> list[int]:
    """The cell's lines that ran some items, in order, each once."""
    return sorted({op.line for op in list_ops(items) if op.line is not None})


def nest_scopes(ops: Sequence[Node]) -> list[Item]:
    """Ops in the boxes of their scopes.

    A box is a stretch of time, so that what lies in it cannot both feed and need what lies outside:
    where a scope is left and entered again, as no call of Python is, it gets another box.
    """
    top: list[Item] = []
    path: list[tuple[object, ...]] = []
    lists = [top]  # of the boxes that are open, the innermost last
    for op in ops:
        scopes = _drop_repeated(op.scopes)
        shared = 0
        while shared < min(len(path), len(scopes)) and path[shared] == _identify(scopes[shared]):
            shared += 1
        del path[shared:], lists[shared + 1 :]
        for scope in scopes[shared:]:
            box = Box(scope.kind, scope.name, [[]], scope.detail)
            lists[-1].append(box)
            lists.append(box.items)
            path.append(_identify(scope))
        lists[-1].append(op)
    return top


def _identify(scope: Scope) -> tuple[object, ...]:
    return scope.kind, scope.name, scope.call


def _drop_repeated(scopes: tuple[Scope, ...]) -> list[Scope]:
    """The scopes without the name scopes that Keras opens for a layer."""
    kept: list[Scope] = []
    for place, scope in enumerate(scopes):
        beside = scopes[max(0, place - 1) : place + 2]
        layers = {one.name for one in beside if one.kind == "layer"}
        if scope.kind != "name" or scope.name.rsplit("/", 1)[-1] not in layers:
            kept.append(scope)
    return kept
