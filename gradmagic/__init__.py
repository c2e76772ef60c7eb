"""Gradients that explain themselves: ``%%gradtape`` puts a notebook cell under a tf.GradientTape.

``%load_ext gradmagic`` loads the magics. Everything they do is also a call: :func:`gradtape` runs
a cell's text, :func:`last_run` is the record of the last one, :func:`save` writes it to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gradmagic.core.activations.records import ActivationLab
    from gradmagic.core.descent.records import Descent, Descents, Progress
    from gradmagic.core.losses.comparison import LossComparison
    from gradmagic.core.records import Graph, TapeRun

__all__ = [
    "activation",
    "compare_losses",
    "descend",
    "display",
    "export",
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


def descend(
    body: str,
    *sources: str,
    names: dict[str, Any],
    lr: float | Sequence[float] | None = None,
    tell: Callable[[Progress], bool | None] | None = None,
    **options: Any,
) -> Descents:
    """Descend on the loss that Python code computes, as ``%%graddescent`` does on a cell.

    Parameters
    ----------
    body
        The code of the loss.
    *sources
        What to move: ``"w"``, ``"params['w']"``, ``"model"``. Names of plain tensors are bound to
        each new one, Variables assigned.
    names
        The namespace in which it runs, such as ``globals()``; ``tape`` and ``grads`` are added.
    lr
        The learning rate, 0.1 where it is None; of several, each starts from the same values, and
        ``names`` keeps what the best one left. An optimizer of one's own has its own.
    tell
        Told how far it is, at most ten times a second; the descent ends where it returns True.
    **options
        ``target``, ``steps`` (100), ``optimizer`` (``"sgd"``), ``compile``, ``until``, ``batches``:
        as the options of the magic.

    Returns
    -------
    Descents
        A record for each learning rate; show it with :func:`display`, keep it with :func:`save`.

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: a source or the target is missing or no tensor, an option makes no sense.
    """
    from gradmagic.core.cell import parse_cell
    from gradmagic.core.descent.checks import refuse_unknown
    from gradmagic.core.descent.descend import run_descent
    from gradmagic.core.descent.records import DescentOptions
    from gradmagic.descending import choose_rates

    refuse_unknown(options)
    rates = choose_rates(lr, options.get("optimizer", "sgd"))
    asked = DescentOptions(sources=sources, rates=rates, **options)
    return run_descent(parse_cell(body), names, asked, tell)


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
    gradmagic.core.losses.comparison.LossComparison
        Both batch means (crossentropy in nats), each sample's losses [batch], and the gradients
        of the means with respect to the logits [batch, classes].

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: shapes that do not fit, labels out of range, NaN, rows that do not sum to 1, a
        source that the predictions do not come from.
    """
    from gradmagic.core.losses.comparison import compare_losses

    return compare_losses(targets, predictions, from_logits, sources)


def activation(
    *functions: Any,
    names: Mapping[str, Any] | None = None,
    range: Sequence[float] | None = None,  # noqa: A002  (as the magic's option is called)
    of: Any = None,
    bound: float = 0.05,
) -> ActivationLab:
    """Compute activations and their derivatives, as ``%gradactivation`` does.

    Parameters
    ----------
    *functions
        Functions, or names of the lesson's activations: ``"sigmoid"``, ``tf.nn.relu``. None:
        sigmoid, tanh and relu.
    names
        The namespace in which names and expressions mean something, such as ``globals()``.
    range
        From where to where; None: -6 to 6, further where ``of`` reaches further.
    of
        A float tensor: its histogram lies under the curves, and its saturated share is counted.
    bound
        abs(df/dx) below which a function counts as saturated.

    Returns
    -------
    ActivationLab
        The record; show it with :func:`display`, keep it with :func:`save`.

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: a function fails, is not elementwise, or returns no floats.
    """
    from gradmagic.core.activations.lab import make_lab

    return make_lab(functions, names, range_=range, of=of, bound=bound)


def display(
    record: TapeRun | LossComparison | ActivationLab | Descents | Descent, *, ask: bool = False
) -> None:
    """Show a record: below the cell of a notebook, in a terminal as text.

    ``ask``: ask first what the gradients will be, as ``--ask`` does; not for a descent.
    """
    from gradmagic import displaying

    displaying.display(record, ask=ask)


def save(
    record: TapeRun | LossComparison | ActivationLab | Descents | Descent | Graph,
    path: str | Path,
    *,
    ask: bool = False,
) -> None:
    """Write a record or a run's graph to a file that needs no kernel, no network.

    The suffix says what: ``.html`` or ``.txt``; for ``run.graph`` a picture (``.svg``, ``.png``,
    ``.pdf``), Graphviz text (``.dot``) or data (``.json``).
    ``ask``: the page asks first what the gradients will be, and then shows them; not for a descent
    and not for a graph.
    """
    from gradmagic import saving
    from gradmagic.core.losses.comparison import LossComparison

    if isinstance(record, LossComparison):
        from gradmagic import sidebar

        saving.save(sidebar.make_plain_panel(record), path, ask=ask)
    else:
        saving.save(record, path, ask=ask)


def export(path: str | Path, force: bool = False) -> str:  # noqa: FBT001, FBT002  (as the magic's)
    """Write every report of this kernel into one page, as ``%gradexport`` does.

    Parameters
    ----------
    path
        The page: a name that ends in ``.html``.
    force
        Replace a file that is there already.

    Returns
    -------
    str
        One sentence: how many reports were written, and where to.

    Raises
    ------
    gradmagic.core.errors.UserError
        A ValueError: there is no report yet, or the file cannot be written.
    """
    from gradmagic import exporting

    return exporting.export_reports(path, force=force)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext gradmagic``: register the magics and their completion."""
    from gradmagic import extension

    extension.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext gradmagic``: take the magics and their completion away."""
    from gradmagic import extension

    extension.unload(shell)
