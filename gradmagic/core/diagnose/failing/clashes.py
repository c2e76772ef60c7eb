"""Shapes that do not fit: the rules of TensorFlow's ops for the shapes of their operands.

A rule says where operands do not fit, and is silent where they do: then something else failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gradmagic.core.diagnose.failing.operands import Operand, Shape
    from gradmagic.core.diagnose.failing.raised import Call

_OPERATORS: Final = "Add Sub Mult Div FloorDiv Mod Pow BitAnd BitOr BitXor Lt LtE Gt GtE"
_FUNCTIONS: Final = """
add subtract multiply divide truediv floordiv floormod floor_mod mod pow power maximum minimum
squared_difference less less_equal greater greater_equal equal not_equal atan2 xdivy xlogy
logical_and logical_or logical_xor div_no_nan divide_no_nan multiply_no_nan
"""
_OF_LOSSES: Final = """
mean_squared_error mean_absolute_error mean_absolute_percentage_error kl_divergence kldivergence
mean_squared_logarithmic_error huber log_cosh poisson hinge squared_hinge
"""
_LOSSES: Final = frozenset(_OF_LOSSES.split())
# Calls of two tensors that broadcast: operators by their class, the others by the function's name.
ELEMENTWISE: Final = frozenset(f"{_OPERATORS} {_FUNCTIONS}".split()) | _LOSSES
_CONVOLUTIONS: Final[Mapping[str, int]] = {"conv1d": 3, "conv2d": 4, "conv3d": 5}


def compare_shapes(call: Call) -> str | None:
    """Where the shapes of a call's operands do not fit (``3 against 4``); None where they do."""
    rule = _RULES.get(call.name, _compare_elements if call.name in ELEMENTWISE else None)
    return None if rule is None else rule(call)


def against(first: object, second: object) -> str:
    """``3 against 4``."""
    return _("{first} against {second}").format(first=first, second=second)


def differ(first: int | None, second: int | None) -> bool:
    """Whether two sizes are known, and not the same."""
    return first is not None and second is not None and first != second


def compare_ranks(first: Shape, second: Shape) -> str:
    """``1 dimension against 2``."""
    return _("{count} against {other}").format(count=count_dimensions(first), other=len(second))


def count_dimensions(shape: Shape) -> str:
    """``1 dimension``, ``2 dimensions``."""
    one = len(shape) == 1
    text = _("{count} dimension") if one else _("{count} dimensions")
    return text.format(count=len(shape))


def compare_broadcast(first: Shape | None, second: Shape | None) -> str | None:
    """The first sizes from the right that do not broadcast."""
    for one, other in zip(reversed(first or ()), reversed(second or ()), strict=False):
        if differ(one, other) and 1 not in (one, other):
            return against(one, other)
    return None


def compare_equal(first: Shape | None, second: Shape | None) -> str | None:
    """The first sizes of two shapes that must be the same and are not."""
    if first is None or second is None:
        return None
    if len(first) != len(second):
        return compare_ranks(first, second)
    pairs = zip(first, second, strict=True)
    return next((against(one, other) for one, other in pairs if differ(one, other)), None)


def say_axis(axis: object, shape: Shape) -> str:
    """``axis 3, and there are 2 dimensions``."""
    text = _("axis {axis}, and there are {dimensions}")
    return text.format(axis=axis, dimensions=count_dimensions(shape))


def _compare_elements(call: Call) -> str | None:
    shapes = [one.shape for one in call.listed[:2]]
    if len(shapes) < 2:
        return None
    if call.name in _LOSSES and {shape[-1:] for shape in shapes if shape is not None} & {(1,)}:
        return None  # Keras takes a last dimension of 1 away, or adds it
    return compare_broadcast(*shapes)


def _compare_where(call: Call) -> str | None:
    shapes = [one.shape for one in call.listed if one.shape is not None]
    pairs = [(one, other) for i, one in enumerate(shapes) for other in shapes[i + 1 :]]
    return next(filter(None, (compare_broadcast(*pair) for pair in pairs)), None)


def _compare_product(call: Call) -> str | None:
    """A matrix product: the last size of the first against the last but one of the second."""
    (one, other), options = call.listed[:2], call.operands
    first, second = one.shape, other.shape
    if first is None or second is None:
        return None
    if min(len(first), len(second)) < 2:
        if not is_strict(call):
            return None
        name = one if len(first) < 2 else other
        text = _("{name} has {dimensions}, and a matrix product needs 2")
        return text.format(name=name.code, dimensions=count_dimensions(name.shape or ()))
    inner = first[-2 if _is_set(options, "transpose_a", "adjoint_a") else -1]
    outer = second[-1 if _is_set(options, "transpose_b", "adjoint_b") else -2]
    if differ(inner, outer):
        return against(inner, outer)
    return compare_broadcast(first[:-2], second[:-2])


def is_strict(call: Call) -> bool:
    """Whether it is TensorFlow's own: Keras and tf.experimental.numpy take vectors, and promote."""
    module = str(getattr(call.target, "__module__", "tensorflow"))
    own = module.startswith("tensorflow") and "numpy_ops" not in module
    return own and not any(one.of_keras for one in call.listed)


def _is_set(options: Mapping[str, Operand], *names: str) -> bool:
    return any(options[name].value is True for name in names if name in options)


def _compare_vector(call: Call) -> str | None:
    (one, other), options = call.listed[:2], call.operands
    first, second = one.shape, other.shape
    if first is None or second is None or len(first) < 2 or not second:
        return None
    inner = first[-2 if _is_set(options, "transpose_a", "adjoint_a") else -1]
    return against(inner, second[-1]) if differ(inner, second[-1]) else None


def _compare_tensordot(call: Call) -> str | None:
    (one, other), axes = call.listed[:2], call.operands.get("axes")
    first, second = one.shape, other.shape
    if first is None or second is None or axes is None:
        return None
    if type(axes.value) is int and 0 < axes.value <= min(len(first), len(second)):
        pairs = list(zip(first[-axes.value :], second[: axes.value], strict=True))
    else:
        pairs = [
            (first[i], second[k])
            for i, k in _pair_axes(axes.value)
            if -len(first) <= i < len(first) and -len(second) <= k < len(second)
        ]
    return next((against(*pair) for pair in pairs if differ(*pair)), None)


def _pair_axes(axes: Any) -> list[tuple[int, int]]:
    if not isinstance(axes, (list, tuple)) or len(axes) != 2:
        return []
    left, right = ([one] if type(one) is int else one for one in axes)
    if not isinstance(left, (list, tuple)) or not isinstance(right, (list, tuple)):
        return []
    pairs = zip(left, right, strict=False)
    return [(one, other) for one, other in pairs if type(one) is int and type(other) is int]


def _compare_einsum(call: Call) -> str | None:
    """Each letter of the equation stands for one size."""
    equation, *operands = call.listed
    if not isinstance(equation.value, str):
        return None
    terms = equation.value.replace(" ", "").partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, one in zip(terms, operands, strict=False):
        if one.shape is None or "." in term:
            return None
        if len(term) != len(one.shape):
            text = _("'{letters}' against {dimensions}")
            return text.format(letters=term, dimensions=count_dimensions(one.shape))
        for letter, size in zip(term, one.shape, strict=True):
            if size is None:
                continue
            if sizes.setdefault(letter, size) != size:
                text = _("{letter} is {first} against {second}")
                return text.format(letter=letter, first=sizes[letter], second=size)
    return None


def _compare_concat(call: Call) -> str | None:
    axis = call.operands.get("axis")
    return compare_joined(call.listed[0].elements, 0 if axis is None else axis.value)


def compare_joined(parts: Sequence[Operand], axis: Any) -> str | None:
    """Parts that are joined along an axis: all other sizes must be the same."""
    shapes = [one.shape for one in parts]
    first = next((shape for shape in shapes if shape is not None), None)
    if first is None or type(axis) is not int:
        return None
    if not -len(first) <= axis < len(first):
        return say_axis(axis, first)
    for shape in shapes:
        if shape is not None and len(shape) != len(first):
            return compare_ranks(first, shape)
        for number, (one, other) in enumerate(zip(first, shape or first, strict=True)):
            if number != axis % len(first) and differ(one, other):
                text = _("{first} against {second} in dimension {number}")
                return text.format(first=one, second=other, number=number)
    return None


def _compare_stack(call: Call) -> str | None:
    parts = call.listed[0].elements
    if any(one.tensor is None for one in parts):
        return None
    shapes = [one.shape for one in parts]
    clashes = (compare_equal(shapes[0], other) for other in shapes[1:])
    return next(filter(None, clashes), None)


def _compare_convolution(call: Call) -> str | None:
    first, second = (one.shape for one in call.listed[:2])
    data_format = call.operands.get("data_format")
    if data_format is not None and not str(data_format.value).endswith("C"):
        return None
    rank = _CONVOLUTIONS[call.name]
    if first is None or second is None:
        return None
    if len(first) < rank or len(second) != rank:
        name = call.listed[0] if len(first) < rank else call.listed[1]
        text = _("{name} has {dimensions}, and {count} are needed")
        dimensions = count_dimensions(name.shape or ())
        return text.format(name=name.code, dimensions=dimensions, count=rank)
    given, taken = first[-1], second[-2]
    if given is None or not taken or given % taken == 0:  # (more: a grouped convolution)
        return None
    return _("{given} channels against {taken}").format(given=given, taken=taken)


def _compare_bias(call: Call) -> str | None:
    first, second = (one.shape for one in call.listed[:2])
    if "data_format" in call.operands or not first or not second or len(second) != 1:
        return None
    return against(first[-1], second[0]) if differ(first[-1], second[0]) else None


def _compare_assigned(call: Call) -> str | None:
    return compare_equal(*(one.shape for one in call.listed[:2]))


def _compare_square(call: Call) -> str | None:
    shape = call.listed[0].shape
    if not shape or len(shape) < 2 or not differ(shape[-2], shape[-1]):
        return None
    text = _("a square matrix is needed, and {first} is not {second}")
    return text.format(first=shape[-2], second=shape[-1])


def _compare_solved(call: Call) -> str | None:
    first, second = (one.shape for one in call.listed[:2])
    if not first or not second or min(len(first), len(second)) < 2:
        return None
    return against(first[-2], second[-2]) if differ(first[-2], second[-2]) else None


def _compare_mask(call: Call) -> str | None:
    first, second = (one.shape for one in call.listed[:2])
    if first is None or second is None or "axis" in call.operands:
        return None
    return compare_equal(first[: len(second)], second)


_RULES: Final[Mapping[str, Callable[[Call], str | None]]] = {
    "MatMult": _compare_product,
    "matmul": _compare_product,
    "dot": _compare_product,
    "matvec": _compare_vector,
    "tensordot": _compare_tensordot,
    "einsum": _compare_einsum,
    "where": _compare_where,
    "concat": _compare_concat,
    "concatenate": _compare_concat,
    "stack": _compare_stack,
    "add_n": _compare_stack,
    "convert_to_tensor": _compare_stack,
    "constant": _compare_stack,
    **dict.fromkeys(_CONVOLUTIONS, _compare_convolution),
    "bias_add": _compare_bias,
    "assign": _compare_assigned,
    "assign_add": _compare_assigned,
    "assign_sub": _compare_assigned,
    "matrix_inverse": _compare_square,
    "matrix_determinant": _compare_square,
    "cholesky": _compare_square,
    "matrix_solve": _compare_solved,
    "boolean_mask": _compare_mask,
    "sigmoid_cross_entropy_with_logits": _compare_assigned,
}
