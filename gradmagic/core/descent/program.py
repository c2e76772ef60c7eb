"""The plain loop that a descent stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.descent.moving import MOMENTUM, OPTIMIZERS
from gradmagic.core.descent.stepping import BATCH
from gradmagic.core.insertion import Insertions

if TYPE_CHECKING:
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
    rate: float,
) -> str:
    """The loop, ready to paste into a cell: it gives the same numbers.

    It is written for eager steps; of compiled ones, what is inside the loop is the tf.function.
    """
    hand = [e for e, by_hand in zip(moved.entries, mover.by_hand, strict=True) if by_hand]
    plain = [entry.name for entry in moved.entries if not entry.variable]
    before, after = [], []
    wanted = _join(_refer(moved))
    if mover.optimizer is not None:
        if options.optimizer in OPTIMIZERS:
            made = KERAS[options.optimizer].format(rate=repr(rate))
            before.append(f"optimizer = tf.keras.optimizers.{made}")
            optimizer = "optimizer"
        else:
            optimizer = options.optimizer
        if hand:  # some by hand, the rest by Keras
            rest = [i for i, by_hand in enumerate(mover.by_hand) if not by_hand]
            names = [_refer_given(moved, i) for i in rest]
            after.append(f"{optimizer}.apply([{_pick(rest)}], [{', '.join(names)}])")
        elif not plain:
            after.append(f"{optimizer}.apply(grads, {_join(_refer(moved, given=True))})")
        else:
            parts = [
                _refer_given(moved, i) if e.variable else f"tf.keras.Variable({e.name})"
                for i, e in enumerate(moved.entries)
            ]
            before.append(f"variables = [{', '.join(parts)}]")
            after.append(f"{optimizer}.apply(grads, variables)")
            after += [
                f"{e.name} = tf.convert_to_tensor(variables[{i}])"
                for i, e in enumerate(moved.entries)
                if not e.variable
            ]
    after += [
        f"{e.name} = {e.name} - {rate!r} * grads[{i}]"
        for i, e in enumerate(moved.entries)
        if e in hand
    ]
    lines = [*before]
    if options.batches is not None:
        lines.append("import itertools")
        lines.append(
            f"batches = itertools.chain.from_iterable(itertools.repeat({options.batches}))"
        )
        lines.append(f"for _, {BATCH} in zip(range({options.steps}), batches):")
    else:
        lines.append(f"for _ in range({options.steps}):")
    lines.append(f"{INDENT}with tf.GradientTape() as tape:")
    if plain:
        lines.append(f"{INDENT * 2}tape.watch([{', '.join(plain)}])")
    inserted, target = _name_target(cell, body)
    lines += [line.text for line in inserted.write(INDENT * 2)]
    if body.found is not None and body.found.reason == "named":
        lines.append(f"{INDENT * 2}target = {body.found.name}")
    lines.append(f"{INDENT}grads = tape.gradient({target}, {wanted})")
    lines += [INDENT + line for line in after]
    return "\n".join(lines) + "\n"


def _name_target(cell: Cell, body: Body) -> tuple[Insertions, str]:
    found, inserted = body.found, Insertions(cell)
    assert found is not None
    if found.reason == "last-expression":
        inserted.wrap(cell.tree.body[-1].value, "target = ", "")  # type: ignore[attr-defined]
    named = found.reason in ("loss", "last-assigned")
    return inserted, found.name if named else "target"


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


def _pick(positions: list[int]) -> str:
    return ", ".join(f"grads[{i}]" for i in positions)


def _join(parts: list[str]) -> str:
    return f"[{', '.join(parts)}]"
