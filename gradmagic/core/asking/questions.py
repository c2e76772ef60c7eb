"""What is asked of a run before its gradients are shown: for each source what its size allows.

A question's kind depends on shapes alone, so that it does not give its answer away, and each offers
that there is no gradient at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.asking.asker import Asker
from gradmagic.core.asking.entries import ask_largest, ask_number, ask_sign
from gradmagic.core.asking.larger import ask_norms, ask_whether, ask_zeros
from gradmagic.core.asking.shapes import ask_hessian, ask_jacobian, ask_shape

if TYPE_CHECKING:
    from gradmagic.core.asking.records import Question
    from gradmagic.core.records import TapeRun

MOST = 6  # questions
SMALL = 40  # entries of a table to point at
WIDE = 10  # columns of it


def ask_run(run: TapeRun) -> tuple[Question, ...]:
    """A question for each of the first sources, at most ``MOST`` with that about the Hessian.

    Their truths are what TensorFlow returned.
    """
    asker = Asker(run)
    room = MOST - (run.hessian is not None)
    asked: list[Question] = []
    large = 0
    for place in range(min(len(run.gradients), room)):
        question = _ask_small(asker, place)
        if question is None:
            question = _ask_large(asker, place, large)
            large += 1
        asked.append(question)
    if run.hessian is not None:
        asked.append(ask_hessian(run.hessian, str(len(asked))))
    return tuple(asked)


def count_left(run: TapeRun) -> int:
    """The number of sources that no question is asked about."""
    return max(0, len(run.gradients) - (MOST - (run.hessian is not None)))


def _ask_small(asker: Asker, place: int) -> Question | None:
    """A question about a source whose size or kind allows one certain question; else None."""
    gradient = asker.run.gradients[place]
    key, value = str(place), gradient.value
    if "--jacobian" in asker.run.magic or gradient.jacobian is not None:
        return ask_jacobian(asker, key, gradient)
    if value is None or value.layout != "dense" or "float" not in value.dtype:
        return ask_whether(asker, key, gradient)
    if not value.shape:
        return ask_number(asker, key, gradient)
    columns = value.shape[-1] or 0
    if value.values is None or value.size > SMALL or len(value.shape) > 2 or columns > WIDE:
        return ask_sign(asker, key, gradient) if value.size == 1 else None
    if value.size < 3 and len(value.shape) == 1:
        return ask_sign(asker, key, gradient)
    return ask_largest(asker, key, gradient)


def _ask_large(asker: Asker, place: int, before: int) -> Question:
    """Shape, zeros and norms in turn; ``before``: how many larger ones were asked about."""
    key, gradient = str(place), asker.run.gradients[place]
    found = gradient.gradient
    if before % 3 == 1 and (found is None or found.layout == "dense"):  # rows alone do not tell
        return ask_zeros(asker, key, gradient)
    if before % 3 == 2:
        return ask_norms(asker, key, place)
    return ask_shape(asker, key, gradient)
