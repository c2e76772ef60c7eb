"""The positions that the sliders of one sample can take, and the rows that they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

SMOOTHINGS = 19  # from 0 to 0.9
# a lead of one logit at which all other probabilities are 0
SATURATED = 128.0
DOUBLE_SATURATED = 800.0  # in float64
RANGES = (12, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

SliderKind = Literal["logit", "confidence", "smoothing", "class"]


@dataclass(frozen=True, eq=False)
class Rows:
    """One slider's positions and what they stand for: [positions, classes] each.

    ``directions``: how the logits change with the slider; None where it moves the target.
    """

    kind: SliderKind
    number: int | None
    positions: np.ndarray
    own: float
    logits: np.ndarray
    targets: np.ndarray
    directions: np.ndarray | None = None


def move_logit(
    logits: np.ndarray, target: np.ndarray, number: int, limit: float, count: int
) -> Rows:
    """One class's logit from -limit to limit, the others as they are."""
    places = _insert(np.linspace(-limit, limit, count), logits[number])
    block = _repeat(logits, places)
    block[:, number] = places
    along = np.zeros_like(block)
    along[:, number] = 1
    own = float(logits[number])
    return Rows("logit", number, places, own, block, _repeat(target, places), along)


def move_confidence(
    direction: np.ndarray, target: np.ndarray, confidence: float, count: int
) -> Rows:
    """Far enough both ways for the true class's probability to become 0, where logits differ."""
    own = direction[target.argmax()]
    spread = float(max(direction.max() - own, own - direction.min()))
    lead = DOUBLE_SATURATED if direction.dtype == np.float64 else SATURATED
    furthest = math.ceil(lead / spread) if spread > lead / 1e4 else 16
    root = math.sqrt(max(furthest, 4))
    steps = np.linspace(-root, root, count)  # squares: finer where little changes much
    places = _insert(np.sign(steps) * steps**2, 1.0, np.asarray(confidence, direction.dtype))
    block = (tf.constant(places)[:, None] * tf.constant(direction)).numpy()
    along = _repeat(direction, places)
    return Rows("confidence", None, places, confidence, block, _repeat(target, places), along)


def move_smoothing(logits: np.ndarray, given: np.ndarray, smoothing: float) -> Rows:
    """The share of the target that is spread over all classes."""
    places = _insert(np.linspace(0, 0.9, SMOOTHINGS), np.asarray(smoothing, logits.dtype))
    targets = smooth(given[None], places[:, None])
    return Rows("smoothing", None, places, smoothing, _repeat(logits, places), targets)


def move_class(
    logits: np.ndarray, given: np.ndarray, smoothing: float, shown: tuple[int, ...]
) -> Rows:
    """Each shown class as the true one."""
    own = int(given.argmax())
    hot = [given if number == own else make_hot(number, given) for number in shown]
    targets = smooth(np.stack(hot), smoothing)
    places = np.array(shown, logits.dtype)
    return Rows("class", None, places, own, _repeat(logits, places), targets)


def _repeat(row: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.repeat(row[None], places.size, 0)


def _insert(grid: np.ndarray, *own: Any) -> np.ndarray:
    """The grid with positions of its own, in their dtype, each once."""
    dtype = np.asarray(own[-1]).dtype
    return np.unique(np.concatenate([grid.astype(dtype), np.array(own, dtype)]))


def make_hot(number: int, like: np.ndarray) -> np.ndarray:
    """One-hot, of the size and dtype of another target."""
    return tf.one_hot(number, like.size, dtype=like.dtype).numpy()


def smooth(targets: np.ndarray, shares: Any) -> np.ndarray:
    """Label smoothing: (1 - share) * target + share / classes (Szegedy and others, 2016)."""
    if not np.any(shares):
        return targets
    parts = tf.constant(shares, targets.dtype)
    return ((1 - parts) * tf.constant(targets) + parts / targets.shape[-1]).numpy()


def find_limit(logits: np.ndarray) -> float:
    """How far a logit's slider goes both ways: a round number beyond all that there are."""
    largest = 1.1 * float(np.abs(logits.astype(np.float64)).max())
    if largest > RANGES[-1]:
        return 2.0 ** math.ceil(math.log2(largest))
    return next(one for one in RANGES if one >= largest)
