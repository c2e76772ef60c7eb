"""Gradients that explain themselves: ``%%gradtape`` puts a notebook cell under a tf.GradientTape.

``%load_ext gradmagic`` loads the magics. Everything they do is also a call: :func:`gradtape` runs
a cell's text, :func:`last_run` is the record of the last one, :func:`save` writes it to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gradmagic.core.losses import LossComparison
    from gradmagic.core.records import TapeRun

__all__ = [
    "compare_losses",
    "display",
    "gradtape",
    "last_run",
    "load_ipython_extension",
    "save",
    "unload_ipython_extension",
]
__version__ = "0.1.0"


def gradtape(body: str, *sources: str, names: dict[str, Any], **options: Any) -> TapeRun:
    """Run Python code under a tf.GradientTape, as ``%%gradtape`` runs a cell.

    Parameters
    ----------
    body
        The code.
    *sources
        What to differentiate by: ``"w"``, ``"layer.kernel"``, ``"params['w']"``, ``"model"``. None:
        what the tape watches by itself.
    names
        The namespace in which it runs, such as ``globals()``; ``tape`` and ``grads`` are added.
    **options
        ``target``, ``persistent``, ``watch_accessed_variables``, ``unconnected_gradients``,
        ``tape``, ``jacobian``, ``hessian``, ``graph``: as the options of the magic.

    Returns
    -------
    TapeRun
        The record; show it with :func:`display`, keep it with :func:`save`.

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: a source or the target is missing or no tensor.
    """
    from gradmagic.core import runs
    from gradmagic.core.cell import parse_cell
    from gradmagic.core.tape import Options, run_cell

    cell = parse_cell(body, sources)
    asked = Options(sources=sources, **options)
    run = run_cell(cell, names, asked)
    return runs.remember(run, body, names.get(asked.tape))


def last_run() -> TapeRun:
    """The record of the last cell that ran under the tape; LookupError before the first."""
    from gradmagic.core import runs

    return runs.last_run()


def compare_losses(
    targets: Any,
    predictions: Any,
    from_logits: bool | None = None,  # noqa: FBT001  (TensorFlow's own argument)
    sources: Mapping[str, Any] | Sequence[Any] | None = None,
) -> LossComparison:
    """Compare MSE with crossentropy on the same targets and predictions, as ``%gradlosses`` does.

    Parameters
    ----------
    targets
        Class numbers [batch], one-hot rows or soft labels [batch, classes].
    predictions
        Logits or probabilities [batch, classes]; one output [batch] or [batch, 1] for two classes.
    from_logits
        Whether the predictions are logits; None: told by their values.
    sources
        Tensors, variables or models, in a list or by name, which the last ``%%gradtape`` cell
        watched while it made ``predictions``: the gradients with respect to them too.

    Returns
    -------
    gradmagic.core.losses.LossComparison
        Both batch means (crossentropy in nats), each sample's losses [batch], and the gradients
        of the means with respect to the logits [batch, classes].

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: shapes that do not fit, labels out of range, NaN, rows that do not sum to 1, a
        source that the predictions do not come from.
    """
    from gradmagic.core.losses import compare_losses

    return compare_losses(targets, predictions, from_logits, sources)


def display(record: TapeRun | LossComparison) -> None:
    """Show a run's report or a comparison: below the cell of a notebook, as text in a terminal."""
    from gradmagic import magics

    magics.display(record)


def save(record: TapeRun | LossComparison, path: str | Path) -> None:
    """Write a run's report or a comparison to a file that needs no kernel and no network.

    The suffix says what: ``.html`` or ``.txt``.
    """
    from gradmagic import show
    from gradmagic.core.losses import LossComparison

    if isinstance(record, LossComparison):
        from gradmagic import sidebar

        show.save(sidebar.make_plain_panel(record), path)
    else:
        show.save(record, path)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext gradmagic``: register the magics and their completion."""
    from gradmagic import magics

    magics.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext gradmagic``: take the magics and their completion away."""
    from gradmagic import magics

    magics.unload(shell)
