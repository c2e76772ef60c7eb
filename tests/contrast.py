"""The contrast of every text and stroke on a page, as WCAG 2.2 counts it, measured in Chromium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# For each text that is seen: its colour, what is painted behind its middle, and its size on the
# screen. What is behind comes from the browser's own hit test, so a text in a node of a graph is
# measured on the node. A gradient counts by the colour of its stop that is worst for the text.
_MEASURE = """
([scope, marks]) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "#000";
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => colour.slice(0, 3).map((v) => {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const fade = (element) => {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    return opacity;
  };
  const paint = (element) => {  // what it paints behind others
    const style = getComputedStyle(element);
    const svg = element instanceof SVGGraphicsElement && !(element instanceof SVGSVGElement);
    if (svg && (element instanceof SVGTextContentElement || element instanceof SVGLineElement)) return [0, 0, 0, 0];
    const colour = read(svg ? (style.fill === "none" ? "transparent" : style.fill) : style.backgroundColor);
    if (svg) colour[3] *= Number(style.fillOpacity);
    colour[3] *= fade(element);
    return colour;
  };
  const behind = (element, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const layers = [];
    for (const one of stack) {
      if (one === element || element.contains(one)) {
        if (!(one instanceof SVGElement)) layers.push(paint(one));
      } else layers.push(paint(one));
      if (layers.at(-1)?.[3] >= 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), read("Canvas").slice(0, 3));
  };
  const name = (element) => {
    const path = [];
    for (let at = element; at && path.length < 3; at = at.parentElement) {
      path.unshift(at.tagName.toLowerCase() + (at.getAttribute("class") ? "." + at.getAttribute("class").trim().replaceAll(/\\s+/g, ".") : ""));
    }
    return path.join(" > ");
  };
  const isUnseen = (element) => { // there for screen readers alone
    for (let at = element; at; at = at.parentElement) {
      if (at.offsetWidth <= 1 && getComputedStyle(at).overflow === "hidden") return true;
    }
    return false;
  };
  const found = [];
  const root = document.querySelector(scope);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, option, [disabled]")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (isUnseen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width < 2 || box.height < 2) continue;
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    if (!document.elementFromPoint(x, y) || !document.elementsFromPoint(x, y).some((one) => one.contains(element) || element.contains(one))) continue;
    const style = getComputedStyle(element);
    const ink = read(element instanceof SVGElement ? style.fill : style.color);
    ink[3] *= fade(element);
    const ground = behind(element, x, y);
    const matrix = element instanceof SVGGraphicsElement ? element.getScreenCTM() : null;
    const scale = matrix ? Math.hypot(matrix.a, matrix.b) : element.currentCSSZoom ?? 1;
    const size = parseFloat(style.fontSize) * scale;
    found.push({
      what: node.data.trim().slice(0, 40), where: name(element), kind: "text", size,
      bold: Number(style.fontWeight) >= 600, contrast: contrast(over(ink, ground), ground),
    });
  }
  for (const element of root.querySelectorAll(marks)) {
    if (!element.checkVisibility()) continue;
    const box = element.getBoundingClientRect();
    if (!box.width && !box.height) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const colours = (drawn ? [[style.stroke, style.strokeOpacity], [style.fill, style.fillOpacity]] : [[style.backgroundColor, 1]])
      .filter(([text]) => text !== "none").map(([text, opacity]) => {
        const colour = read(text);
        colour[3] *= Number(opacity) * fade(element);
        return colour;
      }).filter((colour) => colour[3] > 0);
    if (!colours.length) continue;
    let paper = read("Canvas").slice(0, 3);
    const around = [];
    for (let at = element.closest("svg, div, td"); at; at = at.parentElement) around.push(paint(at));
    paper = around.reverse().reduce((below, top) => over(top, below), paper);
    found.push({
      what: "", where: name(element), kind: "mark", size: 0, bold: false,
      contrast: Math.max(...colours.map((colour) => contrast(over(colour, paper), paper))),
    });
  }
  return found;
}
"""

# What carries a meaning by a line or an area of its own.
MARKS = (
    ".gm-v, .gm-vh, .gm-d, .gm-dh, .gm-op > rect, .gm-source > rect, .gm-input > rect, "
    ".gm-curve, .gm-norm, .gm-path, .gm-point, svg path.gm-f, .gm-mark, .gm-tangent, "
    "svg path.gm-ce, svg path.gm-mse, .gm-disc, .gm-square, .gm-b-ce, .gm-lane .gm-bar, "
    ".gm-hist circle, .gm-hist .gm-line, .gm-tick, .gm-pb i, .gm-track i, .gm-icon path, "
    ".gm-slope, .gm-now:not(div)"
)


@dataclass(frozen=True)
class Seen:
    """A text or a mark.

    Attributes
    ----------
    size
        Of a text, in px of the screen.
    contrast
        From 1 to 21.
    """

    what: str
    where: str
    kind: str
    size: float
    bold: bool
    contrast: float

    def is_large(self) -> bool:
        """Large text as WCAG 2.2 says: 18 pt, or 14 pt bold."""
        return self.size >= 24 or (self.bold and self.size >= 18.66)


def measure(page: Any, scope: str) -> list[Seen]:
    """All texts and marks that are seen in what a selector names."""
    return [Seen(**one) for one in page.evaluate(_MEASURE, [scope, MARKS])]


def find_faint(seen: list[Seen], *, text: float, large: float, mark: float = 3.0) -> list[str]:
    """Those with less than the contrast that they need, a line each."""
    lines = []
    for one in seen:
        least = mark if one.kind == "mark" else large if one.is_large() else text
        if one.contrast < least - 0.005:
            lines.append(
                f"{one.contrast:.2f} < {least}: {one.where} '{one.what}' {one.size:.0f} px"
            )
    return sorted(set(lines))
