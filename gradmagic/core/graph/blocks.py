"""Blocks: neighbouring layers whose names begin alike, as ``conv2_block1_1_conv`` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradmagic.core.graph.boxes import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.graph.boxes import Item

FEWEST = 12  # items in a row that are drawn as they are
MOST = 40  # items in a row that are still easy to read
LARGE = 24  # items of one block; a larger one is taken apart


@dataclass(frozen=True)
class _Word:
    """A part of a layer's name: letters or a number, and where it ends in the name."""

    text: str
    end: int

    @property
    def counts(self) -> bool:
        """Whether it numbers things: ``2`` of ``block2``, ``b`` of ``block2b``."""
        return self.text.isdigit() or len(self.text) == 1


_Named = tuple["Item", "tuple[_Word, ...]"]


@dataclass(frozen=True, eq=False)
class _Run:
    """Neighbouring items of which the named ones share their first ``depth`` words."""

    named: tuple[_Named, ...]
    depth: int

    @property
    def name(self) -> str:
        """What their names begin with, up to the last number in it."""
        first, words = self.named[0]
        shared = words[: self.depth]
        ends = [word.end for word in shared if word.counts] or [shared[-1].end]
        assert isinstance(first, Box)
        return first.name[: ends[-1]]

    def is_block(self) -> bool:
        """Whether the names differ in more than in a number."""
        rests = [words[self.depth :] for _item, words in self.named if words]
        return len(rests) > 1 and any(not word.counts for rest in rests for word in rest)


def find_blocks(items: list[Item]) -> list[Item]:
    """The items, with layers whose names begin alike in boxes, if there are many of them.

    Blocks that are numbered through (``block1``, ``block2``, ...) lie side by side while that
    makes no more than MOST items in a row, else in boxes of their own.
    """
    if len(items) <= FEWEST:
        return items
    row = _split([(item, _read_name(item)) for item in items], 0)
    if len(row) == 1:  # all names begin alike
        row = _open(row[0])
    while series := [run for run in row if _is_series(run)]:
        depth = min(run.depth for run in series)  # what is alike is opened alike
        opened = [
            one
            for run in row
            for one in (_open(run) if run in series and run.depth == depth else [run])
        ]
        if len(opened) > MOST:
            break
        row = opened
    return [item for run in row for item in _make_items(run)]


def _read_name(item: Item) -> tuple[_Word, ...]:
    """The words of a layer's name; none where Keras gave it, as ``conv2d_12``."""
    if not isinstance(item, Box) or item.kind != "layer":
        return ()
    plain = re.sub(r"_\d+$", "", item.name).replace("_", "")
    if plain.lower() == item.detail.lower():
        return ()
    found = re.finditer(r"[A-Za-z]+|\d+", item.name)
    return tuple(_Word(match[0], match.end()) for match in found)


def _split(named: Sequence[_Named], depth: int) -> list[_Run]:
    """Runs of neighbours that share one word more than ``depth``.

    What has no name of its own belongs to the run that goes on after it.
    """
    runs: list[list[_Named]] = []
    waiting: list[_Named] = []
    last: str | None = None
    for one in named:
        words = one[1]
        word = words[depth].text if len(words) > depth else None
        if word is None and not words:
            waiting.append(one)
        elif word is not None and word == last:
            runs[-1] += [*waiting, one]
            waiting = []
        else:
            runs += [*([other] for other in waiting), [one]]
            waiting, last = [], word
    runs += [[other] for other in waiting]
    return [_lengthen(_Run(tuple(run), min(depth + 1, len(run[0][1])))) for run in runs]


def _lengthen(run: _Run) -> _Run:
    """The run with all words that its names share."""
    names = [words for _item, words in run.named if words]
    if len(names) < 2:
        return run
    depth = run.depth
    while all(len(words) > depth and words[depth].text == names[0][depth].text for words in names):
        depth += 1
    return _Run(run.named, depth)


def _is_series(run: _Run) -> bool:
    """Whether it is several blocks that are numbered through, or too much to be one block."""
    if len(run.named) < 2 or not run.is_block():
        return False
    parts = [part for part in _split(run.named, run.depth) if part.named[0][1]]
    numbered = [part for part in parts if len(part.named) > 1 and _has_number(run, part)]
    if len(parts) > 1 and len(numbered) == len(parts):
        return True
    return len(run.named) > LARGE and len(numbered) > 1


def _has_number(run: _Run, part: _Run) -> bool:
    """Whether what a part's names share beyond those of the other parts numbers it."""
    return any(word.counts for word in part.named[0][1][run.depth : part.depth])


def _open(run: _Run) -> list[_Run]:
    """The blocks of a series; neighbours among its parts that have no number are one block."""
    opened: list[_Run] = []
    loose: int | None = None
    for part in _split(run.named, run.depth):
        if not part.named[0][1]:
            opened.append(part)
        elif _has_number(run, part):
            opened.append(part)
            loose = None
        elif loose is None:
            loose = len(opened)
            opened.append(part)
        else:
            named = [one for other in (*opened[loose:], part) for one in other.named]
            opened[loose:] = [_Run(tuple(named), run.depth)]
    return opened


def _make_items(run: _Run) -> list[Item]:
    if len(run.named) < 2 or not run.is_block():
        return [item for item, _words in run.named]
    if _is_series(run):
        inside = [item for part in _open(run) for item in _make_items(part)]
    else:
        inside = [item for item, _words in run.named]
    return [Box("block", run.name, [inside])]
