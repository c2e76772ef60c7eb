"""Why a gradient is None, zero or NaN, and what is wrong with a loss: from what really ran."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from gradmagic.core.diagnose.losses.pitfalls import find_pitfalls
from gradmagic.core.diagnose.none.missing import explain_missing
from gradmagic.core.diagnose.values.layers import compare_layers
from gradmagic.core.diagnose.values.nonfinite import explain_nonfinite
from gradmagic.core.diagnose.values.zeros import explain_zeros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.records import Diagnosis

# Every kind of diagnosis, worst first.
KINDS = (
    # a number that is none
    "nan-gradient",
    "inf-gradient",
    # a loss that is another than it seems
    "shape-broadcast",
    "one-unit-crossentropy",
    "arguments-swapped",
    "labels-not-one-hot",
    "one-hot-off",
    "logits-as-probabilities",
    "probabilities-as-logits",
    # no gradient
    "target-constant",
    "tape-consumed",
    "recording-stopped",
    "left-tensorflow",
    "computed-before-tape",
    "variable-replaced",
    "stateful-assign",
    "integer-dtype",
    "not-differentiable",
    "stop-gradient",
    "no-gradient-registered",
    "control-flow",
    "not-watched",
    "not-trainable",
    "layer-not-called",
    "not-used",
    # a gradient that does not help
    "clipped-probability",
    "dead-relu",
    "saturated",
    "constant-region",
    "zero-gradient",
    "exploding",
    "vanishing",
    # good to know
    "softmax-then-crossentropy",
    "mse-on-one-hot",
)

# Kinds that only an exception in the cell has, of which there is no run.
FAILURES = ("shape-mismatch", "dtype-mismatch")


_EXPLAINERS = (explain_missing, explain_nonfinite, explain_zeros, compare_layers, find_pitfalls)


def diagnose(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """What there is to say about a run, worst first; the sources in their order.

    The cell has run: what cannot be explained for a fault of this package warns, and no more.
    """
    found = [
        _keep_if_pasted(evidence, one) for explain in _EXPLAINERS for one in _try(explain, evidence)
    ]
    return tuple(sorted(found, key=lambda one: KINDS.index(one.kind)))


def _keep_if_pasted(evidence: Evidence, one: Diagnosis) -> Diagnosis:
    """Without its fix, where pasting that over its line would take other code away."""
    in_place = one.fix and one.line is not None and not one.fix.startswith("%%")
    if in_place and not evidence.code.stands_alone(one.line):
        return replace(one, fix="")
    return one


def _try(explain: Callable[[Evidence], Iterable[Diagnosis]], evidence: Evidence) -> list[Diagnosis]:
    try:
        return list(explain(evidence))
    except Exception as error:  # whatever it is, the run is not lost
        name = explain.__module__.rpartition(".")[-1]
        warnings.warn(f"gradmagic could not explain this run ({name}): {error!r}", stacklevel=2)
        return []
