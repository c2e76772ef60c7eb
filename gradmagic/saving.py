"""A record -> a file of its own: a page, a text, a graph in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gradmagic.core.activations.records import ActivationLab
from gradmagic.core.descent.records import Descent, Descents
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.core.records import Graph, TapeRun
from gradmagic.render import export
from gradmagic.render.asking.text import write_questions
from gradmagic.render.page import render_asked_page, render_explorer, render_page
from gradmagic.render.text import render_text
from gradmagic.show import find_questions, say_unexplored
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    import os

    from gradmagic.core.losses.panel import LossPanel
    from gradmagic.render.markup import Html

SUFFIXES = (".html", ".txt")


def save(
    record: TapeRun | LossPanel | Graph | Descent | Descents | ActivationLab,
    path: str | os.PathLike[str],
    *,
    ask: bool = False,
) -> None:
    """Write a record to a file: a page (``.html``) or text (``.txt``); a graph in other forms.

    Parameters
    ----------
    record
        A run, such as :func:`gradmagic.last_run` returns, its graph, the panel of a comparison, a
        descent, or activations.
    path
        Where to: a file is replaced. A graph becomes a picture (``.svg``, ``.png``, ``.pdf``),
        Graphviz text (``.dot``) or data (``.json``, as :func:`.export.write_json` says).
    ask
        The page asks what the gradients will be before it shows them; the text has the
        questions alone.

    Raises
    ------
    ValueError
        The suffix is none of these; or ``ask`` with what is no run, or has no source.
    FileNotFoundError
        The folder does not exist.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    is_graph = isinstance(record, Graph)
    suffixes = export.SUFFIXES if is_graph else SUFFIXES
    if suffix not in suffixes:
        message = (
            _("A graph can be saved as {suffixes}, not as {name}.")
            if is_graph
            else _("A report can be saved as {suffixes}, not as {name}.")
        )
        raise ValueError(message.format(suffixes=_(" or ").join(suffixes), name=repr(path.name)))
    if not path.parent.is_dir():
        raise FileNotFoundError(
            _("There is no folder {folder} to save {name} in.").format(
                folder=repr(str(path.parent)), name=repr(path.name)
            )
        )
    if ask:
        path.write_text(_write_asked(record, suffix), encoding="utf-8")
    elif isinstance(record, Graph):
        path.write_bytes(export.render_graph_file(record, suffix))
    else:
        path.write_text(_write(record, suffix), encoding="utf-8")


def _write_asked(record: object, suffix: str) -> str:
    """A run, a comparison or activations that ask first."""
    from gradmagic.core.losses.panel import LossPanel

    if isinstance(record, LossPanel):
        return _write_losses_asked(record, suffix)
    if isinstance(record, ActivationLab):
        return _write_activations_asked(record, suffix)
    if not isinstance(record, TapeRun):
        raise UserError(_("This cannot be saved with ask=True; leave it out."))
    questions = find_questions(record)
    if not questions:
        raise UserError(_("There is nothing to ask about this run; leave ask=True out."))
    if suffix == ".txt":
        return write_questions(questions)
    from gradmagic.render.explorer.reading import read_run
    from gradmagic.widgets.report import load_style

    script = load_script("asked_report.js")
    return render_asked_page(record, questions, read_run(record), script, load_style())


def _write_losses_asked(panel: LossPanel, suffix: str) -> str:
    from gradmagic.core.losses.asking import ask_losses
    from gradmagic.render.losses.asking import write_asked
    from gradmagic.render.losses.document import render_page as render_losses_page

    questions = ask_losses(panel)
    if suffix == ".txt":
        return write_asked(panel, questions)
    return render_losses_page(panel, load_script("losses.js"), questions)


def _write_activations_asked(lab: ActivationLab, suffix: str) -> str:
    from gradmagic.core.activations.asking import ask_activations
    from gradmagic.render.activations import document
    from gradmagic.render.activations.asking import write_asked

    questions = ask_activations(lab)
    if suffix == ".txt":
        return write_asked(lab, questions)
    return document.render_page(lab, load_script("activation.js"), questions)


def _write(record: TapeRun | LossPanel | Descent | Descents | ActivationLab, suffix: str) -> str:
    if isinstance(record, TapeRun):
        if suffix == ".html":
            return render_page(record, write_explorer(record))
        return render_text(record)
    if isinstance(record, Descent | Descents):
        return _write_descent(record, suffix)
    if isinstance(record, ActivationLab):
        return _write_activations(record, suffix)
    from gradmagic.render.losses.document import render_page as render_losses_page
    from gradmagic.render.losses.text import render_losses_text

    if suffix == ".html":
        return render_losses_page(record, load_script("losses.js"))
    return render_losses_text(record)


def _write_activations(lab: ActivationLab, suffix: str) -> str:
    from gradmagic.render.activations import document
    from gradmagic.render.activations.text import render_activations_text

    if suffix == ".html":
        return document.render_page(lab, load_script("activation.js"))
    return render_activations_text(lab)


def _write_descent(record: Descent | Descents, suffix: str) -> str:
    from gradmagic.render.descent import document
    from gradmagic.render.descent.text import render_text as render_descent_text

    descents = document.gather(record)
    if suffix == ".html":
        return document.render_page(descents, load_script("descent.js"))
    return render_descent_text(descents)


def write_explorer(run: TapeRun) -> Html | None:
    """What makes the graph of a saved report live; None where it stays a picture."""
    from gradmagic.render.explorer.reading import read_run
    from gradmagic.widgets.report import load_style

    try:
        reading = read_run(run)
        if reading is None:
            return None
        return render_explorer(reading, load_script("report.js"), load_style())
    except Exception as error:  # the report itself is saved
        say_unexplored(error)
        return None
