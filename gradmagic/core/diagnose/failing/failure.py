"""What an exception in the cell is about: the expression that failed, and what does not fit."""

from __future__ import annotations

import ast
import copy
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from gradmagic.core.diagnose.code import CellCode
from gradmagic.core.diagnose.failing.clashes import compare_shapes
from gradmagic.core.diagnose.failing.dtypes import compare_dtypes, is_about_dtypes
from gradmagic.core.diagnose.failing.frames import Names
from gradmagic.core.diagnose.failing.labels import compare_labels
from gradmagic.core.diagnose.failing.limits import read_limit
from gradmagic.core.diagnose.failing.operands import replace, shorten, write_marked, write_shape
from gradmagic.core.diagnose.failing.raised import ASSIGNING, find_calls
from gradmagic.core.diagnose.failing.sites import find_nodes, find_site
from gradmagic.core.i18n import _
from gradmagic.core.recorder import CellTape
from gradmagic.core.records import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from gradmagic.core.diagnose.failing.operands import Operand
    from gradmagic.core.diagnose.failing.raised import Call
    from gradmagic.core.diagnose.failing.sites import Site

COLUMNS = 160  # of the expression that is shown
LINES = 8  # of a fix
_EXPLAINED: Final = (tf.errors.OpError, ValueError, TypeError, RuntimeError)
_CONSUMED: Final = "A non-persistent GradientTape can only be used"
# A list where Keras wants a tensor, or rows of different lengths: no matter of shapes.
_OF_STRUCTURE: Final = re.compile("Expected an instance of|non-rectangular")
_ASKING: Final = ("gradient", "jacobian", "batch_jacobian")


def explain_failure(
    error: BaseException, tree: ast.Module, filename: str, magic: str = "%%gradtape"
) -> Diagnosis | None:
    """The expression that failed, the shapes and dtypes of its operands, and what does not fit.

    Nothing of the cell runs again, and no value of a large tensor is read.

    Parameters
    ----------
    error
        What the cell raised.
    tree
        The cell's syntax tree, with the notebook's line numbers.
    filename
        The file name under which the cell was compiled.
    magic
        The magic's line.

    Returns
    -------
    Diagnosis or None
        Its ``op`` is the expression with shapes or dtypes put in, with which its ``message``
        begins: ``x[2,3] @ w[4,3]: 3 against 4 (float32)``. None for an exception that is no shape
        or dtype error of TensorFlow or Keras, and where the operands cannot be told for certain.
    """
    if not isinstance(error, _EXPLAINED):
        return None
    site = find_site(error, filename, tree)
    if site is None:
        return None
    message = str(error)
    if message.startswith(_CONSUMED):
        return _explain_consumed(site, magic)
    tf_name = _find_tensorflow(site.entry.tb_frame)
    found = [
        (call, clash)
        for call in find_calls(site, message)
        if (clash := _find_clash(call, message, tf_name)) is not None
    ]
    most = max((call.certainty for call, _clash in found), default=0)
    best = [_write(call, clash, site) for call, clash in found if call.certainty == most]
    # (before Python 3.11 several expressions of a line may come into question)
    return best[0] if len({one.message for one in best}) == 1 else None


@dataclass(frozen=True, eq=False)
class _Clash:
    """What does not fit; ``instead`` is what to write in place of parts of the expression."""

    kind: str
    text: str
    instead: Mapping[ast.expr, str] = field(default_factory=dict)


def _find_clash(call: Call, message: str, tf_name: str) -> _Clash | None:
    if _OF_STRUCTURE.search(message):
        return None
    labels = compare_labels(call, message, tf_name)
    if labels is not None:
        return _Clash(labels.kind, labels.text, labels.instead)
    shapes = compare_shapes(call)
    dtypes = compare_dtypes(call, message)
    if dtypes is not None:
        cast: dict[ast.expr, str] = {}
        if dtypes.operand is not None and tf_name and shapes is None:
            code = dtypes.operand.source
            cast[dtypes.operand.node] = f"{tf_name}.cast({code}, {tf_name}.{dtypes.dtype})"
        text = dtypes.text
        if shapes is not None:
            text = _("{clash}, and {other}").format(clash=text, other=shapes)
        return _Clash("dtype-mismatch", text, cast)
    if is_about_dtypes(message):
        return None
    clash = shapes or read_limit(call, message)
    return None if clash is None else _Clash("shape-mismatch", clash)


def _find_tensorflow(frame: FrameType) -> str:
    """What TensorFlow is called in a frame; empty where it has no name there."""
    module = sys.modules.get("tensorflow")
    for names in (frame.f_locals, frame.f_globals):
        if names.get("tf") is module:
            return "tf"
        found = [name for name in list(names) if names.get(name) is module]
        if found:
            return str(found[0])
    return ""


def _write(call: Call, clash: _Clash, site: Site) -> Diagnosis:
    by_dtype = clash.kind == "dtype-mismatch"
    shown = _list_shown(call, by_dtype=by_dtype)
    marks = {one.node: one.with_dtype if by_dtype else one.with_shape for one in shown}
    expression = shorten(write_marked(call.node, marks), COLUMNS)
    message = _("{expression}: {clash}").format(expression=expression, clash=clash.text)
    details = _write_details(call, by_dtype=by_dtype)
    if details:
        message = _("{message} ({details})").format(message=message, details=details)
    return Diagnosis(
        clash.kind,
        shorten(ast.unparse(call.node), COLUMNS),
        call.node.lineno if site.in_cell else None,
        expression,
        message,
        _mend(site.tree, call.node, clash.instead) if site.in_cell and clash.instead else "",
    )


def _list_shown(call: Call, *, by_dtype: bool) -> list[Operand]:
    """The operands that are written with their shape or dtype."""
    operands = call.listed[1:] if by_dtype and call.name in ASSIGNING else call.listed
    written = [
        inner
        for one in operands
        for inner in (one.elements if isinstance(one.node, (ast.List, ast.Tuple)) else [one])
    ]
    return [
        one
        for one in written
        if (one.tensor is not None and (one.dtype is not None or not by_dtype))
        or (by_dtype and one.is_fraction)
    ]


def _write_details(call: Call, *, by_dtype: bool) -> str:
    """The other of shape and dtype; both for what stands in a list that has a name."""
    inline = {id(one.node) for one in _list_shown(call, by_dtype=by_dtype)}
    plain = [one for one in call.tensors if id(one.node) in inline]
    listed = [one for one in call.tensors if id(one.node) not in inline]
    if listed:
        first = listed[0]
        others = [
            one
            for one in listed
            if (one.dtype != first.dtype if by_dtype else one.shape != first.shape)
        ]
        return ", ".join(_describe(one) for one in [first, *others[:1]])
    if by_dtype:
        return ", ".join(one.with_shape for one in plain) if any(one.shape for one in plain) else ""
    typed = [one for one in plain if one.dtype is not None]
    if len({one.dtype for one in typed}) == 1 and len(typed) == len(plain):
        return str(typed[0].dtype)
    return ", ".join(one.with_dtype for one in typed)


def _describe(one: Operand) -> str:
    text = _("{name} is {shape} {dtype}") if one.dtype else _("{name} is {shape}")
    return text.format(name=one.code, shape=write_shape(one.shape), dtype=one.dtype)


def _mend(tree: ast.Module, node: Any, instead: Mapping[ast.expr, str]) -> str:
    """The statement with parts replaced; empty where it does not have its lines for itself."""
    step = CellCode(tree).find_step(node.lineno)
    if step is None or hasattr(step.node, "body") or not _holds(step.node, node):
        return ""
    beside = [
        one
        for one in ast.walk(tree)
        if isinstance(one, ast.stmt) and one is not step.node and _shares_line(one, step.node)
    ]
    if beside:
        return ""
    if isinstance(node, ast.AugAssign) and node.target in instead:
        value = ast.BinOp(ast.Name(instead[node.target]), node.op, node.value)
        return f"{ast.unparse(node.target)} = {ast.unparse(value)}"
    return ast.unparse(replace(step.node, _find_repeated(step.node, node, instead)))


def _find_repeated(
    statement: ast.stmt, node: ast.AST, instead: Mapping[ast.expr, str]
) -> dict[ast.expr, str]:
    """The same replacements wherever the expression stands in the statement."""
    written = ast.dump(node)
    same = [one for one in ast.walk(statement) if ast.dump(one) == written]
    return {
        inner: instead[own]
        for one in same
        for own, inner in zip(ast.walk(node), ast.walk(one), strict=True)
        if isinstance(own, ast.expr) and isinstance(inner, ast.expr) and own in instead
    }


def _shares_line(one: ast.stmt, other: ast.stmt) -> bool:
    lines = {one.lineno} if hasattr(one, "body") else {one.lineno, one.end_lineno}
    return not lines.isdisjoint({other.lineno, other.end_lineno})


def _holds(outer: ast.AST, inner: ast.AST) -> bool:
    return any(one is inner for one in ast.walk(outer))


def _explain_consumed(site: Site, magic: str) -> Diagnosis | None:
    """A tape that is asked a second time, and is not persistent."""
    tree, line = site.tree, site.entry.tb_lineno
    if not site.in_cell:
        return None
    names = Names(site.entry.tb_frame, tree)
    nodes, _exact = find_nodes(site, (ast.Call,))
    asking = {ast.unparse(node): node for node in nodes if _asks(node, names)}
    if len(asking) != 1:
        return None
    ((code, call),) = asking.items()
    base = call.func.value
    name, expression = ast.unparse(base), shorten(code, COLUMNS)
    text = _("{expression}: {tape} gives gradients once, and line {line} asks it a second time")
    message = text.format(expression=expression, tape=name, line=line)
    if isinstance(names.find(base), CellTape):
        fix = f"{magic} --persistent"
        return Diagnosis("tape-consumed", name, line, expression, message, fix)
    opened = _list_openings(tree, name)
    if len(opened) != 1:
        return Diagnosis("tape-consumed", name, line, expression, message)
    text = _("{message}; open it with persistent=True on line {line}")
    message = text.format(message=message, line=opened[0].lineno)
    fix = _open_persistent(opened[0])
    return Diagnosis("tape-consumed", name, opened[0].lineno, expression, message, fix)


def _asks(node: ast.Call, names: Names) -> bool:
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _ASKING:
        return False
    return isinstance(names.find(function.value), tf.GradientTape)


def _list_openings(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The statements that make the tape of a name."""
    found: list[ast.stmt] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            targets = [one.optional_vars for one in node.items]
        elif isinstance(node, ast.Assign):
            targets = [*node.targets]
        else:
            continue
        if name in [ast.unparse(one) for one in targets if one is not None]:
            found.append(node)
    return found


def _open_persistent(statement: ast.stmt) -> str:
    """The statement with ``persistent=True``; empty where it is long, or no plain one."""
    mended = copy.deepcopy(statement)
    heads = mended.items if isinstance(mended, ast.With) else [mended]
    calls = [node for head in heads for node in ast.walk(head) if isinstance(node, ast.Call)]
    tapes = [one for one in calls if ast.unparse(one.func).endswith("GradientTape")]
    if len(tapes) != 1 or tapes[0].args:
        return ""
    kept = [one for one in tapes[0].keywords if one.arg != "persistent"]
    tapes[0].keywords = [ast.keyword("persistent", ast.Constant(value=True)), *kept]
    fix = ast.unparse(mended)
    return fix if fix.count("\n") < LINES else ""
