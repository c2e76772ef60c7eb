"""Which calls take values out of TensorFlow."""

from __future__ import annotations

import ast
import builtins
import types
from typing import Any

import tensorflow as tf

from gradmagic.core.diagnose.code import find_base
from gradmagic.core.sources import unwrap

_NUMBERS = frozenset({"float", "int", "complex", "round"})
_OF_TENSORS = frozenset({"numpy", "tolist", "item"})
_PREDICTING = frozenset({"predict", "predict_on_batch"})
_OF_MODELS = _PREDICTING | {"evaluate", "fit", "train_on_batch", "test_on_batch"}
METHODS = _OF_TENSORS | _OF_MODELS  # that give values of what they are called on
_COPIES = frozenset({"constant", "Variable", "numpy_function"})  # of TensorFlow, by value
TENSORFLOW = frozenset({"tensorflow", "keras", "tf_keras"})


def takes_value(call: ast.Call, namespace: Any) -> bool:
    """Whether a call takes values out of TensorFlow: NumPy's, math's, float(), .numpy()."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        return call.func.attr in _OF_TENSORS or _is_of_model(call, call.func.attr, namespace)
    base = find_base(call.func)
    value = namespace.get(base, getattr(builtins, base or "", None))
    if isinstance(call.func, ast.Name) and base in _NUMBERS:
        return value is getattr(builtins, base)
    package = find_package(value)
    if package in TENSORFLOW:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else base
        return name in _COPIES and _copies(call, namespace)
    return package in ("numpy", "math", "scipy", "jax", "torch", "pandas")


def _is_of_model(call: ast.Call, method: str, namespace: Any) -> bool:
    """Whether a method is Keras' own; what predicts is held to be, where its owner is unknown."""
    function = find_function(call, namespace)
    if function is None:
        return method in _PREDICTING
    return find_package(function) in TENSORFLOW


def _copies(call: ast.Call, namespace: Any) -> bool:
    """Whether tf.constant or its like is given more than a tensor, which it would pass on."""
    given = call.args[0] if call.args else None
    if isinstance(given, ast.Call) and _passes_own(given, namespace):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name != "constant" or not isinstance(given, ast.Name):
        return True
    return isinstance(unwrap(namespace.get(given.id)), tf.Variable)


def _passes_own(call: ast.Call, namespace: Any) -> bool:
    """Whether a call gives what the user's code gives: a tensor, or what had left before."""
    return calls_own(call, namespace) and not takes_value(call, namespace)


def find_package(value: Any) -> str:
    """The package that a module, function or class belongs to; empty for other things."""
    if isinstance(value, types.ModuleType):
        return value.__name__.split(".")[0]
    if type(value).__module__ == "numpy":  # np.sin, imported by its name
        return "numpy"
    return (getattr(value, "__module__", None) or "").split(".")[0] if callable(value) else ""


def calls_own(call: ast.Call, namespace: Any) -> bool:
    """Whether a call may run the user's own code, or a method of any object."""
    base = find_base(call.func) or ""
    value = namespace.get(base, getattr(builtins, base, None))
    module = isinstance(value, types.ModuleType)
    return not module and find_package(value) not in {"builtins", *TENSORFLOW}


def find_function(call: ast.Call, namespace: Any) -> Any:
    """What a call runs: a function, or a method of an object that has a name; None if unknown."""
    name = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    value = namespace.get(name.id) if isinstance(name, ast.Name) else None
    if value is None:
        return None
    if isinstance(call.func, ast.Attribute):
        owner = value if isinstance(value, (type, types.ModuleType)) else type(value)
        return getattr(owner, call.func.attr, None)
    own = isinstance(value, (type, types.FunctionType))
    return value if own else getattr(type(value), "__call__", None)  # noqa: B004
