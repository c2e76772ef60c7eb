"""Questions that small sources allow: a number, a sign, the largest entry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.asking.asker import find_noise, write
from gradmagic.core.asking.reasons import explain_truth
from gradmagic.core.asking.records import Question
from gradmagic.core.asking.shapes import find_shape
from gradmagic.core.i18n import _, join_items
from gradmagic.core.replay.chain import write_number
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.asker import Asker
    from gradmagic.core.records import Gradient, Summary

TIED = 1e-5  # relative difference of entries that rounding may have made, at most
STEPS = 10  # times the dtype's own noise: where that is less


def ask_number(asker: Asker, key: str, gradient: Gradient) -> Question:
    """How large the gradient of a scalar is."""
    value, found = gradient.value, gradient.gradient
    assert value is not None
    text = _("How large is {derivative}, where {name} is {value}?").format(
        derivative=asker.name(gradient), name=gradient.name, value=_write_only(value)
    )
    truth = None if found is None else _take_only(found)
    right, number = _sort_number(truth)
    if number is not None and asker.is_rounding(gradient, (), number):
        right += ("0",)
    return Question(
        key, gradient.name, "number", text, asker.offer(), right=right, number=number,
        truth=asker.tell(gradient, truth), why=explain_truth(asker.run, gradient),
    )  # fmt: skip


def _sort_number(truth: float | None) -> tuple[tuple[str, ...], float | None]:
    """What is right beyond a number, and the number."""
    if truth is None:
        return ("none",), None
    if math.isnan(truth):
        return ("bad", "nan"), None
    if math.isinf(truth):
        return ("bad", "inf" if truth > 0 else "-inf"), None
    return (), truth


def ask_largest(asker: Asker, key: str, gradient: Gradient) -> Question:
    """Which entry has the largest gradient, in a table of the values."""
    value, entries = gradient.value, _take_entries(gradient)
    assert value is not None
    assert value.values is not None
    text = _(
        "Which entry of {name} has the largest gradient, counted without its sign? "
        "The table shows the values of {name}."
    ).format(name=gradient.name)
    choices = asker.offer(
        ("equal", _("All entries have the same gradient, and it is not 0")),
        ("zero", _("All gradients are exactly 0")),
    )
    right, truth, index = _judge_largest(asker, gradient, entries)
    return Question(
        key, gradient.name, "entry", text, choices, find_shape(gradient),
        tuple(write_number(float(one)) for one in value.values.ravel()), right, None,
        truth, explain_truth(asker.run, gradient, index),
    )  # fmt: skip


def _judge_largest(
    asker: Asker, gradient: Gradient, entries: np.ndarray | None
) -> tuple[tuple[str, ...], str, tuple[int, ...] | None]:
    """What is right, the truth in words, and the entry to explain."""
    if entries is None:
        return ("none",), asker.tell(gradient, None), None
    if not np.isfinite(entries).all():
        bad = [tuple(map(int, at)) for at in np.argwhere(~np.isfinite(entries))]
        said = asker.tell(gradient, float(entries[bad[0]]), bad[0])
        return ("bad", *map(_write_index, bad)), said, bad[0]
    sizes = np.abs(entries)
    most = float(sizes.max())
    near = min(TIED, STEPS * find_noise(gradient))
    tied = [tuple(map(int, at)) for at in np.argwhere(sizes >= most * (1 - near))]
    index = tied[0]
    right = tuple(map(_write_index, tied))
    if asker.is_rounding(gradient, index, most):
        said = _("The largest is {number} in size: rounding alone may leave as much")
        return ("zero", *right), said.format(number=write(most)) if most else _("All are 0"), None
    if len(tied) == entries.size:
        if np.ptp(entries) <= near * most:
            right += ("equal",)
            said = _("Every entry is {number}").format(number=write(entries[index]))
        else:
            said = _("All entries have the same size, {number}").format(number=write(most))
        return right, said, index
    names = [f"{gradient.name}{format_index(at)}" for at in tied[:4]]
    if len(tied) > 1:
        listed = join_items([*names, *["…"] * (len(tied) > 4)])
        said = _("{names}: they share the largest, {number}")
        return right, said.format(names=listed, number=write(most)), index
    return right, asker.tell(gradient, float(entries[index]), index), index


def ask_sign(asker: Asker, key: str, gradient: Gradient) -> Question:
    """What a slightly larger entry does to the loss."""
    value, entries = gradient.value, _take_entries(gradient)
    assert value is not None
    index = _choose_entry(entries, value)
    entry = f"{gradient.name}{format_index(index)}"
    text = _("By the tape's gradient: what happens to {target} when {entry} grows a little?")
    text = text.format(target=asker.target, entry=entry)
    choices = asker.offer(
        ("up", _("It grows: the gradient is above 0")),
        ("down", _("It shrinks: the gradient is below 0")),
        ("zero", _("Nothing: the gradient is exactly 0")),
    )
    truth = None if entries is None else float(entries[index])
    return Question(
        key, gradient.name, "choice", text, choices,
        right=_name_sign(asker, gradient, truth, index),
        truth=asker.tell(gradient, truth, index),
        why=explain_truth(asker.run, gradient, index),
    )  # fmt: skip


def _name_sign(
    asker: Asker, gradient: Gradient, truth: float | None, index: tuple[int, ...]
) -> tuple[str, ...]:
    if truth is None:
        return ("none",)
    if math.isnan(truth):
        return ("bad",)
    sign = "up" if truth > 0 else "down" if truth < 0 else "zero"
    if math.isinf(truth):
        return ("bad", sign)
    return (sign, "zero") if truth and asker.is_rounding(gradient, index, truth) else (sign,)


def _write_only(value: Summary) -> str:
    return "?" if value.values is None else write_number(float(value.values.reshape(())))


def _take_only(found: Summary) -> float | None:
    return None if found.values is None else float(found.values.reshape(-1)[0])


def _take_entries(gradient: Gradient) -> np.ndarray | None:
    """All entries of a small gradient; rows that IndexedSlices leave out are 0."""
    found = gradient.gradient
    if found is None:
        return None
    if found.layout == "dense" and found.values is not None:
        return found.values.astype(np.float64)
    import tensorflow as tf

    return np.asarray(tf.convert_to_tensor(gradient.result).numpy(), np.float64)


def _choose_entry(entries: np.ndarray | None, value: Summary) -> tuple[int, ...]:
    """The entry that a sign is asked of: where it is largest, which rounding cannot turn."""
    if entries is None:
        return (0,) * len(value.shape)
    sizes = np.abs(entries)
    bad = np.argwhere(~np.isfinite(entries))
    at = bad[0] if len(bad) else np.unravel_index(int(np.argmax(sizes)), sizes.shape)
    return tuple(int(i) for i in at)


def _write_index(index: Sequence[int]) -> str:
    return ",".join(str(int(i)) for i in index)
