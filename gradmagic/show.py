"""A record -> what the front-end gets: a live view, a static one, or text; and saving it."""

from __future__ import annotations

import functools
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _
from gradmagic.core.records import TapeRun
from gradmagic.render.html import render_html
from gradmagic.render.markup import Html, tag
from gradmagic.render.page import render_page
from gradmagic.render.text import render_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.panel import LossPanel
    from gradmagic.widgets.views import View

MOST_WIDGETS = 100  # open ones in a kernel; the oldest is closed first
SUFFIXES = (".html", ".txt")

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
    run: TapeRun, shell: Any = None, *, static: bool = False, key: str | None = None
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
    """
    if not has_kernel(shell):
        print(render_text(run), end="")  # noqa: T201
        return
    html = render_html(run)

    def make_widget() -> View:
        from gradmagic.widgets.report import ReportWidget

        return ReportWidget(html=html)

    text = render_text(run)
    publish(html, text, None if static else make_widget, shell=shell, key=key)


def has_kernel(shell: Any) -> bool:
    """Whether there is a notebook to show things in: not in a terminal or a plain process."""
    return getattr(shell, "kernel", None) is not None


def publish(
    html: str, text: str, make_widget: Callable[[], View] | None, *, shell: Any, key: str | None
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
    _publish(bundle)
    if not together and make_widget is not None:
        widget, view = _make_live(make_widget, key)
        if view:
            _publish(view)
    return widget


def save(record: TapeRun | LossPanel, path: str | os.PathLike[str]) -> None:
    """Write a record to a file: a page (``.html``) or text (``.txt``).

    Parameters
    ----------
    record
        A run, such as :func:`gradmagic.last_run` returns, or the panel of a comparison.
    path
        Where to: a file is replaced.

    Raises
    ------
    ValueError
        The suffix is neither ``.html`` nor ``.txt``.
    FileNotFoundError
        The folder does not exist.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            _("A report can be saved as {suffixes}, not as {name}.").format(
                suffixes=_(" or ").join(SUFFIXES), name=repr(path.name)
            )
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            _("There is no folder {folder} to save {name} in.").format(
                folder=repr(str(path.parent)), name=repr(path.name)
            )
        )
    path.write_text(_write(record, suffix), encoding="utf-8")


def _write(record: TapeRun | LossPanel, suffix: str) -> str:
    if isinstance(record, TapeRun):
        return render_page(record) if suffix == ".html" else render_text(record)
    from gradmagic.render.losses.document import render_page as render_losses_page
    from gradmagic.render.losses.text import render_losses_text
    from gradmagic.widgets.losses import load_script

    if suffix == ".html":
        return render_losses_page(record, load_script())
    return render_losses_text(record)


def _shows_one_output(shell: Any) -> bool:
    """Whether both reports must be one output: the pages of VS Code and Colab are others."""
    in_code = "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})
    in_code = in_code or any(name in os.environ for name in ("VSCODE_PID", "VSCODE_CWD"))
    return in_code or "google.colab" in sys.modules


def _wrap_static(html: str, *, alone: bool) -> str:
    rules = None if alone else tag("style", Html(" ".join(_ONE_OF_BOTH.split())))
    return tag("div", rules, Html(html), class_="gm-static" if alone else "gm-static gm-waiting")


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
