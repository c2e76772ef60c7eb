"""Two descents from one start: one on MSE, one on crossentropy, and nothing else different."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.losses.batch import steady_logits
from gradmagic.core.losses.comparison import take_losses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.losses.panel import LossPanel

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam")
MOST_STEPS = 10_000
MOMENTUM = 0.9
MOST_ENTRIES = 200_000  # logits that run; of more samples, those that are listed


@dataclass(frozen=True)
class RaceOptions:
    """What both descents share; ``optimizer`` is one of ``OPTIMIZERS``, by Keras' defaults."""

    learning_rate: float = 1.0
    steps: int = 200
    optimizer: str = "sgd"

    def check(self) -> None:
        """UserError where it cannot be run."""
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UserError(_("the learning rate must be above 0"))
        if not 1 <= self.steps <= MOST_STEPS:
            raise UserError(_("the number of steps must be 1 to {most}").format(most=MOST_STEPS))
        if self.optimizer not in OPTIMIZERS:
            raise UserError(
                _("there is no optimizer {name}; there are {known}").format(
                    name=self.optimizer, known=", ".join(OPTIMIZERS)
                )
            )


class Lap(NamedTuple):
    """One descent after some steps: the batch's mean loss, accuracy, and mean pull.

    A sample's pull is the norm of the gradient of its own loss with respect to its logits.
    """

    loss: float
    accuracy: float
    pull: float


class Laps(NamedTuple):
    """Both descents after the same number of steps."""

    crossentropy: Lap
    mse: Lap


def run_race(targets: Any, logits: Any, options: RaceOptions) -> Iterator[Laps]:
    """Move the logits themselves down each loss: yields the start, then each step.

    Each sample descends its own loss (the batch's sum is differentiated), so that one learning rate
    means the same for every batch size.

    Parameters
    ----------
    targets, logits
        [batch, classes].
    options
        What both descents share.

    Raises
    ------
    UserError
        The options make no sense.
    """
    options.check()
    start = steady_logits(targets, logits)
    runners = [_Runner(targets, start, options, name) for name in Laps._fields]
    for step in range(options.steps + 1):
        yield Laps(*(runner.advance(last=step == options.steps) for runner in runners))


class _Runner:
    """One descent."""

    def __init__(self, targets: Any, start: Any, options: RaceOptions, loss: str) -> None:
        self.targets = targets
        self.loss = loss
        self.true_class = tf.argmax(targets, 1)
        self.logits = tf.keras.Variable(start)
        self.optimizer = _make_optimizer(options)
        self.optimizer.build([self.logits])

    def advance(self, *, last: bool) -> Lap:
        """Measure where it is, then take a step, unless it is the last."""
        logits = tf.convert_to_tensor(self.logits)
        losses = take_losses(self.targets, logits)
        loss, gradient = getattr(losses, self.loss), getattr(losses, f"{self.loss}_gradient")
        right = tf.argmax(logits, 1) == self.true_class
        lap = Lap(
            float(tf.reduce_mean(loss)),
            float(tf.reduce_mean(tf.cast(right, tf.float64))),
            float(tf.reduce_mean(tf.norm(gradient, axis=1))),
        )
        if not last:
            self.optimizer.apply([gradient])
        return lap


def _make_optimizer(options: RaceOptions) -> Any:
    kinds = tf.keras.optimizers
    rate = options.learning_rate
    if options.optimizer == "adam":
        return kinds.Adam(rate)
    if options.optimizer == "rmsprop":
        return kinds.RMSprop(rate)
    if options.optimizer == "sgd":
        return kinds.SGD(rate)
    return kinds.SGD(rate, momentum=MOMENTUM, nesterov=options.optimizer == "nesterov")


def choose_start(panel: LossPanel, start: str) -> tuple[Any, Any]:
    """Targets and logits of the samples that run."""
    if start == "sample":
        tables = panel.hand.tables
        return tf.constant(tables.target)[None], tf.constant(tables.logits)[None]
    targets, logits = panel.comparison.targets, panel.comparison.logits
    if is_sampled(panel):
        rows = list(panel.listed)
        return tf.gather(targets, rows), tf.gather(logits, rows)
    return targets, logits


def is_sampled(panel: LossPanel) -> bool:
    """Whether the batch is so large that only the listed samples run."""
    samples, classes = panel.comparison.targets.shape
    return bool(samples * classes > MOST_ENTRIES)
