"""The room of a plot's axes, and what is kept of the SVG that matplotlib makes of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from gradmagic.render.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

DOT = 1.75  # radius of a point that is marked, in pixels


@dataclass(frozen=True)
class Frame:
    """The room of a plot's axes in its picture, in pixels, and what its edges mean.

    ``x`` and ``y`` are the values at the left and right, and at the lower and upper edge; where
    ``logarithmic``, the vertical axis is. The browser finds places in the picture by this too.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    logarithmic: bool = False
    left: float = 52
    top: float = 10
    width: float = 376
    height: float = 180
    below: float = 40  # room under the axes, for their numbers and label
    right: float = 12

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole picture."""
        return self.left + self.width + self.right, self.top + self.height + self.below


def write_tick(value: float) -> str:
    """A number at an axis: no more digits than it has, and a true minus."""
    power = math.log10(abs(value)) if value else 0.0
    if value and abs(power) >= 4:
        mantissa, exponent = f"{value:.2e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}".replace("-", "\u2212")
    return f"{value:.6g}".replace("-", "\u2212")


def keep_shapes(drawn: str, frame: Frame, words: str) -> str:
    """Of matplotlib's SVG the artists with a class, and the texts; in the order of painting."""
    root = ET.fromstring(drawn)  # noqa: S314  (our own)
    shapes = "".join(_list_shapes(root, ""))
    width, height = frame.size
    return (
        f'<svg width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'role="img" aria-label="{escape(words)}">{shapes}</svg>'
    )


def _list_shapes(element: ET.Element, kind: str) -> Iterator[str]:
    for one in element:
        name = one.tag.rpartition("}")[2]
        own = one.get("id", "")
        if name == "g":
            yield from _list_shapes(one, own if own.startswith("gm-") else kind)
        elif name == "path" and kind:
            tone = re.search(r"fill: #0000([0-9a-f]{2})", one.get("style", ""))
            kinds = f"{kind} gm-tone-{int(tone[1], 16)}" if tone else kind
            yield f'<path class="{kinds}" d="{_round_path(one.get("d", ""))}"/>'
        elif name == "use" and kind:
            x, y = (float(one.get(key, 0)) for key in ("x", "y"))
            yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{DOT}"/>'
        elif name == "text":
            yield _copy_text(one)


def _copy_text(text: ET.Element) -> str:
    """A text of matplotlib's, in the font and colour of the page."""
    anchor = re.search(r"text-anchor: (\w+)", text.get("style", ""))
    x, y = (f"{float(text.get(key, 0)):.1f}" for key in ("x", "y"))
    turned = "rotate(-90" in text.get("transform", "")
    attributes = f' x="{x}" y="{y}"'
    if anchor:
        attributes += f' text-anchor="{anchor[1]}"'
    if turned:
        attributes += f' transform="rotate(-90 {x} {y})"'
    return f"<text{attributes}>{escape(text.text or '')}</text>"


def _round_path(data: str) -> str:
    """Path data to a tenth of a pixel, without blanks that say nothing."""
    numbers = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), data)
    return re.sub(r"\s+", " ", numbers).replace(" L ", "L").replace("M ", "M").strip()
