"""What is asked before a report is shown: a question, its truth, and what was guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "close", "wrong", "skipped"]


@dataclass(frozen=True)
class Choice:
    """One of the answers to choose from: what stands for it, and what is read."""

    value: str
    label: str


@dataclass(frozen=True)
class Question:
    """A question about one source, one loss or one function, with its truth.

    Attributes
    ----------
    key
        Tells it from the others of its report.
    subject
        What it is about, as the user wrote it: ``w``.
    kind
        How it is answered: ``choice`` by one of ``choices``, ``entry`` by pointing at an entry of a
        table of ``shape`` (or by one of ``choices``), ``number`` by typing one (or by one of
        ``choices``).
    text
        The question, one sentence.
    choices
        The answers to choose from, in the order in which they are shown.
    shape
        Of the table, at most two axes; empty where there is none.
    cells
        What the entries of the table show, row by row.
    right
        All answers that are right: values of ``choices``; entries as ``"1,2"``.
    number
        The truth of a ``number`` that has one.
    truth
        The truth in words and numbers, one sentence.
    why
        Why it is so: the local derivatives on the path, a sentence each.
    """

    key: str
    subject: str
    kind: Literal["choice", "entry", "number"]
    text: str
    choices: tuple[Choice, ...] = ()
    shape: tuple[int, ...] = ()
    cells: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    number: float | None = None
    truth: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guess:
    """An answer that was given: a value of the choices, an entry, or a number as it was typed."""

    question: Question
    value: str
    verdict: Verdict
