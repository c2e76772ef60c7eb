"""A drawing of the report as an SVG file of its own, for browsers, Inkscape and office programs.

The report's style sheet is worked out for every element and written into its attributes, because
other programs know neither CSS variables nor ``color-mix``. Colours that differ in the dark have a
class too, which a media query gives the dark one: programs that know no media queries stay light.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from gradmagic.render.html import load_style
from gradmagic.render.page import DARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Tokens = list[Any]
    Variables = dict[str, Tokens]

MARGIN = 24  # px around the drawing
_SVG = "http://www.w3.org/2000/svg"
_WRITTEN = frozenset({
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "opacity", "font-family", "font-size", "font-weight", "text-anchor",
})  # fmt: skip
_FONT = re.compile(r"(?P<weight>\d+) (?P<size>[\d.]+px)\s+(?P<family>.+)", re.DOTALL)
_MIX = re.compile(r"color-mix\(in srgb, ?(#\w+) calc\(([\d.]+) ?\* ?1%\), ?(#\w+)\)")


def make_standalone(drawing: str) -> str:
    """The text of an SVG file for an ``<svg>`` that :func:`gradmagic.render.graph.draw_graph` made.

    Light; in a browser dark where its reader prefers that.
    """
    import cssselect2

    # the text comes from draw_graph: there are no entities in it that could grow
    report = ET.fromstring(f'<div class="gm">{drawing}</div>')  # noqa: S314
    tree = cssselect2.ElementWrapper.from_xml_root(report).iter_subtree()
    (_root, first), *rest = [(one, _match(one)) for one in tree]  # before anything is changed
    # by element: what its variables stand for in the light, and in the dark
    known = {report: (_pick_variables(first), _pick_variables(first) | _read_dark())}
    dark: dict[tuple[str, str], str] = {}
    for wrapper, declared in rest:
        own = _pick_variables(declared)
        light, night = (above | own for above in known[wrapper.parent.etree_element])
        element = wrapper.etree_element
        known[element] = light, night
        _write_style(element, _work_out(declared, light), _work_out(declared, night), dark)
    return _frame(report[0], known[report], dark)


def _frame(
    svg: ET.Element,
    variables: tuple[Variables, Variables],
    dark: dict[tuple[str, str], str],
) -> str:
    """The drawing with paper behind it and space around it, and its rules for the dark."""
    paper = ET.Element("rect", {"width": "100%", "height": "100%"})
    shades = [_resolve(variables[i]["--gm-paper"], variables[i]) for i in range(2)]
    _write_style(paper, {"fill": shades[0]}, {"fill": shades[1]}, dark)
    width, height = (float(svg.attrib[side]) + 2 * MARGIN for side in ("width", "height"))
    style = ET.Element("style")
    rules = "".join(f".{name}{{{key}:{value}}}" for (key, value), name in dark.items())
    style.text = f"@media (prefers-color-scheme:dark){{{rules}}}"
    moved = ET.Element("g", {"transform": f"translate({MARGIN} {MARGIN})"})
    moved.extend(svg)
    svg[:] = [style, paper, moved]
    svg.attrib |= {
        "xmlns": _SVG, "width": f"{width:g}", "height": f"{height:g}",
        "viewBox": f"0 0 {width:g} {height:g}",
    }  # fmt: skip
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(svg, encoding="unicode")}\n'


def _write_style(
    element: ET.Element,
    light: Mapping[str, str],
    night: Mapping[str, str],
    dark: dict[tuple[str, str], str],
) -> None:
    """Write an element's style into its attributes, in place of its classes."""
    for name in ("class", "style"):
        element.attrib.pop(name, None)
    element.attrib |= light
    names = [
        dark.setdefault((key, value), f"d{len(dark)}")
        for key, value in night.items()
        if value != light[key]
    ]
    if names:
        element.set("class", " ".join(names))


def _match(element: Any) -> Variables:
    """What the style sheet and the element itself declare for it: the value of each property."""
    import tinycss2

    found = [(weight, order, part) for weight, order, _p, part in _load_matcher().match(element)]
    own = element.etree_element.get("style", "")
    parts = [part for _weight, _order, part in sorted(found, key=lambda one: one[:2])]
    parts.append(_read_declarations(tinycss2.parse_declaration_list(own)))
    declared: Variables = {}
    for part in parts:
        for name, value in part.items():
            declared.pop(name, None)  # the last comes last: `font` undoes an earlier `font-size`
            declared[name] = value
    return declared


@cache
def _load_matcher() -> Any:
    """The rules of the report that hold always, whatever the front-end and the width."""
    import cssselect2
    import tinycss2

    matcher = cssselect2.Matcher()
    for rule in tinycss2.parse_stylesheet(load_style()):
        if rule.type != "qualified-rule":
            continue
        declared = _read_declarations(tinycss2.parse_declaration_list(rule.content))
        with contextlib.suppress(cssselect2.SelectorError):  # a browser's own, such as ::-webkit-
            for selector in cssselect2.compile_selector_list(rule.prelude):
                if selector.pseudo_element is None:
                    matcher.add_selector(selector, declared)
    return matcher


def _pick_variables(declared: Mapping[str, Tokens]) -> Variables:
    return {name: value for name, value in declared.items() if name.startswith("--")}


def _read_dark() -> Variables:
    import tinycss2

    return _read_declarations(tinycss2.parse_declaration_list(DARK))


def _read_declarations(parsed: Iterable[Any]) -> Variables:
    return {one.name: one.value for one in parsed if one.type == "declaration"}


def _work_out(declared: Mapping[str, Tokens], variables: Variables) -> dict[str, str]:
    """The properties of a drawing among those declared, as plain values."""
    style: dict[str, str] = {}
    for name, value in declared.items():
        if name == "font":
            font = _FONT.match(_resolve(value, variables))
            if font:
                style |= {f"font-{part}": text for part, text in font.groupdict().items()}
        elif name in _WRITTEN:
            style[name] = _resolve(value, variables)
    return style


def _resolve(tokens: Tokens, variables: Variables) -> str:
    import tinycss2

    text = tinycss2.serialize(_replace(tokens, variables)).strip()
    return _MIX.sub(lambda mix: _mix(mix[1], mix[3], float(mix[2]) / 100), text)


def _replace(tokens: Tokens, variables: Variables) -> Tokens:
    """Tokens with each ``var(--name, other)`` replaced by what the name or the other stands for."""
    replaced: Tokens = []
    for token in tokens:
        if token.type == "function" and token.lower_name == "var":
            given = [one for one in token.arguments if one.type != "whitespace"]
            other = token.arguments[token.arguments.index(given[1]) + 1 :] if given[1:] else []
            replaced += _replace(variables.get(given[0].value, other), variables)
        elif token.type == "function":
            copied = type(token)(
                token.source_line, token.source_column, token.name,
                _replace(token.arguments, variables),
            )  # fmt: skip
            replaced.append(copied)
        else:
            replaced.append(token)
    return replaced


def _mix(one: str, other: str, share: float) -> str:
    """A colour between two, ``#rrggbb`` or ``#rgb``."""
    pairs = zip(_split_colour(one), _split_colour(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def _split_colour(colour: str) -> list[int]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]
