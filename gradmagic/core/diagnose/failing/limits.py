"""Limits that no operand's shape tells: an index, an axis, the input that a Keras layer expects.

They are read from the message of the exception, and counted against the operands' shapes: where no
operand has the size or the rank that the message names, another tensor is meant, and nothing is
said.
"""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING, Final

from gradmagic.core.diagnose.failing.clashes import (
    compare_broadcast,
    compare_joined,
    compare_ranks,
    count_dimensions,
    differ,
    say_axis,
)
from gradmagic.core.diagnose.failing.operands import write_shape
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gradmagic.core.diagnose.failing.operands import Operand, Shape
    from gradmagic.core.diagnose.failing.raised import Call

_MERGING: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


def read_limit(call: Call, message: str) -> str | None:
    """What a message says of a size, an index or an axis; None where no operand has it."""
    if call.name == "layer":
        return _compare_merged(call) or _read_layer(call, message) or _read_op(call, message)
    return _read_op(call, message)


def _compare_merged(call: Call) -> str | None:
    """Keras' layers that merge a list of tensors."""
    kind, parts = type(call.target).__name__, call.listed[0].elements if call.operands else []
    if not parts or not type(call.target).__module__.startswith("keras"):
        return None
    if kind == "Concatenate":
        return compare_joined(parts, getattr(call.target, "axis", None))
    if kind in _MERGING:
        first, *others = (one.shape for one in parts)
        return next(filter(None, (compare_broadcast(first, one) for one in others)), None)
    return None


def _read_layer(call: Call, message: str) -> str | None:
    """What Keras says of a layer's input."""
    searched = ((re.search(one, message, re.DOTALL), read) for one, read in _INPUTS.items())
    for found, read in searched:
        if found is None:
            continue
        words = {name: word for name, word in found.groupdict().items() if name != "shape"}
        shape = _read_sizes(found["shape"])
        text = read(shape, **words)
        return None if text is None else _say_where(call, message, text, shape)
    return None


def _say_where(call: Call, message: str, text: str, shape: Shape) -> str:
    """The same with the shape and the layer's name, where a layer inside got that input."""
    named = re.search(r"""of layer ['"]([^'"]*)['"]""", message)
    if named is not None and named[1] == getattr(call.target, "name", None):
        return text
    given = call.tensors[0].shape if call.tensors else None
    if given is None or shape not in (given, given[1:]):  # (without the samples)
        text = _("input {shape}, {clash}").format(shape=write_shape(shape), clash=text)
    if named is None:
        return text
    return _("{clash} in layer {name}").format(clash=text, name=named[1])


def _read_feature(shape: Shape, axis: str, expected: str) -> str | None:
    number = int(axis)
    return _expect(shape[number], int(expected)) if -len(shape) <= number < len(shape) else None


def _read_rank(shape: Shape, bound: str | None, expected: str) -> str:
    text = _("{dimensions} against expected {count}")
    if bound == "min_":
        text = _("{dimensions} against at least {count}")
    elif bound == "max_":
        text = _("{dimensions} against at most {count}")
    return text.format(dimensions=count_dimensions(shape), count=expected)


def _read_expected(shape: Shape, expected: str) -> str | None:
    sizes = _read_sizes(expected)
    if len(shape) != len(sizes):
        return compare_ranks(shape, sizes)
    pairs = zip(shape, sizes, strict=True)
    return next((_expect(*pair) for pair in pairs if differ(*pair)), None)


def _read_kernel(shape: Shape, kernel: str) -> str | None:
    for size, width in zip(shape[1:-1], _read_sizes(kernel)[:-2], strict=False):
        if size is not None and width is not None and size < width:
            return _("input {size} against kernel {width}").format(size=size, width=width)
    return None


def _read_reshaped(shape: Shape, wanted: str) -> str | None:
    size, other = _multiply(shape), _multiply(_read_sizes(wanted))
    return _size_into(size, other) if size is not None and other is not None else None


_SIZES = r"\(([\d, None]*)\)"
_SHAPE = r"\((?P<shape>[\d, None]*)\)"
_INPUTS: Final[Mapping[str, Callable[..., str | None]]] = {
    r"expected axis (?P<axis>-?\d+) of input shape to have value (?P<expected>\d+).*?"
    + _SHAPE: _read_feature,
    r"expected (?P<bound>min_|max_)?ndim=(?P<expected>\d+), found ndim=\d+.*?" + _SHAPE: _read_rank,
    r"expected shape=\((?P<expected>[\d, None]*)\), found shape=" + _SHAPE: _read_expected,
    rf"inputs shape={_SHAPE}`, `kernel shape=\((?P<kernel>[\d, None]*)\)": _read_kernel,
    rf"input_shape={_SHAPE}, target_shape=\((?P<wanted>[\d, None]*)\)": _read_reshaped,
}


def _expect(given: int | None, expected: int | None) -> str:
    return _("input {given} against expected {expected}").format(given=given, expected=expected)


def _size_into(size: object, wanted: object) -> str:
    return _("size {size} into {wanted}").format(size=size, wanted=wanted)


def _read_sizes(text: str) -> Shape:
    parts = (part.strip() for part in text.split(","))
    return tuple(None if part == "None" else int(part) for part in parts if part)


def _multiply(shape: Shape | None) -> int | None:
    """The number of entries; None where it is unknown."""
    sizes = [size for size in shape or () if size is not None]
    return math.prod(sizes) if shape is not None and len(sizes) == len(shape) else None


def _read_op(call: Call, message: str) -> str | None:
    """What TensorFlow says of an op's limits."""
    for pattern, read in _LIMITS.items():
        found = re.search(pattern, message)
        if found:
            return read(call, **found.groupdict())
    return None


def _read_reshape(
    call: Call, size: str, wanted: str | None, multiple: str | None = None
) -> str | None:
    if int(size) not in [_multiply(one.shape) for one in call.tensors]:
        return None
    if multiple is not None:
        wanted = _("a multiple of {number}").format(number=multiple)
    return _size_into(size, wanted)


def _read_gathered(call: Call, index: str, size: str) -> str | None:
    sizes = [number for one in call.tensors for number in one.shape or ()]
    if call.name == "layer":  # an embedding, or a model that begins with one
        sizes = [getattr(call.target, "input_dim", int(size))]
    return _say_index(index, size) if int(size) in sizes else None


def _read_places(call: Call, index: str, shape: str) -> str | None:
    if _read_sizes(shape) not in [one.shape for one in call.tensors]:
        return None
    text = _("index [{index}], shape [{shape}]")
    return text.format(index=index.replace(" ", ""), shape=shape)


def _say_index(index: object, size: object) -> str:
    return _("index {index}, size {size}").format(index=index, size=size)


def _read_slice(call: Call, index: str, axis: str) -> str | None:
    size, number = _read_size(call, axis), int(index)
    if call.name != "index" or size is None:
        return None
    # where x[-7] fails TensorFlow has added the size already
    return _say_index(number - size if number < 0 else number, size)


def _read_size(call: Call, axis: str) -> int | None:
    """The first operand's size along an axis."""
    shape = call.listed[0].shape
    return shape[int(axis)] if shape is not None and int(axis) < len(shape) else None


def _read_indices(call: Call, rank: str = "0") -> str | None:
    shape, index = call.listed[0].shape, getattr(call.node, "slice", None)
    count = len(index.elts) if isinstance(index, ast.Tuple) else 1
    if call.name != "index" or shape is None or len(shape) != int(rank) or count <= len(shape):
        return None
    text = _("{count} index, and there are {dimensions}")
    if count > 1:
        text = _("{count} indices, and there are {dimensions}")
    return text.format(count=count, dimensions=count_dimensions(shape))


def _read_axis(call: Call, axis: str, rank: str) -> str | None:
    fits = any(one.shape is not None and len(one.shape) == int(rank) for one in call.tensors)
    return say_axis(axis, (None,) * int(rank)) if fits else None


def _read_order(call: Call, rank: str, count: str) -> str | None:
    shape = _first_shape(call.listed)
    if shape is None or len(shape) != int(rank):
        return None
    text = _("{count} axes, and there are {dimensions}")
    return text.format(count=count, dimensions=count_dimensions(shape))


def _first_shape(operands: list[Operand]) -> Shape | None:
    return operands[0].shape if operands else None


def _read_squeezed(call: Call, axis: str, size: str) -> str | None:
    if _read_size(call, axis) != int(size):
        return None
    text = _("dimension {number} has size {size}, and only size 1 can be squeezed")
    return text.format(number=axis, size=size)


def _read_split(call: Call, axis: str, size: str, count: str) -> str | None:
    if _read_size(call, axis) != int(size):
        return None
    return _("size {size} into {count} equal parts").format(size=size, count=count)


_RANGE = r"\[-(?P<rank>\d+), \d+\)"
_LIMITS: Final[Mapping[str, Callable[..., str | None]]] = {
    r"reshape is a tensor with (?P<size>\d+) values, but the requested shape "
    r"(?:has (?P<wanted>\d+)|requires a multiple of (?P<multiple>\d+))": _read_reshape,
    r"reshape a tensor with (?P<size>\d+) elements to shape \[.*?\] \((?P<wanted>\d+) elements": (
        _read_reshape
    ),
    r"indices(?:\[[\d,]*\])? = (?P<index>-?\d+) is not in \[0, (?P<size>\d+)\)": _read_gathered,
    r"\] = \[(?P<index>[-\d, ]+)\] does not index into (?:param )?shape \[(?P<shape>[\d,]+)\]": (
        _read_places
    ),
    r"slice index (?P<index>-?\d+) of dimension (?P<axis>\d+) out of bounds": _read_slice,
    r"input has only (?P<rank>\d+) dims": _read_indices,
    r"Attempting to slice scalar input": _read_indices,
    r"reduction dimension \(?(?P<axis>-?\d+) for input with (?P<rank>\d+) dim": _read_axis,
    r"dim index (?P<axis>-?\d+) for tensor with (?P<rank>\d+) dim": _read_axis,
    rf"(?:dimensions?|axis) in the range {_RANGE}, but got (?P<axis>-?\d+)": _read_axis,
    rf"in the range {_RANGE} where .*Received: dim=(?P<axis>-?\d+)": _read_axis,
    rf"`axis` = (?P<axis>-?\d+) not in range {_RANGE}": _read_axis,
    r"transpose expects a vector of size (?P<rank>\d+)\. But input\(1\) is a vector of size "
    r"(?P<count>\d+)": _read_order,
    r"Can not squeeze dim\[(?P<axis>\d+)\], expected a dimension of 1, got (?P<size>\d+)": (
        _read_squeezed
    ),
    r"split_dim (?P<axis>\d+) \(size = (?P<size>\d+)\) and num_split (?P<count>\d+)": _read_split,
}
