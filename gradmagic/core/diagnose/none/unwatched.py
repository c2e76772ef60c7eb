"""What to say of a source that the tape did not watch."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from gradmagic.core.diagnose.none import mending
from gradmagic.core.diagnose.none.breaks import explain_reset
from gradmagic.core.i18n import _, _n
from gradmagic.core.records import Diagnosis
from gradmagic.core.sources import COMPOSITES, is_differentiable, is_tensor, list_held, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.diagnose.evidence import Evidence, Subject

MOST_NAMED = 3  # tensors named where nothing was watched


def explain_unwatched_source(evidence: Evidence, subject: Subject) -> Diagnosis | None:
    """Why the tape did not watch a source that the target depends on; None where it did."""
    if any(evidence.tape.watches(number) for number in subject.numbers):
        return None
    if any(gap.reason == "reset" for gap in evidence.tape.gaps):
        return explain_reset(evidence, subject)
    untrainable = explain_untrainable(evidence, subject, reached=True)
    if untrainable is not None:
        return untrainable
    name, line = subject.name, subject.gradient.bound[subject.gradient.taken]
    stopped = _find_stop(evidence, line)
    if stopped is not None:
        message = _(
            "{name} was made while tape.stop_recording was on (line {line}), so the tape does not "
            "watch it."
        ).format(name=name, line=stopped.lineno)
        fix = "\n".join(ast.unparse(node) for node in stopped.body)
        return Diagnosis("recording-stopped", name, stopped.lineno, None, message, fix)
    if subject.gradient.variable and "--no-watch" in evidence.magic:
        message = _(
            "The tape was told not to watch Variables for being read "
            "(--no-watch-accessed-variables), so {name} gets None."
        ).format(name=name)
        words = [w for w in evidence.magic.split() if not w.startswith("--no-watch")]
        return Diagnosis("not-watched", name, line, None, message, " ".join(words))
    message = _("The tape did not watch {name}.").format(name=name)
    # (a Variable that it did not see being read was read where nothing is recorded)
    typed = _is_typed(subject) and not subject.gradient.variable
    watch = mending.add_after(evidence, line, f"{evidence.tape_name}.watch({name})")
    return Diagnosis("not-watched", name, line, None, message, watch if typed else "")


def _find_stop(evidence: Evidence, line: int | None) -> ast.With | None:
    """The with-statement of stop_recording that holds a line."""
    return next(
        (
            step.node
            for step in evidence.code.steps
            if isinstance(step.node, ast.With)
            and line is not None
            and step.node.lineno <= line <= (step.node.end_lineno or 0)
            and "stop_recording" in ast.unparse(step.node.items[0])
        ),
        None,
    )


def explain_untrainable(evidence: Evidence, subject: Subject, *, reached: bool) -> Diagnosis | None:
    """A Variable with trainable=False, which no tape watches by itself."""
    if not subject.gradient.variable or subject.tensor.trainable:
        return None
    name, line = subject.name, subject.gradient.bound[subject.gradient.taken]
    of_layer = subject.of_keras and _is_held(evidence, subject)
    if not reached and not of_layer:
        return None
    watched = f"{name}.value" if subject.of_keras else name
    watch = mending.add_after(evidence, line, f"{evidence.tape_name}.watch({watched})")
    fix = watch if reached and _is_typed(subject) else ""
    if of_layer:
        message = _(
            "{name} is no trainable variable of its Keras layer (a moving average, a counter, or "
            "of a frozen layer), so the tape does not watch it: training does not move it."
        ).format(name=name)
        return Diagnosis("not-trainable", name, line, None, message, fix)
    message = _(
        "{name} is a Variable with trainable=False, so the tape does not watch it by itself."
    ).format(name=name)
    return Diagnosis("not-watched", name, line, None, message, fix)


def _is_held(evidence: Evidence, subject: Subject) -> bool:
    """Whether a layer, model or module of the user's holds a Variable."""
    return any(held.tensor is subject.tensor for held in list_held(evidence.namespace))


def _is_typed(subject: Subject) -> bool:
    """Whether its name is an expression that can be typed: not so of a model's parts."""
    return subject.name == subject.gradient.source or "[" in subject.name


def explain_frozen(evidence: Evidence) -> Iterator[Diagnosis]:
    """Layers of a model named as a source that are frozen: it stands for the others alone."""
    for source in dict.fromkeys(subject.gradient.source for subject in evidence.subjects):
        for path, layer in _list_frozen(source, evidence.namespace.get(source)):
            message = _n(
                "{layer} is frozen (trainable=False), so the {count} variable of it is no source: "
                "a model stands for its trainable variables.",
                "{layer} is frozen (trainable=False), so the {count} variables of it are no "
                "sources: a model stands for its trainable variables.",
                len(layer.variables),
            ).format(layer=path, count=len(layer.variables))
            yield Diagnosis("not-trainable", path, None, None, message, f"{path}.trainable = True")


def _list_frozen(path: str, layer: Any) -> Iterator[tuple[str, Any]]:
    """The outermost frozen layers inside a Keras layer or model, and how each is reached."""
    for i, inner in enumerate(getattr(layer, "layers", None) or ()):
        own = f"{path}.layers[{i}]"
        if getattr(inner, "trainable", True) is False and inner.variables:
            yield own, inner
        else:
            yield from _list_frozen(own, inner)


def explain_unwatched(evidence: Evidence) -> Iterator[Diagnosis]:
    """No source was named and nothing was watched: the tensors that could be sources."""
    candidates = [
        (number, name)
        for number, name in evidence.list_inputs()
        if _could_be_source(evidence.namespace.get(name))
    ]
    if not candidates:
        message = _("The tape watched nothing, so there is no gradient: name a tensor as a source.")
        yield Diagnosis("not-watched", evidence.target.name, None, None, message)
    words = evidence.magic.split(maxsplit=1)
    named = [name for _number, name in candidates[:MOST_NAMED]]
    fix = " ".join([words[0], *named, *words[1:]])
    for name in named:
        value = unwrap(evidence.namespace.get(name))
        if isinstance(value, tf.Variable):
            message = _(
                "{name} is a Variable that the tape does not watch by itself, and no source is "
                "named: nothing was watched."
            )
        else:
            message = _(
                "{name} is a plain tensor, which the tape does not watch by itself: name it as a "
                "source."
            )
        yield Diagnosis("not-watched", name, None, None, message.format(name=name), fix)


def _could_be_source(value: Any) -> bool:
    value = unwrap(value)
    return is_tensor(value) and not isinstance(value, COMPOSITES) and is_differentiable(value)
