"""Text that users see, in their language: ``_("a whole sentence with {named} places")``."""

from __future__ import annotations

import gettext
from pathlib import Path

_catalogue = gettext.translation(
    "gradmagic", Path(__file__).parent.parent / "locale", fallback=True
)


def _(text: str) -> str:
    """The translation of ``text``, or ``text`` itself; call ``.format`` on what it returns."""
    return _catalogue.gettext(text)


def _n(one: str, many: str, number: int) -> str:
    """The translation of the form that ``number`` asks for."""
    return _catalogue.ngettext(one, many, number)
