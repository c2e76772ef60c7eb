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
    from collections.abc import Callable, Iterable, Iterator


@contextlib.contextmanager
def borrow(names: dict[str, Any], variables: Iterable[Any] = ()) -> Iterator[None]:
    """While open, code may do as it likes in ``names``; afterwards all is as before.

    It is the namespace itself, since functions of the notebook read it; their names, the lists,
    dicts and sets in it, the Variables, metrics and random generators, and what random ops would
    draw next are put back. Other objects stay as the code leaves them.

    Parameters
    ----------
    names
        The user's namespace.
    variables
        Variables to put back, beside those that the namespace holds.
    """
    before = dict(names)
    states = [*variables, *find_variables(before), *_list_counters(before)]
    held = {identify(one): one for one in map(unwrap, states)}
    values = [(one, one.read_value()) for one in held.values()]
    generators = [(put, state) for put, state in map(_read_generator, _walk(before)) if put]
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
        for put, state in generators:
            put(state)
        for name in names.keys() - before.keys():
            del names[name]
        names.update(before)
        for variable, value in values:
            variable.assign(value)


def find_variables(names: dict[str, Any]) -> list[tf.Variable]:
    """The Variables that a namespace holds: by name, in lists and dicts, in layers and modules."""
    found = {identify(one): one for one in _walk(names) if isinstance(one, tf.Variable)}
    return list(found.values())


def _list_counters(names: dict[str, Any]) -> list[Any]:
    """The Variables in which TensorFlow's and Keras' random generators and metrics count."""
    found: list[Any] = []
    for value in _walk(names):
        if isinstance(value, (tf.random.Generator, tf.keras.random.SeedGenerator)):
            found.append(value.state)
        elif isinstance(value, tf.keras.metrics.Metric):
            found.extend(value.variables)
    return found


def _read_generator(value: Any) -> tuple[Callable[[Any], None] | None, Any]:
    """How to put back the state of NumPy's or Python's generator, and that state; or None twice."""
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        return (lambda state: setattr(bits, "state", state)), bits.state
    if isinstance(value, np.random.RandomState):
        return value.set_state, value.get_state()
    if type(value) is random.Random:
        return value.setstate, value.getstate()
    return None, None


def _walk(names: dict[str, Any]) -> Iterator[Any]:
    """What a namespace holds: by name, in lists and dicts, and the variables of layers, modules."""
    waiting = [value for name, value in names.items() if not name.startswith("_")]
    seen: set[int] = set()
    while waiting:
        value = unwrap(waiting.pop())
        if id(value) in seen or isinstance(value, type):
            continue
        seen.add(id(value))
        yield value
        if type(value) is dict:
            waiting.extend(value.values())
        elif type(value) in (list, tuple, set):
            waiting.extend(value)
        elif isinstance(value, (tf.Module, tf.keras.layers.Layer, tf.keras.optimizers.Optimizer)):
            waiting.extend(value.variables)
            waiting.append(getattr(value, "optimizer", None))


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
