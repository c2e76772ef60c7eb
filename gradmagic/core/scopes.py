"""Inside which calls an op runs: Keras layers, name scopes, backward passes, own gradient rules.

While a watch is open, a few methods of TensorFlow tell of their calls, then do what they did. No op
waits for this: a call is told of once, however many ops it runs. Keras tells of a layer's call by
the name scope that it opens for it. (To replace a method of its Layer would cost more: Python then
looks up the methods of all its subclasses anew.)
"""

from __future__ import annotations

import functools
import itertools
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from gradmagic.core.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from gradmagic.core.records import ScopeKind

_GRADIENTS = ("gradient", "jacobian", "batch_jacobian")
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
)
_PACKAGE = str(Path(__file__).parents[1])

_watches: dict[int, list[ScopeWatch]] = {}  # by the thread that they watch
_patches: list[tuple[Any, str, Any, Any]] = []  # owner, name, what was there, what is there now
_patching = threading.Lock()

# Class of each layer that was called while a watch was open, by the layer's name: what a name in
# the graph of a tf.function, which was traced then, means later.
layer_classes: dict[str, str] = {}


@functools.cache
def is_own_file(filename: str) -> bool:
    """Whether code of this file is the user's: of no library, and of no AutoGraph."""
    return not (
        filename.startswith((*_LIBRARIES, _PACKAGE, "<frozen", "<__array_function__"))
        or "site-packages" in filename
        or "dist-packages" in filename
        or "__autograph_generated_file" in filename
    )


@functools.cache
def is_own_class(kind: type) -> bool:
    """Whether a class is the user's own."""
    module = sys.modules.get(kind.__module__)
    if kind.__module__ == "builtins" or module is None:
        return False
    return is_own_file(getattr(module, "__file__", None) or "")


def may_call_own(value: Any) -> bool:
    """Whether calling a value, or what it holds, may run functions of the user's own."""
    if isinstance(value, (tf.Tensor, tf.Variable, str, bytes, int, float, complex)):
        return False
    if isinstance(value, type(sys)):
        file = getattr(value, "__file__", None)
        return bool(file) and is_own_file(file)
    if isinstance(value, (list, tuple, set)):
        return any(map(may_call_own, itertools.islice(value, 100)))
    if isinstance(value, dict):
        return any(map(may_call_own, itertools.islice(value.values(), 100)))
    code = getattr(value, "__code__", None)
    if code is not None:
        return is_own_file(code.co_filename)
    wrapped = getattr(value, "__wrapped__", None) or getattr(value, "python_function", None)
    if wrapped is not None and wrapped is not value:
        return may_call_own(wrapped)
    return is_own_class(value if isinstance(value, type) else type(value))


def learn_layers(values: Iterable[Any]) -> None:
    """Note the classes of the Keras layers among some values, and of those inside of them."""
    kinds = _list_layer_kinds()
    waiting: list[Any] = [one for one in values if isinstance(one, kinds)]
    met: set[int] = set()
    while waiting:
        layer = waiting.pop()
        if id(layer) not in met:
            met.add(id(layer))
            layer_classes[str(layer.name)] = type(layer).__name__
            inner = [*getattr(layer, "layers", ()), *vars(layer).values()]
            waiting += [one for one in inner if isinstance(one, kinds)]


def _list_layer_kinds() -> tuple[type, ...]:
    keras: Any = sys.modules.get("keras")  # (TensorFlow imports it)
    return (keras.layers.Layer,) if hasattr(keras, "layers") else ()


class Hook(NamedTuple):
    """A function that tells of its calls: ``owner.name``; what a call is, from its arguments."""

    owner: Any
    name: str
    describe: Callable[..., tuple[ScopeKind, str, str]]


class ScopeWatch:
    """Knows inside which calls this thread is, between ``with`` and its end.

    Parameters
    ----------
    hooks
        Functions to listen to beside those of tf.GradientTape and tf.name_scope.

    Attributes
    ----------
    current
        The calls that are open, the outermost first.
    own
        Those of them that are calls of layers whose class is the user's own.
    """

    def __init__(self, hooks: Sequence[Hook] = ()) -> None:
        self.current: tuple[Scope, ...] = ()
        self.own: list[Scope] = []
        self._hooks = hooks
        self._numbers = itertools.count(1)

    def number_call(self) -> int:
        """A number that no other call has."""
        return next(self._numbers)

    def __enter__(self) -> ScopeWatch:  # noqa: PYI034  (typing.Self is of Python 3.11)
        with _patching:
            _watches.setdefault(threading.get_ident(), []).append(self)
            if not _patches:
                _patch(self._hooks)
        return self

    def __exit__(self, *_error: object) -> None:
        with _patching:
            for thread, watches in list(_watches.items()):
                if self in watches:
                    watches.remove(self)
                if not watches:
                    del _watches[thread]
            if not _watches:
                _unpatch()
        self.current, self.own = (), []

    def open(self, kind: ScopeKind, name: str, detail: str = "", *, own: bool = False) -> Scope:
        """Enter a call."""
        scope = Scope(kind, name, detail, self.number_call())
        self.current = (*self.current, scope)
        if own:
            self.own.append(scope)
        return scope

    def close(self, scope: Scope) -> None:
        """Leave a call; a generator may leave one that is not the innermost."""
        self.current = tuple([one for one in self.current if one is not scope])
        if self.own:
            self.own = [one for one in self.own if one is not scope]


def _patch(hooks: Sequence[Hook]) -> None:
    found = [*hooks, *(Hook(tf.GradientTape, name, _name_gradient(name)) for name in _GRADIENTS)]
    for hook in found:
        _replace(hook.owner, hook.name, _make_telling(getattr(hook.owner, hook.name), hook))
    for name, make in (("__enter__", _make_opening), ("__exit__", _make_closing)):
        _replace(tf.name_scope, name, make(getattr(tf.name_scope, name)))


def _replace(owner: Any, name: str, new: Any) -> None:
    _patches.append((owner, name, vars(owner)[name], new))
    setattr(owner, name, new)


def _unpatch() -> None:
    while _patches:
        owner, name, original, new = _patches.pop()
        if vars(owner).get(name) is new:  # (the cell may have put there something of its own)
            setattr(owner, name, original)


def _find_layer(frame: FrameType) -> Any:
    """The Keras layer for whose call a frame of Keras opens a name scope; None for other scopes."""
    if not frame.f_globals.get("__name__", "").startswith("keras."):
        return None
    caller = getattr(frame.f_locals.get("self"), "caller", None)
    return caller if isinstance(caller, _list_layer_kinds()) else None


def _name_gradient(method: str) -> Callable[..., tuple[ScopeKind, str, str]]:
    return lambda *_arguments, **_named: ("gradient", method, "")


def _make_telling(original: Any, hook: Hook) -> Any:
    """A function that tells this thread's watches of its calls, then does what it did."""

    @functools.wraps(original)
    def tell(*arguments: Any, **named: Any) -> Any:
        __tracebackhide__ = True  # IPython folds this frame away where the call raises
        watches = _watches.get(threading.get_ident())
        if not watches:
            return original(*arguments, **named)
        kind, name, detail = hook.describe(*arguments, **named)
        opened = [
            (watch, watch.open(kind, name, detail))
            for watch in watches
            # (tape.jacobian calls tape.gradient itself)
            if not (kind == "gradient" and watch.current and watch.current[-1].kind == kind)
        ]
        try:
            return original(*arguments, **named)
        finally:
            for watch, scope in opened:
                watch.close(scope)

    return tell


# The scope that each name scope of an open watch opened, by the ids of both. (A name scope has no
# room for attributes, and can be entered only once at a time.)
_opened: dict[tuple[int, int], list[Scope]] = {}


def _make_opening(original: Any) -> Any:
    @functools.wraps(original)
    def enter(scope: Any) -> Any:
        entered = original(scope)
        name = scope.name.rstrip("/").rsplit("/", 1)[-1]
        watches = _watches.get(threading.get_ident()) if name else None
        if watches:
            layer = _find_layer(sys._getframe(1))  # noqa: SLF001  (who enters)
            for watch in watches:
                opened = watch.open("name", name) if layer is None else _open_layer(watch, layer)
                _opened.setdefault((id(watch), id(scope)), []).append(opened)
        return entered

    return enter


def _open_layer(watch: ScopeWatch, layer: Any) -> Scope:
    kind: type = type(layer)
    layer_classes[layer.name] = kind.__name__
    return watch.open("layer", layer.name, kind.__name__, own=is_own_class(kind))


def _make_closing(original: Any) -> Any:
    @functools.wraps(original)
    def leave(scope: Any, *error: Any) -> Any:
        for watch in _watches.get(threading.get_ident(), ()):
            opened = _opened.get((id(watch), id(scope)))
            if opened:
                watch.close(opened.pop())
            if opened is not None and not opened:
                del _opened[id(watch), id(scope)]
        return original(scope, *error)

    return leave
