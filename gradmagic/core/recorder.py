"""What really ran: TensorFlow's op callbacks, and a tape whose record can be read more than once.

This is the only file that touches private TensorFlow. Where a version lacks what it needs,
:func:`check_tensorflow` says so in a sentence.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType, TracebackType

try:
    from tensorflow.python.framework import op_callbacks
    from tensorflow.python.framework import ops as framework
except ImportError:  # pragma: no cover - a future TensorFlow
    op_callbacks = framework = None

PENDING_SIZE = 1 << 20  # entries that may wait to be looked at
EagerTensor = framework.EagerTensor if framework else None
HELD_BYTES = 128 << 20  # a recording holds at most this much of the values that ran
HELD_TENSOR_BYTES = 16 << 20  # and no tensor larger than this


def check_tensorflow() -> None:
    """Raise UserError where this TensorFlow lacks what recording needs of its inside."""
    works = (
        op_callbacks is not None
        and hasattr(op_callbacks, "add_op_callback")
        and hasattr(framework, "_gradient_registry")
        and hasattr(tf.GradientTape, "_push_tape")
        and hasattr(tf.constant(0), "_id")
    )
    if not works:
        raise UserError(
            _(
                "gradmagic cannot look into TensorFlow {version}; "
                "install a version that it supports: pip install 'tensorflow>=2.16,<2.22'"
            ).format(version=tf.__version__)
        )


def identify(tensor: Any) -> int:
    """The number that TensorFlow knows an eager tensor (or a variable's handle) by."""
    number = getattr(tensor, "_id", None)
    return tensor.handle._id if number is None else number


class Op(NamedTuple):  # (a named tuple: thousands are made, and it is the quickest record)
    """One eager op that ran: TensorFlow's name, the cell's line, the ids of what went in and out.

    ``inputs`` and ``outputs`` are the ids of the tensors; ``attributes`` alternates names and
    values.
    """

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    line: int | None
    attributes: tuple[Any, ...]


class Seen(NamedTuple):
    """What is known of a tensor that went through an op: ``tensor`` only where it was held."""

    shape: tuple[int | None, ...]
    dtype: tf.DType
    tensor: Any


class Recorder:
    """Records the eager ops of this thread between ``with`` and its end.

    Parameters
    ----------
    filename
        The file name under which the cell was compiled: the frames that have it give the lines.
    flat
        Whether the cell's code has no functions in it: then one frame gives all lines, until
        :meth:`leave_frame`.

    Attributes
    ----------
    missing
        Number of ops that threads started meanwhile ran: no tape of this thread records them.
    unclear
        Number of tensors that may have been read from a Variable, though it is unclear from which.
    """

    def __init__(self, filename: str, *, flat: bool = False) -> None:
        self.filename = filename
        self._flat = flat
        self._frame: FrameType | None = None
        self.missing = 0
        self.unclear = 0
        self._ops: list[Op] = []
        self._seen: dict[int, Seen] = {}
        self._dtypes: dict[int, tuple[tf.DType, int]] = {}
        self._room = HELD_BYTES
        self._first = 0  # tensors made before the cell have smaller numbers
        self._pending: list[tuple[Any, Any, Any, Any, int | None]] = []
        self._pending_size = 0
        self._strangers: list[tuple[int, int]] = []  # position in ops, tensor that no op made
        self._active = False
        self._other_profile: Any = None

    @property
    def ops(self) -> list[Op]:
        """The ops in the order in which they ran."""
        self._settle()
        return self._ops

    @property
    def seen(self) -> dict[int, Seen]:
        """Every tensor that went in or out, by id."""
        self._settle()
        return self._seen

    def __enter__(self) -> Recorder:  # noqa: PYI034  (typing.Self is of Python 3.11)
        self._active = True
        self._first = tf.constant(0)._id
        self._other_profile = threading.getprofile()
        threading.setprofile(self._enter_thread)
        op_callbacks.add_op_callback(self._record)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._active = False
        self._frame = None
        op_callbacks.remove_op_callback(self._record)
        threading.setprofile(self._other_profile)

    def _record(
        self,
        op_type: str | bytes,
        inputs: Sequence[Any],
        attributes: tuple[Any, ...] | None,
        outputs: Sequence[Any],
        op_name: str | None = None,  # noqa: ARG002  (TensorFlow passes it)
        graph: Any = None,
    ) -> None:
        # The cell waits for this: keep what came, and look at it when the cell is done.
        if graph is not None:  # traced, not run: a tf.function is one op when it runs
            return
        frame = self._frame
        if frame is None:
            filename = self.filename
            frame = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename != filename:
                frame = frame.f_back
            if self._flat:
                self._frame = frame
        line = None if frame is None else frame.f_lineno
        # (tuples: TensorFlow may change its lists later)
        self._pending.append((op_type, tuple(inputs), tuple(outputs), attributes, line))
        for tensor in inputs:
            self._pending_size += tensor._num_elements()
        for tensor in outputs:
            self._pending_size += tensor._num_elements()
        if self._pending_size > PENDING_SIZE:
            self._settle()

    def leave_frame(self) -> None:
        """The frame that ran is done; the next op comes from another."""
        self._frame = None

    def _settle(self) -> None:
        """Make records of what came, and let go of the tensors that are too large to hold."""
        if not self._pending:
            return
        seen, ops = self._seen, self._ops
        for op_type, inputs, outputs, attributes, line in self._pending:
            # ops written in C++ name themselves in bytes
            name = op_type.decode() if isinstance(op_type, bytes) else op_type
            ids_in = tuple([tensor._id for tensor in inputs])
            for number, tensor in zip(ids_in, inputs, strict=True):
                if number not in seen:
                    self._see(number, tensor)
                    if number > self._first:
                        self._strangers.append((len(ops), number))
            ids_out = tuple([tensor._id for tensor in outputs])
            for number, tensor in zip(ids_out, outputs, strict=True):
                self._see(number, tensor)
            ops.append(Op(name, ids_in, ids_out, line, attributes or ()))
        self._pending.clear()
        self._pending_size = 0

    def see(self, tensor: Any) -> Seen:
        """Note a tensor that no op has met."""
        number = identify(tensor)
        if number not in self.seen:
            self._see(number, tensor.value() if hasattr(tensor, "handle") else tensor)
        return self._seen[number]

    def _see(self, number: int, tensor: Any) -> None:
        kind = tensor._datatype_enum()
        if kind not in self._dtypes:
            self._dtypes[kind] = tensor.dtype, tensor.dtype.size or 8
        dtype, item = self._dtypes[kind]
        shape = tensor._shape_tuple()
        size = tensor._num_elements() * item
        if size > HELD_TENSOR_BYTES or size > self._room:
            tensor = None
        else:
            self._room -= size
        self._seen[number] = Seen(shape, dtype, tensor)

    def add_hidden_reads(self, variables: Sequence[tf.Variable], tape: CellTape) -> None:
        """Add the reads of Variables that TensorFlow did in C++, which no callback tells of.

        ``v * v`` hands the Variable itself to the op, which then reads it. What it read shares the
        Variable's memory: that is how it is found again. Where several Variables share it (both
        made of one constant), the tape tells which of them the tensor comes from.
        """
        made = {number for op in self.ops for number in op.outputs}
        strangers = [(at, number) for at, number in self._strangers if number not in made]
        if not strangers:
            return
        owners: dict[int | None, dict[int, Any]] = {}
        for variable in variables:
            address = _find_address(variable.value())
            owners.setdefault(address, {})[identify(variable)] = variable
        by_handle = {identify(variable): variable for variable in variables}
        for op in self.ops:  # what a Variable held before it was assigned
            value = self.seen[op.outputs[0]].tensor if op.type == "ReadVariableOp" else None
            if value is not None and op.inputs[0] in by_handle:
                handle = op.inputs[0]
                owners.setdefault(_find_address(value), {})[handle] = by_handle[handle]
        for position, number in reversed(strangers):
            tensor = self.seen[number].tensor
            address = None if tensor is None else _find_address(tensor)
            found = {} if address is None else owners.get(address, {})
            if len(found) > 1:
                found = _find_connected(tape, tensor, found)
                self.unclear += not found
            self.unclear += address is None
            for handle in found:
                line = self.ops[position].line
                self._ops.insert(position, Op("ReadVariableOp", (handle,), (number,), line, ()))
                self._seen.setdefault(handle, Seen((), tf.resource, None))

    def find_first_read(self, variable: tf.Variable) -> Any:
        """The value that the cell read from a Variable first, where it was held; else None."""
        number = self._first_reads.get(identify(variable))
        return None if number is None else self.seen[number].tensor

    @functools.cached_property  # (asked when the cell is done)
    def _first_reads(self) -> dict[int, int]:
        reads = [op for op in reversed(self.ops) if op.type == "ReadVariableOp"]
        return {op.inputs[0]: op.outputs[0] for op in reads}

    @functools.cached_property
    def assigned(self) -> frozenset[int]:
        """The handles of the Variables that the cell assigned."""
        assigning = [op for op in self.ops if op.type.startswith("Assign")]
        return frozenset(op.inputs[0] for op in assigning)

    def _enter_thread(self, *_event: Any) -> None:
        # A thread that starts calls its profile function before anything else. Ours counts the
        # thread's ops, and steps aside at once for the profiler that was there before.
        sys.setprofile(self._other_profile)

        def count(*_op: Any, graph: Any = None, **_more: Any) -> None:
            if not self._active:
                op_callbacks.remove_op_callback(count)
            elif graph is None:
                self.missing += 1

        if self._active:
            op_callbacks.add_op_callback(count)


def _find_address(tensor: Any) -> int | None:
    """Where the tensor's entries lie in memory; None where that cannot be told."""
    array: Any
    try:
        array = np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # a dtype that Python's buffers lack: bfloat16
        array = tensor._numpy_internal()
    # of a scalar the second way gives a copy, which lies elsewhere
    shared = isinstance(array, np.ndarray) and array.size
    return array.__array_interface__["data"][0] if shared else None


def _find_connected(tape: CellTape, tensor: Any, variables: dict[int, Any]) -> dict[int, Any]:
    """The one Variable that the tape saw the tensor read from; else the one that is not watched."""
    slopes = tape.reader().gradient(tensor, list(variables.values()))
    pairs = list(zip(variables.items(), slopes, strict=True))
    read = dict(pair for pair, slope in pairs if slope is not None)
    watched = {identify(variable) for variable in tape.watched_variables()}
    unwatched = {handle: v for handle, v in variables.items() if handle not in watched}
    found = read or unwatched
    return found if len(found) == 1 else {}


class CellTape(tf.GradientTape):
    """A tf.GradientTape whose record can be read without using the tape up.

    The record below is kept as a persistent tape keeps it, so that :func:`take_gradients` can read
    it first. What the user meets obeys TensorFlow's rules: one ``gradient`` call unless
    ``persistent``.
    """

    def __init__(self, *, persistent: bool, watch_accessed_variables: bool) -> None:
        super().__init__(persistent=persistent, watch_accessed_variables=watch_accessed_variables)
        self.watched: list[Any] = []
        self._kept: Any = None

    def watch(self, tensor: Any) -> None:
        """Watch a tensor, a Variable, or a list of them, as tf.GradientTape does."""
        super().watch(tensor)
        self.watched.extend(tf.nest.flatten(tensor))

    def watch_source(self, tensor: Any) -> None:
        """Watch a tensor as :meth:`watch` does; nothing where the cell has used the tape up."""
        if self._tape is not None:
            super().watch(tensor)

    def _push_tape(self) -> None:
        asked = self._persistent  # type: ignore[has-type]
        self._persistent = True
        try:
            super()._push_tape()
        finally:
            self._persistent = asked
        self._kept = self._tape

    def reader(self) -> tf.GradientTape:
        """A persistent tape over the same record: what it is asked costs this tape nothing.

        What it is asked while this tape records is recorded, and can be differentiated again.
        """
        reader = tf.GradientTape(persistent=True)
        reader._tape = self._kept or self._tape
        return reader

    def is_readable(self) -> bool:
        """Whether the record is still there: only a persistent tape keeps it when it is used."""
        return (self._kept or self._tape) is not None

    def release(self) -> None:
        """Keep no more than a plain tape keeps: once used, the record is gone."""
        self._kept = None


def lacks_gradient(op_type: str) -> bool:
    """Whether TensorFlow has no gradient registered for this op (functions have their own)."""
    if op_type.startswith("__"):
        return False
    try:
        framework._gradient_registry.lookup(op_type)
    except LookupError:
        return True
    return False


@contextlib.contextmanager
def pass_none_through(op_types: Sequence[str]) -> Iterator[None]:
    """While open, ops without a registered gradient give their inputs None and raise nothing."""
    table = framework._gradient_registry._registry
    added = [op for op in op_types if op not in table]
    for op in added:
        table[op] = {"type": None, "location": ""}
    try:
        yield
    finally:
        for op in added:
            del table[op]


def passes_gradient(op_type: str) -> bool:
    """Whether a gradient can flow back through this op: not, for example, through ArgMax."""
    if op_type.startswith("__"):
        return True
    try:
        return framework._gradient_registry.lookup(op_type) is not None
    except LookupError:
        return False
