"""All positions of every slider of one sample, computed ahead in one batch.

A question to the kernel takes longer than a moving hand waits. So TensorFlow computes both losses
and their gradients for each position that a slider can take, and the browser looks them up.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from gradmagic.core.losses import positions
from gradmagic.core.losses.batch import steady_logits
from gradmagic.core.losses.comparison import take_losses
from gradmagic.core.losses.stability import write_crossentropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.losses.comparison import LossComparison
    from gradmagic.core.losses.positions import Rows, SliderKind

MOST_CLASSES = 12  # with a slider of their own
POSITIONS = 121  # of a slider
FEWEST_POSITIONS = 31
ENTRIES = 400_000  # logits in all rows together, where the classes are few enough
CHUNK_ENTRIES = 1_000_000  # logits that are looked at together
VANISHED = 0.01  # of the largest pull that MSE can have: below, it is said to be stuck

RIGHT, WRONG, STUCK, UNDECIDED = range(4)
SCALARS = (
    "crossentropy",
    "mse",
    "crossentropy_pull",
    "mse_pull",
    "ratio",  # crossentropy_pull / mse_pull
    "crossentropy_slope",  # by the slider's own value
    "mse_slope",
    "probabilities",  # crossentropy by the ways of gradmagic.core.losses.stability
    "probabilities_gradient",
    "hand",
    "hand_gradient",
    "state",
)


@dataclass(frozen=True, eq=False)
class Setting:
    """Where the student has put the sliders of one sample.

    ``logits`` [classes] are those at confidence 1; ``true_class`` is None for the data's own
    target; ``smoothing`` is the share of the target that is spread evenly over the classes.
    """

    sample: int
    logits: Any
    confidence: float = 1.0
    true_class: int | None = None
    smoothing: float = 0.0


@dataclass(frozen=True, eq=False)
class Slider:
    """One slider: its positions, ascending, and where their rows are in the table.

    ``number`` is the class of a ``"logit"`` slider. ``at`` is the position of the setting,
    ``start`` the row of the first position. ``stuck`` and ``right``: stretches (from, to) in which
    MSE's gradient has vanished although the answer is wrong, and in which the answer is right.
    """

    kind: SliderKind
    number: int | None
    positions: np.ndarray
    at: int
    start: int
    stuck: tuple[tuple[float, float], ...]
    right: tuple[tuple[float, float], ...]


class OfClass(NamedTuple):
    """A class's probability, and the gradients of both losses with respect to its logit."""

    probability: float
    crossentropy: float
    mse: float


@dataclass(frozen=True, eq=False)
class SliderTables:
    """The numbers of every position.

    Attributes
    ----------
    setting
        What the sliders stand at.
    logits, target
        [classes]: the row that they make.
    moved
        Whether that is not the data.
    shown
        The classes that have a slider.
    true_class
        The class with the largest share in the target.
    sliders
        One a shown class, then confidence, smoothing and the true class.
    values
        float32 [rows, 3 * shown + scalars]: probabilities, gradients of crossentropy and of MSE
        with respect to the shown classes' logits, then ``SCALARS``.
    targets
        float32 [rows of the last two sliders, shown]: the targets, which only these change.
    scaled
        float32 [positions of confidence, shown]: the logits, which confidence moves all at once.
    margins
        [samples]: the logit of the true class at which this sample would lead the other classes as
        much as each of those samples does, so that its crossentropy would be theirs.
    """

    setting: Setting
    logits: np.ndarray
    target: np.ndarray
    moved: bool
    shown: tuple[int, ...]
    true_class: int
    sliders: tuple[Slider, ...]
    values: np.ndarray
    targets: np.ndarray
    scaled: np.ndarray
    margins: np.ndarray

    @property
    def scalars(self) -> dict[str, float]:
        """The numbers of the place where the sliders stand, by name."""
        return dict(zip(SCALARS, map(float, self._standing[-len(SCALARS) :]), strict=True))

    def find_class(self, number: int) -> OfClass:
        """What a shown class has there."""
        at, count = self.shown.index(number), len(self.shown)
        return OfClass(*(float(self._standing[at + part * count]) for part in range(3)))

    @property
    def _standing(self) -> np.ndarray:
        return self.values[self.sliders[0].start + self.sliders[0].at]


def move_slider(tables: SliderTables, slider: Slider, position: float) -> Setting:
    """Where the sliders stand once one of them was moved: the logits it makes are the new ones."""
    setting = tables.setting
    if slider.kind == "smoothing":
        return replace(setting, smoothing=position)
    if slider.kind == "class":
        return replace(setting, true_class=int(position))
    if slider.kind == "confidence":
        return replace(setting, confidence=position)
    logits = tables.logits.copy()
    logits[slider.number] = position
    return replace(setting, logits=logits, confidence=1.0)


def find_setting(comparison: LossComparison, sample: int) -> Setting:
    """The sliders' places for a sample as the data have it."""
    return Setting(sample, _find_logits(comparison, sample))


def choose_classes(comparison: LossComparison, sample: int) -> tuple[int, ...]:
    """The classes that get a slider: all, or the true one and those with the largest logits.

    A class whose logit is -inf gets none: nothing can be moved from there.
    """
    logits = comparison.logits[sample].numpy().astype(np.float64)
    true_class = int(tf.argmax(comparison.targets[sample]))
    order = sorted(range(logits.size), key=lambda c: (c != true_class, -logits[c]))
    kept = [c for c in order if np.isfinite(logits[c]) or c == true_class]
    return tuple(sorted(kept[:MOST_CLASSES]))


def compute_tables(
    comparison: LossComparison,
    setting: Setting,
    leads: Any,
    most: int = POSITIONS,
) -> SliderTables:
    """Both losses and their gradients at every position of every slider.

    Parameters
    ----------
    comparison
        The batch.
    setting
        Which sample, and where its sliders stand.
    leads
        [samples]: those of the samples to find ``margins`` of, from :func:`find_leads`.
    most
        Positions of a slider at most; fewer where the classes are very many.
    """
    shown = choose_classes(comparison, setting.sample)
    data = comparison.targets[setting.sample].numpy()
    own = setting.true_class in (None, int(data.argmax()))
    given = data if own else positions.make_hot(int(setting.true_class or 0), data)
    target = positions.smooth(given[None], setting.smoothing)[0]
    direction = np.asarray(setting.logits, data.dtype)
    logits = (tf.constant(direction) * tf.constant(setting.confidence, data.dtype)).numpy()
    room = ENTRIES // (data.size * (len(shown) + 2))
    count = max(min(most, room), FEWEST_POSITIONS) // 2 * 2 + 1
    limit = positions.find_limit(logits[list(shown)])
    rows = [positions.move_logit(logits, target, number, limit, count) for number in shown]
    rows.append(positions.move_confidence(direction, target, setting.confidence, count))
    rows.append(positions.move_smoothing(logits, given, setting.smoothing))
    rows.append(positions.move_class(logits, given, setting.smoothing, shown))
    starts = np.cumsum([0] + [one.positions.size for one in rows])
    values = _measure(rows, shown, np.concatenate([one.logits for one in rows]))
    state = values[:, -1]
    sliders = [
        Slider(
            one.kind,
            one.number,
            one.positions.astype(np.float32),
            int(np.argmin(np.abs(one.positions - one.own))),
            int(start),
            _find_stretches(state[start : start + one.positions.size] == STUCK, one.positions),
            _find_stretches(state[start : start + one.positions.size] == RIGHT, one.positions),
        )
        for one, start in zip(rows, starts, strict=False)
    ]
    home = _find_logits(comparison, setting.sample)
    last = np.concatenate([one.targets for one in rows[-2:]])
    return SliderTables(
        setting=setting,
        logits=logits,
        target=target,
        moved=bool((logits != home).any() or (target != data).any()),
        shown=shown,
        true_class=int(target.argmax()),
        sliders=tuple(sliders),
        values=values,
        targets=last[:, list(shown)].astype(np.float32),
        scaled=rows[len(shown)].logits[:, list(shown)].astype(np.float32),
        margins=_find_margins(leads, logits, int(target.argmax())),
    )


def _find_logits(comparison: LossComparison, sample: int) -> np.ndarray:
    """A sample's logits; -inf, from which nothing can be moved, becomes a very small number."""
    logits = comparison.logits[sample]
    return steady_logits(tf.zeros_like(logits), logits).numpy()


def _measure(rows: Sequence[Rows], shown: tuple[int, ...], logits: np.ndarray) -> np.ndarray:
    """The table's values [rows, columns], a part at a time where the classes are very many."""
    targets = np.concatenate([one.targets for one in rows])
    directions = np.concatenate(
        [
            np.full_like(one.logits, np.nan) if one.directions is None else one.directions
            for one in rows
        ]
    )
    peak = find_peak(logits.shape[1])
    size = max(1, CHUNK_ENTRIES // logits.shape[1])
    parts = []
    for i in range(0, len(logits), size):
        part = slice(i, i + size)
        blocks = [tf.constant(block[part]) for block in (logits, targets, directions)]
        parts.append(_measure_rows(blocks[0], blocks[1], blocks[2], shown, peak))
    with np.errstate(over="ignore"):  # a ratio of float64 may be too large for float32: inf
        return np.concatenate(parts).astype(np.float32)


def _measure_rows(
    logits: Any, targets: Any, directions: Any, shown: tuple[int, ...], peak: float
) -> np.ndarray:
    losses = take_losses(targets, logits)
    ways = write_crossentropy(targets, logits, losses)
    gradients = (losses.crossentropy_gradient, losses.mse_gradient)
    pulls = [tf.norm(gradient, axis=1) for gradient in gradients]
    per_class = [tf.gather(one, shown, axis=1) for one in (losses.probabilities, *gradients)]
    scalars = [
        losses.crossentropy,
        losses.mse,
        *pulls,
        pulls[0] / pulls[1],
        *(tf.reduce_sum(gradient * directions, axis=1) for gradient in gradients),
        *ways.probabilities,
        *ways.hand,
        _find_state(logits, tf.argmax(targets, 1), pulls[1], peak),
    ]
    return tf.concat([*per_class, tf.stack(scalars, axis=1)], axis=1).numpy()


def _find_state(logits: Any, true_class: Any, mse_pull: Any, peak: float) -> Any:
    """Right, wrong, wrong with MSE stuck, or undecided between the true class and another."""
    own = tf.gather(logits, true_class, batch_dims=1)
    best = tf.reduce_max(logits, axis=1)
    tied = tf.reduce_sum(tf.cast(logits == best[:, None], tf.int32), axis=1) > 1
    stuck = tf.where(mse_pull < VANISHED * peak, STUCK, WRONG)
    return tf.cast(tf.where(own == best, tf.where(tied, UNDECIDED, RIGHT), stuck), logits.dtype)


@functools.cache
def find_peak(classes: int) -> float:
    """The largest pull of MSE where a true and one wrong class share the probability.

    With p for the true class it is sqrt(2) * 4 p (1 - p)² / classes, largest at p = 1/3.
    """
    lead = tf.linspace(-8.0, 8.0, 1601)
    logits = tf.stack([lead, tf.zeros_like(lead)], axis=1)
    pull = tf.norm(
        take_losses(tf.one_hot(tf.zeros([1601], tf.int32), 2), logits).mse_gradient, axis=1
    )
    return float(tf.reduce_max(pull)) * 2 / classes  # the other classes only lengthen the mean


def _find_stretches(flags: np.ndarray, places: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Where ``flags`` hold: from and to, half-way to the neighbours where they do not."""
    places = places.astype(np.float64)
    edges = np.concatenate([places[:1], (places[1:] + places[:-1]) / 2, places[-1:]])
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return tuple((float(edges[a]), float(edges[b])) for a, b in changes.reshape(-1, 2))


def find_leads(comparison: LossComparison, samples: Sequence[int]) -> Any:
    """By how much each sample's true class leads all others together, [samples].

    Its logit less the log of the sum of exp of the others: crossentropy depends on it alone.
    """
    rows = list(samples)
    targets = tf.gather(comparison.targets, rows)
    logits = steady_logits(targets, tf.gather(comparison.logits, rows))
    true_class = tf.argmax(targets, 1)
    own = tf.gather(logits, true_class, batch_dims=1)
    return own - _sum_others(logits, true_class)


def _find_margins(leads: Any, logits: np.ndarray, true_class: int) -> np.ndarray:
    others = _sum_others(tf.constant(logits)[None], tf.constant([true_class]))
    return (leads + others).numpy().astype(np.float32)


def _sum_others(logits: Any, true_class: Any) -> Any:
    """log of the sum of exp of all logits but the true class's, [rows]."""
    own = tf.one_hot(true_class, logits.shape[1], on_value=True, off_value=False)
    return tf.reduce_logsumexp(tf.where(own, tf.constant(-np.inf, logits.dtype), logits), axis=1)
