"""A comparison as text, for terminals and for files."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.core.losses.samples import find_ratios
from gradmagic.core.losses.stability import SCORES, compute_examples
from gradmagic.render.lettering import count_columns, pad_text
from gradmagic.render.losses.batch import format_mean, list_notes
from gradmagic.render.losses.claims import list_flaws, name_flaw
from gradmagic.render.losses.top import describe_claim
from gradmagic.render.numbers import format_entry, format_number, say_times

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.stability import ThreeWays

MOST_LINES = 20  # samples


def render_losses_text(panel: LossPanel) -> str:
    """The claim, the batch, its samples, and the three ways to write crossentropy."""
    lines = [_("MSE against crossentropy"), "", describe_claim(panel.hand.tables)]
    lines += ["", *_list_figures(panel), "", *_list_samples(panel), ""]
    lines += [_("Crossentropy in three ways, two classes, logits [s, 0], true class 1:")]
    lines += [
        _("s = {score}: {ways}").format(score=f"{score:g}", ways=_describe_ways(ways))
        for score, ways in zip(SCORES, compute_examples(), strict=True)
    ]
    found = [panel.origin.found] if panel.origin.found else []
    return "\n".join([*lines, "", *found, *list_notes(panel)]) + "\n"


def _list_figures(panel: LossPanel) -> list[str]:
    figures, comparison = panel.figures, panel.comparison
    samples = int(comparison.targets.shape[0])
    nats, bits = figures.crossentropy["logits"]
    return [
        _("MSE           {value}").format(value=format_mean(figures.mse["keras"])),
        _("crossentropy  {nats} nats = {bits} bits").format(
            nats=format_mean(nats), bits=format_mean(bits)
        ),
        _("accuracy      {right} of {samples} right").format(
            right=round(comparison.accuracy * samples), samples=samples
        ),
    ]


def _list_samples(panel: LossPanel) -> list[str]:
    comparison = panel.comparison
    listed = panel.listed[:MOST_LINES]
    true = comparison.targets.numpy().argmax(1)
    predicted = comparison.logits.numpy().argmax(1)
    heads = (_("sample"), _("true"), _("predicted"), _("crossentropy"), _("MSE"), _("pull ratio"))
    rows: list[tuple[str, ...]] = [heads]
    for sample, ratio in zip(listed, find_ratios(comparison, listed), strict=True):
        rows.append(
            (
                str(sample),
                str(true[sample]),
                str(predicted[sample]),
                format_entry(float(comparison.per_sample_crossentropy[sample]), 3),
                format_entry(float(comparison.per_sample_mse[sample]), 3),
                say_times(float(ratio)),
            )
        )
    widths = [max(count_columns(row[i]) for row in rows) for i in range(len(heads))]
    lines = ["  ".join(pad_text(c, w) for c, w in zip(row, widths, strict=True)) for row in rows]
    left = int(comparison.targets.shape[0]) - len(listed)
    if left:
        lines.append(_("and {count} more samples").format(count=left))
    return lines


def _describe_ways(ways: ThreeWays) -> str:
    said = []
    titles = (_("softmax first"), _("by hand"), _("from logits"))
    for title, way in zip(titles, ways, strict=True):
        flaw = name_flaw(way.value, way.gradient, ways.logits.gradient)
        words = f"{title} {format_number(way.value, 7)}"
        if flaw is not None:
            why = list_flaws()[flaw].format(gradient=format_number(way.gradient, 5))
            words = _("{title} ({place})").format(title=words, place=why)
        said.append(words)
    return functools.reduce(lambda one, more: _("{one}; {more}").format(one=one, more=more), said)
