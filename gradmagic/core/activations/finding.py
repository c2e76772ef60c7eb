"""From the name of an activation to the function: the notebook's own, or TensorFlow's."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.activations.records import KNOWN, Function
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_function(asked: Any, names: Mapping[str, Any]) -> Function:
    """The function that a name or an expression means in the notebook, or a function as it is.

    What the notebook calls by this name comes first, then the activations of the lesson.

    Raises
    ------
    UserError
        There is none of this name, or it is no function.
    """
    if not isinstance(asked, str):
        name = getattr(asked, "__name__", None) or getattr(asked, "name", None)
        return _wrap(str(name or type(asked).__name__), asked)
    if asked in KNOWN and not callable(names.get(asked)):
        return Function(asked, _load(asked), KNOWN[asked], _name_known(_load(asked)))
    return _wrap(asked, evaluate(asked, names))


def _wrap(name: str, found: Any) -> Function:
    if not callable(found):
        kind = _("a tensor") if isinstance(found, tf.Tensor) else type(found).__name__
        raise UserError(
            _("'{name}' is {kind}, not a function; name an activation").format(name=name, kind=kind)
        )
    return Function(name, copy_unbuilt(found), name, _name_known(found))


def copy_unbuilt(found: Any) -> Any:
    """The function; a copy where it is a Keras layer without weights yet, which a call would make.

    They would have the shape of the grid.
    """
    if not isinstance(found, tf.keras.layers.Layer) or found.built:
        return found
    try:
        return type(found).from_config(found.get_config())
    except Exception:  # a Lambda with a function of the notebook: it has no weights
        return found


def _load(name: str) -> Any:
    return getattr(tf.nn, KNOWN[name].removeprefix("tf.nn."))


def _name_known(found: Any) -> str:
    """The lesson's name of one of TensorFlow's own functions, whoever imported it from where."""
    for name in KNOWN:
        twins = (_load(name), getattr(tf.keras.activations, name, None))
        if any(found is twin for twin in twins if twin is not None):
            return "swish" if name == "silu" else name
    if isinstance(found, tf.keras.layers.Softmax) and found.axis == -1:
        return "softmax"
    return ""


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """An expression's value in the notebook; UserError, in one line, where it has none."""
    try:
        return eval(text, dict(names))  # noqa: S307  (an expression of the user's own)
    except NameError as error:
        raise UserError(_say_unknown(text, error.name or text, names)) from None
    except Exception as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise UserError(
            _("'{text}' cannot be evaluated: {error}").format(text=text, error=said)
        ) from None


def _say_unknown(text: str, name: str, names: Mapping[str, Any]) -> str:
    callables = [key for key, value in names.items() if not key.startswith("_") and callable(value)]
    known = [*KNOWN, *callables]
    near = difflib.get_close_matches(name, known, 1) if text == name else []
    if near:
        return _("there is no {name}; did you mean {near}?").format(name=name, near=near[0])
    return _("there is no {name}; run the cell that makes it").format(name=name)
