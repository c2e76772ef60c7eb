"""A run -> what the front-end gets: a live report, a static one, or text; and saving it."""

from __future__ import annotations

import functools
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmagic.core.i18n import _
from gradmagic.render.html import render_html
from gradmagic.render.markup import Html, tag
from gradmagic.render.page import render_page
from gradmagic.render.text import render_text

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun
    from gradmagic.widgets.report import ReportWidget

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

_widgets: OrderedDict[str, ReportWidget] = OrderedDict()


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
    if getattr(shell, "kernel", None) is None:  # a terminal, or a plain process
        print(render_text(run), end="")  # noqa: T201
        return
    html = render_html(run)
    together = _shows_one_output(shell)
    bundle: dict[str, Any] = {
        "text/html": _wrap_static(html, alone=static or together),
        "text/plain": render_text(run),
    }
    if key is not None:
        _close_widget(key)
    if together and not static:
        bundle |= _make_live(html, key)
    _publish(bundle)
    if not together and not static:
        live = _make_live(html, key)
        if live:
            _publish(live)


def save(run: TapeRun, path: str | os.PathLike[str]) -> None:
    """Write the report of a run to a file: a page (``.html``) or text (``.txt``).

    Parameters
    ----------
    run
        The run, such as :func:`gradmagic.last_run` returns.
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
    text = render_page(run) if suffix == ".html" else render_text(run)
    path.write_text(text, encoding="utf-8")


def _shows_one_output(shell: Any) -> bool:
    """Whether both reports must be one output: the pages of VS Code and Colab are others."""
    in_code = "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})
    in_code = in_code or any(name in os.environ for name in ("VSCODE_PID", "VSCODE_CWD"))
    return in_code or "google.colab" in sys.modules


def _wrap_static(html: str, *, alone: bool) -> str:
    rules = None if alone else tag("style", Html(" ".join(_ONE_OF_BOTH.split())))
    return tag("div", rules, Html(html), class_="gm-static" if alone else "gm-static gm-waiting")


def _make_live(html: str, key: str | None) -> dict[str, Any]:
    """The output of a new widget; nothing where the kernel has none to offer."""
    try:
        from gradmagic.widgets.report import ReportWidget

        _enable_colab()
        widget = ReportWidget(html=html)
        view = widget.make_view()
    except Exception:  # whatever is wrong with widgets here: the static report is there
        return {}
    _widgets[key if key is not None else f"run {id(widget)}"] = widget
    while len(_widgets) > MOST_WIDGETS:
        _close_widget(next(iter(_widgets)))
    return view


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
