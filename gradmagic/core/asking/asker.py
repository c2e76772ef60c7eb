"""What all questions about one run share: names, choices that are always there, and rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.asking.records import Choice
from gradmagic.core.asking.uses import measure_terms
from gradmagic.core.i18n import N_, _
from gradmagic.core.replay.chain import write_number
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from gradmagic.core.records import Gradient, TapeRun

# of the sizes of what was added up: as much may be rounding alone
NOISE = {"float64": 2e-15, "float32": 1e-6, "float16": 2e-3, "bfloat16": 1.6e-2}
# here NaN and infinite gradients are born
_RISKY = frozenset({
    "Log", "Log1p", "Sqrt", "Rsqrt", "RealDiv", "Div", "Reciprocal", "Xlogy", "Acos", "Asin",
    "Atanh", "Acosh", "EuclideanNorm", "Inv",
})  # fmt: skip
_NONE = N_("None: there is no gradient")
_BAD = N_("NaN or infinite: it is no finite number")


class Asker:
    """Names and choices for the questions about one run."""

    def __init__(self, run: TapeRun) -> None:
        self.run = run
        target = run.target
        self.target = f"sum({target.name})" if target.summed else target.name
        self.risky = _can_break(run)

    def name(self, gradient: Gradient, index: tuple[int, ...] = ()) -> str:
        """``d loss / d w[1, 2]``."""
        return f"d {self.target} / d {gradient.name}{format_index(index)}"

    def offer(self, *choices: tuple[str, str]) -> tuple[Choice, ...]:
        """Choices, with those that are always possible."""
        always = [("none", _(_NONE))] + ([("bad", _(_BAD))] if self.risky else [])
        return tuple(Choice(value, label) for value, label in (*choices, *always))

    def tell(self, gradient: Gradient, truth: float | None, index: tuple[int, ...] = ()) -> str:
        """The truth of one entry."""
        if truth is None:
            return _("None: no gradient comes to {name}").format(name=gradient.name)
        return f"{self.name(gradient, index)} = {write(truth)}"

    def is_rounding(self, gradient: Gradient, index: tuple[int, ...], value: float) -> bool:
        """Whether an entry may be 0 but for the rounding of what was added up."""
        graph = self.run.graph
        if value == 0 or graph is None:
            return value == 0
        return abs(value) <= find_noise(gradient) * measure_terms(graph, gradient.name, index)


def find_noise(gradient: Gradient) -> float:
    """What share of the sizes of what a source's dtype adds up may be rounding alone."""
    assert gradient.value is not None
    return NOISE.get(gradient.value.dtype, NOISE["float32"])


def write(number: float) -> str:
    """A number of a truth, to four digits."""
    return "0" if number == 0 else write_number(float(number)).replace("nan", "NaN")


def _can_break(run: TapeRun) -> bool:
    """Whether NaN is among what a student may think of: it is there, or an op may make one."""
    found = [one.gradient for one in run.gradients if one.gradient is not None]
    if any(one.nans or one.infs for one in found):
        return True
    loss = run.target.value
    ops = () if run.graph is None else (node.op for node in run.graph.nodes)
    return bool(loss.nans or loss.infs) or any(op in _RISKY for op in ops)
