"""What a cell's body may use and leave nothing behind: functions, attributes, builtins, classes."""

from __future__ import annotations

import builtins
import cmath
import functools
import inspect
import itertools
import math
import random
import types
from typing import Any

import numpy as np
import tensorflow as tf

# Of TensorFlow's own namespaces: what writes, registers, or runs what cannot be seen from here.
_WRITING = frozenset(
    str.split(
        "print py_function numpy_function Module Graph Operation init_scope import_graph_def "
        "load_library load_op_library RegisterGradient register_tensor_conversion_function "
        "no_gradient variable_creator_scope get_logger CriticalSection gradients hessians "
        "nondifferentiable_batch_function random_normal_initializer random_uniform_initializer "
        "set_seed Generator create_rng_state get_global_generator set_global_generator "
        "experimental_enable_numpy_behavior RNNCellDeviceWrapper RNNCellDropoutWrapper "
        "RNNCellResidualWrapper"
    )
)
_SPACES = frozenset(
    str.split(
        "math nn linalg signal image random bitwise strings sets sparse ragged nest dtypes "
        "experimental.numpy keras.losses keras.activations keras.regularizers keras.ops "
        "keras.ops.nn keras.ops.numpy keras.ops.linalg keras.ops.image"
    )
)
_BUILTINS = frozenset(
    str.split(
        "abs all any bool complex dict divmod enumerate filter float format frozenset int "
        "isinstance len list map max min pow range repr reversed round set slice sorted str sum "
        "tuple zip"
    )
)
_NUMPY = frozenset(
    str.split(
        "abs all allclose any append arange argmax argmin argsort array array_equal asarray "
        "average bincount broadcast_to clip concatenate cumsum diag dot dtype einsum empty "
        "expand_dims eye flip full full_like hstack identity inner isclose isin linspace matmul "
        "mean median meshgrid ndim nonzero ones ones_like outer pad prod ravel repeat reshape "
        "roll round shape size sort split squeeze stack std sum swapaxes take tensordot tile "
        "trace transpose tril triu unique var vstack where zeros zeros_like"
    )
)
# Draws that Python's and NumPy's own generators rule, whose states are put back.
_DRAWS = frozenset(
    str.split(
        "betavariate choice choices expovariate gauss normal normalvariate permutation rand "
        "randint randn random randrange sample standard_normal uniform"
    )
)

# Attributes and methods that may be asked of a value that the body has made itself.
READING = frozenset(
    str.split(
        "shape dtype ndim size T real imag name numpy get_shape as_list rank is_floating value "
        "read_value values flat_values row_lengths row_splits indices dense_shape to_tensor "
        "kernel bias weights layers variables trainable_variables non_trainable_variables "
        "trainable_weights non_trainable_weights losses astype reshape sum mean std var min max "
        "prod all any argmax argmin argsort dot transpose flatten ravel copy item tolist clip "
        "cumsum round squeeze conj items keys get index count format join split strip lower "
        "upper startswith endswith watch gradient jacobian batch_jacobian stop_recording"
    )
)
# Methods that change a list, dict or set.
GROWING = frozenset(str.split("append extend insert pop remove clear sort reverse add update"))

_PLAIN = (
    *(bool, int, float, complex, str, bytes, range, slice, type(None), type(Ellipsis)),
    *(np.generic, np.dtype, tf.DType, tf.TensorShape, tf.TensorSpec, types.ModuleType),
    *(tf.Tensor, tf.Variable, tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices),
)
_FIXED = (bool, int, float, complex, str, bytes, tuple, type(None), np.generic, tf.Tensor)


@functools.cache
def _list_trusted() -> dict[int, Any]:
    """The functions and classes, by their ids; they are kept so that the ids stay theirs."""
    spaces = [tf]
    for path in _SPACES:
        space: Any = tf
        for part in path.split("."):
            space = getattr(space, part, None)
        if space is not None:
            spaces.append(space)
    found = [
        getattr(space, name, None)
        for space in spaces
        for name in dir(space)
        if not name.startswith("_") and name not in _WRITING
    ]
    found = [one for one in found if not isinstance(one, types.ModuleType)]
    found += [
        getattr(tf.debugging, n) for n in dir(tf.debugging) if n.startswith(("assert", "check"))
    ]
    metrics = [getattr(tf.keras.metrics, name) for name in dir(tf.keras.metrics)]
    found += [one for one in metrics if isinstance(one, types.FunctionType)]
    found += [tf.keras.utils.to_categorical, tf.keras.utils.normalize]
    found += [getattr(builtins, name) for name in _BUILTINS]
    found += [getattr(np, name) for name in _NUMPY if hasattr(np, name)]
    found += [getattr(np.linalg, name) for name in ("norm", "inv", "det", "solve", "eigvalsh")]
    found += [getattr(math, name) for name in dir(math)] + [
        getattr(cmath, name) for name in dir(cmath)
    ]
    found += [getattr(itertools, name) for name in dir(itertools)] + [functools.reduce]
    found += [getattr(np.random, name) for name in _DRAWS if hasattr(np.random, name)]
    # (methods of the generator: made anew each time they are asked for, but kept by the module)
    found += [getattr(random, name) for name in _DRAWS if hasattr(random, name)]
    return {id(one): one for one in found if callable(one)}


def is_trusted(value: Any) -> bool:
    """Whether it is a function or class that leaves nothing behind, however it is called."""
    if isinstance(value, type) and issubclass(value, (BaseException, np.generic)):
        return is_of_library(value)
    return id(value) in _list_trusted() or type(value) is np.ufunc


def is_plain(value: Any) -> bool:
    """Whether it is a number, a text, a tensor, a Variable or a module: nothing that runs code."""
    if isinstance(value, np.ndarray):
        return not value.dtype.hasobject
    return isinstance(value, _PLAIN) and (type(value) in _PLAIN or is_of_library(type(value)))


def is_fixed(value: Any) -> bool:
    """Whether ``+=`` makes a new value of it, and leaves it as it is."""
    return isinstance(value, _FIXED)


def is_of_library(kind: Any) -> bool:
    """Whether a class or function is TensorFlow's, Keras' or NumPy's, or built in."""
    space = getattr(kind, "__globals__", None)
    module = kind.__module__ if space is None else space.get("__name__")
    return (module or "").split(".")[0] in ("tensorflow", "keras", "numpy", "abc", "typing") or (
        module == "builtins" and getattr(builtins, getattr(kind, "__name__", ""), None) is kind
    )


def makes_new(value: Any) -> bool:
    """Whether a call of it gives a new object: that of a function of TensorFlow, or of a layer."""
    if isinstance(value, (tf.keras.layers.Layer, tf.keras.losses.Loss)):
        return is_of_library(type(value))
    return is_trusted(value) and getattr(value, "__module__", "").startswith(
        ("tensorflow", "keras")
    )


@functools.cache
def _count_before_seed(function: Any) -> int:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return 0
    drawing = "seed" in names and not function.__name__.startswith(
        ("stateless", "fold_in", "split")
    )
    return names.index("seed") if drawing else 0


def draws_by_seed(function: Any) -> int:
    """How many arguments stand before ``seed``, where a seed makes it count its calls; else 0."""
    return _count_before_seed(function) if is_trusted(function) else 0
