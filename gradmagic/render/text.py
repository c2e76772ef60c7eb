"""A run's report as text, for a terminal: no more than 100 columns, no colours."""

from __future__ import annotations

import functools
import textwrap
from typing import TYPE_CHECKING

from gradmagic.core.graph.folding import describe_folding, trim
from gradmagic.core.graph.levels import make_level
from gradmagic.core.i18n import _, _n
from gradmagic.render.cells import format_cells, format_word
from gradmagic.render.diagnoses import (
    group_diagnoses,
    list_names,
    name_kind,
    name_place,
    write_fixes,
    write_sentences,
)
from gradmagic.render.gradients import count_full
from gradmagic.render.history import explain_history
from gradmagic.render.lettering import clean_text, count_columns, pad_text, wrap_text
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
    from gradmagic.render.diagnoses import Finding

WIDTH = 100
INDENT = "  "
SAMPLES = 8  # per-sample losses listed
ROWS = 200  # further sources listed
GRAPH_LINES = 40
DIAGNOSES = 12  # rows of them


def render_text(run: TapeRun) -> str:
    """The report as lines of at most ``WIDTH`` columns."""
    parts = [
        _write_header(run),
        _write_notes(run),
        *(_write_source(run, gradient) for gradient in run.gradients[: count_full(run)]),
        _write_others(run.gradients[count_full(run) :]),
        _write_hessian(run),
        _write_loss(run),
        _write_graph(run.graph, run.diagnoses) if run.graph is not None else [],
    ]
    text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    return text.replace(MINUS, "-")  # as Python reads it, and every terminal writes it


def _wrap(text: str, indent: str = INDENT) -> list[str]:
    return [indent + line for line in wrap_text(text, WIDTH - len(indent))]


def _write_header(run: TapeRun) -> list[str]:
    target, total = run.target, total_target(run)
    value = "–" if total is None else format_number(total)
    unit = _(target.unit) if target.unit else ""
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
    """The diagnoses, worst first, and what else needs attention."""
    lines = []
    findings = group_diagnoses(run.diagnoses)
    for finding in findings[:DIAGNOSES]:
        lines += _write_finding(finding)
    left = sum(len(finding.diagnoses) for finding in findings[DIAGNOSES:])
    if left:
        more = _n(
            "{count} more is in gradmagic.last_run().diagnoses.",
            "{count} more are in gradmagic.last_run().diagnoses.",
            left,
        )
        lines += _wrap(f"! {more.format(count=left)}", "")
    for text in count_gradients(run):
        lines += _wrap(f"! {text}", "")
    return lines


def _write_finding(finding: Finding) -> list[str]:
    """``! line 3: w and b: no gradient: left TensorFlow``, what happened, and what to type."""
    parts = [name_place(finding.line), list_names(finding.subjects), name_kind(finding.kind)]
    lines = _wrap(f"! {functools.reduce(_entitle, filter(None, parts))}", "")
    for sentence in write_sentences(finding):
        lines += _wrap(sentence)
    for place, codes in write_fixes(finding).items():
        lines.append(INDENT + _("{title}:").format(title=place))
        lines += [INDENT * 2 + clean_text(line) for code in codes for line in code.splitlines()]
    return lines


def _entitle(title: str, text: str) -> str:
    return _("{title}: {text}").format(title=title, text=text)


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
    return [f"{pad_text(one, wide, left=True)}    {other}".rstrip() for one, other in rows]


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
    return [f"{pad_text(name, wide, left=True)}  {number}" for name, number in entries]


def _write_array(values: np.ndarray) -> list[str]:
    """``[[ 0.141  0.030]`` / `` [-0.206  0.112]]``, aligned."""
    written = format_cells(values)
    wide = max(map(count_columns, written))
    columns = values.shape[-1]
    if values.ndim == 1 and columns * (wide + 2) > WIDTH - 2 * len(INDENT):
        columns = max(1, (WIDTH // 2) // (wide + 2))
    rows = [
        "  ".join(pad_text(number, wide) for number in written[start : start + columns])
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
            pad_text(cell, wide, left=i < 2)
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


def _write_graph(graph: Graph, diagnoses: Sequence[Diagnosis]) -> list[str]:
    lines = describe_graph(make_level(trim(graph)), diagnoses).splitlines()
    left = len(lines) - GRAPH_LINES
    shown = [line if count_columns(line) <= WIDTH else shorten(line, WIDTH) for line in lines]
    shown = shown[:GRAPH_LINES]
    if left > 0:
        more = _n("... and {count} more line", "... and {count} more lines", left)
        shown.append(INDENT + more.format(count=left))
    return [*shown, *_wrap(describe_folding(graph))]
