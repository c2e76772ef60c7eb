"""A record -> what the front-end gets: a live view, a static one, or text."""

from __future__ import annotations

import functools
import os
import sys
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradmagic.core import journal
from gradmagic.core.i18n import _
from gradmagic.render.asking.report import render_asked
from gradmagic.render.asking.report import render_saved as render_held_run
from gradmagic.render.asking.text import ask_in_terminal, write_questions
from gradmagic.render.exporting.entries import note_failure, note_run
from gradmagic.render.exporting.pieces import split_view
from gradmagic.render.failure import render_failure, render_failure_text
from gradmagic.render.html import render_html
from gradmagic.render.markup import Html, tag
from gradmagic.render.presenting import get_presentation
from gradmagic.render.text import render_text
from gradmagic.shell import read_cell
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.asking.records import Question
    from gradmagic.core.journal import Entry
    from gradmagic.core.records import Diagnosis, TapeRun
    from gradmagic.widgets.views import View

MOST_WIDGETS = 100  # open ones in a kernel; the oldest is closed first

# The static report is an output of its own, and the live one the next. JupyterLab, Notebook 7 and
# Notebook 6 (.output_area) keep both; where a notebook is opened again, the live one stays empty.
# One of the two is shown. The static one waits a little for the live one, so that it neither shows
# for a moment nor makes Notebook 7 take the output for one so long that it must scroll.
_ONE_OF_BOTH = """
.jp-OutputArea-child:has(.gm-static):has(+ .jp-OutputArea-child .gm-live),
.output_area:has(.gm-static):has(+ .output_area .gm-live),
.jp-OutputArea-child:has(.gm-static)
  + .jp-OutputArea-child:has(> .jupyter-widgets):not(:has(> .jupyter-widgets > *))
{ display: none; }
@media screen { .gm-waiting { animation: gm-wait .6s step-end; } }
@keyframes gm-wait { from { max-height: 0; overflow: hidden; } }
"""

_widgets: OrderedDict[str, View] = OrderedDict()


def show_run(
    run: TapeRun,
    shell: Any = None,
    *,
    static: bool = False,
    key: str | None = None,
    ask: bool = False,
) -> None:
    """Show the report of a run below the cell, or print it where there is no notebook.

    Parameters
    ----------
    run
        The run.
    shell
        IPython's shell; None outside IPython.
    static
        Without a live widget.
    key
        What identifies the cell: its next report closes the widget of this one. Each run is a cell
        of its own where it is None.
    ask
        Ask what the gradients will be before they are shown.
    """
    entry = note_run(run)
    if ask:
        entry = replace(entry, questions=find_questions(run))
    if not has_kernel(shell):
        print_view(entry, render_text(run), shell, key)
        return
    report, text = render_html(run), render_text(run)
    html, shown, make_widget = report, text, functools.partial(_make_report, report)
    if entry.questions:
        entry = replace(entry, html=report, text=text)
        asked = render_asked(run, entry.questions)
        html = render_held_run(asked, entry.questions, report, load_script("asking/saved.js"))
        shown = write_questions(entry.questions)
        make_widget = functools.partial(_make_asked_report, report, asked, entry)
    make = None if static else make_widget
    widget = publish(html, shown, make, shell=shell, key=key, entry=entry)
    if widget is not None:
        _explore(widget, run)


def find_questions(run: TapeRun) -> tuple[Question, ...]:
    """What is asked of a run; nothing where that fails, for the report must not fail with it."""
    from gradmagic.core.asking.questions import ask_run

    try:
        return ask_run(run)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".split("\n")[0][:300]
        text = _("No question can be asked of this run: {error}").format(error=said)
        print(text, file=sys.stderr)  # noqa: T201
        return ()


def _make_report(report: str) -> View:
    from gradmagic.widgets.report import ReportWidget

    return ReportWidget(html=report)


def _make_asked_report(report: str, asked: str, entry: Entry) -> View:
    from gradmagic.widgets.asked_report import AskedReportWidget

    return AskedReportWidget(report, entry.questions, asked, entry.report)


def _explore(widget: View, run: TapeRun) -> None:
    """Bring the graph of a report to life, after the report is there: it takes a moment."""
    from gradmagic.widgets.report import ReportWidget

    assert isinstance(widget, ReportWidget)
    try:
        widget.explore(run)
    except Exception as error:  # the report itself stands
        say_unexplored(error)


def say_unexplored(error: Exception) -> None:
    """That the graph of a report stays a picture, and why."""
    said = f"{type(error).__name__}: {error}".split("\n")[0][:300]
    text = _("The graph of this report cannot be explored: {error}").format(error=said)
    print(text, file=sys.stderr)  # noqa: T201


def show_failure(diagnosis: Diagnosis, shell: Any = None) -> None:
    """Show what an exception in the cell is about, before its traceback."""
    text = render_failure_text(diagnosis)
    if has_kernel(shell):
        entry = note_failure(diagnosis)
        publish(render_failure(diagnosis), text, None, shell=shell, key=None, entry=entry)
    else:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
        keep(note_failure(diagnosis), "", text, shell, None)


def has_kernel(shell: Any) -> bool:
    """Whether there is a notebook to show things in: not in a terminal or a plain process."""
    return getattr(shell, "kernel", None) is not None


def print_view(entry: Entry, text: str, shell: Any, key: str | None, facts: str = "") -> None:
    """Show a view in a terminal: after its questions, where it has some.

    Parameters
    ----------
    entry
        What the journal notes of it.
    text
        The view.
    shell, key
        As for :func:`publish`.
    facts
        What one may know before the questions.
    """
    if entry.questions:
        if facts:
            print(facts, end="\n\n")  # noqa: T201
        ask_in_terminal(entry.questions, functools.partial(journal.note_guess, entry.report))
    print(text, end="")  # noqa: T201
    keep(entry, "", text, shell, key)


def publish(
    html: str,
    text: str,
    make_widget: Callable[[], View] | None,
    *,
    shell: Any,
    key: str | None,
    handle: str | None = None,
    entry: Entry | None = None,
) -> View | None:
    """Show a static view below the cell, and a live one that takes its place where it can.

    Parameters
    ----------
    html, text
        The static view, and what stands for it where there is no HTML.
    make_widget
        Makes the live one; None: static alone.
    shell
        IPython's shell.
    key
        What identifies the cell: its next view closes the widget of this one.
    handle
        By which the static view can be replaced later.
    entry
        What the journal notes of it; None: nothing. It gets the static view, where it has no other.

    Returns
    -------
    View or None
        The widget, where there is one.
    """
    together = _shows_one_output(shell)
    alone = make_widget is None or together
    bundle: dict[str, Any] = {"text/html": _wrap_static(html, alone=alone), "text/plain": text}
    if key is not None:
        _close_widget(key)
    widget = None
    if together and make_widget is not None:
        widget, view = _make_live(make_widget, key)
        bundle |= view
    if handle is None:
        _publish(bundle)
    else:
        _publish_under(handle, bundle)
    if not together and make_widget is not None:
        widget, view = _make_live(make_widget, key)
        if view:
            _publish(view)
    if entry is not None:
        keep(entry, html, text, shell, key)
    return widget


def replace_view(handle: str, html: str, text: str, widget: View | None, shell: Any) -> None:
    """Show another static view in the place of the one that was published under ``handle``."""
    together = _shows_one_output(shell)
    html = _wrap_static(html, alone=widget is None or together)
    bundle: dict[str, Any] = {"text/html": html, "text/plain": text}
    if together and widget is not None:
        bundle |= widget.make_view()
    _publish_under(handle, bundle, again=True)


def withdraw_view(handle: str) -> None:
    """Leave nothing in the place of the static view that was published under ``handle``."""
    _publish_under(handle, {"text/html": "", "text/plain": ""}, again=True)


def keep(entry: Entry, html: str, text: str, shell: Any, key: str | None) -> None:
    """Note in the journal what was shown; parameters as for :func:`publish`."""
    body, numbers = split_view(entry.html or html)
    number, code = read_cell(shell)
    entry = replace(entry, html=body, numbers=numbers, text=entry.text or text, key=key or "")
    journal.add(replace(entry, number=number, code=code))


def _shows_one_output(shell: Any) -> bool:
    """Whether both reports must be one output: the pages of VS Code and Colab are others."""
    in_code = "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})
    in_code = in_code or any(name in os.environ for name in ("VSCODE_PID", "VSCODE_CWD"))
    return in_code or "google.colab" in sys.modules


def _wrap_static(html: str, *, alone: bool) -> str:
    rules = None if alone else tag("style", Html(" ".join(_ONE_OF_BOTH.split())))
    classes = ["gm-static", "" if alone else "gm-waiting", get_presentation().classes]
    return tag("div", rules, Html(html), class_=" ".join(filter(None, classes)))


def _make_live(
    make_widget: Callable[[], View], key: str | None
) -> tuple[View | None, dict[str, Any]]:
    """A new widget and its output; nothing where the kernel has none to offer."""
    try:
        _enable_colab()
        widget = make_widget()
        view = widget.make_view()
    except Exception:  # whatever is wrong with widgets here: the static view is there
        return None, {}
    _widgets[key if key is not None else f"run {id(widget)}"] = widget
    while len(_widgets) > MOST_WIDGETS:
        _close_widget(next(iter(_widgets)))
    return widget, view


def _close_widget(key: str) -> None:
    widget = _widgets.pop(key, None)
    if widget is not None:
        widget.close()


@functools.cache
def _enable_colab() -> None:
    """Colab shows widgets of other packages once its own manager for them is on."""
    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()


def _publish(bundle: dict[str, Any]) -> None:
    from IPython.display import display

    display(bundle, raw=True)


def _publish_under(handle: str, bundle: dict[str, Any], *, again: bool = False) -> None:
    """Show a bundle under a handle; again: in the place of the one before."""
    from IPython.display import display, update_display

    if again:
        update_display(bundle, display_id=handle, raw=True)
    else:
        display(bundle, raw=True, display_id=handle)
