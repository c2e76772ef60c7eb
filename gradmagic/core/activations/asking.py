"""What is asked of activations before their derivatives are shown, with TensorFlow's answer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.activations.records import find_saturated
from gradmagic.core.asking.records import Choice, Question
from gradmagic.core.i18n import N_, _, join_items, join_phrases
from gradmagic.core.replay.chain import write_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.activations.records import ActivationLab, Curve, SoftmaxTable

MOST = 3  # questions
TIED = 1e-6  # relative difference of two derivatives below which they count as equal
STEEP_AT, FLAT_AT = 3.0, 5.0  # where the slopes are compared, where it may be saturated
PERCENTS = (10, 25, 50, 75, 90)  # between the answers about a share
EDGE = 1  # percentage point by which a share may miss one of them and count on both sides
PEAKS = (-4.0, -2.0, 0.0, 2.0, 4.0)
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of a range in which not all of PEAKS are
# where the derivative is a number that one can know
KNOWN_AT = {
    "relu": -1.0,
    "leaky_relu": -1.0,
    "sigmoid": 0.0,
    "tanh": 0.0,
    "softplus": 0.0,
    "swish": 0.0,
    "gelu": 0.0,
    "elu": 1.0,
}
DERIVATIVES = {
    "relu": N_("relu's derivative is 1 where x > 0, and 0 where x < 0."),
    "leaky_relu": N_("leaky_relu's derivative is 1 where x > 0, and its small slope where x < 0."),
    "sigmoid": N_("sigmoid's derivative is s(1 − s), where s = sigmoid(x): at most 0.25, at 0."),
    "tanh": N_("tanh's derivative is 1 − tanh(x)²: at most 1, at 0."),
    "softplus": N_("softplus's derivative is sigmoid(x)."),
    "swish": N_("swish's derivative is s + x s(1 − s), where s = sigmoid(x)."),
    "gelu": N_("gelu's derivative is Φ(x) + x φ(x), of the normal distribution."),
    "elu": N_("elu's derivative is 1 where x > 0, and exp(x) where x < 0."),
}
SIGNS = (("negative", N_("below 0")), ("zero", N_("exactly 0")), ("positive", N_("above 0")))


def ask_activations(lab: ActivationLab) -> tuple[Question, ...]:
    """Two or three questions about what is shown; their truths are the lab's own numbers.

    Where a derivative is not finite, or only a convention (relu at 0), nothing is asked.
    """
    of_softmax = [] if lab.softmax is None else list(_ask_softmax(lab.softmax))
    if not lab.curves:
        return tuple(of_softmax)
    room = MOST - len(of_softmax[:1])
    return (*islice(_ask_curves(lab), room), *of_softmax[:1])


def _ask_curves(lab: ActivationLab) -> Iterator[Question]:
    """All that can be asked of the elementwise ones, the best first."""
    lead = lab.curves[0]
    asked = [
        _ask_share(lab, lead),
        _ask_steepest(lab),
        _ask_number(lab),
        _ask_saturated(lab, lead),
        _ask_peak(lab, lead),
    ]
    return (question for question in asked if question is not None)


def _find_place(lab: ActivationLab, x: float) -> int | None:
    """The point of the grid that is nearest to x; None where x is not in the range."""
    if not lab.x[0] <= x <= lab.x[-1]:
        return None
    return int(np.argmin(np.abs(lab.x - x)))


def _write_place(lab: ActivationLab, at: int) -> str:
    return f"{float(lab.x[at]):.3g}".replace("-", "−")


def _can_ask(lab: ActivationLab, curve: Curve, at: int) -> bool:
    """Whether the derivative there is one: finite, and no kink."""
    kink = curve.at_zero is not None and lab.x[at] == 0
    return not kink and bool(np.isfinite([curve.value[at], curve.slope[at]]).all())


def find_largest(sizes: list[float]) -> list[int]:
    """Places of the largest, and of those that only rounding tells from it."""
    largest = max(sizes)
    return [i for i, size in enumerate(sizes) if size >= largest * (1 - TIED)]


def find_share(percent: float) -> tuple[str, ...]:
    """Between which of ``PERCENTS`` a percentage lies: all right answers, two near an edge."""
    places = {int(np.searchsorted(PERCENTS, percent + off, "right")) for off in (-EDGE, 0, EDGE)}
    return tuple(map(str, sorted(places)))


def _ask_share(lab: ActivationLab, curve: Curve) -> Question | None:
    if lab.spread is None or not lab.spread.finite:
        return None
    places = {
        "name": curve.function.name,
        "tensor": lab.spread.name,
        "bound": f"{lab.bounds[lab.bound]:g}",
        "count": f"{lab.spread.finite:,}",
    }
    percent = 100 * float(curve.shares[lab.bound])
    text = _("How many entries of {tensor} lie where {name} is saturated, |derivative| < {bound}?")
    truth = _("{share} of its {count} finite entries.")
    steps = zip((0, *PERCENTS), (*PERCENTS, 100), strict=True)
    labels = [_("{low} to {high} %").format(low=low, high=high) for low, high in steps]
    return Question(
        key="share",
        subject=lab.spread.name,
        kind="choice",
        text=text.format(**places),
        choices=tuple(Choice(str(i), label) for i, label in enumerate(labels)),
        right=find_share(percent),
        truth=truth.format(share=_("{number} %").format(number=write_number(percent)), **places),
        why=(*_explain(curve), _say_saturated(lab, curve)),
    )


def _say_saturated(lab: ActivationLab, curve: Curve) -> str:
    stretches = find_saturated(lab.x, curve.slope, lab.bounds[lab.bound])
    where = join_items(f"[{low:.3g}, {high:.3g}]" for low, high in stretches).replace("-", "−")
    if not where:
        return _("In this range {name} is saturated nowhere.").format(name=curve.function.name)
    words = _("In this range {name} is saturated where x lies in {where}.")
    return words.format(name=curve.function.name, where=where)


def _ask_steepest(lab: ActivationLab) -> Question | None:
    at = _find_place(lab, STEEP_AT)
    at = lab.start if at is None else at
    curves = [curve for curve in lab.curves if _can_ask(lab, curve, at)]
    if len(curves) < 2:
        return None
    slopes = [float(curve.slope[at]) for curve in curves]
    right = find_largest([abs(slope) for slope in slopes])
    x = _write_place(lab, at)
    written = join_phrases(
        f"{curve.function.name} {write_number(slope + 0.0)}"
        for curve, slope in zip(curves, slopes, strict=True)
    )
    text = _("Which function has the largest |derivative| at x = {x}?")
    truth = _("{name}. Derivatives at x = {x}: {written}.")
    names = join_items(curves[i].function.name for i in right)
    return Question(
        key="steepest",
        subject="df/dx",
        kind="choice",
        text=text.format(x=x),
        choices=tuple(Choice(str(i), curve.function.name) for i, curve in enumerate(curves)),
        right=tuple(map(str, right)),
        truth=truth.format(name=names, x=x, written=written),
        why=tuple(words for curve in curves for words in _explain(curve)),
    )


def _ask_number(lab: ActivationLab) -> Question | None:
    """A derivative to type in: of the first of the functions for which one can know it."""
    known = {curve.function.known: curve for curve in reversed(lab.curves)}
    for name, place in KNOWN_AT.items():
        curve, at = known.get(name), _find_place(lab, place)
        if curve is None or at is None or not _can_ask(lab, curve, at):
            continue
        slope, x = float(curve.slope[at]) + 0.0, _write_place(lab, at)
        text = _("What is the derivative of {name} at x = {x}? Type a number.")
        truth = _("At x = {x} the derivative of {name} is {slope}.")
        return Question(
            key="slope",
            subject=curve.function.name,
            kind="number",
            text=text.format(name=curve.function.name, x=x),
            number=slope,
            truth=truth.format(name=curve.function.name, x=x, slope=write_number(slope)),
            why=_explain(curve),
        )
    return None


def _ask_saturated(lab: ActivationLab, curve: Curve) -> Question | None:
    at = _find_place(lab, FLAT_AT)
    if at is None or not _can_ask(lab, curve, at):
        return None
    bound, slope = lab.bounds[lab.bound], float(curve.slope[at]) + 0.0
    right: tuple[str, ...] = ("yes",) if abs(slope) < bound else ("no",)
    if abs(abs(slope) - bound) <= TIED * bound:
        right = ("yes", "no")
    places = {
        "name": curve.function.name,
        "x": _write_place(lab, at),
        "bound": f"{bound:g}",
        "slope": write_number(slope),
    }
    text = _("Is {name} saturated at x = {x}: is |derivative| < {bound} there?")
    return Question(
        key="saturated",
        subject=curve.function.name,
        kind="choice",
        text=text.format(**places),
        choices=(Choice("yes", _("yes")), Choice("no", _("no"))),
        right=right,
        truth=_("At x = {x} the derivative of {name} is {slope}.").format(**places),
        why=_explain(curve),
    )


def _ask_peak(lab: ActivationLab, curve: Curve) -> Question | None:
    low, high = float(lab.x[0]), float(lab.x[-1])
    within = low <= PEAKS[0] and PEAKS[-1] <= high
    wanted = PEAKS if within else [low + share * (high - low) for share in SHARES]
    found = [_find_place(lab, x) for x in wanted]
    places = [at for at in found if at is not None and _can_ask(lab, curve, at)]
    if len(places) < 2:
        return None
    slopes = [float(curve.slope[at]) for at in places]
    right = find_largest([abs(slope) for slope in slopes])
    labels = [_write_place(lab, at) for at in places]
    written = join_phrases(
        f"{write_number(slope + 0.0)} (x = {label})"
        for slope, label in zip(slopes, labels, strict=True)
    )
    text = _("At which of these x is |derivative| of {name} largest?")
    truth = _("At x = {x}. Derivatives: {written}.")
    return Question(
        key="peak",
        subject=curve.function.name,
        kind="choice",
        text=text.format(name=curve.function.name),
        choices=tuple(Choice(str(i), f"x = {label}") for i, label in enumerate(labels)),
        right=tuple(map(str, right)),
        truth=truth.format(x=join_phrases(labels[i] for i in right), written=written),
        why=_explain(curve),
    )


def _explain(curve: Curve) -> tuple[str, ...]:
    words = DERIVATIVES.get(curve.function.known)
    return () if words is None else (_(words),)


def _ask_softmax(table: SoftmaxTable) -> Iterator[Question]:
    """The sign beside the diagonal, then the largest entry on it."""
    probabilities, jacobian = table.look_up(table.start)
    p = [write_number(float(one)) for one in probabilities]
    entry = float(jacobian[1, 0])
    sign = "negative" if entry < 0 else "positive" if entry > 0 else "zero"
    yield Question(
        key="softmax",
        subject="softmax",
        kind="choice",
        text=_("The logit z0 grows a little. What sign has dp1/dz0, the derivative of p1?"),
        choices=tuple(Choice(key, _(label)) for key, label in SIGNS),
        right=(sign,),
        truth=_("dp1/dz0 = {entry}.").format(entry=write_number(entry)),
        why=(
            _("Beside the diagonal it is −p1 p0 = −{first} · {second}.").format(
                first=p[1], second=p[0]
            ),
            _("What one class gains, the others lose: the probabilities sum to 1."),
        ),
    )
    diagonal = [float(jacobian[i, i]) for i in range(3)]
    names = [f"dp{i}/dz{i}" for i in range(3)]
    right = find_largest(diagonal)
    written = join_phrases(
        f"{name} = {write_number(one)}" for name, one in zip(names, diagonal, strict=True)
    )
    yield Question(
        key="diagonal",
        subject="softmax",
        kind="choice",
        text=_("Which of these derivatives is largest?"),
        choices=tuple(Choice(str(i), name) for i, name in enumerate(names)),
        right=tuple(map(str, right)),
        truth=_("{sentence}.").format(sentence=written),
        why=(_("On the diagonal it is p(1 − p): largest where p is nearest to 0.5."),),
    )
