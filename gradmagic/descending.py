"""``%%graddescent``: from what the line asks for to the descent below the cell."""

from __future__ import annotations

import functools
import sys
import uuid
from typing import TYPE_CHECKING, Any

from gradmagic.core.descent.descend import run_descent
from gradmagic.core.descent.moving import OPTIMIZERS
from gradmagic.core.descent.records import Descent, Descents
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.render.descent.document import render_saved, render_waiting
from gradmagic.render.descent.text import render_text, write_progress
from gradmagic.render.exporting.entries import note_descent
from gradmagic.show import has_kernel, keep, print_view, publish, replace_view, withdraw_view
from gradmagic.widgets.bundle import load_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.cell import Cell
    from gradmagic.core.descent.descend import Tell
    from gradmagic.core.descent.records import DescentOptions, Progress
    from gradmagic.widgets.descent import DescentWidget


def choose_rates(given: object, optimizer: str, default: object = 0.1) -> tuple[float, ...]:
    """The learning rates, from ``0.1``, ``[0.1, 1]`` or ``"0.1,1"``; none for an own optimizer.

    Parameters
    ----------
    given
        What was asked for; None: nothing.
    optimizer
        Its name.
    default
        What holds where nothing was asked for.

    Raises
    ------
    UserError
        It is no number, or the optimizer has a rate of its own.
    """
    if optimizer not in OPTIMIZERS:
        if given is not None:
            raise UserError(
                _("'{name}' has a learning rate of its own; leave out the one given here").format(
                    name=optimizer
                )
            )
        return ()
    asked = default if given is None else given
    if isinstance(asked, str):
        parts: list[Any] = [part for part in asked.strip("[]()").split(",") if part.strip()]
    else:
        parts = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    try:
        rates = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        rates = ()
    if not rates:
        raise UserError(
            _(
                "the learning rate must be a number above 0, or several as in 0.01,0.1, not {given}"
            ).format(given=repr(asked))
        )
    return rates


def descend_cell(
    cell: Cell,
    shell: Any,
    options: DescentOptions,
    follow: Callable[[], None],
    *,
    quiet: bool,
    static: bool,
    key: str,
) -> Descents:
    """Descend in the notebook's namespace, and show it.

    Parameters
    ----------
    cell, options
        The cell, and what its line asks for.
    shell
        IPython's shell.
    follow
        Brings open panels up to date; called as often as the progress is told.
    quiet, static, key
        As for ``%%gradtape``.

    Raises
    ------
    UserError
        What was asked for makes no sense.
    """
    __tracebackhide__ = True

    def descend(tell: Tell | None) -> Descents:
        __tracebackhide__ = True

        def pass_on(progress: Progress) -> bool:
            follow()
            return bool(tell is not None and tell(progress))

        return run_descent(cell, shell.user_ns, options, pass_on, on_error)

    def on_error(step: int, error: BaseException) -> None:
        if not isinstance(error, UserError):
            print(_say_step(step, options), file=sys.stderr, flush=True)  # noqa: T201

    if quiet:
        return descend(None)
    return show_descent(descend, shell, static=static, key=key)


def show_descent(
    descend: Callable[[Callable[[Progress], bool]], Descents],
    shell: Any = None,
    *,
    static: bool = False,
    key: str | None = None,
) -> Descents:
    """Run a descent and show it: how far it is while it runs, and all of it afterwards.

    Parameters
    ----------
    descend
        Runs it. It gets a function to tell its progress to, which answers whether to stop.
    shell, static, key
        As for :func:`gradmagic.show.show_run`.

    Returns
    -------
    Descents
        What ``descend`` returned. What it raises goes on, and nothing is left on the page.
    """
    __tracebackhide__ = True
    from gradmagic.widgets.descent import DescentWidget

    if not has_kernel(shell):
        return _descend_in_terminal(descend, shell, key)
    text = _("A descent is running.")
    make_widget = None if static else functools.partial(DescentWidget, shell.kernel)
    handle = f"gradmagic-{uuid.uuid4().hex}"
    widget = publish(render_waiting(text), text, make_widget, shell=shell, key=key, handle=handle)
    assert widget is None or isinstance(widget, DescentWidget)
    try:
        if widget is None:
            descents = descend(lambda _progress: False)
        else:
            with widget.follow():
                descents = descend(widget.tell)
    except BaseException:
        if widget is not None:
            widget.close()
        withdraw_view(handle)
        raise
    try:
        _show_end(descents, widget, handle, shell, key)
    except Exception as error:  # the sources have moved: what was computed must not be lost
        said = f"{type(error).__name__}: {error}".split("\n")[0][:300]
        print(_("This descent cannot be shown: {error}").format(error=said), file=sys.stderr)  # noqa: T201
    return descents


def _show_end(
    descents: Descents, widget: DescentWidget | None, handle: str, shell: Any, key: str | None
) -> None:
    """All of a descent, in the place of what was shown while it ran."""
    if widget is not None:
        widget.show(descents)
    html, text = render_saved(descents, load_script("descent.js")), render_text(descents)
    replace_view(handle, html, text, widget, shell)
    keep(note_descent(descents), html, text, shell, key)


def _descend_in_terminal(
    descend: Callable[[Callable[[Progress], bool]], Descents], shell: Any, key: str | None
) -> Descents:
    """One line that is written over while it runs, then the text."""
    __tracebackhide__ = True
    moving = sys.stderr.isatty()

    def tell(progress: Progress) -> bool:
        if moving:
            print(f"\r{write_progress(progress):<79}", end="", file=sys.stderr, flush=True)  # noqa: T201
        return False

    try:
        descents = descend(tell)
    finally:
        if moving:
            print(f"\r{'':<79}\r", end="", file=sys.stderr, flush=True)  # noqa: T201
    print_view(note_descent(descents), render_text(descents), shell, key)
    return descents


def show_record(record: Descent | Descents, shell: Any) -> None:
    """Show a descent that is over."""
    descents = record if isinstance(record, Descents) else Descents((record,))
    show_descent(lambda _tell: descents, shell)


def _say_step(step: int, options: DescentOptions) -> str:
    sources = ", ".join(options.sources)
    if step == 0:
        return _("The first step (0) failed, and nothing has moved.")
    return _("Step {step} failed; {sources}: as step {before} left them.").format(
        step=step, sources=sources, before=step - 1
    )
