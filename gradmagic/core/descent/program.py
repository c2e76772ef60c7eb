"""The plain loop that a descent stands for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from gradmagic.core.cell import find_root
from gradmagic.core.descent.moving import MOMENTUM, OPTIMIZERS
from gradmagic.core.descent.stepping import BATCH
from gradmagic.core.insertion import Insertions
from gradmagic.core.sources import COMPOSITES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.descent.moving import Moved, Mover
    from gradmagic.core.descent.records import DescentOptions
    from gradmagic.core.descent.stepping import Body

INDENT = "    "
KERAS = {
    "sgd": "SGD({rate})",
    "momentum": f"SGD({{rate}}, momentum={MOMENTUM})",
    "nesterov": f"SGD({{rate}}, momentum={MOMENTUM}, nesterov=True)",
    "rmsprop": "RMSprop({rate})",
    "adam": "Adam({rate})",
}


def write_loop(
    cell: Cell,
    options: DescentOptions,
    moved: Moved,
    mover: Mover,
    body: Body,
    *,
    rate: float,
    gradients: Sequence[Any],
    once: bool,
) -> str:
    """The loop, ready to paste into a cell: it gives the same numbers.

    It is written for eager steps; of compiled ones, what is inside the loop is the tf.function.

    Parameters
    ----------
    cell, options, moved, mover, body
        Of the descent.
    rate
        The learning rate of its first step.
    gradients
        Those of a step: of which kind they are.
    once
        Whether ``--batches`` is an iterator, which cannot start again.
    """
    assert body.found is not None
    words = _choose_words(options, body.names)
    before, after = _write_update(options, moved, mover, words, rate, gradients)
    inserted, target = _name_target(cell, body, words)
    if options.until is not None:
        value, previous = words["value"], words["previous"]
        before.append(f"{previous} = float('nan')")
        whole = (
            target
            if _is_real_scalar(body.found.tensor)
            else f"tf.math.real(tf.reduce_sum({target}))"
        )
        after = [
            f"{value} = float({whole})",
            *after,
            f"if abs({value} - {previous}) <= {options.until!r}:",
            f"{INDENT}break",
            f"{previous} = {value}",
        ]
    lines = [*before]
    if options.batches is None:
        lines.append(f"for _ in range({options.steps}):")
    else:
        batches = options.batches
        if not once:
            lines.append("import itertools")
            batches = words["batches"]
            again = f"itertools.chain.from_iterable(itertools.repeat({options.batches}))"
            lines.append(f"{batches} = {again}")
        lines.append(f"for _, {BATCH} in zip(range({options.steps}), {batches}):")
    plain = [entry.name for entry in moved.entries if not entry.variable]
    lines.append(f"{INDENT}with tf.GradientTape() as {words['tape']}:")
    if plain:
        lines.append(f"{INDENT * 2}{words['tape']}.watch([{', '.join(plain)}])")
    lines += [line.text for line in inserted.write(INDENT * 2)]
    if body.found.reason == "named":
        lines.append(f"{INDENT * 2}{target} = {body.found.name}")
    wanted = _join(_refer(moved))
    lines.append(f"{INDENT}{words['grads']} = {words['tape']}.gradient({target}, {wanted})")
    lines += [INDENT + line for line in after]
    return "\n".join(lines) + "\n"


def _choose_words(options: DescentOptions, names: Mapping[str, Any]) -> dict[str, str]:
    """What the loop calls its own things: no name that the user has, or that is moved.

    (``tape`` and ``grads`` are what the cell may ask for.)
    """
    sources = {find_root(source) for source in options.sources}
    own = ("optimizer", "variables", "target", "batches", "value", "previous")
    taken = dict.fromkeys(("tape", "grads"), sources) | dict.fromkeys(own, sources | names.keys())
    return {
        word: next(one for one in _number(word) if one not in others)
        for word, others in taken.items()
    }


def _number(word: str) -> Iterator[str]:
    yield word
    yield from (f"{word}_{number}" for number in itertools.count(1))


def _write_update(
    options: DescentOptions,
    moved: Moved,
    mover: Mover,
    words: Mapping[str, str],
    rate: float,
    gradients: Sequence[Any],
) -> tuple[list[str], list[str]]:
    """What stands before the loop, and what moves the tensors at the end of each step."""
    before, after = [], []
    grads, variables = words["grads"], words["variables"]
    if mover.optimizer is not None:
        optimizer = options.optimizer
        if optimizer in OPTIMIZERS:
            optimizer = words["optimizer"]
            made = KERAS[options.optimizer].format(rate=repr(rate))
            before.append(f"{optimizer} = tf.keras.optimizers.{made}")
        if any(mover.by_hand):  # some by hand, the rest by Keras
            rest = [
                i
                for i, by_hand in enumerate(mover.by_hand)
                if not by_hand and gradients[i] is not None
            ]
            names = ", ".join(_refer_given(moved, i) for i in rest)
            picked = ", ".join(f"{grads}[{i}]" for i in rest)
            after += [f"{optimizer}.apply([{picked}], [{names}])"] if rest else []
        elif all(entry.variable for entry in moved.entries):
            after.append(f"{optimizer}.apply({grads}, {_join(_refer(moved, given=True))})")
        else:
            parts = [
                _refer_given(moved, i) if e.variable else f"tf.keras.Variable({e.name})"
                for i, e in enumerate(moved.entries)
            ]
            before.append(f"{variables} = [{', '.join(parts)}]")
            after.append(f"{optimizer}.apply({grads}, {variables})")
            after += [
                f"{e.name} = tf.convert_to_tensor({variables}[{i}])"
                for i, e in enumerate(moved.entries)
                if not e.variable
            ]
    for i, entry in enumerate(moved.entries):
        if mover.by_hand[i] and gradients[i] is not None:
            rows = isinstance(gradients[i], COMPOSITES)  # as tf.gather makes them
            slope = f"tf.convert_to_tensor({grads}[{i}])" if rows else f"{grads}[{i}]"
            after.append(f"{entry.name} = {entry.name} - {rate!r} * {slope}")
    return before, after


def _is_real_scalar(target: Any) -> bool:
    return target.shape.rank == 0 and not target.dtype.is_complex


def _name_target(cell: Cell, body: Body, words: Mapping[str, str]) -> tuple[Insertions, str]:
    found, inserted = body.found, Insertions(cell)
    assert found is not None
    if found.reason == "last-expression":
        inserted.wrap(cell.tree.body[-1].value, f"{words['target']} = ", "")  # type: ignore[attr-defined]
    named = found.reason in ("loss", "last-assigned")
    return inserted, found.name if named else words["target"]


def _refer(moved: Moved, *, given: bool = False) -> list[str]:
    """What stands for the tensors in the call of ``tape.gradient``, or for Keras' optimizer."""
    found = []
    position = 0
    for text, group in moved.groups.items():
        whole = len(group) > 1 or group[0].name != text
        if whole and group[0].name.startswith(f"{text}."):
            found.append(f"*{text}.trainable_variables")
        else:
            for i in range(position, position + len(group)):
                keep = given or not moved.entries[i].of_keras
                found.append(moved.names[i] if keep else f"{moved.names[i]}.value")
        position += len(group)
    return found


def _refer_given(moved: Moved, position: int) -> str:
    """One tensor, as code."""
    start = 0
    for text, group in moved.groups.items():
        name = moved.names[position]
        if start <= position < start + len(group) and name.startswith(f"{text}."):
            return f"{text}.trainable_variables[{position - start}]"
        start += len(group)
    return moved.names[position]


def _join(parts: list[str]) -> str:
    return f"[{', '.join(parts)}]"
