"""A namespace to run the cell in once more, from which nothing is left behind."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.recorder import identify, keep_random_state
from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextlib.contextmanager
def borrow(names: dict[str, Any], variables: Iterable[Any] = ()) -> Iterator[None]:
    """While open, code may do as it likes in ``names``; afterwards all is as before.

    It is the namespace itself, since functions of the notebook read it; their names, the lists,
    dicts and sets in it, the Variables and what random ops would draw next are put back.

    Parameters
    ----------
    names
        The user's namespace.
    variables
        Variables to put back, beside those that the namespace holds.
    """
    before = dict(names)
    held = {identify(one): one for one in [*variables, *find_variables(before)]}
    values = [(one, one.read_value()) for one in held.values()]
    copies: dict[int, Any] = {}
    for name, value in before.items():
        if not name.startswith("_") and name not in ("In", "Out"):
            names[name] = _copy(value, copies)
    drawn = random.getstate(), np.random.get_state()  # noqa: NPY002  (the one that cells use)
    try:
        with keep_random_state():
            yield
    finally:
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])  # noqa: NPY002
        for name in names.keys() - before.keys():
            del names[name]
        names.update(before)
        for variable, value in values:
            variable.assign(value)


def find_variables(names: dict[str, Any]) -> list[tf.Variable]:
    """The Variables that a namespace holds: by name, in lists and dicts, in layers and modules."""
    found: dict[int, tf.Variable] = {}
    waiting = [value for name, value in names.items() if not name.startswith("_")]
    seen: set[int] = set()
    while waiting:
        value = unwrap(waiting.pop())
        if id(value) in seen or isinstance(value, type):
            continue
        seen.add(id(value))
        if isinstance(value, tf.Variable):
            found[identify(value)] = value
        elif type(value) is dict:
            waiting.extend(value.values())
        elif type(value) in (list, tuple, set):
            waiting.extend(value)
        elif isinstance(value, (tf.Module, tf.keras.layers.Layer, tf.keras.optimizers.Optimizer)):
            waiting.extend(value.variables)
            waiting.append(getattr(value, "optimizer", None))
    return list(found.values())


def _copy(value: Any, copies: dict[int, Any]) -> Any:
    """A copy of Python's own containers, as deep as these go; anything else as it is."""
    if id(value) in copies:
        return copies[id(value)]
    if type(value) is list:
        made: list[Any] = []
        copies[id(value)] = made
        made.extend(_copy(one, copies) for one in value)
        return made
    if type(value) is dict:
        pairs: dict[Any, Any] = {}
        copies[id(value)] = pairs
        pairs.update((key, _copy(one, copies)) for key, one in value.items())
        return pairs
    return set(value) if type(value) is set else value
