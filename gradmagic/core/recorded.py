"""What a recording is made of: ops that ran, tensors that went through them, what left the tape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

    from gradmagic.core.records import Scope, Summary


# Callers that take a tensor's value only to write it, or to look whether it is a constant.
WRITERS = frozenset({"constant_value", "__repr__", "__str__", "__format__"})


class Op(NamedTuple):  # (a named tuple: thousands are made, and it is the quickest record)
    """One eager op that ran: TensorFlow's name, the cell's line, the ids of what went in and out.

    ``inputs`` and ``outputs`` are the ids of the tensors; ``attributes`` alternates names and
    values; ``seconds`` passed from the op before until this one was done; ``scopes`` are the calls
    inside which it ran.
    """

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    line: int | None
    attributes: tuple[Any, ...]
    seconds: float | None = None
    scopes: tuple[Scope, ...] = ()


class Seen(NamedTuple):
    """What is known of a tensor that went through an op.

    ``tensor`` only where it was held; of one that was too large, what it was: ``summary``.
    """

    shape: tuple[int | None, ...]
    dtype: tf.DType
    tensor: Any
    summary: Summary | None = None


class Departure(NamedTuple):
    """A tensor whose value Python took, so that TensorFlow lost sight of it.

    ``number`` is the tensor's id, ``method`` what gave the value (``"numpy"``, ``"__bool__"``),
    ``caller`` the function that asked for it, ``line`` the cell's, ``mark`` the moment: tensors
    with greater ids were made later.
    """

    number: int
    method: str
    caller: str
    line: int | None
    mark: int


class Gap(NamedTuple):
    """What a tape did not record: the making of tensors whose ids lie between two marks.

    ``reason`` is ``"stop_recording"``, ``"reset"`` or ``"gradient"`` (which uses a tape up);
    ``line`` is the cell's.
    """

    start: int
    end: int
    reason: str
    line: int | None


class FunctionBody(NamedTuple):
    """The inside of a traced function.

    ``operations`` in the order in which they were traced, ``inputs`` and ``outputs`` by the names
    of the tensors; ``lines`` are those of the cell that traced an operation, by its name.
    """

    operations: list[tf.Operation]
    inputs: list[str]
    outputs: list[str]
    lines: dict[str, int]
