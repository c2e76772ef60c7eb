"""The nodes of a drawn graph: how wide they are, what is written in them, and their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gradmagic.core.i18n import _, _n, join_phrases
from gradmagic.render.diagnoses import describe_diagnosis, find_severity
from gradmagic.render.lettering import (
    clean_text,
    escape_text,
    measure_code,
    measure_small,
    shorten_text,
)
from gradmagic.render.listing import write_label, write_shape
from gradmagic.render.marks import SIZE, draw_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.records import Diagnosis, Group, Node

HEIGHT = 44  # px
PORT = 24  # px, height of a port
STEP = 24  # widths are multiples of it, so that the nodes of a chain end alike
NAMED = 8  # lines of a tooltip
SIGN = 9  # px, radius of the sign on a group that can be opened
_AWAY = 22  # px from a group's right border to that sign's centre
_SIGN_ROOM = 18  # px that a sign takes from the text
_DETAIL = 24  # characters of what a group is
OPS: Final = ("op", "group")

CLASSES: Final = {
    "input": "gm-input",
    "source": "gm-source",
    "op": "gm-op",
    "group": "gm-op gm-group",
    "port": "gm-port",
    "target": "gm-target",
}


def measure_node(node: Node, group: Group | None = None) -> tuple[float, float]:
    """Width and height in px of a node with its text; ``group`` is what it can be opened to."""
    if node.kind == "port":
        return max(STEP * -(-(measure_code(write_label(node)) + 20) // STEP), 48.0), float(PORT)
    round_ends = 44 if node.kind in OPS else 24
    if group is not None:
        round_ends += 2 * _SIGN_ROOM  # at both ends, so that the text stays in the middle
    text = max(measure_code(write_label(node)), measure_small(write_role(node, group)))
    return max(STEP * -(-(text + round_ends) // STEP), 96.0), float(HEIGHT)


def draw_node(
    node: Node,
    place: tuple[float, float],
    size: tuple[float, float],
    *,
    mark: str = "",
    diagnoses: Sequence[Diagnosis] = (),
    group: Group | None = None,
    live: bool = False,
) -> str:
    """SVG of a node around ``place``.

    ``group`` is what it can be opened to. ``live``: it carries its place and size for a script that
    moves it, and has the sign that opens it.
    """
    (x, y), (width, height) = place, size
    left, top = x - width / 2, y - height / 2
    # borders lie inside the node's box, on whole pixels
    border = 1.0 if _is_source(node) else 0.0 if node.kind == "target" else 0.5
    box = draw_box(left, top, width, height, border, round_ends=node.kind in (*OPS, "port"))
    if node.kind == "group":
        box += draw_box(left, top, width, height, border + 3, round_ends=True)
    if diagnoses:  # on the border, right above where the round end begins to turn
        corner = x + width / 2 - HEIGHT / 7 - SIZE / 2, top + HEIGHT / 7 - SIZE / 2
        box += draw_mark(find_severity(diagnoses[0].kind), *corner)
    number = (
        f'<text class="gm-gt gm-b" x="{x + width / 2 + 4:g}" y="{top + 9:g}">'
        f"{escape_text(mark)}</text>"
        if mark
        else ""
    )
    anchor = sign = ""
    if live:
        anchor = f' data-at="{x:g} {y:g} {width:g} {height:g}"'
    if live and group is not None:
        anchor += f' data-group="{group.id}"'
        sign = _draw_sign(x + width / 2 - _AWAY, y)
    title = _write_title(node, diagnoses)
    return (
        f'<g class="{_classify(node, group)}" data-node="{node.id}"{anchor}>'
        f"{f'<title>{title}</title>' if title else ''}{box}{_draw_text(node, group, x, top)}"
        f"{sign}{number}</g>"
    )


def draw_box(
    left: float, top: float, width: float, height: float, inset: float, *, round_ends: bool
) -> str:
    """A rectangle that lies ``inset`` px inside the given one."""
    corners = f' rx="{(height - 2 * inset) / 2:g}"' if round_ends else ""
    return (
        f'<rect x="{left + inset:g}" y="{top + inset:g}" width="{width - 2 * inset:g}"'
        f' height="{height - 2 * inset:g}"{corners}/>'
    )


def write_role(node: Node, group: Group | None = None) -> str:
    """The second line: what it is, its first output's shape, its line."""
    if node.kind == "port":
        return ""
    role = {
        "input": _("input"),
        "source": _("source"),
        "target": _("target"),
        "group": describe_group(node, group),
        "op": shorten_text(node.op or ""),
    }[node.kind]
    if node.kind in OPS and node.source is not None:
        role = _("source, {op}").format(op=role)
    shape = write_shape(node.outputs[0]) if node.outputs else ""
    if node.traced:
        shape = _("{shape}, traced").format(shape=shape) if shape else _("traced")
    if node.line is None or node.kind not in OPS:
        return _("{role}, {shape}").format(role=role, shape=shape) if shape else role
    if not shape:
        return _("{role}, line {line}").format(role=role, line=node.line)
    return _("{role}, {shape}, line {line}").format(role=role, shape=shape, line=node.line)


def describe_group(node: Node, group: Group | None) -> str:
    """What a group is, and how many ops it holds: ``Dense, 3 ops``."""
    kinds: Mapping[str, str] = {
        "function": _("tf.function"),
        "branch": _("tf.cond"),
        "loop": _("tf.while_loop"),
        "custom_gradient": _("custom gradient"),
        "gradient": _("backward pass"),
    }
    kind = kinds.get(group.kind, "") if group is not None else ""
    detail = shorten_text(node.detail, _DETAIL)
    ops = _n("{count} op", "{count} ops", node.count).format(count=node.count)
    return join_phrases(dict.fromkeys(part for part in (kind, detail, ops) if part))


def _is_source(node: Node) -> bool:
    return node.kind == "source" or (node.kind in OPS and node.source is not None)


def _classify(node: Node, group: Group | None) -> str:
    kind = CLASSES[node.kind]
    if node.kind in OPS and node.source is not None:
        kind += " gm-source"
    if node.traced:
        kind += " gm-traced"
    if group is not None and group.kind == "gradient":
        kind += " gm-tape"
    return kind


def _write_title(node: Node, diagnoses: Sequence[Diagnosis]) -> str:
    """The tooltip: the whole label where it is shortened, and what is known of the op."""
    whole = clean_text(node.label)
    said = [whole] if whole not in write_label(node) else []
    if node.kind == "port" and node.detail:
        said.append(clean_text(node.detail))
    said += dict.fromkeys(map(describe_diagnosis, diagnoses))
    return "\n".join(map(escape_text, said[:NAMED]))


def _draw_text(node: Node, group: Group | None, x: float, top: float) -> str:
    label = escape_text(write_label(node))
    if node.kind == "port":
        return f'<text class="gm-code" x="{x:g}" y="{top + 16.5:g}">{label}</text>'
    return (
        f'<text class="gm-code gm-b" x="{x:g}" y="{top + 20:g}">{label}</text>'
        f'<text x="{x:g}" y="{top + 36:g}">{escape_text(write_role(node, group))}</text>'
    )


def _draw_sign(x: float, y: float) -> str:
    """A plus in a circle: a click opens the group."""
    arm = SIGN / 2
    return (
        f'<g class="gm-sign" data-act="open"><circle class="gm-hit" cx="{x:g}" cy="{y:g}" r="15"/>'
        f'<circle cx="{x:g}" cy="{y:g}" r="{SIGN}"/>'
        f'<path d="M{x - arm:g} {y:g}h{2 * arm:g}M{x:g} {y - arm:g}v{2 * arm:g}"/></g>'
    )
