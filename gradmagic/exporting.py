"""``%gradexport``: every report of this kernel, in order, as one page."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gradmagic.core import journal
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _, _n
from gradmagic.render.explorer.document import write_document as write_graph
from gradmagic.render.explorer.document import write_json
from gradmagic.render.explorer.reading import read_run
from gradmagic.render.exporting.chapters import arrange, fit
from gradmagic.render.exporting.page import Imprint, render_book
from gradmagic.widgets.bundle import load_script
from gradmagic.widgets.report import list_words, load_style

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.core.journal import Entry

SUFFIX = ".html"
SECONDS = 20.0  # for all graphs that are made live; the others stay pictures


def export_reports(file: str | os.PathLike[str], *, force: bool = False) -> str:
    """Write every report of this kernel into one page that needs no kernel and no network.

    The page holds at most 5 MB. Older reports become their text where they do not fit, and are
    counted where that does not either. A graph is live where its run is still held: by the
    report's widget, by a name, or as the last run.

    What it takes, returns and raises is told of :func:`gradmagic.export`; where it raises, nothing
    is left behind.
    """
    try:
        path = Path(file).expanduser()
        _check(path, force=force)
    except (OSError, RuntimeError) as error:  # a name too long for the disk, a home that nobody has
        raise _refuse(file, error) from None
    entries = journal.list_entries()
    if all(entry.kind == "failure" for entry in entries):
        raise UserError(_("no report to export yet; run a cell with %%gradtape"))
    left_out = journal.count_left_out()
    chapters, unfit = fit(arrange(entries, left_out), _make_writer())
    imprint = Imprint(
        title=path.stem,
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        versions=_name_versions(),
    )
    page = render_book(
        chapters, left_out + unfit, imprint, load_script("exporting.js"), load_style(), list_words()
    ).encode()
    _write(path, page)
    count = sum(chapter.number is not None for chapter in chapters)
    return _n(
        "{count} report was written to {name} ({size}).",
        "{count} reports were written to {name} ({size}).",
        count,
    ).format(count=count, name=path, size=_say_size(len(page)))


def _check(path: Path, *, force: bool) -> None:
    """Whether a page may be written there."""
    if path.is_dir():
        raise UserError(
            _("'{name}' is a folder; add the name of a page, such as lesson.html").format(name=path)
        )
    if path.suffix.lower() != SUFFIX:
        name = "lesson" if path.name.startswith(".") else path.stem
        raise UserError(
            _("'{name}' does not end in .html; name the page, such as {better}").format(
                name=path, better=f"{name}{SUFFIX}"
            )
        )
    if not path.parent.is_dir():
        raise UserError(
            _("there is no folder '{folder}'; make it first").format(folder=path.parent)
        )
    if path.exists() and not force:
        raise UserError(_("'{name}' is there already; add --force to replace it").format(name=path))


def _write(path: Path, page: bytes) -> None:
    """All of the page or nothing: an interrupt leaves what was there."""
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name[:60]}.{os.getpid()}.part")
    try:
        try:
            beside.write_bytes(page)
            os.replace(beside, target)  # noqa: PTH105  (it says what it does)
        except OSError as error:
            raise _refuse(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _refuse(name: str | os.PathLike[str], error: Exception) -> UserError:
    why = getattr(error, "strerror", None) or error
    return UserError(_("'{name}' cannot be written: {why}").format(name=name, why=why))


def _make_writer() -> Callable[[Entry], str]:
    """What tells the numbers that make a report live, for as long as there is time."""
    end = time.monotonic() + SECONDS

    def write(entry: Entry) -> str:
        run = entry.run() if entry.run is not None else None
        if run is None or time.monotonic() > end:
            return entry.numbers
        try:
            reading = read_run(run)
            return "" if reading is None else write_json(write_graph(reading, alone=True))
        except Exception:  # the picture is there
            return ""

    return write


def _name_versions() -> str:
    parts = [f"gradmagic {version('gradmagic')}"]
    if "tensorflow" in sys.modules:
        parts.append(f"TensorFlow {sys.modules['tensorflow'].__version__}")
    return ", ".join([*parts, f"Python {sys.version.split()[0]}"])


def _say_size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(1, round(size / 1e3))} kB"
