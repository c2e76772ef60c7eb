"""What a descent leaves behind: frozen records that every renderer reads and none changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gradmagic.core.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from gradmagic.core.records import TapeRun

Ended = Literal["done", "stopped", "interrupted", "until", "nan"]
NoteKind = Literal["diverging", "plateau", "oscillation", "nan"]


@dataclass(frozen=True)
class DescentOptions:
    """What the magic's line asks for.

    Attributes
    ----------
    sources
        What to move, as typed: ``"w"``, ``"params['w']"``, ``"model"``.
    target
        What to differentiate; None: found as under ``%%gradtape``.
    rates
        The learning rates, one a run; empty for an optimizer of the user's, which has its own.
    steps
        How many steps at most.
    optimizer
        ``"sgd"``, ``"momentum"``, ``"nesterov"``, ``"rmsprop"``, ``"adam"``, or the name of a Keras
        optimizer in the namespace.
    compile
        Whether each step runs as a tf.function.
    until
        Stop where the loss changes by at most this from one step to the next; None: take all steps.
    batches
        An expression whose elements each step binds to ``batch``, one after the other, and from the
        start again when they are used up; None: the body finds its data itself.
    magic
        The magic's line, for the report.
    """

    sources: tuple[str, ...] = ()
    target: str | None = None
    rates: tuple[float, ...] = (0.1,)
    steps: int = 100
    optimizer: str = "sgd"
    compile: bool = False
    until: float | None = None
    batches: str | None = None
    magic: str = "%%graddescent"


@dataclass(frozen=True, eq=False)
class Moment:
    """One kept step, as it was before its update.

    ``step`` counts from 0; ``norms``, ``values`` and ``gradients`` have an entry for each tensor of
    ``Descent.names``; a gradient is None where TensorFlow gave None.
    """

    step: int
    loss: float
    rate: float
    norms: tuple[float, ...]
    values: tuple[np.ndarray, ...]
    gradients: tuple[np.ndarray | None, ...]


@dataclass(frozen=True)
class Note:
    """What to say about a descent: from ``step`` on, a sentence, and what to type instead."""

    kind: NoteKind
    step: int
    message: str
    fix: str = ""


@dataclass(frozen=True, eq=False)
class Surface:
    """The loss around the path, computed by running the cell's own body at each point.

    Attributes
    ----------
    kind
        ``"curve"`` (one direction) or ``"contour"`` (two).
    axes
        What the directions are, in words.
    labels
        What to write at each axis: ``("w",)``, ``("w[0]", "w[1]")``.
    x, y
        The points along each direction; ``y`` is empty for a curve.
    z
        The losses: [x] for a curve, [y, x] for a contour; NaN where the body failed.
    path
        Where the kept moments are: [moments, 1 or 2], in the order of ``Descent.moments``. Their
        own losses are the moments', which lie on the curve where the body draws nothing at random.
    exact
        Whether the path lies in the directions, so that ``z`` is the loss on it; else it is seen
        from the side.
    """

    kind: Literal["curve", "contour"]
    axes: str
    labels: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    path: np.ndarray
    exact: bool


@dataclass(frozen=True, eq=False)
class Descent:
    """One descent from start to end.

    Attributes
    ----------
    names
        The tensors that it moved, each by its own name (``w``, ``model.dense.kernel``).
    optimizer, rate
        As asked for; ``rate`` is that of the first step.
    losses, rates
        [done] of each step that was taken, before its update.
    norms
        [done, names], the 2-norm of each gradient; 0 where it is None.
    moments
        The kept steps, the first and the last among them, and those of lowest and highest loss.
    steps, done
        How many steps were asked for, and how many were taken.
    ended
        Why it is over: ``"done"``, ``"stopped"`` (by the Stop button), ``"interrupted"`` (by the
        kernel), ``"until"``, ``"nan"``.
    notes
        What to say about it.
    seconds
        Time of all steps.
    magic, code
        The magic's line, and the plain loop that does the same.
    surface
        The loss around the path; None where it could not be computed, and where the cell cannot be
        seen to do nothing else, since it is run at each point.
    rerun
        Runs the cell under the tape at a kept moment.
    """

    names: tuple[str, ...]
    optimizer: str
    rate: float
    losses: np.ndarray
    norms: np.ndarray
    rates: np.ndarray
    moments: tuple[Moment, ...]
    steps: int
    done: int
    ended: Ended
    notes: tuple[Note, ...]
    seconds: float
    magic: str
    code: str
    surface: Surface | None = None
    rerun: Callable[[Moment], TapeRun] | None = field(default=None, repr=False)

    @property
    def kept(self) -> tuple[int, ...]:
        """The steps of ``moments``."""
        return tuple(moment.step for moment in self.moments)

    @property
    def history(self) -> dict[str, Any]:
        """Columns of equal length, ready for ``pandas.DataFrame``: one row a step."""
        columns: dict[str, Any] = {"step": [*range(self.done)], "loss": self.losses}
        columns["rate"] = self.rates
        for i, name in enumerate(self.names):
            columns[f"norm of {name}'s gradient"] = self.norms[:, i]
        return columns

    def run(self, step: int) -> TapeRun:
        """The cell under the tape at a kept step: graph, gradients, diagnoses.

        It runs again, at the sources' values of that step. Afterwards the names are bound as
        before, and the lists, dicts, sets, Variables, metrics and random generators that they hold
        are as before. What the cell does beyond that is done once more: it takes the next element
        of an iterator, stores in an array or an object of one's own, writes to a file. Random ops
        draw anew. What is not a source is as it is now, such as the moving averages of a layer.

        Raises
        ------
        KeyError
            The step was not kept; the message names the nearest ones that were.
        """
        for moment in self.moments:
            if moment.step == step and self.rerun is not None:
                return self.rerun(moment)
        near = sorted(self.kept, key=lambda kept: abs(kept - step))[:3]
        raise KeyError(
            _("step {step} was not kept; the nearest that were are {near}").format(
                step=step, near=", ".join(map(str, near))
            )
        )


@dataclass(frozen=True, eq=False)
class Descents:
    """What one cell under ``%%graddescent`` left: a descent for each learning rate.

    ``best`` is the position of the run that ended lowest; the sources keep its end.
    """

    runs: tuple[Descent, ...]
    best: int = 0

    def __getitem__(self, position: int) -> Descent:
        return self.runs[position]

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def history(self) -> dict[str, Any]:
        """The history of all runs below each other; ``run`` is the position of the run."""
        import numpy as np

        parts = [run.history for run in self.runs]
        whole: dict[str, Any] = {
            "run": np.concatenate([[i] * run.done for i, run in enumerate(self.runs)])
        }
        for key in parts[0]:
            whole[key] = np.concatenate([np.asarray(part[key]) for part in parts])
        return whole

    def run(self, step: int) -> TapeRun:
        """The cell under the tape at a kept step of the best run; see :meth:`Descent.run`."""
        return self.runs[self.best].run(step)


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a descent is, told at most ten times a second.

    Attributes
    ----------
    run, runs
        Which of how many descents, from 0.
    rate
        Its learning rate now.
    names
        The tensors that it moves.
    done, steps
        Steps taken, and asked for.
    seconds, left_seconds
        Time since its start, and what is left at the same pace.
    rate_per_second
        Steps a second.
    losses_new
        [k], the losses of the steps since the last time.
    norms_new
        [k, names], the gradients' norms of these.
    rates_new
        [k], the learning rates of these.
    """

    run: int
    runs: int
    rate: float
    names: tuple[str, ...]
    done: int
    steps: int
    seconds: float
    left_seconds: float
    rate_per_second: float
    losses_new: np.ndarray
    norms_new: np.ndarray
    rates_new: np.ndarray
