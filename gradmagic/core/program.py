"""The plain TensorFlow program that a cell under the tape stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _
from gradmagic.core.insertion import Insertions, find_sites
from gradmagic.core.recorder import CellTape, identify
from gradmagic.core.records import CodeLine
from gradmagic.core.sources import is_tensor, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.recorded import Gap
    from gradmagic.core.records import Gradient
    from gradmagic.core.tape import Options
    from gradmagic.core.target import FoundTarget

INDENT = "    "


def write_program(
    cell: Cell,
    options: Options,
    target: FoundTarget,
    gradients: Sequence[Gradient],
    roots: Mapping[str, str],
    names: Mapping[str, Any],
) -> tuple[CodeLine, ...]:
    """The with-block, line by line: pasted into a cell it gives the same gradients.

    Where the cell used the tape up before it computed the target, it says that TensorFlow raises.

    Parameters
    ----------
    cell, options, target
        The cell, what was asked, and what was differentiated.
    gradients
        The gradients, in order.
    roots
        The first name of each source, by the source as typed.
    names
        The namespace after the run.
    """
    return _Program(cell, options, target, gradients, roots, names).write()


@dataclass(eq=False)
class _Program:
    cell: Cell
    options: Options
    target: FoundTarget
    gradients: Sequence[Gradient]
    roots: Mapping[str, str]
    names: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.body = Insertions(self.cell)
        self.watched = self._choose_name("watched")  # a function, where a walrus needs it
        self.calls_watched = False
        # Where the cell asked the tape itself, a second answer may be had of a persistent one: it
        # is the same, unless the target was computed after that, which the cell's did not record.
        used_up = self._find_use()
        before = used_up is not None and identify(self.target.tensor) <= used_up.start
        self.persistent = self.options.persistent or self.options.hessian or before
        self.used_up = None if self.persistent else used_up
        # Where the target used a tensor that its name no longer has, a list keeps all it had.
        self.kept = {
            one.name: self._choose_name(re.sub(r"\W+", "_", one.name).strip("_") + "_bound")
            for one in self.gradients
            if one.taken not in (-1, len(one.bound) - 1)
        }

    def write(self) -> tuple[CodeLine, ...]:
        options, tape = self.options, self.options.tape
        for one in self.gradients:
            self._follow(one)
        before = self._start()
        after = []
        wanted = self.target.name
        if self.target.reason == "last-expression":
            wanted = self._choose_name("target")
            self.body.wrap(self.cell.tree.body[-1].value, f"{wanted} = ", "")  # type: ignore[attr-defined]
        elif not wanted.isidentifier():
            wanted = self._choose_name("target")
            after.append(f"{wanted} = {self.target.name}")
        asked = f"[{', '.join(self._refer_all())}]"
        method = "jacobian" if options.jacobian else "gradient"
        zeros = options.unconnected_gradients
        extra = f', unconnected_gradients="{zeros}"' if zeros != "none" else ""
        taken = f"grads = {tape}.{method}({wanted}, {asked}{extra})"
        lines = [CodeLine(text, None) for text in self._define_watched()]
        lines.append(CodeLine(f"with tf.GradientTape({self._list_arguments()}) as {tape}:", None))
        lines += [CodeLine(INDENT + text, None) for text in before]
        lines += self.body.write(INDENT)
        lines += [CodeLine(INDENT + text, None) for text in after]
        if self.used_up is not None:
            lines.append(CodeLine(_say_used_up(self.used_up), None))
        lines.append(CodeLine(f"{INDENT if options.hessian else ''}{taken}", None))
        if options.hessian:
            each = f"hessians = [{tape}.jacobian(g, {asked}) for g in grads if g is not None]"
            lines.append(CodeLine(each, None))
        return tuple(lines)

    def _list_arguments(self) -> str:
        options = self.options
        arguments = ["persistent=True"] if self.persistent else []
        if not options.watch_accessed_variables:
            arguments.append("watch_accessed_variables=False")
        return ", ".join(arguments)

    def _find_use(self) -> Gap | None:
        """What the tape did not record, from where the cell used it up."""
        tape = self.names.get(self.options.tape)
        gaps = tape.gaps if isinstance(tape, CellTape) else []
        return next((gap for gap in gaps if gap.reason == "gradient"), None)

    def _start(self) -> list[str]:
        """What comes before the body: what is there already is watched, and kept if need be."""
        given = [one for one in self.gradients if None in one.bound]
        lines = []
        if self.options.sources:
            plain = [one.name for one in given if not self._is_variable_at(one, 0)]
            if plain:
                lines.append(f"{self.options.tape}.watch([{', '.join(plain)}])")
        for one in self.gradients:
            if one.name in self.kept:
                first = one.name if None in one.bound else ""
                lines.append(f"{self.kept[one.name]} = [{first}]")
        return lines

    def _is_variable_at(self, gradient: Gradient, index: int) -> bool:
        # of the other tensors that the name had, only the shown one's kind is on record
        return gradient.variable and gradient.taken == index

    def _follow(self, gradient: Gradient) -> None:
        """Watch and keep a source's tensors where the cell binds them."""
        if not self.options.sources or (gradient.variable and gradient.name not in self.kept):
            return
        lines = {line for line in gradient.bound if line is not None}
        for site in find_sites(self.cell.tree, self.roots[gradient.source]):
            if not any(site.first <= line <= site.last for line in lines):
                continue
            kept = self.kept.get(gradient.name)
            if site.kind == "walrus":
                self.calls_watched = True
                closing = f", {kept})" if kept else ")"
                self.body.wrap(site.node.value, f"{self.watched}(", closing)
                continue
            texts = [] if gradient.variable else [f"{self.options.tape}.watch({gradient.name})"]
            texts += [f"{kept}.append({gradient.name})"] if kept else []
            for text in texts:
                if site.kind == "after":
                    self.body.add_after(site.node, text)
                else:
                    self.body.add_before(site.node[0], text)

    def _define_watched(self) -> list[str]:
        if not self.calls_watched:
            return []
        return [
            f"def {self.watched}(tensor, kept=()):",
            f"{INDENT}{self.options.tape}.watch(tensor)",
            f"{INDENT}if kept != ():",
            f"{INDENT * 2}kept.append(tensor)",
            f"{INDENT}return tensor",
            "",
        ]

    def _refer_all(self) -> list[str]:
        if not self.options.sources and any(one.name not in self.names for one in self.gradients):
            tensors = [one.name for one in self.gradients if not one.variable]
            return [f"*{self.options.tape}.watched_variables()", *tensors]
        sources = dict.fromkeys(one.source for one in self.gradients)
        return [text for source in sources for text in self._refer(source, self._read(source))]

    def _read(self, source: str) -> Any:
        return eval(source, {}, self.names)

    def _refer(self, text: str, value: Any) -> list[str]:
        """What stands for a source in the list given to ``tape.gradient``."""
        kept = next((one for one in self.gradients if one.name == text and text in self.kept), None)
        if kept is not None:
            return [f"{self.kept[text]}[{kept.taken}]"]
        if hasattr(value, "trainable_variables"):
            return [f"*{text}.trainable_variables"]
        if isinstance(value, dict):
            parts = {f"{text}[{key!r}]": part for key, part in value.items()}
            short = f"*{text}.values()"
        elif isinstance(value, (list, tuple)):
            parts = {f"{text}[{i}]": part for i, part in enumerate(value)}
            short = f"*{text}"
        else:
            return [text if unwrap(value) is value else f"{text}.value"]
        if all(is_tensor(part) for part in parts.values()) and not self.kept.keys() & parts.keys():
            return [short]
        return [one for name, part in parts.items() for one in self._refer(name, part)]

    def _choose_name(self, name: str) -> str:
        while name in self.names or name in self.cell.lines:
            name += "_"
        return name


def _say_used_up(gap: Gap) -> str:
    return "# " + _("this raises: the call of gradient on line {line} has used the tape up").format(
        line=gap.line
    )
