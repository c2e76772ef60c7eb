"""What an operator or a function was given: its code, its value, its shape and dtype."""

from __future__ import annotations

import ast
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from gradmagic.core.sources import unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape = tuple["int | None", ...]

MISSING: Final = object()  # a value that cannot be told
COLUMNS = 40  # of an operand's code that are shown
MOST = 10_000  # entries whose values are looked at
_TENSORS = (tf.Tensor, tf.Variable, tf.RaggedTensor, tf.SparseTensor, np.ndarray)
_WHOLE = (ast.Name, ast.Attribute, ast.Call, ast.Constant)


@dataclass(frozen=True, eq=False)
class Operand:
    """An operand.

    Attributes
    ----------
    node
        Its code.
    value
        What the code gave; ``MISSING`` where that cannot be told.
    passed
        Whether it is that very object; else the library may have converted it to another dtype.
    """

    node: ast.expr
    value: Any
    passed: bool = True

    @functools.cached_property
    def tensor(self) -> Any:
        """The tensor, tf.Variable or NumPy array; None where it is none."""
        inner = unwrap(self.value)
        symbolic = type(inner).__name__ == "KerasTensor"  # (a model's, before it has a value)
        return inner if isinstance(inner, _TENSORS) or symbolic else None

    @property
    def of_keras(self) -> bool:
        """Whether it is a Keras variable, around the tensor."""
        return self.tensor is not None and self.tensor is not self.value

    @functools.cached_property
    def shape(self) -> Shape | None:
        """Its shape, None for an unknown dimension; None where there is none to tell."""
        if self.tensor is None:
            return _measure(self.value)
        shape = self.tensor.shape
        if isinstance(shape, tuple):
            return shape
        return None if shape.rank is None else tuple(shape.as_list())

    @functools.cached_property
    def dtype(self) -> str | None:
        """TensorFlow's name of its dtype; None where it is no tensor or may have been converted."""
        if self.tensor is None or not self.passed:
            return None
        return str(tf.as_dtype(self.tensor.dtype).base_dtype.name)

    @property
    def is_fraction(self) -> bool:
        """Whether it is a number of Python's or NumPy's with a fractional part's type."""
        return isinstance(self.value, (float, np.floating))

    @functools.cached_property
    def elements(self) -> list[Operand]:
        """Of a list or tuple, what is in it; else nothing."""
        if not isinstance(self.value, (list, tuple)):
            return []
        if isinstance(self.node, (ast.List, ast.Tuple)):
            nodes = self.node.elts
        else:  # by its place: xs[0], or just [0] where the list has no name
            name = self.source if isinstance(self.node, (ast.Name, ast.Attribute)) else ""
            nodes = [ast.Name(f"{name}[{number}]") for number in range(len(self.value))]
        if len(nodes) != len(self.value) or any(isinstance(n, ast.Starred) for n in nodes):
            return []
        return [Operand(n, one, self.passed) for n, one in zip(nodes, self.value, strict=True)]

    @property
    def source(self) -> str:
        """Its code."""
        return ast.unparse(self.node)

    @property
    def code(self) -> str:
        """Its code, on one line and not long."""
        return shorten(self.source)

    @property
    def grouped(self) -> str:
        """Its code in parentheses where something is to follow it."""
        return self.code if isinstance(self.node, _WHOLE) else f"({self.code})"

    @property
    def with_shape(self) -> str:
        """``x[2,3]``."""
        return self.grouped + write_shape(self.shape)

    @property
    def with_dtype(self) -> str:
        """``x float32``; of a number that has a name, Python's type of it."""
        if isinstance(self.node, ast.Constant):
            return self.code
        return f"{self.grouped} {self.dtype or type(self.value).__name__}"

    def read_small(self) -> np.ndarray | None:
        """Its entries, where they are few."""
        if self.tensor is None or isinstance(self.tensor, (tf.RaggedTensor, tf.SparseTensor)):
            return None
        shape = self.shape
        sizes = [size for size in shape or () if size is not None]
        if shape is None or len(sizes) < len(shape) or math.prod(sizes) > MOST:
            return None
        if isinstance(self.tensor, np.ndarray):
            return self.tensor
        read = getattr(self.tensor, "numpy", None)  # (a tensor inside a tf.function has none)
        return None if read is None else np.asarray(read())


def _measure(value: Any) -> Shape | None:
    """The shape of a number, or of lists of numbers as TensorFlow takes them."""
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return ()
    if not isinstance(value, (list, tuple)) or not value:
        return None
    inner = _measure(value[0])
    return None if inner is None else (len(value), *inner)


def write_shape(shape: Shape | None) -> str:
    """``[2,3]``, a question mark for an unknown dimension; ``[?]`` where nothing is known."""
    if shape is None:
        return "[?]"
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"


def shorten(code: str, columns: int = COLUMNS) -> str:
    """Code with its middle left out where it is long."""
    line = " ".join(code.split())
    if len(line) <= columns:
        return line
    return f"{line[: columns - columns // 3 - 1]}…{line[-(columns // 3) :]}"


def write_marked(node: ast.AST, marks: Mapping[ast.expr, str]) -> str:
    """Code with some of its expressions written otherwise, and its other long ones shortened."""
    parts = [*ast.iter_child_nodes(node), *(one.value for one in getattr(node, "keywords", ()))]
    long = {
        part: shorten(code)
        for part in parts
        if isinstance(part, ast.expr)
        and part is not getattr(node, "func", None)
        and len(code := ast.unparse(part)) > COLUMNS
        and not any(inner in marks for inner in ast.walk(part))
    }
    return " ".join(ast.unparse(replace(node, {**long, **marks})).split())


def replace(node: Any, marks: Mapping[Any, str]) -> Any:
    """A copy of some code with some of its expressions written otherwise."""
    if isinstance(node, list):
        return [replace(one, marks) for one in node]
    if not isinstance(node, ast.AST):
        return node
    if node in marks:
        return ast.Name(marks[node], ast.Load())
    parts = {name: replace(value, marks) for name, value in ast.iter_fields(node)}
    return ast.copy_location(type(node)(**parts), node)
