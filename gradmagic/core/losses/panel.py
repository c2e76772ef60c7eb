"""What the sidebar shows of a comparison: the batch, a list of samples, and one of them in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradmagic.core.losses.comparison import compute_figures, take_sample_sources
from gradmagic.core.losses.samples import choose_sample, list_samples
from gradmagic.core.losses.sliders import POSITIONS, compute_tables, find_leads, find_setting

if TYPE_CHECKING:
    from gradmagic.core.losses.comparison import BatchFigures, LossComparison, LossSource
    from gradmagic.core.losses.sliders import Setting, SliderTables


@dataclass(frozen=True)
class Origin:
    """Where targets and predictions come from, in the user's own terms.

    ``targets`` and ``predictions`` are expressions that give them in the notebook; ``direct`` says
    that these are the one-hot rows and the logits themselves. ``found`` is a sentence where they
    were found in the last cell's graph; ``program`` is the plain program of the cell whose tape
    leads to ``sources``, expressions too.
    """

    targets: str
    predictions: str
    direct: bool = False
    found: str = ""
    program: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class InHand:
    """One sample: the tables of its sliders, and what its own losses ask of the sources."""

    tables: SliderTables
    sources: tuple[LossSource, ...] = ()


@dataclass(frozen=True, eq=False)
class LossPanel:
    """A comparison as the sidebar shows it.

    Attributes
    ----------
    comparison, origin
        The batch, and where it comes from.
    figures
        Its means, in several ways.
    listed
        The samples that are listed.
    leads
        [listed]: by how much each one's true class leads, as a tensor.
    hand
        The sample that is looked at.
    """

    comparison: LossComparison
    origin: Origin
    figures: BatchFigures
    listed: tuple[int, ...]
    leads: Any
    hand: InHand


def make_panel(
    comparison: LossComparison, origin: Origin, sample: int | None = None, most: int = POSITIONS
) -> LossPanel:
    """The panel with a sample in hand; None: the one that shows most.

    ``most`` is the number of positions of a slider.
    """
    listed = list_samples(comparison)
    if sample is None or sample not in listed:
        sample = choose_sample(comparison, listed)
    leads = find_leads(comparison, listed)
    hand = take_in_hand(comparison, find_setting(comparison, sample), leads, most)
    return LossPanel(comparison, origin, compute_figures(comparison), listed, leads, hand)


def take_in_hand(
    comparison: LossComparison, setting: Setting, leads: Any, most: int = POSITIONS
) -> InHand:
    """A sample with its sliders where ``setting`` says."""
    tables = compute_tables(comparison, setting, leads, most)
    if not comparison.sources:
        return InHand(tables)
    return InHand(tables, take_sample_sources(comparison, setting.sample))
