"""A record shown by a call: below a notebook's cell, in a terminal as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython import get_ipython

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.descent.records import Descent, Descents
    from gradmagic.core.losses.comparison import LossComparison
    from gradmagic.core.records import TapeRun


def display(
    record: TapeRun | LossComparison | ActivationLab | Descents | Descent, *, ask: bool = False
) -> None:
    """Show a record where this process shows things; ``ask``: ask about it first."""
    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.descent.records import Descent, Descents
    from gradmagic.core.records import TapeRun

    if ask and isinstance(record, (Descent, Descents)):
        raise UserError(_("A descent cannot be displayed with ask=True; leave it out."))
    if isinstance(record, TapeRun):
        from gradmagic import show

        show.show_run(record, get_ipython(), ask=ask)
    elif isinstance(record, ActivationLab):
        from gradmagic import activating

        activating.show_lab(record, get_ipython(), ask=ask)
    elif isinstance(record, (Descent, Descents)):
        from gradmagic import descending

        descending.show_record(record, get_ipython())
    else:
        from gradmagic import sidebar

        sidebar.show_comparison(record, get_ipython(), ask=ask)
