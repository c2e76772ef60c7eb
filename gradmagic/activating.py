"""``%gradactivation``: from what the line asks for to the panel below the cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradmagic.core.activations.asking import ask_activations
from gradmagic.core.activations.lab import BOUND, make_lab
from gradmagic.render.activations.asking import describe_facts, write_asked
from gradmagic.render.activations.document import render_saved
from gradmagic.render.activations.text import render_activations_text
from gradmagic.render.exporting.entries import note_activations
from gradmagic.show import has_kernel, print_view, publish
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab


@dataclass(frozen=True)
class AskedActivations:
    """What the magic's line asks for: names or expressions."""

    names: tuple[str, ...] = ()
    range_: tuple[float, float] | None = None
    of: str | None = None
    bound: float = BOUND
    ask: bool = False


def show_activations(asked: AskedActivations, shell: Any, key: str) -> None:
    """Compute them in the notebook's namespace, and show them.

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
        Something that was asked for cannot be drawn.
    """
    lab = make_lab(asked.names, shell.user_ns, range_=asked.range_, of=asked.of, bound=asked.bound)
    show_lab(lab, shell, key, ask=asked.ask)


def show_lab(lab: ActivationLab, shell: Any, key: str | None = None, *, ask: bool = False) -> None:
    """Show activations below the cell, or print them where there is no notebook; or ask first."""
    questions = ask_activations(lab) if ask else ()
    entry = replace(note_activations(lab), questions=questions)
    text = render_activations_text(lab)
    if not has_kernel(shell):
        print_view(entry, text, shell, key, describe_facts(lab))
        return
    from gradmagic.widgets.activation import ActivationWidget

    def make_widget() -> ActivationWidget:
        return ActivationWidget(lab, questions, entry.report)

    script = load_script("activation.js")
    html = render_saved(lab, script, questions)
    if questions:
        entry = replace(entry, html=render_saved(lab, script), text=text)
        text = write_asked(lab, questions)
    publish(html, text, make_widget, shell=shell, key=key, entry=entry)
