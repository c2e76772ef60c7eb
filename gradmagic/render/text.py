"""A run's report as text, for a terminal: no more than 100 columns, no colours."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from gradmagic.core.folding import describe_folding, view
from gradmagic.core.i18n import _, _n
from gradmagic.render.cells import format_cells, format_word
from gradmagic.render.gradients import count_full
from gradmagic.render.history import explain_history
from gradmagic.render.lettering import count_columns
from gradmagic.render.listing import describe_graph
from gradmagic.render.markup import shorten
from gradmagic.render.names import (
    describe_statistics,
    describe_tensor,
    name_derivative,
    name_gradient,
    total_target,
)
from gradmagic.render.numbers import MINUS, format_number
from gradmagic.render.panels import choose_form, format_scalar
from gradmagic.render.sentences import (
    MESSAGE,
    count_gradients,
    describe_time,
    explain_binding,
    explain_gradient,
    explain_sum,
    explain_target,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from gradmagic.core.records import Diagnosis, Gradient, Graph, Summary, TapeRun

WIDTH = 100
INDENT = "  "
SAMPLES = 8  # per-sample losses listed
ROWS = 200  # further sources listed
GRAPH_LINES = 40
DIAGNOSES = 12


def render_text(run: TapeRun) -> str:
    """The report as lines of at most ``WIDTH`` columns."""
    parts = [
        _write_header(run),
        _write_notes(run),
        *(_write_source(run, gradient) for gradient in run.gradients[: count_full(run)]),
        _write_others(run.gradients[count_full(run) :]),
        _write_hessian(run),
        _write_loss(run),
        _write_graph(run.graph) if run.graph is not None else [],
    ]
    text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    return text.replace(MINUS, "-")  # as Python reads it, and every terminal writes it


def _wrap(text: str, indent: str = INDENT) -> list[str]:
    """Lines of ``text``, broken between words, or anywhere where a word is too long."""
    lines, line = [], ""
    for word in " ".join(text.split()).split(" "):
        for piece in _break(word, WIDTH - len(indent)):
            if line and count_columns(line) + 1 + count_columns(piece) > WIDTH - len(indent):
                lines.append(indent + line)
                line = piece
            else:
                line = f"{line} {piece}" if line else piece
    return [*lines, indent + line] if line else lines


def _break(word: str, width: int) -> list[str]:
    pieces, piece, columns = [], "", 0
    for character in word:
        taken = count_columns(character)
        if columns + taken > width:
            pieces.append(piece)
            piece, columns = "", 0
        piece, columns = piece + character, columns + taken
    return [*pieces, piece]


def _pad(text: str, columns: int, *, left: bool = False) -> str:
    blanks = " " * (columns - count_columns(text))
    return text + blanks if left else blanks + text


def _write_header(run: TapeRun) -> list[str]:
    target, total = run.target, total_target(run)
    value = "–" if total is None else format_number(total)
    unit = target.unit or ""
    name = shorten(target.name, 40)
    left = f"{name} = {value} {unit}".rstrip()
    if target.summed:
        left = f"sum({name}) = {value}"
    right = name_derivative(run)
    room = WIDTH - count_columns(left) - count_columns(right)
    lines = [left + " " * room + right] if room > 1 else [left, *_wrap(right)]
    lines += _wrap(explain_target(target).format(name=name, line=target.line))
    lines += _wrap(describe_time(run))
    return lines + (_wrap(explain_sum(target)) if target.summed else [])


def _write_notes(run: TapeRun) -> list[str]:
    beside = {gradient.name for gradient in run.gradients[: count_full(run)]}
    lines = []
    for diagnosis in [d for d in run.diagnoses if d.subject not in beside][:DIAGNOSES]:
        lines += _wrap(f"! {diagnosis.message[:MESSAGE]}", "")
        lines += _write_fix(diagnosis)
    for text in count_gradients(run):
        lines += _wrap(f"! {text}", "")
    return lines


def _write_fix(diagnosis: Diagnosis) -> list[str]:
    if not diagnosis.fix:
        return []
    code = [INDENT * 2 + line for line in diagnosis.fix[:MESSAGE].splitlines()]
    return [INDENT + _("type instead:"), *code]


def _write_source(run: TapeRun, gradient: Gradient) -> list[str]:
    described = describe_tensor(gradient.value, variable=gradient.variable)
    lines = [f"{shorten(gradient.name)}  {described}".rstrip()]
    value, result = gradient.value, gradient.gradient
    caption = _("gradient, {derivative}").format(derivative=name_gradient(run, gradient))
    left = [_("value"), *_write_tensor(value)] if value is not None else []
    right = [caption, *(_write_tensor(result) if result is not None else ["None"])]
    lines += [f"{INDENT}{line}".rstrip() for line in _set_beside(left, right)]
    for sentence in (*explain_gradient(run, gradient), explain_binding(gradient)):
        lines += _wrap(sentence)
    for diagnosis in run.diagnoses:
        if diagnosis.subject == gradient.name:
            lines += _write_fix(diagnosis)
    if gradient.jacobian is not None:
        lines.append(INDENT + _("Jacobian"))
        lines += [f"{INDENT}{line}" for line in _write_tensor(gradient.jacobian)]
    return lines


def _set_beside(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Two blocks side by side where they fit, else one under the other."""
    wide = max(map(count_columns, left), default=0)
    if not left:
        return list(right)
    if wide + 4 + max(map(count_columns, right)) > WIDTH - len(INDENT):
        return [*left, *right]
    height = max(len(left), len(right))
    rows = zip(*(_fill_up(block, height) for block in (left, right)), strict=True)
    return [f"{_pad(one, wide, left=True)}    {other}".rstrip() for one, other in rows]


def _fill_up(block: Sequence[str], height: int) -> list[str]:
    return [*block, *[""] * (height - len(block))]


def _write_tensor(summary: Summary) -> list[str]:
    """The entries, where they are few, as NumPy writes them; else statistics."""
    form = choose_form(summary)
    if form == "empty":
        return [_("no entries")]
    if summary.values is not None and form == "scalar":
        return [format_scalar(summary.values)]
    if summary.values is not None and form == "words":
        shown = [format_word(value) for value in summary.values.reshape(-1)[:6]]
        return textwrap.wrap(", ".join(shown + ["…"] * (summary.size > 6)), 44)
    if summary.values is not None and form == "table":
        array = _write_array(summary.values)
        if max(map(count_columns, array)) <= WIDTH - len(INDENT):
            return array
    entries = describe_statistics(summary)
    wide = max(count_columns(name) for name, _number in entries)
    return [f"{_pad(name, wide, left=True)}  {number}" for name, number in entries]


def _write_array(values: np.ndarray) -> list[str]:
    """``[[ 0.141  0.030]`` / `` [-0.206  0.112]]``, aligned."""
    written = format_cells(values)
    wide = max(map(count_columns, written))
    columns = values.shape[-1]
    if values.ndim == 1 and columns * (wide + 2) > WIDTH - 2 * len(INDENT):
        columns = max(1, (WIDTH // 2) // (wide + 2))
    rows = [
        "  ".join(_pad(number, wide) for number in written[start : start + columns])
        for start in range(0, len(written), columns)
    ]
    if values.ndim == 1:
        rows = [f"{' ' if i else '['}{row}" for i, row in enumerate(rows)]
        return [*rows[:-1], rows[-1] + "]"]
    per_plane = values.shape[-2]
    lines = []
    for i, row in enumerate(rows):
        if i and i % per_plane == 0:
            lines.append("")
        start = "[[" if i % per_plane == 0 else " ["
        lines.append(f"{start}{row}]{']' if i % per_plane == per_plane - 1 else ''}")
    return lines


def _write_others(others: Iterable[Gradient]) -> list[str]:
    """The further sources, a line each."""
    others = list(others)
    if not others:
        return []
    rows = [(_("further sources"), _("shape"), _("norm of value"), _("norm of gradient"), "NaN")]
    for gradient in others[:ROWS]:
        value, result = gradient.value, gradient.gradient
        rows.append(
            (
                shorten(gradient.name, 40),
                "–" if value is None else shorten(describe_tensor(value), 26),
                "–" if value is None or value.norm is None else format_number(value.norm, 3),
                "None" if result is None else format_number(result.norm or 0, 3),
                "" if result is None else str(result.nans),
            )
        )
    widths = [max(count_columns(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            _pad(cell, wide, left=i < 2)
            for i, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    left = len(others) - ROWS
    if left > 0:
        more = _n("{count} more: ", "{count} more: ", left).format(count=left)
        lines.append(more + "gradmagic.last_run().gradients")
    return lines


def _write_hessian(run: TapeRun) -> list[str]:
    if run.hessian is None:
        return []
    names = ", ".join(shorten(name, 30) for name in run.hessian.names)
    matrix = run.hessian.matrix
    title = _("Hessian over {names}, {shape}").format(names=names, shape=list(matrix.shape))
    lines = _wrap(title, "")
    if matrix.size and matrix.shape[0] <= 10:
        lines += [INDENT + line for line in _write_array(matrix)]
    return lines


def _write_loss(run: TapeRun) -> list[str]:
    lines = []
    samples = run.per_sample
    if samples is not None:
        shown = ", ".join(format_number(float(loss)) for loss in samples.losses[:SAMPLES])
        more = ", …" if samples.count > SAMPLES else ""
        template = (
            _("per-sample losses: {numbers}; the target is their mean")
            if samples.reduction == "mean"
            else _("per-sample losses: {numbers}; the target is their sum")
        )
        lines += _wrap(template.format(numbers=shown + more), "")
    if len(run.history) > 1:
        lines += _wrap(explain_history([float(number.real) for number in run.history]), "")
    return lines


def _write_graph(graph: Graph) -> list[str]:
    lines = describe_graph(view(graph)).splitlines()
    left = len(lines) - GRAPH_LINES
    shown = [line if count_columns(line) <= WIDTH else shorten(line, WIDTH) for line in lines]
    shown = shown[:GRAPH_LINES]
    if left > 0:
        more = _n("... and {count} more line", "... and {count} more lines", left)
        shown.append(INDENT + more.format(count=left))
    return [*shown, *_wrap(describe_folding(graph))]
