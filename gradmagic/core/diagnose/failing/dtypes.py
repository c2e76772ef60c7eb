"""Dtypes that do not fit: where TensorFlow's message says so and the operands show it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tensorflow as tf

from gradmagic.core.diagnose.failing.clashes import ELEMENTWISE, against
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from gradmagic.core.diagnose.failing.operands import Operand
    from gradmagic.core.diagnose.failing.raised import Call

_OF_DTYPES: Final = re.compile(
    r"was expected to be an? \w+ tensor but is|must have the same dtype|Cannot convert .* to "
    r"EagerTensor of dtype|Tensor conversion requested dtype|is not in the list of allowed values"
    r"|that don't all match|that does not match type|Received integer type",
    re.DOTALL,
)
_NOT_ALLOWED: Final = re.compile(
    r"attr '(\w+)' of (\w+) is not in the list of allowed values: ([\w, ]+)"
)
_NOT_REAL: Final = re.compile(r"Received integer type <dtype: '(\w+)'>")
_CONVERSION: Final = re.compile(r"conversion requested dtype (\w+) for Tensor with dtype (\w+)")
# The parameters that TensorFlow's attributes of other names than T are about.
_INDICES: Final = ("indices", "labels", "ids")
_NAMES: Final = {"float": "float32", "double": "float64", "half": "float16"}
# Which dtype two operands should both have: the first of these that one of them has.
_ORDER: Final = """
complex128 complex64 float32 float64 float16 bfloat16 int64 int32 uint64 uint32 int16 uint16 int8
uint8 bool
"""
_PREFERRED: Final = tuple(_ORDER.split())
_PRODUCTS: Final = """
MatMult matmul matvec tensordot bias_add conv1d conv2d conv3d matrix_solve assign assign_add
assign_sub softmax_cross_entropy_with_logits sigmoid_cross_entropy_with_logits
"""
# What must have one dtype, by the names of calls: the first two operands, or those in a list.
_ALIKE: Final = ELEMENTWISE | frozenset(_PRODUCTS.split())
_LISTED: Final = frozenset({"concat", "concatenate", "stack", "add_n"})


@dataclass(frozen=True, eq=False)
class DtypeClash:
    """What does not fit, in words, and the operand to cast and the dtype to cast it to."""

    text: str
    operand: Operand | None
    dtype: str = ""


def is_about_dtypes(message: str) -> bool:
    """Whether a message says that a dtype is the cause."""
    return _OF_DTYPES.search(message) is not None


def compare_dtypes(call: Call, message: str) -> DtypeClash | None:
    """The dtypes of a call's operands that do not fit; None where they do, or it is unclear."""
    if not is_about_dtypes(message):
        return None
    return (
        _compare_pair(_list_alike(call))
        or _compare_number(call)
        or _read_allowed(call, message)
        or _read_conversion(call, message)
    )


def _list_alike(call: Call) -> list[Operand]:
    if call.name in _LISTED:
        return call.listed[0].elements
    if call.name == "where":
        return call.listed[1:]
    if call.name == "einsum":
        return call.listed[1:]
    return call.listed[:2] if call.name in _ALIKE else []


def _compare_pair(operands: list[Operand]) -> DtypeClash | None:
    """Two tensors of different dtypes."""
    typed = [one for one in operands if one.dtype is not None]
    other = next((one for one in typed[1:] if one.dtype != typed[0].dtype), None)
    if other is None or len({one.dtype for one in typed}) > 2:
        return None
    first = typed[0]
    text = against(first.dtype, other.dtype)
    known = [dtype for dtype in _PREFERRED if dtype in (first.dtype, other.dtype)]
    if len(known) < 2:  # a string cannot be cast
        return DtypeClash(text, None)
    cast = other if first.dtype == known[0] else first
    alone = sum(one.dtype == cast.dtype for one in typed) == 1
    return DtypeClash(text, cast if alone else None, known[0])


def _compare_number(call: Call) -> DtypeClash | None:
    """A tensor of whole numbers, and a Python number that is none."""
    pair = call.listed[:2]
    if len(pair) != 2 or call.name not in _ALIKE:
        return None
    for tensor, number in (pair, pair[::-1]):
        dtype = tensor.dtype
        if dtype is not None and number.is_fraction and tf.as_dtype(dtype).is_integer:
            first, second = (one.dtype or type(one.value).__name__ for one in pair)
            return DtypeClash(against(first, second), tensor, "float32")
    return None


def _read_allowed(call: Call, message: str) -> DtypeClash | None:
    """A dtype that the function does not take."""
    attribute, given, allowed = _read_rejected(message)
    typed = [one for one in call.tensors if one.dtype == given]
    if attribute.lower().lstrip("t").startswith(("i", "l")):  # TI, Tindices, Tlabels
        own = [one for name, one in call.operands.items() if name in _INDICES]
        typed = [one for one in own if one.dtype == given]
    if len(typed) != 1 or call.name == "layer":
        return None
    function = getattr(call.node, "func", None)
    name = _("the operator") if function is None else ast.unparse(function)
    text = _("{function} takes no {dtype}").format(function=name, dtype=given)
    wanted = next((dtype for dtype in ("float32", "int32", "int64") if dtype in allowed), "")
    castable = given in _PREFERRED and wanted
    return DtypeClash(text, typed[0] if castable else None, wanted)


def _read_rejected(message: str) -> tuple[str, str, list[str]]:
    """The op's attribute, the dtype that it does not take, and those that it takes."""
    found = _NOT_ALLOWED.search(message)
    if found is not None:
        allowed = [_NAMES.get(one, one) for one in found[3].replace(" ", "").split(",")]
        return found[1], _NAMES.get(found[2], found[2]), allowed
    found = _NOT_REAL.search(message)
    return ("T", found[1], ["float32"]) if found is not None else ("", "", [])


def _read_conversion(call: Call, message: str) -> DtypeClash | None:
    """One tensor that is taken as it is, and not cast."""
    found = _CONVERSION.search(message)
    if found is None or call.name == "layer":
        return None
    typed = [one for one in call.tensors if one.dtype == found[2]]
    if len(typed) != 1:
        return None
    castable = {found[1], found[2]} <= set(_PREFERRED)
    return DtypeClash(against(found[2], found[1]), typed[0] if castable else None, found[1])
