"""An op's attributes as plain Python values."""

from __future__ import annotations

from typing import Any


def read_attributes(attributes: tuple[Any, ...]) -> dict[str, Any]:
    """Names and values in turn, as op callbacks hand them out, to a dictionary.

    Ops that run at once bring plain values; ops of a tf.function bring protocol buffers.
    """
    return {
        _decode(name): _read(value)
        for name, value in zip(attributes[::2], attributes[1::2], strict=True)
    }


def _read(value: Any) -> Any:
    if hasattr(value, "WhichOneof"):
        kind = value.WhichOneof("value")
        if kind is None:
            return None
        value = getattr(value, kind)
        if kind == "list":
            filled = [entries for _, entries in value.ListFields()]
            value = list(filled[0]) if filled else []
    if isinstance(value, list):
        return [_decode(entry) for entry in value]
    return _decode(value)


def _decode(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
