"""The batch in the sidebar: both means in several ways, and the samples one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import _, join_sentences
from gradmagic.core.losses.samples import find_ratios
from gradmagic.render.losses.bars import draw_bar
from gradmagic.render.markup import Html, join, tag
from gradmagic.render.numbers import format_entry, format_number, say_times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradmagic.core.losses.panel import LossPanel


def render_figures(panel: LossPanel) -> Html:
    """MSE and crossentropy in several ways, how far they agree, accuracy, and how all was read."""
    figures, comparison = panel.figures, panel.comparison
    samples, classes = comparison.targets.shape
    mse, nats = figures.mse, figures.crossentropy
    rows = [
        _row(tag("b", _("MSE"), class_="gm-mse"), "", ""),
        _row(_("mean of (y − p)²"), None, format_mean(mse["mean"])),
        _row(f"‖y − p‖² / ({samples} · {classes})", None, format_mean(mse["norm"])),
        _row(_("mean of tf.losses.MSE"), None, format_mean(mse["keras"])),
        _row(*_agree(mse.values()), class_="gm-s"),
        _row(tag("b", _("Crossentropy"), class_="gm-ce"), _("nats"), _("bits"), class_="gm-g"),
        *(
            _row(title, *map(format_mean, nats[way]))
            for way, title in (
                ("logits", _("from logits")),
                ("probabilities", _("from probabilities")),
                ("hand", _("by hand, −Σ y log p")),
                ("binary", _("binary_crossentropy")),
            )
            if way in nats
        ),
        _row(*_agree(value for value, _bits in nats.values()), class_="gm-s"),
    ]
    right = round(comparison.accuracy * samples)
    rows.append(
        _row(
            tag("b", _("Accuracy")),
            None,
            _("{right} of {samples} right").format(right=f"{right:,}", samples=f"{samples:,}"),
            class_="gm-g",
        )
    )
    return join(
        tag(
            "table",
            tag("tbody", *rows),
            class_="gm-sum",
            aria_label=_("The whole batch, as given"),
        ),
        tag("p", join_sentences(list_notes(panel)), class_="gm-s gm-below"),
    )


def list_notes(panel: LossPanel) -> list[str]:
    """How targets and predictions were read, in sentences."""
    form, kind = panel.comparison.batch.notes
    return [form] if panel.origin.found else [form, kind]


def _agree(values: Iterable[float]) -> tuple[str, None, str]:
    numbers = list(values)
    spread = max(numbers) - min(numbers) if all(map(math.isfinite, numbers)) else math.nan
    title = _("they differ by at most") if math.isfinite(spread) else _("they do not agree")
    return title, None, format_entry(spread) if math.isfinite(spread) else ""


def format_mean(value: float) -> str:
    """A mean with six decimals, where they show it."""
    if math.isfinite(value) and (value == 0 or 1e-3 <= value < 1000):
        return f"{value:.6f}"
    return format_number(value, 7)


def _row(title: object, first: str | None, second: str, class_: str | None = None) -> Html:
    cells = [tag("td", second, colspan="2" if first is None else None)]
    if first is not None:
        cells.insert(0, tag("td", first))
    return tag("tr", tag("th", title, scope="row"), *cells, class_=class_)


def render_samples(panel: LossPanel) -> Html:
    """The samples, a row each; the script sorts them and takes one in hand."""
    comparison, listed = panel.comparison, list(panel.listed)
    crossentropy = _pick(comparison.per_sample_crossentropy, listed)
    mse = _pick(comparison.per_sample_mse, listed)
    ratios = find_ratios(comparison, panel.listed)
    true = comparison.targets.numpy()[listed].argmax(1)
    predicted = comparison.logits.numpy()[listed].astype(np.float64).argmax(1)
    finite = crossentropy[np.isfinite(crossentropy)]
    longest = float(finite.max()) if finite.size else 1.0
    widest = float(mse.max()) or 1.0
    rows = []
    for i, sample in enumerate(listed):
        right = true[i] == predicted[i]
        chosen = sample == panel.hand.tables.setting.sample
        verdict = tag("span", _("right") if right else _("wrong"), class_="gm-s")
        rows.append(
            tag(
                "tr",
                tag("th", sample, scope="row"),
                tag("td", true[i], class_="gm-c"),
                tag("td", predicted[i], " ", verdict, class_="gm-w"),
                tag("td", format_entry(crossentropy[i], 3)),
                _bar("ce", crossentropy[i] / longest),
                tag("td", format_entry(mse[i], 3)),
                _bar("mse", mse[i] / widest),
                tag("td", say_times(float(ratios[i])), class_="gm-r"),
                data_sample=sample,
                data_at=i,
                data_true=true[i],
                data_predicted=predicted[i],
                aria_selected="true" if chosen else None,
            )
        )
    heads = (
        ("sample", _("sample"), 1, ""),
        ("true", _("true"), 1, "gm-c"),
        ("predicted", _("predicted"), 1, "gm-w"),
        ("crossentropy", _("crossentropy"), 2, "gm-ce gm-l"),
        ("mse", _("MSE"), 2, "gm-mse gm-l"),
        ("ratio", _("pull ratio"), 1, "gm-r"),
    )
    head = (
        tag(
            "th",
            title,
            scope="col",
            colspan=span if span > 1 else None,
            class_=class_ or None,
            data_sort=key,
        )
        for key, title, span, class_ in heads
    )
    table = tag(
        "table",
        tag("thead", tag("tr", *head)),
        tag("tbody", *rows, data_k="samples"),
        class_="gm-per",
        aria_label=_("Samples"),
        data_k="per",
    )
    total = int(comparison.targets.shape[0])
    note = None
    if len(listed) < total:
        note = tag(
            "p",
            _(
                "{listed} of {total} samples are listed, evenly spaced from the smallest "
                "crossentropy to the largest. The figures above are of all of them."
            ).format(listed=len(listed), total=f"{total:,}"),
            class_="gm-s gm-below",
        )
    return join(tag("div", table, class_="gm-list", tabindex="-1"), note)


def _pick(tensor: object, listed: list[int]) -> np.ndarray:
    return np.asarray(tensor.numpy(), np.float64)[listed]  # type: ignore[attr-defined]


def _bar(loss: str, share: float) -> Html:
    return tag("td", tag("div", draw_bar(loss, share), class_="gm-track"), class_="gm-m")
