"""What a typed line stands for: a letter or what a choice says, an entry's index, a number."""

from __future__ import annotations

import re
import unicodedata
from string import ascii_lowercase
from typing import TYPE_CHECKING

from gradmagic.core.asking.marking import simplify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Choice, Question

_INDEX = re.compile(r"[\[(]?\s*(\d+(?:(?:\s*,\s*|\s+)\d+)*)\s*[\])]?")


def read_answer(question: Question, line: str) -> str | None:
    """The value that a line stands for; None where it is no answer to the question."""
    choice = _find_choice(question, line)
    if choice is not None:
        return choice.value
    if question.kind == "entry":
        return _read_index(line.removeprefix(question.subject), question.shape)
    return line if question.kind == "number" else None


def list_letters(question: Question) -> list[str]:
    """A letter for each choice; none that a choice says itself, such as a source's name ``b``."""
    said = {simplify(choice.label) for choice in question.choices}
    free = [letter for letter in ascii_lowercase if letter not in said]
    return free[: len(question.choices)]


def _find_choice(question: Question, line: str) -> Choice | None:
    """The choice of a letter, or the only one that says what was typed."""
    typed = simplify(line)
    lettered = dict(zip(list_letters(question), question.choices, strict=False))
    if typed.removesuffix(")") in lettered:
        return lettered[typed.removesuffix(")")]
    found = [choice for choice in question.choices if typed in _list_names(choice.label)]
    return found[0] if len(found) == 1 else None


def _list_names(label: str) -> set[str]:
    """What one may type for a label: all of it, ``None`` of ``None: ...``, ``0`` of ``x = 0``."""
    head, _colon, _rest = unicodedata.normalize("NFKC", label).partition(":")
    return {simplify(one) for one in (label, head, label.rpartition("=")[2])}


def _read_index(line: str, shape: Sequence[int]) -> str | None:
    """An entry as it is marked, ``1,2``; None where there is no such entry."""
    found = _INDEX.fullmatch(unicodedata.normalize("NFKC", line).replace("、", ","))
    index = [int(one) for one in re.findall(r"\d+", found[1])] if found and len(line) < 100 else []
    inside = len(index) == len(shape) and all(
        at < size for at, size in zip(index, shape, strict=True)
    )
    return ",".join(map(str, index)) if inside else None
