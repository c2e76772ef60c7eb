"""The numbers that the sliders look up: a small header, and one block of float32."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.losses.samples import find_ratios
from gradmagic.core.losses.sliders import SCALARS, VANISHED, find_peak

if TYPE_CHECKING:
    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.core.losses.sliders import SliderTables


def pack_tables(tables: SliderTables) -> tuple[dict[str, Any], bytes]:
    """What ``losses.js`` needs of one sample.

    Returns
    -------
    header
        JSON: which sample, classes and sliders, and how many numbers of each kind follow.
    block
        float32, little endian: values [rows, columns], targets of the last two sliders' rows,
        the target, the row of logits, the positions of all sliders, the logits by
        confidence, the margins.
    """
    shown = list(tables.shown)
    parts = [
        tables.values,
        tables.targets,
        tables.target[shown],
        tables.logits[shown],
        *(slider.positions for slider in tables.sliders),
        tables.scaled,
        tables.margins,
    ]
    block = np.concatenate([np.asarray(part, "<f4").reshape(-1) for part in parts]).tobytes()
    header = {
        "sample": tables.setting.sample,
        "moved": tables.moved,
        "shown": shown,
        "true_class": tables.true_class,
        "rows": len(tables.values),
        "target_rows": len(tables.targets),
        "margins": len(tables.margins),
        "sliders": [
            {
                "kind": slider.kind,
                "number": slider.number,
                "count": len(slider.positions),
                "at": slider.at,
                "start": slider.start,
                "stuck": slider.stuck,
                "right": slider.right,
            }
            for slider in tables.sliders
        ],
    }
    return header, block


def describe_batch(panel: LossPanel) -> dict[str, Any]:
    """What the browser needs of the batch: the listed samples, for the curves and for sorting."""
    comparison = panel.comparison
    rows = list(panel.listed)

    def pick(tensor: Any) -> list[float | None]:
        values = np.asarray(tensor.numpy(), np.float64)[rows]
        return [float(value) if np.isfinite(value) else None for value in values]

    ratios = find_ratios(comparison, panel.listed)
    return {
        "samples": rows,
        "classes": int(comparison.targets.shape[1]),
        "crossentropy": pick(comparison.per_sample_crossentropy),
        "mse": pick(comparison.per_sample_mse),
        "crossentropy_pull": pick(comparison.crossentropy_pull),
        "mse_pull": pick(comparison.mse_pull),
        "ratio": [float(ratio) if np.isfinite(ratio) else None for ratio in ratios],
        "threshold": VANISHED * find_peak(int(comparison.targets.shape[1])),
        "scalars": SCALARS,
    }


def encode_block(block: bytes) -> str:
    """The block as text, for a page that has no kernel."""
    return base64.b64encode(block).decode("ascii")
