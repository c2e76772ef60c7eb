"""Parts of the side panel that may fail, each for itself: the others are shown all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _
from gradmagic.render.markup import tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from gradmagic.render.markup import Html


def attempt(render: Callable[..., Html | None], *arguments: Any) -> Html | None:
    """What ``render`` gives; where it fails, a sentence in its place."""
    try:
        return render(*arguments)
    except Exception as error:  # whatever it is, the rest is there to be read
        return tag("p", say_failure(error), class_="gm-say")


def say_failure(error: Exception) -> str:
    """What to show in place of what failed."""
    if isinstance(error, UserError):
        return str(error).split("\n")[0]
    return _("This could not be worked out.")
