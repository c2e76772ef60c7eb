"""Frames of a traceback: what they were called with, and what the names in them hold.

Everything is read from what is there. Nothing of the user's runs: no property, no item of a class
of their own.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from typing import TYPE_CHECKING, Any, Final

from gradmagic.core.diagnose.failing.operands import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

_OWN_FRAMES: Final = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Names:
    """What names, attributes and items hold in a frame."""

    def __init__(self, frame: FrameType, tree: ast.Module) -> None:
        self._scopes = (frame.f_locals, frame.f_globals, vars(builtins))
        # from Python 3.12 on a comprehension has no frame of its own, and no frame tells its names
        around = () if frame.f_code.co_name in _OWN_FRAMES else ast.walk(tree)
        self._hiding = [one for one in around if isinstance(one, _COMPREHENSIONS)]

    def find(self, node: ast.expr) -> Any:
        """What some code held; ``MISSING`` where it is no name, or reading it may run code."""
        hidden = {
            name
            for one in self._hiding
            if any(inner is node for inner in ast.walk(one))
            for generator in one.generators
            for name in _list_names(generator.target)
        }
        return MISSING if hidden & set(_list_names(node)) else self._read(node)

    def _read(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            found = (names[node.id] for names in self._scopes if node.id in names)
            return next(found, MISSING)
        if isinstance(node, ast.Attribute):
            return read_attribute(self._read(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            base, key = self._read(node.value), read_literal(node.slice)
            if key is MISSING and isinstance(node.slice, ast.Name):
                key = self._read(node.slice)
            if type(base) in (list, tuple, dict) and type(key) in (int, str):
                try:
                    return base[key]
                except LookupError:
                    return MISSING
            return MISSING
        return read_literal(node)

    def holds(self, node: ast.expr, value: Any) -> bool | None:
        """Whether some code held this very value; None where that cannot be told."""
        held = self.find(node)
        if held is MISSING or held is value:
            return None if held is MISSING else True
        # (what is no literal may be a tensor, and comparing those is an op)
        same = read_literal(node) is not MISSING and type(held) is type(value)
        return same and bool(held == value)


def _list_names(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def read_attribute(base: Any, name: str) -> Any:
    """An attribute of a module, or one that an object keeps itself; else ``MISSING``."""
    if base is MISSING:
        return MISSING
    if isinstance(base, types.ModuleType):
        return getattr(base, name, MISSING)
    found = inspect.getattr_static(base, name, MISSING)
    return MISSING if hasattr(type(found), "__get__") else found


def read_literal(node: ast.expr) -> Any:
    """The value of a literal; ``MISSING`` for any other code."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return MISSING


def runs(frame: FrameType | None, function: Any) -> bool:
    """Whether a frame is a call of a function: of this one, not of another made by the same def."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if frame is None or frame.f_code is not code:
        return False
    cells = zip(code.co_freevars, function.__closure__ or (), strict=False)
    try:
        return all(frame.f_locals.get(name, MISSING) is cell.cell_contents for name, cell in cells)
    except ValueError:  # an empty cell
        return False


def read_arguments(frame: FrameType) -> tuple[list[Any], dict[str, Any], bool]:
    """What a frame was called with: by position, by name; and whether it can have changed that.

    What came through ``*args`` and ``**kwargs`` is as it came. In place of a named argument the
    function may have put another value, such as the same numbers in another dtype.
    """
    code, values = frame.f_code, frame.f_locals
    count, more = code.co_argcount, code.co_kwonlyargcount
    given = [values.get(name, MISSING) for name in code.co_varnames[:count]]
    named = {name: values.get(name, MISSING) for name in code.co_varnames[count : count + more]}
    rest = list(code.co_varnames[count + more :])
    forwards = bool(code.co_flags & inspect.CO_VARARGS)
    if forwards:
        given += values.get(rest.pop(0), ())
    if code.co_flags & inspect.CO_VARKEYWORDS:
        named |= values.get(rest.pop(0), {})
    return given, named, not forwards


def bind(function: Any, given: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments by the names of a function's parameters; those of ``*args`` with a number."""
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*given, **named)
    except (TypeError, ValueError):
        return None
    flat: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            flat |= {f"{name}{number}": one for number, one in enumerate(value)}
        elif kind is inspect.Parameter.VAR_KEYWORD:
            flat |= value
        else:
            flat[name] = value
    return flat
