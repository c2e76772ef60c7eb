"""The sidebar: opened once, and kept up to date as the notebook's cells run."""

from __future__ import annotations

import ast
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradmagic.core import runs
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.losses.asking import ask_losses
from gradmagic.core.losses.comparison import LossComparison, compare_losses
from gradmagic.core.losses.panel import LossPanel, Origin, make_panel
from gradmagic.core.losses.search import Operand, find_losses
from gradmagic.core.recorder import identify
from gradmagic.render.exporting.entries import note_losses
from gradmagic.render.losses.asking import describe_facts, write_asked
from gradmagic.render.losses.document import render_saved
from gradmagic.render.losses.snippets import write_tensor
from gradmagic.render.losses.text import render_losses_text
from gradmagic.show import has_kernel, print_view, publish
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradmagic.core.records import TapeRun
    from gradmagic.widgets.losses import LossesWidget

MOST_FOLLOWED = 8  # open panels that follow the notebook; the oldest stops first
OWNER = uuid.uuid4().hex  # tells this kernel's side panel from another's on the same page
LITERAL = 400  # numbers of a comparison that are written out in code


@dataclass(frozen=True)
class Asked:
    """What the magic's line asks for: expressions; None for both: what the last cell shows."""

    targets: str | None = None
    predictions: str | None = None
    from_logits: bool | None = None
    sources: tuple[str, ...] = ()
    inline: bool = False
    ask: bool = False


class _Follower:
    """An open panel, and what its numbers came from."""

    def __init__(self, asked: Asked, widget: LossesWidget, names: Mapping[str, Any]) -> None:
        self.asked = asked
        self.widget = widget
        self.names = names
        self.roots = _list_roots(asked)
        self.seen = self._look()

    def follow(self) -> None:
        """Show the new numbers, where there are any and somebody sees them."""
        if self.widget.is_hidden():
            return
        now = self._look()
        if len(now) == len(self.seen) and all(a is b for a, b in zip(now, self.seen, strict=True)):
            return
        self.seen = now
        try:
            sample = self.widget.panel.hand.tables.setting.sample
            self.widget.show_panel(make_asked_panel(self.asked, self.names, sample))
        except UserError as error:
            self.widget.show_error(_("This is the last comparison: {why}").format(why=error))

    def _look(self) -> list[Any]:
        """What the numbers depend on: the objects that the expressions name, and the last run."""
        try:
            run = runs.last_run()
        except LookupError:
            run = None
        return [run, *(self.names.get(root) for root in self.roots)]


_followers: dict[str, _Follower] = {}
_side: Any = None  # the Sidecar of this kernel


def show_losses(asked: Asked, shell: Any, key: str) -> None:
    """Compare, and show the panel: at the side where the page has one, else below the cell.

    Parameters
    ----------
    asked
        What the magic's line asks for.
    shell
        IPython's shell.
    key
        What identifies the line: when it runs again, its panel replaces this one.

    Raises
    ------
    UserError
        What was asked for cannot be compared.
    """
    names = shell.user_ns
    panel = make_asked_panel(asked, names)
    place = "cell" if asked.inline else "side"
    widget = _show_panel(panel, shell, key, place=place, ask=asked.ask)
    _followers.pop(key, None)
    if widget is not None:
        _followers[key] = _Follower(asked, widget, names)
        while len(_followers) > MOST_FOLLOWED:
            del _followers[next(iter(_followers))]


def show_comparison(comparison: LossComparison, shell: Any, *, ask: bool = False) -> None:
    """Show a comparison below the cell; with ``ask`` it asks first."""
    _show_panel(make_plain_panel(comparison), shell, key=None, place="cell", ask=ask)


def follow_cells() -> None:
    """Bring every panel that is seen up to date, after a cell has run."""
    for follower in list(_followers.values()):
        follower.follow()


def _catch_up(widget: LossesWidget) -> None:
    """Bring a panel up to date that is seen again."""
    for follower in list(_followers.values()):
        if follower.widget is widget:
            follower.follow()


def make_plain_panel(comparison: LossComparison) -> LossPanel:
    """The panel of a comparison that a call has made, whose tensors have no names."""
    small = comparison.targets.shape[0] * comparison.targets.shape[1] <= LITERAL
    tensors = (comparison.targets, comparison.logits)
    targets, logits = (
        [write_tensor(tensor.numpy()) for tensor in tensors]
        if small
        else ("comparison.targets", "comparison.logits")
    )
    return make_panel(comparison, Origin(targets, logits, direct=True))


def make_asked_panel(
    asked: Asked, names: Mapping[str, Any], sample: int | None = None
) -> LossPanel:
    """Compare what was asked for; ``sample`` is the one to have in hand, if it is there."""
    origin, targets, predictions, from_logits = _find_operands(asked, names)
    sources = {text: _evaluate(text, names) for text in asked.sources} or None
    comparison = compare_losses(targets, predictions, from_logits, sources)
    return make_panel(comparison, origin, sample)


def _find_operands(asked: Asked, names: Mapping[str, Any]) -> tuple[Origin, Any, Any, bool | None]:
    listed = tuple(_list_tensors(text, names) for text in asked.sources)
    program = ""
    if asked.sources:
        advice = _("make the predictions in a %%gradtape cell, for --sources {names}")
        program = _last_run(advice.format(names=" ".join(asked.sources))).code
    if asked.targets is not None and asked.predictions is not None:
        origin = Origin(asked.targets, asked.predictions, program=program, sources=listed)
        targets, predictions = (_evaluate(t, names) for t in (asked.targets, asked.predictions))
        return origin, targets, predictions, asked.from_logits
    advice = _("name the tensors: %gradlosses TARGETS PREDICTIONS")
    found = find_losses(_last_run(advice))
    words = _("Found in the last %%gradtape cell, line {line}: targets {targets}, logits {logits}.")
    origin = Origin(
        _write_operand(found.targets, names),
        _write_operand(found.logits, names),
        found=words.format(line=found.line, targets=found.targets.label, logits=found.logits.label),
        program=program,
        sources=listed,
    )
    return origin, found.targets.value, found.logits.value, True


def _last_run(advice: str) -> TapeRun:
    try:
        return runs.last_run()
    except LookupError:
        raise UserError(
            _("no cell has run under %%gradtape yet; {advice}").format(advice=advice)
        ) from None


def _write_operand(operand: Operand, names: Mapping[str, Any]) -> str:
    """The tensor's name where it still has it, else where the last run's graph holds it."""
    bound = names.get(operand.name) if operand.name else None
    if hasattr(bound, "_id") and identify(bound) == identify(operand.value):
        return str(operand.name)
    return f"gradmagic.last_run().graph.nodes[{operand.node}].outputs[{operand.output}].value"


def _list_tensors(text: str, names: Mapping[str, Any]) -> str:
    value = _evaluate(text, names)
    return f"{text}.trainable_variables" if hasattr(value, "trainable_variables") else text


def _evaluate(text: str, names: Mapping[str, Any]) -> Any:
    try:
        return eval(text, dict(names))  # noqa: S307  (an expression of the user's own)
    except NameError as error:
        raise UserError(
            _("there is no {name}; run the cell that makes it").format(name=error.name)
        ) from None
    except Exception as error:
        words = str(error).partition("\n")[0]
        raise UserError(
            _("'{text}' cannot be evaluated: {error}").format(
                text=text, error=f"{type(error).__name__}: {words}"
            )
        ) from None


def _list_roots(asked: Asked) -> list[str]:
    """The names in the expressions."""
    texts = [t for t in (asked.targets, asked.predictions, *asked.sources) if t is not None]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text, mode="eval"))]
    return sorted({node.id for node in nodes if isinstance(node, ast.Name)})


def _show_panel(
    panel: LossPanel, shell: Any, key: str | None, *, place: str, ask: bool
) -> LossesWidget | None:
    questions = ask_losses(panel) if ask else ()
    entry = replace(note_losses(panel), questions=questions)
    text = render_losses_text(panel)
    if not has_kernel(shell):
        print_view(entry, text, shell, key, describe_facts(panel))
        return None
    from gradmagic.widgets.losses import LossesWidget

    def make_widget() -> LossesWidget:
        return LossesWidget(
            panel,
            _open_side,
            _catch_up,
            place=place,
            owner=OWNER,
            ask=ask,
            report=entry.report,
        )

    script = load_script("losses.js")
    html = render_saved(panel, script, questions)
    if questions:
        entry = replace(entry, html=render_saved(panel, script), text=text)
        text = write_asked(panel, questions)
    widget = publish(html, text, make_widget, shell=shell, key=key, entry=entry)
    return widget if isinstance(widget, LossesWidget) else None


def _open_side(widget: LossesWidget, anew: bool) -> None:  # noqa: FBT001
    """Put a panel into JupyterLab's side panel, which is opened where there is none."""
    global _side  # noqa: PLW0603  (a kernel has one side panel)
    from sidecar import Sidecar

    if _side is not None and anew:  # the student has closed it
        _side.close()
        _side = None
    if _side is None:
        _side = Sidecar(title=_("MSE against crossentropy"))
    # (outputs are set, not captured: a message from the browser has no cell to capture from)
    output = {"output_type": "display_data", "data": widget.make_view(), "metadata": {}}
    _side.outputs = (output,)
