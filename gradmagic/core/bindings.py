"""Names that tensors have inside the functions that a cell calls, read from the running frames.

Only frames of the user's own code are looked at, each time an op runs in them. A frame is kept
beyond that, until the next op, only where nobody can tell: where it is about to return without
doing anything else, and holds nothing but tensors, numbers and the like.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.scopes import is_own_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

# Of a function that asks for its own variables the answer would change when others ask too.
_ASKING = frozenset({"locals", "vars", "dir", "eval", "exec"})
_PLAIN = (
    *(tf.Variable, tf.__internal__.tracking.AutoTrackable, np.ndarray, np.generic),
    *(str, bytes, int, float, complex, type(None), types.ModuleType),
)
_MOVING = ("LOAD_FAST", "STORE_FAST", "LOAD_CONST", "BUILD_TUPLE", "UNPACK_SEQUENCE", "SWAP")


class LocalNames:
    """Finds the local names of tensors; ``found`` has them by TensorFlow's number.

    Parameters
    ----------
    filename
        The file name under which the cell was compiled.
    tensor_class, identify
        The class of eager tensors, and TensorFlow's number of one.
    first
        Tensors whose numbers are no greater were made before, and get no name.
    """

    def __init__(
        self, filename: str, tensor_class: Any, identify: Callable[[Any], int], first: int
    ) -> None:
        self.filename = filename
        self.found: dict[int, str] = {}
        self._tensor_class = tensor_class
        self._identify = identify
        self._first = first
        self._at: dict[int, int] = {}  # by a frame's address: the instruction it was last seen at
        self._ending: list[FrameType] = []

    def look(self, frame: FrameType | None) -> int | None:
        """Read the names from a frame outwards; the line of the cell that runs, if one does."""
        line, running, at = None, [], {}
        while frame is not None:
            filename = frame.f_code.co_filename
            if filename == self.filename and line is None:
                line = frame.f_lineno
            if is_own_file(filename):
                if frame.f_code.co_name == "<module>":  # the cell itself, or what called it
                    break
                running.append(frame)
            frame = frame.f_back
        for ended in self._ending:
            if ended not in running:
                self._read(ended)
        ending = []
        for own in running:
            at[id(own)] = own.f_lasti
            if self._at.get(id(own)) != own.f_lasti:
                plain = self._read(own)
                if plain and own.f_lasti in _find_ends(own.f_code):
                    ending.append(own)
            elif own in self._ending:
                ending.append(own)
        self._at, self._ending = at, ending
        return line

    def finish(self) -> None:
        """Read what has ended, and keep no frame."""
        ending, self._ending = self._ending, []
        for frame in ending:
            self._read(frame)

    def _read(self, frame: FrameType) -> bool:
        """Note the tensors among a frame's variables; whether it holds nothing else of weight."""
        code = frame.f_code
        if not code.co_flags & inspect.CO_OPTIMIZED or not _ASKING.isdisjoint(code.co_names):
            return False
        values = frame.f_locals
        plain = True
        for name, value in values.items():
            if type(value) is self._tensor_class:
                number = self._identify(value)
                if number > self._first and not name.startswith("."):
                    self.found.setdefault(number, name)
            elif not isinstance(value, _PLAIN):
                plain = False
        if sys.version_info < (3, 13):
            values.clear()  # it is a copy, which would keep the values alive
        return plain


@functools.lru_cache(1024)
def _list_ends(code: CodeType) -> frozenset[int]:
    """The instructions after which a function only stores the result and returns."""
    ends: set[int] = set()
    returns, after = False, len(code.co_code)
    for instruction in reversed(list(dis.get_instructions(code))):
        if returns:  # (a call that runs is somewhere in its instruction's own cache)
            ends.update(range(instruction.offset, after))
        if instruction.opname.startswith("RETURN"):
            returns = True
        elif not instruction.opname.startswith(_MOVING):
            returns = False
        after = instruction.offset
    return frozenset(ends)


_ends: dict[int, tuple[Any, frozenset[int]]] = {}


def _find_ends(code: CodeType) -> frozenset[int]:
    # (by its address: to compare code objects takes as long as an op)
    found = _ends.get(id(code))
    if found is None or found[0] is not code:
        found = _ends[id(code)] = code, _list_ends(code)
    return found[1]
