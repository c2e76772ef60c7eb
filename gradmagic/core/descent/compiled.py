"""Steps as a tf.function: the body, its gradients and the update in one graph."""

from __future__ import annotations

import ast
import copy
import linecache
import zlib
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.descent.stepping import BATCH
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.recorder import EagerTensor
from gradmagic.core.sources import COMPOSITES, unwrap
from gradmagic.core.target import FoundTarget, find_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.descent.moving import Moved, Mover

MOST_TRACES = 8  # of one descent; each takes as long as many steps
_FUNCTION, _LAST = "gradmagic_body", "gradmagic_last"
_GROWING = ("append", "extend", "insert", "add", "update", "pop", "remove", "clear", "setdefault")


class CompiledStepper:
    """Steps that run as a tf.function.

    Only tensors that the body binds are left in the namespace, those of the last step, since the
    rest of its Python runs while TensorFlow traces it, and not at each step.

    Parameters
    ----------
    cell, names, target
        The cell, its namespace, what ``-t`` gave.
    moved, mover
        What moves, and how.
    batched
        Whether each step has a batch of its own.

    Raises
    ------
    UserError
        The body cannot be a tf.function.
    """

    def __init__(
        self,
        cell: Cell,
        names: dict[str, Any],
        target: str | None,
        moved: Moved,
        mover: Mover,
        *,
        batched: bool,
    ) -> None:
        _refuse_side_effects(cell.tree, names)
        self._cell = cell
        self._names = names
        self._moved = moved
        self._mover = mover
        self._batched = batched
        self._body = _make_body(cell, names, target)
        self._target = target
        self.found: FoundTarget | None = None  # in the graph
        variables = [entry.tensor for entry in moved.entries if entry.variable]
        if mover.own and mover.optimizer is not None:
            variables += [unwrap(one) for one in mover.optimizer.variables]
        self._variables = variables
        self._step = tf.function(self._trace, autograph=False)
        self._call: Any = None
        self._before: Sequence[Any] = ()
        self._new: Sequence[Any] = ()
        self._made: Mapping[str, Any] = {}

    def differentiate(self, batch: Any) -> tuple[Any, Sequence[Any]]:
        """Run a whole step; what it gave is kept until :meth:`move`."""
        __tracebackhide__ = True
        plain = self._moved.plain
        if self._batched:
            taken = self._step(batch, *plain)
            self._refuse_traces()
        else:
            if self._call is None:
                self._call = self._trace_once(plain)
            taken = self._call(None, *plain)
        target, gradients, self._new, self._made, self._before = taken
        return target, gradients

    def read(self) -> list[Any]:
        """The values with which the step began."""
        before = iter(self._before)
        return [next(before) if value is None else value for value in self._moved.values]

    def move(self, gradients: Sequence[Any]) -> None:  # noqa: ARG002  (the graph has used them)
        """Bind the plain tensors' new values; the Variables have moved already."""
        new = iter(self._new)
        for i, value in enumerate(self._moved.values):
            if value is not None:
                self._moved.bind(i, next(new))

    def undo(self) -> None:
        """Give the Variables back the values with which the step began."""
        for variable, value in zip(self._variables, self._before, strict=True):
            variable.assign(value)

    def finish(self) -> None:
        """Bind what the body's last step has made."""
        self._names.update(self._made)

    def _trace_once(self, plain: Sequence[Any]) -> Any:
        # (the concrete function is called in half the time: nothing is looked up)
        return self._step.get_concrete_function(None, *plain)

    def _trace(self, batch: Any, *plain: Any) -> Any:
        """What TensorFlow traces. The namespace holds the graph's tensors meanwhile."""
        moved = self._moved
        before = [tf.identity(variable.read_value()) for variable in self._variables]
        kept = moved.values[:]
        batch_kept = self._names.get(BATCH)
        given = iter(plain)
        try:
            for i, value in enumerate(kept):
                if value is not None:
                    moved.bind(i, next(given))
            if self._batched:
                self._names[BATCH] = batch
            with tf.GradientTape() as tape:
                for tensor in moved.plain:
                    tape.watch(tensor)
                target, made = self._run_body()
            gradients = tape.gradient(target, moved.tensors)
            new = self._mover.move(moved.values, gradients)
        finally:
            for i, value in enumerate(kept):
                if value is not None:
                    moved.bind(i, value)
            if self._batched:
                self._names[BATCH] = batch_kept
        return target, gradients, [one for one in new if one is not None], made, before

    def _run_body(self) -> tuple[Any, dict[str, Any]]:
        try:
            last, made, asked = self._body()
        except _UNTRACEABLE as error:
            if isinstance(error, AttributeError) and not _is_of_graphs(error):
                raise
            raise UserError(_say_untraceable(error)) from None
        tensors = {name: one for name, one in made.items() if _is_graph_tensor(one)}
        floats = [name for name, one in tensors.items() if one.dtype.is_floating]
        if self._target is not None:
            self.found = FoundTarget(self._target, "named", None, asked)
        elif (loss := find_loss(made)) is not None:
            self.found = FoundTarget(loss, "loss", None, made[loss])
        elif last is not None:
            self.found = FoundTarget("", "last-expression", None, last)
        else:
            name = floats[-1] if floats else ""
            self.found = FoundTarget(name, "last-assigned", None, tensors.get(name))
        target = self.found.tensor
        if not _is_graph_tensor(target) or not target.dtype.is_floating:
            raise UserError(
                _("the cell makes no float tensor to differentiate; assign one to loss")
            )
        return target, tensors

    def _refuse_traces(self) -> None:
        count = self._step.experimental_get_tracing_count()
        if count > MOST_TRACES:
            raise UserError(
                _(
                    "the cell was traced {count} times, which costs more than it saves: "
                    "give --batches tensors of one shape, or leave out --compile"
                ).format(count=count)
            )


_UNTRACEABLE = (
    NotImplementedError,
    UnboundLocalError,
    AttributeError,
    tf.errors.OperatorNotAllowedInGraphError,
)


def _is_of_graphs(error: AttributeError) -> bool:
    """Whether it asks a graph's tensor for what the same tensor has outside of a graph."""
    return isinstance(error.obj, tf.Tensor) and hasattr(EagerTensor, error.name or "")


def _say_untraceable(error: Exception) -> str:
    if isinstance(error, UnboundLocalError):
        name = getattr(error, "name", None) or str(error).split("'")[1:2]
        shown = name if isinstance(name, str) else "".join(name)
        return _(
            "--compile: the cell reads '{name}' before it binds it, and a tf.function keeps no "
            "names from step to step; leave out --compile, or keep it in a tf.Variable"
        ).format(name=shown)
    lines = [one.strip() for one in str(error).splitlines() if one.strip()] or [""]
    said = lines[-1] if lines[0].startswith("in user code") else lines[0]
    return _(
        "--compile: the cell cannot run as a tf.function ({error}); leave out --compile"
    ).format(error=said.rstrip("."))


def _is_graph_tensor(value: Any) -> bool:
    return isinstance(value, (tf.Tensor, *COMPOSITES))


def _make_body(cell: Cell, names: dict[str, Any], target: str | None) -> Any:
    """The body as a function that AutoGraph has converted.

    It returns the value of its last expression, the names that it binds on every way through, and
    the target that was asked for.
    """
    statements = copy.deepcopy(cell.tree.body)
    last: ast.expr = ast.Constant(None)
    if statements and isinstance(statements[-1], ast.Expr):
        statements[-1] = ast.Assign([ast.Name(_LAST, ast.Store())], statements[-1].value)
        last = ast.Name(_LAST, ast.Load())
    bound = [*dict.fromkeys(reversed(list(_list_bound(cell.tree.body))))][::-1]
    asked = ast.Constant(None) if target is None else ast.parse(target.strip(), mode="eval").body
    values: list[ast.expr] = [ast.Name(one, ast.Load()) for one in bound]
    made = ast.Dict([ast.Constant(one) for one in bound], values)
    statements.append(ast.Return(ast.Tuple([last, made, asked], ast.Load())))
    define = ast.parse(f"def {_FUNCTION}(): pass")
    define.body[0].body = statements  # type: ignore[attr-defined]
    text = ast.unparse(ast.fix_missing_locations(define)) + "\n"
    filename = f"<graddescent {zlib.crc32(text.encode()):08x}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    space: dict[str, Any] = {}
    try:
        exec(compile(text, filename, "exec", dont_inherit=True), names, space)
    except SyntaxError as error:
        raise UserError(
            _("--compile: the cell cannot be a function ({error}); leave out --compile").format(
                error=error.msg
            )
        ) from None
    return tf.autograph.to_graph(space[_FUNCTION])


def _list_bound(statements: Sequence[ast.stmt]) -> list[str]:
    """The names that are bound whichever way the code goes, in order."""
    found: list[str] = []
    for statement in statements:
        if isinstance(statement, ast.With):
            found += _list_bound(statement.body)
            continue
        targets: list[Any] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AugAssign) or (
            isinstance(statement, ast.AnnAssign) and statement.value is not None
        ):
            targets = [statement.target]
        names = [node for target in targets for node in ast.walk(target)]
        found += [
            node.id
            for node in names
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
    return found


def _refuse_side_effects(tree: ast.Module, names: Mapping[str, Any]) -> None:
    """UserError for what a tf.function would do once, while it is traced, and not at each step."""
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            continue
        called = statement.value.func
        prints = isinstance(called, ast.Name) and called.id in ("print", "display")
        prints |= any(getattr(one, "id", "") == "get_ipython" for one in ast.walk(called))
        grows = (
            isinstance(called, ast.Attribute)
            and called.attr in _GROWING
            and isinstance(called.value, ast.Name)
            and type(names.get(called.value.id)) in (list, dict, set)
        )
        if prints or grows:
            raise UserError(
                _(
                    "--compile: line {line}, {code}, would run once and not at each step; "
                    "take it out, or leave out --compile"
                ).format(line=statement.lineno, code=ast.unparse(statement))
            )
