"""Sources: from what was typed (`w`, `params['w']`, `model`) to tensors, and watching these."""

from __future__ import annotations

import ast
import contextlib
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.cell import find_root
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import identify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gradmagic.core.recorder import CellTape

# A cell that uses these can bind names that cannot be read from its code.
_UNFORESEEABLE = frozenset({"exec", "locals", "globals", "vars", "get_ipython"})

COMPOSITES = (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices)


@dataclass(frozen=True, eq=False)
class Entry:
    """One tensor of a source: its own name, the tensor or tf.Variable, whether it is Keras' own.

    ``given`` is what the user's code has: the Keras variable, where it is one.
    """

    name: str
    tensor: Any
    of_keras: bool = False
    given: Any = None

    @property
    def variable(self) -> bool:
        """Whether it is a tf.Variable."""
        return isinstance(self.tensor, tf.Variable)


@dataclass(frozen=True, eq=False)
class Version:
    """One tensor that a name was bound to, and the line that bound it (None: before the cell)."""

    tensor: Any
    line: int | None


def is_tensor(value: Any) -> bool:
    """Whether it is an eager tensor, a tf.Variable, or made of tensors (ragged, sparse, slices)."""
    return isinstance(value, (tf.Variable, *COMPOSITES)) or (
        isinstance(value, tf.Tensor) and hasattr(value, "numpy")
    )


def is_differentiable(value: Any) -> bool:
    """Whether its dtype is one that gradients exist for: floating or complex."""
    return value.dtype.is_floating or value.dtype.is_complex


def find_parts(value: Any) -> list[Any]:
    """The float tensors that a source is made of: a RaggedTensor's flat values, for example."""
    if isinstance(value, tf.Variable):
        return [value]
    return [t for t in tf.nest.flatten(value, expand_composites=True) if is_differentiable(t)]


def name_part(name: str, value: Any) -> str:
    """What Python calls the one part of a source that :func:`find_parts` finds."""
    return f"{name}.flat_values" if isinstance(value, tf.RaggedTensor) else name


def identify_parts(value: Any) -> set[int]:
    """TensorFlow's numbers of the tensors that a source is made of."""
    if isinstance(value, tf.Variable):
        return {identify(value)}
    return {identify(t) for t in tf.nest.flatten(value, expand_composites=True)}


def unwrap(value: Any) -> Any:
    """The tf.Variable inside a Keras variable; anything else as it is."""
    if not hasattr(type(value), "value"):  # (asking a tensor or a module itself is slow)
        return value
    inner = getattr(value, "value", None)
    return inner if isinstance(inner, tf.Variable) else value


def expand(name: str, value: Any) -> list[Entry]:
    """The tensors that a source's value stands for, in order, each with its own name.

    Parameters
    ----------
    name
        The source as it was typed.
    value
        A tensor, a Variable, a Keras variable; a Keras layer or model or a tf.Module (its trainable
        variables); a list, tuple or dict of these.

    Raises
    ------
    UserError
        It holds something else.
    """
    given, value = value, unwrap(value)
    if isinstance(value, tf.SparseTensor):
        raise UserError(
            _("'{name}' is a SparseTensor, which has no gradient; name {name}.values").format(
                name=name
            )
        )
    if is_tensor(value):
        return [Entry(name, value, given is not value, given)]
    if isinstance(value, dict):
        return [one for key, item in value.items() for one in expand(f"{name}[{key!r}]", item)]
    if isinstance(value, (list, tuple)) or type(value).__name__ in ("ListWrapper", "_TupleWrapper"):
        return [one for i, item in enumerate(value) for one in expand(f"{name}[{i}]", item)]
    if hasattr(value, "trainable_variables"):
        return _expand_module(name, value, value.trainable_variables)
    if isinstance(value, (bool, int, float, complex)) or type(value).__module__ == "numpy":
        raise UserError(
            _(
                "'{name}' is no tensor (its type is {kind}); "
                "make it one first: {name} = tf.constant({name})"
            ).format(name=name, kind=type(value).__name__)
        )
    raise UserError(
        _(
            "'{name}' is no source (its type is {kind}); name a tensor, a variable, a layer or "
            "model, or a list or dict of these"
        ).format(name=name, kind=type(value).__name__)
    )


def _expand_module(name: str, module: Any, variables: Iterable[Any]) -> list[Entry]:
    variables = list(variables)
    own = getattr(module, "name", "")
    names: list[str] = []
    for variable in variables:
        path = getattr(variable, "path", None) or variable.name.removesuffix(":0")
        parts = [part for part in path.split("/") if part]
        if own in parts[:-1]:
            parts = parts[parts.index(own) + 1 :]
        names.append(".".join([name, *parts]))
    if len(set(names)) < len(names):
        names = [f"{one}[{i}]" if names.count(one) > 1 else one for i, one in enumerate(names)]
    pairs = ((n, v, unwrap(v)) for n, v in zip(names, variables, strict=True))
    return [Entry(n, tensor, tensor is not v, v) for n, v, tensor in pairs]


class Sources:
    """Follows the sources while the cell runs: watches each tensor as it is bound.

    Plain tensors are watched; Variables are left to TensorFlow's own rule (trainable ones are
    watched when read, unless the tape was told not to).

    Parameters
    ----------
    expressions
        The sources as typed.
    names
        The namespace of the cell.
    tape
        The tape that watches.
    lines
        The line on which the cell binds each name, for where that cannot be seen as it happens.
    """

    def __init__(
        self,
        expressions: Iterable[str],
        names: Mapping[str, Any],
        tape: CellTape,
        lines: Mapping[str, int],
    ) -> None:
        self.roots = {_normalize(text): find_root(text) for text in expressions}
        self.versions: dict[str, list[Version]] = {}
        self._names = names
        self._tape = tape
        self._lines = lines
        self._code = {text: compile(text, "<source>", "eval") for text in self.roots}

    def check(self, made: frozenset[str], mentioned: frozenset[str]) -> None:
        """Before the cell runs: raise UserError for a source that it cannot make.

        ``made`` are the names that the cell can bind, ``mentioned`` all those in it.
        """
        if mentioned & _UNFORESEEABLE or "*" in made:
            return
        for text, root in self.roots.items():
            if root not in self._names and root not in made:
                known = {
                    n for n, v in self._names.items() if not n.startswith("_") and is_source(v)
                }
                raise UserError(_say_unknown(root, known | made))
            given = root in self._names and root not in made
            if given and (root not in mentioned or text == root):  # it cannot become another
                self._evaluate(text)

    def watch(self, line: int | None, root: str | None = None) -> None:
        """Watch what the sources are now: those under ``root``, or all of them."""
        for text, own in self.roots.items():
            if root is not None and own != root:
                continue
            try:
                entries = self._evaluate(text)
            except UserError:  # not made yet
                continue
            for entry in entries:
                self._watch_entry(entry, line)

    def finish(self) -> dict[str, list[Entry]]:
        """After the cell: the tensors of each source; UserError for a source that is none."""
        finished = {}
        for text, root in self.roots.items():
            if root not in self._names:
                raise UserError(
                    _(
                        "'{name}' was not bound: the line of the cell that binds it did not run"
                    ).format(name=root)
                )
            entries = self._evaluate(text)
            if not entries:
                raise UserError(_say_untrainable(text, self._names))
            for entry in entries:  # bound where no watching was possible, as inside a function
                known = self.versions.setdefault(entry.name, [])
                if not known or known[-1].tensor is not entry.tensor:
                    known.append(Version(entry.tensor, self._lines.get(root)))
            finished[text] = entries
        return finished

    def _watch_entry(self, entry: Entry, line: int | None) -> None:
        versions = self.versions.setdefault(entry.name, [])
        if versions and versions[-1].tensor is entry.tensor:
            return
        versions.append(Version(entry.tensor, line))
        if not entry.variable and is_differentiable(entry.tensor):
            for part in find_parts(entry.tensor):
                self._tape.watch_source(part)

    def _evaluate(self, text: str) -> list[Entry]:
        try:
            value = eval(self._code[text], {}, self._names)
        except Exception as error:
            raise UserError(_say_unreadable(text, error)) from None
        return expand(text, value)


def name_tensors(names: Mapping[str, Any]) -> dict[int, str]:
    """The Python name of each tensor and variable in a namespace, by TensorFlow's number."""
    found: dict[int, str] = {}
    for name, value in list(names.items()):
        tensor = unwrap(value)
        single = is_tensor(tensor) and not isinstance(tensor, COMPOSITES)
        if single and not name.startswith("_"):
            found.setdefault(identify(tensor), name)
    return found


def list_held(names: Mapping[str, Any]) -> list[Entry]:
    """All Variables of the layers, models and modules in a namespace, trainable or not."""
    entries: list[Entry] = []
    for name, value in list(names.items()):
        if hasattr(type(value), "trainable_variables") and not name.startswith("_"):
            with contextlib.suppress(Exception):  # an object of the user's, which may do anything
                entries += _expand_module(name, value, value.variables)
    return [entry for entry in entries if isinstance(entry.tensor, tf.Variable)]


def is_source(value: Any) -> bool:
    """Whether it is a tensor, a variable, or a layer, model or module."""
    value = unwrap(value)
    return is_tensor(value) or hasattr(value, "trainable_variables")


def _normalize(text: str) -> str:
    find_root(text)
    return ast.unparse(ast.parse(text.strip(), mode="eval"))


def _say_untrainable(text: str, names: Mapping[str, Any]) -> str:
    value = eval(text, {}, names)
    if getattr(value, "trainable", None) is False and getattr(value, "variables", None):
        return _(
            "'{name}' is frozen, so it has no trainable variables and no gradient; "
            "thaw it: {name}.trainable = True"
        ).format(name=text)
    return _("'{name}' has no trainable variables, so there is no gradient to take").format(
        name=text
    )


def _say_unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    if near:
        return _("there is no '{name}'; did you mean '{near}'?").format(name=name, near=near[0])
    return _("there is no '{name}', and the cell does not make it").format(name=name)


def _say_unreadable(text: str, error: Exception) -> str:
    message = _("the source '{name}' cannot be read: {kind}: {error}").format(
        name=text, kind=type(error).__name__, error=(str(error).splitlines() or [""])[0]
    )
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        near = difflib.get_close_matches(error.name, dir(error.obj), 1)
        if near:
            return _("{message}; did you mean '{near}'?").format(message=message, near=near[0])
    return message
