"""Questions about a shape: of a gradient, a Jacobian, the Hessian."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.asking.reasons import explain_shape, explain_truth
from gradmagic.core.asking.records import Choice, Question
from gradmagic.core.i18n import _, join_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.asker import Asker
    from gradmagic.core.records import Gradient, Hessian


def ask_shape(asker: Asker, key: str, gradient: Gradient) -> Question:
    """The shape of a gradient: its source's own."""
    shape = find_shape(gradient)
    batch = asker.run.per_sample.count if asker.run.per_sample is not None else 32
    others = [shape[::-1], (batch, *shape), shape[-1:], ()]
    text = _("What is the shape of {derivative}? {name} has the shape {shape}.").format(
        derivative=asker.name(gradient), name=gradient.name, shape=write_shape(shape)
    )
    found = gradient.gradient
    right = ("none",) if found is None else (name_shape(shape),)
    truth = write_shape(shape) if found is not None else asker.tell(gradient, None)
    why = explain_truth(asker.run, gradient) if found is None else explain_shape(gradient.name)
    return Question(
        key, gradient.name, "choice", text,
        asker.offer(*offer_shapes(shape, others, f"{gradient.name}{shape}")),
        right=right, truth=truth, why=why,
    )  # fmt: skip


def ask_jacobian(asker: Asker, key: str, gradient: Gradient) -> Question:
    """The shape of d target / d source, each of their entries against each."""
    outputs = tuple(size or 0 for size in asker.run.target.value.shape)
    inputs = find_shape(gradient)
    name = f"d {asker.run.target.name} / d {gradient.name}"
    text = _(
        "What is the shape of the Jacobian {derivative}? "
        "{target} has the shape {outputs}, {name} the shape {inputs}."
    ).format(
        derivative=name,
        target=asker.run.target.name,
        outputs=write_shape(outputs),
        name=gradient.name,
        inputs=write_shape(inputs),
    )
    others = [inputs + outputs, inputs, outputs, (math.prod(outputs), math.prod(inputs)), ()]
    right = ("none",) if gradient.jacobian is None else (name_shape(outputs + inputs),)
    none = gradient.jacobian is None
    truth = asker.tell(gradient, None) if none else write_shape(outputs + inputs)
    why = explain_truth(asker.run, gradient) if none else (
        _("For each entry of {target} it has one number for each entry of {name}: "
          "the shape of {target}, then that of {name}.").format(
              target=asker.run.target.name, name=gradient.name),
    )  # fmt: skip
    return Question(
        key, gradient.name, "choice", text,
        asker.offer(*offer_shapes(outputs + inputs, others, name)),
        right=right, truth=truth, why=why,
    )  # fmt: skip


def ask_hessian(hessian: Hessian, key: str) -> Question:
    """The shape of the Hessian."""
    names, total = join_items(hessian.names), sum(hessian.sizes)
    text = _("What is the shape of the Hessian over all entries of {names}? There are {count}.")
    others = [(total,), (len(hessian.names), total), (total, total, total), ()]
    right = (int(hessian.matrix.shape[0]), int(hessian.matrix.shape[1]))
    shapes = offer_shapes(right, others, names)
    return Question(
        key, names, "choice", text.format(names=names, count=total),
        tuple(Choice(value, label) for value, label in shapes),
        right=(name_shape(right),), truth=write_shape(right),
        why=(_("A row and a column for each entry: how each gradient changes with each entry."),),
    )  # fmt: skip


def offer_shapes(
    right: tuple[int, ...], others: Sequence[tuple[int, ...]], seed: str
) -> list[tuple[str, str]]:
    """Shapes to choose from, at most four; the right one stands at a place that the name gives."""
    wrong = [one for one in dict.fromkeys(others) if one != right][:3]
    wrong.insert(sum(seed.encode()) % (len(wrong) + 1), right)
    return [(name_shape(one), write_shape(one)) for one in wrong]


def name_shape(shape: tuple[int, ...]) -> str:
    """What stands for a shape among the choices: ``2x3``."""
    return "x".join(map(str, shape)) or "scalar"


def write_shape(shape: tuple[int, ...]) -> str:
    """``[2, 3]``."""
    return f"[{', '.join(map(str, shape))}]" if shape else _("scalar")


def find_shape(gradient: Gradient) -> tuple[int, ...]:
    """The shape of a source; 0 for a side that is not known."""
    shape = () if gradient.value is None else gradient.value.shape
    return tuple(size or 0 for size in shape)
