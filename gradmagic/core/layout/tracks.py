"""Tracks: at which height the lines of a channel move sideways.

A channel is the space between two rows of a laid-out graph. Lines that would cover each other get
tracks of their own, in an order in which few cross.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TRACK = 18  # px between two tracks of a channel, and between lines that must not meet


@dataclass(eq=False)
class Jog:
    """A line's sideways move in one channel, from ``top`` to each of ``bottoms``."""

    top: float
    bottoms: list[float] = field(default_factory=list)
    track: int = 0

    @property
    def span(self) -> tuple[float, float]:
        """From the leftmost to the rightmost place."""
        return min(self.top, *self.bottoms), max(self.top, *self.bottoms)


def choose_tracks(jogs: list[Jog]) -> None:
    """Give each a track such that no two cover each other and few cross."""
    cost = {
        (id(upper), id(lower)): _count_crossings(upper, lower)
        for upper in jogs
        for lower in jogs
        if upper is not lower
    }
    left = sorted(jogs, key=lambda jog: jog.span)
    placed: list[Jog] = []
    while left:
        best = min(
            left,
            key=lambda jog: sum(
                cost[id(jog), id(other)] - cost[id(other), id(jog)]
                for other in left
                if other is not jog
            ),
        )
        left.remove(best)
        low, high = best.span
        above = [
            jog.track for jog in placed if jog.span[0] - TRACK < high and low < jog.span[1] + TRACK
        ]
        best.track = 1 + max(above, default=-1)
        placed.append(best)


def _count_crossings(upper: Jog, lower: Jog) -> int:
    """Crossings of two jogs where one's track is above the other's; much if they would cover."""
    (low, high), (left, right) = upper.span, lower.span
    count = int(low < lower.top < high) + sum(left < x < right for x in upper.bottoms)
    covering = sum(abs(lower.top - x) < TRACK for x in upper.bottoms)
    return count + 100 * covering
