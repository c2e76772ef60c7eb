"""Questions as they are sent to a page, their truth so that no glance reads it."""

from __future__ import annotations

import base64
import functools
import json
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmagic.render.asking.words import list_words
from gradmagic.render.markup import squeeze_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradmagic.core.asking.records import Question


def write_quiz(questions: Sequence[Question]) -> dict[str, Any]:
    """The questions for the page, without their truth in readable form.

    Returns
    -------
    dict
        ``questions``: of each ``key``, ``subject``, ``kind``, ``text``, ``choices`` (``value`` and
        ``label``), ``shape``, ``cells`` and ``veil``; ``words``: what the script writes.
    """
    return {"questions": [_write_question(one) for one in questions], "words": list_words()}


def _write_question(question: Question) -> dict[str, Any]:
    right, number = list(question.right), question.number
    if number is not None and not math.isfinite(number):  # JSON has no such numbers
        right.append("nan" if math.isnan(number) else "inf" if number > 0 else "-inf")
        number = None
    truth = {
        "right": right,
        "number": number,
        "truth": question.truth,
        "why": list(question.why),
    }
    return {
        "key": question.key,
        "subject": question.subject,
        "kind": question.kind,
        "text": question.text,
        "choices": [{"value": one.value, "label": one.label} for one in question.choices],
        "shape": list(question.shape),
        "cells": list(question.cells),
        "veil": veil(json.dumps(truth, ensure_ascii=False)),
    }


def veil(text: str) -> str:
    """``text`` so that no glance reads it; ``unveil`` of ``widgets/asking/veil.js`` undoes it.

    It is no secret: it is only out of sight.
    """
    mixed = bytes(byte ^ (73 * i + 41) % 256 for i, byte in enumerate(text.encode()))
    return base64.b64encode(mixed).decode("ascii")


def pack(text: str) -> str:
    """A long text, out of sight and small; ``unpack`` of ``widgets/asking/veil.js`` undoes it."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


@functools.cache
def load_style() -> str:
    """The style sheet of the questions, without comments and spare blanks."""
    return squeeze_style(Path(__file__).with_name("asking.css").read_text("utf-8"))
