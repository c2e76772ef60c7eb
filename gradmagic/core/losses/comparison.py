"""MSE and crossentropy on the same targets and predictions, and what each asks of the logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core import runs
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _, join_items
from gradmagic.core.losses.batch import read_batch, steady_logits
from gradmagic.core.sources import expand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.losses.batch import Batch


@dataclass(frozen=True, eq=False)
class LossSource:
    """One source and the gradients of both batch means with respect to it, of its own shape."""

    name: str
    tensor: Any
    mse_gradient: Any
    crossentropy_gradient: Any


@dataclass(frozen=True, eq=False)
class LossComparison:
    """MSE and crossentropy of one batch; tensors are as TensorFlow returned them.

    Attributes
    ----------
    mse, crossentropy
        The batch means; crossentropy in nats.
    crossentropy_bits
        The same in bits: nats divided by ln 2.
    accuracy
        Share of the samples whose largest logit is that of the true class.
    per_sample_mse, per_sample_crossentropy
        [batch]: ``tf.losses.MSE`` (a mean over the classes), and nats.
    mse_gradient, crossentropy_gradient
        [batch, classes]: gradients of the batch means with respect to the logits.
    mse_pull, crossentropy_pull
        [batch]: the norm of the gradient of each sample's own loss with respect to its logits.
    probabilities, logits, targets
        [batch, classes]. Of probabilities p, the logits are log p.
    batch
        The targets and predictions as they were read; its ``notes`` say how.
    sources
        What ``sources`` asked for.
    """

    mse: float
    crossentropy: float
    crossentropy_bits: float
    accuracy: float
    per_sample_mse: Any
    per_sample_crossentropy: Any
    mse_gradient: Any
    crossentropy_gradient: Any
    mse_pull: Any
    crossentropy_pull: Any
    probabilities: Any
    logits: Any
    targets: Any
    batch: Batch
    sources: tuple[LossSource, ...] = ()


@dataclass(frozen=True, eq=False)
class Losses:
    """Both losses of rows of logits [rows, classes]; the gradients are those of each row's loss."""

    probabilities: Any
    mse: Any
    crossentropy: Any
    mse_gradient: Any
    crossentropy_gradient: Any


@dataclass(frozen=True)
class BatchFigures:
    """The same two batch means, written in several ways.

    ``mse`` by name of the way; ``crossentropy``, in nats and in bits, by name of the way, with
    ``"binary"`` among them where there are two classes.
    """

    mse: dict[str, float]
    crossentropy: dict[str, tuple[float, float]]


def compare_losses(
    targets: Any,
    predictions: Any,
    from_logits: bool | None = None,  # noqa: FBT001  (TensorFlow's own argument)
    sources: Mapping[str, Any] | Sequence[Any] | None = None,
) -> LossComparison:
    """MSE and crossentropy of the same batch: see :func:`gradmagic.compare_losses`.

    Raises
    ------
    UserError
        Targets, predictions and sources that do not fit.
    """
    batch = read_batch(targets, predictions, from_logits)
    logits = batch.compute_logits(batch.predictions)
    steady = steady_logits(batch.targets, logits)
    losses = take_losses(batch.targets, steady)
    mse, crossentropy = tf.reduce_mean(losses.mse), tf.reduce_mean(losses.crossentropy)
    count = tf.cast(batch.targets.shape[0], steady.dtype)
    right = tf.argmax(steady, 1) == tf.argmax(batch.targets, 1)
    return LossComparison(
        mse=float(mse),
        crossentropy=float(crossentropy),
        crossentropy_bits=float(crossentropy / tf.math.log(tf.cast(2, crossentropy.dtype))),
        accuracy=float(tf.reduce_mean(tf.cast(right, tf.float64))),
        per_sample_mse=losses.mse,
        per_sample_crossentropy=losses.crossentropy,
        mse_gradient=losses.mse_gradient / count,  # (each sample's share of the mean)
        crossentropy_gradient=losses.crossentropy_gradient / count,
        mse_pull=tf.norm(losses.mse_gradient, axis=1),
        crossentropy_pull=tf.norm(losses.crossentropy_gradient, axis=1),
        probabilities=losses.probabilities,
        logits=logits,
        targets=batch.targets,
        batch=batch,
        sources=_take_sources(batch, sources),
    )


def take_losses(targets: Any, logits: Any) -> Losses:
    """Both losses of each row, and the gradient of each row's loss with respect to its logits."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        probabilities = tf.nn.softmax(logits)
        mse = tf.losses.MSE(targets, probabilities)
        crossentropy = _take_crossentropy(targets, logits)
    return Losses(
        probabilities,
        mse,
        crossentropy,
        tape.gradient(mse, logits),
        tape.gradient(crossentropy, logits),
    )


def _take_crossentropy(targets: Any, logits: Any) -> Any:
    return tf.losses.categorical_crossentropy(targets, logits, from_logits=True)


def compute_figures(comparison: LossComparison) -> BatchFigures:
    """The batch means in the ways of the textbooks: they agree, but for rounding."""
    y, p = comparison.targets, comparison.probabilities
    nats = {
        "logits": tf.reduce_mean(comparison.per_sample_crossentropy),
        "probabilities": tf.reduce_mean(tf.losses.categorical_crossentropy(y, p)),
        "hand": tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(p), axis=1)),
    }
    if y.shape[1] == 2:
        nats["binary"] = tf.reduce_mean(tf.losses.binary_crossentropy(y, p))
    bit = tf.math.log(tf.cast(2, y.dtype))
    return BatchFigures(
        mse={
            "mean": float(tf.reduce_mean((y - p) ** 2)),
            "norm": float(tf.norm(y - p) ** 2 / (y.shape[0] * y.shape[1])),
            "keras": comparison.mse,
        },
        crossentropy={way: (float(value), float(value / bit)) for way, value in nats.items()},
    )


def take_sample_sources(comparison: LossComparison, sample: int) -> tuple[LossSource, ...]:
    """The sources' gradients of one sample's own losses, not of the batch means."""
    batch = comparison.batch
    keep = tf.one_hot(sample, batch.targets.shape[0], dtype=batch.targets.dtype)
    return _pull(batch, {one.name: one.tensor for one in comparison.sources}, keep)


def _take_sources(
    batch: Batch, sources: Mapping[str, Any] | Sequence[Any] | None
) -> tuple[LossSource, ...]:
    if sources is None:
        return ()
    named = sources if isinstance(sources, Mapping) else {"sources": sources}
    entries = [entry for name, value in named.items() for entry in expand(name, value)]
    count = batch.targets.shape[0]
    shares = tf.fill([count], 1 / tf.cast(count, batch.targets.dtype))
    return _pull(batch, {entry.name: entry.tensor for entry in entries}, shares)


def _pull(batch: Batch, sources: Mapping[str, Any], shares: Any) -> tuple[LossSource, ...]:
    """Gradients of the samples' losses, weighted with ``shares`` [batch], by the recorded tape."""
    tape = runs.last_tape()
    if tape is None or not tape.is_readable():
        raise UserError(
            _(
                "the tape of the last %%gradtape cell is gone or used up, so nothing leads back to "
                "{names}; run the cell again"
            ).format(names=join_items(sources))
        )
    given = batch.predictions
    with tf.GradientTape(persistent=True) as losses:
        losses.watch(given)
        logits = steady_logits(batch.targets, batch.compute_logits(given))
        mse = tf.losses.MSE(batch.targets, tf.nn.softmax(logits)) * shares
        crossentropy = _take_crossentropy(batch.targets, logits) * shares
    reader = tape.reader()
    tensors = list(sources.values())
    pulled = [
        reader.gradient(given, tensors, output_gradients=losses.gradient(loss, given))
        for loss in (mse, crossentropy)
    ]
    found = []
    for (name, tensor), by_mse, by_crossentropy in zip(sources.items(), *pulled, strict=True):
        if by_mse is None:
            raise UserError(
                _(
                    "the last %%gradtape cell shows no path from {name} to the predictions; make "
                    "the predictions in a %%gradtape cell that names {name}"
                ).format(name=name)
            )
        found.append(
            LossSource(
                name, tensor, tf.convert_to_tensor(by_mse), tf.convert_to_tensor(by_crossentropy)
            )
        )
    return tuple(found)
