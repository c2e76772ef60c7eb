"""Why a gradient is None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.diagnose.flow import join, look_ahead
from gradmagic.core.diagnose.none import unreached, unwatched
from gradmagic.core.diagnose.none.breaks import explain_breaks, find_blocked
from gradmagic.core.diagnose.none.mending import add_after
from gradmagic.core.diagnose.none.replaced import explain_replaced
from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Diagnosis
from gradmagic.core.sources import is_differentiable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gradmagic.core.diagnose.evidence import Evidence, Subject
    from gradmagic.core.diagnose.flow import Break, Ways


def explain_missing(evidence: Evidence) -> Iterator[Diagnosis]:
    """A diagnosis for each source without a gradient, and for what no tape could see."""
    replaced = list(explain_replaced(evidence))
    yield from replaced
    if not evidence.subjects and not replaced:
        constant = unreached.explain_constant(evidence)
        yield from [constant] if constant is not None else unwatched.explain_unwatched(evidence)
    missing = [subject for subject in evidence.subjects if not subject.connected]
    ways = look_ahead(evidence) if missing else {}
    found = [one for subject in missing for one in _explain(evidence, subject, ways)]
    constant = unreached.explain_constant(evidence) if found else None
    if constant is not None and all(one.kind in ("not-used", "layer-not-called") for one in found):
        found = [constant]
    yield from found
    yield from unwatched.explain_frozen(evidence)
    if evidence.recorder.missing:
        message = _n(
            "{count} op ran in another thread, where no tape records it; "
            "it is missing from the graph, and no gradient flows through it.",
            "{count} ops ran in other threads, where no tape records them; "
            "they are missing from the graph, and no gradient flows through them.",
            evidence.recorder.missing,
        ).format(count=evidence.recorder.missing)
        yield Diagnosis("recording-stopped", evidence.target.name, None, None, message)


def _explain(evidence: Evidence, subject: Subject, ways: Mapping[int, Ways]) -> Iterator[Diagnosis]:
    if not is_differentiable(subject.tensor):
        yield _explain_dtype(evidence, subject)
        return
    found = join(ways, subject.numbers)
    if found is None:
        yield unreached.explain_unreached(evidence, subject)
    elif found.count:
        yield from explain_breaks(evidence, subject, found.breaks)
    else:
        not_watched = unwatched.explain_unwatched_source(evidence, subject)
        if not_watched is not None:
            yield not_watched
            return
        # beside the open way, one leads through an op without a gradient; or a rule gives none
        breaks = find_blocked(evidence, subject) or _ask(evidence, subject)
        if breaks:
            yield from explain_breaks(evidence, subject, breaks)
        else:
            yield _say_unknown(evidence, subject)


def _ask(evidence: Evidence, subject: Subject) -> Collection[Break]:
    """Where the tape itself says that no gradient comes back: the first op on each way."""
    found = join(evidence.asked, subject.numbers)
    breaks = frozenset() if found is None else found.breaks
    after = {one: evidence.follow(frozenset({one.output})) for one in breaks}
    return [one for one in breaks if not any(one.number in reached for reached in after.values())]


def _say_unknown(evidence: Evidence, subject: Subject) -> Diagnosis:
    message = _(
        "{target} was computed from {name}, but the tape gives no gradient; why is not known."
    ).format(target=evidence.target.name, name=subject.name)
    return Diagnosis("not-differentiable", subject.name, None, None, message)


def _explain_dtype(evidence: Evidence, subject: Subject) -> Diagnosis:
    name, line = subject.name, subject.gradient.bound[subject.gradient.taken]
    message = _(
        "{name} is {dtype}, and TensorFlow differentiates only float and complex tensors."
    ).format(name=name, dtype=subject.tensor.dtype.name)
    cast = f"{name} = tf.cast({name}, tf.float32)"
    if subject.gradient.variable:
        cast = f"{name} = tf.Variable(tf.cast({name}, tf.float32))"
    return Diagnosis("integer-dtype", name, line, None, message, add_after(evidence, line, cast))
