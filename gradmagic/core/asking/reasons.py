"""Why a gradient is what it is: the local derivatives on the path, or what was diagnosed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gradmagic.core.asking.uses import find_uses
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _, join_sentences
from gradmagic.core.replay.chain import write_chain, write_number
from gradmagic.core.rules import find_rule
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.records import Gradient, Graph, Node, TapeRun
    from gradmagic.core.replay.chain import Chain, Step
    from gradmagic.core.rules.rule import Rule

STEPS = 4  # ops of a path whose rule is told
_PLAIN = frozenset(
    {"AddV2", "Add", "BiasAdd", "Sub", "Sum", "Reshape", "DivNoNan"}
)  # if there is room
_SHAPING = frozenset({"Reshape", "ExpandDims", "Squeeze"})  # no number changes: nothing to learn
# these are about the loss, or compare layers: no reason of one gradient
_LOSSES = frozenset({
    "shape-broadcast", "one-unit-crossentropy", "arguments-swapped", "labels-not-one-hot",
    "one-hot-off", "logits-as-probabilities", "probabilities-as-logits", "exploding", "vanishing",
    "softmax-then-crossentropy", "mse-on-one-hot",
})  # fmt: skip


def explain_truth(
    run: TapeRun, gradient: Gradient, index: tuple[int, ...] | None = None
) -> tuple[str, ...]:
    """Why a source's gradient is what it is, a sentence or formula each.

    Where something is wrong with it, what was diagnosed and how to mend it; else the chain rule.

    Parameters
    ----------
    run
        The run.
    gradient
        The source.
    index
        The entry that numbers are written for; None: the largest.
    """
    found = gradient.gradient
    odd = found is None or found.nans or found.infs or found.zeros
    said = _tell_diagnoses(run, gradient) if odd else ()
    if said or found is None or found.nans or found.infs or run.graph is None:
        return said
    try:
        chain = write_chain(run.graph, gradient.name, index)
    except (UserError, LookupError, ValueError, TypeError):  # too long, or not all is known
        return said or _tell_uses(run.graph, gradient.name)
    return _tell_chain(run.graph, chain)


def explain_shape(name: str) -> tuple[str, ...]:
    """Why a gradient has its source's shape."""
    said = _("A gradient has one number for each entry of {name}: how the target changes with it.")
    return (said.format(name=name),)


def _tell_diagnoses(run: TapeRun, gradient: Gradient) -> tuple[str, ...]:
    names = {gradient.name, gradient.source}
    told = [one for one in run.diagnoses if one.subject in names and one.kind not in _LOSSES][:1]
    lines = []
    for one in told:
        lines.append(one.message)
        if one.fix:
            lines.append(_("To mend it: {code}").format(code=one.fix))
    return tuple(lines)


def _tell_chain(graph: Graph, chain: Chain) -> tuple[str, ...]:
    """The chain rule, with its numbers and what its letters stand for, then the ops' rules."""
    left, _equals, right = chain.formula.partition(" = ")
    lines = [chain.formula] if left != right else []  # of one step: it says nothing
    if chain.numbers.count(" = ") > 1 or "·" in chain.numbers:  # more than the truth again
        lines.append(chain.numbers)
    lines += [
        _("where {name} = {meaning}").format(name=name, meaning=meaning)
        for name, meaning in chain.where
    ]
    return (*lines, *_tell_rules(graph, chain))


def _tell_uses(graph: Graph, source: str) -> tuple[str, ...]:
    """Of a long chain its last factors: the rules of the ops that the source goes into."""
    taken: dict[int, list[int]] = defaultdict(list)
    for edge, node in find_uses(graph, source):
        taken[node.id].append(edge.slot)
    told: dict[str, str] = {}
    for place, slots in taken.items():
        node = graph.nodes[place]
        rule = find_rule(str(node.op), node.attributes)
        if rule is None:
            continue
        name = node.outputs[0].name or node.label
        words = join_sentences(_tell_rule(graph, node, rule, slots, source))
        factor = f"d {name if name.isidentifier() else f'({name})'}/d {source}"
        told.setdefault(words, f"{factor}: {words}")
        if len(told) == STEPS:
            break
    return tuple(told.values())


def _tell_rules(graph: Graph, chain: Chain) -> list[str]:
    """The rules of the first ops on the paths, in words, and the number that each leads to."""
    told: list[tuple[bool, str]] = []
    steps = {step.formula: step for path in chain.paths for step in path.steps}
    for step in steps.values():
        node = graph.nodes[step.node]
        rule = find_rule(str(node.op), node.attributes)
        if rule is None or (node.op in _SHAPING and len(chain.paths[0].steps) > 1):
            continue
        words = _tell_rule(graph, node, rule, step.slots, step.denominator)
        said = join_sentences([*words, *_tell_number(chain, step)])
        told.append((node.op in _PLAIN, f"{step.formula}: {said}"))
    spare = len(told) - STEPS
    kept: list[str] = []
    for plain, line in told:
        if plain and spare > 0:
            spare -= 1
        else:
            kept.append(line)
    return kept[:STEPS]


def _tell_number(chain: Chain, step: Step) -> list[str]:
    """The factor of a step, where it is a number; else what all factors up to it come to."""
    if step.factor is not None:
        return [_("Here it is {number}.").format(number=write_number(step.factor))]
    if sum(one.formula == step.formula for path in chain.paths for one in path.steps) > 1:
        return []  # on each of its paths the product is another
    product, shape = step.product.numpy(), tuple(chain.gradient.shape)
    alike = [size for size in product.shape if size > 1] == [size for size in shape if size > 1]
    if not alike or not chain.index or product.dtype.kind == "c":
        return []
    number = write_number(float(product.reshape(shape)[chain.index]))
    index = format_index(chain.index)
    words = _("Up to here the product is {number} at {index}.")
    return [words.format(number=number, index=index)]


def _tell_rule(graph: Graph, node: Node, rule: Rule, slots: Sequence[int], name: str) -> list[str]:
    """The rules of the inputs that ``name`` is; of two, as in ``a * a``, the parts add up.

    Inputs of one rule share a sentence.
    """
    inputs = len({edge.slot for edge in graph.edges if edge.consumer == node.id})
    words = list(dict.fromkeys(rule.find_slot(slot, inputs).words for slot in sorted(slots)))
    if len(slots) > 1:
        words.append(_("More than one input is {name}: the parts add up.").format(name=name))
    return words
