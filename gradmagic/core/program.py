"""The plain TensorFlow program that a cell under the tape stands for."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.records import CodeLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.records import Gradient
    from gradmagic.core.sources import Entry

INDENT = "    "


def write_program(
    cell: Cell,
    options: Any,
    found: Any,
    entries: Mapping[str, Sequence[Entry]],
    gradients: Sequence[Gradient],
    names: Mapping[str, Any],
) -> tuple[CodeLine, ...]:
    """The with-block, line by line: pasted into a cell it gives the same gradients.

    Parameters
    ----------
    cell
        The cell.
    options
        The run's options.
    found
        The target, as it was found.
    entries, gradients
        The sources' tensors, and their gradients in the same order.
    names
        The namespace after the run.
    """
    tape = options.tape
    plan = _Plan(cell)
    sources = [_Source(text, group, names) for text, group in entries.items()]
    by_name = {gradient.name: gradient for gradient in gradients}
    asked = []
    before: list[str] = []
    first = [s.text for s in sources if s.plain and None in _bound(s, by_name)]
    if first and options.sources:
        before.append(f"{tape}.watch({_bracket(first)})")
    for source in sources:
        gradient = by_name.get(source.text)
        bound = _bound(source, by_name)
        if source.plain and options.sources:
            for line in dict.fromkeys(line for line in bound if line is not None):
                plan.add_after(line, f"{tape}.watch({source.text})")
        reference = source.reference
        if gradient is not None and gradient.taken not in (-1, len(bound) - 1):
            reference = f"{source.text}_used"
            bound_at = bound[gradient.taken]
            if bound_at is None:
                before.append(f"{reference} = {source.text}")
            else:
                plan.add_after(bound_at, f"{reference} = {source.text}")
        asked.append(reference)
    target = found.name
    if found.reason == "last-expression":
        target = _choose_name("target", names)
        plan.name_last(target)
    after = []
    if found.reason == "named" and not found.name.isidentifier():
        target = _choose_name("target", names)
        after.append(f"{target} = {found.name}")
    return _lay_out(options, plan, before, after, target, _bracket(asked))


def _lay_out(
    options: Any, plan: _Plan, before: list[str], after: list[str], target: str, asked: str
) -> tuple[CodeLine, ...]:
    tape = options.tape
    arguments = []
    if options.persistent:
        arguments.append("persistent=True")
    if not options.watch_accessed_variables:
        arguments.append("watch_accessed_variables=False")
    unconnected = (
        f', unconnected_gradients="{options.unconnected_gradients}"'
        if options.unconnected_gradients != "none"
        else ""
    )
    depth = INDENT
    lines = []
    if options.hessian:
        lines.append(CodeLine("with tf.GradientTape(persistent=True) as outer_tape:", None))
        lines += [
            CodeLine(depth + text.replace(f"{tape}.watch", "outer_tape.watch"), None)
            for text in before
        ]
        depth += INDENT
    opening = f"with tf.GradientTape({', '.join(arguments)}) as {tape}:"
    lines.append(CodeLine(depth[: -len(INDENT)] + opening, None))
    lines += [CodeLine(depth + text, None) for text in before]
    lines += plan.write(depth)
    lines += [CodeLine(depth + text, None) for text in after]
    method = "jacobian" if options.jacobian else "gradient"
    taken = f"grads = {tape}.{method}({target}, {asked}{unconnected})"
    lines.append(CodeLine(depth[: -len(INDENT)] + taken, None))
    if options.hessian:
        each = f"hessians = [outer_tape.jacobian(g, {asked}) for g in grads if g is not None]"
        lines.append(CodeLine(each, None))
    return tuple(lines)


@dataclass(frozen=True, eq=False)
class _Source:
    """A source and how the program names its tensors."""

    text: str
    entries: Sequence[Entry]
    names: Mapping[str, Any]

    @property
    def plain(self) -> bool:
        """Whether it is one plain tensor, or some: these must be watched."""
        return any(not entry.variable for entry in self.entries)

    @property
    def reference(self) -> str:
        """What stands for it in the list given to ``tape.gradient``."""
        if len(self.entries) == 1 and self.entries[0].name == self.text:
            keras = not self.entries[0].variable or isinstance(self._value, tf.Variable)
            return self.text if keras else f"{self.text}.value"
        if isinstance(self._value, dict):
            return f"*{self.text}.values()"
        if hasattr(self._value, "trainable_variables"):
            return f"*{self.text}.trainable_variables"
        return f"*{self.text}"

    @property
    def _value(self) -> Any:
        try:
            return eval(self.text, {}, self.names)
        except Exception:
            return None


class _Plan:
    """The body's lines, and what is to be added between them."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.lines = cell.text.rstrip("\n").split("\n")
        self.added: dict[int, list[tuple[str, str]]] = {}  # after this line: indent, text
        self.inline: dict[tuple[int, int], list[str]] = {}  # at this place: text
        self.in_string: set[int] = set()
        for node in ast.walk(cell.tree):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno:
                self.in_string.update(range(node.lineno + 1, node.end_lineno + 1))
        self.statements = [n for n in ast.walk(cell.tree) if isinstance(n, ast.stmt)]

    def add_after(self, line: int, text: str) -> None:
        """Add a statement after the innermost statement that runs ``line``."""
        around = [s for s in self.statements if s.lineno <= line <= (s.end_lineno or s.lineno)]
        if not around:
            return
        statement = max(around, key=lambda s: (s.lineno, s.col_offset))
        inner = getattr(statement, "body", None)
        if inner and isinstance(statement, (ast.For, ast.With, ast.While, ast.If)):
            first = inner[0]  # bound by the head: for h in ..., with ... as h
            if first.lineno > statement.lineno:
                where = first.lineno - 1
                self.added.setdefault(where, []).append((" " * first.col_offset, text))
                return
            self.inline.setdefault((first.lineno, first.col_offset), []).append(f"{text}; ")
            return
        end = statement.end_lineno or statement.lineno
        alone = self._text(end)[statement.end_col_offset or 0 :].split("#")[0].strip() == ""
        starts = self._text(statement.lineno)[: statement.col_offset].strip() == ""
        if alone and starts:
            self.added.setdefault(end, []).append((" " * statement.col_offset, text))
        else:
            self.inline.setdefault((end, statement.end_col_offset or 0), []).append(f"; {text}")

    def name_last(self, name: str) -> None:
        """Assign the last expression to a name."""
        last = self.cell.tree.body[-1]
        self.inline.setdefault((last.lineno, last.col_offset), []).append(f"{name} = ")

    def write(self, indent: str) -> list[CodeLine]:
        """All lines, indented; the inside of a multi-line string is left as it is."""
        written = []
        for number, line_text in enumerate(self.lines, self.cell.first_line):
            text = line_text
            for (line, column), parts in sorted(self.inline.items(), reverse=True):
                if line == number:
                    raw = text.encode()
                    text = (raw[:column] + "".join(parts).encode() + raw[column:]).decode()
            keep = number in self.in_string or not text.strip()
            written.append(CodeLine(text if keep else indent + text, number))
            written += [
                CodeLine(indent + extra + added, None)
                for extra, added in self.added.get(number, ())
            ]
        return written

    def _text(self, number: int) -> str:
        offset = number - self.cell.first_line
        return self.lines[offset] if 0 <= offset < len(self.lines) else ""


def _bound(source: _Source, gradients: Mapping[str, Gradient]) -> tuple[int | None, ...]:
    gradient = gradients.get(source.text)
    if gradient is not None:
        return gradient.bound
    return tuple(line for e in source.entries for line in gradients[e.name].bound)


def _bracket(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"


def _choose_name(name: str, names: Mapping[str, Any]) -> str:
    while name in names:
        name += "_"
    return name
