"""Diagnoses in words: what each kind is called, how grave it is, and what is said together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from gradmagic.core.i18n import N_, _, _n, join_items, join_sentences
from gradmagic.render.lettering import count_columns
from gradmagic.render.markup import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gradmagic.core.records import Diagnosis, Graph

Severity = Literal["wrong", "missing", "weak", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("wrong", "missing", "weak", "note")

MESSAGE = 600  # characters of a message, and of a fix, that are shown
NAMES = 30  # columns of the names that a row begins with
MORE = 8  # of these where the number of others follows
LISTED = 3  # names in a row
SENTENCES = 4  # of one row
FIXES = 8  # of one row in one place

_WRONG: Final = {
    "nan-gradient": N_("NaN comes from here"),
    "inf-gradient": N_("infinity comes from here"),
    "shape-broadcast": N_("shapes broadcast to a larger one"),
    "one-unit-crossentropy": N_("crossentropy of one unit is always 0"),
    "arguments-swapped": N_("labels and predictions swapped"),
    "labels-not-one-hot": N_("labels of another form than the loss takes"),
    "one-hot-off": N_("labels out of range: rows of zeros"),
    "logits-as-probabilities": N_("logits taken as probabilities"),
    "probabilities-as-logits": N_("probabilities taken as logits"),
    "shape-mismatch": N_("shapes do not fit"),
    "dtype-mismatch": N_("dtypes do not fit"),
}
_MISSING: Final = {  # why there is no gradient
    "target-constant": N_("the target is a constant"),
    "tape-consumed": N_("the tape was used up"),
    "left-tensorflow": N_("left TensorFlow"),
    "computed-before-tape": N_("computed before the tape"),
    "stateful-assign": N_("went through assign"),
    "integer-dtype": N_("not a float"),
    "not-differentiable": N_("not differentiable"),
    "stop-gradient": N_("stopped on purpose"),
    "no-gradient-registered": N_("TensorFlow has none for the op"),
    "control-flow": N_("it only chose the branch"),
    "not-watched": N_("not watched"),
    "not-trainable": N_("not trainable"),
    "layer-not-called": N_("layer not called"),
    "not-used": N_("not used"),
}
_BROKEN: Final = {  # as grave, but there may be a gradient
    "recording-stopped": N_("the tape did not record"),
    "variable-replaced": N_("Variable replaced by a tensor"),
}
_WEAK: Final = {
    "clipped-probability": N_("clipped probability: gradient is lost"),
    "dead-relu": N_("gradient is zero: dead ReLU"),
    "saturated": N_("saturated: almost no gradient"),
    "constant-region": N_("gradient is zero: flat part of a function"),
    "zero-gradient": N_("gradient is zero"),
    "exploding": N_("gradients explode from layer to layer"),
    "vanishing": N_("gradients vanish from layer to layer"),
}
_NOTES: Final = {
    "softmax-then-crossentropy": N_("softmax first, then crossentropy"),
    "mse-on-one-hot": N_("squared error on one-hot labels"),
}
_CAUSES: Final[Mapping[str, str]] = {**_WRONG, **_MISSING, **_BROKEN, **_WEAK, **_NOTES}


def name_kind(kind: str) -> str:
    """A short title of a kind of diagnosis, in plain words: ``no gradient: not watched``."""
    if kind in _MISSING:
        return _("no gradient: {cause}").format(cause=_(_MISSING[kind]))
    return name_cause(kind)


def name_cause(kind: str) -> str:
    """The title, where it is clear from the rest that there is no gradient: ``not watched``."""
    return _(_CAUSES[kind]) if kind in _CAUSES else kind.replace("-", " ")


def find_severity(kind: str) -> Severity:
    """How grave a kind is.

    ``"wrong"``: a number or loss that is wrong; ``"missing"``: no gradient; ``"weak"``: a gradient
    that does not help; ``"note"``: good to know.
    """
    if kind in _WRONG:
        return "wrong"
    if kind in _MISSING or kind in _BROKEN:
        return "missing"
    return "note" if kind in _NOTES else "weak"


@dataclass(frozen=True)
class Finding:
    """Diagnoses that share kind, line and op: what one row says of several sources."""

    diagnoses: tuple[Diagnosis, ...]

    @property
    def kind(self) -> str:
        """The kind that they share."""
        return self.diagnoses[0].kind

    @property
    def line(self) -> int | None:
        """The line that they share."""
        return self.diagnoses[0].line

    @property
    def subjects(self) -> list[str]:
        """What they are about, each once."""
        return list(dict.fromkeys(one.subject for one in self.diagnoses))


def group_diagnoses(diagnoses: Iterable[Diagnosis]) -> list[Finding]:
    """What is said in one row each, in the order of the first ones."""
    groups: dict[tuple[str, int | None, str | None], list[Diagnosis]] = {}
    for one in diagnoses:
        groups.setdefault((one.kind, one.line, one.op), []).append(one)
    return [Finding(tuple(group)) for group in groups.values()]


def count_names(names: Sequence[str]) -> tuple[list[str], int]:
    """The names for which a row has room, at least one, and the number of the others."""
    shown = [shorten(names[0], NAMES if len(names) == 1 else NAMES - MORE)]
    most = len(names) if len(names) <= LISTED else LISTED - 1
    for name in names[1:most]:
        if count_columns(", ".join([*shown, name])) > NAMES:
            break
        shown.append(shorten(name))
    return shown, len(names) - len(shown)


def name_place(line: int | None) -> str:
    """Where it happens: ``line 3``; empty where that is no line of the cell."""
    return "" if line is None else _("line {line}").format(line=line)


def describe_diagnosis(one: Diagnosis) -> str:
    """A diagnosis in a few words: ``w: no gradient: not watched``."""
    return _("{name}: {what}").format(name=shorten(one.subject, NAMES), what=name_kind(one.kind))


def write_sentences(finding: Finding) -> list[str]:
    """What happened. Where the same holds for several, it is said of the first of them."""
    said: list[tuple[Diagnosis, list[str]]] = []
    for one in finding.diagnoses:
        same = next((names for first, names in said if _says_the_same(first, one)), None)
        if same is None:
            said.append((one, []))
        elif one.subject not in same:
            same.append(one.subject)
    sentences = []
    for first, others in said[:SENTENCES]:
        sentence = first.message[:MESSAGE]
        names = [name for name in others if name != first.subject]
        if names:
            same_holds = _("The same holds for {names}.").format(names=list_names(names))
            sentence = join_sentences([sentence, same_holds])
        sentences.append(sentence)
    left = len(said) - SENTENCES
    if left > 0:
        more = _n(
            "{count} more sentence is in gradmagic.last_run().diagnoses.",
            "{count} more sentences are in gradmagic.last_run().diagnoses.",
            left,
        )
        sentences.append(more.format(count=left))
    return sentences


def _says_the_same(first: Diagnosis, other: Diagnosis) -> bool:
    """Whether two messages differ in nothing but the name of what they are about.

    That name may stand for another thing elsewhere in them: ``a`` is a word, ``w`` is in ``x @ w``.
    """
    names = f"(?:{re.escape(first.subject)}|{re.escape(other.subject)})"
    name = rf"(?<!\w){re.escape(first.subject)}(?!\w)"
    # (in Chinese text no blank stands between a Chinese name and the words beside it)
    parts = re.split(name, first.message, flags=re.ASCII)
    return re.fullmatch(names.join(map(re.escape, parts)), other.message) is not None


def list_names(names: Sequence[str]) -> str:
    """``w``; ``w and b``; ``w, b and c``; ``w, b and 3 more``."""
    shown, left = count_names(names)
    if not left:
        return join_names(shown)
    listed = _n("{names} and {count} more", "{names} and {count} more", left)
    return listed.format(names=join_items(shown), count=left)


def join_names(names: Sequence[str]) -> str:
    """All of them: ``w``; ``w and b``; ``w, b and c``."""
    if len(names) == 1:
        return names[0]
    return _("{names} and {last}").format(names=join_items(names[:-1]), last=names[-1])


def write_fixes(finding: Finding) -> dict[str, list[str]]:
    """Code to type, by the place where it goes. What goes on top of the cell goes together."""
    fixes: dict[str, list[str]] = {}
    for one in finding.diagnoses:
        code = one.fix[:MESSAGE]
        if code:
            codes = fixes.setdefault(place_fix(one), [])
            codes += [code] if code not in codes and len(codes) < FIXES else []
    top = _name_top()
    if top in fixes:
        fixes[top] = ["\n".join(fixes[top])]
    return fixes


def place_fix(one: Diagnosis) -> str:
    """Where the code to type goes, in words."""
    if one.fix.startswith("%%"):
        return _("type in place of the magic's line")
    if one.line is None:
        return _name_top()
    return _("type in place of line {line}").format(line=one.line)


def _name_top() -> str:
    return _("type at the top of the cell")


def find_places(graph: Graph, diagnoses: Iterable[Diagnosis]) -> dict[int, list[Diagnosis]]:
    """The diagnoses of each node in which something happens, by its id.

    An op that is drawn with others as one group is found there; one that is folded away is, by
    its line.
    """
    ops = {
        op.position: node.id
        for node in graph.nodes
        for op in (node, *node.inside)
        if op.kind == "op" and node.kind != "port"
    }
    groups = {
        node.line: node.id for node in graph.nodes if node.kind == "group" and node.line is not None
    }
    places: dict[int, list[Diagnosis]] = {}
    for one in diagnoses:
        if one.position is not None:
            node = ops.get(one.position)
            if node is None and one.line is not None:
                node = groups.get(one.line)
            if node is not None:
                places.setdefault(node, []).append(one)
    return places
