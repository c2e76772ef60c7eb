"""What may be asked of a descent."""

from __future__ import annotations

import difflib
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from gradmagic.core.cell import find_root
from gradmagic.core.descent.moving import check_optimizer
from gradmagic.core.descent.records import DescentOptions
from gradmagic.core.descent.stepping import TAPE
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_STEPS = 1_000_000


def refuse_unknown(options: Iterable[str]) -> None:
    """UserError for a name that is no option of a descent."""
    known = [one.name for one in fields(DescentOptions) if one.name not in ("sources", "rates")]
    for name in options:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1)
        if near:
            raise UserError(
                _("there is no option {option}; did you mean {near}?").format(
                    option=name, near=near[0]
                )
            )
        raise UserError(
            _("there is no option {option}; there are {known}").format(
                option=name, known=", ".join(("lr", "tell", *known[:-1]))
            )
        )


def check_options(options: DescentOptions, names: dict[str, Any]) -> None:
    """UserError where what is asked for makes no sense."""
    if TAPE in map(find_root, options.sources):
        raise UserError(
            _("the tape is called '{name}'; give what moves another name").format(name=TAPE)
        )
    check_optimizer(options.optimizer, names)
    if isinstance(options.steps, bool) or not isinstance(options.steps, (int, np.integer)):
        raise UserError(_("the number of steps must be a whole number"))
    if not 1 <= options.steps <= MOST_STEPS:
        raise UserError(_("the number of steps must be 1 to {most}").format(most=f"{MOST_STEPS:,}"))
    for rate in options.rates:
        if not (math.isfinite(rate) and rate > 0):
            raise UserError(
                _("the learning rate must be a number above 0, not {rate}").format(rate=rate)
            )
    until: Any = options.until
    if until is not None and not (isinstance(until, (int, float, np.number)) and until >= 0):
        raise UserError(_("--until must be a number, 0 or above"))
