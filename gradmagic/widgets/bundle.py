"""One script of several: a front-end loads a widget's script from memory, without its folder."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import rjsmin

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[\w./]+)";\n', re.MULTILINE)


@functools.cache
def load_script(name: str) -> str:
    """A script of this folder with all that it imports, in one piece and without comments."""
    return str(rjsmin.jsmin(join_modules(Path(__file__).parent / name)))


def join_modules(script: Path) -> str:
    """A module and all that it imports by relative paths, each once, as one module.

    They share one scope: no two of them may use the same name at their top level.
    """
    parts: list[str] = []
    seen: set[Path] = set()

    def add(path: Path) -> None:
        if path in seen:
            return
        seen.add(path)
        text = path.read_text("utf-8")
        for name in _IMPORT.findall(text):
            add((path.parent / name).resolve())
        parts.append(_IMPORT.sub("", text))

    add(script.resolve())
    return "\n".join(parts)
