"""Rules of ops that sum up, choose from or run along axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, add_up, make_term, take

if TYPE_CHECKING:
    from collections.abc import Callable

_AXES = take("axis", N_("It only says which axes: no gradient."))


def _find_group(call: Call, index: Index) -> tuple[Index, np.ndarray]:
    """Where in the output the entry went, and all the entries that went there with it."""
    x = call.take_input()
    axes = {int(axis) % x.ndim for axis in np.ravel(call.take_raw(1))} if x.ndim else set()
    chosen = tuple(slice(None) if axis in axes else at for axis, at in enumerate(index))
    if call.read("keep_dims", default=False):
        place = tuple(0 if axis in axes else at for axis, at in enumerate(index))
    else:
        place = tuple(at for axis, at in enumerate(index) if axis not in axes)
    return place, x[chosen]


def _reduce(
    op: str,
    words: str,
    formula: str,
    find: Callable[[float, float, float, Any], Terms],
    note: str = "",
) -> Rule:
    """A reduction; ``find`` gets upstream gradient, entry, output and the entries reduced."""

    def find_terms(call: Call, index: Index) -> Terms:
        place, group = _find_group(call, index)
        x = float(call.take_input()[index])
        return find(float(call.gradient[place]), x, float(call.take_output()[place]), group)

    return Rule(op, (SlotRule("x", words, f"dL/d{{x}} = {formula}", "", find_terms), _AXES), note)


def _find_sum(g: float, _x: float, _z: float, _group: np.ndarray) -> Terms:
    return make_term("{g}", g, g=g)


def _find_mean(g: float, _x: float, _z: float, group: np.ndarray) -> Terms:
    return make_term("{g} / {n}", g / group.size, g=g, n=group.size)


def _find_chosen(g: float, x: float, z: float, group: np.ndarray) -> Terms:
    return share_chosen(g, chosen=x == z, ties=int((group == z).sum()))


def share_chosen(g: float, *, chosen: bool, ties: int) -> Terms:
    """The gradient of a maximum's entry: equal ones share it."""
    if chosen and ties > 1:
        return make_term("{g} / {n}", g / ties, g=g, n=ties)
    return make_term("{g} · {s}", g * chosen, g=g, s=float(chosen))


def _find_factor(g: float, x: float, _z: float, group: np.ndarray) -> Terms:
    return multiply_others(g, x, group)


def multiply_others(g: float, x: float, group: np.ndarray) -> Terms:
    """The gradient of a product's factor: times all the other factors."""
    factors = group.ravel()
    others = np.delete(factors, int(np.argmax((factors == x) | (np.isnan(factors) & np.isnan(x)))))
    return make_term("{g} · {p}", g * float(others.prod()), g=g, p=float(others.prod()))


def _find_norm(g: float, x: float, z: float, _group: np.ndarray) -> Terms:
    return make_term("{g} · {x} / {z}", float(np.float64(x) / (np.float64(z) / g)), g=g, x=x, z=z)


_SHARED = N_("Where several are equal, TensorFlow shares the gradient out evenly.")

_REDUCED = (
    _reduce(
        "Sum",
        N_("Every entry of the sum gets the same gradient, unchanged."),
        "dL/d{z}",
        _find_sum,
    ),
    _reduce(
        "Mean",
        N_("Every entry of the mean gets the gradient divided by n, the number of entries."),
        "dL/d{z} / n",
        _find_mean,
    ),
    _reduce(
        "Prod",
        N_("Each factor gets the gradient times the product of all the other factors."),
        "dL/d{z} · Π others",
        _find_factor,
    ),
    _reduce(
        "Max",
        N_("The largest entry gets the gradient; all others get 0."),
        "dL/d{z} · [{x} = {z}] / n",
        _find_chosen,
        _SHARED,
    ),
    _reduce(
        "Min",
        N_("The smallest entry gets the gradient; all others get 0."),
        "dL/d{z} · [{x} = {z}] / n",
        _find_chosen,
        _SHARED,
    ),
    _reduce(
        "EuclideanNorm",
        N_("The upstream gradient times the entry's share of the length."),
        "dL/d{z} · {x} / {z}",
        _find_norm,
        N_("At length 0 there is no derivative, and NaN comes back."),
    ),
)


def _find_half_square(call: Call, index: Index) -> Terms:
    g, x = float(call.gradient), float(call.take_input()[index])
    return make_term("{g} · {x}", g * x, g=g, x=x)


_LENGTH = Rule(
    "L2Loss",
    (
        SlotRule(
            "x",
            N_("The upstream gradient times the entry itself."),
            "dL/d{x} = dL/d{z} · {x}",
            "",
            _find_half_square,
        ),
    ),
    N_("It is half the sum of squares, so the 2 is gone."),
)


_IDS = take("ids", N_("It only says which segment each entry belongs to: no gradient."))
_COUNT = take("segments", N_("It only says how many segments there are: no gradient."))


def _find_segment(call: Call, index: Index) -> tuple[Index, np.ndarray] | None:
    """Where in the output the entry went, and all the entries that went there with it."""
    x, ids = call.take_input(0), call.take_raw(1)
    segment = int(ids[index[: ids.ndim]])
    if segment < 0:  # TensorFlow leaves such entries out
        return None
    rest = index[ids.ndim :]
    return (segment, *rest), x[(ids == segment, *rest)]


def _segment(
    op: str,
    words: str,
    formula: str,
    find: Callable[[float, float, float, Any], Terms],
    note: str = "",
) -> Rule:
    def find_terms(call: Call, index: Index) -> Terms:
        found = _find_segment(call, index)
        if found is None:
            return add_up(np.array([]))
        place, group = found
        x = float(call.take_input(0)[index])
        return find(float(call.gradient[place]), x, float(call.take_output()[place]), group)

    slot = SlotRule("x", words, f"dL/d{{x}} = {formula}", "", find_terms)
    return Rule(op, (slot, _IDS, *([_COUNT] if op.startswith("Unsorted") else [])), note)


def _segments(
    names: tuple[str, ...], words: str, formula: str, find: Callable[..., Terms], note: str = ""
) -> tuple[Rule, ...]:
    return tuple(_segment(name, words, formula, find, note) for name in names)


_SEGMENTS = (
    *_segments(
        ("SegmentSum", "UnsortedSegmentSum"),
        N_("Every entry gets the gradient of its segment's sum, unchanged."),
        "gather(dL/d{z}, {ids})",
        _find_sum,
    ),
    *_segments(
        ("SegmentMean",),
        N_("Every entry gets the gradient of its segment's mean, divided by the segment's size n."),
        "gather(dL/d{z}, {ids}) / n",
        _find_mean,
    ),
    *_segments(
        ("SegmentMax", "UnsortedSegmentMax"),
        N_("The largest entry of each segment gets its gradient; all others get 0."),
        "gather(dL/d{z}, {ids}) · [{x} = gather({z}, {ids})] / n",
        _find_chosen,
        _SHARED,
    ),
    *_segments(
        ("SegmentMin", "UnsortedSegmentMin"),
        N_("The smallest entry of each segment gets its gradient; all others get 0."),
        "gather(dL/d{z}, {ids}) · [{x} = gather({z}, {ids})] / n",
        _find_chosen,
        _SHARED,
    ),
    *_segments(
        ("SegmentProd", "UnsortedSegmentProd"),
        N_("Each factor gets its segment's gradient times the product of the others in it."),
        "gather(dL/d{z}, {ids}) · Π others",
        _find_factor,
    ),
)


def _find_ranked(call: Call, index: Index) -> Terms:
    """Of the k largest: the upstream gradient of the rank that the entry has, if it has one."""
    ranks = call.take_output(1)[index[:-1]]
    return add_up(call.gradient[index[:-1]][ranks == index[-1]])


_RANKED = (
    Rule(
        "TopKV2",
        (
            SlotRule(
                "x",
                N_("The k largest entries get their gradients; all others get 0."),
                "dL/d{x} = scatter_nd({indices}, dL/d{z})",
                "",
                _find_ranked,
            ),
            take("k", N_("It only says how many: no gradient.")),
        ),
        N_("Its second output, the indices, has no gradient."),
        outputs=("z", "indices"),
    ),
)

RULES = (*_REDUCED, _LENGTH, *_SEGMENTS, *_RANKED)
