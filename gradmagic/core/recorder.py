"""What really ran: TensorFlow's op callbacks, and a tape whose record can be read more than once.

This is the only file that touches private TensorFlow. Where a version lacks what it needs,
:func:`check_tensorflow` says so in a sentence.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.bindings import LocalNames
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorded import Departure, FunctionBody, Gap, Op, Seen
from gradmagic.core.scopes import Hook, ScopeWatch, is_own_file
from gradmagic.core.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType, TracebackType

    from gradmagic.core.records import Scope, ScopeKind, Summary

try:
    from tensorflow.python.eager.context import context as find_context
    from tensorflow.python.framework import op_callbacks, op_def_registry
    from tensorflow.python.framework import ops as framework
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def
    from tensorflow.python.ops import custom_gradient
except ImportError:  # pragma: no cover - a future TensorFlow
    op_callbacks = op_def_registry = framework = None

PENDING_SIZE = 1 << 20  # entries that may wait to be looked at
EagerTensor = framework.EagerTensor if framework else None
HELD_BYTES = (
    128 << 20
)  # of the values that ran a recording holds at most this; Variables' come on top
HELD_TENSOR_BYTES = 16 << 20  # and no tensor larger than this
SUMMARY_SECONDS = 1.0  # in which it summarizes those that it does not hold; the rest have shapes
ASSIGNING = (  # Variables
    "Assign",
    "ResourceStridedSliceAssign",
    "ResourceScatter",
    "ResourceApply",
    "ResourceSparseApply",
)
MOST_DEPARTURES = 10_000  # that are noted

# The class that gives eager tensors their Python methods, and those that hand out values.
_TENSOR_BASE: Any = EagerTensor.__mro__[1] if EagerTensor else None
_VALUE_METHODS = ("numpy", "__float__", "__int__", "__bool__", "__index__", "__complex__")


def check_tensorflow() -> None:
    """Raise UserError where this TensorFlow lacks what recording needs of its inside."""
    works = (
        op_callbacks is not None
        and hasattr(op_callbacks, "add_op_callback")
        and hasattr(framework, "_gradient_registry")
        and hasattr(custom_gradient, "_eager_mode_decorator")
        and hasattr(find_context(), "get_function_def")
        and hasattr(tf.GradientTape, "_push_tape")
        and hasattr(tf.constant(0), "_id")
        and all(method in _TENSOR_BASE.__dict__ for method in _VALUE_METHODS)
    )
    if not works:
        raise UserError(
            _(
                "gradmagic cannot look into TensorFlow {version}; "
                "install a version that it supports: pip install 'tensorflow>=2.16,<2.22'"
            ).format(version=tf.__version__)
        )


def say_persistent() -> str:
    """What to do where a tape is asked a second time."""
    return _("Run the cell with %%gradtape --persistent to ask its tape more than once.")


def make_mark() -> int:
    """A number that is greater than the ids of all tensors so far, and smaller than the next."""
    return tf.constant(0)._id


def find_line(filename: str) -> int | None:
    """The line that the innermost running frame of a file is at; None where it has none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return None if frame is None else frame.f_lineno


def identify(tensor: Any) -> int:
    """The number that TensorFlow knows an eager tensor (or a variable's handle) by."""
    number = getattr(tensor, "_id", None)
    return tensor.handle._id if number is None else number


_plain_ops: set[str | bytes] = set()  # types of ops that ran, and are no calls of functions
_listeners: list[Recorder] = []  # while there are any, tensors tell who takes their values
_original: dict[str, Any] = {}
_listening = threading.Lock()


def _listen(recorder: Recorder) -> None:
    with _listening:
        _listeners.append(recorder)
        if not _original:
            for method in _VALUE_METHODS:
                _original[method] = _TENSOR_BASE.__dict__[method]
                setattr(_TENSOR_BASE, method, _make_telling(method, _original[method]))


def _stop_listening(recorder: Recorder) -> None:
    with _listening:
        _listeners.remove(recorder)
        if not _listeners:
            for method, original in _original.items():
                setattr(_TENSOR_BASE, method, original)
            _original.clear()


def _make_telling(method: str, original: Any) -> Any:
    """A method of tensors that tells of the departure, then does what it did."""

    @functools.wraps(original)
    def tell(tensor: Any, *arguments: Any) -> Any:
        __tracebackhide__ = True  # IPython folds this frame away where the method raises
        caller = sys._getframe(1).f_code.co_name
        for recorder in tuple(_listeners):
            recorder.note_departure(tensor._id, method, caller)
        return original(tensor, *arguments)

    return tell


class Recorder:
    """Records the eager ops of this thread between ``with`` and its end.

    Parameters
    ----------
    filename
        The file name under which the cell was compiled: the frames that have it give the lines.
    flat
        Whether the cell's code has no functions in it and calls none of the user's own: then one
        frame gives all lines, until :meth:`leave_frame`.

    Attributes
    ----------
    missing
        Number of ops that threads started meanwhile ran: no tape of this thread records them.
    unclear
        Number of tensors that may have been read from a Variable, though it is unclear from which.
    strangers
        New tensors that an op was given, and that no op may have made: its position, their ids.
    departures
        The tensors whose values Python took through a method of theirs. (What NumPy takes by
        itself, as in ``np.sin(x)``, it reads from memory, which nothing tells of.)
    first
        Tensors made before the cell have ids that are no greater.
    functions
        The traced functions that ran.
    scopes
        What knows inside which calls an op runs.
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
        self._read: set[int] = set()  # handles of the Variables that were read
        self.departures: list[Departure] = []
        self.first = 0
        self._thread = 0
        self._pending: list[tuple[Any, Any, Any, Any, int | None, float, tuple[Scope, ...]]] = []
        self._pending_size = 0
        self.strangers: list[tuple[int, int]] = []
        self._active = False
        self._other_profile: Any = None
        self._before = 0.0  # when the op before was done
        self._summing = SUMMARY_SECONDS  # that are left
        self._names: LocalNames | None = None
        self.functions = TracedFunctions(filename)
        own = Hook(custom_gradient, "_eager_mode_decorator", _name_own_gradient)
        self.scopes = ScopeWatch([own])

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

    @property
    def local_names(self) -> dict[int, str]:
        """Names that tensors had inside functions, by id."""
        return {} if self._names is None else self._names.found

    def __enter__(self) -> Recorder:  # noqa: PYI034  (typing.Self is of Python 3.11)
        self._active = True
        self.first = make_mark()
        self._names = LocalNames(self.filename, EagerTensor, identify, self.first)
        self._thread = threading.get_ident()
        self._other_profile = threading.getprofile()
        threading.setprofile(self._enter_thread)
        op_callbacks.add_op_callback(self._record)
        _listen(self)
        self.scopes.__enter__()
        self._before = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._active = False
        self._frame = None
        self.scopes.__exit__()
        _stop_listening(self)
        op_callbacks.remove_op_callback(self._record)
        threading.setprofile(self._other_profile)
        if self._names is not None:
            self._names.finish()

    def note_departure(self, number: int, method: str, caller: str) -> None:
        """Note that Python took the value of a tensor, if the cell's own thread did."""
        if threading.get_ident() == self._thread and len(self.departures) < MOST_DEPARTURES:
            line = find_line(self.filename)
            self.departures.append(Departure(number, method, caller, line, make_mark()))

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
        now = time.perf_counter()
        scopes = self.scopes
        if self._flat and not scopes.own:
            frame = self._frame
            if frame is None:
                filename = self.filename
                frame = sys._getframe(1)
                while frame is not None and frame.f_code.co_filename != filename:
                    frame = frame.f_back
                self._frame = frame
            line = None if frame is None else frame.f_lineno
        else:
            assert self._names is not None
            line = self._names.look(sys._getframe(1))
        if op_type not in _plain_ops:
            self._meet(op_type, attributes)
        # (tuples: TensorFlow may change its lists later)
        spent = now - self._before
        arguments = tuple(inputs), tuple(outputs), attributes
        self._pending.append((op_type, *arguments, line, spent, scopes.current))
        for tensor in inputs:
            self._pending_size += tensor._num_elements()
        for tensor in outputs:
            self._pending_size += tensor._num_elements()
        if self._pending_size > PENDING_SIZE:
            self._settle()
        self._before = time.perf_counter()

    def _meet(self, op_type: str | bytes, attributes: tuple[Any, ...] | None) -> None:
        """Note the definition of a traced function that ran; note an op that is none."""
        name = op_type.decode() if isinstance(op_type, bytes) else op_type
        if not self.functions.note(name, attributes or ()):
            _plain_ops.add(op_type)

    def leave_frame(self) -> None:
        """The frame that ran is done; the next op comes from another."""
        self._frame = None

    def _settle(self) -> None:
        """Make records of what came, and let go of the tensors that are too large to hold."""
        if not self._pending:
            return
        seen, ops = self._seen, self._ops
        for op_type, inputs, outputs, attributes, line, seconds, scopes in self._pending:
            # ops written in C++ name themselves in bytes
            name = op_type.decode() if isinstance(op_type, bytes) else op_type
            ids_in = tuple([tensor._id for tensor in inputs])
            for number, tensor in zip(ids_in, inputs, strict=True):
                if number not in seen:
                    self._see(number, tensor)
                    if number > self.first:
                        self.strangers.append((len(ops), number))
            ids_out = tuple([tensor._id for tensor in outputs])
            # The first read of a Variable shares its memory; later ones may be copies, or older.
            shared = name == "ReadVariableOp" and ids_in[0] not in self._read
            if shared:
                self._read.add(ids_in[0])
            for number, tensor in zip(ids_out, outputs, strict=True):
                self._see(number, tensor, counted=not shared)
            ops.append(Op(name, ids_in, ids_out, line, attributes or (), seconds, scopes))
        self._pending.clear()
        self._pending_size = 0

    def see(self, tensor: Any) -> Seen:
        """Note a tensor that no op has met."""
        number = identify(tensor)
        if number not in self.seen:
            self._see(number, tensor.value() if hasattr(tensor, "handle") else tensor)
        return self._seen[number]

    def _see(self, number: int, tensor: Any, *, counted: bool = True) -> None:
        kind = tensor._datatype_enum()
        if kind not in self._dtypes:
            self._dtypes[kind] = tensor.dtype, tensor.dtype.size or 8
        dtype, item = self._dtypes[kind]
        shape = tensor._shape_tuple()
        size = tensor._num_elements() * item
        if size <= HELD_TENSOR_BYTES and (not counted or size <= self._room):
            self._room -= size * counted
            self._seen[number] = Seen(shape, dtype, tensor)
        else:
            self._seen[number] = Seen(shape, dtype, None, self._summarize(tensor))

    def _summarize(self, tensor: Any) -> Summary | None:
        """What there was in a tensor that is not held; None where that took too long already."""
        start = time.perf_counter()
        known = self._summing > 0 and tensor.dtype not in (tf.resource, tf.variant)
        summary = summarize(tensor) if known else None
        self._summing -= time.perf_counter() - start
        return summary

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
        assigning = [op for op in self.ops if op.type.startswith(ASSIGNING)]
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


def find_address(tensor: Any) -> int | None:
    """Where the tensor's entries lie in memory; None where that cannot be told."""
    array: Any
    try:
        array = np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # a dtype that Python's buffers lack: bfloat16
        array = tensor._numpy_internal()
    # of a scalar the second way gives a copy, which lies elsewhere
    shared = isinstance(array, np.ndarray) and array.size
    return array.__array_interface__["data"][0] if shared else None


class CellTape(tf.GradientTape):
    """A tf.GradientTape whose record can be read without using the tape up.

    The record below is kept as a persistent tape keeps it, so that :func:`take_gradients` can read
    it first. What the user meets obeys TensorFlow's rules: one ``gradient`` call unless
    ``persistent``.

    Parameters
    ----------
    filename
        The file name under which the cell was compiled.
    persistent, watch_accessed_variables
        As of tf.GradientTape.

    Attributes
    ----------
    watched
        What it was told to watch.
    gaps
        What it did not record of what ran under it.
    """

    def __init__(
        self, filename: str = "", *, persistent: bool, watch_accessed_variables: bool
    ) -> None:
        super().__init__(persistent=persistent, watch_accessed_variables=watch_accessed_variables)
        self.filename = filename
        self.watched: list[Any] = []
        self._watched_numbers: set[int] = set()
        self.gaps: list[Gap] = []
        self._kept: Any = None

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Record nothing while open, as tf.GradientTape does."""
        line, start = find_line(self.filename), make_mark()
        try:
            with super().stop_recording():
                yield
        finally:
            self.gaps.append(Gap(start, make_mark(), "stop_recording", line))

    def reset(self) -> None:
        """Forget what was recorded and watched, as tf.GradientTape does."""
        self.gaps.append(Gap(0, make_mark(), "reset", find_line(self.filename)))
        self._watched_numbers.clear()
        super().reset()

    def gradient(self, *arguments: Any, **options: Any) -> Any:
        """Differentiate as tf.GradientTape does: once, unless the tape is persistent."""
        __tracebackhide__ = True
        if self._tape is not None and self._recording and not self._persistent:
            self.gaps.append(Gap(make_mark(), sys.maxsize, "gradient", find_line(self.filename)))
        try:
            return super().gradient(*arguments, **options)
        except RuntimeError as error:
            if self._tape is not None:
                raise
            raise RuntimeError(f"{error}. {say_persistent()}") from None

    def watch(self, tensor: Any) -> None:
        """Watch a tensor, a Variable, or a list of them, as tf.GradientTape does."""
        super().watch(tensor)
        flat = tf.nest.flatten(tensor)
        self.watched.extend(flat)
        self._note(flat)

    def watch_source(self, tensor: Any) -> None:
        """Watch a tensor as :meth:`watch` does; nothing where the cell has used the tape up."""
        if self._tape is not None:
            super().watch(tensor)
            self._note([tensor])

    def _note(self, tensors: Sequence[Any]) -> None:
        if not self._recording:  # TensorFlow watches nothing then
            return
        parts = tf.nest.flatten(tensors, expand_composites=True)
        self._watched_numbers.update(identify(part) for part in parts)

    def watches(self, number: int) -> bool:
        """Whether it watches a tensor, or read a Variable that it watches, by the number of it."""
        return number in self._watched_numbers or number in map(identify, self.watched_variables())

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


@contextlib.contextmanager
def keep_random_state() -> Iterator[None]:
    """While open, what random ops draw does not change what they draw afterwards.

    That holds for ops that TensorFlow's global seed rules; one with a seed of its own counts on.
    """
    numbers = getattr(find_context(), "_rng", None)  # None: no seed was set, so nothing repeats
    state = numbers.getstate() if numbers else None
    try:
        if numbers:
            numbers.seed()  # other seeds: TensorFlow keeps an op's state by its seed
        yield
    finally:
        if numbers:
            numbers.setstate(state)


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


def _name_own_gradient(function: Any, *_arguments: Any) -> tuple[ScopeKind, str, str]:
    """A call of a function under tf.custom_gradient; TensorFlow and Keras have some as well."""
    name = getattr(function, "__name__", type(function).__name__)
    code = getattr(function, "__code__", None)
    own = code is None or is_own_file(code.co_filename)
    return "custom_gradient", name, "" if own else "library"


CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase", "While", "StatelessWhile")


def _name_called(op_type: str, attributes: Sequence[Any]) -> str:
    """The name of the traced function that an op calls, if it calls one."""
    if op_type not in CALLS:
        return op_type  # an eager call has the name of the function itself
    named = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("f", "")
    name: Any = getattr(named, "name", named)
    return name.decode() if isinstance(name, bytes) else str(name)


class TracedFunctions:
    """Definitions of traced functions, which can be read when TensorFlow has let go of them."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._definitions: dict[str, Any] = {}
        self._children: dict[str, list[str]] = {}
        self._bodies: dict[Any, FunctionBody] = {}

    def __len__(self) -> int:
        return len(self._definitions)

    def note(self, op_type: str, attributes: Sequence[Any]) -> bool:
        """Keep the definition of the function that an op calls; whether it calls one."""
        waiting = [_name_called(op_type, attributes)]
        called = False
        while waiting:
            name = waiting.pop()
            called = called or name in self._definitions
            if name in self._definitions or not find_context().has_function(name):
                continue
            called = True
            definition = find_context().get_function_def(name)
            self._definitions[name] = definition
            self._children[name] = [
                one.name
                for node in definition.node_def
                if node.op in (*CALLS, *_BRANCHES)
                for attribute in node.attr.values()
                for one in (attribute.func, *attribute.list.func)
                if one.name
            ]
            waiting += self._children[name]
        return called

    def find_called(self, op_type: str, attributes: Sequence[Any]) -> str | None:
        """The name of the function that an op calls; None where it calls none that is known."""
        name = _name_called(op_type, attributes)
        return name if name in self._definitions else None

    def count_ops(self, name: str) -> int:
        """How many ops there are inside a function, those of the functions it calls included."""
        if name not in self._definitions:
            return 0
        inner = sum(map(self.count_ops, self._children[name]))
        return len(self._definitions[name].node_def) + inner

    def is_compiled(self, name: str) -> bool:
        """Whether XLA compiled a function."""
        return bool(self._definitions[name].attr["_XlaMustCompile"].b)

    def open(self, name: str, inputs: Sequence[Seen]) -> FunctionBody:
        """The inside of a function, as it is called with some inputs."""
        key = name, tuple([(seen.shape, id(seen.tensor)) for seen in inputs])
        if key not in self._bodies:
            self._bodies[key] = self._open(self._definitions[name], inputs)
        return self._bodies[key]

    def _open(self, definition: Any, inputs: Sequence[Seen]) -> FunctionBody:
        drawn, names = function_def_to_graph_def(definition)
        for node, seen in zip(drawn.node, inputs, strict=False):
            _tell_shape(node, seen)
        for node in drawn.node:  # where it would run, which may name ops that are no longer there
            node.attr.pop("_class", None)
        drawn.library.function.extend(self._definitions.values())
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(drawn, name="")
        signature = definition.signature
        return FunctionBody(
            operations=_sort(graph, [node.name for node in definition.node_def]),
            inputs=[names[argument.name] for argument in signature.input_arg],
            outputs=[names[definition.ret[argument.name]] for argument in signature.output_arg],
            lines=_find_traced_lines(signature.name, self._filename),
        )


def _tell_shape(node: Any, seen: Seen) -> None:
    """Tell the placeholder of a function's input its shape; of a Variable, that of its value."""
    data = getattr(seen.tensor, "_handle_data", None)
    if data is not None and data.is_set and seen.dtype == tf.resource:
        node.op = "VarHandleOp"
        node.attr["dtype"].type = data.shape_and_type[0].dtype
        node.attr["shape"].shape.CopyFrom(data.shape_and_type[0].shape)
    elif seen.dtype not in (tf.resource, tf.variant) and None not in seen.shape:
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(seen.shape).as_proto())


def _sort(graph: tf.Graph, names: Sequence[str]) -> list[tf.Operation]:
    """Operations in the order of their names, each after those that feed it."""
    ordered: dict[str, tf.Operation] = {}
    waiting = [graph.get_operation_by_name(name) for name in reversed(names)]
    inside = set(names)
    while waiting:
        operation = waiting[-1]
        before = [
            tensor.op
            for tensor in operation.inputs
            if tensor.op.name in inside and tensor.op.name not in ordered
        ]
        if before and operation.name not in ordered:
            waiting += before
        else:
            ordered.setdefault(waiting.pop().name, operation)
    return list(ordered.values())


def _find_traced_lines(function: str, filename: str) -> dict[str, int]:
    """Lines of a file that traced the operations of a function, by the operations' names."""
    if not find_context().has_function(function):
        return {}
    known = find_context().get_graph_debug_info(function)
    own = {i for i, file in enumerate(known.files) if file == filename}
    lines: dict[str, int] = {}
    for name, trace in known.name_to_trace_id.items() if own else ():
        frames = [known.frames_by_id[one] for one in known.traces_by_id[trace].frame_id]
        # (the line of the module is the one that called the function when it was traced)
        found = [f.line for f in frames if f.file_index in own and f.func != "<module>"]
        if found:
            lines[name.split("@")[0]] = found[-1]
    return lines


def name_function(name: str) -> tuple[str, str]:
    """What TensorFlow called ``__forward_f_12``: the function's name, and whether it goes back."""
    backward = "backward" if "__backward_" in name else ""
    bare = re.sub(r"^(?:__(?:forward|backward|inference)_)+_?(?:_backward_)?", "", name)
    return re.sub(r"(?:_\d+)+$", "", bare) or name, backward


def find_definition(op_type: str) -> Any:
    """TensorFlow's OpDef of an op: its inputs, outputs and attributes; None where it has none."""
    return op_def_registry.get(op_type)
