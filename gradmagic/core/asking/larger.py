"""Questions that larger sources allow: zeros, norms, whether there is a gradient at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.asking.reasons import explain_truth
from gradmagic.core.asking.records import Question
from gradmagic.core.asking.shapes import find_shape
from gradmagic.core.i18n import _, join_phrases
from gradmagic.core.replay.chain import write_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.asker import Asker
    from gradmagic.core.records import Gradient, Summary

ALIKE = 1e-4  # relative difference of two norms that count as equal


def ask_whether(asker: Asker, key: str, gradient: Gradient) -> Question:
    """Of a tensor that is not dense and real: whether there is a gradient."""
    text = _("Does a gradient of {target} come to {name}?").format(
        target=asker.target, name=gradient.name
    )
    found = gradient.gradient
    choices = asker.offer(
        ("some", _("Yes, and at least one entry is not 0")),
        ("zero", _("Yes, but every entry is exactly 0")),
    )
    if found is None:
        right, truth = "none", asker.tell(gradient, None)
    elif found.nans or found.infs:
        right, truth = "bad", _("Some entries are no finite numbers")
    elif found.zeros == found.size:
        right, truth = "zero", _("All are 0")
    else:
        norm = write_number(found.norm or 0.0)
        right, truth = "some", _("A gradient of norm {number}").format(number=norm)
    return Question(
        key, gradient.name, "choice", text, choices, right=(right,), truth=truth,
        why=explain_truth(asker.run, gradient),
    )  # fmt: skip


def ask_zeros(asker: Asker, key: str, gradient: Gradient) -> Question:
    """Whether no entry of a gradient is 0, or some, or all."""
    text = _("How many of the {size} entries of {derivative} are exactly 0?")
    size = math.prod(find_shape(gradient))
    text = text.format(derivative=asker.name(gradient), size=size)
    choices = asker.offer(
        ("no", _("No entry is 0")), ("some", _("Some are 0")), ("all", _("All are 0"))
    )
    found = gradient.gradient
    if found is None:
        right: tuple[str, ...] = ("none",)
        truth = asker.tell(gradient, None)
    else:
        share = "no" if not found.zeros else "all" if found.zeros == found.size else "some"
        right = (share, "bad") if found.nans or found.infs else (share,)
        truth = _("{zeros} of {size} entries are 0").format(zeros=found.zeros, size=found.size)
    return Question(
        key, gradient.name, "choice", text, choices, right=right, truth=truth,
        why=explain_truth(asker.run, gradient),
    )  # fmt: skip


def ask_norms(asker: Asker, key: str, place: int) -> Question:
    """Which of two sources has the larger gradient."""
    pair = [asker.run.gradients[place - 1], asker.run.gradients[place]]
    names = [one.name for one in pair]
    text = _("Which gradient has the larger norm: that of {one}, or that of {other}?")
    text = text.format(one=names[0], other=names[1])
    choices = asker.offer(("first", names[0]), ("second", names[1]), ("equal", _("Both alike")))
    found = [one.gradient for one in pair]
    right, truth = _compare_norms(names, found)
    why = explain_truth(asker.run, pair[1])
    return Question(key, names[1], "choice", text, choices, right=right, truth=truth, why=why)


def _compare_norms(
    names: Sequence[str], found: Sequence[Summary | None]
) -> tuple[tuple[str, ...], str]:
    if any(one is None for one in found):
        missing = [name for name, one in zip(names, found, strict=True) if one is None]
        return ("none",), _("None: no gradient comes to {name}").format(name=missing[-1])
    known = [one for one in found if one is not None]
    if any(one.nans or one.infs or one.norm is None for one in known):
        return ("bad",), _("Some entries are no finite numbers")
    first, second = (float(one.norm or 0.0) for one in known)
    truth = join_phrases(
        _("norm of {name}: {number}").format(name=name, number=write_number(norm))
        for name, norm in zip(names, (first, second), strict=True)
    )
    if abs(first - second) <= ALIKE * max(first, second):
        return ("equal", "first", "second") if first != second else ("equal",), truth
    return ("first" if first > second else "second",), truth
