"""Why a gradient is None: what the run itself shows, in a sentence, with code to type instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Diagnosis, Gradient
from gradmagic.core.sources import identify_parts, is_differentiable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.recorder import CellTape, Recorder
    from gradmagic.core.sources import Entry


def diagnose(
    gradients: Sequence[Gradient],
    entries: Sequence[Entry],
    tape: CellTape,
    recorder: Recorder,
    target: str,
    blocked: frozenset[str],
) -> Iterator[Diagnosis]:
    """The diagnoses of one run, those of the sources first.

    Parameters
    ----------
    gradients, entries
        The gradients and the source tensors that they belong to, in the same order.
    tape, recorder
        What the run left.
    target
        Its name.
    blocked
        Ops without a registered gradient that the target depends on.
    """
    if not gradients:
        message = _("The tape watched nothing, so there is no gradient: name a tensor as a source.")
        yield Diagnosis("nothing-watched", target, None, None, message, "%%gradtape w")
    unread = False if recorder.ops and not recorder.unclear else None  # None: it is unclear
    used = {number for op in recorder.ops for number in op.inputs}
    watched = {id(variable) for variable in tape.watched_variables()}
    for gradient, entry in zip(gradients, entries, strict=True):
        if gradient.result is None:
            yield _explain_none(
                gradient,
                entry.tensor,
                target,
                watched=id(entry.tensor) in watched,
                read=True if identify_parts(entry.tensor) & used else unread,
                blocked=blocked,
            )
    if recorder.missing:
        message = _n(
            "{count} op ran in another thread, where no tape records it; "
            "it is missing from the graph, and no gradient flows through it.",
            "{count} ops ran in other threads, where no tape records them; "
            "they are missing from the graph, and no gradient flows through them.",
            recorder.missing,
        ).format(count=recorder.missing)
        yield Diagnosis("other-threads", target, None, None, message)


def _explain_none(
    gradient: Gradient,
    tensor: Any,
    target: str,
    *,
    watched: bool,
    read: bool | None,
    blocked: frozenset[str],
) -> Diagnosis:
    name, line = gradient.name, gradient.bound[gradient.taken]
    if not is_differentiable(tensor):
        message = _(
            "{name} is {dtype}, and TensorFlow differentiates only float and complex tensors."
        ).format(name=name, dtype=tensor.dtype.name)
        return Diagnosis(
            "integer-dtype", name, line, None, message, f"{name} = tf.cast({name}, tf.float32)"
        )
    if blocked:
        ops = ", ".join(sorted(blocked))
        message = _(
            "The path from {target} to {name} may lead through {ops}, "
            "for which TensorFlow has no gradient."
        ).format(target=target, name=name, ops=ops)
        return Diagnosis("no-gradient-registered", name, line, ops, message)
    if gradient.variable and not watched:
        if not tensor.trainable:
            message = _(
                "{name} is a Variable with trainable=False, so the tape does not watch it "
                "by itself."
            ).format(name=name)
            return Diagnosis("not-watched", name, line, None, message, f"tape.watch({name})")
        if read is False:
            message = _("The cell did not read {name}, so {target} does not depend on it.")
            message = message.format(name=name, target=target)
            return Diagnosis("not-used", name, line, None, message)
        message = _("The tape did not watch {name}.").format(name=name)
        return Diagnosis("not-watched", name, line, None, message, f"tape.watch({name})")
    message = _("The tape found no path from {target} back to {name}.").format(
        target=target, name=name
    )
    return Diagnosis("not-used", name, line, None, message)
