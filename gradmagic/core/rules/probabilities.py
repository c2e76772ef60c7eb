"""Rules of softmax and of the crossentropies."""

from __future__ import annotations

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.rule import (
    Call,
    Index,
    MissingValueError,
    Rule,
    SlotRule,
    Terms,
    make_term,
    take,
)


def _find_softmax(call: Call, index: Index) -> Terms:
    g, p = call.gradient[index[:-1]], call.take_output()[index[:-1]]
    at, mean = index[-1], float((g * p).sum())
    value = float((g[at] - mean) * p[at])
    return make_term("({g} − {m}) · {p}", value, g=g[at], m=mean, p=p[at])


def _find_log_softmax(call: Call, index: Index) -> Terms:
    g, p = call.gradient[index[:-1]], np.exp(call.take_output()[index[:-1]])
    at, total = index[-1], float(g.sum())
    value = float(g[at] - total * p[at])
    return make_term("{g} − {t} · {p}", value, g=g[at], t=total, p=p[at])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _take_loss_gradient(call: Call, row: int) -> float:
    """The gradient of one sample's loss; the op's second output is for TensorFlow's own use."""
    second = call.upstream[1] if len(call.upstream) > 1 else None
    if second is not None and np.any(np.asarray(second, np.float64)):
        raise MissingValueError
    return float(call.gradient[row])


def _find_logits(call: Call, index: Index) -> Terms:
    row, column = index
    logits = call.take_input(0)
    labels = np.broadcast_to(call.take_input(1), logits.shape)
    return _subtract_label(call, index, float(labels[row, column]))


def _find_sparse_logits(call: Call, index: Index) -> Terms:
    row, column = index
    return _subtract_label(call, index, float(call.take_raw(1)[row] == column))


def _subtract_label(call: Call, index: Index, label: float) -> Terms:
    row, column = index
    p = float(np.exp(_log_softmax(call.take_input(0)[row]))[column])
    g = _take_loss_gradient(call, row)
    return make_term("({p} − {y}) · {g}", (p - label) * g, p=p, y=label, g=g)


def _find_labels(call: Call, index: Index) -> Terms:
    row, column = index
    log_p = float(_log_softmax(call.take_input(0)[row])[column])
    g = _take_loss_gradient(call, row)
    return make_term("−{g} · {l}", -g * log_p, g=g, l=log_p)


_LOGITS = N_("The probability minus the label, times the upstream gradient of the sample's loss.")

RULES = (
    Rule(
        "Softmax",
        (
            SlotRule(
                "x",
                N_(
                    "Each entry's gradient minus the row's mean gradient (weighted with the "
                    "probabilities), times its probability."
                ),
                "dL/d{x} = {z} · (dL/d{z} − Σ dL/d{z} · {z})",
                "",
                _find_softmax,
            ),
        ),
        N_(
            "Its Jacobian is diag(z) − z zᵀ: raising one logit lowers the other probabilities. "
            "Near 0 and 1 the slope is near 0: it saturates."
        ),
    ),
    Rule(
        "LogSoftmax",
        (
            SlotRule(
                "x",
                N_("The upstream gradient minus the row's sum of gradients times the probability."),
                "dL/d{x} = dL/d{z} − softmax({x}) · Σ dL/d{z}",
                "",
                _find_log_softmax,
            ),
        ),
    ),
    Rule(
        "SoftmaxCrossEntropyWithLogits",
        (
            SlotRule(
                "logits",
                _LOGITS,
                "dL/d{logits} = (softmax({logits}) − {labels}) · dL/d{z}",
                "",
                _find_logits,
            ),
            SlotRule(
                "labels",
                N_("Minus the logarithm of the probability, times the upstream gradient."),
                "dL/d{labels} = −log(softmax({logits})) · dL/d{z}",
                "",
                _find_labels,
            ),
        ),
        N_("It stays large where the model is wrong: no slope of the softmax makes it small."),
    ),
    Rule(
        "SparseSoftmaxCrossEntropyWithLogits",
        (
            SlotRule(
                "logits",
                _LOGITS,
                "dL/d{logits} = (softmax({logits}) − one_hot({labels})) · dL/d{z}",
                "",
                _find_sparse_logits,
            ),
            take("labels", N_("Class numbers are whole numbers: no gradient.")),
        ),
        N_("It stays large where the model is wrong: no slope of the softmax makes it small."),
    ),
)
