"""What a descent moves, and how: plain tensors are re-bound, Variables assigned."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import EagerTensor, identify
from gradmagic.core.sources import COMPOSITES, Entry, expand, is_differentiable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gradmagic.core.cell import Cell

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam")
MOMENTUM = 0.9

# The Variables behind plain tensors, by the user's optimizer: once built, it knows no others.
_behind: WeakKeyDictionary[Any, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()

# While a part of a source is stored, this name holds the new tensor.
_NEW = "gradmagic_new"


class Moved:
    """The tensors of all sources, in order, and where each is stored.

    Parameters
    ----------
    sources
        As typed.
    names
        The namespace.
    cell
        The cell that uses them.

    Raises
    ------
    UserError
        A source is missing, no float tensor, or cannot be stored.

    Attributes
    ----------
    entries
        One a tensor.
    values
        The plain tensors as they are now; None for a Variable.
    tensors
        What to differentiate by: the plain tensors as they are now, and the Variables.
    """

    def __init__(self, sources: Sequence[str], names: dict[str, Any], cell: Cell) -> None:
        if not sources:
            raise UserError(_("name what to move, as in %%graddescent w b"))
        self._names = names
        self.groups = {text: _expand_source(text, names, cell) for text in sources}
        self.entries = [entry for group in self.groups.values() for entry in group]
        self._refuse_twice()
        self._stores = ["" if e.variable else _compile_store(e.name) for e in self.entries]
        self.values: list[Any] = [None if e.variable else e.tensor for e in self.entries]
        self.tensors: list[Any] = [entry.tensor for entry in self.entries]
        for entry in self.entries:
            self._try_store(entry)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors' own names."""
        return tuple(entry.name for entry in self.entries)

    @property
    def plain(self) -> list[Any]:
        """The plain tensors alone."""
        return [value for value in self.values if value is not None]

    def positions(self) -> dict[str, int | slice]:
        """Where each tensor, and each source with several, is in the list of all."""
        found: dict[str, int | slice] = {name: i for i, name in enumerate(self.names)}
        start = 0
        for text, group in self.groups.items():
            if not (len(group) == 1 and group[0].name == text):
                found[text] = slice(start, start + len(group))
            start += len(group)
        return found

    def read(self) -> list[Any]:
        """All values as they are now, which later steps do not change."""
        pairs = zip(self.entries, self.values, strict=True)
        return [_read_variable(e.tensor) if value is None else value for e, value in pairs]

    def write(self, values: Sequence[Any]) -> None:
        """Give all of them these values."""
        for i, value in enumerate(values):
            if self.values[i] is None:
                self.entries[i].tensor.assign(value)
            else:
                self.bind(i, tf.convert_to_tensor(value))

    @property
    def variables(self) -> list[Any]:
        """The Variables alone."""
        return [entry.tensor for entry in self.entries if entry.variable]

    @contextlib.contextmanager
    def keep(self) -> Iterator[None]:
        """While open, plain tensors may be bound anew; afterwards they are as before.

        (Variables are put back by :func:`gradmagic.core.descent.scratch.borrow`.)
        """
        before = self.values[:]
        try:
            yield
        finally:
            for position, value in enumerate(before):
                if value is not None:
                    self.bind(position, value)

    def bind(self, position: int, value: Any) -> None:
        """Bind the name of a plain tensor to a new one."""
        self.values[position] = self.tensors[position] = value
        store = self._stores[position]
        if isinstance(store, str):
            self._names[store] = value
            return
        self._names[_NEW] = value
        try:
            exec(store, self._names)
        finally:
            del self._names[_NEW]

    def _try_store(self, entry: Entry) -> None:
        position = self.entries.index(entry)
        if entry.variable:
            return
        try:
            self.bind(position, entry.tensor)
        except Exception as error:
            raise UserError(
                _(
                    "'{name}' cannot be bound to a new tensor ({error}); "
                    "keep it under a name, or in a list or dict"
                ).format(name=entry.name, error=error)
            ) from None

    def _refuse_twice(self) -> None:
        seen: dict[int, str] = {}
        for entry in self.entries:
            if not entry.variable:
                continue
            other = seen.setdefault(identify(entry.tensor), entry.name)
            if other != entry.name:
                raise UserError(
                    _("'{one}' and '{other}' are the same variable; name it once").format(
                        one=other, other=entry.name
                    )
                )


def _expand_source(text: str, names: dict[str, Any], cell: Cell) -> list[Entry]:
    root = find_root(text)
    if root in cell.lines:
        raise UserError(
            _(
                "line {line} of the cell binds '{name}' anew, so no step would last; "
                "bind it in a cell before"
            ).format(line=cell.lines[root], name=root)
        )
    if root not in names:
        known = [name for name in names if not name.startswith("_")]
        near = [name for name in known if name.lower() == root.lower()]
        near = near or difflib.get_close_matches(root, known, 1)
        if near:
            raise UserError(
                _("there is no '{name}'; did you mean '{near}'?").format(name=root, near=near[0])
            )
        raise UserError(_("there is no '{name}'; make it in a cell before").format(name=root))
    try:
        value = eval(text, {}, names)
    except Exception as error:
        kind, said = type(error).__name__, (str(error).splitlines() or [""])[0]
        raise UserError(
            _("the source '{name}' cannot be read: {kind}: {error}").format(
                name=text, kind=kind, error=said
            )
        ) from None
    entries = expand(text, value)
    if not entries:
        raise UserError(
            _("'{name}' has no trainable variables, so there is nothing to move").format(name=text)
        )
    for entry in entries:
        if isinstance(entry.tensor, COMPOSITES):
            raise UserError(
                _("'{name}' is no dense tensor; name its values: {name}.values").format(
                    name=entry.name
                )
            )
        if not is_differentiable(entry.tensor):
            raise UserError(
                _(
                    "'{name}' is {dtype}, and only float tensors can move; "
                    "make it one: {name} = tf.cast({name}, tf.float32)"
                ).format(name=entry.name, dtype=entry.tensor.dtype.name)
            )
    return entries


def _compile_store(name: str) -> Any:
    """A plain name, or the code that stores in a part such as ``params['w']``."""
    return name if name.isidentifier() else compile(f"{name} = {_NEW}", "<source>", "exec")


def _read_variable(variable: Any) -> Any:
    """As ``variable.read_value()``, which takes three times as long."""
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype)


class Mover:
    """One update of all tensors, as the hand-written loop does it.

    Under ``sgd`` plain tensors become ``w - rate * gradient``; all else is moved by one Keras
    optimizer, in one ``apply``: Variables themselves, plain tensors through Variables behind them
    (the same ones each time where the optimizer is the user's, whose state goes on).

    Parameters
    ----------
    moved
        What moves.
    name
        The optimizer: one of ``OPTIMIZERS``, or a name in ``names``.
    rate
        The learning rate; None where the optimizer has its own.
    names
        The namespace.
    """

    def __init__(self, moved: Moved, name: str, rate: float | None, names: dict[str, Any]) -> None:
        self._name, self._rate = name, rate
        self.own = name not in OPTIMIZERS  # the user's
        kept = _behind.setdefault(names[name], {}) if self.own else {}
        by_hand = name == "sgd"
        self.by_hand = [value is not None and by_hand for value in moved.values]
        self.variables: list[Any] = []
        for entry, value, hand in zip(moved.entries, moved.values, self.by_hand, strict=True):
            behind = None
            if not hand:
                behind = entry.given if value is None else _find_behind(kept, entry.name, value)
            self.variables.append(behind)
        given = [variable for variable in self.variables if variable is not None]
        self.optimizer: Any = _choose_optimizer(name, rate, names) if given else None
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(given)

    def read_rate(self) -> float:
        """The learning rate of the next step."""
        if self._rate is not None:
            return self._rate
        assert self.optimizer is not None
        return float(tf.convert_to_tensor(self.optimizer.learning_rate))

    def move(self, plain: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        """Update the Variables, and give the plain tensors' new values (None: a Variable)."""
        if self.optimizer is not None:
            pairs = zip(gradients, self.variables, strict=True)
            used = [(g, v) for g, v in pairs if v is not None and g is not None]
            if used:
                self._apply([g for g, _v in used], [v for _g, v in used])
        new: list[Any] = []
        for i, (value, gradient) in enumerate(zip(plain, gradients, strict=True)):
            if value is None:
                new.append(None)
            elif not self.by_hand[i]:
                new.append(tf.convert_to_tensor(self.variables[i]))
            elif gradient is None:
                new.append(value)
            else:
                new.append(value - self._rate * densify(gradient))
        return new

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        try:
            self.optimizer.apply(gradients, variables)
        except ValueError as error:
            if not str(error).startswith("Unknown variable"):
                raise
            raise UserError(
                _(
                    "'{name}' has moved other variables before, and can move no new ones; "
                    "make it anew"
                ).format(name=self._name)
            ) from None


def densify(gradient: Any) -> Any:
    """A gradient as a dense tensor: that of tf.gather is made of rows."""
    if gradient is None or type(gradient) is EagerTensor:  # (asking for the others is slow)
        return gradient
    return tf.convert_to_tensor(gradient) if isinstance(gradient, COMPOSITES) else gradient


def check_optimizer(name: str, names: dict[str, Any]) -> None:
    """UserError where there is no such optimizer."""
    if name in OPTIMIZERS:
        return
    known = ", ".join(OPTIMIZERS)
    if name not in names:
        raise UserError(
            _(
                "there is no optimizer {name}; there are {known}, "
                "and the names of your own Keras optimizers"
            ).format(name=name, known=known)
        )
    if not isinstance(names[name], tf.keras.optimizers.Optimizer):
        raise UserError(
            _("'{name}' is no Keras optimizer (its type is {kind}); there are also {known}").format(
                name=name, kind=type(names[name]).__name__, known=known
            )
        )


def _choose_optimizer(name: str, rate: float | None, names: dict[str, Any]) -> Any:
    kinds = tf.keras.optimizers
    if name == "sgd":
        return kinds.SGD(rate)
    if name in ("momentum", "nesterov"):
        return kinds.SGD(rate, momentum=MOMENTUM, nesterov=name == "nesterov")
    if name == "rmsprop":
        return kinds.RMSprop(rate)
    if name == "adam":
        return kinds.Adam(rate)
    return names[name]


def _find_behind(kept: dict[tuple[Any, ...], Any], name: str, value: Any) -> Any:
    """The Variable behind a plain tensor, with the tensor's value."""
    key = (name, value.dtype, tuple(value.shape))
    if key in kept:
        kept[key].assign(value)
    else:
        kept[key] = tf.keras.Variable(value, dtype=value.dtype.name)
    return kept[key]
