"""What a report says in words: plain sentences, the same in HTML and in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n, join_phrases, join_sentences
from gradmagic.render.markup import shorten
from gradmagic.render.names import (
    LISTED,
    find_largest,
    format_about,
    name_cost,
    name_entry,
    name_target,
)
from gradmagic.render.numbers import format_number

if TYPE_CHECKING:
    from gradmagic.core.records import Gradient, Summary, TapeRun, Target

STEP = 0.01  # by how much a sentence raises an entry


def explain_target(target: Target) -> str:
    """Which target was taken, and why, with places for ``{name}`` and ``{line}``."""
    if target.reason == "named":
        return _("target: {name}, named with -t")
    if target.reason == "loss":
        if target.line is None:
            return _("target: {name}, because the cell assigns it")
        return _("target: {name}, because the cell assigns it (line {line})")
    if target.reason == "last-expression":
        if target.line is None:
            return _("target: {name}, the value of the cell's last expression")
        return _("target: {name}, the value of the cell's last expression (line {line})")
    if target.line is None:
        return _("target: {name}, the last float tensor that the cell assigned")
    return _("target: {name}, the last float tensor that the cell assigned (line {line})")


def explain_sum(target: Target) -> str:
    """That TensorFlow differentiates the sum, where the target is no scalar; else nothing."""
    if not target.summed:
        return ""
    return _n(
        "{name} is no scalar: TensorFlow differentiates the sum of its {count} entry.",
        "{name} is no scalar: TensorFlow differentiates the sum of its {count} entries.",
        target.value.size,
    ).format(name=shorten(target.name), count=target.value.size)


def describe_time(run: TapeRun) -> str:
    """Number of ops, and the time of both passes."""
    forward, backward = (
        _("{number} ms").format(number=format_number(1000 * seconds, 3))
        for seconds in (run.forward_seconds, run.backward_seconds)
    )
    parts = []
    ops = run.ops or (run.graph.ops if run.graph else 0)
    if ops:
        parts.append(_n("{count} op", "{count} ops", ops).format(count=ops))
    parts.append(_("forward {time}").format(time=forward))
    parts.append(_("backward {time}").format(time=backward))
    text = join_phrases(parts)
    if run.first:
        return _("{times} (first run: TensorFlow warms up)").format(times=text)
    return text


def explain_gradient(run: TapeRun, gradient: Gradient) -> list[str]:
    """What a student can read off this gradient, a sentence or two, beside its diagnoses."""
    known = any(diagnosis.subject == gradient.name for diagnosis in run.diagnoses)
    summary = gradient.gradient
    if summary is None:
        return [] if known else [_explain_none(run, gradient)]
    if not summary.size:
        return [_("It has no entries, and so has its gradient.")]
    sentences = _count_bad(summary)
    if summary.layout == "slices":
        sentences.append(describe_slices(gradient))
    if summary.zeros == summary.size and not known:
        sentences.append(
            _(
                "The gradient is 0 everywhere: a small change of {name} leaves {cost} as it is, "
                "so gradient descent does not move it."
            ).format(name=shorten(gradient.name), cost=name_cost(run.target))
        )
    elif summary.dtype.startswith("complex"):
        sentences.append(
            _(
                "Complex: the real part of a gradient's entry says how {cost} changes with the "
                "real part of the source's entry, the imaginary part how with the imaginary one."
            ).format(cost=name_cost(run.target))
        )
    elif summary.largest is not None and summary.largest[1]:
        sentences.append(_explain_largest(run, gradient, summary))
    return sentences


def _explain_none(run: TapeRun, gradient: Gradient) -> str:
    if gradient.value is None:
        return _("{name} was never made, so there is nothing to differentiate.").format(
            name=shorten(gradient.name)
        )
    return _(
        "TensorFlow returned None: the tape found no path from {target} back to {name}."
    ).format(target=name_target(run.target), name=shorten(gradient.name))


def _count_bad(summary: Summary) -> list[str]:
    """That entries are NaN or infinite, and how many."""
    sentences = []
    for count, word in ((summary.nans, "NaN"), (summary.infs, _("infinite"))):
        if count and summary.size == 1:
            sentences.append(_("The gradient is {word}.").format(word=word))
        elif count == summary.size and count:
            sentences.append(_("Every entry of the gradient is {word}.").format(word=word))
        elif count:
            sentences.append(
                _n(
                    "{count} of the gradient's {size} entries is {word}.",
                    "{count} of the gradient's {size} entries are {word}.",
                    count,
                ).format(count=count, size=summary.size, word=word)
            )
    return sentences


def describe_slices(gradient: Gradient) -> str:
    """How many rows IndexedSlices touch, and which."""
    summary = gradient.gradient
    assert summary is not None
    rows, total = summary.rows or (), summary.shape[0]
    width = math.prod(size or 0 for size in summary.shape[1:])
    slices = summary.size // width if width else len(rows)
    if slices > len(rows):  # only the first are known
        return _(
            "IndexedSlices: {count} slices for the {total} rows, the first for rows {rows}, …; "
            "the gradient of a row without a slice is 0."
        ).format(count=slices, total=total, rows=", ".join(map(str, rows[:LISTED])))
    touched = list(dict.fromkeys(rows))
    listed = ", ".join(map(str, touched[:LISTED])) + (", …" if len(touched) > LISTED else "")
    text = _n(
        "{count} row of {total} touched: row {rows}; the gradient of the others is 0.",
        "{count} rows of {total} touched: rows {rows}; the gradient of the others is 0.",
        len(touched),
    ).format(count=len(touched), total=total, rows=listed)
    if slices > len(touched):
        more = _("There are {count} slices: those for the same row add up.").format(count=slices)
        return join_sentences([text, more])
    return text


def _explain_largest(run: TapeRun, gradient: Gradient, summary: Summary) -> str:
    """By how much the target changes with the entry that moves it most."""
    assert summary.largest is not None
    index, slope = summary.largest[0], float(summary.largest[1].real)
    if not summary.shape:
        return _explain_scalar(run, gradient, slope)
    entry = name_entry(gradient, index)
    if entry is None or _has_shared_rows(summary):
        return ""
    words = {
        "entry": entry,
        "step": str(STEP),
        "cost": name_cost(run.target),
        "change": format_about(slope * STEP),
        "name": shorten(gradient.name),
    }
    first = (
        _("Raise {entry} by {step} and {cost} rises by about {change}")
        if slope > 0
        else _("Raise {entry} by {step} and {cost} falls by about {change}")
    ).format(**words)
    if _is_uniform(summary):
        alike = (
            _("Raise any entry of {name} by {step} and {cost} rises by about {change}, all alike.")
            if slope > 0
            else _(
                "Raise any entry of {name} by {step} and {cost} falls by about {change}, all alike."
            )
        )
        return join_sentences([alike.format(**words), _advise_descent(words["name"], slope)])
    equal = len(find_largest(summary)) - 1
    if summary.size == 1:
        last = ""
    elif summary.nans or summary.infs:
        last = _("; no other finite entry of its gradient is larger")
    elif equal:
        last = _n(
            "; {count} other entry of {name} moves it as much, none more",
            "; {count} other entries of {name} move it as much, none more",
            equal,
        ).format(count=equal, **words)
    else:
        last = _("; no other entry of {name} moves it more").format(**words)
    sentence = _("{sentence}.").format(sentence=first + last)
    return join_sentences([sentence, _advise_descent(entry, slope)])


def _is_uniform(summary: Summary) -> bool:
    """Whether all entries of a dense gradient are the same number."""
    many = summary.layout == "dense" and summary.size > 1 and not summary.nans and not summary.infs
    return many and summary.low == summary.high


def _explain_scalar(run: TapeRun, gradient: Gradient, slope: float) -> str:
    template = (
        _("{name} up by {step}: {target} up by about {change}.")
        if slope > 0
        else _("{name} up by {step}: {target} down by about {change}.")
    )
    name = shorten(gradient.name)
    text = template.format(
        name=name, step=STEP, target=name_target(run.target), change=format_about(slope * STEP)
    )
    return join_sentences([text, _advise_descent(name, slope)])


def _advise_descent(entry: str, slope: float) -> str:
    template = (
        _("Gradient descent would lower {entry}.")
        if slope > 0
        else _("Gradient descent would raise {entry}.")
    )
    return template.format(entry=entry)


def _has_shared_rows(summary: Summary) -> bool:
    """Whether several slices stand for one row, so that no slice alone is that row's gradient."""
    rows = summary.rows or ()
    return summary.layout == "slices" and len(set(rows)) < len(rows)


def explain_binding(gradient: Gradient) -> str:
    """Which tensor is shown, where the name was bound again after its use; else nothing."""
    if not gradient.rebound_after_use:
        return ""
    taken = gradient.bound[gradient.taken] if gradient.bound else None
    later = [line for line in gradient.bound[gradient.taken :][1:] if line is not None]
    shown = (
        _("{name} from before the cell").format(name=shorten(gradient.name))
        if taken is None
        else _("the {name} of line {line}").format(name=shorten(gradient.name), line=taken)
    )
    if later:
        return _(
            "Shown is {tensor}, which the target used; line {line} binds the name again afterwards."
        ).format(tensor=shown, line=later[0])
    places = [
        _("before the cell") if line is None else _("line {line}").format(line=line)
        for line in dict.fromkeys(gradient.bound)
    ]
    return _("The name is bound more than once ({places}); shown is {tensor}.").format(
        places=join_phrases(places), tensor=shown
    )


def count_gradients(run: TapeRun) -> list[str]:
    """How many gradients are None or hold NaN, where there are several sources.

    Not where diagnoses say so of each of them.
    """
    if len(run.gradients) < 2:
        return []
    known = {diagnosis.subject for diagnosis in run.diagnoses}
    nothing = [g.name for g in run.gradients if g.gradient is None]
    bad = [g.name for g in run.gradients if g.gradient and (g.gradient.nans or g.gradient.infs)]
    said = []
    total = len(run.gradients)
    for names, one, many in (
        (
            nothing,
            _("{count} of {total} gradients is None: {names}."),
            _("{count} of {total} gradients are None: {names}."),
        ),
        (
            bad,
            _("{count} of {total} gradients has NaN or infinite entries: {names}."),
            _("{count} of {total} gradients have NaN or infinite entries: {names}."),
        ),
    ):
        if not known.issuperset(names):
            listed = ", ".join(shorten(name, 30) for name in names[:LISTED])
            listed += ", …" if len(names) > LISTED else ""
            template = one if len(names) == 1 else many
            said.append(template.format(count=len(names), total=total, names=listed))
    return said
