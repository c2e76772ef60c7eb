"""What one run leaves behind: frozen records that every renderer reads and none changes.

Tensors appear here as TensorFlow returned them; :func:`gradmagic.core.summary.summarize` turns one
into a :class:`Summary`, whose size does not grow with the tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

T = TypeVar("T")
Fold = Literal["shape", "same", "side", "constant"]
ScopeKind = Literal["layer", "name", "function", "branch", "loop", "custom_gradient", "gradient"]
GroupKind = Literal[ScopeKind, "block", "repeat", "line"]


class ByName(tuple[T, ...], Generic[T]):  # noqa: SLOT001  (it has an attribute)
    """A tuple that also answers by the name of a source.

    ``grads[0]``, ``dw, db = grads`` and ``zip(grads, variables)`` work as for any tuple;
    ``grads["w"]`` is the entry of source ``w``, and ``grads["model"]`` the tuple of the entries of
    ``model``'s variables.

    Parameters
    ----------
    items
        The entries, in the order of the sources.
    names
        Position, or the slice of positions, of each name.
    """

    names: Mapping[str, int | slice]

    def __new__(  # noqa: D102
        cls, items: Iterable[T] = (), names: Mapping[str, int | slice] | None = None
    ) -> ByName[T]:
        made = super().__new__(cls, items)
        made.names = dict(names or {})
        return made

    @overload  # type: ignore[override]
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    @overload
    def __getitem__(self, key: str) -> T | tuple[T, ...]: ...
    def __getitem__(self, key: int | slice | str) -> T | tuple[T, ...]:
        """The entry at a position, or of a name; KeyError names the names that there are."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(f"{key!r}; the names are {', '.join(map(repr, self.names)) or 'none'}")
        return super().__getitem__(self.names[key])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self), self.names)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of the finite entries between equally spaced edges (len(edges) == len(counts) + 1)."""

    counts: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True, eq=False)
class Summary:
    """What a screen may know of one tensor.

    Attributes
    ----------
    shape
        The tensor's shape; ``None`` stands for a ragged dimension.
    dtype
        TensorFlow's name of it, such as ``"float32"``.
    layout
        ``"dense"``; ``"ragged"`` (a RaggedTensor: entries are its flat values);
        ``"slices"`` (IndexedSlices: entries are its rows, ``rows`` their indices);
        ``"sparse"`` (a SparseTensor: entries are its stored values).
    size
        Number of entries.
    values
        All entries, where they are few (``SMALL`` of :mod:`gradmagic.core.summary`): an array of
        ``shape`` for dense tensors, of the rows for slices, flat for ragged and sparse. Else None.
    norm, mean, low, high
        2-norm, mean, minimum and maximum of the finite entries, in float64; None where there are
        none. For complex tensors ``norm`` and ``mean`` are those of the magnitudes, ``low`` and
        ``high`` too.
    zeros, nans, infs
        Number of entries that are exactly zero, NaN, infinite.
    largest
        Index and value of the finite entry of greatest magnitude, the first of equals; or None.
    histogram
        Where ``values`` is None and entries are finite.
    tiles
        A few of a large convolution kernel's planes, [tiles, height, width]; else None.
    rows
        The row numbers of IndexedSlices, the first few; else None.
    """

    shape: tuple[int | None, ...]
    dtype: str
    layout: Literal["dense", "ragged", "slices", "sparse"] = "dense"
    size: int = 0
    values: np.ndarray | None = None
    norm: float | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    zeros: int = 0
    nans: int = 0
    infs: int = 0
    largest: tuple[tuple[int, ...], complex] | None = None
    histogram: Histogram | None = None
    tiles: np.ndarray | None = None
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Target:
    """What was differentiated, and why that.

    ``reason`` is ``"named"`` (with ``-t``), ``"loss"`` (the cell assigns ``loss`` or ``损失``),
    ``"last-expression"`` or ``"last-assigned"``. ``line`` is the line in the cell that computed it
    (None for a target named with ``-t``). ``summed`` says that the target is no scalar, so that
    TensorFlow differentiates the sum of its entries. ``unit`` is ``"nats"`` where the graph shows
    that the target is a mean or sum of crossentropies.
    """

    name: str
    reason: Literal["named", "loss", "last-expression", "last-assigned"]
    line: int | None
    value: Summary
    summed: bool
    unit: str | None = None


@dataclass(frozen=True, eq=False)
class Gradient:
    """One source and its gradient.

    Attributes
    ----------
    source
        The SOURCE as it was typed (``w``, ``model``); the name of what the tape watched by itself.
    name
        This tensor's own name: ``source``, or a part of it (``model.dense.kernel``).
    variable
        Whether it is a tf.Variable; else a plain tensor.
    value, gradient
        Summaries; ``gradient`` is None where TensorFlow gave None, ``value`` is None where the
        source was never made.
    result
        What TensorFlow returned: a tensor, tf.IndexedSlices or None.
    bound
        The lines that bound the name, in order; None in it stands for 'before the cell'.
    taken
        Index into ``bound``: the binding whose tensor the target used, which is the one shown.
    rebound_after_use
        The target used a tensor of this name, and the name was bound again afterwards.
    jacobian
        With ``--jacobian``: a summary of d target / d source, of shape target + source.
    """

    source: str
    name: str
    variable: bool
    value: Summary | None
    gradient: Summary | None
    result: Any
    bound: tuple[int | None, ...] = ()
    taken: int = -1
    rebound_after_use: bool = False
    jacobian: Summary | None = None


@dataclass(frozen=True, eq=False)
class Output:
    """One output tensor of a node.

    ``value`` and ``gradient`` (of the target with respect to it) are as TensorFlow gave them, and
    None where there is none or where it was too large to hold: ``summary`` then says what the value
    was. ``name`` is the Python name that the code gave it, if any.
    """

    shape: tuple[int | None, ...]
    dtype: str
    value: Any = None
    gradient: Any = None
    name: str | None = None
    summary: Summary | None = None


@dataclass(frozen=True)
class Scope:
    """A call inside which an op ran.

    Attributes
    ----------
    kind
        ``"layer"`` (a Keras layer or model), ``"name"`` (tf.name_scope), ``"function"`` (a
        tf.function), ``"branch"`` (one side of tf.cond), ``"loop"`` (condition or body of
        tf.while_loop), ``"custom_gradient"`` (a function with the user's own gradient rule),
        ``"gradient"`` (tape.gradient in the cell: ops of a backward pass).
    name
        What it is called: the layer's name, the function's.
    detail
        What it is, where the name does not say it: the layer's class, ``"then"``, ``"body"``.
    call
        Tells calls apart: each has another number.
    """

    kind: ScopeKind
    name: str
    detail: str = ""
    call: int = 0


@dataclass(frozen=True, eq=False)
class Node:
    """A source, an input, an op or the target.

    Attributes
    ----------
    id
        Its position in :attr:`Graph.nodes`.
    kind
        ``"source"`` and ``"input"``: tensors that were there before or are no op's output (an
        input is not differentiated); ``"op"``: an op that ran; ``"group"``: several of them,
        drawn as one; ``"target"``: the last node, fed by the op that made the target; ``"port"``:
        where a tensor enters or leaves the group whose inside is drawn.
    op
        TensorFlow's name of the op (``"MatMul"``); None for the others.
    label
        What it computes, in mathematical notation where that is short (``"x @ w"``, ``"mean"``;
        ``"h = x @ w"`` where h is a source); the Python name for sources and inputs that no op
        made, where there is one.
    line
        Line of the cell that ran it; None where it was not the cell.
    outputs
        Its output tensors.
    source
        Name of the source that its first output is, if it is one; an op can be one too.
    fold
        Why it is not worth drawing: ``"shape"`` (it computes shapes), ``"same"`` (its output is
        its input, as for Identity or a Reshape that changes nothing), ``"side"`` (the target
        does not depend on it), ``"constant"`` (an unnamed scalar, which its consumers write out);
        None where it is drawn.
    count
        Number of ops it stands for: 1, more for a group, 0 for what is no op.
    position
        The place of its op among the recorded ones; None for what is no op. The ops inside a
        tf.function have the place of its call.
    attributes
        The op's attributes as TensorFlow gave them: names and values in turn.
    seconds
        Time from the op before until this one was done; None where it was not measured.
    scopes
        The calls inside which the op ran, the outermost first.
    traced
        Its values are not known: it ran inside a tf.function that did not hand them out.
    group
        The innermost group that it belongs to, a position in :attr:`Graph.groups`; None for none.
    inside
        Of a group: the nodes that it stands for, those of all iterations of a repeat, and the
        sources and inputs that only it uses and that are drawn inside it.
    detail
        Of a group what it is, of a port where its tensor comes from or goes to, where the label
        does not say it.
    """

    id: int
    kind: Literal["source", "input", "op", "group", "target", "port"]
    op: str | None
    label: str
    line: int | None
    outputs: tuple[Output, ...]
    source: str | None = None
    fold: Fold | None = None
    count: int = 1
    position: int | None = None
    attributes: tuple[Any, ...] = ()
    seconds: float | None = None
    scopes: tuple[Scope, ...] = ()
    traced: bool = False
    group: int | None = None
    inside: tuple[Node, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Group:
    """Ops that are drawn as one node until it is opened.

    Attributes
    ----------
    id
        Its position in :attr:`Graph.groups`.
    parent
        The group that it lies in; None for none.
    kind
        That of the scope that it stands for; or ``"block"`` (neighbouring layers with one prefix),
        ``"repeat"`` (the same ops again and again, as in a Python loop), ``"line"`` (what one line
        of the cell ran).
    name
        What it is called.
    detail
        What it is, where the name does not say it.
    line
        The cell's line that ran it; None where that is not one line.
    iterations
        Of a repeat: for each time the ids of its nodes, in the same order each time; those of
        ``iterations[0]`` are drawn for all. Empty for other kinds.
    """

    id: int
    parent: int | None
    kind: GroupKind
    name: str
    detail: str = ""
    line: int | None = None
    iterations: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Edge:
    """Output ``output`` of node ``producer`` is input ``slot`` of node ``consumer``.

    ``gradient``: a gradient flows back along it (the consumer has a gradient for it to pass on and
    the producer one to receive). ``cut``: what leads from a source to the target breaks off here,
    so that no gradient comes back; such an edge may stand for a value that left TensorFlow.
    """

    producer: int
    consumer: int
    output: int = 0
    slot: int = 0
    gradient: bool = False
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Graph:
    """The ops that ran, from sources and inputs to the target.

    ``ops`` is the number of recorded ops; ``missing`` the number of ops that were seen to run in
    other threads, where no tape records them. ``groups`` are in an order in which each comes after
    the one that it lies in. ``taken`` are the outputs, by node and position, whose values Python
    took while the target was still to be computed: what it made of them is not recorded.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    ops: int
    missing: int = 0
    groups: tuple[Group, ...] = ()
    taken: frozenset[tuple[int, int]] = frozenset()

    def to_networkx(self) -> Any:
        """The graph as a new networkx.MultiDiGraph: every recorded op, the folded ones too.

        A node is a :attr:`Node.id`. It has ``kind``, ``op``, ``label``, ``name`` (the Python name,
        or None), ``line``, ``source``, ``fold``, ``group``, ``traced``, and of its first output
        ``shape``, ``dtype``, ``value`` and ``gradient``: NumPy arrays where they are dense and have
        at most 1024 entries, else None. ``outputs`` has the same for each output. An edge runs from
        producer to consumer and has ``slot``, ``output``, ``gradient`` and ``cut`` of an
        :class:`Edge`; an op that takes a tensor twice has two.
        """
        from gradmagic.core.graph.networks import make_network

        return make_network(self)


@dataclass(frozen=True, eq=False)
class PerSample:
    """The per-sample losses whose mean or sum is the target.

    ``losses`` [samples], the first ``len(losses)`` of ``count``. Where the graph shows a
    crossentropy on one-hot rows or class numbers: ``classes`` [samples] int and ``probabilities``
    [samples], the true class and the probability the model gives it, and ``guessing``, the loss of
    giving all classes the same probability (ln of their number, in nats).
    """

    losses: np.ndarray
    count: int
    reduction: Literal["mean", "sum"]
    mean: float
    classes: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    guessing: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Why something is not as expected, from what really ran.

    Attributes
    ----------
    kind
        A fixed word of :data:`gradmagic.core.diagnose.KINDS`, such as ``"not-used"``.
    subject
        The source or target concerned.
    line
        The line of the cell where it happens; None where it is no line of the cell.
    op
        TensorFlow's name of the op in which it happens, or the code (``"np.sin(w)"``) or the tensor
        that stands for it; None where there is none.
    message
        What happened, in a sentence.
    fix
        Code to type instead, empty where there is none: a line that begins with ``%%`` in place of
        the cell's magic line; else in place of the statement on ``line``, or, where ``line`` is
        None, at the top of the cell.
    position
        The place of the op among the recorded ones, as in :class:`Node`; or None.
    """

    kind: str
    subject: str
    line: int | None
    op: str | None
    message: str
    fix: str = ""
    position: int | None = None


@dataclass(frozen=True)
class CodeLine:
    """A line of the plain TensorFlow program; ``number`` is its line in the cell, None if added."""

    text: str
    number: int | None


@dataclass(frozen=True, eq=False)
class Hessian:
    """d² target / d sources²: ``matrix`` [n, n] over all sources' entries, one after the other.

    ``names`` and ``sizes`` say which rows and columns belong to which source.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TapeRun:
    """One run of a cell under the tape: everything that a report needs, and nothing else.

    Attributes
    ----------
    target
        What was differentiated.
    loss
        Its value, as TensorFlow returned it.
    gradients
        One :class:`Gradient` a source tensor, also by name: ``run.gradients["w"]``.
    graph
        The recorded ops; None with ``--no-graph``.
    diagnoses
        What to say about it, worst first.
    lines
        The plain with-block that the cell stands for; ``code`` is its text.
    magic
        The magic's line, such as ``%%gradtape w b``.
    forward_seconds, backward_seconds
        Time of the body, and of ``tape.gradient`` for the sources.
    first
        Whether it was this kernel's first run, in which TensorFlow warms up.
    history
        The target's value (the sum, if it is no scalar) in this and the earlier runs of the same
        cell, oldest first.
    ops
        Number of recorded ops; 0 with ``--no-graph``.
    """

    target: Target
    loss: Any
    gradients: ByName[Gradient]
    graph: Graph | None
    lines: tuple[CodeLine, ...]
    magic: str
    forward_seconds: float
    backward_seconds: float
    first: bool = False
    diagnoses: tuple[Diagnosis, ...] = ()
    per_sample: PerSample | None = None
    hessian: Hessian | None = None
    history: tuple[float, ...] = ()
    ops: int = 0

    @property
    def code(self) -> str:
        """The plain TensorFlow program that does the same, ready to paste and run."""
        return "\n".join(line.text for line in self.lines) + "\n"
