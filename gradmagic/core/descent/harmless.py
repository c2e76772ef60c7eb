"""Whether values of a namespace are harmless: whatever is done with them leaves nothing behind."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import linecache
import types
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.descent.trusted import READING, is_of_library, is_plain, is_trusted
from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    ReadFunction = Callable[[Any, Mapping[str, Any], Mapping[str, Any]], None]

MOST = 300  # functions and objects that are looked at
_CONTAINERS = ("ListWrapper", "_TupleWrapper", "_DictWrapper", "TrackedList", "TrackedDict")
_HIDDEN = ("__getattr__", "__getattribute__", "__setattr__")  # what code means can then not be read
_UNCALLED = ("__init__", "__post_init__", "__new__", "__del__", "__repr__", "__str__", *_HIDDEN)
_COMPILED = (  # what only classes written in C have
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.BuiltinFunctionType),
    types.ClassMethodDescriptorType,
)
_LAYERS = (tf.keras.layers.Layer,)
_BASES = (tf.Module, tf.keras.losses.Loss, tf.keras.regularizers.Regularizer, *_LAYERS)


class HarmError(Exception):
    """A value may do something."""


class Values:
    """Checks values, once each.

    Parameters
    ----------
    read_function
        Reads the syntax tree of a function, with the names that it sees and what is known of its
        parameters; raises where it may have an effect.

    Attributes
    ----------
    layers
        The Keras layers that were met.
    """

    def __init__(self, read_function: ReadFunction) -> None:
        self.layers: list[Any] = []
        self._read = read_function
        self._met: dict[tuple[int, int], Any] = {}  # (kept, so that the ids stay theirs)

    def check(self, value: Any) -> None:
        """Raise where using a value may have an effect."""
        value = unwrap(value)
        if is_plain(value) or is_trusted(value):
            return
        if _is_container(value):
            self._check_all(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, types.FunctionType):
            self._check_function(value)
        elif isinstance(value, types.MethodType):
            self._check_function(value.__func__, value.__self__)
        elif isinstance(value, functools.partial) and "seed" not in value.keywords:
            self._check_all([value.func, *value.args, *value.keywords.values()])
        elif hasattr(type(value), "python_function"):  # a tf.function
            self.check(value.python_function)
        elif is_of_library(type(value)) and hasattr(value, "__wrapped__"):  # a tf.custom_gradient
            self.check(value.__wrapped__)
        elif isinstance(value, _LAYERS):
            self._check_layer(value)
        elif not isinstance(value, type):
            self._check_object(value)
        else:
            raise HarmError(repr(value))

    def _check_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.check(value)

    def _is_met(self, *parts: Any) -> bool:
        key = id(parts[0]), id(parts[-1])
        if key in self._met:
            return True
        if len(self._met) >= MOST:
            raise HarmError
        self._met[key] = parts
        return False

    def _check_function(self, function: Any, owner: Any = None) -> None:
        if not isinstance(function, types.FunctionType):
            raise HarmError(repr(function))
        if is_of_library(function):
            wrapped = getattr(function, "__wrapped__", None)  # as tf.custom_gradient makes it
            if wrapped is None or is_of_library(wrapped):
                raise HarmError(repr(function))
            self.check(wrapped)
            return
        if self._is_met(function.__code__, function, owner):
            return
        self._check_all(function.__defaults__ or ())
        self._check_all((function.__kwdefaults__ or {}).values())
        known = dict(function.__globals__)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            with contextlib.suppress(ValueError):  # it is not bound yet
                known[name] = cell.cell_contents
        first = function.__code__.co_varnames[:1] if owner is not None else ()
        nodes = _find_nodes(function)
        if not nodes:
            raise HarmError(repr(function))
        for node in nodes:
            self._read(node, known, dict.fromkeys(first, owner))

    def _check_layer(self, layer: Any) -> None:
        if self._is_met(layer):
            return
        if getattr(layer, "_losses", None):  # a call makes them anew
            raise HarmError(repr(layer))
        self.layers.append(layer)
        self._check_all([*getattr(layer, "layers", ()), *getattr(layer, "_layers", ())])
        self._check_object(layer)

    def _check_object(self, value: Any) -> None:
        """An object of a class of the user's, or of a library's that calls the user's functions."""
        own = [kind for kind in type(value).__mro__ if not is_of_library(kind)]
        if not own and not isinstance(value, _BASES):
            raise HarmError(repr(value))
        if not isinstance(value, _LAYERS) and self._is_met(value):
            return
        foreign = next(kind for kind in type(value).__mro__ if kind not in own)
        if foreign is not object and not issubclass(foreign, _BASES):
            raise HarmError(repr(value))
        for name, member in [pair for kind in own for pair in vars(kind).items()]:
            if name in _HIDDEN or isinstance(member, _COMPILED):
                raise HarmError(name)
            called = name.startswith("__") and name not in _UNCALLED
            called = called or name == "call" or name in READING
            if called and isinstance(member, types.FunctionType):
                self._check_function(member, value)
            elif isinstance(member, property):
                self._check_function(member.fget, value)
        if issubclass(foreign, _BASES):
            for member in vars(value).values():  # an activation, the function of a Lambda
                if (
                    callable(member)
                    and not isinstance(member, type)
                    and not _is_library_code(member)
                ):
                    self.check(member)


def _is_container(value: Any) -> bool:
    kind = type(value)
    if kind in (list, tuple, set, frozenset, dict):
        return True
    return kind.__name__ in _CONTAINERS and is_of_library(kind)


def _is_library_code(member: Any) -> bool:
    """Whether it is code of TensorFlow's and Keras' own, which calls none of the user's."""
    if isinstance(member, (types.FunctionType, types.MethodType)):
        return is_of_library(member)
    kind = type(member)
    return is_of_library(kind) and not hasattr(kind, "python_function")


def find_member(owner: Any, name: str, unknown: Any) -> Any:
    """What ``owner.name`` is, without running anything; ``unknown`` where that cannot be said."""
    if isinstance(owner, types.ModuleType):
        return getattr(owner, name, unknown)
    if is_plain(unwrap(owner)):
        return unknown
    held = getattr(owner, "__dict__", {})
    static = inspect.getattr_static(
        type(owner) if not isinstance(owner, type) else owner, name, None
    )
    if isinstance(static, staticmethod):
        return static.__func__
    if isinstance(owner, type):
        return static if is_plain(static) and static is not None else unknown
    if isinstance(static, types.FunctionType) and name not in held:
        return types.MethodType(static, owner)
    if hasattr(type(static), "__get__"):  # a property, which runs code
        return unknown
    return held.get(name, unknown if static is None else static)


def _find_nodes(function: Any) -> list[Any]:
    """The syntax trees that a function may come from: of lambdas on one line, all."""
    code = function.__code__
    kind = ast.Lambda if code.co_name == "<lambda>" else ast.FunctionDef
    return [
        node
        for node in ast.walk(_parse(code.co_filename))
        if isinstance(node, kind)
        and code.co_firstlineno == min(one.lineno for one in [node, *_list_decorators(node)])
        and getattr(node, "name", code.co_name) == code.co_name
    ]


def _list_decorators(node: Any) -> list[Any]:
    return getattr(node, "decorator_list", [])


def _parse(filename: str) -> ast.AST:
    lines = linecache.getlines(filename)
    if lines and lines[0].lstrip().startswith("%%"):
        lines[0] = "\n"  # the cell of a magic
    return ast.parse("".join(lines))
