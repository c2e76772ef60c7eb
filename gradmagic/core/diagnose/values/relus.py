"""Dead ReLUs: units that give 0, where nothing flows back."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.diagnose.values.backward import Cause
from gradmagic.core.diagnose.values.products import find_origin, make_cause, say_zeros
from gradmagic.core.diagnose.values.remedies import replace_call
from gradmagic.core.diagnose.values.units import find_unit_axis
from gradmagic.core.diagnose.values.wording import name_op, name_target
from gradmagic.core.i18n import _, _n

if TYPE_CHECKING:
    from gradmagic.core.diagnose.evidence import Evidence
    from gradmagic.core.diagnose.values.backward import Edge

CAP = 6.0  # of relu6


def explain_relu(edge: Edge) -> Cause | None:
    """Relu and Relu6 that give 0, or 6, wherever the target depends on them."""
    value, upstream = edge.value, edge.upstream
    if value is None or upstream is None:
        return None
    live, low = upstream != 0, value <= 0
    high = value >= CAP if edge.op.type == "Relu6" else np.zeros_like(low)
    if (live & ~(low | high)).any():
        return None
    if (live & high).any():
        return _say_capped(edge, live)
    return explain_zeros_of_relu(edge, live)


def explain_zeros_of_relu(edge: Edge, live: np.ndarray) -> Cause:
    """A relu, or max(x, 0), that is 0 at all live entries."""
    evidence, value = edge.evidence, edge.value
    assert value is not None
    assert edge.upstream is not None
    if is_margin(evidence, edge.number) and edge.backward.is_bare(edge.op.outputs[0]):
        reason = _("{op} gives 0 in all {count} entries, the least that it can give").format(
            op=name_op(evidence, edge.position), count=live.size
        )
        return Cause(
            "zero-gradient", edge.position, reason, _("Nothing is left to learn from these data.")
        )
    if not value.any():
        origin = find_origin(evidence, edge.number)
        reason = _("{zeros}, and {op} is flat at 0").format(
            zeros=say_zeros(evidence, origin), op=name_op(evidence, edge.position)
        )
        return make_cause(edge, origin, reason)
    reason = _("{op} gives 0 {where}, and is flat there").format(
        op=name_op(evidence, edge.position), where=_say_where(edge, value <= 0)
    )
    fix = replace_call(evidence, edge.op.line, "nn.relu", _use_leaky_relu)
    return Cause("dead-relu", edge.position, reason, fix=fix)


def is_margin(evidence: Evidence, number: int) -> bool:
    """Whether a tensor is a margin minus a score, as hinge losses take the positive part of."""
    maker = evidence.maker(number)
    if maker is None or maker.type not in ("Sub", "AddV2"):
        return False
    constants = maker.inputs[:1] if maker.type == "Sub" else maker.inputs
    values = [evidence.value(n) for n in constants if n not in evidence.makers]
    return any(v is not None and v.ndim == 0 and float(v) > 0 for v in values)


def _say_capped(edge: Edge, live: np.ndarray) -> Cause:
    reason = _n(
        "{op} is flat at the {count} entry that counts: below 0, or above 6",
        "{op} is flat at all {count} entries that count: below 0, or above 6",
        int(live.sum()),
    )
    op = name_op(edge.evidence, edge.position)
    return Cause("constant-region", edge.position, reason.format(op=op, count=int(live.sum())))


def _say_where(edge: Edge, dead: np.ndarray) -> str:
    """Which units are dead, where it is a layer; else how many entries."""
    if not dead.all():
        text = _("in every entry that {target} depends on ({count} of {size} entries are 0)")
        return text.format(target=name_target(edge.evidence), count=int(dead.sum()), size=dead.size)
    units = find_unit_axis(edge.evidence, edge.number)
    if units is None or dead.ndim < 2:
        return _n("in its {count} entry", "in all {count} entries", dead.size).format(
            count=dead.size
        )
    samples = dead.shape[0] if units == -1 else dead.shape[-1]
    text = _n(
        "for all {units} units, in {count} sample",
        "for all {units} units, in all {count} samples",
        samples,
    )
    return text.format(units=dead.shape[units], count=samples)


def _use_leaky_relu(call: ast.Call) -> ast.expr | None:
    if len(call.args) != 1 or call.keywords or not isinstance(call.func, ast.Attribute):
        return None
    call.func.attr = "leaky_relu"
    return call
