"""The extension: what ``%load_ext gradmagic`` registers with IPython, and takes away again."""

from __future__ import annotations

import sys
from typing import Any

from gradmagic.arguments import list_options, translate_help
from gradmagic.core.i18n import choose_language
from gradmagic.magics import GradTapeMagics, follow_cell

_PREFIXES = {"cell": "%%", "line": "%"}


def load(shell: Any) -> None:
    """Register the magics, the completion of their lines, and what keeps open panels up to date."""
    choose_language("")
    magics = GradTapeMagics(shell)
    shell.register_magics(magics)
    translate_help(magics)
    for _kind, _name, typed in _list_magics():
        shell.set_hook("complete_command", _complete, str_key=typed)
    shell.events.register("post_run_cell", follow_cell)


def unload(shell: Any) -> None:
    """Take away what :func:`load` registered."""
    for kind, name, typed in _list_magics():
        shell.magics_manager.magics[kind].pop(name, None)
        shell.strdispatchers["complete_command"].strs.pop(typed, None)
    registry = shell.magics_manager.registry.pop("GradTapeMagics", None)
    if registry in shell.configurables:
        shell.configurables.remove(registry)
    if follow_cell in shell.events.callbacks["post_run_cell"]:
        shell.events.unregister("post_run_cell", follow_cell)


def _list_magics() -> list[tuple[str, str, str]]:
    """Of each magic IPython's word for its kind, its name, and how it is typed: ``%%gradtape``."""
    return [
        (kind, name, prefix + name)
        for kind, prefix in _PREFIXES.items()
        for name in GradTapeMagics.magics[kind]
    ]


def _complete(shell: Any, event: Any) -> list[str]:
    """TAB on the magic's line: its options, and names of what it takes: tensors, functions."""
    typed = event.symbol
    magic = event.line.lstrip().partition(" ")[0].lstrip("%")
    if typed.startswith("-"):
        return list_options(getattr(GradTapeMagics, magic).parser)
    names = {k: value for k, value in shell.user_ns.items() if not k.startswith("_")}
    if magic == "gradactivation" and not event.line.rstrip().endswith("--of"):
        from gradmagic.core.activations.records import KNOWN

        return [*KNOWN, *(name for name, value in names.items() if callable(value))]
    return [name for name, value in names.items() if _fits(value)]


def _fits(value: Any) -> bool:
    if "tensorflow" not in sys.modules:  # then there is no tensor yet
        return False
    from gradmagic.core.sources import is_source

    return is_source(value)
